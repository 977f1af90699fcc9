"""Series for constants: sums with proven tails, planted combinations found again, nothing found where there is nothing."""

import json
import random
from fractions import Fraction

import mpmath
import pytest
import sympy
import typer
from flint import ctx
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from symnum.commands import series as command
from symnum.conjecture.series import series
from symnum.conjecture.series.domain import FAMILIES, bbp_bases, binomial_bases
from symnum.conjecture.series.hit import NullRelation, SeriesHit
from symnum.conjecture.series.series import conjecture_series, inflated
from symnum.numbers.bbp_sums import BbpBasis
from symnum.numbers.binomial_sums import FACTORS, BinomialBasis, growth
from symnum.numbers.formula import ball
from symnum.numbers.lattice import equivalent, primitive, refuse_rational, shortest, split
from symnum.numbers.ledger import Ledger

app = typer.Typer()
app.callback()(lambda: None)
command.register(app)


# sums -------------------------------------------------------------------------------------------------------------------
@given(st.integers(2, 5000), st.booleans(), st.integers(1, 12), st.integers(1, 4))
@settings(max_examples=25)
def test_bbp_sums_hold_their_terms_and_have_the_digits(base, negative, length, power):
    base = -base if negative else base
    sums = BbpBasis(base, length, power).sums(60)
    assert len(sums) == length
    with mpmath.workdps(80):
        count = int(70 / mpmath.log10(abs(base))) + 3
        for j, p in enumerate(sums, 1):
            exact = mpmath.fsum(mpmath.mpf(base) ** -k / mpmath.mpf(length * k + j) ** power for k in range(count))
            assert abs(exact - mpmath.mpf(p.mid().str(75, radius=False))) < mpmath.mpf(10) ** -60
            assert float(p.rad()) < 1e-60


@given(st.sampled_from(FAMILIES), st.fractions(Fraction(5, 4), 40, max_denominator=8), st.booleans(),
       st.sampled_from([(1, 0), (1, 3), (2, 2)]))
@settings(max_examples=25)
def test_binomial_sums_agree_with_their_terms(factors, times, negative, line):
    z = growth(factors) * times * (-1 if negative else 1)
    basis = BinomialBasis(factors, z, line[0], line[1], 2)
    sums = basis.sums(30)
    assert all(float(s.rad()) < 1e-29 * max(1, abs(float(s))) for s in sums)
    for i, total in enumerate(sums):
        coefficients = [int(i == j) for j in range(3)]
        partial = sum(float(t.p) / float(t.q) if t.q.bit_length() < 900 else 0.0 for t in basis.terms(coefficients, 60))
        if times > 3:
            assert partial == pytest.approx(float(total), rel=1e-12, abs=1e-13)
        assert basis.ball(coefficients, 25).overlaps(total)


@pytest.mark.parametrize(("factors", "z", "step", "power", "coefficients", "number"), [
    ({"binomial(2k,k)": 1}, 8, 1, 0, [1], "sqrt(2)"),
    ({"binomial(2k,k)": -1}, -1, 1, 3, [-5], "2*zeta(3)"),
    ({"binomial(3k,k)": -1}, 2, 1, 0, [-6, 50], "pi"),
    ({"binomial(2k,k)": 3}, 4096, 1, 0, [5, 42], "16/pi"),
    ({"binomial(2k,k)": 5}, -4096, 1, 0, [1, 8, 20], "8/pi^2"),
    ({"binomial(2k,k)": 1}, 16, 2, 1, [3], "pi"),
    ({"binomial(2k,k)": 1, "binomial(3k,k)": 1, "binomial(6k,3k)": 1}, -640320**3, 1, 0, [13591409, 545140134],
     "sqrt(640320^3)/(12*pi)"),
])
def test_published_binomial_series(factors, z, step, power, coefficients, number):
    basis = BinomialBasis(tuple(factors.items()), Fraction(z), step, power, len(coefficients) - 1)
    value = basis.ball(coefficients, 300)
    assert value.overlaps(ball(number, 300)) and value.rel_accuracy_bits() > 990


