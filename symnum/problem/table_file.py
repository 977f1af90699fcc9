"""Files of columns: the header first, then only the columns that are needed, then where exactly a file is wrong.

    open_columns(path) -> Columns(path, header, load)        load(indices, names) -> (rows, len(indices)) float64

Text is parsed by `numpy.loadtxt` (exactly rounded, in chunks). Only where that fails is the file read again, cell by cell, to
name the row and the column of the fault.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symnum.language.grammar_check import near
from symnum.problem.table import DataError, as_numbers, missing_cells, not_numeric

SEPARATORS = (",", ";", "\t", None)  # None: any run of blanks
MISSING = frozenset({"", "-", "?", "na", "n/a", "#n/a", "null", "none", "nan", "inf", "infinity"})  # what tools write for "no value"
MAX_FAULTS = 1000  # cells that are looked for before the report


@dataclass(frozen=True, slots=True)
class Columns:
    """A table in a file, not yet read.

    Attributes:
        path: the file.
        header: the columns' names as they are written.
        load: reads the columns of the given indices, which are called by the given names in messages.
        text: reads one column as text.
    """

    path: Path
    header: list[str]
    load: Callable[[Sequence[int], Sequence[str]], np.ndarray]
    text: Callable[[int], list[str]]


def open_columns(path: Path) -> Columns:
    """Look at a file without reading its rows.

    Raises:
        DataError: it is missing, empty, no table, or has no line of names.
    """
    if path.is_dir():
        msg = f"a file was required, {path} is a folder"
        raise DataError(msg)
    if not path.exists():
        siblings = [p.name for p in path.parent.iterdir() if p.is_file()] if path.parent.is_dir() else []
        msg = f"an existing file was required, there is none at {path}{near(path.name, siblings)}"
        raise DataError(msg)
    try:
        empty = not path.stat().st_size
        reader = {".npz": _open_npz, ".npy": _open_npy, ".parquet": _open_parquet}.get(path.suffix.lower(), _open_text)
        if not empty:
            return reader(path)
    except OSError as error:
        msg = f"a readable file was required, {path} cannot be read: {error.strerror or error}"
        raise DataError(msg) from error
    msg = f"a line of column names and rows of numbers were required, {path} is empty"
    raise DataError(msg)


def read_units(path: Path) -> dict[str, str]:
    """Units by column name from a file: .json (an object), or .csv of rows `name,unit` (a first row `name,unit` is a heading).

    Raises:
        DataError: the file is missing or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from None
    except OSError as error:
        msg = f"a file of units was required, {path} cannot be read: {error.strerror or error}"
        raise DataError(msg) from error
    wanted = f"in {path.name}, a .json object {{name: unit}} or a .csv with rows name,unit was required"
    if path.suffix.lower() == ".json":
        import json

        try:
            units = json.loads(text)
        except ValueError as error:
            raise DataError(f"{wanted}: {error}") from error
        if not isinstance(units, dict):
            raise DataError(f"{wanted}, got a {type(units).__name__}")
        return units
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), skipinitialspace=True) if any(row)]
    rows = rows[1:] if rows and [c.lower() for c in rows[0]] == ["name", "unit"] else rows
    for row in rows:
        if len(row) != 2:
            raise DataError(f"{wanted}, got {','.join(row)!r}")
    names = [name for name, _ in rows]
    if again := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"one unit per column was required in {path.name}, got {', '.join(again)} twice")
    return dict(rows)


# text -------------------------------------------------------------------------------------------------------------------
def _open_text(path: Path) -> Columns:
    head, number = _first_lines(path)
    separator = _separator(head)
    header = [name.strip() for name in _fields(head[0], separator)]
    if all(_is_float(cell) for cell in header):
        msg = (f"column names were required in the first line of {path.name}, it looks like data: {head[0].strip()[:60]!r}; "
               "add a line of names above it")
        raise DataError(msg)

    def load(indices: Sequence[int], names: Sequence[str]) -> np.ndarray:
        if len(head) == 1:
            return np.zeros((0, len(indices)))
        try:
            data = np.loadtxt(path, delimiter=separator, skiprows=number, usecols=indices, ndmin=2, encoding="utf-8", comments=None,
                              quotechar='"')
        except (ValueError, IndexError) as error:
            _raise_fault(path, separator, number, len(header), dict(zip(indices, names, strict=True)))
            msg = f"rows of numbers were required, {path.name} cannot be read: {error}"
            raise DataError(msg) from error
        if separator and not _is_regular(path, separator, number, len(data), len(header)):
            _raise_fault(path, separator, number, len(header), {})
        return data

    def text(index: int) -> list[str]:
        return [row[index].strip() if index < len(row) else "" for _, row in _cells(path, separator, number)]

    return Columns(path, header, load, text)


