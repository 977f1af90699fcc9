"""Structure seen in data: every reduction must hold for the exact law, and the expected one must be there."""

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from symnum.problem.proposals import linear
from symnum.problem.rational import rational_basis, rational_offset, snap
from symnum.problem.reduction import HOLE, monomial
from symnum.problem.structure import Partition, compose, find_structure

LAWS = {  # law, number of columns, how many are needed after the reduction
    "decay of a dose": (lambda a, t, tau: a * np.exp(-t / tau), 3, 1),
    "distance of two points": (lambda m, a, b, c, d: m / np.sqrt(1 + (a - b) ** 2 + (c - d) ** 2), 5, 1),
    "interference": (lambda a, b, p, q: a / b * np.cos((p - q) / 2), 4, 1),
    "product inside": (lambda a, b, c: np.log(2 + a * b) + c**2, 3, 1),
    "groups of four": (lambda m, n, k, r, s: m**2 * np.sqrt(n) * np.tanh(k / (r * s)), 5, 1),
    "two groups": (lambda a, b, c, d: a / b * np.sin(a / b) + np.sqrt(c * d), 4, 2),
}


def table(name, rows=200, noise=0.0):
    f, d, wanted = LAWS[name]
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 5, (rows, d))
    y = f(*X.T)
    return f, X, y + noise * y.std() * rng.normal(size=rows), tuple("abcdefghi"[:d]), wanted


def missed(reduction, f, X, names):
    """The part of the exact reduced target's gradient that the columns cannot express (median over rows, relative)."""
    width, h = X.std(0), 1e-5

    def at(Z):
        return reduction.apply(dict(zip(names, Z.T, strict=True)), f(*Z.T))

    ends = [(at(X + h * width * e), at(X - h * width * e)) for e in np.eye(len(names))]
    columns = np.stack([(up[0] - down[0]) / h for up, down in ends], axis=1)
    slope = np.stack([(up[1] - down[1]) / h for up, down in ends], axis=1)
    q = np.linalg.qr(columns / np.maximum(np.linalg.norm(columns, axis=1, keepdims=True), 1e-300))[0]
    rest = slope - np.einsum("nik,njk,nj->ni", q, q, slope)
    size = max(np.median(np.linalg.norm(slope, axis=1)), 1e-6 * np.std(at(X)[1]), 1e-12)
    return np.median(np.linalg.norm(rest, axis=1)) / size


@pytest.mark.parametrize("name", LAWS)
def test_the_law_is_reduced(name):
    f, X, y, names, wanted = table(name)
    found = find_structure(X, y, names)
    right = [r for r in found.reductions if missed(r, f, X[:50], names) < 1e-2]
    assert right[0] is found.reductions[0]
    assert len(right[0].columns) == wanted
    assert found.noise < 1e-2 and not found.irrelevant


@pytest.mark.parametrize("name", ["decay of a dose", "groups of four"])
def test_the_law_is_reduced_in_noise(name):
    f, X, y, names, _ = table(name, noise=0.02)
    found = find_structure(X, y, names)
    assert missed(found.reductions[0], f, X[:50], names) < 1e-2
    assert 0.01 < found.noise < 0.06


def test_reductions_invert_their_outer():
    _, X, y, names, _ = table("distance of two points")
    for r in find_structure(X, y, names).reductions:
        data = dict(zip(names, X.T, strict=True))
        u, z = r.apply(data, y)
        assert u.shape == (len(y), len(r.columns)) and len(set(r.names)) == len(r.names)
        assert r.outer(data | {HOLE: z}) == pytest.approx(y, rel=1e-9)


def test_separable_parts():
    X = np.random.default_rng(1).uniform(1, 5, (300, 4))
    a, b, c, d = X.T
    plus = find_structure(X, np.sin(a) * b + np.sqrt(1 + c * d), tuple("abcd"))
    times = find_structure(X, (2 + np.sin(a + b)) * np.log(1 + c + d**2), tuple("abcd"))
    assert plus.partitions == (Partition("add", ("a", "b"), ("c", "d")),)
    assert times.partitions == (Partition("mul", ("a", "b"), ("c", "d")),)


def test_columns_that_do_not_matter():
    X = np.random.default_rng(2).uniform(1, 5, (300, 5))
    X[:, 4] = 7.0
    found = find_structure(X, np.sin(X[:, 1]) / X[:, 3], tuple("abcde"))
    assert set(found.irrelevant) == {"a", "c", "e"}


def test_noise_alone_has_no_structure():
    rng = np.random.default_rng(3)
    assert not find_structure(rng.uniform(1, 5, (200, 3)), rng.normal(size=200), tuple("abc")).reductions


