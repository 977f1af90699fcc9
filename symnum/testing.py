"""Helpers for tests, ours and yours: hypothesis strategies, random batches, and the one table of tolerances.

`expressions` gives hypothesis strategies of `Expr`, `random_batch` gives random batches of a wanted length, and `TOL` holds
every tolerance with its reason, so that no test invents its own.
"""

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import BUILTIN, CONST, NUMBER, OPS, VAR, Op

# relative tolerance of a comparison; the trailing comment is the reason
TOL = MappingProxyType({
    "float64": 1e-12,  # two float64 evaluations that differ in libm: some ulp per operator, over tens of operators
    "float32": 1e-4,  # the same in float32 (6e-8 per operation)
    "mpmath": 1e-9,  # float64 against 50 digits at points that are not ill-conditioned
    "rewrite": 1e-9,  # simplify folds and reassociates constants: a rounding per rewrite, at well-conditioned points
    "sympy": 1e-9,  # sympy reassociates; floats travel with 17 digits
    "jacobian": 1e-6,  # sixth-order differences (1e-11 at best) against autograd, at points of moderate curvature
    "derivative": 1e-6,  # central differences of mpmath at 50 digits against float64
    "latex": 5e-3,  # numbers printed with 4 significant digits
    "zero": 1e-9,  # absolute: the result of a cancellation of numbers of order one to a thousand
})

ELEMENTARY = ("add", "sub", "mul", "div", "power", "neg", "inv", "square", "cube", "sqrt", "cbrt", "abs", "sign", "min", "max",
              "exp", "log", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "pi", "e")
CONSTANTS = (0.5, 1.5, -2.25, 3.0, 0.125, -1.0, 7.5, 0.0)  # dyadic: folding them is mostly exact


def close(x, y, kind: str = "float64") -> np.ndarray:
    """Elementwise: equal within `TOL[kind]` (relative, and absolute `TOL["zero"]`), or the same NaN or infinity.

    >>> bool(close(1.0, 1.0 + 1e-15)), bool(close(np.nan, np.nan)), bool(close(1.0, 1.1))
    (True, True, False)
    """
    return np.isclose(x, y, rtol=TOL[kind], atol=TOL["zero"] if kind != "float64" else 0.0, equal_nan=True)


def properties(examples: int = 200):
    """The decorator of property tests: the same examples on every run, no deadline."""
    from hypothesis import HealthCheck, settings

    return settings(max_examples=examples, derandomize=True, deadline=None, database=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def expressions(names: Sequence[str] = ("x", "y"), ops: Sequence[str | Op] = ELEMENTARY, max_leaves: int = 8,
                constants: Sequence[float] = CONSTANTS, integers: tuple[int, int] = (-4, 4)):
    """A hypothesis strategy of expressions over `names` with at most `max_leaves` leaves."""
    from hypothesis import strategies as st

    rows = [OPS[o] if isinstance(o, str) else o for o in ops]
    leaves = [st.sampled_from(list(names)), st.sampled_from(list(constants)), st.integers(*integers)]
    if named := [o for o in rows if not o.arity]:
        leaves.append(st.sampled_from(named))
    branches = {k: [o for o in rows if o.arity == k] for k in (1, 2)}

    def grow(inner):
        return st.one_of([st.builds(Expr.apply, st.sampled_from(branches[k]), *[inner] * k) for k in (1, 2) if branches[k]])

    return st.recursive(st.one_of(leaves).map(lambda t: Expr((t,))), grow, max_leaves=max_leaves)


def random_batch(rng: np.random.Generator, n: int, names: Sequence[str], ops: Sequence[str | Op] | None = None,
                 n_tokens: int = 20, constant: float = 0.2, number: float = 0.1) -> Batch:
    """`n` random expressions of exactly `n_tokens` tokens each.

    Where the operators cannot give that length (only binary ones and an even length), expressions are one token shorter.

    Args:
        ops: operators (names or rows) of arity 1 and 2; every built-in one by default.
        constant: the share of leaves that are free constants (normal, scale 2).
        number: the share of leaves that are fixed numbers (-3 … 3).

    >>> b = random_batch(np.random.default_rng(0), 4, ["x", "y"], ["add", "mul", "sin"], n_tokens=9)
    >>> len(b), set(b.lengths.tolist())
    (4, {9})
    """
    rows = [OPS[o] if isinstance(o, str) else o for o in (ops if ops is not None else BUILTIN)]
    by_arity = {k: np.array([o.code for o in rows if o.arity == k], np.uint8) for k in (1, 2)}
    shapes = [_shape(rng, n_tokens, bool(len(by_arity[1])), bool(len(by_arity[2]))) for _ in range(n)]
    arity = np.concatenate([*shapes, np.zeros(0, np.int64)])
    code, arg, value = np.zeros(len(arity), np.uint8), np.zeros(len(arity), np.int32), np.zeros(len(arity))
    for k, codes in by_arity.items():
        if len(codes):
            code[arity == k] = rng.choice(codes, (arity == k).sum())
    u = rng.random(len(arity))
    leaf, free, fixed = arity == 0, u < constant, (u >= constant) & (u < constant + number)
    code[leaf] = np.where(free, CONST, np.where(fixed, NUMBER, VAR))[leaf]
    value[code == CONST] = rng.normal(0, 2, (code == CONST).sum())
    value[code == NUMBER] = rng.integers(-3, 4, (code == NUMBER).sum())
    arg[code == VAR] = rng.integers(0, len(names), (code == VAR).sum())
    offset = np.concatenate([[0], np.cumsum([len(s) for s in shapes])]).astype(np.int64)
    return Batch(code, arg, value, offset, tuple(names))


def _shape(rng: np.random.Generator, length: int, unary: bool, binary: bool) -> np.ndarray:
    """The arities of a random postfix tree of `length` tokens (cycle lemma: every sequence of sum -1 has one good rotation)."""
    if not (unary or binary):
        return np.zeros(1, np.int64)
    most = (length - 1) // 2 if binary else 0
    n_binary = int(rng.integers(min(1, most), most + 1)) if unary else most
    n_unary = length - 1 - 2 * n_binary if unary else 0
    arity = rng.permutation(np.repeat([0, 1, 2], [n_binary + 1, n_unary, n_binary]))
    depth = np.cumsum(1 - arity)
    start = np.flatnonzero(depth == depth.min())[-1] + 1
    return np.roll(arity, -start)
