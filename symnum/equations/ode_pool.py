"""Right-hand sides that may be true, per equation: supports of libraries in the weak form."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from symnum.dynamics.library import Library
from symnum.dynamics.sparse import best_subsets
from symnum.dynamics.weak import Curve, Weak, weak_form, widths
from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.problem.ode import OdeProblem
from symnum.search.front import SYMBOL

MOST_TERMS = 8  # of a right-hand side
SPARE = 3  # supports of each size that a weak form offers
MOST_FITTED, SPARE_FITTED, FIT_STEPS = 4, 16, 12  # terms, supports of each size and steps where terms have constants of their own
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
    values = library.columns(columns)
    best: dict[tuple[int, ...], tuple[float, np.ndarray]] = {}
    for form in forms:
        A, b = form.project(values), form.target[state]
        most = min(MOST_TERMS, form.rows // 2)
        found = best_subsets(A, b, most, SPARE)
        lengths = np.array([s.nats(form.rows, len(library)) for s in found])
        for s, excess in zip(found, lengths - lengths.min(), strict=True):
            if s.columns not in best or excess < best[s.columns][0]:
                best[s.columns] = float(excess), s.coefficients
    ranked = sorted(best, key=lambda s: (best[s][0], len(s), s))[:count]
    return [alternative(library, s, best[s][1]) for s in ranked]


def kinetic_supports(library: Library, problem: OdeProblem, columns: dict[str, np.ndarray], count: int) -> list[Alternative]:
    """The most promising sums of terms that have constants of their own, which are fitted in the weak form.

    The library has each such term at a few values of its constants: too coarse to rank supports of different sizes, so that
    several of every size are fitted first.
    """
    form, state = problem.weak, problem.state
    found = best_subsets(form.project(library.columns(columns)), form.target[state], min(MOST_FITTED, form.rows // 3), SPARE_FITTED)
    found = [s for s in found if any(library.terms[j].constants for j in s.columns)]
    if not found:
        return []
    batch = Batch.pack([library.combined(s.columns, s.coefficients) for s in found], problem.names)
    fitted, loss, _ = problem.fit_weakly(batch, CpuEvaluator(1), FIT_STEPS)
    rows, out = form.rows, {}
    for n, s in enumerate(found):
        k = len(fitted[n].constants)
        nats = rows / 2 * np.log(max(loss[n], problem.floor)) + k / 2 * np.log(rows) + (len(s.columns) + 1) * library.nats
        skeleton = fitted[n].with_constants([0.0] * k)
        if np.isfinite(loss[n]) and (skeleton not in out or nats < out[skeleton][0]):
            out[skeleton] = nats, Alternative(fitted[n], (len(s.columns) + 1) * library.nats, "library", library, s.columns)
    return [part for _, part in sorted(out.values(), key=lambda o: o[0])[:count]]


def alternative(library: Library, columns: Sequence[int], coefficients: Sequence[float]) -> Alternative:
    """A sum of library terms; naming each costs the logarithm of the library's size."""
    return Alternative(library.combined(columns, coefficients), (len(columns) + 1) * library.nats, "library", library, tuple(columns))
