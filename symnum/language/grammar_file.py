"""The text form of grammars: .g files and their errors, and where the shipped ones lie.

    # comment
    expr  : expr + expr   @ 4        weight 4 (1 where not given)
          | sin(inner)    @ 0.5 $ 2  weight and cost (the sum over the terminals where not given)
          | CONST | VAR | pi | 2
    inner : VAR "*" INT(1, 3)        an operator symbol may be quoted

One rule per nonterminal; the first one, or `%start name`, derives whole expressions. An identifier is the nonterminal
of that name, else the named constant (pi, e), else a variable; before "(" it is an operator, in backquotes a variable.
The syntax is in `grammar.lark`; it builds the same postfix templates as `Expr` does: a minus before a bare number belongs
to the number.
"""

import math
import re
from collections.abc import Container
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from symnum.language.expr import Expr, _branch_text, _leaf_text
from symnum.language.grammar import Grammar, GrammarError, Integer, Production, Slot, Symbol, default_cost
from symnum.language.grammar_check import faults, near
from symnum.language.ops import ALIASES, OPS

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

INFIX = {"+": "add", "-": "sub", "*": "mul", "/": "div", "^": "power", "**": "power"}


# reading ----------------------------------------------------------------------------------------------------------------
def parse(text: str, name: str, file: str = "") -> Grammar:
    """The grammar written in `text`; errors name `file`."""
    return _Reader(file or name, _tree(text, file or name)).grammar(name)


class _Reader:
    """Turns the syntax tree of one file into productions; holds the file's nonterminals and name for all rules."""

    def __init__(self, file: str, tree: "Tree"):
        self.file = file
        self.heads: dict[str, Token] = {}
        self.directives = [d.children[1] for d in tree.children if d.data == "directive"]
        self.rules = [r for r in tree.children if r.data == "rule"]
        for rule in self.rules:
            head = rule.children[0]
            if head in self.heads:
                line = self.heads[head].line
                self.fail(f"one rule per nonterminal is expected, {str(head)!r} has one on line {line}; add to it with '|'", head)
            self.heads[str(head)] = head

    def fail(self, message: str, at) -> NoReturn:
        """Raise the error at a token or tree."""
        at = getattr(at, "meta", at)
        raise GrammarError(message, self.file, at.line, at.column)

    def grammar(self, name: str) -> Grammar:
        if not self.rules:
            raise GrammarError("a rule (name : ...) was expected, found only %start", self.file, 1, 1)
        if len(self.directives) > 1:
            self.fail("one %start is expected, found another", self.directives[1])
        start = str(self.directives[0] if self.directives else self.rules[0].children[0])
        alternatives = [(str(r.children[0]), a) for r in self.rules for a in r.children[2::2]]
        productions = [self.production(lhs, a) for lhs, a in alternatives]
        for message, i in faults(start, productions):
            self.fail(message, alternatives[i][1] if i >= 0 else self.directives[0])
        return Grammar(name, start, tuple(productions))

    def production(self, lhs: str, alternative: "Tree") -> Production:
        body, *options = alternative.children
        values = {}
        for option in options:
            text = "".join(option.children[1:]).replace('"', "")
            if option.data == "cost" and (not text.isdigit() or int(text) < 1):
                self.fail(f"the cost of a production must be a whole number >= 1, got $ {text}", option)
            values[option.data] = float(text) if option.data == "weight" else int(text)
        return Production(lhs, self.template(body), **values)

    def template(self, tree: "Tree") -> tuple[Symbol, ...]:
        """The postfix symbols of an infix tree."""
        match tree.data, tree.children:
            case "number", [token]:
                return (self.number(token),)
            case "variable", [token]:
                return (re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL),)
            case "name", [token]:
                return (self.name(token),)
            case ("group", [_, inner, _]) | ("positive", [_, inner]):
                return self.template(inner)
            case "negative", [_, inner]:
                if inner.data == "number":
                    return (-self.number(inner.children[0]),)
                return (*self.template(inner), OPS["neg"])
            case "call", [function, _, *arguments, _]:
                return self.call(function, arguments[::2])
            case "binary", [left, symbol, right]:
                return (*self.template(left), *self.template(right), OPS[INFIX[symbol.strip('"')]])
        raise AssertionError(tree)

    def number(self, token: "Token") -> int | float:
        value = float(token)
        if not math.isfinite(value):
            self.fail(f"a finite number was expected, found {token:.20}", token)
        return int(token) if token.isdigit() else value

    def name(self, token: "Token") -> Symbol:
        word = str(token)
        op = OPS.get(ALIASES.get(word, word))
        if word in self.heads or word in ("CONST", "VAR"):
            return Slot(word)
        if word == "INT":
            return Integer()
        if word in ("nan", "inf"):
            self.fail(f"a finite number was expected, found {word}; a variable of that name is written in backquotes", token)
        if op is not None and op.arity:
            self.fail(f"{word!r} is a function: write {word}(...), or `{word}` for a variable of that name", token)
        return op or word

    def call(self, function: "Token", arguments: list["Tree"]) -> tuple[Symbol, ...]:
        parts = [self.template(a) for a in arguments]
        if function == "INT":
            if len(parts) != 2 or not all(len(p) == 1 and isinstance(p[0], int) for p in parts):
                self.fail("INT was expected alone or with two whole numbers, as in INT(1, 3)", function)
            return (Integer(parts[0][0], parts[1][0]),)
        op = OPS.get(ALIASES.get(str(function), str(function)))
        if op is None:
            known = [n for n in (*OPS, *ALIASES) if OPS[ALIASES.get(n, n)].arity]
            hint = near(function, known)
            if function in self.heads:
                hint = f"; a nonterminal takes no arguments, write {function}*(...) for a product"
            self.fail(f"an operator was expected before '(', found {str(function)!r}{hint}", function)
        if op.arity != len(parts):
            self.fail(f"{function} expects {op.arity} argument(s), found {len(parts)}", function)
        return (*(s for p in parts for s in p), op)


