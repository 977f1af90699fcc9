"""The command line: what it prints, its exit codes, and that no bad input ends in a traceback."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from symnum import data
from symnum.cli import app
from symnum.store import RunFolder

KEPLER = str(data.path("kepler"))
QUICK = ["--max-evaluations", "20000", "--time", "120", "--grammar", "arithmetic", "--max-complexity", "7"]


def symnum(*arguments):
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments])


def process(*arguments, flags=(), **environment):
    """Start a command as a user does."""
    command = [sys.executable, *flags, "-m", "symnum.cli", *map(str, arguments)]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8", "NUMBA_NUM_THREADS": "2"} | environment
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("name,a [m],b,y\nu,1,2,3\nv,2,5,7\nw,4,1,5\nz,3,9,12\n")
    return path


# help ---------------------------------------------------------------------------------------------------------------------
def test_help_and_version():
    assert symnum("--help").exit_code == 0
    for command in ("fit", "resume", "grammar"):
        assert command in symnum("--help").stdout
        assert symnum(command, "--help").exit_code == 0
    assert re.fullmatch(r"symnum (\d+\.\d+\.\d+|unknown)\n", symnum("--version").stdout)


def test_help_says_what_is_counted_and_the_default_time():
    flat = " ".join(symnum("fit", "--help").stdout.replace("│", " ").split())
    assert "Evaluations (passes over the rows)" in flat and "Expressions to score" not in flat
    assert "20; no limit with --max-evaluations" in flat


def test_help_loads_nothing_heavy():
    code = ("import sys; from typer.testing import CliRunner; from symnum.cli import app; "
            "assert CliRunner().invoke(app, ['fit', '--help']).exit_code == 0; "
            "print([m for m in ('numba', 'torch', 'pandas', 'sympy', 'sklearn', 'numpy') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# grammar ------------------------------------------------------------------------------------------------------------------
@pytest.fixture
def grammar_file(tmp_path):
    path = tmp_path / "tiny.g"
    path.write_text("expr : expr + expr | VAR\n")
    return path


def test_grammar_check(grammar_file):
    assert "expr (from complexity 1)" in symnum("grammar", "check", grammar_file).stdout
    assert "physics: " in symnum("grammar", "check", "physics").stdout


def test_grammar_sample_is_reproducible(grammar_file):
    first = symnum("grammar", "sample", grammar_file, "-n", 5, "--seed", 1, "--max-complexity", 9, "--variables", "u, v").stdout
    assert first == symnum("grammar", "sample", grammar_file, "-n", 5, "--seed", 1, "--max-complexity", 9, "--variables", "u, v").stdout
    assert len(first.splitlines()) == 5
    assert set(first) <= set("uv +()\n")


def test_grammar_count(grammar_file):
    assert symnum("grammar", "count", grammar_file, "--complexity", 41).stdout == "6564120420\n"  # the Catalan number of 20
    assert symnum("grammar", "count", grammar_file, "--complexity", 3, "--variables", "u,v").stdout == "4\n"


# bad input ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("arguments", "words"), [
    (["fit", KEPLER], ["--target"]),
    (["fit", KEPLER, "--target", "perod"], ["did you mean period"]),
    (["fit", KEPLER, "--target", "period", "--features", "distanc"], ["did you mean distance"]),
    (["fit", KEPLER, "--target", "period", "--weights", "w"], ["weights", "'w'"]),
    (["fit", "nothing.csv", "--target", "y"], ["nothing.csv"]),
    (["fit", os.path.dirname(__file__), "--target", "y"], ["folder"]),
    (["fit", KEPLER, "--target", "period", "--time", "-1"], ["--time", "above 0"]),
    (["fit", KEPLER, "--target", "period", "--time", "0"], ["--time", "above 0"]),
    (["fit", KEPLER, "--target", "period", "--time", "nan"], ["--time", "above 0"]),
    (["fit", KEPLER, "--target", "period", "--time", "soon"], ["--time", "number"]),
    (["fit", KEPLER, "--target", "period", "--time", "inf"], ["max_evaluations"]),
    (["fit", KEPLER, "--target", "period", "--max-evaluations", "0"], ["--max-evaluations"]),
    (["fit", KEPLER, "--target", "period", "--max-complexity", "0"], ["--max-complexity"]),
    (["fit", KEPLER, "--target", "period", "--threads", "0"], ["--threads"]),
    (["fit", KEPLER, "--target", "period", "--seed", "-1"], ["--seed"]),
    (["fit", KEPLER, "--target", "period", "--grammar", "phisics"], ["did you mean physics"]),
    (["fit", KEPLER, "--target", "period", "--loss", "msee"], ["mse"]),
    (["fit", KEPLER, "--target", "period", "--selection", "beste"], ["best, mdl"]),
    (["fit", "nowhere.csv", "--target", "period", "--selection", "beste"], ["best, mdl"]),
    (["fit", "nowhere.csv", "--target", "period", "--template", "p*distance", "--select-features", "few"], ["--select-features"]),
    (["fit", KEPLER, "--target", "period", "--guess", "2*mass"], ["mass", "distance"]),
    (["fit", KEPLER, "--target", "period", "--holdout", "0.95"], ["--holdout", "0.9"]),
    (["fit", KEPLER, "--target", "period", "--intervals", "walt"], ["wald, profile, none"]),
    (["fit", KEPLER, "--target", "period", "--intervals", "profile", "--loss", "mae"], ["least squares"]),
    (["fit", KEPLER, "--target", "period", "--level", "1"], ["--level", "between 0 and 1"]),
    (["fit", KEPLER, "--target", "period", "--resume"], ["--out"]),
    (["fit", KEPLER, "--target", "period", "--out", KEPLER], ["cannot be written"]),
    (["fit", KEPLER, "--target", "period", "--out", os.path.dirname(KEPLER)], ["choose another folder"]),
    (["fit", KEPLER, "--targt", "period"], ["--targt"]),
    (["fitt"], ["fitt"]),
    (["resume", "nowhere"], ["nowhere", "config.json"]),
    (["grammar", "check", "nothing.g"], ["nothing.g"]),
    (["grammar", "count", "physics", "--complexity", "0"], ["--complexity"]),
    (["grammar", "sample", "physics", "-n", "0"], ["-n"]),
])
def test_bad_input_exits_with_2_and_one_clean_message(arguments, words):
    result = symnum(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    flat = " ".join(result.stderr.replace("│", " ").split())
    assert all(word in flat for word in words), result.stderr


@pytest.mark.parametrize(("text", "words"), [
    ("", ["is empty"]),
    ("a,y\n", ["two rows"]),
    ("a,y\n1,2\n", ["two rows"]),
    ("a,y\n1,2\n2,tall\n", ["'tall'", "row 2", "one-hot"]),
    ("a,y\n1,2\n,3\n", ["NaN or Inf", "row 2"]),
    ("a,a,y\n1,2,3\n2,3,4\n", ["twice"]),
    ("1,2\n3,4\n", ["looks like data"]),
])
def test_bad_tables_exit_with_2(tmp_path, text, words):
    (tmp_path / "t.csv").write_text(text)
    result = symnum("fit", tmp_path / "t.csv", "--target", "y")
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert all(word in result.stderr for word in words), result.stderr


def test_a_broken_grammar_file_is_placed(tmp_path):
    (tmp_path / "broken.g").write_text("expr : expr +\n")
    for arguments in (["grammar", "check"], ["fit", KEPLER, "--target", "period", "--grammar"]):
        result = symnum(*arguments, tmp_path / "broken.g")
        assert result.exit_code == 2
        assert "broken.g:1" in result.stderr or "broken.g:2" in result.stderr


@pytest.mark.parametrize("ours", [AssertionError("ours"), KeyError("key"), TypeError("ours")])
def test_a_bug_of_ours_keeps_its_traceback(monkeypatch, ours):
    def bug(*args, **kwargs):
        raise ours
    monkeypatch.setattr("symnum.problem.table.read_table", bug)
    assert symnum("fit", KEPLER, "--target", "period").exception is ours


@pytest.mark.parametrize("ours", [ValueError("ours"), np.linalg.LinAlgError("ours"), KeyError("two words"), OSError("ours")])
def test_errors_of_a_search_that_has_begun_are_ours(monkeypatch, ours):
    def bug(*args, **kwargs):
        raise ours
    monkeypatch.setattr("symnum.search.run.Run.advance", bug)
    assert symnum("fit", KEPLER, "--target", "period", *QUICK).exception is ours


@pytest.mark.parametrize(("arguments", "limits"), [
    ([], (20.0, None)), (["--time", 3], (3.0, None)), (["--max-evaluations", 5000], (None, 5000)),
    (["--max-evaluations", 5000, "--time", 3], (3.0, 5000)), (["--max-evaluations", 5000, "--time", "inf"], (None, 5000)),
])
def test_time_is_limited_by_default_only_where_evaluations_are_not(monkeypatch, arguments, limits):
    def discover(*args, time_limit, max_evaluations, **kwargs):
        raise ValueError((time_limit, max_evaluations))
    monkeypatch.setattr("symnum.discovery.discover", discover)
    assert symnum("fit", KEPLER, "--target", "period", *arguments).stderr == f"error: {limits}\n"


# results ------------------------------------------------------------------------------------------------------------------
def test_fit_prints_front_law_and_verdict(table):
    result = symnum("fit", table, "--target", "y", "--features", "a,b", *QUICK)
    assert result.exit_code == 0, result.output
    assert "complexity" in result.stdout and "equation" in result.stdout
    assert [line for line in result.stdout.splitlines() if line.startswith(">")]
    assert re.search(r"^y = (a \+ b|b \+ a)$", result.stdout, re.M)
    assert "R² = 1" in result.stdout
    assert "units: a [m]" in result.stdout
    assert "expressions per second" in result.stdout


def test_json_is_one_strict_document_on_stdout(table, tmp_path):
    result = symnum("fit", table, "--target", "y", "--features", "a,b", "--json", "--out", tmp_path / "run", *QUICK)
    assert result.exit_code == 0, result.output

    def refuse(text):
        raise AssertionError(text)
    document = json.loads(result.stdout, parse_constant=refuse)
    assert document["front"][document["chosen"]]["equation"] == document["equation"] in ("a + b", "b + a")
    assert document["target"] == "y" and document["features"] == ["a", "b"]
    assert set(document["status"]) == {"name", "message"}
    assert document["verdict"]["r2"] == pytest.approx(1, abs=1e-9)
    assert document["statistics"]["evaluations"] > 0
    assert document["units"] == {"a": "m"}
    assert document["run"] == str(tmp_path / "run")
    assert "y = " in result.stderr  # progress


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A law in one of 24 columns, with noise."""
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 3, (80, 24))
    y = 2.617 * X[:, 0] ** 2 + 0.1 * rng.normal(size=80)
    path = tmp_path_factory.mktemp("many") / "t.csv"
    np.savetxt(path, np.column_stack([X, y]), delimiter=",", comments="", header=",".join([*(f"c{i}" for i in range(24)), "y"]))
    return path


