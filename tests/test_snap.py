"""Snapping: what is exact is recognised, what is measured stays a measurement."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.rules import compile_rules
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.search.base import Context
from symnum.search.snap import near_exact, snapped
from symnum.testing import TOL, close, properties

X = np.random.default_rng(0).uniform(0.5, 2.0, (60, 2))
ELEMENTARY = Grammar.load("elementary")


def fitted(y: np.ndarray, text: str) -> tuple[Context, Expr, float]:
    """A problem, and the formula of the text with its constants fitted to it."""
    problem = RegressionProblem.from_table(as_table(X, y), holdout=0)
    context = Context.of(problem, compile_rules(ELEMENTARY, problem.names), CpuEvaluator(1), 30)
    score = problem.score(Batch.pack([Expr.parse(text)], problem.names), context.evaluator, full=True, iterations=60, starts=4)
    return context, score.batch[0], float(score.loss[0])


def loss_of(context: Context, expr: Expr) -> float:
    return float(context.problem.score(Batch.pack([expr], context.problem.names), context.evaluator, full=True, iterations=0).loss[0])


# numbers --------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("value", "text"), [
    (2.0, "2"), (-3.0, "-3"), (0.5, "1/2"), (-0.75, "-3/4"), (1000.0, "1000"),
    (math.pi, "pi"), (2 * math.pi, "2*pi"), (1.5 * math.pi, "3/2*pi"),
    (4 * math.pi**2 / math.pi, "4*pi"), (1 / math.pi, "1/pi"), (0.5 / math.pi, "1/(2*pi)"), (math.e, "e"), (1 / math.e, "1/e"),
    (math.sqrt(2), "sqrt(2)"), (math.sqrt(3) / 2, "1/2*sqrt(3)"), (math.sqrt(math.pi), "sqrt(pi)"),
    (1 / math.sqrt(2 * math.pi), "1/sqrt(2*pi)"), (0.0, "0")])
def test_exact_numbers_are_recognised(value, text):
    found = near_exact(value * (1 + 1e-7))
    assert str(Expr(found[0])) == text
    assert close(Expr(found[0])().item(), value)


@pytest.mark.parametrize("value", [1.2345, 0.3321, 3.15, 2.71, 1.41, 1234.5, 1001.0, 0.0173, math.inf, math.nan, 1.0001 * math.pi])
def test_other_numbers_are_not(value):
    assert near_exact(value) == []


@properties(300)
@given(st.floats(-1e6, 1e6))
def test_what_is_offered_is_exact_near_and_simplest_first(value):
    found = [Expr(tokens) for tokens in near_exact(value)]
    assert len(found) <= 4
    for e in found:
        assert not e.constants and not e.variables
        assert e().item() == pytest.approx(value, rel=0.01, abs=1e-8)  # CHANCE of one bit; NOTHING


def test_a_random_number_is_seldom_near_an_exact_one():
    values = np.exp(np.random.default_rng(0).uniform(-3, 5, 2000)).tolist()
    assert np.mean([bool(near_exact(v)) for v in values]) < 0.5


# formulas -------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "shape", "wanted"), [
    ("2*x0", "1.0*x0", "2*x0"),
    ("x0/2", "1.0*x0", "1/2*x0"),
    ("pi*x0^2", "1.0*square(x0)", "pi*x0^2"),
    ("sqrt(2)*x0 + 3", "1.0*x0 + 1.0", "sqrt(2)*x0 + 3"),
    ("3/2*pi*x0*x1", "1.0*(x0*x1)", "3*pi/2*x0*x1"),
    ("sin(2*pi*x0)", "sin(6.0*x0)*1.0 + 0.5", "sin(2*pi*x0)"),
    ("exp(-x0/2)*4", "exp(-1.0*x0)*1.0", "4*exp(-x0/2)"),
    ("1/(x0 + 3)", "1.0/(x0 + 1.0)", "1/(x0 + 3)"),
    ("x0 + x1", "(x0 + 1.0*x1)*1.0 + 0.5", "x0 + x1"),
])
def test_exact_laws_become_exact(text, shape, wanted):
    context, expr, loss = fitted(Expr.parse(text)(x0=X[:, 0], x1=X[:, 1]), shape)
    exact = snapped(context, expr, loss)
    assert exact is not None and not exact.constants, str(exact)
    rows = {"x0": X[:, 0], "x1": X[:, 1]}
    assert close(exact(rows), Expr.parse(wanted)(rows), "sympy").all()
    assert loss_of(context, exact) <= 4 * context.problem.floor


def test_beside_an_exact_number_a_measured_one_stays():
    context, expr, loss = fitted(2 * X[:, 0] ** 2 + 1.2345 * X[:, 1], "1.0*x0^2 + 1.0*x1")
    exact = snapped(context, expr, loss)
    assert exact.constants == pytest.approx([1.2345], rel=TOL["zero"])
    assert loss_of(context, exact) <= 4 * context.problem.floor


def test_measured_constants_stay_measured():
    context, expr, loss = fitted(1.2345 * X[:, 0] + 0.777, "1.0*x0 + 1.0")
    assert snapped(context, expr, loss) is None


@pytest.mark.parametrize("seed", range(8))
def test_noise_is_not_snapped_away_from_the_truth(seed):
    """Constants of random laws under noise: where one is snapped, the loss pays at most the rule's price."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0.1, 5, 2)
    y = a * np.exp(b * X[:, 0] / 3) + 0.01 * rng.normal(size=60)
    context, expr, loss = fitted(y, "1.0*exp(1.0*x0)")
    exact = snapped(context, expr, loss)
    assert exact is None or loss_of(context, exact) <= loss * (1 + 0.5 / 60) ** 2 * (1 + TOL["zero"])  # two constants


@pytest.mark.parametrize("scale", [1e-3, 1e-2])
def test_exact_numbers_are_found_under_noise(scale):
    y = 2 * X[:, 0] ** 3 + scale * np.random.default_rng(3).normal(size=60)
    context, expr, loss = fitted(y, "1.0*cube(x0)")
    exact = snapped(context, expr, loss)
    assert exact is not None and not exact.constants
    assert exact(x0=1.0) == 2.0


def test_a_formula_without_constants_has_nothing_to_snap():
    context, expr, loss = fitted(X[:, 0] * X[:, 1], "x0*x1")
    assert snapped(context, expr, loss) is None


def test_small_constants_that_matter_are_kept():
    """6.67e-11 next to 1e11: near zero only in name."""
    context, expr, loss = fitted(6.6743e-11 * (1e11 * X[:, 0] / X[:, 1]), "1.0*(x0/x1)")
    tiny = RegressionProblem(as_table(X * [1e11, 1], 6.6743e-11 * (1e11 * X[:, 0] / X[:, 1])))
    context = Context.of(tiny, context.rules, context.evaluator, 30)
    score = tiny.score(Batch.pack([Expr.parse("1.0*(x0/x1)")], tiny.names), context.evaluator, full=True, iterations=30)
    exact = snapped(context, score.batch[0], float(score.loss[0]))
    assert score.batch.constants == pytest.approx([6.6743e-11], rel=TOL["zero"])
    assert exact is None or exact(x0=1e11, x1=1.0) == pytest.approx(6.6743, rel=1e-6)
