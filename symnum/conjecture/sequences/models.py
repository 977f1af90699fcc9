"""The formulas of one sequence of exact terms, by every method that applies: each a `Model` that continues the sequence."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from symnum.conjecture.sequences.closed_form import ClosedForm
from symnum.numbers import cfinite, hypergeometric, polynomials
from symnum.numbers.algebraic import AlgebraicSeries, find_algebraic
from symnum.numbers.evidence import Term, cheapest_code
from symnum.numbers.recurrence import Recurrence, find_cfinite, find_precursive
from symnum.numbers.terms import RationalTerm, find_polynomial, find_rational

SURE = 3  # predicted terms from which a rule makes the search for more general ones idle


@dataclass(frozen=True)
class Model:
    """A formula that is true of all terms given.

    Attributes:
        kind: polynomial, rational, C-finite, hypergeometric, P-recursive, algebraic or closed form.
        closed_form: f(n) as text, or None.
        recurrence: the recurrence as text, an equation of a(n), a(n+1), …, or None.
        generating_function: Σ a(n) x^n as text, or None.
        equation: the equation of y = Σ a(start + k) x^k as text, or None.
        initial: the first terms that must be given with it.
        fitted: how many of the first terms fix it.
        predicted: the positions of terms that follow from those before them and were not used to fix it.
        tried: how many formulas or shapes came before it.
        bits: its length written out, initial terms included.
        after: k -> the k terms after those given.
    """

    kind: str
    initial: tuple[Term, ...]
    fitted: int
    predicted: tuple[int, ...]
    tried: float
    bits: float
    after: Callable[[int], list[Term]]
    closed_form: str | None = None
    recurrence: str | None = None
    generating_function: str | None = None
    equation: str | None = None

    @property
    def statement(self) -> str:
        """The shortest form as an equation."""
        if self.closed_form is not None:
            return f"a(n) = {self.closed_form}"
        return self.recurrence or self.equation or ""


def linear_models(terms: Sequence[Term], start: int, most: int) -> Iterator[Model]:
    """Models by linear algebra, at least one term predicted; `most` bounds the terms fitted by a P-recursive one."""
    term = find_polynomial(terms, start) or find_rational(terms, start)
    if term is not None:
        yield _of_term(term, terms, start)
    constant = find_cfinite(terms, start)
    if constant is not None:
        yield _of_recurrence(constant, terms)
    if term is not None and len(terms) - term.fitted >= SURE:
        return
    recurrence = find_precursive(terms, start, most=most)
    if recurrence is not None:
        smaller = constant is None or (recurrence.order + 1) * (recurrence.degree + 1) < constant.order + 1
        if smaller or recurrence.order == 1:
            yield _of_recurrence(recurrence, terms)
    if constant is None or len(terms) - constant.fitted < SURE:
        series = find_algebraic(terms)
        if series is not None:
            yield _of_series(series, terms, start)


def _of_term(term: RationalTerm, terms: Sequence[Term], start: int) -> Model:
    def after(k: int) -> list[Term]:
        return [term.value(start + m) for m in range(len(terms), len(terms) + k)]

    return Model(term.kind, (), term.fitted, tuple(range(term.fitted, len(terms))), term.tried, term.bits, after, closed_form=term.text)


def _of_recurrence(recurrence: Recurrence, terms: Sequence[Term]) -> Model:
    closed, function = None, None
    if recurrence.degree == 0:
        closed, function = cfinite.binet(recurrence, terms), cfinite.generating_function(recurrence, terms)
    elif recurrence.order == 1:
        form = hypergeometric.closed_form(recurrence, list(terms))
        closed = form and form.text
    predicted = tuple(k for k in range(recurrence.fitted, len(terms)) if recurrence.determines(k))
    last = terms[-recurrence.order:] if recurrence.order else ()
    return Model(recurrence.kind, recurrence.initial, recurrence.fitted, predicted, recurrence.tried, recurrence.bits,
                 lambda k: recurrence.terms_after(last, len(terms), k),
                 closed_form=closed, recurrence=recurrence.text, generating_function=function)


def _of_series(series: AlgebraicSeries, terms: Sequence[Term], start: int) -> Model:
    predicted = tuple(range(series.fitted - series.lag, len(terms) - series.lag))
    function = series.radical(terms)
    if function is not None and start:
        function = f"x^{start if start > 0 else f'({start})'}*({function})"
    return Model(series.kind, series.initial, series.fitted, predicted, series.tried, series.bits,
                 lambda k: series.terms_after(terms, k), generating_function=function, equation=series.text)


def of_closed_form(form: ClosedForm, terms: Sequence[Term], start: int) -> Model:
    """The model of a formula found by grammar search: it is as good as fixed once the terms carry the bits of its place."""
    def after(k: int) -> list[Term]:
        found = []
        for n in range(start + len(terms), start + len(terms) + k):
            value = form.value(n)
            if value is None:
                msg = f"{form.text} is undefined or too large at n = {polynomials.digits(n)}"
                raise ValueError(msg)
            found.append(value)
        return found

    fitted = sum(total < form.bits for total in accumulate(cheapest_code(terms).bits)) + 1
    return Model(form.kind, (), fitted, tuple(range(fitted, len(terms))), 2.0**form.bits, form.bits, after, closed_form=form.text)
