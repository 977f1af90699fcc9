"""Skeletons of laws: random ones from the shipped grammars, their one-edit neighbours, and their keys up to names of columns.

In a skeleton the value of a free constant is its number (0, 1, 2 … in postfix order), so that a neighbour says which of the law's
constants it kept; a constant that the law does not have is `NEW`.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations, product
from math import factorial, prod

import numpy as np

from symnum.encode.keys import UNDEFINED, skeleton_keys
from symnum.language.batch import Batch, arities
from symnum.language.grammar import Grammar
from symnum.language.ops import CONST, NUMBER, OPS, VAR
from symnum.language.rules import Rules, compile_rules

GRAMMARS = {"elementary": 0.3, "physics": 0.25, "dynamics": 0.15, "rational": 0.1, "polynomial": 0.1, "trigonometric": 0.1}
NEIGHBOURS, PARTS = 0.2, 0.1  # shares of skeletons that are one edit from, or a part of, a derivation
LARGEST = 24  # complexity of a derivation at most
TYPICAL, GROWTH = 14, 5.0  # a derivation of fewer than TYPICAL tokens is kept with probability exp((tokens - TYPICAL)/GROWTH)
LONGEST = 40  # tokens
NEW = -1.0
ORDERS = 720  # orders of columns that a key up to renaming tries at most
OPERATORS = ("add", "sub", "mul", "div", "power", "neg", "inv", "square", "cube", "sqrt", "exp", "log", "sin", "cos", "tan", "asin",
             "acos", "atan", "tanh", "abs")
Tokens = list[tuple[int, int, float]]

_BY_ARITY = {n: [OPS[name].code for name in OPERATORS if OPS[name].arity == n] for n in (1, 2)}
_COMMON = [OPS[name].code for name in ("neg", "inv", "square", "sqrt", "exp", "log", "sin", "cos")]
_JOINTS = [OPS[name].code for name in ("add", "sub", "mul", "div")]


class Source:
    """Draws skeletons over given columns from a mixture of grammars.

    Args:
        names: the columns.
        grammars: shipped grammar (or path of a .g file) -> weight.

    >>> batch = Source(("x0", "x1"), {"polynomial": 1.0}).draw(np.random.default_rng(0), 5)
    >>> len(batch), int(batch.lengths.max()) <= LONGEST
    (5, True)
    """

    def __init__(self, names: tuple[str, ...], grammars: Mapping[str, float] = GRAMMARS):
        self.names = names
        self.rules = [compile_rules(Grammar.load(g), names) for g in grammars]
        weights = np.array(list(grammars.values()), float)
        if not len(weights) or not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
            msg = f"grammars with weights >= 0, not all 0, were required, got {dict(grammars)}; try {GRAMMARS}"
            raise ValueError(msg)
        self.weights = weights / weights.sum()

    def draw(self, rng: np.random.Generator, count: int) -> Batch:
        """`count` skeletons of at most LONGEST tokens that have a column."""
        out: list[Tokens] = []
        while len(out) < count:
            shares = rng.multinomial(5 * count, self.weights)
            drawn = [tokens for rules, n in zip(self.rules, shares, strict=True) for tokens in lists(derivations(rules, n, rng))]
            fate = rng.random(len(drawn))
            for tokens, f in zip(drawn, fate, strict=True):
                if f < NEIGHBOURS:
                    tokens = neighbour(tokens, len(self.names), rng)
                elif f < NEIGHBOURS + PARTS:
                    tokens = part(tokens, rng)
                tokens = collapsed(tokens)
                if 1 < len(tokens) <= LONGEST and any(t[0] == VAR for t in tokens):
                    out.append(tokens)
        return numbered(batch_of([out[i] for i in rng.permutation(len(out))[:count]], self.names))


def derivations(rules: Rules, count: int, rng: np.random.Generator) -> Batch:
    """Random derivations of complexity at most LARGEST, thinned out so that their number grows exponentially with the length.

    Returns:
        `count` of them before thinning.
    """
    batch = rules.sample(count, LARGEST, rng)
    return batch.take(rng.random(count) < np.exp((batch.lengths - TYPICAL) / GROWTH))


# lists of tokens ----------------------------------------------------------------------------------------------------------
def lists(batch: Batch) -> list[Tokens]:
    """The tokens (code, arg, value) of every expression."""
    flat = list(zip(batch.code.tolist(), batch.arg.tolist(), batch.value.tolist(), strict=True))
    edges = batch.offset.tolist()
    return [flat[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True)]


def batch_of(expressions: list[Tokens], names: tuple[str, ...]) -> Batch:
    """The batch of lists of tokens."""
    flat = [t for tokens in expressions for t in tokens]
    code, arg, value = zip(*flat, strict=True) if flat else ((), (), ())
    offset = np.cumsum([0, *map(len, expressions)], dtype=np.int64)
    return Batch(np.array(code, np.uint8), np.array(arg, np.int32), np.array(value, float), offset, names)


def numbered(batch: Batch) -> Batch:
    """The free constants of every expression numbered 0, 1, 2 …"""
    free = batch.code == CONST
    before = np.concatenate([[0], np.cumsum(free)])
    number = before[:-1] - np.repeat(before[batch.offset[:-1]], batch.lengths)
    return replace(batch, value=np.where(free, number, batch.value).astype(float))


def starts(tokens: Tokens) -> list[int]:
    """Where the subtree of every token starts."""
    arity = _ARITY
    out: list[int] = []
    for t, (code, _, _) in enumerate(tokens):
        first = t
        for _ in range(arity[code]):
            first = out[first - 1]
        out.append(first)
    return out


_ARITY = arities().tolist()


def part(tokens: Tokens, rng: np.random.Generator) -> Tokens:
    """A random proper part, operators preferred."""
    first = starts(tokens)
    inner = [t for t in range(len(tokens) - 1) if first[t] < t]
    at = inner[rng.integers(len(inner))] if inner else len(tokens) - 1
    return tokens[first[at] : at + 1]


def collapsed(tokens: Tokens) -> Tokens:
    """Every function of free constants and numbers alone as one free constant."""
    first, out, at = starts(tokens), [], []
    for t, token in enumerate(tokens):
        at.append(len(out) if first[t] == t else at[first[t]])
        out.append(token)
        piece = out[at[t] :]
        if len(piece) > 1 and all(c != VAR for c, _, _ in piece) and any(c == CONST for c, _, _ in piece):
            out[at[t] :] = [next(p for p in piece if p[0] == CONST)]
    return out


def neighbour(tokens: Tokens, columns: int, rng: np.random.Generator) -> Tokens:
    """One random edit: an operator, column or number exchanged, a term or function dropped, a term, factor or function put in.

    >>> x = [(VAR, 0, 0.0)]
    >>> neighbour(x, 3, np.random.default_rng(0)) != x
    True
    """
    first = starts(tokens)
    while True:
        at, choice = int(rng.integers(len(tokens))), rng.random()
        code, arg, value = tokens[at]
        low, arity = first[at], _ARITY[code]
        before, here, after = tokens[:low], tokens[low : at + 1], tokens[at + 1 :]
        if choice < 0.45:
            new = _exchanged(tokens[at], arity, columns, rng)
            if new is None:
                continue
            here = [*here[:-1], new]
        elif choice < 0.7:
            if arity == 0:
                continue
            middle = first[at - 1]
            operands = [tokens[low:middle], tokens[middle:at]] if arity == 2 else [tokens[low:at]]
            here = operands[rng.integers(len(operands))]
        elif choice < 0.85:
            other = (VAR, int(rng.integers(columns)), 0.0) if rng.random() < 0.75 else (CONST, 0, NEW)
            here = [*here, other, (int(rng.choice(_JOINTS)), 0, 0.0)]
        else:
            here = [*here, (int(rng.choice(_COMMON)), 0, 0.0)]
        return [*before, *here, *after]


def _exchanged(token: tuple[int, int, float], arity: int, columns: int, rng: np.random.Generator) -> tuple[int, int, float] | None:
    """Another token of the same arity; None where this kind of token has none."""
    code, arg, value = token
    if arity:
        others = [c for c in (_JOINTS if code in _JOINTS else _BY_ARITY[arity]) if c != code]
        return int(rng.choice(others)), 0, 0.0
    if code == VAR:
        if columns == 1:
            return CONST, 0, NEW
        return VAR, int(arg + rng.integers(1, columns)) % columns, 0.0
    if code == NUMBER:
        return NUMBER, 0, value + (1.0 if rng.random() < 0.5 or value == 1 else -1.0)
    return VAR, int(rng.integers(columns)), 0.0


# keys -------------------------------------------------------------------------------------------------------------------
def variants(batch: Batch, index: np.ndarray) -> tuple[Batch, np.ndarray]:
    """Expressions taken several times, and the columns' own numbers for each, to be changed."""
    return batch.take(index), np.tile(np.arange(len(batch.names)), (len(index), 1))


