"""Berlekamp–Massey in batches: finds the shortest recurrence, and nothing else."""

import numpy as np
import pytest
from flint import fmpz_mod_ctx, fmpz_mod_poly_ctx
from hypothesis import given
from hypothesis import strategies as st

from symnum.numbers import lfsr

coefficients = st.lists(st.integers(-3, 3), min_size=1, max_size=6)


def continued(connection, first, count):
    terms = list(first)
    while len(terms) < count:
        terms.append(-sum(c * terms[-j] for j, c in enumerate(connection[1:], 1)))
    return terms


@given(coefficients, st.data())
def test_finds_the_recurrence_of_a_random_one(c, data):
    connection = (1, *c)
    order = len(c)
    first = data.draw(st.lists(st.integers(-50, 50), min_size=order, max_size=order))
    terms = continued(connection, first, 4 * order + 4)
    orders, found = lfsr.shortest(np.array([[t % lfsr.PRIME for t in terms]]), np.array([len(terms)]), order)
    assert 0 <= orders[0] <= order
    lifted = lfsr.lifted(found[0, : orders[0] + 1])
    assert lfsr.holds(lifted, terms)


@given(st.lists(st.lists(st.integers(0, 20), min_size=12, max_size=12), min_size=1, max_size=5))
def test_agrees_with_flint(rows):
    context = fmpz_mod_ctx(lfsr.PRIME)
    ring = fmpz_mod_poly_ctx(context)
    orders, _ = lfsr.shortest(np.array(rows), np.full(len(rows), 12), 12)
    for row, order in zip(rows, orders, strict=True):
        if 2 * order <= 12:
            assert order == len(ring.minpoly([context(t) for t in row]).coeffs()) - 1


def test_rows_are_independent_and_cut_at_their_lengths():
    fibonacci, garbage = [1, 1, 2, 3, 5, 8, 13, 21, 34, 55], [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]
    orders, found = lfsr.shortest(np.array([garbage, fibonacci, [0] * 10, [1, 1, 1, 1, 1, 9, 9, 9, 9, 9]]), np.array([10, 10, 10, 5]), 3)
    assert orders.tolist() == [lfsr.TOO_LONG, 2, 0, 1]
    assert lfsr.lifted(found[1]) == (1, -1, -1, 0) and lfsr.lifted(found[3]) == (1, -1, 0, 0)


def test_zeros_in_front_count():
    orders, _ = lfsr.shortest(np.array([[0, 0, 0, 1, 0, 0, 0, 0]]), np.array([8]), 8)
    assert orders[0] == 4  # impulse response: a(n) = 0 from n = 4 on


def test_negative_and_large_terms_are_reduced():
    terms = [(-3) ** n for n in range(30)]
    orders, found = lfsr.shortest(np.array([terms], dtype=object), np.array([30]), 4)
    assert orders[0] == 1 and lfsr.lifted(found[0, :2]) == (1, 3)


@pytest.mark.parametrize(("terms", "lengths", "most"), [
    (np.zeros((2, 3)), np.array([3]), 1),
    (np.zeros(3), np.array([3]), 1),
    (np.zeros((1, 3)), np.array([4]), 1),
    (np.zeros((1, 3)), np.array([-1]), 1),
    (np.zeros((1, 3)), np.array([3]), -1),
])
def test_bad_shapes_are_refused(terms, lengths, most):
    with pytest.raises(ValueError, match="were required"):
        lfsr.shortest(terms, lengths, most)


def test_nothing_in_nothing_out():
    orders, found = lfsr.shortest(np.zeros((0, 5), np.int64), np.zeros(0, np.int64), 2)
    assert orders.shape == (0,) and found.shape == (0, 3)
