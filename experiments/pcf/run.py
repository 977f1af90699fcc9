"""Continued fractions: the Ramanujan Machine's regression domains, its massey list, and the throughput of the screening.

    python experiments/pcf/run.py

Their tests (github.com/RamanujanMachine/RamanujanMachine, tests/conjectures_tests.py) count pairs (a, b), inflations included, that
agree with an image of the constant to 10 digits at depth 32 and to 100 at depth 1000, and in which no a(n) vanishes. We list every
fraction once, whatever its speed; `as_they_count` makes their list out of ours. The domain of ζ(5) is their Zeta5Domain, in which the
reported results lie within ±20; these converge like a power of n and are counted as they are. Writes result.json beside this file.
"""

import csv
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from flint import arb, ctx
from peer import best_of, numpy_rate, python_rate

from symnum.conjecture.fractions.pcf import conjecture_pcf
from symnum.conjecture.fractions.run import PcfRun
from symnum.numbers.equivalence import primitive
from symnum.numbers.pcf import PCF
from symnum.numbers.pcf_domain import Domain, Part, limits
from symnum.numbers.pcf_family import Family
from symnum.numbers.pcf_limit import limit
from symnum.numbers.pcf_match import Images
from symnum.numbers.pcf_screen import Sieve, screen, tables

HERE = Path(__file__).parent
SAMPLE = 150  # polynomials a side on which the peer's loop is timed
Inside = Callable[[tuple[int, ...], tuple[int, ...]], bool]


def product(a_degree: int, a_range: int, b_degree: int, b_range: int) -> Domain:
    """All pairs, with different ranges for a and b."""
    return Domain((Part(Family.all(a_degree, -a_range, a_range, "x"), Family.all(b_degree, -b_range, b_range, "y")),))


def zeta3(x: int, y: int, z: int) -> Domain:
    """Their Zeta3Domain1 with x0 = 2, x1 = 1."""
    return Domain.of("(2*n+1)*(x*n*(n+1)+y)", "z*n^6", {"x": (1, x), "y": (1, y), "z": (-z, -1)})


def in_product(a_degree: int, a_range: int, b_degree: int, b_range: int) -> Inside:
    return lambda a, b: len(a) == a_degree + 1 and max(map(abs, a)) <= a_range and len(b) <= b_degree + 1 and max(map(abs, b)) <= b_range


