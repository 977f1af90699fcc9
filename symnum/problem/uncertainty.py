"""How well a formula's free constants are known, and what that leaves open in a prediction.

The formula is linearised at its fitted constants, f(c) = f + J (c - c0), on the training rows:

    least squares      C = s² (J'WJ)^-1,  s² = sum w r² / (n - p), or the known sigma²       (Bates & Watts 1988, §2.3)
    other losses l     C = H^-1 G H^-1 n/(n - p),  H = J' diag(w l'') J,  G = J' diag(w² l'²) J   (Huber 1967: the sandwich)

`profile` does without the linearisation: it moves one constant, refits the others, and finds where the sum of squares has
risen to the threshold of the F test (Bates & Watts 1988, §6.1, doi:10.1002/9780470316757).
"""

from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from symnum.evaluate.constants import fit_constants
from symnum.evaluate.cpu import CpuEvaluator, Rows
from symnum.evaluate.machine import MSE
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import CONST, NUMBER
from symnum.problem.noise import NORMAL

if TYPE_CHECKING:
    from symnum.problem.regression import RegressionProblem

SINGULAR = 1e-9  # relative singular value of the jacobian below which a direction is not determined by the data
METHODS = ("wald", "profile")
WIDEST = 60  # doublings of a profile interval before an end counts as open


@dataclass(frozen=True, slots=True)
class Interval:
    """A free constant with its confidence interval.

    Attributes:
        position: which free constant of the formula, in postfix order.
        value: as fitted.
        low, high: the ends; infinite where the data do not determine the constant.
        std: the standard error from the jacobian, whatever the method.
        level: the confidence, e.g. 0.95.
    """

    position: int
    value: float
    low: float
    high: float
    std: float
    level: float


