"""What constant a number is a Möbius transform of: v = (A + B c)/(C + D c) for a named c, or a rational or quadratic number.

A screen by lattice reduction in dimension 4 to 33 digits goes through all the names in a few milliseconds; it admits what the house's
acceptance rule does at 30 digits. A formula is then stated from a proven ball of 150 digits and checked to 200.
"""

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from flint import arb, ctx, fmpz, fmpz_mat

from symnum.numbers.formula import ball, parse
from symnum.numbers.pcf import PCF
from symnum.numbers.pcf_limit import limit
from symnum.numbers.relation import Relation, integer_relation, minimal_polynomial, needed_digits

BITS = 110  # of the fixed-point numbers in the screen
SCREEN, STATED, CHECKED = 30, 150, 200  # digits
DEPTH, STATED_DEPTH = 1 << 13, 1 << 17  # terms; a fraction that does not give its digits within is passed over
RATIONAL, NONE, UNSEEN = "1", "", "?"  # labels beside those of `NAMES` and the square roots

_BESSEL = *((x, "") for x in ("2", "1", "2/3", "1/2", "4")), *((f"2*sqrt({x})", f"*sqrt({x})") for x in (2, 3, 5))
NAMES = (
    "pi", "e", "exp(2)", "log(2)", "pi^2", "zeta(3)", "catalan", "log(3)", "sqrt(3)*pi", "sqrt(2)*pi", "sqrt(5)*pi", "sqrt(15)*pi",
    "sqrt(2)*log(1 + sqrt(2))", "sqrt(3)*log(2 + sqrt(3))", "sqrt(5)*log(golden)", "log(5)", "log(3/2)", "log(5/3)", "log(5/4)",
    "sqrt(2)*atan(sqrt(2))", "sqrt(2)*atan(1/(2*sqrt(2)))", "sqrt(5)*atan(sqrt(5))", "atan(2)", "atan(3)", "log(2)^2", "log(2)*pi",
    *(f"exp({x})" for x in ("1/2", "1/3", "2/3", "3", "4", "5", "1/4", "3/2", "1/5", "2/5", "4/3", "5/2")),
    "tan(1)", "tan(1/2)", "tan(2)", *(f"{f}(sqrt({x}))*sqrt({x})" for f in ("tan", "tanh") for x in (2, 3, 5)),
    *(f"{f}(1, {x})/{f}(0, {x}){scale}" for f in ("besseli", "besselj") for x, scale in _BESSEL),
    *(f"{scale}*{f}({x})" for f in ("erf", "erfc") for scale, x in (
        ("sqrt(2*pi*e)", "1/sqrt(2)"), ("sqrt(pi)*e", "1"), ("sqrt(pi)*exp(1/4)", "1/2"), ("sqrt(2*pi)*exp(2)", "sqrt(2)"))),
    "e*ei(-1)", "exp(2)*ei(-2)", "ei(1)/e", "euler",
    "lemniscate", "lemniscate^2/pi", "agm(1, sqrt(2))", "gamma(1/4)^4/pi^3", "gamma(1/3)^3/pi^2", "sqrt(3)*gamma(1/3)^3/pi^2",
    "gamma(1/3)^6/pi^3", "sqrt(3)*gamma(1/3)^3/(pi*cbrt(2))", "cbrt(2)", "cbrt(3)", "sqrt(sqrt(2))",
)


@dataclass(frozen=True, slots=True)
class Formula:
    """A fraction in terms of a constant.

    Attributes:
        fraction: the continued fraction.
        constant: the name it is in terms of: one of `NAMES`, "1" for rational numbers, "sqrt(17)" for quadratic ones.
        text: its value as a formula.
        relation: the integers that say so; over 1, c, v, v·c for a constant c, over powers of v for algebraic numbers.
        basis: what they multiply.
        value: the ball of the fraction at `CHECKED` digits, as text.
        digits: to which formula and fraction were seen to agree; both are proven balls.
    """

    fraction: PCF
    constant: str
    text: str
    relation: Relation
    basis: tuple[str, ...]
    value: str
    digits: int


def proven(fraction: PCF, digits: int, depth: int = DEPTH) -> arb | None:
    """The limit with that many proven digits; None where it cannot be had within the depth, or is 0 or no finite number."""
    value = limit(fraction, digits + 5, depth)
    return value if value is not None and value.is_finite() and value.rel_accuracy_bits() >= digits * math.log2(10) else None


# the screen -------------------------------------------------------------------------------------------------------------
def screened(fraction: PCF, names: Sequence[str] = NAMES) -> str:
    """The constant that the fraction's value is in terms of, on the evidence of 30 digits; `NONE` where it is in terms of none of them,
    `UNSEEN` where the value cannot be had to so many digits.

    Rational and quadratic numbers are tried first; `names` are tried in their order.

    >>> [screened(PCF(a, b)) for a, b in [((2, 1), (1, 0, 0)), ((1,), (4,)), ((1, 0, 1), (1, 0, 1)), ((1,), (2, 1, 1))]]
    ['pi', 'sqrt(17)', '', '?']
    """
    value = proven(fraction, SCREEN + 10)
    if value is None:
        return UNSEEN
    one, v = 1 << BITS, _fixed(value)
    if _admitted((one, v), 2):
        return RATIONAL
    quadratic = _admitted((one, v, v * v >> BITS), 3)
    if quadratic:
        return _root(quadratic)
    return next((name for name in names if _admitted((one, (c := _constant(name)), v, v * c >> BITS), 4)), NONE)


