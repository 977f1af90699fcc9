"""Reductions that the gradients of a surrogate suggest; each is a guess, to be checked by a fit in the new columns.

A function has a symmetry where a combination of its derivatives vanishes. Scaling, sum a_i x_i dy/dx_i = c y, gives monomials;
translation, sum a_i dy/dx_i = 0, gives linear combinations; dy/dx_i dp/dx_j = dy/dx_j dp/dx_i for all pairs in a set gives
y = F(p, rest) and is linear in the coefficients of a polynomial p. Combinations are found as small singular values, in units
of the surrogate's own error. After Udrescu et al., AI Feynman 2.0, NeurIPS 2020, arXiv:2006.10782 (generalized symmetries).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import combinations, combinations_with_replacement, product

import numpy as np

from symnum.language.expr import Expr
from symnum.problem.rational import rational_basis, rational_offset, snap
from symnum.problem.reduction import HOLE, Reduction, monomial
from symnum.problem.surrogate import Surrogate, one_signed

Array = np.ndarray
F = Expr.var(HOLE)
INDEXED = 8  # columns of strongest slope among which inner polynomials are sought


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What is looked at: the better-known half of a surrogate's rows, with dy/dx and its error in the surrogate's view.

    Attributes:
        X, y: rows (n, d), (n,).
        gradient, error: of t = log|y| or y (n, d).
        log: whether t = log|y|.
    """

    names: tuple[str, ...]
    X: Array
    y: Array
    gradient: Array
    error: Array
    log: bool

    @classmethod
    def of(cls, names: tuple[str, ...], s: Surrogate) -> "View":
        """The rows of `s` where the gradient is known best."""
        doubt = (s.gradient_error * s.X.std(0)).max(1)
        doubt[~(np.isfinite(s.gradient).all(1) & np.isfinite(s.gradient_error).all(1))] = np.inf
        keep = np.sort(np.argsort(doubt)[: max(len(s.y) * 6 // 10, 10)])
        keep = keep[np.isfinite(doubt[keep])]
        return cls(names, s.X[keep], s.y[keep], s.gradient[keep], s.gradient_error[keep], s.log_target)

    @property
    def slope(self) -> Array:
        """dy/dx (n, d)."""
        return self.gradient * self.y[:, None] if self.log else self.gradient


def rms(a: Array, axis: int | None = 0) -> Array:
    """Root mean square."""
    return np.sqrt(np.mean(np.square(a), axis=axis))


def proposals(view: View) -> Iterator[tuple[float, Reduction]]:
    """Every reduction suggested, with how badly its condition is violated (0: not at all)."""
    if len(view.y) < 10:
        return
    yield from irrelevant(view)
    yield from powers(view)
    yield from scalings(view)
    yield from translations(view)
    yield from terms(view)
    yield from indices(view)


def template(columns: list[Expr], outer: Expr, inner: Expr, reason: str) -> Reduction:
    """The reduction, its columns named."""
    return Reduction(tuple(columns), column_names(columns), outer, inner, reason)


def column_names(columns: Sequence[Expr]) -> tuple[str, ...]:
    """A variable keeps its name, other columns are numbered.

    >>> column_names([Expr.parse("a/b"), Expr.parse("u0"), Expr.parse("c")])
    ('u0_', 'u0', 'c')
    """
    kept = {c.op for c in columns if isinstance(c.op, str)}
    names = []
    for i, c in enumerate(columns):
        name = c.op if isinstance(c.op, str) else f"u{i}"
        while not isinstance(c.op, str) and name in kept:
            name += "_"
        names.append(name)
    return tuple(names)


def irrelevant(v: View) -> Iterator[tuple[float, Reduction]]:
    """Columns with no slope."""
    effect, doubt = rms(v.gradient * v.X.std(0)), rms(v.error * v.X.std(0))
    ratio = effect / np.maximum(4 * doubt, 1e-3 * effect.max())
    drop = ratio < 1
    if drop.any() and not drop.all():
        gone = [n for n, out in zip(v.names, drop, strict=True) if out]
        yield float(ratio[drop].max()) / 10, template([Expr.var(n) for n in v.names if n not in gone], F, F, f"no {', '.join(gone)}")


# scaling ----------------------------------------------------------------------------------------------------------------
def _elasticity(v: View) -> tuple[Array, Array, Array, Array]:
    """Indices of columns that may be scaled; x dt/dx less its part along y (n, k); that part, the exponents (k,); the errors (k,)."""
    k = np.flatnonzero(one_signed(v.X))
    E, se = v.gradient[:, k] * v.X[:, k], v.error[:, k] * v.X[:, k]
    along = np.ones(len(v.y)) if v.log else v.y
    p = along @ E / (along @ along)
    return k, E - np.outer(along, p), p, rms(se)


def powers(v: View) -> Iterator[tuple[float, Reduction]]:
    """y = x^p F(rest): columns whose elasticity is constant."""
    k, E, p, se = _elasticity(v)
    if not len(k) or len(v.names) < 2:
        return
    scale = max(rms(E, None), 1e-3 * np.abs(p).max(), 1e-12) if v.log else max(rms(v.y), 1e-300)
    spread = rms(E)
    ratio = spread / np.maximum(4 * se, 0.01 * scale)
    doubt = spread / (1.0 if v.log else scale)
    exponents = [snap(float(q), 0.05 + 2 * float(r), 4 if r < 0.05 else 2) for q, r in zip(p, doubt, strict=True)]
    good = [j for j in np.argsort(ratio) if ratio[j] < 1.5 and exponents[j]]
    if len(good) == len(v.names):
        good = good[:-1]  # F needs a column
    for count in sorted({len(good), sum(ratio[j] < 0.3 for j in good), 1 if good else 0} - {0}, reverse=True):
        m = monomial({v.names[k[j]]: exponents[j] for j in sorted(good[:count])})
        gone = {v.names[k[j]] for j in good[:count]}
        yield float(ratio[good[count - 1]]) / 10, template([Expr.var(n) for n in v.names if n not in gone], _times(m, F), _over(F, m),
                                                           f"powers: y = {m}*F")


def scalings(v: View) -> Iterator[tuple[float, Reduction]]:
    """y = monomial * F(monomials): the elasticities span fewer dimensions than there are columns."""
    k, E, p, se = _elasticity(v)
    if len(k) < 2:
        return
    constant = rms(E) < np.maximum(3 * se, 0.01 * rms(E, None))  # pure powers are seen by `powers`
    k, E, p, se = k[~constant], E[:, ~constant], p[~constant], se[~constant]
    if len(k) < 2:
        return
    se = np.maximum(se, 2e-3 * rms(E, None))
    gram = (E / se).T @ (E / se) / len(E)
    if not (np.isfinite(gram).all() and gram.any()):
        return
    values, vectors = np.linalg.eigh(gram)
    for r in range(1, len(k)):
        doubt = _gap(values, r)
        if doubt is None:
            continue
        basis = rational_basis(vectors[:, len(k) - r :] * se[:, None], 0.2)
        if basis is None:
            continue
        offset = rational_offset(p, basis, 0.2)
        if offset is None:
            continue
        names = [v.names[j] for j in k]
        m = monomial(dict(zip(names, offset, strict=True)))
        groups = [monomial(dict(zip(names, row, strict=True))) for row in basis]
        others = [Expr.var(n) for n in v.names if n not in names]
        yield doubt / 10, template(groups + others, _times(m, F), _over(F, m), f"scaling: y = {m}*F({', '.join(map(str, groups))})")


def _gap(values: Array, r: int) -> float | None:
    """How far from 0 the largest of all but the last r eigenvalues is, in errors; None where r cannot be the rank."""
    small, large = np.sqrt(np.maximum(values[[-r - 1, -r]], 0.0))
    return float(small) if small < max(8.0, 0.1 * large) and large > 3 * small else None


def _times(m: Expr, f: Expr) -> Expr:
    return f if m == Expr.const(1) else m * f


def _over(f: Expr, m: Expr) -> Expr:
    return f if m == Expr.const(1) else f / m


# translation ------------------------------------------------------------------------------------------------------------
def translations(v: View) -> Iterator[tuple[float, Reduction]]:
    """y = F(linear combinations): the gradients span fewer dimensions than there are columns."""
    d = len(v.names)
    if d < 2:
        return
    G, width = v.gradient, v.X.std(0)
    if not width.all():
        return  # a column is constant on these rows
    se = np.maximum(rms(v.error), 2e-3 * rms(G * width, None) / width)
    gram = (G / se).T @ (G / se) / len(G)
    if not (np.isfinite(gram).all() and gram.any()):
        return
    values, vectors = np.linalg.eigh(gram)
    for r in range(1, d):
        doubt = _gap(values, r)
        if doubt is None:
            continue
        space = vectors[:, d - r :] * se[:, None]
        basis = rational_basis(space, 0.2)
        if basis is None:
            basis = _real_basis(space) if r == 1 and np.isfinite(space).all() and space.any() else None
        if basis is None:
            continue
        columns = [linear(v.names, row) for row in basis]
        yield doubt / 10, template(columns, F, F, f"translation: y = F({', '.join(map(str, columns))})")


def _real_basis(space: Array) -> list[list[float]]:
    """The one direction, its largest part made 1."""
    a = space[:, 0] / space[np.argmax(np.abs(space[:, 0])), 0]
    return [[float(x) if abs(x) > 1e-3 else 0.0 for x in a]]


def linear(names: tuple[str, ...], weights: list[Fraction] | list[float]) -> Expr:
    """sum w_i x_i as it would be written by hand.

    >>> str(linear(("a", "b", "c"), [Fraction(-1), Fraction(2), Fraction(1)]))
    '2*b + c - a'
    """
    return combination([Expr.var(n) for n in names], weights)


def combination(parts: list[Expr], weights) -> Expr:
    """sum w_i parts_i, positive terms first."""
    plus = [_scaled(e, w) for e, w in zip(parts, weights, strict=True) if w > 0]
    minus = [_scaled(e, -w) for e, w in zip(parts, weights, strict=True) if w < 0]
    if not plus:
        return -reduce(Expr.__add__, minus)
    return reduce(Expr.__sub__, minus, reduce(Expr.__add__, plus))


def _scaled(e: Expr, w) -> Expr:
    if w == 1:
        return e
    if isinstance(w, Fraction):
        return Expr.const(int(w)) * e if w.denominator == 1 else (
            e / w.denominator if w.numerator == 1 else Expr.const(w.numerator) * e / w.denominator)
    return Expr.const(float(w)) * e


# terms ------------------------------------------------------------------------------------------------------------------
# T(y) = c u(x) + F(rest): name -> (T, derivative of T, inverse) and (u, derivative of u)
# name -> T(z), its inverse, its derivative
VIEWS = {
    "y": ("z", "z", np.ones_like),
    "square": ("square(z)", "sqrt(z)", lambda a: 2 * a),
    "inv": ("inv(z)", "inv(z)", lambda a: -1 / a**2),
    "log": ("log(z)", "exp(z)", lambda a: 1 / a),
    "inv_square": ("inv(square(z))", "inv(sqrt(z))", lambda a: -2 / a**3),
    "exp": ("exp(z)", "log(z)", np.exp),
    "sqrt": ("sqrt(z)", "square(z)", lambda a: 0.5 / np.sqrt(a)),
}


def terms(v: View) -> Iterator[tuple[float, Reduction]]:
    """T(y) = c u(x) + F(rest) for T, u among simple functions: T'(y) dy/dx / u'(x) is constant."""
    if len(v.names) < 2:
        return
    slope, doubt = v.slope, v.error * (np.abs(v.y)[:, None] if v.log else 1.0)
    found = []
    for t, i, u in product(_allowed(v.y), range(len(v.names)), VIEWS):
        if (t, u) == ("log", "log") or u == "sqrt" or u not in _allowed(v.X[:, i]):
            continue
        with np.errstate(all="ignore"):
            factor = VIEWS[t][2](v.y) / VIEWS[u][2](v.X[:, i])
            c, se = slope[:, i] * factor, doubt[:, i] * np.abs(factor)
        if not (np.isfinite(c).all() and np.isfinite(se).all() and c.any()):
            continue
        weight = 1 / np.maximum(se / np.median(np.abs(c) + se), 1e-3) ** 2
        mean = float(weight @ c / weight.sum())
        off, known = float(np.sqrt(np.median((c - mean) ** 2))), float(np.median(se))
        if mean and off < min(max(0.005 * abs(mean), 4 * known), 0.1 * abs(mean)):
            found.append((off / abs(mean), t, i, u, mean))
    for off, t, i, u, c in sorted(found)[:4]:
        near = snap(abs(c), 0.02 * abs(c))
        term = _scaled(_seen(u, Expr.var(v.names[i])), near or abs(c))
        value, back = (_seen(t, F) - term, F + term) if c > 0 else (_seen(t, F) + term, F - term)
        outer = Expr.parse(VIEWS[t][1]).substitute({"z": back})
        yield off, template([Expr.var(n) for n in v.names if n != v.names[i]], outer, value, f"term: y = {outer}")


def _allowed(a: Array) -> list[str]:
    """The functions of `VIEWS` that may be applied to these values."""
    return [t for t in VIEWS if t == "y" or (t == "exp" and np.abs(a).max() < 30) or (t != "exp" and (a > 0).all())]


def _seen(view: str, e: Expr) -> Expr:
    return Expr.parse(VIEWS[view][0]).substitute({"z": e})


# inner polynomials ------------------------------------------------------------------------------------------------------
def indices(v: View) -> Iterator[tuple[float, Reduction]]:
    """y = F(p(x_S), rest), p a polynomial in the columns of S (or in their inverses), of degree 2 or 3."""
    d = len(v.names)
    strong = np.sort(np.argsort(-rms(v.gradient * v.X.std(0)), kind="stable")[:INDEXED]).tolist()
    found = []
    for size in range(2, min(d, 5 if d < 7 else 4) + 1):
        for S in combinations(strong, size):
            if _simple_index(v, list(S)):
                continue
            for degree in (2, 3):
                for inverse in (False, True):
                    if inverse and (degree == 3 or size > 3 or not one_signed(v.X[:, S]).all()):
                        continue
                    powers = [np.bincount(c, minlength=size) for k in range(1, degree + 1)
                              for c in combinations_with_replacement(range(size), k)]
                    if len(powers) > 20:
                        continue
                    hit = _index(v, list(S), np.array(powers), inverse)
                    if hit is not None:
                        found.append((hit[0], size, degree, S, inverse, hit[1], hit[2]))
    found.sort(key=lambda h: (-h[1], h[0]))
    for off, _, _, S, inverse, powers, weights in found[:5]:
        parts = [monomial({v.names[j]: Fraction(int(-q if inverse else q)) for j, q in zip(S, row, strict=True)}) for row in powers]
        p = combination(parts, weights)
        rest = [Expr.var(n) for j, n in enumerate(v.names) if j not in S]
        yield off, template([p, *rest], F, F, f"index: {p}")


def _simple_index(v: View, S: list[int]) -> bool:
    """Whether a linear combination or a monomial of the columns does: `translations` and `scalings` see those."""
    for g in (v.gradient[:, S] * v.X[:, S].std(0), v.gradient[:, S] * v.X[:, S]):
        values = np.linalg.eigvalsh(g.T @ g)
        if values[-2] < 4e-4 * values[-1]:
            return True
    return False


def _index(v: View, S: list[int], powers: Array, inverse: bool) -> tuple[float, Array, list] | None:
    """How badly the best polynomial fails, its monomials and coefficients; None where none is good."""
    x = 1.0 / v.X[:, S] if inverse else v.X[:, S]
    g, se = v.gradient[:, S], v.error[:, S]
    if inverse:
        g, se = g / -(x**2), se / x**2
    width = np.abs(x).max(0)
    x, g, se = x / width, g * width, se * width
    total = np.sqrt((g**2).sum(1))
    keep = total > 0.1 * np.median(total)  # elsewhere the direction of the gradient is not known
    if keep.sum() < 10:
        return None
    x, g, se, total = x[keep], g[keep], se[keep], total[keep]
    slopes = np.stack([powers[:, i] * np.prod(x[:, None, :] ** np.maximum(powers - np.eye(len(S), dtype=int)[i], 0), axis=2)
                       for i in range(len(S))])  # (k, n, monomials)
    rows = [(g[:, i, None] * slopes[j] - g[:, j, None] * slopes[i]) / total[:, None] for i, j in combinations(range(len(S)), 2)]
    A = np.concatenate(rows)
    doubt = float(rms(se / total[:, None], None))
    active = np.arange(len(powers))
    size = np.sqrt((slopes**2).sum(0).mean(0))  # of each monomial's gradient
    A = A / size
    weights = _null(A, active)
    if weights[0] > min(max(0.01, 5 * doubt), 0.1):
        return None
    limit = max(3 * weights[0], 2 * doubt, 1e-3)
    while len(active) > 1:  # drop the smallest part while the rest still does
        order = np.argsort(np.abs(weights[1]))
        for drop in order[:2]:
            fewer = np.delete(active, drop)
            trial = _null(A, fewer)
            if trial[0] <= limit:
                active, weights = fewer, trial
                break
        else:
            break
    if len(active) < 2 or len(set(np.flatnonzero(powers[active].sum(0)))) < len(S):
        return None
    c = weights[1] / size[active] / np.prod(width ** powers[active], axis=1)
    coefficients = nice(c, max(0.06, min(4 * weights[0], 0.2)))
    if len(active) > (8 if isinstance(coefficients[0], Fraction) else 3):
        return None  # a polynomial approximation, not a law
    return weights[0], powers[active], coefficients


def _null(A: Array, active: Array) -> tuple[float, Array]:
    """The least root mean square of A w over unit vectors w on the active columns, and w."""
    gram = A[:, active].T @ A[:, active] / len(A)
    if not np.isfinite(gram).all():
        return np.inf, np.ones(len(active))
    values, vectors = np.linalg.eigh(gram)
    return float(np.sqrt(max(values[0], 0.0))), vectors[:, 0]


def nice(weights: Array, tolerance: float = 0.06) -> list:
    """The weights over the one that leaves them nearest to small rationals; as they are (over the largest) where none does.

    >>> nice(np.array([0.5001, 1.0, -0.4999])), nice(np.array([1.0, 0.123]))
    ([Fraction(1, 1), Fraction(2, 1), Fraction(-1, 1)], [1.0, 0.123])
    """
    for unit in sorted(weights, key=abs):
        snapped = [snap(float(w / unit), tolerance) for w in weights]
        if all(snapped):
            sign = 1 if snapped[0] > 0 else -1
            return [s * sign for s in snapped]
    return [float(w) for w in weights / weights[np.argmax(np.abs(weights))]]
