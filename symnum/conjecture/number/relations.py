"""Integer relations between a number and the known ones: algebraic numbers, Möbius forms, sums over bases, power products.

Every method proposes; nothing is claimed here. A `Proposal` says what was found and among how many it was chosen, from which
`symnum.conjecture.number.identify` works out how many digits a claim would need. All numbers of a lattice are scaled to whole numbers by
one power of two, fixed by how many bits after the point the number itself carries.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache, partial
from itertools import combinations

from flint import arb, ctx

from symnum.conjecture.number import known_values as known
from symnum.conjecture.number.texts import minimal_factor, polynomial, power_product, quotient, radicals
from symnum.numbers.relation import LEAST_DIGITS, common_digits, first_row, integer_relations

SEARCH_BITS = 184  # 55 digits: enough for every search; the rest of the digits confirm
STEP = 64  # tables are kept at multiples of so many bits and cut to what is needed
LIKELY = 0.1  # proposals of which so many are expected by chance are not made
LEAST_BITS = 8  # after the point, for relations with numbers of ordinary size
DEGREES = (1, 2, 3, 4, 5, 6, 8, 10, 12)
MOST_POWER = 1000  # in power products
LARGE = 40  # log₂ of where sums with numbers of ordinary size say nothing any more


@dataclass(frozen=True, slots=True)
class Proposal:
    """A formula for the number that holds on the digits that were searched.

    Attributes:
        formula: closed form; empty where only the equation is known.
        equation: (lhs, rhs) in x.
        method: in words.
        terms: coefficients that are not 0.
        height: the largest of them.
        choices: how many sets of numbers, with their supports, it was chosen from.
        count: instead of the three above, how many formulas are at most as complex; 0 for a relation.
    """

    formula: str
    equation: tuple[str, str]
    method: str
    terms: int = 1
    height: int = 1
    choices: float = 1.0
    count: float = 0.0

    @property
    def weight(self) -> float:
        """log₁₀ of how many formulas of this kind are at most as complex."""
        if self.count:
            return math.log10(self.count)
        return math.log10(self.choices) + self.terms * math.log10(2 * self.height + 1)


@dataclass(frozen=True, slots=True)
class Target:
    """A number as the searches see it.

    Attributes:
        value: its ball.
        bits: bits after the point that are used.
        digits: significant decimal digits in use.
        inverse: a text that gives the number from that of a formula for `value`, such as "exp({})": the number was transformed.
        solved: the text of the transformed number in x.
    """

    value: arb
    bits: int
    digits: float
    inverse: str = "{}"
    solved: str = "x"

    @classmethod
    def of(cls, value: arb, most: int = SEARCH_BITS) -> "Target":
        """The number behind a ball; at most `most` bits after the point are searched, or after its first digit where it is small."""
        size, radius = _log2(abs(value).abs_upper()), _log2(arb(value.rad()))  # floats would overflow
        carried = math.floor(-radius) - 1 if radius > -math.inf else most + STEP
        bits = min(carried, most + max(0, math.ceil(-size)))
        return cls(value, bits, max(0.0, (bits + size) * math.log10(2)))

    def fixed(self, number: arb | None = None) -> int:
        """A number (itself by default) scaled to a whole one."""
        return known.fixed(self.value if number is None else number, self.bits)

    def table(self, which: str) -> Iterator[tuple[str, int]]:
        """(text, scaled value) of a table of known numbers."""
        kept = self._kept
        return ((t, c >> (kept - self.bits)) for t, c in known.scaled(which, kept))

    @property
    def _kept(self) -> int:
        return STEP * max(1, math.ceil(self.bits / STEP))

    def known(self, text: str) -> arb:
        """A known number, good to the bits that are used."""
        return known.value(text, self._kept)

    @property
    def ordinary(self) -> bool:
        """Whether sums with numbers of ordinary size can say anything of the number."""
        return self.bits >= LEAST_BITS and abs(_log2(abs(self.value).abs_upper())) < LARGE

    @property
    def searched(self) -> int:
        """Decimal digits that the searches use."""
        return int(self.digits)

    def propose(self, row: Sequence[int], choices: float, method: str, write: Callable[[], str]) -> Iterator[Proposal]:
        """The proposal of a relation, unless chance would give one; `choices` counts sets of numbers, supports are counted here."""
        terms = sum(map(bool, row))
        made = Proposal("", ("", ""), method, terms, max(map(abs, row)), choices * math.comb(len(row), terms))
        if made.weight - self.digits <= math.log10(LIKELY):
            text = write()
            yield replace(made, formula=self.inverse.format(text), equation=(self.solved, text))


def _log2(x: arb) -> float:
    return float((x.log() / arb(2).log()).mid()) if x > 0 else -math.inf


def _small(row: Sequence[int], size: int = 8) -> bool:
    """Whether the sum of a row is what the rounding of its numbers leaves."""
    *c, rest = row
    return abs(rest) <= size * sum(map(abs, c))


# one known number ---------------------------------------------------------------------------------------------------------
def mobius(target: Target, tables: Sequence[str], choices: float, method: str) -> Iterator[Proposal]:
    """x = (αc + β)/(γc + δ), c in the tables: LLL on {xc, x, c, 1}."""
    x, one, bits = target.fixed(), 1 << target.bits, target.bits
    total = choices * sum(len(known.scaled(t, STEP)) for t in tables)
    for table in tables:
        for text, c in target.table(table):
            row = first_row([(x * c) >> bits, x, c, one])
            gamma, delta, alpha, beta, _ = row
            if gamma * beta != delta * alpha and _small(row):
                above, below = [(-alpha, text), (-beta, "1")], [(gamma, text), (delta, "1")]
                yield from target.propose(row[:-1], total, method, partial(quotient, above, below))


def two_constants(target: Target, choices: float) -> Iterator[Proposal]:
    """x = (α + βa + γb)/(δ + εa + ζb), a and b core constants."""
    x, bits = target.fixed(), target.bits
    table, one = list(target.table("core")), 1 << target.bits
    total = choices * math.comb(len(table), 2)
    for (s, a), (t, b) in combinations(table, 2):
        row = first_row([one, a, b, x, (x * a) >> bits, (x * b) >> bits])
        if _independent(row[:3], row[3:6]) and _small(row):
            names = ("1", s, t)
            above, below = ([(sign * c, n) for c, n in zip(part, names, strict=True)] for sign, part in ((-1, row[:3]), (1, row[3:6])))
            yield from target.propose(row[:6], total, "rational form in two constants", partial(quotient, above, below))


def _independent(a: Sequence[int], b: Sequence[int]) -> bool:
    return any(p * s != q * r for (p, r), (q, s) in combinations(zip(a, b, strict=True), 2))


# rational and algebraic numbers -----------------------------------------------------------------------------------------------
def algebraic(target: Target, degrees: Sequence[int] = DEGREES, choices: float = len(DEGREES),
              digits: int | None = None) -> Iterator[Proposal]:
    """The number as a root of an integer polynomial, in radicals where they are short."""
    for degree in degrees:
        powers = [target.value ** k for k in range(degree + 1)]
        if common_digits(powers) < LEAST_DIGITS:
            return
        for relation in integer_relations(powers, digits or target.searched, most=1):
            c = minimal_factor(relation.coefficients, target.value)
            if c is None or c[0] == 0:
                continue
            method = "rational number" if len(c) == 2 else f"algebraic number of degree {len(c) - 1}"
            method += "" if target.solved == "x" else f" as {target.solved}"
            made = list(target.propose(c, choices, method, str))
            yield from dict.fromkeys(_as_root(target, c, p, closed) for p in made for closed in (True, len(c) < 4))
            if made:
                return


def _as_root(target: Target, c: tuple[int, ...], proposal: Proposal, closed: bool) -> Proposal:
    """In radicals, if that is wanted and short, or as an equation."""
    text = radicals(c, target.value)
    if text and closed:
        return replace(proposal, formula=target.inverse.format(text), equation=(target.solved, text))
    return replace(proposal, formula="", equation=(polynomial(c).replace("x", f"({target.solved})" if target.solved != "x" else "x"), "0"))


# sums and products over bases -----------------------------------------------------------------------------------------------
def linear(target: Target, bases: dict[str, tuple[str, ...]], choices: float, digits: int | None = None) -> Iterator[Proposal]:
    """x = Σ qᵢbᵢ over each basis."""
    for name, basis in bases.items():
        values = [target.value, *(target.known(b) for b in basis)]
        for relation in _relations(values, digits or target.searched):
            c0, *c = relation
            above = [(-k, b) for k, b in zip(c, basis, strict=True)]
            yield from target.propose(relation, choices * len(bases), f"sum over {name}", partial(quotient, above, [(c0, "1")]))


def _relations(values: Sequence[arb], digits: int) -> list[tuple[int, ...]]:
    """The shortest relation in which the first number takes part, if there is one."""
    if common_digits(values) < LEAST_DIGITS:
        return []
    return [r.coefficients for r in integer_relations(values, digits) if r.coefficients[0]][:1]


def products(target: Target, bases: dict[str, tuple[str, ...]], choices: float, digits: int | None = None) -> Iterator[Proposal]:
    """|x| = Π bᵢ^qᵢ over each basis, by logarithms."""
    with_log = _logarithm(target)
    for name, basis in bases.items():
        values = [with_log.value, *(_log(b, with_log._kept) for b in basis)]
        for relation in _relations(values, digits or target.searched):
            c0, *c = relation
            if max(map(abs, c)) <= MOST_POWER:
                powers = [(b, Fraction(-k, c0)) for k, b in zip(c, basis, strict=True) if k]
                yield from target.propose(relation, choices * len(bases), f"product over {name}", partial(_signed, target, powers))


def _logarithm(target: Target) -> Target:
    return Target.of(abs(target.value).log(), max(SEARCH_BITS, target.bits))


@lru_cache(8192)
def _log(text: str, bits: int) -> arb:
    with ctx.workprec(bits + 64):
        return abs(known.value(text, bits)).log()


@lru_cache(32)
def _scaled_logs(table: str, bits: int) -> tuple[tuple[str, int], ...]:
    with ctx.workprec(bits + 64):
        return tuple((t, known.fixed(_log(t, bits), bits)) for t, _ in known.scaled(table, bits))


def products_with(target: Target, table: str, choices: float) -> Iterator[Proposal]:
    """|x| = f^q · 2^a 3^b π^c e^d for each number f of a table."""
    y = _logarithm(target)
    base, kept = ("2", "3", "pi", "e"), y._kept
    fixed = [y.fixed(), *(y.fixed(_log(b, kept)) for b in base)]
    entries = _scaled_logs(table, kept)
    for text, c in entries:
        row = first_row([c >> (kept - y.bits), *fixed])
        f, x, *rest, _ = row
        if x and f and max(map(abs, row)) <= MOST_POWER and _small(row):
            powers = [(text, Fraction(-f, x)), *((b, Fraction(-k, x)) for k, b in zip(rest, base, strict=True) if k)]
            yield from target.propose(row[:-1], choices * len(entries), "product with a function value", partial(_signed, target, powers))




def exponentials(target: Target, tables: Sequence[str], choices: float) -> Iterator[Proposal]:
    """|x| = 2^a · exp(q + r·c), c in the tables."""
    y = _logarithm(target)
    x, one, two = y.fixed(), 1 << y.bits, y.fixed(_log("2", y._kept))
    total = choices * sum(len(known.scaled(t, STEP)) for t in tables)
    for table in tables:
        for text, c in y.table(table):
            row = first_row([x, c, one, two])
            k, r, q, a, _ = row
            if k and r and max(map(abs, row)) <= MOST_POWER and _small(row):
                exponent = partial(quotient, [(-r, text), (-q, "1")], [(k, "1")])
                yield from target.propose(row[:-1], total, "exponential", partial(_exponential, target, Fraction(-a, k), exponent))


def _exponential(target: Target, two: Fraction, exponent: Callable[[], str]) -> str:
    return _signed(target, [*([("2", two)] if two else []), (f"exp({exponent()})", Fraction(1))])


def _signed(target: Target, powers: list[tuple[str, Fraction]]) -> str:
    """The product with the sign of the number; a negative base is turned where its power is broken."""
    negative, out = bool(target.value < 0), []
    for text, q in powers:
        below = known.value(text, STEP) < 0 if text[-1] == ")" and not text.startswith("exp(") else False
        negative ^= bool(below and q.denominator == 1 and q.numerator % 2)
        out.append((f"(-{text})" if below and q.denominator > 1 else text, q))
    return ("-" if negative else "") + power_product(out)


# the number behind a function ---------------------------------------------------------------------------------------------------
# name, text in x, its value over balls, inverse, where it may be used
Transform = tuple[str, Callable[[arb], arb], str, Callable[[arb], bool]]
TRANSFORMS: tuple[Transform, ...] = (
    ("x^2", lambda x: x * x, "sqrt({})", lambda x: x > 0),
    ("x^2", lambda x: x * x, "-sqrt({})", lambda x: x < 0),
    ("exp(x)", lambda x: x.exp(), "log({})", lambda x: abs(x) < 50),
    ("log(x)", lambda x: x.log(), "exp({})", lambda x: x > 0),
    ("tan(x)", lambda x: x.tan(), "atan({})", lambda x: abs(x) < 1.57),
    ("sin(x)", lambda x: x.sin(), "asin({})", lambda x: abs(x) < 1.57),
    ("cos(x)", lambda x: x.cos(), "acos({})", lambda x: 0 < x < 3.14),
    ("tan(pi*x)", lambda x: (x * arb.pi()).tan(), "atan({})/pi", lambda x: abs(x) < 0.49),
    ("cos(pi*x)", lambda x: (x * arb.pi()).cos(), "acos({})/pi", lambda x: 0 < x < 1),
    ("(log(x)/pi)^2", lambda x: (x.log() / arb.pi()) ** 2, "exp(pi*sqrt({}))", lambda x: x > 1),
    ("(log(x)/pi)^2", lambda x: (x.log() / arb.pi()) ** 2, "exp(-pi*sqrt({}))", lambda x: 0 < x < 1),
    ("exp(pi*x)", lambda x: (x * arb.pi()).exp(), "log({})/pi", lambda x: abs(x) < 20),
)


def transformed(target: Target) -> Iterator[Target]:
    """The number behind each function whose inverse is a formula."""
    most = max(SEARCH_BITS, target.bits) if target.ordinary else SEARCH_BITS  # exp of a tiny number is known far too well
    for text, forward, inverse, fits in TRANSFORMS:
        if fits(target.value):
            value = forward(target.value)
            if value.is_finite() and not value.contains(0):
                image = replace(Target.of(value, most), inverse=inverse, solved=text)
                if image.ordinary:
                    yield image


def behind_functions(target: Target) -> Iterator[Proposal]:
    """f(x) rational, algebraic of degree ≤ 4 or a Möbius form of a core constant, f among `TRANSFORMS`."""
    for image in transformed(target):
        yield from algebraic(image, (1, 2, 3, 4), len(DEGREES) * len(TRANSFORMS))
        yield from mobius(image, ("core",), len(TRANSFORMS), f"Möbius form of {image.solved}")
