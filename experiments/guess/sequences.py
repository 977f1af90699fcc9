"""Classical sequences by their definitions: sums, counting recursions, products and sieves, none of them by a rule that the guesser finds.

`CLASSICAL` maps a name to a function that gives the first N terms from n = 0; `WITHOUT` are sequences for which no rule of the kinds that
`symnum.guess` knows exists or is known.
"""

from fractions import Fraction
from functools import cache
from math import comb, factorial, gcd, isqrt

from mpmath import mp


def by_index(f):
    return lambda count: [f(n) for n in range(count)]


def steps(*initial):
    """a(n) from all terms before it, by a definition step(terms, n)."""
    def wrap(step):
        def make(count):
            terms = list(initial)
            while len(terms) < count:
                terms.append(step(terms, len(terms)))
            return terms[:count]

        return make

    return wrap


def convolution(terms, n):
    return sum(terms[k] * terms[n - 1 - k] for k in range(n))


@steps(1, 1)
def motzkin(m, n):
    return m[n - 1] + sum(m[k] * m[n - 2 - k] for k in range(n - 1))


@steps(1)
def large_schroeder(s, n):
    return s[n - 1] + sum(s[k] * s[n - 1 - k] for k in range(n))


def walks(moves, inside=lambda p: True, closed=False):
    """Lattice walks of n steps from the origin that stay inside, all or those that return."""
    def make(count):
        ways, found = {(0, 0): 1}, []
        for _ in range(count):
            found.append(ways.get((0, 0), 0) if closed else sum(ways.values()))
            new = {}
            for (x, y), w in ways.items():
                for dx, dy in moves:
                    p = x + dx, y + dy
                    if inside(p):
                        new[p] = new.get(p, 0) + w
            ways = new
        return found

    return make


@cache
def delannoy(a, b):
    return 1 if a == 0 or b == 0 else delannoy(a - 1, b) + delannoy(a, b - 1) + delannoy(a - 1, b - 1)


@cache
def stirling2(n, k):
    return 1 if n == k == 0 else 0 if n == 0 or k == 0 else k * stirling2(n - 1, k) + stirling2(n - 1, k - 1)


@cache
def zigzag(n, k):
    return (1 if n == 0 else 0) if k == 0 else zigzag(n, k - 1) + zigzag(n - 1, n - k)


def derangements(n):
    return sum((-1) ** k * comb(n, k) * factorial(n - k) for k in range(n + 1))


