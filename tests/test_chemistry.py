"""Formulas: what each spelling means, that printing and reading are inverse, and that what is no formula is refused with a reason."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.conjecture.reactions.chemistry import ELEMENTS, NONMETALS, Group, Species, read_species

symbols = st.sampled_from(sorted(ELEMENTS))
counts = st.integers(1, 10**6)


def _unit(inner):
    groups = st.builds(Group, st.sampled_from("([{"), st.lists(inner, min_size=1, max_size=3).map(tuple))
    return st.tuples(groups, counts)


ROMAN = {"I", "V"}  # "(I)" is an oxidation number
atoms = st.tuples(symbols.filter(lambda s: s not in ROMAN), counts)
units = st.lists(st.recursive(atoms, _unit, max_leaves=6), min_size=1, max_size=4).map(tuple)
multipliers = st.one_of(st.integers(1, 20), st.sampled_from([Fraction(1, 2), Fraction(3, 2)])).map(Fraction)


@st.composite
def all_species(draw):
    parts = [(Fraction(1), draw(units)), *draw(st.lists(st.tuples(multipliers, units), max_size=2))]
    return Species(tuple(parts), draw(st.integers(-12, 12)), draw(st.sampled_from(["", "aq", "s", "l", "g"])))


@given(all_species())
def test_printed_formulas_read_back(species):
    assert read_species(species.text) == species
    assert read_species(f" 3 {species.text} ") == species  # a coefficient is no part of the formula


@given(all_species())
def test_atoms_are_counted(species):
    def total(units):
        return sum(n * (1 if isinstance(u, str) else total(u.units)) for u, n in units)

    assert sum(species.atoms.values()) == sum(m * total(units) for m, units in species.parts)


@given(st.text(alphabet="CHONFe0123456789()[]{}+-^·.* aqe_²⁻₃", max_size=12))
def test_any_text_is_read_or_refused(text):
    try:
        species = read_species(text)
    except ValueError as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert read_species(species.text) == species


@given(st.text(max_size=8))
def test_unicode_is_read_or_refused(text):
    try:
        read_species(text)
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize(("text", "atoms"), [
    ("K4[Fe(CN)6]", {"K": 4, "Fe": 1, "C": 6, "N": 6}),
    ("Ca3(PO4)2", {"Ca": 3, "P": 2, "O": 8}),
    ("CuSO4·5H2O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
    ("CuSO4.5H2O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
    ("CuSO4 . 5 H2O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
    ("Ca(NO3)2 · NH4NO3 (s)", {"Ca": 1, "N": 4, "O": 9, "H": 4}),
    ("CuSO4 * 5 H2O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
    ("2 CuSO4⋅5H₂O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
    ("CaSO4·½H2O", {"Ca": 1, "S": 1, "O": Fraction(9, 2), "H": 1}),
    ("CaSO4.0.5H2O", {"Ca": 1, "S": 1, "O": Fraction(9, 2), "H": 1}),
    ("KAl(SO4)2·12H2O", {"K": 1, "Al": 1, "S": 2, "O": 20, "H": 24}),
    ("[Co(NH3)5Cl]{Cl}2", {"Co": 1, "N": 5, "H": 15, "Cl": 3}),
    ("C₆H₁₂O₆", {"C": 6, "H": 12, "O": 6}),
    ("H_2O", {"H": 2, "O": 1}),
    ("C_{12}H_{22}O_{11}", {"C": 12, "H": 22, "O": 11}),
    ("1/2 O2", {"O": 2}),
    ("D2O", {"D": 2, "O": 1}),
    ("Og", {"Og": 1}),
    ("((((H))))2", {"H": 2}),
    ("BaSO4↓", {"Ba": 1, "S": 1, "O": 4}),
    ("CO", {"C": 1, "O": 1}),
    ("Co", {"Co": 1}),
    ("e-", {}),
])  # fmt: skip
def test_atoms_of(text, atoms):
    assert read_species(text).atoms == atoms


@pytest.mark.parametrize(("text", "printed"), [
    ("MnO4-", "MnO4^-"), ("MnO4^-", "MnO4^-"), ("MnO₄⁻", "MnO4^-"), ("MnO4−", "MnO4^-"), ("MnO4(-)", "MnO4^-"), ("MnO4-1", "MnO4^-"),
    ("SO4-2", "SO4^2-"), ("SO4^2-", "SO4^2-"), ("SO4^-2", "SO4^2-"), ("SO4^{2-}", "SO4^2-"), ("SO4{2-}", "SO4^2-"), ("SO4{-2}", "SO4^2-"),
    ("SO4(2-)", "SO4^2-"), ("SO4^(2-)", "SO4^2-"), ("SO₄²⁻", "SO4^2-"), ("SO4--", "SO4^2-"), ("SO4^--", "SO4^2-"),
    ("Fe+3", "Fe^3+"), ("Fe3+", "Fe^3+"), ("Fe³⁺", "Fe^3+"), ("Fe+++", "Fe^3+"), ("Fe^{+++}", "Fe^3+"), ("Fe3^+", "Fe3^+"),
    ("Hg2^2+", "Hg2^2+"), ("NH4+", "NH4^+"), ("H3O+ (aq)", "H3O^+(aq)"), ("Na+(aq)", "Na^+(aq)"), ("H2O (l)", "H2O(l)"),
    ("[Fe(CN)6]4-", "[Fe(CN)6]^4-"), ("[Fe(CN)6]-4", "[Fe(CN)6]^4-"), ("[Cu(NH3)4]²⁺", "[Cu(NH3)4]^2+"),
    ("I3-", "I3^-"), ("N3-", "N3^-"), ("H2+", "H2^+"), ("SO42-", "SO42^-"), ("C60-", "C60^-"), ("Fe^0", "Fe"),
    ("e-", "e^-"), ("e⁻", "e^-"), ("e^{-}", "e^-"), ("2e-", "e^-"), ("e-1", "e^-"),
])  # fmt: skip
def test_charges(text, printed):
    assert read_species(text).text == printed


@pytest.mark.parametrize(("text", "said"), [
    ("Fe3+", "Fe with charge 3+"), ("I3-", "I3 with charge 1-; for the charge 3- write I^3-"), ("SO42-", "write SO4^2-"),
    ("[Fe(CN)6]4-", "[Fe(CN)6] with charge 4-"), ("O2-", "write O^2-"),
])  # fmt: skip
def test_ambiguous_charges_say_how_they_are_read(text, said):
    assert said in read_species(text).note


@pytest.mark.parametrize("text", ["MnO4-", "Fe+3", "SO4^2-", "NH4+", "H+", "OH-", "Fe³⁺", "K4[Fe(CN)6]"])
def test_plain_spellings_carry_no_note(text):
    assert read_species(text).note == ""


def test_latex_is_mhchem():
    assert read_species("SO4-2(aq)").latex == "SO4^{2-}(aq)"
    assert read_species("CuSO4·5H2O").latex == "CuSO4*5H2O"


def test_the_table_of_elements():
    assert len(ELEMENTS) == 118 + 2 and ELEMENTS["W"] == "tungsten" and len(set(ELEMENTS.values())) == 120
    assert set(ELEMENTS) > NONMETALS


@pytest.mark.parametrize(("text", "said"), [
    ("", "empty"), ("  ", "empty"), ("KMnX4", "'X' is no element; did you mean Xe"), ("NACL", "did you mean Ac or Na"),
    ("h2o", "did you mean H"), ("e2", "no element"), ("(CH2)n", "'n'"), ("CuSO4·xH2O", "'x'"), ("R-OH", "'R'"), ("🜁", "cannot stand"),
    ("Fe(III)Cl3", "oxidation number"), ("H0", "at least 1"), ("CaSO4·1/0H2O", "at least 1"), ("12", "without any element"),
    ("(H", "not closed"), ("H)", "closes no bracket"), ("(H]", "closes no bracket"), ("()2", "without any element"),
    ("(CuSO4·5H2O)", "before the dot"), ("CuSO4·", "without any element"), ("·OH", "without any"), ("1/0 ", "without any"),
    ("H2 O", "a + between formulas"), ("H\n2", "required"), ("C6H5-CH3", "'-'"), ("\x00", "'\\x00'"),
    ("^13C", "isotope"), ("¹³CO2", "isotope"),
    ("e", "written e-"), ("e+", "written e-"), ("Fe^2", "charge"), ("SO4^x", "charge"), ("H+-", "charge"), ("Hg22+", "Hg2^2+"),
    ("H" + "1" * 5000, "digits"), ("H^" + "1" * 5000 + "+", "digits"), ("(" * 3000 + "H" + ")" * 3000, "deep"),
])  # fmt: skip
def test_refusals(text, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        read_species(text)


@pytest.mark.parametrize("value", [None, 3, b"H2O", ["H2O"]])
def test_only_text_is_read(value):
    with pytest.raises(ValueError, match="a text was required"):
        read_species(value)
