"""`discover`, the one engine behind every task, and the `Discovery` it returns.

    discovery = discover(problem, "elementary", time_limit=30)
    discovery.best.best          # the chosen formula, constants snapped where the data allow it
    print(discovery)             # the front, the choice, the verdict, what was searched

Ctrl-C, SIGTERM, a time limit or a crash never lose the front: the first signal ends the run in order, and a run folder
(`run_dir`) holds a readable front and a state to resume from at every moment.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from symnum.callbacks import Callback, Update
from symnum.evaluate.cpu import CpuEvaluator, unpacked
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.rules import Rules, compile_rules
from symnum.language.template import Template
from symnum.language.typed import Typing
from symnum.problem.base import Problem, Verdict, rows_of
from symnum.problem.constraint import Judgement
from symnum.problem.regression import RegressionProblem
from symnum.problem.uncertainty import Fitted, Interval
from symnum.search.base import Context, Search
from symnum.search.checkpoint import from_arrays, to_arrays
from symnum.search.front import SELECTIONS, Candidate, Front
from symnum.search.guide import guide_of
from symnum.search.portfolio import default_portfolio
from symnum.search.run import Budget, Progress, Run, Status
from symnum.search.snap import refitted, snapped
from symnum.search.tidy import tidied
from symnum.store import RunFolder

logger = logging.getLogger("symnum")
CHECKPOINT = 3.0  # seconds between checkpoints: a kill loses no more than this and one round


@dataclass(frozen=True)
class Discovery:
    """What was found.

    Attributes:
        front: the Pareto front; formulas in the user's magnitudes.
        chosen: position of the chosen candidate, None on an empty front.
        status: why the run ended; its value is a message.
        statistics: seconds, evaluations, expressions, rates, cache hits, threads.
        exhausted_complexity: no function of the grammar up to this complexity is missing from the comparison.
        problem: what was asked.
        config: the arguments, as written to the run folder.
        progress: the end of the run, from which it can go on.
        template: the template that formulas were searched in, or None; `template.parts(discovery.best.expr)` are its parts.
    """

    front: Front
    chosen: int | None
    status: Status
    statistics: dict[str, Any]
    exhausted_complexity: int | None
    problem: Problem
    config: dict[str, Any]
    progress: Progress
    template: Template | None = None

    @property
    def best(self) -> Candidate:
        """The chosen candidate.

        Raises:
            LookupError: the front is empty.
        """
        if self.chosen is None:
            known = " and complied with every constraint" if getattr(self.problem, "constraints", ()) else ""
            msg = f"no formula was finite on every row{known}; try a longer time limit, another grammar, or look at the data's range"
            raise LookupError(msg)
        return self.front[self.chosen]

    def __getitem__(self, i: int) -> Candidate:
        return self.front[i]

    @property
    def target(self) -> str:
        """The target's name."""
        return self.problem.target

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return self.problem.names

    @property
    def seed(self) -> int:
        """The seed that gives this run again."""
        return self.config["seed"]

    @cached_property
    def verdict(self) -> Verdict | None:
        """The chosen formula judged independently of the search; None on an empty front."""
        return None if self.chosen is None else self.problem.verify(self.best.best)

    @cached_property
    def judgements(self) -> list[Judgement]:
        """What is known of the chosen formula and each of the user's constraints; empty where there are none."""
        judge = getattr(self.problem, "judgements", None)
        return [] if self.chosen is None or judge is None else judge(self.best.best)

    def sympy(self, i: int | None = None):
        """A formula (by default the chosen one) as a sympy expression."""
        return self._pick(i).best.sympy()

    def latex(self, i: int | None = None, precision: int = 4) -> str:
        """A formula as LaTeX."""
        return self._pick(i).best.latex(precision)

    def intervals(self, i: int | None = None, level: float = 0.95, method: str = "wald") -> list[Interval]:
        """Confidence intervals of the free constants of a formula (by default the chosen one), as it is shown.

        Exact constants have none. A constant that the data do not determine by itself has an infinite one.

        Args:
            i: position on the front.
            level: the confidence.
            method: `wald`, from the jacobian, or `profile`, from the profile likelihood: slower, right where the formula bends.

        Raises:
            LookupError: the front is empty.
            ValueError: a level or method that there is not, or a problem or loss that has no intervals.

        >>> from symnum.problem.table import as_table
        >>> x = np.linspace(1, 3, 40)
        >>> problem = RegressionProblem.from_table(as_table(x[:, None], 2.617 * x**2 + np.tile([0.1, -0.1], 20)))
        >>> limits = {"time_limit": None, "max_evaluations": 20_000, "max_complexity": 6}
        >>> found = discover(problem, "polynomial", **limits, seed=0, threads=1)
        >>> [i] = found.intervals(level=0.99)
        >>> i.low < 2.617 < i.high
        True
        """
        return self._fitted(self._pick(i).best).intervals(level, method)

    def prediction_std(self, X, i: int | None = None) -> np.ndarray:
        """The standard deviation of new measurements at X (rows, columns): noise and uncertain constants together."""
        return self._fitted(self._pick(i).best).prediction_std(np.asarray(X, float))

    def _fitted(self, expr: Expr) -> Fitted:
        if not isinstance(self.problem, RegressionProblem):
            msg = f"uncertainties need a regression problem, this is a {type(self.problem).__name__}"
            raise ValueError(msg)
        return Fitted(self.problem, expr)

    def _pick(self, i: int | None) -> Candidate:
        return self.best if i is None else self.front[i]

    def select(self, selection: str) -> "Discovery":
        """The same front with another choice: see `Front.choose`."""
        return replace(self, chosen=_chosen(self.front, selection, self.problem), config=self.config | {"selection": selection})

    def __str__(self) -> str:
        from symnum.report import to_text

        return to_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from symnum.report import to_html

        return to_html(self)

    def _repr_latex_(self) -> str:
        return f"$${_latex_name(self.target)} = {self.latex()}$$"


