"""The loop: rounds of epochs, one epoch per search, merged into one front.

    epoch(search, context, state, front, seed) -> (state', candidates)        a pure function

Every round gives each search the same front and its own random stream, keyed by (seed, round, search); results are merged
in the order of the searches. So one seed gives one course of events on one worker or on eight, and a time limit only
decides how far along it the run gets.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np

from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.problem.base import rows_of
from symnum.search.base import Context, Search, measure, written_out
from symnum.search.enumerate import Cursor
from symnum.search.evolve import Island
from symnum.search.front import Candidate, Front

ASKED = 1000  # shapes per batch
LONGER, AT_LEAST = 1.5, 100_000  # evaluations spent after an exact formula is found, in search of a simpler one
NOISY_LONGER, NOISY_AT_LEAST = 2.5, 500_000  # … after the choice has come to explain the data to the noise, in search of a better one
BATCHES = 2  # batches per epoch
MIGRATION = 10  # rounds between visits of the front's formulas: seldom, so that islands stay different


class Status(Enum):
    """Why a run ended; the values are messages for people."""

    EXACT = "a formula that is exact to rounding was found"
    NOISE = "a formula explains the data down to the noise, and nothing better was found for a while"
    TIME = "the time limit was reached"
    EVALUATIONS = "the evaluation limit was reached"
    EXHAUSTED = "every function of the grammar up to the size limit was tried"
    FULL = "the enumeration came to its end; larger formulas, or ones with more constants, were not tried"
    INTERRUPTED = "the run was interrupted; the front so far is kept"


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop: seconds of wall time, evaluations (passes over the search rows), or the first of both."""

    seconds: float | None = 60.0
    evaluations: int | None = None


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one search did in one round."""

    state: Any
    candidates: tuple[Candidate, ...] = ()
    evaluations: int = 0
    node_rows: int = 0
    expressions: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """A run at the end of a round: everything needed to go on from here."""

    round: int
    front: Front
    states: tuple[Any, ...]
    seconds: float = 0.0
    evaluations: int = 0
    node_rows: int = 0
    expressions: int = 0
    exact_at: tuple[float, int] | None = None
    noise_at: tuple[float, int] | None = None

    @property
    def exhausted(self) -> int | None:
        """The largest complexity that enumeration finished, None without enumeration."""
        return next((s.exhausted for s in self.states if isinstance(s, Cursor)), None)

    @property
    def cache_hits(self) -> int:
        """Children skipped because their skeleton had been measured."""
        return sum(s.hits for s in self.states if isinstance(s, Island))


@dataclass(frozen=True, slots=True)
class Run:
    """A search about to happen.

    Attributes:
        context: problem, grammar, evaluator, size limit.
        searches: the portfolio.
        seed: of every random stream.
        guesses: formulas to start from.
    """

    context: Context
    searches: tuple[Search, ...]
    seed: int
    guesses: tuple[Expr, ...] = field(default=())

    def begin(self, saved: Progress | None = None) -> Progress:
        """Progress before the next round: what was saved, or empty states; with the guesses, fitted."""
        progress = saved
        if progress is None:
            states = tuple(s.start(self.context, np.random.default_rng([self.seed, 0, i])) for i, s in enumerate(self.searches))
            front = Front(floor=self.context.problem.floor, resolution=self.context.problem.resolution)
            progress = Progress(0, front, states)
        if not self.guesses:
            return progress
        batch = Batch.pack(self.guesses, self.context.rules.names)
        candidates, evaluations, node_rows = written_out(self.context, batch, progress.front)
        return replace(
            progress,
            front=progress.front.merged(candidates),
            evaluations=progress.evaluations + evaluations,
            node_rows=progress.node_rows + node_rows,
        )

    def advance(
        self,
        progress: Progress,
        budget: Budget,
        executor: Executor,
        stop: threading.Event,
        on_round: Callable[[Progress], None],
    ) -> tuple[Progress, Status]:
        """Rounds until the budget is spent, the law is exact, nothing is left to try, or `stop` is set."""
        began = time.monotonic() - progress.seconds
        deadline = None if budget.seconds is None else began + budget.seconds
        context = replace(self.context, deadline=deadline)
        while True:
            status = _ended(progress, budget, stop, self.context.max_complexity)
            if status is not None:
                return progress, status
            given = [b for s, state in zip(self.searches, progress.states, strict=True)
                     if hasattr(s, "blocks") and (b := s.blocks(context, state)) is not None]
            blocks = Batch.concatenate(given) if given else None
            jobs = [
                executor.submit(epoch, search, context, state, progress.front, (self.seed, progress.round + 1, i), deadline, stop, blocks)
                for i, (search, state) in enumerate(zip(self.searches, progress.states, strict=True))
            ]
            epochs, before = [job.result() for job in jobs], progress.states
            front = progress.front
            for e in epochs:
                front = front.merged(e.candidates)
            seconds = time.monotonic() - began
            evaluations = progress.evaluations + sum(e.evaluations for e in epochs)
            exact = progress.exact_at
            if exact is None and _is_exact(front, self.context.problem.search.n):
                exact = (seconds, evaluations)
            noise = self._explained_at(progress, front, (seconds, evaluations))
            progress = Progress(
                progress.round + 1,
                front,
                tuple(e.state for e in epochs),
                seconds,
                evaluations,
                progress.node_rows + sum(e.node_rows for e in epochs),
                progress.expressions + sum(e.expressions for e in epochs),
                exact,
                noise,
            )
            on_round(progress)
            idle = all(e.state is s or getattr(e.state, "finished", False) for e, s in zip(epochs, before, strict=True))
            if idle and not stop.is_set() and (deadline is None or time.monotonic() < deadline):
                return progress, Status.FULL if progress.exact_at is None else Status.EXACT

    def _explained_at(self, progress: Progress, front: Front, now: tuple[float, int]) -> tuple[float, int] | None:
        """Seconds and evaluations at which the present choice came to explain the data down to the noise; None if it does not."""
        explained = getattr(self.context.problem, "explained", None)
        if explained is None or not len(front):
            return None
        rows = rows_of(self.context.problem)
        choice = front[front.choose("best", rows)]
        if len(progress.front):
            last = progress.front[progress.front.choose("best", rows)]
            if choice.complexity == last.complexity and choice.loss > 0.999 * last.loss:  # the same, or no better
                return progress.noise_at
        return now if explained(choice.expr) else None


def _is_exact(front: Front, rows: int) -> bool:
    """Whether the formula worth choosing is exact; a formula as long as the data it interpolates is not."""
    return len(front) > 0 and front[-1].loss <= front.floor and front.choose("best", rows) == len(front) - 1


def _ended(progress: Progress, budget: Budget, stop: threading.Event, most: int) -> Status | None:
    """Why the run ends here, or None; `most` is the largest complexity."""
    if stop.is_set():
        return Status.INTERRUPTED
    if progress.exact_at is not None:  # a while longer: a simpler formula may be exact as well
        simplest = progress.exhausted is not None and progress.exhausted + 1 >= progress.front[-1].complexity
        if simplest or progress.evaluations >= LONGER * progress.exact_at[1] + AT_LEAST:
            return Status.EXACT
    elif progress.noise_at is not None and progress.evaluations >= NOISY_LONGER * progress.noise_at[1] + NOISY_AT_LEAST:
        return Status.NOISE
    if budget.evaluations is not None and progress.evaluations >= budget.evaluations:
        return Status.EVALUATIONS if progress.exact_at is None else Status.EXACT
    if budget.seconds is not None and progress.seconds >= budget.seconds:
        return Status.TIME if progress.exact_at is None else Status.EXACT
    if progress.exhausted == most:
        return Status.EXHAUSTED
    if progress.round and all(isinstance(s, Cursor) and s.finished for s in progress.states):
        return Status.FULL
    return None


def epoch(
    search: Search,
    context: Context,
    state: Any,
    front: Front,
    seed: Sequence[int],
    deadline: float | None = None,
    stop: threading.Event | None = None,
    blocks: Batch | None = None,
) -> Epoch:
    """A stretch of one search: welcome migrants and building blocks, then ask, measure and tell a few batches.

    The same arguments give the same result, unless the deadline (monotonic seconds) or `stop` cuts it short.
    """
    rng = np.random.default_rng(list(seed))
    exact = len(front) > 0 and front[-1].loss <= front.floor  # from now on everyone who can tries to simplify it
    if exact and not getattr(search, "simplifies", True):
        return Epoch(state)
    if exact or (seed[1] % MIGRATION == 0 and len(front)):
        state = search.welcome(context, state, Batch.pack([c.expr for c in front], context.rules.names), blocks)
    out = Epoch(state)

    def hurry() -> bool:
        return (stop is not None and stop.is_set()) or (deadline is not None and time.monotonic() > deadline)

    prepare = getattr(search, "prepare", None)
    if prepare is not None and not prepare(context, state, hurry):
        return out
    for _ in range(BATCHES):
        if hurry():
            break
        state, batch = search.ask(context, out.state, ASKED, rng)
        alone = [getattr(state, f, 0) - getattr(out.state, f, 0) for f in ("evaluations", "node_rows")]
        out = replace(out, state=state, evaluations=out.evaluations + alone[0], node_rows=out.node_rows + alone[1])
        if len(batch) == 0:
            continue
        views = search.views(context)
        starts = getattr(search, "starts", 1)
        measured = [measure(context, batch, front, view=view, starts=1 if view else starts) for view in views]
        candidates = tuple(c for m in measured for c in m.candidates)
        front = front.merged(candidates)
        out = Epoch(
            search.tell(context, state, measured[0].batch, measured[0].loss, rng),
            out.candidates + candidates,
            out.evaluations + sum(m.evaluations for m in measured),
            out.node_rows + sum(m.node_rows for m in measured),
            out.expressions + len(batch) * len(views),
        )
    return out
