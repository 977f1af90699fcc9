"""Constant-fitted expressions per second of `fit_constants` and of pyoperon 0.6.2, five Levenberg-Marquardt iterations each.

    PYTHONPATH=. python experiments/constants/run.py [--seconds S] [--out FILE] [--readme]

The same random trees of 20 tokens with 1 to 5 free constants, the same 100 rows, the same starting constants; the target is a
smooth law plus noise. Only trees that are finite at the start count: on the others both give up at once. Ours fits in
float64, Operon in float32, its only type; its variables' coefficients are held at 1, so that both fit the same constants.
Operon is called tree by tree through `CoefficientOptimizer(LMOptimizer(max_iter=5))`, which includes about 3 µs of Python, on one
thread: the call holds the interpreter lock. Its figure for more threads is its best for one times their number, perfect scaling.
Final losses are compared in float64 by our evaluator, at the constants returned.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pyoperon

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "throughput"))

import operon  # noqa: E402
from run import SETS, best_of, machine  # noqa: E402

from symnum.evaluate.constants import fit_constants  # noqa: E402
from symnum.evaluate.cpu import CpuEvaluator, Rows  # noqa: E402
from symnum.testing import random_batch  # noqa: E402

NAMES = ("x0", "x1", "x2", "x3", "x4")
ROWS, TREES, ITERATIONS, MOST = 100, 4000, 5, 5


def problem(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Data (rows, 5) and targets (rows,), float32 values in float64."""
    X = rng.uniform(0.5, 3.0, (ROWS, len(NAMES))).astype(np.float32)
    y = (2.5 * X[:, 0] * np.sin(X[:, 1]) + X[:, 2] / X[:, 3] + rng.normal(0, 0.1, ROWS)).astype(np.float32)
    return X.astype(float), y.astype(float)


def expressions(rng: np.random.Generator, ops: tuple[str, ...], rows: Rows):
    """Random expressions with 1 to 5 constants and a finite loss at the start."""
    batch = random_batch(rng, 6 * TREES, NAMES, ops, n_tokens=20, constant=0.3, number=0.0)
    batch = batch.take((batch.n_constants >= 1) & (batch.n_constants <= MOST))
    start = CpuEvaluator(1).loss(batch, rows)
    return batch.take(np.flatnonzero(np.isfinite(start) & (start < 1e30))[:TREES])


def operon_problem(data) -> pyoperon.Problem:
    """The last column is the target."""
    variables = sorted(data.Variables, key=lambda v: v.Index)
    task = pyoperon.Problem(data)
    task.TrainingRange, task.TestRange = pyoperon.Range(0, ROWS), pyoperon.Range(0, 1)
    task.Target, task.InputHashes = variables[-1], [v.Hash for v in variables[:-1]]
    return task


def operon_fit(data):
    """A function from trees to fitted trees."""
    task, table, random = operon_problem(data), pyoperon.DispatchTable(), pyoperon.RandomGenerator(1)
    optimizer = pyoperon.LMOptimizer(table, task, max_iter=ITERATIONS)
    call, alive = pyoperon.CoefficientOptimizer(optimizer), (task, table, optimizer)  # Operon keeps references, not owners
    return lambda trees: [call(random, tree)[0] for tree in trees if alive]


def measure(ops: tuple[str, ...], threads: int, seconds: float) -> dict:
    """One row of the table."""
    rng = np.random.default_rng(7)
    X, y = problem(rng)
    rows, cpu = Rows.pack(X, NAMES, y), CpuEvaluator(threads)
    batch = expressions(rng, ops, rows)
    data = operon.dataset(np.column_stack([X, y]))
    trees, theirs = operon.trees(batch, data), operon_fit(data)
    best = best_of({"ours": lambda: fit_constants(batch, rows, cpu, iterations=ITERATIONS), "operon": lambda: theirs(trees)}, seconds)
    best["operon"] /= threads
    ours = fit_constants(batch, rows, cpu, iterations=ITERATIONS)
    fitted = operon.with_coefficients(batch, theirs(trees))
    start, ours_loss, loss = cpu.loss(batch, rows), ours.loss, cpu.loss(fitted, rows)
    loss = np.where(loss <= start, loss, start)  # Operon keeps the start where the fit failed
    return {"rows": ROWS, "threads": threads, "trees": len(batch), "constants": float(batch.n_constants.mean()),
            "ours_per_s": len(batch) / best["ours"], "operon_per_s": len(batch) / best["operon"], "ratio": best["operon"] / best["ours"],
            "passes": float(ours.passes.mean()), "ours_lower_or_equal": float((ours_loss <= loss * (1 + 1e-6)).mean()),
            "operon_lower_or_equal": float((loss <= ours_loss * (1 + 1e-6)).mean()),
            "start_median": float(np.median(start)), "ours_median": float(np.median(ours_loss)), "operon_median": float(np.median(loss))}


def table(results: list[dict]) -> str:
    """The results as a markdown table."""
    lines = ["| operators | threads | symnum /s | pyoperon /s | ratio | symnum lower or equal | pyoperon lower or equal | "
             "median loss: start, symnum, pyoperon |", "|---|---|---|---|---|---|---|---|"]
    for r in results:
        lines.append("| {operators} | {threads} | {ours_per_s:,.0f} | {operon_per_s:,.0f} | **{ratio:.1f}** | {ours_lower_or_equal:.1%} | "
                     "{operon_lower_or_equal:.1%} | {start_median:.3g}, {ours_median:.3g}, {operon_median:.3g} |".format(**r))
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=15.0, help="per row of the table")
    parser.add_argument("--out", default=str(HERE / "result.json"))
    parser.add_argument("--readme", action="store_true", help="print the table of the last result and stop")
    options = parser.parse_args()
    if options.readme:
        print(table(json.loads(Path(options.out).read_text())["results"]))
        return
    results = [{"operators": name, **measure(ops, threads, options.seconds)} for name, ops in SETS.items() for threads in (1, 2)]
    print("constant-fitted expressions per second, 100 rows\n" + table(results))
    Path(options.out).write_text(json.dumps({"unit": "expressions/s", "machine": machine(), "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
