"""Island evolution: what holds after every round, whatever the losses are."""

from collections import Counter
from dataclasses import replace
from itertools import takewhile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.rules import compile_rules
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.search.base import Context, measure, rank_in_group
from symnum.search.base import _promising as promising
from symnum.search.evolve import BLOCKS, Evolution, Island, structure
from symnum.search.front import Candidate, Front
from symnum.search.vary import peel
from symnum.testing import properties

X = np.random.default_rng(0).uniform(0.5, 2.0, (40, 2))
PROBLEM = RegressionProblem(as_table(X, np.sin(2 * X[:, 0]) * X[:, 1] + X[:, 0] / X[:, 1], ["x", "y"], target="z"))
CONTEXTS = {
    name: Context.of(PROBLEM, compile_rules(Grammar.load(name), PROBLEM.names), CpuEvaluator(1), 20)
    for name in ("elementary", "polynomial")}
SMALL = Evolution(population=200, oldest=3, patience=5, cache=1 << 10)


def rounds(context: Context, search: Evolution, n: int, seed: int, losses=None):
    """(asked batch, island) of n rounds; losses at random, or what `losses` makes of a batch."""
    rng = np.random.default_rng(seed)
    state = search.start(context, rng)
    for _ in range(n):
        state, batch = search.ask(context, state, 300, rng)
        loss = rng.choice([np.nan, np.inf, 0.0, 1.0, 2.0], len(batch)) if losses is None else losses(batch, rng)
        state = search.tell(context, state, batch, loss, rng)
        yield batch, state


def random_losses(batch: Batch, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(len(batch)) < 0.1, np.inf, rng.lognormal(size=len(batch)))


@pytest.mark.parametrize("name", CONTEXTS)
@pytest.mark.parametrize("losses", [None, random_losses])
@properties(10)
@given(seed=st.integers(0, 2**32))
def test_invariants_of_a_round(name, losses, seed):
    context, generation = CONTEXTS[name], 0
    for batch, state in rounds(context, SMALL, 8, seed, losses):
        asked = context.rules.complexity(batch)
        assert (asked > 0).all() and (asked <= context.max_complexity).all()
        generation += 1
        assert state.generation == generation
        assert len(state.members) == len(state.loss) == len(state.complexity) == len(state.age)
        assert len(state.members) <= max(SMALL.population, 4 * len(np.unique(state.complexity)))
        assert (state.complexity == context.rules.complexity(state.members)).all()
        assert np.isfinite(state.loss).all() and (state.age >= 0).all()
        assert len(np.unique(state.loss)) == len(state.loss)
        leads = [state.loss[state.complexity == c].min() for c in np.unique(state.complexity)]
        leading = np.isin(state.loss, leads)
        assert (state.age[~leading] <= SMALL.oldest).all()
        assert state.record == min(state.loss, default=np.inf) or state.record <= min(state.loss)


def test_the_best_of_each_complexity_stays():
    best: dict[int, float] = {}
    search = replace(SMALL, patience=100)
    for batch, state in rounds(CONTEXTS["elementary"], search, 10, 3, random_losses):
        now = {int(c): float(state.loss[state.complexity == c].min()) for c in np.unique(state.complexity)}
        assert all(now.get(c, np.inf) <= loss for c, loss in best.items()), len(batch)
        best = now


def test_members_age_and_leave():
    search = replace(SMALL, patience=100)
    ages = [state.age.max() for _, state in rounds(CONTEXTS["elementary"], search, 10, 0, random_losses)]
    assert ages[:3] == [0, 1, 2] and ages[-1] > search.oldest  # leaders of their complexity stay beyond `oldest`


def test_a_stagnating_island_starts_afresh():
    def constant(batch, rng):
        return np.full(len(batch), 1.0) + np.arange(len(batch)) / 1000
    states = [state for _, state in rounds(CONTEXTS["elementary"], SMALL, 12, 0, constant)]
    sizes = [len(s.members) for s in states]
    empty = sizes.index(0)
    assert empty == SMALL.patience  # the record is of round 0
    assert states[empty].record == np.inf and states[empty].record_at == states[empty].generation
    assert not states[empty].seen.any()
    assert sizes[empty + 1] > 0 and states[empty + 1].record < np.inf


