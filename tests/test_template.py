"""Templates: what is read, what is refused, that grammar and parts agree, and that the parts of a law are found."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.discovery import discover
from symnum.estimator import SymbolicRegressor
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar, GrammarError
from symnum.language.rules import compile_rules
from symnum.language.template import Template, category_columns, language
from symnum.problem.categories import coded, indicators, read_with_categories, with_indicators
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import DataError, as_table
from symnum.testing import properties

COLUMNS = ["x0", "x1", "length", "my col"]
RNG = np.random.default_rng(5)


def test_a_template_is_a_grammar():
    grammar = Template.parse("sin(f(x0)) + g(x1, `my col`)*length - 2*x0", COLUMNS, "arithmetic").grammar
    assert str(grammar).startswith("template : sin(f) + g*length - 2*x0\nf : f + f @ 4")
    assert {s for p in grammar.rules["f"] for s in p.template if isinstance(s, str)} == {"x0"}
    assert {s for p in grammar.rules["g"] for s in p.template if isinstance(s, str)} == {"x1", "my col"}
    for text, inside in (("sin(x0 + x0) + x1*length - 2*x0", True), ("sin(x1) + x1*length - 2*x0", False),
                         ("sin(x0) + 1.5*length - 2*x0", True), ("sin(x0) + x1*length - 3*x0", False)):
        assert grammar.contains(Expr.parse(text), COLUMNS) is inside, text


def test_weights_and_nonterminals_of_a_base_are_kept():
    base = Grammar.parse("e : e + e @ 3 | sin(a) | VAR @ 6\na : CONST * VAR | VAR ^ INT(2, 3) $ 2 | length")
    grammar = Template.parse("f(x0, x1) + g(length)", COLUMNS, base).grammar
    assert str(grammar).splitlines()[1:8] == [
        "f : f + f @ 3", "  | sin(f__a)", "  | x0 @ 3", "  | x1 @ 3", "f__a : CONST*x0 @ 0.5", "     | CONST*x1 @ 0.5",
        "     | x0^INT(2, 3) @ 0.5 $ 2"]
    assert any(p.lhs == "g__a" and p.template == ("length",) for p in grammar.productions)
    assert not any(p.lhs == "f__a" and p.template == ("length",) for p in grammar.productions)  # not a column of f


@properties(100)
@given(st.integers(0, 10**6), st.sampled_from(["arithmetic", "elementary", "physics", "rational"]))
def test_every_draw_is_read_back_into_its_parts(seed, base):
    template = Template.parse("exp(-f(x0))*p + sqrt(g(x1, length)) + q[site]", [*COLUMNS, "site=a", "site=b"], base, {"site": ["a", "b"]})
    names = [*COLUMNS, "site=a", "site=b"]
    expr = template.grammar.sample(np.random.default_rng(seed), names, 40)
    parts = template.parts(expr)
    assert list(parts) == ["f", "p", "g", "q"]
    assert set(parts["f"].variables) <= {"x0"} and set(parts["g"].variables) <= {"x1", "length"}
    assert (parts["p"], *parts["q"].values()) == (template_constants(expr, parts)[0], *template_constants(expr, parts)[1:])
    rebuilt = Expr.parse("exp(-(f))*p + sqrt(g) + q").substitute({
        "f": parts["f"], "g": parts["g"], "p": parts["p"],
        "q": Expr.parse(f"({parts['q']['a']!r}*`site=a`) + ({parts['q']['b']!r}*`site=b`)")})
    X = np.abs(np.random.default_rng(1).normal(size=(20, 6)))
    table = dict(zip(names, X.T, strict=True))
    np.testing.assert_allclose(rebuilt(table), expr(table), rtol=1e-9, atol=1e-300, equal_nan=True)
    assert compile_rules(template.grammar, names).complexity(Batch.pack([expr], names))[0] > 0


def template_constants(expr, parts):
    """The template's own constants, by position: those that are in neither function."""
    inner = len(parts["f"].constants)
    rest = list(expr.constants)
    return rest[inner], *rest[-2:]


def test_parts_of_something_else_are_none():
    template = Template.parse("sin(f(x0)) + p", COLUMNS, "arithmetic")
    for text in ("cos(x0) + 1.5", "sin(x0) + 2", "x0", "sin(x0) - 1.5", "(sin(x0) + 1.5)*x1"):
        assert template.parts(Expr.parse(text)) is None and template.lines(Expr.parse(text)) == []
    assert template.lines(Expr.parse("sin(x0*1.23456789) + 2.5")) == ["template: sin(f(x0)) + p", "  f(x0) = 1.23457*x0", "  p = 2.5"]


def test_a_constant_by_category_costs_as_one():
    many = {"site": [f"s{i}" for i in range(30)]}
    names = ["x0", *(f"site=s{i}" for i in range(30))]
    grammar = Template.parse("p[site]*x0", names, "arithmetic", many).grammar
    assert grammar.min_cost("template") == 4  # p, site, *, x0
    assert category_columns("p[site]*exp(-q[`a b`]*x0) + sin(f(x0))*r[site]") == ("site", "a b")


@pytest.mark.parametrize(("text", "problem"), [
    ("", "a template such as"),
    (None, "a template such as"),
    ("f(x0) + f(x1)", "'f' is used again"),
    ("p*x0 + p", "'p' is used again"),
    ("p*sin(p(x0))", "'p' is used again"),
    ("p[site]*p", "'p' is used again"),
    ("f(x0)*f", "'f' is used again"),
    ("f(z)", "'z' is none"),
    ("f()", "needs the columns"),
    ("f(x0 + 1)", "take columns only"),
    ("f(g(x0))", "take columns only"),
    ("x0(x1)", "cannot be the name"),
    ("exp[site]", "cannot be the name"),
    ("p[x0]*x0", "categorical"),
    ("site*x0", "required, got 'site'"),
    ("lenght*x0", "did you mean length"),
    ("Q*x0", "lower-case name"),
    ("sin(x0", "end of the text"),
    ("x0 | x1", "belong to grammar files"),
    ("x0 @ 3", "belong to grammar files"),
    ("x0 + ", "expected"),
])
def test_refusals(text, problem):
    with pytest.raises(GrammarError, match=problem):
        Template.parse(text, COLUMNS, "arithmetic", {"site": ["a", "b"]})


