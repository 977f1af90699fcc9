"""Which of many columns the target depends on: a screen that sees non-monotone effects, changes of spread, and interactions.

    screen(X, y) -> Screened(kept, score)

Three looks, cheap first; a column is kept as soon as one of them sees it, since a useless column costs the search time but
a useful one that is dropped costs the law.

1. Alone: correlations between Legendre polynomials of the ranks of a column and functions of the target. That its *spread*
   depends on a column shows too, so the factors of a product that has no mean effect are seen.
2. In pairs: correlations of the target with products of such polynomials, all pairs by one matrix product.
3. What is left: a smooth model (Gaussian kernel, leave-one-out; Allen 1974, doi:10.2307/1267500) of the columns found is
   taken away, and the residual is looked at in the same way, until nothing more shows. Where columns are correlated, the
   strongest come first, so that what they explain is not found again in others.
Where the model remains poor, extremely randomised trees (Geurts et al. 2006, doi:10.1007/s10994-006-6226-1) have a say as
well: a column whose importance exceeds that of every shuffled copy of the columns is kept (Kursa & Rudnicki 2010,
doi:10.18637/jss.v036.i11). Where the model is good, columns that it does better without, and that do not show in what it then
leaves, are dropped again.
"""

from dataclasses import dataclass, replace

import numpy as np

from symnum.problem import dimension
from symnum.problem.table import Table

FROM = 20  # columns beyond which a table is screened
ROWS = 2000  # rows that are looked at
MODEL_ROWS = 500  # rows of the smooth model
DROP_ROWS = 300  # rows on which it is refitted without one column
DEGREES = 4  # polynomials of a column alone; 2 in pairs
FALSE_FINDS = 0.1  # expected number of useless columns that pass, in each look
ROUND = 10  # columns taken at a time where more show: the others are looked at again in the residual
ALIKE = 0.5  # rank correlation from which two columns are not taken in one round
MOST = 40  # columns kept at most
POOR = 0.9  # R² below which the trees are asked
TREES, TREE_ROWS, SHADOWS = 40, 1000, 200


@dataclass(frozen=True, slots=True)
class Screened:
    """The outcome.

    Attributes:
        kept: positions of the columns that are kept, most telling first.
        score: (columns,) how much each column told: the largest |z| over all looks (a standard normal where it is useless).
        r2: leave-one-out R² of the smooth model of the kept columns; NaN without one.
    """

    kept: np.ndarray
    score: np.ndarray
    r2: float


def screen(
    X: np.ndarray, y: np.ndarray, keep: int | str = "auto", always: tuple[int, ...] = (), seed: int = 0, weight: np.ndarray | None = None
) -> Screened:
    """Find the columns of X that y depends on.

    Args:
        X: (rows, columns).
        y: (rows,).
        keep: `auto`, or how many to keep.
        always: positions that are kept in any case.
        seed: of the sample of rows and of the trees.
        weight: (rows,) positive weights: the sample has rows of large weight rather than others.

    Raises:
        ValueError: shapes that do not fit, or a `keep` outside 1 … columns.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 60))
    >>> sorted(screen(X, X[:, 3] * X[:, 7] + np.sin(X[:, 40])).kept.tolist())
    [3, 7, 40]
    """
    X, y = np.asarray(X, float), np.asarray(y, float)
    if X.ndim != 2 or y.shape != X.shape[:1]:
        msg = f"X (rows, columns) and y (rows,) were required, got {X.shape} and {y.shape}"
        raise ValueError(msg)
    check_keep(keep, X.shape[1])
    rng = np.random.default_rng([seed, 3])
    share = None if weight is None else weight / weight.max() + 1e-9  # no row is out of reach
    share = None if share is None else share / share.sum()
    rows = np.sort(rng.choice(len(X), ROWS, replace=False, p=share)) if len(X) > ROWS else np.arange(len(X))
    X, y = X[rows], y[rows]
    basis = polynomials(X, DEGREES)
    score, kept, r2 = np.zeros(X.shape[1]), list(always), np.nan
    residual, left = y, np.arange(len(y))
    while len(kept) < MOST:
        z = np.maximum(*_looks(_beside(basis[:, left], kept), residual))
        score = np.maximum(score, z[0])
        found = [int(j) for j in np.argsort(-z[0], kind="stable") if z[1, j] > 1 and j not in kept]
        if not found:
            break
        kept += _apart(found, basis[0])[:ROUND]
        if len(left) == len(y):
            left = np.sort(rng.choice(len(y), MODEL_ROWS, replace=False)) if len(y) > MODEL_ROWS else left
        residual, r2 = _without(X[left][:, kept], y[left])
    if r2 > POOR:
        kept = _needed(X[left], y[left], basis[:, left], kept, always)
    else:
        kept += [j for j in _by_trees(X, y, rng) if j not in kept]
    order = kept + [j for j in np.argsort(-score, kind="stable").tolist() if j not in kept]
    if keep == "auto":  # where nothing tells, the columns that came nearest
        keep = min(len(kept), MOST) if len(kept) > len(always) else len(always) + FROM
    return Screened(np.array(order[: max(keep, len(always))], np.int64), score, r2)


