"""Description lengths: symbols, constants at the precision they deserve, data; and what the choice makes of them."""

import math

import numpy as np
import pytest

from symnum.language.expr import Expr
from symnum.problem.description import description_length, symbols_length
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table

RNG = np.random.default_rng(0)
X = RNG.uniform(1, 2, (80, 2))
NOISE = 0.05 * RNG.normal(size=80)


def problem(y, **kwargs) -> RegressionProblem:
    return RegressionProblem.from_table(as_table(X, y), holdout=0.0, **kwargs)


def length(y, text: str, **kwargs) -> float:
    return description_length(problem(y, **kwargs), [Expr.parse(text)])


def test_equation_seven_by_hand():
    y = 2.5 * X[:, 0] + NOISE
    r = y - 2.5 * X[:, 0]
    nats = 40 * math.log(np.mean(r**2)) + 40
    information = np.sum(X[:, 0] ** 2) / np.mean(r**2)
    by_hand = nats + 3 * math.log(3) - 0.5 * math.log(3) + 0.5 * math.log(information) + math.log(2.5)
    assert length(y, "2.5*x0") == pytest.approx(by_hand, rel=1e-12)
    information = np.sum(X[:, 0] ** 2) / 0.05**2
    known = np.sum(r**2) / 2 / 0.05**2 + 3 * math.log(3) - 0.5 * math.log(3) + 0.5 * math.log(information) + math.log(2.5)
    assert length(y, "2.5*x0", sigma=0.05) == pytest.approx(known, rel=1e-12)


def test_symbols_are_counted_by_kind_and_numbers_by_size():
    assert symbols_length(Expr.parse("x0 + x0")) == pytest.approx(3 * math.log(2))
    assert symbols_length(Expr.parse("3*x0")) - symbols_length(Expr.parse("1*x0")) == pytest.approx(math.log(3))
    assert symbols_length(Expr.parse("3.7*x0")) == pytest.approx(3 * math.log(3))


def test_a_constant_that_cannot_be_told_from_zero_costs_no_more_than_its_symbols():
    y = 2 * X[:, 0] + NOISE
    plain, with_small = length(y, "2*x0"), length(y, "2*x0 + 1e-7")
    extra = symbols_length(Expr.parse("2*x0 + 1e-7")) - symbols_length(Expr.parse("2*x0"))
    assert with_small == pytest.approx(plain + extra, abs=1e-3)
    assert math.isfinite(length(y, "2*x0 + x0/(x1 + 1e9)*1e-9"))
    assert math.isfinite(length(X[:, 0] / 1e-9, "x0/1e-9"))  # as 0 it would divide by zero


def test_the_shortest_form_counts_and_an_undefined_one_is_infinite():
    p = problem(2 * X[:, 0] + NOISE)
    forms = [Expr.parse(t) for t in ("2.0*x0", "x0 + x0", "log(x0 - 5)")]
    each = [description_length(p, [f]) for f in forms]
    assert description_length(p, forms) == min(each) and each[2] == math.inf
    assert description_length(p, []) == math.inf


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "log-cosh", "relative", "gaussian:0.05", "poisson", lambda y, p: (y - p) ** 2])
def test_the_law_is_shorter_than_less_and_than_more(loss):
    y = 2 * X[:, 0] * X[:, 1] + (0 if loss == "poisson" else NOISE)
    y = RNG.poisson(50 * y) / 1.0 if loss == "poisson" else y
    factor = 100.0 if loss == "poisson" else 2.0
    law, less, more = (length(y, t, loss=loss) for t in (f"{factor}*x0*x1", f"{1.5 * factor}*x0", f"{factor}*x0*x1 + sin(7.3*x0)*1e-6"))
    assert law < less and law < more


@pytest.mark.parametrize("unit", [1e-200, 1e40, 1e300])
def test_extreme_magnitudes(unit):
    y = (2 * X[:, 0] + NOISE) * unit
    with np.errstate(all="raise"):
        law, other = (length(y, t) for t in (f"{2 * unit}*x0", f"{2 * unit}*x1"))
    assert math.isfinite(law) and law < other


def test_nats_of_the_data():
    x = np.linspace(0, 3, 40)
    y, f = np.round(np.exp(x)), Expr.parse("exp(x0)")
    problems = {loss: RegressionProblem.from_table(as_table(x[:, None], y), loss, holdout=0) for loss in ("mse", "mae", "poisson")}
    loss = {name: float(np.sum(p.loss.rows(y, np.exp(x)))) for name, p in problems.items()}
    assert problems["mse"].nats(f) is None
    assert problems["mae"].nats(f) == pytest.approx(40 * math.log(loss["mae"] / 40))
    assert problems["poisson"].nats(f) == pytest.approx(loss["poisson"])
    known = RegressionProblem.from_table(as_table(x[:, None], y), holdout=0, sigma=2.0)
    assert known.nats(f) == pytest.approx(loss["mse"] / 8)


def test_huber_of_extreme_targets():
    x = np.linspace(1, 3, 40)
    small, large = (RegressionProblem.from_table(as_table(x[:, None], s * (x + 0.01 * np.cos(9 * x))), "huber").description(
        [Expr.parse(f"{s!r}*x0")]) for s in (1.0, 1e40))
    assert large - small == pytest.approx(0, abs=3)
