"""Regression: y = f(x) from a table.

Rows are split once: a hold-out part that no search sees (the verdict), and training rows, of which searches look at a
spread sample (`search`) while what reaches the front is refitted on all of them (`train`). Columns of extreme magnitude
are scaled by powers of ten only: c * x^p stays a power law.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np

from symnum.evaluate.constants import fit_constants
from symnum.evaluate.cpu import CpuEvaluator, Rows
from symnum.evaluate.machine import HUBER, LOGCOSH, MAE, MSE
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import OPS, Op, compile_spelling
from symnum.language.typed import Typing
from symnum.problem import dimension
from symnum.problem.base import Score, Verdict
from symnum.problem.constraint import Constraint, Constraints, Judgement
from symnum.problem.description import data_length, description_length
from symnum.problem.losses import TUNING, Loss
from symnum.problem.noise import Noise, estimate_sigma
from symnum.problem.residuals import explained
from symnum.problem.screen import screened
from symnum.problem.table import Table
from symnum.problem.uncertainty import Fitted
from symnum.problem.views import may_be_view, slope, through_inverse

SEARCH_ROWS = 128  # rows that a search looks at, once there are more than twice as many
FIT_ROWS = 10_000  # rows that constants on the front are fitted to; their loss is on all training rows
PROBE_COLUMNS = 100  # columns whose extreme rows belong to the probe
HOLDOUT = 0.2  # share of rows held out …
HOLDOUT_FROM = 50  # … where there are at least so many
EXTREME = 1e30  # beyond this (or below its inverse) a column is scaled by a power of ten: cubes would leave float64


@dataclass(frozen=True)
class RegressionProblem:
    """A table and a loss.

    Attributes:
        table: the checked data.
        loss: how misfit is measured.
        holdout: share of rows held out; None holds out 20 % from 50 rows on.
        seed: of the split and of the search rows.
        sigma: the noise's standard deviation in a row of weight 1, where it is known.
        constants: where all columns have units, whether fitted constants may carry one: `dimensionless`, `free`, or `auto`:
            only where pure numbers do not suffice (`dimension.free_constants`).
        constraints: what every formula must comply with (`symnum.problem.constraint`).

    >>> from symnum.problem.table import as_table
    >>> X = np.linspace(1, 2, 60)[:, None]
    >>> problem = RegressionProblem(as_table(X, 3 * X[:, 0]))
    >>> problem.train.n, problem.verify(Expr.parse("3*x0")).holdout_r2
    (48, 1.0)
    """

    table: Table
    loss: Loss = Loss("mse")
    holdout: float | None = None
    seed: int = 0
    sigma: float | None = None
    constants: str = "auto"
    constraints: tuple[Constraint, ...] = ()

    @classmethod
    def from_table(
        cls,
        table: Table,
        loss="mse",
        holdout: float | None = None,
        seed: int | None = 0,
        sigma: float | np.ndarray | None = None,
        constants: str = "auto",
        constraints: Iterable[str | Constraint] = (),
    ) -> "RegressionProblem":
        """A problem from a checked table.

        Args:
            table: the data.
            loss: by name, or a function.
            holdout, seed: see the class.
            sigma: the known standard deviation of y, one for all rows or (rows,); a row then weighs 1 / sigma².
            constants: see the class.
            constraints: texts such as `y >= 0` or `increasing(x0) for 0 <= x0 <= 10`, or objects.

        Raises:
            ValueError: unknown loss, or one that the target does not allow; a hold-out share outside [0, 0.9]; a sigma that is
                not positive, or that does not go with the loss; `constants` that are to be dimensionless where the columns' units
                do not make the target's; a constraint that cannot be read or names no column.
        """
        if holdout is not None and not 0 <= holdout <= 0.9:
            msg = f"a hold-out share in [0, 0.9] was required, got {holdout}"
            raise ValueError(msg)
        loss = Loss.of(loss)
        table, sigma = _with_sigma(table, loss, sigma)
        dimension.check_constants(table, constants)
        table = dimension.noted(table, constants)
        constraints = Constraints.of(constraints, table.names, table.X, 0.0, table.target).items
        problem = cls(table, loss, holdout, seed or 0, sigma, constants, constraints)
        problem.loss.row_weights(table.y, problem._weight)
        rows = len(problem._split[0])
        if rows < 2:
            msg = f"at least 2 training rows of positive weight were required, got {rows} of {len(table)} with holdout={holdout}"
            raise ValueError(msg)
        return replace(problem, loss=replace(loss, parameter=problem._transition)) if loss.automatic else problem

    def screened(self, keep: int | str | None = "auto", always: Iterable[str] = ()) -> "RegressionProblem":
        """The problem without the columns that tell nothing about the target on the training rows (`symnum.problem.screen`).

        Args:
            keep: how many columns; `auto` for those that tell something, where there are more than 20; None for all.
            always: columns to keep in any case, beside those that constraints name.
        """
        named = [name for c in self.constraints for name in c.columns] + [name for name in always if name in self.names]
        kept = screened(self.table, self._split[0], keep, tuple(dict.fromkeys(named)), self.seed)
        return self if kept is self.table else replace(self, table=dimension.noted(kept, self.constants))

    @property
    def config(self) -> dict[str, Any]:
        """What a resumed run must have in common, beside the data."""
        known = {} if self.sigma is None else {"sigma": self.sigma}
        typed = {} if self.typing is None else {"units": dict(self.table.units), "constants": self.constants}
        stated = {"constraints": self._known.texts} if self.constraints else {}
        return {"loss": self.loss.name, "holdout": self.holdout, "split_seed": self.seed} | known | typed | stated

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return self.table.names

    @property
    def target(self) -> str:
        """The target's name."""
        return self.table.target

    @property
    def fingerprint(self) -> str:
        """Of the data: a resumed run must have the same."""
        return self.table.fingerprint

    @cached_property
    def typing(self) -> Typing | None:
        """The dimensions that formulas must respect, or None where a unit is not known."""
        found = dimension.of_table(self.table)
        return None if found is None else Typing(*found, free=dimension.free_constants(self.table, self.constants))

    @property
    def dims(self) -> np.ndarray | None:
        """(features, 7) exponents of kg, m, s, A, K, mol, cd; None where a unit is not known."""
        return None if self.typing is None else self.typing.dims

    @property
    def target_dim(self) -> np.ndarray | None:
        """(7,) exponents of the target's unit, None where a unit is not known."""
        return None if self.typing is None else self.typing.target

    @property
    def _weight(self) -> np.ndarray:
        return np.ones(len(self.table.y)) if self.table.weight is None else np.asarray(self.table.weight, float)

    @cached_property
    def _split(self) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers of the training and of the held-out part, among the rows of positive weight."""
        weighted = np.flatnonzero(self._weight > 0)
        n = len(weighted)
        share = self.holdout if self.holdout is not None else HOLDOUT if n >= HOLDOUT_FROM else 0.0
        order = np.random.default_rng([self.seed, 1]).permutation(weighted)
        cut = n - int(round(share * n))
        return np.sort(order[:cut]), np.sort(order[cut:])

    @cached_property
    def scale(self) -> tuple[np.ndarray, float]:
        """Powers of ten that columns and target are divided by; 1 unless a magnitude is extreme."""
        return np.array([_power_of_ten(c) for c in self.table.X.T]), _power_of_ten(self.table.y)

    @cached_property
    def _scaled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        columns, target = self.scale
        y = self.table.y / target
        return self.table.X / columns, y, self.loss.row_weights(y, self._weight)

    def _rows(self, index: np.ndarray) -> Rows:
        X, y, weight = self._scaled
        return Rows.pack(X[index], self.names, y[index], weight[index])

    @property
    def rows(self) -> int:
        """How many training rows there are: losses are over all of them, whereas constants are fitted to at most `FIT_ROWS`."""
        return len(self._split[0])

    @cached_property
    def train(self) -> Rows:
        """The training rows, at most `FIT_ROWS` of them."""
        return self._rows(_sample(self._split[0], FIT_ROWS, self.seed))

    @cached_property
    def search(self) -> Rows:
        """The rows a search looks at."""
        index = self._split[0]
        return self.train if len(index) <= 2 * SEARCH_ROWS else self._rows(_sample(index, SEARCH_ROWS, self.seed))

    @cached_property
    def probe(self) -> Rows:
        """A few rows on which functions are told apart: a sample, and where each column is least and greatest.

        The extremes keep a column that is zero on most rows from passing for the constant 0.
        """
        train = self._split[0]
        X = self.table.X[train, :PROBE_COLUMNS]
        extremes = train[np.concatenate([X.argmin(axis=0), X.argmax(axis=0)])]
        return self._rows(np.union1d(_sample(train, 16, self.seed), extremes))

    @cached_property
    def _all_rows(self) -> Rows:
        """Every training row; `train` where that is all of them."""
        return self.train if len(self._split[0]) <= FIT_ROWS else self._rows(self._split[0])

    @cached_property
    def loss_scale(self) -> float:
        """From the kernels' normalised weights back to the mean loss.

        In the target's units; where the target is scaled, in units of its power of ten (its square may leave float64).
        """
        train = self._split[0]
        return float(self._scaled[2][train].sum() / self._weight[train].sum())

    @cached_property
    def floor(self) -> float:
        """The loss that rounding in float64 alone leaves."""
        _, y, weight = self._scaled
        train = self._split[0]
        return self.loss.floor(y[train], weight[train]) * self.loss_scale

    @cached_property
    def resolution(self) -> float:
        """The loss below which the digits that the target is written with say nothing; at least `floor`."""
        if self.loss.kind != MSE or self.loss.function is not None:
            return self.floor
        train = self._split[0]
        step = decimal_step(self.table.y[train]) / self.scale[1]  # uniform within a step: variance step²/12
        return max(self.floor, float(self._scaled[2][train].mean() * step**2 / 12 / self._weight[train].mean()))

    @cached_property
    def _scaled_loss(self) -> Loss:
        """The loss of scaled targets: a transition is in the target's units."""
        return replace(self.loss, parameter=self.loss.parameter / self.scale[1]) if self.loss.kind == HUBER else self.loss

    # noise ----------------------------------------------------------------------------------------------------------------
    @cached_property
    def noise(self) -> Noise:
        """The noise of the training rows, estimated without a formula."""
        return self._noise(robust=self.loss.kind in (MAE, HUBER, LOGCOSH))

    def _noise(self, robust: bool) -> Noise:
        train = self._split[0]
        found = estimate_sigma(self.table.X[train], self.table.y[train] / self.scale[1], self.precision[train], robust=robust)
        return replace(found, sigma=found.sigma * self.sigma_unit, error=found.error * self.sigma_unit)

    @property
    def _transition(self) -> float:
        """Where huber's loss leaves the square: in units of the noise, and above what rounding leaves."""
        sigma = self._noise(robust=True).sigma if self.sigma is None else self.sigma
        return max(TUNING * sigma, 1e-9 * float(np.max(np.abs(self.table.y))), 1e-290)

    def explained(self, expr: Expr) -> bool:
        """Whether the formula (in scaled magnitudes) leaves nothing but noise; False where that cannot be told."""
        return explained(self, self.unscale(expr))

    def description(self, forms: Iterable[Expr]) -> float:
        """Nats to describe the data by a formula, given in one form or several, in the table's magnitudes."""
        return description_length(self, list(forms))

    def nats(self, expr: Expr) -> float | None:
        """-log likelihood of the training rows by a formula in the table's magnitudes; None where that is n/2 log of the loss."""
        return data_length(self, expr)

    def values(self, expr: Expr, index: np.ndarray) -> np.ndarray:
        """(rows of index,) a formula's values on rows of the table, in its magnitudes."""
        columns = {name: self.table.X[index, self.names.index(name)] for name in expr.variables if name in self.names}
        return np.broadcast_to(expr(columns), len(index))

    @cached_property
    def precision(self) -> np.ndarray:
        """(all rows,) the inverse of every scaled row's variance, up to the factor (sigma / sigma_unit)²."""
        return self._weight / (self.table.y / self.scale[1]) ** 2 if self.loss.name == "relative" else self._weight

    @property
    def sigma_unit(self) -> float:
        """What sigma is counted in while the target is scaled: the target's power of ten; of a relative loss it is a pure number."""
        return 1.0 if self.loss.name == "relative" else self.scale[1]

    @cached_property
    def plain_index(self) -> np.ndarray:
        """The numbers of the rows that constants are fitted to."""
        return _sample(self._split[0], FIT_ROWS, self.seed)

    @cached_property
    def plain(self) -> Rows:
        """The rows that constants are fitted to, in the table's own magnitudes: for finished formulas."""
        index = self.plain_index
        return Rows.pack(self.table.X[index], self.names, self.table.y[index], self.precision[index])

    def views(self, operators: Iterable[Op]) -> tuple[str, ...]:
        """Names of unary operators g under which the target may be looked at: y = g(f) is searched as g⁻¹(y) = f."""
        if self.loss.kind != MSE or self.loss.function is not None:
            return ()
        return tuple(sorted(op.name for op in operators if may_be_view(op) and self._view_rows(op.name) is not None))

    def _view_rows(self, name: str) -> Rows | None:
        """The search rows with target T = g⁻¹(y) and weights times (dg/dT)², which keeps small errors in T as large as in y."""
        if name not in self._views:
            self._views[name] = _through_inverse(OPS[name], self.search)
        return self._views[name]

    @cached_property
    def _views(self) -> dict[str, Rows | None]:
        return {}

    def score(
        self, batch: Batch, evaluator: CpuEvaluator, *, full: bool = False, view: str = "", iterations: int = 6, starts: int = 1
    ) -> Score:
        """Fit the free constants and measure; see `Problem.score`. Losses are mean losses in the target's units."""
        rows = self._view_rows(view) if view else self.train if full else self.search
        loss = self._scaled_loss
        fit = fit_constants(
            batch, rows, evaluator, kind=loss.kind, parameter=loss.parameter, iterations=iterations, starts=starts, seed=self.seed
        )
        with np.errstate(over="ignore"):  # a loss beyond float64 is Inf
            losses = fit.loss * self.loss_scale * (self._view_scale(view) if view else 1.0)
        if full and self._all_rows is not rows:
            rows = self._all_rows
            losses = evaluator.loss(fit.batch, rows, loss.kind, loss.parameter) * self.loss_scale
        if loss.function is not None:
            values = evaluator.values(fit.batch, rows)
            w = rows.weight[: rows.n]
            with np.errstate(all="ignore"):
                losses = np.array(
                    [np.dot(w, loss.function(rows.y[: rows.n], p)) if ok else np.inf for p, ok in zip(values.y, values.ok, strict=True)]
                )
            losses = np.where(np.isfinite(losses), losses, np.inf)
        if self.constraints:  # off the front, and for searches behind every constant, but not out of sight
            losses = losses + np.where(self._comply(fit.batch, evaluator, full, view), 0.0, np.inf if full else self._constant_loss)
        return Score(fit.batch, losses, int(fit.passes.sum()), int((fit.passes * batch.lengths).sum()) * rows.n)

    # what the user knows ------------------------------------------------------------------------------------------------------
    @cached_property
    def _known(self) -> Constraints:
        """The constraints over the training rows."""
        train = self._split[0]
        return Constraints(self.constraints, self.names, self.table.X[train], float(np.std(self.table.y[train])), self.target)

    @cached_property
    def _points(self) -> tuple[Rows, Rows]:
        """The constraints' points in scaled magnitudes: few for batches of shapes, many for candidates."""
        return tuple(Rows.pack(probe.X / self.scale[0], self.names) for probe in (self._known.few, self._known.many))

    def _comply(self, batch: Batch, evaluator: CpuEvaluator, full: bool, view: str) -> np.ndarray:
        """(P,) whether expressions comply with every constraint, on points; those of a view g stand for g of them."""
        values = evaluator.values(batch, self._points[full]).y
        with np.errstate(all="ignore"):
            values = (compile_spelling(OPS[view], "numpy")(values) if view else values) * self.scale[1]
        return self._known.comply(values, self._known.many if full else self._known.few).all(axis=0)

    @cached_property
    def _constant_loss(self) -> float:
        """The least loss of a constant on the search rows."""
        loss, batch = self._scaled_loss, Batch.pack([Expr.const(1.0)], self.names)
        fit = fit_constants(batch, self.search, CpuEvaluator(1), kind=loss.kind, parameter=loss.parameter, iterations=20)
        return float(fit.loss[0]) * self.loss_scale

    def judgements(self, expr: Expr) -> list[Judgement]:
        """What is known of a finished formula and each constraint: proved, holds on so many points, or violated."""
        return self._known.judge(expr) if self.constraints else []

    def admits(self, expr: Expr) -> bool:
        """Whether no constraint is known to be violated by a formula in the table's magnitudes."""
        return not self.constraints or self._known.admits(expr)

    def _view_scale(self, view: str) -> float:
        """What the normalisation of a view's weights took out: the mean of (dg/dT)²."""
        rows = self._view_rows(view)
        total = self.search.weight[: rows.n]
        return float(np.sum(total * slope(OPS[view], rows.y[: rows.n], self.search.y[: rows.n]) ** 2))

    def unscale(self, expr: Expr) -> Expr:
        """The formula in the table's own magnitudes."""
        columns, target = self.scale
        moved = {n: Expr.var(n) / Expr.const(float(s)) for n, s in zip(self.names, columns, strict=True) if s != 1.0}
        out = expr.substitute(moved) if moved else expr
        if target != 1.0:
            out = out * Expr.const(float(target))
        return out  # as it is: simplifying would join powers of ten that only together leave float64

    def holdout_loss(self, expr: Expr) -> float | None:
        """The mean loss on the held-out rows, None where there are none; `expr` in the table's magnitudes."""
        test = self._split[1]
        if len(test) == 0:
            return None
        scale = self.scale[1]
        with np.errstate(all="ignore"):
            p, y = self.values(expr, test) / scale, self.table.y[test] / scale
            return float(np.average(self._scaled_loss.rows(y, p), weights=self._weight[test]))

    def validation(self, expr: Expr) -> tuple[float, float]:
        """Mean loss on rows that the constants were not fitted to, and its standard error.

        On the rows held out, or where there are fewer than two, on training rows left out one at a time.
        """
        index, scale = self._split[1], self.scale[1]
        with np.errstate(all="ignore"):
            if len(index) >= 2:
                p = self.values(expr, index)
            else:
                index = self.plain_index
                p = Fitted(self, expr).left_out
            rows = self._scaled_loss.rows(self.table.y[index] / scale, p / scale)
            w = self._weight[index] / self._weight[index].sum()
            mean = float(w @ rows)
            return mean, float(np.sqrt(w**2 @ (rows - mean) ** 2))

    def verify(self, expr: Expr) -> Verdict:
        """Coefficient of determination on training rows and on the held-out rows; `expr` in the table's magnitudes."""
        train, test = self._split
        r2 = self._r2(expr, train)
        if len(test) < 2:
            return Verdict(r2, None, len(train), 0, f"R² = {r2:.6g} on {len(train)} rows; too few rows to hold some out")
        held = self._r2(expr, test)
        word = "holds" if held > r2 - 0.1 * (1 - r2) - 0.02 else "does worse"
        return Verdict(
            r2, held, len(train), len(test), f"R² = {r2:.6g} on {len(train)} rows; {word} on {len(test)} rows held out: R² = {held:.6g}"
        )

    def _r2(self, expr: Expr, index: np.ndarray) -> float:
        y, w = self.table.y[index], self._weight[index]
        with np.errstate(all="ignore"):
            p = self.values(expr, index)
            scale = np.max(np.abs(y)) or 1.0  # squares of extreme targets would leave float64
            residual = np.average(((p - y) / scale) ** 2, weights=w)
            spread = np.average(((y - np.average(y, weights=w)) / scale) ** 2, weights=w)
        if spread == 0:
            return 1.0 if residual < 1e-24 else 0.0
        return float(1 - residual / spread)


