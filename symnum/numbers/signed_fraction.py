"""Signed regular continued fractions: a(0) + b(1)/(a(1) + b(2)/(a(2) + …)) with integer a(n) and periodic signs b(n) = ±1.

A number and a sequence of signs fix the fraction: a(n) is the floor of what is left where the next sign is +, the ceiling where it
is −. From n = 1 on a(n) ≥ 1, and a(n) ≥ 2 where b(n+1) = −1: such fractions are called semi-regular, and converge (O. Perron, "Die Lehre
von den Kettenbrüchen", vol. 1, 1954). What remains after n terms, a(n) + b(n+1)/(a(n+1) + …), lies between 1 and infinity, so
that the value lies between the images of the two: a proven enclosure.

An *interlaced* fraction has a(n) equal to a polynomial in k on every residue class n = s + r + m·k, after s single terms.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from itertools import product

from flint import arb, ctx, fmpq, fmpq_poly, fmpz_poly

from symnum.numbers import polynomials
from symnum.numbers.formula import GUARD

STEP, BLOCK, MAX_TERMS = 8, 64, 100_000  # terms per look at the precision, terms written at once, terms in all
Coefficients = tuple[int | Fraction, ...]


def sign_sequences(period: int) -> list[tuple[int, ...]]:
    """The sign sequences of every period up to the given one, each with its least period only.

    Raises:
        ValueError: the period is not between 1 and 12.

    >>> sign_sequences(2), len(sign_sequences(4))
    ([(1,), (-1,), (1, -1), (-1, 1)], 22)
    """
    if not 1 <= period <= 12:
        msg = f"a period of the signs between 1 and 12 was required, got {period}"
        raise ValueError(msg)
    every = (s for m in range(1, period + 1) for s in product((1, -1), repeat=m))
    return [s for s in every if not any(len(s) % d == 0 and s == s[:d] * (len(s) // d) for d in range(1, len(s)))]


def quotients(low: tuple[int, int], high: tuple[int, int], signs: Sequence[int], most: int) -> list[int]:
    """The first a(n) of a number that lies between two fractions, as many as the two fix, `most` at most.

    Args:
        low, high: (numerator, denominator) of the two ends in either order; denominators positive.
        signs: one period of b(1), b(2), ….

    >>> quotients((27182818, 10**7), (27182819, 10**7), (1,), 99)
    [2, 1, 2, 1, 1, 4, 1, 1, 6, 1, 1]
    """
    (p, q), (r, s), period = low, high, len(signs)
    found = []
    for n in range(most):
        a, u = divmod(p, q)
        v = r - a * s
        if not (u and 0 < v < s):  # the ends lie in different cells, or one on a border
            break
        if signs[n % period] < 0:
            a, u, v = a + 1, q - u, s - v
        found.append(a)
        p, q, r, s = q, u, s, v
    return found


@dataclass(frozen=True)
class SignedFraction:
    """An interlaced signed continued fraction.

    Attributes:
        signs: one period of b(1), b(2), ….
        prefix: a(0) … a(s − 1).
        cycle: m polynomials in k, coefficients low to high: a(s + r + m·k) = cycle[r](k).

    >>> e = SignedFraction((1,), (2,), ((1,), (2, 2), (1,)))
    >>> e.terms(9), e.ball(20).str(20, radius=False)
    ([2, 1, 2, 1, 1, 4, 1, 1, 6], '2.7182818284590452354')
    >>> e.closed_form
    'a(0) = 2, a(3k+1) = a(3k+3) = 1, a(3k+2) = 2k + 2, b = +'
    """

    signs: tuple[int, ...]
    prefix: tuple[int, ...]
    cycle: tuple[Coefficients, ...]

    def sign(self, n: int) -> int:
        """b(n), n ≥ 1."""
        return self.signs[(n - 1) % len(self.signs)]

    def term(self, n: int) -> int:
        """a(n)."""
        if n < len(self.prefix):
            return self.prefix[n]
        k, r = divmod(n - len(self.prefix), len(self.cycle))
        return int(polynomials.value(self.cycle[r], k))

    def terms(self, count: int) -> list[int]:
        """a(0) … a(count − 1)."""
        start, m = len(self.prefix), len(self.cycle)
        found = [*self.prefix, *(0,) * max(0, count - start)]
        for r, p in enumerate(self.cycle):
            found[start + r:: m] = [int(polynomials.value(p, k)) for k in range(len(found[start + r:: m]))]
        return found[:count]

    @cached_property
    def semiregular(self) -> bool:
        """Whether a(n) ≥ 1 for every n ≥ 1, a(n) ≥ 2 where b(n+1) = −1, and all a(n) are integers: a statement on all n, checked exactly.

        The one sequence that ends in a rational number for all that, 2 − 1/(2 − 1/(2 − …)) = 1, does not count.
        """
        start, period = len(self.prefix), self._period
        if self.signs == (-1,) and self.cycle == ((2,),):
            return False
        if not all(self.term(n) >= (2 if self.sign(n + 1) < 0 else 1) for n in range(1, start)):
            return False
        for r in range(period):
            p = _composed(self.cycle[r % len(self.cycle)], r // len(self.cycle), period // len(self.cycle))
            if not _at_least(p, 2 if self.sign(start + r + 1) < 0 else 1, 1 if start + r == 0 else 0):
                return False
        return True

    @property
    def _period(self) -> int:
        """After which signs and residue classes come again."""
        return math.lcm(len(self.cycle), len(self.signs))

    def ball(self, digits: int) -> arb:
        """The value as a proven ball of at least `digits` digits.

        Raises:
            ValueError: the fraction is not semi-regular, so that its convergence is not proven, or converges too slowly.
        """
        if not self.semiregular:
            msg = f"a(n) >= 1, and a(n) >= 2 before a sign -, for all n >= 1 was required for a proven value, got {self.closed_form}"
            raise ValueError(msg)
        p, p0, q, q0 = 1, 0, 0, 1
        bits, count = math.ceil(digits * math.log2(10)) + 4, BLOCK
        for done in range(0, MAX_TERMS, STEP):
            if done in (0, count):
                count = max(BLOCK, 2 * done)
                terms = self.terms(count)
                signs = [1, *(self.signs * (count // len(self.signs) + 1))]  # b(0) is not used: the products begin with 1
            for a, sign in zip(terms[done: done + STEP], signs[done: done + STEP], strict=True):
                p, p0, q, q0 = a * p + sign * p0, p, a * q + sign * q0, q
            near = q + signs[done + STEP] * q0  # the denominator where 1 remains; q where infinity does
            if near > 0 and p.bit_length() + near.bit_length() > bits:
                with ctx.workprec(bits + GUARD):  # the ends differ by 1/(q·near), the value is about p/q
                    return arb(fmpq(p, q)).union(arb(fmpq(p + signs[done + STEP] * p0, near)))
        msg = f"{digits} digits within {MAX_TERMS} terms were required, {self.closed_form} converges too slowly"
        raise ValueError(msg)

    @cached_property
    def family(self) -> tuple:
        """The same for all fractions that agree from some terms on, wherever each begins: tails of one another.

        Classes and signs are written for the common period, from every place where it may begin; k is shifted to where the second
        coefficient of the first polynomial that is not constant is smallest; the least of these is taken.
        """
        period, start, m = self._period, len(self.prefix), len(self.cycle)
        ps = [_composed(self.cycle[r % m], r // m, period // m) for r in range(period)]
        signs = [self.sign(start + r) for r in range(period)]
        forms = []
        for begin in range(period):
            rolled = ps[begin:] + [_composed(p, 1) for p in ps[:begin]]
            first = next((p for p in rolled if len(p) > 1), None)
            if first is not None:
                shift = -math.floor(first[-2] / (first[-1] * (len(first) - 1)))
                rolled = [_composed(p, shift) for p in rolled]
            forms.append((tuple(rolled), tuple(signs[begin:] + signs[:begin])))
        return min(forms, key=lambda f: ([(len(p), p) for p in f[0]], f[1]))

    @property
    def numbers(self) -> list[int | Fraction]:
        """The numbers that the formula is made of."""
        return [*self.prefix, *(c for p in self.cycle for c in p)]

    @cached_property
    def closed_form(self) -> str:
        """The terms and the signs as formulas in k = 0, 1, 2, …."""
        parts = [f"a({n}) = {a}" for n, a in enumerate(self.prefix)]
        for p, places in self._classes():
            parts.append(" = ".join(f"a({self._index(r)})" for r in places) + f" = {_text(p)}")
        return ", ".join(parts) + ", b = " + " ".join("+-"[b < 0] for b in self.signs)

    def _classes(self) -> list[tuple[Coefficients, list[int]]]:
        """The different polynomials and where each stands."""
        found: dict[Coefficients, list[int]] = {}
        for r, p in enumerate(self.cycle):
            found.setdefault(p, []).append(r)
        return list(found.items())

    def _index(self, r: int) -> str:
        m, offset = len(self.cycle), len(self.prefix) + r
        return ("k" if m == 1 else f"{m}k") + (f"+{offset}" if offset else "")

    @property
    def text(self) -> str:
        """The first terms.

        >>> SignedFraction((1, -1), (), ((2,), (2, 1))).text
        '2 + 1/(2 - 1/(2 + 1/(3 - 1/(2 + ...))))'
        """
        text = "..."
        for n in range(4, -1, -1):
            sign = "+-"[self.sign(n + 1) < 0]
            text = f"{self.term(n)} {sign} " + (f"1/({text})" if n < 4 else text)
        return text

    @property
    def latex(self) -> str:
        r"""The first terms in LaTeX.

        >>> SignedFraction((1,), (), ((1,),)).latex
        '1 + \\cfrac{1}{1 + \\cfrac{1}{1 + \\cfrac{1}{1 + \\ddots}}}'
        """
        text = r"\ddots"
        for n in range(max(3, min(len(self.prefix) + len(self.cycle), 7)), -1, -1):
            text = f"{self.term(n)} {'+-'[self.sign(n + 1) < 0]} " + (text if text == r"\ddots" else rf"\cfrac{{1}}{{{text}}}")
        return text


def interlaced(terms: Sequence[int], signs: Sequence[int], connection: Sequence[int]) -> SignedFraction | None:
    """The interlaced fraction with these first terms, where they obey a linear recurrence.

    A sequence is interlaced exactly where the characteristic polynomial of its recurrence is a power of x times cyclotomic ones: their
    orders give the number of classes, their multiplicities the degree.

    Args:
        terms: all known a(n).
        signs: one period of the signs.
        connection: 1, c_1 … c_L with Σ c_j a(n − j) = 0, the shortest such.

    Returns:
        None where the sequence grows exponentially, or the terms are too few to fix and check the polynomials.

    >>> interlaced([2, 1, 2, 1, 1, 4, 1, 1, 6, 1, 1, 8, 1], (1,), (1, 0, 0, -2, 0, 0, 1, 0)).closed_form
    'a(0) = 2, a(3k+1) = a(3k+3) = 1, a(3k+2) = 2k + 2, b = +'
    """
    degree = max(j for j, c in enumerate(connection) if c)
    prefix = len(connection) - 1 - degree
    _, factors = fmpz_poly([int(c) for c in connection[: degree + 1]][::-1]).factor()
    orders = [(f.is_cyclotomic(), multiplicity) for f, multiplicity in factors]
    if not all(order for order, _ in orders):
        return None
    period, points = math.lcm(1, *(order for order, _ in orders)), max((m for _, m in orders), default=1)
    if prefix + period * points >= len(terms):
        return None
    cycle = tuple(_through(tuple(terms[prefix + r:: period][:points])) for r in range(period))
    found = SignedFraction(tuple(signs), tuple(terms[:prefix]), cycle)
    return found if found.terms(len(terms)) == list(terms) else None


@cache
def _through(values: tuple[int, ...]) -> Coefficients:
    """The polynomial with these values at 0, 1, 2, …, by Newton's forward differences."""
    total, basis, row = fmpq_poly([]), fmpq_poly([1]), list(values)
    for k in range(len(values)):
        total += row[0] * basis
        row = [b - a for a, b in zip(row, row[1:], strict=False)]
        basis = basis * fmpq_poly([-k, 1]) / (k + 1)
    return _coefficients(total)


