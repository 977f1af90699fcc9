"""Candidate terms of partial differential equations: a(x)·∂ᵏ[g(u, v, …)], and how a window sees them.

The derivative stands outside wherever it can: all of it then moves to the window, and nothing noisy is differentiated. What cannot
be written so, as u_x², has derivatives of the smoothed field inside.
"""

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from symnum.dynamics.grid import Field
from symnum.language.expr import Expr
from symnum.language.grammar_check import near
from symnum.language.ops import OPS, Op

FUNCTIONS = ("sin", "cos", "exp", "tanh", "sqrt", "log")  # that a library may hold, applied to a field
MOST = 400  # terms of a library: more cannot be told apart, nor searched in reasonable time


@dataclass(frozen=True)
class Term:
    """factor(x)·∂^orders [inner(fields, their derivatives, coordinates)].

    Attributes:
        inner: what is under the derivative.
        orders: derivatives along the axes of space.
        factor: of one coordinate, outside the derivative; None: 1.
        labels: names of the axes of space.
    """

    inner: Expr
    orders: tuple[int, ...]
    labels: tuple[str, ...]
    factor: Expr | None = None

    def __str__(self) -> str:
        """As read: u, u_xx, (u^2)_x, x^2*u, (sin(u))_x.

        >>> str(Term(Expr.parse("u^2"), (1,), ("x",)))
        '(u^2)_x'
        """
        index = "".join(label * k for label, k in zip(self.labels, self.orders, strict=True))
        inner = str(self.inner)
        if index:
            inner = f"{inner}_{index}" if inner.isidentifier() and "_" not in inner else f"({inner})_{index}"
        if self.factor is None:
            return inner
        shown = str(self.factor)
        shown = shown if len(self.factor.tokens) == 1 or self.factor.op in (OPS["power"],) or isinstance(self.factor.op, Op) and (
            self.factor.op.arity == 1) else f"({shown})"
        return shown if inner == "1" else f"{shown}*{inner}"

    @cached_property
    def powers(self) -> dict[str, int] | None:
        """Exponents by variable where `inner` is a product of whole powers."""
        return _powers(self.inner)

    @property
    def pieces(self) -> list[tuple[float, tuple[int, ...], tuple[str, Expr] | None]]:
        """As sums of conservative terms: c·∂^orders[a·inner] with (c, orders, (coordinate, a)).

        f ∂ᵏg = Σᵢ (−1)ⁱ C(k, i) ∂ᵏ⁻ⁱ(f⁽ⁱ⁾ g), Leibniz' rule turned round.
        """
        if self.factor is None:
            return [(1.0, self.orders, None)]
        name = self.factor.variables[0]
        if name not in self.labels:  # of time: no derivative of the term acts on it
            return [(1.0, self.orders, (name, self.factor))]
        axis, out, f = self.labels.index(name), [], self.factor
        for i in range(self.orders[axis] + 1):
            orders = tuple(k - i * (j == axis) for j, k in enumerate(self.orders))
            out.append(((-1.0) ** i * math.comb(self.orders[axis], i), orders, (name, f)))
            f = f.derivative(name)
        return out

    @property
    def local(self) -> bool:
        """Whether derivatives of the fields stand inside."""
        return any("_" in name for name in self.inner.variables)

    def sympy(self, fields: Sequence[str]):
        """The term with functions of t and the coordinates; derivatives are written, not carried out."""
        import sympy

        symbols = {label: sympy.Symbol(label, real=True) for label in ("t", *self.labels)}
        functions = {name: sympy.Function(name)(*symbols.values()) for name in fields}
        inner = self.inner.sympy()
        for symbol in sorted(inner.free_symbols, key=str):
            base, index = split_name(str(symbol), fields, self.labels)
            if base in functions:
                value = functions[base]
                for label, k in zip(self.labels, index, strict=True):
                    value = sympy.Derivative(value, (symbols[label], k)) if k else value
                inner = inner.subs(symbol, value)
        for label, k in zip(self.labels, self.orders, strict=True):
            inner = sympy.Derivative(inner, (symbols[label], k)) if k else inner
        return inner if self.factor is None else self.factor.sympy() * inner


