"""Möbius images and relations: everything that is an image is found, nothing else is claimed."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.numbers.equivalence import primitive
from symnum.numbers.formula import ball
from symnum.numbers.pcf import PCF
from symnum.numbers.pcf_limit import limit
from symnum.numbers.pcf_match import Images, Match, convergence, find, holds
from symnum.numbers.pcf_screen import compress

IMAGES = Images.of(("pi", "e"), 5)


def test_images_are_counted_once():
    """As many as coprime quadruples up to sign, less those without the constant."""
    count = sum(
        1 for x, y, g, d in itertools.product(range(-3, 4), repeat=4)
        if math.gcd(x, y, g, d) == 1 and x * d != y * g and (g > 0 or (g == 0 and d > 0)))
    images = Images.of(("pi",), 3)
    assert len(images.values) == count
    assert len({tuple(row) for row in images.rows.tolist()}) == count
    assert np.all(np.diff(images.values) >= 0)


@given(st.sampled_from(["pi", "e"]), st.tuples(*[st.integers(-5, 5)] * 4))
def test_every_image_is_near_itself(constant, row):
    x, y, g, d = row
    if x * d == y * g:
        return
    value = (x * float(ball(constant, 20)) + y) / (g * float(ball(constant, 20)) + d)
    rows = [IMAGES.rows[i].tolist() for i in IMAGES.near(np.array([value * (1 + 1e-13)]))[0]]
    common = math.gcd(*row) * (1 if g > 0 or (g == 0 and d > 0) else -1)
    assert [IMAGES.constants.index(constant), *(c // common for c in row)] in rows
    assert all(abs(IMAGES.values[i] - compress(np.array([value]))[0]) < 1e-10 for i in IMAGES.near(np.array([value]))[0])


def test_what_is_near_need_not_hold():
    assert holds((4, 0, 0, 1), "pi", ball("4*pi", 40)) and holds((0, 4, 1, 0), "pi", ball("4/pi", 40))
    assert not holds((0, 4, 1, 0), "pi", ball("4/pi + 10^-20", 40))


@pytest.mark.parametrize("height", [0, -1, 31, 10**6])
def test_heights_out_of_range(height):
    with pytest.raises(ValueError, match="1 to 30"):
        Images.of(("pi",), height)


@pytest.mark.parametrize(("a", "b", "constants", "formula"), [
    ((2, 1), (1, 0, 0), ["pi"], "4/pi"), ((1, 3), (-1, 0), ["e"], "e"), ((34, 51, 27, 5), (-1, *[0] * 6), ["zeta(3)"], "6/zeta(3)"),
    ((2, 3, 11, 5), (-1, *[0] * 6), ["zeta(3)"], "1/(zeta(3) - 1)"), ((3, 2), (-2, -1, 1), ["pi"], "(pi + 4)/(pi + 2)"),
    ((-2, -1), (1, 0, 0), ["pi"], "-4/pi"), ((1, 2), (2, 0), ["e^2"], None), ((3, 3, 1), (-2, 0, 0, 0, 0), ["catalan"], "1/(2*catalan)"),
    ((2, 5, 22, 28, 23, 7), (-1, *[0] * 10), ["zeta(3)", "zeta(5)"], "2/(2*zeta(5) + 6*zeta(3) - 9)")])
def test_relations_are_found(a, b, constants, formula):
    match = find(PCF(a, b), constants, 80)
    if formula is None:
        assert match is None or isinstance(match, Match)
        return
    assert match.formula == formula
    assert match.relation.accepted and match.relation.digits == 80
    assert match.ball.overlaps(ball(formula, 100))
    values = {"1": "1", "v": f"({formula})"}
    text = " + ".join(f"({c})*{'*'.join(values.get(f, f) for f in name.split('*'))}"
                      for c, name in zip(match.relation.coefficients, match.basis, strict=True))
    with pytest.raises(ValueError, match="other than 0"):  # no digit of a zero can be proven
        ball(text, 30)


def test_what_is_not_a_relation_is_told_apart():
    assert find(PCF((1,), (1,)), ["pi"], 100) is None  # the golden ratio
    assert find(PCF((1, 1), (1,)), ["pi"], 100) is None  # a ratio of Bessel functions
    assert find(PCF((2, 1), (1, 0, 0)), ["e", "zeta(3)"], 100) is None
    assert find(PCF((1, 0), (-1, 0, 0)), ["pi"], 100) == "unproven"
    assert find(PCF((1, 1), (-1, 1)), ["pi"], 100) == "unproven"  # b(1) = 0
    assert find(PCF((1, 0), (1, 1)), ["pi"], 100) == "rational"  # 0 + 2/(1 + 3/(2 + …)) = 1


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=3), st.lists(st.integers(-9, 9), min_size=1, max_size=4), st.integers(1, 12))
def test_inflations_are_primitive(a, b, c):
    if not any(a) or not any(b):
        return
    pcf = PCF(tuple(a), tuple(b))
    small = primitive(pcf)
    assert primitive(small) == small and small.a[0] > 0
    assert primitive(PCF(tuple(-c * x for x in a), tuple(c * c * x for x in b))) == small


@pytest.mark.parametrize(("a", "b", "kind", "rate"), [
    ((1, 3), (-1, 0), "factorial", 1.8), ((2, 1), (1, 0, 0), "exponential", 2 * math.log10(1 + math.sqrt(2))),
    ((34, 51, 27, 5), (-1, *[0] * 6), "exponential", 8 * math.log10(1 + math.sqrt(2))), ((2, 3, 3, 1), (-1, *[0] * 6), "polynomial", 2)])
def test_convergence_is_measured(a, b, kind, rate):
    assert convergence(PCF(a, b)) == (kind, pytest.approx(rate, rel=0.03))


def test_values_of_fractions_that_have_none():
    assert limit(PCF((1, 0), (-1, 0, 0)), 20) is None
    assert limit(PCF((1, 1), (1, -1)), 20) is None


@pytest.mark.parametrize("constant", ["exp(1000000)", "pi^1000", "pi/10^300"])
def test_constants_that_float64_cannot_screen_are_refused(constant):
    with pytest.raises(ValueError, match="in size was required"):
        Images.of(["pi", constant], 3)
