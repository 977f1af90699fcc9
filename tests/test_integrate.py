"""The scalar operators against the reference, and the fast integrator against scipy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from symnum.dynamics.integrate import Program, compilable
from symnum.dynamics.system import System
from symnum.evaluate.generate import scalar_source, target
from symnum.evaluate.kernels_scalar import apply
from symnum.language.expr import Expr, operator_functions
from symnum.language.ops import BUILTIN, FIRST_OP
from symnum.testing import TOL, expressions, properties

SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, np.inf, -np.inf, np.nan, 1e300, -1e300, 1e-300, 5e-324, -5e-324, 700.0, -0.5, 20.0, 1.5)
OPERATORS = [op for op in BUILTIN if op.code >= FIRST_OP]
EXACT = frozenset("add sub mul div neg inv square cube sqrt abs sign min max pi e".split())
POLES = frozenset(["gamma", "lgamma"])  # at poles libm and scipy disagree about NaN and Inf: neither can be continued
T = np.linspace(0, 3, 16)
_numpy = operator_functions("numpy")


@njit
def each(op, a, b, out):
    for k in range(len(a)):
        out[k] = apply(op, a[k], b[k])


def values(code: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    out = np.zeros(len(a))
    each(code, a, b, out)
    return out


# operators ----------------------------------------------------------------------------------------------------------------
def test_generated_operators_are_current():
    assert target("scalar").read_text() == scalar_source(), "run python -m symnum.evaluate.generate"


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.name)
def test_every_operator_equals_the_reference(op):
    rng = np.random.default_rng(op.code)
    a, b = (m.ravel() for m in np.meshgrid(SPECIAL, SPECIAL))
    a, b = (np.concatenate([s, rng.normal(0, 3, 300), 10.0 ** rng.uniform(-9, 9, 100)]) for s in (a, b))
    with np.errstate(all="ignore"):
        want = np.broadcast_to(_numpy(op)(*(a, b)[: op.arity]), a.shape)
    got = values(op.code, a, b)
    finite = np.isfinite(want)
    if op.name == "gamma":  # scipy's is NaN at every negative number of no fraction, libm's may be infinite
        assert not np.isfinite(got[(a < 0) & (a == np.floor(a))]).any()
    if op.name in EXACT:
        np.testing.assert_array_equal(got, want)
    elif op.name in POLES:
        assert not np.isfinite(got[~finite & (np.abs(a) > 1e-308)]).any()
    else:
        np.testing.assert_array_equal(np.where(finite, 0, got), np.where(finite, 0, want))
    far = np.full(a.shape, op.name in ("sin", "cos", "tan")) & (np.abs(a) > 1e15)
    np.testing.assert_allclose(got[finite & ~far], want[finite & ~far], rtol=TOL["float64"], atol=5e-323)


@pytest.mark.parametrize("code", [0, 1, 2, BUILTIN[-1].code + 1, 255])
def test_anything_but_an_operator_is_not_a_number(code):
    assert np.isnan(values(code, np.ones(1), np.ones(1))).all()


# programs -----------------------------------------------------------------------------------------------------------------
def run(system: System, x0, t=T, u=None, **options) -> np.ndarray:
    program = Program.of(system)
    return program.integrate(program.constants[None], np.array([x0], float), t, u, **options)[0]


SMOOTH = ("add", "sub", "mul", "sin", "cos", "tanh")


@properties(25)
@given(st.tuples(*[expressions(("x", "y", "t"), SMOOTH, 5)] * 2), st.tuples(*[st.floats(-1.5, 1.5)] * 2))
def test_random_systems_equal_scipy(equations, x0):
    system = System(("x", "y"), equations)
    t = T[:6]
    got, want = run(system, x0, t, scale=np.ones(2), rtol=1e-9), system.simulate(x0, t)
    both = np.isfinite(got).all(axis=1) & np.isfinite(want).all(axis=1) & (np.abs(want).max(axis=1) < 30)
    assert both[0]
    assert both.all() or np.nanmax(np.abs(want)) > 30 or np.isnan(want).any() or np.nanmax(np.abs(system(want, t=t))) > 1e3
    np.testing.assert_allclose(got[both], want[both], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("equations", "inputs"), [
    ({"x": "y", "y": "-sin(x) - 0.1*y"}, ()),
    ({"x": "-x*log(x)", "y": "sqrt(x) - y^1.5"}, ()),
    ({"x": "pi - e*x", "y": "max(x, 0.5) - abs(y)"}, ()),
    ({"x": "u - x", "y": "x*t - y + u"}, ("u",)),
    ({"x": "3", "y": "-2.5*y + exp(-x)"}, ()),
])
def test_known_systems_equal_scipy(equations, inputs):
    system = System.parse(equations, inputs)
    u = np.cos(2 * T)[:, None] if inputs else None
    np.testing.assert_allclose(run(system, [0.4, 0.8], u=u), system.simulate([0.4, 0.8], T, u), rtol=3e-6, atol=3e-7)


def test_inputs_are_linear_between_the_times():
    t, u = np.array([0.0, 1.0, 1.5, 4.0]), np.array([[0.0], [2.0], [2.0], [-1.0]])
    x = run(System.parse({"x": "u"}, ["u"]), [1.0], t, u)[:, 0]
    np.testing.assert_allclose(x, [1, 2, 3, 3 + 2.5 * 0.5], rtol=1e-9)


def test_the_time_begins_where_the_data_do():
    t = np.array([5.0, 6.0, 9.0])
    np.testing.assert_allclose(run(System.parse({"x": "2.0*t"}), [0.5], t)[:, 0], t**2 - 24.5, rtol=1e-9)
    np.testing.assert_allclose(run(System.parse({"x": "2.0*s"}, time="s"), [0.5], t)[:, 0], t**2 - 24.5, rtol=1e-9)


def test_copies_differ_by_their_constants_and_starts_only():
    program = Program.of(System.parse({"q": "p", "p": "-4.0*q - 0.3*p"}))
    assert program.constants.tolist() == [-4.0, 0.3]
    constants, x0 = np.array([[-4.0, 0.3], [-4.0, 0.3], [-4.2, 0.1], [-4.0, 0.3]]), np.array([[1, 0], [1, 0], [1, 0], [0.9, 0.2]])
    x = program.integrate(constants, x0, T, scale=np.ones(2))
    assert x.shape == (4, 16, 2)
    np.testing.assert_array_equal(x[0], x[1])
    for k in (2, 3):
        a, b = constants[k]
        want = System.parse({"q": "p", "p": f"{a}*q - {b}*p"}).simulate(x0[k], T)
        np.testing.assert_allclose(x[k], want, atol=1e-6)
        assert np.abs(want - x[0]).max() > 0.05


def test_differences_of_copies_are_smooth_derivatives():
    program = Program.of(System.parse({"x": "-1.5*x"}))
    x = program.integrate(np.array([[-1.5], [-1.5 * (1 - 1e-6)]]), np.ones((2, 1)), T)[..., 0]
    np.testing.assert_allclose((x[1] - x[0]) / 1.5e-6, T * np.exp(-1.5 * T), atol=3e-6)


def test_an_explosion_is_not_a_number_from_there():
    x = run(System.parse({"x": "x^2"}), [1.0], np.linspace(0, 2, 21))[:, 0]
    np.testing.assert_allclose(x[:9], 1 / (1 - np.linspace(0, 0.8, 9)), rtol=1e-5)
    assert np.isnan(x[11:]).all()
    bounded = run(System.parse({"x": "1.0*x"}), [1.0], np.linspace(0, 10, 11), scale=np.array([1.0]))[:, 0]
    assert np.isfinite(bounded[:7]).all()
    assert np.isnan(bounded[7:]).all()  # beyond a thousand times the scale


def test_leaving_a_domain_is_not_a_number_from_there():
    x = run(System.parse({"x": "-1.0/x"}), [1.0], np.linspace(0, 1, 11))[:, 0]
    np.testing.assert_allclose(x[:5], np.sqrt(1 - 2 * np.linspace(0, 0.4, 5)), rtol=1e-6)
    assert np.isnan(x[6:]).all()
    assert np.isnan(run(System.parse({"x": "log(x)"}), [-1.0])[1:]).all()


def test_stiffness_ends_in_not_a_number_and_scipy_goes_on():
    stiff, t = System.parse({"x": "-100000.0*(x - cos(t))"}), np.linspace(0, 3, 4)
    assert np.isnan(run(stiff, [1.0], t)[1:]).all()
    np.testing.assert_allclose(stiff.simulate([1.0], t)[:, 0], np.cos(t), atol=1e-4)


def test_starting_from_zero_is_no_explosion():
    np.testing.assert_allclose(run(System.parse({"x": "2.0"}), [0.0])[:, 0], 2 * T, rtol=1e-9)


def test_one_time_is_the_start():
    assert run(System.parse({"x": "x"}), [2.0], np.array([1.0])).tolist() == [[2.0]]


@pytest.mark.parametrize(("constants", "x0", "u"), [
    (np.zeros((1, 2)), np.zeros((1, 1)), np.zeros((16, 1))),
    (np.zeros((2, 1)), np.zeros((1, 1)), np.zeros((16, 1))),
    (np.zeros((1, 1)), np.zeros((1, 2)), np.zeros((16, 1))),
    (np.zeros((1, 1)), np.zeros((1, 1)), None),
    (np.zeros((1, 1)), np.zeros((1, 1)), np.zeros((15, 1))),
])
def test_shapes_that_do_not_go_together_are_refused(constants, x0, u):
    with pytest.raises(ValueError, match="were required"):
        Program.of(System.parse({"x": "0.5*u"}, ["u"])).integrate(constants, x0, T, u)


def test_what_cannot_be_compiled_is_refused():
    with pytest.raises(ValueError, match="the variables x, t were required, got 'z'"):
        Program.of(System.parse({"x": "x + z"}))
    assert all(compilable(System(("x",), (Expr.apply(op, *[Expr.var("x")] * op.arity),))) for op in BUILTIN if op.arity)


# scipy's own --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "last"), [("-1.0/x", 5), ("-1.0*sqrt(x) - 1.0", 6), ("x^2", 10)])
def test_scipy_stops_where_a_solution_ends(text, last):
    x = System.parse({"x": text}).simulate([1.0], np.linspace(0, 1 if "/" in text else 1.2, 13))[:, 0]
    assert np.isfinite(x[:3]).all()
    assert np.isnan(x[last + 2 :]).all()


def test_scipy_follows_what_starts_at_zero():
    x = System.parse({"x": "u"}, ["u"]).simulate([0.0], T, np.full((16, 1), 1e7))
    np.testing.assert_allclose(x[:, 0], 1e7 * T, rtol=1e-9)


@pytest.mark.parametrize("arguments", [([0.0], T), ([0.0], T, np.ones(16)), ([0.0, 1.0], T, np.ones((16, 1)))])
def test_scipy_refuses_other_shapes(arguments):
    with pytest.raises(ValueError, match=r"x0 of shape \(1,\) and u of shape \(16, 1\) were required"):
        System.parse({"x": "u"}, ["u"]).simulate(*arguments)


def test_right_hand_sides_at_many_points():
    system = System.parse({"x": "y + t", "y": "u*x"}, ["u"])
    np.testing.assert_array_equal(system(np.array([[1.0, 2], [3, 4]]), np.array([[5.0], [6]]), np.array([1.0, 2])), [[3, 5], [6, 18]])
    assert str(system) == f"x' = {Expr.parse('y + t')}\ny' = {Expr.parse('u*x')}"
