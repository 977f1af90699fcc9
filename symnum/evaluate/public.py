"""`evaluate_all`: expressions on data in one call, on the device asked for."""

from collections.abc import Sequence

import numpy as np

from symnum.evaluate.values import Values
from symnum.language.batch import Batch
from symnum.language.expr import Expr


def evaluate_all(
    expressions: Sequence[Expr | str] | Batch,
    X,
    names: Sequence[str] | None = None,
    *,
    device: str = "cpu",
    dtype: str = "float64",
    jac: bool = False,
    threads: int | None = None,
) -> Values:
    """Values of many expressions at many rows.

    Args:
        expressions: a batch, or expressions or infix texts.
        X: (rows, features).
        names: the columns of X; x0, x1, … by default, or a batch's own.
        device: `cpu` (numba), or a torch device such as `cuda` (torch).
        dtype: float32 or float64.
        jac: also the derivatives by the free constants.
        threads: CPU threads; None takes every core.

    >>> evaluate_all(["x0 + 1", "log(x0)"], [[1.0], [-1.0]]).ok.tolist()
    [True, False]
    """
    X = np.asarray(X, dtype)
    if isinstance(expressions, Batch):
        batch = expressions
    else:
        names = [f"x{i}" for i in range(X.shape[1])] if names is None else list(names)
        batch = Batch.pack([Expr.parse(e) if isinstance(e, str) else e for e in expressions], names)
    if device == "cpu":
        from symnum.evaluate.cpu import CpuEvaluator, Rows

        evaluator, rows = CpuEvaluator(threads), Rows.pack(X, batch.names, dtype=dtype)
        return evaluator.jacobian(batch, rows) if jac else evaluator.values(batch, rows)
    import torch

    from symnum.evaluate.torch import TorchEvaluator

    evaluator = TorchEvaluator(device, getattr(torch, dtype))
    return evaluator.jacobian(batch, X) if jac else evaluator.values(batch, X)
