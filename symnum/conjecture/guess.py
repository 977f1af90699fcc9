"""`guess`: what rule may stand behind the terms of a sequence, and how far the terms speak for it.

Polynomials and rational functions of n, recurrences with constant and polynomial coefficients (with closed forms where the roots
allow), algebraic generating functions, closed forms by grammar search; where nothing is found, the same of the transforms in
`symnum.conjecture.transforms`. Every rule returned is true of all terms. It is called a guess only if

* at least `hold_back` terms followed from the earlier ones without being used to fix it, and
* the terms carry at least `MARGIN` bits more than it costs to name the rule among all that were tried (`symnum.numbers.evidence`),

so that a sequence without a rule has a chance of about 2^-MARGIN of being given one. A guess is never a proof.
Compare W. Hebisch and M. Rubey, "Extended rate, more GFUN", J. Symbolic Comput. 46, 2011, doi:10.1016/j.jsc.2011.01.008, and
M. Kauers, Guessing Handbook, RISC report 09-07, 2009.
"""

import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, log2
from numbers import Rational

from symnum.conjecture import closed_form
from symnum.conjecture.models import Model, linear_models, of_closed_form
from symnum.conjecture.transforms import TRANSFORMS, Part, Transform
from symnum.language.grammar import Grammar
from symnum.numbers.evidence import Code, Term, cheapest_code, surplus
from symnum.numbers.polynomials import digits
from symnum.numbers.recurrence import FIT_LINEAR, simple

MARGIN = 8.0  # bits by which the terms must exceed the cost of a rule
LEAST_TERMS = 5  # a rule, and something to check it on
LEAST_CHECKS = 3
MOST_TRANSFORMED = 300  # longer sequences are looked at as they are
FIT_TRANSFORMED = 256  # terms of a transformed sequence that a P-recursive rule is fitted to
STATUS = "conjecture"
KINDS = ("polynomial", "rational", "C-finite", "hypergeometric", "P-recursive", "algebraic", "closed form")  # the k-th: 1 + log2(k) bits


@dataclass(frozen=True)
class Guess:
    """One rule that is true of all terms given.

    Attributes:
        models: the rule of the sequence, or of each part of its transform.
        transform: how the sequence was transformed; None: not at all.
        parts: the sequences that the models describe.
        given: the terms.
        offset: the index of the first term.
        surplus: bits by which the terms exceed the cost of the rule.

    >>> g = guess([1, 1, 2, 5, 14, 42, 132]).best
    >>> g.kind, g.statement, g.checked, g.terms(3)
    ('hypergeometric', 'a(n) = binomial(2*n, n)/(n + 1)', 3, [429, 1430, 4862])
    """

    models: tuple[Model, ...]
    transform: Transform | None
    parts: tuple[Part, ...]
    given: tuple[Term, ...]
    offset: int
    surplus: float

    status = STATUS

    @property
    def kind(self) -> str:
        """polynomial, rational, C-finite, hypergeometric, P-recursive, algebraic or closed form; of a transform: of its parts."""
        return ", ".join(dict.fromkeys(m.kind for m in self.models))

    @property
    def checked(self) -> int:
        """How many terms followed from earlier ones without being used to fix the rule."""
        return len(self.checks)

    @cached_property
    def checks(self) -> tuple[int, ...]:
        """The positions of those terms."""
        return tuple(sorted(p.position(k) for m, p in zip(self.models, self.parts, strict=True) for k in m.predicted))

    @property
    def bits(self) -> float:
        """Description length: bits of the rule and the initial terms, and of the transform."""
        return sum(m.bits for m in self.models) + (0.0 if self.transform is None else log2(len(TRANSFORMS)) + 1)

    @property
    def statement(self) -> str:
        """The rule in its shortest form, as plain text."""
        if self.transform is None:
            return self.models[0].statement
        rules = (m.statement.replace("a(", f"{p.name}(") for m, p in zip(self.models, self.parts, strict=True))
        return "; ".join([self.transform.definition(self.offset), *rules])

    @property
    def closed_form(self) -> str | None:
        """a(n) as text over n, where it is known; so are the next three."""
        return self.models[0].closed_form if self.transform is None else None

    @property
    def recurrence(self) -> str | None:
        """An equation of a(n), a(n+1), …"""
        return self.models[0].recurrence if self.transform is None else None

    @property
    def generating_function(self) -> str | None:
        """Σ a(n) x^n, rational or with a square root."""
        return self.models[0].generating_function if self.transform is None else None

    @property
    def equation(self) -> str | None:
        """The algebraic equation of y = Σ a(offset + k) x^k."""
        return self.models[0].equation if self.transform is None else None

    @property
    def initial(self) -> tuple[Term, ...]:
        """The first terms that the rule needs; of all parts in turn."""
        return tuple(t for m in self.models for t in m.initial)

    def terms(self, k: int = 10) -> list[Term]:
        """The next k terms, exact.

        Raises:
            ValueError: k is negative, or the rule leaves one of them open.
        """
        if k < 0:
            msg = f"a number of terms >= 0 was required, got {k}"
            raise ValueError(msg)
        if self.transform is None:
            return self.models[0].after(k)
        whole = [[*p.terms, *m.after(k)] for m, p in zip(self.models, self.parts, strict=True)]
        return self.transform.join(self.given, self.offset, whole, k)

    def continued(self, k: int) -> list[Term]:
        """The next k terms, or those before the first that the rule leaves open."""
        while k:
            try:
                return self.terms(k)
            except ValueError:
                k -= 1
        return []

    def sympy(self):
        """The statement as a sympy equation; a tuple of them where the sequence was transformed."""
        equations = [to_sympy(m.statement) for m in self.models]
        return equations[0] if self.transform is None else tuple(equations)

    def latex(self) -> str:
        """The statement as LaTeX; of a transform: its definition and the rules of its parts."""
        import sympy

        texts = [m.statement.replace("a(", f"{p.name}(") for m, p in zip(self.models, self.parts, strict=True)]
        rules = [sympy.latex(to_sympy(text)) for text in texts]
        if self.transform is None:
            return rules[0]
        return r" \quad ".join([rf"\text{{{self.transform.definition(self.offset)}}}", *rules])

    def to_dict(self, next_terms: int = 10) -> dict:
        """The guess in the types of JSON; terms are texts, so that none loses digits."""
        return {
            "kind": self.kind, "status": self.status, "statement": self.statement,
            "transform": None if self.transform is None else self.transform.name,
            "closed_form": self.closed_form, "recurrence": self.recurrence, "generating_function": self.generating_function,
            "equation": self.equation, "initial": [digits(t) for t in self.initial],
            "checked": self.checked, "bits": round(self.bits, 1), "surplus": round(self.surplus, 1),
            "next": [digits(t) for t in self.continued(next_terms)],
        }

    def __str__(self) -> str:
        lines = [f"{self.kind}: {shortened(self.statement)}"]
        if self.transform is None:
            model = self.models[0]
            if model.recurrence and model.recurrence != model.statement:
                lines.append(f"  recurrence: {shortened(model.recurrence)}")
            if model.initial:
                lines.append("  initial: " + ", ".join(f"a({self.offset + k}) = {brief(t)}" for k, t in enumerate(model.initial[:8]))
                             + (", …" if len(model.initial) > 8 else ""))
            if model.generating_function:
                lines.append(f"  generating function: {shortened(model.generating_function)}")
            if model.equation and self.offset:
                lines.append(f"  y = sum of a(n) x^(n - {self.offset})" if self.offset > 0 else f"  y = sum of a(n) x^(n + {-self.offset})")
            elif model.equation:
                lines.append("  y = sum of a(n) x^n")
        lines.append(f"  {self.status}: predicted {self.checked} of {len(self.given)} terms")
        return "\n".join(lines)