def _admitted(numbers: Sequence[int], n: int) -> tuple[int, ...] | None:
    """The shortest relation of the lattice, where 30 digits carry it."""
    lattice = [[int(i == j) for j in range(n)] + [x] for i, x in enumerate(numbers)]
    row = fmpz_mat(lattice).lll().tolist()[0]
    c = tuple(int(x) for x in row[:n])
    height = max(map(abs, c))
    slack = sum(map(abs, c)) * (2 + max(abs(x) >> BITS for x in numbers))  # roundings of the fixed-point numbers
    return c if height and abs(int(row[n])) <= slack and needed_digits(n, height) <= SCREEN else None


def _fixed(value: arb) -> int:
    with ctx.workprec(4 * BITS):
        return int((value.mid() * arb(2) ** BITS).floor().unique_fmpz())


@cache
def _constant(name: str) -> int:
    return _fixed(ball(name, SCREEN + 10))


# a formula --------------------------------------------------------------------------------------------------------------
def stated(fraction: PCF, constant: str) -> Formula | None:
    """The formula of a fraction in terms of a constant: from 150 digits, checked to 200; None where it does not stand.

    >>> formula = stated(PCF((3, 1), (-2, 1, 0)), "pi")
    >>> formula.text, formula.digits >= 200
    ('2/pi', True)
    """
    value = proven(fraction, CHECKED + 10, STATED_DEPTH)
    if value is None:
        return None
    if constant == RATIONAL or constant.startswith("sqrt(") and constant[5:-1].isdigit():
        relation = minimal_polynomial(value, 2, STATED)
        if relation is None:
            return None
        basis = ("1", "v", "v^2")[:len(relation.coefficients)]
        text = _algebraic(relation.coefficients, value)
    else:
        with ctx.workprec(math.ceil(STATED * math.log2(10)) + 64):
            c = ball(constant, STATED)
            relation = integer_relation((arb(1), c, value, value * c), STATED)
        if relation is None or not relation.accepted:
            return None
        basis, text = ("1", constant, "v", f"v*({constant})"), _moebius(relation.coefficients, constant)
    agreed = _agreement(value, ball(text, CHECKED + 10))
    if agreed < CHECKED:
        return None
    plain = PCF(fraction.a, fraction.b)  # without the flint objects that the other keeps: formulas travel between processes
    return Formula(plain, constant, text, relation, basis, value.str(CHECKED, radius=True), agreed)


def _agreement(x: arb, y: arb) -> int:
    """Digits to which two balls that overlap are known together; 0 where they do not overlap."""
    if not x.overlaps(y):
        return 0
    return math.floor(min(x.rel_accuracy_bits(), y.rel_accuracy_bits()) / math.log2(10)) if not (x.is_exact() and y.is_exact()) else CHECKED


def _moebius(c: Sequence[int], name: str) -> str:
    """v from c₀ + c₁ x + c₂ v + c₃ v x = 0."""
    top, bottom = (-c[0], -c[1]), (c[2], c[3])
    common = math.gcd(*top, *bottom) * (-1 if next(x for x in (*bottom[::-1], 1) if x) < 0 else 1)
    top, bottom = tuple(x // common for x in top), tuple(x // common for x in bottom)
    if bottom == (1, 0):
        return _linear(top, name)
    return f"{_wrapped(_linear(top, name))}/{_wrapped(_linear(bottom, name))}"


def _linear(c: Sequence[int], name: str) -> str:
    if tuple(c) == (0, 1):
        return name
    symbol = name if isinstance(parse(name), ast.Name | ast.Call) else f"({name})"
    terms = [str(c[0])] if c[0] or not c[1] else []
    if c[1]:
        terms.append(("-" if c[1] < 0 else "") + (symbol if abs(c[1]) == 1 else f"{abs(c[1])}*{symbol}"))
    return " + ".join(terms).replace("+ -", "- ")


def _wrapped(text: str) -> str:
    return text if text.lstrip("-").isdigit() or isinstance(parse(text), ast.Name | ast.Call) else f"({text})"


def _algebraic(c: Sequence[int], value: arb) -> str:
    """The root near the value of a polynomial of degree 1 or 2, coefficients from the constant up."""
    if len(c) == 2:
        p, q = -c[0] * (1 if c[1] > 0 else -1), abs(c[1])
        return str(p) if q == 1 else f"{p}/{q}"
    sign = 1 if (value * 2 * c[2] + c[1]) > 0 else -1
    outside, inside = _square(c[1] * c[1] - 4 * c[2] * c[0])
    p, r, q = -c[1], sign * outside, 2 * c[2]
    common = math.gcd(p, r, q) * (1 if q > 0 else -1)
    p, r, q = p // common, r // common, q // common
    top = _linear((p, r), f"sqrt({inside})")
    return top if q == 1 else f"{_wrapped(top)}/{q}"


def _root(c: Sequence[int]) -> str:
    return f"sqrt({_square(c[1] * c[1] - 4 * c[2] * c[0])[1]})"


def _square(n: int) -> tuple[int, int]:
    """(s, f): n = s² f with f without square factors."""
    outside, inside = 1, 1
    for p, times in fmpz(n).factor():
        outside, inside = outside * int(p) ** (times // 2), inside * int(p) ** (times % 2)
    return outside, inside
