"""A grammar compiled to arrays over given columns: what searches draw from and check against, in numba.

Productions become postfix templates of batch codes in which SLOT stands for a nonterminal; `VAR` and `INT` become one
production per column and per integer. Renaming productions (A : B) are folded into probabilities: `probability[N, r]` is
the chance that a slot N is filled by production r. A batch belongs to the grammar, at what complexity, is answered by a
bottom-up chart over its subtrees (`complexity`), so that variation operators may splice freely and check afterwards.
"""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from symnum.language.batch import Batch, arities
from symnum.language.batch_kernels import INNER, KERNEL, mix, subtree_sizes
from symnum.language.grammar import Grammar, Integer, Slot
from symnum.language.ops import CONST, FIRST_OP, NUMBER, VAR, Op

SLOT = 255  # template code of a nonterminal
NEVER = 1 << 30  # cost of what cannot be derived
DEEPEST = 1024  # nested productions of one random derivation


@dataclass(frozen=True, slots=True)
class Rules:
    """R productions over N nonterminals (number 0 is the start) and the columns `names`.

    Attributes:
        code, arg, value: template tokens, flat; for SLOT, arg is the nonterminal.
        start: (R + 1,) where each template begins.
        cost: (R,) complexity each production adds.
        least: (R,) least complexity of an expression it heads.
        lhs: (R,) the nonterminal it belongs to.
        probability: (N, R) chance that a slot is filled by the production.
        least_of: (N,) least complexity of a slot.
        reach: (N, N) whether N may be filled by what derives M through renaming.
        by_root, root_start: productions grouped by the last code of their template: those of code c are
            by_root[root_start[c]:root_start[c + 1]].
        grammar: what was compiled.
    """

    code: np.ndarray
    arg: np.ndarray
    value: np.ndarray
    start: np.ndarray
    cost: np.ndarray
    least: np.ndarray
    lhs: np.ndarray
    probability: np.ndarray
    least_of: np.ndarray
    reach: np.ndarray
    by_root: np.ndarray
    root_start: np.ndarray
    names: tuple[str, ...]
    grammar: Grammar | None = None

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """What the kernels take."""
        return (
            self.code,
            self.arg,
            self.value,
            self.start,
            self.cost,
            self.least,
            self.lhs,
            self.probability,
            self.least_of,
            self.reach,
            self.by_root,
            self.root_start,
        )

    def __len__(self) -> int:
        return len(self.cost)

    def template(self, r: int) -> list[tuple[int, int, float]]:
        """(code, arg, value) of the template tokens of production r."""
        span = slice(int(self.start[r]), int(self.start[r + 1]))
        return list(zip(self.code[span].tolist(), self.arg[span].tolist(), self.value[span].tolist(), strict=True))

    def complexity(self, batch: Batch) -> np.ndarray:
        """Complexity (P,) of each expression in this grammar, -1 where it is not in it.

        >>> rules = compile_rules(Grammar.parse("expr : expr + expr | VAR | CONST $ 3"), ["x", "y"])
        >>> from symnum.language.expr import Expr
        >>> rules.complexity(Batch.pack([Expr.parse("x + y"), Expr.parse("x + 1.5"), Expr.parse("x*y")], ["x", "y"])).tolist()
        [3, 5, -1]
        """
        out = np.empty(len(batch), np.int64)
        desk = self.desk(len(batch.code), int(batch.lengths.max(initial=1)))
        derive(batch.code, batch.arg, batch.value, batch.offset, arities(), self.arrays, desk, out)
        return out

    def desk(self, tokens: int, longest: int) -> tuple[np.ndarray, ...]:
        """Working arrays of `derive` for batches of so many tokens: kernels allocate nothing."""
        slots = len(self.least_of)
        return np.empty(tokens, np.int32), np.empty((longest, slots), np.int64), np.empty(slots, np.int64)

    def sample(self, n: int, budget: int, rng: np.random.Generator) -> Batch:
        """`n` random expressions of complexity at most `budget` (or the least there is)."""
        least = max(1, int(self.least_of[0]))
        budgets = rng.integers(least, max(budget, least) + 1, n)
        limit = 64 * (int(budgets.max(initial=0)) + 4)  # tokens: templates of cost 1 may hold many
        code, arg, value = np.empty(limit * n, np.uint8), np.empty(limit * n, np.int32), np.empty(limit * n)
        offset, stack = np.zeros(n + 1, np.int64), np.empty((DEEPEST, 2), np.int64)
        state = rng.integers(1 << 63, size=1, dtype=np.uint64)
        sample_many(self.arrays, budgets, limit, state, stack, code, arg, value, offset)
        end = offset[-1]
        return Batch(code[:end].copy(), arg[:end].copy(), value[:end].copy(), offset, self.names)

    @property
    def leaf_tokens(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(code, arg, value) of every leaf that the templates use."""
        leaf = (self.code != SLOT) & (arities()[self.code] == 0)
        rows = np.unique(np.stack([self.code[leaf], self.arg[leaf], np.where(self.code[leaf] == CONST, 1.0, self.value[leaf])]), axis=1)
        return rows[0].astype(np.uint8), rows[1].astype(np.int32), rows[2]

    @property
    def operator_codes(self) -> np.ndarray:
        """Codes of the operators with operands that the templates use."""
        used = np.unique(self.code)
        return used[(used >= FIRST_OP) & (used != SLOT) & (arities()[used] > 0)].astype(np.uint8)


def compile_rules(grammar: Grammar, names, shares: np.ndarray | None = None) -> Rules:
    """Compile a grammar over the columns `names`.

    Args:
        grammar: what is compiled.
        names: the columns.
        shares: (columns,) how often each stands where the grammar says VAR; 0 leaves a column out. Alike where None.

    Raises:
        ValueError: the grammar names a variable that is not a column.

    >>> rules = compile_rules(Grammar.parse("expr : expr + expr | VAR"), ["x", "y"], np.array([0.0, 1.0]))
    >>> from symnum.language.expr import Expr
    >>> rules.complexity(Batch.pack([Expr.parse("x + y"), Expr.parse("y + y")], ["x", "y"])).tolist()
    [-1, 3]
    """
    column = {name: i for i, name in enumerate(names)}
    shares = np.ones(len(column)) if shares is None else shares
    share = {name: float(s) for name, s in zip(names, shares, strict=True)}
    missing = [v for v in grammar.variables if v not in column]
    if missing:
        msg = f"grammar {grammar.name!r} uses {', '.join(missing)}; the columns are {', '.join(names)} (constant ones are left out)"
        raise ValueError(msg)
    number = {grammar.start: 0}
    for p in grammar.productions:
        number.setdefault(p.lhs, len(number))
    pending: list[tuple[int, tuple, float, int]] = []  # lhs, template, weight, cost
    anonymous: dict[object, int] = {}

    def slot_of(symbol) -> int:
        """The nonterminal of a VAR or INT inside a longer template."""
        if symbol not in anonymous:
            anonymous[symbol] = len(number) + len(anonymous)
            for leaf, s in _leaves(symbol, share):
                pending.append((anonymous[symbol], (leaf,), s, 1))
        return anonymous[symbol]

    units: list[tuple[int, int, float]] = []
    for p in grammar.productions:
        if p.is_unit:
            units.append((number[p.lhs], number[p.template[0].name], p.weight))
            continue
        if len(p.template) == 1 and _is_family(p.template[0]):
            leaves = _leaves(p.template[0], share)
            total = sum(s for _, s in leaves)
            pending += [(number[p.lhs], (leaf,), p.weight * s / total, p.cost) for leaf, s in leaves]
            continue
        families = sum(_is_family(s) for s in p.template)
        template = tuple(("slot", slot_of(s)) if _is_family(s) else ("slot", number[s.name]) if _is_slot(s) else s for s in p.template)
        pending.append((number[p.lhs], template, p.weight, p.cost - families))
    return replace(_arrays(pending, units, len(number) + len(anonymous), tuple(names), column), grammar=grammar)


def _is_family(symbol) -> bool:
    return isinstance(symbol, Integer) or symbol == Slot("VAR")


def _is_slot(symbol) -> bool:
    return isinstance(symbol, Slot) and symbol.name != "CONST"


def _leaves(symbol, share: dict[str, float]) -> list[tuple]:
    """What a family stands for, and how often each."""
    if isinstance(symbol, Integer):
        return [(value, 1.0) for value in symbol.values]
    return [(name, s) for name, s in share.items() if s > 0]


def _arrays(pending, units, n_slots, names, column) -> Rules:
    tokens = [_token(s, column) for _, template, _, _ in pending for s in template]
    start = np.cumsum([0, *(len(t) for _, t, _, _ in pending)]).astype(np.int64)
    lhs = np.array([a for a, _, _, _ in pending], np.int64)
    cost = np.array([c for _, _, _, c in pending], np.int64)
    weight = np.array([w for _, _, w, _ in pending], float)
    total = np.bincount(lhs, weight, n_slots)
    rename = np.zeros((n_slots, n_slots))
    for a, _, w in units:
        total[a] += w
    for a, b, w in units:
        rename[a, b] += w / total[a]
    direct = np.zeros((n_slots, len(pending)))
    direct[lhs, np.arange(len(pending))] = weight / total[lhs]
    code, arg, value = (np.array([t[i] for t in tokens], d) for i, d in enumerate((np.uint8, np.int32, np.float64)))
    closure = np.linalg.inv(np.eye(n_slots) - rename)
    probability = closure @ direct
    least, least_of = _least_costs(code, arg, start, cost, probability)
    root = code[start[1:] - 1]
    by_root = np.lexsort((arg[start[1:] - 1], root))  # a VAR root is the whole template: those are in order of the column
    root_start = np.searchsorted(root[by_root], np.arange(257))
    return Rules(code, arg, value, start, cost, least, lhs, probability, least_of, closure > 0, by_root, root_start, names)


def _token(symbol, column) -> tuple[int, int, float]:
    if isinstance(symbol, tuple):
        return SLOT, symbol[1], 0.0
    if isinstance(symbol, Slot):
        return CONST, 0, 1.0
    if isinstance(symbol, Op):
        return symbol.code, 0, 0.0
    if isinstance(symbol, str):
        return VAR, column[symbol], 0.0
    return NUMBER, 0, float(symbol)


def _least_costs(code, arg, start, cost, probability) -> tuple[np.ndarray, np.ndarray]:
    """Least complexities by fixpoint iteration (Knuth 1977, doi:10.1016/0020-0190(77)90002-3)."""
    least, least_of = np.full(len(cost), NEVER), np.full(len(probability), NEVER)
    for _ in range(len(cost) + 1):
        for r in range(len(cost)):
            slots = [least_of[arg[t]] for t in range(start[r], start[r + 1]) if code[t] == SLOT]
            least[r] = min(NEVER, cost[r] + sum(slots))
        new = np.array([min(least[row > 0], default=NEVER) for row in probability])
        if (new == least_of).all():
            break
        least_of = new
    return least.astype(np.int64), least_of.astype(np.int64)


@njit(**KERNEL)
def derive(code, arg, value, offset, arity, rules, desk, out):
    """Complexity of each expression in the grammar by a bottom-up chart; -1 where it has no derivation from slot 0."""
    _, r_arg, _, r_start, _, _, r_lhs, _, least_of, reach, by_root, root_start = rules
    size, chart, raw = desk
    slots = len(least_of)
    subtree_sizes(code, offset, arity, size)
    for p in range(len(offset) - 1):
        first = offset[p]
        for t in range(first, offset[p + 1]):
            for a in range(slots):
                raw[a] = NEVER
            first_of, last_of = root_start[code[t]], root_start[code[t] + 1]
            if code[t] == VAR:  # among as many productions as columns, only those of this column
                first_of, last_of = column_range(by_root, r_start, r_arg, first_of, last_of, arg[t])
            for i in range(first_of, last_of):
                r = by_root[i]
                total = match(code, arg, value, size, first, t, r, rules, chart)
                if total < raw[r_lhs[r]]:
                    raw[r_lhs[r]] = total
            for a in range(slots):
                least = NEVER
                for b in range(slots):
                    if reach[a, b] and raw[b] < least:
                        least = raw[b]
                chart[t - first, a] = least
        root = chart[offset[p + 1] - 1 - first, 0]
        out[p] = root if root < NEVER else -1


@njit(**INNER)
def column_range(by_root, r_start, r_arg, low, high, column):
    """The part of by_root[low:high], productions of single columns in order, that is of `column`."""
    end = high
    while low < high:
        middle = (low + high) // 2
        if r_arg[r_start[by_root[middle]]] < column:
            low = middle + 1
        else:
            high = middle
    high = low
    while high < end and r_arg[r_start[by_root[high]]] == column:
        high += 1
    return low, high


@njit(**INNER)
def match(code, arg, value, size, first, t, r, rules, chart):
    """Cost of deriving the subtree rooted at `t` by production `r`, NEVER if its template does not fit."""
    r_code, r_arg, r_value, r_start, r_cost = rules[0], rules[1], rules[2], rules[3], rules[4]
    total, at = r_cost[r], t
    lowest = t - size[t]
    for j in range(r_start[r + 1] - 1, r_start[r] - 1, -1):
        if at <= lowest:
            return NEVER
        c = r_code[j]
        if c == SLOT:
            inner = chart[at - first, r_arg[j]]
            if inner >= NEVER:
                return NEVER
            total += inner
            at -= size[at]
            continue
        if code[at] != c or (c == VAR and arg[at] != r_arg[j]) or (c == NUMBER and value[at] != r_value[j]):
            return NEVER
        at -= 1
    return total


@njit(**INNER)
def draw(state):
    """The next uniform number of the stream `state` (1,) uint64 (splitmix64)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    return np.float64(mix(state[0]) >> np.uint64(11)) / 9007199254740992.0


@njit(**INNER)
def draw_constant(state):
    """A start for a free constant: 1 a third of the time, else log-uniform over e^±2 with random sign."""
    u = draw(state)
    if u < 0.33:
        return 1.0
    return np.exp(4.0 * (draw(state) - 0.5)) * (1.0 if u < 0.8 else -1.0)


@njit(**INNER)
def grow(rules, slot, budget, state, stack, code, arg, value, w, limit):
    """Write a random derivation of `slot` of complexity <= budget (or the least) at `w`; returns the end, or -1 beyond `limit`.

    `stack` (DEEPEST, 2) int64 is working space: production, next template token.
    """
    r_code, r_arg, r_value, r_start, _, least, _, probability, least_of = rules[:9]
    top = 0
    left = max(budget, least_of[slot])
    r = choose(probability[slot], least, left, state)
    left -= least[r]
    stack[0, 0], stack[0, 1] = r, r_start[r]
    while top >= 0:
        r, j = stack[top, 0], stack[top, 1]
        if j == r_start[r + 1]:
            top -= 1
            continue
        stack[top, 1] = j + 1
        if r_code[j] == SLOT:
            n = r_arg[j]
            left += least_of[n]
            r = choose(probability[n], least, left, state)
            left -= least[r]
            top += 1
            if top == DEEPEST:
                return -1
            stack[top, 0], stack[top, 1] = r, r_start[r]
        else:
            if w >= limit:
                return -1
            code[w], arg[w], value[w] = r_code[j], r_arg[j], r_value[j]
            if r_code[j] == CONST:
                value[w] = draw_constant(state)
            w += 1
    return w


@njit(**INNER)
def choose(weights, least, budget, state):
    """A production drawn by weight among those that fit the budget, or the cheapest."""
    total = 0.0
    for r in range(len(weights)):
        if least[r] <= budget:
            total += weights[r]
    u = draw(state) * total
    cheapest = -1
    for r in range(len(weights)):
        if weights[r] > 0.0:
            if least[r] <= budget:
                u -= weights[r]
                if u <= 0.0:
                    return r
            if cheapest < 0 or least[r] < least[cheapest]:
                cheapest = r
    return cheapest


@njit(**KERNEL)
def sample_many(rules, budgets, limit, state, stack, code, arg, value, offset):
    """A derivation of slot 0 per budget, each of at most `limit` tokens."""
    for p in range(len(budgets)):
        end, budget = -1, budgets[p]
        while end < 0:
            end = grow(rules, 0, budget, state, stack, code, arg, value, offset[p], offset[p] + limit)
            budget -= 1  # what does not fit is drawn again, smaller
        offset[p + 1] = end
