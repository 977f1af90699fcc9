"""Recovery of known laws, beside other systems under the same limit and beside their published figures.

    python experiments/recovery/run.py --suite feynman --seconds 60 --out experiments/recovery/result_feynman.json
    python experiments/recovery/run.py --suite feynman --units --seconds 60 --out experiments/recovery/result_feynman_units.json
    python experiments/recovery/run.py --suite feynman+strogatz --stride 3 --noise 0.01 --out experiments/recovery/result_noise.json
    python experiments/recovery/run.py --suite feynman --stride 6 --seconds 30 --peers operon,gplearn
    python experiments/recovery/run.py --table --out experiments/recovery/result_feynman.json

Suites are in `experiments/suites`: feynman, strogatz, unsolved, srsd, nguyen, livermore, or several joined by "+". Every system
gets the same rows in a process that was warmed up; `--jobs` problems run at a time, the cores shared among them. The file is
written after every problem, and `--resume` goes on with it, also with further peers.
"""

import argparse
import json
import os
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import Queue

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "suites"))

from judge import judged, recovered  # noqa: E402
from problems import load, training_rows, units  # noqa: E402
from systems import FITS, Worker, machine, warm_up  # noqa: E402

SETTING = ("suite", "seconds", "noise", "stride", "offset", "rows", "seed", "units")


def is_recovered(problem: dict, noise: float, formula) -> bool:
    """Whether a formula (a function of rows) is the law by the numeric rule, on a sample of its points."""
    return recovered(problem, formula, noise, points=500)[0]


