"""What every search in dynamics may rely on: times that increase, finite numbers, names that differ; and what is worth knowing besides.

Faults raise `TrajectoryError`. What is no fault but may surprise (missing samples, states that never change) comes back as notes.
"""

from collections import Counter

import numpy as np

from symnum.dynamics.samples import LEAST, SHOWN, Samples, TrajectoryError


def checked(samples: Samples) -> tuple[str, ...]:
    """Notes on samples that can be used.

    Raises:
        TrajectoryError: they cannot.
    """
    _check_names(samples)
    for k, size in enumerate(samples.sizes):
        if size < LEAST:
            only = "one sample" if size else "none"
            msg = f"at least {LEAST} samples{samples.of(k)} were required, got {only}; what moves is seen at several times"
            raise TrajectoryError(msg)
    _check_times(samples)
    _check_finite(samples)
    present = np.add.reduceat(~np.isnan(samples.x), samples.starts, axis=0, dtype=np.int64)
    for k, j in np.argwhere(present < LEAST):
        advice = f"leave the {'trajectory' if len(samples.labels) > 1 else 'state'} out"
        msg = (f"at least {LEAST} samples of every state were required, "
               f"all but {present[k, j]} of state {samples.states[j]!r}{samples.of(k)} are missing; {advice}")
        raise TrajectoryError(msg)
    return (*_missing(samples), *_constant(samples))


def _check_names(samples: Samples) -> None:
    names = (*samples.states, *samples.inputs, samples.time)
    if not samples.states:
        msg = "at least one state was required, got none"
        raise TrajectoryError(msg)
    if any(not name.strip() for name in names):
        msg = "a name for every state and input was required, got an empty one"
        raise TrajectoryError(msg)
    if again := [name for name, count in Counter(names).items() if count > 1]:
        role = "the time has it too; rename the state or input" if again[0] == samples.time else "rename one"
        msg = f"different names of states, inputs and time were required, got {again[0]!r} twice: {role}"
        raise TrajectoryError(msg)


def _check_times(samples: Samples) -> None:
    """Finite, and rising within every trajectory."""
    t, name = samples.t, samples.time
    if not (finite := np.isfinite(t)).all():
        faults = np.flatnonzero(~finite)
        msg = f"a finite {name} at every sample was required, got {t[faults[0]]} in {_places(samples, faults)}; leave these rows out"
        raise TrajectoryError(msg)
    back = t[1:] <= t[:-1]
    back[samples.starts[1:] - 1] = False  # from one trajectory to the next
    if not back.any():
        return
    i = int(np.argmax(back))
    k = int(np.searchsorted(samples.starts, i, side="right")) - 1
    steps = back[samples.slices()[k]][: samples.sizes[k] - 1]
    got = f"{name} = {t[i]:.10g} in row {samples.rows[i]} and {t[i + 1]:.10g} in {samples.at(i + 1)}"
    if t[i] == t[i + 1]:
        advice = "leave one of the two out or average them; where it is another experiment, label the rows of each (group)"
    elif len(steps) > 1 and steps.all():
        advice = "it falls throughout: reverse the samples, [::-1]"
    else:
        advice = "sort the rows by time; where another trajectory begins there, label the rows of each (group) or give a list of arrays"
    msg = f"a {name} that increases was required, got {got}; {advice}"
    raise TrajectoryError(msg)


def _check_finite(samples: Samples) -> None:
    """Inputs are numbers, states are numbers or missing."""
    for names, values, bad, wanted, advice in (
        (samples.inputs, samples.u, ~np.isfinite(samples.u), "an input that is a number at every sample", "fill it, or leave out the rows"),
        (samples.states, samples.x, np.isinf(samples.x), "a finite state", "leave it empty (NaN) if the sample is missing"),
    ):
        if bad.any():
            j = int(np.argmax(bad.any(axis=0)))
            faults = np.flatnonzero(bad[:, j])
            msg = f"{wanted} was required, got {values[faults[0], j]} in column {names[j]!r}, {_places(samples, faults)}; {advice}"
            raise TrajectoryError(msg)


def _places(samples: Samples, faults: np.ndarray) -> str:
    more = f", … ({len(faults)} in all)" if len(faults) > SHOWN else ""
    return ", ".join(samples.at(int(i)) for i in faults[:SHOWN]) + more


def _missing(samples: Samples) -> list[str]:
    """How much is missing of each state, and the longest run."""
    out = []
    ends = np.append(samples.starts, len(samples.t))
    for j, name in enumerate(samples.states):
        gone = np.isnan(samples.x[:, j])
        if gone.any():
            marks = np.unique(np.concatenate([np.flatnonzero(np.diff(gone)) + 1, ends]))  # runs end where a trajectory does
            runs = np.diff(marks) * gone[marks[:-1]]
            longest = int(np.argmax(runs))
            where = f", from {samples.at(int(marks[longest]))} on" if runs[longest] > 1 else ""
            out.append(f"{gone.sum()} of {len(gone)} samples of {name} are missing, at most {runs[longest]} in a row{where}")
    return out


def _constant(samples: Samples) -> list[str]:
    """States that never change."""
    high, low = (f.reduceat(samples.x, samples.starts, axis=0) for f in (np.fmax, np.fmin))
    still = (high == low).all(axis=0)
    out = []
    for j in np.flatnonzero(still):
        name, values = samples.states[j], high[:, j]
        if (values == values[0]).all():
            out.append(f"{name} never changes, it is {values[0]:.6g} throughout: {name}' = 0 describes it")
        else:
            out.append(f"{name} never changes within a trajectory: if it is a setting of the experiment, give it as an input")
    return out
