"""Island evolution on arrays.

An island keeps the best shapes *per complexity*, and few made of the same operators and variables (quality-diversity over
size and structure; Mouret & Clune 2015, arXiv:1504.04909; Bruneton 2025, arXiv:2503.19043), so that small good formulas and
large good ones do not crowd each other out. Parents win tournaments among members up to a random size; members age and
leave; a stagnating island starts afresh, with the building blocks that it was given. Children inherit fitted constants.
Skeletons measured before are skipped through a forgetful cache.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from symnum.language.batch import Batch
from symnum.language.batch_kernels import mix
from symnum.language.ops import OPS, VAR
from symnum.language.typed import EXACT
from symnum.search.base import Context, operand, rank_in_group
from symnum.search.guide import PATIENCE, Prior
from symnum.search.parts import NUMBERS, combined, random_parts
from symnum.search.prune import Pruning
from symnum.search.vary import breed, peel

FOUNDERS = 50  # members below which an island is filled with random shapes instead of children
SECOND_LOOK = 0.05  # share of known skeletons measured again: their constants may start better this time
PARTS, DIMENSIONS = 400, 8  # under units: random parts that are donors, and dimensions for which some are combined
BLOCKS, BORROWED = 400, 0.1  # building blocks remembered, and the share of children whose donor is one
PROGRESS = 1e-3  # relative gain in loss that counts against stagnation


@dataclass(frozen=True, slots=True)
class Island:
    """The state of one island.

    Attributes:
        members: shapes with constants; loss (P,), complexity (P,), age (P,) in generations.
        seen: (2^k,) hashes of skeletons measured, direct-mapped.
        generation: rounds since the start; `record` and `record_at`: the least loss since the restart, and when.
        hits: children skipped by the cache.
        guests: migrants waiting to be measured; never kept beyond an epoch.
        blocks: expressions given by other searches, whose parts are spliced into children; restarts keep them.
        pruning: what is known of the worth of not fitting all children.
    """

    members: Batch
    loss: np.ndarray
    complexity: np.ndarray
    age: np.ndarray
    seen: np.ndarray
    generation: int = 0
    record: float = np.inf
    record_at: int = 0
    hits: int = 0
    guests: Batch | None = None
    blocks: Batch | None = None
    pruning: Pruning = field(default_factory=Pruning)


@dataclass(frozen=True, slots=True)
class Evolution:
    """Island evolution.

    Attributes:
        view: the operator through whose inverse the target is seen, '' for none.
        population: members kept per island.
        tournament: competitors for parenthood.
        oldest: generations after which a member that does not lead its complexity leaves.
        patience: generations without a better loss after which the island starts afresh.
        cache: slots of the skeleton cache.
        alike: members of one complexity that may share their operators and variables.
        guided: draw operators, columns and random parts as an encoder's look at the data says (`symnum.search.guide`).
        prunes: fit only those children with constants that look like the data (`symnum.search.prune`).
    """

    name: str = "evolution"
    view: str = ""
    population: int = 800
    tournament: int = 6
    oldest: int = 40
    patience: int = 60
    cache: int = 1 << 16
    alike: int = 2
    guided: bool = False
    prunes: bool = False

    def views(self, context: Context) -> tuple[str, ...]:
        return (self.view,)

    def start(self, context: Context, rng: np.random.Generator) -> Island:
        nothing = Batch.empty(context.rules.names)
        zero = np.zeros(0)
        return Island(nothing, zero, zero.astype(np.int64), zero.astype(np.int64), np.zeros(self.cache, np.uint64))

    def ask(self, context: Context, state: Island, n: int, rng: np.random.Generator) -> tuple[Island, Batch]:
        wanted = self._wanted(context)
        if len(state.members) < (FOUNDERS if wanted is None else 1):
            return self._with_guests(state, self._admissible(context, self._founders(context, state, n, rng)))
        children = self._admissible(context, self._children(context, state, n, rng))
        hashes = children.skeleton_hash()
        slot = hashes % np.uint64(self.cache)
        known = (state.seen[slot] == hashes) & (rng.random(len(children)) > SECOND_LOOK)
        _, first_of = np.unique(hashes, return_index=True)
        once = np.zeros(len(children), bool)
        once[first_of] = True
        new = once & ~known
        seen = state.seen.copy()
        seen[slot] = hashes
        state = replace(state, seen=seen, hits=state.hits + int(len(children) - new.sum()))
        children = children.take(new)
        if self.prunes and state.generation >= PATIENCE and state.pruning.on:
            cosine = np.full(len(children), np.nan)
            costly = children.n_constants > 0
            cosine[costly] = context.guide.cosines(context, children.take(costly), self.view)
            pruning, chosen = state.pruning.choose(children, cosine, rng)
            state, children = replace(state, pruning=pruning), children.take(chosen)
        return self._with_guests(state, children)

    def _with_guests(self, state: Island, batch: Batch) -> tuple[Island, Batch]:
        if state.guests is None:
            return state, batch
        return replace(state, guests=None), Batch.concatenate([batch, state.guests])

    def tell(self, context: Context, state: Island, batch: Batch, loss: np.ndarray, rng: np.random.Generator) -> Island:
        alive = np.isfinite(loss)
        batch, loss = batch.take(alive), loss[alive]
        members = Batch.concatenate([state.members, batch])
        losses = np.concatenate([state.loss, loss])
        complexity = np.concatenate([state.complexity, context.rules.complexity(batch)])
        age = np.concatenate([state.age + 1, np.zeros(len(batch), np.int64)])
        kept = self._survivors(members, losses, complexity, age)
        if self.prunes and state.pruning.on and len(state.pruning.asked):
            good = np.isin(np.arange(len(batch)), kept - len(state.members))
            state = replace(state, pruning=state.pruning.told(batch, good, context.problem.search.n))
        record = float(losses.min(initial=np.inf))
        better = record < (1 - PROGRESS) * state.record
        state = replace(
            state,
            members=members.take(kept),
            loss=losses[kept],
            complexity=complexity[kept],
            age=age[kept],
            generation=state.generation + 1,
            record=min(record, state.record),
            record_at=state.generation if better else state.record_at,
        )
        if state.generation - state.record_at > self.patience:
            fresh = self.start(context, rng)
            kept = {name: getattr(state, name) for name in ("generation", "hits", "blocks", "pruning")}
            return replace(fresh, record_at=state.generation, **kept)
        return state

    def welcome(self, context: Context, state: Island, migrants: Batch, blocks: Batch | None = None) -> Island:
        """Migrants are guests until the next `ask` has them measured; through a view g, the f of every g(f).

        `blocks`, where given, become the donors of a share of all children to come: parts that another search vouches for.
        Migrants are no blocks by themselves: all islands would breed from the same few formulas.
        """
        if blocks is not None:
            state = replace(state, blocks=blocks.take(np.arange(min(len(blocks), BLOCKS))))
        if self.view:
            roots = migrants.code[migrants.offset[1:] - 1]
            migrants = operand(migrants.take(roots == OPS[self.view].code))
        return replace(state, guests=self._admissible(context, migrants))

    def _admissible(self, context: Context, batch: Batch) -> Batch:
        """Shapes that are in the grammar and within the limit."""
        if context.scaled:
            batch = peel(batch)
        return batch.take(context.admissible_shapes(batch, (self.view,)) > 0)

    def _wanted(self, context: Context) -> float | None:
        """The size of the dimension that shapes must have, None where any will do."""
        if context.typing is None or (context.scaled and context.typing.free):
            return None
        return context.typing.through(self.view)

    def _founders(self, context: Context, state: Island, n: int, rng: np.random.Generator) -> Batch:
        """Random expressions; where a dimension is wanted, those that have it and combinations that do."""
        wanted = self._wanted(context)
        if wanted is None:
            prior = self._prior(context, state)
            return (prior.rules if prior else context.rules).sample(n, min(12, context.max_complexity), rng)
        parts = random_parts(context.rules, context.typing, 2 * n, rng)
        batch = Batch.concatenate([parts, combined(parts, context.typing, wanted, rng)])
        batch = batch.take(context.admissible_shapes(batch, (self.view,)) > 0).dedup()
        return batch.take(rng.permutation(len(batch))[:n])

    def _prior(self, context: Context, state: Island) -> Prior | None:
        """What random parts are drawn from, where the island is guided; its first turns cost no look at the data."""
        return context.guide.prior(context) if self.guided and state.generation >= PATIENCE else None

    def _children(self, context: Context, state: Island, n: int, rng: np.random.Generator) -> Batch:
        """Variations of the members; under units random parts are donors as well, and a few founders join."""
        first, second = self._parents(state, n, rng), self._parents(state, n, rng)
        seed, typing, wanted = int(rng.integers(1 << 62)), context.typing, self._wanted(context)
        members = state.members
        if state.blocks is not None and len(state.blocks):
            borrowed = len(members) + rng.integers(len(state.blocks), size=n)
            second = np.where(rng.random(n) < BORROWED, borrowed, second)
            members = Batch.concatenate([members, state.blocks])
        if typing is None:
            prior = self._prior(context, state)
            rules, drawn = (prior.rules, (prior.leaves, prior.operators)) if prior else (context.rules, None)
            return breed(members, first, second, rules, context.max_complexity, seed, drawn=drawn)
        kind, dim = typing.tokens(state.members)
        needed = rng.choice(dim[kind == EXACT], DIMENSIONS) if (kind == EXACT).any() else NUMBERS
        parts = random_parts(context.rules, typing, PARTS, rng, np.unique([0.0, *needed]))
        children = breed(members, first, second, context.rules, context.max_complexity, seed, typing, wanted, parts)
        return children if wanted is None else Batch.concatenate([children, self._founders(context, state, n // 10, rng)])

    def _parents(self, state: Island, n: int, rng: np.random.Generator) -> np.ndarray:
        """Winners of tournaments by loss among members up to a random size: small and large formulas breed alike."""
        order = np.argsort(state.complexity, kind="stable")
        levels = np.unique(state.complexity)
        admitted = np.searchsorted(state.complexity[order], rng.choice(levels, n), side="right")
        rivals = order[(rng.random((n, self.tournament)) * admitted[:, None]).astype(np.int64)]
        return rivals[np.arange(n), state.loss[rivals].argmin(axis=1)]

    def _survivors(self, members: Batch, loss: np.ndarray, complexity: np.ndarray, age: np.ndarray) -> np.ndarray:
        """The best of each complexity: functions counted once, old ones out, few of one structure."""
        order = np.lexsort((complexity, loss))
        key = np.round(np.log(np.maximum(loss[order], 1e-300)), 9)
        order = order[np.diff(key, prepend=np.nan) != 0]  # equal losses: the least complex stays
        order = order[np.argsort(complexity[order], kind="stable")]  # by complexity, then by loss
        leads = rank_in_group(complexity[order]) == 0
        order = order[leads | (age[order] <= self.oldest)]
        cell = mix.py_func(structure(members)[order] ^ mix.py_func(complexity[order].astype(np.uint64)))
        by_cell = np.argsort(cell, kind="stable")
        order = order[np.sort(by_cell[rank_in_group(cell[by_cell]) < self.alike])]
        cap = max(4, self.population // max(int(leads.sum()), 1))
        return order[rank_in_group(complexity[order]) < cap]


def structure(batch: Batch) -> np.ndarray:
    """A uint64 per expression (P,), equal where the sets of operators and variables are (and elsewhere only beyond 64 of both).

    >>> from symnum.language.expr import Expr
    >>> a, b, c = structure(Batch.pack([Expr.parse(t) for t in ("x + y", "x + (y + x)", "x*y")], ["x", "y"])).tolist()
    >>> a == b != c
    True
    """
    if len(batch) == 0:
        return np.zeros(0, np.uint64)
    kind = np.where(batch.code == VAR, 256 + batch.arg, batch.code)
    used = np.zeros(256 + len(batch.names), np.uint64)
    used[kind] = 1
    bit = np.uint64(1) << (np.cumsum(used) % np.uint64(64))
    return np.bitwise_or.reduceat(bit[kind], batch.offset[:-1])
