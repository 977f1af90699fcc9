"""Categorical columns: text as numbers, and numbers as columns of 0 and 1, one per category.

    coded(frame, ["site"])               text -> 0, 1, 2 … with the categories' names (also for new rows, by the same names)
    with_indicators(table, "site")       the columns `site=a`, `site=b` … that a template's p[site] is written with
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from symnum.language.grammar_check import near
from symnum.problem import table as tables
from symnum.problem.table import DataError, Table, column_names

MOST = 50  # categories; more are hardly categories


def coded(X, columns: Iterable[str], known: Mapping[str, Sequence[str]] | None = None) -> tuple[object, dict[str, tuple[str, ...]]]:
    """A DataFrame whose categorical columns are numbers, and the categories in the order of these numbers.

    Args:
        X: a DataFrame with text or numbers in the columns, or an array (then x0, x1, … are its columns, all numbers).
        columns: the categorical ones.
        known: categories met before, which new rows must be of; None takes those found, sorted.

    Returns:
        the table with codes 0, 1, … in these columns, and column -> categories as text.

    Raises:
        DataError: no such column, a missing value, a single category or too many, or one that is not known.

    >>> import pandas as pd
    >>> coded(pd.DataFrame({"site": ["b", "a", "b"]}), ["site"])[1]
    {'site': ('a', 'b')}
    """
    columns = tuple(columns)
    if not columns:
        return X, {}
    frame = hasattr(X, "columns")
    X = X.copy() if frame else np.array(X, float)
    names = [str(c) for c in X.columns] if frame else [f"x{i}" for i in range(X.shape[1] if X.ndim == 2 else 0)]
    found = {}
    for column in columns:
        if column not in names:
            msg = f"a categorical column must be a column of X ({', '.join(names[:8])}), got {column!r}{near(column, names)}"
            raise DataError(msg)
        values = np.asarray(X[column] if frame else X[:, names.index(column)])
        text = [_label(v) for v in values]
        labels = _categories(text, column, None if known is None else known[column], first=0)
        number = {label: float(i) for i, label in enumerate(labels)}
        codes = np.array([number[t] for t in text])
        if frame:
            X[column] = codes
        else:
            X[:, names.index(column)] = codes
        found[column] = labels
    return X, found


def read_with_categories(
    path: str | Path, columns: Iterable[str], target: str, features: Sequence[str] | None = None, weights: str | None = None, units=None
) -> tuple[Table, dict[str, tuple[str, ...]]]:
    """`read_table`, with indicator columns for the categorical columns, which may hold text; and column -> categories.

    Raises:
        DataError: as `read_table`; no such column, an empty cell in one, not 2 to 50 categories.
    """
    columns = tuple(columns)
    if not columns:
        return tables.read_table(path, target, features, weights, units), {}
    from symnum.problem.table_file import open_columns

    file = open_columns(Path(path))
    names = column_names(file.header)
    for column in columns:
        if column not in names or column in (target, weights):
            msg = f"a categorical column must be a further column of {file.path.name} ({', '.join(names[:8])}), got {column!r}"
            raise DataError(msg + near(column, names))
    wanted = [n for n in (names if features is None else features) if n not in (*columns, target, weights)]
    table, found = tables.read_table(path, target, wanted, weights, units), {}
    for column in columns:
        text = [_label(cell) for cell in file.text(names.index(column))]
        found[column] = _categories(text, column, None, first=1)
        shown = [(f"{column}={label}", np.array([t == label for t in text], float)) for label in found[column]]
        table = replace(table, X=np.column_stack([table.X, *(v for _, v in shown)]), names=(*table.names, *(n for n, _ in shown)),
                        units=table.units | _pure(table, [n for n, _ in shown]))
    return table, found


def _categories(text: Sequence[str], column: str, known: Sequence[str] | None, first: int) -> tuple[str, ...]:
    """The categories of a column, checked; `first` is the number of the first row."""
    if "" in text:
        msg = f"a category was required in every row of {column!r}, got none in row {text.index('') + first} (the first is row {first})"
        raise DataError(msg)
    labels = _sorted(set(text)) if known is None else tuple(known)
    if new := sorted(set(text) - set(labels)):
        msg = f"categories of {column!r} that were there in fit were required ({', '.join(labels[:8])}), got {', '.join(new[:5])}"
        raise DataError(msg)
    if not 2 <= len(labels) <= MOST:
        msg = f"2 to {MOST} categories were required in {column!r}, got {len(labels)}; use a number as a variable instead"
        raise DataError(msg)
    return labels


def with_indicators(table: Table, column: str, labels: Sequence[str] | None = None) -> Table:
    """The table with a column `column=k` of 0 and 1 for each category k, in place of the categorical column.

    Args:
        table: a checked table.
        column: one of its columns, holding few different numbers.
        labels: the names of the codes 0, 1, …; the numbers themselves where None.

    Raises:
        DataError: no such column, or not 2 to 50 different numbers in it.

    >>> from symnum.problem.table import as_table
    >>> t = with_indicators(as_table([[1, 0.5], [2, 0.6], [1, 0.7]], [1, 2, 3], names=["site", "x"]), "site")
    >>> t.names, t.X[:, 1].tolist()
    (('x', 'site=1', 'site=2'), [1.0, 0.0, 1.0])
    """
    if column not in table.names:
        msg = f"a categorical column must be one of {', '.join(table.names[:8])}, got {column!r}{near(column, table.names)}; " \
              "a column that never varies is left out"
        raise DataError(msg)
    at = table.names.index(column)
    values = table.X[:, at]
    found = np.unique(values)
    if not 2 <= len(found) <= MOST:
        msg = f"2 to {MOST} categories were required in {column!r}, got {len(found)}"
        raise DataError(msg)
    named = [(labels[int(v)] if labels is not None else _label(v), v) for v in found]
    names = tuple(n for n in table.names if n != column)
    X = np.column_stack([np.delete(table.X, at, axis=1), *((values == v).astype(float) for _, v in named)])
    units = {n: u for n, u in table.units.items() if n != column}
    new = [f"{column}={label}" for label, _ in named]
    return replace(table, X=np.ascontiguousarray(X), names=(*names, *new), units=units | _pure(table, new))


def _pure(table: Table, names: Sequence[str]) -> dict[str, str]:
    """The unit of indicators, 1, where the table has units: one column without a unit would switch them all off."""
    return dict.fromkeys(names, "1") if table.units else {}


def indicators(values: np.ndarray, column: str, labels: Sequence[str]) -> dict[str, np.ndarray]:
    """The columns `column=k` for the codes of new rows.

    >>> {k: v.tolist() for k, v in indicators(np.array([0.0, 1.0]), "site", ["a", "b"]).items()}
    {'site=a': [1.0, 0.0], 'site=b': [0.0, 1.0]}
    """
    return {f"{column}={label}": (values == i).astype(float) for i, label in enumerate(labels)}


def _label(value) -> str:
    """A category as text; empty where it is missing."""
    if isinstance(value, str):
        return value.strip()
    if value is None or type(value).__name__ == "NAType":
        return ""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{float(value):g}"
    return str(value)


def _sorted(labels: Iterable[str]) -> tuple[str, ...]:
    """By number where all are numbers, else by name."""
    def number(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            return np.inf

    return tuple(sorted(labels, key=lambda t: (number(t), t)))
