"""Intervals of constants and of predictions: textbook formulas, coverage in simulations, and what cannot be known."""

import math

import numpy as np
import pytest

from symnum.evaluate.constants import fit_constants
from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.problem.uncertainty import Fitted

RNG = np.random.default_rng(0)
T = np.linspace(0.2, 4, 40)


def fitted(text: str, X, y, loss="mse", weight=None, **kwargs) -> Fitted:
    problem = RegressionProblem.from_table(as_table(X, y, weights=weight), loss, holdout=0.0, **kwargs)
    fit = fit_constants(Batch.pack([Expr.parse(text)], problem.names), problem.plain, CpuEvaluator(1), kind=problem.loss.kind,
                        parameter=problem.loss.parameter, iterations=100)
    return Fitted(problem, fit.batch[0])


def ends(intervals) -> list[tuple[float, float]]:
    return [(i.low, i.high) for i in intervals]


# against textbooks ----------------------------------------------------------------------------------------------------------
def test_a_straight_line_has_the_textbook_interval():
    from scipy.stats import linregress, t

    y = 2 * T + 1 + 0.1 * RNG.normal(size=40)
    reference, width = linregress(T, y), t.ppf(0.975, 38)
    for method in ("wald", "profile"):  # the same where the formula is linear
        slope, offset = fitted("2.0*x0 + 1.0", T[:, None], y).intervals(method=method)
        assert slope.std == pytest.approx(reference.stderr, rel=1e-6) and offset.std == pytest.approx(reference.intercept_stderr, rel=1e-6)
        assert slope.high - slope.value == pytest.approx(width * reference.stderr, rel=1e-4)
        assert offset.value - offset.low == pytest.approx(width * reference.intercept_stderr, rel=1e-4)


@pytest.mark.parametrize("known", [False, True])
def test_weights_and_known_sigma_as_curve_fit_has_them(known):
    from scipy.optimize import curve_fit

    sigma = RNG.uniform(0.02, 0.2, 40)
    y = 3 * np.exp(-0.7 * T) + sigma * RNG.normal(size=40)
    c, C = curve_fit(lambda x, a, b: a * np.exp(b * x), T, y, (3, -0.7), sigma, absolute_sigma=known)
    if known:
        f = fitted("3.0*exp(-0.7*x0)", T[:, None], y, sigma=sigma)
    else:
        f = fitted("3.0*exp(-0.7*x0)", T[:, None], y, weight=sigma**-2)
    assert [i.value for i in f.intervals()] == pytest.approx(c, rel=1e-5)
    assert f.standard_errors == pytest.approx(np.sqrt(np.diag(C)), rel=1e-4)
    assert f.quantile(0.95) == pytest.approx(1.95996 if known else 2.0244, rel=1e-4)


def test_the_profile_bends_with_the_formula():
    """Bates & Watts: where the constant saturates the interval is lopsided; its ends are where S rises to the F threshold."""
    x = np.array([0.3, 0.5, 1, 1.5, 2.0, 3.0])
    y = 5 * x / (2 + x) + 0.08 * np.array([1, -1, 0.5, 1, -1, 0.3])
    f = fitted("5.0*x0/(2.0 + x0)", x[:, None], y)
    wald, profile = f.intervals()[1], f.intervals(method="profile")[1]
    assert profile.high - profile.value > 1.2 * (profile.value - profile.low)
    assert profile.low > wald.low and profile.high > wald.high

    def squares(b):
        z = x / (b + x)
        return np.sum((y - (z @ y) / (z @ z) * z) ** 2)

    rise = f.quantile(0.95) ** 2 / f.freedom
    for end in (profile.low, profile.high):
        assert squares(end) / squares(profile.value) - 1 == pytest.approx(rise, rel=1e-3)


def test_a_profile_with_one_known_sigma_rises_by_chi_square():
    y = 2 * T + 0.1 * RNG.normal(size=40)
    interval = fitted("2.0*x0", T[:, None], y, sigma=0.1).intervals(level=0.6827, method="profile")[0]
    assert interval.high - interval.value == pytest.approx(0.1 / np.sqrt(np.sum(T**2)), rel=1e-3)


