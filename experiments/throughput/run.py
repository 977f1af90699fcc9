"""Node·rows per second of the CPU evaluator and of pyoperon 0.6.2, on the same random trees, in one run.

    PYTHONPATH=. python experiments/throughput/run.py [--seconds S] [--out FILE] [--readme]

Trees of 20 tokens, leaves counted (19 where all operators are binary), from `symnum.testing.random_batch`; float32; columns
normal(0, 1). Ours is measured twice: `CpuEvaluator.values` into a given array, which is what `EvaluateTrees` does, and
`CpuEvaluator.loss`, the fused mean squared error that a search uses. The sides take turns, and the best of their runs counts.
A tree agrees if both give the same finite rows and, on them, values within 1e-3 (relative, or absolute 1e-5).
"""

import argparse
import json
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import operon
import pyoperon

from symnum.evaluate.cpu import CpuEvaluator, Rows
from symnum.testing import random_batch

HERE = Path(__file__).parent
ARITHMETIC = ("add", "sub", "mul", "div")
SETS = {"+ - * /": ARITHMETIC, "+ - * / sin cos exp log sqrt square": (*ARITHMETIC, "sin", "cos", "exp", "log", "sqrt", "square")}
TREES = {100: 6000, 1000: 3000, 10_000: 1000}
NAMES = tuple(f"x{i}" for i in range(5))


def machine() -> dict:
    """The processor and the versions; nothing that names the machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return {"cpu": model, "cores": sum(line.startswith("processor") for line in lines), "avx512": "avx512f" in flags,
            "python": platform.python_version(), **{name: version(name) for name in ("numpy", "numba", "pyoperon")}}


def best_of(sides: dict, seconds: float) -> dict[str, float]:
    """The best time of each side; they take turns until `seconds` are over, at least five times."""
    best, start, turns = dict.fromkeys(sides, np.inf), time.perf_counter(), 0
    while turns < 5 or time.perf_counter() - start < seconds:
        for name, run in sides.items():
            begin = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - begin)
        turns += 1
    return best


def measure(ops: tuple[str, ...], rows: int, threads: int, seconds: float) -> dict:
    """One row of the table."""
    rng = np.random.default_rng(rows)
    batch = random_batch(rng, TREES[rows], NAMES, ops, n_tokens=20, constant=0.2, number=0.0)
    X = rng.normal(size=(rows, len(NAMES))).astype(np.float32)
    data, packed, cpu = operon.dataset(X), Rows.pack(X, NAMES, X[:, 0], dtype="float32"), CpuEvaluator(threads)
    trees, everything = operon.trees(batch, data), pyoperon.Range(0, rows)
    ours, theirs = np.empty((len(batch), rows), np.float32), np.empty((len(batch), rows), np.float32)
    best = best_of({
        "values": lambda: cpu.values(batch, packed, ours),
        "operon": lambda: pyoperon.EvaluateTrees(trees, data, everything, theirs, threads),
        "loss": lambda: cpu.loss(batch, packed),
    }, seconds)
    work = float(batch.offset[-1]) * rows / 1e9
    same = np.isclose(ours, theirs, rtol=1e-3, atol=1e-5, equal_nan=True) | ~(np.isfinite(ours) | np.isfinite(theirs))
    return {"rows": rows, "threads": threads, "nodes": float(batch.lengths.mean()), "trees": len(batch),
            **{f"{name}_g": work / t for name, t in best.items()},
            "ratio_values": best["operon"] / best["values"], "ratio_loss": best["operon"] / best["loss"],
            "trees_equal": float(same.all(axis=1).mean()), "rows_equal": float(same.mean())}


def table(results: list[dict]) -> str:
    """The results as a markdown table."""
    lines = ["| operators | rows | threads | values | fused loss | pyoperon | values / pyoperon | loss / pyoperon | trees equal |",
             "|---|---|---|---|---|---|---|---|---|"]
    for r in results:
        lines.append("| {operators} | {rows:,} | {threads} | {values_g:.2f} | {loss_g:.2f} | {operon_g:.2f} | **{ratio_values:.1f}** | "
                     "**{ratio_loss:.1f}** | {trees_equal:.1%} |".format(**r))
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0, help="per row of the table")
    parser.add_argument("--out", default=str(HERE / "result.json"))
    parser.add_argument("--readme", action="store_true", help="print the table of the last result and stop")
    options = parser.parse_args()
    if options.readme:
        print(table(json.loads(Path(options.out).read_text())["results"]))
        return
    results = [{"operators": name, **measure(ops, rows, threads, options.seconds)}
               for name, ops in SETS.items() for rows in TREES for threads in (1, 2)]
    print("10^9 node·rows/s\n" + table(results))
    Path(options.out).write_text(json.dumps({"unit": "1e9 node*rows/s", "machine": machine(), "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
