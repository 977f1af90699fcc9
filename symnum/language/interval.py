"""Interval arithmetic: bounds of an expression over boxes of its variables, rounded outwards.

    enclose(expr, {"x": (0, 2)})  ->  Span(low, high, partial)      low <= f(x) <= high wherever f is defined on the box

`Span` holds arrays: many boxes are enclosed in one pass, which makes bisection cheap (`proves`). What an operator does to
an interval follows from its row of the operator table (increasing, decreasing, domain, image); the few that are not
monotone have a rule of their own here, and an operator about which nothing is known gives (-inf, inf).
Method: Moore, Kearfott & Cloud 2009, Introduction to Interval Analysis, ch. 5 (doi:10.1137/1.9780898717716).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from symnum.language.expr import Expr, operator_functions
from symnum.language.ops import Interval, Op

ULPS = 8 * 2.0**-52  # relative outward rounding of every step: exceeds the error of each operator's float64 implementations
TINY = 5e-324
TURN = 2 * math.pi
GAMMA_AT, GAMMA_LEAST, LGAMMA_LEAST = 1.4616321449683623, 0.8856031944108887, -0.12148629053584961  # the minimum on x > 0

_value = operator_functions("numpy")


@dataclass(frozen=True, slots=True)
class Span:
    """Bounds over B boxes.

    Attributes:
        low, high: (B,) the bounds; low > high (inf, -inf) where the expression is defined nowhere in the box.
        partial: (B,) whether it may be undefined (outside a domain, at a pole, inf - inf) somewhere in the box.
    """

    low: np.ndarray
    high: np.ndarray
    partial: np.ndarray

    @property
    def empty(self) -> np.ndarray:
        """(B,) defined nowhere."""
        return self.low > self.high

    def within(self, target: Interval) -> np.ndarray:
        """(B,) whether every value lies in `target`, whose open ends and hole are respected."""
        above = self.low > target.low if target.open_low else self.low >= target.low
        below = self.high < target.high if target.open_high else self.high <= target.high
        clear = True if target.hole is None else (self.low > target.hole) | (self.high < target.hole)
        return above & below & clear

    def outside(self, target: Interval) -> np.ndarray:
        """(B,) whether there are values for certain, and none of them in `target` (its ends included)."""
        return ~(self.empty | self.partial) & ((self.high < target.low) | (self.low > target.high))


def enclose(expr: Expr, box: Mapping[str, tuple[float, float] | Interval]) -> Span:
    """Bounds of an expression over one box, or over B boxes at once.

    Args:
        expr: any expression.
        box: variable -> (low, high), numbers or arrays (B,), or an `Interval`; an unbounded side is ±inf.

    Returns:
        outward-safe bounds; they need not be the tightest, as each occurrence of a variable counts as another one.

    Raises:
        KeyError: a variable of the expression is not in the box.
        ValueError: a low end above its high end, or NaN.

    >>> span = enclose(Expr.parse("1/(x - 1) + x*x"), {"x": (-1, 0)})
    >>> span.low.round(6).tolist(), span.high.round(6).tolist(), span.partial.tolist()
    ([-1.0], [0.5], [False])
    >>> enclose(Expr.parse("log(x)"), {"x": ([-2, 1, -2], [-1, 2, 2])}).partial.tolist()
    [True, False, True]
    """
    missing = [v for v in expr.variables if v not in box]
    if missing:
        msg = f"an interval for the variable {missing[0]!r} is required by {expr}, got {list(box)}"
        raise KeyError(msg)
    sides = {name: _sides(name, box[name]) for name in expr.variables}
    shape = np.broadcast_shapes((1,), *(low.shape for low, _ in sides.values()))
    none = np.zeros(shape, bool)

    def leaf(token):
        if isinstance(token, str):
            low, high = (np.broadcast_to(side, shape) + 0.0 for side in sides[token])  # no -0.0, whose inverse is -inf
        else:
            low = high = np.full(shape, _number(token))
        return Span(low, high, none), (token,)

    def branch(op, arguments):
        spans = [span for span, _ in arguments]
        key = (*(t for _, tokens in arguments for t in tokens), op)
        same = op.arity == 2 and _equal(arguments[0][1], arguments[1][1])
        return apply(op, spans, same), key

    with np.errstate(all="ignore"):
        return expr.fold(leaf, branch)[0]


def proves(expr: Expr, box: Mapping[str, tuple[float, float]], target: Interval, boxes: int = 256) -> bool | None:
    """Whether every value of the expression on the box lies in `target`, by bisection of the box.

    Where the expression is undefined it has no value; `enclose(...).partial` tells whether it may be.

    Args:
        box: variable -> (low, high); sides must be finite to be bisected.
        target: the admissible values.
        boxes: parts of the box that may be looked at.

    Returns:
        True: proved; False: refuted, at the middle of some part if nowhere sooner; None: not decided.

    >>> proves(Expr.parse("x^2 - x + 1"), {"x": (0, 1)}, Interval(0.5, 1.5)), proves(Expr.parse("x - 2"), {"x": (0, 1)}, Interval(0, 9))
    (True, False)
    """
    names = expr.variables
    low, high = (np.array([[float(box[name][side]) for name in names]]) for side in (0, 1))
    size = np.maximum(high - low, TINY)
    while boxes > 0:
        span = enclose(expr, {name: (low[:, j], high[:, j]) for j, name in enumerate(names)})
        if span.outside(target).any():
            return False
        boxes -= len(low)
        open_ = np.flatnonzero(~(span.within(target) | span.empty))
        if len(open_) == 0:
            return True
        low, high = low[open_], high[open_]
        if not names or not np.isfinite(size).all():
            return None
        centre = low + (high - low) / 2
        if enclose(expr, {name: (centre[:, j], centre[:, j]) for j, name in enumerate(names)}).outside(target).any():
            return False
        row, widest = np.arange(len(low)), np.argmax((high - low) / size, axis=1)
        middle = centre[row, widest]
        upper, lower = low.copy(), high.copy()
        upper[row, widest], lower[row, widest] = middle, middle
        low, high = np.concatenate([low, upper]), np.concatenate([lower, high])
    return None


def _sides(name: str, side) -> tuple[np.ndarray, np.ndarray]:
    low, high = (side.low, side.high) if isinstance(side, Interval) else side
    low, high = np.atleast_1d(np.asarray(low, float)), np.atleast_1d(np.asarray(high, float))
    if not (low <= high).all():  # NaN too
        msg = f"an interval with low <= high was required for {name!r}, got {low.tolist()[:3]} … {high.tolist()[:3]}"
        raise ValueError(msg)
    return low, high


def _number(token) -> float:
    if isinstance(token, Op):
        return float(_value(token)())
    try:
        return float(token)
    except OverflowError:  # an exact integer beyond float64
        return math.copysign(math.inf, token)


def _equal(left: tuple, right: tuple) -> bool:
    return left == right and [*map(type, left)] == [*map(type, right)]


# one operator -----------------------------------------------------------------------------------------------------------
def apply(op: Op, arguments: list[Span], same: bool = False) -> Span:
    """The operator on intervals; `same` says that both arguments are one expression."""
    rule = _RULES.get(op.name)
    if op.function is None and same and op.name in _SAME:
        low, high, partial = _SAME[op.name](*arguments)
    elif op.function is None and rule is not None:
        low, high, partial = rule(*arguments)
    else:
        low, high, partial = _by_laws(op, arguments)
    empty, partial = low > high, partial.copy()
    for a in arguments:
        empty, partial = empty | a.empty, partial | a.partial
    low = np.where(np.isnan(low), -np.inf, low)
    high = np.where(np.isnan(high), np.inf, high)
    low, high = np.maximum(low, op.image.low) + 0.0, np.minimum(high, op.image.high) + 0.0
    return Span(np.where(empty, np.inf, low), np.where(empty, -np.inf, high), partial | empty)


def _by_laws(op: Op, arguments: list[Span]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By the operator's row: monotone operators by their values at the ends, others by nothing but their domain."""
    partial, nowhere, ends = np.zeros(arguments[0].low.shape, bool), np.zeros(arguments[0].low.shape, bool), []
    for a, domain in zip(arguments, op.domain, strict=True):
        low, high = np.maximum(a.low, domain.low), np.minimum(a.high, domain.high)
        partial = partial | ~a.within(domain)
        nowhere = nowhere | (low > high)
        ends.append((low, high))
    if op.arity == 1 and "increasing" in op.laws:
        low, high = _at(op, ends[0][0], -1), _at(op, ends[0][1], 1)
    elif op.arity == 1 and "decreasing" in op.laws:
        low, high = _at(op, ends[0][1], -1), _at(op, ends[0][0], 1)
    else:
        low, high = np.full(partial.shape, -np.inf), np.full(partial.shape, np.inf)
    return np.where(nowhere, np.inf, low), np.where(nowhere, -np.inf, high), partial


