"""What each subject's samples say about its coefficients: a Kalman filter that is linear in them.

    x(n+1) = flow(x(n), c) + process noise        y(n) = x(n) + measurement noise

Linearised at a reference path and reference coefficients, the log likelihood of one subject is a quadratic function of its coefficients,
-2 log L = L0 - 2 b'c + c'Ic. One pass gives L0, b and I for all coefficients at once (the diffuse filter of de Jong 1991,
doi:10.1214/aos/1176348139); another, with the coefficients put in, smooths the path (Bryson & Frazier 1963). Passing until the reference
does not move is the Gauss-Newton method for the coefficients and the path through the integrator (Bell 1994, doi:10.1137/0804035).
"""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from symnum.equations.treatment_flow import LAYOUT, Law, flow


@dataclass(frozen=True)
class Panel:
    """Samples of all subjects, padded to the longest.

    Attributes:
        y: (S, N, d) measured states, NaN where missing and behind the last sample.
        h: (S, N - 1) time to the next sample, 0 behind the last.
        treatment: (S, N - 1) what holds until the next sample.
        z: (S, N - 1, others) inputs and covariates until then.
        count: (S,) samples of each subject.
        scale: (d,) root mean square of the states.
    """

    y: np.ndarray
    h: np.ndarray
    treatment: np.ndarray
    z: np.ndarray
    count: np.ndarray
    scale: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: np.ndarray) -> "Panel":
        """Some of the subjects."""
        return Panel(self.y[rows], self.h[rows], self.treatment[rows], self.z[rows], self.count[rows], self.scale)

    @property
    def path(self) -> np.ndarray:
        """(S, N, d) the measured states, missing ones interpolated in time: the first reference."""
        out = self.y.copy()
        t = np.concatenate([np.zeros((len(self), 1)), np.cumsum(self.h, axis=1)], axis=1)
        for s, i in zip(*np.nonzero(np.isnan(self.y).any(axis=1)), strict=True):
            have = np.isfinite(self.y[s, :, i])
            out[s, :, i] = np.interp(t[s], t[s, have], self.y[s, have, i]) if have.any() else 0.0
        return out


