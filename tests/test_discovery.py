"""`discover` from the problem to the result: known laws are found, and no interruption, however rude, loses the work."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from html.parser import HTMLParser

import numpy as np
import pytest

from symnum import data
from symnum.discovery import Discovery, discover
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.ops import Op
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.search.run import Status
from symnum.store import RunFolder

RNG = np.random.default_rng(0)
X = RNG.uniform(0.5, 3, (40, 3))
ROWS = {f"x{j}": X[:, j] for j in range(3)}
HARD = np.sin(3 * X[:, 0]) * X[:, 1] + np.tanh(X[:, 2]) / X[:, 0] + 0.05 * RNG.normal(size=40)
NEW = np.random.default_rng(1).uniform(0.6, 2.9, (20, 3))  # rows that no search sees


def problem(y: np.ndarray = HARD, loss="mse") -> RegressionProblem:
    return RegressionProblem.from_table(as_table(X, y), loss)


def search(of: RegressionProblem, grammar="elementary", evaluations: int = 1_000_000, **kwargs) -> Discovery:
    usual = {"time_limit": None, "max_evaluations": evaluations, "max_complexity": 20, "seed": 0, "threads": 2}
    return discover(of, grammar, **usual | kwargs)


# known laws -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("grammar", "law"), [
    ("elementary", "x0*x1/x2"),
    ("elementary", "1.7*exp(-0.6*x0)*x1"),
    ("elementary", "sqrt(x0^2 + 2.5*x1)"),
    ("elementary", "log(x0 + 2.5*x1)"),
    ("arithmetic", "2.5*x0/(x1 + 1.3) + x2"),
    ("polynomial", "1.5*x0^2*x1 - 0.7*x2^3 + 2"),
    ("rational", "2*x0/(1.5 + x1)"),
    ("trigonometric", "2*sin(1.5*x0 + 0.5)"),
    ("physics", "4*pi^2*x0^3/x1"),
])
def test_simple_laws_are_found(grammar, law):
    truth = Expr.parse(law)
    found = search(problem(truth(ROWS)), grammar)
    assert found.status is Status.EXACT
    rows = dict(zip(ROWS, NEW.T, strict=True))
    np.testing.assert_allclose(found.best.best(rows), truth(rows), rtol=1e-9)  # constants of a fit
    assert found.best.loss <= found.front.floor
    assert Grammar.load(grammar).contains(found.best.expr)


@pytest.mark.parametrize("grammar", ["elementary", "physics"])
def test_keplers_third_law_is_on_the_front(grammar):
    """T = 365.25 days * a^1.5 from the numbers that Kepler had."""
    found = search(RegressionProblem(data.load("kepler")), grammar, 500_000)
    a = np.array([0.2, 1.0, 5.0, 30.0])
    ratios = [c.best(distance=a) / a**1.5 for c in found.front]
    laws = [r for r in ratios if np.ptp(r) < 1e-6 * r.mean()]  # a pure power law, to the fit's digits
    assert len(laws) == 1 and laws[0].mean() == pytest.approx(365.25, rel=0.01)
    assert (ratios[found.chosen] == laws[0]).all()


@pytest.mark.parametrize("loss", ["mae", "huber:0.1", "log-cosh", "relative"])
def test_other_losses_find_the_law_too(loss):
    found = search(problem(X[:, 0] * X[:, 1] / X[:, 2], loss), "arithmetic", 200_000)
    rows = dict(zip(ROWS, NEW.T, strict=True))
    np.testing.assert_allclose(found.best.best(rows), NEW[:, 0] * NEW[:, 1] / NEW[:, 2], rtol=1e-6)  # log-cosh is flat at its minimum


def test_an_outlier_does_not_disturb_mae():
    y = 2 * X[:, 0] + X[:, 1]
    y[3] += 100
    found = search(problem(y, "mae"), "arithmetic", 200_000, max_complexity=9)
    rows = dict(zip(ROWS, NEW.T, strict=True))
    assert min(np.abs(c.best(rows) - 2 * NEW[:, 0] - NEW[:, 1]).max() for c in found.front) < 1e-3  # where mae's corner is approached


def test_a_user_operator_is_searched_and_found():
    bump = Op.from_function("lorentzian", lambda a: 1 / (1 + a * a), 1, sympy="1/(1 + a**2)")
    grammar = Grammar.parse("e : e + e | e * e | lorentzian(e) | CONST | VAR")
    found = search(problem(2.5 / (1 + (1.5 * X[:, 0] - 2) ** 2)), grammar)
    assert found.status is Status.EXACT and bump in found.best.expr.tokens
    assert "lorentzian" in str(found.best.best) and "lorentzian" not in str(found.sympy())


def test_guesses_enter_the_front():
    law = 3.3 * np.sin(2.2 * X[:, 0]) / np.sqrt(X[:, 1]) + 1.1 * X[:, 2]
    found = search(problem(law), evaluations=1, guesses=["3.0*sin(2.0*x0)/sqrt(x1) + x2*1.0", Expr.parse("x0")])
    assert found.best.loss < 1e-20 and len(found.best.expr.constants) == 3  # an exact law, fitted
    assert search(problem(law), evaluations=1).best.loss > 1e-6


def test_guesses_may_hold_exact_numbers():
    """In `physics` the exponent 3/2 is exact: a guess counts as it stands as well as with free numbers."""
    found = search(problem(2.2 * X[:, 0] ** 1.5), "physics", evaluations=1, guesses=["x0^(3/2)"])
    assert found.best.loss < 1e-20


# determinism and resuming ---------------------------------------------------------------------------------------------------
def test_one_seed_gives_one_front_on_any_number_of_threads():
    found = [search(problem(), evaluations=200_000, threads=k) for k in (1, 2, 3)]
    assert found[0].front == found[1].front == found[2].front
    assert found[0].chosen == found[1].chosen and found[0].exhausted_complexity == found[2].exhausted_complexity
    assert search(problem(), evaluations=200_000, seed=1).front != found[0].front


def test_a_seed_that_was_drawn_gives_the_run_again():
    first = search(problem(), "arithmetic", 30_000, seed=None)
    assert search(problem(), "arithmetic", 30_000, seed=first.seed).front == first.front


def test_resumed_is_the_same_as_never_interrupted(tmp_path):
    whole = search(problem(), evaluations=400_000)
    part = search(problem(), evaluations=200_000, run_dir=tmp_path)
    assert part.statistics["rounds"] < whole.statistics["rounds"]
    resumed = search(problem(), evaluations=400_000, run_dir=tmp_path, resume=True)
    assert resumed.front == whole.front
    assert resumed.statistics["evaluations"] == whole.statistics["evaluations"]
    assert [c.loss for c in RunFolder.open(tmp_path).load_front()] == [c.loss for c in whole.front]


def test_a_drawn_seed_is_kept_by_resuming(tmp_path):
    part = search(problem(), "arithmetic", 20_000, run_dir=tmp_path)
    with pytest.raises(ValueError, match="seed"):
        search(problem(), "arithmetic", 60_000, run_dir=tmp_path, resume=True, seed=5)
    assert search(problem(), "arithmetic", 60_000, run_dir=tmp_path, resume=True).seed == part.seed


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    part = search(problem(), "arithmetic", 30_000, run_dir=tmp_path)
    again = search(problem(), "arithmetic", 30_000, run_dir=tmp_path, resume=True)
    assert again.front == part.front and again.statistics["rounds"] == part.statistics["rounds"]


def test_other_data_are_refused(tmp_path):
    search(problem(), "arithmetic", 5_000, run_dir=tmp_path)
    with pytest.raises(ValueError, match="other data"):
        search(problem(HARD + 1), "arithmetic", 5_000, run_dir=tmp_path, resume=True)
    with pytest.raises(ValueError, match="resume"):
        search(problem(), "arithmetic", 5_000, run_dir=tmp_path)


KILLED = """
    import sys
    import symnum.discovery
    symnum.discovery.CHECKPOINT = 0.1
    from symnum.cli import main
    main()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_killed_run_goes_on_where_it_was(tmp_path):
    """`kill -9` at a random instant after the first checkpoint, twice; then the run ends as if nothing had happened."""
    run, table = tmp_path / "run", tmp_path / "t.csv"
    table.write_text("x0,x1,x2,y\n" + "\n".join(",".join(map(repr, row)) for row in np.column_stack([X, HARD]).tolist()))
    command = [sys.executable, "-c", textwrap.dedent(KILLED), "fit", str(table), "--target", "y", "--out", str(run), "--resume", "--quiet",
               "--max-complexity", "20", "--max-evaluations"]
    reached = 0
    for delay in (0.05, 0.3):
        process = subprocess.Popen([*command, "100000000"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        before, deadline = _written(run), time.monotonic() + 60
        while _written(run) == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        _, err = process.communicate()
        assert process.returncode == -signal.SIGKILL, err.decode()
        folder = RunFolder.open(run)
        arrays, _ = folder.load_state()
        assert int(arrays["progress"][1]) > reached
        reached = int(arrays["progress"][1])
        assert len(folder.load_front()) > 0
    more = str(reached + 100_000)
    subprocess.run([*command, more], check=True, capture_output=True)
    whole = discover(problem(), time_limit=60, max_evaluations=int(more), max_complexity=20, seed=0, threads=2)
    kept = RunFolder.open(run).load_front()
    assert [(c.complexity, c.loss, str(c.best)) for c in kept] == [(c.complexity, c.loss, str(c.best)) for c in whole.front]


def _written(run) -> float:
    try:
        return (run / "state.npz").stat().st_mtime
    except FileNotFoundError:
        return 0.0


# interruptions --------------------------------------------------------------------------------------------------------------
class Act:
    """A callback that acts at the second update."""

    def __init__(self, action):
        self.action, self.updates, self.ended = action, 0, None

    def on_start(self, run):
        self.run = run

    def on_update(self, update):
        self.updates += 1
        if self.updates == 2:
            self.action()

    def on_end(self, discovery):
        self.ended = discovery


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_returns_the_front_so_far(number, tmp_path):
    before = signal.getsignal(number)
    act = Act(lambda: os.kill(os.getpid(), number))
    found = search(problem(), time_limit=60, evaluations=None, callbacks=[act], run_dir=tmp_path)
    assert found.status is Status.INTERRUPTED and len(found.front) > 0
    assert act.updates in (2, 3) and act.ended is found
    assert signal.getsignal(number) is before
    saved = RunFolder.open(tmp_path).load_front()
    assert [(c.loss, str(c.best)) for c in saved] == [(c.loss, str(c.best)) for c in found.front]
    resumed = search(problem(), time_limit=None, evaluations=found.statistics["evaluations"] + 50_000, run_dir=tmp_path, resume=True)
    assert resumed.statistics["rounds"] > found.statistics["rounds"]


def test_a_second_ctrl_c_raises():
    def twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        search(problem(), callbacks=[Act(twice)])
    assert signal.getsignal(signal.SIGINT) is before


def test_it_runs_outside_the_main_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(search(problem(), "arithmetic", 10_000)))
    thread.start()
    thread.join()
    assert found[0].front == search(problem(), "arithmetic", 10_000).front


def test_an_error_of_a_callback_ends_the_search():
    def fail():
        raise RuntimeError("mine")
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="mine"):
        search(problem(), callbacks=[Act(fail)])
    assert signal.getsignal(signal.SIGINT) is before


