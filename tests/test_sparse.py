"""Best subsets against brute force, planted supports among many columns, degenerate columns, the choice of a size, bags."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.dynamics import sparse
from symnum.dynamics.sparse import Subset, best_subsets, best_with, inclusion, shortest
from symnum.testing import properties


def rss(A: np.ndarray, b: np.ndarray, columns) -> float:
    left = b - A[:, list(columns)] @ np.linalg.lstsq(A[:, list(columns)], b, rcond=None)[0] if len(columns) else b
    return float(left @ left)


@properties(40)
@given(st.integers(0, 10**6), st.integers(3, 30), st.integers(1, 7), st.integers(0, 4), st.booleans())
def test_exhaustive_equals_brute_force(seed, rows, columns, most, correlated):
    rng = np.random.default_rng(seed)
    A, b = rng.normal(size=(rows, columns)), rng.normal(size=rows)
    if correlated:
        A += 3 * rng.normal(size=(rows, 1))
    found = best_subsets(A, b, most)
    assert [len(s.columns) for s in found] == list(range(min(most, rows, columns) + 1))
    for s in found:
        least = min(rss(A, b, c) for c in combinations(range(columns), len(s.columns)))
        assert s.rss == pytest.approx(least, rel=1e-9, abs=1e-9 * (b @ b))
        assert s.rss == pytest.approx(np.sum((b - A[:, list(s.columns)] @ s.coefficients) ** 2), rel=1e-9, abs=1e-9 * (b @ b))
        assert list(s.columns) == sorted(set(s.columns))


def test_several_of_each_size_come_in_order():
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(30, 6)), rng.normal(size=30)
    found = [s for s in best_subsets(A, b, 2, keep=3) if len(s.columns) == 2]
    every = sorted((rss(A, b, c), c) for c in combinations(range(6), 2))[:3]
    assert [s.columns for s in found] == [c for _, c in every]


@pytest.mark.parametrize("seed", range(3))
def test_a_beam_finds_a_planted_support_among_many_columns(seed):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(300, 150)) + rng.normal(size=(300, 1))
    planted = tuple(sorted(rng.choice(150, 6, replace=False).tolist()))
    b = A[:, planted] @ rng.choice([-2.0, -1, 1, 2], 6) + rng.normal(0, 0.1, 300)
    found = best_subsets(A, b, 8)
    assert found[6].columns == planted
    assert found[shortest(found, 300, 150)].columns == planted
    assert all(b.rss <= a.rss for a, b in zip(found, found[1:], strict=False))


def test_a_beam_is_no_worse_than_exhaustion(monkeypatch):
    rng = np.random.default_rng(5)
    A = rng.normal(size=(60, 14)) + 2 * rng.normal(size=(60, 1))
    b = A @ rng.normal(size=14)
    want = best_subsets(A, b, 5)
    monkeypatch.setattr(sparse, "NODES", 0)
    np.testing.assert_allclose([s.rss for s in best_subsets(A, b, 5)], [s.rss for s in want], rtol=1e-9, atol=1e-12)


# degenerate columns ------------------------------------------------------------------------------------------------------
def test_columns_that_are_zero_or_twice_there_are_not_chosen_together():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(40, 3))
    A = np.column_stack([a[:, 0], np.zeros(40), a[:, 0], -3 * a[:, 0], a[:, 1], a[:, 0] + a[:, 1], a[:, 2]])
    found = best_subsets(A, 2 * a[:, 0] - a[:, 2], 5)
    assert found[2].rss < 1e-20
    assert found[2].columns[0] in (0, 2, 3)
    for s in found:
        assert 1 not in s.columns
        assert np.linalg.matrix_rank(A[:, list(s.columns)]) == len(s.columns)
        assert np.abs(s.coefficients).max(initial=0) < 10


def test_nearly_collinear_columns_are_fitted_to_rounding():
    t = np.linspace(0, 1, 80)
    A = np.column_stack([t**k for k in range(9)])
    b = 3 - 2 * t**2 + 0.5 * t**5
    found = best_subsets(A, b, 3)[3]
    assert found.columns == (0, 2, 5)
    np.testing.assert_allclose(found.coefficients, [3, -2, 0.5], atol=1e-11)
    assert found.rss < 1e-24


def test_fewer_rows_than_columns():
    rng = np.random.default_rng(2)
    A = rng.normal(size=(12, 40))
    found = best_subsets(A, A[:, 7] - A[:, 30], 20)
    assert found[2].columns == (7, 30)
    assert max(len(s.columns) for s in found) <= 12


def test_nothing_to_explain_and_nothing_to_explain_it_with():
    A = np.random.default_rng(3).normal(size=(10, 4))
    assert [s.columns for s in best_subsets(A, np.zeros(10), 3)] == [()]
    assert [s.columns for s in best_subsets(np.zeros((10, 4)), np.ones(10), 3)] == [()]
    assert [s.columns for s in best_subsets(np.zeros((10, 0)), np.ones(10), 3)] == [()]
    assert best_subsets(A, np.ones(10), 0)[0].rss == pytest.approx(10)


@pytest.mark.parametrize("unit", [1e-100, 1e-8, 1e8, 1e100])
def test_units_do_not_matter(unit):
    rng = np.random.default_rng(4)
    A, b = rng.normal(size=(50, 8)), rng.normal(size=50)
    units = unit ** rng.choice([0, 0.5, 1], 8)
    for s, scaled in zip(best_subsets(A, b, 4), best_subsets(A * units, b, 4), strict=True):
        assert s.columns == scaled.columns
        np.testing.assert_allclose(scaled.coefficients * units[list(s.columns)], s.coefficients, rtol=1e-9)
    for s, scaled in zip(best_subsets(A, b, 4), best_subsets(A, unit * b, 4), strict=True):
        assert s.columns == scaled.columns
        np.testing.assert_allclose(scaled.coefficients, unit * s.coefficients, rtol=1e-9)


@pytest.mark.parametrize(("A", "b", "words"), [
    (np.zeros((3, 2)), np.zeros(4), "columns .K, L. and a target"), (np.zeros(3), np.zeros(3), "columns .K, L."),
    (np.full((3, 2), np.nan), np.zeros(3), "2 of 2 columns are not"), (np.ones((3, 2)), np.array([0, np.inf, 0]), "finite"),
])
def test_what_cannot_be_fitted_is_refused(A, b, words):
    with pytest.raises(ValueError, match=words):
        best_subsets(A, b, 1)


# one column of others ----------------------------------------------------------------------------------------------------
def test_one_of_some_other_columns_beside_the_best():
    rng = np.random.default_rng(6)
    A, others = rng.normal(size=(40, 5)), rng.normal(size=(40, 7))
    others[:, 2] = 0
    b = 2 * A[:, 1] - others[:, 4] + 0.01 * rng.normal(size=40)
    found = best_with(A, b, others, 2)
    assert [len(s.columns) for s in found] == [1, 2, 3]
    assert found[1].columns == (1, 5 + 4)
    for s in found:
        k = len(s.columns) - 1
        least = min(rss(np.column_stack([A, others]), b, (*c, 5 + m)) for c in combinations(range(5), k) for m in range(7) if m != 2)
        assert s.rss == pytest.approx(least, rel=1e-8)
        assert s.columns[-1] >= 5


# how many ----------------------------------------------------------------------------------------------------------------
def test_noise_is_not_described():
    sizes = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        A, b = rng.normal(size=(100, 20)), rng.normal(size=100)
        found = best_subsets(A, b, 4)
        sizes.append(len(found[shortest(found, 100, 20)].columns))
    assert np.mean(np.array(sizes) == 0) > 0.8


def test_a_floor_stops_the_description_of_rounding():
    found = [Subset((), np.zeros(0), 1.0), Subset((0,), np.ones(1), 1e-20), Subset((0, 1), np.ones(2), 1e-26)]
    assert shortest(found, 50, 10) == 2
    assert shortest(found, 50, 10, floor=1e-18) == 1
    assert Subset((), np.zeros(0), 0.0).nats(10, 5) < 0


# bags --------------------------------------------------------------------------------------------------------------------
def test_bags_include_what_is_there():
    rng = np.random.default_rng(7)
    A = rng.normal(size=(80, 10))
    b = A[:, 2] - 0.5 * A[:, 6] + 0.05 * rng.normal(size=80)

    def choose(part, target):
        found = best_subsets(part, target, 4)
        return found[shortest(found, 80, part.shape[1])].columns

    shares = inclusion(A, b, choose, models=15)
    assert shares.shape == (10,)
    assert ((shares >= 0) & (shares <= 1)).all()
    assert shares[[2, 6]].min() == 1
    assert np.delete(shares, [2, 6]).mean() < 0.3
    np.testing.assert_array_equal(shares, inclusion(A, b, choose, models=15))
    assert (shares != inclusion(A, b, choose, models=15, seed=1)).any()
    assert (inclusion(A, b, lambda part, target: (), models=3) == 0).all()
    assert (inclusion(A, b, lambda part, target: range(part.shape[1]), models=9, always=[0])[0]) == 1
