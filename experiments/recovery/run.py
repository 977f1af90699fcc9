"""Recovery of known laws, side by side with Operon and gplearn under the same limit.

    python experiments/recovery/run.py BENCH [--seconds 30] [--stride 6] [--suite feynman] [--noise 0]

BENCH is the folder of the benchmark (`run.py`, `judge.py`, `feynman.json`); each system runs there in a process of its own,
one after the other. Needs `pip install pyoperon==0.6.2 gplearn==0.4.3` for the peers. Writes result.json beside this file.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def run(system: str, bench: Path, a: argparse.Namespace) -> list[dict]:
    """The per-problem results of one system."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        command = [
            sys.executable,
            "run.py",
            system,
            a.suite,
            str(a.seconds),
            "--stride",
            str(a.stride),
            "--noise",
            str(a.noise),
            "--out",
            str(out),
        ]
        subprocess.run(command, cwd=bench, check=True, stdout=subprocess.DEVNULL)
        return json.loads(out.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--suite", default="feynman")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--stride", type=int, default=6)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--systems", default="symnum,operon,gplearn")
    a = parser.parse_args()
    results = {system: run(system, a.bench.resolve(), a) for system in a.systems.split(",")}
    names = [r["name"] for r in next(iter(results.values()))]
    print(f"{a.suite}, noise {a.noise:g}, limit {a.seconds:g} s, {os.cpu_count()} cores; recovered (s) by")
    print(f"{'problem':<24}" + "".join(f"{system:>18}" for system in results))
    for i, name in enumerate(names):
        cells = [
            f"{'yes' if r[i]['recovered'] else 'no'}{'+sym' if r[i]['symbolic'] else ''} ({r[i]['seconds']:.1f})" for r in results.values()
        ]
        print(f"{name:<24}" + "".join(f"{c:>18}" for c in cells))
    totals = {
        s: {"recovered": sum(x["recovered"] for x in r), "symbolic": sum(x["symbolic"] for x in r), "problems": len(r)}
        for s, r in results.items()
    }
    print(json.dumps(totals))
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    setting = {"suite": a.suite, "seconds": a.seconds, "stride": a.stride, "noise": a.noise} | machine
    (HERE / "result.json").write_text(json.dumps({"setting": setting, "totals": totals, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
