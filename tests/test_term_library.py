"""Libraries of terms: every function once, the same ones every time, values, sums, terms with constants of their own."""

from pathlib import Path

import numpy as np
import pytest

from symnum.dynamics.library import ONE, TWO, Library, instances, signed, skeletons
from symnum.language.expr import Expr

GRAMMARS = sorted(p.stem for p in (Path(__file__).parents[1] / "grammars").glob("terms_*.g"))
RNG = np.random.default_rng(0)


def texts(grammars, names, complexity) -> list[str]:
    return [str(term) for term in Library.generate(grammars, names, complexity).terms]


@pytest.mark.parametrize(("degree", "count"), [(1, 4), (2, 10), (3, 20), (4, 35)])
def test_monomials_are_all_there(degree, count):
    assert len(texts(["terms_polynomial"], ("x", "y", "z"), 2 * degree - 1)) == count  # (degree + 3 choose 3)


@pytest.mark.parametrize("grammar", GRAMMARS)
@pytest.mark.parametrize("names", [("x",), ("x", "y")])
def test_every_function_is_there_once(grammar, names):
    terms = Library.generate(["terms_polynomial", grammar], names, 6).terms
    table = dict(zip(names, RNG.uniform(-3, 3, (len(names), 400)), strict=True))
    with np.errstate(all="ignore"):
        values = np.array([np.broadcast_to(t(table), 400) for t in terms])
    values = np.where(np.isfinite(values), values, 0.0)
    unit = values / np.linalg.norm(values, axis=1)[:, None]
    assert terms[0] == Expr.const(1)
    assert len(set(terms)) == len(terms)
    assert np.triu(np.abs(unit @ unit.T), 1).max() < 1 - 1e-9
    assert not any(t.constants for t in terms)


def test_functions_that_agree_on_positive_states_are_told_apart():
    found = texts(["terms_polynomial", "terms_growth"], ("v",), 5)
    assert {"abs(v)", "v*abs(v)", "v^2", "v"} <= set(found)


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_generation_is_deterministic(grammar):
    assert texts(["terms_polynomial", grammar], ("x", "y"), 6) == texts(["terms_polynomial", grammar], ("x", "y"), 6)


def test_larger_libraries_begin_with_smaller_ones():
    small, large = texts(["terms_polynomial"], ("x", "y"), 3), texts(["terms_polynomial"], ("x", "y"), 5)
    assert large[: len(small)] == small


def test_values_and_sums():
    library = Library.generate(["terms_polynomial"], ("x", "y"), 3)
    table = {"x": np.array([1.0, 2]), "y": np.array([3.0, -1])}
    np.testing.assert_array_equal(library.columns(table), [[1, 1, 3, 1, 3, 9], [1, 2, -1, 4, -2, 1]])
    f = library.combined((0, 2, 4), (0.5, -2.0, 1.0))
    np.testing.assert_allclose(f(table), library.columns(table)[:, [0, 2, 4]] @ [0.5, -2, 1])
    assert list(f.constants) == [0.5, -2.0, 1.0]
    assert library.combined((), ()) == Expr.const(0)
    assert len(library) == 6
    assert np.exp(-library.nats).sum() == pytest.approx(1)  # 1, x, y and three quadratic terms: probabilities


def test_larger_terms_are_rarer_and_expected_ones_go_without_saying():
    library = Library.generate(["terms_polynomial"], ("x", "y"), 5)
    nats = dict(zip(map(str, library.terms), library.nats, strict=True))
    assert nats["x"] == nats["y"] < nats["x*y"] == nats["x^2"] < nats["x^3"]
    cubic, foreign = Expr.parse("x^3"), Expr.parse("sin(x)")
    hopeful = library.expecting([cubic, foreign])
    assert hopeful.nats[library.terms.index(cubic)] < library.nats.min()
    others = [j for j, term in enumerate(library.terms) if term != cubic]
    np.testing.assert_array_equal(hopeful.nats[others], library.nats[others])
    larger = library.extended([foreign, cubic])
    assert larger.terms == (*library.terms, foreign)
    assert len(larger.nats) == len(larger)


def test_terms_without_a_value_somewhere_are_zero():
    library = Library.generate(["terms_growth"], ("x",), 5)
    values = library.columns({"x": np.array([-1.0, 0.0, 2.0])})
    terms = [str(t) for t in library.terms]
    assert (values[:, terms.index("log(x)")] == 0).all()
    assert values[:, terms.index("abs(x)")].tolist() == [1, 0, 2]
    assert np.isfinite(values).all()


def test_too_many_terms_and_none_are_refused():
    with pytest.raises(ValueError, match="at most 400 terms were required of a library, complexity 9 and 6 columns give more; try"):
        Library.generate(["terms_polynomial"], tuple("abcdef"), 9)
    with pytest.raises(ValueError, match="a library with terms was required, the grammars have none up to complexity 0"):
        Library.generate(["terms_polynomial"], ("x",), 0)
    with pytest.raises((ValueError, OSError), match="terms_nonsense"):
        Library.generate(["terms_nonsense"], ("x",), 3)


# terms with constants of their own ---------------------------------------------------------------------------------------
def test_skeletons_have_constants_and_libraries_have_none():
    found = skeletons("terms_kinetic", ("x", "y"), 11)
    assert found
    assert all(e.constants for e in found)
    assert len(set(found)) == len(found)
    assert skeletons("terms_polynomial", ("x",), 7) == []


def test_half_saturations_are_positive_and_of_the_states_size():
    skeleton = Expr.parse("x/(1.0 + x)")
    values = [e.constants[0] for e in instances(skeleton, 50.0)]
    np.testing.assert_allclose(values, 50 * ONE)
    assert not signed(skeleton)


@pytest.mark.parametrize(("text", "count"), [("exp(1.0*x)", 2 * len(ONE)), ("x^1.5", 2 * len(ONE)),
                                             ("1/(1 + exp(1.0*x + 1.0))", (2 * len(TWO)) ** 2)])
def test_exponents_have_either_sign(text, count):
    found = instances(Expr.parse(text), 1.0)
    assert len(found) == count
    assert {np.sign(e.constants[0]) for e in found} == {-1.0, 1.0}
