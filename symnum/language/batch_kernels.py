"""The loops of `Batch` in numba: subtree sizes, splice, hashes. Arrays in, arrays out; no python per expression.

Hash mixing is splitmix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195).
"""

import numpy as np
from numba import njit

from symnum.language.ops import CONST, VAR

# options of kernels that allocate nothing (no reference counts: half the compile time), and of those below that only
# kernels call (no wrappers for Python either)
KERNEL = {"cache": True, "nogil": True, "_nrt": False, "error_model": "numpy"}
INNER = {"_nrt": False, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


@njit(**KERNEL)
def subtree_sizes(code, offset, arity, size):
    """Write the subtree size of every token."""
    for p in range(len(offset) - 1):
        for t in range(offset[p], offset[p + 1]):
            size[t] = 1
            child = t - 1
            for _ in range(arity[code[t]]):
                size[t] += size[child]
                child -= size[child]


@njit(cache=True, nogil=True)
def splice(host, host_size, at, donor, donor_size, subtree):
    code, arg, value, offset = host
    d_code, d_arg, d_value, d_offset = donor
    count = len(offset) - 1
    new_offset = np.zeros(count + 1, np.int64)
    for p in range(count):
        grow = donor_size[d_offset[p] + subtree[p]] - host_size[offset[p] + at[p]]
        new_offset[p + 1] = new_offset[p] + offset[p + 1] - offset[p] + grow
    total = new_offset[count]
    new_code, new_arg = np.empty(total, np.uint8), np.empty(total, np.int32)
    new_value = np.empty(total, np.float64)
    for p in range(count):
        root, d_root = offset[p] + at[p], d_offset[p] + subtree[p]
        first, d_first = root - host_size[root] + 1, d_root - donor_size[d_root] + 1
        w = new_offset[p]
        for t in range(offset[p], first):
            new_code[w], new_arg[w], new_value[w] = code[t], arg[t], value[t]
            w += 1
        for t in range(d_first, d_root + 1):
            new_code[w], new_arg[w], new_value[w] = d_code[t], d_arg[t], d_value[t]
            w += 1
        for t in range(root + 1, offset[p + 1]):
            new_code[w], new_arg[w], new_value[w] = code[t], arg[t], value[t]
            w += 1
    return new_code, new_arg, new_value, new_offset


@njit(**INNER)
def mix(x):
    """splitmix64's finaliser: a bijection of uint64 that scatters near inputs."""
    x = np.uint64(x) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(**KERNEL)
def skeleton_hashes(code, arg, bits, offset, arity, commutes, with_constants, stack, out):
    """Write a hash per expression; `bits` are the constants' float64 bits, `stack` has room for the longest expression."""
    for p in range(len(offset) - 1):
        top = 0
        for t in range(offset[p], offset[p + 1]):
            c = code[t]
            h = mix(np.uint64(c))
            if arity[c] == 0:
                if c == VAR:
                    h = mix(h ^ np.uint64(arg[t]))
                elif with_constants or c != CONST:
                    h = mix(h ^ bits[t])
                stack[top] = h
                top += 1
            elif arity[c] == 1:
                stack[top - 1] = mix(h ^ stack[top - 1])
            else:
                a, b = stack[top - 2], stack[top - 1]
                if commutes[c] and b < a:
                    a, b = b, a
                top -= 1
                stack[top - 1] = mix(mix(h ^ a) ^ (b * np.uint64(3)))
        out[p] = stack[0]
