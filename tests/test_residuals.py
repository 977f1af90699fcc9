"""Whether residuals are noise: the law passes, what is not the whole law does not."""

import numpy as np
import pytest

from symnum.language.expr import Expr
from symnum.problem.regression import RegressionProblem
from symnum.problem.residuals import explained, structureless
from symnum.problem.table import as_table


def problem(y, X, loss="mse", **kwargs) -> RegressionProblem:
    return RegressionProblem.from_table(as_table(X, y), loss, **kwargs)


def measured(sigma: float, seed: int, rows: int = 200):
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.5, 3, (rows, 2))
    return X, X[:, 0] ** 2 * np.exp(-X[:, 1]) + sigma * rng.normal(size=rows)


LAW = Expr.parse("x0^2*exp(-x1)")
OTHERS = [Expr.parse(t) for t in ("x0^2/(1.0 + x1^2)", "1.0*x0^2*exp(-x1) + 0.1*x0", "1.03*x0^2*exp(-x1)", "0.9")]


@pytest.mark.parametrize("known", [False, True])
def test_the_law_explains_and_nothing_else_does(known):
    passed, wrong = 0, 0
    for seed in range(20):
        X, y = measured(0.01, seed)
        p = problem(y, X, sigma=0.01 if known else None)
        passed += explained(p, LAW)
        wrong += sum(explained(p, e) for e in OTHERS)
    assert passed >= 15 and wrong == 0


def test_a_known_sigma_is_absolute():
    cases = [measured(0.05, seed) for seed in range(5)]
    assert sum(explained(problem(y, X, sigma=0.05), LAW) for X, y in cases) >= 4
    assert not any(explained(problem(y, X, sigma=0.03), LAW) for X, y in cases)


def test_nothing_is_concluded_from_too_little():
    X, y = measured(0.01, 0)
    assert not explained(problem(y[:15], X[:15], sigma=0.01), LAW)
    assert not explained(problem(y, X, "mae"), LAW)
    assert not explained(problem(LAW(X), X), LAW)  # exact is another matter
    noise = np.random.default_rng(0).normal(size=200)
    assert not explained(problem(noise, X), Expr.parse("0.01"))
    assert not explained(problem(y, X, sigma=0.01), Expr.parse("log(x0 - 2)"))


def test_rows_held_out_must_agree():
    X, y = measured(0.02, 1)
    p = problem(y, X)
    held = p._split[1]
    y = y.copy()
    y[held] += 0.2 * np.sin(50 * X[held, 0])
    assert explained(p, LAW) and not explained(problem(y, X), LAW)


def test_structure_tests_have_their_level_and_some_power():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (150, 3))
    false = sum(not structureless(X, X[:, 0], rng.normal(size=150)) for _ in range(200))
    assert false < 20  # 5 % of 200 and three standard deviations
    for shape in (X[:, 0] ** 2, np.sin(9 * X[:, 1]), X[:, 0] * X[:, 2], np.abs(X[:, 2])):
        assert not structureless(X, X[:, 0], 2 * (shape - shape.mean()) / shape.std() + rng.normal(size=150))
    assert structureless(X, X[:, 0], np.zeros(150))


@pytest.mark.parametrize(("loss", "sigma"), [("huber", None), ("huber", 0.02), ("mae", None), ("log-cosh", None)])
def test_noise_is_recognised_among_outliers(loss, sigma):
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 3, 300)
    y = np.sin(x) + rng.normal(0, 0.02, 300)
    y[rng.choice(300, 25, replace=False)] += rng.normal(0, 3, 25)
    problem = RegressionProblem.from_table(as_table(x[:, None], y), loss, sigma=sigma)
    assert [explained(problem, Expr.parse(t)) for t in ("sin(x0)", "1.0*x0 - 0.02*x0^3", "0.5")] == [True, False, False]
