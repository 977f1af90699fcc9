"""The settings of an encoder and of its training: TOML in, checked before any work starts.

    [train] …    [corpus] …    [model] …    [loss] …        every key has a default; an unknown one is an error

Configurations that come with the package are in `configs/` and are called by name: `cpu`, `h200`.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from symnum.language.grammar_check import near

CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True, slots=True)
class CorpusSettings:
    """What the corpus makes: columns, rows, datasets for each skeleton (`views`) and one-edit neighbours of each law."""

    variables: int = 5
    rows: int = 128
    views: int = 2
    edits: int = 2


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Sizes of the towers.

    Attributes:
        width, heads, hidden: of a token, of attention, of the gated layer after it.
        inducing, induced_blocks, full_blocks, seeds: the set transformer: inducing points, ISABs, SABs, pooling seeds.
        pair_width: of the layer that reads a number with its y.
        symbol_width, symbol_hidden: of a node's embedding and of the layer that makes it.
        joint: width of the space where laws and data meet.
        slots: labels for columns; bounds the columns of a dataset, its sub-expressions included.
    """

    width: int = 112
    heads: int = 4
    hidden: int = 280
    inducing: int = 32
    induced_blocks: int = 2
    full_blocks: int = 1
    seeds: int = 2
    pair_width: int = 64
    symbol_width: int = 144
    symbol_hidden: int = 224
    joint: int = 128
    slots: int = 16


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the parts of the loss; 0 leaves a part out."""

    contrastive: float = 1.0
    ranking: float = 0.3
    presence: float = 0.3
    relevance: float = 0.1
    length: float = 0.3
    properties: float = 0.1
    symbolic_properties: float = 0.1


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How it is trained.

    Attributes:
        seed: of the weights and of the corpus.
        steps, batch: optimiser steps, and datasets in each (on each process).
        rate, warm_up, weight_decay, clip, average: AdamW's rate, share of the steps until it is reached, decay, bound
            of the gradient's norm, and the decay of the moving average of the weights.
        generic: share of the laws whose constants are shown as one generic token, so that skeletons can be embedded.
        subexpressions, parts: share of the batch for the length head, and columns it may be given at most.
        save_every, log_every: steps between checkpoints and between rows of the curve.
        workers, threads: processes that make batches (0: none of their own) and threads of torch.
    """

    seed: int = 0
    steps: int = 1000
    batch: int = 128
    rate: float = 1e-3
    warm_up: float = 0.03
    weight_decay: float = 0.05
    clip: float = 1.0
    average: float = 0.999
    generic: float = 0.5
    subexpressions: float = 0.25
    parts: int = 3
    save_every: int = 500
    log_every: int = 20
    workers: int = 1
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of one training."""

    train: TrainSettings = field(default_factory=TrainSettings)
    corpus: CorpusSettings = field(default_factory=CorpusSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    loss: LossWeights = field(default_factory=LossWeights)

    @classmethod
    def from_dict(cls, tables: Mapping[str, Any]) -> "Config":
        """Settings from tables; what is not given has its default.

        Raises:
            ValueError: an unknown table or key, a value of another type, or sizes that cannot be.

        >>> Config.from_dict({"train": {"steps": 10}}).train.steps
        10
        >>> Config.from_dict({"train": {"step": 10}})
        Traceback (most recent call last):
        ValueError: unknown key 'step' in [train]; did you mean steps?
        """
        known = {f.name: f.default_factory for f in fields(cls)}
        for name, table in tables.items():
            if name not in known:
                msg = f"unknown table [{name}]{near(name, known) or '; known: ' + ', '.join(known)}"
                raise ValueError(msg)
            if not isinstance(table, Mapping):
                msg = f"[{name}] must be a table of settings, got {table!r}"
                raise ValueError(msg)
        config = cls(**{name: _section(make, name, tables[name]) for name, make in known.items() if name in tables})
        config.check()
        return config

    @classmethod
    def load(cls, name_or_path: str | Path) -> "Config":
        """Settings from a TOML file, or from one of the package by its name.

        Raises:
            ValueError: no such configuration, no TOML, or settings that cannot be.
        """
        shipped = {path.stem: path for path in sorted(CONFIGS.glob("*.toml"))}
        path = shipped.get(str(name_or_path), Path(name_or_path))
        if not path.is_file():
            msg = f"a TOML file or one of {', '.join(shipped)} was required, got {str(name_or_path)!r}{near(str(name_or_path), shipped)}"
            raise ValueError(msg)
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            msg = f"{path} must be TOML in UTF-8: {error}"
            raise ValueError(msg) from None
        return cls.from_dict(tables)

    def to_dict(self) -> dict[str, dict[str, int | float]]:
        """The settings as tables."""
        return asdict(self)

    def check(self) -> None:
        """Refuse sizes that cannot be.

        Raises:
            ValueError: with the sizes in question.
        """
        train, corpus, model = self.train, self.corpus, self.model
        for table, least in ((corpus, {"edits": 0}), (model, {"induced_blocks": 0, "full_blocks": 0}),
                             (train, dict.fromkeys(("seed", "workers", "parts"), 0))):
            for f in fields(table):
                value = getattr(table, f.name)
                if isinstance(value, int) and value < least.get(f.name, 1):
                    msg = f"{f.name} must be at least {least.get(f.name, 1)}, got {value}"
                    raise ValueError(msg)
        _require(model.width % model.heads == 0, f"width must be a multiple of heads, got {model.width} and {model.heads}")
        _require(corpus.rows >= 16, f"rows must be at least 16, got {corpus.rows}")
        _require(train.batch % corpus.views == 0, f"batch must be a multiple of views, got {train.batch} and {corpus.views}")
        _require(train.batch // corpus.views >= 2, "a batch must hold two skeletons at least, else there is nothing to contrast: "
                 f"got batch {train.batch} and views {corpus.views}")
        _require(corpus.variables + train.parts <= model.slots, "slots must hold the variables and the parts, got "
                 f"{model.slots} for {corpus.variables} + {train.parts}")
        for name in ("warm_up", "generic", "subexpressions"):
            _require(0 <= getattr(train, name) <= 1, f"{name} must be in [0, 1], got {getattr(train, name)}")
        _require(0 <= train.average < 1, f"average must be in [0, 1), got {train.average}")
        for name in ("rate", "clip"):
            _require(getattr(train, name) > 0, f"{name} must be positive, got {getattr(train, name)}")
        for f in fields(self.loss):
            _require(getattr(self.loss, f.name) >= 0, f"weight {f.name} must not be negative, got {getattr(self.loss, f.name)}")
        _require(self.loss.contrastive > 0, "weight contrastive must be positive: it makes the joint space")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)


def _section(make: Any, name: str, table: Mapping[str, Any]) -> Any:
    """One table as its dataclass; an integer may stand for a float, nothing else is converted."""
    defaults = asdict(make())
    given = {}
    for key, value in table.items():
        if key not in defaults:
            msg = f"unknown key {key!r} in [{name}]{near(key, defaults) or '; known: ' + ', '.join(defaults)}"
            raise ValueError(msg)
        kind = type(defaults[key])
        if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else int):
            msg = f"{key} in [{name}] must be {'a number' if kind is float else 'an integer'}, got {value!r}"
            raise ValueError(msg)
        if value != value or abs(value) == float("inf"):
            msg = f"{key} in [{name}] must be finite, got {value}"
            raise ValueError(msg)
        given[key] = kind(value)
    return make(**given)
