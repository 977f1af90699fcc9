"""The CPU evaluator: batches of expressions on blocks of rows, in numba, on as many threads as asked for.

Expressions are independent, so a result never depends on the thread count. Kernels release the GIL; threads, not
`prange`, spread the work, so that any executor can hold an evaluator.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module

import numpy as np
from numba import njit, uint64

from symnum.evaluate.blocks import user_addresses
from symnum.evaluate.machine import (
    INNER,
    OPTIONS,
    address,
    assemble,
    block_loss,
    desk,
    fill_constants,
    load_blocks,
    mark_active,
    pull,
    run,
)
from symnum.evaluate.values import Values
from symnum.language.batch import Batch, arities
from symnum.language.ops import all_ops

BLOCK = {"float32": 512, "float64": 256}  # rows per block: 2 KB per register, so about 20 fit the first-level cache
RESIDENT = 1 << 17  # data values that stay in the workspace; larger data are re-read block by block
LANES = 16  # row counts are rounded up to this: one AVX-512 vector of float32


@dataclass(frozen=True, slots=True)
class Rows:
    """Data laid out for the evaluator.

    Attributes:
        X: (blocks, columns, block) values, the last block padded with copies of row 0.
        y: (blocks * block,) targets, zero in the padding.
        weight: (blocks * block,) weights that sum to 1, zero in the padding.
        n: real rows.
        names: the columns.
    """

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    n: int
    names: tuple[str, ...]

    @property
    def block(self) -> int:
        """Rows per block."""
        return self.X.shape[2]

    @classmethod
    def pack(cls, X: np.ndarray, names, y: np.ndarray | None = None, weight: np.ndarray | None = None, dtype="float64") -> "Rows":
        """Lay out X (rows, columns), y (rows,), weight (rows,).

        Raises:
            ValueError: shapes do not fit together or there is no row.
        """
        X = np.asarray(X)
        if X.ndim != 2 or len(X) == 0 or X.shape[1] != len(names):
            msg = f"X of shape (rows >= 1, {len(names)}) was required for the columns {list(names)[:8]}, got {X.shape}"
            raise ValueError(msg)
        n = len(X)
        block = min(BLOCK[np.dtype(dtype).name], -(-n // LANES) * LANES)
        blocks = -(-n // block)
        padded = np.empty((blocks * block, X.shape[1]), dtype)
        padded[:n] = X
        padded[n:] = padded[0]
        targets, weights = np.zeros(blocks * block, dtype), np.zeros(blocks * block, dtype)
        if y is not None:
            targets[:n] = y
        weights[:n] = 1.0 / n if weight is None else np.asarray(weight, float) / np.sum(weight)
        return cls(np.ascontiguousarray(padded.reshape(blocks, block, -1).transpose(0, 2, 1)), targets, weights, n, tuple(names))


@njit(**OPTIONS)
def evaluate(tokens, first, last, X, y, weight, rows, resident, desk, arity, named, kernels, kind, parameter, out, ok, loss):
    """Values (if `out` has columns) and fused losses (if `kind` >= 0) of the expressions first … last-1."""
    code, arg, value, offset = tokens
    w, ins, number, temporary, stack, const_slot, _ = desk
    blocks, columns, block = X.shape
    registers, size = uint64(resident * columns * block), uint64(block)
    wanted = out.shape[1] > 0
    for start in range(0, blocks, resident):
        stop = min(start + resident, blocks)
        load_blocks(w, X, start, stop)
        for p in range(first, last):
            t0, t1 = offset[p], offset[p + 1]
            n, held, root, _ = assemble(
                code[t0:t1], arg[t0:t1], value[t0:t1], arity, named, columns, np.bool_(True), ins, number, temporary, stack, const_slot)
            fill_constants(w, registers, size, number, temporary, held)
            for k in range(start, stop):
                data = uint64((k - start) * columns * block)
                run(w, ins, n, columns, data, registers, size, size, kernels)
                at, row = address(root, columns, data, registers, size), k * block
                if kind >= 0:
                    loss[p] += block_loss(kind, parameter, w, at, y, weight, uint64(row), size)
                if wanted and not copy_out(w, at, out[p], uint64(row), uint64(min(block, rows - row))):
                    ok[p] = False


@njit(**INNER)
def copy_out(w, at, line, start, n):
    """Copy `n` values to `line`, from `start` on; whether all are finite."""
    odd = False
    for j in range(n):  # unsigned offsets and a limit of the same dtype: else LLVM does not vectorise
        x = w[at + j]
        line[start + j] = x
        odd |= not abs(x) < w.dtype.type(np.inf)
    return not odd


@njit(**OPTIONS)
def jacobian(tokens, first, last, X, rows, desk, arity, named, kernels, out, jac):
    """Values (P, N) and derivatives by the free constants (P, N, K) of the expressions first … last-1."""
    code, arg, value, offset = tokens
    w, ins, number, temporary, stack, const_slot, active = desk
    blocks, columns, block = X.shape
    registers, size = uint64(columns * block), uint64(block)
    adjoints = registers + uint64(len(number) * block)
    for p in range(first, last):
        t0, t1 = offset[p], offset[p + 1]
        n, held, root, n_const = assemble(
            code[t0:t1], arg[t0:t1], value[t0:t1], arity, named, columns, np.bool_(False), ins, number, temporary, stack, const_slot)
        mark_active(ins, n, columns, const_slot, n_const, active)
        fill_constants(w, registers, size, number, temporary, held)
        for k in range(blocks):
            load_blocks(w, X, k, k + 1)
            run(w, ins, n, columns, uint64(0), registers, size, size, kernels)
            pull(w, ins, n, root, active, columns, uint64(0), registers, adjoints, size, size, kernels)
            at = address(root, columns, uint64(0), registers, size)
            for j in range(min(block, rows - k * block)):
                out[p, k * block + j] = w[at + uint64(j)]
                for c in range(n_const):
                    jac[p, k * block + j, c] = w[adjoints + uint64((const_slot[c] - columns) * block + j)]


def unpacked(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X (n, columns), y (n,) and weight (n,) of packed rows."""
    X = rows.X.transpose(0, 2, 1).reshape(-1, rows.X.shape[1])[: rows.n]
    return X, rows.y[: rows.n], rows.weight[: rows.n]


