"""The search for continued fractions: what it must find, how it stops and goes on, what it refuses."""

import importlib.util
import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from symnum.commands.pcf import register
from symnum.conjecture.fractions.pcf import conjecture_pcf, expected_seconds
from symnum.conjecture.fractions.run import standing
from symnum.numbers.formula import ball
from symnum.numbers.ledger import Ledger
from symnum.numbers.pcf import PCF
from symnum.numbers.pcf_domain import Domain
from symnum.numbers.pcf_match import Match
from symnum.numbers.relation import Relation

LEFT_OUT = ("degenerate", "mirrored", "rational", "divergent", "tried")
app = typer.Typer()
register(app)
app.command("other")(lambda: None)


def cli(*arguments):
    return CliRunner().invoke(app, ["pcf", *arguments])


@pytest.fixture(scope="module")
def e_run():
    return conjecture_pcf("e", 1, 1, 5, lhs=5)


def test_the_small_domain_of_e(e_run):
    found = {(r.a, r.b): r.formula for r in e_run.relations}
    assert found[(1, 3), (-1, 0)] == "e" and found[(4, 2), (1,)] == "(e + 1)/(e - 1)" and found[(1, 1), (1, 0)] == "1/(e - 2)"
    assert len(found) == 14 and e_run.finished and "14641 pairs" in e_run.searched
    assert sum(e_run.counters[name] for name in LEFT_OUT) == e_run.size == 14641
    for r in e_run.relations:
        assert r.digits == 100 >= r.needed and r.kind == "factorial"
        assert r.pcf.ball(60).overlaps(ball(r.formula, 60))


def test_one_formula_is_listed_once_with_its_family(e_run):
    assert sum(map(len, e_run.families)) == 14 > len(e_run.families)
    assert len({members[0].family for members in e_run.families}) == len(e_run.families)
    assert all(members == sorted(members, key=lambda r: r.size) for members in e_run.families)
    assert e_run.text().count("same family") == 14 - len(e_run.families)
    assert json.loads(json.dumps(e_run.to_dict()))["relations"][0]["text"] == e_run.relations[0].text
    assert r"\cfrac" in e_run.relations[0].latex


def test_apery_and_slow_relatives():
    run = conjecture_pcf("zeta(3)", domain=Domain.of("(2*n+1)*(x*n*(n+1)+y)", "-z*n^6", {"x": (1, 17), "y": (1, 6), "z": (1, 16)}), lhs=14)
    found = {r.a: (r.formula, r.kind) for r in run.relations}
    assert found[34, 51, 27, 5] == ("6/zeta(3)", "exponential")
    assert found[2, 3, 3, 1] == ("1/zeta(3)", "polynomial")  # like n^-2, and proven to 100 digits
    assert all(r.digits == 100 for r in run.relations)


def test_one_relation_to_two_constants():
    domain = Domain.of("n^5+(n+1)^5 + x*(n^3+(n+1)^3) + y*(2*n+1)", "-n^10", {"x": (0, 6), "y": (-4, 0)})
    run = conjecture_pcf(("zeta(5)", "zeta(3)"), domain=domain, joint=True)
    assert {r.formula for r in run.relations} == {
        "1/zeta(5)", "-2/(2*zeta(3) - 2*zeta(5) - 1)", "2/(6*zeta(3) + 2*zeta(5) - 9)"}


def test_constants_share_the_screening():
    both = conjecture_pcf(["pi", "e"], 1, 2, 3, lhs=8, digits=60)
    alone = [conjecture_pcf(c, 1, 2, 3, lhs=8, digits=60) for c in ("pi", "e")]
    assert {r.text for r in both.relations} == {r.text for run in alone for r in run.relations}
    assert both.counters["tried"] == alone[0].counters["tried"]


def test_nothing_is_found_where_nothing_is():
    run = conjecture_pcf("euler", 1, 2, 3, lhs=10)
    assert run.relations == () and run.finished and run.searched.endswith("no relations")