def _with_sigma(table: Table, loss: Loss, sigma) -> tuple[Table, float | None]:
    """The table with known errors in its weights, and the standard deviation of a row of weight 1."""
    if sigma is None:
        return table, loss.parameter if loss.name.startswith("gaussian:") else None
    if loss.name not in ("mse", "huber"):
        msg = f"a known sigma needs the loss 'mse', or 'huber' (which then turns at {TUNING} sigma), got {loss.name!r}"
        raise ValueError(msg)
    sigma = np.asarray(sigma, float)
    if sigma.ndim and loss.name == "huber":
        msg = "huber's loss turns at one distance in all rows: it needs one sigma, got one per row; take loss='mse', or y / sigma as target"
        raise ValueError(msg)
    if sigma.shape not in ((), table.y.shape) or not ((sigma > 0) & (sigma < np.inf)).all():
        msg = f"sigma must be one positive number or one per row ({len(table)}), got shape {sigma.shape}, least value {np.min(sigma):g}"
        raise ValueError(msg)
    if sigma.ndim == 0:
        return table, float(sigma)
    unit = float(np.exp(np.mean(np.log(sigma))))
    weight = np.ones(len(table)) if table.weight is None else table.weight
    return replace(table, weight=weight * (unit / sigma) ** 2), unit


