"""Exact values, exact graph invariants, and tables of them."""

import math
from fractions import Fraction
from itertools import combinations, product

import mpmath
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symnum.conjecture.objects.exact import Column, combine, exact_value, rational, sign, square_root
from symnum.conjecture.objects.graph_families import all_graphs, small_graphs
from symnum.conjecture.objects.graphs import INVARIANTS, PROPERTIES
from symnum.conjecture.objects.invariants import ObjectTable, measure
from symnum.conjecture.objects.small_graph import MAX_ORDER, SmallGraph
from symnum.language.expr import Expr

fractions = st.fractions(min_value=-50, max_value=50, max_denominator=12)


# exact values ------------------------------------------------------------------------------------------------------------
@settings(max_examples=60, deadline=None)
@given(st.lists(fractions, min_size=4, max_size=4), st.lists(st.integers(1, 60), min_size=3, max_size=3))
def test_signs_agree_with_many_digits(weights, under):
    """The sign of a + b√p + c√q + d log r is that of its 60-digit value."""
    a, b, c, d = weights
    row = {"a": a, "b": b, "c": c, "d": d, "p": under[0], "q": under[1], "r": under[2]}
    value = exact_value(Expr.parse("a + b*sqrt(p) + c*sqrt(q) + d*log(r)"), row)
    with mpmath.workdps(60):
        parts = [mpmath.mpf(w.numerator) / w.denominator for w in weights]
        real = parts[0] + parts[1] * mpmath.sqrt(under[0]) + parts[2] * mpmath.sqrt(under[1]) + parts[3] * mpmath.log(under[2])
        expected = 0 if abs(real) < mpmath.mpf(10) ** -50 else int(mpmath.sign(real))
    assert sign(value) == expected
    assert Column.of([value]).signs().tolist() == [expected]


@pytest.mark.parametrize("text", ["sqrt(8) - 2*sqrt(2)", "log(12) - 2*log(2) - log(3)", "sqrt(2)*sqrt(3) - sqrt(6)", "sqrt(1/4) - 1/2",
                                  "log(1)", "(1 + sqrt(5))^2 - 6 - 2*sqrt(5)", "2^3 - 8", "min(3, 2) - max(1, 2)", "abs(0-3) - 3"])
def test_zero_is_recognised(text):
    try:
        value = exact_value(Expr.parse(text), {})
    except ValueError as error:
        assert "below an exponent" in str(error)  # sums of roots are not raised to powers
        return
    assert value == {}


def test_nearly_equal_is_not_equal():
    near = exact_value(Expr.parse("sqrt(10^12 + 1) - 10^6"), {})
    assert sign(near) == 1
    column = Column.of([near, rational(0), square_root(Fraction(2))])
    assert column.signs().tolist() == [1, 0, 1]


@pytest.mark.parametrize(("text", "message"), [
    ("sin(x)", "one of the operators"), ("x + 2.5", "integers, rationals"), ("log(x)*log(x)", "multiplied by rationals"),
    ("sqrt(sqrt(x))", "a rational was required under sqrt"), ("x^(1/3)", "integer exponent"), ("x^99", "integer exponent"),
    ("sqrt(x*10^16*10^16)", "10\\^30"),
])
def test_what_has_no_exact_rule_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        exact_value(Expr.parse(text), {"x": 7})


@pytest.mark.parametrize("text", ["1/(x - 7)", "sqrt(x - 8)", "log(x - 7)", "(x - 7)^(0-1)", "y"])
def test_undefined_is_none(text):
    assert exact_value(Expr.parse(text), {"x": 7, "y": None}) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(fractions, fractions, st.integers(-10**40, 10**40)), min_size=1, max_size=6), st.integers(-9, 9), fractions)
def test_combine_is_exact(rows, weight, constant):
    """Also beyond 64 bits."""
    columns = [Column.of([rational(r[j]) for r in rows]) for j in range(3)]
    total = combine([weight, 3, -1], columns, constant)
    for i, (a, b, c) in enumerate(rows):
        expected = weight * a + 3 * b - c + constant
        assert total.row(i) == rational(expected)
        assert total.signs()[i] == (expected > 0) - (expected < 0)
        assert math.isclose(total.floats()[i], float(expected), rel_tol=1e-9, abs_tol=1e-9)


# graphs ------------------------------------------------------------------------------------------------------------------
def _subsets(n):
    return (set(c) for k in range(n + 1) for c in combinations(range(n), k))


