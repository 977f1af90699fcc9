"""Formulas from what look-ups return: linear combinations and products written shortly, and regrouped where they are exact."""

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from symnum.language.expr import Expr
from symnum.problem.reduction import HOLE, monomial

EQUAL = 1e-6  # relative difference below which two coefficients are one
RATIONAL = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32)  # denominators of the ratios of coefficients that regrouping tries
WORDIEST = 80  # tokens beyond which factoring takes too long
LARGEST = 1000  # numerators beyond are no small rational


def combination(coefficients: Sequence[float], terms: Sequence[Expr | None]) -> Expr:
    """The sum of coefficient * term, None standing for 1; a common coefficient is factored out, ones are not written.

    >>> x, y = Expr.var("x"), Expr.var("y")
    >>> str(combination([2.5, -2.5], [x, y])), str(combination([1.0, 2.0, 3.0], [x, y, None]))
    ('2.5*(x - y)', '3.0 + x + 2.0*y')
    """
    pairs = sorted(zip(coefficients, terms, strict=True), key=lambda p: (p[1] is not None, p[0] < 0))
    if len(pairs) > 1 and all(abs(abs(c) / abs(pairs[0][0]) - 1) < EQUAL for c, _ in pairs):
        lead = pairs[0][0]
        if abs(abs(lead) - 1) >= EQUAL and all(t is not None for _, t in pairs):
            return Expr.const(abs(lead)) * combination([c / abs(lead) for c, _ in pairs], [t for _, t in pairs])
    total = None
    for c, term in pairs:
        negative, size = c < 0 and total is not None, abs(c) if total is not None else c
        part = Expr.const(float(size)) if term is None else term if abs(size - 1) < EQUAL else Expr.const(float(size)) * term
        total = part if total is None else Expr.apply("sub" if negative else "add", total, part)
    return total


def regrouped(coefficients: Sequence[float], terms: Sequence[Expr | None]) -> Iterator[Expr]:
    """Shorter forms of an exact combination: coefficients as ratios of integers, then factored and collected by sympy."""
    lead = coefficients[0]
    ratios = [_small_rational(c / lead) for c in coefficients]
    if len(terms) < 2 or sum(len(t.tokens) for t in terms if t is not None) > WORDIEST or any(r is None for r in ratios):
        return
    import sympy as sp

    total = sp.Add(*(sp.Rational(r.numerator, r.denominator) * (1 if t is None else t.sympy()) for r, t in zip(ratios, terms, strict=True)))
    seen = set()
    for form in (sp.factor(total), sp.factor_terms(total), *_squares(total)):
        content, form = form.as_coeff_Mul()
        if form in seen or form.is_number:
            continue
        seen.add(form)
        try:
            expr = Expr.from_sympy(form)
        except (ValueError, KeyError):  # sympy wrote it with a function that has no operator
            continue
        scale = lead * float(content)
        yield in_operators(expr if abs(scale - 1) < EQUAL else Expr.const(scale) * expr)


def _squares(total):
    """a² + b² + … - 2ab … over disjoint pairs as sums of squared differences: each quadratic form's squares completed by symbol."""
    import sympy as sp

    symbols = sorted(total.free_symbols, key=str)
    if not 2 <= len(symbols) <= 9 or not total.is_polynomial(*symbols):
        return
    rest, parts = sp.Poly(total, *symbols), []
    for i, a in enumerate(symbols):
        for b in symbols[i + 1 :]:
            c = rest.coeff_monomial(a * b)
            aa, bb = rest.coeff_monomial(a**2), rest.coeff_monomial(b**2)
            if c != 0 and aa != 0 and bb != 0 and c * c == 4 * aa * bb and aa * bb > 0:
                root = sp.sqrt(sp.Abs(bb / aa)) * sp.sign(c) * sp.sign(aa)
                if root.is_rational:
                    square = aa * (a + root * b) ** 2
                    rest = rest - sp.Poly(sp.expand(square), *symbols)
                    parts.append(square)
    if parts:
        yield sp.Add(*parts, rest.as_expr())


def _small_rational(x: float) -> Fraction | None:
    for q in RATIONAL:
        p = round(x * q)
        if p and abs(p) <= LARGEST and abs(x * q / p - 1) < EQUAL:
            return Fraction(p, q)
    return None


def in_operators(expr: Expr) -> Expr:
    """Numeric powers as squares, cubes, inverses and roots, and numbers as free constants: the spelling of small grammars.

    >>> str(in_operators(Expr.parse("2*x^2 + y^(-1)")))
    '2.0*square(x) + inv(y)'
    """
    def branch(op, arguments):
        exponent = _number(arguments[1]) if op.name == "power" else None
        if not exponent or not math.isfinite(exponent):
            return Expr.apply(op, *arguments)
        p = Fraction(exponent).limit_denominator(12)
        if abs(float(p) - exponent) > 1e-9 * abs(exponent):
            return Expr.apply(op, *arguments)
        of = monomial({HOLE: p})
        return of.substitute({HOLE: arguments[0]})

    return expr.fold(lambda token: Expr((float(token),)) if isinstance(token, int) else Expr((token,)), branch)


PLAIN = {"square": lambda a: a * a, "cube": lambda a: a * a * a, "inv": lambda a: Expr.const(1.0) / a}


def spelled(forms: Iterable[Expr]) -> list[Expr]:
    """Every form as it is and by + - * / alone, for grammars that have no square, cube or inverse; each once.

    >>> [str(e) for e in spelled([Expr.parse("inv(x) + square(y)")])]
    ['inv(x) + square(y)', '1.0/x + y*y']
    """
    found = list(forms)
    plain = [e.fold(lambda t: Expr((t,)), lambda op, a: PLAIN[op.name](*a) if op.name in PLAIN else Expr.apply(op, *a)) for e in found]
    return list(dict.fromkeys([*found, *plain]))


def _number(expr: Expr) -> float | None:
    """The value of an expression without variables, else None."""
    return None if expr.variables else float(np.ravel(expr({}))[0])
