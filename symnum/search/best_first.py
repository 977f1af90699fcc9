"""Best-first search over sets of sub-expressions, guided by a trained encoder's estimate of what remains of the law.

A node is a set of at most three sub-expressions. Given their values beside the data's columns, the encoder predicts how many tokens
of the law remain (`symnum.encode.remaining`). The sets with the fewest are opened first, as many of each size: members and columns
are joined by operators of the grammar. Measured are the new sub-expressions, and `FORMS` of the members of a set and the columns,
their constants fitted: a right set gives the law. The idea and the estimate are those of SR4MDL (Yu, Ding, Li & Jin 2025, ICLR,
arXiv:2411.03753), which searches its sets by Monte Carlo trees.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from symnum.evaluate.cpu import Rows, unpacked
from symnum.language.batch import Batch
from symnum.language.batch_kernels import mix
from symnum.language.expr import Expr
from symnum.language.ops import VAR, by_code
from symnum.language.rules import SLOT
from symnum.language.typed import BAD
from symnum.search.base import Context, rank_in_group
from symnum.search.enumerate import compose, signatures
from symnum.search.vary import peel

MEMBERS = 3  # sub-expressions of a set at most, as many as encoders are trained with
ALONE = ("{op}(1.0*a)", "{op}(a + 1.0)", "{op}(a + 1.0*b)", "{op}(a*b)", "a*{op}(1.0*b)", "a + 1.0*{op}(1.0*b)")
FORMS = ("a + 1.0*b", "a*b", "a/b", "a*(b + 1.0)", "a/(b + 1.0)", "a + 1.0*b + 1.0*c", "a*b + 1.0*c", "a/b + 1.0*c", "a*b*c", "a*b/c",
         "a/(b + 1.0*c)", "a/(b + 1.0) + 1.0*c")
UNARY = 0.4  # share of the forms that hold a unary operator
REPEATS = 6  # joins drawn for each that is scored, as many repeat a known function or are not defined
LARGEST = 1e30  # sub-expressions of values beyond it are left out: the encoder reads float32
OPENED_AGAIN = 1.1  # factor on the estimate of a set each time it is opened, so that others have their turn
CONSTANT = 1e-12  # spread against size below which values are constant
NONE = -1


@dataclass(frozen=True, slots=True)
class Tree:
    """What is known.

    Attributes:
        parts: (S) sub-expressions of the open sets; `key` (S,) uint64 of their values up to scale and offset.
        sets: (Q, MEMBERS) int64, the parts of each open set, NONE where there is none.
        length: (Q,) tokens that remain, as predicted; NaN while unknown.
        seen: (2^k,) keys of sets that were scored, direct-mapped.
        measured: (2^k,) hashes of skeletons that were asked, direct-mapped.
        guests: expressions to make a set of one each: those that fitted best, and those that came from others.
    """

    parts: Batch
    key: np.ndarray
    sets: np.ndarray
    length: np.ndarray
    seen: np.ndarray
    measured: np.ndarray
    guests: Batch


@dataclass(frozen=True, slots=True)
class BestFirst:
    """Best-first search; it needs a `context.guide` whose encoder takes the data (`symnum.encode.remaining.usable`).

    Attributes:
        opened: sets opened in each batch.
        scored: new sets scored in each batch.
        most: open sets that are kept.
        rows: rows that the encoder is shown.
        memory: slots of each memory.
        told: measured expressions of each batch that become sets.
    """

    name: str = "best_first"
    opened: int = 8
    scored: int = 64
    most: int = 2000
    rows: int = 64
    memory: int = 1 << 15
    told: int = 4

    def views(self, context: Context) -> tuple[str, ...]:
        return ("",)

    def start(self, context: Context, rng: np.random.Generator) -> Tree:
        nothing, memory = Batch.empty(context.rules.names), np.zeros(self.memory, np.uint64)
        return Tree(nothing, np.zeros(0, np.uint64), np.full((1, MEMBERS), NONE), np.full(1, np.nan), memory, memory, nothing)

    def ask(self, context: Context, state: Tree, n: int, rng: np.random.Generator) -> tuple[Tree, Batch]:
        length = state.length.copy()
        if np.isnan(length).any():  # the empty set, which `start` leaves unscored: the encoder may not be loaded yet
            length = self._lengths(context, state.parts, state.sets)
        order = self._best(state.sets, length)
        opened = state.sets[order]
        length[order] *= OPENED_AGAIN
        new, sets = self._joined(context, state.parts, opened, rng)
        parts = Batch.concatenate([state.parts, new, state.guests])
        guests = len(parts) - 1 - np.arange(len(state.guests))
        sets = np.concatenate([np.stack([guests, *[np.full_like(guests, NONE)] * (MEMBERS - 1)], axis=1), sets])
        good, key = self._functions(context, Batch.concatenate([new, state.guests]))
        good, key = np.concatenate([np.ones(len(state.parts), bool), good]), np.concatenate([state.key, key])
        sets, seen = self._new_sets(sets, good, key, state.seen)
        scored = self._lengths(context, parts, sets)
        sets, length = np.concatenate([state.sets, sets]), np.concatenate([length, scored])
        shapes, measured = self._shapes(context, state.measured, parts, np.concatenate([opened, sets[len(state.sets) :]]), n, rng)
        kept = np.argsort(length, kind="stable")[: self.most]
        used, inverse = np.unique(np.append(sets[kept], NONE), return_inverse=True)  # NONE first, and so one before the parts in use
        sets = inverse.ravel()[:-1].reshape(-1, MEMBERS) - 1
        state = Tree(parts.take(used[1:]), key[used[1:]], sets, length[kept], seen, measured, Batch.empty(parts.names))
        return state, shapes

    def tell(self, context: Context, state: Tree, batch: Batch, loss: np.ndarray, rng: np.random.Generator) -> Tree:
        best = np.argsort(loss, kind="stable")[: self.told]
        return replace(state, guests=Batch.concatenate([state.guests, batch.take(best[np.isfinite(loss[best])])]))

    def welcome(self, context: Context, state: Tree, migrants: Batch, blocks: Batch | None = None) -> Tree:
        """Formulas and parts that others found become sets of their own, the parts first."""
        given = [peel(migrants), state.guests] if blocks is None else [blocks, peel(migrants), state.guests]
        guests = Batch.concatenate(given).dedup()
        return replace(state, guests=guests.take(np.arange(min(len(guests), self.scored // 2))))

    def _best(self, sets: np.ndarray, length: np.ndarray) -> np.ndarray:
        """The sets to open: as many of each size, as the least of many noisy estimates is that of a full set of chance members."""
        size = (sets != NONE).sum(axis=1)
        order = np.lexsort((length, size))
        rank = rank_in_group(size[order])
        return order[np.argsort(rank, kind="stable")[: self.opened]]

    def _rows(self, context: Context) -> tuple[np.ndarray, np.ndarray]:
        """X and y of the rows that the encoder is shown, the same ones every time."""
        X, y, _ = unpacked(context.problem.search)
        kept = np.sort(np.random.default_rng(0).permutation(len(X))[: self.rows])
        return X[kept], y[kept]

    def _values(self, context: Context, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        values = context.evaluator.values(batch, Rows.pack(self._rows(context)[0], batch.names))
        return values.y, values.ok

    def _lengths(self, context: Context, parts: Batch, sets: np.ndarray) -> np.ndarray:
        """Predicted tokens (Q,) that remain with each set."""
        from symnum.encode.remaining import remaining

        X, y = self._rows(context)
        used, inverse = np.unique(sets[sets != NONE], return_inverse=True)
        values = self._values(context, parts.take(used))[0]
        columns = np.zeros((len(sets), MEMBERS, len(X)))
        columns[sets != NONE] = values[inverse.ravel()]
        return remaining(context.guide.encoder, X, y, columns.transpose(0, 2, 1), sets != NONE)

    def _joined(self, context: Context, parts: Batch, opened: np.ndarray, rng: np.random.Generator) -> tuple[Batch, np.ndarray]:
        """Joins of two items of an opened set, or functions of one, and the sets that they make with the others (their number counted
        on from the parts): a new member takes a free place, that of an operand, or one at random."""
        parent = opened[rng.integers(len(opened), size=REPEATS * self.scored)]
        items = _items(len(parts.names), parent, rng)
        operators = [by_code(c) for c in context.rules.operator_codes]
        forms = tuple(_call(op.name, op.arity) for op in operators)
        new, order = filled(parts, forms, rng.integers(len(forms), size=len(parent)), items)
        parent, items = parent[order], items[order]
        operand = (parent != NONE) & ((parent == items[:, :1]) | (parent == items[:, 1:2]))
        full = (parent != NONE).all(axis=1)
        dropped = operand & (full | (rng.random(len(parent)) < 0.5))[:, None]
        stuck = full & ~dropped.any(axis=1)
        dropped[np.flatnonzero(stuck), rng.integers(MEMBERS, size=int(stuck.sum()))] = True
        sets = np.where(dropped, NONE, parent)
        sets[np.arange(len(sets)), (sets == NONE).argmax(axis=1)] = len(parts) + np.arange(len(sets))
        return new, rng.permutation(sets)  # only the first are scored, and those of one operator stand together

    def _functions(self, context: Context, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Which expressions (P,) are in the grammar, defined on the rows and other functions than the columns, and their keys."""
        complexity = context.rules.complexity(batch)
        good = (complexity > 0) & (complexity <= context.max_complexity)
        if context.typing is not None:
            good &= context.typing.roots(batch)[0] != BAD
        values, ok = self._values(context, batch)
        good &= ok & (np.where(ok[:, None], abs(values), 0.0).max(axis=1, initial=0.0) < LARGEST)
        key = keys(np.where(good[:, None], values, 0.0))
        return good & ~np.isin(key, np.append(keys(self._rows(context)[0].T), np.uint64(0))), key

    def _new_sets(self, sets: np.ndarray, good: np.ndarray, key: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """At most `scored` of the sets of good parts that are not known, and the memory with them."""
        member = np.where(sets == NONE, np.uint64(0), key[sets])
        member = np.sort(member, axis=1)
        twice = ((member[:, 1:] == member[:, :-1]) & (member[:, 1:] != 0)).any(axis=1)
        sound = (good[sets] | (sets == NONE)).all(axis=1) & ~twice
        whole = np.bitwise_xor.reduce(mix.py_func(member), axis=1)
        return _first(sets, sound, whole, seen, self.scored)

    def _shapes(
        self, context: Context, measured: np.ndarray, parts: Batch, sets: np.ndarray, n: int, rng: np.random.Generator
    ) -> tuple[Batch, np.ndarray]:
        """About n shapes of sets' members and columns that were not measured, and the memory with them."""
        members = parts.take(np.unique(sets[sets != NONE]))
        items = _items(len(parts.names), sets[rng.integers(len(sets), size=2 * n)], rng)
        unary = tuple(form.format(op=op.name) for op in map(by_code, context.rules.operator_codes) if op.arity == 1 for form in ALONE)
        forms, count = unary + FORMS, len(items)
        alone = (rng.random(count) < UNARY) & bool(unary)
        choice = np.where(alone, rng.integers(max(len(unary), 1), size=count), len(unary) + rng.integers(len(FORMS), size=count))
        shapes = Batch.concatenate([members, filled(parts, forms, choice, items)[0]])
        if context.scaled:
            shapes = peel(shapes)
        order = np.concatenate([np.arange(len(members)), len(members) + rng.permutation(len(shapes) - len(members))])
        shapes = shapes.take(order)
        taken, measured = _first(np.arange(len(shapes)), context.admissible_shapes(shapes) > 0, shapes.skeleton_hash(), measured, n)
        return shapes.take(taken), measured


def _first(items: np.ndarray, wanted: np.ndarray, key: np.ndarray, memory: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `most` wanted items whose keys are not in the memory, each key once, in order; and the memory with them."""
    once = np.zeros(len(key), bool)
    at = np.flatnonzero(wanted)
    once[at[np.unique(key[at], return_index=True)[1]]] = True
    slot = key % np.uint64(len(memory))
    taken = np.flatnonzero(once & (memory[slot] != key))[:most]
    memory = memory.copy()
    memory[slot[taken]] = key[taken]
    return items[taken], memory


def _items(columns: int, sets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Three items (P, 3) of each set in random order, different ones as long as there are as many: parts, or -2 - i for column i."""
    items = np.concatenate([sets, np.broadcast_to(-2 - np.arange(columns), (len(sets), columns))], axis=1)
    order = np.argsort(np.where(items == NONE, 2.0, rng.random(items.shape)), axis=1)
    items = np.take_along_axis(items, order, axis=1)
    count = (items != NONE).sum(axis=1)
    return np.take_along_axis(items, np.arange(3) % count[:, None], axis=1)


def filled(parts: Batch, forms: tuple[str, ...], choice: np.ndarray, items: np.ndarray) -> tuple[Batch, np.ndarray]:
    """Forms with items in place of a, b and c.

    Args:
        parts: expressions.
        forms: texts in a, b and c, each of which a form holds once at most.
        choice: (P,) the form.
        items: (P, 3) numbers of parts, or -2 - i for column i.

    Returns:
        P expressions, and (P,) which of the choices each is: those of one form stand together.

    >>> parts = Batch.pack([Expr.parse("sin(x)")], ["x", "y"])
    >>> [str(e) for e in filled(parts, ("a*b", "b - a"), np.array([1, 0]), np.array([[0, -3, -2], [-2, 0, -3]]))[0].unpack()]
    ['x*sin(x)', 'y - sin(x)']
    """
    base = Batch.concatenate([parts, _leaves(parts.names)])
    place = np.where(items < 0, len(parts) - 2 - items, items)
    order = np.argsort(choice, kind="stable")
    made, edges = [Batch.empty(parts.names)], np.searchsorted(choice[order], np.arange(len(forms) + 1))
    for form, first, last in zip(forms, edges[:-1], edges[1:], strict=True):
        if last > first:
            template, slots = _template(form)
            made.append(compose(template, [base.take(place[order[first:last], s]) for s in slots], parts.names, last - first))
    return Batch.concatenate(made), order


@cache
def _template(form: str) -> tuple[list[tuple[int, int, float]], list[int]]:
    """A form as the template of a production, and which items fill its slots."""
    names = ["a", "b", "c"]
    batch = Batch.pack([Expr.parse(form)], names)
    tokens = zip(batch.code.tolist(), batch.arg.tolist(), batch.value.tolist(), strict=True)
    return [(SLOT, 0, 0.0) if c == VAR else (c, a, v) for c, a, v in tokens], batch.arg[batch.code == VAR].tolist()


def _leaves(names: tuple[str, ...]) -> Batch:
    count = len(names)
    return Batch(np.full(count, VAR, np.uint8), np.arange(count, dtype=np.int32), np.zeros(count), np.arange(count + 1), names)


def _call(name: str, arity: int) -> str:
    """An operator as a form."""
    return f"{name}({', '.join('abc'[:arity])})"


def keys(values: np.ndarray) -> np.ndarray:
    """A uint64 for each row of values (P, N), equal where one is a multiple of the other with an offset; 0 where it is constant.

    >>> x = np.arange(5.0)
    >>> one, two, three = keys(np.stack([x, 3 - 2 * x, x**2]))
    >>> bool(one == two), bool(one == three), int(keys(np.ones((1, 5)))[0])
    (True, False, 0)
    """
    size = np.maximum(abs(values).max(axis=1, initial=0.0), np.finfo(float).tiny)
    z = values / size[:, None]
    z = z - z[:, :1]
    spread = abs(z).max(axis=1, initial=0.0)
    varies = spread > CONSTANT
    z = z / np.where(varies, spread, 1.0)[:, None]
    sign = np.sign(np.take_along_axis(z, (abs(z) > 0.1).argmax(axis=1)[:, None], axis=1)) if z.shape[1] else 1.0
    return np.where(varies, signatures(np.round(z * sign, 9) + 0.0), np.uint64(0))
