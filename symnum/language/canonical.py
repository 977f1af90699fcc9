"""Normal forms of sums and products: the arithmetic under `rewrite`.

Works on nodes, nested tuples `(operator name, *nodes)` with raw tokens as leaves. A product is a coefficient and a dict
{base: exponent}; a sum is a dict {term: coefficient} in which the term `ONE` carries the constant. Numbers are exact
(int, Fraction) until they meet a float. `canonical` renders both forms sorted: sub, div, neg, inv, square and cube vanish
into coefficients and exponents. Arithmetic that would overflow, vanish or leave the reals raises `NoFold`: then nothing is
collected.
"""

import math
from fractions import Fraction

from symnum.language.expr import Expr
from symnum.language.ops import OPS, Op

Node = tuple | str | int | float
ONE = 1
EXACT = 2**53  # integers stay exact in the float64 values of a batch


class NoFold(ArithmeticError):
    """A number that must not be folded."""


def checked(value, *sources):
    """`value` as int, Fraction or float, if it is a faithful number made of `sources`."""
    if isinstance(value, complex) or value != value or abs(value) == math.inf:
        raise NoFold
    if isinstance(value, float):
        if abs(value) < 1e-300 and not (value == 0 and 0 in sources):  # underflow
            raise NoFold
        return value
    if abs(value.numerator) > EXACT or value.denominator > EXACT:
        raise NoFold
    return int(value) if value.denominator == 1 else value


def plus(p, q):
    """p + q."""
    return checked(p + q, 0)


def times(p, q):
    """p * q."""
    return checked(p * q, p, q)


def to_power(p, q):
    """p ** q."""
    if isinstance(q, int) and abs(q) > 64 and not isinstance(p, float) and abs(p) != 1:
        raise NoFold
    try:
        value = Fraction(p) ** q if isinstance(p, int) and isinstance(q, int) else p**q
    except (ArithmeticError, ValueError) as error:
        raise NoFold from error
    return checked(value, p)


def is_number(node: Node) -> bool:
    """A finite number of a magnitude that arithmetic keeps."""
    return isinstance(node, int) or (isinstance(node, float) and (node == 0 or 1e-300 < abs(node) < math.inf))


# expr <-> node ----------------------------------------------------------------------------------------------------------
def to_node(expr: Expr) -> Node:
    """The nested tuples of an expression; named constants become `(name,)`."""
    return expr.fold(lambda t: (t.name,) if isinstance(t, Op) else t, lambda op, a: (op.name, *a))


def to_expr(node: Node) -> Expr:
    """The expression of nested tuples."""
    tokens: list = []
    todo = [node]
    while todo:  # root first, right to left, then reversed
        node = todo.pop()
        if isinstance(node, tuple):
            tokens.append(OPS[node[0]])
            todo.extend(node[1:])
        else:
            tokens.append(node)
    return Expr(tuple(reversed(tokens)))


def complexity(node: Node) -> int:
    """`Expr.complexity` of a node."""
    total, todo = 0, [node]
    while todo:
        node = todo.pop()
        if isinstance(node, tuple):
            total += OPS[node[0]].cost
            todo.extend(node[1:])
        else:
            total += 1
    return total


def order(node: Node) -> tuple:
    """A sort key that reads well: numbers, named constants, x^2, x, y, functions, sums."""
    if not isinstance(node, tuple):
        return (2, node) if isinstance(node, str) else (0, "", 0.0 if node != node else node)
    name, *arguments = node
    if not arguments:
        return (1, name)
    rank = 5 if name in ("add", "sub") else 3 if name in ("power", "mul", "div", "neg") else 4
    return (rank, name, *map(order, arguments))


# products ---------------------------------------------------------------------------------------------------------------
def factors(node: Node, exponent=1, into: dict | None = None, coefficient=1) -> tuple:
    """`node ** exponent` as (coefficient, {base: exponent}); exponents are int or float, a float one only on atoms."""
    powers = {} if into is None else into
    todo = [(node, exponent)]
    while todo:
        node, n = todo.pop()
        name = node[0] if isinstance(node, tuple) else None
        whole = isinstance(n, int)
        if is_number(node):
            coefficient = times(coefficient, to_power(node, n))
        elif whole and name == "mul":
            todo += [(node[2], n), (node[1], n)]
        elif whole and name == "div":
            todo += [(node[2], -n), (node[1], n)]
        elif whole and name == "neg":
            coefficient = coefficient if n % 2 == 0 else -coefficient
            todo.append((node[1], n))
        elif whole and name == "inv":
            todo.append((node[1], -n))
        elif whole and name in ("square", "cube"):
            todo.append((node[1], n * (2 if name == "square" else 3)))
        elif name == "power" and whole and is_number(node[2]):  # (a^p)^n = a^(p n) for whole n
            todo.append((node[1], times(node[2], n)))
        else:
            if name == "exp" and isinstance(node[1], tuple) and node[1][0] == "neg":  # exp(-a) is 1/exp(a)
                node, n = ("exp", node[1][1]), -n
            powers[node] = plus(powers.get(node, 0), n)
    return coefficient, powers


