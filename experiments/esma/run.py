"""Signed interlaced continued fractions of eight constants, against the 1,376 of formulas.csv and beside the published algorithm.

    python experiments/esma/run.py [--pairs 40]

For each constant: the 2,464 pairs of an image (a + b x)/(c + d x), coefficients up to 2, and a sign sequence of period up to 4; seconds
after compilation; how many formulas were found, to how many digits their own limits (proven balls) agree with the constant; how many of the
rows of formulas.csv (constant, signs, first 14 terms; found by a separate program) are among them.
Beside it the algorithm as published (arXiv:2212.09470: 500 decimal digits, 100 terms, Berlekamp–Massey modulo 199 on arrays of
Python integers) on a sample of the same pairs, without its symbolic preparation.
Writes result.json beside this file.
"""

import argparse
import csv
import json
import time
from collections import defaultdict
from pathlib import Path

import mpmath
import numpy as np
from flint import arb, ctx

from symnum.conjecture.fractions.esma import conjecture_esma
from symnum.conjecture.fractions.images import image_text, images
from symnum.numbers.formula import ball
from symnum.numbers.signed_fraction import sign_sequences

HERE = Path(__file__).parent
CONSTANTS = ("e", "exp(2)", "tan(1)", "besseli(1,1)/besseli(0,1)", "besseli(1,2)/besseli(0,2)", "tanh(1)", "sqrt(e)",
             "besselj(1,2)/besselj(0,2)")
PEER_PRIME, PEER_DEPTH, PEER_DIGITS = 199, 100, 500
CHECK_DIGITS = 100


def rows() -> dict[str, set]:
    """constant -> {(signs, first terms)} of formulas.csv."""
    found = defaultdict(set)
    with (HERE / "formulas.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[row["constant"]].add((tuple(map(int, row["signs"].split())), tuple(map(int, row["terms"].split()))))
    return found


def verified(formulas) -> int:
    """How many formulas agree with their left-hand sides to 100 digits when both are computed anew."""
    good = 0
    with ctx.workprec(4 * CHECK_DIGITS + 64):
        for hit in formulas:
            left = ball(image_text(hit.image, hit.constant), CHECK_DIGITS + 5)
            difference = abs(left - hit.fraction.ball(CHECK_DIGITS + 5)) / abs(left)
            good += bool(difference < arb(10) ** -CHECK_DIGITS)
    return good


def peer_terms(x, signs) -> list[int]:
    """The signed continued fraction in decimal arithmetic."""
    terms = []
    for n in range(PEER_DEPTH):
        sign = signs[n % len(signs)]
        a = int(mpmath.floor(x) if sign > 0 else mpmath.ceil(x))
        terms.append(a)
        if x == a:
            break
        x = sign / (x - a)
    return terms


def peer_order(terms: list[int]) -> int:
    """Massey's algorithm on arrays of Python integers modulo 199: the order."""
    p, s = PEER_PRIME, np.array(terms, dtype=object)
    c, b = np.zeros(len(s) + 1, dtype=object), np.zeros(len(s) + 1, dtype=object)
    c[0] = b[0] = 1
    order, gap, last = 0, 1, 1
    for n in range(len(s)):
        d = (s[n] + np.dot(c[1: order + 1], s[n - order: n][::-1])) % p if order else s[n] % p
        if d == 0:
            gap += 1
            continue
        kept, factor = c.copy(), d * pow(int(last), -1, p) % p
        c[gap:] = (c[gap:] - factor * b[: len(b) - gap]) % p
        if 2 * order <= n:
            order, b, last, gap = n + 1 - order, kept, d, 1
        else:
            gap += 1
    return order


def peer(constant: str, pairs: int) -> tuple[float, int]:
    """Seconds per pair and how many of the sampled pairs it takes for formulas."""
    every = [(image, signs) for image in images(2, ball(constant, 50)) for signs in sign_sequences(4)]
    sample = [every[i] for i in np.random.default_rng(0).choice(len(every), pairs, replace=False)]
    with mpmath.workdps(PEER_DIGITS):
        x = mpmath.mpf(ball(constant, PEER_DIGITS + 10).str(PEER_DIGITS + 5, radius=False))
        begun, found = time.perf_counter(), 0
        for (a, b, c, d), signs in sample:
            found += peer_order(peer_terms((a + b * x) / (c + d * x), signs)) < PEER_DEPTH // 4
        return (time.perf_counter() - begun) / pairs, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40, help="pairs on which the published algorithm is timed, per constant")
    a = parser.parse_args()
    known, results = rows(), {}
    conjecture_esma("e", max_coefficient=1, sign_period=1)  # compilation
    print(f"{'constant':<28}{'seconds':>8}{'formulas':>9}{'families':>9}{'100 digits':>11}{'rows found':>14}{'published, s per 2464':>24}")
    for constant in CONSTANTS:
        begun = time.perf_counter()
        run = conjecture_esma(constant)
        seconds = time.perf_counter() - begun
        mine = {(h.fraction.signs, tuple(h.fraction.terms(14))) for h in run.formulas}
        each, taken = peer(constant, a.pairs)
        results[constant] = {
            "seconds": round(seconds, 3), "pairs": run.pairs, "formulas": len(run.formulas), "families": len(run.hits),
            "verified_to_100_digits": verified(run.formulas), "rows": len(known[constant]), "rows_found": len(known[constant] & mine),
            "published_algorithm": {"pairs": a.pairs, "seconds_per_pair": round(each, 5), "seconds_for_all": round(each * run.pairs, 1),
                                    "formulas_in_sample": taken},
            "shortest": [h.text for h in run.hits[:3]],
        }
        r = results[constant]
        print(f"{constant:<28}{seconds:>8.3f}{r['formulas']:>9}{r['families']:>9}{r['verified_to_100_digits']:>11}"
              f"{r['rows_found']:>7} of {r['rows']:<3}{each * run.pairs:>20.1f}")
    for constant in ("pi", "zeta(3)", "log(2)"):
        run = conjecture_esma(constant)
        results[constant] = {"seconds": round(run.seconds, 3), "pairs": run.pairs, "formulas": len(run.formulas)}
        print(f"{constant:<28}{run.seconds:>8.3f}{len(run.formulas):>9}   (not of the type of e: none expected)")
    (HERE / "result.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
