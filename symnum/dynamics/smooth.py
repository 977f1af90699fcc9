"""Smoothing of measured curves: values, derivatives and the noise, from irregular samples with gaps.

A quintic spline through every sample with a penalty on its third derivative, whose weight is chosen by restricted maximum
likelihood (Wahba 1985, doi:10.1214/aos/1176349743): noiseless samples are interpolated, noisy ones are smoothed. Long curves
are smoothed in overlapping pieces.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

ORDER = 5  # degree of the spline
WINDOW = 240  # samples of a piece; what costs grows with their cube
OVERLAP = 40  # samples that neighbouring pieces share
LEAST = 8  # samples that a curve must have
MULTIPLICATIVE = 4.0  # nats by which noise in proportion to the state must explain the residuals better
MUCH = 4.0  # times the squared residuals by which smoothing in proportion may leave more than plain smoothing
GRID = np.geomspace(1e-14, 1e8, 111)  # penalties that are tried, relative to the data's spacing


@dataclass(frozen=True)
class Smooth:
    """One smoothed curve.

    Attributes:
        pieces: (from, to, spline) in order of time; neighbours overlap and are blended.
        sigma: the noise's standard deviation, of a state of size 1 where it is multiplicative.
        multiplicative: whether the noise is in proportion to the state.
        residual: measured minus smoothed values, at the samples.
    """

    pieces: tuple
    sigma: float
    multiplicative: bool
    residual: np.ndarray

    def __call__(self, t: np.ndarray, derivative: int = 0) -> np.ndarray:
        """(times,) the curve or its derivative; before and after the samples a straight line, as a spline would soon be far off."""
        t = np.asarray(t, float)
        inside = np.clip(t, self.pieces[0][0], self.pieces[-1][1])
        if (inside == t).all():
            return self._inside(t, derivative)
        if derivative == 0:
            return self._inside(inside, 0) + (t - inside) * self._inside(inside, 1)
        return np.where((inside == t) | (derivative == 1), self._inside(inside, derivative), 0.0)

    def _inside(self, t: np.ndarray, derivative: int) -> np.ndarray:
        if len(self.pieces) == 1:
            return self.pieces[0][2](t, derivative)
        out, weight = np.zeros_like(t), np.zeros_like(t)
        for first, last, spline in self.pieces:
            rows = (t >= first) & (t <= last)
            s = t[rows]
            w = np.minimum(s - first, last - s) / (last - first) + 1e-9  # a derivative of the weights is small beside the curves' agreement
            w = w**3
            out[rows] += w * spline(s, derivative)
            weight[rows] += w
        return out / weight

    def slope(self) -> "Smooth":
        """The derivative as a curve of its own, without samples."""
        pieces = tuple((first, last, spline.derivative()) for first, last, spline in self.pieces)
        return Smooth(pieces, self.sigma, False, np.zeros(0))

    def noise(self, x: np.ndarray) -> np.ndarray:
        """The noise's standard deviation where the state is x."""
        return self.sigma * np.abs(x) if self.multiplicative else np.full(np.shape(x), self.sigma)


def smooth(t: np.ndarray, x: np.ndarray) -> Smooth:
    """Smooth one curve.

    Args:
        t: (n,) increasing times.
        x: (n,) values; NaN where missing.

    Raises:
        ValueError: fewer than eight samples.

    >>> t = np.linspace(0, 6, 100)
    >>> curve = smooth(t, np.sin(t))
    >>> bool(abs(curve(t, 1) - np.cos(t)).max() < 1e-5)
    True
    """
    present = np.isfinite(x)
    t, x = np.asarray(t, float)[present], np.asarray(x, float)[present]
    if len(t) < LEAST:
        msg = f"at least {LEAST} samples were required to smooth a curve, got {len(t)}"
        raise ValueError(msg)
    found = _smooth(t, x, np.ones(len(t)))
    curve = x - found.residual
    size = np.abs(curve)
    floor = 0.02 * np.sqrt(np.mean(curve**2))
    if found.sigma > 0 and floor > 0:
        add = len(t) / 2 * np.log(np.mean(found.residual**2))
        scaled = np.sqrt(size**2 + floor**2)
        times = len(t) / 2 * np.log(np.mean((found.residual / scaled) ** 2)) + np.log(scaled).sum()
        if times < add - MULTIPLICATIVE:
            again = _smooth(t, x, scaled)
            if np.mean((again.residual / scaled) ** 2) < MUCH * np.mean((found.residual / scaled) ** 2):  # else signal was smoothed away
                return replace(again, multiplicative=True)
    return found