def test_columns_of_a_guess_are_not_screened_out(many):
    plain, guessed = (json.loads(symnum("fit", many, "--target", "y", *QUICK, *more, "--json").stdout)
                      for more in ((), ("--guess", "2*c7", "--guess", "c9*c0")))
    assert not {"c7", "c9"} & set(plain["features"]) and {"c0", "c7", "c9"} <= set(guessed["features"])


def test_guesses_reach_the_search(monkeypatch):
    def discover(*args, guesses, **kwargs):
        raise ValueError(list(guesses))
    monkeypatch.setattr("symnum.discovery.discover", discover)
    result = symnum("fit", KEPLER, "--target", "period", "--guess", "2*distance", "--guess", "exp(distance)")
    assert result.stderr == "error: ['2*distance', 'exp(distance)']\n"


def test_the_share_held_out(table, many):
    seen = [symnum("fit", many, "--target", "y", *QUICK, *more).stdout for more in ((), ("--holdout", 0.5), ("--holdout", 0))]
    assert "holds on 16 rows" in seen[0] and "holds on 40 rows" in seen[1] and "held out: R²" not in seen[2]


def test_intervals_by_method_and_level(many):
    def run(*more):
        return json.loads(symnum("fit", many, "--target", "y", *QUICK, *more, "--json").stdout)["intervals"]
    [wald], [wide], [profile] = run(), run("--level", 0.99), run("--intervals", "profile")
    assert wide["low"] < wald["low"] < 2.617 < wald["high"] < wide["high"] and wide["level"] == 0.99
    assert profile["low"] == pytest.approx(wald["low"], rel=1e-3)  # the formula is linear in the constant
    assert run("--intervals", "none") == []
    assert "constants (99 %)" in symnum("fit", many, "--target", "y", *QUICK, "--level", 0.99).stdout
    assert "constants (" not in symnum("fit", many, "--target", "y", *QUICK, "--intervals", "none").stdout


