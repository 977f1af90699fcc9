"""Targets: the data through inverse operators, and the way back."""

import numpy as np
import pytest

from symnum.language.expr import Expr
from symnum.language.ops import OPS
from symnum.search.target import Target, invertible, views

RNG = np.random.default_rng(0)
WEIGHT = np.full(30, 1 / 30)


def target(y):
    return Target(y, WEIGHT[: len(y)], np.concatenate([y, y]), np.full(2 * len(y), 0.5 / len(y)))


@pytest.mark.parametrize("name", ["inv", "square", "sqrt", "exp", "log", "cube", "tanh", "sin", "asin"])
def test_wrap_undoes_through(name):
    f = RNG.uniform(0.2, 0.8, 30)
    y = Expr.apply(name, Expr.var("f"))(f=f)
    t = target(y).through(OPS[name])
    np.testing.assert_allclose(t.T, f, rtol=1e-9)
    np.testing.assert_allclose(t.wrap(Expr.var("f"))(f=t.T), y, rtol=1e-9)
    assert abs(t.weight.sum() - 1) < 1e-12


def test_weights_keep_errors_as_large_as_they_are_in_y():
    y = RNG.uniform(1, 3, 30)
    t = target(y).through(OPS["square"])  # y = T²: dy = 2 T dT
    np.testing.assert_allclose(t.weight, y / y.sum(), rtol=1e-12)


@pytest.mark.parametrize(("name", "y"), [
    ("sqrt", RNG.uniform(-1, 1, 30)),  # no root is negative
    ("log", np.linspace(1, 1000, 30)),  # exp of it overflows
    ("asin", np.linspace(0, 9, 30)),  # beyond a quarter turn
    ("square", np.zeros(30) + 2.0),  # constant
    ("square", np.array([0.0, *np.ones(29)])),  # no slope at 0
])
def test_a_view_that_loses_something_is_none(name, y):
    assert target(y).through(OPS[name]) is None


def test_division_and_its_way_back():
    y, m = RNG.uniform(1, 2, 30), RNG.uniform(2, 3, 30)
    t = target(y).divided(Expr.var("m"), m, np.concatenate([m, m]))
    np.testing.assert_allclose(t.T * m, y, rtol=1e-12)
    np.testing.assert_allclose(t.wrap(Expr.var("f"))(f=t.T, m=m), y, rtol=1e-12)
    assert target(y).divided(Expr.var("m"), np.zeros(30), np.zeros(60)) is None
    assert target(y).divided(Expr.var("m"), y, np.concatenate([y, y])) is None  # leaves a constant


def test_views_are_different_functions_of_y():
    operators = invertible([OPS[n] for n in ("neg", "inv", "square", "sqrt", "log", "exp", "add", "abs")])
    assert [op.name for op in operators] == ["inv", "square", "sqrt", "exp", "log"]
    seen = list(views(target(RNG.uniform(1, 2, 30)), operators))
    unit = np.array([t.T / np.linalg.norm(t.T) for t in seen])
    assert np.abs(unit[:, None] - unit[None]).max(axis=2)[~np.eye(len(seen), dtype=bool)].min() > 1e-9
    assert {tuple(op.name for op in t.steps) for t in seen} >= {(), ("inv",), ("log",), ("inv", "sqrt")}
