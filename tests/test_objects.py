"""Conjectures over tables: the loop, statements, counterexamples, theorems and the command."""

import json

import networkx as nx
import pytest
import typer
from typer.testing import CliRunner

from symnum.commands.objects import register
from symnum.conjecture.objects.bound import Bound
from symnum.conjecture.objects.counterexample import search
from symnum.conjecture.objects.exact import exact_value, sign
from symnum.conjecture.objects.graph_families import all_graphs, small_graphs
from symnum.conjecture.objects.invariants import ObjectTable, measure
from symnum.conjecture.objects.objects import conjecture_bounds
from symnum.conjecture.objects.small_graph import SmallGraph
from symnum.conjecture.objects.theorems import Theorem, proves, read, shipped
from symnum.language.expr import Expr


@pytest.fixture(scope="module")
def found():
    """Bounds on the independence number by a few invariants, tried against the shipped graphs only."""
    names = ["order", "matching_number", "residue", "radius", "vertex_cover_number"]
    return conjecture_bounds(
        None, "independence_number", invariants=names, hypotheses=[["bipartite"], ["tree"]], limit=6, tries=0, theorems=shipped())


def test_theorems_are_rediscovered(found):
    """Favaron, Mahéo and Saclé; Gallai; Kőnig (an equality, for bipartite graphs)."""
    known = {b.formula: b for b in found if b.status == "known"}
    assert "independence_number = order - vertex_cover_number" in known
    assert "independence_number >= residue" in known
    assert "independence_number <= order - matching_number" in known
    assert known["independence_number = order - matching_number"].hypothesis[-1] == "bipartite"
    assert "Favaron" in known["independence_number >= residue"].reason


def test_what_stands_holds_everywhere(found):
    table = found.table
    for b in found:
        assert b.refute(all_graphs()[::3]) is None
        applies = [g for g in table.graphs if all(measure(p, g) for p in b.hypothesis)]
        assert len(applies) == b.rows
        assert sum(b.slack(g) == {} for g in applies) == b.touches >= 3
        assert set(b.sharp) <= {str(g) for g in applies if b.slack(g) == {}}


def test_what_was_rejected_fails(found):
    assert found.rejected
    for b in found.rejected:
        assert b.status == "rejected" and str(b.counterexample) == b.reason
        assert b.holds(b.counterexample) is False
        assert b.counterexample in found.table.graphs


def test_statements(found):
    text = {b.formula: b for b in found}["independence_number >= residue"]
    assert str(text).startswith("For every nontrivial connected graph G, α(G) ≥ residue(G), with equality on ")
    assert text.latex() == r"\alpha(G) \ge R(G)"
    assert "theorem bound {V : Type}" in text.lean() and "(G.indepNum : ℝ) ≥ residue G" in text.lean()
    for b in found:
        assert b.lean().count("(") == b.lean().count(")")
        json.dumps(b.document())


def test_one_answer():
    names = ["order", "max_degree", "diameter"]
    runs = [conjecture_bounds(None, "domination_number", invariants=names, limit=5, tries=30) for _ in range(2)]
    assert [str(b) for b in runs[0]] == [str(b) for b in runs[1]]
    assert [b.reason for b in runs[0].rejected] == [b.reason for b in runs[1].rejected]


def test_further_objects_break_bounds():
    """y = n on the table, less beyond it."""
    table = ObjectTable.of({"n": range(1, 13), "y": range(1, 13)})
    further = [{"n": n, "y": 12} for n in range(13, 20)]
    result = conjecture_bounds(table, "y", against=further)
    assert "y = n" in {b.formula for b in result.rejected}
    assert all(b.refute(further) is None for b in result)
    assert len(result.table) > 12
    with pytest.raises(ValueError, match="y missing"):
        conjecture_bounds(table, "y", against=[{"n": 5}])


def test_quotation_marks_and_unicode_names():
    table = ObjectTable.of({"größe m": [1, 2, 3, 4, 5, 6, 7, 8], "y": [1, 1, 2, 2, 3, 3, 4, 4]}, noun="Ding")
    bound = conjecture_bounds(table, "y", kind="upper").bounds[0]
    assert str(bound) == "For every Ding, y ≤ (größe m + 1)/2, with equality on 4 of 8 objects."
    assert "axiom größe_m (x : Obj) : ℝ" in bound.lean()


