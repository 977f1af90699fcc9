"""`Encoder`: a trained encoder in use. Numbers in, numbers out; torch stays inside."""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from symnum.encode.checkpoint import Checkpoint, read
from symnum.encode.files import INDEX, encoder_file
from symnum.encode.graph import Graph
from symnum.encode.symbolic import SubtreeCache
from symnum.language.batch import Batch
from symnum.language.expr import Expr

if TYPE_CHECKING:
    from symnum.encode.index import SkeletonIndex

FEWEST, MOST = 16, 256  # rows that a look takes: fewer were not trained on, of more a sample is read

Expressions = Batch | Sequence[Expr | str]


@dataclass(frozen=True, slots=True)
class Look:
    """What one pass over a dataset says.

    Attributes:
        embedding: (k,) float32, of length 1.
        operators: the probability that the law uses an operator, by name.
        relevance: (V,) the probability that the law depends on a column.
        length: tokens of the law, or of what remains of it when columns of X are sub-expressions of it.
        properties: predicted properties of the law on these data, by name.
    """

    embedding: np.ndarray
    operators: dict[str, float]
    relevance: np.ndarray
    length: float
    properties: dict[str, float]


class Encoder:
    """Laws and data in one space: the cosine of a law and a dataset says how well they fit each other.

        encoder = Encoder.load("runs/cpu")
        encoder.rank(["x0*x1", "sin(x0) + x1"], X, y)      # one number for each law, larger is better
        encoder.nearest(X, y, k=10)                        # the skeletons that fit best, of 32,768

    Embeddings of sub-expressions are kept, so that a law that shares most of itself with laws seen before costs little.

    Args:
        checkpoint: what `symnum.encode.checkpoint.read` gives.
    """

    def __init__(self, checkpoint: Checkpoint):
        self.model = checkpoint.model().eval()
        self.config, self.vocabulary, self.step = checkpoint.config, checkpoint.vocabulary, checkpoint.step
        self._slots = np.arange(self.config.model.slots)
        self._cache = SubtreeCache(self.config.model.symbol_width)
        self._cache_lock = threading.Lock()
        self._folder: Path | None = None
        self._index: SkeletonIndex | None = None

    @classmethod
    def load(cls, path: str | Path | None = None) -> "Encoder":
        """The encoder of a file or of a run folder; by default the one that ships. Of one file there is one encoder in a process.

        Raises:
            ValueError: no such file, or a damaged one; the message says what to do.
        """
        file = encoder_file(path)
        return _loaded(cls, file, *(f.stat().st_mtime_ns if f.is_file() else 0 for f in (file, file.with_name(INDEX))))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weights, the sizes and the operators."""
        found = hashlib.sha256(repr((self.vocabulary.symbols, self.config.to_dict()["model"])).encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            found.update(name.encode())
            found.update(tensor.numpy().tobytes())
        return found.hexdigest()

    @property
    def columns(self) -> int:
        """Columns that a dataset may have at most."""
        return self.config.model.slots

    def embed_expressions(self, expressions: Expressions, names: Sequence[str] | None = None, *, generic: bool = False) -> np.ndarray:
        """Unit vectors of laws.

        Args:
            expressions: a batch, or expressions or infix texts.
            names: the columns of the data; x0, x1, … by default, or a batch's own.
            generic: embed the skeletons: what free constants are is left open.

        Returns:
            (P, k) float32.

        Raises:
            ValueError: a variable that is no column, or an operator the encoder was not trained with.
        """
        return self._vectors(expressions, names, generic)[0]

    def embed_data(self, X, y, orders=None) -> np.ndarray:
        """The unit vector (k,) float32 of a dataset: X (N, V), y (N,).

        Args:
            X, y: the dataset.
            orders: (A, V) permutations of the columns: the i-th of an order is seen as the i-th column of laws. Then one vector
                for each order, (A, k), all in one pass.

        Raises:
            ValueError: shapes that do not belong together, values that are not finite, too few rows or too many columns, or
                orders that are no permutations.
        """
        joint = self._look(X, y, orders)[0].numpy()
        return joint[0] if orders is None else joint

    def look(self, X, y) -> Look:
        """All that one pass over a dataset says; see `embed_data` for what it takes."""
        joint, pooled, of_columns = self._look(X, y)
        with torch.inference_mode():
            operators = self.model.operators(pooled)[0].sigmoid().tolist()
            relevance = self.model.relevance(of_columns)[0, :, 0].sigmoid().numpy()
            length = float(self.model.length(pooled)[0, 0].exp())
            properties = self.model.properties(pooled)[0].tolist()
        v = self.vocabulary
        return Look(joint[0].numpy(), dict(zip(v.operators, operators, strict=True)), relevance, length,
                    dict(zip(v.properties, properties, strict=True)))

    def rank(self, expressions: Expressions, X, y, names: Sequence[str] | None = None, *, generic: bool = False) -> np.ndarray:
        """How well each law fits the data, as the encoder sees it: cosines (P,), larger is better.

        Raises:
            ValueError: as `embed_expressions` and `embed_data`.
        """
        width = np.shape(X)[1] if np.ndim(X) == 2 else 0
        names = [f"x{i}" for i in range(width)] if names is None and not isinstance(expressions, Batch) else names
        data = self.embed_data(X, y)
        return self._vectors(expressions, names, generic, width)[0] @ data

    def nearest(self, X, y, k: int = 10, names: Sequence[str] | None = None) -> list[tuple[Expr, float]]:
        """The k skeletons of the index that fit the data best, as the encoder sees it: (law, cosine), the nearest first.

        Free constants are 1 and want fitting. Laws have at most three columns, of at most four that the encoder finds relevant.

        Raises:
            ValueError: as `embed_data`, or an index beside the checkpoint that is of another encoder.
        """
        laws, cosine = self.index.nearest(self, X, y, k, names)
        return list(zip(laws.unpack(), cosine.tolist(), strict=True))

    @property
    def index(self) -> "SkeletonIndex":
        """The index of skeletons: the file index.npz beside the checkpoint, else made anew (some seconds) and kept in memory.

        Raises:
            ValueError: the file beside the checkpoint is damaged, or of another encoder.
        """
        if self._index is None:
            from symnum.encode.index import SkeletonIndex

            beside = self._folder / INDEX if self._folder is not None else None
            self._index = SkeletonIndex.load(beside, self) if beside is not None and beside.is_file() else SkeletonIndex.build(self)
        return self._index

    def properties(self, of, y=None, names: Sequence[str] | None = None) -> dict[str, float]:
        """Predicted properties by name: of a dataset `properties(X, y)`, or of a law `properties("sin(x0)")`.

        Raises:
            ValueError: as `embed_expressions` and `embed_data`.
        """
        if y is not None:
            return self.look(of, y).properties
        vectors = self._vectors([of], names, False)[1]
        with torch.inference_mode():
            values = self.model.law_properties(vectors)[0].tolist()
        return dict(zip(self.vocabulary.properties, values, strict=True))

    def _vectors(
        self, expressions: Expressions, names: Sequence[str] | None, generic: bool, width: int | None = None
    ) -> tuple[np.ndarray, torch.Tensor]:
        """Unit vectors, and the tower's own, of laws over the first `width` columns (None: as many as there may be)."""
        if not isinstance(expressions, Batch):
            columns = [f"x{i}" for i in range(self.columns)] if names is None else list(names)
            expressions = Batch.pack([Expr.parse(e) if isinstance(e, str) else e for e in expressions], columns)
        if len(expressions) == 0:
            return np.empty((0, self.config.model.joint), np.float32), torch.empty(0, self.config.model.symbol_width)
        graph = Graph.of(expressions, self._slots[:width], self.columns, self.vocabulary.symbols, generic)
        with torch.inference_mode(), self._cache_lock:
            joint, vectors = self.model.embed_laws(graph, self._cache)
        return joint.numpy(), vectors

    def _look(self, X, y, orders=None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        X, y = np.asarray(X, np.float64), np.asarray(y, np.float64)
        if X.ndim != 2 or y.shape != X.shape[:1]:
            msg = f"X (rows, columns) and y (rows,) were required, got {X.shape} and {y.shape}"
            raise ValueError(msg)
        if not 1 <= X.shape[1] <= self.columns:
            msg = f"1 to {self.columns} columns were required, got {X.shape[1]}; choose the columns that matter"
            raise ValueError(msg)
        if len(X) < FEWEST:
            msg = f"at least {FEWEST} rows were required, got {len(X)}; the encoder was trained on no fewer"
            raise ValueError(msg)
        if not (np.isfinite(X).all() and np.isfinite(y).all()):
            bad = int((~np.isfinite(X).all(1) | ~np.isfinite(y)).sum())
            msg = f"finite values were required, got {bad} rows with NaN or Inf; leave them out"
            raise ValueError(msg)
        if len(X) > MOST:  # at random, as a grid's every k-th row may be one line of it; the same rows every time
            kept = np.sort(np.random.default_rng(0).permutation(len(X))[:MOST])
            X, y = X[kept], y[kept]
        V = X.shape[1]
        orders = np.arange(V)[None] if orders is None else np.asarray(orders)
        if orders.ndim != 2 or orders.shape[1] != V or (np.sort(orders, axis=1) != np.arange(V)).any():
            msg = f"orders (A, {V}), each a permutation of the columns 0 … {V - 1}, were required, got {orders.tolist()}"
            raise ValueError(msg)
        A, slots = len(orders), torch.arange(V)
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(X[:, orders].transpose(1, 0, 2)))  # (A, N, V)
            t = torch.from_numpy(np.ascontiguousarray(y)).expand(A, -1)
            columns, rows = torch.ones(A, V, dtype=torch.bool), torch.ones(A, len(X), dtype=torch.bool)
            return self.model.embed_data(x, t, columns, rows, slots)


@lru_cache(maxsize=4)
def _loaded(cls: type[Encoder], file: Path, *changed: int) -> Encoder:
    """The encoder of a file, and of an index beside it, as they were when last changed."""
    encoder = cls(read(file))
    encoder._folder = file.parent
    return encoder
