"""The judge of discovered equations accepts a law in any form with any constants, and nothing else."""

import sys
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
sys.path.insert(0, str(EXPERIMENTS))

from ode_extra import random_systems  # noqa: E402
from odebench import judge, tasks  # noqa: E402

sys.path.remove(str(EXPERIMENTS))
SYSTEMS = tasks.load(EXPERIMENTS / "odebench" / "systems.json")
EXTRA = tasks.load(EXPERIMENTS / "ode_extra" / "systems.json")
X1 = np.random.default_rng(0).uniform(0.2, 3, (200, 1))
X2 = np.random.default_rng(1).uniform(0.2, 3, (200, 2))
LOGISTIC = {"id": "l", "name": "logistic", "equations": ["a*x0*(1 - x0/K)"], "constants": {"a": 0.8, "K": 5.0}, "starts": [[0.5], [7.0]],
            "T": 10, "points": 60}


def verdict(true: str, found: str) -> dict:
    X = X2 if "x1" in true + found else X1
    return judge.is_law(judge.read(true, X.shape[1]), judge.read(found, X.shape[1]), X)


@pytest.mark.parametrize(("true", "found"), [
    ("10*(x1 - x0)", "9.97*x1 - 10.04*x0"),  # values do not matter, nor whether they are tied
    ("0.8*x0*(1 - x0/5)", "-0.16*x0*(x0 - 5.02)"),
    ("-x0**3", "-0.997*x0**3"),
    ("x0**2 - x1", "x0**2.0 - 1.01*x1"),
    ("sin(x0 - x1)", "sin(x0)*cos(x1) - cos(x0)*sin(x1)"),
    ("sin(x0 - x1)", "0.98*sin(1.02*x0 - 0.99*x1)"),
    ("sin(x0)*cos(x0)", "0.497*sin(2.01*x0)"),
    ("cos(x0)*cot(x1)", "cos(x0)*cos(x1)/sin(x1)"),
    ("x0/(0.8 + x0)", "1.21*x0/(1.2*x0 + 0.97)"),
    ("x0/(0.8 + x0)", "1/(1 + 0.81/x0)"),
    ("x0**2/(1 + x0**2)", "0.99*x0**2/(1.02 + x0**2)"),
    ("0.1 - 0.55*x0 + x0**2/(1 + x0**2)", "1.11 - 0.551*x0 - 1.01/(1.02 + x0**2)"),
    ("0.4*x0*(1 - x0/9) - 0.3*x0/(0.5 + x0)", "(-0.1*x0 + 0.377777777777777777*x0**2 - 0.0444444444444444444*x0**3)/(x0 + 0.5)"),
    ("1/(1 + exp(0.5 - x0/0.96)) - 0.5", "0.5*tanh(0.52*x0 - 0.26)"),
    ("1/(1 + exp(0.5 - x0/0.96)) - 0.5", "-0.49 + 1.01/(1 + 1.7*exp(-1.03*x0))"),
    ("0.03*x0*log(2.29*x0)", "0.0301*x0*log(x0) + 0.026*x0"),
    ("0.2*(1 - x0/4)*x0**1.2", "0.19*x0**1.18 - 0.05*x0**2.18"),
    ("1.7*sqrt(x0) - x0", "1.69*x0**0.5 - 0.99*x0"),
    ("x1*Abs(x1) - x0", "1.02*x1*Abs(x1) - 0.97*x0"),
    ("2.0", "1.97"),
    ("0", "0"),
])
def test_law_in_another_form_or_with_other_constants_is_the_law(true, found):
    answer = verdict(true, found)
    assert answer["law"] and answer["contains"] and answer["excess"] <= 0


