"""Breaking bounds: by further objects, all at once, then by local search among graphs."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from symnum.conjecture.objects.bound import Bound
from symnum.conjecture.objects.counterexample import search
from symnum.conjecture.objects.exact import Column, sign
from symnum.conjecture.objects.filters import Candidate
from symnum.conjecture.objects.graphs import INVARIANTS
from symnum.conjecture.objects.invariants import ObjectTable
from symnum.conjecture.objects.small_graph import SmallGraph

SHOWN = 5  # objects named as examples of equality
SEEDS = 6  # graphs from which counterexamples are looked for


class Breaker:
    """Tries to break bounds, and remembers what broke.

    Attributes:
        table: the present table.
        examples: the objects that broke a bound since the list was emptied.
        rejected: the broken bounds.
    """

    def __init__(self, target: str, further: ObjectTable | None, tries: int, seed: int):
        self.target, self.further, self.tries, self.seed = target, further, tries, seed
        self.table: ObjectTable
        self.examples: list[Any] = []
        self.rejected: dict[tuple, Bound] = {}
        self._searched: set[tuple] = set()

    def survives(self, c: Candidate) -> bool:
        """Whether no object is found that breaks the bound: among the given ones first, then by local search."""
        bound = made_bound(c, self.table, self.target)
        key = bound.relation, str(bound.right), bound.hypothesis
        example = bound.refute(self.examples)
        if example is None:
            example = self._listed(c, bound)
        if example is None and self.tries and self.table.graphs and key not in self._searched:
            self._searched.add(key)
            example = _search(bound, c, self.table, self.tries, self.seed)
        if example is None:
            return True
        self.rejected[key] = replace(bound, status="rejected", reason=_called(example), counterexample=example)
        if example not in self.examples:
            self.examples.append(example)
        return False

    def _listed(self, c: Candidate, bound: Bound) -> Any:
        """The first of the further objects that breaks it: as `Bound.refute`, for all rows at once."""
        if self.further is None:
            return None
        slack = c.inequality.slack(self.further)
        signs = slack.signs()
        broken = slack.defined & (signs != 0 if bound.relation == "=" else signs < 0) & self.further.holds(bound.hypothesis)
        if not broken.any():
            return None
        first = int(np.argmax(broken))
        return self.further.graphs[first] if self.further.graphs else self.further.row(first)


def like(table: ObjectTable, against: ObjectTable | Iterable[Any] | None) -> ObjectTable | None:
    """The further objects as a table with the same columns."""
    if against is None or isinstance(against, ObjectTable):
        further = against
    elif table.graphs:
        graphs = list(against)
        further = ObjectTable.of_graphs(graphs, [n for n in table.columns if n in INVARIANTS]) if graphs else None
    else:
        rows = list(against)
        names = [n for n in table.columns if all(n in r for r in rows)]
        further = ObjectTable.of({n: [r[n] for r in rows] for n in names}, noun=table.noun) if rows and names else None
    if further is not None and (missing := [n for n in table.columns if n not in further.columns]):
        msg = f"the columns of the table were required in the further objects, {', '.join(missing)} missing"
        raise ValueError(msg)
    return further


def _called(example: Any) -> str:
    return str(example) if isinstance(example, SmallGraph) else ", ".join(f"{k} = {v}" for k, v in list(example.items())[:3])


def made_bound(c: Candidate, table: ObjectTable, target: str) -> Bound:
    """The candidate as it is reported."""
    relation = "=" if c.is_equality else "<=" if c.inequality.is_upper else ">="
    sharp = tuple(table.objects[i] for i in np.flatnonzero(c.sharp)[:SHOWN])
    return Bound(target, relation, c.inequality.right, (*table.always, *c.hypothesis), table.noun, c.touches, int(c.rows.sum()), sharp)


def _search(b: Bound, c: Candidate, table: ObjectTable, tries: int, seed: int) -> SmallGraph | None:
    """A counterexample by local search from graphs with equality, spread over their sizes."""
    sharp = np.flatnonzero(c.sharp)
    starts = [table.graphs[i] for i in sharp[np.unique(np.linspace(0, len(sharp) - 1, SEEDS).astype(int))]]

    def slack(graph: SmallGraph) -> float | None:
        exact = b.slack(graph)
        if exact is None:
            return None
        size = abs(Column.of([exact]).floats()[0])
        s = sign(exact)
        return float(-size if s < 0 or (s and b.relation == "=") else size)

    return search(slack, starts, tries, seed)
