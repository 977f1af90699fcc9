"""Variation of expressions in numba: crossover, mutation and hoisting as splices of postfix arrays.

Operators splice freely; the child is kept if the grammar derives it within the complexity limit (`rules.derive`), else
another attempt is made. Each child has its own random stream, keyed by (seed, position): the result does not depend on
how the work is split.
"""

import numpy as np
from numba import njit

from symnum.language.batch import Batch, arities
from symnum.language.batch_kernels import INNER, KERNEL, mix
from symnum.language.ops import CONST, NUMBER, OPS
from symnum.language.rules import DEEPEST, Rules, derive, draw, draw_constant, grow

ATTEMPTS = 8  # tries per child before a parent is copied with new constants
ADD, SUB, MUL, DIV, NEG = (OPS[name].code for name in ("add", "sub", "mul", "div", "neg"))

# Cumulative shares of the operators of variation.
CROSSOVER, SUBTREE, POINT, INSERT, DELETE, HOIST, CONSTANT = np.cumsum([0.30, 0.12, 0.16, 0.26, 0.08, 0.03, 0.04])


def breed(parents: Batch, first: np.ndarray, second: np.ndarray, rules: Rules, max_complexity: int, seed: int) -> Batch:
    """One child per pair: a variation of `parents[first[i]]`, with `parents[second[i]]` as donor in crossover.

    Children lie in the grammar at complexity at most `max_complexity`.
    """
    capacity = max(4 * max_complexity + 64, int(parents.lengths.max(initial=0)))
    n = len(first)
    code, arg, value = np.empty(n * capacity, np.uint8), np.empty(n * capacity, np.int32), np.empty(n * capacity)
    offset = np.zeros(n + 1, np.int64)
    child, piece = ((np.empty(capacity, np.uint8), np.empty(capacity, np.int32), np.empty(capacity)) for _ in range(2))
    desk = (np.zeros(1, np.uint64), np.empty((DEEPEST, 2), np.int64), np.zeros(2, np.int64), np.zeros(1, np.int64))
    _breed(
        (parents.code, parents.arg, parents.value, parents.offset),
        first,
        second,
        arities(),
        rules.arrays,
        rules.leaf_tokens,
        rules.operator_codes,
        max_complexity,
        np.uint64(seed),
        child,
        piece,
        desk,
        rules.desk(capacity, capacity),
        (code, arg, value, offset),
    )
    end = offset[-1]
    return Batch(code[:end].copy(), arg[:end].copy(), value[:end].copy(), offset, parents.names)


@njit(**KERNEL)
def _breed(parents, first, second, arity, rules, leaves, operators, max_complexity, seed, child, piece, desk, chart, out):
    """Write the children to `out`; `child`, `piece`, `desk` and `chart` are working space."""
    state, stack, whole, cost = desk
    codes, args, values, offset = out
    for i in range(len(first)):
        state[0] = mix(seed ^ mix(np.uint64(i)))
        length = 0
        for attempt in range(ATTEMPTS + 1):
            last = attempt == ATTEMPTS
            length = attempt_child(
                parents, first[i], second[i], arity, rules, leaves, operators, max_complexity, state, stack, child, piece, last
            )
            if length <= 0:
                continue
            whole[1] = length
            derive(child[0], child[1], child[2], whole, arity, rules, chart, cost)
            if last or (cost[0] > 0 and cost[0] <= max_complexity):
                break
        w = offset[i]
        for t in range(length):
            codes[w + t], args[w + t], values[w + t] = child[0][t], child[1][t], child[2][t]
        offset[i + 1] = w + length


@njit(**INNER)
def attempt_child(parents, a, b, arity, rules, leaves, operators, max_complexity, state, stack, child, piece, copy):
    """Write one variation of parent `a` to `child`; returns its length, or -1 if it does not fit."""
    code, arg, value, offset = parents
    start, stop = offset[a], offset[a + 1]
    capacity = len(child[0])
    if stop - start > capacity:
        return -1
    u = 2.0 if copy else draw(state)
    at = start + int(draw(state) * (stop - start))
    low = span_start(code, at, arity)
    if u < CROSSOVER:
        donor = offset[b] + int(draw(state) * (offset[b + 1] - offset[b]))
        return join(parents, start, low, at, stop, code, arg, value, span_start(code, donor, arity), donor + 1, child)
    if u < SUBTREE:
        slot = int(draw(state) * len(rules[8]))
        end = grow(rules, slot, 1 + int(draw(state) * 8), state, stack, piece[0], piece[1], piece[2], 0, capacity)
        return join(parents, start, low, at, stop, piece[0], piece[1], piece[2], 0, end, child) if end > 0 else -1
    if u < POINT:
        return point(parents, start, at, stop, arity, leaves, operators, state, child)
    if u < INSERT:
        end = wrap(parents, low, at, arity, rules, operators, state, stack, piece)
        return join(parents, start, low, at, stop, piece[0], piece[1], piece[2], 0, end, child) if end > 0 else -1
    if u < DELETE:  # a node gives way to one of its operands
        if arity[code[at]] == 0:
            return -1
        root = at - 1
        if arity[code[at]] == 2 and draw(state) < 0.5:
            root = span_start(code, at - 1, arity) - 1
        return join(parents, start, low, at, stop, code, arg, value, span_start(code, root, arity), root + 1, child)
    if u < HOIST:  # the subtree becomes the whole
        return join(parents, start, start, stop - 1, stop, code, arg, value, low, at + 1, child)
    if u < CONSTANT or copy:  # new constants
        for t in range(start, stop):
            child[0][t - start], child[1][t - start], child[2][t - start] = code[t], arg[t], value[t]
            if code[t] == CONST:
                child[2][t - start] = draw_constant(state) if draw(state) < 0.5 else value[t] * np.exp(draw(state) - 0.5)
        return stop - start
    return grow(rules, 0, 1 + int(draw(state) * max_complexity * 0.6), state, stack, child[0], child[1], child[2], 0, capacity)


