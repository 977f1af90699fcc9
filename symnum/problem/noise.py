"""How noisy a target is, told from the data alone, before any formula is known.

    y_i = f(x_i) + sigma / sqrt(w_i) * e_i,        f smooth and unknown

Every smoother that leaves some of f in its residuals makes sigma too large, never too small; so several are tried and the
least estimate is taken: polynomials of rising degree in the columns and in their logarithms, local linear and quadratic
regression that predicts each row from its neighbours (Gasser, Sroka & Jennen-Steinmetz 1986, doi:10.1093/biomet/73.3.625;
Stone 1977, doi:10.1214/aos/1176343886), and rows that were measured more than once. Whether the least is sigma itself or
only a bound shows in what a finer smoother would gain (`Noise.reliable`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations_with_replacement

import numpy as np
from numpy.polynomial import chebyshev

ROWS = 1500  # rows that smoothers are judged on …
NEIGHBOURS_AMONG = 20_000  # … and rows that are looked at: neighbours are sought among them
COLUMNS = 9  # columns that smoothers work in: those that tell most of y by themselves
TERMS = 230  # of a polynomial; all of degree 3 in nine columns
DEGREE = 14
FINER = 2  # degrees beyond the sufficient one that must gain nothing
CONTRAST = 1.5  # near and far neighbours must differ so much in distance to tell whether distance matters
NORMAL = 1.4826  # standard deviation of a normal variable over its median absolute deviation
LEAST_ROWS = 5
SELDOM = 4  # a table is copied twice or thrice; a measurement without noise may be repeated any number of times
FINE = 0.9  # share of different values from which equal ones are no chance


@dataclass(frozen=True, slots=True)
class Noise:
    """An estimate of the noise.

    Attributes:
        sigma: standard deviation of a row of weight 1; an upper bound where not `reliable`.
        error: standard error of sigma as a sample leaves it.
        reliable: finer smoothers gain nothing, so that sigma is more than a bound.
    """

    sigma: float
    error: float
    reliable: bool


@dataclass(frozen=True, slots=True)
class _Trial:
    """One smoother's variance, its degrees of freedom, and whether it is converged."""

    variance: float
    freedom: float
    converged: bool

    @property
    def bound(self) -> float:
        return self.variance * (1 + np.sqrt(2 / self.freedom))


def estimate_sigma(X, y, weight=None, *, robust: bool = False) -> Noise:
    """The standard deviation of the noise in y, model-free.

    Args:
        X: (rows, columns).
        y: (rows,).
        weight: (rows,) positive weights, the variance of row i being sigma² / weight_i; None for equal ones.
        robust: let up to a quarter of the rows be gross outliers: sigma is that of the others.

    Returns:
        the estimate; with fewer than 5 rows the spread of y, not reliable.

    Raises:
        ValueError: shapes that do not fit together, or weights that are not positive.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(0, 3, (400, 2))
    >>> noise = estimate_sigma(x, np.sin(x[:, 0]) * x[:, 1] + rng.normal(0, 0.05, 400))
    >>> abs(noise.sigma - 0.05) < 3 * noise.error, noise.reliable
    (True, True)
    """
    X, y = np.asarray(X, float), np.asarray(y, float)
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, float)
    if X.ndim != 2 or y.shape != X.shape[:1] or weight.shape != y.shape or not len(y) or not (weight > 0).all():
        msg = f"X (rows, columns), y (rows,) and positive weights (rows,) were required, got {X.shape}, {y.shape}, {weight.shape}"
        raise ValueError(msg)
    few = some_rows(len(y), NEIGHBOURS_AMONG)
    X, y, weight = _without_copies(X[few], y[few], weight[few])
    scale = np.max(np.abs(y - np.median(y))) or 1.0  # squares of extreme targets would leave float64
    y = (y - np.median(y)) / scale
    if len(y) < LEAST_ROWS:
        return Noise(float(np.std(y) * scale), float(np.std(y) * scale), False)
    trials = list(_robust(X, y, weight) if robust else _trials(X, y, weight))
    best = min(trials, key=lambda t: t.bound)
    sigma = float(np.sqrt(best.variance) * scale)
    agreed = any(t.converged and t.freedom >= 10 and t.variance <= best.variance * (1 + 2 * np.sqrt(2 / t.freedom)) for t in trials)
    return Noise(sigma, float(sigma / np.sqrt(2 * best.freedom)), agreed)


