"""A target seen through the inverse of an operator: y = g(f) is searched as g⁻¹(y) = f.

Errors in T = g⁻¹(y) are weighted by (dg/dT)², which keeps them as large as they are in y.
"""

import numpy as np

from symnum.language.expr import Expr
from symnum.language.ops import Op


def may_be_view(op: Op) -> bool:
    """Unary, invertible, differentiable, and not affine."""
    return op.arity == 1 and bool(op.inverses and op.derivative) and op.name not in ("neg", "abs")


def slope(op: Op, T: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dg/dT where y = g(T)."""
    with np.errstate(all="ignore"):
        return np.broadcast_to(Expr.parse(op.derivative[0])(a=T, y=y), T.shape)


def through_inverse(op: Op, y: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """T = g⁻¹(y) by the first branch of the inverse, and weights times (dg/dT)², not normalised.

    None unless g takes every T back to y and the weights are usable.

    >>> from symnum.language.ops import OPS
    >>> T, weight = through_inverse(OPS["square"], np.array([4.0, 9.0]), np.ones(2))
    >>> T.tolist(), weight.tolist()
    ([2.0, 3.0], [16.0, 36.0])
    >>> through_inverse(OPS["sqrt"], np.array([-1.0, 4.0]), np.ones(2)) is None
    True
    """
    with np.errstate(all="ignore"):
        T = np.asarray(Expr.parse(op.inverses[0][0])(y=y), float)
        back = Expr.apply(op, Expr.var("a"))(a=T)
        square = slope(op, T, y) ** 2
        scaled = weight * square
        sound = np.isfinite(T).all() and np.isfinite(scaled).all() and np.isfinite(square).all() and (square != 0).all()
        return (T, scaled) if sound and np.allclose(back, y, rtol=1e-7, atol=0) else None
