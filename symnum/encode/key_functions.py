"""Functions of families of vectors (`symnum.encode.keys`), in numba: what is known of each is which free constants it takes out."""

import numpy as np
from numba import njit

from symnum.encode.key_families import (
    DENOMINATOR,
    EXP,
    FREE,
    NUMERATOR,
    POWER,
    RANK,
    SCALED,
    UNIT,
    VALID,
    clear,
    common,
    lowest,
    multiply,
    push,
    reopen,
    restrict,
    settle,
)
from symnum.encode.key_field import HALF, POINTS, TWO, P, echelon, fingerprint, first, oracle, positive, raised, reduce
from symnum.language.batch_kernels import INNER, mix
from symnum.language.ops import OPS

LOG, SIN, COS, ABS = (OPS[name].code for name in ("log", "sin", "cos", "abs"))


@njit(**INNER)
def is_constant(d, desk):
    """Whether a settled entry is any number."""
    b, S, info = desk[3], desk[4], desk[5]
    if info[d, RANK] != 1 or first(b[d]) >= 0:
        return False
    for j in range(POINTS):
        if S[d, 0, j] != np.uint64((info[d, VALID] >> j) & 1):
            return False
    return True


@njit(**INNER)
def quotient(d, desk):
    """Leave constants out of a settled family; whether a free one was among them."""
    b, S, info = desk[3], desk[4], desk[5]
    rank = info[d, RANK]
    for j in range(POINTS):
        S[d, rank, j] = np.uint64((info[d, VALID] >> j) & 1)
    for i in range(rank):  # is 1 in the span? reduce a copy of it
        pivot = first(S[d, i])
        factor = P - S[d, rank, pivot] if S[d, rank, pivot] else np.uint64(0)
        for j in range(POINTS):
            S[d, rank, j] = (S[d, rank, j] + factor * S[d, i, j]) % P
    if rank == 0 or first(S[d, rank]) >= 0:
        return False
    start = lowest(d, desk)
    for i in range(rank):
        low = P - S[d, i, start]
        for j in range(POINTS):
            S[d, i, j] = (S[d, i, j] + low) % P
    low = P - b[d, start]
    for j in range(POINTS):
        b[d, j] = (b[d, j] + low) % P
    restrict(d, desk)
    info[d, RANK] = echelon(S[d], rank)
    reduce(b[d], S[d], info[d, RANK])
    return True


@njit(**INNER)
def negate_if_low(b):
    """Give b the sign of which the first entry is small; whether it was turned."""
    at = first(b)
    if at < 0 or b[at] <= HALF:
        return False
    for j in range(POINTS):
        b[j] = (P - b[j]) % P
    return True


@njit(**INNER)
def logarithm(v, start, whole):
    """log of values, in place; up to a constant if not `whole`. log(1/a) is -log(a), and of c*a and a the differences are the same."""
    low = raised(v[start], P - TWO)
    constant = minus_if_inverse(v[start]) if whole else np.uint64(0)
    for j in range(POINTS):
        v[j] = (minus_if_inverse(v[j] * low % P) + constant) % P


@njit(**INNER)
def minus_if_inverse(a):
    """A random element for a, its negative for 1/a, 0 for 1."""
    inverse = raised(a, P - TWO)
    if a == inverse:
        return np.uint64(0) if a == np.uint64(1) else oracle(LOG, a)
    return oracle(LOG, a) if a < inverse else P - oracle(LOG, inverse)


