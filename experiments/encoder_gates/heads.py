"""The heads, and the ranking of one-edit neighbours, on reserved laws."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from sklearn.metrics import r2_score, roc_auc_score

from symnum.encode.corpus import Corpus, Minibatch
from symnum.encode.draw import values_each
from symnum.encode.feed import draw_parts
from symnum.encode.graph import Graph
from symnum.encode.properties import CURVE, PROPERTIES
from symnum.encode.public import Encoder

EDITS, PARTS, CHUNK = 16, 3, 64
ROWS = 256  # at most, half of the datasets have fewer
BOOTSTRAP = 100


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """The rank correlation; 0 where one side is constant, as it then tells nothing."""
    from scipy.stats import rankdata

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def interval(statistic: Callable[[np.ndarray], float], count: int) -> list[float]:
    """[value, low, high]: a statistic of the datasets at given places, and 95 % of it over resampled datasets."""
    rng = np.random.default_rng(0)
    drawn = [statistic(rng.integers(count, size=count)) for _ in range(BOOTSTRAP)]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return [float(statistic(np.arange(count))), float(low), float(high)]


def clean(laws: Minibatch) -> np.ndarray:
    """The values of the laws (D, N) without the corpus's noise."""
    return np.where(laws.rows, values_each(laws.expressions, laws.X), 0.0)


def noisy(y: np.ndarray, rows: np.ndarray, level: float, seed: int) -> np.ndarray:
    """y with normal noise of `level` times its spread over the rows that are there."""
    count = rows.sum(axis=1, keepdims=True)
    middle = y.sum(axis=1, keepdims=True) / count
    spread = np.sqrt(np.where(rows, (y - middle) ** 2, 0.0).sum(axis=1, keepdims=True) / count)
    return np.where(rows, y + level * spread * np.random.default_rng(seed).standard_normal(y.shape), 0.0)


@torch.inference_mode()
def looks(encoder: Encoder, laws: Minibatch, y: np.ndarray) -> tuple[np.ndarray, torch.Tensor, torch.Tensor]:
    """Of every dataset the unit vector, the tower's vector, and those of its columns."""
    slots, parts = torch.arange(laws.X.shape[2]), []
    for start in range(0, len(y), CHUNK):
        X, t, columns, rows = (torch.from_numpy(a[start : start + CHUNK]) for a in (laws.X, y, laws.columns, laws.rows))
        parts.append(encoder.model.embed_data(X, t, columns, rows, slots))
    joint, pooled, of_columns = (torch.cat(p) for p in zip(*parts, strict=True))
    return joint.numpy(), pooled, of_columns


@torch.inference_mode()
def remaining(encoder: Encoder, laws: Minibatch, y: np.ndarray, parts) -> np.ndarray:
    """Predicted tokens that remain when `parts` are given as columns."""
    out = []
    X, columns = np.concatenate([laws.X, parts.values], 2), np.concatenate([laws.columns, parts.columns], 1)
    slots = torch.arange(X.shape[2])
    for start in range(0, len(y), CHUNK):
        some = [torch.from_numpy(a[start : start + CHUNK]) for a in (X, y, columns, laws.rows)]
        out.append(encoder.model.log_length(*some, slots).numpy())
    return np.concatenate(out)


def area(truth: np.ndarray, score: np.ndarray) -> float:
    """The area under the curve; NaN where there is one class only."""
    return float(roc_auc_score(truth, score)) if 0 < truth.sum() < len(truth) else np.nan


def auc(truth: np.ndarray, score: np.ndarray) -> float:
    """The mean area over the columns that have both classes."""
    return float(np.nanmean([area(t, s) for t, s in zip(truth.T, score.T, strict=True)]))


def explained(truth: np.ndarray, predicted: np.ndarray) -> float:
    """R² where the truth is known."""
    known = np.isfinite(truth)
    return float(r2_score(truth[known], predicted[known])) if known.sum() > 1 and np.ptp(truth[known]) > 0 else np.nan


