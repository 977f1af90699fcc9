"""The Pareto front over (complexity, loss) and the choice of one formula from it.

    score_i = -(log loss_i - log loss_{i-1}) / (complexity_i - complexity_{i-1})

A front is immutable; `merged` returns a new one. Losses below `floor` (what rounding alone leaves) count as the floor, so
that an exact law is not beaten by a longer formula that rounds more kindly.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from symnum.language.expr import Expr

SELECTIONS = ("best", "accuracy", "score", "mdl", "bic")
MARGIN = 1e-6  # relative gain in loss that earns a place: less is the fitter's last digits
SYMBOL = math.log(12)  # nats per token: a grammar offers about a dozen symbols at a time
SIMILAR = math.log(1000)  # nats: of two formulas the data must favour the longer by such odds, since millions were tried


@dataclass(frozen=True, slots=True)
class Candidate:
    """A formula with its measure.

    Attributes:
        expr: the formula, constants fitted.
        complexity: in the grammar's costs.
        loss: on all training rows.
        snapped: the same formula with constants snapped to exact ones (integers, small rationals, multiples of pi, e,
            sqrt 2) where the loss allows it, else None.
        holdout: loss on the rows held out, or None where none were.
        reading: the formula simplified for reading, with its fitted constants, or None.
    """

    expr: Expr
    complexity: int
    loss: float
    snapped: Expr | None = None
    holdout: float | None = None
    reading: Expr | None = None

    @property
    def best(self) -> Expr:
        """What is shown and predicts: the snapped formula where there is one, else the reading form, else the formula as found."""
        return next(e for e in (self.snapped, self.reading, self.expr) if e is not None)


@dataclass(frozen=True, slots=True)
class Front:
    """Candidates by rising complexity and strictly falling loss.

    Attributes:
        candidates: the formulas.
        floor: the loss that rounding in float64 leaves.
        resolution: the loss below which the data's written digits say nothing; descriptions count no less.

    >>> x, y = Expr.parse("x"), Expr.parse("x + 1")
    >>> front = Front(floor=1e-20).merged([Candidate(y, 3, 0.1), Candidate(x, 1, 0.5), Candidate(y, 5, 0.2)])
    >>> [c.complexity for c in front.candidates]
    [1, 3]
    """

    candidates: tuple[Candidate, ...] = ()
    floor: float = 0.0
    resolution: float = 0.0

    def __len__(self) -> int:
        return len(self.candidates)

    def __getitem__(self, i: int) -> Candidate:
        return self.candidates[i]

    def __iter__(self):
        return iter(self.candidates)

    def merged(self, new: Iterable[Candidate]) -> "Front":
        """This front with new candidates; what is beaten drops out. Ties go to the older candidate."""
        kept, least = [], math.inf
        for c in sorted([*self.candidates, *new], key=lambda c: c.complexity if not math.isnan(c.loss) else math.inf):
            loss = max(c.loss, self.floor)
            if not loss < least * (1 - MARGIN):
                continue
            if kept and kept[-1].complexity == c.complexity:
                kept.pop()
            kept.append(c)
            least = loss
        return replace(self, candidates=tuple(kept))

    def bound(self, complexity: int) -> float:
        """The least loss among candidates of at most this complexity; Inf where there is none."""
        return min((max(c.loss, self.floor) for c in self.candidates if c.complexity <= complexity), default=math.inf)

    @property
    def scores(self) -> list[float]:
        """Gain in log loss per unit of complexity over the previous candidate; 0 for the first."""
        out = [0.0] if self.candidates else []
        for a, b in zip(self.candidates, self.candidates[1:], strict=False):
            tiny = max(self.floor, 1e-300)
            out.append((math.log(max(a.loss, tiny)) - math.log(max(b.loss, tiny))) / (b.complexity - a.complexity))
        return out

    def choose(self, selection: str = "best", rows: int = 100) -> int:
        """The position of the chosen candidate.

        Args:
            selection: `mdl`: least description length in nats, (n - k)/2 log loss + tokens log 12 + k/2 log n with k fitted
                constants (Rissanen 1978, doi:10.1016/0005-1098(78)90005-5); `best`: highest score among the formulas
                about as short to describe as that; `bic`: least n log loss + k log n; `accuracy`: least loss; `score`:
                highest score.
            rows: number of training rows n.

        Raises:
            ValueError: unknown selection, or an empty front.
        """
        if selection not in SELECTIONS:
            msg = f"a selection among {', '.join(SELECTIONS)} was required, got {selection!r}"
            raise ValueError(msg)
        if not self.candidates:
            msg = "the front is empty: no formula was finite on every row"
            raise ValueError(msg)
        losses = [max(c.loss, self.floor, 1e-300) for c in self.candidates]
        scores, last = self.scores, range(len(losses))
        if selection == "accuracy":
            return losses.index(min(losses))
        if selection == "score":
            return max(last, key=lambda i: scores[i])
        if selection == "bic":
            return min(last, key=lambda i: rows * math.log(losses[i]) + len(self.candidates[i].best.constants) * math.log(rows))
        lengths = [_description(c, max(loss, self.resolution), rows) for c, loss in zip(self.candidates, losses, strict=True)]
        if selection == "mdl":
            return lengths.index(min(lengths))
        return max((i for i in last if lengths[i] <= min(lengths) + SIMILAR), key=lambda i: scores[i])


def _description(c: Candidate, loss: float, n: int) -> float:
    """Nats to describe the formula and the data by it; (n - k)/2 is what constants and noise level leave when integrated out."""
    k = len(c.expr.constants)
    return max(n - k, 0) / 2 * math.log(loss) + len(c.expr.tokens) * SYMBOL + k / 2 * math.log(n)
