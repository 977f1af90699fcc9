"""ODEBench by ODEFormer's protocol: 63 systems, each of two initial states trained on in turn, 126 tasks.

    python experiments/odebench/run.py --jobs 2                                                       clean
    python experiments/odebench/run.py --noise 0 0.05 --drop 0 0.5 --pairs --peers symnum,pysindy     also 5 % noise with half the points
    python experiments/odebench/run.py --systems 1-23 --starts 0 --out few.json --fresh          some of them
    python experiments/odebench/run.py --table                                                        the tables of result.json

Times 0 to 10, 150 points by LSODA (rtol 1e-5, atol 1e-7); noise is multiplicative, points are dropped at random. Reconstruction: the
discovered system integrated from the true initial state of the trajectory that it was found from, against the clean trajectory;
generalisation: from the other initial state; both count where R², variance weighted over the states, is above 0.9. `law` and `support`
are described in judge.py. Every result is kept in a .jsonl beside --out as it comes; a second run goes on with it (--fresh forgets it,
--rejudge judges it anew).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from odebench import tasks  # noqa: E402

HELD = {"sin", "cos", "tan", "cot", "exp", "log"}  # functions of symnum's grammars of right-hand sides, and what they make


def held(systems: list[dict]) -> set:
    """The ids of the systems whose law symnum's grammars hold: sums, products, ratios, integer powers, and the functions of HELD."""
    import sympy as sp

    ids = set()
    for s in systems:
        laws = tasks.judge.truth(s)
        functions = {f.func.__name__.lower() for e in laws for f in e.atoms(sp.Function)}
        whole = all(p.exp.is_Integer for e in laws for p in e.atoms(sp.Pow) if p.exp.is_number)
        if functions <= HELD and whole:
            ids.add(s["id"])
    return ids


def summary(records: Sequence[dict], within: set) -> str:
    """The tables: all, the laws that the grammar holds, and by dimension."""
    lines = [tasks.table(records), "", published(), ""]
    lines += ["| noise | dropped | finder | laws the grammar holds | laws outside a cubic library, first state | in either direction |",
              "|---|---|---|---|---|---|"]
    for (noise, drop, finder), group in tasks.by_setting(records).items():
        held_ones, t = [r for r in group if r["id"] in within], tasks.totals(group)
        n, some = t["others_systems"], t["others_law_some"]
        cells = [f"{noise:g}", f"{drop:g}", finder, tasks.share(sum(r["law"] for r in held_ones), len(held_ones))]
        lines.append("| " + " | ".join([*cells, tasks.share(t["others_law_first"], n), tasks.share(some, n)]) + " |")
    lines += ["", "| noise | dropped | finder | dimension | rec | gen | law |", "|---|---|---|---|---|---|---|"]
    for (noise, drop, finder), group in tasks.by_setting(records).items():
        for dim in sorted({r["dim"] for r in group}):
            t = tasks.totals([r for r in group if r["dim"] == dim])
            shares = [tasks.share(t[k], t["tasks"]) for k in ("rec", "gen", "law")]
            lines.append("| " + " | ".join([f"{noise:g}", f"{drop:g}", finder, str(dim), *shares]) + " |")
    return "\n".join(lines)


def published() -> str:
    """Figures of others, not measured here."""
    rows = json.loads((HERE / "published.json").read_text(encoding="utf-8"))
    lines = ["| published | noise | dropped | rec % | gen % | support % | of | source |", "|---|---|---|---|---|---|---|---|"]
    for r in rows:
        cells = [r["system"], f"{r['noise']:g}", f"{r['drop']:g}", *(r.get(k, "-") for k in ("rec", "gen", "support", "of")), r["source"]]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks.options(parser, HERE / "result.json")
    a = parser.parse_args()
    systems = tasks.chosen(tasks.load(HERE / "systems.json"), a.systems)
    print("\n" + summary(tasks.carried_out(a, systems), held(systems)))


if __name__ == "__main__":
    main()
