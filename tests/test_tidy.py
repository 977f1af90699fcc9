"""Exact formulas made short."""

import numpy as np
import pytest

from symnum.language.expr import Expr
from symnum.search.tidy import tidied

RNG = np.random.default_rng(0)
DATA = {n: RNG.uniform(1, 2, 40) for n in "abcd"} | {"s": RNG.uniform(-1, 1, 40), "big": RNG.uniform(5, 6, 40)}


@pytest.mark.parametrize(("given", "wanted"), [
    ("sqrt(square(a)*(square(b) + square(c)))", "a*sqrt(b^2 + c^2)"),
    ("square(a)*b*(c + d)/(b*a)", "a*(c + d)"),
    ("sqrt(square(a/b - big))", "big - a/b"),
])
def test_roundabout_forms_become_short(given, wanted):
    short, expected = tidied(Expr.parse(given), DATA), Expr.parse(wanted)
    assert len(short.tokens) <= len(expected.tokens)
    np.testing.assert_allclose(short(DATA), expected(DATA), rtol=1e-12)


def test_a_sign_that_changes_is_kept():
    e = Expr.parse("sqrt(square(s)*(square(b) + square(c)))")
    np.testing.assert_allclose(tidied(e, DATA)(DATA), e(DATA), rtol=1e-12)


def test_free_constants_survive():
    e = Expr.parse("exp(b^2*(-0.7*a^2/b^2 + c/b)/a^2)/a")
    short = tidied(e, DATA)
    assert len(short.tokens) < len(e.tokens)
    np.testing.assert_allclose(short(DATA), e(DATA), rtol=1e-9)


def test_short_and_endless_formulas_are_left_alone():
    assert tidied(Expr.parse("a + b"), DATA) == Expr.parse("a + b")
    long = Expr.parse(" + ".join(f"sin({k}*a)*b" for k in range(1, 20)))
    assert tidied(long, DATA) is long
