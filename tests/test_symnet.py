"""Symbolic networks: what is read out is what was trained, a seed gives one course of events, and nothing leaves the grammar."""

import ast
import importlib.util
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from symnum.discovery import discover
from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.grammar import Grammar
from symnum.language.rules import compile_rules
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.search import symnet
from symnum.search.base import Context, measure
from symnum.search.checkpoint import from_arrays, to_arrays
from symnum.search.front import Front
from symnum.search.run import Progress
from symnum.search.symnet import GONE, Layout, Networks, Standard, SymNet, Vocabulary, improved
from symnum.search.symnet_torch import EDGE, NEAR_ONE, Reader, Trainer, read_out, smooth_root, structure_mask

SPEC = importlib.util.spec_from_file_location("symnet_run", Path(__file__).parents[1] / "experiments" / "symnet" / "run.py")
EXPERIMENT = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(EXPERIMENT)
RNG = np.random.default_rng(3)
X = RNG.uniform(0.5, 2.0, (60, 4)) * (1.0, 1e3, 1e-3, 1.0) + (0.0, 0.0, 0.0, 5.0)
TINY = {"structures": 6, "restarts": 1, "layers": 2, "width": 2, "steps": 12, "work": 5}


def context(X: np.ndarray, y: np.ndarray, grammar: str = "elementary", names=None, units=None, **options) -> Context:
    problem = RegressionProblem.from_table(as_table(X, y, names, units=units or {}), **options)
    return Context.of(problem, compile_rules(Grammar.load(grammar), problem.names), CpuEvaluator(1), 30)


CONTEXT = context(X, X[:, 0] * X[:, 1] + np.sin(X[:, 3]), names=("a b", "γ", "c", "x"))


def rounds(where: Context, search: SymNet, seed: int = 0, state=None, generations: int = 1):
    """(state, batch) at the end of each generation of networks; its losses are told."""
    rng = np.random.default_rng(seed)
    state = search.start(where, rng) if state is None else state
    for _ in range(generations):
        while True:
            state, batch = search.ask(where, state, 1000, rng)
            if len(batch):
                yield state, batch
                loss = where.problem.score(batch, where.evaluator).loss
                state = search.tell(where, state, batch, loss, rng)
            if state.step == 0:
                break


def networks(where: Context, count: int, layers: int = 2, width: int = 3, spread: float = 0.7, seed: int = 0):
    """Random networks: trainer, weights in use (some zero), data."""
    rng = np.random.default_rng(seed)
    vocabulary, data = Vocabulary.of(where), Standard.of(where)
    layout = Layout(len(where.rules.names), layers, width, len(vocabulary.operators))
    operator = rng.integers(-1, len(vocabulary.operators), (count, layout.nodes))
    trainer = Trainer(layout, vocabulary, operator, np.zeros(count, bool), data, 10)
    weight = spread * rng.standard_normal((count, layout.parameters)) * (rng.random((count, layout.parameters)) < 0.6)
    return trainer, (weight * trainer.allowed.numpy()).astype(np.float32), data


# reading out ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("grammar", ["elementary", "arithmetic"])
def test_formula_is_the_network_up_to_scale_and_offset(grammar):
    where = context(X, X[:, 0], grammar)
    trainer, weight, data = networks(where, 600)
    with torch.no_grad():
        out, nodes, outside = (t.double().numpy() for t in trainer.values(torch.from_numpy(weight), EDGE[0] / (1 + EDGE[1])))
    columns, spread, checked = data.X * data.spread, trainer.spreads(weight), 0
    for k in np.flatnonzero((outside == 0) & (np.abs(nodes).max(axis=(1, 2)) < 1e3) & (out.std(axis=1) > 1e-2)):
        own = trainer.operator[k], weight[k].astype(float), spread[k]
        reader = Reader(trainer.layout, trainer.vocabulary, *own, data, where.rules.names)
        formula = reader.formula(0.0, 0.0)
        f = np.broadcast_to(formula(columns), len(columns))
        scaled = f / np.abs(f).max()
        left = out[k] - np.polyval(np.polyfit(scaled, out[k], 1), scaled)
        assert np.abs(left).max() < 2e-3 * max(1.0, np.abs(nodes[k]).max()), str(formula)
        checked += 1
    assert checked > 30


def test_what_is_read_is_in_the_grammar():
    trainer, weight, data = networks(CONTEXT, 60)
    found = read_out(trainer, weight, data, CONTEXT.rules.names)
    batch = Batch.pack([e for e, _ in found], CONTEXT.rules.names)
    assert len({k for _, k in found}) > 30
    assert (CONTEXT.rules.complexity(batch) > 0).all()


