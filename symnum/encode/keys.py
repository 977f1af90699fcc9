"""Keys of skeletons: one number for all formulas that are equal up to the values of their free constants.

A formula is evaluated at `POINTS` random points over a prime field, as in hash coding of algebraic expressions (W. A. Martin
1971, J. ACM 18; G. Gonnet 1984, STOC; its error: J. Schwartz 1980, doi:10.1145/322217.322225): sums,
products, quotients and whole powers are those of the field, so that every rewriting by the laws of arithmetic, expansions
included, gives the same values. A free constant is no value but a direction: a subtree stands for an affine family
b + span(S), S in reduced row echelon form, so that c*(x + c) and c*x + c have one key, and c*x*2 and c*x too.

What else is unified: square roots (the field's squares play the positive numbers: p = 3 mod 4, so that a^((p+1)/4) is
multiplicative, sqrt(x^2) is |x| and 2, 3, 5 and 7 are squares;
points at which a root is not defined are left out) and cube roots (p = 2 mod 3: a bijection); products and powers of
exponentials without free constants; constant factors and terms that exp and log turn into each other; phases, so that
sin(x + c) is cos(x + c); odd and even functions of negated arguments; functions of nothing but constants.
What is not: the addition theorems, sums of logarithms, exponentials with free constants multiplied together, common factors
of sums with free constants, products of such sums written expanded ((x + c)*(y + c) is another family than x*y + c*x + c*y + c).
Formulas of one key are equal but for collisions of 62 bits and where roots of negative values count as real.
"""

import numpy as np
from numba import njit

from symnum.encode.key_families import (
    DENOMINATOR,
    FACTORS,
    FREE,
    NUMERATOR,
    POWER,
    RANK,
    SCALED,
    add,
    clear,
    multiply,
    rational,
    scale,
    settle,
)
from symnum.encode.key_field import POINTS, PRIME, P, fingerprint, oracle
from symnum.encode.key_functions import binary, function, power
from symnum.language.batch import Batch, arities
from symnum.language.batch_kernels import INNER, KERNEL, mix
from symnum.language.ops import CONST, NUMBER, OPS, VAR, all_ops

UNDEFINED = np.uint64(1)
ADD, SUB, MUL, DIV, NEG, INV, SQUARE, CUBE, SQRT, CBRT, E = (
    OPS[name].code for name in ("add", "sub", "mul", "div", "neg", "inv", "square", "cube", "sqrt", "cbrt", "e"))


@njit(**INNER)
def leaf(d, code, arg, value, rename, desk):
    """A leaf as an entry."""
    E, info = desk[0], desk[5]
    clear(d, desk)
    if code == CONST:
        info[d, FREE] = info[d, SCALED] = 1
    elif code == VAR:
        for j in range(POINTS):
            E[d, j] = oracle(1000 + rename[arg], j)
    elif code == NUMBER and value == np.floor(value) and abs(value) < 1e15:
        n = np.int64(value)
        for j in range(POINTS):
            E[d, j] = np.uint64(n % PRIME)
        rational(d, n, 1, desk)
    else:
        for j in range(POINTS):
            E[d, j] = oracle(code, np.uint64(np.int64(value * 1e9)))


