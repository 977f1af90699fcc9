"""Where bounds come from: directions of linear inequalities between invariants, made exact.

A bound is an `Inequality`: integer weights on formulas of the invariants, the target among them, whose sum with a constant is >= 0 on
every row of a hypothesis. Floating point only proposes *directions* (the weights): facets of the convex hull of the rows, which contain
the solution of least total slack, and for three terms, where hulls grow large, that solution by linear programming. A direction is
rounded to small integers; then the constant is computed exactly as the least for which the inequality holds on every row. So every
inequality that leaves this file is true on its rows, whatever the rounding did.

After R. Davila's TxGraffiti (2024, arXiv:2409.19379): ratio bounds (facets through the origin), convex hulls and linear programs.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np

from symnum.conjecture.objects.exact import Column, combine, sign
from symnum.conjecture.objects.invariants import ObjectTable
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar

# single invariants, and what their bounds are often written in: each alternative is one feature
FEATURES = """
feature : VAR
        | VAR^2
        | sqrt(VAR)
        | log(VAR)
        | VAR*VAR
        | VAR/VAR
        | sqrt(VAR*VAR)
"""
FEATURE_COST = 6  # of the largest feature
LARGEST_ROOT = 10**12  # roots and logarithms are taken of columns up to it: they are factored
HULL_TERMS = 2  # with more, hulls have too many facets
Direction = tuple[tuple[Expr, ...], tuple[int, ...]]  # terms, the target first, and their weights


@dataclass(frozen=True)
class Inequality:
    """The sum of weights * terms + constant >= 0, in coprime integers.

    Attributes:
        terms: formulas of the invariants; the target is the first.
        weights: one per term, not 0; negative for the target in an upper bound.
        constant: the rest.

    >>> str(Inequality((Expr.var("y"), Expr.var("n")), (-2, 1), 3).right), str(Inequality((Expr.var("y"),), (1,), -1).right)
    ('(n + 3)/2', '1')
    """

    terms: tuple[Expr, ...]
    weights: tuple[int, ...]
    constant: int

    @property
    def is_upper(self) -> bool:
        return self.weights[0] < 0

    @property
    def right(self) -> Expr:
        """The bound on the target as a formula."""
        turn = 1 if self.is_upper else -1
        parts = [(turn * w, t) for w, t in zip(self.weights[1:], self.terms[1:], strict=True)]
        parts += [(turn * self.constant, None)] if self.constant or not parts else []
        parts.sort(key=lambda p: p[0] < 0)  # the order is kept otherwise
        first, *rest = (_times(w if i == 0 else abs(w), t) for i, (w, t) in enumerate(parts))
        total = first
        for (w, _), term in zip(parts[1:], rest, strict=True):
            total = total - term if w < 0 else total + term
        return total / Expr.const(abs(self.weights[0])) if abs(self.weights[0]) > 1 else total

    @property
    def size(self) -> tuple[int, int]:
        """How complicated it is: of two with as many touches the smaller one comes first."""
        return sum(t.complexity for t in self.terms), sum(map(abs, self.weights)) + abs(self.constant)

    def slack(self, table: ObjectTable) -> Column:
        """The left side on every row: not negative where the inequality holds, 0 where it is an equality."""
        return combine(self.weights, [table.column(t) for t in self.terms], self.constant)


def _times(weight: int, term: Expr | None) -> Expr:
    if term is None:
        return Expr.const(weight)
    return term if weight == 1 else -term if weight == -1 else Expr.const(weight) * term


# features ----------------------------------------------------------------------------------------------------------------
def features(table: ObjectTable, target: str, names: Sequence[str], grammar: Grammar | None) -> list[Expr]:
    """The formulas that bounds are sums of: the invariants, then the compound ones of a grammar over them.

    Two that are affine functions of each other on all rows count once, and divisors are positive on all rows: an inequality could not
    be multiplied by them otherwise.
    """
    found = [Expr.var(n) for n in names if n != target]
    if grammar is None:
        return found
    plain = [e.variables[0] for e in found]
    shapes = {_shape(table.column(e)) for e in found}
    met: set[Expr] = set()
    for expr in (e for cost in range(2, FEATURE_COST + 1) for e in grammar.enumerate(plain, cost)):
        form = expr.canonical()
        if form in met or not expr.variables or not _is_safe(table, expr):
            continue
        met.add(form)
        shape = _shape(table.column(expr))
        if shape and shape not in shapes:
            shapes.add(shape)
            found.append(expr)
    return found


def _is_safe(table: ObjectTable, expr: Expr) -> bool:
    """Whether divisors are positive and what is under roots and logarithms is small enough to be factored."""
    for e in _parts(expr):
        name = getattr(e.op, "name", "")
        if name in ("div", "inv") and not _between(table, e.arguments[-1], 0, None):
            return False
        if name in ("sqrt", "log") and not _between(table, e.arguments[0], -1 if name == "sqrt" else 0, LARGEST_ROOT):
            return False
    return True


def _parts(expr: Expr) -> Iterator[Expr]:
    """The expression and its subexpressions, the smallest first."""
    for a in expr.arguments:
        yield from _parts(a)
    yield expr


def _between(table: ObjectTable, expr: Expr, low: int, high: int | None) -> bool:
    values = table.column(expr).floats()
    values = values[~np.isnan(values)]
    return bool(len(values) and (values > low).all() and (high is None or (abs(values) <= high).all()))


def _shape(column: Column) -> tuple | None:
    """Equal for columns that are affine functions of each other; None for a constant."""
    values = column.floats()
    known = values[column.defined]
    if not len(known) or not np.isfinite(known).all() or np.ptp(known) == 0:
        return None
    scaled = (values - known.min()) / np.ptp(known)
    first = scaled[column.defined][0]
    scaled = 1 - scaled if first > 0.5 or (first == 0.5 and np.nansum(scaled) > np.sum(1 - known)) else scaled
    return tuple(np.round(np.where(column.defined, scaled, -1.0), 9))


# directions --------------------------------------------------------------------------------------------------------------
def directions(
    table: ObjectTable, target: str, terms: Sequence[Expr], rows: np.ndarray, max_terms: int, max_height: int, kind: str = "both"
) -> Iterator[Direction]:
    """Directions of upper and lower bounds on the target, on the given rows, by sums of up to `max_terms` of the terms.

    At most one term of a bound is compound, and the invariants in it, counted with repetition, are at most `max_terms`. A target that is
    constant on the rows is bounded by that constant.

    Args:
        rows: which rows must comply (rows,), bool.
        max_height: the largest weight.
        kind: "upper", "lower" or "both".
    """
    goal = Expr.var(target)
    columns = {e: table.column(e) for e in (goal, *terms)}
    usable = [e for e in terms if columns[e].defined[rows].all()]
    if not columns[goal].defined[rows].all():
        return
    y = columns[goal].floats()[rows]
    if np.ptp(y) == 0:
        yield from (((goal,), (turn,)) for turn in (-1, 1) if kind != ("lower" if turn < 0 else "upper"))
        return
    values = {e: columns[e].floats()[rows] for e in usable}
    usable = [e for e in usable if np.isfinite(values[e]).all() and np.ptp(values[e]) > 0]
    for chosen in _choices(usable, max_terms):
        points = np.column_stack([*(values[e] for e in chosen), y])
        for weights in _weights(points, max_height, kind):
            if all(weights):
                yield (goal, *chosen), weights


def _choices(terms: Sequence[Expr], max_terms: int) -> Iterator[tuple[Expr, ...]]:
    """The sets of terms of a bound."""
    leaves = {e: sum(isinstance(t, str) for t in e.tokens) for e in terms}
    plain = [e for e in terms if len(e.tokens) == 1]
    for k in range(1, max_terms + 1):
        yield from combinations(plain, k)
    for e in terms:
        if len(e.tokens) > 1:
            yield (e,)
            for k in range(1, max_terms - leaves[e] + 1):
                yield from ((e, *others) for others in combinations(plain, k))


def _weights(points: np.ndarray, max_height: int, kind: str) -> Iterator[tuple[int, ...]]:
    """Weights (of the target, then of the terms) of candidate bounds on the last coordinate of the points (rows, terms + 1)."""
    center, distinct = points.mean(0), np.unique(points, axis=0)
    scale = abs(points).max(0)
    scaled = distinct / scale
    terms = points.shape[1] - 1
    if len(distinct) < 2 * terms + 3:
        return
    spread = scaled - scaled.mean(0)
    if np.linalg.matrix_rank(spread[:, :-1], tol=1e-9) < terms:  # a smaller choice of terms says the same
        return
    if np.linalg.matrix_rank(spread, tol=1e-9) <= terms:
        slopes = np.linalg.lstsq(spread[:, :-1], spread[:, -1], rcond=None)[0]
        normals = np.vstack([[*-slopes, 1.0], [*slopes, -1.0]])
    elif terms <= HULL_TERMS:
        normals = np.vstack([_facets(scaled), _facets(np.vstack([scaled, np.zeros(terms + 1)]))])
    else:
        normals = np.vstack([_least_slack(scaled, center / scale, up) for up in (True, False)])
    normals = normals[abs(normals[:, -1]) > 1e-9]
    if kind != "both":
        normals = normals[(normals[:, -1] > 0) == (kind == "upper")]
    slopes = -normals[:, :-1] / normals[:, -1:] * (scale[-1] / scale[:-1])  # of the bound on the target
    yield from _rounded(slopes, normals[:, -1] > 0, points, max_height)


def _facets(points: np.ndarray) -> np.ndarray:
    """The outward normals of the facets of the convex hull."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        return np.unique(np.round(ConvexHull(points).equations[:, :-1], 12), axis=0)
    except QhullError:  # flatter than Qhull can tell: nothing is proposed
        return np.zeros((0, points.shape[1]))


