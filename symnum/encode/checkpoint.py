"""Weights and training states on disk: one safetensors file each, replaced in one step, checked when read.

    encoder.safetensors    averaged weights: what is used
    train.safetensors      weights, averages, the optimiser's moments: what training goes on from

See `symnum.encode.files` for what they hold.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from symnum.encode.config import Config
from symnum.encode.files import ENCODER, FORMAT, TRAIN, checked, digest
from symnum.encode.model import JointModel, Vocabulary

__all__ = ["ENCODER", "TRAIN", "Checkpoint", "read", "write"]


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
    content = save(tensors, {"format": FORMAT, "about": text, "digest": digest({name: t.numpy() for name, t in tensors.items()}, text)})
    beside = path.with_name(f"{path.name}.new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def read(path: Path) -> Checkpoint:
    """Read and check a file (`symnum.encode.files`).

    Raises:
        ValueError: no such file, another format, or a damaged file; the message says what to do.
    """
    tensors, about, _ = checked(path)
    vocabulary = Vocabulary(**{name: tuple(names) for name, names in about["vocabulary"].items()})
    weights = {name: torch.from_numpy(t) for name, t in tensors.items()}
    return Checkpoint(weights, about["step"], Config.from_dict(about["config"]), vocabulary)
