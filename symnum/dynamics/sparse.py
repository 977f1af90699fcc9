"""Sparse regression: which few columns of a library explain a target.

For every size the best support is found, exhaustively where that is possible and by a beam with exchanges where it is not;
the description length chooses among the sizes. Bags of rows and columns say how sure an inclusion is (Fasel et al. 2022,
doi:10.1098/rspa.2021.0904).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

NODES = 400_000  # supports that are looked at exhaustively
BEAM = 40  # supports of each size that a beam keeps
EXCHANGED = 3  # the best of each size, whose columns are exchanged
SPARE = 8  # supports of each size, by normal equations, that are fitted again by an orthogonal decomposition
SINGULAR = 1e-10  # a column of which others of the support leave no more than this share is a combination of them
BAG_COLUMNS = 0.8  # share of the columns that a bag offers


@dataclass(frozen=True)
class Subset:
    """A support and its least-squares fit.

    Attributes:
        columns: the numbers of the columns, sorted.
        coefficients: (k,) one per column.
        rss: the residual sum of squares.
    """

    columns: tuple[int, ...]
    coefficients: np.ndarray
    rss: float

    def nats(self, rows: float, library: int, floor: float = 0.0) -> float:
        """Nats to describe the target: residuals of unknown variance, coefficients, and which columns of a library of that size.

        Args:
            rows: independent rows.
            floor: a mean square residual far below which nothing is gained.
        """
        k = len(self.columns)
        which = math.lgamma(library + 1) - math.lgamma(k + 1) - math.lgamma(library - k + 1) + math.log(library + 1)
        return rows / 2 * math.log(self.rss / rows + max(floor, 1e-300)) + k / 2 * math.log(max(rows, 2.0)) + which


def best_subsets(A: np.ndarray, b: np.ndarray, most: int, keep: int = 1) -> list[Subset]:
    """The best supports of every size from 0 to `most`, `keep` of each, by increasing size and residual.

    Args:
        A: (K, L) columns; they are normalised inside.
        b: (K,) target.
        most: largest size; supports never have more columns than there are rows.
        keep: supports of each size.

    Raises:
        ValueError: shapes that do not go together, or values that are not finite.

    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(50, 10))
    >>> best_subsets(A, A[:, 3] - 2 * A[:, 7], 3)[2].columns
    (3, 7)
    """
    A, b = np.asarray(A, float), np.asarray(b, float)
    if A.ndim != 2 or b.shape != A.shape[:1]:
        msg = f"columns (K, L) and a target (K,) were required, got {A.shape} and {b.shape}"
        raise ValueError(msg)
    if not (np.isfinite(A).all() and np.isfinite(b).all()):
        msg = f"finite columns and target were required, {int((~np.isfinite(A)).any(axis=0).sum())} of {A.shape[1]} columns are not"
        raise ValueError(msg)
    K, L = A.shape
    most = min(most, L, K)
    norm = np.linalg.norm(A, axis=0)
    if K > L + 1:  # everything that matters of many rows
        R = np.linalg.qr(np.column_stack([A / np.where(norm > 0, norm, 1), b]), mode="r")
        X, y = R[:, :L], R[:, L]
    else:
        X, y = A / np.where(norm > 0, norm, 1), b
    usable = np.flatnonzero(norm > 0)
    found = {0: {()}} | {k: set() for k in range(1, most + 1)}
    if len(usable) and most and (size := np.linalg.norm(y)) > 0:
        for k, supports in _screened(X[:, usable], y / size, most, max(SPARE, keep), K).items():
            found[k] |= {tuple(usable[list(s)]) for s in supports}
    return [fitted for k in range(most + 1) for fitted in sorted((_fit(X, y, norm, s) for s in found[k]), key=lambda s: s.rss)[:keep]]


def best_with(A: np.ndarray, b: np.ndarray, others: np.ndarray, most: int, keep: int = 1) -> list[Subset]:
    """Supports of one of some other columns and 0 … `most` columns of A, the best few of each size.

    Args:
        A: (K, L) columns.
        b: (K,) target.
        others: (K, M) columns, one of which is in the support: number L + m for column m, always the last.
        most: columns of A beside it.
        keep: supports of each size, that differ in the columns of A.
    """
    norm, size = np.linalg.norm(A, axis=0), np.linalg.norm(others, axis=0)
    usable = np.flatnonzero(norm > 0)
    X, unit = A[:, usable] / norm[usable], others / np.where(size > 0, size, 1)
    G, c, cross, value = X.T @ X, X.T @ b, X.T @ unit, unit.T @ b
    while most > 0 and sum(math.comb(len(usable), k) for k in range(most + 1)) > NODES // 100:
        most -= 1
    best: list[dict[tuple[int, ...], tuple[float, int]]] = [{} for _ in range(most + 1)]
    for m in np.flatnonzero(size > 0).tolist():
        g, left = cross[:, m], float(b @ b - value[m] ** 2)
        rss, supports = np.full((max(most, 1), keep), np.inf), np.full((max(most, 1), keep, max(most, 1)), -1)
        if most:
            _exhaust(G - np.outer(g, g), c - g * value[m], left, most, rss, supports, SINGULAR)
        found = [((), left), *((tuple(supports[k, n, : k + 1].tolist()), rss[k, n]) for k in range(most) for n in range(keep))]
        for support, r in found:
            if r < best[len(support)].get(support, (np.inf, 0))[0]:
                best[len(support)][support] = float(r), m
    out = []
    for of_size in best:
        for support in sorted(of_size, key=of_size.__getitem__)[:keep]:
            m, columns = of_size[support][1], [int(usable[j]) for j in support]
            part = np.column_stack([A[:, columns], others[:, m]]) / np.append(norm[columns], size[m])
            theta = np.linalg.lstsq(part, b, rcond=None)[0]
            residual = b - part @ theta
            out.append(Subset((*columns, A.shape[1] + m), theta / np.append(norm[columns], size[m]), float(residual @ residual)))
    return out


def _fit(X: np.ndarray, y: np.ndarray, norm: np.ndarray, columns: tuple[int, ...]) -> Subset:
    if not columns:
        return Subset((), np.zeros(0), float(y @ y))
    columns = tuple(map(int, columns))
    part = X[:, columns]
    theta = np.linalg.lstsq(part, y, rcond=None)[0]
    residual = y - part @ theta
    return Subset(columns, theta / norm[list(columns)], float(residual @ residual))


def shortest(subsets: Sequence[Subset], rows: float, library: int, floor: float = 0.0) -> int:
    """Position of the support that describes the target most briefly; see `Subset.nats`."""
    return int(np.argmin([s.nats(rows, library, floor) for s in subsets]))


def inclusion(
    A: np.ndarray, b: np.ndarray, choose: Callable[[np.ndarray, np.ndarray], Sequence[int]], models: int = 20, seed: int = 0,
    always: Sequence[int] = (),
) -> np.ndarray:
    """(L,) how often a column is chosen among the bags that offer it.

    Args:
        A, b: columns and target.
        choose: gives the columns chosen of (A, b).
        models: bags; each has as many rows, drawn with replacement, and four fifths of the columns.
        always: columns that every bag offers.
    """
    rng = np.random.default_rng([seed, 4])
    K, L = A.shape
    chosen, offered = np.zeros(L), np.zeros(L)
    for _ in range(models):
        rows = rng.integers(K, size=K)
        columns = np.union1d(np.flatnonzero(rng.random(L) < BAG_COLUMNS), np.asarray(always, int)).astype(int)
        if not len(columns):
            continue
        offered[columns] += 1
        chosen[columns[list(choose(A[rows][:, columns], b[rows]))]] += 1
    return np.divide(chosen, offered, out=np.zeros(L), where=offered > 0)


def _screened(X: np.ndarray, y: np.ndarray, most: int, keep: int, rows: int) -> dict[int, list[tuple[int, ...]]]:
    """Promising supports by size, by the normal equations of normalised columns."""
    G, c = X.T @ X, X.T @ y
    L = len(c)
    found: dict[int, list[tuple[int, ...]]] = {}
    reach, nodes = 0, 0
    while reach < most and nodes + math.comb(L, reach + 1) <= NODES:
        reach += 1
        nodes += math.comb(L, reach)
    if reach:
        rss = np.full((reach, keep), np.inf)
        supports = np.full((reach, keep, reach), -1)
        _exhaust(G, c, float(y @ y), reach, rss, supports, SINGULAR)
        for k in range(1, reach + 1):
            found[k] = [tuple(sorted(s[:k].tolist())) for s, r in zip(supports[k - 1], rss[k - 1], strict=True) if np.isfinite(r)]
    if reach < most:
        _beam(G, c, found, reach, most, keep)
        if 2 * L <= rows:  # else almost everything fits with all columns, and nothing is learnt from leaving one out
            _backward(G, c, found, most)
    return found


@njit(cache=True, error_model="numpy")
def _exhaust(G, c, yy, reach, best, supports, singular):
    """Every support of up to `reach` columns in depth-first order, each by one row of a Cholesky factor.

    Fills best (reach, keep) with the least residual sums of squares per size and supports (reach, keep, reach).
    """
    L = len(c)
    keep = best.shape[1]
    factor = np.zeros((reach, reach))
    solved = np.zeros(reach)
    rss = np.zeros(reach + 1)
    support = np.zeros(reach, np.int64)
    rss[0] = yy
    depth, j = 0, 0
    while True:
        if j == L or depth == reach:
            if depth == 0:
                return
            depth -= 1
            j = support[depth] + 1
            continue
        pivot = G[j, j]
        value = c[j]
        for i in range(depth):
            entry = G[support[i], j]
            for m in range(i):
                entry -= factor[i, m] * factor[depth, m]
            entry /= factor[i, i]
            factor[depth, i] = entry
            pivot -= entry * entry
            value -= entry * solved[i]
        if pivot <= singular * G[j, j]:
            j += 1
            continue
        factor[depth, depth] = math.sqrt(pivot)
        solved[depth] = value / factor[depth, depth]
        left = rss[depth] - solved[depth] ** 2
        support[depth] = j
        if left < best[depth, keep - 1]:
            at = keep - 1
            while at > 0 and best[depth, at - 1] > left:
                best[depth, at] = best[depth, at - 1]
                supports[depth, at] = supports[depth, at - 1]
                at -= 1
            best[depth, at] = left
            supports[depth, at, : depth + 1] = support[: depth + 1]
        depth += 1
        rss[depth] = left
        j += 1


@njit(cache=True, error_model="numpy")
def _gains(G, c, support, singular, gain):
    """Fills gain (L,) with how much the residual falls when a column joins the support; -1 for members and combinations of them.

    Returns how much the support explains; -1 where its columns are dependent.
    """
    k, L = len(support), len(c)
    factor, solved, entry = np.zeros((k, k)), np.zeros(k), np.zeros(k)
    explained = 0.0
    for n in range(k + L):
        j = support[n] if n < k else n - k
        depth = min(n, k)
        pivot, value = G[j, j], c[j]
        for i in range(depth):
            e = G[support[i], j]
            for m in range(i):
                e -= factor[i, m] * entry[m]
            e /= factor[i, i]
            entry[i] = e
            pivot -= e * e
            value -= e * solved[i]
        free = pivot > singular * G[j, j]
        if n >= k:
            gain[j] = value * value / pivot if free else -1.0
        elif not free:
            return -1.0
        else:
            for i in range(depth):
                factor[n, i] = entry[i]
            factor[n, n] = math.sqrt(pivot)
            solved[n] = value / factor[n, n]
            explained += solved[n] ** 2
    for j in support:
        gain[j] = -1.0
    return explained


def _beam(G: np.ndarray, c: np.ndarray, found: dict, start: int, most: int, keep: int) -> None:
    """Larger supports from those of size `start`: extensions of the best, then exchanges of single columns."""
    beam = found.get(start) or [()]
    gain = np.zeros(len(c))
    for k in range(start + 1, most + 1):
        grown: dict[tuple[int, ...], float] = {}
        for support in beam[:BEAM]:
            explained = _gains(G, c, np.array(support, np.int64), SINGULAR, gain)
            if explained < 0:
                continue
            for j in np.argsort(-gain)[:BEAM]:
                if gain[j] >= 0:
                    grown[tuple(sorted((*support, int(j))))] = explained + gain[j]
        for support in sorted(grown, key=grown.__getitem__, reverse=True)[:EXCHANGED]:
            _exchange(G, c, support, grown, gain)
        beam = sorted(grown, key=grown.__getitem__, reverse=True)[:BEAM]
        if not beam:
            return
        found[k] = beam[:keep]


def _exchange(G: np.ndarray, c: np.ndarray, support: tuple[int, ...], grown: dict, gain: np.ndarray) -> None:
    """Follow the exchanges of one column for another that explain more."""
    explained = grown[support]
    for _ in range(len(support)):
        best = explained * (1 + 1e-12), support
        for out in support:
            rest = tuple(j for j in support if j != out)
            base = _gains(G, c, np.array(rest, np.int64), SINGULAR, gain)
            j = int(np.argmax(gain))
            if base >= 0 and gain[j] >= 0 and base + gain[j] > best[0]:
                best = base + gain[j], tuple(sorted((*rest, j)))
        if best[1] == support:
            return
        explained, support = best
        grown[support] = explained


def _backward(G: np.ndarray, c: np.ndarray, found: dict, most: int) -> None:
    """Supports by backward elimination: the column that costs least goes first."""
    support = np.flatnonzero(np.diag(G) > 0)
    inverse = np.linalg.inv(G[np.ix_(support, support)] + SINGULAR * np.eye(len(support)))
    while len(support):
        if len(support) <= most:
            found.setdefault(len(support), []).append(tuple(support.tolist()))
        pivot = np.diag(inverse)
        if not pivot.min() > 0 or pivot.max() > 1 / SINGULAR:  # rounding has taken over
            inverse = np.linalg.inv(G[np.ix_(support, support)] + SINGULAR * np.eye(len(support)))
            pivot = np.maximum(np.diag(inverse), 1e-300)
        out = int(np.argmin((inverse @ c[support]) ** 2 / pivot))
        inverse = inverse - np.outer(inverse[out], inverse[out]) / pivot[out]
        inverse = np.delete(np.delete(inverse, out, 0), out, 1)
        support = np.delete(support, out)
