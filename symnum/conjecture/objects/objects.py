"""Conjectures over a table of objects: bounds on one invariant by others, true on every row, tried against further objects.

    found = conjecture_bounds(None, "independence_number")          over the shipped graphs
    found = conjecture_bounds(ObjectTable.read("knots.csv"), "genus")

The loop of S. Fajtlowicz's Graffiti (1988, doi:10.1016/0012-365X(88)90199-9) as in R. Davila's TxGraffiti (2024, arXiv:2409.19379):
propose bounds that hold on the table, keep the few that say something new, look for counterexamples; an object that breaks a bound
joins the table and the bounds are proposed again. What remains is a conjecture; a table of theorems, consulted afterwards, marks what
is known.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symnum.conjecture.objects.bound import Bound
from symnum.conjecture.objects.bounds import Direction, Inequality, directions, exact, features
from symnum.conjecture.objects.breaking import Breaker, like, made_bound
from symnum.conjecture.objects.filters import Candidate, Hypothesis, candidates, dalmatian, ranked
from symnum.conjecture.objects.invariants import ObjectTable
from symnum.conjecture.objects.theorems import Theorem, proves
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.grammar_check import near

FEWEST_ROWS = 8  # of a hypothesis that is made up from the table's properties
POOL = 3000  # proposals that are chosen from again after counterexamples, until nothing breaks; then all are made anew
KINDS = ("both", "upper", "lower")
Proposal = tuple[Hypothesis, Direction]


@dataclass(frozen=True, eq=False)
class Conjectures:
    """What was found: iterate over it for the bounds that stand.

    Attributes:
        bounds: conjectures and known ones, most touches first.
        rejected: those that an object broke.
        table: the table with the objects that broke something.
        notes: what was not used, and why.
    """

    bounds: tuple[Bound, ...]
    rejected: tuple[Bound, ...]
    table: ObjectTable
    notes: tuple[str, ...]

    def __iter__(self) -> Iterator[Bound]:
        return iter(self.bounds)

    def __len__(self) -> int:
        return len(self.bounds)


def conjecture_bounds(
    table: ObjectTable | None,
    target: str,
    *,
    invariants: Sequence[str] | None = None,
    hypotheses: Sequence[Sequence[str]] | None = None,
    kind: str = "both",
    max_terms: int = 2,
    max_height: int = 8,
    min_touches: int = 3,
    limit: int = 20,
    grammar: Grammar | None = None,
    against: ObjectTable | Iterable[Any] | None = None,
    tries: int = 300,
    rounds: int = 30,
    theorems: Sequence[Theorem] = (),
    seed: int = 0,
) -> Conjectures:
    """Bounds on an invariant by the others.

    Args:
        table: the objects; None: the shipped small graphs.
        target: the invariant.
        invariants: those that bounds are made of; all others by default.
        hypotheses: sets of properties, () for none; by default none, and each property that `FEWEST_ROWS` rows have.
        kind: "upper", "lower" or "both".
        max_terms: of a bound, beside a constant; with 3 it takes minutes.
        max_height: the largest coefficient (over the least common denominator).
        min_touches: a bound with fewer equalities is dropped.
        limit: the most bounds of either direction.
        grammar: compound terms, over the invariants (such as `symnum.conjecture.objects.bounds.FEATURES`); none by default.
        against: further objects that bounds must hold for (a table, graphs, or mappings of values); for graphs by default all shipped ones.
        tries: graphs tried by local search for a counterexample of each bound; 0: none.
        rounds: passes of choosing bounds and breaking them, at most; those broken in the last are dropped.
        theorems: what is known; see `symnum.conjecture.objects.theorems`.
        seed: of the local search.

    Raises:
        ValueError: an unknown target, invariant or property, a target that is constant or a property, no invariant but the
            target, or a limit below 1.
    """
    if table is None:
        from symnum.conjecture.objects.graph_families import small_graphs

        table = ObjectTable.of_graphs(small_graphs())
    if against is None and table.graphs:
        from symnum.conjecture.objects.graph_families import all_graphs

        against = all_graphs()
    names = _check(table, target, invariants, kind, {"max_terms": max_terms, "max_height": max_height, "min_touches": min_touches,
                                                     "limit": limit, "rounds": rounds})
    further = like(table, against)
    options = {"max_terms": max_terms, "max_height": max_height, "kind": kind}
    breaker = Breaker(target, further, tries, seed)
    pool: dict[Proposal, None] = {}
    fresh, stale, notes = False, True, []
    for _ in range(rounds):
        if stale:
            pool, notes, fresh = *_propose(table, target, names, hypotheses, grammar, options), True
        breaker.table, breaker.examples = table, []
        kept, pool = _select(table, pool, min_touches, limit, breaker.survives)
        if not breaker.examples and fresh:
            break
        stale = not breaker.examples  # the old directions are settled; the larger table may have new ones
        if breaker.examples:
            table, fresh = table.extended(breaker.examples), False
    table = breaker.table  # the one whose equalities were counted
    bounds = [b for b in (made_bound(c, table, target) for c in kept) if b.refute(breaker.examples) is None]
    return Conjectures(
        tuple(_marked(b, theorems, table) for b in bounds), tuple(breaker.rejected.values()), table, (*table.notes, *notes))


def _check(table: ObjectTable, target: str, invariants: Sequence[str] | None, kind: str, counts: Mapping[str, int]) -> list[str]:
    """The names that bounds may use, the target left out."""
    names = [*table.invariants]
    for name in (target, *(invariants or ())):
        if name not in names:
            known = "is constant, or a property" if name in table.columns else "is not in the table"
            msg = f"an invariant among {', '.join(names) or '(the table has none)'} was required, {name!r} {known}{near(name, names)}"
            raise ValueError(msg)
    if kind not in KINDS:
        msg = f"one of {', '.join(KINDS)} was required as the kind, got {kind!r}{near(kind, KINDS)}"
        raise ValueError(msg)
    for name, count in counts.items():
        if count < 1:
            msg = f"at least 1 was required for {name}, got {count}"
            raise ValueError(msg)
    wanted = names if invariants is None else [n for n in names if n in invariants]
    wanted = [n for n in wanted if n != target]
    if invariants is not None and not wanted:
        msg = f"at least one invariant other than {target!r} was required for bounds to use, got none"
        raise ValueError(msg)
    return wanted


# proposing ---------------------------------------------------------------------------------------------------------------
def _propose(
    table: ObjectTable, target: str, names: Sequence[str], hypotheses: Sequence[Sequence[str]] | None, grammar: Grammar | None,
    options: Mapping[str, Any],
) -> tuple[dict[Proposal, None], list[str]]:
    """Hypotheses with directions of bounds that are tight on the table, and notes on invariants that were left out."""
    height = options["max_height"]
    names, notes = _independent(table, [n for n in names if n in table.invariants], height)
    names, same = _without_identities(table, target, names, height)
    pool: dict[Proposal, None] = dict.fromkeys(((), d) for d in same)
    terms = features(table, target, names, grammar)
    seen: set[bytes] = set()
    for h in _hypotheses(table) if hypotheses is None else [(), *(tuple(h) for h in hypotheses if h)]:
        rows = table.holds(h)
        if rows.any() and rows.tobytes() not in seen:
            seen.add(rows.tobytes())
            pool |= dict.fromkeys((h, d) for d in directions(table, target, terms, rows, **options))
    return pool, notes


def _select(
    table: ObjectTable, pool: Mapping[Proposal, None], min_touches: int, limit: int, accept: Callable[[Candidate], bool]
) -> tuple[list[Candidate], dict[Proposal, None]]:
    """The bounds in the proposed directions that hold on the table and say something new, identities first; and the best proposals."""
    masks = {h: table.holds(h) for h in dict.fromkeys(h for h, _ in pool)}
    made = {exact(table, d, masks[h]): (h, d) for h, d in pool}
    made.pop(None, None)
    found = ranked(candidates(table, made, list(masks), min_touches))
    # an identity on all rows says all there is to say; bounds by the other invariants are still wanted
    identities = [c for c in found if c.is_equality and c.rows.all() and c.inequality.is_upper and accept(c)]
    said = {(c.inequality.right, c.hypothesis) for c in found if c.is_equality and c.inequality.is_upper}
    twice = [c for c in found if c.is_equality and not c.inequality.is_upper and (c.inequality.right, c.hypothesis) in said]
    rest = [c for c in found if not (c.is_equality and c.rows.all()) and c not in twice]
    return [*identities[:limit], *dalmatian(rest, limit, accept)], dict.fromkeys(made[c.inequality] for c in found[:POOL])


def _hypotheses(table: ObjectTable) -> list[Hypothesis]:
    """None, and every property that enough rows have."""
    return [(), *((p,) for p, rows in table.properties.items() if rows.sum() >= FEWEST_ROWS)]


def _independent(table: ObjectTable, names: Sequence[str], max_height: int) -> tuple[list[str], list[str]]:
    """The invariants that are no affine function of one or two earlier ones on all rows, and notes on the others."""
    kept: list[str] = []
    notes = []
    for name in names:
        relation = _identity(table, name, kept, max_height)
        if relation is None:
            kept.append(name)
        else:
            notes.append(f"{name} = {relation.right} on every row: not used")
    return kept, notes


def _without_identities(table: ObjectTable, target: str, names: Sequence[str], max_height: int) -> tuple[list[str], list[Direction]]:
    """The names such that the target is no affine function of one or two of them, and the identities; the latest invariant goes."""
    left, found = list(names), []
    while (relation := _identity(table, target, left, max_height)) is not None:
        found.append((relation.terms, relation.weights))
        left.remove(max((t.variables[0] for t in relation.terms[1:]), key=left.index))
    return left, found


def _identity(table: ObjectTable, target: str, names: Sequence[str], max_height: int) -> Inequality | None:
    """The target as an affine function of one or two of these invariants, exact on every row; None if it is none."""
    goal = table.column(Expr.var(target))
    defined = [n for n in names if table.column(Expr.var(n)).defined.all()]
    if not goal.defined.all() or not defined:
        return None
    rows = np.array([table.column(Expr.var(n)).floats() for n in defined])
    with np.errstate(divide="ignore", invalid="ignore"):  # NaN where floats cannot tell the values apart: no identity is seen
        z, y = _standard(rows), _standard(goal.floats())
        r, c = z @ y, z @ z.T
        square = (r[:, None] ** 2 + r[None, :] ** 2 - 2 * r[:, None] * r[None, :] * c) / (1 - c**2)  # R² of each pair
    np.fill_diagonal(square, r**2)
    every = np.ones(len(table), bool)
    for i, j in np.argwhere(np.triu(square > 1 - 1e-9)):
        terms = [Expr.var(defined[k]) for k in dict.fromkeys((i, j))]
        for direction in directions(table, target, terms, every, len(terms), max_height, "upper"):
            made = exact(table, direction, every)
            if len(made.terms) == len(terms) + 1 and not made.slack(table).signs().any():
                return made
    return None


def _standard(values: np.ndarray) -> np.ndarray:
    """Mean 0 and norm 1 along the last axis."""
    scaled = values / abs(values).max(-1, keepdims=True)
    centred = scaled - scaled.mean(-1, keepdims=True)
    return centred / np.linalg.norm(centred, axis=-1, keepdims=True)


def _marked(b: Bound, theorems: Sequence[Theorem], table: ObjectTable) -> Bound:
    """Known, where a theorem says the same under no more properties."""
    for theorem in theorems:
        if theorem.target_names >= {b.target} and proves(theorem, b.target, b.relation, b.right, b.hypothesis, table):
            return replace(b, status="known", reason=theorem.source)
    return b
