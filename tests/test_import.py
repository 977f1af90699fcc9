"""`import symnum` costs nothing: it is quick and loads none of the heavy libraries."""

import json
import subprocess
import sys

import pytest

import symnum

HEAVY = ("torch", "numba", "pandas", "sympy", "scipy", "lark", "sklearn", "rich", "typer", "networkx", "mpmath")
LIMIT = 0.3  # seconds; machines that are shared may take three times as long


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.strip()


def loaded(statement: str) -> set[str]:
    """The heavy libraries that a statement loads."""
    return set(json.loads(run(f"import json, sys; {statement}; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))")))


def test_import_loads_nothing_heavy():
    assert loaded("import symnum") == set()
    assert loaded("import symnum; dir(symnum); symnum.__all__") == set()


def test_import_is_quick():
    code = "import time; began = time.perf_counter(); import symnum; print(time.perf_counter() - began)"
    seconds = min(float(run(code)) for _ in range(3))
    print(f"import symnum: {1000 * seconds:.1f} ms")
    assert seconds < 3 * LIMIT


@pytest.mark.parametrize(("statement", "allowed"), [
    ("import symnum; symnum.Expr.parse('2*sin(x) + y')", {"lark"}),
    ("import symnum; symnum.Grammar.load('physics')", {"lark"}),
    ("import symnum.cli", {"typer", "rich"}),
])
def test_a_part_loads_what_it_needs(statement, allowed):
    assert loaded(statement) <= allowed


def test_a_search_needs_neither_torch_nor_sympy_nor_pandas():
    code = ("import symnum, numpy as np; from symnum.problem.table import as_table; X = np.linspace(1, 2, 20)[:, None]; "
            "p = symnum.RegressionProblem(as_table(X, 2 * X[:, 0] ** 2)); "
            "symnum.discover(p, time_limit=None, max_evaluations=1000, threads=1)")
    assert loaded(code).isdisjoint({"torch", "sympy", "pandas", "sklearn"})


def test_every_public_name_is_there():
    installed = [name for name in symnum.__all__ if name != "__version__"]  # the version is known where the package is installed
    assert all(getattr(symnum, name) is not None for name in installed)
    assert set(dir(symnum)) == set(symnum.__all__)
    assert symnum.SymbolicRegressor.__name__ == "SymbolicRegressor"
    with pytest.raises(AttributeError, match="no attribute 'Regressor'; it has Balance, Batch"):
        symnum.Regressor  # noqa: B018
