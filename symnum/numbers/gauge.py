"""Matrices that carry one recurrence into another: U(n) with s(n) U(n) M₂(n) = d(n) M₁(n) U(n+1).

M(n) = [[a(n), 1], [b(n), 0]] is the step of a continued fraction, or the product of k steps. Such a U (a gauge transformation, or
coboundary) shows that the two fractions have the same convergents up to rational functions of n. Determinants fix r = s/d up to its
sign and to what a rational factor of U changes: det M₁/det M₂ = r² det U(n)/det U(n+1), so in every class of irreducible factors
that differ by an integer shift the exponents of det M₁/det M₂ have an even sum, half of which goes to r; where in its class r takes
them decides by how much U is multiplied. For a given r the entries of U solve a linear system, screened modulo a 31-bit prime.
After T. Raz et al., "From Euler to AI: unifying formulas for mathematical constants", arXiv:2502.17533, who find U from the
convergents; that equivalence is a linear system: M. Barkatou, "Rational solutions of matrix difference equations", ISSAC 1999.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
from flint import fmpq, fmpz_poly, nmod_mat

from symnum.numbers.equivalence import canonical_ratio, folded, shifted
from symnum.numbers.modular import kernel_vector, nullity
from symnum.numbers.pcf import PCF, compose

SCREEN = (1 << 31) - 1  # a prime whose products fit into 64 bits
POLES = ((0, 0), (1, 0), (1, 1), (2, 0))  # how often U is multiplied by the factors between the shifts of a class, and so many beyond
SLACK = 6  # degree of U beyond that of the matrices, besides
MOST_DEGREE = 60
Matrix = tuple[fmpz_poly, fmpz_poly, fmpz_poly, fmpz_poly]  # rows one after the other


@dataclass(frozen=True)
class Blocks:
    """A continued fraction as blocks of `fold` steps, counted from where its roots lie.

    Attributes:
        fraction: the continued fraction.
        fold: steps per block.
        shift: block n holds the steps fold·n − fold + 1 + shift, …, fold·n + shift.
    """

    fraction: PCF
    fold: int
    shift: int

    @classmethod
    def of(cls, fraction: PCF, fold: int = 1) -> "Blocks":
        """Blocks that begin where the roots of the family's rational function have their mean, so that U has a small degree."""
        return cls(fraction, fold, canonical_ratio(fraction)[2])

    @property
    def matrix(self) -> Matrix:
        """M(n), the product over block n."""
        return folded(self.fraction, self.fold, self.shift)

    def first(self, n: int) -> int:
        """The first step of block n."""
        return self.fold * (n - 1) + 1 + self.shift

    @property
    def index(self) -> fmpz_poly:
        """`first` as a polynomial."""
        return fmpz_poly([1 + self.shift - self.fold, self.fold])


@dataclass(frozen=True)
class Gauge:
    """U, s and d with s(n) U(n) M₂(n) = d(n) M₁(n) U(n+1) as polynomials in n, U not singular."""

    u: Matrix
    s: fmpz_poly
    d: fmpz_poly

    def holds(self, first: Matrix, second: Matrix) -> bool:
        """Whether the identity holds, and no side is 0."""
        left = [self.s * x for x in compose(self.u, second)]
        right = [self.d * x for x in compose(first, tuple(shifted(x, 1) for x in self.u))]
        return left == right and determinant(self.u) != 0 and self.s != 0 and self.d != 0


def determinant(m: Matrix) -> fmpz_poly:
    """The determinant."""
    return m[0] * m[3] - m[1] * m[2]


def gauge(first: Blocks, second: Blocks) -> Gauge | None:
    """A gauge transformation between two fractions; None where none was found with a U of moderate degree.

    >>> found = gauge(Blocks.of(PCF((3, 3), (-2, 1, 0))), Blocks.of(PCF((3, 1), (-2, 1, 0))))
    >>> found.holds(Blocks.of(PCF((3, 3), (-2, 1, 0))).matrix, Blocks.of(PCF((3, 1), (-2, 1, 0))).matrix)
    True
    """
    m1, m2 = first.matrix, second.matrix
    if growth(m1) != growth(m2):
        return None
    size = max(x.degree() for x in m1 + m2)
    sign = 1 if (m1[0] + m1[3]).leading_coefficient() * (m2[0] + m2[3]).leading_coefficient() > 0 else -1  # of the larger eigenvalues
    for s, d, degree in _multipliers(determinant(m1), determinant(m2)):
        u = _solve(m1, m2, sign * s, d, min(MOST_DEGREE, size + SLACK + degree))
        if u is not None:
            found = Gauge(u, sign * s, d)
            if found.holds(m1, m2):
                return found
    return None


