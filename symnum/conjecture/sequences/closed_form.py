"""Closed forms of a sequence by grammar search: every function of the index, simplest first, looked up by its values.

`Library` holds the distinct functions of a grammar at the first indices, in order of complexity. A sequence is looked up as a function
f(n), as floor(f(n)), as f(n) ∘ g(n) for the four operations, where g is what f leaves (two-sided, so that K functions reach 4·K²
formulas in 4·K look-ups), and as floor(f(n) ± g(n)) for whole f(n). Values are compared in float64; what agrees is checked on all
terms in exact arithmetic.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product as cartesian
from math import log2

import numpy as np

from symnum.language.expr import Expr, _branch_text, _leaf_text, operator_functions
from symnum.language.grammar import Grammar, GrammarError, Integer, Slot
from symnum.language.ops import OPS, Op
from symnum.numbers import exact
from symnum.numbers.evidence import Term

MOST_FUNCTIONS = 60_000  # the level of complexity that would exceed it is not entered
MOST_COMPOSITIONS = 3_000_000  # of one level
POINTS = 16  # indices at which functions are told apart
LEAST_POINTS = 5  # terms that fit into float64; fewer single nothing out
HUGE = 1e250
MOST_CHECKS = 40  # candidates checked exactly per look-up
CHUNK = 100_000
INDEX = "n"


@dataclass(frozen=True)
class ClosedForm:
    """a(n) = f(n) or floor(f(n)).

    Attributes:
        expr: f, an expression of n.
        floored: whether it is rounded down.
        bits: log₂ of how many formulas come before it.
    """

    expr: Expr
    floored: bool
    bits: float

    kind = "closed form"

    def value(self, n: int) -> Term | None:
        """a(n), exact; None where it is undefined or too large."""
        if self.floored:
            return exact.floor(self.expr, INDEX, n)
        found = exact.value(self.expr, INDEX, n)
        return int(found) if found is not None and found.denominator == 1 else found

    @property
    def text(self) -> str:
        """The formula as plain text, gamma(n + 1) as a factorial."""
        body = self.expr.fold(_leaf_text_and_tokens, _branch_text_and_tokens)[0]
        return f"floor({body})" if self.floored else body

    def holds(self, terms: Sequence[Term], start: int) -> bool:
        """Whether it is true of the terms a(start), a(start + 1), …; exact."""
        return all(self.value(n) == a for n, a in enumerate(terms, start))


def find(terms: Sequence[Term], start: int, grammar: Grammar) -> ClosedForm | None:
    """The closed form that comes first in the grammar and is true of all terms; None where none is.

    >>> beatty = Grammar.parse("beatty : VAR * slope \\n slope : sqrt(INT(2, 7)) | (1 + sqrt(5))/2")
    >>> find([0, 1, 3, 4, 6, 8, 9, 11, 12, 14], 0, beatty).text
    'floor(n*((1 + sqrt(5))/2))'
    """
    points = next((k for k, t in enumerate(terms) if abs(t) > HUGE), len(terms))
    points = min(points, POINTS)
    if points < LEAST_POINTS:
        return None
    target = np.array([float(t) for t in terms[:points]])
    library = _library(grammar, start, points)
    for bits, expr, floored in sorted(library.matches(target), key=lambda m: m[0])[:MOST_CHECKS]:
        form = ClosedForm(expr, floored, bits)
        if form.holds(terms, start):
            return form
    return None


@lru_cache(maxsize=2)
def _library(grammar: Grammar, start: int, points: int) -> "Library":
    return Library(grammar, start, points)


class Library:
    """The distinct functions of a grammar at `points` indices from `start` on.

    Attributes:
        values: (K, points) float64.
        parts: (K, 3) production, and the rows of its slots (-1: none).
        signature: (K,) uint64 of the rounded values.
    """

    def __init__(self, grammar: Grammar, start: int, points: int):
        self.index = np.arange(start, start + points, dtype=float)
        self.templates = _templates(grammar)
        self.values = np.zeros((0, points))
        self.parts = np.zeros((0, 3), np.int64)
        self.signature = np.zeros(0, np.uint64)
        entries: dict[tuple[str, int], np.ndarray] = {}
        level = 0
        while len(self.values) <= MOST_FUNCTIONS and level < 12:
            level += 1
            plans = list(self._plans(entries, level))
            if sum(np.prod([float(len(p)) for p in parts]) for _, parts in plans) > MOST_COMPOSITIONS:
                break
            for r, parts in plans:
                lhs = self.templates[r][0]
                new = self._compose(r, parts)
                entries[lhs, level] = np.concatenate([entries.get((lhs, level), np.zeros(0, np.int64)), new])
        self.exact = _Table(self.values)
        self.floors, self.ceilings = _Table(np.floor(self.values)), _Table(np.ceil(self.values))
        self.whole = np.flatnonzero((self.values == np.floor(self.values)).all(axis=1))

    def expr(self, row: int) -> Expr:
        """The expression of a row."""
        r, *children = (int(i) for i in self.parts[row])
        supply = iter(children)
        tokens: list = []
        for symbol in self.templates[r][1]:
            tokens += self.expr(next(supply)).tokens if isinstance(symbol, Slot) else [symbol]
        return Expr(tuple(tokens))

    def matches(self, target: np.ndarray) -> Iterator[tuple[float, Expr, bool]]:
        """(bits, expression, floored) of everything that agrees with the target in float64."""
        for row in self.exact.rows(target):
            yield log2(row + 1) + 1, self.expr(row), False
        for row in self.floors.rows(target):
            yield log2(row + 1) + 2, self.expr(row), True
        everything = np.arange(len(self.values))
        with np.errstate(all="ignore"):  # what is not finite is not looked up
            quotients = target / self.values, self.values / target
        for form, floored, left, wanted, table in (
            ("add", False, everything, target - self.values, self.exact),
            ("sub", False, everything, self.values - target, self.exact),
            ("mul", False, everything, quotients[0], self.exact),
            ("div", False, everything, quotients[1], self.exact),
            ("add", True, self.whole, target - self.values[self.whole], self.floors),
            ("sub", True, self.whole, self.values[self.whole] - target, self.ceilings),
        ):
            at, right = table.pairs(wanted)
            left = left[at]
            costs = np.log2(left + 1.0) + np.log2(right + 1.0) + 4
            for k in np.argsort(costs, kind="stable")[:MOST_CHECKS]:
                yield float(costs[k]), Expr.apply(form, self.expr(left[k]), self.expr(right[k])), floored

    def _plans(self, entries: dict, level: int) -> Iterator[tuple[int, list[np.ndarray]]]:
        for r, (_, template, cost) in enumerate(self.templates):
            slots = [s.name for s in template if isinstance(s, Slot)]
            left = level - cost
            if not slots and left == 0:
                yield r, []
            for split in _splits(left, len(slots)) if slots else ():
                if self._commutes(r) and split[0] > split[1]:
                    continue
                parts = [entries.get((s, k), np.zeros(0, np.int64)) for s, k in zip(slots, split, strict=True)]
                if all(len(p) for p in parts):
                    yield r, parts

    def _commutes(self, r: int) -> bool:
        template = self.templates[r][1]
        op = template[-1]
        return len(template) == 3 and isinstance(op, Op) and "commutative" in op.laws and template[0] == template[1]

    def _compose(self, r: int, parts: list[np.ndarray]) -> np.ndarray:
        """Append the new functions of one production; returns their rows."""
        sizes = [len(p) for p in parts]
        total = int(np.prod(sizes)) if parts else 1
        found = []
        for begin in range(0, total, CHUNK):
            index = np.unravel_index(np.arange(begin, min(begin + CHUNK, total)), sizes) if parts else ()
            rows = [p[i] for p, i in zip(parts, index, strict=True)]
            if len(rows) == 2 and self._commutes(r):
                keep = rows[0] <= rows[1]
                rows = [i[keep] for i in rows]
            found.append(self._admit(r, rows))
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def _admit(self, r: int, rows: list[np.ndarray]) -> np.ndarray:
        with np.errstate(all="ignore"):  # undefined values are sorted out below
            y = self._evaluate(r, rows)
        good = np.flatnonzero(np.isfinite(y).all(axis=1) & (np.abs(y) < HUGE).all(axis=1))
        signature = signatures(y[good])
        _, first = np.unique(signature, return_index=True)
        first = np.sort(first)
        first = first[~np.isin(signature[first], self.signature)]
        kept = good[first]
        parts = np.full((len(kept), 3), -1)
        parts[:, 0] = r
        for j, row in enumerate(rows):
            parts[:, j + 1] = row[kept]
        begin = len(self.values)
        self.values = np.concatenate([self.values, y[kept]])
        self.parts = np.concatenate([self.parts, parts])
        self.signature = np.concatenate([self.signature, signature[first]])
        return np.arange(begin, len(self.values))

    def _evaluate(self, r: int, rows: list[np.ndarray]) -> np.ndarray:
        supply, stack = iter(rows), []
        for symbol in self.templates[r][1]:
            if isinstance(symbol, Slot):
                stack.append(self.values[next(supply)])
            elif isinstance(symbol, Op) and symbol.arity:
                arguments = stack[-symbol.arity:]
                del stack[-symbol.arity:]
                stack.append(_numpy(symbol)(*arguments))
            else:
                stack.append(self.index if symbol == INDEX else _numpy(symbol)() if isinstance(symbol, Op) else float(symbol))
        count = len(rows[0]) if rows else 1
        return np.broadcast_to(stack[0], (count, len(self.index)))


class _Table:
    """Rows of (K, points) values by their signatures; of equal ones the first is found."""

    def __init__(self, values: np.ndarray):
        signature = signatures(values)
        self.sorted, self.order = np.unique(signature, return_index=True)

    def pairs(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(place in `wanted`, row) for every wanted vector that is here."""
        with np.errstate(all="ignore"):
            places = np.flatnonzero(np.isfinite(wanted).all(axis=1) & (np.abs(wanted) < HUGE).all(axis=1))
        signature = signatures(wanted[places])
        at = np.minimum(np.searchsorted(self.sorted, signature), len(self.sorted) - 1)
        hit = self.sorted[at] == signature
        return places[hit], self.order[at[hit]]

    def rows(self, wanted: np.ndarray) -> np.ndarray:
        """The rows of one vector."""
        return self.pairs(wanted[None])[1]


