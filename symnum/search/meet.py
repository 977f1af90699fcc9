"""Two-sided search: which equations f(x) = c of a grammar hold for one number x, f with x and c without.

    left = Forms(rules, {"x": 2.5066282746310002}, most=100_000)      # every f(x), with its derivative
    right = Forms(rules, {}, most=500_000)                            # every c
    for match in meet(left, right, error=1e-15): match.lhs, match.rhs

Both sides are built bottom-up from the grammar, simplest first, one form per value; sorted by value, all |L|·|R| equations are compared
at the cost of one sweep. A pair matches where |f(x) − c| / |f'(x)| is within the error of x. After R. Munafo's RIES
(https://mrob.com/ries), which has the two lists and the tolerance scaled by the derivative; here the grammar says what is built.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit

from symnum.language.batch import commutative
from symnum.language.batch_kernels import INNER, KERNEL, mix
from symnum.language.expr import Expr
from symnum.language.ops import FIRST_OP, OPS, VAR, Op, by_code, compile_spelling
from symnum.language.rules import SLOT, Rules
from symnum.search.library import Derivations

CHUNK = 200_000  # pairs evaluated by numpy at once
HUGE, TINY = 1e9, 1e-9  # values beyond say little: sums with them are rounding
CANCELLED = 1e-9  # a difference so small against its operands has lost the digits that matching needs
FLAT = 1e-3  # relative change of a form per relative change of x, below which x has dropped out
STEEPEST = 1e3
ROUNDING = 8e-15  # relative error of a form in float64: a few operations, each half an ulp
ADD, SUB, MUL, DIV, POWER = (OPS[name].code for name in ("add", "sub", "mul", "div", "power"))


class Forms(Derivations):
    """Distinct positive values of a grammar, simplest first, with their derivative by x.

    Negative values are left out: what has one is a difference the other way round, or the same with the sign outside.

    Args:
        rules: the grammar over its variables; `x` is the number, the others are named constants.
        numbers: what the variables stand for; forms with others (on the right side: x) are not built.
        most: capacity; building stops there.

    Attributes:
        value, slope, complexity: (n,); slope is 0 where x does not occur.

    >>> from symnum.language.grammar import Grammar
    >>> from symnum.language.rules import compile_rules
    >>> rules = compile_rules(Grammar.parse("n : n + n | sqrt(n) | x | 2 | 3"), ["x"])
    >>> forms = Forms(rules, {"x": 1.5}, most=100)
    >>> forms.grow_to(3)
    True
    >>> [str(forms.expr(i)) for i in range(len(forms))][:6]
    ['x', '2', '3', 'sqrt(x)', 'sqrt(2)', 'sqrt(3)']
    """

    def __init__(self, rules: Rules, numbers: Mapping[str, float], most: int):
        super().__init__(rules, most + 1)
        self.most = most
        self.numbers = np.array([numbers.get(name, np.nan) for name in rules.names])
        self.is_x = np.array([float(name == "x") for name in rules.names])
        self._value, self._slope = np.empty(most + 1), np.empty(most + 1)

    @property
    def value(self) -> np.ndarray:
        """(n,) values."""
        return self._value[: self.count]

    @property
    def slope(self) -> np.ndarray:
        """(n,) derivatives by x."""
        return self._slope[: self.count]

    def _build(self, level: int, deadline: float | None) -> bool:
        if self.count >= self.most:
            return False
        by_level = [np.flatnonzero(self.complexity == k) for k in range(level)]
        for r, template in enumerate(self._templates):
            left = level - int(self.rules.cost[r])
            slots = [a for c, a, _ in template if c == SLOT]
            if left < len(slots) or len(slots) > 2 or (not slots and left):
                continue
            fast = len(template) == 3 and len(slots) == 2 and template[2][0] in (ADD, SUB, MUL, DIV, POWER)
            swap = fast and bool(commutative()[template[2][0]]) and slots[0] == slots[1]
            for k in range(1, left) if len(slots) == 2 else [left]:
                if swap and k > left - k:
                    break
                sides = [by_level[k], by_level[left - k]][: len(slots)] if slots else []
                sides = [s[(self._fills[s] >> np.uint64(slot)) & np.uint64(1) > 0] for s, slot in zip(sides, slots, strict=True)]
                if any(len(s) == 0 for s in sides):
                    continue
                if fast:
                    mirrored = swap and k == left - k
                    self.count = pairs(template[2][0], *self._storage, self.count, self.most, *sides, mirrored, r,
                                       self._fills_with(r), level)
                else:
                    self._composite(r, sides, level)
                if self.count >= self.most or (deadline is not None and time.monotonic() > deadline):
                    return False
        return True

    def _composite(self, r: int, sides: list[np.ndarray], level: int) -> None:
        """A leaf, a function, or a template of several tokens: evaluated by numpy."""
        total = int(np.prod([len(s) for s in sides])) if sides else 1
        for start in range(0, total, CHUNK):
            at = np.unravel_index(np.arange(start, min(start + CHUNK, total)), [len(s) for s in sides]) if sides else ()
            operands = [s[i] for s, i in zip(sides, at, strict=True)]
            value, slope = _evaluate(self._templates[r], [(self._value[o], self._slope[o]) for o in operands], self.numbers, self.is_x)
            empty = np.full(len(value), -1, np.int64)
            left, right = (operands[i] if i < len(operands) else empty for i in range(2))
            self.count = insert(*self._storage, self.count, self.most, value, slope, left, right, r, self._fills_with(r), level)

    def _fills_with(self, r: int) -> np.uint64:
        """The slots that a form made by production r fills, one bit each."""
        return self._fill_of[self.rules.lhs[r]]

    @property
    def _storage(self) -> tuple:
        return self._value, self._slope, self._complexity, self._fills, self._parts, self._table


def _evaluate(template: list, operands: list, numbers: np.ndarray, is_x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A production's template on (value, slope) of its slots."""
    stack, slots = [], iter(operands)
    with np.errstate(all="ignore"):
        for code, arg, number in template:
            if code == SLOT:
                stack.append(next(slots))
            elif code == VAR:
                stack.append((numbers[arg : arg + 1], is_x[arg : arg + 1]))
            elif code < FIRST_OP:
                stack.append((np.array([number]), np.zeros(1)))
            else:
                op = by_code(code)
                at = len(stack) - op.arity
                stack[at:] = [_apply(op, stack[at:])]
    value, slope = stack[0]
    return np.asarray(value, float), np.broadcast_to(np.asarray(slope, float), np.shape(value)).copy()


