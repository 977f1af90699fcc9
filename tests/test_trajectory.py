"""Trajectories: every way in gives the same, and what cannot be used is refused with its place."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from symnum.dynamics.trajectory import Trajectories, TrajectoryError

T = np.array([0.0, 0.5, 1.5, 2.0])
X = np.array([[1.0, 5], [2, 6], [3, 4], [5, 5]])
U = np.array([0.0, 1, 0, 1])
FRAME = pd.DataFrame({"time": T, "q": U, "p": U + 1})


def refusal(*args, **kwargs) -> str:
    with pytest.raises(TrajectoryError) as caught:
        Trajectories.of(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ways in ------------------------------------------------------------------------------------------------------------------
def test_one_trajectory():
    data = Trajectories.of(X, T)
    assert len(data) == 1 and data.rows == 4 and data.states == ("x0", "x1") and data.inputs == () and data.time == "t"
    np.testing.assert_array_equal(data.items[0].t, T)
    np.testing.assert_array_equal(data.items[0].x, X)
    assert data.items[0].u.shape == (4, 0) and data.notes == ()


@pytest.mark.parametrize("x", [X, X.tolist(), [tuple(row) for row in X], pd.DataFrame(X).to_numpy(), X.astype(np.float32), X.astype(object),
                               np.ma.MaskedArray(X, np.zeros_like(X, bool)), X.astype(str)])
def test_arrays_and_lists_are_one(x):
    assert Trajectories.of(x, T.tolist()).fingerprint == Trajectories.of(X, T[:, None]).fingerprint


def test_one_state_needs_no_axis():
    assert Trajectories.of(U, T, names="q").states == ("q",)
    assert Trajectories.of(U, T).items[0].x.shape == (4, 1)
    assert Trajectories.of(pd.Series(U), pd.Series(T)).items[0].x.shape == (4, 1)


def test_several_trajectories_with_their_own_or_one_time():
    own = Trajectories.of([X, X[:3]], [T, T[:3]], names=["a", "b"])
    assert [len(item) for item in own] == [4, 3] and [item.label for item in own] == ["0", "1"]
    shared = Trajectories.of((X, X + 1), T)
    np.testing.assert_array_equal(shared.items[1].t, T)
    nested = Trajectories.of([X.tolist(), X.tolist()], T.tolist())
    assert len(nested) == 2 and nested.states == ("x0", "x1")
    assert len(Trajectories.of([U, U], np.array([T, T + 1]))) == 2
    assert len(Trajectories.of([U.tolist(), U.tolist()], [T.tolist(), T.tolist()])) == 2  # told by the times
    assert len(Trajectories.of([pd.Series(U), pd.Series(U)], pd.Series(T))) == 2


def test_inputs():
    data = Trajectories.of(X, T, u=U, inputs="force")
    assert data.inputs == ("force",) and data.columns == ("x0", "x1", "force") and data.items[0].u.shape == (4, 1)
    several = Trajectories.of([X, X], T, u=[U, np.column_stack([U])])
    assert several.inputs == ("u0",) and several.items[1].u.shape == (4, 1)


def test_frames_arrays_with_labels_and_rows_are_one():
    frame = pd.DataFrame({"run": list("abab"), "time": [0, 0, 1, 2], "q": [1, 10, 2, 20], "F": [0, 1, 0, 1]})
    data = Trajectories.of(frame, "time", u="F", group="run")
    assert [item.label for item in data] == ["a", "b"] and data.states == ("q",) and data.inputs == ("F",) and data.time == "time"
    np.testing.assert_array_equal(data.items[1].x, [[10], [20]])
    np.testing.assert_array_equal(data.items[1].t, [0, 2])
    labelled = Trajectories.of(frame[["q"]].to_numpy(), frame["time"].to_numpy(), group=frame["run"], u=frame["F"].to_numpy())
    for a, b in zip(data, labelled, strict=True):
        np.testing.assert_array_equal(a.x, b.x)
        np.testing.assert_array_equal(a.u, b.u)
    rows = Trajectories.of_rows(frame["time"].to_numpy(float), frame[["q"]].to_numpy(float), states=["q"], labels=frame["run"])
    assert [item.label for item in rows] == ["a", "b"] and [len(item) for item in rows] == [2, 2]


def test_missing_values_of_frames_and_objects_are_missing_samples():
    frame = pd.DataFrame({"t": [0, 1, 2], "q": pd.array([1, None, 3], "Int64"), "p": [1.0, None, 2.0]})
    data = Trajectories.of(frame, "t")
    assert np.isnan(data.items[0].x[1]).all() and data.items[0].x[2, 0] == 3
    masked = np.ma.MaskedArray([1.0, 2, 3], [False, True, False])
    assert np.isnan(Trajectories.of(masked, [0, 1, 2]).items[0].x[1, 0])
    assert np.isnan(Trajectories.of([1, None, 3], [0, 1, 2]).items[0].x[1, 0])


def test_any_name_will_do():
    assert Trajectories.of(X, T, names=["ψ", "x y"]).states == ("ψ", "x y")
    assert Trajectories.of(pd.DataFrame({"t": T, 3: U}), "t").states == ("3",)


def test_trajectories_are_given_back():
    data = Trajectories.of(X, T)
    assert Trajectories.of(data) is data
    assert "bring their times" in refusal(data, T)


def test_nothing_is_shared_with_the_caller():
    x, t = X.copy(), T.copy()
    data = Trajectories.of(x, t)
    before = data.fingerprint
    x[:], t[:] = 0, 0
    assert Trajectories(data.items, data.states).fingerprint == before


# properties ---------------------------------------------------------------------------------------------------------------
def test_scale_is_the_root_mean_square_at_any_size():
    x = np.array([[3.0, 0, 1e200, 1e-200], [np.nan, 0, 1e200, 1e-200], [4.0, 0, -1e200, 1e-200]])
    np.testing.assert_allclose(Trajectories.of(x, [0, 1, 2]).scale, [12.5**0.5, 1, 1e200, 1e-200])


def test_the_fingerprint_tells_data_apart():
    a = Trajectories.of(X, T)
    others = [Trajectories.of(X + 1, T), Trajectories.of(X, T + 1), Trajectories.of(X, T, names=["a", "b"]),
              Trajectories.of(X, T, u=U), Trajectories.of(X, [0, 0.5, 0, 0.5], group=[1, 1, 2, 2])]
    assert a.fingerprint == Trajectories.of(X, T).fingerprint
    assert len({a.fingerprint, *(b.fingerprint for b in others)}) == 6
    one, two = Trajectories.of(X, [0, 1, 2, 3]), Trajectories.of([X[:2], X[2:]], [[0, 1], [2, 3]])
    assert one.fingerprint != two.fingerprint


def test_split_keeps_every_trajectory_once_and_one_to_train_on():
    data = Trajectories.of([X + k for k in range(6)], T)
    train, held = data.split()
    assert len(train) == 5 and len(held) == 1
    assert {item.label for item in (*train, *held)} == set("012345")
    assert len(data.split(0.9)[0]) == 1 and len(Trajectories.of(X, T).split(0.9)[0]) == 1
    assert len(Trajectories.of(X, T).split()[1]) == 0
    assert [i.label for i in data.split(seed=1)[1]] == [i.label for i in data.split(seed=1)[1]]
    for share in (-0.1, 1.0, np.nan):
        with pytest.raises(TrajectoryError, match="from 0 to below 1"):
            data.split(share)


finite = st.floats(-1e300, 1e300)


@given(arrays(float, (6, 2), elements=finite), st.lists(finite, min_size=6, max_size=6, unique=True), st.permutations([0, 0, 0, 1, 1, 1]))
def test_rows_of_interleaved_groups_are_sorted_out(x, t, labels):
    """Two trajectories of three rows, mixed: each gets its own rows in their order."""
    t = np.concatenate([np.sort(t[:3]), np.sort(t[3:])])
    own = {0: iter([0, 1, 2]), 1: iter([3, 4, 5])}
    rows = [next(own[label]) for label in labels]
    for item in Trajectories.of(x[rows], t[rows], group=labels):
        part = slice(0, 3) if item.label == "0" else slice(3, 6)
        np.testing.assert_array_equal(item.x, x[part])
        np.testing.assert_array_equal(item.t, t[part])


# notes --------------------------------------------------------------------------------------------------------------------
def test_missing_samples_are_said():
    x = np.array([[1, 1], [np.nan, 2], [np.nan, 3], [4, np.nan], [np.nan, 2], [3, 5.0]])
    one = Trajectories.of(x, range(6), names=["q", "p"])
    assert one.notes == ("3 of 6 samples of q are missing, at most 2 in a row, from row 1 on",
                         "1 of 6 samples of p are missing, at most 1 in a row")
    two = Trajectories.of([x, x], range(6), names=["q", "p"])
    assert two.notes[0] == "6 of 12 samples of q are missing, at most 2 in a row, from row 1 of trajectory '0' on"


def test_a_run_of_missing_samples_ends_with_its_trajectory():
    a, b = [1, 2, np.nan, np.nan], [np.nan, np.nan, 1, 2]
    assert "at most 2 in a row" in Trajectories.of([np.array(a), np.array(b)], range(4)).notes[0]


def test_constant_states_are_said():
    data = Trajectories.of(np.column_stack([U, 0 * U + 5, 0 * U]), T)
    assert data.notes == ("x1 never changes, it is 5 throughout: x1' = 0 describes it",
                          "x2 never changes, it is 0 throughout: x2' = 0 describes it")
    settings = Trajectories.of([np.column_stack([U, 0 * U + k]) for k in range(2)], T)
    assert len(settings.notes) == 1 and "give it as an input" in settings.notes[0]


# anything -----------------------------------------------------------------------------------------------------------------
number = st.one_of(st.floats(), st.integers(-3, 3), st.none(), st.booleans(), st.text(max_size=2), st.just(1j))
row = st.one_of(number, st.lists(number, max_size=3), st.just(np.arange(3.0)), st.just(np.zeros((3, 2))), st.just(pd.NA))
anything = st.one_of(row, st.lists(row, max_size=4), arrays(float, st.tuples(st.integers(0, 3), st.integers(0, 3))),
                     st.just(FRAME), st.just(np.arange(3)), st.dictionaries(st.text(max_size=1), number, max_size=2))


@given(anything, anything, st.none() | anything, st.none() | st.lists(st.text(max_size=2), max_size=3), st.none() | anything)
def test_anything_is_either_usable_or_refused(x, t, u, names, group):
    try:
        data = Trajectories.of(x, t, u=u, names=names, group=group)
    except TrajectoryError as error:
        assert str(error)
        return
    assert data.rows >= 2 and all((np.diff(item.t) > 0).all() and not np.isinf(item.x).any() for item in data)


# refusals -----------------------------------------------------------------------------------------------------------------
def grown(i, value):
    t = T.copy()
    t[i] = value
    return t


@pytest.mark.parametrize(("arguments", "words"), [
    # time
    (dict(x=X, t=None), ["times were required", "np.arange"]),
    (dict(x=X, t=0.1), ["(time,)", "0.1 * np.arange(len(x))"]),
    (dict(x=X, t=grown(2, 0.5)), ["increases", "row 1", "row 2", "average"]),
    (dict(x=X, t=grown(2, 0.1)), ["t = 0.5 in row 1", "0.1 in row 2", "sort the rows"]),
    (dict(x=X, t=T[::-1]), ["falls throughout", "[::-1]"]),
    (dict(x=X, t=grown(1, np.nan)), ["finite t", "nan in row 1"]),
    (dict(x=X, t=grown(3, np.inf)), ["finite t", "inf in row 3"]),
    (dict(x=X, t=np.array(["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04"], "M8[D]")), ["dates", "seconds since the first"]),
    (dict(x=[X, X], t=[T, T[::-1]]), ["trajectory '1'", "falls"]),
    (dict(x=X, t=np.zeros((2, 2))), ["t of shape (time,)", "(2, 2)"]),
    # samples
    (dict(x=X[:1], t=T[:1]), ["at least 2 samples", "one sample"]),
    (dict(x=X[:0], t=T[:0]), ["at least 2 samples", "none"]),
    (dict(x=[X, X[:1]], t=[T, T[:1]]), ["of trajectory '1'", "one sample"]),
    (dict(x=[], t=T), ["at least one trajectory", "empty list"]),
    (dict(x=[X, np.zeros((0, 2)), X], t=[T, T[:0], T]), ["of trajectory '1'", "none"]),
    # shapes
    (dict(x=np.zeros((3, 200)), t=np.arange(200)), ["3 along axis 0 (time)", "200 along axis 1 (states)", "transposed", "x.T"]),
    (dict(x=np.zeros((199, 3)), t=np.arange(200)), ["x has 199 along axis 0", "t has 200"]),
    (dict(x=np.zeros((2, 3, 4)), t=np.arange(3)), ["(2, 3, 4)", "list(x)"]),
    (dict(x=5.0, t=T), ["(time, states)", "()"]),
    (dict(x=[X, X[:3]], t=T), ["of trajectory 1", "3 along axis 0"]),
    (dict(x=[X, X[:, :1]], t=T), ["the same states", "trajectory 0 has 2", "trajectory 1 has 1"]),
    (dict(x=[X, X], t=[T]), ["list of 2 arrays", "as t", "got 1"]),
    (dict(x=np.zeros((4, 0)), t=T), ["at least one state"]),
    (dict(x=[[1, 2], [3]], t=[0, 1]), ["different lengths", "list of arrays"]),
    (dict(x=X, t=T, u=U[:3]), ["u has 3 along axis 0", "t has 4"]),
    (dict(x=X, t=T, u=np.zeros((2, 4))), ["u of shape (time, inputs)", "transposed", "u.T"]),
    (dict(x=[X, X], t=T, u=U), ["list of 2 arrays", "as u"]),
    # names
    (dict(x=X, t=T, names=["a"]), ["each of the 2 states", "names=", "got 1: a"]),
    (dict(x=X, t=T, names=["a", "a"]), ["different names", "'a' twice"]),
    (dict(x=X, t=T, names=["a", " "]), ["an empty one"]),
    (dict(x=X, t=T, names=["a", "t"]), ["'t' twice", "the time has it too"]),
    (dict(x=X, t=T, u=U, inputs=["x0"]), ["different names", "'x0' twice"]),
    (dict(x=X, t=T, u=U, inputs=["a", "b"]), ["each of the 1 inputs", "inputs="]),
    # numbers
    (dict(x=X + 1j, t=T), ["complex", "real and imaginary parts as two states"]),
    (dict(x=np.array([["a", "b"]] * 4), t=T), ["numbers were required in x", "'a'", "row 0", "column 0"]),
    (dict(x=np.array([[1, 2], [3, {}]] * 2, object), t=T, names=["a", "b"]), ["{}", "row 1", "column 'b'"]),
    (dict(x=np.where(X == 6, np.inf, X), t=T, names=["a", "b"]), ["finite state", "inf in column 'b'", "row 1", "NaN"]),
    (dict(x=np.where(X > 0, np.nan, X), t=T), ["at least 2 samples of every state", "all but 0 of state 'x0'", "leave the state out"]),
    (dict(x=[X, np.where(X > 2, np.nan, X)], t=T), ["state 'x1' of trajectory '1'", "leave the trajectory out"]),
    (dict(x=X, t=T, u=grown(1, np.nan)), ["input", "nan in column 'u0'", "row 1"]),
    (dict(x=[X, X], t=T, u=[U, grown(2, np.inf)]), ["inf in column 'u0'", "row 2 of trajectory '1'"]),
    # groups
    (dict(x=X, t=T, group=["a", "b"]), ["a label for every row", "4 in all", "(2,)"]),
    (dict(x=X, t=T, group=["a", None, "b", "b"]), ["row 1 is missing"]),
    (dict(x=X, t=T, group=["a", "a", "a", "b"]), ["of trajectory 'b'", "one sample"]),
    (dict(x=[X, X], t=T, group=["a"] * 8), ["a list and group="]),
    (dict(x=X, t=[0, 1, 0, 1]), ["where another trajectory begins there", "group"]),
])
def test_bad_arrays_are_refused(arguments, words):
    said = refusal(**arguments)
    assert all(word in said for word in words), said


@pytest.mark.parametrize(("arguments", "words"), [
    (dict(x=FRAME), ["name of the column of times", "t='time'", "got None"]),
    (dict(x=FRAME, t="tine"), ["column of times", "'tine'", "did you mean time"]),
    (dict(x=FRAME, t="time", names=["qq"]), ["states", "'qq'"]),
    (dict(x=FRAME, t="time", u="F"), ["inputs", "'F'"]),
    (dict(x=FRAME, t="time", group="run"), ["group", "'run'"]),
    (dict(x=FRAME, t="time", u="q", inputs=["F"]), ["named by u="]),
    (dict(x=FRAME.rename(columns={"p": "q"}), t="time"), ["the DataFrame has 'q' 2 times"]),
    (dict(x=FRAME, t="time", names=["time"]), ["'time' twice"]),
    (dict(x=FRAME[["time"]], t="time"), ["at least one state"]),
    (dict(x=FRAME.assign(q=list("abcd")), t="time"), ["column 'q'", "'a'", "row 0"]),
    (dict(x=FRAME[:0], t="time"), ["at least 2 samples", "none"]),
    (dict(x=FRAME.assign(run=["a", None, "a", "b"]), t="time", group="run"), ["row 1 is missing"]),
])
def test_bad_frames_are_refused(arguments, words):
    said = refusal(**arguments)
    assert all(word in said for word in words), said


def test_long_lists_of_faults_are_cut():
    said = refusal(np.full(100, np.inf), np.arange(100))
    assert "row 4, … (100 in all)" in said and "row 5" not in said


def test_extreme_times_do_not_overflow():
    assert len(Trajectories.of([1.0, 2, 3], [-1.7e308, 0, 1.7e308])) == 1


def test_a_million_rows_are_quick():
    n = 10**6
    t, x = np.arange(n) * 1e-3, np.ones((n, 3)) * np.arange(n)[:, None]
    begun = time.perf_counter()
    data = Trajectories.of(x, t, group=np.arange(n) % 1000)
    assert data.rows == n and len(data) == 1000
    assert time.perf_counter() - begun < 5
