"""Continued fractions in other clothes: the key knows them, and the map between their values is exact."""

import math
from fractions import Fraction

import pytest
from flint import ctx, fmpq, fmpz_poly
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from symnum.numbers.equivalence import applied, canonical_ratio, deflate, family_key, fold, folded, high_first, moebius, moebius_text
from symnum.numbers.formula import ball
from symnum.numbers.pcf import PCF

small = st.integers(-9, 9)


@st.composite
def fractions(draw):
    """Continued fractions that go on for ever."""
    a = draw(st.lists(small, min_size=1, max_size=4))
    b = draw(st.lists(small, min_size=1, max_size=4))
    assume(any(a) and any(b))
    pcf = PCF(tuple(a), tuple(b))
    assume(pcf.last_term is None)
    return pcf


def times(pcf, f):
    """Inflated by the polynomial f: a f(n), b f(n) f(n−1)."""
    a, b = pcf.polynomials
    return PCF(high_first(a * f), high_first(b * f * f(fmpz_poly([-1, 1]))))


def from_term(pcf, k):
    """The tail from term k on."""
    a, b = pcf.polynomials
    return PCF(high_first(a(fmpz_poly([k, 1]))), high_first(b(fmpz_poly([k, 1]))))


@given(fractions(), st.lists(small, min_size=1, max_size=3).filter(any), st.integers(0, 12))
@settings(max_examples=150, deadline=None)
def test_inflations_shifts_and_signs_keep_the_key(pcf, f, k):
    other = from_term(times(pcf, fmpz_poly(f)), k)
    assert family_key(other) == family_key(pcf)
    assert family_key(deflate(other)) == family_key(pcf)
    assert family_key(PCF(tuple(-c for c in pcf.a), pcf.b)) == family_key(pcf)


@given(fractions(), st.lists(small, min_size=1, max_size=3).filter(any), st.integers(0, 6))
@settings(max_examples=150, deadline=None)
def test_the_map_takes_one_value_to_the_other(pcf, f, k):
    other = from_term(times(pcf, fmpz_poly(f)), k)
    assume(other.last_term is None)
    m = moebius(other, pcf)
    back = moebius(pcf, other)
    assert m is not None and m[0] * m[3] != m[1] * m[2] and math.gcd(*m) == 1
    a, b, c, d = m
    e, g, h, i = back
    assert (a * g + b * i, c * e + d * h) == (0, 0) and a * e + b * h == c * g + d * i != 0  # inverses of each other
    constant = canonical_ratio(pcf)[0].degree() + canonical_ratio(pcf)[1].degree() == 0  # then every tail is the fraction itself
    if f[0] and not constant and not any(fmpz_poly(f)(n) == 0 for n in range(20)):  # convergents of the two correspond exactly
        for n in (3, 5):
            try:
                left, right = other.convergent(n), pcf.convergent(n + k)
            except ZeroDivisionError:
                continue
            assert left * (c * right + d) == a * right + b


@pytest.mark.parametrize(("p", "q"), [
    (PCF((2, 1), (1, 0, 0)), PCF((-6, -9), (9, 18, 9))),
    (PCF((1, 3), (-1, 0)), PCF((-4, -20), (-16, -32))),
    (PCF((34, 51, 27, 5), (-1, 0, 0, 0, 0, 0, 0)), PCF((68, 102, 54, 10), (-4, 0, 0, 0, 0, 0, 0))),
])
def test_the_map_agrees_with_proven_balls(p, q):
    m = moebius(p, q)
    with ctx.workdps(60):
        assert p.ball(40).overlaps(applied(m, q.ball(50)))
        assert applied(m, q.ball(50)).rel_accuracy_bits() > 120


def test_deflation_takes_out_what_can_be_taken_out():
    e = PCF((1, 3), (-1, 0))
    assert deflate(times(e, fmpz_poly([-6]))) == e
    assert deflate(times(times(e, fmpz_poly([2, 1])), fmpz_poly([5, 0, 3]))) == e
    assert deflate(PCF((0,), (8, 4))) == PCF((0,), (2, 1))
    assert deflate(PCF((4, 2), (8, 0, 0))) == PCF((2, 1), (2, 0, 0))
    assert deflate(PCF((-4, 2), (9,))) == PCF((4, -2), (9,))


