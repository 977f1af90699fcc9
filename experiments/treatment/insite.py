"""INSITE written anew, and the two ablations it is compared with: its population law (PySINDy), and that law without personalisation.

Settings of the source (config/config.yaml, libs_m/ct/src/models/sindy.py @ 1dc3f54): STLSQ with threshold 0.1 (EQ4) or 0.001, ridge 0.5,
monomials 1, x, covariates and products of two different ones; smoothed differences of order 4 (EQ4) or forward differences; per patient
the coefficients that minimise MSE / (2.5 initial MSE) + 10 mean((c - c_population)²) over what has been observed, simulated from the first
sample by five Euler steps between samples. The source minimises by BFGS, here it is Levenberg-Marquardt on the same function.
"""

import warnings

import numpy as np
from numba import njit
from simulators import AHEAD, Case, Dataset, Patient

TIE, SUBSTEPS, PRESENT = 10.0, 5, 1e-3


def pieces(patient: Patient, trailing_zero: bool):
    """(treatment, volumes) of stretches under one treatment; the last sample of one is the first of the next."""
    volume = np.append(patient.volume, 0.0) if trailing_zero else patient.volume
    arms = patient.treatment[: len(volume) - 1]
    cuts = [0, *(np.flatnonzero(np.diff(arms)) + 1).tolist(), len(arms)]
    for first, last in zip(cuts[:-1], cuts[1:], strict=True):
        yield int(arms[first]), volume[first : last + 1]


