"""Proofs that a continued fraction has the value it seems to have, by a chain to one whose value is a theorem.

A fraction of the anchor's own family has its value by an exact Möbius map (`equivalence`). For another fraction p a gauge
transformation s U(n) M_q(n) = d M_p(n) U(n+1) to an anchor q is looked for (`gauge`), for the steps themselves and for pairs of steps
of one against single steps of the other. It makes M_p(N)⋯M_p(n) U(n+1) a multiple of U(N) M_q(N)⋯M_q(n), so that the limits correspond:

    Let 4 b(n) + a(n) a(n−1) ≥ 0 and a(n) a(n−1) > 0 for every n ≥ N, and deg b ≤ 2 deg a + 2. Then the convergents S_n(∞) of q converge,
    and so do, to the same limit, the images S_n(t_n) of all tails with t_n/a(n) ≥ 1/2. For b > 0 (Seidel, Stern), as S_n(t) is from S_n(∞)
    at most twice as far as S_{n+1}(∞). For b < 0 all S_n increase, so that S_n(∞) falls by some δ_n and the intervals between S_n(a(n)/2)
    and S_n(∞) are nested, of lengths D_n with δ_n = 2 ε_n D_n / (1 + 2 ε_n), where q_n/q_{n−1} = (1/2 + ε_n) a(n), q_n here the
    denominators of the tail from N on; 1/ε_n ≤ 1/ε_{n−1} + 2 by the recurrence, so ε_n is at least of the order 1/n, and Σ δ_n < ∞ leaves
    D_n → 0 alone.
    Now p's convergents come from the vectors M_q(n)⋯M_q(n+h−1) U(n+h)⁻¹ (1, 0), and q's from M_p(n)⋯M_p(n+h−1) U(n+h) (1, 0): it is
    enough that one of them, for some h, is such a tail for all large n, which is a question of the sign of one polynomial.

A certificate holds fraction, anchor, U, s, d and the map between the values in integers. Its check redoes every step in exact
arithmetic and looks at nothing but the certificate and the anchors.
After T. Raz et al., "From Euler to AI: unifying formulas for mathematical constants", arXiv:2502.17533.
"""

from collections.abc import Mapping, Sequence
from operator import index
from typing import Any

from flint import ctx, fmpz_poly

from symnum.numbers import formula
from symnum.numbers.equivalence import (
    Moebius,
    applied,
    deflate,
    family_key,
    high_first,
    inverse,
    moebius,
    moebius_text,
    normal,
    shifted,
)
from symnum.numbers.gauge import Blocks, Gauge, Matrix, determinant, gauge
from symnum.numbers.known import Anchor, anchors
from symnum.numbers.pcf import PCF, compose

Certificate = dict[str, Any]
FOLDS = ((1, 1), (2, 1), (1, 2))  # steps per block of the fraction, of the anchor
AHEAD = 8  # blocks h by which a vector may be carried on before it is a tail
FAR = 10_000  # blocks and shifts beyond are not believed to be needed
DIGITS = 30  # to which a proved value is compared with the fraction's own ball: a guard against errors in this file


def prove(pcf: PCF, known: Sequence[Anchor] | None = None) -> Certificate | None:
    """A proof of the fraction's value from one of the anchors; None where none was found.

    Args:
        pcf: the fraction.
        known: the anchors; those that ship with the package by default.

    Returns:
        A certificate, which JSON can hold: `fraction` and `anchor` with `a`, `b`; `constant` and `map`, the value being
        (A c + B)/(C c + D); `formula`, the value as a text; `source`, the theorem; `kind`: "equivalence", or "coboundary" with `folds`,
        `shifts`, `from`, `u`, `s`, `d`.

    >>> proof = prove(PCF((3, 3), (-2, 1, 0)))
    >>> proof["formula"], proof["kind"], check_certificate(proof)
    ('4/(3*pi - 8)', 'coboundary', True)
    """
    if pcf.a == (0,) or pcf.last_term is not None:
        return None
    choice = anchors() if known is None else known
    key = family_key(pcf)
    for anchor in choice:
        if family_key(anchor.fraction) == key and (certificate := _by_equivalence(pcf, anchor)):
            return certificate
    small = deflate(pcf)
    for folds in FOLDS:
        for anchor in choice:
            if certificate := _by_coboundary(pcf, small, anchor, folds):
                return certificate
    return None


