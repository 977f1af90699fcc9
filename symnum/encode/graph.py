"""Laws as one graph: equal subtrees of a batch are one node, and nodes are ordered by height.

    Graph.of(batch, slots, vocabulary, generic) -> labels, children and roots, all flat arrays

A label says what a node is: the slot of a variable, a class of constants, or an operator. Free constants fall into
classes by sign and magnitude (two classes a decade), or are all one generic class. Keys are 64-bit hashes of subtrees,
operands of commutative operators in any order; they say which nodes are the same, here and in a cache.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from symnum.language.batch import Batch, arities, commutative
from symnum.language.batch_kernels import KERNEL, mix
from symnum.language.grammar_check import near
from symnum.language.ops import CONST, FIRST_OP, NUMBER, VAR, all_ops

GENERIC, ZERO = 0, 1  # classes of constants
MAGNITUDES = 17  # half decades from 1e-4 to 1e4, the ends open
SMALL = 10  # integers that are part of the law, up to this, have a class each
CONSTANT_CLASSES = 2 + 2 * MAGNITUDES + 2 * SMALL


@dataclass(frozen=True, slots=True)
class Graph:
    """U distinct subtrees of P laws, sorted by height.

    Attributes:
        key: (U,) uint64, hash of the subtree.
        label: (U,) int64: a slot, then the classes of constants, then the operators of the vocabulary.
        arity: (U,) uint8; commutes: (U,) bool.
        left, right: (U,) int64, the operands; -1 where there is none.
        level: (L + 1,) int64: nodes of height h are level[h] … level[h + 1].
        roots: (P,) int64.
    """

    key: np.ndarray
    label: np.ndarray
    arity: np.ndarray
    commutes: np.ndarray
    left: np.ndarray
    right: np.ndarray
    level: np.ndarray
    roots: np.ndarray

    @classmethod
    def of(cls, batch: Batch, slots: np.ndarray, n_slots: int, operators: tuple[str, ...], generic: np.ndarray | bool = False) -> "Graph":
        """The graph of a batch.

        Args:
            batch: P laws.
            slots: (V,) the slot of each column.
            n_slots: how many slots there are.
            operators: names, the vocabulary of the encoder.
            generic: (P,) or one bool: show free constants as one generic class.

        Raises:
            ValueError: an operator that is not in the vocabulary, or a variable that has no slot.

        >>> from symnum.language.expr import Expr
        >>> b = Batch.pack([Expr.parse("x0*x1 + sin(x0*x1)"), Expr.parse("x1*x0")], ["x0", "x1"])
        >>> g = Graph.of(b, np.array([0, 1]), 16, ("add", "mul", "sin"))
        >>> len(g.key), g.level.tolist(), g.roots.tolist()
        (5, [0, 2, 3, 4, 5], [4, 2])
        """
        label = _labels(batch, np.asarray(slots, np.int64), n_slots, operators, np.broadcast_to(generic, len(batch)))
        key, height, left, right = subtrees(label, batch)
        key, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        order = np.argsort(height[first], kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        node, first = rank[inverse.ravel()], first[order]
        counts = np.bincount(height[first])
        return cls(
            key[order], label[first], arities()[batch.code[first]], commutative()[batch.code[first]],
            np.where(left[first] >= 0, node[left[first]], -1), np.where(right[first] >= 0, node[right[first]], -1),
            np.concatenate([[0], np.cumsum(counts)]), node[batch.offset[1:] - 1],
        )


def subtrees(label: np.ndarray, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of every token (T,): the key and height of its subtree, and the tokens of its operands (-1: none)."""
    key, stack = np.empty(len(label), np.uint64), np.empty(int(batch.lengths.max(initial=1)), np.int64)
    height, left, right = (np.empty(len(label), np.int64) for _ in range(3))
    _subtrees(label.view(np.uint64), batch.code, batch.offset, arities(), commutative(), stack, key, height, left, right)
    return key, height, left, right


@njit(**KERNEL)
def _subtrees(label, code, offset, arity, commutes, stack, key, height, left, right):
    for p in range(len(offset) - 1):
        top = 0
        for t in range(offset[p], offset[p + 1]):
            h = mix(label[t])
            left[t], right[t], height[t] = -1, -1, 0
            if arity[code[t]] == 1:
                a = stack[top - 1]
                top -= 1
                h = mix(h ^ key[a])
                left[t], height[t] = a, height[a] + 1
            elif arity[code[t]] == 2:
                a, b = stack[top - 2], stack[top - 1]
                top -= 2
                if commutes[code[t]] and key[b] < key[a]:
                    a, b = b, a
                h = mix(mix(h ^ key[a]) ^ (key[b] * np.uint64(3)))
                left[t], right[t], height[t] = a, b, max(height[a], height[b]) + 1
            key[t] = h
            stack[top] = t
            top += 1


def constant_classes(value: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """The class of each constant; `fixed` ones are part of the law, and small integers among them have classes of their own.

    >>> constant_classes(np.array([0.0, 2.0, 2.0, -2.0]), np.array([False, False, True, False])).tolist()
    [1, 11, 37, 28]
    """
    size = np.abs(value)
    half_decades = np.rint(2 * np.log10(np.where(size > 0, size, 1.0)))
    half = (MAGNITUDES - 1) // 2
    free = 2 + (np.clip(half_decades, -half, half) + half).astype(np.int64) + MAGNITUDES * (value < 0)
    small = fixed & (size == np.rint(size)) & (size <= SMALL) & (size > 0)
    integers = 2 + 2 * MAGNITUDES + np.where(small, size, 1).astype(np.int64) - 1 + SMALL * (value < 0)
    return np.where(value == 0, ZERO, np.where(small, integers, free))


def _labels(batch: Batch, slots: np.ndarray, n_slots: int, operators: tuple[str, ...], generic: np.ndarray) -> np.ndarray:
    """(T,) the label of every token."""
    code = batch.code
    table = np.full(256, -1, np.int64)
    place = {name: i for i, name in enumerate(operators)}
    for op in all_ops():
        table[op.code] = place.get(op.name, -1)
    of_operator = table[code]
    unknown = np.unique(code[(code >= FIRST_OP) & (of_operator < 0)])
    if len(unknown):
        names = [op.name for op in all_ops() if op.code in unknown]
        msg = f"operators the encoder was trained with were required, got {', '.join(names)}{near(names[0], operators)}"
        raise ValueError(msg)
    highest = batch.arg.max(initial=-1)
    if highest >= len(slots):
        msg = f"columns up to number {len(slots) - 1} were required, got column {highest}"
        raise ValueError(msg)
    constant = np.where(np.repeat(generic, batch.lengths) & (code == CONST), GENERIC, constant_classes(batch.value, code == NUMBER))
    leaf = np.where(code == VAR, slots[batch.arg], n_slots + constant)
    return np.where(code >= FIRST_OP, n_slots + CONSTANT_CLASSES + of_operator, leaf)
