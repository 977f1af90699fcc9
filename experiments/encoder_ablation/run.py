"""The ablation that counts: the search without the encoder, with its prior, with seeds too, with pruning too; and with seeds at random.

    python experiments/encoder_ablation/run.py --suite laws --out experiments/encoder_ablation/result.json
    python experiments/encoder_ablation/run.py --suite feynman --arms off,all --out experiments/encoder_ablation/result_feynman.json
    python experiments/encoder_ablation/run.py --table --out experiments/encoder_ablation/result.json

Every arm gets the same rows and seconds; a law counts as recovered when a formula that was on the front agrees with it on fresh
points from wider ranges (`experiments/suites/judge.py`). Arms are paired by problem; intervals are 95 % bootstrap intervals over
problems. `control` has the seeds of an index whose embeddings were shuffled: what the machinery gives without the encoder's eye.
"""

import argparse
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "suites"))

from judge import recovered  # noqa: E402
from problems import load, training_rows  # noqa: E402
from systems import Worker, machine  # noqa: E402

ARMS = {"off": None, "prior": ("prior",), "seeds": ("prior", "seeds"), "all": ("prior", "seeds", "pruning"), "control": ("prior", "seeds")}
EASY = 2.0  # seconds within which the search without the encoder has the law
DRAWS = 2000
_encoders: dict[bool, object] = {}


def guide(arm: str):
    """The guide of an arm; encoders are loaded once a process."""
    if ARMS[arm] is None:
        return None
    from symnum.encode.checkpoint import read
    from symnum.encode.files import INDEX, encoder_file
    from symnum.encode.index import SkeletonIndex
    from symnum.encode.public import Encoder
    from symnum.search.guide import Guide

    shuffled = arm == "control"
    if shuffled not in _encoders:
        _encoders[shuffled] = encoder = Encoder(read(encoder_file()))
        index = SkeletonIndex.load(encoder_file().with_name(INDEX), encoder)
        vectors = np.random.default_rng(0).permutation(index.vectors) if shuffled else index.vectors
        encoder._index = SkeletonIndex(index.skeletons, vectors, index.digest)
    return Guide(_encoders[shuffled], ARMS[arm])


class Moments:
    """A callback that keeps each formula that was on the front, with seconds and evaluations."""

    def __init__(self):
        self.seen, self.formulas = set(), []

    def on_start(self, run) -> None:
        """Nothing."""

    def on_update(self, update) -> None:
        """Keep what is new."""
        for c in update.front:
            if (c.complexity, c.loss) not in self.seen:
                self.seen.add((c.complexity, c.loss))
                self.formulas.append((update.elapsed, update.evaluations, c.best))

    def on_end(self, discovery) -> None:
        """Nothing."""


def solve(arm: str, problem: dict, a: argparse.Namespace) -> dict:
    """One arm on one problem, in a worker."""
    from symnum.discovery import discover
    from symnum.problem.regression import RegressionProblem
    from symnum.problem.table import as_table

    X, y = training_rows(problem, a.rows, a.seed, a.noise)
    moments, task = Moments(), RegressionProblem.from_table(as_table(X, y), seed=a.seed)
    began = time.perf_counter()
    found = discover(task, time_limit=a.seconds, encoder=guide(arm), seed=a.seed, threads=a.threads, callbacks=[moments])
    seconds = time.perf_counter() - began
    shown = [*moments.formulas, *((seconds, found.statistics["evaluations"], c.best) for c in found.front)]
    law = next(((s, e) for s, e, f in shown if recovered(problem, f, a.noise, points=500)[0]), None)
    return {
        "name": problem["name"], "recovered": law is not None, "seconds": round(law[0] if law else seconds, 3),
        "evaluations": law[1] if law else found.statistics["evaluations"], "status": found.status.name,
        "model": str(found.best.best), "truth": problem["expression"],
    }


def prepare(arms: tuple[str, ...]) -> int:
    """Compile and load what the arms need, on a law that none finds in the time."""
    from symnum.discovery import discover
    from symnum.problem.regression import RegressionProblem
    from symnum.problem.table import as_table

    rng = np.random.default_rng(1)
    X = rng.uniform(1, 3, (200, 3))
    y = np.sin(3 * X[:, 0]) * np.log(X[:, 1] + X[:, 2] ** 2) / X[:, 2] + 0.05 * rng.normal(size=len(X))
    for arm in arms:
        discover(RegressionProblem.from_table(as_table(X, y)), time_limit=8, encoder=guide(arm), seed=0, threads=1)
    return os.getpid()


def interval(values: np.ndarray, statistic) -> list[float]:
    """The statistic of the rows of `values`, and its 95 % bootstrap interval."""
    rng = np.random.default_rng(0)
    drawn = [statistic(values[rng.integers(len(values), size=len(values))]) for _ in range(DRAWS)]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return [round(float(v), 3) for v in (statistic(values), low, high)]


