"""Dimensional analysis: groups, columns without a way in, constants' units; and searches that respect units."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum import SymbolicRegressor
from symnum.discovery import discover
from symnum.evaluate import reference
from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.rules import compile_rules
from symnum.language.typed import EXACT, Typing
from symnum.language.units import parse_unit, unit_text
from symnum.problem import dimension
from symnum.problem.reduction import HOLE
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import DataError, as_table, read_table
from symnum.search.base import FORMS, Context, measure
from symnum.search.enumerate import Enumeration
from symnum.search.evolve import Evolution
from symnum.search.front import Front
from symnum.search.parts import combined, random_parts
from symnum.search.vary import affine, breed
from symnum.testing import properties, random_batch

RNG = np.random.default_rng(0)
PIPE = {"rho": "kg/m^3", "v": "m/s", "d": "m", "p": "Pa", "g": "m/s^2"}
X = RNG.uniform(1, 3, (60, 5))
HEAD = X[:, 3] / (X[:, 0] * X[:, 4]) + X[:, 1] ** 2 / (2 * X[:, 4])


def dims_of(*texts: str) -> np.ndarray:
    return np.array([[float(p) for p in parse_unit(t).exponents] for t in texts])


def problem(y=HEAD, target="m", units=PIPE, **options) -> RegressionProblem:
    return RegressionProblem.from_table(as_table(X, y, list(PIPE), units=None if units is None else units | {"y": target}), **options)


def context(grammar="elementary", most=12, **options) -> Context:
    task = problem(**options)
    return Context.of(task, compile_rules(Grammar.load(grammar), task.names), CpuEvaluator(1), most)


# groups -------------------------------------------------------------------------------------------------------------------
def dimension_of(expr: Expr, names, dims) -> np.ndarray:
    """Exponents of a monomial, from its values at other units."""
    base = np.exp(np.eye(7))
    columns = {n: np.prod(base**d, axis=1) for n, d in zip(names, np.asarray(dims, float), strict=True)}
    return np.log(expr(columns) * np.ones(7))


@properties(60)
@given(dims=st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=1, max_size=7),
       powers=st.lists(st.sampled_from([-2, -1, 0, 0, 0.5, 1, 2]), min_size=7, max_size=7))
def test_groups_are_dimensionless_as_many_as_there_must_be_and_independent(dims, powers):
    dims = np.pad(np.array(dims, float), ((0, 0), (0, 4)))
    names, target = [f"x{i}" for i in range(len(dims))], np.array(powers[: len(dims)]) @ dims
    rank, found = np.linalg.matrix_rank(dims), dimension.buckingham(names, dims, target)
    assert (len(dims) > rank or target.any()) <= len(found) <= dimension.ALTERNATIVES
    assert len({(r.columns, r.outer) for r in found}) == len(found)
    for r in found:
        with np.errstate(all="ignore"):
            M = dimension_of(r.outer.substitute({HOLE: Expr.const(1)}), names, dims)
        if len(dims) == rank:  # no group: the target is a function of one product of powers
            assert len(r.columns) == 1 and np.allclose(dimension_of(r.columns[0], names, dims), target, atol=1e-9)
            continue
        assert np.allclose(M, target, atol=1e-9)
        assert len(r.columns) == len(dims) - rank
        exponents = [[np.log(c({m: np.full(1, np.e if m == n else 1.0) for m in names}))[0] for n in names] for c in r.columns]
        assert np.linalg.matrix_rank(np.array(exponents)) == len(r.columns)
        assert np.allclose(exponents @ dims, 0, atol=1e-9) and np.allclose(exponents, np.round(exponents))


def test_reductions_are_simple_various_and_undo_themselves():
    names, units = ["F", "m", "k", "l", "t"], ["N", "kg", "N/m", "m", "s"]
    found = dimension.buckingham(names, dims_of(*units), dims_of("m/s")[0])
    assert len({r.outer for r in found}) > 1 and len({r.columns for r in found}) > 1
    assert str(found[0].outer) == "l/t*`?`" and {str(c) for c in found[0].columns} == {"k*l/F", "k*square(t)/m"}
    data = {n: RNG.uniform(1, 2, 30) for n in names}
    y = data["l"] / data["t"] * np.sin(data["k"] * data["t"] ** 2 / data["m"])
    for r in found:
        u, F = r.apply(data, y)
        assert u.shape == (30, 2) and np.allclose(r.outer(data | {HOLE: F}), y)
    solved = found[0].compose(Expr.parse(f"sin({next(n for n, c in zip(found[0].names, found[0].columns, strict=True) if 't' in str(c))})"))
    assert np.allclose(solved(data), y)


def test_names_of_groups_are_new():
    names = ["pi_1", "pi_1_"]
    assert dimension.buckingham(names, dims_of("m", "m"), dims_of("m")[0])[0].names == ("pi_1__",)


def test_many_columns_are_no_burden():
    dims = dims_of(*(["m", "s", "kg", "m/s", "N", "Pa", "J", "1"] * 13)[:100])
    found = dimension.buckingham([f"x{i}" for i in range(100)], dims, dims_of("W")[0])
    assert len(found[0].columns) == 97


def test_a_target_that_cannot_be_made():
    with pytest.raises(DataError, match=r"\[s\] were required, got l \[m\], m \[kg\]"):
        dimension.buckingham(["l", "m"], dims_of("m", "kg"), dims_of("s")[0])
    fall = as_table([[1], [2], [3]], [5, 20, 45], ["t"], target="h", units={"t": "s", "h": "m"})
    assert "none of them carries length" in dimension.unreachable(fall)
    with pytest.raises(DataError, match="'h' .m. .*length; add the missing quantity"):
        RegressionProblem.from_table(fall, constants="dimensionless")
    assert RegressionProblem.from_table(fall).typing.free and "constants" in RegressionProblem.from_table(fall).config
    with pytest.raises(DataError, match="'sometimes'"):
        RegressionProblem.from_table(fall, constants="sometimes")


def test_columns_without_a_way_in():
    names = ["l", "g", "m", "q"]
    found = dimension.outsiders(names, dims_of("m", "m/s^2", "kg", "A*kg"), dims_of("s")[0])
    assert set(found) == {"m", "q"} and "carries current" in found["q"] and "others do not make it" in found["m"]
    table = as_table(X[:, :3], X[:, 1], ["T", "l", "a"], target="L", units={"T": "K", "l": "m", "a": "1", "L": "m"})
    assert dimension.free_constants(table) and "'T' [K] cannot enter: no other column carries temperature" in dimension.why_free(table)
    assert not dimension.free_constants(table, "dimensionless") and not problem().typing.free


# units of constants ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("formula", "units"), [
    ("4.9*t^2", ["m/s^2"]), ("1.5*sin(2.5*t) + 0.5", ["m", "1/s", "m"]), ("2.5*t^1.5", ["m/s^(3/2)", "1"]), ("sqrt(2.5*t)", ["m^2/s"]),
    ("2.5", ["m"]), ("1.5*t*(2.5 + 3.5*t)", ["m/s^2", "s", "1"]), ("max(2.5*t, 0)", ["m/s"]), ("t + 1.5", None), ("sin(t)*1.5", None),
    ("2.5*sqrt(t)^3", ["m/s^(3/2)"]), ("1.5/t^inv(2)", ["m*s^(1/2)"]), ("1.5*2.5^(3.5*t)", ["m", "1", "1/s"]), ("1.5*t^(t/2.5)", None),
])  # fmt: skip
def test_constants_carry_the_units_that_make_a_formula_consistent(formula, units):
    assert dimension.constant_units(Expr.parse(formula), ["t"], dims_of("s"), dims_of("m")[0]) == units


@properties(8)
@given(seed=st.integers(0, 2**32))
def test_units_of_constants_exist_exactly_where_the_typing_admits_the_formula(seed):
    """And in other units, with the constants converted, the formula gives the same quantity."""
    rng, names, dims = np.random.default_rng(seed), ("x", "t", "n"), dims_of("m", "s", "1")
    batch = random_batch(rng, 150, names, ["add", "mul", "div", "sqrt", "square", "exp", "sub", "abs", "inv"], n_tokens=7, constant=0.5)
    target, sizes = dims_of("m/s")[0], rng.uniform(0.5, 2, 7)
    admitted = Typing(dims, target, free=True).consistent(batch)
    X = rng.uniform(0.5, 2, (3, 3))
    for i, e in enumerate(batch.unpack()):
        units = dimension.constant_units(e, names, dims, target)
        assert (units is not None) == admitted[i], str(e)
        if units is None:
            continue
        moved = e.with_constants(c * np.prod(sizes**d) for c, d in zip(e.constants, dims_of(*units), strict=True))
        with np.errstate(all="ignore"):
            (y, fine), (z, still) = (
                reference.values(Batch.pack([f], names), Z) for f, Z in ((e, X), (moved, X * np.prod(sizes**dims, axis=1))))
        if fine[0] and still[0]:
            assert np.allclose(z, y * np.prod(sizes**target), rtol=1e-6, atol=1e-9), (str(e), units)
    assert admitted.sum() > 3


# what may be given -----------------------------------------------------------------------------------------------------------
def test_the_target_s_unit_is_under_its_name_or_y():
    for name in ("E", "y"):
        table = as_table([[1, 2], [2, 5]], [1, 2], ["m", "v"], target="E", units={"m": "kg", "v": "m/s", name: "J"})
        assert dimension.of_table(table)[1].tolist() == [1, 2, -2, 0, 0, 0, 0]
    assert dimension.of_table(as_table([[1], [2]], [1, 2], ["y"], target="E", units={"y": "kg"})) is None


@pytest.mark.parametrize(("units", "part"), [
    ({"m": "kg", "vv": "m/s"}, "'vv', which is none; did you mean v"), ({"m": "kgg"}, "column 'm', got \\[kgg\\]"),
    ({"v": 3}, "column 'v', got 3"), ({"v": "degC"}, "column 'v'.*kelvin"), ({"E": "J/"}, "column 'E'"),
])  # fmt: skip
def test_wrong_units_name_the_column(units, part):
    with pytest.raises(DataError, match=part):
        as_table([[1, 2], [2, 5]], [1, 2], ["m", "v"], target="E", units=units)


def test_units_that_restrict_nothing_are_noted():
    notes = as_table([[1, 2], [2, 5]], [1, 2], ["m", "v"], target="E", units={"m": "kg"}).notes
    assert "v, E" in notes[0] and "write 1" in notes[0]
    assert as_table([[1, 2], [2, 5]], [1, 2], ["m", "v"]).notes == ()
    notes = as_table([[1, 2], [2, 5]], [1, 2], ["m", "v"], target="E", units={"m": "km", "v": "m", "E": "m"}).notes
    assert len(notes) == 1 and "different systems" in notes[0]


def test_units_from_a_file_go_before_those_in_the_names(tmp_path):
    data, csv, json = tmp_path / "t.csv", tmp_path / "u.csv", tmp_path / "u.json"
    data.write_text("mass [kg],v [m/ss],E\n1,2,2\n2,5,25\n3,4,24\n")
    with pytest.raises(DataError, match="column 'v', got .m/ss.*units='none'"):
        read_table(data, "E")
    assert dict(read_table(data, "E", units="none").units) == {}
    csv.write_text("name,unit\nv, m/s\nE,J\n")
    json.write_text('{"v": "m/s", "E": "J"}')
    for file in (csv, json):
        assert dict(read_table(data, "E", units=file).units) == {"mass": "kg", "v": "m/s", "E": "J"}
    assert dict(read_table(data, "E", ["mass"]).units) == {"mass": "kg"}  # what is not used is not looked at


@pytest.mark.parametrize(("name", "text", "part"), [
    ("u.json", "[1]", "got a list"), ("u.json", "{", "json object"), ("u.csv", "v\n", "got 'v'"), ("u.csv", "v,m\nv,s\n", "v twice"),
    ("u.csv", "w,m\n", "'w', which is none"), ("u.json", '{"v": 1}', "got 1"),
])  # fmt: skip
def test_a_file_that_holds_no_units_is_refused(tmp_path, name, text, part):
    (tmp_path / "t.csv").write_text("v,E\n1,2\n2,5\n")
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=part):
        read_table(tmp_path / "t.csv", "E", units=tmp_path / name)
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "t.csv", "E", units=tmp_path / "none.csv")


# the searches ---------------------------------------------------------------------------------------------------------------
def told(limited: Context, chunks: int = 10**6) -> Batch:
    rng, search, batches = np.random.default_rng(0), Enumeration(), []
    state = search.start(limited, rng)
    for _ in range(chunks):
        state, batch = search.ask(limited, state, 1000, rng)
        if state.finished:
            break
        batches.append(batch)
    return Batch.concatenate(batches)


def keys(batch: Batch, rows: np.ndarray) -> set[bytes]:
    with np.errstate(all="ignore"):
        y, ok = reference.values(batch, rows)
    return {np.array([float(f"{v:.9e}") for v in row]).tobytes() for row in y[ok]}


def test_enumeration_tells_every_consistent_function_and_no_other():
    grammar, names = Grammar.parse("e : e + e | e * e | e / e | square(e) | VAR"), list(PIPE)
    task = problem()
    limited = Context.of(task, compile_rules(grammar, names), CpuEvaluator(1), 6)
    found = told(limited)
    assert (limited.admissible(found) > 0).all() and not limited.scaled
    wanted = Batch.pack([e for c in range(1, 7) for e in grammar.enumerate(names, c)], names)
    wanted = wanted.take(limited.typing.consistent(wanted))
    assert keys(found, X[:9]) == keys(wanted, X[:9])


def test_units_shrink_the_enumeration():
    typed, untyped = (told(context("arithmetic", 7, units=units)) for units in (PIPE, None))
    assert 20 < len(typed) < len(untyped) / 100


def test_columns_of_equal_numbers_and_different_units_are_two():
    table = as_table(np.column_stack([X[:, 0], X[:, 0]]), X[:, 0], ["a", "b"], units={"a": "s", "b": "m", "y": "m"})
    task = RegressionProblem.from_table(table, constants="dimensionless")
    found = told(Context.of(task, compile_rules(Grammar.parse("e : e * e | VAR"), task.names), CpuEvaluator(1), 3))
    assert [str(e) for e in found.unpack()] == ["b"]


def test_an_offset_is_fitted_only_where_it_may_carry_the_unit():
    assert context().forms() == FORMS[:2] and context(units=None).forms() == FORMS and context(constants="free").forms() == FORMS
    shifted = problem(X[:, 2] + 7.0)
    typed = Context.of(shifted, compile_rules(Grammar.load("arithmetic"), shifted.names), CpuEvaluator(1), 9)
    shapes = Batch.pack([Expr.parse(e) for e in ("d", "g", "square(v)/g")], shifted.names)
    measured = measure(typed, shapes, Front())
    assert measured.loss[0] > 1e-3 and np.isinf(measured.loss[1]) and np.isfinite(measured.loss[2])
    assert len(measured.candidates) == len({str(c.expr) for c in measured.candidates}) > 0
    free = problem(X[:, 2] + 7.0, constants="free")
    measured = measure(Context.of(free, typed.rules, CpuEvaluator(1), 9), shapes, Front())
    assert measured.loss[0] < 1e-20 and np.isfinite(measured.loss).all()


def test_views_need_dimensions_that_allow_them():
    positive = {"y": np.exp(X[:, 1])}
    assert {"log", "sqrt"} & set(context(units=None, **positive).views)
    assert "exp" not in context(**positive).views and "square" in context(**positive).views
    assert "exp" in context(target="1", **positive).views


@pytest.mark.parametrize("constants", ["dimensionless", "free"])
@pytest.mark.parametrize("view", ["", "square"])
def test_evolution_asks_for_consistent_shapes_only(constants, view):
    limited, search, rng = context(most=15, constants=constants), Evolution(view=view), np.random.default_rng(1)
    state, sizes = search.start(limited, rng), []
    strangers = Batch.pack([Expr.parse("rho"), Expr.parse("square(d + v)"), Expr.parse("square(sqrt(d))")], limited.rules.names)
    state = search.welcome(limited, state, strangers)
    for _ in range(6):
        state, batch = search.ask(limited, state, 300, rng)
        form = affine(batch, *limited.forms(view)[1])
        assert limited.typing.consistent(form, view).all() and (limited.rules.complexity(batch) > 0).all()
        sizes.append(len(batch))
        state = search.tell(limited, state, batch, rng.lognormal(size=len(batch)), rng)
    assert min(sizes) > 10


def test_children_have_the_dimension_of_their_parents():
    limited, rng = context(), np.random.default_rng(2)
    parents = Batch.pack([Expr.parse(e) for e in ("d + v*v/g", "p/(rho*g)", "d*exp(-v/sqrt(d*g))")], limited.rules.names)
    first, second = rng.integers(3, size=400), rng.integers(3, size=400)
    children = breed(parents, first, second, limited.rules, 12, 5, limited.typing, limited.typing.through())
    assert limited.typing.consistent(children).all() and len(np.unique(children.skeleton_hash())) > 40
    parts = random_parts(limited.rules, limited.typing, 300, rng)
    varied = breed(parents, first, second, limited.rules, 12, 5, limited.typing, limited.typing.through(), parts)
    assert limited.typing.consistent(varied).all()
    assert len(np.unique(varied.skeleton_hash())) > 1.2 * len(np.unique(children.skeleton_hash()))
    loose = breed(parents, first, second, limited.rules, 12, 5)
    assert not limited.typing.consistent(loose).all()


def test_parts_are_consistent_and_combine_to_a_dimension():
    limited, rng = context(), np.random.default_rng(3)
    wanted = limited.typing.through()
    parts = random_parts(limited.rules, limited.typing, 400, rng, np.array([0.0, wanted]))
    kind, dim = limited.typing.roots(parts)
    assert (kind == EXACT).all() and len(np.unique(parts.structural_hash())) == len(parts)
    assert (np.abs(dim) < 1e-9).sum() > 30 and (np.abs(dim - wanted) < 1e-9).sum() > 30 and len(np.unique(dim.round(6))) > 20
    made = combined(parts, limited.typing, wanted, rng)
    assert limited.typing.consistent(made).all() and len(made) > 100
    assert len(combined(parts.take(np.zeros(0, int)), limited.typing, wanted, rng)) == 0
    assert len(combined(parts, limited.typing, 1e6, rng)) == 0


@pytest.mark.parametrize("constants", ["dimensionless", "free"])
def test_the_front_is_consistent(constants):
    task = problem(constants=constants)
    searches = [Enumeration(), Evolution()]
    found = discover(task, time_limit=60, max_evaluations=40_000, max_complexity=14, seed=0, threads=1, search=searches)
    assert len(found.front) > 3
    assert task.typing.consistent(Batch.pack([c.expr for c in found.front], task.names)).all()
    assert "every formula is consistent" in str(found) and ("may carry units" in str(found)) == (constants == "free")


def shapes_until_the_law(limited: Context, seed: int) -> int:
    """How many shapes evolution measures until one is exact, at most 30,000."""
    search, rng = Evolution(), np.random.default_rng(seed)
    state, count = search.start(limited, rng), 0
    while count < 30_000:
        state, batch = search.ask(limited, state, 500, rng)
        measured = measure(limited, batch, Front())
        count += len(batch)
        if measured.loss.min(initial=np.inf) < 1e-20:
            break
        state = search.tell(limited, state, measured.batch, measured.loss, rng)
    return count


def test_units_shorten_the_way_of_evolution():
    typed, untyped = ([shapes_until_the_law(context(most=20, units=units), seed) for seed in range(3)] for units in (PIPE, None))
    assert 4 * np.median(typed) < np.median(untyped), (typed, untyped)


def test_constants_are_reported_with_units():
    t = np.linspace(0.5, 3, 40)[:, None]
    model = SymbolicRegressor("arithmetic", max_evaluations=20_000, time_limit=None, random_state=0, n_jobs=1)
    model.fit(t, 4.905 * t[:, 0] ** 2, units={"x0": "s", "y": "m"})
    assert "constants: 4.905 [m/s^2]" in str(model) and "carries length" in str(model)


def test_the_estimator_s_units():
    model = SymbolicRegressor("arithmetic", max_evaluations=2000, time_limit=None, random_state=0, n_jobs=1)
    two = model.fit(X[:, :2], X[:, :2] ** 2, units=["m", "s", "m^2", "s^2"]).discovery_
    assert [unit_text([Fraction(p) for p in d.problem.target_dim]) for d in two] == ["m^2", "s^2"]
    for units, part in (({"x7": "m"}, "'x7'"), ({"x0": "mm/"}, "'x0'"), (["m"], "one unit per feature"), ("ms", "one unit per feature")):
        with pytest.raises(ValueError, match=part):
            model.fit(X[:, :2], X[:, 0], units=units)
    with pytest.raises(ValueError, match="no product of powers"):
        model.set_params(constants="dimensionless").fit(X[:, :2], X[:, 0], units=["m", "s", "K"])


def test_guesses_must_be_consistent():
    with pytest.raises(ValueError, match="dimension"):
        discover(problem(), max_evaluations=100, guesses=["p + rho"])
    found = discover(problem(), time_limit=None, max_evaluations=500, guesses=["2.0*p/(rho*g) + square(v)/g"], seed=0, threads=1)
    assert len(found.front)


def test_the_column_that_frees_constants_is_noted():
    X = np.random.default_rng(0).uniform(1, 2, (60, 2))
    table = as_table(X, X[:, 1], names=["m", "v"], units={"m": "kg", "v": "m/s", "y": "m/s"})
    assert any("'m'" in note for note in RegressionProblem.from_table(table).table.notes)
    assert RegressionProblem.from_table(table, constants="dimensionless").table.notes == table.notes


def test_outsiders_of_many_columns_take_no_time():
    dims = [[0, 1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0]] * 5000 + [[1, 0, 0, 0, 0, 0, 0]]
    names = [f"x{i}" for i in range(len(dims))]
    assert list(dimension.outsiders(names, dims, [0, 1, -1, 0, 0, 0, 0])) == ["x10000"]
