"""A task in fewer or simpler variables: y = outer(x, F(u)) where u are columns made from the old ones.

Reductions come from units (Buckingham pi) and from symmetries seen in the data; both are *templates* whose unknown part F is a
smaller task. Whatever solves the smaller task is composed back and judged on the original data, so a wrong reduction costs
time and never correctness.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

import numpy as np

from symnum.language.expr import Expr

HOLE = "?"  # stands for F in `outer`, and for the target in `inner`


@dataclass(frozen=True, slots=True)
class Reduction:
    """y = outer(x, F(columns(x))).

    Attributes:
        columns: the new columns, expressions over the old names.
        names: their names.
        outer: y, an expression over the old names and `HOLE`, which stands for F.
        inner: F, an expression over the old names and `HOLE`, which stands for y: the inverse of `outer`.
        reason: why, in words.

    >>> r = Reduction((Expr.parse("v/c"),), ("v_c",), Expr.parse("m*c^2") * Expr.var(HOLE), Expr.var(HOLE) / Expr.parse("m*c^2"), "units")
    >>> str(r.compose(Expr.parse("1 - v_c^2")))
    'm*c^2*(1 - (v/c)^2)'
    >>> u, F = r.apply(dict(v=np.array([1.0, 2.0]), c=np.array([2.0, 2.0]), m=np.ones(2)), np.array([4.0, 8.0]))
    >>> u.tolist(), F.tolist()
    ([[0.5], [1.0]], [1.0, 2.0])
    """

    columns: tuple[Expr, ...]
    names: tuple[str, ...]
    outer: Expr
    inner: Expr
    reason: str

    def apply(self, data: dict[str, np.ndarray], y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The new columns (rows, k) and the new target (rows,); not finite where the reduction cannot be made."""
        with np.errstate(all="ignore"):
            u = np.column_stack([np.broadcast_to(c(data), y.shape) for c in self.columns])
            return u, np.broadcast_to(self.inner(data | {HOLE: y}), y.shape)

    def compose(self, expr: Expr) -> Expr:
        """F in the new columns becomes y in the old ones."""
        return self.outer.substitute({HOLE: expr.substitute(dict(zip(self.names, self.columns, strict=True)))})


def monomial(exponents: Mapping[str, Fraction | int]) -> Expr:
    """The product of powers as it would be written by hand: squares, cubes and roots where they suffice, else `power`.

    Args:
        exponents: name -> rational exponent; zeros are left out, and nothing left is the number 1.

    >>> str(monomial({"a": 1, "b": Fraction(2), "c": -1, "d": Fraction(-1, 2)}))
    'a*square(b)/(c*sqrt(d))'
    >>> str(monomial({"r": Fraction(3, 2)})), str(monomial({"t": -4})), str(monomial({"x": 0}))
    ('r*sqrt(r)', 'inv(square(square(t)))', '1')
    """
    above = [f for name, p in exponents.items() if p > 0 for f in _power(Expr.var(name), Fraction(p))]
    below = [f for name, p in exponents.items() if p < 0 for f in _power(Expr.var(name), Fraction(-p))]
    top, bottom = (reduce(Expr.__mul__, side) if side else None for side in (above, below))
    if bottom is None:
        return Expr.const(1) if top is None else top
    return Expr.apply("inv", bottom) if top is None else top / bottom


def _power(x: Expr, p: Fraction) -> list[Expr]:
    """The factors whose product is x^p, p > 0: a whole power and a root."""
    whole, rest = divmod(p, 1)
    roots = {Fraction(1, 2): ("sqrt",), Fraction(1, 3): ("cbrt",), Fraction(2, 3): ("cbrt", "square"), Fraction(1, 4): ("sqrt", "sqrt"),
             Fraction(3, 4): ("sqrt", "sqrt", "cube")}
    wholes = {0: None, 1: (), 2: ("square",), 3: ("cube",), 4: ("square", "square"), 6: ("cube", "square"), 8: ("square",) * 3}
    if (rest and rest not in roots) or (whole not in wholes and whole != 5):
        return [x ** (int(p) if not rest else Expr.const(p.numerator) / Expr.const(p.denominator))]
    chains = [(), wholes[4]] if whole == 5 else [wholes[whole]]
    chains += [roots[rest]] if rest else []
    return [reduce(lambda e, op: Expr.apply(op, e), chain, x) for chain in chains if chain is not None]
