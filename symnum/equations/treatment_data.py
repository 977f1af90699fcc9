"""Subjects under treatments, from a DataFrame or from trajectories: checked and brought into one panel."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from symnum.dynamics.trajectory import Trajectories, TrajectoryError
from symnum.equations.treatment_filter import Panel
from symnum.language.grammar_check import near

MOST_TREATMENTS = 50  # more categories are rather doses or numbers of subjects


@dataclass(frozen=True)
class Columns:
    """Which columns of a DataFrame are what; see `discover_treatment_ode`."""

    time: str | None = None
    treatment: str | None = None
    subject: str | None = None
    states: tuple[str, ...] | None = None
    covariates: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Cohort:
    """Subjects.

    Attributes:
        data: their states and inputs; both treatments and inputs hold from their sample to the next.
        treatment: per subject (n,) numbers of treatments.
        treatments: the treatments' names.
        covariates: (S, covariates).
        names: the covariates' names.
    """

    data: Trajectories
    treatment: tuple[np.ndarray, ...]
    treatments: tuple[Hashable, ...]
    covariates: np.ndarray
    names: tuple[str, ...]

    @property
    def panel(self) -> Panel:
        """The samples in one block."""
        items = self.data.items
        S, N, d = len(items), max(map(len, items)), len(self.data.states)
        y, h = np.full((S, N, d), np.nan), np.zeros((S, N - 1))
        treatment, z = np.zeros((S, N - 1), int), np.zeros((S, N - 1, len(self.data.inputs) + len(self.names)))
        for s, (item, arms) in enumerate(zip(items, self.treatment, strict=True)):
            n = len(item)
            y[s, :n], h[s, : n - 1], treatment[s, : n - 1] = item.x, np.diff(item.t), arms[:-1]
            z[s, : n - 1] = np.column_stack([item.u[:-1], np.tile(self.covariates[s], (n - 1, 1))])
        return Panel(y, h, treatment, z, np.array([len(i) for i in items]), self.data.scale)


def cohort(data, columns: Columns, treatment=None, covariates: Mapping[str, Sequence[float]] | None = None,
           known: Cohort | None = None) -> Cohort:
    """Subjects from a DataFrame or from trajectories.

    Args:
        data: DataFrame or Trajectories.
        columns: of a DataFrame, which columns are what.
        treatment: of trajectories, per trajectory one label or one for each sample.
        covariates: of trajectories, by name a number for each.
        known: subjects whose states, inputs, covariates and treatments these must have too.

    Raises:
        TrajectoryError: anything that cannot be used; the message says where.
    """
    if isinstance(data, Trajectories):
        made = _from_trajectories(data, treatment, covariates or {})
    elif hasattr(data, "columns"):
        made = _from_frame(data, columns)
    else:
        msg = f"a DataFrame or Trajectories was required, got {type(data).__name__}; arrays become `Trajectories.of(x, t)`"
        raise TrajectoryError(msg)
    if not np.isfinite(made.covariates).all():
        s, j = np.argwhere(~np.isfinite(made.covariates))[0]
        msg = f"finite covariates were required, {made.names[j]!r} of subject {made.data.items[s].label!r} is {made.covariates[s, j]}"
        raise TrajectoryError(msg)
    return made if known is None else _as_known(made, known)


def _from_frame(frame, columns: Columns) -> Cohort:
    roles = [("column of treatments", columns.treatment), ("covariate", None), *(("covariate", c) for c in columns.covariates)]
    have = [str(c) for c in frame.columns]
    for role, name in roles:
        if name is not None and name not in frame.columns:
            msg = f"the {role} must be a column of the DataFrame ({', '.join(have)}), got {name!r}{near(str(name), have)}"
            raise TrajectoryError(msg)
    code, treatments = np.zeros(len(frame)), ("all",)
    if columns.treatment is not None:
        code, treatments = _codes(frame[columns.treatment].tolist())
    special = {columns.time, columns.subject, columns.treatment, *columns.covariates, *columns.inputs}
    states = columns.states if columns.states is not None else tuple(c for c in frame.columns if c not in special)
    name = columns.treatment if columns.treatment is not None else "treatment "
    u = [*columns.inputs, *columns.covariates, name]
    read = Trajectories.of(frame.assign(**{name: code}) if isinstance(name, str) else frame, columns.time, names=list(states), u=u,
                           group=columns.subject)
    q, v = len(columns.inputs), len(columns.covariates)
    values = []
    for item in read:
        part = item.u[:, q : q + v]
        if (moving := np.flatnonzero(np.ptp(part, axis=0) > 0)).size:
            c = columns.covariates[moving[0]]
            msg = (f"covariates that are the same at all samples of a subject were required, {c!r} of subject {item.label!r} changes; "
                   "give it as an input")
            raise TrajectoryError(msg)
        values.append(part[0])
    items = tuple(replace(item, u=item.u[:, :q]) for item in read)
    return Cohort(replace(read, items=items, inputs=tuple(map(str, columns.inputs))), tuple(i.u[:, -1].astype(int) for i in read),
                  treatments, np.array(values).reshape(len(items), v), tuple(map(str, columns.covariates)))


def _from_trajectories(data: Trajectories, treatment, covariates: Mapping[str, Sequence[float]]) -> Cohort:
    labels: list = []
    if treatment is None:
        treatment = ["all"] * len(data)
    if isinstance(treatment, str) or len(treatment) != len(data):
        msg = f"treatments of {len(data)} trajectories were required, one label or one for each sample, got {treatment!r:.60}"
        raise TrajectoryError(msg)
    for item, given in zip(data, treatment, strict=True):
        single = isinstance(given, str) or np.ndim(given) == 0
        listed = [given] * len(item) if single else list(given)
        if len(listed) != len(item):
            msg = f"a treatment for each of the {len(item)} samples of trajectory {item.label!r} was required, got {len(listed)}"
            raise TrajectoryError(msg)
        labels += listed
    code, treatments = _codes(labels)
    cuts = np.cumsum([len(item) for item in data])[:-1]
    values = []
    for name, column in covariates.items():
        column = np.asarray(column, float)
        if column.shape != (len(data),):
            msg = f"a value of covariate {name!r} for each of {len(data)} trajectories was required, got the shape {column.shape}"
            raise TrajectoryError(msg)
        values.append(column)
    if twice := sorted(set(covariates) & set(data.columns)):
        msg = f"covariates with names of their own were required, {twice[0]!r} is a state or an input"
        raise TrajectoryError(msg)
    return Cohort(data, tuple(np.split(code.astype(int), cuts)), treatments,
                  np.column_stack(values) if values else np.zeros((len(data), 0)), tuple(covariates))


def _codes(labels: list) -> tuple[np.ndarray, tuple[Hashable, ...]]:
    """(rows,) numbers of the labels in order of their names, and the labels."""
    for k, label in enumerate(labels):
        if label is None or label != label:
            msg = f"a treatment for every sample was required, that of row {k} is missing; name the absence of one, e.g. 'none'"
            raise TrajectoryError(msg)
    labels = [label.item() if hasattr(label, "item") else label for label in labels]
    found = tuple(sorted(set(labels), key=lambda v: (str(type(v)), v)))
    if len(found) > MOST_TREATMENTS:
        msg = f"at most {MOST_TREATMENTS} treatments were required, got {len(found)}; give a dose as an input"
        raise TrajectoryError(msg)
    number = {label: k for k, label in enumerate(found)}
    return np.array([number[label] for label in labels], float), found


def _as_known(made: Cohort, known: Cohort) -> Cohort:
    """The subjects with the treatments numbered as in those known."""
    for what, a, b in (("states", made.data.states, known.data.states), ("inputs", made.data.inputs, known.data.inputs),
                       ("covariates", made.names, known.names)):
        if tuple(a) != tuple(b):
            msg = f"the {what} {', '.join(b) or 'none'} were required, as in the discovery, got {', '.join(a) or 'none'}"
            raise TrajectoryError(msg)
    number = {label: k for k, label in enumerate(known.treatments)}
    last = [arms[:-1] for arms in made.treatment]  # what holds from the last sample on has not acted yet
    for label in sorted({made.treatments[k] for arms in last for k in arms} - set(number), key=str):
        msg = f"treatments of the discovery ({', '.join(map(str, known.treatments))}) were required, got {label!r}"
        raise TrajectoryError(msg)
    renamed = np.array([number.get(label, 0) for label in made.treatments])
    return replace(made, treatment=tuple(renamed[arms] for arms in made.treatment), treatments=known.treatments)
