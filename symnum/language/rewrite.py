"""Simplification and canonical forms of expressions.

`simplify` gives reading form, `canonical` an order-free normal form. Both run one engine over nodes (see `canonical.py`),
bottom-up to a fixpoint: the rule table `RULES`, the laws of the operator table, folding of constants, and the collection
of sums and products. Values are kept wherever the original is finite (up to rounding and to overflow of intermediate
results); the domain may widen: `exp(log(x))` becomes `x`, `x/x` becomes 1, `0*x` becomes 0, never the reverse.

Complexity never grows, where inv(a), square(a) and cube(a) count as what they are written as: 1/a, a^2 and a^3.
So `simplify(e).complexity <= reading_complexity(e)`, which is e.complexity plus the number of inv, square and cube in e.
Every step shortens the expression or orients it at equal length; a step budget guards against an unforeseen cycle.
"""

from fractions import Fraction
from functools import lru_cache
from itertools import product as cartesian

import numpy as np

from symnum.language.canonical import (
    ONE,
    Node,
    NoFold,
    canonical_node,
    chain,
    complexity,
    factors,
    is_number,
    live,
    number_node,
    term_order,
    terms,
    times,
    to_expr,
    to_node,
)
from symnum.language.expr import Expr, operator_functions
from symnum.language.ops import OPS

NOTATION = ("inv", "square", "cube")


def even(n: int) -> bool:
    return n % 2 == 0


def odd(n: int) -> bool:
    return n % 2 == 1


# (pattern, replacement, condition on n): a, b match anything and n an exact integer; commutative operators match both ways.
# "widens" marks laws whose right side is defined on more points.
RULES = (
    ("inv(a)", "1/a"),  # notation
    ("square(a)", "a^2"),  # notation
    ("cube(a)", "a^3"),  # notation
    ("e^a", "exp(a)"),  # notation
    ("exp(1)", "e"),  # notation
    ("a^(1/2)", "sqrt(a)"),  # notation
    ("a^(-1/2)", "1/sqrt(a)"),  # notation
    ("a^(1/3)", "cbrt(a)"),  # widens: a < 0
    ("exp(log(a))", "a"),  # widens: a <= 0
    ("log(exp(a))", "a"),
    ("log(e)", "1"),
    ("exp(a*log(b))", "b^a"),  # widens: b <= 0
    ("exp(-log(a))", "1/a"),  # widens: a < 0
    ("exp(a + log(b))", "b*exp(a)"),  # widens: b <= 0
    ("1/exp(a)", "exp(-a)"),
    ("exp(a)^b", "exp(a*b)"),
    ("log(1/a)", "-log(a)"),
    ("log(a^n)", "n*log(a)", odd),  # a > 0 on both sides
    ("(a^b)^n", "a^(b*n)"),  # a whole outer exponent
    ("sqrt(a)^n", "a^(n/2)", even),  # widens: a < 0
    ("sqrt(a^n)", "abs(a)^(n/2)", even),  # |a|, since the root is not negative
    ("cbrt(a)^3", "a"),
    ("cbrt(a^3)", "a"),
    ("abs(a)^n", "a^n", even),
    ("abs(a^n)", "a^n", even),
    ("sin(asin(a))", "a"),  # widens: |a| > 1
    ("cos(acos(a))", "a"),  # widens: |a| > 1
    ("tan(atan(a))", "a"),
    ("sin(a)/cos(a)", "tan(a)"),
    ("sinh(a)/cosh(a)", "tanh(a)"),
    ("sin(a)^2 + cos(a)^2", "1"),
    ("cosh(a)^2 - sinh(a)^2", "1"),
)


@lru_cache(maxsize=1)
def _table() -> dict[str, list[tuple]]:
    """The rules as nodes, by root operator; a pattern with commutative operators is entered once per order."""
    table: dict[str, list[tuple]] = {}
    for pattern, replacement, *condition in RULES:
        left, right = (to_node(Expr.parse(text)) for text in (pattern, replacement))
        for variant in dict.fromkeys(_orders(left)):
            table.setdefault(left[0], []).append((variant, right, condition[0] if condition else None))
    return table


