"""The search for a system: libraries first, symnum's own searches where they do not suffice, integration as the judge."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from symnum.discovery import discover
from symnum.dynamics.integrate import Program
from symnum.dynamics.library import MOST_TERMS as MOST_LIBRARY
from symnum.dynamics.library import Library, skeletons
from symnum.dynamics.refine import RESOLUTION, followed
from symnum.dynamics.system import System
from symnum.dynamics.trajectory import Trajectories, Trajectory
from symnum.dynamics.weak import Curve
from symnum.equations.neural_field import neural_alternatives, worth_it
from symnum.equations.ode_choice import WHITE, Judge, Model, replaced, summands, without
from symnum.equations.ode_pool import Alternative, alternative, grid_columns, neighbours, promising, supports, weak_forms, with_skeletons
from symnum.equations.repair import terms
from symnum.language.expr import Expr
from symnum.language.ops import OPS
from symnum.problem.ode import OdeProblem
from symnum.search.snap import near_exact

MOST_ROWS = 4000  # samples that are searched; longer data are represented by windows
CONSTANT = 1e-6  # share of its size by which a state that counts as constant varies
WINDOW = 500  # samples of a window
STRIDE = 0.2  # share of a state's spread by which neighbours of a thinned window may differ
FOLLOWED = 3  # times that supports are looked for along the solution of the system found before
STEPS = 4  # exchanges and additions of a term that are tried at once
OFFERED, LATER = 8, 4  # supports per equation of the first library and of each later one
PLAIN = 2  # constants: a right-hand side of so few that fits is not looked at again
QUADRATIC = 5  # complexity of a term c*x*y
SETTLED = 3  # constants: a right-hand side of so few that leaves white noise needs no search of symnum's own
EXACT = 1e-4  # residuals below this share of the spread are as good as none: what integrators of data leave
OWN = 400_000  # evaluations of symnum's own search per equation, as far as the time allows
UNEXPLAINED = 0.3  # residuals of this share of a state's spread mean that the samples are not explained
EXPLODES, RIVALS, OFF = 8.0, 12, (0.3, 0.6, 1.6, 3.0)  # nats that explosions cost, systems compared, factors of initial states
NEURAL_SECONDS = 8.0  # that a neural field needs at least
LARGEST = 24  # complexity of a right-hand side of its own search
LIBRARIES = (  # grammar and complexity of the largest term, in the order of trial
    ("terms_polynomial", 5), ("terms_trigonometric", 6), ("terms_kinetic", 11), ("terms_growth", 11),
)


def represented(data: Trajectories, most: int = MOST_ROWS) -> Trajectories:
    """The same trajectories, or windows of them where they are long: thinned to what the states' pace asks for."""
    if data.rows <= most:
        return data
    kept = [min(len(item), WINDOW) for item in data]
    count = max(1, most // sum(kept))
    few = max(1, int(most / np.mean(kept)))
    items: list[Trajectory] = []
    for k in np.unique(np.linspace(0, len(data) - 1, min(few, len(data))).round().astype(int)):
        item = data.items[k]
        stride = _stride(item.x)
        span = min(len(item), WINDOW * stride)
        for start in np.unique(np.linspace(0, len(item) - span, count).round().astype(int)):
            rows = slice(start, start + span, stride)
            items.append(Trajectory(item.t[rows], item.x[rows], item.u[rows], f"{item.label}[{start}:{start + span}]"))
    return Trajectories(tuple(items), data.states, data.inputs, data.time)


def _stride(x: np.ndarray) -> int:
    """The largest stride at which neighbours stay close, by the fastest state; noise counts as no movement. 1 where samples are missing."""
    stride = 1
    if not np.isfinite(x).all():
        return stride
    spread, near = x.std(axis=0), np.abs(x[1:] - x[:-1]).mean(axis=0)
    while stride * 2 * WINDOW < len(x):
        if (np.abs(x[2 * stride :] - x[: -2 * stride]).mean(axis=0) - near > STRIDE * spread).any():
            break
        stride *= 2
    return stride


@dataclass
class Search:
    """The search for one system.

    Attributes:
        data: what is searched.
        order: 1, or 2 for x'' = f(x, x').
        grammar: of symnum's own searches.
        libraries: term grammars with their complexities.
        guess: right-hand sides to begin with, by state.
        deadline: monotonic seconds.
        seed, threads: of symnum's own searches.
        told: called with a line of progress.
        notes: what was done beyond the libraries and why, in words.
    """

    data: Trajectories
    order: int = 1
    grammar: object = "dynamics"
    libraries: Sequence[tuple[object, int]] = LIBRARIES
    guess: dict[str, Expr] = field(default_factory=dict)
    deadline: float = np.inf
    seed: int = 0
    threads: int | None = None
    told: Callable[[str], None] = lambda text: None
    notes: list[str] = field(default_factory=list)
    kept: Callable[[Model], object] = lambda model: None

    def __post_init__(self):
        self.curves = [Curve.of(item, self.order) for item in self.data]
        names = self.data.states
        self.states = names if self.order == 1 else (*names, *(f"{n}_dot" for n in names))
        self.columns = (*self.states, *self.data.inputs)
        self._project(self.curves)
        x = np.concatenate([c.x for c in self.curves])
        self.scale = np.sqrt(np.mean(x**2, axis=0))
        self.scale = np.where(self.scale > 0, self.scale, 1.0)
        deviation = x.std(axis=0)
        self.spread = np.where(deviation > CONSTANT * self.scale, deviation, self.scale)
        self.judge = Judge(self.states, self.data.inputs, self.data.time, self.curves, self.scale, self.deadline)
        d = len(names)
        self.searched = range(d if self.order == 1 else 0, len(self.states)) if self.order == 2 else range(d)
        self.fixed = {} if self.order == 1 else {i: Alternative.of(Expr.var(self.states[d + i]), "definition") for i in range(d)}
        self.pool: list[list[Alternative]] = [[self.fixed[i]] if i in self.fixed else [] for i in range(len(self.states))]
        self.library: Library | None = None

    def _project(self, along: list[Curve]) -> None:
        """Weak forms along smoothed trajectories, or along a system's solution."""
        self.along, self.forms = along, weak_forms(along, self.order)
        self.grid = grid_columns(along, self.columns, self.data.time)
        self.problems: dict[int, OdeProblem] = {}

    def run(self) -> Model:
        """The model that describes the data most briefly."""
        model = None
        for n, (grammar, complexity) in enumerate(self.libraries):
            again = range(len(self.states)) if model is None else [i for i in self.searched if not self.settled(model, i)]
            if not again or (n and self.judge.late):
                break
            model = self._pruned(self._with_library(model, n, grammar, complexity, again))
            self.kept(model)
        model = self._own(model)
        model = self._steady(self._pruned(self._stepped(model)))
        return self._snapped(model)

    # libraries -------------------------------------------------------------------------------------------------------------
    def _with_library(self, model: Model | None, n: int, grammar, complexity: int, equations: Sequence[int]) -> Model:
        """The best system after adding a library's supports; the first library stands beside every later one."""
        grammars = [grammar] if n == 0 else [self.libraries[0][0], grammar]
        library = self._generated(grammars, complexity)
        if library is not None and n == 0:
            library = library.extended([term.body for expr in self.guess.values() for term in terms(expr)])
        found = skeletons(grammar, self.columns, complexity)
        if n == 0 and library is None:
            columns = len(self.columns)
            msg = f"a first library of at most {MOST_LIBRARY} terms was required, grammar {grammar} has none or more for {columns} columns"
            raise ValueError(msg)
        if library is None:
            return model
        if n == 0:
            self.library = library
        offered: list[list[Alternative]] = [[] for _ in self.states]
        for i in equations:
            if i in self.fixed:
                continue
            if n == 0 or len(library) > len(self.library):
                offered[i] = supports(self._expecting(library, i), self.forms, self.grid, i, LATER if n else OFFERED)
            if found and not self.judge.late:
                size = float(np.median(self.scale))
                offered[i] += with_skeletons(self.library, found, self.problem(i), self.grid, size, LATER)
            if n == 0 and self.states[i] in self.guess:
                offered[i].insert(0, guessed(self._expecting(library, i), self.guess[self.states[i]]))
            if n:
                offered[i] = promising(offered[i], [model.parts[i]], self.problem(i))
            self.pool[i] += offered[i]
        if model is None:
            model = self.judge.settle([p[0] for p in self.pool])
        self.told(f"{'+'.join(map(str, grammars))}: {len(library)} terms")
        model = self._stepped(self.judge.improve(model, offered, sweeps=1 if n else 2))
        for _ in range(FOLLOWED if n == 0 else 0):
            before, model = model, self._again(model)
            if model is before:
                break
        return model

    def _again(self, model: Model) -> Model:
        """The supports once more with projections along the model's solution instead of the samples, where that is within the noise."""
        measured = range(len(self.data.states))
        if all(self.exact(model, i) for i in measured) or not all(self.exact(model, i) or self.white(model, i) for i in measured):
            return model
        self._project(followed(self.curves, self.judge.cut(self.judge.pieces), model.refined, self.scale))
        offered = [
            supports(self._expecting(self.library, i), self.forms, self.grid, i, LATER) if i in self.searched else []
            for i in range(len(self.states))
        ]
        for i in self.searched:
            offered[i] = promising(offered[i], [model.parts[i]], self.problem(i))
            self.pool[i] += offered[i]
        return self._stepped(self.judge.improve(model, offered, sweeps=1))

    def _expecting(self, library: Library, i: int) -> Library:
        """The library as one equation sees it: the terms of its guess are expected."""
        guess = self.guess.get(self.states[i])
        return library if guess is None else library.expecting([term.body for term in terms(guess)])

    def _generated(self, grammars: list, complexity: int) -> Library | None:
        """The library, with smaller terms where there would be too many; None where even the smallest are."""
        for size in range(complexity, 0, -1):
            try:
                return Library.generate(grammars, self.columns, size)
            except ValueError:
                continue
        return None

    def _stepped(self, model: Model) -> Model:
        """Drop, exchange and add single terms as long as the description gets shorter."""
        changed = True
        while changed and not self.judge.late:
            before = model
            for i in self.searched:
                problem = self.problem(i)
                near = neighbours(model.parts[i], problem, self.grid, STEPS)
                fewer = len(model.parts[i].terms)
                near = near[:fewer] + promising(near[fewer:], [model.parts[i]], problem)
                model = self.judge.improve(model, [near if j == i else [] for j in range(len(self.states))], sweeps=1)
            changed = model is not before
        return model

    def _pruned(self, model: Model) -> Model:
        """Without negligible terms, as long as the fit stays exact: the solver that data come from follows a slightly different field."""
        measured = range(len(self.data.states))
        for i in self.searched:
            k = 0
            while all(self.exact(model, j) for j in measured) and k < len(tiny := self.judge.negligible(model.refined, i)):
                part = model.parts[i]
                simpler = Alternative.of(without(part.expr, tiny[k]), part.origin)
                trial = self.judge.judge(replaced(model, i, simpler), model)
                k += 1
                if all(self.exact(trial, j) for j in measured):
                    model, k = trial, 0
        return model

    def _steady(self, model: Model) -> Model:
        """Of systems that explain noisy data about as well, one whose solutions stay bounded from where nothing was measured, too."""
        if not model.refined.finite or all(self.exact(model, i) for i in range(len(self.data.states))):
            return model
        n = self.judge.independent(model)
        near = [m for m in self.judge.ranked() if m.nats(n) <= model.nats(n) + EXPLODES][:RIVALS]
        cost = [m.nats(n) + EXPLODES * self._explosions(m) for m in near]
        return near[int(np.argmin(cost))] if near else model

    def _explosions(self, model: Model) -> float:
        """Share of solutions that explode, from initial states off the measured ones."""
        program, first, count = Program.of(model.refined.system), {}, []
        for piece, start in zip(self.judge.cut(self.judge.pieces), model.refined.starts, strict=True):
            first.setdefault(piece.curve, start)
        for curve, start in list(first.items())[:RIVALS]:
            item = self.curves[curve].data
            u = item.u if item.u.shape[1] else None
            for factor in OFF:
                x = program.integrate(program.constants[None], factor * start[None], item.t, u, rtol=1e-4, scale=self.scale)
                count.append(not np.isfinite(x).all())
        return float(np.mean(count))

    # judgement --------------------------------------------------------------------------------------------------------------
    def left(self, model: Model) -> np.ndarray:
        """(states,) the residuals' root mean squares in units of the states' spreads; Inf where the system explodes."""
        r = model.refined
        if not r.finite:
            return np.full(len(self.states), np.inf)
        return RESOLUTION * np.sqrt(r.rss / np.maximum(r.count, 1) / r.floor) * self.scale / self.spread

    def exact(self, model: Model, i: int) -> bool:
        """Whether a state's residuals are as good as none."""
        return bool(self.left(model)[i] < EXACT)

    def white(self, model: Model, i: int) -> bool:
        """Whether a state's residuals pass for independent."""
        r = model.refined
        return bool(r.finite and r.independent[i] >= WHITE * r.count[i])

    def fits(self, model: Model, i: int) -> bool:
        """Whether an equation leaves nothing to explain."""
        j = self._measured(i)
        return self.exact(model, j) or self.white(model, j)

    def _measured(self, i: int) -> int:
        """The measured state whose residuals judge an equation."""
        return i - len(self.data.states) if self.order == 2 else i

    def settled(self, model: Model, i: int) -> bool:
        """Whether an equation is not looked at again: it fits exactly with two constants, or with few of the quadratic terms there are."""
        right, d, j = model.parts[i].expr, len(self.columns), self._measured(i)
        quadratic = all(t.complexity <= QUADRATIC for t in summands(right))
        if self.exact(model, j):
            return len(right.constants) <= PLAIN or (quadratic and len(summands(right)) <= (d + 1) * (d + 2) // 4)
        return self.white(model, j) and quadratic and len(summands(right)) <= PLAIN

    # own searches -----------------------------------------------------------------------------------------------------------
    def _own(self, model: Model) -> Model:
        """Equations that no library settles are searched by symnum itself; sparse data first by a neural field."""
        model = self._neural(model)
        for i in self.searched:
            if self.settled(model, i) or (self.white(model, i % len(self.data.states)) and len(model.parts[i].expr.constants) <= SETTLED):
                continue
            left = self.deadline - time.monotonic()
            if left < 0.3:
                break
            found = promising(self._discovered(i, left), [model.parts[i]], self.problem(i))
            self.told(f"{self.states[i]}': {len(found)} formulas of its own")
            self.pool[i] += found
            model = self.judge.improve(model, [found if j == i else [] for j in range(len(self.states))], sweeps=1)
        return model

    def _neural(self, model: Model) -> Model:
        """Where samples are too sparse to be smoothed and no library explains them: what a neural vector field suggests."""
        measured = range(len(self.data.states))
        left = self.deadline - time.monotonic()
        explained = bool((self.left(model)[: len(measured)] < UNEXPLAINED).all())
        if self.order == 2 or left < NEURAL_SECONDS or (explained and all(self.fits(model, i) for i in self.searched)):
            return model
        wanted, why = worth_it(self.data)
        if not wanted:
            return model
        self.notes.append(why)
        self.told(why)
        found = neural_alternatives(self.data, left / 2, self.seed)
        offered = [[Alternative.of(e, "neural field") for e in found[name]] for name in self.states]
        for parts in zip(*offered, strict=False):  # single exchanges cannot leave a system that stands still
            model = self.judge.better(model, self.judge.judge(parts, model))
        for i, alternatives in enumerate(offered):
            self.pool[i] += alternatives
        return self.judge.improve(model, offered, sweeps=2)

    def problem(self, i: int) -> OdeProblem:
        """The equation of a state."""
        if i not in self.problems:
            self.problems[i] = OdeProblem.of(self.curves, self.forms[0], i, self.columns, self.along)
        return self.problems[i]

    def _discovered(self, i: int, seconds: float) -> list[Alternative]:
        found = discover(
            self.problem(i), self.grammar, time_limit=seconds, max_evaluations=OWN, max_complexity=LARGEST, seed=self.seed,
            threads=self.threads,
        )
        out = {}
        for c in sorted(found.front, key=lambda c: c.loss):
            for expr in (c.best, c.expr):
                floating = freed(expr)
                out.setdefault(floating.with_constants([0.0] * len(floating.constants)), floating)
        return [Alternative.of(e, "search") for e in list(out.values())[: 2 * OFFERED]]

    # exact constants --------------------------------------------------------------------------------------------------------
    def _snapped(self, model: Model) -> Model:
        """Constants become exact numbers where that describes the data more briefly, and no less well than chance would have it."""
        for i in self.searched:
            k = 0
            while not self.judge.late:
                expr = self.fitted(model, i)
                at = [p for p, t in enumerate(expr.tokens) if isinstance(t, float)]
                if k >= len(at):
                    break
                k += 1
                for exact in ((0,), *near_exact(expr.tokens[at[k - 1]])):
                    tokens = (*expr.tokens[: at[k - 1]], *exact, *expr.tokens[at[k - 1] + 1 :])
                    bits = sum(np.log(abs(t) + 1) for t in exact if isinstance(t, int))
                    trial = Alternative(Expr(tokens).simplify(), model.parts[i].nats + bits, model.parts[i].origin)
                    better = self.judge.better(model, self.judge.judge(replaced(model, i, trial), model))
                    if better is not model:
                        model, k = better, k - 1
                        break
        return model

    def fitted(self, model: Model, i: int) -> Expr:
        """An equation with its fitted constants."""
        return model.refined.system.equations[i]


def freed(expr: Expr) -> Expr:
    """The formula with its exact numbers free to be fitted, exponents apart."""
    tokens = list(expr.tokens)
    for p, token in enumerate(tokens):
        follower = tokens[p + 1] if p + 1 < len(tokens) else None
        if isinstance(token, int) and follower is not OPS["power"] and abs(token) > 1:
            tokens[p] = float(token)
    return Expr(tuple(tokens))


def guessed(library: Library, expr: Expr) -> Alternative:
    """A guess as a sum of the library's terms, which it was extended by."""
    parts = {library.terms.index(term.body): term.coefficient for term in terms(expr)}
    columns = sorted(parts)
    return alternative(library, columns, [parts[j] for j in columns])


def system_of(model: Model) -> System:
    """The model's system in reading form."""
    system = model.refined.system
    return System(system.states, tuple(e.simplify() for e in system.equations), system.inputs, system.time)
