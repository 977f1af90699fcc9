"""Inversion, or meeting in the middle: the target is taken apart from outside, a library is built up from inside.

For a frontier of targets (y, what it is through inverse operators, what is left when a simple factor is divided out) and a
library of distinct functions, look-ups find every T = c0 + c1 a + c2 b, c0 + c1 a + c2 a b, c a b, rational and sparse
combination at once (`symnum.search.lookup`). What they return are formulas with good constants, which are measured like
those of any other search. The work is a fixed list of tasks, cheap ones first: the state is how many of them are done.

Sources: Udrescu & Tegmark 2020, arXiv:1905.11481 (inverting, polynomial fits); Kronberger et al. 2024, arXiv:2404.17292 for what
enumerating distinct functions saves; Golub & Pereyra 1973 for linear coefficients in closed form.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations_with_replacement

import numpy as np

from symnum.evaluate.cpu import Rows, unpacked
from symnum.evaluate.machine import MSE
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import by_code
from symnum.problem.reduction import monomial
from symnum.problem.regression import RegressionProblem
from symnum.search import lookup
from symnum.search.assemble import combination, regrouped, spelled
from symnum.search.base import Context
from symnum.search.guide import PATIENCE
from symnum.search.library import CONSTANTS, Library
from symnum.search.target import Target, invertible, views

ROWS, WIDE = 64, 400  # rows of the library; rows of least squares on dictionaries
KEEP = 3  # hits per complexity and look-up
EXACT = 1e-20  # relative loss of what is exact in float64
SIZES = ((100, 1_000), (1_000, 30_000), (5_000, 200_000))  # entries paired with each other, entries of the library
MOST_SLOTS = 64  # nonterminals that the library tells apart
WORK = 0.1  # seconds, about, of work per `ask`
PER_COLUMN = 40  # … per column at most: more functions of few columns have everything smooth in their span
FACTORS = 100  # simple functions that are divided out
LONGEST = 12  # terms of a sum
ALIKE = 0.05  # relative difference up to which noisy coefficients are tried as one
TURNS = (math.pi, 2 * math.pi)  # constants inside functions of one or two columns: angles, frequencies, hbar
DICTIONARY, FEW = 200, 20  # entries of a dictionary; of the one for quotients by every function of a library
MULTIPLIERS = (1, 300, 5_000)  # simple functions that the target is multiplied with, task by task


@dataclass(frozen=True, slots=True)
class Tasks:
    """How far inversion is: tasks done, whether that was all, and turns waited before the first."""

    done: int = 0
    finished: bool = False
    waited: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work: a method, its arguments, and about how many seconds it takes; the course of a run depends on no clock."""

    cost: float
    method: Callable[..., list[Expr]]
    arguments: tuple

    def run(self) -> list[Expr]:
        """The formulas it finds."""
        with np.errstate(all="ignore"):  # what is not finite is dropped where it arises
            return self.method(*self.arguments)


class Inversion:
    """Meeting in the middle over a library of the grammar's functions.

    The library is a memo of the state: a fresh object given the state of another goes on where that one was.

    Args:
        work: seconds, about, of work per `ask`.
        narrowed: look only through what an encoder finds likely (`symnum.search.guide`): a library of as many functions then
            reaches larger ones. For a portfolio that has the whole inversion too.
    """

    simplifies = False

    def __init__(self, work: float = WORK, narrowed: bool = False):
        self.work, self.narrowed = work, narrowed
        self.name = "narrowed inversion" if narrowed else "inversion"
        self._of: tuple = ()
        self._tasks: Iterator[Task] = iter(())
        self._done = 0

    def views(self, context: Context) -> tuple[str, ...]:
        return ("",)

    def start(self, context: Context, rng: np.random.Generator) -> Tasks:
        return Tasks()

    def ask(self, context: Context, state: Tasks, n: int, rng: np.random.Generator) -> tuple[Tasks, Batch]:
        if state.finished or not _applicable(context):
            return replace(state, finished=True), Batch.empty(context.rules.names)
        if self.narrowed:
            if state.waited < PATIENCE:
                return replace(state, waited=state.waited + 1), Batch.empty(context.rules.names)
            narrowed = context.guide.narrowed(context)
            if narrowed is None:
                return replace(state, finished=True), Batch.empty(context.rules.names)
            context = replace(narrowed, deadline=context.deadline)
        if not context.same(self._of) or self._done != state.done:
            self._of, self._tasks, self._done = context.task, Desk(context).tasks(), 0
            while self._done < state.done and next(self._tasks, None) is not None:
                self._done += 1
        found: list[Expr] = []
        spent = 0.0
        while spent < self.work and len(found) < n and not (context.deadline is not None and time.monotonic() > context.deadline):
            task = next(self._tasks, None)
            if task is None:
                state = replace(state, finished=True)
                break
            found += task.run()
            spent += task.cost
            self._done += 1
        state = replace(state, done=self._done)
        names = context.rules.names
        batch = Batch.pack(spelled(found), names)
        return state, batch.take(context.admissible(batch) > 0)

    def tell(self, context: Context, state: Tasks, batch: Batch, loss: np.ndarray, rng: np.random.Generator) -> Tasks:
        return state

    def welcome(self, context: Context, state: Tasks, migrants: Batch, blocks: Batch | None = None) -> Tasks:
        return state


