"""Constant fitting: known laws come back, linear constants at once, every loss falls to scipy's minimum, nothing gets worse."""

import numpy as np
import pytest
from scipy.optimize import minimize

from symnum.evaluate.constants import MOST, fit_constants
from symnum.evaluate.cpu import CpuEvaluator, Rows
from symnum.evaluate.machine import HUBER, LOGCOSH, MAE, MSE, POISSON
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import OPS
from symnum.testing import TOL, random_batch

NAMES = ("x0", "x1")
LOSSES = {"mse": MSE, "mae": MAE, "huber": HUBER, "logcosh": LOGCOSH, "poisson": POISSON}
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
RECOVERED = 1e-7  # constants of noiseless data: the square root of the loss's rounding, 1e-16, with room for conditioning


def data(n: int = 100) -> np.ndarray:
    return np.random.default_rng(n).uniform(0.5, 3, (n, len(NAMES)))


def pack(*texts: str) -> Batch:
    return Batch.pack([Expr.parse(t) for t in texts], NAMES)


def fit(batch: Batch, X, y, *, weight=None, threads: int = 1, **options):
    return fit_constants(batch, Rows.pack(X, NAMES, y, weight), CpuEvaluator(threads), **options)


@pytest.mark.parametrize(("start", "law"), [
    ("1.0*exp(-1.0*x0)", "3.0*exp(-0.5*x0)"),
    ("1.0*x0^1.0", "2.5*x0^1.5"),
    ("1.0*sin(2.0*x0 + 0.5) + 1.0", "0.7*sin(2.5*x0 + 0.25) + 4.0"),
    ("1.0*x0/(x1 + 1.0)", "5.0*x0/(x1 + 2.25)"),
    ("1.0*log(x0 + 1.0) - 1.0*x1", "3.5*log(x0 + 0.25) - 0.75*x1"),
    ("1.0/(1.0 + exp(1.0*x0 - 1.0))", "8.0/(1.0 + exp(2.0*x0 - 3.0))"),
])
@pytest.mark.parametrize("rows", [30, 1000])
def test_known_laws_are_recovered(start, law, rows):
    X, truth = data(rows), Expr.parse(law)
    got = fit(pack(start), X, truth(X), iterations=60)
    assert got.loss[0] < 1e-14  # of values of order one
    if "1.0/(1.0 + exp" not in start:  # whose constants are not unique
        np.testing.assert_allclose(got.batch[0].constants, truth.constants, rtol=RECOVERED)


@pytest.mark.parametrize("rows", [50, 700])
@pytest.mark.parametrize("weighted", [False, True])
def test_linear_constants_are_solved_in_one_step(rows, weighted):
    X, rng = data(rows), np.random.default_rng(0)
    y, weight = rng.normal(5, 2, rows), rng.uniform(0.1, 2, rows) if weighted else np.ones(rows)
    root = np.sqrt(weight)[:, None]
    for text, columns in {
        "1.0*sin(x0) + 1.0": [np.sin(X[:, 0]), np.ones(rows)],
        "1.0*(x0*x1) - 1.0*x0/x1 + 1.0": [X[:, 0] * X[:, 1], -X[:, 0] / X[:, 1], np.ones(rows)],
        "(1.0 + 1.0*x0)/x1": [1 / X[:, 1], X[:, 0] / X[:, 1]],
        "-(1.0*exp(x0))": [-np.exp(X[:, 0])],
        "1.0": [np.ones(rows)],
    }.items():
        A = np.column_stack(columns)
        want = np.linalg.lstsq(root * A, root[:, 0] * y, rcond=None)[0]
        got = fit(pack(text), X, y, weight=weight, iterations=1)
        np.testing.assert_allclose(got.batch.constants, want, rtol=TOL["rewrite"], err_msg=text)
        np.testing.assert_allclose(got.loss, np.average((A @ want - y) ** 2, weights=weight), rtol=TOL["rewrite"])