@pytest.mark.parametrize("make", [
    lambda: BbpBasis(1, 3, 1), lambda: BbpBasis(0, 3, 1), lambda: BbpBasis(2, 0, 1), lambda: BbpBasis(2, 3, 0),
    lambda: BinomialBasis((("binomial(2k,k)", 1),), Fraction(4)), lambda: BinomialBasis((("binomial(2k,k)", 1),), Fraction(0)),
    lambda: BinomialBasis((("binomial(7k,k)", 1),), Fraction(4)), lambda: BinomialBasis((("binomial(2k,k)", 1),), Fraction(9), step=3),
    lambda: BinomialBasis((("binomial(2k,k)", 1),), Fraction(9), power=-1),
])
def test_impossible_bases_are_refused(make):
    with pytest.raises(ValueError, match="required"):
        make()


def test_growth_is_the_limit_of_the_ratio():
    for name in FACTORS:
        p, q = BinomialBasis(((name, 1),), Fraction(10**9)).ratio
        assert Fraction(int(p.leading_coefficient()), int(q.leading_coefficient())) * 10**9 == growth(((name, 1),))


# lattice ----------------------------------------------------------------------------------------------------------------
vectors = st.lists(st.integers(-9, 9), min_size=4, max_size=4)


@given(vectors, vectors, st.integers(-5, 5), st.integers(-5, 5))
def test_shortest_stays_equivalent(v, u, m, n):
    v, u = (-3, *v), (0, *u)
    assume(any(u))
    start = primitive([(m or 1) * a + n * b for a, b in zip(v, u, strict=True)])
    found = shortest(start, [u])
    assert found[0] < 0 and equivalent(found, v, [u])


@given(st.lists(st.tuples(*[st.integers(-9, 9)] * 4), max_size=3))
def test_split_parts_the_relations(rows):
    own, null = split(rows)
    assert all(n[0] == 0 for n in null)
    assert (own is None) == (not any(r[0] for r in rows))


def test_rational_numbers_are_refused_and_huge_ones_are_not():
    for text in ("zeta(2)/pi^2", "sqrt(4)", "22/7 + 0*pi"):
        with pytest.raises(ValueError, match="irrational"):
            refuse_rational(ball(text, 60), text)
    for text in ("exp(300)", "exp(-300)", "pi"):
        refuse_rational(ball(text, 60), text)


# search -----------------------------------------------------------------------------------------------------------------
@given(st.sampled_from([(3, 4, 1), (-5, 5, 1), (10, 3, 2), (7, 6, 1), (-9, 2, 3)]), st.data())
@settings(max_examples=12)
def test_a_planted_combination_is_found_again(shape, data):
    basis = BbpBasis(*shape)
    planted = data.draw(st.lists(st.integers(-50, 50), min_size=shape[1], max_size=shape[1]).filter(any))
    m = data.draw(st.integers(1, 40))
    x = basis.ball(planted, 400) / m
    with ctx.workprec(1400):
        text = (basis.ball(planted, 320) / m).str(300, radius=False)
    assume(float(x) and "e" not in text)
    run = conjecture_series(text, "bbp", bases=[shape[0]], lengths=[shape[1]], powers=[shape[2]], surds=[1])
    assert len(run.hits) == 1
    assert equivalent(run.hits[0].vector, (-m, 0, *planted), [(0, *n.vector) for n in run.null])
    assert run.hits[0].ball(100).overlaps(ball(text, 100))


def test_random_numbers_give_nothing():
    rng = random.Random(1)
    for _ in range(5):
        text = "0." + "".join(rng.choices("123456789", k=300))
        assert conjecture_series(text, "bbp", bases=[2, -4, 16], lengths=[1, 2, 4, 8], powers=[1, 2]).hits == ()


