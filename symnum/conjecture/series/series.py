"""Series for a constant: BBP-type and binomial ones, by lattice reduction over the digits of the sums they are made of.

For every basis of sums (`numbers.bbp_sums`, `numbers.binomial_sums`) the integer relations of √d·x, 1 and the sums are looked for. Those
among the sums alone (null relations) are told apart, reported, and used to write the formula as short as they allow. A formula is
kept where the digits carry it by the rule of the house, the number of bases counted in, and where it holds to twice the digits.

D. H. Bailey, "A compendium of BBP-type formulas for mathematical constants", 2000 (revised 2023); S. Ramanujan, "Modular equations and
approximations to π", Quart. J. Math. 45, 1914; R. Apéry, Astérisque 61, 1979; J. Guillera, Exp. Math. 12, 2003,
doi:10.1080/10586458.2003.10504518.
"""

import csv
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from flint import arb, ctx

from symnum.conjecture.series.domain import BBP_BASES, BBP_LENGTHS, BBP_POWERS, bbp_bases, binomial_bases
from symnum.conjecture.series.hit import Basis, NullRelation, SeriesHit
from symnum.numbers.bbp_sums import BbpBasis
from symnum.numbers.evidence import code_bits
from symnum.numbers.formula import GUARD
from symnum.numbers.lattice import Sums, Vector, primitive, refuse_rational, shortest, split
from symnum.numbers.ledger import Ledger
from symnum.numbers.real import Real
from symnum.numbers.relation import needed_digits

KINDS = ("bbp", "binomial", "all")
HEIGHT = 100_000  # coefficients up to about this size are within reach of the digits that are used
LEAST_DIGITS = 40  # fewer carry no formula
STEP = 50  # bases per step of the ledger
SURDS = (1, 2, 3)


