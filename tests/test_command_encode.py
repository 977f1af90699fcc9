"""`symnum encode train`: what it prints and keeps, and which messages bad input gets."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from symnum.commands.encode import register
from symnum.encode.checkpoint import read

app = typer.Typer()
register(app)
app.callback()(lambda: None)

TINY = """
[train]
steps = 40
batch = 4
save_every = 1
log_every = 1
workers = 0
threads = 1
parts = 1
[corpus]
variables = 2
rows = 16
edits = 1
[model]
width = 8
heads = 1
hidden = 8
inducing = 2
induced_blocks = 1
full_blocks = 0
seeds = 1
pair_width = 4
symbol_width = 8
symbol_hidden = 8
joint = 8
slots = 4
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["encode", "train", *map(str, arguments)])


def test_a_training_and_its_resumption(config, tmp_path):
    out = tmp_path / "run"
    first = run(config, "--out", out, "--steps", 2, "--device", "cpu")
    assert first.exit_code == 0, first.output
    assert first.stdout.strip() == str(out / "encoder.safetensors")
    assert [line.split("  ")[0] for line in first.stderr.splitlines()] == ["step 1", "step 2"]
    assert read(out / "encoder.safetensors").step == 2
    again = run(config, "--out", out, "--steps", 2, "--device", "cpu")
    assert again.exit_code == 2 and "--resume" in again.stderr
    longer = run(config, "--out", out, "--steps", 3, "--resume")
    assert longer.exit_code == 2 and "steps in [train] 2 -> 3" in longer.stderr
    assert run(config, "--out", out, "--steps", 2, "--resume", "--quiet").stderr == ""


@pytest.mark.parametrize(("arguments", "message"), [
    (("cpuu",), "did you mean cpu?"),
    (("cpu", "--steps", 0), "steps must be at least 1, got 0"),
    (("cpu", "--device", "tpu9000"), "device must be auto"),
])
def test_bad_input(arguments, message, tmp_path):
    result = run(*arguments, "--out", tmp_path / "run")
    assert result.exit_code == 2 and message in result.stderr and not (tmp_path / "run").exists()


def test_a_folder_that_is_a_file(config, tmp_path):
    (tmp_path / "taken").write_text("")
    result = run(config, "--out", tmp_path / "taken", "--steps", 1, "--device", "cpu")
    assert result.exit_code == 2 and "taken" in result.stderr


def test_help_is_quick():
    code = ("import sys, typer; from symnum.commands.encode import register; a = typer.Typer(); register(a);"
            "print(*sorted({'torch', 'numba', 'safetensors'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    assert done.stdout.strip() == ""