def _smooth(t: np.ndarray, x: np.ndarray, size: np.ndarray) -> Smooth:
    """Smooth with noise in proportion to `size` (n,), in pieces."""
    pieces, residual, squares, freedom = [], np.zeros(len(t)), 0.0, 0.0
    for low, high in _windows(len(t)):
        spline, sigma, left = _piece(t[low:high], x[low:high], size[low:high])
        pieces.append((t[low], t[high - 1], spline))
        residual[low:high] = left
        squares, freedom = squares + sigma**2 * (high - low), freedom + (high - low)
    found = Smooth(tuple(pieces), float(np.sqrt(squares / freedom)), False, residual)
    return replace(found, residual=x - found(t)) if len(pieces) > 1 else found


def _windows(n: int) -> Sequence[tuple[int, int]]:
    if n <= WINDOW:
        return [(0, n)]
    count = int(np.ceil((n - OVERLAP) / (WINDOW - OVERLAP)))
    starts = np.linspace(0, n - WINDOW, count).round().astype(int)
    return [(s, s + WINDOW) for s in starts]


def _piece(t: np.ndarray, x: np.ndarray, size: np.ndarray):
    """The spline, the noise's standard deviation for size 1, and the residuals."""
    from scipy.interpolate import BSpline

    n, span = len(t), t[-1] - t[0]
    s = (t - t[0]) / span * (n - 1)
    knots = _knots(s)
    B = BSpline.design_matrix(s, knots, ORDER).toarray() / size[:, None]
    Q, R = np.linalg.qr(B)
    root = np.linalg.solve(R.T, _penalty_root(knots, n).T)
    U, singular, _ = np.linalg.svd(root, full_matrices=False)
    order = np.argsort(singular)
    U, d = U[:, order], singular[order] ** 2
    z = U.T @ (Q.T @ (x / size))
    free = slice(3, None)  # quadratics are not penalised
    inverse = 1 / np.maximum(GRID[:, None] * d[None, free], 1e-300)
    spread = 1 + inverse
    variance = (z[free] ** 2 / spread).mean(axis=1)
    score = (n - 3) * np.log(np.maximum(variance, 1e-300)) + np.log(spread).sum(axis=1)
    best = int(np.argmin(score))
    shrink = np.ones(n)
    shrink[free] = inverse[best] / spread[best]
    fitted = U @ (shrink * z)
    spline = BSpline(knots, np.linalg.solve(R, fitted), ORDER)
    real = BSpline(t[0] + knots * span / (n - 1), spline.c, ORDER)
    return real, float(np.sqrt(variance[best])), x - (Q @ fitted) * size


def _knots(s: np.ndarray) -> np.ndarray:
    """Knots of the interpolating spline: at the samples, but the two next to each end."""
    half = (ORDER + 1) // 2
    return np.concatenate([np.repeat(s[0], ORDER + 1), s[half:-half], np.repeat(s[-1], ORDER + 1)])


def _penalty_root(knots: np.ndarray, n: int) -> np.ndarray:
    """Rows whose squares sum to the integral of the squared third derivative: Gauss's rule of three points, exact."""
    from scipy.interpolate import BSpline

    edges = np.unique(knots)
    gap = np.diff(edges)
    nodes, weights = np.polynomial.legendre.leggauss(3)
    at = (edges[:-1, None] + gap[:, None] * (nodes + 1) / 2).ravel()
    root = np.sqrt((gap[:, None] * weights / 2).ravel())
    third = BSpline(knots, np.eye(n), ORDER).derivative(3)
    return third(at) * root[:, None]
