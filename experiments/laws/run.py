"""Known laws in the shipped measurements: is the law on the front?

    python experiments/laws/run.py [--seconds 30]

Each law is a form with free constants; it counts as found if the form's constants can be chosen so that a formula of the
front equals it on a grid over the range of the data.
Writes result.json beside this file.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from symnum import SymbolicRegressor
from symnum.data import load

# data set -> law as a function of (constants, x), its number of constants, and how it reads
LAWS = {
    "kepler": (lambda c, x: c[0] * x**1.5, 1, "period = c * distance^(3/2)  (Kepler 1619)"),
    "hubble": (lambda c, x: c[0] * x, 1, "velocity = c * distance  (Hubble 1929)"),
    "leavitt": (lambda c, x: c[0] * np.log(x) + c[1], 2, "magnitude = a log(period) + b  (Leavitt 1912)"),
    "bode": (lambda c, x: c[0] + c[1] * np.exp(c[2] * x), 3, "distance = a + b c^n  (Titius 1766, Bode 1772: c = 2)"),
}


def is_law(formula, law, constants: int, x: np.ndarray) -> bool:
    """Whether some choice of the law's constants reproduces the formula to 1e-6 of its spread on the data's range: the same function."""
    grid = np.exp(np.linspace(np.log(x.min()), np.log(x.max()), 200)) if x.min() > 0 else np.linspace(max(x.min(), -10), x.max(), 200)
    y = formula([[v] for v in grid])
    if not np.isfinite(y).all() or y.max() == y.min():
        return False
    fit = least_squares(
        lambda c: (law(c, grid) - y) / (y.max() - y.min()), np.full(constants, 0.5), xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=2000
    )
    return bool(np.sqrt(np.mean(fit.fun**2)) < 1e-6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    a = parser.parse_args()
    results = {}
    for name, (law, constants, text) in LAWS.items():
        table = load(name)
        X, y = table.X, table.y
        model = SymbolicRegressor(time_limit=a.seconds, random_state=0).fit(X, y)
        front = model.discovery_.front
        hits = [c for c in front if is_law(c.best, law, constants, X[:, 0])]
        chosen = str(model.discovery_.best.best)
        results[name] = {
            "law": text,
            "found": bool(hits),
            "formulas": [f"{c.complexity}: {c.best}" for c in hits],
            "chosen": chosen,
            "chosen_is_law": any(str(c.best) == chosen for c in hits),
        }
        print(f"{name:<10} {text:<48} on the front: {bool(hits)}   chosen: {chosen}")
        for c in hits:
            print(f"{'':<11}{c.complexity:>3}  loss {c.loss:.4g}  {c.best}")
    table = load("nikuradse")
    X, y = table.X, table.y
    model = SymbolicRegressor(time_limit=a.seconds, random_state=0, max_complexity=25).fit(X, y)
    best = min(model.discovery_.front, key=lambda c: c.loss)
    verdict = model.discovery_.problem.verify(best.best)
    results["nikuradse"] = {
        "required": "hold-out R² >= 0.97 at complexity <= 25",
        "holdout_r2": verdict.holdout_r2,
        "complexity": best.complexity,
        "formula": str(best.best),
    }
    print(f"nikuradse  hold-out R² {verdict.holdout_r2:.4f} at complexity {best.complexity}: {best.best}")
    (Path(__file__).parent / "result.json").write_text(json.dumps({"seconds": a.seconds, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
