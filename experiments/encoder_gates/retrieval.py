"""How often the true skeleton is among the nearest ones of a large index."""

from collections.abc import Iterator

import numpy as np
from heads import EDITS, ROWS, clean, noisy
from make_held_out import readings
from problems import load, training_rows

from symnum.encode.corpus import Corpus
from symnum.encode.index import SkeletonIndex, canonical, draw_skeletons
from symnum.encode.keys import skeleton_keys
from symnum.encode.public import Encoder
from symnum.encode.skeletons import batch_of, collapsed, lists, renamed_keys
from symnum.language.batch import Batch

COLUMNS = 3
NAMES = tuple(f"x{i}" for i in range(COLUMNS))
AT = (1, 10, 100, 1000)


def wilson(hits: int, count: int) -> list[float]:
    """[share, low, high] with the interval of Wilson (1927, doi:10.1080/01621459.1927.10502953) at 95 %."""
    z, share = 1.959964, hits / count
    middle, half = share + z * z / (2 * count), z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    low, high = (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count)
    return [share, max(0.0, float(low)), min(1.0, float(high))]


def recalls(name: str, ranks: np.ndarray) -> dict[str, list[float]]:
    """Shares of the ranks (0: first) that are small enough."""
    return {f"{name}.recall@{k}": wilson(int((ranks < k).sum()), len(ranks)) for k in AT}


def feynman() -> list[tuple[np.ndarray, np.ndarray, Batch]]:
    """Data and the law's skeletons (its numbers as written, and all free but exponents) of each Feynman problem, over its columns."""
    out = []
    for problem in load("feynman"):
        X, y = training_rows(problem, ROWS)
        columns = [v["name"] for v in problem["variables"]]
        laws = Batch.pack(readings(problem["expression"], columns, []), [f"x{i}" for i in range(len(columns))])
        out.append((X, y, batch_of([collapsed(t) for t in lists(laws)], laws.names)))
    return out


def measure(encoder: Encoder, sizes: dict, seed: int, levels: tuple[float, ...]) -> Iterator[tuple[float, dict[str, list[float]]]]:
    """For every noise level the shares found."""
    laws = Corpus(seed + 2, variables=COLUMNS, rows=ROWS, views=1, edits=EDITS, gates=True).minibatch(0, sizes["queries"])
    problems = feynman()
    small = [p for p in problems if p[0].shape[1] <= COLUMNS]
    wanted = [laws.expressions, *(Batch(b.code, b.arg, b.value, b.offset, NAMES) for _, _, b in small)]
    own, own_keys = canonical(Batch.concatenate(wanted))
    drawn = draw_skeletons(sizes["index"], seed, COLUMNS)
    others = drawn.take(~np.isin(renamed_keys(drawn), own_keys))
    rng = np.random.default_rng(seed)
    others = others.take(np.sort(rng.permutation(len(others))[: sizes["index"] - len(own)]))
    index = SkeletonIndex.of(encoder, Batch.concatenate([own, others]))
    known = np.isin(renamed_keys(laws.expressions), own_keys)  # not in it: laws written with a column that they do not depend on
    y = clean(laws)
    for n, level in enumerate(levels):
        seen = noisy(y, laws.rows, level, seed + n)
        ranks = [_rank(index, encoder, laws.X[d, laws.rows[d]][:, laws.columns[d]], seen[d, laws.rows[d]],
                       np.flatnonzero(laws.columns[d]), laws.skeleton[d : d + 1]) for d in np.flatnonzero(known)]
        feynman_ranks, given = [], []
        for X, t, b in problems:
            noisy_t = noisy(t[None], np.ones((1, len(t)), bool), level, seed + n)[0]
            if X.shape[1] <= COLUMNS:
                feynman_ranks.append(_rank(index, encoder, X, noisy_t, np.arange(X.shape[1]), skeleton_keys(b)))
            given.append(_rank_given(index, encoder, X, noisy_t, b))
        yield level, recalls("retrieval", np.array(ranks)) | recalls("feynman", np.array(feynman_ranks)) | recalls(
            "feynman.all.order_given", np.array(given))


def _rank(index: SkeletonIndex, encoder: Encoder, X: np.ndarray, y: np.ndarray, columns: np.ndarray, keys: np.ndarray) -> int:
    """The place of the law, with its columns where they belong, among what the index gives; AT[-1] where it is not among it."""
    found, _ = index.nearest(encoder, X, y, AT[-1])
    at = np.flatnonzero(np.isin(skeleton_keys(found, np.tile(columns, (len(found), 1))), keys))
    return int(at[0]) if len(at) else AT[-1]


def _rank_given(index: SkeletonIndex, encoder: Encoder, X: np.ndarray, y: np.ndarray, laws: Batch) -> int:
    """The place of a law of any number of columns, put among the index's skeletons, when the order of the columns is given."""
    data, unit = encoder.embed_data(X, y), index.vectors.astype(np.float32)
    best = (encoder.embed_expressions(laws, generic=True) @ data).max()
    others = unit @ data / np.linalg.norm(unit, axis=1)
    return int(((others > best + 1e-6) & (index.used <= X.shape[1])).sum())