def uses(batch: Batch) -> np.ndarray:
    """Columns that are written in each expression (P, V)."""
    out = np.zeros((len(batch), len(batch.names)), bool)
    at = np.flatnonzero(batch.code == VAR)
    out[np.repeat(np.arange(len(batch)), batch.lengths)[at], batch.arg[at]] = True
    return out


def depends(batch: Batch, keys: np.ndarray) -> np.ndarray:
    """Columns (P, V) that each expression depends on: calling one otherwise changes its key."""
    out = uses(batch)
    row, column = np.nonzero(out)
    again, rename = variants(batch, row)
    rename[np.arange(len(row)), column] = len(batch.names)
    out[row, column] = skeleton_keys(again, rename) != keys[row]
    return out


def redundant(batch: Batch, keys: np.ndarray) -> np.ndarray:
    """Whether an expression (P,) has a free constant that could be 1 without loss, as one of those in c*(c*x)."""
    at = np.flatnonzero(batch.code == CONST)
    owner = np.repeat(np.arange(len(batch)), batch.lengths)[at]
    again = batch.take(owner)
    place = again.offset[:-1] + at - batch.offset[owner]
    code, value = again.code.copy(), again.value.copy()
    code[place], value[place] = NUMBER, 1.0
    same = skeleton_keys(replace(again, code=code, value=value)) == keys[owner]
    return np.bincount(owner, same, len(batch)) > 0


