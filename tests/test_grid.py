"""Fields on grids and their projections."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symnum.dynamics.grid import Field, FieldError, Windows, bump, corner


def travelling(nt=40, nx=64, length=2.0):
    x, t = length * np.arange(nx) / nx, np.linspace(0, 1, nt)
    return np.sin(2 * np.pi * (x - t[:, None]) / length), t, x


def test_axes_that_close_are_seen():
    u, t, x = travelling()
    assert Field.of(u, t, (x,)).periodic == (True,)
    assert Field.of(u[:, :50], t, (x[:50],)).periodic == (False,)


def test_the_repeated_end_of_a_period_is_left_out():
    u, t, x = travelling()
    both = Field.of(np.column_stack([u, u[:, 0]]), t, (np.r_[x, 2.0],))
    assert both.periodic == (True,) and both.shape == (40, 64)


def test_fixed_ends_are_no_period():
    x, t = np.linspace(1, 2, 100), np.linspace(0, 1, 40)
    u = np.exp(-t[:, None]) * np.sin(np.pi * x)
    assert Field.of(u, t, (x,)).periodic == (False,)
    noise = 0.05 * np.random.default_rng(0).normal(size=u.shape)
    assert Field.of(u + noise, t, (x,)).periodic == (False,)


def test_complex_fields_become_two():
    u, t, x = travelling()
    field = Field.of(u + 1j * u**2, t, (x,), names=["psi"])
    assert field.names == ("psi_re", "psi_im") and np.array_equal(field.values[1], u**2)


@pytest.mark.parametrize(("change", "said"), [
    (lambda u, t, x: (u, t[::-1], x), "increasing t"),
    (lambda u, t, x: (u, t, np.r_[x[:-1], x[-2]]), "increasing x"),
    (lambda u, t, x: (u.T, t, x), "transpose"),
    (lambda u, t, x: (u[:, :-1], t, x), "dimension 1 of the field u"),
    (lambda u, t, x: (u[:-1], t, x), "dimension 0 of the field u"),
    (lambda u, t, x: (u[:1], t[:1], x), "points along t"),
    (lambda u, t, x: (u[:5], t[:5], x), "points along t"),
    (lambda u, t, x: (u * np.nan, t, x), "every one is NaN"),
    (lambda u, t, x: (u * 0 + 2, t, x), "constant"),
    (lambda u, t, x: (np.where(u > 0.5, np.inf, u), t, x), "Inf"),
    (lambda u, t, x: (u[..., None], t, x), "2 dimensions"),
    (lambda u, t, x: (u.astype(str), t, x), "numbers"),
    (lambda u, t, x: (u, t * np.nan, x), "finite coordinates t"),
])
def test_bad_fields_are_refused_in_words(change, said):
    u, t, x = change(*travelling())
    with pytest.raises(FieldError, match=said):
        Field.of(u, t, (x,))


def test_names_must_differ():
    u, t, x = travelling()
    with pytest.raises(FieldError, match="twice"):
        Field.of([u, u], t, (x,), names=["u", "u"])
    with pytest.raises(FieldError, match="twice"):
        Field.of(u, t, (x,), names=["x"])


def test_a_periodic_axis_needs_equal_steps():
    u, t, x = travelling()
    with pytest.raises(FieldError, match="equal steps"):
        Field.of(u, t, (x**1.3,), periodic=True)


def test_noise_is_measured():
    u, t, x = travelling(200, 200)
    field = Field.of(u + 0.05 * np.random.default_rng(1).normal(size=u.shape), t, (x,))
    assert field.noise[0] == pytest.approx(0.05, rel=0.1)
    assert Field.of(u, t, (x,)).noise[0] < 1e-5


@given(st.integers(1, 9), st.integers(0, 4), st.floats(-0.9, 0.9))
@settings(max_examples=30, deadline=None)
def test_derivatives_of_bumps(power, order, s):
    h = 1e-5
    if order < power:
        numeric = (bump(np.array(s + h), power, order) - bump(np.array(s - h), power, order)) / (2 * h)
        assert bump(np.array(s), power, order + 1) == pytest.approx(numeric, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("even", [True, False])
def test_integration_by_parts_on_any_grid(even):
    x = np.linspace(0, 1, 200) if even else np.linspace(0, 1, 200) + 0.001 * np.sin(40 * np.linspace(0, 1, 200))
    t = np.linspace(0, 1, 60)
    u = np.exp(x) * np.cos(t)[:, None]
    windows = Windows.spread(Field.of(u, t, (x,)), [12, 40])
    twice, plain = windows.project(u, [(0, 2), (0, 0)])
    assert np.abs(twice / plain - 1).max() < (1e-6 if even else 2e-2)


def test_windows_of_a_slab_at_a_time_are_the_same(monkeypatch):
    u, t, x = travelling()
    windows = Windows.spread(Field.of(u, t, (x,)), [8, 8])
    whole = windows.project(u, [(0, 1), (1, 0)])
    monkeypatch.setattr("symnum.dynamics.grid.SLAB", 200)
    assert np.allclose(windows.project(u, [(0, 1), (1, 0)]), whole, atol=1e-12)


def test_alternating_signs_leave_noise_alone():
    u, t, x = travelling(100, 100)
    windows = Windows.spread(Field.of(u, t, (x,)), [20, 20])
    even, odd = windows.project(u, [(0, 0)])[0], windows.project(u, [(0, 0)], parity=[True, False])[0]
    assert np.abs(odd).max() < 1e-6 * np.abs(even).max()
    e = np.random.default_rng(2).normal(size=u.shape)
    even, odd = windows.project(e, [(0, 0)])[0], windows.project(e, [(0, 0)], parity=[True, False])[0]
    assert odd.std() == pytest.approx(even.std(), rel=0.35)


def test_the_corner_follows_the_waves():
    x, t = np.arange(256) / 256, np.linspace(0, 1, 40)
    slow, fast = (Field.of(sum(np.sin(2 * np.pi * j * (x - t[:, None])) for j in range(1, k)), t, (x,)) for k in (4, 30))
    assert corner(fast)[1] > 3 * corner(slow)[1]
