"""Linear recurrences with constant or polynomial coefficients: found from exact terms, checked exactly, continued exactly.

    Σ_i p_i(n) a(n + i) = 0,  i = 0 … r,  with p_i of degree at most d;  C-finite where d = 0, hypergeometric where r = 1, else P-recursive

C-finite recurrences are minimal polynomials of the terms modulo primes (Berlekamp–Massey: J. L. Massey, IEEE Trans. Inf. Theory 15,
1969, doi:10.1109/TIT.1969.1054260), the others come from `shapes`. What is returned holds exactly on the terms it was given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm

from flint import fmpz_mod_ctx, fmpz_mod_poly_ctx, nmod_mat

from symnum.numbers import polynomials
from symnum.numbers.evidence import Term, code_bits, integer_bits
from symnum.numbers.modular import MOST_PRIMES, lift, primes, residues
from symnum.numbers.shapes import Family, smallest

MOST_ORDER = 16  # of P-recursive operators
FIT_CFINITE, FIT_LINEAR = 4000, 500  # no more terms are fitted; all others are checks
FIRST_FIT = 64  # terms of the first, cheap attempt; doubled as long as nothing is found


@dataclass(frozen=True)
class Recurrence:
    """Σ_i p_i(n) a(n + i) = 0 for n = start, start + 1, ….

    Attributes:
        polynomials: p_0 … p_r, integer coefficients low to high; p_r is not zero.
        start: the index of the first term.
        initial: the terms that the recurrence does not give, from `start` on: at least r.
        fitted: how many of the first terms were needed to fix it.
        tried: how many shapes were within reach.

    >>> r = find_cfinite([0, 1, 1, 2, 3, 5, 8, 13], 0)
    >>> r.text, r.terms_after([5, 8], 6, 2)
    ('a(n+2) = a(n+1) + a(n)', [13, 21])
    """

    polynomials: tuple[polynomials.Coefficients, ...]
    start: int
    initial: tuple[Term, ...]
    fitted: int
    tried: int

    @property
    def order(self) -> int:
        return len(self.polynomials) - 1

    @property
    def degree(self) -> int:
        return max(map(len, self.polynomials)) - 1

    @property
    def kind(self) -> str:
        if self.degree == 0:
            return "C-finite"
        return "hypergeometric" if self.order == 1 else "P-recursive"

    @cached_property
    def bits(self) -> float:
        """Bits of the recurrence written out: order, degree, coefficients, initial values."""
        coefficients = [c for p in self.polynomials for c in (*p, *(0,) * (self.degree + 1 - len(p)))]
        return integer_bits(self.order) + integer_bits(self.degree) + code_bits(coefficients) + code_bits(self.initial)

    @property
    def text(self) -> str:
        """The recurrence solved for its last term as far as that is short, as plain text."""
        lead, order = self.polynomials[-1], self.order
        left = _times(lead, f"a(n+{order})") if order else _times(lead, "a(n)")
        right = ""
        for i in reversed(range(order)):
            p = tuple(-c for c in self.polynomials[i])
            if p:
                negative = p[-1] < 0
                term = _times(tuple(map(abs, p)) if len(p) == 1 else tuple(-c for c in p) if negative else p, f"a(n+{i})" if i else "a(n)")
                right += (" - " if negative else " + ") + term if right else ("-" if negative else "") + term
        return f"{left} = {right or '0'}"

    def determines(self, position: int) -> bool:
        """Whether the term at this position (from 0) follows from those before it."""
        n = self.start + position - self.order
        return position >= self.order and polynomials.value(self.polynomials[-1], n) != 0

    def holds(self, terms: Sequence[Term]) -> bool:
        """Whether the recurrence is true of the terms, the first of which is a(start); exact."""
        whole = integers(terms)
        ps, order, start = self.polynomials, self.order, self.start
        if self.degree == 0:
            constants = [(i, p[0]) for i, p in enumerate(ps) if p]
            return all(sum(c * whole[k + i] for i, c in constants) == 0 for k in range(len(whole) - order))
        return all(sum(polynomials.value(p, start + k) * whole[k + i] for i, p in enumerate(ps) if p) == 0
                   for k in range(len(whole) - order))

    def terms_after(self, last: Sequence[Term], position: int, k: int) -> list[Term]:
        """The k terms from `position` (from 0) on, given at least the r terms before it.

        Raises:
            ValueError: the leading coefficient vanishes there, so that the recurrence leaves the term open.
        """
        window = list(last[len(last) - self.order:]) if self.order else []
        new: list[Term] = []
        for m in range(position, position + k):
            n = self.start + m - self.order
            lead = polynomials.value(self.polynomials[-1], n)
            if lead == 0:
                msg = f"the recurrence does not determine a({self.start + m}): its leading coefficient is 0 there"
                raise ValueError(msg)
            total = sum(polynomials.value(p, n) * a for p, a in zip(self.polynomials, window, strict=False))
            term = simple(Fraction(-total) / lead) if total else 0
            new.append(term)
            window = [*window[1:], term] if self.order else window
        return new


def _times(p: polynomials.Coefficients, name: str) -> str:
    factor = polynomials.product_text(p)
    return name if factor == "1" else f"{factor}*{name}"


def simple(number: Term) -> Term:
    """An int where the number is whole."""
    return int(number) if number.denominator == 1 else number


def integers(terms: Sequence[Term]) -> list[int]:
    """The terms times their least common denominator."""
    scale = lcm(*(t.denominator for t in terms))
    return [int(t * scale) for t in terms]


def find_cfinite(terms: Sequence[Term], start: int, spare: int = 1) -> Recurrence | None:
    """The recurrence with constant coefficients of least order r, where 2r + spare terms are given; None where there is none.

    >>> find_cfinite([1, 2, 4, 8, 16, 31], 0) is None
    True
    """
    fit = terms[:FIT_CFINITE]
    denominator = lcm(*(t.denominator for t in fit))
    least = [_order(fit, p) for _, p in zip(range(2), primes(denominator), strict=False)]
    if 2 * max(least) + spare > len(fit):
        return None
    size = max(t.numerator.bit_length() + t.denominator.bit_length() for t in fit[:2 * max(least) + 1])
    vector = lift(lambda p: _minimal(fit, p), denominator, max(MOST_PRIMES, size // 30))  # a ratio of terms is as long as they are
    if vector is None:
        return None
    order = len(vector) - 1
    found = Recurrence(tuple((c,) if c else () for c in vector), start, tuple(terms[:order]), 2 * order, order + 1)
    return found if found.holds(terms) else None


def _order(terms: Sequence[Term], p: int) -> int:
    return len(_minimal(terms, p)) - 1


def _minimal(terms: Sequence[Term], p: int) -> list[int]:
    """The monic minimal polynomial of the terms modulo p, low to high."""
    context = fmpz_mod_ctx(p)
    return [int(c) for c in fmpz_mod_poly_ctx(context).minpoly([context(t) for t in residues(terms, p)]).coeffs()]


def find_precursive(terms: Sequence[Term], start: int, spare: int = 1, most: int = FIT_LINEAR) -> Recurrence | None:
    """The recurrence of fewest unknowns (r + 1)(d + 1), d ≥ 1, that leaves `spare` equations for the check; None where there is none.

    No more than `most` terms are fitted.

    >>> find_precursive([1, 1, 2, 5, 14, 42, 132], 0, 3).text
    '(n + 2)*a(n+1) = 2*(2*n + 1)*a(n)'
    """
    size = min(len(terms), FIRST_FIT)
    while True:
        found = _precursive(terms[:size], start, spare)
        if found is not None and found.holds(terms):
            return found
        if size >= min(len(terms), most):
            return None
        size = min(2 * size, len(terms), most)


def _precursive(terms: Sequence[Term], start: int, spare: int) -> Recurrence | None:
    whole, known = integers(terms), {}

    def matrix(order: int, degree: int, p: int) -> nmod_mat:
        if p not in known:
            known[p] = _powers_times(residues(whole, p), start, p)
        columns = known[p](degree)
        rows = len(whole) - order
        flat = [columns[j][k + i] for k in range(rows) for i in range(order + 1) for j in range(degree + 1)]
        return nmod_mat(rows, (order + 1) * (degree + 1), flat, p)

    def equations(order: int) -> int:
        return sum(any(whole[k: k + order + 1]) for k in range(len(whole) - order))  # 0 = 0 says nothing

    family = Family(matrix, lambda r, d: (r + 1) * (d + 1), equations, range(1, MOST_ORDER + 1), least=1)
    found = smallest(family, spare)
    if found is None:
        return None
    width = found.degree + 1
    ps = [polynomials.trimmed(found.vector[i * width: (i + 1) * width]) for i in range(found.order + 1)]
    # columns are (n + i)^j a(n + i): back to powers of n
    ps = [polynomials.trimmed(polynomials.shifted(p, i)) for i, p in enumerate(ps)]
    if not ps[-1]:
        return None
    rows = found.rows + found.order
    return Recurrence(tuple(ps), start, _initial(terms, ps, start), rows, found.tried)


def _initial(terms: Sequence[Term], ps: Sequence[polynomials.Coefficients], start: int) -> tuple[Term, ...]:
    """The first r terms, and all up to the last that the recurrence leaves open."""
    order = len(ps) - 1
    open_ = [k for k in range(order, len(terms)) if polynomials.value(ps[-1], start + k - order) == 0]
    return tuple(terms[: max([order, *(k + 1 for k in open_)])])


def _powers_times(terms: list[int], start: int, p: int):
    """d -> the columns n^j a(n) mod p, j = 0 … d, made once."""
    columns = [terms]

    def upto(degree: int) -> list[list[int]]:
        while len(columns) <= degree:
            columns.append([(start + k) * c % p for k, c in enumerate(columns[-1])])
        return columns

    return upto
