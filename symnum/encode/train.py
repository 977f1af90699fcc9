"""Training an encoder: deterministic, resumable to the bit, on one device or on several processes.

    run folder:  config.json · curve.jsonl (a row every log_every steps) · train.safetensors · encoder.safetensors · events/ (TensorBoard)

A step is a pure function of the state and of the step's number: batches, slots and sub-expressions are drawn from (seed,
index), and nothing else is random. So a run that was killed and goes on has, on the CPU with the same number of threads,
the weights of a run that was not, bit for bit. AdamW: Loshchilov & Hutter (2019, arXiv:1711.05101).
"""

import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from symnum.encode.checkpoint import ENCODER, TRAIN, Checkpoint, read, write
from symnum.encode.config import Config
from symnum.encode.feed import feeds
from symnum.encode.model import JointModel, Vocabulary

CURVE, EVENTS = "curve.jsonl", "events"
BETAS = (0.9, 0.98)

log = logging.getLogger("symnum.encode")


def train(
    config: Config, out: str | Path, *, resume: bool = False, device: str = "auto", report: Callable[[dict[str, float]], None] | None = None
) -> Path:
    """Train an encoder, or go on with a training.

    Several processes (torchrun sets WORLD_SIZE and RANK) each take every WORLD_SIZE-th batch and average their gradients.

    Args:
        config: all settings.
        out: the run folder.
        resume: go on with the run in the folder; where there is none yet, begin it.
        device: `auto`, `cpu`, `cuda`, …
        report: is told each row of the curve.

    Returns:
        the file of the encoder.

    Raises:
        ValueError: the folder holds a run and `resume` is not given, or a run with other settings; a device that is not there.
    """
    config.check()
    folder, place = Path(out), _device(device)
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    begun = _begun(folder, config, resume)
    vocabulary = begun.vocabulary if begun else Vocabulary.current()
    with _threads(config.train.threads), _processes(world, rank, place):
        trainer = Trainer(config, vocabulary, place, world)
        if begun:
            trainer.restore(begun)
        if rank == 0:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.json").write_text(json.dumps(config.to_dict(), indent=1), encoding="utf-8")
        indices = range(trainer.step * world + rank, config.train.steps * world, world)
        with _curve(folder, trainer.step, rank == 0) as keep, feeds(config, vocabulary.symbols, indices) as ahead:
            _run(trainer, ahead, folder, keep, report or (lambda _: None), rank == 0)
    return folder / ENCODER


def _run(trainer: "Trainer", ahead: Iterator, folder: Path, keep: Callable, report: Callable, writes: bool) -> None:
    t = trainer.config.train
    since, before = time.perf_counter(), trainer.step
    for feed in ahead:
        shown = trainer.advance(feed)
        step = trainer.step
        if step % t.log_every == 0 or step == t.steps:
            row = {"step": step, **{name: float(value) for name, value in shown.items()}}
            now = time.perf_counter()
            row["seconds_per_step"] = (now - since) / (step - before)
            since, before = now, step
            if not math.isfinite(row["loss"]):
                msg = f"the loss is not finite at step {step}; go on with a lower rate from a new folder (rate was {t.rate})"
                raise RuntimeError(msg)
            if writes:
                keep(row)
                report(row)
        if writes and (step % t.save_every == 0 or step == t.steps):
            trainer.save(folder)


