"""Random systems from the families that models of nature are made of: what settings are chosen on, beside the published lists.

    systems(30, seed=0)      thirty systems in the form of experiments/odebench/judge.py

Families: sparse polynomials of one to three states, oscillators, growth laws, saturating kinetics, gene switches, prey and predator with
saturation, pendulums and phases, sigmoid rates. Constants are drawn and rounded to three digits. A system is kept where both its
trajectories stay below 100, none of the states is nearly constant, and its law can be seen: no term is below 1 % of the largest in its
equation.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from odebench.judge import integrate, read, states, times, truth  # noqa: E402

LARGEST, MOVES, SEEN = 100.0, 0.05, 0.01  # of a state; spread over size of every state; a term's size over the largest


def _number(rng: np.random.Generator, low: float, high: float, signed: bool = False) -> float:
    """Log-uniform, three digits."""
    value = float(f"{np.exp(rng.uniform(np.log(low), np.log(high))):.3g}")
    return -value if signed and rng.random() < 0.5 else value


def polynomial(rng: np.random.Generator) -> tuple[list[str], list[list[float]]]:
    """Sparse, up to the third degree, with damping more often than not."""
    dim = int(rng.integers(1, 4))
    powers = [p for p in np.ndindex(*(4,) * dim) if sum(p) <= 3]
    weights = np.array([{0: 0.5, 1: 2.0, 2: 1.0, 3: 0.5}[sum(p)] for p in powers])
    equations = []
    for i in range(dim):
        count = int(rng.integers(1, 5)) if dim > 1 else int(rng.integers(2, 4))
        chosen = rng.choice(len(powers), count, replace=False, p=weights / weights.sum())
        terms = []
        for k in chosen:
            own = powers[k][i] % 2 == 1 and rng.random() < 0.7  # odd in its own state: more often a damping
            c = -_number(rng, 0.1, 3) if own else _number(rng, 0.1, 3, signed=True)
            terms.append("*".join([f"({c})", *(f"x{j}**{p}" for j, p in enumerate(powers[k]) if p)]))
        equations.append(" + ".join(terms))
    return equations, [[_number(rng, 0.3, 3, signed=True) for _ in range(dim)] for _ in range(2)]


def growth(rng: np.random.Generator) -> tuple[list[str], list[list[float]]]:
    """Logistic, Gompertz, Allee, harvested and generalised."""
    r, K, h = _number(rng, 0.2, 2), _number(rng, 1, 50), _number(rng, 0.02, 0.1)
    law = rng.choice(["logistic", "gompertz", "allee", "harvest", "saturating harvest", "proportional", "bertalanffy"])
    text = {
        "logistic": f"{r}*x0*(1 - x0/{K})",
        "gompertz": f"{r}*x0*log({K}/x0)",
        "allee": f"{r}*x0*(1 - x0/{K})*(x0/{float(f'{0.1 * K:.3g}')} - 1)",
        "harvest": f"{r}*x0*(1 - x0/{K}) - {float(f'{h * r * K:.3g}')}",
        "saturating harvest": f"{r}*x0*(1 - x0/{K}) - {float(f'{3 * h * r * K:.3g}')}*x0/({float(f'{0.2 * K:.3g}')} + x0)",
        "proportional": f"{r}*(x0 - {_number(rng, 0.1, 1)})*exp(-x0/{K})",
        "bertalanffy": f"{r}*sqrt(x0) - {_number(rng, 0.1, 0.8)}*x0",
    }[law]
    return [text], [[K * _number(rng, 0.12, 0.5)], [K * _number(rng, 0.3, 1.6)]]


def kinetics(rng: np.random.Generator) -> tuple[list[str], list[list[float]]]:
    """Michaelis-Menten: a substrate, with inflow, with inhibition, or handed on to a product."""
    v, k, a, b = _number(rng, 0.5, 3), _number(rng, 0.3, 3), _number(rng, 0.1, 0.8), _number(rng, 0.1, 0.8)
    start = [[_number(rng, 1, 6)], [_number(rng, 0.3, 3)]]
    law = rng.choice(["decay", "inflow", "inhibited", "chain", "shared"])
    if law == "decay":
        return [f"-{v}*x0/({k} + x0)"], start
    if law == "inflow":
        return [f"{a} - {v}*x0/({k} + x0)"], start
    if law == "inhibited":
        return [f"{a} - {v}*x0/({k} + x0 + {b}*x0**2)"], start
    start = [[*s, _number(rng, 0.3, 3)] for s in start]
    if law == "chain":
        return [f"{a} - {v}*x0/({k} + x0)", f"{v}*x0/({k} + x0) - {b}*x1"], start
    return [f"{a} - {v}*x0/({k} + x0 + x1)", f"{v}*x0/({k} + x0 + x1) - {b}*x1"], start


def genes(rng: np.random.Generator) -> tuple[list[str], list[list[float]]]:
    """Hill functions: self-activation, a repressed pair, an activator and a repressor."""
    a, k, d, e, base = (_number(rng, *r) for r in ((0.8, 4), (0.5, 2), (0.3, 1.2), (0.3, 1.2), (0.03, 0.3)))
    n = int(rng.integers(2, 5))
    start = [[_number(rng, 0.2, 3)] for _ in range(2)]
    law = rng.choice(["self", "repressed", "switch", "loop"])
    kn = float(f"{k**n:.3g}")
    if law == "self":
        return [f"{base} + {a}*x0**{n}/({kn} + x0**{n}) - {d}*x0"], start
    start = [[*s, _number(rng, 0.2, 3)] for s in start]
    if law == "repressed":
        return [f"{a}/(1 + x1**{n}) - {d}*x0", f"{base} + {d}*x0 - {e}*x1"], start
    if law == "switch":
        return [f"{a}/(1 + x1**{n}) - x0", f"{a}/(1 + x0**{n}) - x1"], start
    return [f"{base} + {a}*x0**{n}/({kn} + x0**{n}) - {d}*x0*x1", f"{e}*x0 - {d}*x1"], start


def predation(rng: np.random.Generator) -> tuple[list[str], list[list[float]]]:
    """Prey and predator, with and without saturation."""
    r, K, a, h, c, m = (_number(rng, *s) for s in ((0.5, 2), (4, 15), (0.4, 1.5), (0.5, 3), (0.3, 1), (0.2, 0.7)))
    start = [[_number(rng, 1, 5), _number(rng, 0.3, 2)] for _ in range(2)]
    eaten = rng.choice([f"{a}*x0*x1", f"{a}*x0*x1/({h} + x0)", f"{a}*x0**2*x1/({float(f'{h * h:.3g}')} + x0**2)"])
    other = eaten if c == 1 else f"{c}*{eaten}"
    return [f"{r}*x0*(1 - x0/{K}) - {eaten}", f"{other} - {m}*x1"], start


def phases(rng: np.random.Generator) -> tuple[list[str], list[list[float]]]:
    """Pendulums and coupled phases."""
    a, b, c, d = _number(rng, 0.5, 4), _number(rng, 0.1, 0.8), _number(rng, 0.3, 1.5), _number(rng, 0.2, 1.2)
    start = [[_number(rng, 0.5, 2.6, True), _number(rng, 0.2, 1.5, True)] for _ in range(2)]
    law = rng.choice(["damped", "driven", "coupled", "one", "standing"])
    if law == "damped":
        return ["x1", f"-{a}*sin(x0) - {b}*x1"], start
    if law == "driven":
        return ["x1", f"{c} - {a}*sin(x0) - {b}*x1"], start
    if law == "coupled":
        return [f"{c} + {d}*sin(x1 - x0)", f"{b} + {d}*sin(x0 - x1)"], start
    if law == "one":
        return [f"{c} - {a}*sin(x0)"], [[s[0]] for s in start]
    return ["x1", f"{a}*sin(x0)*(cos(x0) - {b}) - {d}*x1"], start


def sigmoids(rng: np.random.Generator) -> tuple[list[str], list[list[float]]]:
    """Rates that saturate by an exponential or a hyperbolic tangent."""
    a, b, c, w = _number(rng, 0.5, 3), _number(rng, 0.8, 4), _number(rng, 0.2, 2), _number(rng, 0.8, 3)
    start = [[_number(rng, 0.2, 2, True), _number(rng, 0.2, 2, True)] for _ in range(2)]
    law = rng.choice(["one", "pair", "tanh", "arrhenius"])
    if law == "one":
        return [f"-x0 + {a}/(1 + exp({c} - {b}*x0))"], [[s[0]] for s in start]
    if law == "pair":
        return [f"-x0 + {a}/(1 + exp({c} - {b}*x1))", f"-x1 + {a}/(1 + exp({w}*x0 - {c}))"], start
    if law == "tanh":
        return [f"-x0 + {a}*tanh({w}*x1)", f"-x1 - {a}*tanh({b}*x0)"], start
    return [f"{c} - {a}*x0*exp(-{float(f'{0.3 * b:.3g}')}*x0)"], [[abs(s[0])] for s in start]


def oscillators(rng: np.random.Generator) -> tuple[list[str], list[list[float]]]:
    """x'' + (damping) x' + (restoring) = 0 with polynomials."""
    a, b, c, d = _number(rng, 0.3, 4), _number(rng, 0.1, 1, True), _number(rng, 0.1, 1), _number(rng, 0.1, 0.8)
    start = [[_number(rng, 0.4, 2, True), _number(rng, 0.3, 2, True)] for _ in range(2)]
    law = rng.choice(["soft or hard", "self-excited", "asymmetric", "quadratic damping"])
    if law == "soft or hard":
        return ["x1", f"-{a}*x0 - ({b})*x0**3 - {d}*x1"], start
    if law == "self-excited":
        return ["x1", f"-{a}*x0 + {c}*x1 - {d}*x0**2*x1"], start
    if law == "asymmetric":
        return ["x1", f"-{a}*x0 - ({b})*x0**2 - {d}*x1"], start
    return ["x1", f"-{a}*x0 - {c}*x1 - {d}*x1**3"], start


