"""Which polynomial continued fractions are one fraction in other clothes: inflations, integer shifts of n, and folds.

Multiplying a(n) by f(n) and b(n) by f(n) f(n−1), f a rational function, changes the value by f(0) alone (an inflation; f = −1 changes
the sign of a). What an inflation leaves alone is the rational function R(n) = b(n) / (a(n) a(n−1)), and two fractions with the same
R are inflations of each other. A shift n → n + k takes the tail from k on in place of the fraction. The key of a family is R with n
shifted so that the mean of the roots of its numerator and denominator lies in (−1, 0]; the values of two members are related by a
Möbius map with integer coefficients, found here exactly.
The rational function as key of a family: LIReC, the library behind M. Shalyt et al., "Unsupervised Discovery of Formulas for
Mathematical Constants", NeurIPS 2024, arXiv:2412.16818; there the largest root fixes the shift, which the mean of the roots does
without finding any. Folds: T. Raz et al., "From Euler to AI: unifying formulas for mathematical constants", arXiv:2502.17533.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from math import gcd, prod

from flint import arb, ctx, fmpq, fmpz, fmpz_poly

from symnum.numbers.pcf import PCF, compose

Moebius = tuple[int, int, int, int]  # (A, B, C, D): x -> (A x + B) / (C x + D)
CONFIRMED = 30  # digits to which proven balls must agree with a Möbius map that was found exactly


def deflate(pcf: PCF) -> PCF:
    """The fraction without the constants and polynomials by which it was inflated, as far as factors of a show them; a from then on
    has a positive leading coefficient.

    A constant c goes where c divides a and c² divides b, a polynomial f where f(n) divides a and f(n) f(n−1) divides b.

    >>> deflate(PCF((-6, -3), (9, 0, 0)))
    PCF(a=(2, 1), b=(1, 0, 0))
    >>> deflate(PCF((2, 3, 1), (1, 1, 0, 0)))  # by n + 1
    PCF(a=(2, 1), b=(1, 0))
    """
    a, b = pcf.polynomials
    for factor, times in a.factor()[1]:
        step = factor * shifted(factor, -1)
        for _ in range(times):
            quotient, rest = divmod(b, step)
            if rest != 0:
                break
            a, b = a // factor, quotient
    return primitive(PCF(high_first(a), high_first(b)))


def primitive(pcf: PCF) -> PCF:
    """The fraction of which this one is the inflation by a constant: (a, b) of (c·a, c²·b), the sign of c making a_lead positive.

    >>> primitive(PCF((-4, -2), (4, 0, 0)))
    PCF(a=(2, 1), b=(1, 0, 0))
    """
    c = _square_root(gcd(gcd(*pcf.a) ** 2, *pcf.b)) * (-1 if pcf.a[0] < 0 else 1)
    return PCF(tuple(x // c for x in pcf.a), tuple(x // c**2 for x in pcf.b))


def _square_root(n: int) -> int:
    """The largest c whose square divides n."""
    return prod(int(p) ** (times // 2) for p, times in fmpz(n).factor())


def family_key(pcf: PCF) -> str:
    """The key of the fraction's family: equal for all inflations by constants or polynomials, integer shifts of n, and a → −a.

    The text holds the coefficients, from the highest power down, of numerator and denominator of R.

    Raises:
        ValueError: a is zero, for which the fraction has no limit.

    >>> family_key(PCF((2, 1), (1, 0, 0)))
    '1 0 0 / 4 0 -1'
    >>> family_key(PCF((-10, -15), (25, 50, 25))) == family_key(PCF((2, 1), (1, 0, 0)))  # shifted by 1 and inflated by −5
    True
    """
    top, bottom, _ = canonical_ratio(pcf)
    return f"{' '.join(map(str, high_first(top)))} / {' '.join(map(str, high_first(bottom)))}"


@lru_cache(1024)
def canonical_ratio(pcf: PCF) -> tuple[fmpz_poly, fmpz_poly, int]:
    """(P, Q, k): R(n + k) = P(n)/Q(n), coprime integer polynomials without a common content, the leading coefficient of Q positive.

    k is fixed by the mean of the roots of P·Q, which a shift by one moves by one: it comes to lie in (−1, 0]. Without roots k is 0.
    """
    a, b = pcf.polynomials
    if a == 0:
        msg = f"a other than 0 was required, got {pcf.text}: such a fraction has no limit"
        raise ValueError(msg)
    top, bottom = _reduced(b, a * shifted(a, -1))
    both = top * bottom
    degree = both.degree()
    if degree == 0:
        return top, bottom, 0
    mean = fmpq(-both[degree - 1], both[degree] * degree)
    k = int(mean.ceil())
    return shifted(top, k), shifted(bottom, k), k


def moebius(p: PCF, q: PCF) -> Moebius | None:
    """The integers (A, B, C, D), coprime, A or the first that is not 0 positive, with value(p) = (A·value(q) + B)/(C·value(q) + D).

    The map is exact: it comes from the heads of the two fractions and the rational function by which their tails are inflated.
    Where both limits are proven (see `PCF.ball`), it is checked on their balls as well. None where the fractions are of different
    families, or where one is finite.

    Raises:
        ValueError: a is zero.

    >>> moebius(PCF((6, 3), (9, 0, 0)), PCF((2, 1), (1, 0, 0)))  # inflated by 3
    (3, 0, 0, 1)
    >>> moebius(PCF((2, 3), (1, 2, 1)), PCF((2, 1), (1, 0, 0)))  # the tail from 1 on: v = 1 + 1/w
    (0, 1, 1, -1)
    """
    (p_top, p_bottom, p_shift), (q_top, q_bottom, q_shift) = canonical_ratio(p), canonical_ratio(q)
    if (p_top, p_bottom) != (q_top, q_bottom) or p.last_term is not None or q.last_term is not None:
        return None
    k = q_shift - p_shift  # the term n of p stands beside the term n + k of q
    top, bottom = _reduced(p.polynomials[0], shifted(q.polynomials[0], k))  # a_p(n) = f(n) a_q(n + k)
    start = max(0, -k, 1 + max((int(r) for f in (top, bottom) for r, _ in f.roots()), default=-1))  # f is neither 0 nor infinite from here
    inflation = top(start), bottom(start)
    scale = (inflation[0], fmpz(0), fmpz(0), inflation[1])  # tail of p from `start` = f(start) · tail of q from start + k
    found = normal(compose(compose(head(p, start), scale), inverse(head(q, start + k))))
    _confirm(found, p, q)
    return found


def head(pcf: PCF, n: int) -> tuple[fmpz, ...]:
    """(A, B, C, D): the value is (A t + B)/(C t + D), t = a(n) + b(n+1)/(a(n+1) + …) the tail from n on."""
    if n == 0:
        return fmpz(1), fmpz(0), fmpz(0), fmpz(1)
    b = pcf.polynomials[1](n)
    p, p0, q, q0 = pcf.convergents(n)
    return p, b * p0, q, b * q0


def inverse(m):
    """The inverse map."""
    a, b, c, d = m
    return d, -b, -c, a


def normal(m) -> Moebius:
    """The same map in coprime integers, the first that is not 0 positive."""
    common = gcd(*map(int, m))
    sign = 1 if next(x for x in m if x) > 0 else -1
    a, b, c, d = (sign * int(x) // common for x in m)
    return a, b, c, d


def moebius_text(m: Moebius, x: str) -> str:
    """The image of a formula as a formula.

    >>> moebius_text((0, 4, 1, 0), "pi"), moebius_text((1, -2, -3, 4), "pi^2"), moebius_text((3, 0, 0, 1), "zeta(3)")
    ('4/pi', '-(pi^2 - 2)/(3*pi^2 - 4)', '3*zeta(3)')
    """
    a, b, c, d = m
    return quotient_text((b, a), (d, c), ("", factor_text(x)))


def factor_text(formula: str) -> str:
    """The formula as it may stand in a product: in parentheses, unless it is a name, a value of a function or a power of one."""
    return formula if re.fullmatch(r"[^\W\d]\w*(\([^()]*\))?(\^\d+)?", formula) else f"({formula})"


def quotient_text(above: Sequence[int], below: Sequence[int], names: Sequence[str]) -> str:
    """Σ aboveᵢ nameᵢ / Σ belowᵢ nameᵢ, where the name of 1 is empty; the last terms come first, and theirs are the positive ones.

    >>> quotient_text((0, -4, 2), (1, 0, 0), ("", "pi", "log(2)")), quotient_text((1, 1), (0, -2), ("", "pi"))
    ('2*log(2) - 4*pi', '-(pi + 1)/(2*pi)')
    """
    signs = [1 if next(c for c in reversed(side) if c) > 0 else -1 for side in (above, below)]
    over, under = (_sum([sign * c for c in side], names) for sign, side in zip(signs, (above, below), strict=True))
    minus = signs[0] != signs[1]
    if " " in over and (minus or under != "1"):
        over = f"({over})"
    if " " in under or "*" in under:
        under = f"({under})"
    return "-" * minus + (over if under == "1" else f"{over}/{under}")


def _sum(coefficients: Sequence[int], names: Sequence[str]) -> str:
    text = ""
    for c, name in reversed(list(zip(coefficients, names, strict=True))):
        if c:
            size = str(abs(c)) if not name else name if abs(c) == 1 else f"{abs(c)}*{name}"
            text += (" - " if c < 0 else " + ") + size if text else ("-" if c < 0 else "") + size
    return text


def applied(m: Moebius, x: arb) -> arb:
    """The image of a ball."""
    a, b, c, d = m
    return (a * x + b) / (c * x + d)


def _confirm(m: Moebius, p: PCF, q: PCF, digits: int = CONFIRMED) -> None:
    if p.proven_from is None or q.proven_from is None:
        return
    size = max(map(abs, m))
    with ctx.workdps(digits + 2 * len(str(size)) + 10):
        left, right = p.ball(digits, depth=1024), applied(m, q.ball(digits + 2 * len(str(size)), depth=1024))
        if not left.overlaps(right):
            msg = f"value(p) = {left.str(20)} and its image {right.str(20)} under {m} do not overlap: {p.text}; {q.text}"
            raise AssertionError(msg)


def fold(pcf: PCF, k: int = 2) -> PCF:
    """The fraction whose convergents obey the recurrence of every k-th convergent of the given one.

    With (x, y) = (u_kn, u_kn−1) and (x, y) → (x, y)·[[A, B], [C, D]](n) over k terms, y is eliminated:
    C(n−1) x(n) = (A(n) C(n−1) + C(n) D(n−1)) x(n−1) − C(n) det(n−1) x(n−2), and the fraction is inflated by C(n−1), then deflated.

    Raises:
        ValueError: k below 2, or a is zero.

    >>> fold(PCF((1,), (1,)))  # of the Fibonacci numbers: u_2n = 3 u_2n−2 − u_2n−4
    PCF(a=(3,), b=(-1,))
    """
    if k < 2 or pcf.polynomials[0] == 0:
        msg = f"at least 2 terms per fold and a other than 0 were required, got k = {k}, {pcf.text}"
        raise ValueError(msg)
    A, B, C, D = folded(pcf, k)
    before = fmpz_poly([-1, 1])
    a = A * C(before) + C * D(before)
    b = -C * C(before)(before) * (A * D - B * C)(before)
    return deflate(PCF(high_first(a), high_first(b)))


def folded(pcf: PCF, k: int, shift: int = 0) -> tuple[fmpz_poly, ...]:
    """(A, B, C, D), the product of [[a, 1], [b, 0]] at k n − k + 1 + shift, …, k n + shift: k steps of the recurrence as one."""
    a, b = pcf.polynomials
    product = fmpz_poly([1]), fmpz_poly([0]), fmpz_poly([0]), fmpz_poly([1])
    for i in range(1 - k, 1):
        at = fmpz_poly([i + shift, k])
        product = compose(product, (a(at), fmpz_poly([1]), b(at), fmpz_poly([0])))
    return product


# polynomials ----------------------------------------------------------------------------------------------------------
def _reduced(top: fmpz_poly, bottom: fmpz_poly) -> tuple[fmpz_poly, fmpz_poly]:
    """The fraction in lowest terms, the leading coefficient of the denominator positive."""
    common = top.gcd(bottom)
    if bottom.leading_coefficient() < 0:
        common = -common
    return top // common, bottom // common


def shifted(p: fmpz_poly, k: int) -> fmpz_poly:
    """p(n + k)."""
    return p(fmpz_poly([k, 1]))


def high_first(p: fmpz_poly) -> tuple[int, ...]:
    """The coefficients from the highest power down."""
    return tuple(int(c) for c in p.coeffs()[::-1]) or (0,)
