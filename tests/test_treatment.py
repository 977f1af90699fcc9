"""Laws under treatments, for a population and its subjects."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symnum.dynamics.trajectory import Trajectories, TrajectoryError
from symnum.equations.treatment import discover_treatment_ode
from symnum.equations.treatment_filter import Linear, Noise, Panel
from symnum.equations.treatment_flow import Law, flow, monomials
from symnum.equations.treatment_population import mixed, posterior

LINE = Law.full(("x",), (), 0, ("off", "on"), 1)


def patients(count=16, samples=14, sigma=0.01, spread=0.1, switch=True, seed=0):
    """x' = -k x, twice as fast from the middle on where a patient is treated; k differs between patients."""
    rng = np.random.default_rng(seed)
    t, rows = np.linspace(0, 2.6, samples), []
    for i in range(count):
        k, x = rng.normal(1, spread), rng.uniform(2, 5)
        arms = np.where(((t > 1.3) | (not switch)) & (i % 2 == 1), "drug", "none")
        for n in range(samples):
            rows.append((f"p{i}", t[n], x + sigma * rng.normal(), arms[n], k))
            if n + 1 < samples:
                x *= np.exp(-k * (2 if arms[n] == "drug" else 1) * (t[n + 1] - t[n]))
    return pd.DataFrame(rows, columns=["id", "t", "x", "arm", "k"])


@pytest.fixture(scope="module")
def frame():
    return patients()


@pytest.fixture(scope="module")
def found(frame):
    return discover_treatment_ode(frame, "t", treatment="arm", subject="id", states=["x"])


# flows and the filter -------------------------------------------------------------------------------------------------
def test_flow_agrees_with_scipy_and_its_derivatives_with_differences():
    law = Law.full(("x", "y"), ("z",), 0, ("a",), 2)
    rng = np.random.default_rng(1)
    c, x, z = rng.normal(0, 0.2, len(law)), rng.normal(0, 0.5, (3, 2)), rng.normal(0, 1, (3, 1))
    at = flow(law, c, x, z, np.full(3, 0.5), np.zeros(3, int))
    for m in range(3):
        system = law.system(0, c, {"z": float(z[m, 0])})
        np.testing.assert_allclose(at.end[m], system.simulate(x[m], np.array([0, 0.5]))[-1], rtol=1e-4, atol=1e-6)
    for p in range(len(law)):
        moved = flow(law, c + 1e-5 * (np.arange(len(law)) == p), x, z, np.full(3, 0.5), np.zeros(3, int), 4)
        base = flow(law, c, x, z, np.full(3, 0.5), np.zeros(3, int), 4)
        np.testing.assert_allclose((moved.end - base.end) / 1e-5, base.by_coefficient[:, :, p], atol=1e-4)
    moved = flow(law, c, x + [1e-6, 0], z, np.full(3, 0.5), np.zeros(3, int), 4)
    np.testing.assert_allclose((moved.end - base.end) / 1e-6, base.by_state[:, :, 0], atol=1e-4)


def test_flow_marks_what_explodes():
    law = Law.full(("x",), (), 0, ("a",), 2)
    at = flow(law, np.array([0.0, 0.0, 5.0]), np.array([[3.0], [0.0]]), np.zeros((2, 0)), np.full(2, 40.0), np.zeros(2, int))
    assert np.isnan(at.end[0, 0]) and at.end[1, 0] == 0


def test_monomials_are_all_and_different():
    powers = monomials(4, 3)
    assert len(powers) == 35 == len({tuple(p) for p in powers.tolist()})
    assert powers.sum(axis=1).max() == 3


