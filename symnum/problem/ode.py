"""One equation of a system, x' = f(x, u, t), as a `Problem`.

Searches look at smoothed states and slopes, point by point, where every trick of regression applies (views, two-sided
look-ups, structure); what reaches the front has its constants fitted and its loss measured in the weak form, which no
differentiation of noisy data has spoiled: one matrix product per formula.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from symnum.dynamics.weak import Curve, Weak
from symnum.evaluate.cpu import CpuEvaluator, Rows
from symnum.evaluate.values import Values
from symnum.language.batch import Batch
from symnum.problem.base import Score
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table

POINTS = 240  # smoothed points that searches look at
EDGE = 0.03  # share of a trajectory at either end where slopes are least certain
RESOLUTION = 1e-6  # relative accuracy that the weak form of smooth curves has
GAIN, LEAST_SHARE = 0.999, 0.03  # a step must reach this share of the loss, and be this share of Gauss and Newton's, for another one
WEAK_STEPS = 3  # Gauss-Newton steps of a formula's constants in the weak form


@dataclass(frozen=True)
class OdeProblem:
    """The equation of one state.

    Attributes:
        points: the regression of its slope on smoothed states and inputs.
        weak: projections of the data.
        state: the number of the state.
        grid: what formulas are projected from: states, inputs and time on the grids of the projections.

    >>> from symnum.dynamics.trajectory import Trajectories
    >>> from symnum.dynamics.weak import weak_form
    >>> from symnum.language.expr import Expr
    >>> t = np.linspace(0, 3, 60)
    >>> curves = [Curve.of(Trajectories.of(np.exp(-t), t, names=["x"]).items[0])]
    >>> problem = OdeProblem.of(curves, weak_form(curves, [1.0]), 0, ("x",))
    >>> score = problem.score(Batch.pack([Expr.parse("-0.9*x")], ("x",)), CpuEvaluator(1), full=True)
    >>> float(round(score.batch[0].constants[0], 4)), bool(score.loss[0] < 1e-10)
    (-1.0, True)
    """

    points: RegressionProblem
    weak: Weak
    state: int
    grid: Rows

    @classmethod
    def of(
        cls, curves: list[Curve], weak: Weak, state: int, columns: tuple[str, ...], along: list[Curve] | None = None, target: str = "slope"
    ) -> "OdeProblem":
        """The equation of a state from smoothed trajectories and their projections.

        Args:
            curves: the smoothed trajectories.
            weak: projections along `along`.
            state: the state's number.
            columns: names of what the equation may use: the states, then the inputs.
            along: what formulas are projected along, where that is not the smoothed trajectories.
            target: what the state's slope is called.
        """
        inner = [_inner(c) for c in curves]
        X = np.concatenate([np.column_stack([c.x, c.u])[rows] for c, rows in zip(curves, inner, strict=True)])
        y = np.concatenate([c.slope[rows, state] for c, rows in zip(curves, inner, strict=True)])
        pick = np.unique(np.linspace(0, len(y) - 1, min(POINTS, len(y))).round().astype(int))
        table = as_table(X[pick], y[pick], names=columns, target=target)
        grid = np.concatenate([np.column_stack([c.x, c.u]) for c in along or curves])
        return cls(RegressionProblem(table, holdout=0.0), weak, state, Rows.pack(grid, columns))

    def __getattr__(self, name: str):
        if name.startswith("__") or name in ("points", "weak", "state", "grid"):
            raise AttributeError(name)
        return getattr(self.points, name)

    @property
    def target_projections(self) -> np.ndarray:
        """(rows,) projections of the state's derivative."""
        return self.weak.target[self.state]

    @cached_property
    def floor(self) -> float:
        """The mean squared projection that smoothing and integration leave."""
        return float(np.mean(self.target_projections**2)) * RESOLUTION**2

    @property
    def resolution(self) -> float:
        """The same as `floor`: digits of the samples are not what limits a weak form."""
        return self.floor

    @property
    def rows(self) -> int:
        """Independent projections."""
        return self.weak.rows

    def score(
        self, batch: Batch, evaluator: CpuEvaluator, *, full: bool = False, view: str = "", iterations: int = 6, starts: int = 1
    ) -> Score:
        """See `Problem.score`: `full` fits and measures in the weak form."""
        found = self.points.score(batch, evaluator, full=full, view=view, iterations=iterations, starts=starts)
        if not full:
            return found
        fitted, loss, passes = self.fit_weakly(found.batch, evaluator)
        return replace(found, batch=fitted, loss=loss, evaluations=found.evaluations + passes)

    def fit_weakly(self, batch: Batch, evaluator: CpuEvaluator, steps: int = WEAK_STEPS) -> tuple[Batch, np.ndarray, int]:
        """Constants after some Gauss-Newton steps in the weak form, mean squared residuals, and evaluations spent."""
        loss, passes = self._loss(batch, evaluator), len(batch)
        share, start = np.ones(len(batch)), np.concatenate([[0], np.cumsum(batch.n_constants)])
        constants, active = batch.constants, np.isfinite(loss) & (batch.n_constants > 0)
        for _ in range(steps):
            which = np.flatnonzero(active)
            if not len(which):
                break
            part = batch.with_constants(constants).take(which)
            moves = self._moves(evaluator.jacobian(part, self.grid)) * share[which, None]
            span = [slice(start[p], start[p + 1]) for p in which]
            moved = [constants[s] + move[: s.stop - s.start] for s, move in zip(span, moves, strict=True)]
            after = self._loss(part.with_constants(np.concatenate(moved)), evaluator)
            passes += 2 * len(which)
            better = after < loss[which]
            for n in np.flatnonzero(better):
                constants[span[n]] = moved[n]
            active[which] = np.where(better, after < GAIN * loss[which], share[which] > LEAST_SHARE)
            share[which] = np.where(better, np.minimum(1.0, 3 * share[which]), share[which] / 5)
            loss[which] = np.minimum(loss[which], after)
        return batch.with_constants(constants), loss, passes

    def _moves(self, values: Values) -> np.ndarray:
        """(P, K) Gauss and Newton's steps, from derivatives on the grid: one product of matrices for all formulas."""
        P, _, K = values.jac.shape
        J = np.where(np.isfinite(values.jac), values.jac, 0.0)[:, : self.grid.n]
        J = self.weak.project(J.transpose(1, 0, 2).reshape(self.grid.n, P * K)).reshape(-1, P, K).transpose(1, 0, 2)
        r = self.target_projections[:, None] - self.weak.project(np.where(np.isfinite(values.y), values.y, 0.0)[:, : self.grid.n].T)
        size = np.maximum(np.linalg.norm(J, axis=1), 1e-300)
        Q, R = np.linalg.qr(J / size[:, None])
        return (np.linalg.pinv(R, rcond=1e-10) @ (Q.transpose(0, 2, 1) @ r.T[:, :, None]))[:, :, 0] / size

    def _loss(self, batch: Batch, evaluator: CpuEvaluator) -> np.ndarray:
        """(P,) mean squared residuals of the projections; Inf where a formula is not finite on the grid."""
        values = evaluator.values(batch, self.grid)
        y = np.where(values.ok[:, None], values.y, 0.0)[:, : self.grid.n]
        with np.errstate(over="ignore"):
            loss = np.mean((self.weak.project(y.T) - self.target_projections[:, None]) ** 2, axis=0)
        return np.where(values.ok & np.isfinite(loss), loss, np.inf)


def _inner(curve: Curve) -> np.ndarray:
    """Points of the grid that are not at the ends."""
    n = len(curve.grid)
    cut = max(1, int(EDGE * n))
    return np.arange(cut, n - cut)
