"""The smallest integer solution of A x = 0, x >= lower, and the reason where there is none: exact, without floating point.

Smallest means the least sum and, among those, the lexicographically first. Linear programmes are solved by the lexicographic dual
simplex method over the rationals (R. E. Gomory 1958; P. Feautrier, RAIRO Oper. Res. 22 (1988) 243), so the bound of a node is a bound
on (sum, x_1, …, x_n) as a whole. Branching is on the coordinates of x in an LLL-reduced basis of the solution lattice, where few
branches are needed (K. Aardal, C. Hurkens, A. Lenstra, Math. Oper. Res. 25 (2000) 427, doi:10.1287/moor.25.3.427.12219).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from math import gcd, lcm

from flint import fmpq, fmpq_mat

from symnum.numbers.nullspace import Vector, split

NODES = 1000  # linear programmes solved before the best solution so far is returned without proof


@dataclass(frozen=True)
class Smallest:
    """A solution `x`; `proved`: no smaller one exists."""

    x: Vector
    proved: bool


class _Empty(Exception):
    """No point satisfies the constraints; `weights` (one per unknown, >= 0) is a linear form that shows it."""

    def __init__(self, weights: list[fmpq]) -> None:
        self.weights = weights


class _Tableau:
    """Quantities as affine functions of nonbasic variables t >= 0: row = [constant, coefficient of t_1, …].

    The rows are, in this order, the objective, the excesses x_j − lower_j, the free lattice coordinates, and cuts; `signed` lists
    those that must be >= 0. Every column is lexicographically positive, so t = 0 is the lexicographic minimum if all is >= 0 there.
    """

    def __init__(self, rows: list[list[fmpq]], signed: list[int], columns: list[int]) -> None:
        self.rows, self.signed, self.columns = rows, signed, columns  # columns: the row whose quantity each t is

    def copy(self) -> _Tableau:
        return _Tableau([list(r) for r in self.rows], list(self.signed), list(self.columns))

    def constrain(self, row: list[fmpq]) -> None:
        self.signed.append(len(self.rows))
        self.rows.append(row)

    def entering(self, row: list[fmpq]) -> int | None:
        """The column that may carry `row` up to 0 and keeps all columns positive: the lexicographically least ratio."""
        best = None
        for k in range(1, len(row)):
            if row[k] > 0 and (best is None or self._before(k, best, row)):
                best = k
        return best

    def _before(self, k: int, other: int, row: list[fmpq]) -> bool:
        for r in self.rows:
            if (a := r[k] * row[other]) != (b := r[other] * row[k]):
                return a < b
        return False

    def pivot(self, row: list[fmpq], k: int, quantity: int) -> None:
        """Make the quantity of `row` the k-th nonbasic variable."""
        row = list(row)
        for r in self.rows:
            if r[k]:
                factor = r[k] / row[k]
                for j, a in enumerate(row):
                    if a:
                        r[j] -= factor * a
                r[k] = factor
        self.columns[k - 1] = quantity

    def equate(self, row: list[fmpq]) -> None:
        """Impose row = 0, a row in the unknowns' excesses, written in the nonbasic variables of now."""
        if row[0] > 0 or (row[0] == 0 and not any(a > 0 for a in row[1:])):
            row[:] = [-a for a in row]
        k = self.entering(row)
        if k is None:
            if row[0]:
                raise _Empty(self._weights(row))
            return  # the row is 0: it follows from the others
        self.pivot(row, k, -1)
        del self.columns[k - 1]
        for r in self.rows:
            del r[k]

    def optimise(self) -> None:
        """The lexicographic dual simplex method: pivot until every signed row is >= 0."""
        while True:
            i = next((i for i in self.signed if self.rows[i][0] < 0), None)
            if i is None:
                return
            k = self.entering(self.rows[i])
            if k is None:
                raise _Empty(self._weights(self.rows[i], i))
            self.pivot(self.rows[i], k, i)

    def _weights(self, row: list[fmpq], quantity: int = 0) -> list[fmpq]:
        """The linear form behind a row that cannot reach 0: its quantity less all that the nonbasic variables add, each weighted >= 0."""
        weights = [fmpq(0)] * len(self.rows)
        for k, j in enumerate(self.columns):
            weights[j] -= row[k + 1]
        weights[quantity] += 1
        return weights


def smallest(rows: Sequence[Sequence[int]], lower: Sequence[int], nodes: int = NODES) -> Smallest | None:
    """The integer x with A x = 0 and x >= lower (all lower >= 0) of least sum, ties broken lexicographically; None if there is none.

    `proved` is False only where `nodes` linear programmes did not suffice; x is a solution all the same.

    >>> smallest([(1, 0, -1, -1), (0, 2, -1, -2)], (1, 1, 1, 1))  # C + O2 -> CO + CO2
    Smallest(x=(3, 2, 2, 1), proved=True)
    """
    _check(rows, lower)
    n = len(lower)
    basis, functionals = split(rows, n)
    try:
        root = _root(rows, lower, functionals)
        root.optimise()
    except _Empty:
        return None
    step = gcd(*(sum(b) for b in basis)) or 1  # the sum of any solution is a multiple of it
    best = _scaled(root, lower)
    open_nodes, solved = [root], 0
    while open_nodes:
        if solved >= nodes:
            return Smallest(_x(best, lower), False)
        solved += 1
        node = open_nodes.pop()
        try:
            node.optimise()
            while (short := step * (node.rows[0][0] / step).ceil() - node.rows[0][0]) and not _beaten(node, best):
                node.constrain([-short if not j else a for j, a in enumerate(node.rows[0])])
                node.optimise()
        except _Empty:
            continue
        if _beaten(node, best):
            continue
        i = next((i for i in range(n + len(basis), n, -1) if node.rows[i][0].q != 1), None)
        if i is None:
            best = [r[0] for r in node.rows[: n + 1]]
            continue
        open_nodes += _branches(node, i)
    return Smallest(_x(best, lower), True)


