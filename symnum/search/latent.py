"""Search in the space where laws and data meet: a pack of points moves through it, and each is read as laws that lie close.

This is the search of SNIP (Meidani, Shojaee, Reddy & Barati Farimani 2024, ICLR, arXiv:2310.02227), with its optimiser, grey wolves
(Mirjalili, Mirjalili & Lewis 2014, doi:10.1016/j.advengsoft.2013.12.007): every point moves to where three leaders, the laws that
fitted best, draw it. SNIP reads a point with a trained decoder; here a point is read by retrieval, as the known skeletons with the
largest cosine to it, and by climbing from these over one-edit variants that the grammar allows, embedded and kept where the
cosine grows. The laws it arrives at are measured for real.
"""

from dataclasses import dataclass, replace

import numpy as np

from symnum.evaluate.cpu import unpacked
from symnum.language.batch import Batch
from symnum.search.base import Context
from symnum.search.vary import breed, peel

LEADERS = 3
FEWEST = 16  # rows that an encoder takes, as in `symnum.encode.public`, which imports torch
SPREAD = 0.5  # length of the noise around the data's point in a new pack
HALVES = 8  # points of a new pack that are the embeddings of random halves of the rows
GENERATIONS = 40  # after which the pack goes straight for its leaders; then it spreads anew
LARGEST = 14  # complexity of the random laws that are known at the start


