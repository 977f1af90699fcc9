"""The nine data sets of INSITE's table, drawn anew: EQ4A-D (pharmacokinetics), EQ5A-D and cancer (tumour growth under two therapies).

Written from the facts in the repository of Kacprzyk, Holt, Berrevoets, Qian & van der Schaar (ICLR 2024),
samholt/ODE-Discovery-for-Longitudinal-Heterogeneous-Treatment-Effects-Inference @ 1dc3f54 (the simulators under libs_m/ct/src/data), and
from what that takes over from Geng, Paganetti & Grassberger 2017, doi:10.1038/s41598-017-13646-z, and Lim, Alaa & van der Schaar 2018.
The random numbers are numpy's, so the patients are others than theirs. README.md lists what was confirmed and what differs.
"""

from dataclasses import dataclass

import numpy as np

SAMPLES = 60
AHEAD = 5  # samples that are forecast: "2 to 6 steps ahead" in the source, whose first step is the last sample that is observed
NOISE = 0.01
CONFOUNDING = 2.0  # gamma
DATASETS = ("cancer", "EQ4A", "EQ4B", "EQ4C", "EQ4D", "EQ5A", "EQ5B", "EQ5C", "EQ5D")


@dataclass(frozen=True)
class Patient:
    """One patient; treatments and doses hold from their sample to the next.

    Attributes:
        volume: (n,) what is measured.
        treatment: (n,) number of the treatment.
        dose: (n,) concentration of the chemotherapy's drug; zeros in EQ4.
        covariates: by name.
    """

    volume: np.ndarray
    treatment: np.ndarray
    dose: np.ndarray
    covariates: dict[str, float]


@dataclass(frozen=True)
class Case:
    """Forecasts from one moment of one patient.

    Attributes:
        seen: what has been observed up to that moment; the treatment of the last sample is not used.
        treatments: (options, AHEAD) plans; the first holds from the last observed sample on.
        doses: (options, AHEAD).
        truth: (options, AHEAD) what happens.
    """

    seen: Patient
    treatments: np.ndarray
    doses: np.ndarray
    truth: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """One data set.

    Attributes:
        step: time between samples, as in the source.
        norm: by which errors are divided.
        treatments: how many.
    """

    name: str
    train: list[Patient]
    test: list[Case]
    step: float
    norm: float
    treatments: int


def make(name: str, seed: int, train: int = 1000, test: int = 100) -> Dataset:
    """One data set."""
    rng = np.random.default_rng([seed, DATASETS.index(name)])
    return _pharmacokinetic(name, rng, train, test) if name.startswith("EQ4") else _tumour(name, rng, train, test)


# EQ4: y' = -C_a y, a treatment a for life -------------------------------------------------------------------------------------------
MOST, HORIZON, SUBSTEPS = 50.0, 10.0, 5


def _pharmacokinetic(name: str, rng: np.random.Generator, train: int, test: int) -> Dataset:
    variant, step = name[-1], HORIZON / SAMPLES
    shift = rng.normal(0, 0.25, 2) if variant == "D" else np.zeros(2)  # one draw for all patients of a seed, as in the source

    def drawn(count: int):
        c = rng.normal(0.5, 0.05, (count, 2))
        rate = c + (np.array([0.05, 0.15]) if variant in "CD" else 0.0) + shift
        start = rng.uniform(1, MOST, count)
        treated = (rng.random(count) < 1 / (1 + np.exp(-CONFOUNDING / MOST * (start - MOST / 2)))).astype(int)
        return c, rate, start, treated

    def after(y, rate):  # five Euler steps, as the source integrates
        return y * (1 - rate * step / SUBSTEPS) ** SUBSTEPS

    def noisy(y):
        return y if variant == "A" else y + rng.normal(0, NOISE, np.shape(y))

    patients = []
    for c, rate, y, a in zip(*drawn(train), strict=True):
        volume = y * (1 - rate[a] * step / SUBSTEPS) ** (SUBSTEPS * np.arange(SAMPLES))
        dead = np.flatnonzero(volume > MOST)
        volume = noisy(np.where(np.arange(SAMPLES) >= dead[0], MOST, volume) if len(dead) else volume)
        end = dead[0] + 1 if len(dead) else SAMPLES - 1  # the source drops the last sample
        if end >= 2:
            patients.append(Patient(volume[:end], np.full(end, a), np.zeros(end), {"c0": c[0], "c1": c[1]}))
    eye = np.eye(AHEAD, dtype=int)
    options = np.concatenate([eye, 1 - eye])
    cases = []
    for c, rate, y, a in zip(*drawn(test), strict=True):
        exact = y * (1 - rate[a] * step / SUBSTEPS) ** (SUBSTEPS * np.arange(SAMPLES))
        measured = noisy(exact)
        for n in range(2, SAMPLES + 1):
            now, truth = np.full(len(options), exact[n - 1]), np.zeros((len(options), AHEAD))
            for k in range(AHEAD):
                now = after(now, rate[options[:, k]])
                truth[:, k] = now
            seen = Patient(measured[:n], np.full(n, a), np.zeros(n), {"c0": c[0], "c1": c[1]})
            cases.append(Case(seen, options, np.zeros(options.shape), noisy(truth)))
    return Dataset(name, patients, cases, step, MOST, 2)


