"""Island evolution on arrays.

An island keeps the best shapes *per complexity* (quality-diversity over size; Mouret & Clune 2015, arXiv:1504.04909), so
that small good formulas and large good ones do not crowd each other out. Parents win tournaments among members up to a
random size; members age and leave; a stagnating island starts afresh. Children inherit fitted constants. Skeletons
measured before are skipped through a forgetful cache.
"""

from dataclasses import dataclass, replace

import numpy as np

from symnum.language.batch import Batch
from symnum.language.ops import OPS
from symnum.search.base import Context, operand
from symnum.search.vary import breed, peel

FOUNDERS = 50  # members below which an island is filled with random shapes instead of children
SECOND_LOOK = 0.05  # share of known skeletons measured again: their constants may start better this time
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
    """

    name: str = "evolution"
    view: str = ""
    population: int = 800
    tournament: int = 6
    oldest: int = 40
    patience: int = 60
    cache: int = 1 << 16

    def views(self, context: Context) -> tuple[str, ...]:
        return (self.view,)

    def start(self, context: Context, rng: np.random.Generator) -> Island:
        nothing = Batch.empty(context.rules.names)
        zero = np.zeros(0)
        return Island(nothing, zero, zero.astype(np.int64), zero.astype(np.int64), np.zeros(self.cache, np.uint64))

    def ask(self, context: Context, state: Island, n: int, rng: np.random.Generator) -> tuple[Island, Batch]:
        if len(state.members) < FOUNDERS:
            size = min(12, context.max_complexity)
            return self._with_guests(state, self._admissible(context, context.rules.sample(n, size, rng)))
        first, second = self._parents(state, n, rng), self._parents(state, n, rng)
        children = breed(state.members, first, second, context.rules, context.max_complexity, int(rng.integers(1 << 62)))
        children = self._admissible(context, children)
        hashes = children.skeleton_hash()
        slot = hashes % np.uint64(self.cache)
        known = (state.seen[slot] == hashes) & (rng.random(len(children)) > SECOND_LOOK)
        _, first_of = np.unique(hashes, return_index=True)
        once = np.zeros(len(children), bool)
        once[first_of] = True
        new = once & ~known
        seen = state.seen.copy()
        seen[slot] = hashes
        return self._with_guests(replace(state, seen=seen, hits=state.hits + int(len(children) - new.sum())), children.take(new))

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
        kept = self._survivors(losses, complexity, age)
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
            return replace(fresh, generation=state.generation, record_at=state.generation, hits=state.hits)
        return state

    def welcome(self, context: Context, state: Island, migrants: Batch) -> Island:
        """Migrants are guests until the next `ask` has them measured; through a view g, the f of every g(f)."""
        if self.view:
            roots = migrants.code[migrants.offset[1:] - 1]
            migrants = operand(migrants.take(roots == OPS[self.view].code))
        return replace(state, guests=self._admissible(context, migrants))

    def _admissible(self, context: Context, batch: Batch) -> Batch:
        """Shapes that are in the grammar and within the limit."""
        if context.scaled:
            batch = peel(batch)
        complexity = context.rules.complexity(batch)
        return batch.take((complexity > 0) & (complexity <= context.max_complexity))

    def _parents(self, state: Island, n: int, rng: np.random.Generator) -> np.ndarray:
        """Winners of tournaments by loss among members up to a random size: small and large formulas breed alike."""
        order = np.argsort(state.complexity, kind="stable")
        levels = np.unique(state.complexity)
        admitted = np.searchsorted(state.complexity[order], rng.choice(levels, n), side="right")
        rivals = order[(rng.random((n, self.tournament)) * admitted[:, None]).astype(np.int64)]
        return rivals[np.arange(n), state.loss[rivals].argmin(axis=1)]

    def _survivors(self, loss: np.ndarray, complexity: np.ndarray, age: np.ndarray) -> np.ndarray:
        """The best of each complexity, functions counted once, old ones out."""
        order = np.lexsort((complexity, loss))
        key = np.round(np.log(np.maximum(loss[order], 1e-300)), 9)
        distinct = np.diff(key, prepend=np.nan) != 0  # equal losses: the least complex stays
        order = order[distinct]
        levels = np.unique(complexity[order])
        cap = max(4, self.population // max(len(levels), 1))
        kept = []
        for level in levels:
            ranked = order[complexity[order] == level]
            young = ranked[(age[ranked] <= self.oldest) | (np.arange(len(ranked)) == 0)]
            kept.append(young[:cap])
        return np.concatenate(kept) if kept else np.zeros(0, np.int64)
