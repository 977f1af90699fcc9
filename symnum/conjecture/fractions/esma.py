"""Signed interlaced continued fractions of a constant: the algorithm ESMA.

For every Möbius image y = (a + b·x)/(c + d·x) of the constant x with small integers and every periodic sequence of signs the signed
regular continued fraction of y is written down as far as the ball of x fixes it; where its terms obey a short linear recurrence, they
are polynomials on residue classes, and y has a closed form: Euler's e = [2; 1, 2, 1, 1, 4, 1, …] is one. O. Razon, Y. Harris, S. Gottlieb,
D. Carmon, O. David, I. Kaminer, "Automated search for conjectures on mathematical constants using analysis of integer sequences",
ICML 2023, arXiv:2212.09470. Only constants of the type of e have such fractions (and square roots, whose terms are periodic).

A formula is kept where all terms known obey it, and where its own limit, enclosed with a proven bound, agrees with y to more digits than
its numbers can absorb. It remains a conjecture: that the agreement goes on for ever is not shown. Fractions that were published
before are marked with their source.
"""

import csv
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from flint import arb, ctx

from symnum.conjecture.fractions.images import Moebius, image_latex, image_text, images
from symnum.numbers import lfsr
from symnum.numbers.formula import GUARD
from symnum.numbers.lattice import refuse_rational
from symnum.numbers.ledger import Ledger
from symnum.numbers.real import Real
from symnum.numbers.relation import needed_digits
from symnum.numbers.signed_fraction import SignedFraction, interlaced, quotients, sign_sequences

SPARE = 8  # terms beyond those that fix a recurrence
DIGITS_PER_TERM = 6  # read from the constant: terms up to a thousand
LEAST_DIGITS = 40  # fewer carry no formula
STEP = 16  # images of the constant per step of the ledger
MAX_DEPTH = 2000


