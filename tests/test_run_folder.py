"""The folder of a run that finds a system: what was found is never lost, whenever the process is killed."""

import csv
import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from symnum.dynamics.system import System
from symnum.equations.run_folder import SystemFolder
from symnum.language.expr import Expr
from symnum.search.front import Candidate
from symnum.store import RunFolder, StoreError

STATES = ["prey", "größe/x", "größe x"]
SYSTEM = System.parse({"prey": "2.5*prey - 0.1*prey^2", "größe/x": "-prey", "größe x": "0.1234567890123456*`größe x`"})


@pytest.fixture
def folder(tmp_path):
    return SystemFolder.create(tmp_path / "run", {"order": 1}, "1f", STATES)


def again(folder, **changes):
    arguments = dict(config={"order": 1}, fingerprint="1f", states=STATES, resume=True) | changes
    return SystemFolder.create(folder.path, **arguments)


def rows(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_the_best_system_so_far_is_given_back_digit_for_digit(folder):
    assert again(folder).equations() == {}
    folder.save_system(SYSTEM)
    assert {name: Expr.parse(text) for name, text in again(folder).equations().items()} == dict(zip(STATES, SYSTEM.equations, strict=True))
    assert SystemFolder.open(folder.path).states == tuple(STATES)


@pytest.mark.parametrize("text", ["", "prey' = 1\n", "prey' = 1\ngröße/x' = \ngröße x' = 2\n", "nonsense"])
def test_equations_changed_by_hand_are_refused(folder, text):
    (folder.path / "equations.txt").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match="a line name' = formula for each of prey.*remove it"):
        again(folder).equations()


@pytest.mark.parametrize(("changes", "words"), [
    (dict(fingerprint="2e"), "data of the run .* were required"),
    (dict(config={"order": 2}), "order = 1 \\(got 2\\)"),
    (dict(states=["prey"]), "states = "),
    (dict(resume=False), "holds a run"),
])
def test_another_question_is_refused(folder, changes, words):
    with pytest.raises(StoreError, match=words):
        again(folder, **changes)


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(StoreError, match="no config.json"):
        SystemFolder.open(tmp_path)
    RunFolder.create(tmp_path / "fit", {"grammar": "physics"}, "1f")
    with pytest.raises(StoreError, match="another kind of run"):
        SystemFolder.open(tmp_path / "fit")


def test_fronts_have_files_that_do_not_collide(folder):
    folder.save_fronts({name: [Candidate(Expr.const(float(k)), 1, 0.1 * k)] for k, name in enumerate([*STATES, "PREY", "a" * 300])})
    files = sorted(p.name for p in folder.path.glob("front_*.csv"))
    assert files == sorted(["front_prey.csv", "front_größe_x.csv", "front_größe_x_2.csv", "front_PREY_2.csv", f"front_{'a' * 60}.csv"])
    assert rows(folder.path / "front_größe_x_2.csv") == [{"complexity": "1", "loss": "0.2", "equation": "2.0"}]


def test_models_and_result(folder):
    folder.save_models([(SYSTEM, 0.0, 0.99), (SYSTEM, np.inf, -np.inf)])
    found = rows(folder.path / "models.csv")
    assert found[0]["system"].startswith("prey' = 2.5*prey - 0.1*prey^2; größe/x' = ")
    assert [row["nats_above_best"] for row in found] == ["0.0", "inf"]
    folder.save_result({"r2": np.float64(0.99), "holdout": float("nan"), "far": -np.inf})
    assert json.loads((folder.path / "result.json").read_text()) == {"r2": 0.99, "holdout": None, "far": None}
    folder.log("library: 3 terms")
    assert next(folder.run.read_log())["text"] == "library: 3 terms"


def test_killed_at_any_instant(tmp_path):
    """A process that never stops writing better systems is killed: one whole system is there, and the next run finds it."""
    code = (
        "import sys; from symnum.equations.run_folder import SystemFolder; from symnum.dynamics.system import System\n"
        f"folder = SystemFolder.create({str(tmp_path / 'run')!r}, {{}}, '1f', ['a', 'b'], resume=True)\n"
        "print(folder.equations(), flush=True)\n"
        "while True:\n"
        "    folder.save_system(System.parse({'a': '+'.join(['a'] * 200), 'b': 'a*b'}))\n"
    )
    for first in (True, False):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        began = process.stdout.readline()
        while not (tmp_path / "run" / "equations.txt").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert (began == "{}\n") == first
    kept = SystemFolder.create(tmp_path / "run", {}, "1f", ["a", "b"], resume=True).equations()
    assert kept["b"] == "a*b" and kept["a"].count("a") == 200
