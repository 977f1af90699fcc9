"""Tables: what is read, what is refused before any work and in which words, and what is left out."""

import gzip
import os
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum import data
from symnum.language.expr import Expr
from symnum.problem.table import DataError, as_table, read_table


@pytest.fixture
def write(tmp_path):
    """Write a text (or bytes) file and give its path."""
    def to(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path
    return to


def refusal(call, *args, **kwargs) -> str:
    with pytest.raises(DataError) as error:
        call(*args, **kwargs)
    return str(error.value)


# what is read -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", [
    "a,b,y\n1,2,3\n4,5,6.5\n",
    "a;b;y\n1;2;3\n4;5;6.5\n",
    "a\tb\ty\n1\t2\t3\n4\t5\t6.5\n",
    "a b  y\n1 2 3\n 4  5 6.5\n",
    "\ufeffa,b,y\r\n1,2,3\r\n4,5,6.5\r\n",
    "# made by hand\n\n a , b ,y\n1, 2, 3\n\n4 ,5,6.5",
    '"a","b","y"\n"1",2,3\n4,5,"6.5"\n',
])
def test_text_formats(write, text):
    table = read_table(write(text), "y")
    assert table.names == ("a", "b")
    assert table.target == "y"
    assert table.X.tolist() == [[1, 2], [4, 5]]
    assert table.y.tolist() == [3, 6.5]
    assert table.weight is None
    assert table.notes == ()


def test_binary_formats(tmp_path):
    a, y = np.array([1.0, 2, 3]), np.array([2, 4, 7])
    np.savez(tmp_path / "t.npz", a=a, y=y)
    np.save(tmp_path / "t.npy", np.array(list(zip(a, y, strict=True)), dtype=[("a", "f8"), ("y", "i4")]))
    for name in ("t.npz", "t.npy"):
        table = read_table(tmp_path / name, "y")
        assert table.names == ("a",)
        assert table.y.tolist() == [2, 4, 7]


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    pd.DataFrame({"a": [1.0, 2], "y": [3, 4]}).to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet", "y").y.tolist() == [3, 4]


def test_parquet_without_its_library_gives_the_pip_line(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"PAR1")

    def missing(path):
        raise ImportError
    monkeypatch.setattr(pd, "read_parquet", missing)
    assert "pip install pyarrow" in refusal(read_table, tmp_path / "t.parquet", "y")


@pytest.mark.parametrize("columns", [{"a": np.arange(3), "y": np.arange(4)}, {"a": np.ones((2, 2)), "y": np.ones((2, 2))}, {}])
def test_npz_with_other_shapes_is_refused(tmp_path, columns):
    np.savez(tmp_path / "t.npz", **columns)
    assert "columns of one length" in refusal(read_table, tmp_path / "t.npz", "y")


