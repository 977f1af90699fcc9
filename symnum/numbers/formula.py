"""Formulas of numbers: an arithmetic text such as `zeta(3)/pi^3 + sqrt(2)`, its value as a ball, its sympy and LaTeX forms.

The text is the form in which formulas travel through the conjecture tasks; a value is always a ball (midpoint and proven radius)
of Arb (F. Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic", IEEE Trans. Comput. 66, 2017,
doi:10.1109/TC.2017.2690633). Decimal numbers in a text are exact: 0.1 is 1/10.
"""

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

from flint import acb, arb, ctx, fmpq

from symnum.language.grammar_check import near

MAX_DIGITS = 100_000  # beyond, a text asks for more than a look at a number should cost
HUGE = 1e300  # larger numbers are not written out
GUARD = 32  # bits beyond the digits that are asked for


@dataclass(frozen=True, slots=True)
class Name:
    """A named constant or function: its value over balls, its sympy text and how many arguments it takes (a constant: none).

    `sympy` is a format string over {0}, {1}.
    """

    value: Callable[..., arb]
    sympy: str
    arity: int = 0


def _real(z: acb) -> arb:
    return z.real


def _mertens() -> arb:
    """Meissel–Mertens: γ + Σ_{k≥2} μ(k)/k log ζ(k) (Flajolet and Vardi, "Zeta function expansions of classical constants", 1996)."""
    return arb.const_euler() + _zeta_series(lambda k: Fraction(_moebius(k), k), lambda k: arb(k).zeta().log())


