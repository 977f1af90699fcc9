"""Small rationals behind fitted numbers: exponents of monomials and bases of spaces of exponents."""

from fractions import Fraction
from functools import reduce
from itertools import combinations, product
from math import comb, gcd, lcm

import numpy as np

Array = np.ndarray
GRID = sorted({Fraction(p, q) for q in (1, 2, 3, 4) for p in range(-6 * q, 6 * q + 1) if q < 3 or abs(p) <= 2 * q})
_VALUES = np.array([float(f) for f in GRID])
_PENALTY = np.array([0.004 * (abs(f.numerator) - 1) * (f != 0) + 0.02 * (f.denominator - 1) for f in GRID])

MOST_PIVOTS = 5000  # choices of pivots; a space with more has no basis that is read off
_DENOMINATOR = np.array([f.denominator for f in GRID])


def snap(value: float, tolerance: float = 0.1, finest: int = 4) -> Fraction | None:
    """The simplest rational (denominator at most `finest`, 4 at most) near `value`, or None: nearness counts, and so does simplicity.

    >>> snap(1.98), snap(-0.51), snap(0.34), snap(0.15)
    (Fraction(2, 1), Fraction(-1, 2), Fraction(1, 3), None)
    """
    off = np.abs(_VALUES - value)
    k = int(np.argmin(off + _PENALTY + (_DENOMINATOR > finest)))
    return GRID[k] if off[k] <= tolerance * (1 if GRID[k].denominator == 1 else 0.6) else None


def rational_basis(space: Array, tolerance: float = 0.1) -> list[list[Fraction]] | None:
    """A sparse basis of small integers of the space spanned by the columns of `space` (d, r), or None where there is none.

    Row-reduced with every choice of well-determined pivots; the basis with the smallest numbers and the least rounding wins.

    >>> rational_basis(np.array([[2.01, 0.0], [-4.0, 0.01], [0.0, 3.0]]))
    [[Fraction(1, 1), Fraction(-2, 1), Fraction(0, 1)], [Fraction(0, 1), Fraction(0, 1), Fraction(1, 1)]]
    """
    d, r = space.shape
    if comb(d, r) > MOST_PIVOTS:
        return None
    q = np.linalg.qr(space)[0]
    if not np.isfinite(q).all():
        return None
    choices = list(combinations(range(d), r))
    volume = np.abs(np.linalg.det(q[np.array(choices)]))
    best: tuple[float, list[list[Fraction]]] | None = None
    for c in np.argsort(-volume)[:40]:
        if volume[c] < 0.05 * volume.max():
            break
        reduced = np.linalg.solve(q[list(choices[c])].T, q.T)  # (r, d), the identity on the pivots
        rows = [[snap(v, tolerance) for v in row] for row in reduced]
        if any(v is None for row in rows for v in row):
            continue
        whole = [_whole(row) for row in rows]
        off = float(np.abs(np.array(rows, dtype=float) - reduced).max())
        if off > 0.05 and max(abs(v) for row in whole for v in row) > 2:
            continue  # numbers so large are seen in precise spaces only
        cost = sum(abs(v) for row in whole for v in row) + 20 * off
        if best is None or cost < best[0] - 1e-9:
            best = cost, whole
    return best and best[1]


def _whole(row: list[Fraction]) -> list[Fraction]:
    """The row times the number that makes it coprime integers with a positive first one."""
    m = lcm(*(v.denominator for v in row))
    g = reduce(gcd, (int(v * m) for v in row)) * (1 if next(v for v in row if v) > 0 else -1)
    return [v * m / g for v in row]


def rational_offset(point: Array, basis: list[list[Fraction]], tolerance: float = 0.15) -> list[Fraction] | None:
    """The simplest rational point p with p - point in the span of `basis`, or None: a monomial prefactor beside groups.

    >>> rational_offset(np.array([1.0, 1.3, -1.3]), [[Fraction(0), Fraction(1), Fraction(-1)]])
    [Fraction(1, 1), Fraction(0, 1), Fraction(0, 1)]
    """
    B = np.array(basis, dtype=float)
    pivots, rest = [], B.copy()
    for row in range(len(B)):  # eliminate one variable per group
        k = int(np.argmax(np.abs(rest[row])))
        pivots.append(k)
        rest = rest - np.outer(np.where(np.arange(len(B)) == row, 0.0, rest[:, k] / rest[row, k]), rest[row])
        rest[row] /= rest[row, k]
    free = point - point[pivots] @ rest
    start = [snap(v, tolerance) for v in free]
    if any(v is None for v in start):
        return None
    steps = [Fraction(k, 2) for k in range(-8, 9)] if len(basis) == 1 else [Fraction(k) for k in range(-3, 4)]
    if len(basis) > 3:
        return start
    options = ([v + sum((k * row[i] for k, row in zip(ks, basis, strict=True)), Fraction(0)) for i, v in enumerate(start)]
               for ks in product(steps, repeat=len(basis)))
    return min(options, key=lambda p: (sum(v.denominator > 1 for v in p), sum(map(abs, p)) + sum(v != 0 for v in p)))
