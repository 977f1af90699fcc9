"""P expressions as flat arrays: what every hot path sees.

Postfix order; a subtree is a slice, so crossover is a splice. Three arrays run over all tokens of the batch
(T = total tokens) and `offset` (P + 1,) marks where each expression starts:

    code  uint8    VAR, CONST, NUMBER or the operator's code
    arg   int32    the column of a VAR token, else 0
    value float64  the number of a CONST (free) or NUMBER (fixed) token, else 0
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from symnum.language.expr import Expr
from symnum.language.ops import CONST, FIRST_OP, NUMBER, VAR, Op, all_ops, by_code


@dataclass(frozen=True, slots=True)
class Batch:
    """P expressions over the columns `names`; arrays are never mutated after construction."""

    code: np.ndarray  # (T,) uint8
    arg: np.ndarray  # (T,) int32
    value: np.ndarray  # (T,) float64
    offset: np.ndarray  # (P + 1,) int64
    names: tuple[str, ...]

    @classmethod
    def pack(cls, expressions: Sequence[Expr], names: Sequence[str]) -> "Batch":
        """Flatten expressions over the columns `names`.

        Raises:
            ValueError: an expression uses a variable that is not a column.

        >>> b = Batch.pack([Expr.parse("x0 + 1.5"), Expr.parse("x1")], ["x0", "x1"])
        >>> len(b), b.lengths.tolist(), str(b[0])
        (2, [3, 1], 'x0 + 1.5')
        """
        column = {name: i for i, name in enumerate(names)}
        tokens = [t for e in expressions for t in e.tokens]
        missing = sorted({t for t in tokens if isinstance(t, str) and t not in column})
        if missing:
            msg = f"variables must be among the columns {list(names)}, got {missing}"
            raise ValueError(msg)
        kind = [t.code if isinstance(t, Op) else VAR if isinstance(t, str) else NUMBER if isinstance(t, int) else CONST for t in tokens]
        return cls(
            np.array(kind, np.uint8),
            np.array([column[t] if isinstance(t, str) else 0 for t in tokens], np.int32),
            np.array([t if isinstance(t, int | float) else 0.0 for t in tokens], np.float64),
            np.cumsum([0, *(len(e.tokens) for e in expressions)], dtype=np.int64),
            tuple(names),
        )

    @classmethod
    def empty(cls, names: Sequence[str]) -> "Batch":
        """No expressions."""
        return cls.pack([], names)

    def __len__(self) -> int:
        return len(self.offset) - 1

    def __getitem__(self, i: int) -> Expr:
        """The i-th expression, unpacked."""
        start, stop = self.offset[i], self.offset[i + 1]
        return Expr(tuple(map(self._token, self.code[start:stop].tolist(), self.arg[start:stop].tolist(), self.value[start:stop].tolist())))

    def _token(self, code: int, arg: int, value: float) -> Op | str | int | float:
        if code >= FIRST_OP:
            return by_code(code)
        if code == VAR:
            return self.names[arg]
        return int(value) if code == NUMBER and value.is_integer() else value

    def unpack(self) -> list[Expr]:
        """All expressions."""
        return [self[i] for i in range(len(self))]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens per expression (P,)."""
        return np.diff(self.offset)

    @property
    def sizes(self) -> np.ndarray:
        """Subtree size of every token (T,): the subtree rooted at t is the slice [t - sizes[t] + 1, t]."""
        from symnum.language.batch_kernels import subtree_sizes

        size = np.empty(len(self.code), np.int32)
        subtree_sizes(self.code, self.offset, arities(), size)
        return size

    @property
    def complexity(self) -> np.ndarray:
        """Complexity per expression (P,): the sum of its operators' costs, a leaf counting 1."""
        total = np.concatenate([[0], np.cumsum(token_costs()[self.code])])
        return total[self.offset[1:]] - total[self.offset[:-1]]

    def take(self, index: np.ndarray) -> "Batch":
        """The expressions at `index` (integers or a mask), in that order."""
        index = np.flatnonzero(index) if np.asarray(index).dtype == bool else np.asarray(index, np.int64)
        start, lengths = self.offset[index], self.lengths[index]
        offset = np.concatenate([[0], np.cumsum(lengths)])
        tokens = np.repeat(start - offset[:-1], lengths) + np.arange(offset[-1])
        return replace(self, code=self.code[tokens], arg=self.arg[tokens], value=self.value[tokens], offset=offset)

    @staticmethod
    def concatenate(batches: Sequence["Batch"]) -> "Batch":
        """All expressions of batches over the same columns, in order."""
        offset = np.concatenate([[0], np.cumsum(np.concatenate([b.lengths for b in batches]))]).astype(np.int64)
        code, arg, value = (np.concatenate([getattr(b, f) for b in batches]) for f in ("code", "arg", "value"))
        return Batch(code, arg, value, offset, batches[0].names)

    def splice(self, at: np.ndarray, donors: "Batch", subtree: np.ndarray) -> "Batch":
        """Replace, in expression i, the subtree rooted at its token `at[i]` by the subtree of `donors[i]` rooted at `subtree[i]`.

        Positions count from the start of each expression.
        """
        from symnum.language.batch_kernels import splice

        code, arg, value, offset = splice(
            (self.code, self.arg, self.value, self.offset),
            self.sizes,
            np.asarray(at, np.int64),
            (donors.code, donors.arg, donors.value, donors.offset),
            donors.sizes,
            np.asarray(subtree, np.int64),
        )
        return Batch(code, arg, value, offset, self.names)

    def skeleton_hash(self) -> np.ndarray:
        """A uint64 per expression (P,): equal for equal skeletons (free constants ignored, commutative order ignored)."""
        return self._hash(False)

    def structural_hash(self) -> np.ndarray:
        """A uint64 per expression (P,), constants included; operands of commutative operators in any order."""
        return self._hash(True)

    def _hash(self, with_constants: bool) -> np.ndarray:
        from symnum.language.batch_kernels import skeleton_hashes

        out, stack = np.empty(len(self), np.uint64), np.empty(int(self.lengths.max(initial=1)), np.uint64)
        bits = self.value.view(np.uint64)
        skeleton_hashes(self.code, self.arg, bits, self.offset, arities(), commutative(), with_constants, stack, out)
        return out

    def dedup(self) -> "Batch":
        """The first of each group of structurally equal expressions, in order.

        >>> b = Batch.pack([Expr.parse(t) for t in ("x + y", "y + x", "x*y")], ["x", "y"])
        >>> [str(e) for e in b.dedup().unpack()]
        ['x + y', 'x*y']
        """
        _, first = np.unique(self.structural_hash(), return_index=True)
        return self.take(np.sort(first))

    @property
    def n_constants(self) -> np.ndarray:
        """Free constants per expression (P,)."""
        count = np.concatenate([[0], np.cumsum(self.code == CONST)])
        return count[self.offset[1:]] - count[self.offset[:-1]]

    @property
    def constants(self) -> np.ndarray:
        """All free constants in token order."""
        return self.value[self.code == CONST]

    def with_constants(self, constants: np.ndarray) -> "Batch":
        """The same skeletons with other free constants, in token order."""
        value = self.value.copy()
        value[self.code == CONST] = constants
        return replace(self, value=value)


def arities() -> np.ndarray:
    """Arity by code (256,) uint8; leaves are 0."""
    return _tables(len(all_ops()))[0]


def token_costs() -> np.ndarray:
    """Cost by code (256,)."""
    return _tables(len(all_ops()))[1]


def commutative() -> np.ndarray:
    """Commutativity by code (256,) bool."""
    return _tables(len(all_ops()))[2]


@lru_cache(maxsize=8)
def _tables(n_ops: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Look-up tables by code for the first `n_ops` operators (the count is the cache key: the table only grows)."""
    arity, cost, commutes = np.zeros(256, np.uint8), np.ones(256, np.int64), np.zeros(256, np.bool_)
    for op in all_ops()[:n_ops]:
        arity[op.code], cost[op.code], commutes[op.code] = op.arity, op.cost, "commutative" in op.laws
    return arity, cost, commutes
