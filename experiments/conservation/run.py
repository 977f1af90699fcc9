"""Conserved quantities of 24 systems: how many are independent, and their formulas.

    python experiments/conservation/run.py [--trajectories 80] [--samples 100] [--only lv3,pendulum] [--known] [--limit 120]

From each system trajectories are simulated (initial states from the listed ranges) and given with relative noise of 0 and 1 % of
each state's standard deviation; nothing else is given, or, with --known, the equations too. A formula is true where
|f · grad H| / (|f| |grad H|), its 95th percentile over fresh states of the listed ranges, is below 1e-6 without and 1e-2 with noise.
A system is right where every formula is true, all listed ones are functions of those found (rank of the gradients), and there are as
many as listed or as exist (two systems have one more than is listed, README). Beside it, in the same run, our own re-implementation
of the published linear contrastive loss alone (Zhang et al. 2023, arXiv:2302.05783): cubic polynomials, generalised eigenvalues of
within-trajectory against total scatter below three times the square of the noise (3e-6 without), counted by the rank of their
gradients. Writes result.json.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

from symnum.dynamics.system import System
from symnum.dynamics.trajectory import Trajectories
from symnum.equations.invariants import discover_invariants
from symnum.equations.invariants_library import Library, _monomial
from symnum.language.expr import Expr
from symnum.problem.invariant import InvariantProblem, centred, independence

HERE = Path(__file__).parent
TRUE = {0.0: 1e-6, 0.01: 1e-2}
ENCOUNTER = 100.0  # times the median rate of change in the range: a close encounter, drawn again
TRIES = 40  # initial states per trajectory that is wanted


def system_of(entry: dict) -> System:
    """The system with its parameters as numbers."""
    values = {name: float(value) for name, value in entry["params"].items()}
    equations = tuple(Expr.parse(text).substitute(values) for text in entry["rhs"])
    return System(tuple(entry["states"]), equations)


def initial(entry: dict, rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, states) states from the listed range."""
    sample = entry["sample"]
    d = len(entry["states"])
    if sample["kind"] == "normal":
        return rng.normal(0, sample["std"], (count, d))
    return rng.uniform(sample["low"], sample["high"], (count, d))


def fast_field(entry: dict):
    """The field as a compiled function (t, x)."""
    import sympy

    system = system_of(entry)
    symbols = [sympy.Symbol(name, real=True) for name in system.states]
    function = sympy.lambdify(symbols, [f.sympy() for f in system.equations], "math", cse=True)

    def field(s, x):
        try:
            return function(*x.tolist())
        except (ZeroDivisionError, OverflowError, ValueError):
            return [np.nan] * len(x)

    return field


def trajectories(entry: dict, count: int, samples: int, noise: float, seed: int = 0) -> Trajectories:
    """Simulated trajectories with noise; those that explode or come close to a singularity are drawn again."""
    rng, field = np.random.default_rng([seed, 1]), fast_field(entry)
    horizon, stiff = entry["horizon"], entry["spacing"] == "logarithmic"
    t = np.linspace(0, horizon, samples)
    if stiff:
        t = np.concatenate([[0.0], np.geomspace(1e-4 * horizon, horizon, samples - 1)])
    candidates = initial(entry, rng, TRIES * count)
    usual = np.median([np.linalg.norm(field(0.0, x0)) for x0 in candidates])

    def encounter(s, x):
        return ENCOUNTER * usual - np.linalg.norm(field(s, x))

    encounter.terminal = True
    paths = []
    for x0 in candidates:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = solve_ivp(field, (0, horizon), x0, "LSODA" if stiff else "DOP853", t, rtol=1e-10, atol=1e-13 if stiff else 1e-12,
                              events=None if stiff else encounter)
        if found.status == 0 and np.isfinite(found.y).all() and found.y.shape[1] == len(t):
            paths.append(found.y.T)
        if len(paths) == count:
            break
    scale = np.concatenate(paths).std(axis=0)
    noisy = np.random.default_rng([seed, 2])
    paths = [path + noise * scale * noisy.normal(size=path.shape) for path in paths]
    return Trajectories.of(paths, [t] * len(paths), names=entry["states"])


def violation(entry: dict, expr: Expr, seed: int = 9) -> float:
    """The 95th percentile of |f · grad H| / (|f| |grad H|) over states of the listed range, all in units of the range."""
    x = initial(entry, np.random.default_rng([seed, 5]), 500)
    problem = InvariantProblem(Trajectories.of([x], [np.arange(len(x))], names=entry["states"]))
    f, (_, gradient) = system_of(entry)(problem.x), problem.values(expr)
    size = x.std(axis=0)
    f, gradient = f / size, gradient * size
    ratio = np.abs((f * gradient).sum(axis=1)) / np.maximum(np.linalg.norm(f, axis=1) * np.linalg.norm(gradient, axis=1), 1e-300)
    ratio = ratio[np.isfinite(ratio)]
    return float(np.quantile(ratio, 0.95)) if len(ratio) > 250 else float("inf")


