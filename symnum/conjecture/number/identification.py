"""What `identify` gives: formulas for a number, ranked, each with the digits it agrees to and the digits a claim would need."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from symnum.conjecture.number.texts import description_length
from symnum.numbers import formula

IDENTIFIED, CANDIDATE, NEAR_MISS = "identified", "candidate", "near miss"
_ORDER = (IDENTIFIED, CANDIDATE, NEAR_MISS)
SHOWN = 10  # digits of a root that is written as a place


@dataclass(frozen=True, slots=True)
class Hit:
    """One formula for the number.

    Attributes:
        formula: a text of `symnum.numbers.formula`; empty where the equation has no closed solution.
        equation: two texts in x that are equal at the number.
        near: the number to a few digits: which root of the equation it is.
        method: how it was found.
        digits: to how many the formula agrees with the number; `inf` where both are exact.
        needed: how many a claim requires.
        chance: expected number of formulas at most as complex that agree by accident.
        status: identified, candidate (agrees, but the digits are too few for a claim) or near miss (agrees only in part).
        note: for a near miss, where it differs.
    """

    formula: str
    equation: tuple[str, str]
    near: str
    method: str
    digits: float
    needed: int
    chance: float
    status: str
    note: str = ""

    def __str__(self) -> str:
        return self.formula or f"root of {self.equation[0]} = {self.equation[1]} near {self.near}"

    @property
    def length(self) -> float:
        """Description length in bits."""
        if self.formula:
            return description_length(self.formula)
        return sum(map(description_length, self.equation)) + 2.0 * SHOWN  # and something that says which root

    def latex(self) -> str:
        """The formula, or the equation, in LaTeX."""
        if self.formula:
            return formula.latex(self.formula)
        return " = ".join(formula.latex(side, ("x",)) for side in self.equation)

    def sympy(self):
        """The formula as a sympy expression; where only an equation is known, `sympy.Eq` in x."""
        import sympy

        if self.formula:
            return formula.to_sympy(self.formula)
        return sympy.Eq(*(formula.to_sympy(side, ("x",)) for side in self.equation), evaluate=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain types; `digits` is None where the agreement is exact."""
        return {
            "formula": str(self),
            "latex": self.latex(),
            "closed_form": bool(self.formula),
            "equation": list(self.equation),
            "status": self.status,
            "method": self.method,
            "digits_agreed": None if math.isinf(self.digits) else int(self.digits),
            "digits_needed": self.needed,
            "expected_by_chance": float(f"{self.chance:.2g}"),
            "description_length": round(self.length, 1),
            "note": self.note,
        }


@dataclass(frozen=True)
class Identification:
    """The formulas found for a number.

    Attributes:
        given: the number as it was given.
        digits: how many digits it carries; `inf` for an expression.
        searched: to how many digits the formulas were compared.
        hits: identified first, then candidates, then near misses; in each group by description length.
        notes: what else there is to say, such as a relation inside the basis.
        tried: what was searched, in words.
    """

    given: str
    digits: float
    searched: int
    hits: tuple[Hit, ...]
    notes: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()

    @property
    def best(self) -> Hit | None:
        """The first hit, if it is more than a near miss."""
        return self.hits[0] if self.hits and self.hits[0].status != NEAR_MISS else None

    @cached_property
    def identified(self) -> tuple[Hit, ...]:
        """The hits that the digits carry."""
        return tuple(h for h in self.hits if h.status == IDENTIFIED)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """The report, line by line."""
        given = self.given if len(self.given) <= 60 else f"{self.given[:57]}..."
        known = "an exact expression" if math.isinf(self.digits) else f"{int(self.digits)} digits"
        yield f"{given}   ({known}, compared to {self.searched})"
        for h in self.hits:
            yield f"  {h.status:<10} {h}"
            yield f"  {'':<10}   {_evidence(h)}"
        if not self.identified:
            yield f"  nothing identified: searched {'; '.join(self.tried)}"
        yield from (f"  note: {n}" for n in self.notes)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return {
            "given": self.given,
            "digits": None if math.isinf(self.digits) else int(self.digits),
            "compared_to": self.searched,
            "best": str(self.best) if self.best else None,
            "hits": [h.to_dict() for h in self.hits],
            "notes": list(self.notes),
            "searched": list(self.tried),
        }


def _evidence(h: Hit) -> str:
    if math.isinf(h.digits):
        return f"{h.method}; exact"
    agrees = f"{h.method}; {int(h.digits)} digits agree, {h.needed} needed for a claim"
    if h.status == CANDIDATE:
        return f"{agrees}; {h.chance:.1g} formulas as simple would agree by chance"
    return f"{agrees}; {h.note}" if h.note else agrees


def ranked(hits: list[Hit], most: int) -> tuple[Hit, ...]:
    """The best `most` identified hits, or else candidates, and the near misses: simplest first, each formula once.

    A formula half as long again as the first says the same in more words, and is left out.
    """
    group = sorted(hits, key=lambda h: (_ORDER.index(h.status), h.length, str(h)))
    first: dict[str, Hit] = {}
    for h in group:
        first.setdefault(str(h), h)
    distinct = list(first.values())
    agreeing = [h for h in distinct if h.status != NEAR_MISS]
    best = [h for h in agreeing if h.status == agreeing[0].status and h.length <= 1.5 * agreeing[0].length][:most]
    return (*best, *[h for h in distinct if h.status == NEAR_MISS][:most])
