"""Symbolic derivatives from the `derivative` texts of the operator table.

A text is over the arguments `a`, `b` and the value `y`; the chain rule is one fold that carries (value, derivative). A
comparison `p <= q` (of min and max) is 1, 0, and 1/2 on the tie, written with sign: (1 - sign(p - q))/2.
"""

import re
from functools import lru_cache

from symnum.language.expr import Expr
from symnum.language.ops import Op

ZERO, UNITY = Expr.const(0), Expr.const(1)


def derivative(expr: Expr, variable: str) -> Expr:
    """The derivative of `expr` with respect to `variable`, simplified.

    Raises:
        ValueError: an operator on the way has no derivative in closed form.

    >>> str(derivative(Expr.parse("x^3*sin(y)"), "x")), str(derivative(Expr.parse("exp(-x^2)"), "x"))
    ('3*x^2*sin(y)', '-2*x/exp(x^2)')
    """
    def leaf(token):
        return Expr((token,)), UNITY if token == variable else ZERO

    def branch(op, arguments):
        value = Expr.apply(op, *(a for a, _ in arguments))
        names = dict(zip("ab", (a for a, _ in arguments), strict=False)) | {"y": value}
        total = ZERO
        for i, (_, inner) in enumerate(arguments):
            if inner == ZERO:
                continue
            part = _outer(op, i).substitute(names)
            part = part if inner == UNITY else part * inner
            total = part if total == ZERO else total + part
        return value, total

    return expr.fold(leaf, branch)[1].simplify()


def _outer(op: Op, argument: int) -> Expr:
    """The operator's own derivative with respect to one argument, over a, b and y."""
    if argument >= len(op.derivative) or not op.derivative[argument]:
        msg = f"operators with a derivative in closed form are required, got {op.name!r}"
        hint = "; give Op.from_function its sympy= or derivative= text" if op.function else "; try a numerical derivative"
        raise ValueError(msg + hint)
    return _read(op.derivative[argument])


@lru_cache(maxsize=512)
def _read(text: str) -> Expr:
    """A derivative text as an expression.

    >>> str(_read("a <= b"))
    '(1 - sign(a - b))/2'
    """
    parts = re.split(r"\s*(<=|>=|<|>)\s*", text)
    if len(parts) == 1:
        return Expr.parse(text)
    left, relation, right = parts
    return Expr.parse(f"(1 {'-' if relation[0] == '<' else '+'} sign({left} - ({right})))/2")
