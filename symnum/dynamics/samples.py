"""What a user gives as trajectories, brought into one long table; `checked` refuses what no search could use.

    arrays, lists, DataFrames, rows of a file -> Samples(t, x, u, starts, labels, rows, names)

Messages name the trajectory, the row and the column as the user counts them. Missing samples of states are NaN and are allowed;
times and inputs are always there.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from symnum.language.grammar_check import near

LEAST = 2  # samples of every state in every trajectory: a single one does not move
SHOWN = 5  # how many offenders a message lists


class TrajectoryError(ValueError):
    """Trajectories that cannot be used: what was required, what was given and what to try."""


@dataclass(frozen=True)
class Samples:
    """All samples of all trajectories, one trajectory after the other.

    Attributes:
        t: (n,) times.
        x: (n, states).
        u: (n, inputs).
        starts: (trajectories,) the positions of their first samples.
        labels: what the trajectories are called in messages.
        rows: (n,) the numbers of the rows as the user counts them.
        states: the names of the states.
        inputs: the names of the inputs.
        time: the name of the time.
    """

    t: np.ndarray
    x: np.ndarray
    u: np.ndarray
    starts: np.ndarray
    labels: tuple[str, ...]
    rows: np.ndarray
    states: tuple[str, ...]
    inputs: tuple[str, ...]
    time: str

    @property
    def sizes(self) -> np.ndarray:
        """(trajectories,) their numbers of samples."""
        return np.diff(self.starts, append=len(self.t))

    def slices(self) -> list[slice]:
        """Where each trajectory is."""
        return [slice(a, a + n) for a, n in zip(self.starts.tolist(), self.sizes.tolist(), strict=True)]

    def of(self, k: int) -> str:
        """The k-th trajectory in words, empty where there is only one."""
        return f" of trajectory {self.labels[k]!r}" if len(self.labels) > 1 else ""

    def at(self, i: int) -> str:
        """The i-th sample in words."""
        return f"row {self.rows[i]}{self.of(int(np.searchsorted(self.starts, i, side='right')) - 1)}"


# from arrays, lists and tables of rows ----------------------------------------------------------------------------------
def from_arrays(x, t, u, names, inputs, group) -> Samples:
    """Samples from an array, with labels or without, or from a list of arrays; arguments as in `Trajectories.of`."""
    several = _several(x, t)
    if several and group is not None:
        msg = "one array with a label for every row, or a list of arrays without labels was required, got a list and group="
        raise TrajectoryError(msg)
    if isinstance(x, list | tuple) and not len(x):
        msg = "at least one trajectory was required, got an empty list"
        raise TrajectoryError(msg)
    xs = list(x) if several else [x]
    names, inputs = _names(names), _names(inputs, "inputs")
    where = [f" of trajectory {k}" for k in range(len(xs))] if several else [""]
    xs = [_matrix(a, "x", "states", names, here) for a, here in zip(xs, where, strict=True)]
    ts = [_times(s, here) for s, here in zip(_for_each(t, "t", several, len(xs)), where, strict=True)]
    us = [None] * len(xs) if u is None else _for_each(u, "u", several, len(xs), shared=False)
    us = [np.zeros((len(s), 0)) if v is None else _matrix(v, "u", "inputs", inputs, here) for s, v, here in zip(ts, us, where, strict=True)]
    for kind, axis, arrays in (("x", "states", xs), ("u", "inputs", us)):
        for k, (a, s) in enumerate(zip(arrays, ts, strict=True)):
            _check_axes(a, s, kind, axis, where[k])
        _check_widths(arrays, kind, axis)
    states = _count(names, xs[0].shape[1], "names", "states", "x")
    inputs = _count(inputs, us[0].shape[1], "inputs", "inputs", "u")
    if group is not None:
        return from_rows(ts[0], xs[0], us[0], _labels(group, len(ts[0])), states, inputs)
    sizes = [len(s) for s in ts]
    return Samples(np.concatenate(ts), np.concatenate(xs), np.concatenate(us), np.cumsum([0, *sizes[:-1]]),
                   tuple(str(k) for k in range(len(xs))), np.concatenate([np.arange(n) for n in sizes]), states, inputs, "t")


def from_rows(t: np.ndarray, x: np.ndarray, u: np.ndarray, labels: Sequence | None, states: Sequence[str], inputs: Sequence[str],
              time: str = "t", first: int = 0) -> Samples:
    """Samples from rows that belong to the trajectories of their labels; rows of one trajectory need not be neighbours.

    Args:
        t: (n,) times.
        x: (n, states).
        u: (n, inputs).
        labels: (n,) or None: all are of one trajectory.
        states: the names of the states.
        inputs: the names of the inputs.
        time: the name of the time.
        first: the number of the first row in messages.
    """
    rows = np.arange(first, first + len(t))
    if labels is None:
        return Samples(t, x, u, np.zeros(1, int), ("0",), rows, tuple(states), tuple(inputs), time)
    numbers: dict = {}
    codes = np.fromiter((numbers.setdefault(label, len(numbers)) for label in labels), np.int64, len(t))
    starts = np.cumsum(np.bincount(codes, minlength=1))[:-1]
    starts = np.concatenate([[0], starts]).astype(int)
    if (codes[1:] < codes[:-1]).any():
        order = np.argsort(codes, kind="stable")
        t, x, u, rows = t[order], x[order], u[order], rows[order]
    return Samples(t, x, u, starts, tuple(map(str, numbers)) or ("0",), rows, tuple(states), tuple(inputs), time)


def from_frame(frame, t, u, names, inputs, group) -> Samples:
    """Samples from a DataFrame; arguments as in `Trajectories.of`."""
    columns = list(frame.columns)
    if t is None or not isinstance(t, str):
        msg = f"the name of the column of times was required, as t={str(columns[0]) if columns else 'time'!r}, got {_brief(t)}"
        raise TrajectoryError(msg)
    if inputs is not None:
        msg = f"of a DataFrame, the inputs are named by u=, got inputs={_brief(inputs)}"
        raise TrajectoryError(msg)
    inputs = _names(u, "u") or []
    if not isinstance(group, Hashable):
        msg = f"the name of the column of labels was required as group, got {_brief(group)}"
        raise TrajectoryError(msg)
    special = [t, *inputs, *([] if group is None else [group])]
    states = [c for c in columns if c not in special] if names is None else _names(names)
    for role, wanted in (("column of times", [t]), ("inputs", inputs), ("states", states), ("group", special[1 + len(inputs):])):
        for name in wanted:
            if name not in columns:
                have = [str(c) for c in columns]
                msg = f"the {role} must be a column of the DataFrame ({_some(have)}), got {name!r}{near(str(name), have)}"
                raise TrajectoryError(msg)
    counts = Counter(columns)
    if again := [c for c in (*special, *states) if counts[c] > 1]:
        msg = f"different column names were required, the DataFrame has {again[0]!r} {counts[again[0]]} times; rename one"
        raise TrajectoryError(msg)

    def matrix(wanted: Sequence) -> np.ndarray:
        parts = [numbers(frame[c], f"column {str(c)!r}", None) for c in wanted]
        return np.column_stack(parts) if parts else np.zeros((len(frame), 0))

    labels = None if group is None else _labels(frame[group], len(frame))
    return from_rows(numbers(frame[t], f"column {t!r}", None), matrix(states), matrix(inputs), labels,
                     [str(c) for c in states], [str(c) for c in inputs], t)


def numbers(values, what: str, names: Sequence[str] | None) -> np.ndarray:
    """The values as a new array of float64, NaN where one is None, masked or not available; anything else is refused with its row.

    >>> numbers([1, None, "2.5"], "x", None)
    array([1. , nan, 2.5])
    """
    if isinstance(values, np.ma.MaskedArray):
        values = values.astype(float).filled(np.nan) if values.dtype.kind in "biuf" else values.filled()
    try:
        array = np.asarray(values)
    except ValueError:
        msg = f"{what} must be a rectangular array, got rows of different lengths; several trajectories are a list of arrays"
        raise TrajectoryError(msg) from None
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    if array.dtype.kind == "c":
        msg = f"real numbers were required, got complex ones in {what}; give their real and imaginary parts as two states"
        raise TrajectoryError(msg)
    if array.dtype.kind in "mM":
        msg = f"numbers were required, got dates or times in {what}; give them as numbers, e.g. seconds since the first"
        raise TrajectoryError(msg)
    try:
        return array.astype(np.float64)
    except (ValueError, TypeError):
        out = np.empty(array.shape)  # what is not available has a value of its own; anything else is found and named
    for place in np.ndindex(array.shape):
        value = array[place]
        try:
            out[place] = np.nan if value is None or type(value).__name__ in ("NAType", "NaTType") else float(value)
        except (ValueError, TypeError):
            column = f", column {names[place[1]] if names and place[1] < len(names) else place[1]!r}" if len(place) > 1 else ""
            row = f" in row {place[0]}" if place else ""
            msg = f"numbers were required in {what}, got {_brief(value)}{row}{column}"
            raise TrajectoryError(msg) from None
    return out


# shapes -----------------------------------------------------------------------------------------------------------------
def _several(x, t) -> bool:
    """Whether x is a list of trajectories: of arrays or of nested lists; a list of plain rows is one, unless t is a list of lists."""
    if not isinstance(x, list | tuple) or not len(x):
        return False
    depth = 1 + _depth(x[0])
    return depth > 1 if hasattr(x[0], "shape") else depth > 2 or (depth == 2 and isinstance(t, list | tuple) and _depth(t) == 2)


def _depth(value) -> int:
    """The number of axes, told by the first entries."""
    if hasattr(value, "shape"):
        return len(value.shape)
    return (1 + _depth(value[0]) if len(value) else 1) if isinstance(value, Sequence) and not isinstance(value, str) else 0


def _for_each(values, what: str, several: bool, count: int, shared: bool = True) -> list:
    """One for every trajectory."""
    if values is None:
        msg = f"times were required, got none: give {what}=, e.g. step * np.arange(len(x))"
        raise TrajectoryError(msg)
    if not several:
        return [values]
    if shared and _depth(values) == 1 and not (isinstance(values, list | tuple) and hasattr(values[0] if len(values) else 0, "shape")):
        return [values] * count
    listed = list(values) if _depth(values) > 0 else []
    if len(listed) != count:
        msg = f"a list of {count} arrays, one for each trajectory, was required as {what}, got {len(listed) or _brief(values)}"
        raise TrajectoryError(msg)
    return listed


def _matrix(values, what: str, axis: str, names: Sequence[str] | None, where: str) -> np.ndarray:
    """(time, columns); one column may be given without its axis."""
    array = numbers(values, what + where, names)
    if array.ndim in (1, 2):
        return array[:, None] if array.ndim == 1 else array
    hint = f"; for trajectories stacked along the first axis give list({what})" if array.ndim == 3 else ""
    msg = f"{what}{where} of shape (time, {axis}) or (time,) was required, got the shape {array.shape}{hint}"
    raise TrajectoryError(msg)


def _times(values, where: str) -> np.ndarray:
    """(time,)"""
    array = numbers(values, f"t{where}", None)
    if array.ndim == 2 and 1 in array.shape:
        return array.ravel()
    if array.ndim == 1:
        return array
    hint = f"; from a step, give {array:g} * np.arange(len(x))" if array.ndim == 0 else ""
    msg = f"t{where} of shape (time,) was required, got the shape {array.shape}{hint}"
    raise TrajectoryError(msg)


def _check_axes(a: np.ndarray, t: np.ndarray, kind: str, axis: str, where: str) -> None:
    """As many samples as times."""
    if len(a) == len(t):
        return
    if a.shape[1] == len(t):
        msg = (f"{kind}{where} of shape (time, {axis}) was required, it has {len(a)} along axis 0 (time) and {a.shape[1]} along axis 1 "
               f"({axis}) while t has {len(t)}: it looks transposed, give {kind}.T")
    else:
        msg = f"as many samples as times were required, {kind}{where} has {len(a)} along axis 0 (time), t has {len(t)}"
    raise TrajectoryError(msg)


def _check_widths(arrays: Sequence[np.ndarray], kind: str, axis: str) -> None:
    """All trajectories have the same columns."""
    for k, a in enumerate(arrays):
        if a.shape[1] != arrays[0].shape[1]:
            msg = (f"the same {axis} in all trajectories were required, {kind} of trajectory 0 has {arrays[0].shape[1]} along axis 1, "
                   f"that of trajectory {k} has {a.shape[1]}")
            raise TrajectoryError(msg)


def _names(names, argument: str = "names") -> list | None:
    """Names as a list; one text is one name."""
    if names is None or isinstance(names, str):
        return None if names is None else [names]
    listed = list(names) if isinstance(names, Iterable) else [[]]
    if all(isinstance(name, Hashable) for name in listed):
        return listed
    msg = f"a list of names was required as {argument}=, got {_brief(names)}"
    raise TrajectoryError(msg)


def _count(names: list | None, count: int, argument: str, what: str, letter: str) -> tuple[str, ...]:
    """As many names as columns, made up where there are none."""
    if names is None:
        return tuple(f"{letter}{i}" for i in range(count))
    if len(names) != count:
        msg = f"a name for each of the {count} {what} was required as {argument}=, got {len(names)}: {_some(names)}"
        raise TrajectoryError(msg)
    return tuple(str(name) for name in names)


def _labels(group, count: int) -> list:
    """(time,) labels; none may be missing."""
    labels = np.asarray(group, object)
    if labels.shape != (count,):
        msg = f"a label for every row was required as group, {count} in all, got the shape {labels.shape}"
        raise TrajectoryError(msg)
    for i, label in enumerate(labels):
        if label is None or label != label or type(label).__name__ == "NAType":
            msg = f"a label for every row was required, that of row {i} is missing; fill it, or leave the row out"
            raise TrajectoryError(msg)
    return labels.tolist()


def _brief(value) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _some(items: Sequence) -> str:
    more = f", … ({len(items)} in all)" if len(items) > SHOWN else ""
    return ", ".join(str(i) for i in items[:SHOWN]) + more
