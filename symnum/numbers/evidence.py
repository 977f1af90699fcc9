"""How much a sequence says: bits of terms, of formulas, and what is left when one pays for the other.

A claim about a sequence is a code for it. A formula that was one of 2^b tried, or is written in b bits, can be claimed once the terms
that it predicts carry clearly more than b bits under codes that know nothing of formulas: the chance that a sequence drawn by
such a code complies by accident is at most 2^-(surplus). J. Rissanen, "Modeling by shortest data description", Automatica 14, 1978,
doi:10.1016/0005-1098(78)90005-5.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

Term = int | Fraction

_ZERO = math.log2(math.pi**2 / 3 - 1)  # bits of 0 where n has probability proportional to 1/(|n| + 1)²


@dataclass(frozen=True)
class Code:
    """A way to write a sequence.

    Attributes:
        bits: what each term takes.
        header: bits of the code's own parameters.
    """

    bits: tuple[float, ...]
    header: float = 0.0

    @property
    def total(self) -> float:
        return sum(self.bits) + self.header


def integer_bits(n: int) -> float:
    """Bits of one integer, which has probability proportional to 1/(|n| + 1)².

    >>> [round(integer_bits(n), 1) for n in (0, 1, -1, 2, 100)]
    [1.2, 3.2, 3.2, 4.4, 14.5]
    """
    return _ZERO + 2 * math.log2(abs(n) + 1)


def code_bits(numbers: Iterable[Term]) -> float:
    """Bits of numbers written one by one.

    >>> round(code_bits([1, Fraction(1, 2)]), 1)
    8.4
    """
    return sum(integer_bits(n.numerator) + (2 * math.log2(n.denominator) if n.denominator > 1 else 0) for n in numbers)


def cheapest_code(terms: Sequence[Term]) -> Code:
    """The cheapest of five codes of a sequence without a rule.

    The terms or their differences are written by size (a size s as one of 2s + 1 numbers) or as numbers of one range, at least one bit
    each; or a term is written as the one before it, or by its difference from it, the frequency of either being learnt
    (Krichevsky and Trofimov, IEEE Trans. Inf. Theory 27, 1981, doi:10.1109/TIT.1981.1056331). The last is not used for a constant.

    >>> [round(b, 1) for b in cheapest_code([1, 2, 5, 14, 42, 132]).bits]
    [1.6, 1.6, 2.8, 4.2, 5.8, 7.5]
    """
    scale = math.lcm(*(t.denominator for t in terms))
    whole = [int(t * scale) for t in terms]
    sign = 1 if min(terms) < 0 < max(terms) else 0
    sizes = [math.log2(2 * abs(t.numerator) + 1) + math.log2(t.denominator) + sign for t in terms]
    codes = [Code(_floored(sizes)), _range_code(whole, [])]
    steps = [b - a for a, b in zip(whole, whole[1:], strict=False)]
    if steps and scale == 1:
        sign = 1 if min(steps) < 0 < max(steps) else 0
        by_size = [math.log2(2 * abs(s) + 1) + sign for s in steps]
        codes += [Code(_floored([sizes[0], *by_size])), _range_code(steps, sizes[:1])]
        if any(steps):
            codes.append(Code((max(1.0, sizes[0]), *_changes(steps, by_size))))
    return min(codes, key=lambda code: code.total)


def _floored(bits: Sequence[float]) -> tuple[float, ...]:
    return tuple(max(1.0, b) for b in bits)


def _range_code(numbers: Sequence[int], before: list[float]) -> Code:
    low, width = min(numbers), max(numbers) - min(numbers)
    return Code(_floored([*before, *[math.log2(width + 1)] * len(numbers)]), code_bits([low, width]))


def _changes(steps: Sequence[int], by_size: Sequence[float]) -> list[float]:
    """Bits of "as before" or of the step, by the frequencies so far."""
    bits, seen = [], [0.5, 0.5]
    for step, size in zip(steps, by_size, strict=True):
        changed = int(step != 0)
        bits.append(-math.log2(seen[changed] / sum(seen)) + (size if changed else 0.0))
        seen[changed] += 1
    return bits


def surplus(code: Code, predicted: Iterable[int], tried: float, written: float) -> float:
    """Bits by which a claim is paid for.

    Two codes count: the formula came out of the first terms and predicts the others, or it is written out and predicts all.

    Args:
        code: of the sequence, see `cheapest_code`.
        predicted: the positions of the terms that the formula gave after it was fixed.
        tried: bits that name the formula's shape among all that were tried.
        written: bits of the formula with its initial values.
    """
    return max(sum(code.bits[i] for i in predicted) - tried, code.total - written)
