"""Both towers, the joint space and the heads.

    data  -> numeric tower  -> unit vector (128)  ·  heads: operators, columns, length that remains, properties
    laws  -> symbolic tower -> unit vector (128)  ·  head: properties (as in SNIP: Meidani et al. 2024, arXiv:2310.02227)
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from symnum.encode import losses
from symnum.encode.config import LossWeights, ModelSettings
from symnum.encode.feed import Feed
from symnum.encode.graph import Graph
from symnum.encode.numeric import NumericTower
from symnum.encode.symbolic import SubtreeCache, SymbolicTower

FIRST_SCALE, LARGEST_SCALE = 1 / 0.07, 100.0  # of CLIP (Radford et al. 2021, arXiv:2103.00020)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names that the weights are about; kept with them.

    Attributes:
        symbols: operators the symbolic tower knows.
        operators: operators the presence head speaks of.
        properties: what the property heads predict.
    """

    symbols: tuple[str, ...]
    operators: tuple[str, ...]
    properties: tuple[str, ...]

    @classmethod
    def current(cls) -> "Vocabulary":
        """All built-in operators, and the names of the corpus."""
        from symnum.encode.corpus import OPERATORS
        from symnum.encode.properties import PROPERTIES
        from symnum.language.ops import BUILTIN

        return cls(tuple(op.name for op in BUILTIN), tuple(OPERATORS), tuple(PROPERTIES))


def _head(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, inputs), nn.SiLU(), nn.Linear(inputs, outputs))


class JointModel(nn.Module):
    """The encoder's network."""

    def __init__(self, settings: ModelSettings, vocabulary: Vocabulary):
        super().__init__()
        self.settings, self.vocabulary = settings, vocabulary
        self.numeric = NumericTower(settings)
        self.symbolic = SymbolicTower(settings, len(vocabulary.symbols))
        pooled, symbol = self.numeric.pooled, settings.symbol_width
        self.data_out, self.law_out = _head(pooled, settings.joint), _head(symbol, settings.joint)
        self.operators, self.relevance = _head(pooled, len(vocabulary.operators)), _head(settings.width, 1)
        self.length, self.properties = _head(pooled, 1), _head(pooled, len(vocabulary.properties))
        self.law_properties = _head(symbol, len(vocabulary.properties))
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    @property
    def scale(self) -> Tensor:
        """The inverse temperature."""
        return self.log_scale.exp().clamp(max=LARGEST_SCALE)

    def embed_laws(self, graph: Graph, cache: SubtreeCache | None = None) -> tuple[Tensor, Tensor]:
        """Unit vectors (P, joint) and the tower's vectors (P, symbol_width)."""
        vectors = self.symbolic(graph, cache)
        return F.normalize(self.law_out(vectors).float(), dim=-1), vectors

    def embed_data(self, X: Tensor, y: Tensor, columns: Tensor, rows: Tensor, slots: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Unit vectors (D, joint), the tower's vectors (D, pooled), and those of the columns (D, V, width)."""
        pooled, of_columns = self.numeric(X, y, columns, rows, slots)
        return F.normalize(self.data_out(pooled).float(), dim=-1), pooled, of_columns

    def log_length(self, X: Tensor, y: Tensor, columns: Tensor, rows: Tensor, slots: Tensor) -> Tensor:
        """(D,) the natural logarithm of the tokens that remain, sub-expressions being columns of X."""
        return self.length(self.numeric(X, y, columns, rows, slots)[0]).squeeze(-1)

    def forward(self, feed: Feed, weights: LossWeights) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of one step, and what the curve shows: its parts and the share of datasets that find their law."""
        m, device = feed.minibatch, self.log_scale.device
        X, y, columns, rows = (torch.from_numpy(a).to(device) for a in (m.X, m.y, m.columns, m.rows))
        slots = torch.from_numpy(feed.slots).to(device)
        size, variables = len(X), X.shape[2]
        data, pooled, of_columns = self.embed_data(X, y, columns, rows, slots[:variables])
        vectors, symbols = self.embed_laws(feed.graph)
        laws, edits = vectors[:size], vectors[size:].reshape(size, -1, vectors.shape[1])
        skeleton = torch.from_numpy(m.skeleton.view(np.int64)).to(device)
        properties = torch.from_numpy(m.properties).float().to(device)
        error = torch.from_numpy(m.edit_error).to(device)
        used, relevant = (torch.from_numpy(a).to(device) for a in (m.operators, m.relevant))
        parts = {
            "contrastive": losses.contrastive(data, laws, edits, skeleton, self.scale),
            "ranking": losses.ranking(data, edits, error, self.scale),
            "presence": losses.masked_bce(self.operators(pooled).float(), used, torch.ones_like(used)),
            "relevance": losses.masked_bce(self.relevance(of_columns).squeeze(-1).float(), relevant, columns),
            "length": self._length_loss(feed, X, y, columns, rows, slots),
            "properties": losses.masked_mse(self.properties(pooled).float(), properties),
            "symbolic_properties": losses.masked_mse(self.law_properties(symbols[:size]).float(), properties),
        }
        found = skeleton[(data @ laws.T).argmax(1)] == skeleton
        return losses.total(parts, weights), parts | {"accuracy": found.float().mean(), "scale": self.scale}

    def _length_loss(self, feed: Feed, X: Tensor, y: Tensor, columns: Tensor, rows: Tensor, slots: Tensor) -> Tensor:
        parts, device = feed.parts, X.device
        if not len(parts.dataset):
            return torch.zeros((), device=device)
        at = torch.from_numpy(parts.dataset).to(device)
        wide = torch.cat([X[at], torch.from_numpy(parts.values).to(device)], 2)
        there = torch.cat([columns[at], torch.from_numpy(parts.columns).to(device)], 1)
        predicted = self.log_length(wide, y[at], there, rows[at], slots)
        return F.huber_loss(predicted.float(), torch.from_numpy(parts.length).log().float().to(device))
