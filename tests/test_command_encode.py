"""`symnum encode …`: what it prints and keeps, and which messages bad input gets."""

import importlib.util
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from symnum.commands.encode import register
from symnum.encode.checkpoint import ENCODER, Checkpoint, read, write
from symnum.encode.config import Config
from symnum.encode.model import JointModel, Vocabulary
from symnum.encode.properties import PROPERTIES
from symnum.encode.public import Encoder

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An untrained encoder with an index beside it, and data of y = 2.5*mass*a."""
    folder = tmp_path_factory.mktemp("encoder")
    config = Config.from_dict(tomllib.loads(TINY))
    torch.manual_seed(0)
    model = JointModel(config.model, Vocabulary.current())
    tensors = {f"average/{n}": t for n, t in model.state_dict().items()}
    write(folder / ENCODER, Checkpoint(tensors, 0, config, model.vocabulary))
    done = ask("index", folder, "--size", 50)
    assert done.exit_code == 0 and done.stdout.strip() == str(folder / "index.npz"), done.output
    X = np.random.default_rng(0).uniform(1, 4, (40, 2))
    rows = [f"{a},{b},{2.5 * a * b}" for a, b in X]
    (folder / "data.csv").write_text("\n".join(["mass [kg],a b,y", *rows]))
    return folder


def ask(*arguments):
    return CliRunner().invoke(app, ["encode", *map(str, arguments)])


def run(*arguments):
    return ask("train", *arguments)


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


# asking an encoder --------------------------------------------------------------------------------------------------------
def about(folder, command, *arguments):
    """A command about the data."""
    return ask(command, folder / "data.csv", *arguments, "--target", "y", "--encoder", folder)


def test_rank(folder):
    formulas = ["sin(mass)", "2.5*mass*`a b`", "mass"]
    result = about(folder, "rank", *formulas)
    assert result.exit_code == 0, result.output
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert sorted(text for _, text in lines) == sorted(formulas)
    values = [float(cosine) for cosine, _ in lines]
    assert values == sorted(values, reverse=True)
    documents = json.loads(about(folder, "rank", *formulas, "--json").stdout)
    assert [d["formula"] for d in documents] == [text for _, text in lines]
    np.testing.assert_allclose([d["cosine"] for d in documents], values, atol=1e-4)


def test_rank_of_skeletons_does_not_see_numbers(folder):
    for flags, equal in (((), False), (("--skeletons",), True)):
        documents = json.loads(about(folder, "rank", "20.5*mass", "0.1*mass", *flags, "--json").stdout)
        assert (documents[0]["cosine"] == documents[1]["cosine"]) == equal


def test_nearest(folder):
    result = about(folder, "nearest", "-k", 4)
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 4
    X = np.loadtxt(folder / "data.csv", delimiter=",", skiprows=1)
    expected = Encoder.load(folder).nearest(X[:, :2], X[:, 2], 4, ["mass", "a b"])
    documents = json.loads(about(folder, "nearest", "-k", 4, "--json").stdout)
    assert [(d["formula"], d["cosine"]) for d in documents] == [(str(law), c) for law, c in expected]
    one = json.loads(about(folder, "nearest", "--features", "a b", "--json").stdout)
    assert all("mass" not in d["formula"] for d in one)


def test_properties_of_a_law_and_of_data(folder):
    law = json.loads(ask("properties", "sin(theta)*r", "--encoder", folder, "--json").stdout)
    assert list(law) == ["properties"] and list(law["properties"]) == list(PROPERTIES)
    assert ask("properties", "2.5", "--encoder", folder).exit_code == 0
    data = json.loads(about(folder, "properties", "--json").stdout)
    assert list(data) == ["properties", "columns", "operators", "length"] and list(data["columns"]) == ["mass", "a b"]
    shown = about(folder, "properties").stdout.splitlines()
    assert shown[0] == "properties" and f"  mass  {data['columns']['mass']:.3g}" in shown


def test_map(folder, tmp_path):
    pytest.importorskip("matplotlib")
    result = ask("map", "--out", tmp_path / "map.png", "--laws", 30, "--colour", "upwardness", "--encoder", folder)
    assert result.exit_code == 0 and (tmp_path / "map.png").read_bytes()[:4] == b"\x89PNG", result.output


def test_a_map_without_matplotlib(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = ask("map", "--out", tmp_path / "map.png", "--encoder", folder)
    assert result.exit_code == 2 and "pip install 'symnum[report]'" in result.stderr


@pytest.mark.parametrize(("arguments", "message"), [
    (("rank", "{}/data.csv", "z + 1", "--target", "y", "--encoder", "{}"), "must be among the columns ['mass', 'a b'], got ['z']"),
    (("rank", "{}/data.csv", "mass +", "--target", "y", "--encoder", "{}"), "was required"),
    (("rank", "{}/data.csv", "gamma(mass)", "--target", "z", "--encoder", "{}"), "the target must be a column of data.csv"),
    (("rank", "{}/none.csv", "mass", "--target", "y", "--encoder", "{}"), "none.csv"),
    (("nearest", "{}/data.csv", "--target", "y", "--encoder", "{}/nothing"), "there is no file"),
    (("nearest", "{}/data.csv", "--target", "y", "--encoder", "{}/data.csv"), "no safetensors file"),
    (("nearest", "{}/data.csv", "--target", "y", "-k", "0", "--encoder", "{}"), "-k"),
    (("properties", "{}/data.csv", "--encoder", "{}"), "--target was required with a file"),
    (("properties", "sin(", "--encoder", "{}"), "sin("),
    (("properties", "a*b*c*d*f", "--encoder", "{}"), "columns up to number 3"),
    (("map", "--out", "{}/map.doc", "--encoder", "{}"), "a file .png, .pdf, .svg was required"),
    (("map", "--out", "{}/none/map.png", "--encoder", "{}"), "an existing folder was required"),
    (("map", "--out", "{}/map.png", "--colour", "ncrr", "--encoder", "{}"), "was required as colour, got 'ncrr'"),
    (("index", "{}/nothing"), "there is no file"),
    (("index", "{}", "--size", "0"), "--size"),
])
def test_questions_that_cannot_be_answered(folder, arguments, message):
    result = ask(*(a.replace("{}", str(folder)) for a in arguments))
    assert result.exit_code == 2 and message in result.stderr, result.output
    if "Usage" not in result.stderr:
        assert result.stderr.startswith("error: ")


def test_too_few_rows(folder, tmp_path):
    lines = (folder / "data.csv").read_text().splitlines()[:6]
    (tmp_path / "few.csv").write_text("\n".join(lines))
    result = ask("nearest", tmp_path / "few.csv", "--target", "y", "--encoder", folder)
    assert result.exit_code == 2 and "at least 16 rows were required, got 5" in result.stderr
