"""Families of polynomials in n whose coefficients are polynomials in unknowns with ranges: `(2*n+1)*(x0*n*(n+1)+x1)`.

All polynomials of a degree are the family in which every coefficient is an unknown. The members of a family are numbered, and rows of
coefficients are made from the numbers by compiled code, so that a family of any size can be walked through in chunks.
"""

import ast
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from flint import Ordering, fmpz_mpoly, fmpz_mpoly_ctx, nmod_mat
from numba import njit

LARGEST = 1 << 40  # coefficients beyond lose digits in a float64 table
MOST_DEGREE = 32
MOST_TERMS = 1 << 16  # while a template is multiplied out; ((x + y + z + n)^32)^32 would not end
Ranges = Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Family:
    """Polynomials in n with unknown integers; make one with `of`.

    Attributes:
        template: as it was written.
        ranges: the first and last value of every unknown, in the order of the index; the last unknown varies fastest.
        monomials: (m, 2 + unknowns): coefficient, power of n, powers of the unknowns.
    """

    template: str
    ranges: tuple[tuple[str, int, int], ...]
    monomials: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, template: str, ranges: Ranges) -> "Family":
        """The family of a template such as `(x0*n + x1)^2`: + - * and powers of n, whole numbers, and unknowns of which all have a range.

        Raises:
            ValueError: it cannot be read, an unknown has no range or an empty one, or coefficients could exceed 2^40.

        >>> Family.of("x0*n + x1", {"x0": (1, 2), "x1": (-1, 1)}).size
        6
        """
        polynomial, names = _expand(template)
        missing = [name for name in names if name not in ranges]
        if missing:
            msg = f"a range was required for every unknown, got none for {', '.join(missing)} of {template}; give one as {missing[0]}=-5..5"
            raise ValueError(msg)
        chosen = []
        for name in names:
            low, high = map(int, ranges[name])
            if low > high:
                msg = f"a range from a smaller to a larger number was required, got {name} = {low}..{high}: the domain would be empty"
                raise ValueError(msg)
            if max(-low, high) > LARGEST:
                msg = f"unknowns up to 2^40 were required, got {name} = {low}..{high}"
                raise ValueError(msg)
            chosen.append((name, low, high))
        family = cls(template, tuple(chosen), tuple((int(c), *map(int, powers)) for powers, c in sorted(polynomial.to_dict().items())))
        family._check_size()
        return family

    @classmethod
    def all(cls, degree: int, low: int, high: int, letter: str = "x") -> "Family":
        """All polynomials of degree ≤ `degree` with coefficients between `low` and `high`.

        >>> Family.all(1, -5, 5).template
        'x1*n + x0'
        """
        if not 0 <= degree <= MOST_DEGREE:
            msg = f"a degree from 0 to {MOST_DEGREE} was required, got {degree}"
            raise ValueError(msg)
        names = [f"{letter}{k}" for k in range(degree, -1, -1)]
        template = combination(names, "n")
        return cls.of(template, dict.fromkeys(names, (low, high)))

    def _check_size(self) -> None:
        largest = {0: 0}
        for c, power, *exponents in self.monomials:
            size = abs(c) * math.prod(max(abs(low), abs(high)) ** e for e, (_, low, high) in zip(exponents, self.ranges, strict=True))
            largest[power] = largest.get(power, 0) + size
        if max(largest) > MOST_DEGREE or max(largest.values()) > LARGEST:
            top = f"coefficients up to {max(largest.values())} and degree {max(largest)}"
            msg = f"coefficients up to 2^40 and degrees up to {MOST_DEGREE} were required, {self.template} has {top}"
            raise ValueError(msg)

    @property
    def size(self) -> int:
        """How many choices of the unknowns there are."""
        return math.prod(high - low + 1 for _, low, high in self.ranges)

    @property
    def degree(self) -> int:
        """The highest power of n."""
        return max((power for _, power, *_ in self.monomials), default=0)

    @cached_property
    def odd(self) -> bool:
        """Whether the negative of every polynomial of the family is in it: changing the sign of some unknowns changes all signs."""
        symmetric = [i for i, (_, low, high) in enumerate(self.ranges) if low == -high]
        if not self.monomials or not symmetric:
            return False
        parity = nmod_mat([[m[2 + i] % 2 for i in symmetric] for m in self.monomials], 2)  # does the i-th unknown change m's sign?
        augmented = nmod_mat([[*row, 1] for row in parity.tolist()], 2)
        return parity.rank() == augmented.rank()  # a choice of unknowns that changes all signs solves a linear system

    def rows(self, first: int, last: int) -> np.ndarray:
        """Coefficients (last − first, degree + 1) int64, the highest power first, of the choices first ≤ i < last.

        >>> Family.of("x0*n + 7", {"x0": (1, 3)}).rows(0, 2).tolist()
        [[1, 7], [2, 7]]
        """
        lows = np.array([low for _, low, _ in self.ranges], dtype=np.int64)
        counts = np.array([high - low + 1 for _, low, high in self.ranges], dtype=np.int64)
        monomials = np.array(self.monomials, dtype=np.int64).reshape(-1, 2 + len(self.ranges))
        return _rows(first, last, lows, counts, monomials, self.degree)

    def describe(self) -> dict:
        """The family as JSON values."""
        return {"template": self.template, "ranges": {name: [low, high] for name, low, high in self.ranges}}


