"""Conserved quantities: the null spaces, the search, its verdicts, the projected systems and the command."""

import json

import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from symnum.commands.invariants import register
from symnum.dynamics.nullspace import Pair, independent_columns, sparse_vectors
from symnum.dynamics.roughness import noise_level
from symnum.dynamics.system import System
from symnum.dynamics.trajectory import Trajectories
from symnum.equations.conserving import conserving
from symnum.equations.invariants import discover_invariants, fresh_drift
from symnum.equations.invariants_library import kinematics, libraries, positive
from symnum.equations.invariants_neural import fitted, relative_drift
from symnum.equations.invariants_snap import exact, simplest, snapped
from symnum.language.expr import Expr
from symnum.problem.invariant import InvariantProblem, independence

T = np.linspace(0, 6, 40)


def paths(equations: dict[str, str], low, high, count=12, t=T, noise=0.0, seed=0) -> tuple[System, Trajectories]:
    system, rng = System.parse(equations), np.random.default_rng(seed)
    x = [system.simulate(rng.uniform(low, high), t, rtol=1e-8, atol=1e-10) for _ in range(count)]
    scale = np.concatenate(x).std(axis=0)
    x = [path + noise * scale * rng.normal(size=path.shape) for path in x]
    return system, Trajectories.of(x, [t] * count, names=list(equations))


def oscillators(count=12, noise=0.0, seed=0, names=("q", "p")) -> Trajectories:
    """Exact solutions of q'' = -4 q."""
    rng = np.random.default_rng(seed)
    x = []
    for _ in range(count):
        a, phase = rng.uniform(0.5, 2), rng.uniform(0, 6)
        x.append(np.column_stack([a * np.cos(2 * T + phase), -2 * a * np.sin(2 * T + phase)]) + noise * rng.normal(size=(len(T), 2)))
    return Trajectories.of(x, [T] * count, names=list(names))


# numerics -----------------------------------------------------------------------------------------------------------------
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_sparse_vectors_finds_the_planted_ones(seed):
    rng = np.random.default_rng(seed)
    planted = np.zeros((2, 12))
    planted[0, [0, 3]], planted[1, [5, 7, 8]] = rng.uniform(0.5, 2, 2), rng.uniform(0.5, 2, 3)
    V = planted.T @ (rng.normal(size=(2, 2)) + 2 * np.eye(2))
    found = sparse_vectors(V, np.ones(12))
    supports = {tuple(np.flatnonzero(np.abs(w) > 1e-4 * np.abs(w).max())) for w in found}
    assert {(0, 3), (5, 7, 8)} <= supports


def test_pair_measures_in_units_of_the_noise():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(4000, 2))
    D = np.column_stack([base, base.sum(axis=1)]) + 0.1 * rng.normal(size=(4000, 3))
    N = 0.1 * rng.normal(size=(4000, 3))
    values, vectors = Pair.of(D, N, np.ones(3)).spectrum()
    assert abs(values[0] - 1) < 0.05 and values[1] > 5
    w = vectors[:, 0] / vectors[0, 0]
    np.testing.assert_allclose(w, [1, 1, -1], atol=0.03)


def test_independent_columns_keeps_the_first_of_an_identity():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(50, 3))
    assert independent_columns(np.column_stack([a, a[:, 0] - 2 * a[:, 2], np.zeros(50)])) == [0, 1, 2]


@pytest.mark.parametrize("sigma", [0.001, 0.05])
def test_noise_level_of_noisy_and_of_clean_curves(sigma):
    assert noise_level(oscillators(40, sigma, seed=3)) == pytest.approx([sigma, sigma], rel=0.1)
    assert (noise_level(oscillators(4)) < 1e-5).all()


def test_noise_level_with_gaps_and_uneven_times():
    t = np.sort(np.random.default_rng(0).uniform(0, 6, 400))
    x = np.sin(t) + 0.02 * np.random.default_rng(1).normal(size=400)
    x[::7] = np.nan
    assert noise_level(Trajectories.of(x, t))[0] == pytest.approx(0.02, rel=0.2)


def test_independence_is_about_gradients():
    x = np.random.default_rng(0).normal(size=(50, 3))
    radial, other = 2 * x, np.column_stack([x[:, 1], -x[:, 0], np.zeros(50)])
    assert independence([radial], np.stack([x**0 * 3 * x, other])) == pytest.approx([0, 1], abs=1e-9)
    assert independence([], radial[None])[0] == pytest.approx(1)


# exact coefficients ---------------------------------------------------------------------------------------------------------
@settings(max_examples=50, deadline=None)
@given(st.integers(-30, 30), st.integers(1, 30))
def test_simplest_is_in_the_interval_and_no_more_complicated(p, q):
    value = p / q
    found = simplest(value - 1e-7, value + 1e-7)
    assert abs(float(found) - value) <= 1e-7 and found.denominator <= q


