"""The surrogate and its Gaussian process: derivatives, leave-one-out, views, noise."""

import time

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from symnum.problem.gaussian import GaussianProcess
from symnum.problem.surrogate import Polynomial, fit_surrogate, trimmed

GROUPS = [None, ((0,), (1, 2))]


def process(groups, n=40):
    rng = np.random.default_rng(1)
    U = rng.normal(size=(n, 3))
    parameters = np.append(0.3 * rng.normal(size=3 + (len(groups) if groups else 1) + 1), -2.0)
    return GaussianProcess(U, np.sin(U[:, 0]) + U[:, 1] * U[:, 2], groups, parameters)


@pytest.mark.parametrize("groups", GROUPS)
def test_likelihood_slope(groups):
    gp = process(groups)
    numeric = approx_fprime(gp.parameters, lambda p: GaussianProcess(gp.U, gp.t, groups, p).likelihood, 1e-6)
    assert gp.slope() == pytest.approx(numeric, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("groups", GROUPS)
def test_gradient_and_hessian_are_derivatives_of_the_mean(groups):
    gp, x, h = process(groups), np.full((1, 3), 0.2), 1e-5
    steps = h * np.eye(3)
    gradient = [(gp.value(x + s) - gp.value(x - s))[0] / (2 * h) for s in steps]
    hessian = [(gp.gradient(x + s)[0] - gp.gradient(x - s)[0])[0] / (2 * h) for s in steps]
    assert gp.gradient(x)[0][0] == pytest.approx(gradient, abs=1e-7)
    assert gp.hessian(x)[0] == pytest.approx(np.array(hessian), abs=1e-7)


def test_leave_one_out_is_leaving_one_out():
    gp = process(None)
    for i in (0, 7, 39):
        others = np.delete(np.arange(40), i)
        left = GaussianProcess(gp.U[others], gp.t[others], None, gp.parameters).value(gp.U[[i]])[0]
        assert gp.loo[i] == pytest.approx(left, abs=1e-6)


def test_polynomial_leave_one_out_and_derivatives():
    rng = np.random.default_rng(0)
    U = rng.uniform(-1, 1, (60, 2))
    t = U[:, 0] ** 2 * U[:, 1] + 0.1 * rng.normal(size=60)
    p, others = Polynomial(U, t, 3), np.arange(1, 60)
    assert len(p.powers) == Polynomial.terms(2, 3) == 10
    assert p.loo[0] == pytest.approx(Polynomial(U[others], t[others], 3).value(U[:1])[0], abs=1e-9)
    x, h = np.array([[0.3, -0.2]]), 1e-6
    for i in range(2):
        s = h * np.eye(2)[i]
        assert p.gradient(x)[0][0, i] == pytest.approx((p.value(x + s) - p.value(x - s))[0] / (2 * h), abs=1e-6)
        assert p.hessian(x)[0, i] == pytest.approx((p.gradient(x + s)[0] - p.gradient(x - s)[0])[0] / (2 * h), abs=1e-5)


def test_surrogate_derivatives_are_those_of_the_law():
    X = np.random.default_rng(2).uniform(1, 5, (300, 3))
    a, b, c = X.T
    s = fit_surrogate(X, 1e8 * a * np.exp(-b / c))  # log y = log a - b/c
    assert s.log_target
    a, b, c = s.X.T
    true = np.column_stack([1 / a, -1 / c, b / c**2])
    assert np.median(np.abs(s.gradient - true)) < 1e-3
    assert np.median(np.abs(s.hessian()[:, 1, 2] - 1 / c**2)) < 1e-2
    assert np.median(np.abs(s.predicted / s.y - 1)) < 1e-3
    assert s.value(s.X) == pytest.approx(s.y, rel=0.05)


def test_the_error_is_the_noise():
    rng = np.random.default_rng(3)
    X = rng.uniform(1, 5, (300, 3))
    clean = np.sin(X[:, 0]) * X[:, 1] + X[:, 2]
    s = fit_surrogate(X, clean + 0.1 * clean.std() * rng.normal(size=300))
    assert 0.08 < s.error < 0.16
    inside = np.abs(s.gradient[:, 2] - 1.0) < 3 * s.gradient_error[:, 2]
    assert inside.mean() > 0.9  # the standard error of the gradient means something


def test_a_sum_of_functions_is_fitted_by_groups():
    X = np.random.default_rng(4).uniform(1, 5, (200, 4))
    y = X[:, 0] * np.sin(X[:, 1]) + X[:, 2] / X[:, 3]
    right, wrong = (fit_surrogate(X, y, groups=g, log_target=False).error for g in (((0, 1), (2, 3)), ((0, 2), (1, 3))))
    assert right < 0.01 < 0.1 < wrong


@pytest.mark.parametrize("d, limit", [(3, 30.0), (9, 60.0)])  # processor seconds; ten times what an idle machine takes
def test_time(d, limit):
    X = np.random.default_rng(5).uniform(1, 5, (1000, d))
    started = time.process_time()
    assert fit_surrogate(X, X.prod(1) / (1 + X[:, 0] ** 2)).error < 0.01
    assert time.process_time() - started < limit


def test_nothing_to_fit():
    X = np.random.default_rng(0).normal(size=(50, 2))
    assert fit_surrogate(X, np.full(50, 3.0)) is None
    assert fit_surrogate(X[:5], X[:5, 0]) is None
    assert fit_surrogate(X[:, :0], X[:, 0]) is None


def test_duplicate_rows_and_constant_columns():
    X = np.repeat(np.random.default_rng(0).uniform(1, 2, (15, 2)), 10, axis=0)
    X = np.column_stack([X, np.ones(150)])
    s = fit_surrogate(X, X[:, 0] * X[:, 1])
    assert np.isfinite(s.gradient).all() and s.error < 1e-3


def test_trimmed_ignores_a_few_far_residuals():
    r = np.random.default_rng(0).normal(size=1000)
    r[:20] = 1e6
    assert trimmed(r) == pytest.approx(1.0, abs=0.1)
