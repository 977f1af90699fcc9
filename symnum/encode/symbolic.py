"""The symbolic tower: laws to vectors, node by node.

The embedding of a node is a small gated layer of its operator and of its operands' embeddings, as in the recursive
networks of Tai, Socher & Manning (2015, arXiv:1503.00075). Operands enter as sum and difference, of commutative operators
as sum and size of the difference: swapped operands then give the same embedding, bit for bit. A node depends on
nothing above it, so equal subtrees are computed once for a batch (`Graph`) and kept across batches (`SubtreeCache`):
a new law costs only the path that is new.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from symnum.encode.config import ModelSettings
from symnum.encode.graph import CONSTANT_CLASSES, Graph
from symnum.encode.numeric import norm


class SymbolicTower(nn.Module):
    """Laws to vectors (P, symbol_width).

    Args:
        settings: sizes.
        n_operators: of the vocabulary.
    """

    def __init__(self, settings: ModelSettings, n_operators: int):
        super().__init__()
        width, hidden = settings.symbol_width, settings.symbol_hidden
        self.width, self.first_operator = width, settings.slots + CONSTANT_CLASSES
        self.leaf = nn.Embedding(self.first_operator + n_operators, width)  # named constants such as pi are leaves too
        self.operator = nn.Embedding(n_operators, 2 * hidden)
        self.operands = nn.Linear(2 * width, 2 * hidden, bias=False)
        self.out = nn.Linear(hidden, width, bias=False)
        self.norm, self.norm_root = norm(width), norm(width)

    def forward(self, graph: Graph, cache: "SubtreeCache | None" = None) -> Tensor:
        """The roots' embeddings; with a cache (then without gradients) known subtrees are not computed again.

        Args:
            graph: U nodes of P laws.
            cache: of this tower.

        Returns:
            (P, symbol_width).
        """
        device = self.leaf.weight.device
        nodes = torch.zeros(len(graph.key), self.width, device=device)
        missing = np.ones(len(graph.key), bool)
        if cache is not None:
            missing, known = cache.find(graph.key)
            nodes[torch.from_numpy(~missing)] = known.to(device)
        for start, stop in zip(graph.level[:-1], graph.level[1:], strict=True):
            new = start + np.flatnonzero(missing[start:stop])
            if len(new):
                made = self._leaves(graph, new) if start == 0 else self._inner(nodes, graph, new)
                nodes = nodes.index_copy(0, torch.from_numpy(new).to(device), made.to(nodes.dtype))
        if cache is not None:
            cache.add(graph.key[missing], nodes[torch.from_numpy(missing)].cpu())
        return self.norm_root(nodes[torch.from_numpy(graph.roots).to(device)])

    def _leaves(self, graph: Graph, new: np.ndarray) -> Tensor:
        return self.norm(self.leaf(torch.from_numpy(graph.label[new]).to(self.leaf.weight.device)))

    def _inner(self, nodes: Tensor, graph: Graph, new: np.ndarray) -> Tensor:
        """Embeddings of nodes whose operands are there; a single operand counts twice (its difference is zero)."""
        device, left, right = nodes.device, graph.left[new], graph.right[new]
        a = nodes[torch.from_numpy(left).to(device)]
        b = nodes[torch.from_numpy(np.where(right >= 0, right, left)).to(device)]
        commutes = torch.from_numpy(graph.commutes[new])[:, None].to(device)
        both, apart = a + b, a - b
        operands = torch.cat([both, torch.where(commutes, apart.abs(), apart)], -1)
        operator = self.operator(torch.from_numpy(graph.label[new] - self.first_operator).to(device))
        gate, value = (self.operands(operands) + operator).chunk(2, -1)
        return self.norm(self.out(F.silu(gate) * value) + both / 2)


class SubtreeCache:
    """Embeddings of subtrees by key, for one tower and fixed weights.

    It forgets everything when it is full: what a search uses now comes back at once, and no bookkeeping is needed.

    Args:
        width: of an embedding.
        capacity: subtrees kept at most.

    >>> cache = SubtreeCache(2)
    >>> cache.add(np.array([7, 3], np.uint64), torch.tensor([[7.0, 7.0], [3.0, 3.0]]))
    >>> missing, known = cache.find(np.array([3, 4], np.uint64))
    >>> missing.tolist(), known.tolist(), len(cache)
    ([False, True], [[3.0, 3.0]], 2)
    """

    def __init__(self, width: int, capacity: int = 1 << 18):
        self.width, self.capacity = width, capacity
        self.clear()

    def __len__(self) -> int:
        return len(self._key)

    def clear(self) -> None:
        """Forget everything."""
        self._key, self._row, self._values = np.empty(0, np.uint64), np.empty(0, np.int64), torch.empty(0, self.width)

    def find(self, key: np.ndarray) -> tuple[np.ndarray, Tensor]:
        """Which keys (U,) are missing (U,), and the embeddings of the others, in their order."""
        if not len(self._key):
            return np.ones(len(key), bool), torch.empty(0, self.width)
        at = np.minimum(np.searchsorted(self._key, key), len(self._key) - 1)
        missing = self._key[at] != key
        return missing, self._values[torch.from_numpy(self._row[at[~missing]])]

    def add(self, key: np.ndarray, values: Tensor) -> None:
        """Keep the embeddings of keys that were missing; more at once than fit are not kept."""
        if len(self) + len(key) > self.capacity:
            self.clear()
        if not len(key) or len(key) > self.capacity:
            return
        have = len(self._key)
        if have + len(key) > len(self._values):  # grow by doubling
            grown = torch.empty(min(self.capacity, max(2 * len(self._values), have + len(key))), self.width)
            grown[:have] = self._values[:have]
            self._values = grown
        self._values[have : have + len(key)] = values
        merged = np.concatenate([self._key, key])
        order = np.argsort(merged, kind="stable")
        self._key, self._row = merged[order], np.concatenate([self._row, np.arange(have, have + len(key))])[order]
