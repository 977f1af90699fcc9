"""Two-sided look-ups: which pairs, triples or sums of library entries give a target, by least squares.

Every pair of n entries is judged by a few matrix products over the rows and a closed form per pair, so 10^8 pairs take
seconds, and noise needs no tolerance: the loss is the misfit. A hit is (loss, i, j), loss being the weighted residual sum of
squares over that of the centred target. `Hits` keeps the best few at every complexity.

    add       T = c0 + c1 a + c2 b
    scale     T = c0 + c1 a + c2 a b            (with c0 + c1 a b, a (c1 + c2 b) and c a b as special cases)
    products  T = c a b   exactly, by sorting centred logarithms   (n log n: whole libraries)
    triples   T = c0 + c1 a + c2 b + c3 c
    Span      T m = a sum of entries, for thousands of multipliers m at once
"""

import numpy as np
from numba import njit

from symnum.language.batch_kernels import INNER, KERNEL

STRIP = 256  # rows of the matrix of pairs that are judged at a time: fits the second-level cache
ROUNDING = 4e-16  # what the closed forms leave of an exact hit, over 1 - r²
COLLINEAR = 1e-7  # 1 - r² below which two columns are one
BUCKETS = 48  # complexities told apart
MOST_SOLVES = 40  # least-squares problems per elimination


class Hits:
    """The best `keep` index tuples per complexity."""

    def __init__(self, keep: int, width: int = 2):
        self.loss = np.full((BUCKETS, keep), np.inf)
        self.index = np.full((BUCKETS, keep, width), -1, np.int64)

    def __iter__(self):
        """(loss, complexity, indices), losses falling with complexity: a hit that a simpler one beats is left out."""
        best = np.inf
        for bucket in range(BUCKETS):
            order = np.argsort(self.loss[bucket], kind="stable")
            for k in order:
                if self.loss[bucket, k] < best:
                    yield float(self.loss[bucket, k]), bucket, tuple(self.index[bucket, k].tolist())
            best = min(best, self.loss[bucket, order[0]])


@njit(**INNER)
def keep(loss, index, bucket, left, entry):
    """Put a hit in the place of the worst of its bucket, which stands first."""
    loss[bucket, 0] = left
    for c in range(len(entry)):
        index[bucket, 0, c] = entry[c]
    worst = 0
    for k in range(1, loss.shape[1]):
        if loss[bucket, k] > loss[bucket, worst]:
            worst = k
    loss[bucket, 0], loss[bucket, worst] = loss[bucket, worst], loss[bucket, 0]
    for c in range(len(entry)):
        index[bucket, 0, c], index[bucket, worst, c] = index[bucket, worst, c], index[bucket, 0, c]