def test_evidence_is_the_gaussian_likelihood():
    """Against the density of all samples of a linear law, whose covariance is written down."""
    rng = np.random.default_rng(3)
    y, h, noise = rng.normal(1, 0.3, (1, 5, 1)), np.full((1, 4), 0.5), Noise(np.array([0.2]), np.array([0.1]))
    panel = Panel(y, h, np.zeros((1, 4), int), np.zeros((1, 4, 0)), np.array([5]), np.ones(1))
    law = Law.full(("x",), (), 0, ("a",), 1).take(np.array([0]))  # x' = c
    e = Linear.of(law, panel, panel.path, np.array([0.3])).evidence(noise)
    n = np.arange(1, 5)
    covariance = 0.04 * 0.5 * np.minimum.outer(n, n) + 0.01 * (np.eye(4) + 1)  # course, measurements, and the first sample's noise
    for c in (-0.4, 0.0, 1.2):
        r = y[0, 1:, 0] - y[0, 0, 0] - c * 0.5 * n
        exact = r @ np.linalg.solve(covariance, r) + np.linalg.slogdet(2 * np.pi * covariance)[1]
        assert e.level[0] - 2 * e.gain[0, 0] * c + e.information[0, 0, 0] * c * c == pytest.approx(exact, abs=1e-6)


def test_smoothed_path_is_the_most_likely_one():
    rng = np.random.default_rng(4)
    y, noise = rng.normal(1, 0.3, (1, 6, 1)), Noise(np.array([0.2]), np.array([0.1]))
    y[0, 2] = np.nan
    panel = Panel(y, np.full((1, 5), 0.5), np.zeros((1, 5), int), np.zeros((1, 5, 0)), np.array([6]), np.ones(1))
    law = Law.full(("x",), (), 0, ("a",), 1).take(np.array([0]))
    c = np.array([[0.3]])
    path = Linear.of(law, panel, panel.path, np.array([0.1])).smooth(noise, c)[0, :, 0]
    have = np.isfinite(y[0, :, 0])
    A = np.concatenate([np.eye(6)[have] / 0.1, np.diff(np.eye(6), axis=0) / (0.2 * np.sqrt(0.5))])
    b = np.concatenate([y[0, have, 0] / 0.1, np.full(5, 0.15) / (0.2 * np.sqrt(0.5))])
    np.testing.assert_allclose(path, np.linalg.lstsq(A, b, rcond=None)[0], atol=1e-6)


# the population --------------------------------------------------------------------------------------------------------
def test_the_law_of_each_treatment(found):
    rates = {arm: system.equations[0] for arm, system in found.population.items()}
    assert [f.variables for f in rates.values()] == [("x",), ("x",)] and set(rates) == {"none", "drug"}
    assert rates["none"].constants[0] == pytest.approx(-1, abs=0.1) and rates["drug"].constants[0] == pytest.approx(-2, abs=0.2)
    assert "none: x' = -" in str(found) and "16 subjects" in str(found)


def test_variance_between_subjects_is_estimated(found):
    assert np.sqrt(found.between["none: x' x"]) == pytest.approx(0.1, rel=0.5)
    assert found.noise["x"][1] == pytest.approx(0.01, rel=0.5)


def test_subjects_that_do_not_differ_are_not_told_apart():
    same = discover_treatment_ode(patients(spread=0.0, seed=2), "t", treatment="arm", subject="id", states=["x"])
    assert np.sqrt(max(same.between.values())) < 0.01


def test_covariate_explains_the_differences():
    model = discover_treatment_ode(patients(switch=False, spread=0.3), "t", treatment="arm", subject="id", states=["x"], covariates=["k"])
    assert [set(system.equations[0].variables) for system in model.population.values()] == [{"x", "k"}] * 2
    own = model.subjects["p0"].systems["none"].equations[0]
    k = patients(switch=False, spread=0.3)["k"][0]
    assert own.variables == ("x",) and own.constants[0] == pytest.approx(-k, abs=0.02)


