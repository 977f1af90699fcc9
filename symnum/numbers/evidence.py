"""How much a sequence says: bits of terms, of formulas, and what is left when one pays for the other.

A claim about a sequence is a code for it. A formula that was one of 2^b tried, or is written in b bits, can be claimed once the terms
that it predicts carry clearly more than b bits under codes that know nothing of formulas: the chance that a sequence drawn by
such a code complies by accident is at most 2^-(surplus). J. Rissanen, "Modeling by shortest data description", Automatica 14, 1978,
doi:10.1016/0005-1098(78)90005-5; integers as P. Elias, IEEE Trans. Inf. Theory 21, 1975, doi:10.1109/TIT.1975.1055349.
"""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

Term = int | Fraction


def integer_bits(n: int) -> int:
    """Bits of one signed integer in the γ code.

    >>> [integer_bits(n) for n in (0, 1, -1, 2, 100)]
    [1, 4, 4, 4, 14]
    """
    return 2 * ((abs(n) + 1).bit_length() - 1) + 1 + (n != 0)


def code_bits(numbers: Iterable[Term]) -> int:
    """Bits of numbers written one by one.

    >>> code_bits([1, Fraction(1, 2)])
    12
    """
    return sum(integer_bits(n.numerator) + (integer_bits(n.denominator) if n.denominator > 1 else 0) for n in numbers)


def term_bits(terms: Sequence[Term]) -> list[float]:
    """Bits that each term carries under the cheapest of four codes: by size or by one range, of the terms or of their differences.

    A term counts as one bit at least. The codes pay nothing for their own parameters, so the bits are on the low side.

    >>> [round(b, 1) for b in term_bits([1, 2, 5, 14, 42, 132])]
    [1.0, 1.0, 2.0, 3.3, 4.9, 6.5]
    """
    scale = math.lcm(*(t.denominator for t in terms))
    whole = [int(t * scale) for t in terms]
    sizes = [math.log2(abs(t.numerator) + 1) + math.log2(t.denominator) + (1 if min(terms) < 0 < max(terms) else 0) for t in terms]
    codes = [sizes, _range_bits(whole)]
    steps = [b - a for a, b in zip(whole, whole[1:], strict=False)]
    if steps and scale == 1:
        signs = 1 if min(steps) < 0 < max(steps) else 0
        codes += [[sizes[0], *(math.log2(abs(s) + 1) + signs for s in steps)], [sizes[0], *_range_bits(steps)]]
    codes = [[max(1.0, bits) for bits in code] for code in codes]
    return min(codes, key=sum)


def _range_bits(numbers: Sequence[int]) -> list[float]:
    return [math.log2(max(numbers) - min(numbers) + 1)] * len(numbers)


def surplus(bits: Sequence[float], predicted: Iterable[int], tried: float, written: float) -> float:
    """Bits by which a claim is paid for.

    Two codes count: the formula came out of the first terms and predicts the others, or it is written out and predicts all.

    Args:
        bits: what each term carries, see `term_bits`.
        predicted: the positions of the terms that the formula gave after it was fixed.
        tried: how many formulas or shapes were tried up to this one.
        written: bits of the formula with its initial values.
    """
    return max(sum(bits[i] for i in predicted) - math.log2(max(tried, 1.0)), sum(bits) - written)
