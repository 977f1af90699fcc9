"""`discover_treatment_ode`: differential equations under treatments, for a population and for each of its subjects.

    found = discover_treatment_ode(frame, "day", subject="patient", treatment="arm", covariates=["age"])
    print(found)                                   # one right-hand side for each treatment, and how much subjects differ
    found.forecast(one_patient, t, "drug")         # mean and interval

The task, a law of the population for each treatment whose few coefficients are then fitted to each subject with a quadratic tie, is that
of INSITE (Kacprzyk et al. 2024, ICLR, openreview.net/forum?id=pxI5IPeWgW). Here the tie is the covariance between subjects, estimated
from the data, and noise in the course itself is told from noise in the measurements.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from symnum.dynamics.system import System
from symnum.dynamics.trajectory import Trajectories, TrajectoryError
from symnum.equations.ode import rounded
from symnum.equations.treatment_data import Cohort, Columns, cohort
from symnum.equations.treatment_filter import Panel
from symnum.equations.treatment_flow import Law, flow
from symnum.equations.treatment_population import Population, estimate, settled
from symnum.language.grammar_check import near
from symnum.problem.uncertainty import Interval

STEPS = 12  # of the fit of one subject's coefficients at most
JUDGED, MOMENTS, AHEAD = 60, (0.0, 1 / 3, 2 / 3), 5  # subjects twice, shares of their samples, and samples behind them that are forecast
MOST_TERMS = 120  # to choose from under one treatment


@dataclass(frozen=True)
class Forecast:
    """What will be measured.

    Attributes:
        t: (times,).
        mean, low, high: (times, states), or (plans, times, states) for several plans; NaN behind an explosion.
        level: the probability that a measurement lies between low and high.
    """

    t: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float


@dataclass(frozen=True)
class Subject:
    """One subject's own law.

    Attributes:
        label: what it is called.
        values: (P,) its coefficients.
        spread: (P, P) their covariance.
        covariates: by name.
        last: the time of its last sample.
        state: (d,) the state then; with the coefficients, (d + P, d + P) `covariance`.
    """

    discovery: "TreatmentDiscovery"
    label: str
    values: np.ndarray
    spread: np.ndarray
    covariates: dict[str, float]
    last: float
    state: np.ndarray
    covariance: np.ndarray

    @property
    def systems(self) -> dict[Hashable, System]:
        """The right-hand sides by treatment, covariates put in."""
        law = self.discovery.law
        return {name: law.system(a, self.values, self.covariates) for a, name in enumerate(self.discovery.treatments)}

    def coefficients(self, level: float = 0.95) -> dict[str, Interval]:
        """The coefficients with their intervals, by treatment, equation and term."""
        return _intervals(self.discovery.law, self.values, self.spread, level)

    def forecast(self, t: Sequence[float], treatment, u=None, level: float = 0.95) -> Forecast:
        """What will be measured under a plan, or under several.

        Args:
            t: (times,) increasing, all after the last sample.
            treatment: a label; (times,) labels, each for the stretch that ends at its time; or (plans, times) labels.
            u: (times, inputs) or (plans, times, inputs), for the same stretches; required where the law has inputs.
            level: of the intervals, which hold the uncertainty of coefficients and state and both noises.

        Raises:
            TrajectoryError: times that do not increase, an unknown treatment, or inputs of another shape.
        """
        from scipy.stats import norm

        t = np.atleast_1d(np.asarray(t, float))
        arms, several = self._plans(treatment, len(t))
        gaps = np.diff(t, prepend=self.last)
        if not (np.isfinite(t).all() and (gaps > 0).all()):
            msg = f"increasing times after the last sample at {self.last:g} were required, got {t[:5]}"
            raise TrajectoryError(msg)
        if not 0 < level < 1:
            msg = f"a level between 0 and 1 was required, got {level:g}"
            raise TrajectoryError(msg)
        z = self._constant(u, arms.shape)
        law, noise, scale = self.discovery.law, self.discovery.population_estimate.noise, self.discovery.panel.scale
        plans, d, P = len(arms), len(law.states), len(law)
        x, V = np.tile(self.state, (plans, 1)), np.tile(self.covariance, (plans, 1, 1))
        mean, variance = np.zeros((plans, len(t), d)), np.zeros((plans, len(t), d))
        for k, gap in enumerate(gaps):
            f = flow(law, self.values, x, z[:, k], np.full(plans, gap), arms[:, k])
            T = np.tile(np.eye(d + P), (plans, 1, 1))
            T[:, :d, :d] = f.by_state
            for m, a in enumerate(arms[:, k]):
                first, last = law.starts[a], law.starts[a + 1]
                T[m, :d, d + first : d + last] = f.by_coefficient[m, :, : last - first]
            size = [np.abs(x) if relative else scale for relative in noise.relative]
            with np.errstate(over="ignore", invalid="ignore"):
                x, V = f.end, T @ V @ T.transpose(0, 2, 1)
            V[:, np.arange(d), np.arange(d)] += (noise.process * size[0]) ** 2 * gap
            mean[:, k] = x
            measured = (noise.measurement * (np.abs(x) if noise.relative[1] else scale)) ** 2
            variance[:, k] = np.maximum(V[:, np.arange(d), np.arange(d)], 0) + measured
        half = norm.ppf(0.5 + level / 2) * np.sqrt(variance)
        out = (mean, mean - half, mean + half)
        return Forecast(t, *(out if several else (a[0] for a in out)), level)

    def _plans(self, treatment, times: int) -> tuple[np.ndarray, bool]:
        """(plans, times) numbers of treatments, and whether several plans were given."""
        known = self.discovery.treatments
        labels = np.empty((), object)
        labels[()] = treatment
        if not isinstance(treatment, str) and np.ndim(treatment):
            labels = np.array([list(row) if not isinstance(row, str) and np.ndim(row) else row for row in treatment], object)
        number = {label: k for k, label in enumerate(known)}
        for label in labels.ravel():
            if label not in number:
                names = [str(k) for k in known]
                msg = f"one of the treatments {', '.join(names)} was required, got {label!r}{near(str(label), names)}"
                raise TrajectoryError(msg)
        arms = np.vectorize(number.__getitem__, otypes=[int])(labels)
        if arms.ndim and arms.shape[-1] != times:
            msg = f"a treatment for each of {times} times was required, got {arms.shape[-1]}"
            raise TrajectoryError(msg)
        return np.broadcast_to(arms, (arms.shape[0] if arms.ndim == 2 else 1, times)), arms.ndim == 2

    def _constant(self, u, shape: tuple[int, int]) -> np.ndarray:
        """(plans, times, others) inputs and covariates."""
        inputs = self.discovery.law.inputs
        if inputs and u is None:
            msg = f"inputs ({', '.join(self.discovery.law.others[:inputs])}) of shape (times, {inputs}) were required as u, got none"
            raise TrajectoryError(msg)
        values = np.zeros((*shape, 0)) if u is None else np.asarray(u, float)
        values = values[:, None] if values.ndim == 1 and inputs == 1 else values
        try:
            values = np.broadcast_to(values, (*shape, inputs))
        except ValueError:
            msg = f"inputs of shape ({shape[1]}, {inputs}) were required as u, got {values.shape}"
            raise TrajectoryError(msg) from None
        return np.concatenate([values, np.broadcast_to(list(self.covariates.values()), (*shape, len(self.covariates)))], axis=2)

    def __str__(self) -> str:
        return "\n".join(f"{name}: {_rounded(system)}" for name, system in self.systems.items())

    __repr__ = __str__


@dataclass(frozen=True)
class TreatmentDiscovery:
    """What was found.

    Attributes:
        cohort: the subjects.
        panel: their samples in one block.
        columns: which columns of a DataFrame are what.
        population_estimate: law, mean and covariance of the coefficients between subjects, and noise.
    """

    cohort: Cohort
    panel: Panel
    columns: Columns
    population_estimate: Population

    @property
    def law(self) -> Law:
        """The terms."""
        return self.population_estimate.law

    @property
    def treatments(self) -> tuple[Hashable, ...]:
        """The treatments' labels."""
        return self.cohort.treatments

    @property
    def population(self) -> dict[Hashable, System]:
        """The mean right-hand sides by treatment; covariates are inputs."""
        return {name: self.law.system(a, self.population_estimate.mean) for a, name in enumerate(self.treatments)}

    @property
    def between(self) -> dict[str, float]:
        """Variance of each coefficient between subjects, by treatment, equation and term."""
        return {self.law.label(p): float(v) for p, v in enumerate(np.diag(self.population_estimate.covariance))}

    @property
    def noise(self) -> dict[str, tuple[float, float]]:
        """Per state, the standard deviation of the noise in the course per square root of time, and of that in a measurement.

        In units of the state; where a noise is in proportion to the state, at its root mean square.
        """
        found = self.population_estimate.noise
        return {name: (float(found.process[i] * s), float(found.measurement[i] * s))
                for i, (name, s) in enumerate(zip(self.law.states, self.panel.scale, strict=True))}

    def coefficients(self, level: float = 0.95) -> dict[str, Interval]:
        """The population's coefficients with confidence intervals, by treatment, equation and term."""
        return _intervals(self.law, self.population_estimate.mean, self.population_estimate.error, level)

    @cached_property
    def subjects(self) -> dict[str, Subject]:
        """The subjects of the discovery, by label."""
        return self._fitted(self.cohort, self.panel)

    def personalise(self, data, treatment=None, covariates: Mapping[str, Sequence[float]] | None = None) -> Subject:
        """One subject's own law.

        Args:
            data: a DataFrame with the columns of the discovery, or Trajectories of one subject.
            treatment: of Trajectories, as for `discover_treatment_ode`.
            covariates: of Trajectories.

        Raises:
            TrajectoryError: not exactly one subject, or other columns, covariates or treatments.
        """
        found = self.personalise_all(data, treatment, covariates)
        if len(found) != 1:
            msg = f"the samples of one subject were required, got {len(found)} subjects; `personalise_all` takes several"
            raise TrajectoryError(msg)
        return next(iter(found.values()))

    def personalise_all(self, data, treatment=None, covariates: Mapping[str, Sequence[float]] | None = None) -> dict[str, Subject]:
        """The own laws of several subjects, by label; arguments as for `personalise`."""
        subjects = cohort(data, self.columns, treatment, covariates, self.cohort)
        return self._fitted(subjects, replace(subjects.panel, scale=self.panel.scale))

    def forecast(self, data, t: Sequence[float], plan, u=None, level: float = 0.95, *, treatment=None,
                 covariates: Mapping[str, Sequence[float]] | None = None) -> Forecast:
        """What will be measured of one subject: `personalise(data, treatment, covariates).forecast(t, plan, u, level)`."""
        return self.personalise(data, treatment, covariates).forecast(t, plan, u, level)

    def _fitted(self, subjects: Cohort, panel: Panel) -> dict[str, Subject]:
        found = self.population_estimate
        values, spread, evidence = settled(self.law, panel, found, STEPS)
        X = evidence.by_coefficient
        state = evidence.state + np.einsum("sdp,sp->sd", X, values)
        out = {}
        for s, item in enumerate(subjects.data):
            cross = X[s] @ spread[s]
            covariance = np.block([[evidence.covariance[s] + cross @ X[s].T, cross], [cross.T, spread[s]]])
            known = dict(zip(subjects.names, subjects.covariates[s].tolist(), strict=True))
            out[item.label] = Subject(self, item.label, values[s], spread[s], known, float(item.t[-1]), state[s], covariance)
        return out

    def __str__(self) -> str:
        lines = [f"{name}: {_rounded(system)}" for name, system in self.population.items()]
        lines += ["", "coefficients: mean [95 % interval], standard deviation between subjects"]
        between = self.between
        lines += [f"  {name}: {i.value:.4g} [{i.low:.4g}, {i.high:.4g}], {np.sqrt(between[name]):.2g}"
                  for name, i in self.coefficients().items()]
        lines += [f"noise of {name}: {a:.2g} in the course per square root of time, {b:.2g} in a measurement"
                  for name, (a, b) in self.noise.items()]
        lines.append(f"{len(self.cohort.data)} subjects, {self.cohort.data.rows} samples")
        return "\n".join(lines)

    __repr__ = __str__


