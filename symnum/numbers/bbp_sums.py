"""Sums from which BBP-type series are built: Σ_{k≥0} b^−k/(nk + j)^s, as proven balls.

A *basis* is a finite set of sums; a series for a constant is an integer combination of them. Such series give single digits of the
constant in base b without those before: D. Bailey, P. Borwein, S. Plouffe, "On the rapid computation of various polylogarithmic constants",
Math. Comp. 66, 1997, doi:10.1090/S0025-5718-97-00856-9.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb, ctx, fmpz

from symnum.numbers.formula import GUARD


@dataclass(frozen=True)
class BbpBasis:
    """The sums P_j = Σ_{k≥0} b^−k/(nk + j)^s, j = 1 … n.

    Raises:
        ValueError: |base| < 2, or `length` or `power` below 1.

    >>> basis = BbpBasis(16, 8, 1)
    >>> basis.ball([4, 0, 0, -2, -1, -1, 0, 0], 25).str(25, radius=False)
    '3.141592653589793238462643'
    >>> basis.text([4, 0, 0, -2, -1, -1, 0, 0])
    'sum(k>=0) 16^-k (4/(8k+1) - 2/(8k+4) - 1/(8k+5) - 1/(8k+6))'
    """

    base: int
    length: int
    power: int

    kind = "bbp"

    def __post_init__(self):
        if abs(self.base) < 2 or self.length < 1 or self.power < 1:
            msg = f"|base| >= 2, length >= 1 and power >= 1 were required, got {self.base}, {self.length} and {self.power}"
            raise ValueError(msg)

    @property
    def key(self) -> str:
        return f"bbp|{self.base}|{self.length}|{self.power}"

    @property
    def labels(self) -> list[str]:
        """The sums by name."""
        return [f"P_{j}" for j in range(1, self.length + 1)]

    def sums(self, digits: int, wanted: Sequence[int] | None = None) -> list[arb]:
        """P_1 … P_n, or those of the places `wanted` from 0, to at least `digits` digits after the point."""
        n, s, b = self.length, self.power, abs(self.base)
        places = range(1, n + 1) if wanted is None else [j + 1 for j in wanted]
        terms = math.ceil(digits * math.log(10) / math.log(b)) + 2
        bits = math.ceil(digits * math.log2(10)) + terms.bit_length() + 4
        totals, scaled, sign = [0] * len(places), 1 << bits, 1
        for k in range(terms):
            for i, j in enumerate(places):
                totals[i] += sign * (scaled // (n * k + j) ** s)
            scaled //= b
            sign = -sign if self.base < 0 else 1
        # each quotient is cut twice: an error below 2 + 1/(b - 1) <= 3 units; the terms left out add up to b^-terms · b/(b - 1)
        with ctx.workprec(bits + GUARD):
            error = arb(0, 3 * terms * arb(2) ** -bits + 2 * arb(b) ** -terms)
            return [arb(fmpz(t)) * arb(2) ** -bits + error for t in totals]

    def ball(self, coefficients: Sequence[int], digits: int) -> arb:
        """Σ A_j P_j."""
        used = [j for j, a in enumerate(coefficients) if a]
        with ctx.workprec(math.ceil((digits + 10) * math.log2(10)) + GUARD):
            return sum((coefficients[j] * p for j, p in zip(used, self.sums(digits + 10, used), strict=True)), arb(0))

    def text(self, coefficients: Sequence[int]) -> str:
        """The series in one line."""
        parts = [(a, f"{abs(a)}/{self._below(j + 1)}") for j, a in enumerate(coefficients) if a]
        base = f"{self.base}" if self.base > 0 else f"({self.base})"
        return f"sum(k>=0) {base}^-k ({joined(parts)})"

    def _below(self, j: int) -> str:
        n, s = self.length, self.power
        inner = f"({'' if n == 1 else n}k+{j})"
        return inner if s == 1 else f"{inner}^{s}"

    def latex(self, coefficients: Sequence[int]) -> str:
        """The series in LaTeX."""
        parts = [(a, rf"\frac{{{abs(a)}}}{{{self._below(j + 1)[1:-1] if self.power == 1 else self._below(j + 1)}}}")
                 for j, a in enumerate(coefficients) if a]
        base = f"{self.base}" if self.base > 0 else f"({self.base})"
        return rf"\sum_{{k=0}}^{{\infty}} \frac{{1}}{{{base}^{{k}}}} \left({joined(parts)}\right)"

    def sympy(self, coefficients: Sequence[int]):
        """The series as a sympy Sum."""
        import sympy

        k = sympy.Symbol("k", integer=True, nonnegative=True)
        inner = sum(sympy.Integer(a) / (self.length * k + j + 1) ** self.power for j, a in enumerate(coefficients) if a)
        return sympy.Sum(inner / sympy.Integer(self.base) ** k, (k, 0, sympy.oo))


def joined(parts: Sequence[tuple[int, str]]) -> str:
    """Terms with the signs of their coefficients.

    >>> joined([(1, "x"), (-2, "2y")])
    'x - 2y'
    """
    text = "".join(f" {'-' if a < 0 else '+'} {part}" for a, part in parts)
    return ("-" if parts and parts[0][0] < 0 else "") + text[3:]
