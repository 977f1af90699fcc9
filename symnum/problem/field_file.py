"""Fields on grids from a file: arrays, the coordinates of their axes, and which axis is which.

    read_field("burgers.npz") -> FieldFile(values={"u": (time, x)}, t, axes={"x": (x,)})

An .npz or .mat file holds the fields and, as one-dimensional arrays, the time and the coordinates. Axes are told by their lengths, so
that (x, t), as MATLAB's users write it, is read as well as (t, x). An .npy file holds one field and no coordinates.
"""

import itertools
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symnum.language.grammar_check import near
from symnum.problem.table import DataError

MOST = 4  # axes: time and three of space
SPACE = ("x", "y", "z")


@dataclass(frozen=True)
class FieldFile:
    """What a file of fields holds.

    Attributes:
        values: field -> array with the time first, then the axes of space in the order of `axes`; views or maps of the file, not copied.
        t: (time,) the times.
        axes: coordinate -> (points,) its values.
        notes: what the reader of a result should know, e.g. that axes of one length could be mistaken for each other.
    """

    values: Mapping[str, np.ndarray]
    t: np.ndarray
    axes: Mapping[str, np.ndarray]
    notes: tuple[str, ...] = ()


def read_field(path: str | Path, time: str = "t", fields: Sequence[str] | None = None) -> FieldFile:
    """Read fields from an .npz, .npy or .mat file.

    Args:
        path: the file.
        time: the array of times.
        fields: the arrays that are fields; all of two or more axes where None.

    Raises:
        DataError: the file cannot be read, an array is missing, or an axis fits no coordinate.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/f.npz", x=np.arange(5), t=np.arange(3), u=np.ones((5, 3)))
    ...     found = read_field(f"{folder}/f.npz")
    >>> found.values["u"].shape, list(found.axes)
    ((3, 5), ['x'])
    """
    path = Path(path)
    if not path.is_file():
        siblings = [p.name for p in path.parent.iterdir() if p.is_file()] if path.parent.is_dir() else []
        msg = f"an existing file was required, there is none at {path}{near(path.name, siblings)}"
        raise DataError(msg)
    reader = {".npz": _npz, ".npy": _npy, ".mat": _mat}.get(path.suffix.lower())
    if reader is None:
        msg = f"a field as .npz, .npy or .mat was required, got {path.name}; numpy.savez('field.npz', u=u, t=t, x=x) writes one"
        raise DataError(msg)
    arrays = {name: a for name, a in reader(path).items() if a.dtype.kind in "biufc" and a.size > 1}  # others describe, or are steps
    if path.suffix.lower() == ".npy":
        return _without_coordinates(path, arrays)
    lines = {name: a for name, a in arrays.items() if a.ndim == 1}
    values = {name: a for name, a in arrays.items() if a.ndim > 1} if fields is None else _chosen(path, arrays, fields)
    if time not in lines:
        msg = f"a line of times was required in {path.name}, there is no {time!r}{near(time, lines)}; it has {_shapes(arrays)}"
        raise DataError(msg)
    if not values:
        msg = f"a field of two or more axes was required in {path.name}, it has {_shapes(arrays)}"
        raise DataError(msg)
    space = sorted((n for n in lines if n != time), key=lambda n: SPACE.index(n) if n in SPACE else len(SPACE))
    return _arranged(path, values, lines, time, space)


def _arranged(path: Path, values: Mapping[str, np.ndarray], lines: Mapping[str, np.ndarray], time: str, space: Sequence[str]) -> FieldFile:
    """All fields with the time first and the same axes of space behind it."""
    out, notes, used = {}, [], None
    for name, a in values.items():
        orders = _orders(path, name, a, lines, time, space)
        order = orders[0]
        axes = tuple(n for n in space if n in order)
        if used not in (None, axes):
            msg = f"fields on one grid were required in {path.name}, {name!r} has the axes {', '.join(order)}, others {', '.join(used)}"
            raise DataError(msg)
        used = axes
        if len(orders) > 1:
            notes.append(f"axes of {name} have one length: {a.shape} was read as ({', '.join(order)})")
        out[name] = a.transpose([order.index(n) for n in (time, *axes)])
    return FieldFile(out, lines[time].astype(float), {n: lines[n].astype(float) for n in used}, tuple(notes))