def test_skeletons_are_asked_once_while_remembered():
    context = CONTEXTS["elementary"]
    search = replace(SMALL, cache=1 << 16, patience=100)
    seen: set[int] = set()
    again = total = 0
    state, bred = None, False
    for batch, state in rounds(context, search, 8, 1, random_losses):
        hashes = batch.skeleton_hash().tolist()
        if bred:
            assert len(set(hashes)) == len(hashes)
            again, total = again + len(seen & set(hashes)), total + len(hashes)
            seen |= set(hashes)
        bred = len(state.members) >= 50  # before that, shapes are drawn without a look at the cache
    assert again < 0.1 * total and state.hits > 0


def test_the_same_seed_gives_the_same_island():
    def last(seed: int) -> Island:
        return list(rounds(CONTEXTS["elementary"], SMALL, 4, seed, random_losses))[-1][1]
    a, b, c = last(5), last(5), last(6)
    assert a.members.unpack() == b.members.unpack() != c.members.unpack()
    assert (a.loss == b.loss).all() and (a.seen == b.seen).all() and a.hits == b.hits


def test_migrants_are_welcome_in_the_middle():
    context = CONTEXTS["elementary"]
    *_, (_, state) = rounds(context, SMALL, 3, 0, random_losses)
    good = peel(Batch.pack([Expr.parse("sin(x*1.5)*y"), Expr.parse("2.5*(x/y) + 1.0")], PROBLEM.names))
    foreign = Batch.pack([Expr.parse("erf(x)")], PROBLEM.names)
    after, batch = SMALL.ask(context, SMALL.welcome(context, state, Batch.concatenate([good, foreign])), 50, np.random.default_rng(0))
    assert [str(e) for e in batch.unpack()[-2:]] == ["sin(x*1.5)*y", "x/y"]  # measured like children
    assert after.guests is None
    _, batch = SMALL.ask(context, SMALL.welcome(context, state, Batch.empty(PROBLEM.names)), 50, np.random.default_rng(0))
    assert "x/y" not in [str(e) for e in batch.unpack()]


def test_a_view_welcomes_what_stands_inside_its_operator():
    context = CONTEXTS["elementary"]
    view = Evolution(view="exp")
    *_, (_, state) = rounds(context, view, 3, 0, random_losses)
    formulas = Batch.pack([Expr.parse("exp(x*y + 2.0)"), Expr.parse("x*y")], PROBLEM.names)
    guests = view.welcome(context, state, formulas).guests
    assert [str(e) for e in guests.unpack()] == ["x*y"]


def test_selection_presses_towards_small_losses():
    """With true losses the record falls; that is all that evolution is asked for here."""
    context = CONTEXTS["elementary"]

    def measured(batch, rng):
        return measure(context, batch, Front()).loss
    records = [state.record for _, state in rounds(context, Evolution(), 16, 0, measured)]
    assert records[-1] < 0.6 * records[0] and (np.diff(records) <= 0).all()


def test_parents_are_winners():
    context = CONTEXTS["elementary"]
    *_, (_, state) = rounds(context, SMALL, 2, 0, random_losses)
    rng = np.random.default_rng(0)
    chosen = SMALL._parents(state, 5000, rng)
    assert state.loss[chosen].mean() < 0.7 * state.loss.mean()
    assert len(np.unique(state.complexity[chosen])) > 0.5 * len(np.unique(state.complexity))


# structure ----------------------------------------------------------------------------------------------------------------
def symbols(expr: Expr) -> frozenset:
    return frozenset(getattr(t, "name", "number" if isinstance(t, float | int) else t) for t in expr.tokens)


@pytest.mark.parametrize("name", CONTEXTS)
def test_few_members_are_alike(name):
    """At one complexity at most `alike` members are made of the same operators and variables; the best is among them."""
    for _, state in rounds(CONTEXTS[name], replace(SMALL, alike=2), 6, 2, random_losses):
        cells = list(zip(state.complexity.tolist(), structure(state.members).tolist(), strict=True))
        assert max(Counter(cells).values(), default=0) <= 2
    assert len(cells) > 50


