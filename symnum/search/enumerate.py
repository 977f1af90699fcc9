"""Bottom-up enumeration: every function of the grammar, simplest first, each measured once.

Complexity k of a nonterminal is built from its productions and the smaller libraries of their slots. Two expressions are
one function if they agree on the probe rows (values rounded to 36 mantissa bits), free constants standing for generic
numbers by position (of four magnitudes and signs, in case the first are outside a domain); only the first is kept and
built upon; where the columns have units, functions of different dimension are different, and only dimensionally consistent
parts are built upon. `exhausted` is the largest complexity that was finished: no formula of that complexity or less is missing, up to
the scale and offset that every shape is fitted with; constants inside a shape were fitted from `starts` points.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product as cartesian

import numpy as np

from symnum.language.batch import Batch, commutative
from symnum.language.batch_kernels import mix
from symnum.language.ops import CONST
from symnum.language.rules import NEVER, SLOT
from symnum.language.typed import BAD, LOOSE, WILD
from symnum.search.base import Context
from symnum.search.vary import peel

CHUNK = 10_000  # compositions built at once, a tenth of a second's work: between chunks others get their turn
BATCH = 400  # shapes told at once
TRIALS = (1.0, -1.0, 40.0, -40.0)  # scales of the generic constants: the first at which an expression is finite is its start
MOST_CONSTANTS = 3  # free constants per enumerated expression; more cannot be told apart from few rows


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the enumeration is: chunks consumed, complexity being built, complexity finished."""

    chunks: int = 0
    level: int = 0
    exhausted: int = 0
    finished: bool = False


class Enumeration:
    """Bottom-up enumeration with functional-hash dedup.

    The library is a memo of the cursor: a fresh object given the cursor of another builds the same chunks again.

    Args:
        most: expressions kept over all nonterminals; the level that would exceed it is not entered.
        starts: points from which the constants inside a shape are fitted.
    """

    name = "enumeration"

    def __init__(self, most: int = 400_000, starts: int = 3):
        self.most, self.starts = most, starts
        self._of: tuple = ()
        self._stream: Iterator[tuple[Batch, int, int]] = iter(())
        self._consumed = 0

    def views(self, context: Context) -> tuple[str, ...]:
        return ("", *context.views)

    def start(self, context: Context, rng: np.random.Generator) -> Cursor:
        return Cursor()

    def prepare(self, context: Context, state: Cursor, hurry: Callable[[], bool]) -> bool:
        """Build again what the cursor's run had built; False where `hurry()` cut it short: the next call goes on from there."""
        if not context.same(self._of) or self._consumed > state.chunks:
            self._of, self._stream, self._consumed = context.task, self._chunks(context), 0
        while self._consumed < state.chunks:
            if hurry():
                return False
            if next(self._stream, None) is None:
                break
            self._consumed += 1
        return True

    def ask(self, context: Context, state: Cursor, n: int, rng: np.random.Generator) -> tuple[Cursor, Batch]:
        """The next `BATCH` shapes or fewer; none where a chunk of building yielded nothing new, or at the end."""
        self.prepare(context, state, lambda: False)
        item = next(self._stream, None)
        if item is None:
            return replace(state, finished=True), Batch.empty(context.rules.names)
        batch, level, exhausted = item
        self._consumed += 1
        return replace(state, chunks=state.chunks + 1, level=level, exhausted=exhausted), batch

    def tell(self, context: Context, state: Cursor, batch: Batch, loss: np.ndarray, rng: np.random.Generator) -> Cursor:
        return state

    def welcome(self, context: Context, state: Cursor, migrants: Batch, blocks: Batch | None = None) -> Cursor:
        return state

    def _chunks(self, context: Context) -> Iterator[tuple[Batch, int, int]]:
        """New functions of the start symbol, `BATCH` at a time, with the level being built and the complexity exhausted.

        Empty where building took a while and found nothing to measure; the last is empty, its level the first not entered.
        """
        library = _Library(context)
        told, waiting = np.zeros(0, np.uint64), Batch.empty(context.rules.names)
        idle = 0  # compositions built since the last yield
        for level in range(1, context.max_complexity + 1):
            if library.planned(level) > 8 * self.most or library.count > self.most:
                break
            for slot, batch, built in library.build(level):
                idle += built
                if library.reaches_start(slot) and len(batch):
                    shapes = peel(batch) if context.scaled else batch
                    shapes = shapes.take(context.admissible_shapes(shapes, self.views(context)) > 0)
                    hashes = shapes.skeleton_hash()
                    new = np.sort(np.unique(hashes, return_index=True)[1])
                    new = new[~np.isin(hashes[new], told)]
                    told = np.union1d(told, hashes[new])
                    waiting = Batch.concatenate([waiting, shapes.take(new)])
                while len(waiting) >= BATCH:
                    idle = 0
                    yield waiting.take(np.arange(BATCH)), level, library.exhausted(level)
                    waiting = waiting.take(np.arange(BATCH, len(waiting)))
                if idle >= CHUNK:
                    idle = 0
                    yield Batch.empty(context.rules.names), level, library.exhausted(level)
            if len(waiting):
                yield waiting, level, library.exhausted(level)
                waiting = Batch.empty(context.rules.names)
        else:
            level = context.max_complexity + 1
        yield Batch.empty(context.rules.names), level, library.exhausted(level)


