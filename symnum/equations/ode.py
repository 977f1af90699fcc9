"""`discover_ode`: the ordinary differential equations behind measured trajectories.

    ode = discover_ode(x, t, names=["prey", "predator"])
    print(ode)                      # the equations, how sure they are, what else would do
    ode.simulate(x0, t)             # forecasts
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from symnum.discovery import check_limits
from symnum.dynamics.refine import Piece, pieces_of, refine
from symnum.dynamics.smooth import LEAST, smooth
from symnum.dynamics.sparse import best_subsets, inclusion, shortest
from symnum.dynamics.system import System
from symnum.dynamics.trajectory import Trajectories
from symnum.equations.ode_choice import Model
from symnum.equations.ode_report import keep, r2_of, residuals
from symnum.equations.ode_search import LIBRARIES, Search, freed, represented, system_of
from symnum.equations.repair import Repair, diff
from symnum.equations.run_folder import SystemFolder
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.problem.uncertainty import Interval
from symnum.search.front import Candidate, Front

if TYPE_CHECKING:
    from symnum.equations.conserving import ConservingSystem

INCLUDED = 0.05  # share of the bags from which a term is named


class OdeStatus(Enum):
    """How a discovery ended; the values are messages for people."""

    EXACT = "the equations reproduce the trajectories to the accuracy of the data"
    NOISE = "the equations explain the trajectories down to the noise"
    MISFIT = "the best equations found leave structure in the residuals: a term, a state or an input is missing, or the noise is not white"
    UNSTABLE = "no system found stays near the data when it is integrated; the equations hold locally at best"
    TIME = "the time limit was reached before every alternative was tried"


@dataclass(frozen=True)
class OdeVerdict:
    """The system judged by integration.

    Attributes:
        r2: of trajectories integrated from their fitted initial states, all states together, each in units of its spread.
        holdout_r2: the same on trajectories that were held out, from their measured initial states; None where none were.
        message: in words.
    """

    r2: float
    holdout_r2: float | None
    message: str


@dataclass(frozen=True)
class OdeDiscovery:
    """What was found.

    Attributes:
        system: x' = f(x, u, t), constants fitted through the integrator.
        data, held_out: the trajectories that were used and those that were held out.
        models: systems that were judged, the most briefly describing first.
        front: per state, the best right-hand side of every complexity; losses are those of the weak form.
        status: how it ended.
        verdict: the system judged by integration.
        noise: per state, the root mean square of what the system leaves.
        statistics: seconds, systems judged, pieces that trajectories were cut into.
        order: 1, or 2 for x'' = f(x, x').
    """

    system: System
    data: Trajectories
    held_out: Trajectories
    models: tuple[Model, ...]
    front: dict[str, Front]
    status: OdeStatus
    verdict: OdeVerdict
    noise: dict[str, float]
    statistics: dict[str, Any]
    order: int
    search: Search

    @property
    def equations(self) -> dict[str, Expr]:
        """The right-hand sides by state."""
        return dict(zip(self.system.states, self.system.equations, strict=True))

    def simulate(self, x0: Sequence[float], t: np.ndarray, u: np.ndarray | None = None) -> np.ndarray:
        """(times, states) the solution from x0 at t[0]; NaN after an explosion. See `System.simulate`."""
        return self.system.simulate(x0, t, u)

    def score(self, x, t=None, *, u=None) -> float:
        """R² of simulated against measured trajectories, from the first measured states; states in units of their spread.

        Args:
            x, t, u: as for `discover_ode`, or `Trajectories`.
        """
        data = x if isinstance(x, Trajectories) else Trajectories.of(x, t, names=self.data.states, u=u, inputs=self.data.inputs or None)
        return simulated_r2(self.system, data)

    def sympy(self) -> list:
        """sympy equations Eq(x'(t), f)."""
        import sympy as sp

        t = sp.Symbol(self.system.time, real=True)
        return [sp.Eq(sp.Derivative(sp.Function(name)(t), t), f.sympy()) for name, f in self.equations.items()]

    def latex(self, precision: int = 4) -> str:
        """LaTeX, one equation a line."""
        return " \\\\\n".join(rf"\dot{{{Expr.var(name).latex()}}} &= {f.latex(precision)}" for name, f in self.equations.items())

    def intervals(self, level: float = 0.95) -> dict[str, list[Interval]]:
        """Confidence intervals of the fitted constants by state, in the order in which they stand in the equations.

        From the likelihood of whole trajectories; residuals that are not independent count for fewer.
        """
        from scipy.stats import norm

        model = self.models[0]
        fitted = refine(self.system, pieces_of(self.search.curves, self.statistics["pieces"]), self.search.scale, steps=3)
        measured = model.refined.count > 0
        inflate = np.sqrt(max(1.0, float(np.mean((model.refined.count / np.maximum(model.refined.independent, 2))[measured]))))
        errors = iter((np.sqrt(np.maximum(np.diag(fitted.covariance), 0)) * inflate).tolist())
        width = float(norm.ppf(0.5 + level / 2))
        return {
            name: [Interval(k, c, c - width * (s := next(errors)), c + width * s, s, level) for k, c in enumerate(f.constants)]
            for name, f in self.equations.items()
        }

    @cached_property
    def inclusion(self) -> dict[str, dict[str, float]]:
        """Per state, the share of bagged refits (rows and columns of the weak form) that include each term of the first library."""
        search, found = self.search, {}
        library = search.library
        if library is None:
            return {}
        A, form = search.forms[0].project(library.columns(search.grid)), search.forms[0]

        def choose(part, b):
            subsets = best_subsets(part, b, 6)
            return subsets[shortest(subsets, form.rows, part.shape[1])].columns

        for i in search.searched:
            shares = inclusion(A, form.target[i], choose)
            found[search.states[i]] = {str(t): float(s) for t, s in zip(library.terms, shares, strict=True) if s >= INCLUDED}
        return found

    @cached_property
    def undecided(self) -> str | None:
        """Which systems the data cannot tell apart and what experiment would, or None where the choice is clear."""
        from symnum.equations.experiment import undecided

        return undecided(self)

    @cached_property
    def repair(self) -> Repair | None:
        """What the discovery changed in the guess: terms kept, removed and added; None where there was no guess."""
        return diff(self.search.guess, self.equations) if self.search.guess else None

    @cached_property
    def drift(self) -> str | None:
        """Whether a coefficient drifts over the record, in words; None where nothing says so."""
        from symnum.equations.drift import drift

        return drift(self)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done beyond the libraries and why, and what was seen in the data."""
        return (*self.search.notes, *self.data.notes)

    def with_invariants(self, invariants) -> "ConservingSystem":
        """The system projected so that it conserves some quantities exactly.

        Args:
            invariants: expressions, texts, or what `discover_invariants` returns.
        """
        from symnum.equations.conserving import conserving

        return conserving(self.system, invariants)

    def plot(self, path: str | None = None):
        """The measured and the simulated trajectories as a matplotlib figure, saved where a path is given."""
        from symnum.equations.plot import plot_ode

        return plot_ode(self, path)

    @property
    def _drifting(self) -> str | None:
        """Drift is looked for where the equations leave something to explain."""
        return self.drift if self.status in (OdeStatus.MISFIT, OdeStatus.TIME) else None

    def __str__(self) -> str:
        lines = [f"{name}' = {rounded(f)}" for name, f in self.equations.items()]
        noise = ", ".join(f"{name} {s:.2g}" for name, s in self.noise.items())
        lines += ["", self.verdict.message, f"residuals (root mean square): {noise}", f"status: {self.status.value}"]
        lines += [text for text in (self.undecided, self._drifting, *self.notes) if text]
        if self.repair is not None:
            lines += ["", "the guess and what became of it:", str(self.repair)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        return "$$\\begin{aligned}\n" + self.latex() + "\n\\end{aligned}$$"


def rounded(expr: Expr, digits: int = 6) -> Expr:
    """The formula with its constants at so many digits, for reading."""
    return expr.with_constants([float(f"{c:.{digits}g}") for c in expr.constants])


def discover_ode(
    x,
    t=None,
    *,
    names: Sequence[str] | None = None,
    u=None,
    inputs: Sequence[str] | None = None,
    group=None,
    order: int = 1,
    grammar: str | Grammar = "dynamics",
    libraries: Sequence[tuple[str | Grammar, int]] = LIBRARIES,
    time_limit: float = 30.0,
    guess: str | Sequence[str] | Mapping[str, str] | None = None,
    holdout: float | None = None,
    seed: int = 0,
    threads: int | None = None,
    callbacks: Sequence = (),
    run_dir=None,
    resume: bool = False,
) -> OdeDiscovery:
    """Find the ordinary differential equations of measured trajectories.

    Right-hand sides are proposed by sparse regression over libraries in the weak form and by symnum's own searches, and judged
    by integration: constants and initial states are fitted through the integrator, and the system is taken that describes
    the trajectories most briefly.

    Args (day to day):
        x: (time, states), a list of such arrays, a DataFrame, or `Trajectories`; NaN where a sample is missing.
        t: (time,) increasing, irregular at will, a list of such, or, of a DataFrame, the name of its column.
        names: of the states.
        u, inputs: what acts from outside, (time, inputs), and its names.
        group: of a DataFrame, the column that tells trajectories apart.
        order: 2 finds x'' = f(x, x') where only x was measured.
        time_limit: seconds.
        guess: equations to begin with, as in "x' = -0.5*x".

    Args (seldom):
        grammar: of symnum's own searches for right-hand sides.
        libraries: grammars of terms with the complexity of the largest term, in the order in which they are tried.
        holdout: share of the trajectories held out for the verdict; by default a fifth of five or more.
        seed, threads: of symnum's own searches.
        callbacks: functions that are told a line of progress.
        run_dir, resume: a folder that keeps the run; see `symnum.equations.run_folder`.

    Raises:
        ValueError: trajectories that cannot be used, an order other than 1 and 2, a guess that cannot be read, an impossible limit.

    >>> t = np.linspace(0, 4, 60)
    >>> ode = discover_ode(np.exp(-0.7 * t), t, names=["x"], libraries=[("terms_polynomial", 3)])
    >>> str(rounded(ode.equations["x"], 3))
    '-0.7*x'
    """
    begun = time.monotonic()
    check_limits(time_limit, None, 1, "best", threads)
    if order not in (1, 2):
        msg = f"an order of 1 or 2 was required, got {order!r}"
        raise ValueError(msg)
    data = x if isinstance(x, Trajectories) else Trajectories.of(x, t, names=names, u=u, inputs=inputs, group=group)
    if not libraries:
        msg = "at least one library of terms was required, got none; see symnum.equations.ode_search.LIBRARIES"
        raise ValueError(msg)
    guesses = read_guess(guess, data, order)
    check_enough(data)
    Grammar.load(grammar)
    folder = None
    if run_dir is not None:
        states = data.states if order == 1 else (*data.states, *(f"{n}_dot" for n in data.states))
        config = {"order": order, "grammar": str(grammar), "libraries": [[str(g), size] for g, size in libraries], "holdout": holdout,
                  "seed": seed, "guess": {name: str(f) for name, f in guesses.items()}}
        folder = SystemFolder.create(run_dir, config, data.fingerprint, states, resume)
        guesses |= {name: freed(Expr.parse(text)) for name, text in folder.equations().items()}
        callbacks = (*callbacks, folder.log)
    train, held_out = data.split(holdout, seed)
    used = represented(train)
    search = Search(used, order, grammar, tuple(libraries), guesses, begun + time_limit, seed, threads,
                    told=lambda text: [call(text) for call in callbacks] and None,
                    kept=lambda model: folder and folder.save_system(system_of(model)))
    model = search.run()
    system = system_of(model)
    pieces = search.judge.cut(search.judge.pieces)
    verdict = judged(system, train, held_out, model, pieces)
    noise = residuals(model, pieces, data.states)
    statistics = {
        "seconds": time.monotonic() - begun, "systems": len(search.judge.models), "pieces": search.judge.pieces, "rows": used.rows,
    }
    models = tuple(search.judge.ranked())
    found = OdeDiscovery(system, train, held_out, models, fronts(search), _status(search, model), verdict, noise, statistics, order, search)
    if folder is not None:
        keep(folder, found)
    return found


def _status(search: Search, model: Model) -> OdeStatus:
    if not model.refined.finite:
        return OdeStatus.UNSTABLE
    if all(search.exact(model, i) for i in range(len(search.data.states))):
        return OdeStatus.EXACT
    if all(search.fits(model, i) for i in search.searched):
        return OdeStatus.NOISE
    return OdeStatus.TIME if search.judge.late else OdeStatus.MISFIT


def check_enough(data: Trajectories) -> None:
    """Refuse trajectories that are too short to be smoothed.

    Raises:
        ValueError: a trajectory with fewer than eight samples of a state.
    """
    for item in data:
        for i, name in enumerate(data.states):
            count = int(np.isfinite(item.x[:, i]).sum())
            if count < LEAST:
                msg = f"at least {LEAST} samples of every state were required, trajectory {item.label} has {count} of {name}"
                raise ValueError(msg)


def read_guess(guess, data: Trajectories, order: int) -> dict[str, Expr]:
    """Guessed right-hand sides by state, from texts such as "x' = -x + y".

    Raises:
        ValueError: no equation, an unknown state, or a variable that there is not.
    """
    if guess is None:
        return {}
    if isinstance(guess, Mapping):
        guess = [f"{name}' = {text}" for name, text in guess.items()]
    found = {}
    for text in [guess] if isinstance(guess, str) else guess:
        left, equal, right = text.partition("=")
        name = left.strip().rstrip("'").strip()
        if not equal or name not in data.states:
            msg = f"a guess such as \"{data.states[0]}' = …\" for one of {', '.join(data.states)} was required, got {text!r}"
            raise ValueError(msg)
        expr = Expr.parse(right.strip())
        known = {*data.columns, data.time, *(f"{n}_dot" for n in data.states if order == 2)}
        if unknown := [v for v in expr.variables if v not in known]:
            msg = f"the guess {text!r} uses {', '.join(unknown)}; there are {', '.join(sorted(known))}"
            raise ValueError(msg)
        found[name if order == 1 else f"{name}_dot"] = freed(expr)
    return found


def simulated_r2(system: System, data: Trajectories) -> float:
    """R² of simulations from the first measured states; -inf where one explodes. Velocities of a second-order system are smoothed ones."""
    misfit, total = 0.0, 0.0
    d = len(data.states)
    spread = np.maximum(np.nanstd(np.concatenate([item.x for item in data]), axis=0), 1e-300)
    for item in data:
        present = np.isfinite(item.x)
        first = int(np.argmax(present, axis=0).max())  # where every state has been measured
        start = np.array([np.interp(item.t[first], item.t[p], x[p]) for x, p in zip(item.x.T, present.T, strict=True)])
        if len(system.states) > d:
            start = np.append(start, [float(smooth(item.t, x)(item.t[first : first + 1], 1)[0]) for x in item.x.T])
        x = system.simulate(start, item.t[first:], item.u[first:] if item.u.shape[1] else None)[:, :d]
        if not np.isfinite(x).all():
            return -np.inf
        measured = item.x[first:]
        misfit += np.nansum(((x - measured) / spread) ** 2)
        total += np.nansum(((measured - np.nanmean(measured, axis=0)) / spread) ** 2)
    return float(1 - misfit / total) if total > 0 else float(misfit == 0)


def judged(system: System, train: Trajectories, held_out: Trajectories, model: Model, pieces: Sequence[Piece]) -> OdeVerdict:
    """The verdict on a system."""
    r, r2 = model.refined, r2_of(model, pieces)
    text = f"R² = {r2:.6g} on {len(train)} trajector{'y' if len(train) == 1 else 'ies'} of {train.rows} samples, integrated"
    if not r.finite:
        return OdeVerdict(r2, None, "the system explodes when it is integrated")
    if not len(held_out):
        return OdeVerdict(r2, None, text + "; none held out")
    held = simulated_r2(system, held_out)
    return OdeVerdict(r2, held, f"{text}; R² = {held:.6g} on {len(held_out)} held out, from their first samples")


def fronts(search: Search) -> dict[str, Front]:
    """Per state, the best of all right-hand sides that were considered, measured in the weak form."""
    form, found = search.forms[0], {}
    for i in search.searched:
        b = form.target[i]
        candidates = []
        for part in search.pool[i]:
            with np.errstate(all="ignore"):
                values = np.broadcast_to(part.expr(search.grid), search.grid[search.columns[0]].shape)
            if np.isfinite(values).all():
                loss = float(np.mean((form.project(values[:, None])[:, 0] - b) ** 2))
                candidates.append(Candidate(part.expr, part.expr.complexity, loss))
        found[search.states[i]] = Front(floor=1e-14 * float(np.mean(b**2))).merged(candidates)
    return found

