"""The CPU evaluator: equal to the reference, to its own fused losses, and to itself however the work is cut.

NaN and Inf patterns must be identical in float64. In float32 an intermediate value may leave the range that float64 still
holds, so there the reference also runs in float32, and rows whose float64 steps leave the float32 range are not compared.
"""

import numpy as np
import pytest

from symnum.evaluate import cpu as cpu_module
from symnum.evaluate import reference
from symnum.evaluate.cpu import CpuEvaluator, Rows
from symnum.evaluate.generate import kernel_source, target
from symnum.evaluate.machine import HUBER, LOGCOSH, MAE, MSE, POISSON
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import BUILTIN, OPS, Interval, Op
from symnum.testing import CONSTANTS, TOL, expressions, properties, random_batch

NAMES = ("x0", "x1", "x2")
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, np.inf, -np.inf, np.nan, 1e300, -1e300, 1e-300, 5e-324, -5e-324, 1e13, -1e13, 700.0])
# Ill-conditioned at large arguments: one ulp of the argument is many of the value
SMOOTH = [op for op in BUILTIN if op.name not in ("gamma", "lgamma")]
EVERY = [op for op in BUILTIN if op.arity]


def grid() -> np.ndarray:
    """Every pair of special values, and plain ones in the third column."""
    a, b = np.meshgrid(SPECIAL, SPECIAL)
    return np.column_stack([a.ravel(), b.ravel(), np.linspace(-3, 3, a.size)])


def plain(rows: int, seed: int = 0) -> np.ndarray:
    """Moderate data without special values."""
    return np.random.default_rng(seed).normal(0, 1.5, (rows, len(NAMES)))


def pack(*texts: str) -> Batch:
    return Batch.pack([Expr.parse(t) for t in texts], NAMES)


def pattern(y: np.ndarray) -> np.ndarray:
    """0 finite, 1 NaN, 2 +Inf, 3 -Inf."""
    return np.where(np.isnan(y), 1, np.where(np.isposinf(y), 2, np.where(np.isneginf(y), 3, 0)))


def condition(batch: Batch, X: np.ndarray) -> np.ndarray:
    """How far the reference moves when data and constants move by some ulp: what any evaluator may be off by."""
    y = reference.values(batch, X)[0]
    moved = reference.values(batch.with_constants(batch.constants * (1 + 1e-14)), X * (1 + 1e-14))[0]
    with np.errstate(all="ignore"):
        return np.where(np.isfinite(y) & np.isfinite(moved), np.abs(moved - y), 0.0)


@properties(150)
@pytest.mark.filterwarnings("ignore")
@__import__("hypothesis").given(expressions(NAMES[:2], SMOOTH, max_leaves=4))
def test_special_inputs_give_the_patterns_of_the_reference(expr):
    batch, X = Batch.pack([expr], NAMES), grid()
    got, want = CpuEvaluator(1).values(batch, Rows.pack(X, NAMES)), reference.values(batch, X)
    stable = pattern(want[0]) == pattern(reference.values(batch, np.nextafter(X, 2 * X))[0])
    assert stable.mean() > 0.3 or not np.isfinite(want[0]).any()
    np.testing.assert_array_equal(pattern(got.y), pattern(want[0]))
    np.testing.assert_array_equal(got.ok, want[1])
