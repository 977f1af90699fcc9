"""Right-hand sides that may be true, per equation: supports of libraries in the weak form."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from symnum.dynamics.library import Library, instances
from symnum.dynamics.sparse import best_subsets, best_with
from symnum.dynamics.weak import Curve, Weak, weak_form, widths
from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.problem.ode import OdeProblem
from symnum.search.base import rank_in_group
from symnum.search.front import SYMBOL

MOST_TERMS = 8  # of a right-hand side
SPARE = 3  # supports of each size that a weak form offers
MOST_BESIDE, SPARE_BESIDE = 3, 10  # library terms beside one that has constants of its own, and choices of so many
POINTWISE = 15  # steps of the constants on smoothed slopes
FITS = ((2, 16), (6, 16))  # Gauss-Newton steps in the weak form, and how many sums of each size go on
RANK_STEPS = 2  # Gauss-Newton steps where alternatives are only ranked
HOPELESS = 15.0  # nats in the weak form by which an alternative may be behind and still be integrated
SOLVER = 1e-4  # relative accuracy of slopes that data without noise are trusted to have
FAR = 1e12  # values of a term beyond this are those of a pole
NEW = 1e-10  # share of a column that others must leave for it to be a term of its own
LEAST_ROWS = 12  # independent projections that a width must give


@dataclass(frozen=True)
class Alternative:
    """A right-hand side that may be true.

    Attributes:
        expr: with the constants of the weak form as a start.
        nats: what its structure costs to describe, constants apart.
        origin: where it comes from, in words.
        library, terms: where it is a sum of library terms, which.
    """

    expr: Expr
    nats: float
    origin: str
    library: Library | None = field(default=None, compare=False)
    terms: tuple[int, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, expr: Expr, origin: str) -> "Alternative":
        """A formula of no library: what its tokens cost."""
        return cls(expr, len(expr.tokens) * SYMBOL, origin)


def weak_forms(curves: Sequence[Curve], order: int = 1) -> list[Weak]:
    """All widths of bumps together, then each width by itself that gives enough projections: the data choose among them later."""
    every = widths(list(curves))
    forms = [weak_form(list(curves), every, order)]
    forms += [weak_form(list(curves), [width], order) for width in every]
    return [f for i, f in enumerate(forms) if f.rows >= LEAST_ROWS or (i == 0 and f.rows)]


def grid_columns(curves: Sequence[Curve], names: Sequence[str], time: str) -> dict[str, np.ndarray]:
    """The smoothed states, the inputs and the time on all grids, by name."""
    values = np.concatenate([np.column_stack([c.x, c.u]) for c in curves])
    return dict(zip(names, values.T, strict=True)) | {time: np.concatenate([c.grid for c in curves])}


def supports(library: Library, forms: Sequence[Weak], columns: dict[str, np.ndarray], state: int, count: int) -> list[Alternative]:
    """The most promising sums of terms for one equation.

    Supports of each form are ranked by how much longer than the shortest they describe that form's projections; an
    alternative has the best of its ranks.

    Args:
        library: the terms.
        forms: projections of the same data.
        columns: on the grids of the forms.
        state: the equation's number.
        count: how many.
    """
    values, tilt = library.columns(columns), library.nats - np.log(len(library))
    best: dict[tuple[int, ...], tuple[float, np.ndarray]] = {}
    for form in forms:
        A, b = form.project(values), form.target[state]
        most = min(MOST_TERMS, form.rows // 2)
        found = best_subsets(A, b, most, SPARE)
        lengths = np.array([s.nats(form.rows, len(library), solver_floor(b)) + tilt[list(s.columns)].sum() for s in found])
        for s, excess in zip(found, lengths - lengths.min(), strict=True):
            if s.columns not in best or excess < best[s.columns][0]:
                best[s.columns] = float(excess), s.coefficients
    ranked = sorted(best, key=lambda s: (best[s][0], len(s), s))[:count]
    return [alternative(library, s, best[s][1]) for s in ranked]


def with_skeletons(
    library: Library, found: Sequence[Expr], problem: OdeProblem, columns: dict[str, np.ndarray], scale: float, count: int
) -> list[Alternative]:
    """The most promising sums of one term that has constants of its own and a few library terms.

    Every such term is tried at many values of its constants with the best library terms beside it; the best of each
    number of terms then has all its constants fitted in the weak form.
    """
    form, b = problem.weak, problem.target_projections
    A, evaluator = form.project(library.columns(columns)), CpuEvaluator(1)
    sums, sizes, costs = [], [], []
    for skeleton in found:
        tried = instances(skeleton, scale)
        values = evaluator.values(Batch.pack(tried, problem.names), problem.grid)
        good = np.flatnonzero(values.ok & (np.abs(np.where(values.ok[:, None], values.y, 0.0)).max(axis=1) < FAR))
        for s in best_with(A, b, form.project(values.y[good].T), MOST_BESIDE, SPARE_BESIDE):
            own = Expr.const(float(s.coefficients[-1])) * tried[good[s.columns[-1] - len(library)]]
            sums.append(library.combined(s.columns[:-1], s.coefficients[:-1]) + own if len(s.columns) > 1 else own)
            sizes.append(len(s.columns))
            named = library.nats[list(s.columns[:-1])].sum() + np.log(len(library) + len(found))  # one is as likely as another
            costs.append(float(named + library.nats.min()))
    if not sums:
        return []
    # joint steps overshoot along the narrow valleys of such sums: pointwise fits, which project linear constants out, come first
    batch, size = problem.points.score(Batch.pack(sums, problem.names), evaluator, full=True, iterations=POINTWISE).batch, np.array(sizes)
    cost = np.array(costs)
    for steps, keep in FITS:
        batch, loss, _ = problem.fit_weakly(batch, evaluator, steps)
        order = np.lexsort((loss, size))
        kept = order[np.isfinite(loss[order]) & (rank_in_group(size[order]) < keep)]
        batch, loss, size, cost = batch.take(kept), loss[kept], size[kept], cost[kept]
    parts = [Alternative(batch[n], float(c), "library") for n, c in enumerate(cost)]
    nats = weak_nats(parts, loss, problem)
    return [parts[n] for n in np.argsort(nats, kind="stable")[:count]]


def solver_floor(target: np.ndarray) -> float:
    """The mean squared projection below which nothing is gained: data may be a solver's, which follows a slightly different field."""
    return max(SOLVER**2 * float(np.mean(target**2)), 1e-300)


