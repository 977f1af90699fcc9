"""Grammars: the shipped files, the text form and its errors, and that all the ways to walk a grammar agree."""

import itertools
import math
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symnum.language.expr import Expr
from symnum.language.grammar import CONST, VAR, Grammar, GrammarError, Integer, Production, Slot
from symnum.language.grammar_file import shipped
from symnum.language.ops import FIRST_OP, OPS, Op, all_ops

NAMES = ["x", "y"]
AMBIGUOUS = """
expr : expr + term | expr * x | term @ 2        # left recursion, a unit, and x both by name and as VAR
     | sin(expr) | sin(term) @ 0.5
term : VAR | x | CONST | INT(-1, 1) | 2.5 | pi | -term | square(VAR) $ 4
"""
FINITE = """
top  : pair @ 3 | single | sin(pair) @ 0.5
pair : single + single | single ^ INT(2, 3) @ 2
single : VAR @ 2 | x | 7
"""
TEXTS = {"ambiguous": AMBIGUOUS, "finite": FINITE, "three": "e : VAR | (e + e)*e | max(e, 2)"}


def grammars() -> dict[str, Grammar]:
    return {name: Grammar.load(name) for name in shipped()} | {name: Grammar.parse(text, name) for name, text in TEXTS.items()}


GRAMMARS = grammars()


def columns(grammar):
    """x, y and what else the grammar names."""
    return [*NAMES, *(v for v in grammar.variables if v not in NAMES)]


every = pytest.mark.parametrize("grammar", GRAMMARS.values(), ids=GRAMMARS.keys())


def typed(grammar: Grammar) -> list:
    """The productions with the types of their symbols: 2 and 2.0 are equal, but not the same symbol."""
    return [(p, [type(s) for s in p.template]) for p in grammar.productions]


def polish(expr: Expr) -> tuple:
    """The tokens in Polish order, free constants as CONST."""
    return expr.fold(lambda t: (CONST if isinstance(t, float) else t,), lambda op, parts: (op, *itertools.chain(*parts)))


def brute_force(grammar: Grammar, complexity: int, names: list[str]) -> list[tuple]:
    """The token tuples of all derivations of this cost, by rewriting the last nonterminal of sentential forms."""
    forms, done = [((Slot(grammar.start),), 0)], []
    while forms:
        form, cost = forms.pop()
        at = next((i for i in reversed(range(len(form))) if isinstance(form[i], Slot | Integer)), None)
        if at is None:
            done += [form] if cost == complexity else []
            continue
        symbol = form[at]
        if isinstance(symbol, Integer):
            options = [((n,), 0) for n in range(symbol.low, symbol.high + 1) if n or not symbol.low < 0 < symbol.high]
        elif symbol == VAR:
            options = [((name,), 0) for name in names]
        elif symbol == CONST:
            options = [((1.0,), 0)]
        else:
            options = [(p.template, p.cost) for p in grammar.productions if p.lhs == symbol.name]
        open_cost = sum(isinstance(s, Slot) and s.name not in ("CONST", "VAR") for s in form[:at])
        spent = [((*form[:at], *new, *form[at + 1 :]), cost + more) for new, more in options]
        forms += [(f, c) for f, c in spent if c + open_cost <= complexity]
    return done


# shipped files ------------------------------------------------------------------------------------------------------------
def test_the_shipped_grammars_are_found():
    assert {"elementary", "arithmetic", "polynomial", "rational", "trigonometric", "physics"} <= set(shipped())
    assert all(len(GRAMMARS[name].nonterminals) <= 5 for name in shipped())


@every
def test_samples_are_in_the_grammar_and_within_complexity(grammar):
    rng = np.random.default_rng(1)
    samples = [grammar.sample(rng, columns(grammar)) for _ in range(1000)]
    assert all(grammar.contains(e, columns(grammar)) for e in samples)
    assert all(set(e.variables) <= set(columns(grammar)) for e in samples)
    if all(p.is_unit or p.cost == Production(p.lhs, p.template).cost for p in grammar.productions):
        assert max(e.complexity for e in samples) <= 30
    assert len({polish(e) for e in samples}) > 5
    assert all(grammar.sample(rng, columns(grammar), grammar.min_cost(grammar.start)).complexity <= 5 for _ in range(20))


