"""Trajectories from a file of columns: a time, states, perhaps inputs and a column that tells trajectories apart.

    read_trajectories("runs.csv", time="t", group="run", inputs=["u"]) -> Trajectories

Empty cells and NaN are missing samples of states; times and inputs are always there. Rows are counted from 1, the line of names not
counted.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from symnum.dynamics.samples import TrajectoryError
from symnum.dynamics.trajectory import Trajectories
from symnum.language.grammar_check import near
from symnum.problem.table import DataError, column_names, not_numeric
from symnum.problem.table_file import MISSING, Columns, open_columns

EMPTY = MISSING - {"inf", "infinity"}  # an infinite sample is not a missing one
SHOWN = 8  # columns that a message lists


def read_trajectories(path: str | Path, time: str = "t", group: str | None = None, states: Sequence[str] | None = None,
                      inputs: Sequence[str] | None = None) -> Trajectories:
    """Read trajectories from a file: CSV or TSV (separated by comma, semicolon, tab or blanks), .npz, .npy or .parquet.

    The first line holds the columns' names, which may have a unit in brackets: `mass [kg]` is the column `mass`.

    Args:
        path: the file.
        time: the column of times.
        group: a column of labels, one for each trajectory; its rows need not be neighbours.
        states: the columns that are states; all others where None.
        inputs: the columns of what acts from outside.

    Raises:
        DataError: the file or a cell cannot be read.
        TrajectoryError: what it holds are no trajectories: a column is not there, the time does not increase …

    >>> from symnum.data import path
    >>> data = read_trajectories(path("coffee"), time="time", group="cup")
    >>> [item.label for item in data], data.states, data.rows
    (['black', 'cream'], ('temperature',), 48)
    """
    columns = open_columns(Path(path))
    names = column_names(columns.header)
    time, group = _pick(time, "time", columns, names), None if group is None else _pick(group, "group", columns, names)
    inputs = [_pick(name, "inputs", columns, names) for name in inputs or ()]
    special = [time, *inputs, *([] if group is None else [group])]
    states = [n for n in names if n not in special] if states is None else [_pick(n, "states", columns, names) for n in states]
    for name in (*special, *states):
        if (twice := names.count(name)) > 1:
            msg = (f"different column names were required in {columns.path.name}, {name!r} is there {twice} times; "
                   "rename one, or choose the states without it")
            raise TrajectoryError(msg)
        if (*special, *states).count(name) > 1:
            msg = f"different columns as time, group, inputs and states were required, got {name!r} twice"
            raise TrajectoryError(msg)
    always = [time, *inputs]
    fixed = columns.load([names.index(name) for name in always], always)
    labels = None if group is None else _labels(columns, names, group)
    x = _with_gaps(columns, names, states)
    return Trajectories.of_rows(fixed[:, 0], x, states=states, u=fixed[:, 1:], inputs=inputs, labels=labels, time=time, first=1)


def _pick(name: str, role: str, columns: Columns, names: Sequence[str]) -> str:
    """The column of that name, with or without its unit."""
    spelled = {h.strip(): n for h, n in zip(columns.header, names, strict=True)} | {n: n for n in names}
    if name in spelled:
        return spelled[name]
    more = f", … ({len(names)} in all)" if len(names) > SHOWN else ""
    advice = near(name, names) or (f"; name the column of times, as time={names[0]!r} (--time)" if role == "time" and names else "")
    msg = f"a column of {columns.path.name} was required as {role} ({', '.join(names[:SHOWN])}{more}), there is no {name!r}{advice}"
    raise TrajectoryError(msg)


def _labels(columns: Columns, names: Sequence[str], group: str) -> list[str]:
    labels = columns.text(names.index(group))
    for row, label in enumerate(labels, 1):
        if not label:
            msg = f"a label in every row of column {group!r} was required, that of row {row} is empty; fill it, or leave the row out"
            raise TrajectoryError(msg)
    return labels


def _with_gaps(columns: Columns, names: Sequence[str], states: Sequence[str]) -> np.ndarray:
    """(rows, states), NaN where a cell says that there is no value.

    Complete columns are read in one go; only where that fails are they read as text, cell by cell.
    """
    if not states:
        return np.zeros((0, 0))
    try:
        return columns.load([names.index(name) for name in states], states)
    except DataError:
        return np.column_stack([_column(columns.text(names.index(name)), name) for name in states])


def _column(cells: Sequence[str], name: str) -> np.ndarray:
    try:
        return np.array([float(cell) if cell.lower().lstrip("+-") not in EMPTY else np.nan for cell in cells])
    except ValueError:
        row, cell = next((i, cell) for i, cell in enumerate(cells, 1) if cell.lower().lstrip("+-") not in EMPTY and not _is_float(cell))
        comma = "write a decimal point, not a comma" if _is_float(cell.replace(",", ".", 1)) else "choose the states without this column"
        raise not_numeric(name, cell, row, comma) from None


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
