"""Exact coefficients where the data support them: ratios snapped to simple rationals, told from chance by their density.

Within an interval of width w there are about 0.3 q^2 w rationals with denominators up to q (Farey), so that one of small denominator in
a narrow interval is no coincidence.
"""

from fractions import Fraction
from math import lcm

import numpy as np

from symnum.problem.invariant import RESOLUTION

ERRORS = 3.0  # standard errors around a ratio
CHANCE = 0.05  # that a random ratio would have been snapped
LARGEST = 1000  # denominator
FAREY = 0.3040  # 3/pi^2: rationals of denominator up to q per q^2 and unit length
EXACT = RESOLUTION  # least relative width of an interval


def simplest(low: float, high: float) -> Fraction:
    """The rational of least denominator in [low, high].

    >>> simplest(0.33, 0.34), simplest(-2.76, -2.74), simplest(-0.1, 0.1)
    (Fraction(1, 3), Fraction(-11, 4), Fraction(0, 1))
    """
    if low <= 0 <= high:
        return Fraction(0)
    if high < 0:
        return -simplest(-high, -low)
    whole = int(np.floor(low))
    if whole == low:
        return Fraction(whole)
    if whole + 1 <= high:
        return Fraction(whole + 1)
    return whole + 1 / simplest(1 / (high - whole), 1 / (low - whole))


def snapped(ratio: float, error: float) -> Fraction | None:
    """The rational that a measured ratio stands for, or None where chance would give one as simple.

    >>> snapped(0.7501, 0.001), snapped(0.7314159, 0.001)
    (Fraction(3, 4), None)
    """
    width = max(ERRORS * error, EXACT * abs(ratio))
    if not np.isfinite(width) or width >= abs(ratio):
        return None
    found = simplest(ratio - width, ratio + width)
    height = max(found.denominator, abs(found.numerator))
    if found.denominator > LARGEST or height > LARGEST:
        return None
    return found if 2 * width * FAREY * found.denominator**2 / max(abs(ratio), 1.0) < CHANCE else None


def exact(w: np.ndarray, covariance: np.ndarray) -> list[Fraction | float]:
    """Coefficients up to a common factor, the best known ones first made exact, the others adapted to these.

    Args:
        w: (m,) coefficients.
        covariance: (m, m) of them.

    >>> exact(np.array([2.0, 1.0003]), np.diag([1e-9, 1e-6]))
    [Fraction(2, 1), Fraction(1, 1)]
    """
    best: tuple[tuple, list[Fraction | float]] | None = None
    for pivot in np.argsort(-np.abs(w)):
        if abs(w[pivot]) < 0.01 * np.abs(w).max():
            break
        found = _with_pivot(w, covariance, int(pivot))
        free = sum(isinstance(c, float) for c in found)
        height = sum(abs(c.numerator) + c.denominator for c in found if isinstance(c, Fraction))
        if best is None or (free, height) < best[0]:
            best = (free, height), found
    return _integers(best[1])


def _with_pivot(w: np.ndarray, covariance: np.ndarray, pivot: int) -> list[Fraction | float]:
    m = len(w)
    ratio = w / w[pivot]
    J = (np.eye(m) - np.outer(ratio, np.eye(m)[pivot])) / w[pivot]
    C = J @ covariance @ J.T
    out: list[Fraction | float] = [float(r) for r in ratio]
    out[pivot] = Fraction(1)
    left = [j for j in range(m) if j != pivot]
    while left:
        left.sort(key=lambda j: C[j, j] / ratio[j] ** 2 if ratio[j] else np.inf)
        done = None
        for j in left:
            found = snapped(ratio[j], float(np.sqrt(max(C[j, j], 0.0))))
            if found is not None:
                done = j
                out[j] = found
                break
        if done is None:
            break
        left.remove(done)
        if C[done, done] > 0:
            pull = C[:, done] / C[done, done]
            ratio = ratio + pull * (float(out[done]) - ratio[done])
            C = C - np.outer(pull, C[done])
    for j in left:
        out[j] = float(ratio[j])
    return out


def _integers(coefficients: list[Fraction | float]) -> list[Fraction | float]:
    """All exact: multiplied by their common denominator, and the first made positive."""
    fractions = [c for c in coefficients if isinstance(c, Fraction)]
    factor = lcm(*(c.denominator for c in fractions))
    if factor > LARGEST:
        factor = 1
    sign = -1 if coefficients[0] < 0 else 1
    return [c * factor * sign for c in coefficients]