@pytest.mark.parametrize(("options", "message"), [
    ({"target": "z"}, "not in the table"), ({"target": "p"}, "is constant, or a property"), ({"target": "one"}, "is constant"),
    ({"target": "y", "invariants": ["m"]}, "not in the table"), ({"target": "y", "hypotheses": [["q"]]}, "property among p"),
    ({"target": "y", "kind": "uper"}, "did you mean upper"), ({"target": "y", "max_terms": 0}, "at least 1 was required for max_terms"),
    ({"target": "y", "limit": -1}, "at least 1"),
])
def test_bad_input(options, message):
    table = ObjectTable.of({"n": [1, 2, 3], "y": [2, 3, 5], "p": [True, False, True], "one": [1, 1, 1]})
    with pytest.raises(ValueError, match=message):
        conjecture_bounds(table, **options)


def test_a_target_that_is_constant_under_a_property():
    numbers = range(1, 21)
    table = ObjectTable.of({"n": numbers, "y": [0 if n % 2 else n // 2 for n in numbers], "odd": [n % 2 == 1 for n in numbers]})
    found = conjecture_bounds(table, "y")
    assert ("y = 0", ("odd",)) in {(b.formula, b.hypothesis) for b in found}


def test_numbers_that_floats_cannot_tell_apart():
    n = [10**40 + k for k in range(12)]
    found = conjecture_bounds(ObjectTable.of({"n": n, "y": [v + 1 for v in n], "k": range(12)}), "y")
    rows = [found.table.row(i) for i in range(12)]
    assert all(b.refute(rows) is None for b in found)


def test_too_few_rows_give_no_bounds():
    assert len(conjecture_bounds(ObjectTable.of({"n": [1, 2], "y": [2, 3]}), "y")) == 0
    assert len(conjecture_bounds(ObjectTable.of({"y": [2, 3, 5]}), "y")) == 0


# counterexamples -----------------------------------------------------------------------------------------------------------
def _bound(relation, right, *hypothesis):
    return Bound("independence_number", relation, Expr.parse(right), ("connected", *hypothesis), "graph", 0, 0, ())


def test_refute_takes_networkx_graphs():
    bound = _bound("<=", "3")
    assert bound.refute([nx.path_graph(4), nx.empty_graph(9)]) is None  # the second is not connected: nothing is said of it
    star = nx.star_graph(4)
    assert bound.refute([nx.path_graph(4), star]) is star
    with pytest.raises(ValueError, match="a value of 'independence_number' was required"):
        bound.refute([{"connected": True}])


@pytest.mark.parametrize(("relation", "right", "hypothesis"), [
    ("<=", "radius + 3", ()), (">=", "order/3", ()), ("<=", "residue", ("tree",)), ("<=", "order/2", ("subcubic",)),
])
def test_local_search_breaks_what_small_graphs_do_not(relation, right, hypothesis):
    """From the graphs with four vertices, within the hypothesis."""
    bound = _bound(relation, right, *hypothesis)

    def slack(graph):
        value = bound.slack(graph)
        return None if value is None else float(sum(value.values())) if sign(value) >= 0 else -1.0

    example = search(slack, [g for g in small_graphs() if g.order == 4], 6000, seed=1)
    assert example is not None and bound.holds(example) is False
    assert all(measure(p, example) for p in bound.hypothesis)


def test_local_search_gives_up_on_theorems():
    bound = _bound(">=", "residue")
    assert search(lambda g: None if (v := bound.slack(g)) is None else float(sum(v.values())), small_graphs()[:5], 200) is None


# theorems ------------------------------------------------------------------------------------------------------------------
def test_shipped_theorems_hold_on_all_shipped_graphs():
    for theorem in shipped():
        needed = theorem.target_names
        difference = theorem.right - theorem.left
        count = 0
        for g in all_graphs()[::2] if "zero_forcing_number" in needed else all_graphs():
            if all(measure(p, g) for p in theorem.hypothesis):
                value = exact_value(difference, {v: measure(v, g) for v in needed})
                if value is not None:
                    count += 1
                    assert value == {} if theorem.relation == "=" else sign(value) >= 0, (theorem, str(g))
        assert count, theorem
        assert theorem.source


@pytest.mark.parametrize(("theorem", "relation", "right", "expected"), [
    ("y <= n/2", "<=", "n/2", True), ("2*y <= n", "<=", "n/2", True), ("n >= 2*y", "<=", "n/2", True), ("y <= n/2", ">=", "n/2", False),
    ("y <= n/2", "<=", "n/3", False), ("y*m <= n", "<=", "n/m", True), ("y >= sqrt(n)", ">=", "sqrt(n)", True),
    ("n = y + m", "=", "n - m", True), ("n <= y + m", "=", "n - m", False), ("y <= n^2/4", "<=", "n*n/4", True),
])
def test_the_same_inequality_is_recognised(theorem, relation, right, expected):
    table = ObjectTable.of({"y": [1, 2], "n": [2, 5], "m": [3, 1]})
    assert proves(Theorem.of(theorem), "y", relation, Expr.parse(right), (), table) is expected


def test_a_theorem_needs_its_properties():
    table = ObjectTable.of({"y": [1, 2], "n": [2, 5], "p": [True, False], "q": [True, False]})
    theorem = Theorem.of("y <= n", ["p"])
    assert not proves(theorem, "y", "<=", Expr.var("n"), (), table)
    assert proves(theorem, "y", "<=", Expr.var("n"), ("p",), table)
    assert proves(theorem, "y", "<=", Expr.var("n"), ("q",), table)  # the same rows
    assert not proves(Theorem.of("y <= n", ["unheard"]), "y", "<=", Expr.var("n"), ("q",), table)


def test_bad_theorems(tmp_path):
    with pytest.raises(ValueError, match="a statement such as"):
        Theorem.of("y < n")
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="the columns statement"):
        read(path)


# the command ---------------------------------------------------------------------------------------------------------------
@pytest.fixture
def command():
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return lambda *arguments: CliRunner().invoke(app, ["bounds", *map(str, arguments)])


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("name,n,half,odd\n" + "".join(f"{n}er,{n},{n // 2},{str(n % 2 == 1).lower()}\n" for n in range(1, 11)))
    return path


def test_command(command, table, tmp_path):
    plain = command(table, "--target", "half", "--noun", "number")
    assert plain.exit_code == 0
    assert "For every number, half ≤ n/2, with equality on 5 of 10 objects." in plain.stdout
    out = tmp_path / "found.json"
    document = json.loads(command(table, "--target", "half", "--json", "--out", out).stdout)
    assert document == json.loads(out.read_text(encoding="utf-8"))
    assert document["bounds"][0]["formula"] == "half <= n/2"
    assert "\\le \\frac{n}{2}" in command(table, "--target", "half", "--latex").stdout
    lean = command(table, "--target", "half", "--lean").stdout
    assert lean.startswith("import Mathlib") and lean.count("axiom n ") == 1 and "theorem bound_2" in lean


def test_command_with_graphs(command):
    result = command("graphs", "--target", "radius", "--invariants", "diameter,order", "--tries", 20, "--json")
    assert result.exit_code == 0
    known = {b["formula"] for b in json.loads(result.stdout)["bounds"] if b["status"] == "known"}
    assert {"radius <= diameter", "radius >= diameter/2"} <= known


@pytest.mark.parametrize(("arguments", "message"), [
    (["--target", "hlaf"], "did you mean half"), (["--target", "half", "--kind", "sideways"], "one of both, upper, lower"),
    (["--target", "half", "--hypothesis", "even"], "a property among odd"), (["--target", "half", "--grammar", "nonsense"], "nonsense"),
    (["--target", "half", "--out", "/nowhere/at/all.json"], "in an existing folder"),
    (["--target", "half", "--against", "none.csv"], "none.csv: No such file"), (["--target", "half", "--noun", " "], "--noun"),
    (["--target", "half", "--out", f"{__file__}/found.json"], "in an existing folder"),
    (["--target", "half", "--invariants", ""], "at least one invariant other than 'half'"),
    (["--target", "half", "--invariants", "half"], "at least one invariant other than 'half'"),
    (["--target", "half", "--lean", "--json"], "one of --json, --lean and --latex"),
])
def test_command_refuses_bad_input(command, table, arguments, message):
    result = command(table, *arguments)
    assert result.exit_code == 2
    assert message in result.output and "Traceback" not in result.output
    assert len(result.stderr.strip().splitlines()) == 1


def test_small_graph_reads_its_graph6():
    graph = SmallGraph.of(nx.petersen_graph())
    assert nx.is_isomorphic(nx.from_graph6_bytes(graph.graph6.encode()), nx.petersen_graph())
