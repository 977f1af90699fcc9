"""Enumeration: every function of a grammar, once, simplest first; it can be left and taken up again."""

import time

import numpy as np
import pytest

from symnum.discovery import discover
from symnum.evaluate import reference
from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.grammar import Grammar
from symnum.language.rules import compile_rules
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.search import enumerate as enumerate_module
from symnum.search.base import Context
from symnum.search.enumerate import Cursor, Enumeration, generic_constants, signatures
from symnum.search.front import Front
from symnum.search.run import Status, epoch

RNG = np.random.default_rng(0)
X = RNG.uniform(0.5, 2.0, (30, 2))
NOISE = as_table(X, RNG.normal(size=30), ["x", "y"], target="z")
FINITE = "top : pair | sin(pair) | single \n pair : single + single | single ^ INT(2, 3) \n single : VAR | 7"
TEXTS = {
    "ring": "e : e + e | e * e | VAR",
    "field": "e : e + e | e - e | e * e | e / e | VAR | 2",
    "levels": "e : t + e | t \n t : f * t | f \n f : VAR | sin(VAR) | -f",
    "templates": "e : square(e) + VAR | x ^ INT(-2, 3) | sqrt(e * e) $ 2 | 3",
    "finite": FINITE,
    "constants": "e : e + e | e * e | sin(e) | VAR | CONST",
}


def context(text: str, most: int, table=NOISE) -> Context:
    problem = RegressionProblem(table)
    return Context.of(problem, compile_rules(Grammar.parse(text), problem.names), CpuEvaluator(1), most)


def chunks(context: Context, search: Enumeration | None = None, state: Cursor | None = None):
    """(cursor after it, batch) for all that is asked."""
    rng, search = np.random.default_rng(0), search or Enumeration()
    state = search.start(context, rng) if state is None else state
    while not state.finished:
        state, batch = search.ask(context, state, 1000, rng)
        if len(batch):
            yield state, batch


def functions(batch: Batch) -> dict[bytes, int]:
    """Functions by their values on generic rows (9 digits), with the position of the first that has them."""
    with np.errstate(all="ignore"):
        values, ok = reference.values(generic_constants(batch), X[:12])
    found: dict[bytes, int] = {}
    for i in np.flatnonzero(ok):
        found.setdefault(np.array([float(f"{v:.9e}") for v in values[i]]).tobytes(), int(i))
    return found


# completeness -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "most"), [("ring", 9), ("field", 5), ("levels", 7), ("templates", 7), ("finite", 9)])
def test_every_function_comes_once_at_its_least_complexity(name, most):
    """Against all derivations of the grammar, evaluated by the reference."""
    grammar, wanted = Grammar.parse(TEXTS[name]), {}
    for complexity in range(1, most + 1):
        exprs = list(grammar.enumerate(["x", "y"], complexity))
        if exprs:
            new = functions(Batch.pack(exprs, ["x", "y"]))
            wanted |= {key: complexity for key in new if key not in wanted}
    limited = context(TEXTS[name], most)
    assert not limited.scaled
    batch = Batch.concatenate([b for _, b in chunks(limited)])
    found = functions(batch)
    assert len(found) == len(batch) or (name == "levels" and len(found) > 0.95 * len(batch))  # x as a sum has another nonterminal
    assert found.keys() == wanted.keys()
    complexity = limited.rules.complexity(batch)
    assert [complexity[i] for i in found.values()] == [wanted[key] for key in found]
    assert (np.diff(complexity) >= 0).all()


def test_with_constants_every_function_is_there_up_to_scale_and_offset():
    """Whatever the grammar writes, with any values of its constants, is fitted exactly by an enumerated shape."""
    limited = context(TEXTS["constants"], 5)
    assert limited.scaled
    shapes = Batch.concatenate([b for _, b in chunks(limited)])
    from symnum.search.vary import affine

    extended, rng, grammar = affine(shapes, True, True), np.random.default_rng(4), Grammar.parse(TEXTS["constants"])
    exprs = [e for c in range(1, 6) for e in grammar.enumerate(["x", "y"], c) if e.variables]
    for e in [exprs[i] for i in rng.choice(len(exprs), 40, replace=False)]:
        e = e.with_constants(rng.uniform(0.5, 2, len(e.constants)))
        y = e(x=X[:, 0], y=X[:, 1])
        problem = RegressionProblem(as_table(X, y, ["x", "y"], target="z"))
        loss = problem.score(extended, limited.evaluator, iterations=30, starts=4).loss
        assert loss.min() < 1e-12, (str(e), str(extended[int(loss.argmin())]))  # converged, against a variance of order one


def test_shapes_are_bare_and_have_a_variable():
    shapes = Batch.concatenate([b for _, b in chunks(context(TEXTS["constants"], 6))])
    assert all(e.variables or len(e.tokens) == 1 for e in shapes.unpack())
    assert len(np.unique(shapes.skeleton_hash())) == len(shapes)
    texts = {str(e) for e in shapes.unpack()}
    assert "x" in texts and "sin(x)" in texts and "x + 1.0" not in texts and "x*1.0" not in texts


def test_what_is_not_finite_is_left_out():
    table = as_table(X - 1.0, X[:, 0], ["x", "y"], target="z")
    found = {str(e) for _, b in chunks(context("e : log(e) | square(e) | VAR", 4, table)) for e in b.unpack()}
    assert "log(square(x))" in found and "log(x)" not in found and "square(log(x))" not in found


