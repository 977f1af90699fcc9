"""Sparse trajectories: the engine alone and with the right-hand sides that a neural vector field suggests.

    python experiments/sparse_ode/run.py                       all systems and samplings, about 20 minutes on 2 cores
    python experiments/sparse_ode/run.py --systems lv --quick  one system, two samplings

A line per task: equations of the right structure of all, R² of trajectories that were not seen, seconds, for the engine alone and with
the neural field, and whether `worth_it` would have chosen it. Kidger's system is that of "On neural differential equations"
(arXiv:2202.02435), section 6.1; the others are textbook examples.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from symnum.dynamics.system import System
from symnum.dynamics.trajectory import Trajectories
from symnum.equations.neural_field import neural_alternatives, worth_it
from symnum.equations.ode import simulated_r2
from symnum.equations.ode_pool import Alternative
from symnum.equations.ode_search import Search, system_of
from symnum.equations.repair import structure

HERE = Path(__file__).parent
SYSTEMS = {  # equations, range of initial states, a period
    "kidger": ({"x": "y/(1+y)", "y": "-x/(1+x)"}, (0.5, 2.0), 6.3),
    "lv": ({"x": "1.0*x - 0.5*x*y", "y": "-0.8*y + 0.3*x*y"}, (0.7, 4.0), 7.3),
    "pendulum": ({"x": "y", "y": "-sin(x) - 0.1*y"}, (-2.2, 2.2), 6.8),
    "vdp": ({"x": "y", "y": "y - x^2*y - x"}, (-2.0, 2.0), 6.7),
    "decay": ({"x": "0.3 - x/(0.5 + x)"}, (0.3, 4.0), 8.0),
}
SAMPLINGS = ((3, 6, 8), (5, 6, 8), (8, 4, 10), (4, 1, 24), (16, 2, 32))  # samples a period, trajectories, samples of each
NOISE = (0.0, 0.02)


class WithNeural(Search):
    """The engine with more alternatives for every equation."""

    extra: dict = {}

    def _own(self, model):
        offered = [[Alternative.of(e, "neural field") for e in self.extra[name]] for name in self.states]
        for parts in zip(*(o[:6] for o in offered), strict=True):
            model = self.judge.better(model, self.judge.judge(parts, model))
        for i, found in enumerate(offered):
            self.pool[i] += found
        model = self.judge.improve(model, offered)
        return super()._own(model)


def trajectories(system: System, low: float, high: float, period: float, sampling, noise: float, seed: int) -> Trajectories:
    """Trajectories of so many samples a period, with noise relative to the states' spread."""
    per, count, n = sampling
    rng, t, xs = np.random.default_rng([seed, 7]), np.linspace(0, (n - 1) / per * period, n), []
    while len(xs) < count:
        x = system.simulate(rng.uniform(low, high, len(system.states)), t)
        if np.isfinite(x).all():
            xs.append(x)
    spread = np.concatenate(xs).std(axis=0)
    return Trajectories.of([x + noise * spread * rng.normal(size=x.shape) for x in xs], [t] * count, names=list(system.states))


def one(name: str, sampling, noise: float, seed: int, limit: float) -> dict:
    """Both engines on one task."""
    equations, (low, high), period = SYSTEMS[name]
    truth = System.parse(equations)
    data = trajectories(truth, low, high, period, sampling, noise, seed)
    fresh = trajectories(truth, low, high, period, (30, 4, 60), 0.0, seed + 100)
    chosen, why = worth_it(data)
    record = {"system": name, "sampling": sampling, "noise": noise, "worth_it": chosen, "why": why}
    for engine in ("alone", "neural"):
        begun = time.monotonic()
        if engine == "alone":
            search = Search(data, deadline=begun + limit)
        else:
            extra = neural_alternatives(data, limit)
            search = WithNeural(data, deadline=time.monotonic() + limit)
            search.extra = extra
        system = system_of(search.run())
        right = sum(structure(a) == structure(b) for a, b in zip(system.equations, truth.equations, strict=True))
        record[engine] = {
            "right": right, "of": len(truth.equations), "r2": simulated_r2(system, fresh), "seconds": round(time.monotonic() - begun, 1),
            "found": str(system),
        }
    return record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--quick", action="store_true", help="two samplings only, without noise")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds of each engine and of the neural field")
    parser.add_argument("--out", type=Path, default=HERE / "result.json")
    a = parser.parse_args()
    records = []
    for name in a.systems:
        for sampling in SAMPLINGS[1:3] if a.quick else SAMPLINGS:
            for noise in NOISE[:1] if a.quick else NOISE:
                r = one(name, sampling, noise, 0, a.limit)
                records.append(r)
                cells = "   ".join(f"{e} {r[e]['right']}/{r[e]['of']} R² {r[e]['r2']:.3f} {r[e]['seconds']} s" for e in ("alone", "neural"))
                print(f"{name:9} {sampling!s:11} noise {noise:<5} {cells}   worth it: {r['worth_it']}", flush=True)
    a.out.write_text(json.dumps({"records": records}, indent=1, ensure_ascii=False, default=str) + "\n")


if __name__ == "__main__":
    main()
