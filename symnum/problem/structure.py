"""Structure seen in the data: symmetries, separability, columns that do not matter.

A surrogate is fitted, its derivatives suggest reductions (`symnum.problem.proposals`), and each suggestion is checked by a new
surrogate in the new columns: one that predicts left-out rows worse than the old is dropped. What remains is reduced again.
"""

import time
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from symnum.problem.proposals import View, column_names, proposals
from symnum.problem.reduction import HOLE, Reduction
from symnum.problem.surrogate import Surrogate, fit_surrogate, one_signed, trimmed

Array = np.ndarray
FEWEST_ROWS, MOST_REDUCTIONS, CHECK_ROWS = 20, 6, 200
MOST_COLUMNS = 50  # more are not looked at: derivatives by so many are not known
NOISY, NOISY_ROWS = 0.02, 500  # from this error on more rows are looked at: noise is only ever averaged out


@dataclass(frozen=True, slots=True)
class Partition:
    """y = f(left) + g(right) (kind "add") or f(left) * g(right) (kind "mul")."""

    kind: str
    left: tuple[str, ...]
    right: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Structure:
    """What was seen.

    Attributes:
        reductions: tasks in fewer columns, best first.
        partitions: ways to split the columns.
        noise: the leave-one-out error of the best surrogate over the standard deviation of the target (of its logarithm where
            that is modelled): an upper estimate of the relative noise.
        irrelevant: columns that the target does not depend on.
    """

    reductions: tuple[Reduction, ...] = ()
    partitions: tuple[Partition, ...] = ()
    noise: float = 1.0
    irrelevant: tuple[str, ...] = ()


def find_structure(X: Array, y: Array, names: tuple[str, ...], seed: int = 0, deadline: float | None = None) -> Structure:
    """Symmetries and separability of y(x), from scattered rows.

    Args:
        X: columns (rows, d), finite.
        y: target (rows,), finite.
        names: the columns' names.
        seed: draws the rows that are looked at.
        deadline: `time.monotonic()` at which to stop looking; what was found by then is returned.

    Returns:
        the structure; empty for fewer than 20 rows, for more than 50 columns, for magnitudes beyond 1e60, and where no surrogate predicts.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(1, 5, (200, 3))
    >>> found = find_structure(X, X[:, 0] * np.exp(-X[:, 1] / X[:, 2]), ("a", "t", "tau"))
    >>> str(found.reductions[0].outer), [str(c) for c in found.reductions[0].columns]
    ('a*`?`', ['t/tau'])
    """
    X, y = np.asarray(X, float), np.asarray(y, float)
    varies = [i for i in range(X.shape[1]) if np.ptp(X[:, i]) > 1e-12 * np.abs(X[:, i]).max()]
    constant = tuple(n for i, n in enumerate(names) if i not in varies)
    if len(y) < FEWEST_ROWS or not 0 < len(varies) <= MOST_COLUMNS:
        return Structure(irrelevant=constant)
    if max(np.abs(X).max(), np.abs(y).max()) > 1e60 or np.abs(y).max() < 1e-60:
        return Structure(irrelevant=constant)
    # matrices of a few hundred rows: more threads only get in each other's way
    with threadpool_limits(1), np.errstate(all="ignore"):  # what is not finite is left out where it arises
        return _Search(X[:, varies], y, tuple(names[i] for i in varies), seed, deadline).run(constant)


@dataclass(frozen=True, slots=True, eq=False)
class _Checked:
    """A reduction that predicts, with its table, surrogate, error in the view of the first surrogate, and `leaves`."""

    reduction: Reduction
    X: Array
    y: Array
    surrogate: Surrogate | None
    error: float
    leaves: Array

    @property
    def rank(self) -> tuple[int, int, int]:
        return len(self.reduction.columns), int(2 * np.log10(max(self.error, 1e-4))), weight(self.reduction)

    def refuted(self, other: "_Checked") -> bool:
        """Whether another, in as many columns or more, predicts so much better that this one misses something."""
        return self.error > 1e-4 and other.error < 0.3 * self.error and len(other.reduction.columns) >= len(self.reduction.columns)


