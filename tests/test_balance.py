"""Balancing: conservation, canonical coefficients, spellings of reactions, refusals with true reasons, and the command."""

import csv
import io
import json
import re
from collections import Counter
from itertools import product
from math import gcd
from pathlib import Path

import pytest
import typer
from hypothesis import assume, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from symnum.commands.balance import register
from symnum.conjecture.reactions.balance import HILBERT, LATTICE, balance, equation
from symnum.conjecture.reactions.chemistry import read_species
from symnum.conjecture.reactions.reaction import read_reaction

ROWS = Path(__file__).parents[1] / "experiments" / "reactions" / "reactions.csv"

app = typer.Typer()
register(app)
app.callback()(lambda: None)  # a second command is to come: keeps the name on the command line


def run(*arguments):
    return CliRunner().invoke(app, ["balance", *map(str, arguments)])


def assert_conserved(found):
    total = Counter()
    sign = [1] * len(found.reaction.left) + [-1] * len(found.reaction.right)
    for species, x, s in zip(found.reaction.species, found.coefficients, sign, strict=True):
        total["charge"] += s * x * species.charge
        for symbol, n in species.atoms.items():
            total[symbol] += s * x * n
    assert not any(total.values())


# random reactions ----------------------------------------------------------------------------------------------------------------------
@st.composite
def reactions(draw):
    """A text and coefficients that balance it: random species, and one more on the right that takes up what is left over."""
    formula = st.dictionaries(st.sampled_from("CHNOS"), st.integers(1, 6), min_size=1, max_size=3)
    left = draw(st.lists(st.tuples(formula, st.integers(-2, 2)), min_size=1, max_size=4))
    x = draw(st.lists(st.integers(1, 9), min_size=len(left), max_size=len(left)))
    sums, charge = Counter(), 0
    for (atoms, z), n in zip(left, x, strict=True):
        sums.update({symbol: n * m for symbol, m in atoms.items()})
        charge += n * z
    texts = ["".join(f"{s}{m}" for s, m in atoms.items()) + (f"^{abs(z)}{'+' if z > 0 else '-'}" if z else "") for atoms, z in left]
    assume(len(set(texts)) == len(texts))
    rest = "".join(f"{s}{m}" for s, m in sums.items()) + (f"^{abs(charge)}{'+' if charge > 0 else '-'}" if charge else "")
    return f"{' + '.join(texts)} -> {rest}", (*x, 1)


@given(reactions())
def test_a_reaction_made_to_balance_balances(case):
    text, x = case
    found = balance(text)
    assert_conserved(found)
    assert found.proved and min(found.coefficients) >= 1 and gcd(*found.coefficients) == 1
    assert sum(found.coefficients) <= sum(x)
    assert balance(found.text).coefficients == found.coefficients  # the printed equation is a reaction again


SIMPLE = st.sampled_from(["C", "O2", "CO", "CO2", "H2", "H2O", "CH4", "C2H6", "H^+", "e-", "OH-"])


@given(st.lists(SIMPLE, min_size=2, max_size=5), st.data())
def test_small_reactions_against_brute_force(species, data):
    cut = data.draw(st.integers(1, len(species) - 1))
    reaction = read_reaction(f"{' + '.join(species[:cut])} -> {' + '.join(species[cut:])}")
    rows = reaction.matrix()[1]
    n = len(reaction.species)
    most = {2: 30, 3: 12, 4: 8, 5: 5}[n]
    solutions = [x for x in product(range(1, most + 1), repeat=n) if not any(sum(map(int.__mul__, row, x)) for row in rows)]
    least = min(solutions, key=lambda x: (sum(x), x), default=None)
    try:
        found = balance(equation(reaction, (1,) * n))
    except ValueError:
        assert not solutions
    else:
        assert_conserved(found)
        assert least is None or (sum(found.coefficients), found.coefficients) <= (sum(least), least)
        assert max(found.coefficients) > most or found.coefficients == least