def growth(m: Matrix) -> tuple[int, fmpq] | None:
    """(e, c) with trace²/determinant ~ c n^e: what it says of the ratio of the eigenvalues no gauge transformation changes."""
    trace, det = m[0] + m[3], determinant(m)
    if trace == 0 or det == 0:
        return None
    return 2 * trace.degree() - det.degree(), fmpq(trace.leading_coefficient() ** 2, det.leading_coefficient())


def _multipliers(first: fmpz_poly, second: fmpz_poly) -> Iterator[tuple[fmpz_poly, fmpz_poly, int]]:
    """The (s, d) to try, and the degree by which U grows: for every class, the running sums of r's exponents over the shifts are half of
    those of det M₁/det M₂, rounded down, less the number of times that U is multiplied by the factors in between."""
    lead = _square_root(fmpq(first.leading_coefficient(), second.leading_coefficient()))
    classes: dict[tuple[int, ...], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for det, sign in ((first, 1), (second, -1)):
        for factor, times in det.factor()[1]:
            shift = int(fmpq(-factor[factor.degree() - 1], factor[factor.degree()] * factor.degree()).ceil())
            classes[tuple(int(c) for c in shifted(factor, shift).coeffs())][-shift] += sign * times
    if lead is None or any(sum(exponents.values()) % 2 for exponents in classes.values()):
        return
    for times, beyond in POLES:
        s, d, degree = fmpz_poly([1]), fmpz_poly([1]), 0
        for coefficients, exponents in classes.items():
            factor, total, before = fmpz_poly(list(coefficients)), 0, 0
            last = max(exponents) + beyond
            for shift in range(min(exponents) - beyond, last + 1):
                total += exponents.get(shift, 0)
                now = total // 2 - times * (shift < last)
                power = shifted(factor, shift) ** abs(now - before)
                s, d, before = (s * power, d, now) if now > before else (s, d * power, now)
                degree += times * (shift < last) * factor.degree()
        s, d = s * (lead[0] * d.leading_coefficient()), d * (lead[1] * s.leading_coefficient())
        common = s.gcd(d)
        yield s // common, d // common, degree


def _square_root(x: fmpq) -> tuple[int, int] | None:
    """(p, q) with (p/q)² = x, p and q positive; None where x is no square of a rational number."""
    p, q = int(x.p), int(x.q)
    if p <= 0 or isqrt(p) ** 2 != p or isqrt(q) ** 2 != q:
        return None
    return isqrt(p), isqrt(q)


def _solve(m1: Matrix, m2: Matrix, s: fmpz_poly, d: fmpz_poly, degree: int) -> Matrix | None:
    if nullity(_equations(m1, m2, s, d, degree, SCREEN)) == 0:
        return None
    vector = kernel_vector(lambda p: _equations(m1, m2, s, d, degree, p))
    if vector is None:
        return None
    width = degree + 1
    u11, u12, u21, u22 = (fmpz_poly(list(vector[i * width:(i + 1) * width])) for i in range(4))
    return u11, u12, u21, u22


def _equations(m1: Matrix, m2: Matrix, s: fmpz_poly, d: fmpz_poly, degree: int, p: int) -> nmod_mat:
    """The system for the coefficients of the entries of U, low to high, entry by entry: the identity at more points than its degree."""
    width = degree + 1
    largest = max(max(x.degree() for x in m1) + d.degree(), max(x.degree() for x in m2) + s.degree())
    points = range(1, degree + largest + 2)
    kind = np.int64 if p == SCREEN else object
    a, b, c, e = (_values(d * x, points, p, kind) for x in m1)
    A, B, C, E = (_values(s * x, points, p, kind) for x in m2)
    now, after = _powers(points, width, p, kind), _powers([x + 1 for x in points], width, p, kind)
    system = np.zeros((4, len(points), 4, width), dtype=kind)
    for row, (x, y) in enumerate(((a, b), (a, b), (c, e), (c, e))):  # d M₁ U(n+1)
        column = row % 2
        system[row, :, column] += x * after % p
        system[row, :, 2 + column] += y * after % p
    for row, (x, y) in enumerate(((A, C), (B, E), (A, C), (B, E))):  # − s U M₂
        line = 2 * (row // 2)
        system[row, :, line] -= x * now % p
        system[row, :, line + 1] -= y * now % p
    return nmod_mat(4 * len(points), 4 * width, (system % p).reshape(-1).tolist(), p)


def _values(f: fmpz_poly, points: Sequence[int], p: int, kind: type) -> np.ndarray:
    return np.array([int(f(x)) % p for x in points], dtype=kind)[:, None]


def _powers(points: Sequence[int], width: int, p: int, kind: type) -> np.ndarray:
    out = np.ones((len(points), width), dtype=kind)
    base = np.array([x % p for x in points], dtype=kind)
    for k in range(1, width):
        out[:, k] = out[:, k - 1] * base % p
    return out