def _least_slack(points: np.ndarray, center: np.ndarray, upper: bool) -> np.ndarray:
    """The normal of the bound of least total slack, by linear programming (HiGHS); an empty array where there is none."""
    from scipy.optimize import linprog

    turn = 1.0 if upper else -1.0
    free = np.column_stack([points[:, :-1], np.ones(len(points))])
    answer = linprog(turn * np.append(center[:-1], 1.0), A_ub=-turn * free, b_ub=-turn * points[:, -1], bounds=(None, None), method="highs")
    return np.array([[*(-turn * answer.x[:-1]), turn]]) if answer.success else np.zeros((0, points.shape[1]))


def _rounded(slopes: np.ndarray, upper: np.ndarray, points: np.ndarray, max_height: int) -> Iterator[tuple[int, ...]]:
    """Small integers for the slopes (bounds, terms): themselves over the least common denominator; the tightest ones also rounded."""
    found: dict[tuple[int, ...], None] = {}
    done = np.zeros(len(slopes), bool)
    for d in range(1, max_height + 1):
        whole = np.rint(slopes * d)
        fits = ~done & (abs(slopes * d - whole) < 1e-7 * d).all(1)
        done |= fits
        for i in np.flatnonzero(fits & (abs(whole) <= max_height).all(1)):
            found.setdefault(_turned(upper[i], d, whole[i]))
    for side in (True, False):
        here = np.flatnonzero(upper == side)
        if not len(here):
            continue
        gaps = slopes[here] @ points[:, :-1].T - points[:, -1]  # how far the bounds are off on average, once they are shifted to be true
        mean = (gaps.mean(1) - gaps.min(1)) if side else (gaps.max(1) - gaps.mean(1))
        best = slopes[here[int(np.argmin(mean))]]
        for d in (1, 2):
            whole = np.rint(best * d)
            if (abs(whole) <= max_height).all():
                found.setdefault(_turned(side, d, whole))
    yield from found


