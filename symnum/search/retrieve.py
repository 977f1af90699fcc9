"""Retrieval: an encoder names the skeletons that the data look like; their constants are fitted, and what fits in part is built upon.

    sight: y, g⁻¹(y), y/x, y·x, and later y - f, y/f for the best f so far
    look       nearest skeletons -> constants fitted on the sight -> shapes for y; those that fit best are atoms
    combine    T = c0 + c1 a + c2 b and c0 + c1 a + c2 a b over atoms and simple functions (`symnum.search.lookup`) -> refitted together

The embedding stands in for the eye of a modeller who says "this looks like a decay times a power"; what it says is cheap to
check. As the fit of one part alone is not clean, parts are combined by the look-up, whose coefficients are exact, and the
constants inside are refitted together; parts of what then fits best are atoms again.
Retrieval by contrastive embeddings: Meidani et al. 2024, arXiv:2310.02227; pursuit by residuals: Mallat & Zhang 1993,
doi:10.1109/78.258082.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from symnum.evaluate.constants import fit_constants
from symnum.evaluate.cpu import Rows, unpacked
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import OPS, VAR, by_code
from symnum.problem.views import through_inverse
from symnum.search import lookup
from symnum.search.base import Context, applied, rank_in_group
from symnum.search.guide import PATIENCE, telling
from symnum.search.library import Library
from symnum.search.vary import affine, peel

ROWS = 200  # on which skeletons are fitted and atoms are compared
NEAREST, NEAREST_OF_REST = 1000, 500  # skeletons for y as it is seen first, and for what formulas leave of it
LOOK = 100  # … and of them those that the encoder is shown
WIDEST, MOST_SMALL = 5, 2000  # columns of skeletons so simple that all are fitted, and how many those are at most
STARTS, STEPS = 4, 8  # starting points and steps of their constants
KEPT = 80  # of each look: those that fit best are measured and become atoms
ATOMS, SIMPLE = 800, 1500  # atoms remembered; simple functions that they are combined with
BEST, PER_COMPLEXITY = 40, 3  # formulas that are built upon
NARROW = 8  # of them at first, and turns after which one more is
FACTORS = 300  # simple functions that may be a factor
SINGLES = 40  # atoms and simple functions that are like a sight by themselves
HITS = 15  # combinations per complexity and look-up
DONORS = 200  # atoms whose parts islands may splice in


@dataclass(frozen=True, slots=True)
class Atoms:
    """The state: turns taken, skeletons fitted so far, and the best formulas with their losses.

    Attributes:
        turn: of `ask`.
        atoms: shapes with constants, the latest last.
        best: shapes for y: the best of each complexity, simplest first, then the second best of each …; loss (B,).
        evaluations, node_rows: spent on fitting skeletons to targets that are not y.
    """

    turn: int
    atoms: Batch
    best: Batch
    loss: np.ndarray
    evaluations: int = 0
    node_rows: int = 0


@dataclass(frozen=True, slots=True)
class Sight:
    """A target made from y, and how a shape for it becomes a shape for y: g(f), f·b, f/b or f + b."""

    values: np.ndarray
    weight: np.ndarray
    kind: str = ""
    by: Expr | None = None


class Retrieval:
    """Skeletons near the data, in turn for views of y, its quotients, and what the best formulas leave."""

    name = "retrieval"
    starts = 2

    def views(self, context: Context) -> tuple[str, ...]:
        return ("",)

    def start(self, context: Context, rng: np.random.Generator) -> Atoms:
        nothing = Batch.empty(context.rules.names)
        return Atoms(0, nothing, nothing, np.zeros(0))

    def ask(self, context: Context, state: Atoms, n: int, rng: np.random.Generator) -> tuple[Atoms, Batch]:
        nothing = Batch.empty(context.rules.names)
        turn, state = state.turn, replace(state, turn=state.turn + 1)
        if turn < PATIENCE:
            return state, nothing
        X, y, weight = context.guide.of(context, "rows", lambda: _rows(context))
        found = [nothing]
        with np.errstate(all="ignore"):
            first = list(_sights(context, X, y, weight))
            for at in _turns(turn - PATIENCE, len(first)):
                if at >= len(first) and len(state.best) == 0:
                    break
                sight = first[at] if at < len(first) else _rest(state.best, at - len(first), X, y, weight, context)
                if sight is None:
                    continue
                state, shapes = self._looked(context, state, sight, X, NEAREST if at < len(first) else NEAREST_OF_REST)
                found.append(_for_y(Batch.concatenate([shapes, _combined(context, state, sight, X)]), sight, context.rules.names))
        shapes = Batch.concatenate(found)
        shapes = peel(shapes) if context.scaled else shapes
        return state, shapes.take(context.admissible_shapes(shapes) > 0).dedup()

    def tell(self, context: Context, state: Atoms, batch: Batch, loss: np.ndarray, rng: np.random.Generator) -> Atoms:
        return _with_best(context, state, batch, loss)

    def welcome(self, context: Context, state: Atoms, migrants: Batch, blocks: Batch | None = None) -> Atoms:
        """The front's formulas are built upon too."""
        score = context.problem.score(migrants, context.evaluator, iterations=1)
        state = _with_best(context, state, peel(score.batch) if context.scaled else score.batch, score.loss)
        return replace(state, evaluations=state.evaluations + score.evaluations, node_rows=state.node_rows + score.node_rows)

    def blocks(self, context: Context, state: Atoms) -> Batch | None:
        """The best formulas and the latest atoms: donors for islands."""
        blocks = Batch.concatenate([state.best, state.atoms.take(np.arange(max(0, len(state.atoms) - DONORS), len(state.atoms)))])
        return blocks if len(blocks) else None

    def _looked(self, context: Context, state: Atoms, sight: Sight, X: np.ndarray, nearest: int) -> tuple[Atoms, Batch]:
        """The skeletons nearest to a sight, fitted to it; the best are atoms."""
        guide, names = context.guide, context.rules.names
        shown = telling(X, sight.values, guide.encoder.columns)
        some = np.random.default_rng(0).permutation(len(X))[:LOOK]
        found, _ = guide.encoder.index.nearest(guide.encoder, X[np.ix_(some, shown)], sight.values[some], nearest, distinct=False)
        small = guide.of(context, "small skeletons", lambda: _small(context))
        found = peel(Batch.concatenate([small, _renamed(found, shown, names)])).dedup()
        found = found.take(context.rules.complexity(found) > 0)
        if len(found) == 0:
            return state, found
        whole = affine(found, True, True)
        fit = fit_constants(whole, Rows.pack(X, names, sight.values, sight.weight), context.evaluator, iterations=STEPS, starts=STARTS)
        order = np.argsort(fit.loss, kind="stable")
        order = order[np.isfinite(fit.loss[order])][:KEPT]
        fitted = fit.batch.take(order)
        atoms = Batch.concatenate([state.atoms, peel(fitted)])
        atoms = atoms.take(np.arange(max(0, len(atoms) - ATOMS), len(atoms)))
        spent = int(fit.passes.sum()), int((fit.passes * whole.lengths).sum()) * len(X)
        state = replace(state, atoms=atoms, evaluations=state.evaluations + spent[0], node_rows=state.node_rows + spent[1])
        return state, fitted


