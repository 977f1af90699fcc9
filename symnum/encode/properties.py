"""Numeric properties of laws: what a curve looks like, and which symmetries a law has on the points of its data.

The properties of a curve (laws of one column) are those of SNIP (Meidani, Shojaee, Reddy & Barati Farimani, ICLR 2024,
arXiv:2310.02227); the others are checks of identities on sampled points, so that they hold for the values, not for the text.
Where a value that is needed is not finite, or a property means nothing for a law, it is NaN.
"""

from collections.abc import Callable

import numpy as np

GRID = 128  # points of a curve
PROBES = 24  # points, and pairs of points, on which identities are checked
CONVEX = 1e-9  # tolerance of Jensen's inequality, of the range of y
LEVEL = 1e-3  # a step of less than this part of the range of y is neither up nor down
EQUAL = 1e-9  # values that differ by less than this part of the largest are equal
RECURS = 1e-2  # a mean squared difference below this part of the variance is a period's

CURVE = ("non_convexity", "upwardness", "mean", "oscillation", "periodic")
IDENTITIES = ("even", "odd", "increasing", "decreasing", "additive", "multiplicative", "symmetric")
PROPERTIES = CURVE + IDENTITIES


def curve_properties(y: np.ndarray, triples: int = 256) -> np.ndarray:
    """The properties `CURVE` of curves on a uniform grid.

    non_convexity is 1 - the share of triples of points on which Jensen's inequality holds (0: convex), upwardness the number
    of steps up less that of steps down as a share of all, mean that of y scaled to [0, 1], oscillation log(1 + changes of
    direction), periodic 1 where y returns to itself at some shift of at most half the grid, else 0 (a check by the
    autocorrelation, for waves of some eight points or more).

    Args:
        y: (P, G) values, G >= 8.
        triples: how many triples are drawn, the same ones for every curve.

    Returns:
        (P, 5), NaN where a value is not finite or y is constant.

    Raises:
        ValueError: y is no table of 8 columns at least.

    >>> x = np.linspace(-1, 1, 64)
    >>> curve_properties(np.stack([x**2, x])).round(2).tolist()
    [[0.0, 0.0, 0.34, 0.69, 0.0], [0.0, 1.0, 0.5, 0.0, 0.0]]
    """
    y = np.asarray(y, float)
    if y.ndim != 2 or y.shape[1] < 8:
        msg = f"curves of shape (P, G) with G >= 8 were required, got {y.shape}; try y[None, :] for a single one"
        raise ValueError(msg)
    out = np.full((len(y), len(CURVE)), np.nan)
    finite = np.isfinite(y).all(axis=1)
    low, high = (f(np.where(finite[:, None], y, 0.0), axis=1) for f in (np.min, np.max))
    used = np.flatnonzero(finite & (high / 2 - low / 2 > EQUAL * np.maximum(abs(low), abs(high))))
    if len(used) == 0:
        return out
    size = np.maximum(abs(low), abs(high))[used, None]
    z = y[used] / size  # of order 1 first: the range itself may overflow
    z = (z - z.min(axis=1, keepdims=True)) / np.ptp(z, axis=1)[:, None]
    steps = np.diff(z, axis=1)
    direction = np.where(abs(steps) < LEVEL, 0, np.sign(steps)).astype(np.int64)
    up = direction.mean(axis=1)
    out[used] = np.stack([_non_convexity(z, triples), up, z.mean(axis=1), np.log1p(_turns(direction)), _periodic(z)], axis=1)
    return out


