"""Training: settings are checked, one seed gives one answer, and a killed run goes on to the same weights, bit for bit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from symnum.encode.checkpoint import ENCODER, TRAIN, read
from symnum.encode.config import CONFIGS, Config
from symnum.encode.public import Encoder
from symnum.encode.train import CURVE, schedule, train

TINY = {
    "train": {"steps": 8, "batch": 8, "save_every": 2, "log_every": 2, "workers": 0, "threads": 1, "parts": 2, "rate": 3e-3},
    "corpus": {"variables": 2, "rows": 20, "views": 2, "edits": 1},
    "model": {"width": 16, "heads": 2, "hidden": 16, "inducing": 4, "induced_blocks": 1, "full_blocks": 1, "seeds": 1, "pair_width": 8,
              "symbol_width": 16, "symbol_hidden": 16, "joint": 16, "slots": 6},
}


def tiny(**changed):
    return Config.from_dict(TINY | {"train": TINY["train"] | changed})


def toml(path, tables):
    path.write_text("".join(f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in table.items()) for name, table in tables.items()))
    return path


def same(a: Path, b: Path) -> bool:
    one, two = read(a), read(b)
    return one.step == two.step and one.tensors.keys() == two.tensors.keys() and all(
        torch.equal(t, two.tensors[name]) for name, t in one.tensors.items())


def running(pid: str) -> bool:
    """Whether a process is at work: one that has ended has no command line, even where nobody has asked how it ended."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    rows = []
    assert train(tiny(), folder, device="cpu", report=rows.append) == folder / ENCODER
    return folder, rows


# settings -------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("tables", "message"), [
    ({"trian": {}}, r"unknown table \[trian\]; did you mean train"),
    ({"train": 3}, r"\[train\] must be a table"),
    ({"train": {"bacth": 8}}, r"unknown key 'bacth' in \[train\]; did you mean batch"),
    ({"model": {"zzz": 8}}, "unknown key 'zzz' .*known: width"),
    ({"train": {"steps": 1.5}}, "steps in .train. must be an integer, got 1.5"),
    ({"train": {"steps": True}}, "must be an integer"),
    ({"train": {"rate": "fast"}}, "rate in .train. must be a number"),
    ({"train": {"rate": float("nan")}}, "must be finite"),
    ({"train": {"rate": 0}}, "rate must be positive"),
    ({"train": {"steps": 0}}, "steps must be at least 1, got 0"),
    ({"train": {"seed": -1}}, "seed must be at least 0"),
    ({"train": {"batch": 9}}, "batch must be a multiple of views, got 9 and 2"),
    ({"train": {"batch": 2}}, "nothing to contrast"),
    ({"train": {"warm_up": 1.5}}, r"warm_up must be in \[0, 1\]"),
    ({"train": {"average": 1}}, "average must be in"),
    ({"model": {"width": 30, "heads": 4}}, "width must be a multiple of heads, got 30 and 4"),
    ({"model": {"slots": 4}}, r"slots must hold the variables and the parts, got 4 for 5 \+ 3"),
    ({"corpus": {"rows": 8}}, "rows must be at least 16"),
    ({"loss": {"length": -1}}, "weight length must not be negative"),
    ({"loss": {"contrastive": 0}}, "must be positive"),
])
def test_settings_that_cannot_be(tables, message):
    with pytest.raises(ValueError, match=message):
        Config.from_dict(tables)


def test_the_configurations_of_the_package_are_complete():
    for path in CONFIGS.glob("*.toml"):
        assert Config.load(path.stem) == Config.load(path)
    assert Config.from_dict(Config.load("cpu").to_dict()) == Config.load("cpu")
    with pytest.raises(ValueError, match="one of cpu, h200 was required, got 'h20'; did you mean h200"):
        Config.load("h20")


def test_a_file_that_is_no_toml(tmp_path):
    path = tmp_path / "ü.toml"
    path.write_bytes(b"\xff\xfe[train")
    with pytest.raises(ValueError, match="must be TOML in UTF-8"):
        Config.load(path)


def test_the_rate_rises_then_falls_to_nothing():
    rates = [schedule(s, 100, 0.1) for s in range(100)]
    assert rates[:10] == pytest.approx([0.1 * k for k in range(1, 11)]) and rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 1e-3 and schedule(0, 1, 0.0) == 1


# runs -----------------------------------------------------------------------------------------------------------------------
def test_a_run_leaves_what_it_says(undisturbed):
    folder, rows = undisturbed
    kept = [json.loads(line) for line in (folder / CURVE).read_text().splitlines()]
    assert [row["step"] for row in kept] == [2, 4, 6, 8] == [row["step"] for row in rows]
    parts = {"contrastive", "ranking", "presence", "relevance", "length", "properties", "symbolic_properties"}
    assert parts | {"loss", "accuracy", "rate", "norm", "seconds_per_step"} <= kept[0].keys()
    assert json.loads((folder / "config.json").read_text()) == tiny().to_dict()
    assert not list(folder.glob("*.new"))
    encoder = Encoder.load(folder)
    assert encoder.step == 8 and encoder.embed_expressions(["x0 + x1"]).shape == (1, 16)


def test_another_seed_is_another_answer(undisturbed, tmp_path):
    train(tiny(seed=1, steps=2), tmp_path / "other", device="cpu")
    assert not torch.equal(*(read(f / ENCODER).tensors["average/numeric.seeds"] for f in (undisturbed[0], tmp_path / "other")))