_numpy = operator_functions("numpy")


def _templates(grammar: Grammar) -> list[tuple[str, tuple, int]]:
    """(nonterminal, template, cost) with every integer range spelled out and the index for the variable."""
    found = []
    for p in grammar.productions:
        slots = [s for s in p.template if isinstance(s, Slot)]
        if any(s.name == "CONST" for s in slots) or p.is_unit or len(p.slots) > 2:
            msg = f"a grammar of closed forms has no CONST, no renaming and at most two parts per production, got {p!r} in {grammar.name!r}"
            raise GrammarError(msg)
        choices = [s.values if isinstance(s, Integer) else (INDEX,) if s == Slot("VAR") else (s,) for s in p.template]
        found += [(p.lhs, template, p.cost) for template in cartesian(*choices)]
    return found


def _splits(total: int, count: int) -> Iterator[tuple[int, ...]]:
    if count == 1:
        yield (total,)
        return
    for k in range(1, total):
        yield k, total - k


def signatures(y: np.ndarray) -> np.ndarray:
    """A uint64 per row of (K, points) values, equal where they agree to 40 mantissa bits."""
    size = np.abs(y).max(axis=1, initial=0.0)
    bits = np.ascontiguousarray(np.where(np.abs(y) > 1e-12 * size[:, None], y, 0.0) + 0.0).view(np.uint64)
    rounded = (bits + np.uint64(1 << 11)) >> np.uint64(12)
    odd = np.random.default_rng(0).integers(1 << 62, size=y.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    mixed = (rounded * odd)
    mixed ^= mixed >> np.uint64(29)
    return (mixed * np.uint64(0x9E3779B97F4A7C15)).sum(axis=1, dtype=np.uint64)


def _leaf_text_and_tokens(token) -> tuple[str, int, tuple]:
    return *_leaf_text(token), (token,)


def _branch_text_and_tokens(op: Op, arguments: list[tuple[str, int, tuple]]) -> tuple[str, int, tuple]:
    """Text, binding strength and tokens, so that gamma(f + 1) can be written as the factorial of f."""
    tokens = (*(t for _, _, part in arguments for t in part), op)
    if op is OPS["gamma"] and tokens[-3:] == (1, OPS["add"], op):
        inner = Expr(tokens[:-3])
        return f"factorial({inner.fold(_leaf_text_and_tokens, _branch_text_and_tokens)[0]})", 5, tokens
    if op is OPS["square"]:
        text, level, _ = arguments[0]
        return f"{text if level > 4 else f'({text})'}^2", 4, tokens
    return *_branch_text(op, [(text, level) for text, level, _ in arguments]), tokens
