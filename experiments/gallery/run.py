"""The gallery: ten formulas that symnum found, each checked in two independent ways.

    python experiments/gallery/run.py

The continued fractions come out of `symnum conjecture census --degree 2 --range 5` and `symnum conjecture pcf` (the column `found by`), the
signed fraction and the series are searched anew here. Each is checked by symnum's proven balls to 200 digits, and again by mpmath
(backward recurrence or summation), which shares no code with them. Writes result.json and the table in README.md beside this file.
"""

import json
import sys
from pathlib import Path

import mpmath
from flint import arb, ctx

from symnum import PCF, conjecture_esma, conjecture_series
from symnum.numbers import formula
from symnum.numbers.coboundary import check_certificate, prove
from symnum.numbers.known import known
from symnum.numbers.pcf_limit import limit

HERE = Path(__file__).parent
DIGITS = 200
ORACLE = 40  # digits of mpmath's check: those that the slowest of them reaches
CENSUS = "census --degree 2 --range 5"

# a, b, value, how it was found
FRACTIONS = [
    ((4, 1), (-2, 1, 0), "2/lemniscate", CENSUS),
    ((4,), (4, -4, 1), "2 + lemniscate^2/pi", CENSUS),
    ((2, 2), (3, 1, 0), "3*gamma(1/3)^3/(8*pi^2 - 3*gamma(1/3)^3)", CENSUS),
    ((3, 2), (4, -2, 0), "sqrt(5)/(2*log(golden))", CENSUS),
    ((1,), (1, 0), "2/(sqrt(2*pi*e)*erfc(1/sqrt(2)))", CENSUS),
    ((7, 12, 4), (8, -4, 0, 0, 0), "2/log(2)^2", 'pcf --constant "log(2)^2" --a "x2*n^2+x1*n+x0" --b "n^3*(y1*n+y0)" --range 12'),
    ((34, 51, 27, 5), (-1, 0, 0, 0, 0, 0, 0), "6/zeta(3)", 'pcf --constant "zeta(3)" --a-degree 3 --b-degree 6 --range 20'),
    ((2, 3, 123, 61), (-1, 0, 0, 0, 0, 0, 0), "216000/(216000*zeta(3) - 256103)",
     'pcf --constant "zeta(3)" --a "(2*n+1)*(n*(n+1)+x)" --b "-y*n^6" --range 80'),
]


def oracle(text: str) -> mpmath.mpf:
    """A formula by mpmath, decimal numbers aside."""
    lemniscate = mpmath.gamma(mpmath.mpf(1) / 4) ** 2 / mpmath.sqrt(8 * mpmath.pi)
    names = {"lemniscate": lemniscate, "golden": mpmath.phi, "pi": mpmath.pi, "e": mpmath.e, "gamma": mpmath.gamma, "log": mpmath.log,
             "sqrt": mpmath.sqrt, "erfc": mpmath.erfc, "zeta": mpmath.zeta}
    return eval(text.replace("^", "**").replace("1/3", "mpf(1)/3"), {"__builtins__": {}, "mpf": mpmath.mpf}, names)


def backward(pcf: PCF, terms: int) -> mpmath.mpf:
    """The value from the last term up, with a tail of half its first term's square completed: t = (a + sqrt(a^2 + 4 b))/2."""
    a, b = (lambda n, c=c: mpmath.polyval([mpmath.mpf(x) for x in c], n) for c in (pcf.a, pcf.b))
    t = (a(terms) + mpmath.sqrt(a(terms) ** 2 + 4 * b(terms + 1))) / 2
    for n in range(terms - 1, -1, -1):
        t = a(n) + b(n + 1) / t
    return t


def agreed(x: arb, y: arb) -> int:
    """Digits to which two balls are proven to agree; 0 where they are apart."""
    with ctx.workdps(2 * DIGITS):
        if not x.overlaps(y):
            return 0
        width = (x - y).abs_upper() / abs(y).abs_lower()
        return int(-float(width.log() / arb(10).log()))


