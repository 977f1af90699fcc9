"""The weak form: exact identities for known solutions, irregular times, missing samples, order 2, and white projections."""

import numpy as np
import pytest

from symnum.dynamics.trajectory import Trajectories
from symnum.dynamics.weak import POWER, Curve, bump, weak_form, widths

T = np.linspace(0, 8, 120)


def curve_of(x, t=T, order=1, u=None, inputs=None) -> Curve:
    return Curve.of(Trajectories.of(x, t, u=u, inputs=inputs).items[0], order)


# bumps -------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("derivative", [1, 2])
@pytest.mark.parametrize("p", [3, POWER])
def test_derivatives_of_bumps(p, derivative):
    s, h = np.linspace(-0.99, 0.99, 51), 1e-5
    want = (bump(s + h, p, derivative - 1) - bump(s - h, p, derivative - 1)) / (2 * h)
    np.testing.assert_allclose(bump(s, p, derivative), want, atol=1e-6)


@pytest.mark.parametrize("derivative", [0, 1, 2])
def test_bumps_vanish_outside(derivative):
    assert (bump(np.array([-3.0, -1, 1, 1.5]), derivative=derivative) == 0).all()


# identities --------------------------------------------------------------------------------------------------------------
IRREGULAR = np.sort(np.random.default_rng(0).uniform(0, 8, 150))


@pytest.mark.parametrize("t", [T, IRREGULAR], ids=["regular", "irregular"])
def test_the_true_right_hand_side_has_the_target(t):
    curve = curve_of(np.column_stack([np.cos(2 * t), -2 * np.sin(2 * t)]), t)
    weak = weak_form([curve], widths([curve]))
    q, p = curve.x.T
    size = np.sqrt(np.mean(weak.target**2, axis=1))
    for state, f in enumerate((p, -4 * q)):
        assert np.abs(weak.project(f[:, None])[:, 0] - weak.target[state]).max() < 1e-3 * size[state]
        assert np.abs(weak.project(1.1 * f[:, None])[:, 0] - weak.target[state]).max() > 0.05 * size[state]


def test_projections_are_linear():
    curve = curve_of(np.sin(T))
    weak = weak_form([curve], [1.0, 2.0])
    f, g = np.random.default_rng(0).normal(size=(2, len(curve.grid)))
    both = weak.project(np.column_stack([f, g]))
    assert both.shape == (weak.rows, 2)
    np.testing.assert_allclose(weak.project((2 * f - 3 * g)[:, None])[:, 0], 2 * both[:, 0] - 3 * both[:, 1], atol=1e-12)


def test_a_projection_is_an_integral():
    curve = curve_of(np.exp(-T))
    weak = weak_form([curve], [0.45 * 8])
    assert weak.rows > 1
    want = weak.operators[0] @ np.exp(-curve.grid)
    np.testing.assert_allclose(-want, weak.target[0], atol=1e-6 * np.abs(want).max())


def test_order_two_needs_no_velocity():
    curve = curve_of(np.cos(2 * T)[:, None], order=2)
    assert curve.x.shape[1] == 2
    assert np.abs(curve.x[:, 1] + 2 * np.sin(2 * curve.grid)).max() < 1e-5
    assert np.isnan(curve.data.x[:, 1]).all()
    weak = weak_form([curve], [1.5, 2.5], order=2)
    assert np.isnan(weak.target[0]).all()
    size = np.sqrt(np.mean(weak.target[1] ** 2))
    assert np.abs(weak.project(-4 * curve.x[:, :1])[:, 0] - weak.target[1]).max() < 1e-3 * size


def test_inputs_are_on_the_grid():
    u = np.sin(T)
    curve = curve_of(1 - np.cos(T), u=u, inputs=["u"])
    np.testing.assert_allclose(curve.u[:, 0], np.sin(curve.grid), atol=1e-3)
    weak = weak_form([curve], [1.0])
    assert np.abs(weak.project(curve.u)[:, 0] - weak.target[0]).max() < 2e-3 * np.abs(weak.target[0]).max()