# in simulations -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("loss", "method"), [
    ("mse", "wald"), ("mse", "profile"), ("huber", "wald"), ("log-cosh", "wald"), ("mae", "wald"),
])
def test_intervals_hold_the_truth_as_often_as_they_say(loss, method):
    rng, held, runs = np.random.default_rng(1), 0, 60
    for _ in range(runs):
        y = 2 * np.exp(-0.5 * T) + 0.1 * (rng.laplace(size=40) / np.sqrt(2) if loss == "mae" else rng.normal(size=40))
        f = fitted("2.0*exp(-0.5*x0)", T[:, None], y, loss)
        held += sum(i.low <= c <= i.high for i, c in zip(f.intervals(0.9, method), (2, -0.5), strict=True))
    assert 0.8 < held / (2 * runs) < 0.98


def test_poisson_intervals():
    rng, held = np.random.default_rng(2), 0
    for _ in range(60):
        y = rng.poisson(20 * T).astype(float)
        held += (i := fitted("20.0*x0", T[:, None], y, "poisson").intervals(0.9)[0]).low <= 20 <= i.high
    assert 47 <= held <= 60


def test_predictions_spread_as_they_say():
    rng, inside = np.random.default_rng(3), []
    for _ in range(100):
        y = 2 * np.exp(-0.5 * T[:10]) + 0.1 * rng.normal(size=10)
        f = fitted("2.0*exp(-0.5*x0)", T[:10, None], y)
        new = np.array([[0.7], [3.0]])  # inside, and beyond the data, where the constants matter most
        truth = 2 * np.exp(-0.5 * new[:, 0]) + 0.1 * rng.normal(size=2)
        inside.append(np.abs(truth - f.expr({"x0": new[:, 0]})) < f.quantile(0.9) * f.prediction_std(new))
    assert (np.abs(np.mean(inside, axis=0) - 0.9) < 0.1).all()


def test_prediction_std_by_hand():
    y = 2 * T + 0.1 * RNG.normal(size=40)
    f = fitted("2.0*x0", T[:, None], y)
    new = np.array([[1.0], [100.0]])
    assert f.prediction_std(new) == pytest.approx(np.hypot(f.sigma, new[:, 0] * f.standard_errors[0]), rel=1e-9)
    assert fitted("x0", T[:, None], T + 0.1 * np.sign(np.sin(9 * T))).prediction_std(new) == pytest.approx([0.1, 0.1], rel=1e-6)
    relative = fitted("2.0*x0", T[:, None], 2 * T * (1 + 0.1 * RNG.normal(size=40)), "relative")
    assert relative.prediction_std(new)[1] == pytest.approx(100 * relative.prediction_std(new)[0])


# what cannot be known --------------------------------------------------------------------------------------------------------
def test_constants_that_only_act_together_are_open():
    y = 6 * T + 1 + 0.1 * RNG.normal(size=40)
    problem = RegressionProblem(as_table(T[:, None], y), holdout=0.0)
    f = Fitted(problem, Expr.parse("2.0*3.0*x0 + 1.0"))
    a, b, c = f.intervals()
    assert a.std == b.std == math.inf and (a.low, a.high) == (-math.inf, math.inf)
    assert c.std == pytest.approx(fitted("6.0*x0 + 1.0", T[:, None], y).intervals()[1].std, rel=0.02)
    assert ends(f.intervals(method="profile"))[0] == (-math.inf, math.inf)
    assert np.isfinite(f.prediction_std(T[:, None])).all()


def test_more_constants_than_rows_and_constants_without_effect():
    y = np.array([1.0, 2.0])
    f = Fitted(RegressionProblem(as_table(np.array([[1.0], [2.0]]), y)), Expr.parse("1.0*x0 + 2.0*x0^2 + 3.0"))
    assert all(i.std == math.inf for i in f.intervals())
    f = Fitted(RegressionProblem(as_table(T[:, None], 2 * T + 0.1 * np.sin(50 * T)), holdout=0.0), Expr.parse("2.0*x0 + 0*5.0"))
    assert [math.isfinite(i.std) for i in f.intervals()] == [True, False]