def covers(entry: dict, found: list[Expr], tolerance: float, seed: int = 9) -> bool:
    """Whether every listed quantity is a function of those found: its gradient in the span of theirs, up to a sine."""
    x = initial(entry, np.random.default_rng([seed, 6]), 300)
    problem = InvariantProblem(Trajectories.of([x], [np.arange(len(x))], names=entry["states"]))
    fields = [problem.values(expr)[1] * problem.spread for expr in (*found, *map(Expr.parse, entry["conserved"]))]
    fine = np.all([np.isfinite(g).all(axis=1) for g in fields], axis=0) if fields else []
    fields = [g[fine] for g in fields]
    known = fields[: len(found)]
    return all(independence(known, g[None])[0] < tolerance for g in fields[len(found) :])


def linear_contrast(data: Trajectories, noise: float) -> int:
    """The peer: how many independent invariants the linear contrastive loss with cubic polynomials counts."""
    from itertools import combinations_with_replacement

    from scipy.linalg import eigh

    problem = InvariantProblem(data)
    d = len(data.states)
    terms = tuple(_monomial(c) for k in range(1, 4 if d < 8 else 3) for c in combinations_with_replacement(range(d), k))
    value, gradient = Library("cubic", tuple(map(Expr.var, data.states)), terms).measured(problem)
    value, scale = (value - value.mean(axis=0)) / value.std(axis=0), value.std(axis=0)
    inner = centred(value, problem.group, np.ones(len(value)))
    total = value.T @ value
    eigenvalues, vectors = eigh(inner.T @ inner, total + 1e-10 * np.trace(total) / len(terms) * np.eye(len(terms)))
    limit = max(noise**2, 1e-6)
    kept: list[np.ndarray] = []
    for w in vectors[:, eigenvalues < 3 * limit].T:
        field = (gradient / scale) @ w * problem.spread
        if independence(kept, field[None])[0] > 0.1:
            kept.append(field)
    return len(kept)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trajectories", type=int, default=80)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--only", default="")
    parser.add_argument("--noise", default="0,0.01")
    parser.add_argument("--known", action="store_true", help="give the equations too")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds per system")
    parser.add_argument("--write", type=Path, default=HERE / "result.json")
    options = parser.parse_args()
    entries = json.loads((HERE / "systems.json").read_text(encoding="utf-8"))["systems"]
    chosen = set(filter(None, options.only.split(",")))
    rows = []
    for noise in map(float, options.noise.split(",")):
        for entry in entries:
            if chosen and entry["id"] not in chosen:
                continue
            data = trajectories(entry, options.trajectories, options.samples, noise)
            begun = time.perf_counter()
            found = discover_invariants(data, system=system_of(entry) if options.known else None, time_limit=options.limit)
            seconds = time.perf_counter() - begun
            formulas = [{"formula": i.formula, "violation": violation(entry, i.expr), "verified": i.verified, "excess": i.excess,
                         "exact": i.exact} for i in found]
            good = all(f["violation"] < TRUE.get(noise, 1e-2) for f in formulas)
            complete = covers(entry, [i.expr for i in found], 1e-5 if noise == 0 else 0.05)
            count = found.count in (entry["independent"], entry["exist"])
            row = {"id": entry["id"], "noise": noise, "listed": entry["independent"], "exist": entry["exist"], "found": found.count,
                   "true": good, "complete": complete, "right": good and complete and count, "peer": linear_contrast(data, noise),
                   "seconds": round(seconds, 2), "known": options.known, "formulas": formulas}
            rows.append(row)
            print(f"{noise:<5g} {entry['id']:<20} {entry['independent']} found {found.count} peer {row['peer']} "
                  f"{'right' if row['right'] else '-----'} {seconds:6.1f} s", flush=True)
            for f in formulas:
                print(f"        {f['formula'][:150]}   [{f['violation']:.1g}]", flush=True)
    summary = {}
    for noise in sorted({row["noise"] for row in rows}):
        part = [row for row in rows if row["noise"] == noise]
        none = [row for row in part if row["exist"] == 0]
        summary[str(noise)] = {
            "systems": len(part), "right": sum(r["right"] for r in part), "as_many_as_listed": sum(r["found"] == r["listed"] for r in part),
            "as_many_as_exist": sum(r["found"] == r["exist"] for r in part), "none": len(none),
            "none_right": sum(r["found"] == 0 for r in none), "peer_count_right": sum(r["peer"] in (r["listed"], r["exist"]) for r in part),
            "median_seconds": float(np.median([r["seconds"] for r in part])),
        }
    print(json.dumps(summary, indent=1))
    if not chosen:
        options.write.write_text(json.dumps({"summary": summary, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