def _applicable(context: Context) -> bool:
    """Whether the task is a table under squared errors (what is linear there is not under other losses) and the grammar is not huge."""
    problem = context.problem
    squares = isinstance(problem, RegressionProblem) and problem.loss.kind == MSE and problem.loss.function is None
    return squares and len(context.rules.least_of) <= MOST_SLOTS


class Desk:
    """The data, the libraries and the tasks of one inversion."""

    def __init__(self, context: Context):
        self.context, self.names = context, context.rules.names
        X, y, weight = unpacked(context.problem.train)
        rng = np.random.default_rng(13)
        wide = np.sort(rng.permutation(len(y))[:WIDE])
        self.wide_X = X[wide]
        self.narrow = narrow = np.sort(rng.permutation(len(wide))[:ROWS])
        self.X = self.wide_X[narrow]
        wide_y, wide_w = y[wide], weight[wide] / weight[wide].sum()
        narrow_w = wide_w[narrow] / wide_w[narrow].sum()
        self.target = Target(wide_y[narrow], narrow_w, wide_y, wide_w)
        self.operators = invertible([by_code(int(c)) for c in context.rules.operator_codes])
        self._libraries: dict[int, Library] = {}
        self._spans: dict[str, tuple] = {}
        self._multipliers: dict[int, tuple] = {}
        self._sets: dict[int, np.ndarray] = {}

    # the list of tasks --------------------------------------------------------------------------------------------------
    def tasks(self) -> Iterator[Task]:
        """The work, cheap and likely parts first."""
        y = self.target.T
        if np.ptp(y) <= 1e-12 * np.abs(y).max():
            return
        targets = list(views(self.target, self.operators))
        near = [t for t in targets if len(t.steps) <= 1]
        yield Task(0.02, self.exponential, ())
        for t in targets:
            yield Task(0.001, self.power_law, (t,))
            yield Task(0.01, self.sums, (t, "monomials", MULTIPLIERS[0]))
        for t in targets:
            yield Task(0.01, self.sums, (t, "monomials", MULTIPLIERS[1]))
            yield Task(0.01, self.sums, (t, "functions", MULTIPLIERS[1]))
        for t in targets:
            yield Task(0.01, self.pairs, (t, 0))
            yield Task(0.02, self.rational, (t,))
            yield Task(0.01, self.triples, (t,))
        for t in near:
            yield Task(0.03, self.pairs, (t, 1))
            yield Task(0.03, self.products, (t, 1))
            yield Task(0.02, self.sums, (t, "monomials", MULTIPLIERS[2]))
            yield Task(0.02, self.sums, (t, "functions", MULTIPLIERS[2]))
            yield Task(0.03, self.quotients, (t, 1))
        for t in (t for t in targets if len(t.steps) > 1):
            yield Task(0.03, self.pairs, (t, 1))
            yield Task(0.03, self.products, (t, 1))
            yield Task(0.03, self.quotients, (t, 1))
        for k in range(FACTORS):
            for t in near:
                yield Task(0.002, self.factor, (t, k))
        for t in targets:
            yield Task(0.2, self.products, (t, 2))
            yield Task(0.2, self.quotients, (t, 2))
        for k in range(FACTORS):
            for t in near:
                yield Task(0.02, self.factor, (t, k, 2))
        for t in targets:
            yield Task(0.6, self.pairs, (t, 2))

    # look-ups -----------------------------------------------------------------------------------------------------------
    def power_law(self, t: Target) -> list[Expr]:
        """T = c x^p y^q …: log-linear least squares, exponents snapped to small rationals."""
        with np.errstate(all="ignore"):
            L, v = np.log(np.abs(self.wide_X)), np.log(np.abs(t.wide_T))
        usable = np.flatnonzero(np.isfinite(L).all(axis=0) & (np.ptp(L, axis=0) > 1e-6))
        if not np.isfinite(v).all() or len(usable) == 0 or len(v) < len(usable) + 3:
            return []
        A = np.column_stack([L[:, usable], np.ones(len(v))])
        p = np.linalg.lstsq(A, v, rcond=None)[0][:-1]
        found = []
        for most in (1, 2, 4):
            exponents = {self.names[j]: Fraction(float(e)).limit_denominator(most) for j, e in zip(usable, p, strict=True)}
            if all(abs(e) <= 12 for e in exponents.values()) and any(exponents.values()):
                form = monomial(exponents)
                found.append(t.wrap(self._scaled(form, t)))
        return list(dict.fromkeys(found))

    def exponential(self) -> list[Expr]:
        """y = x^p z^q … exp(sum of monomials): the logarithm is a sum of monomials and of logarithms of columns."""
        y, X = self.target.wide_T, self.wide_X
        positive = np.flatnonzero((X > 0).all(axis=0))
        if not (y > 0).all() and not (y < 0).all():
            return []
        terms, values = self.monomials(min(100, len(y) // 3))
        logs = np.log(X[:, positive].T)
        T = np.log(np.abs(y))
        if np.ptp(T) <= 1e-12 * np.abs(T).max():
            return []
        hit = lookup.Span(np.concatenate([values, logs])).terms(T, EXACT)
        if hit is None or len(hit[0]) > LONGEST:
            return []
        powers = {self.names[positive[i - len(terms)]]: Fraction(float(c)).limit_denominator(4)
                  for i, c in zip(*hit, strict=True) if i >= len(terms)}
        inside = [(float(c), terms[i]) for i, c in zip(*hit, strict=True) if 0 < i < len(terms)]
        front = monomial({n: p for n, p in powers.items() if p})
        scale = [float(np.sign(y[0]) * np.exp(c)) for i, c in zip(*hit, strict=True) if i == 0] or [float(np.sign(y[0]))]
        found = []
        for inner in self._forms(*map(list, zip(*inside, strict=True))) if inside else [None]:
            whole = front if inner is None else Expr.apply("exp", inner) if not front.variables else front * Expr.apply("exp", inner)
            found.append(combination(scale, [whole]))
        return found

    def _scaled(self, form: Expr, t: Target) -> Expr:
        """c * form with the best c."""
        with np.errstate(all="ignore"):
            v = np.broadcast_to(form(dict(zip(self.names, self.X.T, strict=True))), t.T.shape)
            c = float((t.weight * t.T) @ v / ((t.weight * v) @ v))
        return combination([c if np.isfinite(c) else 1.0], [form])

    def monomials(self, most: int) -> tuple[list[Expr | None], np.ndarray]:
        """All monomials of the columns up to the greatest degree that gives at most `most` of them, and their values (m, N)."""
        d = self.wide_X.shape[1]
        terms: list[tuple[int, ...]] = [()]
        for degree in range(1, 7):
            more = list(combinations_with_replacement(range(d), degree))
            if len(terms) + len(more) > most:
                break
            terms += more
        values = np.array([np.prod(self.wide_X[:, list(m)], axis=1) if m else np.ones(len(self.wide_X)) for m in terms])
        exprs = [monomial({self.names[j]: m.count(j) for j in set(m)}) if m else None for m in terms]
        return exprs, values

    def sums(self, t: Target, kind: str, most: int) -> list[Expr]:
        """T m = c1 a + c2 b + … for the first `most` multipliers m and the entries of a dictionary."""
        terms, span = self.span(kind)
        multipliers, values = self.multipliers(most)
        with np.errstate(all="ignore"):
            targets = t.wide_T * values
            outside = span.residuals(targets)
        found: list[Expr] = []
        for k in np.flatnonzero(outside < EXACT)[:3]:
            hit = span.terms(targets[k], EXACT)
            if hit is None or len(hit[0]) > LONGEST:
                continue
            m = multipliers[k]
            for form in self._forms(hit[1].tolist(), [terms[i] for i in hit[0]]):
                found.append(t.wrap(form if m is None else _over(form, m)))
            if m is not None and len(hit[0]) > 1:  # term by term: a quotient of each may be simpler than the whole
                found.append(t.wrap(combination(hit[1].tolist(), [_over(terms[i], m) for i in hit[0]])))
        return found

    def quotients(self, t: Target, size: int) -> list[Expr]:
        """T = (c1 a + c2 b + …)/m for every m of a library and the simplest functions a, b …, on the library's own rows."""
        library, chosen = self._entries(size, SIZES[size][1])
        if len(self.X) < 3 * FEW:
            return []
        terms, span = self._few()
        found: list[Expr] = []
        for start in range(0, len(chosen), 20_000):
            at = chosen[start : start + 20_000]
            targets = t.T * library.values[at]
            for k in np.flatnonzero(span.residuals(targets) < EXACT)[:2]:
                hit = span.terms(targets[k], EXACT)
                if hit is not None and len(hit[0]) <= LONGEST:
                    m = library.expr(at[k])
                    found += [t.wrap(_over(form, m)) for form in self._forms(hit[1].tolist(), [terms[i] for i in hit[0]])]
            if found:
                break
        return found

    def _few(self) -> tuple[list[Expr | None], lookup.Span]:
        """1 and the simplest functions, and the space of their values on the library's rows."""
        if "few" not in self._spans:
            library, chosen = self._entries(1, 4 * FEW)
            _, distinct = lookup.standardised(library.values[chosen], np.full(len(self.X), 1 / len(self.X)))
            at = chosen[distinct[: FEW - 1]]
            D = np.concatenate([np.ones((1, len(self.X))), library.values[at]])
            self._spans["few"] = [None, *map(library.expr, at)], lookup.Span(D)
        return self._spans["few"]

    def rational(self, t: Target) -> list[Expr]:
        """T = P/Q: the columns D and T*D are dependent."""
        found = []
        for terms, values in (self.monomials(60), self.dictionary(60)):
            used = np.flatnonzero(np.any(values != 0, axis=1))[: len(t.wide_T) // 4]
            terms, D, n = [terms[i] for i in used], values[used], len(used)
            if n < 2:
                continue
            both = np.concatenate([D, t.wide_T * D])
            size = np.linalg.norm(both * np.sqrt(t.wide_weight), axis=1)
            if not np.isfinite(size).all() or (size == 0).any():
                continue
            _, singular, vectors = np.linalg.svd((both / size[:, None] * np.sqrt(t.wide_weight)).T, full_matrices=False)
            if singular[-1] > 1e-10 * singular[0]:
                continue
            lead = n + int(np.argmax(np.abs(vectors[-1, n:])))
            others = np.delete(np.arange(2 * n), lead)
            hit = lookup.Span(both[others]).terms(both[lead], EXACT)
            if hit is None or len(hit[0]) > LONGEST:
                continue
            index, coefficients = others[hit[0]], hit[1]
            top = [(c, terms[i]) for i, c in zip(index, coefficients, strict=True) if i < n]
            bottom = [(1.0, terms[lead - n])] + [(-c, terms[i - n]) for i, c in zip(index, coefficients, strict=True) if i >= n]
            if not top:
                continue
            for above in self._forms(*zip(*top, strict=True))[:3]:
                for below in self._forms(*zip(*bottom, strict=True))[:3]:
                    found.append(t.wrap(above / below if below.variables else above))
        return found

    def _forms(self, coefficients, terms) -> list[Expr]:
        """A combination as it is and regrouped."""
        return [combination(coefficients, terms), *regrouped(coefficients, terms)]

    def pairs(self, t: Target, size: int) -> list[Expr]:
        """T = c0 + c1 a + c2 b and T = c0 + c1 a + c2 a b over the entries of a size."""
        library, chosen = self._entries(size)
        V, c = library.values[chosen], library.complexity[chosen].astype(np.int64)
        Z, distinct = lookup.standardised(V, t.weight)
        Z, positions = np.ascontiguousarray(Z[distinct]), chosen[distinct]
        sums = lookup.Hits(KEEP)
        lookup.add(t.T, t.weight, Z, Z, c[distinct], c[distinct], sums)
        found = []
        for _, _, (i, j) in sums:
            found += self._linear(t, [None, library.expr(positions[i]), library.expr(positions[j])],
                                  [library.values[positions[i]], library.values[positions[j]]])
        scaled = lookup.Hits(KEEP)
        n = np.sqrt((V * V) @ t.weight)[:, None]
        lookup.scale(t.T, t.weight, V / n, V / n, c, c, scaled)
        for _, _, (i, j) in scaled:
            a, b = library.expr(chosen[i]), library.expr(chosen[j])
            found += self._linear(t, [None, a, a * b], [V[i], V[i] * V[j]], factor=(a, b))
        return found

    def triples(self, t: Target) -> list[Expr]:
        """T = c0 + c1 a + c2 b + c3 c over the simplest entries."""
        library, chosen = self._entries(0)
        Z, distinct = lookup.standardised(library.values[chosen], t.weight)
        distinct = distinct[:160]
        hits = lookup.Hits(KEEP, 3)
        lookup.triples(t.T, t.weight, np.ascontiguousarray(Z[distinct]), library.complexity[chosen[distinct]].astype(np.int64), hits)
        found = []
        for _, _, index in hits:
            at = chosen[distinct[list(index)]]
            found += self._linear(t, [None, *map(library.expr, at)], list(library.values[at]))
        return found

    def products(self, t: Target, size: int) -> list[Expr]:
        """T = c a b over the whole library of a size."""
        library = self._library(size)
        return [t.wrap(self._scaled(library.expr(i) * library.expr(j), t)) for i, j in lookup.products(t.T, library.values)]

    def factor(self, t: Target, k: int, size: int = 1) -> list[Expr]:
        """Divide the k-th simple function out, then look for sums or products."""
        multipliers, values = self.multipliers(MULTIPLIERS[1])
        if not 0 < k + 1 < len(multipliers):
            return []
        new = t.divided(multipliers[k + 1], values[k + 1][self.narrow], values[k + 1])
        if new is None:
            return []
        return self.products(new, 1) if size == 2 else self._sums(new)

    def _sums(self, t: Target, most: int = 600) -> list[Expr]:
        """T = c0 + c1 a + c2 b over a few hundred entries."""
        library, chosen = self._entries(1, most)
        Z, distinct = lookup.standardised(library.values[chosen], t.weight)
        Z, positions = np.ascontiguousarray(Z[distinct]), chosen[distinct]
        c = library.complexity[positions].astype(np.int64)
        hits = lookup.Hits(1)
        lookup.add(t.T, t.weight, Z, Z, c, c, hits)
        found = []
        for _, _, (i, j) in hits:
            at = positions[[i, j]]
            found += self._linear(t, [None, *map(library.expr, at)], list(library.values[at]))
        return found

    def _linear(self, t: Target, terms: list[Expr | None], values: list[np.ndarray], factor=None) -> list[Expr]:
        """Formulas of T = c0 + sum c_k term_k, without the terms that contribute nothing; a*(c1 + c2*b) where b was factored."""
        A = np.column_stack([np.ones(len(t.T)), *values])
        w = np.sqrt(t.weight)
        with np.errstate(all="ignore"):
            size = np.linalg.norm(A * w[:, None], axis=0)
            if not np.isfinite(size).all() or (size == 0).any():
                return []
            x = np.linalg.lstsq(A / size * w[:, None], t.T * w, rcond=1e-13)[0]
        if not np.isfinite(x).all():
            return []
        r = (t.T * w) - A / size * w[:, None] @ x
        spread = float(np.sum((w * (t.T - t.T @ t.weight)) ** 2))
        exact = float(r @ r) < EXACT * spread
        kept = np.abs(x) > (1e-7 if exact else 1e-4) * np.abs(x).max()
        x = x / size
        coefficients, terms = x[kept].tolist(), [term for term, k in zip(terms, kept, strict=True) if k]
        if factor is not None and kept.tolist() == [False, True, True]:
            a, b = factor
            return [t.wrap(a * combination(coefficients, [None, b]))]
        forms = [combination(coefficients, terms)]
        if kept[0] and len(terms) > 1:
            forms.append(combination(coefficients[1:], terms[1:]))
        sizes = [abs(c) for c, term in zip(coefficients, terms, strict=True) if term is not None]
        if not exact and len(sizes) > 1 and max(sizes) < (1 + ALIKE) * min(sizes):  # one constant instead of several
            like = [np.sign(c) * float(np.mean(sizes)) for c, term in zip(coefficients, terms, strict=True) if term is not None]
            forms.append(combination(like, [term for term in terms if term is not None]))
        if exact and len(terms) > 1:
            forms += regrouped(coefficients, terms)
        return [t.wrap(f) for f in forms if f.variables]

    # the library --------------------------------------------------------------------------------------------------------
    def _library(self, size: int) -> Library:
        if size not in self._libraries:
            constants = CONSTANTS if self.X.shape[1] > 2 else (*CONSTANTS, *TURNS)
            self._libraries[size] = Library(self.context.rules, self.X, SIZES[size][1], constants=constants)
            self._libraries[size].grow_to(self.context.max_complexity, self.context.deadline)
        return self._libraries[size]

    def _entries(self, size: int, most: int | None = None) -> tuple[Library, np.ndarray]:
        """A library and the positions of its simplest formulas that vary: as many as are paired, or `most`."""
        library = self._library(size)
        if size not in self._sets:
            vary = np.ptp(library.values, axis=1) > 0
            self._sets[size] = np.flatnonzero(vary & library.whole)
        return library, self._sets[size][: SIZES[size][0] if most is None else most]

    def dictionary(self, most: int) -> tuple[list[Expr | None], np.ndarray]:
        """1 and the simplest functions of different affine classes, and their values (m, N)."""
        library, chosen = self._entries(1, 4 * most)
        _, distinct = lookup.standardised(library.values[chosen], np.full(len(self.X), 1 / len(self.X)))
        exprs, values = self._on_wide([library.expr(chosen[i]) for i in distinct[: most - 1]])
        return [None, *exprs], np.concatenate([np.ones((1, len(self.wide_X))), values])

    def _on_wide(self, exprs: list[Expr]) -> tuple[list[Expr], np.ndarray]:
        """Those that are finite on the wide rows, with their values."""
        values = self.context.evaluator.values(Batch.pack(exprs, self.names), Rows.pack(self.wide_X, self.names))
        good = np.flatnonzero(values.ok & (np.abs(values.y).max(axis=1) < 1e12))
        return [exprs[i] for i in good], values.y[good]

    def span(self, kind: str) -> tuple[list[Expr | None], lookup.Span]:
        """The terms and the space of a dictionary: `monomials` or `functions`."""
        if kind not in self._spans:
            most = min(DICTIONARY, PER_COLUMN * self.wide_X.shape[1], len(self.wide_X) // 2)
            terms, values = self.monomials(most) if kind == "monomials" else self.dictionary(most)
            self._spans[kind] = terms, lookup.Span(values)
        return self._spans[kind]

    def multipliers(self, most: int) -> tuple[list[Expr | None], np.ndarray]:
        """1 and the simplest functions that have no zero, and their values (m, N)."""
        if most == 1:
            return [None], np.ones((1, len(self.wide_X)))
        if most not in self._multipliers:
            library, chosen = self._entries(1, most)
            exprs, values = self._on_wide([library.expr(i) for i in chosen])
            usable = np.flatnonzero(np.abs(values).min(axis=1) > 1e-9 * np.abs(values).max(axis=1))
            self._multipliers[most] = [None, *(exprs[i] for i in usable)], np.concatenate([np.ones((1, len(self.wide_X))), values[usable]])
        return self._multipliers[most]


def _over(term: Expr | None, divisor: Expr) -> Expr:
    """term / divisor, None standing for 1; division by 1/x or by a/b is written as a product."""
    root, operands = getattr(divisor.op, "name", ""), divisor.arguments
    if root == "neg":
        return Expr.apply("neg", _over(term, operands[0]))
    if root == "inv":
        return operands[0] if term is None else term * operands[0]
    if root == "div":
        over = operands[1] if term is None else term * operands[1]
        return over / operands[0]
    return Expr.apply("inv", divisor) if term is None else term / divisor
