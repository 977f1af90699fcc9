"""The census of all polynomial continued fractions of degree ≤ 2 with coefficients −5 … 5.

    python experiments/census/run.py [--out FOLDER] [--degree 2] [--range 5] [--threads 2]

Measures, clusters and labels the 1,768,900 fractions, with the time of each part, and asks:
  are the published fractions in the domain labelled with the right constant? (labels come from clusters and lattice reduction alone;
    the table of published formulas is compared afterwards)
  which formulas are of families that are not in the table? Each is checked to 200 digits against the proven ball of its fraction.
  what does the depth of the metrics, 500 terms, change against 1000 and 2000?
  what would the procedure of arXiv:2412.16818 cost on this machine: python integers, 2000 terms? (published: at most 900 core-hours)
Stopped, it goes on where it was when started again with the same --out. Writes result.json (of the domain above only), and planes.png
where matplotlib is installed.
"""

import argparse
import csv
import importlib.util
import json
import math
import os
import tempfile
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
from flint import arb, ctx

from symnum.conjecture.census.census import Census, census
from symnum.conjecture.census.constants import NONE, RATIONAL
from symnum.numbers.dynamics import Kind, kinds, metrics
from symnum.numbers.formula import ball
from symnum.numbers.pcf import PCF
from symnum.numbers.relation import integer_relation, minimal_polynomial

HERE = Path(__file__).parent
PUBLISHED_CORE_HOURS = 900  # the reproducibility summary of the paper


def sample(n: int, degree: int, coefficients: int) -> tuple[np.ndarray, np.ndarray]:
    """Random fractions of the domain."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(-coefficients, coefficients + 1, (2, 2 * n, degree + 1))
    keep = np.flatnonzero((a != 0).any(axis=1) & (b != 0).any(axis=1))[:n]
    return a[keep], b[keep]


def speed(degree: int, coefficients: int) -> dict:
    """Milliseconds per fraction in one process, of 2,000 random ones."""
    a, b = sample(2000, degree, coefficients)
    metrics(a[:16], b[:16])  # compiles
    start = time.perf_counter()
    metrics(a, b)
    return {"fractions": len(a), "ms_per_fraction": 1000 * (time.perf_counter() - start) / len(a)}


def depths(degree: int, coefficients: int) -> dict:
    """How the metrics at 500 terms differ from those at 1000 and 2000: median and 90 % of the absolute difference."""
    a, b = sample(400, degree, coefficients)
    found = {depth: metrics(a, b, depth) for depth in (500, 1000, 2000)}
    rows = {}
    for depth in (500, 1000):
        rows[f"{depth} to 2000"] = {
            name: [round(float(q), 5) for q in np.nanquantile(np.abs(getattr(found[depth], name) - getattr(found[2000], name)), [0.5, 0.9])]
            for name in ("delta", "leading_delta", "c", "d", "conv_c", "conv_d")}
    return rows


def peer(degree: int, coefficients: int, measured: int, n: int = 50) -> dict:
    """The published procedure on a sample: python integers to 2000 terms, delta at 1000 against p/q at 2000, gcds at sampled depths."""
    a, b = sample(4 * n, degree, coefficients)
    chosen = np.flatnonzero(kinds(a, b) >= Kind.POLYNOMIAL)[:n]
    start = time.perf_counter()
    for i in chosen:
        _blind_delta(a[i].tolist(), b[i].tolist())
    seconds = (time.perf_counter() - start) / len(chosen)
    return {"fractions": len(chosen), "seconds_per_fraction": seconds, "core_hours_extrapolated": seconds * measured / 3600,
            "core_hours_published_at_most": PUBLISHED_CORE_HOURS}


def _blind_delta(a: list[int], b: list[int], depth: int = 2000) -> float:
    p0, p, q0, q, kept = 1, a[-1], 0, 1, {}
    marks = {6, *range(depth // 8, depth + 1, depth // 8)}
    for n in range(1, depth + 1):
        x = y = 0
        for c in a:
            x = x * n + c
        for c in b:
            y = y * n + c
        p0, p, q0, q = p, x * p + y * p0, q, x * q + y * q0
        if n in marks:
            kept[n] = p, q, math.gcd(p, q)
    _, qn, g = kept[depth // 2]
    errors = {n: _log(abs(p * v - q * u)) - _log(abs(q)) - _log(abs(v)) for n, (u, v, _) in kept.items()}  # the logarithms
    return -errors[depth // 2] / (_log(abs(qn)) - _log(g)) - 1 if abs(qn) > g else math.nan


def _log(n: int) -> float:
    return math.log(n) if n else -math.inf


def published(degree: int, coefficients: int) -> list[tuple[PCF, str]]:
    """The fractions of the shipped table inside the domain, with their values."""
    with files("symnum.data").joinpath("known", "pcf.csv").open(encoding="utf-8") as file:
        rows = [(PCF(tuple(map(int, row["a"].split())), tuple(map(int, row["b"].split()))), row["value"]) for row in csv.DictReader(file)]
    return [(f, v) for f, v in rows if max(len(f.a), len(f.b)) <= degree + 1 and max(map(abs, f.a + f.b)) <= coefficients]


def is_right(label: str | None, value: str) -> bool:
    """Whether the published value is a Möbius transform of the labelled constant, to 100 digits, by the house's rule."""
    if not label or label == "?":
        return False
    v = ball(value, 120)
    if label == RATIONAL or (label.startswith("sqrt(") and label[5:-1].isdigit()):
        found = minimal_polynomial(v, 2, 100)
        if found is None:
            return False
        *_, c0, c1, c2 = (0, 0, *found.coefficients) if len(found.coefficients) == 2 else found.coefficients
        return (len(found.coefficients) == 2) == (label == RATIONAL) and (
            label == RATIONAL or math.isqrt(d := (c1 * c1 - 4 * c0 * c2) * int(label[5:-1])) ** 2 == d)
    with ctx.workprec(500):
        c = ball(label, 120)
        found = integer_relation((arb(1), c, v, v * c), 100)
    return found is not None and found.accepted


