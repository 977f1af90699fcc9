"""How long a user waits: import, the first fit after install (compilation included), the next one.

    python experiments/startup/run.py

Every figure is a fresh process. The first fit runs with an empty compilation cache (NUMBA_CACHE_DIR points to a new folder).
Writes result.json beside this file.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IMPORT = (
    "import time; t = time.perf_counter(); import symnum; s = time.perf_counter() - t; import sys;"
    "print(s, [m for m in ('torch', 'numba', 'pandas', 'sympy') if m in sys.modules])"
)
FIT = """
import time
start = time.perf_counter()
from symnum.callbacks import Silent
from symnum.data import load
from symnum import SymbolicRegressor
class First(Silent):
    at = None
    def on_update(self, update):
        if self.at is None and len(update.front):
            First.at = time.perf_counter() - start
table = load("kepler")
X, y = table.X, table.y
SymbolicRegressor(max_evaluations=50_000, time_limit=None, random_state=0, callbacks=[First()]).fit(X, y)
print(First.at, time.perf_counter() - start)
"""


def python(code: str, **env: str) -> tuple[str, float]:
    """What a fresh process prints, and its wall time."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | env, capture_output=True, text=True, check=True)
    return done.stdout.strip(), time.perf_counter() - began


def main() -> None:
    seconds, loaded = min((python(IMPORT)[0].split(maxsplit=1) for _ in range(5)), key=lambda r: float(r[0]))
    with tempfile.TemporaryDirectory() as cache:
        first, first_wall = python(FIT, NUMBA_CACHE_DIR=cache)
        second, second_wall = min((python(FIT, NUMBA_CACHE_DIR=cache) for _ in range(3)), key=lambda r: r[1])
    result = {
        "import_seconds": round(float(seconds), 4),
        "heavy_modules_loaded": loaded,
        "first_fit": {
            "to_first_front": round(float(first.split()[0]), 2),
            "fit": round(float(first.split()[1]), 2),
            "process": round(first_wall, 2),
        },
        "second_fit": {
            "to_first_front": round(float(second.split()[0]), 2),
            "fit": round(float(second.split()[1]), 2),
            "process": round(second_wall, 2),
        },
        "required": {"import_seconds": 0.3, "first_fit": 15, "second_to_first_front": 3},
        "machine": {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()},
    }
    print(json.dumps(result, indent=1))
    (Path(__file__).parent / "result.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
