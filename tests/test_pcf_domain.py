"""Domains of continued fractions: every pair counted, none met twice, nothing dropped that should stay."""

import itertools
import re

import numpy as np
import pytest
from flint import fmpz_poly
from hypothesis import given
from hypothesis import strategies as st

from symnum.numbers.pcf_domain import CHUNK_A, CHUNK_B, Domain, Part, limits, pairs
from symnum.numbers.pcf_family import Family, natural_root, parse_ranges

small = st.integers(-30, 30)


def poly(c):
    return fmpz_poly([int(x) for x in reversed(c)])


@given(st.lists(small, min_size=1, max_size=6), st.lists(st.integers(-9, 9), min_size=0, max_size=3))
def test_the_least_natural_root_is_found(c, roots):
    p = poly(c)
    for r in roots:
        p *= fmpz_poly([-r, 1])
    coefficients = [int(x) for x in reversed(p.coeffs())] or [0]
    true = min((int(r) for r, _ in p.roots() if r >= 1), default=0) if p.degree() >= 0 else 0
    assert natural_root(np.array([0, *coefficients], dtype=np.int64)) == true


@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 3)), min_size=3, max_size=3), st.integers(-3, 3))
def test_templates_are_multiplied_out(ranges, shift):
    names = ["u", "v", "w"]
    chosen = {name: (low, low + more) for name, (low, more) in zip(names, ranges, strict=True)}
    family = Family.of(f"(u*n + v)*(w*n*(n+1) - {shift}) + (n + v)^2", chosen)
    rows = family.rows(0, family.size)
    n = fmpz_poly([0, 1])
    expected = []
    for u, v, w in itertools.product(*(range(low, low + more + 1) for low, more in ranges)):
        p = (u * n + v) * (w * n * (n + 1) - shift) + (n + v) ** 2
        expected.append([int(p[k]) for k in range(family.degree, -1, -1)])
    assert rows.tolist() == expected


def test_chunks_of_a_family_are_its_rows():
    family = Family.all(2, -3, 4)
    rows = [family.rows(i, min(i + 100, family.size)) for i in range(0, family.size, 100)]
    assert np.concatenate(rows).tolist() == [list(c) for c in itertools.product(range(-3, 5), repeat=3)]


@pytest.mark.parametrize("domain", [
    Domain.all(1, 2, -3, 3), Domain.all(2, 1, -2, 3), Domain.symmetric(3, 6, -2, 2),
    Domain.of("x*n+1", "y*n^2+z", {"x": (1, 4), "y": (-4, 4), "z": (-1, 1)}), Domain.all(0, 0, -2, 2) + Domain.monomial(1, 2, -2, 2)])
def test_pairs_are_those_of_the_definition(domain):
    got = list(pairs(domain))
    expected = []
    for part in domain.parts:
        for a in part.a.rows(0, part.a.size).tolist():
            for b in part.b.rows(0, part.b.size).tolist():
                p, q = poly(a), poly(b)
                if p.degree() < 0 or q.degree() < 0 or (part.a.odd and p.leading_coefficient() < 0):
                    continue
                if any(r >= 1 for r, _ in q.roots()):
                    continue
                if q.degree() > 2 * p.degree():
                    continue
                if q.degree() == 2 * p.degree() and 4 * int(q.leading_coefficient()) < -int(p.leading_coefficient()) ** 2:
                    continue
                expected.append((tuple(a), tuple(b)))
    assert sorted(got) == sorted(expected)


def test_the_limits_part_the_sorted_polynomials():
    part = Part(Family.all(1, -4, 4, "x"), Family.all(2, -4, 4, "y"))
    a, b = part.a_side(0), part.b_side(0)
    strict, wide = limits(a, b)
    for i in range(len(a.rows)):
        twice, square = 2 * a.degrees[i], a.leads[i] ** 2
        inside = [d < twice or (d == twice and 4 * lead > -square) for d, lead in zip(b.degrees, b.leads, strict=True)]
        equal = [d == twice and 4 * lead == -square for d, lead in zip(b.degrees, b.leads, strict=True)]
        assert inside == [j < strict[i] for j in range(len(inside))]
        assert equal == [strict[i] <= j < wide[i] for j in range(len(equal))]