def of_properties(laws: Minibatch, predicted: np.ndarray, names: tuple[str, ...], kind: str) -> dict[str, list[float]]:
    """R² of each property that the encoder predicts."""
    out = {}
    for name in names:
        i = PROPERTIES.index(name)
        known = np.flatnonzero(np.isfinite(laws.properties[:, i]))
        if len(known) > 20 and np.ptp(laws.properties[known, i]) > 0:
            t, p = laws.properties[known, i], predicted[known, i]
            out[f"properties.{kind}.{name}"] = interval(lambda at, t=t, p=p: explained(t[at], p[at]), len(known))
    return out


@torch.inference_mode()
def from_symbols(encoder: Encoder, laws: Minibatch) -> np.ndarray:
    """Properties predicted from the laws' symbols (D, P)."""
    columns = laws.X.shape[2]
    graph = Graph.of(laws.expressions, np.arange(columns), encoder.columns, encoder.vocabulary.symbols)
    return encoder.model.law_properties(encoder.model.embed_laws(graph)[1]).numpy()


def measure(encoder: Encoder, sizes: dict, seed: int, levels: tuple[float, ...]) -> Iterator[tuple[float, dict[str, list[float]]]]:
    """For every noise level the gates of the heads, as [value, low, high]."""
    variables = encoder.config.corpus.variables
    laws = Corpus(seed, variables=variables, rows=ROWS, views=1, edits=0, gates=True).minibatch(0, sizes["laws"])
    curves = Corpus(seed + 1, variables=1, rows=ROWS, views=1, edits=0, gates=True).minibatch(0, sizes["laws"])
    near = Corpus(seed + 2, variables=3, rows=ROWS, views=1, edits=EDITS, gates=True).minibatch(0, sizes["queries"])
    parts = draw_parts(laws, np.arange(len(laws.X)), PARTS, np.random.default_rng(seed))
    edits = encoder.embed_expressions(near.edits).reshape(len(near.X), EDITS, -1)
    values = [(laws, clean(laws)), (curves, clean(curves)), (near, clean(near))]
    shared = of_properties(laws, from_symbols(encoder, laws), tuple(p for p in PROPERTIES if p not in CURVE), "symbols")
    shared |= of_properties(curves, from_symbols(encoder, curves), CURVE, "symbols")
    for n, level in enumerate(levels):
        y_laws, y_curves, y_near = (noisy(y, m.rows, level, seed + n) for m, y in values)
        found = _heads(encoder, laws, y_laws, parts) | _curves(encoder, curves, y_curves) | _neighbours(encoder, near, y_near, edits)
        yield level, found | (shared if level == 0 else {})


def _heads(encoder: Encoder, laws: Minibatch, y: np.ndarray, parts) -> dict[str, list[float]]:
    _, pooled, of_columns = looks(encoder, laws, y)
    with torch.inference_mode():
        present, relevance = encoder.model.operators(pooled).numpy(), encoder.model.relevance(of_columns)[..., 0].numpy()
        length, properties = encoder.model.length(pooled)[:, 0].numpy(), encoder.model.properties(pooled).numpy()
    rest, count = remaining(encoder, laws, y, parts), len(y)

    def relevant(at: np.ndarray) -> float:
        there = laws.columns[at]
        return area(laws.relevant[at][there], relevance[at][there])

    return {
        "length.spearman": interval(lambda at: spearman(length[at], laws.length[at]), count),
        "remaining.spearman": interval(lambda at: spearman(rest[at], parts.length[at]), count),
        "operators.auc": interval(lambda at: auc(laws.operators[at], present[at]), count),
        "relevance.auc": interval(relevant, count),
        **of_properties(laws, properties, tuple(p for p in PROPERTIES if p not in CURVE), "data"),
    }


def _curves(encoder: Encoder, curves: Minibatch, y: np.ndarray) -> dict[str, list[float]]:
    with torch.inference_mode():
        return of_properties(curves, encoder.model.properties(looks(encoder, curves, y)[1]).numpy(), CURVE, "data")


def _neighbours(encoder: Encoder, near: Minibatch, y: np.ndarray, edits: np.ndarray) -> dict[str, list[float]]:
    """The mean over laws of the correlation over a law's neighbours."""
    data, each = looks(encoder, near, y)[0], []
    for d, error in enumerate(near.edit_error):
        known = np.isfinite(error)
        if known.sum() > 3:
            each.append(spearman(edits[d, known] @ data[d], -error[known]))
    found = np.array(each)
    return {"neighbours.spearman": interval(lambda at: float(found[at].mean()), len(found))}