def test_the_compendium_in_small():
    run = conjecture_series("pi", "bbp", bases=[-4, 16], lengths=[4, 8], powers=[1], surds=[1])
    assert [h.text for h in run.hits] == [
        "pi = sum(k>=0) (-4)^-k (2/(4k+1) + 2/(4k+2) + 1/(4k+3))",
        "pi = sum(k>=0) 16^-k (4/(8k+1) - 2/(8k+4) - 1/(8k+5) - 1/(8k+6))",
    ]
    assert [h.digit_base for h in run.hits] == [2, 2] and all("1997" in h.source for h in run.hits)
    assert len(run.null) == 1 and run.null[0].basis == BbpBasis(16, 8, 1)
    assert run.null[0].basis.ball(run.null[0].vector[1:], 500).contains(0)


def test_bellard_is_told_from_the_inflation_of_a_shorter_formula():
    run = conjecture_series("pi", "bbp", bases=[-4, -1024], lengths=[4, 20], powers=[1], surds=[1])
    assert [h.source.split(",")[0] for h in run.hits] == ["V. Adamchik", "F. Bellard"]
    first, last = run.hits
    grown = inflated(first, last.basis)
    assert grown is not None and equivalent(grown, last.vector, [(0, *n.vector) for n in run.null])


def test_binomial_series(monkeypatch):
    small = [f for f in FAMILIES if f in ((("binomial(2k,k)", -1),), (("binomial(2k,k)", 3),), (("binomial(3k,k)", -1),))]
    monkeypatch.setattr(series, "binomial_bases", lambda: [b for b in binomial_bases(small) if abs(b.z) in (1, 2, 256, 4096)])
    zeta, gosper, ramanujan = (conjecture_series(c, "binomial", surds=[1]) for c in ("zeta(3)", "pi", "1/pi"))
    assert [h.text for h in zeta.hits] == ["zeta(3) = -5/2 * sum(k>=1) (-1)^k/(k^3 binomial(2k,k))"]
    assert "pi = 2 * sum(k>=0) (25k - 3)/(2^k binomial(3k,k))" in [h.text for h in gosper.hits]
    assert {h.text for h in ramanujan.hits} == {"1/pi = 1/4 * sum(k>=0) (6k + 1) binomial(2k,k)^3/256^k",
                                               "1/pi = 1/16 * sum(k>=0) (42k + 5) binomial(2k,k)^3/4096^k"}
    for run in (zeta, gosper, ramanujan):
        for hit in run.hits:
            assert hit.ball(200).overlaps(ball(hit.lhs, 220)) and hit.ball(200).rel_accuracy_bits() > 660
            equation = hit.sympy()
            assert abs(sympy.N(equation.lhs, 15) - sympy.N(equation.rhs, 15)) < 1e-12
            assert hit.latex.count("{") == hit.latex.count("}")
            assert SeriesHit.from_dict(json.loads(json.dumps(hit.to_dict()))) == hit
        for null in run.null:
            with ctx.workprec(400):
                assert (null.basis.ball(null.vector[1:], 100) + null.vector[0]).contains(0)
            assert NullRelation.from_dict(json.loads(json.dumps(null.to_dict()))) == null


def test_surds_and_signs_read_well():
    run = conjecture_series("pi", "bbp", bases=[-3], lengths=[2], powers=[1], surds=[1, 3])
    assert [h.text for h in run.hits] == ["sqrt(3)*pi = 6 * sum(k>=0) (-3)^-k (1/(2k+1))"]
    minus = conjecture_series("-log(2)", "bbp", bases=[2], lengths=[1], powers=[1], surds=[1])
    assert minus.hits[0].text == "-log(2) = -1/2 * sum(k>=0) 2^-k (1/(k+1))"
    assert minus.hits[0].ball(50).overlaps(ball("-log(2)", 50))


def test_few_digits_bound_what_is_said():
    text = ball("pi", 80).str(60, radius=False)
    run = conjecture_series(text, "bbp", bases=[16], lengths=[8], powers=[1], surds=[1])
    assert len(run.hits) == 1 and run.hits[0].needed <= run.hits[0].digits <= 60
    shifted = conjecture_series("100000*" + "pi", "bbp", bases=[16], lengths=[8], powers=[1], surds=[1])
    assert [h.ball(40).overlaps(ball("100000*pi", 40)) for h in shifted.hits] == [True]


