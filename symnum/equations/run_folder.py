"""The folder of a run that finds a system of equations: readable at any moment, and a place to go on from.

    config.json        what was asked for, the data's fingerprint, the versions; written once
    equations.txt      the best system so far, a line for each equation; replaced when there is a better one
    log.jsonl          one JSON object per line: what the search was doing
    models.csv         the systems that were judged, best first                            \\
    front_<state>.csv  the right-hand sides of one equation, by complexity                  | at the end
    result.json        the whole result                                                    /

Every file is replaced in one step (`symnum.store`): a kill at any instant leaves the old one or the new one. A resumed run begins with the
best system of the run before, so nothing that was found is lost; it refuses other data and another question.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symnum.dynamics.system import System
from symnum.store import RunFolder, StoreError, _json, _replace

EQUATIONS, MODELS, RESULT = "equations.txt", "models.csv", "result.json"


@dataclass(frozen=True, slots=True)
class SystemFolder:
    """The folder of a run that finds a system; make one with `create` or `open`.

    Attributes:
        run: config, fingerprint and log.
        states: the left-hand sides.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     folder = SystemFolder.create(f"{parent}/run", {"order": 1}, "1f", ["prey"])
    ...     folder.save_system(System.parse({"prey": "0.5*prey"}))
    ...     SystemFolder.create(f"{parent}/run", {"order": 1}, "1f", ["prey"], resume=True).equations()
    {'prey': '0.5*prey'}
    """

    run: RunFolder
    states: tuple[str, ...]

    @classmethod
    def create(cls, path: str | Path, config: Mapping[str, Any], fingerprint: str, states: Sequence[str],
               resume: bool = False) -> "SystemFolder":
        """A new run's folder, or with `resume` the folder of the run that goes on.

        Args:
            path: the folder; it is made, with its parents, where there is none.
            config: what was asked for; values that JSON can hold.
            fingerprint: of the data.
            states: the left-hand sides.
            resume: go on with the run that is there; where there is none yet, begin it.

        Raises:
            StoreError: see `RunFolder.create`.
        """
        return cls(RunFolder.create(path, {**config, "states": list(states)}, fingerprint, resume), tuple(states))

    @classmethod
    def open(cls, path: str | Path) -> "SystemFolder":
        """The folder of an existing run, for reading.

        Raises:
            StoreError: there is no run of equations in it.
        """
        run = RunFolder.open(path)
        if "states" not in run.config:
            msg = f"the folder of a run that finds systems of equations was required, {path} holds another kind of run"
            raise StoreError(msg)
        return cls(run, tuple(run.config["states"]))

    @property
    def path(self) -> Path:
        """The folder."""
        return self.run.path

    def save_system(self, system: System) -> None:
        """Replace equations.txt."""
        self._write(EQUATIONS, f"{system}\n")

    def equations(self) -> dict[str, str]:
        """The right-hand sides of the best system so far, by state; empty where there is none yet.

        Raises:
            StoreError: equations.txt has been changed into something else.
        """
        try:
            lines = (self.path / EQUATIONS).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        found = [line.partition("' = ") for line in lines]
        if [left for left, _, _ in found] != list(self.states) or not all(right for _, _, right in found):
            msg = (f"a line name' = formula for each of {', '.join(self.states)} was required in {self.path / EQUATIONS}; "
                   "remove it to begin anew")
            raise StoreError(msg)
        return {left: right for left, _, right in found}

    def log(self, line: str) -> None:
        """Append what the search says to log.jsonl."""
        self.run.log("progress", text=line)

    def save_fronts(self, fronts: Mapping[str, Iterable[Any]]) -> None:
        """Replace one front_<state>.csv for every equation: complexity, loss and formula of each candidate."""
        taken: set[str] = set()
        for state, front in fronts.items():
            rows = [(c.complexity, repr(float(c.loss)), str(c.expr)) for c in front]
            self._table(f"front_{_file_name(state, taken)}.csv", ("complexity", "loss", "equation"), rows)

    def save_models(self, models: Iterable[tuple[System, float, float]]) -> None:
        """Replace models.csv: systems that were judged, best first, each with its nats above the best and its R²."""
        rows = [(repr(float(nats)), repr(float(r2)), str(system).replace("\n", "; ")) for system, nats, r2 in models]
        self._table(MODELS, ("nats_above_best", "r2", "system"), rows)

    def save_result(self, document: Mapping[str, Any]) -> None:
        """Replace result.json; numbers that are not finite are null."""
        finite = json.loads(_json(document), parse_constant=lambda name: None)
        self._write(RESULT, _json(finite, indent=2))

    def _table(self, name: str, header: Sequence[str], rows: Iterable[Sequence]) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        self._write(name, text.getvalue())

    def _write(self, name: str, text: str) -> None:
        _replace(self.path / name, lambda file: file.write(text.encode()))


def _file_name(state: str, taken: set[str]) -> str:
    """A name that every file system takes, and that no other state has.

    >>> taken = set()
    >>> [_file_name(s, taken) for s in ("prey", "Prey", "a/b", "a b")]
    ['prey', 'Prey_2', 'a_b', 'a_b_2']
    """
    plain = re.sub(r"[^\w.-]+", "_", state)[:60]
    name, k = plain, 2
    while name.lower() in taken:
        name, k = f"{plain}_{k}", k + 1
    taken.add(name.lower())
    return name
