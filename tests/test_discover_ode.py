"""`discover_ode` end to end on small systems, its statuses, its units, and what it refuses."""

import numpy as np
import pytest

from symnum.dynamics.system import System
from symnum.equations.ode import OdeStatus, discover_ode
from symnum.language.expr import Expr

T = np.linspace(0, 8, 80)
QUICK = {"libraries": [("terms_polynomial", 5)], "time_limit": 4.0, "threads": 1}


def found(x, t=T, **options):
    return discover_ode(x, t, **{**QUICK, **options})


def logistic(start, t=T):
    return 1 / (1 + (1 / start - 1) * np.exp(-0.9 * t))


def same(expr: Expr, text: str, tolerance: float, **columns) -> None:
    np.testing.assert_allclose(expr(columns), Expr.parse(text)(columns), atol=tolerance)


AT = np.linspace(0.1, 1, 7)


def test_logistic_growth_is_exact():
    ode = found(logistic(0.1), names=["n"])
    same(ode.equations["n"], "0.9*n*(1 - n)", 1e-4, n=AT)
    assert ode.status is OdeStatus.EXACT
    assert ode.verdict.r2 > 0.999999
    np.testing.assert_allclose(ode.simulate([0.2], T)[:, 0], logistic(0.2), atol=1e-4)


def test_a_noisy_oscillator_is_found_down_to_the_noise():
    truth = System.parse({"q": "p", "p": "-4.0*q - 0.2*p"}).simulate([1.0, 0.0], T)
    x = truth + np.random.default_rng(0).normal(0, [0.02, 0.05], truth.shape)
    ode = found(x, names=["q", "p"])
    assert ode.status is OdeStatus.NOISE
    assert ode.noise["q"] == pytest.approx(0.02, rel=0.25)
    assert ode.noise["p"] == pytest.approx(0.05, rel=0.25)
    same(ode.equations["q"], "p", 0.1, q=AT, p=AT[::-1])
    same(ode.equations["p"], "-4.0*q - 0.2*p", 0.2, q=AT, p=AT[::-1])
    for state, intervals in ode.intervals().items():
        assert state in ("q", "p")
        assert all(i.low <= i.value <= i.high for i in intervals)
    again = found(x, names=["q", "p"])
    assert str(again.system) == str(ode.system)


def test_one_measured_state_of_second_order():
    x = System.parse({"q": "p", "p": "-4.0*q - 0.2*p"}).simulate([1.0, 0.0], T)[:, :1]
    ode = found(x, names=["q"], order=2)
    assert str(ode.equations["q"]) == "q_dot"
    same(ode.equations["q_dot"], "-4.0*q - 0.2*q_dot", 1e-2, q=AT, q_dot=AT[::-1])


def test_inputs_missing_samples_and_irregular_times():
    t = np.sort(np.random.default_rng(1).uniform(0, 10, 120))
    u = np.sin(2 * t)[:, None]
    x = System.parse({"x": "-0.5*x + 2.0*u"}, ["u"]).simulate([1.0], t, u)
    x[np.random.default_rng(2).random(120) < 0.2] = np.nan
    ode = found(x, t, names=["x"], u=u, inputs=["u"])
    same(ode.equations["x"], "-0.5*x + 2.0*u", 0.02, x=AT, u=AT[::-1])
    assert ode.verdict.r2 > 0.999


def test_several_trajectories_with_some_held_out():
    ode = found([logistic(s) for s in (0.05, 0.1, 0.2, 0.4, 1.5)], [T] * 5, names=["n"])
    assert (len(ode.data), len(ode.held_out)) == (4, 1)
    assert ode.verdict.holdout_r2 > 0.9999
    assert ode.score([logistic(0.3)], [T]) > 0.9999


def test_a_guess_is_used_and_a_wrong_one_does_no_harm():
    for guess in ("n' = 0.5*n - 0.5*n^2", "n' = 3*n^3"):
        ode = found(logistic(0.1), names=["n"], guess=guess)
        same(ode.equations["n"], "0.9*n*(1 - n)", 1e-3, n=AT)
        assert bool(ode.repair.removed["n"] if "3" in guess else ode.repair.kept["n"])


def test_a_state_that_never_changes():
    ode = found(np.column_stack([logistic(0.1), np.full(80, 2.0)]), names=["n", "k"])
    np.testing.assert_allclose(ode.simulate([0.1, 2.0], T), np.column_stack([logistic(0.1), np.full(80, 2.0)]), atol=1e-3)


def test_noise_without_a_system_is_not_called_exact():
    ode = found(np.random.default_rng(0).normal(size=(80, 1)), names=["x"], time_limit=2.0)
    assert ode.status is not OdeStatus.EXACT


@pytest.mark.parametrize(("options", "words"), [
    ({"guess": "z' = n"}, "a guess such as"), ({"guess": "n' = n + z"}, "uses z; there are"), ({"guess": "2*n"}, "a guess such as"),
    ({"order": 3}, "an order of 1 or 2"), ({"time_limit": 0}, "time"), ({"grammar": "nonsense"}, "nonsense"),
    ({"names": ["a", "b"]}, "name"), ({"holdout": 1.5}, "share"),
])
def test_bad_input_is_refused(options, words):
    with pytest.raises((ValueError, OSError), match=words):
        found(logistic(0.1), **{"names": ["n"], **options})


def test_short_and_missing_data_are_refused():
    x = logistic(0.1)
    with pytest.raises(ValueError, match="at least 8 samples of every state"):
        found(x[:7], T[:7], names=["n"])
    x[:75] = np.nan
    with pytest.raises(ValueError, match="has 5 of n"):
        found(x, names=["n"])
