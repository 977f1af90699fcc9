"""The screen: no useful column is lost, few useless ones stay, and little time is spent."""

import time

import numpy as np
import pytest

from symnum.estimator import SymbolicRegressor
from symnum.problem.regression import RegressionProblem
from symnum.problem.screen import FROM, check_keep, polynomials, screen, screened
from symnum.problem.table import as_table

LAWS = {
    "power law": (lambda X: X[:, 0] * X[:, 1] ** 2 / X[:, 2], {0, 1, 2}),
    "product without mean effects": (lambda X: (X[:, 3] - 1.5) * (X[:, 7] - 1.5), {3, 7}),
    "oscillation and decay": (lambda X: np.sin(3 * X[:, 5]) * np.exp(-X[:, 6]), {5, 6}),
    "weak beside strong": (lambda X: X[:, 0] ** 3 + 0.2 * X[:, 1], {0, 1}),
    "five": (lambda X: X[:, 0] * X[:, 1] + np.sqrt(X[:, 2]) * X[:, 3] / (1 + X[:, 4] ** 2), {0, 1, 2, 3, 4}),
    "checkerboard": (lambda X: np.sign((X[:, 3] - 1.5) * (X[:, 7] - 1.5)), {3, 7}),
    "threefold": (lambda X: (X[:, 3] - 1.5) * (X[:, 7] - 1.5) * (X[:, 9] - 1.5), {3, 7, 9}),
    "resonance": (lambda X: 1 / (0.05 + (X[:, 4] - 1.5) ** 2) + X[:, 8], {4, 8}),
    "spread only": (lambda X: np.random.default_rng(8).normal(size=len(X)) * X[:, 2], {2}),
}


def data(rows, columns, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 2.5, (rows, columns))


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("rows", [400])
def test_no_useful_column_is_lost(name, rows):
    law, useful = LAWS[name]
    X = data(rows, 100)
    y = law(X)
    found = screen(X, y + 0.01 * y.std() * np.random.default_rng(1).normal(size=rows))
    assert useful <= set(found.kept.tolist())
    assert len(found.kept) <= len(useful) + 8
    assert found.score[list(useful)].min() > np.median(np.delete(found.score, list(useful)))


def test_smooth_laws_keep_nothing_else():
    extra = 0
    for name in ("power law", "oscillation and decay", "weak beside strong", "five", "threefold"):
        law, useful = LAWS[name]
        extra += len(set(screen(data(600, 100), law(data(600, 100))).kept.tolist()) - useful)
    assert extra <= 2


def test_a_thousand_columns():
    X = data(1000, 1000)
    y = X[:, 10] / X[:, 500] + np.sin(2 * X[:, 999])
    began = time.perf_counter()
    found = screen(X, y)
    assert {10, 500, 999} <= set(found.kept.tolist()) and len(found.kept) < 12
    assert time.perf_counter() - began < 20  # 1.5 s on a free core; a busy machine may be slower


def test_copies_of_a_useful_column_do_not_crowd_out_the_others():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 60))
    X[:, 20:40] = X[:, :1] + 0.2 * rng.normal(size=(400, 20))
    found = screen(X, X[:, 0] ** 2 + 0.5 * X[:, 1] * X[:, 2])
    assert {0, 1, 2} <= set(found.kept.tolist()) and len(found.kept) < 12


def test_nothing_to_find():
    X, y = data(200, 50), np.random.default_rng(4).normal(size=200)
    assert 1 <= len(screen(X, y).kept) <= FROM
    assert len(screen(X, np.ones(200)).kept) <= FROM  # a constant target
    assert len(screen(X[:5], y[:5]).kept) <= 40  # hardly any rows


def test_odd_columns():
    X = data(300, 40)
    X[:, 5] = X[:, 5] > 1.5  # 0 and 1
    X[:, 6] = 10.0 ** (40 * X[:, 6])  # huge
    X[:, 7] = 1.0  # constant
    found = screen(X, 3 * X[:, 5] + np.log10(X[:, 6]) / 40)
    assert {5, 6} <= set(found.kept.tolist()) and 7 not in found.kept