def _brute(g):
    """Slow definitions."""
    n = len(g)
    closed = {v: {v, *g[v]} for v in g}
    independent = [s for s in _subsets(n) if not any(g.has_edge(*e) for e in combinations(s, 2))]

    def forces(s):
        s = set(s)
        while new := [next(iter(w)) for v in s if len(w := set(g[v]) - s) == 1]:
            s |= set(new)
        return len(s) == n

    return {
        "independence_number": max(map(len, independent)),
        "clique_number": max(len(s) for s in _subsets(n) if all(g.has_edge(*e) for e in combinations(s, 2))),
        "domination_number": min(len(s) for s in _subsets(n) if set().union(*(closed[v] for v in s)) == set(g)),
        "total_domination_number": min((len(s) for s in _subsets(n) if set().union(*(g[v] for v in s)) == set(g)), default=None),
        "independent_domination_number": min(len(s) for s in independent if set().union(*(closed[v] for v in s)) == set(g)),
        "chromatic_number": next(k for k in range(1, n + 1)
                                 if any(all(c[u] != c[v] for u, v in g.edges) for c in product(range(k), repeat=n))),
        "zero_forcing_number": next(len(s) for s in _subsets(n) if forces(s)),
        "vertex_cover_number": min(len(s) for s in _subsets(n) if all(u in s or v in s for u, v in g.edges)),
        "triangles": sum(nx.triangles(g).values()) // 3,
        "cut_vertices": len(set(nx.articulation_points(g))),
        "diameter": nx.diameter(g) if nx.is_connected(g) else None,
        "radius": nx.radius(g) if nx.is_connected(g) else None,
        "wiener_index": nx.wiener_index(g) if nx.is_connected(g) else None,
        "cycle_rank": g.number_of_edges() - n + nx.number_connected_components(g),
        "spanning_trees": round(nx.number_of_spanning_trees(g)) if n > 1 else 1,
    }


@pytest.mark.parametrize("index", [*range(1, 53), 77, 105, 137, 172, 199, 208])
def test_invariants_against_definitions(index):
    """All graphs with up to five vertices (disconnected ones too) and some with six."""
    graph = nx.graph_atlas(index)
    small = SmallGraph.of(graph)
    for name, expected in _brute(graph).items():
        assert INVARIANTS[name](small) == expected, name


def test_known_values():
    """Petersen graph and 4-cube, as in the tables of the literature."""
    petersen, cube = SmallGraph.of(nx.petersen_graph()), SmallGraph.of(nx.hypercube_graph(4))
    for name, value in {"independence_number": 4, "matching_number": 5, "chromatic_number": 3, "domination_number": 3, "girth": 5,
                        "total_domination_number": 4, "zero_forcing_number": 5, "spanning_trees": 2000, "vertex_connectivity": 3,
                        "residue": 3, "annihilation_number": 5, "average_degree": 3, "harmonic_index": 5}.items():
        assert measure(name, petersen) == value, name
    assert measure("zero_forcing_number", cube) == 8
    assert measure("spanning_trees", cube) == 42467328
    assert [p for p in PROPERTIES if measure(p, petersen)] == [
        "connected", "nontrivial", "cyclic", "regular", "cubic", "subcubic", "triangle_free", "two_connected"]


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 8), st.randoms(use_true_random=False))
def test_invariants_do_not_depend_on_the_order_of_vertices(n, random):
    graph = nx.gnp_random_graph(n, 0.5, seed=random.randrange(10**6))
    places = list(range(n))
    random.shuffle(places)
    shuffled = nx.Graph()
    shuffled.add_nodes_from(places)
    shuffled.add_edges_from(graph.edges)
    a, c = SmallGraph.of(graph), SmallGraph.of(shuffled)
    for name, function in {**INVARIANTS, **PROPERTIES}.items():
        assert function(a) == function(c), name
        value = function(c)
        assert value is None or isinstance(value, bool | int | Fraction)


@pytest.mark.parametrize("graph", [nx.DiGraph([(0, 1)]), nx.MultiGraph([(0, 1), (0, 1)]), nx.Graph([(0, 0)]), nx.Graph(),
                                   nx.path_graph(MAX_ORDER + 1)])
def test_graphs_that_are_refused(graph):
    with pytest.raises(ValueError, match="was required"):
        SmallGraph.of(graph)


