"""Repair of a partly wrong guess: PROSE's task on its families of systems, with the guess and without.

    python experiments/repair/run.py                    all families, one guess each: about 12 minutes on 2 cores
    python experiments/repair/run.py --families lorenz63,rossler --guesses 2

Conditions as in PROSE (Liu, Zhang & Schaeffer, Neural Networks 2024): parameters within 10 % of their centres, 64 samples of the first
third of [0, 6] with 2 % noise (of each state's size there) as input, the rest of 192 output points to be forecast; in the guess every term
is dropped with 15 % chance and wrong terms are added with 15 % chance a term. Parameters of the families: ../ode_extra/systems.json, whose
source is felix-lyx/prose@eaf598d. A line per task: relative forecast error (None where the forecast explodes) and equations of the right
structure, with the guess and without, and of the guess itself how many equations were right.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from symnum.dynamics.integrate import Program  # noqa: E402
from symnum.dynamics.system import System  # noqa: E402
from symnum.equations.ode import discover_ode  # noqa: E402
from symnum.equations.repair import diff, structure, terms  # noqa: E402
from symnum.language.expr import Expr  # noqa: E402

T, INPUT, OUTPUT, NOISE, CHANGED = 6.0, 64, 192, 0.02, 0.15


def families(path: Path) -> list[dict]:
    """The systems that are PROSE's."""
    return [s for s in json.loads(path.read_text())["systems"] if s["from"] == "PROSE"]


def drawn(family: dict, rng: np.random.Generator) -> System:
    """A system with parameters within 10 % of their centres."""
    values = {k: v * rng.uniform(0.9, 1.1) for k, v in family["constants"].items()}
    equations = {f"x{i}": Expr.parse(text.replace("**", "^")).substitute(values) for i, text in enumerate(family["equations"])}
    return System(tuple(equations), tuple(equations.values()))


def guessed(truth: System, rng: np.random.Generator) -> dict[str, Expr]:
    """The equations with terms dropped and wrong ones added, and coefficients off by up to a fifth."""
    guess = {}
    for name, f in zip(truth.states, truth.equations, strict=True):
        parts = terms(f)
        kept = [p for p in parts if rng.random() >= CHANGED]
        expr = Expr.const(0.0)
        for p in kept or parts[:1]:
            expr = expr + Expr.const(p.coefficient * rng.uniform(0.8, 1.2)) * p.body
        for _ in range(rng.binomial(len(parts), CHANGED)):
            a, b = rng.choice(truth.states, 2)
            expr = expr + Expr.const(float(rng.uniform(-1, 1))) * Expr.var(str(a)) * Expr.var(str(b))
        guess[name] = expr
    return guess


def one(family: dict, seed: int, limit: float) -> dict | None:
    """Both runs on one system."""
    rng = np.random.default_rng([seed, sum(family["id"].encode())])
    truth = drawn(family, rng)
    t = np.linspace(0, T, OUTPUT)
    start = np.array(family["starts"][seed % len(family["starts"])])
    clean = truth.simulate(start * rng.uniform(0.8, 1.2, len(start)), t)
    if not np.isfinite(clean).all():
        return None
    x = clean[:INPUT] + NOISE * np.sqrt(np.mean(clean[:INPUT] ** 2, axis=0)) * rng.normal(size=(INPUT, len(truth.states)))
    guess = guessed(truth, rng)
    record = {"id": family["id"], "seed": seed, "guess_right": right(guess, truth), "of": len(truth.states)}
    for kind, given in (("guess", {n: str(e) for n, e in guess.items()}), ("none", None)):
        begun = time.monotonic()
        ode = discover_ode(x, t[:INPUT], names=list(truth.states), guess=given, time_limit=limit)
        end = forecast(ode.system, ode.models[0].refined.starts[0], t, ode.data.scale)[INPUT:]
        error = np.linalg.norm(end - clean[INPUT:]) / np.linalg.norm(clean[INPUT:])
        record[kind] = {
            "error": float(error) if np.isfinite(error) else None, "right": right(ode.equations, truth),
            "seconds": round(time.monotonic() - begun, 1), "found": str(ode.system),
        }
        if kind == "guess":
            record["diff"] = str(diff(guess, ode.equations))
    return record


def forecast(system: System, start: np.ndarray, t: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(times, states) the solution with a limited number of steps: wrong systems may be arbitrarily stiff."""
    program = Program.of(system)
    return program.integrate(program.constants[None], start[None], t, scale=scale)[0]


def right(equations: dict[str, Expr], truth: System) -> int:
    """How many equations have the true structure."""
    return sum(structure(equations[n]) == structure(f) for n, f in zip(truth.states, truth.equations, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", help="ids, separated by commas")
    parser.add_argument("--guesses", type=int, default=1, help="per family")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds a run")
    parser.add_argument("--out", type=Path, default=HERE / "result.json")
    a = parser.parse_args()
    chosen = [f for f in families(HERE.parent / "ode_extra" / "systems.json") if not a.families or f["id"] in a.families.split(",")]
    records = []
    for family in chosen:
        for seed in range(a.guesses):
            if (r := one(family, seed, a.limit)) is None:
                print(f"{family['id']}: the drawn system explodes", flush=True)
                continue
            records.append(r)
            cells = "   ".join(f"{k} {r[k]['right']}/{r['of']} error {r[k]['error']} {r[k]['seconds']} s" for k in ("guess", "none"))
            print(f"{r['id']:20} guess had {r['guess_right']}/{r['of']}   {cells}", flush=True)
    summary = {}
    for kind in ("guess", "none"):
        errors = [r[kind]["error"] for r in records]
        summary[kind] = {
            "laws right": sum(r[kind]["right"] == r["of"] for r in records), "of": len(records),
            "median error": float(np.median([np.inf if e is None else e for e in errors])),
        }
    print(summary)
    a.out.write_text(json.dumps({"summary": summary, "records": records}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
