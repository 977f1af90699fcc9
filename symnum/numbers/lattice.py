"""Relations of which some involve a number and the others do not: the first, as short as the second allow.

Where sums obey relations among themselves (null relations), a formula for a number in these sums is one of infinitely many: any null
relation may be added to it. All relations together are a lattice; a reduction in which the number's coefficient weighs heavily
parts it into the null relations and one formula (method as in `relation`), which elimination then makes short and sparse.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

from flint import arb, ctx, fmpq, fmpz, fmpz_mat

from symnum.numbers.evidence import code_bits
from symnum.numbers.formula import GUARD
from symnum.numbers.relation import Relation, integer_relation

Vector = tuple[int, ...]
SHORT = 1.25  # a relation's size to the power SHORT·n stays below 10^digits; chance gives 1


class Sums:
    """Numbers whose lattice is reduced once, to be searched for relations with one further number after another.

    Args:
        values: (n,) balls, known to `digits` digits after the point.
        digits: how many are used.

    >>> from symnum.numbers.formula import ball
    >>> Sums([ball("zeta(2)", 40), arb(1)], 30).relations(ball("pi^2", 40))
    [(1, -6, 0)]
    """

    def __init__(self, values: Sequence[arb], digits: int):
        self.digits, n = digits, len(values)
        scaled = [_scaled(v, digits) for v in values]
        self._rows = fmpz_mat([[int(i == j) for j in range(n)] + [x] for i, x in enumerate(scaled)]).lll().tolist()

    def relations(self, number: arb) -> list[Vector]:
        """Independent (c_0, c_1, …) with c_0 x + Σ c_i v_i = 0 on the digits: reduced rows far shorter than chance would have them."""
        n = len(self._rows) + 1
        rows = [[1, *(0,) * (n - 1), _scaled(number, self.digits)], *([0, *row] for row in self._rows)]
        found = []
        for row in fmpz_mat(rows).lll().tolist():
            *c, rest = (int(x) for x in row)
            if abs(rest) <= 2 * sum(map(abs, c)) and SHORT * n * math.log10(max(map(abs, c)) + 1) < self.digits:
                found.append(tuple(c))
        return found


def _scaled(value: arb, digits: int) -> int:
    """The number in units of 10^−digits, to within 1."""
    with ctx.workprec(math.ceil((digits + 10) * math.log2(10)) + GUARD):
        return int((value.mid() * fmpz(10) ** digits + arb(fmpq(1, 2))).mid().floor().unique_fmpz())


def refuse_rational(x: arb, name: str) -> None:
    """Raise for a number that is rational as far as its digits go.

    Raises:
        ValueError: the digits of x carry the claim that it is a fraction.

    >>> refuse_rational(arb(1) / 3, "1/3")
    Traceback (most recent call last):
    ValueError: an irrational constant was required, 1/3 is 1/3 to 16 digits
    """
    relation = integer_relation([x, arb(1)]) if not x.is_exact() else Relation((1, -1), 0, 0)
    if relation is None or not relation.accepted or not all(relation.coefficients):  # a 0: one number is out of reach of the other
        return
    q, p = relation.coefficients
    value = "" if x.is_exact() else f", {name} is {Fraction(-p, q)} to {relation.digits} digits"
    msg = f"an irrational constant was required{value or f', got {name}'}"
    raise ValueError(msg)


def split(relations: Sequence[Sequence[int]]) -> tuple[Vector | None, list[Vector]]:
    """One relation with the least coefficient of the first number, where one has any, and a reduced basis of those without it.

    >>> split([(2, 1, 0), (3, 1, 1)])
    ((1, 0, 1), [(0, 1, -2)])
    >>> split([])
    (None, [])
    """
    rows = [r for r in relations if any(r)]
    if not rows:
        return None, []
    weight = 2 ** len(rows) * max(abs(c) for r in rows for c in r) ** 2 * len(rows[0]) + 1
    reduced = fmpz_mat([[r[0] * weight, *r[1:]] for r in rows]).lll().tolist()
    vectors = [(int(r[0]) // weight, *(int(c) for c in r[1:])) for r in reduced]
    vectors = [v for v in vectors if any(v)]
    null = [v for v in vectors if not v[0]]
    own = [v for v in vectors if v[0]]
    return (min(own, key=lambda v: abs(v[0])) if own else None), null


def shortest(vector: Vector, null: Sequence[Vector]) -> Vector:
    """A rational combination of a relation and null relations that is shorter to write: each step clears one coefficient or subtracts.

    Steps are taken as long as one shortens; the result is a local optimum.

    >>> shortest((-1, 4, 0, 0, -2, -1, -1, 0, 0), [(0, -8, 8, 4, 8, 2, 2, -1, 0)])
    (-1, 4, 0, 0, -2, -1, -1, 0, 0)
    """
    best = primitive(vector)
    while True:
        moves = [m for u in null for m in _moves(best, u)]
        nearer = min(moves, key=code_bits, default=best)
        if code_bits(nearer) >= code_bits(best):
            return best
        best = nearer


def _moves(v: Vector, u: Vector) -> list[Vector]:
    cleared = [primitive([u[j] * a - v[j] * b for a, b in zip(v, u, strict=True)]) for j in range(len(v)) if u[j] and v[j]]
    return cleared + [primitive([a + sign * b for a, b in zip(v, u, strict=True)]) for sign in (1, -1)]


def primitive(vector: Sequence[int]) -> Vector:
    """Without a common factor, the first coefficient that is not 0 negative.

    >>> primitive((2, -4))
    (-1, 2)
    """
    common = math.gcd(*vector) or 1
    sign = -1 if next((c for c in vector if c), -1) > 0 else 1
    return tuple(sign * c // common for c in vector)


def equivalent(first: Sequence[int], second: Sequence[int], null: Sequence[Sequence[int]]) -> bool:
    """Whether two relations are the same up to a factor and null relations.

    >>> equivalent((-1, 4, 0), (-2, 9, 1), [(0, 1, 1)]), equivalent((-1, 4, 0), (-2, 9, 0), [(0, 1, 1)])
    (True, False)
    """
    rows = [list(first), *map(list, null)]
    return fmpz_mat([*rows, list(second)]).rank() == fmpz_mat(rows).rank()
