"""What a discovery changed in the equations that it was given as a guess: terms kept, removed and added.

Right-hand sides are compared as sums of terms, whatever the form in which they are written: products are multiplied out, logarithms of
products split, and fractions of one denominator collected. (The task of PROSE: Liu, Zhang & Schaeffer, Neural Networks 2024.)
"""

from collections.abc import Mapping
from dataclasses import dataclass

from symnum.language.expr import Expr
from symnum.language.ops import OPS

NOTHING = 1e-9  # share of an equation's largest coefficient below which a term is what rounding left
DIGITS = 4  # of the coefficients in a report


@dataclass(frozen=True)
class Term:
    """coefficient · body.

    Attributes:
        coefficient: the number.
        body: the rest, whose own coefficient is 1; 1 where the term is a constant.
    """

    coefficient: float
    body: Expr

    def __str__(self) -> str:
        number = f"{self.coefficient:.{DIGITS}g}"
        if not self.body.variables:
            return number
        if number == "1":
            return str(_short(self.body))
        return {"-1": "-"}.get(number, f"{number}*") + _bracketed(_short(self.body))


@dataclass(frozen=True)
class Change:
    """One term before and after.

    Attributes:
        before: the guess's term; None where it was added.
        after: the discovery's term; None where the guess's was removed.
    """

    before: Term | None
    after: Term | None

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.after}"
        if self.after is None:
            return f"- {self.before}"
        before, after = str(self.before), str(self.after)
        return f"  {before}" if before == after else f"  {before} → {after}"


@dataclass(frozen=True)
class Repair:
    """The changes by state.

    Attributes:
        changes: per state, terms kept, then removed, then added.
    """

    changes: dict[str, tuple[Change, ...]]

    @property
    def kept(self) -> dict[str, tuple[Change, ...]]:
        """Terms of the guess that stay, with their coefficients before and after."""
        return self._where(lambda c: c.before is not None and c.after is not None)

    @property
    def removed(self) -> dict[str, tuple[Term, ...]]:
        """Terms of the guess that do not."""
        return {name: tuple(c.before for c in found) for name, found in self._where(lambda c: c.after is None).items()}

    @property
    def added(self) -> dict[str, tuple[Term, ...]]:
        """Terms that the guess lacked."""
        return {name: tuple(c.after for c in found) for name, found in self._where(lambda c: c.before is None).items()}

    def _where(self, wanted) -> dict[str, tuple[Change, ...]]:
        return {name: tuple(c for c in changes if wanted(c)) for name, changes in self.changes.items()}

    def __str__(self) -> str:
        return "\n".join("\n".join([f"{name}'", *(f"  {c}" for c in changes)]) for name, changes in self.changes.items())

    __repr__ = __str__


def diff(guess: Mapping[str, Expr], found: Mapping[str, Expr]) -> Repair:
    """What became of a guess.

    Args:
        guess: right-hand sides by state; states that were not guessed may be missing.
        found: right-hand sides by state.

    Raises:
        ValueError: a guess for a state that was not found.

    Terms are matched by their bodies; where these have numbers of their own, as in sin(2*x), by the bodies without them, nearest numbers
    first.
    """
    if unknown := sorted(set(guess) - set(found)):
        msg = f"guesses for {', '.join(found)} were required, got one for {', '.join(unknown)}"
        raise ValueError(msg)
    return Repair({name: _changes(terms(guess[name]) if name in guess else [], terms(f)) for name, f in found.items()})


def structure(expr: Expr) -> frozenset:
    """The terms of an expression without any of its numbers but exponents: equal for formulas that differ by constants only.


    >>> structure(Expr.parse("x*(1.5 - y)")) == structure(Expr.parse("-0.2*x*y + x"))
    True
    """
    return frozenset(_skeleton(t.body) for t in terms(expr))


def terms(expr: Expr) -> list[Term]:
    """The terms of an expression, in sympy's order.

    >>> print(*terms(Expr.parse("2.0*x*(3.0 - x) + 1.0")), sep=", ")
    -2*x^2, 6*x, 1
    """
    import sympy as sp

    whole = expr.sympy()
    whole = whole.xreplace({f: sp.Integer(int(f)) for f in whole.atoms(sp.Float) if float(f).is_integer()})
    whole = whole.replace(lambda e: e.is_Pow and e.exp.is_Float and float(e.exp) == 0.5, lambda e: sp.sqrt(e.base))
    parts = _split(sp.expand(sp.expand_log(whole, force=True), log=False, power_exp=False, power_base=False))
    for denominator in sorted({d for d in map(_denominator, parts) if d.is_Add}, key=sp.default_sort_key):
        parts = _collected(parts, denominator)
    largest = max(map(abs, parts.values()), default=0.0)
    kept = {body: c for body, c in parts.items() if abs(c) > NOTHING * largest}
    ordered = sp.Add(*kept).as_ordered_terms() if kept else []
    return [Term(kept[body], Expr.from_sympy(body)) for body in ordered]


