"""The numeric tower: a set transformer over the rows of a dataset, equivariant in its columns.

    pairs    (D, N, V): a gated layer reads each (x, y) of a row with the column's slot; summed over columns: a point token
    columns  (D, V):    the same layer averaged over rows, with the column's affine map and slot: a column token
    global   (D, 1):    the affine map of y and the counts of rows and columns

All tokens form one set: ISAB, SAB and PMA blocks (Lee et al. 2019, arXiv:1810.00825), a norm before each (Xiong et al. 2020,
arXiv:2002.04745), SwiGLU between (Shazeer 2020, arXiv:2002.05202). No token has a position: rows in
another order give the same answer, and so do columns in another order that keep their slots.

Why slots: the law `x0/x1` and its data must meet in one space though neither tower knows a name. A slot is a label that
both are given for a column. Slots are drawn anew for every training batch, so they carry no meaning but identity:
each tower can say "this column here" and the other can find it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from symnum.encode.config import ModelSettings
from symnum.encode.features import AFFINE_FEATURES, FEATURES, number_features


def norm(width: int) -> nn.Module:
    """Layer norm without shift: torch computes it in one pass, RMS norm in six (four times the seconds on a CPU)."""
    return nn.LayerNorm(width, bias=False)


class GatedLayer(nn.Module):
    """SwiGLU: silu(A x) · (B x), then C. A and B are two layers, as cutting one in two costs a copy of its gradient."""

    def __init__(self, inputs: int, hidden: int, outputs: int):
        super().__init__()
        self.gate, self.value = nn.Linear(inputs, hidden, bias=False), nn.Linear(inputs, hidden, bias=False)
        self.out = nn.Linear(hidden, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.silu(self.gate(x)) * self.value(x))


class Attention(nn.Module):
    """Queries attend to a set, then a gated layer; both residual, both normalised first (MAB of the set transformer)."""

    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.heads = heads
        self.query, self.merge = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.key, self.value = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.norm_query, self.norm_set, self.norm = norm(width), norm(width), norm(width)
        self.feed = GatedLayer(width, hidden, width)

    def forward(self, queries: Tensor, tokens: Tensor, present: Tensor | None) -> Tensor:
        """queries (D, Q, d) and tokens (D, K, d) with present (D, K), or None for all -> (D, Q, d)."""
        q = self._split(self.query(self.norm_query(queries)))
        tokens = self.norm_set(tokens)
        k, v = self._split(self.key(tokens)), self._split(self.value(tokens))
        mask = None if present is None else present[:, None, None, :]
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # (D, heads, Q, d / heads)
        queries = queries + self.merge(seen.transpose(1, 2).flatten(2))
        return queries + self.feed(self.norm(queries))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class InducedAttention(nn.Module):
    """ISAB: a set attends to itself through a few inducing points, so that the cost is linear in its size."""

    def __init__(self, width: int, heads: int, hidden: int, inducing: int):
        super().__init__()
        self.points = nn.Parameter(torch.randn(1, inducing, width) * width**-0.5)
        self.gather, self.spread = Attention(width, heads, hidden), Attention(width, heads, hidden)

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        summary = self.gather(self.points.expand(len(tokens), -1, -1), tokens, present)
        return self.spread(tokens, summary, None)


class PairLayer(nn.Module):
    """A linear layer of the features of (x, y) and of the column's slot; y and the slot are read once, not once a pair."""

    def __init__(self, outputs: int, slots: int):
        super().__init__()
        self.x, self.y = nn.Linear(FEATURES, outputs), nn.Linear(FEATURES, outputs, bias=False)
        self.slot = nn.Embedding(slots, outputs)

    def forward(self, x: Tensor, y: Tensor, slots: Tensor) -> Tensor:
        """x (D, V, N, F), y (D, N, F), slots (V,) -> (D, V, N, outputs)."""
        return self.x(x) + (self.y(y)[:, None] + self.slot(slots)[None, :, None])


