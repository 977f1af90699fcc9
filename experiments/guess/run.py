"""Classical sequences: how many rules are found from 8, 12, 20 and 40 terms, and how many random sequences are given one.

    python experiments/guess/run.py [--random 1000] [--no-peer]

A sequence counts as found if the best guess gives its next 20 terms; a guess that does not is counted as wrong. Beside it, on the same
terms, sympy: `sympy.concrete.guess.guess` (products and rational functions of the index), and
`find_simple_recurrence_vector` (linear recurrences with constant coefficients), three terms held back.
Writes result.json beside this file.
"""

import argparse
import json
import random
import time
from fractions import Fraction
from pathlib import Path

from sequences import CLASSICAL, WITHOUT

from symnum.conjecture.sequences.guess import guess

LENGTHS, NEXT = (8, 12, 20, 40), 20
RANDOM_LENGTHS = (8, 60)


def ours(terms: list) -> list | None:
    """The next terms by the best guess; None where there is none."""
    found = guess(terms)
    return found.terms(NEXT) if found else None


def peer(terms: list) -> list | None:
    """The next terms by sympy: its recurrence, else its guesses of products; either must give the three terms held back."""
    from sympy import Rational, Symbol
    from sympy.concrete.guess import find_simple_recurrence_vector
    from sympy.concrete.guess import guess as sympy_guess

    exact = [Rational(Fraction(t).numerator, Fraction(t).denominator) for t in terms]
    fit, held = exact[:-3], exact[-3:]
    try:
        vector = find_simple_recurrence_vector(fit)
    except IndexError:  # sympy 1.14 fails on sequences that start with zeros
        vector = None
    if vector and len(vector) > 1 and 2 * (len(vector) - 1) <= len(fit):
        known = list(fit)
        while len(known) < len(exact) + NEXT:
            known.append(-sum(c * known[-k - 1] for k, c in enumerate(vector[1:])) / vector[0])
        if known[len(fit):len(exact)] == held:
            return [Fraction(int(t.p), int(t.q)) for t in known[len(exact):]]
    index = Symbol("i0")
    for formula in sympy_guess(fit):
        values = [formula.subs(index, k).doit() for k in range(1, len(exact) + NEXT + 1)]
        if values[:len(exact)] == exact:
            return [Fraction(int(t.p), int(t.q)) for t in values[len(exact):]]
    return None


def score(method, sequences: dict, count: int) -> dict:
    """Which sequences a method continues, and which wrongly, from their first `count` terms."""
    found, wrong, seconds = [], [], []
    for name, make in sequences.items():
        terms = make(count + NEXT)
        begin = time.perf_counter()
        more = method(terms[:count])
        seconds.append(time.perf_counter() - begin)
        if more is not None:
            (found if list(more) == list(terms[count:]) else wrong).append(name)
    return {"found": len(found), "of": len(sequences), "missing": sorted(set(sequences) - {*found, *wrong}), "wrong": wrong,
            "median_seconds": sorted(seconds)[len(seconds) // 2], "worst_seconds": max(seconds)}


def random_sequence(rng: random.Random) -> list:
    """Terms without a rule: uniform in a range of 2 to 10^12, sorted, a random walk, growing by random factors, or fractions."""
    count, kind = rng.randint(*RANDOM_LENGTHS), rng.randrange(6)
    size = rng.choice((1, 2, 5, 9, 100, 10**6, 10**12))
    draw = [rng.randint(0, size) for _ in range(count)]
    if kind == 0:
        return draw
    if kind == 1:
        return [rng.choice((-1, 1)) * d for d in draw]
    if kind == 2:
        return sorted(draw)
    if kind == 3:
        walk = [0]
        for d in draw[1:]:
            walk.append(walk[-1] + d)
        return walk
    if kind == 4:
        grown = [1 + draw[0]]
        for _ in draw[1:]:
            grown.append(int(grown[-1] * rng.uniform(1.1, 3)) + rng.randint(0, 2))
        return grown
    return [Fraction(d, rng.randint(1, size + 1)) for d in draw]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, default=1000)
    parser.add_argument("--no-peer", action="store_true")
    a = parser.parse_args()
    results = {"classical": {}, "without": {}}
    guess([1, 2, 3, 4, 6])  # imports
    for count in LENGTHS:
        row = {"symnum": score(ours, CLASSICAL, count)}
        if not a.no_peer:
            row["sympy"] = score(peer, CLASSICAL, count)
        results["classical"][count] = row
        results["without"][count] = score(ours, WITHOUT, count)
        for who, s in row.items():
            print(f"{count:>3} terms  {who:<7} found {s['found']:>3} of {s['of']}  wrong {len(s['wrong'])}  "
                  f"median {s['median_seconds']:.3f} s  worst {s['worst_seconds']:.2f} s", flush=True)
        print(f"           missing: {', '.join(row['symnum']['missing'])}\n           wrong: {row['symnum']['wrong']}")
        print(f"           sequences without a rule: claims {results['without'][count]['wrong']}", flush=True)
    rng, false, begin = random.Random(0), [], time.perf_counter()
    for _ in range(a.random):
        terms = random_sequence(rng)
        found = guess(terms)
        if found:
            false.append({"terms": [str(t) for t in terms], "claim": found.best.statement, "surplus": found.best.surplus})
            print("false claim:", terms, found.best.statement, found.best.surplus)
    seconds = time.perf_counter() - begin
    results["random"] = {"sequences": a.random, "false": len(false), "claims": false, "seconds": seconds}
    print(f"random sequences: {len(false)} false claims of {a.random}, {seconds / max(a.random, 1):.2f} s each")
    (Path(__file__).parent / "result.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