def _at(op: Op, x: np.ndarray, side: int) -> np.ndarray:
    """The value at one end, rounded outwards unless it is exact, as f(0) = 0, exp(0) = 1 and log(1) = 0 are."""
    y = np.broadcast_to(np.asarray(_value(op)(x), float), x.shape)
    exact = np.zeros(x.shape, bool) if op.function else (x == _WHOLE.get(op.name, 0.0)) | (op.name in ("neg", "sign"))
    return np.where(exact, y, np.where(y == 0, side * TINY, _rounded(y, side)))


_WHOLE = {"log": 1.0, "acos": 1.0}  # where the value is a whole number; 0 for the other monotone operators


# rules of operators that are not monotone: (spans) -> low, high, may be undefined --------------------------------------------
def _add(a, b):
    lost = ((a.low == -np.inf) & (b.high == np.inf)) | ((a.high == np.inf) & (b.low == -np.inf))
    return _rounded(a.low + b.low, -1), _rounded(a.high + b.high, 1), lost


def _sub(a, b):
    return _add(a, Span(-b.high, -b.low, b.partial))


def _mul(a, b):
    corners = np.stack([_times(x, y) for x in (a.low, a.high) for y in (b.low, b.high)])
    lost = (_has_zero(a) & _unbounded(b)) | (_has_zero(b) & _unbounded(a))
    return _rounded(corners.min(axis=0), -1), _rounded(corners.max(axis=0), 1), lost


