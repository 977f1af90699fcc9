"""Known theorems about invariants, with their sources: they mark what a search found again, and are never part of a search.

    theorems = shipped("graphs")       symnum/data/graphs/theorems.csv: statement, properties, source
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from symnum.conjecture.objects.invariants import ObjectTable
from symnum.language.expr import Expr


@dataclass(frozen=True)
class Theorem:
    """`left <= right` (or `left = right`) for all objects with the properties.

    Attributes:
        left, right: formulas of the invariants.
        relation: "<=" or "=".
        hypothesis: the properties.
        source: who proved it, when and where.
    """

    left: Expr
    right: Expr
    relation: str
    hypothesis: tuple[str, ...]
    source: str

    @classmethod
    def of(cls, statement: str, hypothesis: Sequence[str] = (), source: str = "") -> "Theorem":
        """Read `a <= b`, `a >= b` or `a = b`.

        Raises:
            ValueError: it is no such statement.

        >>> theorem = Theorem.of("order >= 2*domination_number")
        >>> str(theorem.left), theorem.relation, str(theorem.right)
        ('2*domination_number', '<=', 'order')
        """
        parts = re.split(r"(<=|>=|=)", statement)
        if len(parts) != 3:
            msg = f"a statement such as 'a <= b', 'a >= b' or 'a = b' was required, got {statement!r}"
            raise ValueError(msg)
        left, right = Expr.parse(parts[0].strip()), Expr.parse(parts[2].strip())
        if parts[1] == ">=":
            left, right = right, left
        return cls(left, right, parts[1] if parts[1] == "=" else "<=", tuple(hypothesis), source)

    @property
    def target_names(self) -> frozenset[str]:
        """The invariants it is about."""
        return frozenset(self.left.variables) | frozenset(self.right.variables)


def read(path: str | Path) -> tuple[Theorem, ...]:
    """The theorems of a CSV file with the columns statement, properties (separated by blanks) and source.

    Raises:
        ValueError: a row that is no theorem.
        OSError: the file cannot be read.
    """
    with Path(path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"statement", "properties", "source"} <= set(rows[0]):
        msg = f"the columns statement, properties, source were required, {path} has {', '.join(map(str, rows[0]))}"
        raise ValueError(msg)
    return tuple(Theorem.of(r["statement"], tuple(r["properties"].split()), r["source"]) for r in rows)


def shipped(name: str = "graphs") -> tuple[Theorem, ...]:
    """The shipped theorems about graphs.

    >>> len(shipped()) > 50
    True
    """
    return read(Path(__file__).parents[2] / "data" / name / "theorems.csv")


def proves(theorem: Theorem, target: str, relation: str, right: Expr, hypothesis: Sequence[str], table: ObjectTable) -> bool:
    """Whether the theorem says `target relation right`: the same inequality up to positive factors, under no more properties.

    Divisors count as positive. The properties of the theorem must be among those of the bound, or hold on all rows that have those.
    """
    if (theorem.relation == "=") != (relation == "=") or theorem.target_names != {target, *right.variables}:
        return False
    if not set(theorem.hypothesis) <= set(hypothesis):
        known = {*table.properties, *table.always}
        if not set(theorem.hypothesis) <= known or not table.holds(theorem.hypothesis)[table.holds(hypothesis)].all():
            return False
    difference = right - Expr.var(target) if relation != ">=" else Expr.var(target) - right
    return _proportional(difference, theorem.right - theorem.left, either=relation == "=")


@lru_cache(maxsize=1000)
def _numerator(expr: Expr):
    import sympy as sp

    names = {v: sp.Symbol(v, positive=True) for v in expr.variables}
    return sp.expand(sp.numer(sp.together(expr.sympy().xreplace({sp.Symbol(v, real=True): s for v, s in names.items()}))))


def _proportional(a: Expr, b: Expr, either: bool) -> bool:
    """Whether a/b is a positive number, once positive denominators are cleared; `either`: a number."""
    import sympy as sp

    ratio = sp.cancel(_numerator(a) / _numerator(b))
    return bool(ratio.is_number and (either or ratio > 0))
