"""The torch evaluator against the reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.evaluate import reference
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import BUILTIN
from symnum.testing import close, expressions, properties, random_batch

torch = pytest.importorskip("torch")

from symnum.evaluate.torch import TorchEvaluator, module, values  # noqa: E402 (needs torch)

OPS_OF_TORCH = tuple(o for o in BUILTIN if o.torch)
SPECIAL = np.array([[0.0, 1.0], [-0.0, np.inf], [np.nan, 2.0], [-np.inf, -1.5], [1e200, 1e-200], [-3.0, 0.5], [0.7, -2.0],
                    [1.0, np.nan]])


@properties(150)
@given(st.lists(expressions(ops=OPS_OF_TORCH), min_size=1, max_size=4))
def test_values_and_nan_patterns_equal_the_reference(exprs):
    batch = Batch.pack(exprs, ["x", "y"])
    y, ok = reference.values(batch, SPECIAL)
    t, t_ok = values(batch, SPECIAL)
    wild = np.abs(y) > 1e15  # of ill-conditioned values (tan at its pole, sin of 1e200) only the kind is compared
    y, t = np.where(wild, 1.0, y), np.where(wild, 1.0, t.numpy())
    assert ok.tolist() == t_ok.tolist(), list(map(str, exprs))
    assert all((kind(t) == kind(y)).all() for kind in (np.isnan, np.isposinf, np.isneginf)), list(map(str, exprs))


def test_values_of_a_random_batch():
    rng = np.random.default_rng(0)
    batch = random_batch(rng, 300, ["x", "y", "z"], OPS_OF_TORCH, 15)
    X = rng.uniform(0.2, 2.0, (40, 3))
    y, ok = reference.values(batch, X)
    t, t_ok = values(batch, X)
    assert (ok == t_ok.numpy()).all() and 20 < ok.sum() < 300
    moved = reference.values(batch.with_constants(batch.constants * (1 + 1e-13)), X * (1 + 1e-13)).y
    near = np.isclose(moved, y, rtol=1e-10, atol=0) & np.isfinite(y)  # well-conditioned points
    assert near[ok].mean() > 0.7
    assert close(t.numpy()[near], y[near], "mpmath").all()


@pytest.mark.parametrize("op", [o for o in OPS_OF_TORCH if o.arity], ids=lambda o: o.name)
def test_every_operator_at_special_points(op):
    batch = Batch.pack([Expr.apply(op, *map(Expr.var, "xy"[: op.arity]))], ["x", "y"])
    y, t = reference.values(batch, SPECIAL).y, values(batch, SPECIAL).y.numpy()
    tame = ~(np.abs(SPECIAL[:, :op.arity]) > 1e15).any(1) | np.isinf(SPECIAL[:, :op.arity]).any(1)
    assert close(t[0, tame], y[0, tame]).all(), (op, t, y)


def test_float32():
    batch = Batch.pack([Expr.parse("exp(-1.5*x) + y/2")], ["x", "y"])
    X = np.random.default_rng(0).uniform(0.5, 2, (10, 2))
    y, ok = TorchEvaluator(dtype=torch.float32).values(batch, X)
    assert y.dtype == torch.float32 and ok.all() and close(y.numpy(), reference.values(batch, X).y, "float32").all()


def test_jacobian_equals_the_reference():
    rng = np.random.default_rng(3)
    names = ("add", "sub", "mul", "sin", "cos", "tanh", "exp", "atan", "abs", "square")
    batch = random_batch(rng, 60, ["x", "y"], names, 9, constant=0.4)
    X = rng.uniform(0.3, 1.2, (12, 2))
    J, K = reference.jacobian(batch, X), TorchEvaluator().jacobian(batch, X).jac.numpy()
    y, _ = reference.values(batch, X)
    assert K.shape == J.shape
    tame = np.isfinite(J).all(2) & (np.abs(y) < 1e3) & (np.abs(K).max(2) < 1e3)
    assert tame.mean() > 0.6
    agree = np.abs(J - K).max(2) <= 1e-6 * (1 + np.abs(K).max(2))  # TOL["jacobian"]; kinks of abs inside the stencil may differ
    assert agree[tame].mean() > 0.98


def test_equal_constants_have_their_own_slopes():
    J = TorchEvaluator().jacobian(Batch.pack([Expr.parse("2.0*x + 2.0")], ["x"]), np.array([[3.0]])).jac
    assert J.tolist() == [[[3.0, 1.0]]]


def test_module_learns_its_constants():
    expr = Expr.parse("1.0*x + 0.5*sin(y)")
    m = module(expr, ["y", "x", "unused"])
    X = torch.tensor(np.random.default_rng(0).uniform(-1, 1, (64, 3)))
    target = 2.5 * X[:, 1] - 1.5 * torch.sin(X[:, 0])
    optimiser = torch.optim.LBFGS(m.parameters(), max_iter=50)

    def loss():
        optimiser.zero_grad()
        value = ((m(X) - target) ** 2).mean()
        value.backward()
        return value

    optimiser.step(loss)
    assert close(m.constants.detach().numpy(), [2.5, -1.5], "jacobian").all()
    assert m.expr().constants == tuple(m.constants.tolist())
    assert m.sympy().free_symbols == expr.sympy().free_symbols


def test_module_of_a_constant_and_gradients_by_inputs():
    assert module(Expr.parse("2*pi"))(torch.zeros(3, 0)).shape == (3,)
    X = torch.tensor([[2.0]], dtype=torch.float64, requires_grad=True)
    module(Expr.parse("x^3"))(X).sum().backward()
    assert X.grad.tolist() == [[12.0]]
    m = Expr.parse("1.5*x").torch()
    assert sum(p.numel() for p in m.parameters()) == 1 and m(torch.ones(2, 1)).dtype == torch.float32


def test_errors():
    with pytest.raises(ValueError, match="features must contain"):
        module(Expr.parse("x + y"), ["x"])
    with pytest.raises(LookupError, match="torch form are required, got 'gamma'"):
        values(Batch.pack([Expr.parse("gamma(x)")], ["x"]), np.ones((1, 1)))
