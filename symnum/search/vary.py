"""Variation of expressions in numba: crossover, mutation and hoisting as splices of postfix arrays.

Operators splice freely; the child is kept if the grammar derives it within the complexity limit (`rules.derive`), else
another attempt is made. With units, a child must be dimensionally consistent too, and subtrees are exchanged for others of
the same dimension. Each child has its own random stream, keyed by (seed, position): the result does not depend on
how the work is split.
"""

import numpy as np
from numba import njit

from symnum.language.batch import Batch, arities
from symnum.language.batch_kernels import INNER, KERNEL, mix
from symnum.language.ops import CONST, NUMBER, OPS
from symnum.language.rules import DEEPEST, Rules, derive, draw, draw_constant, grow
from symnum.language.typed import BAD, EQUAL, EXACT, POWER, TOLERANCE, WILD, Typing, infer, pure, same, unit_rules

ATTEMPTS = 8  # tries per child before a parent is copied with new constants
TYPED_ATTEMPTS = 24  # the same where most children have the wrong dimension
STRANGERS = 0.6  # share of partners, of a subtree under a new operator, that are parts
ADD, SUB, MUL, DIV, NEG = (OPS[name].code for name in ("add", "sub", "mul", "div", "neg"))

# Cumulative shares of the operators of variation.
CROSSOVER, SUBTREE, POINT, INSERT, DELETE, HOIST, CONSTANT = np.cumsum([0.30, 0.12, 0.16, 0.26, 0.08, 0.03, 0.04])


def breed(
    parents: Batch,
    first: np.ndarray,
    second: np.ndarray,
    rules: Rules,
    max_complexity: int,
    seed: int,
    typing: Typing | None = None,
    wanted: float | None = None,
    parts: Batch | None = None,
    drawn: tuple | None = None,
) -> Batch:
    """One child per pair: a variation of `parents[first[i]]`, with `parents[second[i]]` as donor in crossover.

    Children lie in the grammar at complexity at most `max_complexity`. With `typing` they are dimensionally consistent, and
    their dimension has the size `wanted` where one is given; `parts` then are donors beside the second parents, found by
    their dimension. `drawn`: leaves and operators that mutations draw from; the rules' own, each once, where None.
    """
    leaves, operators = (rules.leaf_tokens, rules.operator_codes) if drawn is None else drawn
    mates = len(parents)
    parents = parents if parts is None else Batch.concatenate([parents, parts])
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
        leaves,
        operators,
        max_complexity,
        np.uint64(seed),
        child,
        piece,
        desk,
        rules.desk(capacity, capacity),
        _dimensions(parents, mates, capacity, typing, wanted),
        (code, arg, value, offset),
    )
    end = offset[-1]
    return Batch(code[:end].copy(), arg[:end].copy(), value[:end].copy(), offset, parents.names)


def _dimensions(parents: Batch, mates: int, capacity: int, typing: Typing | None, wanted: float | None) -> tuple:
    """What the kernel needs to respect dimensions.

    (on, wanted or NaN, free); the tables; kind and dimension of the parents' subtrees, dimensions in order and root of the
    parts behind the first `mates` parents; working space.
    """
    on = typing is not None
    kind, dim = typing.tokens(parents) if on else (np.zeros(0, np.uint8), np.zeros(0))
    roots = parents.offset[1 + mates :] - 1 if on else np.zeros(0, np.int64)
    roots = roots[kind[roots] == EXACT]
    roots = roots[np.argsort(dim[roots], kind="stable")]
    columns = typing.columns if on else np.zeros(0)
    desk = (np.empty(capacity, np.int32), np.empty(capacity)), np.empty(capacity, np.uint8), np.empty(capacity)
    goal = (on, np.nan if wanted is None else float(wanted), on and typing.free)
    return goal, (*unit_rules(), columns), (kind, dim, dim[roots], roots), desk


@njit(**KERNEL)
def _breed(parents, first, second, arity, rules, leaves, operators, max_complexity, seed, child, piece, desk, chart, units, out):
    """Write the children to `out`; `child`, `piece`, `desk`, `chart` and the last of `units` are working space."""
    state, stack, whole, cost = desk
    codes, args, values, offset = out
    attempts = TYPED_ATTEMPTS if units[0][0] else ATTEMPTS
    for i in range(len(first)):
        state[0] = mix(seed ^ mix(np.uint64(i)))
        length = 0
        for attempt in range(attempts + 1):
            last = attempt == attempts
            length = attempt_child(
                parents, first[i], second[i], arity, rules, leaves, operators, max_complexity, units, state, stack, child, piece, last
            )
            if length <= 0:
                continue
            whole[1] = length
            derive(child[0], child[1], child[2], whole, arity, rules, chart, cost)
            if last or (cost[0] > 0 and cost[0] <= max_complexity and has_dimension(child, whole, arity, units)):
                break
        w = offset[i]
        for t in range(length):
            codes[w + t], args[w + t], values[w + t] = child[0][t], child[1][t], child[2][t]
        offset[i + 1] = w + length


