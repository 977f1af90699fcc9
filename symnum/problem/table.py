"""The table that a search works on: checked numbers with names, or a clear refusal before any work.

    file or arrays -> Table(X, y, names, target, weight, units, notes, fingerprint)

`read_table` takes files (the formats are in `table_file`), `as_table` takes arrays, lists and DataFrames. Both refuse what
would make the result meaningless (text, missing cells, columns of one name, a single row) and say where it is and what to
do. Columns that never vary carry no information: they are left out of the search, with a note.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from symnum.language.grammar_check import near
from symnum.language.units import coherent, parse_unit

SHOWN = 5  # how many offenders a message lists


class DataError(ValueError):
    """Data that cannot be used: what was required, what was given and what to try."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Data for a search; every number is finite, and the arrays are never changed.

    Attributes:
        X: (rows, features) float64.
        y: (rows,) the target.
        names: the features' names, in the order of the columns of X.
        target: the target's name.
        weight: (rows,) weights >= 0, or None.
        units: column name -> unit as it was written, for the columns that have one; all of them can be parsed.
        notes: what the reader of the result should know, e.g. which columns were left out.
    """

    X: np.ndarray
    y: np.ndarray
    names: tuple[str, ...]
    target: str = "y"
    weight: np.ndarray | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.y)

    @property
    def fingerprint(self) -> str:
        """A hash of names and numbers: equal for equal data, wherever they came from.

        >>> a, b = as_table([[1], [2]], [3, 4]), as_table(np.array([[1.0], [2.0]]), (3, 4))
        >>> a.fingerprint == b.fingerprint, a.fingerprint == as_table([[1], [2]], [3, 5]).fingerprint
        (True, False)
        """
        digest = hashlib.blake2b(repr((self.names, self.target, self.X.shape)).encode(), digest_size=16)
        for array in (self.X, self.y, self.weight):
            digest.update(b"-" if array is None else np.ascontiguousarray(array))
        return digest.hexdigest()


# from files -------------------------------------------------------------------------------------------------------------
def read_table(path: str | Path, target: str, features: Sequence[str] | None = None, weights: str | None = None,
               units: Mapping[str, str] | str | None = None) -> Table:
    """Read a table from a file: CSV or TSV (separated by comma, semicolon, tab or blanks), .npz, .npy or .parquet.

    The first line holds the columns' names, which may have a unit in brackets: `mass [kg]` is the column `mass`.
    Any name will do; formulas write one that is no plain word, or is a function's name, in backquotes.

    Args:
        path: the file.
        target: the column that the formula is to give.
        features: the columns that it may use; all others where None.
        weights: a column of weights of the rows.
        units: units by column name, which go before those in the line of names; a file of them, .json or .csv (columns
            `name,unit`); or `none`: the line of names is not looked at for units.

    Raises:
        DataError: the file, a column or a unit cannot be used; rows are counted from 1, the line of names not counted.

    >>> from symnum.data import path
    >>> table = read_table(path("kepler"), target="period")
    >>> table.names, len(table), table.y[:2]
    (('distance',), 6, array([ 87.77, 224.7 ]))
    """
    from symnum.problem.table_file import open_columns, read_units

    columns = open_columns(Path(path))
    names, written = _split_units(columns.header)
    given = read_units(Path(units)) if isinstance(units, str | Path) and units != "none" else units
    units = {} if given == "none" else written | _known_units(given or {}, names, target)
    here = f" of {columns.path.name}"
    spelled = {h.strip(): n for h, n in zip(columns.header, names, strict=True)} | {n: n for n in names}

    def pick(name: str, role: str) -> str:
        if name in spelled:
            return spelled[name]
        msg = f"the {role} must be a column{here} ({_some(names)}), got {name!r}{near(name, names)}"
        raise DataError(msg)

    target = pick(target, "target")
    weights = None if weights is None else pick(weights, "column of weights")
    special = [target] if weights is None else [target, weights]
    features = [n for n in names if n not in special] if features is None else [pick(f, "features") for f in features]
    _check_names([*special, *features], names, here)
    used, index = [*features, *special], {name: i for i, name in enumerate(names)}
    data, n = columns.load([index[name] for name in used], used), len(features)
    weight = None if weights is None else data[:, n + 1]
    return _checked(data[:, :n], data[:, n], features, target, weight, units, weights or "weights", first=1)


def column_names(header: Sequence[str]) -> list[str]:
    """The names in a file's first line, without their units.

    >>> column_names(["mass [kg]", " x "])
    ['mass', 'x']
    """
    return _split_units(header)[0]


def _split_units(header: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """`mass [kg]` is the column `mass` with the unit `kg`."""
    names, units = [], {}
    for text in header:
        match = re.fullmatch(r"(.*\S)\s*\[([^\[\]]*)\]", text.strip())
        names.append(match[1] if match else text.strip())
        if match:
            units[names[-1]] = match[2]
    return names, units


# from arrays ------------------------------------------------------------------------------------------------------------
def as_table(X, y, names: Iterable[str] | None = None, weights=None, *, target: str | None = None,
             units: Mapping[str, str] | None = None) -> Table:
    """Check arrays, lists or DataFrames and put them into a table.

    Args:
        X: (rows, features), or (rows,) for one feature; a DataFrame brings its column names.
        y: (rows,) the target; a Series brings its name.
        names: the features' names; x0, x1, … where neither they nor a DataFrame are given.
        weights: (rows,) weights >= 0 of the rows, or None.
        target: the target's name; the Series' name or `y` where None.
        units: unit by column name, that of the target under its name or `y`; units restrict a search only where every
            column and the target has one (`1` for pure numbers), an empty text standing for a unit that is not known.

    Raises:
        DataError: the data cannot be used; rows are counted from 0, as arrays are.

    >>> as_table([[1, 2], [3, 5]], [1, 2]).names
    ('x0', 'x1')
    >>> as_table([[1], [np.nan]], [1, 2])
    Traceback (most recent call last):
    symnum.problem.table.DataError: finite numbers were required, got NaN or Inf in column 'x0': row 1 (the first row is \
row 0); remove or fill these rows
    """
    names = X.columns if names is None and hasattr(X, "columns") else names
    names = None if names is None else [str(n) for n in names]
    if target is None:
        target = str(getattr(y, "name", None) or "y")
    X = as_numbers(X, "X", names)
    X = X[:, None] if X.ndim == 1 else X
    y = as_numbers(y, "y", [target])
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if X.ndim != 2 or y.ndim != 1 or len(X) != len(y):
        msg = f"X of shape (rows, features) and y of shape (rows,) were required, got {X.shape} and {y.shape}"
        raise DataError(msg)
    names = [f"x{i}" for i in range(X.shape[1])] if names is None else names
    if len(names) != X.shape[1]:
        msg = f"a name for each of the {X.shape[1]} columns of X was required, got {len(names)} names: {_some(names)}"
        raise DataError(msg)
    if weights is not None:
        weights = as_numbers(weights, "weights", ["weights"])
        if weights.shape != y.shape:
            msg = f"weights of the shape of y, {y.shape}, were required, got {weights.shape}"
            raise DataError(msg)
    _check_names([target, *names], [target, *names], "")
    return _checked(X, y, names, target, weights, _known_units(units or {}, [*names, target], target), "weights", first=0)


def _known_units(units: Mapping[str, str], names: Sequence[str], target: str) -> dict[str, str]:
    """Units by column name; `y` is the target where no column is called so."""
    renamed = {target if name == "y" and "y" not in names else name: unit for name, unit in units.items()}
    for name, unit in renamed.items():
        if name not in names:
            msg = f"units of columns were required, got one of {name!r}, which is none{near(name, names)}; the columns are {_some(names)}"
            raise DataError(msg)
        if not isinstance(unit, str):
            msg = f"a text was required as the unit of column {name!r}, got {unit!r}; '1' stands for a pure number"
            raise DataError(msg)
    return renamed


def as_numbers(values, what: str, names: Sequence[str] | None, first: int = 0) -> np.ndarray:
    """The values as float64; text, objects and complex numbers are refused, `first` being the number of the first row."""
    try:
        array = np.asarray(values)
    except ValueError:
        msg = f"{what} must be a rectangular array, got rows of different lengths"
        raise DataError(msg) from None
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    if array.dtype.kind == "c":
        msg = f"real numbers were required, got complex ones in {what}; give their real and imaginary parts as columns"
        raise DataError(msg)
    if array.dtype.kind in "mM":
        msg = f"numbers were required, got dates or times in {what}; give them as a number, e.g. seconds since the first"
        raise DataError(msg)
    table = array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
    for j, column in enumerate(table.T):
        try:
            column.astype(np.float64)
        except (ValueError, TypeError):
            row = next(i for i, value in enumerate(column) if not _is_number(value))
            name = names[j] if names is not None and j < len(names) else f"x{j}"
            raise not_numeric(name, column[row], first + row) from None
    return array.astype(np.float64)


def _is_number(value) -> bool:
    try:
        float(value)
    except (ValueError, TypeError):
        return False
    return True


# checks -----------------------------------------------------------------------------------------------------------------
def not_numeric(column: str, value, row: int, advice: str = "") -> DataError:
    """The error for text where a number is needed."""
    what = "a missing value" if value is None or type(value).__name__ == "NAType" else f"{str(value)[:40]!r}"
    return DataError(f"numbers were required in column {column!r}, got {what} in row {row}; "
                     + (advice or "replace categories by one 0/1 column each (one-hot), or leave the column out of the features"))


def missing_cells(cells: Mapping[str, Sequence[int]], first: int) -> DataError:
    """The error for cells that are empty, NaN or infinite.

    Args:
        cells: column -> its offending rows, as they are to be printed.
        first: the number of the first row.
    """
    parts = [f"column {name!r}: row{'s' * (len(rows) > 1)} {_some(rows)}" for name, rows in list(cells.items())[:SHOWN]]
    more = f" and {len(cells) - SHOWN} more columns" if len(cells) > SHOWN else ""
    return DataError(f"finite numbers were required, got NaN or Inf in {', '.join(parts)}{more} (the first row is row {first}); "
                     "remove or fill these rows")


def _some(items: Sequence) -> str:
    """The first items as text."""
    more = f", … ({len(items)} in all)" if len(items) > SHOWN else ""
    return ", ".join(str(i) for i in items[:SHOWN]) + more


def _check_names(used: Sequence[str], names: Sequence[str], here: str) -> None:
    """Each used column has a name, which no other column has."""
    count, again = Counter(names), Counter(used)
    for name in used:
        if not name:
            msg = f"a name for every column{here} was required, got an empty one; name it, or choose the features without it"
            raise DataError(msg)
        if count[name] > 1:
            msg = f"different column names were required{here}, got {name!r} twice; rename one, or choose the features without it"
            raise DataError(msg)
        if again[name] > 1:
            msg = f"target, weights and features must be different columns, got {name!r} twice"
            raise DataError(msg)


def _checked(X: np.ndarray, y: np.ndarray, names: Sequence[str], target: str, weight: np.ndarray | None, units: Mapping[str, str],
             weight_name: str, first: int) -> Table:
    """The table, where the numbers allow one; columns that never vary are left out."""
    if len(y) < 2:
        msg = f"at least two rows were required, got {'one sample' if len(y) else 'none'}; any constant fits a single row"
        raise DataError(msg)
    if not len(names):
        msg = f"at least one feature besides the target {target!r} was required, got none"
        raise DataError(msg)
    named = [(name, X[:, j]) for j, name in enumerate(names)] + [(target, y)] + ([] if weight is None else [(weight_name, weight)])
    if faulty := {name: first + np.flatnonzero(~np.isfinite(values)) for name, values in named if not np.isfinite(values).all()}:
        raise missing_cells(faulty, first)
    if weight is not None and (weight.min() < 0 or weight.max() == 0):
        msg = f"weights >= 0 that are not all 0 were required, got {weight.min():g} … {weight.max():g} in {weight_name!r}"
        raise DataError(msg)
    units = {name: unit for name, unit in units.items() if name in {*names, target}}
    for name, unit in units.items():
        _check_unit(name, unit)
    notes = []
    varies = (X != X[0]).any(axis=0)
    if not varies.all() and varies.any():
        constant = [f"{name} = {value:g}" for name, value, v in zip(names, X[0], varies, strict=True) if not v]
        notes.append(f"left out, because constant: {_some(constant)}")
        X, names = X[:, varies], [name for name, v in zip(names, varies, strict=True) if v]
    if (y == y[0]).all():
        notes.append(f"the target {target} is constant: {y[0]:g}")
    X = np.ascontiguousarray(X)
    y = np.ascontiguousarray(y)
    weight = None if weight is None else np.ascontiguousarray(weight)
    kept = {name: unit for name, unit in units.items() if name in {*names, target}}
    return Table(X, y, tuple(names), target, weight, kept, (*notes, *_unit_notes(kept, [*names, target])))


def _check_unit(name: str, unit: str) -> None:
    """Units that mean nothing are refused, with the column's name."""
    try:
        parse_unit(unit)
    except ValueError as error:
        msg = f"a unit was required for column {name!r}, got [{unit}]: {error}; units='none' ignores those in a file's line of names"
        raise DataError(msg) from None


def _unit_notes(units: Mapping[str, str], names: Sequence[str]) -> list[str]:
    """What to know about the units of these columns: that some are missing, or do not belong to one system."""
    parsed = {name: parse_unit(units.get(name, "")) for name in names}
    missing = [name for name, unit in parsed.items() if unit is None]
    if len(missing) == len(names):
        return []
    if missing:
        return [f"units were not used, because these columns have none: {_some(missing)} (write 1 for a pure number)"]
    if not coherent([unit for unit in parsed.values() if unit is not None]):
        return ["the units belong to different systems: constants hold conversion factors; laws are found more surely in one system"]
    return []
