"""Constants and initial states by least squares through the integrator.

Multiple shooting (Bock 1983, doi:10.1007/978-1-4684-8485-8): trajectories are cut into pieces with an initial state each, so that
chaotic and badly started systems stay close to the data; the pieces' states are eliminated, so that a step costs as much as
for one trajectory. Each state has its own unknown noise level (maximum likelihood: its residuals' mean square).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from symnum.dynamics.integrate import Program
from symnum.dynamics.system import System
from symnum.dynamics.weak import Curve

STEP = 1e-6  # relative difference for derivatives: solutions are followed with common steps
RTOL = 1e-7  # of the integrator, for noiseless data …
COARSE, SHARE = 1e-4, 1e-3  # … and while the residuals are large: at most, and as a share of them
RESOLUTION = 1e-5  # residuals far below this share of a state's size say nothing: the integrator leaves as much
STEPS = 25  # at most
SETTLED = 1e-2  # nats by which a step must describe the data better for another one
MOST_SENSITIVE = 1e12  # relative changes of states per relative change of a constant: beyond this it is an explosion
LEAST_PIECE = 8  # samples of a piece


@dataclass(frozen=True)
class Piece:
    """A stretch of a trajectory.

    Attributes:
        t: (n,) times.
        x: (n, states) samples, NaN where missing.
        u: (n, inputs).
        size: (n, states) what the noise's standard deviation is in proportion to.
        start: (states,) the smoothed state at the first time.
        curve: which trajectory it is of.
    """

    t: np.ndarray
    x: np.ndarray
    u: np.ndarray
    size: np.ndarray
    start: np.ndarray
    curve: int


@dataclass(frozen=True)
class Refined:
    """A system with fitted constants.

    Attributes:
        system: the system.
        starts: (pieces, states) fitted initial states.
        rss: (states,) sums of squared residuals, in units of the noise's size.
        count: (states,) samples.
        information: (C, C) the constants' Fisher information, initial states eliminated.
        residuals: per piece (n, states), NaN where missing; in units of the noise's size.
        floor: (states,) mean squares that are as good as zero.
    """

    system: System
    starts: np.ndarray
    rss: np.ndarray
    count: np.ndarray
    information: np.ndarray
    residuals: tuple[np.ndarray, ...]
    floor: np.ndarray

    @property
    def finite(self) -> bool:
        """Whether the solution stays near the data to the end of every piece."""
        return bool(np.isfinite(self.rss).all())

    @property
    def misfit(self) -> float:
        """Half the samples times the logarithm of the mean square, summed over the states; Inf where the solution explodes."""
        return float((self.count / 2 * self.logs).sum())

    @property
    def logs(self) -> np.ndarray:
        """(states,) logarithm of the residuals' mean square, never below what the integrator resolves."""
        return np.log(self.rss / np.maximum(self.count, 1) + self.floor)

    @property
    def sigma(self) -> np.ndarray:
        """(states,) the residuals' root mean square, in units of the noise's size."""
        return np.sqrt(self.rss / np.maximum(self.count, 1))

    @cached_property
    def independent(self) -> np.ndarray:
        """(states,) how many independent residuals the autocorrelated ones are worth."""
        out = []
        for i in range(len(self.rss)):  # of states that nobody measured, none
            lag, power = 0.0, 0.0
            for r in self.residuals:
                r = np.nan_to_num(r[:, i])
                lag, power = lag + r[1:] @ r[:-1], power + r @ r
            rho = min(max(lag / power, 0.0), 0.999) if power > 0 else 0.0
            out.append(self.count[i] * (1 - rho) / (1 + rho))
        return np.array(out)

    @property
    def covariance(self) -> np.ndarray:
        """(C, C) of the constants; infinite variances where the data do not determine one."""
        if not len(self.information):
            return np.zeros((0, 0))
        values, vectors = np.linalg.eigh(self.information)
        inverse = np.where(values > 1e-12 * max(values[-1], 1e-300), 1 / np.maximum(values, 1e-300), np.inf)
        with np.errstate(invalid="ignore"):
            out = (vectors * np.where(np.isfinite(inverse), inverse, 0.0)) @ vectors.T
        loose = (vectors**2) @ np.where(np.isfinite(inverse), 0.0, 1.0) > 1e-6
        out[np.diag_indices_from(out)] = np.where(loose, np.inf, np.diag(out))
        return out


