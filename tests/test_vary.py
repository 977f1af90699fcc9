"""Variation: whatever is spliced, children stay in the language; outer scale and offset come off and go on exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.evaluate import reference
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.grammar_file import shipped
from symnum.language.ops import CONST
from symnum.language.rules import compile_rules
from symnum.search.vary import affine, breed, peel
from symnum.testing import close, expressions, properties

NAMES = ["x", "y", "z"]
TEXTS = {"leaves": "e : VAR | CONST", "tower": "e : sin(f) | x \n f : exp(e) | e", "long": "e : x*y*z*x*y*z $ 1 | e + e"}
GRAMMARS = {name: Grammar.load(name) for name in shipped()} | {name: Grammar.parse(text, name) for name, text in TEXTS.items()}
RULES = {name: compile_rules(grammar, NAMES) for name, grammar in GRAMMARS.items()}
every = pytest.mark.parametrize("name", GRAMMARS)


def pairs(rng: np.random.Generator, n: int, of: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, of, n), rng.integers(0, of, n)


def parse(*texts: str) -> Batch:
    return Batch.pack([Expr.parse(t) for t in texts], NAMES)


# breeding ---------------------------------------------------------------------------------------------------------------
@every
@properties(15)
@given(seed=st.integers(0, 2**62), limit=st.integers(1, 40))
def test_children_are_in_the_grammar_within_the_limit(name, seed, limit):
    rules, rng = RULES[name], np.random.default_rng(seed)
    limit = max(limit, int(rules.least_of[0]))
    parents = rules.sample(60, limit, rng)
    parents = parents.take(rules.complexity(parents) <= limit)
    children = breed(parents, *pairs(rng, 200, len(parents)), rules, limit, seed)
    found = rules.complexity(children)
    assert len(children) == 200
    assert found.min() >= 1 and found.max() <= limit
    assert all(set(e.variables) <= set(NAMES) for e in children.unpack())  # unpacking also checks that they are one expression
    assert np.isfinite(children.value).all()


@every
def test_the_same_seed_gives_the_same_children_however_they_are_split(name):
    rules, rng = RULES[name], np.random.default_rng(1)
    parents = rules.sample(50, 20, rng)
    first, second = pairs(rng, 300, 50)
    whole = breed(parents, first, second, rules, 20, 7)
    assert whole.unpack() == breed(parents, first, second, rules, 20, 7).unpack()
    assert whole.unpack()[:100] == breed(parents, first[:100], second[:100], rules, 20, 7).unpack()
    if name != "tower":
        assert whole.unpack() != breed(parents, first, second, rules, 20, 8).unpack()


def test_children_vary_in_every_way():
    """Smaller, larger, equal in shape, made of both parents' material: each kind of variation leaves its trace."""
    rules = RULES["elementary"]
    parents = parse("sin(x*1.5) + x*x", "exp(y)/y", "square(x) - 2.5")
    n = 4000
    children = breed(parents, np.zeros(n, int), np.ones(n, int), rules, 20, 3)
    texts = [str(e) for e in children.unpack()]
    size = children.lengths
    assert (size < parents.lengths[0]).mean() > 0.1 and (size > parents.lengths[0]).mean() > 0.2
    assert len(set(texts)) > n / 5  # many mutations of two small parents coincide
    assert sum("exp(y)/y" in t and "x" in t for t in texts) > 20  # crossover
    assert "sin(x*1.5)" in texts and "x*x" in texts  # hoisting, deletion
    assert "cos(x*1.5) + x*x" in texts and "sin(x*1.5) + x*z" in texts  # point mutations
    same = children.take(children.skeleton_hash() == parents.skeleton_hash()[0])
    assert len(set(same.constants.tolist())) > 10  # new constants


def test_long_parents_of_little_cost_fit():
    """A production may cost less than its tokens: 239 tokens of complexity 39."""
    parents = parse(" + ".join(["x*y*z*x*y*z"] * 20))
    assert RULES["long"].complexity(parents).tolist() == [39] and parents.lengths.tolist() == [239]
    children = breed(parents, np.zeros(50, int), np.zeros(50, int), RULES["long"], 40, 1)
    assert (RULES["long"].complexity(children) > 0).all() and len(children.unpack()) == 50


def test_constants_of_the_parents_are_inherited():
    rules = RULES["arithmetic"]
    parents = parse("x*1.2345 + y", "y*6.789")
    children = breed(parents, np.zeros(500, int), np.ones(500, int), rules, 15, 0)
    assert np.isin(children.constants, [1.2345, 6.789]).mean() > 0.5


# scale and offset ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("scale", "offset", "text"), [
    (False, False, "x + y"), (True, False, "(x + y)*1.0"), (False, True, "x + y + 0.0"), (True, True, "(x + y)*1.0 + 0.0")])
def test_affine_writes_the_forms(scale, offset, text):
    assert affine(parse("x + y", "z"), scale, offset)[0] == Expr.parse(text)


@pytest.mark.parametrize(("text", "shape"), [
    ("sin(x)*2.5 + 1.5", "sin(x)"), ("2.5*sin(x)", "sin(x)"), ("3 - x", "x"), ("-(x/2)", "x"), ("2/x", "2/x"),
    ("1.5 + 2.5*(x*y - 3)", "x*y"), ("x + y", "x + y"),
    ("(x + 1.5)*y", "(x + 1.5)*y"), ("2.5", "2.5"), ("1.5 + 2.5", "1.5"), ("x^2", "x^2"), ("-x*(y*2.0)", "-x*(y*2.0)")])
def test_peel_by_example(text, shape):
    assert peel(parse(text))[0] == Expr.parse(shape)


@properties(200)
@given(st.lists(expressions(NAMES), min_size=1, max_size=6))
def test_peel_undoes_affine_and_is_idempotent(exprs):
    batch = Batch.pack(exprs, NAMES)
    shapes = peel(batch)
    assert peel(shapes).unpack() == shapes.unpack()
    assert peel(affine(batch, True, True)).unpack() == shapes.unpack()


@properties(200)
@given(expressions(NAMES))
def test_what_is_peeled_is_a_scale_and_an_offset(expr):
    """f = a*peel(f) + b: three values determine a and b, the others agree."""
    X = np.random.default_rng(0).uniform(0.5, 2, (12, 3))
    with np.errstate(all="ignore"):
        f, ok = reference.values(Batch.pack([expr], NAMES), X)
        g, ok_too = reference.values(peel(Batch.pack([expr], NAMES)), X)
    if not (ok[0] and ok_too[0]) or max(np.abs(f).max(), np.abs(g).max()) > 1e6:  # beyond that the solution below loses its digits
        return
    design = np.stack([g[0], np.ones(12)], axis=1)
    solution = np.linalg.lstsq(design, f[0], rcond=None)[0]
    assert close(design @ solution, f[0], "sympy").all()


def test_new_constants_are_free():
    extended = affine(parse("sin(x)"), True, True)
    assert (extended.code == CONST).sum() == 2 and extended.n_constants.tolist() == [2]