def compared(off: list[dict], arm: list[dict]) -> dict:
    """An arm against none, over the problems of both."""
    other = {r["name"]: r for r in arm}
    pairs = [(r, other[r["name"]]) for r in off if r["name"] in other]
    hit = np.array([[p["recovered"], q["recovered"]] for p, q in pairs], float)
    evaluations = np.array([[max(p["evaluations"], 1), max(q["evaluations"], 1)] for p, q in pairs], float)
    seconds = np.array([[p["seconds"], q["seconds"]] for p, q in pairs])
    table = np.column_stack([hit, evaluations, seconds])
    both = table[(hit == 1).all(axis=1)]
    easy = table[(hit[:, 0] == 1) & (seconds[:, 0] < EASY)]

    def spent(column: int):
        return lambda t: (t[:, column].sum() / max(t[:, 0].sum(), 1)) / (t[:, column + 1].sum() / max(t[:, 1].sum(), 1))

    def ratio(column: int):
        return lambda t: float(np.exp(np.mean(np.log(t[:, column] / t[:, column + 1])))) if len(t) else np.nan

    return {
        "problems": len(pairs),
        "recovered": [int(n) for n in hit.sum(axis=0)],
        "gained, lost": [int(((hit[:, 0] < hit[:, 1])).sum()), int((hit[:, 0] > hit[:, 1]).sum())],
        "points": interval(table, lambda t: 100 * (t[:, 1].mean() - t[:, 0].mean())),
        "evaluations per recovered law, off / arm": interval(table, spent(2)),
        "seconds per recovered law, off / arm": interval(table, spent(4)),
        "evaluations to a law that both find, off / arm": interval(both, ratio(2)),
        "easy laws": len(easy),
        "seconds to an easy law, arm / off": interval(easy[:, [0, 1, 2, 3, 5, 4]], ratio(4)) if len(easy) else None,
    }


def table(data: dict) -> str:
    """The arms against none, in lines."""
    s = data["setting"]
    how = f"{s['threads']} thread(s) a problem, {s['jobs']} at a time on {s['cores']} cores"
    lines = [f"{s['suite']}: {s['seconds']:g} s, {how}, noise {s['noise']:g}"]
    off = data["results"]["off"]
    for arm, results in data["results"].items():
        if arm != "off" and results:
            lines.append(f"\n{arm}")
            lines += [f"    {name:<52}{value}" for name, value in compared(off, results).items()]
    return "\n".join(lines)


def run(a: argparse.Namespace) -> dict:
    """Every arm on every problem."""
    arms = tuple(a.arms.split(","))
    problems = load(str(HERE / "laws.json") if a.suite == "laws" else a.suite)[:: a.stride]
    setting = {k: getattr(a, k) for k in ("suite", "seconds", "noise", "rows", "seed", "threads", "jobs", "stride")} | machine()
    results: dict[str, list[dict]] = {arm: [] for arm in arms}
    workers, lock = Queue(), threading.Lock()
    for _ in range(a.jobs):
        workers.put(Worker(prepare, arms))

    def write() -> dict:
        compares = {arm: compared(results["off"], results[arm]) for arm in arms[1:] if results[arm] and results["off"]}
        data = {"setting": setting, "compared": compares, "results": results}
        part = a.out.with_suffix(".part")
        part.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        part.replace(a.out)
        return data

    def step(task: tuple[dict, str]) -> None:
        problem, arm = task
        worker = workers.get()
        try:
            result, trouble = worker.call(4 * a.seconds + 120, solve, arm, problem, a)
        finally:
            workers.put(worker)
        result = result or {"name": problem["name"], "recovered": False, "seconds": a.seconds, "evaluations": 0, "status": trouble,
                            "model": None, "truth": problem["expression"]}
        with lock:
            results[arm].append(result)
            print(f"{result['name']:<22}{arm:<9}{'law' if result['recovered'] else '-':<5}{result['seconds']:>8.2f} s"
                  f"{result['evaluations']:>10}  {result['status']}", flush=True)
            write()

    with ThreadPoolExecutor(a.jobs) as pool:
        list(pool.map(step, [(p, arm) for p in problems for arm in arms]))
    while not workers.empty():
        workers.get().close()
    return write()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="laws", help="laws, or one of experiments/suites")
    parser.add_argument("--arms", default="off,prior,seeds,all,control")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--rows", type=int, help="training rows; the suite's where not given")
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="print the comparison of --out and stop")
    parser.add_argument("--out", type=Path, default=HERE / "result.json")
    a = parser.parse_args()
    print("\n" + table(json.loads(a.out.read_text(encoding="utf-8")) if a.table else run(a)))


if __name__ == "__main__":
    main()
