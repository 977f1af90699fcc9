"""Problems with a known law, and the rows that a system is given of them.

A suite is a JSON file beside this one: {source, rows, problems: [...]}, or {suite, names} for a part of another suite. A problem is

    name          text
    expression    the law, in sympy's syntax, over the names of the variables
    variables     [{name, range: [low, high], sampling, sign, units}]; sampling: uniform, log (uniform in the logarithm) or integer;
                  sign: positive (default), negative or both (a random sign); units: text, where the suite has them
    target_units  units of the law's value
    rows          training rows where they differ from the suite's
    system, initial_conditions, times    where the training rows lie on trajectories: right-hand sides, starts, [from, to, points]

Variables are handed to systems as x0, x1, … in this order.
"""

import json
from pathlib import Path

import numpy as np
import sympy as sp

HERE = Path(__file__).parent
SUITES = ("feynman", "strogatz", "unsolved", "srsd", "nguyen", "livermore")
FUNCTIONS = "sin cos tan cot exp log sqrt asin acos atan sinh cosh tanh asinh acosh atanh erf gamma Abs sign Max Min pi E"
NAMESPACE = {
    **{name: getattr(sp, name) for name in FUNCTIONS.split()},
    "abs": sp.Abs,
    "ln": sp.log,
    "arcsin": sp.asin,
    "arccos": sp.acos,
    "arctan": sp.atan,
}


def load(suite: str) -> list[dict]:
    """The problems of a suite, each with its `rows`.

    Args:
        suite: one of `SUITES`, several joined by "+", or the path of a JSON file.
    """
    if "+" in suite:
        return [p for part in suite.split("+") for p in load(part)]
    path = Path(suite) if suite.endswith(".json") else HERE / f"{suite}.json"
    if not path.exists():
        msg = f"a suite among {', '.join(SUITES)}, or a JSON file, was required, got {suite!r}"
        raise ValueError(msg)
    data = json.loads(path.read_text(encoding="utf-8"))
    if "names" in data:
        named = {p["name"]: p for p in load(data["suite"])}
        return [named[name] for name in data["names"]]
    return [{"rows": data["rows"], **p} for p in data["problems"]]


def truth(problem: dict) -> tuple[sp.Expr, list[sp.Symbol]]:
    """The law over x0, x1, … and those symbols."""
    symbols = [sp.Symbol(f"x{i}", real=True) for i in range(len(problem["variables"]))]
    names = {v["name"]: s for v, s in zip(problem["variables"], symbols, strict=True)}
    return sp.sympify(problem["expression"], locals={**NAMESPACE, **names}), symbols


def units(problem: dict) -> dict[str, str] | None:
    """Units by column, the target's under `y`; None where the suite has none."""
    if "target_units" not in problem:
        return None
    return {f"x{i}": v["units"] for i, v in enumerate(problem["variables"])} | {"y": problem["target_units"]}


def compiled(expr: sp.Expr, symbols: list[sp.Symbol]):
    """A function from rows (n, variables) to values (n,): NaN where the expression is undefined or not real."""
    f = sp.lambdify(symbols, expr, ["scipy", "numpy"])

    def values(X: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            v = np.broadcast_to(np.asarray(f(*X.T)), len(X))
        if np.iscomplexobj(v):
            return np.where(np.abs(v.imag) <= 1e-9 * np.abs(v.real), v.real, np.nan)
        return v.astype(float)

    return values


def draw(variable: dict, rows: int, rng: np.random.Generator, widen: float = 1.0) -> np.ndarray:
    """Values of one variable, its range widened about the middle (in the logarithm where it is sampled so)."""
    low, high = variable["range"]
    sampling = variable["sampling"]
    if sampling == "log":
        low, high = np.log(low), np.log(high)
    pad = (widen - 1) * (high - low) / 2
    if sampling == "integer":
        return np.rint(rng.uniform(low - 0.5, high + 0.5, rows))  # integers beyond the range would be another kind of object
    v = rng.uniform(low - pad, high + pad, rows)
    v = np.exp(v) if sampling == "log" else v
    sign = variable.get("sign", "positive")
    if sign == "both":
        return v * rng.choice((-1.0, 1.0), rows)
    return -v if sign == "negative" else v


def sample(problem: dict, rows: int, seed: int, widen: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Rows X (rows, variables) and the law's values y (rows,) where it is defined; the ranges are not widened where that is seldom."""
    rng = np.random.default_rng(seed)
    law = compiled(*truth(problem))
    X, y = np.empty((0, len(problem["variables"]))), np.empty(0)
    while len(y) < rows:
        Z = np.column_stack([draw(v, rows, rng, widen) for v in problem["variables"]])
        t = law(Z)
        defined = np.isfinite(t)
        X, y = np.vstack([X, Z[defined]]), np.concatenate([y, t[defined]])
        if defined.mean() < 0.01:
            widen = 1.0
    return X[:rows], y[:rows]


def trajectories(problem: dict) -> np.ndarray:
    """States (starts x points, variables) on the solutions of the problem's system."""
    from scipy.integrate import solve_ivp

    names = [v["name"] for v in problem["variables"]]
    symbols = sp.symbols(names)
    local = {**NAMESPACE, **dict(zip(names, symbols, strict=True))}
    sides = [sp.lambdify(symbols, sp.sympify(e, locals=local), "numpy") for e in problem["system"]]
    start, end, points = problem["times"]
    times = np.linspace(start, end, points)
    solutions = [
        solve_ivp(lambda t, z: [f(*z) for f in sides], (start, end), z0, t_eval=times, rtol=1e-10, atol=1e-12)
        for z0 in problem["initial_conditions"]
    ]
    return np.vstack([s.y.T for s in solutions])


def training_rows(problem: dict, rows: int | None = None, seed: int = 0, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """What a system is given: X and y, with normal noise of `noise` times the root mean square of y (SRBench's definition)."""
    if "system" in problem:
        X = trajectories(problem)
        y = compiled(*truth(problem))(X)
    else:
        X, y = sample(problem, rows or problem["rows"], seed)
    if noise:
        y = y + np.random.default_rng(seed + 1).normal(0, noise * np.sqrt(np.mean(y**2)), len(y))
    return X, y
