"""What a grammar derives: drawing, counting, enumerating, judging and predicting expressions.

Each function takes a `Grammar` and does the work of its method of the same name, where the meaning is documented.
Two facts carry the algorithms. A template's root is a terminal unless the production is a unit `A : B`, and units
have no circles, so recursion on cost ends. A reversed postfix expression is a preorder, so matching a template against
a tree is one linear scan. Counting and judging are the inside algorithm (Baker 1979); predicting is the chart of
Earley (1970, doi:10.1145/362007.362035), which keeps ambiguous prefixes polynomial.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np

from symnum.language.expr import Expr
from symnum.language.grammar import CONST, VAR, Grammar, Integer, Production, Slot, Symbol, is_nonterminal
from symnum.language.ops import Op


def choices(symbol: Symbol, names: Sequence[str]) -> Sequence[Symbol]:
    """The tokens that a terminal of a template stands for (`CONST` for itself)."""
    return names if symbol == VAR else symbol.values if isinstance(symbol, Integer) else (symbol,)


def matches(symbol: Symbol, token: Symbol, columns: set[str]) -> int:
    """Among how many equally likely tokens a terminal chooses `token`; 0 where it cannot."""
    if isinstance(symbol, Op):
        return int(symbol is token)
    if isinstance(symbol, Slot):
        if symbol == CONST:
            return int(isinstance(token, float) or token == CONST)
        return len(columns) if isinstance(token, str) and token in columns else 0
    if isinstance(symbol, Integer):
        return len(symbol.values) if isinstance(token, int) and token in symbol.values else 0
    kind = str if isinstance(symbol, str) else float if isinstance(symbol, float) else int
    return int(isinstance(token, kind) and token == symbol)


def sample(grammar: Grammar, rng: np.random.Generator, names: Sequence[str], max_complexity: int) -> Expr:
    """One expression by the weights, among the productions that still fit."""
    slack = max_complexity - grammar.min_cost(grammar.start)  # what is left when all that is open is derived cheapest
    if slack < 0:
        msg = f"grammar {grammar.name!r} requires max_complexity >= {grammar.min_cost(grammar.start)}, got {max_complexity}"
        raise ValueError(msg)
    root: list = [Slot(grammar.start)]
    pending = [(root, 0)]
    while pending:  # open nonterminals in random order, so that no side of the tree is favoured when slack runs out
        i = int(rng.integers(len(pending)))
        pending[i], pending[-1] = pending[-1], pending[i]
        parent, place = pending.pop()
        fitting = [(p, extra) for p, extra in _extra_costs(grammar, parent[place].name) if extra <= slack]
        bounds = np.cumsum([p.weight for p, _ in fitting])
        chosen, extra = fitting[min(int(bounds.searchsorted(rng.random() * bounds[-1], "right")), len(fitting) - 1)]
        slack -= extra
        child = [_draw(symbol, rng, names) for symbol in chosen.template]
        parent[place] = child
        pending += [(child, j) for j, symbol in enumerate(child) if isinstance(symbol, Slot)]
    tokens, stack = [], [root]
    while stack:
        part = stack.pop()
        if isinstance(part, list):
            stack += reversed(part)
        else:
            tokens.append(part)
    return Expr(tuple(tokens))


def _extra_costs(grammar: Grammar, lhs: str) -> Iterator[tuple[Production, int]]:
    """The productions of a nonterminal, each with its least cost above the cheapest derivation's."""
    for p in grammar.rules[lhs]:
        yield p, p.cost + sum(map(grammar.min_cost, p.slots)) - grammar.min_cost(lhs)


def _draw(symbol: Symbol, rng: np.random.Generator, names: Sequence[str]) -> Symbol:
    if symbol == CONST:
        return float(rng.normal())
    options = choices(symbol, names)
    return options[int(rng.integers(len(options)))] if len(options) > 1 else options[0]


Counts = tuple[dict[str, list[int]], Callable[[int, int, int], int]]


def count_table(grammar: Grammar, complexity: int, names: Sequence[str]) -> Counts:
    """How many derivations there are.

    Returns:
        number[nonterminal][cost] up to `complexity`, and ways(p, j, budget): how many fillings of the slots j, j + 1, …
        of the p-th production cost exactly `budget`.
    """
    number = {lhs: [0] * (max(complexity, 0) + 1) for lhs in grammar.rules}
    index = {id(p): i for i, p in enumerate(grammar.productions)}
    slots = [p.slots for p in grammar.productions]
    leaves = [math.prod(len(choices(s, names)) for s in p.template) for p in grammar.productions]

    @cache
    def ways(p: int, j: int, budget: int) -> int:
        rest = slots[p][j:]
        if len(rest) < 2:
            return number[rest[0]][budget] if rest else int(budget == 0)
        return sum(n * ways(p, j + 1, budget - cost) for cost, n in enumerate(number[rest[0]][:budget]) if n)

    def derivations(p: Production, cost: int) -> int:
        i = index[id(p)]
        if p.is_unit:
            return number[slots[i][0]][cost]
        return leaves[i] * ways(i, 0, cost - p.cost) if p.cost <= cost else 0

    for cost in range(1, complexity + 1):
        for lhs in grammar.unit_order:
            number[lhs][cost] = sum(derivations(p, cost) for p in grammar.rules[lhs])
    return number, ways


