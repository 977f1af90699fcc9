"""`symnum ode`: what it prints, what it keeps, its exit codes, and that no bad input ends in a traceback."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from symnum import data
from symnum.commands import ode
from symnum.dynamics.trajectory import Trajectories
from symnum.equations.ode import discover_ode
from symnum.equations.ode_report import document, judged_models, keep, lines
from symnum.equations.plot import plot_ode
from symnum.equations.run_folder import SystemFolder
from symnum.language.expr import Expr

app = typer.Typer()
ode.register(app)

T = np.linspace(0, 6, 61)
X = np.column_stack([np.cos(2 * T), -2 * np.sin(2 * T)]) + np.random.default_rng(0).normal(0, 0.01, (61, 2))
X[3, 0] = np.nan


def run(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "spring.csv"
    np.savetxt(path, np.column_stack([T, X]), delimiter=",", header="t,q [m],p", comments="")
    return path


@pytest.fixture(scope="module")
def found():
    """A spring, measured with noise."""
    return discover_ode(Trajectories.of(X, T, names=["q", "p"]), time_limit=10, libraries=[("terms_polynomial", 3)])


# input --------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("arguments", "words"), [
    (["--time", "year"], ["there is no 'year'", "as time"]),
    (["--group", "run"], ["as group", "'run'"]),
    (["--states", "q,z"], ["as states", "'z'"]),
    (["--inputs", "z"], ["as inputs", "'z'"]),
    (["--grammar", "dynamic"], ["grammar"]),
    (["--time-limit", "0"], ["above 0", "--time-limit"]),
    (["--time-limit", "nan"], ["above 0"]),
    (["--guess", "z' = 1"], ["z' = 1"]),
    (["--guess", "2*p"], ["2*p"]),
    (["--guess", "q' = p + w"], ["w"]),
    (["--resume"], ["--resume requires --out"]),
    (["--json", "--latex"], ["one of --latex and --json"]),
    (["--plot", "picture.xyz"], [".png, .pdf, .svg", "picture.xyz"]),
    (["--plot", "no/such/folder/a.png"], ["an existing folder", "--plot"]),
])
def test_bad_options_are_one_line(table, arguments, words):
    done = run(table, *arguments)
    assert done.exit_code == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert all(word in done.stderr for word in words), done.stderr


def test_bad_data_are_one_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("t,q\n0,1\n2,2\n1,3\n")
    done = run(path)
    assert done.exit_code == 2 and "t = 2 in row 2 and 1 in row 3" in done.stderr and done.stderr.count("\n") == 1
    path.write_text("t,q\n0,1\n1,2\n2,3\n")
    few = run(path)
    assert few.exit_code == 2 and "samples" in few.stderr and few.stderr.count("\n") == 1
    assert run(tmp_path / "none.csv").exit_code == 2


# report -------------------------------------------------------------------------------------------------------------------
def test_lines(found):
    said = lines(found)
    assert said[0].startswith("q' = ") and "p' = " in said[0]
    text = "\n".join(said)
    for part in (found.verdict.message, found.status.value, "note: 1 of 61 samples of q are missing", "1 trajectory, 61 samples · "):
        assert part in text
    listed = [line for line in said if line.lstrip().startswith("+0.0 ")]
    assert len(listed) == 1 and "q' = " in listed[0]


def test_residuals_are_in_the_units_of_the_states(found):
    """Also where the noise is in proportion to the states."""
    assert all(0.007 < size < 0.013 for size in found.noise.values())
    x = np.exp(-T / 3) * (1 + np.random.default_rng(1).normal(0, 0.05, len(T)))
    decay = discover_ode(Trajectories.of(x, T, names="q"), time_limit=5, libraries=[("terms_polynomial", 3)])
    left = x - decay.simulate(decay.models[0].refined.starts[0], T)[:, 0]
    assert decay.statistics["pieces"] == 1
    assert decay.noise["q"] == pytest.approx(np.sqrt(np.mean(left**2)), rel=1e-3)
    assert judged_models(decay)[0][2] == pytest.approx(1 - np.sum(left**2) / np.sum((x - x.mean()) ** 2), abs=1e-4)


def test_models_are_ranked(found):
    models = judged_models(found)
    assert models[0][1] == 0 and [nats for _, nats, _ in models] == sorted(nats for _, nats, _ in models)
    assert 0.999 < models[0][2] <= 1


def test_document_is_json(found, tmp_path):
    folder = SystemFolder.create(tmp_path / "run", {}, "1f", found.system.states)
    keep(folder, found)
    made = json.loads((folder.path / "result.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert made["equations"] == {name: str(f) for name, f in found.equations.items()} == folder.equations()
    assert made["verdict"]["r2"] > 0.999 and made["status"]["name"] == found.status.name and made["notes"] == list(found.data.notes)
    assert len(made["models"]) == len(found.models) and set(made["fronts"]) == {"q", "p"}
    assert set(document(found)) == set(made)
    kept = sorted(p.name for p in folder.path.iterdir())
    assert kept == ["config.json", "equations.txt", "front_p.csv", "front_q.csv", "models.csv", "result.json"]


# plot ---------------------------------------------------------------------------------------------------------------------
def test_plot_shows_data_solution_and_front(found, tmp_path):
    pytest.importorskip("matplotlib")
    figure = plot_ode(found, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    data_axes, front = figure.axes[:2]
    assert len(figure.axes) == 4 and data_axes.get_ylabel() == "q" and "q' = " in front.get_title()
    measured, *solved = data_axes.lines
    assert measured.get_xdata().size == 61 and len(solved) == found.statistics["pieces"]
    for line in solved:
        np.testing.assert_allclose(line.get_ydata(), np.cos(2 * line.get_xdata()), atol=0.05)


def test_plot_without_its_library_gives_the_pip_line(found, table, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'symnum\[report\]'"):
        plot_ode(found)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = run(table, "--plot", "a.png")
    assert done.exit_code == 2 and "pip install 'symnum[report]'" in done.stderr


# the search ---------------------------------------------------------------------------------------------------------------
def test_a_run_is_kept_and_gone_on_with(tmp_path):
    table, out = tmp_path / "decay.csv", tmp_path / "run"
    np.savetxt(table, np.column_stack([T, np.exp(-T), np.exp(-2 * T)]), delimiter=",", header="t,q,p", comments="")
    begin = [table, "--time-limit", 2, "--out", out, "--states"]
    done = run(*begin, "q", "--json")
    assert done.exit_code == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["verdict"]["r2"] > 0.999 and made["options"]["run"] == str(out)
    assert (out / "equations.txt").read_text() == f"q' = {made['equations']['q']}\n" and (out / "result.json").exists()
    refused = run(*begin, "q")
    assert refused.exit_code == 2 and "holds a run" in refused.stderr
    other = run(*begin, "p", "--resume")
    assert other.exit_code == 2 and "data of the run" in other.stderr
    resumed = run(*begin, "q", "--resume", "--quiet")
    assert resumed.exit_code == 0 and resumed.stdout == (out / "equations.txt").read_text()


def test_shipped_yeast_grows_logistically():
    done = run(data.path("yeast"), "--time", "time", "--time-limit", 4, "--quiet")
    assert done.exit_code == 0, done.stderr
    left, _, right = done.stdout.partition(" = ")
    nothing, half, full = Expr.parse(right)({"yeast": np.array([1e-9, 331.0, 662.0])})
    assert left == "yeast'" and abs(nothing) < 1e-6 < 80 < half < 100 and abs(full) < 0.05 * half


@pytest.mark.slow
def test_a_killed_run_is_gone_on_with(tmp_path):
    code = "import typer; from symnum.commands import ode; app = typer.Typer(); ode.register(app); app()"
    options = [data.path("lynx_hare"), "--time", "year", "--out", tmp_path / "run", "--time-limit", 120]
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, options)], stderr=subprocess.DEVNULL)
    while not (tmp_path / "run" / "equations.txt").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = SystemFolder.open(tmp_path / "run").equations()
    resumed = run(data.path("lynx_hare"), "--time", "year", "--out", tmp_path / "run", "--time-limit", 5, "--resume", "--quiet")
    assert resumed.exit_code == 0 and set(before) == {"hare", "lynx"}
    assert resumed.stdout.startswith("hare' = ")