@dataclass(frozen=True, slots=True)
class Pack:
    """What is known; empty until it is first asked.

    Attributes:
        data: (1 + HALVES, k) the embeddings of the data and of random halves of its rows.
        points: (W, k) unit vectors.
        laws: (S) skeletons to read points by, and `vectors` (S, k) of them.
        leaders: (L, k) embeddings of the laws that fitted best, L <= 3, and `loss` (L,) of them, least first.
        asked: (A, k) embeddings of the laws that are being measured.
        measured: (2^b,) hashes of skeletons that were asked, direct-mapped.
        guests: formulas that others found, waiting to be embedded.
        generation: batches since the pack was spread.
    """

    data: np.ndarray
    points: np.ndarray
    laws: Batch
    vectors: np.ndarray
    leaders: np.ndarray
    loss: np.ndarray
    asked: np.ndarray
    measured: np.ndarray
    guests: Batch
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Latent:
    """Search in the joint space; it needs a `context.guide` whose encoder takes the data (`symnum.encode.remaining.usable`).

    Attributes:
        wolves: points of the pack.
        known: skeletons that points are read by, at most.
        retrieved, drawn: skeletons of the index that are nearest to the data, and random laws of the grammar: those known first.
        near: laws that climb towards each point.
        climbs: steps of a climb, with `variants` of each law in a step.
        memory: slots of the memory of what was measured.
    """

    name: str = "latent"
    wolves: int = 24
    known: int = 20_000
    retrieved: int = 4000
    drawn: int = 2000
    near: int = 6
    climbs: int = 3
    variants: int = 16
    memory: int = 1 << 15

    def views(self, context: Context) -> tuple[str, ...]:
        return ("",)

    def start(self, context: Context, rng: np.random.Generator) -> Pack:
        nothing, none = Batch.empty(context.rules.names), np.zeros((0, 0), np.float32)
        return Pack(none, none, nothing, none, none, np.zeros(0), none, np.zeros(self.memory, np.uint64), nothing)

    def ask(self, context: Context, state: Pack, n: int, rng: np.random.Generator) -> tuple[Pack, Batch]:
        state = self._with_guests(context, state if len(state.data) else self._begun(context, state, rng))
        laws, vectors = self._read(context, state, rng)
        shapes = peel(laws) if context.scaled else laws
        key = shapes.skeleton_hash()
        slot = key % np.uint64(self.memory)
        new = np.flatnonzero((context.admissible_shapes(shapes) > 0) & (state.measured[slot] != key))
        new = np.sort(new[np.unique(key[new], return_index=True)[1]])[:n]
        measured = state.measured.copy()
        measured[slot[new]] = key[new]
        state = self._knowing(state, laws.take(new), vectors[new])
        return replace(state, asked=vectors[new], measured=measured), shapes.take(new)

    def tell(self, context: Context, state: Pack, batch: Batch, loss: np.ndarray, rng: np.random.Generator) -> Pack:
        """The best laws so far lead, and the pack moves; after `GENERATIONS` it is spread around the data anew, without leaders."""
        if state.generation >= GENERATIONS:
            points = self._spread(state.data, rng)
            return replace(state, points=points, leaders=state.leaders[:0], loss=np.zeros(0), asked=state.asked[:0], generation=0)
        every, losses = np.concatenate([state.leaders, state.asked]), np.concatenate([state.loss, loss])
        best = np.argsort(losses, kind="stable")[:LEADERS]
        best = best[np.isfinite(losses[best])]
        leaders, generation = every[best], state.generation + 1
        points = moved(state.points, leaders, 2 * (1 - generation / GENERATIONS), rng)
        return replace(state, points=points, leaders=leaders, loss=losses[best], asked=state.asked[:0], generation=generation)

    def welcome(self, context: Context, state: Pack, migrants: Batch, blocks: Batch | None = None) -> Pack:
        """Formulas that others found will be known, and the last points of the pack will be at them. Parts are of no use here."""
        return replace(state, guests=migrants)

    def _begun(self, context: Context, state: Pack, rng: np.random.Generator) -> Pack:
        """The pack around the data, and the laws that it is read by."""
        encoder = context.guide.encoder
        X, y, _ = unpacked(context.problem.search)
        near = encoder.index.nearest(encoder, X, y, self.retrieved, context.rules.names)[0]
        laws = Batch.concatenate([near, context.rules.sample(self.drawn, min(LARGEST, context.max_complexity), rng)])
        laws = laws.take(context.admissible(laws) > 0).dedup()
        half = max(FEWEST, len(X) // 2)
        samples = [np.arange(len(X)), *(np.sort(rng.permutation(len(X))[:half]) for _ in range(HALVES))]
        data = np.stack([encoder.embed_data(X[rows], y[rows]) for rows in samples])
        state = replace(state, data=data, leaders=data[:0], asked=data[:0], laws=laws, vectors=_vectors(context, laws))
        return replace(state, points=self._spread(data, rng))

    def _with_guests(self, context: Context, state: Pack) -> Pack:
        if len(state.guests) == 0:
            return state
        guests = state.guests.take(context.admissible(state.guests) > 0)
        vectors = _vectors(context, guests)
        given = vectors[-(self.wolves // 2) :]  # of a front, the ones that fit best
        points = np.concatenate([state.points[: self.wolves - len(given)], given])
        return replace(self._knowing(state, guests, vectors), points=points, guests=Batch.empty(guests.names))

    def _knowing(self, state: Pack, laws: Batch, vectors: np.ndarray) -> Pack:
        """More laws to read points by; those known longest are forgotten."""
        both = Batch.concatenate([state.laws, laws])
        kept = np.arange(max(0, len(both) - self.known), len(both))
        return replace(state, laws=both.take(kept), vectors=np.concatenate([state.vectors, vectors])[kept])

    def _spread(self, data: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A new pack: the embeddings of the data and of its halves, and points around the first."""
        noise = rng.standard_normal((max(0, self.wolves - len(data)), data.shape[1])).astype(np.float32)
        return _unit(np.concatenate([data, data[0] + noise * (SPREAD / np.sqrt(data.shape[1]))])[: self.wolves])

    def _read(self, context: Context, state: Pack, rng: np.random.Generator) -> tuple[Batch, np.ndarray]:
        """The laws that climbs started from and came past, each closer to its point than the one it varies, and their vectors; the
        closest first."""
        close = np.argsort(-(state.points @ state.vectors.T), axis=1, kind="stable")[:, : self.near]
        point = np.repeat(state.points, close.shape[1], axis=0)
        laws, vectors = state.laws.take(close.ravel()), state.vectors[close.ravel()]
        cosine = np.einsum("ij,ij->i", vectors, point)
        trail = [(laws, vectors, cosine)]
        wanted = None if context.typing is None else context.typing.through("")
        first = np.repeat(np.arange(len(laws)), self.variants)
        for _ in range(self.climbs):
            seed = int(rng.integers(1 << 62))
            children = breed(laws, first, rng.permutation(first), context.rules, context.max_complexity, seed, context.typing, wanted)
            of_children = _vectors(context, children)
            reached = np.einsum("ij,ij->i", of_children, point[first])
            closer = reached > cosine[first]
            trail.append((children.take(closer), of_children[closer], reached[closer]))
            chosen = np.arange(len(laws)) * self.variants + reached.reshape(-1, self.variants).argmax(axis=1)
            climbs = closer[chosen]
            laws = Batch.concatenate([laws, children]).take(np.where(climbs, len(laws) + chosen, np.arange(len(laws))))
            vectors, cosine = np.where(climbs[:, None], of_children[chosen], vectors), np.where(climbs, reached[chosen], cosine)
        laws, vectors, cosine = (f([part[k] for part in trail]) for k, f in enumerate((Batch.concatenate, np.concatenate, np.concatenate)))
        order = np.argsort(-cosine, kind="stable")
        return laws.take(order), vectors[order]


def moved(points: np.ndarray, leaders: np.ndarray, range_: float, rng: np.random.Generator) -> np.ndarray:
    """Where the leaders draw points: to the mean of `leader - a |c leader - point|`, a in [-range_, range_) and c in [0, 2) at random.

    >>> moved(np.eye(2)[:1], np.eye(2)[1:], 0.0, np.random.default_rng(0)).tolist()
    [[0.0, 1.0]]
    """
    if len(leaders) == 0:
        return points
    shape = (len(leaders), *points.shape)
    a, c = range_ * rng.uniform(-1, 1, shape), rng.uniform(0, 2, shape)
    to = leaders[:, None] - a * abs(c * leaders[:, None] - points)
    return _unit(to.mean(axis=0)).astype(points.dtype)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _vectors(context: Context, laws: Batch) -> np.ndarray:
    from symnum.encode.remaining import vectors

    return vectors(context.guide.encoder, laws)
