"""One immutable expression in postfix order.

An `Expr` is a tuple of tokens: an `Op`, a `float` (free constant), an `int` (exact number) or a `str` (variable).
`2.5*cos(x3) + x0^2` is (2.5, "x3", cos, mul, "x0", 2, power, add). Every traversal is one call of `fold`.
Hot paths never see an `Expr`: they work on `Batch`, the same postfix order as flat arrays.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from symnum.language.ops import ALIASES, OPS, Op, compile_spelling

Token = Op | float | int | str
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Expr:
    """An expression; compare with `==`, hash, pickle, call, print (`str`), and combine with + - * / **.

    Attributes:
        tokens: the postfix tokens; operands come before their operator.

    Raises:
        ValueError: the tokens are not exactly one expression.

    >>> e = Expr.parse("2.5*cos(x3) + x0^2")
    >>> e.variables, e.constants, e.complexity
    (('x0', 'x3'), (2.5,), 8)
    >>> str(e)
    '2.5*cos(x3) + x0^2'
    """

    tokens: tuple[Token, ...]

    def __eq__(self, other) -> bool:
        """Equal tokens, an exact number never being equal to a free constant: 2 is not 2.0."""
        return isinstance(other, Expr) and self.tokens == other.tokens and [*map(type, self.tokens)] == [*map(type, other.tokens)]

    def __post_init__(self):
        depth = 0
        for token in self.tokens:
            depth += 1 - (token.arity if isinstance(token, Op) else 0)
            if depth < 1:
                break
        if depth != 1:
            msg = f"one postfix expression was required, got the tokens {self.tokens!r}"
            raise ValueError(msg)

    # construction -----------------------------------------------------------------------------------------------------
    @classmethod
    def parse(cls, text: str) -> "Expr":
        """Read infix text, e.g. ``a*x^2 + sin(`my column`)``; see `symnum.language.parse`."""
        from symnum.language.parse import parse

        return parse(text)

    @classmethod
    def from_sympy(cls, expression) -> "Expr":
        """Read a sympy expression; see `symnum.language.export`."""
        from symnum.language.export import from_sympy

        return from_sympy(expression)

    @classmethod
    def var(cls, name: str) -> "Expr":
        """A variable."""
        return cls((name,))

    @classmethod
    def const(cls, value: float) -> "Expr":
        """A constant: a float is free (searches may fit it), an int is exact."""
        return cls((int(value) if isinstance(value, int | np.integer) else float(value),))

    @classmethod
    def apply(cls, op: Op | str, *arguments: "Expr") -> "Expr":
        """The operator applied to its arguments.

        >>> str(Expr.apply("exp", Expr.var("x")))
        'exp(x)'
        """
        op = OPS[op] if isinstance(op, str) else op
        if len(arguments) != op.arity:
            msg = f"{op.name} requires {op.arity} argument(s), got {len(arguments)}"
            raise ValueError(msg)
        return cls((*(t for a in arguments for t in a.tokens), op))

    # structure --------------------------------------------------------------------------------------------------------
    def fold(self, leaf: Callable[[Token], T], branch: Callable[[Op, list[T]], T]) -> T:
        """Map leaves and reduce bottom-up: the one traversal primitive."""
        stack: list[T] = []
        for token in self.tokens:
            if isinstance(token, Op) and token.arity:
                arguments = stack[-token.arity :]
                del stack[-token.arity :]
                stack.append(branch(token, arguments))
            else:
                stack.append(leaf(token))
        return stack[0]

    @property
    def op(self) -> Token:
        """The root token."""
        return self.tokens[-1]

    @property
    def arguments(self) -> tuple["Expr", ...]:
        """The root's operands, left to right."""
        if not isinstance(self.op, Op) or not self.op.arity:
            return ()
        parts, end = [], len(self.tokens) - 1
        for _ in range(self.op.arity):
            start = end - self._span(end - 1)
            parts.append(Expr(self.tokens[start:end]))
            end = start
        return tuple(reversed(parts))

    def _span(self, root: int) -> int:
        """Number of tokens of the subtree whose root is at `root`."""
        need, i = 1, root
        while need:
            token = self.tokens[i]
            need += (token.arity if isinstance(token, Op) else 0) - 1
            i -= 1
        return root - i

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables, sorted."""
        return tuple(sorted({t for t in self.tokens if isinstance(t, str)}))

    @property
    def constants(self) -> tuple[float, ...]:
        """The free constants, in postfix order."""
        return tuple(t for t in self.tokens if isinstance(t, float))

    @property
    def complexity(self) -> int:
        """The sum of the operators' costs, a leaf counting 1."""
        return sum(t.cost if isinstance(t, Op) else 1 for t in self.tokens)

    @property
    def depth(self) -> int:
        """Levels of the tree; a leaf has depth 1."""
        return self.fold(lambda _: 1, lambda _, a: 1 + max(a))

    # change -----------------------------------------------------------------------------------------------------------
    def substitute(self, values: Mapping[str, "Expr | float | int | str"]) -> "Expr":
        """Replace variables by expressions, numbers or other names.

        >>> str(Expr.parse("x + y").substitute({"x": Expr.parse("2*z"), "y": 3}))
        '2*z + 3'
        """
        def tokens(value):
            return value.tokens if isinstance(value, Expr) else (value,)

        return Expr(tuple(s for t in self.tokens for s in (tokens(values[t]) if isinstance(t, str) and t in values else (t,))))

    def with_constants(self, constants: Iterable[float]) -> "Expr":
        """The same skeleton with other free constants, in postfix order."""
        given = [float(c) for c in constants]
        if len(given) != len(self.constants):
            msg = f"{len(self.constants)} constant(s) were required, got {len(given)}"
            raise ValueError(msg)
        supply = iter(given)
        return Expr(tuple(next(supply) if isinstance(t, float) else t for t in self.tokens))

    def derivative(self, variable: str) -> "Expr":
        """The derivative with respect to a variable, simplified; see `symnum.language.calculus`."""
        from symnum.language.calculus import derivative

        return derivative(self, variable)

    def canonical(self) -> "Expr":
        """The same function in canonical order; equal canonical forms mean equal functions (not conversely)."""
        from symnum.language.rewrite import canonical

        return canonical(self)

    def simplify(self) -> "Expr":
        """An equal, never more complex expression in reading form; see `symnum.language.rewrite`."""
        from symnum.language.rewrite import simplify

        return simplify(self)

    # meaning ----------------------------------------------------------------------------------------------------------
    def __call__(self, X=None, **columns) -> np.ndarray:
        """Evaluate in float64 with numpy.

        Args:
            X: mapping or DataFrame of columns by name, or an array (rows, features) whose columns are x0, x1, …
            **columns: columns by name (overrides X).

        Returns:
            the values (rows,); NaN or Inf where the expression is undefined or overflows.

        >>> Expr.parse("x0/x1")([[1, 2], [1, 0]])
        array([0.5, inf])
        """
        from symnum.evaluate.reference import call

        return call(self, X, columns)

    def __str__(self) -> str:
        return to_text(self)

    def __repr__(self) -> str:
        return f"Expr({to_text(self)!r})"

    def sympy(self):
        """The sympy expression with real symbols."""
        from symnum.language.export import to_sympy

        return to_sympy(self)

    def latex(self, precision: int = 4) -> str:
        """LaTeX with constants at `precision` significant digits."""
        from symnum.language.export import to_latex

        return to_latex(self, precision)

    def graph(self):
        """A networkx DAG in which equal subexpressions are one node."""
        from symnum.language.export import to_graph

        return to_graph(self)

    def c(self, name: str = "f") -> str:
        """A C99 function of the variables (sorted by name) as doubles."""
        from symnum.language.export import to_c

        return to_c(self, name)

    def torch(self, features: Iterable[str] | None = None):
        """A torch module whose parameters are the free constants; see `symnum.evaluate.torch`."""
        from symnum.evaluate.torch import module

        return module(self, features)

    def __add__(self, other):
        return _binary("add", self, other)

    def __radd__(self, other):
        return _binary("add", other, self)

    def __sub__(self, other):
        return _binary("sub", self, other)

    def __rsub__(self, other):
        return _binary("sub", other, self)

    def __mul__(self, other):
        return _binary("mul", self, other)

    def __rmul__(self, other):
        return _binary("mul", other, self)

    def __truediv__(self, other):
        return _binary("div", self, other)

    def __rtruediv__(self, other):
        return _binary("div", other, self)

    def __pow__(self, other):
        return _binary("power", self, other)

    def __neg__(self):
        return Expr.apply("neg", self)


