"""Equations of fields: found, told apart from noise, simulated, and bad input in words."""

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from symnum.commands.pde import register
from symnum.dynamics.grid import Field, FieldError
from symnum.equations.pde import discover_pde
from symnum.equations.pde_simulate import Law, differences, simulate
from symnum.problem.pde import PdeProblem
from symnum.problem.pde_terms import hermite, library, parse_term

X, T = 6.0 * np.arange(96) / 96, np.linspace(0, 1.5, 80)
K = 2 * np.pi / 6


def waves(rate, speed=0.0, number=(1, 2, 3)):
    """A linear field: waves that decay at rate(k) and travel."""
    return sum(np.exp(rate(j * K) * T[:, None]) * np.cos(j * (K * (X - speed * T[:, None]) + j)) / j for j in number)


def found_terms(found, name="u"):
    return {str(term) for _, term in found.terms[name]}


def burgers(n=96, nu=0.2):
    """From symnum's own solver; its order is tested by itself."""
    field = Field.of(waves(lambda k: 0.0)[:40], T[:40], (X,))
    law = Law({"u": [(-0.5, parse_term("(u^2)_x", ["u"], ("x",))), (nu, parse_term("(u)_xx", ["u"], ("x",)))]}, 1)
    return simulate(law, field, field.values[0][:1], T).values[0]


BURGERS = burgers()


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_burgers(noise):
    rng = np.random.default_rng(0)
    u = BURGERS + noise * BURGERS.std() * rng.normal(size=BURGERS.shape)
    found = discover_pde(u, T, (X,), order=3, simulate_seconds=5)
    assert found_terms(found) == {"(u^2)_x", "u_xx"}
    assert {str(t): c for c, t in found.terms["u"]}["u_xx"] == pytest.approx(0.2, rel=0.1 if noise else 1e-3)
    assert found.noise["u"] == pytest.approx(noise * BURGERS.std(), rel=0.2, abs=1e-4)
    assert found.verdict.r2["u"] > (0.9 if noise else 0.9999)
    for (c, _), (low, high) in zip(found.terms["u"], found.intervals()["u"], strict=True):
        assert low <= c <= high
    if not noise:
        json.dumps(found.to_dict())
        assert "u_{x" in found.latex().replace("{u}_", "u_") and "Derivative" in str(found.sympy()["u"])
        assert found.front["u"][0].size == 0 and found.front["u"][2].unexplained < found.front["u"][1].unexplained


def test_the_wave_equation_is_second_order_in_time():
    u = sum(np.cos(j * K * 1.1 * T[:, None]) * np.cos(j * (K * X + j)) for j in (1, 2, 3))
    found = discover_pde(u, T, (X,), degree=1, order=3, products=False)
    assert found.time_order == 2 and found_terms(found) == {"u_xx"}
    assert found.terms["u"][0][0] == pytest.approx(1.21, rel=1e-3)


def test_complex_fields():
    psi = sum(np.exp(-0.5j * (j * K) ** 2 * T[:, None]) * np.exp(1j * j * (K * X + j)) / abs(j) for j in (-2, -1, 1, 3))
    found = discover_pde(psi, T, (X,), names=["psi"], degree=1, order=3, products=False)
    assert found_terms(found, "psi_re") == {"(psi_im)_xx"} and found_terms(found, "psi_im") == {"(psi_re)_xx"}


def test_the_plane_and_missing_values():
    x, t = 4.0 * np.arange(32) / 32, np.linspace(0, 1, 40)
    k = 2 * np.pi / 4
    X2, Y2 = np.meshgrid(x, x, indexing="ij")
    u = sum(np.exp(-0.1 * k**2 * (a * a + b * b) * t[:, None, None]) * np.cos(k * (a * (X2 - 0.6 * t[:, None, None]) + b * Y2) + a)
            for a, b in ((1, 0), (1, 1), (0, 2), (2, 1)))
    u[20, 16, 16] = np.nan
    found = discover_pde(u, t, (x, x), degree=1, products=False, holdout=0)
    assert found_terms(found) == {"u_x", "u_xx", "u_yy"}


def test_derivatives_inside_are_offered_where_needed():
    field = Field.of(BURGERS, T, (X,))
    names = {str(t) for t in library(field, degree=3)}
    assert {"u_x^2", "u*u_x^2", "(u^3)_xx"} <= names


def test_noise_does_not_feed_cubes():
    rng = np.random.default_rng(1)
    u = np.full(400_000, 1.5)
    assert hermite(u + 0.5 * rng.normal(size=u.shape), 3, 0.5).mean() == pytest.approx(1.5**3, rel=0.01)


