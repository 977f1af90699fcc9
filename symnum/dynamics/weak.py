"""The weak form of x' = f: projections on bumps, which need no derivative of the data.

    ∫ φ f(x) dt = -∫ φ' x dt        for φ(s) = (1 - s²)^p on |s| < 1 (and zero with its derivatives at the ends)

(Messenger & Bortz 2021, doi:10.1137/20M1343166.) Integrals are taken on a fine grid over smoothed states, with the samples'
deviations from them added by the trapezoid rule: exact for smooth curves, unbiased for noisy ones, at irregular times.
The projections are made independent for white noise in the samples (Bortz, Messenger & Dukic 2023, doi:10.1007/s11538-023-01208-6).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from symnum.dynamics.smooth import Smooth, smooth
from symnum.dynamics.trajectory import Trajectory

POWER = 6  # p: five derivatives of a bump vanish at its ends
FINE = 6  # points of the grid per sample
MOST_POINTS = 4000  # of a trajectory's grid
NARROWEST = 4.0  # samples in half a bump
WIDEN = 1.7  # from one width to the next
WIDEST = 0.45  # share of a trajectory in half a bump
PACE = 0.3  # centres of neighbouring bumps in half-widths
MOST_BUMPS = 240  # of one width on one trajectory
INDEPENDENT = 1e-9  # directions of less variance, relative to the largest, are left out …
UNEVEN = 1e-3  # … where gaps are uneven or samples missing: there the noise in smoothed states is more than this little variance says


def bump(s: np.ndarray, p: int = POWER, derivative: int = 0) -> np.ndarray:
    """(1 - s²)^p or one of its first two derivatives; zero outside |s| < 1.

    >>> bump(np.array([0.0, 0.5, 1.0]), 2)
    array([1.    , 0.5625, 0.    ])
    """
    s = np.asarray(s, float)
    q = np.maximum(1 - s * s, 0.0)
    if derivative == 0:
        return q**p
    if derivative == 1:
        return -2 * p * s * q ** (p - 1)
    return -2 * p * q ** (p - 1) + 4 * p * (p - 1) * s * s * q ** (p - 2)


@dataclass(frozen=True)
class Curve:
    """One trajectory, smoothed, with the grid on which integrals are taken.

    Attributes:
        data: what was measured.
        smooths: one per state; of a second-order system the velocities' follow, of which no sample is measured.
        grid: (G,) times, from where every state has been measured to where one no longer is.
        x, slope: (G, states) smoothed states and derivatives there.
        u: (G, inputs).
        weight: (G,) of the trapezoid rule.
    """

    data: Trajectory
    smooths: tuple[Smooth, ...]
    grid: np.ndarray
    x: np.ndarray
    slope: np.ndarray
    u: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, data: Trajectory, order: int = 1) -> "Curve":
        """Smooth every state of a trajectory; with order 2, velocities become states that nobody measured.

        Raises:
            ValueError: a state has too few samples.
        """
        smooths = tuple(smooth(data.t, column) for column in data.x.T)
        if order == 2:
            smooths += tuple(s.slope() for s in smooths)
            data = replace(data, x=np.column_stack([data.x, np.full_like(data.x, np.nan)]))
        points = int(min(FINE * (len(data) - 1) + 1, max(MOST_POINTS, len(data))))
        seen = [data.t[np.isfinite(column)] for column in data.x.T[: len(smooths) // order]]
        first, last = max(t[0] for t in seen), min(t[-1] for t in seen)
        if not first < last:  # never measured at the same time
            first, last = data.t[0], data.t[-1]
        grid = np.linspace(first, last, points)
        x = np.column_stack([s(grid) for s in smooths])
        slope = np.column_stack([s(grid, 1) for s in smooths])
        u = np.column_stack([np.interp(grid, data.t, column) for column in data.u.T]) if data.u.shape[1] else np.zeros((points, 0))
        weight = np.full(points, grid[1] - grid[0])
        weight[[0, -1]] /= 2
        return cls(data, smooths, grid, x, slope, u, weight)

    @cached_property
    def spacing(self) -> float:
        """The mean time between samples."""
        return float((self.data.t[-1] - self.data.t[0]) / (len(self.data) - 1))


def widths(curves: list[Curve]) -> list[float]:
    """Half-widths of bumps, from a few samples to a good part of the longest trajectory."""
    longest = max(c.grid[-1] - c.grid[0] for c in curves)
    least = NARROWEST * min(c.spacing for c in curves)
    out = [min(least, WIDEST * longest)]
    while out[-1] * WIDEN < WIDEST * longest:
        out.append(out[-1] * WIDEN)
    return out


@dataclass(frozen=True)
class Weak:
    """Independent projections of a system's data.

    Attributes:
        operators: per curve, (K, G) what turns values on the grid into projections.
        target: per state, (rows,) the projections of its derivative.
    """

    operators: tuple[np.ndarray, ...]
    target: np.ndarray

    @property
    def rows(self) -> int:
        """Projections in all."""
        return self.target.shape[1]

    def project(self, values: np.ndarray) -> np.ndarray:
        """(rows, …) projections of values (points of all grids, …): one matrix product per curve."""
        out, start = [], 0
        for operator in self.operators:
            out.append(operator @ values[start : start + operator.shape[1]])
            start += operator.shape[1]
        return np.concatenate(out)


def weak_form(curves: list[Curve], half_widths: list[float], order: int = 1) -> Weak:
    """Projections on bumps of all the given half-widths that fit into each trajectory.

    With order 2 the second half of the states are velocities: the targets of their equations are projections of the
    positions on second derivatives of the bumps; the positions' own equations have no target (NaN).

    >>> t = np.linspace(0, 6, 60)
    >>> curve = Curve.of(Trajectory(t, np.exp(-t)[:, None], np.zeros((60, 0))))
    >>> weak = weak_form([curve], [1.0])
    >>> bool(abs(weak.project(-curve.x)[:, 0] - weak.target[0]).max() < 1e-6)
    True
    """
    operators, targets = [], []
    for curve in curves:
        operator, target = _of_curve(curve, half_widths, order)
        operators.append(operator)
        targets.append(target)
    return Weak(tuple(operators), np.concatenate(targets, axis=1))


def _of_curve(curve: Curve, half_widths: list[float], order: int) -> tuple[np.ndarray, np.ndarray]:
    first, last, t = curve.grid[0], curve.grid[-1], curve.data.t
    gaps = np.zeros(len(t))
    gaps[:-1] += np.diff(t) / 2
    gaps[1:] += np.diff(t) / 2
    values, slopes, samples = [], [], []
    for half in half_widths:
        room = last - first - 2 * half
        if room < 0:
            continue
        count = int(min(MOST_BUMPS, max(1, np.ceil(room / (PACE * half)) + 1)))
        for centre in np.linspace(first + half, last - half, count):
            s = (curve.grid - centre) / half
            size = (-1) ** order / np.sqrt(half)  # white noise then has the same variance in every projection
            values.append(abs(size) * half**order * bump(s) * curve.weight)
            slopes.append(size * bump(s, derivative=order) * curve.weight)
            samples.append(size * bump((t - centre) / half, derivative=order) * gaps)
    if not values:
        return np.zeros((0, len(curve.grid))), np.zeros((curve.x.shape[1], 0))
    value, slope, sample = map(np.array, (values, slopes, samples))
    variance, directions = np.linalg.eigh(sample @ sample.T)
    even = np.diff(t).max() < 2 * np.median(np.diff(t)) and np.isfinite(curve.data.x[:, : len(curve.smooths) // order]).all()
    kept = variance > (INDEPENDENT if even else UNEVEN) * variance[-1]
    whiten = (directions[:, kept] / np.sqrt(variance[kept])).T
    measured = curve.smooths[: len(curve.smooths) // order]
    target = [np.full(int(kept.sum()), np.nan)] * (len(curve.smooths) - len(measured))
    for i, s in enumerate(measured):
        present = np.isfinite(curve.data.x[:, i])
        deviation = np.zeros(len(t))
        deviation[present] = s.residual
        target.append(whiten @ (slope @ curve.x[:, i] + sample @ deviation))
    return whiten @ value, np.array(target)
