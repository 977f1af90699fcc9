"""An index of embedded skeletons: which laws could have made these data, before any is evaluated.

    index = SkeletonIndex.build(encoder)                     drawn from the shipped grammars, some seconds
    laws, cosine = index.nearest(encoder, X, y, k=100)       skeletons over the columns of X, the nearest first

A skeleton is kept once, whatever its columns are called: its columns are the slots 0, 1, … in order of appearance. A slot is
a label that means nothing but "this column", so the query is what is renamed: the data are looked at once for each
assignment of columns to slots, all in one pass, and every look is compared with every skeleton by one matrix product.
That embeddings of data find the laws near them is the contrastive training's doing, as in SNIP (Meidani et al. 2024, arXiv:2310.02227).
"""

import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from math import factorial, perm
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from symnum.encode.corpus import held_out
from symnum.encode.keys import UNDEFINED, skeleton_keys
from symnum.encode.skeletons import Source, depends, renamed_keys, sound, uses
from symnum.language.batch import Batch
from symnum.language.ops import CONST, VAR, all_ops

if TYPE_CHECKING:
    from symnum.encode.public import Encoder

SIZE = 1 << 15  # skeletons, where no other number is given
COLUMNS = 3  # of a skeleton at most
CANDIDATES = 4  # columns of the data that a law may use at most: the most relevant ones
DRAWN = 1 << 14  # skeletons drawn at a time
SCALE = 127  # the largest component of a vector as int8
FORMAT = 1


class SkeletonIndex:
    """Skeletons with their embeddings, of one encoder.

    Args:
        skeletons: over columns x0, x1, …, each law once (see `canonical`).
        vectors: (N, k) int8, the directions of their embeddings.
        digest: of the encoder's weights (`Encoder.digest`).
    """

    def __init__(self, skeletons: Batch, vectors: np.ndarray, digest: str):
        self.skeletons, self.vectors, self.digest = skeletons, vectors, digest
        self.used = uses(skeletons).sum(axis=1)
        unit = vectors.astype(np.float32)
        self._unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1)  # (N, k)

    def __len__(self) -> int:
        return len(self.skeletons)

    # making -------------------------------------------------------------------------------------------------------------
    @classmethod
    def build(cls, encoder: "Encoder", size: int = SIZE, seed: int = 0, columns: int = COLUMNS) -> "SkeletonIndex":
        """An index of random skeletons; see `draw_skeletons`.

        Raises:
            ValueError: a size or a number of columns that cannot be.
        """
        return cls.of(encoder, draw_skeletons(size, seed, min(columns, encoder.columns)))

    @classmethod
    def of(cls, encoder: "Encoder", skeletons: Batch) -> "SkeletonIndex":
        """An index of given skeletons, which are kept as they are.

        Raises:
            ValueError: an operator that the encoder was not trained with, or too many columns.
        """
        vectors = np.empty((len(skeletons), encoder.config.model.joint), np.float32)
        for start in range(0, len(skeletons), DRAWN):
            part = np.arange(start, min(start + DRAWN, len(skeletons)))
            vectors[part] = encoder.embed_expressions(skeletons.take(part), generic=True)
        largest = np.abs(vectors).max(axis=1, keepdims=True, initial=1e-30)  # a direction is kept: a scale of its own costs nothing
        return cls(skeletons, np.rint(vectors * (SCALE / largest)).astype(np.int8), encoder.digest)

    # files --------------------------------------------------------------------------------------------------------------
    def save(self, path: str | Path) -> Path:
        """Write an .npz file of tokens and vectors, nothing pickled; operators are written by name."""
        s = self.skeletons
        about = {"format": FORMAT, "digest": self.digest, "columns": len(s.names), "operators": {op.name: op.code for op in all_ops()}}
        path = Path(path)
        with path.open("wb") as file:
            np.savez_compressed(
                file, about=np.array(json.dumps(about)), code=s.code, arg=s.arg.astype(np.uint8), value=s.value.astype(np.float32),
                length=s.lengths.astype(np.uint16), vectors=self.vectors)
        return path

    @classmethod
    def load(cls, path: str | Path, encoder: "Encoder") -> "SkeletonIndex":
        """Read a file of `save`.

        Raises:
            ValueError: no such file, a damaged one, or one of another encoder; the message says what to do.
        """
        path, remedy = Path(path), "make it again with `symnum encode index`"
        if not path.is_file():
            msg = f"an index of skeletons was required, there is no file {path}; {remedy}"
            raise ValueError(msg)
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = {name: file[name] for name in ("code", "arg", "value", "length", "vectors")}
                about = json.loads(str(file["about"]))
        except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            msg = f"{path} is damaged or no index of skeletons ({error}); {remedy}"
            raise ValueError(msg) from None
        if about.get("format") != FORMAT:
            msg = f"{path} must be an index of format {FORMAT}, got {about.get('format')}; {remedy}"
            raise ValueError(msg)
        if about.get("digest") != encoder.digest:
            msg = f"{path} is the index of another encoder, or of this one at another step of its training; {remedy}"
            raise ValueError(msg)
        return cls(_read_skeletons(arrays, about, path, remedy), arrays["vectors"], about["digest"])

    # use ----------------------------------------------------------------------------------------------------------------
    def nearest(
        self, encoder: "Encoder", X, y, k: int = 10, names: Sequence[str] | None = None, distinct: bool = True
    ) -> tuple[Batch, np.ndarray]:
        """The k laws whose embeddings are nearest to that of the data.

        A skeleton counts once for each assignment of columns that makes another law of it. Of data of more than CANDIDATES
        columns, those count that the encoder finds most relevant.

        Args:
            encoder: the one that the index is of.
            X: (N, V) data.
            y: (N,) values.
            k: laws wanted; fewer come where there are fewer.
            names: of the columns; x0, x1, … by default.
            distinct: keep one spelling of a law, which costs more than all else; else what the same operators spell otherwise may
                be there twice.

        Returns:
            skeletons over `names`, their free constants 1, and cosines (k,), descending.

        Raises:
            ValueError: data that the encoder does not take (`Encoder.embed_data`), k < 1, or names that are not one for each column.
        """
        if k < 1:
            msg = f"k must be at least 1, got {k}"
            raise ValueError(msg)
        relevance = encoder.look(X, y).relevance if np.ndim(X) == 2 and CANDIDATES < np.shape(X)[1] else None
        width = np.shape(X)[1] if np.ndim(X) == 2 else 1
        names = tuple(f"x{i}" for i in range(width)) if names is None else tuple(names)
        if len(names) != width or len(set(names)) != width:
            msg = f"{width} distinct names, one for each column, were required, got {list(names)}"
            raise ValueError(msg)
        orders = column_orders(np.zeros(width) if relevance is None else relevance, len(self.skeletons.names))
        cosine = encoder.embed_data(X, y, orders) @ self._unit.T  # (A, N)
        if width < len(self.skeletons.names):
            cosine[:, self.used > width] = -np.inf
        flat = cosine.ravel()
        wanted = min(k * _repeats(min(width, CANDIDATES), min(width, len(self.skeletons.names))), len(flat))
        top = np.argpartition(-flat, wanted - 1)[:wanted] if wanted else np.empty(0, np.int64)
        top = top[np.isfinite(flat[top])]
        top = top[np.lexsort((top, -flat[top]))]
        order, which = np.divmod(top, max(len(self), 1))
        laws = over(self.skeletons.take(which), orders[order], names)
        first = _first_of_each(laws, k, distinct)
        return laws.take(first), flat[top[first]]


