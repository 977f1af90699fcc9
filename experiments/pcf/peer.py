"""The inner loops that others use for the same search, re-stated from their description, to be timed on the same machine.

The Ramanujan Machine (github.com/RamanujanMachine/RamanujanMachine, EfficientGCFEnumerator): both series of 32 exact Python integers are
made once, every pair runs the recurrence for numerator and denominator, and the first ten digits of the quotient are looked up among
those of all Möbius images. Its parallel variant does the recurrence by numpy broadcasting in float64.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np

DEPTH = 32
FACTOR = 10 ** 10


def python_rate(rows_a: Sequence[Sequence[int]], rows_b: Sequence[Sequence[int]], keys: set[int]) -> float:
    """Pairs per second of the loop over exact integers, look-ups included."""
    series_a, series_b = (_series(rows) for rows in (rows_a, rows_b))
    begun = time.perf_counter()
    hits = 0
    for a in series_a:
        for b in series_b:
            p0, p, q0, q = 1, a[0], 0, 1
            for n in range(1, DEPTH):
                p0, p = p, a[n] * p + b[n] * p0
                q0, q = q, a[n] * q + b[n] * q0
            key = FACTOR * p // q if q else 0
            hits += key in keys
    return len(series_a) * len(series_b) / (time.perf_counter() - begun)


def numpy_rate(rows_a: Sequence[Sequence[int]], rows_b: Sequence[Sequence[int]]) -> float:
    """Pairs per second of the recurrence by broadcasting, without look-ups; scaled every 8 steps."""
    a, b = (np.array(_series(rows), dtype=float).T for rows in (rows_a, rows_b))
    begun = time.perf_counter()
    p0, p = np.ones((a.shape[1], b.shape[1])), np.repeat(a[0][:, None], b.shape[1], axis=1)
    q0, q = np.zeros_like(p), np.ones_like(p)
    for n in range(1, DEPTH):
        p0, p = p, a[n][:, None] * p + b[n] * p0
        q0, q = q, a[n][:, None] * q + b[n] * q0
        if n % 8 == 0:
            scale = 1 / (abs(p) + abs(q) + abs(p0) + abs(q0))
            p, p0, q, q0 = p * scale, p0 * scale, q * scale, q0 * scale
    with np.errstate(all="ignore"):
        p / q
    return p.size / (time.perf_counter() - begun)


def _series(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    return [[_horner(row, n) for n in range(DEPTH)] for row in rows]


def _horner(row: Sequence[int], n: int) -> int:
    value = 0
    for c in row:
        value = value * n + int(c)
    return value


def best_of(runs: int, measure: Callable[[], float]) -> float:
    """The largest of some rates: the least disturbed one."""
    return max(measure() for _ in range(runs))