class CpuEvaluator:
    """Evaluates batches on the CPU.

    Args:
        threads: worker threads; None takes every core.

    >>> from symnum.language.expr import Expr
    >>> batch = Batch.pack([Expr.parse("2.0*x0"), Expr.parse("log(x0)")], ["x0"])
    >>> CpuEvaluator(threads=1).values(batch, Rows.pack([[1.0], [-1.0]], ["x0"])).ok
    array([ True, False])
    """

    def __init__(self, threads: int | None = None):
        self.threads = threads or os.cpu_count() or 1

    def values(self, batch: Batch, rows: Rows, out: np.ndarray | None = None) -> Values:
        """Values y (P, N) in the rows' dtype, and ok (P,): every row finite. `out`: an array that receives y."""
        y = np.empty((len(batch), rows.n), rows.X.dtype) if out is None else out
        ok = np.ones(len(batch), np.bool_)
        self._evaluate(batch, rows, -1, 0.0, y, ok, np.zeros(len(batch)))
        return Values(y, ok)

    def loss(self, batch: Batch, rows: Rows, kind: int = 0, parameter: float = 1.0) -> np.ndarray:
        """Weighted mean losses (P,), fused with the evaluation; Inf where a value is not finite."""
        loss = np.zeros(len(batch))
        self._evaluate(batch, rows, kind, parameter, np.empty((len(batch), 0), rows.X.dtype), np.ones(len(batch), np.bool_), loss)
        return np.where(np.isfinite(loss), loss, np.inf)

    def jacobian(self, batch: Batch, rows: Rows) -> Values:
        """Values with their derivatives by the free constants, jac (P, N, K), K the most constants of an expression."""
        K = int(batch.n_constants.max(initial=0))
        y, jac = np.empty((len(batch), rows.n), rows.X.dtype), np.zeros((len(batch), rows.n, K), rows.X.dtype)
        tables, longest = machine_tables(rows.X.dtype.name), longest_of(batch)
        size = (rows.X[0].size + 2 * longest * rows.block, rows.X.dtype)
        self.spread(len(batch), lambda a, b: jacobian(
            tokens_of(batch), a, b, rows.X, rows.n, desk(longest, *size), *tables, y, jac))
        return Values(y, np.isfinite(y).all(axis=1), jac)

    def _evaluate(self, batch, rows, kind, parameter, y, ok, loss):
        tokens, tables, longest = tokens_of(batch), machine_tables(rows.X.dtype.name), longest_of(batch)
        resident = len(rows.X) if rows.X.size <= RESIDENT else 1
        size = (resident * rows.X[0].size + longest * rows.block, rows.X.dtype)
        self.spread(len(batch), lambda a, b: evaluate(
            tokens, a, b, rows.X, rows.y, rows.weight, rows.n, resident, desk(longest, *size), *tables, kind, parameter, y, ok, loss))

    def spread(self, count: int, work) -> None:
        """Call work(first, last) over slices of range(count), on the threads."""
        if self.threads == 1 or count < 2 * self.threads:
            work(0, count)
            return
        edges = np.linspace(0, count, min(4 * self.threads, count) + 1).astype(int)
        list(_pool(self.threads).map(work, edges[:-1], edges[1:]))


def longest_of(batch: Batch) -> int:
    """Tokens of the longest expression, at least 1."""
    return int(batch.lengths.max(initial=1))


def tokens_of(batch: Batch) -> tuple[np.ndarray, ...]:
    """The arrays that kernels read."""
    return batch.code, batch.arg, batch.value, batch.offset


@lru_cache(maxsize=4)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="symnum")


def machine_tables(dtype: str) -> tuple:
    """Arity by code, value of named constants by code, and the kernels: addresses of step, pull_a, pull_b, user operators."""
    return _machine_tables(dtype, len(all_ops()))


@lru_cache(maxsize=8)
def _machine_tables(dtype: str, n_ops: int) -> tuple:
    kernels = import_module(f"symnum.evaluate.kernels_{dtype}")
    named = np.zeros(256)
    for op in all_ops()[:n_ops]:
        if op.arity == 0:
            named[op.code] = float(op.numba)
    addresses = [getattr(kernels, f"{name}_{dtype}").address for name in ("step", "pull_a", "pull_b")]
    return arities(), named, (*addresses, user_addresses(dtype, n_ops))
