"""Running finders on systems: one task after the other in guarded processes, every result kept in a file of lines as it comes."""

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import numpy as np
from odebench import finders, judge

sys.path.insert(0, str(Path(__file__).parents[1] / "suites"))

from systems import Worker, machine  # noqa: E402

KEY = ("finder", "id", "start", "noise", "drop", "seed", "options")
GOOD = 0.9  # ODEFormer's R²
JUDGE_SECONDS = 120.0


def load(file: Path) -> list[dict]:
    """The systems of a file."""
    return json.loads(file.read_text(encoding="utf-8"))["systems"]


def chosen(systems: list[dict], text: str | None) -> list[dict]:
    """Those with the ids of a text like "1-23,40,lorenz63"; all for None."""
    if not text:
        return systems
    wanted = set()
    for part in text.split(","):
        low, dash, high = part.partition("-")
        wanted |= {str(i) for i in range(int(low), int(high) + 1)} if dash and low.isdigit() and high.isdigit() else {part}
    unknown = wanted - {str(s["id"]) for s in systems}
    if unknown:
        msg = f"no systems {', '.join(sorted(unknown))}; there are {', '.join(str(s['id']) for s in systems)}"
        raise SystemExit(msg)
    return [s for s in systems if str(s["id"]) in wanted]


def expanded(peers: str) -> list[str]:
    """Names of finders; "pysindy" stands for all its variants."""
    names = [n for p in peers.split(",") if p for n in (finders.PYSINDY if p == "pysindy" else (p,))]
    unknown = set(names) - set(finders.FINDERS)
    if unknown:
        msg = f"no finders {', '.join(sorted(unknown))}; there are pysindy, {', '.join(finders.FINDERS)}"
        raise SystemExit(msg)
    return names


def key(record: dict) -> tuple:
    """What tells tasks apart."""
    return tuple(json.dumps(record[k], sort_keys=True) for k in KEY)


def read(file: Path) -> list[dict]:
    """The results kept so far; of one task the last."""
    if not file.exists():
        return []
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    return list({key(r): r for r in map(json.loads, lines)}.values())


def finite(value):
    """For JSON: None for what is not a finite number."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def run_one(worker: Worker, system: dict, task: dict, seconds: float, threads: int | None) -> dict:
    """Find and judge; a crash, or an answer that does not come, is a result."""
    began = time.perf_counter()
    t, x = judge.measured(system, task["start"], task["noise"], task["drop"], task["seed"])
    call = (task["finder"], x, t, task["noise"], seconds, task["seed"], threads, task["options"])
    answer, trouble = worker.call(3 * seconds + 60, finders.find, *call)
    answer = answer or {"equations": None, "seconds": time.perf_counter() - began}
    verdict, judge_trouble = worker.call(JUDGE_SECONDS, judge.judged, system, task["start"], answer["equations"])
    if verdict is None:
        verdict = judge.judged(system, task["start"], None)
    troubles = {"trouble": trouble, "judge_trouble": judge_trouble}
    record = task | {"name": system["name"]} | answer | verdict | {k: v for k, v in troubles.items() if v}
    return {k: finite(v) for k, v in record.items()} | {"cubic": judge.cubic(system), "dim": len(system["equations"])}


def run(
    systems: list[dict], tasks: list[dict], file: Path, *, jobs: int, seconds: float, show: Callable[[dict, dict], str] | None = None
) -> list[dict]:
    """Every task that `file` does not have yet; a line on the screen for each where wanted.

    Args:
        systems: with ids that the tasks name.
        tasks: {finder, id, start, noise, drop, seed, options}.
        file: of results, one in a line; appended to.
        jobs: tasks at a time; the cores are shared among them.
        seconds: the time limit that finders are given.
        show: the line of a system and a result; without it nothing is printed.

    Returns:
        the results of the tasks, in their order.
    """
    by_id = {s["id"]: s for s in systems}
    done = {key(r) for r in read(file)}
    rest = [task for task in tasks if key(task) not in done]
    threads = max(1, (os.cpu_count() or 1) // jobs)
    workers, lock = Queue(), threading.Lock()
    for _ in range(min(jobs, len(rest))):
        workers.put(Worker(finders.warm_up, tuple(dict.fromkeys(t["finder"] for t in rest)), threads))
    file.parent.mkdir(parents=True, exist_ok=True)

    def step(task: dict) -> None:
        worker = workers.get()
        try:
            record = run_one(worker, by_id[task["id"]], task, seconds, threads)
        finally:
            workers.put(worker)
        with lock, file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(record) + "\n")
            if show:
                print(show(by_id[task["id"]], record), flush=True)

    try:
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(step, rest))
    finally:
        while not workers.empty():
            workers.get().close()
    found = {key(r): r for r in read(file)}
    return [found[key(task)] for task in tasks if key(task) in found]


def rejudged(systems: list[dict], records: list[dict]) -> list[dict]:
    """The results judged anew, what was found as it is."""
    by_id = {s["id"]: s for s in systems}
    fresh = []
    for r in records:
        if r["id"] in by_id:
            verdict = judge.judged(by_id[r["id"]], r["start"], r["equations"])
            fresh.append(r | {k: finite(v) for k, v in verdict.items()})
    return fresh


# summary -----------------------------------------------------------------------------------------------------------------------------
def good(r: dict, what: str) -> bool:
    """Whether an R² is above ODEFormer's threshold."""
    return r[what] is not None and r[what] > GOOD