def test_the_result_does_not_depend_on_threads(tmp_path):
    domain = Domain.of("x*n+y", "z*n^2+w*n", {"x": (1, 50), "y": (-40, 40), "z": (-3, 3), "w": (-3, 3)})
    for threads in (1, 3):
        conjecture_pcf("pi", domain=domain, lhs=10, threads=threads, digits=60, out=tmp_path / str(threads))
    one, three = (Ledger.read(tmp_path / str(t)) for t in (1, 3))
    assert one.relation_set() == three.relation_set() and one.counters == three.counters
    assert [c["key"] for c in one.candidates()] == [c["key"] for c in three.candidates()]


WIDE = {"domain": Domain.of("x*n+y", "z*n^2+w*n+u", {"x": (2, 3), "y": (-2, 5), "z": (-5, 5), "w": (-25, 25), "u": (-5, 5)}),
        "lhs": 6, "digits": 60}


def test_a_run_goes_on_where_the_time_ended(tmp_path):
    whole = conjecture_pcf("pi", **WIDE)
    parts = [conjecture_pcf("pi", **WIDE, out=tmp_path, time_limit=1e-9)]
    assert not parts[0].finished and "blocks searched" in parts[0].searched
    with pytest.raises(ValueError, match="--resume"):
        conjecture_pcf("pi", **WIDE, out=tmp_path)
    with pytest.raises(ValueError, match="constants"):
        conjecture_pcf("e", **WIDE, out=tmp_path, resume=True)
    last = conjecture_pcf("pi", **WIDE, out=tmp_path, resume=True)
    assert last.finished and [r.text for r in last.relations] == [r.text for r in whole.relations]
    assert last.counters["tried"] == whole.counters["tried"]
    again = conjecture_pcf("pi", **WIDE, out=tmp_path, resume=True)
    assert again.finished and again.counters == last.counters


SCRIPT = """
import sys, time
from symnum.conjecture.fractions.pcf import conjecture_pcf
from tests.test_conjecture_pcf import WIDE
conjecture_pcf("pi", **WIDE, out=sys.argv[1], resume=True, threads=1, progress=lambda *_: time.sleep(0.2))
"""


def test_a_killed_run_ends_with_the_same_relations(tmp_path):
    whole = conjecture_pcf("pi", **WIDE, out=tmp_path / "whole")
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path / "killed")], cwd=Path(__file__).parents[1])
    for _ in itertools.count():
        time.sleep(0.05)
        if process.poll() is not None or _cursor(tmp_path / "killed") >= 1:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    run = conjecture_pcf("pi", **WIDE, out=tmp_path / "killed", resume=True)
    assert run.finished and run.counters["tried"] == whole.counters["tried"]
    assert Ledger.read(tmp_path / "killed").relation_set() == Ledger.read(tmp_path / "whole").relation_set()


def _cursor(folder):
    try:
        return Ledger.read(folder).runs()[-1]["cursor"] or 0
    except (ValueError, OSError, IndexError):
        return 0


@pytest.mark.parametrize(("options", "said"), [
    ({"constant": "zta(3)"}, "did you mean zeta"), ({"constant": "3/7"}, "irrational.*rational number"),
    ({"constant": "zeta(2)/pi^2"}, "= 1/6"), ({"constant": "log(0)"}, "finite"), ({"constant": ()}, "1 to 12 constants"),
    ({"constant": "sqrt(4)"}, "irrational"), ({"constant": ("pi", "pi^2", "2*pi"), "joint": True}, "without a relation"),
    ({"coefficients": -3}, "coefficients"), ({"coefficients": (4, 2)}, "coefficients"), ({"a_degree": -1}, "degree of a"),
    ({"lhs": 0}, "1 to 30"), ({"lhs": 1000}, "1 to 30"), ({"digits": 5}, "30 to 2000 digits"), ({"threads": 0}, "thread"),
    ({"time_limit": 0}, "above 0"), ({"a_degree": 3, "b_degree": 6, "coefficients": 20, "family": "all"}, "550329031716248441"),
    ({"family": "odd"}, "family among"), ({"resume": True}, "folder of the run")])
def test_bad_input(options, said):
    with pytest.raises(ValueError, match=said):
        conjecture_pcf(**{"constant": "pi", "coefficients": 2} | options)