@given(reactions())
def test_the_family_generates_the_balance(case):
    found = balance(case[0])
    if found.family_kind == HILBERT:
        assert all(min(v) >= 0 for v in found.family)
        assert all(any(v[j] for v in found.family) for j in range(len(found.coefficients)))
    assert (found.nullity == 1) == found.unique == (len(found.family) == 1)
    assert not found.unique or found.family == (found.coefficients,)


# what is known -------------------------------------------------------------------------------------------------------------------------
def test_published_reactions():
    for row in csv.DictReader(io.StringIO(ROWS.read_text())):
        wanted = tuple(int(a) for a in row["coefficients"].split())
        if wanted:
            found = balance(row["reaction"])
            assert found.coefficients == wanted and found.nullity == int(row["nullity"]) and found.proved, row
        else:
            with pytest.raises(ValueError, match="has no balance"):
                balance(row["reaction"])


@pytest.mark.parametrize("text", [
    "MnO4- + Fe+2 + H+ -> Mn+2 + Fe+3 + H2O",
    "MnO4^- + 5Fe^2+ + H^+ = Mn^2+ + Fe^3+ + H2O",
    "MnO₄⁻ + Fe²⁺ + H⁺ → Mn²⁺ + Fe³⁺ + H₂O",
    "MnO4{-}+Fe{2+}+H{+}=Mn{2+}+Fe{3+}+H2O",
    "MnO4-+Fe+2+H+->Mn+2+Fe+3+H2O",
    "MnO4- (aq)+Fe++ (aq)+H+ (aq) <=> Mn2+ (aq)+Fe3+ (aq)+H2O (l)",
    "MnO4(-)  +  Fe(2+)+ 8 H(+)  ⇌  Mn(2+) + 5 Fe(3+) + 4 H2O",
    "MnO4−+Fe^2++H^+ ⇒ Mn^2++Fe^3++H2O",
])  # fmt: skip
def test_one_reaction_in_many_spellings(text):
    assert balance(text).coefficients == (1, 5, 8, 1, 5, 4)


@pytest.mark.parametrize(("text", "balanced"), [
    ("CuSO4·5H2O -> CuSO4 + H2O", "CuSO4·5H2O -> CuSO4 + 5 H2O"),
    ("CaSO4·½H2O + H2O -> CaSO4·2H2O", "2 CaSO4·1/2H2O + 3 H2O -> 2 CaSO4·2H2O"),
    ("H2O(l) <=> H2O(g)", "H2O(l) <=> H2O(g)"),
    ("D2 + O2 -> D2O", "2 D2 + O2 -> 2 D2O"),
    ("Na + Cl2 -> NaCl", "2 Na + Cl2 -> 2 NaCl"),
    ("H2+O2->H2O", "2 H2 + O2 -> 2 H2O"),
    ("H++OH-=H2O", "H^+ + OH^- -> H2O"),
    ("Zn -> Zn+2 + 2e-", "Zn -> Zn^2+ + 2 e^-"),
    ("CH999999999 + O2 -> CO2 + H2O", "4 CH999999999 + 1000000003 O2 -> 4 CO2 + 1999999998 H2O"),
])  # fmt: skip
def test_balanced_text(text, balanced):
    assert balance(text).text == balanced


def test_ties_go_to_the_first_species():
    found = balance("CO + O2 + C -> CO2 + CO3")
    assert found.nullity == 3 and found.proved
    assert_conserved(found)
    swapped = balance("CO2 + N2 -> CO2 + N2")
    assert swapped.coefficients == (1, 1, 1, 1) and swapped.net == "no change"


def test_species_on_both_sides_keep_two_coefficients_and_a_net_equation():
    found = balance("H4P2O7 + HPO3 + H2O -> H4P2O7 + HPO3")  # github.com/bjodah/chempy/issues/120
    assert found.text == "H4P2O7 + 3 HPO3 + H2O -> 2 H4P2O7 + HPO3"
    assert found.net == "2 HPO3 + H2O -> H4P2O7"
    assert balance("C + CO -> C + CO + CO2").net == "2 CO -> C + CO2"
    assert balance("H2 + O2 -> H2O").net == ""


