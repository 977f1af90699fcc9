"""`identify`: constants are found, nothing is claimed of random numbers, and what is claimed says why."""

import json
import math
import random
from fractions import Fraction

import pytest
import typer
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from symnum.commands import identify as command
from symnum.conjecture.number import known_values
from symnum.conjecture.number.identification import CANDIDATE, IDENTIFIED, NEAR_MISS
from symnum.conjecture.number.identify import identify
from symnum.conjecture.number.near_misses import near_rationals
from symnum.conjecture.number.texts import combination, description_length, minimal_factor, polynomial, power_product, quotient, radicals
from symnum.numbers import formula
from symnum.numbers.formula import ball
from symnum.numbers.relation import integer_relation


def digits_of(text: str, digits: int) -> str:
    return ball(text, digits + 10).str(digits, radius=False)


# formulas that are found ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text, digits", [
    ("355/113", 30), ("(3 + sqrt(7))/5", 30), ("-sqrt(11)", 30), ("2^(1/5)", 40), ("cbrt(2) + 1", 40), ("sqrt(2) + sqrt(5) - sqrt(7)", 50),
    ("3*euler - 2*log(2)", 40), ("pi^2/8 - log(2)^2/2", 50), ("zeta(5)*31/32", 40), ("polylog(3, 1/2)", 50), ("catalan/pi", 40),
    ("gamma(1/3)^3/(2^(4/3)*pi)", 50), ("glaisher^3/sqrt(2)", 40), ("erf(1/2)", 40), ("(2*pi - 1)/(pi + 5)", 40), ("exp(-pi/2)", 40),
    ("besselj(0, 1)", 40), ("atan(2/7)", 30), ("log(1 + pi)", 40), ("1/sqrt(2*pi)", 30), ("e^euler/sqrt(3)", 40), ("-7*digamma(1/3)", 50),
    ("tanh(2)/3", 40), ("acos(1/3)", 30), ("cos(2*pi/11)", 40), ("exp(pi*sqrt(43))", 40), ("log(3)/log(7)", 40),
])
def test_a_number_made_of_constants_is_identified(text, digits):
    best = identify(digits_of(text, digits)).best
    assert best is not None and best.status == IDENTIFIED, text
    assert best.digits >= best.needed
    assert ball(best.formula, 3 * digits).overlaps(ball(text, 3 * digits)), best.formula


@pytest.mark.parametrize("equation, start", [
    ("x*exp(x) - 2", 0.8), ("cos(x) - x", 0.7), ("x^5 - x - 1", 1.1), ("x^x - 2", 1.5), ("x + log(x) - 3", 2.2)])
def test_a_number_without_closed_form_is_the_root_of_an_equation(equation, start):
    with ctx.workprec(400):
        x = arb(start)
        for _ in range(12):
            step = arb(2) ** -150
            slope = (formula.evaluate(equation, x=x + step) - formula.evaluate(equation, x=x)) / step
            x = (x - formula.evaluate(equation, x=x) / slope).mid()
    best = identify(x.str(45, radius=False)).best
    assert best is not None and best.status == IDENTIFIED
    with ctx.workprec(400):
        if best.formula:
            assert abs(ball(best.formula, 60) - x) < arb(10) ** -44
        else:
            left, right = (formula.evaluate(side, x=x) for side in best.equation)
            assert abs(left - right) < arb(10) ** -40


@pytest.mark.parametrize("number, text", [
    (math.pi, "pi"), (math.sqrt(2), "sqrt(2)"), (math.pi / 4, "pi/4"), (math.sqrt(2 * math.pi), "sqrt(2*pi)"),
    ((1 + math.sqrt(5)) / 2, "golden"), (0.1, "1/10"), (-math.e, "-e")])
def test_simple_formulas_of_floats(number, text):
    best = identify(number).best
    assert best is not None and best.status == IDENTIFIED and best.formula == text and best.digits == 15


