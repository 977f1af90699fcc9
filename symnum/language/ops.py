"""The operator table: everything symnum knows about an operator is one row here.

A row gives meaning (domain, image, units, laws, derivative, inverses) and spellings (numpy, mpmath, numba, torch, sympy,
LaTeX, C). Every spelling is a text over the arguments `a`, `b` (and, in derivatives, the value `y`), so that one row
drives evaluation, kernel generation, calculus and export alike. An empty spelling means *deliberately absent*; the set
of absences is `ABSENT`, and a test proves that nothing is missing without being listed there.

Semantics are natural (unprotected): outside its domain an operator is NaN, never a made-up number.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

INF = math.inf


@dataclass(frozen=True, slots=True)
class Interval:
    """A real interval; `open_low`/`open_high` exclude an end, `hole` excludes one inner point (a pole)."""

    low: float = -INF
    high: float = INF
    open_low: bool = False
    open_high: bool = False
    hole: float | None = None

    def __contains__(self, x: float) -> bool:
        above = x > self.low if self.open_low else x >= self.low
        below = x < self.high if self.open_high else x <= self.high
        return above and below and x != self.hole


REAL = Interval()
POSITIVE = Interval(0.0, INF, open_low=True)
NONNEGATIVE = Interval(0.0, INF)
NONZERO = Interval(hole=0.0)
UNIT = Interval(-1.0, 1.0)
HALF_TURN = Interval(-math.pi / 2, math.pi / 2)


@dataclass(frozen=True, slots=True, eq=False)  # rows are unique: identity is equality
class Op:
    """One operator.

    Attributes:
        name: the word used in grammars, infix text and tables.
        arity: 0 (a named constant), 1 or 2.
        cost: complexity added by one use.
        laws: among commutative, associative, idempotent, odd, even, periodic, increasing, decreasing, involution.
        domain: one interval per argument where the value is real.
        image: where the values lie.
        units: the units rule: equal, keep, multiply, divide, pure, sign, power, or `scale:p/q` (units to that power).
        derivative: one text per argument, over a, b and the value y; empty where not differentiable in closed form.
        inverses: per argument, the texts that solve y = f(a, b) for it (all branches).
        numpy, mpmath, numba, torch, sympy, c: the value as an expression text of that language.
        latex: a format string with {a} and {b}.
        infix: its infix symbol, if it has one.
        aliases: other names the parser accepts.
        function: the Python function of a user operator (`Op.from_function`), else None.
        code: the operator's number in batches; assigned by `register`.
    """

    name: str
    arity: int
    numpy: str = ""
    mpmath: str = ""
    numba: str = ""
    torch: str = ""
    sympy: str = ""
    c: str = ""
    latex: str = ""
    derivative: tuple[str, ...] = ()
    inverses: tuple[tuple[str, ...], ...] = ()
    laws: frozenset[str] = frozenset()
    domain: tuple[Interval, ...] = ()
    image: Interval = REAL
    units: str = "pure"
    cost: int = 1
    infix: str = ""
    aliases: tuple[str, ...] = ()
    function: Callable | None = field(default=None, compare=False, repr=False)
    code: int = field(default=-1, compare=False)

    def __repr__(self) -> str:
        return f"<{self.name}/{self.arity}>"

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self):
        """An operator pickles by name (and, for a user operator, its row), so that codes stay those of the process."""
        row = tuple(getattr(self, f) for f in _FIELDS) if self.function is not None else None
        return _restore, (self.name, row)

    @classmethod
    def from_function(cls, name: str, f: Callable, arity: int, **row) -> "Op":
        """Register a Python function as an operator, usable in grammars, search and export like a built-in one.

        Args:
            name: an identifier not used by another operator.
            f: scalar function that numba can compile, e.g. `lambda a: a / (1 + abs(a))`; it must also accept arrays.
            arity: 1 or 2.
            **row: `sympy=` text over a, b (gives the derivative and the exports); `domain=` one `Interval` per
                argument; `torch=`, `latex=`, `derivative=`, `units=`, `cost=`, `laws=` … as in the table.

        Returns:
            the registered operator; the known one where the same text runs again, as in a notebook's cell.

        Raises:
            ValueError: the name is taken by another function or row, or not an identifier, or the probe fails (arity,
                shape, dtype, closure: finite values inside the domain).

        >>> softsign = Op.from_function("softsign", lambda a: a / (1 + abs(a)), 1, sympy="a/(1 + Abs(a))")
        >>> softsign.arity
        1
        """
        from symnum.language.user import make_user_op

        return register(make_user_op(cls, name, f, arity, row))


_TABLE: list[Op] = []
OPS: dict[str, Op] = {}
ALIASES: dict[str, str] = {}

VAR, CONST, NUMBER = 0, 1, 2  # leaf codes of batches: a data column, a free constant, a fixed number
FIRST_OP = 3  # operators are numbered from here


def register(op: Op) -> Op:
    """Give `op` the next code and enter it into the table; registering the same function again returns the old row."""
    known = OPS.get(op.name)
    if known is not None:
        if known.function is not None and known.function is op.function:
            return known
        msg = f"an operator needs a new name; {op.name!r} is already in the table, try {op.name + '_'!r}"
        raise ValueError(msg)
    if len(_TABLE) + FIRST_OP > 254:  # 255 marks a nonterminal in compiled grammars
        msg = "the operator table is full (252 operators)"
        raise ValueError(msg)
    values = {f: getattr(op, f) for f in _FIELDS} | {"code": len(_TABLE) + FIRST_OP}
    op = Op(**values)
    _TABLE.append(op)
    OPS[op.name] = op
    for alias in op.aliases:
        ALIASES[alias] = op.name
    return op


def by_code(code: int) -> Op:
    """The operator with this batch code."""
    return _TABLE[code - FIRST_OP]


def all_ops() -> tuple[Op, ...]:
    """Every registered operator, in the order of the codes."""
    return tuple(_TABLE)


def find(name: str) -> Op:
    """The operator called `name` (or an alias of it).

    Raises:
        KeyError: no such operator; the message offers near names.
    """
    op = OPS.get(ALIASES.get(name, name))
    if op is None:
        import difflib

        near = difflib.get_close_matches(name, [*OPS, *ALIASES], 3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        msg = f"an operator of the table was required, got {name!r}{hint}"
        raise KeyError(msg)
    return op


_FIELDS = [f for f in Op.__dataclass_fields__ if f != "code"]


def _restore(name: str, row: tuple | None) -> Op:
    if name in OPS:
        return OPS[name]
    return register(Op(**dict(zip(_FIELDS, row, strict=True))))


def compile_spelling(op: Op, target: str) -> Callable:
    """The Python function of an operator in `target` (numpy, mpmath, torch or sympy), from its spelling.

    >>> compile_spelling(OPS["add"], "numpy")(1, 2)
    3
    """
    if op.function is not None and target == "numpy" and not op.numpy:
        return np.vectorize(op.function, otypes=[float])
    text = getattr(op, target)
    if not text:
        msg = f"operator {op.name!r} has no {target} form; see symnum.language.ops.ABSENT"
        raise LookupError(msg)
    arguments = ("", "a", "a, b")[op.arity]
    return eval(f"lambda {arguments}: {text}", _namespace(target))


def _namespace(target: str) -> dict:
    """The names that the spellings of `target` may use; the library is imported here, on first use."""
    if target == "numpy":
        import scipy.special

        return {"np": np, "special": scipy.special}
    if target == "mpmath":
        import mpmath

        return {"mp": mpmath.mp}
    if target == "torch":
        import torch

        return {"torch": torch, "math": math}
    import sympy

    return {"sp": sympy}


def _row(name: str, arity: int, *, laws: str = "", domain: Interval | tuple[Interval, ...] | None = None, **row) -> None:
    domains = (domain or REAL,) * arity if not isinstance(domain, tuple) else domain
    for target, prefix in (("mpmath", "mp"), ("torch", "torch")):
        if row.get(target) == "=":  # spelled like numpy, in the other library
            row[target] = row["numpy"].replace("np.", prefix + ".")
    if row.get("c") == "=":
        row["c"] = row["numba"]
    register(Op(name, arity, laws=frozenset(laws.split()), domain=domains, **row))


# arithmetic ---------------------------------------------------------------------------------------------------------
_SAME = {"mpmath": "=", "torch": "=", "c": "="}
_row("add", 2, numpy="a + b", numba="a + b", sympy="a + b", latex="{a} + {b}", infix="+", derivative=("1", "1"),
     inverses=(("y - b",), ("y - a",)), laws="commutative associative", units="equal", **_SAME)
_row("sub", 2, numpy="a - b", numba="a - b", sympy="a - b", latex="{a} - {b}", infix="-", derivative=("1", "-1"),
     inverses=(("y + b",), ("a - y",)), units="equal", **_SAME)
_row("mul", 2, numpy="a * b", numba="a * b", sympy="a * b", latex=r"{a} \cdot {b}", infix="*", derivative=("b", "a"),
     inverses=(("y / b",), ("y / a",)), laws="commutative associative", units="multiply", **_SAME)
_row("div", 2, numpy="np.divide(a, b)", mpmath="a / b", torch="a / b", numba="a / b", c="a / b", sympy="a / b",
     latex=r"\frac{{{a}}}{{{b}}}", infix="/", derivative=("1 / b", "-y / b"), inverses=(("y * b",), ("a / y",)),
     domain=(REAL, NONZERO), units="divide")
_row("power", 2, numpy="np.power(a, b)", mpmath="a ** b", torch="torch.pow(a, b)", numba="pow(a, b)", c="pow(a, b)",
     sympy="sp.Pow(a, b)", latex="{a}^{{{b}}}", infix="^", aliases=("pow",),
     derivative=("b * power(a, b - 1)", "y * log(a)"), inverses=(("power(y, 1 / b)",), ("log(y) / log(a)",)),
     domain=(POSITIVE, REAL), units="power")
_row("neg", 1, numpy="np.negative(a)", mpmath="-a", torch="-a", numba="-a", c="-a", sympy="-a", latex="-{a}",
     derivative=("-1",), inverses=(("-y",),), laws="odd decreasing involution", units="keep")
_row("inv", 1, numpy="np.divide(1.0, a)", mpmath="1 / a", torch="1.0 / a", numba="1 / a", c="1 / a", sympy="1 / a",
     latex=r"\frac{{1}}{{{a}}}", derivative=("-y * y",), inverses=(("1 / y",),), laws="odd involution", domain=NONZERO,
     image=NONZERO, units="scale:-1", aliases=("inverse", "reciprocal"))
_row("square", 1, numpy="a * a", numba="a * a", sympy="a ** 2", latex="{a}^{{2}}", derivative=("2 * a",),
     inverses=(("sqrt(y)", "-sqrt(y)"),), laws="even", image=NONNEGATIVE, units="scale:2", **_SAME)
_row("cube", 1, numpy="a * a * a", numba="a * a * a", sympy="a ** 3", latex="{a}^{{3}}", derivative=("3 * a * a",),
     inverses=(("cbrt(y)",),), laws="odd increasing", units="scale:3", **_SAME)
_row("sqrt", 1, numpy="np.sqrt(a)", numba="sqrt(a)", sympy="sp.sqrt(a)", latex=r"\sqrt{{{a}}}",
     derivative=("1 / (2 * y)",), inverses=(("y * y",),), laws="increasing", domain=NONNEGATIVE, image=NONNEGATIVE,
     units="scale:1/2", **_SAME)
_row("cbrt", 1, numpy="np.cbrt(a)", mpmath="mp.sign(a) * mp.cbrt(abs(a))",
     torch="torch.sign(a) * torch.pow(torch.abs(a), 1.0 / 3.0)", numba="cbrt(a)", c="cbrt(a)",
     sympy="sp.sign(a) * sp.Abs(a) ** sp.Rational(1, 3)", latex=r"\sqrt[3]{{{a}}}", derivative=("1 / (3 * y * y)",),
     inverses=(("cube(y)",),), laws="odd increasing", units="scale:1/3")
_row("abs", 1, numpy="np.abs(a)", mpmath="abs(a)", torch="torch.abs(a)", numba="abs(a)", c="fabs(a)", sympy="sp.Abs(a)",
     latex=r"\left|{a}\right|", derivative=("sign(a)",), inverses=(("y", "-y"),), laws="even idempotent",
     image=NONNEGATIVE, units="keep", aliases=("Abs",))
_row("sign", 1, numpy="np.sign(a)", mpmath="mp.sign(a)", torch="torch.where(torch.isnan(a), a, torch.sign(a))",
     numba="1 if a > 0 else (-1 if a < 0 else a)", c="(isnan(a) ? a : (a > 0) - (a < 0))", sympy="sp.sign(a)",
     latex=r"\operatorname{{sign}}{{\left({a}\right)}}", derivative=("0",), laws="odd idempotent increasing",
     image=UNIT, units="sign")
_row("min", 2, numpy="np.minimum(a, b)", mpmath="min(a, b)", torch="torch.minimum(a, b)",
     numba="a if a < b or a != a else b", c="(isnan(a) || isnan(b) ? NAN : fmin(a, b))",
     sympy="sp.Min(a, b)", latex=r"\min{{\left({a}, {b}\right)}}",
     derivative=("a <= b", "b < a"), laws="commutative associative idempotent", units="equal", aliases=("Min",))
_row("max", 2, numpy="np.maximum(a, b)", mpmath="max(a, b)", torch="torch.maximum(a, b)",
     numba="a if a > b or a != a else b", c="(isnan(a) || isnan(b) ? NAN : fmax(a, b))",
     sympy="sp.Max(a, b)", latex=r"\max{{\left({a}, {b}\right)}}",
     derivative=("a >= b", "b > a"), laws="commutative associative idempotent", units="equal", aliases=("Max",))

# exponential and trigonometric -----------------------------------------------------------------------------------------
def _unary(name: str, derivative: str, inverse: tuple[str, ...], *, latex: str = "", aliases: tuple[str, ...] = (), **row) -> None:
    """A unary function that every library spells by its own name."""
    _row(name, 1, numpy=f"np.{'arc' + name[1:] if name in ('asin', 'acos', 'atan') else name}(a)", mpmath=f"mp.{name}(a)",
         torch=f"torch.{name}(a)", numba=f"{name}(a)", c=f"{name}(a)", sympy=f"sp.{name}(a)", derivative=(derivative,),
         inverses=(inverse,), latex=latex or f"\\{name}{{{{\\left({{a}}\\right)}}}}", aliases=aliases, **row)


_unary("exp", "y", ("log(y)",), latex="e^{{{a}}}", laws="increasing", image=POSITIVE)
_unary("log", "1 / a", ("exp(y)",), laws="increasing", domain=POSITIVE, aliases=("ln",))
_unary("sin", "cos(a)", ("asin(y)", "3.141592653589793 - asin(y)"), laws="odd periodic", image=UNIT)
_unary("cos", "-sin(a)", ("acos(y)", "-acos(y)"), laws="even periodic", image=UNIT)
_unary("tan", "1 + y * y", ("atan(y)",), laws="odd periodic")
_unary("asin", "1 / sqrt(1 - a * a)", ("sin(y)",), latex=r"\arcsin{{\left({a}\right)}}", laws="odd increasing", domain=UNIT,
       image=HALF_TURN, aliases=("arcsin",))
_unary("acos", "-1 / sqrt(1 - a * a)", ("cos(y)",), latex=r"\arccos{{\left({a}\right)}}", laws="decreasing", domain=UNIT,
       image=Interval(0.0, math.pi), aliases=("arccos",))
_unary("atan", "1 / (1 + a * a)", ("tan(y)",), latex=r"\arctan{{\left({a}\right)}}", laws="odd increasing", image=HALF_TURN,
       aliases=("arctan",))
_unary("sinh", "cosh(a)", ("log(y + sqrt(y * y + 1))",), laws="odd increasing")
_unary("cosh", "sinh(a)", ("log(y + sqrt(y * y - 1))", "-log(y + sqrt(y * y - 1))"), laws="even", image=Interval(1.0, INF))
_unary("tanh", "1 - y * y", ("log((1 + y) / (1 - y)) / 2",), laws="odd increasing", image=UNIT)

# special functions --------------------------------------------------------------------------------------------------
_row("erf", 1, numpy="special.erf(a)", mpmath="mp.erf(a)", torch="torch.erf(a)", numba="erf(a)", c="erf(a)", sympy="sp.erf(a)",
     latex=r"\operatorname{{erf}}{{\left({a}\right)}}", derivative=("1.1283791670955126 * exp(-a * a)",), laws="odd increasing",
     image=UNIT)
_row("gamma", 1, numpy="np.where((a <= 0) & (a == np.floor(a)), np.nan, special.gamma(a))",
     mpmath="mp.gamma(a)", numba="gamma(a)",
     c="(a <= 0 && a == floor(a) ? NAN : tgamma(a))", sympy="sp.gamma(a)",
     latex=r"\Gamma{{\left({a}\right)}}", domain=POSITIVE, image=NONZERO)
_row("lgamma", 1, numpy="special.gammaln(np.maximum(a, -1e308))", mpmath="mp.re(mp.loggamma(a))", torch="torch.lgamma(a)",
     numba="lgamma(a)", c="lgamma(a)", sympy="sp.log(sp.Abs(sp.gamma(a)))",
     latex=r"\log\left|\Gamma{{\left({a}\right)}}\right|", domain=POSITIVE,
     aliases=("loggamma", "gammaln"))

# named constants ----------------------------------------------------------------------------------------------------
_row("pi", 0, numpy="np.pi", mpmath="+mp.pi", torch="math.pi", numba="3.141592653589793", c="=", sympy="sp.pi", latex=r"\pi",
     image=Interval(math.pi, math.pi))
_row("e", 0, numpy="np.e", mpmath="+mp.e", torch="math.e", numba="2.718281828459045", c="=", sympy="sp.E", latex="e",
     image=Interval(math.e, math.e), aliases=("E",))

# What a built-in operator lacks, and why: (operator, field) -> reason. The coverage test reads this list.
ABSENT: dict[tuple[str, str], str] = {
    ("gamma", "torch"): "torch has no gamma function (exp(lgamma) loses the sign)",
    ("gamma", "derivative"): "needs digamma, which numba and C lack",
    ("lgamma", "derivative"): "needs digamma, which numba and C lack",
    ("gamma", "inverses"): "no closed form",
    ("lgamma", "inverses"): "no closed form",
    ("erf", "inverses"): "erfinv is not an operator of the table",
    ("sign", "inverses"): "not invertible",
    ("min", "inverses"): "not invertible",
    ("max", "inverses"): "not invertible",
}

BUILTIN: tuple[Op, ...] = tuple(_TABLE)
