"""symnum finds formulas: the law behind data, how sure it is, and the form you work with.

The public names; everything is imported on first use, so that `import symnum` costs nothing.
"""

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symnum.conjecture.census.census import Census as Census
    from symnum.conjecture.census.census import census as census
    from symnum.conjecture.fractions.esma import conjecture_esma as conjecture_esma
    from symnum.conjecture.fractions.pcf import conjecture_pcf as conjecture_pcf
    from symnum.conjecture.number.identify import identify as identify
    from symnum.conjecture.objects.objects import conjecture_bounds as conjecture_bounds
    from symnum.conjecture.reactions.balance import Balance as Balance
    from symnum.conjecture.reactions.balance import balance as balance
    from symnum.conjecture.sequences.guess import guess as guess
    from symnum.conjecture.series.series import conjecture_series as conjecture_series
    from symnum.discovery import Discovery as Discovery
    from symnum.discovery import discover as discover
    from symnum.dynamics.system import System as System
    from symnum.dynamics.trajectory import Trajectories as Trajectories
    from symnum.encode.public import Encoder as Encoder
    from symnum.equations.conserving import conserving as conserving
    from symnum.equations.invariants import discover_invariants as discover_invariants
    from symnum.equations.ode import discover_ode as discover_ode
    from symnum.equations.pde import discover_pde as discover_pde
    from symnum.equations.treatment import discover_treatment_ode as discover_treatment_ode
    from symnum.estimator import SymbolicRegressor as SymbolicRegressor
    from symnum.estimator import regress as regress
    from symnum.evaluate.public import evaluate_all as evaluate_all
    from symnum.language.batch import Batch as Batch
    from symnum.language.expr import Expr as Expr
    from symnum.language.grammar import Grammar as Grammar
    from symnum.language.ops import Op as Op
    from symnum.numbers.ledger import Ledger as Ledger
    from symnum.numbers.pcf import PCF as PCF
    from symnum.problem.regression import RegressionProblem as RegressionProblem

if "NUMBA_CACHE_DIR" not in os.environ and not any(os.access(p, os.W_OK) for p in (Path(__file__).parent, Path.home())):
    # numba refuses to import cached kernels where it can write neither beside them nor at home (read-only containers)
    import tempfile

    os.environ["NUMBA_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / "symnum-kernels")

_HOME = {
    "Balance": "symnum.conjecture.reactions.balance",
    "Batch": "symnum.language.batch",
    "Census": "symnum.conjecture.census.census",
    "Discovery": "symnum.discovery",
    "Encoder": "symnum.encode.public",
    "Expr": "symnum.language.expr",
    "Grammar": "symnum.language.grammar",
    "Ledger": "symnum.numbers.ledger",
    "Op": "symnum.language.ops",
    "PCF": "symnum.numbers.pcf",
    "RegressionProblem": "symnum.problem.regression",
    "SymbolicRegressor": "symnum.estimator",
    "System": "symnum.dynamics.system",
    "Trajectories": "symnum.dynamics.trajectory",
    "balance": "symnum.conjecture.reactions.balance",
    "census": "symnum.conjecture.census.census",
    "conserving": "symnum.equations.conserving",
    "conjecture_bounds": "symnum.conjecture.objects.objects",
    "conjecture_esma": "symnum.conjecture.fractions.esma",
    "conjecture_pcf": "symnum.conjecture.fractions.pcf",
    "conjecture_series": "symnum.conjecture.series.series",
    "discover": "symnum.discovery",
    "discover_invariants": "symnum.equations.invariants",
    "discover_ode": "symnum.equations.ode",
    "discover_pde": "symnum.equations.pde",
    "discover_treatment_ode": "symnum.equations.treatment",
    "evaluate_all": "symnum.evaluate.public",
    "guess": "symnum.conjecture.sequences.guess",
    "identify": "symnum.conjecture.number.identify",
    "regress": "symnum.estimator",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str):
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("symnum")
        except PackageNotFoundError:  # a checkout on the path, not installed
            return "0+checkout"
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    msg = f"module 'symnum' has no attribute {name!r}; it has {', '.join(__all__)}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