def split_name(name: str, fields: Iterable[str], labels: Sequence[str]) -> tuple[str, tuple[int, ...]]:
    """The field and the orders of a name as u_xx; ("", ()) of anything else.

    >>> split_name("u_xxy", ["u"], ("x", "y"))
    ('u', (2, 1))
    """
    if name in fields:
        return name, (0,) * len(labels)
    base, _, index = name.rpartition("_")
    if base in fields and index and set(index) <= set(labels) and all(len(label) == 1 for label in labels):
        return base, tuple(index.count(label) for label in labels)
    return "", ()


def _powers(inner: Expr) -> dict[str, int] | None:
    def leaf(token):
        return {token: 1} if isinstance(token, str) else {} if token == 1 and isinstance(token, int) else token

    def branch(op, parts):
        if op.name == "mul" and all(isinstance(p, dict) for p in parts):
            return {v: parts[0].get(v, 0) + parts[1].get(v, 0) for v in {**parts[0], **parts[1]}}
        if op.name == "power" and isinstance(parts[0], dict) and isinstance(parts[1], int) and parts[1] > 0:
            return {v: k * parts[1] for v, k in parts[0].items()}
        return None

    found = inner.fold(leaf, branch)
    return found if isinstance(found, dict) else None


# libraries ------------------------------------------------------------------------------------------------------------
def monomial(names: Sequence[str], powers: Sequence[int]) -> Expr:
    """A product of powers.

    >>> str(monomial(["u", "v"], [1, 2]))
    'u*v^2'
    """
    out = None
    for name, k in zip(names, powers, strict=True):
        if k:
            factor = Expr.var(name) if k == 1 else Expr.var(name) ** k
            out = factor if out is None else out * factor
    return Expr.const(1) if out is None else out


def library(field: Field, *, degree: int = 3, order: int | None = None, functions: Sequence[str] = (), coordinates: Sequence[str] = (),
            products: bool = True, extra: Sequence[str] = ()) -> tuple[Term, ...]:
    """Terms for a field.

    Args:
        degree: of products of the fields under a derivative.
        order: of derivatives, mixed ones included; 4 on a line, 2 in the plane and in space by default.
        functions: of a single field, as sin: sin(u), (sin(u))_x, …
        coordinates: factors of one coordinate, as 1/x, x^2 or sin(x): of the fields, their derivatives up to the second, and alone.
        products: u_x^2, u_x*u_y, u*u_x^2, …, which no derivative of a product gives alone.
        extra: further terms, as "u^1.5", "(u^1.5)_xx", "u*u_xxx".

    Raises:
        ValueError: settings out of range, or an unknown name.
    """
    labels, names = field.labels, field.names
    order = (4 if len(labels) == 1 else 2) if order is None else order
    if not 0 <= order <= 6 or not 1 <= degree <= 6:
        raise ValueError(f"an order of 0 to 6 and a degree of 1 to 6 were required, got {order} and {degree}")
    for name in functions:
        if name not in FUNCTIONS:
            raise ValueError(f"functions among {', '.join(FUNCTIONS)} were required, got {name}{near(name, FUNCTIONS)}")
    orders = sorted((o for o in itertools.product(range(order + 1), repeat=len(labels)) if sum(o) <= order),
                    key=lambda o: (sum(o), o[::-1]))
    inners = [monomial(names, p) for p in sorted(itertools.product(range(degree + 1), repeat=len(names)), key=lambda p: (sum(p), p[::-1]))
              if 0 < sum(p) <= degree]
    applied = [Expr.apply(name, Expr.var(f)) for name in functions for f in names]
    none = (0,) * len(labels)
    out = [Term(Expr.const(1), none, labels)]
    out += [Term(inner, o, labels) for o in orders for inner in [*inners, *applied]]
    for text in coordinates:
        factor = _coordinate(text, labels)
        out.append(Term(Expr.const(1), none, labels, factor))
        out += [Term(Expr.var(name), o, labels, factor) for name in names for o in orders if sum(o) <= 2]
        out += [Term(factor * Expr.var(name), o, labels) for name in names for o in orders if sum(o) == 1]
    if products:
        out += _gradients(names, labels, degree)
    for text in extra:
        out.append(parse_term(text, names, labels))
    out = list(dict.fromkeys(out))
    if len(out) > MOST:
        raise ValueError(f"at most {MOST} terms were required, these settings give {len(out)}; take a smaller degree or order")
    return tuple(out)


