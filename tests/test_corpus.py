"""The corpus of laws and data: keys of skeletons, what a minibatch holds, and that no formula of a benchmark is in it."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symnum.encode.corpus import OPERATORS, Corpus, Minibatch, held_out
from symnum.encode.draw import LARGEST, compact, draw_columns, draw_constants, draw_noise, values_each, varies
from symnum.encode.keys import UNDEFINED, skeleton_keys
from symnum.encode.properties import PROPERTIES, properties
from symnum.encode.skeletons import Source, batch_of, collapsed, depends, lists, neighbour, numbered, redundant, renamed_keys
from symnum.evaluate.reference import values
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import CONST, NUMBER, OPS, VAR

NAMES = ("x", "y", "z")


def pack(*texts: str) -> Batch:
    return Batch.pack([Expr.parse(t) for t in texts], NAMES)


@pytest.mark.parametrize("texts", [
    ("1.5*(x + 2.0)", "3.0 + x*0.5", "-(2.0 - 4.0*x)"),
    ("(x + y)^2", "x^2 + 2*x*y + y^2", "square(y + x)"),
    ("(x - y)*(x + y)", "x^2 - y^2", "(x^3 - x*y^2)/x"),
    ("sqrt(x)*sqrt(y)", "sqrt(x*y)"),
    ("sqrt(x^2)", "abs(x)"),
    ("sqrt(x)^2", "x", "cbrt(x^3)", "x^(1/3)*x^(2/3)", "log(exp(x))"),
    ("x/sqrt(x)", "sqrt(x)"),
    ("x^(3/2)", "x*sqrt(x)", "cube(sqrt(x))"),
    ("exp(x)*exp(y)", "exp(x + y)", "exp(x)/exp(-y)"),
    ("exp(x + 1.5)", "2.0*exp(x)"),
    ("2.0^x", "exp(0.7*x)", "exp(-0.1*x)"),
    ("e^x", "exp(x)"),
    ("sin(2.0*x + 1.0)", "cos(3.0*x + 2.0)"),
    ("sin(y - x)", "-sin(x - y)"),
    ("log(2.0*x)", "log(x) + 3.0", "-log(0.5/x)"),
    ("x*(y + 2.0)*(z + 3.0)", "(z + 1.5)*x*(2.0 + y)"),
    ("(2.0*x + 3.0)*(y + 1.0)", "2.0*(x + 1.0)*(y + 1.5)"),
    ("1.5*exp(-2.0*x) + 0.5*exp(-3.0*x)", "exp(0.5*x)*0.1 + 2.0*exp(-1.0*x)"),
    ("x*sin(1.5*z) + y*sin(2.5*z)", "y*sin(2.5*z) + sin(1.5*z)*x"),
    ("sin(2.0)", "1.0", "2.0 + 3.0*4.0", "exp(1.5)^2"),
    ("max(x, y)", "max(y, x)"),
    ("2.0*sqrt(x/3.0)", "sqrt(x)*1.5"),
])
def test_equal_formulas_have_one_key(texts):
    assert len(set(skeleton_keys(pack(*texts)).tolist())) == 1


@pytest.mark.parametrize("texts", [
    ("x", "y", "2*x", "2.0*x", "abs(x)", "x^2", "x^2.0", "-x", "pi*x", "e*x"),
    ("sin(x)", "cos(x)", "sin(x + 2.0)", "sin(2.0*x)", "tanh(x)", "atan(x)", "exp(x)", "exp(-x)", "log(x)", "log(x + 2.0)"),
    ("sin(1.5*x) + sin(2.5*x)", "2*sin(1.5*x)", "2.0*sin(1.5*x)", "1.5*sin(1.5*x) + 2.0*sin(2.5*x)"),
    ("sin(1.5*x)*sin(2.5*x)", "sin(1.5*x)^2", "sin(1.5*x)/sin(2.5*x)", "1"),
    ("(x + 1.0)^2", "x^2 + 2.0*x + 1.0", "(x + 1.0)*(x + 2.0)", "(x + 1)^2"),
    ("x/(2.0 + y)", "3.0*x/(1.0 + y)", "x/(2 + y)", "x/(2.0*y + 1)"),
    ("x*y", "x/y", "x - y", "y - x", "min(x, y)", "max(x, y)", "x^y", "y^x"),
])
def test_other_formulas_have_other_keys(texts):
    assert len(set(skeleton_keys(pack(*texts)).tolist())) == len(texts)


def test_undefined_formulas_have_the_key_of_none():
    assert skeleton_keys(pack("1/(x - x)", "y/(2*x - x - x)", "(x - x)^-2")).tolist() == [UNDEFINED] * 3
    assert skeleton_keys(Batch.empty(NAMES)).shape == (0,)


@given(st.integers(0, 10**9))
@settings(max_examples=10)
def test_key_is_that_of_other_constants_and_of_the_canonical_form(seed):
    rng = np.random.default_rng(seed)
    batch = Source(NAMES, {"polynomial": 1, "rational": 1, "physics": 1, "dynamics": 1}).draw(rng, 8)
    other = batch.with_constants(rng.uniform(0.1, 9, len(batch.constants)))
    assert (skeleton_keys(other) == skeleton_keys(batch)).all()
    free = batch.code == CONST  # with numbers in their place: canonical forms repeat constants, whole numbers they merge
    value = np.where(free, rng.integers(2, 9, len(free)), batch.value)
    exact = replace(batch, code=np.where(free, NUMBER, batch.code).astype(np.uint8), value=value)
    pairs = zip(exact.unpack(), skeleton_keys(exact), strict=True)
    logs = [(e, k) for e, k in pairs if OPS["log"] not in e.tokens]  # log(x^3) is left as it is
    assert (skeleton_keys(Batch.pack([e.canonical() for e, _ in logs], NAMES)) == [k for _, k in logs]).all()


def test_renamed_keys():
    one, two, three, four = renamed_keys(pack("x*y + z/x", "x/y + y*z", "z*x + y/z", "x*y + y/z")).tolist()
    assert one == two == three != four
    assert skeleton_keys(pack("x/y"))[0] != skeleton_keys(pack("y/x"))[0]
    many = [f"x{i}" for i in range(10)]  # more orders than are tried
    a, b, c = renamed_keys(Batch.pack([Expr.parse("+".join(many)), Expr.parse("+".join(many[::-1])), Expr.parse("*".join(many))], many))
    assert a == b != c


def test_columns_that_matter_and_constants_that_do_not():
    batch = pack("x + y - y", "0*x + z", "x*y", "sin(x)^2 + y/y", "2.0*x*3.0", "2.0*x + 3.0", "exp(x + 2.0)*y*3.0")
    keys = skeleton_keys(batch)
    assert depends(batch, keys)[:4].astype(int).tolist() == [[1, 0, 0], [0, 0, 1], [1, 1, 0], [1, 0, 0]]
    assert redundant(batch, keys).tolist() == [False] * 4 + [True, False, True]


def test_tokens():
    [tokens] = lists(pack("sin(2.0 + 3)*x"))
    assert collapsed(tokens) == [(CONST, 0, 2.0), (VAR, 0, 0.0), (OPS["mul"].code, 0, 0.0)]
    batch = pack("1.5*x + 2.5", "x", "y^3.5")
    assert numbered(batch).constants.tolist() == [0.0, 1.0, 0.0]
    assert [e.tokens for e in batch_of(lists(batch), NAMES).unpack()] == [e.tokens for e in batch.unpack()]
    rng = np.random.default_rng(0)
    for _ in range(300):  # always one expression, of other tokens; Expr checks the postfix
        edit = neighbour(tokens, 3, rng)
        assert edit != tokens
        assert len(batch_of([edit], NAMES).unpack()) == 1
    assert neighbour([(NUMBER, 0, 1.0)], 1, rng)


def test_source_needs_weights():
    with pytest.raises(ValueError, match="grammars with weights"):
        Source(NAMES, {"physics": -1.0})
    with pytest.raises(ValueError, match="grammars with weights"):
        Source(NAMES, {})


@pytest.fixture(scope="module")
def batch() -> Minibatch:
    return Corpus(3, variables=4, rows=48).minibatch(5, 200)


def test_shapes(batch):
    assert batch.X.shape == (200, 48, 4)
    assert batch.y.shape == batch.rows.shape == (200, 48)
    assert batch.columns.shape == batch.relevant.shape == (200, 4)
    assert batch.edit_error.shape == (200, 2)
    assert batch.operators.shape == (200, len(OPERATORS))
    assert batch.properties.shape == (200, len(PROPERTIES))
    assert len(batch.expressions) == len(batch.length) == len(batch.skeleton) == 200
    assert len(batch.edits) == 400
    assert batch.skeleton.dtype == np.uint64


def test_used_cells_are_numbers_and_the_others_zero(batch):
    assert np.isfinite(batch.X).all()
    assert np.isfinite(batch.y).all()
    assert (abs(batch.y) < 100 * LARGEST).all()  # outliers go beyond
    count = batch.rows.sum(axis=1)
    assert ((count >= 16) & (count <= 48)).all()
    assert len(set(count.tolist())) > 5
    assert (np.diff(batch.rows.astype(int), axis=1) <= 0).all()  # the rows that there are come first
    assert not batch.y[~batch.rows].any()
    assert not batch.X[~batch.rows].any()
    assert not np.moveaxis(batch.X, 2, 1)[~batch.columns].any()
    assert (batch.columns | ~batch.relevant).all()
    assert batch.relevant.any(axis=1).all()
    assert (batch.columns & ~batch.relevant).any()
    assert not batch.columns.all()


def test_laws_make_the_data(batch):
    exact, spread, off_by = 0, [], []
    for d in range(len(batch.X)):
        rows = batch.rows[d]
        law = values(batch.expressions.take([d]), batch.X[d, rows]).y[0]
        assert np.isfinite(law).all()
        assert np.ptp(law) > 0
        off = np.sqrt(np.mean((batch.y[d, rows] - law) ** 2)) / np.std(law)
        exact += off < 1e-9
        spread.append(off)
        for e in range(2):
            with np.errstate(all="ignore"):
                edit = values(batch.edits.take([2 * d + e]), batch.X[d, rows]).y[0]
                error = np.log10(np.sum((edit - law) ** 2) / np.sum((law - law.mean()) ** 2))
            if np.isfinite(error):
                off_by.append(abs(batch.edit_error[d, e] - error))
            else:
                assert np.isnan(batch.edit_error[d, e])
    assert np.mean(np.array(off_by) < 1e-3) > 0.98  # of a sine of 1e100 two evaluators know nothing
    assert 60 < exact < 140
    assert max(spread) > 0.1


def test_neighbours_are_other_laws(batch):
    keys = skeleton_keys(batch.edits).reshape(-1, 2)
    assert (skeleton_keys(batch.expressions) == batch.skeleton).all()
    assert (keys != batch.skeleton[:, None]).all()
    assert (keys[:, 0] != keys[:, 1]).all()
    assert not (batch.edit_error < -20).any()
    assert np.isfinite(batch.edit_error).mean() > 0.8


def test_views_share_a_skeleton_and_nothing_else(batch):
    assert (batch.skeleton[::2] == batch.skeleton[1::2]).all()
    assert (batch.expressions.take(np.arange(0, 200, 2)).code == batch.expressions.take(np.arange(1, 200, 2)).code).all()
    assert len(set(batch.skeleton.tolist())) > 80
    assert not (batch.X[::2] == batch.X[1::2]).all(axis=(1, 2)).any()


def test_labels(batch):
    assert batch.length.tolist() == batch.expressions.lengths.tolist()
    for d in range(0, 200, 7):
        names = {t.name for t in batch.expressions[d].tokens if hasattr(t, "name")}
        assert {OPERATORS[o] for o in np.flatnonzero(batch.operators[d])} == names & set(OPERATORS)
    clean = [d for d in range(0, 200, 9) if batch.rows[d].sum() == 48]
    for d in clean:
        with np.errstate(all="ignore"):
            expected = properties(lambda Z, d=d: values(batch.expressions.take([d]), Z).y[0], batch.X[d], batch.relevant[d])
        assert batch.properties[d] == pytest.approx(list(expected.values()), nan_ok=True, abs=0.05)
    assert len(clean) > 5


@pytest.mark.parametrize("options", [
    {"variables": 1, "rows": 16}, {"variables": 10, "rows": 20, "edits": 3}, {"variables": 2, "rows": 300, "views": 3, "edits": 0},
    {"variables": 3, "rows": 17, "views": 1, "grammars": {"trigonometric": 1.0}},
])
def test_minibatches_are_functions_of_seed_index_and_size(options):
    views = options.get("views", 2)
    first, again = (Corpus(1, **options).minibatch(3, 4 * views) for _ in range(2))
    other = Corpus(1, **options).minibatch(4, 4 * views)
    for name in Minibatch.__dataclass_fields__:
        a, b = getattr(first, name), getattr(again, name)
        if isinstance(a, Batch):
            assert (len(a.code) == len(b.code)) and (a.code == b.code).all() and (a.value == b.value).all() and (a.arg == b.arg).all()
        else:
            assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    assert first.X.shape == (4 * views, options["rows"], options["variables"])
    assert len(first.edits) == 4 * views * options.get("edits", 2)
    assert not np.array_equal(first.y, other.y)


@pytest.mark.parametrize(("options", "named"), [
    ({"rows": 15}, "rows"), ({"variables": 0}, "variables"), ({"views": 0}, "views"), ({"edits": -1}, "edits"), ({"seed": -1}, "seed"),
])
def test_numbers_that_cannot_be(options, named):
    with pytest.raises(ValueError, match=named):
        Corpus(**{"seed": 0, **options})


def test_sizes_that_cannot_be():
    corpus = Corpus(0, variables=1, rows=16)
    for size, index in ((0, 0), (3, 0), (2, -1)):
        with pytest.raises(ValueError, match="must be"):
            corpus.minibatch(index, size)


# held out -------------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def maker():
    path = Path(__file__).parents[1] / "experiments" / "encoder_corpus" / "make_held_out.py"
    spec = importlib.util.spec_from_file_location("make_held_out", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_formula_of_the_benchmarks_is_held_out(maker):
    wanted = maker.keys()
    assert len(wanted) > 400
    assert wanted <= set(held_out().tolist())


@pytest.mark.parametrize("texts", [
    ("s*(x1 - x0)", "3.5*y - 3.5*x"),  # other names, other constants, expanded
    ("x0*(r - x2) - x1", "2.0*z - x*z - y"),
    ("sqrt(x0)/x1", "y^(1/2)*x^-1"),
])
def test_spellings_are_held_out_alike(maker, texts):
    text, written = texts
    columns = [c for c in ("x0", "x1", "x2") if c in text]
    read = maker.readings(text, columns, [c for c in ("s", "r") if c in text])
    names = ["x", "y", "z", "x0", "x1", "x2"]
    keys = renamed_keys(Batch.pack([*read, Expr.parse(written)], names)).tolist()
    assert keys[-1] in keys[:-1]


def test_no_draw_of_the_corpus_is_held_out():
    easy = Corpus(0, variables=3, rows=16, views=1, edits=1, grammars={"polynomial": 1.0, "physics": 1.0}).minibatch(0, 400)
    hits = np.isin(renamed_keys(Source(("x0", "x1", "x2")).draw(np.random.default_rng(0), 400)), held_out())
    assert hits.any()  # there is something to reject
    assert not np.isin(renamed_keys(easy.expressions), held_out()).any()
    assert not np.isin(renamed_keys(easy.edits), held_out()).any()


# data -----------------------------------------------------------------------------------------------------------------------
def test_columns_are_of_all_kinds():
    X = draw_columns(np.random.default_rng(0), 400, 64, 3)
    assert np.isfinite(X).all()
    whole = (X == np.rint(X)).all(axis=1)
    assert 0.1 < whole.mean() < 0.3
    positive = (X >= 0).all(axis=(1, 2)).mean()
    assert 0.4 < positive < 0.7
    assert (draw_columns(np.random.default_rng(1), 50, 64, 2, positive=1.0) >= 0).all()
    tied = [abs(np.corrcoef(x[:, 0], x[:, 1])[0, 1]) > 0.5 for x in X if np.ptp(x, axis=0).all()]
    assert 0.03 < np.mean(tied) < 0.3


def test_constants():
    c = draw_constants(np.random.default_rng(0), 4000)
    assert 0.45 < (c > 0).mean() < 0.55
    assert 0.2 < np.isin(abs(c), [1, 2, 3, 4, 5, 0.5, 1.5, 2.5, np.pi]).mean() < 0.3
    assert (abs(c) >= 10**-1.5).all()
    assert draw_constants(np.random.default_rng(0), 0).shape == (0,)


def test_noise_stays_on_the_rows_that_there_are():
    rng = np.random.default_rng(0)
    y, used = rng.normal(size=(500, 40)), np.arange(40) < rng.integers(16, 41, (500, 1))
    noise = draw_noise(rng, y, used)
    assert not noise[~used].any()
    assert 0.35 < (noise == 0).all(axis=1).mean() < 0.55
    assert 0.02 < (abs(noise) > 1).any(axis=1).mean() < 0.12


def test_compact_leaves_out_what_is_undefined_or_huge():
    X, y = np.arange(5.0).reshape(1, 5, 1), np.array([[np.nan, 1.0, np.inf, 2e8, 4.0]])
    X, y, rows = compact(X, y, np.array([3]))
    assert rows.tolist() == [[True, True, False, False, False]]
    assert y.tolist() == [[1.0, 4.0, 0.0, 0.0, 0.0]]
    assert X[0, :, 0].tolist() == [1.0, 4.0, 0.0, 0.0, 0.0]


def test_varies():
    rows = np.array([[True, True], [True, True], [True, False], [False, False]])
    assert varies(np.array([[1.0, 2.0], [1.0, 1.0 + 1e-12], [1.0, 5.0], [1.0, 2.0]]), rows).tolist() == [True, False, False, False]


def test_values_each_is_the_reference(batch):
    X = batch.X[:6]
    found = values_each(batch.edits.take(np.arange(12)), X)
    for i in range(12):
        with np.errstate(all="ignore"):
            expected = values(batch.edits.take([i]), X[i // 2]).y[0]
        assert found[i] == pytest.approx(expected, rel=1e-6, nan_ok=True)
