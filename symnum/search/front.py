"""The Pareto front over (complexity, loss) and the choice of one formula from it.

    score_i = -(log loss_i - log loss_{i-1}) / (complexity_i - complexity_{i-1})

A front is immutable; `merged` returns a new one. Losses below `floor` (what rounding alone leaves) count as the floor, so
that an exact law is not beaten by a longer formula that rounds more kindly.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from symnum.language.expr import Expr

SELECTIONS = ("best", "mdl", "aic", "bic", "validation", "accuracy", "score")
MARGIN = 1e-6  # relative gain in loss that earns a place: less is the fitter's last digits
SYMBOL = math.log(12)  # nats per token: a grammar offers about a dozen symbols at a time
SIMILAR, FEW = math.log(30), 8  # nats of description that mean nothing where rows are no more than few; fewer nats where rows are more


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
        description: nats to describe formula, constants and data (`symnum.problem.description`), or None while it is searched.
        nats: -log likelihood of the data up to a constant; None where that is n/2 log loss, or while it is searched.
        validation: mean loss on rows that the constants were not fitted to, and its standard error, or None.
    """

    expr: Expr
    complexity: int
    loss: float
    snapped: Expr | None = None
    holdout: float | None = None
    reading: Expr | None = None
    description: float | None = None
    validation: tuple[float, float] | None = None
    nats: float | None = None

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
            selection: how.

                `best`: shortest description, (n - k)/2 log loss + tokens log 12 + k/2 log n nats with k fitted constants, or the
                    candidates' own nats in the place of the first term (Rissanen 1978, doi:10.1016/0005-1098(78)90005-5);
                    among few rows the highest score of what is about as short.
                `mdl`: shortest description with every constant at the precision that the data give it
                    (`symnum.problem.description`; as `best` counts while a search runs).
                `aic`, `bic`: least n log loss, or twice the nats, + 2 k n/(n - k - 1) or + k log n, the noise's size being one of the k
                    (Hurvich & Tsai 1989, doi:10.1093/biomet/76.2.297; Schwarz 1978).
                `validation`: the simplest within one standard error of the least loss on rows that the constants were not
                    fitted to (Breiman et al. 1984, §3.4.3); as `bic` where no such loss is known.
                `accuracy`: least loss.
                `score`: highest score.
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
        known = None not in (c.nats for c in self.candidates)
        if selection == "accuracy":
            return losses.index(min(losses))
        if selection == "score":
            return max(last, key=lambda i: scores[i])
        judged = [c.validation for c in self.candidates]
        if selection == "validation" and None not in judged:
            mean, error = min((v for v in judged if v[0] == v[0]), default=(math.inf, 0.0))
            return next((i for i, v in enumerate(judged) if v[0] <= mean + error), 0)
        if selection in ("aic", "bic", "validation"):
            free = [len(c.best.constants) + 1 for c in self.candidates]
            price = [2 * k * rows / (rows - k - 1) if rows > k + 1 else math.inf for k in free]
            if selection != "aic":
                price = [k * math.log(rows) for k in free]
            misfit = [2 * c.nats if known else rows * math.log(loss) for c, loss in zip(self.candidates, losses, strict=True)]
            return min(last, key=lambda i: misfit[i] + price[i])
        described = [c.description for c in self.candidates]
        if selection == "mdl" and None not in described:
            return described.index(min(described))
        lengths = [_description(c, max(loss, self.resolution), rows, known) for c, loss in zip(self.candidates, losses, strict=True)]
        alike = min(lengths) + (SIMILAR * min(1.0, (FEW / rows) ** 2) if selection == "best" else 0.0)
        return max((i for i in last if lengths[i] <= alike), key=lambda i: scores[i])


def _description(c: Candidate, loss: float, n: int, known: bool) -> float:
    """Nats to describe the formula and the data by it; (n - k)/2 is what constants and noise level leave when integrated out."""
    k = len(c.expr.constants)
    misfit = c.nats if known else max(n - k, 0) / 2 * math.log(loss)
    return misfit + len(c.expr.tokens) * SYMBOL + k / 2 * math.log(n)
