"""The domain of a census: which fractions there are, which of them are measured, in which blocks."""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from symnum.numbers.dynamics import has_natural_root

BLOCK = 8000  # fractions measured between two entries of the cursor
MOST = 10_000_000  # fractions of a domain: metrics are held in memory for the clusters


@dataclass(frozen=True)
class Domain:
    """a and b of at most this degree, coefficients from −range to range, neither zero.

    One of (a, b) and (−a, b) is measured: the value changes its sign and nothing else changes. (c a, c² b) is not measured beside (a, b).

    >>> domain = Domain(2, 5)
    >>> domain.size, len(domain.numerators), len(domain.denominators), domain.blocks
    (1768900, 665, 1330, 111)
    """

    degree: int
    range: int

    def __post_init__(self):
        if self.degree < 0 or self.range < 1:
            msg = f"a degree from 0 and a range from 1 on were required, got degree {self.degree}, range {self.range}: the domain is empty"
            raise ValueError(msg)
        if self.size > MOST:
            msg = f"a domain of at most {MOST} fractions was required, got {self.size}; choose a smaller degree or range"
            raise ValueError(msg)

    @property
    def size(self) -> int:
        """Fractions, mirrored and inflated ones included."""
        return ((2 * self.range + 1) ** (self.degree + 1) - 1) ** 2

    @cached_property
    def denominators(self) -> np.ndarray:
        """(k, degree + 1) all b."""
        rows = np.array(list(product(range(-self.range, self.range + 1), repeat=self.degree + 1)))
        return rows[(rows != 0).any(axis=1)]

    @cached_property
    def numerators(self) -> np.ndarray:
        """(k, degree + 1) all a with a positive leading coefficient."""
        rows = self.denominators
        return rows[rows[np.arange(len(rows)), np.argmax(rows != 0, axis=1)] > 0]

    @property
    def _per_block(self) -> int:
        return max(1, BLOCK // len(self.denominators))

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return math.ceil(len(self.numerators) / self._per_block)

    def block(self, number: int) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
        """(P, degree + 1) a and b of the block's fractions to be measured, and how many fractions of the domain were left out for what."""
        chosen = self.numerators[number * self._per_block:(number + 1) * self._per_block]
        a, b = np.repeat(chosen, len(self.denominators), axis=0), np.tile(self.denominators, (len(chosen), 1))
        rational = has_natural_root(b)
        inflated = np.zeros(len(a), bool)
        for c in range(2, self.range + 1):
            inflated |= ~rational & (a % c == 0).all(axis=1) & (b % (c * c) == 0).all(axis=1)
        keep = ~rational & ~inflated
        counts = {"fractions": 2 * len(a), "rational": 2 * rational.sum(), "inflated": 2 * inflated.sum(), "measured": keep.sum()}
        return a[keep], b[keep], {name: int(k) for name, k in counts.items()}
