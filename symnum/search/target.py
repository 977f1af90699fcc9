"""A target of inversion: the data seen through inverse operators and with factors divided out, and the way back.

    y = g(m * f)   is searched as   T = g^-1(y) / m = f

Errors in T are weighted by (dy/dT)², which keeps them as large as they are in y.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from symnum.language.expr import Expr
from symnum.language.ops import OPS, Op
from symnum.problem.views import may_be_view, through_inverse


@dataclass(frozen=True, slots=True)
class Target:
    """T and its weights on the rows of the library (`T`, `weight`: (R,)) and on more rows (`wide_T`, `wide_weight`: (N,)).

    `steps`, outermost first, lead from f back to y: an `Op`, or an `Expr` to be multiplied with.
    """

    T: np.ndarray
    weight: np.ndarray
    wide_T: np.ndarray
    wide_weight: np.ndarray
    steps: tuple[Op | Expr, ...] = ()

    def wrap(self, f: Expr) -> Expr:
        """The formula for y that f gives."""
        for step in reversed(self.steps):
            f = Expr.apply(step, f) if isinstance(step, Op) else step * f
        return f

    def through(self, op: Op) -> "Target | None":
        """The target seen through the inverse of `op` (its first branch), or None where that loses information."""
        parts = []
        for T, weight in ((self.T, self.weight), (self.wide_T, self.wide_weight)):
            seen = through_inverse(op, T, weight)
            if seen is None or np.ptp(seen[0]) <= 1e-12 * np.abs(seen[0]).max():
                return None
            parts += [seen[0], seen[1] / seen[1].sum()]
        return Target(*parts, (*self.steps, op))

    def divided(self, factor: Expr, values: np.ndarray, wide: np.ndarray) -> "Target | None":
        """The target with a factor divided out, or None where the factor vanishes or leaves a constant."""
        parts = []
        for T, weight, m in ((self.T, self.weight, values), (self.wide_T, self.wide_weight, wide)):
            with np.errstate(all="ignore"):
                new, scaled = T / m, weight * m * m
            if not np.isfinite(new).all() or not np.isfinite(scaled).all() or np.ptp(new) <= 1e-9 * np.abs(new).max():
                return None
            parts += [new, scaled / scaled.sum()]
        return Target(*parts, (*self.steps, factor))


def views(target: Target, operators: list[Op], depth: int = 2) -> Iterator[Target]:
    """The target, and what it is through one operator or two in a row; each different function of y once."""
    seen, layer = [target.T], [target]
    yield target
    for _ in range(depth):
        following = []
        for t in layer:
            for op in operators:
                new = t.through(op)
                if new is None or any(_proportional(new.T, old) for old in seen):
                    continue
                seen.append(new.T)
                following.append(new)
                yield new
        layer = following


def invertible(operators) -> list[Op]:
    """The operators that a target can be seen through: unary, invertible, differentiable, not affine; the common ones first."""
    usable = [op for op in operators if may_be_view(op)]
    common = ("inv", "square", "sqrt", "exp", "log")
    return sorted(usable, key=lambda op: (common.index(op.name) if op.name in common else len(common), OPS[op.name].code))


def _proportional(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether a is c*b to rounding: what is linear in one is linear in the other."""
    with np.errstate(all="ignore"):
        a, b = a / np.abs(a).max(), b / np.abs(b).max()
        c = (a @ b) / (b @ b)
        return bool(np.abs(a - c * b).max() <= 1e-10)
