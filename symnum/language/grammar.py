"""Grammars: the language that a search looks through.

A `Grammar` is a list of weighted, costed productions `lhs : template`. A template is a postfix expression in which a
`Slot` stands for a nonterminal. This file owns the types and says what a grammar can do: draw, enumerate, count, judge
(`log_prob`, `contains`), guide a decoder (`mask`) and be bent by experience (`condition`).
The work is done in `grammar_derive`, the text form (.g files) is in `grammar_file`, well-formedness in `grammar_check`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path

import numpy as np

from symnum.language.expr import Expr
from symnum.language.ops import ALIASES, Op

LEAVES = ("CONST", "VAR")  # slots that are leaves, not nonterminals
RESERVED = (*LEAVES, "INT", "nan", "inf")


class GrammarError(ValueError):
    """A grammar that cannot be used: what was expected and what was found, and where.

    Attributes:
        message: the text without the place.
        file, line, column: the place, counted from 1; line and column are 0 where there is no text.
    """

    def __init__(self, message: str, file: str = "", line: int = 0, column: int = 0):
        super().__init__(message, file, line, column)
        self.message, self.file, self.line, self.column = message, file, line, column

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{place}: {self.message}" if place else self.message


@dataclass(frozen=True, slots=True)
class Slot:
    """A nonterminal in a template; `CONST` is a free constant and `VAR` any data column."""

    name: str


@dataclass(frozen=True, slots=True)
class Integer:
    """One integer of low..high; a range across 0 leaves 0 out.

    >>> Integer(-2, 2).values, Integer(0, 2).values
    ((-2, -1, 1, 2), (0, 1, 2))
    """

    low: int = -4
    high: int = 4

    @property
    def values(self) -> tuple[int, ...]:
        """The admissible integers, ascending."""
        return tuple(n for n in range(self.low, self.high + 1) if n or not self.low < 0 < self.high)


Symbol = Op | float | int | str | Slot | Integer
CONST, VAR = Slot("CONST"), Slot("VAR")


@dataclass(frozen=True, slots=True)
class Production:
    """One way to write the nonterminal `lhs`.

    Attributes:
        lhs: the nonterminal.
        template: a postfix expression; a `str` is a variable by name, an `int` or `float` a fixed number.
        weight: relative frequency among the productions of `lhs`.
        cost: complexity it adds; -1 stands for the sum over its terminals (operators their cost, leaves 1).

    >>> from symnum.language.ops import OPS
    >>> Production("expr", (Slot("expr"), CONST, OPS["mul"])).cost
    2
    """

    lhs: str
    template: tuple[Symbol, ...]
    weight: float = 1.0
    cost: int = -1

    def __post_init__(self):
        object.__setattr__(self, "template", tuple(self.template))
        object.__setattr__(self, "weight", float(self.weight))
        if self.cost == -1:
            object.__setattr__(self, "cost", default_cost(self.template))

    @property
    def slots(self) -> tuple[str, ...]:
        """The nonterminals of the template, in postfix order."""
        return tuple(s.name for s in self.template if is_nonterminal(s))

    @property
    def is_unit(self) -> bool:
        """Whether it only renames: `A : B`."""
        return len(self.template) == 1 and is_nonterminal(self.template[0])


def is_nonterminal(symbol: Symbol) -> bool:
    """Whether a template's symbol is to be derived further."""
    return isinstance(symbol, Slot) and symbol.name not in LEAVES


def default_cost(template: Sequence[Symbol]) -> int:
    """The sum over the terminals of a template: operators their cost, leaves 1, nonterminals 0."""
    return sum(s.cost if isinstance(s, Op) else 0 if is_nonterminal(s) else 1 for s in template)


