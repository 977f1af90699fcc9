"""The judge of systems and the last steps of a search: terms that count for nothing, and systems that explode elsewhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.dynamics.system import System
from symnum.dynamics.trajectory import Trajectories
from symnum.equations.ode_choice import Judge, summands, without
from symnum.equations.ode_pool import Alternative
from symnum.equations.ode_search import Search
from symnum.language.expr import Expr

T = np.linspace(0, 6, 60)
SUMS = ("x + y", "x - y", "x - (y - 2.0)", "x + y - z + 3.0*x*y", "(x - y) - (z + x^2)", "-1.5*x + (y - z)")


def search(x, names):
    return Search(Trajectories.of(x, T, names=names), deadline=np.inf)


def parts(*texts):
    return tuple(Alternative.of(Expr.parse(text), "test") for text in texts)


@given(st.sampled_from(SUMS), st.integers(0, 10), st.floats(-2, 2), st.floats(-2, 2), st.floats(-2, 2))
def test_a_sum_without_a_term_and_the_term_are_the_sum(text, k, x, y, z):
    expr, at = Expr.parse(text), {"x": np.array([x]), "y": np.array([y]), "z": np.array([z])}
    k %= len(summands(expr))
    rest = without(expr, k)
    missing, term = expr(at) - rest(at), summands(expr)[k](at)
    np.testing.assert_allclose(np.abs(missing), np.abs(term), atol=1e-12)  # its sign is the sum's


def test_what_is_no_sum_has_no_term_to_lose():
    with pytest.raises(ValueError, match="a sum was required"):
        without(Expr.parse("x*y"), 0)


def test_exact_fits_lose_terms_that_contribute_nothing():
    x = 2 * np.exp(-0.7 * T)
    s = search(x, ["x"])
    model = s.judge.settle(parts("-0.7*x + 1e-6*x^3"))
    assert s.judge.negligible(model.refined, 0) == [1]
    pruned = s._pruned(model)
    assert pruned.parts[0].expr == Expr.parse("-0.7*x + 1e-6*x^3").arguments[0]
    assert s.exact(pruned, 0)


def test_terms_that_are_small_but_there_stay():
    x = System.parse({"x": "-0.7*x + 0.004*x^3"}).simulate([2.0], T)[:, 0]
    s = search(x, ["x"])
    model = s.judge.settle(parts("-0.7*x + 0.003*x^3"))
    assert s._pruned(model) is model


def test_of_equally_good_systems_the_bounded_one():
    truth = System.parse({"x": "-0.55*x + 0.08*x^5"}).simulate([1.0], T)  # explodes from beyond 1.62
    s = search(truth[:, 0] * (1 + 0.03 * np.random.default_rng(2).normal(size=len(T))), ["x"])
    explosive = s.judge.settle((Alternative(Expr.parse("-0.55*x + 0.08*x^5"), 4.5, "test"),))
    decay = s.judge.judge(parts("-0.5*x"), explosive)
    n = s.judge.independent(explosive)
    assert decay.nats(n) - 4 < explosive.nats(n) < decay.nats(n)  # the data hardly tell them apart
    assert s._explosions(decay) == 0 < s._explosions(explosive)
    assert s._steady(explosive) is decay
    assert s._steady(decay) is decay


def test_three_exact_quadratic_terms_of_three_states_settle_an_equation():
    lorenz = System.parse({"x": "10.0*y - 10.0*x", "y": "28.0*x - x*z - y", "z": "x*y - 2.5*z"})
    t = np.linspace(0, 3, 150)
    s = Search(Trajectories.of(lorenz.simulate([-3.0, -5.0, 17.0], t), t, names=list("xyz")))
    model = s.judge.settle(parts("10.0*y - 10.0*x", "28.0*x - 1.0*x*z - 1.0*y", "1.0*x*y - 2.5*z"))
    assert all(s.settled(model, i) for i in range(3))
    wrong = s.judge.judge(parts("10.0*y - 10.0*x", "28.0*x - 1.0*x*z - 1.0*y", "1.0*x*y"), model)
    assert not s.settled(wrong, 2)


def test_a_judge_remembers():
    curves = search(np.exp(-T), ["x"]).curves
    judge = Judge(("x",), (), "t", curves, np.array([1.0]), np.inf)
    assert judge.judge(parts("-0.9*x")) is judge.judge(parts("-1.1*x"))
