"""Integer relations: planted ones are found, none is made up, and no input is too strange."""

import math
import random

import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from symnum.numbers.formula import ball
from symnum.numbers.relation import common_digits, first_row, integer_relation, integer_relations, minimal_polynomial, needed_digits

PI, E = ball("pi", 50), ball("e", 50)


def scaled(x: arb, power: int) -> arb:
    with ctx.workprec(400):
        return x * arb(10) ** power


@pytest.mark.parametrize("values, coefficients", [
    ([arb(0), PI], (1, 0)), ([PI, arb(0)], (0, 1)), ([arb(0), arb(0)], (1, 0)), ([PI, PI], (1, -1)), ([PI, PI, PI], (1, -1, 0)),
    ([arb(1), arb(2)], (2, -1)), ([arb(3), arb(5), arb(7)], (1, -2, 1)),
    ([scaled(PI, 400), 2 * scaled(PI, 400)], (2, -1)), ([scaled(PI, -400), 2 * scaled(PI, -400)], (2, -1)),
])
def test_zeros_equal_values_and_magnitudes(values, coefficients):
    with ctx.workprec(400):
        relation = integer_relation(values)
    assert relation is not None and relation.coefficients == coefficients and relation.accepted == (relation.digits >= relation.needed)


def test_negative_values():
    with ctx.workprec(200):
        relation = integer_relation([PI, -PI])
    assert relation is not None and relation.coefficients == (1, 1)


@pytest.mark.parametrize("values", [[PI, scaled(PI, 400)], [PI, scaled(PI, -400), E], [PI, E], [PI, E, ball("zeta(3)", 50)]])
def test_no_relation_is_made_up(values):
    assert integer_relation(values) is None


@pytest.mark.parametrize("values", [[], [PI], [arb("nan"), PI], [arb("inf"), PI]])
def test_too_few_or_not_finite(values):
    with pytest.raises(ValueError, match="at least two finite numbers"):
        integer_relation(values)


@pytest.mark.parametrize("values, digits", [([arb("3.1 +/- 0.05"), PI], None), ([arb("0 +/- 1"), PI], None), ([PI, E], 2), ([PI, E], 0)])
def test_too_few_digits(values, digits):
    with pytest.raises(ValueError, match="at least 3 digits"):
        integer_relation(values, digits)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 10), st.integers(1, 1000), st.integers(0, 10**6))
def test_a_planted_relation_is_found(n, height, seed):
    rng = random.Random(seed)
    digits = needed_digits(n, height) + 5
    unit = 10 ** (digits + 10)
    numbers = [rng.randrange(unit // 10, unit) for _ in range(n - 1)]
    c = [rng.choice((-1, 1)) * rng.randint(1, height) for _ in range(n)]
    with ctx.workprec(math.ceil(4 * digits) + 100):
        last = arb(-sum(a * x for a, x in zip(c, numbers, strict=False))) / c[-1]
        values = [arb(x) / unit + arb(0, arb(10) ** -digits / 2) for x in numbers] + [last / unit + arb(0, arb(10) ** -digits / 2)]
        relation = integer_relation(values)
    common = math.gcd(*c) * (1 if c[0] > 0 else -1)
    assert relation is not None
    assert relation.coefficients == tuple(a // common for a in c) and relation.accepted


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(10**29, 10**30), min_size=2, max_size=6))
def test_random_numbers_have_no_accepted_relation(numbers):
    with ctx.workprec(200):
        relation = integer_relation([arb(x) + arb(0, 1) for x in numbers])
    if relation is not None and relation.accepted:  # only where it is true of the integers themselves
        assert abs(sum(a * x for a, x in zip(relation.coefficients, numbers, strict=True))) <= sum(map(abs, relation.coefficients))


def test_large_n():
    with ctx.workprec(2000):
        values = [ball(f"sqrt({n})", 400) for n in range(2, 42)] + [ball("sqrt(2) - 3*sqrt(41) + 5*sqrt(11)", 400)]
        found = integer_relations(values)
    assert any(abs(r.coefficients[-1]) == 1 and r.coefficients[0] == -r.coefficients[-1] for r in found if r.coefficients[-1])
    assert all(r.accepted for r in found)  # sqrt(8) = 2 sqrt(2) and its like


def test_rules_of_acceptance():
    assert needed_digits(2, 0) == needed_digits(2, 1) == 10
    assert needed_digits(4, 100) == 22
    assert needed_digits(4, 100, choices=1000) == 25
    assert needed_digits(1, 10**400) == 610


def test_22_7_is_not_accepted_for_pi():
    with ctx.workprec(40):
        relation = integer_relation([arb("3.14159265 +/- 1e-3"), arb(1)], digits=3)
    assert relation is None or not relation.accepted


@pytest.mark.parametrize("values, digits", [
    ([], 150), ([arb(1)], 150), ([arb("0 +/- 1e-30"), arb(1)], 29), ([arb("3.14159 +/- 1e-8"), arb(1)], 8), ([arb("0 +/- 1")], 0)])
def test_common_digits(values, digits):
    assert common_digits(values) == digits


def test_common_digits_beyond_floats():
    with ctx.workprec(100):
        assert common_digits([arb("1e400 +/- 1e390")]) == 9 and common_digits([arb("1e-400 +/- 1e-410")]) == 9
    with pytest.raises(ValueError, match="finite"):
        common_digits([arb("nan")])


def test_first_row_is_a_short_relation():
    *c, rest = first_row([2 * 10**20, 3 * 10**20])
    assert rest == 0 and sorted(map(abs, c)) == [2, 3]


@pytest.mark.parametrize("text, coefficients", [
    ("sqrt(2)", (2, 0, -1)), ("1/3", (1, -3)), ("sqrt(2) + sqrt(3)", (1, 0, -10, 0, 1)), ("golden", (1, 1, -1)), ("-cbrt(5)", (5, 0, 0, 1)),
])
def test_minimal_polynomial(text, coefficients):
    relation = minimal_polynomial(ball(text, 50), 6)
    assert relation is not None and relation.coefficients == coefficients


@pytest.mark.parametrize("text, degree", [("pi", 6), ("sqrt(2)", 1), ("sqrt(2)", 0), ("10^300*sqrt(2)", 3), ("sqrt(2)/10^300", 3)])
def test_no_polynomial_is_made_up(text, degree):
    assert minimal_polynomial(ball(text, 50), degree) is None