@njit(**KERNEL)
def write_keys(code, arg, value, offset, arity, parity, commutes, rename, desk, table, out):
    """Write the key of every expression; `rename` (P, V) numbers the columns of each."""
    info = desk[5]
    seen, count, total = table
    for p in range(len(offset) - 1):
        for backward in range(2):
            for i in range(len(seen)):
                total[i] = count[i] if backward else 0
                if not backward:
                    seen[i] = np.uint64(0)
                count[i] = 0
            uses = seen, count, total, backward
            d, defined = -1, True
            for t in range(offset[p], offset[p + 1]):
                op = code[t]
                if arity[op] == 0:
                    d += 1
                    if op == E:  # exp(1)
                        clear(d, desk)
                        for j in range(POINTS):
                            desk[2][d, j] = np.uint64(1)
                    else:
                        leaf(d, op, arg[t], value[t], rename[p], desk)
                    continue
                if arity[op] == 2:
                    d -= 1
                if op == ADD or op == SUB:
                    add(d, op == SUB, desk, uses)
                elif op == MUL:
                    multiply(d, desk)
                elif op == DIV:
                    defined &= scale(d + 1, -1, 1, desk, uses)
                    multiply(d, desk)
                elif op == POWER and info[d + 1, DENOMINATOR] != 0 and info[d + 1, NUMERATOR] != 0:
                    defined &= scale(d, info[d + 1, NUMERATOR], info[d + 1, DENOMINATOR], desk, uses)
                elif op == POWER:
                    power(d, desk, uses)
                elif op == NEG:
                    for j in range(POINTS):
                        desk[0][d, j] = (P - desk[0][d, j]) % P
                    info[d, NUMERATOR] = -info[d, NUMERATOR]
                elif op == INV or op == SQUARE or op == CUBE:
                    defined &= scale(d, -1 if op == INV else 2 if op == SQUARE else 3, 1, desk, uses)
                elif op == SQRT or op == CBRT:
                    defined &= scale(d, 1, 2 if op == SQRT else 3, desk, uses)
                elif arity[op] == 1:
                    function(d, op, parity[op], desk, uses)
                else:
                    binary(d, op, commutes[op], desk, uses)
            settle(0, desk, uses)
            key = mix(fingerprint(desk[3][0], desk[4][0], info[0, RANK]) ^ np.uint64(info[0, FREE])) if defined else UNDEFINED
            out[p] = min(out[p], key) if backward else key
            again = False
            for i in range(len(seen)):
                again |= count[i] > 1
            if not again:
                break


# numpy around the kernel ------------------------------------------------------------------------------------------------
def skeleton_keys(batch: Batch, rename: np.ndarray | None = None) -> np.ndarray:
    """The key of every expression, equal for formulas that are equal up to the values of their free constants.

    Args:
        batch: P expressions.
        rename: (P, V) int64, the number that each column stands for; None: its own.

    Returns:
        (P,) uint64. What the equality of keys means is in the module's docstring.

    >>> from symnum.language.expr import Expr
    >>> texts = ("1.5*(x + 2.0)", "3.5 + x*0.5", "(x + y)^2", "x^2 + 2*x*y + y*y", "x")
    >>> keys = skeleton_keys(Batch.pack([Expr.parse(t) for t in texts], ["x", "y"]))
    >>> keys[0] == keys[1], keys[2] == keys[3], len(set(keys.tolist()))
    (np.True_, np.True_, 3)
    """
    longest = int(batch.lengths.max(initial=1))
    depth = longest // 2 + 2
    vectors = tuple(np.zeros((depth, POINTS), np.uint64) for _ in range(4))
    desk = (*vectors, np.zeros((depth, 2 * POINTS + 1, POINTS), np.uint64), np.zeros((depth, 7), np.int64),
            np.zeros((depth, FACTORS, 2), np.uint64), np.zeros((depth, FACTORS), np.int64))
    table = np.zeros(longest + 1, np.uint64), np.zeros(longest + 1, np.int64), np.zeros(longest + 1, np.int64)
    if rename is None:
        rename = np.broadcast_to(np.arange(len(batch.names)), (len(batch), len(batch.names)))
    out = np.empty(len(batch), np.uint64)
    rename = np.ascontiguousarray(rename, np.int64)
    write_keys(batch.code, batch.arg, batch.value, batch.offset, arities(), *_laws(), rename, desk, table, out)
    return out


def _laws() -> tuple[np.ndarray, np.ndarray]:
    """Parity (1 even, -1 odd) and commutativity by code."""
    parity, commutes = np.zeros(256, np.int64), np.zeros(256, np.bool_)
    for op in all_ops():
        parity[op.code] = ("even" in op.laws) - ("odd" in op.laws)
        commutes[op.code] = "commutative" in op.laws
    return parity, commutes
