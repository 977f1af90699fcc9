"""Closed forms of hypergeometric terms: q(n) a(n + 1) = p(n) a(n) as a product of powers, factorials and a rational function.

Roots of p and q are brought to (0, 1] by the rational factor that a whole shift leaves; full sets of roots j/m, gcd(j, m) = 1, become
quotients of factorials (m n)! by Gauss's multiplication formula, what is left rising factorials; M. Petkovšek, H. S. Wilf and
D. Zeilberger, A = B, 1996, chapter 3.
"""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from math import factorial, gcd

from flint import fmpz_poly

from symnum.numbers import polynomials
from symnum.numbers.evidence import Term
from symnum.numbers.recurrence import Recurrence, simple

MOST_START = 1000  # beyond, factorials at the first terms are larger than the terms are worth
MOST_COMPARED = 300  # terms
MOST_MULTIPLE = 24  # m in (m n)!, and the denominators of the roots; larger ones are no help to a reader


@dataclass(frozen=True)
class HypergeometricTerm:
    """scale · base^n · P(n)/Q(n) · Π (m n)!^(f_m) · Π (α)_n^(g_α), where (α)_n is the rising factorial.

    Attributes:
        scale, base: rational numbers.
        numerator, denominator: P and Q, integer coefficients low to high.
        factorials: m -> f_m.
        risings: α -> g_α, 0 < α < 1.
    """

    scale: Fraction
    base: Fraction
    numerator: polynomials.Coefficients
    denominator: polynomials.Coefficients
    factorials: tuple[tuple[int, int], ...]
    risings: tuple[tuple[Fraction, int], ...]

    def value(self, n: int) -> Term:
        """a(n), exact, for n ≥ 0.

        Raises:
            ValueError: n is negative or a pole.
        """
        below = polynomials.value(self.denominator, n)
        if n < 0 or below == 0:
            msg = f"n >= 0 that is no pole was required, got {n}"
            raise ValueError(msg)
        total = self.scale * self.base**n * Fraction(polynomials.value(self.numerator, n), below)
        for m, power in self.factorials:
            total *= Fraction(factorial(m * n)) ** power
        for alpha, power in self.risings:
            total *= _rising(alpha, n) ** power
        return simple(total)

    @property
    def text(self) -> str:
        """The term as plain text, binomial coefficients where they fit."""
        powers, top, below = dict(self.factorials), [], []
        for (a, b), count in _binomials(powers):
            top.append(_power(f"binomial({_multiple(a + b)}, {_multiple(min(a, b))})", count))
        for m in sorted(powers, reverse=True):
            if powers[m]:
                (top if powers[m] > 0 else below).append(_power(f"factorial({_multiple(m)})", abs(powers[m])))
        for alpha, power in self.risings:
            (top if power > 0 else below).append(_power(f"rf({alpha}, n)", abs(power)))
        scale, p, q = self.scale, self.numerator, self.denominator
        c, parts = polynomials.factors(p)
        d, under = polynomials.factors(q)
        scale *= Fraction(c, d)
        rational = _product(parts)
        up, down = self.base.numerator, self.base.denominator
        top = [*rational, *([_power_text(up)] if up != 1 else []), *top]
        below = [*_product(under), *([_power_text(down)] if down != 1 else []), *below]
        top = ([polynomials.digits(abs(scale.numerator))] if abs(scale.numerator) != 1 else []) + top
        below = ([polynomials.digits(scale.denominator)] if scale.denominator != 1 else []) + below
        text = "*".join(top) or "1"
        if below:
            text += "/" + (below[0] if len(below) == 1 else f"({'*'.join(below)})")
        return f"-{text}" if scale < 0 else text


def closed_form(recurrence: Recurrence, terms: list[Term]) -> HypergeometricTerm | None:
    """The closed form of a recurrence of order 1 ; None where its polynomials have other than rational roots, or start
    is negative or large, or the form is 0 or not defined on some of the terms.

    >>> from symnum.numbers.recurrence import find_precursive
    >>> catalan = [1, 1, 2, 5, 14, 42, 132]
    >>> closed_form(find_precursive(catalan, 0), catalan).text
    'binomial(2*n, n)/(n + 1)'
    """
    if recurrence.order != 1 or not 0 <= recurrence.start <= MOST_START or not recurrence.polynomials[0]:
        return None
    q, p = (recurrence.polynomials[1], tuple(-c for c in recurrence.polynomials[0]))
    above, below = _roots(p), _roots(q)
    if above is None or below is None or any(a + recurrence.start + MOST_COMPARED <= 1 for a in below):
        return None
    if any(a.denominator > MOST_MULTIPLE or abs(a) > MOST_START for a in above + below):
        return None
    base = Fraction(p[-1], q[-1])
    exponents: Counter[Fraction] = Counter()
    numerator, denominator = (1,), (1,)
    for roots, sign in ((above, 1), (below, -1)):
        for alpha in roots:
            whole = -((-alpha).__floor__()) - 1  # alpha - whole is in (0, 1]
            rest = alpha - whole
            exponents[rest] += sign
            # (rest + k)_n = (rest)_n (n + rest) ... (n + rest + k - 1)/(rest)_k
            steps = [rest + j for j in (range(whole) if whole > 0 else range(whole, 0))]
            for s in steps:
                factor = (s.numerator, s.denominator)
                if (whole > 0) == (sign > 0):
                    numerator = _multiply(numerator, factor)
                else:
                    denominator = _multiply(denominator, factor)
    factorials, base = _factorials(exponents, base)
    risings = tuple(sorted((a, e) for a, e in exponents.items() if e))
    numerator, denominator = _cancel(numerator, denominator)
    form = HypergeometricTerm(Fraction(1), base, numerator, denominator, factorials, risings)
    return _scaled(form, recurrence.start, terms)


