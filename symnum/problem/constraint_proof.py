"""Whether a formula complies with a constraint everywhere on a box: by interval arithmetic on its values or its slopes, or by symmetry.

A proof rests on `symnum.language.interval`: values within the range; a derivative of one sign and a formula that is defined and
continuous on the whole box; operators that pass on or hide a change of sign.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from symnum.language.expr import Expr
from symnum.language.interval import enclose, proves
from symnum.language.ops import Interval, Op

if TYPE_CHECKING:
    from symnum.problem.constraint import Constraint


def prove(constraint: "Constraint", target: Interval, expr: Expr, box: Mapping[str, tuple[float, float]]) -> bool | None:
    """Whether a formula complies everywhere on a box, by interval arithmetic; None where that cannot tell.

    Args:
        target: the admissible values of a range.
        box: every variable of the formula -> (low, high).

    >>> from symnum.problem.constraint import Constraint
    >>> prove(Constraint("decreasing", "x"), Interval(), Expr.parse("exp(-x*z)"), {"x": (0, 9), "z": (0, 1)})
    True
    """
    if constraint.kind in ("even", "odd"):
        return True if parity(expr, constraint.variable) in (constraint.kind, "both") else None
    total = not enclose(expr, box).partial.any()
    if constraint.kind == "range":
        verdict = proves(expr, box, target)
        return None if verdict and not total else verdict  # undefined somewhere: no proof for the whole box
    if constraint.variable not in expr.variables:
        return True if total else None
    if not total or _jumps(expr):
        return None
    wanted = Interval(low=0.0) if constraint.kind in ("increasing", "convex") else Interval(high=0.0)
    try:
        slope = expr.derivative(constraint.variable)
        if constraint.kind in ("convex", "concave"):
            if _jumps(slope) or enclose(slope, box).partial.any():
                return None
            slope = slope.derivative(constraint.variable)
    except ValueError:  # an operator without a derivative in closed form: points must do
        return None
    return True if proves(slope, box, wanted) else None  # points, not slopes, tell a violation from rounding


def _jumps(expr: Expr) -> bool:
    """Whether it may be discontinuous inside its domain, so that its derivative does not tell all."""
    return any(isinstance(t, Op) and (t.name == "sign" or t.function is not None) for t in expr.tokens)


def parity(expr: Expr, variable: str) -> str:
    """`even`, `odd`, `both` (zero for certain) or `none`, as far as the symmetries of the operators tell.

    >>> parity(Expr.parse("x*sin(x) + cos(x)*z"), "x"), parity(Expr.parse("x^3/(1 + abs(x))"), "x"), parity(Expr.parse("exp(x)"), "x")
    ('even', 'odd', 'none')
    """
    def leaf(token):
        if isinstance(token, int | float) and not token:
            return "both", token
        return ("odd" if token == variable and isinstance(token, str) else "even"), token

    def branch(op, arguments):
        kinds = [kind for kind, _ in arguments]
        return _PARITY.get(op.name, _by_laws)(op, kinds, arguments[-1][1]), None

    return expr.fold(leaf, branch)[0]


def _by_laws(op: Op, kinds: list[str], _) -> str:
    """Even operators hide a sign, odd ones pass it on, all others need arguments without one."""
    if all(k in ("even", "both") for k in kinds) or (kinds == ["odd"] and "even" in op.laws):
        return "even"
    return "odd" if kinds == ["odd"] and "odd" in op.laws else "none"


def _sum(_op: Op, kinds: list[str], _) -> str:
    left, right = kinds
    return right if left == "both" else left if right in ("both", left) else "none"


def _product(_op: Op, kinds: list[str], _) -> str:
    if "none" in kinds:
        return "none"
    return "both" if "both" in kinds else "even" if kinds[0] == kinds[1] else "odd"


def _power(op: Op, kinds: list[str], exponent) -> str:
    whole = isinstance(exponent, int | float) and float(exponent).is_integer()
    return _by_laws(op, kinds, None) if kinds[0] != "odd" or not whole else "odd" if exponent % 2 else "even"


_PARITY: dict[str, Callable] = {"add": _sum, "sub": _sum, "mul": _product, "div": _product, "power": _power}
