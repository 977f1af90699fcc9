"""A library of distinct value vectors, built bottom-up from the grammar: what inversion looks answers up in.

    library = Library(rules, X, most=100_000)
    library.grow_to(complexity)          # values (n, rows), complexity (n,), expr(i)

An entry is a production and its operands, so that n functions take n short rows of numbers and no expressions; `expr`
writes one out. Two functions that agree on the rows (to 36 mantissa bits) are one. Every entry knows which nonterminals
derive it, so that only formulas of the grammar (or parts of them) are built. Free constants stand at a few values: others
are left to the linear coefficients of whoever combines entries.
"""

import time

import numpy as np
from numba import njit

from symnum.language.batch import commutative
from symnum.language.batch_kernels import INNER, KERNEL, mix
from symnum.language.expr import Expr
from symnum.language.ops import CONST, FIRST_OP, NUMBER, OPS, VAR, by_code, compile_spelling
from symnum.language.rules import SLOT, Rules

CONSTANTS = (1.0, 2.0)  # what a free constant stands for, unless told otherwise
CANCELLED = 1e-13  # a difference so small against its operands is rounding
HUGE, TINY = 1e60, 1e-60  # values beyond are not told apart from overflow and from zero
CHUNK = 50_000  # pairs of a composite production evaluated at once
ADD, SUB, MUL, DIV = (OPS[name].code for name in ("add", "sub", "mul", "div"))


class Derivations:
    """What is built bottom-up from a grammar, simplest first: an entry is a production and its operands.

    Args:
        rules: the compiled grammar.
        most: capacity.

    Attributes:
        complexity: (n,); level: every entry up to this complexity is there.
    """

    def __init__(self, rules: Rules, most: int):
        self.rules, self.most, self.level, self.count = rules, most, 0, 0
        self._complexity, self._fills = np.zeros(most, np.int32), np.zeros(most, np.uint64)
        self._parts = np.full((most, 3), -1, np.int32)  # production, left, right
        self._table = np.full(1 << int(np.ceil(np.log2(2.5 * most))), -1, np.int32)
        slots = len(rules.least_of)
        reach = rules.reach | np.eye(slots, dtype=bool)
        self._fill_of = np.array([sum(1 << s for s in range(slots) if reach[s, m]) for m in range(slots)], np.uint64)
        self._templates = [rules.template(r) for r in range(len(rules))]

    def __len__(self) -> int:
        return self.count

    @property
    def complexity(self) -> np.ndarray:
        """(n,) complexities."""
        return self._complexity[: self.count]

    @property
    def whole(self) -> np.ndarray:
        """(n,) whether the entry is derived from the start symbol, and so is a formula by itself."""
        return (self._fills[: self.count] & np.uint64(1)).astype(bool)

    def grow_to(self, level: int, deadline: float | None = None) -> bool:
        """Build up to complexity `level`; whether it was reached before capacity or the deadline (monotonic seconds)."""
        while self.level < level:
            if not self._build(self.level + 1, deadline):
                return False
            self.level += 1
        return True

    def _build(self, level: int, deadline: float | None) -> bool:
        """Add every entry of one complexity; False where capacity or time ended first."""
        raise NotImplementedError

    def expr(self, i: int) -> Expr:
        """Entry i written out."""
        return Expr(tuple(self._tokens(int(i))))

    def _tokens(self, i: int) -> list:
        r, *operands = self._parts[i].tolist()
        out, children = [], iter(operands)
        for code, arg, value in self._templates[r]:
            if code == SLOT:
                out += self._tokens(next(children))
            elif code == VAR:
                out.append(self.rules.names[arg])
            elif code == CONST:
                out.append(self._constant(i, value))
            elif code == NUMBER:
                out.append(int(value) if float(value).is_integer() else float(value))
            else:
                out.append(by_code(code))
        return out

    def _constant(self, i: int, value: float) -> float:
        """What stands for a free constant in entry i."""
        return float(value)