@cache
def _composed(p: Coefficients, offset: int, step: int = 1) -> Coefficients:
    """p(offset + step·k)."""
    return _coefficients(_polynomial(p)(fmpq_poly([offset, step])))


def _polynomial(p: Coefficients) -> fmpq_poly:
    return fmpq_poly([fmpq(c.numerator, c.denominator) for c in p])


def _coefficients(p: fmpq_poly) -> Coefficients:
    """Whole numbers as int; zero is (0,)."""
    return tuple(int(c.p) if c.q == 1 else Fraction(int(c.p), int(c.q)) for c in p.coeffs()) or (0,)


@cache
def _at_least(p: Coefficients, least: int, first: int) -> bool:
    """Whether p(k) is an integer ≥ least for every k ≥ first.

    The values at all integers are integers where those at as many points as the degree asks for are; none is less than `least`
    from where on no coefficient of the shifted p − least is negative.
    """
    if p[-1] < 0 or any(Fraction(polynomials.value(p, k)).denominator > 1 for k in range(len(p))):
        return False
    far, excess = first, (p[0] - least, *p[1:])
    while any(c < 0 for c in _composed(excess, far)):
        far = 2 * far + 1
        if far > MAX_TERMS or len(p) == 1:
            return False
    return all(polynomials.value(p, k) >= least for k in range(first, far))


def _text(p: Coefficients) -> str:
    return polynomials.text(p, "k").replace("*", "")