def test_npy_without_names_pickles_and_damaged_archives_are_refused(tmp_path):
    np.save(tmp_path / "t.npy", np.ones((3, 3)))
    assert "structured array" in refusal(read_table, tmp_path / "t.npy", "y")
    np.save(tmp_path / "o.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    assert ".npy" in refusal(read_table, tmp_path / "o.npy", "y")
    (tmp_path / "d.npz").write_bytes(b"PK\3\4 not a zip")
    assert "cannot be read" in refusal(read_table, tmp_path / "d.npz", "y")


def test_units_in_the_header_are_kept_and_left_out_of_names(write):
    path = write("mass [kg],wave length [nm],E [J]\n1,2,3\n4,5,6\n")
    table = read_table(path, "E")
    assert table.names == ("mass", "wave length")
    assert dict(table.units) == {"mass": "kg", "wave length": "nm", "E": "J"}
    assert read_table(path, "E [J]", features=["mass [kg]"]).fingerprint == read_table(path, "E", features=["mass"]).fingerprint


def test_features_and_weights_choose_columns(write):
    path = write("name,a,b,w,y\nMars,1,2,1,5\nEarth,3,5,0.5,9\n")
    table = read_table(path, "y", features=["b", "a"], weights="w")
    assert table.names == ("b", "a")
    assert table.X.tolist() == [[2, 1], [5, 3]]
    assert table.weight.tolist() == [1, 0.5]


@pytest.mark.parametrize("name", ["sin", "pi", "e", "exp", "μ", "größe", "ветер", "wave length", "x`y", "a\\b", "1st", "nan", "+"])
def test_any_name_will_do_and_formulas_write_it_so_that_it_parses(write, name):
    table = read_table(write(f"{name},y\n1,2\n3,4\n"), "y")
    assert table.names == (name,)
    formula = Expr.var(name) * Expr.const(2.0)
    assert Expr.parse(str(formula)) == formula


@given(st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2), min_size=2, max_size=20))
def test_every_number_is_read_exactly(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("exact") / "t.csv"
    path.write_text("a,y\n" + "".join(f"{a!r},{y!r}\n" for a, y in rows))
    table = read_table(path, "y")
    assert table.y.tolist() == [y for _, y in rows]
    assert table.X[:, 0].tolist() == [a for a, _ in rows]


def test_extreme_scales_are_accepted(write):
    table = read_table(write("a,y\n1e300,1e-300\n-1e300,2e-300\n"), "y")
    assert table.X[:, 0].tolist() == [1e300, -1e300]


def test_ten_thousand_columns(write):
    names = [f"c{i}" for i in range(10_000)]
    rows = np.random.default_rng(0).normal(size=(3, 10_000))
    path = write(",".join(names) + "\n" + "\n".join(",".join(map(str, row)) for row in rows))
    start = time.perf_counter()
    table = read_table(path, "c9999")
    assert table.X.shape == (3, 9999)
    assert time.perf_counter() - start < 5  # 0.1 s on an idle machine
    assert "did you mean" in refusal(read_table, path, "c99999")


def test_the_shipped_sets_are_whole():
    rows = {name: len(data.load(name)) for name in data.names()}
    assert rows == {"bode": 8, "hubble": 32, "kepler": 6, "leavitt": 26, "nikuradse": 362}
    with pytest.raises(ValueError, match="did you mean kepler"):
        data.path("keppler")


# what is refused ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "words"), [
    ("", ["is empty"]),
    ("\n  \n", ["column names", "has none"]),
    ("a,y\n", ["two rows", "got none"]),
    ("a,y\n1,2\n", ["two rows", "one sample", "any constant fits"]),
    ("y\n1\n2\n", ["at least one feature"]),
    ("1,2,3\n4,5,6\n", ["column names", "looks like data", "'1,2,3'"]),
    ("a,y\n1,2\nx,4\n", ["column 'a'", "'x'", "row 2", "one-hot", "features"]),
    ("a,y\n1,2\n3,high\n", ["column 'y'", "'high'", "row 2"]),
    ("a,y\n1,2\n3,1_000\n", ["column 'y'", "'1_000'"]),
    ("a;y\n1,5;2\n2,5;3\n", ["'1,5'", "decimal point"]),
    ("a,y\n1,2\n,4\nNA,1\n", ["NaN or Inf", "column 'a': rows 2, 3", "first row is row 1"]),
    ("a,y\n1,2\n3,nan\n", ["column 'y': row 2"]),
    ("a,y\n1,2\n-inf,3\n", ["column 'a': row 2"]),
    ("a,b,y\n" + "nan,inf,1\n" * 9, ["column 'a': rows 1, 2, 3, 4, 5, … (9 in all)", "column 'b'"]),
    ("a,a,y\n1,2,3\n4,5,6\n", ["'a' twice"]),
    ("a [m],a,y\n1,2,3\n4,5,6\n", ["'a' twice"]),
    ("y,y\n1,2\n3,4\n", ["'y' twice"]),
    (",a,y\n0,1,2\n1,3,4\n", ["a name for every column"]),
    ("a,b,y\n1,2,3\n4,5\n", ["3 fields", "got 2 in row 2"]),
    ("a,b,y\n1,2,3\n4,5,6,7\n", ["3 fields", "got 4 in row 2"]),
    ("a,y\n1,2,3\n4,5,6\n", ["2 fields", "got 3 in row 1"]),
])
def test_bad_text_is_refused_with_its_place(write, text, words):
    message = refusal(read_table, write(text), "y")
    assert all(word in message for word in words), message