def involutions(n):
    return sum(comb(n, 2 * k) * factorial(2 * k) // (2**k * factorial(k)) for k in range(n // 2 + 1))


def tilings(width):
    """Domino tilings of a width × n board, row by row over the profiles."""
    def make(count):
        ways, found = {0: 1}, []
        for _ in range(count):
            found.append(ways.get(0, 0))
            new = {}
            for profile, w in ways.items():
                for after in _fill(profile, width, 0, 0):
                    new[after] = new.get(after, 0) + w
            ways = new
        return found

    return make


def _fill(profile, width, at, after):
    if at == width:
        yield after
    elif profile >> at & 1:
        yield from _fill(profile, width, at + 1, after)
    else:
        yield from _fill(profile, width, at + 1, after | 1 << at)
        if at + 1 < width and not profile >> (at + 1) & 1:
            yield from _fill(profile, width, at + 2, after)


def floor_of(real):
    def value(n):
        mp.dps = 60
        return int(mp.floor(real(n)))

    return by_index(value)


@steps(1)
def partitions(p, n):
    return sum(p[n - k] * sum(d for d in range(1, k + 1) if k % d == 0) for k in range(1, n + 1)) // n


def primes(count):
    found, k = [], 2
    while len(found) < count:
        if all(k % p for p in found):
            found.append(k)
        k += 1
    return found


def hailstone(n):
    n, length = n + 1, 0
    while n != 1:
        n, length = (n // 2 if n % 2 == 0 else 3 * n + 1), length + 1
    return length


FIBONACCI = steps(0, 1)(lambda f, n: f[n - 1] + f[n - 2])
PERRIN = steps(3, 0, 2)(lambda f, n: f[n - 2] + f[n - 3])

CLASSICAL = {
    "naturals": by_index(lambda n: n),
    "odd numbers": by_index(lambda n: 2 * n + 1),
    "squares": by_index(lambda n: sum(2 * k + 1 for k in range(n))),
    "triangular": by_index(lambda n: sum(range(n + 1))),
    "tetrahedral": by_index(lambda n: sum(k * (k + 1) // 2 for k in range(n + 1))),
    "sums of squares": by_index(lambda n: sum(k * k for k in range(n + 1))),
    "sums of cubes": by_index(lambda n: sum(k**3 for k in range(n + 1))),
    "cake numbers": by_index(lambda n: sum(comb(n, k) for k in range(4))),
    "circle division": by_index(lambda n: sum(comb(n, k) for k in range(5))),
    "centred hexagonal": by_index(lambda n: 1 + sum(6 * k for k in range(n + 1))),
    "fourth powers": by_index(lambda n: n * n * n * n),
    "harmonic denominatorless 1/(n+1)": by_index(lambda n: Fraction(1, n + 1)),
    "1/((n+1)(n+2)) sums": by_index(lambda n: sum(Fraction(1, (k + 1) * (k + 2)) for k in range(n + 1))),
    "powers of 2": by_index(lambda n: sum(comb(n, k) for k in range(n + 1))),
    "powers of 3": by_index(lambda n: sum(2**k * comb(n, k) for k in range(n + 1))),
    "Mersenne": by_index(lambda n: sum(2**k for k in range(n))),
    "Fibonacci": FIBONACCI,
    "Lucas": steps(2, 1)(lambda f, n: f[n - 1] + f[n - 2]),
    "Pell": steps(0, 1)(lambda f, n: 2 * f[n - 1] + f[n - 2]),
    "Jacobsthal": steps(0, 1)(lambda f, n: f[n - 1] + 2 * f[n - 2]),
    "Tribonacci": steps(0, 0, 1)(lambda f, n: f[n - 1] + f[n - 2] + f[n - 3]),
    "Padovan": steps(1, 1, 1)(lambda f, n: f[n - 2] + f[n - 3]),
    "Perrin": PERRIN,
    "Fibonacci squared": lambda count: [f * f for f in FIBONACCI(count)],
    "2^n - n": by_index(lambda n: sum(comb(n, k) for k in range(n + 1)) - n),
    "n 2^(n-1)": by_index(lambda n: sum(k * comb(n, k) for k in range(n + 1))),
    "domino tilings 2 x n": tilings(2),
    "domino tilings 3 x 2n": lambda count: tilings(3)(2 * count)[::2],
    "domino tilings 4 x n": tilings(4),
    "floor(n^2/4)": by_index(lambda n: sum(k // 2 for k in range(n + 1))),
    "n mod 3": by_index(lambda n: n % 3),
    "partitions into at most 3": by_index(lambda n: sum(1 for a in range(n + 1) for b in range(a + 1) if 0 <= n - a - b <= b)),
    "coins 1 2 5 10": by_index(lambda n: sum(1 for a in range(0, n + 1, 10) for b in range(0, n - a + 1, 5)
                                             for c in range(0, n - a - b + 1, 2))),
    "factorials": by_index(factorial),
    "double factorials": by_index(lambda n: factorial(2 * n) // (2**n * factorial(n))),
    "central binomial": by_index(lambda n: sum(comb(n, k) ** 2 for k in range(n + 1))),
    "Catalan": steps(1)(convolution),
    "ternary trees": by_index(lambda n: sum(comb(n, k) * comb(2 * n, k + 1) for k in range(n)) // n if n else 1),
    "Motzkin": motzkin,
    "large Schröder": large_schroeder,
    "small Schröder": lambda count: [1] + [s // 2 for s in large_schroeder(count)[1:]],
    "central Delannoy": by_index(lambda n: delannoy(n, n)),
    "central trinomial": by_index(lambda n: sum(comb(n, 2 * k) * comb(2 * k, k) for k in range(n // 2 + 1))),
    "Riordan": lambda count: [sum((-1) ** (n - k) * m for k, m in enumerate(motzkin(n))) + (n == 0) for n in range(1, count + 1)],
    "Franel": by_index(lambda n: sum(comb(n, k) ** 3 for k in range(n + 1))),
    "Franel of order 4": by_index(lambda n: sum(comb(n, k) ** 4 for k in range(n + 1))),
    "Apéry zeta(3)": by_index(lambda n: sum((comb(n, k) * comb(n + k, k)) ** 2 for k in range(n + 1))),
    "Apéry zeta(2)": by_index(lambda n: sum(comb(n, k) ** 2 * comb(n + k, k) for k in range(n + 1))),
    "Domb": by_index(lambda n: sum(comb(n, k) ** 2 * comb(2 * k, k) * comb(2 * n - 2 * k, n - k) for k in range(n + 1))),
    "derangements": by_index(derangements),
    "involutions": by_index(involutions),
    "arrangements": by_index(lambda n: sum(comb(n, k) * factorial(k) for k in range(n + 1))),
    "left factorials": by_index(lambda n: sum(factorial(k) for k in range(n))),
    "n n!": by_index(lambda n: n * factorial(n)),
    "harmonic numbers": by_index(lambda n: sum((Fraction(1, k) for k in range(1, n + 1)), Fraction(0))),
    "1/n!": by_index(lambda n: Fraction(1, factorial(n))),
    "sums of 1/k!": by_index(lambda n: sum(Fraction(1, factorial(k)) for k in range(n + 1))),
    "rook polynomials (Laguerre)": by_index(lambda n: sum(comb(n, k) ** 2 * factorial(k) for k in range(n + 1))),
    "walks in the quarter plane": walks([(1, 0), (-1, 0), (0, 1), (0, -1)], lambda p: p[0] >= 0 and p[1] >= 0),
    "closed walks on the square lattice": lambda count: walks([(1, 0), (-1, 0), (0, 1), (0, -1)], closed=True)(2 * count)[::2],
    "Kreweras walks": lambda count: walks([(-1, 0), (0, -1), (1, 1)], lambda p: p[0] >= 0 and p[1] >= 0, closed=True)(3 * count)[::3],
    "surjections-free: sets of lists": by_index(lambda n: sum(comb(n - 1, k - 1) * factorial(n) // factorial(k)
                                                              for k in range(1, n + 1)) if n else 1),
    "lower Wythoff": floor_of(lambda n: n * (1 + mp.sqrt(5)) / 2),
    "floor(n sqrt 2)": floor_of(lambda n: n * mp.sqrt(2)),
    "floor of square roots": by_index(isqrt),
    "n^n": by_index(lambda n: n**n),
    "2^(n^2)": by_index(lambda n: 2 ** (n * n)),
    "superfactorials": steps(1)(lambda s, n: s[-1] * factorial(n)),
    "products of Fibonacci numbers": lambda count: [_product(FIBONACCI(n + 2)[1:]) for n in range(count)],
    "rooted labelled trees": by_index(lambda n: (n + 1) ** n),
    "Fibonacci and squares interlaced": lambda count: [v for n, f in enumerate(FIBONACCI(count)) for v in (f, n * n)][:count],
    "n! Fibonacci": lambda count: [factorial(n) * f for n, f in enumerate(FIBONACCI(count))],
    "alternating triangular": by_index(lambda n: (-1) ** n * sum(range(n + 1))),
}

WITHOUT = {
    "primes": primes,
    "partitions": partitions,
    "Bell": by_index(lambda n: sum(stirling2(n, k) for k in range(n + 1))),
    "zigzag (Euler)": by_index(lambda n: zigzag(n, n)),
    "totients": by_index(lambda n: sum(gcd(k, n + 1) == 1 for k in range(1, n + 2))),
    "divisor counts": by_index(lambda n: sum((n + 1) % k == 0 for k in range(1, n + 2))),
    "Collatz lengths": by_index(hailstone),
    "digits of pi": by_index(lambda n: int(_pi()[n])),
    "binary weight": by_index(lambda n: n.bit_count()),
}


def _product(numbers):
    total = 1
    for k in numbers:
        total *= k
    return total


def _pi():
    mp.dps = 220
    return mp.nstr(mp.pi, 210).replace(".", "")