KILLED = """
import multiprocessing, os, sys
from symnum.encode.train import Config, train

def watch(row):
    if row["step"] == 6:  # the state of step 4 is on disk, the row of step 6 in the curve
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        os.kill(os.getpid(), 9)

if __name__ == "__main__":
    train(Config.load(sys.argv[1]), sys.argv[2], device="cpu", report=watch)
"""


def script(path, text, *arguments):
    path.write_text(text)
    return subprocess.run([sys.executable, path, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=120)


def test_a_killed_run_goes_on_to_the_same_weights_with_workers_or_without(undisturbed, tmp_path):
    folder = tmp_path / "run"
    config = toml(tmp_path / "tiny.toml", TINY | {"train": TINY["train"] | {"workers": 1}})
    done = script(tmp_path / "run.py", KILLED, config, folder)
    assert done.returncode == -signal.SIGKILL
    assert read(folder / TRAIN).step == 4
    with (folder / CURVE).open("a") as file:
        file.write('{"step": 99')  # half a line
    train(tiny(), folder, resume=True, device="cpu")
    assert same(undisturbed[0] / TRAIN, folder / TRAIN) and same(undisturbed[0] / ENCODER, folder / ENCODER)
    assert [json.loads(line)["step"] for line in (folder / CURVE).read_text().splitlines()] == [2, 4, 6, 8]
    until = time.monotonic() + 20
    while (left := [pid for pid in done.stdout.split() if running(pid)]) and time.monotonic() < until:
        time.sleep(0.05)
    assert done.stdout.split() and not left  # workers end with the process that began them


def test_a_run_that_diverges_says_so(tmp_path):
    with pytest.raises(RuntimeError, match="the loss is not finite at step 2; go on with a lower rate"):
        train(tiny(rate=1e30), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / TRAIN).exists()


def test_events_are_written_where_tensorboard_is_there(tmp_path, monkeypatch, caplog):
    seen = []
    writer = SimpleNamespace(add_scalar=lambda *a: seen.append(a), close=lambda: seen.append("closed"))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=lambda *a, **k: writer))
    train(tiny(steps=2), tmp_path / "with", device="cpu")
    assert {(name, step) for name, _, step in seen[:-1]} >= {("loss", 2), ("contrastive", 2)} and seen[-1] == "closed"
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with caplog.at_level("INFO", "symnum.encode"):
        train(tiny(steps=2), tmp_path / "without", device="cpu")
    assert "tensorboard is not installed" in caplog.text and (tmp_path / "without" / CURVE).exists()


def test_a_folder_with_a_run_is_not_overwritten(undisturbed):
    with pytest.raises(ValueError, match="go on with it by --resume"):
        train(tiny(), undisturbed[0], device="cpu")
    with pytest.raises(ValueError, match=r"these changed: rate in \[train\] 0.003 -> 0.001"):
        train(tiny(rate=1e-3), undisturbed[0], resume=True, device="cpu")


def test_a_finished_run_that_goes_on_is_finished(undisturbed):
    before = (undisturbed[0] / TRAIN).read_bytes()
    train(tiny(), undisturbed[0], resume=True, device="cpu")
    assert (undisturbed[0] / TRAIN).read_bytes() == before


def test_a_damaged_state_is_an_error_with_the_remedy(tmp_path):
    (tmp_path / TRAIN).write_bytes(b"\0" * 100)
    with pytest.raises(ValueError, match="damaged"):
        train(tiny(), tmp_path, resume=True, device="cpu")


@pytest.mark.parametrize(("device", "message"), [("gpu", "device must be auto, cpu, cuda"), ("cuda", "no CUDA device")])
def test_a_device_that_is_not_there(device, message, tmp_path):
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(ValueError, match=message):
        train(tiny(), tmp_path / "run", device=device)
    assert not (tmp_path / "run").exists()


RANKED = """
import hashlib, os, signal, sys, torch
from symnum.encode.config import Config
from symnum.encode.feed import feeds
from symnum.encode.model import Vocabulary
from symnum.encode.train import Trainer

def digest(path, meeting, rank, world):
    torch.set_num_threads(1)
    if world > 1:
        torch.distributed.init_process_group("gloo", init_method="file://" + meeting, rank=rank, world_size=world)
    config = Config.load(path)
    trainer = Trainer(config, Vocabulary.current(), torch.device("cpu"), world)
    with feeds(config, trainer.vocabulary.symbols, range(rank, 2 * world, world)) as ahead:
        for feed in ahead:
            trainer.advance(feed)
    return hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in trainer.model.parameters())).hexdigest()

if __name__ == "__main__":
    reader, writer = os.pipe()
    child = os.fork()
    found = digest(sys.argv[1], sys.argv[2], int(child == 0), 2)
    if child == 0:
        os.write(writer, found.encode())
        signal.pause()  # until the other has all it needs of this one
    os.close(writer)
    other = os.read(reader, 64).decode()  # nothing where the other died
    os.kill(child, signal.SIGKILL)
    os.wait()
    print(found, other, digest(sys.argv[1], sys.argv[2], 0, 1))
"""


@pytest.mark.skipif(not hasattr(os, "fork") or not torch.distributed.is_available(), reason="needs fork and torch.distributed")
def test_processes_share_their_gradients(tmp_path):
    done = script(tmp_path / "ranked.py", RANKED, toml(tmp_path / "tiny.toml", TINY), tmp_path / "meeting")
    first, second, alone = done.stdout.split()
    assert len(first) == 64 and first == second != alone
