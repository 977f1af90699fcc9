"""Search in the joint space: what holds after every batch, that climbs come closer, and that the pack follows its leaders."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from symnum.encode.checkpoint import Checkpoint
from symnum.encode.config import Config
from symnum.encode.index import SkeletonIndex
from symnum.encode.model import JointModel, Vocabulary
from symnum.encode.public import Encoder
from symnum.encode.remaining import vectors
from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.rules import compile_rules
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.search.base import Context
from symnum.search.front import Front
from symnum.search.latent import GENERATIONS, LEADERS, Latent, moved
from symnum.search.run import epoch
from symnum.testing import properties

MODEL = {"width": 16, "heads": 2, "hidden": 16, "inducing": 4, "induced_blocks": 1, "full_blocks": 1, "seeds": 1, "pair_width": 8,
         "symbol_width": 16, "symbol_hidden": 16, "joint": 16, "slots": 6}
SMALL = Latent(wolves=12, known=300, retrieved=60, drawn=60, near=3, climbs=2, variants=4, memory=1 << 14)
X = np.random.default_rng(0).uniform(0.5, 2.0, (40, 2))


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    config, words = Config.from_dict({"model": MODEL, "corpus": {"variables": 2}}), Vocabulary.current()
    weights = JointModel(config.model, words).state_dict()
    encoder = Encoder(Checkpoint({f"average/{name}": t for name, t in weights.items()}, 0, config, words))
    skeletons = [Expr.parse(t) for t in ("sin(x0)", "x0*x1", "exp(x0) + 1.0*x1", "1.0*x0^2", "x0/(x1 + 1.0)", "log(x0) - x1", "x0 + x1")]
    encoder._index = SkeletonIndex.of(encoder, Batch.pack(skeletons, ("x0", "x1")))
    return encoder


def context(encoder, y, grammar="elementary", names=("x", "y"), **units):
    problem = RegressionProblem.from_table(as_table(X, y, list(names), target="z", **units))
    return Context.of(problem, compile_rules(Grammar.load(grammar), problem.names), CpuEvaluator(1), 20, SimpleNamespace(encoder=encoder))


def lengths(points):
    return np.linalg.norm(points, axis=1)


@pytest.mark.parametrize("grammar", ["elementary", "polynomial", "arithmetic"])
def test_invariants_of_a_batch(encoder, grammar):
    ctx, rng, seen = context(encoder, X[:, 0] ** 2 / X[:, 1], grammar), np.random.default_rng(0), set()
    state, least = SMALL.start(ctx, rng), np.inf
    for turn in range(6):
        state, batch = SMALL.ask(ctx, state, 50, rng)
        assert 0 < len(batch) <= 50 and batch.names == ("x", "y") and len(state.asked) == len(batch)
        assert (ctx.admissible_shapes(batch) > 0).all()
        hashes = batch.skeleton_hash().tolist()
        assert len(set(hashes)) == len(hashes) and len(set(hashes) & seen) <= 1
        seen |= set(hashes)
        assert len(state.laws) == len(state.vectors) <= SMALL.known
        assert state.vectors == pytest.approx(vectors(encoder, state.laws), abs=1e-5)
        assert state.points.shape == (SMALL.wolves, 16) and lengths(state.points) == pytest.approx(1, abs=1e-5)
        loss = rng.choice([np.nan, np.inf, 1.0, 2.0, 3.0 - turn], len(batch))
        asked = state.asked
        state = SMALL.tell(ctx, state, batch, loss, rng)
        before, least = least, min(least, np.min(loss[np.isfinite(loss)]))
        assert len(state.leaders) == len(state.loss) <= LEADERS and state.loss.tolist() == sorted(state.loss)
        assert state.loss[0] == least and np.isfinite(state.loss).all()
        if least < before:
            assert (state.leaders[0] == asked[loss == least]).all(axis=1).any()


def test_nothing_finite_leaves_the_pack_where_it_is(encoder):
    ctx, rng = context(encoder, X[:, 0]), np.random.default_rng(0)
    state, batch = SMALL.ask(ctx, SMALL.start(ctx, rng), 50, rng)
    told = SMALL.tell(ctx, state, batch, np.full(len(batch), np.inf), rng)
    assert len(told.leaders) == 0 and (told.points == state.points).all() and told.generation == 1


def test_the_first_points_are_the_data(encoder):
    y = np.sin(X[:, 0]) * X[:, 1]
    ctx, rng = context(encoder, y), np.random.default_rng(0)
    state = SMALL.ask(ctx, SMALL.start(ctx, rng), 10, rng)[0]
    rows = ctx.problem.search
    data = encoder.embed_data(rows.X[0].T[: rows.n], rows.y[: rows.n])
    assert state.points[0] == pytest.approx(data, abs=1e-6)
    assert (lengths(state.points[1:] - data) > 1e-6).all()
    few = replace(SMALL, wolves=2)
    assert few.ask(ctx, few.start(ctx, rng), 10, rng)[0].points.shape == (2, 16)


def test_climbs_come_closer(encoder):
    """A point is read as its nearest laws and as closer ones than any that was known, the closest first."""
    ctx, rng = context(encoder, X[:, 0] / X[:, 1]), np.random.default_rng(0)
    state = SMALL.ask(ctx, SMALL.start(ctx, rng), 50, rng)[0]
    laws, found = SMALL._read(ctx, state, rng)
    assert found == pytest.approx(vectors(encoder, laws), abs=1e-5)
    assert (ctx.rules.complexity(laws) > 0).all()
    reached, known = (found @ state.points.T).max(axis=0), (state.vectors @ state.points.T).max(axis=0)
    assert (reached >= known - 1e-6).all() and (reached > known + 1e-4).any()
    one = replace(state, points=state.points[:1])
    closest = SMALL._read(ctx, one, rng)[1] @ state.points[0]
    assert (np.diff(closest) <= 1e-6).all() and len(closest) > SMALL.near


@properties(40)
@given(seed=st.integers(0, 2**32), leaders=st.integers(1, 3), reach=st.sampled_from([0.0, 0.5, 2.0]))
def test_moves(seed, leaders, reach):
    rng = np.random.default_rng(seed)
    points, to = rng.normal(size=(5, 8)).astype(np.float32), rng.normal(size=(leaders, 8)).astype(np.float32)
    new = moved(points, to, reach, rng)
    assert new.dtype == np.float32 and lengths(new) == pytest.approx(1, abs=1e-5)
    if reach == 0:
        mean = to.mean(axis=0)
        assert new == pytest.approx(np.tile(mean / np.linalg.norm(mean), (5, 1)), abs=1e-5)
    assert (moved(points, to[:0], reach, rng) == points).all()


def test_the_pack_spreads_anew(encoder):
    ctx, rng = context(encoder, X[:, 0]), np.random.default_rng(0)
    state, batch = SMALL.ask(ctx, SMALL.start(ctx, rng), 50, rng)
    first = state.points[0]
    while state.generation < GENERATIONS:
        state = SMALL.tell(ctx, replace(state, asked=np.eye(16, dtype=np.float32)[:1]), batch.take([0]), np.ones(1), rng)
    assert abs(state.points - np.eye(16)[0]).max() < 1e-6  # at the end all are where the leader is
    state = SMALL.tell(ctx, state, batch.take([0]), np.ones(1), rng)
    assert state.generation == 0 and len(state.leaders) == 0 and (state.points[0] == first).all()


def test_guests_are_known_and_draw_the_pack(encoder):
    ctx, rng = context(encoder, X[:, 0]), np.random.default_rng(0)
    migrants = Batch.pack([Expr.parse(t) for t in ("x", "2.5*exp(x*y) + 1.5")], ("x", "y"))
    for began in (False, True):
        state = SMALL.start(ctx, rng)
        if began:
            state = SMALL.ask(ctx, state, 20, rng)[0]
        state = SMALL.ask(ctx, SMALL.welcome(ctx, state, migrants), 20, rng)[0]
        assert len(state.guests) == 0 and set(migrants.unpack()) <= set(state.laws.unpack())
        assert state.points[-2:] == pytest.approx(vectors(encoder, migrants), abs=1e-5)
        assert len(state.points) == SMALL.wolves
    nothing = SMALL.welcome(ctx, state, Batch.empty(("x", "y")))
    assert (SMALL.ask(ctx, nothing, 20, rng)[0].points == state.points).all()


def test_an_epoch_is_a_pure_function(encoder):
    ctx = context(encoder, np.sin(X[:, 0]) + X[:, 1])
    front = Front(floor=ctx.problem.floor, resolution=ctx.problem.resolution)
    state = epoch(SMALL, ctx, SMALL.start(ctx, np.random.default_rng(0)), front, (0, 1, 0)).state
    held = {f: getattr(state, f).copy() for f in ("points", "vectors", "leaders", "loss", "measured")}
    one, two = (epoch(SMALL, ctx, state, front, (0, 2, 0)) for _ in range(2))
    assert one.candidates and [str(c.expr) for c in one.candidates] == [str(c.expr) for c in two.candidates]
    assert (one.state.points == two.state.points).all() and one.state.laws.unpack() == two.state.laws.unpack()
    assert all((getattr(state, f) == value).all() for f, value in held.items())


def test_a_law_of_the_index_is_found(encoder):
    """Read by an index that holds the law at the data's very point, it is measured in the first batch."""
    ctx, rng = context(encoder, np.exp(X[:, 0] * X[:, 1]) + X[:, 1]), np.random.default_rng(0)
    law = Batch.pack([Expr.parse("exp(x*y) + y")], ("x", "y"))
    index = SimpleNamespace(nearest=lambda *_: (law, np.ones(1)))
    names = ("model", "config", "vocabulary", "columns", "embed_data")
    ctx = replace(ctx, guide=SimpleNamespace(encoder=SimpleNamespace(index=index, **{f: getattr(encoder, f) for f in names})))
    state = SMALL._begun(ctx, SMALL.start(ctx, rng), rng)
    state = replace(state, points=np.tile(vectors(encoder, law), (SMALL.wolves, 1)))
    batch = SMALL.ask(ctx, state, 50, rng)[1]
    assert law.skeleton_hash()[0] in batch.skeleton_hash()


def test_units_are_respected(encoder):
    ctx = context(encoder, X[:, 0] / X[:, 1], names=("d", "t"), units={"d": "m", "t": "s", "z": "m/s"})
    assert ctx.typing is not None
    rng, state = np.random.default_rng(0), SMALL.start(ctx, np.random.default_rng(0))
    for _ in range(3):
        state, batch = SMALL.ask(ctx, state, 50, rng)
        assert (ctx.admissible_shapes(batch) > 0).all()
        state = SMALL.tell(ctx, state, batch, rng.random(len(batch)), rng)