def _without_copies(X, y, weight) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that repeat another in X and y once only, where y is written so finely that this is no chance: copies tell no noise."""
    different = len(np.unique(y))
    if different == len(y):
        return X, y, weight
    first = np.sort(np.unique(np.column_stack([X, y]), axis=0, return_index=True)[1])
    copied = different > FINE * len(first) and len(y) < SELDOM * len(first)
    return (X[first], y[first], weight[first]) if copied else (X, y, weight)


def _trials(X, y, weight) -> Iterator[_Trial]:
    """What every smoother leaves."""
    yield _Trial(_variance(y - np.average(y, weights=weight), weight, len(y) - 1), len(y) - 1, False)
    yield from _replicates(X, y, weight)
    few = some_rows(len(y), ROWS)
    u = coordinates_of(X[:, telling_columns(X[few], y[few])])
    for coordinates in u:
        yield from _polynomials(coordinates[few], y[few], weight[few])
    yield from _neighbours(u[0], y, weight)


def some_rows(n: int, most: int) -> np.ndarray:
    """At most `most` of n row numbers, the same at every call; at random, for rows may be in any order."""
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(0).choice(n, most, replace=False))


def _variance(residual, weight, freedom: float) -> float:
    return float(np.dot(weight, residual**2) / freedom)


def telling_columns(X, y) -> np.ndarray:
    """The columns, by what a cubic in each alone tells of y, at most `COLUMNS` of those that vary."""
    varying = np.flatnonzero(np.ptp(X, axis=0) > 0)
    if len(varying) <= COLUMNS:
        return varying
    told = [np.sum(np.linalg.qr(chebyshev.chebvander(_unit(X[:, j]), 3))[0].T @ y) ** 2 for j in varying]
    return np.sort(varying[np.argsort(told)[::-1][:COLUMNS]])


def _unit(column) -> np.ndarray:
    """The column on [-1, 1]."""
    low, high = np.min(column), np.max(column)
    return (column / 2 - low / 2) / (high / 2 - low / 2) * 2 - 1 if high > low else np.zeros(len(column))


def coordinates_of(X) -> list[np.ndarray]:
    """The columns on [-1, 1]; and once more through the logarithm where one is positive and spans a factor of 2."""
    plain = np.column_stack([_unit(c) for c in X.T]) if X.shape[1] else X
    wide = [c.min() > 0 and c.max() > 2 * c.min() for c in X.T]
    if not any(wide):
        return [plain]
    return [plain, np.column_stack([_unit(np.log(c)) if w else p for c, w, p in zip(X.T, wide, plain.T, strict=True)])]


# smoothers ----------------------------------------------------------------------------------------------------------------
def polynomial_basis(u, most: int) -> tuple[np.ndarray, list[int]]:
    """Products of Chebyshev polynomials by total degree, at most `most` of them, and how many have degree <= 0, 1, 2, …"""
    d = u.shape[1]
    powers = [chebyshev.chebvander(c, DEGREE) for c in u.T]
    columns, ends, whole = [np.ones(len(u))], [1], 0
    for degree in range(1, DEGREE + 1 if d else 1):
        choices = [c for c, _ in zip(combinations_with_replacement(range(d), degree), range(most + 1), strict=False)]
        if len(columns) + len(choices) <= most:
            whole = degree
        elif degree <= whole + FINER:  # at least the powers of each column by itself
            choices = [(j,) * degree for j in range(d)]
        if len(columns) + len(choices) > most:
            break
        columns += [reduce(np.multiply, [powers[j][:, c.count(j)] for j in set(c)]) for c in choices]
        ends.append(len(columns))
    return np.column_stack(columns), ends


def _polynomials(u, y, weight) -> Iterator[_Trial]:
    """Least squares by polynomials of every degree, from one factorisation."""
    n = len(y)
    A, ends = polynomial_basis(u, min(n // 2, TERMS))
    root = np.sqrt(weight)
    Q, R = np.linalg.qr(A * root[:, None])
    sound = np.abs(np.diag(R)) > 1e-10 * np.max(np.abs(R))  # a column that says nothing new has no coefficient
    told = np.where(sound, Q.T @ (root * y), 0.0)
    rest, trials = root * y, []
    for start, end in zip([0, *ends], ends, strict=False):
        rest = rest - Q[:, start:end] @ told[start:end]
        freedom = n - int(sound[:end].sum())
        trials.append(_Trial(float(rest @ rest) / freedom, freedom, False))
    yield from trials
    yield from _sufficient(trials)


def _sufficient(trials: list[_Trial]) -> Iterator[_Trial]:
    """The best of rising degrees, where `FINER` ones beyond a sufficient degree gain nothing."""
    best = min(trials, key=lambda t: t.bound)
    enough = next(i for i, t in enumerate(trials) if t.variance <= best.variance * (1 + 2 * np.sqrt(2 / t.freedom)))
    if enough + FINER < len(trials):
        yield replace(best, converged=True)


def _neighbours(u, y, weight) -> Iterator[_Trial]:
    """Each row against a local linear and a local quadratic regression on its neighbours."""
    from scipy.spatial import cKDTree

    slopes = np.linalg.lstsq(np.column_stack([np.ones(len(u)), u, u**2]), y, rcond=None)[0][1:].reshape(2, -1)
    steep = np.abs(slopes[0]) + np.abs(slopes[1])
    u = u * np.maximum(steep, 0.02 * np.max(steep, initial=1e-300))  # a column that y hardly depends on keeps no neighbours apart
    d, tree, query = u.shape[1], None, some_rows(len(y), ROWS)
    for order in (1, 2):
        terms = 1 + d + (d * (d + 1) // 2 if order == 2 else 0)
        k = 2 * terms + 2
        if d == 0 or terms > 21 or k + 1 > len(y) // 2:
            continue
        tree = tree or cKDTree(u)
        index = tree.query(u[query], k + 1)[1]
        own = index == query[:, None]
        own[:, -1] |= ~own.any(axis=1)  # among many equal rows the row itself may be missing
        index = index[~own].reshape(len(query), k)
        away = u[index] - u[query][:, None, :]
        size = np.max(np.abs(away), axis=(1, 2), keepdims=True)
        away = away / np.where(size > 0, size, 1.0)
        pairs = list(combinations_with_replacement(range(d), 2)) if order == 2 else []
        A = np.concatenate([np.ones((*away.shape[:2], 1)), away, *(away[..., [a]] * away[..., [b]] for a, b in pairs)], axis=2)
        root = np.sqrt(weight[index])
        a = np.linalg.pinv(A * root[..., None], rcond=1e-8)[:, 0, :] * root  # the prediction is a . y
        spread = 1 / weight[query] + np.sum(a**2 / weight[index], axis=1)
        squares = (y[query] - np.sum(a * y[index], axis=1)) ** 2 / spread
        size = size[:, 0, 0]
        far = size > np.median(size)  # where neighbours are far, what the regression misses is largest
        freedom = len(query) / 2  # neighbours share rows: their residuals are correlated
        telling = far.any() and np.median(size[far]) > CONTRAST * np.median(size[~far])
        for part in (np.ones(len(query), bool), ~far):
            part_freedom = freedom * part.mean()
            flat = telling and squares[far].mean() <= squares[~far].mean() * (1 + 2 * np.sqrt(4 / part_freedom))
            yield _Trial(float(squares[part].mean()), part_freedom, bool(flat))


def _replicates(X, y, weight) -> Iterator[_Trial]:
    """Rows of equal X differ by noise alone."""
    _, group, count = np.unique(X, axis=0, return_inverse=True, return_counts=True)
    freedom = len(y) - len(count)
    if freedom < max(10, len(y) // 10):
        return
    group = group.ravel()
    mean = np.bincount(group, weight * y) / np.bincount(group, weight)
    yield _Trial(_variance(y - mean[group], weight, freedom), freedom, True)


def _robust(X, y, weight) -> Iterator[_Trial]:
    """Polynomials by re-weighted squares (Huber 1964, doi:10.1214/aoms/1177703732), the scale by the median absolute residual."""
    few = some_rows(len(y), ROWS)
    X, y, root = X[few], y[few], np.sqrt(weight[few])
    n = len(y)
    for u in coordinates_of(X[:, telling_columns(X, y)]):
        A, ends = polynomial_basis(u, min(n // 5 + 1, 60))
        trials = []
        for end in ends:
            step = np.ones(n)
            for _ in range(20):
                q = root * np.sqrt(step)
                residual = root * (y - A[:, :end] @ np.linalg.lstsq(A[:, :end] * q[:, None], q * y, rcond=1e-10)[0])
                width = NORMAL * np.median(np.abs(residual))
                if width <= 1e-12 * np.max(np.abs(residual)):  # most rows are met exactly
                    break
                step = 1 / np.maximum(1.0, np.abs(residual) / (2 * width)) ** 2  # gross outliers fade
            freedom = 0.37 * (n - end)  # what the median of n residuals is worth
            trials.append(_Trial(float(width**2 * n / (n - end)), freedom, False))
        yield from trials
        yield from _sufficient(trials)
