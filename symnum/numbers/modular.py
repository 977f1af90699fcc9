"""Linear algebra over the integers by word-size primes: kernels, Chinese remainders, rational reconstruction.

A matrix over Q is given as a function from a prime to its residues. Its rank is found modulo one prime of 62 bits (too small with a
probability of about size/2⁶²), a kernel vector modulo as many primes as its entries need. What is found is *not* proved by this
file: callers check the vector exactly.
Method: von zur Gathen and Gerhard, Modern Computer Algebra, 3rd ed. 2013, ch. 5 (doi:10.1017/CBO9781139856065).
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import count
from math import gcd, isqrt

from flint import fmpz, nmod_mat

MOST_PRIMES = 150  # by default: entries of up to 150·62/2 bits
Matrix = Callable[[int], nmod_mat]


@cache
def prime(k: int) -> int:
    """The k-th prime below 2⁶², counted downwards from 0.

    >>> prime(0) == 2**62 - 57
    True
    """
    p = (1 << 62) - 1 if k == 0 else prime(k - 1) - 2
    while not fmpz(p).is_prime():
        p -= 2
    return p


def primes(denominator: int = 1) -> Iterator[int]:
    """The primes below 2⁶² that do not divide `denominator`, downwards."""
    return (prime(k) for k in count() if denominator % prime(k))


def residues(terms: Sequence[Fraction | int], p: int) -> list[int]:
    """Rational numbers modulo a prime that divides none of their denominators.

    >>> residues([Fraction(1, 2), -1], 7)
    [4, 6]
    """
    return [t % p if isinstance(t, int) else t.numerator * pow(t.denominator, -1, p) % p for t in terms]


def fraction(residue: int, modulus: int, bound: int) -> tuple[int, int] | None:
    """The (a, b) with a ≡ residue·b, |a| and b at most `bound`, by the extended Euclidean algorithm; None where there is none.

    >>> fraction(336, 1009, 22)  # 1/3
    (-1, 3)
    """
    r0, r1, t0, t1 = modulus, residue % modulus, 0, 1
    while r1 > bound:
        q = r0 // r1
        r0, r1, t0, t1 = r1, r0 - q * r1, t1, t0 - q * t1
    if t1 == 0 or abs(t1) > bound or gcd(r1, t1) != 1:
        return None
    return (r1, t1) if t1 > 0 else (-r1, -t1)


def integer_vector(vector: Sequence[int], modulus: int) -> tuple[int, ...] | None:
    """The primitive integer vector, its last non-zero entry positive, that is proportional to `vector` modulo `modulus`.

    None where its entries would be larger than the modulus can carry.
    """
    bound, denominator = isqrt(modulus // 2), 1
    for residue in vector:
        part = fraction(residue * denominator % modulus, modulus, bound)
        if part is None or denominator * part[1] > bound:
            return None
        denominator *= part[1]
    scaled = [residue * denominator % modulus for residue in vector]
    scaled = [s - modulus if 2 * s > modulus else s for s in scaled]
    content = gcd(*scaled)
    if content == 0 or max(map(abs, scaled)) > bound:
        return None
    sign = 1 if next(s for s in reversed(scaled) if s) > 0 else -1
    return tuple(sign * s // content for s in scaled)


def lift(image: Callable[[int], list[int] | None], denominator: int = 1, most: int = MOST_PRIMES) -> tuple[int, ...] | None:
    """The integer vector behind its images modulo primes, each known up to a factor fixed by one entry being 1.

    Args:
        image: the vector modulo a prime, or None for a prime that is of no use; images of a longer length than others are dropped.
        denominator: primes that divide it are not used.
        most: how many primes are used.

    Returns:
        the primitive vector as soon as more primes do not change it; None where it needs more primes.
    """
    modulus, vector, last, used, look = 1, [], None, 0, 1
    for _, p in zip(range(most), primes(denominator), strict=False):
        new = image(p)
        if new is None:
            continue
        if len(new) != len(vector):
            if vector and len(new) > len(vector):
                continue
            modulus, vector, last = 1, [0] * len(new), None
        inverse = pow(modulus, -1, p)
        vector = [v + modulus * ((w - v) * inverse % p) for v, w in zip(vector, new, strict=True)]
        modulus, used = modulus * p, used + 1
        if used < look:  # looking costs more than a prime: every fifth more of them is often enough
            continue
        look = used + max(1, used // 5)
        found = integer_vector(vector, modulus)
        if found is not None and found == last:
            return found
        last = found
    return None


def nullity(matrix: nmod_mat) -> int:
    """The dimension of the kernel {v : matrix·v = 0}."""
    return matrix.ncols() - matrix.rank()


def kernel_vector(matrix: Matrix, denominator: int = 1) -> tuple[int, ...] | None:
    """One primitive integer vector of the kernel of a matrix over Q, in which the last free column has the entry 1.

    >>> kernel_vector(lambda p: nmod_mat(1, 2, [2, 3], p))
    (-3, 2)
    """
    def image(p: int) -> list[int] | None:
        basis, dimension = matrix(p).nullspace()
        if dimension == 0:
            return None
        vector = [int(basis[i, dimension - 1]) for i in range(basis.nrows())]
        inverse = pow(next(v for v in reversed(vector) if v), -1, p)
        return [v * inverse % p for v in vector]

    return lift(image, denominator)


def rows_needed(matrix: nmod_mat) -> int:
    """How many of the first rows already have the rank of all.

    >>> rows_needed(nmod_mat(3, 2, [1, 2, 2, 4, 0, 1], 7))
    3
    """
    echelon, rank = matrix.transpose().rref()
    if rank == 0:
        return 0
    return next(j for j in range(echelon.ncols()) if echelon[rank - 1, j] != 0) + 1
