"""`guess` and its command: classical sequences, transforms, honesty, bad input."""

import json
import random
from fractions import Fraction
from math import comb, factorial, isqrt

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from symnum.commands.guess import register
from symnum.conjecture.sequences import closed_form, transforms
from symnum.conjecture.sequences.guess import MARGIN, exact_terms, guess
from symnum.conjecture.sequences.guesses import to_sympy
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar, GrammarError
from symnum.numbers import exact

app = typer.Typer()
app.callback()(lambda: None)
register(app)


def run(*arguments, text=None):
    return CliRunner().invoke(app, ["guess", *arguments], input=text)


def fibonacci(count):
    terms = [0, 1]
    while len(terms) < count:
        terms.append(terms[-1] + terms[-2])
    return terms[:count]


FOUND = {
    "Catalan": (lambda n: comb(2 * n, n) // (n + 1), 7, "hypergeometric", "a(n) = binomial(2*n, n)/(n + 1)"),
    "squares": (lambda n: n * n, 8, "polynomial", "a(n) = n^2"),
    "triangular": (lambda n: n * (n + 1) // 2, 8, "polynomial", "a(n) = n*(n + 1)/2"),
    "quarter squares": (lambda n: n * n // 4, 14, None, None),
    "2^n - n": (lambda n: 2**n - n, 10, "C-finite", "a(n) = 2^n - n"),
    "n 2^(n-1)": (lambda n: n * 2**n // 2, 10, None, None),
    "mod 3": (lambda n: n % 3, 16, "C-finite", "a(n+3) = a(n)"),
    "Fibonacci squared": (lambda n: fibonacci(n + 2)[n] ** 2, 14, "C-finite", None),
    "reciprocals": (lambda n: Fraction(1, n + 1), 8, "rational", "a(n) = 1/(n + 1)"),
    "Wythoff": (lambda n: (n + isqrt(5 * n * n)) // 2, 20, "closed form", "a(n) = floor(n*((1 + sqrt(5))/2))"),
    "n^n": (lambda n: n**n, 10, "closed form", "a(n) = n^n"),
    "2^(n^2)": (lambda n: 2 ** (n * n), 10, "closed form", "a(n) = 2^n^2"),
    "derangements": (lambda n: sum((-1) ** k * factorial(n) // factorial(k) for k in range(n + 1)), 14, "P-recursive", None),
}


@pytest.mark.parametrize("name", FOUND)
def test_classical_sequences(name):
    term, count, kind, statement = FOUND[name]
    result = guess([term(n) for n in range(count)])
    assert result.best is not None, result.message
    assert result.terms(8) == [term(n) for n in range(count, count + 8)]
    assert result.best.checked >= 3 and result.best.surplus >= MARGIN and result.best.status == "conjecture"
    assert kind is None or result.best.kind == kind
    assert statement is None or result.best.statement == statement


TRANSFORMED = {
    "ratios": [1, 1, 2, 12, 288, 34560, 24883200, 125411328000, 5056584744960000, 1834933472251084800000],
    "signs": [(1, 1, -1, -1)[n % 4] * (n * n * n + 1) * factorial(n) for n in range(16)],
    "interlaced 2": [v for n, f in enumerate(fibonacci(12)) for v in (f * f * f, 7 * n * n + 1)],
}


@pytest.mark.parametrize("name", TRANSFORMED)
def test_sequences_that_are_simple_after_a_transform(name):
    terms = TRANSFORMED[name]
    held = terms[-1:]
    result = guess(terms[:-1], grammar=None)
    assert result.best.transform.name == name
    assert result.terms(1) == held
    assert name in json.dumps(result.to_dict()) and result.latex()


@pytest.mark.parametrize("transform", transforms.TRANSFORMS, ids=lambda t: t.name)
def test_every_transform_joins_what_it_splits(transform):
    sequence = [(-1) ** n * (n * n + Fraction(1, n + 1)) for n in range(1, 31)]
    parts = transform.split(sequence[:20], 1)
    longer = transform.split(sequence, 1)
    assert transform.join(sequence[:20], 1, [list(p.terms) for p in longer], 9) == sequence[20:29]
    assert sorted(p.position(k) for p in parts for k in range(len(p.terms)))[-1] == 19


# honesty ------------------------------------------------------------------------------------------------------------------
def test_sequences_without_a_rule_get_none():
    from flint import fmpz

    primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53]
    bell = [1, 1, 2, 5, 15, 52, 203, 877, 4140, 21147, 115975, 678570]
    partitions = [int(fmpz(n).partitions_p()) for n in range(24)]
    for terms in (primes, bell, partitions):
        assert not guess(terms)
    with pytest.raises(ValueError, match="a guess was required"):
        guess(primes).terms(3)


def test_random_sequences_get_none():
    rng = random.Random(3)
    for _ in range(60):
        size = rng.choice((1, 9, 10**6))
        terms = [rng.randint(-size, size) for _ in range(rng.randint(12, 30))]
        assert not guess(terms, grammar=None), terms


@settings(max_examples=40)
@given(st.sampled_from([name for name in FOUND if name not in ("mod 3", "reciprocals", "n^n", "2^(n^2)", "Wythoff")]), st.data())
def test_one_wrong_held_back_term_kills_the_claim(name, data):
    term, count, _, _ = FOUND[name]
    terms = [term(n) for n in range(count)]
    best = guess(terms, grammar=None).best
    at = data.draw(st.sampled_from(best.checks))
    terms[at] += data.draw(st.sampled_from((-1, 1, 10)))
    spoilt = guess(terms, grammar=None)
    assert all(g.statement != best.statement for g in spoilt)


def test_too_few_terms_for_a_claim_say_how_many_more():
    result = guess([0, 1, 1, 2, 3, 5, 8], grammar=None)
    assert not result and result.undecided.recurrence == "a(n+2) = a(n+1) + a(n)"
    assert "more terms are required" in result.message and "a(n)" in str(result)


def test_rules_of_one_sequence_agree_or_it_is_said():
    result = guess([comb(2 * n, n) // (n + 1) for n in range(14)])
    assert {g.kind for g in result} == {"hypergeometric", "algebraic"} and "differ" not in result.message
    assert result[1].generating_function == "(1 - sqrt(1 - 4*x))/(2*x)"
    assert len(result) == 2 and result.best is result[0]


def test_offsets_are_in_the_formulas():
    result = guess([n * n for n in range(-3, 9)], offset=-3)
    assert result.best.statement == "a(n) = n^2" and result.terms(2) == [81, 100]
    assert guess([n * n for n in range(10**9, 10**9 + 12)], offset=10**9).terms(1) == [(10**9 + 12) ** 2]
    assert guess(range(12), offset=10**22, grammar=None).best.statement == f"a(n) = n - {10**22}"


# closed forms ---------------------------------------------------------------------------------------------------------------
def test_the_grammar_of_closed_forms_is_checked():
    with pytest.raises(GrammarError, match="no CONST"):
        guess([1, 2, 4, 7, 28, 33, 198], grammar=Grammar.parse("expr : expr + expr | CONST | VAR"))


def test_a_two_sided_match_is_found_and_exact():
    form = closed_form.find([factorial(n) + 2**n for n in range(12)], 0, Grammar.load("integer"))
    assert [form.value(n) for n in range(30)] == [factorial(n) + 2**n for n in range(30)]
    assert closed_form.find([10**300] * 8, 0, Grammar.load("integer")) is None


@pytest.mark.parametrize(("text", "n", "value"), [
    ("1/(n - 3)", 3, None), ("sqrt(n)", 4, 2), ("sqrt(n)", 5, None), ("gamma(n)", 0, None), ("n^n", -2, Fraction(1, 4)),
    ("sqrt(-n)", 3, None), ("2^(n^9)", 10**3, None), ("pi*0", 1, 0), ("(0*n)^(-1)", 1, None),
])
def test_exact_values(text, n, value):
    assert exact.value(Expr.parse(text), "n", n) == value


def test_a_floor_that_cannot_be_decided_is_not_given():
    assert exact.floor(Expr.parse("sqrt(2)*sqrt(2)*n"), "n", 1) is None  # 2 by a ball that holds 2 inside
    assert exact.floor(Expr.parse("n*pi"), "n", 10**40) == 31415926535897932384626433832795028841971


# input ------------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("terms", "message"), [
    ([1.0] * 8, "position 1, got '1.0'"), ([1, 2, float("nan"), 4, 5], "position 3"), (["1/0"] * 6, "position 1"),
    ([None] * 6, "exact term"),
    ("1,2,3", "a list of terms"), ([1, 2, 3], "at least 5 terms"), ([], "at least 5 terms"), (["1e5"] * 6, "1e5"), ([1j] * 6, "1j"),
])
def test_bad_terms(terms, message):
    with pytest.raises(ValueError, match=message):
        guess(terms)


@pytest.mark.parametrize("hold_back", [0, -1, 8])
def test_bad_hold_back(hold_back):
    with pytest.raises(ValueError, match="hold_back from 1 to 7"):
        guess(range(8), hold_back=hold_back)


def test_terms_of_other_libraries():
    import numpy as np
    import sympy
    from flint import fmpq, fmpz

    assert list(exact_terms([np.int64(3), sympy.Rational(1, 2), sympy.Integer(4), fmpz(5), fmpq(1, 3), "7/14"])) == [
        3, Fraction(1, 2), 4, 5, Fraction(1, 3), Fraction(1, 2)]


def test_huge_integers():
    big = 10**10_000 + 7
    assert guess([big * k + 3 for k in range(12)]).terms(1) == [big * 12 + 3]
    assert "digits" in run(*[str(k) + "0" * 4000 for k in range(1, 12)]).output


def test_many_terms():
    assert guess([k % 7 for k in range(20_000)]).terms(3) == [20_000 % 7, 20_001 % 7, 20_002 % 7]


def test_no_number_of_terms_below_zero():
    result = guess(range(20))
    assert result.terms(0) == []
    with pytest.raises(ValueError, match="number of terms >= 0"):
        result.terms(-1)


def test_sympy_and_latex():
    import sympy

    n = sympy.Symbol("n", integer=True)
    assert guess([0, 1, 4, 9, 16, 25, 36, 49, 64]).sympy().rhs == n**2
    assert guess([comb(2 * k, k) for k in range(9)]).latex() == r"a{\left(n \right)} = {\binom{2 n}{n}}"
    assert to_sympy("a(n+1) = a(n)").lhs == sympy.Function("a")(n + 1)


# command ----------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("arguments", [["1,1,2,5,14,42,132"], ["1", "1", "2", "5", "14", "42", "132"], ["1, 1, 2, 5, 14, 42, 132, ..."],
                                       ["[1,1,2,5,14,42,132]"]])
def test_the_command_finds_catalan(arguments):
    result = run(*arguments)
    assert result.exit_code == 0 and "binomial(2*n, n)/(n + 1)" in result.output and "next: 429, 1430" in result.output
    assert "conjecture: predicted 3 of 7 terms" in result.output


@pytest.mark.parametrize("arguments", [["-1,2,-3,4,-5,6,-7,8,-9"], ["-1", "2", "-3", "4", "-5", "6", "-7", "8", "-9", "--terms", "2"],
                                       ["--", "-1", "2", "-3", "4", "-5", "6", "-7", "8", "-9"]])
def test_a_leading_minus_is_a_sign(arguments):
    result = run(*arguments)
    assert result.exit_code == 0 and "next: 10, -11" in result.output


def test_json_file_and_standard_input(tmp_path):
    path = tmp_path / "terms.txt"
    path.write_text("# halves\n1/2, 1/4\n1/8 1 / 16 1/32 1/64 1/128 1/256\n", encoding="utf-8")
    document = json.loads(run("--file", str(path), "--json", "--terms", "2").output)
    assert document["guesses"][0]["next"] == ["1/512", "1/1024"] and document["terms"] == 8
    assert json.loads(run("-", "--json", text=path.read_text()).output)["guesses"][0]["statement"] == document["guesses"][0]["statement"]
    assert run("--file", str(path), "--latex").output.startswith("a{")


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "terms were required"), (["1.5", "2"], "not exact"), (["1e5"], "not exact"), (["1,2,x,4,5,6"], "position 3, got 'x'"),
    (["1,2,3"], "at least 5 terms"), (["--foo", "1"], "no such option"), (["1/0,2,3,4,5,6"], "position 1"), (["--file", "/nope/x"], "nope"),
    (["٣,1,2,3,4,5"], "position 1"), (["1", "2", "3", "4", "5", "6", "--grammar", "integr"], "integer"),
    (["--file", "/"], "/: Is a directory"),
    (["1,2,3,4,5,6", "--hold-back", "9"], "hold_back"),
])
def test_bad_input_is_one_message_and_code_2(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2 and message in result.stderr and "Traceback" not in result.output
    assert result.stderr.count("\n") == 1


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "terms.bin"
    path.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in run("--file", str(path)).stderr
