"""Inversion finds what is a few look-ups deep, whatever the constants, and says nothing it cannot stand by."""

import numpy as np
import pytest

from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.rules import compile_rules
from symnum.problem.losses import Loss
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.search.base import Context, measure
from symnum.search.front import Front
from symnum.search.invert import Inversion, Tasks

RNG = np.random.default_rng(5)
X = RNG.uniform(1, 3, (200, 4))
NAMES = ("a", "b", "c", "d")


def context(y, grammar="elementary", **kwargs):
    problem = RegressionProblem(as_table(X, y, NAMES), **kwargs)
    return Context.of(problem, compile_rules(Grammar.load(grammar), NAMES), CpuEvaluator(1), 30)


def search(c, asks):
    """The front after so many asks."""
    inversion, front = Inversion(), Front(floor=c.problem.floor)
    state = inversion.start(c, np.random.default_rng(0))
    for _ in range(asks):
        state, batch = inversion.ask(c, state, 1000, np.random.default_rng(0))
        if len(batch):
            front = front.merged(measure(c, batch, front).candidates)
        if len(front) and front[-1].loss <= front.floor:
            break
    return front, state


@pytest.mark.parametrize("law", [
    "2.7*a^2/(b*sqrt(c))",
    "0.3*a*b - 1.7*c^2 + 4.1*d",
    "(a*b + 3*c)/(a + d)",
    "1/(0.2 + 3.1*exp(a)*b)",
    "sqrt(a^2 + 2.5*b*c)",
    "exp(0.4*a - 0.7*b*c)*d",
    "log(1.3*a*b + c)",
    "a*sin(b)*tanh(c)*d",
    "(a - b)^2/(c + d)",
    "a*exp(b)/(c*d + 1.9*d)",
])
def test_laws_a_few_look_ups_deep(law):
    columns = dict(zip(NAMES, X.T, strict=True))
    c = context(Expr.parse(law)(columns))
    front, _ = search(c, 75)
    assert front[-1].loss <= front.floor, f"{front[-1].expr} has loss {front[-1].loss}"
    fresh = {n: RNG.uniform(1, 3, 50) for n in NAMES}
    np.testing.assert_allclose(front[-1].expr(fresh), Expr.parse(law)(fresh), rtol=1e-5)


def test_noise_does_not_hide_a_pair():
    y = 1.5 * X[:, 0] * X[:, 1] - 2.2 * np.sqrt(X[:, 2])
    front, _ = search(context(y + 0.05 * np.std(y) * RNG.normal(size=len(y))), 18)
    p = min(front, key=lambda c: (c.loss > 1.3 * front[-1].loss, c.complexity)).expr(dict(zip(NAMES, X.T, strict=True)))
    assert np.std(p - y) < 0.03 * np.std(y)


def test_only_formulas_of_the_grammar_within_the_limit():
    y = np.exp(X[:, 0]) * X[:, 1] + X[:, 2]
    c = context(y, "polynomial")
    inversion = Inversion()
    state = inversion.start(c, np.random.default_rng(0))
    for _ in range(4):
        state, batch = inversion.ask(c, state, 1000, np.random.default_rng(0))
        complexity = c.rules.complexity(batch)
        assert ((complexity > 0) & (complexity <= 30)).all()


def test_a_fresh_object_goes_on_from_the_state():
    c = context(RNG.normal(size=len(X)))
    rng = np.random.default_rng(0)
    one = Inversion()
    state = one.start(c, rng)
    for _ in range(3):
        state, _ = one.ask(c, state, 1000, rng)
    later, expected = one.ask(c, state, 1000, rng)
    again, batch = Inversion().ask(c, state, 1000, rng)
    assert again == later
    assert list(map(str, batch.unpack())) == list(map(str, expected.unpack()))


def test_it_comes_to_an_end_and_other_losses_are_left_to_others():
    c = context(np.abs(RNG.normal(size=len(X))), loss=Loss.of("mae"))
    state, batch = Inversion().ask(c, Tasks(), 1000, np.random.default_rng(0))
    assert state.finished
    assert len(batch) == 0
    assert Inversion().ask(c, state, 1000, np.random.default_rng(0))[0] == state


@pytest.mark.parametrize("y", [np.zeros(200), np.full(200, 3.0), np.r_[np.zeros(199), 1e300], np.sign(X[:, 0] - 2), 1e-280 * X[:, 0]])
def test_torture_targets(y):
    c = context(y)
    state, batch = Inversion().ask(c, Tasks(), 1000, np.random.default_rng(0))
    assert isinstance(batch, Batch)


def test_three_rows():
    problem = RegressionProblem(as_table(X[:3, :1], X[:3, 0] ** 2, ("a",)))
    c = Context.of(problem, compile_rules(Grammar.load("elementary"), ("a",)), CpuEvaluator(1), 20)
    state, batch = Inversion().ask(c, Tasks(), 1000, np.random.default_rng(0))
    assert state.done > 0
