"""`guess`: what rule may stand behind the terms of a sequence, and how far the terms speak for it.

Polynomials and rational functions of n, recurrences with constant and polynomial coefficients (with closed forms where the roots
allow), algebraic generating functions, closed forms by grammar search; where nothing is found, the same of the transforms in
`symnum.conjecture.sequences.transforms`. Every rule returned is true of all terms. It is called a guess only if

* at least `hold_back` terms followed from the earlier ones without being used to fix it, and
* the terms carry at least `MARGIN` bits more than it costs to name the rule among all that were tried (`symnum.numbers.evidence`),

so that a sequence without a rule has a chance of about 2^-MARGIN of being given one. A guess is never a proof.
Compare B. Salvy and P. Zimmermann, "GFUN", ACM Trans. Math. Software 20, 1994, doi:10.1145/178365.178368, and M. Kauers, Guessing
Handbook, RISC report 09-07, 2009.
"""

import operator
from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import ceil, log2
from numbers import Rational

from symnum.conjecture.sequences import closed_form
from symnum.conjecture.sequences.guesses import Guess, Guesses, shortened
from symnum.conjecture.sequences.models import Model, linear_models, of_closed_form
from symnum.conjecture.sequences.transforms import TRANSFORMS, Part
from symnum.language.grammar import Grammar
from symnum.numbers.evidence import Code, Term, cheapest_code, surplus
from symnum.numbers.recurrence import FIT_LINEAR, simple

MARGIN = 8.0  # bits by which the terms must exceed the cost of a rule
LEAST_TERMS = 5  # a rule, and something to check it on
LEAST_CHECKS = 3
MOST_TRANSFORMED = 300  # longer sequences are looked at as they are
FIT_TRANSFORMED = 256  # terms of a transformed sequence that a P-recursive rule is fitted to
KINDS = ("polynomial", "rational", "C-finite", "hypergeometric", "P-recursive", "algebraic", "closed form")  # the k-th: 1 + log2(k) bits


