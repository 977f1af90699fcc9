"""Exact convergents of many polynomial continued fractions at once, and how much of numerator and denominator cancels.

p_n and q_n grow to thousands of bits. They are held as limbs in two's complement, the fractions side by side in lanes so that the
compiler's vector unit does several at a time; the greatest common divisors are then taken by flint.
"""

import math

import numpy as np
from flint import fmpz
from numba import njit

LANES = 8  # fractions per kernel call: eight 64-bit numbers fill a vector register
LIMBS = 40, 32  # bits of a limb: the widest is taken whose products stay within 63 bits, and that is wider than a term
Pair = tuple[int, int]


def convergents(a: np.ndarray, b: np.ndarray, depths: tuple[int, ...]) -> list[list[Pair]]:
    """p_n and q_n, exactly, of every fraction at every depth.

    Args:
        a, b: (P, k) integer coefficients, from the highest power of n down.
        depths: ascending, at least 1.

    Returns:
        By fraction, by depth: (p_n, q_n), not reduced: p_0 = a(0), q_0 = 1.

    Raises:
        ValueError: depths that do not ascend from 1 on, or terms too large for the kernel (above 2^29).

    >>> convergents(np.array([[1, 3]]), np.array([[-1, 0]]), (1, 2))
    [[(11, 4), (49, 18)]]
    """
    if not depths or depths[0] < 1 or any(m >= n for m, n in zip(depths, depths[1:], strict=False)):
        msg = f"ascending depths from 1 on were required, got {depths}"
        raise ValueError(msg)
    largest = [np.abs(c).astype(float) @ float(depths[-1]) ** np.arange(c.shape[1] - 1, -1, -1) for c in (a, b)]
    bits = math.ceil(math.log2(max(float(np.max(sum(largest), initial=1.0)), 2.0)))
    limb = next((k for k in LIMBS if k + bits < 62), None)
    if limb is None:
        msg = f"terms a(n), b(n) below 2^29 were required, got {bits} bits at n = {depths[-1]}; smaller depths have smaller terms"
        raise ValueError(msg)
    capacity = math.ceil(depths[-1] * (bits + 1) / limb) + 3
    found = []
    for first in range(0, len(a), LANES):
        lanes = np.minimum(np.arange(first, first + LANES), len(a) - 1)  # the last block is filled with copies
        limbs, sizes = _limbs(a[lanes].astype(np.int64), b[lanes].astype(np.int64), np.array(depths), limb, capacity)
        by_depth = [_integers(limbs[i, :, :size], limb // 8) for i, size in enumerate(sizes)]
        found += [[pairs[lane] for pairs in by_depth] for lane in range(min(LANES, len(a) - first))]
    return found


def log_gcd(a: np.ndarray, b: np.ndarray, depths: tuple[int, ...]) -> np.ndarray:
    """(P, depths) natural logarithms of gcd(p_n, q_n); arguments as for `convergents`.

    >>> log_gcd(np.array([[1, 3]]), np.array([[-1, 0]]), (2, 3)).round(3).tolist()       # 49/18, 87/32 = 261/96
    [[0.0, 1.099]]
    """
    block = 64 * LANES  # of thousands of bits each: few at a time
    logs = np.empty((len(a), len(depths)))
    for first in range(0, len(a), block):
        part = slice(first, first + block)
        logs[part] = [[math.log(int(fmpz(p).gcd(fmpz(q)))) for p, q in row] for row in convergents(a[part], b[part], depths)]
    return logs


def _integers(limbs: np.ndarray, width: int) -> list[Pair]:
    """(2, limbs, lanes) -> (p, q) by lane; `width` bytes of a limb count, the top one carries the sign."""
    size = limbs.shape[1] * width
    parts = np.ascontiguousarray(limbs.transpose(2, 0, 1)).astype("<i8", copy=False).view(np.uint8)
    text = parts.reshape(limbs.shape[2], 2, limbs.shape[1], 8)[..., :width].tobytes()
    numbers = [int.from_bytes(text[i:i + size], "little", signed=True) for i in range(0, len(text), size)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


@njit(cache=True, error_model="numpy")
def _limbs(a, b, depths, bits, capacity):
    """u_n = a(n) u_{n−1} + b(n) u_{n−2} for u = p and u = q at the depths: (depths, 2, limbs, lanes), and limbs used by depth.

    All limbs but the top one are in [0, 2^bits); the top one is signed and small enough to be split when it grows. The new value is
    written over the one two steps back.
    """
    lanes = len(a)
    found = np.zeros((len(depths), 2, capacity, lanes), np.int64)
    sizes = np.zeros(len(depths), np.int64)
    u = np.zeros((2, 2, capacity, lanes), np.int64)  # parity of n, then p and q
    u[0, 0, 0], u[0, 1, 0], u[1, 0, 0] = a[:, -1], 1, 1
    mask, half = (np.int64(1) << bits) - 1, np.int64(1) << (bits - 1)
    x, y, carry = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
    size, following = 1, 0
    for n in range(1, depths[-1] + 1):
        for lane in range(lanes):
            s = t = np.int64(0)
            for k in range(a.shape[1]):
                s = s * n + a[lane, k]
            for k in range(b.shape[1]):
                t = t * n + b[lane, k]
            x[lane], y[lane] = s, t
        full = False
        for r in range(2):
            now, before = u[(n - 1) % 2, r], u[n % 2, r]
            carry[:] = 0
            for i in range(size - 1):
                for lane in range(lanes):
                    total = x[lane] * now[i, lane] + y[lane] * before[i, lane] + carry[lane]
                    before[i, lane] = total & mask
                    carry[lane] = total >> bits
            for lane in range(lanes):
                total = x[lane] * now[size - 1, lane] + y[lane] * before[size - 1, lane] + carry[lane]
                before[size - 1, lane] = total
                full |= total >= half or total < -half
        if full:
            for lane in range(lanes):
                for parity in range(2):
                    for r in range(2):
                        total = u[parity, r, size - 1, lane]
                        u[parity, r, size - 1, lane], u[parity, r, size, lane] = total & mask, total >> bits
            size += 1
        if n == depths[following]:
            found[following, :, :size] = u[n % 2, :, :size]
            sizes[following] = size
            following += 1
    return found, sizes