def draw_skeletons(size: int = SIZE, seed: int = 0, columns: int = COLUMNS) -> Batch:
    """Distinct canonical skeletons from the shipped grammars, the simplest first; none of a benchmark's formulas is among them.

    Args:
        size: how many.
        seed: of the draws.
        columns: that a skeleton has at most.

    Raises:
        ValueError: a size or a number of columns below 1.

    >>> laws = draw_skeletons(30, columns=2)
    >>> len(laws), laws.names, bool((np.diff(laws.lengths) >= 0).all())
    (30, ('x0', 'x1'), True)
    """
    for name, given in (("size", size), ("columns", columns)):
        if given < 1:
            msg = f"{name} must be at least 1, got {given}"
            raise ValueError(msg)
    source, rng = Source(tuple(f"x{i}" for i in range(columns))), np.random.default_rng(seed)
    parts: list[Batch] = []
    spellings, laws, have = np.empty(0, np.uint64), held_out(), 0
    while have < size:
        batch = in_order_of_appearance(source.draw(rng, min(DRAWN, 4 * size)))
        keys = skeleton_keys(batch)
        _, new = np.unique(keys, return_index=True)
        new = np.sort(new[~np.isin(keys[new], spellings)])  # cheap: what was judged once is not judged again
        spellings = np.union1d(spellings, keys[new])
        batch, renamed = canonical(batch.take(new), laws)
        laws = np.union1d(laws, renamed)
        parts.append(batch)
        have += len(batch)
    drawn = Batch.concatenate(parts).take(np.arange(size))
    return drawn.take(np.argsort(drawn.lengths, kind="stable"))


