"""The census of continued fractions: domain, clusters, labels, run folder, command."""

import json
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import typer
from flint import arb
from typer.testing import CliRunner

from symnum.commands.census import register
from symnum.conjecture.census import domain as census_domain
from symnum.conjecture.census.census import Census, census
from symnum.conjecture.census.clusters import NOISE, PLANES, clusters, strata
from symnum.conjecture.census.constants import NAMES, NONE, UNSEEN, proven, screened, stated
from symnum.conjecture.census.domain import Domain
from symnum.conjecture.census.survey import Stratum, survey
from symnum.numbers.formula import ball
from symnum.numbers.ledger import Ledger
from symnum.numbers.pcf import PCF
from symnum.numbers.relation import integer_relation


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Degree 1, coefficients up to 2."""
    return census(1, 2, tmp_path_factory.mktemp("census") / "run", threads=1)


def application():
    app, sub = typer.Typer(pretty_exceptions_enable=False), typer.Typer()
    register(sub)
    app.add_typer(sub, name="conjecture")
    app.callback()(lambda: None)
    return app


# the domain -------------------------------------------------------------------------------------------------------------
def test_every_fraction_of_the_domain_is_counted(small):
    c = small.counters
    assert c["fractions"] == small.domain.size == (5**2 - 1) ** 2
    assert c["fractions"] == c["rational"] + c["inflated"] + c["divergent"] + c["converging"]
    assert c["measured"] == len(small.table["a"]) == (c["divergent"] + c["converging"]) // 2


def test_inflated_ones_are_left_out():
    domain = Domain(1, 4)
    a, b, _ = domain.block(0)
    pairs = set(zip(map(tuple, a.tolist()), map(tuple, b.tolist()), strict=True))
    assert ((1, 2), (1, 0)) in pairs and ((2, 4), (4, 0)) not in pairs and ((2, 3), (4, 0)) in pairs


@pytest.mark.parametrize(("degree", "coefficients"), [(-1, 5), (1, 0), (1, -3), (9, 9)])
def test_empty_and_huge_domains(tmp_path, degree, coefficients):
    with pytest.raises(ValueError, match="was required|were required"):
        census(degree, coefficients, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("bad", [{"depth": 100}, {"depth": 10**12}, {"threads": 0}])
def test_bad_options(tmp_path, bad):
    with pytest.raises(ValueError, match="a depth from 128 to 10000 and processes from 1 on"):
        census(1, 1, tmp_path / "run", **bad)


# clusters ---------------------------------------------------------------------------------------------------------------
def test_clusters_are_found_and_outliers_are_noise():
    rng = np.random.default_rng(0)
    groups = [rng.normal(centre, 0.003, (200, 2)) for centre in ((0, 0), (1, 0), (0, 1))]
    points = np.concatenate([*groups, [[5.0, 5.0], [-7.0, 3.0]]])
    found = clusters(points)
    inside = [set(found[200 * i:200 * (i + 1)]) - {NOISE} for i in range(3)]
    assert all(len(group) == 1 for group in inside) and len(set.union(*inside)) == 3
    assert found[-1] == found[-2] == NOISE


def test_strata():
    a, b = np.array([[0, 0, 3], [-2, 0, 1], [0, 5, 5]]), np.array([[0, 1, 0], [0, 0, -4], [-3, 0, 0]])
    assert strata(a, b).tolist() == [[0, 1, 3, 1], [2, 0, 2, -4], [1, 2, 5, -3]]


# constants --------------------------------------------------------------------------------------------------------------
def test_no_name_is_a_transform_of_another():
    values = [ball(name, 60) for name in NAMES]
    for i, x in enumerate(values):
        for y in values[:i]:
            relation = integer_relation((arb(1), x, y, x * y), 50)
            assert relation is None or not relation.accepted


@pytest.mark.parametrize(("a", "b", "name", "text"), [
    ((1, 3), (-1, 0), "e", "e"), ((1,), (1,), "sqrt(5)", "(1 + sqrt(5))/2"), ((2, 1), (-1,), "tan(1)", "1/tan(1)"),
    ((2,), (4, -4, 1), "pi", "(4 + pi)/pi"), ((2, 1), (1,), "exp(2)", "(1 + exp(2))/(-1 + exp(2))"), ((-3, -1), (-2, 1, 0), "pi", "-2/pi"),
    ((2,), (3,), "1", "3"), ((1, 1), (1,), "besseli(1, 2)/besseli(0, 2)", "1/(besseli(1, 2)/besseli(0, 2))"),
])
def test_known_fractions(a, b, name, text):
    fraction = PCF(a, b)
    assert screened(fraction) == name
    formula = stated(fraction, name)
    assert formula.text == text and formula.digits >= 200 and formula.relation.accepted
    assert ball(formula.text, 250).overlaps(proven(fraction, 250))


def test_a_wrong_constant_is_not_stated():
    assert stated(PCF((1, 3), (-1, 0)), "pi") is None and stated(PCF((1, 3), (-1, 0)), "1") is None


def test_what_is_not_in_the_list():
    assert screened(PCF((1, 0, 1), (1, 0, 1))) == NONE
    assert screened(PCF((1,), (2, 1, 1))) == UNSEEN  # converges like a power of n with an irrational exponent
    assert screened(PCF((1, 3), (-1, 0)), names=["pi"]) == NONE


# the whole --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("a", "b", "name"), [
    ((1, 1), (1, 0), "e"), ((-1, -1), (1, 0), "e"), ((1, 1), (1, 1), "e"), ((1,), (1,), "sqrt(5)"), ((2,), (1,), "sqrt(2)"),
    ((2, 1), (1,), "exp(2)"), ((2, 1), (-1,), "tan(1)"), ((1, 0), (1,), "besseli(1, 2)/besseli(0, 2)"),
    ((1,), (1, 0), "sqrt(2*pi*e)*erfc(1/sqrt(2))"),
])
def test_labels(small, a, b, name):
    assert small.label(PCF(a, b)) == name


def test_fractions_outside_have_no_label(small):
    assert small.label(PCF((7, 1), (1,))) is None and small.label(PCF((1,), (1, -1))) is None and small.label(PCF((1, 0, 0), (1,))) is None


def test_every_formula_is_true(small):
    assert len(small.formulas) > 50
    for row in small.formulas:
        a, b = (polynomial(text) for text in re.fullmatch(r"a\(n\) = (.*), b\(n\) = (.*)", row["key"]).groups())
        assert row["digits"] >= 200 > row["needed"] and arb(row["ball"]).overlaps(ball(row["formula"], 250))
        assert proven(PCF(a, b), 20).overlaps(ball(row["formula"], 20))


def polynomial(text):
    """Coefficients of a polynomial of degree up to 1 as it is printed."""
    values = [eval(text.replace("^", "**"), {"n": n}) for n in (0, 1)]
    return values[1] - values[0], values[0]


def test_clusters_partition_the_finite_fractions(small):
    table, keys = small.table, [c["key"] for c in small.clusters]
    assert len(set(keys)) == len(keys) and set(table["cluster"]) - {""} == set(keys)
    for cluster in small.clusters:
        assert (table["cluster"] == cluster["key"]).sum() == cluster["size"]
        assert not cluster["settled"] or len(cluster["constants"]) <= 1


def test_an_interrupted_run_goes_on_without_loss_or_repetition(small, tmp_path, monkeypatch):
    class Stop(Exception):
        pass

    def stopped(part, done, of):
        if part == "clusters" and done % 7 == 0 or part == "metrics" and done == 2:
            raise Stop

    monkeypatch.setattr(census_domain, "BLOCK", 100)
    for _ in range(50):
        try:
            again = census(1, 2, tmp_path / "run", resume=True, threads=1, progress=stopped)
            break
        except Stop:
            continue
    assert {k: v for k, v in again.counters.items() if not k.endswith("_ms")} == {
        k: v for k, v in small.counters.items() if not k.endswith("_ms")}
    assert Ledger.read(again.folder).relation_set() == Ledger.read(small.folder).relation_set()
    assert list(again.table["label"]) == list(small.table["label"])


def test_run_folders(small, tmp_path):
    with pytest.raises(ValueError, match="holds a run"):
        census(1, 2, small.folder, threads=1)
    with pytest.raises(ValueError, match="range = 2 there, 3 here"):
        census(1, 3, small.folder, resume=True, threads=1)
    assert census(1, 2, small.folder, resume=True, threads=1).counters == small.counters
    with pytest.raises(ValueError, match="no ledger"):
        Census.read(tmp_path)
    Ledger.open(tmp_path / "other", "pcf", {}).close()
    with pytest.raises(ValueError, match="finished census was required"):
        Census.read(tmp_path / "other")


def test_a_survey_travels_between_processes():
    a, b = np.array([[1], [1]]), np.array([[1], [3]])
    found = survey(Stratum((0, 0, 1, 1), np.arange(2), a, b, {name: np.zeros(2) for plane in PLANES for name in plane}))
    again = pickle.loads(pickle.dumps(found))
    assert again.clusters == found.clusters
    assert [f.text for c in again.clusters for f in c.formulas] == ["(1 + sqrt(13))/2", "(1 + sqrt(5))/2"]


def test_summary(small):
    text = str(small)
    assert "fractions 576" in text and re.search(r"^e +\d+ +\d+  a\(n\) = ", text, re.MULTILINE)


def test_pictures_require_matplotlib(small, monkeypatch):
    from symnum.conjecture.census.report import plot

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(ImportError, match=re.escape('pip install "symnum[report]"')):
        plot(small)


def test_pictures(small, tmp_path):
    pytest.importorskip("matplotlib")
    from symnum.conjecture.census.report import plot

    assert plot(small, tmp_path / "planes.png").stat().st_size > 10_000


# the command ------------------------------------------------------------------------------------------------------------
def test_command(tmp_path):
    out = str(tmp_path / "run")
    arguments = ["conjecture", "census", "--degree", "1", "--range", "1", "--threads", "1", "--out", out]
    found = CliRunner().invoke(application(), [*arguments, "--json"])
    assert found.exit_code == 0, found.output
    document = json.loads(found.stdout)
    assert document["counters"]["fractions"] == 64 and {"a(n) = 1, b(n) = 1"} <= {f["fraction"] for f in document["formulas"]}
    again = CliRunner().invoke(application(), [*arguments, "--resume"])
    assert again.exit_code == 0 and "sqrt(5)" in again.stdout
    refused = CliRunner().invoke(application(), arguments)
    assert refused.exit_code == 2 and refused.stderr.count("\n") == 1 and "--resume" in refused.stderr


@pytest.mark.parametrize("bad", [
    ["--degree", "-1"], ["--range", "0"], ["--range", "-2"], ["--degree", "7", "--range", "9"], ["--depth", "3"], ["--threads", "0"],
    ["--range", "many"]])
def test_command_with_bad_input(tmp_path, bad):
    found = CliRunner().invoke(application(), ["conjecture", "census", "--out", str(tmp_path / "run"), *bad])
    assert found.exit_code == 2 and found.stdout == "" and "Traceback" not in found.stderr
    assert not (tmp_path / "run").exists()


def test_the_module_is_light():
    code = ("import sys, symnum.conjecture.census.census; "
            "print(*{'sklearn', 'matplotlib', 'scipy.spatial', 'pandas', 'torch'} & set(sys.modules))")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