def _non_convexity(z: np.ndarray, triples: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    i, j, k = np.sort(np.stack([rng.choice(z.shape[1], 3, replace=False) for _ in range(triples)]), axis=1).T
    share = (k - j) / (k - i)
    return (z[:, j] > share * z[:, i] + (1 - share) * z[:, k] + CONVEX).mean(axis=1)


def _turns(direction: np.ndarray) -> np.ndarray:
    """Changes between up and down, level stretches left out."""
    at = np.maximum.accumulate(np.where(direction != 0, np.arange(direction.shape[1]), -1), axis=1)
    last = np.where(at >= 0, np.take_along_axis(direction, np.maximum(at, 0), axis=1), 0)
    return ((last[:, 1:] * last[:, :-1]) < 0).sum(axis=1)


def _periodic(z: np.ndarray) -> np.ndarray:
    """Whether the mean squared difference at a shift, once it was half the largest possible, falls to nothing again."""
    half = z.shape[1] // 2
    difference = np.stack([((z[:, k:] - z[:, :-k]) ** 2).mean(axis=1) for k in range(1, half + 1)], axis=1)
    difference /= z.var(axis=1, keepdims=True)  # 2 on average for values that have nothing to do with each other
    left, middle, right = difference[:, :-2], difference[:, 1:-1], difference[:, 2:]
    curvature = left - 2 * middle + right
    lowest = middle - (left - right) ** 2 / (8 * np.where(curvature > 0, curvature, np.inf))  # of the parabola through three
    left_behind = np.maximum.accumulate(difference, axis=1)[:, 1:-1] > 1.0
    return (left_behind & (middle <= left) & (middle <= right) & (lowest < RECURS)).any(axis=1).astype(float)


def probe_points(X: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """The points at which `law_properties` needs the values of laws.

    Args:
        X: (D, 2 * PROBES, V) points of the data of each law.
        relevant: (D, V) the columns that each law depends on.

    Returns:
        (D, M, V): two sets a and b of PROBES points; for every column a with the column negated, a with that of b, b with
        that of a; for every pair of columns a with the two exchanged; last a grid of GRID points over the range of the first
        relevant column.
    """
    D, _, V = X.shape
    a, b = X[:, :PROBES], X[:, PROBES:]
    pairs = [(i, j) for i in range(V) for j in range(i)]
    count = 2 + 3 * V + len(pairs)
    out = np.empty((D, count * PROBES + GRID, V))
    blocks = out[:, : count * PROBES].reshape(D, count, PROBES, V)  # a view
    blocks[:] = a[:, None]
    blocks[:, 1] = b
    for i in range(V):
        negated, one, two = (blocks[:, 2 + 3 * i + k] for k in range(3))
        two[:] = b
        negated[:, :, i], one[:, :, i], two[:, :, i] = -a[:, :, i], b[:, :, i], a[:, :, i]
    for k, (i, j) in enumerate(pairs):
        exchanged = blocks[:, 2 + 3 * V + k]
        exchanged[:, :, i], exchanged[:, :, j] = a[:, :, j], a[:, :, i]
    grid, every = out[:, count * PROBES :], np.arange(D)
    grid[:] = a[:, :1]
    column = relevant.argmax(axis=1)
    line = X[every, :, column]
    grid[every, :, column] = np.linspace(line.min(axis=1), line.max(axis=1), GRID, axis=1)
    return out


@np.errstate(all="ignore")
def law_properties(points: np.ndarray, values: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """The `PROPERTIES` of laws from their values at `probe_points`.

    even, odd, increasing and decreasing are shares of the relevant columns in which the law is so (increasing: between the
    pairs of points that differ in this column only); additive and multiplicative are 1 where some column separates,
    f = g(x_i) + h(the others) or g*h; symmetric is the share of the pairs of relevant columns that may be exchanged. The last
    three are NaN for laws of less than two columns, `CURVE` for laws of more than one.

    Args:
        points: (D, M, V); values: (D, M); relevant: (D, V) bool.

    Returns:
        (D, P).
    """
    D, _, V = points.shape
    out = np.full((D, len(PROPERTIES)), np.nan)
    count = relevant.sum(axis=1)
    single, several = np.flatnonzero(count == 1), count > 1
    out[single, : len(CURVE)] = curve_properties(values[single, -GRID:])
    f = values[:, :-GRID].reshape(D, -1, PROBES)
    size = np.max(np.where(np.isfinite(f), abs(f), 0.0), axis=(1, 2), initial=0.0)
    f = f / np.where(size > 0, size, 1.0)[:, None, None]  # of order 1: products cannot overflow
    a, b = f[:, 0], f[:, 1]
    negated, one, two = (f[:, 2 + k : 2 + 3 * V : 3] for k in range(3))
    base = a[:, None]
    steps = _differences(one, base) * np.sign((points[:, :PROBES] - points[:, PROBES : 2 * PROBES]).transpose(0, 2, 1))
    shares = {
        "even": _holds(_differences(negated, base), base, negated),
        "odd": _holds(negated + base, base, negated),
        "increasing": _all(steps <= 0, one, base),
        "decreasing": _all(steps >= 0, one, base),
    }
    for name, true in shares.items():
        out[:, PROPERTIES.index(name)] = _share(true, relevant)
    others = b[:, None]
    separates = {
        "additive": _holds(base + others - one - two, base, others, one, two),
        "multiplicative": _holds(base * others - one * two, base * others, one * two),
    }
    for name, true in separates.items():
        known = np.where(relevant, true, np.nan)
        highest = np.max(np.where(np.isnan(known), -1.0, known), axis=1, initial=-1.0)
        out[:, PROPERTIES.index(name)] = np.where(several & (highest >= 0), highest, np.nan)
    pairs = np.array([(i, j) for i in range(V) for j in range(i)], np.int64).reshape(-1, 2)
    exchanged = f[:, 2 + 3 * V :]
    both = relevant[:, pairs[:, 0]] & relevant[:, pairs[:, 1]]
    out[:, PROPERTIES.index("symmetric")] = _share(_holds(_differences(exchanged, base), base, exchanged), both)
    out[count == 0] = np.nan
    return out


def _differences(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """one - two, exactly 0 where they are equal up to rounding."""
    with np.errstate(invalid="ignore"):
        difference = one - two
    return np.where(abs(difference) <= EQUAL * np.maximum(abs(one), abs(two)), 0.0, difference)


def _holds(residual: np.ndarray, *parts: np.ndarray) -> np.ndarray:
    """Whether a residual is nothing against the parts that make it, on all points; NaN where one of them is not finite."""
    size = parts[0]
    for part in parts[1:]:
        size = np.maximum(abs(size), abs(part))
    return _all(abs(residual) <= EQUAL * abs(size), *parts)


def _all(true: np.ndarray, *parts: np.ndarray) -> np.ndarray:
    """Whether something is true on all points; NaN where one of the parts is not finite."""
    finite = np.True_
    for part in parts:
        finite = finite & np.isfinite(part)
    return np.where(finite.all(axis=-1), true.all(axis=-1).astype(float), np.nan)


def _share(true: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The share of the known ones among the columns (or pairs) in question; NaN where none is known."""
    known = among & ~np.isnan(true)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, true, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def properties(law: Callable[[np.ndarray], np.ndarray], X: np.ndarray, relevant: np.ndarray | None = None) -> dict[str, float]:
    """The properties of one law on points.

    Args:
        law: takes rows (n, V), gives values (n,).
        X: (n, V) points, at least 2; they are repeated where they are fewer than the checks need.
        relevant: (V,) the columns that it depends on; all where None.

    Raises:
        ValueError: X is no table of at least 2 rows.

    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> found = properties(lambda Z: Z[:, 0] ** 2 * np.exp(Z[:, 1]), X)
    >>> found["even"], found["increasing"], found["additive"], found["multiplicative"]
    (0.5, 0.5, 0.0, 1.0)
    """
    X = np.asarray(X, float)
    if X.ndim != 2 or len(X) < 2:
        msg = f"points of shape (n >= 2, V) were required, got {X.shape}"
        raise ValueError(msg)
    relevant = np.ones(X.shape[1], bool) if relevant is None else np.asarray(relevant, bool)
    points = probe_points(probes(X[None], np.array([len(X)])), relevant[None])
    with np.errstate(all="ignore"):
        values = np.asarray(law(points[0]), float)
    return dict(zip(PROPERTIES, law_properties(points, values[None], relevant[None])[0].tolist(), strict=True))


def probes(X: np.ndarray, count: np.ndarray) -> np.ndarray:
    """2 * PROBES rows (D, 2 * PROBES, V) of the first `count` (D,) of each law's X (D, N, V), around and around where they are few."""
    step = np.arange(2 * PROBES)
    return X[np.arange(len(X))[:, None], (step + (step >= PROBES) * (PROBES % count[:, None] == 0)) % count[:, None]]