def test_structure_is_the_set_of_operators_and_variables():
    batch = CONTEXTS["elementary"].rules.sample(300, 12, np.random.default_rng(1))
    found = structure(batch).tolist()
    sets = [symbols(e) for e in batch.unpack()]
    pairs = {(f, s) for f, s in zip(found, sets, strict=True)}
    assert len(pairs) == len(set(found)) >= 0.9 * len(set(sets))  # numbers, free or fixed, are two kinds there and one here
    assert len(structure(Batch.empty(PROBLEM.names))) == 0


# building blocks ------------------------------------------------------------------------------------------------------------
def test_blocks_are_spliced_into_children_and_survive_a_restart():
    context = CONTEXTS["elementary"]
    *_, (_, state) = rounds(context, SMALL, 2, 0, random_losses)
    block = Batch.pack([Expr.parse("tanh(inv(y)/cube(x))*y")], PROBLEM.names)
    count = lambda b: sum("tanh(inv(y)/cube(x))" in str(e) for e in b.unpack())  # noqa: E731
    plain, given = (
        count(SMALL.ask(context, SMALL.welcome(context, state, Batch.empty(PROBLEM.names), blocks=b), 2000, np.random.default_rng(0))[1])
        for b in (None, block))
    assert plain == 0 and given > 0
    state = SMALL.welcome(context, state, Batch.empty(PROBLEM.names), blocks=block)
    stale = replace(state, record=0.0, record_at=state.generation - SMALL.patience)
    fresh = SMALL.tell(context, stale, block, np.array([1.0]), np.random.default_rng(0))
    assert len(fresh.members) == 0 and fresh.blocks.unpack() == block.unpack()
    assert SMALL.welcome(context, fresh, block).blocks.unpack() == block.unpack()  # migrants alone do not replace them
    many = Batch.concatenate([block] * (BLOCKS + 5))
    assert len(SMALL.welcome(context, fresh, block, blocks=many).blocks) == BLOCKS


# measuring ------------------------------------------------------------------------------------------------------------------
@properties(100)
@given(st.lists(st.integers(0, 4), max_size=30))
def test_rank_in_group_counts_equal_neighbours_before(group):
    found = rank_in_group(np.array(group, np.int64)).tolist()
    assert found == [len(list(takewhile(lambda v, i=i: v == group[i], reversed(group[:i])))) for i in range(len(group))]


@properties(100)
@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0, np.inf, np.nan])), max_size=25))
def test_promising_shapes_beat_the_front_and_all_that_is_simpler(shapes):
    front = Front(floor=1e-9).merged([Candidate(Expr.var("x"), 2, 0.7), Candidate(Expr.var("x"), 4, 0.15)])
    complexity, loss = np.array([c for c, _ in shapes], np.int64), np.array([v for _, v in shapes], float)
    wanted, best = [], np.inf
    for level in range(1, 7):
        good = sorted(v for c, v in shapes if c == level and v < min(front.bound(level), best) and np.isfinite(v))
        wanted += [(level, v) for v in good[:3]]
        best = min([best, *good])
    chosen = promising(complexity, loss, front)
    assert [(complexity[i], loss[i]) for i in chosen] == wanted and len(set(chosen.tolist())) == len(chosen)


def test_more_starts_never_fit_worse_and_find_far_constants():
    context = CONTEXTS["elementary"]
    problem = RegressionProblem(as_table(X, np.sin(9.3 * X[:, 0]) + X[:, 1] * 0, ["x", "y"], target="z"))
    context = replace(context, problem=problem)
    shapes = Batch.pack([Expr.parse(t) for t in ("sin(x*1.0)", "x*y", "exp(x*1.0)", "log(x - 5.0)")], PROBLEM.names)
    one, many = (measure(context, shapes, Front(), starts=n) for n in (1, 60))
    assert (many.loss <= one.loss).all() and many.evaluations > one.evaluations
    assert one.loss[0] > 0.1 and many.loss[0] < 1e-9
    assert abs(abs(many.batch[0].constants[0]) - 9.3) < 1e-3
    assert many.loss[1] == one.loss[1] and many.batch[1] == shapes[1]
