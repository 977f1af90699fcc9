"""The library: distinct functions of the grammar, each with its values, complexity and formula."""

import numpy as np
import pytest

from symnum.language.batch import Batch
from symnum.language.grammar import Grammar
from symnum.language.rules import compile_rules
from symnum.search.library import Library

RNG = np.random.default_rng(3)


def built(grammar, width, most=20_000, level=12, **kwargs):
    names = [f"x{i}" for i in range(width)]
    X = RNG.uniform(1, 4, (32, width))
    library = Library(compile_rules(Grammar.load(grammar), names), X, most, **kwargs)
    library.grow_to(level)
    return library, X, names


@pytest.mark.parametrize("grammar", ["elementary", "arithmetic", "polynomial", "rational", "trigonometric", "physics"])
def test_entries_are_formulas_of_the_grammar_with_their_values(grammar):
    library, X, names = built(grammar, 3)
    chosen = np.random.default_rng(0).integers(0, len(library), 300)
    exprs = [library.expr(i) for i in chosen]
    values = np.array([np.broadcast_to(e(dict(zip(names, X.T, strict=True))), len(X)) for e in exprs])
    np.testing.assert_allclose(values, library.values[chosen], rtol=1e-9, atol=1e-12)
    complexity = library.rules.complexity(Batch.pack(exprs, names))
    whole = library.whole[chosen]
    assert whole.any()
    assert (complexity[whole] > 0).all()
    assert (complexity[whole] <= library.complexity[chosen][whole]).all()


def test_functions_are_distinct_and_finite():
    library, _, _ = built("elementary", 2)
    V = library.values
    assert len(library) == 20_000
    assert np.isfinite(V).all()
    same = len(V) - len(np.unique(np.float64(np.char.mod("%.9g", V)), axis=0))
    assert same < 0.02 * len(V)  # a function is there twice where two derivations fill different slots


def test_levels_are_complete_below_the_capacity():
    """Every sampled formula of a finished level is there by its values."""
    library, X, names = built("arithmetic", 2, most=50_000, level=5)
    assert library.level == 5
    rules = library.rules
    sampled = rules.sample(400, 5, np.random.default_rng(1))
    found = 0
    for e in (e for e in sampled.unpack() if not e.constants and e.variables):
        v = np.broadcast_to(e(dict(zip(names, X.T, strict=True))), len(X))
        if np.isfinite(v).all() and np.ptp(v) > 1e-9:
            assert np.abs(library.values - v).max(axis=1).min() < 1e-9, str(e)
            found += 1
    assert found > 50


def test_capacity_and_deadline_stop_the_building():
    library, _, _ = built("elementary", 4, most=500)
    assert len(library) == 500
    names = ["a", "b"]
    late = Library(compile_rules(Grammar.load("elementary"), names), RNG.uniform(1, 2, (16, 2)), 100_000)
    assert not late.grow_to(12, deadline=0.0)


def test_columns_of_zeros_and_huge_scales_are_left_out():
    names = ["z", "h", "x"]
    X = np.column_stack([np.zeros(20), np.full(20, 1e200), np.linspace(1, 2, 20)])
    library = Library(compile_rules(Grammar.load("arithmetic"), names), X, 1000)
    library.grow_to(4)
    assert {v for i in range(len(library)) for v in library.expr(i).variables} == {"x"}
