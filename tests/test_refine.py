"""Constants through the integrator: recovery, pieces, unmeasured states, explosions, intervals against repetition."""

import numpy as np
import pytest

from symnum.dynamics.refine import LEAST_PIECE, followed, growth, pieces_of, refine
from symnum.dynamics.system import System
from symnum.dynamics.trajectory import Trajectories
from symnum.dynamics.weak import Curve

T = np.linspace(0, 6, 80)
SPRING = System.parse({"q": "p", "p": "-4.0*q - 0.3*p"})
TRUE = SPRING.simulate([1.0, 0.0], T)
START = System.parse({"q": "p", "p": "-3.6*q - 0.5*p"})


def curves_of(x, t=T, order=1, **others) -> tuple[list[Curve], np.ndarray]:
    data = Trajectories.of(x, t, **others)
    curves = [Curve.of(item, order) for item in data]
    return curves, np.sqrt(np.mean(np.concatenate([c.x for c in curves]) ** 2, axis=0))


def fit(system, x, count=1, t=T, order=1, **others):
    curves, scale = curves_of(x, t, order, **others)
    return refine(system, pieces_of(curves, count), scale)


def constants(found) -> list[float]:
    return [c for e in found.system.equations for c in e.constants]


# recovery ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [1, 3, 8])
def test_constants_are_recovered(count):
    found = fit(START, TRUE, count)
    np.testing.assert_allclose(constants(found), [-4, 0.3], rtol=1e-5)
    assert found.finite
    assert found.starts.shape == (count, 2)
    np.testing.assert_allclose(found.starts[0], [1, 0], atol=1e-5)
    assert found.count.tolist() == [80, 80]
    assert found.sigma.max() < 1e-5


def test_inputs_time_and_several_trajectories():
    truth = System.parse({"x": "-0.7*x + 2.0*u + 0.1*t"}, ["u"])
    u = [np.sin(3 * T)[:, None], np.cos(T)[:, None]]
    x = [truth.simulate([s], T, v) for s, v in zip((0.5, -1.0), u, strict=True)]
    curves, scale = curves_of(x, [T, T], u=u, inputs=["u"])
    found = refine(System.parse({"x": "-0.5*x + 1.5*u + 0.2*t"}, ["u"]), pieces_of(curves, 1), scale)
    np.testing.assert_allclose(constants(found), [-0.7, 2, 0.1], rtol=1e-4)
    np.testing.assert_allclose(found.starts[:, 0], [0.5, -1], atol=1e-5)


def test_missing_samples_do_not_count():
    x = TRUE.copy()
    x[np.random.default_rng(0).random(x.shape) < 0.3] = np.nan
    found = fit(START, x)
    np.testing.assert_allclose(constants(found), [-4, 0.3], rtol=1e-4)
    assert found.count.tolist() == np.isfinite(x).sum(axis=0).tolist()
    np.testing.assert_array_equal(np.isnan(found.residuals[0]), np.isnan(x))


def test_a_state_that_nobody_measured():
    found = fit(START, TRUE[:, :1], order=2)
    np.testing.assert_allclose(constants(found), [-4, 0.3], rtol=1e-4)
    assert found.count.tolist() == [80, 0]
    assert found.misfit < 80 / 2 * np.log(1e-8)
    assert found.independent[1] == 0


def test_a_system_without_constants_is_measured():
    found = fit(System.parse({"q": "p", "p": "-4*q"}), TRUE)
    assert found.covariance.shape == (0, 0)
    assert found.sigma.min() > 0.1


def test_no_steps_only_measure():
    curves, scale = curves_of(TRUE)
    found = refine(START, pieces_of(curves, 1), scale, steps=0)
    assert constants(found) == [-3.6, 0.5]


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_of_states_do_not_matter(unit):
    noisy = TRUE + np.random.default_rng(1).normal(0, 0.02, TRUE.shape)
    a, b = fit(START, noisy), fit(START, unit * noisy)
    np.testing.assert_allclose(constants(b), constants(a), rtol=1e-4)
    np.testing.assert_allclose(b.sigma, unit * a.sigma, rtol=1e-4)


def test_noise_in_proportion_to_large_states_is_fitted():
    t = np.linspace(0, 4, 100)
    x = 1e6 * np.exp(-0.9 * t) * (1 + np.random.default_rng(3).normal(0, 0.05, 100))
    curves, scale = curves_of(x, t)
    assert curves[0].smooths[0].multiplicative
    found = refine(System.parse({"x0": "-0.6*x0"}), pieces_of(curves, 1), scale)
    error = np.sqrt(found.covariance[0, 0])
    assert abs(constants(found)[0] + 0.9) < 4 * error < 0.1
    assert found.sigma[0] == pytest.approx(0.05, rel=0.25)