def _apply(op: Op, arguments: list) -> tuple[np.ndarray, np.ndarray]:
    value = np.atleast_1d(compile_spelling(op, "numpy")(*(v for v, _ in arguments)))
    slope = np.zeros(value.shape)
    for (_, s), partial in zip(arguments, _derivatives(op), strict=True):
        if np.any(s):  # an operator without a derivative takes numbers only
            inner = {**dict(zip("ab", (v for v, _ in arguments), strict=False)), "y": value}
            slope = slope + np.where(s == 0, 0.0, s * partial(inner) if partial else np.nan)
    return value, slope


@lru_cache
def _derivatives(op: Op) -> tuple:
    """Per argument the derivative as a function of {a, b, y}; None where the table has none."""
    names = {"sqrt": np.sqrt, "exp": np.exp, "log": np.log, "sin": np.sin, "cos": np.cos, "sinh": np.sinh, "cosh": np.cosh,
             "sign": np.sign, "power": np.power}

    def compiled(text: str):
        code = compile(text, op.name, "eval")
        return lambda inner: eval(code, names, inner)  # the operator table's own text

    return tuple(compiled(text) for text in op.derivative) if op.derivative else (None,) * op.arity


@njit(**KERNEL)
def pairs(op, value, slope, complexity, fills, parts, table, count, most, first, second, mirrored, r, fill, level):
    """Append every new `i op j`; returns the count. Stops at the capacity."""
    for a in range(len(first)):
        i = first[a]
        u, du = value[i], slope[i]
        for b in range(a if mirrored else 0, len(second)):
            if count >= most:
                return count
            j = second[b]
            v, dv = value[j], slope[j]
            if op == ADD:
                y, dy = u + v, du + dv
            elif op == SUB:
                y, dy = u - v, du - dv
                if y <= CANCELLED * u:
                    continue
            elif op == MUL:
                y, dy = u * v, du * v + u * dv
            elif op == DIV:
                y = u / v
                dy = (du - y * dv) / v
            else:
                y = u**v
                dy = y * (v * du / u + (dv * np.log(u) if dv != 0.0 else 0.0))
            count = admit(value, slope, complexity, fills, parts, table, count, y, dy, i, j, du != 0.0 or dv != 0.0, r, fill, level)
    return count