def test_a_shifted_row_is_refused_even_where_only_some_columns_are_read(write):
    assert "got 4 in row 2" in refusal(read_table, write("a,b,y\n1,2,3\n4,5,6,7\n"), "b", features=["a"])


def test_columns_that_are_not_used_may_hold_anything(write):
    table = read_table(write("name,a,a,y,z\nMars,1,2,3,\nEarth,4,5,6,NA\n".replace("a,a", "a,b")), "y", features=["a"])
    assert table.X.tolist() == [[1], [4]]


@pytest.mark.parametrize(("arguments", "words"), [
    (dict(target="perod"), ["target", "'perod'", "did you mean period?"]),
    (dict(target="period", features=["distance", "mas"]), ["features", "'mas'", "did you mean mass?"]),
    (dict(target="period", weights="w"), ["column of weights", "'w'", "distance, mass, period"]),
    (dict(target="period", features=["period"]), ["different columns", "'period' twice"]),
    (dict(target="period", features=["mass", "mass"]), ["'mass' twice"]),
    (dict(target="period", features=[]), ["at least one feature"]),
    (dict(target="period", weights="mass"), ["weights >= 0", "-3"]),
])
def test_bad_choices_of_columns(write, arguments, words):
    message = refusal(read_table, write("distance,mass,period\n1,2,3\n2,-3,4\n"), **arguments)
    assert all(word in message for word in words), message


def test_files_that_are_no_tables(write, tmp_path):
    assert "did you mean t.csv" in refusal(read_table, write("a,y\n1,2\n").with_name("tt.csv"), "y")
    assert "none at" in refusal(read_table, tmp_path / "no" / "t.csv", "y")
    assert "folder" in refusal(read_table, tmp_path, "y")
    assert "binary" in refusal(read_table, write(os.urandom(64) + b"\0"), "y")
    assert "unpack" in refusal(read_table, write(gzip.compress(b"a,y\n1,2\n"), "t.csv.gz"), "y")
    assert "binary" in refusal(read_table, write("a,y\n1,2\n".encode("utf-16")), "y")
    assert "UTF-8" in refusal(read_table, write("größe,y\n1,2\n".encode("latin-1")), "y")
    assert "UTF-8" in refusal(read_table, write(b"a,y\n" + b"1,2\n" * 10_000 + b"\xe9,2\n"), "y")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(write):
    path = write("a,y\n1,2\n")
    path.chmod(0)
    assert "cannot be read" in refusal(read_table, path, "y")


# arrays -------------------------------------------------------------------------------------------------------------------
def test_arrays_lists_and_frames_are_one():
    X, y = [[1, 2], [3, 5]], [1, 2]
    frame = pd.DataFrame(X, columns=["x0", "x1"], dtype="float32")
    tables = [as_table(X, y), as_table(np.array(X), np.array(y)[:, None]), as_table(frame, pd.Series(y, name="y"))]
    assert len({t.fingerprint for t in tables}) == 1
    assert as_table(frame, pd.Series(y, name="speed")).target == "speed"
    assert as_table([1, 2, 4], y + [3]).names == ("x0",)
    assert as_table(pd.DataFrame({0: [1, 2]}), y).names == ("0",)
    assert as_table([[True, 2], [False, 3]], y).X.tolist() == [[1, 2], [0, 3]]