def check_certificate(certificate: Mapping[str, Any], known: Sequence[Anchor] | None = None) -> bool:
    """Whether a certificate proves what it says: every identity and inequality of it is checked again, exactly.

    Args:
        certificate: from `prove`, also after a way through JSON.
        known: the anchors that are accepted as theorems; those that ship with the package by default.
    """
    try:
        return _holds(certificate, anchors() if known is None else known)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):  # not even of the form of a certificate
        return False


def _holds(c: Mapping[str, Any], known: Sequence[Anchor]) -> bool:
    pcf, fraction = _fraction(c["fraction"]), _fraction(c["anchor"])
    anchor = next((x for x in known if (x.fraction, x.constant, x.source) == (fraction, c["constant"], c["source"])), None)
    if anchor is None or pcf.last_term is not None or c["kind"] not in ("equivalence", "coboundary"):
        return False
    if c["kind"] == "equivalence":
        between = moebius(pcf, fraction)
    else:
        between = _between(pcf, _fraction(c["deflated"]), fraction, tuple(c["folds"]), tuple(c["shifts"]), c["from"], Gauge(
            tuple(_polynomial(x) for x in c["u"]), _polynomial(c["s"]), _polynomial(c["d"])))
    if between is None:
        return False
    total = normal(compose(between, anchor.map))
    return total == tuple(c["map"]) and c["formula"] == moebius_text(total, anchor.constant)


# finding --------------------------------------------------------------------------------------------------------------
def _by_equivalence(pcf: PCF, anchor: Anchor) -> Certificate | None:
    between = moebius(pcf, anchor.fraction)
    return None if between is None else _certificate("equivalence", pcf, anchor, between)


def _by_coboundary(pcf: PCF, small: PCF, anchor: Anchor, folds: tuple[int, int]) -> Certificate | None:
    first, second = Blocks.of(small, folds[0]), Blocks.of(anchor.fraction, folds[1])
    found = gauge(first, second)
    if found is None:
        return None
    start = _start(first, second, found)
    shifts = first.shift, second.shift
    between = _between(pcf, small, anchor.fraction, folds, shifts, start, found)
    if between is None:
        return None
    return _certificate("coboundary", pcf, anchor, between) | {
        "deflated": _texts(small), "folds": list(folds), "shifts": list(shifts), "from": start,
        "u": [_list(x) for x in found.u], "s": _list(found.s), "d": _list(found.d)}


def _start(first: Blocks, second: Blocks, found: Gauge) -> int:
    """The least block from which on nothing is 0 and all steps are from 1 on."""
    roots = [int(r) for f in (found.s, found.d) for r, _ in f.roots()]
    n = max([1, *(r + 1 for r in roots)])
    while min(first.first(n), second.first(n)) < 1 or determinant(found.u)(n) == 0:
        n += 1
    return n


def _certificate(kind: str, pcf: PCF, anchor: Anchor, between: Moebius) -> Certificate:
    total = normal(compose(between, anchor.map))
    _confirm(pcf, total, anchor.constant)
    return {
        "kind": kind, "fraction": _texts(pcf), "anchor": _texts(anchor.fraction), "constant": anchor.constant, "source": anchor.source,
        "map": list(total), "formula": moebius_text(total, anchor.constant)}


