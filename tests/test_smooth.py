"""Smoothing: interpolation of noiseless samples, accuracy, the noise's level over seeds, gaps, pieces, units."""

import numpy as np
import pytest

from symnum.dynamics.smooth import LEAST, OVERLAP, WINDOW, _windows, smooth

T = np.linspace(0, 6, 100)


def test_noiseless_samples_are_interpolated():
    for x in (np.sin(T), np.exp(-T), T**2, np.tanh(3 * T - 9)):
        curve = smooth(T, x)
        assert np.abs(curve(T) - x).max() < 1e-5
        assert np.abs(curve.residual).max() < 1e-5
        np.testing.assert_allclose(curve.residual, x - curve(T), atol=1e-9)
        assert curve.sigma < 1e-5
        assert not curve.multiplicative


def test_quadratics_are_reproduced_whatever_the_penalty():
    t = np.sort(np.random.default_rng(0).uniform(0, 5, 40))
    curve, at = smooth(t, 1 + 2 * t - 0.7 * t**2), np.linspace(t[0], t[-1], 57)
    np.testing.assert_allclose(curve(at), 1 + 2 * at - 0.7 * at**2, atol=1e-9)
    np.testing.assert_allclose(curve(at, 1), 2 - 1.4 * at, atol=1e-8)


def test_derivatives_are_accurate():
    curve, at = smooth(T, np.sin(T)), np.linspace(0.5, 5.5, 333)
    assert np.abs(curve(at, 1) - np.cos(at)).max() < 1e-7
    assert np.abs(curve(at, 2) + np.sin(at)).max() < 1e-5
    slope = curve.slope()
    np.testing.assert_allclose(slope(at), curve(at, 1), atol=1e-12)
    np.testing.assert_allclose(slope(at, 1), curve(at, 2), atol=1e-10)
    assert slope.residual.size == 0


@pytest.mark.parametrize("sigma", [0.01, 0.1, 0.3])
def test_the_level_of_noise_is_unbiased(sigma):
    found, errors = [], []
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0, sigma, len(T))
        curve = smooth(T, np.sin(T) + noise)
        found.append(curve.sigma)
        errors.append(np.sqrt(np.mean((curve(T) - np.sin(T)) ** 2)))
    assert abs(np.mean(found) / sigma - 1) < 3 / np.sqrt(2 * 20 * 90)  # three standard errors of a standard deviation
    assert max(abs(np.array(found) / sigma - 1)) < 4.5 / np.sqrt(2 * 90)
    assert np.mean(errors) < 0.4 * sigma


def test_white_noise_is_not_followed():
    levels = [smooth(T, np.random.default_rng(seed).normal(size=100)) for seed in range(20)]
    assert np.mean([c.sigma for c in levels]) == pytest.approx(1, abs=0.07)
    assert np.median([np.std(c(T)) for c in levels]) < 0.3


def test_noise_in_proportion_is_recognised():
    t, right, wrong, sigma = np.linspace(0, 5, 150), 0, 0, []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x = np.exp(t)
        curve = smooth(t, x * (1 + rng.normal(0, 0.05, 150)))
        right += curve.multiplicative
        sigma.append(curve.sigma)
        wrong += smooth(t, np.exp(t / 2) + rng.normal(0, 0.3, 150)).multiplicative
    assert (right, wrong) == (12, 0)
    assert np.mean(sigma) == pytest.approx(0.05, rel=0.08)
    np.testing.assert_allclose(curve.noise(np.array([-2.0, 4.0])), curve.sigma * np.array([2, 4]))
    np.testing.assert_array_equal(smooth(T, np.sin(T)).noise(np.ones(2)), smooth(T, np.sin(T)).sigma)


# missing samples, irregular times ----------------------------------------------------------------------------------------
def test_missing_samples_are_as_if_never_measured():
    x, gone = np.sin(T) + np.random.default_rng(1).normal(0, 0.05, 100), np.random.default_rng(2).random(100) < 0.3
    a, b = smooth(T, np.where(gone, np.nan, x)), smooth(T[~gone], x[~gone])
    np.testing.assert_array_equal(a(T), b(T))
    assert len(a.residual) == (~gone).sum()


def test_a_gap_is_bridged():
    keep = (T < 2.5) | (T > 3.2)
    curve = smooth(T[keep], np.sin(T[keep]))
    assert np.abs(curve(T) - np.sin(T)).max() < 1e-3


@pytest.mark.parametrize("t", [np.geomspace(0.01, 6, 100), np.sort(np.random.default_rng(3).uniform(0, 6, 120)),
                               np.sort(np.concatenate([np.linspace(0, 6, 80), 3 + 1e-4 * np.arange(1, 20)]))],
                         ids=["geometric", "random", "cluster"])
