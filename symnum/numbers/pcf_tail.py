"""Proven balls for continued fractions that converge like a power of n: their tails, enclosed by rational functions of n.

Where 4 b_lead = −a_lead² and deg b = 2 deg a, n terms prove a few digits only. The tail t(n) = a(n) + b(n+1)/t(n+1) has an asymptotic
expansion n^d Σ τ_k n^−k, whose τ_k are rational and follow one from the other where the exponents are rational (see
`pcf_filter.exponent`). Cut off at K, with ± ε n^(d−K) added, it gives L and U; that

    a(n) + b(n+1)/U(n+1) ≤ U(n)   and   a(n) + b(n+1)/L(n+1) ≥ L(n)   for all n ≥ N

is a statement on polynomials, checked exactly by the signs of their coefficients about N. As b < 0, the map t ↦ a + b/t increases, so
that some sequence of tails lies between L and U. It is the right one: the tails of the convergents fall from infinity to the largest
sequence T; were T above the enclosed one by δ > 0, δ(n+1) = δ(n)·T·t/|b| would grow faster than n^(d+θ−1), θ > 0, and no T of the order
of a(n)/2 allows for that. L. Lorentzen, H. Waadeland, "Continued Fractions", vol. 1, 2008 (tail sequences and modified convergents).
"""

import math

from flint import arb, ctx, fmpq, fmpq_poly, fmpz_poly

from symnum.numbers.formula import GUARD
from symnum.numbers.pcf import PCF
from symnum.numbers.pcf_filter import exponent

PER_TERM = 1.6  # digits that a term of the expansion is worth at N = 8K
MOST_STEPS = 1 << 14


def tail_ball(pcf: PCF, digits: int) -> arb | None:
    """The limit of a fraction with equal characteristic roots, at least `digits` digits of which are proven.

    Returns:
        None where the exponent is not rational and positive, or where the inequalities hold from no N below 16384 on.

    >>> tail_ball(PCF((2, 3, 3, 1), (-1, 0, 0, 0, 0, 0, 0)), 40).str(30, radius=False)      # 1/zeta(3)
    '0.831907372580707468683126278822'
    """
    if pcf.last_term is not None:
        return None
    if pcf.a[0] < 0:
        mirrored = tail_ball(PCF(tuple(-c for c in pcf.a), pcf.b), digits)
        with ctx.workprec(_bits(digits)):  # a sign is a rounding operation too
            return None if mirrored is None else -mirrored
    theta = exponent(pcf.a, pcf.b)
    if theta is None:
        return None
    order = max(len(pcf.a) + 2, int(digits / PER_TERM) + 4)
    tau = _expansion(pcf, fmpq(theta.numerator, theta.denominator), order + 1)
    n = 8 * order
    while n <= MOST_STEPS:
        bounds = _bounds(pcf, tau, n)
        if bounds is not None:
            value = _value(pcf, bounds, n, digits)
            if value.is_finite() and value.rel_accuracy_bits() >= digits * math.log2(10):
                return value
        n *= 2
    return None


def _expansion(pcf: PCF, theta: fmpq, order: int) -> list[fmpq]:
    """τ_0 … τ_order of the tail, from the coefficients of t(n) t(n+1) − a(n) t(n+1) − b(n+1) one after the other."""
    a, b = pcf.polynomials
    d = a.degree()
    shifted = b(fmpz_poly([1, 1]))
    alpha = [fmpq(a[d - i]) if i <= d else fmpq(0) for i in range(order + 2)]
    beta = [fmpq(shifted[2 * d - i]) if i <= 2 * d else fmpq(0) for i in range(order + 2)]
    tau: list[fmpq] = []
    following = [fmpq(0)] * (order + 2)  # coefficients of t(n+1), as far as the τ known so far give them

    def append(value: fmpq) -> None:
        k = len(tau)
        tau.append(value)
        for j in range(k, order + 2):
            following[j] += value * _binomial(d - k, j - k)

    append(alpha[0] / 2)
    append((alpha[1] - tau[0] + theta * tau[0]) / 2)
    for k in range(2, order + 1):
        rest = (tau[0] - alpha[0]) * following[k + 1] - alpha[k + 1] * following[0] - beta[k + 1] - alpha[k] * following[1]
        rest += sum(((tau[i] - alpha[i]) * following[k + 1 - i] for i in range(1, k)), fmpq(0))
        append(-rest / (tau[0] * (k - 1 + theta)))
    return tau


def _binomial(m: int, k: int) -> int:
    """m over k, for negative m too."""
    return math.comb(m, k) if m >= 0 else (-1) ** k * math.comb(k - m - 1, k)


def _bounds(pcf: PCF, tau: list[fmpq], n: int) -> tuple[fmpq, fmpq] | None:
    """L(n) and U(n), where the inequalities are proven from n on."""
    a, b = (fmpq_poly(p) for p in pcf.polynomials)
    order = len(tau) - 2
    power = order - a.degree()
    series = fmpq_poly(tau[order::-1])
    margin = 4 * max(abs(tau[order + 1]), tau[0]) / n
    x, following = fmpq_poly([0, 1]), fmpq_poly([1, 1])
    if not _positive(-b(following), n):  # t ↦ a + b/t must increase
        return None
    ends = []
    for sign in (-1, 1):
        p = series + sign * margin
        later = p(following)
        excess = p * later - a * x ** power * later - b(following) * following ** power * x ** power
        if not (_positive(p, n) and _positive(sign * excess, n)):
            return None
        ends.append(p(fmpq(n)) / fmpq(n) ** power)
    return ends[0], ends[1]


def _positive(p: fmpq_poly, n: int) -> bool:
    """Whether p > 0 from n on, by the signs of its coefficients about n."""
    coefficients = p(fmpq_poly([n, 1])).coeffs()
    return all(c >= 0 for c in coefficients) and coefficients[0] > 0


def _value(pcf: PCF, bounds: tuple[fmpq, fmpq], n: int, digits: int) -> arb:
    """The image of the tail's bounds under the first n terms."""
    p, p0, q, q0 = pcf.convergents(n)
    last = pcf.polynomials[1](n)
    with ctx.workprec(_bits(digits)):
        below, above = (q * t + q0 * last for t in bounds)
        if not (below > 0) == (above > 0) or below == 0 or above == 0:
            return arb.nan()  # a pole lies between
        ends = [arb((p * t + p0 * last) / denominator) for t, denominator in zip(bounds, (below, above), strict=True)]
        return ends[0].union(ends[1])


def _bits(digits: int) -> int:
    return math.ceil(digits * math.log2(10)) + GUARD
