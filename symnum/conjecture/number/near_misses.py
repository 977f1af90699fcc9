"""Numbers that are almost rational: agreement that is striking, and no identity."""

import math
from collections.abc import Iterator
from fractions import Fraction

from flint import arb, ctx

from symnum.conjecture.number.identification import NEAR_MISS, SHOWN, Hit

STRIKING = 0.002  # expected number of convergents, of all before, that agree as well by chance
MOST_BITS = 4000


def near_rationals(value: arb, digits: int) -> list[Hit]:
    """The convergents of a number, if any, that agree with it to clearly more digits than they are written with.

    >>> from symnum.numbers.formula import ball
    >>> [str(h) for h in near_rationals(ball("exp(pi*sqrt(163))", 60), 60)]
    ['262537412640768744']
    """
    with ctx.workprec(math.ceil(digits * math.log2(10)) + 64):
        return _striking(value)


def _striking(value: arb) -> list[Hit]:
    hits = []
    for index, p, q in _convergents(_fraction(value)):
        off = abs(value - arb(p) / q)
        if off.contains(0) or q.bit_length() > MOST_BITS:
            break
        agreed = -float((off / abs(value)).mid().log()) / math.log(10) if p else 0.0
        written = math.log10(max(abs(p), 1)) + math.log10(q)
        chance = 10.0 ** min(0.0, written - agreed) * (index + 1)
        if p and chance < STRIKING:
            text = str(Fraction(p, q))
            hits.append(Hit(text, ("x", text), value.str(SHOWN, radius=False), "continued fraction", int(agreed),
                            math.ceil(1.5 * written + 10), chance, NEAR_MISS, f"differs at digit {int(agreed) + 1}"))
    return sorted(hits, key=lambda h: h.chance)[:1]


def _fraction(value: arb) -> Fraction:
    mantissa, exponent = value.mid().man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _convergents(x: Fraction) -> Iterator[tuple[int, int, int]]:
    """(index, p, q) of the continued fraction of x."""
    (p0, q0), (p, q), index = (0, 1), (1, 0), 0
    while True:
        a = x.numerator // x.denominator
        p0, q0, p, q = p, q, a * p + p0, a * q + q0
        yield index, p, q
        if x == a:
            return
        x, index = 1 / (x - a), index + 1
