"""sympy (both ways), LaTeX, networkx, C."""

import math
import shutil
import subprocess

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given

from symnum.language.export import from_sympy, shared, to_c
from symnum.language.expr import Expr
from symnum.language.ops import BUILTIN, Op
from symnum.testing import ELEMENTARY, TOL, close, expressions, properties, random_batch

X = {"x": np.array([0.7, 1.9, -1.3, 2.6]), "y": np.array([1.2, -0.4, 0.8, 3.1])}
# sympy expands towers of the others for minutes
GENTLE = tuple(o for o in ELEMENTARY if o not in ("tan", "asin", "acos", "cosh", "sinh"))


# sympy ------------------------------------------------------------------------------------------------------------------
@properties(150)
@given(expressions(ops=GENTLE, max_leaves=5))
def test_sympy_round_trip_keeps_values(expr):
    y = expr(X)
    moved = expr({k: v * (1 + 1e-12) for k, v in X.items()})
    good = np.isfinite(y) & (np.abs(y) < 1e12) & np.isclose(moved, y, rtol=1e-8)
    assume(good.any())
    try:
        symbolic = expr.sympy()
    except ValueError as error:
        assert "that sympy can hold was required" in str(error)  # Max(x, 1/0)
        return
    assume(not symbolic.has(sp.zoo, sp.nan, sp.oo, sp.I))  # an infinity or a complex number inside a finite float64 value
    back = from_sympy(symbolic)
    assert close(back(X)[good], y[good], "sympy").all(), (str(expr), str(back))


@pytest.mark.parametrize(("text", "tokens"), [
    ("x/y", "x/y"), ("x*y", "x*y"), ("x - y", "x - y"), ("x**2", "x^2"), ("x**3", "x^3"), ("sqrt(x)", "sqrt(x)"), ("1/x",
    "1/x"),
    ("1/sqrt(x)", "1/sqrt(x)"), ("Rational(2, 3)*x", "2*x/3"), ("exp(-x)", "exp(-x)"), ("pi*E", "e*pi"), ("2.5*x", "2.5*x"),
    ("Max(x, y)", "max(x, y)"), ("Abs(x)", "abs(x)"), ("cot(x)", "1/tan(x)"), ("sec(x)", "1/cos(x)"), ("csc(x)", "1/sin(x)"),
    ("erfc(x)", "1 - erf(x)"), ("loggamma(x)", "lgamma(x)"), ("x**y", "x^y"), ("-x", "-x"), ("x + y*2", "x + 2*y"), ("oo",
    "inf"),
    ("1/(x*y)", "1/(x*y)"), ("x**-2", "1/x^2"), ("-x/y", "-x/y"), ("factorial(x)", "gamma(x + 1)"), ("Heaviside(x)",
    "(1 + sign(x))/2"),
])
def test_from_sympy(text, tokens):
    assert str(from_sympy(sp.sympify(text))) == tokens


@pytest.mark.parametrize("name", ["cot", "sec", "csc", "coth", "sech", "csch", "acot", "asec", "acsc", "asinh", "erfc", "acosh",
                                  "atanh", "factorial"])
def test_identities(name):
    point = 1.7 if name in ("asec", "acsc", "acosh", "factorial") else 0.6
    assert close(from_sympy(getattr(sp, name)(sp.Symbol("x")))(x=point), float(getattr(sp, name)(point)), "sympy").all()


@pytest.mark.parametrize("text", ["besselj(0, x)", "f(x)", "Integral(x, x)", "Piecewise((x, x > 0), (0, True))", "I*x", "x < y"])
def test_sympy_without_counterpart(text):
    with pytest.raises(ValueError, match=r"functions of the operator table were required, got .*supported are"):
        from_sympy(sp.sympify(text))


def test_sympy_symbols_are_real_and_numbers_exact():
    s = Expr.parse("`my x`/3 + 0.1").sympy()
    assert [(v.name, v.is_real) for v in s.free_symbols] == [("my x", True)]
    assert s.coeff(sp.Symbol("my x", real=True)) == sp.Rational(1, 3)
    assert from_sympy(s).constants == (0.1,)
    assert from_sympy(Expr.parse("-inf").sympy()).constants == (-math.inf,) and math.isnan(from_sympy(sp.zoo).constants[0])