def test_higher_thresholds_leave_less_and_ratios_near_one_are_rounded():
    trainer, weight, data = networks(CONTEXT, 20)
    for k in range(20):
        reader = Reader(trainer.layout, trainer.vocabulary, trainer.operator[k], weight[k].astype(float), trainer.spreads(weight)[k], data,
                        CONTEXT.rules.names)
        sizes = [len(e.tokens) for t in (0.0, 0.1, 0.5, 1.0) if (e := reader.formula(t, 0.0)) is not None]
        assert sizes == sorted(sizes, reverse=True)
    layout = Layout(2, 1, 1, 1)
    where = context(X[:, [0, 3]], X[:, 0], names=("x", "z"))
    data = replace(Standard.of(where), spread=np.ones(2))
    weight = np.zeros(layout.parameters)
    weight[layout.block(1)] = [2.0, -2.0 * (1 - NEAR_ONE / 2), 0.0, 7.0]
    reader = Reader(layout, Vocabulary.of(where), np.array([-1]), weight, np.zeros(1), data, where.rules.names)
    exact, near = reader.formula(0.0, 0.0), reader.formula(0.0, NEAR_ONE)
    assert str(near) == "x - z" and exact.constants == pytest.approx((-(1 - NEAR_ONE / 2),), rel=1e-12)


def test_networks_that_are_not_finite_are_not_read():
    trainer, weight, data = networks(CONTEXT, 3)
    weight[1, np.flatnonzero(weight[1])[0]] = np.nan
    assert 1 not in {k for _, k in read_out(trainer, weight, data, CONTEXT.rules.names)}


def test_a_function_is_not_fed_by_its_own_kind_even_through_others():
    vocabulary = Vocabulary.of(CONTEXT)
    at = {op.name: i for i, op in enumerate(vocabulary.operators)}
    assert not vocabulary.above[at["sin"], at["cos"]] and vocabulary.above[at["exp"], at["sin"]] and vocabulary.above[at["mul"], at["mul"]]
    layout = Layout(1, 3, 1, len(at))
    mask = structure_mask(layout, vocabulary, np.array([[at["sin"], at["mul"], at["cos"]], [at["exp"], at["mul"], at["cos"]]]))
    third = mask[:, layout.block(2)].reshape(2, 2, layout.inputs(2))
    assert third[0, 0].tolist() == [1, 0, 0, 1] and third[1, 0].tolist() == [1, 1, 1, 1]
    assert not third[:, 1].any()  # cos has no second argument
    assert mask[0, layout.block(3)].tolist() == [1, 1, 1, 1, 1]


# training ---------------------------------------------------------------------------------------------------------------
def test_one_seed_gives_one_course_whatever_the_stretches():
    states = [list(rounds(CONTEXT, SymNet(**TINY | {"work": work}), 5, generations=2)) for work in (5, 5, 100)]
    assert len(states[0]) == 2 and not np.array_equal(states[0][0][0].weight, states[0][1][0].weight)
    for (a, one), (b, two), (c, three) in zip(*states, strict=True):
        assert all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) and np.array_equal(getattr(a, f.name), getattr(c, f.name))
                   for f in fields(Networks))
        assert one.unpack() == two.unpack() == three.unpack()


def test_what_is_asked_is_admissible_and_has_its_network():
    for state, batch in rounds(CONTEXT, SymNet(**TINY), 1, generations=2):
        complexity = CONTEXT.admissible_shapes(batch)
        assert (complexity > 0).all() and (complexity <= CONTEXT.max_complexity).all()
        assert len(state.origin) == len(batch) == len(batch.dedup())
        assert (state.origin >= 0).all() and (state.origin < len(state.weight)).all()


def test_a_law_of_products_is_found():
    rng = np.random.default_rng(1)
    table = rng.uniform(-2, 2, (100, 6))
    where = context(table, table[:, 0] * table[:, 3] - 0.5 * table[:, 1] * table[:, 4] + table[:, 5], "arithmetic")
    search, front = SymNet(structures=12, restarts=1, layers=1, width=3, steps=200, work=200), Front(floor=where.problem.floor)
    for _, batch in rounds(where, search, generations=2):
        front = front.merged(measure(where, batch, front).candidates)
    assert front[-1].loss < 1e-20