def guess(terms: Iterable, *, offset: int = 0, hold_back: int | None = None, grammar: "str | Grammar | None" = "integer") -> Guesses:
    """Guess the rule of a sequence.

    Args:
        terms: exact terms in order: whole numbers, fractions, or their texts such as "3/4"; at least 5.
        offset: the index n of the first term.
        hold_back: how many terms must follow from the others; a tenth of them by default, and never less than 3.
        grammar: the grammar of closed forms (it has no CONST), or None for no such search.

    Returns:
        the guesses, formulas of n before other rules and short descriptions before long ones; none where the terms do not speak
        clearly for any.

    Raises:
        ValueError: too few terms, a term that is no exact rational number (a float is none), or an impossible `hold_back`.

    >>> result = guess([0, 1, 1, 2, 3, 5, 8, 13, 21, 34])
    >>> result.best.recurrence, result.terms(3)
    ('a(n+2) = a(n+1) + a(n)', [55, 89, 144])
    >>> print(guess([2, 3, 5, 7, 11, 13, 17, 19, 23, 29], grammar=None).message)
    no rule found in 10 terms; more terms allow longer rules
    """
    given = tuple(exact_terms(terms))
    if hold_back is None:
        hold_back = max(LEAST_CHECKS, len(given) // 10)
    if len(given) < LEAST_TERMS:
        msg = f"at least {LEAST_TERMS} terms are required (a rule, and terms to check it on), got {len(given)}"
        raise ValueError(msg)
    if not 1 <= hold_back < len(given):
        msg = f"hold_back from 1 to {len(given) - 1} is required for {len(given)} terms, got {hold_back}"
        raise ValueError(msg)
    code, found, short = cheapest_code(given), [], []
    for candidate in _candidates(given, operator.index(offset), code, grammar, found):
        (found if candidate.checked >= hold_back and candidate.surplus >= MARGIN else short).append(candidate)
    found.sort(key=lambda g: (g.closed_form is None, g.bits))
    undecided = max(short, key=lambda g: g.surplus, default=None) if not found else None
    return Guesses(tuple(found), undecided, given, offset, hold_back, _message(found, undecided, given, hold_back, code))


def exact_terms(terms: Iterable) -> Iterator[Term]:
    """The terms as integers and fractions.

    Raises:
        ValueError: a term is no exact rational number.

    >>> list(exact_terms([1, "-2", "3/4", Fraction(6, 3)]))
    [1, -2, Fraction(3, 4), 2]
    """
    from flint import fmpz

    if isinstance(terms, str | bytes):
        msg = f"a list of terms was required, got the text {terms!r:.60}; split it first"
        raise ValueError(msg)
    for k, term in enumerate(terms):
        try:
            if isinstance(term, str):
                top, slash, below = term.strip().partition("/")
                yield simple(Fraction(int(fmpz(top)), int(fmpz(below)))) if slash else int(fmpz(top))
            elif isinstance(term, Rational):
                yield simple(Fraction(term))
            elif hasattr(term, "p") and hasattr(term, "q") and not isinstance(term, float):  # sympy's and flint's rationals
                yield simple(Fraction(int(term.p), int(term.q)))
            else:
                yield operator.index(term)
        except (TypeError, ValueError, ZeroDivisionError) as error:
            msg = f"an exact term (a whole number or a fraction such as 3/4) was required at position {k + 1}, got {str(term)[:40]!r}"
            raise ValueError(msg) from error


def _candidates(given: tuple[Term, ...], offset: int, code: Code, grammar: "str | Grammar | None",
                found: list[Guess]) -> Iterator[Guess]:
    """The rules that are true of all terms; later ones only where `found`, which the caller fills, does not make them idle."""
    whole = (Part("a", given, offset, lambda k: k),)
    for model in linear_models(given, offset, FIT_LINEAR):
        yield _guess((model,), None, whole, given, offset, code, 1)
    if grammar is not None and not any(g.closed_form for g in found):
        form = closed_form.find(given, offset, Grammar.load(grammar))
        if form is not None:
            yield _guess((of_closed_form(form, given, offset),), None, whole, given, offset, code, 1)
    if found or len(given) > MOST_TRANSFORMED:
        return
    for transform in TRANSFORMS:
        parts = transform.split(given, offset)
        models = [_least(p) for p in parts] if parts else []
        if models and all(models):
            yield _guess(tuple(models), transform, tuple(parts), given, offset, code, 2 * len(TRANSFORMS))


def _least(part: Part) -> Model | None:
    """The shortest rule of a part."""
    return min(linear_models(part.terms, part.start, FIT_TRANSFORMED), key=lambda m: m.bits, default=None) if len(part.terms) > 2 else None


def _guess(models, transform, parts, given, offset, code, ways) -> Guess:
    draft = Guess(models, transform, parts, given, offset, 0.0)
    tried = sum(log2(max(m.tried, 1)) + log2(KINDS.index(m.kind) + 1) + 1 for m in models) + log2(ways)
    gained = surplus(code, draft.checks, tried, draft.bits)
    return Guess(models, transform, parts, given, offset, gained)


def _message(found: list[Guess], undecided: Guess | None, given: tuple, hold_back: int, code: Code) -> str:
    if found:
        text = f"{len(found)} {'rule that is' if len(found) == 1 else 'rules that are'} true of all {len(given)} terms"
        futures = [g.continued(10) for g in found]
        same = next((k for k in range(10) if len({f[k] for f in futures if k < len(f)}) > 1), None)
        return text if same is None else f"{text}; they differ from term {len(given) + same + 1} on"
    if undecided is None:
        return f"no rule found in {len(given)} terms; more terms allow longer rules"
    more = max(hold_back - undecided.checked, ceil((MARGIN - undecided.surplus) / (code.total / len(given))), 1)
    return (f"no rule is clear enough: {shortened(undecided.statement)} is true of all {len(given)} terms, but they check it only "
            f"{undecided.checked} times; at least {more} more term{'s are' if more > 1 else ' is'} required")
