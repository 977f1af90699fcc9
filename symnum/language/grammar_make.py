"""Grammars made from grammars: the elementary one with the operators that are named, and any one with known sub-expressions.

    grammar_of(["+", "*", "sin"])                    the elementary grammar's rules, without the other operators
    with_known(grammar, ["x0*x1", "exp(-x2)"])       wherever a column may stand, so may these
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from symnum.language.expr import Expr
from symnum.language.grammar import CONST, VAR, Grammar, GrammarError, Integer, Production, Slot
from symnum.language.grammar_check import near
from symnum.language.ops import ALIASES, OPS, Op

INFIX = {op.infix: op for op in OPS.values() if op.infix} | {"**": OPS["power"]}
LIKE = {"tan": "sin", "sinh": "tanh", "cosh": "tanh"}  # operators that take the places of another one of their kind
ALGEBRAIC = ("cbrt", "abs", "sign", "min", "max")  # take what stands around them, as sqrt does
KNOWN_COST = 2  # of a known sub-expression: a column costs 1


def grammar_of(operators: Iterable[str | Op]) -> Grammar:
    """The language of the named operators, constants and columns, by the rules of the elementary grammar.

    Nesting is limited as there: nothing periodic inside something periodic, nothing that grows exponentially inside its
    like; a function that the elementary grammar lacks takes arithmetic arguments only. `^` has exponents that are
    constants or small integers.

    Args:
        operators: names, aliases or symbols of the operator table, or one text of them separated by blanks or commas;
            user operators by name or as they are.

    Raises:
        GrammarError: no operator of that name (the message offers near ones), or none at all.

    >>> print(grammar_of(["+", "*", "sin"]))
    expr : expr + expr @ 4
         | expr*expr @ 4
         | sin(wave)
         | CONST @ 4
         | VAR @ 9
    wave : wave + wave @ 3
         | wave*wave @ 4
         | CONST @ 6
         | VAR @ 12
    """
    given = operators.replace(",", " ").split() if isinstance(operators, str) else list(operators)
    wanted = list(dict.fromkeys(_operator(o) for o in given))
    if not wanted:
        msg = "at least one operator is required, such as '+', '*', 'sin'; without any choice leave operators=None"
        raise GrammarError(msg)
    base = Grammar.load("elementary")
    productions = [p for p in base.productions if all(s in wanted for s in p.template if isinstance(s, Op))]
    for op in wanted:
        if op not in base.operators:
            productions += _added(op, base)
    return Grammar("elementary: " + " ".join(op.infix or op.name for op in wanted), base.start, _reachable(base.start, productions))


def _operator(given: str | Op) -> Op:
    if isinstance(given, Op):
        return OPS.get(given.name, given)
    op = INFIX.get(given) or OPS.get(ALIASES.get(given, given))
    if op is None:
        msg = f"operators of the table were required, got {given!r}{near(str(given), [*OPS, *ALIASES, *INFIX])}"
        raise GrammarError(msg)
    return op


def _added(op: Op, base: Grammar) -> list[Production]:
    """Productions of an operator that the elementary grammar lacks."""
    if op.name in LIKE:
        model = OPS[LIKE[op.name]]
        found = [p for p in base.productions if model in p.template]
        return [replace(p, template=tuple(op if s is model else s for s in p.template), weight=p.weight / 2) for p in found]
    places = [p.lhs for p in base.productions if p.template == (VAR,)]
    if op.name == "power":
        exponents = (CONST, Integer(-4, 4))
        return [Production(lhs, (Slot(lhs), exponent, op), 0.5) for lhs in places for exponent in exponents]
    if op.arity == 0:
        return [Production(lhs, (op,), 1.0) for lhs in places]
    if op.name in ALGEBRAIC or op.arity == 2:
        return [Production(lhs, (*[Slot(lhs)] * op.arity, op), 0.5) for lhs in places]
    return [Production(lhs, (Slot("plain"), op), 0.5) for lhs in places if lhs != "plain"]


def _reachable(start: str, productions: Sequence[Production]) -> tuple[Production, ...]:
    """The productions that derivations of the start can use and that come to an end."""
    ends: set[str] = set()
    while new := {p.lhs for p in productions if p.lhs not in ends and all(s in ends for s in p.slots)}:
        ends |= new
    productions = [p for p in productions if all(s in ends for s in p.slots)]
    reached, frontier = {start}, {start}
    while frontier:
        frontier = {s for p in productions if p.lhs in frontier for s in p.slots} - reached
        reached |= frontier
    return tuple(p for p in productions if p.lhs in reached)


def with_known(grammar: Grammar, known: Iterable[str | Expr], columns: Sequence[str]) -> Grammar:
    """The grammar with given sub-expressions as further leaves, each of complexity 2.

    They stand wherever any column may (where the grammar has no such place: as whole expressions), and together are
    as likely as a column there. Numbers with a point are free constants, whole ones are exact.

    Args:
        grammar: any.
        known: sub-expressions, as text or `Expr`.
        columns: the names that they may use.

    Raises:
        GrammarError: a sub-expression that cannot be read, names something else, or is only a leaf.

    >>> print(with_known(Grammar.parse("e : e + e | VAR"), ["exp(-2.5*x1)"], ["x0", "x1"]))
    e : e + e
      | VAR
      | exp(CONST*x1) $ 2
    """
    known = [known] if isinstance(known, str | Expr) else list(known)
    templates = list(dict.fromkeys(_leaf(k, columns) for k in known))
    if not templates:
        return grammar
    homes = {p.lhs: p.weight for p in grammar.productions if p.template == (VAR,)} or {grammar.start: 1.0}
    taken = {(p.lhs, p.template) for p in grammar.productions}
    new = [Production(lhs, t, weight / len(templates), KNOWN_COST) for lhs, weight in homes.items() for t in templates
           if (lhs, t) not in taken]
    return replace(grammar, productions=(*grammar.productions, *new))


def _leaf(known: str | Expr, columns: Sequence[str]) -> tuple:
    """The template of a known sub-expression."""
    try:
        expr = Expr.parse(known) if isinstance(known, str) else known
    except ValueError as error:
        msg = f"a known sub-expression such as 'x0*x1' was required: {error}"
        raise GrammarError(msg) from None
    if not isinstance(expr, Expr) or len(expr.tokens) == 1:
        msg = f"a known sub-expression must be more than one symbol, as 'x0*x1' is, got {str(known)!r}"
        raise GrammarError(msg)
    for name in expr.variables:
        if name not in columns:
            msg = f"the known sub-expression {str(expr)!r} uses {name!r}; the columns are {', '.join(columns[:8])}{near(name, columns)}"
            raise GrammarError(msg)
    return tuple(CONST if isinstance(t, float) else t for t in expr.tokens)