def canonical(batch: Batch, known: np.ndarray | None = None) -> tuple[Batch, np.ndarray]:
    """The sound skeletons of a batch that depend on all their columns: each law once, spelled shortest, columns in order of appearance.

    Args:
        batch: P skeletons.
        known: keys up to renaming of laws to leave out.

    Returns:
        skeletons, free constants all 1, and their keys up to renaming (`skeletons.renamed_keys`).

    >>> from symnum.language.expr import Expr
    >>> laws = Batch.pack([Expr.parse(t) for t in ("x2 + sin(x1)", "sin(x0) + x2", "2.5*x2", "x0 - x0")], ["x0", "x1", "x2"])
    >>> [str(e) for e in canonical(laws)[0].unpack()]
    ['1.0*x0', 'x0 + sin(x1)']
    """
    batch = in_order_of_appearance(batch)
    keys = skeleton_keys(batch)
    good = keys != UNDEFINED
    batch, keys = batch.take(good), keys[good]
    good = sound(batch, keys)
    batch, keys = batch.take(good), keys[good]
    needs, written = depends(batch, keys), uses(batch)
    batch = batch.take(needs.any(axis=1) & (needs == written).all(axis=1))
    batch = batch.take(np.argsort(batch.lengths, kind="stable"))
    renamed = renamed_keys(batch)
    _, first = np.unique(renamed, return_index=True)
    first = np.sort(first if known is None else first[~np.isin(renamed[first], known)])
    return replace(batch, value=np.where(batch.code == CONST, 1.0, batch.value)).take(first), renamed[first]


def in_order_of_appearance(batch: Batch) -> Batch:
    """The columns of every expression renumbered 0, 1, … as they first appear."""
    owner = np.repeat(np.arange(len(batch)), batch.lengths)
    at = np.flatnonzero(batch.code == VAR)
    first = np.full((len(batch), len(batch.names)), len(batch.code), np.int64)
    np.minimum.at(first, (owner[at], batch.arg[at]), at)
    rank = first.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    arg = batch.arg.copy()
    arg[at] = rank[owner[at], arg[at]]
    return replace(batch, arg=arg)


def column_orders(relevance: np.ndarray, columns: int = COLUMNS) -> np.ndarray:
    """Orders (A, V) of the columns of data: every choice for the first `columns` places from the most relevant ones, the others after them.

    >>> column_orders(np.zeros(2)).tolist(), len(column_orders(np.zeros(3))), len(column_orders(np.zeros(9)))
    ([[0, 1], [1, 0]], 6, 24)
    """
    width = len(relevance)
    able = np.sort(np.argsort(-relevance, kind="stable")[:CANDIDATES]).tolist()
    return np.array([[*chosen, *(c for c in range(width) if c not in chosen)] for chosen in permutations(able, min(columns, len(able)))])


def _repeats(able: int, columns: int) -> int:
    """How often one law is among (order, skeleton) at most: orders that differ where it has no column, times its symmetries."""
    return max(perm(able, columns) // perm(able, n) * factorial(n) for n in range(1, columns + 1))


def _first_of_each(laws: Batch, k: int, distinct: bool) -> np.ndarray:
    """Where the first k distinct laws stand: cheap hashes see most repetitions, keys the others, as (a*b)*c and (c*b)*a."""
    spelled = np.sort(np.unique(laws.skeleton_hash(), return_index=True)[1])
    if not distinct:
        return spelled[:k]
    for ahead in (2 * k, len(spelled)):
        some = spelled[:ahead]
        first = some[np.sort(np.unique(skeleton_keys(laws.take(some)), return_index=True)[1])]
        if len(first) >= k:
            break
    return first[:k]


def over(batch: Batch, orders: np.ndarray, names: tuple[str, ...]) -> Batch:
    """Skeleton i with column orders[i, c] in place of its c-th."""
    owner = np.repeat(np.arange(len(batch)), batch.lengths)
    arg = np.where(batch.code == VAR, orders[owner, np.minimum(batch.arg, orders.shape[1] - 1)], 0).astype(np.int32)
    return replace(batch, arg=arg, names=names)


def _read_skeletons(arrays: dict[str, np.ndarray], about: dict, path: Path, remedy: str) -> Batch:
    """The skeletons of a file; operators by their names, as codes may differ from version to version."""
    place, now = np.arange(256), {op.name: op.code for op in all_ops()}
    for name, code in about["operators"].items():
        place[code] = now.get(name, 0)
    code = place[arrays["code"]].astype(np.uint8)
    length, count = arrays["length"].astype(np.int64), len(arrays["vectors"])
    lost = ((code == 0) & (arrays["code"] != 0)).any()
    if lost or len(length) != count or not len(code) == len(arrays["arg"]) == len(arrays["value"]) == length.sum():
        msg = f"{path} is damaged or of another version: its tokens and vectors do not belong together; {remedy}"
        raise ValueError(msg)
    names = tuple(f"x{i}" for i in range(about["columns"]))
    return Batch(code, arrays["arg"].astype(np.int32), arrays["value"].astype(float), np.concatenate([[0], np.cumsum(length)]), names)