@dataclass(frozen=True)
class Noise:
    """Standard deviations of both noises, in units of the states' scale.

    Attributes:
        process: (d,) per square root of time.
        measurement: (d,).
        relative: whether the process noise, and whether the measurement noise, is in proportion to the state.
    """

    process: np.ndarray
    measurement: np.ndarray
    relative: tuple[bool, bool] = (False, False)

    def variances(self, panel: Panel, path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(S, N - 1, d) of the process over each interval and (S, N, d) of the measurements; never quite zero."""
        floor = (1e-7 * panel.scale) ** 2
        size = [np.hypot(path, 1e-3 * panel.scale) if r else np.broadcast_to(panel.scale, path.shape) for r in self.relative]
        Q = (self.process * size[0][:, :-1]) ** 2 * panel.h[:, :, None]
        return Q, (self.measurement * size[1]) ** 2 + floor


@dataclass(frozen=True)
class Linear:
    """A law linearised along reference paths, at reference coefficients.

    Attributes:
        law, panel: of what.
        path: (S, N, d).
        coefficients: (S, P).
        end, by_state, by_coefficient: as of `Flow`, (S, N - 1, …).
        lost: (S, N - 1) intervals that cannot be integrated; the path begins anew behind them.
    """

    law: Law
    panel: Panel
    path: np.ndarray
    coefficients: np.ndarray
    end: np.ndarray
    by_state: np.ndarray
    by_coefficient: np.ndarray
    lost: np.ndarray

    @classmethod
    def of(cls, law: Law, panel: Panel, path: np.ndarray, coefficients: np.ndarray) -> "Linear":
        """Linearise; coefficients (S, P) or (P,)."""
        S, N, d = path.shape
        C = np.broadcast_to(coefficients, (S, len(law)))
        per = np.repeat(C, N - 1, axis=0)
        f = flow(law, per, path[:, :-1].reshape(-1, d), panel.z.reshape(S * (N - 1), -1), panel.h.ravel(), panel.treatment.ravel())
        end = f.end.reshape(S, N - 1, d)
        far = np.abs(end).max(axis=2) > 1e3 * (np.abs(path).max(axis=(1, 2))[:, None] + panel.scale.max())
        lost = ~np.isfinite(end).all(axis=2) | far
        end = np.where(lost[:, :, None], path[:, 1:], end)
        keep = ~lost[:, :, None, None]
        return cls(law, panel, path, C, end, np.where(keep, f.by_state.reshape(S, N - 1, d, d), 0.0),
                   np.where(keep, f.by_coefficient.reshape(S, N - 1, d, -1), 0.0), lost)

    def take(self, rows: np.ndarray) -> "Linear":
        """Some of the subjects."""
        parts = {k: getattr(self, k)[rows] for k in ("path", "coefficients", "end", "by_state", "by_coefficient", "lost")}
        return replace(self, panel=self.panel.take(rows), **parts)

    def _arguments(self, noise: Noise):
        Q, R = noise.variances(self.panel, self.path)
        Q = Q + np.where(self.lost[:, :, None], self.panel.scale**2, 0.0)
        whole = (self.panel.count, self.panel.treatment, self.law.starts)
        real = (self.path, self.end, self.by_state, self.by_coefficient, Q, R, self.panel.scale**2)
        return (np.require(self.panel.y, float, LAYOUT), *(np.require(a, np.int64, LAYOUT) for a in whole),
                *(np.require(a, float, LAYOUT) for a in real))

    def evidence(self, noise: Noise) -> "Evidence":
        """What the samples say about the coefficients."""
        S, _, d = self.path.shape
        P = len(self.law)
        out = Evidence(np.zeros(S), np.zeros((S, P)), np.zeros((S, P, P)), np.zeros((S, d)), np.zeros((S, d, P)), np.zeros((S, d, d)),
                       np.zeros(S, np.int64))
        _filter(*self._arguments(noise), out.level, out.gain, out.information, out.state, out.by_coefficient, out.covariance, out.used)
        c = self.coefficients
        moved = np.einsum("spq,sq->sp", out.information, c)
        level = out.level + 2 * (out.gain * c).sum(axis=1) + (moved * c).sum(axis=1)
        state = out.state - np.einsum("sdp,sp->sd", out.by_coefficient, c)
        return replace(out, level=level, gain=out.gain + moved, state=state)

    def smooth(self, noise: Noise, coefficients: np.ndarray) -> np.ndarray:
        """(S, N, d) the most likely path for coefficients (S, P)."""
        out = np.array(self.path, order="C")
        _smooth(*self._arguments(noise), np.require(coefficients - self.coefficients, float, LAYOUT), out)
        return np.where(np.isfinite(out), out, self.path)


@dataclass(frozen=True)
class Evidence:
    """-2 log L = level - 2 gain'c + c' information c of every subject, and its last state given c: state + by_coefficient c ± covariance.

    Attributes:
        level: (S,); gain: (S, P); information: (S, P, P); state: (S, d); by_coefficient: (S, d, P); covariance: (S, d, d).
        used: (S,) measurements that were predicted.
    """

    level: np.ndarray
    gain: np.ndarray
    information: np.ndarray
    state: np.ndarray
    by_coefficient: np.ndarray
    covariance: np.ndarray
    used: np.ndarray

    def take(self, terms: np.ndarray) -> "Evidence":
        """With the coefficients of all other terms zero."""
        return replace(self, gain=self.gain[:, terms], information=self.information[:, terms][:, :, terms],
                       by_coefficient=self.by_coefficient[:, :, terms])


@njit(cache=True, error_model="numpy", nogil=True)
def _predicted(F, V, Q, work):
    """V = F V F' + diag(Q), in place."""
    d = len(V)
    for i in range(d):
        for j in range(d):
            work[i, j] = 0.0
            for k in range(d):
                work[i, j] += F[i, k] * V[k, j]
    for i in range(d):
        for j in range(d):
            V[i, j] = Q[i] if i == j else 0.0
            for k in range(d):
                V[i, j] += work[i, k] * F[j, k]


@njit(cache=True, error_model="numpy", nogil=True)
def _first(y, path, R, unknown, x, V):
    """State and covariance at the first sample."""
    for i in range(len(x)):
        known = np.isfinite(y[i])
        x[i] = y[i] if known else path[i]
        for j in range(len(x)):
            V[i, j] = 0.0
        V[i, i] = R[i] if known else unknown[i]


@njit(cache=True, error_model="numpy", nogil=True)
def _kept(x, V, xs, Vs, n):
    for i in range(len(x)):
        xs[n, i] = x[i]
        for j in range(len(x)):
            Vs[n, i, j] = V[i, j]


@njit(cache=True, error_model="numpy", nogil=True)
def _filter(y, count, treatment, starts, path, end, A, B, Q, R, unknown, level, gain, information, state, sensitivity, covariance, used):
    S, N, d = y.shape
    P = gain.shape[1]
    work, K, row, old = np.zeros((d, d)), np.zeros(d), np.zeros(P), np.zeros(d)
    turned = np.zeros((d, P))
    for s in range(S):
        x, X, V = state[s], sensitivity[s], covariance[s]
        _first(y[s, 0], path[s, 0], R[s, 0], unknown, x, V)
        for n in range(1, count[s]):
            a = treatment[s, n - 1]
            first, width = starts[a], starts[a + 1] - starts[a]
            F = A[s, n - 1]
            for i in range(d):
                old[i] = x[i] - path[s, n - 1, i]
            for i in range(d):
                x[i] = end[s, n - 1, i]
                for p in range(P):
                    turned[i, p] = 0.0
                for j in range(d):
                    x[i] += F[i, j] * old[j]
                    for p in range(P):
                        turned[i, p] += F[i, j] * X[j, p]
            for i in range(d):
                for p in range(P):
                    X[i, p] = turned[i, p]
                for p in range(width):
                    X[i, first + p] += B[s, n - 1, i, p]
            _predicted(F, V, Q[s, n - 1], work)
            for i in range(d):
                if not np.isfinite(y[s, n, i]):
                    continue
                v = y[s, n, i] - x[i]
                size = V[i, i] + R[s, n, i]
                for j in range(d):
                    K[j] = V[j, i] / size
                    old[j] = V[i, j]
                for p in range(P):
                    row[p] = X[i, p]
                level[s] += v * v / size + np.log(2 * np.pi * size)
                used[s] += 1
                for p in range(P):
                    if row[p] != 0.0:
                        gain[s, p] += row[p] * v / size
                        for q in range(p, P):
                            information[s, p, q] += row[p] * row[q] / size
                for j in range(d):
                    x[j] += K[j] * v
                    for p in range(P):
                        X[j, p] -= K[j] * row[p]
                    for k in range(d):
                        V[j, k] -= K[j] * old[k]
        for p in range(P):
            for q in range(p):
                information[s, p, q] = information[s, q, p]


@njit(cache=True, error_model="numpy", nogil=True)
def _smooth(y, count, treatment, starts, path, end, A, B, Q, R, unknown, shift, out):
    S, N, d = y.shape
    xs, Vs = np.zeros((N, d)), np.zeros((N, d, d))
    gains, sizes, left = np.zeros((N, d, d)), np.zeros((N, d)), np.zeros((N, d))
    work, x, V, old, pull = np.zeros((d, d)), np.zeros(d), np.zeros((d, d)), np.zeros(d), np.zeros(d)
    for s in range(S):
        _first(y[s, 0], path[s, 0], R[s, 0], unknown, x, V)
        _kept(x, V, xs, Vs, 0)
        for n in range(1, count[s]):
            a = treatment[s, n - 1]
            first, width = starts[a], starts[a + 1] - starts[a]
            for i in range(d):
                old[i] = x[i] - path[s, n - 1, i]
            for i in range(d):
                x[i] = end[s, n - 1, i]
                for j in range(d):
                    x[i] += A[s, n - 1, i, j] * old[j]
                for p in range(width):
                    x[i] += B[s, n - 1, i, p] * shift[s, first + p]
            _predicted(A[s, n - 1], V, Q[s, n - 1], work)
            for i in range(d):
                sizes[n, i] = 0.0
                if not np.isfinite(y[s, n, i]):
                    continue
                left[n, i] = y[s, n, i] - x[i]
                sizes[n, i] = V[i, i] + R[s, n, i]
                for j in range(d):
                    gains[n, i, j] = V[j, i] / sizes[n, i]
                    old[j] = V[i, j]
                for j in range(d):
                    x[j] += gains[n, i, j] * left[n, i]
                    for k in range(d):
                        V[j, k] -= gains[n, i, j] * old[k]
            _kept(x, V, xs, Vs, n)
        for i in range(d):
            pull[i] = 0.0
        for n in range(count[s] - 1, -1, -1):
            for i in range(d):
                out[s, n, i] = xs[n, i]
                for j in range(d):
                    out[s, n, i] -= Vs[n, i, j] * pull[j]
            if n == 0:
                break
            for i in range(d - 1, -1, -1):
                if sizes[n, i] > 0:
                    total = left[n, i] / sizes[n, i]
                    for j in range(d):
                        total += gains[n, i, j] * pull[j]
                    pull[i] -= total
            for i in range(d):
                old[i] = 0.0
                for j in range(d):
                    old[i] += A[s, n - 1, j, i] * pull[j]
            for i in range(d):
                pull[i] = old[i]