def _latex_name(name: str) -> str:
    return Expr.var(name).latex()


def discover(
    problem: Problem,
    grammar: str | Grammar | Template = "elementary",
    *,
    time_limit: float | None = 60.0,
    max_evaluations: int | None = None,
    max_complexity: int = 30,
    search: Sequence[Search] | None = None,
    encoder: Any = None,
    selection: str = "best",
    guesses: Sequence[Expr | str] = (),
    executor: Executor | None = None,
    threads: int | None = None,
    callbacks: Sequence[Callback] = (),
    seed: int | None = None,
    run_dir: str | Path | None = None,
    resume: bool = False,
) -> Discovery:
    """Search the grammar for formulas that solve the problem.

    Args (day to day):
        problem: for instance a `RegressionProblem`.
        grammar: a shipped grammar's name, a .g file, a `Grammar`, or a `Template`.
        time_limit: seconds; None for no limit (then give max_evaluations).
        max_evaluations: passes over the search rows; a limit that makes the run reproducible.
        max_complexity: largest formula on the front.
        run_dir, resume: folder of a run that survives a kill, and whether to go on with the run in it.

    Args (seldom):
        search: the portfolio; None takes `default_portfolio`.
        encoder: what tells regression where to look (`symnum.search.guide`): "auto", the one that ships; the file or folder of
            another (`symnum encode train`), or an `Encoder`; None for none, and then nothing of torch is imported. None is the
            default, as the encoder has not been found to pay (experiments/encoder_ablation).
        selection: how the formula is chosen (`Front.choose`).
        guesses: formulas to start from; their constants are fitted.
        executor: any `concurrent.futures` executor of threads; None makes one.
        threads: workers; None takes every core that the process may use.
        callbacks: told about progress (`symnum.callbacks`).
        seed: None draws one; it is in the result.

    Raises:
        ValueError: a limit or a choice out of range, a grammar that does not fit the columns, an encoder that is missing or
            damaged, a run folder that belongs to other data or another configuration; always before the search starts.
    """
    check_limits(time_limit, max_evaluations, max_complexity, selection, threads)
    rules, guesses = check_language(problem, grammar, max_complexity, guesses)
    template = grammar if isinstance(grammar, Template) else None
    grammar = Grammar.load(grammar) if template is None else template.grammar
    if seed is None and resume and run_dir is not None and (Path(run_dir) / "config.json").exists():
        seed = RunFolder.open(run_dir).config["seed"]
    seed = int(np.random.SeedSequence().entropy % (1 << 32)) if seed is None else int(seed)
    config = {
        "grammar": str(grammar),
        "grammar_name": grammar.name,
        "target": problem.target,
        "columns": list(problem.names),
        "time_limit": time_limit,
        "max_evaluations": max_evaluations,
        "max_complexity": max_complexity,
        "selection": selection,
        "seed": seed,
    } | getattr(problem, "config", {})
    guide = guide_of(encoder, problem)
    if guide is not None:
        config["encoder"] = guide.digest
    threads = threads or cores()
    budget = Budget(time_limit, max_evaluations)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="symnum")
    with _signals() as stop, threadpool_limits(1, user_api="blas"), pool as own:  # the searches are the threads, not their algebra
        context = Context.of(problem, rules, CpuEvaluator(1), max_complexity, guide)
        searches = tuple(search) if search is not None else default_portfolio(context)
        config["searches"] = [f"{s.name}:{','.join(s.views(context))}" for s in searches]
        folder = None if run_dir is None else RunFolder.create(run_dir, config, problem.fingerprint, resume)
        run = Run(context, searches, seed, guesses)
        saved = folder.load_state() if folder is not None and resume else None
        progress = run.begin(from_arrays(saved[0], context, len(searches)) if saved else None)
        reporter = _Reporter(context, callbacks, folder, budget, progress)
        for callback in callbacks:
            callback.on_start(run)
        try:
            progress, status = run.advance(progress, budget, executor or own, stop, reporter)
        finally:  # also where a callback raised: what was found is on disk
            reporter.checkpoint(reporter.last)
            if guide is not None:
                guide.close()
        front = _finished(context, progress.front, problem)
    discovery = Discovery(
        front, _chosen(front, selection, problem), status, _statistics(progress, threads), progress.exhausted, problem, config, progress,
        template,
    )
    reporter.end(discovery)
    for callback in callbacks:
        callback.on_end(discovery)
    return discovery


