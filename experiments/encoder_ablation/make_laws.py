"""Draws the laws of the ablation: 100 of `laws.g`, 25 with each number of columns from two to five, none of them ever trained on.

    python experiments/encoder_ablation/make_laws.py
    python experiments/encoder_ablation/make_laws.py --seed 7 --each 10 --out dev.json      others, to fix settings on

A law is kept where its skeleton is one of those that the corpus reserves, it depends on all of its columns, and it is defined
and varies on the ranges drawn. What is written is a suite as in `experiments/suites/problems.py`.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from symnum.encode.corpus import held_out, reserved
from symnum.encode.keys import UNDEFINED, skeleton_keys
from symnum.encode.skeletons import depends, renamed_keys, sound
from symnum.evaluate.cpu import CpuEvaluator, Rows
from symnum.language.grammar import Grammar
from symnum.language.ops import CONST
from symnum.language.rules import compile_rules

HERE = Path(__file__).parent
SEED, EACH, ROWS, TRIES = 20261121, 25, 200, 20
LEAST, MOST = 6, 26  # complexity


def ranges(rng: np.random.Generator, columns: int) -> list[list[float]]:
    """Each column from a low end of 10^-1 … 10^0.5 over a factor of 2 to 20."""
    low = 10 ** rng.uniform(-1, 0.5, columns)
    return [[float(f"{a:.2g}"), float(f"{a * f:.2g}")] for a, f in zip(low, 10 ** rng.uniform(0.3, 1.3, columns), strict=True)]


def drawn(columns: int, each: int, rng: np.random.Generator) -> list[dict]:
    """Problems, `each` of them, with so many columns."""
    names = tuple(f"x{i}" for i in range(columns))
    rules, evaluator, found, seen = compile_rules(Grammar.load(HERE / "laws.g"), names), CpuEvaluator(1), [], set()
    while len(found) < each:
        batch = rules.sample(20_000, MOST, rng)
        batch = batch.take(rules.complexity(batch) >= LEAST)
        used = np.array([len(set(e.variables)) == columns for e in batch])
        batch = batch.take(used)
        keys = skeleton_keys(batch)
        keep = (keys != UNDEFINED) & sound(batch, keys) & depends(batch, keys).all(axis=1)
        batch = batch.take(keep)
        renamed = renamed_keys(batch)
        good = reserved(renamed) & ~np.isin(renamed, held_out())
        for law, key in zip(batch.take(good), renamed[good].tolist(), strict=True):
            if key not in seen and len(found) < each and (problem := problem_of(law, names, rng, evaluator)):
                seen.add(key)
                found.append(problem | {"name": f"law-{columns}-{len(found):02d}"})
    return found


def problem_of(law, names: tuple[str, ...], rng: np.random.Generator, evaluator: CpuEvaluator) -> dict | None:
    """The law with constants and ranges on which it is defined and varies, or None where no draw gives such."""
    from symnum.language.batch import Batch

    batch = Batch.pack([law], names)
    free = batch.code == CONST
    for _ in range(TRIES):
        size = 10 ** rng.uniform(-0.7, 0.7, int(free.sum())) * rng.choice((1.0, 1.0, -1.0), int(free.sum()))
        value = batch.value.copy()
        value[free] = [float(f"{c:.3g}") for c in size]
        domain = ranges(rng, len(names))
        wide = [(lo - 0.1 * (hi - lo), hi + 0.1 * (hi - lo)) for lo, hi in domain]
        X = np.column_stack([rng.uniform(*w, 500) for w in wide])
        these = Batch(batch.code, batch.arg, value, batch.offset, names)
        y = evaluator.values(these, Rows.pack(X, names)).y[0]
        if np.isfinite(y).all() and np.abs(y).max() < 1e6 and np.std(y) > 1e-3 * max(1e-3, np.abs(y).mean()):
            variables = [{"name": n, "range": r, "sampling": "uniform"} for n, r in zip(names, domain, strict=True)]
            return {"name": "", "expression": str(these[0].sympy()), "variables": variables}
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--each", type=int, default=EACH, help="laws for each number of columns")
    parser.add_argument("--out", type=Path, default=HERE / "laws.json")
    a = parser.parse_args()
    rng = np.random.default_rng(a.seed)
    problems = [p for columns in (2, 3, 4, 5) for p in drawn(columns, a.each, rng)]
    source = f"drawn by experiments/encoder_ablation/make_laws.py from laws.g, seed {a.seed}"
    a.out.write_text(json.dumps({"source": source, "rows": ROWS, "problems": problems}, indent=1) + "\n", encoding="utf-8")
    for p in problems:
        print(p["name"], p["expression"])


if __name__ == "__main__":
    main()
