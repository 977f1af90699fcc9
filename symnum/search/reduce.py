"""Search in fewer variables: reductions from units and from the data's symmetries, each solved as a task of its own.

    y = outer(x, F(u(x)))   ->   search F over the columns u   ->   compose   ->   judged on the original data

Where y = f(a) + g(b) or f(a) * g(b), a surrogate that is such a sum or product gives f on the rows, roughly; a few formulas for
it are each divided (or subtracted) out, and g is an exact task again. A reduced task is searched like any other (inversion,
enumeration, an island), and may be reduced again. The state holds the reductions as text and the inner states, so that a run
can be saved and resumed anywhere.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symnum.evaluate.cpu import unpacked
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.rules import compile_rules
from symnum.problem.dimension import buckingham
from symnum.problem.reduction import HOLE, Reduction
from symnum.problem.regression import RegressionProblem
from symnum.problem.structure import Partition, find_structure
from symnum.problem.surrogate import fit_surrogate
from symnum.problem.table import as_table
from symnum.search.assemble import in_operators, spelled
from symnum.search.base import Context, Search
from symnum.search.enumerate import Enumeration
from symnum.search.evolve import Evolution
from symnum.search.front import Front
from symnum.search.invert import Inversion
from symnum.search.run import epoch

DEEPEST = 3  # reductions in a row, a side not counted
WIDEST = 10  # reduced tasks in all
ROUGH = 30.0  # times the least loss on one side: its values are a surrogate's
MOST_SIDES, TRIED = 2, 3  # sides of separable tasks that are looked at; formulas of one that are divided out
AT_ONCE = 2  # turns without looking: what others find at once needs no structure
LOOK, MOST_LOOK = 8.0, 0.2  # seconds, and share of the time that is left
BREADTH = 6  # turns after which one more of the reduced tasks is looked at; the first are the likeliest
PATIENCE = 3  # rounds of a reduced task before it is reduced further
WORK = 0.3  # of inversion per ask: the likeliest to solve a reduced task
LIBRARY = 60_000  # functions that the enumeration of a reduced task keeps


@dataclass(frozen=True, slots=True)
class Part:
    """A reduced task: the reductions that lead to it, outermost first, and how far its search is.

    With a `side` it is one side of a separable task, known from a surrogate only.
    """

    path: tuple[Reduction, ...]
    side: Partition | None = None
    states: tuple[Any, ...] = ()
    front: Front = Front()
    rounds: int = 0
    expanded: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from others."""
        return (*(f"{r.outer} {' '.join(map(str, r.columns))} {r.names}" for r in self.path), *((str(self.side),) if self.side else ()))

    @property
    def solved(self) -> bool:
        """Whether a formula is exact to rounding."""
        return len(self.front) > 0 and self.front[-1].loss <= self.front.floor

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be done: solved, or a side whose formulas were divided out."""
        return self.expanded if self.side else self.solved


@dataclass(frozen=True, slots=True)
class Parts:
    """The reduced tasks, how many turns were taken, whether the original task has been looked at, and what was spent on them."""

    parts: tuple[Part, ...] = ()
    turn: int = 0
    expanded: bool = False
    evaluations: int = 0
    node_rows: int = 0


class Structure:
    """Reduces the task and searches what is left.

    The inner contexts and libraries are memos of the state.
    """

    name = "structure"
    simplifies = False

    def __init__(self):
        self._of: tuple = ()
        self._contexts: dict[tuple[str, ...], Context | None] = {}
        self._searches: dict[tuple[str, ...], tuple[Search, ...]] = {}

    def views(self, context: Context) -> tuple[str, ...]:
        return ("",)

    def start(self, context: Context, rng: np.random.Generator) -> Parts:
        return Parts()

    def ask(self, context: Context, state: Parts, n: int, rng: np.random.Generator) -> tuple[Parts, Batch]:
        """One turn: look for reductions, or a round of the reduced task whose turn it is."""
        nothing = Batch.empty(context.rules.names)
        if not self._applicable(context):
            return state, nothing
        if not state.expanded and state.turn < AT_ONCE:
            return replace(state, turn=state.turn + 1), nothing
        if not state.expanded:
            return replace(state, parts=self._reduced(context, (), context), expanded=True), nothing
        open_parts = [i for i, part in enumerate(state.parts) if not part.ended]
        if not open_parts:
            return state, nothing
        at = open_parts[state.turn % min(len(open_parts), 2 + state.turn // BREADTH)]
        part = state.parts[at]
        inner = self._context(context, part)
        inner = inner and replace(inner, deadline=context.deadline)
        if inner is None:
            return replace(state, parts=(*state.parts[:at], *state.parts[at + 1 :])), nothing
        deep = len(part.path) >= DEEPEST or len(inner.rules.names) == 1
        if not part.expanded and part.rounds >= PATIENCE and (part.side or not deep):
            new = self._others(context, part) if part.side else self._reduced(inner, part.path, context)
            known = {p.key for p in state.parts}
            new = tuple(p for p in new if p.key not in known)[: max(0, WIDEST - len(state.parts))]
            if part.side:
                self._searches.pop(part.key, None)
            parts = (*state.parts[:at], replace(part, expanded=True), *state.parts[at + 1 :], *new)
            return replace(state, parts=parts, turn=state.turn + 1), nothing
        part, found, evaluations, node_rows = self._round(inner, part, rng)
        found = [] if part.side else found  # one side is no formula for y
        batch = Batch.pack(spelled(form for e in found for form in _composed(e, part.path)), context.rules.names)
        parts = (*state.parts[:at], part, *state.parts[at + 1 :])
        spent = {"evaluations": state.evaluations + evaluations, "node_rows": state.node_rows + node_rows}
        return replace(state, parts=parts, turn=state.turn + 1, **spent), batch.take(context.admissible(batch) > 0)

    def _applicable(self, context: Context) -> bool:
        """Whether the task is a table whose columns the grammar may replace; the memos are of this task only."""
        if not context.same(self._of):
            self._of, self._contexts, self._searches = context.task, {}, {}
        grammar, names = context.rules.grammar, context.rules.names
        return isinstance(context.problem, RegressionProblem) and grammar is not None and not grammar.variables and HOLE not in names

    def tell(self, context: Context, state: Parts, batch: Batch, loss: np.ndarray, rng: np.random.Generator) -> Parts:
        return state

    def welcome(self, context: Context, state: Parts, migrants: Batch, blocks: Batch | None = None) -> Parts:
        return state

    def blocks(self, context: Context, state: Parts) -> Batch | None:
        """The columns of the reductions, written out: what the law seems to depend through."""
        columns = [in_operators(_outward(c, part.path[:-1])) for part in state.parts if not part.side for c in part.path[-1].columns]
        columns = list(dict.fromkeys(c for c in columns if len(c.tokens) > 1))
        return Batch.pack(columns, context.rules.names) if columns else None

    # inner tasks --------------------------------------------------------------------------------------------------------
    def _round(self, inner: Context, part: Part, rng: np.random.Generator) -> tuple[Part, list[Expr], int, int]:
        """An epoch of every inner search; the new formulas of the inner front, evaluations and node·rows."""
        searches = self._searches.setdefault(part.key, (Inversion(WORK), Enumeration(LIBRARY), Evolution()))
        if not part.states:
            front = Front(floor=inner.problem.floor, resolution=inner.problem.resolution)
            part = replace(part, states=tuple(s.start(inner, rng) for s in searches), front=front)
        front, states, evaluations, node_rows = part.front, [], 0, 0
        for search, state in zip(searches, part.states, strict=True):
            e = epoch(search, inner, state, front, (int(rng.integers(1 << 31)), part.rounds + 1, len(states)), inner.deadline)
            front = front.merged(e.candidates)
            states.append(e.state)
            evaluations, node_rows = evaluations + e.evaluations, node_rows + e.node_rows
        new = [c.expr for c in front if c not in part.front.candidates]
        part = replace(part, states=tuple(states), front=front, rounds=part.rounds + 1)
        if part.solved and not part.side:
            self._searches.pop(part.key, None)  # its libraries are no longer needed
        return part, new, evaluations, node_rows

    def _reduced(self, context: Context, path: tuple[Reduction, ...], root: Context) -> tuple[Part, ...]:
        """The tasks that the data of `context` can be reduced to."""
        X, y, _ = unpacked(context.problem.train)
        structure = find_structure(X, y, context.rules.names, deadline=_soon(root.deadline))
        different = {(r.outer, r.columns): r for r in (*structure.reductions, *_by_units(context))}
        parts = [Part((*path, r)) for r in sorted(different.values(), key=lambda r: len(r.columns))]
        sides = sorted((p for p in structure.partitions if len(context.rules.names) > 1), key=lambda p: len(p.left))[:MOST_SIDES]
        parts = [p for p in parts if self._context(root, p) is not None][: WIDEST - len(sides)]
        return (*parts, *(Part(path, side) for side in sides))

    def _others(self, root: Context, part: Part) -> tuple[Part, ...]:
        """The tasks that are left when formulas for one side, the simplest that fit it well, are divided or subtracted out."""
        side, front, hole = part.side, part.front, Expr.var(HOLE)
        if not len(front):
            return ()
        enough = max(ROUGH * front[-1].loss, self._context(root, part).problem.resolution)
        near = [i for i in range(len(front)) if front[i].loss <= enough][:TRIED]  # the simplest that are as good
        columns = tuple(map(Expr.var, side.right))
        reason = f"{'factor' if side.kind == 'mul' else 'term'} of {', '.join(side.left)}"
        pairs = [(f * hole, hole / f) if side.kind == "mul" else (f + hole, hole - f) for f in (front[i].expr for i in near)]
        parts = [Part((*part.path, Reduction(columns, side.right, outer, inner, reason))) for outer, inner in pairs]
        return tuple(p for p in parts if self._context(root, p) is not None)

    def _context(self, root: Context, part: Part) -> Context | None:
        """The context of a reduced task, None where its data are not finite or say nothing."""
        if part.key not in self._contexts:
            before = part.path if part.side else part.path[:-1]
            outer = self._context(root, Part(before)) if before else root
            made = None
            if outer is not None:
                made = _side_context(outer, part.side) if part.side else _reduced_context(outer, part.path[-1])
            self._contexts[part.key] = made
        return self._contexts[part.key]


def _side_context(outer: Context, side: Partition) -> Context | None:
    """The task of one side: the surrogate's values for it."""
    X, y, _ = unpacked(outer.problem.train)
    groups = tuple(tuple(outer.rules.names.index(n) for n in names) for names in (side.left, side.right))
    surrogate = fit_surrogate(X, y, deadline=_soon(outer.deadline), groups=groups, log_target=side.kind == "mul")
    if surrogate is None:
        return None
    f = surrogate.component(0)
    if not np.isfinite(f).all() or np.ptp(f) <= 1e-13 * np.abs(f).max():
        return None
    return _context_of(outer, surrogate.X[:, groups[0]], f, side.left, None)


