"""The corpus: laws with data that they generated, for encoders to learn from. Made on the fly, without end, and reproducible.

A minibatch is a pure function of (seed, index, size). Skeletons come from the shipped grammars (`skeletons.Source`); each is given
several sets of constants and points (`draw`), one-edit neighbours that are other laws, and the properties of its values.
Formulas of the benchmarks that this project is measured on never occur, in no spelling and with no names of columns, as far as
`skeletons.renamed_keys` recognises them: `held_out.txt` holds their keys (experiments/encoder_corpus).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from symnum.encode.draw import LEAST_ROWS, compact, draw_columns, draw_constants, draw_noise, values_each, varies
from symnum.encode.keys import UNDEFINED, skeleton_keys
from symnum.encode.properties import PROPERTIES, law_properties, probe_points, probes
from symnum.encode.skeletons import (
    GRAMMARS,
    NEW,
    OPERATORS,
    Source,
    batch_of,
    collapsed,
    depends,
    lists,
    neighbour,
    renamed_keys,
    sound,
    uses,
)
from symnum.language.batch import Batch
from symnum.language.ops import CONST, OPS

ROUNDS = 5  # times that points and constants are drawn for a skeleton; from the third on, columns are positive
TRIES = 12  # neighbours drawn for each that is wanted
RESERVED = 20  # one skeleton in so many is kept for the gates
INVISIBLE = -20.0  # log10 of the relative squared error of a neighbour that the rows do not tell from the law


@dataclass(frozen=True)
class Minibatch:
    """D datasets of N rows over V columns x0 … x{V-1}; those of one skeleton stand together.

    Attributes:
        X: (D, N, V) float64, 0 where there is no column or no row.
        y: (D, N) float64 with the noise, 0 where there is no row.
        columns: (D, V) bool: columns that there are: those of the law and of its neighbours, and some that are in none.
        rows: (D, N) bool: rows that there are, the first 16 … N.
        expressions: D laws, their constants as they generated the data.
        edits: E*D one-edit neighbours of the laws, those of a law together: never equivalent to it.
        edit_error: (D, E) log10 of the relative squared error, against the noiseless values on the same rows, of the
            neighbour with the law's constants; NaN where it is not finite.
        skeleton: (D,) uint64 keys (`keys.skeleton_keys`).
        operators: (D, O) bool: which of OPERATORS the law is written with.
        relevant: (D, V) bool: columns that the law depends on.
        length: (D,) int64 tokens of the law.
        properties: (D, P) of the law's noiseless values (`properties.PROPERTIES`), NaN where not defined.
    """

    X: np.ndarray
    y: np.ndarray
    columns: np.ndarray
    rows: np.ndarray
    expressions: Batch
    edits: Batch
    edit_error: np.ndarray
    skeleton: np.ndarray
    operators: np.ndarray
    relevant: np.ndarray
    length: np.ndarray
    properties: np.ndarray


@cache
def held_out() -> np.ndarray:
    """The keys up to renaming (K,) uint64, sorted, of the formulas that the corpus leaves out."""
    text = Path(__file__).with_name("held_out.txt").read_text(encoding="utf-8")
    return np.array(sorted(int(line, 16) for line in text.split()), np.uint64)


def reserved(keys: np.ndarray) -> np.ndarray:
    """Which skeletons (P,) bool, by their keys up to renaming, are never trained on, so that gates have new ones: one in twenty.

    >>> reserved(np.array([40, 41], np.uint64)).tolist()
    [True, False]
    """
    return keys % np.uint64(RESERVED) == 0


class Corpus:
    """An endless corpus of laws and data.

    Args:
        seed: of everything.
        variables: columns of every array; a dataset has 1 … variables of them.
        rows: rows of every array, at least 16; half of the datasets have as many, the others 16 … rows, log-uniform.
        views: datasets of every skeleton, with other constants and other points.
        edits: neighbours of every law.
        grammars: shipped grammar -> weight.
        gates: draw the laws that training leaves out (`reserved`), and those alone.

    Raises:
        ValueError: a number that is too small, or weights that cannot be.

    >>> corpus = Corpus(0, variables=2, rows=32)
    >>> batch = corpus.minibatch(7, 4)
    >>> batch.X.shape, len(batch.edits), bool((batch.skeleton[::2] == batch.skeleton[1::2]).all())
    ((4, 32, 2), 8, True)
    """

    def __init__(
        self, seed: int, *, variables: int = 5, rows: int = 128, views: int = 2, edits: int = 2, grammars: Mapping[str, float] = GRAMMARS,
        gates: bool = False,
    ):
        for name, given, least in (("seed", seed, 0), ("variables", variables, 1), ("rows", rows, LEAST_ROWS), ("views", views, 1),
                                   ("edits", edits, 0)):
            if given < least:
                msg = f"{name} must be at least {least}, got {given}"
                raise ValueError(msg)
        self.seed, self.variables, self.rows, self.views, self.edits, self.gates = seed, variables, rows, views, edits, gates
        self.names = tuple(f"x{i}" for i in range(variables))
        self.source = Source(self.names, grammars)

    def minibatch(self, index: int, size: int) -> Minibatch:
        """The minibatch number `index` of `size` datasets.

        Raises:
            ValueError: the size is not a positive multiple of the views, or the index is negative.
        """
        if size < 1 or size % self.views:
            msg = f"size must be a positive multiple of views = {self.views}, got {size}; try {-(-max(size, 1) // self.views) * self.views}"
            raise ValueError(msg)
        if index < 0:
            msg = f"index must be at least 0, got {index}"
            raise ValueError(msg)
        rng = np.random.default_rng([self.seed, index, size])
        wanted, parts = size // self.views, []
        while wanted > 0:
            part = self._made(rng, wanted)
            parts.append(part)
            wanted -= len(part.X) // self.views
        return parts[0] if len(parts) == 1 else _joined(parts)

    def _skeletons(self, rng: np.random.Generator, count: int) -> tuple[Batch, np.ndarray, np.ndarray]:
        """At most `count` skeletons that are allowed, their keys, and the columns that they depend on."""
        batch = self.source.draw(rng, RESERVED * count if self.gates else count)
        keys = skeleton_keys(batch)
        keep = sound(batch, keys)
        renamed = renamed_keys(batch.take(keep))
        keep[keep] = ~np.isin(renamed, held_out()) & (reserved(renamed) == self.gates)
        batch, keys = batch.take(keep), keys[keep]
        relevant = depends(batch, keys)
        some = relevant.any(axis=1)
        return batch.take(some), keys[some], relevant[some]

    def _neighbours(self, rng: np.random.Generator, batch: Batch, keys: np.ndarray) -> tuple[Batch, np.ndarray]:
        """Neighbours of each skeleton, other laws all: `edits` of each that has as many, and which those are."""
        E = self.edits
        if E == 0:
            return Batch.empty(self.names), np.arange(len(batch))
        tokens = lists(batch)
        found: list[dict] = [{} for _ in tokens]
        for _ in range(TRIES):
            owner = [i for i, f in enumerate(found) if len(f) < E for _ in range(E - len(f))]
            if not owner:
                break
            drawn = [collapsed(neighbour(tokens[i], len(self.names), rng)) for i in owner]
            drawn_batch = batch_of(drawn, self.names)
            edit_keys = skeleton_keys(drawn_batch)
            renamed = renamed_keys(drawn_batch)
            allowed = ~np.isin(renamed, held_out()) & (self.gates | ~reserved(renamed))
            other = (edit_keys != keys[owner]) & (edit_keys != UNDEFINED) & allowed
            for i, edit, key, good in zip(owner, drawn, edit_keys.tolist(), other.tolist(), strict=True):
                if good:
                    found[i].setdefault(key, edit)
        complete = [i for i, f in enumerate(found) if len(f) >= E]
        return batch_of([edit for i in complete for edit in list(found[i].values())[:E]], self.names), np.array(complete, np.int64)

    def _made(self, rng: np.random.Generator, most: int) -> Minibatch:
        """Datasets of at most `most` skeletons; there may be fewer where many of those drawn fail the checks."""
        V, N, views = self.variables, self.rows, self.views
        batch, keys, relevant = self._skeletons(rng, 7 * most // 4 + 16)
        few = np.arange(min(len(batch), most + most // 16 + 4))  # 2 % never get data
        batch, keys, relevant = batch.take(few), keys[few], relevant[few]
        edits, complete = self._neighbours(rng, batch, keys)
        batch, keys, relevant = batch.take(complete), keys[complete], relevant[complete]
        D = views * len(batch)
        owner = np.repeat(np.arange(len(batch)), views)
        laws = batch.take(owner)
        X, y, rows = np.zeros((D, N, V)), np.zeros((D, N)), np.zeros((D, N), bool)
        free = np.flatnonzero(laws.code == CONST)
        value, todo = laws.value.copy(), np.arange(D)
        for attempt in range(ROUNDS):
            Z = draw_columns(rng, len(todo), N, V, 1.0 if attempt > 1 else 0.4)
            value[free] = np.where(np.isin(_owners(laws)[free], todo), draw_constants(rng, len(free)), value[free])
            part = replace(laws, value=value).take(todo)
            wanted = np.where(rng.random(len(todo)) < 0.5, N, np.exp(rng.uniform(np.log(LEAST_ROWS), np.log(N + 1), len(todo))).astype(int))
            wanted = np.clip(wanted, LEAST_ROWS, N)
            Z, f, there = compact(Z, values_each(part, Z), wanted)
            good = (there.sum(axis=1) == wanted) & varies(f, there)
            X[todo[good]], y[todo[good]], rows[todo[good]] = Z[good], f[good], there[good]
            todo = todo[~good]
            if len(todo) == 0:
                break
        laws = replace(laws, value=value)
        error, near = self._errors(rng, laws, edits, owner, X, y, rows)
        failed = ~rows.any(axis=1) | (error < INVISIBLE).any(axis=1)
        kept = np.flatnonzero(np.bincount(owner[failed], minlength=len(batch)) == 0)[:most]
        at = (views * kept[:, None] + np.arange(views)).ravel()
        pick = (self.edits * at[:, None] + np.arange(self.edits)).ravel()
        law, kept_X, kept_y, kept_rows, used = laws.take(at), X[at], y[at], rows[at], relevant[owner[at]]
        properties = self._properties(law, kept_X, kept_rows, used)
        near = near.take(pick)
        written = uses(law) | uses(near).reshape(len(at), self.edits, V).any(axis=1)
        columns = written | (rng.random((len(at), V)) < rng.random((len(at), 1)))
        noisy = kept_y + draw_noise(rng, kept_y, kept_rows)
        return Minibatch(
            np.where(columns[:, None, :], kept_X, 0.0), noisy, columns, kept_rows, law, near, error[at],
            keys[owner[at]], _operators(law), used, law.lengths, properties)

    def _errors(self, rng, laws: Batch, edits: Batch, owner: np.ndarray, X, y, rows) -> tuple[np.ndarray, Batch]:
        """log10 of the neighbours' relative squared errors (D, E), and the neighbours with the constants of each dataset."""
        D, E = len(laws), self.edits
        if E == 0:
            return np.zeros((D, 0)), edits
        near = edits.take((E * owner[:, None] + np.arange(E)).ravel())
        constants = np.concatenate([laws.constants, [0.0]])
        first = np.concatenate([[0], np.cumsum(laws.n_constants)])[:-1]
        free = near.code == CONST
        own = near.value[free]
        law = np.repeat(np.repeat(np.arange(D), E), near.n_constants)
        kept = constants[np.where(own == NEW, len(constants) - 1, first[law] + own).astype(np.int64)]
        near = near.with_constants(np.where(own == NEW, draw_constants(rng, len(own)), kept))
        values = values_each(near, X).reshape(D, E, -1)
        there = rows[:, None]
        with np.errstate(all="ignore"):
            count = np.maximum(rows.sum(axis=1, keepdims=True), 1)
            centred = np.where(rows, y - y.sum(axis=1, keepdims=True) / count, 0.0)
            residual = np.where(there, values - y[:, None], 0.0)
            error = np.log10((residual**2).sum(axis=2) / (centred**2).sum(axis=1, keepdims=True))
        error[error == -np.inf] = 2 * INVISIBLE
        return np.where(np.isfinite(error), error, np.nan), near

    def _properties(self, laws: Batch, X: np.ndarray, rows: np.ndarray, relevant: np.ndarray) -> np.ndarray:
        if len(laws) == 0:
            return np.zeros((0, len(PROPERTIES)))
        points = probe_points(probes(X, rows.sum(axis=1)), relevant)
        return law_properties(points, values_each(laws, points), relevant)


def _owners(batch: Batch) -> np.ndarray:
    """The expression that every token belongs to."""
    return np.repeat(np.arange(len(batch)), batch.lengths)


def _operators(batch: Batch) -> np.ndarray:
    """Which of OPERATORS each expression is written with (P, O)."""
    place = np.full(256, -1)
    place[[OPS[name].code for name in OPERATORS]] = np.arange(len(OPERATORS))
    out = np.zeros((len(batch), len(OPERATORS)), bool)
    column = place[batch.code]
    known = column >= 0
    out[_owners(batch)[known], column[known]] = True
    return out


def _joined(parts: list[Minibatch]) -> Minibatch:
    """Minibatches one after the other."""
    fields = {name: [getattr(p, name) for p in parts] for name in Minibatch.__dataclass_fields__}
    return Minibatch(**{
        name: Batch.concatenate(v) if isinstance(v[0], Batch) else np.concatenate(v) for name, v in fields.items()})
