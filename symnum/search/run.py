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
from symnum.language.ops import FIRST_OP, OPS, by_code
from symnum.language.rules import SLOT
from symnum.search.base import Context, Search, measure, written_out
from symnum.search.enumerate import Cursor
from symnum.search.evolve import Island
from symnum.search.front import Candidate, Front

ASKED = 1000  # shapes per batch
LONGER, AT_LEAST = 1.5, 300_000  # evaluations spent after an exact formula is found, in search of a simpler one
BATCHES = 2  # batches per epoch
MIGRATION = 10  # rounds between visits of the front's formulas: seldom, so that islands stay different


class Status(Enum):
    """Why a run ended; the values are messages for people."""

    EXACT = "a formula that is exact to rounding was found"
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
        while True:
            status = _ended(progress, budget, stop, self.context.max_complexity)
            if status is not None:
                return progress, status
            jobs = [
                executor.submit(epoch, search, self.context, state, progress.front, (self.seed, progress.round + 1, i), deadline, stop)
                for i, (search, state) in enumerate(zip(self.searches, progress.states, strict=True))
            ]
            epochs = [job.result() for job in jobs]
            front = progress.front
            for e in epochs:
                front = front.merged(e.candidates)
            seconds = time.monotonic() - began
            evaluations = progress.evaluations + sum(e.evaluations for e in epochs)
            exact = progress.exact_at
            if exact is None and _is_exact(front, self.context.problem.search.n):
                exact = (seconds, evaluations)
            progress = Progress(
                progress.round + 1,
                front,
                tuple(e.state for e in epochs),
                seconds,
                evaluations,
                progress.node_rows + sum(e.node_rows for e in epochs),
                progress.expressions + sum(e.expressions for e in epochs),
                exact,
            )
            on_round(progress)


def _is_exact(front: Front, rows: int) -> bool:
    """Whether the formula worth choosing is exact; a formula as long as the data it interpolates is not."""
    return len(front) > 0 and front[-1].loss <= front.floor and front.choose("best", rows) == len(front) - 1


def _ended(progress: Progress, budget: Budget, stop: threading.Event, most: int) -> Status | None:
    """Why the run ends here, or None; `most` is the largest complexity."""
    if stop.is_set():
        return Status.INTERRUPTED
    if progress.exact_at is not None:  # a while longer: a simpler formula may be exact as well
        seconds, evaluations = progress.exact_at
        if progress.evaluations >= LONGER * evaluations + AT_LEAST:
            return Status.EXACT
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
) -> Epoch:
    """A stretch of one search: welcome migrants, then ask, measure and tell a few batches.

    The same arguments give the same result, unless the deadline (monotonic seconds) or `stop` cuts it short.
    """
    rng = np.random.default_rng(list(seed))
    exact = len(front) > 0 and front[-1].loss <= front.floor  # from now on everyone tries to simplify it
    if exact or (seed[1] % MIGRATION == 0 and len(front)):
        state = search.welcome(context, state, Batch.pack([c.expr for c in front], context.rules.names))
    out = Epoch(state)
    for _ in range(BATCHES):
        if (stop is not None and stop.is_set()) or (deadline is not None and time.monotonic() > deadline):
            break
        state, batch = search.ask(context, out.state, ASKED, rng)
        if len(batch) == 0:
            out = replace(out, state=state)
            continue
        views = search.views(context)
        measured = [measure(context, batch, front, view=view) for view in views]
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


# checkpoints ----------------------------------------------------------------------------------------------------------
def to_arrays(progress: Progress, context: Context) -> dict[str, np.ndarray]:
    """The progress as plain arrays, the front's formulas as text, the grammar's operators by name."""
    used = np.unique(context.rules.code[(context.rules.code >= FIRST_OP) & (context.rules.code != SLOT)])
    out = {
        "progress": np.array([progress.round, progress.evaluations, progress.node_rows, progress.expressions], np.int64),
        "seconds": np.array(progress.seconds),
        "exact_at": np.array(progress.exact_at if progress.exact_at is not None else [-1.0, -1.0]),
        "operators": np.array([f"{code}:{by_code(code).name}" for code in used], dtype=np.str_),
        "front_text": np.array([str(c.expr) for c in progress.front], dtype=np.str_),
        "front_measure": np.array([[c.complexity, c.loss] for c in progress.front], float).reshape(-1, 2),
    }
    for i, state in enumerate(progress.states):
        if isinstance(state, Cursor):
            out[f"{i}/cursor"] = np.array([state.chunks, state.level, state.exhausted, state.finished], np.int64)
        else:
            out[f"{i}/island"] = np.array([state.generation, state.record_at, state.hits], np.int64)
            out |= {f"{i}/{f}": getattr(state, f) for f in ("loss", "complexity", "age", "seen")} | {f"{i}/record": np.array(state.record)}
            out |= {f"{i}/{f}": getattr(state.members, f) for f in ("code", "arg", "value", "offset")}
    return out


def from_arrays(arrays: dict[str, np.ndarray], context: Context, n_searches: int) -> Progress:
    """The progress that `to_arrays` wrote; operators are found again by name."""
    recode = np.arange(256, dtype=np.uint8)
    for entry in arrays["operators"].tolist():
        code, _, name = entry.partition(":")
        if name not in OPS:
            msg = f"the run used the operator {name!r}: register it (Op.from_function) before resuming"
            raise ValueError(msg)
        recode[int(code)] = OPS[name].code
    names = context.rules.names
    saved = len({name.split("/")[0] for name in arrays if "/" in name})
    if saved != n_searches:
        msg = f"the run has {saved} searches, this portfolio {n_searches}: data, grammar, loss and portfolio must be those of the run"
        raise ValueError(msg)
    states: list[Any] = []
    for i in range(n_searches):
        if f"{i}/cursor" in arrays:
            chunks, level, exhausted, finished = arrays[f"{i}/cursor"].tolist()
            states.append(Cursor(chunks, level, exhausted, bool(finished)))
            continue
        generation, record_at, hits = arrays[f"{i}/island"].tolist()
        code, arg, value, offset, loss, complexity, age, seen = (
            arrays[f"{i}/{f}"] for f in ("code", "arg", "value", "offset", "loss", "complexity", "age", "seen")
        )
        members = Batch(recode[code], arg, value, offset, names)
        states.append(Island(members, loss, complexity, age, seen, generation, float(arrays[f"{i}/record"]), record_at, hits))
    measures = arrays["front_measure"].tolist()
    front = Front(floor=context.problem.floor, resolution=context.problem.resolution).merged(
        Candidate(Expr.parse(text), int(c), loss) for text, (c, loss) in zip(arrays["front_text"].tolist(), measures, strict=True)
    )
    rounds, evaluations, node_rows, expressions = arrays["progress"].tolist()
    exact = arrays["exact_at"].tolist()
    return Progress(
        rounds,
        front,
        tuple(states),
        float(arrays["seconds"]),
        evaluations,
        node_rows,
        expressions,
        None if exact[0] < 0 else (exact[0], int(exact[1])),
    )
