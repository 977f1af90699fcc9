"""What one training step needs, made ahead of time: a minibatch, its laws as a graph, and sub-expressions as columns.

A feed is a pure function of (config, index): the same in this process, in a worker and after a resumption. Workers are
fresh processes (a forked one would inherit the threads of numba and torch) and import no torch.
"""

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from symnum.encode.config import Config
from symnum.encode.graph import Graph, subtrees
from symnum.language.batch import Batch
from symnum.language.ops import CONST, NUMBER

if TYPE_CHECKING:
    from symnum.encode.corpus import Corpus, Minibatch

AHEAD = 2  # feeds under way for each worker


@dataclass(frozen=True, slots=True)
class Parts:
    """Sub-expressions of M of the laws as columns, and what remains of the law.

    Attributes:
        dataset: (M,) which dataset.
        values: (M, N, K) float64, 0 where there is no column.
        columns: (M, K) bool, the columns that there are.
        length: (M,) tokens of the law when every occurrence of a column's expression is one token.
    """

    dataset: np.ndarray
    values: np.ndarray
    columns: np.ndarray
    length: np.ndarray


@dataclass(frozen=True, slots=True)
class Feed:
    """One step's input.

    Attributes:
        minibatch: D datasets with their laws and the laws' neighbours.
        slots: (V + K,) slots of the columns, then of the sub-expressions.
        graph: of the laws, then of their neighbours.
        parts: sub-expressions for the length head.
    """

    minibatch: "Minibatch"
    slots: np.ndarray
    graph: Graph
    parts: Parts


def make_feed(minibatch: "Minibatch", config: Config, operators: tuple[str, ...], index: int) -> Feed:
    """The feed of a minibatch; what is drawn depends on the seed and the index alone.

    Raises:
        ValueError: the minibatch has another number of columns than the config says.
    """
    rng = np.random.default_rng([config.train.seed, index])
    variables = minibatch.X.shape[2]
    if variables + config.train.parts > config.model.slots:
        msg = f"at most {config.model.slots - config.train.parts} columns were required, got {variables}; raise slots in [model]"
        raise ValueError(msg)
    slots = rng.permutation(config.model.slots)[: variables + config.train.parts]
    size = len(minibatch.expressions)
    generic = rng.random(size) < config.train.generic
    edits = len(minibatch.edits) // size
    laws = Batch.concatenate([minibatch.expressions, minibatch.edits]) if edits else minibatch.expressions
    graph = Graph.of(laws, slots, config.model.slots, operators, np.concatenate([generic, np.repeat(generic, edits)]))
    chosen = np.flatnonzero(rng.random(size) < config.train.subexpressions)
    return Feed(minibatch, slots, graph, draw_parts(minibatch, chosen, config.train.parts, rng))


def draw_parts(minibatch: "Minibatch", datasets: np.ndarray, most: int, rng: np.random.Generator) -> Parts:
    """For each dataset up to `most` sub-expressions of its law and of a neighbour, as columns.

    The idea is that of SR4MDL (Yu, Ding, Li & Jin 2025, ICLR, arXiv:2411.03753): how much of a law remains when some values
    are given tells a search which sub-expressions are right; a neighbour's give wrong ones, which shorten nothing.
    """
    from symnum.evaluate.cpu import CpuEvaluator, Rows

    evaluator = CpuEvaluator(1)
    laws, edits = minibatch.expressions, minibatch.edits
    per_law = len(edits) // max(len(laws), 1)
    values = np.zeros((len(datasets), minibatch.X.shape[1], most))
    columns = np.zeros((len(datasets), most), bool)
    length = np.zeros(len(datasets))
    law_keys, edit_keys, law_sizes, edit_sizes = exact_keys(laws), exact_keys(edits), laws.sizes, edits.sizes
    for m, d in enumerate(datasets.tolist()):
        pool = [(law_keys[t], _subtree(laws, law_sizes, t)) for t in _inner(laws, law_sizes, d)]
        if per_law:
            e = d * per_law + int(rng.integers(per_law))
            pool += [(edit_keys[t], _subtree(edits, edit_sizes, t)) for t in _inner(edits, edit_sizes, e)]
        count = min(int(rng.integers(most + 1)), len(pool))
        drawn = dict(pool[i] for i in rng.permutation(len(pool))[:count])  # equal subtrees are one column
        rows, kept = minibatch.rows[d], set()
        for k, (key, expression) in enumerate(drawn.items()):
            y = evaluator.values(expression, Rows.pack(minibatch.X[d, rows], laws.names)).y[0]
            if np.isfinite(y).all() and np.abs(y).max() < np.finfo(np.float32).max and np.ptp(y) > 0:
                values[m, rows, k], columns[m, k] = y, True
                kept.add(key)
        length[m] = remaining(law_keys, law_sizes, int(laws.offset[d]), int(laws.offset[d + 1]), kept)
    return Parts(datasets, values, columns, length)