def cores() -> int:
    """How many cores this process may use: those of its affinity, where the system knows one."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_language(
    problem: Problem, grammar: str | Grammar | Template, max_complexity: int, guesses: Sequence[Expr | str] = ()
) -> tuple[Rules, tuple[Expr, ...]]:
    """The compiled grammar, and the guesses in the forms that it has.

    Raises:
        ValueError: the grammar does not fit the columns or the size limit, or a guess does not fit the grammar.
    """
    grammar = grammar.grammar if isinstance(grammar, Template) else Grammar.load(grammar)
    rules = compile_rules(grammar, problem.names)
    if rules.least_of[0] > max_complexity:
        msg = f"the least formula of grammar {grammar.name!r} has complexity {rules.least_of[0]}, more than max_complexity={max_complexity}"
        raise ValueError(msg)
    return rules, tuple(form for g in guesses for form in _guess(g, rules, max_complexity, getattr(problem, "typing", None)))


def check_limits(
    time_limit: float | None, max_evaluations: int | None, max_complexity: int, selection: str = "best", threads: int | None = None
) -> None:
    """Refuse impossible arguments before any work.

    Raises:
        ValueError: no limit at all, one that is not positive, or a selection that there is not.
    """
    if time_limit is None and max_evaluations is None:
        msg = "a time_limit or max_evaluations is required: the search does not end by itself"
        raise ValueError(msg)
    for name, value in (
        ("time_limit", time_limit),
        ("max_evaluations", max_evaluations),
        ("max_complexity", max_complexity),
        ("threads", threads),
    ):
        if value is not None and not value > 0:
            msg = f"{name} must be positive, got {value}"
            raise ValueError(msg)
    if selection not in SELECTIONS:
        msg = f"a selection among {', '.join(SELECTIONS)} was required, got {selection!r}"
        raise ValueError(msg)


def _guess(guess: Expr | str, rules: Rules, max_complexity: int, typing: Typing | None) -> list[Expr]:
    """A guess with its numbers free to be fitted (integer exponents aside) and as it stands: what of both the grammar has.

    Raises:
        ValueError: unknown columns, or neither form is in the grammar within the size limit, or has the target's dimension.
    """
    expr = Expr.parse(guess) if isinstance(guess, str) else guess
    unknown = [v for v in expr.variables if v not in rules.names]
    if unknown:
        msg = f"the guess {str(expr)!r} uses {', '.join(unknown)}; the columns are {', '.join(rules.names)}"
        raise ValueError(msg)
    freed = Expr(tuple(float(t) if isinstance(t, int) and not _is_exponent(expr, i) else t for i, t in enumerate(expr.tokens)))
    complexity = rules.complexity(Batch.pack([freed, expr], rules.names)).tolist()
    forms = [form for form, c in zip((freed, expr), complexity, strict=True) if 0 < c <= max_complexity]
    if not forms:
        msg = f"a guess must be in the grammar at complexity <= {max_complexity}, {str(expr)!r} is not; try another grammar or spelling"
        raise ValueError(msg)
    if typing is not None:
        fits = typing.consistent(Batch.pack(forms, rules.names), scaled=True)
        forms = [form for form, f in zip(forms, fits, strict=True) if f]
    if not forms:
        msg = f"a guess of the target's dimension was required, {str(expr)!r} has another or is inconsistent; correct it or the units"
        raise ValueError(msg)
    return forms


def _is_exponent(expr: Expr, i: int) -> bool:
    following = expr.tokens[i + 1] if i + 1 < len(expr.tokens) else None
    return getattr(following, "name", "") == "power"


def _chosen(front: Front, selection: str, problem: Problem) -> int | None:
    return front.choose(selection, rows_of(problem)) if len(front) else None


def _finished(context: Context, front: Front, problem: Problem) -> Front:
    """The front in the user's magnitudes, with snapped forms and hold-out losses."""
    unscale = getattr(problem, "unscale", lambda e: e)
    holdout = getattr(problem, "holdout_loss", lambda e: None)
    describe, validate = (getattr(problem, name, lambda e: None) for name in ("description", "validation"))
    nats = getattr(problem, "nats", lambda e: None)
    admits = getattr(problem, "admits", lambda e: True)
    done = []
    for c in front:
        if not admits(unscale(c.expr)):  # on many points it complied; a proof says otherwise
            continue
        exact = snapped(context, c.expr, c.loss)
        exact = exact if exact is None or admits(unscale(exact)) else None
        if c.loss <= front.floor:
            start = c.expr if exact is None else exact
            rows = unpacked(getattr(context.problem, "train", context.problem.search))[0]
            tidy = tidied(start, dict(zip(context.rules.names, rows.T, strict=True)))
            if tidy != start and admits(unscale(tidy)) and refitted(context, tidy)[1] <= 4 * front.floor:
                exact = tidy
        c = replace(c, expr=unscale(c.expr), snapped=None if exact is None else unscale(exact), reading=unscale(c.expr.simplify()))
        forms = [e for e in (c.expr, c.snapped, c.reading) if e is not None]
        done.append(replace(c, holdout=holdout(c.best), description=describe(forms), validation=validate(c.best), nats=nats(c.best)))
    return replace(front, candidates=tuple(done))