def test_the_table_does_not_share_what_it_was_given():
    X, y, w = np.ones((2, 2)), np.arange(2.0), np.ones(2)
    X[0] = 0
    table = as_table(X, y, weights=w)
    before = table.fingerprint
    X += 1
    y += 1
    w += 1
    assert table.fingerprint == before


@pytest.mark.parametrize(("arguments", "words"), [
    (dict(X=[[1], [np.inf]], y=[1, 2]), ["NaN or Inf", "'x0': row 1", "first row is row 0"]),
    (dict(X=[[1], [2]], y=[1, np.nan]), ["column 'y': row 1"]),
    (dict(X=[[1], [2]], y=[1, 2], weights=[1, np.nan]), ["'weights': row 1"]),
    (dict(X=[[1], [2]], y=[1, 2], weights=[0, 0]), ["not all 0"]),
    (dict(X=[[1], [2]], y=[1, 2], weights=[1, 1, 1]), ["shape of y"]),
    (dict(X=[[1], [2]], y=[1, 2, 3]), ["(2, 1)", "(3,)"]),
    (dict(X=[[1], [2, 3]], y=[1, 2]), ["rectangular"]),
    (dict(X=3, y=[1, 2]), ["(rows, features)"]),
    (dict(X=[[1]], y=[1]), ["one sample"]),
    (dict(X=np.zeros((0, 1)), y=[]), ["got none"]),
    (dict(X=np.zeros((3, 0)), y=[1, 2, 3]), ["at least one feature"]),
    (dict(X=[[1], [2]], y=[1, 2], names=["a", "b"]), ["2 names"]),
    (dict(X=[[1, 2], [2, 3]], y=[1, 2], names=["a", "a"]), ["'a' twice"]),
    (dict(X=[[1], [2]], y=[1, 2], names=["y"]), ["'y' twice"]),
    (dict(X=[[1j], [2]], y=[1, 2]), ["complex"]),
    (dict(X=[["a"], ["b"]], y=[1, 2]), ["'x0'", "'a'", "row 0", "one-hot"]),
    (dict(X=pd.DataFrame({"u": [1, 2], "v": ["red", "blue"]}), y=[1, 2]), ["column 'v'", "'red'", "row 0"]),
    (dict(X=pd.DataFrame({"u": pd.array([1, None], dtype="Int64")}), y=[1, 2]), ["column 'u'", "row 1"]),
    (dict(X=pd.DataFrame({"u": pd.to_datetime(["2020-01-01", "2021-01-01"])}), y=[1, 2]), ["dates"]),
])
def test_bad_arrays_are_refused(arguments, words):
    message = refusal(as_table, **arguments)
    assert all(word in message for word in words), message


# what is left out -----------------------------------------------------------------------------------------------------------
def test_constant_columns_are_left_out_with_a_note():
    table = as_table([[1, 9.81, 2], [2, 9.81, 2]], [1, 2], ["t", "g", "k"], units={"t": "s", "g": "m/s2"})
    assert table.names == ("t",)
    assert table.X.tolist() == [[1], [2]]
    assert table.notes[0] == "left out, because constant: g = 9.81, k = 2"
    assert "y" in table.notes[1] and len(table.notes) == 2  # the target has no unit
    assert dict(table.units) == {"t": "s"}


def test_where_nothing_varies_nothing_is_left_out():
    table = as_table([[1, 2], [1, 2]], [3, 3])
    assert table.names == ("x0", "x1")
    assert table.notes == ("the target y is constant: 3",)


def test_the_fingerprint_tells_data_apart():
    base = dict(X=[[1, 2], [3, 4]], y=[5, 6])
    others = [base | dict(y=[5, 7]), base | dict(X=[[1, 2], [3, 5]]), base | dict(names=["a", "b"]), base | dict(target="z"),
              base | dict(weights=[1, 2]), base | dict(weights=[1, 1])]
    assert len({as_table(**a).fingerprint for a in [base, *others]}) == len(others) + 1