def _reduced_context(outer: Context, reduction: Reduction) -> Context | None:
    X, y, weight = unpacked(outer.problem.train)
    data = dict(zip(outer.rules.names, X.T, strict=True))
    u, F = reduction.apply(data, y)
    with np.errstate(all="ignore"):
        slope = np.broadcast_to(reduction.outer.derivative(HOLE)(data | {HOLE: F}), y.shape)
        scaled = weight * slope**2
    good = np.isfinite(u).all(axis=1) & np.isfinite(F) & np.isfinite(scaled) & (scaled > 0)
    if good.mean() < 0.99 or good.sum() < 10 or (np.ptp(u[good], axis=0) == 0).any() or np.ptp(F[good]) <= 1e-13 * np.abs(F[good]).max():
        return None
    return _context_of(outer, u[good], F[good], reduction.names, scaled[good] / scaled[good].mean())


def _context_of(outer: Context, X: np.ndarray, y: np.ndarray, names: tuple[str, ...], weight: np.ndarray | None) -> Context:
    table = as_table(X, y, list(names), weight, target=_unused("y", names))
    problem = RegressionProblem.from_table(table, "mse", 0.0, 0)
    return Context.of(problem, compile_rules(outer.rules.grammar, table.names), outer.evaluator, outer.max_complexity)


def _soon(deadline: float | None) -> float | None:
    """A run with a time limit looks at structure for so long; one with another limit does not depend on a clock."""
    now = time.monotonic()
    return None if deadline is None else now + min(LOOK, max(0.0, MOST_LOOK * (deadline - now)))


def _by_units(context: Context) -> tuple[Reduction, ...]:
    """What dimensional analysis gives, where constants are pure numbers."""
    if context.typing is None or context.typing.free:
        return ()
    return tuple(buckingham(context.rules.names, context.typing.dims, context.typing.target))


def _outward(expr: Expr, path: tuple[Reduction, ...]) -> Expr:
    """An expression in the columns of the last reduction of the path, in the original columns."""
    for reduction in reversed(path):
        expr = expr.substitute(dict(zip(reduction.names, reduction.columns, strict=True)))
    return expr


def _composed(expr: Expr, path: tuple[Reduction, ...]) -> Iterator[Expr]:
    """The formula in the original columns: as composed, and simplified."""
    for reduction in reversed(path):
        expr = reduction.compose(expr)
    yield in_operators(expr)
    yield in_operators(expr.simplify())


def _unused(name: str, names: tuple[str, ...]) -> str:
    while name in names:
        name += "_"
    return name