@dataclass(frozen=True)
class Fitted:
    """A formula on the training rows of a regression problem, in the table's own magnitudes.

    Attributes:
        problem: a `RegressionProblem`.
        expr: the formula, constants fitted.

    >>> from symnum.problem.regression import RegressionProblem
    >>> from symnum.problem.table import as_table
    >>> x = np.linspace(0, 1, 9)
    >>> fitted = Fitted(RegressionProblem(as_table(x[:, None], 3 * x + np.tile([0.1, 0.0, -0.1], 3))), Expr.parse("3.0*x0"))
    >>> [(round(i.low, 3), round(i.high, 3)) for i in fitted.intervals()]
    [(2.888, 3.112)]
    """

    problem: "RegressionProblem"
    expr: Expr

    @cached_property
    def rows(self) -> Rows:
        """The rows that the constants were fitted to, with the normalised weights of the loss."""
        return self.problem.plain

    @cached_property
    def _values(self):
        return CpuEvaluator(1).jacobian(self._batch, self.rows)

    @property
    def _batch(self) -> Batch:
        return Batch.pack([self.expr], self.rows.names)

    @property
    def scale(self) -> float:
        """The power of ten that targets, values and residuals are divided by, 1 unless magnitudes are extreme."""
        return self.problem.scale[1]

    @property
    def target(self) -> np.ndarray:
        """(n,) targets / scale."""
        return self.rows.y[: self.rows.n] / self.scale

    @property
    def value(self) -> np.ndarray:
        """(n,) the formula's values / scale."""
        return self._values.y[0] / self.scale

    @cached_property
    def residual(self) -> np.ndarray:
        """(n,) target minus formula, / scale."""
        with np.errstate(all="ignore"):
            return self.target - self.value

    @cached_property
    def _size(self) -> np.ndarray:
        """(p,) the largest derivative by every constant: constants are counted in units of 1 / it, for their squares may leave float64."""
        size = np.max(np.abs(self._values.jac[0]), axis=0, initial=0.0)
        return np.where((size > 0) & np.isfinite(size), size, 1.0)

    @cached_property
    def _jacobian(self) -> np.ndarray:
        """(n, p) derivatives by the free constants / (their size)."""
        with np.errstate(all="ignore"):
            return self._values.jac[0] / self._size

    @cached_property
    def weight(self) -> np.ndarray:
        """(n,) the inverse of every row's variance, up to the factor sigma²."""
        return self.problem.precision[self.problem.plain_index]

    @property
    def freedom(self) -> int:
        """Degrees of freedom that the fit leaves, at least 1."""
        return max(self.rows.n - len(self.expr.constants), 1)

    @property
    def _squares(self) -> bool:
        """Whether the loss is a sum of squares."""
        return self.problem.loss.kind == MSE

    @cached_property
    def sigma(self) -> float:
        """The noise's standard deviation in a row of weight 1: known, or what the residuals show (robustly for robust losses)."""
        if self.problem.sigma is not None:
            return self.problem.sigma
        if self._squares:
            return float(np.sqrt(np.dot(self.weight, self.residual**2) / self.freedom) * self.problem.sigma_unit)
        return float(NORMAL * np.median(np.abs(np.sqrt(self.weight) * self.residual)) * np.sqrt(self.rows.n / self.freedom) * self.scale)

    @cached_property
    def _whitened(self) -> np.ndarray:
        """(n, p) the jacobian, rows weighted by the square root of the loss's curvature."""
        curvature = 1.0 if self._squares else self.problem._scaled_loss.derivatives(self.target, self.value)[1]
        return self._jacobian * np.sqrt(self.weight * curvature)[:, None]

    @cached_property
    def _spread(self) -> np.ndarray:
        """(p, p) the covariance of the constants in units of scale / size; infinite variances where the data leave one open."""
        p = len(self.expr.constants)
        if not p or self.rows.n < p or not np.isfinite(self._whitened).all() or not np.isfinite(self.residual).all():
            return np.diag(np.full(p, np.inf))
        _, s, V = np.linalg.svd(self._whitened, full_matrices=False)
        known = s > SINGULAR * s[0]
        inverse = (V.T[:, known] / s[known] ** 2) @ V[known]
        if self._squares:
            C = (self.sigma / self.problem.sigma_unit) ** 2 * inverse
        else:
            slope = self.weight * self.problem._scaled_loss.derivatives(self.target, self.value)[0]
            G = self._jacobian * slope[:, None]
            C = inverse @ (G.T @ G) @ inverse * self.rows.n / self.freedom
        open_ = (np.abs(V[~known]) > 1e-4).any(axis=0)  # constants in directions along which the formula does not change
        C[open_, :], C[:, open_] = 0.0, 0.0
        C[open_, open_] = np.inf
        return C

    @cached_property
    def standard_errors(self) -> np.ndarray:
        """(p,) of the free constants; infinite where the data leave one open."""
        with np.errstate(all="ignore"):
            return np.sqrt(np.diag(self._spread)) / self._size * self.scale

    @property
    def left_out(self) -> np.ndarray:
        """(n,) what each row would be predicted as by constants fitted without it, from its leverage: y - r / (1 - h).

        (Cook & Weisberg 1982, §2.2; exact where the constants are linear.)
        """
        U, s, _ = np.linalg.svd(np.nan_to_num(self._whitened), full_matrices=False)
        leverage = np.sum(U[:, s > SINGULAR * s.max(initial=0.0)] ** 2, axis=1)
        return (self.target - self.residual / np.maximum(1 - leverage, 1e-6)) * self.scale

    def quantile(self, level: float) -> float:
        """Half the width of the interval in standard errors: of Student's t, or of the normal distribution where sigma is known."""
        from scipy.stats import norm, t

        tail = 0.5 + level / 2
        return float(norm.ppf(tail) if self.problem.sigma is not None or not self._squares else t.ppf(tail, self.freedom))

    def intervals(self, level: float = 0.95, method: str = "wald") -> list[Interval]:
        """A confidence interval for every free constant of the formula.

        Args:
            level: the confidence, between 0 and 1.
            method: `wald`, from the jacobian; `profile`, from the profile likelihood (least squares only).

        Raises:
            ValueError: a level outside (0, 1), an unknown method, or a profile of a loss that is no sum of squares.
        """
        if not 0 < level < 1:
            msg = f"a confidence level between 0 and 1 was required, got {level}"
            raise ValueError(msg)
        if method not in METHODS:
            msg = f"a method among {', '.join(METHODS)} was required, got {method!r}"
            raise ValueError(msg)
        if method == "profile" and (not self._squares or self.problem.loss.function is not None):
            msg = f"profile intervals need least squares, the loss is {self.problem.loss.name!r}; take method='wald'"
            raise ValueError(msg)
        width, out = self.quantile(level), []
        profile = _Profile(self, width) if method == "profile" and self.expr.constants else None
        for i, (c, std) in enumerate(zip(self.expr.constants, self.standard_errors.tolist(), strict=True)):
            low, high = (c - width * std, c + width * std) if profile is None else (profile.end(i, -1), profile.end(i, 1))
            out.append(Interval(i, c, low, high, std, level))
        return out

    def prediction_std(self, X: np.ndarray) -> np.ndarray:
        """The standard deviation of a new measurement at X (rows, columns): sqrt(sigma² + j C j').

        The noise of a row of weight 1; of a relative error's share of the value, of a Poisson count its root. Directions
        that the data leave open are left out.
        """
        at = CpuEvaluator(1).jacobian(self._batch, Rows.pack(X, self.rows.names))
        C = np.where(np.isfinite(self._spread), self._spread, 0.0)
        with np.errstate(all="ignore"):
            j = at.jac[0] / self._size
            own = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", j, C, j), 0.0)) * self.scale
            return np.hypot(self.problem.loss.noise_std(self.sigma, at.y[0]), own)