def _times(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The product of two ends: 0 * inf is 0, and what underflows to 0 is still told from 0 by its sign."""
    product = x * y
    zero = (x == 0) | (y == 0)
    return np.where(zero, 0.0, np.where(product == 0, np.sign(x) * np.sign(y) * TINY, product))


def _square(a):
    low, high = np.abs(a.low), np.abs(a.high)
    least = np.where((a.low <= 0) & (a.high >= 0), 0.0, np.minimum(low, high))
    most = np.maximum(low, high)
    return _rounded(least * least, -1), _rounded(_times(most, most), 1), _none(a)


def _inv(a):
    pole = _has_zero(a)
    through = pole & ((a.low == 0) == (a.high == 0))  # 0 inside, or nothing but 0: any value
    low = np.where(through | (a.high == 0), -np.inf, 1 / np.where(a.high == 0, 1.0, a.high))
    high = np.where(through | (a.low == 0), np.inf, 1 / np.where(a.low == 0, 1.0, a.low))
    return _rounded(low, -1), _rounded(high, 1), pole


def _div(a, b):
    low, high, pole = _inv(b)
    low, high, _ = _mul(a, Span(low, high, pole))
    whole = pole & ((b.low == 0) == (b.high == 0)) | (pole & _has_zero(a))  # 0/0 in between
    return np.where(whole, -np.inf, low), np.where(whole, np.inf, high), pole | (_unbounded(a) & _unbounded(b))


def _power(a, b):
    """a^b: by parity where the exponent is one integer, else on a >= 0, where extremes lie at the corners."""
    whole = (b.low == b.high) & (b.low == np.round(b.low)) & np.isfinite(b.low)
    n = np.where(whole, b.low, 1.0)
    zero, far = (a.low <= 0) & (a.high >= 0), np.maximum(np.abs(a.low), np.abs(a.high))
    near = np.where(zero, 0.0, np.minimum(np.abs(a.low), np.abs(a.high)))
    even_low, even_high = _ends(np.power(near, n), np.power(far, n))
    left, right = np.power(a.low, n), np.power(a.high, n)
    odd_low, odd_high = _ends(left, right)
    through = (n < 0) & (a.low < 0) & (a.high > 0)
    odd_low, odd_high = np.where(through, -np.inf, odd_low), np.where(through, np.inf, odd_high)
    touching = (n < 0) & (a.high == 0) & (a.low < 0)  # -0.0 would have the sign of the pole, 0.0 has not
    odd_low, odd_high = np.where(touching, -np.inf, odd_low), np.where(touching, left, odd_high)
    even = np.mod(n, 2) == 0
    integer_low, integer_high = np.where(even, even_low, odd_low), np.where(even, even_high, odd_high)
    base_low, base_high = np.maximum(a.low, 0.0), np.maximum(a.high, 0.0)
    corners = np.stack([np.power(x, y) for x in (base_low, base_high) for y in (b.low, b.high)])
    low, high = corners.min(axis=0), corners.max(axis=0)
    endless = _unbounded(b)
    low, high = np.where(endless, 0.0, low), np.where(endless, np.inf, high)
    point = b.low == b.high
    negative = a.low < 0
    mirrored = negative & ~point  # a negative base has values at the integers among the exponents
    outer = np.where(endless, np.inf, np.max([np.power(x, y) for x in (near, far) for y in (b.low, b.high)], axis=0))
    low, high = np.where(mirrored, -outer, low), np.where(mirrored, outer, high)
    nowhere = point & ~whole & (a.high < 0)
    low, high = np.where(nowhere, np.inf, low), np.where(nowhere, -np.inf, high)
    pole = zero & (b.low < 0)
    low, high = np.where(whole, integer_low, low), np.where(whole, integer_high, high)
    return _rounded(low, -1), _rounded(high, 1), pole | (negative & ~whole) | endless


def _ends(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.minimum(x, y), np.maximum(x, y)


def _abs(a):
    low, high = np.abs(a.low), np.abs(a.high)
    return np.where((a.low <= 0) & (a.high >= 0), 0.0, np.minimum(low, high)), np.maximum(low, high), _none(a)


def _min(a, b):
    return np.minimum(a.low, b.low), np.minimum(a.high, b.high), _none(a)


def _max(a, b):
    return np.maximum(a.low, b.low), np.maximum(a.high, b.high), _none(a)


def _cosh(a):
    low, high, none = _abs(a)
    return _rounded(np.cosh(low), -1), _rounded(np.cosh(high), 1), none


def _wave(f: Callable, crest: float):
    """sin or cos: 1 where a crest (crest + 2 k pi) lies in the interval, -1 where a trough does, else the ends' values."""
    def rule(a):
        start, stop, lost = _turned(a)
        low, high = _ends(f(start), f(stop))
        low, high = _rounded(low, -1), _rounded(high, 1)
        high = np.where(_contains(start, stop, crest, TURN), 1.0, high)
        return np.where(_contains(start, stop, crest + math.pi, TURN), -1.0, low), high, lost

    return rule


def _tan(a):
    start, stop, lost = _turned(a)
    pole = lost | _contains(start, stop, math.pi / 2, math.pi)
    return np.where(pole, -np.inf, _rounded(np.tan(start), -1)), np.where(pole, np.inf, _rounded(np.tan(stop), 1)), pole


def _turned(a: Span) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An interval of angles, a little wider, so that the test for crests and poles is safe; a full turn where it is unbounded."""
    lost = _unbounded(a)
    return np.where(lost, 0.0, _rounded(a.low, -1)), np.where(lost, TURN, _rounded(a.high, 1)), lost


def _contains(start: np.ndarray, stop: np.ndarray, point: float, period: float) -> np.ndarray:
    """Whether point + k * period lies in [start, stop] for a whole k."""
    return np.floor((stop - point) / period) >= np.ceil((start - point) / period)


def _least_at(op: str, at: float, least: float):
    """A convex function on x > 0 with its minimum `least` at `at`; nothing is said about x <= 0."""
    def rule(a):
        f = _value(_op(op))
        inside = a.low > 0
        x, y = (f(np.where(inside, end, 1.0)) for end in (a.low, a.high))
        low = np.where((a.low <= at) & (a.high >= at), least, np.minimum(x, y))
        return np.where(inside, _rounded(low, -1), -np.inf), np.where(inside, _rounded(np.maximum(x, y), 1), np.inf), ~inside

    return rule


@lru_cache(maxsize=8)
def _op(name: str) -> Op:
    from symnum.language.ops import OPS

    return OPS[name]


def _none(a: Span) -> np.ndarray:
    return np.zeros(a.low.shape, bool)


def _has_zero(a: Span) -> np.ndarray:
    return (a.low <= 0) & (a.high >= 0)


def _unbounded(a: Span) -> np.ndarray:
    return np.isinf(a.low) | np.isinf(a.high)


def _rounded(x: np.ndarray, side: int) -> np.ndarray:
    """One step outwards; 0 stays 0, which rules give only where it is exact."""
    return np.where(np.isinf(x), x, x + side * (np.abs(x) * ULPS + TINY * (x != 0)))


_RULES: dict[str, Callable] = {
    "add": _add, "sub": _sub, "mul": _mul, "div": _div, "power": _power, "inv": _inv, "square": _square, "abs": _abs, "min": _min,
    "max": _max, "sin": _wave(np.sin, math.pi / 2), "cos": _wave(np.cos, 0.0), "tan": _tan, "cosh": _cosh,
    "gamma": _least_at("gamma", GAMMA_AT, GAMMA_LEAST), "lgamma": _least_at("lgamma", GAMMA_AT, LGAMMA_LEAST),
}
# both arguments one expression, which would otherwise count as two
_SAME: dict[str, Callable] = {
    "mul": lambda a, _: _square(a),
    "sub": lambda a, _: (np.zeros(a.low.shape), np.zeros(a.low.shape), _unbounded(a)),
    "div": lambda a, _: (np.ones(a.low.shape), np.ones(a.low.shape), _has_zero(a) | _unbounded(a)),
}