def _orders(pattern: Node):
    if not isinstance(pattern, tuple):
        yield pattern
        return
    name, *arguments = pattern
    for choice in cartesian(*map(_orders, arguments)):
        yield (name, *choice)
        if "commutative" in OPS[name].laws:
            yield (name, *reversed(choice))


def match(pattern: Node, node: Node, bound: dict) -> bool:
    """Whether `node` is an instance of `pattern`; fills `bound`."""
    if isinstance(pattern, tuple):
        if not isinstance(node, tuple) or node[0] != pattern[0]:
            return False
        return all(match(p, n, bound) for p, n in zip(pattern[1:], node[1:], strict=True))
    if isinstance(pattern, str):
        if pattern == "n" and type(node) is not int:
            return False
        return bound.setdefault(pattern, node) == node
    return type(node) is type(pattern) and node == pattern


def fill(pattern: Node, bound: dict) -> Node:
    """The pattern with its letters replaced."""
    if isinstance(pattern, tuple):
        return (pattern[0], *(fill(p, bound) for p in pattern[1:]))
    return bound[pattern] if isinstance(pattern, str) else pattern


# single steps: each gives the next node, or the same one --------------------------------------------------------------
def by_rule(node: tuple) -> Node:
    """The first rule of the table that matches."""
    for pattern, replacement, condition in _table().get(node[0], ()):
        bound: dict = {}
        if match(pattern, node, bound) and (condition is None or condition(bound["n"])):
            return fill(replacement, bound)
    return node


def by_law(node: tuple) -> Node:
    """What the operator table's laws say: odd, even, idempotent, and abs of what is never negative."""
    name, *arguments = node
    laws = OPS[name].laws
    if len(arguments) == 2:
        return arguments[0] if "idempotent" in laws and arguments[0] == arguments[1] else node  # f(a, a) = a
    if not arguments or not isinstance(arguments[0], tuple):
        return node
    inner = arguments[0]
    if inner[0] == name and "idempotent" in laws:
        return inner  # f(f(a)) = f(a)
    if name == "abs" and OPS[inner[0]].image.low >= 0:
        return inner  # |a| = a for a >= 0
    if "even" in laws:
        if inner[0] in ("neg", "abs"):
            return name, inner[1]  # f(-a) = f(|a|) = f(a)
        if inner[0] in ("mul", "div"):
            k, powers = factors(inner)
            if k < 0:
                return name, reading_product(live(powers), -k)
    if "odd" in laws and inner[0] == "neg" and name != "neg":
        return "neg", (name, inner[1])  # f(-a) = -f(a)
    return node


_number = operator_functions("numpy")


def by_folding(node: tuple) -> Node:
    """A function of numbers is a number: of floats always, of exact numbers where the value is exact, never NaN or Inf."""
    name, *arguments = node
    if not arguments or not all(is_number(a) for a in arguments) or name in _ARITHMETIC:
        return node
    if name in ("min", "max"):
        return min(arguments) if name == "min" else max(arguments)
    try:
        with np.errstate(all="ignore"):
            value = float(_number(OPS[name])(*map(np.float64, arguments)))
    except (ArithmeticError, ValueError, LookupError, TypeError):  # a user operator may raise
        return node
    if not is_number(value) or (value == 0 and name == "exp"):
        return node
    if any(isinstance(a, float) for a in arguments):
        return value
    n, whole = arguments[0], round(value)
    root = {"sqrt": 2, "cbrt": 3}.get(name)
    if whole**root == n if root else name in ("abs", "sign") or (n in (0, 1) and value == whole):  # sin 0, exp 0, log 1 …
        return whole
    return node


_ARITHMETIC = frozenset(("add", "sub", "mul", "div", "neg", "power"))


