"""What an encoder says of the data at hand: a prior over the grammar and a narrowed grammar, each a memo of one look.

    guide.prior(context)     the grammar's rules with other probabilities, for searches that draw at random
    guide.narrowed(context)  the context without operators and columns that the law hardly uses, for one search beside others

A prior is never a cage: the base probabilities keep a share of it, and what is narrowed is searched beside the whole.
The encoder is loaded when the first search asks, so that what is found at once costs nothing more.
"""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from symnum.encode.files import INDEX, checked, encoder_file
from symnum.evaluate.cpu import unpacked
from symnum.language.batch import Batch
from symnum.language.grammar import Grammar
from symnum.language.ops import CONST, NUMBER, OPS, VAR, Op
from symnum.language.rules import Rules, compile_rules
from symnum.problem.base import Problem
from symnum.problem.regression import RegressionProblem
from symnum.problem.views import through_inverse
from symnum.search.base import Context

USES = ("prior", "seeds", "pruning")
BASE = 0.3  # share of the base probabilities in a prior
LEAST_ODDS, MOST_ODDS = 0.05, 20.0  # what one look may do to the odds of an operator or column
SAMPLE, SIZE = 2000, 14  # expressions of the grammar, and their largest complexity, from which base odds are counted
UNLIKELY = 0.04  # presence below which the narrowed grammar leaves an operator out
IRRELEVANT = 0.02  # … and a column
DRAWS = 256  # entries of a table from which operators are drawn uniformly
FEWEST = 16  # rows of data that an encoder is shown
PATIENCE = 2  # turns that guided searches wait: what others find at once needs no encoder


@dataclass(frozen=True, slots=True)
class Prior:
    """The language as it was, with other chances.

    Attributes:
        rules: the grammar's rules with conditioned probabilities.
        operators: (M,) codes to draw from uniformly, the likely ones more often.
        leaves: (code, arg, value) of leaves, in the same way.
    """

    rules: Rules
    operators: np.ndarray
    leaves: tuple[np.ndarray, np.ndarray, np.ndarray]


def guide_of(encoder: Any, problem: Problem) -> "Guide | None":
    """The guide of a task; None where there is to be none, or where the task is not one that an encoder was trained on.

    Args:
        encoder: "auto", the file or folder of an encoder, an `Encoder`, a `Guide`, or None.
        problem: guided are regressions of at least `FEWEST` rows.

    Raises:
        ValueError: the encoder is missing or damaged.
    """
    if encoder is None or not isinstance(problem, RegressionProblem) or problem.rows < FEWEST or not problem.names:
        return None
    if isinstance(encoder, Guide):
        return encoder
    return Guide(None if isinstance(encoder, str) and encoder == "auto" else encoder)


