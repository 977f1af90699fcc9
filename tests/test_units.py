"""Units: what texts mean, and that the typing of expressions agrees with rescaling the data."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.evaluate import reference
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import OPS, Op
from symnum.language.typed import BAD, EXACT, LOOSE, WEIGHTS, WILD, Typing, consistent, rule_of, size_of
from symnum.language.units import BASE, NONE, Unit, coherent, parse_unit, unit_text
from symnum.testing import properties, random_batch

M, S, KG = np.eye(7)[1], np.eye(7)[2], np.eye(7)[0]
NAMES = ("m", "v", "x", "t", "n")
DIMS = np.array([KG, M - S, M, S, np.zeros(7)])
ENERGY = KG + 2 * M - 2 * S


# texts --------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "meaning", "scale"), [
    ("kg", "kg", 1), ("m/s^2", "m/s^2", 1), ("m/s2", "m/s^2", 1), ("m s-2", "m/s^2", 1), ("m s⁻²", "m/s^2", 1), ("m·s^-2", "m/s^2", 1),
    ("N*m", "kg*m^2/s^2", 1), ("N m", "kg*m^2/s^2", 1), ("N.m", "kg*m^2/s^2", 1), ("km h^-1", "m/s", 1 / 3.6), ("m / s / s", "m/s^2", 1),
    ("J/(kg K)", "m^2/(s^2*K)", 1), ("J/kg K", "m^2*K/s^2", 1), ("m^0.5", "m^(1/2)", 1), ("m**(1/3)", "m^(1/3)", 1), ("µm", "m", 1e-6),
    ("Ω", "kg*m^2/(s^3*A^2)", 1), ("10^3 kg", "kg", 1e3), ("1e-3 m", "m", 1e-3), ("1/s", "1/s", 1), ("%", "1", 0.01), ("1", "1", 1),
    ("-", "1", 1), ("dimensionless", "1", 1), ("rad", "1", 1), ("deg", "1", np.pi / 180), ("mol/l", "mol/m^3", 1e3), ("lm", "cd", 1),
    ("°C/m", "K/m", 1), ("delta_degC", "K", 1), ("  kg ", "kg", 1),
])  # fmt: skip
def test_a_text_means_exponents_and_a_scale(text, meaning, scale):
    unit = parse_unit(text)
    assert str(unit) == meaning
    assert unit.scale == pytest.approx(scale)


@pytest.mark.parametrize("text", ["", "  ", "?", "a.u."])
def test_a_unit_may_be_unknown(text):
    assert parse_unit(text) is None


@pytest.mark.parametrize(("text", "part"), [
    ("kilogramm", "did you mean kilogram"), ("m/ss", "'ss' in 'm/ss'"), ("degC", "kelvin"), ("°C", "kelvin"), ("dB", "absolute"),
    ("m/", "end"), ("/s", "'/'"), ("(kg", "bracket"), ("kg)", "')'"),
    ("m^", "exponent"), ("m^^2", "exponent"), ("m - s", "'-'"), ("m^0", "exponent is 0"),
    ("$", "'$'"), ("sqrt(m)", "sqrt"), ("0 m", "factor is 0"), ("m2.5", "at .5"), ("__class__", "not a known unit"),
    ("m^(1/0)", "exponent"), ("m" * 300, "not a known unit"), ("(" * 50, "end"), ("kg;m", "';'"),
])  # fmt: skip
def test_what_is_no_unit_is_refused_with_advice(text, part):
    with pytest.raises(ValueError) as error:
        parse_unit(text)
    assert part in str(error.value) and ("write" in str(error.value))


@properties(100)
@given(st.text(alphabet="kgms/^*() -+.12°%µe", max_size=12))
def test_any_text_is_a_unit_or_a_value_error(text):
    try:
        unit = parse_unit(text)
    except ValueError:
        return
    assert unit is None or (unit.scale > 0 and len(unit.exponents) == len(BASE))


@properties(40)
@given(st.lists(st.fractions(-4, 4, max_denominator=6), min_size=7, max_size=7))
def test_a_unit_s_text_is_read_as_the_unit(exponents):
    assert parse_unit(unit_text(exponents)) == Unit(tuple(exponents))


@pytest.mark.parametrize(("texts", "yes"), [
    (["kg", "m", "s", "N", "J"], True), (["g", "cm", "s", "erg"], True), (["m", "km"], False), (["km", "h", "m/s"], False), (["rad"], True),
    (["deg"], False), (["au", "year"], True), (["au", "year", "km/s"], False), (["1", "%"], False), ([], True),
])  # fmt: skip
def test_units_are_coherent_where_no_conversion_is_needed(texts, yes):
    assert coherent([parse_unit(t) for t in texts]) is yes


# rules --------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_every_operator_has_a_rule(op):
    assert rule_of(op.units)[1] != 0


@pytest.mark.parametrize("text", ["", "sum", "scale", "scale:", "scale:x", "scale:1/0"])
def test_no_other_rules_are_accepted(text):
    with pytest.raises(ValueError, match="units rule"):
        rule_of(text)


def test_a_user_operator_with_a_wrong_rule_is_refused():
    with pytest.raises(ValueError, match="units rule"):
        Op.from_function("bad_rule_", lambda a: a + 1, 1, units="lengthy")
    assert "bad_rule_" not in OPS


@properties(50)
@given(seed=st.integers(0, 2**32))
def test_sizes_tell_dimensions_apart(seed):
    dims = np.unique(np.random.default_rng(seed).integers(-18, 19, (2000, 7)) / 6, axis=0)
    assert np.diff(np.sort(size_of(dims))).min() > 1e-8


@pytest.mark.parametrize(("text", "hard", "free"), [
    ("m*v^2", True, True), ("m*square(v)", True, True), ("m*v*x/t", True, True), ("2*m*v^2 + 3.5*m*square(x/t)", True, True),
    ("m*v", False, False), ("1.5*m*v", False, True), ("m*v^2 + m", False, False), ("m*v^2 + 1.5*m", False, True),
    ("m*v^2 + 1.5", False, True), ("m*v^2 + 1", False, False), ("m*v^2*exp(n)", True, True), ("m*v^2*exp(x)", False, False),
    ("m*v^2*exp(1.5*x)", False, True), ("m*v^2*exp(x/(v*t))", True, True), ("m*(x/t)^2", True, True), ("m*v^2*n^1.7", True, True),
    ("m*v^n", False, False), ("m*v^1.7", False, False), ("1.5*m*v^1.7", False, True), ("m*(1.5*v)^1.7", False, True),
    ("m^2*v^4*sqrt(1/(m*v^2))^2", True, True), ("(m*v^2)^(1/2)*sqrt(m)*v", True, True), ("cbrt(cube(m*v^2))", True, True),
    ("abs(-m*v^2)", True, True), ("sign(x)*m*v^2", True, True), ("max(m*v^2, 0)", True, True), ("max(m*v^2, 1)", False, False),
    ("min(m*v^2, n)", False, False), ("m*v^2*pi + e*m*v^2", True, True), ("m*v^2*sin(x/x)", True, True), ("atan(t/x)", False, False),
    ("m*v^2*2^n", True, True), ("m*v^2*2^x", False, False), ("1.5^x*m", False, False), ("1.5", False, True), ("m*v^(1 + 1)", True, True),
    ("m*v^(3 - 2/2)", True, True), ("m/v^(-2)", True, True), ("m*v^inv(1/2)", True, True), ("m*v^pi", False, False), ("n", False, False),
    ("m*v^2 - m*v^2*x^n/x^n", False, False), ("(2.5*x)^n*m*v^2", False, True), ("1.5*sin(m)", False, False), ("0*x", True, True),
])  # fmt: skip
def test_rules_on_known_cases(text, hard, free):
    batch = Batch.pack([Expr.parse(text)], NAMES)
    assert consistent(batch, DIMS, ENERGY).item() is hard
    assert consistent(batch, DIMS, ENERGY, "free").item() is free


def test_constants_are_of_two_sorts():
    with pytest.raises(ValueError, match="'loose'"):
        consistent(Batch.empty(NAMES), DIMS, ENERGY, "loose")
    assert consistent(Batch.empty(NAMES), DIMS, ENERGY).shape == (0,)


def test_an_unknown_column_fits_anywhere():
    dims = DIMS.copy()
    dims[3] = np.nan
    batch = Batch.pack([Expr.parse(e) for e in ("m*x^2/t^2", "m*t", "t", "m*v^2 + t", "sin(t)", "m + x*t", "m*x")], NAMES)
    assert consistent(batch, dims, ENERGY).tolist() == [True, True, True, True, False, False, False]


@pytest.mark.parametrize(("view", "wanted"), [
    ("", ENERGY), ("square", ENERGY / 2), ("sqrt", 2 * ENERGY), ("inv", -ENERGY), ("cbrt", 3 * ENERGY), ("neg", ENERGY), ("exp", None)])
def test_through_a_view(view, wanted):
    size = Typing(DIMS, ENERGY).through(view)
    assert size is None if wanted is None else size == pytest.approx(size_of(wanted))
    if view:
        assert Typing(DIMS, np.zeros(7)).through("exp") == 0.0


@pytest.mark.parametrize(("target", "free", "allowed"), [(ENERGY, False, False), (ENERGY, True, True), (np.zeros(7), False, True)])
def test_an_offset_needs_the_target_s_unit(target, free, allowed):
    assert Typing(DIMS, target, free).offset_allowed() is allowed


def test_scaled_shapes_fit_where_a_constant_may_have_units():
    batch = Batch.pack([Expr.parse(e) for e in ("m*v", "m*v^2", "m + v", "v^1.5")], NAMES)
    assert Typing(DIMS, ENERGY).consistent(batch, scaled=True).tolist() == [False, True, False, False]
    assert Typing(DIMS, ENERGY, free=True).consistent(batch, scaled=True).tolist() == [True, True, False, True]


# against the meaning --------------------------------------------------------------------------------------------------------
def values(batch: Batch, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(all="ignore"):
        return reference.values(batch, X)


@properties(30)
@given(seed=st.integers(0, 2**32))
def test_what_is_consistent_does_not_depend_on_the_system_of_units(seed):
    """In other units the values of a consistent expression are the same quantity: that is what consistent means."""
    rng = np.random.default_rng(seed)
    batch = random_batch(rng, 600, NAMES, n_tokens=int(rng.integers(3, 9)))
    kind, dim = Typing(DIMS, ENERGY).roots(batch)
    X = rng.uniform(0.5, 2, (5, len(NAMES)))
    y, ok = values(batch, X)
    for log_sizes, known in ((0.05 * WEIGHTS, True), (rng.uniform(-0.5, 0.5, 7), False)):  # of the base units
        moved, still = values(batch, X * np.exp(DIMS @ log_sizes))
        good = ok & still & (y != 0).all(axis=1)
        with np.errstate(all="ignore"):
            ratio = moved / y
        exact = good & (kind == EXACT) & (np.abs(y).max(axis=1) < 1e6 * np.abs(y).min(axis=1))
        expected = np.exp(0.05 * dim[exact])[:, None] if known else ratio[exact, :1]
        assert np.allclose(ratio[exact], expected, rtol=1e-5) and exact.sum() > 20
        bad = good & (kind == BAD)
        assert (np.ptp(ratio[bad], axis=1) > 1e-9 * np.abs(ratio[bad]).max(axis=1)).mean() > 0.5  # others are numbers by chance


@properties(20)
@given(seed=st.integers(0, 2**32))
def test_kinds_of_a_batch_are_those_of_its_expressions_and_subtrees(seed):
    batch = random_batch(np.random.default_rng(seed), 50, NAMES)
    for free in (False, True):
        typing = Typing(DIMS, ENERGY, free)
        kind, dim = typing.tokens(batch)
        for i in range(len(batch)):
            expr, start = batch[i], batch.offset[i]
            parts = Batch.pack([Expr(expr.tokens[t - expr._span(t) + 1 : t + 1]) for t in range(len(expr.tokens))], NAMES)
            alone = typing.roots(parts)
            span = slice(start, start + len(expr.tokens))
            assert (alone[0] == kind[span]).all() and np.array_equal(alone[1], dim[span])
        assert set(np.unique(kind)) <= {EXACT, WILD, LOOSE, BAD} and (free or WILD not in kind[batch.value != 0])


@properties(20)
@given(seed=st.integers(0, 2**32))
def test_free_constants_only_ever_admit_more(seed):
    batch = random_batch(np.random.default_rng(seed), 300, NAMES)
    assert (consistent(batch, DIMS, ENERGY) <= consistent(batch, DIMS, ENERGY, "free")).all()


def test_a_unit_without_exponents_is_a_number():
    assert Unit().exponents == NONE and all(isinstance(p, Fraction) for p in (Unit() * Unit() ** Fraction(2)).exponents)


@pytest.mark.parametrize(("text", "advice"), [("pH", "concentration"), ("AU", "write au"), ("dB/m", "logarithmic"), ("km^200", "too large"),
                                              ("m^400", "beyond"), ("nan", "not a known unit"), ("10^300*10^300", "too large")])
def test_units_that_mean_something_else_are_refused_with_advice(text, advice):
    with pytest.raises(ValueError, match=advice):
        parse_unit(text)
