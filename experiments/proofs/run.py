"""Published continued fractions of e and π: how many families, how many classes under coboundary, how many are proved.

    python experiments/proofs/run.py

The 229 forms of the Ramanujan Machine's list of results and the 149 canonical forms of formulas for π that T. Raz et al. (2025) read
from arXiv papers, both as in the table of known formulas. A family is what inflations and shifts make of one fraction; a class is
what coboundaries (of single steps, and of pairs of steps against single ones) connect. A value counts as proved where `prove` gives a
certificate and `check_certificate` accepts it after a way through JSON; the anchors are those that ship.
Writes result.json beside this file.
"""

import csv
import json
import time
from collections import Counter
from importlib.resources import files
from pathlib import Path

from symnum.numbers.coboundary import FOLDS, check_certificate, prove
from symnum.numbers.equivalence import deflate, family_key
from symnum.numbers.formula import ball
from symnum.numbers.gauge import Blocks, gauge
from symnum.numbers.pcf import PCF

LISTS = {"ramanujan machine": "massey", "pi from arXiv": "Raz et al."}


def table(mark: str) -> list[tuple[PCF, str]]:
    """The rows of the table of known formulas whose source has the mark: fraction and value."""
    with files("symnum.data").joinpath("known", "pcf.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if mark in row["source"]]
    return [(PCF(tuple(map(int, r["a"].split())), tuple(map(int, r["b"].split()))), r["value"]) for r in rows]


def classes(fractions: list[PCF]) -> list[list[PCF]]:
    """One fraction per family, in classes under coboundary; each new one is tried against the first two of every class."""
    found: list[list[PCF]] = []
    for pcf in sorted(fractions, key=lambda p: (len(p.a) + len(p.b), sum(map(abs, p.a + p.b)))):
        own = next((c for c in found if any(connected(pcf, other) for other in c[:2])), None)
        if own is None:
            found.append([pcf])
        else:
            own.append(pcf)
    return found


def connected(p: PCF, q: PCF) -> bool:
    return any(gauge(Blocks.of(p, j), Blocks.of(q, k)) for j, k in FOLDS)


def proofs(rows: list[tuple[PCF, str]]) -> dict:
    """How many rows are proved, in which way and from which anchor, and how long one takes."""
    kinds, anchors, times = Counter(), Counter(), []
    for pcf, value in rows:
        begin = time.perf_counter()
        certificate = prove(pcf)
        times.append(time.perf_counter() - begin)
        if certificate is None:
            kinds["open"] += 1
            continue
        assert check_certificate(json.loads(json.dumps(certificate))), pcf
        assert ball(certificate["formula"], 40).overlaps(ball(value, 40)), pcf
        kinds[certificate["kind"]] += 1
        anchor = PCF(tuple(certificate["anchor"]["a"]), tuple(certificate["anchor"]["b"]))
        anchors[f"{certificate['constant']}: {anchor.text}"] += 1
    proved = len(rows) - kinds["open"]
    return {"proved": proved, **kinds, "seconds_each_mean": sum(times) / len(times), "seconds_each_most": max(times),
            "anchors": dict(anchors.most_common())}


def main() -> None:
    results = {}
    for name, mark in LISTS.items():
        rows = table(mark)
        families: dict[str, PCF] = {}
        for pcf, _ in rows:
            small, key = deflate(pcf), family_key(pcf)
            if key not in families or len(small.a) < len(families[key].a):
                families[key] = small
        begin = time.perf_counter()
        found = classes(list(families.values()))
        seconds = time.perf_counter() - begin
        results[name] = {"rows": len(rows), "families": len(families), "classes": len(found), "seconds_classes": seconds,
                         "class_sizes": sorted(map(len, found), reverse=True), **proofs(rows)}
        r = results[name]
        print(f"{name}: {r['rows']} rows, {r['families']} families, {r['classes']} classes ({seconds:.1f} s); "
              f"proved {r['proved']}, {1000 * r['seconds_each_mean']:.0f} ms each, at most {r['seconds_each_most']:.2f} s")
        for anchor, number in r["anchors"].items():
            print(f"    {number:>4} from {anchor}")
    Path(__file__).with_name("result.json").write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