# several trajectories, missing samples -----------------------------------------------------------------------------------
def test_trajectories_are_projected_one_by_one():
    a, b = curve_of(np.exp(-T)), curve_of(2 * np.exp(-T[:50]), T[:50])
    weak = weak_form([a, b], [1.0])
    alone = weak_form([a], [1.0]), weak_form([b], [1.0])
    assert weak.rows == alone[0].rows + alone[1].rows
    np.testing.assert_array_equal(weak.target, np.concatenate([w.target for w in alone], axis=1))
    x = np.concatenate([a.x, b.x])
    assert np.abs(weak.project(-x)[:, 0] - weak.target[0]).max() < 1e-5


def test_a_trajectory_shorter_than_every_bump_gives_none():
    a, b = curve_of(np.exp(-T)), curve_of(np.exp(-T[:20]), T[:20])
    assert weak_form([b], [2.0]).rows == 0
    assert weak_form([a, b], [2.0]).rows == weak_form([a], [2.0]).rows


def test_missing_samples_leave_the_identity():
    x = np.column_stack([np.cos(2 * T), -2 * np.sin(2 * T)])
    x[np.random.default_rng(1).random(x.shape) < 0.25] = np.nan
    curve = curve_of(x)
    weak = weak_form([curve], widths([curve]))
    assert np.abs(weak.project(curve.x[:, 1:])[:, 0] - weak.target[0]).max() < 0.01 * np.abs(weak.target[0]).max()


def test_nothing_is_projected_where_a_state_was_not_measured():
    x = np.column_stack([np.cos(2 * T), -2 * np.sin(2 * T)])
    x[:20, 0], x[-10:, 1] = np.nan, np.nan
    curve = curve_of(x)
    assert (curve.grid[0], curve.grid[-1]) == (T[20], T[-11])
    weak = weak_form([curve], widths([curve]))
    assert np.abs(weak.project(curve.x[:, 1:])[:, 0] - weak.target[0]).max() < 0.01 * np.abs(weak.target[0]).max()


def test_states_never_measured_together_keep_the_whole_grid():
    x = np.column_stack([np.cos(T), np.sin(T)])
    x[60:, 0], x[:60, 1] = np.nan, np.nan
    assert (curve_of(x).grid[0], curve_of(x).grid[-1]) == (0, 8)


# noise -------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("t", [T, IRREGULAR, T], ids=["regular", "irregular", "missing"])
def test_projected_noise_is_white(t, request):
    x = np.exp(-t / 4)
    if "missing" in request.node.name:
        x[np.random.default_rng(7).random(len(t)) < 0.2] = np.nan
    curve = curve_of(x, t)
    weak, sigma, found = weak_form([curve], widths([curve])), 0.01, []
    for seed in range(30):
        noisy = curve_of(x + np.random.default_rng(seed).normal(0, sigma, len(t)), t)
        found.append(weak_form([noisy], widths([noisy])).target[0] - weak.target[0])
    found = np.array(found) / sigma
    assert np.mean(found**2) == pytest.approx(0.9, abs=0.2)
    rows = found / np.linalg.norm(found, axis=0)
    apart = (rows.T @ rows)[~np.eye(weak.rows, dtype=bool)]
    assert np.mean(apart**2) == pytest.approx(1 / 30, rel=0.2)  # as of independent columns


def test_the_target_is_unbiased():
    curve = curve_of(np.exp(-T))
    weak = weak_form([curve], [1.0, 3.0])
    noisy = [curve_of(np.exp(-T) + np.random.default_rng(seed).normal(0, 0.1, 120)) for seed in range(40)]
    mean = np.mean([weak_form([c], [1.0, 3.0]).target[0] for c in noisy], axis=0)
    assert 0.5 < np.mean((mean - weak.target[0]) ** 2) / (0.01 / 40) < 2.2


# widths ------------------------------------------------------------------------------------------------------------------
def test_widths_grow_from_samples_to_the_trajectory():
    curve = curve_of(np.sin(T))
    found = widths([curve])
    assert found[0] == pytest.approx(4 * 8 / 119)
    assert all(b == pytest.approx(1.7 * a) for a, b in zip(found, found[1:], strict=False))
    assert 0.45 * 8 / 1.7 <= found[-1] < 0.45 * 8
    assert widths([curve_of(np.sin(T[:8]), T[:8])]) == [pytest.approx(0.45 * T[7])]
