"""Interval arithmetic: no value escapes the bounds, and the bounds are as tight as the rules promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.language.expr import Expr, operator_functions
from symnum.language.interval import enclose, proves
from symnum.language.ops import BUILTIN, OPS, Interval, Op
from symnum.testing import expressions, properties

ends = st.one_of(st.floats(-6, 6), st.sampled_from([0.0, -1.0, 1.0, math.pi, math.pi / 2, 1e-9, 40.0, -40.0, 1e6]))
boxes = st.tuples(ends, ends).map(lambda ab: (min(ab), max(ab)))
EVERY = [op.name for op in BUILTIN if op.arity]


def defined(expr, **columns):
    """The values where every step on the way is finite: past a pole, 1/(1/0) = 0 is an artefact of floating point."""
    get = operator_functions("numpy")

    def leaf(token):
        y = columns[token] if isinstance(token, str) else np.float64(get(token)() if isinstance(token, Op) else token)
        return y, np.isfinite(y)

    def branch(op, arguments):
        y = get(op)(*(a for a, _ in arguments))
        return y, np.all(np.broadcast_arrays(np.isfinite(y), *(ok for _, ok in arguments)), axis=0)

    with np.errstate(all="ignore"):
        y, ok = expr.fold(leaf, branch)
    shape = np.broadcast_shapes((1,), *(v.shape for v in columns.values()))
    return np.broadcast_to(y, shape)[np.broadcast_to(ok, shape)]


def points(low, high, n=41):
    return np.concatenate([np.linspace(low, high, n), [low, high], np.random.default_rng(0).uniform(low, high, n)])


@properties(600)
@given(expressions(ops=EVERY, max_leaves=7), boxes, boxes)
def test_no_value_escapes(expr, x, y):
    span = enclose(expr, {"x": x, "y": y})
    X, Y = np.meshgrid(points(*x), points(*y))
    values = expr(x=X.ravel(), y=Y.ravel())
    undefined = ~np.isfinite(values)
    known = defined(expr, x=X.ravel(), y=Y.ravel())
    assert (known >= span.low[0]).all() and (known <= span.high[0]).all()
    if not span.partial[0] and np.isfinite([span.low[0], span.high[0]]).all():
        assert not undefined.any()


@properties(300)
@given(st.sampled_from([op for op in BUILTIN if op.arity]), boxes, boxes)
def test_each_operator(op, a, b):
    expr = Expr.apply(op, *map(Expr.var, "ab"[: op.arity]))
    span = enclose(expr, {"a": a, "b": b})
    A, B = np.meshgrid(points(*a), points(*b)) if op.arity == 2 else (points(*a), np.zeros(1))
    values = expr(a=A.ravel(), b=B.ravel()) if op.arity == 2 else expr(a=A)
    known = values[np.isfinite(values)]
    assert (known >= span.low[0]).all() and (known <= span.high[0]).all()
    assert span.partial[0] or not np.isnan(values).any()


@properties(200)
@given(st.sampled_from(["sin", "cos", "tan", "cosh", "gamma", "lgamma", "abs", "square", "exp", "log", "atan", "cube", "inv"]), boxes)
def test_one_operator_is_tight(name, a):
    span = enclose(Expr.apply(name, Expr.var("a")), {"a": a})
    values = Expr.apply(name, Expr.var("a"))(a=np.linspace(*a, 40_001))
    if span.partial[0] or not np.isfinite(values).all():
        return
    slack = 1e-9 * (1 + np.abs(values).max()) + (a[1] - a[0]) / 20_000  # an inner extreme lies between two of the points
    assert span.low[0] >= values.min() - slack and span.high[0] <= values.max() + slack


@pytest.mark.parametrize(("text", "box", "low", "high", "partial"), [
    ("x^2", (-2, 1), 0, 4, False),
    ("x*x", (-2, 1), 0, 4, False),
    ("x^3", (-2, 1), -8, 1, False),
    ("x^-2", (-2, 1), 0.25, math.inf, True),
    ("x^-1", (-2, 0), -math.inf, -0.5, True),
    ("x^-1", (0, 2), 0.5, math.inf, True),
    ("x^0.5", (-1, 4), 0, 2, True),
    ("x^0", (-1, 1), 1, 1, False),
    ("1/x", (1, 2), 0.5, 1, False),
    ("1/x", (-1, 1), -math.inf, math.inf, True),
    ("1/x", (0, 2), 0.5, math.inf, True),
    ("1/(0*x)", (1, 2), -math.inf, math.inf, True),
    ("log(x)", (-1, math.e), -math.inf, 1, True),
    ("log(x)", (1, math.e), 0, 1, False),
    ("log(x)", (-2, -1), math.inf, -math.inf, True),
    ("sqrt(x)", (-4, -1), math.inf, -math.inf, True),
    ("sin(x)", (0, 3), 0, 1, False),
    ("sin(x)", (0, 1.5), 0, math.sin(1.5), False),
    ("cos(x)", (3, 4), -1, math.cos(4), False),
    ("sin(x)", (10, 20), -1, 1, False),
    ("tan(x)", (1, 2), -math.inf, math.inf, True),
    ("tan(x)", (2, 4), math.tan(2), math.tan(4), False),
    ("x - x", (0, 1), 0, 0, False),
    ("x/x", (1, 2), 1, 1, False),
    ("atan(x)", (0, 1), 0, math.pi / 4, False),
    ("exp(-x)", (0, math.inf), 0, 1, False),
    ("gamma(x)", (1, 2), 0.8856031944108887, 1, False),
    ("sign(x)", (-1, 2), -1, 1, False),
    ("2^x", (-1, 3), 0.5, 8, False),
    ("(-2)^x", (1, 3), -8, 8, True),
    ("max(x, 0)", (-1, 3), 0, 3, False),
])
def test_known_bounds(text, box, low, high, partial):
    span = enclose(Expr.parse(text), {"x": box})
    assert span.low[0] == pytest.approx(low, rel=1e-12, abs=0) and span.high[0] == pytest.approx(high, rel=1e-12, abs=0)
    assert bool(span.partial[0]) is partial


def test_what_is_zero_is_proved_zero():
    """A sign is decided only if an exact 0 is not rounded away."""
    for text in ("x^2", "x*x", "abs(x - 1)", "sqrt(abs(x))", "exp(x)", "square(x)*2.5", "cosh(x) - 1"):
        assert enclose(Expr.parse(text), {"x": (-3, 2)}).low[0] >= (-1e-14 if "cosh" in text else 0), text


def test_many_boxes_are_one_pass():
    low, high = np.linspace(-2, 2, 50)[:-1], np.linspace(-2, 2, 50)[1:]
    expr = Expr.parse("x^3 - 2*x + sin(3*x)/(x^2 + 1)")
    together = enclose(expr, {"x": (low, high)})
    for i in (0, 20, 48):
        one = enclose(expr, {"x": (low[i], high[i])})
        assert (one.low[0], one.high[0]) == (together.low[i], together.high[i])


def test_user_operators():
    known = Op.from_function("soft_interval", lambda a: a / (1 + abs(a)), 1, laws="increasing", image=Interval(-1.0, 1.0))
    unknown = Op.from_function("bump_interval", lambda a: 1 / (1 + a * a), 1)
    span = enclose(Expr.apply(known, Expr.var("x")), {"x": (-1, 3)})
    assert span.low[0] == pytest.approx(-0.5) and span.high[0] == pytest.approx(0.75) and not span.partial[0]
    span = enclose(Expr.apply(unknown, Expr.var("x")), {"x": (-1, 3)})
    assert (span.low[0], span.high[0]) == (-math.inf, math.inf)


def test_bisection_decides_what_one_box_cannot():
    box = {"x": (-3.0, 3.0), "z": (0.0, 1.0)}
    hilly = Expr.parse("x^2 - x + 1 + z")
    assert enclose(hilly, box).low[0] < 0
    assert proves(hilly, box, Interval(0.5, math.inf)) is True
    assert proves(hilly, box, Interval(0.8, math.inf)) is False
    assert proves(Expr.parse("(x - 1.0)*(x - 1.0)*(x + 5)"), box, Interval(0.0, math.inf, open_low=True)) is None
    assert proves(Expr.parse("exp(-x)"), {"x": (0.0, math.inf)}, Interval(0.0, 1.0)) is True


def test_nowhere_defined_is_not_a_violation():
    assert proves(Expr.parse("log(-1 - x^2)"), {"x": (0.0, 1.0)}, Interval(0.0, 1.0)) is True
    assert enclose(Expr.parse("log(-1 - x^2)"), {"x": (0.0, 1.0)}).empty[0]


def test_open_ends_and_holes():
    span = enclose(Expr.parse("x"), {"x": (0, 1)})
    assert span.within(Interval(0, 1))[0] and not span.within(Interval(0, 1, open_low=True))[0]
    assert not span.within(Interval(hole=0.5))[0] and span.within(Interval(hole=2.0))[0]


def test_refusals():
    with pytest.raises(KeyError, match="'y' is required"):
        enclose(Expr.parse("x + y"), {"x": (0, 1)})
    for wrong in ((1, 0), (math.nan, 1)):
        with pytest.raises(ValueError, match="low <= high"):
            enclose(Expr.parse("x"), {"x": wrong})


def test_every_operator_has_bounds():
    for name in EVERY:
        arguments = [Expr.var(v) for v in "ab"[: OPS[name].arity]]
        span = enclose(Expr.apply(name, *arguments), {"a": (0.25, 0.5), "b": (2.0, 3.0)})
        assert np.isfinite([span.low[0], span.high[0]]).all(), name  # on a harmless box no operator is given up
