"""Encoders as files: checked without loading the network, so that a search can refuse a bad one before it starts.

    header: format, SHA-256 digest of all tensors, and as JSON the settings, names and step        then the tensors; nothing is pickled

One encoder ships inside the package, with the index of skeletons that belongs to it and a model card.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = "1"
ENCODER, TRAIN, INDEX = "encoder.safetensors", "train.safetensors", "index.npz"
SHIPPED = Path(__file__).with_name("shipped")
REMEDY = "train one with `symnum encode train cpu --out DIR`, or fetch the file again"


def encoder_file(path: str | Path | None = None) -> Path:
    """The file of an encoder: itself, that of a run folder, or the one that ships."""
    path = SHIPPED if path is None else Path(path)
    return path / ENCODER if path.is_dir() else path


def checked(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any], str]:
    """Read and check a file.

    Returns:
        its tensors by name, what its header says (step, config, vocabulary), and the digest.

    Raises:
        ValueError: no such file, another format, or a damaged file; the message says what to do.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        installed = f"{REMEDY}; or install symnum again" if path.parent == SHIPPED else REMEDY
        msg = f"an encoder's checkpoint was required, there is no file {path}; {installed}"
        raise ValueError(msg)
    try:
        with safe_open(path, "np") as file:
            head = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        msg = f"{path} is damaged or no safetensors file ({error}); {REMEDY}"
        raise ValueError(msg) from None
    if head.get("format") != FORMAT:
        msg = f"{path} must be an encoder of format {FORMAT}, got {head.get('format')}; {REMEDY}"
        raise ValueError(msg)
    if head.get("digest") != digest(tensors, head.get("about", "")):
        msg = f"{path} is damaged: its digest is not that of its content; {REMEDY}"
        raise ValueError(msg)
    return tensors, json.loads(head["about"]), head["digest"]


def digest(tensors: Mapping[str, np.ndarray], about: str) -> str:
    """SHA-256 of a header and of all tensors by name."""
    found = hashlib.sha256(about.encode())
    for name in sorted(tensors):
        found.update(name.encode())
        found.update(np.ascontiguousarray(tensors[name]).tobytes())
    return found.hexdigest()