def test_an_end_that_the_data_leave_open_is_infinite():
    x = np.linspace(0.01, 0.1, 8)  # far below saturation only the slope a/b is known
    y = 5 * x / (2 + x) + 0.01 * np.array([1, -1, 1, -1, 1, 1, -1, -1])
    low, high = ends(fitted("5.0*x0/(2.0 + x0)", x[:, None], y).intervals(method="profile"))[1]
    assert high == math.inf and low < 2


def test_no_constants_no_intervals():
    f = fitted("x0^2", T[:, None], T**2)
    assert f.intervals() == f.intervals(method="profile") == []


def test_an_exact_fit_has_intervals_of_no_width():
    for method in ("wald", "profile"):
        i = fitted("2.5*x0", T[:, None], 2.5 * T).intervals(method=method)[0]
        assert i.low == pytest.approx(2.5, rel=1e-12) and i.high == pytest.approx(2.5, rel=1e-12)


@pytest.mark.parametrize("unit", [1e-250, 1e-40, 1e60, 1e280])
def test_extreme_magnitudes(unit):
    y = 2 * T + 0.1 * RNG.normal(size=40)
    plain = fitted("2.0*x0", T[:, None], y)
    problem = RegressionProblem(as_table(T[:, None], y * unit), holdout=0.0)
    moved = Fitted(problem, Expr.const(plain.expr.constants[0] * unit) * Expr.var("x0"))
    assert moved.sigma / unit == pytest.approx(plain.sigma, rel=1e-9)
    assert moved.standard_errors / unit == pytest.approx(plain.standard_errors, rel=1e-9)
    assert moved.prediction_std(T[:, None]) / unit == pytest.approx(plain.prediction_std(T[:, None]), rel=1e-9)


def test_leaving_one_out_is_exact_where_the_constants_are_linear():
    y = 2 * T + 1 + 0.3 * RNG.normal(size=40)
    f = fitted("2.0*x0 + 1.0", T[:, None], y)
    for i in (0, 17, 39):
        rest = np.delete(np.arange(40), i)
        assert f.left_out[i] == pytest.approx(np.polyval(np.polyfit(T[rest], y[rest], 1), T[i]), rel=1e-7)


@pytest.mark.parametrize(("kwargs", "match"), [
    ({"level": 1.0}, "between 0 and 1 was required, got 1.0"), ({"method": "bootstrap"}, "wald, profile was required, got 'bootstrap'"),
])
def test_refusals(kwargs, match):
    with pytest.raises(ValueError, match=match):
        fitted("2.0*x0", T[:, None], T).intervals(**kwargs)
    with pytest.raises(ValueError, match="profile intervals need least squares, the loss is 'mae'"):
        fitted("2.0*x0", T[:, None], 2 * T, "mae").intervals(method="profile")


@pytest.mark.parametrize("c", [6.6e-34, 1.0, 3e8])
def test_profile_intervals_of_constants_of_any_size(c):
    t = np.linspace(1, 2, 30)
    problem = RegressionProblem.from_table(as_table(t[:, None], c * t * (1 + 1e-3 * np.cos(40 * t))))
    fitted = Fitted(problem, Expr.parse(f"{c!r}*x0"))
    wald, profile = (fitted.intervals(method=m)[0] for m in ("wald", "profile"))
    assert (profile.high - profile.low) / (wald.high - wald.low) == pytest.approx(1, rel=0.01)


def test_weights_count_in_a_robust_sigma():
    rng = np.random.default_rng(2)
    t, w = np.linspace(1, 2, 400), np.where(np.arange(400) % 2, 1.0, 1e-4)
    y = 3 * t + rng.normal(0, 0.01, 400) / np.sqrt(w)
    fitted = Fitted(RegressionProblem.from_table(as_table(t[:, None], y, weights=w), "mae"), Expr.parse("3.0*x0"))
    assert fitted.sigma == pytest.approx(0.01, rel=0.2)
