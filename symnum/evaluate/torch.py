"""Evaluation with torch: any device, any float type, with autograd.

Takes batches or expressions and data, gives tensors; semantics (and the patterns of NaN and Inf) are those of `reference`.
One torch call per distinct subexpression of an expression.
"""

from collections.abc import Iterable
from dataclasses import replace

import torch

from symnum.evaluate.values import Values
from symnum.language.batch import Batch
from symnum.language.export import shared
from symnum.language.expr import Expr, operator_functions
from symnum.language.ops import Op

_torch = operator_functions("torch")


class TorchEvaluator:
    """Batches on one torch device.

    Args:
        device: a torch device, e.g. "cpu", "cuda", "mps".
        dtype: torch.float64 or torch.float32.

    >>> import numpy as np
    >>> y, ok = TorchEvaluator().values(Batch.pack([Expr.parse("2.0*x")], ["x"]), np.array([[1.0], [3.0]]))
    >>> y.tolist(), ok.tolist()
    ([[2.0, 6.0]], [True])
    """

    def __init__(self, device: str = "cpu", dtype: torch.dtype = torch.float64):
        self.device, self.dtype = torch.device(device), dtype

    def columns(self, X) -> torch.Tensor:
        """The data (rows, features) as a tensor of this evaluator."""
        return torch.as_tensor(X, dtype=self.dtype, device=self.device)

    def values(self, batch: Batch, X) -> Values:
        """y (P, rows) and ok (P,): all rows are finite."""
        columns = self.columns(X)
        table = dict(zip(batch.names, columns.T, strict=True))
        y = columns.new_empty(len(batch), len(columns))
        with torch.no_grad():
            for i, expr in enumerate(batch.unpack()):
                y[i] = _run(shared(expr), table, iter(self.columns(expr.constants)))
        return Values(y, torch.isfinite(y).all(dim=1))

    def jacobian(self, batch: Batch, X) -> Values:
        """Values with jac (P, rows, K), the derivatives by the free constants; zero beyond an expression's own."""
        columns = self.columns(X)
        table = dict(zip(batch.names, columns.T, strict=True))
        out = columns.new_zeros(len(batch), len(columns), int(batch.n_constants.max(initial=0)))
        for i, expr in enumerate(batch.unpack()):
            if not expr.constants:
                continue
            plan = _numbered(expr)

            def run(c, plan=plan):
                return _run(plan, table, iter(c.unbind())).expand(len(columns))

            out[i, :, : len(expr.constants)] = torch.func.jacfwd(run)(self.columns(expr.constants))
        return replace(self.values(batch, X), jac=out)


def values(batch: Batch, X, device: str = "cpu", dtype: torch.dtype = torch.float64) -> Values:
    """y (P, rows) and ok (P,) of a batch on X (rows, features)."""
    return TorchEvaluator(device, dtype).values(batch, X)


class _Constant(float):
    """A free constant that stands for its place, not for its value: no two are shared."""

    __slots__ = ("place",)

    def __new__(cls, value: float, place: int):
        self = super().__new__(cls, value)
        self.place = place
        return self

    def __str__(self) -> str:
        return f"#{self.place}"


def _numbered(expr: Expr) -> list[tuple]:
    """The distinct subexpressions, free constants being distinct and in postfix order."""
    place = iter(range(len(expr.tokens)))
    return shared(Expr(tuple(_Constant(t, next(place)) if isinstance(t, float) else t for t in expr.tokens)))


def _run(plan: list[tuple], table: dict[str, torch.Tensor], constants) -> torch.Tensor:
    like = next(iter(table.values()))
    done: list[torch.Tensor] = []
    for token, operands in plan:
        if isinstance(token, str):
            done.append(table[token])
        elif isinstance(token, Op):
            value = _function(token)(*(done[o] for o in operands))
            done.append(value if isinstance(value, torch.Tensor) else like.new_tensor(value))
        else:
            done.append(next(constants) if isinstance(token, float) else like.new_tensor(float(token)))
    return done[-1]


def _function(op: Op):
    try:
        return _torch(op)
    except LookupError as error:
        hint = "; give Op.from_function its torch= or sympy= text" if op.function else "; try the reference evaluator"
        msg = f"operators with a torch form are required, got {op.name!r}{hint}"
        raise LookupError(msg) from error


class Module(torch.nn.Module):
    """An expression as a torch module.

    Attributes:
        constants: the parameter vector of the free constants, in postfix order.
        features: the names of the columns of the input.

    >>> m = module(Expr.parse("2.0*x + y"))
    >>> m(torch.tensor([[1.0, 10.0]], dtype=torch.float64)).tolist(), m.sympy()
    ([12.0], 2.0*x + y)
    """

    def __init__(self, expr: Expr, features: tuple[str, ...]):
        super().__init__()
        self.features, self._skeleton, self._plan = features, expr, _numbered(expr)
        self.constants = torch.nn.Parameter(torch.tensor(expr.constants, dtype=torch.float64))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """The values (rows,) on X (rows, features)."""
        table = dict(zip(self.features, X.unbind(-1), strict=True))
        constants = iter(self.constants.to(X.dtype).unbind())
        return _run(self._plan, table or {"": X.new_empty(X.shape[:-1])}, constants).expand(X.shape[:-1])

    def expr(self) -> Expr:
        """The expression with the present constants."""
        return self._skeleton.with_constants(self.constants.detach().cpu().tolist())

    def sympy(self):
        """The sympy expression with the present constants."""
        return self.expr().sympy()


def module(expr: Expr, features: Iterable[str] | None = None) -> Module:
    """A torch module of an expression over the columns `features` (by default its variables, sorted).

    Raises:
        ValueError: a variable of the expression is not among the features.
    """
    names = expr.variables if features is None else tuple(features)
    missing = [v for v in expr.variables if v not in names]
    if missing:
        msg = f"features must contain the variables {list(expr.variables)}, got {list(names)} without {missing}"
        raise ValueError(msg)
    return Module(expr, names)