def _confirm(pcf: PCF, total: Moebius, constant: str) -> None:
    if pcf.proven_from is None:
        return
    digits = DIGITS + 2 * len(str(max(map(abs, total))))
    with ctx.workdps(digits + 10):
        own, proved = pcf.ball(DIGITS, depth=1024), applied(total, formula.ball(constant, digits))
        if not own.overlaps(proved):
            msg = f"the value proved, {proved.str(20)}, and the fraction's, {own.str(20)}, differ: {pcf.text}"
            raise AssertionError(msg)


# checking -------------------------------------------------------------------------------------------------------------
def _between(pcf: PCF, small: PCF, anchor: PCF, folds: tuple[int, ...], shifts: tuple[int, ...], start: int,
             found: Gauge) -> Moebius | None:
    """The map from the anchor's value to the fraction's; None where something does not hold."""
    outer = moebius(pcf, small)
    first, second = Blocks(small, folds[0], shifts[0]), Blocks(anchor, folds[1], shifts[1])
    if outer is None or anchor.last_term is not None or len(found.u) != 4 or folds not in FOLDS or max(start, *map(abs, shifts)) > FAR:
        return None
    if not found.holds(first.matrix, second.matrix) or not _regular(first, second, found, start):
        return None
    if not _limits_correspond(first, second, found.u):
        return None
    u = tuple(x(start) for x in found.u)
    inner = compose(compose(small.convergents(first.first(start)), u), inverse(anchor.convergents(second.first(start))))
    return normal(compose(outer, inner))


def _regular(first: Blocks, second: Blocks, found: Gauge, start: int) -> bool:
    """Whether from block `start` on all steps are from 1 on, s and d have no roots, and U is not singular."""
    ends = all(int(r) < start for f in (found.s, found.d) for r, _ in f.roots())
    return ends and min(first.first(start), second.first(start)) >= 1 and determinant(found.u)(start) != 0


def _converges(pcf: PCF) -> bool:
    """Whether the convergents, and the images of tails as at the head of this file, are shown to converge."""
    return pcf.proven_from is not None and len(pcf.b) <= 2 * len(pcf.a) + 1


def _limits_correspond(first: Blocks, second: Blocks, u: Matrix) -> bool:
    """Whether the limit of `first` is shown to exist and to be that of `second`, carried over by U: U⁻¹ takes convergents to tails, or,
    where both fractions are known to converge, U does."""
    if not _converges(second.fraction):
        return False
    both = _converges(first.fraction)
    a, b, c, d = u
    back = [(d, -c)] if both or first.fold == 1 else [(d, -c), (-b, a)]  # else all convergents, not every second one, are to converge
    return all(_tail(second, x, y) for x, y in back) or (both and _tail(first, a, c))


def _tail(blocks: Blocks, x: fmpz_poly, y: fmpz_poly) -> bool:
    """Whether M(n)⋯M(n+h−1) (x, y)(n+h) is, for some h and all large n, a tail with t/a(n) ≥ 1/2: (x, y) stands for t = b x / y."""
    a, b = (f(blocks.index) for f in blocks.fraction.polynomials)
    m = blocks.matrix
    for _ in range(AHEAD):
        inside = a * y * (2 * b * x - a * y)  # (2 t/a − 1) a² y²
        if (inside == 0 and x != 0) or inside.leading_coefficient() > 0:
            return True
        x, y = shifted(x, 1), shifted(y, 1)
        x, y = m[0] * x + m[1] * y, m[2] * x + m[3] * y
        common = x.gcd(y)
        x, y = x // common, y // common
    return False


def _fraction(data: Mapping[str, Any]) -> PCF:
    return PCF(tuple(map(index, data["a"])), tuple(map(index, data["b"])))  # int would make 1 of 1.5


def _texts(pcf: PCF) -> dict[str, list[int]]:
    return {"a": list(pcf.a), "b": list(pcf.b)}


def _polynomial(coefficients: Sequence[int]) -> fmpz_poly:
    return fmpz_poly([index(c) for c in reversed(coefficients)])


def _list(p: fmpz_poly) -> list[int]:
    return list(high_first(p))
