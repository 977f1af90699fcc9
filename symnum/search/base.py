"""What every strategy is: a `Search` proposes batches and learns from their scores; and the one way to measure shapes.

    ask(state, n, rng) -> Batch          tell(state, batch, loss) -> state

State is explicit, so that a stretch of search (`symnum.search.run.epoch`) is a pure function of its arguments. Searches
work on *shapes*: in most grammars c*f + d is in the language whenever f is, and those two constants are linear, so every
f is scored with its best scale and offset (Keijzer 2003, doi:10.1007/3-540-36599-0_7) and searches never spend effort on
them. `measure` scores shapes so, and fits the written-out forms f, f*c, f+c and f*c+d of those that may enter the front.
Where the columns have units, only dimensionally consistent formulas are admissible (`Context.admissible`), and d is there
only if it may carry the target's unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.ops import OPS, Op, by_code
from symnum.language.rules import Rules
from symnum.language.typed import Typing
from symnum.problem.base import Problem, Score
from symnum.search.front import Candidate, Front
from symnum.search.vary import affine

KEEP_PER_COMPLEXITY = 3  # promising shapes per complexity and batch that are written out and refitted
FORMS = ((False, False), (True, False), (False, True), (True, True))  # f, f*c, f+c, f*c+d


@dataclass(frozen=True, slots=True)
class Context:
    """What a search works on: the problem, its compiled grammar, the evaluator and the size limit.

    `scaled`: whether c*f + d is in the grammar whenever f is; `views`: the operators g for which g(f) is, and through
    whose inverse the target can be seen; `typing`: the dimensions to respect, or None; `deadline`: when the run ends
    (monotonic seconds), for work that should not be begun or should be cut short; `guide`: an encoder's advice, or None.
    """

    problem: Problem
    rules: Rules
    evaluator: CpuEvaluator
    max_complexity: int
    scaled: bool
    views: tuple[str, ...] = ()
    typing: Typing | None = None
    deadline: float | None = None
    guide: Any = None

    @classmethod
    def of(cls, problem: Problem, rules: Rules, evaluator: CpuEvaluator, max_complexity: int, guide: Any = None) -> "Context":
        """Finds out by trial which forms the grammar allows."""
        trial = rules.sample(32, 8, np.random.default_rng(0))
        views = [v for v in problem.views(map(by_code, rules.operator_codes)) if (rules.complexity(applied(OPS[v], trial)) > 0).any()]
        scaled = bool((rules.complexity(affine(trial, True, True)) > 0).all())
        typing = getattr(problem, "typing", None)
        views = [v for v in views if typing is None or typing.through(v) is not None]
        return cls(problem, rules, evaluator, max_complexity, scaled, tuple(views), typing, guide=guide)

    @property
    def task(self) -> tuple:
        """What a memo belongs to: the problem and the rules."""
        return self.problem, self.rules

    def same(self, task: tuple) -> bool:
        """Whether a memo of `task` is of use here."""
        return len(task) == 2 and task[0] is self.problem and task[1] is self.rules

    def admissible(self, batch: Batch) -> np.ndarray:
        """Complexity (P,) of whole formulas; -1 where one is not in the grammar, too large, or not of the target's dimension."""
        complexity = self._within(batch)
        return complexity if self.typing is None else np.where(self.typing.consistent(batch), complexity, -1)

    def admissible_shapes(self, batch: Batch, views: Sequence[str] = ("",)) -> np.ndarray:
        """Complexity (P,) of shapes; -1 where one is not in the grammar, too large, or of the wrong dimension through every view."""
        complexity = self._within(batch)
        if self.typing is None:
            return complexity
        fits = [self.typing.consistent(batch, view, scaled=self.scaled) for view in views]
        return np.where(np.any(fits, axis=0), complexity, -1)

    def _within(self, batch: Batch) -> np.ndarray:
        complexity = self.rules.complexity(batch)
        return np.where(complexity <= self.max_complexity, complexity, -1)

    def forms(self, view: str = "") -> tuple[tuple[bool, bool], ...]:
        """(scaled, with offset) of the forms in which a shape may be written, the last being the one that it is measured in."""
        if not self.scaled:
            return FORMS[:1]
        return FORMS if self.typing is None or self.typing.offset_allowed(view) else FORMS[:2]


class Search(Protocol):
    """A strategy. `views` names the operators through whose inverse its shapes are measured, '' standing for none.

    Optional are `starts`, from how many points the constants inside its shapes are fitted (through no view); `simplifies`,
    whether it is of use once an exact formula is known (True where it is not said); `prepare(context, state, hurry) -> bool`,
    which makes it ready to be asked, and returns False where `hurry()` cut it short; `blocks(context, state) -> Batch | None`,
    parts of formulas that it vouches for; and `evaluations` and `node_rows` of a state, what it spent by itself.
    """

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

    def welcome(self, context: Context, state: Any, migrants: Batch, blocks: Batch | None = None) -> Any:
        """Take in formulas that others found, and parts that others vouch for."""
        ...