@dataclass(frozen=True)
class SeriesRun:
    """What a search found.

    Attributes:
        constant: as it was given.
        hits: the formulas, shortest first.
        null: the relations of the sums among themselves.
        bases: how many bases of sums were looked at.
        searched: the domain and the outcome in words.
        seconds: that the search took.
    """

    constant: str
    hits: tuple[SeriesHit, ...]
    null: tuple[NullRelation, ...]
    bases: int
    searched: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The run as JSON values."""
        shown = [n.to_dict() for n in self.null if n.basis.kind == "bbp"]  # those of binomials are telescoping sums, thousands of them
        return {"constant": self.constant, "searched": self.searched, "bases": self.bases, "seconds": round(self.seconds, 3),
                "hits": [h.to_dict() for h in self.hits], "null_relations": shown, "null_relations_all": len(self.null)}


def conjecture_series(constant: str, kind: str = "all", *, bases: Sequence[int] = BBP_BASES, lengths: Sequence[int] = BBP_LENGTHS,
                      powers: Sequence[int] = BBP_POWERS, surds: Sequence[int] = SURDS, out: str | Path | None = None,
                      resume: bool = False, progress: Callable[[int, int, int], None] | None = None) -> SeriesRun:
    """Series for a constant.

    Args:
        constant: a formula such as "zeta(3)", or a decimal number of at least 40 digits.
        kind: "bbp": Σ b^−k Σ_j A_j/(nk + j)^s; "binomial": Σ of binomial coefficients times polynomials over powers; "all".
        bases, lengths, powers: the b, n and s of BBP-type series.
        surds: series are looked for √d times the constant, d among these.
        out: a folder for the ledger of the run.
        resume: go on with the run that is there.
        progress: called with the number of bases done, of all bases, and of the formulas so far.

    Raises:
        ValueError: the constant is unknown, rational or carries too few digits, or a range is empty or impossible.
        OSError: the folder cannot be written.

    >>> run = conjecture_series("pi", "bbp", bases=[16], lengths=[8], powers=[1], surds=[1])
    >>> print(run.hits[0].text)
    pi = sum(k>=0) 16^-k (4/(8k+1) - 2/(8k+4) - 1/(8k+5) - 1/(8k+6))
    >>> print(run.null[0].text)
    0 = sum(k>=0) 16^-k (-8/(8k+1) + 8/(8k+2) + 4/(8k+3) + 8/(8k+4) + 2/(8k+5) + 2/(8k+6) - 1/(8k+7))
    """
    begun = time.perf_counter()
    real = Real.read(constant)
    domain = {"constant": real.text, "kind": kind, "bases": sorted(bases), "lengths": sorted(lengths), "powers": sorted(powers),
              "surds": sorted(surds)}
    every = _bases(kind, bases, lengths, powers)
    search = _Search(real, sorted(set(surds)), len(every))
    with ExitStack() as stack:
        ledger = stack.enter_context(Ledger.open(out, "series", domain, resume)) if out is not None else None
        first = 0
        if ledger is not None and out is not None and ledger.cursor is not None:
            first = ledger.cursor
            search.recall(Ledger.read(out).candidates())
        for start in range(first, len(every), STEP):
            batch = every[start: start + STEP]
            hits, null = len(search.hits), len(search.null)
            for basis in batch:
                search.look(basis)
            if ledger is not None:
                _store(ledger, search.hits[hits:], search.null[null:], start + len(batch), len(batch))
            if progress is not None:
                progress(start + len(batch), len(every), len(search.hits))
        found = f"{len(search.hits)} formulas, {len(search.null)} null relations"
        searched = f"{_words(kind, bases, lengths, powers)} for {real.text} times sqrt({', '.join(map(str, surds))}): " + (
            found if search.hits else f"nothing, {len(search.null)} null relations")
        if ledger is not None and not ledger.finished:
            ledger.finish(searched)
    hits = tuple(sorted(search.hits, key=lambda h: code_bits(h.vector)))
    return SeriesRun(real.text, hits, tuple(search.null), len(every), searched, time.perf_counter() - begun)


def _bases(kind: str, bases: Sequence[int], lengths: Sequence[int], powers: Sequence[int]) -> list[Basis]:
    if kind not in KINDS:
        msg = f"a kind among {', '.join(KINDS)} was required, got {kind!r}"
        raise ValueError(msg)
    found: list[Basis] = []
    if kind != "binomial":
        found += bbp_bases(bases, lengths, powers)
    if kind != "bbp":
        found += binomial_bases()
    return found


def _words(kind: str, bases: Sequence[int], lengths: Sequence[int], powers: Sequence[int]) -> str:
    largest = (max(map(abs, values), default=0) for values in (bases, lengths, powers))
    bbp = "BBP-type sums with |b| up to {}, n up to {}, s up to {}".format(*largest)
    return {"bbp": bbp, "binomial": "binomial sums", "all": f"{bbp}, and binomial sums"}[kind]


class _Search:
    """A constant, and what has been found for it."""

    def __init__(self, real: Real, surds: Sequence[int], bases: int):
        if not surds or min(surds) < 1 or any(d % (p * p) == 0 for d in surds for p in range(2, math.isqrt(d) + 1)):
            msg = f"squarefree integers of 1 or more were required for the surds, got {list(surds)}"
            raise ValueError(msg)
        if real.digits < LEAST_DIGITS:
            msg = f"a formula or at least {LEAST_DIGITS} digits were required, got {real.text} with {real.digits}; fewer carry no formula"
            raise ValueError(msg)
        self.real, self.surds, self.choices = real, surds, bases * len(surds)
        self.hits: list[SeriesHit] = []
        self.null: list[NullRelation] = []
        self._balls: dict[tuple[int, int], arb] = {}
        first = real.ball(int(min(100, real.digits)))
        refuse_rational(first, real.text)
        self._whole = max(0, math.ceil(float(abs(first).log() / arb(10).log()))) + 1  # digits before the point, roots of d included
        self.places = real.digits - self._whole  # known after the point

    def recall(self, rows: Iterator[dict[str, Any]]) -> None:
        """Take up what an earlier sitting found."""
        for row in rows:
            data = row["data"]
            if "constant" in data:
                self.hits.append(SeriesHit.from_dict(data))
            else:
                self.null.append(NullRelation.from_dict(data))

    def number(self, surd: int, digits: int) -> arb:
        """√d · x to that many digits after the point, where it has them."""
        key = (surd, digits)
        if key not in self._balls:
            with ctx.workprec(math.ceil((digits + self._whole) * math.log2(10)) + GUARD):
                self._balls[key] = self.real.ball(digits + self._whole) * arb(surd).sqrt()
        return self._balls[key]

    def look(self, basis: Basis) -> None:
        """Look for formulas in one basis."""
        width = len(basis.labels) + (2 if basis.kind == "binomial" else 1)
        digits = int(min(needed_digits(width, HEIGHT, self.choices), self.places))
        one = [arb(1)] if basis.kind == "binomial" else []
        lattice = Sums([*one, *basis.sums(digits + 3)], digits)
        nulls: list[Vector] | None = None
        for surd in self.surds:
            relations = lattice.relations(self.number(surd, digits + 3))
            if not relations:
                continue
            own, null = split([r if one else (r[0], 0, *r[1:]) for r in relations])
            if nulls is None:
                nulls = [n for n in map(primitive, null) if self._true(basis, None, n, digits)]
                self.null += [NullRelation(basis, n[1:]) for n in nulls]
            if own is not None and any(own[2:]) and self._true(basis, surd, own, digits):
                self._add(basis, surd, shortest(own, nulls), nulls, digits)

    def _true(self, basis: Basis, surd: int | None, vector: Vector, digits: int) -> bool:
        """Whether the digits carry the relation, and it holds to twice as many, as far as the constant has them."""
        if _needed(vector, self.choices) > digits:
            return False
        again = self._again(digits) if surd is not None else 2 * digits
        with ctx.workprec(math.ceil(again * math.log2(10)) + GUARD):
            total = basis.ball(vector[2:], again) + vector[1]
            if surd is not None:
                total += vector[0] * self.number(surd, again)
            return total.contains(0)

    def _again(self, digits: int) -> int:
        """Digits to which a formula is compared that was found with `digits`: twice as many, where the constant has them."""
        return int(min(2 * digits, self.places))

    def _add(self, basis: Basis, surd: int, vector: Vector, nulls: Sequence[Vector], digits: int) -> None:
        needed = _needed(vector, self.choices)
        hit = SeriesHit(self.real.text, surd, basis, primitive(vector), self._again(digits), needed, len(nulls))
        if isinstance(basis, BbpBasis):
            older = [inflated(h, basis) for h in self.hits if isinstance(h.basis, BbpBasis) and h.surd == surd]
            if any(v is not None and code_bits(v) <= code_bits(hit.vector) for v in older):
                return
        elif any(h.surd == surd and h.basis.kind == "binomial" and h.terms(4) == hit.terms(4) for h in self.hits):
            return  # the same series in another basis
        self.hits.append(replace(hit, source=sources().get(hit.rhs, "")))


@cache
def sources() -> dict[str, str]:
    """Where series were published before, by their text; looked at only after a series has been found."""
    with files("symnum.data").joinpath("known", "series.csv").open(encoding="utf-8") as file:
        return {row["series"]: row["source"] for row in csv.DictReader(file)}


def _needed(vector: Vector, choices: int) -> int:
    return needed_digits(sum(map(bool, vector)), max(map(abs, vector)), choices)


def inflated(hit: SeriesHit, basis: BbpBasis) -> Vector | None:
    """The vector of a BBP-type formula in a larger basis: m terms taken together (b^m, nm), fractions expanded by g (n g).

    None where the formula does not fit.

    >>> hit = SeriesHit("log(2)", 1, BbpBasis(2, 1, 1), (-2, 0, 1), 50, 12)
    >>> inflated(hit, BbpBasis(4, 2, 1))
    (-4, 0, 2, 1)
    """
    b, n = hit.basis.base, hit.basis.length
    m = round(math.log(abs(basis.base), abs(b)))
    if hit.basis.power != basis.power or m < 1 or b ** m != basis.base or basis.length % (n * m):
        return None
    g = basis.length // (n * m)
    vector = [hit.vector[0] * b ** (m - 1), *(0,) * (basis.length + 1)]
    for r in range(m):
        for j, a in enumerate(hit.vector[2:], 1):
            vector[1 + g * (n * r + j)] = a * b ** (m - 1 - r) * g ** basis.power
    return primitive(vector)


def _store(ledger: Ledger, hits: Sequence[SeriesHit], null: Sequence[NullRelation], cursor: int, bases: int) -> None:
    """One step: formulas as candidates and relations, null relations as candidates."""
    with ledger.step(cursor) as step:
        step.count("bases", bases)
        step.count("formulas", len(hits))
        step.count("null relations", len(null))
        for relation in null:
            step.candidate(f"null|{relation.basis.key}|{','.join(map(str, relation.vector))}", relation.to_dict())
        for hit in hits:
            key = f"{hit.basis.key}|{hit.surd}"
            step.candidate(key, hit.to_dict(), hit.lhs)
            names = [hit.lhs, "1", *hit.basis.labels]
            step.relation(key, hit.text, hit.vector, names, hit.digits, hit.needed, hit.ball(hit.digits).str(hit.digits),
                          status=hit.status, source=hit.source)