def by_collecting(node: tuple) -> Node:
    """Like terms and like factors collected, where that is not longer."""
    name = node[0]
    candidates = []
    if name in ("add", "sub", "neg"):
        collected = terms(node, False, reading_product)
        candidates = reading_sums(collected)
        if any(isinstance(t, tuple) and t[0] in ("add", "sub") for t in collected):
            candidates += reading_sums(terms(node, True, reading_product))
    elif name in ("mul", "div") or is_number(node[2]):
        k, powers = factors(node)
        pairs = live(powers)
        candidates = [reading_product(pairs, k)]
        if k != 0 and sum(b[0] == "exp" for b, _ in pairs if isinstance(b, tuple)) > 1:
            candidates.append(reading_product(_merged(pairs), k))
    if not candidates:
        return node
    best = min(candidates, key=complexity)
    return best if complexity(best) <= complexity(node) else node


def _merged(pairs: list[tuple]) -> list[tuple]:
    """exp(a)^m * exp(b)^n = exp(m*a + n*b)"""
    exps = [(b[1], n) for b, n in pairs if isinstance(b, tuple) and b[0] == "exp"]
    rest = [p for p in pairs if not (isinstance(p[0], tuple) and p[0][0] == "exp")]
    exps.sort(key=lambda p: p[1] < 0)
    total = exps[0][0] if exps[0][1] == 1 else ("mul", exps[0][1], exps[0][0])
    for a, n in exps[1:]:
        part = a if abs(n) == 1 else ("mul", abs(n), a)
        total = ("add" if n > 0 else "sub", total, part)
    return [*rest, (("exp", total), 1)]


# the reading form -------------------------------------------------------------------------------------------------------
def reading_product(pairs: list[tuple], coefficient=1) -> Node:
    """-3*x*(y*z)^2/(4*u): one fraction, equal powers together."""
    if coefficient == 0:
        return coefficient
    above = _grouped([p for p in pairs if isinstance(p[1], float) or p[1] > 0])
    negative = [p for p in pairs if isinstance(p[1], int) and p[1] < 0]
    if not above and coefficient == 1 and len(exponents := {n for _, n in negative}) == 1 and -1 not in exponents:
        return _grouped(negative)[0]  # x^-2
    below = _grouped([(b, -n) for b, n in negative])
    p, q = (coefficient.numerator, coefficient.denominator) if isinstance(coefficient, Fraction) else (coefficient, 1)
    if q != 1:
        below.insert(0, q)
    if p == -1 and isinstance(p, int) and above:
        above[0] = ("neg", above[0])
    elif p != 1 or isinstance(p, float) or not above:
        above.insert(0, p)
    return ("div", chain("mul", above), chain("mul", below)) if below else chain("mul", above)


def _grouped(pairs: list[tuple]) -> list[Node]:
    """The factors b^n, those of equal n as one (b1*b2)^n."""
    groups: dict = {}
    for i, (b, n) in enumerate(pairs):
        alone = n == 1 or abs(n) < 1  # (x*y)^0.1 could overflow where x^0.1 and y^0.1 do not
        groups.setdefault((n, i if alone else -1), []).append(b)
    return [chain("mul", bases) if n == 1 else ("power", chain("mul", bases), n) for (n, _), bases in groups.items()]


def reading_sums(collected: dict) -> list[Node]:
    """The plain form x^2 - 2*x + 1, and, where there are any, the form with common factors in front."""
    kept = sorted(((t, c) for t, c in collected.items() if c != 0), key=lambda p: term_order(p[0]))
    if not kept:
        return [0]
    plain = _plain_sum(kept)
    if len(kept) == 1:
        return [plain]
    size = abs(kept[0][1])
    shared = size if size != 1 and all(abs(c) == size for _, c in kept) else 1
    split = [factors(t)[1] if t != ONE else {} for t, _ in kept]
    common = {}
    for base in split[0]:
        ns = [powers.get(base, 0) for powers in split]
        if all(isinstance(m, int) and m > 0 for m in ns) or all(isinstance(m, int) and m < 0 for m in ns):
            common[base] = min(ns, key=abs)
    if shared == 1 and not common:
        return [plain]
    inner: dict = {}
    for (_, c), powers in zip(kept, split, strict=True):
        pairs = live({b: n - common.get(b, 0) for b, n in powers.items()})
        term = reading_product(pairs) if pairs else ONE
        inner[term] = inner.get(term, 0) + (c if shared == 1 else 1 if c > 0 else -1)
    inside = sorted(inner.items(), key=lambda p: term_order(p[0]))
    return [plain, reading_product([*live(common), (_plain_sum(inside), 1)], shared)]


