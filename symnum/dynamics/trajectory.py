"""Measured trajectories: checked once, then trusted.

    Trajectories.of(x, t, names=["prey", "predator"])      one trajectory (time, state), several as lists, or a DataFrame

The ways in are in `samples`, the checks in `samples_check`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from symnum.dynamics.samples import Samples, TrajectoryError, from_arrays, from_frame, from_rows
from symnum.dynamics.samples_check import checked

__all__ = ["HOLDOUT_FROM", "Trajectories", "Trajectory", "TrajectoryError"]

HOLDOUT_FROM = 5  # from so many trajectories on, some are held out


@dataclass(frozen=True, eq=False)
class Trajectory:
    """One trajectory.

    Attributes:
        t: (n,) increasing times.
        x: (n, states) measured states; NaN where a sample is missing.
        u: (n, inputs) what acts from outside, never missing; between samples it is linear.
        label: what it is called in messages.
    """

    t: np.ndarray
    x: np.ndarray
    u: np.ndarray
    label: str = ""

    def __len__(self) -> int:
        return len(self.t)


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Trajectories of one system.

    Attributes:
        items: the trajectories.
        states: the names of the states.
        inputs: the names of the inputs.
        time: the name of the time.
        notes: what the reader of a result should know, e.g. how much is missing.

    >>> t = np.linspace(0, 1, 5)
    >>> data = Trajectories.of(np.exp(-t), t, names=["x"])
    >>> len(data), data.rows, data.states
    (1, 5, ('x',))
    """

    items: tuple[Trajectory, ...]
    states: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    time: str = "t"
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        x,
        t=None,
        *,
        names: Sequence[str] | None = None,
        u=None,
        inputs: Sequence[str] | None = None,
        group=None,
    ) -> "Trajectories":
        """Trajectories from arrays or a DataFrame.

        Args:
            x: (time, states), (time,) for one state, a list of such arrays, or a DataFrame; NaN where a sample is missing.
            t: (time,), a list of such arrays, one for all trajectories, or, of a DataFrame, the name of its column of times.
            names: of the states; of a DataFrame, the columns that are states (by default all others).
            u: (time, inputs), (time,), or a list of such; of a DataFrame, the names of the columns that are inputs.
            inputs: names of the inputs.
            group: of a DataFrame, the column that tells trajectories apart; of arrays, (time,) labels.

        A list of arrays is a list of trajectories; a list of plain rows `[[1, 2], [3, 4], …]` is one trajectory, unless t is a list of
        lists. Trajectories are already what they should be and are given back.

        Raises:
            TrajectoryError: the time does not increase, a trajectory has a single sample, a shape or a name is wrong, numbers are
                not finite …; rows are counted from 0, as arrays are.

        >>> Trajectories.of(np.zeros((3, 200)), np.arange(200))
        Traceback (most recent call last):
        symnum.dynamics.samples.TrajectoryError: x of shape (time, states) was required, it has 3 along axis 0 (time) and 200 along \
axis 1 (states) while t has 200: it looks transposed, give x.T
        """
        if isinstance(x, Trajectories):
            return x._as_given(t, names, u, inputs, group)
        read = from_frame if hasattr(x, "columns") else from_arrays
        return cls._of_samples(read(x, t, u, names, inputs, group))

    @classmethod
    def of_rows(
        cls,
        t: np.ndarray,
        x: np.ndarray,
        *,
        states: Sequence[str],
        u: np.ndarray | None = None,
        inputs: Sequence[str] = (),
        labels: Sequence | None = None,
        time: str = "t",
        first: int = 0,
    ) -> "Trajectories":
        """Trajectories from the rows of a table.

        Args:
            t: (rows,) times.
            x: (rows, states), NaN where a sample is missing.
            states: names of the states.
            u: (rows, inputs).
            inputs: names of the inputs.
            labels: (rows,) which trajectory each row is of; its rows need not be neighbours.
            time: the name of the time.
            first: the number of the first row in messages.

        Raises:
            TrajectoryError: see `of`.
        """
        u = np.zeros((len(t), 0)) if u is None else u
        return cls._of_samples(from_rows(t, x, u, labels, states, inputs, time, first))

    @classmethod
    def _of_samples(cls, samples: Samples) -> "Trajectories":
        notes = checked(samples)
        parts = zip(samples.slices(), samples.labels, strict=True)
        items = tuple(Trajectory(samples.t[part], samples.x[part], samples.u[part], label) for part, label in parts)
        return cls(items, samples.states, samples.inputs, samples.time, notes)

    def _as_given(self, *others) -> "Trajectories":
        if any(other is not None for other in others):
            msg = "Trajectories bring their times, names, inputs and groups: t, names, u, inputs and group were required to be None"
            raise TrajectoryError(msg)
        return self

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self):
        return iter(self.items)

    @property
    def columns(self) -> tuple[str, ...]:
        """What right-hand sides may use: the states and the inputs."""
        return self.states + self.inputs

    @property
    def rows(self) -> int:
        """Samples in all."""
        return sum(map(len, self.items))

    @cached_property
    def scale(self) -> np.ndarray:
        """(states,) the root mean square of every state, 1 where it is zero."""
        x = np.concatenate([item.x for item in self.items])
        largest = np.nanmax(np.abs(x), axis=0)
        largest = np.where(largest > 0, largest, 1.0)
        size = largest * np.sqrt(np.nanmean((x / largest) ** 2, axis=0))  # squares of what is near the ends of float64 are not
        return np.where(size > 0, size, 1.0)

    @cached_property
    def fingerprint(self) -> str:
        """Of names and numbers: a resumed run must have the same."""
        digest = hashlib.sha256(repr((self.states, self.inputs, self.time, [len(item) for item in self.items])).encode())
        for item in self.items:
            for array in (item.t, item.x, item.u):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def take(self, index: Sequence[int]) -> "Trajectories":
        """Some of the trajectories."""
        return replace(self, items=tuple(self.items[i] for i in index))

    def split(self, share: float | None = None, seed: int = 0) -> tuple["Trajectories", "Trajectories"]:
        """Training trajectories, at least one, and those held out: by default a fifth of them where there are at least five.

        Raises:
            TrajectoryError: the share is not from 0 to below 1.
        """
        share = (0.2 if len(self) >= HOLDOUT_FROM else 0.0) if share is None else share
        if not 0 <= share < 1:
            msg = f"a share of the trajectories to hold out from 0 to below 1 was required, got {share:g}"
            raise TrajectoryError(msg)
        order = np.random.default_rng([seed, 3]).permutation(len(self))
        cut = max(1, len(self) - int(round(share * len(self))))
        return self.take(sorted(order[:cut])), self.take(sorted(order[cut:]))

