"""Snapping: constants of a fitted formula that are, within what the data tell, exact numbers.

Each free constant is tried against integers, small rationals, and small rational multiples of pi, e, sqrt 2 and their
inverses, nearest and simplest first; the others are refitted; the exact number stays if the loss stays (within the noise
that n rows leave, or the rounding floor). An exact number is an `int` token, a quotient of two, or a product with `pi`.
"""

import math
from fractions import Fraction

from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import OPS
from symnum.search.base import Context

DENOMINATORS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
LARGEST = 1000  # integers beyond this are not taken for exact
NOTHING = 1e-8  # constants below this are tried as 0; the loss decides
CHANCE = 0.01  # admitted probability of a coincidence
UNIT_BITS = 7  # price of pi, e or a root: the dozen units are a dozen chances of a coincidence, and the rarer kind
_PI, _E, _SQRT, _MUL = OPS["pi"], OPS["e"], OPS["sqrt"], OPS["mul"]
UNITS = (  # value, tokens, whether the tokens stand in the denominator
    (1.0, (), False),
    (math.pi, (_PI,), False),
    (1 / math.pi, (_PI,), True),
    (math.pi**2, (_PI, 2, OPS["power"]), False),
    (1 / math.pi**2, (_PI, 2, OPS["power"]), True),
    (math.e, (_E,), False),
    (1 / math.e, (_E,), True),
    (math.sqrt(2), (2, _SQRT), False),
    (math.sqrt(3), (3, _SQRT), False),
    (math.sqrt(math.pi), (_PI, _SQRT), False),
    (1 / math.sqrt(math.pi), (_PI, _SQRT), True),
    (1 / math.sqrt(2 * math.pi), (2, _PI, _MUL, _SQRT), True),
)


def snapped(context: Context, expr: Expr, loss: float) -> Expr | None:
    """The formula with exact constants, or None where no constant is exact.

    The formula is tried as found and in reading form, where constants may have met (square(c*x) is c^2*x^2); what has
    fewer free constants, then fewer symbols, is taken. A replacement is kept if the loss on the training rows does not
    grow by more than 0.5/n of itself (an eighth of what a superfluous constant earns on average), or stays below the
    rounding floor.
    """
    forms = [form for form in (expr, expr.simplify()) if form.constants or form is expr]
    found = [new for form in forms if (new := _snap_constants(context, form, loss)) is not None]
    return min(found, key=lambda e: (len(e.constants), e.complexity)).simplify() if found else None


def _snap_constants(context: Context, expr: Expr, loss: float) -> Expr | None:
    """One pass over the free constants, last first."""
    tokens, best, changed = list(expr.tokens), loss, False
    rows = getattr(context.problem, "train", context.problem.search).n
    for position in reversed([i for i, t in enumerate(tokens) if isinstance(t, float)]):
        for exact in near_exact(tokens[position]):
            trial = Expr((*tokens[:position], *exact, *tokens[position + 1 :]))
            fitted, new = refitted(context, trial)
            if new <= max(best * (1 + 0.5 / rows), 4 * context.problem.floor):
                tokens, best, changed = list(fitted.tokens), max(new, best), True
                break
    return Expr(tuple(tokens)) if changed else None


def refitted(context: Context, expr: Expr) -> tuple[Expr, float]:
    """The formula with its free constants fitted anew on the training rows, and its loss."""
    score = context.problem.score(Batch.pack([expr], context.rules.names), context.evaluator, full=True, iterations=20)
    return score.batch[0], float(score.loss[0])


def near_exact(value: float) -> list[tuple]:
    """Tokens of exact numbers near `value`, simplest first.

    A number of b bits is near if it deviates by less than `CHANCE` / 2^b: among the 2^b numbers as simple as it, one so
    near would be a rare coincidence.

    >>> [str(Expr(t)) for t in near_exact(1.570796)]
    ['1/2*pi']
    >>> [str(Expr(t)) for t in near_exact(-2.0001)], near_exact(1.2345)
    (['-2'], [])
    """
    if abs(value) < NOTHING or not math.isfinite(value):
        return [(0,)] if abs(value) < NOTHING else []
    found: list[tuple[float, tuple]] = []
    for unit, tokens, inverse in UNITS:
        for q in DENOMINATORS:
            p = round(value / unit * q)
            if p == 0 or abs(p) > LARGEST or math.gcd(p, q) != 1:
                continue
            bits = math.log2(abs(p)) + math.log2(q) + UNIT_BITS * bool(tokens)
            if abs(p / q * unit / value - 1) < CHANCE / 2**bits:
                found.append((bits, _tokens(Fraction(p, q), tokens, inverse)))
    return [t for _, t in sorted(found, key=lambda f: f[0])[:4]]


def _tokens(ratio: Fraction, unit: tuple, inverse: bool) -> tuple:
    """p/q, p/q*u or p/(q*u) as tokens."""
    p, q = ratio.numerator, ratio.denominator
    if not unit:
        return (p,) if q == 1 else (p, q, OPS["div"])
    if inverse:
        return (p, *unit, OPS["div"]) if q == 1 else (p, q, *unit, OPS["mul"], OPS["div"])
    if q == 1:
        return unit if p == 1 else (p, *unit, OPS["mul"])
    return (p, q, OPS["div"], *unit, OPS["mul"])
