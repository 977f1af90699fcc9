"""Infix text: precedence, literals, names, and errors that point at the place."""

import pickle

import pytest

from symnum.language.expr import Expr
from symnum.language.parse import ParseError, parse


@pytest.mark.parametrize(("text", "grouped"), [
    ("a + b*c", "a + (b*c)"), ("a - b - c", "(a - b) - c"), ("a/b/c", "(a/b)/c"), ("a/b*c", "(a/b)*c"), ("-a*b", "(-a)*b"),
    ("-a^2", "-(a^2)"), ("a^b^c", "a^(b^c)"), ("a**b**c", "a^(b^c)"), ("2^-3", "2^(-3)"), ("a^-b^c", "a^(-(b^c))"), ("+a", "a"),
    ("a - -b", "a - (-b)"), ("a*-b", "a*(-b)"), ("-2^2", "-(2^2)"), ("(-2)^2", "(-2)^2"), ("ln(x)", "log(x)"), ("pow(a, b)",
    "a^b"),
    ("add(a, b)", "a + b"), ("Max(a, b)", "max(a, b)"), ("E^x", "e^x"), (" \n a\t+ b ", "a + b"), ("pi()", "pi"),
])
def test_precedence(text, grouped):
    assert parse(text) == parse(grouped)


@pytest.mark.parametrize(("text", "tokens"), [
    ("2", (2,)), ("2.", (2.0,)), (".5", (0.5,)), ("2e3", (2000.0,)), ("1E-3", (0.001,)), ("-2", (-2,)), ("- 2.5", (-2.5,)),
    ("inf", (float("inf"),)), ("-inf", (-float("inf"),)), ("12345678901234567890", (12345678901234567890,)), ("`a b`",
    ("a b",)),
    ("`sin`", ("sin",)), ("größe", ("größe",)), (r"`a\`b\\c`", ("a`b\\c",)), ("``", ("",)),
])
def test_literals_and_names(text, tokens):
    expr = parse(text)
    assert expr.tokens == tokens and type(expr.tokens[0]) is type(tokens[0])


@pytest.mark.parametrize(("text", "position", "words"), [
    ("x + sni(y)", 4, "did you mean sin"), ("sin + 2", 0, "is a function of 1 argument"), ("x +", 3, "got the end"),
    ("2x", 1, "product is written with *"), ("x $ y", 2, r"got '\$'"), ("sin(x, y)", 0, r"requires 1 argument\(s\), got 2"),
    ("(x", 2, r"\) was required|\), "), ("", 0, "was required"), ("x)", 1, "the end was required"), ("x y", 2, "got 'y'"),
    ("`abc", 0, "was required"), ("max(x)", 0, r"requires 2 argument\(s\), got 1"), ("x = 2", 2, "was required"),
])
def test_errors(text, position, words):
    with pytest.raises(ParseError, match=words) as caught:
        parse(text)
    assert caught.value.position == position and isinstance(caught.value, ValueError)
    assert str(caught.value).endswith("\n  " + " " * position + "^")
    assert pickle.loads(pickle.dumps(caught.value)).position == position


def test_the_caret_stands_under_its_line():
    with pytest.raises(ParseError) as caught:
        parse("x +\n  foo(y)")
    assert str(caught.value).splitlines()[1:] == ["    foo(y)", "    ^"]


def test_only_text_is_read():
    with pytest.raises(TypeError, match="an infix text was required, got 3"):
        parse(3)


def test_long_and_deep_texts():
    assert len(parse("+".join(["x"] * 3000)).tokens) == 5999
    assert parse("(" * 500 + "x" + ")" * 500) == Expr.var("x")