class _Search:
    """One look at one table: what has been checked, and in what view errors are measured."""

    def __init__(self, X: Array, y: Array, names: tuple[str, ...], seed: int, deadline: float | None):
        self.X, self.y, self.names, self.seed, self.deadline = X, y, names, seed, deadline
        self.data = dict(zip(names, X.T, strict=True))

    def late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def run(self, constant: tuple[str, ...]) -> Structure:
        self.full = fit_surrogate(self.X, self.y, seed=self.seed, deadline=self.deadline)
        if self.full is None or self.full.error > 0.6:
            return Structure(irrelevant=constant)
        self.rows = CHECK_ROWS
        if self.full.error > NOISY and len(self.y) > len(self.full.y):
            self.rows *= 2
            self.full = fit_surrogate(self.X, self.y, rows=NOISY_ROWS, seed=self.seed, deadline=self.deadline) or self.full
        self.limit = allowed(self.full)
        found: list[_Checked] = []
        seen: list[tuple[Array, int]] = []
        level = [(None, self.names, self.full)]
        for _ in range(3):
            fresh: list[_Checked] = []
            for base, names, surrogate in level:
                for _, step in self.suggested(names, surrogate):
                    whole = compose(base.reduction, step) if base else step
                    leaves, heavy = self.leaves(whole), weight(whole)
                    if self.late() or any(np.abs(leaves - other).max() < 1e-3 and heavy >= w for other, w in seen):
                        continue
                    seen.append((leaves, heavy))
                    checked = self.check(whole, leaves)
                    if checked is not None:
                        found = [f for f in found if np.abs(f.leaves - leaves).max() > 1e-3]
                        found.append(checked)
                        fresh.append(checked)
                        if checked.error < 0.3 * self.full.error:
                            self.rows = CHECK_ROWS  # it was not noise
            fresh.sort(key=lambda c: c.rank)
            level = [(c, c.reduction.names, c.surrogate) for c in fresh if c.surrogate is not None and len(c.reduction.columns) > 1][:2]
            if not level or self.late() or any(len(c.reduction.columns) == 1 for c in found):
                break
        best = sorted((c for c in found if not any(c.refuted(other) for other in found)), key=lambda c: c.rank)
        used = {n for e in (best[0].reduction.outer, *best[0].reduction.columns) for n in e.variables} if best else set(self.names)
        gone = tuple(n for n in self.names if n not in used)
        noise = min([self.full.error, *(c.error for c in best)])
        return Structure(tuple(c.reduction for c in best[:MOST_REDUCTIONS]), self.partitions(), noise, constant + gone)

    def suggested(self, names: tuple[str, ...], surrogate: Surrogate) -> list[tuple[float, Reduction]]:
        """The likeliest reductions, of those that are found in time."""
        found = []
        for proposal in proposals(View.of(names, surrogate)):
            found.append(proposal)
            if self.late():
                break
        return sorted(found, key=lambda p: p[0])[:12]

    def leaves(self, reduction: Reduction) -> Array:
        """The spaces that the gradients of the columns span at a few rows, as projectors: equal ones tell the same rows apart."""
        x, width = self.X[:8], self.X.std(0)
        slopes = np.empty((len(x), x.shape[1], len(reduction.columns)))
        for i, h in enumerate(1e-5 * width):
            shifted = [{n: c + s * h * (j == i) for j, (n, c) in enumerate(zip(self.names, x.T, strict=True))} for s in (1, -1)]
            with np.errstate(all="ignore"):
                slopes[:, i] = np.column_stack([np.broadcast_to(c(shifted[0]) - c(shifted[1]), len(x)) for c in reduction.columns])
        slopes = np.nan_to_num(slopes, posinf=0.0, neginf=0.0)
        q = np.linalg.qr(slopes / np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), 1e-300))[0]
        return q @ q.transpose(0, 2, 1)

    def check(self, reduction: Reduction, leaves: Array) -> _Checked | None:
        """The reduction's surrogate, where it predicts left-out rows about as well as the first."""
        U, z = reduction.apply(self.data, self.y)
        if not (np.isfinite(U).all() and np.isfinite(z).all()) or np.abs(U).max() > 1e100 or np.abs(z).max() > 1e100:
            return None
        log = self.full.log_target and bool(one_signed(z))
        s = fit_surrogate(U, z, rows=self.rows, seed=self.seed, deadline=self.deadline, log_target=log)
        rows = np.random.default_rng(self.seed).permutation(len(self.y))[: self.rows]
        predicted = s.predicted if s is not None else np.full(len(rows), np.median(z))
        data = {n: c[rows] for n, c in self.data.items()} | {HOLE: predicted}
        with np.errstate(all="ignore"):
            predicted = np.broadcast_to(reduction.outer(data), predicted.shape)
        before, after = (self.full.residuals(p[: len(rows)], self.y[rows]) for p in (self.full.predicted, predicted))
        error = trimmed(after)
        return _Checked(reduction, U, z, s, error, leaves) if error <= self.limit or not worse(before, after) else None

    def partitions(self) -> tuple[Partition, ...]:
        """Columns in sets between which the mixed derivatives vanish, checked by a sum of surrogates."""
        s, d = self.full, len(self.names)
        if d < 2:
            return ()
        H, g, width = s.hessian(), s.gradient, s.X.std(0)
        cross = g[:, :, None] * g[:, None, :]
        t = 1.0 if s.log_target else s.y[:, None, None]
        kinds = {"add": H + cross if s.log_target else H}
        if one_signed(self.y):
            kinds["mul"] = H if s.log_target else (H * t - cross) / np.maximum(t * t, 1e-300)
        out: list[Partition] = []
        for kind, mixed in kinds.items():
            strength = np.sqrt(np.median(mixed**2, axis=0)) * np.outer(width, width)
            np.fill_diagonal(strength, 0.0)
            tried: set = set()
            for level in (0.3, 0.1, 0.03):
                sets = components(strength > level * max(strength.max(), 1e-3 * s.frame.spread))
                if len(sets) < 2 or sets in tried or self.late():
                    continue
                tried.add(sets)
                sums = fit_surrogate(self.X, self.y, rows=len(s.y), seed=self.seed, deadline=self.deadline, groups=sets,
                                     log_target=kind == "mul")
                if sums is None:
                    continue
                before, after = (s.residuals(p[: len(sums.y)], sums.y) for p in (s.predicted, sums.predicted))
                if trimmed(after) > self.limit and worse(before, after):
                    continue
                whole = set(range(d))
                for part in sets if len(sets) > 2 else sets[:1]:
                    left, right = sorted(part), sorted(whole - set(part))
                    out.append(Partition(kind, tuple(self.names[i] for i in left), tuple(self.names[i] for i in right)))
                break
        return tuple(out)