@njit(**INNER)
def function(d, op, parity, desk, uses):
    """Entry d becomes a function of it; `parity` is 1 for even, -1 for odd functions."""
    E, Q, X, b, S, info, _, _ = desk
    info[d, NUMERATOR], info[d, DENOMINATOR] = 0, 0
    if not info[d, FREE]:
        if op == LOG:
            plain = True  # log(exp(a)) is a
            for j in range(POINTS):
                plain &= E[d, j] == np.uint64(1) and Q[d, j] == np.uint64(1)
            if plain:
                for j in range(POINTS):
                    E[d, j], X[d, j] = X[d, j], np.uint64(0)
                return
        settle(d, desk, uses)
        reopen(d, desk)
        if op == LOG:
            logarithm(E[d], lowest(d, desk), True)
            return
        for j in range(POINTS):
            a = E[d, j]
            if op == EXP:
                E[d, j], X[d, j] = np.uint64(1), a
            elif op == ABS:
                E[d, j] = positive(a)
            elif op == COS and a == np.uint64(0):
                E[d, j] = np.uint64(1)
            elif parity and a > HALF:
                E[d, j] = oracle(op, P - a) if parity > 0 else P - oracle(op, P - a)
            else:
                E[d, j] = np.uint64(0) if parity < 0 and a == np.uint64(0) else oracle(op, a)
        return
    settle(d, desk, uses)
    cone = first(b[d]) < 0
    if is_constant(d, desk):
        clear(d, desk)
        info[d, FREE] = info[d, SCALED] = 1
        return
    if op == ABS and cone and info[d, RANK] == 1:
        for j in range(POINTS):
            E[d, j] = positive(S[d, 0, j])
        info[d, RANK], info[d, SCALED] = -1, 1
        return
    if op == LOG and cone and info[d, RANK] == 1:  # log(c*a) is log(a) + c
        logarithm(S[d, 0], lowest(d, desk), False)
        for j in range(POINTS):
            b[d, j], S[d, 0, j] = S[d, 0, j], np.uint64(1)
        restrict(d, desk)
        reduce(b[d], S[d], 1)
        return
    shifted = (op == EXP or op == SIN or op == COS) and quotient(d, desk)
    if shifted and op == COS:
        op = SIN
    if shifted and op == EXP and info[d, RANK] == 0:
        for j in range(POINTS):
            X[d, j], b[d, j] = b[d, j], np.uint64(0)
        info[d, RANK], info[d, SCALED] = -1, 1
        return
    turned = False
    if parity or op == EXP:
        turned = negate_if_low(b[d])
    h = mix(np.uint64(op) ^ fingerprint(b[d], S[d], info[d, RANK]))
    negative = turned and parity < 0 and not shifted
    clear(d, desk)
    info[d, FREE] = 1
    info[d, SCALED] = 1 if shifted and op == EXP else 0
    if negative:
        for j in range(POINTS):
            E[d, j] = P - np.uint64(1)
    push(d, h, h, -UNIT if turned and op == EXP else UNIT, desk)
    if op == LOG and cone:
        settle(d, desk, uses)
        for j in range(POINTS):
            S[d, 0, j] = np.uint64(1)
        info[d, RANK] = 1
        reduce(b[d], S[d], 1)


@njit(**INNER)
def binary(d, op, commutes, desk, uses):
    """Entry d becomes an operator's value of it and entry d + 1 (powers of numbers aside)."""
    E, b, S, info = desk[0], desk[3], desk[4], desk[5]
    settle(d, desk, uses)
    settle(d + 1, desk, uses)
    info[d, NUMERATOR], info[d, DENOMINATOR] = 0, 0
    if not info[d, FREE] and not info[d + 1, FREE]:
        reopen(d, desk)
        info[d, VALID] = common(info[d, VALID], info[d + 1, VALID])
        for j in range(POINTS):
            one, two = E[d, j], b[d + 1, j]
            if commutes and two < one:
                one, two = two, one
            E[d, j] = one if one == two and commutes else oracle(mix(np.uint64(op) ^ mix(one)), two)
        return
    one, two = is_constant(d, desk), is_constant(d + 1, desk)
    scaled = op == POWER and two and info[d, RANK] == 1 and first(b[d]) < 0
    h, g = fingerprint(b[d], S[d], info[d, RANK]), fingerprint(b[d + 1], S[d + 1], info[d + 1, RANK])
    if commutes and g < h:
        h, g = g, h
    h = mix(mix(np.uint64(op) ^ h) ^ (g * np.uint64(3)))
    clear(d, desk)
    info[d, FREE] = 1
    if one and two:
        info[d, SCALED] = 1
        return
    info[d, SCALED] = 1 if scaled else 0
    push(d, h, h, UNIT, desk)


@njit(**INNER)
def power(d, desk, uses):
    """Entry d to the power of entry d + 1, which is no rational number; c^a is exp(c*a), exp(a)^b is exp(a*b)."""
    E, Q, X, _, _, info, _, _ = desk
    free = info[d, FREE]
    exponential_base = not free
    for j in range(POINTS):
        exponential_base &= E[d, j] == np.uint64(1) and Q[d, j] == np.uint64(1) and X[d, j] != np.uint64(0)
    if exponential_base:
        for j in range(POINTS):
            E[d, j], X[d, j] = X[d, j], np.uint64(0)
        multiply(d, desk)
        function(d, EXP, 0, desk, uses)
        return
    if free:
        settle(d, desk, uses)
        free = is_constant(d, desk)
    if free and info[d + 1, FREE] == 0:
        clear(d, desk)
        info[d, FREE] = info[d, SCALED] = 1
        multiply(d, desk)
        function(d, EXP, 0, desk, uses)
    else:
        binary(d, POWER, False, desk, uses)