def _through_inverse(op: Op, rows: Rows) -> Rows | None:
    """The rows seen through g⁻¹, or None where that loses something."""
    seen = through_inverse(op, rows.y[: rows.n], rows.weight[: rows.n])
    if seen is None or np.ptp(seen[0]) == 0:
        return None
    target, weight = np.zeros_like(rows.y), np.zeros_like(rows.weight)
    target[: rows.n], weight[: rows.n] = seen
    return replace(rows, y=target, weight=weight / weight.sum())


def decimal_step(y: np.ndarray) -> float:
    """The last decimal place that the numbers use, 0 where they are whole or use more than 10 digits (and so are binary).

    >>> decimal_step(np.array([87.77, 4332.6])), decimal_step(np.array([0.1 + 0.2])), decimal_step(np.array([3.0]))
    (0.01, 0.0, 0.0)
    """
    written = [Decimal(repr(float(v))).normalize().as_tuple() for v in y[:1000]]
    finest = min(d.exponent for d in written)
    return 0.0 if finest >= 0 or max(len(d.digits) for d in written) > 10 else float(Decimal(1).scaleb(finest))


def _power_of_ten(column: np.ndarray) -> float:
    size = np.max(np.abs(column), initial=0.0)
    if size == 0 or 1 / EXTREME < size < EXTREME:
        return 1.0
    return float(10.0 ** np.clip(np.floor(np.log10(size)), -300, 300))


def _sample(index: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most `most` of the rows, spread at random, in order."""
    if len(index) <= most:
        return index
    return np.sort(np.random.default_rng([seed, 2]).choice(index, most, replace=False))