@every
def test_printing_and_parsing_are_inverse(grammar):
    again = Grammar.parse(str(grammar), grammar.name)
    assert again == grammar
    assert typed(again) == typed(grammar)
    assert pickle.loads(pickle.dumps(grammar)) == grammar


def test_elementary_limits_nesting():
    g, x = Grammar.load("elementary"), Expr.var("x")

    def f(*names):
        e = x
        for name in reversed(names):
            e = Expr.apply(name, e * 2.0)
        return e

    assert all(map(g.contains, (x / 2.0 + f("sin"), f("exp", "neg"), f("sin", "exp"), f("exp", "cos"), f("sqrt", "log"))))
    refused = (f("sin", "cos"), f("exp", "exp"), f("log", "exp"), f("exp", "sin", "exp"), f("cos", "exp", "sin"))
    assert not any(map(g.contains, refused))


# counting -----------------------------------------------------------------------------------------------------------------
@every
def test_count_is_the_length_of_enumerate(grammar):
    sizes = [grammar.count(c, columns(grammar)) for c in range(8)]
    for c in range(8):
        if sizes[c] < 30_000:
            found = list(grammar.enumerate(columns(grammar), c))
            assert len(found) == sizes[c]
            assert all(grammar.contains(e, columns(grammar)) for e in found[:: max(1, len(found) // 50)])
    assert sizes[0] == 0 and sum(sizes) > 0


@pytest.mark.parametrize("name", TEXTS)
def test_enumerate_is_brute_force(name):
    grammar = GRAMMARS[name]
    for c in range(1, 7):
        found = Counter(tuple((type(t), t) for t in e.tokens) for e in grammar.enumerate(NAMES, c))
        assert found == Counter(tuple((type(t), t) for t in form) for form in brute_force(grammar, c, NAMES))


def test_counts_are_exact():
    g = Grammar.parse("e : e + e | VAR")
    assert g.count(201, ["x"]) == math.comb(200, 100) // 101  # a Catalan number
    assert g.count(201, ["x", "y"]) == 2**101 * math.comb(200, 100) // 101
    assert g.count(-3, ["x"]) == 0 and list(g.enumerate(["x"], -3)) == []


# judging ------------------------------------------------------------------------------------------------------------------
def test_probabilities_of_a_finite_grammar_sum_to_one():
    g = GRAMMARS["finite"]
    distinct = {e for c in range(1, 9) for e in g.enumerate(NAMES, c)}
    assert math.fsum(math.exp(g.log_prob(e, NAMES)) for e in distinct) == pytest.approx(1, abs=1e-12)


def test_probability_sums_over_derivations():
    g = GRAMMARS["finite"]
    single = 1 / 4.5 * (1 / 4 + 2 / 4 / 2)  # top : single, and x by name or as one of two columns
    assert math.exp(g.log_prob(Expr.var("x"), NAMES)) == pytest.approx(single)
    assert g.log_prob(Expr.var("x"), NAMES) > g.log_prob(Expr.var("y"), NAMES)
    assert g.log_prob(Expr.const(8), NAMES) == -math.inf


@pytest.mark.parametrize("name", TEXTS)
def test_sampling_follows_the_probabilities(name):
    g, rng, n = GRAMMARS[name], np.random.default_rng(5), 4000
    seen = Counter(polish(g.sample(rng, NAMES)) for _ in range(n))
    checked = 0
    for e in {e for c in range(1, 4) for e in g.enumerate(NAMES, c) if 2.5 not in e.tokens and 1.0 not in e.tokens}:
        p = math.exp(g.log_prob(e, NAMES))
        assert abs(seen[polish(e)] - n * p) < 5 * math.sqrt(n * p * (1 - p)) + 2  # five standard deviations
        checked += 1
    assert checked >= 3


def test_membership_tells_numbers_apart():
    g = Grammar.parse("e : VAR + INT(2, 3) | VAR * CONST | VAR / 2.5 | VAR - 5")
    x = Expr.var("x")
    assert all(map(g.contains, (x + 2, x + 3, x * 0.1, x / 2.5, x - 5)))
    assert not any(map(g.contains, (x + 4, x + 2.0, x * 2, x / 2.0, x - 5.0, x, -x)))
    assert g.contains(x + 2, ["x"]) and not g.contains(x + 2, ["y"])


# prediction ---------------------------------------------------------------------------------------------------------------
VOCABULARY = [*all_ops(), "x", "y", "z", CONST, 2.5, *range(-3, 8)]


@pytest.mark.parametrize("name", [n for n in GRAMMARS if n != "three"])
def test_mask_agrees_with_enumeration(name):
    """For every prefix of the expressions of small cost, the mask holds what follows; and outside the mask is an error."""
    g, rng = GRAMMARS[name], np.random.default_rng(2)
    samples = [polish(e) for e in itertools.chain(*(itertools.islice(g.enumerate(columns(g), c), 300) for c in range(1, 6)))]
    for index in rng.choice(len(samples), min(len(samples), 60), replace=False):
        whole = samples[index]
        for cut in range(len(whole)):
            allowed = g.mask(whole[:cut], columns(g))
            assert whole[cut] in allowed
            assert len({(type(t), t) for t in allowed}) == len(allowed)
            for token in rng.permutation(np.array(VOCABULARY, dtype=object))[:6]:
                if not any(type(token) is type(t) and token == t for t in allowed) and not (token == 2.5 and CONST in allowed):
                    with pytest.raises(ValueError, match=f"place {cut}"):
                        g.mask((*whole[:cut], token), columns(g))
        assert g.mask(whole, columns(g)) == ()


@pytest.mark.parametrize("name", GRAMMARS)
def test_a_decoder_that_follows_the_mask_writes_members(name):
    g, rng = GRAMMARS[name], np.random.default_rng(3)
    written = 0
    for _ in range(40):
        prefix = []
        while len(prefix) < 40 and (allowed := g.mask(prefix, columns(g))):
            leaves = [t for t in allowed if not (isinstance(t, Op) and t.arity)]
            pool = leaves if leaves and len(prefix) > 8 else allowed
            prefix.append(pool[rng.integers(len(pool))])
        if g.mask(prefix, columns(g)) == ():
            stack = []
            for token in reversed([0.5 if t == CONST else t for t in prefix]):
                arity = token.arity if isinstance(token, Op) else 0
                stack.append((*itertools.chain(*(stack.pop() for _ in range(arity))), token))
            assert g.contains(Expr(stack[0]), columns(g))
            written += 1
    assert written > 20


def test_mask_of_an_ambiguous_grammar_is_fast():
    """k readings per operand would be k**depth stacks; the chart stays small."""
    g = Grammar.parse("e : e + e | f + f | e + f | f + e | VAR \n f : e | e * e | f + f")
    prefix = [OPS["add"]] * 150
    assert set(g.mask(prefix, ["x"])) == {OPS["add"], OPS["mul"], "x"}


# conditioning -------------------------------------------------------------------------------------------------------------
@every
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_condition_keeps_everything_possible(grammar, data):
    keys = st.integers(0, len(grammar.productions) - 1) | st.sampled_from(sorted(op.name for op in grammar.operators))
    weights = data.draw(st.dictionaries(keys, st.just(0.0) | st.floats(0, 1e6), max_size=9))
    mix = data.draw(st.floats(0.01, 1))
    new = grammar.condition(weights, mix)
    for lhs, rule in grammar.rules.items():
        total = sum(p.weight for p in rule)
        assert sum(p.weight for p in new.rules[lhs]) == pytest.approx(total)
        for old, p in zip(rule, new.rules[lhs], strict=True):
            assert (old.template, old.cost) == (p.template, p.cost)
            assert p.weight >= 0.999 * mix * old.weight > 0


def test_condition_moves_weight():
    g = Grammar.parse("e : e + e @ 3 | sin(e) | cos(e) | VAR | CONST | f \n f : INT @ 2 | f * x @ 2")
    weights = [p.weight for p in g.condition({"sin": 3, "f": 0, 3: 4}, 0.5).productions]
    assert weights == pytest.approx([2.5, 1.5, 5 / 6, 11 / 6, 5 / 6, 0.5, 3, 1])  # wanted 3 3 1 4 1 0 of 12, and 2 0 of 2
    assert g.condition({}) == g
    assert g.condition({"INT": 0.0, "f": 0.0}, 1.0) == g
    assert [p.weight for p in g.condition({"VAR": 0.0, 3: 5.0, "x": 9}, 0.1).productions][3] > 1  # an index wins


@pytest.mark.parametrize(("weights", "mix", "message"), [
    ({"sni": 1}, 0.3, "'sni'; did you mean sin"), ({9: 1}, 0.3, "0..1, got 9"), ({"sin": -1}, 0.3, ">= 0"),
    ({"sin": math.nan}, 0.3, "finite"), ({"sin": 1}, 0.0, "mix must be in")])
def test_condition_refuses(weights, mix, message):
    with pytest.raises(ValueError, match=message):
        Grammar.parse("e : sin(e) | VAR").condition(weights, mix)


# the text form --------------------------------------------------------------------------------------------------------------
def template(text: str) -> tuple:
    return Grammar.parse(f"e : {text}").productions[0].template


def test_the_syntax():
    add, mul, neg, power, sin = (OPS[n] for n in ("add", "mul", "neg", "power", "sin"))
    assert template("x + 2*y") == ("x", 2, "y", mul, add)
    assert template('"-" CONST "*" x "^" INT') == (CONST, neg, "x", Integer(-4, 4), power, mul)
    assert template("-2*x") == (-2, "x", mul) and template("-(2)") == (2, neg) and template("-2^x") == (2, "x", power, neg)
    assert template("x**-y**2") == ("x", "y", 2, power, neg, power)
    assert template("INT(-1, 3)") == (Integer(-1, 3),) and template("+.5e1") == (5.0,) and isinstance(template("2.")[0], float)
    assert template(r"`my \` col` + `sin` + `VAR`") == ("my ` col", "sin", add, "VAR", add)
    assert template("pow(x, pi)") == ("x", OPS["pi"], power) and template("arcsin(`e`)") == ("e", OPS["asin"])
    g = Grammar.parse("%start b\n a : VAR # c : d\n | sin(a) @ 2e-1 $ 7\nb : a @ .5 | `a` | c")
    sine = Grammar.parse("sin : sin(sin) | e \n e : VAR")
    assert sine.productions[0].template == (Slot("sin"), sin) and sine.productions[1].is_unit
    assert g.start == "b" and g.variables == ("a", "c") and g.operators == {sin}
    assert [(p.weight, p.cost) for p in g.productions] == [(1, 1), (0.2, 7), (0.5, 0), (1, 1), (1, 1)]
    assert g.productions[2].is_unit and g.productions[3].template == ("a",) and g.min_cost("b") == 1


@given(st.text(min_size=1), st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70), st.floats(1e-9, 1e9))
def test_any_name_and_number_prints_and_parses(name, number, integer, weight):
    g = Grammar("g", "a", (
        Production("a", (name, number, OPS["power"], integer, OPS["sub"]), weight, 3), Production("a", (integer,)),
        Production("a", (number, OPS["neg"], Integer(integer, integer + 3), OPS["max"]))))
    again = Grammar.parse(str(g), "g")
    assert again == g and typed(again) == typed(g)


def test_productions_are_grouped_by_nonterminal():
    rows = [Production("a", (Slot("b"), OPS["sin"])), Production("b", (VAR,)), Production("a", ("x",))]
    g = Grammar("g", "a", tuple(rows))
    assert g.productions == (rows[0], rows[2], rows[1])


# errors -----------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "line", "column", "message"), [
    ("", 1, 1, "a rule (name : ...) was expected, found the end of the text"),
    ("a : x y", 1, 7, "an operator (+ - * / ^)"),
    ("a : x\n  | (x + ", 2, 10, "an expression was expected, found the end of the text"),
    ("a : x\n  | * y", 2, 5, "an expression"),
    ("a : x & y", 1, 7, "found '&'"),
    ("a :\n b : y", 2, 2, "an expression was expected, found 'b'"),
    ("a x", 1, 1, "a rule (name : ...)"),
    ("a : sni(x)", 1, 5, "'sni'; did you mean sin"),
    ("a : x | b(x)\nb : y", 1, 9, "a nonterminal takes no arguments"),
    ("a : x | sin(x, y)", 1, 9, "sin expects 1 argument(s), found 2"),
    ("a : x | sin", 1, 9, "write sin(...)"),
    ("a : x | 1e999", 1, 9, "finite"),
    ("a : nan", 1, 5, "finite"),
    ("a : INT(3)", 1, 5, "two whole numbers"),
    ("a : INT(3, 1)", 1, 5, "low <= high"),
    ("a : x\n  | y @ 0", 2, 5, "above 0, got @ 0"),
    ("a : x\n  | y @ -1", 2, 5, "above 0, got @ -1"),
    ("a : x $ 0", 1, 7, "whole number >= 1, got $ 0"),
    ("a : x $ -2", 1, 7, "got $ -2"),
    ("a : x $ 1.5", 1, 7, "got $ 1.5"),
    ("a : b $ 2\nb : x", 1, 5, "must cost 0"),
    ("a : x | b\nb : sin(b)", 2, 5, "'b' cannot terminate"),
    ("a : x\nb : y", 2, 5, "'b' is never used"),
    ("a : b | x\nb : c\nc : a", 1, 5, "circle"),
    ("a : x | a", 1, 9, "circle"),
    ("a : x | y | x", 1, 13, "twice"),
    ("a : x\na : y", 2, 1, "'a' has one on line 1"),
    ("VAR : x", 1, 7, "got 'VAR'"),
    ("e : x + E", 1, 5, "the constant 'e' cannot be used beside"),
    ("%start b a : x", 1, 8, "start 'b'"),
    ("%start a %start a a : x", 1, 17, "one %start"),
    ("%start a", 1, 1, "a rule"),
])
def test_errors_name_the_place(text, line, column, message):
    with pytest.raises(GrammarError) as caught:
        Grammar.parse(text, "file")
    error = caught.value
    assert message in str(error)
    assert (error.file, error.line, error.column) == ("file", line, column)
    assert str(error).startswith(f"file:{line}:{column}: ")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(("production", "message"), [
    (Production("a", (Slot("b"), OPS["sin"])), "none for 'b'"), (Production("a", ("x", "y")), "one postfix expression"),
    (Production("a", (None,)), "got None"), (Production("a", (math.inf,)), "finite"), (Production("a", ("x",), cost=-3), ">= 1"),
    (Production("a", ("x",), math.nan), "weight")])
