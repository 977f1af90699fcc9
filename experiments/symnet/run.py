"""Symbolic networks in the portfolio: laws of many columns, with and without them, at equal seconds.

    python experiments/symnet/run.py [--columns 8,20,50] [--laws 30] [--seconds 20] [--noise 0] [--jobs 1] [--controller]

Laws are drawn at random (`draw_law`) from seeds fixed beforehand: sums of one to four terms that are columns, products, functions of
affine combinations, or products of a column and such a function; of the 8, 20 or 50 columns 3 to 8 matter. Every law is
searched twice on one core, same rows and seed: by the default portfolio, and by it with `SymNet` added. A law is recovered where
the chosen formula leaves less than 1e-6 of the target's spread on 1,000 fresh rows (with noise: an R² of 0.999 of the
law without noise, which is a good fit and not a proof). `--controller` instead compares SymNet alone with a controller that learns
and one that does not. Prints both sides with 95 % intervals and writes result.json beside this file.
"""

import argparse
import json
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from symnum.discovery import discover
from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.rules import compile_rules
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.search.base import Context
from symnum.search.portfolio import default_portfolio
from symnum.search.symnet import SymNet

ROWS, FRESH = 500, 1000
LARGEST = 30  # complexity of laws and of formulas
RANGES = ((-2.0, 2.0), (1.0, 3.0), (0.0, 1.0), (-1.0, 3.0))
FUNCTIONS = ("sin", "cos", "exp", "tanh", "square", "sqrt", "inv")
POSITIVE = ("sqrt", "inv")  # their arguments are made positive by an offset
SPREAD = 2.5  # an argument of a function stays within about so much of its middle


def draw_law(rng: np.random.Generator, columns: int, X: np.ndarray) -> Expr:
    """A random law of 3 to 8 of the columns, within the size limit, finite and varying on the rows X."""
    names = [f"x{i}" for i in range(columns)]
    rules = compile_rules(Grammar.load("elementary"), names)
    while True:
        used = rng.permutation(columns)[: rng.integers(3, 9)].tolist()
        terms, law, left = [], None, list(used)
        while left:
            terms.append(_term(rng, left, X))
        for coefficient, term in terms:
            part = term if coefficient == 1 else Expr.const(coefficient) * term
            law = part if law is None else law + part
        y = np.broadcast_to(law(X), len(X))
        if 0 < rules.complexity(Batch.pack([law], names))[0] <= LARGEST and np.isfinite(y).all() and np.std(y) > 1e-3 and len(terms) <= 4:
            return law


def _number(rng: np.random.Generator) -> float:
    return float(rng.choice((-1, 1)) * rng.integers(3, 21) / 10)


def _term(rng: np.random.Generator, left: list[int], X: np.ndarray) -> tuple[float, Expr]:
    """A coefficient and a term, made of columns that are taken from `left`."""
    def take(most: int) -> list[int]:
        return [left.pop() for _ in range(min(len(left), int(rng.integers(1, most + 1))))]

    kind = rng.choice(4, p=(0.15, 0.3, 0.35, 0.2))
    coefficient = 1.0 if rng.random() < 0.4 else _number(rng)
    if kind == 0:
        return coefficient, Expr.var(f"x{left.pop()}")
    if kind == 1:
        factors = [Expr.var(f"x{j}") for j in take(3)]
        product = factors[0]
        for factor in factors[1:]:
            product = product * factor
        return coefficient, product
    factor = Expr.var(f"x{left.pop()}") if kind == 3 and len(left) > 1 else None
    function = str(rng.choice(FUNCTIONS))
    combination, chosen = None, take(3)
    weights = [_number(rng) for _ in chosen]
    values = X[:, chosen] @ weights
    shrink = max(1.0, np.ceil((values.max() - values.min()) / 2 / SPREAD))
    weights = [round(w / shrink, 2) or 0.1 for w in weights]
    for j, w in zip(chosen, weights, strict=True):
        part = Expr.const(w) * Expr.var(f"x{j}")
        combination = part if combination is None else combination + part
    if function in POSITIVE:
        combination = combination + Expr.const(float(np.ceil(10 * (0.5 - (X[:, chosen] @ weights).min())) / 10))
    term = Expr.apply(function, combination)
    return coefficient, term if factor is None else factor * term


def draw_data(seed: int, columns: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Expr]:
    """X and y to search, fresh X and the law's values there, and the law."""
    rng = np.random.default_rng([20261121, columns, seed])
    low, high = np.array(RANGES)[rng.integers(len(RANGES), size=columns)].T
    X = rng.uniform(low, high, (ROWS + FRESH, columns))
    law = draw_law(rng, columns, X)
    values = np.asarray(law(X), float)
    y = values[:ROWS] + noise * values[:ROWS].std() * rng.standard_normal(ROWS)
    return X[:ROWS], y, X[ROWS:], values[ROWS:], law


def portfolios(context: Context, controller: bool) -> dict[str, tuple]:
    """What is compared."""
    if controller:
        return {"proposes at random": (SymNet(learns=False),), "learns": (SymNet(),)}
    return {"without": default_portfolio(context), "with": (*default_portfolio(context), SymNet())}


