"""The noise of measured curves from their finest differences: no model, no smoothing, irregular times allowed.

A divided difference of order k annuls polynomials of degree below k, so that of a smooth curve it is tiny, while of white noise
it is as large as the noise (Gasser, Sroka and Jennen-Steinmetz 1986, doi:10.1093/biomet/73.3.625). The least of several orders
is taken, as a bound from above: noiseless curves give nearly zero.
"""

import numpy as np

from symnum.dynamics.trajectory import Trajectories

ORDERS = range(2, 11)
ERRORS = 3.0  # standard errors within which orders agree
CORRELATED = 6.0  # relative variance of the estimated variance times the number of (overlapping) differences
TRIMMED = 0.97334  # variance of a standard normal number within three standard deviations
NORMAL = 0.6744897501960817  # median of the absolute value of a standard normal number


def noise_level(data: Trajectories) -> np.ndarray:
    """(states,) standard deviation of the noise of every state, in its units; Inf where no trajectory has three samples.

    >>> t = np.linspace(0, 10, 200)
    >>> rng = np.random.default_rng(0)
    >>> clean, noisy = Trajectories.of(np.sin(t), t), Trajectories.of(np.sin(t) + 0.1 * rng.normal(size=200), t)
    >>> bool(noise_level(clean)[0] < 1e-9), bool(abs(noise_level(noisy)[0] - 0.1) < 0.02)
    (True, True)
    """
    return np.array([_of_state([(item.t, item.x[:, s]) for item in data]) for s in range(len(data.states))])


def _of_state(curves: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """The level of the orders that agree with the least: the least alone would be biased downwards."""
    levels, enough = [], 0
    for order in ORDERS:
        found = [d for d in (np.abs(_differences(t, x, order)) for t, x in curves) if len(d)]
        count = sum(map(len, found))
        if not count or count < enough / 2:  # the highest orders must not rest on the few long curves alone
            break
        enough = max(enough, count)
        levels.append(_trimmed(np.concatenate(found)))
    if not levels:
        return np.inf
    least = min(levels)
    return float(np.median([level for level in levels if level <= least * (1 + ERRORS * np.sqrt(CORRELATED / 2 / enough))]))


def _trimmed(d: np.ndarray) -> float:
    """The standard deviation of normal numbers of which |d| are given, some of them far too large."""
    robust = float(np.median(d)) / NORMAL
    inner = d[d <= 3 * robust]
    return float(np.sqrt(np.mean(inner**2) / TRIMMED)) if len(inner) else 0.0


def _differences(t: np.ndarray, x: np.ndarray, order: int) -> np.ndarray:
    """Divided differences of all runs of order + 1 samples, scaled so that white noise keeps its size."""
    present = np.isfinite(x)
    t, x = t[present], x[present]
    if len(t) <= order:
        return np.zeros(0)
    runs = np.lib.stride_tricks.sliding_window_view(t, order + 1)
    span = runs[:, -1:] - runs[:, :1]
    gaps = (runs[:, :, None] - runs[:, None, :]) / span[:, :, None]
    gaps[:, np.arange(order + 1), np.arange(order + 1)] = 1.0
    weights = 1 / gaps.prod(axis=2)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    return (weights * np.lib.stride_tricks.sliding_window_view(x, order + 1)).sum(axis=1)
