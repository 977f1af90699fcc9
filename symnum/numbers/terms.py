"""Terms that are polynomials or rational functions of n: found from exact terms, checked exactly, continued exactly.

Polynomials by finite differences, rational functions from the linear system Q(n) a(n) = P(n) by `shapes`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm

from flint import fmpq, fmpq_poly, nmod_mat

from symnum.numbers import polynomials
from symnum.numbers.evidence import Term, code_bits
from symnum.numbers.modular import residues
from symnum.numbers.recurrence import integers, simple
from symnum.numbers.shapes import Family, smallest

FIT_TERMS, MOST_DEGREE = 200, 60  # terms fitted, degree of a polynomial
MOST_DENOMINATOR = 12  # degree of a denominator


@dataclass(frozen=True)
class RationalTerm:
    """a(n) = P(n)/Q(n), integer coefficients low to high; Q has no root at the terms it was found from.

    Attributes:
        numerator, denominator: P and Q, without a common factor, the leading coefficient of Q positive.
        fitted: how many terms were needed to fix it.
        tried: how many shapes were within reach.

    >>> t = find_polynomial([0, 1, 3, 6, 10, 15], 0)
    >>> t.text, t.value(100)
    ('n*(n + 1)/2', 5050)
    """

    numerator: polynomials.Coefficients
    denominator: polynomials.Coefficients
    fitted: int
    tried: int

    @property
    def kind(self) -> str:
        return "polynomial" if len(self.denominator) == 1 else "rational"

    @cached_property
    def bits(self) -> float:
        """Bits of the formula written out."""
        below = [len(self.denominator) - 1, *self.denominator] if self.kind == "rational" else [self.denominator[0] - 1]
        return code_bits([len(self.numerator), *self.numerator, *below])

    @property
    def text(self) -> str:
        """The factored formula as plain text."""
        if not self.numerator:
            return "0"
        top = polynomials.product_text(self.numerator)
        single = len(polynomials.factors(self.numerator)[1]) == 1 and top.startswith("(") and top.endswith(")")
        if self.denominator == (1,):
            return top[1:-1] if single else top
        below = polynomials.product_text(self.denominator)
        return f"{top}/{f'({below})' if '*' in below else below}"

    def value(self, n: int) -> Term:
        """a(n).

        Raises:
            ValueError: n is a pole.
        """
        below = polynomials.value(self.denominator, n)
        if below == 0:
            msg = f"the formula has a pole at n = {n}"
            raise ValueError(msg)
        return simple(Fraction(polynomials.value(self.numerator, n), below))

    def holds(self, terms: Sequence[Term], start: int) -> bool:
        """Whether it is true of the terms a(start), a(start + 1), …; exact."""
        p, q = self.numerator, self.denominator
        below = ((n, polynomials.value(q, n), a) for n, a in enumerate(terms, start))
        return all(b != 0 and b * a == polynomials.value(p, n) for n, b, a in below)


def find_polynomial(terms: Sequence[Term], start: int, spare: int = 1) -> RationalTerm | None:
    """The polynomial of least degree d, where d + 1 + spare terms are given; None where there is none.

    >>> find_polynomial([1, 2, 4, 8, 16], 0) is None
    True
    """
    fit = integers(terms[:FIT_TERMS])
    common = lcm(*(t.denominator for t in terms[:FIT_TERMS]))
    newton, row = [], fit
    while any(row):
        if len(newton) > MOST_DEGREE or len(row) <= spare:
            return None
        newton.append(row[0])
        row = [b - a for a, b in zip(row, row[1:], strict=False)]
    if len(fit) - len(newton) < spare:
        return None
    x, total, basis = fmpq_poly([-start, 1]), fmpq_poly([0]), fmpq_poly([1])
    for k, c in enumerate(newton):  # Newton's form: sum of c_k binomial(n - start, k)
        total += basis * fmpq(c, common)
        basis = basis * (x - k) / (k + 1)
    coefficients = [Fraction(int(c.p), int(c.q)) for c in total.coeffs()]
    scale = lcm(*(c.denominator for c in coefficients), 1)
    found = RationalTerm(tuple(int(c * scale) for c in coefficients), (scale,), len(newton), max(len(newton), 1))
    return found if found.holds(terms, start) else None


def find_rational(terms: Sequence[Term], start: int, spare: int = 1) -> RationalTerm | None:
    """The rational function, not a polynomial, of fewest coefficients that leaves `spare` terms for the check; None if there is none.

    >>> find_rational([Fraction(1, n * n + 1) for n in range(8)], 0).text
    '1/(n^2 + 1)'
    """
    fit = list(terms[:FIT_TERMS])
    if not any(fit):
        return None

    known: dict[int, list[int]] = {}

    def matrix(q: int, p: int, prime: int) -> nmod_mat:
        if prime not in known:
            known[prime] = residues(fit, prime)
        rows = []
        for k, a in enumerate(known[prime]):
            powers = [1]
            for _ in range(max(p, q)):
                powers.append(powers[-1] * (start + k) % prime)
            rows += [a * x % prime for x in powers[: q + 1]] + powers[: p + 1]
        return nmod_mat(len(fit), p + q + 2, rows, prime)

    denominator = lcm(*(t.denominator for t in fit))
    family = Family(matrix, lambda q, p: p + q + 2, lambda q: len(fit), range(1, MOST_DENOMINATOR + 1), denominator=denominator)
    found = smallest(family, spare)
    if found is None:
        return None
    q = polynomials.trimmed(found.vector[: found.order + 1])
    p = polynomials.trimmed([-c for c in found.vector[found.order + 1:]])
    if len(q) < 2:
        return None
    sign = gcd(*p, *q) * (1 if q[-1] > 0 else -1)
    term = RationalTerm(tuple(c // sign for c in p), tuple(c // sign for c in q), found.rows, found.tried)
    return term if term.holds(terms, start) else None
