"""A smooth stand-in for y(x) on scattered rows, with gradients: what the structure tests look at.

Two models, the one with the smaller leave-one-out error wins: a Gaussian process (squared exponential, one length scale per
column, plus a linear part; Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, eqs. 2.25, 5.9 and 5.12) and a
polynomial of total degree up to 5. Columns and target may be seen through a logarithm, in which power laws are linear.
"""

import time
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Protocol

import numpy as np

from symnum.problem.gaussian import GaussianProcess

Array = np.ndarray
MOST_ROWS, MOST_POLYNOMIAL_ROWS = 300, 1000


class Model(Protocol):
    """What is asked of a fitted model on standardised coordinates."""

    loo: Array  # (n,) leave-one-out predictions of the fitted rows

    def value(self, U: Array) -> Array: ...
    def gradient(self, U: Array) -> tuple[Array, Array]: ...
    def hessian(self, U: Array) -> Array: ...


class Polynomial:
    """Least squares on all monomials up to a total degree; coordinates within about [-1, 1].

    >>> u = np.linspace(-1, 1, 20)[:, None]
    >>> p = Polynomial(u, u[:, 0] ** 3, 3)
    >>> p.gradient(np.array([[0.5]]))[0].round(6)
    array([[0.75]])
    """

    def __init__(self, U: Array, t: Array, degree: int):
        d = U.shape[1]
        self.degree = degree
        self.powers = np.array([np.bincount(c, minlength=d) for k in range(degree + 1) for c in combinations_with_replacement(range(d), k)
                                ], dtype=int).reshape(-1, d)
        q, self._r = np.linalg.qr(self._basis(U, self.powers))
        if np.abs(np.diag(self._r)).min() < 1e-10 * np.abs(np.diag(self._r)).max():
            msg = f"{len(self.powers)} independent monomials are required, the rows tell fewer apart; try a lower degree"
            raise np.linalg.LinAlgError(msg)
        self.coefficients = np.linalg.solve(self._r, q.T @ t)
        residual = (t - q @ (q.T @ t)) / np.maximum(1.0 - (q * q).sum(1), 1e-6)
        self.loo = t - residual
        self._sigma = np.sqrt(np.mean(residual**2))

    @staticmethod
    def terms(d: int, degree: int) -> int:
        """The number of monomials in `d` columns up to `degree`."""
        return int(np.prod([(d + k + 1) / (k + 1) for k in range(degree)]) + 0.5)

    def _basis(self, U: Array, powers: Array) -> Array:
        table = U[:, :, None] ** np.arange(self.degree + 1)
        out = np.ones((len(U), len(powers)))
        for i in range(U.shape[1]):
            out *= table[:, i, powers[:, i]]
        return out

    def _slope(self, U: Array, *along: int) -> Array:
        """The basis differentiated along the given columns."""
        powers, factor = self.powers.copy(), np.ones(len(self.powers))
        for i in along:
            factor *= powers[:, i]
            powers[:, i] = np.maximum(powers[:, i] - 1, 0)
        return self._basis(U, powers) * factor

    def value(self, U: Array) -> Array:
        return self._basis(U, self.powers) @ self.coefficients

    def gradient(self, U: Array) -> tuple[Array, Array]:
        slopes = [self._slope(U, i) for i in range(U.shape[1])]
        mean = np.column_stack([s @ self.coefficients for s in slopes])
        error = np.column_stack([self._sigma * np.linalg.norm(np.linalg.solve(self._r.T, s.T), axis=0) for s in slopes])
        return mean, error

    def hessian(self, U: Array) -> Array:
        d = U.shape[1]
        out = np.empty((len(U), d, d))
        for i in range(d):
            for j in range(i + 1):
                out[:, i, j] = out[:, j, i] = self._slope(U, i, j) @ self.coefficients
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Surrogate:
    """A fitted stand-in for y(x), looked at on some of the rows.

    Attributes:
        X, y: the rows it is looked at (n, d), (n,).
        log_target: whether t = log|y| was fitted, or t = y.
        predicted: leave-one-out predictions of y (n,).
        error: standard deviation (`trimmed`) of the leave-one-out residuals of t, over that of t.
        gradient, gradient_error: dt/dx and its standard error (n, d).
        model: the model, on the coordinates `coordinates(X)`; its target is (t - offset)/spread.
    """

    X: Array
    y: Array
    log_target: bool
    predicted: Array
    error: float
    gradient: Array
    gradient_error: Array
    model: Model
    frame: "Frame"

    def value(self, X: Array) -> Array:
        """The prediction of y at rows (m, d)."""
        return self.frame.back(self.model.value(self.frame.coordinates(X)))

    def component(self, g: int) -> Array:
        """The part of y on the own rows (n,) that the columns of group g make: a term, or where the target is log|y| a factor."""
        t = self.frame.spread * self.model.component(self.frame.coordinates(self.X), g)
        return np.exp(t - t.mean()) if self.log_target else t - t.mean()

    def hessian(self, X: Array | None = None) -> Array:
        """The second derivatives of t with respect to the columns (m, d, d), at `X` or the own rows; mixed ones are exact."""
        X = self.X if X is None else X
        u, slope = self.frame.coordinates(X), self.frame.slope(X)
        return self.frame.spread * self.model.hessian(u) * slope[:, :, None] * slope[:, None, :]

    def residuals(self, predicted: Array, y: Array) -> Array:
        """The residuals (at most 1) that predictions of y would have in the view (t) of this surrogate, over the spread of t."""
        with np.errstate(all="ignore"):
            r = (view(predicted, self.log_target) - view(y, self.log_target)) / self.frame.spread
            r = np.where(self.log_target & (np.sign(predicted) != np.sign(y)), 1.0, r)
        return np.clip(np.nan_to_num(r, nan=1.0, posinf=1.0, neginf=-1.0), -1, 1)