def test_quiet_prints_the_law_only(table):
    result = symnum("fit", table, "--target", "y", "--features", "a,b", "--quiet", *QUICK)
    assert result.stdout.strip() in ("y = a + b", "y = b + a")
    assert result.stderr == ""


def test_constant_columns_are_told(tmp_path):
    (tmp_path / "t.csv").write_text("a,g,y\n1,9.81,2\n2,9.81,4\n3,9.81,6\n")
    assert "left out, because constant: g = 9.81" in symnum("fit", tmp_path / "t.csv", "--target", "y", *QUICK).stdout


def test_names_that_look_like_markup_or_functions(tmp_path):
    (tmp_path / "t.csv").write_text("[bold],sin,größe y\n1,2,3\n2,5,7\n4,1,5\n3,9,12\n".replace("[bold]", "a[bold]b"), encoding="utf-8")
    result = symnum("fit", tmp_path / "t.csv", "--target", "größe y", *QUICK)
    assert result.exit_code == 0, result.output
    assert "`größe y` = " in result.stdout and "`a[bold]b`" in result.stdout and "`sin`" in result.stdout


def test_resume_goes_on_and_refuses_other_questions(table, tmp_path):
    run = tmp_path / "run"
    first = ["fit", table, "--target", "y", "--features", "a,b", "--out", run]
    assert symnum(*first, *QUICK).exit_code == 0
    before = [e["event"] for e in RunFolder.open(run).read_log()]
    again = symnum(*first, *QUICK)
    assert again.exit_code == 2 and "--resume" in again.stderr
    assert symnum(*first, *QUICK, "--resume").exit_code == 0
    resumed = symnum("resume", run, "--time", 5, "--quiet")
    assert resumed.exit_code == 0 and resumed.stdout.strip() in ("y = a + b", "y = b + a")
    assert len(list(RunFolder.open(run).read_log())) > len(before)
    other = symnum(*first, *QUICK, "--resume", "--seed", 7)
    assert other.exit_code == 2 and "seed = 0 (got 7)" in other.stderr
    table.write_text(table.read_text().replace("12", "13"))
    changed = symnum("resume", run)
    assert changed.exit_code == 2 and "other data" in changed.stderr