class Guide:
    """An encoder for searches: loaded when first needed; what it said of a task is remembered.

    Args:
        encoder: an `Encoder`, or the file or folder of one, or None for the one that ships.
        uses: what the default portfolio takes from it, of `USES`.

    Raises:
        ValueError: the file is missing or damaged.
    """

    def __init__(self, encoder: Any = None, uses: Collection[str] = USES):
        self.uses = frozenset(uses)
        self._lock, self._of, self._memo, self._threads = threading.RLock(), (), {}, None
        if encoder is None or isinstance(encoder, str | Path):
            self._encoder, self._file = None, encoder_file(encoder)
            self.digest = checked(self._file)[2]
            if "seeds" in self.uses and not self._file.with_name(INDEX).is_file():
                made = f"`symnum encode index {self._file}`"
                msg = f"an index of skeletons was required beside {self._file}, there is none; make it by {made}"
                raise ValueError(msg)
        else:
            self._encoder, self._file, self.digest = encoder, None, encoder.digest

    @property
    def encoder(self) -> Any:
        """The `Encoder`; from now on torch uses one thread, as the searches are the threads, until `close`."""
        with self._lock:
            if self._threads is None:
                import torch

                self._threads = torch.get_num_threads()
                torch.set_num_threads(1)
            if self._encoder is None:
                from symnum.encode.public import Encoder

                self._encoder = Encoder.load(self._file)
            return self._encoder

    def close(self) -> None:
        """Give torch its threads back, where the encoder was used."""
        if self._threads is not None:
            import torch

            torch.set_num_threads(self._threads)
            self._threads = None

    def of(self, context: Context, what: str, make: Any) -> Any:
        """A memo of the task: `make()` where there is none yet. One thread makes it, the others wait."""
        with self._lock:
            if not context.same(self._of):
                self._of, self._memo = context.task, {}
            if what not in self._memo:
                self._memo[what] = make()
            return self._memo[what]

    def look(self, context: Context) -> tuple[Any, np.ndarray]:
        """What the encoder says of the task's data, and the columns that it was shown."""
        return self.of(context, "look", lambda: self._look(context))

    def prior(self, context: Context) -> Prior:
        """The prior over the grammar that the look gives."""
        return self.of(context, "prior", lambda: _prior(context.rules, *self._chances(context)))

    def narrowed(self, context: Context) -> Context | None:
        """The context without unlikely operators and columns; None where there are none such."""
        return self.of(context, "narrowed", lambda: _narrowed(context, *self._chances(context)))

    def cosines(self, context: Context, batch: Batch, view: str = "") -> np.ndarray:
        """How well each skeleton (P,) looks like the data seen through a view; NaN where the encoder cannot say."""
        data, shown = self.of(context, f"data {view}", lambda: self._seen(context, view))
        out = np.full(len(batch), np.nan)
        known = np.zeros(256, bool)
        known[[VAR, CONST, NUMBER, *(OPS[n].code for n in self.encoder.vocabulary.symbols if n in OPS)]] = True
        place = np.full(len(batch.names), -1)
        place[shown] = np.arange(len(shown))
        variable = batch.code == VAR
        slot = np.where(variable, place[np.where(variable, batch.arg, 0)], 0)
        can = np.flatnonzero(np.minimum.reduceat(known[batch.code] & (slot >= 0), batch.offset[:-1])) if len(batch) else np.zeros(0, int)
        if data is not None and len(can):
            named = replace(batch, arg=np.where(variable, np.maximum(slot, 0), batch.arg), names=tuple(f"x{i}" for i in range(len(shown))))
            from symnum.encode.remaining import vectors

            out[can] = vectors(self.encoder, named.take(can)) @ data
        return out

    def _seen(self, context: Context, view: str) -> tuple[np.ndarray | None, np.ndarray]:
        """The embedding of the data through a view, and the columns shown."""
        X, y, weight = unpacked(context.problem.train)
        seen = through_inverse(OPS[view], y, weight) if view else (y, weight)
        if seen is None:
            return None, np.arange(0)
        shown = telling(X, seen[0], self.encoder.columns)
        return self.encoder.embed_data(X[:, shown], seen[0]), shown

    def _look(self, context: Context) -> tuple[Any, np.ndarray]:
        X, y, _ = unpacked(context.problem.train)
        shown = telling(X, y, self.encoder.columns)
        return self.encoder.look(X[:, shown], y), shown

    def _chances(self, context: Context) -> tuple[dict[str, float], np.ndarray]:
        """The probability of each operator, and of each column (NaN where it was not shown)."""
        look, shown = self.look(context)
        relevance = np.full(len(context.rules.names), np.nan)
        relevance[shown] = look.relevance
        return look.operators, relevance


def telling(X: np.ndarray, y: np.ndarray, most: int) -> np.ndarray:
    """The columns, in order, whose rank (or distance from the middle rank) is most correlated with the rank of y; at most `most`.

    >>> x = np.linspace(-1, 1, 50)
    >>> telling(np.column_stack([np.cos(40 * x), x, np.sin(70 * x)]), x**2, 1).tolist()
    [1]
    """
    if X.shape[1] <= most:
        return np.arange(X.shape[1])
    ranks = X.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable") / len(X) - 0.5
    target = y.argsort(kind="stable").argsort(kind="stable") / len(y) - 0.5
    seen = [np.corrcoef(r, target)[0, 1] for view in (ranks, np.abs(ranks)) for r in view.T]
    strength = np.nan_to_num(np.abs(seen)).reshape(2, -1).max(axis=0)
    return np.sort(np.argsort(-strength, kind="stable")[:most])


