"""Polynomials in one variable with integer coefficients, low to high: value, text, shift, factors."""

from collections.abc import Sequence
from fractions import Fraction

from flint import fmpz, fmpz_poly

Coefficients = tuple[int, ...]


def value(coefficients: Sequence[int], x):
    """The value at x by Horner's rule.

    >>> value((1, 0, 2), 3)
    19
    """
    total = 0
    for c in reversed(coefficients):
        total = total * x + c
    return total


def trimmed(coefficients: Sequence[int]) -> Coefficients:
    """Without zeros at the top; the zero polynomial is ().

    >>> trimmed((0, 1, 0))
    (0, 1)
    """
    last = max((i for i, c in enumerate(coefficients) if c), default=-1)
    return tuple(coefficients[: last + 1])


def shifted(coefficients: Sequence[int], by: int) -> Coefficients:
    """The coefficients of p(x + by).

    >>> shifted((0, 0, 1), 1)
    (1, 2, 1)
    """
    return tuple(int(c) for c in fmpz_poly(list(coefficients))(fmpz_poly([by, 1])).coeffs())


def digits(number: int | Fraction) -> str:
    """Decimal text of a number of any length; Python's own conversion stops at 4,300 digits.

    >>> digits(Fraction(-1, 2)), len(digits(10**5000))
    ('-1/2', 5001)
    """
    text = str(fmpz(number.numerator))
    return text if number.denominator == 1 else f"{text}/{fmpz(number.denominator)}"


def text(coefficients: Sequence[int | Fraction], variable: str = "n", ascending: bool = False) -> str:
    """Infix text, highest power first, or lowest first (`ascending`), as series are written.

    >>> text((-1, 0, 1)), text((2, -1)), text(()), text((0, Fraction(1, 2)), "x", ascending=True)
    ('n^2 - 1', '-n + 2', '0', '1/2*x')
    """
    parts = []
    powers = range(len(coefficients))
    for power in powers if ascending else reversed(powers):
        c = coefficients[power]
        if c == 0:
            continue
        monomial = "" if power == 0 else variable if power == 1 else f"{variable}^{power}"
        size = digits(abs(c))
        body = size if not monomial else monomial if abs(c) == 1 else f"{size}*{monomial}"
        sign = "-" if c < 0 else "+"
        parts.append(f" {sign} {body}" if parts else f"-{body}" if c < 0 else body)
    return "".join(parts) or "0"


def factors(coefficients: Sequence[int]) -> tuple[int, list[tuple[Coefficients, int]]]:
    """The content and the irreducible factors with their multiplicities.

    >>> factors((2, 4))
    (2, [((1, 2), 1)])
    """
    content, parts = fmpz_poly(list(coefficients)).factor()
    return int(content), [(tuple(int(c) for c in p.coeffs()), int(m)) for p, m in parts]


def product_text(coefficients: Sequence[int], variable: str = "n") -> str:
    """Infix text of the factored polynomial, a product of which no factor needs brackets around the whole.

    >>> product_text((2, 6, 4)), product_text((3,)), product_text((1, 1))
    ('2*(n + 1)*(2*n + 1)', '3', '(n + 1)')
    """
    content, parts = factors(coefficients)
    words = []
    for p, m in sorted(parts, key=lambda part: (len(part[0]), part[0][::-1])):
        body = text(p, variable)
        body = body if body == variable else f"({body})"
        words.append(body if m == 1 else f"{body}^{m}")
    if content == -1 and words:
        return "-" + "*".join(words)
    return "*".join([digits(content), *words] if content != 1 or not words else words)