class _Profile:
    """The sum of squares as a function of one constant, the others refitted."""

    def __init__(self, fitted: Fitted, width: float):
        self.fitted, self.batch = fitted, fitted._batch
        self.total = float(np.sum(fitted.weight))
        refit = fit_constants(self.batch, fitted.rows, CpuEvaluator(1), iterations=100)
        self.batch, least = refit.batch, float(refit.loss[0]) * self.total
        known = fitted.problem.sigma is not None
        s2 = (fitted.sigma / fitted.problem.sigma_unit * fitted.scale) ** 2 if known else least / fitted.freedom
        self.limit = least + width**2 * s2  # t² is the quantile of F(1, n - p)
        self.at = np.flatnonzero(self.batch.code == CONST)

    def end(self, i: int, side: int) -> float:
        """Where the sum of squares crosses its threshold below (side -1) or above (1) the constant; infinite where it never does."""
        from scipy.optimize import brentq

        best = float(self.batch.value[self.at[i]])
        step = float(self.fitted.standard_errors[i]) or abs(best) * 1e-15
        if not np.isfinite(step):
            return side * np.inf
        self.warm = self.batch

        @cache  # the refit starts where the last one ended: asked twice, it might answer differently
        def excess(errors: float) -> float:
            return self._excess(i, best + side * errors * step)

        if excess(0.0) >= 0:
            return best
        low, high = 0.0, 1.0
        for _ in range(WIDEST):
            if excess(high) > 0:
                return best + side * step * float(brentq(excess, low, high, xtol=1e-4, rtol=1e-6))
            low, high = high, 2 * high
        return side * np.inf

    def _excess(self, i: int, value: float) -> float:
        """The relative excess over the threshold with constant i at `value`; the others start where they were last."""
        at = self.at[i]
        code, values = self.batch.code.copy(), self.warm.value.copy()
        code[at], values[at] = NUMBER, value
        fit = fit_constants(replace(self.batch, code=code, value=values), self.fitted.rows, CpuEvaluator(1), iterations=50)
        loss = float(fit.loss[0])
        if not np.isfinite(loss):
            return 1.0  # outside the formula's domain
        self.warm = fit.batch
        return min((loss * self.total - self.limit) / (self.limit or 1.0), 1.0)