def _odds(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-3, 1 - 1e-3)
    return p / (1 - p)


def _prior(rules: Rules, operators: dict[str, float], relevance: np.ndarray) -> Prior:
    """Odds of an operator grow by what the look says against how often the grammar itself uses it."""
    sample = rules.sample(SAMPLE, SIZE, np.random.default_rng(0))
    owner = np.repeat(np.arange(len(sample)), sample.lengths)

    def factor(p: float, used: np.ndarray) -> float:
        base = len(np.unique(owner[used])) / len(sample)
        return float(np.clip(_odds(np.array(p)) / _odds(np.array(base)), LEAST_ODDS, MOST_ODDS))

    codes = rules.operator_codes
    by_name = {OPS[n].code: (n, p) for n, p in operators.items()}
    of_op = {c: factor(by_name[c][1], sample.code == c) if c in by_name else 1.0 for c in codes.tolist()}
    is_var = sample.code == VAR
    of_column = np.array([1.0 if np.isnan(p) else factor(p, is_var & (sample.arg == j)) for j, p in enumerate(relevance)])
    grammar = rules.grammar
    weights = {}
    for i, p in enumerate(grammar.productions):
        tilt = np.prod([of_op.get(s.code, 1.0) for s in p.template if isinstance(s, Op)])
        if tilt != 1.0:
            weights[i] = p.weight * tilt
    conditioned = grammar.condition(weights, BASE) if weights else grammar
    shares = BASE / len(of_column) + (1 - BASE) * of_column / of_column.sum()
    leaves = rules.leaf_tokens
    variable = leaves[0] == VAR
    weight = np.where(variable, shares[np.where(variable, leaves[1], 0)] * variable.sum(), 1.0)
    drawn = _table(weight)
    return Prior(
        compile_rules(conditioned, rules.names, shares),
        codes[_table(BASE + (1 - BASE) * np.array([of_op[c] for c in codes.tolist()]))] if len(codes) else codes,
        tuple(part[drawn] for part in leaves),
    )


def _table(weight: np.ndarray) -> np.ndarray:
    """Positions repeated in proportion to their weights, each at least once."""
    return np.repeat(np.arange(len(weight)), np.maximum(1, np.round(DRAWS * weight / weight.sum())).astype(int))


def _narrowed(context: Context, operators: dict[str, float], relevance: np.ndarray) -> Context | None:
    rules = context.rules
    unlikely = {OPS[n].code for n, p in operators.items() if p < UNLIKELY}
    kept = [i for i, p in enumerate(rules.grammar.productions) if not any(isinstance(s, Op) and s.code in unlikely for s in p.template)]
    columns = [n for n, p in zip(rules.names, relevance.tolist(), strict=True) if not p < IRRELEVANT]
    if len(kept) == len(rules.grammar.productions) and len(columns) == len(rules.names):
        return None
    grammar = _reduced(rules.grammar, kept)
    if grammar is None or not columns:
        return None
    return replace(context, rules=compile_rules(grammar, rules.names, np.isin(rules.names, columns).astype(float)))


def _reduced(grammar: Grammar, kept: Sequence[int]) -> Grammar | None:
    """The grammar of some of the productions, without those that cannot end or be reached any more; None where none is left."""
    productions = [grammar.productions[i] for i in kept]
    ends: set[str] = set()
    while more := {p.lhs for p in productions if ends.issuperset(p.slots)} - ends:
        ends |= more
    productions = [p for p in productions if ends.issuperset(p.slots)]
    reached = {grammar.start}
    while more := {s for p in productions if p.lhs in reached for s in p.slots} - reached:
        reached |= more
    left = tuple(p for p in productions if p.lhs in reached)
    return replace(grammar, productions=left) if grammar.start in ends else None
