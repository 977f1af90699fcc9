"""`conjecture show`: what a run found, in every form, at any time, and nothing but one line where there is no run."""

import csv
import io
import json

import pytest
import typer
from typer.testing import CliRunner

from symnum.commands.ledger import register
from symnum.numbers.ledger import Ledger

app = typer.Typer()
register(app)
app.command("other")(lambda: None)  # a second command, so that `show` is named


def show(*arguments):
    return CliRunner().invoke(app, ["show", *map(str, arguments)])


@pytest.fixture
def run(tmp_path):
    with Ledger.open(tmp_path, "pcf", {"a": 1}) as ledger:
        with ledger.step(1) as step:
            step.relation("n|1", "4/pi", [1, -4], ["pi*v", "1"], 50, 12, "1.27")
            step.relation("n|2", "pi, \"e\" = x", [1, -4], ["pi", "e"], 90, 12, "1.27", status="rejected", reason="fails at 200 digits")
            step.relation("n|3", "e/(e - 1)", [1, -1], ["e", "v"], 80, 12, "1.58", status="known", source="Euler 1748")
            step.count("tried", 7)
        ledger.finish("a of degree 1, coefficients up to 5: 3 relations")
    return tmp_path


def test_the_text_lists_the_finest_first_and_what_was_searched(run):
    result = show(run)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("pcf (finished): 3 relations")
    assert [line.split()[0] for line in lines[1:4]] == ["known", "conjecture", "rejected"] and "Euler 1748" in lines[1]
    assert lines[4:] == ["tried: 7", "searched: a of degree 1, coefficients up to 5: 3 relations"]


def test_json_csv_and_latex(run):
    document = json.loads(show(run, "--json").stdout)
    assert document["counters"] == {"tried": 7} and len(document["relations"]) == 3 and document["finished"] and not document["running"]
    rows = list(csv.DictReader(io.StringIO(show(run, "--csv").stdout)))
    assert [r["formula"] for r in rows] == ["e/(e - 1)", "4/pi", 'pi, "e" = x'] and rows[1]["coefficients"] == "1 -4"
    assert show(run, "--latex", "--status", "conjecture").stdout == "\\frac{4}{\\pi}\n"


def test_status_chooses(run):
    assert json.loads(show(run, "--json", "--status", "proved").stdout)["relations"] == []
    result = show(run, "--status", "guess")
    assert result.exit_code == 2 and "among proved" in result.stderr


def test_a_run_that_is_being_written_is_shown(tmp_path):
    with Ledger.open(tmp_path, "census", {}) as ledger:
        assert "census (running): 0 relations" in show(tmp_path).stdout
        with ledger.step(1) as step:
            step.relation("k", "pi", [1, -1], ["pi", "v"], 50, 12, "3.14")
        assert "1 relation;" in show(tmp_path).stdout
    assert "(stopped, to be resumed)" in show(tmp_path).stdout


@pytest.mark.parametrize("prepare", [
    lambda p: None, lambda p: p.mkdir(), lambda p: p.write_text("x"), lambda p: (p.mkdir(), (p / "ledger.sqlite").write_text("x" * 5000))])
def test_no_run_is_one_line_and_exit_code_2(tmp_path, prepare):
    prepare(tmp_path / "run")
    result = show(tmp_path / "run")
    assert result.exit_code == 2 and result.stdout == "" and len(result.stderr.splitlines()) == 1 and "required" in result.stderr


def test_one_form_at_a_time(run):
    result = show(run, "--csv", "--json")
    assert result.exit_code == 2 and "one of --json, --latex and --csv" in result.stderr