def test_input_enters_the_law():
    rng = np.random.default_rng(5)
    t, curves, doses = np.linspace(0, 3, 16), [], []
    for _ in range(10):
        u, x = rng.uniform(0, 1, 16), [rng.uniform(1, 3)]
        for n in range(15):
            x.append(u[n] + (x[-1] - u[n]) * np.exp(-0.2))  # x' = u - x, u held
        curves.append(np.array(x) + 0.001 * rng.normal(size=16))
        doses.append(u)
    model = discover_treatment_ode(Trajectories.of(curves, t, names=["x"], u=doses, inputs=["dose"]))
    system = model.population["all"]
    values = system(np.array([[2.0], [1.0]]), np.array([[0.5], [0.0]]))
    np.testing.assert_allclose(values[:, 0], [-1.5, -1.0], atol=0.03)
    seen = Trajectories.of([curves[0][:8]], t[:8], names=["x"], u=[doses[0][:8]], inputs=["dose"])
    subject = model.personalise(seen)
    ahead = subject.forecast(t[8:], "all", doses[0][7:-1])
    np.testing.assert_allclose(ahead.mean[:, 0], curves[0][8:], atol=0.02)
    with pytest.raises(TrajectoryError, match="inputs"):
        subject.forecast(t[8:], "all")


def test_empirical_bayes_finds_mean_and_covariance():
    rng = np.random.default_rng(6)
    S, omega = 400, np.array([[0.5, 0.3], [0.3, 0.4]])
    c = rng.multivariate_normal([1.0, -2.0], omega, S)
    from symnum.equations.treatment_filter import Evidence

    info = np.einsum("snp,snq->spq", A := rng.normal(size=(S, 8, 2)), A)
    y = np.einsum("snp,sp->sn", A, c) + rng.normal(size=(S, 8))
    e = Evidence((y**2).sum(axis=1), np.einsum("snp,sn->sp", A, y), info, np.zeros((S, 1)), np.zeros((S, 1, 2)), np.zeros((S, 1, 1)),
                 np.full(S, 8))
    mean, W, _, _, kind = mixed(e, np.zeros(2), None, ("none", "independent", "correlated"))
    assert kind == "correlated"
    np.testing.assert_allclose(mean, [1, -2], atol=0.12)
    np.testing.assert_allclose(W, omega, atol=0.12)
    own, spread = posterior(e, mean, W)
    z = (own - c)[:, 0] / np.sqrt(spread[:, 0, 0])
    assert 0.85 < z.std() < 1.15


# subjects and forecasts -------------------------------------------------------------------------------------------------
def test_personal_law_forecasts_better_than_the_population(found):
    fresh = patients(count=30, seed=9)
    own, common = [], []
    none = found.population["none"].equations[0].constants[0]
    for _, rows in fresh.groupby("id"):
        part, rest = rows[:6], rows[6:]
        if (rows["arm"] == "none").all():
            ahead = found.forecast(part, rest["t"].to_numpy(), "none")
            last = part.iloc[-1]
            own.append(ahead.mean[:, 0] - rest["x"])
            common.append(last["x"] * np.exp(none * (rest["t"] - last["t"])) - rest["x"])
    assert np.sqrt(np.mean(np.square(own))) < 0.7 * np.sqrt(np.mean(np.square(common)))


def test_intervals_hold_what_happens(found):
    inside = []
    for _, rows in patients(count=40, seed=11).groupby("id"):
        part, rest = rows[:7], rows[7:]
        ahead = found.forecast(part, rest["t"].to_numpy(), rows["arm"][6:-1].tolist(), level=0.9)
        inside.append((ahead.low[:, 0] <= rest["x"]) & (rest["x"] <= ahead.high[:, 0]))
    assert 0.75 < np.mean(inside) < 0.99


def test_several_plans_at_once(found, frame):
    subject = found.personalise(frame[frame["id"] == "p0"])
    t = [3.0, 3.5]
    both = subject.forecast(t, [["none", "none"], ["none", "drug"]])
    assert both.mean.shape == (2, 2, 1)
    assert both.mean[0, 0, 0] == both.mean[1, 0, 0] > 0 and both.mean[0, 1, 0] > both.mean[1, 1, 0]
    np.testing.assert_allclose(subject.forecast(t, "none").mean, both.mean[0])
    assert (both.low < both.mean).all() and (both.mean < both.high).all()