class _Library:
    """Distinct functions by nonterminal and complexity."""

    def __init__(self, context: Context):
        self.context, self.rules = context, context.rules
        slots = len(self.rules.least_of)
        self.entries: list[dict[int, Batch]] = [{} for _ in range(slots)]
        self.known = [np.zeros(0, np.uint64) for _ in range(slots)]
        self.templates = [self.rules.template(r) for r in range(len(self.rules))]
        self.cut = NEVER  # the least complexity at which something had too many constants

    @property
    def count(self) -> int:
        return sum(len(k) for k in self.known)

    def exhausted(self, level: int) -> int:
        """The complexity up to which nothing is missing while `level` is built."""
        return min(level, self.cut) - 1

    def reaches_start(self, slot: int) -> bool:
        """Whether an expression of this nonterminal is a whole one."""
        return bool(self.rules.reach[0, slot])

    def available(self, slot: int, level: int) -> list[Batch]:
        """What fills a slot at a complexity, renaming included."""
        return [self.entries[m][level] for m in range(len(self.entries)) if self.rules.reach[slot, m] and level in self.entries[m]]

    def planned(self, level: int) -> int:
        """Compositions that the level would need."""
        return sum(int(np.prod([float(len(b)) for b in parts])) for _, parts, _ in self._compositions(level))

    def build(self, level: int) -> Iterator[tuple[int, Batch, int]]:
        """Build complexity `level`; yields (nonterminal, new functions, compositions built) after every chunk."""
        fresh: list[list[Batch]] = [[] for _ in self.entries]
        for r, parts, mirrored in self._compositions(level):
            lhs = int(self.rules.lhs[r])
            sizes = [len(b) for b in parts]
            total = int(np.prod(sizes)) if parts else 1
            for start in range(0, total, CHUNK):
                index = np.unravel_index(np.arange(start, min(start + CHUNK, total)), sizes) if parts else ()
                if mirrored:  # the same library on both sides of a commutative operator: one order is enough
                    keep = index[0] <= index[1]
                    index = tuple(i[keep] for i in index)
                batch = compose(
                    self.templates[r],
                    [p.take(i) for p, i in zip(parts, index, strict=True)],
                    self.rules.names,
                    1 if not parts else len(index[0]),
                )
                new = self._new_functions(lhs, batch, level)
                if len(new):
                    fresh[lhs].append(new)
                yield lhs, new, len(batch)
        for slot, batches in enumerate(fresh):
            if batches:
                self.entries[slot][level] = Batch.concatenate(batches)

    def _compositions(self, level: int) -> Iterator[tuple[int, list[Batch], bool]]:
        """(production, library parts, mirrored) for every way to spend `level` on a production and its slots."""
        rules = self.rules
        for r, template in enumerate(self.templates):
            slots = [a for c, a, _ in template if c == SLOT]
            left = level - int(rules.cost[r])
            if not slots:
                if left == 0:
                    yield r, [], False
                continue
            swap = len(slots) == 2 and slots[0] == slots[1] and _commutes(template)
            for split in _splits(left, [int(rules.least_of[s]) for s in slots]):
                if swap and split[0] > split[1]:
                    continue
                choices = [self.available(s, k) for s, k in zip(slots, split, strict=True)]
                for i, parts in enumerate(cartesian(*choices)):
                    yield r, list(parts), swap and split[0] == split[1] and len(choices[0]) == 1 and i == 0

    def _new_functions(self, slot: int, batch: Batch, level: int) -> Batch:
        """The expressions that are finite and new on the probe rows, constants numbered generically."""
        batch = batch.take(~_constant_operation(batch))
        few = batch.n_constants <= MOST_CONSTANTS
        self.cut = self.cut if few.all() else min(self.cut, level)
        batch = self._typed(batch.take(few))
        if len(batch) == 0:
            return batch
        found = []
        for scale in TRIALS:
            trial = generic_constants(batch, scale)
            values = self.context.evaluator.values(trial, self.context.problem.probe)
            signature = signatures(values.y) ^ np.uint64(TRIALS.index(scale)) ^ self._dimensions(trial)
            good = np.flatnonzero(values.ok)
            _, first = np.unique(signature[good], return_index=True)
            good = good[np.sort(first)]
            good = good[~np.isin(signature[good], self.known[slot])]
            self.known[slot] = np.union1d(self.known[slot], signature[good])
            found.append(trial.take(good))
            batch = batch.take(~values.ok & (batch.n_constants > 0))  # sqrt(c - x) may be real for another c
            if len(batch) == 0:
                break
        return Batch.concatenate(found)

    def _typed(self, batch: Batch) -> Batch:
        """The dimensionally consistent expressions, of any dimension."""
        typing = self.context.typing
        if typing is None:
            return batch
        kind, _ = typing.roots(batch)
        return batch.take((kind != BAD) & ((kind != LOOSE) | typing.free))

    def _dimensions(self, batch: Batch) -> np.ndarray:
        """A uint64 per expression (P,), equal for equal dimensions."""
        typing = self.context.typing
        if typing is None:
            return np.zeros(len(batch), np.uint64)
        kind, dim = typing.roots(batch)
        rounded = np.where(kind == WILD, 0, np.round(dim * (1 << 24))).astype(np.int64) * 4 + kind
        return mix.py_func(rounded.view(np.uint64))


