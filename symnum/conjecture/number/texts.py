"""How what a search finds is written: sums, quotients, power products and roots as texts in the language of `symnum.numbers.formula`."""

import ast
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from flint import arb, fmpz, fmpz_poly

from symnum.numbers import formula

OPERATOR_BITS, NAME_BITS, RARE_BITS = 2.0, 5.0, 10.0
LEAF_BITS = {"x": 2.0, "pi": 3.0, "e": 3.0, "sqrt": 3.0, "golden": 5.0, "catalan": 6.0, "euler": 6.0}
COMMON = frozenset(("cbrt", "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "gamma", "zeta"))


def description_length(text: str) -> float:
    """Bits to write a formula down: 2 per operator, 5 per common function (√ 3), 10 per rare one, 1 + 2 log₂(n + 1) per integer n.

    >>> description_length("pi^2/6") < description_length("7*zeta(3)/8")
    True
    """
    total = 0.0
    for node in ast.walk(formula.parse(text, ("x",))):
        match node:
            case ast.Constant(value=number):
                exact = Fraction(str(number))
                total += 1 + 2 * math.log2(abs(exact.numerator) + 1) + 2 * math.log2(exact.denominator)
            case ast.Name(id=name):  # of a constant, or of the function that is called
                total += LEAF_BITS.get(name, NAME_BITS if name in COMMON else RARE_BITS)
            case ast.BinOp() | ast.UnaryOp():
                total += OPERATOR_BITS
    return total


def combination(terms: Iterable[tuple[int, str]]) -> str:
    """Σ c·t as a text; the text "1" is the number 1. A common factor is taken out.

    >>> combination([(3, "pi"), (-2, "1")]), combination([(4, "pi"), (-2, "log(2)")])
    ('3*pi - 2', '2*(2*pi - log(2))')
    """
    kept = sorted(((c, t) for c, t in terms if c), key=lambda term: term[0] < 0)  # a positive term leads where there is one
    if not kept:
        return "0"
    common = math.gcd(*(c for c, _ in kept))
    if len(kept) > 1 and common > 1:
        return f"{common}*({combination((c // common, t) for c, t in kept)})"
    out = ""
    for c, t in kept:
        body = str(abs(c)) if t == "1" else t if abs(c) == 1 else f"{abs(c)}*{t}"
        out += (" - " if out else "-") + body if c < 0 else (" + " if out else "") + body
    return out


def quotient(above: Sequence[tuple[int, str]], below: Sequence[tuple[int, str]]) -> str:
    """(Σ a·s)/(Σ b·t) as a text.

    >>> quotient([(1, "pi^2")], [(6, "1")]), quotient([(2, "pi"), (2, "1")], [(-4, "e")])
    ('pi^2/6', '-(pi + 1)/(2*e)')
    """
    above, below = [(c, t) for c, t in above if c], [(c, t) for c, t in below if c]
    if len(below) == 1 and [t for _, t in above] == ["1"] and (parts := _over(below[0][1])):  # 1/(s/t) is t/s
        return quotient([(above[0][0], parts[1])], [(below[0][0], parts[0])])
    up, down = math.gcd(*(c for c, _ in above)), math.gcd(*(c for c, _ in below))
    ratio = Fraction(up, down)
    if below[0][0] < 0:
        ratio = -ratio
        down = -down
    numerator, denominator = [(c // up, t) for c, t in above], [(c // down, t) for c, t in below]
    if all(c < 0 for c, _ in numerator):
        ratio, numerator = -ratio, [(-c, t) for c, t in numerator]
    sign = "-" if ratio < 0 else ""
    top = _times(abs(ratio.numerator), numerator)
    if denominator == [(1, "1")] and ratio.denominator == 1:
        return f"{sign}({top})" if sign and len(numerator) > 1 and ratio.numerator == -1 else sign + top
    if len(numerator) > 1 and abs(ratio.numerator) == 1:
        top = f"({top})"
    bottom = _times(ratio.denominator, denominator)
    whole = bottom.replace("_", "").isalnum() or (bottom.endswith(")") and _is_call(bottom))
    return f"{sign}{top}/{bottom if whole else f'({bottom})'}"


def _over(text: str) -> tuple[str, str] | None:
    """(s, t) of a text s/t."""
    tree = formula.parse(text)
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Div):
        return tuple(ast.unparse(side).replace(" ** ", "^") for side in (tree.left, tree.right))
    return None


def _is_call(text: str) -> bool:
    return isinstance(formula.parse(text), ast.Call)


def _times(factor: int, terms: Sequence[tuple[int, str]]) -> str:
    if len(terms) == 1:
        return combination([(factor * terms[0][0], terms[0][1])])
    inner = combination(terms)
    return inner if factor == 1 else f"{factor}*({inner})"


def power_product(factors: Iterable[tuple[str, Fraction]]) -> str:
    """Π t^q as a text; whole powers stand outside, the others under one root per denominator.

    >>> power_product([("2", Fraction(1, 2)), ("pi", Fraction(1, 2))])
    'sqrt(2*pi)'
    >>> power_product([("gamma(1/4)", Fraction(2)), ("2", Fraction(-2)), ("pi", Fraction(-1, 2))])
    'gamma(1/4)^2/(4*sqrt(pi))'
    """
    roots: dict[int, list[tuple[str, int]]] = {}
    for text, q in factors:
        whole = int(q)  # towards zero
        rest = q - whole
        if whole:
            roots.setdefault(1, []).append((text, whole))
        if rest:
            roots.setdefault(rest.denominator, []).append((text, rest.numerator))
    above, below = _sides(roots.pop(1, []))
    for degree, inner in sorted(roots.items()):
        flipped = all(n < 0 for _, n in inner)
        text = _fraction(*_sides([(t, abs(n)) if flipped else (t, n) for t, n in inner]))
        root = _root(text, degree)
        (below if flipped else above).append(root)
    return _fraction(above, below)


def _root(text: str, degree: int) -> str:
    base = text if text.isdigit() else f"({text})"
    return {2: f"sqrt({text})", 3: f"cbrt({text})"}.get(degree, f"{base}^(1/{degree})")


def _sides(powers: list[tuple[str, int]]) -> tuple[list[str], list[str]]:
    """Factors above and below the fraction bar; integers are multiplied out, quotients taken apart."""
    powers = [part for t, n in powers for part in _taken_apart(t, n)]
    number = math.prod((Fraction(t) ** n for t, n in powers if t.isdigit()), start=Fraction(1))
    above, below = ([str(part)] if part > 1 else [] for part in (number.numerator, number.denominator))
    for t, n in powers:
        if not t.isdigit():
            (above if n > 0 else below).append(_raised(t, abs(n)))
    return above, below


def _taken_apart(text: str, n: int) -> list[tuple[str, int]]:
    parts = _over(text)
    return [(parts[0], n), (parts[1], -n)] if parts else [(text, n)]


def _raised(text: str, n: int) -> str:
    base = text if isinstance(formula.parse(text), ast.Name | ast.Call | ast.Constant) or text.startswith("(-") else f"({text})"
    return base if n == 1 else f"{base}^{n}"


def _fraction(above: list[str], below: list[str]) -> str:
    top = "*".join(above) or "1"
    if not below:
        return top
    bottom = "*".join(below)
    return f"{top}/({bottom})" if len(below) > 1 else f"{top}/{bottom}"


# roots of polynomials -------------------------------------------------------------------------------------------------------
def polynomial(coefficients: Sequence[int]) -> str:
    """Σ cₖ xᵏ, highest power first.

    >>> polynomial([-1, -1, 0, 1])
    'x^3 - x - 1'
    """
    return _sum([(c, "1" if k == 0 else "x" if k == 1 else f"x^{k}") for k, c in enumerate(coefficients)][::-1])


def _sum(terms: list[tuple[int, str]]) -> str:
    out = ""
    for c, t in terms:
        if c:
            body = str(abs(c)) if t == "1" else t if abs(c) == 1 else f"{abs(c)}*{t}"
            out += (" - " if out else "-") + body if c < 0 else (" + " if out else "") + body
    return out


def radicals(coefficients: Sequence[int], root: arb) -> str | None:
    """The real root of an irreducible integer polynomial (constant term first) in real radicals; None where no short form exists.

    Degree 1 and 2, degree 3 with one real root (Cardano), binomials, and polynomials in xᵐ that reduce to these.

    >>> radicals([-1, -1, 1], arb(1.618)), radicals([-2, 0, 0, 1], arb(1.26)), radicals([1, 0, -10, 0, 1], arb(3.146))
    ('(1 + sqrt(5))/2', 'cbrt(2)', 'sqrt(5 + 2*sqrt(6))')
    """
    c = list(map(int, coefficients))
    if len(c) == 2:
        return quotient([(-c[0], "1")], [(c[1], "1")]) if c[0] else "0"
    step = math.gcd(*(k for k, x in enumerate(c) if x))
    if step > 1:
        inner = radicals(c[::step], root ** step)
        return None if inner is None else _signed_root(inner, step, bool(root < 0))
    if len(c) == 3:
        return _quadratic(c, root)
    return _cardano(c) if len(c) == 4 else None


def _signed_root(inner: str, degree: int, negative: bool) -> str:
    if negative and degree % 2:
        inner = _negated(inner)
    text = _root(inner, degree)
    return "-" + text if negative else text


def _negated(text: str) -> str:
    return text[1:] if text.startswith("-") else "-" + (text if isinstance(formula.parse(text), ast.Constant | ast.Call) else f"({text})")


def _split_square(n: int) -> tuple[int, int]:
    """(s, d) with n = s²·d, d squarefree."""
    s = d = 1
    for p, k in fmpz(n).factor():
        s *= int(p) ** (k // 2)
        d *= int(p) ** (k % 2)
    return s, d


def _quadratic(c: Sequence[int], root: arb) -> str:
    s, d = _split_square(c[1] * c[1] - 4 * c[0] * c[2])
    positive = bool(root * (2 * c[2]) + c[1] > 0)
    return quotient([(-c[1], "1"), (s if positive else -s, f"sqrt({d})")], [(2 * c[2], "1")])


def _cardano(c: Sequence[int]) -> str | None:
    """x = t − b/3a with t³ + pt + q = 0; one real root where q²/4 + p³/27 > 0 (G. Cardano, Ars Magna, 1545)."""
    d, cc, b, a = (Fraction(x) for x in c)
    p = (3 * a * cc - b * b) / (3 * a * a)
    q = (2 * b ** 3 - 9 * a * b * cc + 27 * a * a * d) / (27 * a ** 3)
    square = q * q / 4 + p ** 3 / 27
    if square <= 0:
        return None
    s, k = _split_square(square.numerator * square.denominator)
    terms, scale = [], square.denominator
    for sign in (1, -1):
        inner = (-q / 2, Fraction(sign * s, scale))
        value = float(inner[0]) + float(inner[1]) * math.sqrt(k)
        flip = -1 if value < 0 else 1
        low = math.lcm(inner[0].denominator, inner[1].denominator)
        text = quotient([(int(flip * inner[0] * low), "1"), (int(flip * inner[1] * low), f"sqrt({k})")], [(low, "1")])
        terms.append((flip, f"cbrt({text})"))
    shift = -b / (3 * a)
    total = _sum([t for t in terms if t[0] > 0] + [t for t in terms if t[0] < 0])
    if shift:
        total += f" {'+' if shift > 0 else '-'} {abs(shift)}"
    return total


def minimal_factor(coefficients: Sequence[int], value: arb) -> tuple[int, ...] | None:
    """The irreducible factor of an integer polynomial that has the number as a root, as far as its ball tells; None where none has."""
    for factor, _ in fmpz_poly(list(coefficients)).factor()[1]:
        if factor.degree() >= 1 and factor(value).contains(0):
            c = [int(x) for x in factor.coeffs()]
            return tuple(c if c[-1] > 0 else [-x for x in c])
    return None