def new_formulas(found: Census) -> list[dict]:
    """Formulas of families that are not in the table, other than rational and quadratic values, checked to 200 digits once more."""
    rows = []
    for row in found.formulas:
        constant, _, cluster = row["reason"].partition(", in cluster ")
        algebraic = constant == RATIONAL or (constant.startswith("sqrt(") and constant[5:-1].isdigit())
        if row["status"] == "known" or algebraic:
            continue
        agrees = row["digits"] >= 200 and bool(arb(row["ball"]).overlaps(ball(row["formula"], 210)))
        rows.append({"fraction": row["key"], "formula": row["formula"], "constant": constant, "cluster": cluster, "digits": row["digits"],
                     "agrees_to_200_digits": agrees})
    return sorted(rows, key=lambda row: (len(row["fraction"]) + len(row["formula"]), row["fraction"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "symnum-census", help="the run folder")
    parser.add_argument("--degree", type=int, default=2)
    parser.add_argument("--range", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--no-census", action="store_true", help="the samples only")
    args = parser.parse_args()
    domain = args.degree, args.range
    result: dict = {"cores": len(os.sched_getaffinity(0)), "degree": args.degree, "range": args.range}
    result["speed"] = speed(*domain)
    print(f"metrics: {result['speed']['ms_per_fraction']:.3f} ms per random fraction, one process")
    result["depths"] = depths(*domain)
    for name, row in result["depths"].items():
        print(f"difference at {name} terms (median, 90 %): {row}")
    if not args.no_census:
        start = time.perf_counter()
        found = census(*domain, args.out, resume=True, threads=args.threads)
        print(f"census: {time.perf_counter() - start:.0f} s in this sitting")
        result |= report(found, domain)
    converging = result.get("counters", {}).get("converging", 1_549_766)
    result["peer"] = peer(*domain, converging)
    print(f"peer's procedure: {result['peer']['seconds_per_fraction']:.3f} s per fraction, "
          f"{result['peer']['core_hours_extrapolated']:.0f} core-hours in all on this machine (published: at most {PUBLISHED_CORE_HOURS})")
    if not args.no_census and domain == (2, 5):
        (HERE / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def report(found: Census, domain: tuple[int, int]) -> dict:
    """Times, the published fractions and the new formulas."""
    seconds = {name.removesuffix("_ms"): k / 1000 for name, k in found.counters.items() if name.endswith("_ms")}
    counters = {name: k for name, k in found.counters.items() if not name.endswith("_ms")}
    print(f"{counters}\nseconds: {seconds}, in all {sum(seconds.values()):.0f} (asked: less than 900 on 2 cores)")
    print(found)
    rows = published(*domain)
    labels = [(f, value, found.label(f)) for f, value in rows]
    wrong = [{"fraction": f.text, "value": v, "label": label} for f, v, label in labels if not is_right(label, v)]
    print(f"published fractions in the domain: {len(rows)}, labelled right: {len(rows) - len(wrong)} "
          f"({(len(rows) - len(wrong)) / max(len(rows), 1):.1%}; asked: 95 %)")
    for row in wrong:
        print(f"  {row}")
    fresh = new_formulas(found)
    checked = [row for row in fresh if row["agrees_to_200_digits"]]
    print(f"formulas of families not in the table, checked to 200 digits: {len(checked)} of {len(fresh)}; the shortest:")
    for row in checked[:20]:
        print(f"  {row['fraction']}: {row['formula']}")
    if importlib.util.find_spec("matplotlib"):
        from symnum.conjecture.census.report import plot

        plot(found, HERE / "planes.png")
    constants: dict[str, int] = {}
    for cluster in found.clusters:
        for name, k in cluster["constants"].items():
            constants[name] = constants.get(name, 0) + k
    return {"counters": counters, "seconds": seconds, "seconds_in_all": sum(seconds.values()),
            "published": {"in_domain": len(rows), "right": len(rows) - len(wrong), "wrong": wrong},
            "constants_looked_at": dict(sorted(((k or "none", n) for k, n in constants.items()), key=lambda item: -item[1])),
            "settled_clusters": sum(c["settled"] and set(c["constants"]) - {NONE} != set() for c in found.clusters),
            "new_formulas": {"found": len(fresh), "checked_to_200_digits": len(checked), "shortest": checked[:100]}}


if __name__ == "__main__":
    main()