# explosions --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["50.0*q", "1.0*q^3 + 100.0*q", "exp(9.0*q)", "-1.0/(q - q)", "log(-2.0 - q^2)"])
def test_an_explosive_start_is_told_and_nothing_breaks(text):
    found = fit(System.parse({"q": "p", "p": text}), TRUE)
    assert not found.finite
    assert found.misfit == np.inf
    assert constants(found) == list(System.parse({"p": text}).equations[0].constants)
    assert found.independent.shape == (2,)
    assert found.covariance.shape == (len(constants(found)),) * 2


def test_pieces_hold_chaos():
    lorenz = System.parse({"x": "10.0*(y - x)", "y": "x*(28.0 - z) - y", "z": "x*y - 2.6666666666666665*z"})
    t = np.linspace(0, 6, 400)
    x = lorenz.simulate([1.0, 2.0, 20.0], t)
    curves, scale = curves_of(x, t)
    start = System.parse({"x": "9.5*(y - x)", "y": "x*(27.5 - z) - y", "z": "x*y - 2.5*z"})
    found = refine(start, pieces_of(curves, 12), scale)
    np.testing.assert_allclose(constants(found), [10, 28, 8 / 3], rtol=1e-3)
    assert growth(found.system, pieces_of(curves, 12), found.starts, scale) > 2
    spring = fit(SPRING, TRUE)
    curves, scale = curves_of(TRUE)
    assert growth(SPRING, pieces_of(curves, 1), spring.starts, scale) == pytest.approx(0, abs=0.3)


# how sure ----------------------------------------------------------------------------------------------------------------
def test_covariance_is_that_of_repetitions():
    found, claimed = [], []
    for seed in range(24):
        result = fit(START, TRUE + np.random.default_rng(seed).normal(0, 0.05, TRUE.shape), 1 + 2 * (seed % 2))
        found.append(constants(result))
        claimed.append(np.sqrt(np.diag(result.covariance)))
    found, claimed = np.array(found), np.array(claimed)
    z = (found - [-4, 0.3]) / claimed
    assert 0.6 < np.sqrt(np.mean(z**2)) < 1.45
    assert np.abs(z).max() < 4.5


def test_what_the_data_do_not_determine_has_no_error():
    t = np.linspace(0, 3, 40)
    found = fit(System.parse({"x0": "-1.0*x0*0.5 + 0.0*(x0 - x0)"}), np.exp(-t), t=t)
    assert np.isinf(np.diag(found.covariance)).all()
    assert found.system.equations[0].constants[0] * found.system.equations[0].constants[1] == pytest.approx(-1, rel=1e-4)


def test_white_and_coloured_residuals():
    noise = np.random.default_rng(0).normal(0, 0.05, TRUE.shape)
    assert (fit(START, TRUE + noise).independent > 50).all()
    slow = np.sin(0.7 * T)[:, None] * 0.2
    assert (fit(START, TRUE + slow).independent < 15).all()


# pieces ------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("n", "count"), [(9, 1), (9, 5), (80, 1), (80, 8), (80, 500), (81, 10)])
def test_every_sample_is_in_one_piece(n, count):
    x = np.random.default_rng(n).normal(size=(n, 1))
    curves, _ = curves_of(x, np.arange(n))
    pieces = pieces_of(curves, count)
    assert len(pieces) <= count
    assert all(len(p.t) > LEAST_PIECE for p in pieces)
    measured = np.concatenate([p.x[np.isfinite(p.x)] for p in pieces])
    np.testing.assert_array_equal(measured, x[:, 0])
    assert all(a.t[-1] == b.t[0] for a, b in zip(pieces, pieces[1:], strict=False))


def test_curves_follow_a_solution():
    noisy = TRUE + np.random.default_rng(2).normal(0, 0.1, TRUE.shape)
    curves, scale = curves_of(noisy)
    for count in (1, 4):
        pieces = pieces_of(curves, count)
        along = followed(curves, pieces, refine(START, pieces, scale), scale)[0]
        want = SPRING.simulate([1.0, 0.0], curves[0].grid)
        if count == 1:
            assert np.mean((along.x - want) ** 2) < 0.5 * np.mean((curves[0].x - want) ** 2)
        assert np.abs(along.x - want).max() < 0.15
        np.testing.assert_allclose(along.smooths[0].residual, noisy[:, 0] - np.interp(T, along.grid, along.x[:, 0]), atol=0.05)
