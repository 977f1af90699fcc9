"""A series for a constant: what it says, how it reads, what it is worth."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from flint import arb, ctx, fmpq

from symnum.numbers.bbp_sums import BbpBasis
from symnum.numbers.binomial_sums import BinomialBasis
from symnum.numbers.formula import GUARD

Basis = BbpBasis | BinomialBasis


@dataclass(frozen=True)
class SeriesHit:
    """√d · x = (offset + Σ_i A_i S_i)/m for a constant x and the sums S_i of a basis.

    Attributes:
        constant: x as it was given.
        surd: d.
        basis: the sums.
        vector: (−m, offset, A_1, …), coprime integers: Σ of vector · (√d x, 1, S_1, …) = 0.
        digits: to which this was seen to hold, with balls.
        needed: digits that the acceptance rule asks for.
        nulls: how many independent relations the sums obey among themselves; each may be added.
        source: where the series was published before, where that is known.
    """

    constant: str
    surd: int
    basis: Basis
    vector: tuple[int, ...]
    digits: int
    needed: int
    nulls: int = 0
    source: str = ""

    @property
    def status(self) -> str:
        return "known" if self.source else "conjecture"

    @property
    def lhs(self) -> str:
        """What the series sums to."""
        if self.surd == 1:
            return self.constant
        return f"sqrt({self.surd})*{self.constant if self.constant.isalnum() or self._call else f'({self.constant})'}"

    @property
    def _call(self) -> bool:
        """Whether the constant is one call, such as zeta(3)."""
        c = self.constant
        return c.endswith(")") and c.count("(") == 1 and c[: c.index("(")].isalnum()

    @cached_property
    def _parts(self) -> tuple[Fraction, Fraction, list[int]]:
        """(offset, scale, coprime coefficients) with lhs = offset + scale · Σ."""
        m, offset, *sums = self.vector
        content = math.gcd(*sums) * (1 if self._leading > 0 else -1)
        return Fraction(-offset, m), Fraction(-content, m), [a // content for a in sums]

    @property
    def _leading(self) -> int:
        sums = self.vector[2:]
        return next(a for a in (sums if self.basis.kind == "bbp" else reversed(sums)) if a)

    def terms(self, count: int) -> list[fmpq]:
        """The first numbers that are added, of a binomial series: the offset, and the terms that are not 0."""
        assert isinstance(self.basis, BinomialBasis)
        offset, scale, sums = self._parts
        return [_rational(offset), *(_rational(scale) * t for t in self.basis.terms(sums, count))]

    @property
    def rhs(self) -> str:
        """The series as text."""
        offset, scale, sums = self._parts
        series = self.basis.text(sums)
        series = series if abs(scale) == 1 else f"{abs(scale)} * {series}"
        if not offset:
            return f"-{series}" if scale < 0 else series
        return f"{offset} {'-' if scale < 0 else '+'} {series}"

    @property
    def text(self) -> str:
        """The formula in one line."""
        return f"{self.lhs} = {self.rhs}"

    @property
    def latex(self) -> str:
        """The formula in LaTeX."""
        from symnum.numbers.formula import latex

        offset, scale, sums = self._parts
        factor = "" if abs(scale) == 1 else _latex_number(abs(scale)) + " "
        sign = "-" if scale < 0 else "+" if offset else ""
        head = f"{_latex_number(offset)} {sign} " if offset else sign
        return f"{latex(self.lhs)} = {head}{factor}{self.basis.latex(sums)}"

    def sympy(self):
        """The formula as a sympy equation with a Sum on the right."""
        import sympy

        from symnum.numbers.formula import to_sympy

        offset, scale, sums = self._parts
        right = sympy.Rational(offset.numerator, offset.denominator)
        right += sympy.Rational(scale.numerator, scale.denominator) * self.basis.sympy(sums)
        return sympy.Eq(to_sympy(self.lhs), right, evaluate=False)

    def ball(self, digits: int) -> arb:
        """The value of the right-hand side, proven to about that many digits.

        Raises:
            ValueError: fewer than 1 digit is asked for.
        """
        if digits < 1:
            msg = f"at least one digit was required, got {digits}"
            raise ValueError(msg)
        offset, scale, sums = self._parts
        wanted = digits + max(0, math.ceil(math.log10(float(abs(scale)) + 1))) + 5
        with ctx.workprec(math.ceil(wanted * math.log2(10)) + GUARD):
            return _rational(offset) + _rational(scale) * self.basis.ball(sums, wanted)

    @property
    def digit_base(self) -> int | None:
        """The least base whose digits of the value can be computed at any place without those before: |b| is a power of it."""
        if not isinstance(self.basis, BbpBasis):
            return None
        b = abs(self.basis.base)
        return next(r for r in range(2, b + 1) if r ** round(math.log(b, r)) == b)

    def to_dict(self) -> dict[str, Any]:
        """The hit as JSON values; `SeriesHit.from_dict` reads it back."""
        return {
            "constant": self.constant, "formula": self.text, "lhs": self.lhs, "surd": self.surd, "vector": list(self.vector),
            "basis": _basis_dict(self.basis), "digits": self.digits, "needed": self.needed, "nulls": self.nulls, "status": self.status,
            "source": self.source, "digit_base": self.digit_base,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "SeriesHit":
        """A hit from `to_dict`."""
        return cls(data["constant"], data["surd"], _basis(data["basis"]), tuple(data["vector"]), data["digits"], data["needed"],
                   data["nulls"], data["source"])


@dataclass(frozen=True)
class NullRelation:
    """Σ A_i S_i + offset = 0 among the sums of a basis alone: `vector` is (offset, A_1, …)."""

    basis: Basis
    vector: tuple[int, ...]

    @property
    def text(self) -> str:
        offset, *sums = self.vector
        return f"{-offset} = {self.basis.text(sums)}"

    def to_dict(self) -> dict[str, Any]:
        """The relation as JSON values."""
        return {"basis": _basis_dict(self.basis), "vector": list(self.vector), "formula": self.text}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "NullRelation":
        """A relation from `to_dict`."""
        return cls(_basis(data["basis"]), tuple(data["vector"]))


def _basis_dict(basis: Basis) -> dict[str, Any]:
    if isinstance(basis, BbpBasis):
        return {"kind": "bbp", "base": basis.base, "length": basis.length, "power": basis.power}
    return {"kind": "binomial", "factors": [list(f) for f in basis.factors], "z": str(basis.z), "step": basis.step,
            "power": basis.power, "degree": basis.degree}


def _basis(data: Mapping[str, Any]) -> Basis:
    if data["kind"] == "bbp":
        return BbpBasis(data["base"], data["length"], data["power"])
    factors = tuple((name, e) for name, e in data["factors"])
    return BinomialBasis(factors, Fraction(data["z"]), data["step"], data["power"], data["degree"])


def _rational(f: Fraction) -> fmpq:
    return fmpq(f.numerator, f.denominator)


def _latex_number(f: Fraction) -> str:
    sign = "-" if f < 0 else ""
    return f"{sign}{abs(f.numerator)}" if f.denominator == 1 else rf"{sign}\frac{{{abs(f.numerator)}}}{{{f.denominator}}}"
