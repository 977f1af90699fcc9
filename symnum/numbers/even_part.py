"""The even part of a continued fraction with constant a: slow fractions such as Brouncker's in a form whose tails can be enclosed.

Where a is constant and b grows like n², the error of n terms falls like a power of n. As u_n = a u_{n−1} + b(n) u_{n−2}, every second
convergent obeys

    u_{2n} = (a² + b(2n) + b(2n−1)) u_{2n−2} − b(2n−1) b(2n−2) u_{2n−4},

a fraction with equal characteristic roots, for which `pcf_tail` proves as many digits as are asked for. The contraction is classical:
O. Perron, "Die Lehre von den Kettenbrüchen", vol. 2, 1957.
"""

import math

from flint import arb, ctx, fmpz_poly

from symnum.numbers.formula import GUARD
from symnum.numbers.pcf import PCF
from symnum.numbers.pcf_tail import tail_ball


def even_ball(fraction: PCF, digits: int) -> arb | None:
    """The limit of a fraction with constant a and b of degree 2, to about `digits` proven digits; None where no tail can be enclosed.

    >>> even_ball(PCF((2,), (4, -4, 1)), 30).str(20, radius=False)        # Brouncker's 1 + 4/pi
    '2.2732395447351626862'
    """
    if len(fraction.a) != 1 or len(fraction.b) != 3 or fraction.last_term is not None or fraction.a == (0,):
        return None
    a, b = fraction.a[0], fraction.polynomials[1]
    diagonal = a * a + b(fmpz_poly([4, 2])) + b(fmpz_poly([3, 2]))  # from n = 2 on, so that b(0) is not met, which may be 0
    off = -b(fmpz_poly([3, 2])) * b(fmpz_poly([2, 2]))
    tail = tail_ball(PCF(_high_first(diagonal), _high_first(off)), digits)
    if tail is None:
        return None
    last = -b(3) * b(2)
    p, q = a * (a * a + b(1) + b(2)), a * a + b(2)  # p_2, q_2; p_0 = a, q_0 = 1
    with ctx.workprec(math.ceil(digits * math.log2(10)) + GUARD):
        return (tail * p + last * a) / (tail * q + last)


def _high_first(p: fmpz_poly) -> tuple[int, ...]:
    return tuple(int(c) for c in reversed(p.coeffs()))
