"""User operators: a Python function becomes a row of the operator table.

Takes a name, a function and what the user knows about it, probes the function, and fills the missing spellings from the
`sympy=` text: derivative, torch, C, LaTeX and mpmath come from it by way of our own expressions. Without that text the
exports raise and the derivative is absent.
"""

import inspect
import re
from collections.abc import Callable

import numpy as np

from symnum.language.ops import ALIASES, OPS, REAL, Interval, Op
from symnum.language.typed import rule_of

_ARGUMENTS = ("a", "b")
_RESERVED = frozenset(("a", "b", "y", "inf", "nan"))


def make_user_op(cls: type[Op], name: str, f: Callable, arity: int, row: dict) -> Op:
    """The row of a user operator; see `Op.from_function`.

    Raises:
        ValueError: a bad name, arity or row, or a function that fails the probe.

    >>> op = make_user_op(Op, "relu2", lambda a: a * (a > 0), 1, {"sympy": "Max(a, 0)"})
    >>> op.torch, op.latex
    ('(torch.maximum((torch.zeros_like(a) + 0), a))', '\\\\max{{\\\\left(0, {a}\\\\right)}}')
    """
    known = OPS.get(name)
    if known is not None and known.function is not None and known.function is f:
        return known
    again = known is not None and _same_code(known.function, f)
    if not again:
        _check_name(name)
    if arity not in (1, 2):
        msg = f"arity 1 or 2 was required for the operator {name!r}, got {arity!r}"
        raise ValueError(msg)
    if not callable(f):
        msg = f"a function was required for the operator {name!r}, got {f!r}"
        raise ValueError(msg)
    fields = set(cls.__dataclass_fields__) - {"name", "arity", "function", "code"}
    if unknown := sorted(set(row) - fields):
        msg = f"fields of an operator's row were required, got {unknown}; known are {sorted(fields)}"
        raise ValueError(msg)
    row = dict(row)
    domain = row.get("domain", REAL)
    row["domain"] = domain if isinstance(domain, tuple) else (domain,) * arity
    if len(row["domain"]) != arity:
        msg = f"one domain per argument was required for {name!r} ({arity}), got {len(row['domain'])}"
        raise ValueError(msg)
    laws = row.get("laws", ())
    row["laws"] = frozenset(laws.split() if isinstance(laws, str) else laws)
    for field in ("derivative", "aliases"):
        if isinstance(row.get(field), str):
            row[field] = (row[field],)
    rule_of(row.get("units", "pure"))
    _probe(name, f, arity, row["domain"])
    if row.get("sympy"):
        formula = _formula(name, f, row["domain"], row["sympy"])
        row = _spellings(formula, arity) | row | {"sympy": _prefixed(row["sympy"])}
    op = cls(name, arity, function=f, **row)
    if not again:
        return op
    if any(getattr(op, field) != getattr(known, field) for field in (*fields, "arity")):
        _check_name(name)  # raises: the same function, but another row
    return known


def _same_code(f: Callable | None, g: Callable) -> bool:
    """Whether two functions come from the same text, run twice over the same values."""
    return hasattr(f, "__code__") and hasattr(g, "__code__") and _content(f) == _content(g)


def _content(f: Callable) -> tuple:
    """All that a function computes with, to compare by."""
    code = f.__code__
    cells = tuple(cell.cell_contents for cell in f.__closure__ or ())
    used = tuple(f.__globals__.get(name) for name in code.co_names)
    return code.co_code, code.co_names, _exact((code.co_consts, cells, used, f.__defaults__, f.__kwdefaults__))


def _exact(value):
    """A value in a form where 1, 1.0 and True differ, and so do 0.0 and -0.0, and arrays can be compared."""
    if isinstance(value, tuple):
        return tuple(map(_exact, value))
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    return type(value), repr(value) if isinstance(value, float | complex) else value


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not name.isidentifier() or name in _RESERVED:
        msg = f"an operator's name must be an identifier other than {sorted(_RESERVED)}, got {name!r}"
        raise ValueError(msg)
    if name in OPS or name in ALIASES:
        msg = f"an operator needs a new name; {name!r} is already in the table, try {name + '_'!r}"
        raise ValueError(msg)


def samples(interval: Interval, n: int, rng: np.random.Generator) -> np.ndarray:
    """`n` points inside an interval, within -5 … 5 where it is unbounded."""
    low, high = max(interval.low, -5.0), min(interval.high, 5.0)
    low, high = (low, low + 5.0) if high <= low else (low, high)
    return low + (high - low) * (0.02 + 0.96 * rng.random(n))


