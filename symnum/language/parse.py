"""Infix text -> `Expr`.

Owns the grammar of infix text (lark, LALR), takes a text, gives an `Expr`; `str(expr)` is its exact inverse. Precedence,
weakest first: `+ -`, `* /`, unary minus, `^` (or `**`; right-associative, its exponent may carry a sign: `2^-3`).
A number without point and exponent is exact (int token), any other is a free constant (float token); a minus directly
before a number belongs to it, so `-2` is the number -2 and `-(2)` is neg(2), while `-2^2` is neg(2^2).
"""

import re
from functools import lru_cache

from symnum.language.expr import Expr
from symnum.language.ops import ALIASES, OPS, find

GRAMMAR = r"""
?start: sum
?sum: product | sum "+" product -> add | sum "-" product -> sub
?product: unary | product "*" unary -> mul | product "/" unary -> div
?unary: power | "-" unary -> neg | "+" unary -> plus
?power: atom | atom _POWER unary -> power
?atom: NUMBER -> number | NAME -> name | QUOTED -> quoted | "(" sum ")" -> group | NAME "(" [sum ("," sum)*] ")" -> call
_POWER: "^" | "**"
NUMBER: /(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?/
NAME: /[^\W\d]\w*/
QUOTED: /`(\\.|[^`\\])*`/s
%ignore /\s+/
"""
_WORDS = {"NUMBER": "a number", "NAME": "a name", "QUOTED": "a `quoted name`", "LPAR": "(", "RPAR": ")", "COMMA": ",",
          "PLUS": "+", "MINUS": "-", "STAR": "*", "SLASH": "/", "_POWER": "^", "$END": "the end"}
_SPECIAL = {"inf": float("inf"), "nan": float("nan")}


class ParseError(ValueError):
    """Text that is no expression.

    Attributes:
        text: the text given.
        position: the index in `text` at which reading failed.
    """

    def __init__(self, text: str, position: int, problem: str):
        start = text.rfind("\n", 0, position) + 1
        line = text[start:].split("\n", 1)[0].replace("\t", " ")
        super().__init__(f"{problem} (position {position})\n  {line}\n  {' ' * (position - start)}^")
        self.text, self.position, self.problem = text, position, problem

    def __reduce__(self):
        return ParseError, (self.text, self.position, self.problem)


class _Problem(Exception):
    """Raised while building; `parse` adds the text."""

    def __init__(self, position: int, problem: str):
        super().__init__(problem)
        self.position, self.problem = position, problem


class _Literal(tuple):
    """The tokens of a bare number, which a minus directly before it joins."""


class _Build:
    """Lark callbacks: every rule gives postfix tokens."""

    def number(self, children):
        text = str(children[0])
        try:
            return _Literal((int(text) if text.isdigit() else float(text),))
        except ValueError as error:  # python refuses integers beyond 4300 digits
            raise _Problem(children[0].start_pos, f"a number of fewer digits was required, got {len(text)} digits") from error

    def name(self, children):
        name = str(children[0])
        if name in _SPECIAL:
            return _Literal((_SPECIAL[name],))
        op = OPS.get(ALIASES.get(name, name))
        if op is None:
            return (name,)
        if op.arity:
            problem = f"{name!r} is a function of {op.arity} argument(s): write {name}(…), or `{name}` for a variable"
            raise _Problem(children[0].start_pos, problem)
        return (op,)

    def quoted(self, children):
        return (re.sub(r"\\(.)", r"\1", str(children[0])[1:-1], flags=re.DOTALL),)

    def call(self, children):
        name, *arguments = children
        arguments = [a for a in arguments if a is not None]
        try:
            op = find(str(name))
        except KeyError as error:
            raise _Problem(name.start_pos, error.args[0]) from error
        if len(arguments) != op.arity:
            raise _Problem(name.start_pos, f"{name} requires {op.arity} argument(s), got {len(arguments)}")
        return (*(t for a in arguments for t in a), op)

    def group(self, children):
        return tuple(children[0])

    plus = group

    def neg(self, children):
        (inner,) = children
        return _Literal((-inner[0],)) if isinstance(inner, _Literal) and not _signed(inner[0]) else (*inner, OPS["neg"])

    def _infix(op):
        return lambda self, children: (*children[0], *children[1], OPS[op])

    add, sub, mul, div, power = map(_infix, ("add", "sub", "mul", "div", "power"))


def _signed(number: float) -> bool:
    return str(number).startswith("-")


@lru_cache(maxsize=1)
def _parser():
    import lark

    class Build(_Build, lark.Transformer):
        pass

    return lark.Lark(GRAMMAR, parser="lalr", transformer=Build(), maybe_placeholders=True)


def parse(text: str) -> Expr:
    """Read an infix expression.

    Args:
        text: numbers, names (any other name in backquotes), `+ - * / ^ **`, parentheses, functions of the operator table.

    Returns:
        the expression; free constants are the numbers with a point or an exponent.

    Raises:
        ParseError: with the position, a caret under it, and what was expected there.

    >>> parse("2.5*cos(x3) + x0^2").tokens
    (2.5, 'x3', <cos/1>, <mul/2>, 'x0', 2, <power/2>, <add/2>)
    >>> parse("-2^2").tokens, parse("-2*`my x`").tokens
    ((2, 2, <power/2>, <neg/1>), (-2, 'my x', <mul/2>))
    """
    import lark

    if not isinstance(text, str):
        msg = f"an infix text was required, got {text!r} of type {type(text).__name__}"
        raise TypeError(msg)
    try:
        return Expr(tuple(_parser().parse(text)))
    except _Problem as error:
        raise ParseError(text, error.position, error.problem) from None
    except lark.exceptions.UnexpectedCharacters as error:
        raise ParseError(text, error.pos_in_stream, _expected(error.allowed or (), repr(error.char))) from None
    except lark.exceptions.UnexpectedToken as error:
        at_end = error.token.type == "$END"
        position = len(text) if at_end else error.token.start_pos
        raise ParseError(text, position, _expected(error.expected, "the end" if at_end else repr(str(error.token)))) from None


def _expected(terminals, got: str) -> str:
    words = sorted({_WORDS.get(t, t) for t in terminals})
    adjacent = "STAR" in terminals and got != "the end" and (got[1].isalnum() or got[1] == "`")
    hint = "; a product is written with *" if adjacent else ""
    return f"{', '.join(words) or 'another character'} was required, got {got}{hint}"