@pytest.mark.parametrize(("true", "found"), [
    ("0.8*x0 - 0.1*x0**2", "0.8*x0 - 0.1*x0**2 + 0.001*x0**3"),  # too much
    ("0.8*x0 - 0.1*x0**2", "0.8*x0 - 0.1*x0**2 + 1e-6"),
    ("0.8*x0 - 0.1*x0**2", "0.79*x0"),  # missing
    ("0.8*x0 - 0.1*x0**2", "0.8*x0 - 0.1*x0**3"),
    ("0.8*x0", "0"),
    ("0", "0.001*x0"),
    ("x0", "x1"),
    ("sin(x0)", "x0 - 0.1667*x0**3 + 0.00833*x0**5 - 0.000198*x0**7 + 2.7e-6*x0**9"),
    ("sin(x0)", "0.99*sin(x0 + 0.05)"),
    ("sin(x0 - x1)", "1.01*sin(x0)*cos(x1) - 0.97*cos(x0)*sin(x1)"),  # two amplitudes where there is one
    ("x0**2/(1 + x0**2)", "x0**3/(1 + x0**3)"),
    ("x0**2/(1 + x0**2)", "x0/(1 + x0)"),
    ("x0/(0.8 + x0)", "x0/(0.8 + x0 + 0.01*x0**2)"),
    ("0.78*x0 - 0.01*x0**2 - 0.9*x0**2/(1 + x0**2)", "(0.78*x0 - 0.91*x0**2 + 0.7801*x0**3 - 0.01*x0**4)/(1 + x0**2)"),  # one number more
    ("1/(1 + exp(0.5 - x0))", "x0/(0.6 + x0)"),
    ("log(x0)", "x0 - 1/x0"),
    ("x0**1.2", "x0**2"),
    ("x0", "x0*Abs(x0 - 1)"),
    ("x0", "log(-x0)"),  # defined nowhere
    ("x0", "x0/0"),
    ("x0", "(-1.5)**x0"),  # complex
])
def test_other_laws_are_not_the_law(true, found):
    assert not verdict(true, found)["law"]


def test_what_is_missing_and_what_is_too_much_are_told_apart():
    more, less = verdict("x0 - 2*x0**2", "1.0*x0 - 2.0*x0**2 + 0.5*x0**3 + 0.1"), verdict("x0 - 2*x0**2", "0.7*x0")
    assert more["contains"] and more["excess"] == 2 and more["field"] > 0.1
    assert not less["contains"] and less["excess"] == -1
    assert verdict("x0", "x0")["field"] == 0


def test_redundant_constants_do_not_count():
    assert verdict("0.8*x0", "1.6*(0.25*x0 + 0.25*x0)*1.0")["excess"] == 0
    assert judge.counting_written(judge.read("1.5*(2.5*x0)/(0.5 + 3.5*x0)", 1), X1) == 2
    assert judge.counting_written(judge.read("x0/(1 + x0)", 1), X1) == 0


POLYNOMIALS = st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 2)), st.floats(0.05, 20), min_size=1, max_size=5)


@settings(max_examples=10)
@given(POLYNOMIALS, st.tuples(st.integers(0, 3), st.integers(0, 2)), st.floats(0.5, 2))
def test_polynomials_are_judged_by_their_monomials(terms, other, factor):
    x0, x1 = judge.states(2)

    def polynomial(terms: dict) -> sp.Expr:
        return sum((sp.Float(c) * x0**i * x1**j for (i, j), c in terms.items()), sp.Integer(0))

    true, scaled = polynomial(terms), polynomial({m: c * (factor if k % 2 else 1 / factor) for k, (m, c) in enumerate(terms.items())})
    assert judge.is_law(true, sp.factor_terms(scaled), X2)["law"]
    changed = polynomial({m: c for m, c in terms.items() if m != other} if other in terms else terms | {other: 0.3})
    assert not judge.is_law(true, changed, X2)["law"]
    assert set(judge.monomials(true, X2)) == set(judge.monomials(scaled, X2)) != set(judge.monomials(changed, X2))


def test_monomials_ignore_rounding_and_refuse_what_is_not_a_polynomial():
    e = judge.read("(x0 + 0.1)*(x0 - 0.1) + 0.01 - 3.0*x0", 1)
    assert judge.monomials(e, X1) == {(2,): 1.0, (1,): -3.0}
    assert judge.monomials(judge.read("x0**4 + 1e-9", 1), X1) == {(4,): 1.0, (0,): 1e-9}
    assert judge.monomials(sp.Integer(0), X1) == {}
    assert all(judge.monomials(judge.read(text, 1), X1) is None for text in ("sin(x0)", "1/x0", "sqrt(x0)", "x0 + 1/(1 + x0)"))
    assert judge.coefficient_error({(1,): 2.0, (2,): 1.0}, {(1,): 2.2, (2,): 1.0}) == pytest.approx(0.1)
    assert judge.coefficient_error({(1,): 2.0}, {(2,): 2.0}) is None and judge.coefficient_error({}, {}) == 0


