"""User operators: probe, spellings from sympy, use everywhere."""

import numpy as np
import pytest

from symnum.evaluate import reference
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import NONNEGATIVE, POSITIVE, Interval, Op
from symnum.testing import close


def softplus_function(a):
    return np.log(1 + np.exp(a))


def hypot_function(a, b):
    return np.sqrt(a * a + b * b + 1.0)


softplus = Op.from_function("softplus", softplus_function, 1, sympy="log(1 + exp(a))", laws="increasing", image=POSITIVE)
hyp = Op.from_function("hyp1", hypot_function, 2, sympy="sp.sqrt(a**2 + b**2 + 1)", laws="commutative", cost=3)
bare = Op.from_function("bare", lambda a: a / (1.0 + abs(a)), 1)
X = np.array([[0.5, 1.0], [-2.0, 3.0], [4.0, -0.25]])


def test_use_like_a_built_in_one():
    e = Expr.parse("2.0*softplus(x) + hyp1(x, y)")
    expected = 2 * softplus_function(X[:, 0]) + hypot_function(*X.T)
    assert close(e(x=X[:, 0], y=X[:, 1]), expected).all()
    y, ok = reference.values(Batch.pack([e], ["x", "y"]), X)
    assert close(y[0], expected).all() and ok.all()
    assert str(e) == "2.0*softplus(x) + hyp1(x, y)" and e.complexity == 10
    assert Expr.parse("hyp1(y, x)").canonical() == Expr.parse("hyp1(x, y)").canonical()


def test_sympy_gives_the_other_spellings():
    assert str(Expr.parse("softplus(2*x)").sympy()) == "log(exp(2*x) + 1)"
    e = Expr.parse("softplus(x*y)")
    assert close(e.derivative("x")(x=0.5, y=2.0), 2.0 / (1 + np.exp(-1.0)), "derivative").all()
    assert close(float(reference.values_mpmath(Expr.parse("hyp1(x, 2)"), {"x": 3})), np.sqrt(14), "mpmath")
    assert Expr.parse("hyp1(x, y)").latex() == r"\sqrt{x^{2} + y^{2} + 1}"
    assert "sqrt(" in Expr.parse("hyp1(x, 2)").c() and "log(" in Expr.parse("softplus(x)").c()


def test_torch_spelling_agrees():
    pytest.importorskip("torch")
    from symnum.evaluate.torch import TorchEvaluator

    batch = Batch.pack([Expr.parse("softplus(1.5*x)"), Expr.parse("hyp1(x, 2.0*y)")], ["x", "y"])
    y, _ = TorchEvaluator().values(batch, X)
    assert close(y.numpy(), reference.values(batch, X).y).all()
    assert close(TorchEvaluator().jacobian(batch, X).jac.numpy(), reference.jacobian(batch, X), "jacobian").all()


def test_without_sympy_the_exports_say_so():
    e = Expr.parse("bare(x)")
    assert close(e(x=[1.0, -3.0]), [0.5, -0.75]).all()
    for export in (e.sympy, e.latex, e.c, lambda: e.torch()(__import__("torch").ones(1, 1)), lambda: e.derivative("x")):
        with pytest.raises((LookupError, ValueError), match="bare"):
            export()


def test_what_is_given_wins_over_what_sympy_says():
    op = Op.from_function("mine", lambda a: a * 1.0, 1, sympy="a", latex=r"\mathcal{{M}}({a})", derivative="1")
    assert Expr.parse("mine(x)").latex() == r"\mathcal{M}(x)" and op.derivative == ("1",)


def test_registering_twice_and_names():
    assert Op.from_function("softplus", softplus_function, 1) is softplus
    for name in ("softplus", "sin", "ln"):
        with pytest.raises(ValueError, match="already in the table, try"):
            Op.from_function(name, np.tanh, 1)
    for name in ("a b", "2x", "inf", "a", ""):
        with pytest.raises(ValueError, match="must be an identifier"):
            Op.from_function(name, np.tanh, 1)


def test_the_same_text_run_again_gives_the_known_operator():
    cell = """K = 2.5
def scaled(shift):
    return lambda a, k=3.0: k * a / (1 + abs(a)) + K * shift
op = Op.from_function("rerun", scaled(0.5), 1, sympy="3*a/(1 + Abs(a)) + 1.25", domain=Interval(-4, 4), laws="increasing")
"""
    namespace = {"Op": Op, "Interval": Interval}
    exec(cell, namespace)
    first = namespace["op"]
    for text in (cell, "\n\n" + cell):  # elsewhere in a file
        exec(text, namespace)
        assert namespace["op"] is first
    changes = {"k * a": "a * k", "k=3.0": "k=3.00001", "(1 + abs": "(1.0 + abs", "abs(a)) +": "np.abs(a)) +",
               "scaled(0.5)": "scaled(0.50001)", "K = 2.5": "K = 2.50001",
               "+ 1.25": "+ 5/4", "-4, 4": "-4, 5", "increasing": "", '"increasing"': '"increasing", cost=2'}
    for old, new in changes.items():
        assert cell.count(old) == 1
        with pytest.raises(ValueError, match="already in the table|must agree"):
            exec(cell.replace(old, new), {"Op": Op, "Interval": Interval, "np": np})
    row = {"sympy": "sp.sqrt(a**2 + b**2 + 1)", "laws": "commutative", "cost": 3}
    assert Op.from_function("hyp1", lambda a, b: np.sqrt(a * a + b * b + 1.0), 2, **row) is hyp


@pytest.mark.parametrize(("f", "arity", "row", "words"), [
    (lambda a, b: a, 1, {}, r"must take 1 argument\(s\), got \(a, b\)"), (lambda a: a if a > 0 else 0.0, 1, {},
    "raised ValueError"),
    (lambda a: np.sum(a), 1, {}, r"keep the shape \(16,\)"), (lambda a: a > 0, 1, {}, "must give floats, got bool"),
    (lambda a: np.log(a), 1, {}, "must be finite inside its domain, got nan"), (lambda a: 1j * a, 1, {},
    "must give floats, got complex"),
    (lambda a: a, 3, {}, "arity 1 or 2 was required"), (lambda a: a, 1, {"color": 1}, r"got \['color'\]"),
    (lambda a: a, 1, {"sympy": "foo(a)"}, "must be a sympy expression over a"), ("a + 1", 1, {}, "a function was required"),
    (lambda a: a, 1, {"domain": (POSITIVE, POSITIVE)}, "one domain per argument"),
    (lambda a: a / (1 + abs(a)), 1, {"sympy": "a/2"}, "disagree"),
])
def test_the_probe_says_what_is_wrong(f, arity, row, words):
    with pytest.raises(ValueError, match=words):
        Op.from_function("refused", f, arity, **row)


def test_a_domain_is_respected_by_the_probe():
    root = Op.from_function("root4", lambda a: np.sqrt(np.sqrt(a)), 1, domain=NONNEGATIVE, sympy="a**Rational(1, 4)")
    assert Expr.apply(root, Expr.var("x"))(x=[16.0, -1.0])[0] == 2.0
    gauss = Op.from_function("gauss", lambda a: np.exp(-a * a), 1, domain=Interval(-3, 3), sympy="exp(-a**2)", laws="even")
    assert str(Expr.apply(gauss, Expr.parse("-x")).simplify()) == "gauss(x)"
