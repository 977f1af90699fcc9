"""Exact machinery of sequences: what is built is found again, continues exactly, and one wrong term kills it."""

from fractions import Fraction
from math import comb, factorial

import pytest
from flint import nmod_mat
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from symnum.numbers import modular, polynomials
from symnum.numbers.algebraic import find_algebraic
from symnum.numbers.cfinite import binet, generating_function
from symnum.numbers.evidence import cheapest_code, code_bits
from symnum.numbers.hypergeometric import closed_form
from symnum.numbers.recurrence import Recurrence, find_cfinite, find_precursive
from symnum.numbers.terms import find_polynomial, find_rational

small = st.integers(-5, 5)
CATALAN = [comb(2 * n, n) // (n + 1) for n in range(40)]


def evaluated(text: str, n: int, **names):
    """A closed form's text by sympy, exact."""
    import sympy

    formula = sympy.sympify(text.replace("^", "**"), locals={"rf": sympy.rf, **names})
    return sympy.nsimplify(sympy.simplify(formula.subs("n", n)))


# modular ------------------------------------------------------------------------------------------------------------------
@given(st.integers(-10**6, 10**6), st.integers(1, 10**6))
def test_rational_reconstruction_is_the_inverse_of_reduction(a, b):
    q, p = Fraction(a, b), modular.prime(0)
    assert modular.fraction(modular.residues([q], p)[0], p, 10**9) == (q.numerator, q.denominator)


@given(st.lists(st.integers(-10**40, 10**40), min_size=1, max_size=6).filter(any))
def test_lift_finds_a_primitive_vector_with_many_digits(vector):
    def image(p):
        last = next((v for v in reversed(vector) if v % p), None)
        return None if last is None else [v * pow(last, -1, p) % p for v in vector]

    found = modular.lift(image)
    k = next(i for i, v in enumerate(vector) if v)
    assert all(f * vector[k] == v * found[k] for f, v in zip(found, vector, strict=True))
    assert next(f for f in reversed(found) if f) > 0


def test_lift_gives_up_on_what_needs_too_many_primes():
    assert modular.lift(lambda p: [pow(3, 10_000, p), 1], most=5) is None


def test_the_kernel_of_an_invertible_matrix_is_empty():
    assert modular.kernel_vector(lambda p: nmod_mat(2, 2, [1, 2, 3, 4], p)) is None


# recurrences --------------------------------------------------------------------------------------------------------------
@settings(max_examples=50)
@given(st.lists(small, min_size=1, max_size=4), st.data(), st.integers(-3, 5))
def test_a_random_cfinite_sequence_is_recovered_and_continued(coefficients, data, start):
    order = len(coefficients)
    terms = data.draw(st.lists(small, min_size=order, max_size=order))
    while len(terms) < 2 * order + 20:
        terms.append(sum(c * t for c, t in zip(coefficients, terms[-order:], strict=True)))
    given_terms, future = terms[:-10], terms[-10:]
    found = find_cfinite(given_terms, start, 3)
    assert found.order <= order and found.holds(terms)
    assert found.terms_after(given_terms, len(given_terms), 10) == future
    broken = [*given_terms[:-1], given_terms[-1] + 1]
    again = find_cfinite(broken, start, 3)
    assert again is None or again.order > order  # of a longer rule with fewer terms to check it


@settings(max_examples=40)
@given(st.lists(st.tuples(small, small), min_size=1, max_size=2), st.integers(1, 4), st.data())
def test_a_random_precursive_sequence_is_recovered_and_continued(lower, lead, data):
    ps = [(c, d) for c, d in lower] + [(lead, 1)]
    truth = Recurrence(tuple(polynomials.trimmed(p) for p in ps), 0, (), 0, 1)
    order = truth.order
    first = data.draw(st.lists(st.integers(1, 5), min_size=order, max_size=order))
    terms = [*first, *truth.terms_after(first, order, 30)]
    assume(len(set(terms)) > 10)
    found = find_precursive(terms[:24], 0, 3)
    assert found is not None and found.holds(terms)
    assert (found.order + 1) * (found.degree + 1) <= 2 * (order + 1)
    broken = [*terms[:23], terms[23] + 1]
    again = find_precursive(broken, 0, 3)
    assert again is None or not any(map(again.determines, range(again.fitted, 24)))  # it is only left open where it breaks


def test_offset_and_fractions():
    terms = [Fraction(2**n, n) for n in range(1, 12)]
    found = find_precursive(terms, 1, 3)
    assert found.text == "(n + 1)*a(n+1) = 2*n*a(n)"
    assert found.terms_after(terms, 11, 1) == [Fraction(2**12, 12)]


def test_a_recurrence_that_leaves_a_term_open_says_so():
    gap = Recurrence(((-1,), (-5, 1)), 0, (1,), 2, 1)
    assert not gap.determines(6) and gap.determines(5)
    with pytest.raises(ValueError, match=r"does not determine a\(6\)"):
        gap.terms_after([1], 1, 10)


def test_a_zero_coefficient_and_a_preperiod():
    found = find_cfinite([7, 1, 2, 4, 8, 16, 32, 64], 0)
    assert found.text == "a(n+2) = 2*a(n+1)" and binet(found, [7, 1]) is None
    assert find_cfinite([0] * 8, 0).terms_after([0] * 8, 8, 3) == [0, 0, 0]


def test_no_recurrence_for_partitions():
    from flint import fmpz

    partitions = [int(fmpz(n).partitions_p()) for n in range(60)]
    assert find_cfinite(partitions, 0) is None and find_precursive(partitions, 0) is None
    assert find_algebraic(partitions) is None and find_rational(partitions, 0) is None and find_polynomial(partitions, 0) is None


@pytest.mark.parametrize("terms", [[2**n - n for n in range(12)], [3 * 2**n + 5 for n in range(12)], [n * 2**n - 3**n for n in range(12)],
                                   [2, 1, 3, 4, 7, 11, 18, 29, 47], [1, 3, 7, 17, 41, 99, 239, 577], [0, 1, 1, 4, 9, 25, 64, 169, 441]])
@pytest.mark.parametrize("start", [0, 2, -1])
def test_binet_is_true_and_the_generating_function_expands_to_the_terms(terms, start):
    import sympy

    found = find_cfinite(terms, start)
    text = binet(found, terms)
    assert [evaluated(text, start + k) for k in (0, 1, 5)] == [terms[k] for k in (0, 1, 5)]
    x = sympy.Symbol("x")
    series = sympy.series(sympy.sympify(generating_function(found, terms).replace("^", "**")) / x**start, x, 0, 6).removeO()
    assert [series.coeff(x, k) for k in range(6)] == terms[:6]


# terms and closed forms -----------------------------------------------------------------------------------------------------
@settings(max_examples=50)
@given(st.lists(st.fractions(-9, 9, max_denominator=6), max_size=5), st.integers(-4, 4))
def test_a_random_polynomial_is_recovered(coefficients, start):
    terms = [polynomials.value(coefficients, Fraction(start + k)) for k in range(12)]
    found = find_polynomial(terms, start, 3)
    assert [found.value(start + k) for k in range(12, 20)] == [polynomials.value(coefficients, Fraction(start + k)) for k in range(12, 20)]
    assert find_polynomial([*terms[:11], terms[11] + 1], start, 3) is None


@settings(max_examples=30)
@given(st.lists(small, min_size=1, max_size=3).filter(any), st.lists(st.integers(1, 5), min_size=2, max_size=3))
def test_a_random_rational_function_is_recovered(top, below):
    terms = [Fraction(polynomials.value(top, n), polynomials.value(below, n)) for n in range(16)]
    found = find_polynomial(terms[:12], 0, 3) or find_rational(terms[:12], 0, 3)
    assert [found.value(n) for n in range(12, 16)] == terms[12:]
    with pytest.raises(ValueError, match="pole at n = -1"):
        find_rational([Fraction(1, n + 1) for n in range(8)], 0).value(-1)


@pytest.mark.parametrize(("terms", "text"), [
    (CATALAN[:7], "binomial(2*n, n)/(n + 1)"),
    ([factorial(n) for n in range(9)], "factorial(n)"),
    ([comb(2 * n, n) ** 2 for n in range(9)], "binomial(2*n, n)^2"),
    ([factorial(3 * n) // factorial(n) ** 3 for n in range(9)], "factorial(3*n)/factorial(n)^3"),
    ([factorial(6 * n) // (factorial(3 * n) * factorial(n) ** 3) for n in range(12)], "factorial(6*n)/(factorial(3*n)*factorial(n)^3)"),
    ([Fraction((-2) ** n, factorial(n)) for n in range(9)], "(-2)^n/factorial(n)"),
])
def test_closed_forms_of_hypergeometric_terms(terms, text):
    found = closed_form(find_precursive(terms, 0, 3), terms)
    assert found.text == text
    assert [evaluated(text, n) for n in range(4)] == terms[:4]


def test_no_closed_form_where_the_roots_are_not_rational():
    terms = [1]
    for n in range(12):
        terms.append(terms[-1] * (n * n + 1))
    assert closed_form(find_precursive(terms, 0, 3), terms) is None


# algebraic --------------------------------------------------------------------------------------------------------------------
def test_algebraic_series_continue_exactly():
    found = find_algebraic(CATALAN[:12], 3)
    assert found.text == "x*y^2 - y + 1 = 0" and found.terms_after(CATALAN[:12], 20) == CATALAN[12:32]
    ternary = [comb(3 * n, n) // (2 * n + 1) for n in range(40)]
    cubic = find_algebraic(ternary[:20], 3)
    assert cubic.text == "x*y^3 - y + 1 = 0" and cubic.terms_after(ternary[:20], 20) == ternary[20:]
    roots = [Fraction((-1) ** n * comb(2 * n, n), 4**n) for n in range(30)]  # 1/sqrt(1 + x)
    assert find_algebraic(roots[:12], 3).terms_after(roots[:12], 10) == roots[12:22]


def test_a_double_point_at_the_origin_is_continued_too():
    shifted = [0, 0, *CATALAN]  # x² C(x): ∂P/∂y vanishes at x = 0 in no simple way
    found = find_algebraic(shifted[:20], 3)
    assert found.terms_after(shifted[:20], 15) == shifted[20:35]


# evidence ---------------------------------------------------------------------------------------------------------------------
@given(st.lists(st.integers(0, 1), min_size=4, max_size=40))
def test_no_code_gives_bits_for_less_than_there_is(bits):
    assert cheapest_code(bits).total <= len(bits) + 20
    assert code_bits(bits) >= len(bits)


def test_steps_that_hardly_ever_happen_carry_little():
    assert cheapest_code([0] * 20 + [1] * 20).total < 16