def population(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """(treatments, L) coefficients and (L, 1 + covariates) powers of PySINDy's laws.

    The source's tumour trajectories end with a sample that was never simulated, a zero; so do these.
    """
    import pysindy as ps

    decay = data.name.startswith("EQ4")
    smoothed = ps.SmoothedFiniteDifference(smoother_kws={"window_length": 5, "polyorder": 3}, order=4)
    rows: list[tuple[list, list, list]] = [([], [], []) for _ in range(data.treatments)]
    for patient in data.train:
        z = np.array(list(patient.covariates.values()))
        for arm, volume in pieces(patient, trailing_zero=not decay):
            if len(volume) < (5 if decay else 2):
                continue
            if decay:
                slope = smoothed._differentiate(volume[:, None], data.step)
            else:  # forward differences, at the last sample backward: PySINDy's own of order 1, of 20,000 pieces at once
                slope = np.append(np.diff(volume), volume[-1] - volume[-2])[:, None] / data.step
            for column, part in zip(rows[arm], (volume[:, None], np.tile(z, (len(volume), 1)), slope), strict=True):
                column.append(part)
    coefficients = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for x, u, slope in rows:
            model = ps.SINDy(optimizer=ps.STLSQ(threshold=0.1 if decay else 0.001, alpha=0.5, max_iter=100),
                             feature_library=ps.PolynomialLibrary(degree=2, interaction_only=True))
            model.fit(np.concatenate(x), t=data.step, x_dot=np.concatenate(slope), u=np.concatenate(u))
            coefficients.append(model.coefficients()[0])
    return np.array(coefficients), model.feature_library.powers_


@njit(cache=True, error_model="numpy")
def _simulate(c, x0, arms, z, count, h, substeps, powers, path, tangent):
    """path (R, N) and its derivatives by c (R, N, K, L), from x0 by Euler steps; the path's first sample is x0."""
    R, N = path.shape
    L = powers.shape[0]
    for r in range(R):
        x = x0[r]
        path[r, 0] = x
        T = np.zeros(c.shape[1:])
        for n in range(count[r] - 1):
            a = arms[r, n]
            for _ in range(substeps):
                f, J = 0.0, 0.0
                columns = np.zeros(L)
                for p in range(L):
                    m = 1.0
                    for j in range(z.shape[1]):
                        if powers[p, 1 + j] > 0:
                            m *= z[r, j]
                    if powers[p, 0] > 0:
                        J += c[r, a, p] * m
                        m *= x
                    columns[p] = m
                    f += c[r, a, p] * m
                T *= 1 + h / substeps * J
                for p in range(L):
                    T[a, p] += h / substeps * columns[p]
                x += h / substeps * f
            path[r, n + 1] = x
            tangent[r, n + 1] = T


def _padded(cases: list[Case]):
    N = max(len(case.seen.volume) for case in cases)
    y, arms = np.full((len(cases), N), np.nan), np.zeros((len(cases), N), int)
    for r, case in enumerate(cases):
        n = len(case.seen.volume)
        y[r, :n], arms[r, :n] = case.seen.volume, case.seen.treatment
    z = np.array([list(case.seen.covariates.values()) for case in cases])
    return y, arms, z, np.array([len(case.seen.volume) for case in cases])


def present(c: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """With the terms that the population's law does not have at zero."""
    return np.where(np.abs(coefficients) > PRESENT, c, 0.0)


def personalised(data: Dataset, coefficients: np.ndarray, powers: np.ndarray, steps: int = 60) -> np.ndarray:
    """(cases, treatments, L) INSITE's coefficients of every patient at every moment."""
    y, arms, z, count = _padded(data.test)
    R, N = y.shape
    start = np.tile(coefficients, (R, 1, 1))
    free = np.abs(coefficients).ravel() > PRESENT
    P, seen = coefficients.size, np.isfinite(y) & (np.arange(N) > 0)

    def misfit(c):
        path, tangent = np.zeros((R, N)), np.zeros((R, N, *coefficients.shape))
        _simulate(present(c, coefficients), y[:, 0], arms, z, count, data.step, SUBSTEPS, powers, path, tangent)
        r = np.where(seen, path - np.nan_to_num(y), 0.0)
        mse = (r**2).sum(axis=1) / seen.sum(axis=1)
        tie = TIE * ((c - start) ** 2).reshape(R, -1).mean(axis=1)
        return r, np.where(seen[:, :, None], tangent.reshape(R, N, P)[:, :, free], 0.0), np.where(np.isfinite(mse), mse, np.inf), tie

    c, damping = start.copy(), np.full(R, 1e-3)
    r, T, mse, tie = misfit(c)
    norm = 2.5 * np.maximum(mse, 1e-300)
    value = mse / norm + tie
    with np.errstate(all="ignore"):
        for _ in range(steps):
            scale = (norm * seen.sum(axis=1))[:, None]
            H = np.einsum("rnp,rnq->rpq", T, T) / scale[:, :, None] + TIE / P * np.eye(int(free.sum()))
            g = np.einsum("rnp,rn->rp", T, r) / scale + TIE / P * (c - start).reshape(R, P)[:, free]
            H = np.nan_to_num(H, posinf=1e200, neginf=-1e200) * (1 + damping[:, None, None] * np.eye(int(free.sum())))
            trial = c.reshape(R, P).copy()
            trial[:, free] -= np.linalg.solve(H, np.nan_to_num(g)[:, :, None])[:, :, 0]
            trial = trial.reshape(c.shape)
            rt, Tt, mt, tt = misfit(trial)
            better = mt / norm + tt < value
            gain = np.where(better, value - mt / norm - tt, 0.0)
            c, r, T = np.where(better[:, None, None], trial, c), np.where(better[:, None], rt, r), np.where(better[:, None, None], Tt, T)
            value = np.where(better, mt / norm + tt, value)
            damping = np.where(better, damping / 5, damping * 5)
            if not (gain > 1e-9 * value).any() and (damping > 1e6).any():
                break
    return c


def forecasts(data: Dataset, c: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """(all options of all cases, AHEAD): simulated from the first sample through all that was observed."""
    y, arms, z, count = _padded(data.test)
    path = np.zeros_like(y)
    _simulate(c, y[:, 0], arms, z, count, data.step, SUBSTEPS, powers, path, np.zeros((*y.shape, *c.shape[1:])))
    now = path[np.arange(len(y)), count - 1]
    which = np.repeat(np.arange(len(y)), [len(case.truth) for case in data.test])
    plans = np.concatenate([case.treatments for case in data.test])
    out = np.zeros((len(which), AHEAD + 1))
    _simulate(c[which], now[which], plans, z[which], np.full(len(which), AHEAD + 1), data.step, SUBSTEPS, powers, out,
              np.zeros((*out.shape, *c.shape[1:])))
    return out[:, 1:]