def discover_treatment_ode(
    data,
    t: str | None = None,
    *,
    treatment=None,
    subject: str | None = None,
    states: Sequence[str] | None = None,
    covariates: Sequence[str] | Mapping[str, Sequence[float]] = (),
    inputs: Sequence[str] = (),
    degree: int = 2,
) -> TreatmentDiscovery:
    """Find x' = f_a(x, u, z) for every treatment a, as polynomials of states x, inputs u and covariates z, and how much subjects differ.

    Args:
        data: a DataFrame with a row for each sample, or `Trajectories`, one for each subject.
        t: of a DataFrame, the column of times.
        treatment: of a DataFrame, the column of treatments, categories of any kind; of Trajectories, a label for each, or for each
            of its samples. A treatment holds from its sample to the next, and so do inputs. None: there is only one.
        subject: of a DataFrame, the column that tells subjects apart.
        states: of a DataFrame, the columns that are states, all others by default; NaN where a sample is missing.
        covariates: of a DataFrame, the columns of what does not change in a subject; of Trajectories, by name a number for each.
        inputs: of a DataFrame, the columns of doses and other inputs; Trajectories bring theirs.
        degree: of the polynomials. Laws that are not linear in the states must forecast the subjects better than those that are.

    Raises:
        TrajectoryError: data that cannot be used, or more terms than can be told apart.

    >>> rng = np.random.default_rng(0)
    >>> times, rates = np.linspace(0, 3, 13), rng.normal(1, 0.1, 12)
    >>> curves = [5 * np.exp(-k * times * (1 + i % 2)) + rng.normal(0, 0.01, 13) for i, k in enumerate(rates)]
    >>> found = discover_treatment_ode(Trajectories.of(curves, times, names=["x"]), treatment=["slow", "fast"] * 6)
    >>> [str(system.equations[0].with_constants([round(c, 1) for c in system.equations[0].constants])) for system in
    ...  found.population.values()]
    ['-2.0*x', '-1.0*x']
    """
    is_frame = not isinstance(data, Trajectories)
    if not is_frame and not isinstance(covariates, Mapping) and len(covariates):
        msg = f"of Trajectories, covariates by name with a number for each trajectory were required, got {list(covariates)[:3]}"
        raise TrajectoryError(msg)
    columns = Columns(t, treatment, subject, None if states is None else _listed(states), _listed(covariates), _listed(inputs)) \
        if is_frame else Columns()
    subjects = cohort(data, columns, None if is_frame else treatment, None if is_frame else dict(covariates))
    if degree < 1:
        msg = f"a degree of at least 1 was required, got {degree}"
        raise TrajectoryError(msg)
    others = (*subjects.data.inputs, *subjects.names)
    law = Law.full(subjects.data.states, others, len(subjects.data.inputs), tuple(map(str, subjects.treatments)), degree)
    if (terms := int(law.starts[1])) > MOST_TERMS:
        msg = (f"at most {MOST_TERMS} terms were required, degree {degree} with {len(law.states)} states and {len(others)} inputs and "
               f"covariates gives {terms}; try a smaller degree or fewer columns")
        raise TrajectoryError(msg)
    panel = subjects.panel
    found = TreatmentDiscovery(subjects, panel, columns, estimate(panel, law))
    d = len(law.states)
    if found.law.powers[:, :d].sum(axis=1).max(initial=0) <= 1:
        return found
    linear = law.take(np.flatnonzero(law.powers[:, :d].sum(axis=1) <= 1))
    return min((found, TreatmentDiscovery(subjects, panel, columns, estimate(panel, linear))), key=_forecast_error)