def test_trajectories_give_what_a_frame_gives(found, frame):
    groups = [rows for _, rows in frame.groupby("id", sort=False)]
    data = Trajectories.of([g["x"].to_numpy() for g in groups], [g["t"].to_numpy() for g in groups], names=["x"])
    again = discover_treatment_ode(data, treatment=[g["arm"].tolist() for g in groups])
    assert str(again).split("\n")[:2] == str(found).split("\n")[:2]
    one = found.personalise(frame[frame["id"] == "p3"])
    np.testing.assert_allclose(one.values, found.subjects["p3"].values, rtol=1e-6)


def test_missing_samples_and_shuffled_rows(frame):
    holes = frame.copy()
    holes.loc[[1, 20, 33, 34], "x"] = np.nan
    model = discover_treatment_ode(holes, "t", treatment="arm", subject="id", states=["x"])
    order = np.argsort(holes["t"].to_numpy(), kind="stable")
    again = discover_treatment_ode(holes.iloc[order], "t", treatment="arm", subject="id", states=["x"])
    assert model.population["none"].equations[0].constants[0] == pytest.approx(-1, abs=0.1)
    assert again.between.keys() == model.between.keys()


@settings(max_examples=3, deadline=None, derandomize=True)
@given(st.floats(-6, 6), st.floats(-3, 3))
def test_units_do_not_matter(x_power, t_power):
    a, b = 10.0**x_power, 10.0**t_power
    data = patients(count=8, samples=10)
    scaled = data.assign(x=a * data["x"], t=b * data["t"])
    model = discover_treatment_ode(scaled, "t", treatment="arm", subject="id", states=["x"], degree=1)
    f = model.population["none"].equations[0]
    assert f.variables == ("x",) and f.constants[-1] * b == pytest.approx(-1, abs=0.15)


# bad input --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("change", "options", "message"), [
    (lambda f: f, {"treatment": "arn"}, "did you mean"),
    (lambda f: f, {"covariates": ["t2"]}, "covariate"),
    (lambda f: f.assign(k=np.arange(len(f))), {"covariates": ["k"]}, "changes"),
    (lambda f: f.assign(arm=[None, *f["arm"][1:]]), {}, "row 0"),
    (lambda f: f.assign(arm=np.arange(len(f))), {}, "at most 50 treatments"),
    (lambda f: f.assign(t=0.0), {}, "increas"),
    (lambda f: f.groupby("id").head(1), {}, "sample"),
    (lambda f: f.assign(x=np.inf), {}, "finite"),
    (lambda f: f[:0], {}, "required"),
    (lambda f: f, {"degree": 0}, "degree"),
    (lambda f: f, {"degree": 200}, "at most 120 terms"),
])
def test_bad_frames(frame, change, options, message):
    with pytest.raises(TrajectoryError, match=message):
        discover_treatment_ode(change(frame), "t", **{"treatment": "arm", "subject": "id", "states": ["x"], **options})


def test_bad_trajectories():
    data = Trajectories.of([np.ones(9), np.ones(9)], np.arange(9))
    for options, message in (({"treatment": ["a"]}, "2 trajectories"), ({"treatment": "ab"}, "2 trajectories"),
                             ({"treatment": [["a"] * 9, ["b"] * 8]}, "9 samples"), ({"covariates": {"z": [1.0]}}, "'z'"),
                             ({"covariates": {"z": [1.0, np.nan]}}, "finite covariates"), ({"covariates": ["z"]}, "by name"),
                             ({"covariates": {"x0": [1.0, 2.0]}}, "names of their own")):
        with pytest.raises(TrajectoryError, match=message):
            discover_treatment_ode(data, **options)
    with pytest.raises(TrajectoryError, match="DataFrame or Trajectories"):
        discover_treatment_ode(np.ones((3, 1)))