def enumerate_expressions(grammar: Grammar, names: Sequence[str], complexity: int) -> Iterator[Expr]:
    """Every derivation of exactly this cost."""
    number, ways = count_table(grammar, complexity, names)
    index = {id(p): i for i, p in enumerate(grammar.productions)}
    kept: dict[tuple[str, int], list[tuple]] = {}  # where they are few, as those recur most

    def derive(lhs: str, cost: int) -> Iterator[tuple] | list[tuple]:
        if number[lhs][cost] > 10_000:
            return expand(lhs, cost)
        if (lhs, cost) not in kept:
            kept[lhs, cost] = list(expand(lhs, cost))
        return kept[lhs, cost]

    def expand(lhs: str, cost: int) -> Iterator[tuple]:
        for p in grammar.rules[lhs]:
            if p.is_unit:
                yield from derive(p.slots[0], cost)
            elif p.cost <= cost and ways(index[id(p)], 0, cost - p.cost):
                yield from fill(p, 0, 0, cost - p.cost)

    def fill(p: Production, at: int, j: int, budget: int) -> Iterator[tuple]:
        """The token tuples of template[at:], whose first nonterminal is the j-th slot; they use up the budget."""
        if at == len(p.template):
            yield ()
        elif is_nonterminal(symbol := p.template[at]):
            for cost in range(1, budget + 1):
                if number[symbol.name][cost] and ways(index[id(p)], j + 1, budget - cost):
                    tails = list(fill(p, at + 1, j + 1, budget - cost)) if j + 1 == len(p.slots) else None
                    for head in derive(symbol.name, cost):
                        for tail in fill(p, at + 1, j + 1, budget - cost) if tails is None else tails:
                            yield head + tail
        else:
            for token in (1.0,) if symbol == CONST else choices(symbol, names):
                for tail in fill(p, at + 1, j, budget):
                    yield (token, *tail)

    if complexity > 0:
        yield from map(Expr, derive(grammar.start, complexity))


def log_prob(grammar: Grammar, expr: Expr, names: Sequence[str]) -> float:
    """The logarithm of the summed probability of the derivations of an expression."""
    columns = set(names)
    sizes: list[int] = []
    chart: list[dict[str, float]] = []  # per subtree: the log-probability of each nonterminal that derives it

    def match(template: tuple[Symbol, ...], at: int) -> float:
        total = 0.0
        for symbol in reversed(template):
            if is_nonterminal(symbol):
                total += chart[at].get(symbol.name, -math.inf)
                at -= sizes[at]
            else:
                options = matches(symbol, expr.tokens[at], columns)
                total -= math.log(options) if options else math.inf
                at -= 1
            if total == -math.inf:
                break
        return total

    for end, token in enumerate(expr.tokens):
        size = 1
        for _ in range(token.arity if isinstance(token, Op) else 0):
            size += sizes[end - size]
        sizes.append(size)
        chart.append({})
        for lhs in grammar.unit_order:
            terms = [m + log_p for p, log_p in grammar.log_rules[lhs] if (m := match(p.template, end)) > -math.inf]
            if terms:
                chart[end][lhs] = terms[0] if len(terms) == 1 else float(np.logaddexp.reduce(terms))
    return chart[-1].get(grammar.start, -math.inf)


def mask(grammar: Grammar, prefix: Sequence[Symbol], names: Sequence[str]) -> tuple[Symbol, ...]:
    """The tokens that may follow a prefix in Polish order.

    An item (k, dot, node) says: of the k-th Polish template, the first `dot` symbols are written, on behalf of `node`,
    a (nonterminal, place in the prefix). `callers[node]` are the items that wait for the node.
    """
    polish = grammar.polish
    columns, whole = set(names), ("", -1)
    callers: dict[tuple[str, int], set] = {whole: set()}
    items = {(-1, 0, whole)}  # the last template is the start
    for place in range(len(prefix) + 1):
        agenda, seen, waiting = list(items), set(items), []
        while agenda:
            k, dot, node = item = agenda.pop()
            new = set()
            if dot == len(polish[k]):
                new = {(caller, after + 1, above) for caller, after, above in callers[node]}
            elif is_nonterminal(symbol := polish[k][dot]):
                called = symbol.name, place
                if called not in callers:
                    callers[called] = set()
                    new = {(i, 0, called) for i, p in enumerate(grammar.productions) if p.lhs == symbol.name}
                callers[called].add(item)
            else:
                waiting.append(item)
            agenda += new - seen
            seen |= new
        if place < len(prefix):
            items = {(k, dot + 1, node) for k, dot, node in waiting if matches(polish[k][dot], prefix[place], columns)}
            if not items:
                possible = _tokens([polish[k][dot] for k, dot, _ in waiting], names)
                msg = (f"no expression of grammar {grammar.name!r} goes on with {prefix[place]!r} at place {place}; "
                       f"possible there: {possible}")
                raise ValueError(msg)
    return _tokens([polish[k][dot] for k, dot, _ in waiting], names)


def _tokens(symbols: Sequence[Symbol], names: Sequence[str]) -> tuple[Symbol, ...]:
    """The tokens that terminals stand for, without repetition: operators, columns, CONST, numbers."""
    def rank(token: Symbol) -> tuple:
        if isinstance(token, Op):
            return 0, token.code
        return (1, names.index(token)) if isinstance(token, str) else (2, 0) if token == CONST else (3, token)

    tokens = {(type(token), token): token for symbol in symbols for token in choices(symbol, names)}
    return tuple(sorted(tokens.values(), key=rank))
