"""Random building blocks of a wanted dimension, for searches under units.

Few random expressions have a given dimension. But products and quotients of two do far more often: of n expressions there are
2 n² of them, and those that have it are found by sorting the dimensions' sizes.
"""

import numpy as np

from symnum.language.batch import Batch
from symnum.language.ops import OPS
from symnum.language.rules import SLOT, Rules
from symnum.language.typed import BAD, EXACT, TOLERANCE, Typing
from symnum.search.enumerate import compose

SIZE = 6  # largest complexity of a random part
NUMBERS = np.zeros(1)  # the size of the dimension of pure numbers


def random_parts(rules: Rules, typing: Typing, n: int, rng: np.random.Generator, dims: np.ndarray = NUMBERS) -> Batch:
    """Up to n random dimensionally consistent expressions, and combinations of them for each of the dimensions `dims`, each once."""
    parts = rules.sample(n, SIZE, rng).dedup()
    parts = parts.take(typing.roots(parts)[0] != BAD)
    return Batch.concatenate([parts, *(combined(parts, typing, dim, rng) for dim in dims)]).dedup()


def combined(parts: Batch, typing: Typing, wanted: float, rng: np.random.Generator) -> Batch:
    """Products and quotients of two parts that have the dimension of size `wanted`, one of each kind per part; in random order."""
    kind, dim = typing.roots(parts)
    parts, dim = parts.take(kind == EXACT), dim[kind == EXACT]
    order = np.argsort(dim, kind="stable")
    found = [Batch.empty(parts.names)]
    for op, missing in (("mul", wanted - dim), ("div", dim - wanted)):
        low, high = (np.searchsorted(dim[order], missing + side * TOLERANCE) for side in (-1, 1))
        left = np.flatnonzero(high > low)
        right = order[low[left] + (rng.random(len(left)) * (high - low)[left]).astype(np.int64)]
        template = [(SLOT, 0, 0.0), (SLOT, 0, 0.0), (OPS[op].code, 0, 0.0)]
        found.append(compose(template, [parts.take(left), parts.take(right)], parts.names, len(left)))
    batch = Batch.concatenate(found)
    return batch.take(rng.permutation(len(batch)))
