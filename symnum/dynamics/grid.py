"""Fields measured on grids in space and time: checked once, then projected on compact windows.

    Field.of(u, t, (x,))                          one field (time, x), one coordinate
    Field.of((u, v), t, (x, y), names=["u", "v"])  two fields (time, x, y)
    windows = Windows.spread(field, widths=[5, 10])   in points, time first
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

AXES = ("x", "y", "z")
LEAST = 12  # points along an axis: fewer hold no window with room to move
UNEVEN = 1e-3  # steps that differ by less, relative to their mean, are equal: coordinates are often stored with four digits
SLAB = 1 << 21  # numbers of one field that are in use at a time


class FieldError(ValueError):
    """A field that cannot be used: what was required, what was given and what to try."""


@dataclass(frozen=True)
class Field:
    """Named fields on one grid.

    Attributes:
        names: of the fields.
        values: one array (time, x[, y[, z]]) per field, float32 or float64, maybe mapped from a file; NaN = missing.
        t: (time,) increasing.
        axes: the coordinates along x, y, z, increasing.
        labels: names of the coordinates.
        periodic: per axis, whether the last point is followed by the first.

    >>> x, t = np.arange(64) / 64, np.linspace(0, 1, 20)
    >>> field = Field.of(np.sin(2 * np.pi * (x - t[:, None])), t, (x,))
    >>> field.shape, field.periodic, field.names
    ((20, 64), (True,), ('u',))
    """

    names: tuple[str, ...]
    values: tuple[np.ndarray, ...]
    t: np.ndarray
    axes: tuple[np.ndarray, ...]
    labels: tuple[str, ...]
    periodic: tuple[bool, ...]

    @classmethod
    def of(cls, u, t, axes, *, names: Sequence[str] | None = None, labels: Sequence[str] | None = None,
           periodic: bool | Sequence[bool] | None = None) -> "Field":
        """Fields from arrays.

        Args:
            u: (time, x[, y[, z]]); several fields as a list or tuple of such arrays; a complex one becomes two, real and imaginary part.
            t: (time,) increasing times.
            axes: the coordinates of the grid, one array per axis of space (one array alone for one axis).
            names: of the fields; of a complex field `psi` the parts are called psi_re and psi_im.
            labels: of the coordinates; x, y, z by default.
            periodic: for all axes or one per axis; None: seen in the data.

        Raises:
            FieldError: see the class.
        """
        arrays = list(u) if isinstance(u, list | tuple) else [u]
        axes = tuple(axes) if isinstance(axes, list | tuple) and len(axes) and np.ndim(axes[0]) else (axes,)
        axes = tuple(np.asarray(a, float) for a in axes)
        t = np.asarray(t, float)
        labels = AXES[: len(axes)] if labels is None else tuple(labels)
        if not 1 <= len(axes) <= len(AXES) or len(labels) != len(axes):
            raise FieldError(f"one to three axes of space with one name each were required, got {len(axes)} axes and {len(labels)} names")
        names = tuple(names) if names is not None else ("u", "v", "w")[: len(arrays)] if len(arrays) <= 3 else tuple(
            f"u{i}" for i in range(len(arrays)))
        if len(names) != len(arrays):
            raise FieldError(f"one name per field was required, got {len(arrays)} fields and the names {', '.join(names)}")
        _check_coordinate("t", t)
        for label, axis in zip(labels, axes, strict=True):
            _check_coordinate(label, axis)
        names, arrays = _real_parts(names, [_array(a, name) for a, name in zip(arrays, names, strict=True)])
        _check_names(names, labels)
        for name, a in zip(names, arrays, strict=True):
            _check_shape(name, a, t, axes, labels)
        given = [periodic] * len(axes) if periodic is None or isinstance(periodic, bool | np.bool_) else list(periodic)
        if len(given) != len(axes):
            raise FieldError(f"periodic requires one yes or no per axis, {len(axes)} in all, got {len(given)}")
        kept, closed = list(axes), []
        for k, axis in enumerate(axes):
            even = _even(axis)
            if given[k] and not even:
                raise FieldError(f"a periodic axis requires equal steps, those of {labels[k]} differ; resample it, or say periodic=False")
            repeated = even and given[k] is not False and all(_repeats(a, k + 1) for a in arrays)
            open_ = [a[(slice(None),) * (k + 1) + (slice(0, -1),)] for a in arrays] if repeated else arrays
            closed.append(bool(given[k]) if given[k] is not None else even and all(_wraps(a, k + 1) for a in open_))
            if repeated and closed[-1]:  # the point that closes the period is there twice
                kept[k] = axis[:-1]
                arrays = open_
        return cls(names, tuple(arrays), t, tuple(kept), labels, tuple(closed))

    @property
    def shape(self) -> tuple[int, ...]:
        """Points along time and the axes of space."""
        return self.values[0].shape

    @property
    def coordinates(self) -> tuple[np.ndarray, ...]:
        """Time, then the axes of space."""
        return (self.t, *self.axes)

    @property
    def steps(self) -> tuple[float, ...]:
        """Mean steps of time and of the axes of space."""
        return tuple(float(np.mean(np.diff(c))) for c in self.coordinates)

    @property
    def points(self) -> int:
        """Points of the grid, times included."""
        return int(np.prod(self.shape))

    @cached_property
    def scale(self) -> np.ndarray:
        """(fields,) root mean squares, from at most some hundred thousand points."""
        return np.array([np.sqrt(np.nanmean(np.asarray(_thin(a), float) ** 2)) for a in self.values])

    @cached_property
    def fingerprint(self) -> str:
        """Of names and numbers."""
        digest = hashlib.sha256(repr((self.names, self.labels, self.periodic)).encode())
        for c in self.coordinates:
            digest.update(np.ascontiguousarray(c).tobytes())
        for a in self.values:
            for block in a:
                digest.update(np.ascontiguousarray(block).tobytes())
        return digest.hexdigest()

    def until(self, share: float) -> tuple["Field", "Field | None"]:
        """The first part of the time range and the rest (which begins with the last sample of the first), or None where too short."""
        cut = int(round(share * len(self.t)))
        if len(self.t) - cut < 2 or cut < LEAST:
            return self, None
        first = replace(self, t=self.t[:cut], values=tuple(a[:cut] for a in self.values))
        return first, replace(self, t=self.t[cut - 1:], values=tuple(a[cut - 1:] for a in self.values))

    @cached_property
    def noise(self) -> np.ndarray:
        """(fields,) the standard deviation of white noise, from the highest frequencies of space and time; an upper bound.

        A field that is smooth on its grid has nothing there but noise. The median of squares is robust against sharp fronts.
        """
        return np.array([_noise(a, self.periodic) for a in self.values])


# checks ---------------------------------------------------------------------------------------------------------------
def _array(a, name: str) -> np.ndarray:
    a = np.asanyarray(a)
    if a.dtype.kind not in "fciub":
        raise FieldError(f"the field {name} requires numbers, got {a.dtype}")
    return a if a.dtype in (np.float32, np.float64) or a.dtype.kind == "c" else a.astype(float)


def _real_parts(names, arrays):
    """Complex fields as two real ones."""
    out: list[tuple[str, np.ndarray]] = []
    for name, a in zip(names, arrays, strict=True):
        out += [(f"{name}_re", a.real), (f"{name}_im", a.imag)] if a.dtype.kind == "c" else [(name, a)]
    return tuple(name for name, _ in out), [a for _, a in out]


def _check_names(names, labels):
    taken = [*names, *labels, "t"]
    for name in taken:
        if taken.count(name) > 1:
            raise FieldError(f"names that differ were required for fields, coordinates and the time t, got {name} twice")
        if not str(name).isidentifier():
            raise FieldError(f"names of letters, digits and _ were required, got {name!r}")


def _check_coordinate(label: str, c: np.ndarray) -> None:
    if c.ndim != 1:
        raise FieldError(f"the coordinate {label} requires one dimension, got the shape {c.shape}; of a mesh give one line of points")
    if len(c) < 2:
        raise FieldError(f"at least {LEAST} points along {label} were required, got {len(c)}")
    if not np.isfinite(c).all():
        raise FieldError(f"finite coordinates {label} were required, got {int((~np.isfinite(c)).sum())} that are not")
    bad = np.flatnonzero(np.diff(c) <= 0)
    if len(bad):
        i = int(bad[0])
        raise FieldError(f"increasing {label} was required, got {c[i]:g} followed by {c[i + 1]:g} at index {i}")
    if len(c) < LEAST:
        raise FieldError(f"at least {LEAST} points along {label} were required, got {len(c)}")


def _check_shape(name, a, t, axes, labels):
    wanted = (len(t), *map(len, axes))
    if a.ndim != len(wanted):
        said = ", ".join(("time", *labels))
        raise FieldError(f"the field {name} requires {len(wanted)} dimensions ({said}), got {a.ndim} of the shape {a.shape}")
    for k, (label, got, want) in enumerate(zip(("t", *labels), a.shape, wanted, strict=True)):
        if got != want:
            hint = "; time comes first: transpose it" if sorted(a.shape) == sorted(wanted) else ""
            raise FieldError(f"dimension {k} of the field {name} (along {label}) requires {want} values as {label} has, got {got}{hint}")
    seen = np.asarray(_thin(a), float)
    if np.isinf(seen).any():
        raise FieldError(f"finite values of the field {name} were required (NaN where missing), got Inf")
    if not np.isfinite(seen).any():
        raise FieldError(f"the field {name} has no value at all: every one is NaN")
    if np.nanmax(seen) == np.nanmin(seen):
        raise FieldError(f"the field {name} is constant ({np.nanmax(seen):g}): it tells nothing about an equation")


def _even(c: np.ndarray) -> bool:
    d = np.diff(c)
    return bool(np.ptp(d) <= UNEVEN * d.mean())


def _rms(a) -> float:
    a = a[np.isfinite(a)]
    return float(np.sqrt(np.mean(a**2))) if len(a) else np.inf


def _repeats(a: np.ndarray, axis: int) -> bool:
    """The last point is the first once more, to rounding: no noise could do that."""
    some = a[:: max(1, len(a) // 32)]
    first, last = (np.asarray(np.take(some, i, axis), float) for i in (0, -1))
    return _rms(last - first) <= 1e-6 * _rms(np.asarray(_thin(a), float))


def _wraps(a: np.ndarray, axis: int) -> bool:
    """The jump of value and of slope from the end to the beginning is like such jumps within.

    Both from straight lines through some points on either side, few and many: many are means over noise, few see sharp fronts.
    """
    n = a.shape[axis]
    some = np.moveaxis(a[(slice(None, None, max(1, len(a) // 64)),) + tuple(
        slice(None) if k == axis else slice(None, None, max(1, a.shape[k] // 32)) for k in range(1, a.ndim))], axis, -1)
    some = np.asarray(some, float).reshape(-1, n)
    some = some[np.isfinite(some).all(axis=1)]
    return len(some) > 0 and all(_joins(some, side) for side in {max(3, n // 32), max(3, n // 16), max(3, n // 8)})


def _joins(rows: np.ndarray, side: int) -> bool:
    """See `_wraps`, with lines through `side` points."""
    n = rows.shape[1]
    s = np.arange(side) + 0.5
    slope = (s - s.mean()) / np.sum((s - s.mean()) ** 2)
    value = 1 / side - s.mean() * slope  # of the line at s = 0, between the sides
    jump, kink = np.zeros((2, *rows.shape))
    for k in range(side):  # points after each place, and before it
        after, before = np.roll(rows, -k, axis=1), np.roll(rows, k + 1, axis=1)
        jump += value[k] * (after - before)
        kink += slope[k] * (after + before)
    jump, kink = np.sqrt(np.mean(jump**2, axis=0)), np.sqrt(np.mean(kink**2, axis=0))
    inside, size = slice(side, n - side + 1), 1e-9 * _rms(rows)
    return bool(jump[0] <= 1.2 * jump[inside].max() + size and kink[0] <= 1.2 * kink[inside].max() + size / side)


def _thin(a: np.ndarray, most: int = 400_000) -> np.ndarray:
    """A view of some of the points; strides are odd, lest they meet a period of the grid."""
    stride = 1
    while a.size // stride**a.ndim > most:
        stride += 2 if stride % 2 else 1
    return a[(slice(None, None, stride),) * a.ndim]


def _noise(a: np.ndarray, periodic) -> float:
    """See `Field.noise`: fourth differences along every axis at once, on a block of at most some hundred thousand points."""
    block = a
    while block.size > 400_000:
        k = int(np.argmax(block.shape))
        keep = max(LEAST, block.shape[k] // 2)
        block = np.take(block, range((block.shape[k] - keep) // 2, (block.shape[k] + keep) // 2), k)
    block = np.asarray(block, float)
    gain = 1.0
    for axis in range(block.ndim):
        block, gain = np.diff(block, 4, axis), gain * 70.0  # 70 = 1 + 16 + 36 + 16 + 1
    block = block[np.isfinite(block)]
    return float(np.median(np.abs(block)) / 0.6744897501960817 / np.sqrt(gain)) if len(block) else 0.0


# windows --------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class AxisWindows:
    """Bumps (1 - s²)^p, s in [-1, 1], along one axis, with the weights of the trapezoid rule.

    Attributes:
        c: (n,) the coordinate.
        centres: (windows,) indices of their midpoints.
        reach: half their width in points.
        power: p.
        wraps: whether they reach across the end.
    """

    c: np.ndarray
    centres: np.ndarray
    reach: int
    power: int
    wraps: bool

    def matrix(self, order: int, factor: Callable[[np.ndarray], np.ndarray] | None = None, parity: bool = False) -> np.ndarray:
        """(windows, n): row w times values gives ∫ values (−1)^order dᵏ/dcᵏ[bump] dc; the part that integration by parts leaves.

        Args:
            order: k, at most p - 1.
            factor: of every point (an explicit coordinate under the derivative: ∂ᵏ(f·u)).
            parity: every second point counts negative. Of a smooth field nothing is left but the error of the sum, of white
                noise as much as without.
        """
        n = len(self.c)
        step = float(np.mean(np.diff(self.c)))
        if self.wraps or _even(self.c):
            offset = np.arange(-self.reach, self.reach + 1)
            row = bump(offset / (self.reach + 1), self.power, order) * (-1) ** order * step / (step * (self.reach + 1)) ** order
            out = np.zeros((len(self.centres), n))
            index = (self.centres[:, None] + offset[None]) % n
            np.add.at(out, (np.arange(len(self.centres))[:, None], index), row[None])
        else:
            from scipy.interpolate import CubicSpline

            # the trapezoid rule over the number of the point: exact to all orders for bumps where the grid is stretched smoothly
            quadrature = CubicSpline(np.arange(n), self.c)(np.arange(n), 1)
            half = step * (self.reach + 1)
            s = (self.c[None] - self.c[self.centres][:, None]) / half
            out = np.where(np.abs(s) < 1, bump(np.clip(s, -1, 1), self.power, order), 0.0) * (-1) ** order / half**order * quadrature
        if factor is not None:
            out = out * factor(self.c)
        return out * (1 - 2 * (np.arange(n) % 2)) if parity else out


def bump(s: np.ndarray, power: int, order: int = 0) -> np.ndarray:
    """The derivative of (1 − s²)^p with respect to s, of the given order.

    >>> bump(np.array([0.0, 0.5]), 2, 1).tolist()
    [0.0, -1.5]
    """
    from numpy.polynomial import polynomial

    inner = polynomial.polypow([1.0, 0.0, -1.0], power)
    return polynomial.polyval(s, polynomial.polyder(inner, order) if order else inner)


@dataclass(frozen=True)
class Windows:
    """Windows of one width: all combinations of windows along time and the axes of space.

    Attributes:
        parts: along time, x, y, z.

    >>> x, t = np.arange(64) / 64, np.linspace(0, 1, 40)
    >>> field = Field.of(np.sin(2 * np.pi * (x - t[:, None])), t, (x,))
    >>> windows = Windows.spread(field, [8, 8])
    >>> a = windows.project(field.values[0], [(1, 0)])[0] + windows.project(field.values[0], [(0, 1)])[0]   # u_t + u_x
    >>> bool(np.abs(a).max() < 1e-5)
    True
    """

    parts: tuple[AxisWindows, ...]

    @classmethod
    def spread(cls, field: Field, widths: Sequence[int], *, powers: Sequence[int] | None = None, most: int = 900) -> "Windows":
        """Windows over the whole grid, a quarter of a half width apart, or farther where they would be more than `most`.

        Args:
            widths: half widths in points, time first.
            powers: p per axis; 8 by default.
        """
        powers = [8] * len(widths) if powers is None else powers
        most_reach = [(n - 1) // 2 - 1 if wraps else (n - 1) // 3 for n, wraps in zip(field.shape, (False, *field.periodic), strict=True)]
        reaches = [int(min(max(w, 3), m)) for w, m in zip(widths, most_reach, strict=True)]
        rooms = [n if wraps else n - 2 * r for n, r, wraps in zip(field.shape, reaches, (False, *field.periodic), strict=True)]
        counts = np.array([max(2.0, room / max(1.0, r / 4)) for room, r in zip(rooms, reaches, strict=True)])
        while np.prod(np.floor(counts)) > most and (counts > 2).any():
            counts = np.maximum(2.0, counts * 0.95)
        parts = []
        for c, reach, room, count, wraps, p in zip(field.coordinates, reaches, rooms, np.floor(counts).astype(int),
                                                  (False, *field.periodic), powers, strict=True):
            if wraps:
                centres = np.floor(np.arange(count) * len(c) / count).astype(int)
            else:
                centres = np.unique(np.round(np.linspace(reach, reach + room - 1, count)).astype(int))
            parts.append(AxisWindows(c, centres, reach, int(p), wraps))
        return cls(tuple(parts))

    @property
    def shape(self) -> tuple[int, ...]:
        """Windows along time and the axes of space."""
        return tuple(len(part.centres) for part in self.parts)

    def project(self, values, orders: Sequence[tuple[int, ...]], factors: Sequence[Callable | None] | None = None,
                parity: Sequence[bool] | None = None) -> np.ndarray:
        """(len(orders), windows) projections of ∂^orders of an array, or of a function of a slice of times that gives a part of it.

        Args:
            values: (time, x, …) or a function (slice) -> such an array; it is asked for a few times at once, which bounds the memory.
            orders: derivatives along (time, x, …) per projection.
            factors: per axis, of the coordinate.
            parity: per axis, see `AxisWindows.matrix`.
        """
        dims = len(self.parts)
        factors = [None] * dims if factors is None else factors
        parity = [False] * dims if parity is None else parity
        wanted = [sorted({o[k] for o in orders}) for k in range(dims)]
        matrices = [{o: part.matrix(o, factor, odd) for o in needed}
                    for part, factor, odd, needed in zip(self.parts, factors, parity, wanted, strict=True)]
        n = [len(part.c) for part in self.parts]
        slab = max(1, SLAB // int(np.prod(n[1:])))
        space = sorted({o[1:] for o in orders})
        sums = {o: np.zeros(self.shape) for o in orders}
        for start in range(0, n[0], slab):
            times = slice(start, min(n[0], start + slab))
            block = values(times) if callable(values) else values[times]
            for s, part in _contract(np.asarray(block), matrices[1:], space):
                for o in orders:
                    if o[1:] == s:
                        sums[o] += np.tensordot(matrices[0][o[0]][:, times], part, 1)
        return np.stack([sums[o].ravel() for o in orders])


def _contract(block, matrices, space):
    """Projections along the axes of space, the last axis first; what is common to several orders is done once."""
    done = {(): block}
    for k in range(len(matrices) - 1, -1, -1):
        known = {}
        for rest, a in done.items():
            for o in sorted({s[k] for s in space if s[k + 1:] == rest}):
                m = matrices[k][o].astype(a.dtype)
                known[(o, *rest)] = np.moveaxis(np.tensordot(a, m, ([k + 1], [1])), -1, k + 1)
        done = known
    return done.items()


def corner(field: Field) -> tuple[float, ...]:
    """Angular wavenumbers per axis (time first), in 1/points, up to which the field differs from noise.

    Where the cumulative spectrum bends: the best fit of two straight lines (D. Messenger and D. Bortz, Weak SINDy for partial
    differential equations, J. Comput. Phys. 443 (2021) 110525, doi:10.1016/j.jcp.2021.110525).
    """
    out = []
    for k, n in enumerate(field.shape):
        total = np.zeros(n // 2 + 1)
        for a, scale in zip(field.values, field.scale, strict=True):
            a = a[tuple(slice(None) if axis == k else slice(None, None, max(1, a.shape[axis] // 48)) for axis in range(a.ndim))]
            a = np.nan_to_num(np.asarray(a, float))
            if k == 0 or not field.periodic[k - 1]:  # a ramp is no oscillation: without it the ends meet
                ends = [np.take(a, [i], k) for i in (0, -1)]
                shape = [1] * a.ndim
                shape[k] = n
                a = a - ends[0] - (ends[1] - ends[0]) * np.linspace(0, 1, n).reshape(shape)
            total += np.abs(np.fft.rfft(a, axis=k)).mean(axis=tuple(i for i in range(a.ndim) if i != k)) / scale
        out.append(2 * np.pi * _bend(np.cumsum(total[1:])) / n)
    return tuple(out)


def _bend(y: np.ndarray) -> int:
    """1 + the index where two straight lines, one up to it and one from it, fit best."""
    n = len(y)
    x = np.arange(1, n + 1, dtype=float)
    y = y / y[-1]
    best, found = np.inf, 1
    for i in range(1, n - 1):
        left = np.abs(np.interp(x[: i + 1], [x[0], x[i]], [y[0], y[i]]) - y[: i + 1]).sum()
        right = np.abs(np.interp(x[i:], [x[i], x[-1]], [y[i], y[-1]]) - y[i:]).sum()
        if left + right < best:
            best, found = left + right, i + 1
    return found