def check_keep(keep: int | str | None, columns: int | None = None) -> None:
    """Refuse what `keep` cannot be.

    Raises:
        ValueError: neither `auto`, None nor a number of columns; more of them than there are, where that is given.
    """
    number = isinstance(keep, int | np.integer) and not isinstance(keep, bool)
    if not (keep is None or keep == "auto" or (number and keep >= 1)):
        msg = f"the number of columns to keep must be 'auto', None (all) or a whole number >= 1, got {keep!r}"
        raise ValueError(msg)
    if number and columns is not None and keep > columns:
        msg = f"a number of columns to keep up to {columns}, as many as there are, was required, got {keep}; take None to keep all"
        raise ValueError(msg)


def screened(table: Table, rows: np.ndarray, keep: int | str | None = "auto", always: tuple[str, ...] = (), seed: int = 0) -> Table:
    """The table without the columns that tell nothing about the target, with a note of what was left out.

    Args:
        table: the data.
        rows: the rows to look at (not those held out).
        keep: `auto` looks at tables of more than 20 columns only; a number keeps so many; None keeps all.
        always: columns that are kept in any case.
    """
    check_keep(keep)
    columns = len(table.names)
    if keep is None or columns <= (FROM if keep == "auto" else keep):
        return table
    weight = None if table.weight is None else np.asarray(table.weight, float)[rows]
    found = screen(table.X[rows], table.y[rows], keep, tuple(table.names.index(n) for n in always), seed, weight)
    kept = np.sort(found.kept)
    if (dims := dimension.of_table(table)) is not None:  # the screen knows no units: the kept columns may not make the target's
        added = dimension.completed(kept.tolist(), np.argsort(-found.score, kind="stable").tolist(), *dims)
        kept = np.union1d(kept, np.array(added, np.int64))
    if len(kept) == columns:
        return table
    names = tuple(table.names[j] for j in kept)
    note = f"{len(kept)} of {columns} columns were searched, those that tell something about {table.target}: {', '.join(names)}"
    units = {n: u for n, u in table.units.items() if n in {*names, table.target}}
    return replace(table, X=np.ascontiguousarray(table.X[:, kept]), names=names, units=units, notes=(*table.notes, note))


# looks ------------------------------------------------------------------------------------------------------------------
def polynomials(X: np.ndarray, degrees: int) -> np.ndarray:
    """(degrees, rows, columns) Legendre polynomials of the columns' ranks, each of mean 0 and variance 1 (or all 0).

    >>> p = polynomials(np.array([[1.0], [2.0], [4.0], [9.0]]), 1)
    >>> p[0, :, 0].round(3).tolist()
    [-1.342, -0.447, 0.447, 1.342]
    """
    from scipy.stats import rankdata

    u = 2 * (rankdata(X, axis=0) - 0.5) / len(X) - 1
    out = [np.ones_like(u), u]
    for k in range(1, degrees):
        out.append(((2 * k + 1) * u * out[-1] - k * out[-2]) / (k + 1))
    return np.stack([_standard(p) for p in out[1:]])


