"""EmpiricalBench: nine historical laws in small, noisy or SI-scaled data. Is the law on the front?

    python experiments/empirical/run.py [--seconds 60] [--seeds 5] [--only planck,rydberg] [--peers operon] [--resume]
    python experiments/empirical/run.py --table

The data and targets (y, or log y for six of them) are the benchmark's. A formula of the front is the law if some choice of the
law's constants (`laws.json`), all of which matter, makes the two equal (`is_law` in `experiments/suites/judge.py`).
Writes result.json after every run.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "suites"))

from judge import laws_among  # noqa: E402
from systems import FITS, Worker, begun, warm_up  # noqa: E402

# problems of nine solved in each system's best of five runs on up to an hour of eight cores, and runs of 45
PUBLISHED = {"PySR": (7, 35), "DSR": (7, 22), "Operon": (3, 9), "QLattice": (1, 5), "EQL, SR-Transformer": (0, 0)}


def laws() -> list[dict]:
    """The nine problems."""
    return json.loads((HERE / "laws.json").read_text(encoding="utf-8"))


def load(problem: dict) -> tuple[np.ndarray, np.ndarray]:
    """Columns and target."""
    path = HERE / "data" / f"{problem['name']}.csv"
    names = path.read_text(encoding="utf-8").splitlines()[0].split(",")
    data = np.loadtxt(path, delimiter=",", skiprows=1)
    return data[:, [names.index(c) for c in problem["columns"]]], data[:, names.index(problem["target"])]


def solve(system: str, problem: dict, seconds: float, seed: int) -> dict:
    """One run, in a worker."""
    return FITS[system](*load(problem), seconds, seed)


def table(data: dict) -> str:
    """Runs that have the law on the front, by system and problem, as markdown."""
    names = [p["name"] for p in laws()]
    systems = list(dict.fromkeys(r["system"] for r in data["runs"]))
    lines = ["| system | " + " | ".join(names) + " | problems | runs |", "|---" * (len(names) + 3) + "|"]
    for system in systems:
        counts, of = [], []
        for name in names:
            runs = [r for r in data["runs"] if (r["system"], r["name"]) == (system, name)]
            counts.append(sum(bool(r["hits"]) for r in runs))
            of.append(len(runs))
        cells = [f"{c}/{n}" for c, n in zip(counts, of, strict=True)]
        lines.append(f"| {system} | " + " | ".join(cells) + f" | {sum(c > 0 for c in counts)} | {sum(counts)}/{sum(of)} |")
    for system, (problems, runs) in PUBLISHED.items():
        lines.append(f"| {system} (published) |" + " |" * len(names) + f" {problems} | {runs}/45 |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="per run")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", default="", help="names of problems")
    parser.add_argument("--peers", default="", help="operon")
    parser.add_argument("--warm", type=float, default=10, help="seconds of warm-up")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--table", action="store_true", help="print the table of --out and stop")
    parser.add_argument("--out", type=Path, default=HERE / "result.json")
    a = parser.parse_args()
    data = begun(a)
    if not a.table:
        systems = ["symnum", *(p for p in a.peers.split(",") if p)]
        problems = [p for p in laws() if not a.only or p["name"] in a.only.split(",")]
        done = {(r["system"], r["name"], r["seed"]) for r in data["runs"]}
        worker = Worker(warm_up, tuple(systems), a.warm)
        for seed, p, system in [(k, p, s) for k in range(a.seeds) for p in problems for s in systems]:
            if (system, p["name"], seed) in done:
                continue
            answer, trouble = worker.call(3 * a.seconds + 120, solve, system, p, a.seconds, seed)
            formulas = [] if answer is None else list(dict.fromkeys([answer["formula"], *answer["front"]]))
            hits = laws_among(p["accepted"], formulas, load(p)[0])
            run = {"system": system, "name": p["name"], "seed": seed, "law": p["law"], "hits": hits}
            run |= {"trouble": trouble} if answer is None else {k: v for k, v in answer.items() if k != "statistics"}
            data["runs"].append(run)
            a.out.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
            chosen = run.get("formula", trouble)
            shown = [h["formula"] for h in hits]
            print(f"{p['name']:<10} seed {seed} {system:<7} on the front: {bool(hits)!s:<6} {shown}   chosen: {chosen}", flush=True)
        worker.close()
    print("\n" + table(data))


if __name__ == "__main__":
    main()
