"""Noisy data from end to end: runs that stop at the noise, outliers, known errors, and what is said of the constants."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from typer.testing import CliRunner

from symnum.cli import app
from symnum.estimator import SymbolicRegressor, regress
from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.rules import compile_rules
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.search.base import Context
from symnum.search.checkpoint import from_arrays, to_arrays
from symnum.search.enumerate import Enumeration
from symnum.search.evolve import Evolution
from symnum.search.run import NOISY_AT_LEAST, NOISY_LONGER, Budget, Run, Status

RNG = np.random.default_rng(0)
X = RNG.uniform(1, 4, (120, 2))
LAW = Expr.parse("2*x0/x1")
Y = LAW(X) + 0.02 * RNG.normal(size=120)
NEW = RNG.uniform(1, 4, (50, 2))
QUICK = {"time_limit": None, "max_evaluations": 150_000, "random_state": 0, "grammar": "arithmetic", "n_jobs": 1}


@pytest.fixture(scope="module", autouse=True)
def _small_portfolio():
    """The laws are short: enumeration and one island find them, whatever else the default portfolio holds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("symnum.discovery.default_portfolio", lambda context: (Enumeration(), Evolution()))
        yield


def context(**kwargs) -> Context:
    problem = RegressionProblem.from_table(as_table(X, Y), **kwargs)
    return Context.of(problem, compile_rules(Grammar.load("arithmetic"), problem.names), CpuEvaluator(1), 12)


def advance(c: Context, budget: Budget, progress=None):
    run, rounds = Run(c, (Enumeration(), Evolution()), 0), []
    with ThreadPoolExecutor(1) as executor:
        progress, status = run.advance(run.begin(progress), budget, executor, threading.Event(), rounds.append)
    return progress, status, rounds


# the end of a run -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kwargs", [{}, {"sigma": 0.02}], ids=["estimated", "known"])
def test_a_run_ends_a_while_after_the_noise_is_reached(kwargs):
    c = context(**kwargs)
    progress, status, rounds = advance(c, Budget(None, 20_000_000))
    assert status is Status.NOISE
    assert progress.evaluations >= NOISY_LONGER * progress.noise_at[1] + NOISY_AT_LEAST > rounds[-2].evaluations
    chosen = progress.front[progress.front.choose("best", c.problem.train.n)]
    assert np.abs(chosen.expr(NEW) - LAW(NEW)).max() < 0.02
    again = from_arrays(to_arrays(progress, c), c, 2)
    assert again.noise_at == progress.noise_at
    assert advance(c, Budget(None, 20_000_000), again)[1] is Status.NOISE


def test_a_sigma_that_is_too_small_does_not_end_it():
    assert advance(context(sigma=0.01), Budget(None, 1_300_000))[1] is Status.EVALUATIONS


# outliers and errors --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e40])
def test_huber_finds_the_law_among_gross_outliers(unit):
    rng = np.random.default_rng(1)
    y = np.where(rng.random(120) < 0.05, 30 * rng.random(120), 0.85 * Y) * unit
    robust = regress(X, y, loss="huber", **QUICK)
    errors = [np.abs(d.best.best(NEW) / unit - 0.85 * LAW(NEW)).max() for d in (robust, regress(X, y, **QUICK))]
    assert errors[0] < 0.02 and errors[1] > 2 * errors[0]  # least squares finds another formula, or constants that are off
    assert robust.problem.loss.parameter == pytest.approx(1.345 * 0.017 * unit, rel=0.3)


def test_known_errors_weigh_rows():
    rng = np.random.default_rng(2)
    sigma = np.where(np.arange(120) % 3 == 0, 3.0, 0.01)
    y = LAW(X) + sigma * rng.normal(size=120)
    found = regress(X, y, sigma=sigma, **QUICK)
    assert np.abs(found.best.best(NEW) - LAW(NEW)).max() < 0.02
    assert found.problem.explained(LAW) and not found.problem.explained(Expr.parse("2.1*x0/x1"))
    problem = RegressionProblem.from_table(as_table(X, y, weights=np.full(120, 2.0)), sigma=sigma)
    assert problem.table.weight == pytest.approx(2 * (problem.sigma / sigma) ** 2)


