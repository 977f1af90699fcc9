"""Numbers as they are given: digits carried, exactness, bad input."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.numbers.real import Real


@pytest.mark.parametrize("text, digits, value", [
    ("2.50662827463100050", 18, Fraction("2.50662827463100050")), ("0.00100", 3, Fraction(1, 1000)), ("100.0", 4, 100),
    (".5", 1, Fraction(1, 2)), ("-.5", 1, Fraction(-1, 2)), ("+1.5", 2, Fraction(3, 2)), (" 1.5 ", 2, Fraction(3, 2)), ("1e5", 1, 10**5),
    ("1.50e-3", 3, Fraction(3, 2000)), ("6.62607015E-34", 9, Fraction(662607015, 10**42)), ("1_000.5", 5, Fraction(2001, 2)),
    ("3.141 592 653", 10, Fraction(3141592653, 10**9)), ("\u22123.5", 2, Fraction(-7, 2)), ("0.000", 0, 0),
])
def test_digits_of_a_decimal(text, digits, value):
    real = Real.read(text)
    assert (real.digits, real.value, real.exact) == (digits, value, False)
    assert real.error == Fraction(10) ** (math.floor(math.log10(abs(value))) - digits + 1) / 2 if value else real.error > 0


@pytest.mark.parametrize("given_, value", [("17", 17), ("-0", 0), ("5.", 5), (12, 12), (Fraction(1, 3), Fraction(1, 3)), (np.int64(3), 3),
                                           (10**400, 10**400)])
def test_integers_and_fractions_are_exact(given_, value):
    real = Real.read(given_)
    assert real.exact and real.value == value and real.error == 0


@pytest.mark.parametrize("text", ["pi", "1/3", "zeta(3)/pi^3", "2^10^5", "exp(-10^5)", "e"])
def test_a_formula_is_exact_and_recomputed(text):
    real = Real.read(text)
    assert real.exact and real.value is None
    assert real.ball(200).rel_accuracy_bits() >= 200 * 3.32


@pytest.mark.parametrize("number, digits", [
    (0.1, 15), (np.float64(0.1), 15), (np.float32(0.1), 6), (np.float16(0.1), 3), (Decimal("1.50"), 3), (5e-324, 15), (1.7e308, 15),
    (-0.0, 15)])
def test_a_float_carries_the_digits_of_its_type(number, digits):
    assert Real.read(number).digits == digits


@pytest.mark.parametrize("text", [
    "nan", "-inf", "Infinity", "", "  ", ".", "-", "1e", "1,5", "1.2.3", "2pi", "hello", "sin(pi)", "1/0", "١٢٣.٤", "1e400000", "1e9999999",
    "1j", "True", "(1, 2)", "__import__('os')", "10^10^10", "2^(10^9)", "pi^pi^pi^pi", "exp(-10^7)", "gamma(10^12)",
    float("nan"), float("inf"), Decimal("nan")])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="required"):
        Real.read(text)


@pytest.mark.parametrize("thing", [None, True, [1], b"1.5", 1j, np.array([1.0]), np.complex128(1), np.bool_(True)])
def test_what_is_neither_number_nor_text_is_refused(thing):
    with pytest.raises(TypeError, match="required"):
        Real.read(thing)


def test_a_hundred_thousand_digits():
    real = Real.read("1." + "3" * 99_999)
    assert real.digits == 100_000
    assert real.ball(1000).contains(real.ball(100_000).mid())


def test_more_than_a_hundred_thousand_digits_are_refused():
    with pytest.raises(ValueError, match="at most 100000 digits"):
        Real.read("1." + "3" * 100_001)


def test_an_integer_of_any_length():
    assert Real.read(10**5000).value == Real.read("1" + "0" * 5000).value == 10**5000


def test_a_real_passes_through():
    real = Real.read("1.5")
    assert Real.read(real) is real


@given(st.integers(-10**40, 10**40).filter(bool), st.integers(-300, 300))
def test_the_ball_holds_the_number(mantissa, power):
    text = f"{mantissa}e{power}"
    real = Real.read(text)
    assert real.digits == len(str(abs(mantissa)))
    assert abs(real.ball(60).mid() - real.ball(20).mid()) <= 2 * abs(real.ball(60)) * 10.0 ** -min(20, real.digits)
    assert (real.ball(60) < 0) == (mantissa < 0) or len(str(abs(mantissa))) == 1