class NumericTower(nn.Module):
    """Datasets to vectors.

    Attributes:
        pooled: width of the vector of a dataset.
    """

    def __init__(self, settings: ModelSettings):
        super().__init__()
        s, width, pair = settings, settings.width, settings.pair_width
        self.pooled = s.seeds * width
        self.pair_gate, self.pair_value = PairLayer(pair, s.slots), PairLayer(pair, s.slots)
        self.point, self.point_y = nn.Linear(pair, width, bias=False), nn.Linear(FEATURES, width)
        self.point_norm, self.point_feed = norm(width), GatedLayer(width, s.hidden, width)
        self.column, self.column_affine = nn.Linear(pair, width), nn.Linear(AFFINE_FEATURES, width, bias=False)
        self.column_slot = nn.Embedding(s.slots, width)
        self.whole = nn.Linear(AFFINE_FEATURES + 2, width)
        blocks = [InducedAttention(width, s.heads, s.hidden, s.inducing) for _ in range(s.induced_blocks)]
        self.induced = nn.ModuleList(blocks)
        self.full = nn.ModuleList(Attention(width, s.heads, s.hidden) for _ in range(s.full_blocks))
        self.seeds = nn.Parameter(torch.randn(1, s.seeds, width) * width**-0.5)
        self.pool = Attention(width, s.heads, s.hidden)
        self.norm_pooled, self.norm_columns = norm(self.pooled), norm(width)

    def forward(self, X: Tensor, y: Tensor, columns: Tensor, rows: Tensor, slots: Tensor) -> tuple[Tensor, Tensor]:
        """One vector for each dataset and one for each of its columns.

        Args:
            X: (D, N, V) float64.
            y: (D, N) float64.
            columns: (D, V) bool, the columns that there are.
            rows: (D, N) bool, the rows that there are.
            slots: (V,) integers, the slot of each column.

        Returns:
            pooled (D, seeds · width) and per column (D, V, width).
        """
        tokens, present = self.tokens(X, y, columns, rows, slots)  # (D, N + V + 1, width)
        for block in self.induced:
            tokens = block(tokens, present)
        for block in self.full:
            tokens = block(tokens, tokens, present)
        pooled = self.pool(self.seeds.expand(len(X), -1, -1), tokens, present)
        n = X.shape[1]
        return self.norm_pooled(pooled.flatten(1)), self.norm_columns(tokens[:, n : n + X.shape[2]])

    def tokens(self, X: Tensor, y: Tensor, columns: Tensor, rows: Tensor, slots: Tensor) -> tuple[Tensor, Tensor]:
        """The set of point, column and global tokens (D, N + V + 1, width), and which are present."""
        with torch.no_grad():
            there = columns[:, :, None] & rows[:, None, :]  # (D, V, N)
            x_features, x_affine = number_features(X.transpose(1, 2), there)  # (D, V, N, F), (D, V, A)
            y_features, y_affine = number_features(y, rows)  # (D, N, F), (D, A)
        pairs = F.silu(self.pair_gate(x_features, y_features, slots)) * self.pair_value(x_features, y_features, slots)
        pairs = pairs * there[..., None]  # (D, V, N, pair)
        n_columns, n_rows = columns.sum(1).clamp_min(1), rows.sum(1).clamp_min(1)
        points = self.point(pairs.sum(1) / n_columns.sqrt()[:, None, None]) + self.point_y(y_features)
        points = points + self.point_feed(self.point_norm(points))
        of_columns = self.column(pairs.sum(2) / n_rows[:, None, None]) + self.column_affine(x_affine) + self.column_slot(slots)
        counts = torch.stack([n_rows.log() / 10, n_columns.log()], -1).float()
        whole = self.whole(torch.cat([y_affine, counts], -1))[:, None]
        present = torch.cat([rows, columns, rows.new_ones(len(rows), 1)], 1)
        return torch.cat([points, of_columns, whole], 1), present