def test_other_fractions_have_other_keys():
    pool = [PCF((x, y), (z, w, v)) for x in (1, 2) for y in (0, 1) for z in (1, -1) for w in (0, 1) for v in (0, 2)]
    pool = [p for p in pool if p.last_term is None]
    keys = {p: family_key(p) for p in pool}
    for p in pool:
        for q in pool:
            assert (keys[p] == keys[q]) == (moebius(p, q) is not None)


def test_the_ratio_is_in_lowest_terms_and_its_roots_lie_about_0():
    top, bottom, k = canonical_ratio(PCF((1, 107), (4, 856, 45796)))
    assert top.gcd(bottom) == 1 and k == -106
    both = top * bottom
    mean = fmpq(-both[both.degree() - 1], both[both.degree()] * both.degree())
    assert -1 < mean <= 0


@given(fractions(), st.integers(2, 4))
@settings(max_examples=60, deadline=None)
def test_folded_convergents_obey_the_folded_recurrence(pcf, k):
    assume(folded(pcf, k)[2] != 0)
    a, b = fold(pcf, k).polynomials
    p = [int(pcf.polynomials[0](0)), *(0,) * (5 * k)]
    q = [1, *(0,) * (5 * k)]
    before = 1, 0
    for n in range(1, 5 * k + 1):
        x, y = int(pcf.polynomials[0](n)), int(pcf.polynomials[1](n))
        p[n] = x * p[n - 1] + y * (p[n - 2] if n > 1 else before[0])
        q[n] = x * q[n - 1] + y * (q[n - 2] if n > 1 else before[1])
    # deflation scales the solutions: the ratio of what two solutions leave behind is what counts
    for n in (2, 3, 4):
        (x2, x1, x0), (y2, y1, y0) = ([u[k * m] for m in (n, n - 1, n - 2)] for u in (p, q))
        det = x1 * y0 - x0 * y1
        if det == 0:
            continue
        step = Fraction(x2 * y0 - x0 * y2, det), Fraction(x1 * y2 - x2 * y1, det)
        ahead = [u[k * (n + 1)] for u in (p, q)]
        det_next = x2 * y1 - x1 * y2
        if det_next == 0 or a(n) == 0 or a(n + 1) == 0 or step[0] == 0:
            continue
        step_next = Fraction(ahead[0] * y1 - x1 * ahead[1], det_next)
        rest_next = Fraction(x2 * ahead[1] - ahead[0] * y2, det_next)
        if step_next:  # b/(a a(n−1)) is what no scaling changes
            assert rest_next / (step_next * step[0]) == Fraction(int(b(n + 1)), int(a(n + 1)) * int(a(n)))


def test_what_has_no_limit_is_said_so():
    with pytest.raises(ValueError, match="no limit"):
        family_key(PCF((0,), (1, 0)))
    with pytest.raises(ValueError, match="at least 2 terms"):
        fold(PCF((1,), (1,)), 1)
    assert moebius(PCF((1, 0), (1, -3)), PCF((1, 0), (1, -3))) is None  # b(3) = 0: finite
    assert moebius(PCF((1, 0), (1, 0)), PCF((1, 1), (2, 0))) is None


@given(st.tuples(small, small, small, small).filter(lambda m: m[0] * m[3] != m[1] * m[2]), st.sampled_from(
    ["pi", "pi^2", "zeta(3)", "exp(2)", "besseli(1,2)/besseli(0,2)", "1 + sqrt(2)"]))
@settings(max_examples=60, deadline=None)
def test_the_text_of_a_map_has_its_value(m, constant):
    x = ball(constant, 40)
    with ctx.workdps(40):
        value = applied(m, x)
    assert value.overlaps(ball(moebius_text(m, constant), 30))
