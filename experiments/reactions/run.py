"""40 reactions: are the canonical coefficients found, and the infeasible ones refused, in less than 50 ms each?

    python experiments/reactions/run.py

The peers run on the same rows: sympy's rational null space (it answers where that has one dimension), and ChemPy's
`balance_stoichiometry(…, underdetermined=None)`, an integer programme, where ChemPy is installed (pip install chempy).
A peer is right if it gives the canonical coefficients, or refuses a reaction that has none.
Writes result.json beside this file.
"""

import argparse
import csv
import importlib.util
import json
import math
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import sympy as sp

from symnum.conjecture.reactions.balance import balance
from symnum.conjecture.reactions.reaction import read_reaction

HERE = Path(__file__).parent
LIMIT_MS = 50


def ours(text: str) -> list[int] | None:
    """The canonical coefficients, None where there are none."""
    try:
        return list(balance(text).coefficients)
    except ValueError:
        return None


def by_nullspace(text: str) -> list[int] | str | None:
    """The textbook method: the null space of the composition matrix over the rationals, cleared of denominators."""
    space = sp.Matrix(read_reaction(text).matrix()[1]).nullspace()
    if len(space) != 1:
        return f"{len(space)} dimensions" if space else None
    scale = math.lcm(*(int(x.q) for x in space[0]))
    x = [int(a * scale) for a in space[0]]
    return [a // math.gcd(*x) for a in x]


def by_chempy(text: str) -> list[int] | str | None:
    """ChemPy's answer for the same species, its error's text where it gives none."""
    from chempy import balance_stoichiometry

    left, right = ([s.strip() for s in side.split(" + ")] for side in text.split("->"))
    try:
        found = balance_stoichiometry(left, right, underdetermined=None)
    except ValueError:
        return None
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return [int(found[0][s]) for s in left] + [int(found[1][s]) for s in right]


def timed(method: Callable, text: str) -> tuple[object, float]:
    start = time.perf_counter()
    answer = method(text)
    return answer, 1000 * (time.perf_counter() - start)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    methods = {"symnum": ours, "sympy": by_nullspace}
    if importlib.util.find_spec("chempy"):
        methods["chempy"] = by_chempy
    with open(HERE / "reactions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for method in methods.values():
        method("H2 + O2 -> H2O")  # the start: imports
    right, slowest, total, table = dict.fromkeys(methods, 0), dict.fromkeys(methods, 0.0), dict.fromkeys(methods, 0.0), []
    for row in rows:
        wanted = [int(a) for a in row["coefficients"].split()] or None
        entry = {"reaction": row["reaction"], "wanted": wanted, "answers": {}, "right": {}, "ms": {}}
        for name, method in methods.items():
            answer, ms = timed(method, row["reaction"])
            right[name] += answer == wanted
            slowest[name], total[name] = max(slowest[name], ms), total[name] + ms
            entry["answers"][name], entry["right"][name], entry["ms"][name] = answer, answer == wanted, round(ms, 2)
        table.append(entry)
        marks = "  ".join(f"{name} {'right' if entry['right'][name] else 'WRONG'} {entry['ms'][name]:8.2f} ms" for name in methods)
        print(f"{marks}  {row['reaction']}")
    refusals = {r["reaction"]: _refusal(r["reaction"]) for r in rows if not r["coefficients"]}
    summary = {
        name: {"right": right[name], "of": len(rows), "slowest_ms": round(slowest[name], 2), "total_ms": round(total[name], 1)}
        for name in methods
    }
    for name, figures in summary.items():
        print(f"{name:<7} {figures['right']} of {figures['of']}, slowest {figures['slowest_ms']} ms, all {figures['total_ms']} ms")
    result = {
        "required": f"{len(rows)} of {len(rows)}, each in less than {LIMIT_MS} ms",
        "reached": right["symnum"] == len(rows) and slowest["symnum"] < LIMIT_MS,
        "peers": {name: version(name) for name in methods if name != "symnum"},
        "summary": summary,
        "refusals": refusals,
        "rows": table,
    }
    (HERE / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def _refusal(text: str) -> str:
    try:
        return f"balanced: {balance(text)}"
    except ValueError as error:
        return str(error)


if __name__ == "__main__":
    main()
