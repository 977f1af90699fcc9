"""Transforms under which a sequence may be simpler than it looks: the one list `TRANSFORMS`, tried in this order.

A transform splits the terms into parts, each a sequence of its own with a start, says which term each part's term stands for, and joins
continued parts back to a continued sequence.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from math import factorial

from symnum.numbers.evidence import Term
from symnum.numbers.recurrence import simple

Terms = list[Term]
MOST_PERIOD = 4  # of interlaced sequences and of sign patterns
LAST_FACTORIAL = 1000  # the largest first index for which terms are divided by n!
LEAST_PART = 4  # terms of a part; fewer cannot be checked


@dataclass(frozen=True)
class Part:
    """One sequence b(start), b(start + 1), …; its k-th term stands for the term at `position(k)` of the whole."""

    name: str
    terms: tuple[Term, ...]
    start: int
    position: Callable[[int], int]


@dataclass(frozen=True)
class Transform:
    """A way to look at a sequence.

    Attributes:
        name: one word.
        definition: start -> what b(n) is, as plain text.
        split: (terms, start) -> the parts, or None where it does not apply.
        join: (terms, start, parts with k more terms each, k) -> the next k terms.
    """

    name: str
    definition: Callable[[int], str]
    split: Callable[[Sequence[Term], int], list[Part] | None]
    join: Callable[[Sequence[Term], int, list[Terms], int], Terms]


def _part(terms: Sequence[Term | Fraction], start: int, ahead: int = 0) -> list[Part]:
    return [Part("b", tuple(simple(t) for t in terms), start, lambda k: k + ahead)]


def _differences() -> Transform:
    return Transform(
        "differences", lambda _: "b(n) = a(n+1) - a(n)",
        lambda a, start: _part([y - x for x, y in zip(a, a[1:], strict=False)], start, 1),
        lambda a, _, parts, k: [simple(t) for t in accumulate(parts[0][len(a) - 1: len(a) - 1 + k], initial=a[-1])][1:],
    )


def _sums() -> Transform:
    return Transform(
        "sums", lambda start: f"b(n) = a({start}) + ... + a(n)",
        lambda a, start: _part(list(accumulate(a)), start),
        lambda a, _, parts, k: [simple(parts[0][m] - parts[0][m - 1]) for m in range(len(a), len(a) + k)],
    )


def _ratios() -> Transform:
    return Transform(
        "ratios", lambda _: "b(n) = a(n+1)/a(n)",
        lambda a, start: _part([Fraction(y) / x for x, y in zip(a, a[1:], strict=False)], start, 1) if all(a) else None,
        lambda a, _, parts, k: [simple(t) for t in accumulate(parts[0][len(a) - 1: len(a) - 1 + k], lambda x, y: x * y, initial=a[-1])][1:],
    )


def _exponential() -> Transform:
    return Transform(
        "exponential", lambda _: "b(n) = a(n)/n!",
        lambda a, start: None if not 0 <= start <= LAST_FACTORIAL else _part(
            [Fraction(t) / factorial(n) for n, t in enumerate(a, start)], start),
        lambda a, start, parts, k: [simple(parts[0][m] * factorial(start + m)) for m in range(len(a), len(a) + k)],
    )


def signs(terms: Sequence[Term]) -> tuple[int, ...] | None:
    """The shortest pattern of signs, of period at most 4, that the non-zero terms follow; None where there is none or all are +.

    >>> signs([1, -2, 3, -4, 0, -6]), signs([1, 2, 3])
    ((1, -1), None)
    """
    for period in range(1, MOST_PERIOD + 1):
        found = [{1 if t > 0 else -1 for t in terms[j::period] if t} for j in range(period)]
        if all(len(s) <= 1 for s in found) and 2 * period <= len(terms):
            pattern = tuple(next(iter(s), 1) for s in found)
            return pattern if -1 in pattern else None
    return None


def _sign_pattern() -> Transform:
    return Transform(
        "signs", lambda _: "b(n) = |a(n)|",
        lambda a, start: _part([abs(t) for t in a], start) if signs(a) else None,
        lambda a, _, parts, k: [(signs(a) or (1,))[m % len(signs(a) or (1,))] * parts[0][m] for m in range(len(a), len(a) + k)],
    )


def _interlaced(period: int) -> Transform:
    def split(a: Sequence[Term], start: int) -> list[Part] | None:
        if len(a) < LEAST_PART * period:
            return None
        return [Part(f"b_{j}", tuple(a[j::period]), 0, lambda k, j=j: j + period * k) for j in range(period)]

    def join(a: Sequence[Term], start: int, parts: list[Terms], k: int) -> Terms:
        return [parts[m % period][m // period] for m in range(len(a), len(a) + k)]

    def definition(start: int) -> str:
        index = f"{period}*n + {start} + j" if start else f"{period}*n + j"
        return f"b_j(n) = a({index}), j = 0 ... {period - 1}"

    return Transform(f"interlaced {period}", definition, split, join)


TRANSFORMS: tuple[Transform, ...] = (
    _sign_pattern(), _differences(), _sums(), _ratios(), _exponential(), *(_interlaced(m) for m in range(2, MOST_PERIOD + 1)))