def test_irregular_times(t):
    curve, at = smooth(t, np.sin(t)), np.linspace(1, 5, 100)
    assert np.abs(curve(at) - np.sin(at)).max() < 1e-4
    noisy = smooth(t, np.sin(t) + np.random.default_rng(4).normal(0, 0.05, len(t)))
    assert np.abs(noisy(at) - np.sin(at)).max() < 0.1


@pytest.mark.parametrize("n", [100, 600])
def test_a_curve_goes_straight_on_beyond_its_samples(n):
    t = np.linspace(0, 20, n)
    x = np.sin(t) + np.random.default_rng(0).normal(0, 0.01, n)
    curve = smooth(np.append(t, [25, 30]), np.append(np.where((t < 2) | (t > 18), np.nan, x), [np.nan] * 2))
    seen = t[(t >= 2) & (t <= 18)]
    for end, beyond in ((seen[0], np.array([-3.0, 0, 1])), (seen[-1], np.array([19.0, 22]))):
        value, slope = curve(np.array([end]))[0], curve(np.array([end]), 1)[0]
        np.testing.assert_allclose(curve(beyond), value + slope * (beyond - end))
        np.testing.assert_allclose(curve(beyond, 1), slope)
        assert (curve(beyond, 2) == 0).all()


# long curves -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [WINDOW, WINDOW + 1, 500, 1234])
def test_pieces_cover_everything_and_overlap(n):
    windows = _windows(n)
    assert windows[0][0] == 0
    assert windows[-1][1] == n
    assert all(high - low <= WINDOW for low, high in windows)
    assert all(b[0] > a[0] and a[1] - b[0] >= OVERLAP - 1 for a, b in zip(windows, windows[1:], strict=False))


def test_long_curves_are_smooth_where_pieces_meet():
    t = np.linspace(0, 60, 1000)
    x = np.sin(t)
    curve, fine = smooth(t, x), np.linspace(0, 60, 30_001)
    assert len(curve.pieces) > 3
    assert np.abs(curve(fine) - np.sin(fine)).max() < 1e-6
    assert np.abs(curve(fine, 1) - np.cos(fine)).max() < 1e-4
    noisy = smooth(t, x + np.random.default_rng(0).normal(0, 0.1, 1000))
    assert noisy.sigma == pytest.approx(0.1, rel=0.08)
    assert np.abs(np.diff(noisy(fine))).max() < 2 * (fine[1] - fine[0]) + 1e-3
    np.testing.assert_allclose(noisy.residual, x + np.random.default_rng(0).normal(0, 0.1, 1000) - noisy(t), atol=1e-12)


# units -------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("unit", [1e-100, 1e-6, 1e6, 1e100])
def test_units_do_not_matter(unit):
    x = np.sin(T) + np.random.default_rng(5).normal(0, 0.05, 100)
    plain, large, slow = smooth(T, x), smooth(T, unit * x), smooth(unit * T, x)
    np.testing.assert_allclose(large(T), unit * plain(T), rtol=1e-8, atol=1e-8 * unit)
    np.testing.assert_allclose(slow(unit * T, 1) * unit, plain(T, 1), rtol=1e-6, atol=1e-6)
    assert large.sigma == pytest.approx(unit * plain.sigma)
    assert slow.sigma == pytest.approx(plain.sigma)


@pytest.mark.parametrize("offset", [-1e6, 1e6])
def test_times_may_begin_anywhere(offset):
    assert np.abs(smooth(T + offset, np.sin(T))(T + offset, 1) - np.cos(T)).max() < 1e-5


# little to see -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("value", [0.0, 3.0, -1e9])
@pytest.mark.parametrize("n", [8, 100, 500])
def test_a_constant_stays_one(value, n):
    curve = smooth(np.linspace(0, 1, n), np.full(n, value))
    at = np.linspace(0, 1, 77)
    np.testing.assert_allclose(curve(at), value, rtol=1e-9, atol=1e-12)
    assert np.abs(curve(at, 1)).max() <= 1e-6 * abs(value)
    assert curve.sigma <= 1e-10 * abs(value)


def test_eight_samples_will_do_and_seven_will_not():
    t = np.linspace(0, 1, LEAST)
    assert np.abs(smooth(t, np.exp(t))(t) - np.exp(t)).max() < 1e-4
    x = np.exp(t)
    x[3] = np.nan
    with pytest.raises(ValueError, match="at least 8 samples were required to smooth a curve, got 7"):
        smooth(t, x)