@pytest.mark.parametrize("text, formula_text", [("2.50663", "sqrt(2*pi)"), ("1.61803", "golden"), ("0.577216", "euler")])
def test_few_digits_make_candidates_not_claims(text, formula_text):
    found = identify(text)
    assert not found.identified and found.best is not None
    assert found.best.status == CANDIDATE and found.best.formula == formula_text and 0 < found.best.chance < 1
    assert found.best.needed > found.best.digits and "chance" in str(found)


# nothing is claimed of what is nothing ----------------------------------------------------------------------------------------------
def test_random_numbers_are_not_identified():
    rng = random.Random(5)
    for _ in range(3):
        assert not identify("0." + "".join(rng.choices("0123456789", k=49)) + "7").identified
        assert not identify(rng.uniform(0, 10)).identified


@settings(max_examples=6, deadline=None)
@given(st.integers(10**11, 10**12), st.integers(-40, 40))
def test_twelve_random_digits_of_any_size_are_not_identified(mantissa, power):
    if mantissa % 1000:  # three zeros at the end say something
        assert not identify(f"{mantissa}e{power}").identified


@pytest.mark.parametrize("text", ["1.05457e-34", "6.62607015e-34", "6.02214076e23", "299792458.0", "1.380649e-23"])
def test_physical_constants_are_no_formulas(text):
    assert not identify(text).identified


def test_near_misses_are_named():
    found = identify("262537412640768743.99999999999925007259719818568888")
    assert [str(h) for h in found.hits if h.status == NEAR_MISS] == ["262537412640768744"]
    miss = next(h for h in found.hits if h.status == NEAR_MISS)
    assert miss.digits == 29 and "differs at digit 30" in str(found)
    assert str(found.best) == "exp(pi*sqrt(163))"  # what it is


def test_a_near_miss_is_not_the_best():
    value = ball("exp(pi*sqrt(163)) + zeta(3)/10^13", 60)
    found = identify(value.str(50, radius=False), grammar=None)
    assert found.best is None or found.best.status != NEAR_MISS


def test_ordinary_numbers_have_no_near_rational():
    assert near_rationals(ball("pi", 50), 50) == [] and near_rationals(ball("golden", 50), 50) == []


# how a number is given ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("given_, text", [("0", "0"), (0.0, "0"), ("17", "17"), ("-7", "-7"), (Fraction(3, 8), "3/8"), (12, "12")])
def test_exact_rationals_are_their_own_formula(given_, text):
    best = identify(given_).best
    assert best is not None and best.formula == text and math.isinf(best.digits)


def test_an_integer_beyond_pythons_text_limit():
    assert len(identify("9" * 5000).best.formula) == 5000


def test_an_expression_is_recomputed_at_twice_the_digits():
    best = identify("zeta(2)*3 + 1", digits=60).best
    assert best.formula == "pi^2/2 + 1" or ball(best.formula, 50).overlaps(ball("zeta(2)*3 + 1", 50))
    assert best.digits == 120


def test_exponent_notation_counts_digits():
    found = identify("2.5066282746310005024157652848110e-5")
    assert found.digits == 32


def test_a_hundred_thousand_digits():
    found = identify(ball("pi/7 + sqrt(2)", 99_990).str(99_980, radius=False))
    assert found.best.status == IDENTIFIED and found.best.digits == 1000
    assert any("1000 of the 99980 digits" in note for note in found.notes)


def test_digits_may_be_distrusted():
    text = digits_of("pi/8", 12) + "123456789"
    assert identify(text).best is None
    found = identify(text, digits=12)
    assert found.best.formula == "pi/8" and found.best.digits == 12


def test_cut_off_digits_are_as_good_as_rounded_ones():
    assert identify("3.14159265358979323846264338327950288419716939").best.formula == "pi"  # the next digit is 9


@pytest.mark.parametrize("bad, kind", [
    ("3.14", "got 3"), ("0.5", "got 1"), ("hello", "known constant"), ("nan", "finite"), ("sqrt(-1)", "finite real value"),
    ("1e9", "got 1"), (float("inf"), "finite"), ("", "required")])
def test_bad_numbers(bad, kind):
    with pytest.raises(ValueError, match=kind):
        identify(bad)