FAMILIES = (polynomial, polynomial, polynomial, oscillators, growth, kinetics, genes, predation, phases, sigmoids)


def systems(count: int, seed: int = 0) -> list[dict]:
    """Systems named r0, r1, …, the families in turn."""
    found, rng = [], np.random.default_rng(seed)
    while len(found) < count:
        family = FAMILIES[len(found) % len(FAMILIES)]
        equations, starts = family(rng)
        name = f"r{seed}.{len(found)}" if seed else f"r{len(found)}"
        system = {"id": name, "name": family.__name__, "from": "random", "equations": equations, "constants": {}, "starts": starts}
        system |= {"T": 10, "points": 150}
        if sensible(system):
            found.append(system)
    return found


def sensible(system: dict) -> bool:
    """Whether both trajectories stay bounded, move, and show all terms of the law."""
    equations = truth(system)
    tracks = [integrate(equations, start, times(system), size=1.0) for start in system["starts"]]
    for x in tracks:
        if x is None or np.abs(x).max() > LARGEST or np.ptp(x, axis=0).min() < MOVES * np.abs(x).max():
            return False
        if len({tuple(row) for row in x.round(6)}) < len(x) // 4:  # at rest most of the time
            return False
    return all(_terms_are_seen(text, tracks[0]) for text in system["equations"])


def _terms_are_seen(text: str, x: np.ndarray) -> bool:
    import sympy as sp

    variables = states(x.shape[1])
    terms = sp.Add.make_args(sp.expand_mul(read(text, x.shape[1])))
    sizes = [np.sqrt(np.mean(np.square(np.broadcast_to(sp.lambdify(variables, term, "numpy")(*x.T), len(x))))) for term in terms]
    return min(sizes) > SEEN * max(sizes)
