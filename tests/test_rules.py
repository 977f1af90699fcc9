"""Compiled grammars: the chart agrees with the grammar they come from, and drawing keeps within its budget."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.grammar_file import shipped
from symnum.language.ops import CONST, NUMBER, OPS, VAR
from symnum.language.rules import compile_rules
from symnum.testing import TOL, properties, random_batch

NAMES = ["x", "y"]
TEXTS = {
    "ambiguous": """
        expr : expr + term | expr * x | term @ 2 | sin(expr) | sin(term) @ 0.5
        term : VAR | x | CONST | INT(-1, 1) | pi | -term | square(VAR) $ 4
    """,
    "templates": "e : (e + x)*CONST | INT(2, 3)*e^INT(-2, 2) $ 9 | max(VAR, VAR) | 7 | VAR",
    "units": "a : b @ 3 | x \n b : c | y @ 3 \n c : sin(a) | x*y @ 4 $ 1",
    "finite": "top : pair @ 3 | single | sin(pair) \n pair : single + single | single ^ INT(2, 3) @ 2 \n single : VAR @ 2 | x | 7",
}
GRAMMARS = {name: Grammar.load(name) for name in shipped()} | {name: Grammar.parse(text, name) for name, text in TEXTS.items()}
RULES = {name: compile_rules(grammar, NAMES) for name, grammar in GRAMMARS.items()}
every = pytest.mark.parametrize("name", GRAMMARS)


def complexity(name: str, *texts: str) -> list[int]:
    return RULES[name].complexity(Batch.pack([Expr.parse(t) for t in texts], NAMES)).tolist()


def skeleton(expr: Expr) -> tuple:
    """The tokens, free constants being all alike and 2 not being 2.0."""
    return tuple("CONST" if isinstance(t, float) else (type(t), t) for t in expr.tokens)


# membership and complexity ----------------------------------------------------------------------------------------------
@every
def test_complexity_is_the_cheapest_derivation(name):
    """Against the grammar's own enumeration, which knows nothing of charts."""
    cheapest: dict[tuple, tuple[Expr, int]] = {}
    for cost in itertools.count(1):
        if cost > 8 or GRAMMARS[name].count(cost, NAMES) > 4000:
            break
        for e in GRAMMARS[name].enumerate(NAMES, cost):
            cheapest.setdefault(skeleton(e), (e, cost))
    found = RULES[name].complexity(Batch.pack([e for e, _ in cheapest.values()], NAMES))
    assert found.tolist() == [cost for _, cost in cheapest.values()]
    assert len(cheapest) > 3


@pytest.mark.parametrize("name", [name for name, grammar in GRAMMARS.items() if "$" not in str(grammar)])
def test_a_default_cost_is_the_complexity_of_the_expression(name):
    batch = RULES[name].sample(500, 25, np.random.default_rng(0))
    assert (RULES[name].complexity(batch) == batch.complexity).all()


@every
def test_members_and_strangers_are_told_apart(name):
    rng = np.random.default_rng(5)
    operators = sorted(op.name for op in GRAMMARS[name].operators if op.arity) or ["add"]
    strangers = [random_batch(rng, 100, NAMES, ops, n_tokens=n) for ops in (operators, None) for n in (2, 3, 5, 9)]
    members = Batch.pack([GRAMMARS[name].sample(rng, NAMES, 15) for _ in range(100)], NAMES)
    for batch in (*strangers, members):
        wanted = [GRAMMARS[name].contains(e, NAMES) for e in batch.unpack()]
        assert ((RULES[name].complexity(batch) > 0) == wanted).all()
    assert (RULES[name].complexity(members) > 0).all()
    assert any((RULES[name].complexity(batch) < 0).any() for batch in strangers)


def test_worked_examples():
    assert complexity("elementary", "x + y", "sin(x)*y", "sin(cos(x))", "exp(sin(x*y))", "x^2.5", "erf(x)") == [3, 4, -1, 5, -1, -1]
    assert complexity("physics", "x^(3/2)", "x^(3.0/2)", "x^-4", "x^7", "4*x", "5*x") == [5, -1, 3, -1, 3, -1]
    assert complexity("polynomial", "2.0*(x^3*y) + x", "x*2.0", "x^2 - y") == [9, -1, -1]