class Trainer:
    """The state of a training: weights, their average, the optimiser, the step.

    Args:
        config: all settings.
        vocabulary: names of the model.
        device: where it runs; bfloat16 where it is CUDA.
        world: processes whose gradients are averaged.
    """

    def __init__(self, config: Config, vocabulary: Vocabulary, device: torch.device, world: int = 1):
        self.config, self.vocabulary, self.device, self.world, self.step = config, vocabulary, device, world, 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.train.seed)
            self.model = JointModel(config.model, vocabulary)
        self.model.to(device)
        self.average = {name: p.detach().clone() for name, p in self.model.state_dict().items()}
        matrices = [p for p in self.model.parameters() if p.ndim == 2]
        others = [p for p in self.model.parameters() if p.ndim != 2]  # gains, biases, temperature: no decay
        groups = [{"params": matrices, "weight_decay": config.train.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=config.train.rate, betas=BETAS)

    def advance(self, feed: Any) -> dict[str, Tensor]:
        """One step; returns the loss, its parts, the gradient's norm and the rate."""
        t = self.config.train
        rate = t.rate * schedule(self.step, t.steps, t.warm_up)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            loss, parts = self.model(feed, self.config.loss)
        self.optimiser.zero_grad()
        loss.backward()
        parameters = list(self.model.parameters())
        for p in parameters:  # a part that had nothing to learn from in this batch
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        if self.world > 1:
            self._share(parameters)
        norm = torch.nn.utils.clip_grad_norm_(parameters, t.clip)
        self.optimiser.step()
        self.step += 1
        keep = min(t.average, (1 + self.step) / (10 + self.step))  # a long memory of the first weights would hurt
        with torch.no_grad():
            for name, p in self.model.state_dict().items():
                self.average[name].lerp_(p, 1 - keep)
        return {"loss": loss.detach(), **{name: value.detach() for name, value in parts.items()}, "norm": norm, "rate": torch.tensor(rate)}

    def _share(self, parameters: list[Tensor]) -> None:
        """Average the gradients of all processes: one message, as the model is small."""
        flat = torch.cat([p.grad.flatten() for p in parameters])
        torch.distributed.all_reduce(flat)
        for p, mean in zip(parameters, (flat / self.world).split([p.numel() for p in parameters]), strict=True):
            p.grad.copy_(mean.view_as(p))

    def save(self, folder: Path) -> None:
        """Write the state, then the encoder."""
        moments = {name: self.optimiser.state[p] for name, p in self.model.named_parameters()}
        average = {f"average/{name}": p for name, p in self.average.items()}
        tensors = average | {f"weight/{name}": p for name, p in self.model.state_dict().items()}
        for moment in ("exp_avg", "exp_avg_sq"):
            tensors |= {f"{moment}/{name}": state[moment] for name, state in moments.items()}
        write(folder / TRAIN, Checkpoint(tensors, self.step, self.config, self.vocabulary))
        write(folder / ENCODER, Checkpoint(average, self.step, self.config, self.vocabulary))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over a state that `save` wrote."""
        self.step = checkpoint.step
        self.model.load_state_dict(checkpoint.part("weight"))
        self.average = {name: p.to(self.device) for name, p in checkpoint.part("average").items()}
        first, second = checkpoint.part("exp_avg"), checkpoint.part("exp_avg_sq")
        for name, p in self.model.named_parameters():
            moments = {"exp_avg": first[name].to(self.device), "exp_avg_sq": second[name].to(self.device)}
            self.optimiser.state[p] = {"step": torch.tensor(float(self.step)), **moments}


def schedule(step: int, steps: int, warm_up: float) -> float:
    """The share of the full rate at a step: linear until `warm_up` of the steps are done, then a half cosine to zero.

    >>> [round(schedule(s, 10, 0.2), 3) for s in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.038]
    """
    warm = max(1, round(warm_up * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(steps - warm, 1)))


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        msg = f"device must be auto, cpu, cuda or another of torch's, got {name!r}"
        raise ValueError(msg) from None
    if device.type == "cuda":
        if not torch.cuda.is_available():
            msg = f"device {name!r} was asked for, but torch sees no CUDA device; try --device cpu"
            raise ValueError(msg)
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if device.index is None else device
    return device


def _begun(folder: Path, config: Config, resume: bool) -> Checkpoint | None:
    """The state to go on from, or None for a new run."""
    if not (folder / TRAIN).exists():
        return None
    if not resume:
        msg = f"a folder without a training was required, {folder} holds one; go on with it by --resume, or name another folder"
        raise ValueError(msg)
    found = read(folder / TRAIN)
    ours, theirs = config.to_dict(), found.config.to_dict()
    other = [f"{key} in [{table}] {theirs[table][key]} -> {ours[table][key]}" for table in ours for key in ours[table]
             if ours[table][key] != theirs[table][key] and key not in ("workers", "save_every", "log_every")]
    if other:
        msg = f"the settings of the run in {folder} were required, but these changed: {'; '.join(other)}"
        raise ValueError(msg)
    return found


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _processes(world: int, rank: int, device: torch.device) -> Iterator[None]:
    """The group of processes, where there are several."""
    if world == 1:
        yield
        return
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", world_size=world, rank=rank)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


@contextmanager
def _curve(folder: Path, first: int, writes: bool) -> Iterator[Callable[[dict[str, float]], None]]:
    """A function that keeps a row; rows of steps that will be done again are dropped before."""
    if not writes:
        yield lambda _: None
        return
    path = folder / CURVE
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= first]  # a kill may leave half a line
    path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    events = _events(folder, first)

    def keep(row: dict[str, float]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if events:
            for name, value in row.items():
                events.add_scalar(name, value, row["step"])

    try:
        yield keep
    finally:
        if events:
            events.close()


def _events(folder: Path, first: int) -> Any:
    """A TensorBoard writer, or None where the package is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.info("tensorboard is not installed: the curve is in %s only (pip install 'symnum[train]' for events)", CURVE)
        return None
    return SummaryWriter(str(folder / EVENTS), purge_step=first or None)