@pytest.mark.parametrize("options, kind", [
    ({"digits": 0}, "at least 1 digit"), ({"time_limit": 0}, "time limit"), ({"time_limit": float("nan")}, "time limit"),
    ({"basis": []}, "empty one"), ({"basis": [" "]}, "empty one"), ({"basis": ["zta(3)"]}, "did you mean zeta"),
    ({"grammar": "constnts"}, "shipped grammar"), ({"grammar": "elementary"}, "free constants")])
def test_bad_options(options, kind):
    with pytest.raises(ValueError, match=kind):
        identify("0.8999133036138950110045748785182221842509882805983", **options)


# a basis of one's own ----------------------------------------------------------------------------------------------------------------
def test_a_basis():
    best = identify(digits_of("3*pi/4 - log(2)/6 + 2", 40), basis=["pi", "log(2)", "zeta(3)"]).best
    assert best.status == IDENTIFIED and ball(best.formula, 60).overlaps(ball("3*pi/4 - log(2)/6 + 2", 60))
    assert identify(digits_of("sqrt(6)*pi^3/zeta(3)", 40), basis=["pi", "zeta(3)"]).best.status == IDENTIFIED
    assert identify(digits_of("catalan", 40), basis=["pi", "log(2)"]).best is None


def test_a_dependent_basis_is_reported_and_makes_no_claim():
    found = identify("0.8999133036138950110045748785182221842509882805983", basis=["pi^2", "zeta(2)", "log(2)", "log(4)"])
    assert found.best is None
    assert sum("dependent" in note for note in found.notes) == 2 and "pi^2 - 6*zeta(2) = 0" in str(found)


# results -----------------------------------------------------------------------------------------------------------------------------
def test_the_result():
    found = identify(digits_of("pi^2/6", 40))
    assert found.digits == found.searched == 40 and list(found) == list(found.hits)
    assert found.best.latex() == r"\frac{\pi^{2}}{6}" and str(found.best.sympy()) == "pi**2/6"
    document = json.loads(json.dumps(found.to_dict()))
    assert document["best"] == "pi^2/6" and document["hits"][0]["digits_needed"] <= document["hits"][0]["digits_agreed"]
    root = identify("0.73908513321516064165531208767387").best
    assert root.latex() == r"x = \cos{\left(x \right)}" and str(root.sympy()) == "Eq(x, cos(x))"


def test_hits_are_ranked_by_length():
    hits = identify(digits_of("pi^2/6", 60)).hits
    assert [h.length for h in hits] == sorted(h.length for h in hits)


# texts -------------------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("above, below, text", [
    ([(1, "pi"), (1, "1")], [(-1, "1")], "-(pi + 1)"), ([(-2, "e")], [(4, "pi")], "-e/(2*pi)"), ([(1, "1")], [(1, "pi/e")], "e/pi"),
    ([(6, "1")], [(4, "1")], "3/2"), ([(2, "pi"), (4, "e")], [(3, "1"), (3, "sqrt(2)")], "2*(pi + 2*e)/(3*(1 + sqrt(2)))"),
])
def test_quotients(above, below, text):
    assert quotient(above, below) == text


def sums(*texts: str):
    return st.lists(st.tuples(st.integers(-9, 9), st.sampled_from(texts)), min_size=1, max_size=3, unique_by=lambda t: t[1])


@settings(max_examples=50, deadline=None)
@given(sums("1", "pi", "log(2)", "pi/e", "sqrt(2)*e"), sums("1", "e", "pi*e", "zeta(3)/pi"))
def test_a_quotients_text_has_its_value(above, below):
    if any(c for c, _ in above) and any(c for c, _ in below):
        with ctx.workprec(200):
            top, bottom = (sum((c * formula.evaluate(t) for c, t in part), arb(0)) for part in (above, below))
            if not bottom.contains(0):
                assert formula.evaluate(quotient(above, below)).overlaps(top / bottom)


