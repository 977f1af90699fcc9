"""Formulas that are known already: who published a continued fraction, and fractions whose value is a theorem.

The tables ship in `symnum/data/known`, with their sources; they are read when they are first asked for. A search looks at them only
after it has found a formula by itself.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from symnum.numbers.equivalence import Moebius, family_key
from symnum.numbers.pcf import PCF


@dataclass(frozen=True)
class Anchor:
    """A continued fraction whose value is a theorem.

    Attributes:
        fraction: the continued fraction.
        constant: a formula for numbers, such as "pi".
        map: (A, B, C, D): the value is (A c + B)/(C c + D), c the constant.
        source: the theorem.
    """

    fraction: PCF
    constant: str
    map: Moebius
    source: str


def known(pcf: PCF) -> str | None:
    """Where a continued fraction, or an inflation or a shift of it, was published; None where the table does not have it.

    >>> known(PCF((-4, -6), (4, 8, 4)))  # Gauss's arctan(1), inflated by −2, the tail from 1 on
    'classical (Gauss arctan 1); Ramanujan Machine, results/massey.pdf (2021); Raayoni et al., Nature 590 (2021) 67; ...
    >>> known(PCF((5, 1, 1), (7, 0, 1)))
    """
    return None if pcf.a == (0,) else _published().get(family_key(pcf))


@cache
def anchors() -> tuple[Anchor, ...]:
    """The shipped anchors.

    >>> anchors()[0].constant, anchors()[0].fraction.text
    ('e', 'a(n) = n + 2, b(n) = -n')
    """
    found = []
    for row in _rows("anchors.csv"):
        a, b, c, d = map(int, row["map"].split())
        found.append(Anchor(_fraction(row), row["constant"], (a, b, c, d), row["source"]))
    return tuple(found)


@cache
def _published() -> dict[str, str]:
    """Source by family; of several members the first with a classical source, else the first."""
    sources: dict[str, str] = {}
    for row in _rows("pcf.csv"):
        key = family_key(_fraction(row))
        if key not in sources or (row["source"].startswith("classical") and not sources[key].startswith("classical")):
            sources[key] = row["source"]
    return sources


def _fraction(row: dict[str, str]) -> PCF:
    return PCF(tuple(map(int, row["a"].split())), tuple(map(int, row["b"].split())))


def _rows(name: str) -> list[dict[str, str]]:
    with files("symnum.data").joinpath("known", name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
