"""Numerical null spaces with noise: which combinations of columns vanish, and the sparsest of them.

All is in terms of a matrix D (rows, L), whose combinations D w should vanish, and a matrix N (rows', L), whose combinations N w
are as large as the noise lets D w be: |D w|^2 = |N w|^2 in the mean where only noise keeps D w from vanishing. The generalised
singular values of the pair are then 1 for what vanishes and larger for what does not: the errors-in-variables form of the
eigenproblem of the linear contrastive loss (Zhang et al. 2023, arXiv:2302.05783).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DEPENDENT = 1e-9  # what is left of a normalised column that is a combination of earlier ones
POWER = 0.5  # of the norm that is made small: below one, sparser than least absolute values
ROUNDS = 40


@dataclass(frozen=True)
class Pair:
    """The triangular factors of D and N, columns scaled.

    Attributes:
        signal, noise: (L, L) triangular, or fewer rows.
        scale: (L,) sizes that the columns were divided by.
    """

    signal: np.ndarray
    noise: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, D: np.ndarray, N: np.ndarray, scale: np.ndarray) -> "Pair":
        """Factor D (rows, L) and N (rows', L), which are on the same footing: means over rows, not sums."""
        return cls(np.linalg.qr(D / scale, mode="r"), np.linalg.qr(N / scale, mode="r"), scale)

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """(L,) generalised singular values, increasing, and (L, L) vectors in their columns, of scaled columns.

        >>> D = np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 1.0], [0.0, 0.0, 3.0]])
        >>> values, vectors = Pair.of(D, np.eye(3), np.ones(3)).spectrum()
        >>> bool(values[0] < 1e-12), bool(abs(vectors[0, 0] + vectors[1, 0]) < 1e-12)
        (True, True)
        """
        from scipy.linalg import solve_triangular

        whitened = solve_triangular(self.noise.T, self.signal.T, lower=True).T
        _, values, V = np.linalg.svd(whitened, full_matrices=True)
        values = np.concatenate([values, np.zeros(V.shape[0] - len(values))])
        return values[::-1], solve_triangular(self.noise, V.T[:, ::-1])

    def least(self, columns: Sequence[int]) -> tuple[float, np.ndarray]:
        """The least generalised singular value of some columns, and its vector, of scaled columns, of unit length."""
        columns = list(columns)
        inner = np.linalg.qr(self.noise[:, columns], mode="r")
        part = Pair(self.signal[:, columns], inner, self.scale[columns])
        values, vectors = part.spectrum()
        w = vectors[:, 0]
        return float(values[0]), w / np.linalg.norm(w)


def independent_columns(J: np.ndarray) -> list[int]:
    """The columns of J (rows, L) that are no combination of earlier ones.

    >>> independent_columns(np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 1.0]]))
    [0, 2]
    """
    norm = np.linalg.norm(J, axis=0)
    R = np.linalg.qr(J / np.where(norm > 0, norm, 1), mode="r")
    basis, kept = np.zeros((len(R), 0)), []
    for j in range(J.shape[1]):
        left = R[:, j] - basis @ (basis.T @ R[:, j])
        left -= basis @ (basis.T @ left)
        size = np.linalg.norm(left)
        if norm[j] > 0 and size > DEPENDENT:
            basis = np.column_stack([basis, left / size])
            kept.append(j)
    return kept


def sparse_vectors(V: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """(P, L) sparse vectors of the space that the columns of V (L, k) span: one per pivot entry, which is 1.

    Iteratively reweighted least squares for the norm of power 1/2 with shrinking regularisation (Chartrand and Yin 2008,
    doi:10.1109/ICASSP.2008.4518498), of all pivots together; the pivots make it a search for the sparsest vector of a subspace
    (Spielman, Wang and Wright 2012, arXiv:1206.5882).

    Args:
        V: (L, k) a basis.
        cost: (L,) positive, what an entry costs.

    >>> a, b = np.array([1.0, -1, 0, 0, 0]), np.array([0.0, 0, 1, 2, 0])
    >>> np.round(np.abs(sparse_vectors(np.column_stack([a + b, a - b]), np.ones(5))), 6)[0]
    array([1., 1., 0., 0., 0.])
    """
    Q = np.linalg.qr(V)[0]
    pivots = np.flatnonzero(np.linalg.norm(Q, axis=1) > 1e-8)
    if Q.shape[1] == 1:
        return (Q[:, 0] / np.abs(Q[:, 0]).max())[None]
    rows = Q[pivots]
    w = (rows @ Q.T) / (rows**2).sum(axis=1, keepdims=True)
    for epsilon in np.geomspace(1.0, 1e-6, ROUNDS):
        weight = cost * (w**2 + epsilon**2) ** (POWER / 2 - 1)
        A = np.einsum("lk,pl,lm->pkm", Q, weight, Q, optimize=True)
        A += 1e-13 * np.trace(A, axis1=1, axis2=2)[:, None, None] * np.eye(Q.shape[1])  # a support as sparse as can be leaves A singular
        z = np.linalg.solve(A, rows[:, :, None])[:, :, 0]
        w = (z / (z * rows).sum(axis=1, keepdims=True)) @ Q.T
    return w
