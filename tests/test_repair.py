"""What a discovery changed in a guess."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symnum.equations.repair import Repair, diff, structure, terms
from symnum.language.expr import Expr

P = Expr.parse


def told(text: str) -> list[str]:
    return [str(t) for t in terms(P(text))]


def one(guess: str, found: str) -> Repair:
    return diff({"x": P(guess)}, {"x": P(found)})


@pytest.mark.parametrize(("a", "b"), [
    ("x*(1.5 - y)", "-y*x + 1.5*x"),
    ("1.0 - 1.0/(1.0 + x)", "x/(x + 1.0)"),
    ("(2.0*x)/(2.0*x + 3.0)", "x/(x + 1.5)"),
    ("-0.5*x*log(1.5*x)", "-0.5*x*log(x) - 0.2027325540540822*x"),
    ("x^2.0", "x*x"),
    ("sqrt(x)", "x^0.5"),
    ("x - x", "0"),
    ("1/2*x", "0.5*x"),
])
def test_forms_of_one_formula_have_the_same_terms(a, b):
    assert told(a) == told(b)


@pytest.mark.parametrize(("a", "b"), [
    ("x", "x^2"), ("sin(x)", "cos(x)"), ("sin(x)", "sin(2.0*x)"), ("x/(1.0 + x)", "x/(1.0 + x^2)"), ("x", "x + 1.0"), ("x^2", "x^3"),
])
def test_other_formulas_have_another_structure(a, b):
    assert structure(P(a)) != structure(P(b))


def test_structure_ignores_numbers():
    assert structure(P("2.0*x/(3.0 + x) + sin(2.0*y)")) == structure(P("-x/(0.1 + x) + 5*sin(0.3*y)")) != structure(P("x + sin(y)"))


def test_kept_removed_added():
    repair = one("-0.5*x + 2.0*sin(2.0*x) + y^2", "-0.52*x + 1.9*sin(1.9*x) + 0.3*x*y")
    assert sorted(str(c) for c in repair.kept["x"]) == ["  -0.5*x → -0.52*x", "  2*sin(2*x) → 1.9*sin(1.9*x)"]
    assert [str(t) for t in repair.removed["x"]] == ["y^2"]
    assert [str(t) for t in repair.added["x"]] == ["0.3*x*y"]
    assert "- y^2" in str(repair) and "+ 0.3*x*y" in str(repair)


def test_equal_bodies_before_near_ones():
    repair = one("1.0*sin(2.0*x) + 1.0*sin(3.0*x)", "5.0*sin(3.0*x) + 7.0*sin(2.1*x)")
    pairs = {(str(c.before), str(c.after)) for c in repair.kept["x"]}
    assert pairs == {("sin(2*x)", "7*sin(2.1*x)"), ("sin(3*x)", "5*sin(3*x)")}


def test_a_fraction_is_kept_however_it_is_written():
    repair = one("2.0*x/(1.0 + x)", "2.0 - 2.0/(1.0 + x) - 1.0*x")
    assert len(repair.kept["x"]) == 1 and not repair.removed["x"] and [str(t) for t in repair.added["x"]] == ["-x"]


def test_a_state_without_a_guess_is_all_added_and_an_unknown_one_refused():
    repair = diff({"x": P("x")}, {"x": P("x"), "y": P("x + y")})
    assert len(repair.added["y"]) == 2 and not repair.added["x"] and not repair.removed["x"]
    with pytest.raises(ValueError, match="guesses for x were required, got one for z"):
        diff({"z": P("x")}, {"x": P("x")})


@pytest.mark.parametrize("text", [
    "0", "0.0*x", "1e-300*x", "1e300*x", "pi*x", "abs(x)*x", "x^(1/3)", "(x + sin(x))/(1.0 + x)", "tanh(x)^2",
])
def test_odd_formulas_have_terms(text):
    assert isinstance(str(one(text, "x")), str)


bodies = ["x", "y", "x*y", "x^2", "sin(x)", "x/(2.0 + y)", "1"]
monomials = st.dictionaries(st.sampled_from(bodies), st.integers(1, 9), min_size=1, max_size=4)


@given(monomials, monomials)
@settings(max_examples=25, deadline=None)
def test_every_term_is_accounted_for_once(a, b):
    repair = one(*(" + ".join(f"{c}.0*{m}" for m, c in part.items()) for part in (a, b)))
    assert len(repair.kept["x"]) == len(set(a) & set(b))
    assert len(repair.removed["x"]) == len(set(a) - set(b)) and len(repair.added["x"]) == len(set(b) - set(a))
