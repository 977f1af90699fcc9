"""Signed interlaced continued fractions: exact terms, proven limits, closed forms, and the search over images and signs."""

import json
import random
from fractions import Fraction

import mpmath
import pytest
import typer
from flint import arb, ctx
from hypothesis import assume, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from symnum.commands import esma as command
from symnum.conjecture.fractions.esma import EsmaHit, conjecture_esma
from symnum.conjecture.fractions.images import image_text, images
from symnum.numbers.formula import ball
from symnum.numbers.ledger import Ledger
from symnum.numbers.signed_fraction import SignedFraction, interlaced, quotients, sign_sequences

app = typer.Typer()
app.callback()(lambda: None)
command.register(app)
signs = st.sampled_from(sign_sequences(4))


def value(terms, sign, tail):
    """The number whose fraction begins with these terms and goes on with `tail`."""
    x = tail
    for n in range(len(terms) - 1, -1, -1):
        x = terms[n] + Fraction(sign[n % len(sign)]) / x
    return x


# numbers ----------------------------------------------------------------------------------------------------------------
@given(st.fractions(min_value=Fraction(1, 100), max_value=100), signs)
def test_terms_evaluate_back_to_the_number(x, sign):
    width = Fraction(1, 10**40)
    ends = [(e.numerator, e.denominator) for e in (x + width / 3, x + width)]
    terms = quotients(*ends, sign, 500)
    assert all(a >= 1 for a in terms[1:])
    assert all(a >= 2 for n, a in enumerate(terms) if n and sign[n % len(sign)] < 0)
    # what is left lies between 1 and infinity: both ends of the number lie between the two images
    if terms:
        low, high = sorted((value(terms, sign, Fraction(1)), value(terms, sign, Fraction(10**80))))
        assert low - Fraction(1, 10**60) <= x + width / 3 and x + width <= high + Fraction(1, 10**60)


@given(st.integers(1, 10**6), st.integers(1, 10**6), signs)
def test_digits_that_do_not_fix_a_term_give_none(p, q, sign):
    exact = quotients((p, q), (p, q), sign, 200)
    wide = quotients((p, q), (2 * p + 1, q), sign, 200)
    assert wide == exact[: len(wide)]
    assert quotients((p, q), (p + q, q), sign, 200) == []


@given(st.integers(1, 12), st.integers(1, 9), st.integers(0, 12), signs)
def test_limit_of_an_arithmetic_progression_holds_its_convergents(start, step, constant, sign):
    fraction = SignedFraction(sign, (constant,), ((start + 1, step),))
    limit = fraction.ball(60)
    with ctx.workprec(400):
        deep = value(fraction.terms(120), sign, Fraction(10**9))
        assert limit.contains(arb(deep.numerator) / arb(deep.denominator)) and limit.rel_accuracy_bits() >= 60 * 3.3


@pytest.mark.parametrize(("fraction", "number"), [
    (SignedFraction((1,), (), ((1, 2),)), "coth(1)"),
    (SignedFraction((-1,), (), ((1, 2),)), "cot(1)"),
    (SignedFraction((1,), (0,), ((2, 2),)), "besseli(1,1)/besseli(0,1)"),
    (SignedFraction((1,), (), ((1,),)), "golden"),
    (SignedFraction((1,), (2,), ((1,), (2, 2), (1,))), "e"),
    (SignedFraction((-1,), (), ((3,),)), "(3+sqrt(5))/2"),
])
def test_known_limits(fraction, number):
    assert fraction.ball(300).overlaps(ball(number, 300)) and fraction.ball(300).rel_accuracy_bits() > 990


@pytest.mark.parametrize("fraction", [
    SignedFraction((-1,), (), ((2,),)),  # tends to 1
    SignedFraction((-1,), (5, 3), ((2,),)),
    SignedFraction((-1,), (), ((1,),)),
    SignedFraction((1,), (), ((3, -1),)),
    SignedFraction((1,), (4, 0), ((3, 1),)),
    SignedFraction((1,), (), ((1, Fraction(1, 2)),)),
    SignedFraction((1, -1), (), ((1,), (1, 1))),
])
def test_limits_that_are_not_proven_are_refused(fraction):
    assert not fraction.semiregular
    with pytest.raises(ValueError, match="was required for a proven value"):
        fraction.ball(20)


