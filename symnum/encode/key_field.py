"""Arithmetic and linear algebra over the prime field of skeleton keys (`symnum.encode.keys`), in numba."""

import numpy as np
from numba import njit

from symnum.language.batch_kernels import INNER, mix

PRIME = 2147483399  # 23 mod 24, and 5 and 7 are squares modulo it
POINTS = 32  # entries of a vector: the values of a function at random points
P, TWO = np.uint64(PRIME), np.uint64(2)
HALF = np.uint64(PRIME // 2)
ROOT = np.uint64((PRIME + 1) // 4)
THIRD = pow(3, -1, PRIME - 1)


@njit(**INNER)
def oracle(tag, a):
    """A fixed random element of the field, not 0, for a tag and an argument."""
    return mix(mix(np.uint64(tag)) ^ np.uint64(a)) % (P - np.uint64(1)) + np.uint64(1)


@njit(**INNER)
def raised(a, n):
    """a^n in the field."""
    result, n = np.uint64(1), np.uint64(n)
    while n > np.uint64(0):
        if n & np.uint64(1):
            result = result * a % P
        a = a * a % P
        n >>= np.uint64(1)
    return result


@njit(**INNER)
def whole_power(a, n):
    """a^n for a whole n of either sign; 0 where a is 0 and n is not positive."""
    if n >= 0:
        return raised(a, n)
    return raised(raised(a, P - TWO), -n)


@njit(**INNER)
def positive(a):
    """The one of a and -a that is a square."""
    return a if a == np.uint64(0) or raised(a, HALF) == np.uint64(1) else P - a


@njit(**INNER)
def echelon(S, rows):
    """Reduced row echelon form of the first `rows` rows, in place; the rank."""
    rank = 0
    for column in range(POINTS):
        at = rank
        while at < rows and S[at, column] == np.uint64(0):
            at += 1
        if at == rows:
            continue
        inverse = raised(S[at, column], P - TWO)
        for j in range(POINTS):
            S[at, j], S[rank, j] = S[rank, j], S[at, j] * inverse % P
        for i in range(rows):
            if i != rank and S[i, column] != np.uint64(0):
                factor = P - S[i, column]
                for j in range(column, POINTS):
                    S[i, j] = (S[i, j] + factor * S[rank, j]) % P
        rank += 1
        if rank == rows:
            break
    return rank


@njit(**INNER)
def reduce(b, S, rank):
    """Subtract from b what lies in the span of S, in place; whether anything is left."""
    for i in range(rank):
        pivot = 0
        while S[i, pivot] == np.uint64(0):
            pivot += 1
        if b[pivot] != np.uint64(0):
            factor = P - b[pivot]
            for j in range(pivot, POINTS):
                b[j] = (b[j] + factor * S[i, j]) % P
    return first(b) >= 0


@njit(**INNER)
def first(b):
    """The place of the first entry that is not 0, or -1."""
    for j in range(POINTS):
        if b[j] != np.uint64(0):
            return j
    return -1


@njit(**INNER)
def fingerprint(b, S, rank):
    """A hash of the family b + span(S)."""
    h = np.uint64(rank)
    for j in range(POINTS):
        h = mix(h ^ b[j])
    for i in range(rank):
        for j in range(POINTS):
            h = mix(h ^ S[i, j])
    return h