def totals(records: Sequence[dict]) -> dict:
    """Counts of one finder under one setting."""
    seconds = np.array([r["seconds"] for r in records])
    cubic, others = [r for r in records if r["cubic"]], [r for r in records if not r["cubic"]]
    errors = [r["coefficient_error"] for r in records if r.get("coefficient_error") is not None and r["law"]]
    return {
        "tasks": len(records),
        "rec": sum(good(r, "rec") for r in records),
        "gen": sum(good(r, "gen") for r in records),
        "law": sum(r["law"] for r in records),
        "cubic": len(cubic),
        "support": sum(bool(r["support"]) for r in cubic),
        "others": len(others),
        "others_law": sum(r["law"] for r in others),
        "others_systems": len({r["id"] for r in others}),
        "others_law_first": sum(r["law"] for r in others if r["start"] == 0),
        "others_law_some": len({r["id"] for r in others if r["law"]}),
        "median_coefficient_error": float(np.median(errors)) if errors else None,
        "median_seconds": round(float(np.median(seconds)), 3),
        "seconds_90": round(float(np.quantile(seconds, 0.9)), 3),
        "failed": sum(not r["equations"] for r in records),
    }


def line(system: dict, r: dict) -> str:
    """One result on the screen."""

    def number(v) -> str:
        return "   -  " if v is None else f"{v:6.3f}" if v > -10 else "  bad "

    mark = "LAW" if r["law"] else "".join("+" if ok else "-" for ok in r.get("laws", [])) or "none"
    support = {True: "support", False: "-", None: ""}[r["support"]]
    head = f"{r['finder']:<17}{r['id']!s:<21}{system['name'][:18]:<19}s{r['start']} n{r['noise']:g} d{r['drop']:g}"
    text = f"{head} rec {number(r['rec'])} gen {number(r['gen'])} {mark:<5}{support:<8}{r['seconds']:6.2f} s  {r.get('status', '')[:60]}"
    if r["law"]:
        return text
    found = r["equations"] or [r.get("trouble", "nothing")]
    pairs = [f"      x{i}' = {shortened(f)}   TRUE {t}" for i, (f, t) in enumerate(zip(found, truth_texts(system), strict=False))
             if not (r.get("laws") or [False] * 9)[i]]
    return "\n".join([text, *pairs])


def shortened(text: str, width: int = 140) -> str:
    """Numbers to four digits, not too long."""
    import re

    text = re.sub(r"\d+\.\d+(e[-+]?\d+)?", lambda m: f"{float(m.group()):.4g}", text)
    return text if len(text) <= width else text[: width - 1] + "…"


def truth_texts(system: dict) -> list[str]:
    """The true right-hand sides with numbers, expanded where they are polynomials."""
    import sympy as sp

    return [shortened(str(sp.expand(e, power_exp=False, power_base=False, log=False))) for e in judge.truth(system)]


