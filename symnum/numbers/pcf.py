"""Polynomial continued fractions: a(0) + b(1)/(a(1) + b(2)/(a(2) + …)) with integer polynomials a and b.

A convergent p_n/q_n obeys u_n = a(n) u_{n−1} + b(n) u_{n−2}, so that n terms are a product of 2 × 2 integer matrices, taken by binary
splitting. The ball of the limit is proven: where 4 b(n) ≥ −a(n) a(n−1) for every n from N on, the tail from N lies between half its
first term and infinity (the parabola theorem on the real line; L. Lorentzen, H. Waadeland, "Continued Fractions", vol. 1, 2008),
and the limit lies between the images of the two.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from flint import arb, ctx, fmpq, fmpz, fmpz_poly

from symnum.numbers.formula import GUARD

LEAF = 32  # terms multiplied one by one at the leaves of the splitting
FIRST_DEPTH, MAX_DEPTH = 64, 1 << 17
Matrix = tuple[fmpz, fmpz, fmpz, fmpz]  # (p_n, p_{n-1}, q_n, q_{n-1}), rows of a 2 x 2 matrix


@dataclass(frozen=True)
class PCF:
    """A polynomial continued fraction.

    Args:
        a, b: integer coefficients, from the highest power of n down.

    Raises:
        ValueError: a polynomial is empty, or b is zero.

    >>> e = PCF((1, 3), (-1, 0))
    >>> print(e)
    3 - 1/(4 - 2/(5 - 3/(6 - 4/(7 - ...))))
    >>> e.ball(20).str(20, radius=False)
    '2.7182818284590452354'
    """

    a: tuple[int, ...]
    b: tuple[int, ...]

    def __post_init__(self):
        for name in ("a", "b"):
            coefficients = tuple(int(c) for c in getattr(self, name))
            if not coefficients:
                msg = f"a polynomial was required for {name}, got no coefficients"
                raise ValueError(msg)
            first = next((i for i, c in enumerate(coefficients) if c), len(coefficients) - 1)
            object.__setattr__(self, name, coefficients[first:])
        if self.b == (0,):
            msg = "b other than 0 was required: with b = 0 the fraction is a(0) alone"
            raise ValueError(msg)

    def __reduce__(self):
        return PCF, (self.a, self.b)  # flint's polynomials, once they are cached, do not pickle

    @cached_property
    def polynomials(self) -> tuple[fmpz_poly, fmpz_poly]:
        """a and b as flint polynomials."""
        return fmpz_poly(list(self.a[::-1])), fmpz_poly(list(self.b[::-1]))

    @cached_property
    def last_term(self) -> int | None:
        """The least n ≥ 1 with b(n) = 0, where the fraction ends and is rational; None where it goes on for ever."""
        roots = [int(r) for r, _ in self.polynomials[1].roots() if r >= 1]
        return min(roots, default=None)

    def matrix(self, first: int, last: int) -> Matrix:
        """The product of [[a(n), 1], [b(n), 0]] over first ≤ n < last."""
        if last - first > LEAF:
            middle = (first + last) // 2
            return compose(self.matrix(first, middle), self.matrix(middle, last))
        a, b = self.polynomials
        p, p0, q, q0 = fmpz(1), fmpz(0), fmpz(0), fmpz(1)
        for n in range(first, last):
            x, y = a(n), b(n)
            p, p0, q, q0 = x * p + y * p0, p, x * q + y * q0, q
        return p, p0, q, q0

    def convergent(self, n: int) -> fmpq:
        """p_n/q_n exactly: n = 0 is a(0).

        Raises:
            ZeroDivisionError: q_n is 0.

        >>> PCF((1, 3), (-1, 0)).convergent(2)
        49/18
        """
        p, _, q, _ = self.convergents(n + 1)
        return fmpq(p, q)

    def convergents(self, n: int) -> Matrix:
        """p_{n−1}, p_{n−2}, q_{n−1}, q_{n−2}: numerators and denominators of two convergents, n ≥ 1.

        >>> PCF((2, 1), (1, 0, 0)).convergents(2)
        (4, 1, 3, 1)
        """
        return compose((self.polynomials[0](0), fmpz(1), fmpz(1), fmpz(0)), self.matrix(1, n))

    @cached_property
    def proven_from(self) -> int | None:
        """The N from which on 4 b(n) + a(n) a(n−1) ≥ 0 and a(n) a(n−1) > 0 hold for every n, so that tails are bounded; None: for no N.

        A polynomial is positive from N on where its coefficients about N are.
        """
        a, b = self.polynomials
        shift = fmpz_poly([-1, 1])
        product = a * a(shift)
        both = (product, 4 * b + product)
        if product.degree() < 0 or any(p.degree() >= 0 and p.leading_coefficient() < 0 for p in both):
            return None
        n = 1
        while product(n) == 0 or any(c < 0 for p in both for c in p(fmpz_poly([n, 1])).coeffs()):
            n *= 2
        return n

    def ball(self, digits: int, depth: int = MAX_DEPTH) -> arb:
        """The limit as a proven ball of at least `digits` digits, or of as many as `depth` terms prove.

        Raises:
            ValueError: the fraction is finite (rational), or its convergence is not covered by the parabola theorem.

        >>> PCF((2, 1), (1, 0, 0)).ball(15).str(15, radius=False)      # 4/pi
        '1.27323954473516'
        """
        if self.last_term is not None:
            msg = f"b without roots among 1, 2, … was required, got b({self.last_term}) = 0: the fraction is rational"
            raise ValueError(msg)
        if self.proven_from is None:
            msg = f"4 b(n) + a(n) a(n-1) >= 0 for all large n was required for a proven limit, got {self}"
            raise ValueError(msg)
        n = max(FIRST_DEPTH, self.proven_from)
        if n > max(depth, FIRST_DEPTH):
            return arb.nan()  # tails are bounded from the N-th term on only
        product = self.convergents(n)
        while True:
            limit = self._enclosure(product, n, digits)
            if n >= depth or (limit.is_finite() and limit.rel_accuracy_bits() >= digits * math.log2(10)):
                return limit
            done, n = n, min(2 * n, depth)
            product = compose(product, self.matrix(done, n))

    def _enclosure(self, product: Matrix, n: int, digits: int) -> arb:
        """Where the limit lies when the tail a(n) + b(n+1)/… lies between a(n)/2 and infinity."""
        p, p0, q, q0 = product  # p_{n-1}, p_{n-2}, q_{n-1}, q_{n-2}
        a, b = self.polynomials
        x, y = a(n), 2 * b(n)
        with ctx.workprec(math.ceil(digits * math.log2(10)) + GUARD):
            far, near = arb(p) / arb(q), (arb(p * x + p0 * y)) / arb(q * x + q0 * y)
            pole = (q * x + q0 * y) * q * (1 if x > 0 else -1)  # the denominator q·t + b·q' keeps its sign for t from x/2 to infinity
            return far.union(near) if pole > 0 else arb.nan()

    def __str__(self) -> str:
        a, b = self.polynomials
        text = "..."
        for n in range(4, -1, -1):
            following = int(b(n + 1))
            text = f"{a(n)} {'-' if following < 0 else '+'} " + (f"{abs(following)}/({text})" if n < 4 else "...")
        return text

    @property
    def text(self) -> str:
        """The two polynomials.

        >>> PCF((2, 1), (1, 0, 0)).text
        'a(n) = 2*n + 1, b(n) = n^2'
        """
        return f"a(n) = {polynomial_text(self.a)}, b(n) = {polynomial_text(self.b)}"

    @property
    def latex(self) -> str:
        r"""Its first terms in LaTeX.

        >>> PCF((2, 1), (1, 0, 0)).latex
        '1 + \\cfrac{1}{3 + \\cfrac{4}{5 + \\cfrac{9}{7 + \\ddots}}}'
        """
        a, b = self.polynomials
        text = r"\ddots"
        for n in range(3, -1, -1):
            following = int(b(n + 1))
            step = text if n == 3 else rf"\cfrac{{{abs(following)}}}{{{text}}}"
            text = f"{a(n)} {'-' if n < 3 and following < 0 else '+'} {step}"
        return text


def compose(first, second):
    """The product of two matrices (A, B, C, D), rows one after the other, of any ring: as Möbius maps, `first` after `second`."""
    (a, b, c, d), (e, f, g, h) = first, second
    return a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h


def polynomial_text(coefficients: Sequence[int], variable: str = "n") -> str:
    """A polynomial as text, from its coefficients, the highest power first.

    >>> polynomial_text((1, 0, -2, -1)), polynomial_text((0,))
    ('n^3 - 2*n - 1', '0')
    """
    degree = len(coefficients) - 1
    text = ""
    for power, c in zip(range(degree, -1, -1), coefficients, strict=True):
        if not c:
            continue
        monomial = "" if power == 0 else variable if power == 1 else f"{variable}^{power}"
        size = monomial if abs(c) == 1 and monomial else f"{abs(c)}*{monomial}" if monomial else str(abs(c))
        text += (" - " if c < 0 else " + ") + size if text else ("-" if c < 0 else "") + size
    return text or "0"