def test_no_symmetry_is_invented():
    X = np.random.default_rng(4).uniform(1, 5, (400, 2))
    f = lambda a, b: np.sin(a) * b + np.exp(a * b / 10)  # noqa: E731
    for r in find_structure(X, f(*X.T), ("a", "b")).reductions:
        assert missed(r, f, X[:50], ("a", "b")) < 1e-2


def test_deadline_is_kept():
    _, X, y, names, _ = table("groups of four", rows=1000)
    started = time.monotonic()
    find_structure(X, y, names, deadline=time.monotonic())
    assert time.monotonic() - started < 3.0


def test_same_seed_same_structure():
    _, X, y, names, _ = table("decay of a dose", rows=150)
    assert find_structure(X, y, names, seed=1) == find_structure(X, y, names, seed=1)


def test_few_rows_and_one_column():
    X = np.random.default_rng(5).uniform(1, 2, (100, 1))
    assert not find_structure(X[:19], X[:19, 0], ("x",)).reductions
    assert not find_structure(X, X[:, 0] ** 3, ("x",)).reductions
    assert find_structure(X * 0 + 3, X[:, 0], ("x",)).irrelevant == ("x",)


VALUES = st.one_of(st.just(0.0), st.just(1.0), st.floats(-1e40, 1e40), st.floats(-3, 3), st.floats(1e-40, 1e-38))


@settings(max_examples=8, deadline=None)
@given(arrays(float, (24, 3), elements=VALUES), arrays(float, 24, elements=VALUES))
def test_never_raises(X, y):
    found = find_structure(X, y, ("u0", "sin", "my column"), deadline=time.monotonic() + 0.3)
    assert len(found.reductions) <= 6


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_scales(scale):
    f, X, y, names, _ = table("decay of a dose", rows=200)
    found = find_structure(X, scale * y, names)
    assert len(found.reductions[0].columns) == 1
    assert missed(found.reductions[0], f, X[:50], names) < 1e-2


# rational numbers -------------------------------------------------------------------------------------------------------
FRACTIONS = st.sampled_from([Fraction(p) for p in (-2, -1, 0, 1, 2)])


@given(st.lists(st.lists(FRACTIONS, min_size=5, max_size=5), min_size=1, max_size=3), st.integers(0, 99))
def test_rational_basis_spans_the_space(rows, seed):
    A = np.array(rows, dtype=float)
    if np.linalg.matrix_rank(A) < len(A):
        return
    mixed = A.T @ np.linalg.qr(np.random.default_rng(seed).normal(size=(len(A), len(A))))[0]
    basis = rational_basis(mixed)
    if basis is not None:  # fractions finer than quarters have none
        assert np.linalg.matrix_rank(np.vstack([A, np.array(basis, dtype=float)]), tol=1e-6) == len(A)


def test_rational_offset_stays_in_the_class():
    basis = [[Fraction(1), Fraction(-1), Fraction(0)]]
    point = rational_offset(np.array([0.37, 1.63, 3.02]), basis)
    assert point[2] == 3 and point[0] + point[1] == 2
    assert rational_offset(np.array([0.0, 0.0, 7.4]), basis) is None


def test_snap():
    assert snap(0.49) == Fraction(1, 2) and snap(2.03) == 2 and snap(0.334, 0.02) == Fraction(1, 3)
    assert snap(0.334, 0.02, finest=2) is None and snap(7.5) is None


def test_monomial_values():
    rng = np.random.default_rng(0)
    for p in ["1/2", "5", "7", "5/2", "7/3", "2/3", "3/4", "-5/3", "2/5", "9/2", "-1"]:
        x = rng.uniform(0.5, 3, 5)
        assert monomial({"x": Fraction(p)})(x=x) == pytest.approx(x ** float(Fraction(p)), rel=1e-12)


def test_linear_writes_positive_terms_first():
    assert str(linear(("a", "b", "c"), [Fraction(-1), Fraction(2), Fraction(1, 2)])) == "2*b + c/2 - a"
    assert str(linear(("a", "b"), [-1.5, 0.0])) == "-(1.5*a)"


def test_compose_is_doing_both():
    _, X, y, names, _ = table("interference", rows=200)
    data = dict(zip(names, X.T, strict=True))
    first = next(r for r in find_structure(X, y, names).reductions if len(r.columns) > 1)
    u, z = first.apply(data, y)
    second = find_structure(u, z, first.names).reductions[0]
    both = compose(first, second)
    v, w = second.apply(dict(zip(first.names, u.T, strict=True)), z)
    assert both.apply(data, y)[0] == pytest.approx(v) and both.apply(data, y)[1] == pytest.approx(w)


def test_many_columns_are_not_looked_at():
    X = np.random.default_rng(0).normal(size=(100, 60))
    start = time.monotonic()
    assert find_structure(X, X[:, 0], tuple(f"x{i}" for i in range(60))).reductions == ()
    assert time.monotonic() - start < 0.5
    assert rational_basis(np.eye(40)[:, :20]) is None