def _statistics(progress: Progress, threads: int) -> dict[str, Any]:
    seconds = max(progress.seconds, 1e-9)
    return {
        "seconds": round(progress.seconds, 3),
        "rounds": progress.round,
        "expressions": progress.expressions,
        "evaluations": progress.evaluations,
        "expressions_per_second": round(progress.expressions / seconds),
        "evaluations_per_second": round(progress.evaluations / seconds),
        "node_rows_per_second": round(progress.node_rows / seconds),
        "cache_hits": progress.cache_hits,
        "threads": threads,
    }


class _Reporter:
    """Told the progress of every round: shows it, writes the front when it changed and checkpoints every few seconds.

    A folder that can no longer be written is reported once, in the log, and does not end the run.
    """

    def __init__(self, context: Context, callbacks: Sequence[Callback], folder: RunFolder | None, budget: Budget, progress: Progress):
        self.context, self.problem, self.callbacks, self.folder, self.budget = context, context.problem, callbacks, folder, budget
        self.last, self.saved_at = progress, time.monotonic()

    def __call__(self, progress: Progress) -> None:
        last, self.last = self.last, progress
        if progress.front != last.front:
            self._write(lambda folder: folder.save_front(self._readable(progress.front)))
            facts = {"evaluations": progress.evaluations, "size": len(progress.front), "loss": progress.front[-1].loss}
            self._write(lambda folder: folder.log("front", seconds=round(progress.seconds, 3), **facts))
        if time.monotonic() - self.saved_at > CHECKPOINT:
            self.checkpoint(progress)
        rate = (progress.expressions - last.expressions) / max(progress.seconds - last.seconds, 1e-9)
        update = Update(
            progress.seconds,
            self.budget.seconds,
            progress.evaluations,
            self.budget.evaluations,
            rate,
            self._readable(progress.front),
            self.problem.target,
            f"complexity {progress.exhausted} exhausted" if progress.exhausted else "",
        )
        for callback in self.callbacks:
            callback.on_update(update)

    def checkpoint(self, progress: Progress) -> None:
        """Write the state of the run, atomically."""
        self._write(lambda folder: folder.save_state(to_arrays(progress, self.context)))
        self.saved_at = time.monotonic()

    def end(self, discovery: Discovery) -> None:
        """Write the finished front."""
        self._write(lambda folder: folder.save_front(discovery.front))
        self._write(lambda folder: folder.log("end", status=discovery.status.name, **discovery.statistics))

    def _write(self, action: Callable[[RunFolder], None]) -> None:
        if self.folder is None:
            return
        try:
            action(self.folder)
        except OSError as error:
            logger.warning("the run folder cannot be written any more (%s); the run goes on without it", error)
            self.folder = None

    def _readable(self, front: Front) -> Front:
        unscale = getattr(self.problem, "unscale", None)
        if unscale is None:
            return front
        return replace(front, candidates=tuple(replace(c, expr=unscale(c.expr)) for c in front))


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second SIGINT raises KeyboardInterrupt. Handlers exist in the main thread only."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask_to_stop(number, frame):
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    old = {s: signal.signal(s, ask_to_stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for s, handler in old.items():
            signal.signal(s, handler)