@pytest.mark.parametrize(("sigma", "loss", "match"), [
    (0.0, "mse", "positive number"), (np.ones(3), "mse", r"one per row \(120\), got shape \(3,\)"),
    (-np.ones(120), "mse", "least value -1"), (np.nan, "mse", "positive"), (1.0, "mae", "needs the loss 'mse', or 'huber'"),
])
def test_impossible_errors_are_refused(sigma, loss, match):
    with pytest.raises(ValueError, match=match):
        regress(X, Y, sigma=sigma, loss=loss, **QUICK)


def test_gaussian_names_a_known_sigma():
    assert RegressionProblem.from_table(as_table(X, Y), "gaussian:0.02").sigma == 0.02


# what is said ---------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def model() -> SymbolicRegressor:
    y = np.column_stack([1.7 * X[:, 0] / X[:, 1] + 0.02 * RNG.normal(size=120), 3.3 * X[:, 0] + 1.4 + 0.1 * RNG.normal(size=120)])
    with_constant = np.column_stack([X[:, 0], np.ones(120), X[:, 1]])
    return SymbolicRegressor(**QUICK).fit(with_constant, y)


def test_predictions_come_with_their_spread(model):
    new = np.column_stack([NEW[:, 0], np.ones(50), NEW[:, 1]])
    mean, std = model.predict(new, return_std=True)
    assert mean.shape == std.shape == (50, 2)
    assert std[:, 0].mean() == pytest.approx(0.02, rel=0.3) and std[:, 1].mean() == pytest.approx(0.1, rel=0.3)
    np.testing.assert_array_equal(mean, model.predict(new))


def test_intervals_are_told_and_exact_constants_have_none(model):
    first, second = model.discovery_
    interval = first.intervals()[0]
    assert interval.low < 1.7 < interval.high and interval.std < 0.01
    profile = first.intervals(method="profile", level=0.95)[0]
    assert profile.low == pytest.approx(interval.low, rel=1e-3)
    assert f"constants (95 %): {interval.value:.5g} [{interval.low:.5g}, {interval.high:.5g}]" in str(first)
    assert [len(second.intervals(i)) == len(c.best.constants) for i, c in enumerate(second.front)] == [True] * len(second.front)


def test_every_selection_after_the_fit(model):
    found = model.discovery_[0]
    for selection in ("mdl", "best"):
        law = found.select(selection).best
        assert law.complexity == 5 and law.validation[0] < 0.03**2 and law.description == min(c.description for c in found.front)
    assert found.select("validation").chosen <= found.select("accuracy").chosen


def test_the_command_line_takes_sigma_as_number_and_as_column(tmp_path):
    path, runner = tmp_path / "rows.csv", CliRunner()
    rows = "\n".join(f"{a},{b},{c},0.02" for (a, b), c in zip(X, Y, strict=True))
    path.write_text(f"a,b,y,error\n{rows}\n")
    asked = ["fit", str(path), "--target", "y", "--grammar", "arithmetic", "--max-evaluations", "60000", "--threads", "1", "--quiet"]
    printed = [runner.invoke(app, [*asked, "--json", "--sigma", s, "--features", "a,b"]) for s in ("0.02", "error")]
    number, column = (json.loads(p.stdout) for p in printed)
    assert number["noise"]["sigma"] == pytest.approx(0.02) == column["noise"]["sigma"]
    assert number["equation"] == column["equation"] and number["intervals"] == column["intervals"]
    assert number["noise"]["estimate"]["sigma"] == pytest.approx(0.02, rel=0.3)
    both = runner.invoke(app, [*asked, "--sigma", "error", "--weights", "error"])
    assert both.exit_code == 2 and "either weights or a column of sigma" in both.stderr