def exact_keys(batch: Batch) -> np.ndarray:
    """(T,) a key for the subtree of every token, constants included to the last bit."""
    constant = (batch.code == CONST) | (batch.code == NUMBER)
    leaf = np.where(constant, batch.value.view(np.int64), batch.arg)
    return subtrees(leaf * 257 + batch.code, batch)[0]


def remaining(key: np.ndarray, size: np.ndarray, start: int, stop: int, given: set[int]) -> int:
    """Tokens of the law in tokens start … stop when each subtree whose key is given is one token.

    >>> remaining(np.array([1, 2, 3]), np.array([1, 1, 3]), 0, 3, {3}), remaining(np.array([1, 2, 3]), np.array([1, 1, 3]), 0, 3, set())
    (1, 3)
    """
    total, t = 0, stop - 1
    while t >= start:  # from the root: what is inside a given subtree does not count
        total += 1
        t -= int(size[t]) if key[t] in given else 1
    return total


def _inner(batch: Batch, size: np.ndarray, i: int) -> np.ndarray:
    """Tokens of expression i whose subtree is more than a leaf."""
    start, stop = batch.offset[i], batch.offset[i + 1]
    return start + np.flatnonzero(size[start:stop] > 1)


def _subtree(batch: Batch, size: np.ndarray, t: int) -> Batch:
    first = t - int(size[t]) + 1
    part = slice(first, t + 1)
    return Batch(batch.code[part], batch.arg[part], batch.value[part], np.array([0, t + 1 - first], np.int64), batch.names)


def make_corpus(config: Config) -> "Corpus":
    """The corpus of a configuration."""
    from symnum.encode.corpus import Corpus

    c = config.corpus
    return Corpus(config.train.seed, variables=c.variables, rows=c.rows, views=c.views, edits=c.edits)


@contextmanager
def feeds(config: Config, operators: tuple[str, ...], indices: range) -> Iterator[Iterator[Feed]]:
    """The feeds of `indices` in order, made ahead by worker processes, or here where the config has no workers.

    Raises:
        RuntimeError: a worker died.
    """
    if config.train.workers == 0:
        corpus = make_corpus(config)
        yield (make_feed(corpus.minibatch(i, config.train.batch), config, operators, i) for i in indices)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(config.train.workers, context, _begin, (config.to_dict(), operators))
    try:
        yield _ahead(pool, indices, AHEAD * config.train.workers)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ahead(pool: Any, indices: range, ahead: int) -> Iterator[Feed]:
    from concurrent.futures.process import BrokenProcessPool

    waiting: deque = deque()
    try:
        for i in indices:
            waiting.append(pool.submit(_work, i))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        msg = "a worker that makes training data died, perhaps for lack of memory; go on with --resume, with fewer workers"
        raise RuntimeError(msg) from error


_state: dict[str, Any] = {}


def _begin(tables: dict, operators: tuple[str, ...]) -> None:
    """Set a worker up: one thread each, and an end when its parent ends, killed or not."""
    import multiprocessing
    import signal

    import numba

    numba.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    config = Config.from_dict(tables)
    _state.update(config=config, operators=operators, corpus=make_corpus(config))


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _work(index: int) -> Feed:
    config = _state["config"]
    return make_feed(_state["corpus"].minibatch(index, config.train.batch), config, _state["operators"], index)
