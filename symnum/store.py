"""The run folder: everything about a run in files that a human or a program can read at any moment.

    config.json   what was asked for, the data's fingerprint, the versions; written once
    front.csv     complexity, loss, score, equation; replaced whenever the front changes
    state.npz     arrays of numbers and one JSON text of scalars: where the search stands; replaced at checkpoints
    log.jsonl     one JSON object per line; appended
    command.json  the options of the command line, for `symnum resume`; only where there was one

A file is replaced by writing a neighbour, syncing it and renaming it, so a kill at any instant leaves the old file or the
new one, never half of one. A log may end in half a line, which readers pass over. Nothing is pickled.
"""

import csv
import io
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from symnum.language.expr import Expr
from symnum.search.front import Candidate, Front

CONFIG, FRONT, STATE, LOG, COMMAND = "config.json", "front.csv", "state.npz", "log.jsonl", "command.json"
SCALARS = "__scalars__"  # the array of state.npz that holds the JSON text
COLUMNS = ("complexity", "loss", "score", "equation", "fitted", "holdout")
FREE = frozenset({"time_limit", "max_evaluations", "threads", "selection"})  # may differ when a run is resumed
VERSIONED = ("symnum", "numpy", "numba")


class StoreError(ValueError):
    """A run folder that cannot be used as asked: what was required, what was found and what to try."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run's folder; make one with `create` or `open`.

    Attributes:
        path: the folder.
        config: what the run was asked for, as JSON values.
        fingerprint: of the run's data.

    >>> with tempfile.TemporaryDirectory() as parent:
    ...     run = RunFolder.create(Path(parent) / "run", {"grammar": "physics", "seed": 0}, "1f", resume=False)
    ...     run.save_front(Front().merged([Candidate(Expr.parse("2.5*x"), 3, 0.5)]))
    ...     run.save_state({"age": np.arange(3)}, {"evaluations": 10})
    ...     again = RunFolder.create(run.path, {"grammar": "physics", "seed": 0}, "1f", resume=True)
    ...     arrays, scalars = again.load_state()
    ...     print(again.load_front()[0].expr, arrays["age"], scalars)
    2.5*x [0 1 2] {'evaluations': 10}
    """

    path: Path
    config: Mapping[str, Any]
    fingerprint: str

    # opening ----------------------------------------------------------------------------------------------------------
    @classmethod
    def create(cls, path: str | Path, config: Mapping[str, Any], fingerprint: str, resume: bool = False) -> "RunFolder":
        """A new run's folder, or with `resume` the folder of the run that goes on.

        Args:
            path: the folder; it is made, with its parents, where there is none.
            config: what was asked for; values that JSON can hold.
            fingerprint: of the data.
            resume: go on with the run that is there; where there is none yet, begin it.

        Raises:
            StoreError: the folder holds something and `resume` was not asked for, it cannot be written, it is no run's
                folder, or its run had other data or another configuration (`FREE` may differ).
        """
        path = Path(path)
        config = _plain(config)
        _check_writable(path)
        if resume and (path / CONFIG).exists():
            old = cls.open(path)
            old._check_same(config, fingerprint)
            return cls(path, config, fingerprint)
        if found := sorted(p.name for p in path.iterdir() if not p.name.endswith(".tmp")):
            held = f"{found[0]}{' and more' * (len(found) > 1)}"
            if (path / CONFIG).exists():
                msg = f"a new or empty folder was required, {path} holds a run; go on with it by --resume, or choose another folder"
            else:
                msg = f"a new or empty folder{' or a run folder' * resume} was required, {path} holds {held}; choose another folder"
            raise StoreError(msg)
        document = {"config": config, "fingerprint": fingerprint, "versions": versions(), "started": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        _replace(path / CONFIG, lambda file: file.write(_json(document, indent=2).encode()))
        return cls(path, config, fingerprint)

    @classmethod
    def open(cls, path: str | Path) -> "RunFolder":
        """The folder of an existing run, for reading.

        Raises:
            StoreError: there is no run in it, or its config.json is damaged.
        """
        path = Path(path)
        try:
            document = json.loads((path / CONFIG).read_text(encoding="utf-8"))
            return cls(path, document["config"], document["fingerprint"])
        except (FileNotFoundError, NotADirectoryError):
            msg = f"a run folder was required, there is no {CONFIG} in {path}; it is what a run wrote with --out"
            raise StoreError(msg) from None
        except (ValueError, KeyError, TypeError) as error:
            msg = f"a run folder was required, {path / CONFIG} is damaged: {error}"
            raise StoreError(msg) from error
        except OSError as error:
            msg = f"a readable run folder was required, {path} cannot be read: {error.strerror}"
            raise StoreError(msg) from error

    def _check_same(self, config: Mapping[str, Any], fingerprint: str) -> None:
        """Refuse to go on with another question than the one that was asked."""
        if fingerprint != self.fingerprint:
            msg = (f"the data of the run in {self.path} were required to resume it, got other data (fingerprint {fingerprint[:8]}, "
                   f"the run's is {self.fingerprint[:8]}); use the same file, target and features, or another folder")
            raise StoreError(msg)
        keys = sorted({*config, *self.config} - FREE)
        changed = [f"{k} = {_json(self.config.get(k))} (got {_json(config.get(k))})" for k in keys if config.get(k) != self.config.get(k)]
        if changed:
            msg = f"to resume the run in {self.path}, its configuration was required: {', '.join(changed)}; or choose another folder"
            raise StoreError(msg)

    # command ----------------------------------------------------------------------------------------------------------
    def save_command(self, options: Mapping[str, Any]) -> None:
        """Keep the options of the command line, so that the run can be resumed by its folder alone."""
        _replace(self.path / COMMAND, lambda file: file.write(_json(options, indent=2).encode()))

    def load_command(self) -> dict[str, Any]:
        """The options of the command line.

        Raises:
            StoreError: the run was not begun from the command line, or the file is damaged.
        """
        try:
            return json.loads((self.path / COMMAND).read_text(encoding="utf-8"))
        except FileNotFoundError:
            msg = f"a run begun by `symnum fit --out` was required, there is no {COMMAND} in {self.path}; resume it as it was begun"
            raise StoreError(msg) from None
        except ValueError as error:
            msg = f"{self.path / COMMAND} is damaged: {error}; repeat the `symnum fit` command with --resume"
            raise StoreError(msg) from error

    # front ------------------------------------------------------------------------------------------------------------
    def save_front(self, front: Front) -> None:
        """Replace front.csv."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for c, score in zip(front, front.scores, strict=True):
            fitted = "" if c.snapped is None else str(c.expr)
            holdout = "" if c.holdout is None else repr(float(c.holdout))
            writer.writerow([c.complexity, repr(float(c.loss)), f"{score:.6g}", str(c.best), fitted, holdout])
        _replace(self.path / FRONT, lambda file: file.write(text.getvalue().encode()))

    def load_front(self, floor: float = 0.0) -> Front:
        """The saved front, empty where there is none yet; equal to what was saved with that `floor`.

        Raises:
            StoreError: front.csv has been changed by hand into something else.
        """
        try:
            text = (self.path / FRONT).read_text(encoding="utf-8")
        except FileNotFoundError:
            return Front(floor=floor)
        try:
            return Front(tuple(_candidate(row) for row in csv.DictReader(io.StringIO(text))), floor)
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{self.path / FRONT} must hold the columns {', '.join(COLUMNS)}, it cannot be read: {error}"
            raise StoreError(msg) from error

    # state ------------------------------------------------------------------------------------------------------------
    def save_state(self, arrays: Mapping[str, np.ndarray], scalars: Mapping[str, Any] | None = None) -> None:
        """Replace state.npz.

        Args:
            arrays: arrays of numbers (no objects).
            scalars: everything else, as JSON values; integers of any size are kept exactly.
        """
        packed = {name: np.asarray(array) for name, array in arrays.items()}
        if bad := [name for name, array in packed.items() if array.dtype.hasobject or name == SCALARS]:
            msg = f"arrays of numbers under names other than {SCALARS!r} were required, got {', '.join(bad)}"
            raise StoreError(msg)
        text = np.frombuffer(_json(_plain(scalars or {})).encode(), np.uint8)
        _replace(self.path / STATE, lambda file: np.savez(file, **packed, **{SCALARS: text}))

    def load_state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """The arrays and scalars of the last checkpoint, or None where there is none yet.

        Raises:
            StoreError: state.npz has been damaged.
        """
        try:
            with (self.path / STATE).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            return arrays, json.loads(arrays.pop(SCALARS).tobytes())
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            msg = f"{self.path / STATE} is damaged: {error}; remove it to begin the search anew with the front that was found"
            raise StoreError(msg) from error

    # log --------------------------------------------------------------------------------------------------------------
    def log(self, event: str, **fields: Any) -> None:
        """Append a line to log.jsonl: the time, the event and its fields."""
        line = _json(_plain({"time": round(time.time(), 3), "event": event, **fields})) + "\n"
        with (self.path / LOG).open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else "\n" + line  # a killed run may have left half a line
            file.write(line.encode())

    def read_log(self) -> Iterator[dict[str, Any]]:
        """The log's events, oldest first; half lines that a kill left are passed over."""
        if not (self.path / LOG).exists():
            return
        with (self.path / LOG).open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    yield json.loads(line)
                except json.JSONDecodeError:
                    continue


def versions() -> dict[str, str]:
    """The versions of what computes, as far as they are installed."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # a checkout that is not installed
            found[name] = "unknown"
    return found


def _candidate(row: Mapping[str, str]) -> Candidate:
    best = Expr.parse(row["equation"])
    fitted = Expr.parse(row["fitted"]) if row["fitted"] else None
    holdout = float(row["holdout"]) if row["holdout"] else None
    return Candidate(fitted or best, int(row["complexity"]), float(row["loss"]), best if fitted else None, holdout)


def _plain(value: Any) -> Any:
    """The value as JSON gives it back: tuples are lists, numpy's numbers are Python's."""
    return json.loads(_json(value))


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, default=_python_value)


def _python_value(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    msg = f"a value that JSON can hold was required, got {value!r}"
    raise StoreError(msg)


def _check_writable(path: Path) -> None:
    """The folder exists and takes a file, before any work is done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        msg = f"a writable folder was required, {path} cannot be written: {error.strerror or error}; choose another one"
        raise StoreError(msg) from error


def _replace(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file in one step: whoever reads sees the old one or the new one, also after a power cut."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