def test_snapped_refuses_what_chance_would_give():
    assert snapped(0.5004, 0.001) is not None
    assert snapped(0.36787944, 0.01) is None  # 3/8 is near, as some such fraction always is
    assert snapped(0.36787944117, 1e-10) is None
    assert snapped(1.0, 2.0) is None


def test_exact_keeps_what_is_no_fraction():
    found = exact(np.array([1.0, np.e, 0.5]), np.diag([1e-12, 1e-12, 1e-12]))
    assert sum(isinstance(c, float) for c in found) == 1


# the search -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_energy_of_an_oscillator(noise):
    found = discover_invariants(oscillators(30, noise))
    assert [i.formula for i in found] == ["4*q^2 + p^2"]
    assert found[0].verified and found[0].exact and found.count == len(found) == 1
    assert "there can be no more" in found.status and str(found).startswith("4*q^2 + p^2")
    assert found[0].latex() and found[0].sympy().free_symbols


def test_two_invariants_of_a_top_are_independent():
    _, data = paths({"a": "3*b*c", "b": "-4*a*c", "c": "1*a*b"}, [-1] * 3, [1] * 3)
    found = discover_invariants(data)
    assert found.count == 2 and all(i.verified and i.exact for i in found)
    check = System.parse({"a": "3*b*c", "b": "-4*a*c", "c": "1*a*b"})
    problem = InvariantProblem(data)
    for i in found:
        rate = (check(problem.x) * problem.values(i.expr)[1]).sum(axis=1)
        assert np.abs(rate).max() < 1e-10


def test_logarithms_where_states_are_positive():
    _, data = paths({"x": "1*x - 2*x*y", "y": "1*x*y - 1*y"}, [0.5, 0.3], [1.5, 0.8])
    assert positive(InvariantProblem(data)) == [0, 1]
    found = discover_invariants(data)
    assert found.count == 1 and found[0].exact and "log(x)" in found[0].formula and "log(y)" in found[0].formula


def test_a_pendulum_needs_the_cosine_and_its_noise_does_not_make_it_a_polynomial():
    _, data = paths({"q": "p", "p": "-sin(q)"}, [-2.0, -0.5], [2.0, 0.5], 20, noise=0.005)
    found = discover_invariants(data, neural=False)
    assert found.count == 1 and "cos(q)" in found[0].formula and found[0].verified


def test_none_is_an_answer():
    _, data = paths({"x": "y", "y": "(1-x^2)*y - x"}, [-2, -2], [2, 2])
    found = discover_invariants(data, neural=False)
    assert found.count == 0 and found.status.startswith("no conserved quantity among") and "quartic" in found.status


def test_the_known_field_decides_on_noisy_samples_of_one_trajectory():
    system, data = paths({"x": "y", "y": "-1*x - 2*x^3"}, [0.5, 0], [1, 1], 2, np.linspace(0, 6, 100), noise=0.1)
    found = discover_invariants(data.take([0]), system=system)
    assert [i.formula for i in found] == ["x^2 + y^2 + x^4"] and found[0].verified and found[0].drift < 1e-6
    drift, count = fresh_drift(InvariantProblem(data, system), Expr.parse("x^2 + y^2"))
    assert count > 5 and drift > 0.01


def test_what_is_constant_everywhere_is_not_conserved():
    problem = InvariantProblem(oscillators())
    assert not problem.verify(Expr.parse("sin(q)^2 + cos(q)^2")).conserved
    assert not problem.verify(Expr.parse("q")).conserved
    assert problem.verify(Expr.parse("exp(4*q^2 + p^2)")).conserved


def test_positions_are_told_from_velocities():
    _, data = paths({"x": "v", "v": "-1 - 0*x", "w": "0.3*w"}, [-1, 0.5, 0.1], [1, 1, 0.2])
    assert kinematics(InvariantProblem(data)) == ([0], [1])


def test_libraries_grow_and_have_no_terms_that_cannot_be_told_apart():
    found = list(libraries(InvariantProblem(oscillators())))
    assert found[0].name == "linear" and len({lib.name for lib in found}) == len(found)
    few = list(libraries(InvariantProblem(oscillators().take([0, 1]))))
    assert max(len(lib.terms) for lib in few) <= 20 < max(len(lib.terms) for lib in found)


def test_constants_of_a_formula_are_fitted_to_the_drift():
    problem = InvariantProblem(oscillators())
    train = np.ones(len(problem.x), bool)
    found = fitted(problem, Expr.parse("p*p + 3.2*q*q"), train)
    assert found.constants[0] == pytest.approx(4, abs=1e-5)
    assert relative_drift(np.ones(5), np.zeros(5, int)) == np.inf