def by_setting(records: Sequence[dict]) -> dict[tuple, list[dict]]:
    """Results by (noise, drop, finder), in the order they came."""
    groups: dict[tuple, list[dict]] = {}
    for r in records:
        groups.setdefault((r["noise"], r["drop"], r["finder"]), []).append(r)
    return groups


def table(records: Sequence[dict]) -> str:
    """Totals as markdown."""
    names = ("noise", "dropped", "finder", "rec R² > 0.9", "gen R² > 0.9", "law", "support (cubic)", "law (outside cubic)")
    head = "| " + " | ".join([*names, "median s", "90 % s", "failed"]) + " |"
    lines = [head, "|" + "---|" * 11]
    for (noise, drop, finder), group in by_setting(records).items():
        t = totals(group)
        cells = [f"{noise:g}", f"{drop:g}", finder, *(share(t[k], t["tasks"]) for k in ("rec", "gen", "law"))]
        cells += [share(t["support"], t["cubic"]), share(t["others_law"], t["others"]), t["median_seconds"], t["seconds_90"], t["failed"]]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def share(count: int, of: int) -> str:
    """3/4 = 75 %."""
    return f"{count}/{of} = {100 * count / of:.1f} %" if of else "-"


def options(parser: argparse.ArgumentParser, out: Path) -> None:
    """The options that experiments share."""
    parser.add_argument("--systems", help="ids, e.g. 1-23,40; all where not given")
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0], help="multiplicative")
    parser.add_argument("--drop", type=float, nargs="+", default=[0.0], help="share of the points left out at random")
    parser.add_argument("--starts", type=int, nargs="+", default=[0, 1], help="which initial states are trained on")
    parser.add_argument("--peers", default="symnum", help="symnum,pysindy or its variants")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=30, help="time limit per task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--options", type=json.loads, default={}, help='JSON for the finder, e.g. {"threshold": 0.05}')
    parser.add_argument("--pairs", action="store_true", help="noise and drop in pairs, not crossed")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    parser.add_argument("--rejudge", action="store_true", help="judge what was found before anew")
    parser.add_argument("--table", action="store_true", help="print the table of --out and stop")
    parser.add_argument("--out", type=Path, default=out)


def made(a: argparse.Namespace, systems: list[dict]) -> list[dict]:
    """The tasks that the options name."""
    crossed = [(noise, drop) for noise in a.noise for drop in a.drop]
    settings = list(zip(a.noise, a.drop, strict=True)) if a.pairs else crossed
    return [
        {"finder": finder, "id": s["id"], "start": start, "noise": noise, "drop": drop, "seed": a.seed, "options": a.options}
        for noise, drop in settings
        for s in systems
        for start in a.starts
        for finder in expanded(a.peers)
    ]


def carried_out(a: argparse.Namespace, systems: list[dict]) -> list[dict]:
    """The results that the options ask for, from the file or fresh; also writes `a.out`."""
    file = a.out.with_suffix(".jsonl")
    if a.fresh:
        file.unlink(missing_ok=True)
    if a.table:
        return json.loads(a.out.read_text(encoding="utf-8"))["results"]
    if a.rejudge:
        records = rejudged(systems, read(file))
        file.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
        for r in records:
            print(line(next(s for s in systems if s["id"] == r["id"]), r), flush=True)
    else:
        records = run(systems, made(a, systems), file, jobs=a.jobs, seconds=a.seconds, show=line)
    write(a, records)
    return records


def write(a: argparse.Namespace, records: Sequence[dict]) -> None:
    """The file of totals and results, replaced at once."""
    setting = {k: getattr(a, k) for k in ("noise", "drop", "pairs", "starts", "seconds", "seed", "jobs", "peers", "options")} | machine()
    summary = [{"noise": n, "drop": d, "finder": f} | totals(group) for (n, d, f), group in by_setting(records).items()]
    part = a.out.with_suffix(".part")
    part.write_text(json.dumps({"setting": setting, "totals": summary, "results": list(records)}, indent=1) + "\n", encoding="utf-8")
    part.replace(a.out)
