"""One block of a domain: what it holds, screened. Pure: the same block gives the same result, in whichever thread."""

from dataclasses import dataclass

import numpy as np

from symnum.numbers.pcf import PCF
from symnum.numbers.pcf_domain import Domain, Side, limits
from symnum.numbers.pcf_filter import exponents, nilpotent_pairs
from symnum.numbers.pcf_screen import Sieve, screen, tables


@dataclass(frozen=True)
class Block:
    """What a block came to.

    Attributes:
        counts: how many pairs were left out, by reason (see `pcf_domain`), and how many were "tried": these add up to the block's
            size. Of those tried, how many "converged" in the screening, how many have "equal roots" and are judged by the exact
            filters alone, and how many "passed the filters".
        hits, values: fractions and their float64 values, which may be images of a constant.
        slow: fractions that the exact filters let pass and whose values only a ball can tell.
    """

    counts: dict[str, int]
    hits: list[PCF]
    values: np.ndarray
    slow: list[PCF]


def run_block(domain: Domain, k: int, sieve: Sieve | None) -> Block:
    """Screen the k-th block of a domain by value, or, without a sieve, by the exact filters alone."""
    part, i, j = domain.block(k)
    a, b = part.a_side(i), part.b_side(j)
    strict, wide = limits(a, b)
    counts = _left_out(a, b, wide) | {"equal roots": int((wide - strict).sum())}
    slow_i, slow_j = _slow(a, b, strict, wide)
    hits, values = [], np.empty(0)
    if sieve is not None:
        found = screen(tables(a.rows), tables(b.rows), strict, sieve)
        hits = [_pcf(a, b, x, y) for x, y in zip(found.a, found.b, strict=True)]
        values = found.values
        counts["converged"] = found.converged
    else:
        fast_i, fast_j = nilpotent_pairs(a.rows, b.rows, np.zeros_like(strict), strict)
        slow_i, slow_j = np.concatenate([fast_i, slow_i]), np.concatenate([fast_j, slow_j])
    order = np.lexsort((slow_j, slow_i))
    counts["passed the filters"] = len(order)
    return Block(counts, hits, values, [_pcf(a, b, slow_i[x], slow_j[x]) for x in order])


def _pcf(a: Side, b: Side, i: int, j: int) -> PCF:
    return PCF(tuple(a.rows[i].tolist()), tuple(b.rows[j].tolist()))


def _left_out(a: Side, b: Side, wide: np.ndarray) -> dict[str, int]:
    """Pairs that take no part, by reason, and those that are tried."""
    across = len(b.rows) + b.degenerate + b.rational
    return {
        "degenerate": a.degenerate * across + len(a.rows) * b.degenerate,
        "mirrored": a.mirrored * across,
        "rational": len(a.rows) * b.rational,
        "divergent": int((len(b.rows) - wide).sum()),
        "tried": int(wide.sum()),
    }


def _slow(a: Side, b: Side, strict: np.ndarray, wide: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs with equal characteristic roots, a rational exponent and a nilpotent period product."""
    counts = wide - strict
    i = np.repeat(np.arange(len(strict)), counts)
    j = np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(strict, counts)
    rational = exponents(a.rows[i], b.rows[j]) > 0
    i, j = i[rational], j[rational]
    # each pair by itself: as many rows of a and b as there are pairs
    passed, _ = nilpotent_pairs(a.rows[i], b.rows[j], np.arange(len(i)), np.arange(1, len(i) + 1))
    return i[passed], j[passed]
