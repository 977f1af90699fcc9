"""Fields from files: which axis is which, and what is wrong with one that fits nowhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.problem.field_file import read_field
from symnum.problem.table import DataError

T, X, Y = np.arange(4.0), np.arange(5.0), np.arange(6.0)
U = np.arange(20.0).reshape(4, 5)


@pytest.fixture
def save(tmp_path):
    def to(name="f.npz", **arrays):
        np.savez(tmp_path / name, **arrays)
        return tmp_path / name

    return to


def refusal(*args, **kwargs) -> str:
    with pytest.raises(DataError) as caught:
        read_field(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_time_first_whichever_way_it_was_written(save):
    for path in (save(u=U, t=T, x=X), save(x=X, u=U.T, t=T)):
        found = read_field(path)
        np.testing.assert_array_equal(found.values["u"], U)
        np.testing.assert_array_equal(found.t, T)
        assert list(found.axes) == ["x"] and found.notes == ()


@given(st.permutations(range(3)))
def test_axes_of_different_lengths_are_always_told(tmp_path_factory, order):
    a = np.arange(120.0).reshape(4, 5, 6)
    path = tmp_path_factory.mktemp("f") / "f.npz"
    np.savez(path, y=Y, a=a.transpose(order), x=X, time=T)
    found = read_field(path, time="time")
    np.testing.assert_array_equal(found.values["a"], a)
    assert list(found.axes) == ["x", "y"]


def test_several_fields_and_what_is_none(save):
    path = save(u=U, v=2 * U, w=np.ones((5, 5)), t=T, x=X, dt=0.1, about=np.array(["Burgers"]), re=np.array([[3.0]]))
    found = read_field(path, fields=["u", "v"])
    assert list(found.values) == ["u", "v"]
    assert "axis" not in refusal(path, fields=["dt"]) and "got 'dt'" in refusal(path, fields=["dt"])
    assert "for one of them" in refusal(path)


def test_equal_lengths_are_read_as_usual_and_said(save):
    found = read_field(save(u=np.arange(16.0).reshape(4, 4), t=T, x=T))
    assert found.values["u"][0, 1] == 1 and found.notes == ("axes of u have one length: (4, 4) was read as (t, x)",)
    plane = read_field(save(u=np.zeros((4, 5, 5)), t=T, x=X, y=X))
    assert plane.values["u"].shape == (4, 5, 5) and "(t, x, y)" in plane.notes[0]
    last = read_field(save(u=np.zeros((5, 5, 4)), t=T, x=X, y=X))
    assert last.values["u"].shape == (4, 5, 5) and "(x, y, t)" in last.notes[0]


def test_single_precision_and_complex_numbers_are_kept(save):
    assert read_field(save(u=U.astype(np.float32), t=T, x=X)).values["u"].dtype == np.float32
    assert read_field(save(u=U * 1j, t=T, x=X)).values["u"].dtype == complex


def test_npy_has_unit_steps_and_says_so(tmp_path):
    np.save(tmp_path / "f.npy", U)
    found = read_field(tmp_path / "f.npy")
    assert found.values["u"].shape == (4, 5) and list(found.t) == [0, 1, 2, 3] and "no coordinates" in found.notes[0]
    np.save(tmp_path / "f.npy", T)
    assert "2 to 4 axes" in refusal(tmp_path / "f.npy")


def test_mat(tmp_path):
    from scipy.io import savemat

    savemat(tmp_path / "f.mat", {"usol": U.T, "t": T[:, None], "x": X[None], "dt": 0.1})
    found = read_field(tmp_path / "f.mat")
    np.testing.assert_array_equal(found.values["usol"], U)


@pytest.mark.parametrize(("arrays", "arguments", "words"), [
    (dict(u=U, t=T, x=X), dict(time="tt"), ["no 'tt'", "did you mean t", "u (4, 5)"]),
    (dict(u=U, t=T), {}, ["axis 1 of 'u' has 5 points", "t (4)"]),
    (dict(u=U[:3], t=T, x=X), {}, ["axis 0 of 'u' has 3 points", "t (4), x (5)"]),
    (dict(u=np.zeros((5, 6)), t=T, x=X, y=Y), {}, ["'t' for one of them", "(5, 6)"]),
    (dict(t=T, x=X), {}, ["a field of two or more axes", "t (4,)"]),
    (dict(u=U, v=np.zeros((4, 6)), t=T, x=X, y=Y), {}, ["on one grid", "'v'"]),
    (dict(u=U, t=T, x=X), dict(fields=["v"]), ["got 'v'"]),
    (dict(u=np.zeros((2, 3, 4, 5, 6)), t=T), {}, ["at most 4 axes"]),
])
def test_what_fits_nowhere_is_refused(save, arrays, arguments, words):
    said = refusal(save(**arrays), **arguments)
    assert all(word in said for word in words), said


def test_files_that_are_no_fields(tmp_path):
    assert "there is none at" in refusal(tmp_path / "f.npz")
    for name in ("f.npz", "f.npy", "f.mat"):
        (tmp_path / name).write_bytes(b"no such thing" * 20)
        assert "cannot be read" in refusal(tmp_path / name)
    (tmp_path / "f.csv").write_text("t,x\n")
    assert ".npz, .npy or .mat" in refusal(tmp_path / "f.csv")
    np.savez(tmp_path / "o.npz", u=np.array([{}]), t=T)
    assert "cannot be read" in refusal(tmp_path / "o.npz")