def _forecast_error(model: TreatmentDiscovery) -> float:
    """Root mean square error of forecasts of the subjects' later samples from their earlier ones; infinite where one explodes."""
    subjects, errors = model.cohort, []
    size = np.nanmax(np.abs(model.panel.y) / model.panel.scale, axis=(1, 2))
    every = np.linspace(0, len(size) - 1, JUDGED).round().astype(int)
    rows = np.union1d(every, np.argsort(-size, kind="stable")[:JUDGED])  # far from zero is where powers go wrong
    for share in MOMENTS:
        seen = {s: max(2, int(share * len(subjects.data.items[s]))) for s in rows.tolist()}
        seen = {s: n for s, n in seen.items() if n < len(subjects.data.items[s])}
        if not seen:
            continue
        whole = subjects.data.items
        items = tuple(replace(whole[s], t=whole[s].t[:n], x=whole[s].x[:n], u=whole[s].u[:n], label=str(s)) for s, n in seen.items())
        arms = tuple(subjects.treatment[s][:n] for s, n in seen.items())
        early = replace(subjects, data=replace(subjects.data, items=items), treatment=arms, covariates=subjects.covariates[list(seen)])
        fitted = model._fitted(early, replace(early.panel, scale=model.panel.scale))
        for (s, n), own in zip(seen.items(), fitted.values(), strict=True):
            item, ahead = subjects.data.items[s], slice(n, n + AHEAD)
            held = slice(n - 1, min(n - 1 + AHEAD, len(item) - 1))
            plan = [model.treatments[k] for k in subjects.treatment[s][held]]
            miss = (own.forecast(item.t[ahead], plan, item.u[held]).mean - item.x[ahead]) / model.panel.scale
            errors.append(miss[np.isfinite(item.x[ahead])])  # a forecast that explodes is not finite where the sample is
    flat = np.concatenate(errors) if errors else np.zeros(1)
    error = float(np.sqrt(np.mean(np.square(flat))))
    return error if np.isfinite(error) else np.inf


def _listed(names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _intervals(law: Law, values: np.ndarray, covariance: np.ndarray, level: float) -> dict[str, Interval]:
    from scipy.stats import norm

    width = float(norm.ppf(0.5 + level / 2))
    errors = np.sqrt(np.maximum(np.diag(covariance), 0))
    return {law.label(p): Interval(p, float(c), float(c - width * s), float(c + width * s), float(s), level)
            for p, (c, s) in enumerate(zip(values, errors, strict=True))}


def _rounded(system: System) -> str:
    return "; ".join(f"{name}' = {rounded(f, 4)}" for name, f in zip(system.states, system.equations, strict=True))
