"""Exact values of formulas on rows: rationals, square roots and logarithms of rationals, and their rational combinations.

Over the rationals, 1, the square roots of the squarefree numbers above 1, and the logarithms of the primes are linearly
independent (A. S. Besicovitch 1940, doi:10.1112/jlms/s1-15.1.3, for the roots; A. Baker 1966, doi:10.1112/S0025579300003971, for the
logarithms beside algebraic numbers). So a value is a vector of rationals over that basis, it is zero exactly if all coordinates are,
and a sign that is not zero is settled by balls of growing precision. No decision here rests on a float.

    exact_value(expr, row) -> Number | None       one row
    Column.of(values), combine(weights, columns)  all rows at once, in integers
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from symnum.language.expr import Expr
from symnum.language.ops import Op

Basis = tuple[str, int]  # ("", 1), ("sqrt", squarefree number above 1) or ("log", prime)
Number = dict[Basis, Fraction]
ONE: Basis = ("", 1)
FACTORED = 10**30  # the largest number whose factors are looked for
SAFE = 2**62  # sums below it fit in int64


@lru_cache(maxsize=100_000)
def _factors(n: int) -> tuple[tuple[int, int], ...]:
    if n > FACTORED:
        msg = f"a number up to 10^30 was required under a square root or a logarithm (it is factored to be exact), got {n}"
        raise ValueError(msg)
    from flint import fmpz

    return tuple((int(p), int(k)) for p, k in fmpz(n).factor())


def rational(value: Fraction | int) -> Number:
    """The number with a rational value."""
    return {ONE: Fraction(value)} if value else {}


def square_root(q: Fraction) -> Number:
    """The square root of a rational q >= 0: an outer rational times the root of a squarefree number.

    >>> square_root(Fraction(8, 9))
    {('sqrt', 2): Fraction(2, 3)}
    """
    if not q:
        return {}
    inner, outer = 1, 1
    for p, k in _factors(q.numerator * q.denominator):  # √(a/b) = √(ab)/b
        outer *= p ** (k // 2)
        inner *= p ** (k % 2)
    return {("sqrt", inner) if inner > 1 else ONE: Fraction(outer, q.denominator)}


def logarithm(q: Fraction) -> Number:
    """The natural logarithm of a rational q > 0: a sum over the primes.

    >>> logarithm(Fraction(4, 3))
    {('log', 2): Fraction(2, 1), ('log', 3): Fraction(-1, 1)}
    """
    return {("log", p): Fraction(k) for p, k in _factors(q.numerator)} | {("log", p): Fraction(-k) for p, k in _factors(q.denominator)}


def _sum(a: Number, b: Number, sign: int = 1) -> Number:
    total = {k: a.get(k, Fraction(0)) + sign * b.get(k, Fraction(0)) for k in {**a, **b}}
    return {k: v for k, v in total.items() if v}


def _product(a: Number, b: Number) -> Number:
    total: Number = {}
    for (kind, n), v in a.items():
        for (other, m), w in b.items():
            if "log" in (kind, other) and ONE not in ((kind, n), (other, m)):
                msg = "a logarithm is multiplied by rationals only"
                raise ValueError(msg)
            if kind == other == "sqrt":
                part = {k: x * v * w for k, x in square_root(Fraction(n * m)).items()}
            else:
                part = {(kind, n) if kind else (other, m): v * w}
            total = _sum(total, part)
    return total


def _as_rational(a: Number, use: str) -> Fraction:
    if set(a) - {ONE}:
        msg = f"a rational was required {use}"
        raise ValueError(msg)
    return a.get(ONE, Fraction(0))


def _power(a: Number, b: Number) -> Number | None:
    exponent = _as_rational(b, "as an exponent")
    if exponent == Fraction(1, 2):
        return _UNARY["sqrt"](a)
    if exponent.denominator != 1 or abs(exponent) > 16:
        msg = f"an integer exponent from -16 to 16, or 1/2, was required, got {exponent}"
        raise ValueError(msg)
    base = _as_rational(a, "below an exponent")
    return None if not base and exponent < 0 else rational(base ** int(exponent))


def _quotient(a: Number, b: Number) -> Number | None:
    divisor = _as_rational(b, "as a divisor")
    return {k: v / divisor for k, v in a.items()} if divisor else None


def _of_rational(function: Callable[[Fraction], Number], defined: Callable[[Fraction], bool], name: str) -> "_Unary":
    def apply(a: Number) -> Number | None:
        q = _as_rational(a, f"under {name}")
        return function(q) if defined(q) else None

    return apply


_Unary = Callable[[Number], Number | None]
_UNARY: dict[str, _Unary] = {
    "neg": lambda a: {k: -v for k, v in a.items()},
    "inv": lambda a: _quotient(rational(1), a),
    "square": lambda a: _product(a, a),
    "cube": lambda a: _product(_product(a, a), a),
    "sqrt": _of_rational(square_root, lambda q: q >= 0, "sqrt"),
    "log": _of_rational(logarithm, lambda q: q > 0, "log"),
    "abs": _of_rational(lambda q: rational(abs(q)), lambda q: True, "abs"),
}
_BINARY: dict[str, Callable[[Number, Number], Number | None]] = {
    "add": _sum,
    "sub": lambda a, b: _sum(a, b, -1),
    "mul": _product,
    "div": _quotient,
    "power": _power,
    "min": lambda a, b: rational(min(_as_rational(a, "in min"), _as_rational(b, "in min"))),
    "max": lambda a, b: rational(max(_as_rational(a, "in max"), _as_rational(b, "in max"))),
}
EXACT_OPERATORS = frozenset(_UNARY) | frozenset(_BINARY)


def exact_value(expr: Expr, row: Mapping[str, Fraction | int | bool | None]) -> Number | None:
    """The value of a formula on one row; None where it is undefined or needs a value that the row lacks.

    Raises:
        ValueError: an operator that has no exact rule here (those that have: `EXACT_OPERATORS`), or a float constant.

    >>> exact_value(Expr.parse("sqrt(2*x) + sqrt(x*y)/3"), {"x": 1, "y": 8})
    {('sqrt', 2): Fraction(5, 3)}
    """
    def leaf(token) -> Number | None:
        if isinstance(token, str):
            value = row[token]
            return None if value is None else rational(value)
        if isinstance(token, int):
            return rational(token)
        msg = f"integers, rationals and columns were required, got {token!r}"
        raise ValueError(msg)

    def branch(op: Op, arguments: list[Number | None]) -> Number | None:
        if op.name not in EXACT_OPERATORS:
            msg = f"one of the operators {', '.join(sorted(EXACT_OPERATORS))} was required, got {op.name}"
            raise ValueError(msg)
        if None in arguments:
            return None
        return (_UNARY if op.arity == 1 else _BINARY)[op.name](*arguments)

    return expr.fold(leaf, branch)


def sign(value: Number) -> int:
    """-1, 0 or 1.

    >>> sign({("sqrt", 2): Fraction(1), ONE: Fraction(-14142135623730951, 10**16)})
    -1
    """
    value = {k: v for k, v in value.items() if v}
    if set(value) <= {ONE}:
        q = value.get(ONE, 0)
        return (q > 0) - (q < 0)
    from flint import arb, ctx, fmpq

    bits = 64
    while True:  # ends: the value is not zero
        with ctx.workprec(bits):
            total = sum((fmpq(v.numerator, v.denominator) * _ball(k) for k, v in value.items()), arb(0))
            if not total.contains(0):
                return 1 if total > 0 else -1
        bits *= 2


def _ball(basis: Basis):
    from flint import arb

    kind, n = basis
    return arb(n).sqrt() if kind == "sqrt" else arb(n).log() if kind == "log" else arb(1)


@dataclass(frozen=True, eq=False)
class Column:
    """Exact values on all rows: numerators (rows, basis) of integers over one denominator; `defined` (rows,) says where there is a value.

    >>> column = Column.of([rational(1), None, square_root(Fraction(1, 2))])
    >>> column.basis, column.numerators.tolist(), column.denominator, column.defined.tolist()
    ((('', 1), ('sqrt', 2)), [[2, 0], [0, 0], [0, 1]], 2, [True, False, True])
    """

    basis: tuple[Basis, ...]
    numerators: np.ndarray
    denominator: int
    defined: np.ndarray

    @classmethod
    def of(cls, values: Sequence[Number | None]) -> "Column":
        """The column of these values, one per row; None: undefined."""
        basis = tuple(sorted({ONE} | {k for v in values if v for k in v}))
        denominator = math.lcm(*(f.denominator for v in values if v for f in v.values()))
        rows = [[int((v or {}).get(k, Fraction(0)) * denominator) for k in basis] for v in values]
        return cls(basis, _integers(rows, len(basis)), denominator, np.array([v is not None for v in values], bool))

    @property
    def is_rational(self) -> bool:
        return self.basis == (ONE,)

    def floats(self) -> np.ndarray:
        """The values as float64 (rows,), NaN where undefined; each within a few units in the last place of its largest term."""
        units = np.array([math.sqrt(n) if kind == "sqrt" else math.log(n) if kind == "log" else 1.0 for kind, n in self.basis])
        if self.numerators.dtype == object:
            scaled = np.array([[_quotient_float(n, self.denominator) for n in row] for row in self.numerators.tolist()])
            scaled = scaled.reshape(self.numerators.shape)
        else:
            scaled = self.numerators / self.denominator
        return np.where(self.defined, scaled @ units, np.nan)

    def row(self, i: int) -> Number:
        """The value on one row."""
        return {k: Fraction(int(n), self.denominator) for k, n in zip(self.basis, self.numerators[i], strict=True) if n}

    def signs(self) -> np.ndarray:
        """The sign on every row (rows,), int8; 0 also where undefined."""
        if self.is_rational:
            values = self.numerators[:, 0]
            return (values > 0).astype(np.int8) - (values < 0).astype(np.int8)
        absolute = Column(self.basis, abs(self.numerators), self.denominator, np.ones(len(self.defined), bool)).floats()
        value = np.nan_to_num(self.floats())
        signs = np.sign(value).astype(np.int8)
        for i in np.flatnonzero(abs(value) <= 1e-12 * absolute):  # far above the rounding of a few terms
            signs[i] = sign(self.row(i))
        return signs


def combine(weights: Sequence[int], columns: Sequence[Column], constant: int | Fraction = 0) -> Column:
    """The sum of weights * columns + constant; undefined where a column is.

    >>> a, b = Column.of([rational(1), rational(4)]), Column.of([rational(Fraction(1, 2)), None])
    >>> total = combine([1, -2], [a, b], 3)
    >>> total.row(0), total.defined.tolist()
    ({('', 1): Fraction(3, 1)}, [True, False])
    """
    offset = Fraction(constant)
    denominator = math.lcm(offset.denominator, *(c.denominator for c in columns))
    factors = [w * (denominator // c.denominator) for w, c in zip(weights, columns, strict=True)]
    shift = int(offset * denominator)
    size = abs(shift) + sum(abs(f) * _largest(c.numerators) for f, c in zip(factors, columns, strict=True))
    kind = np.int64 if size < SAFE else object
    defined = np.logical_and.reduce([c.defined for c in columns])
    basis = tuple(sorted({ONE}.union(*(c.basis for c in columns))))
    place = {b: i for i, b in enumerate(basis)}
    total = np.zeros((len(defined), len(basis)), kind)
    for f, c in zip(factors, columns, strict=True):
        total[:, [place[b] for b in c.basis]] += c.numerators.astype(kind) * f
    total[:, place[ONE]] += shift
    return Column(basis, total, denominator, defined)


def _largest(numbers: np.ndarray) -> int:
    return int(abs(numbers).max()) if numbers.size else 0


def _integers(rows: list[list[int]], width: int) -> np.ndarray:
    """(rows, width) int64 where all fit with room to add, otherwise Python integers."""
    wide = any(abs(n) >= SAFE for row in rows for n in row)
    return np.array(rows, object if wide else np.int64).reshape(len(rows), width)


def _quotient_float(n: int, d: int) -> float:
    try:
        return n / d  # exactly rounded, for integers of any size
    except OverflowError:
        return math.copysign(math.inf, n)