def _plain_sum(kept: list[tuple]) -> Node:
    leader = next((i for i, (_, c) in enumerate(kept) if c > 0), 0)
    kept = [kept[leader], *kept[:leader], *kept[leader + 1 :]]
    result = _term(*kept[0])
    for t, c in kept[1:]:
        result = ("add", result, _term(t, c)) if c > 0 else ("sub", result, _term(t, -c))
    return result


def _term(term: Node, coefficient) -> Node:
    if term == ONE:
        return number_node(coefficient)
    k, powers = factors(term)
    return reading_product(live(powers), times(coefficient, k))


# the engine ---------------------------------------------------------------------------------------------------------------
class _Engine:
    """Rewrites bottom-up until no step changes anything; `done` holds the nodes known to be finished, by identity."""

    def __init__(self, steps: tuple, budget: int):
        self.steps, self.budget, self.done = steps, budget, {}

    def normal(self, node: Node) -> Node:
        while isinstance(node, tuple) and id(node) not in self.done:
            node = (node[0], *map(self.normal, node[1:]))
            next_node = self.step(node)
            if next_node is None:
                self.done[id(node)] = node
                break
            node = next_node
        return node

    def step(self, node: tuple) -> Node | None:
        """The node after the first step that changes it, or None."""
        for step in self.steps if self.budget > 0 else ():
            try:
                changed = step(node)
            except NoFold:
                continue
            if changed is not node and changed != node:
                self.budget -= 1
                self.keep_coefficient(changed)
                return changed
        return None

    def keep_coefficient(self, node: Node) -> None:
        """In c*(a + b)*d the coefficient stays in front: c*(a + b) is finished, not a sum to be opened."""
        while isinstance(node, tuple) and node[0] == "mul" and isinstance(node[1], tuple):
            node = node[1]
            if node[0] == "mul" and isinstance(node[2], tuple) and node[2][0] == "add":
                self.done[id(node)] = node


def _collect(node: tuple) -> Node:
    return by_collecting(node) if node[0] in _ARITHMETIC else _sorted(node)


def _sorted(node: tuple) -> Node:
    return canonical_node(node[0], node[1:]) if "commutative" in OPS[node[0]].laws else node


def _canonical(node: tuple) -> Node:
    return canonical_node(node[0], node[1:])


READING = (by_rule, by_law, by_folding, _collect)
CANONICAL = (by_rule, by_law, by_folding, _canonical)


def reading_complexity(expr: Expr) -> int:
    """The complexity with inv(a), square(a) and cube(a) written as 1/a, a^2 and a^3: the bound `simplify` keeps."""
    names = [getattr(t, "name", None) for t in expr.tokens]
    return expr.complexity + sum(names.count(n) for n in NOTATION)


def simplify(expr: Expr) -> Expr:
    """An equal expression in reading form, never more complex (see the module's docstring) and idempotent.

    >>> [str(simplify(Expr.parse(t))) for t in ("x + x", "inv(x)*y", "sqrt(square(x))", "x - -2", "2*x*y - 3*y*x + 0*z")]
    ['2*x', 'y/x', 'abs(x)', 'x + 2', '-x*y']
    """
    return _rewritten(expr, READING)


def canonical(expr: Expr) -> Expr:
    """The order-free normal form: sorted sums of products of powers; equal forms mean equal functions, not conversely.

    >>> str(canonical(Expr.parse("(y - x)/2"))), str(canonical(Expr.parse("y/2 - x*0.5")))
    ('-1/2*x + 1/2*y', '-0.5*x + 1/2*y')
    """
    return _rewritten(expr, CANONICAL)


def _rewritten(expr: Expr, steps: tuple) -> Expr:
    try:
        return to_expr(_Engine(steps, 100 + 20 * len(expr.tokens)).normal(to_node(expr)))
    except RecursionError as error:
        msg = f"an expression of some 300 levels at most is required, got {expr.depth}; try to rewrite its parts"
        raise ValueError(msg) from error
