"""The two-sided search: forms are right, distinct and simplest first, and the sides meet where equations hold."""

import math

import numpy as np
import pytest
from flint import arb, ctx

from symnum.conjecture.number.two_sides import TwoSides, on_balls, solutions
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.rules import compile_rules
from symnum.numbers.formula import ball
from symnum.search.meet import Forms, Side, meet

KNOWN = {"golden": 1.618033988749895, "euler": 0.5772156649015329, "catalan": 0.915965594177219, "zeta(3)": 1.2020569031595942}
RULES = compile_rules(Grammar.load("constants"), sorted({*KNOWN, "x"}))


def forms(x: float | None, level: int, most: int = 5000) -> Forms:
    out = Forms(RULES, KNOWN if x is None else {**KNOWN, "x": x}, most)
    out.grow_to(level)
    return out


def test_every_value_is_that_of_its_expression():
    out = forms(1.3, 9)
    for i in range(0, len(out), 7):
        assert float(on_balls(out.expr(i), arb(1.3))) == pytest.approx(out.value[i], rel=1e-12)


def test_every_slope_is_the_derivative():
    out, step = forms(1.3, 10), arb(2) ** -80
    with ctx.workprec(400):
        for i in np.flatnonzero(out.slope)[::11]:
            expr = out.expr(i)
            exact = (on_balls(expr, arb(1.3) + step) - on_balls(expr, arb(1.3) - step)) / (2 * step)
            assert out.slope[i] == pytest.approx(float(exact), rel=1e-8), str(expr)


def test_values_are_positive_distinct_and_in_order_of_complexity():
    out = forms(1.3, 11)
    assert (out.value > 0).all() and (np.diff(out.complexity) >= 0).all()
    constants = np.sort(out.value[out.slope == 0])
    assert np.mean(np.diff(constants) > 1e-14 * constants[1:]) > 0.99  # rounding hides that some are equal


def test_the_right_side_has_no_number():
    out = forms(None, 11)
    assert (out.slope == 0).all() and all("x" not in out.expr(i).tokens for i in range(0, len(out), 13))


def test_capacity_and_deadline_are_kept():
    assert len(forms(1.3, 40, most=500)) == 500
    late = Forms(RULES, KNOWN, 10**6)
    assert not late.grow_to(40, deadline=0.0)


def test_nonterminals_are_kept_apart():
    rules = compile_rules(Grammar.parse("sum : product + sum | product\nproduct : product * leaf | leaf\nleaf : x | 2 | 3"), ["x"])
    out = Forms(rules, {"x": 1.7}, 2000)
    out.grow_to(7)
    grammar = Grammar.parse("sum : product + sum | product\nproduct : product * leaf | leaf\nleaf : x | 2 | 3")
    assert all(grammar.contains(out.expr(i), ["x"]) for i in np.flatnonzero(out.whole))


@pytest.mark.parametrize("x, expected", [(math.sqrt(2 * math.pi), "sqrt(pi + pi)"), (math.pi**math.e, "pi^e"), (math.exp(-1 / math.e), "")])
def test_sides_meet(x, expected):
    found = meet(Side.of(forms(x, 13, 20_000), x), Side.of(forms(None, 14, 100_000)), error=1e-15 * x)
    assert found and all(abs(float(on_balls(m.lhs, arb(x)) - on_balls(m.rhs, arb(x)))) < 1e-11 * (1 + x) ** 3 for m in found[:5])
    assert [m.complexity for m in found] == sorted(m.complexity for m in found)
    assert [m.tested for m in found] == sorted(m.tested for m in found)
    assert not expected or any(str(m.lhs) == "x" and str(m.rhs) == expected for m in found)


def test_no_more_equations_are_looked_at_than_allowed():
    x = math.sqrt(2 * math.pi)
    left, right = Side.of(forms(x, 12, 20_000), x), Side.of(forms(None, 12, 20_000))
    assert all(m.tested <= 1e4 for m in meet(left, right, 1e-15, most_tested=1e4))
    assert meet(left, right, 1e-15, most_tested=0) == []


def test_an_empty_side():
    x = 1.3
    empty = Forms(RULES, {"x": x}, 10)
    assert meet(Side.of(empty, x), Side.of(forms(None, 9)), 1e-15) == []


@pytest.mark.parametrize("lhs, rhs, x", [
    ("square(x)/2", "pi", "sqrt(2*pi)"), ("exp(x) + 1", "3", "log(2)"), ("2 - 1/x", "sqrt(2)", "1/(2 - sqrt(2))"),
    ("cube(log(x))", "2", "exp(cbrt(2))"), ("3^x", "5", "log(5)/log(3)"), ("x^3", "5", "cbrt(5)"), ("tanh(x)", "1/2", "log(3)/2"),
    ("sin(x)", "1/2", "pi/6"), ("tan(x) - x*0", "1", None), ("gamma(x)", "3", None), ("x + exp(x)", "2", None),
])
def test_solutions(lhs, rhs, x):
    found = [str(s) for s in solutions(Expr.parse(lhs), Expr.parse(rhs))]
    if x is None:
        assert found == []
    else:
        assert any(ball(text, 30).overlaps(ball(x, 30)) for text in found)


def test_grammars_that_are_no_language_of_numbers():
    value = ball("pi", 30)
    with pytest.raises(ValueError, match="free constants"):
        TwoSides(value, 30, "elementary", math.inf)
    with pytest.raises(ValueError, match="a known constant"):
        TwoSides(value, 30, Grammar.parse("n : n + n | x | foo"), math.inf)
    with pytest.raises(ValueError, match="shipped grammar"):
        TwoSides(value, 30, "nope", math.inf)
