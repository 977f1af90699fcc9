"""What `guess` returns: `Guess`, one rule with its checks and its next terms, and `Guesses`, all that were found."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log2

from symnum.conjecture.sequences.models import Model
from symnum.conjecture.sequences.transforms import TRANSFORMS, Part, Transform
from symnum.numbers.evidence import Term
from symnum.numbers.polynomials import digits

STATUS = "conjecture"


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

    >>> from symnum.conjecture.sequences.guess import guess
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