def combination(names: Sequence[str], base: str) -> str:
    """Σ nameₖ·baseᵏ as a template, the highest power first.

    >>> combination(["x2", "x1", "x0"], "n")
    'x2*n^2 + x1*n + x0'
    """
    powers = [f"{name}*{base}^{k}" if k > 1 else f"{name}*{base}" if k else name for k, name in enumerate(reversed(names))]
    return " + ".join(reversed(powers))


def parse_ranges(text: str) -> dict[str, tuple[int, int]]:
    """Ranges of unknowns from `x0=1..17, x1=-3..3, x2=5`.

    Raises:
        ValueError: it is written in another way.

    >>> parse_ranges("x0=1..17, x1=-2")
    {'x0': (1, 17), 'x1': (-2, -2)}
    """
    ranges = {}
    for part in filter(None, map(str.strip, text.split(","))):
        found = re.fullmatch(r"([A-Za-z_]\w*)\s*=\s*([+-]?\d+)(?:\s*(?:\.\.|:)\s*([+-]?\d+))?", part)
        if not found:
            msg = f"ranges such as x0=1..17,x1=-3..3 were required, got {part!r}"
            raise ValueError(msg)
        ranges[found[1]] = (int(found[2]), int(found[3] or found[2]))
    return ranges


def _expand(template: str) -> tuple[fmpz_mpoly, list[str]]:
    """The template multiplied out over (n, unknowns…), and the unknowns in the order in which they appear."""
    try:
        tree = ast.parse(template.strip().replace("^", "**"), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        msg = f"a polynomial in n such as (x0*n + x1)*(x2*n*(n+1) + x3) was required, got {template!r}"
        raise ValueError(msg) from None
    nodes = sorted((node for node in ast.walk(tree) if isinstance(node, ast.Name)), key=lambda node: node.col_offset)
    names = [name for name in dict.fromkeys(node.id for node in nodes) if name != "n"]
    ring = fmpz_mpoly_ctx.get(["n", *names], Ordering.lex)
    gens = dict(zip(["n", *names], ring.gens(), strict=True))
    return _polynomial(tree, gens, ring, template), names


def _polynomial(node: ast.expr, gens: dict, ring, template: str) -> fmpz_mpoly:
    def of(inner: ast.expr) -> fmpz_mpoly:
        return _polynomial(inner, gens, ring, template)

    match node:
        case ast.Constant(value=int() as c) if not isinstance(c, bool):
            return ring.constant(c)
        case ast.Name(id=name):
            return gens[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -of(inner)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return of(inner)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return of(left) + of(right)
        case ast.BinOp(op=ast.Sub(), left=left, right=right):
            return of(left) - of(right)
        case ast.BinOp(op=ast.Mult(), left=left, right=right):
            x, y = of(left), of(right)
            _check_terms(len(x) * len(y), template)
            return x * y
        case ast.BinOp(op=ast.Pow(), left=left, right=ast.Constant(value=int() as k)) if 0 <= k <= MOST_DEGREE:
            x = of(left)
            _check_terms(math.comb(len(x) + k, k), template)
            return x ** k
    msg = f"whole numbers, n, unknowns, + - * and powers up to {MOST_DEGREE} were required, got {ast.unparse(node)!r} in {template!r}"
    raise ValueError(msg)


def _check_terms(terms: int, template: str) -> None:
    if terms > MOST_TERMS:
        msg = f"a template of at most {MOST_TERMS} terms when it is multiplied out was required, got {template!r}"
        raise ValueError(msg)


@njit(cache=True, nogil=True)
def _rows(first, last, lows, counts, monomials, degree):
    out = np.zeros((last - first, degree + 1), dtype=np.int64)
    unknowns = np.empty(len(lows), dtype=np.int64)
    for i in range(last - first):
        rest = first + i
        for k in range(len(lows) - 1, -1, -1):
            unknowns[k] = lows[k] + rest % counts[k]
            rest //= counts[k]
        for m in range(len(monomials)):
            c = monomials[m, 0]
            for k in range(len(lows)):
                for _ in range(monomials[m, 2 + k]):
                    c *= unknowns[k]
            out[i, degree - monomials[m, 1]] += c
    return out


@njit(cache=True, nogil=True)
def natural_root(c):
    """The least n ≥ 1 with Σ c[i] n^(d−i) = 0; 0 where there is none. A root is at most 1 + max |c| / |lead| (Cauchy)."""
    d = len(c)
    lead = 0
    while lead < d and c[lead] == 0:
        lead += 1
    last = d - 1
    while last > lead and c[last] == 0:
        last -= 1
    if lead >= last:
        return 0
    largest = 0
    for i in range(lead + 1, last + 1):
        largest = max(largest, abs(c[i]))
    for n in range(1, min(1 + largest // abs(c[lead]), abs(c[last])) + 1):
        if _is_root(c, lead, last, n):
            return n
    return 0


@njit(cache=True, nogil=True)
def _is_root(c, lead, last, n):
    """Whether n is a root: from the lowest coefficient upwards every partial sum is divisible by n, and numbers stay small."""
    value = c[last]
    for i in range(last - 1, lead - 1, -1):
        if value % n:
            return False
        value = value // n + c[i]
    return value == 0
