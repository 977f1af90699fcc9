"""Time and peak memory of a 512 x 512 x 201 field, mapped from files; writes large.json.

    python experiments/pde/large.py [--points 512] [--times 201]
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from symnum.equations.pde import discover_pde

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=512)
    parser.add_argument("--times", type=int, default=201)
    args = parser.parse_args()
    n, x, t = args.points, 20 * np.arange(args.points) / args.points, np.linspace(0, 10, args.times)
    rng = np.random.default_rng(0)
    waves = [(*rng.integers(-6, 7, 2), rng.uniform(0, 2 * np.pi), rng.normal()) for _ in range(12)]
    with tempfile.TemporaryDirectory() as folder:
        u = np.lib.format.open_memmap(Path(folder) / "u.npy", "w+", np.float32, (len(t), n, n))
        k = 2 * np.pi / 20
        for i, s in enumerate(t):  # u_t = -0.5 u_x + 0.1 (u_xx + u_yy), a solution in closed form
            u[i] = sum(c * np.exp(-0.1 * k**2 * (a * a + b * b) * s) * np.real(
                np.exp(1j * (k * a * (x - 0.5 * s) + p))[:, None] * np.exp(1j * k * b * x)[None]) for a, b, p, c in waves)
        u.flush()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        start = time.perf_counter()
        found = discover_pde(np.load(Path(folder) / "u.npy", mmap_mode="r"), t, (x, x), products=False)
        seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        result = {"shape": u.shape, "field_gib": u.nbytes / 2**30, "seconds": seconds, "before_gib": before, "peak_gib": peak,
                  "found": str(found), "verdict": found.verdict.message}
        print(json.dumps(result, indent=1))
        (HERE / "large.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
