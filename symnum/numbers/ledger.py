"""The ledger of a search: one sqlite file with what was tried, what was found, and where to go on.

    candidates   what the search met, each canonical key once
    relations    formulas: coefficients, digits, ball, status (conjecture, proved, known, rejected and why), certificate, source
    runs         one row per sitting: task, domain, cursor, versions, counters, when it started and stopped, what had been searched

All that a step adds and the cursor behind it are committed in one transaction, so that a kill at any instant loses the step that
was under way and nothing else, and a resumed run does that step again and no other. The file is in write-ahead mode: any number
of processes read while one writes. `synchronous=NORMAL` is enough: a killed process loses no commit, and where a power cut takes the last
commits, it takes their cursor with them (sqlite.org/pragma.html#pragma_synchronous).

One process writes at a time: it holds an exclusive lock on a second file for as long as it lives; the operating system drops the lock
with the process.
"""

import json
import os
import platform
import socket
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from symnum.numbers.ledger_file import (
    APPLICATION,
    FILE,
    LAYOUT,
    LOCK,
    SCHEMA,
    STATUSES,
    connect,
    is_ledger,
    plain_errors,
    to_json,
    transaction,
)
from symnum.numbers.ledger_view import View

NEEDED = ("symnum", "python-flint")  # packages whose versions are kept with a run


