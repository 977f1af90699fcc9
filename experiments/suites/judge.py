"""Judges of a formula: is it the law?

    numeric    on fresh points from ranges 1.2 times as wide the formula agrees with the law, so that a good fit alone does not pass
    symbolic   SRBench's rule (La Cava et al. 2021, arXiv:2107.14351; experiment/symbolic_utils.py): R² > 0.5 on fresh points; numbers
               rounded to three decimals and three digits; then formula minus law, or formula over law, simplifies to a constant
    a law with free constants (`is_law`)   some choice of the constants, all of which matter, makes the law equal to the formula

`judged` and `laws_among` run in a process of their own that is killed at a time limit, since sympy may take forever.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import sympy as sp

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

from problems import NAMESPACE, compiled, sample, truth

POINTS, SEED, WIDEN = 2000, 12345, 1.2
TOLERANCE, NOISE_SHARE = 1e-5, 0.2  # allowed error over the spread of y: noiseless; as a share of the noise level
DIGITS = 3  # SRBench's rounding
EQUAL, MATTERS = 1e-6, 1e-3  # of the spread: a law equals a formula; a constant matters


def read(text: str, symbols: list[sp.Symbol]) -> sp.Expr:
    """A formula over x0, x1, … from text."""
    return sp.sympify(text, locals={**NAMESPACE, **{s.name: s for s in symbols}})


# against a known law ----------------------------------------------------------------------------------------------------------------
def error(problem: dict, values, points: int = POINTS) -> tuple[float, float]:
    """How far a function of rows is from the law on fresh points.

    Returns:
        the root mean square error over the law's standard deviation, and the median relative error; inf, inf where more than 1 % of
        the values are not finite.
    """
    X, y = sample(problem, points, SEED, WIDEN)
    with np.errstate(all="ignore"):
        p = np.broadcast_to(np.asarray(values(X), float), y.shape)
        finite = np.isfinite(p)
        if finite.mean() < 0.99:
            return float("inf"), float("inf")
        p, y = p[finite], y[finite]
        scale = np.max(np.abs(y)) or 1.0  # squares of SI values may leave float64
        rms = np.sqrt(np.mean(((p - y) / scale) ** 2)) / max(np.std(y / scale), 1e-300)
        relative = np.median(np.abs(p - y) / np.maximum(np.abs(y), 1e-300))
    return float(rms), float(relative)


def recovered(problem: dict, values, noise: float = 0.0, points: int = POINTS) -> tuple[bool, float]:
    """The numeric rule for a function of rows: (recovered, error).

    Where a variable is drawn over orders of magnitude the largest values alone make the root mean square; there the median relative
    error must be within the tolerance as well.
    """
    rms, relative = error(problem, values, points)
    tolerance = NOISE_SHARE * noise if noise else TOLERANCE
    wide = any(v["sampling"] == "log" for v in problem["variables"])
    return bool(rms < tolerance and (relative < tolerance or not wide)), rms


def rounded(expr: sp.Expr) -> sp.Expr:
    """Floats below 1e-4 are 0, the others are rounded to three decimals and kept with three digits; π is a float before that."""
    expr = expr.xreplace({sp.pi: sp.Float(3.1415926535), sp.E: sp.Float(2.7182818285)})
    floats = expr.atoms(sp.Float)
    return expr.xreplace({c: sp.Integer(0) if abs(c) < 1e-4 else sp.Float(round(float(c), DIGITS), DIGITS) for c in floats})


def symbolic_solution(law: sp.Expr, formula: sp.Expr) -> bool:
    """SRBench's rule without its R² gate. May take very long."""
    formula = rounded(sp.simplify(rounded(formula), ratio=1))
    if formula.has(sp.nan, sp.zoo, sp.oo) or formula == 0 or formula.is_number:
        return False
    law = rounded(law)
    difference, ratio = rounded(law - formula), rounded(formula / law)
    return any(_constant(e) or _constant(rounded(sp.simplify(e, ratio=1))) for e in (difference, ratio))


def _constant(e: sp.Expr) -> bool:
    return bool(e.is_constant()) and not e.has(sp.nan, sp.zoo, sp.oo)