def _turned(upper: bool, d: int, slopes: np.ndarray) -> tuple[int, ...]:
    """Coprime weights, the target's first, of target <= slopes/d * terms, or >=."""
    divisor = math.gcd(d, *(int(w) for w in slopes))
    turn = 1 if upper else -1
    return tuple(turn * w // divisor for w in (-d, *(int(w) for w in slopes)))


def exact(table: ObjectTable, direction: Direction, rows: np.ndarray) -> Inequality | None:
    """The inequality in this direction with the least constant for which it holds on the rows; None if a term is undefined there.

    >>> table = ObjectTable.of({"n": [1, 2, 3], "y": [1, 1, 2]})
    >>> str(exact(table, ((Expr.var("y"), Expr.var("n")), (-2, 1)), np.ones(3, bool)).right)
    '(n + 1)/2'
    """
    terms, weights = direction
    columns = [table.column(t) for t in terms]
    if not all(c.defined[rows].all() for c in columns):
        return None
    constant = -_floor(combine(weights, columns), rows)
    scale = constant.denominator
    divisor = math.gcd(*(w * scale for w in weights), constant.numerator)
    return Inequality(terms, tuple(w * scale // divisor for w in weights), constant.numerator // divisor)


def _floor(form: Column, rows: np.ndarray) -> Fraction:
    """The minimum over the rows if all values are rational, otherwise the largest integer that is not above any value."""
    if form.is_rational:
        return Fraction(int(form.numerators[rows, 0].min()), form.denominator)
    chosen = np.flatnonzero(rows)
    values = form.floats()[chosen]
    low = math.floor(values.min() + 1e-6)
    near = [form.row(i) for i in chosen[values < low + 1e-3]]
    while any(sign(v | {("", 1): v.get(("", 1), Fraction(0)) - low}) < 0 for v in near):
        low -= 1
    return Fraction(low)
