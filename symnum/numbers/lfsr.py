"""Shortest linear recurrences of many integer sequences at once, modulo a 31-bit prime, lifted to the integers and checked there.

A sequence that obeys a recurrence of order L modulo the prime may do so by accident only with a probability of about (terms − 2L)/2³¹
per prime; the lift is checked term by term over the integers, so that no accident survives. Integers that obey a recurrence over
Q obey one whose coefficients are integers and whose leading one is 1 (P. Fatou, Acta Math. 30, 1906, doi:10.1007/BF02418579), hence
the lift needs no fractions. For one sequence of large terms see `recurrence.find_cfinite`.
Method: J. L. Massey, "Shift-register synthesis and BCH decoding", IEEE Trans. Inf. Theory 15, 1969, doi:10.1109/TIT.1969.1054260.
"""

from collections.abc import Sequence

import numpy as np
from numba import njit

PRIME = 2147483629  # the second largest below 2^31: a product of residues fits into int64
TOO_LONG = -1


def shortest(terms: np.ndarray, lengths: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The shortest recurrence a(n) = −Σ_{j=1…L} c_j a(n − j) of each sequence modulo `PRIME`.

    Args:
        terms: (B, N) integers; residues are taken here.
        lengths: (B,) how many terms of each row count.
        most: orders above it are not of interest; a row is left as soon as its order exceeds it.

    Returns:
        (B,) the orders L, `TOO_LONG` above `most`; (B, most + 1) the residues 1, c_1 … c_L, then zeros.

    Raises:
        ValueError: `most` is negative, or the shapes do not fit.

    >>> orders, c = shortest(np.array([[1, 1, 2, 3, 5, 8, 13, 21]]), np.array([8]), 3)
    >>> int(orders[0]), lifted(c[0])[: 3]
    (2, (1, -1, -1))
    """
    terms, lengths = np.asarray(terms), np.asarray(lengths)
    fits = terms.ndim == 2 and lengths.shape == (len(terms),) and all((0 <= lengths) & (lengths <= terms.shape[1]))
    if most < 0 or not fits:
        msg = f"terms (B, N), lengths (B,) up to N and an order of 0 or more were required, got {terms.shape}, {lengths.shape} and {most}"
        raise ValueError(msg)
    return _shortest((terms % PRIME).astype(np.int64), lengths.astype(np.int64), most)


def lifted(connection: Sequence[int] | np.ndarray) -> tuple[int, ...]:
    """The integers of least size that have the given residues.

    >>> lifted([1, PRIME - 2, 1])
    (1, -2, 1)
    """
    return tuple(int(c) - PRIME if 2 * int(c) > PRIME else int(c) for c in connection)


def holds(connection: Sequence[int], terms: Sequence[int]) -> bool:
    """Whether Σ_{j=0…L} c_j a(n − j) = 0 for every n from L on, over the integers.

    >>> holds((1, -1, -1), [1, 1, 2, 3, 5, 8]), holds((1, -1, -1), [1, 1, 2, 3, 5, 9])
    (True, False)
    """
    order = len(connection) - 1
    used = [(j, int(c)) for j, c in enumerate(connection) if c]
    return all(sum(c * terms[n - j] for j, c in used) == 0 for n in range(order, len(terms)))


@njit(cache=True)
def _inverse(a):
    """a^(PRIME − 2)."""
    power, result, exponent = a, 1, PRIME - 2
    while exponent:
        if exponent & 1:
            result = result * power % PRIME
        power = power * power % PRIME
        exponent >>= 1
    return result


@njit(cache=True)
def _shortest(terms, lengths, most):
    rows = terms.shape[0]
    orders = np.empty(rows, np.int64)
    connections = np.zeros((rows, most + 1), np.int64)
    before, kept = np.empty(most + 1, np.int64), np.empty(most + 1, np.int64)
    for row in range(rows):
        orders[row] = _massey(terms[row], lengths[row], most, connections[row], before, kept)
    return orders, connections


@njit(cache=True)
def _massey(a, length, most, c, before, kept):
    """Massey's algorithm for one sequence: the order; c is filled in place. `before` and `kept` are workspace."""
    c[:] = 0
    before[:] = 0
    c[0] = before[0] = 1
    order, gap, inverse = 0, 1, 1  # `before` is the connection when the order last grew, `inverse` of its discrepancy, `gap` terms ago
    for n in range(length):
        discrepancy = a[n]
        for j in range(1, order + 1):
            discrepancy = (discrepancy + c[j] * a[n - j]) % PRIME
        if discrepancy == 0:
            gap += 1
            continue
        grows = 2 * order <= n
        if grows and n + 1 - order > most:
            return TOO_LONG
        factor = PRIME - discrepancy * inverse % PRIME
        if grows:
            kept[:] = c
        for j in range(gap, most + 1):
            c[j] = (c[j] + factor * before[j - gap]) % PRIME
        if grows:
            order = n + 1 - order
            before[:] = kept
            inverse, gap = _inverse(discrepancy), 1
        else:
            gap += 1
    return order