@njit(**INNER)
def has_dimension(child, whole, arity, units):
    """Whether the child is consistent and has the dimension that is wanted."""
    (on, wanted, free), (rule, power, columns), _, (space, kind, dim) = units
    if not on:
        return True
    infer(child, whole, arity, rule, power, columns, free, space, kind, dim)
    root = whole[1] - 1
    if np.isnan(wanted) or kind[root] == WILD:
        return kind[root] != BAD
    return kind[root] == EXACT and same(wanted, dim[root])


@njit(**INNER)
def part(units, wanted, state):
    """The root of a random part of the dimension `wanted`, -1 for none."""
    dims, roots = units[2][2], units[2][3]
    low, high = 0, len(dims)
    while low < high:
        middle = (low + high) // 2
        if dims[middle] < wanted - TOLERANCE:
            low = middle + 1
        else:
            high = middle
    while high < len(dims) and dims[high] <= wanted + TOLERANCE:
        high += 1
    return roots[low + int(draw(state) * (high - low))] if high > low else -1


@njit(**INNER)
def exchangeable(units, t, u):
    """Whether two of the parents' subtrees have dimensions that allow one in the place of the other."""
    kind, dim, _, _ = units[2]
    if not units[0][0] or kind[t] == WILD or kind[u] == WILD:
        return True
    return kind[t] == kind[u] and same(dim[t], dim[u])


@njit(**INNER)
def attempt_child(parents, a, b, arity, rules, leaves, operators, max_complexity, units, state, stack, child, piece, copy):
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
        for _ in range(offset[b + 1] - offset[b] if units[0][0] else 0):
            same_leaf = arity[code[at]] == 0 and code[donor] == code[at] and arg[donor] == arg[at]
            if exchangeable(units, at, donor) and not same_leaf:
                break
            donor = donor + 1 if donor + 1 < offset[b + 1] else offset[b]
        return join(parents, start, low, at, stop, code, arg, value, span_start(code, donor, arity), donor + 1, child)
    if u < SUBTREE:
        if units[0][0] and units[2][0][at] == EXACT:
            donor = part(units, units[2][1][at], state)
            return -1 if donor < 0 else join(
                parents, start, low, at, stop, code, arg, value, span_start(code, donor, arity), donor + 1, child
            )
        slot = int(draw(state) * len(rules[8]))
        end = grow(rules, slot, 1 + int(draw(state) * 8), state, stack, piece[0], piece[1], piece[2], 0, capacity)
        return join(parents, start, low, at, stop, piece[0], piece[1], piece[2], 0, end, child) if end > 0 else -1
    if u < POINT:
        return point(parents, start, at, stop, arity, leaves, operators, state, child)
    if u < INSERT:
        end = wrap(parents, b, low, at, arity, rules, operators, units, state, stack, piece)
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
def wrap(parents, b, low, at, arity, rules, operators, units, state, stack, piece):
    """The subtree low…at as an operand of a new operator, its partner (if any) small; written to `piece`."""
    code, arg, value, _ = parents
    capacity = len(piece[0])
    if len(operators) == 0:
        return -1
    c = operators[int(draw(state) * len(operators))]
    left = draw(state) < 0.5
    w = 0
    if arity[c] == 2 and left:
        w = beside(parents, b, at, c, arity, rules, units, state, stack, piece, w)
        if w < 0:
            return -1
    if w + at + 2 - low > capacity:
        return -1
    for t in range(low, at + 1):
        piece[0][w], piece[1][w], piece[2][w] = code[t], arg[t], value[t]
        w += 1
    if arity[c] == 2 and not left:
        w = beside(parents, b, at, c, arity, rules, units, state, stack, piece, w)
    if w < 0 or w >= capacity:
        return -1
    piece[0][w], piece[1][w], piece[2][w] = c, 0, 0.0
    return w + 1


@njit(**INNER)
def beside(parents, b, at, c, arity, rules, units, state, stack, piece, w):
    """Write a partner for the subtree at `at` under the operator `c`; returns its end, or -1.

    It is grown at random; with units it is a part, or a subtree of parent `b`, of the dimension that the operator needs, if
    there is one.
    """
    code, arg, value, offset = parents
    kind, dim, _, _ = units[2]
    capacity, rule = len(piece[0]), units[1][0][c]
    if units[0][0] and rule != POWER:
        u = part(units, dim[at] if rule == EQUAL else 0.0, state) if draw(state) < STRANGERS else -1
        count = offset[b + 1] - offset[b]
        mate = offset[b] + int(draw(state) * count)
        for _ in range(count if u < 0 else 0):
            if pure(kind[mate], dim[mate]) if rule != EQUAL else exchangeable(units, at, mate):
                u = mate
                break
            mate = mate + 1 if mate + 1 < offset[b + 1] else offset[b]
        if u >= 0:
            low = span_start(code, u, arity)
            if w + u + 1 - low > capacity:
                return -1
            for t in range(low, u + 1):
                piece[0][w], piece[1][w], piece[2][w] = code[t], arg[t], value[t]
                w += 1
            return w
    slot = int(draw(state) * len(rules[8]))
    return grow(rules, slot, 1 + int(draw(state) * 4), state, stack, piece[0], piece[1], piece[2], w, capacity)


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
