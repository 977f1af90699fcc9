"""Sums from which binomial series are built: Σ of products of binomial coefficients over powers, as proven balls.

They are added by binary splitting (B. Haible and T. Papanikolaou, "Fast multiprecision evaluation of series of rational numbers",
ANTS-III, 1998, doi:10.1007/BFb0054873); what is left out is bounded by a geometric series whose ratio is shown to hold for all
further terms.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from flint import arb, ctx, fmpq, fmpz, fmpz_poly

from symnum.numbers.bbp_sums import joined
from symnum.numbers.formula import GUARD

LEAF = 12  # terms added one by one at the leaves of the splitting
FACTORS = {  # binomial coefficients by name: the factorials (a k)! of which they are made, with exponents
    "binomial(2k,k)": {2: 1, 1: -2},
    "binomial(3k,k)": {3: 1, 2: -1, 1: -1},
    "binomial(4k,k)": {4: 1, 3: -1, 1: -1},
    "binomial(4k,2k)": {4: 1, 2: -2},
    "binomial(6k,3k)": {6: 1, 3: -2},
}


@dataclass(frozen=True)
class BinomialBasis:
    """The sums Σ_k t(k) ℓ(k)^i, i = 0 … degree, with t(k) = Π binomial^e · z^−k · ℓ(k)^−s, where ℓ(k) is k or 2k + 1.

    Attributes:
        factors: (name of `FACTORS`, exponent) pairs.
        z: a rational number; the sums converge where it is larger in size than `growth`.
        step: 1 for ℓ = k, 2 for ℓ = 2k + 1.
        power: s; with ℓ = k and s > 0 the sums begin at k = 1, otherwise at 0.
        degree: the largest i.

    Raises:
        ValueError: the sums do not converge like a geometric series, or a name or number is out of range.

    >>> apery = BinomialBasis((("binomial(2k,k)", -1),), Fraction(-1), 1, 3, 0)
    >>> apery.text([1]), apery.ball([1], 20).str(20, radius=False)  # -2/5 zeta(3)
    ('sum(k>=1) (-1)^k/(k^3 binomial(2k,k))', '-0.48082276126383771416')
    """

    factors: tuple[tuple[str, int], ...]
    z: Fraction
    step: int = 1
    power: int = 0
    degree: int = 2

    kind = "binomial"

    def __post_init__(self):
        if self.step not in (1, 2) or self.power < 0 or self.degree < 0 or not set(dict(self.factors)) <= set(FACTORS) or self.z == 0:
            msg = (f"factors among {', '.join(FACTORS)}, z other than 0, a step of 1 or 2, power and degree of 0 or more were required, "
                   f"got {self.factors}, {self.z}, {self.step}, {self.power} and {self.degree}")
            raise ValueError(msg)
        if abs(self.z) <= growth(self.factors):
            msg = f"|z| > {growth(self.factors)} was required for a sum that converges like a geometric series, got {self.z}"
            raise ValueError(msg)

    @property
    def key(self) -> str:
        names = "·".join(f"{name}^{e}" for name, e in self.factors)
        return f"binomial|{names}|{self.z}|{self.step}|{self.power}|{self.degree}"

    @property
    def labels(self) -> list[str]:
        """The sums by name."""
        return [f"S_{i}" for i in range(self.degree + 1)]

    @property
    def start(self) -> int:
        """The first k."""
        return 1 if self.step == 1 and self.power else 0

    @property
    def _line(self) -> fmpz_poly:
        return fmpz_poly([self.step - 1, self.step])

    @cached_property
    def ratio(self) -> tuple[fmpz_poly, fmpz_poly]:
        """p and q with t(k + 1)/t(k) = p(k)/q(k)."""
        p, q = _factorial_ratio(self.factors)
        p, q = p * self.z.denominator, q * abs(self.z.numerator)
        p, q = p * self._line ** self.power, q * self._line(fmpz_poly([1, 1])) ** self.power
        common = p.gcd(q)
        return p // common * (1 if self.z > 0 else -1), q // common

    @cached_property
    def _proven(self) -> tuple[int, fmpq]:
        """(N, ρ): from k = N on, |t(k)| k^i falls at least by the factor ρ from term to term, i = 0 … degree.

        The difference of the two sides is a polynomial in k; it is not negative from N on where its coefficients about N are not.
        """
        p, q = self.ratio
        limit = abs(fmpq(p.leading_coefficient(), q.leading_coefficient())) if p.degree() == q.degree() else fmpq(0)
        bound = (limit + 1) / 2
        size = p if p.leading_coefficient() > 0 else -p
        power = fmpz_poly([0, 1]) ** self.degree
        excess = q * power * bound.p - size * power(fmpz_poly([1, 1])) * bound.q
        n = max(self.start, 1)
        while any(c < 0 for c in excess(fmpz_poly([n, 1])).coeffs()):
            n *= 2
        return n, bound

    @cached_property
    def _first(self) -> fmpq:
        """t(start)."""
        value = fmpq(1)
        for name, e in self.factors:
            value *= fmpq(math.prod(math.factorial(a * self.start) ** m for a, m in FACTORS[name].items() if m > 0),
                          math.prod(math.factorial(a * self.start) ** -m for a, m in FACTORS[name].items() if m < 0)) ** e
        z = fmpq(self.z.numerator, self.z.denominator)
        return value / (z if self.start else 1)  # ℓ(start) = 1

    def terms(self, coefficients: Sequence[int], count: int) -> list[fmpq]:
        """The first terms of Σ_i A_i S_i that are not 0, exactly.

        >>> BinomialBasis((("binomial(2k,k)", 1),), Fraction(8)).terms([1, 0, 0], 3)
        [1, 1/4, 3/32]
        """
        (p, q), numerator = self.ratio, self._polynomial(coefficients)
        term, found, k = self._first, [], self.start
        while len(found) < count and numerator:
            found += [term * numerator(k)] if numerator(k) != 0 else []
            term, k = term * fmpq(p(k), q(k)), k + 1
        return found

    def _polynomial(self, coefficients: Sequence[int]) -> fmpz_poly:
        return sum((self._line ** i * int(a) for i, a in enumerate(coefficients)), fmpz_poly([]))

    def sums(self, digits: int) -> list[arb]:
        """All sums, to at least `digits` digits after the point."""
        return self._sums([self._line ** i for i in range(self.degree + 1)], digits)

    def ball(self, coefficients: Sequence[int], digits: int) -> arb:
        """Σ_i A_i S_i, as one sum."""
        return self._sums([self._polynomial(coefficients)], digits + 10)[0]

    def _sums(self, numerators: list[fmpz_poly], digits: int) -> list[arb]:
        proven, bound = self._proven
        rate = -math.log2(min(1.0, max(2 * float(bound.p) / float(bound.q) - 1, 2.0 ** -64)))
        bits = math.ceil(digits * math.log2(10)) + 8
        size = max(int(c).bit_length() for n in numerators for c in (*n.coeffs(), 1)) + len(numerators).bit_length()
        count = max(proven - self.start + 1, math.ceil((bits + size) / max(rate, 2 ** -10)) + 8)
        product: tuple[fmpz, fmpz, list[fmpz]] | None = None
        end = self.start
        while True:
            block = self._split(numerators, end, end + count)
            product, end = (block if product is None else _joint(product, block)), end + count
            p, q, totals = product
            with ctx.workprec(bits + size + GUARD):
                last = abs(arb(fmpq(p, q)) * arb(self._first)) / (1 - arb(bound))  # Σ of |t(k)| from `end` on, as far as ℓ^i lets it
                tails = [last * sum((abs(c) * end ** i for i, c in enumerate(n.coeffs())), fmpz(0)) for n in numerators]
                if all(tail < arb(2) ** -bits for tail in tails):
                    return [arb(fmpq(t, q)) * arb(self._first) + arb(0, 1) * tail for t, tail in zip(totals, tails, strict=True)]
            count = max(16, count // 8)

    def _split(self, numerators: list[fmpz_poly], first: int, last: int) -> tuple[fmpz, fmpz, list[fmpz]]:
        """(Π p, Π q, T_i) over first ≤ k < last, T_i/Π q being the sum of n_i(k) Π_{j<k} p(j)/q(j)."""
        if last - first > LEAF:
            middle = (first + last) // 2
            return _joint(self._split(numerators, first, middle), self._split(numerators, middle, last))
        (p, q), product, below = self.ratio, fmpz(1), fmpz(1)
        totals = [fmpz(0)] * len(numerators)
        for k in range(first, last):
            step = q(k)
            here = product * step
            totals = [t * step + here * n(k) for t, n in zip(totals, numerators, strict=True)]
            product, below = product * p(k), below * step
        return product, below, totals

    def text(self, coefficients: Sequence[int]) -> str:
        """The series in one line."""
        top, power = self._numerator(coefficients)
        body = self._fraction(f"({top})" if " " in top else top, power, str)
        return f"sum(k>={self.start}) {body}"

    def latex(self, coefficients: Sequence[int]) -> str:
        """The series in LaTeX."""
        top, power = self._numerator(coefficients)
        body = self._fraction(rf"\left({top}\right)" if " " in top else top, power, _latex_factor, latex=True)
        return rf"\sum_{{k={self.start}}}^{{\infty}} {body}"

    def _numerator(self, coefficients: Sequence[int]) -> tuple[str, int]:
        """The polynomial over ℓ^s in lowest terms: its text, and the power that is left below."""
        first = next((i for i, a in enumerate(coefficients) if a), 0)
        cut = min(first, self.power)
        line = "k" if self.step == 1 else "(2k+1)"
        parts = []
        for i, a in reversed(list(enumerate(coefficients))):
            if a:
                monomial = "" if i == cut else line if i == cut + 1 else f"{line}^{i - cut}"
                parts.append((a, (str(abs(a)) if abs(a) != 1 or not monomial else "") + monomial))
        return joined(parts), self.power - cut

    def _fraction(self, top: str, power: int, name: Callable[[str], str], latex: bool = False) -> str:
        line = "k" if self.step == 1 else "(2k+1)"
        exponent = "{{{}}}".format if latex else "{}".format
        up = abs(self.z.numerator) == 1  # 1/z is an integer: its power stands above
        z = str(self.z.denominator * self.z.numerator if up else self.z)
        z = (z if z.isdigit() else f"({z})") + f"^{exponent('k')}"
        below = [f"{line}^{exponent(power)}" if power > 1 else line] if power else []
        below += [] if up else [z]
        below += [name(f) + (f"^{exponent(-e)}" if e < -1 else "") for f, e in self.factors if e < 0]
        above = [z] if up and self.z != 1 else []
        above += [name(f) + (f"^{exponent(e)}" if e > 1 else "") for f, e in self.factors if e > 0]
        above = [top, *above] if top != "1" or not above else above
        if latex:
            return rf"\frac{{{' '.join(above)}}}{{{' '.join(below)}}}" if below else " ".join(above)
        return " ".join(above) + (f"/({' '.join(below)})" if len(below) > 1 else f"/{below[0]}" if below else "")

    def sympy(self, coefficients: Sequence[int]):
        """The series as a sympy Sum."""
        import sympy

        k = sympy.Symbol("k", integer=True, nonnegative=True)
        line = self.step * k + self.step - 1
        term = sum(sympy.Integer(a) * line ** (i - self.power) for i, a in enumerate(coefficients) if a)
        for name, e in self.factors:
            n, m = name[len("binomial("):-1].split(",")
            term *= sympy.binomial(*(sympy.Integer(x[:-1] or 1) * k for x in (n, m))) ** e
        return sympy.Sum(term / sympy.Rational(self.z.numerator, self.z.denominator) ** k, (k, self.start, sympy.oo))


def growth(factors: Sequence[tuple[str, int]]) -> Fraction:
    """The limit of t(k + 1)/t(k) of a product of binomials: Π a^(a·m·e).

    >>> growth((("binomial(2k,k)", 3),)), growth((("binomial(3k,k)", -1),))
    (Fraction(64, 1), Fraction(4, 27))
    """
    return math.prod((Fraction(a) ** (a * m * e) for name, e in factors for a, m in FACTORS[name].items()), start=Fraction(1))


def _factorial_ratio(factors: Sequence[tuple[str, int]]) -> tuple[fmpz_poly, fmpz_poly]:
    """Numerator and denominator of the product at k + 1 over the product at k."""
    p, q = fmpz_poly([1]), fmpz_poly([1])
    for name, e in factors:
        for a, m in FACTORS[name].items():
            step = math.prod((fmpz_poly([j, a]) for j in range(1, a + 1)), start=fmpz_poly([1])) ** abs(m * e)
            p, q = (p * step, q) if m * e > 0 else (p, q * step)
    common = p.gcd(q)
    return p // common, q // common


def _joint(left: tuple[fmpz, fmpz, list[fmpz]], right: tuple[fmpz, fmpz, list[fmpz]]) -> tuple[fmpz, fmpz, list[fmpz]]:
    (p, q, t), (p2, q2, t2) = left, right
    return p * p2, q * q2, [x * q2 + p * y for x, y in zip(t, t2, strict=True)]


def _latex_factor(name: str) -> str:
    n, m = name[len("binomial("):-1].split(",")
    return rf"\binom{{{n}}}{{{m}}}"
