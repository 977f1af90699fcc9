"""Expressions at integers, exactly: rational numbers as fractions, all else as balls whose floor is certain.

Square roots of squares and factorials stay rational; what is irrational is a ball of Arb (F. Johansson, IEEE Trans. Comput. 66,
2017, doi:10.1109/TC.2017.2690633), widened in precision until its integer part is decided.
"""

from fractions import Fraction
from math import factorial, isqrt

from flint import arb, ctx, fmpq

from symnum.language.expr import Expr
from symnum.language.ops import Op

MOST_BITS = 1 << 20  # of a power; beyond, the value is not computed
MOST_FACTORIAL = 20_000
PRECISIONS = (128, 512, 2048, 8192)

Value = Fraction | arb


def value(expr: Expr, variable: str, n: int) -> Fraction | None:
    """The value of an expression of one variable where it is rational by construction; None where it is not, or undefined, or too large.

    >>> value(Expr.parse("sqrt(n^2)/gamma(n + 1)"), "n", 4)
    Fraction(1, 6)
    """
    with ctx.workprec(PRECISIONS[0]):
        found = _value(expr, variable, n)
    return found if isinstance(found, Fraction) else None


def floor(expr: Expr, variable: str, n: int) -> int | None:
    """The integer part of the value; None where it is undefined, too large, or cannot be decided at 8192 bits.

    >>> [floor(Expr.parse("n*(1 + sqrt(5))/2"), "n", n) for n in (1, 2, 10**30)]
    [1, 3, 1618033988749894848204586834365]
    """
    for precision in PRECISIONS:
        with ctx.workprec(precision):
            found = _value(expr, variable, n)
            if found is None:
                return None
            if isinstance(found, Fraction):
                return found.numerator // found.denominator
            whole = found.floor().unique_fmpz()
        if whole is not None:
            return int(whole)
    return None


def _value(expr: Expr, variable: str, n: int) -> Value | None:
    def leaf(token) -> Value | None:
        if token == variable:
            return Fraction(n)
        if isinstance(token, Op):
            return {"pi": arb.pi, "e": arb.const_e}[token.name]()
        return Fraction(token)

    def branch(op: Op, arguments: list) -> Value | None:
        return None if any(a is None for a in arguments) else _RULES[op.name](*arguments)

    return expr.fold(leaf, branch)


def _ball(x: Value) -> arb:
    return x if isinstance(x, arb) else arb(fmpq(x.numerator, x.denominator))


def _both(x: Value, y: Value) -> tuple[Value, Value]:
    return (x, y) if isinstance(x, Fraction) and isinstance(y, Fraction) else (_ball(x), _ball(y))


def _finite(x: arb) -> arb | None:
    return x if x.is_finite() else None


def _add(x: Value, y: Value) -> Value:
    x, y = _both(x, y)
    return x + y


def _subtract(x: Value, y: Value) -> Value:
    x, y = _both(x, y)
    return x - y


def _multiply(x: Value, y: Value) -> Value:
    if x == 0 or y == 0:  # exactly: a ball that merely contains 0 is not equal to it
        return Fraction(0)
    x, y = _both(x, y)
    return x * y


def _divide(x: Value, y: Value) -> Value | None:
    if isinstance(y, Fraction) and y == 0:
        return None
    x, y = _both(x, y)
    return x / y if isinstance(x, Fraction) else _finite(x / y)


def _power(x: Value, y: Value) -> Value | None:
    if isinstance(y, Fraction) and y.denominator == 1:
        exponent = int(y)
        if isinstance(x, Fraction):
            size = max(x.numerator.bit_length(), x.denominator.bit_length())
            if (x == 0 and exponent < 0) or abs(exponent) * (size - 1 if abs(x.numerator) == 1 == x.denominator else size) > MOST_BITS:
                return None
            return x**exponent
        return _finite(x ** arb(exponent))
    base = _ball(x)
    return _finite(base ** _ball(y)) if base > 0 else None


def _square(x: Value) -> Value | None:
    return _power(x, Fraction(2))


def _root(x: Value) -> Value | None:
    if isinstance(x, Fraction):
        if x < 0:
            return None
        a, b = isqrt(x.numerator), isqrt(x.denominator)
        if a * a == x.numerator and b * b == x.denominator:
            return Fraction(a, b)
    return _finite(_ball(x).sqrt())


def _gamma(x: Value) -> Value | None:
    if isinstance(x, Fraction) and x.denominator == 1:
        return Fraction(factorial(int(x) - 1)) if 0 < x <= MOST_FACTORIAL else None
    return _finite(_ball(x).gamma())


_RULES = {"add": _add, "sub": _subtract, "mul": _multiply, "div": _divide, "power": _power, "square": _square, "sqrt": _root,
          "gamma": _gamma, "neg": lambda x: -x}