def _gradients(names, labels, degree) -> list[Term]:
    """Products of two first derivatives, times powers of one field."""
    none = (0,) * len(labels)
    first = [f"{name}_{label}" for name in names for label in labels if len(label) == 1]
    out = []
    for a, b in itertools.combinations_with_replacement(first, 2):
        pair = Expr.var(a) ** 2 if a == b else Expr.var(a) * Expr.var(b)
        out.append(Term(pair, none, labels))
        if len(names) == 1:
            out += [Term(monomial(names, [j]) * pair, none, labels) for j in range(1, degree - 1)]
    return out


def _coordinate(text: str, labels: Sequence[str]) -> Expr:
    factor = Expr.parse(text)
    if len(factor.variables) != 1 or factor.variables[0] not in (*labels, "t"):
        raise ValueError(f"a factor of one coordinate ({', '.join(labels)} or t) was required, got {text}")
    return factor


def parse_term(text: str, names: Sequence[str], labels: Sequence[str]) -> Term:
    """A term from text: an expression of fields, their derivatives and coordinates, maybe in brackets under a derivative.

    >>> str(parse_term("(u^3 - u)_xx", ["u"], ("x",)))
    '(u^3 - u)_xx'

    Raises:
        ValueError: no such field or coordinate.
    """
    text = text.strip()
    found = re.fullmatch(r"\((.*)\)_([a-z]+)", text)
    orders = (0,) * len(labels)
    if found and set(found[2]) <= set(labels):
        text, orders = found[1], tuple(found[2].count(label) for label in labels)
    inner = Expr.parse(text)
    for name in inner.variables:
        if not split_name(name, names, labels)[0] and name not in (*labels, "t"):
            known = [*names, *labels, "t"]
            raise ValueError(f"fields ({', '.join(names)}), their derivatives (as {names[0]}_{labels[0]}) and coordinates were required "
                             f"in a term, got {name}{near(name, known)}")
    return Term(inner, orders, tuple(labels))


# values ---------------------------------------------------------------------------------------------------------------
def hermite(u: np.ndarray, power: int, sigma: float) -> np.ndarray:
    """A polynomial whose mean over u + noise of deviation sigma is uᵖ: without it, noise feeds u³ into u.

    >>> hermite(np.array([2.0]), 2, 1.0).tolist()
    [3.0]
    """
    before, now = np.ones_like(u), u
    if power == 0:
        return before
    square = u.dtype.type(sigma**2)
    for k in range(1, power):
        before, now = now, u * now - k * square * before
    return now


def values(term: Term, columns: dict[str, np.ndarray], sigma: dict[str, float]) -> np.ndarray:
    """The inner part on a block of the grid, without the mean effect of white noise of the given deviations."""
    powers = term.powers
    shape = next(iter(columns.values())).shape
    if powers is not None and set(powers) <= set(sigma):
        out = None
        for name, k in powers.items():
            part = hermite(columns[name], k, sigma[name])
            out = part if out is None else out * part
        return np.ones(shape) if out is None else out
    flat = {name: np.broadcast_to(columns[name], shape).ravel() for name in term.inner.variables}
    with np.errstate(all="ignore"):
        found = np.asarray(term.inner(flat), float)
    return np.broadcast_to(found, (int(np.prod(shape)),)).reshape(shape)