# LaTeX ------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "latex"), [
    ("2*x", "2 x"), ("x*y", r"x \cdot y"), ("2*3", r"2 \cdot 3"), ("-2.5*x", "-2.5 x"), ("x/y", r"\frac{x}{y}"),
    ("(x/y)^2", r"\left(\frac{x}{y}\right)^{2}"), ("x^(y + 1)", "x^{y + 1}"), ("(x + 1)*y", r"\left(x + 1\right) \cdot y"),
    ("x - (y - z)", r"x - \left(y - z\right)"), ("x + (y - z)", "x + y - z"), ("x - -2", r"x - \left(-2\right)"),
    ("-(-x)", r"-\left(-x\right)"), ("-(-x*y)", r"-\left(-x \cdot y\right)"), ("(-2)^x", r"\left(-2\right)^{x}"),
    ("exp(x)^2", r"\left(e^{x}\right)^{2}"),
    ("square(x + y)", r"\left(x + y\right)^{2}"), ("inv(x)", r"\frac{1}{x}"), ("abs(x)", r"\left|x\right|"),
    ("alpha*mass", r"\alpha \cdot \mathrm{mass}"),
    ("x0 + x_12", "x_{0} + x_{12}"), ("v_max", r"v_{\mathrm{max}}"), ("`a_b_c`", r"\mathrm{a\_b\_c}"),
    ("`50%`", r"\mathrm{50\%}"),
    ("12345.678*x", r"1.235 \cdot 10^{4} \cdot x"), ("1e-7*x", r"10^{-7} \cdot x"), ("0.00123", "0.00123"), ("1234.5", "1234"),
    ("(1e10)^x", r"\left(10^{10}\right)^{x}"), ("pi*e", r"\pi \cdot e"), ("sqrt(x)^2", r"\sqrt{x}^{2}"), ("inf", r"\infty"),
    ("x*(-y)", r"x \cdot \left(-y\right)"),
    ("sin(x)", r"\sin{\left(x\right)}"), ("min(x, y)", r"\min{\left(x, y\right)}"), ("cbrt(x)", r"\sqrt[3]{x}"),
    ("2*(x/y)", r"2 \cdot \frac{x}{y}"),
])
def test_latex(text, latex):
    assert Expr.parse(text).latex() == latex


@properties(150)
@given(expressions(("x", "alpha", "v_max", "my col"), BUILTIN, 8, (0.5, -1e-9, 1e300, math.inf)))
def test_latex_is_balanced_and_numbers_are_precise(expr):
    latex = expr.latex()
    depth = 0
    for c in latex.replace(r"\{", "").replace(r"\}", ""):
        depth += (c == "{") - (c == "}")
        assert depth >= 0
    assert depth == 0 and latex.count(r"\left") == latex.count(r"\right") and "--" not in latex


@pytest.mark.parametrize("number", [1.23456, 123.456, 0.000123456, -9.9996, 98765.4, 1e-12, 6.02214076e23])
def test_latex_numbers(number):
    text = Expr.const(number).latex(4)
    value = eval(text.replace(r" \cdot ", "*").replace("{", "(").replace("}", ")").replace("^", "**"))
    assert abs(value - number) <= TOL["latex"] * abs(number) / 5


# graph ------------------------------------------------------------------------------------------------------------------
@properties(100)
@given(expressions(max_leaves=10))
def test_graph_is_the_expression(expr):
    nx = pytest.importorskip("networkx")
    g = expr.graph()
    root = g.number_of_nodes() - 1

    def rebuild(node):
        token = g.nodes[node]["token"]
        at = {p: child for _, child, positions in g.out_edges(node, data="position") for p in positions}
        return Expr.apply(token, *(rebuild(at[k]) for k in range(token.arity))) if isinstance(token, Op) else Expr((token,))

    assert nx.is_directed_acyclic_graph(g) and rebuild(root) == expr
    assert g.number_of_nodes() == len(set(map(str, shared(expr)))) and (root == 0 or g.in_degree(root) == 0)


# C ----------------------------------------------------------------------------------------------------------------------
@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_c_compiles_and_agrees(tmp_path):
    import ctypes

    rng = np.random.default_rng(5)
    exprs = random_batch(rng, 60, ["x", "double", "2 x"], None, 12).unpack()
    exprs += [Expr.apply(o, *map(Expr.var, ("x", "double")[: o.arity])) for o in BUILTIN]
    exprs += [Expr.parse(t) for t in ("1/2", "inf", "nan", "-2^2", "t1 + gamma(x)", "`gamma`*gamma(x)", "2/x", "1e300*1e300")]
    source, library = tmp_path / "f.c", tmp_path / "f.so"
    source.write_text("\n".join(to_c(e, f"f{i}") for i, e in enumerate(exprs)))
    flags = ["-std=c99", "-Wall", "-Werror", "-O1", "-ffp-contract=off", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, str(source), "-o", str(library), "-lm"], check=True, capture_output=True)
    compiled = ctypes.CDLL(str(library))
    for i, e in enumerate(exprs):
        f = getattr(compiled, f"f{i}")
        f.restype, f.argtypes = ctypes.c_double, [ctypes.c_double] * len(e.variables)
        for point in ((0.7, 1.3, 0.2), (-1.0, 0.4, 2.0)):
            values = dict(zip(e.variables, point, strict=False))
            exact, moved = e(values)[0], e({k: v * (1 + 1e-13) for k, v in values.items()})[0]
            if np.isfinite(exact) and not np.isclose(moved, exact, rtol=1e-9) or abs(exact) > 1e15:
                continue  # ill-conditioned
            assert close(f(*values.values()), exact, "mpmath"), (str(e), values)