def objective(text: str, kind: str, X: np.ndarray, y: np.ndarray, weight: np.ndarray):
    """The mean loss as a function of the constants, by the fused kernel (which `test_cpu` holds against numpy)."""
    batch, rows, cpu = pack(text), Rows.pack(X, NAMES, y, weight), CpuEvaluator(1)
    return lambda c: float(cpu.loss(batch.with_constants(c), rows, LOSSES[kind], 0.5)[0])


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("text", ["1.0*exp(0.5*x0) + 1.0", "2.0*x0^0.5 + 0.5*x1", "1.5*x0 + 1.0"])
def test_every_loss_reaches_the_minimum_of_scipy(kind, text):
    X, rng = data(80), np.random.default_rng(1)
    y = np.abs(Expr.parse("1.3*exp(0.6*x0) + 0.4")(X) + rng.standard_t(3, 80) * 0.3)
    weight = rng.uniform(0.5, 1.5, 80)
    f = objective(text, kind, X, y, weight)
    start = pack(text).constants
    got = fit(pack(text), X, y, weight=weight, kind=LOSSES[kind], parameter=0.5, iterations=80)
    options = {"maxiter": 4000, "xatol": 1e-9, "fatol": 1e-13}
    best = minimize(lambda c: min(f(c), 1e9), start, method="Nelder-Mead", options=options).fun
    assert got.loss[0] < f(start)
    np.testing.assert_allclose(got.loss[0], f(got.batch.constants), rtol=TOL["rewrite"])
    assert got.loss[0] <= best * (1.02 if kind == "mae" else 1 + 1e-6)  # mae: re-weighted squares end near the kink, not on it


def test_a_singular_jacobian_is_no_obstacle():
    X = data()
    for text, y in {"1.0*(1.0*x0)": 6 * X[:, 0], "x0 + 1.0 + 1.0": X[:, 0] + 5, "1.0*x0*1.0*1.0": -2 * X[:, 0], "1.0^1.0*x0": 3 * X[:, 0],
                    "exp(1.0 + 1.0)*x0": 2 * X[:, 0]}.items():
        got = fit(pack(text), X, y, iterations=60)
        assert got.loss[0] < 1e-12 or "^" in text, (text, got.loss)
        assert np.isfinite(got.batch.constants).all()


def test_constants_that_do_not_matter_stay_finite():
    X = data()
    batch = pack("2.0*x0 + 0*1.5", "1.0*x0 + (1.0 - 1.0)*x1", "1.0*x0 + 1.0*(x1 - x1)", "max(x0, -100.0)*1.0")
    got = fit(batch, X, 4 * X[:, 0], iterations=20)
    assert (got.loss < 1e-16).all()
    assert np.isfinite(got.batch.constants).all()


def test_other_starts_help_where_the_first_is_nan():
    X = data()
    batch, y = pack("1.0*log(x0 + -9.0)"), 2 * np.log(X[:, 0] + 1)
    assert fit(batch, X, y).loss[0] == np.inf
    np.testing.assert_array_equal(fit(batch, X, y).batch.constants, batch.constants)
    assert fit(batch, X, y, starts=30, iterations=40).loss[0] < 1e-12


def test_more_starts_are_never_worse():
    X, batch = data(), random_batch(np.random.default_rng(2), 100, NAMES, n_tokens=12)
    y = np.sin(3 * X[:, 0]) + X[:, 1]
    one, many = fit(batch, X, y, seed=5), fit(batch, X, y, starts=4, seed=5)
    assert (many.loss <= one.loss).all()
    assert (many.loss < one.loss).any()