@pytest.mark.parametrize(("change", "message"), [
    ({"constant": "1/3"}, "irrational"), ({"constant": "sqrt(9)"}, "irrational"), ({"constant": "ztea(3)"}, "did you mean zeta"),
    ({"constant": "3.14159"}, "at least 40 digits"), ({"constant": 3.14159}, "at least 40 digits"), ({"constant": "inf"}, "finite"),
    ({"kind": "bpp"}, "kind among"), ({"bases": []}, "at least one of the bases"), ({"lengths": []}, "lengths"), ({"powers": []}, "powers"),
    ({"bases": [1]}, "base"), ({"lengths": [0]}, "length"), ({"lengths": [-3]}, "length"), ({"lengths": [10**6]}, "lengths up to"),
    ({"powers": [-1]}, "power"), ({"powers": [99]}, "powers up to"), ({"surds": []}, "squarefree"), ({"surds": [4]}, "squarefree"),
    ({"surds": [-2]}, "squarefree"),
])
def test_bad_input_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        conjecture_series(**({"constant": "pi", "kind": "bbp"} | change))


def test_small_bases_come_before_their_inflations():
    order = [(b.base, b.length) for b in bbp_bases([2, 4, -4, 16], [1, 2, 4, 8], [1])]
    assert order.index((2, 1)) < order.index((4, 2)) < order.index((16, 4)) and order.index((-4, 4)) < order.index((16, 8))


# store and command line -----------------------------------------------------------------------------------------------
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    class Stop(Exception):
        pass

    def stop(done, total, found):
        if done >= 4:
            raise Stop

    monkeypatch.setattr(series, "STEP", 2)
    domain = {"bases": [-4, 16], "lengths": [2, 4, 8], "powers": [1], "surds": [1]}
    whole = conjecture_series("pi", "bbp", **domain, out=tmp_path / "whole")
    with pytest.raises(Stop):
        conjecture_series("pi", "bbp", **domain, out=tmp_path / "parts", progress=stop)
    parts = conjecture_series("pi", "bbp", **domain, out=tmp_path / "parts", resume=True)
    assert parts.hits == whole.hits and parts.null == whole.null and parts.searched == whole.searched
    views = [Ledger.read(tmp_path / name) for name in ("whole", "parts")]
    assert views[0].relation_set() == views[1].relation_set() and views[1].counters["bases"] == 6
    with pytest.raises(ValueError, match="new run folder"):
        conjecture_series("pi", "bbp", **domain, out=tmp_path / "parts")


def test_the_command_prints_and_refuses():
    runner = CliRunner()
    small = ["series", "--constant", "pi", "--kind", "bbp", "--bases", "16", "--lengths", "8", "--powers", "1", "--surds", "1"]
    good = runner.invoke(app, small)
    assert good.exit_code == 0 and "known: D. Bailey" in good.output and "base-2 digits" in good.output
    document = json.loads(runner.invoke(app, [*small, "--json"]).stdout)
    assert document["hits"][0]["vector"] == [-1, 0, 4, 0, 0, -2, -1, -1, 0, 0] and document["null_relations_all"] == 1
    assert r"\frac{4}{8k+1}" in runner.invoke(app, [*small, "--latex"]).output
    nothing = runner.invoke(app, ["series", "--constant", "e", *small[3:]])
    assert nothing.exit_code == 0 and "nothing" in nothing.output
    for bad, message in ((["--constant", "ztea(3)"], "did you mean"), (["--constant", "1/7"], "irrational"),
                         (["--bases", "2,x"], "--bases"),
                         (["--lengths", ""], "--lengths"), (["--kind", "x"], "kind"), (["--resume"], "--out")):
        result = runner.invoke(app, [*small, *bad])
        assert result.exit_code == 2 and message in result.stderr and "Traceback" not in result.stderr
