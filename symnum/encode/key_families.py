"""Sums, products and powers of skeletons as families of vectors (`symnum.encode.keys`), in numba.

An entry of the stack is E * sqrt(Q) * exp(X) * (a free scale) * factors^exponents * (b + span(S)): what is multiplied stays apart until
a sum or a function needs the whole (`settle`), so that the order of multiplications does not matter.
"""

import numpy as np
from numba import njit

from symnum.encode.key_field import (
    HALF,
    POINTS,
    PRIME,
    ROOT,
    THIRD,
    TWO,
    P,
    echelon,
    fingerprint,
    first,
    oracle,
    raised,
    reduce,
    whole_power,
)
from symnum.language.batch_kernels import INNER, mix
from symnum.language.ops import OPS

LEAST_POINTS = 8  # points are left out where a square root is not defined, but so many are kept
FACTORS = 16  # factors with free constants in one product
UNIT = 144  # exponents of factors are kept in units of 1/144
ALL = (1 << POINTS) - 1
EXP, POWER = OPS["exp"].code, OPS["power"].code


@njit(**INNER)
def clear(d, desk):
    """The number 1."""
    E, Q, X, b, _, info, _, _ = desk
    for j in range(POINTS):
        E[d, j] = Q[d, j] = np.uint64(1)
        X[d, j] = b[d, j] = np.uint64(0)
    info[d, RANK], info[d, COUNT], info[d, SCALED], info[d, FREE], info[d, NUMERATOR], info[d, DENOMINATOR] = -1, 0, 0, 0, 0, 0
    info[d, VALID] = ALL


# columns of `info`; a rank of -1: no sum; a denominator of 0: no number; VALID: bits of the points that are not left out
RANK, COUNT, SCALED, FREE, NUMERATOR, DENOMINATOR, VALID = range(7)


@njit(**INNER)
def flatten(d, desk):
    """Work out the square root in an entry; points where it has no value are left out, unless too few would remain."""
    E, Q, info = desk[0], desk[1], desk[5]
    valid, count = 0, 0
    for j in range(POINTS):
        if Q[d, j] == np.uint64(0) or raised(Q[d, j], HALF) == np.uint64(1):
            valid |= 1 << j
            count += (info[d, VALID] >> j) & 1
    for j in range(POINTS):
        if Q[d, j] != np.uint64(1):
            E[d, j], Q[d, j] = E[d, j] * raised(Q[d, j], ROOT) % P, np.uint64(1)
    if count >= LEAST_POINTS:
        info[d, VALID] &= valid


@njit(**INNER)
def restrict(d, desk):
    """Zeros at the points that are left out of a family."""
    b, S, info = desk[3], desk[4], desk[5]
    if info[d, VALID] != ALL:
        for j in range(POINTS):
            if not (info[d, VALID] >> j) & 1:
                b[d, j] = np.uint64(0)
                for i in range(info[d, RANK]):
                    S[d, i, j] = np.uint64(0)


@njit(**INNER)
def common(one, two):
    """The points that neither of two entries leaves out; all of them where these would be too few."""
    both, count = one & two, 0
    for j in range(POINTS):
        count += (both >> j) & 1
    return both if count >= LEAST_POINTS else ALL


@njit(**INNER)
def lowest(d, desk):
    """The first point that is not left out."""
    j = 0
    while not (desk[5][d, VALID] >> j) & 1:
        j += 1
    return j


@njit(**INNER)
def push(d, affine, projective, exponent, desk):
    """One more factor."""
    info, factor, exponents = desk[5], desk[6], desk[7]
    n = min(info[d, COUNT], FACTORS - 1)
    factor[d, n, 0], factor[d, n, 1], exponents[d, n] = affine, projective, exponent
    info[d, COUNT] = n + 1


@njit(**INNER)
def absorb(d, desk):
    """Turn the sum of an entry into a factor: it is no longer multiplied out."""
    E, b, S, info = desk[0], desk[3], desk[4], desk[5]
    rank = info[d, RANK]
    at = first(b[d])
    if at >= 0:
        scale = b[d, at]
        inverse = raised(scale, P - TWO)
        for j in range(POINTS):
            b[d, j] = b[d, j] * inverse % P
            E[d, j] = E[d, j] * scale % P
        affine = fingerprint(b[d], S[d], rank)
        for j in range(POINTS):
            S[d, rank, j], b[d, j] = b[d, j], np.uint64(0)
        rank = echelon(S[d], rank + 1)
        projective = fingerprint(b[d], S[d], rank)
    else:
        info[d, SCALED] = 1
        affine = projective = fingerprint(b[d], S[d], rank)
    info[d, RANK] = -1
    push(d, affine, projective, UNIT, desk)