# units --------------------------------------------------------------------------------------------------------------------
def test_units_restrict_the_search_and_constants_carry_them(tmp_path):
    data, units = tmp_path / "t.csv", tmp_path / "u.csv"
    data.write_text("t [s],h\n" + "".join(f"{t},{4.9 * t * t}\n" for t in range(1, 9)))
    units.write_text("h,m\n")
    done = symnum("fit", data, "--target", "h", "--units", units, "--out", tmp_path / "run", *QUICK)
    assert done.exit_code == 0, done.stderr
    assert "units: t [s], h [m]" in done.stdout and "none of them carries length" in done.stdout and "4.9 [m/s^2]" in done.stdout
    result = json.loads(symnum("resume", tmp_path / "run", "--json").stdout)
    assert result["constants"] == [{"value": pytest.approx(4.9), "unit": "m/s^2"}] and result["units"] == {"t": "s", "h": "m"}


@pytest.mark.parametrize(("arguments", "part"), [
    ((), "column 'a', got [mm/]"), (("--units", "no.csv"), "no.csv cannot be read"),
    (("--units", "none", "--constants", "some"), "got 'some'"),
])  # fmt: skip
def test_wrong_units_are_refused(table, arguments, part):
    table.write_text(table.read_text().replace("[m]", "[mm/]"))
    done = symnum("fit", table, "--target", "y", "--features", "a,b", *arguments, *QUICK)
    assert done.exit_code == 2 and part in done.stderr and done.stderr.count("\n") == 1
    assert symnum("fit", table, "--target", "y", "--features", "a,b", "--units", "none", "--quiet", *QUICK).exit_code == 0


# signals ------------------------------------------------------------------------------------------------------------------
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_prints_and_saves_its_front(tmp_path, number):
    run = tmp_path / "run"
    p = process("fit", data.path("hubble"), "--target", "velocity", "--time", 60, "--out", run)
    deadline = time.monotonic() + 60
    while not (run / "front.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    p.send_signal(number)
    out, err = p.communicate(timeout=30)
    assert p.returncode == 130, err
    assert "velocity = " in out and "interrupted" in out
    assert "Traceback" not in err
    assert len(RunFolder.open(run).load_front()) > 0
    assert RunFolder.open(run).load_state() is not None


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_during_imports_ends_cleanly(number):
    p = process("fit", data.path("hubble"), "--target", "velocity", flags=["-X", "importtime"])
    for line in p.stderr:  # numba is imported by the command, numpy before it
        if "numba.core" in line:
            break
    p.send_signal(number)
    _, err = p.communicate(timeout=60)
    assert p.returncode == 130
    assert "interrupted before a formula was found" in err and "Traceback" not in err


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interruption_during_compilation_ends_cleanly(tmp_path):
    p = process("fit", data.path("hubble"), "--target", "velocity", NUMBA_CACHE_DIR=str(tmp_path))
    deadline = time.monotonic() + 60
    while not any(tmp_path.rglob("*.nb?")) and time.monotonic() < deadline:  # the first function is compiled, many are to come
        time.sleep(0.01)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=100)
    assert p.returncode == 130, err
    assert "interrupted" in out + err and "Traceback" not in err


def test_piped_progress_is_plain_lines():
    p = process("fit", data.path("hubble"), "--target", "velocity", "--time", 3)
    out, err = p.communicate(timeout=60)
    assert p.returncode == 0, err
    assert "\x1b" not in err + out
    assert all(re.match(r"[\d.]+ s · .* · complexity \d+ · loss .* · velocity = ", line) for line in err.splitlines())
    law = re.search(r"^velocity = (.*)$", out, re.M)
    assert law
