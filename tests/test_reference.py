"""The reference evaluator: ways to give data, natural semantics, 50 digits, jacobian."""

import numpy as np
import pytest
from hypothesis import assume, given

from symnum.evaluate import reference
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import BUILTIN
from symnum.testing import TOL, close, expressions, properties


@pytest.mark.parametrize("data", ["mapping", "frame", "array", "keywords", "override"])
def test_call_takes_columns_in_every_form(data):
    expr, x0, x1 = Expr.parse("x0 - 2*x1"), np.array([1.0, 2.0]), np.array([3.0, 5.0])
    if data == "frame":
        pd = pytest.importorskip("pandas")
        y = expr(pd.DataFrame({"x0": x0, "x1": x1, "text": ["a", "b"]})[["x0", "x1"]])
    elif data == "override":
        y = expr({"x0": x0, "x1": [0, 0]}, x1=x1)
    else:
        y = {"mapping": lambda: expr({"x0": x0, "x1": x1}), "array": lambda: expr(np.stack([x0, x1], 1)),
             "keywords": lambda: expr(x0=x0, x1=x1)}[data]()
    assert y.tolist() == [-5.0, -8.0] and y.dtype == np.float64


def test_call_shapes():
    assert Expr.parse("2*pi").__call__(x=[1, 2, 3]).shape == (3,)
    assert Expr.parse("2")().tolist() == [2.0]
    assert Expr.parse("x")(x=1).shape == (1,)
    assert Expr.parse("x*y")({"x": [1, 2], "y": 3}).tolist() == [3.0, 6.0]


def test_call_errors():
    with pytest.raises(KeyError, match="data for the variable 'y' is required"):
        Expr.parse("x + y")(x=1)
    with pytest.raises(ValueError, match=r"try X\.reshape"):
        Expr.parse("x0")([1, 2, 3])


@pytest.mark.parametrize(("text", "x", "value"), [
    ("1/x", 0, np.inf), ("log(x)", -1, np.nan), ("log(x)", 0, -np.inf), ("sqrt(x)", -1, np.nan), ("x^0.5", -1, np.nan),
    ("x^3", -2, -8), ("asin(x)", 2, np.nan), ("exp(x)", 1000, np.inf), ("cbrt(x)", -8, -2), ("sign(x)", np.nan, np.nan),
    ("sign(x)", -np.inf, -1), ("min(x, 1)", np.nan, np.nan), ("max(1, x)", np.nan, np.nan), ("gamma(x)", -1, np.nan),
    ("gamma(x)", 5, 24), ("lgamma(x)", 3, np.log(2)), ("x^0", np.nan, 1), ("x - x", np.inf, np.nan), ("10^400", 0, np.inf),
    ("x + " + "9" * 400, 0, np.inf),
])
def test_natural_semantics(text, x, value):
    assert close(Expr.parse(text)(x=x), [value]).all()


def test_values_report_nan_and_inf():
    batch = Batch.pack([Expr.parse(t) for t in ("1/x", "x + y", "2.5")], ["x", "y"])
    y, ok = reference.values(batch, np.array([[0.0, 1.0], [2.0, 3.0]]))
    assert y.tolist() == [[np.inf, 0.5], [1.0, 5.0], [2.5, 2.5]] and ok.tolist() == [False, True, True]
    y, ok = reference.values(Batch.empty(["x"]), np.zeros((3, 1)))
    assert y.shape == (0, 3) and ok.shape == (0,)


@properties(300)
@given(expressions(ops=BUILTIN, max_leaves=5))
def test_mpmath_agrees_with_float64(expr):
    compared = 0
    for x, y in ((0.7, 1.3), (1.9, -0.4), (-0.6, 0.2)):
        exact, value = reference.values_mpmath(expr, {"x": x, "y": y}), expr(x=x, y=y)[0]
        nearby = [expr(x=x * (1 + d), y=y * (1 - d))[0] for d in (1e-9, -1e-9)]
        if exact == exact and np.isfinite(nearby).all() and np.ptp(nearby) < TOL["mpmath"] * 100 * abs(value):  # well-conditioned
            assert close(value, float(exact), "mpmath"), str(expr)
            compared += 1
    assume(compared)  # some expressions are defined nowhere


@pytest.mark.parametrize("text", ["log(-x)", "sqrt(-x)", "1/(x - x)", "asin(2*x)", "(-x)^0.5", "gamma(-x)",
                                  "exp(exp(exp(exp(x + 3))))"])
def test_mpmath_is_nan_outside(text):
    value = reference.values_mpmath(Expr.parse(text), {"x": 1})
    assert value != value


@pytest.mark.parametrize(("text", "slopes"), [
    ("2.0*x + 3.0", ["x", "1"]), ("sin(1.5*x)", ["x*cos(1.5*x)"]), ("x^2.0", ["x^2*log(x)"]),
    ("exp(-0.5*x)/1.5", ["x*exp(-0.5*x)/1.5",
     "-exp(-0.5*x)/1.5^2"]), ("erf(0.3*x)", ["x*1.1283791670955126*exp(-(0.3*x)^2)"]), ("x", []), ("0.0*x", ["x"]),
])
def test_jacobian(text, slopes):
    X = np.array([[0.5], [1.25], [3.0]])
    J = reference.jacobian(Batch.pack([Expr.parse(text), Expr.parse("1.0*x + 2.0*x")], ["x"]), X)
    assert J.shape == (2, 3, 2)
    for k, slope in enumerate(slopes):
        assert close(J[0, :, k], Expr.parse(slope)(x=X[:, 0]), "jacobian").all()
    assert not J[0, :, len(slopes):].any() and np.allclose(J[1], X)