def test_bad_forecasts(found, frame):
    subject = found.subjects["p0"]
    for t, plan, message in (([1.0], "none", "after the last sample"), ([4.0, 3.0], "none", "increasing"), ([3.0], "non", "did you mean"),
                             ([3.0, 4.0], ["none"], "each of 2 times"), ([np.nan], "none", "increasing")):
        with pytest.raises(TrajectoryError, match=message):
            subject.forecast(t, plan)
    with pytest.raises(TrajectoryError, match="level"):
        subject.forecast([3.0], "none", level=1.0)
    with pytest.raises(TrajectoryError, match="one subject"):
        found.personalise(frame)
    with pytest.raises(TrajectoryError, match="treatments of the discovery"):
        found.personalise(frame[frame["id"] == "p0"].assign(arm="other"))


@pytest.mark.parametrize("values", [0.0, 3.0])
def test_constant_states_stay_where_they_are(values):
    model = discover_treatment_ode(Trajectories.of([np.full(12, values)] * 4, np.arange(12.0), names=["x"]))
    ahead = next(iter(model.subjects.values())).forecast([12.0, 13.0], "all")
    np.testing.assert_allclose(ahead.mean[:, 0], values, atol=1e-3)


def test_one_subject_alone_and_unicode_names():
    t = np.linspace(0, 3, 30)
    frame = pd.DataFrame({"zeit": t, "größe": 2 * np.exp(-0.7 * t)})
    model = discover_treatment_ode(frame, "zeit", states=["größe"])
    assert model.population["all"].equations[0].constants[0] == pytest.approx(-0.7, abs=1e-3)
    assert max(model.between.values()) == 0


def test_two_states_irregular_times_and_gaps():
    from symnum.dynamics.system import System

    rng, rows = np.random.default_rng(1), []
    for i in range(10):
        b, g = rng.normal(1, 0.1), rng.normal(0.5, 0.05)
        loss = {"none": g, "cull": g + 0.4}
        systems = {arm: System.parse({"p": f"{b}*p - p*q", "q": f"-{rate}*q + 0.6*p*q"}) for arm, rate in loss.items()}
        t = np.sort(np.concatenate([[0], rng.uniform(0, 8, 25)]))
        arms = np.where((np.arange(26) // 8 + i) % 2, "cull", "none")
        x = [rng.uniform(0.5, 1.5, 2)]
        for n in range(25):
            x.append(systems[arms[n]].simulate(x[-1], t[n : n + 2], rtol=1e-6, atol=1e-8)[-1])
        y = np.array(x) + 0.005 * rng.normal(size=(26, 2))
        y[rng.random((26, 2)) < 0.1] = np.nan
        rows += [(i, t[n], *y[n], arms[n]) for n in range(26)]
    frame = pd.DataFrame(rows, columns=["id", "t", "p", "q", "arm"])
    model = discover_treatment_ode(frame, "t", treatment="arm", subject="id", states=["p", "q"])
    assert set(model.between) == {f"{arm}: {term}" for arm in ("none", "cull") for term in ("p' p", "p' p*q", "q' q", "q' p*q")}
    values = {name: i.value for name, i in model.coefficients().items()}
    assert values["none: q' q"] == pytest.approx(-0.5, abs=0.08) and values["cull: q' q"] == pytest.approx(-0.9, abs=0.08)


# the command line -------------------------------------------------------------------------------------------------------
def test_command(tmp_path, frame):
    import json

    import typer
    from typer.testing import CliRunner

    from symnum.commands import treatment

    app = typer.Typer()
    treatment.register(app)
    frame[["id", "t", "x", "arm"]].to_csv(path := tmp_path / "data.csv", index=False)
    options = [str(path), "--subject", "id", "--treatment", "arm"]
    shown = CliRunner().invoke(app, options)
    assert shown.exit_code == 0 and "between subjects" in shown.output
    made = json.loads(CliRunner().invoke(app, [*options, "--json"]).output)
    assert set(made["population"]) == {"none", "drug"} and len(made["subjects"]) == 16
    wrong = CliRunner().invoke(app, [str(path), "--subject", "ix"])
    assert wrong.exit_code == 2 and "error:" in wrong.output and "Traceback" not in wrong.output
    assert CliRunner().invoke(app, [str(tmp_path / "none.csv")]).exit_code == 2
