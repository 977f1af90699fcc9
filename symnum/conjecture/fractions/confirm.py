"""Candidates of a block on proven balls, one by one, and what holds into the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from symnum.conjecture.fractions.block import Block
from symnum.conjecture.fractions.run import standing
from symnum.numbers.equivalence import family_key, primitive
from symnum.numbers.ledger import Step
from symnum.numbers.pcf import PCF
from symnum.numbers.pcf_limit import limit
from symnum.numbers.pcf_match import LOOK, Images, Match, convergence, find, holds

OUTCOMES = {"rational": "rational value", "unproven": "no ball", None: "no relation"}


@dataclass
class Confirmation:
    """Relations of fractions to constants.

    Attributes:
        constants: of the run.
        images: their Möbius images, or None where one relation to all of them is looked for.
        digits: to which relations are confirmed.
        found: relations so far.
        seen: fractions and constants that were looked at in this sitting; inflations come up again and again.
    """

    constants: tuple[str, ...]
    images: Images | None
    digits: int
    found: int = 0
    seen: set[tuple[PCF, tuple[str, ...]]] = field(default_factory=set)

    def add(self, step: Step, block: Block) -> None:
        """Confirm what a block brought, in its order, and add it to a step of the ledger."""
        for name, k in block.counts.items():
            step.count(name, k)
        if self.images is not None:
            for pcf, near in zip(block.hits, self.images.near(block.values), strict=True):
                for constant in self._likely(pcf, [self.images.rows[i] for i in near]):
                    self._confirm(step, pcf, (constant,))
        for pcf in block.slow:
            for group in ((self.constants,) if self.images is None else ((c,) for c in self.constants)):
                self._confirm(step, pcf, group)

    def _likely(self, pcf: PCF, rows: Sequence[Sequence[int]]) -> list[str]:
        """The constants of which a first ball of the value is an image, among the images given."""
        ball = limit(pcf, LOOK) if rows else None
        if ball is None:
            return []
        return list(dict.fromkeys(self.constants[k] for k, *row in rows if holds(row, self.constants[k], ball)))

    def _confirm(self, step: Step, pcf: PCF, constants: tuple[str, ...]) -> None:
        pcf = primitive(pcf)
        if (pcf, constants) in self.seen:
            return
        self.seen.add((pcf, constants))
        match = find(pcf, constants, self.digits)
        if not isinstance(match, Match):
            step.count(OUTCOMES[match])
            return
        kind, rate = convergence(pcf)
        data = {"a": pcf.a, "b": pcf.b, "kind": kind, "rate": round(rate, 4), "family": family_key(pcf)}
        step.candidate(pcf.text, data, match.ball.str(min(self.digits, 40), radius=False))
        relation, (status, why) = match.relation, standing(pcf, match)
        self.found += step.relation(
            pcf.text, match.formula, relation.coefficients, match.basis, relation.digits, relation.needed, match.ball.str(self.digits),
            status, **why)
