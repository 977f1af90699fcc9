"""Libraries of terms for conserved quantities, from small to large, made of generic features of mechanics and kinetics.

A term is a product of powers of atoms: states, logarithms, sines and cosines of angles and their sums and differences, exponentials
of differences, inverse distances. Which atoms make sense is read off the data: logarithms for positive states, and where states are
derivatives of others (velocities of positions), only positions enter the functions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement

import numpy as np

from symnum.language.expr import Expr
from symnum.problem.invariant import ERRORS, InvariantProblem

MOST_TERMS = 260
ROWS_PER_TERM = 4
ALIKE = 0.99  # correlation of increments with a state's integral, from which on it is taken for a velocity
POSITIVE = 0.9  # share of samples that must be positive beyond the noise for a logarithm
MISSED = 0.02  # share of a trajectory's samples that noise may put on the other side of a pole
MOST_SQUARED = 8  # functions whose products with each other are terms
FUNCTIONS_UP_TO = 4  # states that may stand in functions where no velocities are recognised

Term = tuple[tuple[int, int], ...]  # (atom, power), …


@dataclass(frozen=True)
class Library:
    """Terms over atoms.

    Attributes:
        name: what it holds, in words.
        atoms: the expressions that terms are products of.
        terms: for every term its atoms and their powers.
    """

    name: str
    atoms: tuple[Expr, ...]
    terms: tuple[Term, ...]

    def expr(self, j: int) -> Expr:
        """A term as an expression.

        >>> Library("", (Expr.var("x"), Expr.parse("log(y)")), (((0, 2), (1, 1)),)).expr(0)
        Expr('x^2*log(y)')
        """
        factors = [self.atoms[a] if p == 1 else self.atoms[a] ** p for a, p in self.terms[j]]
        product = factors[0]
        for factor in factors[1:]:
            product = product * factor
        return product

    def measured(self, problem: InvariantProblem) -> tuple[np.ndarray, np.ndarray]:
        """(rows, L) values and (rows, states, L) gradients of all terms at the samples."""
        found = [problem.values(atom) for atom in self.atoms]
        n, states = problem.x.shape
        value, gradient = np.ones((n, len(self.terms))), np.zeros((n, states, len(self.terms)))
        with np.errstate(all="ignore"):
            for j, term in enumerate(self.terms):
                for a, p in term:
                    value[:, j] *= found[a][0] ** p
                for a, p in term:
                    rest = p * found[a][0] ** (p - 1) if p != 1 else np.ones(n)
                    for b, q in term:
                        rest = rest * found[b][0] ** q if b != a else rest
                    gradient[:, :, j] += rest[:, None] * found[a][1]
        return value, gradient


def libraries(problem: InvariantProblem) -> Iterator[Library]:
    """Libraries from small to large; those too large for the number of samples are left out."""
    most = min(MOST_TERMS, len(problem.x) // ROWS_PER_TERM)
    seen: set[tuple] = set()
    for library in _stages(problem):
        key = tuple(sorted(str(library.expr(j)) for j in range(len(library.terms))))
        if 0 < len(library.terms) <= most and key not in seen:
            seen.add(key)
            yield library


def _stages(problem: InvariantProblem) -> Iterator[Library]:
    names = problem.names
    states = [Expr.var(name) for name in names]
    positions, velocities = kinematics(problem)
    inside = positions or (list(range(len(names))) if len(names) <= FUNCTIONS_UP_TO else [])
    yield _library("linear", states, [], 1)
    logs = [Expr.apply("log", states[i]) for i in positive(problem)]
    if logs:
        yield _library("linear and logarithms", states, logs, 1)
    yield _library("quadratic", states, [], 2)
    if logs:
        yield _library("quadratic and logarithms", states, logs, 2)
    yield _library("cubic", states, [], 3)
    moving = velocities or list(range(len(names)))
    families = [(name, functions) for name, functions in _functions(problem, inside, positions) if functions]
    for name, functions in families:
        yield _library(f"quadratic and {name}", states, functions, 2)
    for name, functions in families:
        yield _library(f"cubic, {name} and their products with states", states, functions, 3, 1)
    for name, functions in families:
        if len(functions) <= MOST_SQUARED:
            yield _library(f"quadratic in states and {name}", [*states, *functions], [], 2)
        yield _library(f"quadratic, {name} and their products with quadratics", states, functions, 2, 2, moving)
    yield _library("quartic", states, [], 4)


def _library(name: str, states: Sequence[Expr], functions: Sequence[Expr], degree: int, times: int = 0,
             factors: Sequence[int] = ()) -> Library:
    """All monomials of the states up to a degree, functions, and products of functions with monomials of some states."""
    d = len(states)
    factors = list(factors) or list(range(d))
    terms = [_monomial(c) for k in range(1, degree + 1) for c in combinations_with_replacement(range(d), k)]
    terms += [((d + f, 1),) for f in range(len(functions))]
    for k in range(1, times + 1):
        terms += [(*_monomial(c), (d + f, 1)) for f in range(len(functions)) for c in combinations_with_replacement(factors, k)]
    return Library(name, (*states, *functions), tuple(terms))


def _monomial(chosen: Sequence[int]) -> Term:
    return tuple((a, chosen.count(a)) for a in sorted(set(chosen)))


# atoms --------------------------------------------------------------------------------------------------------------------
def positive(problem: InvariantProblem) -> list[int]:
    """The states that are positive beyond the noise."""
    share = (problem.x > ERRORS * problem.sigma).mean(axis=0) if len(problem.x) else np.zeros(0)
    return [int(i) for i in np.flatnonzero(share >= POSITIVE)]


def kinematics(problem: InvariantProblem) -> tuple[list[int], list[int]]:
    """Positions and their velocities, in pairs: states whose increments are in proportion to the integral of another."""
    found = []
    for item in problem.data:
        with np.errstate(invalid="ignore"):
            step, area = np.diff(item.x, axis=0), np.diff(item.t)[:, None] * (item.x[1:] + item.x[:-1]) / 2
        fine = np.isfinite(step).all(axis=1) & np.isfinite(area).all(axis=1)
        step, area = step[fine], area[fine]
        size = np.sqrt((step**2).sum(axis=0))[:, None] * np.sqrt((area**2).sum(axis=0))[None]
        found.append(np.abs(step.T @ area) / np.where(size > 0, size, np.inf))
    cosine = np.median(found, axis=0)  # a few trajectories may be sampled too coarsely
    np.fill_diagonal(cosine, 0)
    pairs = [(int(i), int(np.argmax(cosine[i]))) for i in range(len(cosine)) if cosine[i].max() > ALIKE]
    pairs = [(i, j) for i, j in pairs if all(j != q for q, _ in pairs)]
    if len({j for _, j in pairs}) < len(pairs):
        return [], []
    return [i for i, _ in pairs], [j for _, j in pairs]


def _functions(problem: InvariantProblem, inside: list[int], positions: list[int]) -> Iterator[tuple[str, list[Expr]]]:
    """Families of functions of single states and of pairs."""
    var = [Expr.var(problem.names[i]) for i in inside]
    pairs = list(combinations(var, 2))
    if not var:
        return
    angles = [*var, *(a - b for a, b in pairs)]
    yield "sines and cosines", [Expr.apply(f, a) for a in angles for f in ("cos", "sin")]
    yield "exponentials of differences", [Expr.apply("exp", e) for a, b in pairs for e in (a - b, b - a)]
    yield "exponentials", [Expr.apply("exp", e) for a in var for e in (a, -a)]
    yield "inverse differences", [Expr.const(1) / e for a, b in pairs if _keeps_sign(problem, a - b) for e in (a - b, (a - b) ** 2)]
    yield "inverse powers", [Expr.const(1) / e for a in var if _keeps_sign(problem, a) for e in (a, a**2)]
    for dimension in (2, 3):
        points = _points(problem, inside, positions, dimension)
        radii = [(_radius(p), p) for p in points]
        if radii:
            yield f"distances from the origin in {dimension} dimensions", [
                f for r, p in radii for f in (Expr.const(1) / r, *(c / r for c in p))]
            yield f"powers of distances from the origin in {dimension} dimensions", [
                f for r, _ in radii for f in (r, Expr.apply("log", r), Expr.const(1) / r**2)]
        if len(points) > 1 and positions:
            apart = [_radius([a - b for a, b in zip(p, q, strict=True)]) for p, q in combinations(points, 2)]
            yield f"inverse distances of points in {dimension} dimensions", [Expr.const(1) / r for r in apart]
            yield f"distances of points in {dimension} dimensions", [
                f for r in apart for f in (r, Expr.apply("log", r), Expr.const(1) / r**2)]
    yield "sines and cosines of sums", [Expr.apply(f, a) for a in (*angles, *(a + b for a, b in pairs)) for f in ("cos", "sin")]


def _keeps_sign(problem: InvariantProblem, expr: Expr) -> bool:
    """Whether hardly any trajectory goes through a zero: a function with a pole there is not conserved."""
    sign = expr(problem.columns()) > 0
    _, index = np.unique(problem.group, return_inverse=True)
    share = np.bincount(index, sign) / np.bincount(index)
    return bool((np.minimum(share, 1 - share) < MISSED).mean() >= POSITIVE)


def _points(problem: InvariantProblem, inside: list[int], positions: list[int], dimension: int) -> list[list[Expr]]:
    """Positions as points of a space: neighbours in the order of the states; any two or three where nothing tells which are positions."""
    var = [Expr.var(problem.names[i]) for i in inside]
    if not positions:
        return [list(c) for c in combinations(var, dimension)]
    if len(var) % dimension:
        return []
    return [var[k : k + dimension] for k in range(0, len(var), dimension)]


def _radius(point: Sequence[Expr]) -> Expr:
    square = point[0] ** 2
    for c in point[1:]:
        square = square + c**2
    return Expr.apply("sqrt", square)
