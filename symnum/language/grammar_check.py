"""Whether a grammar is well-formed: every nonterminal defined, used, and able to end; no circles, no free steps.

`faults` takes the start and the productions and gives messages; `Grammar` raises the first one, `grammar_file` adds
line and column. The least cost of a nonterminal and the order of unit productions are computed here, as they are what
the checks establish.
"""

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from symnum.language.expr import Expr
from symnum.language.grammar import LEAVES, RESERVED, Integer, Production, Symbol, is_nonterminal
from symnum.language.ops import Op


def faults(start: str, productions: Sequence[Production]) -> Iterator[tuple[str, int]]:
    """What is wrong with a grammar: messages, each with the index of the production at fault (-1: none).

    The first one is the one to show: later ones may follow from it.

    >>> from symnum.language.grammar import Production, Slot
    >>> from symnum.language.ops import OPS
    >>> next(faults("a", [Production("a", (Slot("a"), OPS["sin"]))]))
    ("nonterminal 'a' cannot terminate: every alternative leads back to it; add one such as VAR or CONST", 0)
    """
    first = {p.lhs: i for i, p in reversed(list(enumerate(productions)))}
    if start not in first:
        yield f"a rule for the start {start!r} was required, got rules for {sorted(first)}{near(start, [*first])}", -1
        return
    broken = False
    seen: dict[tuple, int] = {}
    for i, p in enumerate(productions):
        key = p.lhs, *((type(s), s) for s in p.template)
        twin = seen.setdefault(key, i)
        message = _production_fault(p, first)
        if not message and twin != i:
            message = f"{p.lhs!r} has this alternative twice; keep one, with the sum of the weights"
        if message:
            broken = True
            yield message, i
    if broken:
        return
    try:
        unit_graph(productions).prepare()
    except CycleError as error:
        cycle = error.args[1][::-1]
        at = next(i for i, p in enumerate(productions) if p.lhs == cycle[0] and p.slots == (cycle[1],) and p.is_unit)
        yield f"unit productions must not lead in a circle, got {' : '.join(cycle)}", at
        return
    for lhs, cost in least_costs(productions).items():
        if cost == math.inf:
            message = f"nonterminal {lhs!r} cannot terminate: every alternative leads back to it; add one such as VAR or CONST"
            yield message, first[lhs]
    reached, frontier = {start}, {start}
    while frontier:
        frontier = {s for p in productions if p.lhs in frontier for s in p.slots} - reached
        reached |= frontier
    for lhs in first:
        if lhs not in reached:
            yield f"nonterminal {lhs!r} is never used; use it in an alternative that {start!r} reaches, or delete it", first[lhs]


def _production_fault(p: Production, rules: Mapping[str, int]) -> str:
    """What is wrong with one production, or an empty text."""
    if not p.lhs.isidentifier() or p.lhs in RESERVED:
        return f"a nonterminal must be an identifier and none of {', '.join(RESERVED)}, got {p.lhs!r}; try {p.lhs + '_'!r}"
    try:
        Expr(p.template)
    except ValueError:
        return f"a template must be one postfix expression, got {p.template!r}"
    for symbol in p.template:
        if not isinstance(symbol, Symbol):
            return f"a template consists of operators, numbers, names, Slot and Integer, got {symbol!r}"
        if is_nonterminal(symbol) and symbol.name not in rules:
            return f"every slot requires a rule, there is none for {symbol.name!r}{near(symbol.name, [*rules, *LEAVES])}"
        if isinstance(symbol, Op) and not symbol.arity and symbol.name in rules:
            return f"the constant {symbol.name!r} cannot be used beside a nonterminal of the same name; rename the nonterminal"
        if isinstance(symbol, Integer) and symbol.low > symbol.high:
            return f"INT(low, high) requires low <= high, got INT({symbol.low}, {symbol.high})"
        if isinstance(symbol, float) and not math.isfinite(symbol):
            return f"a number must be finite, got {symbol}"
    if not (math.isfinite(p.weight) and p.weight > 0):
        return f"a weight must be finite and above 0, got @ {p.weight:g}; delete the alternative to exclude it"
    if p.is_unit and p.cost:
        return f"a production that only renames ({p.lhs} : {p.slots[0]}) must cost 0, got $ {p.cost}"
    if not p.is_unit and (p.cost < 1 or p.cost != int(p.cost)):
        return f"the cost of a production must be a whole number >= 1, got $ {p.cost}"
    return ""


def unit_graph(productions: Sequence[Production]) -> TopologicalSorter:
    """Every nonterminal, after the ones that its unit productions lead to."""
    return TopologicalSorter({lhs: [p.slots[0] for p in productions if p.lhs == lhs and p.is_unit]
                              for lhs in dict.fromkeys(p.lhs for p in productions)})


def least_costs(productions: Sequence[Production]) -> dict[str, float]:
    """The cost of the cheapest derivation of each nonterminal, inf where there is none."""
    least = dict.fromkeys((p.lhs for p in productions), math.inf)
    for _ in least:  # a cheapest derivation repeats no nonterminal on a path
        for p in productions:
            least[p.lhs] = min(least[p.lhs], p.cost + sum(least[s] for s in p.slots))
    return least


def near(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name, or an empty text."""
    found = difflib.get_close_matches(name, known, 3)
    return f"; did you mean {' or '.join(found)}?" if found else ""
