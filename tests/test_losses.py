"""Losses: each name against its definition, through the fused kernels that searches use."""

import math

import numpy as np
import pytest

from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.problem.losses import NAMES, Loss
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.testing import TOL, close

RNG = np.random.default_rng(0)
X = RNG.uniform(0.5, 2, (40, 2))
Y = RNG.uniform(0.5, 4, 40)
W = RNG.uniform(0.1, 3, 40)


def cubic(y, p):
    return np.abs(y - p) ** 3


DEFINITIONS = {
    "mse": lambda y, p: (p - y) ** 2,
    "mae": lambda y, p: np.abs(p - y),
    "huber:1": lambda y, p: np.where(np.abs(p - y) <= 1, (p - y) ** 2 / 2, np.abs(p - y) - 0.5),
    "huber:0.25": lambda y, p: np.where(np.abs(p - y) <= 0.25, (p - y) ** 2 / 2, 0.25 * (np.abs(p - y) - 0.125)),
    "log-cosh": lambda y, p: np.log(np.cosh(p - y)),
    "relative": lambda y, p: ((p - y) / y) ** 2,
    "gaussian:0.3": lambda y, p: ((p - y) / 0.3) ** 2 / 2,
    "poisson": lambda y, p: p - y + y * np.log(y / p),
}


def score(loss, texts, weights=None, y=Y, **kwargs):
    problem = RegressionProblem.from_table(as_table(X, y, weights=weights), loss)
    batch = Batch.pack([Expr.parse(t) for t in texts], problem.names)
    return problem.score(batch, CpuEvaluator(1), full=True, **kwargs)


@pytest.mark.parametrize("weights", [None, W], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", [*DEFINITIONS, "cubic"])
def test_a_loss_is_its_definition(name, weights):
    definition = DEFINITIONS.get(name, cubic)
    found = score(name if name in DEFINITIONS else cubic, ["x0", "x0*x1", "x0 + x1"], weights)
    predictions = [X[:, 0], X[:, 0] * X[:, 1], X[:, 0] + X[:, 1]]
    wanted = [np.average(definition(Y, p), weights=weights) for p in predictions]
    assert close(found.loss, wanted).all()


@pytest.mark.parametrize("name", [*DEFINITIONS, "cubic"])
def test_fitting_lowers_the_loss_to_a_minimum(name):
    """At the fitted constants no small step is better by more than the fit's last digits."""
    definition = DEFINITIONS.get(name, cubic)
    found = score(name if name in DEFINITIONS else cubic, ["x0*1.0 + 1.0"], iterations=60)
    if name == "cubic":  # constants are fitted by mse first, and stay so
        definition = DEFINITIONS["mse"]
    a, b = found.batch.constants
    steps = [(0, 0), (0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01), (0.01, -0.02), (-0.01, 0.02)]
    losses = [definition(Y, (a + da) * X[:, 0] + b + db).mean() for da, db in steps]
    slack = 1e-3 if name == "mae" else 1e-6  # the minimum of mae is a corner, which reweighted squares only approach
    assert losses[0] <= min(losses) * (1 + slack)


def test_outside_the_domain_the_loss_is_infinite():
    for name in (*DEFINITIONS, cubic):
        assert score(name, ["log(x0 - 3)"]).loss[0] == math.inf


def test_poisson_wants_positive_predictions_and_allows_zero_counts():
    y = np.where(Y > 2, np.round(Y), 0.0)
    found = score("poisson", ["x0", "x0 - 1"], y=y)
    p = X[:, 0]
    wanted = np.mean(p - y + np.where(y > 0, y * np.log(np.where(y > 0, y, 1.0) / p), 0.0))
    assert close(found.loss[0], wanted) and found.loss[1] == math.inf


# by name -----------------------------------------------------------------------------------------------------------------
def test_names():
    assert all(Loss.of(name).name == name for name in NAMES)
    loss = Loss.of("huber:0.5")
    assert loss.parameter == 0.5 and Loss.of(loss) is loss
    assert Loss.of(cubic).name == "cubic" and Loss.of(cubic).function is cubic


@pytest.mark.parametrize(("loss", "words"), [
    ("msee", "mse, mae, huber, log-cosh, relative, gaussian, poisson or a function"),
    ("huber:0", "parameter of huber must be a positive number, got '0'"),
    ("huber:-1", "positive"), ("gaussian:nan", "positive"), ("gaussian:inf", "positive"), ("huber:much", "got 'much'"),
    (None, "got None"), (3, "got 3"),
    (lambda y, p: 1.0, r"\(rows,\)"), (lambda y, p: np.log(y - p), r"finite"),
])
def test_what_is_no_loss_is_refused(loss, words):
    with pytest.raises(ValueError, match=words), np.errstate(all="ignore"):
        Loss.of(loss)


@pytest.mark.parametrize(("loss", "y", "words"), [
    ("relative", [1.0, 0.0, 2.0], "other than 0, got 0 in row 2"), ("poisson", [1.0, 2.0, -3.0], ">= 0, got -3 in row 3")])
def test_targets_that_a_loss_is_not_made_for_are_refused(loss, y, words):
    with pytest.raises(ValueError, match=words):
        RegressionProblem.from_table(as_table([[1], [2], [3]], y), loss)


def test_the_floor_is_what_rounding_leaves():
    for name in DEFINITIONS:
        problem = RegressionProblem.from_table(as_table(X, X[:, 0] * X[:, 1]), name)
        batch = Batch.pack([Expr.parse(t) for t in ("x1*(1.5*x0)", "x0*x1*1001/1000")], problem.names)
        exact, off = problem.score(batch, CpuEvaluator(1), full=True, iterations=60).loss
        assert exact <= problem.floor < 1e-3 * off, name


def test_floors_scale_with_the_target():
    for name, power in (("mse", 2), ("mae", 1), ("relative", 0)):
        floors = [RegressionProblem.from_table(as_table(X, s * Y), name).floor for s in (1.0, 1e5)]
        assert floors[1] / floors[0] == pytest.approx(1e5**power, rel=TOL["zero"])
