"""One bound on an invariant: how it reads, whether an object complies, and what is known about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from symnum.conjecture.objects.exact import Number, exact_value, sign
from symnum.conjecture.objects.invariants import measure
from symnum.conjecture.objects.small_graph import SmallGraph
from symnum.conjecture.objects.statement import latex, lean, words
from symnum.language.expr import Expr


@dataclass(frozen=True)
class Bound:
    """One bound, with what is known about it.

    Attributes:
        target: the invariant that is bounded.
        relation: "<=", ">=", or "=" where all rows are equalities.
        right: the bound.
        hypothesis: the properties it needs, those that all rows have included.
        noun: what an object is called.
        touches: the number of rows with equality.
        rows: the number of rows with the hypothesis.
        sharp: some of the objects with equality.
        status: "conjecture", "known" or "rejected".
        reason: the theorem's source if known, the object that breaks it if rejected.
        counterexample: that object: a graph, or a mapping of its values.

    >>> from symnum.conjecture.objects.objects import ObjectTable, conjecture_bounds
    >>> table = ObjectTable.of({"n": [1, 2, 3, 4, 5, 6, 7, 8], "half": [0, 1, 1, 2, 2, 3, 3, 4]}, noun="integer")
    >>> bound = conjecture_bounds(table, "half", kind="upper", min_touches=2).bounds[0]
    >>> str(bound)
    'For every integer, half ≤ n/2, with equality on 4 of 8 objects.'
    >>> bound.refute([{"n": 10, "half": 5}, {"n": 10, "half": 6}])
    {'n': 10, 'half': 6}
    """

    target: str
    relation: str
    right: Expr
    hypothesis: tuple[str, ...]
    noun: str
    touches: int
    rows: int
    sharp: tuple[str, ...]
    status: str = "conjecture"
    reason: str = ""
    counterexample: Any = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.statement}, with equality on {self.touches} of {self.rows} objects."

    @property
    def statement(self) -> str:
        """The sentence without the counts."""
        return words(self.target, self.relation, self.right, self.hypothesis, self.noun)

    @property
    def formula(self) -> str:
        """The inequality in the names of the table, such as `y <= n/2`."""
        return f"{Expr.var(self.target)} {self.relation} {self.right}"

    def latex(self) -> str:
        """The inequality in LaTeX."""
        return latex(self.target, self.relation, self.right, self.noun)

    def lean(self, label: str = "bound") -> str:
        """A Lean 4 statement; see `symnum.conjecture.objects.statement.lean`."""
        return lean(label, self.target, self.relation, self.right, self.hypothesis, self.noun)

    def slack(self, item: "SmallGraph | Mapping[str, Any]") -> Number | None:
        """How far the bound is from the target, exactly (see `symnum.conjecture.objects.exact`); None where it says nothing.

        It says nothing of an object without the hypothesis, or with an undefined value.
        """
        if not all(_lookup(item, p) for p in self.hypothesis):
            return None
        difference = Expr.var(self.target) - self.right if self.relation == ">=" else self.right - Expr.var(self.target)
        return exact_value(difference, {v: _lookup(item, v) for v in difference.variables})

    def holds(self, item: Any) -> bool | None:
        """Whether it is true of an object; None where it says nothing."""
        slack = self.slack(as_object(item))
        return None if slack is None else sign(slack) == 0 if self.relation == "=" else sign(slack) >= 0

    def refute(self, objects: Iterable[Any]) -> Any:
        """The first object that breaks it, None if there is none: graphs (`SmallGraph` or networkx), or mappings of exact values."""
        return next((o for o in objects if self.holds(o) is False), None)

    def document(self) -> dict[str, Any]:
        """For JSON."""
        example = self.counterexample
        if isinstance(example, SmallGraph):
            example = {"name": str(example), "graph6": example.graph6}
        elif example is not None:
            example = {k: v if isinstance(v, bool | int | str) else str(v) for k, v in example.items()}
        return {
            "statement": self.statement, "formula": self.formula, "latex": self.latex(), "hypothesis": list(self.hypothesis),
            "touches": self.touches, "rows": self.rows, "sharp": list(self.sharp), "status": self.status, "reason": self.reason,
            "counterexample": example,
        }


def as_object(item: Any) -> "SmallGraph | Mapping[str, Any]":
    """A graph in bits, or the mapping as it is."""
    return item if isinstance(item, SmallGraph | Mapping) else SmallGraph.of(item)


def _lookup(item: "SmallGraph | Mapping[str, Any]", name: str) -> Any:
    if isinstance(item, SmallGraph):
        return measure(name, item)
    if name not in item:
        msg = f"a value of {name!r} was required, the object has {', '.join(map(str, item))}"
        raise ValueError(msg)
    return item[name]
