"""A reaction as typed, `KMnO4 + HCl -> KCl + MnCl2 + H2O + Cl2`: where the plus signs separate, and which matrix it is.

The arrow is one of `->`, `=`, `→`, `⇒` or, for an equilibrium, `⇌`, `<=>`, `<->`. Leading coefficients are ignored. A species written twice
on one side counts once; one that stands on both sides keeps a place, and a coefficient, on each.
A `+` with no space before it that ends its species (`H+ + e-`, `Fe+3 + …`, `Ag+ (aq)`) is a charge; every other one separates.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from symnum.conjecture.reactions.chemistry import Species, read_species, tidy

CHARGE = "charge"
LIMIT = 60  # species in one reaction

_ARROW = re.compile(r"<=+>|<-+>|-+>|=+>|[⇌⇄⇆↔⟷⇋→⟶⇒]|=+")
_CHARGE_AHEAD = re.compile(r"\d*\s*(\+|$|[(\[](aq|s|l|g|cr|am)[)\]])")


@dataclass(frozen=True)
class Reaction:
    """Species left and right of the arrow; `notes` say how ambiguous spellings were read and what was merged."""

    left: tuple[Species, ...]
    right: tuple[Species, ...]
    reversible: bool = False
    notes: tuple[str, ...] = ()

    @property
    def species(self) -> tuple[Species, ...]:
        """All of them, left ones first: the order of coefficients everywhere."""
        return self.left + self.right

    def matrix(self) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
        """What is conserved, and its amounts per species, those on the right negative: coefficients x balance if rows·x = 0.

        The elements come in order of appearance, the charge (where there is one) last. Rows with fractions (half a water) are scaled.

        >>> read_reaction("Zn+2 + e- -> Zn").matrix()
        (('Zn', 'charge'), ((1, 0, -1), (2, -1, 0)))
        """
        amounts = [s.atoms for s in self.species]
        names = list(dict.fromkeys(symbol for a in amounts for symbol in a))
        rows = [[a.get(symbol, Fraction(0)) for a in amounts] for symbol in names]
        if any(s.charge for s in self.species):
            names.append(CHARGE)
            rows.append([Fraction(s.charge) for s in self.species])
        signs = [1] * len(self.left) + [-1] * len(self.right)
        return tuple(names), tuple(_integers([a * b for a, b in zip(row, signs, strict=True)]) for row in rows)


def read_reaction(text: str) -> Reaction:
    """Read a reaction of at most 60 species.

    Raises:
        ValueError: not exactly one arrow, an arrow that may be a charge, an empty side, a formula that cannot be read.

    >>> reaction = read_reaction("2 H2+O2 ⇌ H2O")
    >>> [s.text for s in reaction.left], [s.text for s in reaction.right], reaction.reversible
    (['H2', 'O2'], ['H2O'], True)
    """
    plain = tidy(text)
    arrows = list(_ARROW.finditer(plain))
    if len(arrows) != 1:
        msg = f"one arrow (->, =, → or ⇌) was required, got {len(arrows)} in {_short(plain)}"
        raise ValueError(msg)
    arrow = arrows[0]
    if arrow[0].startswith("--") and not plain[: arrow.start()].endswith(" "):
        msg = f"{arrow[0]} may begin with a charge in {_short(plain)}; put spaces around the arrow"
        raise ValueError(msg)
    notes: list[str] = []
    left = _side(plain[: arrow.start()], "left", notes)
    right = _side(plain[arrow.end() :], "right", notes)
    if len(left) + len(right) > LIMIT:
        msg = f"at most {LIMIT} species were required, got {len(left) + len(right)}"
        raise ValueError(msg)
    return Reaction(left, right, arrow[0][0] in "<⇌⇄⇆↔⟷⇋", tuple(dict.fromkeys(notes)))


def _side(text: str, name: str, notes: list[str]) -> tuple[Species, ...]:
    if not text.strip():
        msg = f"at least one species was required on the {name}, got none"
        raise ValueError(msg)
    species: list[Species] = []
    for part in _terms(text):
        if not part.strip():
            msg = f"a species was required on each side of every +, got {_short(text.strip())}"
            raise ValueError(msg)
        one = read_species(part)
        if one in species:
            notes.append(f"{one.text} stands more than once on the {name} and counts once")
            continue
        species.append(one)
        notes += [one.note] if one.note else []
    return tuple(species)


def _terms(text: str) -> list[str]:
    """Cut a side at the plus signs that separate."""
    terms, start, closed = [], 0, True
    for i, sign in enumerate(text):
        closed = closed if sign not in "{}" else sign == "}"
        if sign == "+" and closed and not _is_charge(text, i):
            terms.append(text[start:i])
            start = i + 1
    return [*terms, text[start:]]


def _is_charge(text: str, i: int) -> bool:
    before, after = text[:i], text[i + 1 :]
    if re.search(r"[\^(]\(?(\d*|\+*)$", before):
        return True
    return bool(before.strip()) and not before[-1].isspace() and bool(_CHARGE_AHEAD.match(after))


def _integers(row: list[Fraction]) -> tuple[int, ...]:
    scale = lcm(*(a.denominator for a in row))
    return tuple(int(a * scale) for a in row)


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "…")