class Library(Derivations):
    """Distinct functions of the grammar on R rows, simplest first.

    Args:
        rules: the compiled grammar.
        X: (R, columns) the rows, R >= 16 where the data have as many.
        most: capacity; building stops there.
        constants: what a free constant stands for.

    Attributes:
        values: (n, R); complexity: (n,).

    >>> from symnum.language.grammar import Grammar
    >>> from symnum.language.rules import compile_rules
    >>> rules = compile_rules(Grammar.load("arithmetic"), ["x", "y"])
    >>> library = Library(rules, np.random.default_rng(0).uniform(1, 2, (20, 2)), most=1000)
    >>> library.grow_to(3)
    True
    >>> [str(library.expr(i)) for i in np.flatnonzero(library.complexity == 1)]
    ['1.0', '2.0', 'x', 'y']
    """

    def __init__(self, rules: Rules, X: np.ndarray, most: int = 100_000, constants=CONSTANTS):
        super().__init__(rules, most)
        self.constants = constants
        self.X = np.ascontiguousarray(X.T)
        rows = X.shape[0]
        self._values = np.empty((min(most, 1 << 14), rows))
        self._number = np.zeros(most)
        self._hashes = np.zeros(most, np.uint64)

    @property
    def values(self) -> np.ndarray:
        """(n, R) value vectors."""
        return self._values[: self.count]

    def _constant(self, i: int, value: float) -> float:
        return float(self._number[i]) if len(self._templates[self._parts[i, 0]]) == 1 else float(value)

    # building -----------------------------------------------------------------------------------------------------------
    def _build(self, level: int, deadline: float | None) -> bool:
        by_level = [np.flatnonzero(self.complexity == k) for k in range(level)]
        for op, cost, group in self._groups():
            left = level - cost
            build = self._composite if op is None else self._arithmetic
            if not build(op, group, left, by_level, level, deadline):
                return False
        return True

    def _groups(self) -> list[tuple[int | None, int, list[int]]]:
        """(operator, cost, productions) of what differs only in nonterminals; the operator is given for arithmetic `slot op slot`."""
        groups: dict = {}
        for r, template in enumerate(self._templates):
            shape = tuple((c, a if c == VAR else 0, v) for c, a, v in template)
            groups.setdefault((shape, int(self.rules.cost[r])), []).append(r)
        out = []
        for (shape, cost), group in groups.items():
            codes = [c for c, _, _ in shape]
            plain = len(codes) == 3 and codes[:2] == [SLOT, SLOT] and codes[2] in (ADD, SUB, MUL, DIV)
            out.append((codes[2] if plain else None, cost, group))
        return sorted(out, key=lambda g: (g[0] is not None, g[1]))

    def _slots(self, r: int) -> list[int]:
        return [a for c, a, _ in self._templates[r] if c == SLOT]

    def _arithmetic(self, op: int, group: list[int], left: int, by_level: list, level: int, deadline: float | None) -> bool:
        """Every `a op b` of the level, in the compiled loop."""
        slots = np.array([self._slots(r) for r in group], np.uint64)
        fills = np.array([self._fill_of[self.rules.lhs[r]] for r in group], np.uint64)
        swap = bool(commutative()[op]) and bool((slots[:, 0] == slots[:, 1]).all())  # poly + term is not term + poly
        for k in range(1, left):
            if swap and k > left - k:
                break
            first, second = by_level[k], by_level[left - k]
            for chunk in np.array_split(first, max(1, len(first) * len(second) // 2_000_000)) if len(first) and len(second) else ():
                self._reserve(len(chunk) * len(second))
                self.count = pairs(op, *self._storage, chunk, second, swap and k == left - k, np.array(group, np.int32), slots, fills,
                                   *self._records, level)
                if self.count >= self.most or (deadline is not None and time.monotonic() > deadline):
                    return False
        return True

    def _composite(self, _, group: list[int], left: int, by_level: list, level: int, deadline: float | None) -> bool:
        """A leaf, a unary operator, or a template of several tokens: evaluated by numpy."""
        r, template = group[0], self._templates[group[0]]
        width = len(self._slots(r))
        if width == 0:
            return self._leaf(group, level) if left == 0 else True
        if width > 2:  # no shipped grammar has such a production; inversion does without
            return True
        for k in range(1, left) if width == 2 else [left] if 0 < left < level else []:
            sides = [by_level[k], by_level[left - k]] if width == 2 else [by_level[k]]
            total = int(np.prod([len(s) for s in sides]))
            for start in range(0, total, CHUNK):
                at = np.unravel_index(np.arange(start, min(start + CHUNK, total)), [len(s) for s in sides])
                operands = [s[i] for s, i in zip(sides, at, strict=True)]
                fill = self._filled(group, operands)
                operands, fill = [o[fill > 0] for o in operands], fill[fill > 0]
                if not self._insert(r, _evaluate(template, [self._values[o] for o in operands], self.X), operands, fill, level):
                    return False
                if deadline is not None and time.monotonic() > deadline:
                    return False
        return True

    def _filled(self, group: list[int], operands: list[np.ndarray]) -> np.ndarray:
        """The slots that a production of the group on these operands fills; 0 where no production takes them."""
        fill = np.zeros(len(operands[0]), np.uint64)
        for r in group:
            fits = np.ones(len(fill), bool)
            for slot, operand in zip(self._slots(r), operands, strict=True):
                fits &= (self._fills[operand] >> np.uint64(slot)) & np.uint64(1) > 0
            fill[fits] |= self._fill_of[self.rules.lhs[r]]
        return fill

    def _leaf(self, group: list[int], level: int) -> bool:
        r, template = group[0], self._templates[group[0]]
        (code, arg, _), rows = template[-1], self.X.shape[1]
        fill = np.bitwise_or.reduce([self._fill_of[self.rules.lhs[r]] for r in group])[None]
        if len(template) == 1 and code == VAR:
            return self._insert(r, self.X[arg][None], [], fill, level)
        if len(template) > 1 or code != CONST:
            return self._insert(r, np.broadcast_to(_evaluate(template, [], self.X), (1, rows)), [], fill, level)
        for number in self.constants:
            at = self.count
            if not self._insert(r, np.full((1, rows), number), [], fill, level):
                return False
            if self.count > at:
                self._number[at] = number
        return True

    def _insert(self, r: int, values: np.ndarray, operands: list[np.ndarray], fill: np.ndarray, level: int) -> bool:
        if len(values) == 0:
            return True
        self._reserve(len(values))
        left, right = (operands[i] if i < len(operands) else np.full(len(values), -1, np.int64) for i in range(2))
        self.count = insert(*self._storage, np.ascontiguousarray(values), left, right, r, fill, *self._records, level)
        return self.count < self.most

    @property
    def _storage(self) -> tuple:
        return self._values, self._values.view(np.uint64), self.count, self.most

    @property
    def _records(self) -> tuple:
        return self._fills, self._complexity, self._parts, self._hashes, self._table

    def _reserve(self, more: int) -> None:
        """Room for `more` entries (and one to work in), doubling up to the capacity."""
        wanted = min(self.count + more + 1, self.most)
        if wanted > len(self._values):
            grown = np.empty((min(max(wanted, 2 * len(self._values)), self.most), self._values.shape[1]))
            grown[: self.count] = self._values[: self.count]
            self._values = grown


def _evaluate(template: list, operands: list[np.ndarray], X: np.ndarray) -> np.ndarray:
    """A production's template on the values of its slots."""
    stack, slots = [], iter(operands)
    with np.errstate(all="ignore"):
        for code, arg, value in template:
            if code == SLOT:
                stack.append(next(slots))
            elif code == VAR:
                stack.append(X[arg])
            elif code < FIRST_OP:
                stack.append(np.float64(value))
            else:
                op = by_code(code)
                at = len(stack) - op.arity
                stack[at:] = [compile_spelling(op, "numpy")(*stack[at:])]
    return np.asarray(stack[0], float)


@njit(**KERNEL)
def pairs(op, V, bits, count, most, first, second, mirrored, group, slots, group_fill, fills, complexity, parts, hashes, table, level):
    """Append every new `i op j`; returns the count. Stops at the capacity."""
    rows = V.shape[1]
    for a in range(len(first)):
        i = first[a]
        for b in range(a if mirrored else 0, len(second)):
            j = second[b]
            fill, r = np.uint64(0), -1
            for g in range(len(group)):
                if (fills[i] >> slots[g, 0]) & np.uint64(1) and (fills[j] >> slots[g, 1]) & np.uint64(1):
                    fill |= group_fill[g]
                    r = group[g]
            if r < 0:
                continue
            if count >= most or count >= len(V):
                return most
            x, y, v = V[i], V[j], V[count]
            if op == ADD:
                for k in range(rows):
                    v[k] = x[k] + y[k]
            elif op == SUB:
                for k in range(rows):
                    v[k] = x[k] - y[k]
                if abs(v[0]) <= CANCELLED * abs(x[0]) and abs(v[rows - 1]) <= CANCELLED * abs(x[rows - 1]):
                    continue
            elif op == MUL:
                for k in range(rows):
                    v[k] = x[k] * y[k]
            else:
                for k in range(rows):
                    v[k] = x[k] / y[k]
            count = admit(V, bits, count, r, i, j, fill, fills, complexity, parts, hashes, table, level)
    return count


@njit(**KERNEL)
def insert(V, bits, count, most, values, left, right, r, fill, fills, complexity, parts, hashes, table, level):
    """Append every new row of `values`; returns the count."""
    for a in range(len(values)):
        if count >= most or count >= len(V):
            return most
        for k in range(V.shape[1]):
            V[count, k] = values[a, k]
        count = admit(V, bits, count, r, left[a], right[a], fill[a], fills, complexity, parts, hashes, table, level)
    return count


@njit(**INNER)
def admit(V, bits, count, r, i, j, fill, fills, complexity, parts, hashes, table, level):
    """Keep the vector at `count` if it is finite and new; returns the new count."""
    v = V[count]
    low, high = v[0], v[0]
    for k in range(len(v)):
        if not abs(v[k]) < HUGE:
            return count
        low, high = min(low, v[k]), max(high, v[k])
    size = max(abs(low), abs(high))
    if size < TINY or (high - low <= 1e-12 * size and i >= 0):  # zero, or an operation that gives a number
        return count
    h = np.uint64(0)
    for k in range(len(v)):
        h = mix(h ^ ((bits[count, k] + np.uint64(1 << 15)) >> np.uint64(16) if abs(v[k]) >= 1e-13 * size else np.uint64(0)))
    slot = h & np.uint64(len(table) - 1)
    while table[slot] >= 0:
        if hashes[table[slot]] == h and fill & ~fills[table[slot]] == np.uint64(0):  # known, and fills every slot that this fills
            return count
        slot = (slot + np.uint64(1)) & np.uint64(len(table) - 1)
    table[slot] = count
    hashes[count], fills[count], complexity[count] = h, fill, level
    parts[count, 0], parts[count, 1], parts[count, 2] = r, i, j
    return count + 1
