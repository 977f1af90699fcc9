"""Whether what a formula leaves over is noise: no larger than the noise, no larger on rows held out, and without structure.

    no larger      chi² = sum w r² / sigma² of a known sigma, or s against the estimate of `symnum.problem.noise`
    held out       F = (mean square on held-out rows) / s²
    no structure   residuals do not depend on the columns (F test of a polynomial), and not on their neighbours' residuals along
                   any column, along the prediction, or in space (Durbin & Watson 1950, doi:10.2307/2332391; von Neumann 1941)

Losses that let outliers be (huber, mae, log-cosh) take s from the median residual, and outliers count as 3 s in the other tests.
A formula that fails any is not the whole law; one that passes may still not be the law, so a search goes on for a while.
"""

from typing import TYPE_CHECKING

import numpy as np

from symnum.evaluate.machine import MSE, POISSON
from symnum.language.expr import Expr
from symnum.problem.noise import NORMAL, coordinates_of, polynomial_basis, some_rows, telling_columns

if TYPE_CHECKING:
    from symnum.problem.regression import RegressionProblem

FEWEST = 20  # degrees of freedom below which nothing is concluded
CHANCE = 0.01  # a formula that leaves just noise is refused so often by each test of size
STRUCTURE = 0.05  # … and by all tests for structure together
SLACK = 1.5  # standard errors that s may exceed an estimated sigma by: both come from the same noise
TELLS = 0.5  # share of the target's variance that must be explained: a constant "explains" pure noise
ROUNDING = 1e-24
FAR = 3  # standard deviations that an outlier counts as
MEDIAN = 0.37  # what the median of n residuals is worth, in rows
ROWS = 1500


def explained(problem: "RegressionProblem", expr: Expr) -> bool:
    """Whether a formula, in the table's magnitudes, explains the training rows down to the noise. False where that is unknown.

    >>> from symnum.problem.regression import RegressionProblem
    >>> from symnum.problem.table import as_table
    >>> rng = np.random.default_rng(1)
    >>> x = np.linspace(0, 3, 200)
    >>> problem = RegressionProblem(as_table(x[:, None], np.sin(x) + rng.normal(0, 0.02, 200)))
    >>> [explained(problem, Expr.parse(t)) for t in ("sin(x0)", "1.0*x0 - 0.02*x0^3", "0.5")]
    [True, False, False]
    """
    if problem.loss.kind == POISSON or problem.loss.function is not None:
        return False
    robust = problem.loss.kind != MSE
    index = problem.plain_index
    residual, value, weight = _residuals(problem, expr, index)
    freedom = len(index) - len(expr.constants)
    if freedom < FEWEST or not np.isfinite(residual).all():
        return False
    residual = residual * np.sqrt(weight)  # of equal variance
    variance = (_median_square(residual) * len(index) if robust else float(residual @ residual)) / freedom
    y = problem.table.y[index] / problem.scale[1]
    if variance <= ROUNDING * np.average(y**2):
        return False  # exact: another matter
    spread = np.average((y - np.average(y, weights=weight)) ** 2, weights=weight) * np.mean(weight)
    if robust:
        spread = min(spread, _median_square((y - np.median(y)) * np.sqrt(weight)))
    if not variance < (1 - TELLS) * spread or not _of_noise_size(problem, variance, MEDIAN * freedom if robust else freedom):
        return False
    far = FAR * np.sqrt(variance) if robust else np.inf
    residual = np.clip(residual, -far, far)
    return _holds(problem, expr, float(residual @ residual) / freedom, freedom, far) and structureless(
        problem.table.X[index], value, residual, len(expr.constants)
    )


def _median_square(residual: np.ndarray) -> float:
    """The variance of residuals, outliers aside."""
    return float((NORMAL * np.median(np.abs(residual))) ** 2)


def _residuals(problem, expr: Expr, index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Residuals, values and precisions, the target scaled as for the search."""
    with np.errstate(all="ignore"):
        value = problem.values(expr, index) / problem.scale[1]
        return problem.table.y[index] / problem.scale[1] - value, value, problem.precision[index]


def _of_noise_size(problem, variance: float, freedom: float) -> bool:
    """Whether the residuals are no larger than the noise."""
    from scipy.stats import chi2

    s = np.sqrt(variance) * problem.sigma_unit
    if problem.sigma is not None:
        return bool(chi2.sf(freedom * (s / problem.sigma) ** 2, freedom) > CHANCE)
    noise = problem.noise
    return bool(noise.reliable and s <= noise.sigma + SLACK * np.hypot(noise.error, noise.sigma / np.sqrt(2 * freedom)))


def _holds(problem, expr: Expr, variance: float, freedom: int, far: float) -> bool:
    """Whether the rows held out have no larger residuals, those beyond `far` counting as far."""
    from scipy.stats import f

    held = problem._split[1]
    if len(held) == 0:
        return True
    residual, _, weight = _residuals(problem, expr, held)
    if not np.isfinite(residual).all():
        return False
    return bool(f.sf(np.mean(np.minimum(weight * residual**2, far**2)) / variance, len(held), freedom) > CHANCE)


def structureless(X: np.ndarray, value: np.ndarray, residual: np.ndarray, fitted: int = 0) -> bool:
    """Whether residuals (rows,) show no dependence on X (rows, columns) or on the prediction, at `STRUCTURE` in all.

    Args:
        X: the columns.
        value: (rows,) the predictions.
        residual: (rows,) of equal variance.
        fitted: how many constants were fitted.
    """
    from scipy.stats import f, norm

    few = some_rows(len(X), ROWS)
    told = telling_columns(X[few], residual[few])
    X, value, residual = X[few][:, told], value[few], residual[few] - residual[few].mean()
    n, square = len(residual), float(residual @ residual)
    if square == 0:
        return True
    p = []
    basis = coordinates_of(X)[0]
    A, ends = polynomial_basis(basis, max(n // 4, 2))
    for end in ends[1:4]:  # polynomials of degree 1, 2, 3
        Q = np.linalg.qr(A[:, :end])[0]
        gained, terms, rest = float(np.sum((Q.T @ residual) ** 2)), end - 1, n - end - fitted
        if rest > 0:
            p.append(float(f.sf((gained / terms) / max((square - gained) / rest, 1e-300), terms, rest)))
    for line in (*X.T, value):  # neighbours along a line; small p where they are alike
        r = residual[np.argsort(line, kind="stable")]
        p.append(float(norm.sf(float(r[1:] @ r[:-1]) / square * np.sqrt(n))))
    if X.shape[1] > 1:
        from scipy.spatial import cKDTree

        other = residual[cKDTree(basis).query(basis, 2)[1][:, 1]]
        p.append(float(norm.sf(float(residual @ other) / square * np.sqrt(n / 1.5))))  # mutual neighbours count twice
    return min(p) > STRUCTURE / len(p)
