"""`discover_invariants`: conserved quantities from trajectories, how many are independent, each verified.

    inv = discover_invariants(x, t, names=["q", "p"])
    inv.count, inv[0].formula, inv[0].verified

Stages: libraries from small to large; in each the sparse combinations that are constant along trajectories within the noise; those
that are functions of others are dropped by the rank of their gradients; coefficients are made exact where the data support it; what is
left is verified on trajectories that the search has not seen. Where no library holds one, a neural network is fitted and its values
regressed to a formula. "There is none in what was searched" is an answer.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from symnum.dynamics.system import System
from symnum.dynamics.trajectory import Trajectories
from symnum.equations.invariants_library import libraries
from symnum.equations.invariants_search import Combination, Measured
from symnum.equations.invariants_snap import exact
from symnum.language.expr import Expr
from symnum.problem.invariant import InvariantProblem, Verdict, independence

HELD_OUT_FROM = 5  # trajectories from which on some are held out
HELD_OUT = 0.2
FRESH = 20  # trajectories simulated for the verification where the system is known
EXACTLY = 1e-5  # relative drift along fresh trajectories, simulated to nine digits


@dataclass(frozen=True)
class Invariant:
    """One conserved quantity.

    Attributes:
        expr: the function.
        drift: its variation along trajectories over its variation between them, on those it is verified on.
        excess: its variance along trajectories over what their noise explains; 1 in the mean for a conserved quantity.
        verified: whether trajectories that the search has not seen confirm it.
        message: the verification in words.
        exact: whether all coefficients were made exact.
        source: the library that it was found in.
    """

    expr: Expr
    drift: float
    excess: float
    verified: bool
    message: str
    exact: bool
    source: str

    @property
    def formula(self) -> str:
        """The function as text."""
        return str(self.expr)

    def sympy(self):
        """The function as a sympy expression."""
        return self.expr.sympy()

    def latex(self, precision: int = 4) -> str:
        """The function as LaTeX."""
        return self.expr.latex(precision)

    def __str__(self) -> str:
        return f"{self.formula} ({self.message})"


@dataclass(frozen=True)
class InvariantDiscovery:
    """What was found.

    Attributes:
        invariants: functionally independent conserved quantities, simplest first.
        status: the result in words, with what was searched.
        statistics: figures of the search.
        problem: the trajectories and their noise.
    """

    invariants: tuple[Invariant, ...]
    status: str
    statistics: dict[str, Any] = field(repr=False)
    problem: InvariantProblem = field(repr=False)

    @property
    def count(self) -> int:
        """How many independent conserved quantities there are."""
        return len(self.invariants)

    def __len__(self) -> int:
        return len(self.invariants)

    def __iter__(self) -> Iterator[Invariant]:
        return iter(self.invariants)

    def __getitem__(self, i: int) -> Invariant:
        return self.invariants[i]

    def __str__(self) -> str:
        return "\n".join([*map(str, self.invariants), self.status])


def discover_invariants(
    x, t=None, *, names: Sequence[str] | None = None, group=None, system: System | None = None,
    noise: float | Sequence[float] | None = None, neural: bool = True, time_limit: float | None = 60.0, seed: int = 0,
) -> InvariantDiscovery:
    """Find conserved quantities.

    Args:
        x, t, names, group: trajectories, as in `Trajectories.of`; or a `Trajectories`.
        system: the field, where it is known: f · grad H = 0 is then tested at the samples, exactly, and verified by simulation.
        noise: the standard deviation of the measured states, one for all or one each; estimated where it is not given.
        neural: whether a neural network is asked where no library holds a conserved quantity.
        time_limit: seconds; None for no limit.
        seed: of the split, the network and the verification.

    Raises:
        TrajectoryError: trajectories that cannot be used.
        ValueError: too few trajectories, states or samples, noise that is not positive, or a system of other states.

    >>> t = np.linspace(0, 6, 40)
    >>> x = [np.column_stack([a * np.cos(2 * t), -2 * a * np.sin(2 * t)]) for a in (1.0, 1.5, 2.0, 2.5)]
    >>> found = discover_invariants(x, [t] * 4, names=["q", "p"], neural=False)
    >>> found.count, found[0].formula
    (1, '4*q^2 + p^2')
    """
    begun = time.monotonic()
    data = x if isinstance(x, Trajectories) else Trajectories.of(x, t, names=names, group=group)
    problem = InvariantProblem(data, system, _noise(noise, len(data.states)))
    _check(problem)
    search = _Search(problem, seed, None if time_limit is None else begun + time_limit)
    search.run()
    if neural and not search.chosen and not search.late and system is None:
        search.ask_network(seed)
    invariants = tuple(_verified(problem, search, c, seed) for c in search.chosen)
    statistics = {"libraries": list(search.searched), "terms": search.terms, "seconds": time.monotonic() - begun,
                  "noise": dict(zip(problem.names, map(float, problem.measured_noise), strict=True)), "trajectories": len(data),
                  "samples": len(problem.x), "stopped": search.late}
    return InvariantDiscovery(invariants, _status(invariants, search), statistics, problem)


def _noise(noise, states: int) -> tuple[float, ...] | None:
    if noise is None:
        return None
    level = np.broadcast_to(np.asarray(noise, float), (states,))
    if not (np.isfinite(level) & (level >= 0)).all():
        msg = f"a finite standard deviation of the noise, at least 0, was required, got {noise!r}"
        raise ValueError(msg)
    return tuple(map(float, level))


def _check(problem: InvariantProblem) -> None:
    """Refuse what cannot be decided."""
    data, count = problem.data, len(np.unique(problem.group))
    if len(data.states) < 2:
        msg = f"at least 2 states were required (a single state that moves conserves nothing), got {list(data.states)}"
        raise ValueError(msg)
    if problem.system is not None:
        if tuple(problem.system.states) != tuple(data.states):
            msg = f"a system of the states {list(data.states)} was required, got one of {list(problem.system.states)}"
            raise ValueError(msg)
        if problem.system.inputs or any(problem.system.time in f.variables for f in problem.system.equations):
            raise ValueError("a system without inputs and without explicit time was required")
        if problem.field is not None and not np.isfinite(problem.field).all():
            raise ValueError("a system that is finite at every sample was required; leave out the samples where it is not")
    if len(problem.x) < 10:
        msg = f"at least 10 samples without a missing state were required, got {len(problem.x)}"
        raise ValueError(msg)
    if count < 2 and problem.system is None:
        msg = (f"at least 2 trajectories of 2 complete samples were required, got {count}: along a single one every function that vanishes "
               "on its curve is constant; give several trajectories (lists, or group=), or the equations as system=")
        raise ValueError(msg)
    still = [name for name, size in zip(data.states, np.ptp(problem.x, axis=0), strict=True) if size == 0]
    if len(still) == len(data.states):
        raise ValueError("states that change were required; all are constant")


class _Search:
    """The search through the libraries, and what it has chosen."""

    def __init__(self, problem: InvariantProblem, seed: int, until: float | None):
        self.problem, self.until = problem, until
        labels = np.unique(problem.group)
        hold = max(2, int(round(HELD_OUT * len(labels)))) if len(labels) >= HELD_OUT_FROM else 0
        held = np.random.default_rng([seed, 3]).permutation(labels)[:hold]
        self.train = ~np.isin(problem.group, held)
        self.chosen: list[Candidate] = []
        self.searched: list[str] = []
        self.known: list[np.ndarray] = []  # gradients of what no better version need be sought of
        self.terms = 0
        self.late = False
        self.most = int((np.ptp(problem.x, axis=0) > 0).sum()) - 1

    def left(self) -> float | None:
        """Seconds that are left."""
        return None if self.until is None else max(0.0, self.until - time.monotonic())

    @property
    def held(self) -> np.ndarray | None:
        """(rows,) the samples of trajectories that the search does not see; None where there are too few."""
        return None if self.train.all() else ~self.train

    def run(self) -> None:
        """Library by library, until there can be no further independent one."""
        for library in libraries(self.problem):
            if len(self.known) >= self.most:
                break
            if self._over():
                self.late = True
                break
            measured = Measured(self.problem, library, self.train, self.known)
            self.searched.append(library.name)
            self.terms += len(measured.columns)
            for found in measured.combinations():
                if self._over():
                    break
                self._consider(_candidate(self.problem, found, self.train))
        self.chosen.sort(key=lambda c: c.expr.complexity)

    def ask_network(self, seed: int) -> None:
        """Formulas for what a contrastive network has learned."""
        from symnum.equations.invariants_neural import neural_formulas

        drift, formulas = neural_formulas(self.problem, self.train, seed=seed, time_limit=self.left())
        self.searched.append(f"a neural network (drift {drift:.1g}) regressed to {len(formulas)} formulas")
        for expr in sorted(formulas, key=lambda e: e.complexity):
            value, raw = self.problem.values(expr)
            verdict = self.problem.judge(value, raw, self.train)
            if verdict.conserved:
                self._consider(Candidate.of(self.problem, expr, value, raw, verdict, not expr.constants, "a neural network, regressed"))

    def _over(self) -> bool:
        return self.until is not None and time.monotonic() > self.until

    def _consider(self, new: "Candidate | None") -> None:
        """Keep a candidate that is independent of those kept, or better than the one that it is a function of."""
        if new is None or (self.held is not None and not self._held_out(new)):
            return
        if self._independent(new, self.chosen):
            if len(self.chosen) < self.most:
                self.chosen.append(new)
        else:
            for i, old in enumerate(self.chosen):
                if not self._independent(new, [old]) and new.length < old.length:
                    self.chosen[i] = new
                    break
        self.known[:] = [c.gradient for c in self.chosen if c.sure]

    def _independent(self, new: "Candidate", others: "list[Candidate]") -> bool:
        return bool(independence([c.gradient for c in others], new.gradient[None])[0] > self.problem.parallel)

    def _held_out(self, new: "Candidate") -> bool:
        return self.problem.judge(new.value, new.raw, self.held).conserved


@dataclass(frozen=True)
class Candidate:
    """A function that may be conserved.

    Attributes:
        expr: the function.
        value, raw: (rows,) and (rows, states) at the samples.
        gradient: (rows, states) in units of the states' spread.
        length: description length: misfit in units of the noise plus what the formula costs; comparable between candidates.
        sure: whether its coefficients leave no doubt: no better version of it is sought.
        exact, source: see `Invariant`.
    """

    expr: Expr
    value: np.ndarray
    raw: np.ndarray
    gradient: np.ndarray
    length: float
    sure: bool
    exact: bool
    source: str

    @classmethod
    def of(cls, problem: InvariantProblem, expr: Expr, value: np.ndarray, raw: np.ndarray, verdict: Verdict, exact: bool,
           source: str) -> "Candidate":
        """A candidate with its values and gradients."""
        rows = len(problem.x)
        gradient = np.where(np.isfinite(raw), raw, 0.0) * problem.spread
        length = rows * verdict.excess / 2 + expr.complexity * np.log(rows) / 2
        return cls(expr, value, raw, gradient, length, exact or not problem.noisy, exact, source)


def _candidate(problem: InvariantProblem, found: Combination, train: np.ndarray) -> Candidate | None:
    """With exact coefficients, where these are conserved as well."""
    free = [float(c) for c in found.coefficients / np.abs(found.coefficients).max()]
    rows = float(train.sum())
    for coefficients in (exact(found.coefficients, found.covariance), free):
        w = np.array([float(c) for c in coefficients])
        value, raw = found.values @ w, found.gradients @ w
        verdict = problem.judge(value, raw, train)
        worse = rows * (verdict.excess - found.training.excess) / max(found.training.excess, 1.0)
        if verdict.conserved and worse < np.log(rows) * len(free):
            is_exact = not any(isinstance(c, float) for c in coefficients)
            return Candidate.of(problem, formula(found, coefficients), value, raw, verdict, is_exact, found.library.name)
    return None


def formula(found: Combination, coefficients: Sequence[Fraction | float]) -> Expr:
    """The sum of the terms."""
    total: Expr | None = None
    for c, j in zip(coefficients, found.terms, strict=True):
        if c == 0:
            continue
        term, size = found.library.expr(j), abs(c)
        if isinstance(size, float):
            part = Expr.const(size) * term
        elif size == 1:
            part = term
        else:
            part = Expr.const(size.numerator) * term
            part = part / Expr.const(size.denominator) if size.denominator != 1 else part
        total = (part if c > 0 else -part) if total is None else total + part if c > 0 else total - part
    return Expr.const(0) if total is None else total


# verification ---------------------------------------------------------------------------------------------------------------
def _verified(problem: InvariantProblem, search: _Search, found: Candidate, seed: int) -> Invariant:
    if problem.system is not None:
        drift, count = fresh_drift(problem, found.expr, seed)
        verdict = problem.judge(found.value, found.raw)
        verified = count > 0 and drift <= EXACTLY
        message = (f"drifts by {drift:.1g} of its spread along {count} fresh simulated trajectories" if count
                   else "no fresh trajectory could be simulated")
        return Invariant(found.expr, drift if count else verdict.drift, verdict.excess, verified, message, found.exact, found.source)
    held = search.held
    verdict = problem.judge(found.value, found.raw, held)
    where = "unseen" if held is not None else "the same"
    count = len(np.unique(problem.group if held is None else problem.group[held]))
    message = f"drifts by {verdict.drift:.1g} of its spread along {count} {where} trajectories"
    message += f", {verdict.excess:.2f} of the variance that their noise explains" if problem.noisy else ""
    return Invariant(found.expr, verdict.drift, verdict.excess, held is not None and verdict.conserved, message, found.exact, found.source)


def fresh_drift(problem: InvariantProblem, expr: Expr, seed: int = 0) -> tuple[float, int]:
    """The drift along simulated trajectories that start between measured states, over the spread between them, and their number."""
    rng = np.random.default_rng([seed, 11])
    items = [item for item in problem.data if len(item) > 1]
    along, ends = [], []
    for _ in range(FRESH):
        a, b = problem.x[rng.integers(0, len(problem.x), 2)]
        times = items[rng.integers(0, len(items))].t
        path = problem.system.simulate(a + rng.uniform(0, 1) * (b - a), np.linspace(times[0], times[-1], 25))
        if not np.isfinite(path).all():
            continue
        with np.errstate(all="ignore"):
            value = np.broadcast_to(expr(problem.columns(path)), len(path))
        if np.isfinite(value).all():
            along.append(float(np.abs(value - value[0]).max()))
            ends.append(float(value[0]))
    if len(along) < 3 or np.std(ends) == 0:
        return np.inf, 0
    return float(np.median(along) / np.std(ends)), len(along)


def _status(invariants: Sequence[Invariant], search: _Search) -> str:
    what = f"{search.terms} terms in {len(search.searched)} stages: {', '.join(search.searched)}"
    stopped = "; stopped by the time limit" if search.late else ""
    if not invariants:
        return f"no conserved quantity among {what}{stopped}"
    count, sure = len(invariants), sum(i.verified for i in invariants)
    full = " (there can be no more)" if count == search.most else ""
    noun = "conserved quantity" if count == 1 else "conserved quantities"
    return f"{count} independent {noun}{full}, {sure} verified; searched {what}{stopped}"