def _tree(text: str, file: str) -> "Tree":
    from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken

    try:
        return _parser().parse(text)
    except UnexpectedToken as error:
        ended = error.token.type == "$END"
        line, column = (text.count("\n") + 1, len(text) - text.rfind("\n")) if ended else (error.line, error.column)
        found = "the end of the text" if ended else f"'{error.token.strip()}'"
        expected = _words(error.accepts or error.expected)
        raise GrammarError(f"{expected} was expected, found {found}", file, line, column) from None
    except UnexpectedCharacters as error:
        found = repr(text[error.pos_in_stream])
        expected = _words(error.allowed or set())
        raise GrammarError(f"{expected} was expected, found {found}", file, error.line, error.column) from None
    except UnexpectedEOF as error:
        raise GrammarError(f"{_words(error.expected)} was expected, found the end of the text", file) from None


@cache
def _parser() -> "Lark":
    from lark import Lark

    options = {"parser": "lalr", "propagate_positions": True, "keep_all_tokens": True, "maybe_placeholders": False}
    return Lark.open("grammar.lark", rel_to=__file__, **options)


_WORDS = {"HEAD": "a rule (name : ...)", "NAME": "a name", "QUOTED": "a `quoted name`", "NUMBER": "a number",
          "COLON": "':'", "BAR": "'|'", "AT": "'@ weight'", "DOLLAR": "'$ cost'", "COMMA": "','", "OPEN": "'('", "CLOSE": "')'",
          "MINUS": "'-'", "$END": "the end"}
_OPERATORS = {"PLUS", "MINUS", "TIMES", "OVER", "POWER"}
_EXPRESSION = {"NAME", "QUOTED", "NUMBER", "OPEN", "MINUS", "PLUS"}


def _words(terminals: set[str]) -> str:
    """What was expected, in words: one of these terminals."""
    rest, words = set(terminals), []
    for group, mark, word in ((_EXPRESSION, "NAME", "an expression"), (_OPERATORS, "PLUS", "an operator (+ - * / ^)")):
        if mark in rest and len(rest & group) > 1:
            words.append(word)
            rest -= group
    words += [word for name, word in _WORDS.items() if name in rest]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words or ["something else"])


# printing ---------------------------------------------------------------------------------------------------------------
def to_text(grammar: Grammar) -> str:
    """The text of a .g file, one alternative per line."""
    first = grammar.productions[0].lhs
    lines = [] if grammar.start == first else [f"%start {grammar.start}"]
    for lhs, rule in grammar.rules.items():
        for i, p in enumerate(rule):
            weight = "" if p.weight == 1 else f" @ {p.weight!r}".removesuffix(".0")
            cost = "" if p.cost == default_cost(p.template) else f" $ {p.cost}"
            head = f"{' ' * len(lhs)} |" if i else f"{lhs} :"
            lines.append(f"{head} {_template_text(p.template, grammar.rules)}{weight}{cost}")
    return "\n".join(lines)


def _template_text(template: tuple[Symbol, ...], nonterminals: Container[str]) -> str:
    def leaf(symbol: Symbol) -> tuple[str, int]:
        if isinstance(symbol, Slot):
            return symbol.name, 5
        if isinstance(symbol, Integer):
            return "INT" if symbol == Integer() else f"INT({symbol.low}, {symbol.high})", 5
        if isinstance(symbol, str) and (symbol in nonterminals or symbol in ("CONST", "VAR", "INT")):
            return f"`{symbol}`", 5
        return _leaf_text(symbol)

    return Expr(template).fold(leaf, _branch_text)[0]


# shipped grammars ---------------------------------------------------------------------------------------------------------
def folder() -> Path:
    """Where the shipped grammars lie: in the installed package, or at the top of a checkout."""
    inside = Path(__file__).parents[1] / "grammars"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "grammars"


def shipped() -> tuple[str, ...]:
    """The names of the shipped grammars, sorted."""
    return tuple(sorted(path.stem for path in folder().glob("*.g")))


def load(source: str | Path) -> Grammar:
    """A shipped grammar by name, or a .g file by path."""
    path = Path(source)
    if path.suffix != ".g" and len(path.parts) == 1 and isinstance(source, str):
        if source not in shipped():
            hint = near(source, shipped())
            msg = f"a shipped grammar ({', '.join(shipped())}) or the path of a .g file was required, got {source!r}{hint}"
            raise GrammarError(msg)
        path = folder() / f"{source}.g"
    if not path.is_file():
        msg = f"an existing .g file was required, there is none at {str(path)!r}; the shipped grammars are {', '.join(shipped())}"
        raise GrammarError(msg)
    return parse(path.read_text(encoding="utf-8"), path.stem, str(path))