def _probe(name: str, f: Callable, arity: int, domain: tuple[Interval, ...]) -> None:
    """The function must take `arity` floats or arrays and give finite float64 of the same shape inside the domain."""
    try:
        inspect.signature(f).bind(*range(arity))
    except TypeError as error:
        msg = f"the function of {name!r} must take {arity} argument(s), got {inspect.signature(f)}"
        raise ValueError(msg) from error
    except ValueError:  # builtins without a signature: the calls below tell
        pass
    rng = np.random.default_rng(0)
    points = [samples(interval, 16, rng) for interval in domain]
    try:
        with np.errstate(all="ignore"):
            y = np.asarray(f(*points))
            one = np.array([f(*(float(p[i]) for p in points)) for i in range(16)])
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        msg = f"the function of {name!r} must take floats and arrays, but raised {problem}; try numpy functions"
        raise ValueError(msg) from error
    where = f"e.g. at {tuple(round(float(p[0]), 4) for p in points)}"
    if y.shape != (16,) or one.shape != (16,):
        msg = f"the function of {name!r} must keep the shape (16,) of its arguments, got {y.shape}"
        raise ValueError(msg)
    if y.dtype.kind != "f" or one.dtype.kind not in "f":
        got = f"{y.dtype} for arrays and {one.dtype} for floats {where}"
        msg = f"the function of {name!r} must give floats, got {got}; try 1.0 * …"
        raise ValueError(msg)
    if not (np.isfinite(y).all() and np.isfinite(one).all()):
        bad = int(np.flatnonzero(~(np.isfinite(y) & np.isfinite(one)))[0])
        at = tuple(float(p[bad]) for p in points)
        msg = f"the function of {name!r} must be finite inside its domain, got {y[bad]} at {at}; try domain=Interval(…)"
        raise ValueError(msg)
    if not np.allclose(y, one, rtol=1e-12):
        msg = f"the function of {name!r} must give the same values for floats and arrays, got {one[0]} and {y[0]} {where}"
        raise ValueError(msg)


def _prefixed(text: str) -> str:
    """The sympy text with every sympy name as `sp.name`, as the table's spellings are."""
    return re.sub(r"(?<![\w.])([A-Za-z_]\w*)", lambda m: m[1] if m[1] in (*_ARGUMENTS, "sp") else f"sp.{m[1]}", text)


def _formula(name: str, f: Callable, domain: tuple[Interval, ...], text: str):
    """The sympy text as a sympy expression over real a, b that agrees with the function."""
    import sympy as sp

    symbols = {n: sp.Symbol(n, real=True) for n in _ARGUMENTS[: len(domain)]}
    rng = np.random.default_rng(0)
    points = [samples(interval, 16, rng) for interval in domain]
    try:
        formula = sp.sympify(eval(_prefixed(text), {"sp": sp}, symbols))  # the user's own text, like the function
        found = np.broadcast_to(sp.lambdify(list(symbols.values()), formula, ["scipy", "numpy"])(*points), 16)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        msg = f"sympy= of {name!r} must be a sympy expression over {', '.join(symbols)}, got {text!r} ({problem})"
        raise ValueError(msg) from error
    wanted = np.asarray(f(*points))
    off = np.flatnonzero(~np.isclose(found, wanted, rtol=1e-8))
    if len(off):
        at = tuple(float(p[off[0]]) for p in points)
        msg = f"the function and sympy= of {name!r} must agree, but disagree at {at}: {wanted[off[0]]} and {found[off[0]]}"
        raise ValueError(msg)
    return formula


def _spellings(formula, arity: int) -> dict:
    """Derivative, torch, mpmath, C and LaTeX of a sympy expression; what cannot be expressed stays empty."""
    import sympy as sp

    from symnum.language.export import from_sympy, to_latex

    symbols = [sp.Symbol(n, real=True) for n in _ARGUMENTS[:arity]]
    expr = _or_none(lambda: from_sympy(formula))
    if expr is None:
        return {}
    derivative = [_or_none(lambda s=s: str(from_sympy(sp.diff(formula, s)).simplify())) for s in symbols]
    latex = _or_none(lambda: to_latex(expr, 6).replace("{", "{{").replace("}", "}}"))
    return {
        "derivative": tuple(derivative) if all(derivative) else (),
        "latex": "" if latex is None else re.sub(r"(?<![\w\\])([ab])(?!\w)", r"{\1}", latex),
        "torch": _inline(expr, "torch"), "mpmath": _inline(expr, "mpmath"), "c": _inline(expr, "c"),
    }


def _or_none(make: Callable):
    try:
        return make()
    except (ValueError, LookupError, TypeError):
        return None


def _inline(expr, target: str) -> str:
    """One expression text of a target by nesting the operators' spellings; empty where one has none."""
    def leaf(token):
        if isinstance(token, Op):
            return getattr(token, target)
        if isinstance(token, str):
            return token
        return {"torch": f"(torch.zeros_like(a) + {token!r})", "c": f"({float(token)!r})", "mpmath": f"mp.mpf({token!r})"}[target]

    def branch(op, arguments):
        spelling = getattr(op, target)
        if not spelling or not all(arguments):
            return ""
        inner = dict(zip(_ARGUMENTS, arguments, strict=False))
        return "(" + re.sub(r"(?<![\w.])[ab]\b", lambda m: inner[m[0]], spelling) + ")"

    return expr.fold(leaf, branch)
