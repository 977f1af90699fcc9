"""Conjectured bounds on graph invariants and on arithmetic functions: which are known theorems, and how many survive?

    python experiments/bounds/run.py [--targets independence_number domination_number ...] [--tries 300]

For each target bounds are proposed over the shipped small graphs by all other invariants, and by the basic ones alone (order, size,
degrees, distances: where most textbook theorems live), and tried against the shipped graphs and by local search. Only afterwards
the table of theorems is consulted. A theorem counts as rediscovered if a surviving bound is the same inequality under no more properties.
The arithmetic functions show that any table of exact values will do: bounds are made on n <= 150 and tried on n <= 3000.
Writes result.json beside this file, after each target.
"""

import argparse
import json
import time
from pathlib import Path

from sympy import divisor_count, divisor_sigma, factorint, isprime, totient

from symnum.conjecture.objects.bounds import FEATURES
from symnum.conjecture.objects.invariants import ObjectTable
from symnum.conjecture.objects.objects import Conjectures, conjecture_bounds
from symnum.conjecture.objects.theorems import Theorem, proves, shipped
from symnum.language.grammar import Grammar

TARGETS = (
    "independence_number", "domination_number", "total_domination_number", "matching_number", "chromatic_number", "clique_number",
    "radius", "diameter", "size", "zero_forcing_number", "vertex_connectivity", "degeneracy", "harmonic_index",
)
BASIC = (
    "order", "size", "min_degree", "max_degree", "average_degree", "radius", "diameter", "girth", "degeneracy", "independence_number",
    "matching_number", "chromatic_number", "clique_number",
)
ARITHMETIC = tuple(Theorem.of(statement, properties, source) for statement, properties, source in (
    ("phi <= n - 1", (), "phi(n) < n for n > 1"),
    ("phi = n - 1", ("prime",), "definition"),
    ("sigma >= n + 1", (), "divisors 1 and n"),
    ("sigma = n + 1", ("prime",), "definition"),
    ("phi <= n - sqrt(n)", ("composite",), "W. Sierpinski, Elementary Theory of Numbers (1964), chapter 6"),
    ("sigma >= n + sqrt(n) + 1", ("composite",), "W. Sierpinski, Elementary Theory of Numbers (1964), chapter 4"),
    ("tau <= 2*sqrt(n)", (), "divisors pair up below and above the root"),
    ("phi + sigma >= 2*n", (), "C. A. Nicol 1966"),
    ("rad <= n", (), "definition"),
    ("rad = n", ("squarefree",), "definition"),
    ("tau >= 2*omega", (), "2^omega divisors at least"),
    ("Omega >= omega", (), "definition"),
    ("Omega = omega", ("squarefree",), "definition"),
    ("phi <= n/2", ("even",), "phi(2m) <= m"),
))


def integers(last: int) -> ObjectTable:
    """Arithmetic functions of 2..last."""
    rows = []
    for n in range(2, last + 1):
        factors = factorint(n)
        rad = 1
        for p in factors:
            rad *= p
        rows.append({
            "n": n, "phi": int(totient(n)), "sigma": int(divisor_sigma(n)), "tau": int(divisor_count(n)), "omega": len(factors),
            "Omega": sum(factors.values()), "rad": rad, "least_prime": min(factors), "largest_prime": max(factors),
            "prime": bool(isprime(n)), "composite": not isprime(n), "squarefree": rad == n, "even": n % 2 == 0,
        })
    return ObjectTable.of({k: [r[k] for r in rows] for k in rows[0]}, [str(r["n"]) for r in rows], "integer")


def judged(found: Conjectures, theorems: tuple[Theorem, ...], seconds: float) -> dict:
    """What one run gave."""
    again = [str(t.left) + f" {t.relation} " + str(t.right) + (f" ({' '.join(t.hypothesis)})" if t.hypothesis else "")
             for t in theorems if any(proves(t, b.target, b.relation, b.right, b.hypothesis, found.table) for b in found)]
    return {
        "seconds": round(seconds, 1), "bounds": len(found), "known": sum(b.status == "known" for b in found),
        "rejected": len(found.rejected), "rows": len(found.table), "theorems": again,
        "statements": [f"{b}" + (f" [{b.reason}]" if b.reason else "") for b in found],
    }


def run(name: str, results: dict, theorems: tuple[Theorem, ...], *arguments, **options) -> None:
    begun = time.perf_counter()
    found = conjecture_bounds(*arguments, theorems=theorems, **options)
    results[name] = judged(found, theorems, time.perf_counter() - begun)
    r = results[name]
    print(f"{name:<36} {r['seconds']:>6.1f} s  bounds {r['bounds']:>3}  known {r['known']:>3}  rejected {r['rejected']:>4}", flush=True)
    for theorem in r["theorems"]:
        print(f"    {theorem}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="*", default=TARGETS)
    parser.add_argument("--tries", type=int, default=300)
    a = parser.parse_args()
    results: dict[str, dict] = {}
    theorems = shipped()

    def save() -> None:
        graphs = [r for k, r in results.items() if not k.startswith("integers")]
        summary = {
            "theorems_rediscovered": len({t for r in graphs for t in r["theorems"]}), "theorems_listed": len(theorems),
            "bounds_standing": sum(r["bounds"] for r in graphs), "bounds_rejected": sum(r["rejected"] for r in graphs),
            "seconds": round(sum(r["seconds"] for r in results.values()), 1),
        }
        (Path(__file__).parent / "result.json").write_text(
            json.dumps({"summary": summary, "tries": a.tries, "results": results}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    for target in a.targets:
        run(f"{target}, basic", results, theorems, None, target, invariants=sorted({*BASIC, target}), tries=a.tries)
        run(target, results, theorems, None, target, tries=a.tries)
        save()
    run("size, compound", results, theorems, None, "size", invariants=["order", "size", "max_degree"], grammar=Grammar.parse(FEATURES),
        tries=a.tries)
    small, large = integers(150), integers(3000)
    for target in ("phi", "sigma", "tau"):
        run(f"integers: {target}", results, ARITHMETIC, small, target, grammar=Grammar.parse(FEATURES), against=large)
    save()


if __name__ == "__main__":
    main()
