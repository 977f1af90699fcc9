"""Reading a ledger: relations, candidates, runs and counters, at any time, also while another process writes them."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symnum.numbers.ledger_file import FILE, JSON, LOCK, STATUSES, connect, is_ledger, plain_errors, primary_code


@dataclass(frozen=True, slots=True)
class View:
    """A ledger as it is read; every call sees all steps that were committed before it.

    Attributes:
        path: the sqlite file.
    """

    path: Path

    @classmethod
    def of(cls, folder: str | Path) -> "View":
        """The view of a run folder; see `Ledger.read`."""
        view = cls(Path(folder) / FILE)
        if not view.path.exists():
            msg = f"a run folder was required, there is no {FILE} in {folder}; it is what a search wrote with --out"
            raise ValueError(msg)
        with view._open() as db:
            if not is_ledger(db, view.path):
                msg = f"a run folder was required, the search in {folder} has not begun, or was stopped before it did; start it again"
                raise ValueError(msg)
        return view

    def relations(self, status: str | None = None) -> list[dict[str, Any]]:
        """The formulas, those of most digits first, at equal digits proved before conjectured; rejected ones last.

        Raises:
            ValueError: there is no such status.
        """
        if status is not None and status not in STATUSES:
            msg = f"a status among {', '.join(STATUSES)} was required, got {status!r}"
            raise ValueError(msg)
        rank = " ".join(f"WHEN '{name}' THEN {i}" for i, name in enumerate(STATUSES))
        where = "WHERE status = ?" if status else ""
        return list(self._rows(
            f"SELECT * FROM relations {where} ORDER BY status = 'rejected', digits DESC, CASE status {rank} END, id",
            (status,) if status else ()))

    def relation_set(self) -> frozenset[tuple[str, str, tuple[int, ...], str]]:
        """(key, formula, coefficients, status) of every relation: what two runs over one domain have in common."""
        return frozenset((r["key"], r["formula"], tuple(r["coefficients"]), r["status"]) for r in self._rows("SELECT * FROM relations"))

    def candidates(self) -> Iterator[dict[str, Any]]:
        """The candidates in the order in which they were met: key, value, data."""
        return self._rows("SELECT key, value, data FROM candidates ORDER BY id")

    def runs(self) -> list[dict[str, Any]]:
        """The sittings, the first one first, each with its own counters."""
        counts = list(self._rows("SELECT * FROM counters ORDER BY name"))
        return [run | {"counters": {c["name"]: c["number"] for c in counts if c["run"] == run["id"]}}
                for run in self._rows("SELECT * FROM runs ORDER BY id")]

    @property
    def counters(self) -> dict[str, int]:
        """The counters over all sittings."""
        totals = "SELECT name, sum(number) AS total FROM counters GROUP BY name ORDER BY name"
        return {row["name"]: row["total"] for row in self._rows(totals)}

    @property
    def finished(self) -> bool:
        """Whether the domain has been searched to its end."""
        return any(run["finished"] for run in self.runs())

    @property
    def searched(self) -> list[str]:
        """What has been searched to its end, in words, with its outcome."""
        return [run["searched"] for run in self.runs() if run["searched"]]

    @property
    def running(self) -> bool:
        """Whether a process is writing now."""
        lock = self.path.with_name(LOCK)
        if not lock.exists():
            return False
        with closing(sqlite3.connect(f"{lock.absolute().as_uri()}?mode=ro", uri=True, timeout=0)) as db:
            try:
                db.execute("SELECT count(*) FROM sqlite_master")
            except sqlite3.OperationalError as error:
                return primary_code(error) == sqlite3.SQLITE_BUSY
        return False

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # in a folder that cannot be written sqlite cannot make its write-ahead log; where there is none, nothing is left to read in it
        log = self.path.with_name(FILE + "-wal")
        settled = not os.access(self.path.parent, os.W_OK) and not (log.exists() and log.stat().st_size)
        with plain_errors(self.path), closing(connect(self.path, "mode=ro&immutable=1" if settled else "mode=ro")) as db:
            yield db

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> Iterator[dict[str, Any]]:
        with self._open() as db:
            cursor = db.execute(query, values)
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield {name: json.loads(x) if name in JSON and x is not None else x for name, x in zip(names, row, strict=True)}
