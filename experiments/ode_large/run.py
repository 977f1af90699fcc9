"""A trajectory of a million rows: seconds, peak memory and the law, beside PySINDy.

    python experiments/ode_large/run.py [--rows 1000000] [--seconds 60] [--peers symnum,pysindy] [--system lorenz]

The Lorenz system (σ = 10, ρ = 28, β = 8/3; 1963, doi:10.1175/1520-0469(1963)020<0130:DNF>2.0.CO;2) or Lotka's and Volterra's, from
time 0 to rows/1000, with additive noise of 1 % of every state's standard deviation. Every finder runs in a process of its own; its peak
memory is the whole process's, and `before` is what the process held when it had the data and had imported everything. Writes
result.json.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from odebench import finders, judge, tasks  # noqa: E402

STEP, NOISE = 1e-3, 0.01
SYSTEMS = {
    "lorenz": {"id": "lorenz", "name": "Lorenz", "equations": ["s*(x1 - x0)", "x0*(r - x2) - x1", "x0*x1 - b*x2"],
               "constants": {"s": 10.0, "r": 28.0, "b": 8 / 3}, "starts": [[-8.0, 7.0, 27.0], [3.0, -2.0, 20.0]], "T": 3, "points": 300},
    "lotka_volterra": {"id": "lotka_volterra", "name": "Lotka and Volterra", "equations": ["a*x0 - b*x0*x1", "c*x0*x1 - d*x1"],
                       "constants": {"a": 1.1, "b": 0.4, "c": 0.1, "d": 0.4}, "starts": [[10.0, 5.0], [3.0, 2.0]], "T": 30, "points": 300},
}


def data(name: str, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """(t, x) the noisy trajectory."""
    from scipy.integrate import solve_ivp

    system = SYSTEMS[name]
    t = STEP * np.arange(rows)
    x = solve_ivp(judge.scalar(judge.truth(system)), (0, t[-1]), system["starts"][0], "DOP853", t, rtol=1e-9, atol=1e-9).y.T
    return t, x + NOISE * x.std(0) * np.random.default_rng(0).standard_normal(x.shape)


def peak() -> float:
    """GiB that this process has held at most; ru_maxrss is in KiB on Linux."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def one(finder: str, file: str, seconds: float) -> dict:
    """A finder on the data of a file, in this process."""
    with np.load(file) as held:
        t, x = held["t"], held["x"]
    finders.warm_up((finder,))
    before = peak()
    answer = finders.find(finder, x, t, NOISE, seconds, 0, None, {})
    return answer | {"before_gib": round(before, 2), "peak_gib": round(peak(), 2), "seconds": round(answer["seconds"], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--peers", default="symnum,pysindy")
    parser.add_argument("--system", default="lorenz", choices=SYSTEMS)
    parser.add_argument("--limit", type=float, default=900, help="seconds after which a process is ended")
    parser.add_argument("--one", nargs=2, metavar=("FINDER", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=HERE / "result.json")
    a = parser.parse_args()
    if a.one:
        print(json.dumps(one(*a.one, a.seconds)))
        return
    system, results = SYSTEMS[a.system], []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.npz"
        t, x = data(a.system, a.rows)
        np.savez(file, t=t, x=x)
        for finder in tasks.expanded(a.peers):
            command = [sys.executable, __file__, "--one", finder, str(file), "--seconds", str(a.seconds)]
            try:
                process = subprocess.run(command, capture_output=True, text=True, timeout=a.limit)
                lines = process.stdout.strip().splitlines()
                result = json.loads(lines[-1]) if process.returncode == 0 else {"trouble": process.stderr.strip().splitlines()[-1]}
            except subprocess.TimeoutExpired:
                result = {"trouble": f"no answer after {a.limit:g} s"}
            verdict = judge.judged(system, 0, result.get("equations"))
            results.append({"finder": finder} | result | {k: tasks.finite(v) for k, v in verdict.items()})
            r = results[-1]
            print(f"{finder:<17} law {r['law']!s:<6} {r.get('seconds', '-')} s, peak {r.get('peak_gib', '-')} GiB "
                  f"(before {r.get('before_gib', '-')}), coefficients off by {r.get('coefficient_error')}  {r.get('trouble', '')}")
            for text in r.get("equations") or []:
                print("   ", tasks.shortened(text))
    setting = {"rows": a.rows, "system": a.system, "noise": NOISE, "seconds": a.seconds} | tasks.machine()
    a.out.write_text(json.dumps({"setting": setting, "results": results}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