# drawing ----------------------------------------------------------------------------------------------------------------
@every
@properties(30)
@given(seed=st.integers(0, 2**32), budget=st.integers(1, 40))
def test_samples_are_members_within_the_budget(name, seed, budget):
    rules = RULES[name]
    batch = rules.sample(50, budget, np.random.default_rng(seed))
    assert len(batch) == 50
    found = rules.complexity(batch)
    assert (found > 0).all() and found.max() <= max(budget, rules.least_of[0])
    assert all(GRAMMARS[name].contains(e, NAMES) for e in batch.unpack()[:5])


@every
def test_samples_are_reproducible_and_varied(name):
    first, again, other = (RULES[name].sample(200, 20, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.unpack() == again.unpack() != other.unpack()
    assert len(set(first.skeleton_hash().tolist())) > {"units": 4, "finite": 4, "terms_polynomial": 20}.get(name, 30)


def test_a_budget_below_the_least_expression_gives_the_least():
    rules = compile_rules(Grammar.parse("e : x*x*x*x*x*x + e2 \n e2 : sin(x) | e2 + e2"), ["x"])
    assert rules.least_of[0] == 14
    assert (rules.complexity(rules.sample(20, 3, np.random.default_rng(0))) == 14).all()


def test_drawn_shares_follow_the_weights():
    rules = compile_rules(Grammar.parse("a : b @ 3 | x \n b : c | y @ 3 \n c : 2 | 3 @ 4"), NAMES)
    texts = [str(e) for e in rules.sample(20_000, 30, np.random.default_rng(0)).unpack()]
    shares = {t: texts.count(t) / len(texts) for t in ("x", "y", "2", "3")}
    wanted = {"x": 1 / 4, "y": 9 / 16, "2": 3 / 80, "3": 12 / 80}
    assert shares == pytest.approx(wanted, abs=0.02)  # five standard errors of the largest


# compilation ------------------------------------------------------------------------------------------------------------
@every
def test_probabilities_are_complete(name):
    assert RULES[name].probability.sum(axis=1) == pytest.approx(1.0, rel=TOL["float64"])
    assert (RULES[name].least_of >= 1).all() and RULES[name].least_of[0] == GRAMMARS[name].min_cost(GRAMMARS[name].start)


def test_renaming_is_closed():
    rules = RULES["units"]
    assert complexity("units", "x", "y", "sin(x)", "x*y", "sin(sin(x*y))", "y*x") == [1, 1, 2, 1, 3, -1]
    assert rules.reach[0].all() and not rules.reach[2, :2].any()
    grammar = GRAMMARS["units"]
    by_text = dict.fromkeys(("x", "y"), 0.0)
    for r in np.flatnonzero(rules.code[rules.start[:-1]] == VAR):
        if rules.start[r + 1] - rules.start[r] == 1:
            by_text[NAMES[rules.arg[rules.start[r]]]] += rules.probability[0, r]
    assert by_text == pytest.approx({n: np.exp(grammar.log_prob(Expr.var(n), NAMES)) for n in NAMES}, rel=TOL["float64"])


def test_families_become_their_members():
    rules = compile_rules(Grammar.parse("e : VAR | INT(-2, 2) | e + e | CONST"), ["a", "b", "c"])
    code, arg, value = rules.leaf_tokens
    assert sorted(arg[code == VAR].tolist()) == [0, 1, 2]
    assert sorted(value[code == NUMBER].tolist()) == [-2, -1, 1, 2]
    assert (code == CONST).sum() == 1
    assert rules.operator_codes.tolist() == [OPS["add"].code]


def test_a_variable_that_is_no_column_is_named():
    with pytest.raises(ValueError, match="'mine' uses mass, speed; the columns are x, y"):
        compile_rules(Grammar.parse("e : mass*speed^2 | VAR", "mine"), NAMES)