def allowed(full: Surrogate) -> float:
    """An error that is always small enough: the first surrogate had more rows."""
    return max(min(3 * full.error, 3e-3), 1e-4)


def worse(before: Array, after: Array) -> bool:
    """Whether the second residuals of the same rows are larger than the first, beyond what chance does (paired, one sigma).

    >>> r = np.random.default_rng(0).normal(size=200)
    >>> worse(r, r + 0.5 * np.cos(np.arange(200))), worse(r, 0.9 * r)
    (True, False)
    """
    cap = 3 * min(trimmed(before), trimmed(after)) + 1e-300  # a few far rows must not decide
    more = np.minimum(np.abs(after), cap) ** 2 - np.minimum(np.abs(before), cap) ** 2
    return bool(more.mean() > more.std() / np.sqrt(len(more)))


def weight(reduction: Reduction) -> int:
    """The complexity of all its expressions."""
    return reduction.outer.complexity + sum(c.complexity for c in reduction.columns)


def components(linked: Array) -> tuple[tuple[int, ...], ...]:
    """The connected sets of a symmetric relation.

    >>> components(np.array([[False, True, False], [True, False, False], [False, False, False]]))
    ((0, 1), (2,))
    """
    from scipy.sparse.csgraph import connected_components

    count, label = connected_components(linked, directed=False)
    return tuple(tuple(np.flatnonzero(label == k).tolist()) for k in range(count))


def compose(first: Reduction, second: Reduction) -> Reduction:
    """The second reduction of the table that the first one made, as one reduction of the first table.

    >>> from symnum.language.expr import Expr
    >>> first = Reduction((Expr.parse("b/c"),), ("u",), Expr.parse("a*`?`"), Expr.parse("`?`/a"), "scaling")
    >>> second = Reduction((Expr.parse("u^2"),), ("w",), Expr.parse("u + `?`"), Expr.parse("`?` - u"), "term")
    >>> both = compose(first, second)
    >>> str(both.columns[0]), str(both.outer), str(both.inner)
    ('(b/c)^2', 'a*(b/c + `?`)', '`?`/a - b/c')
    """
    old = dict(zip(first.names, first.columns, strict=True))
    columns = tuple(c.substitute(old) for c in second.columns)
    return Reduction(columns, column_names(columns), first.outer.substitute({HOLE: second.outer.substitute(old)}),
                     second.inner.substitute(old | {HOLE: first.inner}), f"{first.reason}; {second.reason}")
