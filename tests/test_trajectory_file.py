"""Trajectories from files, and those that ship with the package."""

import numpy as np
import pandas as pd
import pytest

from symnum import data
from symnum.dynamics.trajectory import Trajectories, TrajectoryError
from symnum.problem.table import DataError
from symnum.problem.trajectory_file import read_trajectories

TEXT = "t,run,q [m],p\n0,a,1,2\n1,a,2,3\n0,b,5,6\n2.5,b,7,8\n"


@pytest.fixture
def write(tmp_path):
    def to(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to


def refusal(*args, **kwargs) -> str:
    with pytest.raises((DataError, TrajectoryError)) as caught:
        read_trajectories(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# formats ------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", [TEXT, TEXT.replace(",", ";"), TEXT.replace(",", "\t"), "# by hand\n\n" + TEXT,
                                  TEXT.replace("\n", "\r\n")])
def test_text_formats(write, text):
    found = read_trajectories(write(text), group="run")
    assert [item.label for item in found] == ["a", "b"] and found.states == ("q", "p") and found.time == "t"
    np.testing.assert_array_equal(found.items[1].x, [[5, 6], [7, 8]])
    np.testing.assert_array_equal(found.items[1].t, [0, 2.5])


def test_binary_formats(tmp_path):
    t, q = np.array([0.0, 1, 2]), np.array([1.0, np.nan, 4])
    np.savez(tmp_path / "t.npz", t=t, q=q)
    np.save(tmp_path / "t.npy", np.array(list(zip(t, q, strict=True)), [("t", float), ("q", float)]))
    for name in ("t.npz", "t.npy"):
        assert read_trajectories(tmp_path / name).fingerprint == Trajectories.of(q, t, names="q").fingerprint


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    pd.DataFrame({"t": [0, 1], "q": [1.5, 2.5]}).to_parquet(tmp_path / "t.parquet")
    assert read_trajectories(tmp_path / "t.parquet").items[0].x[1, 0] == 2.5


def test_columns_are_chosen_with_or_without_their_units(write):
    path = write("time [s],q [m],u,note\n0,1,0,x\n1,2,1,y\n2,4,1,z\n")
    for time, states in (("time", ["q"]), ("time [s]", ["q [m]"])):
        found = read_trajectories(path, time, states=states, inputs=["u"])
        assert found.time == "time" and found.states == ("q",) and found.inputs == ("u",)
        np.testing.assert_array_equal(found.items[0].u[:, 0], [0, 1, 1])


def test_rows_of_a_group_need_not_be_neighbours(write):
    found = read_trajectories(write("t,run,q\n0,b,1\n0,a,2\n1,b,3\n1,a,4\n"), group="run")
    assert [item.label for item in found] == ["b", "a"]
    np.testing.assert_array_equal(found.items[0].x[:, 0], [1, 3])


@pytest.mark.parametrize("cell", ["", "NaN", "na", "-", " ", "NULL", "?"])
def test_missing_cells_are_missing_samples(write, cell):
    found = read_trajectories(write(f"t,q,p\n0,1,5\n1,{cell},6\n2,3,0.1\n"))
    np.testing.assert_array_equal(found.items[0].x, [[1, 5], [np.nan, 6], [3, 0.1]])
    assert found.notes == ("1 of 3 samples of q are missing, at most 1 in a row",)


