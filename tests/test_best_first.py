"""Best-first search over sets of sub-expressions: what holds after every batch, and that a right estimate leads to the law."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from symnum.encode import remaining as estimate
from symnum.encode.checkpoint import Checkpoint
from symnum.encode.config import Config
from symnum.encode.model import JointModel, Vocabulary
from symnum.encode.public import Encoder
from symnum.encode.remaining import remaining, usable, vectors
from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.ops import VAR
from symnum.language.rules import compile_rules
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.search.base import Context, measure
from symnum.search.best_first import NONE, BestFirst, filled, keys
from symnum.search.front import Front
from symnum.search.run import epoch
from symnum.testing import properties

MODEL = {"width": 16, "heads": 2, "hidden": 16, "inducing": 4, "induced_blocks": 1, "full_blocks": 1, "seeds": 1, "pair_width": 8,
         "symbol_width": 16, "symbol_hidden": 16, "joint": 16, "slots": 6}
SMALL = BestFirst(scored=16, opened=4, most=40, rows=20, memory=1 << 14)
X = np.random.default_rng(0).uniform(0.5, 2.0, (40, 2))


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    config, words = Config.from_dict({"model": MODEL, "corpus": {"variables": 2}}), Vocabulary.current()
    weights = JointModel(config.model, words).state_dict()
    return Encoder(Checkpoint({f"average/{name}": t for name, t in weights.items()}, 0, config, words))


def context(encoder, y, grammar="elementary", names=("x", "y"), X=X, **units):
    problem = RegressionProblem.from_table(as_table(X, y, list(names), target="z", **units))
    return Context.of(problem, compile_rules(Grammar.load(grammar), problem.names), CpuEvaluator(1), 20, SimpleNamespace(encoder=encoder))


def given_columns(rng, candidates, parts, rows=30):
    return rng.normal(size=(candidates, rows, parts)), rng.random((candidates, parts)) < 0.5


# the estimate ---------------------------------------------------------------------------------------------------------------
def test_the_estimate_without_sub_expressions_is_the_look(encoder):
    rng = np.random.default_rng(1)
    data, y = rng.normal(size=(30, 2)), rng.normal(size=30)
    columns, none = rng.normal(size=(2, 30, 3)), np.zeros((2, 3), bool)
    found = remaining(encoder, data, y, columns, none)
    assert found == pytest.approx(encoder.look(data, y).length, rel=1e-4)


def test_candidates_do_not_know_of_each_other(encoder):
    rng = np.random.default_rng(2)
    data, y = rng.normal(size=(30, 2)), rng.normal(size=30)
    columns, present = given_columns(rng, estimate.CHUNK + 3, 2)
    found = remaining(encoder, data, y, columns, present)
    assert found.shape == (estimate.CHUNK + 3,) and (found > 0).all() and np.ptp(found) > 0
    alone = np.concatenate([remaining(encoder, data, y, columns[i : i + 1], present[i : i + 1]) for i in (0, 5, estimate.CHUNK)])
    assert alone == pytest.approx(found[[0, 5, estimate.CHUNK]], rel=1e-4)
    columns[~np.broadcast_to(present[:, None], columns.shape)] = np.nan  # what is not there is not read
    assert (remaining(encoder, data, y, columns, present) == found).all()


def test_many_rows_are_sampled(encoder):
    rng = np.random.default_rng(3)
    data, y = rng.normal(size=(1000, 1)), rng.normal(size=1000)
    columns, present = given_columns(rng, 2, 1, 1000)
    assert np.isfinite(remaining(encoder, data, y, columns, present)).all()
    assert remaining(encoder, data, y, columns[:0], present[:0]).shape == (0,)


@pytest.mark.parametrize(("change", "message"), [
    ({"X": np.zeros((30, 2, 1))}, "X .N, V., y .N,., columns .* were required"),
    ({"y": np.zeros(29)}, "were required, got"),
    ({"columns": np.zeros((2, 29, 3))}, "were required, got"),
    ({"present": np.ones((2, 2), bool)}, "were required, got"),
    ({"X": np.zeros((30, 4))}, "1 to 6 columns, 3 sub-expressions among them"),
    ({"X": np.zeros((30, 0))}, "1 to 6 columns"),
    ({"X": np.zeros((15, 2)), "y": np.zeros(15), "columns": np.zeros((2, 15, 3))}, "at least 16 rows"),
    ({"y": np.full(30, np.inf)}, "finite values"),
    ({"columns": np.full((2, 30, 3), np.nan)}, "finite values"),
])
def test_what_the_estimate_does_not_take(encoder, change, message):
    good = {"X": np.zeros((30, 2)), "y": np.zeros(30), "columns": np.zeros((2, 30, 3)), "present": np.ones((2, 3), bool)}
    with pytest.raises(ValueError, match=message):
        remaining(encoder, **(good | change))


def test_usable(encoder):
    assert usable(encoder, 16, 6) and usable(encoder, 16, 3, 3) and usable(encoder, 16, 2, 0, ("sin", "add"))
    assert not usable(encoder, 16, 2, 0, ("sin", "frobnicate")) and not usable(encoder, 15, 2)
    assert not usable(encoder, 16, 4, 3) and not usable(encoder, 16, 0)


def test_vectors_are_those_of_the_encoder(encoder):
    laws = Batch.pack([Expr.parse(t) for t in ("x0*x1 + 2.5", "sin(x0)", "x1*x0 + 7.0")], ["x0", "x1"])
    found = vectors(encoder, laws)
    assert found == pytest.approx(encoder.embed_expressions(laws, generic=True), abs=1e-6)
    assert (found[0] == found[2]).all() and vectors(encoder, Batch.empty(["x0"])).shape == (0, 16)


# parts ----------------------------------------------------------------------------------------------------------------------
@properties(50)
@given(seed=st.integers(0, 2**32), scale=st.sampled_from([-1e9, -1.0, 1e-9, 3.7]), offset=st.sampled_from([0.0, -2.0, 100.0]))
def test_keys_do_not_see_scale_and_offset(seed, scale, offset):
    x = np.random.default_rng(seed).normal(size=(3, 25))
    one, other = keys(x), keys(scale * (x + offset))
    assert (one == other).mean() >= 2 / 3  # rounding may part a value that lies on an edge
    assert len(set(one.tolist())) == 3 and (one != 0).all()


def test_keys_of_nothing_much():
    assert keys(np.zeros((2, 5))).tolist() == [0, 0] and keys(np.full((1, 5), 1e300)).tolist() == [0]
    assert keys(np.zeros((0, 5))).shape == (0,)
    assert keys(np.array([[1e-300, 2e-300, 3e-300], [1.0, 2.0, 3.0]])).tolist()[0] != 0


@properties(30)
@given(choice=st.lists(st.integers(0, 2), max_size=12), seed=st.integers(0, 99))
def test_forms_are_filled(choice, seed):
    forms, rng = ("sin(a)", "a - b", "c*a + b"), np.random.default_rng(seed)
    parts = Batch.pack([Expr.parse(t) for t in ("exp(x)", "x*y + 1.5")], ["x", "y"])
    texts = {0: "exp(x)", 1: "(x*y + 1.5)", -2: "x", -3: "y"}
    items = rng.choice(list(texts), (len(choice), 3))
    batch, order = filled(parts, forms, np.array(choice, np.int64), items)
    assert sorted(order.tolist()) == list(range(len(choice)))
    for expression, k in zip(batch.unpack(), order.tolist(), strict=True):
        a, b, c = (texts[i] for i in items[k].tolist())
        assert expression == Expr.parse({0: f"sin({a})", 1: f"{a} - {b}", 2: f"{c}*{a} + {b}"}[choice[k]])


# the search -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("grammar", ["elementary", "polynomial", "arithmetic"])
def test_invariants_of_a_batch(encoder, grammar):
    ctx, rng, seen = context(encoder, X[:, 0] ** 2 / X[:, 1], grammar), np.random.default_rng(0), set()
    state = SMALL.start(ctx, rng)
    for turn in range(6):
        before = state
        state, batch = SMALL.ask(ctx, state, 60, rng)
        assert 0 < len(batch) <= 60 and batch.names == ("x", "y")
        assert (ctx.admissible_shapes(batch) > 0).all()
        hashes = batch.skeleton_hash().tolist()
        assert len(set(hashes)) == len(hashes)
        assert len(set(hashes) & seen) <= 2  # the memory is direct-mapped: few are forgotten
        seen |= set(hashes)
        assert len(state.sets) == len(state.length) <= SMALL.most and np.isfinite(state.length).all() and len(state.guests) == 0
        assert len(state.parts) == len(state.key) and (state.key != 0).all()
        members = state.sets[state.sets != NONE]
        assert (members >= 0).all() and set(members.tolist()) == set(range(len(state.parts)))
        for one in state.sets:
            assert len(set(state.key[one[one != NONE]].tolist())) == (one != NONE).sum()
        assert (ctx.rules.complexity(state.parts) > 0).all()
        loss = rng.choice([np.nan, np.inf, 1.0, 2.0], len(batch)) if turn % 2 else np.full(len(batch), np.inf)
        told = SMALL.tell(ctx, state, batch, loss, rng)
        assert len(told.guests) == min(SMALL.told, int(np.isfinite(loss).sum()))
        assert before is not state and len(state.guests) == 0
        state = told


def test_an_epoch_is_a_pure_function(encoder):
    ctx = context(encoder, np.sin(X[:, 0]) + X[:, 1])
    search, front = SMALL, Front(floor=ctx.problem.floor, resolution=ctx.problem.resolution)
    state = epoch(search, ctx, search.start(ctx, np.random.default_rng(0)), front, (0, 1, 0)).state
    held = {f: getattr(state, f).copy() for f in ("key", "sets", "length", "seen", "measured")}
    one, two = (epoch(search, ctx, state, front, (0, 2, 0)) for _ in range(2))
    assert [str(c.expr) for c in one.candidates] == [str(c.expr) for c in two.candidates]
    assert (one.state.length == two.state.length).all() and one.state.parts.unpack() == two.state.parts.unpack()
    assert all((getattr(state, f) == value).all() for f, value in held.items())  # asked twice, changed never


@pytest.mark.parametrize("sign", [1, -1])
def test_a_right_estimate_leads_to_the_law(encoder, monkeypatch, sign):
    """An estimate that knows the parts of a law leads to it; one that is wrong on purpose leads elsewhere."""
    wanted = np.stack([np.exp(X[:, 0] * X[:, 1]), np.sin(X[:, 1] / X[:, 0])])
    ctx = context(encoder, wanted[0] * wanted[1] + X[:, 1])
    right = keys(np.stack([X[:, 0] * X[:, 1], X[:, 1] / X[:, 0], *wanted])[:, rows_shown(ctx)])

    def known(encoder, X, y, columns, present):
        found = keys(columns.transpose(0, 2, 1).reshape(-1, columns.shape[1])).reshape(len(columns), -1)
        there = np.stack([((found == key) & present).any(axis=1) for key in right])
        return 20.0 - sign * (np.where(there[2:], 3.0, 2.0 * there[:2])).sum(axis=0)  # what is inside a member does not count twice

    monkeypatch.setattr(estimate, "remaining", known)
    search, front = replace(SMALL, scored=64, most=500, told=0), Front(floor=ctx.problem.floor, resolution=ctx.problem.resolution)
    state, turns = search.start(ctx, np.random.default_rng(0)), 0
    while turns < 8 and not (len(front) and front[-1].loss <= front.floor):
        turns += 1
        e = epoch(search, ctx, state, front, (0, turns, 0))
        front, state = front.merged(e.candidates), e.state
    assert (front[-1].loss <= front.floor) == (sign > 0)


def rows_shown(ctx):
    order = np.random.default_rng(0).permutation(ctx.problem.search.n)[: SMALL.rows]
    inside = [np.flatnonzero((X == row).all(axis=1))[0] for row in ctx.problem.search.X[0].T[np.sort(order)]]
    return np.array(inside)


def test_guests_are_scored(encoder):
    ctx, rng = context(encoder, X[:, 0]), np.random.default_rng(0)
    state = SMALL.start(ctx, rng)
    migrants, blocks = (Batch.pack([Expr.parse(t) for t in texts], ("x", "y")) for texts in (["2.0*exp(x) + 1.0", "x"], ["sin(x*y)"]))
    state = SMALL.welcome(ctx, state, migrants, blocks)
    assert {str(e) for e in state.guests.unpack()} == {"exp(x)", "x", "sin(x*y)"}
    state = SMALL.ask(ctx, state, 20, rng)[0]
    assert {"exp(x)", "sin(x*y)"} <= {str(e) for e in state.parts.unpack()}
    assert not ((state.parts.code == VAR) & (np.repeat(state.parts.lengths, state.parts.lengths) == 1)).any()  # x is a column already
    many = Batch.pack([Expr.parse(f"x^{k}") for k in range(2, 60)], ("x", "y"))
    assert len(SMALL.welcome(ctx, state, many).guests) == SMALL.scored // 2


def test_values_that_leave_float32_are_no_parts(encoder):
    big = X * 1e25
    ctx, rng = context(encoder, X[:, 0], X=big), np.random.default_rng(0)
    state = SMALL.start(ctx, rng)
    for _ in range(3):
        state, batch = SMALL.ask(ctx, state, 50, rng)
        state = SMALL.tell(ctx, state, batch, rng.random(len(batch)), rng)
    assert np.isfinite(state.length).all()


def test_units_are_respected(encoder):
    ctx = context(encoder, X[:, 0] / X[:, 1], names=("d", "t"), units={"d": "m", "t": "s", "z": "m/s"})
    rng, state = np.random.default_rng(0), SMALL.start(ctx, np.random.default_rng(0))
    assert ctx.typing is not None
    front = Front(floor=ctx.problem.floor, resolution=ctx.problem.resolution)
    for _ in range(3):
        state, batch = SMALL.ask(ctx, state, 50, rng)
        assert (ctx.typing.consistent(batch, "", scaled=ctx.scaled)).all()
        m = measure(ctx, batch, front)
        state, front = SMALL.tell(ctx, state, m.batch, m.loss, rng), front.merged(m.candidates)
    assert front[-1].loss <= front.floor