def _rows(context: Context) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X (N, V), y (N,) and weights (N,) that sum to 1: the training rows, of many a sample."""
    X, y, weight = unpacked(context.problem.train)
    kept = np.sort(np.random.default_rng(context.problem.seed).permutation(len(y))[:ROWS])
    return X[kept], y[kept], weight[kept] / weight[kept].sum()


def _turns(turn: int, first: int) -> range:
    """Which sights a turn is for: two of the first ones, then one.

    >>> [list(_turns(turn, 3)) for turn in range(4)]
    [[0, 1], [2, 3], [4], [5]]
    """
    done = min(2 * turn, turn + -(-first // 2))
    return range(done, done + (2 if 2 * turn < first else 1))


def _sights(context: Context, X: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Iterator[Sight]:
    """y, y over the columns that tell most, y through inverse operators, and y times those columns."""
    yield Sight(y, weight)
    columns = telling(X, y, 4).tolist()
    for kind in ("mul", "", "div"):
        if kind:
            for j in columns:
                sight = _quotient(y, X[:, j] if kind == "mul" else 1 / X[:, j], weight, kind, Expr.var(context.rules.names[j]))
                if sight:
                    yield sight
            continue
        for view in context.views:
            seen = through_inverse(OPS[view], y, weight)
            if seen is not None:
                yield Sight(seen[0], seen[1] / seen[1].sum(), view)


def _quotient(y: np.ndarray, factor: np.ndarray, weight: np.ndarray, kind: str, by: Expr) -> Sight | None:
    """y/factor, weighted so that errors are as large as they are in y; None where it is not finite."""
    t, w = y / factor, weight * factor**2
    if not np.isfinite(t).all() or not np.isfinite(w).all() or w.sum() <= 0 or np.ptp(t) <= 1e-9 * np.abs(t).max():
        return None
    return Sight(t, w / w.sum(), kind, by)


def _rest(best: Batch, k: int, X: np.ndarray, y: np.ndarray, weight: np.ndarray, context: Context) -> Sight | None:
    """What the best formulas leave of y, in turn, more of them as time goes on: the rest after the best scale and offset, or a quotient."""
    base, kind = best[k // 2 % min(len(best), NARROW + k // NARROW)], ("add", "mul")[k % 2]
    f = np.broadcast_to(base(dict(zip(context.rules.names, X.T, strict=True))), y.shape)
    if not np.isfinite(f).all():
        return None
    if kind == "mul":
        return _quotient(y, f, weight, kind, base)
    A = np.column_stack([np.ones(len(y)), f]) * np.sqrt(weight)[:, None]
    x = np.linalg.lstsq(A, y * np.sqrt(weight), rcond=None)[0]
    rest = y - x[0] - x[1] * f
    if not np.isfinite(rest).all() or np.ptp(rest) <= 1e-9 * np.abs(y).max():
        return None
    return Sight(rest, weight, "add", float(x[1]) * base)


def _for_y(fitted: Batch, sight: Sight, names: tuple[str, ...]) -> Batch:
    """Shapes for y from shapes for a sight."""
    if sight.kind == "":
        return fitted
    if sight.by is None:
        return applied(OPS[sight.kind], fitted)
    by = Batch.pack([sight.by], names).take(np.zeros(len(fitted), np.int64))
    return _joined(fitted, by, sight.kind)


def _joined(left: Batch, right: Batch, op: str) -> Batch:
    """left op right, one by one."""
    both = Batch.concatenate([left, right])
    n = len(left)
    order = np.stack([np.arange(n), n + np.arange(n)], axis=1).ravel()
    flat = both.take(order)
    return applied(OPS[op], replace(flat, offset=flat.offset[::2]))


def _combined(context: Context, state: Atoms, sight: Sight, X: np.ndarray) -> Batch:
    """c0 + c1 a + c2 b and c0 + c1 a + c2 a b for a sight, a an atom, b an atom or a simple function: the best few of each complexity."""
    names, t, weight = context.rules.names, sight.values, sight.weight
    atoms = Batch.concatenate([subtrees(state.best), state.atoms]).dedup()
    values = context.evaluator.values(atoms, Rows.pack(X, names))
    finite = np.flatnonzero(values.ok & (np.abs(values.y).max(axis=1) < 1e12) & (np.ptp(values.y, axis=1) > 0))
    if len(finite) == 0:
        return atoms.take(finite)
    simple, of_simple = context.guide.of(context, "simple functions", lambda: _simple(context, X))
    both = Batch.concatenate([atoms.take(finite), simple])
    V, complexity = np.concatenate([values.y[finite], of_simple]), np.maximum(context.rules.complexity(both), 1)
    Z, distinct = lookup.standardised(V, weight)
    first = distinct[distinct < len(finite)]
    sums, scaled = lookup.Hits(HITS), lookup.Hits(HITS)
    Za, Zb = np.ascontiguousarray(Z[first]), np.ascontiguousarray(Z[distinct])
    lookup.add(t, weight, Za, Zb, complexity[first], complexity[distinct], sums)
    V = V / np.sqrt((V * V) @ weight)[:, None]
    factors = distinct[: len(first) + FACTORS]
    lookup.scale(t, weight, V[first], V[factors], complexity[first], complexity[factors], scaled)
    shapes = [_sum(both[a], both[b], V[a], V[b], t, weight) for _, _, (i, j) in sums if (a := first[i]) != (b := distinct[j])]
    shapes += [_sum(both[a], both[a] * both[b], V[a], V[a] * V[b], t, weight) for _, _, (i, j) in scaled
               for a, b in ((first[i], factors[j]),)]
    closest = np.argsort(-np.abs(Zb @ ((t - t @ weight) * np.sqrt(weight))), kind="stable")[:SINGLES]
    return Batch.concatenate([both.take(distinct[closest]), Batch.pack(shapes, names)])


def _simple(context: Context, X: np.ndarray) -> tuple[Batch, np.ndarray]:
    """The simplest functions that vary, and their values (m, N)."""
    library = Library(context.rules, X, SIMPLE)
    library.grow_to(context.max_complexity, context.deadline)
    varies = np.flatnonzero((np.ptp(library.values, axis=1) > 0) & library.whole)
    return Batch.pack([library.expr(i) for i in varies], context.rules.names), library.values[varies]


def _renamed(batch: Batch, columns: np.ndarray, names: tuple[str, ...]) -> Batch:
    """Expressions over some of the columns as expressions over all, `names`."""
    variable = batch.code == VAR
    return replace(batch, arg=np.where(variable, columns[np.where(variable, batch.arg, 0)], batch.arg).astype(np.int32), names=names)


def _small(context: Context) -> Batch:
    """Skeletons so simple that none needs to look like the data: operators of the grammar at c·x, x + c, c·x + d, c·x·z and c·x/z, and
    of those of one column also the products and quotients with a column."""
    look, shown = context.guide.look(context)
    columns = [Expr.var(context.rules.names[j]) for j in shown[np.sort(np.argsort(-look.relevance, kind="stable")[:WIDEST])]]
    c, d = Expr.const(1.0), Expr.const(1.0)
    of_one = [form for x in columns for form in (c * x, x + c, c * x + d)]
    of_two = [form for i, x in enumerate(columns) for z in columns[i + 1 :] for form in (c * (x * z), c * (x / z), c * (z / x))]
    unary = [op for op in map(by_code, context.rules.operator_codes.tolist()) if op.arity == 1 and op.name != "neg"]
    plain = [Expr.apply(op, form) for op in unary for form in of_one]
    shapes = [*plain, *(g for f in plain for z in columns for g in (z * f, f / z))]
    shapes += [Expr.apply(op, form) for op in unary for form in of_two]
    batch = Batch.pack(shapes, context.rules.names)
    batch = batch.take(context.rules.complexity(batch) > 0)
    return batch.take(np.sort(np.argsort(batch.complexity, kind="stable")[:MOST_SMALL]))


def subtrees(batch: Batch) -> Batch:
    """Every subtree of more than one token, each once.

    >>> [str(e) for e in subtrees(Batch.pack([Expr.parse("sin(x)*x + 2.0")], ["x"])).unpack()]
    ['sin(x)', 'sin(x)*x', 'sin(x)*x + 2.0']
    """
    size = batch.sizes
    at = np.flatnonzero(size > 1)
    offset = np.concatenate([[0], np.cumsum(size[at])]).astype(np.int64)
    tokens = np.repeat(at - size[at] + 1 - offset[:-1], size[at]) + np.arange(offset[-1])
    return Batch(batch.code[tokens], batch.arg[tokens], batch.value[tokens], offset, batch.names).dedup()


def _sum(a: Expr, b: Expr, va: np.ndarray, vb: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Expr:
    """a + c·b with the best c, up to scale and offset."""
    w = np.sqrt(weight)
    A = np.column_stack([np.ones(len(y)), va, vb])
    size = np.linalg.norm(A, axis=0)
    x = np.linalg.lstsq(A / size * w[:, None], y * w, rcond=1e-13)[0] / size
    return a + float(x[2] / x[1]) * b if x[1] != 0 and np.isfinite(x).all() else b


def _with_best(context: Context, state: Atoms, batch: Batch, loss: np.ndarray) -> Atoms:
    """The best few of each complexity, each loss once: first the best of each, simplest first, then the second best …"""
    both, losses = Batch.concatenate([state.best, batch]), np.concatenate([state.loss, loss])
    complexity = context.rules.complexity(both)
    order = np.lexsort((losses, complexity))
    order = order[np.isfinite(losses[order]) & (complexity[order] > 0)]
    order = order[np.diff(losses[order], prepend=np.nan) != 0]
    rank = rank_in_group(complexity[order])
    order = order[np.argsort(rank, kind="stable")][: int(np.sum(rank < PER_COMPLEXITY))][:BEST]
    return replace(state, best=both.take(order), loss=losses[order])
