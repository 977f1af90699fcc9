"""INSITE's table on data drawn anew: errors of forecasts, beside the published ones and INSITE and PySINDy on the same data.

    python experiments/treatment/run.py --seeds 10 --jobs 2                             all nine data sets
    python experiments/treatment/run.py --datasets EQ4A,EQ5D --seeds 1 --train 300 --test 30 --out few.json

A figure is 100 times the root mean square error five samples behind the last observed one (the source counts that as six steps ahead),
over all patients, moments and treatment plans, divided by the largest value there is (50, or the volume 1150.3 at which a patient dies).
Columns: PySINDy's population law and INSITE as published; both on the same data, INSITE written anew; symnum with the population's
coefficients for everybody; symnum; symnum that is also told the drug's concentration (EQ5). Coverage: share of what happened that
lies in symnum's 95 % intervals. Results are kept in --out as they come; a second run goes on with it.
"""

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import insite  # noqa: E402
import simulators  # noqa: E402

PUBLISHED = dict(zip(simulators.DATASETS, (0.788, 0.0247, 0.034, 0.0439, 0.0465, 0.940, 0.942, 0.836, 0.866), strict=True))
SINDY = dict(zip(simulators.DATASETS, (1.23, 0.108, 0.110, 0.127, 0.148, 1.45, 1.45, 1.40, 1.51), strict=True))
COLUMNS = ("sindy", "insite", "population", "symnum", "dosed")


def trajectories(patients, step: float, dosed: bool):
    """Trajectories with their treatments and covariates."""
    from symnum.dynamics.trajectory import Trajectories

    times = [step * np.arange(len(p.volume)) for p in patients]
    u = {"u": [p.dose for p in patients], "inputs": ["dose"]} if dosed else {}
    data = Trajectories.of([p.volume for p in patients], times, names=["x"], **u)
    covariates = {name: [p.covariates[name] for p in patients] for name in patients[0].covariates}
    if len({tuple(column) for column in covariates.values()}) and all(len(set(column)) == 1 for column in covariates.values()):
        covariates = {}  # the same for everybody
    return data, [p.treatment.tolist() for p in patients], covariates


def symnum_errors(data: simulators.Dataset, dosed: bool) -> dict:
    """Errors of forecasts with the subjects' own coefficients and with the population's, the laws, coverage and times."""
    from symnum.equations.treatment import discover_treatment_ode

    began = time.time()
    train, treatment, covariates = trajectories(data.train, data.step, dosed)
    found = discover_treatment_ode(train, treatment=treatment, covariates=covariates)
    discovered = time.time() - began
    seen, treatment, given = trajectories([case.seen for case in data.test], data.step, dosed)
    given = {name: given[name] for name in covariates}
    none = replace(found.population_estimate, covariance=np.zeros_like(found.population_estimate.covariance))
    out = {"laws": {str(k): str(v) for k, v in found.population.items()}, "noise": found.noise, "seconds": {"discover": discovered}}
    for name, model in (("symnum", found), ("population", replace(found, population_estimate=none))):
        began = time.time()
        errors, inside = [], []
        for case, subject in zip(data.test, model.personalise_all(seen, treatment, given).values(), strict=True):
            t = subject.last + data.step * np.arange(1, simulators.AHEAD + 1)
            f = subject.forecast(t, case.treatments.tolist(), case.doses[:, :, None] if dosed else None)
            errors.append(f.mean[:, :, 0] - case.truth)
            inside.append((f.low[:, :, 0] <= case.truth) & (case.truth <= f.high[:, :, 0]))
        out[name] = by_step(np.concatenate(errors), data)
        out["seconds"][name] = time.time() - began
        out.setdefault("coverage", float(np.concatenate(inside)[:, -1].mean()))
    return out


def by_step(errors: np.ndarray, data: simulators.Dataset) -> list[float]:
    """The figure for each sample that was forecast."""
    return [simulators.error(errors[:, k], data) for k in range(simulators.AHEAD)]


def task(name: str, seed: int, train: int, test: int) -> dict:
    """All methods on one data set."""
    data = simulators.make(name, seed, train, test)
    record = {"dataset": name, "seed": seed, "train": train, "test": test, "moments": len(data.test)}
    record |= symnum_errors(data, dosed=False)
    if name.startswith("EQ5"):
        dosed = symnum_errors(data, dosed=True)
        record |= {"dosed": dosed["symnum"], "dosed_laws": dosed["laws"], "dosed_coverage": dosed["coverage"]}
    began = time.time()
    coefficients, powers = insite.population(data)
    truth = np.concatenate([case.truth for case in data.test])
    everybody = np.tile(coefficients, (len(data.test), 1, 1))
    record["sindy"] = by_step(insite.forecasts(data, insite.present(everybody, coefficients), powers) - truth, data)
    own = insite.personalised(data, coefficients, powers)
    record["insite"] = by_step(insite.forecasts(data, insite.present(own, coefficients), powers) - truth, data)
    record["seconds"]["insite"] = time.time() - began
    return record


def table(records: list[dict]) -> str:
    """Mean over seeds of the last step's figure, by data set."""
    lines = [f"{'':8s}{'published':>20s}{'on the same data':>50s}",
             f"{'':8s}{'PySINDy':>10s}{'INSITE':>10s}" + "".join(f"{c:>12s}" for c in COLUMNS) + f"{'coverage':>10s}{'seeds':>7s}"]
    for name in simulators.DATASETS:
        mine = [r for r in records if r["dataset"] == name]
        if mine:
            means = [np.mean([r[c][-1] for r in mine]) if c in mine[0] else np.nan for c in COLUMNS]
            cells = "".join(f"{m:12.4g}" if np.isfinite(m) else f"{'':12s}" for m in means)
            coverage = np.mean([r["coverage"] for r in mine])
            lines.append(f"{name:8s}{SINDY[name]:10.4g}{PUBLISHED[name]:10.4g}{cells}{coverage:10.2f}{len(mine):7d}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", default=",".join(simulators.DATASETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--train", type=int, default=1000, help="patients")
    parser.add_argument("--test", type=int, default=100, help="patients")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE / "result.json")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    a = parser.parse_args()
    records = json.loads(a.out.read_text())["records"] if a.out.exists() and not a.fresh else []
    done = {(r["dataset"], r["seed"]) for r in records if (r["train"], r["test"]) == (a.train, a.test)}
    work = [(name, seed) for seed in range(1, a.seeds + 1) for name in a.datasets.split(",") if (name, seed) not in done]
    with ProcessPoolExecutor(a.jobs) as pool:
        futures = [pool.submit(task, name, seed, a.train, a.test) for name, seed in work]
        for future in as_completed(futures):
            records.append(r := future.result())
            a.out.write_text(json.dumps({"records": sorted(records, key=lambda r: (r["dataset"], r["seed"]))}, indent=1))
            seconds = {k: round(v) for k, v in r["seconds"].items()}
            print(r["dataset"], r["seed"], *(f"{c} {r[c][-1]:.4g}" for c in COLUMNS if c in r), seconds, flush=True)
    print("\n" + table(records))


if __name__ == "__main__":
    main()