def _commutes(template: list[tuple[int, int, float]]) -> bool:
    return len(template) == 3 and bool(commutative()[template[2][0]])


def _splits(total: int, least: list[int]) -> Iterator[tuple[int, ...]]:
    """All ways to write `total` as a sum with parts of at least `least`."""
    if len(least) == 1:
        if total >= least[0] and least[0] < NEVER:
            yield (total,)
        return
    for k in range(least[0], total - sum(least[1:]) + 1):
        for rest in _splits(total - k, least[1:]):
            yield (k, *rest)


def _constant_operation(batch: Batch) -> np.ndarray:
    """Expressions without a variable that are more than one free constant: their value is just another constant."""
    is_var, is_const = batch.code == 0, batch.code == CONST
    count = lambda mask: np.diff(np.concatenate([[0], np.cumsum(mask)])[batch.offset])  # noqa: E731
    return (count(is_var) == 0) & (count(is_const) > 0) & (batch.lengths > 1)


def compose(template: list[tuple[int, int, float]], children: list[Batch], names: tuple[str, ...], n: int) -> Batch:
    """A production's template with its slots filled: expression i takes child i of every part."""
    lengths = np.sum([c.lengths for c in children], axis=0) if children else np.zeros(n, np.int64)
    lengths = lengths + sum(c != SLOT for c, _, _ in template)
    offset = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    code, arg, value = np.empty(offset[-1], np.uint8), np.empty(offset[-1], np.int32), np.empty(offset[-1])
    at, parts = offset[:-1].copy(), iter(children)
    for c, a, v in template:
        if c != SLOT:
            code[at], arg[at], value[at] = c, a, v
            at = at + 1
            continue
        child = next(parts)
        to = np.repeat(at - child.offset[:-1], child.lengths) + np.arange(child.offset[-1])
        code[to], arg[to], value[to] = child.code, child.arg, child.value
        at = at + child.lengths
    return Batch(code, arg, value, offset, names)


def generic_constants(batch: Batch, scale: float = 1.0) -> Batch:
    """Free constants replaced by generic numbers by position, so that equal values mean equal families."""
    is_const = batch.code == CONST
    before = np.concatenate([[0], np.cumsum(is_const)])
    rank = before[:-1] - np.repeat(before[batch.offset[:-1]], batch.lengths)
    generic = np.sqrt(np.array([2.0, 3.0, 5.0, 7.0, 11.0])) * np.array([0.31, 0.57, 0.43, 0.29, 0.23]) + 0.5
    return replace(batch, value=np.where(is_const, scale * generic[np.minimum(rank, 4)], batch.value))


def signatures(y: np.ndarray) -> np.ndarray:
    """A uint64 per row of `y`: equal where values agree to 36 mantissa bits (tiny ones count as 0)."""
    with np.errstate(all="ignore"):  # rows that are not finite are not used
        size = np.abs(y).max(axis=1, initial=0.0)
        bits = np.where(np.abs(y) > 1e-13 * size[:, None], y, 0.0).view(np.uint64)
        rounded = (bits + np.uint64(1 << 15)) >> np.uint64(16)
        out = np.zeros(len(y), np.uint64)
        for column in rounded.T:
            out = mix.py_func(out ^ column)  # the plain function: it takes arrays as well
    return out