# a law with free constants -----------------------------------------------------------------------------------------------------------
def is_law(law: dict, formula: sp.Expr, X: np.ndarray, starts: int = 20) -> dict[str, float] | None:
    """Whether some choice of the law's constants makes it equal to the formula at the rows of X and around them.

    Args:
        law: {expression, constants: {name: a value of the right magnitude}} over x0, x1, …; every constant must matter: with 0 in
            its place the law must be another function, so that a law is not found in one of its limits.
        formula: over x0, x1, ….
        X: (rows, variables).
        starts: how many starts the constants are fitted from: the given values first, then random multiples.

    Returns:
        the constants, or None where it is not the law.
    """
    from scipy.optimize import least_squares

    variables = [sp.Symbol(f"x{i}", real=True) for i in range(X.shape[1])]
    names = list(law["constants"])
    constants = [sp.Symbol(name, real=True) for name in names]
    size = np.array([law["constants"][name] for name in names])
    function = sp.lambdify([*variables, *constants], read(law["expression"], [*variables, *constants]), "numpy")
    rng = np.random.default_rng(0)
    around = np.repeat(X, max(1, -(-200 // len(X))), axis=0)
    points = np.vstack([X, around * rng.uniform(0.95, 1.05, around.shape)])

    def values(u: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(function(*points.T, *(u * size)), float), len(points))

    points = points[np.isfinite(values(np.ones(len(size))))]
    y = compiled(formula, variables)(points)
    defined = np.isfinite(y)  # exp may overflow in the formula where the law's own form is stable
    points, y = points[defined], y[defined]
    spread = np.ptp(y) if defined.mean() > 0.5 else 0.0
    if not spread > 0:
        return None

    def residual(u: np.ndarray) -> np.ndarray:
        return np.clip(np.nan_to_num((values(u) - y) / spread, nan=1e6), -1e6, 1e6)

    for k in range(starts):
        u0 = np.ones(len(size)) if k == 0 else rng.choice((-1, 1), len(size)) * np.exp(rng.normal(0, 1, len(size)))
        u = least_squares(residual, u0, xtol=1e-15, ftol=1e-15, gtol=1e-15, x_scale="jac", max_nfev=500).x
        if np.sqrt(np.mean(residual(u) ** 2)) < EQUAL:
            without = [np.where(np.arange(len(u)) == i, 0.0, u) for i in range(len(u))]
            matter = all(np.sqrt(np.mean(residual(w) ** 2)) > MATTERS for w in without)
            return {name: float(c) for name, c in zip(names, u * size, strict=True)} if matter else None
    return None


# in a process of their own -----------------------------------------------------------------------------------------------------------
def judged(problem: dict, formula: str, noise: float = 0.0, seconds: float = 60.0) -> dict:
    """Both judgements of a formula given as text over x0, x1, …: {recovered, error, symbolic}.

    error is None where it is not finite, symbolic where sympy did not come to an end; `trouble` says where the judge failed.
    """
    answer = {"recovered": False, "error": None, "symbolic": None}
    for line in _sandbox({"task": "judged", "problem": problem, "formula": formula, "noise": noise}, seconds):
        answer |= line
    return answer


def laws_among(laws: list[dict], formulas: list[str], X: np.ndarray, seconds: float = 120.0) -> list[dict]:
    """Which of the formulas are one of the laws: [{formula, law, constants}]."""
    answer = _sandbox({"task": "laws", "laws": laws, "formulas": formulas, "X": np.asarray(X).tolist()}, seconds)
    return [line for line in answer if "formula" in line]


def _sandbox(task: dict, seconds: float) -> list[dict]:
    """The lines that this file, run as a program, wrote within the time limit, and the trouble it had."""
    process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, failure = process.communicate(json.dumps(task), timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, failure = process.communicate()
        failure += f"\nno end after {seconds:g} s"
    lines = [json.loads(line) for line in out.splitlines() if line.endswith("}")]  # a killed process may leave half a line
    return [*lines, {"trouble": failure.strip().splitlines()[-1]}] if process.returncode else lines


def _main() -> None:
    import warnings

    warnings.filterwarnings("ignore")
    task = json.loads(sys.stdin.read())
    if task["task"] == "judged":
        problem = task["problem"]
        law, symbols = truth(problem)
        formula = read(task["formula"], symbols)
        values = compiled(formula, symbols)
        is_recovered, rms = recovered(problem, values, task["noise"])
        print(json.dumps({"recovered": is_recovered, "error": rms if np.isfinite(rms) else None}), flush=True)
        good = rms**2 < 0.5  # SRBench's R² > 0.5
        print(json.dumps({"symbolic": bool(good) and symbolic_solution(law, formula)}), flush=True)
        return
    X = np.array(task["X"])
    symbols = [sp.Symbol(f"x{i}", real=True) for i in range(X.shape[1])]
    for text in task["formulas"]:
        formula = read(text, symbols)
        for law in task["laws"]:
            constants = is_law(law, formula, X)
            if constants is not None:
                print(json.dumps({"formula": text, "law": law["expression"], "constants": constants}), flush=True)
                break


if __name__ == "__main__":
    _main()