def test_language_refuses_a_grammar_beside_operators():
    with pytest.raises(GrammarError, match="got both"):
        language(["x0"], "physics", operators="+ *")
    found = language(["x0", "x1"], operators="+ *", known=["exp(x0)"], template="f(x0)*g(x1)")
    assert isinstance(found, Template)
    assert any(p.lhs == "f" and len(p.template) == 2 for p in found.grammar.productions)  # exp(x0), known to f
    assert not any(p.lhs == "g" and len(p.template) == 2 for p in found.grammar.productions)  # but not of g's columns


# categories ---------------------------------------------------------------------------------------------------------------
def test_indicators():
    table = as_table(np.array([[0, 1.5], [1, 2.5], [0, 3.5]]), [1, 2, 3], names=["site", "x"])
    named = with_indicators(table, "site", ["north", "south"])
    assert named.names == ("x", "site=north", "site=south") and named.X.tolist() == [[1.5, 1, 0], [2.5, 0, 1], [3.5, 1, 0]]
    assert {k: v.tolist() for k, v in indicators(table.X[:, 0], "site", ["north", "south"]).items()} == {
        "site=north": [1, 0, 1], "site=south": [0, 1, 0]}
    with pytest.raises(DataError, match="did you mean site"):
        with_indicators(table, "sites")
    with pytest.raises(DataError, match="2 to 50 categories"):
        with_indicators(as_table(RNG.normal(size=(60, 1)), RNG.normal(size=60), names=["site"]), "site")


def test_coded():
    frame = pd.DataFrame({"site": ["b", "a", "b"], "x": [1.0, 2.0, 3.0]})
    X, found = coded(frame, ["site"])
    assert found == {"site": ("a", "b")} and X["site"].tolist() == [1, 0, 1] and frame["site"].tolist() == ["b", "a", "b"]
    assert coded(pd.DataFrame({"site": ["a"], "x": [1.0]}), ["site"], found)[0]["site"].tolist() == [0]
    assert coded(np.array([[10.0, 1], [2.0, 2]]), ["x0"])[1] == {"x0": ("2", "10")}  # by number
    assert coded(frame, ())[0] is frame
    for wrong, problem in ((["site"], "there in fit"), (["sites"], "did you mean site")):
        with pytest.raises(DataError, match=problem):
            coded(frame.assign(site=["c", "a", "b"]), wrong, found)
    with pytest.raises(DataError, match="row 1"):
        coded(frame.assign(site=["a", None, "b"]), ["site"])
    with pytest.raises(DataError, match="2 to 50"):
        coded(frame.assign(site="a"), ["site"])


def test_categories_from_a_file(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("x [m],site,y\n1.5,north,1\n2.5, south ,2\n3.5,north,3\n")
    table, found = read_with_categories(path, ["site"], "y")
    assert found == {"site": ("north", "south")} and table.names == ("x", "site=north", "site=south")
    assert table.X[:, 1].tolist() == [1, 0, 1] and table.units == {"x": "m", "site=north": "1", "site=south": "1"}
    with pytest.raises(DataError, match="categorical column must be a further column"):
        read_with_categories(path, ["y"], "y")
    path.write_text("x,site,y\n1.5,north,1\n2.5,,2\n")
    with pytest.raises(DataError, match="got none in row 2"):
        read_with_categories(path, ["site"], "y")


# in a search --------------------------------------------------------------------------------------------------------------
def test_functions_of_a_template_are_found():
    X = RNG.uniform(0.5, 2, (80, 2))
    problem = RegressionProblem.from_table(as_table(X, np.sin(X[:, 0] ** 2) + 3 / X[:, 1]))
    template = Template.parse("sin(f(x0)) + p/x1", problem.names, "arithmetic")
    found = discover(problem, template, time_limit=None, max_evaluations=20_000, max_complexity=12, threads=1, seed=0)
    parts = found.template.parts(found.best.expr)
    assert str(parts["f"].simplify()) == "x0^2" and parts["p"] == pytest.approx(3)
    assert "template: sin(f(x0)) + p/x1" in str(found) and found.verdict.r2 > 1 - 1e-9


def test_a_constant_per_category_is_found_and_predicts():
    frame = pd.DataFrame({"t": RNG.uniform(0, 3, 90), "site": RNG.choice(["north", "south", "west"], 90)})
    truth = {"north": 2.0, "south": 3.25, "west": -1.5}
    y = frame["site"].map(truth).to_numpy() * np.exp(-0.5 * frame["t"].to_numpy())
    model = SymbolicRegressor(template="p[site]*exp(-q*t)", max_evaluations=5_000, time_limit=None, random_state=0, n_jobs=1).fit(frame, y)
    assert model.parts_["p"] == pytest.approx(truth) and model.parts_["q"] == pytest.approx(0.5)
    assert model.feature_names_in_.tolist() == ["t", "site"]
    np.testing.assert_allclose(model.predict(frame.iloc[:5]), y[:5], rtol=1e-6)
    with pytest.raises(DataError, match="there in fit"):
        model.predict(frame.assign(site="east"))
    assert "p: north = 2, south = 3.25, west = -1.5" in str(model.discovery_)
