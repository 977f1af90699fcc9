"""What every evaluator returns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Values:
    """Values of P expressions at N rows; unpacks as `y, ok`. Arrays of numpy or of torch, as the evaluator's.

    Attributes:
        y: (P, N) values.
        ok: (P,) True where every value is finite; NaN and Inf are never silent.
        jac: (P, N, K) derivatives by the free constants, or None.
    """

    y: Any
    ok: Any
    jac: Any = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.y, self.ok))
