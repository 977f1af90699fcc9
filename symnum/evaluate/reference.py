"""The slow, obviously right evaluator: numpy in float64, and mpmath in any precision.

Takes expressions or batches and data, gives values; every other evaluator is tested against this one. One fold per
expression and one numpy call per token; semantics are natural: NaN outside the domain, Inf on overflow, never a warning.
"""

from collections.abc import Mapping

import numpy as np

from symnum.evaluate.values import Values
from symnum.language.batch import Batch
from symnum.language.expr import Expr, operator_functions
from symnum.language.ops import Op

_numpy = operator_functions("numpy")
_mpmath = operator_functions("mpmath")


def call(expr: Expr, X=None, columns: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
    """Evaluate one expression; see `Expr.__call__`.

    Args:
        X: mapping or DataFrame of columns by name, or an array (rows, features) whose columns are x0, x1, …
        columns: further columns by name, which override those of X.

    Returns:
        the values (rows,); one row where there is no data.

    Raises:
        KeyError: a variable of the expression is not among the columns.
        ValueError: an array that is not (rows, features).

    >>> call(Expr.parse("x*y"), {"x": [1, 2]}, {"y": 3})
    array([3., 6.])
    """
    table = {name: np.asarray(v, np.float64) for name, v in {**_columns(X), **(columns or {})}.items()}
    missing = [name for name in expr.variables if name not in table]
    if missing:
        msg = f"data for the variable {missing[0]!r} is required by {expr}, got the columns {list(table)}"
        raise KeyError(msg)
    rows = np.broadcast_shapes((1,), *(v.shape for v in table.values()))
    with np.errstate(all="ignore"):
        y = expr.fold(lambda t: _leaf(t, table), lambda op, a: _numpy(op)(*a))
    return np.broadcast_to(y, rows).astype(np.float64)


def _columns(X) -> dict:
    if X is None:
        return {}
    if isinstance(X, Mapping) or hasattr(X, "columns"):
        return {str(name): X[name] for name in X.keys()}  # noqa: SIM118 (a DataFrame iterates over its columns, a Mapping over keys)
    array = np.asarray(X, np.float64)
    if array.ndim != 2:
        msg = f"X must be columns by name or an array (rows, features), got shape {array.shape}; try X.reshape(-1, 1)"
        raise ValueError(msg)
    return {f"x{i}": column for i, column in enumerate(array.T)}


def _leaf(token, table: Mapping[str, np.ndarray]):
    if isinstance(token, str):
        return table[token]
    if isinstance(token, Op):
        return np.float64(_numpy(token)())
    try:
        return np.float64(token)
    except OverflowError:  # an exact integer beyond float64
        return np.float64(np.inf if token > 0 else -np.inf)


def values(batch: Batch, X: np.ndarray) -> Values:
    """Evaluate a batch on the columns `batch.names` of X.

    Args:
        X: float (rows, features).

    Returns:
        y (P, rows) float64, and ok (P,): all rows are finite.

    >>> y, ok = values(Batch.pack([Expr.parse("x/y"), Expr.parse("2")], ["x", "y"]), np.array([[1.0, 2.0], [1.0, 0.0]]))
    >>> y.tolist(), ok.tolist()
    ([[0.5, inf], [2.0, 2.0]], [False, True])
    """
    X = np.asarray(X, np.float64)
    y = np.empty((len(batch), len(X)))
    table = dict(zip(batch.names, X.T, strict=True))
    with np.errstate(all="ignore"):
        for i, expr in enumerate(batch.unpack()):
            y[i] = expr.fold(lambda t: _leaf(t, table), lambda op, a: _numpy(op)(*a))
    return Values(y, np.isfinite(y).all(axis=1))


def values_mpmath(expr: Expr, columns: Mapping[str, object], digits: int = 50):
    """One value at `digits` decimal digits; NaN where a step leaves the domain, is complex, or exceeds every float64.

    >>> import mpmath
    >>> mpmath.nstr(values_mpmath(Expr.parse("exp(x)"), {"x": 1}), 30)
    '2.71828182845904523536028747135'
    """
    from mpmath import mp

    def leaf(token):
        if isinstance(token, Op):
            return _mpmath(token)()
        return mp.mpf(columns[token] if isinstance(token, str) else token)

    def branch(op, arguments):
        if any(not mp.isfinite(a) for a in arguments):
            return mp.nan
        try:
            y = _mpmath(op)(*arguments)
        except (ArithmeticError, ValueError):
            return mp.nan
        return mp.nan if isinstance(y, mp.mpc) or y and mp.mag(y) > 1100 else mp.mpf(y)  # float64 ends at 2**1024

    with mp.workdps(digits):
        return expr.fold(leaf, branch)


_STENCIL = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))  # sixth-order central difference (Fornberg 1988, table 1)


def jacobian(batch: Batch, X: np.ndarray) -> np.ndarray:
    """dy/dconstant by sixth-order central differences, in extended precision where the operators have it.

    Returns:
        (P, rows, K) with K the largest number of free constants; zero beyond an expression's own.

    >>> jacobian(Batch.pack([Expr.parse("2.0*x^2")], ["x"]), np.array([[3.0]])).round(9).tolist()
    [[[9.0]]]
    """
    X = np.asarray(X, np.float64)
    out = np.zeros((len(batch), len(X), int(batch.n_constants.max(initial=0))))
    with np.errstate(all="ignore"):
        for i, expr in enumerate(batch.unpack()):
            special = any(isinstance(t, Op) and ("special" in t.numpy or t.function) for t in expr.tokens)
            real = np.float64 if special else np.longdouble  # scipy.special has no extended precision
            table = dict(zip(batch.names, X.T.astype(real), strict=True))
            for k, c in enumerate(expr.constants):
                h = real(max(abs(c), 1.0)) * real(1e-3)
                for step, weight in _STENCIL:
                    high, low = (_shifted(expr, k, real(c) + s * step * h, table, real) for s in (1, -1))
                    out[i, :, k] += ((high - low) * weight / h).astype(np.float64)
    return out


def _shifted(expr: Expr, k: int, constant, table: Mapping[str, np.ndarray], real: type) -> np.ndarray:
    """The values with the k-th free constant replaced."""
    seen = iter(range(len(expr.tokens)))

    def leaf(token):
        if isinstance(token, float):
            return constant if next(seen) == k else real(token)
        return real(_leaf(token, table)) if not isinstance(token, str) else table[token]

    return np.broadcast_to(expr.fold(leaf, lambda op, a: _numpy(op)(*a)), (len(next(iter(table.values()))),))