# the cursor -------------------------------------------------------------------------------------------------------------
def test_exhausted_is_the_level_before_the_one_under_way():
    limited = context(TEXTS["field"], 7)
    before = 0
    for state, batch in chunks(limited):
        level = limited.rules.complexity(batch)
        assert state.exhausted == state.level - 1 < level.min() and level.max() == state.level
        assert state.chunks == before + 1
        before += 1
    assert before > 3


def test_a_finished_enumeration_says_so():
    limited, search, rng = context(FINITE, 9), Enumeration(), np.random.default_rng(0)
    *_, (state, _) = chunks(limited, search)
    assert state.level == 4 and not state.finished
    for _ in range(2):
        state, batch = search.ask(limited, state, 1000, rng)
        assert len(batch) == 0
    assert state.finished and state.exhausted == 9
    again, batch = search.ask(limited, state, 1000, rng)
    assert again.finished and len(batch) == 0


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_a_fresh_object_goes_on_from_a_cursor(cut):
    limited = context(TEXTS["field"], 7)
    everything = list(chunks(limited))
    state = everything[cut - 1][0]
    rest = list(chunks(limited, Enumeration(), state))
    assert [s for s, _ in rest] == [s for s, _ in everything[cut:]]
    assert [b.unpack() for _, b in rest] == [b.unpack() for _, b in everything[cut:]]


def test_the_same_object_serves_two_runs_in_turn():
    limited, search = context(TEXTS["ring"], 9), Enumeration()
    first = [b.unpack() for _, b in chunks(limited, search)]
    assert first == [b.unpack() for _, b in chunks(limited, search)]


def test_equal_values_make_equal_signatures():
    y = np.array([[1.0, 2.0, 1e-20], [1.0, 2.0, 0.0], [1.0, 2.0 + 1e-13, 0.0], [1.0, 2.001, 0.0], [-1.0, 2.0, 0.0]])
    found = signatures(y).tolist()
    assert found[0] == found[1] == found[2]
    assert len(set(found)) == 3


def test_building_that_takes_long_is_interrupted_by_empty_batches(monkeypatch):
    """Islands get their turn while a level is built; what is enumerated stays the same."""
    limited = context(TEXTS["field"], 7)
    whole = [e for _, b in chunks(limited) for e in b.unpack()]
    monkeypatch.setattr(enumerate_module, "CHUNK", 50)
    search, rng = Enumeration(), np.random.default_rng(0)
    state, asked = search.start(limited, rng), []
    while not state.finished:
        state, batch = search.ask(limited, state, 1000, rng)
        asked.append(batch)
    assert sum(len(b) == 0 for b in asked) > 5
    assert {str(e) for b in asked for e in b.unpack()} == {str(e) for e in whole}
    cursor = Cursor(chunks=len(asked) // 2, level=1)
    rest = [e for _, b in chunks(limited, Enumeration(), cursor) for e in b.unpack()]
    assert rest == [e for b in asked[len(asked) // 2 :] for e in b.unpack()]


def test_replay_stops_when_time_is_up_and_goes_on():
    limited = context(TEXTS["field"], 7)
    everything = list(chunks(limited))
    state, search = everything[5][0], Enumeration()
    calls = iter([False, False, True])
    assert not search.prepare(limited, state, lambda: next(calls))  # two chunks, then time is up
    assert search.prepare(limited, state, lambda: False)
    assert [b.unpack() for _, b in chunks(limited, search, state)] == [b.unpack() for _, b in everything[6:]]


def test_an_epoch_without_time_replays_nothing():
    limited = context(TEXTS["field"], 7)
    cursor = Cursor(chunks=40, level=5, exhausted=4)
    search = Enumeration()
    done = epoch(search, limited, cursor, Front(), (0, 1, 0), deadline=time.monotonic() - 1)
    assert done.state == cursor and done.expressions == 0 and search._consumed == 0


# through the engine -------------------------------------------------------------------------------------------------------
def test_a_finite_grammar_ends_the_run():
    found = discover(RegressionProblem(NOISE), Grammar.parse(FINITE), time_limit=60, search=[Enumeration()], seed=0, threads=1)
    assert found.status is Status.EXHAUSTED
    assert found.statistics["seconds"] < 30 and len(found.front) > 1
    assert found.exhausted_complexity == 30


def test_formulas_with_too_many_constants_are_not_claimed():
    """A cubic with its four coefficients (complexity 15) is not enumerated, so complexity 15 is not exhausted."""
    table = as_table(X[:, :1], NOISE.y)
    found = discover(RegressionProblem(table), "polynomial", time_limit=60, max_complexity=15, search=[Enumeration()], seed=0)
    assert found.status is Status.FULL and found.exhausted_complexity == 8  # 9 has 1.0*x0 + 1.0 + 1.0 + 1.0
    assert max(len(c.expr.constants) for c in found.front) == 3


def test_giving_up_is_not_exhausting():
    """A level that would be too large is not entered: the run may end, but not with the claim that all was tried."""
    search = Enumeration(most=50)
    found = discover(RegressionProblem(NOISE), "arithmetic", time_limit=9, max_complexity=15, search=[search], seed=0)
    assert found.status is Status.FULL
    assert found.exhausted_complexity == 4  # there is nothing of complexity 4