def _orders(path: Path, name: str, a: np.ndarray, lines: Mapping[str, np.ndarray], time: str,
            space: Sequence[str]) -> list[tuple[str, ...]]:
    """The ways to read the axes of a field, by their lengths, most usual first: time first, time last, others."""
    have = ", ".join(f"{n} ({len(lines[n])})" for n in (time, *space))
    if a.ndim > MOST:
        msg = f"at most {MOST} axes, time and three of space, were required in {path.name}, {name!r} has the shape {a.shape}"
        raise DataError(msg)
    fits = [order for order in itertools.permutations((time, *space), a.ndim)
            if time in order and all(len(lines[n]) == size for n, size in zip(order, a.shape, strict=True))]
    if fits:
        return sorted(fits, key=lambda order: (order[0] != time, order[-1] != time))
    for axis, size in enumerate(a.shape):
        if size not in [len(lines[n]) for n in (time, *space)]:
            msg = (f"a coordinate for every axis was required in {path.name}, axis {axis} of {name!r} has {size} points, "
                   f"the coordinates are {have}")
            raise DataError(msg)
    msg = (f"a coordinate for every axis, {time!r} for one of them, was required in {path.name}, {name!r} has the shape {a.shape}, "
           f"the coordinates are {have}")
    raise DataError(msg)


def _without_coordinates(path: Path, arrays: Mapping[str, np.ndarray]) -> FieldFile:
    """One field with unit steps."""
    for a in arrays.values():
        if 2 <= a.ndim <= MOST:
            t, *axes = (np.arange(size, dtype=float) for size in a.shape)
            note = f"{path.name} has no coordinates: the first axis is the time, steps are 1; .npz files hold coordinates"
            return FieldFile({"u": a}, t, dict(zip(SPACE, axes, strict=False)), (note,))
    msg = f"an array of numbers with 2 to {MOST} axes (time first) was required in {path.name}, got {_shapes(arrays) or 'none'}"
    raise DataError(msg)


def _chosen(path: Path, arrays: Mapping[str, np.ndarray], fields: Sequence[str]) -> dict[str, np.ndarray]:
    for name in fields:
        if name not in arrays or arrays[name].ndim < 2:
            msg = f"fields of two or more axes were required in {path.name}, got {name!r}{near(name, arrays)}; it has {_shapes(arrays)}"
            raise DataError(msg)
    return {name: arrays[name] for name in fields}


def _shapes(arrays: Mapping[str, np.ndarray]) -> str:
    return ", ".join(f"{name} {a.shape}" for name, a in arrays.items()) or "no arrays of numbers"


# formats ----------------------------------------------------------------------------------------------------------------
def _npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(path, "an .npz file of numeric arrays", error) from error


def _npy(path: Path) -> dict[str, np.ndarray]:
    try:
        return {"u": np.load(path, mmap_mode="r", allow_pickle=False)}
    except (ValueError, EOFError) as error:
        raise _unreadable(path, "an .npy file of a numeric array", error) from error


def _mat(path: Path) -> dict[str, np.ndarray]:
    """MATLAB's matrices have two axes at least: those of one row or column are lines."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        found = loadmat(path)
    except NotImplementedError as error:  # version 7.3 is HDF5
        raise _unreadable(path, "a .mat file of MATLAB's version 7 or older (save -v7)", error) from error
    except (ValueError, TypeError, MatReadError) as error:
        raise _unreadable(path, "a .mat file", error) from error
    arrays = {name: a for name, a in found.items() if not name.startswith("__") and isinstance(a, np.ndarray)}
    return {name: a.ravel() if a.ndim == 2 and 1 in a.shape else a for name, a in arrays.items()}


def _unreadable(path: Path, wanted: str, error: Exception) -> DataError:
    return DataError(f"{wanted} was required, {path.name} cannot be read: {error}")
