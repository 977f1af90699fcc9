"""The regression problem: weights, splits, views, extreme magnitudes, constant targets and the independent verdict."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.discovery import discover
from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.ops import OPS, by_code
from symnum.language.rules import compile_rules
from symnum.problem.regression import FIT_ROWS, SEARCH_ROWS, RegressionProblem, decimal_step
from symnum.problem.table import DataError, as_table
from symnum.search.base import applied
from symnum.search.enumerate import Enumeration
from symnum.testing import TOL, close, properties

RNG = np.random.default_rng(0)
X = RNG.uniform(0.5, 2.0, (40, 2))
CPU = CpuEvaluator(1)
SHAPES = ["x0*1.0 + 1.0", "sin(x0*1.5)*1.0", "x1/(x0 + 1.0)", "exp(x0*0.5)*1.0 + 1.0"]


def pack(*texts: str) -> Batch:
    return Batch.pack([Expr.parse(t) for t in texts], ("x0", "x1"))


def noisy(X: np.ndarray = X) -> np.ndarray:
    return np.sin(X[:, 0]) + X[:, 1] + 0.1 * np.random.default_rng(1).normal(size=len(X))


# weights and rows -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("loss", ["mse", "mae", "huber:0.1", "relative"])
def test_a_weight_is_a_number_of_repetitions(loss):
    times, y = RNG.integers(1, 5, 40), noisy()
    weighted = RegressionProblem.from_table(as_table(X, y, weights=times), loss, holdout=0)
    repeated = RegressionProblem.from_table(as_table(np.repeat(X, times, axis=0), np.repeat(y, times)), loss, holdout=0)
    a, b = (p.score(pack(*SHAPES), CPU, full=True, iterations=40) for p in (weighted, repeated))
    rtol = 1e-6 if loss == "mse" else 1e-3  # the others stop where steps gain little: their minima are flat
    np.testing.assert_allclose(a.loss, b.loss, rtol=rtol)
    assert weighted.verify(Expr.parse("x0")).r2 == pytest.approx(repeated.verify(Expr.parse("x0")).r2, rel=TOL["zero"])


def test_a_row_of_weight_zero_says_nothing():
    y, weights = noisy(), np.ones(40)
    spoiled = y.copy()
    spoiled[7], weights[7] = 1e6, 0.0
    a = RegressionProblem(as_table(X, spoiled, weights=weights)).score(pack(*SHAPES), CPU, full=True, iterations=30)
    b = RegressionProblem(as_table(np.delete(X, 7, 0), np.delete(y, 7))).score(pack(*SHAPES), CPU, full=True, iterations=30)
    np.testing.assert_allclose(a.loss, b.loss, rtol=1e-6)  # two fits of the same data in another order


@pytest.mark.parametrize(("rows", "holdout", "train"), [
    (20, None, 20), (49, None, 49), (50, None, 40), (1000, None, 800), (50, 0.5, 25), (50, 0, 50)])
def test_the_split(rows, holdout, train):
    x = np.arange(rows, dtype=float)[:, None]
    problem = RegressionProblem.from_table(as_table(x, x[:, 0] + 0.5), holdout=holdout)
    kept, held = problem._split
    assert len(kept) == train and sorted([*kept, *held]) == list(range(rows))
    assert problem.train.n == train and (problem.holdout_loss(Expr.parse("x0")) is None) == (rows == train)
    again = RegressionProblem.from_table(as_table(x, x[:, 0] + 0.5), holdout=holdout)
    other = RegressionProblem.from_table(as_table(x, x[:, 0] + 0.5), holdout=holdout, seed=1)
    assert (again._split[0] == kept).all()
    assert train == rows or (other._split[0] != kept).any()


@pytest.mark.parametrize("share", [-0.1, 0.95, 2, math.nan])
def test_an_impossible_share_is_refused(share):
    with pytest.raises(ValueError, match=r"share in \[0, 0.9\] was required, got"):
        RegressionProblem.from_table(as_table(X, X[:, 0]), holdout=share)


def test_searches_look_at_few_rows_and_the_front_at_many():
    x = RNG.uniform(size=(20_000, 1))
    problem = RegressionProblem(as_table(x, x[:, 0]))
    assert problem.search.n == SEARCH_ROWS and problem.train.n == FIT_ROWS and 16 <= problem.probe.n <= 18  # and the extremes of x
    held = set(x[problem._split[1], 0].tolist())
    assert held.isdisjoint(problem.search.X[:, 0].ravel().tolist()) and held.isdisjoint(problem.train.X[:, 0].ravel().tolist())
    assert RegressionProblem(as_table(x[:200], x[:200, 0])).search.n == 160


# views ----------------------------------------------------------------------------------------------------------------------
OPERATORS = [op for op in OPS.values() if op.arity == 1]


def views(y, loss="mse") -> tuple[str, ...]:
    return RegressionProblem.from_table(as_table(X[: len(y)], y), loss).views(OPERATORS)


def test_views_exist_where_the_inverse_does():
    positive = RNG.uniform(0.5, 2, 40)
    assert {"exp", "sqrt", "square", "log", "inv", "cube"} <= set(views(positive))
    assert "neg" not in views(positive) and "abs" not in views(positive)
    assert {"exp", "square", "sqrt"}.isdisjoint(views(-positive)) and "cbrt" in views(-positive)
    assert "tanh" in views(positive / 3) and "tanh" not in views(positive)
    assert "inv" not in views(positive - positive[0])
    assert views(np.full(40, 2.0)) == ()


@pytest.mark.parametrize("loss", ["mae", "huber", "log-cosh", "poisson", lambda y, p: (y - p) ** 2])
def test_other_losses_have_no_views(loss):
    assert views(RNG.uniform(0.5, 2, 40), loss) == ()


def test_views_come_from_the_grammar():
    problem = RegressionProblem(as_table(X, X[:, 0]))
    rules = compile_rules(Grammar.parse("e : exp(e) | sqrt(e) | e*e | VAR"), problem.names)
    assert problem.views(map(by_code, rules.operator_codes)) == ("exp", "sqrt")


@pytest.mark.parametrize("name", views(np.random.default_rng(0).uniform(0.1, 0.9, 40)))
def test_a_fit_through_the_inverse_finds_the_truth(name):
    """y = g(a*x0*x1 + b) exactly: through g⁻¹ the fit is linear and exact, and the same constants are exact inside g."""
    op = OPS[name]
    inner = 0.1 + 0.2 * X[:, 0] * X[:, 1]  # within 0.15 … 0.9: every such g is one to one there
    y = Expr.apply(op, Expr.var("a"))(a=inner)
    problem = RegressionProblem(as_table(X, y))
    assert problem.views([op]) == (name,)
    seen = problem.score(pack("(x0*x1)*1.0 + 0.0"), CPU, view=name)
    back = problem.score(applied(op, seen.batch), CPU, iterations=0)
    assert seen.loss[0] < 1e-20 and back.loss[0] < 1e-20  # sums of squares of rounding errors, twice through g


def test_errors_seen_through_a_view_have_the_size_they_have():
    """The weights (dg/dT)² keep a small misfit the same, to first order."""
    T = X[:, 0] * X[:, 1]
    y = np.exp(T + 1e-4 * RNG.normal(size=40))
    problem = RegressionProblem(as_table(X, y))
    seen = problem.score(pack("x0*x1"), CPU, view="exp").loss[0]
    direct = problem.score(pack("exp(x0*x1)"), CPU).loss[0]
    assert seen == pytest.approx(direct, rel=1e-2)  # first order in 1e-4 times the largest slope


# extreme magnitudes -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("columns", [1e-300, 1e-31, 1.0, 1e200, 1e300])
@pytest.mark.parametrize("target", [1e-300, 1e-160, 1.0, 1e300])
def test_power_laws_survive_any_magnitude(columns, target):
    y = target * (X[:, 0] ** 2 * X[:, 1])
    problem = RegressionProblem(as_table(X * [columns, 1], y))
    found = discover(problem, "arithmetic", time_limit=None, max_evaluations=10_000, max_complexity=9, seed=0, threads=1)
    with np.errstate(all="ignore"):
        predicted = found.best.best(x0=X[:, 0] * columns, x1=X[:, 1])
    np.testing.assert_allclose(predicted, y, rtol=1e-9)  # constants of a fit
    assert all(math.isfinite(c.loss) for c in found.front)
    assert found.verdict.r2 == pytest.approx(1.0, abs=TOL["zero"])
    assert found.front[0].loss > 1e-6  # the best constant does not look exact


def test_ordinary_magnitudes_are_left_alone():
    problem = RegressionProblem(as_table(X * [1e-20, 1e25], X[:, 0] * 1e-12))
    assert problem.scale[0].tolist() == [1.0, 1.0] and problem.scale[1] == 1.0
    e = Expr.parse("x0*2.5")
    assert problem.unscale(e) is e


@properties(60)
@given(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300))
def test_scales_are_powers_of_ten(a, b):
    problem = RegressionProblem(as_table(X * [a, 1], X[:, 0] / 2 * b))
    for scale in (*problem.scale[0], problem.scale[1]):
        assert scale == float(f"1e{round(math.log10(scale))}")
    assert np.abs(problem.train.X).max() < 1e31 and np.isfinite(problem.train.y).all()


# degenerate targets -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("value", [0.0, 2.5, -1e-9, 1e12])
def test_a_constant_target_gives_the_constant(value):
    found = discover(RegressionProblem(as_table(X, np.full(40, value))), time_limit=None, max_evaluations=3000, seed=0, threads=1)
    assert len(found.front) >= 1
    np.testing.assert_allclose(found.best.best(x0=X[:, 0], x1=X[:, 1]), value, rtol=1e-9, atol=1e-15)  # constants of a fit
    assert found.verdict.r2 == 1.0


def test_one_row_is_refused_and_two_are_not():
    with pytest.raises(DataError, match="at least two rows"):
        as_table([[1.0]], [2.0])
    problem = RegressionProblem(as_table([[1.0], [2.0]], [2.0, 4.0]))
    found = discover(problem, "arithmetic", time_limit=None, max_evaluations=2000, seed=0, threads=1)
    assert found.verdict.holdout_r2 is None and "too few rows" in found.verdict.message
    assert found.best.best(x0=3.0) == pytest.approx(6.0, rel=TOL["zero"])


def test_constant_columns_are_left_out():
    table = as_table(np.column_stack([X, np.full(40, 9.81)]), X[:, 0] * 2)
    assert RegressionProblem(table).names == ("x0", "x1")


# losses of the user -----------------------------------------------------------------------------------------------------------
def test_a_loss_of_the_user_ranks_the_formulas():
    def mostly_below(y, p):
        return np.where(p > y, 10 * (p - y), y - p)
    y = noisy()
    problem = RegressionProblem.from_table(as_table(X, y, weights=np.arange(1.0, 41.0)), mostly_below)
    score = problem.score(pack("x0", "x1", "x0 + x1"), CPU, full=True)
    wanted = [np.average(mostly_below(y, p), weights=np.arange(1.0, 41.0)) for p in (X[:, 0], X[:, 1], X.sum(axis=1))]
    assert close(score.loss, wanted).all()
    found = discover(problem, "arithmetic", time_limit=None, max_evaluations=3000, seed=0, threads=1)
    p = found.best.expr(x0=X[:, 0], x1=X[:, 1])
    assert found.best.loss == pytest.approx(np.average(mostly_below(y, p), weights=np.arange(1.0, 41.0)), rel=TOL["zero"])


def test_a_loss_of_the_user_that_is_not_finite_is_infinite():
    problem = RegressionProblem.from_table(as_table(X, X[:, 0]), lambda y, p: np.log(np.abs(p)) + (p - y) ** 2 + 10)
    with np.errstate(all="ignore"):
        assert problem.score(pack("x0 - x0", "x0"), CPU, full=True).loss.tolist()[0] == math.inf


# the verdict ------------------------------------------------------------------------------------------------------------------
def test_verify_knows_the_truth_from_a_fluke():
    X = RNG.uniform(0.5, 2, (200, 2))
    problem = RegressionProblem(as_table(X, noisy(X)))
    true = problem.verify(Expr.parse("sin(x0) + x1"))
    assert 0.9 < true.r2 < 1 and true.rows == 160 and true.holdout_rows == 40
    assert true.holdout_r2 == pytest.approx(true.r2, abs=0.05) and "holds on 40 rows" in true.message
    y = np.where(np.isin(np.arange(200), problem._split[1]), -1.0, 1.0) * X[:, 0]
    fluke = RegressionProblem(as_table(X, y)).verify(Expr.parse("x0"))
    assert fluke.r2 == 1.0 and fluke.holdout_r2 < 0 and "does worse" in fluke.message


def test_r2_is_the_usual_one():
    from sklearn.metrics import r2_score

    y = noisy()
    problem = RegressionProblem.from_table(as_table(X, y), holdout=0.25)
    train, test = problem._split
    verdict = problem.verify(Expr.parse("x0 + x1"))
    assert verdict.r2 == pytest.approx(r2_score(y[train], X[train].sum(axis=1)), rel=TOL["zero"])
    assert verdict.holdout_r2 == pytest.approx(r2_score(y[test], X[test].sum(axis=1)), rel=TOL["zero"])
    assert problem.holdout_loss(Expr.parse("x0 + x1")) == pytest.approx(np.mean((y[test] - X[test].sum(axis=1)) ** 2), rel=TOL["zero"])


def test_a_formula_that_is_not_finite_is_no_success():
    verdict = RegressionProblem(as_table(X, X[:, 0])).verify(Expr.parse("log(x0 - 10)"))
    assert not verdict.r2 > 0


# the digits of the data ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("numbers", "step"), [
    ([1.0, 2.0, 300.0], 0.0), ([0.5, 2], 0.1), ([87.77, 4332.6], 0.01), ([1e-5, 2.5e-4], 1e-5), ([1 / 3, 0.5], 0.0), ([0.0, 0.25], 0.01),
    ([-1.25, 3.5], 0.01), ([1.5e10, 2.25], 0.01)])
def test_decimal_step(numbers, step):
    assert decimal_step(np.array(numbers)) == step


def test_resolution_is_the_variance_of_rounding():
    """Against the mean square of what rounding to the step takes away."""
    y = RNG.uniform(10, 20, 4000)
    problem = RegressionProblem(as_table(y[:, None], np.round(y, 2)))
    assert problem.resolution == pytest.approx(np.mean((np.round(y, 2) - y) ** 2), rel=0.05)  # 2 % standard error of a mean square
    binary = RegressionProblem(as_table(y[:, None], y))
    assert binary.resolution == binary.floor > 0


def test_a_column_that_is_nearly_always_zero_is_not_the_constant_zero():
    """Its extreme rows are in the probe, so that enumeration tells it from 0."""
    x = np.zeros((400, 2))
    x[:8, 1], x[8:16, 0] = np.arange(1, 9), np.arange(1, 9)
    problem = RegressionProblem.from_table(as_table(x, x[:, 1], ["a", "b"]))
    found = discover(problem, time_limit=20, max_complexity=4, search=[Enumeration()], seed=0)
    assert str(found.best.best) == "b"


def test_rows_of_no_weight_are_neither_trained_on_nor_held_out():
    weight = np.zeros(200)
    weight[::4] = 1.0
    problem = RegressionProblem.from_table(as_table(X, X[:, 0], weights=weight[: len(X)]))
    assert all(weight[i] > 0 for part in problem._split for i in part)
    with pytest.raises(ValueError, match="at least 2 training rows of positive weight"):
        RegressionProblem.from_table(as_table(X[:4], X[:4, 0], weights=[1.0, 0, 0, 0]))


def test_a_formula_must_be_finite_on_every_training_row_not_only_on_those_it_is_fitted_to():
    x = RNG.uniform(0.5, 2, (3 * FIT_ROWS, 1))
    x[:5] = -1.0
    problem = RegressionProblem.from_table(as_table(x, np.sqrt(np.abs(x[:, 0]))))
    loss = problem.score(Batch.pack([Expr.parse("sqrt(x0)"), Expr.parse("sqrt(abs(x0))")], problem.names), CpuEvaluator(1), full=True).loss
    assert loss[0] == np.inf and loss[1] < 1e-25


@pytest.mark.parametrize("name", ["mse", "mae", "huber:0.5", "log-cosh", "relative", "gaussian:0.3", "poisson"])
def test_the_holdout_loss_is_the_loss_of_the_problem(name):
    """On the same rows both ways of computing agree."""
    y = 1 + X[:, 0] ** 2
    problem = RegressionProblem.from_table(as_table(X, y), loss=name, holdout=0.5)
    expr, train = Expr.parse("x0 + 1.5"), problem._split[0]
    fused = CpuEvaluator(1).loss(Batch.pack([expr], problem.names), problem.train, problem.loss.kind, problem.loss.parameter)
    rows = problem.loss.rows(y[train], X[train, 0] + 1.5)
    np.testing.assert_allclose(fused[0] * problem.loss_scale, rows.mean(), rtol=1e-12)  # two summation orders
