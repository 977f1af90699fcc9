"""The numbers that formulas are made of: named constants, functions at small arguments, and their products, made from the tables.

Nothing here is a list of formulas to be found: the functions are those of `symnum.numbers.formula`, the arguments are the small
rationals, and every value is computed as a ball. Bases are grouped by weight and parity, as in the tables of polylogarithm
constants (D. H. Bailey, J. M. Borwein, R. Girgensohn, "Experimental evaluation of Euler sums", Exp. Math. 3, 1994).
"""

import math
from collections.abc import Iterable
from functools import lru_cache

from flint import arb, ctx

from symnum.numbers import formula
from symnum.numbers.formula import CONSTANTS, FUNCTIONS

RATIONALS = ("1", "2", "3", "4", "5", "1/2", "1/3", "2/3", "1/4", "3/4", "3/2", "1/5", "1/6")
NEGATIVE = ("-1", "-2", "-1/2", "-1/3")
TURNS = ("pi", "2*pi", "pi/2", "pi/3", "2*pi/3", "pi/4", "sqrt(2)*pi", "sqrt(3)*pi")  # arguments where lattice sums and angles lie
ALGEBRAIC = frozenset(("sqrt", "cbrt", "factorial"))  # found otherwise, or another name of a function
HYPERBOLIC = frozenset(("exp", "sinh", "cosh", "tanh", "coth", "cl2"))  # taken at multiples of pi too
SYMMETRIC = frozenset(("sin", "cos", "tan", "cot", "sinh", "cosh", "tanh", "coth", "asin", "acos", "atan", "asinh", "acosh",
                       "atanh", "erf", "erfc", "exp", "cl2", "sqrt", "cbrt"))  # of -a they say nothing that a does not
ORDERS = {"besseli": ("0", "1", "2", "1/3"), "besselj": ("0", "1", "2", "1/3"), "besselk": ("0", "1", "2", "1/3"),
          "bessely": ("0", "1"), "polylog": ("2", "3", "4", "5"), "polygamma": ("1", "2", "3"), "hurwitz": ("3", "5"),
          "agm": ("1",), "binomial": ()}
ANGLES = (5, 7, 9, 11, 13, 15, 16, 17)  # denominators of the multiples of pi whose cosines and tangents are tabled

CORE = ("pi", "e", "euler", "catalan", "zeta(3)", "log(2)", "log(3)", "log(5)", "sqrt(2)", "sqrt(3)", "sqrt(5)", "cbrt(2)",
        "gamma(1/3)", "gamma(1/4)", "exp(pi)", "log(pi)", "log(1 + sqrt(2))", "log(golden)", "log(2 + sqrt(3))",
        "lemniscate", "glaisher", "khinchin", "zeta(5)")

# x = Σ q·b over one of these, whole numbers q
LINEAR: dict[str, tuple[str, ...]] = {
    "constants": ("1", "pi", "e", "euler", "catalan", "log(2)", "zeta(3)", "sqrt(2)", "sqrt(3)", "pi^2"),
    "logarithms": ("1", "pi", "pi*sqrt(3)", "log(2)", "log(3)", "log(5)", "log(7)", "euler"),
    "logarithms of units": ("1", "pi", "pi*sqrt(2)", "sqrt(2)", "sqrt(2)*log(1 + sqrt(2))", "log(1 + sqrt(2))", "log(2)",
                            "sqrt(3)*log(2 + sqrt(3))", "log(2 + sqrt(3))", "sqrt(5)*log(golden)", "log(golden)"),
    "square roots": ("1", "sqrt(2)", "sqrt(3)", "sqrt(5)", "sqrt(6)", "sqrt(7)", "sqrt(10)", "sqrt(15)"),
    "weight 2, even": ("1", "pi^2", "log(2)^2", "log(2)*log(3)", "log(3)^2", "polylog(2, 1/3)", "log(golden)^2", "log(1 + sqrt(2))^2"),
    "weight 2, odd": ("1", "catalan", "cl2(pi/3)", "pi*log(2)", "pi*log(3)", "pi*log(1 + sqrt(2))", "pi*log(2 + sqrt(3))",
                      "pi*log(golden)"),
    "weight 3, even": ("1", "zeta(3)", "pi^2*log(2)", "pi^2*log(3)", "log(2)^3", "pi*catalan", "polylog(3, 1/3)", "log(golden)^3",
                       "pi^2*log(golden)", "pi*cl2(pi/3)"),
    "weight 3, odd": ("1", "pi^3", "pi^3*sqrt(3)", "pi*log(2)^2", "catalan*log(2)", "pi*log(2)*log(3)", "pi*log(3)^2"),
    "weight 4": ("1", "pi^4", "zeta(3)*log(2)", "pi^2*log(2)^2", "log(2)^4", "polylog(4, 1/2)", "polygamma(3, 1/4)", "catalan^2"),
    "weight 5": ("1", "zeta(5)", "pi^2*zeta(3)", "pi^4*log(2)", "zeta(3)*log(2)^2", "log(2)^5", "pi^2*log(2)^3", "polylog(5, 1/2)"),
    "zeta values": ("1", "pi^2", "zeta(3)", "pi^4", "zeta(5)", "pi^6", "zeta(7)", "zeta(9)", "zeta(3)^2"),
    "powers of pi": ("1", "pi", "pi^2", "pi^3", "pi^4", "pi^5", "pi^6"),
    "powers of e": ("1", "e", "e^2", "e^3", "1/e", "1/e^2", "sqrt(e)", "1/sqrt(e)"),
    "logarithms of gamma values": ("1", "log(2)", "log(3)", "log(pi)", "loggamma(1/3)", "loggamma(1/4)", "euler", "pi*sqrt(3)",
                                   "pi", "log(glaisher)"),
}

