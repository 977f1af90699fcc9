"""The integer kernel, its Hilbert basis, and the smallest solution: against brute force, against definitions, and on awkward input."""

from fractions import Fraction
from itertools import product
from math import gcd

import pytest
from flint import fmpz_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from symnum.numbers.integer_program import certificate, feasible, smallest
from symnum.numbers.nullspace import hilbert_basis, nullspace, split

BOX = 7


@st.composite
def systems(draw, size=3, most=4):
    n = draw(st.integers(1, most))
    row = st.lists(st.integers(-size, size), min_size=n, max_size=n)
    return draw(st.lists(row, min_size=1, max_size=3))


@st.composite
def balanced(draw):
    """Rows orthogonal to a positive vector."""
    x = draw(st.lists(st.integers(1, 20), min_size=2, max_size=9))
    head = st.lists(st.integers(-9, 9), min_size=len(x) - 1, max_size=len(x) - 1)
    rows = draw(st.lists(head, min_size=1, max_size=5))
    return [[a * x[-1] for a in r] + [-dot(r, x[:-1])] for r in rows], x


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def solves(rows, x):
    return all(dot(r, x) == 0 for r in rows)


def box(rows):
    """All nonnegative solutions with entries up to BOX."""
    return [x for x in product(range(BOX + 1), repeat=len(rows[0])) if solves(rows, x)]


# the lattice ---------------------------------------------------------------------------------------------------------------------------
@given(systems(size=50, most=6))
def test_nullspace_is_a_basis_of_all_integer_solutions(rows):
    basis = nullspace(rows)
    assert len(basis) == len(rows[0]) - fmpz_mat(rows).rank()
    assert all(solves(rows, v) for v in basis)
    if basis:  # no lattice point is missed: the elementary divisors of a saturated basis are 1
        snf = fmpz_mat([list(v) for v in basis]).snf()
        assert all(abs(int(snf[i, i])) == 1 for i in range(len(basis)))


@given(systems(size=10**6, most=6))
def test_functionals_read_off_the_coordinates(rows):
    basis, functionals = split(rows)
    assert [[dot(w, b) for b in basis] for w in functionals] == [[int(i == j) for j in range(len(basis))] for i in range(len(basis))]


def test_nullspace_at_the_edges():
    assert nullspace([], 2) in (((1, 0), (0, 1)), ((0, 1), (1, 0)))
    assert nullspace([], 0) == hilbert_basis([], 0) == ()
    assert nullspace([(0, 0)]) == nullspace([], 2)
    assert nullspace([(1, 0), (0, 1)]) == ()
    assert nullspace([(10**40, -1)]) == ((1, 10**40),)
    for rows, n in (([], None), ([(1, 2), (1,)], None), ([(1, 2)], 3)):
        with pytest.raises(ValueError, match="required"):
            nullspace(rows, n)


# the Hilbert basis -----------------------------------------------------------------------------------------------------------------------
@given(systems())
def test_hilbert_basis_has_the_irreducible_solutions_and_no_others(rows):
    found = hilbert_basis(rows, limit=2000)
    assert found is not None and len(set(found)) == len(found)
    assert all(solves(rows, v) and min(v) >= 0 and any(v) for v in found)
    inside = [x for x in box(rows) if any(x)]
    irreducible = {x for x in inside if not any(y != x and all(a <= b for a, b in zip(y, x, strict=True)) for y in inside)}
    assert {v for v in found if max(v) <= BOX} == irreducible
    assert list(found) == sorted(found, key=lambda v: (sum(v), [-a for a in v]))


def test_hilbert_basis_gives_up_past_its_limit():
    rows = [(1, 2, 3, 5, 7, 11, -13, -17, -19, -23, -29, -31)]
    assert hilbert_basis(rows, limit=20) is None


# the smallest solution -------------------------------------------------------------------------------------------------------------------
@given(systems(), st.data())
def test_smallest_against_brute_force(rows, data):
    n = len(rows[0])
    lower = data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    x = smallest(rows, lower)
    above = sorted((sum(y), y) for y in box(rows) if all(a >= b for a, b in zip(y, lower, strict=True)))
    if x is None:
        assert not above
        return
    assert x.proved and solves(rows, x.x) and all(a >= b for a, b in zip(x.x, lower, strict=True))
    assert not above or (sum(x.x), x.x) <= above[0]
    if max(x.x) <= BOX:
        assert (sum(x.x), x.x) == above[0]


@given(balanced())
def test_smallest_is_found_proved_and_coprime(case):
    rows, known = case
    found = smallest(rows, [1] * len(known))
    assert found is not None and found.proved and solves(rows, found.x) and min(found.x) >= 1 and gcd(*found.x) == 1
    assert sum(found.x) <= sum(known)


@settings(max_examples=30)
@given(balanced())
def test_smallest_agrees_with_a_float_solver(case):
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp

    rows, known = case
    n = len(known)
    other = milp(np.ones(n), constraints=LinearConstraint(np.array(rows), 0, 0), bounds=Bounds(1, 500), integrality=np.ones(n))
    found = smallest(rows, [1] * n)
    if other.status == 0 and solves(rows, [round(a) for a in other.x]):
        assert sum(found.x) <= round(other.fun)
        assert max(found.x) > 500 or sum(found.x) == round(other.fun)


def test_ties_go_to_the_first_in_order():
    assert smallest([(1, 1, -1, -1)], (0, 0, 1, 0)).x == (0, 1, 1, 0)
    assert smallest([(1, 1, -1)], (0, 0, 5)).x == (0, 5, 5)


def test_a_search_cut_short_says_so():
    rows = [(7, 11, 13, -17, -19, -23, 5), (3, -5, 9, 8, -4, 2, -11)]
    cut, full = smallest(rows, [1] * 7, nodes=0), smallest(rows, [1] * 7)
    assert not cut.proved and full.proved and solves(rows, cut.x) and sum(full.x) <= sum(cut.x)


def test_large_entries_are_exact():
    p, q = 10**30 + 57, 10**29 + 319
    assert smallest([(p, -q)], (1, 1)).x == (q, p)
    assert smallest([], (1, 1)).x == (1, 1)
    assert smallest([(0, 0)], (0, 3)).x == (0, 3)


def test_bad_bounds_are_refused():
    for rows, lower in (([(1, -1)], (1, -1)), ([(1, -1)], (1,))):
        with pytest.raises(ValueError, match="lower bounds"):
            smallest(rows, lower)
        with pytest.raises(ValueError, match="lower bounds"):
            certificate(rows, lower)


# why there is none -----------------------------------------------------------------------------------------------------------------------
@given(systems(most=6), st.data())
def test_either_a_solution_or_a_certificate(rows, data):
    n = len(rows[0])
    lower = data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    x, y = smallest(rows, lower), certificate(rows, lower)
    assert (x is None) == (y is not None) == (not feasible(rows, lower))
    if y:
        form = [dot(y, column) for column in zip(*rows, strict=True)]
        assert min(form) >= 0 and dot(form, lower) > 0 and gcd(*y) == 1
        for i, weight in enumerate(y):  # no row is idle
            fewer = [r for j, r in enumerate(rows) if y[j] and j != i]
            assert not weight or not fewer or feasible(fewer, lower)


def test_certificates_prefer_few_rows():
    assert certificate([(1, -1, 0), (0, 1, 1)], (1, 1, 1)) == (0, 1)
    y = certificate([(1, -1), (1, -2)], (1, 1))
    assert Fraction(y[0], y[1]) == -1