def _standard(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(axis=0)
    size = np.sqrt((x**2).mean(axis=0))
    return np.divide(x, size, out=np.zeros_like(x), where=size > 1e-9)


def _looks(basis: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per look (2, columns): the largest |z|, and how far it is beyond what chance gives (above 1: seen)."""
    from scipy.stats import norm

    n, columns = basis.shape[1:]
    targets = np.concatenate(polynomials(y[:, None], 3), axis=1)  # bounded: z is nearly normal for any y
    alone = np.abs(np.einsum("knc,nm->kcm", basis, targets, optimize=True)).max(axis=(0, 2)) / np.sqrt(n)
    tests = basis.shape[0] * targets.shape[1] * columns
    limit = norm.isf(FALSE_FINDS / tests / 2)
    paired = np.zeros(columns)
    for left, right in ((0, 0), (0, 1), (1, 1)):
        for target in targets[:, :2].T:
            z = np.abs((basis[left] * target[:, None]).T @ basis[right]) / np.sqrt(n)
            np.fill_diagonal(z, 0.0)
            paired = np.maximum(paired, np.maximum(z.max(axis=0), z.max(axis=1)))
    paired_limit = norm.isf(FALSE_FINDS / (columns * columns * 6) / 2)
    return np.stack([alone, alone / limit]), np.stack([paired, paired / paired_limit])


def _apart(found: list[int], ranks: np.ndarray) -> list[int]:
    """The columns found, but for those that are much like one before them: what is left must show whether they tell more."""
    out = found[:1]
    for j in found[1:]:
        if np.abs(ranks[:, out].T @ ranks[:, j]).max() < ALIKE * len(ranks):
            out.append(j)
    return out


def _beside(basis: np.ndarray, kept: list[int]) -> np.ndarray:
    """The polynomials of columns, but of those not kept only what those of the kept ones do not span: copies of them tell nothing."""
    if not kept:
        return basis
    degrees, n, columns = basis.shape
    Q = np.linalg.qr(np.concatenate([np.ones((n, 1)), *basis[:, :, kept]], axis=1))[0]
    flat = basis.transpose(1, 0, 2).reshape(n, -1)
    out = _standard(flat - Q @ (Q.T @ flat)).reshape(n, degrees, columns).transpose(1, 0, 2)
    out[:, :, kept] = basis[:, :, kept]
    return out


def _without(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """The leave-one-out residual of a kernel model over its standard deviation, and R²; the best of a few widths and ridges.

    With K = V diag(s) V' and G = (K + r)^-1, the leave-one-out error of row i is (G y)_i / G_ii, its variance 1 / G_ii up to a
    factor (Rasmussen & Williams 2006, eq. 5.12, http://gaussianprocess.org/gpml): without it, rows at the rim, which are
    predicted badly, would make every column look telling. The ranks of y are tried as well as y.
    """
    from scipy.linalg import eigh
    from scipy.spatial.distance import cdist

    Z, targets = polynomials(X, 1)[0], np.concatenate([_standard(y[:, None]), polynomials(y[:, None], 1)[0]], axis=1)
    Z = np.concatenate([Z, _standard(X)], axis=1) if np.isfinite(X).all() else Z
    square = cdist(Z, Z, "sqeuclidean") / Z.shape[1]
    best, error = targets[:, 0], np.inf
    for width in (1.0, 3.0, 10.0):
        s, V = eigh(np.exp(-square / (2 * width**2)) + 1.0, check_finite=False)
        Vt, V2 = V.T @ targets, V**2
        for ridge in (1e-8, 1e-5, 1e-2, 1.0):
            g = 1 / (np.maximum(s, 0) + ridge)
            G = (V2 @ g)[:, None]
            loo = (V @ (g[:, None] * Vt)) / G
            size = np.mean(loo**2, axis=0)
            if size.min() < error:
                best, error = (loo * np.sqrt(G))[:, size.argmin()], float(size.min())
    return best, 1 - error


def _needed(X: np.ndarray, y: np.ndarray, basis: np.ndarray, kept: list[int], always: tuple[int, ...]) -> list[int]:
    """The columns but for those that the smooth model does as well without, and that do not show in what it then leaves."""
    some = np.linspace(0, len(y) - 1, min(DROP_ROWS, len(y))).astype(int)
    X, y, basis = X[some], y[some], basis[:, some]
    for j in reversed(kept):
        others = [k for k in kept if k != j]
        if j in always or not others:
            continue
        full = _without(X[:, kept], y)[1]
        residual, r2 = _without(X[:, others], y)
        if r2 < full:
            continue
        at = kept.index(j)
        if max(look[1, at] for look in _looks(basis[:, :, kept], residual)) < 1:
            kept = others
    return kept


def _by_trees(X: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Columns more important to trees than any shuffled copy, by decreasing importance."""
    from sklearn.ensemble import ExtraTreesRegressor

    X, y = X[:TREE_ROWS], y[:TREE_ROWS]
    columns = X.shape[1]
    shadows = rng.permuted(X[:, rng.permutation(columns)[:SHADOWS]], axis=0)
    share = 1 / 3 if columns <= SHADOWS else 0.1
    trees = ExtraTreesRegressor(TREES, max_features=share, min_samples_leaf=3, random_state=int(rng.integers(1 << 31)), n_jobs=1)
    importance = trees.fit(np.concatenate([X, shadows], axis=1), y).feature_importances_
    limit = importance[columns:].max()
    return [int(j) for j in np.argsort(-importance[:columns], kind="stable") if importance[j] > limit]
