"""Accuracy on measured data at equal size, beside pyoperon in the same run.

    python experiments/real/run.py [--seconds 60] [--seeds 5] [--data FOLDER] [--resume]
    python experiments/real/run.py --table

Airfoil and Concrete are beside this file, Nikuradse is in `symnum.data`. Chemical-I (`Chemical-I.csv`) and friction
(`FrictionDyn-OneHot.csv`) may not be redistributed: get them from the folder `data` of https://github.com/heal-research/operon and
name their folder by `--data`; without it they are skipped.

Every seed draws 75 % of the rows for training and runs both systems on them. Size is the number of nodes of a formula read by
sympy, for both. At a size the formula of a front with the best training R² that is no larger is taken, and its R² on the other
25 % of the rows is compared: at 10, 20 and 30 nodes and at the size of Operon's own choice. Writes result.json after every run.
"""

import argparse
import json
import os
import statistics
import sys
from pathlib import Path

import numpy as np
import sympy as sp

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "suites"))

from judge import read  # noqa: E402
from problems import compiled  # noqa: E402
from systems import FITS, Worker, begun, warm_up  # noqa: E402

SIZES = (10, 20, 30)
FILES = {"airfoil": HERE / "data" / "airfoil.csv", "concrete": HERE / "data" / "concrete.csv"}
ELSEWHERE = {"chemical": "Chemical-I.csv", "friction": "FrictionDyn-OneHot.csv"}


def load(name: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Columns and target, or None where the file is not there."""
    if name == "nikuradse":
        from symnum.data import load as shipped

        table = shipped(name)
        return table.X, table.y
    path = FILES.get(name) or (folder / ELSEWHERE[name] if folder else None)
    if path is None or not path.exists():
        return None
    names = path.read_text(encoding="utf-8").splitlines()[0].split(",")
    data = np.loadtxt(path, delimiter=",", skiprows=1)
    target = names.index("target") if "target" in names else len(names) - 1
    return np.delete(data, target, axis=1), data[:, target]


def size(formula: sp.Expr) -> int:
    """Nodes of the tree: leaves, and operators, where a sum or product of n terms counts n - 1."""
    return 1 if not formula.args else max(1, len(formula.args) - 1) + sum(size(a) for a in formula.args)


def r2(y: np.ndarray, p: np.ndarray) -> float | None:
    """The share of variance explained; None where a prediction is not finite."""
    return float(1 - np.mean((y - p) ** 2) / np.var(y)) if np.isfinite(p).all() else None


def measured(formula: str, train, test) -> dict:
    """A formula with its size and both R²."""
    symbols = [sp.Symbol(f"x{i}", real=True) for i in range(train[0].shape[1])]
    expr = read(formula, symbols)
    f = compiled(expr, symbols)
    with np.errstate(all="ignore"):
        return {"formula": formula, "size": size(expr), "train": r2(train[1], f(train[0])), "test": r2(test[1], f(test[0]))}


def solve(system: str, name: str, folder: Path | None, seconds: float, seed: int, max_complexity: int) -> dict:
    """One system on one split, in a worker."""
    X, y = load(name, folder)
    order = np.random.default_rng(seed).permutation(len(y))
    cut = int(0.75 * len(y))
    train, test = [(X[rows], y[rows]) for rows in (order[:cut], order[cut:])]
    options = {"max_complexity": max_complexity} if system == "symnum" else {}
    answer = FITS[system](*train, seconds, seed, os.cpu_count(), **options)
    return {
        "seconds": answer["seconds"],
        "chosen": measured(answer["formula"], train, test),
        "front": [measured(f, train, test) for f in dict.fromkeys(answer["front"])],
    }


def at_size(result: dict, most: int) -> dict | None:
    """The formula of at most this size that is best on the training rows."""
    fitting = [f for f in [*result["front"], result["chosen"]] if f["size"] <= most and f["train"] is not None]
    return max(fitting, key=lambda f: f["train"], default=None)


def compared(runs: list[dict], size_of) -> dict[str, float | None]:
    """Median test R² over the seeds at `size_of(Operon's result)`."""
    seeds = sorted({r["seed"] for r in runs})
    by = {(r["system"], r["seed"]): r for r in runs}
    out = {}
    for system in ("symnum", "operon"):
        values = []
        for seed in seeds:
            if (system, seed) in by and ("operon", seed) in by:
                f = at_size(by[system, seed], size_of(by["operon", seed]))
                values.append(-np.inf if f is None or f["test"] is None else f["test"])
        out[system] = float(statistics.median(values)) if values else None
    return out


def table(data: dict) -> str:
    """Median test R², symnum against Operon, as markdown."""
    heads = [f"≤ {n} nodes" for n in SIZES] + ["at Operon's size", "own choice (nodes)"]
    lines = ["| data | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for name in dict.fromkeys(r["data"] for r in data["runs"]):
        runs = [r for r in data["runs"] if r["data"] == name and "chosen" in r]
        pairs = [compared(runs, lambda _, n=n: n) for n in SIZES] + [compared(runs, lambda r: r["chosen"]["size"])]
        cells = [" / ".join("-" if v is None else f"{v:.4f}" for v in (p["symnum"], p["operon"])) for p in pairs]
        own = []
        for system in ("symnum", "operon"):
            chosen = [r["chosen"] for r in runs if r["system"] == system]
            if chosen:
                score = statistics.median(-np.inf if c["test"] is None else c["test"] for c in chosen)
                own.append(f"{score:.4f} ({statistics.median(c['size'] for c in chosen):g})")
        lines.append(f"| {name} | " + " | ".join([*cells, " / ".join(own)]) + " |")
    return "median test R², symnum / Operon\n\n" + "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="per run")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", default="airfoil,concrete,chemical,friction,nikuradse")
    parser.add_argument("--data", type=Path, help="folder of Chemical-I.csv and FrictionDyn-OneHot.csv")
    parser.add_argument("--max-complexity", type=int, default=50, help="of symnum; Operon's largest length is 50")
    parser.add_argument("--warm", type=float, default=10, help="seconds of warm-up")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--table", action="store_true", help="print the table of --out and stop")
    parser.add_argument("--out", type=Path, default=HERE / "result.json")
    a = parser.parse_args()
    data = begun(a, max_complexity=a.max_complexity)
    if not a.table:
        sets = []
        for name in a.sets.split(","):
            if load(name, a.data) is None:
                print(f"{name} is skipped: {ELSEWHERE[name]} is not shipped; get it from heal-research/operon and give --data FOLDER")
            else:
                sets.append(name)
        done = {(r["data"], r["seed"], r["system"]) for r in data["runs"]}
        worker = Worker(warm_up, ("symnum", "operon"), a.warm)
        for name, seed, system in [(n, k, s) for n in sets for k in range(a.seeds) for s in ("symnum", "operon")]:
            if (name, seed, system) in done:
                continue
            answer, trouble = worker.call(3 * a.seconds + 300, solve, system, name, a.data, a.seconds, seed, a.max_complexity)
            data["runs"].append({"data": name, "seed": seed, "system": system} | (answer or {"trouble": trouble}))
            a.out.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
            shown = answer["chosen"] if answer else trouble
            print(f"{name:<10} seed {seed} {system:<7} {shown}", flush=True)
        worker.close()
    print("\n" + table(data))


if __name__ == "__main__":
    main()