def test_training_lowers_the_misfit_and_drops_weights():
    search = SymNet(**TINY | {"steps": 100, "work": 1})
    rng = np.random.default_rng(0)
    state, _ = search.ask(CONTEXT, search.start(CONTEXT, rng), 100, rng)
    trainer = search._trainer(CONTEXT, state)

    def misfit(weight, centred):
        with torch.no_grad():
            out = trainer.values(trainer.effective(torch.from_numpy(weight) * trainer.allowed, centred), 0.1)[0]
            return ((out - trainer.y) ** 2 @ trainer.row_weight).numpy()

    end, step = trainer.train((state.weight, state.slope, state.square, state.norm), 1, 100, None)
    assert step == 100
    assert np.median(misfit(end[0], torch.zeros_like(trainer.centred))) < 0.5 * np.median(misfit(state.weight, trainer.centred))
    assert (end[0] != 0).sum() < 0.9 * trainer.allowed.sum().item()
    assert not end[0][trainer.allowed.numpy() == 0].any()


def test_the_deadline_ends_training():
    search, rng = SymNet(**TINY), np.random.default_rng(0)
    state = search.start(CONTEXT, rng)
    after, batch = search.ask(replace(CONTEXT, deadline=time.monotonic() - 1), state, 100, rng)
    assert after is state and len(batch) == 0
    state, _ = search.ask(CONTEXT, state, 100, rng)
    arrays = state.weight, state.slope, state.square, state.norm
    assert search._trainer(CONTEXT, state).train(arrays, 5, 12, time.monotonic() - 1)[1] == 5


def test_smooth_root_joins_smoothly():
    w = torch.tensor([0.01 - 1e-7, 0.01 + 1e-7], dtype=torch.float64, requires_grad=True)
    value = smooth_root(w)
    slope, = torch.autograd.grad(value.sum(), w)
    assert abs(value[0] - value[1]) < 2e-6 and abs(slope[0] - slope[1]) < 1e-3 and slope[0] == pytest.approx(5.0, rel=1e-3)


# states and the controller ----------------------------------------------------------------------------------------------
def test_a_saved_state_goes_on_as_if_nothing_had_happened():
    search, rng = SymNet(**TINY), np.random.default_rng(2)
    state, _ = search.ask(CONTEXT, search.start(CONTEXT, rng), 100, rng)
    arrays = to_arrays(Progress(1, Front(), (state,)), CONTEXT)
    assert all(isinstance(a, np.ndarray) and a.dtype != object for a in arrays.values())
    again = from_arrays(arrays, CONTEXT, 1).states[0]
    assert again.step == 5 and isinstance(again.finished, bool)
    one, two = (next(rounds(CONTEXT, SymNet(**TINY), 7, s)) for s in (state, again))
    assert np.array_equal(one[0].weight, two[0].weight) and one[1].unpack() == two[1].unpack()


def test_controller_learns_what_is_rewarded_and_nothing_else():
    layout, rng = Layout(3, 2, 2, 5), np.random.default_rng(0)
    row = layout.row()
    logit = np.zeros((row.max() + 1, 5))
    logit[0, 2:] = GONE
    for _ in range(40):
        choice = (logit[row] + rng.gumbel(size=(16, len(row), 5))).argmax(axis=2)
        used = layout.used(choice)
        operators = layout.node_operators(choice)
        reward = (operators == 3).any(axis=1).astype(float)
        logit = improved(logit, row, choice, used, reward)
    p = np.exp(logit[4:]) / np.exp(logit[4:]).sum(axis=1, keepdims=True)
    assert p[0].argmax() == 3 and p[0, 3] > 0.4
    assert (logit[0, 2:] == GONE).all() and np.isfinite(logit).all()


def test_structures_of_one_layer_have_no_nodes_in_the_second():
    layout = Layout(3, 2, 2, 4)
    choice = np.array([[0, 0, 1, 1, 2, 3, 1, 0], [1, 0, 0, 1, 2, 3, 1, 0]])
    assert layout.choices == choice.shape[1]
    assert layout.node_operators(choice).tolist() == [[2, 3, -1, -1], [2, -1, 1, 0]]
    assert layout.used(choice)[0].tolist() == [True, True, True, False, True, True, False, False]


def test_every_option_can_be_drawn():
    search = SymNet(layers=1, width=1)
    logit = search.start(context(X, X[:, 0], "arithmetic"), np.random.default_rng(0)).logit
    assert (logit > GONE).sum(axis=1).tolist() == [1, 4, 1, 2]


def test_a_controller_that_does_not_learn_stays():
    search = SymNet(**TINY, learns=False)
    states = [state for state, _ in rounds(CONTEXT, search, generations=2)]
    assert np.array_equal(states[0].logit, search.start(CONTEXT, np.random.default_rng(0)).logit) and np.array_equal(
        states[0].logit, states[1].logit)


