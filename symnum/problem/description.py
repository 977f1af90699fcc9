"""How many nats it takes to write down a formula, its constants at the precision that the data justify, and the data by it.

    L = -log likelihood + k log(symbols) + sum_exact log|number| + sum_free log(2 |c_i| / D_i),   D_i = sqrt(12 / I_ii)

(Bartlett, Desmond & Ferreira 2023, doi:10.1109/TEVC.2023.3280250, eq. 7): k symbols, each one of as many as the formula has
different ones, I the Fisher information of the free constants. The last sum is -p/2 log 3 + sum(log I_ii / 2 + log|c_i|): a
constant is one of so many steps of width D_i as lie within ±c_i. One that is smaller than its step is not told from 0 by
the data and is written as 0.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from symnum.evaluate.cpu import CpuEvaluator
from symnum.evaluate.machine import HUBER, MAE, MSE, POISSON
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import Op

if TYPE_CHECKING:
    from symnum.problem.regression import RegressionProblem


def description_length(problem: "RegressionProblem", forms: Sequence[Expr]) -> float:
    """Nats of the shortest of several forms of one formula; Inf where none is finite on the training rows.

    Args:
        problem: the data.
        forms: formulas in the table's magnitudes, constants fitted.

    >>> from symnum.problem.regression import RegressionProblem
    >>> from symnum.problem.table import as_table
    >>> x = np.linspace(1, 2, 30)
    >>> problem = RegressionProblem(as_table(x[:, None], 3 * x + 0.01 * np.cos(40 * x)))
    >>> line, cubic = (description_length(problem, [Expr.parse(t)]) for t in ("3.0*x0", "2.99*x0 + 0.002*x0^3"))
    >>> line < cubic
    True
    """
    return min((_length(problem, f) for f in forms), default=math.inf)


def data_length(problem: "RegressionProblem", expr: Expr) -> float | None:
    """-log likelihood of the training rows, up to a constant; None where it is n/2 log of the mean loss.

    It is not where the noise's size is known (chi²/2), for mae (n log of the mean) and for counts.

    Args:
        problem: the data.
        expr: a formula in the table's magnitudes.

    >>> from symnum.problem.regression import RegressionProblem
    >>> from symnum.problem.table import as_table
    >>> table = as_table([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0])
    >>> [data_length(RegressionProblem(table, sigma=sigma), Expr.parse("x0")) for sigma in (1.0, None)]
    [2.0, None]
    """
    if problem.sigma is None and problem.loss.kind not in (MAE, POISSON):
        return None
    with np.errstate(all="ignore"):
        nats = _likelihood(problem, problem.values(expr, problem.plain_index))[0]
    return nats if math.isfinite(nats) else math.inf


def symbols_length(expr: Expr) -> float:
    """Nats of the symbols and exact numbers; of the free constants, that they are there.

    >>> symbols_length(Expr.parse("x")), round(symbols_length(Expr.parse("7*x")), 3) == round(3 * math.log(3) + math.log(7), 3)
    (0.0, True)
    """
    kinds = {t if isinstance(t, str) else t.name if isinstance(t, Op) else "a number" for t in expr.tokens}
    numbers = sum(math.log(abs(t)) for t in expr.tokens if isinstance(t, int) and t)
    return len(expr.tokens) * math.log(len(kinds)) + numbers


def _length(problem: "RegressionProblem", expr: Expr) -> float:
    rows = problem.plain
    at = CpuEvaluator(1).jacobian(Batch.pack([expr], rows.names), rows)
    if not at.ok[0]:
        return math.inf
    constants = np.array(expr.constants)
    with np.errstate(all="ignore"):
        nats, information = _likelihood(problem, at.y[0])
        steps = np.sqrt(information @ (constants * (at.jac[0] / problem.scale[1])) ** 2 / 12)  # |c| / D
    if (steps < 1).any():  # what the data cannot tell from 0 is 0, where the formula remains one
        zeroed = Expr(tuple(_zeroed(expr.tokens, steps < 1)))
        without = CpuEvaluator(1).jacobian(Batch.pack([zeroed], rows.names), rows)
        if without.ok[0]:
            nats = min(_likelihood(problem, without.y[0])[0], nats + float(np.sum(steps < 1)) * math.log(2))
            steps = steps[steps >= 1]
    finite = np.where(np.isfinite(steps), np.maximum(steps, 1.0), 1.0)
    total = nats + symbols_length(expr) + float(np.sum(np.log(2 * finite)))
    return total if math.isfinite(total) else math.inf


def _zeroed(tokens, small):
    """The tokens, those free constants that are `small` being exactly 0."""
    which = iter(small)
    for t in tokens:
        yield 0 if isinstance(t, float) and next(which) else t


def _likelihood(problem: "RegressionProblem", value: np.ndarray) -> tuple[float, np.ndarray]:
    """-log likelihood, and every row's weight h in the Fisher information sum_i h_i (df_i/dc)², f in units of the problem's scale.

    The noise's scale is known, or the most likely one, but no smaller than the digits of the target or rounding show.
    """
    rows, loss = problem.plain, problem._scaled_loss
    y, weight = rows.y[: rows.n], problem.precision[problem.plain_index]
    n = len(problem._split[0])
    share, scale = n / rows.n, problem.scale[1]  # where rows are a sample they stand for all
    if problem.sigma is not None and loss.kind == HUBER:
        information = share * weight * (scale / problem.sigma) ** 2
        nats = float(np.dot(information, loss.rows(y / scale, value / scale)))
        return nats, information * loss.derivatives(y / scale, value / scale)[1]
    if problem.sigma is not None:
        information = share * weight * (scale / problem.sigma) ** 2
        return float(np.dot(information, ((y - value) / scale) ** 2) / 2), information
    if loss.function is not None or loss.kind == MSE:
        unit = float(problem.loss_scale / np.mean(problem._scaled[2][problem._split[0]]))  # from the loss to squares of weight 1
        floor = max(problem.floor, problem.resolution) / unit
        squares = float(np.mean(weight * ((y - value) / scale) ** 2))
        variance = max(squares, floor, 1e-300)
        return n / 2 * math.log(variance) + n / 2 * squares / variance, share * weight / variance
    mean = max(float(np.average(loss.rows(y / scale, value / scale), weights=weight)), problem.floor, 1e-300)
    _, curvature = loss.derivatives(y / scale, value / scale)
    if loss.kind == POISSON:
        return n * mean, share * weight * curvature
    if loss.kind == MAE:
        return n * math.log(mean), share * weight / mean**2
    return n / 2 * math.log(mean), share * weight * curvature / (2 * mean)
