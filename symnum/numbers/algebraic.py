"""Algebraic generating functions: a polynomial P(x, y) with P(x, A(x)) = 0 for A(x) = Σ a(start + k) x^k.

Found by Hermite–Padé approximation of 1, A, A², … modulo primes, checked as a power series over Q, continued by Newton's
iteration (H. T. Kung and J. F. Traub, J. ACM 25, 1978, doi:10.1145/322063.322068).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm

from flint import fmpq, fmpq_poly, fmpz_poly, nmod_mat, nmod_poly

from symnum.numbers import polynomials
from symnum.numbers.evidence import Term, code_bits, integer_bits
from symnum.numbers.modular import residues
from symnum.numbers.recurrence import simple
from symnum.numbers.shapes import Family, smallest

FIT_TERMS = 200  # terms fitted; all others are checks
MOST_DEGREE = 6  # in y


@dataclass(frozen=True)
class AlgebraicSeries:
    """P(x, y) = Σ_i p_i(x) y^i = 0 for y = Σ a(start + k) x^k.

    Attributes:
        polynomials: p_0 … p_D, integer coefficients low to high; p_D is not zero, D ≥ 2.
        initial: the first terms, enough to single out the branch.
        fitted: how many of the first terms were needed to fix it.
        tried: how many shapes were within reach.
        lag: the equation of x^(k + lag) fixes the k-th term.

    >>> s = find_algebraic([1, 1, 2, 5, 14, 42, 132, 429, 1430], 3)
    >>> s.text, s.terms_after([1, 1, 2, 5, 14, 42, 132, 429, 1430], 2)
    ('x*y^2 - y + 1 = 0', [4862, 16796])
    """

    polynomials: tuple[polynomials.Coefficients, ...]
    initial: tuple[Term, ...]
    fitted: int
    tried: int
    lag: int

    kind = "algebraic"

    @cached_property
    def bits(self) -> float:
        """Bits of the equation with its initial terms written out."""
        width = max(map(len, self.polynomials))
        coefficients = [c for p in self.polynomials for c in (*p, *(0,) * (width - len(p)))]
        return integer_bits(len(self.polynomials)) + integer_bits(width) + code_bits(coefficients) + code_bits(self.initial)

    @property
    def text(self) -> str:
        """The equation as plain text."""
        words = ""
        for i in reversed(range(len(self.polynomials))):
            p = self.polynomials[i]
            if not p:
                continue
            negative = p[-1] < 0
            factor = polynomials.product_text([-c for c in p] if negative else p, "x")
            power = "" if i == 0 else "y" if i == 1 else f"y^{i}"
            term = power if factor == "1" and power else f"{factor}*{power}" if power else factor
            words += (" - " if negative else " + ") + term if words else ("-" if negative else "") + term
        return f"{words} = 0"

    def terms_after(self, terms: Sequence[Term], k: int) -> list[Term]:
        """The k terms after those given (all from the first on, at least 2·lag + 1)."""
        known, goal = len(terms), len(terms) + k
        y = _series(terms)
        have = known
        while have < goal:
            have = min(2 * have - 2 * self.lag, goal)
            length = have + 2 * self.lag
            value, slope = self._at(y, length), self._slope(y, length)
            y = (y - _quotient(value, slope, self.lag, have)).truncate(have)
        return [simple(Fraction(int(y[i].p), int(y[i].q))) for i in range(known, goal)]

    def holds(self, terms: Sequence[Term]) -> bool:
        """Whether P(x, A) vanishes as far as the terms reach; exact."""
        value = self._at(_series(terms), len(terms))
        return all(value[k] == 0 for k in range(len(terms)))

    def radical(self, terms: Sequence[Term]) -> str | None:
        """Text of the branch as a function of x where P is quadratic in y; None otherwise.

        >>> find_algebraic([1, 1, 2, 5, 14, 42, 132, 429, 1430], 3).radical([1, 1, 2, 5])
        '(1 - sqrt(1 - 4*x))/(2*x)'
        """
        if len(self.polynomials) != 3:
            return None
        c, b, a = (fmpz_poly(list(p)) for p in self.polynomials)
        branch = fmpq_poly(2 * a) * _series(terms) + fmpq_poly(b)  # the square root of the discriminant, with a sign
        content, parts = (b * b - 4 * a * c).factor()
        outside, inside = fmpz_poly([1]), fmpz_poly([content])
        for factor, m in parts:
            outside, inside = outside * factor ** (m // 2), inside * factor ** (m % 2)
        signs = [next((1 if f[k] > 0 else -1 for k in range(len(terms)) if f[k] != 0), 0) for f in (branch, outside, inside)]
        if signs[0] == 0 or signs[2] < 0:  # the square root is not real at small positive x
            return None
        return _quadratic(-b, outside * (signs[0] * signs[1]), inside, 2 * a)

    def _at(self, y: fmpq_poly, length: int) -> fmpq_poly:
        total = fmpq_poly([0])
        for p in reversed(self.polynomials):
            total = (total.mul_low(y, length) + fmpq_poly(list(p))).truncate(length)
        return total

    def _slope(self, y: fmpq_poly, length: int) -> fmpq_poly:
        total = fmpq_poly([0])
        for i in range(len(self.polynomials) - 1, 0, -1):
            total = (total.mul_low(y, length) + i * fmpq_poly(list(self.polynomials[i]))).truncate(length)
        return total

    def valuation(self, terms: Sequence[Term]) -> int | None:
        """The least power of x in ∂P/∂y at the series; None where it vanishes as far as the terms reach."""
        slope = self._slope(_series(terms), len(terms))
        return next((k for k in range(len(terms)) if slope[k] != 0), None)


def _quadratic(free: fmpz_poly, factor: fmpz_poly, inside: fmpz_poly, below: fmpz_poly) -> str:
    """Text of (free + factor √inside)/below, common factors cancelled."""
    common = free.gcd(factor).gcd(below)
    common = -common if next(c for c in below.coeffs() if c) < 0 else common
    whole, scale, bottom = ([int(c) for c in (p // common).coeffs()] for p in (free, factor, below))
    negative = next(c for c in scale if c) < 0
    scale = [-c for c in scale] if negative else scale
    root = f"sqrt({polynomials.text([int(c) for c in inside.coeffs()], 'x', True)})"
    root = root if scale == [1] else f"{_bracketed(polynomials.text(scale, 'x', True))}*{root}"
    top = f"{polynomials.text(whole, 'x', True)} {'-' if negative else '+'} {root}" if whole else ("-" if negative else "") + root
    return top if bottom == [1] else f"({top})/{_bracketed(polynomials.text(bottom, 'x', True))}"


def _bracketed(text: str) -> str:
    return text if text.isalnum() else f"({text})"


def _series(terms: Sequence[Term]) -> fmpq_poly:
    return fmpq_poly([fmpq(t.numerator, t.denominator) for t in terms])


def _quotient(value: fmpq_poly, slope: fmpq_poly, lag: int, length: int) -> fmpq_poly:
    """value/slope modulo x^length; x^lag is the least power in the slope and divides the value."""
    unit = slope.right_shift(lag)
    inverse, have = fmpq_poly([1 / unit[0]]), 1
    while have < length:
        have = min(2 * have, length)
        inverse = inverse.mul_low(2 - inverse.mul_low(unit, have), have)
    return value.right_shift(lag).mul_low(inverse, length)


def find_algebraic(terms: Sequence[Term], spare: int = 1) -> AlgebraicSeries | None:
    """The equation of fewest coefficients, of degree 2 … 6 in y, that leaves `spare` equations for the check; None if there is none.

    >>> find_algebraic([1, 1, 2, 3, 5, 7, 11, 15, 22, 30, 42], 3) is None
    True
    """
    fit, powers = list(terms[:FIT_TERMS]), {}
    if not any(fit):
        return None

    def matrix(order: int, degree: int, p: int) -> nmod_mat:
        if p not in powers:
            powers[p] = _powers(fit, p)
        columns = [[0] * j + powers[p][i][: len(fit) - j] for i in range(order + 1) for j in range(degree + 1)]
        return nmod_mat(len(fit), len(columns), [c[k] for k in range(len(fit)) for c in columns], p)

    denominator = lcm(*(t.denominator for t in fit))
    family = Family(matrix, lambda r, d: (r + 1) * (d + 1), lambda r: len(fit), range(2, MOST_DEGREE + 1), denominator=denominator)
    found = smallest(family, spare)
    if found is None:
        return None
    width = found.degree + 1
    ps = tuple(polynomials.trimmed(found.vector[i * width: (i + 1) * width]) for i in range(found.order + 1))
    draft = AlgebraicSeries(ps, (), found.rows, found.tried, 0)
    lag = draft.valuation(fit)
    if not ps[-1] or lag is None or 2 * lag + 1 > len(fit) or not draft.holds(terms):
        return None
    return AlgebraicSeries(ps, tuple(terms[: 2 * lag + 1]), found.rows, found.tried, lag)


def _powers(terms: Sequence[Term], p: int) -> list[list[int]]:
    """The coefficients of 1, A, …, A^6 modulo p and x^N."""
    n, power = len(terms), nmod_poly([1], p)
    series, rows = nmod_poly(residues(terms, p), p), []
    for _ in range(MOST_DEGREE + 1):
        rows.append([int(power[k]) for k in range(n)])
        power = power.mul_low(series, n)
    return rows