@njit(**INNER)
def span_start(code, root, arity):
    """First token of the subtree rooted at `root`."""
    need, t = 1, root
    while need > 0:
        need += np.int64(arity[code[t]]) - 1
        t -= 1
    return t + 1


@njit(**INNER)
def join(parents, start, low, at, stop, d_code, d_arg, d_value, d_low, d_stop, child):
    """The parent with the subtree low…at replaced by the donor's tokens d_low…d_stop-1."""
    code, arg, value, _ = parents
    length = (stop - start) - (at + 1 - low) + (d_stop - d_low)
    if length > len(child[0]):
        return -1
    w = 0
    for t in range(start, low):
        child[0][w], child[1][w], child[2][w] = code[t], arg[t], value[t]
        w += 1
    for t in range(d_low, d_stop):
        child[0][w], child[1][w], child[2][w] = d_code[t], d_arg[t], d_value[t]
        w += 1
    for t in range(at + 1, stop):
        child[0][w], child[1][w], child[2][w] = code[t], arg[t], value[t]
        w += 1
    return w


@njit(**INNER)
def point(parents, start, at, stop, arity, leaves, operators, state, child):
    """Another token of the same arity at `at`; operands of a binary node may swap instead."""
    code, arg, value, _ = parents
    for t in range(start, stop):
        child[0][t - start], child[1][t - start], child[2][t - start] = code[t], arg[t], value[t]
    k = arity[code[at]]
    if k == 0:
        j = int(draw(state) * len(leaves[0]))
        child[0][at - start], child[1][at - start], child[2][at - start] = leaves[0][j], leaves[1][j], leaves[2][j]
        if leaves[0][j] == CONST:
            child[2][at - start] = draw_constant(state)
        return stop - start
    for _ in range(8):
        c = operators[int(draw(state) * len(operators))]
        if arity[c] == k and c != code[at]:
            child[0][at - start] = c
            return stop - start
    return -1


@njit(**INNER)
def wrap(parents, low, at, arity, rules, operators, state, stack, piece):
    """The subtree low…at as an operand of a new operator, its partner (if any) grown small; written to `piece`."""
    code, arg, value, _ = parents
    capacity = len(piece[0])
    if len(operators) == 0:
        return -1
    c = operators[int(draw(state) * len(operators))]
    left = draw(state) < 0.5
    w = 0
    if arity[c] == 2 and left:
        w = grow(rules, int(draw(state) * len(rules[8])), 1 + int(draw(state) * 4), state, stack, piece[0], piece[1], piece[2], 0, capacity)
        if w < 0:
            return -1
    if w + at + 2 - low > capacity:
        return -1
    for t in range(low, at + 1):
        piece[0][w], piece[1][w], piece[2][w] = code[t], arg[t], value[t]
        w += 1
    if arity[c] == 2 and not left:
        w = grow(rules, int(draw(state) * len(rules[8])), 1 + int(draw(state) * 4), state, stack, piece[0], piece[1], piece[2], w, capacity)
    if w < 0 or w >= capacity:
        return -1
    piece[0][w], piece[1][w], piece[2][w] = c, 0, 0.0
    return w + 1


# outer scale and offset -------------------------------------------------------------------------------------------------
def affine(batch: Batch, scale: bool, offset: bool) -> Batch:
    """Every f as f*c, f + c or f*c + d with new free constants."""
    tail = ([(CONST, 1.0), (MUL, 0.0)] if scale else []) + ([(CONST, 0.0), (ADD, 0.0)] if offset else [])
    ends = np.repeat(batch.offset[1:], len(tail))
    codes, values = np.array([c for c, _ in tail], np.uint8), np.array([v for _, v in tail])
    return Batch(
        np.insert(batch.code, ends, np.tile(codes, len(batch))),
        np.insert(batch.arg, ends, 0),
        np.insert(batch.value, ends, np.tile(values, len(batch))),
        batch.offset + len(tail) * np.arange(len(batch.offset)),
        batch.names,
    )


def peel(batch: Batch) -> Batch:
    """Strip outer constants: f*c, c*f, f/c, f+c, f-c, c-f and -f become f. What is left is the shape that regression sees."""
    first, last = batch.offset[:-1].copy(), batch.offset[1:].copy()
    _peel(batch.code, first, last, arities())
    lengths = last - first
    offset = np.concatenate([[0], np.cumsum(lengths)])
    tokens = np.repeat(first - offset[:-1], lengths) + np.arange(offset[-1])
    return Batch(batch.code[tokens], batch.arg[tokens], batch.value[tokens], offset, batch.names)


@njit(**KERNEL)
def _peel(code, first, last, arity):
    for p in range(len(first)):
        while last[p] - first[p] > 1:
            root = last[p] - 1
            c = code[root]
            if arity[c] == 1 and c == NEG:
                last[p] = root
                continue
            if not (c == ADD or c == SUB or c == MUL or c == DIV):
                break
            right = code[root - 1]
            if right == CONST or right == NUMBER:
                last[p] = root - 1
                continue
            left = code[first[p]]
            if c != DIV and (left == CONST or left == NUMBER) and span_start(code, root - 1, arity) == first[p] + 1:
                first[p], last[p] = first[p] + 1, root
                continue
            break