@dataclass
class Ledger:
    """The one writer of a run's ledger; make one with `open`, read a ledger with `read`.

    Attributes:
        path: the sqlite file.
        cursor: where the search stands, as it was handed to the last step that was completed; None before the first.
        finished: whether the domain has been searched to its end.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Ledger.open(folder, "pcf", {"range": 5}) as ledger:
    ...         with ledger.step(cursor=1) as step:
    ...             print(step.candidate("n|1", {"a": [1]}), step.candidate("n|1", {"a": [1]}))
    ...             step.relation("n|1", "4/pi", [1, -4], ["pi", "1"], digits=50, needed=12, ball="1.27")
    ...             step.count("tried", 2)
    ...     with Ledger.open(folder, "pcf", {"range": 5}, resume=True) as ledger:
    ...         print(ledger.cursor, ledger.finished)
    ...         ledger.finish("a up to 5: 1 relation")
    ...     view = Ledger.read(folder)
    ...     print(view.counters, [r["formula"] for r in view.relations()], view.searched)
    True False
    True
    1 False
    {'tried': 2} ['4/pi'] ['a up to 5: 1 relation']
    """

    path: Path
    cursor: Any
    finished: bool
    _db: sqlite3.Connection
    _lock: sqlite3.Connection
    _run: int

    # opening ----------------------------------------------------------------------------------------------------------
    @classmethod
    def open(cls, folder: str | Path, task: str, domain: Mapping[str, Any], resume: bool = False) -> "Ledger":
        """The ledger of a new run, or with `resume` of the run that goes on (where there is none yet, it begins).

        Args:
            folder: the run folder; it is made, with its parents, where there is none.
            task: the name of the task, such as "pcf".
            domain: what is searched, as JSON values; a run is resumed with the same task and domain only.
            resume: go on with what is there.

        Raises:
            ValueError: the folder holds a ledger and `resume` was not asked for, or one of another task or domain, or a damaged one.
            OSError: the folder cannot be written, the disk is full, or another process writes this ledger.
        """
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"a folder that can be written was required, got {folder}: {error.strerror}; choose another by --out"
            raise OSError(msg) from error
        path = folder / FILE
        lock = _locked(folder)
        try:
            with plain_errors(path):
                db = connect(path)
                try:
                    return cls._begin(path, db, lock, task, to_json(domain, sort_keys=True), resume)
                except BaseException:
                    db.close()
                    raise
        except BaseException:
            lock.close()
            raise

    @classmethod
    def _begin(cls, path: Path, db: sqlite3.Connection, lock: sqlite3.Connection, task: str, domain: str, resume: bool) -> "Ledger":
        is_ledger(db, path)  # first of all: another program's file is left as it is
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        with transaction(db):
            if is_ledger(db, path):
                if not resume:
                    msg = f"a new run folder was required, {path.parent} holds a run; go on with it by --resume, or choose another folder"
                    raise ValueError(msg)
                _check_same(db, path, task, domain)
            else:
                for statement in SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA application_id={APPLICATION}")
                db.execute(f"PRAGMA user_version={LAYOUT}")
            (cursor,) = db.execute("SELECT cursor FROM runs ORDER BY id DESC LIMIT 1").fetchone() or ("null",)
            (finished,) = db.execute("SELECT count(finished) FROM runs").fetchone()
            run = db.execute(
                "INSERT INTO runs (task, domain, cursor, versions, process, host, started) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (task, domain, cursor, to_json(_versions()), os.getpid(), socket.gethostname(), _now())).lastrowid
        return cls(path, json.loads(cursor), finished > 0, db, lock, run or 0)

    @staticmethod
    def read(folder: str | Path) -> "View":
        """A view of a run's ledger, to be read at any time, also while another process writes it.

        Raises:
            ValueError: there is no ledger in the folder, or the file is none.
            OSError: it cannot be read.
        """
        return View.of(folder)

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the ledger, so that another process may write it."""
        try:
            with plain_errors(self.path):
                self._db.execute("UPDATE runs SET stopped = ? WHERE id = ?", (_now(), self._run))
        finally:
            self._db.close()
            self._lock.close()

    # writing ----------------------------------------------------------------------------------------------------------
    @contextmanager
    def step(self, cursor: Any) -> Iterator["Step"]:
        """One step of the search: what it adds and the cursor behind it are committed together when the block ends.

        An exception in the block, or a kill, leaves the ledger as it was before the step.

        Args:
            cursor: where to go on after this step, a JSON value.

        Raises:
            OSError: the disk is full or the file cannot be written; the step is undone.
        """
        with plain_errors(self.path), transaction(self._db):
            step = Step(self._db)
            yield step
            self._db.executemany(
                "INSERT INTO counters VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number",
                [(self._run, name, k) for name, k in step.counts.items()])
            self._db.execute("UPDATE runs SET cursor = ? WHERE id = ?", (to_json(cursor), self._run))
        self.cursor = json.loads(to_json(cursor))

    def finish(self, searched: str) -> None:
        """The domain has been searched to its end.

        Args:
            searched: the domain and the outcome in words, such as "a, b of degree 2, coefficients up to 20: nothing".
        """
        with plain_errors(self.path), transaction(self._db):
            self._db.execute("UPDATE runs SET finished = ?, searched = ? WHERE id = ?", (_now(), searched, self._run))
        self.finished = True


class Step:
    """What one step adds; see `Ledger.step`."""

    def __init__(self, db: sqlite3.Connection):
        self._db = db
        self.counts: dict[str, int] = {}

    def candidate(self, key: str, data: Mapping[str, Any], value: str = "") -> bool:
        """Add a candidate; False where its canonical key is there already, and nothing is changed.

        Args:
            key: the same for all that counts as one candidate.
            data: what is known of it, as JSON values.
            value: its value as text.
        """
        return self.candidates([(key, data, value)]) == 1

    def candidates(self, rows: Iterable[tuple[str, Mapping[str, Any], str]]) -> int:
        """Add many candidates, (key, data, value) each; how many were new."""
        before = self._db.total_changes
        self._db.executemany(
            "INSERT OR IGNORE INTO candidates (key, data, value) VALUES (?, ?, ?)", ((k, to_json(d), v) for k, d, v in rows))
        return self._db.total_changes - before

    def relation(self, key: str, formula: str, coefficients: Sequence[int], basis: Sequence[str], digits: int, needed: int, ball: str,
                 status: str = "conjecture", reason: str = "", certificate: Mapping[str, Any] | None = None, source: str = "") -> bool:
        """Add a formula; where the same formula of the same candidate is there, what is known of it is replaced.

        Args:
            key: of the candidate.
            formula: as text.
            coefficients, basis: integers and what each multiplies: their sum of products is 0.
            digits: to which the relation was seen to hold.
            needed: digits that the acceptance rule asks for.
            ball: the value with its radius.
            status: conjecture, proved, known (then with a source) or rejected (then with a reason).
            reason: why it was rejected, or what else must be said.
            certificate: of the proof, as JSON values.
            source: where it was published before.

        Returns:
            Whether the formula is new.

        Raises:
            ValueError: another status, a rejection without a reason, or a proof without a certificate.
        """
        missing = {"proved": not certificate, "known": not source, "rejected": not reason}
        if status not in STATUSES or missing.get(status):
            needs = {"proved": " with a certificate", "known": " with a source", "rejected": " with a reason"}.get(status)
            msg = f"a relation{needs} was required for the status {status}, got none" if needs else (
                f"a status among {', '.join(STATUSES)} was required, got {status!r}")
            raise ValueError(msg)
        (there,) = self._db.execute("SELECT count(*) FROM relations WHERE key = ? AND formula = ?", (key, formula)).fetchone()
        columns = {
            "coefficients": to_json([int(c) for c in coefficients]), "basis": to_json(list(basis)),
            "digits": int(digits), "needed": int(needed), "ball": ball, "status": status, "reason": reason,
            "certificate": to_json(certificate) if certificate else None, "source": source}
        self._db.execute(
            f"INSERT INTO relations (key, formula, found, {', '.join(columns)}) VALUES (?, ?, ?{', ?' * len(columns)}) "
            f"ON CONFLICT (key, formula) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in columns)}",
            (key, formula, _now(), *columns.values()))
        return not there

    def count(self, name: str, k: int = 1) -> None:
        """Add k to a named counter, such as "tried" or "rational"."""
        self.counts[name] = self.counts.get(name, 0) + int(k)


def _locked(folder: Path) -> sqlite3.Connection:
    """A connection that holds the writer's lock until it is closed or its process ends."""
    lock = None
    try:
        with plain_errors(folder / LOCK):
            lock = sqlite3.connect(folder / LOCK, timeout=0.2, isolation_level=None)
            lock.execute("BEGIN EXCLUSIVE")
            return lock
    except OSError as error:
        if lock is not None:
            lock.close()
        if isinstance(error, BlockingIOError):
            msg = f"a run folder that nobody writes was required, {_writer(folder)} writes {folder}; wait for it or choose another folder"
            raise BlockingIOError(msg) from error
        raise


def _writer(folder: Path) -> str:
    """Which process holds the lock, as far as the ledger tells."""
    try:
        run = Ledger.read(folder).runs()[-1]
    except (OSError, ValueError, IndexError):  # it has not begun yet
        return "another process"
    return f"process {run['process']} on {run['host']} (since {run['started']})"


def _check_same(db: sqlite3.Connection, path: Path, task: str, domain: str) -> None:
    """Refuse to go on with another question than the one that was asked."""
    old_task, old_domain = db.execute("SELECT task, domain FROM runs ORDER BY id LIMIT 1").fetchone()
    if old_task != task:
        msg = f"the task of the run was required to resume it: {path.parent} holds {old_task}, got {task}; choose another folder"
        raise ValueError(msg)
    old, new = json.loads(old_domain), json.loads(domain)
    if old != new:
        differ = [k for k in sorted({*old, *new}) if old.get(k) != new.get(k)]
        how = "; ".join(f"{k} = {to_json(old.get(k))} there, {to_json(new.get(k))} here" for k in differ)
        msg = f"the domain of the run was required to resume it, {path.parent} has another: {how}; choose another folder"
        raise ValueError(msg)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for name in NEEDED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a checkout
            found[name] = "not installed"
    return found


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
