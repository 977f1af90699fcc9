"""Formulas put together from look-ups."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from symnum.language.expr import Expr
from symnum.search.assemble import combination, in_operators, regrouped

X, Y, Z = map(Expr.var, "xyz")
DATA = {n: np.random.default_rng(i).uniform(1, 3, 20) for i, n in enumerate("xyz")}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([1.0, -1.0, 2.5, -2.5, 0.3, 7.0]), min_size=1, max_size=4))
def test_combination_keeps_its_value(coefficients):
    terms = [None, X, Y * X, Expr.apply("sin", Z)][: len(coefficients)]
    values = sum(c * (1.0 if t is None else t(DATA)) for c, t in zip(coefficients, terms, strict=True))
    np.testing.assert_allclose(combination(coefficients, terms)(DATA) * np.ones(20), values * np.ones(20), rtol=1e-12)


def test_ones_and_common_factors_are_not_repeated():
    assert str(combination([1.0, -1.0], [X, Y])) == "x - y"
    assert str(combination([-1.0, 1.0], [X, Y])) == "y - x"
    assert str(combination([-3.0, 3.0], [X, Y])) == "3.0*(y - x)"


def test_regrouping_finds_squares_and_factors():
    forms = {str(f) for f in regrouped([2.0, -4.0, 2.0], [X * X, X * Y, Y * Y])}
    assert "2.0*square(x - y)" in forms
    forms = {str(f) for f in regrouped([1.0, 1.0, -1.0, -1.0], [X * Z, X, Y * Z, Y])}
    assert any(len(Expr.parse(f).tokens) == 7 for f in forms)


def test_regrouping_keeps_values_and_refuses_irrational_ratios():
    coefficients, terms = [0.5, 1.0, 0.5, 3.0], [X * X, X * Y, Y * Y, Z]
    expected = sum(c * t(DATA) for c, t in zip(coefficients, terms, strict=True))
    forms = list(regrouped(coefficients, terms))
    assert forms
    for f in forms:
        np.testing.assert_allclose(f(DATA), expected, rtol=1e-9)
    assert list(regrouped([1.0, 2**0.5], [X, Y])) == []


def test_powers_in_the_operators_of_small_grammars():
    e = Expr.parse("x^4/y^(3/2) + z^(-2)")
    spelled = in_operators(e)
    assert "^" not in str(spelled)
    np.testing.assert_allclose(spelled(DATA), e(DATA), rtol=1e-12)
