"""Templates: the part of a law that is known, with functions to be found in it.

    sin(f(x0)) + g(x1, x2)*x3           f and g are searched, each over its own columns
    p*exp(-q*f(x0))                     lower-case names that are neither columns nor functions are free constants
    p[site]*exp(-q*x0)                  one constant for each category of the column `site`

A template becomes a grammar: its text is the only production of the start, every function a copy of a base grammar over
the function's columns. Whole numbers are exact, numbers with a point are free constants. `p[site]` is written as the sum
of CONST * `site=k` over the categories k, where the column `site=k` is 1 on the rows of that category and 0 elsewhere
(`symnum.problem.categories`). What was found is read back from the formula by `Template.parts`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from symnum.language.expr import Expr, quote
from symnum.language.grammar import CONST, VAR, Grammar, GrammarError, Integer, Production, Slot, Symbol, default_cost, is_nonterminal
from symnum.language.grammar_check import near
from symnum.language.grammar_make import grammar_of, with_known
from symnum.language.ops import ALIASES, OPS

START = "template"
_QUOTED = r"`(?:\\.|[^`\\])*`"
_LIST = rf"(?:\s*(?:{_QUOTED}|\w+)\s*,?)*"
_PART = re.compile(rf"{_QUOTED}|(?<!\w)([^\W\d]\w*)\s*(?:\(({_LIST})\)|\[({_LIST})\])")
_LABEL = re.compile(r"([^\W\d]\w*)\[(.*)\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Template:
    """A template over given columns; see `Template.parse`.

    Attributes:
        text: as it was written.
        grammar: what searches look through.
        functions: function -> its columns.
        labels: for each free constant of the template, in postfix order: its name, `p[category]`, or an empty text.

    >>> t = Template.parse("sin(f(x0)) + q*x1", ["x0", "x1"], "arithmetic")
    >>> {name: str(part) for name, part in t.parts(Expr.parse("sin(x0*x0) + 2.5*x1")).items()}
    {'f': 'x0*x0', 'q': '2.5'}
    """

    text: str
    grammar: Grammar
    functions: Mapping[str, tuple[str, ...]]
    labels: tuple[str, ...]

    @classmethod
    def parse(
        cls, text: str, columns: Sequence[str], base: str | Grammar = "elementary", categories: Mapping[str, Sequence[str]] | None = None
    ) -> "Template":
        """Read a template.

        Args:
            text: an expression; `f(x0, x1)`, where f is no operator, is a function to be found.
            columns: the names that it may use.
            base: the grammar of the functions.
            categories: categorical column -> its categories; `site=k` must be a column for each of them.

        Raises:
            GrammarError: text that cannot be read, unknown columns, a name used twice, a column without categories.
        """
        if not isinstance(text, str) or not text.strip():
            msg = f"a template such as 'sin(f(x0)) + g(x1, x2)' was required, got {text!r}"
            raise GrammarError(msg)
        if re.search(r"[|:@$%#\n]", re.sub(_QUOTED, "", text)):
            msg = f"one expression was required as a template, got {text!r}; | : @ $ % # belong to grammar files"
            raise GrammarError(msg)
        return _Reader(text, tuple(columns), Grammar.load(base), categories or {}).template()

    @property
    def _shape(self) -> tuple[Symbol, ...]:
        return self.grammar.rules[self.grammar.start][0].template

    def parts(self, expr: Expr) -> dict[str, Expr | float | dict[str, float]] | None:
        """What stands in the template's places: functions as expressions, constants as numbers, `p[site]` as numbers by category.

        Returns:
            None where the formula is not written as the template is (say, simplified).
        """
        at, found, labels = len(expr.tokens) - 1, {}, list(self.labels)
        for symbol in reversed(self._shape):
            if at < 0:
                return None
            token = expr.tokens[at]
            size = expr._span(at) if is_nonterminal(symbol) else 1
            if is_nonterminal(symbol):
                found[symbol.name] = Expr(expr.tokens[at - size + 1 : at + 1])
            elif symbol == CONST:
                if not isinstance(token, float):
                    return None
                found[labels.pop()] = token
            elif not isinstance(symbol, Slot | Integer) and (symbol != token or type(symbol) is not type(token)):
                return None
            at -= size
        found.pop("", None)
        if at >= 0:
            return None
        parts: dict = {}
        for name, part in reversed(found.items()):
            match = _LABEL.fullmatch(name)
            if match:
                parts.setdefault(match[1], {})[match[2]] = part
            else:
                parts[name] = part
        return parts

    def lines(self, expr: Expr, digits: int = 6) -> list[str]:
        """The template and its parts as text, one per line; empty where the formula is not written as the template is.

        >>> t = Template.parse("p[site]*x0", ["x0", "site=a", "site=b"], "arithmetic", {"site": ["a", "b"]})
        >>> t.lines(Expr.parse("(2.0*`site=a` + 3.5*`site=b`)*x0"))
        ['template: p[site]*x0', '  p: a = 2, b = 3.5']
        """
        parts = self.parts(expr)
        if parts is None:
            return []
        out = [f"template: {self.text}"]
        for name, part in parts.items():
            if isinstance(part, dict):
                out.append(f"  {name}: " + ", ".join(f"{k} = {v:.{digits}g}" for k, v in part.items()))
            elif isinstance(part, Expr):
                part = part.simplify()
                short = part.with_constants(float(f"{c:.{digits}g}") for c in part.constants)
                out.append(f"  {name}({', '.join(map(quote, self.functions[name]))}) = {short}")
            else:
                out.append(f"  {name} = {part:.{digits}g}")
        return out


def category_columns(text: str) -> tuple[str, ...]:
    """The columns that a template takes as categories, in order.

    >>> category_columns("p[site]*exp(-q[`my batch`]*x0) + r[site]")
    ('site', 'my batch')
    """
    if not isinstance(text, str):
        msg = f"a template such as 'sin(f(x0)) + g(x1, x2)' was required, got {text!r}"
        raise GrammarError(msg)
    return tuple(dict.fromkeys(_name(m[3]) for m in _PART.finditer(text) if m[3] is not None))


def _name(text: str) -> str:
    """A column's name as it is written, without its backquotes."""
    text = text.strip()
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL) if text.startswith("`") else text