def standardised(V: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of V centred, weighted and scaled to length 1; and the positions of the first of every affine class (a, 2a, 1 - a …)."""
    with np.errstate(all="ignore"):
        Z = (V - (V @ weight)[:, None]) * np.sqrt(weight)
        size = np.linalg.norm(Z, axis=1)
        Z /= size[:, None]
        good = np.isfinite(Z).all(axis=1) & (size > 1e-9 * np.sqrt(V * V @ weight))
    lead = Z[np.arange(len(Z)), np.argmax(np.abs(Z) > 0.5 / np.sqrt(Z.shape[1]), axis=1)]
    key = np.where(good, np.round((Z[:, : min(16, Z.shape[1])] * np.sign(lead)[:, None]) @ _direction(min(16, Z.shape[1])), 9), np.nan)
    _, first = np.unique(key, return_index=True)
    first = np.sort(first)
    return Z, first[good[first]]


def _direction(n: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=n)


def add(T: np.ndarray, weight: np.ndarray, Za: np.ndarray, Zb: np.ndarray, ca: np.ndarray, cb: np.ndarray, hits: Hits) -> None:
    """Every T = c0 + c1 a + c2 b; Za, Zb standardised, ca, cb complexities."""
    t = (T - T @ weight) * np.sqrt(weight)
    t = t / np.linalg.norm(t)
    ta, tb, same = Za @ t, Zb @ t, Za is Zb
    for start in range(0, len(Za), STRIP):
        G = Za[start : start + STRIP] @ Zb.T
        _add(G, start, same, ta, tb, ca, cb, hits.loss, hits.index)


@njit(**KERNEL)
def _add(G, start, same, ta, tb, ca, cb, loss, index):
    for i in range(len(G)):
        a, r = ta[start + i], G[i]
        for j in range(start + i + 1 if same else 0, len(tb)):
            free = 1.0 - r[j] * r[j]
            left = 1.0 - (a * a + tb[j] * tb[j] - 2.0 * a * tb[j] * r[j]) / free
            left = max(left, ROUNDING / free)
            bucket = min(ca[start + i] + cb[j], BUCKETS - 1)
            if free > COLLINEAR and left < loss[bucket, 0]:
                keep(loss, index, bucket, left, (start + i, j))


def scale(T: np.ndarray, weight: np.ndarray, A: np.ndarray, B: np.ndarray, ca: np.ndarray, cb: np.ndarray, hits: Hits) -> None:
    """Every T = c0 + c1 a + c2 a b; A, B plain values scaled to length 1."""
    t = T - T @ weight
    total = (t * t) @ weight
    BT, B2T = np.ascontiguousarray(B.T), np.ascontiguousarray((B * B).T)
    mean, at = A @ weight, A @ (weight * t)
    aa = (A * A) @ weight - mean * mean
    for start in range(0, len(A), STRIP):
        strip = A[start : start + STRIP]
        wa, wa2 = strip * weight, strip * strip * weight
        _scale(wa @ BT, wa2 @ BT, wa2 @ B2T, (wa * t) @ BT, start, mean, aa, at, total, ca, cb, hits.loss, hits.index)


@njit(**KERNEL)
def _scale(P, Q, U, S, start, mean, aa, at, total, ca, cb, loss, index):
    for i in range(len(P)):
        m, v, u = mean[start + i], aa[start + i], at[start + i]
        for j in range(len(cb)):
            bb = U[i, j] - P[i, j] * P[i, j]  # variance of ab
            ab = Q[i, j] - m * P[i, j]  # covariance of a and ab
            free = v * bb - ab * ab
            s = S[i, j]
            gain = (u * u * bb - 2.0 * u * s * ab + s * s * v) / free
            left = 1.0 - gain / total
            left = max(left, ROUNDING * v * bb / free)
            bucket = min(ca[start + i] + cb[j], BUCKETS - 1)
            if free > COLLINEAR * v * bb and bb > 1e-12 * U[i, j] and gain >= 0.0 and left < loss[bucket, 0]:
                keep(loss, index, bucket, left, (start + i, j))


def triples(T: np.ndarray, weight: np.ndarray, Z: np.ndarray, c: np.ndarray, hits: Hits) -> None:
    """Every T = c0 + c1 a + c2 b + c3 c with a < b < c among the standardised rows of Z."""
    t = (T - T @ weight) * np.sqrt(weight)
    t = t / np.linalg.norm(t)
    _triples(Z @ Z.T, Z @ t, c, hits.loss, hits.index)


@njit(**KERNEL)
def _triples(G, ta, c, loss, index):
    n = len(ta)
    for i in range(n):
        for j in range(i + 1, n):
            r = G[i, j]
            free = 1.0 - r * r
            if free < COLLINEAR:
                continue
            base = (ta[i] * ta[i] + ta[j] * ta[j] - 2.0 * ta[i] * ta[j] * r) / free
            for k in range(j + 1, n):
                p, q = G[i, k], G[j, k]  # project the third on the first two
                x, y = (p - r * q) / free, (q - r * p) / free
                rest = 1.0 - p * x - q * y
                u = ta[k] - x * ta[i] - y * ta[j]
                left = 1.0 - base - u * u / rest
                left = max(left, ROUNDING / (free * rest))
                bucket = min(c[i] + c[j] + c[k], BUCKETS - 1)
                if rest > COLLINEAR and left < loss[bucket, 0]:
                    keep(loss, index, bucket, left, (i, j, k))


def products(T: np.ndarray, V: np.ndarray, most: int = 64) -> list[tuple[int, int]]:
    """Pairs (i, j) with T = c V_i V_j to rounding, simplest first: centred logarithms, one projection each, matched by sorting."""
    with np.errstate(all="ignore"):
        L, t = np.log(np.abs(V)), np.log(np.abs(T))
        L -= L.mean(axis=1, keepdims=True)
        t = t - t.mean()
        good = np.flatnonzero(np.isfinite(L).all(axis=1))
    if not np.isfinite(t).all() or len(good) == 0:
        return []
    direction = np.random.default_rng(11).normal(size=V.shape[1])
    key, wanted = L[good] @ direction, float(t @ direction)
    order = np.argsort(key, kind="stable")
    ranked = key[order]
    tolerance = 1e-10 * max(1.0, np.abs(ranked).max())
    low = np.searchsorted(ranked, wanted - key - tolerance)
    high = np.searchsorted(ranked, wanted - key + tolerance)
    found = []
    for i in np.flatnonzero(high > low):
        for k in range(low[i], min(high[i], low[i] + 8)):
            a, b = good[i], good[order[k]]
            if a <= b and np.abs(L[a] + L[b] - t).max() < 1e-8 * max(1.0, np.abs(t).max()):
                product = V[a] * V[b]
                c = (T @ product) / (product @ product)
                if np.abs(T - c * product).max() < 1e-7 * np.abs(T).max():
                    found.append((int(a), int(b)))
                    if len(found) == most:
                        return found
    return found


class Span:
    """The space spanned by the rows of D (n, rows), n < rows, and what lies in it.

    >>> x = np.linspace(1, 2, 40)
    >>> span = Span(np.array([np.ones(40), x, x**2, np.exp(x)]))
    >>> bool(span.residuals(np.array([3 * x - x**2, np.log(x)]))[0] < 1e-25), span.terms(3 * x - x**2, 1e-22)[0].tolist()
    (True, [1, 2])
    """

    def __init__(self, D: np.ndarray):
        self.D = D
        size = np.linalg.norm(D, axis=1)
        self.size = np.where(size > 0, size, 1.0)  # a row of zeros stays one
        self.Q = np.linalg.qr((D / self.size[:, None]).T)[0]

    def residuals(self, targets: np.ndarray) -> np.ndarray:
        """(k,) how much of each target (k, rows) is outside the space: squared norm over that of the centred target."""
        outside = targets - (targets @ self.Q) @ self.Q.T
        centred = targets - targets.mean(axis=1, keepdims=True)
        with np.errstate(all="ignore"):
            return np.sum(outside**2, axis=1) / np.sum(centred**2, axis=1)

    def terms(self, target: np.ndarray, exact: float) -> tuple[np.ndarray, np.ndarray] | None:
        """The fewest rows of D whose combination is the target to `exact`, and their coefficients; None where there are none.

        Least squares, then backward elimination: the rows that contribute least go while the loss stays, many at a time.
        """
        A = (self.D / self.size[:, None]).T
        total = float(np.sum((target - target.mean()) ** 2)) or float(target @ target) or 1.0

        def solve(columns):
            x = np.linalg.lstsq(A[:, columns], target, rcond=1e-14)[0]
            r = target - A[:, columns] @ x
            return x, float(r @ r) / total

        kept = np.arange(A.shape[1])
        x, loss = solve(kept)
        if not loss <= exact:
            return None
        chunk, solves = max(1, len(kept) - int(np.sum(np.abs(x) > 1e-6 * np.abs(x).max()))), 0
        while chunk and len(kept) > 1 and solves < MOST_SOLVES:
            chunk, solves = min(chunk, len(kept) - 1), solves + 1
            least = np.argsort(np.abs(x))[:chunk]
            trial = np.delete(kept, least)
            y, loss = solve(trial)
            if loss <= exact:
                kept, x, chunk = trial, y, max(1, len(trial) // 2)
            else:
                chunk //= 2
        return kept, x / self.size[kept]
