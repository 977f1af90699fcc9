"""Weak residuals of partial differential equations, for sparse regression.

Both sides of u_t = Σ c·∂ᵏg are multiplied by smooth compact windows and integrated by parts, so that no noisy number is
differentiated (D. Messenger, D. Bortz, J. Comput. Phys. 443 (2021) 110525, doi:10.1016/j.jcp.2021.110525). Windows overlap and the
noise of derivatives of different order differs, so the rows are whitened with the covariance that white noise of the field has in the
residual, as in WENDy (D. Bortz, D. Messenger, V. Dukic, Bull. Math. Biol. 85 (2023) 110, doi:10.1007/s11538-023-01208-6).

How much of a residual is noise is measured and not assumed: the same sums with every second point negative see nothing of a smooth
field, but noise as before; what of them is left of a clean field bounds the error of the sums.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from symnum.dynamics.grid import Field, FieldError, Windows
from symnum.dynamics.sparse import Subset, best_subsets
from symnum.language.expr import Expr
from symnum.problem.base import Verdict
from symnum.problem.pde_derivative import derivative
from symnum.problem.pde_terms import Term, split_name, values

SAMPLES = 4000  # points that means of slopes are taken over
NUGGET = 1e-6  # of the mean variance: what is added to every variance, lest the inverse blow up rounding
RESOLUTION = 1e-6  # of the derivative in time: data are not better, be it for rounding or for the solver they come from
SIGMAS = 4.0  # of chance that a residual may exceed noise
LEVELS = 6  # steps to a level of noise that the chosen support implies
SWEEPS = 3  # covariance and coefficients depend on each other


@dataclass(frozen=True)
class Scale:
    """Projections on windows of one width.

    Attributes:
        windows: of that width.
        columns: (terms, rows) of the right-hand sides.
        left: (2, fields, rows) of the first and second derivative in time.
        odd, odd_left: the same with alternating signs, one per pattern: what noise alone would give.
    """

    windows: Windows
    columns: np.ndarray
    left: np.ndarray
    odd: np.ndarray
    odd_left: np.ndarray
    kept: np.ndarray


@dataclass(frozen=True)
class White:
    """One equation on windows of one width, rows independent and of equal variance.

    Attributes:
        A, b: (rows, terms), (rows,).
        odd, odd_b: (patterns, rows, terms), (patterns, rows).
        library: terms there were to choose among.
    """

    A: np.ndarray
    b: np.ndarray
    odd: np.ndarray
    odd_b: np.ndarray
    library: int

    @property
    def rows(self) -> int:
        """Independent rows."""
        return len(self.b)

    @cached_property
    def gram(self) -> np.ndarray:
        """[A b]ᵀ[A b]."""
        both = np.column_stack([self.A, self.b])
        return both.T @ both

    @cached_property
    def noise(self) -> np.ndarray:
        """The part of `gram` that noise makes, or the error of the sums: the mean over the patterns."""
        both = np.concatenate([self.odd, self.odd_b[:, :, None]], axis=2)
        return np.einsum("pri,prj->ij", both, both) / len(both)

    def misfit(self, columns: Sequence[int], coefficients: np.ndarray) -> tuple[float, float]:
        """The residual sum of squares, and how much of it noise explains; nobody measures or solves better than `RESOLUTION`."""
        at = list(columns)
        residual = self.b - self.A[:, at] @ coefficients
        odd = self.odd_b - self.odd[:, :, at] @ coefficients
        return float(residual @ residual), float(np.sum(odd**2)) / len(odd) + RESOLUTION**2 * float(self.b @ self.b)

    def fit(self, columns: Sequence[int]) -> Subset:
        """Coefficients of a support without the bias that noise in the columns makes: its part of the normal equations is taken off.

        (W. Fuller, Measurement Error Models, Wiley 1987, section 2.2.) Where noise is most of a direction, nothing is.
        """
        columns = tuple(sorted(columns))
        G, D = self.gram, self.noise
        at, y = list(columns), len(G) - 1
        if not at:
            return Subset((), np.zeros(0), float(G[y, y]))
        size = np.sqrt(np.maximum(np.diag(G)[at], 1e-300))
        F = G[np.ix_(at, at)] / np.outer(size, size)
        clean = F - D[np.ix_(at, at)] / np.outer(size, size)
        if np.linalg.eigvalsh(clean)[0] > 0.1 * np.linalg.eigvalsh(F)[0]:
            c = np.linalg.solve(clean, (G[at, y] - D[at, y]) / size) / size
        else:
            c = np.linalg.lstsq(self.A[:, at] / size, self.b, rcond=None)[0] / size
        return Subset(columns, c, self.misfit(columns, c)[0])

    def nats(self, subset: Subset, level: float) -> float:
        """Nats to describe the rows: residuals, coefficients, and which terms.

        The variance is at least that of the noise: below it nothing is gained but fits of the error; far above it, it is unknown.

        Args:
            level: the sum of squares that noise makes, one for all supports: one of its own would let a support hide its misfit
                behind terms that are mostly noise.
        """
        rss, level = self.misfit(subset.columns, subset.coefficients)
        ratio = rss / max(level, 1e-300)
        return self.rows / 2 * (math.log(ratio) if ratio > 1 else ratio - 1) + self.structure(len(subset.columns))

    def structure(self, k: int) -> float:
        """Nats to describe k coefficients and which terms they belong to."""
        n = self.library
        which = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + math.log(n + 1)
        return k / 2 * math.log(self.rows) + which

    def best(self, subsets: Sequence[Subset]) -> tuple[Subset, float]:
        """The support that describes the rows most briefly, and the noise that it implies: from the least noise upwards."""
        level = self.misfit((), np.zeros(0))[1]
        for _ in range(LEVELS):
            now = min(subsets, key=lambda s: self.nats(s, level))
            before, level = level, self.misfit(now.columns, now.coefficients)[1]
            if level == before:
                break
        return now, level

    def covariance(self, subset: Subset) -> np.ndarray:
        """(k, k) of the coefficients: noise of the rows through the corrected normal equations."""
        at = np.ix_(subset.columns, subset.columns)
        rss, noise = self.misfit(subset.columns, subset.coefficients)
        inverse = np.linalg.pinv(self.gram[at] - self.noise[at])
        return inverse @ self.gram[at] @ inverse * max(rss, noise) / max(1, self.rows - len(subset.columns))

    def doubt(self, subset: Subset) -> float:
        """How far a support is from enough: at most 1 where the residual is noise, and no further column goes with it beyond chance.

        The larger of two tests, each in units of its limit: of the residual's size, and of the scores of all columns (C. R. Rao 1948,
        doi:10.1017/S0305004100023987), whose limit is what a further term costs to describe.
        """
        columns = list(subset.columns)
        r = self.b - self.A[:, columns] @ subset.coefficients
        odd = self.odd_b - self.odd[:, :, columns] @ subset.coefficients
        patterns = len(odd)
        level = np.mean(odd**2) + RESOLUTION**2 * np.mean(self.b**2)
        chance = 1 + 1 / patterns
        size = (np.mean(r**2) / max(level, 1e-300) - 1) / (SIGMAS * np.sqrt(2 * chance / self.rows))
        score = self.A.T @ r - np.einsum("prj,pr->j", self.odd, odd) / patterns
        z2 = score**2 / np.maximum(np.sum(self.A**2, axis=0) * level * chance, 1e-300)
        limit = math.log(self.rows) + 2 * math.log(self.library)
        return float(max(size, z2.max() / limit))

    def strength(self, subset: Subset) -> float:
        """The mean logarithm of coefficients in units of their standard error: what windows of this width tell."""
        if not subset.columns:
            return 0.0
        error = np.sqrt(np.maximum(np.diag(self.covariance(subset)), 1e-300))
        return float(np.mean(np.log(np.maximum(np.abs(subset.coefficients), 1e-300) / error)))

    def sound(self, columns: Sequence[int]) -> bool:
        """Whether the columns are mostly signal in every direction, so that noise in them can be corrected for."""
        at = np.ix_(list(columns), list(columns))
        size = np.sqrt(np.maximum(np.diag(self.gram)[list(columns)], 1e-300))
        F, D = self.gram[at] / np.outer(size, size), self.noise[at] / np.outer(size, size)
        return not len(size) or bool(np.linalg.eigvalsh(F - D)[0] > 0.5 * np.linalg.eigvalsh(F)[0])

    def path(self, most: int, offered: Sequence[int]) -> list[Subset]:
        """Promising supports among some columns, by plain and by noise-corrected normal equations; sound ones, see `sound`."""
        offered = np.asarray(offered)
        at = np.r_[offered, len(self.gram) - 1]
        clean = (self.gram - self.noise)[np.ix_(at, at)]
        size = np.sqrt(np.maximum(np.diag(self.gram)[at], 1e-300))
        values, vectors = np.linalg.eigh(clean / np.outer(size, size))
        root = np.sqrt(np.maximum(values, 1e-14 * values[-1]))[:, None] * vectors.T * size
        both = (self.A[:, offered], self.b), (root[:, :-1], root[:, -1])
        supports = {tuple(int(offered[j]) for j in s.columns) for X, y in both for s in best_subsets(X, y, most, keep=3)}
        fits = (self.fit(s) for s in {(), *supports} if self.sound(s))
        return sorted(fits, key=lambda s: (len(s.columns), s.rss))


@dataclass(frozen=True)
class Judged:
    """One support on windows of one width, whitened for itself.

    Attributes:
        subset: terms and coefficients.
        covariance: of the coefficients.
        ratio: residual over noise.
        unexplained: share of the derivative in time beyond noise.
        rows: independent rows.
    """

    subset: Subset
    covariance: np.ndarray
    ratio: float
    unexplained: float
    rows: int

    @property
    def significant(self) -> bool:
        """Whether the residual exceeds noise by more than chance: both are sums of squares of about `rows` numbers."""
        return self.ratio > 1 + 4 * np.sqrt(2 * (1 + 1 / 3) / self.rows)


class PdeProblem:
    """The equations of a field over a library of terms.

    Searches over trees score rows one by one, a window is a sum over many: this problem offers its terms as columns instead, and
    sparse regression chooses among them.

    Attributes:
        field: the measurements.
        terms: the library.
        time_order: 1 or 2, of the derivative in time on the left.
        sigma: per field, the deviation of white noise.
    """

    def __init__(self, field: Field, terms: Sequence[Term], time_order: int = 1):
        self.field, self.terms, self.time_order = field, tuple(terms), time_order
        self.names = field.names
        self.sigma = dict(zip(field.names, map(float, field.noise), strict=True))
        self.fingerprint = field.fingerprint

    def target(self, name: str) -> str:
        """The left-hand side, as u_t."""
        return f"{name}_{'t' * self.time_order}"

    # projections ------------------------------------------------------------------------------------------------------
    def scale(self, widths: Sequence[int], most: int = 900) -> Scale:
        """Project everything on windows of half widths (time, x, …) in points.

        Raises:
            FieldError: too many missing values: no window is whole.
        """
        field = self.field
        order = max(max(t.orders) for t in self.terms)
        windows = Windows.spread(field, widths, powers=[6] + [max(8, order + 4)] * len(field.axes), most=most)
        patterns = list(itertools.product((False, True), repeat=1 + len(field.axes)))
        if len(field.axes) > 1:  # of many patterns, one axis at a time and all at once
            patterns = [p for p in patterns if sum(p) in (0, 1, len(p))]
        columns = np.stack([self._project(windows, parity) for parity in patterns])  # (patterns, terms + 2·fields, windows)
        kept = self._whole(windows)
        if kept.sum() < 20:
            raise FieldError(f"at least 20 windows without missing values were required, {int(kept.sum())} are; fill short gaps, "
                             "or give a part of the field that is whole")
        columns, n = columns[:, :, kept], len(self.terms)
        left = columns[:, n:].reshape(len(patterns), 2, len(self.names), -1)
        return Scale(windows, columns[0, :n], left[0], columns[1:, :n], left[1:], kept)

    def _project(self, windows: Windows, parity: Sequence[bool]) -> np.ndarray:
        """(terms + 2·fields, windows): all terms, then first and second derivatives in time."""
        dims = len(self.field.shape)
        out = np.zeros((len(self.terms) + 2 * len(self.names), int(np.prod(windows.shape))))
        wanted: dict = {}
        for i, term in enumerate(self.terms):
            for c, orders, factor in term.pieces:
                wanted.setdefault(term.inner, {}).setdefault(factor, []).append((i, c, (0, *orders)))
        for i, name in enumerate(self.names):
            uses = wanted.setdefault(Expr.var(name), {}).setdefault(None, [])
            uses += [(len(self.terms) + i + k * len(self.names), 1.0, (k + 1, *(0,) * (dims - 1))) for k in (0, 1)]
        for inner, by_factor in wanted.items():
            term = Term(inner, (0,) * (dims - 1), self.field.labels)
            for factor, uses in by_factor.items():
                factors = [None] * dims
                if factor is not None:
                    factors[("t", *self.field.labels).index(factor[0])] = _along(*factor)
                orders = list(dict.fromkeys(o for _, _, o in uses))
                found = windows.project(lambda times, term=term: self.inner(term, times), orders, factors, parity)
                for i, c, o in uses:
                    out[i] += c * found[orders.index(o)]
        return out

    def inner(self, term: Term, times: slice) -> np.ndarray:
        """What stands under the derivative of a term, at some of the times; 0 where it is missing."""
        columns = {}
        for name in term.inner.variables:
            if name in self.names:
                columns[name] = np.asarray(self.field.values[self.names.index(name)][times])
            elif name in self.derived:
                columns[name] = self.derived[name][times]
            else:
                k = ("t", *self.field.labels).index(name)
                c = self.field.coordinates[k]
                columns[name] = (c[times] if k == 0 else c).reshape([-1 if i == k else 1 for i in range(len(self.field.shape))])
        if not any(name in self.names or name in self.derived for name in columns):
            whole = self.field.values[0][times].shape
            columns = {"": np.ones(whole)} | {name: np.broadcast_to(c, whole) for name, c in columns.items()}
        found = values(term, columns, self.sigma)
        return np.where(np.isfinite(found), found, 0.0).astype(found.dtype)

    @cached_property
    def derived(self) -> dict[str, np.ndarray]:
        """Derivatives that stand inside terms, by name as u_xx; their noise joins `sigma`."""
        out = {}
        for name in sorted({name for term in self.terms for name in term.inner.variables} - set(self.names)):
            base, orders = split_name(name, self.names, self.field.labels)
            if base:
                out[name], self.sigma[name] = derivative(self.field, base, orders)
        return out

    def _whole(self, windows: Windows) -> np.ndarray:
        """(windows,) where no value is missing."""
        def missing(times):
            return np.any([~np.isfinite(a[times]) for a in self.field.values], axis=0).astype(float)

        if not any(np.isnan(a).any() for a in self.field.values):
            return np.ones(int(np.prod(windows.shape)), bool)
        return np.abs(windows.project(missing, [(0,) * len(self.field.shape)])[0]) == 0

    # covariance -------------------------------------------------------------------------------------------------------
    @cached_property
    def slopes(self) -> dict[str, np.ndarray]:
        """Per field, (samples, terms) derivatives of the terms' inner parts by that field; 0 where derivatives stand inside."""
        rng = np.random.default_rng(0)
        index = tuple(rng.integers(0, n, SAMPLES) for n in self.field.shape)
        point = {name: np.nan_to_num(np.asarray(a[index], float)) for name, a in zip(self.names, self.field.values, strict=True)}
        point |= {label: c[i] for label, c, i in zip(("t", *self.field.labels), self.field.coordinates, index, strict=True)}
        out = {name: np.zeros((SAMPLES, len(self.terms))) for name in self.names}
        known: dict = {}
        for i, term in enumerate(self.terms):
            for name in self.names:
                if term.local or name not in term.inner.variables:
                    continue
                if (term.inner, name) not in known:
                    with np.errstate(all="ignore"):
                        slope = np.broadcast_to(np.asarray(term.inner.derivative(name)(point), float), (SAMPLES,))
                    known[term.inner, name] = np.where(np.isfinite(slope), slope, 0.0)
                out[name][:, i] = known[term.inner, name]
        return out

    def covariance(self, windows: Windows, target: int, subset: Subset) -> np.ndarray:
        """(windows, windows) of the residual of one equation, for white noise in the fields: a sum of Kronecker products.

        Slopes that vary over the field enter by their means, products of slopes by theirs.
        """
        weights = np.array([self.sigma[name] for name in self.names]) ** 2
        weights = np.maximum(weights, 1e-6 * max(weights.max(), 1e-300))
        dims = len(self.field.shape)
        parts = []  # (coefficient, slope per field (fields, samples), key of matrices)
        left = np.zeros((len(self.names), SAMPLES))
        left[target] = 1.0
        parts.append((1.0, left, ((self.time_order, None), *((0, None),) * (dims - 1))))
        for j, c in zip(subset.columns, subset.coefficients, strict=True):
            slope = np.stack([self.slopes[name][:, j] for name in self.names])
            if not slope.any():
                continue
            for share, orders, factor in self.terms[j].pieces:
                key = tuple((o, factor[1] if factor is not None and factor[0] == label else None)
                            for label, o in zip(("t", *self.field.labels), (0, *orders), strict=True))
                parts.append((-c * share, slope, key))
        merged: dict = {}  # terms with the same windows: one sum of slopes
        for c, slope, key in parts:
            merged[key] = merged.get(key, 0.0) + c * slope
        matrices = {(k, o, f): part.matrix(o, None if f is None else _along(("t", *self.field.labels)[k], f))
                    for key in merged for k, (part, (o, f)) in enumerate(zip(windows.parts, key, strict=True))}
        total, keys = 0.0, list(merged)
        for i, one in enumerate(keys):
            for other in keys[i:]:
                mean = float((weights[:, None] * merged[one] * merged[other]).mean(axis=1).sum())
                if mean == 0.0:
                    continue
                product = np.ones((1, 1))
                for k in range(dims):
                    product = np.kron(product, matrices[(k, *one[k])] @ matrices[(k, *other[k])].T)
                total = total + (mean * product if one == other else mean * (product + product.T))
        return total

    def whiten(self, scale: Scale, target: int, subset: Subset, only: Sequence[int] | None = None) -> White:
        """The columns, or some `only`, with rows of equal variance and without correlation, as far as noise is white."""
        from scipy.linalg import cholesky, solve_triangular

        C = self.covariance(scale.windows, target, subset)[np.ix_(scale.kept, scale.kept)]
        size = np.mean(np.diag(C))
        if not np.isfinite(size) or size <= 0:
            C, size = np.eye(len(C)), 1.0
        L = cholesky(C / size + NUGGET * np.eye(len(C)), lower=True)
        only = list(range(len(self.terms)) if only is None else only)
        n, k = len(only), self.time_order - 1
        odd = [np.column_stack([right[only].T, left[k, target]]) for right, left in zip(scale.odd, scale.odd_left, strict=True)]
        stacked = np.concatenate([scale.columns[only].T, scale.left[k, target][:, None], *odd], axis=1)
        solved = solve_triangular(L, stacked, lower=True)
        blocks = solved.reshape(len(C), -1, n + 1)
        return White(blocks[:, 0, :n], blocks[:, 0, n], np.moveaxis(blocks[:, 1:, :n], 1, 0), blocks[:, 1:, n].T, len(self.terms))

    # fits -------------------------------------------------------------------------------------------------------------
    def path(self, scale: Scale, target: int, most: int, offered: Sequence[int]) -> tuple[White, list[Subset]]:
        """Promising supports of every size, whitened for the one that describes the rows most briefly."""
        chosen = Subset((), np.zeros(0), 0.0)
        for _ in range(SWEEPS):
            white = self.whiten(scale, target, chosen)
            subsets = white.path(most, offered)
            now, _ = white.best(subsets)
            if now.columns == chosen.columns:
                break
            chosen = now
        return white, subsets

    def judge(self, scale: Scale, target: int, columns: Sequence[int], first: np.ndarray) -> "Judged":
        """One support with rows whitened for itself, from coefficients to begin with."""
        columns = tuple(columns)
        subset = Subset(columns, np.asarray(first), 0.0)
        for _ in range(SWEEPS):
            white = self.whiten(scale, target, subset, columns)
            subset = replace(white.fit(range(len(columns))), columns=columns)
        inside = tuple(range(len(columns)))
        rss, noise = white.misfit(inside, subset.coefficients)
        whole, whole_noise = white.misfit((), np.zeros(0))
        unexplained = max(0.0, rss - noise) / max(whole - whole_noise, 1e-9 * whole, 1e-300)
        return Judged(subset, white.covariance(replace(subset, columns=inside)), rss / max(noise, 1e-300), unexplained, white.rows)

    def doubt(self, scale: Scale, target: int, subset: Subset) -> float:
        """`White.doubt` of a support, rows whitened for itself."""
        for _ in range(2):
            white = self.whiten(scale, target, subset)
            subset = white.fit(subset.columns)
        return white.doubt(subset) if white.sound(subset.columns) else math.inf

    def verify(self, scale: Scale, target: int, subset: Subset) -> Verdict:
        """How much of the derivative in time an equation explains on windows it may not have been fitted on."""
        b = scale.left[self.time_order - 1, target]
        right = subset.coefficients @ scale.columns[list(subset.columns)]
        r2 = 1.0 - float(np.sum((b - right) ** 2) / max(np.sum(b**2), 1e-300))
        return Verdict(r2, None, len(b), 0, f"explains {100 * r2:.4g} % of {self.target(self.names[target])} in the weak form")


def _along(name: str, factor: Expr):
    """A function of one coordinate from an expression."""
    def values_of(c: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            found = np.broadcast_to(np.asarray(factor({name: c}), float), c.shape)
        if not np.isfinite(found).all():
            raise FieldError(f"the factor {factor} is not finite on the whole of {name}; leave it out, or shift the coordinate")
        return found

    return values_of