def view(y: Array, log: bool) -> Array:
    """log|y| or y itself."""
    return np.log(np.abs(y)) if log else y


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Standardised coordinates: which columns are seen through log|x|, their centres and widths; the same for the target."""

    logs: Array
    center: Array
    width: Array
    log_target: bool
    offset: float
    spread: float
    sign: float

    @classmethod
    def of(cls, X: Array, y: Array, logs: Array, log_target: bool) -> "Frame":
        """The frame that makes the columns and the target have mean 0 and variance 1 (constant ones: 0)."""
        u = np.where(logs, np.log(np.abs(np.where(logs, X, 1.0))), X)
        t = view(y, log_target)
        width, spread = u.std(0), float(t.std())
        return cls(logs, u.mean(0), np.where(width > 1e-12 * np.abs(u).max(0, initial=0), width, np.inf), log_target, float(t.mean()),
                   spread if spread > 1e-12 * np.abs(t).max() else np.inf, float(np.sign(y[0])))

    def coordinates(self, X: Array) -> Array:
        """Columns to coordinates (m, d)."""
        return (np.where(self.logs, np.log(np.abs(np.where(self.logs, X, 1.0))), X) - self.center) / self.width

    def slope(self, X: Array) -> Array:
        """du/dx (m, d)."""
        return 1.0 / (np.where(self.logs, X, 1.0) * self.width)

    def target(self, y: Array) -> Array:
        """y to the model's target."""
        return (view(y, self.log_target) - self.offset) / self.spread

    def back(self, t: Array) -> Array:
        """The model's target to y."""
        t = t * self.spread + self.offset
        return self.sign * np.exp(np.minimum(t, 700.0)) if self.log_target else t


def one_signed(a: Array) -> Array:
    """Whether each column (or the vector) keeps one sign and is never 0."""
    return (a > 0).all(0) | (a < 0).all(0)