def test_errors_of_grammars_made_in_python(production, message):
    with pytest.raises(GrammarError, match=message):
        Grammar("g", "a", (production, Production("a", (VAR,))))


def test_load(tmp_path):
    path = tmp_path / "own.g"
    path.write_text("# mine\na : x |\n")
    with pytest.raises(GrammarError, match=r"own.g:2:8|own.g:3:1") as caught:
        Grammar.load(path)
    assert caught.value.file == str(path)
    path.write_text("a : x | é\n", encoding="utf-8")
    g = Grammar.load(str(path))
    assert g.name == "own" and g.variables == ("x", "é") and Grammar.load(g) is g
    with pytest.raises(GrammarError, match=r"arithmetic, constants, dynamics, elementary.*did you mean elementary"):
        Grammar.load("elementery")
    with pytest.raises(GrammarError, match="none at 'nowhere.g'"):
        Grammar.load("nowhere.g")


def test_the_columns_must_fit():
    g = Grammar.parse("a : innr + x | VAR")
    calls = [lambda n: g.sample(np.random.default_rng(), n), lambda n: g.count(3, n), lambda n: list(g.enumerate(n, 3)),
             lambda n: g.mask([], n), lambda n: g.log_prob(Expr.var("x"), n)]
    for call in calls:
        with pytest.raises(ValueError, match=r"\['innr'\] are not among \['x', 'inner'\]; did you mean inner"):
            call(["x", "inner"])
        assert call(["x", "innr"]) is not None
    with pytest.raises(ValueError, match="at least one column"):
        Grammar.load("arithmetic").count(3, [])
    with pytest.raises(ValueError, match="max_complexity >= 3, got 2"):
        Grammar.parse("a : VAR + VAR").sample(np.random.default_rng(), ["x"], 2)


def test_sampling_is_reproducible():
    g = Grammar.load("physics")
    first, second = ([g.sample(rng, NAMES) for _ in range(30)] for rng in (np.random.default_rng(8), np.random.default_rng(8)))
    assert first == second and len(set(first)) > 10
    assert all(op.code >= FIRST_OP for op in g.operators)
