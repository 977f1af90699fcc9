"""Which right-hand sides are true together: judged by integration.

A system is judged by how briefly it describes the measured trajectories: residuals of its solution (constants and initial
states fitted through the integrator), constants, and structure. Autocorrelated residuals count for as many as are independent.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from symnum.dynamics.integrate import compilable
from symnum.dynamics.refine import Piece, Refined, growth, pieces_of, refine
from symnum.dynamics.system import System
from symnum.dynamics.weak import Curve
from symnum.equations.ode_pool import Alternative
from symnum.language.expr import Expr
from symnum.language.ops import OPS

SHORT = 8  # pieces of a trajectory to begin with: short ones keep a badly started system near the data
FEW_STEPS = 6  # of a refinement that only ranks
MOST_GROWTH = 100.0  # by how much a disturbance may grow within a piece
TINY = 100.0  # times what the integrator resolves
NEGLIGIBLE = 1e-3  # share of a slope that a term must contribute where there is no noise but a solver's error
DOUBTFUL = 12.0  # nats that a term of less costs
HANDFUL = 6.0  # independent residuals at least
WHITE = 0.6  # share of the residuals that must be independent to pass for white
HOPELESS = 10.0  # nats by which a system in short pieces may be behind one in long pieces


@dataclass(frozen=True)
class Model:
    """A system that was judged.

    Attributes:
        parts: the alternative of every equation.
        refined: with fitted constants.
        structure: nats of its structure and constants.
    """

    parts: tuple[Alternative, ...]
    refined: Refined
    structure: float

    def nats(self, independent: np.ndarray) -> float:
        """Nats to describe the data; `independent` (states,) residuals count."""
        r = self.refined
        if not r.finite:
            return np.inf
        return float((independent / 2 * r.logs).sum() + self.structure)


@dataclass
class Judge:
    """Judges systems on trajectories; remembers all it has judged.

    Attributes:
        states, inputs, time: the system's names.
        curves: the smoothed trajectories.
        scale: (states,) the size of the states.
        deadline: seconds (monotonic) after which no further system is begun.
    """

    states: tuple[str, ...]
    inputs: tuple[str, ...]
    time: str
    curves: Sequence[Curve]
    scale: np.ndarray
    deadline: float
    pieces: int = 1
    models: dict = field(default_factory=dict)
    levels: dict = field(default_factory=dict)

    def cut(self, count: int) -> list[Piece]:
        """The trajectories in `count` pieces each."""
        if count not in self.levels:
            self.levels[count] = pieces_of(self.curves, count)
        return self.levels[count]

    @property
    def late(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self.deadline

    def key(self, parts: Sequence[Alternative]) -> tuple:
        """What tells structures apart: the equations without their constants' values."""
        return tuple(p.expr.with_constants([0.0] * len(p.expr.constants)) for p in parts), self.pieces

    def judge(self, parts: Sequence[Alternative], start: Model | None = None) -> Model:
        """Fit and judge a system.

        Constants of equations that `start` has too begin where they ended there. A system that is hopeless beside `start`
        even with its trajectories in short pieces is not fitted further, and loses.
        """
        parts = tuple(parts)
        key = self.key(parts)
        if key in self.models:
            return self.models[key]
        equations = [p.expr for p in parts]
        if start is not None:
            fitted = start.refined.system.equations
            same = [p.expr == q.expr for p, q in zip(parts, start.parts, strict=True)]
            equations = [f if s else e for e, f, s in zip(equations, fitted, same, strict=True)]
        system, structure = System(self.states, tuple(equations), self.inputs, self.time), self._structure(parts)
        if not compilable(system):
            msg = "systems of built-in operators were required to be refined"
            raise ValueError(msg)
        if self.pieces < SHORT:
            rough = refine(system, self.cut(SHORT), self.scale, steps=FEW_STEPS)
            if start is not None and rough.finite and start.refined.finite:
                n = self.independent(start)
                if Model(parts, rough, structure).nats(n) > start.nats(n) + HOPELESS:
                    model = Model(parts, replace(rough, rss=np.full_like(rough.rss, np.inf)), structure)
                    self.models[key] = model
                    return model
            system = rough.system
        fit = refine(system, self.cut(self.pieces), self.scale)
        model = Model(parts, fit, structure + DOUBTFUL * self._negligible(fit))
        self.models[key] = model
        return model

    def _negligible(self, fit: Refined) -> int:
        """Terms of almost noiseless fits that contribute less to a slope than the data's own solver is off by."""
        tiny = fit.rss < TINY**2 * fit.floor * fit.count
        if not fit.finite or not tiny.any():
            return 0
        return sum(len(self.negligible(fit, i)) for i in range(len(self.states)))

    def negligible(self, fit: Refined, i: int) -> list[int]:
        """Which terms contribute next to nothing to the slope of a state along the first trajectory."""
        curve = self.curves[0]
        columns = dict(zip((*self.states, *self.inputs), np.column_stack([curve.x, curve.u]).T, strict=True)) | {self.time: curve.grid}
        terms = summands(fit.system.equations[i])
        with np.errstate(all="ignore"):
            sizes = [np.sqrt(np.mean(np.square(term(columns)))) for term in terms] if len(terms) > 1 else []
        limit = NEGLIGIBLE * np.sqrt(np.mean(curve.slope[:, i] ** 2))
        return [k for k, size in enumerate(sizes) if size < limit]

    def _structure(self, parts: Sequence[Alternative]) -> float:
        rows = sum(np.isfinite(c.data.x).sum() for c in self.curves) / len(self.states)
        return sum(p.nats for p in parts) + sum(len(p.expr.constants) for p in parts) / 2 * np.log(rows)

    def independent(self, model: Model) -> np.ndarray:
        """(states,) independent residuals of a model.

        Tiny residuals with structure are errors of the solver that the data come from: it has followed a slightly different
        vector field, and terms that imitate the difference would pay if each sample counted. They are worth a handful.
        """
        r = model.refined
        tiny = (r.rss < TINY**2 * r.floor * r.count) & (r.independent < WHITE * r.count)
        return np.where(r.count > 0, np.where(tiny, HANDFUL, np.maximum(r.independent, HANDFUL)), 0.0)

    def settle(self, parts: Sequence[Alternative]) -> Model:
        """Judge a system with its trajectories in as few pieces as its chaos allows."""
        self.pieces = SHORT
        model = self.judge(parts)
        if model.refined.finite:
            r = model.refined
            grows = growth(r.system, self.cut(SHORT), r.starts, self.scale)
            self.pieces = max(1, math.ceil(grows / math.log(MOST_GROWTH)))
        again = self.judge(parts, model)
        if again.refined.finite or not model.refined.finite:
            return again
        self.pieces = SHORT
        return model

    def improve(self, model: Model, pool: Sequence[Sequence[Alternative]], sweeps: int = 3) -> Model:
        """Exchange one equation at a time for an alternative of its pool, as long as the description gets shorter."""
        for _ in range(sweeps):
            before = model
            for i, alternatives in enumerate(pool):
                for part in alternatives:
                    if self.late:
                        return model
                    model = self.better(model, self.judge(replaced(model, i, part), model))
            if model is before:
                break
        return model

    def better(self, a: Model, b: Model) -> Model:
        """The one that describes the data more briefly; residuals count as independent as the closer fit's are."""
        if not b.refined.finite or not a.refined.finite:
            return a if a.refined.finite or not b.refined.finite else b
        closer = a if a.refined.misfit <= b.refined.misfit else b
        n = self.independent(closer)
        return b if b.nats(n) < a.nats(n) else a

    def ranked(self) -> list[Model]:
        """All models judged at the final pieces, the most briefly describing first; explosive ones last."""
        models = [m for (_, pieces), m in self.models.items() if pieces == self.pieces]
        finite = [m for m in models if m.refined.finite]
        if not finite:
            return models
        n = self.independent(min(finite, key=lambda m: m.refined.misfit))
        return sorted(models, key=lambda m: m.nats(n))


def summands(expr: Expr) -> list[Expr]:
    """The terms of a sum, signs apart."""
    if expr.op is OPS["add"] or expr.op is OPS["sub"]:
        return [t for a in expr.arguments for t in summands(a)]
    return [expr]


def without(expr: Expr, k: int) -> Expr:
    """A sum of at least two terms without its k-th."""
    if expr.op is not OPS["add"] and expr.op is not OPS["sub"]:
        msg = f"a sum was required to leave out a term, got {expr}"
        raise ValueError(msg)
    left, right = expr.arguments
    count = len(summands(left))
    if k < count:
        rest = None if count == 1 else without(left, k)
        return Expr.apply(expr.op, rest, right) if rest is not None else right if expr.op is OPS["add"] else -right
    rest = None if len(summands(right)) == 1 else without(right, k - count)
    return left if rest is None else Expr.apply(expr.op, left, rest)


def replaced(model: Model, i: int, part: Alternative) -> tuple[Alternative, ...]:
    """The model's parts with another equation."""
    return (*model.parts[:i], part, *model.parts[i + 1 :])
