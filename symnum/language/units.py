"""Units: from texts like "kg*m/s^2" to exact exponents of the seven SI base units, and back.

Names, prefixes and conversion factors come from pint (https://pint.readthedocs.io), which is imported on first use only.
The notation is read here, so that it may be what tables hold: `m/s2`, `km h^-1`, `kg m s-2`, `N·m`, `m²`, `10^3 kg`, `%`.
What stands behind one stroke is only the next factor, as in pint: `J/kg K` is J K/kg; write `J/(kg K)` or `J/kg/K`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

BASE = ("kg", "m", "s", "A", "K", "mol", "cd")
CARRIERS = ("mass", "length", "time", "current", "temperature", "amount of substance", "luminous intensity")
_PINT = ("[mass]", "[length]", "[time]", "[current]", "[temperature]", "[substance]", "[luminosity]")
UNKNOWN = frozenset(("", "?", "a.u.", "arb. units", "arb. u.", "arb.u."))  # what stands where the unit is not known
PURE = frozenset(("-", "1", "dimensionless", "unitless"))

SCALES = {"pH": "pH is the logarithm of a concentration; give the concentration, 10^-pH, in mol/L, or 1 to use pH as a number (pint reads "
                "picohenry: write picohenry)",
          "AU": "AU is an absorbance in some fields and a length in others; write au for the length, 1 for an absorbance"}
MOST_POWER = 300  # exponents beyond it are mistakes; powers of ten may be as large

Exponents = tuple[Fraction, ...]
NONE: Exponents = (Fraction(0),) * len(BASE)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: `scale` times the product of the base units to the powers `exponents`."""

    exponents: Exponents = NONE
    scale: float = 1.0

    def __mul__(self, other: "Unit") -> "Unit":
        return Unit(tuple(a + b for a, b in zip(self.exponents, other.exponents, strict=True)), self.scale * other.scale)

    def __pow__(self, p: Fraction) -> "Unit":
        return Unit(tuple(a * p for a in self.exponents), self.scale ** float(p))

    def __str__(self) -> str:
        return unit_text(self.exponents)


def parse_unit(text: str) -> Unit | None:
    """The unit that a text means; None where it says that the unit is not known (empty, `?`, `a.u.`).

    Raises:
        ValueError: no unit; the message says what is wrong with the text.

    >>> str(parse_unit("N m")), str(parse_unit("km h^-1")), parse_unit("km/h").scale, parse_unit("")
    ('kg*m^2/s^2', 'm/s', 0.2777777777777778, None)
    >>> parse_unit("kg*metre") == parse_unit("kg m"), parse_unit("-") == parse_unit("rad") == Unit()
    (True, True)
    """
    text = text.strip()
    if text in UNKNOWN:
        return None
    if text in PURE:
        return Unit()
    if _named(text) is not None and _zero(text) != 0:
        msg = (f"{text!r} is a scale whose 0 is not nothing; give a column in an absolute unit instead (kelvin = °C + 273.15, a power "
               "for decibels), write delta_degC for differences of temperature, or leave the unit out")
        raise ValueError(msg)
    try:
        return _product(text)
    except OverflowError as error:
        raise _unreadable(text, "its factor is too large") from error


def unit_text(exponents: Sequence[Fraction]) -> str:
    """Exponents of the base units as a text that `parse_unit` reads; "1" where all are 0.

    >>> unit_text(parse_unit("J/K").exponents), unit_text(parse_unit("Hz").exponents), unit_text(NONE)
    ('kg*m^2/(s^2*K)', '1/s', '1')
    """
    def factors(sign: int) -> list[str]:
        return [name if p * sign == 1 else f"{name}^{_plain(p * sign)}" for name, p in zip(BASE, exponents, strict=True) if p * sign > 0]

    above, below = factors(1), factors(-1)
    over = "*".join(above) or "1"
    if not below:
        return over
    return f"{over}/{below[0]}" if len(below) == 1 else f"{over}/({'*'.join(below)})"


def _plain(p: Fraction) -> str:
    return str(p) if p.denominator == 1 else f"({p})"


def coherent(units: Sequence[Unit]) -> bool:
    """Whether the units belong to one system, so that laws hold in them without conversion factors.

    They do where sizes of the base units can be chosen that give every scale.

    >>> coherent([parse_unit(t) for t in ("g", "cm", "erg", "s")]), coherent([parse_unit(t) for t in ("m", "km")])
    (True, False)
    """
    import numpy as np

    exponents = np.array([[float(p) for p in u.exponents] for u in units]).reshape(len(units), len(BASE))
    scales = np.log([u.scale for u in units])
    sizes = np.linalg.lstsq(exponents, scales, rcond=None)[0]
    return bool(np.allclose(exponents @ sizes, scales, atol=1e-6))


# reading ----------------------------------------------------------------------------------------------------------------
_TOKEN = re.compile(r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?)|(?P<name>°?[^\W\d]\w*|[%°])|"
                    r"(?P<power>\*\*|\^)|(?P<sign>[-+])|(?P<mark>.))")
_SUPER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺−", "0123456789-+-")


