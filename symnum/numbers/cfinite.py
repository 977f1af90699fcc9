"""What follows from a recurrence with constant coefficients: the rational generating function, and Binet's closed form.

The closed form is a combination of n^j λ^n over the roots λ of the characteristic polynomial; it is given where they are rational or
real quadratic. For a pair λ, μ = (s ± √D)/t the sequences λ^n + μ^n and (λ^n − μ^n)/√D are rational, so that the coefficients come
from a linear system over Q.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt, lcm

from flint import fmpq, fmpq_mat

from symnum.numbers import polynomials
from symnum.numbers.evidence import Term
from symnum.numbers.recurrence import Recurrence, integers

MOST_SHIFT = 20  # start up to which x^start is multiplied out
MOST_START = 10_000  # in size; the closed form at the first terms is computed from it
MOST_ROOTS = 12  # a longer closed form is no help to a reader


def generating_function(recurrence: Recurrence, terms: Sequence[Term]) -> str:
    """Text of Σ a(n) x^n over n ≥ start, a quotient of polynomials (times a power of x where start is not 0).

    >>> from symnum.numbers.recurrence import find_cfinite
    >>> fibonacci = [0, 1, 1, 2, 3, 5, 8, 13]
    >>> generating_function(find_cfinite(fibonacci, 0), fibonacci)
    'x/(1 - x - x^2)'
    """
    below = [p[0] if p else 0 for p in reversed(recurrence.polynomials)]
    order = recurrence.order
    above = [sum(below[i] * terms[k - i] for i in range(k + 1)) for k in range(order)]
    scale = lcm(*(a.denominator for a in above), 1)
    sign = scale if next(b for b in below if b) > 0 else -scale
    top, bottom = polynomials.trimmed(integers([a * sign for a in above])), polynomials.trimmed([sign * b for b in below])
    if not top:
        return "0"
    written_out = 0 <= recurrence.start <= MOST_SHIFT
    top = (0,) * (recurrence.start if written_out else 0) + top
    numerator, denominator = polynomials.text(top, "x", True), polynomials.text(bottom, "x", True)
    quotient = numerator if denominator == "1" else f"{_bracketed(numerator)}/{_bracketed(denominator)}"
    return quotient if written_out else f"x^({recurrence.start})*({quotient})"


def _bracketed(text: str) -> str:
    return text if text.isalnum() else f"({text})"


def binet(recurrence: Recurrence, terms: Sequence[Term]) -> str | None:
    """Text of the closed form; None where a root is neither rational nor real quadratic, or is 0, or there are too many.

    >>> from symnum.numbers.recurrence import find_cfinite
    >>> fibonacci = [0, 1, 1, 2, 3, 5, 8, 13]
    >>> binet(find_cfinite(fibonacci, 0), fibonacci)
    '(((1 + sqrt(5))/2)^n - ((1 - sqrt(5))/2)^n)/sqrt(5)'
    >>> binet(find_cfinite([1, 3, 7, 15, 31, 63], 0), [1, 3, 7, 15, 31, 63])
    '2*2^n - 1'
    """
    order, start = recurrence.order, recurrence.start
    if not 0 < order <= MOST_ROOTS or abs(start) > MOST_START or not recurrence.polynomials[0]:
        return None
    characteristic = [p[0] if p else 0 for p in recurrence.polynomials]
    columns: list[list[Fraction]] = []
    parts: list[tuple[tuple[int, ...], int]] = []
    for factor, multiplicity in sorted(polynomials.factors(characteristic)[1], key=lambda f: (-len(f[0]), f[0])):
        basis = _basis(factor, start, order)
        if basis is None:
            return None
        for j in range(multiplicity):
            parts.append((factor, j))
            columns += [[Fraction(start + k) ** j * b for k, b in enumerate(values)] for values in basis]
    matrix = fmpq_mat(order, order, [fmpq(c[k].numerator, c[k].denominator) for k in range(order) for c in columns])
    right = fmpq_mat(order, 1, [fmpq(Fraction(t).numerator, Fraction(t).denominator) for t in terms[:order]])
    solution = matrix.solve(right)
    coefficients = iter([Fraction(int(solution[i, 0].p), int(solution[i, 0].q)) for i in range(order)])
    words = [word for factor, j in parts if (word := _word(factor, j, [next(coefficients) for _ in range(len(factor) - 1)]))]
    words.sort(key=lambda w: w.startswith("-"))
    return " + ".join(words).replace("+ -", "- ") or "0"


def _basis(factor: tuple[int, ...], start: int, count: int) -> list[list[Fraction]] | None:
    """The rational basis sequences of one irreducible factor at n = start … start + count − 1."""
    if len(factor) == 2:
        root = Fraction(-factor[0], factor[1])
        return [[root ** (start + k) for k in range(count)]]
    if len(factor) > 3:
        return None
    c, b, a = factor
    if b * b - 4 * a * c <= 0:
        return None
    rows = []
    for first, second in ((Fraction(2), Fraction(-b, a)), (Fraction(0), Fraction(1, a))):
        x, y = first, second
        for _ in range(max(start, 0)):
            x, y = y, (-b * y - c * x) / a
        for _ in range(max(-start, 0)):
            x, y = (-a * y - b * x) / c, x
        row = []
        for _ in range(count):
            row.append(x)
            x, y = y, (-b * y - c * x) / a
        rows.append(row)
    return rows


def _word(factor: tuple[int, ...], power: int, coefficients: Sequence[Fraction]) -> str:
    """Text of one part of the closed form; empty where its coefficients are 0."""
    monomial = "" if power == 0 else "n*" if power == 1 else f"n^{power}*"
    if not any(coefficients):
        return ""
    if len(factor) == 2:
        root = Fraction(-factor[0], factor[1])
        (c,) = coefficients
        name = polynomials.digits(root)
        base = "" if root == 1 else f"{name}^n" if root > 0 and root.denominator == 1 else f"({name})^n"
        body = (monomial + base).rstrip("*")
        sign = "-" if c < 0 else ""
        size = polynomials.digits(abs(c))
        return sign + (f"{size}*{body}" if body and abs(c) != 1 else body or size)
    c, b, a = factor
    square, free = _square_part(b * b - 4 * a * c)
    top, bottom = (_mixed(Fraction(-b, 2 * a), Fraction(s, 2 * a), free) for s in (square, -square))
    x, y = coefficients[0], coefficients[1] / square
    digits = polynomials.digits
    if x == 0:
        scale = "" if abs(y) == 1 else f"{digits(abs(y))}*"
        return ("-" if y < 0 else "") + f"{monomial}{scale}({top}^n - {bottom}^n)/sqrt({digits(free)})"
    if y == 0:
        scale = "" if abs(x) == 1 else f"{digits(abs(x))}*"
        return ("-" if x < 0 else "") + f"{monomial}{scale}({top}^n + {bottom}^n)"
    y = y / free
    up, down = _mixed(x, y, free), _mixed(x, -y, free)
    return f"{monomial}({up}*{top}^n + {down}*{bottom}^n)"


def _square_part(n: int) -> tuple[int, int]:
    """(m, s) with n = m² s and s free of squares up to 10⁴."""
    square = isqrt(n)
    if square * square == n:
        return square, 1
    m, f = 1, 2
    while f * f <= n and f <= 10_000:
        while n % (f * f) == 0:
            n //= f * f
            m *= f
        f += 1
    return m, n


def _mixed(a: Fraction, b: Fraction, free: int) -> str:
    """a + b √free in lowest terms, in brackets."""
    scale = lcm(a.denominator, b.denominator)
    p, q = int(a * scale), int(b * scale)
    digits = polynomials.digits
    root = f"sqrt({digits(free)})" if abs(q) == 1 else f"{digits(abs(q))}*sqrt({digits(free)})"
    body = f"{digits(p)} {'-' if q < 0 else '+'} {root}" if p else f"{'-' if q < 0 else ''}{root}"
    return f"({body})" if scale == 1 else f"(({body})/{digits(scale)})" if p else f"({body}/{digits(scale)})"