# EQ5 and cancer: a tumour under chemotherapy and radiotherapy, a day a step ---------------------------------------------------------------
LARGEST = 4 / 3 * np.pi * 6.5**3  # volume at a diameter of 13 cm: death
CAPACITY = 4 / 3 * np.pi * 15.0**3
CELLS = 5.8e8  # per cm³
STAGES = {"I": (1.72, 4.70, 5.0, 1432), "II": (1.96, 1.63, 13.0, 128), "IIIA": (1.91, 9.40, 13.0, 1306), "IIIB": (2.76, 6.87, 13.0, 7248),
          "IV": (3.86, 8.82, 13.0, 12840)}  # mean and deviation of the diameter's logarithm, largest diameter, patients counted
WINDOW = 15
RADIATION, DRUG = 2.0, 5.0


def _diameter(volume):
    return 2 * np.cbrt(np.maximum(volume, 0) / (4 / 3 * np.pi))


def _tumour_parameters(name: str, rng: np.random.Generator, count: int):
    from scipy.stats import truncnorm

    weights = np.array([s[3] for s in STAGES.values()], float)
    stage = rng.choice(len(STAGES), count, p=weights / weights.sum())
    mean, deviation, largest = (np.array([s[k] for s in STAGES.values()])[stage] for k in range(3))
    low, high = (np.log(0.3) - mean) / deviation, (np.log(largest) - mean) / deviation
    diameter = np.exp(truncnorm.rvs(low, high, random_state=rng) * deviation + mean)
    kind = np.ones(count, int) if name in ("EQ5A", "EQ5B") else rng.integers(1, 4, count)
    a, r = (0.0398, 0.168), (7e-5, 7.23e-3)
    covariance = np.array([[a[1] ** 2, 0.87 * a[1] * r[1]], [0.87 * a[1] * r[1], r[1] ** 2]])
    drawn = rng.multivariate_normal([a[0], r[0]], covariance, 20 * count + 100)
    alpha, rho = drawn[(drawn > 0).all(axis=1)][:count].T
    alpha = alpha + np.where(kind == 1, 0.1 * a[0], 0.0)
    chemo = np.full(count, 0.028)
    if name in ("EQ5D", "cancer"):
        chemo = chemo + 0.0007 * rng.standard_normal(count)  # its truncation at zero is 40 deviations away
    chemo = chemo + np.where(kind == 3, 0.1 * 0.028, 0.0)
    return 4 / 3 * np.pi * (diameter / 2) ** 3, alpha, rho, chemo, kind


def _grown(v, p, drug, radiation, noise):
    alpha, rho, chemo = p
    return v * (1 + rho * np.log(CAPACITY / v) - chemo * drug - (alpha * radiation + alpha / 10 * radiation**2) + noise)


def _tumour(name: str, rng: np.random.Generator, train: int, test: int) -> Dataset:
    observed = NOISE if name in ("EQ5B", "EQ5C", "EQ5D") else 0.0
    patients = [_course(name, rng, observed, *p) for p in zip(*_tumour_parameters(name, rng, train), strict=True)]
    rows: list[np.ndarray] = []  # all simulated volumes: the source looks up a test patient's policy in the row of that number
    cases: list[Case] = []
    for i, p in enumerate(zip(*_tumour_parameters(name, rng, test), strict=True)):
        cases += _moments(rng, observed, i, rows, *p)
    return Dataset(name, [p for p in patients if len(p.volume) >= 2], cases, HORIZON / SAMPLES, LARGEST, 4)


