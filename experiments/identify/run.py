"""Formulas for 64 constants from 50 digits, and for random numbers, which have none.

    python experiments/identify/run.py [--randoms 1000] [--jobs 2] [--peer 40]

Each row of constants_60.csv is given as 50 digits; it counts as found where the best hit is identified and its value agrees with the ten
further digits of the file, which were not given. Times are of a warm process: the tables are built by one number before. Of random numbers
(50 uniform digits; floats uniform in 0..10 with 16 digits) every "identified" is false. mpmath.identify beside it on the same digits
with a list of constants, on the rows and on --peer random numbers of each kind: there every formula for a random number is false.
Writes result.json beside this file.
"""

import argparse
import csv
import json
import random
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import mpmath
from flint import arb, ctx

from symnum.conjecture.number.identification import CANDIDATE, IDENTIFIED
from symnum.conjecture.number.identify import identify
from symnum.numbers import formula

HERE = Path(__file__).parent
GIVEN = 50
WARM = "0.8999133036138950110045748785182221842509882805983"  # no constant: all stages are run
CONSTANTS = ["pi", "e", "euler", "log(2)", "zeta(3)"]  # for mpmath; with nine, one number takes it minutes


def rounded(text: str, digits: int) -> str:
    with ctx.workdps(100):
        return arb(text).str(digits, radius=False)


def agrees(formula_text: str, text: str) -> bool:
    """Whether a formula has all the digits of the file."""
    with ctx.workdps(100):
        value = arb(text)
        digits = len(text.replace(".", "").replace("-", "").lstrip("0"))
        return bool(abs(formula.ball(formula_text, digits + 5) - value) < abs(value) * arb(10) ** (1 - digits))


def of_row(row: dict[str, str]) -> dict:
    given = rounded(row["digits60"], GIVEN)
    start = time.perf_counter()
    found = identify(given)
    seconds = time.perf_counter() - start
    best = found.best
    identified = best is not None and best.status == IDENTIFIED
    confirmed = identified and (agrees(best.formula, row["digits60"]) if best.formula else True)
    return {"name": row["name"], "found": bool(confirmed), "formula": str(best) if best else None, "method": best.method if best else None,
            "needed": best.needed if best else None, "seconds": round(seconds, 3)}


def of_random(number: "str | float") -> dict:
    start = time.perf_counter()
    found = identify(number)
    return {"given": str(number), "seconds": time.perf_counter() - start, "identified": [str(h) for h in found.identified],
            "candidates": [f"{h} ({h.chance:.2g})" for h in found.hits if h.status == CANDIDATE]}


def warm() -> None:
    identify(WARM)
    identify(float(WARM))


def randoms(numbers: list, jobs: int) -> dict:
    with ProcessPoolExecutor(jobs, initializer=warm) as pool:
        rows = list(pool.map(of_random, numbers, chunksize=10))
    seconds = sorted(r["seconds"] for r in rows)
    return {"numbers": len(rows), "false": sum(bool(r["identified"]) for r in rows), "false_claims": [r for r in rows if r["identified"]],
            "with_candidates": sum(bool(r["candidates"]) for r in rows), "seconds_median": round(seconds[len(rows) // 2], 3),
            "seconds_max": round(seconds[-1], 3), "jobs": jobs}


def peer(rows: list[dict], numbers: list, floats: list) -> dict:
    """mpmath.identify: found rows (checked on the ten further digits), false formulas, seconds."""
    def timed(x, dps) -> tuple[str | None, float]:
        mpmath.mp.dps = dps
        start = time.perf_counter()
        text = mpmath.identify(mpmath.mpf(x), CONSTANTS)
        return text, time.perf_counter() - start

    def right(text: str, expected: str) -> bool:
        names = {n: getattr(mpmath, n) for n in dir(mpmath) if not n.startswith("_")}
        with mpmath.workdps(70):
            value = mpmath.mpf(eval(text, {"__builtins__": {}}, names))  # noqa: S307 - mpmath's own formula
            return bool(abs(value - mpmath.mpf(expected)) < abs(value) * mpmath.mpf(10) ** -56)

    found, seconds = 0, []
    for row in rows:
        text, took = timed(rounded(row["digits60"], GIVEN), GIVEN)
        seconds.append(took)
        found += bool(text) and right(text, row["digits60"])
    of_numbers = [timed(x, GIVEN) for x in numbers]
    of_floats = [timed(x, 15) for x in floats]
    return {"constants": CONSTANTS, "version": mpmath.__version__, "rows_found": found, "rows": len(rows),
            "seconds_median": sorted(seconds)[len(rows) // 2], "seconds_max": max(seconds),
            "false_50_digits": sum(bool(t) for t, _ in of_numbers), "randoms_50_digits": len(numbers),
            "false_floats": sum(bool(t) for t, _ in of_floats), "random_floats": len(floats),
            "random_seconds_50_digits": sum(s for _, s in of_numbers), "random_seconds_floats": sum(s for _, s in of_floats)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--randoms", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--peer", type=int, default=40)
    a = parser.parse_args()
    with open(HERE / "constants_60.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    start = time.perf_counter()
    warm()
    cold = time.perf_counter() - start
    constants = [of_row(r) for r in rows]
    for r in constants:
        print(f"{r['name']:<36} {r['seconds']:6.3f} s  {r['formula'] if r['found'] else 'not found'}", flush=True)
    rng = random.Random(0)
    numbers = ["0." + "".join(rng.choices("0123456789", k=GIVEN - 1)) + rng.choice("123456789") for _ in range(a.randoms)]
    floats = [rng.uniform(0, 10) for _ in range(a.randoms)]
    result = {
        "found": sum(r["found"] for r in constants), "of": len(constants), "seconds_max": max(r["seconds"] for r in constants),
        "seconds_max_of_found": max(r["seconds"] for r in constants if r["found"]), "seconds_first_number": round(cold, 2),
        "random_50_digits": randoms(numbers, a.jobs), "random_floats": randoms(floats, a.jobs),
        "mpmath": peer(rows, numbers[: a.peer], floats[: a.peer]), "rows": constants,
    }
    print(json.dumps({k: v for k, v in result.items() if k != "rows"}, indent=1))
    (HERE / "result.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