def test_duplicates_on_a_side_count_once():
    found = balance("C + C + O2 -> CO2")
    assert found.coefficients == (1, 1, 1)
    assert found.reaction.notes == ("C stands more than once on the left and counts once",)
    assert balance("H2 + H₂ + O2 -> H2O").coefficients == (2, 1, 2)


def test_a_family_too_large_for_a_hilbert_basis_is_a_lattice_basis():
    found = balance(" + ".join(f"C{i}H{2 * i + 2}" for i in range(1, 21)) + " + O2 -> CO2 + CO + H2O")
    assert found.family_kind == LATTICE and len(found.family) == found.nullity == 21 and found.proved
    assert_conserved(found)


def test_latex_and_json():
    found = balance("Cr2O7-2 + C2O4-2 + H+ <=> Cr+3 + CO2 + H2O")
    assert found.latex == r"\ce{Cr2O7^{2-} + 3 C2O4^{2-} + 14 H^{+} <=> 2 Cr^{3+} + 6 CO2 + 7 H2O}"
    values = json.loads(json.dumps(found.to_dict()))
    assert values["coefficients"] == [1, 3, 14, 2, 6, 7] and values["unique"] and values["left"] == ["Cr2O7^2-", "C2O4^2-", "H^+"]


# what cannot be balanced ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "said"), [
    ("KCl -> K", "chlorine (Cl) stands only on the left"),
    ("K -> KCl", "chlorine (Cl) stands only on the right"),
    ("CO -> CO2", "C − O is conserved, but it is 0 on the left and −1 in CO2 on the right"),
    ("C3H6O3 -> C3H4O3", "2·C − H is conserved"),
    ("Na -> Na+", "the charge is 0 on the left and 1 in Na^+ on the right"),
    ("Na -> Na+", "the elements alone balance (Na -> Na^+), electrons are missing on the right"),
    ("Na+ + e- -> Na+2", "electrons are missing on the right"),
    ("Na+ -> Na", "electrons are missing on the left"),
    ("Fe + Cl2 -> FeCl3 + NaCl", "without NaCl it balances: 2 Fe + 3 Cl2 -> 2 FeCl3"),
    ("H2O + O2 -> H2", "with O2 on the other side it balances: 2 H2O -> O2 + 2 H2"),
    ("H2O2 -> H2O + CO2 + C", "with C on the other side it balances: 2 H2O2 + C -> 2 H2O + CO2"),
    ("H2 + Cl2 + Br2 -> HCl + NaCl + NaF", "without Br2, NaCl, NaF it balances: H2 + Cl2 -> 2 HCl"),
    ("H2 + O2 + Na -> H2O + NaCl + Cl2", "with Cl2 on the other side it balances: 2 H2 + O2 + 2 Na + Cl2 -> 2 H2O + 2 NaCl"),
    ("SO42- + Ba2+ -> BaSO4", "SO42- is read as SO42"),
    ("MnO4- + Fe+2 -> Mn+2 + Fe+3", "oxygen (O) stands only on the left"),
])  # fmt: skip
def test_refusals_say_why(text, said):
    try:
        found = balance(text)
    except ValueError as error:
        assert said in str(error) and "\n" not in str(error)
    else:
        pytest.fail(f"balanced as {found}")


@given(st.lists(st.sampled_from(["C", "O2", "CO", "CO2", "Na+", "H^+", "e-", "Na", "H2O", "NaOH"]), min_size=2, max_size=5), st.data())
def test_remedies_balance(species, data):
    """What a refusal recommends is itself balanced."""
    cut = data.draw(st.integers(1, len(species) - 1))
    try:
        balance(f"{' + '.join(species[:cut])} -> {' + '.join(species[cut:])}")
    except ValueError as error:
        if m := re.search(r"it balances: (.*? -> .*?)(;|$)", str(error)):
            assert balance(m[1]).text


