"""Run folders: what is written is read back, another question is refused, and a kill at any instant leaves a readable folder."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.language.expr import Expr
from symnum.search.front import Candidate, Front
from symnum.store import RunFolder, StoreError
from symnum.testing import expressions

CONFIG = {"grammar": "physics", "target": "y", "columns": ("a", "b"), "seed": 3, "time_limit": 60.0, "max_complexity": np.int64(30)}
FRONT = Front(floor=1e-30).merged([
    Candidate(Expr.parse("2.0"), 1, 1.0),
    Candidate(Expr.parse("3.1415926535897931*`wave length`"), 3, 0.1, snapped=Expr.parse("pi*`wave length`"), holdout=0.2),
    Candidate(Expr.parse("`a,\"b` + 2^x + 1e-300"), 7, 1e-17, holdout=float("inf")),
])


def refusal(call, *args, **kwargs) -> str:
    with pytest.raises(StoreError) as error:
        call(*args, **kwargs)
    return str(error.value)


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path / "deep" / "run", CONFIG, "f00d")


# round trips ----------------------------------------------------------------------------------------------------------------
def test_a_new_folder_holds_the_question(run):
    document = json.loads((run.path / "config.json").read_text())
    assert document["config"]["columns"] == ["a", "b"]
    assert document["fingerprint"] == "f00d"
    assert set(document["versions"]) == {"symnum", "numpy", "numba"}
    again = RunFolder.open(run.path)
    assert (again.config, again.fingerprint) == (run.config, "f00d")


def test_nothing_yet_is_no_error(run):
    assert run.load_state() is None
    assert run.load_front() == Front()
    assert list(run.read_log()) == []


def test_front_comes_back_equal(run):
    run.save_front(FRONT)
    assert run.load_front(floor=1e-30) == FRONT
    lines = (run.path / "front.csv").read_text().splitlines()
    assert lines[0] == "complexity,loss,score,equation,fitted,holdout"
    assert lines[2].startswith("3,0.1,1.15129,pi*`wave length`,3.14159265358979")


@given(expressions(), st.floats(0, 1e300), st.none() | st.floats(0, 1))
def test_any_formula_comes_back_equal(tmp_path_factory, expr, loss, holdout):
    run = RunFolder(tmp_path_factory.mktemp("run"), {}, "")
    front = Front((Candidate(expr, expr.complexity, loss, holdout=holdout),))
    run.save_front(front)
    assert run.load_front() == front


def test_state_comes_back_equal(run):
    arrays = {"0/code": np.arange(5, dtype=np.uint8), "empty": np.zeros((0, 3)), "text": np.array(["sin", "größe"]),
              "nan": np.array([np.nan, -0.0])}
    scalars = {"rng": 2**127 - 1, "name": "größe", "nested": {"a": [1.5, None]}, "best": float("inf"), "n": np.int64(3)}
    run.save_state(arrays, scalars)
    found, told = run.load_state()
    assert list(found) == list(arrays)
    assert all(found[k].dtype == v.dtype and found[k].tobytes() == v.tobytes() for k, v in arrays.items())
    assert told == {**scalars, "n": 3}


def test_objects_are_refused_not_pickled(run):
    assert "state" in refusal(run.save_state, {"state": np.array([{}])})
    assert "JSON" in refusal(run.save_state, {}, {"f": print})
    assert run.load_state() is None


def test_log_appends_and_passes_over_half_lines(run):
    run.log("begin", seed=np.int64(3))
    with (run.path / "log.jsonl").open("a") as file:
        file.write('{"event": "fro')
    run.log("end", loss=float("nan"))
    assert [e["event"] for e in run.read_log()] == ["begin", "end"]


def test_command_comes_back(run):
    assert "no command.json" in refusal(run.load_command)
    run.save_command({"data": "t.csv", "features": None})
    assert run.load_command() == {"data": "t.csv", "features": None}


# resuming -------------------------------------------------------------------------------------------------------------------
def test_limits_may_change_when_a_run_is_resumed(run):
    again = RunFolder.create(run.path, CONFIG | {"time_limit": 600, "threads": 8, "selection": "mdl"}, "f00d", resume=True)
    assert again.config["time_limit"] == 600


def test_resume_where_nothing_is_begins(tmp_path):
    assert RunFolder.create(tmp_path / "new", CONFIG, "f00d", resume=True).load_state() is None


def test_an_existing_run_is_not_overwritten(run):
    assert "--resume" in refusal(RunFolder.create, run.path, CONFIG, "f00d")


def test_other_data_are_refused(run):
    message = refusal(RunFolder.create, run.path, CONFIG, "beef", resume=True)
    assert "other data" in message and "beef" in message and "f00d" in message


@pytest.mark.parametrize(("change", "words"), [
    ({"grammar": "rational"}, ['grammar = "physics" (got "rational")']),
    ({"seed": 4}, ["seed = 3 (got 4)"]),
    ({"target": "z", "loss": "mae"}, ["loss = null", 'target = "y"']),
])
def test_another_configuration_is_refused_and_named(run, change, words):
    message = refusal(RunFolder.create, run.path, CONFIG | change, "f00d", resume=True)
    assert all(word in message for word in words), message


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_something_else_is_left_alone(tmp_path, resume):
    (tmp_path / "thesis.tex").write_text("x")
    assert "thesis.tex" in refusal(RunFolder.create, tmp_path, CONFIG, "f00d", resume)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "cannot be written" in refusal(RunFolder.create, tmp_path / "file", CONFIG, "f00d")
    assert "cannot be written" in refusal(RunFolder.create, tmp_path / "file" / "run", CONFIG, "f00d")


# damage ---------------------------------------------------------------------------------------------------------------------
def test_damage_is_named(run, tmp_path):
    assert "no config.json" in refusal(RunFolder.open, tmp_path)
    (run.path / "state.npz").write_bytes(b"PK\3\4half")
    assert "state.npz is damaged" in refusal(run.load_state)
    (run.path / "front.csv").write_text("complexity,loss\n1,x\n")
    assert "front.csv" in refusal(run.load_front)
    (run.path / "command.json").write_text("{")
    assert "command.json is damaged" in refusal(run.load_command)
    (run.path / "config.json").write_text("[]")
    assert "config.json is damaged" in refusal(RunFolder.open, run.path)


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(run, monkeypatch):
    run.save_state({"a": np.arange(3)})

    def full(*_):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        run.save_state({"a": np.arange(4)})
    monkeypatch.undo()
    assert run.load_state()[0]["a"].tolist() == [0, 1, 2]
    assert not list(run.path.glob("*.tmp"))


WRITER = """
    import sys, numpy as np
    from symnum.language.expr import Expr
    from symnum.search.front import Candidate, Front
    from symnum.store import RunFolder
    run = RunFolder.create(sys.argv[1], {"seed": 0}, "f00d", resume=True)
    print("ready", flush=True)
    for i in range(10**9):
        run.save_state({"a": np.full(20_000, i)}, {"i": i})
        run.save_front(Front((Candidate(Expr.parse("x") * Expr.const(float(i)), 3, 1.0),)))
        run.log("round", i=i, text="x" * 1000)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_kill_at_any_instant_leaves_a_readable_folder(tmp_path):
    last = -1
    for delay in (0.0, 0.013, 0.05, 0.11):
        process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        run = RunFolder.open(tmp_path)
        if state := run.load_state():
            arrays, scalars = state
            assert set(arrays["a"].tolist()) == {scalars["i"]}
            last = scalars["i"]
        assert all(c.complexity == 3 for c in run.load_front())
        assert all(event["event"] == "round" for event in run.read_log())
    assert last >= 0
