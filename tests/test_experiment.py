"""What data leave open: rivals, the experiment against them, equilibria that were never left, and laws that drift."""

import dataclasses

import numpy as np
import pytest

from symnum.dynamics.system import System
from symnum.equations.drift import drift, find_drift
from symnum.equations.experiment import BOX, frozen, near_equilibrium, next_experiment, rivals, undecided
from symnum.equations.ode import OdeStatus, discover_ode
from symnum.equations.ode_choice import Model
from symnum.equations.ode_pool import Alternative
from symnum.equations.ode_search import Search
from symnum.language.expr import Expr

POLYNOMIALS = [("terms_polynomial", 5)]


def judged(texts: list[str], x: np.ndarray, t: np.ndarray, status: OdeStatus = OdeStatus.NOISE):
    """A discovery whose candidates for the one state x are given."""
    ode = discover_ode(x, t, names=["x"], libraries=[("terms_polynomial", 3)], time_limit=2)
    search = Search(ode.data, libraries=())
    search.library, search.judge.pieces = ode.search.library, 1
    for text in texts:
        search.judge.judge((Alternative(Expr.parse(text), 10.0, "test"),))
    models = tuple(search.judge.ranked())
    return dataclasses.replace(ode, models=models, search=search, status=status, statistics={**ode.statistics, "pieces": 1})


@pytest.fixture(scope="module")
def saturating():
    """A saturating decay that was seen in one decay only, beside a parabola."""
    t = np.linspace(0, 6, 40)
    x = System.parse({"x": "-x/(1 + x)"}).simulate([2.0], t)
    x = x + 0.04 * np.random.default_rng(0).normal(size=x.shape)
    return judged(["-1.0*x/(1.0 + x)", "0.19*x^2 - 0.66*x", "-0.9*x/(1.1 + x)"], x, t)


def test_rivals_and_the_experiment_that_separates_them(saturating):
    found = rivals(saturating)
    assert len(found) == 1 and 1 <= found[0][0] < 20
    experiment = next_experiment(saturating)
    assert experiment.decides and experiment.separation > 5
    systems = saturating.models[0].refined.system, experiment.rival
    a, b = (s.simulate(experiment.x0, np.linspace(0, experiment.t_end, 30)) for s in systems)
    assert np.isfinite(a).all() and np.isfinite(b).all()
    assert np.abs(a - b).max() > 3 * saturating.models[0].refined.sigma[0]
    x = saturating.data.items[0].x
    assert abs(experiment.x0[0] - (x.max() + x.min()) / 2) <= BOX * np.ptp(x)
    text = undecided(saturating)
    assert "do not decide between x' = " in text and f"odds {experiment.odds:.2g}:1" in text
    assert experiment == next_experiment(saturating)


def test_no_rival_where_the_data_decide():
    t = np.linspace(0, 6, 40)
    x = System.parse({"x": "-x/(1 + x)"}).simulate([4.0], t)
    x = x + 0.01 * np.random.default_rng(0).normal(size=x.shape)
    ode = judged(["-1.0*x/(1.0 + x)", "-1.0*x + 0.2*x^2"], x, t)
    assert not rivals(ode) and next_experiment(ode) is None and undecided(ode) is None


def test_one_law_written_twice_and_added_terms_are_no_rivals():
    t = np.linspace(0, 4, 30)
    x = 2 * np.exp(-0.7 * t) + 0.01 * np.random.default_rng(1).normal(size=30)
    ode = judged(["-0.7*x", "-7/10*x", "x*(-0.7)", "-0.7*x + 0.001*x^2"], x, t)
    assert not rivals(ode)


def test_an_explosive_best_has_no_rivals(saturating):
    best = saturating.models[0]
    broken = Model(best.parts, dataclasses.replace(best.refined, rss=np.array([np.inf])), best.structure)
    ode = dataclasses.replace(saturating, models=(broken,))
    assert undecided(ode) is None and drift(ode) is None


def test_only_the_linearisation_near_an_equilibrium():
    t = np.linspace(0, 6, 40)
    x = System.parse({"x": "x*(1 - x/10)"}).simulate([9.7], t) + 0.003 * np.random.default_rng(0).normal(size=(40, 1))
    ode = judged(["10.0 - x*1.0"], x, t)
    assert "equilibrium x = 10" in near_equilibrium(ode)
    x = System.parse({"x": "10 - x"}).simulate([1.0], t) + 0.003 * np.random.default_rng(0).normal(size=(40, 1))
    assert near_equilibrium(judged(["10.0 - x*1.0"], x, t)) is None
    assert near_equilibrium(judged(["0.5*x - 0.05*x^2"], x, t)) is None


@pytest.mark.parametrize("value", [0.1, -3.5, 7e22, 1e-12, 0.0, 123456.789])
def test_frozen_keeps_the_value_and_has_no_constant(value):
    expr = frozen(Expr.const(value) * Expr.var("x"))
    assert not expr.constants and expr.variables == ("x",)
    assert float(expr(x=np.ones(1))[0]) == pytest.approx(value, rel=1e-8)


def test_a_drifting_rate():
    t = np.linspace(0, 6, 50)
    x = System.parse({"x": "1 - (0.4 + 0.2*t)*x"}).simulate([3.0], t) + 0.005 * np.random.default_rng(0).normal(size=(50, 1))
    found = find_drift(judged(["1.0 - 0.4*x"], x, t, OdeStatus.MISFIT))
    assert (found.state, str(found.term)) == ("x", "x") and found.odds > 1e6
    assert found.first == pytest.approx(-0.4, abs=0.05) and found.last == pytest.approx(-1.6, abs=0.1)


@pytest.mark.slow
def test_a_drifting_coefficient_is_found_and_a_constant_law_does_not_drift():
    t, rng = np.linspace(0, 20, 100), np.random.default_rng(0)
    for rate, wanted in (("(0.8 + 0.03*t)", True), ("0.8", False)):
        system = System.parse({"a": "a - 0.5*a*b", "b": f"-{rate}*b + 0.3*a*b"})
        x = system.simulate([2.0, 1.0], t)
        x = x + 0.02 * x.std(axis=0) * rng.normal(size=x.shape)
        ode = discover_ode(x, t, names=["a", "b"], libraries=POLYNOMIALS, time_limit=3)
        found = find_drift(ode)
        assert (found is not None) is wanted
        if wanted:
            assert found.state == "b" and str(found.term) == "b"
            assert found.first == pytest.approx(-0.8, abs=0.05) and found.last == pytest.approx(-1.4, abs=0.08)
            assert "the coefficient of b in b' goes from" in drift(ode)


def test_an_exact_law_is_not_looked_at_for_drift(saturating):
    assert drift(dataclasses.replace(saturating, status=OdeStatus.EXACT)) is None