def certificate(rows: Sequence[Sequence[int]], lower: Sequence[int]) -> Vector | None:
    """Why A x = 0, x >= lower has no solution: coprime weights y of the rows with yᵀA >= 0 and yᵀA·lower > 0; None if it has one.

    yᵀA x is 0 for every solution of A x = 0, yet positive for every x >= lower. Of all such weights, some on one row or on two are
    taken if there are any, else some that would not do with a row less.

    >>> certificate([(1, -1), (1, -2)], (1, 1))  # CO -> CO2: carbon − oxygen is 0 in CO and −1 in CO2, which is on the right
    (1, -1)
    """
    if feasible(rows, lower):
        return None
    everything = range(len(rows))
    small = chain(combinations(everything, 1), combinations(everything, 2))
    chosen = next((c for c in small if _farkas([rows[i] for i in c], lower)), None)
    if chosen is None:
        chosen = tuple(everything)
        for i in everything:
            fewer = tuple(j for j in chosen if j != i)
            chosen = fewer if _farkas([rows[j] for j in fewer], lower) else chosen
    weights = dict(zip(chosen, _farkas([rows[i] for i in chosen], lower) or (), strict=True))
    return tuple(weights.get(i, 0) for i in everything)


def feasible(rows: Sequence[Sequence[int]], lower: Sequence[int]) -> bool:
    """Whether A x = 0 has an integer solution x >= lower (all lower >= 0): one linear programme, as multiples of solutions are solutions.

    >>> feasible([(1, -2)], (1, 1)), feasible([(1, 2)], (1, 1))
    (True, False)
    """
    _check(rows, lower)
    return _farkas(rows, lower) is None


def _farkas(rows: Sequence[Sequence[int]], lower: Sequence[int]) -> Vector | None:
    """Weights as in `certificate` from one linear programme over all rows."""
    try:
        _root(rows, lower, []).optimise()
    except _Empty as empty:
        weights = empty.weights[1 : len(lower) + 1]
        return _combination(rows, weights)
    return None


def _combination(rows: Sequence[Sequence[int]], weights: list[fmpq]) -> Vector:
    """Coprime integers y, positively proportional to a solution of yᵀA = weights."""
    system = [[*(fmpq(r[j]) for r in rows), w] for j, w in enumerate(weights)]
    reduced, rank = fmpq_mat(system).rref()
    y = [fmpq(0)] * len(rows)
    for i in range(rank):
        pivot = next(j for j in range(len(rows)) if reduced[i, j])
        y[pivot] = reduced[i, len(rows)]
    scale = lcm(*(int(a.q) for a in y))
    integers = [int(a * scale) for a in y]
    common = gcd(*integers)
    return tuple(a // common for a in integers)


def _root(rows: Sequence[Sequence[int]], lower: Sequence[int], functionals: Sequence[Vector]) -> _Tableau:
    """The tableau of minimal sum over A x = 0, with x_j − lower_j nonbasic at first; A's rows are imposed, signs are not yet."""
    n = len(lower)

    def affine(a: Sequence[int]) -> list[fmpq]:
        return [fmpq(sum(x * y for x, y in zip(a, lower, strict=True))), *map(fmpq, a)]

    excesses = [[fmpq(int(k == j + 1)) for k in range(n + 1)] for j in range(n)]
    objective = [fmpq(0), *([fmpq(1)] * n)]
    equations = [affine(r) for r in rows]
    first = 1 + n + len(functionals)
    table = _Tableau([objective, *excesses, *map(affine, functionals), *equations], list(range(1, n + 1)), list(range(1, n + 1)))
    objective[0] += sum(lower)
    for row in equations:
        table.equate(row)
    del table.rows[first:]
    return table


def _scaled(root: _Tableau, lower: Sequence[int]) -> list[fmpq]:
    """A first solution: the rational optimum times its common denominator (still >= lower, as no lower is negative)."""
    x = [r[0] + a for r, a in zip(root.rows[1:], lower, strict=False)]
    scale = lcm(1, *(int(a.q) for a in x))
    x = [a * scale for a in x]
    return [sum(x, fmpq(0)), *(a - b for a, b in zip(x, lower, strict=True))]


def _beaten(node: _Tableau, best: list[fmpq]) -> bool:
    """Whether nothing in the node can come before `best`."""
    for r, b in zip(node.rows, best, strict=False):
        if r[0] != b:
            return r[0] > b
    return True


def _branches(node: _Tableau, i: int) -> list[_Tableau]:
    """The two halves around the fractional coordinate of row i; the one nearer to its value is last, and is taken first."""
    row = node.rows[i]
    floor = row[0].floor()
    up, down = node.copy(), node.copy()
    up.constrain([row[0] - floor - 1, *row[1:]])
    down.constrain([floor - row[0], *(-a for a in row[1:])])
    return [up, down] if row[0] - floor <= fmpq(1, 2) else [down, up]


def _x(best: list[fmpq], lower: Sequence[int]) -> Vector:
    return tuple(int(a) + b for a, b in zip(best[1:], lower, strict=True))


def _check(rows: Sequence[Sequence[int]], lower: Sequence[int]) -> None:
    if any(a < 0 for a in lower) or any(len(r) != len(lower) for r in rows):
        msg = f"lower bounds >= 0, one per unknown, were required, got {tuple(lower)} for rows of lengths {[len(r) for r in rows]}"
        raise ValueError(msg)