def test_blocks_cover_the_domain_once():
    domain = Domain.of("x*n+y", "z*n+w", {"x": (1, 50), "y": (0, 99), "z": (1, 30), "w": (0, 99)}) + Domain.all(1, 1, -1, 1)
    assert domain.blocks == -(-5000 // CHUNK_A) * -(-3000 // CHUNK_B) + 1
    seen = [domain.block(k) for k in range(domain.blocks)]
    assert len({(id(part), i, j) for part, i, j in seen}) == domain.blocks
    with pytest.raises(IndexError):
        domain.block(domain.blocks)


def test_families_that_hold_their_negatives():
    assert Family.all(2, -3, 3).odd and not Family.all(2, -3, 2).odd
    assert Family.of("(2*n+1)*(x*n*(n+1)+y)", {"x": (-5, 5), "y": (-5, 5)}).odd
    assert Family.of("(u*n+v)*(x*n+y)", {"u": (-2, 2), "v": (-2, 2), "x": (1, 5), "y": (-1, 5)}).odd
    assert not Family.of("x^2*n + y", {"x": (-5, 5), "y": (-5, 5)}).odd
    assert not Family.of("x*n + 1", {"x": (-5, 5)}).odd
    assert Family.all(32, -1, 1).odd  # not by trying 2^33 choices of unknowns


@pytest.mark.parametrize(("template", "ranges", "said"), [
    ("((x+y+z+n)^32)^32", {"x": (0, 1), "y": (0, 1), "z": (0, 1)}, "terms"), ("x - x + n", {"x": (0, 10**30)}, "2^40"),
    ("*".join(["(x+y+z+n)"] * 80), {"x": (0, 1), "y": (0, 1), "z": (0, 1)}, "terms")])
def test_templates_that_would_not_end(template, ranges, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        Family.of(template, ranges)


def test_the_automatic_family_grows_with_what_is_asked():
    assert Domain.auto(1, 2, 13) == Domain.all(1, 2, -13, 13)
    assert Domain.auto(3, 6, 20) == Domain.symmetric(3, 6, -20, 20) + Domain.monomial(3, 6, -20, 20)
    assert Domain.auto(9, 18, 20) == Domain.symmetric(9, 18, -20, 20)
    assert Domain.auto(3, 6, 20, "symmetric") == Domain.symmetric(3, 6, -20, 20)
    assert Domain.symmetric(2, 4, -3, 3).parts[0].a.template == "x1*n*(n+1) + x0"


@pytest.mark.parametrize(("make", "said"), [
    (lambda: Family.of("x0*n", {}), "no range|got none for x0"),
    (lambda: Family.of("x0*n", {"x0": (3, 1)}), "empty"),
    (lambda: Family.of("sin(n)", {}), "polynomial|whole numbers"),
    (lambda: Family.of("x0*n/2", {"x0": (1, 2)}), "whole numbers"),
    (lambda: Family.of("n^", {}), "a polynomial in n"),
    (lambda: Family.of("", {}), "a polynomial in n"),
    (lambda: Family.of("n^x0", {"x0": (1, 2)}), "powers"),
    (lambda: Family.of("n^33", {}), "powers up to"),
    (lambda: Family.of("0.5*n", {}), "whole numbers"),
    (lambda: Family.of("x0*n", {"x0": (0, 1 << 50)}), "2\\^40"),
    (lambda: Family.all(-1, 0, 5), "degree"),
    (lambda: Domain(()), "empty"),
    (lambda: Domain.of("0*n", "n", {}), "empty"),
    (lambda: Domain.of("n", "y*n", {"y": (0, 0)}), "empty"),
    (lambda: Domain.of("x*n", "x*n^2", {"x": (1, 5)}), "independently"),
    (lambda: Domain.of("x*n", "n", {"x": (1, 5), "z": (1, 2)}), "neither"),
    (lambda: Domain.auto(1, 1, 0), "coefficients"),
    (lambda: Domain.auto(1, 1, -4), "coefficients"),
    (lambda: Domain.auto(1, 1, (5, 3)), "coefficients"),
    (lambda: Domain.auto(1, -1, 5), "degree of b"),
    (lambda: Domain.auto(1, 99, 5), "degree of b"),
    (lambda: Domain.auto(1, 1, 5, "best"), "family among"),
    (lambda: parse_ranges("x0=1-5"), "ranges such as"),
    (lambda: parse_ranges("1..5"), "ranges such as"),
])
def test_bad_domains_are_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