@dataclass(frozen=True)
class Grammar:
    """A weighted context-free language of expressions; immutable, compared by value.

    Attributes:
        name: what it is called in messages.
        start: the nonterminal of whole expressions.
        productions: grouped by nonterminal (they are regrouped where they are not), otherwise in the given order.

    Raises:
        GrammarError: the grammar is not well-formed; see `symnum.language.grammar_check`.

    >>> g = Grammar.parse("expr : expr + expr | sin(arg) @ 0.5 | VAR \\n arg : CONST * VAR")
    >>> sorted(op.name for op in g.operators), g.min_cost("arg")
    (['add', 'mul', 'sin'], 3)
    >>> [str(e) for e in g.enumerate(["x"], 4)]
    ['sin(1.0*x)']
    """

    name: str
    start: str
    productions: tuple[Production, ...]

    def __post_init__(self):
        order = {p.lhs: i for i, p in reversed(list(enumerate(self.productions)))}
        object.__setattr__(self, "productions", tuple(sorted(self.productions, key=lambda p: order[p.lhs])))
        from symnum.language.grammar_check import faults

        for message, _ in faults(self.start, self.productions):
            raise GrammarError(message, self.name)

    def __reduce__(self):
        return Grammar, (self.name, self.start, self.productions)

    def __repr__(self) -> str:
        return f"<Grammar {self.name}: {', '.join(self.rules)}; {len(self.productions)} productions>"

    def __str__(self) -> str:
        """The text of a .g file that parses back to an equal grammar."""
        from symnum.language.grammar_file import to_text

        return to_text(self)

    # text -------------------------------------------------------------------------------------------------------------
    @classmethod
    def load(cls, source: "str | Path | Grammar") -> "Grammar":
        """A shipped grammar by name, or a .g file by path; a grammar passes through.

        Raises:
            GrammarError: no such grammar (the message offers the shipped ones), or the file is wrong.

        >>> Grammar.load("arithmetic").start
        'expr'
        """
        from symnum.language.grammar_file import load

        return source if isinstance(source, Grammar) else load(source)

    @classmethod
    def parse(cls, text: str, name: str = "grammar") -> "Grammar":
        """Read the text of a .g file.

        Raises:
            GrammarError: with `line` and `column`, counted from 1.

        >>> print(Grammar.parse('force : "-" CONST "*" x "^" INT @ 2'))
        force : -CONST*x^INT @ 2
        """
        from symnum.language.grammar_file import parse

        return parse(text, name)

    # what it contains -------------------------------------------------------------------------------------------------
    @cached_property
    def variables(self) -> tuple[str, ...]:
        """The variables used by name, sorted."""
        return tuple(sorted({s for p in self.productions for s in p.template if isinstance(s, str)}))

    @cached_property
    def operators(self) -> frozenset[Op]:
        """Every operator of the templates."""
        return frozenset(s for p in self.productions for s in p.template if isinstance(s, Op))

    @property
    def nonterminals(self) -> tuple[str, ...]:
        """The nonterminals, in the order of the file."""
        return tuple(self.rules)

    def min_cost(self, nonterminal: str) -> int:
        """The complexity of the cheapest expression of a nonterminal."""
        return self._least_costs[nonterminal]

    @cached_property
    def rules(self) -> dict[str, list[Production]]:
        """The productions of each nonterminal."""
        return {lhs: list(group) for lhs, group in groupby(self.productions, lambda p: p.lhs)}

    @cached_property
    def log_rules(self) -> dict[str, list[tuple[Production, float]]]:
        """The productions of each nonterminal with the logarithms of their probabilities."""
        total = {lhs: math.fsum(p.weight for p in rule) for lhs, rule in self.rules.items()}
        return {lhs: [(p, math.log(p.weight / total[lhs])) for p in rule] for lhs, rule in self.rules.items()}

    @cached_property
    def unit_order(self) -> list[str]:
        """The nonterminals, B before A wherever there is a unit production A : B."""
        from symnum.language.grammar_check import unit_graph

        return list(unit_graph(self.productions).static_order())

    @cached_property
    def polish(self) -> list[tuple[Symbol, ...]]:
        """The templates in Polish order (operators before their operands), and last the start."""
        def turned(p: Production) -> tuple[Symbol, ...]:
            return Expr(p.template).fold(lambda s: (s,), lambda op, arguments: (op, *(s for a in arguments for s in a)))

        return [*map(turned, self.productions), (Slot(self.start),)]

    @cached_property
    def _least_costs(self) -> dict[str, int]:
        from symnum.language.grammar_check import least_costs

        return {lhs: int(cost) for lhs, cost in least_costs(self.productions).items()}

    def columns(self, names: Sequence[str]) -> tuple[str, ...]:
        """The names as a tuple, checked.

        Raises:
            ValueError: a variable of the grammar is not among them, or VAR has nothing to choose from.
        """
        names = tuple(names)
        missing = [v for v in self.variables if v not in names]
        if missing:
            from symnum.language.grammar_check import near

            msg = (f"the columns must include the variables of grammar {self.name!r}; {missing} are not among {list(names)}"
                   + near(missing[0], [*names, *self.rules, *RESERVED]))
            raise ValueError(msg)
        if not names and any(VAR in p.template for p in self.productions):
            msg = f"grammar {self.name!r} has VAR and requires at least one column, got none"
            raise ValueError(msg)
        return names

    # generation -------------------------------------------------------------------------------------------------------
    def sample(self, rng: np.random.Generator, names: Sequence[str], max_complexity: int = 30) -> Expr:
        """Draw an expression by the weights; free constants are standard normal.

        Productions that no longer fit the complexity left are not drawn, so it always ends. Open nonterminals are
        derived in random order, so that no side of the tree is favoured when complexity runs short.

        Args:
            rng: the source of randomness.
            names: the data columns that VAR draws from, uniformly.
            max_complexity: bound on the cost of the derivation.

        Raises:
            ValueError: nothing is that cheap, or the grammar uses a variable that is not a column.

        >>> g = Grammar.parse("expr : expr + expr @ 3 | VAR")
        >>> g.sample(np.random.default_rng(0), ["x", "y"], 9).complexity <= 9
        True
        """
        from symnum.language.grammar_derive import sample

        return sample(self, rng, self.columns(names), max_complexity)

    def count(self, complexity: int, names: Sequence[str]) -> int:
        """The number of derivations of exactly this complexity, an exact integer by dynamic programming.

        >>> Grammar.parse("expr : expr + expr | VAR").count(41, ["x"])  # the Catalan number of 20
        6564120420
        """
        from symnum.language.grammar_derive import count_table

        number, _ = count_table(self, complexity, self.columns(names))
        return number[self.start][complexity] if complexity > 0 else 0

    def enumerate(self, names: Sequence[str], complexity: int) -> Iterator[Expr]:
        """All expressions of exactly this complexity, each derivation once; a free constant is 1.0.

        >>> [str(e) for e in Grammar.parse("expr : expr * expr | CONST | VAR").enumerate(["x"], 3)]
        ['1.0*1.0', '1.0*x', 'x*1.0', 'x*x']
        """
        from symnum.language.grammar_derive import enumerate_expressions

        return enumerate_expressions(self, self.columns(names), complexity)

    # judgement --------------------------------------------------------------------------------------------------------
    def log_prob(self, expr: Expr, names: Sequence[str] | None = None) -> float:
        """The logarithm of the probability that the weights give to an expression, summed over its derivations.

        Args:
            expr: free constants (floats) match CONST, or a float of the grammar that is equal; their values have no
                density. Integers match an equal literal or INT, variables their name or VAR.
            names: the columns over which VAR is uniform; the expression's own variables where None.

        Returns:
            -inf where the grammar does not contain the expression.

        >>> g = Grammar.parse("expr : expr + expr | VAR @ 3")
        >>> round(math.exp(g.log_prob(Expr.var("x") + Expr.var("y"), ["x", "y"])), 6)  # 1/4 * 3/8 * 3/8
        0.035156
        """
        from symnum.language.grammar_derive import log_prob

        return log_prob(self, expr, expr.variables if names is None else self.columns(names))

    def contains(self, expr: Expr, names: Sequence[str] | None = None) -> bool:
        """Whether the grammar can write the expression (over the columns `names`, or any where None).

        >>> g = Grammar.parse("expr : VAR ^ INT(2, 3)")
        >>> g.contains(Expr.var("x") ** 3), g.contains(Expr.var("x") ** 4), g.contains(Expr.var("x") ** 3.0)
        (True, False, False)
        """
        return self.log_prob(expr, names) > -math.inf

    def mask(self, prefix: Sequence[Symbol], names: Sequence[str]) -> tuple[Symbol, ...]:
        """What a decoder may write next.

        Args:
            prefix: the tokens so far in Polish order: an operator, then its left operand, then its right one
                (`x + 2*y` is add, "x", mul, 2, "y"). A free constant is any float or `CONST`.
            names: the data columns.

        Returns:
            every token with which the prefix can go on to a complete expression of the grammar, without repetition:
            operators, column names, integers, the grammar's own floats, and `CONST` for a free constant.
            Empty where the prefix is a complete expression.

        Raises:
            ValueError: no expression of the grammar begins with the prefix; the message says what was possible.

        >>> from symnum.language.ops import OPS
        >>> g = Grammar.parse("expr : expr + expr | sin(arg) | VAR \\n arg : CONST * VAR")
        >>> g.mask([], ["x"])
        (<add/2>, <sin/1>, 'x')
        >>> g.mask([OPS["sin"], OPS["mul"]], ["x"])
        (Slot(name='CONST'),)
        """
        from symnum.language.grammar_derive import mask

        return mask(self, prefix, self.columns(names))

    # change -----------------------------------------------------------------------------------------------------------
    def condition(self, weights: Mapping[int | str, float], mix: float = 0.3) -> "Grammar":
        """The same language with other probabilities.

        Args:
            weights: new weights, in the units of the file. A key is a production's index in `productions`, or the name
                of an operator, a nonterminal, a variable, CONST, VAR or INT, and then means every production whose
                template uses it. An index wins over a name, a later name over an earlier one; what is not named keeps
                its weight. Within a nonterminal the sum of the weights is kept.
            mix: the share of the old probabilities in the new ones, above 0 so that nothing becomes impossible.

        Raises:
            ValueError: a key means no production, a weight is negative or not finite, or `mix` is not in (0, 1].

        >>> g = Grammar.parse("expr : expr + expr | sin(expr) | VAR @ 2").condition({"sin": 0.0}, mix=0.5)
        >>> [round(p.weight, 3) for p in g.productions]
        [1.167, 0.5, 2.333]
        """
        if not 0 < mix <= 1:
            msg = f"mix must be in (0, 1] so that nothing becomes impossible, got {mix}"
            raise ValueError(msg)
        new: dict[int, float] = {}
        for key, weight in sorted(weights.items(), key=lambda item: isinstance(item[0], int | np.integer)):
            if not (math.isfinite(weight) and weight >= 0):
                msg = f"a finite weight >= 0 was required for {key!r}, got {weight}"
                raise ValueError(msg)
            new |= dict.fromkeys(self._meant(key), float(weight))
        changed = []
        for rule in self.rules.values():
            index = range(len(changed), len(changed) + len(rule))
            wanted = [new.get(i, p.weight) for i, p in zip(index, rule, strict=True)]
            if new.keys().isdisjoint(index) or not any(wanted):
                changed += rule
                continue
            shares = np.array(wanted) / max(wanted)
            freed = (1 - mix) * math.fsum(p.weight for p in rule) * shares / shares.sum()
            changed += [replace(p, weight=mix * p.weight + float(more)) for p, more in zip(rule, freed, strict=True)]
        return replace(self, productions=tuple(changed))

    def _meant(self, key: int | str) -> list[int]:
        """The productions that a key of `condition` means."""
        if not isinstance(key, str):
            if 0 <= key < len(self.productions):
                return [int(key)]
            msg = f"a production's index must be in 0..{len(self.productions) - 1}, got {key}"
            raise ValueError(msg)
        names = [{_name(s) for s in p.template} for p in self.productions]
        found = [i for i, used in enumerate(names) if key in used or ALIASES.get(key) in used]
        if not found:
            from symnum.language.grammar_check import near

            hint = near(key, sorted(set().union(*names)))
            msg = f"a name used by a production of grammar {self.name!r} was required, got {key!r}{hint}"
            raise ValueError(msg)
        return found


def _name(symbol: Symbol) -> str:
    return symbol.name if isinstance(symbol, Op | Slot) else "INT" if isinstance(symbol, Integer) else str(symbol)
