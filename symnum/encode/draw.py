"""Random data of laws: columns at realistic scales, constants, noise; and the values of many laws, each on rows of its own.

All columns are quantile functions of correlated uniform numbers (a Gaussian copula), so that any kind may depend on any other.
"""

from dataclasses import replace

import numpy as np

from symnum.evaluate.cpu import CpuEvaluator, Rows
from symnum.language.batch import Batch

LOG_CONSTANT = 1.5  # constants are log-uniform over 10^-1.5 … 10^1.5
SPECIAL = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 0.5, 1.5, 2.5, np.pi])
LARGEST = 1e8  # data beyond it are left out
LEAST_ROWS = 16


def draw_columns(rng: np.random.Generator, datasets: int, rows: int, variables: int, positive: float = 0.4) -> np.ndarray:
    """Points of datasets.

    Each column is uniform, log-uniform over half a decade to three, normal, uniform in two clusters, or on an integer grid; its
    width is log-uniform over 10^-1 … 10^1.5. A fifth of the datasets are correlated, and a share `positive` has no negative value.

    Returns:
        (datasets, rows, variables).

    >>> draw_columns(np.random.default_rng(0), 3, 20, 2).shape
    (3, 20, 2)
    """
    from scipy.special import ndtr

    shape = datasets, variables, 1
    z = rng.standard_normal((datasets, variables, rows))
    together = (rng.random((datasets, 1, 1)) < 0.2) * rng.uniform(-0.95, 0.95, shape)
    together[:, 0] = 0.0
    tied = np.flatnonzero(together.any(axis=(1, 2)))
    z[tied] = np.sqrt(1 - together[tied] ** 2) * z[tied] + together[tied] * z[tied, :1]
    width = 10 ** rng.uniform(-1, 1.5, shape)
    low = width * np.where(rng.random(shape) < 0.4, 0.0, rng.uniform(-1.5, 1, shape))
    other, split, decades = width * rng.uniform(-1.5, 1, shape), rng.uniform(0.2, 0.8, shape), rng.uniform(0.5, 3, shape)
    steps, first = rng.integers(2, 20, shape), rng.random(shape) < 0.5
    quantile = {
        "uniform": lambda at: low[at] + width[at] * ndtr(z[at]),
        "log-uniform": lambda at: width[at] * 10 ** (decades[at] * (ndtr(z[at]) - 0.5)),
        "normal": lambda at: low[at] + 0.5 * width[at] * z[at],
        "clusters": lambda at: _clusters(ndtr(z[at]), split[at], low[at], other[at], 0.3 * width[at]),
        "integers": lambda at: np.floor((steps[at] + 1) * ndtr(z[at])) - np.where(first[at], 0, steps[at] // 2),
    }
    kind = rng.integers(len(quantile), size=shape[:2])
    X = np.empty_like(z)
    for k, values in enumerate(quantile.values()):
        at = np.nonzero(kind == k)
        X[at] = values(at)
    np.abs(X, out=X, where=rng.random((datasets, 1, 1)) < positive)
    return np.ascontiguousarray(X.transpose(0, 2, 1))


def _clusters(u: np.ndarray, split: np.ndarray, low: np.ndarray, other: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Uniform numbers as values of two clusters of a width: the share `split` from `low` on, the rest from `other` on."""
    return np.where(u < split, low + width * u / split, other + width * (u - split) / (1 - split))


def draw_constants(rng: np.random.Generator, count: int) -> np.ndarray:
    """Constants (count,): three quarters log-uniform over 10^-1.5 … 10^1.5, a quarter small integers, halves or pi; either sign.

    >>> bool((abs(draw_constants(np.random.default_rng(0), 100)) <= 10**1.5).all())
    True
    """
    size = np.where(rng.random(count) < 0.25, rng.choice(SPECIAL, count), 10 ** rng.uniform(-LOG_CONSTANT, LOG_CONSTANT, count))
    return size * rng.choice((-1.0, 1.0), count)


def draw_noise(rng: np.random.Generator, y: np.ndarray, used: np.ndarray) -> np.ndarray:
    """What is added to the values y (D, N) on the rows `used` (D, N): nothing in half of the datasets, else normal noise of 10^-4 … 10^-1
    times the spread of y; in a tenth of all, 1 to 5 % of the rows are 2 to 10 spreads off.

    >>> bool(draw_noise(np.random.default_rng(0), np.zeros((2, 5)), np.ones((2, 5), bool)).any())
    False
    """
    D, shape = len(y), y.shape
    count = np.maximum(used.sum(axis=1, keepdims=True), 1)
    middle = np.where(used, y, 0.0).sum(axis=1, keepdims=True) / count
    spread = np.sqrt(np.where(used, (y - middle) ** 2, 0.0).sum(axis=1, keepdims=True) / count)
    level = (rng.random((D, 1)) < 0.5) * 10 ** rng.uniform(-4, -1, (D, 1))
    far = (rng.random((D, 1)) < 0.1) & (rng.random(shape) < rng.uniform(0.01, 0.05, (D, 1)))
    off = far * rng.choice((-1.0, 1.0), shape) * rng.uniform(2, 10, shape)
    return np.where(used, spread * (level * rng.standard_normal(shape) + off), 0.0)


def values_each(batch: Batch, X: np.ndarray) -> np.ndarray:
    """Values of laws, the same number of them for each dataset, each on the rows of its dataset.

    Args:
        batch: k*D laws, those of a dataset together.
        X: (D, N, V) rows.

    Returns:
        (k*D, N), NaN or Inf where a law is not defined.

    >>> from symnum.language.expr import Expr
    >>> laws = Batch.pack([Expr.parse("x + 1"), Expr.parse("x*x")], ["x"])
    >>> values_each(laws, np.array([[[1.0]], [[3.0]]])).tolist()
    [[2.0], [9.0]]
    """
    D, N, V = X.shape
    out = np.empty((len(batch), N))
    evaluator, k, edges = CpuEvaluator(threads=1), len(batch) // max(D, 1), batch.offset
    blank = Rows.pack(np.zeros((N, V)), batch.names)
    blocks, _, block = blank.X.shape
    padded = np.concatenate([X, np.repeat(X[:, :1], blocks * block - N, axis=1)], axis=1)
    packed = np.ascontiguousarray(padded.reshape(D, blocks, block, V).transpose(0, 1, 3, 2))
    for d in range(D):
        tokens = slice(edges[k * d], edges[k * (d + 1)])
        part = Batch(batch.code[tokens], batch.arg[tokens], batch.value[tokens], edges[k * d : k * (d + 1) + 1] - tokens.start, batch.names)
        evaluator.values(part, replace(blank, X=packed[d]), out[k * d : k * (d + 1)])
    return out


def compact(X: np.ndarray, y: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows on which the law is defined, moved to the front and cut to the number wanted.

    Args:
        X: (D, N, V); y: (D, N); wanted: (D,) rows.

    Returns:
        X, y, and rows (D, N) bool: those that are there, of value at most `LARGEST`; 0 elsewhere.
    """
    good = np.isfinite(y) & (abs(y) < LARGEST)
    order = np.argsort(~good, axis=1, kind="stable")
    rows = np.arange(y.shape[1]) < np.minimum(good.sum(axis=1), wanted)[:, None]
    X = np.where(rows[:, :, None], np.take_along_axis(X, order[:, :, None], axis=1), 0.0)
    return X, np.where(rows, np.take_along_axis(y, order, axis=1), 0.0), rows


def varies(y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Whether the values on the rows that are there differ by more than half the digits of float64 can hide (D,) bool."""
    low, high = np.where(rows, y, np.inf).min(axis=1), np.where(rows, y, -np.inf).max(axis=1)
    some = rows.any(axis=1)
    low, high = np.where(some, low, 0.0), np.where(some, high, 0.0)
    return high - low > np.sqrt(np.finfo(float).eps) * np.maximum(abs(low), abs(high))