def _chance(diameter: float) -> float:
    return 1 / (1 + np.exp(-CONFOUNDING / 13 * (diameter - 6.5)))


def _recovered(v: float, chance: float) -> bool:
    return v <= 0 or chance < np.exp(-v * CELLS)


def _course(name, rng, observed, start, alpha, rho, chemo, kind) -> Patient:
    v, drug, treatment = [start], [0.0], [0]
    radiation = 0.0
    for t in range(1, SAMPLES - 1):
        v.append(float(_grown(v[-1], (alpha, rho, chemo), drug[-1], radiation, 0.01 * rng.standard_normal())))
        chance = _chance(_diameter(np.array(v[max(t - WINDOW, 0) : t])).mean())
        radio, drugged = rng.random(2) < chance
        radiation = RADIATION * radio
        drug.append(drug[-1] / 2 + DRUG * drugged)
        treatment.append(int(drugged) + 2 * int(radio))
        if v[-1] > LARGEST or _recovered(v[-1], rng.random()):
            v[-1] = LARGEST if v[-1] > LARGEST else 0.0
            break
    volume = np.array(v) + observed * rng.standard_normal(len(v))
    return Patient(volume, np.array(treatment), np.array(drug), {"kind": float(kind)})


def _moments(rng, observed, i, rows, start, alpha, rho, chemo, kind) -> list[Case]:
    p, cases = (alpha, rho, chemo), []
    noise = 0.01 * rng.standard_normal(SAMPLES + AHEAD)
    measuring = observed * rng.standard_normal(SAMPLES)
    eye, none = np.eye(AHEAD, dtype=int), np.zeros((AHEAD, AHEAD), int)
    chemo_plan, radio_plan = np.concatenate([eye, none]), np.concatenate([none, eye])
    v, drug, treatment = [start], [], []
    for t in range(SAMPLES - 1):
        looked = rows[i][max(t - WINDOW, 0) : t + 1] if i < len(rows) else np.zeros(1)
        chance = _chance(_diameter(looked).mean())
        radio, drugged = rng.random(2) < chance
        drug.append((drug[-1] / 2 if drug else 0.0) + DRUG * drugged)
        treatment.append(int(drugged) + 2 * int(radio))
        v.append(float(np.clip(_grown(v[-1], p, drug[-1], RADIATION * radio, noise[t + 1]), 0, LARGEST)))
        now, concentration = np.full(2 * AHEAD, v[-1]), np.full(2 * AHEAD, drug[-1])
        truth, doses = np.zeros((2 * AHEAD, AHEAD)), np.zeros((2 * AHEAD, AHEAD))
        for k in range(AHEAD):
            concentration = concentration / 2 + DRUG * chemo_plan[:, k]
            doses[:, k] = concentration
            with np.errstate(all="ignore"):
                growth = rho * np.log(CAPACITY / (now + 1e-7) + 1e-7)
            killed = chemo * concentration + (alpha + alpha / 10 * RADIATION) * RADIATION * radio_plan[:, k]
            now = now * (1 + growth - killed + noise[t + 2 + k])
            truth[:, k] = now
        kept = np.isfinite(truth).all(axis=1)
        padded = np.zeros(SAMPLES + AHEAD)
        padded[: t + 2] = v
        rows.extend(np.concatenate([padded[: t + 2], future, padded[t + 2 + AHEAD :]]) for future in truth[kept])
        if kept.any():
            seen = Patient(np.array(v) + measuring[: t + 2], np.array([*treatment, 0]), np.array([*drug, 0.0]), {"kind": float(kind)})
            cases.append(Case(seen, (chemo_plan + 2 * radio_plan)[kept], doses[kept],
                              truth[kept] + observed * rng.standard_normal(truth[kept].shape)))
        if v[-1] >= LARGEST or rng.random() <= np.exp(-v[-1] * CELLS):
            break
    return cases


def error(case_errors: np.ndarray, dataset: Dataset) -> float:
    """The source's figure: 100 times the root mean square over all patients, moments and plans, divided by the largest value there is."""
    return float(100 * np.sqrt(np.mean(case_errors**2)) / dataset.norm)