def test_how_many_to_keep():
    X = data(300, 60)
    y = X[:, 3] * X[:, 7]
    assert sorted(screen(X, y, 2).kept.tolist()) == [3, 7]
    assert len(screen(X, y, 10).kept) == 10 and {3, 7} <= set(screen(X, y, 10).kept.tolist())
    assert 50 in screen(X, y, "auto", always=(50,)).kept and 50 in screen(X, y, 1, always=(50,)).kept
    for wrong in (0, -1, "some", 2.5, True):
        with pytest.raises(ValueError, match="whole number >= 1"):
            check_keep(wrong)
    with pytest.raises(ValueError, match="X \\(rows, columns\\)"):
        screen(X, y[:-1])


def test_one_seed_one_answer():
    X = data(3000, 60)
    y = X[:, 3] * X[:, 7] + np.random.default_rng(2).normal(size=3000)
    assert screen(X, y, seed=3).kept.tolist() == screen(X, y, seed=3).kept.tolist()


def test_polynomials_are_standard_and_know_ranks_only():
    x = np.random.default_rng(0).normal(size=(200, 2))
    p = polynomials(x, 3)
    np.testing.assert_allclose(p.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose((p**2).mean(axis=1), 1)
    np.testing.assert_allclose(p, polynomials(np.exp(x), 3))
    assert (polynomials(np.ones((5, 1)), 2) == 0).all()


def test_tables():
    X = data(200, 30)
    table = as_table(X, X[:, 3] * X[:, 7], units={"x3": "kg"})
    some = screened(table, np.arange(100))
    assert some.names == ("x3", "x7") and some.X.shape == (200, 2) and some.units == {"x3": "kg"}
    assert "2 of 30 columns were searched" in some.notes[-1] and "x3, x7" in some.notes[-1]
    assert screened(table, np.arange(100), None) is table and screened(table, np.arange(100), 30) is table
    few = as_table(X[:, :10], X[:, 3] * X[:, 7])
    assert screened(few, np.arange(100)) is few
    assert screened(few, np.arange(100), 2).names == ("x3", "x7")


def test_a_problem_keeps_the_columns_that_constraints_name():
    X = data(150, 40)
    problem = RegressionProblem.from_table(as_table(X, X[:, 3] * X[:, 7]), constraints=["increasing(x20)"])
    names = problem.screened(always=["x30", "no column"]).names
    assert {"x3", "x7", "x20", "x30"} <= set(names) and len(names) <= 6
    assert problem.screened(None) is problem


def test_the_estimator_screens_and_predicts_from_all_columns():
    X = data(200, 60)
    y = X[:, 3] * X[:, 7]
    model = SymbolicRegressor(max_evaluations=3_000, time_limit=None, random_state=0, n_jobs=1, max_complexity=8).fit(X, y)
    assert set(model.discovery_.names) == {"x3", "x7"} and model.n_features_in_ == 60
    np.testing.assert_allclose(model.predict(X[:5]), y[:5])
    guessed = SymbolicRegressor(max_evaluations=300, time_limit=None, random_state=0, n_jobs=1, known=["x11*x12"])
    assert {"x11", "x12", "x13"} <= set(guessed.fit(X, y, guesses=["x13*1.5"]).discovery_.names)
    with pytest.raises(ValueError, match="whole number >= 1"):
        SymbolicRegressor(select_features="few").fit(X, y)


def test_more_columns_than_there_are_cannot_be_kept():
    with pytest.raises(ValueError, match="up to 3"):
        screen(np.random.default_rng(0).normal(size=(30, 3)), np.arange(30.0), keep=4)


def test_columns_that_repair_the_units_come_back():
    X = np.random.default_rng(0).uniform(1, 2, (400, 30))
    units = {f"x{i}": "m" for i in range(30)} | {"x7": "s", "x9": "kg", "x11": "kg/K", "x12": "K", "y": "kg*m*s"}
    problem = RegressionProblem.from_table(as_table(X, X[:, 3] * X[:, 7], units=units)).screened()
    assert {"x3", "x7", "x9"} <= set(problem.names) < set(units)
    assert not problem.typing.free


def test_rows_of_large_weight_are_looked_at():
    rng = np.random.default_rng(0)
    X, good = rng.normal(size=(20_000, 25)), np.arange(20_000) < 1500
    y = np.where(good, X[:, 4], rng.normal(0, 30, 20_000))
    assert screen(X, y, weight=np.where(good, 1.0, 1e-6)).kept[0] == 4