def weak_nats(parts: Sequence[Alternative], loss: np.ndarray, problem: OdeProblem) -> np.ndarray:
    """(parts,) nats to describe the projections, from the mean squares that they leave."""
    rows = problem.rows
    with np.errstate(divide="ignore"):
        misfit = rows / 2 * np.log(loss + solver_floor(problem.target_projections))
    return misfit + np.array([p.nats + len(p.expr.constants) / 2 * np.log(rows) for p in parts])


def promising(parts: Sequence[Alternative], rivals: Sequence[Alternative], problem: OdeProblem) -> list[Alternative]:
    """The alternatives that are not hopeless, in the weak form, beside the best of themselves and their rivals; best first."""
    if not parts:
        return []
    every = [*parts, *rivals]
    fitted, loss, _ = problem.fit_weakly(Batch.pack([p.expr for p in every], problem.names), CpuEvaluator(1), RANK_STEPS)
    nats = weak_nats(every, loss, problem)
    order = np.argsort(nats[: len(parts)], kind="stable")
    return [parts[n] for n in order if nats[n] <= nats.min() + HOPELESS]


def neighbours(part: Alternative, problem: OdeProblem, columns: dict[str, np.ndarray], count: int) -> list[Alternative]:
    """Sums of terms that differ from one in a term: every one that lacks a term, and the best that have another or one more."""
    library, terms = part.library, part.terms
    if library is None:
        return []
    A, b = problem.weak.project(library.columns(columns)), problem.target_projections
    A = A / np.maximum(np.linalg.norm(A, axis=0), 1e-300)
    fewer = [tuple(t for t in terms if t != out) for out in terms]
    ranked = []
    for rest in [terms, *fewer]:
        if len(rest) >= MOST_TERMS:
            continue
        Q = np.linalg.qr(A[:, list(rest)])[0]
        left, free = b - Q @ (Q.T @ b), A - Q @ (Q.T @ A)
        size = np.einsum("ij,ij->j", free, free)
        gain = np.where(size > NEW, (left @ free) ** 2 / np.maximum(size, NEW), 0.0)
        for j in np.argsort(-gain)[:count]:
            misfit = problem.rows / 2 * np.log(max(left @ left - gain[j], 0.0) / problem.rows + solver_floor(b))
            more = tuple(sorted((*rest, int(j))))
            ranked.append((misfit + library.nats[list(more)].sum() + len(more) / 2 * np.log(problem.rows), more))
    others = [s for _, s in sorted(set(ranked)) if s != tuple(sorted(terms))]
    chosen = list(dict.fromkeys([*fewer, *others[:count]]))
    found = []
    for s in chosen:
        theta = np.linalg.lstsq(problem.weak.project(library.columns(columns)[:, list(s)]), b, rcond=None)[0] if s else []
        found.append(alternative(library, s, theta))
    return found


def alternative(library: Library, columns: Sequence[int], coefficients: Sequence[float]) -> Alternative:
    """A sum of library terms; to say that there is no further one costs as much as the likeliest term."""
    nats = float(library.nats[list(columns)].sum() + library.nats.min())
    return Alternative(library.combined(columns, coefficients), nats, "library", library, tuple(columns))
