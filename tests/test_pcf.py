"""Continued fractions: values against mpmath, balls that hold the limit, tails of the slow ones."""

import mpmath
import pytest
from flint import arb, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from symnum.numbers.equivalence import moebius
from symnum.numbers.formula import ball
from symnum.numbers.pcf import PCF, polynomial_text
from symnum.numbers.pcf_filter import exponent
from symnum.numbers.pcf_limit import limit
from symnum.numbers.pcf_tail import tail_ball

coefficients = st.lists(st.integers(-9, 9), min_size=1, max_size=4).map(tuple)


def plain(a, b, depth):
    """The fraction from its last term upwards, in mpmath."""
    value = mpmath.polyval(a, depth)
    for n in range(depth, 0, -1):
        value = mpmath.polyval(a, n - 1) + mpmath.polyval(b, n) / value
    return value


@given(coefficients, coefficients, st.integers(0, 40))
def test_convergents_are_those_of_the_fraction(a, b, n):
    if not any(b):
        return
    pcf = PCF(a, b)
    p, q, p0, q0 = fmpq(pcf.polynomials[0](0)), fmpq(1), fmpq(1), fmpq(0)
    for k in range(1, n + 1):
        x, y = pcf.polynomials[0](k), pcf.polynomials[1](k)
        p, p0, q, q0 = x * p + y * p0, p, x * q + y * q0, q
    assert pcf.convergents(n + 1) == (p, p0, q, q0)
    if q:
        assert pcf.convergent(n) == p / q
    else:
        with pytest.raises(ZeroDivisionError):
            pcf.convergent(n)


FAST = [((2, 1), (1, 0, 0), "4/pi"), ((1, 3), (-1, 0), "e"), ((34, 51, 27, 5), (-1, *[0] * 6), "6/zeta(3)"), ((4, 2), (1,), "(e+1)/(e-1)"),
        ((11, 11, 3), (1, 0, 0, 0, 0), "5/zeta(2)"), ((1,), (1,), "golden"), ((-2, -1), (1, 0, 0), "-4/pi"),
        ((3, 3), (-2, 1, 0), "4/(3*pi-8)")]
SLOW = [((2, 3, 3, 1), (-1, *[0] * 6), "1/zeta(3)"), ((2, 5, 10, 10, 5, 1), (-1, *[0] * 10), "1/zeta(5)"),
        ((4, 6, 36, 17), (-4, *[0] * 6), "54/(189*zeta(3)-224)"), ((-2, -3, -3, -1), (-1, *[0] * 6), "-1/zeta(3)"),
        ((2, 2, 1), (-1, 0, 0, 0, 0), "1/zeta(2)")]


@pytest.mark.parametrize(("a", "b", "value"), FAST)
@pytest.mark.parametrize("digits", [5, 40, 300])
def test_balls_hold_the_limit(a, b, value, digits):
    found = PCF(a, b).ball(digits)
    assert found.overlaps(ball(value, digits + 10)) and found.rel_accuracy_bits() >= digits * 3.32
    with mpmath.workdps(30):
        if digits == 40:
            assert abs(plain(a, b, 300) - mpmath.mpf(found.str(30, radius=False))) < mpmath.mpf(10) ** -25 * abs(plain(a, b, 300))


@pytest.mark.parametrize(("a", "b", "value"), SLOW)
@pytest.mark.parametrize("digits", [5, 50, 200])
def test_tails_prove_the_digits_of_slow_fractions(a, b, value, digits):
    found = tail_ball(PCF(a, b), digits)
    assert found.overlaps(ball(value, digits + 10)) and found.rel_accuracy_bits() >= digits * 3.32
    assert PCF(a, b).ball(5, depth=512).overlaps(found)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3), st.lists(st.integers(-6, 6), min_size=2, max_size=2), st.lists(st.integers(-6, 6), min_size=1, max_size=1))
def test_tail_balls_overlap_those_of_the_parabola_theorem(lead, a, b):
    """a = 2·lead·n + …, b = −lead² n² + …, with the coefficient of n that makes the exponents finite."""
    full, square = (2 * lead, a[0]), -lead * lead
    linear = -(2 * full[0] * full[1] - full[0] ** 2)
    if linear % 4:
        return
    pcf = PCF(full, (square, linear // 4, b[0]))
    if exponent(pcf.a, pcf.b) is None or pcf.last_term is not None or pcf.proven_from is None:
        return
    found = tail_ball(pcf, 20)
    if found is not None:
        assert found.overlaps(pcf.ball(20, depth=4096))


@pytest.mark.parametrize(("a", "b"), [((2, 1), (1, 0, 0)), ((1, 3), (-1, 0)), ((2, 0), (-1, 0, 0)), ((2, 3, 3, 1), (-1, 1, *[0] * 5))])
def test_what_has_no_such_tail_is_left_alone(a, b):
    assert tail_ball(PCF(a, b), 20) is None


def test_what_is_bounded_only_far_out_is_not_walked_through():
    far = PCF((1, -(10**12)), (1,))  # a changes its sign at n = 10^12
    assert not far.ball(30).is_finite() and limit(far, 30) is None
    assert moebius(PCF((-1, 10**12), (1,)), far) == (1, 0, 0, -1)


def test_rational_and_unproven_fractions_are_refused():
    with pytest.raises(ValueError, match=r"b\(2\) = 0"):
        PCF((1, 1), (1, -2)).ball(10)
    assert tail_ball(PCF((2, 2, 1), (-1, 2, 0, 0, 0)), 10) is None
    with pytest.raises(ValueError, match="proven limit"):
        PCF((1, 0), (-1, 0, 0)).ball(10)
    with pytest.raises(ValueError, match="b other than 0"):
        PCF((1, 2), (0, 0))
    with pytest.raises(ValueError, match="polynomial"):
        PCF((), (1,))


def test_texts():
    assert polynomial_text((0, 0)) == "0" and polynomial_text((-1, 0, 1)) == "-n^2 + 1"
    assert str(PCF((2, 1), (-1, 0, 0))) == "1 - 1/(3 - 4/(5 - 9/(7 - 16/(9 - ...))))"
    assert PCF((0, 2, 1), (1, 0, 0)) == PCF((2, 1), (1, 0, 0))
    assert isinstance(PCF((2, 1), (1, 0, 0)).ball(10), arb)