# refusals -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "arguments", "words"), [
    (TEXT, dict(time="tt"), ["as time", "'tt'", "did you mean t"]),
    (TEXT.replace("t,", "year,"), {}, ["there is no 't'", "time='year' (--time)"]),
    (TEXT, dict(group="rum"), ["as group", "did you mean run"]),
    (TEXT, dict(group="run", states=["z"]), ["as states", "'z'"]),
    (TEXT, dict(group="run", inputs=["z"]), ["as inputs", "'z'"]),
    (TEXT, {}, ["numbers were required in column 'run'", "'a'", "row 1"]),
    (TEXT, dict(states=["q"]), ["t = 1 in row 2", "0 in row 3", "another trajectory", "group"]),
    (TEXT, dict(group="run", states=["q", "q"]), ["'q' twice"]),
    (TEXT, dict(group="run", states=["q"], inputs=["q"]), ["'q' twice"]),
    (TEXT.replace("p", "q [s]"), dict(group="run"), ["'q' is there 2 times"]),
    (TEXT.replace("2.5,b", ",b"), dict(group="run"), ["column 't'", "row 4"]),
    (TEXT.replace("2.5,b", "0,b"), dict(group="run"), ["t = 0 in row 3", "row 4 of trajectory 'b'"]),
    (TEXT.replace("2.5,b", "2.5,"), dict(group="run"), ["label", "'run'", "row 4"]),
    (TEXT.replace("7,8", "7,inf"), dict(group="run"), ["inf in column 'p'", "row 4 of trajectory 'b'"]),
    (TEXT.replace("7,8", ",inf"), dict(group="run"), ["inf in column 'p'", "row 4 of trajectory 'b'"]),
    (TEXT.replace("7,8", ",x8"), dict(group="run"), ["column 'p'", "'x8'", "row 4"]),
    (TEXT.replace("7,8", ",8").replace("5,6", ",6"), dict(group="run"), ["state 'q' of trajectory 'b'", "all but 0"]),
    (TEXT.replace("7,8", "7,"), dict(group="run", states=["q"], inputs=["p"]), ["column 'p'", "row 4"]),
    (TEXT.replace("7,8", "7,8,9"), dict(group="run"), ["4 fields", "got 5 in row 4"]),
    (TEXT.replace("1,a,2,3", "1,a,2"), dict(group="run"), ["4 fields", "got 3 in row 2"]),
    ("t,q\n0;1,5\n", {}, ["numbers were required"]),
    ("t q\n0 1\n1 2,5\n", {}, ["decimal point"]),
    ("t,q\n0,1\n", {}, ["at least 2 samples", "one sample"]),
    ("t,q\n", {}, ["at least 2 samples", "none"]),
    ("t\n0\n1\n", {}, ["at least one state"]),
    ("", {}, ["is empty"]),
    ("0,1\n1,2\n", {}, ["looks like data"]),
])
def test_bad_files_are_refused_with_their_place(write, text, arguments, words):
    said = refusal(write(text), **arguments)
    assert all(word in said for word in words), said


def test_no_file(tmp_path):
    assert "there is none at" in refusal(tmp_path / "none.csv")


# what ships ---------------------------------------------------------------------------------------------------------------
def test_the_shipped_trajectories_are_whole():
    sizes = {name: (len(found := data.trajectories(name)), found.rows, found.notes) for name in data.trajectory_names()}
    assert sizes == {"coffee": (2, 48, ()), "lynx_hare": (1, 21, ()), "yeast": (1, 19, ())}
    hare, lynx = data.trajectories("lynx_hare").items[0].x.T
    assert (hare.argmax(), lynx.argmax()) == (3, 4)  # the lynx's peak of 1904 follows the hare's of 1903
    assert (np.diff(data.trajectories("yeast").items[0].x[:, 0]) > 0).all()
    assert all((np.diff(item.x[:, 0]) < 0).all() for item in data.trajectories("coffee"))


def test_tables_and_trajectories_are_told_apart():
    with pytest.raises(ValueError, match="a table among bode.*symnum.data.trajectories"):
        data.load("coffee")
    with pytest.raises(ValueError, match="trajectories among coffee.*symnum.data.load"):
        data.trajectories("kepler")
    with pytest.raises(ValueError, match="did you mean coffee"):
        data.path("cofee")
    assert not set(data.names()) & set(data.trajectory_names())
    assert all(data.path(name).is_file() for name in (*data.names(), *data.trajectory_names()))