def searched(task: tuple) -> dict:
    """One law, one side."""
    seed, columns, side, seconds, noise, controller = task
    X, y, fresh, truth, law = draw_data(seed, columns, noise)
    problem = RegressionProblem.from_table(as_table(X, y, [f"x{i}" for i in range(columns)]), seed=seed).screened()
    context = Context.of(problem, compile_rules(Grammar.load("elementary"), problem.names), CpuEvaluator(1), LARGEST)
    began = time.perf_counter()
    found = discover(problem, "elementary", time_limit=seconds, max_complexity=LARGEST, search=portfolios(context, controller)[side],
                     threads=1, seed=seed)
    out = {"columns": columns, "seed": seed, "side": side, "law": str(law), "seconds": round(time.perf_counter() - began, 2),
           "rounds": found.progress.round, "kept": len(problem.names), "formula": None, "r2": None, "recovered": False}
    if not len(found.front):
        return out
    at = {f"x{i}": fresh[:, i] for i in range(columns)}
    with np.errstate(all="ignore"):
        left = truth - np.asarray(found.best.best(at), float)
        r2 = float(1 - np.mean(left**2) / np.var(truth))
    r2 = r2 if np.isfinite(r2) else None
    limit = 1 - 1e-12 if noise == 0 else 0.999
    return out | {"formula": str(found.best.best), "r2": r2, "recovered": r2 is not None and r2 >= limit}


def interval(difference: np.ndarray) -> list[float]:
    """95 % bootstrap interval of the mean of paired differences."""
    rng = np.random.default_rng(0)
    means = difference[rng.integers(len(difference), size=(5000, len(difference)))].mean(axis=1)
    return np.round(np.quantile(means, (0.025, 0.975)), 4).tolist()


def compared(results: list[dict]) -> dict:
    """Both sides of the same laws: recovered, mean R² (a formula that is not finite counts 0, none less), and paired differences."""
    sides = list(dict.fromkeys(r["side"] for r in results))
    by = {(r["columns"], r["seed"], r["side"]): r for r in results}
    laws = sorted({key[:2] for key in by if all((*key[:2], s) in by for s in sides)})
    value = {s: np.array([max(0.0, by[*law, s]["r2"] or 0.0) for law in laws]) for s in sides}
    hit = {s: np.array([by[*law, s]["recovered"] for law in laws], float) for s in sides}
    out = {"laws": len(laws)}
    for s in sides:
        mean, median = float(value[s].mean()), float(np.median(value[s]))
        out[s] = {"recovered": int(hit[s].sum()), "mean_r2": round(mean, 4), "median_r2": round(median, 6)}
    first, second = sides
    out["recovered_difference"] = {"mean": float(np.mean(hit[second] - hit[first])), "interval": interval(hit[second] - hit[first])}
    out["r2_difference"] = {"mean": float(np.mean(value[second] - value[first])), "interval": interval(value[second] - value[first])}
    out["only"] = {s: int(np.sum((hit[s] == 1) & (hit[o] == 0))) for s, o in ((first, second), (second, first))}
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", default="8,20,50")
    parser.add_argument("--laws", type=int, default=30, help="per number of columns")
    parser.add_argument("--first", type=int, default=0, help="seed of the first law")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--controller", action="store_true")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "result.json")
    a = parser.parse_args()
    columns = [int(c) for c in a.columns.split(",")]
    sides = ("proposes at random", "learns") if a.controller else ("without", "with")
    tasks = [(s, c, side, a.seconds, a.noise, a.controller) for c in columns for s in range(a.first, a.first + a.laws) for side in sides]
    results = []
    with ProcessPoolExecutor(a.jobs, mp_context=get_context("spawn")) as pool:
        for r in pool.map(searched, tasks):
            results.append(r)
            shown = "-" if r["r2"] is None else f"{r['r2']:.6f}"
            mark = "recovered" if r["recovered"] else "-"
            where = f"{r['columns']:>3} {r['seed']:>3} {r['side']:<18}"
            print(f"{where} {mark:<10} {shown:>10} {r['seconds']:>6.1f} s  {r['law'][:60]}", flush=True)
    groups = {str(c): compared([r for r in results if r["columns"] == c]) for c in columns} | {"all": compared(results)}
    heads = "  ".join(f"{s + ': recovered, mean R²':<42}" for s in sides)
    print(f"\n{'columns':<9}{'laws':>5}  {heads}difference in recovery [95 %], in R² [95 %]")
    for name, g in groups.items():
        figures = "  ".join(f"{g[s]['recovered']:>3}  {g[s]['mean_r2']:.4f}".ljust(42) for s in sides)
        d, e = g["recovered_difference"], g["r2_difference"]
        print(f"{name:<9}{g['laws']:>5}  {figures}{d['mean']:+.3f} {d['interval']}, {e['mean']:+.4f} {e['interval']}")
    setting = {k: getattr(a, k) for k in ("laws", "first", "seconds", "noise", "controller")} | {"columns": columns}
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    data = {"setting": setting, "machine": machine, "compared": groups, "results": results}
    a.out.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