@njit(**KERNEL)
def insert(value, slope, complexity, fills, parts, table, count, most, values, slopes, left, right, r, fill, level):
    """Append every new value; returns the count."""
    for a in range(len(values)):
        if count >= most:
            return count
        has_x = slopes[a] != 0.0
        count = admit(value, slope, complexity, fills, parts, table, count, values[a], slopes[a], left[a], right[a], has_x, r, fill, level)
    return count


@njit(**INNER)
def admit(value, slope, complexity, fills, parts, table, count, y, dy, i, j, has_x, r, fill, level):
    """Keep the value if it is positive, of ordinary size, and new; returns the new count."""
    if not (TINY < y < HUGE) or not abs(dy) < HUGE / TINY:
        return count
    value[count], slope[count] = y, dy
    if has_x and not abs(dy) > FLAT * y:  # x of ordinary size has dropped out
        return count
    h = mix(rounded(value, count) ^ mix(rounded(slope, count)))
    slot = h & np.uint64(len(table) - 1)
    while table[slot] >= 0:
        k = table[slot]
        if abs(value[k] - y) <= 1e-14 * y and abs(slope[k] - dy) <= 1e-13 * abs(dy) and fill & ~fills[k] == np.uint64(0):
            return count
        slot = (slot + np.uint64(1)) & np.uint64(len(table) - 1)
    table[slot] = count
    complexity[count], fills[count] = level, fill
    parts[count, 0], parts[count, 1], parts[count, 2] = r, i, j
    return count + 1


@njit(**INNER)
def rounded(values, i):
    """The bits of a number, rounded to 44 of the mantissa."""
    return (values[i : i + 1].view(np.uint64)[0] + np.uint64(1 << 7)) >> np.uint64(8)


@dataclass(frozen=True, slots=True)
class Match:
    """An equation lhs(x) = rhs that holds within the error of x; `tested` equations are at most as complex."""

    lhs: Expr
    rhs: Expr
    complexity: int
    tested: float


@dataclass(frozen=True, slots=True)
class Side:
    """The forms of one side sorted by value: `index` (n,) into the forms, `value` (n,), and how many there are per complexity.

    A form that changes k times as much as x, relatively, matches k times as easily, and counts k times; steeper than `STEEPEST` it says
    nothing about x and is left out.
    """

    forms: Forms
    index: np.ndarray
    value: np.ndarray
    per_complexity: np.ndarray

    @classmethod
    def of(cls, forms: Forms, x: float = 0.0) -> "Side":
        """The whole forms with x, where its value is given, or those without."""
        steepness = np.abs(forms.slope * x / forms.value)
        index = np.flatnonzero(forms.whole & ((forms.slope != 0) == (x != 0)) & (steepness <= STEEPEST))
        index = index[np.argsort(forms.value[index], kind="stable")]
        count = np.bincount(forms.complexity[index], np.maximum(1.0, steepness[index]), minlength=1)
        return cls(forms, index, forms.value[index], count)

    def __len__(self) -> int:
        return len(self.index)


def meet(left: Side, right: Side, error: float, most_tested: float = np.inf, most: int = 2000) -> list[Match]:
    """The equations left = right that hold within the error of x, simplest first.

    Args:
        left, right: the sides, with x and without.
        error: absolute error of x; the rounding of float64 is added.
        most_tested: equations are looked at, in order of complexity, up to so many; beyond 1/(relative error) chance gives as many
            as there are (A. Odrzywołek, arXiv:2002.12690).
        most: matches that are returned.
    """
    tested = np.cumsum(np.convolve(left.per_complexity, right.per_complexity))
    slope = np.abs(left.forms.slope[left.index])
    tolerance = slope * error + ROUNDING * left.value
    low = np.searchsorted(right.value, left.value - tolerance, "left")
    high = np.searchsorted(right.value, left.value + tolerance, "right")
    rows = np.flatnonzero(high > low)
    count = (high - low)[rows]
    i = np.repeat(rows, count)
    j = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low[rows], count)
    total = left.forms.complexity[left.index[i]] + right.forms.complexity[right.index[j]]
    order = np.argsort(total, kind="stable")
    order = order[tested[total[order]] <= most_tested][:most]
    return [Match(left.forms.expr(left.index[i[k]]), right.forms.expr(right.index[j[k]]), int(total[k]), float(tested[total[k]]))
            for k in order]