def test_structure_says_what_is_wrong():
    right = judge.structure(LOGISTIC, ["0.79*x0 - 0.1599*x0**2"])
    assert right["law"] and right["support"] and right["coefficient_error"] == pytest.approx(0.0125) and right["difference"] == []
    wrong = judge.structure(LOGISTIC, ["0.79*x0 - 0.16*x0**3"])
    assert not wrong["law"] and wrong["support"] is False and wrong["difference"] == ["x0': -x0^2", "x0': +x0^3"]
    sine = judge.structure(LOGISTIC, ["sin(x0)"])
    assert sine["support"] is False and sine["coefficient_error"] is None
    pendulum = LOGISTIC | {"equations": ["sin(x0)"], "constants": {}, "starts": [[1.0], [2.0]]}
    assert judge.structure(pendulum, ["0.9*sin(x0)"])["support"] is None  # judged only where a cubic library holds the law


# motion ------------------------------------------------------------------------------------------------------------------------------
def test_r2_is_weighted_by_variance():
    t = np.linspace(0, 6, 50)
    x = np.column_stack([10 * np.sin(t), 0.1 * np.cos(t)])
    assert judge.r2(x, x) == 1
    assert judge.r2(x, np.column_stack([x[:, 0], 0 * t])) > 0.999 > 0.1 > judge.r2(x, np.column_stack([0 * t, x[:, 1]]))
    assert judge.r2(x, None) == judge.r2(x, np.where(x > 9, np.nan, x)) == -np.inf
    assert judge.r2(np.ones((5, 1)), np.ones((5, 1))) == 1 and judge.r2(np.ones((5, 1)), np.zeros((5, 1))) == 0


def test_integration_gives_up_where_there_is_no_solution():
    t = np.linspace(0, 5, 20)
    assert judge.integrate([judge.read("x0**2", 1)], [1.0], t, size=1.0) is None  # reaches infinity at t = 1
    assert judge.integrate([judge.read("log(-1 - x0**2)", 1)], [1.0], t) is None
    assert judge.integrate([judge.read("-sqrt(x0)", 1)], [1.0], t) is None  # the domain ends at t = 2
    assert judge.integrate([judge.read("exp(exp(x0))", 1)], [3.0], t) is None
    assert judge.integrate([judge.read("-x0", 1)], [1.0], t)[:, 0] == pytest.approx(np.exp(-t), abs=1e-4)
    assert np.ptp(judge.integrate([sp.Integer(0)], [1.0], t)) == 0


def test_measurements_are_repeatable_noisy_and_thinned():
    t, x = judge.measured(LOGISTIC, 0)
    assert np.array_equal(x, judge.trajectory(LOGISTIC, 0)) and len(t) == 60
    s, y = judge.measured(LOGISTIC, 0, noise=0.05, drop=0.5, seed=3)
    again = judge.measured(LOGISTIC, 0, noise=0.05, drop=0.5, seed=3)
    assert len(s) == 30 and (np.diff(s) > 0).all() and np.array_equal(y, again[1])
    assert not np.array_equal(y, judge.measured(LOGISTIC, 0, noise=0.05, drop=0.5, seed=4)[1])
    ratio = y / x[np.isin(t, s)] - 1
    assert 0.03 < ratio.std() < 0.07


def test_judged_generalises_from_the_other_start():
    exact = judge.judged(LOGISTIC, 0, ["0.8*x0 - 0.16*x0**2"])
    assert exact["rec"] > 0.9999 < exact["gen"] and exact["law"]
    local = judge.judged(LOGISTIC, 0, ["0.8*x0 - 0.16*x0**2 + exp(20*x0 - 120)"])  # right up to 5, explodes from 7
    assert local["rec"] > 0.9 > local["gen"]
    nothing = judge.judged(LOGISTIC, 0, None)
    assert nothing["rec"] == nothing["gen"] == -np.inf and nothing["law"] is False and nothing["support"] is False
    assert judge.judged(LOGISTIC | {"starts": [[0.5]]}, 0, ["0.8*x0"])["gen"] is None


