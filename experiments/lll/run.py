"""Integer relations by LLL beside mpmath's PSLQ, on the same numbers.

    python experiments/lll/run.py [--repeat 5] [--hard]

n - 1 random numbers and one that makes a relation hold, with coefficients up to H = 1000, or (--hard) as large as the acceptance rule
digits >= 1.5 n log10 H + 10 admits, on which PSLQ takes minutes. Both must return the planted relation.
Writes result.json beside this file.
"""

import argparse
import json
import math
import random
import time
from pathlib import Path

import mpmath
from flint import arb, ctx, fmpq

from symnum.numbers.relation import integer_relation

SIZES = ((8, 100), (12, 200), (25, 400))


def planted(n: int, digits: int, height: int, seed: int) -> tuple[list[str], tuple[int, ...]]:
    """n decimal texts and the relation between them; the first coefficient is positive."""
    rng = random.Random(seed)
    unit = 10 ** (digits + 20)
    numbers = [rng.randrange(unit // 10, unit) for _ in range(n - 1)]
    c = [rng.choice((-1, 1)) * rng.randint(1, height) for _ in range(n)]
    c[0] = abs(c[0])
    last = -sum(a * x for a, x in zip(c, numbers, strict=False))  # c[-1] times the last number, in units
    with ctx.workprec(math.ceil(4 * digits) + 200):
        value = arb(fmpq(last, c[-1])) / unit
        texts = [(arb(x) / unit).str(digits + 5, radius=False) for x in numbers] + [value.str(digits + 5, radius=False)]
    common = math.gcd(*c)
    return texts, tuple(a // common for a in c)


def timed(function) -> tuple[float, object]:
    start = time.perf_counter()
    out = function()
    return time.perf_counter() - start, out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--hard", action="store_true")
    a = parser.parse_args()
    results = []
    for n, digits in SIZES:
        for height in (1000, *([10 ** int((digits - 10) / (1.5 * n))] if a.hard else [])):
            texts, relation = planted(n, digits, height, seed=n)
            with ctx.workprec(math.ceil(digits * math.log2(10)) + 64):
                balls = [arb(t) + arb(0, arb(10) ** -(digits + 2)) for t in texts]
                runs = [timed(lambda balls=balls, digits=digits: integer_relation(balls, digits)) for _ in range(a.repeat)]
            ours = sorted(t for t, _ in runs)[a.repeat // 2]
            right = all(r is not None and r.accepted and r.coefficients == relation for _, r in runs)
            mpmath.mp.dps = digits
            numbers = [mpmath.mpf(t) for t in texts]
            peer, found = timed(lambda x=numbers, h=height: mpmath.pslq(x, maxcoeff=10 * h, maxsteps=10**6))
            sign = 1 if found and found[0] > 0 else -1
            row = {"n": n, "digits": digits, "height": height, "seconds": ours, "planted_relation_found": right, "mpmath_seconds": peer,
                   "mpmath_found": bool(found) and tuple(sign * c for c in found) == relation, "times_faster": peer / ours}
            results.append(row)
            print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)
    (Path(__file__).parent / "result.json").write_text(json.dumps({"mpmath": mpmath.__version__, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
