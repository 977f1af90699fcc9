"""What a task is to the rest of symnum: a `Problem` turns batches into scores and judges a finished formula.

*It fits* (`score`) and *it is true* (`verify`) are two different questions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from symnum.evaluate.cpu import CpuEvaluator, Rows
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import Op


@dataclass(frozen=True, slots=True)
class Score:
    """Measured expressions.

    Attributes:
        batch: the expressions with the constants that gave the losses.
        loss: (P,) losses; Inf where an expression is not finite on every row.
        evaluations: passes over the rows that were spent.
        node_rows: tokens times rows evaluated.
    """

    batch: Batch
    loss: np.ndarray
    evaluations: int
    node_rows: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """An independent check of a formula.

    Attributes:
        r2: coefficient of determination on the training rows.
        holdout_r2: the same on rows the search never saw, or None where there were too few to hold out.
        rows, holdout_rows: how many rows each figure rests on.
        message: the verdict in words.
    """

    r2: float
    holdout_r2: float | None
    rows: int
    holdout_rows: int
    message: str


def rows_of(problem: "Problem") -> int:
    """How many rows the losses of finished formulas are means of."""
    rows = getattr(problem, "rows", None)
    return getattr(problem, "train", problem.search).n if rows is None else rows


class Problem(Protocol):
    """A task. `probe` and `floor` let searches compare functions and recognise exactness; `search` are the rows they look at."""

    names: tuple[str, ...]
    target: str
    floor: float
    resolution: float
    fingerprint: str
    probe: Rows
    search: Rows

    def score(
        self, batch: Batch, evaluator: CpuEvaluator, *, full: bool = False, view: str = "", iterations: int = 6, starts: int = 1
    ) -> Score:
        """Fit the free constants and measure, on the search rows, on all training rows (`full`), or through a `view`."""
        ...

    def views(self, operators: Iterable[Op]) -> tuple[str, ...]:
        """Operators g through whose inverse the task may be seen: y = g(f) is searched as g⁻¹(y) = f."""
        ...

    def verify(self, expr: Expr) -> Verdict:
        """Check a formula independently of the search."""
        ...
