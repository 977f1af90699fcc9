"""One equation as a `Problem`: the protocol, losses in the weak form, constants fitted in it."""

import numpy as np
import pytest

from symnum.discovery import discover
from symnum.dynamics.trajectory import Trajectories
from symnum.dynamics.weak import Curve, weak_form, widths
from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.problem.base import rows_of
from symnum.problem.ode import OdeProblem

T = np.linspace(0, 6, 120)
NAMES = ("q", "p")


def problem_of(x, state=1, names=NAMES) -> OdeProblem:
    curves = [Curve.of(item) for item in Trajectories.of(x, T, names=names)]
    return OdeProblem.of(curves, weak_form(curves, widths(curves)), state, names)


@pytest.fixture(scope="module")
def spring() -> OdeProblem:
    return problem_of(np.column_stack([np.cos(2 * T), -2 * np.sin(2 * T)]))


def score(problem, *texts, **options):
    return problem.score(Batch.pack([Expr.parse(t) for t in texts], problem.names), CpuEvaluator(1), **options)


def test_it_is_a_problem(spring):
    assert spring.names == NAMES
    assert spring.target == "slope"
    assert spring.probe.n > 0
    assert spring.search.n <= 240
    assert rows_of(spring) == spring.rows == spring.weak.rows
    assert isinstance(spring.fingerprint, str)
    assert spring.floor == spring.resolution > 0
    assert spring.verify(Expr.parse("-4*q")).r2 > 0.9999
    with pytest.raises(AttributeError):
        _ = spring.nothing_of_the_kind


def test_the_truth_is_told_from_what_is_nearly_true(spring):
    found = score(spring, "-4*q", "-4*q + 0*p", "-4*q - p/1000", "p", full=True)
    assert found.loss[0] == pytest.approx(found.loss[1])
    assert found.loss[0] < 1e-6 * found.loss[3]
    assert found.loss[2] > 10 * found.loss[0]


def test_constants_are_fitted_in_the_weak_form():
    rng = np.random.default_rng(0)
    noisy = problem_of(np.column_stack([np.cos(2 * T), -2 * np.sin(2 * T)]) + rng.normal(0, 0.1, (120, 2)))
    found = score(noisy, "-3.0*q + 0.2*p", full=True)
    batch, loss, passes = noisy.fit_weakly(found.batch, CpuEvaluator(1), 10)
    A = noisy.weak.project(_columns(noisy).T)
    theta = np.linalg.lstsq(A, noisy.target_projections, rcond=None)[0]
    np.testing.assert_allclose(batch[0].constants, theta * [-1 if str(batch[0]).startswith("-(") else 1, 1], rtol=1e-5)
    assert loss[0] == pytest.approx(np.mean((A @ theta - noisy.target_projections) ** 2), rel=1e-9)
    assert passes > 0


def _columns(problem):
    """The states on the grid, as the evaluator has them."""
    values = CpuEvaluator(1).values(Batch.pack([Expr.var(n) for n in problem.names], problem.names), problem.grid)
    return values.y[:, : problem.grid.n]


def test_what_has_no_value_on_the_grid_is_infinitely_wrong(spring):
    assert score(spring, "log(q)", "1/(q - q)", "exp(1000*q^2)", full=True).loss.tolist() == [np.inf] * 3


def test_quick_scores_look_at_points(spring):
    quick = score(spring, "-4.0*q", "p")
    assert quick.loss[0] < 1e-6
    assert quick.loss[1] > 0.1


def test_an_engine_finds_the_equation(spring):
    found = discover(spring, "dynamics", max_evaluations=20_000, time_limit=3, threads=1)
    np.testing.assert_allclose(found.best.expr({"q": np.array([0.3, 1]), "p": np.array([1.0, -2])}), [-1.2, -4], atol=1e-3)
