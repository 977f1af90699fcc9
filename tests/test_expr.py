"""`Expr`: tokens, structure, printing."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.language.expr import Expr, quote
from symnum.language.ops import BUILTIN, OPS
from symnum.testing import expressions, properties

NAMES = ("x", "my column", "sin", "e", "E", "pi", "Abs", "naïve", "β", "a`b", "back\\slash", "1st", "", "inf", "nan",
         "x\ny", "a.b", "λ x")
FLOATS = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1e-320, 1e300, -1e-5, 5e-324, 1e16, 123456789.0, -2.0]))


def same(a: Expr, b: Expr) -> bool:
    """Identical tokens: type, sign of zero, NaN."""
    return [(type(t), repr(t)) for t in a.tokens] == [(type(t), repr(t)) for t in b.tokens]


@st.composite
def any_expression(draw):
    constants = draw(st.lists(FLOATS, min_size=1, max_size=4))
    return draw(expressions(NAMES, BUILTIN, 10, constants, (-(10**20), 10**20)))


@properties(600)
@given(any_expression())
def test_parse_inverts_print(expr):
    assert same(Expr.parse(str(expr)), expr), str(expr)


@pytest.mark.parametrize("tokens", [
    (-2,), (2, OPS["neg"]), (-2, OPS["neg"]), (2, OPS["neg"], OPS["neg"]), (-2, 2, OPS["power"]),
    (2, 2, OPS["power"], OPS["neg"]),
    (2, -3, OPS["power"]), ("x", "y", "z", OPS["power"], OPS["power"]), ("x", "y", OPS["power"], "z", OPS["power"]),
    ("x", "y", "z", OPS["sub"], OPS["sub"]), ("x", "y", "z", OPS["div"], OPS["mul"]), ("x", OPS["neg"],
    "y", OPS["mul"], OPS["neg"]),
    (math.inf, OPS["neg"]), (-math.inf,), (math.nan, OPS["neg"]), (math.nan, 2, OPS["power"]), (math.inf,
    "x", OPS["power"], OPS["neg"]),
    ("x", -0.0, OPS["sub"]), (OPS["pi"], OPS["e"], OPS["power"]), (10**30,), (1e-320, OPS["neg"]),
    (2.5, OPS["square"], OPS["neg"]),
    ("x", "y", OPS["neg"], OPS["power"]), ("x", "y", 2, OPS["power"], OPS["neg"], OPS["power"]),
])
def test_print_cases(tokens):
    expr = Expr(tokens)
    assert same(Expr.parse(str(expr)), expr), str(expr)


def test_numbers_of_numpy_print_as_numbers():
    assert str(Expr((np.float64(1.5), np.float64(2.0), OPS["add"]))) == "1.5 + 2.0"
    assert Expr.const(np.int64(3)).tokens == (3,) and type(Expr.const(True).tokens[0]) is int


def test_exact_and_free_numbers_differ():
    assert Expr.parse("2*x") != Expr.parse("2.0*x")
    assert Expr.parse("2*x") == Expr.parse("2 * x") and hash(Expr.parse("2*x")) == hash(Expr.parse("2 * x"))
    assert Expr.parse("x") != "x"


@properties(200)
@given(expressions())
def test_structure(expr):
    assert expr.complexity == len(expr.tokens)  # every built-in operator costs 1
    if expr.arguments:
        assert Expr.apply(expr.op, *expr.arguments) == expr
        assert expr.depth == 1 + max(a.depth for a in expr.arguments)
    else:
        assert expr.depth == 1
    assert expr.with_constants(expr.constants) == expr
    assert pickle.loads(pickle.dumps(expr)) == expr
    assert expr.substitute({"x": "q", "y": "q"}).variables in ((), ("q",))


def test_operators_build_expressions():
    x, y = Expr.var("x"), Expr.var("y")
    assert str(2 * x + y**2 / (1 - x) - -y) == "2*x + y^2/(1 - x) - -y"
    assert str(1.5 / x) == "1.5/x" and str(3 + x) == "3 + x"


@pytest.mark.parametrize("tokens", [(), ("x", "y"), (OPS["add"],), ("x", OPS["add"]), ("x", "y", OPS["add"], "z")])
def test_tokens_must_be_one_expression(tokens):
    with pytest.raises(ValueError, match="one postfix expression was required"):
        Expr(tokens)


def test_errors_name_what_was_required():
    with pytest.raises(ValueError, match="sin requires 1"):
        Expr.apply("sin", Expr.var("x"), Expr.var("y"))
    with pytest.raises(ValueError, match=r"1 constant\(s\) were required, got 2"):
        Expr.parse("2.0*x").with_constants([1, 2])


@pytest.mark.parametrize(("name", "text"), [("x_1", "x_1"), ("sin", "`sin`"), ("a b", "`a b`"), ("a`b", "`a\\`b`"), ("é", "`é`")])
def test_quote(name, text):
    assert quote(name) == text
