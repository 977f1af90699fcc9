"""Exact convergents and the metrics of their dynamics, against direct definitions."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symnum.numbers.convergents import convergents, log_gcd
from symnum.numbers.dynamics import NAMES, Kind, dynamics, has_natural_root, kinds, metrics
from symnum.numbers.even_part import even_ball
from symnum.numbers.formula import ball
from symnum.numbers.pcf import PCF

coefficient = st.integers(-5, 5)
polynomial = st.tuples(coefficient, coefficient, coefficient).filter(any)
block = st.lists(st.tuples(polynomial, polynomial), min_size=1, max_size=11)


def recurrence(a, b, n):
    """p_n, q_n in python integers."""
    p0, p, q0, q = 1, a[-1], 0, 1
    for k in range(1, n + 1):
        x, y = (sum(c * k**i for i, c in enumerate(reversed(poly))) for poly in (a, b))
        p0, p, q0, q = p, x * p + y * p0, q, x * q + y * q0
    return p, q


@settings(max_examples=30, deadline=None)
@given(block)
def test_convergents_are_exact(pairs):
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    found = convergents(a, b, (1, 7, 61))
    assert found == [[recurrence(x, y, n) for n in (1, 7, 61)] for x, y in pairs]


def test_large_coefficients_use_smaller_limbs():
    a, b = np.array([[99999, -3, 2]]), np.array([[-88888, 0, 7]])
    assert convergents(a, b, (40,)) == [[recurrence(a[0].tolist(), b[0].tolist(), 40)]]
    with pytest.raises(ValueError, match="below 2\\^29"):
        convergents(10**3 * a, b, (40,))


@pytest.mark.parametrize("depths", [(), (0, 3), (5, 5), (7, 3)])
def test_depths_ascend(depths):
    with pytest.raises(ValueError, match="ascending depths"):
        convergents(np.array([[1]]), np.array([[1]]), depths)


def test_log_gcd():
    p, q = recurrence((3, 1), (-2, 1, 0), 200)
    assert log_gcd(np.array([[3, 1]]), np.array([[-2, 1, 0]]), (200,))[0, 0] == pytest.approx(math.log(math.gcd(p, q)))


@pytest.mark.parametrize(("a", "b"), [((1, 3), (-1, 0)), ((3, 1), (-2, 1, 0)), ((1,), (1,)), ((2, 0, 1), (1, -5, 3)),
                                      ((5, -3, 2), (-5, 1, 3)),
                                      ((-3, 2), (2,)), ((2, 1), (1, 0, 0)), ((1, -2), (1,))])
def test_delta_is_its_definition(a, b):
    depth = 200
    found = dynamics(PCF(a, b), depth)
    p, q = recurrence(a, b, depth)
    far = recurrence(a, b, 8 * depth)
    with mpmath.workdps(4000):
        limit = mpmath.mpf(far[0]) / far[1]
        error = mpmath.log(abs(limit - mpmath.mpf(p) / q))
        g = math.gcd(p, q)
        assert found["delta"] == pytest.approx(float(-error / mpmath.log(abs(q) // g) - 1), rel=1e-8, abs=1e-8)
        assert found["naive_delta"] == pytest.approx(float(-error / mpmath.log(abs(q)) - 1), rel=1e-8, abs=1e-8)
    assert found["value"] == pytest.approx(float(limit), rel=1e-12)


@pytest.mark.parametrize(("a", "b", "growth", "error"), [
    ((1,), (1,), (math.log((1 + 5**0.5) / 2), 0), (-2 * math.log((1 + 5**0.5) / 2), 0)),
    ((1, 1), (1,), (-1, 1), (2, -2)),  # q_n ~ n!, error ~ 1/(n!)²
    ((3, 1, 1), (2,), (math.log(3) - 2, 2), (4 + math.log(2 / 9), -4)),
])
def test_fits_give_the_leading_terms(a, b, growth, error):
    found = dynamics(PCF(a, b))
    assert (found["c"], found["d"]) == pytest.approx(growth, abs=0.03)
    assert (found["conv_c"], found["conv_d"]) == pytest.approx(error, abs=0.03)


def test_a_factorial_reduction_is_seen():
    found = dynamics(PCF((3, 1), (-2, 1, 0)))  # 2/pi
    assert found["reduced"] and found["delta"] == pytest.approx(found["predicted_delta"], abs=0.02)
    assert found["delta"] - found["naive_delta"] > 0.2
    assert found["log_ratio"] == pytest.approx(math.log(2))
    assert not dynamics(PCF((3, 1), (-2, 1, 1)))["reduced"]


@settings(max_examples=20, deadline=None)
@given(block)
def test_the_sign_of_a_changes_the_value_only(pairs):
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    one, other = metrics(a, b, 128), metrics(-a, b, 128)
    for name in NAMES:
        x, y = getattr(one, name), getattr(other, name)
        np.testing.assert_allclose(x, -y if name == "value" else y, rtol=1e-9, atol=1e-9, equal_nan=True)


@settings(max_examples=20, deadline=None)
@given(block, st.integers(2, 4))
def test_inflation_is_seen_through(pairs, c):
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    one, other = metrics(a, b, 128), metrics(c * a, c * c * b, 128)
    np.testing.assert_array_equal(one.kind, other.kind)
    grown = np.isfinite(one.delta) & (np.abs(one.value) > 1e-3) & (np.abs(one.c + one.d * math.log(128)) > 0.5)
    slack = (2 + 2 * np.abs(one.delta[grown]).max(initial=0)) * math.log(c) / 50  # the common factor is c^n up to one factor of c
    np.testing.assert_allclose(one.delta[grown], other.delta[grown], atol=slack)
    np.testing.assert_allclose(one.value * c, other.value, rtol=1e-9, equal_nan=True)


def test_kinds():
    cases = {
        Kind.FACTORIAL: [((2, 1), (1,)), ((1, 1), (1, 1))],
        Kind.EXPONENTIAL: [((1,), (1,)), ((3, 1), (-2, 1, 0))],
        Kind.SUBEXPONENTIAL: [((1,), (1, 0)), ((2, 2), (-1, 0, 0))],
        Kind.POLYNOMIAL: [((2,), (1, 0, 0)), ((2,), (-1,)), ((2, 1), (-1, 0, 0))],
        Kind.DIVERGENT: [((1,), (-1,)), ((1,), (1, 0, 0, 0)), ((2, 0), (-1, 0, -1)), ((1, 0), (-1, 0, 0))],
        Kind.RATIONAL: [((1, 1), (1, -3)), ((1,), (1, -3, 2))],
    }
    for kind, a, b in ((kind, a, b) for kind, pairs in cases.items() for a, b in pairs):
        assert kinds(np.array([a]), np.array([b]))[0] == kind, (a, b)


@settings(max_examples=50, deadline=None)
@given(polynomial, polynomial)
def test_kinds_agree_with_what_is_proven(a, b):
    fraction = PCF(a, b)
    kind = kinds(np.array([a]), np.array([b]))[0]
    assert (kind == Kind.RATIONAL) == (fraction.last_term is not None) == has_natural_root(np.array([b]))[0]
    if kind == Kind.DIVERGENT:
        assert fraction.proven_from is None


@pytest.mark.parametrize(("a", "b"), [([[0, 0]], [[1, 1]]), ([[1, 1]], [[0, 0]]), ([[1.5]], [[1]]), ([[1]], [[1], [2]]), ([1], [1])])
def test_bad_blocks(a, b):
    with pytest.raises(ValueError, match="required"):
        metrics(np.array(a), np.array(b))


def test_depth_too_small():
    with pytest.raises(ValueError, match="a depth of at least 128"):
        metrics(np.array([[1]]), np.array([[1]]), 20)


def test_an_empty_block():
    assert len(metrics(np.zeros((0, 3), int), np.zeros((0, 3), int))) == 0


def test_divergent_and_rational_have_no_metrics():
    found = metrics(np.array([[0, 1], [1, 1]]), np.array([[0, -1], [1, -3]]))
    assert np.isnan(found.delta).all() and np.isnan(found.value).all()


def test_even_part():
    for a, b, text in [((2,), (1, 0, 0), "2/(4 - pi)"), ((1,), (1, 1, 0), "2/(pi - 2)"), ((2,), (4, 4, 1), "pi/(4 - pi)")]:
        found = even_ball(PCF(a, b), 60)
        assert found.rel_accuracy_bits() > 60 * 3.32 and found.overlaps(ball(text, 60))
    assert even_ball(PCF((1, 1), (1, 0, 0)), 30) is None and even_ball(PCF((1,), (1, -3, 2)), 30) is None
