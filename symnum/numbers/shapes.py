"""The smallest linear relation of a family of shapes: (order, degree) by Hermite–Padé over a prime.

A family is a set of matrices, one per shape (order, degree), whose kernel holds the relations of that shape; a kernel that is not
zero at some degree stays so at larger ones. For every order the largest degree is tried that leaves `spare` equations more
than needed, and where there is a kernel the least degree is found by bisection, as in
M. Kauers, Guessing Handbook, RISC report 09-07, 2009, and M. Kauers, M. Jaroschek and F. Johansson, "Ore polynomials in Sage",
2014, arXiv:1306.4263.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flint import nmod_mat

from symnum.numbers.modular import kernel_vector, nullity, prime, primes, rows_needed


@dataclass(frozen=True)
class Family:
    """Linear relations by shape.

    Attributes:
        matrix: (order, degree, prime) -> the equations modulo the prime, one row each.
        unknowns: (order, degree) -> the number of columns.
        equations: order -> the number of rows that are not 0.
        orders: the orders, ascending.
        least: the least degree.
        denominator: primes that divide it are not used.
    """

    matrix: Callable[[int, int, int], nmod_mat]
    unknowns: Callable[[int, int], int]
    equations: Callable[[int], int]
    orders: Iterable[int]
    least: int = 0
    denominator: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """A relation: its shape, primitive integer coefficients, the rows that fixed them, and how many shapes were within reach."""

    order: int
    degree: int
    vector: tuple[int, ...]
    rows: int
    tried: int


def smallest(family: Family, spare: int) -> Found | None:
    """The relation of fewest unknowns with at least `spare` equations more than it needs; None where there is none."""
    p = next(primes(family.denominator)) if family.denominator > 1 else prime(0)

    def solvable(order: int, degree: int) -> bool:
        return nullity(family.matrix(order, degree, p)) > 0

    best, tried = None, 0
    for order in family.orders:
        low, high = family.least, _most(family, order, spare)
        if high < low:
            break
        if best is not None:  # only what is smaller still
            while high >= low and family.unknowns(order, high) >= family.unknowns(*best):
                high -= 1
        tried += max(high - low + 1, 0)
        if high < low or not solvable(order, high):
            continue
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if solvable(order, middle) else (middle + 1, high)
        best = order, low
    if best is None:
        return None
    vector = kernel_vector(lambda q: family.matrix(*best, q), family.denominator)
    return None if vector is None else Found(*best, vector, rows_needed(family.matrix(*best, p)), tried)


def _most(family: Family, order: int, spare: int) -> int:
    """The largest degree at which the equations exceed the unknowns (up to a factor) by `spare`."""
    degree = family.least - 1
    while family.unknowns(order, degree + 1) - 1 + spare <= family.equations(order):
        degree += 1
    return degree
