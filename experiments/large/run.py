"""A million rows and ten columns in a minute: a useful front, and how much memory.

    python experiments/large/run.py [--rows 1000000] [--seconds 60]

The law is y = 2 x0 x1 + sin(x2) sqrt(x3) + noise of 1 % of its spread; the other six columns are irrelevant. Peak memory is the
process's own. Writes result.json beside this file.
"""

import argparse
import json
import os
import platform
import resource
import time
from pathlib import Path

import numpy as np

from symnum import SymbolicRegressor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60)
    a = parser.parse_args()
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 3, (a.rows, 10))
    law = 2 * X[:, 0] * X[:, 1] + np.sin(X[:, 2]) * np.sqrt(X[:, 3])
    y = law + 0.01 * law.std() * rng.standard_normal(a.rows)
    began = time.perf_counter()
    model = SymbolicRegressor(time_limit=a.seconds, random_state=0).fit(X, y)
    wall = time.perf_counter() - began
    found = model.discovery_
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # ru_maxrss is in KiB on Linux
    print(found)
    result = {
        "rows": a.rows,
        "columns": 10,
        "seconds": a.seconds,
        "wall": round(wall, 1),
        "peak_memory_gib": round(peak, 2),
        "chosen": str(found.best.best),
        "complexity": found.best.complexity,
        "holdout_r2": found.verdict.holdout_r2,
        "best_possible_r2": float(1 - np.mean((y - law) ** 2) / np.var(y)),
        "statistics": found.statistics,
        "machine": {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()},
    }
    print(json.dumps({k: result[k] for k in ("wall", "peak_memory_gib", "chosen", "holdout_r2", "best_possible_r2")}, indent=1))
    (Path(__file__).parent / "result.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