@dataclass(frozen=True, slots=True)
class Measured:
    """Shapes with fitted constants, their losses with best scale and offset, and candidates for the front."""

    batch: Batch
    loss: np.ndarray
    candidates: tuple[Candidate, ...]
    evaluations: int
    node_rows: int


def measure(context: Context, shapes: Batch, front: Front, *, view: str = "", starts: int = 1) -> Measured:
    """Score shapes with their best scale and offset; write out and refit those that may beat the front.

    Through a `view` g the shapes are scored on g⁻¹(y), and what is written out is g of them. The constants inside a shape
    are fitted from `starts` points.
    """
    if context.typing is not None:
        fits = context.typing.consistent(shapes, view, scaled=context.scaled)
        if not fits.all():
            return _scattered(measure(context, shapes.take(fits), front, view=view, starts=starts), shapes, fits)
    extended = affine(shapes, *context.forms(view)[-1])
    score = context.problem.score(extended, context.evaluator, view=view)
    if starts > 1:
        score = _restarted(context, score, shapes.n_constants > 0, view, starts)
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
    problem, evaluator = context.problem, context.evaluator
    forms = Batch.concatenate([affine(shapes, *form) for form in context.forms(view)])
    if view:  # constants from the view, where scale and offset are linear, are the start for those inside g
        forms = applied(OPS[view], problem.score(forms, evaluator, view=view, iterations=iterations).batch)
    complexity = context.admissible(forms)
    determined = forms.n_constants <= max(1, problem.search.n // 2)  # more constants than that interpolate
    forms, complexity = forms.take((complexity > 0) & determined), complexity[(complexity > 0) & determined]
    score = problem.score(forms, evaluator, iterations=iterations)
    good = _promising(complexity, score.loss, front)
    full = problem.score(score.batch.take(good), evaluator, full=True, iterations=iterations)
    finite = np.flatnonzero(np.isfinite(full.loss))
    candidates = tuple(Candidate(full.batch[i], int(complexity[good[i]]), float(full.loss[i])) for i in finite)
    return candidates, score.evaluations + full.evaluations, score.node_rows + full.node_rows


def _restarted(context: Context, score: Score, which: np.ndarray, view: str, starts: int) -> Score:
    """The score after more starts for the expressions in the mask `which` (P,): the better fit of each."""
    again = context.problem.score(score.batch.take(which), context.evaluator, view=view, starts=starts)
    better = np.zeros(len(score.loss), bool)
    better[which] = again.loss < score.loss[which]
    loss, value = score.loss.copy(), score.batch.value.copy()
    loss[better] = again.loss[better[which]]
    value[np.repeat(better, score.batch.lengths)] = again.batch.take(better[which]).value
    evaluations, node_rows = score.evaluations + again.evaluations, score.node_rows + again.node_rows
    return Score(replace(score.batch, value=value), loss, evaluations, node_rows)


def _scattered(part: Measured, shapes: Batch, measured: np.ndarray) -> Measured:
    """What was measured of the shapes in a mask (P,), as of all of them: the others have an infinite loss."""
    loss, value = np.full(len(shapes), np.inf), shapes.value.copy()
    loss[measured] = part.loss
    value[np.repeat(measured, shapes.lengths)] = part.batch.value
    return replace(part, batch=replace(shapes, value=value), loss=loss)


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
    """Positions of the few least losses per complexity that are below the front's bound and all those of less complexity."""
    levels = int(complexity.max(initial=0)) + 1
    bound = np.full(levels, np.inf)
    for c in front:  # losses fall as complexity rises
        bound[c.complexity :] = max(c.loss, front.floor)
    order = np.lexsort((loss, complexity))
    order = order[loss[order] < bound[complexity[order]]]
    order = order[rank_in_group(complexity[order]) < KEEP_PER_COMPLEXITY]
    least = np.full(levels, np.inf)
    np.minimum.at(least, complexity[order], loss[order])
    below = np.minimum.accumulate(np.concatenate([[np.inf], least[:-1]]))
    return order[loss[order] < below[complexity[order]]]


def rank_in_group(group: np.ndarray) -> np.ndarray:
    """How many elements come before each one in its run of equal neighbours.

    >>> rank_in_group(np.array([2, 2, 2, 5, 7, 7])).tolist()
    [0, 1, 2, 0, 0, 1]
    """
    position = np.arange(len(group))
    starts = np.ones(len(group), bool)
    starts[1:] = group[1:] != group[:-1]
    return position - np.maximum.accumulate(np.where(starts, position, 0))


def _inner(extended: Batch, shapes: Batch) -> Batch:
    """The shapes with the constants they have inside their extended forms."""
    start = extended.offset[:-1] - shapes.offset[:-1]
    return replace(shapes, value=extended.value[np.repeat(start, shapes.lengths) + np.arange(shapes.offset[-1])])
