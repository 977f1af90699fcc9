"""Formulas of numbers: every constant and function against mpmath, and texts that are no formula."""

import mpmath
import pytest
from flint import arb, ctx
from hypothesis import given
from hypothesis import strategies as st

from symnum.numbers.formula import ALIASES, CONSTANTS, FUNCTIONS, ball, evaluate, latex, parse, to_sympy

DIGITS = 40
CONSTANT_ORACLE = {
    "pi": lambda: mpmath.pi, "e": lambda: mpmath.e, "catalan": lambda: mpmath.catalan, "euler": lambda: mpmath.euler,
    "golden": lambda: mpmath.phi, "glaisher": lambda: mpmath.glaisher, "khinchin": lambda: mpmath.khinchin,
    "mertens": lambda: mpmath.mertens, "twinprime": lambda: mpmath.twinprime,
    "lemniscate": lambda: mpmath.gamma(mpmath.mpf(1) / 4) ** 2 / (2 * mpmath.sqrt(2 * mpmath.pi)),
}
FUNCTION_ORACLE = {
    "ei": mpmath.ei, "li": mpmath.li, "lambertw": mpmath.lambertw, "ellipk": mpmath.ellipk, "ellipe": mpmath.ellipe,
    "cl2": lambda x: mpmath.clsin(2, x), "polygamma": mpmath.polygamma, "hurwitz": mpmath.zeta, "digamma": mpmath.digamma,
    "loggamma": mpmath.loggamma, "factorial": mpmath.factorial,
}


def agrees(value: arb, oracle) -> bool:
    with mpmath.workdps(DIGITS + 20), ctx.workdps(DIGITS + 20):
        difference = value - arb(mpmath.nstr(oracle, DIGITS + 15))
        return bool(abs(difference) < abs(value) * arb(10) ** -DIGITS)


@pytest.mark.parametrize("name", CONSTANTS)
def test_constant_agrees_with_mpmath(name):
    with mpmath.workdps(DIGITS + 20):
        assert agrees(ball(name, DIGITS + 5), +CONSTANT_ORACLE[name]())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_agrees_with_mpmath(name):
    function = FUNCTIONS[name]
    points = [("1/3",), ("5/4",), ("7/2",)] if function.arity == 1 else [("2", "1/3"), ("4", "3/4"), ("3", "1/2")]
    compared = 0
    for point in points:
        with mpmath.workdps(DIGITS + 20):
            arguments = [mpmath.mpf(a.split("/")[0]) / int((a + "/1").split("/")[1]) for a in point]
            expected = FUNCTION_ORACLE.get(name, getattr(mpmath, name, None))(*arguments)
        if mpmath.im(expected) != 0:
            continue
        assert agrees(ball(f"{name}({', '.join(point)})", DIGITS + 5), mpmath.re(expected))
        compared += 1
    assert compared


@pytest.mark.parametrize("name", ["mertens", "twinprime"])
def test_summed_constants_keep_their_promise_at_many_digits(name):
    long, short = ball(name, 300), ball(name, 60)
    assert short.overlaps(long)
    assert long.rel_accuracy_bits() >= 300 * 3.32


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_another_name(alias):
    target = ALIASES[alias]
    texts = (alias, target) if target in CONSTANTS else (f"{alias}(1/3)", f"{target}(1/3)")
    assert ball(texts[0], 20).overlaps(ball(texts[1], 20))


@pytest.mark.parametrize("text, digits", [
    ("2^-3", "0.125"), ("-2^2", "-4"), ("2^3^2", "512"), ("(1 + 2)*3 - 4/2", "7"), ("0.1 + 0.2", "0.3"), ("+5", "5"), ("--5", "5"),
    ("1e3", "1000"), ("2**3", "8"), (" 7 ", "7"),
])
def test_arithmetic(text, digits):
    assert abs(ball(text, 30) - arb(digits)) < 1e-14


@pytest.mark.parametrize("text, reason", [
    ("zta(3)", "did you mean zeta"), ("pie", "did you mean pi"), ("", "a formula such as"), ("1 +", "a formula such as"),
    ("zeta(2, 3, 4)", "zeta takes 1 argument"), ("polylog(2)", "polylog takes 2 arguments"), ("x", "a known constant"),
    ("[1]", "were required"), ("1 if 2 else 3", "were required"), ("'a'", "were required"), ("1j", "were required"),
    ("True", "were required"),
    ("__import__('os')", "a known function"), ("sin(x=1)", "were required"), ("pi.real", "were required"), ("1 < 2", "were required"),
    ("1e301", "numbers below"), ("1e999", "got '1e999'"), ("ω", "a known constant"), ("(" * 500 + "1" + ")" * 500, "was required"),
])
def test_a_text_that_is_no_formula_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse(text)


@pytest.mark.parametrize("text", ["sqrt(-1)", "log(-1)", "1/0", "zeta(1)", "gamma(-1)", "pi - pi", "acos(2)", "0/0", "atanh(1)"])
def test_a_formula_without_a_real_value_is_refused(text):
    with pytest.raises(ValueError, match="finite real value"):
        ball(text, 20)


@pytest.mark.parametrize("digits", [0, -1, 100_001])
def test_digits_are_bounded(digits):
    with pytest.raises(ValueError, match="digits were required"):
        ball("pi", digits)


def test_cancellation_still_gives_the_digits():
    value = ball("exp(pi*sqrt(163)) - 262537412640768744", 40)
    assert value.rel_accuracy_bits() >= 40 * 3.32
    assert value < 0


@given(st.integers(1, 200))
def test_more_digits_lie_inside_fewer(digits):
    assert ball("zeta(3)/pi^3 + sqrt(2)", digits).overlaps(ball("zeta(3)/pi^3 + sqrt(2)", digits + 50))


def test_an_unknown_is_given_later():
    assert evaluate("x^2 - x - 1", x=arb(2)) == 1
    with pytest.raises(ValueError, match="a known constant"):
        evaluate("x^2 - y", x=arb(2))
    assert str(to_sympy("x^2 + pi", ("x",))) == "x**2 + pi"
    assert latex("sqrt(x)", ("x",)) == r"\sqrt{x}"


@pytest.mark.parametrize("name", [*CONSTANTS, *(f"{n}({', '.join(['1/3'] * f.arity)})" for n, f in FUNCTIONS.items())])
def test_every_name_has_a_sympy_and_a_latex_form(name):
    assert to_sympy(name) is not None
    assert latex(name)