@pytest.mark.parametrize(("text", "said"), [
    ("", "one arrow"), ("H2", "one arrow"), ("H2 -> H -> H2", "got 2"), ("CH2=CH2 + H2 = C2H6", "got 2"), ("H2 ->", "on the right"),
    ("-> H2", "on the left"), ("H2 + + O2 -> H2O", "each side of every"), ("+ H2 -> H2", "each side of every"), ("H2 + -> H2", "each side"),
    ("Ag+ + Cl-->AgCl", "may begin with a charge"), ("H2 + O2 -> HzO", "'Hz' is no element"), ("H2 O2 -> H2O", r"a \+ between"),
    ("H2 + O2 -> H2O)", "closes no bracket"), (" + ".join(f"CH{i}" for i in range(1, 80)) + " -> C", "at most 60 species"),
    ("A" * 100_000, "one arrow"), ("🜁 -> 🜂", "cannot stand"), ("H2 + O2 -> H^", "charge"),
])  # fmt: skip
def test_what_is_no_reaction_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        balance(text)


@given(st.text(alphabet="CHONa0123456789()+-^·>= e⇌", max_size=20))
def test_any_text_is_balanced_or_refused(text):
    try:
        assert_conserved(balance(text))
    except ValueError as error:
        assert str(error) and "\n" not in str(error)


# the command ---------------------------------------------------------------------------------------------------------------------------
def test_command_prints_the_equation():
    result = run("KMnO4 + HCl -> KCl + MnCl2 + H2O + Cl2")
    assert result.exit_code == 0 and result.stdout == "2 KMnO4 + 16 HCl -> 2 KCl + 2 MnCl2 + 8 H2O + 5 Cl2\n"
    assert run("H2 + O2 -> H2O", "--latex").stdout == "\\ce{2 H2 + O2 -> 2 H2O}\n"
    assert json.loads(run("H2 + O2 -> H2O", "--json").stdout)["coefficients"] == [2, 1, 2]


def test_command_prints_families_nets_and_notes():
    lines = run("C + O2 -> CO + CO2").stdout.splitlines()
    assert lines[0] == "3 C + 2 O2 -> 2 CO + CO2" and "not unique" in lines[1]
    assert lines[2:] == ["    C + O2 -> CO2", "    2 C + O2 -> 2 CO"]
    assert "  net: 2 CO -> C + CO2" in run("C + CO -> C + CO + CO2").stdout
    assert "note: Fe3+ is read as Fe with charge 3+" in run("Fe3+ + e- -> Fe2+").stdout
    assert "… and " in run(" + ".join(f"C{i}H{2 * i + 2}" for i in range(1, 8)) + " + O2 -> CO2 + CO + H2O").stdout


@pytest.mark.parametrize("arguments", [
    ["CO -> CO2"], ["nonsense"], ["Na -> Na+"], [], ["H2 -> H", "--file", "x"], ["H2 -> H", "--json", "--latex"],
    ["--file", "/no/such/file"], ["--file", "/"],
])  # fmt: skip
def test_command_refuses_with_one_line(arguments):
    result = run(*arguments)
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1


def test_command_reads_files(tmp_path):
    file = tmp_path / "reactions.txt"
    file.write_text("\ufeff# burning\nH2 + O2 -> H2O\n\nC + O2 → CO2  # coal\n", encoding="utf-8")
    assert run("--file", file).stdout == "2 H2 + O2 -> 2 H2O\nC + O2 -> CO2\n"
    file.write_text("CO -> CO2\nH2 + O2 -> H2O\n")
    result = run("--file", file)
    assert result.exit_code == 2 and result.stdout == "2 H2 + O2 -> 2 H2O\n" and "line 1: CO -> CO2 has no balance" in result.stderr
    documents = json.loads(run("--file", file, "--json").stdout)
    assert "error" in documents[0] and documents[1]["coefficients"] == [2, 1, 2] and documents[1]["line"] == 2
    for content in (b"", b"# nothing\n", b"\xff\xfe\x00"):
        file.write_bytes(content)
        assert run("--file", file).exit_code == 2


def test_species_are_what_the_reaction_holds():
    reaction = read_reaction("SO4-2 + 2 H+ = H2SO4")
    assert reaction.left == (read_species("SO4^2-"), read_species("H^+")) and not reaction.reversible
    assert reaction.matrix() == (("S", "O", "H", "charge"), ((1, 0, -1), (4, 0, -4), (0, 1, -2), (-2, 1, 0)))
