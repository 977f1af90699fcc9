"""An encoder's answers for many candidates at once, as pure functions: no cache, so any number of threads get the same ones.

    remaining(encoder, X, y, columns, present) -> tokens of the law that remain when sub-expressions are given
    vectors(encoder, laws) -> unit vectors of laws, their free constants left open
"""

from collections.abc import Collection

import numpy as np
import torch

from symnum.encode.graph import Graph
from symnum.encode.public import FEWEST, MOST, Encoder
from symnum.language.batch import Batch

CHUNK = 64  # candidates in one pass: what a pass needs then stays below some 100 MB


def usable(encoder: Encoder | None, rows: int, columns: int, parts: int = 0, operators: Collection[str] = ()) -> bool:
    """Whether there is an encoder that takes data of so many rows and columns, with `parts` sub-expressions beside them, and
    laws of these operators.

    >>> usable(None, 100, 2)
    False
    """
    return (encoder is not None and rows >= FEWEST and 1 <= columns and columns + parts <= encoder.columns
            and set(operators) <= set(encoder.vocabulary.symbols))


def remaining(encoder: Encoder, X: np.ndarray, y: np.ndarray, columns: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Predicted tokens of the law when the values of some of its sub-expressions are given as further columns.

    The value of SR4MDL's search (Yu, Ding, Li & Jin 2025, ICLR, arXiv:2411.03753): right sub-expressions shorten what remains.

    Args:
        encoder: a trained one.
        X: (N, V); y: (N,), the data.
        columns: (M, N, K) values of at most K sub-expressions for each of M candidates.
        present: (M, K) bool, those that there are.

    Returns:
        (M,) tokens, float64, above 0.

    Raises:
        ValueError: shapes that do not belong together, values of rows or of present columns that are not finite, too few rows,
            or more columns than the encoder has slots.
    """
    X, y, columns, present = np.asarray(X, float), np.asarray(y, float), np.asarray(columns, float), np.asarray(present, bool)
    candidates, parts = (len(columns), columns.shape[2]) if columns.ndim == 3 else (-1, 0)
    if X.ndim != 2 or y.shape != X.shape[:1] or columns.shape != (candidates, len(X), parts) or present.shape != (candidates, parts):
        msg = f"X (N, V), y (N,), columns (M, N, K) and present (M, K) were required, got {X.shape}, {y.shape}, {columns.shape} and " \
              f"{present.shape}"
        raise ValueError(msg)
    if not usable(encoder, *X.shape, parts):
        msg = f"at least {FEWEST} rows and 1 to {encoder.columns} columns, {parts} sub-expressions among them, were required, " \
              f"got X {X.shape}; give fewer sub-expressions, or choose the columns that matter"
        raise ValueError(msg)
    columns = np.where(present[:, None, :], columns, 0.0)
    if not (np.isfinite(X).all() and np.isfinite(y).all() and np.isfinite(columns).all()):
        msg = "finite values of X, y and the sub-expressions were required, got NaN or Inf; leave such rows or candidates out"
        raise ValueError(msg)
    if len(X) > MOST:  # the same rows every time
        kept = np.sort(np.random.default_rng(0).permutation(len(X))[:MOST])
        X, y, columns = X[kept], y[kept], columns[:, kept]
    slots, variables = torch.arange(X.shape[1] + parts), X.shape[1]
    out = np.empty(candidates)
    with torch.inference_mode():
        for start in range(0, candidates, CHUNK):
            part = columns[start : start + CHUNK]
            m = len(part)
            wide = torch.from_numpy(np.concatenate([np.broadcast_to(X, (m, *X.shape)), part], axis=2))
            there = torch.from_numpy(np.concatenate([np.ones((m, variables), bool), present[start : start + m]], axis=1))
            target = torch.from_numpy(np.repeat(y[None], m, axis=0))
            rows = torch.ones(target.shape, dtype=torch.bool)
            out[start : start + m] = encoder.model.log_length(wide, target, there, rows, slots).exp().numpy()
    return out


def vectors(encoder: Encoder, laws: Batch) -> np.ndarray:
    """Unit vectors (P, k) float32 of skeletons, as `Encoder.embed_expressions(laws, generic=True)` but without its memory.

    Raises:
        ValueError: more columns than slots, or an operator that the encoder was not trained with.
    """
    slots, count = np.arange(encoder.columns), encoder.columns
    if len(laws) == 0:
        return np.empty((0, encoder.config.model.joint), np.float32)
    graph = Graph.of(laws, slots, count, encoder.vocabulary.symbols, True)
    with torch.inference_mode():
        return encoder.model.embed_laws(graph)[0].numpy()