BASES = st.sampled_from(["2", "3", "pi", "gamma(1/4)", "pi/e", "pi*e", "e"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(BASES, st.fractions(-4, 4, max_denominator=6)), min_size=1, max_size=4, unique_by=lambda t: t[0]))
def test_a_power_products_text_has_its_value(factors):
    with ctx.workprec(200):
        expected = arb(1)
        for text, q in factors:
            expected *= formula.evaluate(text) ** (arb(q.numerator) / q.denominator)
        assert formula.evaluate(power_product(factors)).overlaps(expected)


@pytest.mark.parametrize("c", [
    (-1, -1, 1), (-2, 0, 0, 1), (1, 0, -10, 0, 1), (-1, -1, 0, 1), (-1, 0, -1, 1), (5, -3), (-7, 0, 3), (2, 3, 0, 0, 0, 0, 1),
    (-3, 0, 0, 0, 0, 2), (1, 5, -3, -1), (3, 1, 0, 1)])
def test_radicals_are_roots(c):
    from flint import fmpz_poly

    with ctx.workprec(300):
        for root, _ in fmpz_poly(list(c)).complex_roots():
            if root.imag == 0 and (text := radicals(c, root.real)):
                assert formula.evaluate(text).overlaps(root.real), (c, text)


def test_polynomials():
    assert polynomial([1, 0, -10, 0, 1]) == "x^4 - 10*x^2 + 1" and polynomial([0, -1]) == "-x"
    assert minimal_factor([-2, -2, 1, 1], ball("sqrt(2)", 30)) == (-2, 0, 1) and minimal_factor([-2, 0, 1], ball("pi", 30)) is None
    assert combination([]) == "0" and combination([(0, "pi")]) == "0"
    assert description_length("golden") < description_length("(1 + sqrt(5))/2") < description_length("polylog(2, 1/2)*7/12345")


def test_the_tables_hold_no_dependent_bases():
    for bases, by_log in ((known_values.LINEAR, False), (known_values.PRODUCTS, True)):
        for name, basis in bases.items():
            with ctx.workprec(700):
                values = [known_values.value(t, 600) for t in basis]
                found = integer_relation([v.log() for v in values] if by_log else values, 150)
            assert found is None or not found.accepted, name


def test_the_table_of_values_is_made_of_distinct_numbers():
    texts = [*known_values.named(), *known_values.pairs()]
    assert len(texts) > 1000 and len(set(texts)) == len(texts)


# command line ------------------------------------------------------------------------------------------------------------------------
app = typer.Typer(pretty_exceptions_enable=False)
app.callback()(lambda: None)
command.register(app)


@pytest.mark.parametrize("arguments, expected", [
    (["2.506628274631000502415765284811"], "identified sqrt(2*pi)"), (["-0.4227843350984671393934879"], "euler - 1"),
    (["--", "-0.4227843350984671393934879"], "euler - 1"), (["1.6449340668482264364724151666460", "--latex"], r"\frac{\pi^{2}}{6}"),
    (["2.0943951023931954923084289221863", "--basis", "pi, besseli(0, 2)"], "2*pi/3"),
    (["1.6449340668482264364724151666460", "--grammar", "none", "--digits", "30", "--time", "20"], "pi^2/6"),
])
def test_command(arguments, expected):
    result = CliRunner().invoke(app, ["identify", *arguments])
    assert result.exit_code == 0 and expected in result.stdout


def test_command_json():
    result = CliRunner().invoke(app, ["identify", "3.14159265358979323846", "--json"])
    assert json.loads(result.stdout)["best"] == "pi"


@pytest.mark.parametrize("arguments, message", [
    (["3.14"], "at least 5 digits"), (["hello"], "known constant"), (["10^10^10"], "between 1e-200000 and 1e200000"),
    (["1.64493406684822643", "--basis", "pi,zta(3)"], "did you mean zeta"),
    (["1.64493406684822643", "--basis", ","], "empty one"), (["1.64493406684822643", "--grammar", "nope"], "shipped grammar"),
    (["1.6449340668482", "--time", "0"], "time limit"), (["1.6449340668482", "--json", "--latex"], "one of --latex and --json"),
])
def test_command_with_bad_input(arguments, message):
    result = CliRunner().invoke(app, ["identify", *arguments])
    assert result.exit_code == 2 and message in result.stderr and "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