def _product(text: str) -> Unit:
    """Recursive descent over the tokens: product : factor ([* · /] factor)*, factor : atom [power]."""
    raised = re.sub("[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: "^" + m[0].translate(_SUPER), text).replace("−", "-")
    tokens = [(m.lastgroup, m[m.lastgroup], m.start(m.lastgroup), m.end()) for m in _TOKEN.finditer(raised.strip())]
    at = 0

    def peek(kind: str, mark: str = "") -> bool:
        return at < len(tokens) and tokens[at][0] == kind and (not mark or tokens[at][1] in mark)

    def take() -> str:
        nonlocal at
        if at == len(tokens):
            raise _unreadable(text, "at its end")
        at += 1
        return tokens[at - 1][1]

    def product() -> Unit:
        out = factor()
        while at < len(tokens) and not peek("mark", ")"):
            if peek("mark", "/"):
                take()
                out = out * factor() ** Fraction(-1)
                continue
            if peek("mark", "*·⋅×.") and take() == "." and peek("number"):
                raise _unreadable(text, f"at .{tokens[at][1]}")
            out = out * factor()
        return out

    def factor() -> Unit:
        named = peek("name")
        if peek("number"):
            out = Unit(NONE, float(take()))
        elif named:
            out = _unit(take(), text)
        elif peek("mark", "("):
            take()
            out = product()
            if not peek("mark", ")"):
                raise _unreadable(text, "a bracket is open")
            take()
        else:
            raise _unreadable(text, f"at {tokens[at][1]!r}" if at < len(tokens) else "at its end")
        if peek("power"):
            take()
            return out ** exponent()
        if named and peek("sign") and at + 1 < len(tokens) and tokens[at + 1][0] == "number" and tokens[at][2] == tokens[at - 1][3]:
            return out ** exponent()  # s-1
        return out

    def exponent() -> Fraction:
        if not peek("mark", "("):
            return number()
        take()
        p = number()
        if peek("mark", "/"):
            take()
            p /= number()
        if not peek("mark", ")"):
            raise _unreadable(text, "a bracket is open")
        take()
        return p

    def number() -> Fraction:
        sign = -1 if peek("sign") and take() == "-" else 1
        if not peek("number"):
            raise _unreadable(text, "a number was required as exponent")
        value = Fraction(take()).limit_denominator(60)
        if value == 0:
            raise _unreadable(text, "an exponent is 0")
        if value > MOST_POWER:
            raise _unreadable(text, f"an exponent is beyond {MOST_POWER}")
        return sign * value

    out = product()
    if at < len(tokens):
        raise _unreadable(text, f"at {tokens[at][1]!r}")
    if not 0 < out.scale < float("inf"):
        raise _unreadable(text, "its factor is 0 or too large")
    return out


def _unreadable(text: str, where: str) -> ValueError:
    return ValueError(f"{text!r} cannot be read as a unit ({where}); write it like kg*m/s^2, 1 for a number without unit, "
                      "or nothing where it is not known")


def _unit(name: str, text: str) -> Unit:
    """A name, or a name with an exponent behind it: m2."""
    if name in SCALES:
        msg = f"{name!r} is not one unit: {SCALES[name]}"
        raise ValueError(msg)
    if _named(name) is not None and _logarithmic(name):
        msg = f"{name!r} in {text!r} is a logarithmic scale; give a ratio of powers or amplitudes, or 1 to use decibels as a number"
        raise ValueError(msg)
    if (known := _named(name)) is not None:
        return known
    match = re.fullmatch(r"(\D+)(\d+)", name)
    if match and match[2] != "0" and (known := _named(match[1])) is not None:
        return known ** Fraction(match[2])
    from symnum.language.grammar_check import near

    inside = "" if name == text else f" in {text!r}"
    msg = (f"{name!r}{inside} is not a known unit{near(name, _names())}; write it like kg*m/s^2, 1 for a number without unit, or nothing "
           "where it is not known")
    raise ValueError(msg)


# names ------------------------------------------------------------------------------------------------------------------
@lru_cache(maxsize=1)
def _registry():
    import pint

    return pint.UnitRegistry()


@lru_cache(maxsize=1)
def _names() -> list[str]:
    return sorted(n for n in dir(_registry()) if not n.startswith("_"))


@lru_cache(maxsize=1024)
def _named(name: str) -> Unit | None:
    """The unit of this name, prefixes included, or None; a temperature scale as its degree."""
    import pint

    registry = _registry()
    if not re.fullmatch(r"°?[^\W\d]\w*|[%°]", name):
        return None
    try:
        unit = registry.parse_units(name)
    except (pint.UndefinedUnitError, ValueError):  # ValueError: nan, which pint takes for a number
        return None
    powers = dict(unit.dimensionality)
    exponents = tuple(Fraction(powers.pop(d, 0)).limit_denominator(60) for d in _PINT)
    if powers:
        msg = f"a unit of mass, length, time, current, temperature, substance or light was required, {name!r} is one of {', '.join(powers)}"
        raise ValueError(msg)
    return Unit(exponents, float(registry.Quantity(1.0, unit).to_base_units().magnitude) - _zero(name))


@lru_cache(maxsize=1024)
def _logarithmic(name: str) -> bool:
    """Whether steps of the unit are factors: of equal ones, the second adds more."""
    unit = _registry().parse_units(name)
    low, middle, high = (float(_registry().Quantity(v, unit).to_base_units().magnitude) for v in (0.0, 1.0, 2.0))
    return abs((high - middle) - (middle - low)) > 1e-6 * abs(high - low)


@lru_cache(maxsize=1024)
def _zero(name: str) -> float:
    """Where the scale of a unit has its zero, in base units."""
    registry = _registry()
    return float(registry.Quantity(0.0, registry.parse_units(name)).to_base_units().magnitude)