def _scaled(form: HypergeometricTerm, start: int, terms: list[Term]) -> HypergeometricTerm | None:
    """The form with the scale that makes it true of the terms; None where there is none.

    Form and terms satisfy one recurrence, so that those up to its last singularity decide; a few hundred are compared.
    """
    terms = terms[:MOST_COMPARED]
    try:
        values = [form.value(n) for n in range(start, start + len(terms))]
    except ValueError:
        return None
    at = next((k for k, v in enumerate(values) if v), None)
    if at is None:
        return None
    scale = Fraction(terms[at]) / values[at]
    if scale == 0 or any(scale * v != t for v, t in zip(values, terms, strict=True)):
        return None
    return HypergeometricTerm(scale, form.base, form.numerator, form.denominator, form.factorials, form.risings)


def _roots(p: polynomials.Coefficients) -> list[Fraction] | None:
    """The α of the factors (n + α); None where a factor is not linear."""
    roots = []
    for factor, m in polynomials.factors(p)[1]:
        if len(factor) != 2:
            return None
        roots += [Fraction(factor[0], factor[1])] * m
    return roots


def _factorials(exponents: Counter, base: Fraction) -> tuple[tuple[tuple[int, int], ...], Fraction]:
    """Full sets of the exponents as factorials (they are taken out of `exponents`), and the base that goes with them.

    (m n)! = m^(m n) Π_{j=1..m} (j/m)_n, from the largest m down.
    """
    powers = {}
    for m in range(max((a.denominator for a in exponents), default=0), 0, -1):
        classes = [exponents[Fraction(j, m)] for j in range(1, m + 1) if gcd(j, m) == 1]
        if len(set(classes)) != 1 or classes[0] == 0:
            continue
        powers[m] = power = classes[0]
        base /= Fraction(m) ** (m * power)
        for j in range(1, m + 1):
            exponents[Fraction(j, m)] -= power
    return tuple(sorted(powers.items())), base


def _multiply(p: polynomials.Coefficients, q: polynomials.Coefficients) -> polynomials.Coefficients:
    return tuple(int(c) for c in (fmpz_poly(list(p)) * fmpz_poly(list(q))).coeffs())


def _cancel(p: polynomials.Coefficients, q: polynomials.Coefficients) -> tuple[polynomials.Coefficients, polynomials.Coefficients]:
    a, b = fmpz_poly(list(p)), fmpz_poly(list(q))
    common = a.gcd(b)
    return tuple(int(c) for c in (a // common).coeffs()), tuple(int(c) for c in (b // common).coeffs())


def _rising(alpha: Fraction, n: int) -> Fraction:
    total = Fraction(1)
    for j in range(n):
        total *= alpha + j
    return total


def _binomials(powers: dict[int, int]) -> list[tuple[tuple[int, int], int]]:
    """Binomial coefficients ((a + b) n choose a n) taken out of the factorials, largest first."""
    found = []
    for top in sorted(powers, reverse=True):
        for a in range(1, top // 2 + 1):
            b = top - a
            room = -powers.get(a, 0) // 2 if a == b else min(-powers.get(a, 0), -powers.get(b, 0))
            count = min(powers[top], room)
            if count > 0:
                powers[top] -= count
                powers[a] += count
                powers[b] += count
                found.append(((a, b), count))
    return found


def _multiple(m: int) -> str:
    return "n" if m == 1 else f"{m}*n"


def _power(text: str, power: int) -> str:
    return text if power == 1 else f"{text}^{power}"


def _power_text(base: int) -> str:
    return f"{polynomials.digits(base)}^n" if base > 0 else f"({polynomials.digits(base)})^n"


def _product(parts: list[tuple[polynomials.Coefficients, int]]) -> list[str]:
    parts = sorted(parts, key=lambda part: part[0][::-1])
    return [_power(polynomials.text(p) if p == (0, 1) else f"({polynomials.text(p)})", m) for p, m in parts]
