"""Sparse conserved combinations of the terms of one library.

The null space of the library comes from the generalised singular values of (variation along trajectories, noise); sparse
vectors in it propose supports; backward elimination shortens them; the coefficients are then refined with each sample weighted by
what the noise does to this function there (Kanatani 1996, renormalisation; Leedan and Meer 2000, doi:10.1023/A:1008185619375).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from symnum.dynamics.nullspace import Pair, independent_columns, sparse_vectors
from symnum.equations.invariants_library import Library
from symnum.problem.invariant import InvariantProblem, Verdict, centred, independence

MISSING = 0.1  # share of samples on which a term may be undefined
NOISE_ROWS = 2_000  # samples that the noise of many terms is estimated from
STEEPEST = 0.01  # least generic variance of a sample relative to the median
NOVEL_ROWS = 300  # samples at which gradients are compared
LENIENT = 2.0  # excess up to which a support is refined at all: weights are only generic until then
GENEROUS = (1.5, 5.0, 50.0)  # excesses below which generalised singular values count as a null space: each is tried
CUTS = (0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 1e-4)  # of the largest entry: a support is what is left above
MOST_TERMS = 24  # in a support
REWEIGHTINGS = 6
SETTLED = 0.01  # relative change of the weights
MOST_SUPPORTS = 60  # refined per library, the simplest
REPLICATES = 100  # bootstrap samples of trajectories


@dataclass(frozen=True)
class Combination:
    """A conserved combination of terms.

    Attributes:
        library: where the terms are from.
        terms: their numbers in the library.
        coefficients: (m,) of unit length.
        covariance: (m, m) of the coefficients, over trajectories.
        training: the verdict of the trajectories that it was found in.
        complexity: the sum of the terms'.
        values, gradients: (rows, m) and (rows, states, m) of its terms.
    """

    library: Library
    terms: tuple[int, ...]
    coefficients: np.ndarray
    covariance: np.ndarray
    training: Verdict
    complexity: int
    values: np.ndarray
    gradients: np.ndarray


class Measured:
    """A library on the training samples of a problem.

    Args:
        problem, library: see there.
        train: (rows,) the samples to use.
        known: conserved quantities that are not sought again, nor functions of them: (rows, states) gradients in units of the
            states' spread. The list may grow meanwhile.
    """

    def __init__(self, problem: InvariantProblem, library: Library, train: np.ndarray, known: list[np.ndarray]):
        value, gradient = library.measured(problem)
        fine = np.isfinite(value) & np.isfinite(gradient).all(axis=1)
        keep = np.flatnonzero(fine[train].mean(axis=0) >= 1 - MISSING)
        self.problem, self.library, self.known = problem, library, known
        self.train = train & fine[:, keep].all(axis=1)
        self.value, self.gradient = value, gradient
        self.sample = np.flatnonzero(self.train)[:: max(1, int(self.train.sum()) // NOISE_ROWS)]
        if len(keep) and len(self.sample):
            J = np.einsum("nsl,s->nsl", gradient[np.ix_(self.sample, range(gradient.shape[1]), keep)], problem.spread)
            keep = keep[independent_columns(J.reshape(-1, len(keep)))]
        self.sample = self.sample[:: max(1, len(self.sample) // NOVEL_ROWS)]
        self.columns = keep
        self.cost = np.array([library.expr(j).complexity for j in range(len(library.terms))], float)

    @cached_property
    def pair(self) -> Pair:
        """Of all columns, with generic weights."""
        problem, rows = self.problem, self.train
        value, gradient = self.value[:, self.columns], self.gradient[:, :, self.columns]
        v = np.einsum("nsl,s->nl", gradient[rows] ** 2, problem.sigma**2)
        with np.errstate(over="ignore"):  # the median over terms does not care
            v = np.median(v / np.maximum(np.median(v, axis=0), 1e-300), axis=1)
        weight = np.ones(len(rows))
        weight[rows] = 1 / np.maximum(v, STEEPEST * np.median(v) + 1e-300)
        return problem.pair(value, gradient, weight / weight[rows].mean(), rows, NOISE_ROWS)

    def supports(self) -> list[tuple[int, ...]]:
        """Supports of sparse vectors whose variation along trajectories is near the noise's, simplest first."""
        values, vectors = self.pair.spectrum()
        found: set[tuple[int, ...]] = set()
        counts = sorted({int((values**2 < bound).sum()) for bound in GENEROUS} - {0})
        cost = self.cost[self.columns]
        tried: set[tuple[int, ...]] = set()
        for count in counts:
            if not self._novel(vectors[:, :count].T).any():
                continue
            proposals = sparse_vectors(vectors[:, :count], cost)
            for w in proposals[self._novel(proposals)]:
                support = self._cut(np.abs(w))
                if support and support not in tried:
                    tried.add(support)
                    found.add(self._eliminated(support))
        return sorted(found, key=lambda s: (cost[list(s)].sum(), s))

    def _novel(self, vectors: np.ndarray) -> np.ndarray:
        """(P,) whether combinations (P, L), of scaled columns, are no functions of what is known."""
        gradient = self.gradient[np.ix_(self.sample, range(self.gradient.shape[1]), self.columns)] / self.pair.scale
        fields = np.einsum("nsl,pl->pns", gradient, vectors, optimize=True) * self.problem.spread
        return independence([g[self.sample] for g in self.known], fields) > self.problem.parallel

    def _cut(self, size: np.ndarray) -> tuple[int, ...]:
        """The shortest support of large entries that is conserved nearly as well as the noise allows."""
        last: tuple[int, ...] = ()
        for cut in CUTS:
            support = tuple(int(j) for j in np.flatnonzero(size > cut * size.max()))
            if len(support) > MOST_TERMS:
                return ()
            if support != last and self.pair.least(support)[0] ** 2 < LENIENT:
                return support
            last = support
        return ()

    def _eliminated(self, support: tuple[int, ...]) -> tuple[int, ...]:
        """The support without what is not needed."""
        now = self.pair.least(support)[0] ** 2
        freedom = self.train.sum()
        while len(support) > 1:
            options = [(self.pair.least(support[:i] + support[i + 1 :])[0] ** 2, i) for i in range(len(support))]
            excess, i = min(options)
            if excess > LENIENT or freedom * (excess - now) > np.log(freedom) * max(now, 1.0):
                break
            support, now = support[:i] + support[i + 1 :], excess
        return support

    # refinement -------------------------------------------------------------------------------------------------------
    def combinations(self) -> Iterator[Combination]:
        """Refined conserved combinations, simplest supports first."""
        if not len(self.columns):
            return
        seen: set[tuple[int, ...]] = set()
        for support in self.supports()[:MOST_SUPPORTS]:
            _, w = self.pair.least(support)
            whole = np.zeros((1, len(self.columns)))
            whole[0, list(support)] = w
            if not self._novel(whole)[0]:  # known by now
                continue
            found = self._refined(tuple(int(self.columns[j]) for j in support))
            if found is not None and found.terms not in seen:
                seen.add(found.terms)
                yield found

    def _refined(self, terms: tuple[int, ...]) -> Combination | None:
        """Coefficients with proper weights, then terms left out while the data allow it."""
        w, _ = self.fit(terms)
        freedom = float(self.train.sum())
        pair = self._weighted(terms, self.problem.variance(self.gradient[self.train][:, :, list(terms)] @ w))
        left = list(range(len(terms)))
        now = pair.least(left)[0] ** 2
        while len(left) > 1:
            excess, i = min((pair.least(left[:i] + left[i + 1 :])[0] ** 2, i) for i in range(len(left)))
            if freedom * (excess - now) > np.log(freedom) * max(now, 1.0):
                break
            left, now = left[:i] + left[i + 1 :], excess
        if len(left) < len(terms):
            terms = tuple(terms[i] for i in left)
            w, _ = self.fit(terms)
        columns = list(terms)
        verdict = self.problem.judge(self.value[:, columns] @ w, self.gradient[:, :, columns] @ w, self.train)
        if not verdict.conserved:
            return None
        return Combination(self.library, terms, w, self._covariance(terms, w), verdict, int(self.cost[columns].sum()),
                           self.value[:, columns], self.gradient[:, :, columns])

    def fit(self, terms: Sequence[int]) -> tuple[np.ndarray, float]:
        """Coefficients of unit length of some terms, and their excess."""
        columns, rows = list(terms), self.train
        gradient = self.gradient[rows][:, :, columns]
        scale = self.value[np.ix_(rows, columns)].std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        v = (self.problem.variance_of(gradient) / scale**2).mean(axis=1)
        best, w = np.inf, np.ones(len(columns))
        for _ in range(REWEIGHTINGS):
            pair = self._weighted(terms, v)
            excess, z = pair.least(range(len(columns)))
            new = z / pair.scale
            if best == np.inf or excess < best:
                best, w = excess, new
            after = self.problem.variance(gradient @ new)
            if np.abs(after / after.mean() - v / v.mean()).max() < SETTLED:
                break
            v = after
        w = w / np.linalg.norm(w)
        return w, best**2

    def _weighted(self, terms: Sequence[int], v: np.ndarray) -> Pair:
        """Of some terms, each training sample weighing 1 / v."""
        weight = np.ones(len(self.train))
        weight[self.train] = v.mean() / v
        return self.problem.pair(self.value[:, list(terms)], self.gradient[:, :, list(terms)], weight, self.train, NOISE_ROWS)

    def _covariance(self, terms: tuple[int, ...], w: np.ndarray) -> np.ndarray:
        """(m, m) covariance of the coefficients: bootstrap over trajectories."""
        problem, rows, columns = self.problem, self.train, list(terms)
        value, gradient, group = self.value[rows][:, columns], self.gradient[rows][:, :, columns], problem.group[rows]
        weight = 1 / problem.variance(gradient @ w)
        if problem.field is None:
            D = centred(value, group, weight)
            D *= np.sqrt(np.bincount(group)[group] / np.maximum(np.bincount(group)[group] - 1, 1))[:, None]
        else:
            D = np.einsum("ns,nsl->nl", problem.field[rows], gradient)
        spread = gradient * problem.allowed[None, :, None]
        _, index = np.unique(group, return_inverse=True)
        scale = np.where(value.std(axis=0) > 0, value.std(axis=0), 1.0)
        D, spread = D / scale, spread / scale
        count, m = index.max() + 1, len(columns)
        S, N = np.zeros((count, m, m)), np.zeros((count, m, m))
        for g in range(count):
            at = index == g
            S[g] = np.einsum("na,n,nb->ab", D[at], weight[at], D[at])
            N[g] = np.einsum("nsa,n,nsb->ab", spread[at], weight[at], spread[at])
        pick = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), REPLICATES)
        pull, z = [], w * scale
        for p in pick:
            A, B = np.einsum("g,gab->ab", p, S), np.einsum("g,gab->ab", p, N)
            pull.append(_least(A, B, z) / scale)
        return np.cov(np.array(pull).T).reshape(m, m)


def _least(A: np.ndarray, B: np.ndarray, like: np.ndarray) -> np.ndarray:
    """The generalised eigenvector of A - lambda B of least eigenvalue, of the length and side of `like`."""
    from scipy.linalg import eigh

    _, vectors = eigh(A, B + 1e-14 * np.trace(B) / len(B) * np.eye(len(B)))
    v = vectors[:, 0]
    return v * (v @ like) / (v @ v)