def _binary(name: str, left, right) -> Expr:
    a, b = (x if isinstance(x, Expr) else Expr.const(x) for x in (left, right))
    return Expr.apply(name, a, b)


# printing ---------------------------------------------------------------------------------------------------------------
_LEVEL = {"add": 1, "sub": 1, "mul": 2, "div": 2, "neg": 3, "power": 4}  # binding strength; atoms are 5


def to_text(expr: Expr) -> str:
    """Infix text that `Expr.parse` reads back to the same tokens; floats are the shortest that round-trip."""
    return expr.fold(_leaf_text, _branch_text)[0]


def _leaf_text(token: Token) -> tuple[str, int]:
    if isinstance(token, str):
        return quote(token), 5
    if isinstance(token, Op):
        return token.name, 5
    text = repr(float(token)) if isinstance(token, float) else str(int(token))  # numpy's numbers have another repr
    return text, 3 if text.startswith("-") else 5


def _branch_text(op: Op, arguments: list[tuple[str, int]]) -> tuple[str, int]:
    level = _LEVEL.get(op.name, 5)
    if level == 5:
        return f"{op.name}({', '.join(text for text, _ in arguments)})", 5
    if op.name == "neg":
        text, inner = arguments[0]
        bare = inner >= 3 and not text[0].isdigit() and not text.startswith("-") and text not in ("inf", "nan")
        return f"-{text if bare else f'({text})'}", 3
    (left, left_level), (right, right_level) = arguments
    if op.name == "power":  # right-associative and stronger than a sign: (-2)^x, (a^b)^c
        left_fits, right_fits = left_level > 4, right_level >= 3
    else:
        left_fits, right_fits = left_level >= level, right_level > level
    left = left if left_fits else f"({left})"
    right = right if right_fits else f"({right})"
    gap = " " if level == 1 else ""
    return f"{left}{gap}{op.infix}{gap}{right}", level


def quote(name: str) -> str:
    """A variable name as it is printed: plain, or in backquotes where it is no identifier or is an operator's name.

    >>> quote("mass"), quote("my column"), quote("sin")
    ('mass', '`my column`', '`sin`')
    """
    plain = name.isidentifier() and name.isascii() and name not in OPS and name not in ALIASES and name not in ("nan", "inf")
    return name if plain else "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def operator_functions(target: str) -> Callable[[Op], Callable]:
    """A cached look-up op -> function for one target (numpy, mpmath, torch, sympy)."""
    cache: dict[str, Callable] = {}

    def get(op: Op) -> Callable:
        if op.name not in cache:
            cache[op.name] = compile_spelling(op, target)
        return cache[op.name]

    return get
