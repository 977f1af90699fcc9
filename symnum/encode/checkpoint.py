"""Weights and training states on disk: one safetensors file each, replaced in one step, checked when read.

    encoder.safetensors    averaged weights: what is used
    train.safetensors      weights, averages, the optimiser's moments: what training goes on from

The header holds settings, names and the step as JSON, and a SHA-256 digest of all tensors. Nothing is pickled.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from symnum.encode.config import Config
from symnum.encode.model import JointModel, Vocabulary

FORMAT = "1"
ENCODER, TRAIN = "encoder.safetensors", "train.safetensors"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a file holds: tensors by name, the step, the settings and the vocabulary."""

    tensors: dict[str, Tensor]
    step: int
    config: Config
    vocabulary: Vocabulary

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors under `prefix/`, without it."""
        return {name.removeprefix(f"{prefix}/"): t for name, t in self.tensors.items() if name.startswith(f"{prefix}/")}

    def model(self, prefix: str = "average") -> JointModel:
        """The network with the weights under `prefix`.

        Raises:
            ValueError: the weights are not those of the settings.
        """
        model = JointModel(self.config.model, self.vocabulary)
        try:
            model.load_state_dict(self.part(prefix))
        except RuntimeError as error:
            msg = f"the weights do not fit the settings beside them; train an encoder with this version of symnum: {error}"
            raise ValueError(msg) from None
        return model


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write a file in one step: a kill at any instant leaves the old one or the new one."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in checkpoint.tensors.items()}
    about = {"step": checkpoint.step, "config": checkpoint.config.to_dict(), "vocabulary": asdict(checkpoint.vocabulary)}
    text = json.dumps(about, sort_keys=True)
    content = save(tensors, {"format": FORMAT, "about": text, "digest": _digest(tensors, text)})
    beside = path.with_name(f"{path.name}.new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def read(path: Path) -> Checkpoint:
    """Read and check a file.

    Raises:
        ValueError: no such file, another format, or a damaged file; the message says what to do.
    """
    remedy = "train one with `symnum encode train cpu --out DIR`, or fetch the file again"
    if not path.is_file():
        msg = f"an encoder's checkpoint was required, there is no file {path}; {remedy}"
        raise ValueError(msg)
    try:
        with safe_open(path, "pt") as file:
            head = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        msg = f"{path} is damaged or no safetensors file ({error}); {remedy}"
        raise ValueError(msg) from None
    if head.get("format") != FORMAT:
        msg = f"{path} must be an encoder of format {FORMAT}, got {head.get('format')}; {remedy}"
        raise ValueError(msg)
    if head.get("digest") != _digest(tensors, head.get("about", "")):
        msg = f"{path} is damaged: its digest is not that of its content; {remedy}"
        raise ValueError(msg)
    about = json.loads(head["about"])
    vocabulary = Vocabulary(**{name: tuple(names) for name, names in about["vocabulary"].items()})
    return Checkpoint(tensors, about["step"], Config.from_dict(about["config"]), vocabulary)


def _digest(tensors: Mapping[str, Tensor], about: str) -> str:
    found = hashlib.sha256(about.encode())
    for name in sorted(tensors):
        found.update(name.encode())
        found.update(tensors[name].view(-1).view(torch.uint8).numpy())
    return found.hexdigest()
