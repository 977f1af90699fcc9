"""The noise estimate: near the truth where the data allow it, an upper bound elsewhere, and quick."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.problem.noise import LEAST_ROWS, estimate_sigma
from symnum.testing import properties

FUNCTIONS = {
    "line": (1, lambda X: 3 * X[:, 0] - 1),
    "wave": (1, lambda X: np.sin(4 * X[:, 0])),
    "product": (2, lambda X: X[:, 0] * np.exp(-X[:, 1])),
    "ratio": (3, lambda X: X[:, 0] * X[:, 1] / (1 + X[:, 2])),
    "plane in nine columns": (9, lambda X: X.sum(axis=1)),
}


def data(name: str, sigma: float, rows: int = 300, seed: int = 0):
    columns, f = FUNCTIONS[name]
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.5, 3, (rows, columns))
    return X, f(X) + sigma * rng.normal(size=rows)


@pytest.mark.parametrize("sigma", [0.01, 0.3])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_noise_is_found(name, sigma):
    estimates = [estimate_sigma(*data(name, sigma, seed=seed)) for seed in range(5)]
    assert all(abs(e.sigma - sigma) < 4 * e.error for e in estimates)
    assert np.mean([e.sigma for e in estimates]) == pytest.approx(sigma, rel=0.1)
    assert sum(e.reliable for e in estimates) >= 4


@pytest.mark.parametrize("name", FUNCTIONS)
def test_without_noise_there_is_next_to_none(name):
    X, y = data(name, 0.0)
    assert estimate_sigma(X, y).sigma < 1e-3 * y.std()


def test_what_no_smoother_can_follow_is_not_called_reliable():
    """Steps and ridges in five columns: too few rows to see them for what they are."""
    X = np.random.default_rng(0).uniform(-1, 1, (300, 5))
    y = np.tanh(20 * X[:, 0] * X[:, 1]) * np.abs(X[:, 2] - X[:, 3]) + np.sin(6 * X[:, 4])
    estimate = estimate_sigma(X, y)
    assert estimate.sigma < y.std() and not estimate.reliable


def test_few_rows_bound_the_noise_only():
    x = np.linspace(1, 2, LEAST_ROWS - 1)
    estimate = estimate_sigma(x[:, None], x)
    assert estimate.sigma == pytest.approx(x.std()) and not estimate.reliable
    assert estimate_sigma(x[:1, None], x[:1]).sigma == 0


def test_rows_measured_more_than_once_tell_it_without_any_smoothness():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.integers(0, 5, (40, 3)) * np.pi, 4, axis=0)
    y = np.cos(1e4 * X[:, 0] * X[:, 1]) + np.repeat(rng.normal(size=40), 4) + 0.02 * rng.normal(size=160)
    estimate = estimate_sigma(X + np.repeat(np.arange(40.0), 4)[:, None], y)
    assert estimate.sigma == pytest.approx(0.02, rel=0.2) and estimate.reliable


def test_weights_are_inverse_variances():
    rng = np.random.default_rng(0)
    X, spread = rng.uniform(0, 3, (400, 1)), rng.uniform(0.01, 0.3, 400)
    y = np.sin(X[:, 0]) + spread * rng.normal(size=400)
    weighted = estimate_sigma(X, y, 1 / spread**2)
    assert weighted.sigma == pytest.approx(1.0, rel=0.15)
    assert estimate_sigma(X, y).sigma > 0.1


@pytest.mark.parametrize("share", [0.0, 0.05, 0.15])
def test_robust_estimates_ignore_gross_outliers(share):
    rng = np.random.default_rng(3)
    X, y = data("product", 0.02)
    wild = rng.random(len(y)) < share
    y = np.where(wild, y + 10 * rng.normal(size=len(y)), y)
    assert estimate_sigma(X, y, robust=True).sigma == pytest.approx(0.02, rel=0.4)
    if share:
        assert estimate_sigma(X, y).sigma > 0.2


@properties(30)
@given(st.floats(1e-300, 1e300), st.floats(-1e3, 1e3))
def test_units_and_offsets_of_the_target_do_not_matter(unit, offset):
    X, y = data("wave", 0.1, rows=60)
    plain, moved = estimate_sigma(X, y), estimate_sigma(X * 1e20, (y + offset) * unit)
    assert moved.sigma / unit == pytest.approx(plain.sigma, rel=1e-6)
    assert moved.reliable == plain.reliable


def test_it_is_deterministic_quick_and_never_raises_on_odd_columns():
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 3, (1000, 9))
    y = np.prod(X[:, :4], axis=1) + rng.normal(size=1000)
    estimate_sigma(X, y)
    began = time.perf_counter()
    first = estimate_sigma(X, y)
    assert time.perf_counter() - began < 1.0  # 0.1 s on a free core
    assert first == estimate_sigma(X, y)
    odd = np.column_stack([np.zeros(1000), np.repeat(X[:10, 0], 100), X[:, 0], X[:, 0], rng.integers(0, 2, 1000), X])
    assert 0.5 < estimate_sigma(odd, y).sigma < y.std()
    assert estimate_sigma(np.zeros((20, 2)), rng.normal(size=20)).sigma == pytest.approx(1, rel=0.5)
    assert estimate_sigma(X, np.full(1000, 3.0)).sigma == 0


@pytest.mark.parametrize(("X", "y", "weight"), [
    (np.zeros((3, 1)), np.zeros(2), None), (np.zeros(3), np.zeros(3), None), (np.zeros((3, 1)), np.zeros(3), [1, 0, 1]),
    (np.zeros((0, 1)), np.zeros(0), None),
])
def test_what_does_not_fit_together_is_refused(X, y, weight):
    with pytest.raises(ValueError, match="positive weights"):
        estimate_sigma(X, y, weight)


def test_copies_of_rows_tell_no_noise():
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 3, 200)
    y = np.sin(x) + rng.normal(0, 0.05, 200)
    once, twice = (estimate_sigma(np.tile(x, k)[:, None], np.tile(y, k)) for k in (1, 2))
    assert twice.sigma == pytest.approx(once.sigma)


def test_repeated_measurements_are_kept_where_the_target_is_coarse():
    rng = np.random.default_rng(3)
    x = rng.integers(0, 5, 400) * 1.0
    noise = estimate_sigma(x[:, None], np.round(np.sin(x) + rng.normal(0, 0.2, 400), 1))
    assert noise.sigma == pytest.approx(0.2, rel=0.15)


@pytest.mark.parametrize("some", [0, 20])
def test_a_target_that_is_mostly_one_value_does_not_overflow(some):
    rng = np.random.default_rng(3)
    y = np.zeros(100)
    y[:some] = rng.normal(size=some)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        assert estimate_sigma(rng.uniform(size=(100, 2)), y, robust=True).sigma < 1e-9