def test_the_time_limit_is_kept():
    search(problem(), evaluations=1000)  # compiled
    began = time.monotonic()
    found = search(problem(), time_limit=0.5, evaluations=None)
    assert 0.5 <= time.monotonic() - began < 2.0
    assert found.status is Status.TIME


# what is refused ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("arguments", "words"), [
    ({"time_limit": -1}, "time_limit must be positive, got -1"),
    ({"time_limit": 0}, "time_limit must be positive, got 0"),
    ({"time_limit": float("nan")}, "time_limit must be positive, got nan"),
    ({"time_limit": None, "max_evaluations": None}, "time_limit or max_evaluations is required"),
    ({"max_evaluations": 0}, "max_evaluations must be positive"),
    ({"max_complexity": 0}, "max_complexity must be positive"),
    ({"threads": -2}, "threads must be positive"),
    ({"selection": "beste"}, "best, mdl, aic, bic, validation, accuracy, score was required, got 'beste'"),
    ({"grammar": "elementery"}, "did you mean elementary"),
    ({"grammar": Grammar.parse("e : mass * VAR", "own")}, "'own' uses mass; the columns are x0, x1, x2"),
    ({"grammar": Grammar.parse("e : VAR*VAR*VAR"), "max_complexity": 3}, "has complexity 5, more than max_complexity=3"),
    ({"guesses": ["x0 + speed"]}, r"the guess 'x0 \+ speed' uses speed; the columns are x0, x1, x2"),
    ({"guesses": ["x0 +"]}, "was required, got the end"),
])
def test_errors_come_before_any_work(arguments, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        discover(problem(), **{"time_limit": 60, "run_dir": tmp_path / "run"} | arguments)
    assert not (tmp_path / "run").exists()


# the result -----------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def result() -> Discovery:
    return search(problem(2.5 * X[:, 0] ** 2 / X[:, 1] + 0.01 * RNG.normal(size=40)), "physics", 100_000)


def test_the_result_tells_what_was_asked_and_done(result):
    assert result.target == "y" and result.names == ("x0", "x1", "x2") and result.seed == 0
    assert result.config["grammar_name"] == "physics" and result.config["max_evaluations"] == 100_000
    assert Grammar.parse(result.config["grammar"], "physics") == Grammar.load("physics")
    s = result.statistics
    assert s["evaluations"] >= 100_000 and s["rounds"] > 0 and s["threads"] == 2 and s["node_rows_per_second"] > 1e6
    assert result.best is result.front[result.chosen] and result[0] is result.front[0]
    assert result.verdict.r2 > 0.99 and result.exhausted_complexity >= 1
    assert all(c.holdout is None for c in result.front)


def test_another_selection_of_the_same_front(result):
    accurate = result.select("accuracy")
    assert accurate.chosen == len(result.front) - 1 and accurate.front is result.front
    assert accurate.config["selection"] == "accuracy" and result.config["selection"] == "best"
    assert accurate.verdict.r2 >= result.verdict.r2
    with pytest.raises(ValueError, match="a selection among"):
        result.select("worst")


def test_the_result_in_every_form(result):
    x = dict(zip(ROWS, NEW.T, strict=True))
    wanted = result.best.best(x)
    f = result.sympy()
    for i in range(3):
        values = {s: NEW[i, int(s.name[1:])] for s in f.free_symbols}
        assert float(f.subs(values)) == pytest.approx(wanted[i], rel=1e-9)  # sympy reassociates
    assert result.latex().count(r"\frac") == 1 and result._repr_latex_() == f"$$y = {result.latex()}$$"
    assert result.latex(0) != result.latex()


def test_the_text_marks_the_choice(result):
    lines = str(result).splitlines()
    marked = [line for line in lines if line.startswith(">>>>")]
    assert len(marked) == 1 and marked[0].split()[1] == str(result.best.complexity) and "y = " in marked[0]
    assert repr(result) == str(result)
    assert any(line.startswith("status: the evaluation limit") for line in lines) and any("verdict: R² = 0.9" in line for line in lines)
    assert any("node·rows/s" in line for line in lines)


class Balanced(HTMLParser):
    """Checks that every element is closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in ("br", "hr", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag


def test_the_html_is_well_formed(result):
    parser = Balanced()
    parser.feed(result._repr_html_())
    parser.close()
    assert parser.open == []
    assert parser.seen.count("math") == len(result.front) and parser.seen.count("tr") == len(result.front) + 1


def test_names_are_escaped_everywhere():
    names = ["a<b>&\"c\"", "größe in m", "sin"]
    found = search(RegressionProblem(as_table(X, X[:, 0] * X[:, 1] + X[:, 2], names, target="<y> & z")), "arithmetic", 50_000)
    html = found._repr_html_()
    parser = Balanced()
    parser.feed(html)
    assert parser.open == [] and "<b>" not in html and "<y>" not in html
    assert "größe in m" in str(found) and found.latex()
    assert close_to(found, names, X[:, 0] * X[:, 1] + X[:, 2])


def close_to(found: Discovery, names: list[str], y: np.ndarray) -> bool:
    return np.allclose(found.best.best(dict(zip(names, X.T, strict=True))), y, rtol=1e-9, atol=0)  # constants of a fit


def test_an_empty_front_is_no_crash():
    """No formula of this grammar is finite on these rows."""
    found = search(RegressionProblem(as_table(-X, HARD)), Grammar.parse("e : log(VAR) | sqrt(VAR)"), 1000, time_limit=1)
    assert found.chosen is None and found.verdict is None and len(found.front) == 0
    with pytest.raises(LookupError, match="no formula was finite"):
        found.sympy()
    assert "status" in str(found) and "<table>" in found._repr_html_()
    assert found.select("mdl").chosen is None
