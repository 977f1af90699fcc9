"""Clusters of continued fractions in the planes of their metrics.

As M. Shalyt et al., "Unsupervised Discovery of Formulas for Mathematical Constants", NeurIPS 2024, arXiv:2412.16818: in a plane, one
point per cell of 0.001 is handed to HDBSCAN (R. Campello, D. Moulavi, J. Sander, 2013, doi:10.1007/978-3-642-37456-2_14), and all others
join the cluster of their nearest such point if it is within 0.01. Different from there: fractions are clustered within a stratum, the
fractions of equal degrees and leading coefficients. These decide exactly how q_n grows and the error falls before anything cancels, so that
what the planes tell apart within a stratum is what cancels; and delta is that of the leading terms (see `symnum.numbers.dynamics`).
"""

import warnings

import numpy as np

PLANES = ("leading_delta", "d"), ("leading_delta", "c"), ("leading_delta", "conv_d"), ("leading_delta", "conv_c")
CELL, NEAR = 0.001, 0.01
SMALLEST = 5  # points of a cluster
MOST_POINTS = 20_000  # handed to HDBSCAN, whose time grows with their square; cells are doubled until they are fewer
MOST_CLUSTERS = 500
NOISE = -1


def strata(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(P, 4): degree of a, degree of b, leading coefficient of a in absolute value, that of b.

    >>> strata(np.array([[0, -3, 1]]), np.array([[-2, 1, 0]])).tolist()
    [[1, 2, 3, -2]]
    """
    columns = []
    for c in (a, b):
        first = np.argmax(c != 0, axis=1)
        columns.append((c.shape[1] - 1 - first, c[np.arange(len(c)), first]))
    (degree_a, lead_a), (degree_b, lead_b) = columns
    return np.column_stack([degree_a, degree_b, np.abs(lead_a), lead_b]).astype(int)


def clusters(points: np.ndarray) -> np.ndarray | None:
    """(P,) the cluster of every point of a plane, from 0 on; `NOISE` for none. None where there are too many to mean anything.

    Args:
        points: (P, 2), finite.

    >>> clusters(np.array([[0.1, 0.2], [0.1, 0.2], [0.1001, 0.2]])).tolist()         # too few to be told apart
    [0, 0, 0]
    """
    cell = CELL
    while True:
        _, chosen = np.unique(np.floor(points / cell).astype(np.int64), axis=0, return_index=True)
        if len(chosen) <= MOST_POINTS:
            break
        cell *= 2
    sample = points[np.sort(chosen)]
    if len(sample) <= SMALLEST:
        return np.zeros(len(points), int)
    from scipy.spatial import cKDTree
    from sklearn.cluster import HDBSCAN

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of scikit-learn's own defaults
        found = HDBSCAN(min_cluster_size=SMALLEST, copy=True).fit_predict(sample)
    if found.max() < 0:  # HDBSCAN does not take all points for one cluster
        return np.zeros(len(points), int)
    if found.max() >= MOST_CLUSTERS:
        return None
    distance, nearest = cKDTree(sample).query(points)
    return np.where(distance <= max(NEAR, cell), found[nearest], NOISE)
