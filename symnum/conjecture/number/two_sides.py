"""Equations of a grammar that hold for a number: found in float64 from both sides, confirmed as balls, solved for the number."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache

from flint import arb

from symnum.conjecture.number.relations import Proposal
from symnum.language.expr import Expr
from symnum.language.grammar import CONST, VAR, Grammar
from symnum.language.ops import OPS, Op
from symnum.language.rules import Rules, compile_rules
from symnum.numbers import formula
from symnum.search.meet import Forms, Match, Side, meet

SHORT = (60_000, 200_000)  # forms with the number, and without it
LONG = (600_000, 2_000_000)
CONSTANTS = ("golden", "euler", "catalan", "zeta(3)")  # what VAR may be beside the number
LEVELS = 60  # no side gets so far
MOST_CONFIRMED = 12  # equations of one number that are kept: the others say the same
STRIKING = 4  # digits beyond what chance explains, from which a failed equation is worth a word
METHOD = "two-sided search"
_SPELLED: dict[str, Callable[..., arb]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
    "power": lambda a, b: a ** b, "neg": lambda a: -a, "inv": lambda a: 1 / a, "square": lambda a: a * a, "cube": lambda a: a ** 3,
    "abs": abs, "lgamma": formula.FUNCTIONS["loggamma"].value}


class TwoSides:
    """The two-sided search for one number.

    Args:
        value: its ball.
        digits: how many it carries.
        grammar: a shipped grammar by name, or a .g file; VAR is the number or one of `CONSTANTS`, the variable `x` is the number,
            every other variable must be the text of a known number, such as `zeta(5)`.
        deadline: monotonic seconds.

    Raises:
        ValueError: there is no such grammar, or a variable of it is no known number.
    """

    def __init__(self, value: arb, digits: int, grammar: str | Grammar, deadline: float):
        loaded = Grammar.load(grammar)
        self.grammar, self.value, self.digits, self.deadline = loaded.name, value, digits, deadline
        self.rules, self.known = _prepared(loaded)
        self.negative = bool(value < 0)
        self._told: set[tuple[str, ...]] = set()

    def short(self) -> Iterator[Proposal]:
        """Formulas of everyday length."""
        return self._proposals(*SHORT)

    def long(self) -> Iterator[Proposal]:
        """As long as a second or so permits."""
        return self._proposals(*LONG)

    @cached_property
    def _size(self) -> arb:
        return abs(self.value)

    def _proposals(self, most_left: int, most_right: int) -> Iterator[Proposal]:
        x = float(self._size)
        right = _right(self.rules, tuple(self.known.items()), most_right)
        forms = Forms(self.rules, {**self.known, "x": x}, most_left)
        forms.grow_to(LEVELS, self.deadline)
        matches = meet(Side.of(forms, x), right, float(self.value.rad()), 10.0 ** min(self.digits, 300))
        confirmed = 0
        for match in matches:
            agreed = self._agreement(match)
            if agreed is None or agreed < math.log10(match.tested) + STRIKING and agreed < math.inf:
                continue
            proposal = self._solved(match)
            says = (proposal.formula,) if agreed == math.inf else proposal.equation  # other equations for one number follow from the first
            if says not in self._told:
                self._told.add(says)
                yield proposal
            confirmed += 1
            if confirmed == MOST_CONFIRMED:
                return

    def _agreement(self, match: Match) -> float | None:
        """Digits to which the number solves the equation; `inf` for all that it carries."""
        off = on_balls(match.lhs, self._size) - on_balls(match.rhs, self._size)
        if not off.is_finite():
            return None
        if off.contains(0):
            return math.inf
        scale = abs(on_balls(match.rhs, self._size))
        return -float((abs(off) / scale).mid().log()) / math.log(10)

    def _solved(self, match: Match) -> Proposal:
        """x = a formula where the left side can be inverted, else the equation."""
        for solution in solutions(match.lhs, match.rhs):
            try:
                text = _text(solution.simplify())
                near = formula.ball(text, 20)
            except ValueError:
                continue
            if not abs(near - self._size) > self._size * 1e-9:  # the right branch
                text = _negated(text) if self.negative else text
                return Proposal(text, ("x", text), METHOD, count=match.tested)
        lhs = match.lhs.substitute({"x": Expr.apply("neg", Expr.var("x"))}) if self.negative else match.lhs
        return Proposal("", _equation(lhs.simplify(), match.rhs.simplify()), METHOD, count=match.tested)


def _equation(lhs: Expr, rhs: Expr) -> tuple[str, str]:
    """The two sides as texts; a quotient that is 1 is written as an equality."""
    if rhs.tokens == (1,) and lhs.op is OPS["div"]:
        lhs, rhs = lhs.arguments
    return _text(lhs), _text(rhs)


def _text(expr: Expr) -> str:
    return str(expr).replace("`", "")  # a variable of the grammar is the text of a number


def _negated(text: str) -> str:
    return f"-({text})" if any(c in text for c in "+- ") else f"-{text}"


@lru_cache(8)
def _prepared(grammar: Grammar) -> tuple[Rules, Mapping[str, float]]:
    if any(CONST in p.template for p in grammar.productions):
        msg = f"a grammar of numbers was required, {grammar.name} has free constants (CONST)"
        raise ValueError(msg)
    names = sorted({*grammar.variables, *(CONSTANTS if any(VAR in p.template for p in grammar.productions) else ()), "x"})
    return compile_rules(grammar, names), {n: float(formula.ball(n, 20)) for n in names if n != "x"}


_RIGHT: dict = {}


def _right(rules: Rules, known: tuple[tuple[str, float], ...], most: int) -> Side:
    """The side without the number: it is the same for all numbers, and kept."""
    key = (rules.grammar, most)
    if key not in _RIGHT:
        forms = Forms(rules, dict(known), most)
        forms.grow_to(LEVELS)
        _RIGHT[key] = Side.of(forms)
    return _RIGHT[key]


def on_balls(expr: Expr, x: arb) -> arb:
    """The value of an expression in x at the working precision.

    >>> on_balls(Expr.parse("x^2 + `zeta(2)`"), arb(1)).str(5, radius=False)
    '2.6449'
    """
    def leaf(token) -> arb:
        match token:
            case "x":
                return x
            case int() | float():
                return arb(token)
            case str():
                return formula.evaluate(token)
        return formula.CONSTANTS[token.name].value()

    def branch(op: Op, arguments: list[arb]) -> arb:
        return (_SPELLED.get(op.name) or formula.FUNCTIONS[op.name].value)(*arguments)

    return expr.fold(leaf, branch)


def solutions(lhs: Expr, rhs: Expr) -> Iterator[Expr]:
    """Every x that the inverses of the operators give for lhs(x) = rhs; none where x occurs twice or an operator has no inverse.

    >>> [str(s) for s in solutions(Expr.parse("square(x)/2"), Expr.parse("pi"))]
    ['sqrt(pi*2)', '-sqrt(pi*2)']
    """
    if lhs.tokens == ("x",):
        yield rhs
        return
    if lhs.tokens.count("x") != 1:
        return
    inside = [i for i, a in enumerate(lhs.arguments) if "x" in a.tokens]
    inverses = lhs.op.inverses[inside[0]] if lhs.op.inverses else ()
    others = {name: a for name, a, i in zip("ab", lhs.arguments, itertools.count(), strict=False) if i != inside[0]}
    for text in inverses:
        exact = text.replace(str(math.pi), "pi")  # the table's inverses are for float64
        yield from solutions(lhs.arguments[inside[0]], Expr.parse(exact).substitute({"y": rhs, **others}))