@given(st.integers(0, 7), st.integers(1, 5), st.integers(0, 3), st.integers(0, 9), signs)
def test_tails_are_one_family(shift, slope, constant, drop, sign):
    whole = SignedFraction(sign, (7,), ((constant + 2, slope), (3,)))
    terms = whole.terms(60)
    first = 1 + shift
    turned = tuple(whole.sign(first + n + 1) for n in range(len(sign)))
    again = interlaced(terms[first:], turned, _connection(terms[first:]))
    assert again is not None and again.family == whole.family
    other = SignedFraction(sign, (7,), ((constant + 2, slope + 1), (3,)))
    assert other.family != whole.family


def _connection(terms):
    """(x² − 1)² is the characteristic polynomial of two interlaced lines."""
    assert len(terms) > 8
    return (1, 0, -2, 0, 1)


def test_exponential_sequences_have_no_closed_form():
    fibonacci = [1, 1]
    while len(fibonacci) < 40:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    assert interlaced(fibonacci, (1,), (1, -1, -1)) is None


def test_degree_two_and_fractions():
    triangular = [n * (n + 1) // 2 + 1 for n in range(30)]
    fraction = interlaced(triangular, (1,), (1, -3, 3, -1))
    assert fraction.cycle == ((1, Fraction(1, 2), Fraction(1, 2)),) and fraction.semiregular
    assert fraction.terms(30) == triangular


# search -----------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def run_of_e():
    return conjecture_esma("e")


def test_e_has_its_classical_forms(run_of_e):
    assert run_of_e.pairs == 2464 and len(run_of_e.formulas) > 1000
    forms = {(h.lhs, h.fraction.closed_form) for h in run_of_e.formulas}
    assert ("e", "a(0) = 2, a(3k+1) = a(3k+3) = 1, a(3k+2) = 2k + 2, b = +") in forms
    assert ("e", "a(0) = 3, a(2k+1) = 2k + 3, a(2k+2) = 2, b = - +") in forms
    assert ("(1 + e)/(e - 1)", "a(k) = 4k + 2, b = +") in forms
    assert run_of_e.hits[0].status == "known" and "Euler" in run_of_e.hits[0].source


def test_every_formula_holds_to_100_digits_by_another_program(run_of_e):
    with mpmath.workdps(120):
        e = mpmath.e
        for hit in run_of_e.formulas[::37]:
            a, b, c, d = hit.image
            x = mpmath.mpf(10) ** 6
            for n in range(160, -1, -1):
                x = hit.fraction.term(n) + hit.fraction.sign(n + 1) / x
            assert abs((a + b * e) / (c + d * e) - x) < mpmath.mpf(10) ** -100


def test_families_are_listed_once(run_of_e):
    assert sum(1 + h.tails for h in run_of_e.hits) == len(run_of_e.formulas)
    assert len({h.fraction.family for h in run_of_e.hits}) == len(run_of_e.hits) < len(run_of_e.formulas) / 10
    lengths = [len(h.lhs) + len(h.fraction.closed_form) for h in run_of_e.hits]
    assert lengths == sorted(lengths)


def test_hits_survive_json(run_of_e):
    for hit in run_of_e.hits:
        assert EsmaHit.from_dict(json.loads(json.dumps(hit.to_dict()))) == hit
    assert r"\cfrac{1}{6 + " in run_of_e.hits[0].latex


@pytest.mark.parametrize("constant", ["pi", "zeta(3)", "0.7390851332151606416553120876738734040134117589007574649656806357732846548836"])
def test_constants_of_another_type_give_nothing(constant):
    run = conjecture_esma(constant, sign_period=3)
    assert run.formulas == () and run.searched.endswith("nothing")


def test_random_numbers_give_nothing():
    rng = random.Random(0)
    for _ in range(50):
        digits = "".join(rng.choices("123456789", k=120))
        assert conjecture_esma(f"0.{digits}", max_coefficient=1, sign_period=2, depth=40).formulas == ()


def test_digits_are_enough_where_they_are_many():
    text = ball("tan(1)", 120).str(110, radius=False)
    run = conjecture_esma(text, max_coefficient=1, sign_period=1)
    assert any(h.fraction.closed_form == "a(2k) = 1, a(2k+1) = 2k + 1, b = +" for h in run.formulas)
    assert all(h.digits <= 110 for h in run.formulas)


def test_a_long_run_of_twos_is_no_formula():
    # exp(2) with signs - has a run of 64 twos within the depth, which obeys a(n) = a(n-1) and tends to a rational number
    assert all(h.fraction.cycle != ((2,),) for h in conjecture_esma("exp(2)", max_coefficient=2, sign_period=1).formulas)


@pytest.mark.parametrize(("constant", "message"), [
    ("1/3", "irrational"), ("zeta(2)/pi^2", "is 1/6 to"), ("2", "irrational"), ("0.123", "at least 40 digits"), ("tam(1)", "did you mean"),
    ("", "number or a formula"), ("nan", "finite"), ("ω", "number or a formula"),
])
def test_bad_constants_are_refused(constant, message):
    with pytest.raises(ValueError, match=message):
        conjecture_esma(constant)


@pytest.mark.parametrize("change", [
    {"max_coefficient": 0}, {"max_coefficient": -2}, {"sign_period": 0}, {"sign_period": 99}, {"depth": 3}, {"depth": -1}, {"digits": 1},
    {"digits": 10**9},
])
def test_bad_ranges_are_refused(change):
    with pytest.raises(ValueError, match="was required, got"):
        conjecture_esma("e", **change)


def test_images_are_all_and_once():
    x = arb.pi()
    found = images(2, x)
    assert len(found) == 112
    values = [(a + b * x) / (c + d * x) for a, b, c, d in found]
    assert all(v > 0 for v in values)
    assert all(not v.overlaps(w) for i, v in enumerate(values) for w in values[:i])


@given(st.tuples(*[st.integers(-3, 3)] * 4))
def test_the_text_of_an_image_is_its_value(image):
    a, b, c, d = image
    assume(a * d != b * c)
    for name in ("e", "besseli(1,1)/besseli(0,1)", "zeta(3)"):
        x = ball(name, 40)
        with ctx.workprec(140):
            assert ball(image_text(image, name), 30).overlaps((a + b * x) / (c + d * x))


# store and command line ---------------------------------------------------------------------------------------------------
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    class Stop(Exception):
        pass

    def stop(done, total, found):
        if done >= 32:
            raise Stop

    whole = conjecture_esma("tan(1)", sign_period=2, out=tmp_path / "whole")
    with pytest.raises(Stop):
        conjecture_esma("tan(1)", sign_period=2, out=tmp_path / "parts", progress=stop)
    parts = conjecture_esma("tan(1)", sign_period=2, out=tmp_path / "parts", resume=True)
    assert parts.formulas == whole.formulas and parts.searched == whole.searched
    views = [Ledger.read(tmp_path / name) for name in ("whole", "parts")]
    assert views[0].relation_set() == views[1].relation_set()
    assert views[1].counters["pairs"] == whole.pairs
    again = conjecture_esma("tan(1)", sign_period=2, out=tmp_path / "parts", resume=True)
    assert again.formulas == whole.formulas
    with pytest.raises(ValueError, match="new run folder"):
        conjecture_esma("tan(1)", sign_period=2, out=tmp_path / "parts")
    with pytest.raises(ValueError, match="sign_period"):
        conjecture_esma("tan(1)", sign_period=3, out=tmp_path / "parts", resume=True)


def test_the_command_prints_and_refuses():
    runner = CliRunner()
    good = runner.invoke(app, ["esma", "--constant", "e", "--sign-period", "1", "--top", "1"])
    assert good.exit_code == 0 and "a(k) = 4k + 2" in good.output and "agrees to 200 digits" in good.output
    document = json.loads(runner.invoke(app, ["esma", "--sign-period", "1", "--max-coefficient", "1", "--json"]).stdout)
    assert document["hits"][0]["formula"] and document["pairs"] == 24
    for bad, message in ((["--constant", "tn(1)"], "did you mean"), (["--constant", "1/7"], "irrational"), (["--depth", "-5"], "depth"),
                         (["--resume"], "--out"), (["--latex", "--json"], "one of"), (["--max-coefficient", "0"], "max_coefficient")):
        result = runner.invoke(app, ["esma", *bad])
        assert result.exit_code == 2 and message in result.stderr and "Traceback" not in result.stderr