def test_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(OSError, match="--out"):
        conjecture_pcf("pi", 1, 1, 1, out="/proc/none")
    with Ledger.open(tmp_path, "pcf", {}), pytest.raises(OSError, match="nobody writes"):
        conjecture_pcf("pi", 1, 1, 1, out=tmp_path, resume=True)


def test_what_the_digits_do_not_carry_is_rejected():
    pcf = PCF((2, 1), (1, 0, 0))
    for digits, status in ((8, "rejected"), (100, "proved")):
        match = Match(("pi",), Relation((4, 0, 0, -1), digits, 12), pcf.ball(digits))
        found, why = standing(pcf, match)
        assert found == status and (found == "proved" or why == {"reason": "only 8 digits proven, 12 needed"})


def test_rational_fractions_are_counted():
    run = conjecture_pcf("pi", domain=Domain.of("n+x", "y*(n-1)", {"x": (0, 4), "y": (1, 3)}))
    assert run.counters["rational"] == run.size == 15 and PCF((1, 0), (1, -1)).last_term == 1


def test_the_command(tmp_path):
    said = cli("--constant", "zeta(3)", "--a-degree", "3", "--b-degree", "6", "--range", "17", "--family", "symmetric", "--lhs", "8",
               "--out", str(tmp_path))
    assert said.exit_code == 0 and "6/zeta(3) = 5 - 1/(117 - 64/(535 - 729/(1463" in said.stdout
    assert "42,875 pairs" in said.stderr
    shown = cli("--constant", "zeta(3)", "--a", "(2*n+1)*(x*n*(n+1)+y)", "--b", "-n^6", "--range", "5", "--ranges", "x=17", "--lhs", "8",
                "--json", "--quiet")
    assert shown.exit_code == 0 and shown.stderr == ""
    assert [r["formula"] for r in json.loads(shown.stdout)["relations"]] == ["6/zeta(3)"]
    latex = cli("--constant", "e", "--a-degree", "1", "--b-degree", "1", "--range", "-1..4", "--lhs", "5", "--latex", "--quiet")
    assert latex.exit_code == 0 and latex.stdout.splitlines()[-1].startswith("%")


@pytest.mark.parametrize("arguments", [
    ["--constant", "zta(3)"], ["--constant", "22/7"], ["--constant", "pi", "--range", "-3"], ["--constant", "pi", "--range", "a"],
    ["--constant", "pi", "--range", "5..3"], ["--constant", "pi", "--a", "n"], ["--constant", "pi", "--ranges", "x=1..2"],
    ["--constant", "pi", "--a", "x*n", "--b", "n", "--ranges", "x=3..1"], ["--constant", "pi", "--a", "sin(n)", "--b", "n"],
    ["--constant", "pi", "--resume"], ["--constant", "pi", "--json", "--latex"], ["--constant", "pi", "--out", "/proc/none"],
    ["--constant", "pi", "--a-degree", "3", "--b-degree", "6", "--range", "20", "--family", "all"]])
def test_the_command_refuses_with_one_line(arguments):
    said = cli(*arguments)
    assert said.exit_code == 2 and said.stdout == ""
    assert said.stderr.splitlines()[-1].startswith("error: ") and "Traceback" not in said.stderr


@pytest.mark.parametrize("name", ["e", "zeta(3), small"])
def test_the_counts_of_the_ramanujan_machine(name, monkeypatch):
    folder = Path(__file__).parents[1] / "experiments" / "pcf"
    monkeypatch.syspath_prepend(str(folder))
    spec = importlib.util.spec_from_file_location("pcf_experiment", folder / "run.py")
    experiment = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(experiment)
    constants, domain, lhs, inside, theirs, _ = experiment.REGRESSION[name]
    assert len(experiment.as_they_count(conjecture_pcf(constants, domain=domain, lhs=lhs), inside, lhs)) == theirs


def test_the_expected_time_grows_with_the_domain():
    assert expected_seconds(Domain.auto(1, 2, 13), threads=1) < 2 < expected_seconds(Domain.auto(1, 2, 13), joint=True, threads=1)