def test_too_many_constants_are_only_evaluated():
    X = data()
    text = " + ".join(["0.5*x0"] * (MOST + 1))
    got = fit(pack(text, text + " + x1"), X, X[:, 0])
    np.testing.assert_array_equal(got.batch.constants, 0.5)
    np.testing.assert_allclose(got.loss[0], np.mean((0.5 * (MOST + 1) - 1) ** 2 * X[:, 0] ** 2), rtol=TOL["rewrite"])
    most = fit(pack(" + ".join(f"0.5*cos({7 * i}*x0)" for i in range(MOST))), X, X[:, 1])
    A = np.cos(7 * np.arange(MOST) * X[:, :1])
    best = A @ np.linalg.lstsq(A, X[:, 1], rcond=None)[0]
    np.testing.assert_allclose(most.loss[0], np.mean((best - X[:, 1]) ** 2), rtol=TOL["rewrite"])


def test_linear_constants_of_an_ill_conditioned_problem_fall_all_the_same():
    X = data()
    batch = pack(" + ".join(f"0.5*x0^{i}" for i in range(MOST)))  # singular to working precision
    start = CpuEvaluator(1).loss(batch, Rows.pack(X, NAMES, X[:, 0]))[0]
    losses = [fit(batch, X, X[:, 0], iterations=i).loss[0] for i in (1, 8, 30)]
    assert start * 1e-9 > losses[0] > losses[1] > losses[2]


def test_expressions_without_constants():
    X = data()
    got = fit(pack("x0", "x0 - x0", "log(x0 - 10)", "pi"), X, X[:, 1])
    want = [np.mean((p - X[:, 1]) ** 2) for p in (X[:, 0], 0 * X[:, 0], np.pi)]
    np.testing.assert_allclose(got.loss[[0, 1, 3]], want, rtol=TOL["float64"] * 10)
    assert got.loss[2] == np.inf
    assert got.passes.tolist() == [1, 1, 1, 1]
    assert len(fit(Batch.empty(NAMES), X, X[:, 1]).loss) == 0


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("rows", [60, 600])
def test_never_worse_and_reported_losses_are_true(kind, rows):
    X, rng = data(rows), np.random.default_rng(3)
    y, batch = rng.gamma(2, 1, rows), random_batch(rng, 250, NAMES, n_tokens=14, constant=0.5)
    packed, cpu = Rows.pack(X, NAMES, y), CpuEvaluator(1)
    before = cpu.loss(batch, packed, LOSSES[kind], 0.5)
    got = fit_constants(batch, packed, cpu, kind=LOSSES[kind], parameter=0.5)
    after = cpu.loss(got.batch, packed, LOSSES[kind], 0.5)
    np.testing.assert_array_equal(np.isfinite(got.loss), np.isfinite(before))
    assert (got.loss <= before * (1 + TOL["float64"])).all()
    np.testing.assert_allclose(got.loss, after, rtol=1e-9)  # the same sums in another order, where curvature amplifies nothing
    np.testing.assert_array_equal(got.batch.code, batch.code)
    fixed = batch.code != 1
    np.testing.assert_array_equal(got.batch.value[fixed], batch.value[fixed])


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_nothing(threads):
    X, batch = data(), random_batch(np.random.default_rng(4), 150, NAMES, n_tokens=14)
    y = np.exp(X[:, 0]) - X[:, 1]
    one, many = fit(batch, X, y, starts=3, seed=7), fit(batch, X, y, starts=3, seed=7, threads=threads)
    # a start is drawn from the position in the batch, hence the same on any thread
    np.testing.assert_array_equal(one.batch.value, many.batch.value)
    np.testing.assert_array_equal(one.loss, many.loss)
    np.testing.assert_array_equal(one.passes, many.passes)


def test_constants_that_are_not_finite_and_operators_without_a_derivative():
    X = data()
    got = fit(Batch.pack([Expr(("x0", np.nan, OPS["mul"])), Expr.parse("1.0*gamma(1.0*x0)")], NAMES), X, X[:, 0], iterations=30)
    assert got.loss[0] == np.inf
    assert np.isnan(got.batch[0].constants[0])
    assert got.loss[1] < fit(pack("1.0*gamma(1.0*x0)"), X, X[:, 0], iterations=0).loss[0]
