"""What every evaluator returns."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Values:
    """Values of P expressions at N rows.

    Attributes:
        y: (P, N) values.
        ok: (P,) True where every value is finite; NaN and Inf are never silent.
        jac: (P, N, K) derivatives by the free constants, or None.
    """

    y: Any
    ok: Any
    jac: Any = None