def pieces_of(curves: Sequence[Curve], count: int) -> list[Piece]:
    """The trajectories in about `count` pieces each, none shorter than eight samples; neighbours share a sample."""
    out = []
    for number, curve in enumerate(curves):
        n = len(curve.data)
        cuts = np.unique(np.linspace(0, n - 1, max(1, min(count, (n - 1) // LEAST_PIECE)) + 1).round().astype(int))
        smoothed = np.column_stack([s(curve.data.t) for s in curve.smooths])
        size = np.column_stack([
            np.hypot(column, 0.02 * np.sqrt(np.mean(column**2))) if s.multiplicative else np.ones(n)
            for s, column in zip(curve.smooths, smoothed.T, strict=True)
        ])
        for low, high in zip(cuts[:-1], cuts[1:], strict=True):
            rows = slice(low, high + 1)
            x = curve.data.x[rows].copy()
            if low:
                x[0] = np.nan  # it is fitted in the piece before
            out.append(Piece(curve.data.t[rows], x, curve.data.u[rows], size[rows], smoothed[low], number))
    return out


def refine(system: System, pieces: Sequence[Piece], scale: np.ndarray, *, starts: np.ndarray | None = None, steps: int = STEPS,
           rtol: float = RTOL) -> Refined:
    """Fit the free constants of a system and the initial states of the pieces.

    Args:
        system: the system; its constants are the start.
        pieces: what to fit.
        scale: (states,) the size of the states.
        starts: (pieces, states) initial states to begin with, by default the smoothed ones.
        steps: Levenberg-Marquardt steps at most; 0 measures only.
        rtol: the integrator's relative error per step; steps with large residuals make do with less.

    >>> from symnum.dynamics.trajectory import Trajectories
    >>> t = np.linspace(0, 3, 40)
    >>> data = Trajectories.of(2 * np.exp(-1.3 * t), t)
    >>> found = refine(System.parse({"x0": "-1.0*x0"}), pieces_of([Curve.of(data.items[0])], 1), data.scale)
    >>> round(found.system.equations[0].constants[0], 6)
    -1.3
    """
    program = Program.of(system)
    theta = program.constants.copy()
    starts = np.array([p.start for p in pieces]) if starts is None else starts.copy()
    d, damping = len(scale), 1e-3

    def measure(theta, starts, slopes):
        return _measure(program, pieces, scale, theta, starts, tolerance, slopes)

    tolerance, settled = max(rtol, COARSE), not steps
    now = measure(theta, starts, True)
    while True:
        wanted = max(rtol, SHARE * now.level)
        if wanted < tolerance / 2:
            tolerance, settled = wanted, not steps
            now = measure(theta, starts, True)
        if settled or not np.isfinite(now.rss).all():
            break
        steps -= 1
        for _ in range(6):
            move, shifts = _step(now, len(theta), d, damping)
            trial = theta + move
            after = measure(trial, starts + shifts, False)
            gain = now.nats - after.nats if np.isfinite(after.rss).all() else -np.inf
            if gain >= 0:
                break
            damping *= 10
        if gain >= 0:
            theta, starts, damping = trial, starts + shifts, damping / 10
            now = measure(theta, starts, True)
        settled = not steps or not gain >= SETTLED
    fitted = _with_constants(system, theta)
    return Refined(fitted, starts, now.rss, now.count, _information(now, len(theta)), tuple(now.residuals), now.floor)


@dataclass
class _Measured:
    """Residuals and derivatives at one point: per piece (n, states) and (n, states, constants + states)."""

    residuals: list[np.ndarray]
    slopes: list[np.ndarray]
    rss: np.ndarray
    count: np.ndarray
    floor: np.ndarray

    @property
    def weight(self) -> np.ndarray:
        """(states,) the inverse of the noise's variance."""
        return self.count / (self.rss + self.floor * np.maximum(self.count, 1))

    @property
    def level(self) -> float:
        """The least root mean square of a measured state's residuals, in units of its size."""
        seen = self.count > 0
        return RESOLUTION * float(np.sqrt((self.rss[seen] / self.count[seen] / self.floor[seen]).min(initial=np.inf)))

    @property
    def nats(self) -> float:
        """-log likelihood of the data, noise levels fitted."""
        return float((self.count / 2 * np.log(self.rss / np.maximum(self.count, 1) + self.floor)).sum())


def followed(curves: Sequence[Curve], pieces: Sequence[Piece], fit: Refined, scale: np.ndarray) -> list[Curve]:
    """The curves with a system's solution in place of the smoothed states.

    A solution that stays within the noise of the data knows of all its samples at once: sums of nonlinear terms along it are
    far less biased by noise than along smoothed samples, whether or not its equations are the right ones.
    """
    program, out = Program.of(fit.system), []
    for number, curve in enumerate(curves):
        x, at_samples, seen = curve.x.copy(), np.full(curve.data.x.shape, np.nan), 0
        for piece, start in zip(pieces, fit.starts, strict=True):
            if piece.curve != number:
                continue
            rows = np.flatnonzero((curve.grid >= piece.t[0]) & (curve.grid <= piece.t[-1]))
            t, where = np.unique(np.concatenate([piece.t, curve.grid[rows]]), return_inverse=True)
            u = np.column_stack([np.interp(t, piece.t, column) for column in piece.u.T]) if piece.u.shape[1] else None
            path = program.integrate(program.constants[None], start[None], t, u, scale=scale)[0][where]
            n = len(piece.t)
            at_samples[seen : seen + n] = np.where(np.isfinite(at_samples[seen : seen + n]), at_samples[seen : seen + n], path[:n])
            x[rows], seen = path[n:], seen + n - 1
        if not (np.isfinite(x).all() and np.isfinite(at_samples).all()):
            return list(curves)
        deviations = tuple(
            replace(s, residual=(measured - model)[np.isfinite(measured)]) if len(s.residual) else s
            for s, measured, model in zip(curve.smooths, curve.data.x.T, at_samples.T, strict=True)
        )
        out.append(replace(curve, x=x, smooths=deviations))
    return out


def growth(system: System, pieces: Sequence[Piece], starts: np.ndarray, scale: np.ndarray) -> float:
    """Logarithm of how much a disturbance of the initial state grows over the longest trajectory, at most: summed over its pieces."""
    program, d = Program.of(system), len(scale)
    total = np.zeros(max(p.curve for p in pieces) + 1)
    x0 = np.concatenate([np.zeros((1, d)), np.diag(STEP * scale)])
    for piece, start in zip(pieces, starts, strict=True):
        x = program.integrate(np.tile(program.constants, (1 + d, 1)), start + x0, piece.t, piece.u, rtol=RTOL, scale=scale)
        tangent = (x[1:, -1] - x[0, -1]) / STEP / scale
        if np.isfinite(tangent).all():
            total[piece.curve] += max(np.log(max(np.linalg.norm(tangent, 2), 1e-300)), 0.0)
    return float(total.max())


def _measure(program: Program, pieces, scale, theta, starts, rtol: float, slopes: bool) -> _Measured:
    """Residuals and, where asked for, their derivatives."""
    d, C = len(scale), len(theta)
    steps = np.concatenate([STEP * np.where(theta != 0, np.abs(theta), 1e-3), STEP * scale])
    copies = 1 + len(steps) if slopes else 1
    constants = np.tile(theta, (copies, 1))
    x0 = np.zeros((copies, d))
    if slopes:
        constants[1 + np.arange(C), np.arange(C)] += steps[:C]
        x0[1 + C + np.arange(d), np.arange(d)] = steps[C:]
    residuals, derivatives = [], []
    rss, count = np.zeros(d), np.zeros(d)
    for piece, start in zip(pieces, starts, strict=True):
        x = program.integrate(constants, start + x0, piece.t, piece.u, rtol=rtol, scale=scale)
        present = np.isfinite(piece.x)
        r = np.where(present, (x[0] - piece.x) / piece.size, 0.0)
        rss = rss + np.where(present, r**2, 0.0).sum(axis=0)
        count = count + present.sum(axis=0)
        residuals.append(np.where(present, r, np.nan))
        if slopes:
            J = (x[1:] - x[0]) / steps[:, None, None] / piece.size
            J = np.where(present[None] & np.isfinite(J), J, 0.0)  # a copy may leave a domain
            derivatives.append(J.transpose(1, 2, 0))
            relative = np.abs(J * steps[:, None, None] / STEP * piece.size / scale)
            rss = rss + np.where(relative.max(initial=0.0) < MOST_SENSITIVE, 0.0, np.inf)
        if not np.isfinite(rss).all():
            break
    unit = sum((piece.size**2).sum(axis=0) for piece in pieces) / sum(len(piece.size) for piece in pieces)  # of the residuals, squared
    return _Measured(residuals, derivatives, np.where(np.isfinite(rss), rss, np.inf), count, (RESOLUTION * scale) ** 2 / unit)


def _normal(now: _Measured, constants: int):
    """Normal equations of the constants and of each piece's state: H (C, C), g (C,), and per piece (B (C, d), D (d, d), e (d,))."""
    H, g, parts = np.zeros((constants, constants)), np.zeros(constants), []
    root = np.sqrt(now.weight)
    for r, J in zip(now.residuals, now.slopes, strict=True):
        J = (J * root[None, :, None]).reshape(-1, J.shape[2])
        r = np.nan_to_num(r * root).reshape(-1)
        M, v = J.T @ J, J.T @ r
        H += M[:constants, :constants]
        g += v[:constants]
        parts.append((M[:constants, constants:], M[constants:, constants:], v[constants:]))
    return H, g, parts


def _step(now: _Measured, constants: int, d: int, damping: float) -> tuple[np.ndarray, np.ndarray]:
    """The damped step of the constants and of the pieces' states."""
    H, g, parts = _normal(now, constants)
    H = H + damping * np.diag(np.diag(H) + 1e-12 * max(np.diag(H).max(initial=0.0), 1e-300))
    inverses = []
    for B, D, e in parts:
        inverse = np.linalg.pinv(D + damping * np.diag(np.diag(D)), rcond=1e-13, hermitian=True)
        inverses.append(inverse)
        H = H - B @ inverse @ B.T
        g = g - B @ inverse @ e
    size = np.sqrt(np.maximum(np.diag(H), 1e-300))
    move = -np.linalg.lstsq(H / size / size[:, None], g / size, rcond=1e-13)[0] / size if constants else np.zeros(0)
    shifts = [-(inverse @ (e + B.T @ move)) for inverse, (B, _, e) in zip(inverses, parts, strict=True)]
    return move, np.array(shifts).reshape(len(parts), d)


def _information(now: _Measured, constants: int) -> np.ndarray:
    if not np.isfinite(now.rss).all() or not now.slopes:
        return np.zeros((constants, constants))
    H, _, parts = _normal(now, constants)
    for B, D, _ in parts:
        H = H - B @ np.linalg.pinv(D, rcond=1e-13, hermitian=True) @ B.T
    return H


def _with_constants(system: System, theta: np.ndarray) -> System:
    equations, start = [], 0
    for e in system.equations:
        end = start + len(e.constants)
        equations.append(e.with_constants(theta[start:end].tolist()))
        start = end
    return replace(system, equations=tuple(equations))
