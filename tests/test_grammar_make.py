"""Grammars from operators and known sub-expressions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.discovery import discover
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar, GrammarError
from symnum.language.grammar_make import grammar_of, with_known
from symnum.language.ops import BUILTIN, Op
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.testing import properties

NAMES = ["x0", "x1"]


@properties(150)
@given(st.sets(st.sampled_from([op.name for op in BUILTIN]), min_size=1))
def test_a_grammar_of_any_operators_has_these_and_no_others(names):
    grammar = grammar_of(sorted(names))
    assert {op.name for op in grammar.operators} == names
    assert Grammar.parse(str(grammar), grammar.name) == grammar
    assert grammar.sample(np.random.default_rng(0), NAMES, 12).complexity <= 12


def test_all_of_the_elementary_operators_make_the_elementary_grammar():
    elementary = Grammar.load("elementary")
    assert grammar_of(elementary.operators).productions == elementary.productions


def test_nesting_follows_the_elementary_grammar():
    grammar = grammar_of("+ * sin exp tan sinh erf ^ abs pi")
    for text, inside in (("sin(exp(x0))", True), ("sin(sin(x0))", False), ("sin(tan(x0))", False), ("exp(sinh(x0))", False),
                         ("erf(x0 + abs(x1))", True), ("erf(sin(x0))", False), ("sin(erf(x0))", True), ("x0^2.5*x1^-3", True),
                         ("pi*x0 + 1.5", True), ("cos(x0)", False), ("x0 - x1", False)):
        assert grammar.contains(Expr.parse(text), NAMES) is inside, text


def test_names_symbols_and_aliases():
    assert grammar_of("+,*, pow ,ln").operators == grammar_of(["add", "mul", "^", "log"]).operators
    op = Op.from_function("hat_make", lambda a: 1 / (1 + a * a), 1)
    assert op in grammar_of(["+", op]).operators and op in grammar_of(["+", "hat_make"]).operators


@pytest.mark.parametrize(("operators", "problem"), [
    ([], "at least one"), ("", "at least one"), (["sinn"], "did you mean sin"), ([3], "got 3"),
])
def test_operator_refusals(operators, problem):
    with pytest.raises(GrammarError, match=problem):
        grammar_of(operators)


def test_known_expressions_stand_wherever_a_column_may():
    base = grammar_of("+ * sin")
    grammar = with_known(base, ["x0*x1", "exp(-2.5*x1)"], NAMES)
    for text in ("exp(-1.0*x1)", "sin(exp(-1.0*x1))", "x0 + 2.0*exp(3.0*x1)"):
        assert grammar.contains(Expr.parse(text), NAMES) and not base.contains(Expr.parse(text), NAMES)
    from symnum.language.batch import Batch
    from symnum.language.rules import compile_rules

    batch = Batch.pack([Expr.parse(t) for t in ("x0*x1", "sin(x0*x1)", "x1*x0")], NAMES)
    assert compile_rules(grammar, NAMES).complexity(batch).tolist() == [2, 3, 3]
    assert Grammar.parse(str(grammar)).productions == grammar.productions


def test_known_in_a_grammar_without_columns_of_choice():
    grammar = with_known(Grammar.parse("law : a * x0\na : CONST"), ["x0^2"], NAMES)
    assert grammar.contains(Expr.parse("x0^2"), NAMES)
    assert with_known(grammar, [], NAMES) is grammar
    assert with_known(grammar, ["x0^2"], NAMES) == grammar  # known already


@pytest.mark.parametrize(("known", "problem"), [
    ("x0*z", "uses 'z'"), ("x0", "more than one symbol"), ("2.5", "more than one symbol"), ("x0*(", "sub-expression such as"),
    ("sinn(x0)", "did you mean"), (5, "more than one symbol"),
])
def test_known_refusals(known, problem):
    with pytest.raises(GrammarError, match=problem):
        with_known(Grammar.load("arithmetic"), [known], NAMES)


def test_a_known_part_is_used():
    X = np.random.default_rng(2).uniform(0.2, 2, (60, 2))
    problem = RegressionProblem.from_table(as_table(X, X[:, 0] / (1 + np.exp(-(X[:, 1] ** 2)))))
    grammar = with_known(Grammar.load("arithmetic"), ["exp(-x1^2)"], problem.names)
    found = discover(problem, grammar, time_limit=None, max_evaluations=10_000, max_complexity=10, threads=1, seed=0)
    assert found.verdict.r2 > 1 - 1e-9 and found.best.complexity <= 7