def _split(expression) -> dict:
    """Coefficients by body of the terms of a sum; denominators have 1 as their first coefficient."""
    import sympy as sp

    found: dict = {}
    for term in sp.Add.make_args(expression):
        number, body = term.as_independent(*term.free_symbols, as_Add=False) if term.free_symbols else (term, sp.Integer(1))
        factors = []
        for factor in sp.Mul.make_args(body):
            base, power = factor.as_base_exp()
            if base.is_Add and power.is_Integer and power < 0:
                parts = [t.as_independent(*base.free_symbols, as_Add=False) for t in base.as_ordered_terms()]
                first = float(next(c for c, b in parts if b.free_symbols))
                ratios = [(float(c) / first, b) for c, b in parts]
                number = number * first ** int(power)
                factor = sp.Add(*(sp.Integer(int(c)) * b if c.is_integer() else sp.Float(c) * b for c, b in ratios)) ** power
            factors.append(factor)
        body = sp.Mul(*factors)
        found[body] = found.get(body, 0.0) + float(number)
    return {body: c for body, c in found.items() if c}


def _denominator(body):
    """The sum that a term is divided by, 1 where it is none."""
    import sympy as sp

    return sp.fraction(body)[1]


def _collected(parts: dict, denominator) -> dict:
    """The same terms with those over one denominator as a proper fraction, or with whole terms drawn into it where that is shorter."""
    import sympy as sp

    over = sp.Add(*(c * body * denominator for body, c in parts.items() if _denominator(body) == denominator))
    rest = {body: c for body, c in parts.items() if _denominator(body) != denominator}
    try:
        whole, remainder = sp.div(sp.expand(over), denominator, *sorted(denominator.free_symbols, key=str))
    except sp.PolynomialError:
        return parts
    best = min((_sum(rest, _split(sp.expand(whole)), _over(remainder, denominator)), parts), key=len)
    while True:
        shorter = None
        for body, c in best.items():
            if _denominator(body).is_Add:
                continue
            inside = sp.Add(*(k * b * denominator for b, k in best.items() if _denominator(b) == denominator))
            others = {b: k for b, k in best.items() if b != body and _denominator(b) != denominator}
            trial = _sum(others, _over(sp.expand(inside + c * body * denominator), denominator))
            if len(trial) < len(shorter or best):
                shorter = trial
        if shorter is None:
            return best
        best = shorter


def _over(numerator, denominator) -> dict:
    """The terms of a fraction; numbers that rounding left of larger ones are dropped."""
    found = _split(numerator)
    largest = max(map(abs, found.values()), default=0.0)
    return {body / denominator: c for body, c in found.items() if abs(c) > NOTHING * largest}


def _sum(*parts: dict) -> dict:
    found: dict = {}
    for part in parts:
        for body, c in part.items():
            found[body] = found.get(body, 0.0) + c
    return {body: c for body, c in found.items() if c}


def _skeleton(body: Expr) -> Expr:
    """The body with numbers at 1, whole exponents apart."""
    if not body.variables:
        return Expr.const(1.0)
    if body.op is OPS["power"] and isinstance(body.arguments[1].op, int):
        return Expr.apply(body.op, _skeleton(body.arguments[0]), body.arguments[1])
    return Expr.apply(body.op, *map(_skeleton, body.arguments)) if body.arguments else body


def _numbers(body: Expr) -> list[float]:
    """The numbers that a skeleton lacks."""
    if not body.variables:
        return [float(body.sympy())]
    return [n for part in body.arguments for n in _numbers(part)]


def _changes(before: list[Term], after: list[Term]) -> tuple[Change, ...]:
    """Terms of equal bodies are one, then terms of equal skeletons, nearest numbers first."""
    pairs = [(_distance(b, a), i, j) for i, b in enumerate(before) for j, a in enumerate(after)]
    matched: dict[int, int] = {}
    for distance, i, j in sorted(pairs):
        if distance < float("inf") and i not in matched and j not in matched.values():
            matched[i] = j
    kept = tuple(Change(before[i], after[j]) for i, j in sorted(matched.items()))
    removed = tuple(Change(b, None) for i, b in enumerate(before) if i not in matched)
    added = tuple(Change(None, a) for j, a in enumerate(after) if j not in matched.values())
    return kept + removed + added


def _distance(a: Term, b: Term) -> float:
    """How far the numbers in two bodies lie apart; Inf where more than numbers differs."""
    if _skeleton(a.body) != _skeleton(b.body):
        return float("inf")
    return sum(abs(x - y) / (abs(x) + abs(y) + 1e-300) for x, y in zip(_numbers(a.body), _numbers(b.body), strict=True))


def _short(body: Expr) -> Expr:
    return Expr(tuple(float(f"{t:.{DIGITS}g}") if isinstance(t, float) else t for t in body.tokens))


def _bracketed(body: Expr) -> str:
    return f"({body})" if body.op in (OPS["add"], OPS["sub"], OPS["div"]) else str(body)
