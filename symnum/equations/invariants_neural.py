"""A conserved quantity that no library holds: a contrastive neural network, then a formula for it.

A network g is trained so that it varies little along trajectories and much between them (the square-ratio loss of Zhang et al. 2023,
arXiv:2302.05783). What it has learned is some monotone function of a conserved quantity at best; symnum's own search gives formulas for its
values, whose constants are then fitted to be constant along trajectories, and which are judged as any other candidate.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
from threadpoolctl import threadpool_limits

from symnum.equations.invariants_snap import snapped
from symnum.language.expr import Expr
from symnum.language.ops import OPS
from symnum.problem.invariant import RESOLUTION, InvariantProblem, centred

WIDTH = 64
STEPS = 1500
RATE = 3e-3
TRAJECTORIES = 10  # per step
SAMPLES = 40  # per trajectory and step
PROMISING = 0.1  # standard deviation along held-out trajectories over that in all, above which nothing was learned
TIME = 30.0  # seconds of the search for a formula, at most
ROWS = 600  # that it sees
FITTED = 12  # formulas of the front whose constants are fitted
LARGEST = 22  # formula


def neural_formulas(
    problem: InvariantProblem, train: np.ndarray, *, seed: int = 0, time_limit: float | None = None,
) -> tuple[float, list[Expr]]:
    """The network's relative drift along trajectories that it has not seen, and formulas for it, constants fitted.

    Args:
        problem: the trajectories.
        train: (rows,) the samples to use; the others tell whether anything was learned.
        seed: of the network and the search.
        time_limit: seconds for all.
    """
    with threadpool_limits(1), _one_thread():  # small matrices: threads only get in each other's way
        learned = train_network(problem, train, seed, time_limit)
    unseen = ~train if (~train).any() else train
    drift = relative_drift(learned[unseen], problem.group[unseen])
    if not drift < PROMISING:
        return drift, []
    from symnum.discovery import discover
    from symnum.problem.regression import RegressionProblem
    from symnum.problem.table import as_table

    rows = np.flatnonzero(train)
    rows = rows[:: max(1, len(rows) // ROWS)]
    table = as_table(problem.x[rows], learned[rows], names=problem.names)
    limit = TIME if time_limit is None else max(1.0, min(TIME, time_limit - 5))
    found = discover(RegressionProblem.from_table(table, seed=seed), time_limit=limit, max_complexity=LARGEST, seed=seed)
    exprs = [candidate.expr for candidate in found.front if candidate.expr.variables]
    exprs.sort(key=lambda e: relative_drift(np.broadcast_to(problem.values(e)[0], len(train))[train], problem.group[train]))
    return drift, [part for e in exprs[:FITTED] for part in parts(fitted(problem, e, train))]


def parts(expr: Expr) -> list[Expr]:
    """The expression and those of its operands that have all its variables, each also with exact constants: a function of a conserved
    quantity is conserved, and the inmost one is the most readable.

    >>> [str(e) for e in parts(Expr.parse("exp(x + 2.000000001*y)"))]
    ['exp(x + 2.000000001*y)', 'exp(x + 2*y)', 'x + 2.000000001*y', 'x + 2*y']
    """
    found = [expr]
    if expr.constants:
        tokens = [_exact(t) if isinstance(t, float) else (t,) for t in expr.tokens]
        found.append(Expr(tuple(t for part in tokens for t in part)).simplify())
    for operand in expr.arguments:
        if operand.variables == expr.variables:
            found += parts(operand)
    return found


def _exact(value: float) -> tuple:
    """The tokens of a constant: of the fraction that it is to seven digits, or itself."""
    fraction = Fraction(0) if abs(value) < RESOLUTION else snapped(value, RESOLUTION * abs(value))
    if fraction is None:
        return (value,)
    if fraction.denominator == 1:
        return (fraction.numerator,)
    return (fraction.numerator, fraction.denominator, OPS["div"])


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_network(problem: InvariantProblem, train: np.ndarray, seed: int, time_limit: float | None = None) -> np.ndarray:
    """(rows,) values of the trained network at all samples."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    x = torch.tensor((problem.x - problem.x[train].mean(axis=0)) / problem.spread, dtype=torch.float32)
    sizes = [x.shape[1], WIDTH, WIDTH, 1]
    weights = [(torch.randn(a, b, generator=generator) * (1 / a) ** 0.5).requires_grad_() for a, b in zip(sizes, sizes[1:], strict=False)]
    biases = [torch.zeros(b).requires_grad_() for b in sizes[1:]]

    def network(z):
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            z = torch.tanh(z @ w + b)
        return (z @ weights[-1] + biases[-1])[..., 0]

    rows = [np.flatnonzero(train & (problem.group == g)) for g in np.unique(problem.group[train])]
    rng = np.random.default_rng([seed, 13])
    optimizer = torch.optim.Adam([*weights, *biases], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    until = None if time_limit is None else time.monotonic() + time_limit / 3
    for _ in range(STEPS):
        if until is not None and time.monotonic() > until:
            break
        chosen = rng.choice(len(rows), min(TRAJECTORIES, len(rows)), replace=False)
        batch = np.stack([rng.choice(rows[g], SAMPLES) for g in chosen])
        g = network(x[torch.from_numpy(batch)])
        within = g.var(dim=1, unbiased=False).mean()
        total = g.var(unbiased=False)
        loss = within / (total + 1e-12)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return network(x).double().numpy()


def relative_drift(value: np.ndarray, group: np.ndarray) -> float:
    """The standard deviation along trajectories over that in all; Inf for a constant or what is not finite."""
    if not np.isfinite(value).all():
        return np.inf
    value = value / max(np.abs(value).max(), 1e-300)
    total = value.std()
    return float(centred(value[:, None], group, np.ones(len(value))).std() / total) if total > 0 else np.inf


def fitted(problem: InvariantProblem, expr: Expr, train: np.ndarray) -> Expr:
    """The expression with the constants that make it vary least along trajectories, relative to its variation in all."""
    from scipy.optimize import least_squares

    if not expr.constants:
        return expr
    columns, group = problem.columns(problem.x[train]), problem.group[train]
    start = np.array(expr.constants)

    def residual(theta: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            value = np.broadcast_to(expr.with_constants(theta)(columns), len(group))
            total = value.std()
        if not (np.isfinite(value).all() and 0 < total < np.inf):
            return np.full(len(group), 1e3)
        return centred(value[:, None], group, np.ones(len(group)))[:, 0] / total

    found = least_squares(residual, start, method="trf", x_scale=np.maximum(np.abs(start), 1e-3), xtol=1e-14, ftol=1e-14, gtol=1e-14,
                          max_nfev=60)
    return expr.with_constants(found.x)
