"""The CPU evaluator: equal to the reference, to its own fused losses, and to itself however the work is cut.

Arithmetic is IEEE in both, so only transcendental functions may differ, by some ulp. `noisy` repeats the reference with such
errors (Monte-Carlo arithmetic, Parker 1997): a value may be off by what that noise does to it, and where the noise leaves the
pattern of NaN and Inf alone, the pattern must be identical. The reference of float32 is numpy in float32, overflow included.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.evaluate import cpu as cpu_module
from symnum.evaluate import reference
from symnum.evaluate.cpu import CpuEvaluator, Rows
from symnum.evaluate.generate import kernel_source, target
from symnum.evaluate.machine import HUBER, LOGCOSH, MAE, MSE, POISSON
from symnum.language.batch import Batch
from symnum.language.expr import Expr, operator_functions
from symnum.language.ops import BUILTIN, OPS, Op
from symnum.testing import CONSTANTS, TOL, expressions, properties, random_batch

NAMES = ("x0", "x1", "x2")
DTYPES = ("float64", "float32")
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, np.inf, -np.inf, np.nan, 1e300, -1e300, 1e-300, 5e-324, -5e-324, 1e13, -1e13, 700.0,
           1e38, 1e-40)
EXACT = frozenset("add sub mul div neg inv square cube sqrt abs sign min max pi e".split())  # IEEE: no error to allow for
EVERY = [op for op in BUILTIN if op.name != "lgamma"]  # scipy's gammaln is inf at subnormals, libm's is right
LOSSES = {"mse": MSE, "mae": MAE, "huber": HUBER, "logcosh": LOGCOSH, "poisson": POISSON}
_numpy = operator_functions("numpy")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def grid(dtype: str = "float64") -> np.ndarray:
    """Every pair of special values, and plain ones in the third column."""
    a, b = np.meshgrid(SPECIAL, SPECIAL)
    with np.errstate(all="ignore"):
        return np.column_stack([a.ravel(), b.ravel(), np.linspace(-3, 3, a.size)]).astype(dtype)


def plain(rows: int, dtype: str = "float64") -> np.ndarray:
    """Moderate data, a few rows of them negative, zero or large."""
    X = np.random.default_rng(rows).normal(0, 1.5, (rows, len(NAMES)))
    X[::7, 0], X[3::11, 1], X[5::13, 2] = 0.0, 40.0, -1.0
    return X.astype(dtype)


def pack(*texts: str) -> Batch:
    return Batch.pack([Expr.parse(t) for t in texts], NAMES)


def pattern(y: np.ndarray) -> np.ndarray:
    """0 finite, 1 NaN, 2 +Inf, 3 -Inf."""
    return np.where(np.isnan(y), 1, np.where(np.isposinf(y), 2, np.where(np.isneginf(y), 3, 0)))


def noisy(expr: Expr, X: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """The reference in the dtype of X; with `rng`, every transcendental value is off by up to 4 ulp."""
    real, table = X.dtype.type, dict(zip(NAMES, X.T, strict=True))

    def leaf(token):
        return table[token] if isinstance(token, str) else real(_numpy(token)() if isinstance(token, Op) else token)

    def branch(op, arguments):
        y = _numpy(op)(*arguments)
        if rng is None or op.name in EXACT:
            return np.asarray(y, X.dtype)
        return np.asarray(y * (1 + 4 * np.finfo(X.dtype).eps * rng.uniform(-1, 1, np.shape(y))), X.dtype)

    with np.errstate(all="ignore"):
        return np.broadcast_to(expr.fold(leaf, branch), len(X))


def check(expr: Expr, X: np.ndarray) -> None:
    """Values, pattern and ok of one expression against the reference."""
    dtype = X.dtype.name
    got = CpuEvaluator(1).values(Batch.pack([expr], NAMES), Rows.pack(X, NAMES, dtype=dtype))
    want, rng = noisy(expr, X), np.random.default_rng(0)
    draws = [noisy(expr, X, rng) for _ in range(4)]
    stable = np.all([pattern(d) == pattern(want) for d in draws], axis=0)
    np.testing.assert_array_equal(pattern(got.y[0])[stable], pattern(want)[stable])
    if stable.all():
        assert got.ok[0] == np.isfinite(want).all()
    finite = stable & np.isfinite(want)
    with np.errstate(all="ignore"):
        spread = np.max([np.abs(d - want) for d in draws], axis=0, initial=0)[finite]
        off = np.abs(got.y[0] - want)[finite]
    assert (off <= TOL[dtype] * np.abs(want[finite]) + 4 * spread + np.finfo(dtype).smallest_subnormal * 8).all(), str(expr)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", [op for op in EVERY if op.arity], ids=lambda op: op.name)
def test_every_operator_on_special_inputs(op, dtype):
    check(Expr.apply(op, *(Expr.var(n) for n in NAMES[: op.arity])), grid(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@properties(150)
@given(data=st.data())
def test_random_expressions_equal_the_reference(dtype, data):
    expr = data.draw(expressions(NAMES, EVERY, constants=(*CONSTANTS, 1e300, np.inf, np.nan)))
    check(expr, grid(dtype))
    check(expr, plain(40, dtype))


def test_float64_values_equal_the_reference_in_bulk():
    batch = random_batch(np.random.default_rng(1), 300, NAMES, ["add", "sub", "mul", "div", "neg", "square", "sqrt", "min", "max", "abs"])
    got, (y, ok) = CpuEvaluator(1).values(batch, Rows.pack(plain(50), NAMES)), reference.values(batch, plain(50))
    np.testing.assert_array_equal(got.y, y)  # these are IEEE operations: bit by bit
    np.testing.assert_array_equal(got.ok, ok)


@pytest.mark.parametrize("text", ["x1", "1.5", "3", "pi", "x0*x0", "x0 - x0", "x0/x0", "pi + e", "x0^x0", "2.0*2.0", "min(x0, x0)"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_small_expressions(text, dtype):
    check(Expr.parse(text), plain(20, dtype))


def test_constants_that_are_not_finite():
    batch = Batch.pack([Expr(("x0", np.nan, OPS["add"])), Expr(("x0", np.inf, OPS["mul"])), Expr((np.inf,)), Expr.parse("1.0")], NAMES)
    got = CpuEvaluator(1).values(batch, Rows.pack([[1.0, 0, 0], [-1.0, 0, 0]], NAMES))
    assert got.ok.tolist() == [False, False, False, True]
    assert pattern(got.y).tolist() == [[1, 1], [2, 3], [2, 2], [0, 0]]


def test_deep_expressions():
    left = Expr.parse("x0")
    for i in range(40):
        left = Expr.apply("add" if i % 2 else "mul", left, Expr.var(NAMES[i % 3]))
    right = Expr.parse("x1")
    for i in range(40):
        right = Expr.apply("sub" if i % 2 else "div", Expr.const(1.5 + i), right)
    nested = Expr.parse("x2")
    for _ in range(60):
        nested = Expr.apply("sin", nested)
    for expr in (left, right, nested, Expr.apply("mul", left, right)):
        assert len(expr.tokens) > 60
        check(expr, plain(30))


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 255, 256, 257, 1000, 100_000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_number_of_rows(rows, dtype):
    X, batch = plain(rows, dtype), pack("x0 + 2.0*x1", "sqrt(x2)", "x0", "2.5", "x0*x1 - x2")
    y = X[:, 0].astype(float)
    packed = Rows.pack(X, NAMES, y, dtype=dtype)
    assert (packed.X.size > cpu_module.RESIDENT) == (rows == 100_000)
    got = CpuEvaluator(1).values(batch, packed)
    for p, expr in enumerate(batch.unpack()):
        np.testing.assert_array_equal(got.y[p], noisy(expr, X))
    want = [np.inf if not ok else np.mean((v.astype(float) - y) ** 2) for v, ok in zip(got.y, got.ok, strict=True)]
    np.testing.assert_allclose(CpuEvaluator(1).loss(batch, packed), want, rtol=TOL[dtype], atol=TOL["zero"])


def test_blocks_that_do_not_stay_in_the_workspace(monkeypatch):
    X, batch = plain(1000), random_batch(np.random.default_rng(2), 50, NAMES, n_tokens=12)
    rows = Rows.pack(X, NAMES, X[:, 1])
    y, loss = CpuEvaluator(1).values(batch, rows), CpuEvaluator(1).loss(batch, rows)
    monkeypatch.setattr(cpu_module, "RESIDENT", 0)
    again = CpuEvaluator(1).values(batch, rows)
    np.testing.assert_array_equal(again.y, y.y)
    np.testing.assert_array_equal(again.ok, y.ok)
    np.testing.assert_array_equal(CpuEvaluator(1).loss(batch, rows), loss)


def mean_loss(name: str, y: np.ndarray, p: np.ndarray, weight: np.ndarray) -> float:
    """The losses of `symnum.problem.losses`, in numpy."""
    r = np.abs(p - y)
    with np.errstate(all="ignore"):
        rows = {"mse": r**2, "mae": r, "huber": np.where(r <= 0.7, r**2 / 2, 0.7 * (r - 0.35)), "logcosh": np.logaddexp(r, -r) - np.log(2),
                "poisson": np.where(p > 0, p - y + np.where(y > 0, y * np.log(y / p), 0), np.nan)}[name]
    loss = np.average(rows, weights=weight) if np.isfinite(rows).all() else np.inf
    return loss


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [40, 700])
def test_fused_losses_equal_numpy_on_the_values(name, dtype, weighted, n):
    rng = np.random.default_rng(3)
    X, y = plain(n, dtype), np.abs(rng.normal(1, 1, n)).astype(dtype)
    y[0] = 0.0
    weight = rng.uniform(0, 2, n) if weighted else np.ones(n)
    batch = pack("exp(sin(x0))", "square(x1) + 0.5", "x0", "1.25", "log(x0)", "1/x0", "exp(x0)*exp(1.0 - x0)")
    rows = Rows.pack(X, NAMES, y, weight, dtype=dtype)
    got, values = CpuEvaluator(1).loss(batch, rows, LOSSES[name], 0.7), CpuEvaluator(1).values(batch, rows)
    want = [mean_loss(name, y.astype(float), v.astype(float), weight) for v in values.y]
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))
    np.testing.assert_allclose(got, want, rtol=TOL[dtype])


def test_a_row_of_weight_zero_still_counts_as_invalid():
    rows = Rows.pack([[1.0, 0, 0], [-1.0, 0, 0]], NAMES, [0.0, 0.0], [1.0, 0.0])
    assert CpuEvaluator(1).loss(pack("log(x0)", "x0"), rows).tolist() == [np.inf, 1.0]


DIFFERENTIABLE = [op for op in BUILTIN if op.arity and op.name not in ("sign", "min", "max", "abs", "gamma", "lgamma")]


@pytest.mark.parametrize("dtype", DTYPES)
@properties(80)
@given(data=st.data())
def test_jacobian_equals_finite_differences(dtype, data):
    expr = data.draw(expressions(NAMES, DIFFERENTIABLE, max_leaves=6, constants=(0.5, 1.5, -0.75, 2.25)))
    X, batch = plain(24)[1:7].astype(dtype), Batch.pack([expr], NAMES)
    got = CpuEvaluator(1).jacobian(batch, Rows.pack(X, NAMES, dtype=dtype))
    values = CpuEvaluator(1).values(batch, Rows.pack(X, NAMES, dtype=dtype))
    np.testing.assert_array_equal(got.y, values.y)
    np.testing.assert_array_equal(got.ok, values.ok)
    if not len(expr.constants):
        assert got.jac.shape == (1, len(X), 0)
        return
    X = X.astype(float)
    want, size = reference.jacobian(batch, X)[0], np.abs(reference.values(batch, X).y[0])[:, None]
    apart = 1 + 1e-4 * np.arange(1, len(expr.constants) + 1)  # each its own way: 0.5 - 0.5 leaves its zero
    nudged = reference.jacobian(batch.with_constants(batch.constants * apart), X)[0]
    with np.errstate(all="ignore"):  # only where the derivative is neither steep nor the small difference of large values
        tame = np.isfinite(want) & (np.abs(nudged - want) <= 1e-2 * np.abs(want)) & (size < 1e3 * np.abs(want)) & (np.abs(want) < 1e4)
    np.testing.assert_allclose(got.jac[0][tame], want[tame], rtol=1e-4 if dtype == "float64" else 1e-2)  # what the differences are good to


def test_jacobian_of_every_operator():
    for op in (*DIFFERENTIABLE, OPS["gamma"], OPS["lgamma"]):
        for k in range(op.arity):
            arguments = [Expr.parse("0.6"), Expr.parse("0.6")][: op.arity]
            arguments[k] = Expr.parse("0.5*x0")
            batch = Batch.pack([Expr.apply(op, *arguments)], NAMES)
            X = np.linspace(0.2, 1.4, 20)[:, None].repeat(3, axis=1)
            want = reference.jacobian(batch, X)
            double = CpuEvaluator(1).jacobian(batch, Rows.pack(X, NAMES)).jac
            np.testing.assert_allclose(double, want, rtol=TOL["jacobian"], atol=TOL["zero"])
            single = CpuEvaluator(1).jacobian(batch, Rows.pack(X, NAMES, dtype="float32")).jac
            np.testing.assert_allclose(single, want, rtol=TOL["float32"] * 10, atol=TOL["float32"])  # one derivative more than a value


def test_jacobian_pads_expressions_with_fewer_constants():
    got = CpuEvaluator(1).jacobian(pack("x0", "2.0*x0", "1.0*x0 + 2.0"), Rows.pack(plain(300), NAMES))
    x, one = plain(300)[:, 0], np.ones(300)
    np.testing.assert_array_equal(got.jac, [np.column_stack(c) for c in ((0 * x, 0 * x), (x, 0 * x), (x, one))])


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_nothing(threads):
    batch, rows = random_batch(np.random.default_rng(4), 211, NAMES), Rows.pack(plain(300), NAMES, plain(300)[:, 0])
    one, many = CpuEvaluator(1), CpuEvaluator(threads)
    for a, b in ((one.values(batch, rows), many.values(batch, rows)), (one.jacobian(batch, rows), many.jacobian(batch, rows))):
        np.testing.assert_array_equal(a.y, b.y)
        np.testing.assert_array_equal(a.ok, b.ok)
    np.testing.assert_array_equal(one.jacobian(batch, rows).jac, many.jacobian(batch, rows).jac)
    np.testing.assert_array_equal(one.loss(batch, rows), many.loss(batch, rows))


def test_any_split_of_a_batch_changes_nothing():
    batch, rows = random_batch(np.random.default_rng(5), 60, NAMES), Rows.pack(plain(100), NAMES, plain(100)[:, 0])
    cpu = CpuEvaluator(1)
    y, loss = cpu.values(batch, rows).y, cpu.loss(batch, rows)
    for parts in (2, 7, 60):
        pieces = [batch.take(i) for i in np.array_split(np.arange(60), parts)]
        np.testing.assert_array_equal(np.concatenate([cpu.values(b, rows).y for b in pieces]), y)
        np.testing.assert_array_equal(np.concatenate([cpu.loss(b, rows) for b in pieces]), loss)


def test_empty_batch_and_given_output():
    rows, cpu = Rows.pack(plain(10), NAMES), CpuEvaluator(2)
    assert cpu.values(Batch.empty(NAMES), rows).y.shape == (0, 10)
    assert cpu.loss(Batch.empty(NAMES), rows).shape == (0,)
    out = np.empty((2, 10))
    assert cpu.values(pack("x0", "x1"), rows, out).y is out
    np.testing.assert_array_equal(out, plain(10)[:, :2].T)


def user_op(name: str, f, arity: int) -> Op:
    return OPS.get(name) or Op.from_function(name, f, arity)


@pytest.mark.parametrize("dtype", DTYPES)
def test_user_operators(dtype):
    soft = user_op("test_cpu_soft", lambda a: a / (1.0 + abs(a)), 1)
    hyp = user_op("test_cpu_hyp", lambda a, b: np.sqrt(a * a + 2.0 * b * b), 2)
    x0, x1, c = Expr.var("x0"), Expr.var("x1"), Expr.const(1.5)
    exprs = [Expr.apply(soft, x0), Expr.apply(hyp, x0, x1), Expr.apply(hyp, Expr.apply("mul", c, x0), Expr.apply(soft, c))]
    X, batch = plain(600, dtype), Batch.pack(exprs, NAMES)
    got = CpuEvaluator(2).jacobian(batch, Rows.pack(X, NAMES, dtype=dtype))
    a, b = X.T[:2].astype(float)
    want = [a / (1 + abs(a)), np.sqrt(a * a + 2 * b * b), np.sqrt(2.25 * a * a + 2 * 0.36)]
    np.testing.assert_allclose(got.y, want, rtol=TOL[dtype])
    by_first, by_second = 1.5 * a * a / want[2], 2 * 0.6 / want[2] * 0.16
    tolerance = 1e-7 if dtype == "float64" else 2e-2  # central differences with step cbrt(eps)
    np.testing.assert_allclose(got.jac[2], np.column_stack([by_first, by_second]), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
def test_generated_kernels_are_current(dtype):
    assert target(dtype).read_text() == kernel_source(dtype), "run python -m symnum.evaluate.generate"


@pytest.mark.parametrize("X", [np.zeros(3), np.zeros((0, 3)), np.zeros((4, 2)), np.zeros((2, 3, 1))])
def test_rows_of_a_wrong_shape_are_refused(X):
    with pytest.raises(ValueError, match=r"X of shape \(rows >= 1, 3\) was required"):
        Rows.pack(X, NAMES)


def test_rows_are_laid_out_in_padded_blocks():
    X = np.arange(51.0).reshape(17, 3)
    rows = Rows.pack(X, NAMES, np.ones(17), np.arange(17))
    assert rows.X.shape == (1, 3, 32)
    np.testing.assert_array_equal(rows.X[0, :, :17], X.T)
    np.testing.assert_array_equal(rows.X[0, :, 17:], X[:1].T.repeat(15, axis=1))
    np.testing.assert_allclose([rows.weight.sum(), rows.weight[16], rows.weight[17:].sum(), rows.y.sum()], [1, 16 / 136, 0, 17])
