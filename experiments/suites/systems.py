"""The systems that experiments compare, each called as its users call it, and a process to call them in.

A `fit_*` function takes X, y, seconds, seed and threads and returns {formula, front: [formula, ...], ...}, formulas as text over
x0, x1, …; `Worker` runs such functions in a process of its own: warmed up before anything is timed, replaced when it dies or hangs.

Peers: `pip install pyoperon==0.6.2 gplearn==0.4.3`.
"""

import json
import os
import platform
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from multiprocessing import get_context, parent_process

import numpy as np
import sympy as sp


def begun(a, **setting) -> dict:
    """{setting, runs: []} for a fresh result file, or with --resume or --table what `a.out` holds."""
    if (a.resume or a.table) and a.out.exists():
        return json.loads(a.out.read_text(encoding="utf-8"))
    return {"setting": {"seconds": a.seconds} | setting | machine(), "runs": []}


class Watch:
    """A callback of symnum that keeps every formula that was on the front, and when it came."""

    def __init__(self):
        self.began, self.seen, self.formulas = time.perf_counter(), set(), []

    def on_start(self, run) -> None:
        """Nothing."""

    def on_update(self, update) -> None:
        """Keep what is new: (seconds, formula)."""
        for c in update.front:
            if (c.complexity, c.loss) not in self.seen:
                self.seen.add((c.complexity, c.loss))
                self.formulas.append((time.perf_counter() - self.began, c.best))

    def on_end(self, discovery) -> None:
        """Nothing."""


def fit_symnum(X, y, seconds, seed, threads=-1, units=None, is_law: Callable | None = None, **options) -> dict:
    """`SymbolicRegressor(time_limit=seconds).fit(X, y)`.

    With `is_law`, a judge of functions of rows, the answer has `to_law`: seconds from the call of `fit` to a law on the front.
    """
    from symnum import SymbolicRegressor

    watch = Watch()
    model = SymbolicRegressor(time_limit=seconds, random_state=seed, n_jobs=threads, callbacks=[watch], **options)
    model.fit(X, y, **({} if units is None else {"units": units}))
    wall = time.perf_counter() - watch.began
    found = model.discovery_
    answer = {
        "formula": str(found.sympy()),
        "front": [str(c.best.sympy()) for c in found.front],
        "seconds": wall,
        "status": found.status.name,
        "exhausted_complexity": found.exhausted_complexity,
        "statistics": found.statistics,
    }
    if is_law is not None:
        moments = [*watch.formulas, *((wall, c.best) for c in found.front)]
        answer["to_law"] = next((t for t, formula in moments if is_law(formula)), None)
    return answer


def fit_operon(X, y, seconds, seed, threads=-1, **_) -> dict:
    """pyoperon's estimator: population 1000, formulas up to length 50, accuracy and length as objectives."""
    from pyoperon.sklearn import SymbolicRegressor

    names, began = [f"x{i}" for i in range(X.shape[1])], time.perf_counter()
    model = SymbolicRegressor(
        allowed_symbols="add,sub,mul,div,sin,cos,exp,log,sqrt,square,constant,variable",
        optimizer_iterations=5,
        max_length=50,
        population_size=1000,
        generations=10**6,
        max_evaluations=10**9,
        max_time=max(1, int(seconds)),
        n_threads=threads if threads > 0 else os.cpu_count(),
        objectives=["r2", "length"],
        random_state=seed,
    ).fit(X, y)
    wall = time.perf_counter() - began

    def text(tree) -> str:
        return model.get_model_string(tree, precision=12, names=names).replace("^", "**")

    return {"formula": text(model.model_), "front": [text(m["tree"]) for m in model.pareto_front_], "seconds": wall}


def fit_gplearn(X, y, seconds, seed, threads=-1, **_) -> dict:
    """gplearn's estimator, generation after generation until the time is over."""
    from gplearn.genetic import SymbolicRegressor

    began, generation = time.perf_counter(), 1
    functions = ("add", "sub", "mul", "div", "sin", "cos", "sqrt", "log")
    model = SymbolicRegressor(
        population_size=1000, generations=1, warm_start=True, random_state=seed, parsimony_coefficient=0.001, function_set=functions
    )
    while time.perf_counter() - began < seconds:
        model.set_params(generations=generation).fit(X, y)
        generation += 1
    meaning = {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "sin": sp.sin,
        "cos": sp.cos,
        "sqrt": lambda a: sp.sqrt(sp.Abs(a)),
        "log": lambda a: sp.log(sp.Abs(a)),
    }
    wall = time.perf_counter() - began
    variables = {f"X{i}": sp.Symbol(f"x{i}", real=True) for i in range(X.shape[1])}
    formula = str(sp.sympify(str(model._program), locals=meaning | variables))
    return {"formula": formula, "front": [formula], "seconds": wall}


FITS = {"symnum": fit_symnum, "operon": fit_operon, "gplearn": fit_gplearn}


def warm_up(systems: tuple[str, ...], seconds: float, units: bool = False) -> int:
    """Import and compile what the systems need, on a law that none finds in the time; the process's id."""
    rng = np.random.default_rng(1)
    X = rng.uniform(1, 3, (200, 3))
    y = np.sin(3 * X[:, 0]) * np.log(X[:, 1] + X[:, 2] ** 2) / X[:, 2] + 0.05 * rng.normal(size=len(X))
    given = {"x0": "dimensionless", "x1": "m", "x2": "m", "y": "m**-1"} if units else None
    for system in systems:
        FITS[system](X, y, seconds if system == "symnum" else 1, 0, units=given)
    return os.getpid()


def _end_with_parent() -> None:
    """Let a worker not outlive a parent that was killed."""

    def watch() -> None:
        parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Worker:
    """One process that runs functions, one after the other.

    Args:
        prepare: called in the process whenever it starts, e.g. `warm_up` and its arguments; returns the process's id.
    """

    def __init__(self, prepare: Callable[..., int], *arguments):
        self.prepare, self.arguments = prepare, arguments
        self._start()

    def _start(self) -> None:
        self.executor = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_end_with_parent)
        self.process = self.executor.submit(self.prepare, *self.arguments).result()

    def call(self, limit: float, function: Callable, *arguments) -> tuple[object, str | None]:
        """(the function's value, None), or (None, what went wrong) where it raised, died, or took longer than `limit` seconds."""
        future = self.executor.submit(function, *arguments)
        try:
            problem = future.exception(limit)
        except TimeoutError:
            os.kill(self.process, signal.SIGKILL)
            problem = BrokenExecutor(f"no answer after {limit:.0f} s")
        if problem is None:
            return future.result(), None
        if isinstance(problem, BrokenExecutor):
            self.executor.shutdown(wait=False)
            self._start()
        return None, f"{type(problem).__name__}: {problem}"

    def close(self) -> None:
        """End the process."""
        self.executor.shutdown()


def machine() -> dict:
    """Where a figure was measured."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cores": cores, "machine": platform.machine(), "python": platform.python_version()}
