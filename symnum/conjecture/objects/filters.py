"""Which true inequalities are worth saying: the most general hypothesis, the most equalities, something new on some row.

    Morgan      of one inequality, only the hypotheses that no other hypothesis under which it is true contains
    touches     the rows with equality; more come first
    Dalmatian   a bound is kept only if on some row it is strictly better than all bounds kept before it

The Dalmatian rule is S. Fajtlowicz's ("On conjectures of Graffiti" V, 1995); the Morgan rule and the order by touches are those of
TxGraffiti (R. Davila 2024, arXiv:2409.19379). All comparisons are exact.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from symnum.conjecture.objects.bounds import Inequality
from symnum.conjecture.objects.exact import Column, combine
from symnum.conjecture.objects.invariants import ObjectTable

Hypothesis = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Candidate:
    """An inequality under a hypothesis.

    Attributes:
        rows: the rows of the hypothesis (rows,), bool.
        sharp: the rows among them with equality (rows,), bool.
        slack: how far the bound is from the target, times `weight`, on every row.
    """

    inequality: Inequality
    hypothesis: Hypothesis
    rows: np.ndarray
    sharp: np.ndarray
    slack: Column

    @property
    def touches(self) -> int:
        return int(self.sharp.sum())

    @property
    def weight(self) -> int:
        return abs(self.inequality.weights[0])

    @property
    def is_equality(self) -> bool:
        return bool(self.sharp[self.rows].all())


def candidates(
    table: ObjectTable, inequalities: Iterable[Inequality], hypotheses: Sequence[Hypothesis], min_touches: int = 1
) -> list[Candidate]:
    """Every inequality under its most general hypotheses (Morgan), with at least this many touches.

    A hypothesis counts where the inequality is defined and true on all its rows, and no other such hypothesis has more rows around them.
    """
    masks = [table.holds(h) for h in hypotheses]
    found = []
    for inequality in inequalities:
        slack = inequality.slack(table)
        signs = slack.signs()
        true = slack.defined & (signs >= 0)
        sharp = slack.defined & (signs == 0)
        # larger sets of rows first; of equal sets the one with fewer properties
        order = sorted((j for j, m in enumerate(masks) if true[m].all()), key=lambda j: (-int(masks[j].sum()), len(hypotheses[j])))
        general: list[int] = []
        for j in order:
            if not any((masks[j] <= masks[k]).all() for k in general):
                general.append(j)
        for j in general:
            touching = sharp & masks[j]
            if int(touching.sum()) >= min_touches:
                found.append(Candidate(inequality, hypotheses[j], masks[j], touching, slack))
    return found


def ranked(found: Iterable[Candidate]) -> list[Candidate]:
    """Most touches first; among equals the shorter, and the one with fewer properties."""
    return sorted(found, key=lambda c: (-c.touches, c.inequality.size, len(c.hypothesis), str(c.inequality.right), c.hypothesis))


def dalmatian(
    found: Sequence[Candidate], limit: int | None = None, accept: Callable[[Candidate], bool] = lambda _: True
) -> list[Candidate]:
    """Those that say something new, in the given order; upper and lower bounds apart, up to `limit` of each.

    An equality on all rows of its hypothesis counts for both. Of those that are new only the accepted ones are kept.
    """
    kept: list[Candidate] = []
    for upper in (True, False):
        side: list[Candidate] = []
        equal = [k for k in kept if k.is_equality]
        for c in found:
            if limit is not None and len(side) >= limit:
                break
            if c.inequality.is_upper == upper and best_on(c, [*equal, *side]).any() and accept(c):
                side.append(c)
        kept += side
    return ranked(kept)


def best_on(c: Candidate, others: Iterable[Candidate]) -> np.ndarray:
    """The rows (rows,) of the hypothesis on which the bound is strictly better than every other one that applies there."""
    left = c.rows.copy()
    for k in others:
        closer = combine([k.weight, -c.weight], [c.slack, k.slack]).signs()
        left &= ~(k.rows & (closer >= 0))
        if not left.any():
            break
    return left