# bad input ------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("change", "said"), [
    (lambda d: {"x": d.take([0])}, "at least 2 trajectories"),
    (lambda d: {"x": Trajectories.of([i.x[:, :1] for i in d], [i.t for i in d])}, "at least 2 states"),
    (lambda d: {"x": Trajectories.of([i.x[:4] for i in d.take([0, 1])], [i.t[:4] for i in d.take([0, 1])])}, "at least 10 samples"),
    (lambda d: {"x": Trajectories.of([np.ones_like(i.x) for i in d], [i.t for i in d])}, "states that change|constant"),
    (lambda d: {"x": d, "noise": -1.0}, "at least 0"),
    (lambda d: {"x": d, "noise": float("nan")}, "finite"),
    (lambda d: {"x": d, "system": System.parse({"a": "b", "b": "-a"})}, "a system of the states"),
    (lambda d: {"x": d, "system": System.parse({"q": "p", "p": "-4*q + t"})}, "without explicit time"),
])
def test_bad_input_is_told(change, said):
    with pytest.raises(ValueError, match=said):
        discover_invariants(**change(oscillators()))


def test_gaps_constant_states_and_strange_names():
    data = oscillators(names=("Länge [m]", "exp"))
    x = [np.column_stack([item.x, np.full(len(item), 3.0)]) for item in data]
    x[0][3:6, 0] = np.nan
    found = discover_invariants(x, [T] * len(x), names=["Länge [m]", "exp", "still"])
    assert found.count == 1 and found[0].verified and set(found[0].expr.variables) == {"Länge [m]", "exp"}


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_scales_do_not_matter(scale):
    data = oscillators()
    found = discover_invariants([item.x * scale for item in data], [T] * len(data), names=["q", "p"])
    assert [i.formula for i in found] == ["4*q^2 + p^2"]


# projection -----------------------------------------------------------------------------------------------------------------
def test_a_projected_system_conserves_to_rounding():
    rough = System.parse({"a": "3*b*c + 0.01*a", "b": "-4*a*c - 0.02*b", "c": "1*a*b + 0.01"})
    kept = conserving(rough, ["a^2 + b^2 + c^2", Expr.parse("4*a^2 + 3*b^2")])
    x = kept.simulate([1.0, 0.5, -0.7], np.linspace(0, 5, 20))
    values = kept.values(x)
    assert np.abs(values - values[0]).max() < 1e-13
    loose = rough.simulate([1.0, 0.5, -0.7], np.linspace(0, 5, 20))
    assert np.abs(kept.values(loose) - values[0]).max() > 1e-3
    states = np.random.default_rng(0).normal(size=(20, 3))
    rate = np.einsum("ns,nks->nk", kept(states), kept.gradients(states))
    assert np.abs(rate).max() < 1e-11 and "conserved: a^2 + b^2 + c^2" in str(kept)


def test_a_true_field_is_not_changed_by_the_projection():
    system = System.parse({"q": "p", "p": "-4*q"})
    kept = conserving(system, discover_invariants(oscillators()))
    states = np.random.default_rng(0).normal(size=(20, 2))
    np.testing.assert_allclose(kept(states), system(states), atol=1e-12)
    np.testing.assert_allclose(kept(np.zeros((1, 2))), 0)


def test_projection_refuses_what_is_no_function_of_the_states():
    system = System.parse({"q": "p", "p": "-4*q"})
    for wrong in ([], ["3"], ["q + z"]):
        with pytest.raises(ValueError, match="conserved quantit"):
            conserving(system, wrong)


def test_a_projected_system_ends_where_its_domain_does():
    kept = conserving(System.parse({"x": "-1 + 0*y", "y": "0*x"}), ["log(x) + y"])
    x = kept.simulate([-1.0, 0.0], np.linspace(0, 1, 5))
    assert np.isnan(x).all()


# the command ----------------------------------------------------------------------------------------------------------------
@pytest.fixture
def command():
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)
    return lambda *arguments: CliRunner().invoke(app, ["invariants", *map(str, arguments)])


@pytest.fixture
def table(tmp_path):
    lines = ["run,t,q,p"]
    for item in oscillators(6):
        lines += [f"{item.label},{t!r},{q!r},{p!r}" for t, (q, p) in zip(item.t.tolist(), item.x.tolist(), strict=True)]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_command(command, table, tmp_path):
    result = command(table, "--group", "run", "--json", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["count"] == 1 and found["invariants"][0]["formula"] == "4*q^2 + p^2"
    assert json.loads((tmp_path / "out" / "invariants.json").read_text(encoding="utf-8")) == found
    assert "4*q^2 + p^2" in command(table, "--group", "run").stdout
    assert command(table, "--group", "run", "--latex").stdout.strip().startswith("4")


@pytest.mark.parametrize(("arguments", "said"), [
    (("--group", "run", "--equation", "q' = p"), "none for ['p']"),
    (("--group", "run", "--equation", "z = p"), "an equation such as"),
    (("--group", "run", "--time-limit", "-1"), "seconds above 0"),
    (("--group", "run", "--latex", "--json"), "one of --latex and --json"),
    (("--group", "nowhere"), "nowhere"),
    (("--time", "clock"), "clock"),
])
def test_command_refuses(command, table, arguments, said):
    result = command(table, *arguments)
    assert result.exit_code == 2 and said in result.stderr and len(result.stderr.strip().splitlines()) == 1
