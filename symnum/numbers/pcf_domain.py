"""Domains of polynomial continued fractions: which pairs (a, b) are searched, how many, in which order.

A part is a family of polynomials for a times one for b, a domain a sequence of parts. It is cut into blocks once and for all, so
that an integer says where a search stands.

What is left out, and counted:
    mirrored    the leading coefficient of a is negative: (−a, b) has minus the value, and is in the domain too
    degenerate  a or b is 0
    rational    b(n) = 0 for some n ≥ 1: the fraction ends
    divergent   deg b > 2 deg a, where convergence is like a power of n at best, or deg b = 2 deg a with 4 b_lead < −a_lead², where there
                is none as the characteristic roots are complex (G. Raayoni et al.,
                "Generating conjectures on fundamental constants with the Ramanujan Machine", Nature 590, 2021,
                doi:10.1038/s41586-021-03229-4)

Inflated pairs (c·a, c²·b), of c times the value, are few and stay in: the inflated value may be the simpler one. What is found is listed
once, as the fraction that cannot be deflated further.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit

from symnum.numbers.pcf_family import MOST_DEGREE, Family, Ranges, combination, natural_root

CHUNK_A, CHUNK_B = 2048, 2048  # polynomials on either side of a block
FEW = 5 * 10**9  # pairs that take a minute or two


@dataclass(frozen=True)
class Side:
    """Polynomials of one side of a block that take part.

    Attributes:
        rows: coefficients (k, degree + 1).
        degrees, leads: (k,) of each.
        degenerate, mirrored, rational: how many were left out.
    """

    rows: np.ndarray
    degrees: np.ndarray
    leads: np.ndarray
    degenerate: int = 0
    mirrored: int = 0
    rational: int = 0


@njit(cache=True, nogil=True)
def _classify(rows, first_sign, roots):
    """Keep (0), degenerate (1), mirrored (2) or rational (3), and degree and leading coefficient of every row."""
    n, width = rows.shape
    kind, degrees = np.zeros(n, dtype=np.int8), np.zeros(n, dtype=np.int64)
    leads = np.zeros(n, dtype=np.int64)
    for i in range(n):
        c = rows[i]
        lead = 0
        while lead < width and c[lead] == 0:
            lead += 1
        if lead == width:
            kind[i] = 1
            continue
        degrees[i], leads[i] = width - 1 - lead, c[lead]
        if first_sign and c[lead] < 0:
            kind[i] = 2
        elif roots and natural_root(c):
            kind[i] = 3
    return kind, degrees, leads


@dataclass(frozen=True)
class Part:
    """A family for a times a family for b, whose unknowns are independent.

    Raises:
        ValueError: they share an unknown, or the polynomials of a family are all 0.
    """

    a: Family
    b: Family

    def __post_init__(self):
        shared = {name for name, *_ in self.a.ranges} & {name for name, *_ in self.b.ranges}
        if shared:
            msg = f"different unknowns were required in a and b, as they are chosen independently; both use {', '.join(sorted(shared))}"
            raise ValueError(msg)
        for name, family in (("a", self.a), ("b", self.b)):
            if not family.monomials or all(low == high == 0 for _, low, high in family.ranges) and family.ranges:
                msg = f"polynomials other than 0 were required for {name}, got {family.template} with all unknowns 0: an empty domain"
                raise ValueError(msg)

    @property
    def size(self) -> int:
        """Pairs (a, b), before anything is left out."""
        return self.a.size * self.b.size

    @property
    def chunks(self) -> tuple[int, int]:
        """Into how many chunks a and b are cut."""
        return -(-self.a.size // CHUNK_A), -(-self.b.size // CHUNK_B)

    @property
    def blocks(self) -> int:
        """How many blocks there are: those with the same b follow each other."""
        return math.prod(self.chunks)

    def a_side(self, k: int) -> Side:
        """The polynomials a of the k-th chunk."""
        rows = self.a.rows(k * CHUNK_A, min((k + 1) * CHUNK_A, self.a.size))
        kind, degrees, leads = _classify(rows, self.a.odd, False)
        keep = kind == 0
        return Side(rows[keep], degrees[keep], leads[keep], int(np.sum(kind == 1)), int(np.sum(kind == 2)))

    def b_side(self, k: int) -> Side:
        """The polynomials b of the k-th chunk, by degree upwards and by leading coefficient downwards, as `limits` wants them."""
        rows = self.b.rows(k * CHUNK_B, min((k + 1) * CHUNK_B, self.b.size))
        kind, degrees, leads = _classify(rows, False, True)
        keep = np.flatnonzero(kind == 0)
        keep = keep[np.lexsort((-leads[keep], degrees[keep]))]
        return Side(rows[keep], degrees[keep], leads[keep], int(np.sum(kind == 1)), 0, int(np.sum(kind == 3)))

    def describe(self) -> dict:
        """The part as JSON values."""
        return {"a": self.a.describe(), "b": self.b.describe()}


def limits(a: Side, b: Side) -> tuple[np.ndarray, np.ndarray]:
    """For every a, how many of the b, from the first, converge exponentially or faster, and how many converge perhaps.

    Those between have 4 b_lead = −a_lead² at deg b = 2 deg a: equal characteristic roots, convergence like a power of n at best.
    """
    strict, wide = _limits(a.degrees, a.leads, b.degrees, b.leads)
    return strict, wide


@njit(cache=True, nogil=True)
def _limits(a_degrees, a_leads, b_degrees, b_leads):
    n = len(b_degrees)
    strict, wide = np.empty(len(a_degrees), dtype=np.int64), np.empty(len(a_degrees), dtype=np.int64)
    for i in range(len(a_degrees)):
        twice, square = 2 * a_degrees[i], a_leads[i] * a_leads[i]
        for which in range(2):
            low, high = 0, n
            while low < high:
                middle = (low + high) // 2
                d, lead = b_degrees[middle], b_leads[middle]
                inside = d < twice or (d == twice and (4 * lead > -square or (which == 1 and 4 * lead == -square)))
                if inside:
                    low = middle + 1
                else:
                    high = middle
            if which == 0:
                strict[i] = low
            else:
                wide[i] = low
    return strict, wide


@dataclass(frozen=True)
class Domain:
    """A sequence of parts, searched one after the other.

    >>> domain = Domain.all(1, 1, -5, 5)
    >>> domain.size, domain.blocks
    (14641, 1)
    """

    parts: tuple[Part, ...]

    def __post_init__(self):
        if not self.parts:
            msg = "at least one family was required, got an empty domain"
            raise ValueError(msg)

    @classmethod
    def all(cls, a_degree: int, b_degree: int, low: int, high: int) -> "Domain":
        """All pairs of polynomials of degrees up to the given ones and coefficients between `low` and `high`."""
        return cls((Part(Family.all(a_degree, low, high, "x"), Family.all(b_degree, low, high, "y")),))

    @classmethod
    def of(cls, a: str, b: str, ranges: Ranges) -> "Domain":
        """Templates for a and b with ranges of their unknowns.

        Raises:
            ValueError: see `Family.of` and `Part`; or a range for an unknown that is in neither.

        >>> Domain.of("(2*n+1)*(x0*n*(n+1)+x1)", "-y*n^6", {"x0": (1, 17), "x1": (1, 5), "y": (1, 16)}).size
        1360
        """
        part = Part(Family.of(a, ranges), Family.of(b, ranges))
        spare = set(ranges) - {name for family in (part.a, part.b) for name, *_ in family.ranges}
        if spare:
            msg = f"ranges of unknowns of a or b were required, {', '.join(sorted(spare))} is in neither {a} nor {b}"
            raise ValueError(msg)
        return cls((part,))

    @classmethod
    def symmetric(cls, a_degree: int, b_degree: int, low: int, high: int) -> "Domain":
        """a with a(−1−n) = ±a(n), as (2n+1)(x₁ n(n+1) + x₀), and b = y·n^deg: the form of Apéry's fractions and their relatives.

        (R. Apéry, "Irrationalité de ζ(2) et ζ(3)", Astérisque 61, 1979.)
        """
        half = "(2*n+1)*" if a_degree % 2 else ""
        names = [f"x{k}" for k in range(a_degree // 2, -1, -1)]
        inner = combination(names, "(n*(n+1))" if a_degree > 3 else "n*(n+1)")
        return cls.of(f"{half}({inner})" if half else inner, f"y*n^{b_degree}", {**dict.fromkeys(names, (low, high)), "y": (low, high)})

    @classmethod
    def monomial(cls, a_degree: int, b_degree: int, low: int, high: int) -> "Domain":
        """All a, and b = y·n^deg."""
        return cls((Part(Family.all(a_degree, low, high, "x"), Family.of(f"y*n^{b_degree}", {"y": (low, high)})),))

    @classmethod
    def auto(cls, a_degree: int, b_degree: int, coefficients: int | tuple[int, int], family: str = "auto") -> "Domain":
        """The pairs of given degrees and coefficients that a family holds.

        Args:
            coefficients: the largest in absolute value, or the first and the last.
            family: "all"; "symmetric"; "monomial"; or "auto": all where they are no more than `FEW`, otherwise the symmetric ones
                and, where they are no more than that, those with a monomial b.

        Raises:
            ValueError: there is no such family, a range or a degree is negative.

        >>> Domain.auto(3, 6, 20).size, Domain.auto(1, 2, 5) == Domain.all(1, 2, -5, 5)
        (115925122, True)
        """
        families = {"all": cls.all, "symmetric": cls.symmetric, "monomial": cls.monomial}
        if family not in (*families, "auto"):
            msg = f"a family among auto, {', '.join(families)} was required, got {family!r}"
            raise ValueError(msg)
        low, high = (-coefficients, coefficients) if isinstance(coefficients, int) else coefficients
        if low > high or low == high == 0:
            msg = f"coefficients up to a number above 0, or from a smaller to a larger one, were required, got {coefficients}"
            raise ValueError(msg)
        for name, degree in (("a", a_degree), ("b", b_degree)):
            if not 0 <= degree <= MOST_DEGREE:
                msg = f"a degree of {name} from 0 to {MOST_DEGREE} was required, got {degree}"
                raise ValueError(msg)
        if family != "auto":
            return families[family](a_degree, b_degree, low, high)
        everything, half = (high - low + 1) ** (a_degree + b_degree + 2), cls.symmetric(a_degree, b_degree, low, high)
        if everything <= FEW:
            return cls.all(a_degree, b_degree, low, high)
        rest = cls.monomial(a_degree, b_degree, low, high) if (high - low + 1) ** (a_degree + 2) <= FEW else None
        return half + rest if rest is not None else half

    def __add__(self, other: "Domain") -> "Domain":
        return Domain(self.parts + other.parts)

    @property
    def size(self) -> int:
        """Pairs (a, b), exactly, before anything is left out."""
        return sum(part.size for part in self.parts)

    @property
    def blocks(self) -> int:
        """How many blocks the domain is cut into."""
        return sum(part.blocks for part in self.parts)

    def block(self, k: int) -> tuple[Part, int, int]:
        """The part and the chunks of a and b of the k-th block, 0 ≤ k < blocks."""
        for part in self.parts:
            if k < part.blocks:
                return part, k % part.chunks[0], k // part.chunks[0]
            k -= part.blocks
        msg = f"a block below {self.blocks} was required, got one {k} beyond the last"
        raise IndexError(msg)

    def describe(self) -> list[dict]:
        """The domain as JSON values: two domains are the same where these are."""
        return [part.describe() for part in self.parts]

    def __str__(self) -> str:
        return "; ".join(f"a = {_shown(part.a)}, b = {_shown(part.b)}" for part in self.parts)


def _shown(family: Family) -> str:
    ranges = [f"{name}={low}..{high}" for name, low, high in family.ranges]
    return family.template + (f" ({', '.join(ranges)})" if ranges else "")


def pairs(domain: Domain) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Every pair that is left in, one by one: for small domains and for tests."""
    for k in range(domain.blocks):
        part, i, j = domain.block(k)
        a, b = part.a_side(i), part.b_side(j)
        for row, last in zip(a.rows.tolist(), limits(a, b)[1], strict=True):
            yield from ((tuple(row), tuple(other)) for other in b.rows[:last].tolist())