def in_zeta3(x: int, y: int, z: int) -> Inside:
    def inside(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
        lead, last = a[0] // 2, a[-1]
        form = a == (2 * lead, 3 * lead, lead + 2 * last, last) and b[1:] == (0,) * 6
        return form and 1 <= lead <= x and 1 <= last <= y and -z <= b[0] < 0

    return inside


ZETA5 = Domain.of("(n^5+(n+1)^5) + x*(n^3+(n+1)^3) + y*(2*n+1)", "-n^10", {"x": (-20, 20), "y": (-20, 20)})
# name -> constants, domain, LHS, whether the domain holds a pair (None: count ours), their count, seconds to stay below
REGRESSION = {
    "e": (("e",), product(1, 5, 1, 5), 5, in_product(1, 5, 1, 5), 20, 2),
    "pi": (("pi",), product(1, 13, 2, 11), 20, in_product(1, 13, 2, 11), 46, 10),
    "zeta(3), small": (("zeta(3)",), zeta3(17, 5, 16), 14, in_zeta3(17, 5, 16), 3, 10),
    "zeta(3), large": (("zeta(3)",), zeta3(100, 100, 50), 20, in_zeta3(100, 100, 50), 7, 10),
    "zeta(5)": (("zeta(5)", "zeta(3)"), ZETA5, 20, None, 4, 10),
}


def as_they_count(run: PcfRun, inside: Inside, lhs: int) -> set[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The pairs that their test would list, inflated ones too."""
    pairs = set()
    for r in run.relations:
        for c in range(1, 101):
            a, b = tuple(c * x for x in r.a), tuple(c * c * x for x in r.b)
            half = len(r.coefficients) // 2
            scaled = [c * x for x in r.coefficients[:half]] + list(r.coefficients[half:])
            if inside(a, b) and max(map(abs, scaled)) // math.gcd(*scaled) <= lhs and _fast_enough(PCF(a, b)):
                pairs.add((a, b))
    return pairs


def _fast_enough(pcf: PCF) -> bool:
    if any(pcf.polynomials[0](n) == 0 for n in range(1, 32)):
        return False
    with ctx.workdps(150):
        value = limit(pcf, 120)
        first = [int((abs(arb(x)) * 10**10).floor().unique_fmpz()) for x in (pcf.convergent(31), value)]
        return first[0] == first[1] and abs(arb(pcf.convergent(999)) - value) < abs(value) * arb(10) ** -100


def keys(constant: str, lhs: int) -> set[int]:
    """Ten digits of all images, as their table has them."""
    y = Images.of((constant,), lhs).values
    return set(np.floor(y / (1 - np.abs(y)) * 1e10).astype(np.int64).tolist())


def sample(family: Family) -> list[list[int]]:
    rng = np.random.default_rng(0)
    rows = [family.rows(i, i + 1)[0].tolist() for i in rng.integers(0, family.size, SAMPLE).tolist()]
    return [row for row in rows if any(row)]


def regression() -> dict:
    results = {}
    for name, (constants, domain, lhs, inside, theirs, seconds_allowed) in REGRESSION.items():
        begun = time.perf_counter()
        run = conjecture_pcf(constants, domain=domain, lhs=lhs, joint=len(constants) > 1)
        seconds = time.perf_counter() - begun
        ours = len(run.relations) if inside is None else len(as_they_count(run, inside, lhs))
        part = domain.parts[0]
        rate = python_rate(sample(part.a), sample(part.b), keys(constants[0], lhs))
        tried = run.counters["tried"]
        results[name] = {
            "pairs": domain.size, "tried": tried, "relations": len(run.relations), "families": len(run.families),
            "counted as they do": ours, "their count": theirs, "seconds": round(seconds, 2), "required below": seconds_allowed,
            "proved": sum(r.status == "proved" for r in run.relations),
            "python loop, pairs/s": round(rate), "python loop, seconds for the pairs tried": round(tried / rate, 1),
            "formulas": [r.text for r in run.relations]}
        print(f"{name:<16} {domain.size:>10,} pairs  {len(run.relations):>3} fractions, as they count {ours} of {theirs}   "
              f"{seconds:6.2f} s (required < {seconds_allowed})   python loop: {tried / rate:.1f} s at {rate / 1e6:.3f} M/s")
    return results


def massey() -> dict:
    """Their list of 228 forms of e and π from two domains, by degree and range alone."""
    begun = time.perf_counter()
    runs = [conjecture_pcf("e", domain=product(1, 20, 1, 20), lhs=20), conjecture_pcf("pi", domain=product(1, 13, 2, 20), lhs=20)]
    seconds = time.perf_counter() - begun
    found = {(r.a, r.b) for run in runs for r in run.relations}
    with (HERE / "massey.csv").open(encoding="utf-8") as file:
        wanted = [primitive(PCF(*(tuple(map(int, row[k].split())) for k in "ab"))) for row in csv.DictReader(file)]
    missed = [pcf.text for pcf in wanted if (pcf.a, pcf.b) not in found]
    others = sorted({r.text for run in runs for r in run.relations if (r.a, r.b) not in {(p.a, p.b) for p in wanted}})
    print(f"massey           {len(wanted) - len(missed)} of {len(wanted)} forms in {seconds:.1f} s (required: all, < 900 s)")
    return {"forms": len(wanted), "found": len(wanted) - len(missed), "missed": missed, "seconds": round(seconds, 2), "required below": 900,
            "pairs": sum(run.size for run in runs), "relations": sum(len(run.relations) for run in runs),
            "proved": sum(r.status == "proved" for run in runs for r in run.relations), "not in their list": others}


def throughput() -> dict:
    """Pairs per second at depth 32 on one core: the kernel, numpy, and the loop in Python."""
    part = product(1, 11, 2, 11).parts[0]
    a, b = part.a_side(0), part.b_side(2)
    first, _ = limits(a, b)
    at, bt, sieve = tables(a.rows, 32), tables(b.rows, 32), Sieve.of(Images.of(("pi",), 20).values, 2e-11)

    def kernel(stages: tuple[int, ...]) -> float:
        x, y = (at, bt) if stages == (32,) else (tables(a.rows), tables(b.rows))
        begun = time.perf_counter()
        for _ in range(5):
            screen(x, y, first, sieve, np.array(stages))
        return 5 * int(first.sum()) / (time.perf_counter() - begun)

    rows_a, rows_b = a.rows.tolist(), b.rows.tolist()
    rates = {
        "kernel, depth 32": best_of(5, lambda: kernel((32,))),
        "kernel, depths 32, 64, 200": best_of(3, lambda: kernel((32, 64, 200))),
        "numpy, depth 32, no look-ups": best_of(3, lambda: numpy_rate(rows_a, rows_b)),
        "python loop, depth 32": best_of(2, lambda: python_rate(rows_a[:SAMPLE], rows_b[:SAMPLE], keys("pi", 5))),
    }
    for name, rate in rates.items():
        print(f"{name:<30} {rate / 1e6:8.3f} M/s")
    return {"required": 10e6, **{name: round(rate) for name, rate in rates.items()}}


def main() -> None:
    conjecture_pcf("e", 1, 1, 2, lhs=2)  # compiled code is made or read from its cache
    result = {"regression": regression(), "massey": massey(), "throughput, pairs/s on one core": throughput()}
    (HERE / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