def renamed_keys(batch: Batch) -> np.ndarray:
    """Keys (P,) that do not depend on what the columns are called.

    Columns are ordered by the keys that a law has with one column apart and all others made equal; among the orders of those
    that this leaves tied, the least key counts. With more than ORDERS orders it is those keys alone that make the key.

    >>> from symnum.language.expr import Expr
    >>> one, two, three = renamed_keys(Batch.pack([Expr.parse(t) for t in ("x/y + z", "x + z/y", "x*y + z")], ["x", "y", "z"])).tolist()
    >>> one == two, one == three
    (True, False)
    """
    used = uses(batch)
    row, column = np.nonzero(used)
    again, rename = variants(batch, row)
    rename[:] = 1
    rename[np.arange(len(row)), column] = 0
    single = skeleton_keys(again, rename)
    owner, orders, base = [], [], np.zeros(len(batch), np.uint64)
    edges = np.searchsorted(row, np.arange(len(batch) + 1))
    for p in range(len(batch)):
        own, columns = single[edges[p] : edges[p + 1]].tolist(), column[edges[p] : edges[p + 1]].tolist()
        base[p] = _folded(sorted(own))
        groups = [[c for c, k in zip(columns, own, strict=True) if k == key] for key in sorted(set(own))]
        if prod(factorial(len(group)) for group in groups) > ORDERS:
            continue
        for choice in product(*map(permutations, groups)):
            number = np.zeros(len(batch.names), np.int64)
            number[[c for group in choice for c in group]] = np.arange(len(columns))
            owner.append(p)
            orders.append(number)
    least = np.full(len(batch), np.iinfo(np.uint64).max, np.uint64)
    if owner:
        np.minimum.at(least, owner, skeleton_keys(batch.take(np.array(owner)), np.array(orders)))
    with np.errstate(over="ignore"):
        return np.array([_folded(pair) for pair in zip(base.tolist(), least.tolist(), strict=True)], np.uint64)


def _folded(keys) -> int:
    """One key of several, in order."""
    h = 0
    for key in keys:
        h = _mixed(h ^ key)
    return h


def _mixed(x: int) -> int:
    """`mix` of batch_kernels on Python's integers."""
    mask = (1 << 64) - 1
    x = (x + 0x9E3779B97F4A7C15) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return x ^ (x >> 31)


def longer(batch: Batch) -> np.ndarray:
    """Whether an expression (P,) has a part that equals a shorter part of it, or a number, as x + y - y or sqrt(x)*sqrt(x) do."""
    size = batch.sizes.astype(np.int64)
    owner, end = np.repeat(np.arange(len(batch)), batch.lengths), np.arange(len(size)) + 1
    offset = np.concatenate([[0], np.cumsum(size)])
    tokens = np.repeat(end - size - offset[:-1], size) + np.arange(offset[-1])
    keys = skeleton_keys(replace(batch, code=batch.code[tokens], arg=batch.arg[tokens], value=batch.value[tokens], offset=offset))
    numbers = skeleton_keys(batch_of([[(NUMBER, 0, 0.0)], [(NUMBER, 0, 1.0)], [(CONST, 0, 1.0)]], batch.names))
    bad = np.isin(keys, numbers) & (size > 1)
    order = np.lexsort((size, keys, owner))
    same = (owner[order[1:]] == owner[order[:-1]]) & (keys[order[1:]] == keys[order[:-1]]) & (size[order[1:]] > size[order[:-1]])
    bad[order[1:][same]] = True
    return np.bincount(owner, bad, len(batch)) > 0


def sound(batch: Batch, keys: np.ndarray) -> np.ndarray:
    """Whether a skeleton (P,) is worth keeping: defined, without a constant too many and without a part that could be shorter."""
    return (keys != UNDEFINED) & ~redundant(batch, keys) & ~longer(batch)