def test_a_run_of_it_alone_finds_a_law_and_again():
    y = 3 * X[:, 0] * X[:, 1] - X[:, 3]
    problem = RegressionProblem.from_table(as_table(X, y))
    runs = [discover(problem, "arithmetic", search=(SymNet(structures=12, restarts=1, layers=1, width=2, steps=150, work=60),),
                     time_limit=None, max_evaluations=400, threads=1, seed=0) for _ in range(2)]
    assert runs[0].best.loss < 1e-9 * np.var(y)
    assert [c.expr for c in runs[0].front] == [c.expr for c in runs[1].front]
    assert runs[0].progress.states[0].generation == runs[1].progress.states[0].generation > 0


# the experiment ---------------------------------------------------------------------------------------------------------
def test_laws_are_drawn_from_their_seed_alone_and_have_three_to_eight_columns():
    for columns in (8, 20):
        for seed in range(3):
            table, y, fresh, truth, law = EXPERIMENT.draw_data(seed, columns, 0.0)
            assert 3 <= len(law.variables) <= 8 and table.shape == (500, columns) and np.isfinite(truth).all()
            assert np.array_equal(y, np.broadcast_to(law(table), 500)) and law == EXPERIMENT.draw_data(seed, columns, 0.0)[-1]
            rules = compile_rules(Grammar.load("elementary"), [f"x{i}" for i in range(columns)])
            assert 0 < rules.complexity(Batch.pack([law], rules.names))[0] <= EXPERIMENT.LARGEST


def test_sides_are_compared_on_the_laws_that_both_had():
    def result(seed, side, recovered, r2):
        return {"columns": 8, "seed": seed, "side": side, "recovered": recovered, "r2": r2}

    results = [result(0, "without", True, 1.0), result(0, "with", True, 1.0), result(1, "without", False, -9.0),
               result(1, "with", True, 1.0), result(2, "without", False, None), result(2, "with", False, 0.5),
               result(3, "without", True, 1.0)]
    found = EXPERIMENT.compared(results)
    assert found["laws"] == 3 and found["without"] == {"recovered": 1, "mean_r2": 0.3333, "median_r2": 0.0}
    assert found["with"]["recovered"] == 2 and found["only"] == {"without": 0, "with": 1}
    assert found["recovered_difference"]["mean"] == pytest.approx(1 / 3) and found["r2_difference"]["mean"] == pytest.approx(0.5)
    low, high = found["recovered_difference"]["interval"]
    assert low <= 1 / 3 <= high


# where it does not apply, and odd data --------------------------------------------------------------------------------
@pytest.mark.parametrize("options", [{"loss": "mae"}, {"grammar": "integer"},
                                     {"names": ("a", "b", "c", "d"), "units": {"a": "m", "b": "s", "c": "1", "d": "1", "y": "m/s"}}])
def test_where_it_has_nothing_to_offer_it_says_so(options):
    where, rng = context(X, X[:, 0] / X[:, 1], **options), np.random.default_rng(0)
    state = SymNet().start(where, rng)
    after, batch = SymNet().ask(where, state, 100, rng)
    assert state.finished and after is state and len(batch) == 0


@pytest.mark.parametrize("table, y", [
    (np.column_stack([X, np.zeros(60), np.full(60, 3.0)]), X[:, 0]),
    (X * 1e200, X[:, 0]),
    (X * 1e-200, 1e200 * X[:, 0]),
    (X, np.full(60, 2.5)),
    (X[:2], X[:2, 0]),
    (np.repeat(X, 15, axis=1), X[:, 0] * X[:, 1]),
], ids=["constant columns", "huge", "tiny", "constant target", "two rows", "sixty columns"])
def test_odd_data(table, y):
    where = context(table, y)
    for state, batch in rounds(where, SymNet(**TINY), generations=2):
        assert np.isfinite(state.weight).all() and np.isfinite(state.logit).all() and np.isfinite(batch.value).all()


@pytest.mark.parametrize("argument", ["structures", "restarts", "layers", "width", "steps", "work"])
def test_impossible_arguments_are_refused(argument):
    with pytest.raises(ValueError, match=f"{argument}.*at least 1, got 0"):
        SymNet(**{argument: 0})


def test_torch_is_imported_only_when_networks_are_trained():
    tree = ast.parse(Path(symnet.__file__).read_text(encoding="utf-8"))
    imports = [ast.unparse(n) for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    assert len(imports) > 5 and not [text for text in imports if "torch" in text]
