"""A real number as it was given: digits, a float, a fraction, or a formula; and how many digits it carries.

What may be claimed of a number depends on where it came from: `0.3333` carries four digits, a float about fifteen, a formula as many
as are asked for. Zeros in front do not count, zeros at the end do.
"""

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from flint import arb, ctx, fmpq, fmpz

from symnum.numbers import formula

FLOAT_DIGITS = 15  # every decimal of 15 digits survives a float64
MAX_DIGITS = formula.MAX_DIGITS
MAX_BITS = math.ceil(2 * MAX_DIGITS * math.log2(10))  # before or behind the point
_DECIMAL = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,6}))?")


@dataclass(frozen=True, slots=True)
class Real:
    """A number and what is known of it.

    Attributes:
        text: as it was given.
        digits: significant digits that it carries; `inf` for a formula or a fraction, which can be recomputed to any number.
        value: the exact middle of what was given; None for a formula.
        error: how far the true number may be from `value`.

    >>> Real.read("2.50662827463100050")
    Real(text='2.50662827463100050', digits=18, ...)
    >>> Real.read(0.1).digits, Real.read("sqrt(2*pi)").digits
    (15, inf)
    """

    text: str
    digits: float
    value: Fraction | None
    error: Fraction

    @classmethod
    def read(cls, given: "str | float | int | Fraction | Real") -> "Real":
        """A number from digits (`"2.5066"`, `"6.62e-34"`), a float, an int, a Fraction (`"1/3"`), or a formula (`"zeta(3)"`).

        Raises:
            ValueError: it is no finite real number, has no digits, or more than 100,000 of them, or is beyond 10^±200,000.
            TypeError: it is neither a number nor a text.
        """
        match given:
            case Real():
                return given
            case bool():
                pass
            case float():
                return cls._float(float(given))
            case int():
                return cls(str(fmpz(given)), math.inf, Fraction(given), Fraction(0))
            case Fraction():
                return cls(f"{fmpz(given.numerator)}/{fmpz(given.denominator)}", math.inf, given, Fraction(0))
            case str():
                return cls._text(given.strip())
            case Decimal():
                return cls._text(str(given))
        if getattr(given, "dtype", None) is not None and getattr(given, "shape", None) == ():  # a numpy scalar
            return cls._scalar(given)
        msg = f"a number or a text was required, got {type(given).__name__}; give many digits as a text, such as '2.50662827463100050'"
        raise TypeError(msg)

    @classmethod
    def _scalar(cls, given) -> "Real":
        """A numpy scalar: an integer is exact, a float carries the digits of its type."""
        import numpy as np

        if np.issubdtype(given.dtype, np.integer):
            return cls.read(int(given))
        if not np.issubdtype(given.dtype, np.floating):
            msg = f"a real number was required, got a {given.dtype}"
            raise TypeError(msg)
        return cls._float(float(given), min(FLOAT_DIGITS, int(np.finfo(given.dtype).precision)))

    @classmethod
    def _float(cls, given: float, digits: int = FLOAT_DIGITS) -> "Real":
        if not math.isfinite(given):
            msg = f"a finite number was required, got {given}"
            raise ValueError(msg)
        value = Fraction(given)
        return cls(repr(given), digits, value, abs(value) * Fraction(1, 2 * 10**digits))

    @classmethod
    def _text(cls, text: str) -> "Real":
        text = text.replace("\u2212", "-")  # the typographic minus
        plain = re.sub(r"(?<=\d)[_ ](?=\d)", "", text)  # digits are often printed in groups
        found = _DECIMAL.fullmatch(plain) if plain else None
        if found and (found[2] or found[3]):
            return cls._decimal(plain, *found.groups())
        if re.fullmatch(r"[+-]?(nan|inf|infinity)", plain, re.IGNORECASE):
            msg = f"a finite number was required, got {text}"
            raise ValueError(msg)
        try:
            value = formula.ball(text, 20)
        except ValueError as error:
            msg = f"a number or a formula was required, such as 2.50662827463100050 or sqrt(2*pi): {error}"
            raise ValueError(msg) from None
        mantissa, power = value.mid().man_exp()
        if mantissa and abs(int(power) + int(mantissa).bit_length()) > MAX_BITS:  # methods need the digits before the point too
            msg = f"a number between 1e-{2 * MAX_DIGITS} and 1e{2 * MAX_DIGITS} was required, got {text} = {value.str(5, radius=False)}"
            raise ValueError(msg)
        return cls(text, math.inf, None, Fraction(0))

    @classmethod
    def _decimal(cls, text: str, sign: str, whole: str, fraction: str | None, exponent: str | None) -> "Real":
        fraction = fraction or ""
        if len(whole) + len(fraction) > MAX_DIGITS:
            given = len(whole) + len(fraction)
            msg = f"at most {MAX_DIGITS} digits were required, got {given}; a thousand identify all that more would"
            raise ValueError(msg)
        mantissa = _integer(sign + whole + fraction)
        power = int(exponent or 0) - len(fraction)
        if abs(power) > 2 * MAX_DIGITS:
            msg = f"an exponent between -{2 * MAX_DIGITS} and {2 * MAX_DIGITS} was required, got {exponent}"
            raise ValueError(msg)
        unit = Fraction(10) ** power
        if not fraction and exponent is None:  # an integer is exact
            return cls(text, math.inf, Fraction(mantissa), Fraction(0))
        return cls(text, len((whole + fraction).lstrip("0")), mantissa * unit, unit / 2)

    @property
    def exact(self) -> bool:
        """Whether the number can be recomputed to any number of digits: it is a formula, an integer or a fraction."""
        return math.isinf(self.digits)

    def ball(self, digits: int) -> arb:
        """A ball that holds the number: its own, or, where it can be recomputed, one with at least that many proven digits.

        >>> Real.read("0.1250").ball(50).str(10)
        '[0.1250 +/- 5.01e-5]'
        """
        if self.value is None:
            return formula.ball(self.text, digits)
        carried = digits if self.exact else min(digits, int(self.digits))
        with ctx.workprec(math.ceil(carried * math.log2(10)) + formula.GUARD):
            return arb(fmpq(self.value.numerator, self.value.denominator)) + arb(0, _above(self.error))


def _integer(text: str) -> int:
    """int() of any length: python refuses more than 4300 digits by default."""
    return int(fmpz(text.lstrip("+").lstrip() or "0"))


def _above(error: Fraction) -> arb:
    """A radius that is no smaller than `error`."""
    return (arb(fmpq(error.numerator, error.denominator)) * (1 + arb(2) ** -20)).abs_upper() if error else arb(0)
