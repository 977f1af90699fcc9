"""Screening of polynomial continued fractions in float64: many b's at a time for each a, values that may match a table, and nothing else.

u_n = a(n) u_{n−1} + b(n) u_{n−2} is run for p and q over lanes of b's, which stand side by side in a table so that one vector
instruction serves eight of them. A fraction counts as converged at depth 32, 64 or 200 where its last two convergents agree to
1e−12; only a lane of which some member has not is run on. What is screened is not claimed: see `symnum.numbers.pcf_match`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

LANES = 64  # b's that are run together: 8 vectors of 8
DEPTHS = (32, 64, 200)
TOLERANCE = 1e-12  # of the last two convergents, relative to max(1, |v|)
LARGEST = 1e15  # a value beyond comes from a denominator that is 0 but for rounding
STAGES = np.array(DEPTHS, dtype=np.int64)
OPTIONS = dict(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


def tables(rows: np.ndarray, depth: int = DEPTHS[-1]) -> np.ndarray:
    """Values of polynomials at n = 0 … depth as float64.

    Args:
        rows: (k, degree + 1) coefficients, the highest power first.

    Returns:
        (depth + 1, K): the columns are filled up with 1 to a multiple of `LANES`.

    >>> tables(np.array([[2, 1]]), 2)[:, 0].tolist()
    [1.0, 3.0, 5.0]
    """
    out = np.ones((depth + 1, -(-len(rows) // LANES) * LANES))
    _fill(rows.astype(np.float64), out)
    return out


@njit(**OPTIONS)
def _fill(rows, out):
    k, width = rows.shape
    for n in range(len(out)):
        for j in range(k):
            value = rows[j, 0]
            for i in range(1, width):
                value = value * n + rows[j, i]
            out[n, j] = value


def rescale_every(a: np.ndarray, b: np.ndarray) -> int:
    """After how many steps p and q must be scaled so that they stay far below the largest float: at most 8 for the wildest polynomials.

    Args:
        a, b: tables as from `tables`.
    """
    largest = np.abs(a).max() + math.sqrt(np.abs(b).max()) + 1  # |u_n| grows by no more in a step
    steps = int(280 / math.log10(largest)) if largest < 1e35 else 8
    return max(2, min(DEPTHS[-1], steps // 2 * 2))


@dataclass(frozen=True)
class Sieve:
    """Which values are worth a second look: those in a cell of a bitmap over v ↦ v/(1 + |v|).

    Attributes:
        bits: bitmap of 2^shift cells over (−1, 1).
        shift: how many cells, as a power of 2.
    """

    bits: np.ndarray
    shift: int

    @classmethod
    def of(cls, values: np.ndarray, tolerance: float) -> "Sieve":
        """The sieve that lets through what is near one of the values.

        Args:
            values: compressed by `compress`.
            tolerance: how near, in compressed terms; below the size of a cell.
        """
        shift = min(28, max(16, math.ceil(math.log2(max(len(values), 1))) + 6))
        bits = np.zeros(1 << max(shift - 6, 0), dtype=np.uint64)
        _mark(values, tolerance, bits, shift)
        return cls(bits, shift)

    @classmethod
    def all(cls) -> "Sieve":
        """The sieve that lets every converged value through."""
        return cls(np.full(1, ~np.uint64(0)), 6)


def compress(values: np.ndarray) -> np.ndarray:
    """v/(1 + |v|): all numbers within (−1, 1), in the same order, so that one tolerance serves large and small ones.

    >>> compress(np.array([1.0, -3.0])).tolist()
    [0.5, -0.75]
    """
    return values / (1 + np.abs(values))


@njit(**OPTIONS)
def _mark(values, tolerance, bits, shift):
    cells = 1 << shift
    for y in values:
        for side in (-tolerance, tolerance):
            cell = min(max(int((y + side + 1) * 0.5 * cells), 0), cells - 1)
            bits[cell >> 6] |= np.uint64(1) << np.uint64(cell & 63)


@dataclass(frozen=True)
class Screened:
    """What a block came to.

    Attributes:
        a, b: (k,) indices into the tables of those that converged and passed the sieve, ordered by a, then b.
        values: (k,) their values.
        converged: how many did, whether they passed the sieve or not.
    """

    a: np.ndarray
    b: np.ndarray
    values: np.ndarray
    converged: int


def screen(a: np.ndarray, b: np.ndarray, first: np.ndarray, sieve: Sieve, stages: np.ndarray = STAGES) -> Screened:
    """Run every a with its first b's and keep the converged values that pass the sieve.

    Args:
        a: (depth + 1, K) from `tables`.
        b: (depth + 1, L) from `tables`.
        first: (k,) how many of the b's, from the first, to run with each a.
        stages: even depths at which convergence is looked at; the tables reach the last.

    >>> a, b = tables(np.array([[2, 1]])), tables(np.array([[1, 0, 0]]))      # 4/pi
    >>> screen(a, b, np.array([1]), Sieve.all()).values.round(10).tolist()
    [1.2732395447]
    """
    if not first.size or not first.any():
        return Screened(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0), 0)
    every = rescale_every(a, b)
    columns = np.ascontiguousarray(a[:, :len(first)].T)
    capacity = 1 << 16
    while True:
        ia, ib, values = np.empty(capacity, np.int32), np.empty(capacity, np.int32), np.empty(capacity)
        found, converged = _screen(columns, b, first, sieve.bits, sieve.shift, stages, every, TOLERANCE, ia, ib, values)
        if found <= capacity:
            return Screened(ia[:found], ib[:found], values[:found], converged)
        capacity = found


@njit(**OPTIONS)
def _steps(a, b, j, start, stop, every, p, p0, q, q0):
    """Steps start < n ≤ stop of the recurrence in place, two at a time; at even n, (p, q) is the later pair."""
    n = start
    while n < stop:
        until = min(stop, n + every)
        while n < until:
            x, y = a[n + 1], a[n + 2]
            first, second = b[n + 1, j:j + LANES], b[n + 2, j:j + LANES]
            for k in range(LANES):
                s, t = first[k], second[k]
                u = x * p[k] + s * p0[k]
                v = x * q[k] + s * q0[k]
                p[k] = y * u + t * p[k]
                q[k] = y * v + t * q[k]
                p0[k] = u
                q0[k] = v
            n += 2
        if n < stop or every < 200:
            for k in range(LANES):
                scale = 1 / (abs(p[k]) + abs(q[k]) + abs(p0[k]) + abs(q0[k]))
                p[k] *= scale
                q[k] *= scale
                p0[k] *= scale
                q0[k] *= scale


@njit(**OPTIONS)
def _screen(a, b, first, bits, shift, stages, every, tolerance, out_a, out_b, out_v):
    p, p0, q, q0 = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    v, cell, done = np.empty(LANES), np.empty(LANES, np.int64), np.empty(LANES, np.int8)
    cells = 1 << shift
    found = converged = 0
    for i in range(len(first)):
        row = a[i]
        for j in range(0, first[i], LANES):
            width = min(LANES, first[i] - j)
            for k in range(LANES):
                p[k], p0[k], q[k], q0[k], done[k] = row[0], 1.0, 1.0, 0.0, 0
            start = 0
            for stage in range(len(stages)):
                _steps(row, b, j, start, stages[stage], every, p, p0, q, q0)
                start = stages[stage]
                fresh = 0
                for k in range(LANES):
                    value = p[k] / q[k]
                    size = abs(value)
                    close = (abs(value - p0[k] / q0[k]) <= tolerance * max(1.0, size)) & (size < LARGEST)
                    new = close & (done[k] == 0)
                    fresh += new
                    v[k] = value if new else v[k]
                    done[k] = stage + 1 if new else done[k]
                missing = 0
                for k in range(width):
                    missing += done[k] == 0
                if missing == 0:
                    break
            for k in range(LANES):
                cell[k] = min(int((v[k] / (1 + abs(v[k])) + 1) * 0.5 * cells), cells - 1) if done[k] else 0
            for k in range(width):
                if done[k] == 0:
                    continue
                converged += 1
                c = cell[k]
                if bits[c >> 6] >> np.uint64(c & 63) & np.uint64(1):
                    if found < len(out_a):
                        out_a[found], out_b[found], out_v[found] = i, j + k, v[k]
                    found += 1
    return found, converged
