"""The sqlite file behind a ledger: its tables, how it is opened, its errors in plain words, and values as JSON.

sqlite's own errors never leave this file: a full disk, a folder that cannot be written or a lock that another process holds
is an OSError, a file that is no ledger a ValueError, each with what was required and what to try.
"""

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FILE, LOCK = "ledger.sqlite", "writer.lock"
STATUSES = ("proved", "conjecture", "known", "rejected")
JSON = frozenset({"domain", "cursor", "versions", "data", "coefficients", "basis", "certificate"})  # columns that hold JSON text
APPLICATION, LAYOUT = 0x53594D4E, 1  # marks the file as ours ("SYMN"), and its layout
PATIENCE = 10.0  # seconds to wait for another connection's short lock

SCHEMA = """
CREATE TABLE runs (id INTEGER PRIMARY KEY, task TEXT NOT NULL, domain TEXT NOT NULL, cursor TEXT NOT NULL, versions TEXT NOT NULL,
    process INTEGER NOT NULL, host TEXT NOT NULL, started TEXT NOT NULL, stopped TEXT, finished TEXT, searched TEXT);
CREATE TABLE counters (run INTEGER NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE TABLE candidates (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, value TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE relations (id INTEGER PRIMARY KEY, key TEXT NOT NULL, formula TEXT NOT NULL, coefficients TEXT NOT NULL, basis TEXT NOT NULL,
    digits INTEGER NOT NULL, needed INTEGER NOT NULL, ball TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    certificate TEXT, source TEXT NOT NULL, found TEXT NOT NULL, UNIQUE (key, formula));
"""


def connect(path: Path, mode: str = "mode=rwc") -> sqlite3.Connection:
    """A connection without python's own transactions; `mode` is that of sqlite's URI file names."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=PATIENCE, isolation_level=None)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of the block, or nothing of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk rolls back by itself
            db.execute("ROLLBACK")
        raise


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """sqlite's errors as OSError or ValueError that say what was required."""
    try:
        yield
    except sqlite3.Error as error:
        code = primary_code(error)
        if code == sqlite3.SQLITE_FULL:
            raise OSError(f"room on the disk was required to write {path}, it is full; make room, then go on by --resume") from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise BlockingIOError(f"{path} was required, another process holds it; wait for it to end") from error
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            msg = f"a file in a folder that can be written was required, got {path}: {error}; choose another by --out"
            raise PermissionError(msg) from error
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise ValueError(f"the ledger of a search was required, {path} is damaged or something else: {error}") from error
        if code == sqlite3.SQLITE_IOERR:
            raise OSError(f"{path} could not be read or written: {error}") from error
        raise


def primary_code(error: sqlite3.Error) -> int:
    """sqlite's result code without what only specialises it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_ledger(db: sqlite3.Connection, path: Path) -> bool:
    """Whether the file has our tables; False where it is empty.

    Raises:
        ValueError: it is another program's, or of another layout.
    """
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()  # first: a writer may put all of it there meanwhile
    if not tables:
        return False
    (application,), (layout,) = db.execute("PRAGMA application_id").fetchone(), db.execute("PRAGMA user_version").fetchone()
    if (application, layout) != (APPLICATION, LAYOUT):
        what = f"its layout is {layout}, this version reads {LAYOUT}" if application == APPLICATION else "another program wrote it"
        msg = f"the ledger of a search was required, got {path}: {what}"
        raise ValueError(msg)
    return True


# values ---------------------------------------------------------------------------------------------------------------
def to_json(value: Any, sort_keys: bool = False) -> str:
    """A value as JSON text; numpy's and flint's numbers and numpy's arrays count as python's."""
    try:
        return json.dumps(value, default=_number, sort_keys=sort_keys, allow_nan=False, ensure_ascii=False)
    except ValueError:  # JSON has no NaN and no infinity: null stands for them
        return json.dumps(_finite(value), default=_number, sort_keys=sort_keys, allow_nan=False, ensure_ascii=False)


def _number(value: Any) -> Any:
    """What json does not know: an array or scalar of numpy, an integer of flint."""
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    if hasattr(value, "__index__") or hasattr(value, "__int__") and value == int(value):
        return int(value)
    msg = f"values that JSON can hold were required, got a {type(value).__name__}: {value!r}"
    raise TypeError(msg)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