def live(powers: dict) -> list[tuple]:
    """The (base, exponent) pairs that are left, sorted."""
    return sorted(((b, n) for b, n in powers.items() if n), key=lambda p: (order(p[0]), -p[1]))


# sums -------------------------------------------------------------------------------------------------------------------
def terms(node: Node, distribute: bool, product) -> dict:
    """A sum as {term: coefficient}; `product(pairs)` renders a product without coefficient, `distribute` opens 2*(a + b)."""
    collected: dict = {}
    todo = [(node, 1)]
    while todo:
        node, c = todo.pop()
        name = node[0] if isinstance(node, tuple) else None
        if name in ("add", "sub"):
            todo += [(node[2], c if name == "add" else -c), (node[1], c)]
            continue
        if name == "neg":
            todo.append((node[1], -c))
            continue
        if is_number(node):
            term, c = ONE, times(c, node)
        elif name in ("mul", "div", "power", "square", "cube", "inv"):
            k, powers = factors(node)
            pairs, c = live(powers), times(c, k)
            if len(pairs) == 1 and pairs[0][1] == 1:
                term = pairs[0][0]
                if isinstance(term, tuple) and term[0] in ("add", "sub") and (distribute or c in (1, -1)):
                    todo.append((term, c))
                    continue
            else:
                term = product(pairs) if pairs else ONE
        else:
            term = node
        collected[term] = plus(collected.get(term, 0), c)
    return collected


def chain(name: str, nodes: list) -> Node:
    """Left-associated `a op b op c`."""
    result = nodes[0]
    for node in nodes[1:]:
        result = (name, result, node)
    return result


def number_node(value) -> Node:
    """A number as a node; a Fraction becomes a quotient of integers."""
    return ("div", value.numerator, value.denominator) if isinstance(value, Fraction) else value


# the canonical rendering ------------------------------------------------------------------------------------------------
def canonical_product(pairs: list[tuple], coefficient=1) -> Node:
    """coefficient * b1^n1 * b2^n2 …"""
    parts = [b if n == 1 else ("power", b, n) for b, n in pairs]
    if coefficient != 1 or not parts:
        parts.insert(0, number_node(coefficient))
    return chain("mul", parts)


def term_order(term: Node) -> tuple:
    """Terms by their factors, higher powers first; the constant last."""
    if term == ONE and not isinstance(term, tuple):
        return (1,)
    _, powers = factors(term)
    return (0, *((order(b), -n) for b, n in live(powers)))


def canonical_sum(collected: dict) -> Node:
    """c1*t1 + c2*t2 + … + constant."""
    kept = sorted(((t, c) for t, c in collected.items() if c != 0), key=lambda p: term_order(p[0]))
    nodes = [number_node(c) if t == ONE else canonical_product(*_opened(t, c)) for t, c in kept]
    return chain("add", nodes) if nodes else 0


def _opened(term: Node, coefficient) -> tuple:
    k, powers = factors(term)
    return live(powers), times(coefficient, k)


def content(node: Node) -> tuple:
    """An exact sum as (leading coefficient, sum with leading coefficient 1); any other node as (1, node)."""
    if not (isinstance(node, tuple) and node[0] == "add"):
        return 1, node
    collected = terms(node, True, canonical_product)
    lead = min(((term_order(t), c) for t, c in collected.items() if c != 0), key=lambda p: p[0])[1]
    if lead == 1 or any(isinstance(c, float) for c in collected.values()):
        return 1, node
    return lead, canonical_sum({t: checked(Fraction(c) / lead) for t, c in collected.items()})


def canonical_node(name: str, arguments: tuple) -> Node:
    """The canonical form of an operator applied to canonical nodes."""
    node = (name, *arguments)
    try:
        if name in ("add", "sub", "neg"):
            return canonical_sum(terms(node, True, canonical_product))
        if name in ("mul", "div", "inv", "square", "cube") or (name == "power" and is_number(arguments[1])):
            coefficient, powers = factors(node)
            if coefficient == 0:
                return coefficient
            merged: dict = {}
            for base, n in live(powers):
                lead, rest = content(base) if isinstance(n, int) else (1, base)
                coefficient = times(coefficient, to_power(lead, n))
                extra, merged = factors(rest, n, merged)
                coefficient = times(coefficient, extra)
            return canonical_sum(terms(canonical_product(live(merged), coefficient), True, canonical_product))
    except NoFold:
        return node if "commutative" not in OPS[name].laws else (name, *sorted(arguments, key=order))
    laws = OPS[name].laws
    if len(arguments) == 1 and laws & {"odd", "even"}:
        if _leading_sign(arguments[0]) < 0:
            positive = canonical_node("neg", arguments)
            if not (isinstance(positive, tuple) and positive[0] == "neg"):  # a sum or product that folds
                return (name, positive) if "even" in laws else canonical_node("neg", ((name, positive),))
    return (name, *sorted(arguments, key=order)) if "commutative" in laws else node


def _leading_sign(node: Node) -> int:
    """The sign of the leading coefficient of a canonical node."""
    while isinstance(node, tuple) and node[0] in ("add", "mul"):
        node = node[1]
    if isinstance(node, tuple) and node[0] == "div":  # a fraction
        node = node[1]
    return -1 if is_number(node) and node < 0 else 1
