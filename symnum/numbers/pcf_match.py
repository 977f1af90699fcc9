"""From screened values to relations: which values may be (αc + β)/(γc + δ) of a constant c, and which of them are, on proven balls.

A float64 value that lies within 2e−11 of one of a million Möbius images is one by chance now and then. A candidate is therefore
recomputed as a ball, LLL looks for the relation of 1, c, v, vc without being told which one is expected, and the relation must hold on
a ball of all digits asked for, with the digits that the acceptance rule of `symnum.numbers.relation` wants.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from flint import arb, ctx
from numba import njit

from symnum.numbers import formula
from symnum.numbers.equivalence import factor_text, quotient_text
from symnum.numbers.pcf import PCF
from symnum.numbers.pcf_filter import exponent
from symnum.numbers.pcf_limit import limit
from symnum.numbers.pcf_screen import Sieve, compress
from symnum.numbers.relation import Relation, common_digits, integer_relations, needed_digits

TOLERANCE = 2e-11  # between a compressed screened value and a compressed image
MOST_HEIGHT = 30  # 6 million images a constant, half a gigabyte while they are sorted
LARGEST = 1e8  # in size; images of larger constants, and of their inverses, lie within the tolerance of each other
LOOK = 30  # digits of the first ball
SEARCH = 50  # digits on which LLL looks for the relation, at least


@dataclass(frozen=True)
class Images:
    """The Möbius images of constants, sorted.

    Attributes:
        constants: texts.
        values: (k,) compressed values, ascending.
        rows: (k, 5) int16: index of the constant, α, β, γ, δ.
        sieve: lets through what is near one of them.
    """

    constants: tuple[str, ...]
    values: np.ndarray
    rows: np.ndarray
    sieve: Sieve

    @classmethod
    def of(cls, constants: Sequence[str], height: int) -> "Images":
        """(αc + β)/(γc + δ) with |coefficients| ≤ height, coprime, αδ ≠ βγ, for every constant.

        Raises:
            ValueError: the height is not between 1 and 30, or a constant is too large or too small to be screened.

        >>> images = Images.of(["pi"], 4)
        >>> [images.rows[i].tolist() for i in images.near(np.array([4 / 3.141592653589793]))[0]]
        [[0, 0, 4, 1, 0]]
        """
        if not 1 <= height <= MOST_HEIGHT:
            msg = f"coefficients of the left-hand side from 1 to {MOST_HEIGHT} were required, got {height}"
            raise ValueError(msg)
        values, rows = [], []
        for k, constant in enumerate(constants):
            c = float(formula.ball(constant, 20))
            if not 1 / LARGEST <= abs(c) <= LARGEST:
                msg = f"a constant between {1 / LARGEST:g} and {LARGEST:g} in size was required, got {constant} = {c:g}; scale it"
                raise ValueError(msg)
            count = _images(c, height, np.empty(0), np.empty((0, 4), np.int16))
            v, r = np.empty(count), np.empty((count, 4), np.int16)
            _images(c, height, v, r)
            values.append(v)
            rows.append(np.insert(r, 0, k, axis=1))
        flat = compress(np.concatenate(values))
        order = np.argsort(flat, kind="stable")
        return cls(tuple(constants), flat[order], np.concatenate(rows)[order], Sieve.of(flat, TOLERANCE))

    def near(self, values: np.ndarray) -> list[range]:
        """For every screened value the indices of the images that it may be."""
        y = compress(values)
        first, last = np.searchsorted(self.values, y - TOLERANCE), np.searchsorted(self.values, y + TOLERANCE)
        return [range(i, j) for i, j in zip(first.tolist(), last.tolist(), strict=True)]


@njit(cache=True, nogil=True, error_model="numpy")
def _images(c, height, values, rows):
    """Fill in the images, up to the room there is, and return how many there are. The first of γ, δ that is not 0 is positive."""
    count = 0
    for g in range(height + 1):
        for d in range(-height if g else 1, height + 1):
            below, common = g * c + d, _gcd(g, abs(d))
            for x in range(-height, height + 1):
                inner = _gcd(common, abs(x))
                for y in range(-height, height + 1):
                    if x * d == y * g or _gcd(inner, abs(y)) != 1:
                        continue
                    if count < len(values):
                        values[count] = (x * c + y) / below
                        rows[count, 0], rows[count, 1], rows[count, 2], rows[count, 3] = x, y, g, d
                    count += 1
    return count


@njit(cache=True)
def _gcd(x, y):
    while y:
        x, y = y, x % y
    return x


@lru_cache(256)
def constant_ball(constant: str, digits: int) -> arb:
    """`formula.ball`, kept: a search asks for the same ones again and again."""
    return formula.ball(constant, digits)


@dataclass(frozen=True)
class Match:
    """A relation Σ αᵢ cᵢ = v Σ γᵢ cᵢ of a fraction's value v, c₀ = 1.

    Attributes:
        constants: the cᵢ besides 1.
        relation: coefficients of 1, c₁, …, v, v c₁, …; digits: those to which it was seen to hold on proven balls.
        ball: the value, with its radius.
    """

    constants: tuple[str, ...]
    relation: Relation
    ball: arb

    @property
    def basis(self) -> tuple[str, ...]:
        """What the coefficients multiply."""
        return ("1", *self.constants, "v", *(f"v*{factor_text(c)}" for c in self.constants))

    @property
    def formula(self) -> str:
        """The value as an arithmetic text."""
        half = len(self.constants) + 1
        above, below = self.relation.coefficients[:half], [-c for c in self.relation.coefficients[half:]]
        return quotient_text(above, below, ("", *map(factor_text, self.constants)))


def holds(row: Sequence[int], constant: str, value: arb) -> bool:
    """Whether v = (αc + β)/(γc + δ), for (α, β, γ, δ), on the digits that the balls carry."""
    c = constant_ball(constant, LOOK)
    x, y, g, d = map(int, row)
    with ctx.workprec(math.ceil(LOOK * math.log2(10)) + formula.GUARD):
        return (x * c + y - value * (g * c + d)).contains(0)


def find(pcf: PCF, constants: Sequence[str], digits: int) -> Match | str | None:
    """The relation of a fraction's value to constants, all of them in one relation.

    Args:
        digits: to which a relation, found on half of them (50 at least), must hold.

    Returns:
        The match, accepted or not; None where LLL finds no relation; "rational" where the value seems to be a rational number,
        "unproven" where no ball of the value can be proven.

    >>> find(PCF((34, 51, 27, 5), (-1, 0, 0, 0, 0, 0, 0)), ["zeta(3)"], 100).formula
    '6/zeta(3)'
    """
    search = max(SEARCH, digits // 2)
    value = limit(pcf, search)
    if value is None:
        return "unproven"
    half = len(constants) + 1
    for found in integer_relations(_numbers(constants, value, search), most=2):
        above, below = found.coefficients[:half], found.coefficients[half:]
        if not any(below) or not found.accepted and found.digits >= search:  # it is chance's, or says nothing of v
            continue
        if _proportional(above, below):
            return "rational"
        return _confirmed(pcf, tuple(constants), found, digits)
    return None


def _numbers(constants: Sequence[str], value: arb, digits: int) -> list[arb]:
    with ctx.workprec(math.ceil(digits * math.log2(10)) + formula.GUARD):
        known = [arb(1), *(constant_ball(c, digits) for c in constants)]
        return known + [value * c for c in known]


def _proportional(above: Sequence[int], below: Sequence[int]) -> bool:
    """Whether the two sums are multiples of each other, so that the relation says that v is rational."""
    return all(x * w == y * z for x, z in zip(above, below, strict=True) for y, w in zip(above, below, strict=True))


def _confirmed(pcf: PCF, constants: tuple[str, ...], found: Relation, digits: int) -> Match | None:
    """The relation on a ball of all digits, with as many as were proven; None where it fails there."""
    value = limit(pcf, digits)
    assert value is not None  # it was there for fewer digits
    numbers = _numbers(constants, value, digits)
    with ctx.workprec(math.ceil(digits * math.log2(10)) + formula.GUARD):
        total = sum((c * x for c, x in zip(found.coefficients, numbers, strict=True)), arb(0))
    if not total.contains(0):
        return None
    terms = sum(map(bool, found.coefficients))
    relation = Relation(found.coefficients, min(digits, common_digits(numbers)), needed_digits(terms, found.height))
    return Match(constants, relation, value)


def convergence(pcf: PCF) -> tuple[str, float]:
    """How fast it converges: the kind, by the degrees, and the rate.

    Returns:
        ("factorial" or "exponential", digits per term, measured between 40 and 80 terms), or ("polynomial", the power θ of
        |v − v_n| ~ n^−θ, exactly where it is rational).

    >>> kind, rate = convergence(PCF((34, 51, 27, 5), (-1, 0, 0, 0, 0, 0, 0)))
    >>> kind, round(rate, 2)
    ('exponential', 3.06)
    """
    a, b = pcf.a, pcf.b
    if len(b) - 1 < 2 * (len(a) - 1):
        kind = "factorial"
    else:
        kind = "exponential" if 4 * b[0] + a[0] * a[0] else "polynomial"
    exact = exponent(a, b)
    if exact is not None:
        return kind, float(exact)
    n = 40
    lost = _last_step(pcf, n) - _last_step(pcf, 2 * n)
    return kind, lost / math.log10(2) - 1 if kind == "polynomial" else lost / n


def _last_step(pcf: PCF, n: int) -> float:
    """log₁₀ |v_n − v_{n−1}| = log₁₀ |p_n q_{n−1} − p_{n−1} q_n| − log₁₀ |q_n q_{n−1}|."""
    p, p0, q, q0 = pcf.convergents(n + 1)
    with ctx.workprec(64):
        step = abs(arb(p * q0 - p0 * q) / arb(q * q0))
        return float(step.log() / arb(10).log())