def solve(system: str, problem: dict, a: argparse.Namespace) -> dict:
    """One system on one problem, in a worker."""
    X, y = training_rows(problem, a.rows, a.seed, a.noise)
    threads = max(1, (os.cpu_count() or 1) // a.jobs) if a.jobs > 1 else -1
    extra = {"units": units(problem) if a.units else None, "is_law": partial(is_recovered, problem, a.noise)} if system == "symnum" else {}
    return FITS[system](X, y, a.seconds, a.seed, threads, **extra)


def measure(system: str, problem: dict, a: argparse.Namespace, worker: Worker) -> dict:
    """The judged result of one system on one problem; a crash of a system is a result."""
    began = time.perf_counter()
    answer, trouble = worker.call(3 * a.seconds + 120, solve, system, problem, a)
    wall = time.perf_counter() - began
    result = {"name": problem["name"], "recovered": False, "symbolic": False, "error": None}
    if answer is None:
        return result | {"seconds": round(wall, 2), "to_law": None, "model": trouble, "truth": problem["expression"]}
    verdict = judged(problem, answer["formula"], a.noise, a.judge_seconds)
    kept = {key: answer[key] for key in ("status", "exhausted_complexity", "statistics", "front") if key in answer}
    to_law = answer.get("to_law")
    return (
        result
        | {"seconds": round(answer["seconds"], 2), "to_law": None if to_law is None else round(to_law, 3)}
        | verdict
        | {"model": answer["formula"], "truth": problem["expression"]}
        | kept
    )


def totals(results: list[dict]) -> dict:
    """Counts and medians of one system's results; `on_front`: the law was on the front at some time, chosen or not."""
    times = [r["to_law"] for r in results if r["recovered"] and r.get("to_law") is not None]
    return {
        "recovered": sum(r["recovered"] for r in results),
        "symbolic": sum(bool(r["symbolic"]) for r in results),
        "on_front": sum(r.get("to_law") is not None for r in results),
        "problems": len(results),
        "median_to_law": round(statistics.median(times), 3) if times else None,
        "median_seconds": round(statistics.median(r["seconds"] for r in results), 2) if results else None,
    }


def line(system: str, r: dict) -> str:
    """One problem on the screen."""
    law = "-" if r["to_law"] is None else f"{r['to_law']:.2f}"
    marks = f"{'recovered' if r['recovered'] else '-':<10}{ {True: 'symbolic', False: '-', None: 'undecided'}[r['symbolic']]:<10}"
    return f"{r['name']:<24}{system:<8}{marks}{r['seconds']:>8.1f} s   law at {law:>6} s   {r['model'][:100]}"


def table(data: dict) -> str:
    """Results and published figures as markdown."""
    s = data["setting"]
    lines = [
        f"{s['suite']}, noise {s['noise']:g}{', with units' if s.get('units') else ''}, {s['seconds']:g} s, {s['cores']} cores",
        "",
        "| system | recovered | symbolic | law on the front | median s to the law | median s in all |",
        "|---|---|---|---|---|---|",
    ]
    for system, results in data["results"].items():
        t = totals(results)
        n = t["problems"]
        shares = [f"{t[k]}/{n} = {t[k] / max(n, 1):.0%}" for k in ("recovered", "symbolic")]
        seen = f"{t['on_front']}/{n}" if t["on_front"] else "-"
        lines.append(f"| {system} | {shares[0]} | {shares[1]} | {seen} | {t['median_to_law'] or '-'} | {t['median_seconds']} |")
    for p in json.loads((HERE / "published.json").read_text(encoding="utf-8")):
        if p["suite"] == s["suite"] and p["noise"] == s["noise"]:
            numbers = "| - |" + f" {p['percent']:g} % |" if p["rule"] == "symbolic" else f"| {p['percent']:g} % | - |"
            lines.append(f"| {p['system']} (published: {p['problems']} problems, {p['budget']}; {p['source']}) {numbers} | | |")
    return "\n".join(lines)


def read_before(a: argparse.Namespace, setting: dict) -> dict[str, list[dict]]:
    """The results to go on from."""
    if not (a.resume and a.out.exists()):
        return {}
    before = json.loads(a.out.read_text(encoding="utf-8"))
    differing = [k for k in SETTING if before["setting"].get(k) != setting[k]]
    if differing:
        msg = f"--resume needs the setting of {a.out}; {', '.join(differing)} differ"
        raise SystemExit(msg)
    return before["results"]


def write(out: Path, setting: dict, results: dict[str, list[dict]]) -> None:
    """The file, replaced at once."""
    data = {"setting": setting, "totals": {s: totals(r) for s, r in results.items()}, "results": results}
    part = out.with_suffix(".part")
    part.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    part.replace(out)


def run(a: argparse.Namespace) -> dict:
    """Every system on every problem."""
    systems = ["symnum", *(p for p in a.peers.split(",") if p)]
    problems = load(a.suite)[a.offset :: a.stride][: a.limit]
    order = {p["name"]: i for i, p in enumerate(problems)}
    setting = {k: getattr(a, k) for k in SETTING} | machine() | {"jobs": a.jobs}
    results = {s: [] for s in systems} | read_before(a, setting)
    done = {(s, r["name"]) for s, rs in results.items() for r in rs}
    tasks = [(s, p) for p in problems for s in systems if (s, p["name"]) not in done]
    workers, lock = Queue(), threading.Lock()
    for _ in range(min(a.jobs, len(tasks))):
        workers.put(Worker(warm_up, tuple(systems), a.warm, a.units))

    def step(task: tuple[str, dict]) -> None:
        worker = workers.get()
        try:
            result = measure(*task, a, worker)
        finally:
            workers.put(worker)
        with lock:
            results[task[0]].append(result)
            results[task[0]].sort(key=lambda r: order.get(r["name"], len(order)))
            print(line(task[0], result), flush=True)
            write(a.out, setting, results)

    with ThreadPoolExecutor(a.jobs) as pool:
        list(pool.map(step, tasks))
    while not workers.empty():
        workers.get().close()
    write(a.out, setting, results)
    return json.loads(a.out.read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="feynman")
    parser.add_argument("--seconds", type=float, default=60, help="per problem and system")
    parser.add_argument("--noise", type=float, default=0.0, help="of the root mean square of y")
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--offset", type=int, default=0)
    parser.add_argument("--limit", type=int, help="at most so many problems")
    parser.add_argument("--rows", type=int, help="training rows; the suite's where not given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--units", action="store_true", help="tell symnum the units")
    parser.add_argument("--peers", default="", help="operon,gplearn")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--warm", type=float, default=10, help="seconds of warm-up")
    parser.add_argument("--judge-seconds", type=float, default=30, help="until sympy is stopped")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--table", action="store_true", help="print the table of --out and stop")
    parser.add_argument("--out", type=Path, default=HERE / "result.json")
    a = parser.parse_args()
    print("\n" + table(json.loads(a.out.read_text(encoding="utf-8")) if a.table else run(a)))


if __name__ == "__main__":
    main()
