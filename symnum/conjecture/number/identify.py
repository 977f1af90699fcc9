"""Formulas for a number: what it could be, and whether its digits carry the claim.

    identify("2.506628274631000502415765284811").best        # sqrt(2*pi)

The methods go from the simplest formulas to the longest: rational and algebraic numbers, integer relations with known constants,
sums, power products, functions behind which such a number stands, and last the two-sided search of `symnum.search.meet`. All of one
stage are tried; the next stage is entered only where nothing was identified. Each proposal is then recomputed as a ball: to all
digits that were given (the first 1,000), or, where the number was given as an expression, to twice the digits of the search.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction

from flint import arb, ctx

from symnum.conjecture.number import known_values as known
from symnum.conjecture.number import relations
from symnum.conjecture.number.identification import CANDIDATE, IDENTIFIED, NEAR_MISS, SHOWN, Hit, Identification, ranked
from symnum.conjecture.number.near_misses import near_rationals
from symnum.conjecture.number.relations import Proposal, Target
from symnum.conjecture.number.two_sides import METHOD, TwoSides
from symnum.numbers import formula
from symnum.numbers.real import Real
from symnum.numbers.relation import MARGIN, needed_digits

EXACT_DIGITS = 100  # to which an expression is computed for the search, unless told otherwise
MOST_DIGITS = 1000  # to which hits are confirmed; formulas short enough to be found need far fewer
LEAST_DIGITS = 5
DEEP_DIGITS = 400  # to which large polynomials and sums are tried, where there are as many
DEEP_DEGREES = (16, 20, 24)
SHOWN_HITS = 3
EXPECTED = 0.3  # candidates of which chance gives more are not worth a look
STAGES = 4  # how often the choice between the methods counts: log10 of it is added to what a claim needs

Method = Callable[[], Iterable[Proposal]]


def identify(value: "str | float | int | Fraction | Real", digits: int | None = None, basis: Sequence[str] | None = None,
             grammar: "str | None" = "constants", time_limit: float = 10.0) -> Identification:
    """Formulas for a number.

    Args:
        value: digits as a text ("2.50662827463100050"), an expression ("sqrt(2*pi)"), a float (taken to carry 15 digits), an int
            or a Fraction.
        digits: how many of its digits to trust; for an expression, to how many it is computed.
        basis: formulas such as `["pi", "log(2)", "zeta(3)"]`: only sums and power products over these are tried, with 1 and
            small integers.
        grammar: of the two-sided search: a shipped one by name, a .g file, or None for none.
        time_limit: seconds; a method that has begun is finished.

    Raises:
        ValueError: not a number or a formula, fewer than 5 digits, an empty basis or one with unknown names, no such grammar.
        TypeError: neither a number nor a text.

    >>> found = identify("1.6449340668482264364724151666460252")
    >>> found.best.formula, found.best.status
    ('pi^2/6', 'identified')
    >>> identify("0.5772156649015328606065").best.digits, identify(0.7853981633974483).best.formula
    (22, 'pi/4')
    """
    real = Real.read(value)
    if not time_limit > 0:
        msg = f"a time limit above 0 s was required, got {time_limit:g}"
        raise ValueError(msg)
    if digits is not None and digits < 1:
        msg = f"at least 1 digit was required, got digits={digits}"
        raise ValueError(msg)
    carried = int(min(real.digits, digits or EXACT_DIGITS if real.exact else digits or math.inf))
    if not (real.exact and real.value is not None) and real.value != 0 and carried < LEAST_DIGITS:
        msg = (f"at least {LEAST_DIGITS} digits were required to look for a formula, and {MARGIN} or more to claim one; "
               f"got {carried} in {real.text!r}")
        raise ValueError(msg)
    if real.value is not None and (real.exact or real.value == 0):
        return _exact(real)
    return _Search(real, carried, time.monotonic() + time_limit).run(basis, grammar)


def _exact(real: Real) -> Identification:
    """An integer or a fraction is its own formula."""
    text = "0" if real.value == 0 else real.text.lstrip("+").removesuffix(".")
    hit = Hit(text, ("x", text), text, "integer" if real.value.denominator == 1 else "fraction", math.inf, 0, 0.0, IDENTIFIED)
    return Identification(real.text, math.inf, 0, (hit,))


class _Search:
    """One identification: the number, what it carries, the hits so far."""

    def __init__(self, real: Real, carried: int, deadline: float):
        self.real, self.deadline = real, deadline
        self.given, self.carried = carried, min(carried, MOST_DIGITS)  # claims may use the latter
        self.confirm = 2 * self.carried if real.exact else self.carried
        self.hits: list[Hit] = []
        self.notes: list[str] = []
        self.tried: list[str] = []

    def run(self, basis: Sequence[str] | None, grammar: str | None) -> Identification:
        with ctx.workprec(math.ceil(self.confirm * math.log2(10)) + 128):
            self.value = self._value()
            target = Target.of(self.value)
            stages = self._stages(target, grammar) if basis is None else self._over_basis(target, tuple(basis))
            for name, methods in stages:
                if time.monotonic() > self.deadline:
                    self.notes.append(f"time was up before: {name}")
                    break
                self.tried.append(name)
                for proposal in (p for method in methods for p in method()):
                    self._consider(proposal)
                if any(h.status == IDENTIFIED for h in self.hits):
                    break
            self.hits += near_rationals(self.value, self.carried)
        self._say_what_is_missing()
        if any(h.method.startswith("algebraic") for h in self.hits):  # its polynomial says more than another equation
            self.hits = [h for h in self.hits if h.formula or h.method != METHOD]
        return Identification(self.real.text, self.real.digits, self.carried, ranked(self.hits, SHOWN_HITS), tuple(self.notes),
                              tuple(self.tried))

    def _value(self) -> arb:
        """The number as a ball that allows one unit in the last digit that counts: digits are cut off as often as rounded."""
        ball = self.real.ball(self.confirm)
        if self.real.exact:
            return ball
        first = math.floor(float((abs(ball).mid().log() / arb(10).log()).mid()) + 1e-12)  # the place of the leading digit
        unit = arb(10) ** (first + 1 - self.carried)
        return arb(ball.mid()) + arb(0, max(unit.abs_upper(), 2 * arb(ball.rad())))

    # methods ------------------------------------------------------------------------------------------------------------
    def _stages(self, target: Target, grammar: str | None) -> Iterator[tuple[str, list[Method]]]:
        near = target.ordinary
        sums: list[Method] = []
        if near:
            sums = [
                lambda: relations.algebraic(target),
                lambda: relations.mobius(target, ("core",), 1, "Möbius form of a constant"),
                lambda: relations.mobius(target, ("named", "pairs"), 1, "Möbius form of a function value or a product"),
                lambda: relations.linear(target, known.LINEAR, 1),
            ]
        sides = TwoSides(target.value, self.carried, grammar, self.deadline) if grammar is not None and near else None
        yield "algebraic numbers, relations with one constant or over a basis, short formulas", [
            *sums, lambda: relations.products(target, known.PRODUCTS, 1), *([sides.short] if sides else [])]
        more: list[Method] = [
            lambda: relations.products_with(target, "named", 1),
            lambda: relations.exponentials(target, ("core", "named", "pairs"), 1),
            lambda: relations.behind_functions(target),
        ]
        if near:
            more.append(lambda: relations.two_constants(target, 1))
        yield "products and exponentials with function values, inverse functions, relations with two constants", more
        if sides:
            yield f"the grammar {sides.grammar} from both sides", [sides.long]
        if near and self.carried > 1.2 * target.searched > 40:
            deep = min(self.carried, DEEP_DIGITS)
            large = Target.of(self.value, math.ceil(deep * math.log2(10)))
            yield f"polynomials up to degree {DEEP_DEGREES[-1]} and sums, to {deep} digits", [
                lambda: relations.algebraic(large, (*relations.DEGREES, *DEEP_DEGREES)),
                lambda: relations.linear(large, known.LINEAR, 1), lambda: relations.products(large, known.PRODUCTS, 1)]

    def _over_basis(self, target: Target, basis: tuple[str, ...]) -> Iterator[tuple[str, list[Method]]]:
        basis = self._independent(basis)
        name = ", ".join(basis)
        yield f"sums over {name}", [lambda: relations.linear(target, {name: basis}, 1)]
        factors = ("2", "3", *(b for b in basis if b not in ("1", "2", "3")))
        yield f"products over {', '.join(factors)}", [lambda: relations.products(target, {", ".join(factors): factors}, 1)]

    def _independent(self, basis: tuple[str, ...]) -> tuple[str, ...]:
        """The basis with 1, less what depends on the elements before it; each dependency is noted."""
        from symnum.conjecture.number.texts import combination
        from symnum.numbers.relation import integer_relation

        kept: list[str] = []
        if not any(b.strip() for b in basis):
            raise ValueError("a basis such as pi, log(2), zeta(3) was required, got an empty one")
        for text in ("1", *(b.strip() for b in basis)):
            if text == "1" and kept:
                continue
            values = [formula.ball(t, EXACT_DIGITS) for t in (*kept, text)]
            found = integer_relation(values) if kept else None
            if found is not None and found.accepted:
                inside = combination(zip(found.coefficients, (*kept, text), strict=True))
                self.notes.append(f"the basis is dependent: {inside} = 0; {text} is left out")
            else:
                kept.append(text)
        return tuple(kept)

    # judging ------------------------------------------------------------------------------------------------------------
    def _consider(self, proposal: Proposal) -> None:
        """Recompute a proposal and keep it as what it is."""
        agreed = self._agreement(proposal)
        if agreed is None:
            return
        reached, full = agreed
        weight = proposal.weight + math.log10(STAGES)
        if proposal.count:
            needed = math.ceil(1.5 * weight + MARGIN)
        else:
            needed = needed_digits(proposal.terms, proposal.height, proposal.choices * STAGES)
        chance = 10.0 ** max(weight - reached, -300.0)
        if full:
            status = IDENTIFIED if reached >= needed else CANDIDATE
            note = ""
        else:
            status, note = NEAR_MISS, f"differs at digit {reached + 1}"
        near = self.value.str(SHOWN, radius=False)
        hit = Hit(proposal.formula, proposal.equation, near, proposal.method, reached, needed, chance, status, note)
        if status == IDENTIFIED or (chance < EXPECTED and hit.length < reached * math.log2(10)):
            self.hits.append(hit)  # a formula longer than the digits that it gives explains nothing

    def _agreement(self, proposal: Proposal) -> tuple[int, bool] | None:
        """Digits to which the formula gives the number, and whether these are all; None where it has no value."""
        try:
            if proposal.formula:
                value = formula.ball(proposal.formula, self.confirm + 5)
            else:
                value = _root(proposal.equation, self.value, self.confirm + 5)
        except ValueError:  # the formula has no real value: found by a wrong branch
            return None
        off = abs(value - self.value)
        if off.contains(0):
            return self.confirm, True
        reached = -(off / abs(self.value)).mid().log() / arb(10).log()
        return max(0, int(float(reached))), False

    def _say_what_is_missing(self) -> None:
        if not any(h.status == IDENTIFIED for h in self.hits) and self.carried < 2 * MARGIN:
            self.notes.append(f"a claim needs {MARGIN} digits and 1.5 for each digit's worth of formulas as simple; got {self.carried}")
        if self.given > self.carried:
            self.notes.append(f"{self.carried} of the {self.given} digits were compared")


def _root(equation: tuple[str, str], start: arb, digits: int) -> arb:
    """The root of lhs = rhs near a number, by the secant rule, proven by a change of sign.

    Raises:
        ValueError: the steps do not settle, or no change of sign is seen.
    """
    lhs, rhs = equation

    def f(x: arb) -> arb:
        return formula.evaluate(lhs, x=x) - formula.evaluate(rhs, x=x)

    with ctx.workprec(math.ceil(digits * math.log2(10)) + 64):
        a = start.mid()
        b = a * (1 + arb(2) ** -20)
        width = abs(a) * arb(10) ** -digits
        fa, fb = f(a).mid(), f(b).mid()
        for _ in range(60):
            if not fb.is_finite() or fb == fa:
                break
            a, b, fa = b, (b - fb * (b - a) / (fb - fa)).mid(), fb
            fb = f(b).mid()
            if abs(b - a) < width:
                break
        low, high = f(b - width), f(b + width)
        if low * high < 0:
            return b + arb(0, width.abs_upper())
    msg = f"a root of {lhs} = {rhs} was required near {start.str(SHOWN)}"
    raise ValueError(msg)
