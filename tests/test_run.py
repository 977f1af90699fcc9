"""The loop: epochs are pure, rounds merge in order, checkpoints hold everything, and every ending is the right one."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.ops import OPS
from symnum.language.rules import compile_rules
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.search.base import Context
from symnum.search.checkpoint import from_arrays, to_arrays
from symnum.search.enumerate import Cursor, Enumeration
from symnum.search.evolve import Evolution
from symnum.search.front import Front
from symnum.search.invert import Inversion
from symnum.search.portfolio import PLAIN, VIEWS, default_portfolio
from symnum.search.reduce import Structure
from symnum.search.run import MIGRATION, Budget, Progress, Run, Status, epoch

RNG = np.random.default_rng(0)
X = RNG.uniform(0.5, 2.0, (40, 2))
NOISE = RNG.normal(size=40)


def context(y: np.ndarray = NOISE, grammar: str = "elementary", most: int = 20) -> Context:
    problem = RegressionProblem(as_table(X, y))
    return Context.of(problem, compile_rules(Grammar.load(grammar), problem.names), CpuEvaluator(1), most)


def run_of(context: Context, seed: int = 0, guesses: tuple[Expr, ...] = ()) -> Run:
    return Run(context, default_portfolio(context), seed, guesses)


def advance(run: Run, progress: Progress, budget: Budget, threads: int = 1, stop: threading.Event | None = None, on_round=lambda p: None):
    with ThreadPoolExecutor(threads) as executor:
        return run.advance(progress, budget, executor, stop or threading.Event(), on_round)


ANY = context()  # only names the operators


def fingerprint(progress: Progress) -> tuple:
    """Everything but the time."""
    untimed = {f: at and (0.0, at[1]) for f, at in (("exact_at", progress.exact_at), ("noise_at", progress.noise_at))}
    arrays = to_arrays(replace(progress, seconds=0.0, **untimed), ANY)
    return tuple((name, array.dtype.str, array.shape, array.tobytes()) for name, array in arrays.items())


# epochs ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("search", [Evolution(), Evolution(view="exp"), Enumeration()], ids=["evolution", "view", "enumeration"])
def test_an_epoch_is_a_pure_function(search):
    c = context(np.exp(NOISE))
    state, front = search.start(c, np.random.default_rng(0)), Front()
    for r in (1, 2, 3, MIGRATION):  # the last welcomes migrants
        a, b = (epoch(search, c, state, front, (3, r, 0)) for _ in range(2))
        assert fingerprint(Progress(0, Front(), (a.state,))) == fingerprint(Progress(0, Front(), (b.state,)))
        assert a.candidates == b.candidates and a.evaluations == b.evaluations > 0
        state, front = a.state, front.merged(a.candidates)


def test_an_epoch_ends_at_the_deadline_and_when_it_is_told_to():
    c, search = context(), Evolution()
    state, stop = search.start(c, np.random.default_rng(0)), threading.Event()
    assert epoch(search, c, state, Front(), (0, 1, 0), time.monotonic() - 1).evaluations == 0
    stop.set()
    assert epoch(search, c, state, Front(), (0, 1, 0), None, stop).evaluations == 0


# determinism ------------------------------------------------------------------------------------------------------------------
def test_one_seed_gives_one_run_on_any_number_of_threads():
    c = context()
    ends = [advance(run_of(c), run_of(c).begin(), Budget(None, 300_000), threads) for threads in (1, 2, 3)]
    assert [status for _, status in ends] == [Status.EVALUATIONS] * 3
    assert ends[0][0].round > 3
    assert len({fingerprint(progress) for progress, _ in ends}) == 1
    other, _ = advance(run_of(c, seed=1), run_of(c, seed=1).begin(), Budget(None, 300_000))
    assert fingerprint(other) != fingerprint(ends[0][0])


def test_stopping_and_going_on_is_never_stopping():
    c = context()
    whole, _ = advance(run_of(c), run_of(c).begin(), Budget(None, 400_000))
    part, _ = advance(run_of(c), run_of(c).begin(), Budget(None, 150_000))
    assert 0 < part.round < whole.round
    resumed, _ = advance(run_of(c), from_arrays(to_arrays(part, c), c, len(default_portfolio(c))), Budget(None, 400_000))
    assert fingerprint(resumed) == fingerprint(whole)


# checkpoints ------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("y", [NOISE, X[:, 0] * X[:, 1]], ids=["noise", "exact"])
def test_a_checkpoint_comes_back(y, tmp_path):
    c = context(y)
    progress, _ = advance(run_of(c), run_of(c).begin(), Budget(None, 200_000))
    np.savez(tmp_path / "state.npz", **to_arrays(progress, c))
    with np.load(tmp_path / "state.npz", allow_pickle=False) as arrays:
        again = from_arrays(dict(arrays), c, len(progress.states))
    assert again.front == progress.front
    assert again.exhausted == progress.exhausted and again.cache_hits == progress.cache_hits and again.exact_at == progress.exact_at
    assert again.seconds == progress.seconds and again.expressions == progress.expressions
    assert fingerprint(again) == fingerprint(progress)


def test_the_first_progress_comes_back_too():
    c = context()
    progress = run_of(c).begin()
    again = from_arrays(to_arrays(progress, c), c, len(progress.states))
    assert fingerprint(again) == fingerprint(progress) and len(again.front) == 0


def test_operators_are_found_again_by_name():
    """Codes of user operators depend on the order of registration: a checkpoint names them."""
    c = context(np.sin(X[:, 0]), "trigonometric")
    progress, _ = advance(run_of(c), run_of(c).begin(), Budget(None, 50_000))
    arrays = to_arrays(progress, c)
    swap = {OPS["sin"].code: OPS["cos"].code, OPS["cos"].code: OPS["sin"].code}
    arrays["operators"] = np.array([f"{swap.get(op.code, op.code)}:{name}" for name, op in OPS.items()])
    for name in [n for n in arrays if n.endswith("/code")]:
        arrays[name] = np.array([swap.get(code, code) for code in arrays[name].tolist()], np.uint8)
    assert fingerprint(from_arrays(arrays, c, len(progress.states))) == fingerprint(progress)
    arrays["operators"] = np.append(arrays["operators"], "250:nobody")
    with pytest.raises(ValueError, match="'nobody': register it"):
        from_arrays(arrays, c, len(progress.states))


def test_a_checkpoint_of_another_portfolio_is_refused():
    c = context()
    arrays = to_arrays(run_of(c).begin(), c)
    arrays = {name: array for name, array in arrays.items() if not name.startswith("1/")}
    with pytest.raises(ValueError, match="this portfolio"):
        from_arrays(arrays, c, len(default_portfolio(c)))


# endings --------------------------------------------------------------------------------------------------------------------
def test_an_event_interrupts():
    c, stop, rounds = context(), threading.Event(), []

    def on_round(progress):
        rounds.append(progress.round)
        if len(rounds) == 2:
            stop.set()
    progress, status = advance(run_of(c), run_of(c).begin(), Budget(60), stop=stop, on_round=on_round)
    assert status is Status.INTERRUPTED and rounds == [1, 2] and len(progress.front) > 0
    untouched, status = advance(run_of(c), run_of(c).begin(), Budget(60), stop=stop)
    assert status is Status.INTERRUPTED and untouched.round == 0


@pytest.mark.parametrize("seconds", [0.2, 1.0])
def test_the_time_limit_is_kept(seconds):
    c = context()
    advance(run_of(c), run_of(c).begin(), Budget(None, 1000))  # compiled
    began = time.monotonic()
    progress, status = advance(run_of(c), run_of(c).begin(), Budget(seconds), threads=2)
    assert status is Status.TIME
    assert seconds <= time.monotonic() - began < seconds + 1.5
    assert progress.seconds == pytest.approx(time.monotonic() - began, abs=0.5)


def test_time_of_the_parts_is_added():
    c = context()
    first, _ = advance(run_of(c), run_of(c).begin(), Budget(0.3))
    second, status = advance(run_of(c), first, Budget(0.2))
    assert status is Status.TIME and second is first
    third, _ = advance(run_of(c), first, Budget(0.6))
    assert third.round > first.round and third.seconds >= 0.6


def test_an_exact_law_ends_the_run_a_little_later():
    c = context(2 * X[:, 0] / X[:, 1])
    progress, status = advance(run_of(c), run_of(c).begin(), Budget(60))
    assert status is Status.EXACT and progress.front[-1].loss <= progress.front.floor
    assert progress.evaluations >= 1.25 * progress.exact_at[1]
    assert progress.seconds < 30


def test_progress_only_grows():
    c, seen = context(), []
    advance(run_of(c), run_of(c).begin(), Budget(None, 300_000), on_round=seen.append)
    assert [p.round for p in seen] == list(range(1, len(seen) + 1))
    for a, b in zip(seen, seen[1:], strict=False):
        assert a.evaluations < b.evaluations and a.node_rows < b.node_rows and a.seconds < b.seconds and a.expressions < b.expressions
        assert a.exhausted <= b.exhausted and a.cache_hits <= b.cache_hits
        assert all(b.front.bound(k) <= a.front.bound(k) for k in range(1, 21))


def test_what_is_on_the_front_is_what_it_says():
    """Every candidate is in the grammar at its complexity and has its loss."""
    c = context()
    progress, _ = advance(run_of(c), run_of(c).begin(), Budget(None, 200_000))
    y = c.problem.train.y[:40]
    for candidate in progress.front:
        assert c.rules.complexity(Batch.pack([candidate.expr], c.rules.names))[0] == candidate.complexity <= 20
        p = candidate.expr(x0=X[:, 0], x1=X[:, 1])
        assert candidate.loss == pytest.approx(np.mean((y - p) ** 2), rel=1e-9)  # ill-conditioned formulas lose digits


def test_guesses_are_fitted_before_the_first_round():
    c = context(3.7 * np.sin(2.1 * X[:, 0]) + 0.3)
    progress = run_of(c, guesses=(Expr.parse("2.0*sin(2.0*x0) + 0.1"), Expr.parse("x0"))).begin()
    assert progress.round == 0 and progress.evaluations > 0
    assert progress.front[-1].loss < 1e-20  # an exact law, fitted
    assert sorted(np.abs(progress.front[-1].expr.constants)) == pytest.approx([0.3, 2.1, 3.7], rel=1e-6)  # through rounding of a fit


# the portfolio --------------------------------------------------------------------------------------------------------------
def test_the_portfolio_has_every_strategy_and_islands_through_the_telling_views():
    plain, positive = context(), context(np.exp(NOISE))
    kinds = [Inversion, Structure, Enumeration, *[Evolution] * PLAIN]
    assert [type(s) for s in default_portfolio(plain)[: len(kinds)]] == kinds
    seen = [s.view for s in default_portfolio(positive)[len(kinds) :]]
    assert len(seen) == VIEWS
    assert set(seen) <= set(positive.views)
    assert "exp" not in plain.views


def test_forms_that_the_grammar_refuses_are_not_tried():
    assert context().scaled and context(grammar="arithmetic").scaled
    polynomial = context(np.exp(NOISE), "polynomial")
    assert not polynomial.scaled and polynomial.views == ()
    assert isinstance(polynomial.rules.names, tuple) and isinstance(Enumeration().start(polynomial, RNG), Cursor)