def fit_surrogate(X: Array, y: Array, *, rows: int = MOST_ROWS, seed: int = 0, deadline: float | None = None,
                  groups: tuple[tuple[int, ...], ...] | None = None, log_target: bool | None = None) -> Surrogate | None:
    """The better of a Gaussian process and a polynomial, in the better of the views raw/logarithmic of columns and target.

    Args:
        X, y: finite data (n, d), (n,).
        rows: Gaussian processes and gradients use at most so many rows, drawn by `seed`.
        deadline: no new model is tuned after this `time.monotonic()`.
        groups: columns whose functions are added (in the view): t = sum of f_g(x_g). None: one function of all.
        log_target: forces the view of the target.

    Returns:
        the surrogate, or None where there is nothing to fit: fewer than 10 rows, no column, or a constant target.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(1, 5, (200, 2))
    >>> s = fit_surrogate(X, X[:, 0] ** 2 / X[:, 1])
    >>> s.log_target, s.error < 1e-4, (s.gradient * s.X).mean(0).round(3).tolist()
    (True, True, [2.0, -1.0])
    """
    if len(y) < 10 or not X.shape[1] or np.ptp(y) <= 1e-13 * np.abs(y).max():
        return None
    order = np.random.default_rng(seed).permutation(len(y))[:MOST_POLYNOMIAL_ROWS]
    few = order[:rows]
    signed = one_signed(X)
    with np.errstate(all="ignore"):
        eligible = signed & (np.abs(X).max(0) > 1.5 * np.abs(X).min(0))
    column_views = [eligible, np.zeros_like(eligible)] if eligible.any() else [eligible]
    target_views = [v for v in (True, False) if (not v or one_signed(y)) and log_target in (None, v)]
    frames = [Frame.of(X[order], y[order], logs, v) for logs in column_views for v in target_views]
    candidates: list[tuple[float, int, Model, Frame, Array]] = []
    if groups is None:
        for frame in frames:
            candidates += _polynomials(frame, X[order], y[order], order)
    screened = []
    for frame in frames:
        u, t = frame.coordinates(X[few]), frame.target(y[few])
        gp = GaussianProcess.fit(u[:100], t[:100], groups, steps=25)
        screened.append((trimmed(gp.loo - t[:100]), len(screened), gp, frame, u, t))
        if deadline is not None and time.monotonic() > deadline:
            break
    screened.sort(key=lambda s: s[:2])
    for _, _, gp, frame, u, t in screened[:2 if len(screened) > 1 and screened[1][0] < 1.5 * screened[0][0] else 1]:
        if len(t) > 100:
            late = deadline is not None and time.monotonic() > deadline
            gp = GaussianProcess.fit(u, t, groups, steps=0 if late else 25, start=gp.parameters)
        candidates.append((trimmed(gp.loo - t), -1, gp, frame, few))
    error, _, model, frame, fitted = min(candidates, key=lambda c: c[:2])
    u = frame.coordinates(X[few])
    mean, deviation = model.gradient(u)
    slope = frame.slope(X[few]) * frame.spread
    return Surrogate(X[few], y[few], frame.log_target, frame.back(model.loo[: len(few)]), float(error), mean * slope,
                     deviation * np.abs(slope), model, frame)


def _polynomials(frame: Frame, X: Array, y: Array, order: Array) -> list[tuple[float, int, Model, Frame, Array]]:
    """The best polynomial of one frame, if any has enough rows."""
    u, t = frame.coordinates(X) / 2.0, frame.target(y)  # about [-1, 1]
    best: list = []
    for degree in range(1, 11 - 2 * min(X.shape[1], 3)):
        if Polynomial.terms(X.shape[1], degree) > min(0.5 * len(y), 300) or not np.isfinite(frame.width).all():
            break
        try:
            p = _Halved(Polynomial(u, t, degree))
        except np.linalg.LinAlgError:
            break  # too few distinct rows for this degree, and so for any higher one
        best.append((trimmed(p.loo - t), degree, p, frame, order))
    return [min(best, key=lambda b: b[:2])] if best else []


class _Halved:
    """A model fitted on u/2, asked at u."""

    def __init__(self, model: Model):
        self.model, self.loo = model, model.loo

    def value(self, U: Array) -> Array:
        return self.model.value(U / 2.0)

    def gradient(self, U: Array) -> tuple[Array, Array]:
        mean, error = self.model.gradient(U / 2.0)
        return mean / 2.0, error / 2.0

    def hessian(self, U: Array) -> Array:
        return self.model.hessian(U / 2.0) / 4.0


def trimmed(residual: Array) -> float:
    """The root mean square without the largest tenth, made equal to the standard deviation for normal residuals.

    A leave-one-out residual at the edge of the data is an extrapolation, and few columns have few, far edges.
    """
    square = np.sort(residual**2)
    return float(np.sqrt(np.mean(square[: max(len(square) * 9 // 10, 1)]) / 0.623))