class _Reader:
    """Reads one template: functions and categories become words that the syntax of grammar files knows."""

    def __init__(self, text: str, columns: tuple[str, ...], base: Grammar, categories: Mapping[str, Sequence[str]]):
        self.text, self.columns, self.base, self.categories = text, columns, base, categories
        self.functions: dict[str, tuple[str, ...]] = {}
        self.parameters: dict[str, tuple[str, str]] = {}  # word -> (name, categorical column)
        self.named: list[str] = []

    def fail(self, problem: str):
        msg = f"the template {self.text!r} cannot be used: {problem}"
        raise GrammarError(msg)

    def template(self) -> Template:
        text = _PART.sub(self.replaced, self.text)
        rules = "".join(f"\n{f} : CONST" for f in self.functions)
        try:
            read = Grammar.parse(f"{START} : {text}{rules}", "template")
        except GrammarError as error:
            hint = "; functions to be found take columns only, as in f(x0, x1)" if "before '('" in error.message else ""
            self.fail(error.message + hint)
        symbols, labels, saved = [], [], 0
        for symbol in read.rules[START][0].template:
            if isinstance(symbol, str) and symbol in self.parameters:
                name, column = self.parameters[symbol]
                terms = [(CONST, f"{column}={k}", OPS["mul"]) for k in self.categories[column]]
                symbols += [s for i, term in enumerate(terms) for s in (*term, *([OPS["add"]] if i else []))]
                labels += [f"{name}[{k}]" for k in self.categories[column]]
                saved += 4 * len(terms) - 3  # it counts as a constant and a column, however many categories there are
            else:
                symbols.append(self.leaf(symbol))
                if symbols[-1] == CONST:
                    labels.append(symbol if isinstance(symbol, str) else "")
        for f in self.functions:
            if symbols.count(Slot(f)) != 1:
                self.fail(f"every function and constant may be used once, {f!r} is used again; give each use a name of its own")
        start = Production(START, tuple(symbols), cost=default_cost(symbols) - saved)
        copies = [p for f, columns in self.functions.items() for p in self.copy(f, columns)]
        return Template(self.text, Grammar(self.text, START, (start, *copies)), self.functions, tuple(labels))

    def replaced(self, match: re.Match) -> str:
        """`f(x0)` as a nonterminal's name, `p[site]` as a word of its own; operators and quoted names as they are."""
        name, arguments, column = match[1], match[2], match[3]
        if name is None or (arguments is not None and ALIASES.get(name, name) in OPS) or name == "INT":
            return match[0]
        if name in self.columns or name in (START, "CONST", "VAR") or ALIASES.get(name, name) in OPS:
            self.fail(f"{name!r} cannot be the name of a function or constant, it is a column, an operator or a word of grammars")
        if name in self.functions or name in self.named:
            self.fail(f"every function and constant may be used once, {name!r} is used again; give each use a name of its own")
        if column is not None:
            self.named.append(name)
            word = f"{name}_by_category"
            self.parameters[word] = name, self.category(_name(column))
            return word
        listed = [_name(a) for a in re.findall(rf"{_QUOTED}|[^,]+", arguments) if a.strip()]
        if not listed:
            self.fail(f"the function {name} needs the columns that it is of, as in {name}({self.columns[0]})")
        for a in listed:
            if a not in self.columns:
                self.fail(f"{name} takes columns only, {a!r} is none ({', '.join(self.columns[:8])}){near(a, self.columns)}")
        self.functions[name] = tuple(dict.fromkeys(listed))
        return f" {name} "

    def category(self, column: str) -> str:
        if column not in self.categories:
            known = ", ".join(self.categories) or "none is categorical"
            self.fail(f"a constant per category needs a categorical column, {column!r} is none ({known}){near(column, self.categories)}")
        return column

    def leaf(self, symbol: Symbol) -> Symbol:
        """Numbers with a point and lower-case names that are no columns are free constants."""
        if isinstance(symbol, float):
            return CONST
        if not isinstance(symbol, str) or symbol in self.columns:
            return symbol
        if not symbol[:1].islower() or not symbol.isidentifier() or symbol in self.categories:
            self.fail(f"a column ({', '.join(self.columns[:8])}), or a lower-case name for a constant was required, got {symbol!r}"
                      + near(symbol, self.columns))
        if len(symbol) > 3 and (hint := near(symbol, [c for c in self.columns if len(c) > 3])):
            self.fail(f"{symbol!r} is no column{hint}")
        if symbol in self.named or symbol in self.functions:
            self.fail(f"every function and constant may be used once, {symbol!r} is used again; give each use a name of its own")
        self.named.append(symbol)
        return CONST

    def copy(self, function: str, columns: tuple[str, ...]) -> list[Production]:
        """The base grammar's productions under names of the function's own, over its columns only."""
        renamed = {n: f"{function}__{n}" for n in self.base.nonterminals} | {self.base.start: function}
        out = []
        for p in self.base.productions:
            if any(isinstance(s, str) and s not in columns for s in p.template):
                continue
            options = [columns if s == VAR else (Slot(renamed[s.name]) if is_nonterminal(s) else s,) for s in p.template]
            choices = list(product(*options))
            out += [replace(p, lhs=renamed[p.lhs], template=c, weight=p.weight / len(choices)) for c in choices]
        return list({(p.lhs, tuple((type(s), s) for s in p.template)): p for p in out}.values())


def language(
    columns: Sequence[str],
    grammar: str | Grammar = "elementary",
    operators: Iterable[str] | None = None,
    known: Iterable[str | Expr] = (),
    template: str | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
) -> Grammar | Template:
    """What a search looks through, from all the ways in which a user may say it.

    Args:
        columns: the names that formulas may use.
        grammar: a grammar; or
        operators: names of operators, instead of a grammar (`grammar_of`).
        known: sub-expressions that stand as one symbol (`with_known`).
        template: the form of the law (`Template`), whose functions are of that grammar.
        categories: categorical column -> categories, for the template.

    Raises:
        GrammarError: operators beside a grammar, or any of them cannot be used.

    >>> language(["x0"], operators="+ *", known=["exp(-x0)"])
    <Grammar elementary: + *: expr; 5 productions>
    """
    if operators is not None and grammar != "elementary":
        msg = f"either a grammar or operators were required, got both: {grammar!r} and {operators!r}"
        raise GrammarError(msg)
    base = Grammar.load(grammar) if operators is None else grammar_of(operators)
    base = with_known(base, known, tuple(columns))
    return base if template is None else Template.parse(template, columns, base, categories)