def fractions() -> list[dict]:
    """The polynomial continued fractions and their checks."""
    rows = []
    for a, b, value, command in FRACTIONS:
        pcf = PCF(a, b)
        digits = agreed(limit(pcf, DIGITS + 10), formula.ball(value, DIGITS + 10))
        with mpmath.workdps(ORACLE + 20):
            near = backward(pcf, 20_000)
            second = int(-mpmath.log10(abs(near / oracle(value) - 1) + mpmath.mpf(10) ** -(ORACLE + 10)))
        proof = prove(pcf)
        source = known(pcf)
        status = f"proved: {proof['source']}" if proof and check_certificate(proof) else f"known: {source}" if source else "conjecture"
        rows.append({"formula": f"{value} = {pcf}", "where": pcf.text, "found by": f"symnum conjecture {command}", "status": status,
                     "digits": digits, "oracle_digits": min(second, ORACLE)})
    return rows


def searched() -> list[dict]:
    """A signed fraction and a series, found here."""
    signed = next(h for h in conjecture_esma("e").hits if h.text.startswith("e - 1 = 2 - 1/"))
    series = next(h for h in conjecture_series("zeta(3)", "binomial").hits if "256" in h.text)
    with mpmath.workdps(ORACLE + 20):
        total = -mpmath.nsum(lambda k: (10 * k * k - 6 * k + 1) * mpmath.mpf(-256) ** k / (k ** 5 * mpmath.binomial(2 * k, k) ** 5),
                             [1, mpmath.inf]) / 28
        second = int(-mpmath.log10(abs(total / mpmath.zeta(3) - 1) + mpmath.mpf(10) ** -(ORACLE + 10)))
        t = mpmath.mpf(2)
        for k in range(200, 0, -1):  # 2 - 1/(3 + 1/(2 - 1/(5 + ...)))
            t = 2 - 1 / (2 * k + 1 + 1 / t)
        first = int(-mpmath.log10(abs(t / (mpmath.e - 1) - 1) + mpmath.mpf(10) ** -(ORACLE + 10)))
    return [
        {"formula": signed.text, "where": "", "found by": "symnum conjecture esma --constant e",
         "status": f"known: {signed.source}" if signed.source else "conjecture",
         "digits": signed.digits, "oracle_digits": min(first, ORACLE)},
        {"formula": series.text, "where": "", "found by": 'symnum conjecture series --constant "zeta(3)"',
         "status": f"known: {series.source}" if series.source else "conjecture",
         "digits": agreed(series.ball(DIGITS + 10), formula.ball("zeta(3)", DIGITS + 10)), "oracle_digits": min(second, ORACLE)},
    ]


def main() -> int:
    """Check all ten and write them down; 1 where a check fails."""
    rows = fractions() + searched()
    for row in rows:
        print(f"{row['formula']}\n    {row['where'] + '; ' if row['where'] else ''}{row['status']}; "
              f"{row['digits']} digits proven equal, {row['oracle_digits']} by mpmath\n    {row['found by']}")
    table = "\n".join(f"| `{r['formula']}`{'<br>' + r['where'] if r['where'] else ''} | {r['status']} | {r['digits']} | "
                      f"{r['oracle_digits']} | `{r['found by']}` |" for r in rows)
    (HERE / "README.md").write_text(
        "# Gallery\n\nTen formulas that symnum found, written and checked by `python experiments/gallery/run.py`: digits to which the "
        "proven balls of both\nsides agree, and to which mpmath, by other means, agrees (at most 40 were asked for). A *conjecture* is a "
        "formula whose proof symnum\ndoes not have; it may well be known.\n\n"
        "| formula | status | digits | mpmath | found by |\n|---|---|---|---|---|\n" + table + "\n", encoding="utf-8")
    (HERE / "result.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(r["digits"] >= DIGITS - 5 and r["oracle_digits"] >= 12 for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