@dataclass(frozen=True)
class Guesses(Sequence):
    """What `guess` found: formulas of n first, then other rules, either by description length.

    Attributes:
        found: the guesses.
        undecided: a rule true of all terms for which they are too few, or None.
        given: the terms.
        offset: the index of the first.
        hold_back: how many terms had to be predicted.
        message: what was found or is required, in words.
    """

    found: tuple[Guess, ...]
    undecided: Guess | None
    given: tuple[Term, ...]
    offset: int
    hold_back: int
    message: str

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, i):
        return self.found[i]

    @property
    def best(self) -> Guess | None:
        """The first guess."""
        return self.found[0] if self.found else None

    def terms(self, k: int = 10) -> list[Term]:
        """The next k terms by the best guess.

        Raises:
            ValueError: nothing was found.
        """
        return self._required().terms(k)

    def sympy(self):
        """The best guess as a sympy equation."""
        return self._required().sympy()

    def latex(self) -> str:
        """The best guess as LaTeX."""
        return self._required().latex()

    def _required(self) -> Guess:
        if not self.found:
            msg = f"a guess was required, there is none: {self.message}"
            raise ValueError(msg)
        return self.found[0]

    def to_dict(self, next_terms: int = 10) -> dict:
        """The result in the types of JSON."""
        return {
            "terms": len(self.given), "offset": self.offset, "hold_back": self.hold_back, "message": self.message,
            "guesses": [g.to_dict(next_terms) for g in self.found],
            "undecided": None if self.undecided is None else self.undecided.to_dict(0),
        }

    def __str__(self) -> str:
        return "\n".join([*map(str, self.found), self.message])


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
    >>> print(guess([2, 3, 5, 7, 11, 13, 17, 19, 23, 29]).message)
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


def brief(term: Term) -> str:
    """A term as text; a long one by its ends."""
    text = digits(term)
    return text if len(text) <= 60 else f"{text[:20]}…{text[-10:]} ({len(text)} digits)"


def shortened(text: str, most: int = 1000) -> str:
    """A text of at most `most` characters."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def to_sympy(text: str):
    """A formula or equation of this room as sympy.

    >>> to_sympy("a(n+1) = 2*n^2*a(n)")
    Eq(a(n + 1), 2*n**2*a(n))
    """
    import sympy

    n, x, y = sympy.Symbol("n", integer=True), sympy.Symbol("x"), sympy.Symbol("y")
    names = {"n": n, "x": x, "y": y, "e": sympy.E, **{f: sympy.Function(f) for f in ("a", "b", "b_0", "b_1", "b_2", "b_3")}}
    sides = [sympy.sympify(side.replace("^", "**"), locals=names) for side in text.split(" = ")]
    return sides[0] if len(sides) == 1 else sympy.Eq(*sides, evaluate=False)