def _first_lines(path: Path) -> tuple[list[str], int]:
    """The header and the first row where there is one, and the number of lines up to and including the header's.

    Blank lines, and lines that begin with `#`, are passed over before the header.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    if b"\0" in start or start.startswith((b"\x1f\x8b", b"%PDF")):
        msg = f"a table as UTF-8 text (or .npz, .npy, .parquet) was required, {path.name} is binary; save or unpack it as CSV"
        raise DataError(msg)
    head: list[str] = []
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline=None) as file:
            for line in file:
                passed = not line.strip() or (not head and line.startswith("#"))
                number += not head
                if not passed:
                    head.append(line)
                if len(head) == 2:
                    break
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from None
    if not head:
        msg = f"a line of column names and rows of numbers were required, {path.name} has none"
        raise DataError(msg)
    return head, number


def _separator(head: Sequence[str]) -> str | None:
    """The separator by which the header and the first row have equally many fields, at least two."""
    counts = {s: [len(_fields(line, s)) for line in head] for s in SEPARATORS}
    agreeing = [s for s in SEPARATORS if counts[s][0] > 1 and len(set(counts[s])) == 1]
    return agreeing[0] if agreeing else max(SEPARATORS[:3], key=lambda s: counts[s][0])


def _fields(line: str, separator: str | None) -> list[str]:
    """The fields of a line; quotes may hold the separator."""
    if separator is None or '"' not in line:
        return line.split(separator)
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True))


def _is_regular(path: Path, separator: str, skip: int, rows: int, width: int) -> bool:
    """Whether every row can have `width` fields, by the number of separators in the file; `usecols` alone tolerates more.

    Quotes may hide separators: then it cannot be told so cheaply, and the answer is yes.
    """
    count, quoted = 0, False
    with path.open("rb") as file:
        for _ in range(skip):
            file.readline()
        while chunk := file.read(1 << 20):
            count += chunk.count(separator.encode())
            quoted |= b'"' in chunk
    return quoted or count == rows * (width - 1)


def _cells(path: Path, separator: str | None, skip: int) -> Iterator[tuple[int, list[str]]]:
    """Number (from 1) and fields of every row."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = (line for i, line in enumerate(file) if i >= skip)
        rows = csv.reader(lines, delimiter=separator) if separator else (line.split() for line in lines)
        yield from enumerate((row for row in rows if row and (len(row) > 1 or row[0].strip())), 1)


def _raise_fault(path: Path, separator: str | None, skip: int, width: int, used: Mapping[int, str]) -> None:
    """Find what is wrong with a text table and raise it.

    Args:
        width: the number of fields that a row must have.
        used: column -> name, of the columns that must be numbers.
    """
    missing: dict[str, list[int]] = {}
    try:
        for number, row in _cells(path, separator, skip):
            if len(row) != width:
                msg = f"{width} fields, as in the line of names, were required in each row of {path.name}, got {len(row)} in row {number}"
                raise DataError(msg)
            for j, name in used.items():
                cell = row[j].strip()
                if cell.lower().lstrip("+-") in MISSING:
                    missing.setdefault(name, []).append(number)
                elif not _is_float(cell):
                    comma = "write a decimal point, not a comma" if _is_float(cell.replace(",", ".", 1)) else ""
                    raise not_numeric(name, cell, number, comma)
            if sum(map(len, missing.values())) >= MAX_FAULTS:
                break
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from None
    except csv.Error as error:
        msg = f"rows of fields were required, {path.name} cannot be read: {error}"
        raise DataError(msg) from error
    if missing:
        raise missing_cells(missing, first=1)


def _not_utf8(path: Path, error: UnicodeDecodeError) -> DataError:
    return DataError(f"UTF-8 text was required, {path.name} is not: {error.reason} at byte {error.start}; save it as UTF-8")


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


# binary -----------------------------------------------------------------------------------------------------------------
def _open_arrays(path: Path, columns: Mapping[str, np.ndarray]) -> Columns:
    """Named columns of one length."""
    shapes = {name: np.shape(column) for name, column in columns.items()}
    if not shapes or len(set(shapes.values())) > 1 or len(next(iter(shapes.values()))) != 1:
        msg = f"columns of one length, each under its name, were required in {path.name}, got the shapes {shapes}"
        raise DataError(msg)

    def load(indices: Sequence[int], names: Sequence[str]) -> np.ndarray:
        header = list(columns)
        return np.column_stack([as_numbers(columns[header[i]], name, [name], first=1) for i, name in zip(indices, names, strict=True)])

    return Columns(path, list(columns), load, lambda index: [str(value) for value in columns[list(columns)[index]]])


def _open_npz(path: Path) -> Columns:
    import zipfile

    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return _open_arrays(path, {name: file[name] for name in file.files})
    except (ValueError, zipfile.BadZipFile) as error:
        raise _unreadable(path, "an .npz file of numeric arrays", error) from error


def _open_npy(path: Path) -> Columns:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise _unreadable(path, "an .npy file of a numeric array", error) from error
    if array.dtype.names is None:
        msg = f"a structured array, whose fields are the columns, was required in {path.name}, got {array.dtype} without names; use .npz"
        raise DataError(msg)
    return _open_arrays(path, {name: array[name] for name in array.dtype.names})


def _open_parquet(path: Path) -> Columns:
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except ImportError as error:
        msg = "reading .parquet requires pyarrow: pip install pyarrow"
        raise DataError(msg) from error
    except ValueError as error:
        raise _unreadable(path, "a .parquet file", error) from error
    return _open_arrays(path, {str(name): frame[name].to_numpy() for name in frame.columns})


def _unreadable(path: Path, wanted: str, error: Exception) -> DataError:
    return error if isinstance(error, DataError) else DataError(f"{wanted} was required, {path.name} cannot be read: {error}")