# systems -----------------------------------------------------------------------------------------------------------------------------
def test_suites_are_whole():
    assert [s["id"] for s in SYSTEMS] == list(range(1, 64)) and sum(map(judge.cubic, SYSTEMS)) == 35
    assert [sum(len(s["equations"]) == d for s in SYSTEMS) for d in (1, 2, 3, 4)] == [23, 28, 10, 2]
    assert len(EXTRA) == 25 and all(len(s["starts"]) == 2 for s in SYSTEMS + EXTRA)


@pytest.mark.parametrize("system", [*SYSTEMS[3::12], *EXTRA[4::10]], ids=lambda s: str(s["id"]))
def test_the_truth_is_accepted_with_its_own_and_with_other_constants(system):
    own = judge.judged(system, 1, [str(e) for e in judge.truth(system)])
    assert own["law"] and own["rec"] > 0.99 and own["gen"] > 0.99 and own["support"] in (True, None)
    rng = np.random.default_rng(0)
    other = system | {"constants": {k: v * rng.uniform(0.9, 1.1) for k, v in system["constants"].items()}}
    assert judge.structure(system, [str(e) for e in judge.truth(other)])["law"]


def test_random_systems_are_repeatable_and_sensible():
    found = random_systems.systems(3, seed=5)
    assert [s["id"] for s in found] == ["r5.0", "r5.1", "r5.2"] and found == random_systems.systems(3, seed=5)
    assert all(random_systems.sensible(s) for s in found)
    assert not random_systems.sensible(LOGISTIC | {"equations": ["x0**3"], "starts": [[1.0], [1.0]]})  # explodes
    assert not random_systems.sensible(LOGISTIC | {"equations": ["-1e-3*x0"]})  # does not move
    assert not random_systems.sensible(LOGISTIC | {"equations": ["0.8*x0 - 0.16*x0**2 + 1e-6"]})  # a term that cannot be seen


# tasks -------------------------------------------------------------------------------------------------------------------------------
def test_choosing_systems_and_finders():
    assert [s["id"] for s in tasks.chosen(SYSTEMS, "2-4,60")] == [2, 3, 4, 60] and tasks.chosen(EXTRA, "frac")[0]["id"] == "frac"
    assert tasks.expanded("symnum,pysindy") == ["symnum", *tasks.finders.PYSINDY]
    for call in (lambda: tasks.chosen(SYSTEMS, "64"), lambda: tasks.expanded("nosuch")):
        with pytest.raises(SystemExit, match="no "):
            call()


def test_results_are_kept_summed_and_shown(tmp_path):
    task = {"finder": "symnum", "id": "l", "start": 0, "noise": 0.0, "drop": 0.0, "seed": 0, "options": {}}
    base = {"name": "logistic", "seconds": 0.5, "cubic": True, "dim": 1}
    found = ["0.8*x0 - 0.16*x0**2"]
    good = task | base | {"equations": found, "rec": 1.0, "gen": 0.95} | judge.structure(LOGISTIC, found)
    bad = task | base | {"start": 1, "equations": None, "rec": None, "gen": None, "law": False, "support": False, "trouble": "no answer"}
    file = tmp_path / "r.jsonl"
    file.write_text("".join(tasks.json.dumps(r) + "\n" for r in (bad, good, good)) + '{"half a line')
    records = tasks.read(file)
    assert len(records) == 2
    t = tasks.totals(records)
    assert (t["tasks"], t["rec"], t["gen"], t["law"], t["support"], t["failed"], t["others"]) == (2, 1, 1, 1, 1, 1, 0)
    assert "| 0 | 0 | symnum | 1/2 = 50.0 % |" in tasks.table(records)
    assert "LAW" in tasks.line(LOGISTIC, good) and "TRUE" in tasks.line(LOGISTIC, bad) and "no answer" in tasks.line(LOGISTIC, bad)
    assert tasks.finders.term("x0^2 x1") == "x0**2*x1" and tasks.finders.term("sin(1 x0)") == "sin(1*x0)"