@njit(**INNER)
def occurrence(h, seen, count, total, backward):
    """Which use of a factor this is: equal skeletons hold different constants. Counted from the last one if `backward`."""
    at = 0
    while at < len(seen) - 1 and seen[at] != h and seen[at] != np.uint64(0):
        at += 1
    if seen[at] != h:
        seen[at], count[at] = h, 0
    count[at] += 1
    return total[at] - count[at] if backward and total[at] >= count[at] else count[at] - 1


@njit(**INNER)
def settle(d, desk, uses):
    """Write an entry as a family b + span(S) alone."""
    E, Q, X, b, S, info, factor, exponents = desk
    seen, count, total, backward = uses
    if info[d, RANK] >= 0 and info[d, COUNT] > 0:
        absorb(d, desk)
    rooted = False
    for j in range(POINTS):
        rooted |= Q[d, j] != np.uint64(1)
    if rooted:
        flatten(d, desk)
    if info[d, SCALED]:  # exp(a + c) is exp(a) up to a factor
        low = P - X[d, lowest(d, desk)]
        for j in range(POINTS):
            X[d, j] = (X[d, j] + low) % P
    for j in range(POINTS):
        v = E[d, j]
        if X[d, j] != np.uint64(0):
            v = v * exponential(X[d, j]) % P
        E[d, j], X[d, j] = v, np.uint64(0)
    for i in range(info[d, COUNT]):
        h = mix(factor[d, i, info[d, SCALED]] ^ np.uint64(exponents[d, i]))
        h = mix(h ^ np.uint64(occurrence(h, seen, count, total, backward)))
        for j in range(POINTS):
            E[d, j] = E[d, j] * oracle(h, j) % P
    rank = info[d, RANK]
    if rank < 0:
        rank = 0
        for j in range(POINTS):
            b[d, j] = E[d, j]
    else:
        for j in range(POINTS):
            b[d, j] = b[d, j] * E[d, j] % P
            for i in range(rank):
                S[d, i, j] = S[d, i, j] * E[d, j] % P
    if info[d, SCALED] and first(b[d]) >= 0:
        for j in range(POINTS):
            S[d, rank, j], b[d, j] = b[d, j], np.uint64(0)
        rank += 1
    info[d, RANK] = rank
    restrict(d, desk)
    rank = echelon(S[d], rank)
    reduce(b[d], S[d], rank)
    for j in range(POINTS):
        E[d, j] = np.uint64(1)
    info[d, RANK], info[d, COUNT], info[d, SCALED] = rank, 0, 0


@njit(**INNER)
def exponential(a):
    """exp in the field: exp(-a) is 1/exp(a)."""
    if a > HALF:
        return raised(oracle(EXP, P - a), P - TWO)
    return oracle(EXP, a)


@njit(**INNER)
def reopen(d, desk):
    """A settled entry without free constants as the exact value that it is."""
    E, b, info = desk[0], desk[3], desk[5]
    if not info[d, FREE]:
        for j in range(POINTS):
            E[d, j], b[d, j] = b[d, j], np.uint64(0)
        info[d, RANK] = -1


@njit(**INNER)
def add(d, negative, desk, uses):
    """Entry d becomes its sum with (or difference from) entry d + 1."""
    b, S, info = desk[3], desk[4], desk[5]
    p, q, r, s = info[d, NUMERATOR], info[d, DENOMINATOR], info[d + 1, NUMERATOR], info[d + 1, DENOMINATOR]
    settle(d, desk, uses)
    settle(d + 1, desk, uses)
    rank, more = info[d, RANK], info[d + 1, RANK]
    for j in range(POINTS):
        other = b[d + 1, j]
        b[d, j] = (b[d, j] + (P - other if negative else other)) % P
        for i in range(more):
            S[d, rank + i, j] = S[d + 1, i, j]
    info[d, RANK] = rank + more
    info[d, VALID] = common(info[d, VALID], info[d + 1, VALID])
    restrict(d, desk)
    info[d, RANK] = echelon(S[d], rank + more)
    reduce(b[d], S[d], info[d, RANK])
    info[d, FREE] |= info[d + 1, FREE]
    reopen(d, desk)
    rational(d, p * s + (-r * q if negative else r * q), q * s, desk)


@njit(**INNER)
def rational(d, numerator, denominator, desk):
    """Note that an entry is a number, where it is a small one."""
    info = desk[5]
    info[d, NUMERATOR], info[d, DENOMINATOR] = 0, 0
    if denominator != 0 and abs(numerator) < 1000000 and abs(denominator) < 1000000:
        a, c = abs(numerator), abs(denominator)
        while c:
            a, c = c, a % c
        sign = 1 if denominator > 0 else -1
        info[d, NUMERATOR], info[d, DENOMINATOR] = sign * numerator // a, sign * denominator // a


