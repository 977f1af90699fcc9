"""Which series are looked at: bases of BBP-type sums and of binomial sums, simplest first."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from symnum.numbers.bbp_sums import BbpBasis
from symnum.numbers.binomial_sums import BinomialBasis, growth

BBP_BASES = tuple(sign * b for b in (*(2 ** i for i in range(1, 13)), *(3 ** i for i in range(1, 7)), 5, 10, 25, 125) for sign in (1, -1))
BBP_LENGTHS = (*range(1, 13), 16, 20, 24)
BBP_POWERS = (1, 2, 3)
MOST_LENGTH, MOST_POWER = 64, 20  # a reduction of more sums takes minutes
CENTRAL = "binomial(2k,k)"
FAMILIES: tuple[tuple[tuple[str, int], ...], ...] = (
    *(((CENTRAL, e),) for e in (1, -1, 2, -2, 3, -3, 4, -4, 5, -5)),
    *(((name, e),) for name in ("binomial(3k,k)", "binomial(4k,2k)", "binomial(4k,k)") for e in (1, -1)),
    ((CENTRAL, 1), ("binomial(3k,k)", 1)),
    ((CENTRAL, -1), ("binomial(3k,k)", -1)),
    ((CENTRAL, 1), ("binomial(4k,2k)", 1)),
    # the three other levels of Ramanujan's series for 1/pi: (2k)! (3k)!/k!^5, (4k)!/k!^4, (6k)!/((3k)! k!^3)
    ((CENTRAL, 2), ("binomial(3k,k)", 1)),
    ((CENTRAL, 2), ("binomial(4k,2k)", 1)),
    ((CENTRAL, 1), ("binomial(3k,k)", 1), ("binomial(6k,3k)", 1)),
)
DENOMINATORS = ((1, 0), (1, 3), (1, 5), (2, 3))  # (step, power) of ℓ(k)^-power, ℓ = k or 2k + 1
DEGREE = 2
SLOWEST, FAST, PLAIN = Fraction(5, 4), 16, 1024  # |z|/growth: the least; the largest with a denominator, without
PRIMES = (2, 3, 5)
SMALL = 4  # z up to it is looked at for inverse binomials, however fast their sums converge


def bbp_bases(bases: Sequence[int], lengths: Sequence[int], powers: Sequence[int]) -> list[BbpBasis]:
    """All combinations, small ones first, so that a formula is met before its inflations.

    Raises:
        ValueError: a list is empty, |b| < 2, or a length or power is below 1 or too large.

    >>> [b.key for b in bbp_bases([16, 2], [1, 8], [1])]
    ['bbp|2|1|1', 'bbp|16|1|1', 'bbp|2|8|1', 'bbp|16|8|1']
    """
    for name, values in (("bases", bases), ("lengths", lengths), ("powers", powers)):
        if not values:
            msg = f"at least one of the {name} was required, got none"
            raise ValueError(msg)
    if max(lengths) > MOST_LENGTH or max(powers) > MOST_POWER:
        msg = f"lengths up to {MOST_LENGTH} and powers up to {MOST_POWER} were required, got {max(lengths)} and {max(powers)}"
        raise ValueError(msg)
    order = sorted({(s, n, abs(b), -b) for b in bases for n in lengths for s in powers})
    return [BbpBasis(-b, n, s) for s, n, _, b in order]


def binomial_bases(families: Sequence[tuple[tuple[str, int], ...]] = FAMILIES, degree: int = DEGREE) -> list[BinomialBasis]:
    """Every family with every denominator and every z made of the primes 2, 3, 5 for which it converges fast enough.

    >>> len(binomial_bases(FAMILIES[:1])) > 100
    True
    """
    found = []
    for factors in families:
        least = growth(factors)
        for step, power in DENOMINATORS:
            for size in _smooth(least * SLOWEST, max(least * (FAST if power else PLAIN), Fraction(SMALL if least < 1 else 0))):
                found += [BinomialBasis(factors, sign * size, step, power, degree) for sign in (1, -1)]
    return found


def _smooth(low: Fraction, high: Fraction) -> Iterator[Fraction]:
    """The numbers from low to high that are products of the first primes, and the inverses of such integers, upwards."""
    whole = [Fraction(n) for n in _products(int(high)) if n >= low]
    inverse = [1 / Fraction(n) for n in _products(int(1 / low)) if n > 1 and 1 / Fraction(n) <= high]
    yield from [*reversed(inverse), *whole]


def _products(most: int) -> list[int]:
    found = [1] if most >= 1 else []
    for p in PRIMES:
        for n in found:
            if n * p <= most:
                found.append(n * p)
    return sorted(found)