def _twin_prime() -> arb:
    """Twin prime constant: C₂ = Π_{k≥2} (ζ(k)(1 − 2^−k))^(−I(k)), I(k) = (1/k) Σ_{d|k} μ(d) 2^(k/d) (Flajolet and Vardi 1996)."""
    def weight(k: int) -> Fraction:
        return Fraction(-sum(_moebius(d) << (k // d) for d in range(1, k + 1) if k % d == 0), k)

    # the Euler factors of small primes are taken out and multiplied in exactly, so that terms fall as (2/101)^k
    primes = [p for p in range(2, 101) if all(p % q for q in range(2, p))]

    def term(k: int) -> arb:
        euler = arb(1)
        for p in primes:
            euler *= 1 - arb(p) ** -k
        return (arb(k).zeta() * euler).log()

    product = math.prod((1 - Fraction(1, (p - 1) ** 2) for p in primes[1:]), start=Fraction(1))
    return arb(fmpq(product.numerator, product.denominator)) * _zeta_series(weight, term, ratio=math.log2(101 / 2)).exp()


def _zeta_series(weight: Callable[[int], Fraction], term: Callable[[int], arb], ratio: float = 1.0) -> arb:
    """Σ_{k≥2} weight(k) term(k), the remainder of which after K terms is below 2^(4 − ratio·K)."""
    last = int((ctx.prec + 8) / ratio) + 8
    total = arb(0)
    for k in range(2, last):
        w = weight(k)
        if w:
            total += term(k) * arb(fmpq(w.numerator, w.denominator))
    return total + arb(0, arb(2) ** int(4 - ratio * last))


def _moebius(n: int) -> int:
    sign, p = 1, 2
    while p * p <= n:
        if n % p == 0:
            n //= p
            if n % p == 0:
                return 0
            sign = -sign
        p += 1
    return -sign if n > 1 else sign


CONSTANTS: dict[str, Name] = {
    "pi": Name(arb.pi, "pi"),
    "e": Name(arb.const_e, "E"),
    "catalan": Name(arb.const_catalan, "Catalan"),
    "euler": Name(arb.const_euler, "EulerGamma"),
    "golden": Name(lambda: (1 + arb(5).sqrt()) / 2, "GoldenRatio"),
    "glaisher": Name(arb.const_glaisher, "Symbol('A')"),
    "khinchin": Name(arb.const_khinchin, "Symbol('K_0')"),
    "mertens": Name(_mertens, "Symbol('M')"),
    "twinprime": Name(_twin_prime, "Symbol('C_2')"),
    "lemniscate": Name(lambda: arb(fmpq(1, 4)).gamma() ** 2 / (8 * arb.pi()).sqrt(), "Symbol('varpi')"),
}

FUNCTIONS: dict[str, Name] = {
    **{name: Name(getattr(arb, name), name + "({0})", 1) for name in (
        "sqrt", "exp", "log", "sin", "cos", "tan", "cot", "sinh", "cosh", "tanh", "coth",
        "asin", "acos", "atan", "asinh", "acosh", "atanh", "gamma", "digamma", "zeta", "erf", "erfc")},
    "cbrt": Name(lambda x: x.root(3), "cbrt({0})", 1),
    "loggamma": Name(arb.lgamma, "loggamma({0})", 1),
    "ei": Name(arb.ei, "Ei({0})", 1),
    "li": Name(arb.li, "li({0})", 1),
    "lambertw": Name(arb.lambertw, "LambertW({0})", 1),
    "factorial": Name(lambda x: (x + 1).gamma(), "factorial({0})", 1),
    "ellipk": Name(lambda m: _real(acb(m).elliptic_k()), "elliptic_k({0})", 1),
    "ellipe": Name(lambda m: _real(acb(m).elliptic_e()), "elliptic_e({0})", 1),
    "cl2": Name(lambda x: acb(arb(0), x).exp().polylog(2).imag, "Function('Cl2')({0})", 1),
    "besseli": Name(lambda nu, x: x.bessel_i(nu), "besseli({0}, {1})", 2),
    "besselj": Name(lambda nu, x: x.bessel_j(nu), "besselj({0}, {1})", 2),
    "besselk": Name(lambda nu, x: x.bessel_k(nu), "besselk({0}, {1})", 2),
    "bessely": Name(lambda nu, x: x.bessel_y(nu), "bessely({0}, {1})", 2),
    "polylog": Name(lambda s, x: x.polylog(s), "polylog({0}, {1})", 2),
    "polygamma": Name(lambda s, x: _real(acb(x).polygamma(acb(s))), "polygamma({0}, {1})", 2),
    "hurwitz": Name(lambda s, a: s.zeta(a), "zeta({0}, {1})", 2),
    "agm": Name(lambda a, b: a.agm(b), "Function('agm')({0}, {1})", 2),
    "binomial": Name(lambda n, k: (n + 1).gamma() / ((k + 1).gamma() * (n - k + 1).gamma()), "binomial({0}, {1})", 2),
}
ALIASES = {"π": "pi", "γ": "euler", "φ": "golden", "ζ": "zeta", "Γ": "gamma", "E": "e", "Catalan": "catalan",
           "G": "catalan", "EulerGamma": "euler", "gamma_e": "euler", "phi": "golden",
           "GoldenRatio": "golden", "ln": "log", "psi": "digamma", "Gamma": "gamma", "lgamma": "loggamma", "LambertW": "lambertw",
           "Ei": "ei", "elliptic_k": "ellipk", "elliptic_e": "ellipe", "arcsin": "asin", "arccos": "acos", "arctan": "atan"}


@lru_cache(4096)
def parse(text: str, unknowns: tuple[str, ...] = ()) -> ast.expr:
    """The syntax tree of a formula, checked: numbers, names of `CONSTANTS`, calls of `FUNCTIONS`, + - * / ^ and parentheses.

    Args:
        text: the formula.
        unknowns: names that stand for numbers given later, as x in an equation.

    Raises:
        ValueError: anything else stands in the text, or a function takes another number of arguments.

    >>> type(parse("2*pi^2")).__name__
    'BinOp'
    >>> parse("zta(3)")
    Traceback (most recent call last):
    ValueError: a known function was required, got 'zta'; did you mean zeta or tan?
    """
    try:
        tree = ast.parse(text.strip().replace("^", "**"), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        msg = f"a formula such as zeta(3)/pi^3 was required, got {_short(text)}"
        raise ValueError(msg) from None
    _check(tree, text, unknowns)
    return tree


def _short(text: str) -> str:
    return repr(text) if len(text) <= 60 else repr(text[:57] + "...")


def _source(node: ast.expr, text: str) -> str:
    """The node as it was written."""
    return ast.get_source_segment(text.strip().replace("^", "**"), node) or ast.unparse(node)


def _check(node: ast.expr, text: str, unknowns: tuple[str, ...]) -> None:
    match node:
        case ast.Constant(value=bool() | complex()):
            pass
        case ast.Constant(value=int() | float() as number):
            if abs(number) < HUGE:
                return
            msg = f"numbers below {HUGE:g} were required, got {_short(_source(node, text))}; write larger ones as powers, 10^400"
            raise ValueError(msg)
        case ast.Name(id=name) if name in unknowns:
            return
        case ast.Name(id=name):
            if ALIASES.get(name, name) not in CONSTANTS:
                msg = f"a known constant was required, got {name!r}{near(name, [*CONSTANTS, *ALIASES])}"
                raise ValueError(msg)
            return
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner):
            return _check(inner, text, unknowns)
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.Pow(), left=left, right=right):
            _check(left, text, unknowns)
            return _check(right, text, unknowns)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            function = FUNCTIONS.get(ALIASES.get(name, name))
            if function is None:
                msg = f"a known function was required, got {name!r}{near(name, [*FUNCTIONS, *ALIASES])}"
                raise ValueError(msg)
            if len(args) != function.arity:
                msg = f"{name} takes {function.arity} argument{'s' * (function.arity > 1)}, got {len(args)} in {_short(text)}"
                raise ValueError(msg)
            for a in args:
                _check(a, text, unknowns)
            return
    msg = f"numbers, constants, functions and + - * / ^ were required, got {ast.unparse(node)!r} in {_short(text)}"
    raise ValueError(msg)


def ball(text: str, digits: int) -> arb:
    """The value of a formula, at least `digits` significant digits of which are proven.

    Raises:
        ValueError: the text is no formula, or its value is not a finite real number, or zero (no digit of which can be proven).

    >>> ball("zeta(2)", 20).str(20, radius=False)
    '1.6449340668482264365'
    """
    if not 0 < digits <= MAX_DIGITS:
        msg = f"between 1 and {MAX_DIGITS} digits were required, got {digits}"
        raise ValueError(msg)
    tree, bits = parse(text), math.ceil(digits * math.log2(10))
    prec = bits + GUARD
    while prec < 16 * (bits + GUARD) + 1000:
        with ctx.workprec(prec):
            value = _evaluate(tree, text)
            if value.is_exact() and value.is_finite():
                return value
            if value.is_finite() and value.rel_accuracy_bits() >= bits:
                return value
        prec *= 2
    msg = f"a formula with a finite real value other than 0 was required, got {_short(text)} = {value.str(10)}"
    raise ValueError(msg)


def evaluate(text: str, **unknowns: arb) -> arb:
    """The value of a formula at the working precision, its unknowns given; it may be inexact, or NaN where the formula has no value.

    >>> evaluate("x^2 - x - 1", x=arb(2))
    1.00000000000000
    """
    return _evaluate(parse(text, tuple(unknowns)), text, unknowns)


def _evaluate(node: ast.expr, text: str, unknowns: Mapping[str, arb] = MappingProxyType({})) -> arb:
    match node:
        case ast.Constant(value=int() as n):
            return arb(n)
        case ast.Constant():  # a decimal is exact
            exact = Fraction(_source(node, text))
            return arb(fmpq(exact.numerator, exact.denominator))
        case ast.Name(id=name):
            return unknowns[name] if name in unknowns else CONSTANTS[ALIASES.get(name, name)].value()
        case ast.UnaryOp(op=op, operand=inner):
            value = _evaluate(inner, text, unknowns)
            return -value if isinstance(op, ast.USub) else value
        case ast.BinOp(op=ast.Pow(), left=left, right=right):
            return _power(_evaluate(left, text, unknowns), _evaluate(right, text, unknowns))
        case ast.BinOp(op=op, left=left, right=right):
            a, b = _evaluate(left, text, unknowns), _evaluate(right, text, unknowns)
            match op:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
            return a / b
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[ALIASES.get(name, name)].value(*(_evaluate(a, text, unknowns) for a in args))
    raise AssertionError(ast.dump(node))  # parse lets nothing else through


def _power(base: arb, exponent: arb) -> arb:
    n = exponent.unique_fmpz() if exponent.is_exact() else None
    return base ** n if n is not None and abs(int(n)) <= 1 << 30 else base ** exponent


def to_sympy(text: str, unknowns: tuple[str, ...] = ()):
    """The formula as a sympy expression; unknowns, and constants that sympy does not know, become symbols.

    >>> to_sympy("zeta(3)/pi^3")
    zeta(3)/pi**3
    """
    import sympy

    names = {name: getattr(sympy, name) for name in dir(sympy) if not name.startswith("_")}
    return sympy.sympify(eval(_sympy_text(parse(text, unknowns), text), {"__builtins__": {}}, names))  # noqa: S307 - a checked tree


def _sympy_text(node: ast.expr, text: str) -> str:
    match node:
        case ast.Constant(value=int() as n):
            return f"Integer({n})"
        case ast.Constant():
            return f"Rational({_source(node, text)!r})"
        case ast.Name(id=name):
            known = CONSTANTS.get(ALIASES.get(name, name))
            return known.sympy if known else f"Symbol({name!r})"
        case ast.UnaryOp(op=op, operand=inner):
            return ("-" if isinstance(op, ast.USub) else "") + f"({_sympy_text(inner, text)})"
        case ast.BinOp(op=op, left=left, right=right):
            sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}[type(op)]
            return f"({_sympy_text(left, text)}){sign}({_sympy_text(right, text)})"
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[ALIASES.get(name, name)].sympy.format(*(_sympy_text(a, text) for a in args))
    raise AssertionError(ast.dump(node))  # parse lets nothing else through


def latex(text: str, unknowns: tuple[str, ...] = ()) -> str:
    r"""The formula in LaTeX.

    >>> latex("sqrt(2*pi)")
    '\\sqrt{2} \\sqrt{\\pi}'
    """
    import sympy

    return sympy.latex(to_sympy(text, unknowns))