@njit(**INNER)
def multiply(d, desk):
    """Entry d becomes its product with entry d + 1."""
    E, Q, X, b, S, info, factor, exponents = desk
    if info[d, RANK] >= 0 and info[d + 1, RANK] >= 0:
        absorb(d, desk)
        absorb(d + 1, desk)
    same = True
    for j in range(POINTS):
        same &= Q[d, j] == Q[d + 1, j]
    for j in range(POINTS):
        E[d, j] = E[d, j] * E[d + 1, j] % P
        if same:
            E[d, j], Q[d, j] = E[d, j] * Q[d, j] % P, np.uint64(1)
        else:
            Q[d, j] = Q[d, j] * Q[d + 1, j] % P
        X[d, j] = (X[d, j] + X[d + 1, j]) % P
    if info[d + 1, RANK] >= 0:
        for j in range(POINTS):
            b[d, j] = b[d + 1, j]
            for i in range(info[d + 1, RANK]):
                S[d, i, j] = S[d + 1, i, j]
        info[d, RANK] = info[d + 1, RANK]
    for i in range(info[d + 1, COUNT]):
        push(d, factor[d + 1, i, 0], factor[d + 1, i, 1], exponents[d + 1, i], desk)
    info[d, VALID] = common(info[d, VALID], info[d + 1, VALID])
    info[d, SCALED] |= info[d + 1, SCALED]
    info[d, FREE] |= info[d + 1, FREE]
    rational(d, info[d, NUMERATOR] * info[d + 1, NUMERATOR], info[d, DENOMINATOR] * info[d + 1, DENOMINATOR], desk)


@njit(**INNER)
def scale(d, p, q, desk, uses):
    """Entry d becomes its power p/q; whether it is defined (no zero is inverted)."""
    E, Q, X, b, _, info, _, exponents = desk
    if info[d, RANK] >= 0:
        absorb(d, desk)
    regular, rooted = q <= 3, False
    for i in range(info[d, COUNT]):
        regular &= exponents[d, i] * p % q == 0
    for j in range(POINTS):
        if p <= 0 and E[d, j] == np.uint64(0):
            return False
        rooted |= Q[d, j] != np.uint64(1)
    numerator, denominator = info[d, NUMERATOR], info[d, DENOMINATOR]
    if not regular:
        return general(d, mix(np.uint64(POWER * 1000003 + p) ^ mix(np.uint64(q))), desk, uses)
    if rooted and q > 1:
        flatten(d, desk)
    inverse = np.int64(1)
    if q > 1:
        inverse = np.int64(raised(np.uint64(q), P - TWO))
    share = np.uint64((p % PRIME) * inverse % PRIME)
    for j in range(POINTS):
        X[d, j] = X[d, j] * share % P
        e, r = E[d, j], Q[d, j]
        if q == 3:
            n = np.uint64((p * THIRD) % (PRIME - 1))
            E[d, j], Q[d, j] = raised(e, n), raised(r, n)
        elif q == 2:
            E[d, j], Q[d, j] = whole_power(e, p // 2), e
        elif r == np.uint64(1):
            E[d, j] = whole_power(e, p)
        else:
            E[d, j] = whole_power(e, p) * whole_power(r, p // 2) % P
            Q[d, j] = r if p % 2 else np.uint64(1)
    for i in range(info[d, COUNT]):
        exponents[d, i] = exponents[d, i] * p // q
    info[d, NUMERATOR], info[d, DENOMINATOR] = 0, 0
    if q == 1 and denominator != 0 and abs(p) <= 6 and (p > 0 or numerator != 0):
        n, m = numerator ** abs(p), denominator ** abs(p)
        rational(d, n if p > 0 else m, m if p > 0 else n, desk)
    return True


@njit(**INNER)
def general(d, tag, desk, uses):
    """Entry d becomes a function of it of which nothing is known."""
    E, b, S, info = desk[0], desk[3], desk[4], desk[5]
    settle(d, desk, uses)
    free = info[d, FREE]
    if free:
        h = mix(tag ^ fingerprint(b[d], S[d], info[d, RANK]))
        clear(d, desk)
        info[d, FREE] = 1
        push(d, h, h, UNIT, desk)
    else:
        reopen(d, desk)
        for j in range(POINTS):
            E[d, j] = oracle(tag, E[d, j])
    info[d, NUMERATOR], info[d, DENOMINATOR] = 0, 0
    return True
