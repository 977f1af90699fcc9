"""Integer relations by lattice reduction: which small integers c make Σ cᵢ xᵢ = 0, and whether the digits carry the claim.

The lattice has the rows [I | round(10^D xᵢ)]; its short vectors, by LLL, are the relations (A. K. Lenstra, H. W. Lenstra, L. Lovász,
"Factoring polynomials with rational coefficients", Math. Ann. 261, 1982, doi:10.1007/BF01457454). n numbers known to D digits
have *some* relation with coefficients near 10^(D/n) by the pigeonhole principle, so a relation is evidence only where the digits
exceed by far what its coefficients can absorb: the house accepts D ≥ 1.5·n·log₁₀H + 10, H the largest coefficient.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb, ctx, fmpq, fmpz, fmpz_mat, fmpz_poly

MARGIN = 10  # digits beyond what the coefficients absorb
FACTOR = 1.5
LEAST_DIGITS = 3
CHANCE = 1  # digits beyond 10^(D/n) that a relation must be shorter than what is always found


@dataclass(frozen=True, slots=True)
class Relation:
    """Integers c with Σ cᵢ xᵢ = 0 as far as the digits go.

    Attributes:
        coefficients: one per number; coprime, the first that is not 0 is positive.
        digits: decimal digits to which the sum was seen to vanish, against the largest of the numbers.
        needed: digits that the acceptance rule asks for.
    """

    coefficients: tuple[int, ...]
    digits: int
    needed: int

    @property
    def accepted(self) -> bool:
        """Whether the digits carry the claim."""
        return self.digits >= self.needed

    @property
    def height(self) -> int:
        """The largest coefficient in absolute value."""
        return max(map(abs, self.coefficients))


def needed_digits(n: int, height: int, choices: float = 1) -> int:
    """Digits required before a relation of n numbers with coefficients up to `height` is claimed: 1.5·n·log₁₀H + 10.

    Where the n numbers were themselves chosen, among `choices` sets, the choice counts as digits too.

    >>> needed_digits(4, 100), needed_digits(2, 1)
    (22, 10)
    """
    return math.ceil(FACTOR * n * math.log10(max(height, 1)) + math.log10(max(choices, 1)) + MARGIN - 1e-9)


def common_digits(values: Sequence[arb]) -> int:
    """Decimal digits to which every number is known, relative to the largest of them.

    Raises:
        ValueError: a number is not finite.

    >>> common_digits([arb("3.14159 +/- 1e-8"), arb(1)])
    8
    """
    if not all(v.is_finite() for v in values):
        msg = f"finite numbers were required, got {next(v for v in values if not v.is_finite()).str(5)}"
        raise ValueError(msg)
    radius = max((_log10(arb(v.rad())) for v in values), default=-math.inf)
    if radius == -math.inf:  # all exact
        return 10 * max(ctx.dps, 15)
    return max(0, math.floor(max(map(_log10, values)) - radius))


def _log10(x: arb) -> float:
    """log₁₀ of the largest absolute value in a ball; floats would overflow."""
    top = abs(x).abs_upper()
    return float(top.log().mid()) / math.log(10) if top > 0 else -math.inf


def integer_relation(values: Sequence[arb], digits: int | None = None) -> Relation | None:
    """The shortest integer relation that LLL finds between real numbers, accepted or not; None where none holds on the digits.

    Args:
        values: (n,) balls, n ≥ 2.
        digits: how many to use; all that the balls carry by default.

    Raises:
        ValueError: fewer than two numbers, one that is not finite, or fewer than 3 digits.

    >>> from symnum.numbers.formula import ball
    >>> integer_relation([ball("pi^2", 40), ball("zeta(2)", 40)], digits=40)
    Relation(coefficients=(1, -6), digits=40, needed=13)
    """
    found = integer_relations(values, digits, most=1)
    return found[0] if found else None


def integer_relations(values: Sequence[arb], digits: int | None = None, most: int | None = None) -> list[Relation]:
    """The independent relations among the rows of the reduced basis, shortest first: those whose sum vanishes on the digits.

    A row of a lattice in which no relation holds has entries near 10^(D/n) throughout; such rows are left out, as the sum they give
    is not smaller than chance would have it. The digits of a relation are those of the numbers that take part in it: where a much larger
    one does not, they are fewer.
    """
    n = len(values)
    if n < 2 or not all(v.is_finite() for v in values):
        msg = f"at least two finite numbers were required for a relation, got {n if n < 2 else 'one that is not finite'}"
        raise ValueError(msg)
    carried = common_digits(values)
    digits = carried if digits is None else min(digits, carried)
    if digits < LEAST_DIGITS:
        msg = f"at least {LEAST_DIGITS} digits were required for a relation, got {digits}"
        raise ValueError(msg)
    largest, found = max(map(_log10, values)), []
    for *c, rest in _reduced(_scaled(values, digits)):
        height = max(map(abs, c))
        if not height or abs(rest) > 2 * sum(map(abs, c)) or n * math.log10(2 * height + 1) + CHANCE > digits:
            continue
        own = max(_log10(v) for v, k in zip(values, c, strict=True) if k)
        reached = digits if own == -math.inf else digits - math.ceil(largest - own)
        if reached >= LEAST_DIGITS:
            found.append(Relation(_normal(c), reached, needed_digits(sum(map(bool, c)), height)))
    return found[:most]


def _scaled(values: Sequence[arb], digits: int) -> list[int]:
    """round(10^D xᵢ / max |x|), to within 1."""
    if all(v == 0 for v in values):
        return [0] * len(values)
    with ctx.workprec(math.ceil((digits + 10) * math.log2(10)) + 32):
        largest = max((abs(v.mid()) for v in values), key=lambda a: a)
        scale = arb(fmpz(10) ** digits) / largest
        return [int((v.mid() * scale + arb(fmpq(1, 2))).mid().floor().unique_fmpz()) for v in values]


def _reduced(scaled: Sequence[int]) -> list[list[int]]:
    """Rows of the LLL-reduced basis of [I | x], shortest first."""
    rows = [[int(x) for x in row] for row in _lattice(scaled).tolist()]
    return sorted(rows, key=lambda row: sum(x * x for x in row))


def first_row(scaled: Sequence[int]) -> list[int]:
    """The first row (c₁, …, cₙ, Σ cᵢxᵢ) of the reduced basis of [I | x], x whole numbers: a relation if there is a short one.

    The bare step of `integer_relation`, for loops over many sets of numbers: nothing is judged.

    >>> first_row([3141593, 1000000, 2141593])
    [-1, 1, 1, 0]
    """
    lattice = _lattice(scaled)
    return [int(lattice[0, j]) for j in range(len(scaled) + 1)]


def _lattice(scaled: Sequence[int]) -> fmpz_mat:
    n = len(scaled)
    return fmpz_mat([[int(i == j) for j in range(n)] + [x] for i, x in enumerate(scaled)]).lll()


def _normal(c: Sequence[int]) -> tuple[int, ...]:
    common = math.gcd(*c)
    sign = 1 if next(x for x in c if x) > 0 else -1
    return tuple(sign * x // common for x in c)


def minimal_polynomial(value: arb, degree: int, digits: int | None = None) -> Relation | None:
    """The integer polynomial of least degree, at most `degree`, that has the number as a root; coefficients from the constant term up.

    The relation returned is accepted; None where no degree gives one.

    >>> from symnum.numbers.formula import ball
    >>> minimal_polynomial(ball("sqrt(2) + sqrt(3)", 50), 6).coefficients
    (1, 0, -10, 0, 1)
    """
    for d in range(1, degree + 1):
        bits = math.ceil((common_digits([value, arb(1)]) + 10) * math.log2(10)) + 32
        with ctx.workprec(bits):
            relation = integer_relation([value ** k for k in range(d + 1)], digits)
        if relation is not None and relation.accepted and relation.coefficients[-1]:
            factors = [f for f, _ in fmpz_poly(list(relation.coefficients)).factor()[1]]
            with ctx.workprec(bits):
                root = [f for f in factors if f(value).contains(0)]
            c = tuple(int(x) for x in (root[0] if root else fmpz_poly(list(relation.coefficients))).coeffs())
            return Relation(_normal(c), relation.digits, relation.needed)
    return None