def test_families():
    """Connected, no two alike, within the size that is allowed; all connected graphs to order 7 (1, 2, 6, 21, 112, 853)."""
    graphs = all_graphs()
    orders = [g.order for g in graphs]
    assert [orders.count(n) for n in range(2, 8)] == [1, 2, 6, 21, 112, 853]
    assert all(g.eccentricities for g in graphs)
    assert len({g.name for g in graphs}) == len(graphs)
    assert {g.name for g in small_graphs()} <= {g.name for g in graphs} | {g.name for g in small_graphs() if g.order > 7}
    assert sum(measure("tree", g) for g in graphs if g.order == 10) == 106


# tables ------------------------------------------------------------------------------------------------------------------
def _write(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_read(tmp_path):
    path = _write(tmp_path, "\ufeffknot;Übergänge;c;alternating;note;one\n3_1;1/2;3.0;true;x;7\n\n4_1;-4;4;False;y;7\n")
    table = ObjectTable.read(path, noun="knot")
    assert table.objects == ("3_1", "4_1")
    assert dict(table.invariants) == {"Übergänge": (Fraction(1, 2), -4), "c": (3, 4)}
    assert table.properties["alternating"].tolist() == [True, False]
    assert table.notes == ("note is text: not used", "one is 7 on every row: not used")


@pytest.mark.parametrize(("text", "message"), [
    ("", "nothing"), ("a,b\n", "names only"), ("a,a\n1,2\n", "twice"), ("a,\n1,2\n", "column 2"), ("a,b\n1\n", "row 1 .* has 1"),
    ("a,b\n1,nan\n", "column 'b', row 1, got 'nan'"), ("a,b\n1,\n", "column 'b', row 1"), ("a,b\n1,inf\n", "got 'inf'"),
    ("a,b\n1,0.3333\n", "which may be rounded"), ("a,b\n1,2\n1,true\n", "it has both"), ("a,b\n1,2\nx,3\n", "column 'a', row 2, got 'x'"),
    ("a,b\n1,1/0\n", "a number was required"), ("a,b\n1," + "9" * 5000 + "\n", "5000 digits"), ("a,b\n1,1e200\n", "10\\^100"),
    (b"a,b\n\xff,1\n", "UTF-8"), ("a,b\n1,2,3\n", "row 1 .* has 3"), ('a,b\n1,"2\n', None),
])
def test_tables_that_are_refused(tmp_path, text, message):
    path = _write(tmp_path, text)
    if message is None:  # an open quotation mark is forgiven by the csv module
        assert len(ObjectTable.read(path)) == 1
        return
    with pytest.raises(ValueError, match=message):
        ObjectTable.read(path)


def test_read_refuses_folders_and_missing_files(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        ObjectTable.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        ObjectTable.read(tmp_path / "none.csv")


def test_decimals_where_they_are_exact(tmp_path):
    table = ObjectTable.read(_write(tmp_path, "a\n0.25\n1e-2\n"), decimals=True)
    assert table.invariants["a"] == (Fraction(1, 4), Fraction(1, 100))


@pytest.mark.parametrize("columns", [
    {}, {"a": []}, {"a": [1, 2], "b": [1]}, {"a": [1.5]}, {"a": [float("nan")]}, {"a": ["1"]}, {"": [1]}, {3: [1]}, {"a": [True, 1]},
    {"a": [10**101, 1]}, {"a": [1, 1j]},
])
def test_columns_that_are_refused(columns):
    with pytest.raises(ValueError, match="required"):
        ObjectTable.of(columns)


def test_numpy_integers_are_taken():
    table = ObjectTable.of({"a": np.arange(3), "b": np.array([True, False, True])})
    assert table.invariants["a"] == (0, 1, 2)
    assert [type(v) for v in table.columns["b"]] == [bool] * 3


def test_unknown_names_say_what_was_meant():
    with pytest.raises(ValueError, match="did you mean order"):
        ObjectTable.of_graphs([nx.path_graph(3)], ["ordr"])
    with pytest.raises(ValueError, match="at least one graph"):
        ObjectTable.of_graphs([])
    with pytest.raises(ValueError, match="did you mean odd"):
        ObjectTable.of({"n": [1, 2], "odd": [True, False]}).holds(["ood"])


def test_extended():
    table = ObjectTable.of_graphs([nx.path_graph(3), nx.path_graph(4)], ["order", "girth"])
    assert list(table.invariants) == ["order"]
    wider = table.extended([SmallGraph.of(nx.cycle_graph(5)), SmallGraph.of(nx.cycle_graph(6))])
    assert wider.invariants["girth"] == (None, None, 5, 6)
    assert not wider.column(Expr.var("girth")).defined[:2].any()
