"""Exact filters for continued fractions whose value may be a period (π, log 2, ζ(3), Catalan's constant …): necessary conditions.

Such values come from G-functions. If the recurrence u_n = a(n) u_{n−1} + b(n) u_{n−2} is that of a G-function, then

* modulo almost every prime p the product of its matrices over one period, T_p = M(p−1)⋯M(0), is nilpotent: trace and determinant
  vanish (N. Katz, "Nilpotent connections and the monodromy theorem", Publ. Math. IHÉS 39, 1970; G. and D. Chudnovsky 1985);
* its exponents at infinity are rational.

Both are heuristics for a search: a fraction that fails them has no such value *for that reason*, one that passes may have any. They say
nothing of e, Bessel ratios and other values of E-functions, for which T_p has a trace that is not 0.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numba import njit

PRIMES = np.array([101, 103, 107, 109, 113, 127, 131, 137], dtype=np.int64)
NEEDED = 7  # of the primes; one may divide a coefficient by accident


def nilpotent(a: Sequence[int], b: Sequence[int], needed: int = NEEDED) -> bool:
    """Whether the period product is nilpotent for at least `needed` of the eight primes.

    Args:
        a, b: coefficients, the highest power first.

    >>> nilpotent((2, 1), (1, 0, 0)), nilpotent((1, 3), (-1, 0))      # 4/pi and e
    (True, False)
    """
    found, _ = nilpotent_pairs(np.array([a]), np.array([b]), np.array([0]), np.array([1]), needed)
    return len(found) == 1


def nilpotent_pairs(
    a: np.ndarray, b: np.ndarray, first: np.ndarray, last: np.ndarray, needed: int = NEEDED,
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs (i, j), first[i] ≤ j < last[i], that pass, ordered by i, then j.

    Args:
        a, b: (k, d) and (l, e) int64 coefficients, the highest power first.
        first, last: (k,) which b's to pair with each a.
    """
    tables = _residues(a.astype(np.int64), PRIMES), _residues(b.astype(np.int64), PRIMES)
    out_i, out_j = _pairs(*tables, PRIMES, first.astype(np.int64), last.astype(np.int64), needed)
    return out_i, out_j


@njit(cache=True, nogil=True, error_model="numpy")
def _residues(rows, primes):
    """(k, primes, largest prime) values of the polynomials modulo each prime at n = 0 … p − 1."""
    out = np.zeros((len(rows), len(primes), primes.max()), dtype=np.int16)
    for i in range(len(rows)):
        for k in range(len(primes)):
            for n in range(primes[k]):
                value = 0
                for c in rows[i]:
                    value = (value * n + c) % primes[k]
                out[i, k, n] = value
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _pairs(a, b, primes, first, last, needed):
    rooted = np.zeros((len(b), len(primes)), dtype=np.bool_)  # det T_p = Π −b(n) vanishes where b has a root modulo p
    hopeful = np.zeros(len(b), dtype=np.bool_)
    for j in range(len(b)):
        for k in range(len(primes)):
            for n in range(primes[k]):
                if b[j, k, n] == 0:
                    rooted[j, k] = True
                    break
        hopeful[j] = rooted[j].sum() >= needed
    out_i, out_j = [np.int64(0) for _ in range(0)], [np.int64(0) for _ in range(0)]
    for i in range(len(a)):
        for j in range(first[i], last[i]):
            if not hopeful[j]:
                continue
            passed, left = 0, len(primes)
            for k in range(len(primes)):
                left -= 1
                if rooted[j, k]:
                    passed += _traceless(a[i, k], b[j, k], primes[k])
                if passed + left < needed:
                    break
            if passed >= needed:
                out_i.append(i)
                out_j.append(j)
    return np.array(out_i, dtype=np.int64), np.array(out_j, dtype=np.int64)


@njit(cache=True, nogil=True, error_model="numpy")
def _traceless(a, b, p):
    """Whether the trace of the product of [[a(n), b(n)], [1, 0]] over one period vanishes modulo p."""
    x, x0, y, y0 = 1, 0, 0, 1  # the rows of the product
    for n in range(p):
        x, x0 = (a[n] * x + b[n] * x0) % p, x
        y, y0 = (a[n] * y + b[n] * y0) % p, y
    return (x + y0) % p == 0


def exponent(a: Sequence[int], b: Sequence[int]) -> Fraction | None:
    """θ in |v − v_n| ~ n^−θ for a fraction with equal characteristic roots: 4 b_lead = −a_lead², deg b = 2 deg a.

    With 4 b(n)/(a(n) a(n−1)) = −1 + c₁/n + c₂/n² + … and c₁ = 0, solutions behave like n^r with r(r − 1) = c₂, and θ = √(1 + 4c₂).

    Args:
        a, b: coefficients, the highest power first; the first of them is not 0.

    Returns:
        θ where the roots are equal, c₁ = 0, and θ is rational and positive; None otherwise.

    >>> exponent((2, 3, 3, 1), (-1, 0, 0, 0, 0, 0, 0))      # 1/zeta(3)
    Fraction(2, 1)
    """
    d = len(a) - 1
    if d < 1 or len(b) != 2 * d + 1:
        return None
    linear, square = _second_order(*a[:2], a[2] if d >= 2 else 0, *b[:3], d)
    root = math.isqrt(max(square, 0))
    return Fraction(root, abs(a[0])) if 4 * b[0] == -a[0] * a[0] and linear == 0 < square == root * root else None


def _second_order(a0, a1, a2, b0, b1, b2, d):
    """The coefficient of n^(2d−1) in 4 b(n) + a(n) a(n−1), and a0² (1 + 4c₂), for a of degree d."""
    product = a0 * (a2 - (d - 1) * a1 + d * (d - 1) // 2 * a0) + a1 * (a1 - d * a0) + a2 * a0
    return 4 * b1 + 2 * a0 * a1 - d * a0 * a0, a0 * a0 + 4 * (4 * b2 + product)


_compiled_second_order = njit(cache=True, nogil=True)(_second_order)


def exponents(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`exponent` of many pairs (k, d), (k, e): θ, or 0 where there is none."""
    return _exponents(a.astype(np.int64), b.astype(np.int64))


@njit(cache=True, nogil=True, error_model="numpy")
def _exponents(a, b):
    out = np.zeros(len(a))
    for i in range(len(a)):
        lead = 0
        while lead < a.shape[1] and a[i, lead] == 0:
            lead += 1
        d = a.shape[1] - 1 - lead
        shift = b.shape[1] - 1 - 2 * d  # where b's coefficient of n^(2d) stands
        if d < 1 or shift < 0:
            continue
        a0, a1 = a[i, lead], a[i, lead + 1]
        a2 = a[i, lead + 2] if d >= 2 else 0
        b0, b1, b2 = b[i, shift], b[i, shift + 1], b[i, shift + 2]
        linear, square = _compiled_second_order(a0, a1, a2, b0, b1, b2, d)
        if 4 * b0 == -a0 * a0 and linear == 0 < square:
            root = round(np.sqrt(square))
            if root * root == square:
                out[i] = root / abs(a0)
    return out