def test_leibniz_turned_round():
    x, t = np.linspace(1, 2, 100), np.linspace(0, 1, 60)
    u = np.sin(3 * x) * np.exp(-t)[:, None]
    field = Field.of(u, t, (x,))
    terms = library(field, degree=1, order=2, coordinates=["1/x"], products=False)
    scale = PdeProblem(field, terms).scale([12, 20])
    of = {str(term): column for term, column in zip(terms, scale.columns, strict=True)}
    assert np.allclose(of["(1/x)*u_x"], scale.windows.project(3 * np.cos(3 * x) / x * np.exp(-t)[:, None], [(0, 0)])[0], atol=1e-7)


def test_a_line_with_ends_is_simulated():
    x, t = np.linspace(0, 1, 41), np.linspace(0, 0.2, 30)
    u = np.exp(-np.pi**2 * t[:, None]) * np.sin(np.pi * x)
    law = Law({"u": [(1.0, parse_term("(u)_xx", ["u"], ("x",)))]}, 1)
    found = simulate(law, Field.of(u, t, (x,)), u[:1], t)
    assert found.message == "" and np.abs(found.values[0] - u).max() < 1e-4


def test_unstable_equations_are_reported():
    field = Field.of(BURGERS, T, (X,))
    law = Law({"u": [(50.0, parse_term("u^3", ["u"], ("x",)))]}, 1)
    found = simulate(law, field, BURGERS[:1], T, seconds=5)
    assert "unstable" in found.message and np.isnan(found.values[0, -1]).all()


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_differences_converge(order):
    def error(n):
        x = np.linspace(0, 1, n)
        return np.abs(differences(x, order) @ np.exp(2 * x) - 2**order * np.exp(2 * x)).max()

    assert error(21) / error(41) > 6


@pytest.mark.parametrize(("settings", "said"), [
    ({"degree": 0}, "degree"), ({"order": 9}, "order"), ({"functions": ["sine"]}, "did you mean sin"), ({"terms": ["v*u_x"]}, "got v"),
    ({"coordinates": ["x*y"]}, "one coordinate"), ({"time_order": 3}, "time_order"), ({"holdout": 0.9}, "holdout"),
    ({"most": 0}, "one term"), ({"targets": ["w"]}, "targets"), ({"library_only": []}, "one term"),
    ({"coordinates": ["1/x"]}, "not finite"),
    ({"coordinates": [f"x^{k}" for k in range(1, 120)]}, "at most 400"),
])
def test_bad_settings_are_refused_in_words(settings, said):
    with pytest.raises(ValueError, match=said):
        discover_pde(BURGERS, T, (X,), **settings)


def test_mostly_missing_is_refused():
    u = BURGERS.copy()
    u[::3, ::3] = np.nan
    with pytest.raises(FieldError, match="missing"):
        discover_pde(u, T, (X,))


def test_few_points_end():
    rng = np.random.default_rng(0)
    found = discover_pde(rng.normal(size=(12, 12)), np.arange(12.0), (np.arange(12.0),), simulate_seconds=1)
    assert found.status and isinstance(str(found), str)


def test_the_command(tmp_path):
    np.savez(tmp_path / "f.npz", u=BURGERS, t=T, x=X)
    app = typer.Typer()
    register(app)
    run = CliRunner().invoke(app, [str(tmp_path / "f.npz"), "--order", "3", "--json", "--out", str(tmp_path / "run")])
    assert run.exit_code == 0, run.output
    assert {t["term"] for t in json.loads(run.stdout)["terms"]["u"]} == {"(u^2)_x", "u_xx"}
    assert json.loads((tmp_path / "run" / "result.json").read_text())["equations"]
    for extra, said in ((["--periodic", "maybe"], "auto, yes or no"), (["--time", "when"], "when")):
        bad = CliRunner().invoke(app, [str(tmp_path / "f.npz"), *extra])
        assert bad.exit_code == 2 and said in bad.output and "Traceback" not in bad.output


def test_structure_that_no_term_explains_does_not_feed_terms():
    u = waves(lambda k: -0.1 * k**2)
    moving = 2e-3 * np.sin(2 * K * X - 3 * T[:, None] ** 2)  # no law of u, and no noise
    found = discover_pde(u + moving, T, (X,), holdout=0.0, simulate_seconds=5)
    assert found_terms(found) == {"u_xx"}
    assert found.terms["u"][0][0] == pytest.approx(0.1, rel=0.02)