@dataclass(frozen=True)
class EsmaHit:
    """A formula: an image of the constant and its continued fraction.

    Attributes:
        constant: the constant as it was given.
        image: (a, b, c, d) of (a + b·x)/(c + d·x).
        fraction: its continued fraction in closed form.
        order: of the linear recurrence that its terms obey.
        terms: how many of them were seen.
        digits: to which the limit of the formula agrees with the constant, both as balls.
        needed: digits that the acceptance rule asks for.
        tails: how many further formulas of the run have the same fraction from some terms on.
        source: where the fraction was published before, where that is known.
    """

    constant: str
    image: Moebius
    fraction: SignedFraction
    order: int
    terms: int
    digits: int
    needed: int
    tails: int = 0
    source: str = ""

    @property
    def status(self) -> str:
        return "known" if self.source else "conjecture"

    @property
    def lhs(self) -> str:
        """The image as a formula."""
        return image_text(self.image, self.constant)

    @property
    def text(self) -> str:
        """The formula in one line."""
        return f"{self.lhs} = {self.fraction.text} where {self.fraction.closed_form}"

    @property
    def latex(self) -> str:
        """The formula in LaTeX."""
        return f"{image_latex(self.image, self.constant)} = {self.fraction.latex}"

    def to_dict(self) -> dict[str, Any]:
        """The formula as JSON values; `EsmaHit.from_dict` reads it back."""
        cycle = [[str(c) for c in p] for p in self.fraction.cycle]
        return {
            "constant": self.constant, "lhs": self.lhs, "formula": self.text, "image": list(self.image), "signs": list(self.fraction.signs),
            "prefix": list(self.fraction.prefix), "cycle": cycle, "order": self.order, "terms": self.terms, "digits": self.digits,
            "needed": self.needed, "tails": self.tails, "status": self.status, "source": self.source,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "EsmaHit":
        """A formula from `to_dict`."""
        cycle = tuple(tuple(int(c) if "/" not in c else Fraction(c) for c in p) for p in data["cycle"])
        fraction = SignedFraction(tuple(data["signs"]), tuple(data["prefix"]), cycle)
        a, b, c, d = data["image"]
        return cls(data["constant"], (a, b, c, d), fraction, data["order"], data["terms"], data["digits"], data["needed"], data["tails"],
                   data["source"])


@dataclass(frozen=True)
class EsmaRun:
    """What a search found.

    Attributes:
        constant: as it was given.
        formulas: every pair of an image and a sign sequence that has a closed form, in the order of the search.
        pairs: how many pairs were looked at.
        searched: the domain and the outcome in words.
        seconds: that the search took.
    """

    constant: str
    formulas: tuple[EsmaHit, ...]
    pairs: int
    searched: str
    seconds: float

    @cached_property
    def hits(self) -> tuple[EsmaHit, ...]:
        """One formula of each family, the shortest, shortest first: formulas whose fractions end alike say the same."""
        families: dict[tuple, list[EsmaHit]] = {}
        for formula in self.formulas:
            families.setdefault(formula.fraction.family, []).append(formula)
        best = [replace(min(family, key=_length), tails=len(family) - 1) for family in families.values()]
        return tuple(sorted(best, key=_length))

    def to_dict(self) -> dict[str, Any]:
        """The run as JSON values."""
        return {"constant": self.constant, "searched": self.searched, "pairs": self.pairs, "formulas": len(self.formulas),
                "seconds": round(self.seconds, 3), "hits": [hit.to_dict() for hit in self.hits]}


def _length(hit: EsmaHit) -> int:
    return len(hit.lhs) + len(hit.fraction.closed_form)


def conjecture_esma(constant: str = "e", *, max_coefficient: int = 2, sign_period: int = 4, depth: int = 72,
                    digits: int = 200, out: str | Path | None = None, resume: bool = False,
                    progress: Callable[[int, int, int], None] | None = None) -> EsmaRun:
    """Signed interlaced continued fractions of the images of a constant.

    Args:
        constant: a formula such as "tan(1)", or a decimal number of at least 40 digits.
        max_coefficient: of the images (a + b·x)/(c + d·x).
        sign_period: the longest period of the signs.
        depth: how many terms of each fraction are read, fewer where the digits do not fix as many; recurrences up to a quarter of it
            are found.
        digits: to which the limit of each formula is compared with the constant.
        out: a folder for the ledger of the run.
        resume: go on with the run that is there.
        progress: called with the number of images done, of all images, and of the formulas so far.

    Raises:
        ValueError: the constant is unknown, rational or carries too few digits, or a limit is out of range.
        OSError: the folder cannot be written.

    >>> run = conjecture_esma("e", max_coefficient=1, sign_period=1)
    >>> print(run.formulas[0].text)
    e = 2 + 1/(1 + 1/(2 + 1/(1 + 1/(1 + ...)))) where a(0) = 2, a(3k+1) = a(3k+3) = 1, a(3k+2) = 2k + 2, b = +
    >>> print(run.hits[0].text)
    (1 + e)/(e - 1) = 2 + 1/(6 + 1/(10 + 1/(14 + 1/(18 + ...)))) where a(k) = 4k + 2, b = +
    """
    begun = time.perf_counter()
    _check(max_coefficient, depth, digits)
    signs = sign_sequences(sign_period)
    task = _Task(Real.read(constant), signs, depth, digits, max_coefficient)
    domain = {"constant": task.name, "max_coefficient": max_coefficient, "sign_period": sign_period, "depth": depth, "digits": digits}
    found: list[EsmaHit] = []
    with ExitStack() as stack:
        ledger = stack.enter_context(Ledger.open(out, "esma", domain, resume)) if out is not None else None
        if ledger is not None and ledger.cursor is not None:
            found = [EsmaHit.from_dict(row["data"]) for row in Ledger.read(out).candidates()] if out is not None else []
        start = (ledger.cursor or 0) if ledger is not None else 0
        for first in range(start, len(task.images), STEP):
            images = task.images[first: first + STEP]
            new = list(task.search(images))
            if ledger is not None:
                _store(ledger, task, new, found, first + len(images), len(images) * len(signs))
            found += new
            if progress is not None:
                progress(first + len(images), len(task.images), len(found))
        pairs = len(task.images) * len(signs)
        run = EsmaRun(task.name, tuple(found), pairs, "", time.perf_counter() - begun)
        outcome = f"{len(run.hits)} families, {len(found)} formulas" if found else "nothing"
        searched = (f"(a + b x)/(c + d x), x = {task.name}, coefficients up to {max_coefficient}, signs of period up to {sign_period}, "
                    f"{depth} terms, recurrences of order up to {task.most}: {outcome}")
        if ledger is not None and not ledger.finished:
            ledger.finish(searched)
    return replace(run, searched=searched)


def _check(max_coefficient: int, depth: int, digits: int) -> None:
    limits = (("max_coefficient", max_coefficient, 1, 20), ("depth", depth, 16, MAX_DEPTH), ("digits", digits, LEAST_DIGITS, 10_000))
    for name, value, low, high in limits:
        if not low <= value <= high:
            msg = f"{name} between {low} and {high} was required, got {value}"
            raise ValueError(msg)


class _Task:
    """A constant, and what is to be looked at."""

    def __init__(self, real: Real, signs: list[tuple[int, ...]], depth: int, digits: int, max_coefficient: int):
        self.signs, self.depth, self.most, self.name = signs, depth, depth // 4, real.text
        if real.digits < LEAST_DIGITS:
            msg = f"a formula or at least {LEAST_DIGITS} digits were required, got {real.text} with {real.digits}; fewer carry no formula"
            raise ValueError(msg)
        self.digits = int(min(digits, real.digits))
        self.x = real.ball(max(DIGITS_PER_TERM * depth, self.digits + 10))
        self.low, self.high, self.denominator = _ends(self.x)
        refuse_rational(self.x, real.text)
        self.images = images(max_coefficient, self.x)

    def search(self, batch: Sequence[Moebius]) -> Iterator[EsmaHit]:
        """The formulas of some images."""
        pairs = [(image, signs) for image in batch for signs in self.signs]
        rows = [self._terms(image, signs) for image, signs in pairs]
        lengths = np.array([min(len(row), 4 * self.most) for row in rows])
        table = np.zeros((len(rows), max(lengths, default=0)), np.int64)
        for i, row in enumerate(rows):
            table[i, : lengths[i]] = [a % lfsr.PRIME for a in row[: lengths[i]]]
        orders, connections = lfsr.shortest(table, lengths, self.most)
        for i in np.flatnonzero((orders >= 0) & (2 * orders + SPARE <= lengths)):
            hit = self._formula(*pairs[i], rows[i], lfsr.lifted(connections[i, : orders[i] + 1]))
            if hit is not None:
                yield hit

    def _terms(self, image: Moebius, signs: tuple[int, ...]) -> list[int]:
        a, b, c, d = image
        ends = []
        for x in (self.low, self.high):
            p, q = a * self.denominator + b * x, c * self.denominator + d * x
            ends.append((p, q) if q > 0 else (-p, -q))
        return quotients(*ends, signs, self.depth)

    def _formula(self, image: Moebius, signs: tuple[int, ...], terms: list[int], connection: tuple[int, ...]) -> EsmaHit | None:
        if not lfsr.holds(connection, terms):
            return None
        fraction = interlaced(terms, signs, connection)
        if fraction is None or not fraction.semiregular:
            return None
        a, b, c, d = image
        with ctx.workprec(math.ceil(self.digits * math.log2(10)) + GUARD):
            difference = (a + b * self.x) / (c + d * self.x) - fraction.ball(self.digits)
            if not difference.contains(0):
                return None
        numbers = [part for n in fraction.numbers for part in (n.numerator, n.denominator) if part != 1]
        needed = needed_digits(len(numbers) + 4, max(map(abs, (*numbers, *image))), len(self.images) * len(self.signs))
        if self.digits < needed:
            return None
        source = sources().get(fraction.closed_form, "")
        return EsmaHit(self.name, image, fraction, len(connection) - 1, len(terms), self.digits, needed, source=source)


@cache
def sources() -> dict[str, str]:
    """Where fractions were published before, by their closed form; looked at only after a formula has been found."""
    with files("symnum.data").joinpath("known", "esma.csv").open(encoding="utf-8") as file:
        return {row["fraction"]: row["source"] for row in csv.DictReader(file)}


def _ends(x: arb) -> tuple[int, int, int]:
    """Integers (p, r, q) with x between p/q and r/q, both ends proven."""
    with ctx.workprec(max(64, int(x.mid().bits()) + 64)):
        (p, i), (r, j) = ((int(m), int(e)) for m, e in (x.lower().man_exp(), x.upper().man_exp()))
    least = min(i, j, 0)
    return p << (i - least), r << (j - least), 1 << -least


def _store(ledger: Ledger, task: _Task, new: list[EsmaHit], before: list[EsmaHit], cursor: int, pairs: int) -> None:
    """One step: every formula as a candidate, the first of each family as a relation."""
    families = {hit.fraction.family for hit in before}
    with ledger.step(cursor) as step:
        step.count("pairs", pairs)
        step.count("formulas", len(new))
        for hit in new:
            a, b, c, d = hit.image
            key = f"{a},{b},{c},{d}|{''.join('+-'[s < 0] for s in hit.fraction.signs)}"
            step.candidate(key, hit.to_dict(), hit.lhs)
            if hit.fraction.family in families:
                continue
            families.add(hit.fraction.family)
            limit = hit.fraction.ball(hit.digits)
            basis = ["1", hit.constant, "F", f"F*({hit.constant})"]  # F: the value of the fraction
            step.relation(key, hit.text, [a, b, -c, -d], basis, hit.digits, hit.needed, limit.str(hit.digits),
                          status=hit.status, source=hit.source)