# |x| = Π b^q over one of these, rational q
PRODUCTS: dict[str, tuple[str, ...]] = {
    "2, 3, pi": ("2", "3", "pi"),
    "2, 3, 5, 7, pi, e": ("2", "3", "5", "7", "pi", "e"),
    "gamma values": ("2", "3", "5", "pi", "gamma(1/3)", "gamma(1/4)", "gamma(1/5)", "gamma(2/5)"),
    "constants": ("2", "3", "5", "7", "pi", "e", "golden", "euler", "catalan", "zeta(3)", "zeta(5)", "log(2)", "log(3)", "gamma(1/3)",
                  "gamma(1/4)"),
    "logarithms": ("2", "3", "pi", "log(2)", "log(3)", "log(5)", "log(1 + sqrt(2))", "log(2 + sqrt(3))", "log(golden)", "log(pi)"),
    "rare constants": ("2", "3", "pi", "glaisher", "khinchin", "exp(euler)", "mertens", "twinprime", "exp(catalan/pi)",
                       "exp(zeta(3)/pi^2)"),
}


@lru_cache(1)
def named() -> tuple[str, ...]:
    """Every named constant, and every function at small arguments where its value is real: texts, the simplest first."""
    texts = [*CONSTANTS]
    for name, function in FUNCTIONS.items():
        if name in ALGEBRAIC:
            continue
        if function.arity == 1:
            texts += [f"{name}({a})" for a in _arguments(name)]
        elif function.arity == 2:
            orders = ORDERS.get(name, ("1", "1/2"))
            texts += [f"{name}({k}, {a})" for k in orders for a in _arguments(name)]
            if name.startswith("bessel"):  # the quotients are continued fractions
                texts += [f"{name}({int(k) + 1}, {a})/{name}({k}, {a})" for k in ("0", "1") for a in RATIONALS]
    texts += [f"{f}({k}*pi/{q})" if k > 1 else f"{f}(pi/{q})" for q in ANGLES for k in range(1, (q + 1) // 2) if math.gcd(k, q) == 1
              for f in ("cos", "sin", "tan")]
    return _distinct(texts)


def _arguments(name: str) -> tuple[str, ...]:
    signs = () if name in SYMMETRIC else NEGATIVE
    return RATIONALS + signs + (TURNS if name in HYPERBOLIC else ())


@lru_cache(1)
def core() -> tuple[str, ...]:
    """The constants from which pairs are made."""
    return CORE


@lru_cache(1)
def pairs() -> tuple[str, ...]:
    """Products and quotients of two core constants, and π times a hyperbolic function of a multiple of π."""
    texts = [f"{a}^2" for a in CORE]
    for i, a in enumerate(CORE):
        for b in CORE[i + 1:]:
            texts += [f"{a}*{b}", f"{a}/{b}"]
    texts += [f"pi*{f}({t})" for f in ("tanh", "coth", "exp") for t in TURNS]
    return _distinct(texts)


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """Those whose value is a real number that is no small fraction and not the value of an earlier one."""
    seen: set[str] = set()
    out = []
    with ctx.workprec(160):
        for text in texts:
            value = formula.evaluate(text)
            if not (value.is_finite() and value.rel_accuracy_bits() > 80 and 1e-8 < abs(float(value)) < 1e8):
                continue
            if _elementary(value):
                continue
            key = abs(value).str(18, radius=False)
            if key not in seen:
                seen.add(key)
                out.append(text)
    return tuple(out)


def _elementary(value: arb) -> bool:
    """Whether it is a small fraction, or one times a power of π or of √π: relations with π find those."""
    root = arb.pi().sqrt()
    return any((value * root ** k * 5040).contains_integer() for k in (0, 1, -1, 2, -2, -4, -6, -8))


@lru_cache(4096)
def value(text: str, bits: int) -> arb:
    """The value of a text, good to `bits` bits after the point; kept, as searches ask for the same ones again."""
    return formula.ball(text, math.ceil((bits + 40) / math.log2(10)))


@lru_cache(32)
def scaled(which: str, bits: int) -> tuple[tuple[str, int], ...]:
    """(text, round(2^bits · value)) of the table `named`, `core` or `pairs`."""
    texts = {"named": named, "core": core, "pairs": pairs}[which]()
    with ctx.workprec(bits + 64):
        return tuple((t, fixed(value(t, bits), bits)) for t in texts)


def fixed(number: arb, bits: int) -> int:
    """round(2^bits · number), to within 1; the working precision must hold it.

    >>> fixed(arb("0.75"), 2)
    3
    """
    return int((number.mid() * (arb(2) ** bits)).mid().floor().unique_fmpz())
