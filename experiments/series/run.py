"""BBP-type and binomial series found again: 23 published ones, the classical binomial ones, and mpmath.pslq on the same sums.

    python experiments/series/run.py

formulas.csv: BBP-type formulas (D. Bailey's compendium of 2000 and others). For each row the constant is searched for in the row's basis;
it counts where the formula found is the row's, up to the relations that the sums obey among themselves. Then pi and zeta(3) are searched
for in the whole default domain, and six constants among the binomial sums, where the rows of symnum/data/known/series.csv count.
mpmath.pslq is given the same sums to the same digits.
Writes result.json beside this file.
"""

import csv
import json
import time
from fractions import Fraction
from pathlib import Path

import mpmath

from symnum.conjecture.series.series import conjecture_series, sources
from symnum.numbers.bbp_sums import BbpBasis
from symnum.numbers.formula import ball
from symnum.numbers.lattice import Sums, equivalent, split

HERE = Path(__file__).parent
WHOLE = ("pi", "log(2)", "zeta(3)", "catalan", "log(2)^2")
BINOMIAL = ("pi", "1/pi", "1/pi^2", "zeta(2)", "zeta(3)", "catalan")
PEER = (("log(11)", 1024, 10, 1, 110), ("pi^2", 16, 8, 2, 100), ("zeta(3)", 4096, 24, 3, 200))


def bbp_rows() -> dict:
    """The rows of formulas.csv, each in its own basis."""
    found = {}
    with (HERE / "formulas.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    for row in table:
        b, n, s = int(row["base"]), int(row["length"]), int(row["power"])
        scale = Fraction(row["scale"])
        vector = [-scale.denominator, 0, *(scale.numerator * int(c) for c in row["coefficients"].split())]
        run = conjecture_series(row["constant"], "bbp", bases=[b], lengths=[n], powers=[s], surds=[1])
        null = [(0, *relation.vector) for relation in run.null]
        same = [hit for hit in run.hits if equivalent(hit.vector, vector, null)]
        key = f"{row['constant']} b={b} n={n} s={s}"
        found[f"{key} #{sum(k.startswith(key) for k in found) + 1}"] = {
            "found": bool(same), "formula": same[0].text if same else None, "null_relations": len(null), "seconds": round(run.seconds, 4)}
    return found


def whole(constant: str, kind: str) -> dict:
    """The default domain for one constant."""
    run = conjecture_series(constant, kind)
    return {"seconds": round(run.seconds, 2), "bases": run.bases, "null_relations": len(run.null), "formulas": [h.text for h in run.hits],
            "known": [h.source for h in run.hits if h.source]}


def beside_pslq(constant: str, base: int, length: int, power: int, digits: int) -> dict:
    """One reduction of the constant with its sums, by LLL and by mpmath.pslq."""
    basis = BbpBasis(base, length, power)
    x, sums = ball(constant, digits + 5), basis.sums(digits + 5)
    begun = time.perf_counter()
    relations = Sums(sums, digits).relations(x)
    own, null = split(relations)
    ours = time.perf_counter() - begun
    with mpmath.workdps(digits):
        numbers = [mpmath.mpf(v.str(digits, radius=False)) for v in (x, *sums)]
        begun = time.perf_counter()
        relation = mpmath.pslq(numbers, maxcoeff=10**6, maxsteps=10**6)
        theirs = time.perf_counter() - begun
    kind = "none" if relation is None else "formula" if relation[0] else "a null relation, no formula"
    found = f"formula: {own is not None}, null relations: {len(null)}"
    return {"digits": digits, "numbers": length + 1, "lll_seconds": round(ours, 5), "lll": found,
            "pslq_seconds": round(theirs, 5), "pslq": kind, "times_faster": round(theirs / ours, 1)}


def main() -> None:
    rows = bbp_rows()
    for name, row in rows.items():
        print(f"{name:<36} found: {row['found']!s:<6} {row['seconds']:.3f} s   {row['formula']}")
    print(f"BBP-type formulas found: {sum(r['found'] for r in rows.values())} of {len(rows)}")
    domains = {f"{c}, {kind}": whole(c, kind) for kind, cs in (("bbp", WHOLE), ("binomial", BINOMIAL)) for c in cs}
    for name, d in domains.items():
        print(f"{name}: {len(d['formulas'])} formulas, {d['null_relations']} null relations, {d['bases']} bases, {d['seconds']} s")
        for text in d["formulas"][:6]:
            print(f"    {text}")
    again = {source for d in domains.values() for source in d["known"]}
    print(f"published sources met again: {len(again)} of {len(set(sources().values()))}")
    peer = {f"{c} b={b} n={n} s={s}": beside_pslq(c, b, n, s, d) for c, b, n, s, d in PEER}
    for name, p in peer.items():
        print(f"{name}: LLL {p['lll_seconds']} s ({p['lll']}), mpmath.pslq {p['pslq_seconds']} s ({p['pslq']})")
    result = {"rows": rows, "rows_found": sum(r["found"] for r in rows.values()), "domains": domains, "sources_met": sorted(again),
              "sources": sorted(set(sources().values())), "pslq": peer}
    (HERE / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
