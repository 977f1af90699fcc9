"""How the time to the law grows with rows and with columns that do not matter.

    python experiments/growth/run.py [--seconds 120] [--seeds 3] [--resume]
    python experiments/growth/run.py --table

Four laws of our own in two columns, noiseless: 10^3 to 10^6 rows, and at 10^3 rows 2 to 100 columns of which two matter. Measured
is the time from the call of `fit` until a formula of the front is the law (numeric rule of `experiments/suites/judge.py`), the
median over seeds; a run that does not find it counts as the whole limit. Writes result.json beside this file after every run.
"""

import argparse
import json
import statistics
import sys
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "suites"))

from judge import recovered  # noqa: E402
from problems import training_rows  # noqa: E402
from systems import Worker, begun, fit_symnum, warm_up  # noqa: E402

LAWS = ("1.8*x0*exp(-0.4*x1)", "sqrt(x0**2 + 3*x1) - x0", "x0/(x0 + x1**2) + 0.5*x1", "cos(x0*x1)/x1")
ROWS = (10**3, 10**4, 10**5, 10**6)
COLUMNS = (2, 5, 10, 30, 100)


def problem(law: str, columns: int) -> dict:
    """A law of the first two of `columns` columns, all uniform on 0.5 … 3."""
    variables = [{"name": f"x{i}", "range": [0.5, 3.0], "sampling": "uniform"} for i in range(columns)]
    return {"name": law, "expression": law, "variables": variables}


def is_recovered(p: dict, formula) -> bool:
    """The numeric rule for a function of rows."""
    return recovered(p, formula, points=500)[0]


def solve(law: str, rows: int, columns: int, seconds: float, seed: int) -> dict:
    """One run, in a worker."""
    p = problem(law, columns)
    X, y = training_rows(p, rows, seed)
    answer = fit_symnum(X, y, seconds, seed, is_law=partial(is_recovered, p))
    return {key: answer[key] for key in ("to_law", "seconds", "formula", "status")}


def table(data: dict) -> str:
    """Median seconds to the law as markdown, for rows and for columns."""
    limit, runs = data["setting"]["seconds"], data["runs"]

    def cell(law: str, rows: int, columns: int) -> tuple[float | None, str]:
        times = [r["to_law"] for r in runs if (r["law"], r["rows"], r["columns"]) == (law, rows, columns)]
        if not times:
            return None, "-"
        found = sum(t is not None for t in times)
        median = statistics.median(limit if t is None else t for t in times)
        return median, f"{median:.2f}" + ("" if found == len(times) else f" ({found}/{len(times)} found)")

    def part(title: str, settings: list[tuple[int, int]], heads: list[str]) -> list[str]:
        lines = [f"| {title} | " + " | ".join(heads) + " | last / first |", "|---" * (len(heads) + 2) + "|"]
        for law in LAWS:
            cells = [cell(law, *s) for s in settings]
            ratio = f"{cells[-1][0] / cells[0][0]:.1f}" if cells[0][0] and cells[-1][0] else "-"
            lines.append(f"| `{law}` | " + " | ".join(text for _, text in cells) + f" | {ratio} |")
        return lines

    rows = part("s to the law at rows", [(n, 2) for n in ROWS], [f"{n:,}" for n in ROWS])
    columns = part("s to the law at columns", [(ROWS[0], n) for n in COLUMNS], [str(n) for n in COLUMNS])
    return "\n".join([*rows, "", *columns])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120, help="per run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--laws", type=int, default=len(LAWS), help="how many of the laws")
    parser.add_argument("--most-rows", type=int, default=ROWS[-1])
    parser.add_argument("--most-columns", type=int, default=COLUMNS[-1])
    parser.add_argument("--warm", type=float, default=10, help="seconds of warm-up")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--table", action="store_true", help="print the tables of --out and stop")
    parser.add_argument("--out", type=Path, default=HERE / "result.json")
    a = parser.parse_args()
    data = begun(a)
    if not a.table:
        sizes = [(n, 2) for n in ROWS if n <= a.most_rows] + [(ROWS[0], n) for n in COLUMNS[1:] if n <= a.most_columns]
        done = {(r["law"], r["rows"], r["columns"], r["seed"]) for r in data["runs"]}
        tasks = [(law, n, k, seed) for seed in range(a.seeds) for n, k in sizes for law in LAWS[: a.laws]]
        worker = Worker(warm_up, ("symnum",), a.warm)
        for law, n, k, seed in [t for t in tasks if t not in done]:
            answer, trouble = worker.call(3 * a.seconds + 300, solve, law, n, k, a.seconds, seed)
            run = {"law": law, "rows": n, "columns": k, "seed": seed}
            data["runs"].append(run | (answer or {"to_law": None, "seconds": a.seconds, "formula": trouble, "status": "FAILED"}))
            a.out.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
            print(json.dumps(data["runs"][-1]), flush=True)
        worker.close()
    print("\n" + table(data))


if __name__ == "__main__":
    main()
