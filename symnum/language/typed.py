"""Which expressions are dimensionally consistent, on batches in numba.

The dimension of an expression follows from the units rules of the operator table: sums need equal dimensions, products add
exponents, functions need pure numbers. Dimensions form a linear space over the rationals, and seven numbers that are linearly
independent over the rationals (square roots of primes) map it into the reals one to one: so a dimension is *one* float64 per
token, its `size`, exact up to rounding.

Free constants are pure numbers (`free=False`), or each may have any unit (`free=True`); in the latter case c*f fits wherever it
stands, and so do the number 0 and a column of unknown unit (NaN in `dims`).
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numba import njit

from symnum.language.batch import Batch, arities
from symnum.language.batch_kernels import INNER, KERNEL, subtree_sizes
from symnum.language.ops import CONST, NUMBER, OPS, VAR, all_ops

EXACT, WILD, LOOSE, BAD = range(4)  # kinds: of the dimension `size`; of any; of one that a free exponent sets; inconsistent
RULES = ("equal", "keep", "multiply", "divide", "pure", "sign", "power", "scale")
EQUAL, KEEP, MULTIPLY, DIVIDE, PURE, SIGN, POWER, SCALE = range(8)
WEIGHTS = np.sqrt([2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0])  # independent over the rationals
TOLERANCE = 1e-8
ADD, SUB, MUL, DIV, NEG, INV = (OPS[name].code for name in ("add", "sub", "mul", "div", "neg", "inv"))


def size_of(dims) -> np.ndarray:
    """Exponents (..., 7) of the base units as one number each; linear, and different for different dimensions.

    >>> bool(size_of([1, 1, -2, 0, 0, 0, 0]) == size_of([0, 1, -2, 0, 0, 0, 0]))
    False
    """
    return np.asarray(dims, float) @ WEIGHTS


@dataclass(frozen=True)
class Typing:
    """The dimensions of columns and target, and whether free constants may carry units.

    Attributes:
        dims: (features, 7) exponents of kg, m, s, A, K, mol, cd; a row of NaN where the unit is not known.
        target: (7,) exponents.
        free: whether each free constant may have any unit.

    >>> from symnum.language.expr import Expr
    >>> typing = Typing(np.eye(7)[[1, 2]], np.eye(7)[1] - np.eye(7)[2])  # x [m], t [s]; target m/s
    >>> batch = Batch.pack([Expr.parse(e) for e in ("x/t", "2.5*x/t", "x/t + 2.5", "x + t")], ["x", "t"])
    >>> typing.consistent(batch).tolist(), Typing(typing.dims, typing.target, free=True).consistent(batch).tolist()
    ([True, True, False, False], [True, True, True, False])
    """

    dims: np.ndarray
    target: np.ndarray
    free: bool = False

    @cached_property
    def columns(self) -> np.ndarray:
        """(features,) sizes of the columns."""
        return size_of(self.dims)

    def tokens(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Kind (T,) uint8 and size (T,) of the subtree rooted at every token."""
        total = len(batch.code)
        kind, dim = np.empty(total, np.uint8), np.empty(total)
        desk = np.empty(total, np.int32), np.empty(total)
        infer((batch.code, batch.arg, batch.value), batch.offset, arities(), *unit_rules(), self.columns, self.free, desk, kind, dim)
        return kind, dim

    def roots(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Kind (P,) and size (P,) of every expression."""
        kind, dim = self.tokens(batch)
        ends = batch.offset[1:] - 1
        return kind[ends], dim[ends]

    def through(self, view: str = "") -> float | None:
        """The size that f must have where the target is view(f); None where no dimension of f gives the target's.

        >>> typing = Typing(np.eye(7)[:2], np.eye(7)[1])
        >>> bool(np.isclose(typing.through("square"), size_of(np.eye(7)[1] / 2))), typing.through("exp")
        (True, None)
        """
        wanted = float(size_of(self.target))
        if not view:
            return wanted
        rules, power = unit_rules()
        code = OPS[view].code
        if rules[code] == PURE:
            return 0.0 if abs(wanted) <= TOLERANCE else None
        return wanted / power[code] if rules[code] in (KEEP, SCALE) else None

    def consistent(self, batch: Batch, view: str = "", *, scaled: bool = False) -> np.ndarray:
        """Whether (P,) each expression is consistent and has the target's dimension.

        Args:
            view: the operator through whose inverse the target is seen (`through`).
            scaled: a free constant times the expression is meant.
        """
        wanted = self.through(view)
        kind, dim = self.roots(batch)
        if wanted is None:
            return np.zeros(len(batch), bool)
        if scaled and self.free:
            return kind != BAD
        return (kind == WILD) | ((kind == EXACT) & (np.abs(dim - wanted) <= TOLERANCE * (1 + abs(wanted))))

    def offset_allowed(self, view: str = "") -> bool:
        """Whether a free constant may be added to the whole."""
        wanted = self.through(view)
        return wanted is not None and (self.free or abs(wanted) <= TOLERANCE)


def consistent(batch: Batch, dims: np.ndarray, target: np.ndarray, constants: str = "dimensionless") -> np.ndarray:
    """Whether (P,) each expression is dimensionally consistent and has the target's dimension.

    Args:
        batch: expressions.
        dims: (features, 7) exponents of the columns.
        target: (7,) exponents of the target.
        constants: `dimensionless`: free constants are pure numbers; `free`: each may have any unit.

    Raises:
        ValueError: another text than these for `constants`.
    """
    if constants not in ("dimensionless", "free"):
        msg = f"constants='dimensionless' or 'free' was required, got {constants!r}"
        raise ValueError(msg)
    return Typing(np.asarray(dims, float), np.asarray(target, float), constants == "free").consistent(batch)


def rule_of(text: str) -> tuple[int, float]:
    """Number and power of a units rule of the operator table.

    Raises:
        ValueError: there is no such rule.

    >>> rule_of("scale:1/2") == (SCALE, 0.5)
    True
    """
    from fractions import Fraction

    name, _, power = text.partition(":")
    try:
        return RULES.index(name), float(Fraction(power)) if name == "scale" else 1.0
    except (ValueError, ZeroDivisionError):
        msg = f"a units rule among {', '.join(RULES[:-1])} or scale:p/q was required, got {text!r}"
        raise ValueError(msg) from None


def unit_rules() -> tuple[np.ndarray, np.ndarray]:
    """Units rule by code (256,) uint8 and power by code (256,)."""
    return _rules(len(all_ops()))


@lru_cache(maxsize=8)
def _rules(n_ops: int) -> tuple[np.ndarray, np.ndarray]:
    rule, power = np.zeros(256, np.uint8), np.ones(256)
    for op in all_ops()[:n_ops]:
        rule[op.code], power[op.code] = rule_of(op.units)
    return rule, power


# kernels ----------------------------------------------------------------------------------------------------------------
@njit(**KERNEL)
def infer(tokens, offset, arity, rule, power, columns, free, desk, kind, dim):
    """Write kind and size of every subtree; `desk` is working space: subtree sizes (T,) int32, literal values (T,)."""
    code, arg, value = tokens
    span, literal = desk
    subtree_sizes(code, offset, arity, span)
    for t in range(offset[-1]):
        infer_token(code, arg, value, t, span, arity, rule, power, columns, free, literal, kind, dim)


@njit(**INNER)
def infer_token(code, arg, value, t, span, arity, rule, power, columns, free, literal, kind, dim):
    """Kind, size and literal value of the subtree at `t`; a literal is NaN where it is a constant not known, Inf where it varies."""
    c = code[t]
    if arity[c] == 0:
        kind[t], dim[t], literal[t] = EXACT, 0.0, np.nan
        if c == VAR:
            dim[t], literal[t] = columns[arg[t]], np.inf
            if np.isnan(dim[t]):
                kind[t], dim[t] = WILD, 0.0
        elif c == CONST:
            kind[t] = WILD if free else EXACT
        elif c == NUMBER:
            kind[t], literal[t] = (WILD if value[t] == 0.0 else EXACT), value[t]
        return
    r = rule[c]
    b = t - 1
    if arity[c] == 1:
        literal[t] = unary_literal(c, literal[b])
        kind[t], dim[t] = unary_rule(r, kind[b], dim[b], power[c])
        return
    a = t - 1 - span[t - 1]
    literal[t] = binary_literal(c, literal[a], literal[b])
    if r == POWER:
        kind[t], dim[t] = power_rule(kind[a], dim[a], kind[b], dim[b], literal[b])
    else:
        kind[t], dim[t] = binary_rule(r, kind[a], dim[a], kind[b], dim[b])


@njit(**INNER)
def same(a, b):
    return abs(a - b) <= TOLERANCE * (1.0 + abs(a))


@njit(**INNER)
def pure(kind, dim):
    """Whether an argument can be a pure number."""
    return kind == WILD or (kind == EXACT and same(dim, 0.0))


@njit(**INNER)
def unary_rule(r, kind, dim, p):
    if kind == BAD or ((r == PURE or r == POWER) and not pure(kind, dim)):
        return BAD, 0.0
    if r == PURE or r == SIGN or r == POWER:
        return EXACT, 0.0
    return kind, dim * p  # keep has p = 1


@njit(**INNER)
def binary_rule(r, ka, da, kb, db):
    if ka == BAD or kb == BAD:
        return BAD, 0.0
    if r == MULTIPLY or r == DIVIDE:
        d = da + db if r == MULTIPLY else da - db
        if ka == WILD or kb == WILD:
            return WILD, d
        return (LOOSE if ka == LOOSE or kb == LOOSE else EXACT), d
    if r == EQUAL:
        if ka == WILD:
            return kb, db
        if kb == WILD:
            return ka, da
        return (EXACT, da) if ka == EXACT and kb == EXACT and same(da, db) else (BAD, 0.0)
    return (EXACT, 0.0) if pure(ka, da) and pure(kb, db) else (BAD, 0.0)


@njit(**INNER)
def power_rule(ka, da, kb, db, p):
    """a^b: where b is a known number it scales; an unknown constant gives a pure number, or a dimension that depends on it."""
    if ka == BAD or not pure(kb, db):
        return BAD, 0.0
    if np.isfinite(p):
        return ka, da * p
    if ka == EXACT and same(da, 0.0):
        return EXACT, 0.0
    if p == np.inf:
        return (EXACT, 0.0) if ka == WILD else (BAD, 0.0)
    return (WILD, 0.0) if ka == WILD else (LOOSE, da)


@njit(**INNER)
def unary_literal(c, a):
    if c == NEG:
        return -a if a != np.inf else np.inf
    if c == INV:
        return 1.0 / a if np.isfinite(a) and a != 0.0 else (np.inf if a == np.inf else np.nan)
    return np.inf if a == np.inf else np.nan


@njit(**INNER)
def binary_literal(c, a, b):
    if a == np.inf or b == np.inf:
        return np.inf
    if c == ADD:
        return a + b
    if c == SUB:
        return a - b
    if c == MUL:
        return a * b
    if c == DIV:
        return a / b if b != 0.0 else np.nan
    return np.nan
