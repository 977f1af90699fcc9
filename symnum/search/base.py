"""What every strategy is: a `Search` proposes batches and learns from their scores; and the one way to measure shapes.

    ask(state, n, rng) -> Batch          tell(state, batch, loss) -> state

State is explicit, so that a stretch of search (`symnum.search.run.epoch`) is a pure function of its arguments. Searches
work on *shapes*: in most grammars c*f + d is in the language whenever f is, and those two constants are linear, so every
f is scored with its best scale and offset (Keijzer 2003, doi:10.1007/3-540-36599-0_7) and searches never spend effort on
them. `measure` scores shapes so, and fits the written-out forms f, f*c, f+c and f*c+d of those that may enter the front.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.ops import OPS, Op, by_code
from symnum.language.rules import Rules
from symnum.problem.base import Problem
from symnum.search.front import Candidate, Front
from symnum.search.vary import affine

KEEP_PER_COMPLEXITY = 3  # promising shapes per complexity and batch that are written out and refitted
FORMS = ((False, False), (True, False), (False, True), (True, True))  # f, f*c, f+c, f*c+d


@dataclass(frozen=True, slots=True)
class Context:
    """What a search works on: the problem, its compiled grammar, the evaluator and the size limit.

    `scaled`: whether c*f + d is in the grammar whenever f is; `views`: the operators g for which g(f) is, and through
    whose inverse the target can be seen.
    """

    problem: Problem
    rules: Rules
    evaluator: CpuEvaluator
    max_complexity: int
    scaled: bool
    views: tuple[str, ...] = ()

    @classmethod
    def of(cls, problem: Problem, rules: Rules, evaluator: CpuEvaluator, max_complexity: int) -> "Context":
        """Finds out by trial which forms the grammar allows."""
        trial = rules.sample(32, 8, np.random.default_rng(0))
        views = [v for v in problem.views(map(by_code, rules.operator_codes)) if (rules.complexity(applied(OPS[v], trial)) > 0).any()]
        scaled = bool((rules.complexity(affine(trial, True, True)) > 0).all())
        return cls(problem, rules, evaluator, max_complexity, scaled, tuple(views))


class Search(Protocol):
    """A strategy. `views` names the operators through whose inverse its shapes are measured, '' standing for none."""

    name: str

    def views(self, context: Context) -> tuple[str, ...]:
        """What to measure its shapes through; it is told the losses of the first."""
        ...

    def start(self, context: Context, rng: np.random.Generator) -> Any:
        """The first state."""
        ...

    def ask(self, context: Context, state: Any, n: int, rng: np.random.Generator) -> tuple[Any, Batch]:
        """About `n` shapes to measure (fewer where there are no more), and the state that remembers having asked."""
        ...

    def tell(self, context: Context, state: Any, batch: Batch, loss: np.ndarray, rng: np.random.Generator) -> Any:
        """Learn from the losses of what was asked, constants fitted."""
        ...

    def welcome(self, context: Context, state: Any, migrants: Batch) -> Any:
        """Take in formulas that others found."""
        ...


@dataclass(frozen=True, slots=True)
class Measured:
    """Shapes with fitted constants, their losses with best scale and offset, and candidates for the front."""

    batch: Batch
    loss: np.ndarray
    candidates: tuple[Candidate, ...]
    evaluations: int
    node_rows: int


def measure(context: Context, shapes: Batch, front: Front, *, view: str = "") -> Measured:
    """Score shapes with their best scale and offset; write out and refit those that may beat the front.

    Through a `view` g the shapes are scored on g⁻¹(y), and what is written out is g of them.
    """
    extended = affine(shapes, True, True) if context.scaled else shapes
    score = context.problem.score(extended, context.evaluator, view=view)
    fitted = _inner(score.batch, shapes)
    complexity = context.rules.complexity(shapes) + (OPS[view].cost if view else 0)
    chosen = _promising(complexity, score.loss, front)
    candidates, evaluations, node_rows = written_out(context, fitted.take(chosen), front, view=view)
    return Measured(fitted, score.loss, candidates, score.evaluations + evaluations, score.node_rows + node_rows)


def written_out(
    context: Context, shapes: Batch, front: Front, *, view: str = "", iterations: int = 30
) -> tuple[tuple[Candidate, ...], int, int]:
    """Candidates from shapes in every admissible form, constants fitted on all training rows; with evaluations and node·rows."""
    if len(shapes) == 0:
        return (), 0, 0
    problem, evaluator, rules = context.problem, context.evaluator, context.rules
    forms = Batch.concatenate([affine(shapes, *form) for form in (FORMS if context.scaled else FORMS[:1])])
    if view:  # constants from the view, where scale and offset are linear, are the start for those inside g
        forms = applied(OPS[view], problem.score(forms, evaluator, view=view, iterations=iterations).batch)
    complexity = rules.complexity(forms)
    determined = forms.n_constants <= max(1, problem.search.n // 2)  # more constants than that interpolate
    forms = forms.take((complexity > 0) & (complexity <= context.max_complexity) & determined)
    score = problem.score(forms, evaluator, iterations=iterations)
    complexity = rules.complexity(forms)
    good = _promising(complexity, score.loss, front)
    full = problem.score(score.batch.take(good), evaluator, full=True, iterations=iterations)
    finite = np.flatnonzero(np.isfinite(full.loss))
    candidates = tuple(Candidate(full.batch[i], int(complexity[good[i]]), float(full.loss[i])) for i in finite)
    return candidates, score.evaluations + full.evaluations, score.node_rows + full.node_rows


def applied(op: Op, batch: Batch) -> Batch:
    """g(f) for every f."""
    ends = batch.offset[1:]
    return replace(
        batch,
        code=np.insert(batch.code, ends, op.code),
        arg=np.insert(batch.arg, ends, 0),
        value=np.insert(batch.value, ends, 0.0),
        offset=batch.offset + np.arange(len(batch.offset)),
    )


def operand(batch: Batch) -> Batch:
    """f for every g(f): the undoing of `applied`."""
    ends = batch.offset[1:] - 1
    return replace(
        batch,
        code=np.delete(batch.code, ends),
        arg=np.delete(batch.arg, ends),
        value=np.delete(batch.value, ends),
        offset=batch.offset - np.arange(len(batch.offset)),
    )


def _promising(complexity: np.ndarray, loss: np.ndarray, front: Front) -> np.ndarray:
    """Positions of the few least losses per complexity that are below the front's bound there."""
    order = np.lexsort((loss, complexity))
    kept, best = [], np.inf
    for level in np.unique(complexity):
        members = order[complexity[order] == level][:KEEP_PER_COMPLEXITY]
        bound = min(front.bound(int(level)), best)
        members = members[np.isfinite(loss[members]) & (loss[members] < bound)]
        kept.append(members)
        if len(members):
            best = loss[members[0]]
    return np.concatenate(kept) if kept else np.zeros(0, np.int64)


def _inner(extended: Batch, shapes: Batch) -> Batch:
    """The shapes with the constants they have inside their extended forms."""
    start = extended.offset[:-1] - shapes.offset[:-1]
    return replace(shapes, value=extended.value[np.repeat(start, shapes.lengths) + np.arange(shapes.offset[-1])])
