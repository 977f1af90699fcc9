"""Searches that an encoder guides: priors that are no cages, seeds, pruning that ends itself, and encoders that are missing or damaged."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from symnum import SymbolicRegressor
from symnum.discovery import discover
from symnum.encode.checkpoint import ENCODER, Checkpoint, write
from symnum.encode.config import Config
from symnum.encode.index import SkeletonIndex
from symnum.encode.model import JointModel, Vocabulary
from symnum.encode.public import Encoder
from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.ops import CONST, Op
from symnum.language.rules import compile_rules
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.search.base import Context, measure
from symnum.search.checkpoint import from_arrays, to_arrays
from symnum.search.evolve import Evolution
from symnum.search.front import Front
from symnum.search.guide import BASE, PATIENCE, Guide, guide_of, telling
from symnum.search.prune import Pruning
from symnum.search.retrieve import Retrieval, subtrees

CONFIG = Config.from_dict({"model": {
    "width": 16, "heads": 2, "hidden": 16, "inducing": 4, "induced_blocks": 1, "full_blocks": 1, "seeds": 1, "pair_width": 8,
    "symbol_width": 16, "symbol_hidden": 16, "joint": 16, "slots": 6}, "corpus": {"variables": 2}, "train": {"parts": 1}})
SKELETONS = ("1.0*exp(1.0*x0)", "x0*exp(1.0*x1)", "x0 + sin(1.0*x1)", "sin(1.0*x0 + 1.0)", "x0/(1.0 + x1)", "x0*x1", "cos(1.0*x0)*x1",
             "log(x0 + 1.0)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An untrained encoder on disk, with a small index beside it."""
    torch.manual_seed(0)
    model = JointModel(CONFIG.model, Vocabulary.current())
    tensors = {f"average/{n}": t for n, t in model.state_dict().items()}
    path = tmp_path_factory.mktemp("encoder")
    write(path / ENCODER, Checkpoint(tensors, 0, CONFIG, model.vocabulary))
    encoder = Encoder.load(path)
    SkeletonIndex.of(encoder, Batch.pack([Expr.parse(t) for t in SKELETONS], ("x0", "x1", "x2"))).save(path / "index.npz")
    return path


def problem(columns=2, rows=80, law=lambda X: X[:, 0] * np.exp(-0.7 * X[:, 1]) + 2 * X[:, 0]):
    X = np.random.default_rng(0).uniform(0.5, 3, (rows, columns))
    return RegressionProblem.from_table(as_table(X, law(X)))


def context(folder, task=None, grammar="elementary", **uses):
    task = task or problem()
    return Context.of(task, compile_rules(Grammar.load(grammar), task.names), CpuEvaluator(1), 30, Guide(folder, **uses))


class Says:
    """An encoder that says what a test wants."""

    columns, digest = 6, "none"

    def __init__(self, operators, relevance):
        self.operators, self.relevance = operators, np.array(relevance)

    def look(self, X, y):
        return self


def saying(operators, relevance, grammar="elementary", columns=2):
    task = problem(columns)
    rules = compile_rules(Grammar.load(grammar), task.names)
    return Context.of(task, rules, CpuEvaluator(1), 30, Guide(Says(operators, relevance)))


# prior ------------------------------------------------------------------------------------------------------------------
@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["sin", "exp", "add", "div", "log", "sqrt"]), st.floats(0, 1)),
    st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_a_prior_keeps_the_language_and_a_share_of_every_chance(operators, relevance):
    c = saying(operators, relevance)
    prior = c.guide.prior(c)
    assert len(prior.rules) == len(c.rules)
    assert (prior.rules.probability >= BASE**2 * c.rules.probability - 1e-12).all()  # a column's share and an operator's
    sample = c.rules.sample(200, 12, np.random.default_rng(1))
    np.testing.assert_array_equal(prior.rules.complexity(sample), c.rules.complexity(sample))
    assert set(prior.operators.tolist()) == set(c.rules.operator_codes.tolist())


def test_a_prior_draws_what_is_likely_more_often():
    c = saying({"sin": 0.99, "exp": 0.01, "log": 0.01}, [0.99, 0.01])
    prior, rng = c.guide.prior(c), np.random.default_rng(0)
    code = {op.name: op.code for op in c.rules.grammar.operators}
    before, after = c.rules.sample(2000, 12, rng), prior.rules.sample(2000, 12, rng)
    share = {name: [np.mean(b.code == code[name]) for b in (before, after)] for name in ("sin", "exp")}
    assert share["sin"][1] > 2 * share["sin"][0] and share["exp"][1] < 0.6 * share["exp"][0]
    assert np.sum(prior.operators == code["sin"]) > 3 * np.sum(prior.operators == code["exp"])


def test_what_is_narrowed_is_a_smaller_language_and_none_where_nothing_is_unlikely():
    c = saying({"sin": 0.001, "cos": 0.9}, [0.9, 0.001])
    narrowed = c.guide.narrowed(c)
    sample = narrowed.rules.sample(300, 12, np.random.default_rng(0))
    assert (c.rules.complexity(sample) == narrowed.rules.complexity(sample)).all()
    assert not any("sin(" in str(e).replace("asin(", "") or "x1" in e.variables for e in sample.unpack())
    sure = saying({"sin": 0.5}, [0.9, 0.9])
    assert sure.guide.narrowed(sure) is None


def test_a_narrowed_grammar_has_no_part_that_ends_nowhere():
    operators = dict.fromkeys(("exp", "log", "tanh", "asin", "acos", "atan", "sin", "cos", "tan"), 0.0)
    c = saying(operators, [0.9, 0.9])
    grammar = c.guide.narrowed(c).rules.grammar
    assert {op.name for op in grammar.operators}.isdisjoint(operators) and "sum" not in grammar.nonterminals


def test_all_operators_unlikely_leave_the_leaves():
    c = saying(dict.fromkeys(("add", "sub", "mul", "div", "neg", "inv", "square", "cube", "sqrt"), 0.0), [0.0, 0.0], "arithmetic")
    assert c.guide.narrowed(c) is None  # no column is relevant: nothing to look through
    assert len(c.guide.prior(c).rules) == len(c.rules)


def test_many_columns_are_shown_by_how_much_they_tell():
    X = np.random.default_rng(0).normal(size=(300, 30))
    assert {3, 17} <= set(telling(X, X[:, 3] ** 2 + X[:, 17], 6).tolist())


# seeds ------------------------------------------------------------------------------------------------------------------
def test_retrieval_finds_constants_inside_two_terms(folder):
    c = context(folder)
    search, rng, front = Retrieval(), np.random.default_rng(0), Front(floor=problem().floor)
    state = search.start(c, rng)
    for turn in range(PATIENCE + 4):
        state, shapes = search.ask(c, state, 1000, rng)
        assert (len(shapes) > 0) == (turn >= PATIENCE)
        if len(shapes):
            m = measure(c, shapes, front, starts=2)
            front, state = front.merged(m.candidates), search.tell(c, state, m.batch, m.loss, rng)
    assert front[-1].loss <= front.floor
    assert state.evaluations > 0 and len(search.blocks(c, state)) > 0


def test_asking_is_pure_and_survives_a_checkpoint(folder):
    c = context(folder)
    search, rng = Retrieval(), np.random.default_rng(0)
    state = search.start(c, rng)
    for _ in range(PATIENCE + 2):
        state, shapes = search.ask(c, state, 1000, rng)
        if len(shapes):
            m = measure(c, shapes, Front())
            state = search.tell(c, state, m.batch, m.loss, rng)
    one, two = (Retrieval().ask(context(folder), state, 1000, rng)[1] for _ in range(2))
    np.testing.assert_array_equal(one.value, two.value)
    from symnum.search.run import Progress

    saved = from_arrays(to_arrays(Progress(3, Front(), (state,)), c), c, 1).states[0]
    three = Retrieval().ask(c, saved, 1000, rng)[1]
    np.testing.assert_array_equal(one.value, three.value)
    assert (saved.turn, saved.evaluations, saved.node_rows) == (state.turn, state.evaluations, state.node_rows)


@pytest.mark.parametrize("law", [
    lambda X: 1e200 * X[:, 0], lambda X: 1e-200 * X[:, 0], lambda X: np.where(X[:, 0] > 1, 1.0, 0.0), lambda X: 1 + 1e-15 * X[:, 0],
])
def test_retrieval_takes_strange_data(folder, law):
    c = context(folder, problem(law=law))
    search, rng = Retrieval(), np.random.default_rng(0)
    state = search.start(c, rng)
    for _ in range(PATIENCE + 3):
        state, shapes = search.ask(c, state, 1000, rng)
        m = measure(c, shapes, Front())
        state = search.tell(c, state, m.batch, m.loss, rng)
        assert (c.rules.complexity(shapes) > 0).all()


def test_more_columns_than_an_encoder_has_slots(folder):
    c = context(folder, problem(9, law=lambda X: X[:, 8] * np.exp(-0.7 * X[:, 2])))
    search, rng = Retrieval(), np.random.default_rng(0)
    state = search.start(c, rng)
    for _ in range(PATIENCE + 2):
        state, shapes = search.ask(c, state, 1000, rng)
    assert len(shapes) > 0 and (c.rules.complexity(shapes) > 0).all()
    assert np.isnan(c.guide._chances(c)[1]).sum() == 3  # columns that were not shown have no relevance


def test_subtrees_are_parts_of_what_was_given():
    batch = Batch.pack([Expr.parse("sin(x0)*x1 + 2.0"), Expr.parse("x0")], ("x0", "x1"))
    assert {str(e) for e in subtrees(batch).unpack()} == {"sin(x0)", "sin(x0)*x1", "sin(x0)*x1 + 2.0"}
    assert len(subtrees(Batch.empty(("x0",)))) == 0


# pruning ----------------------------------------------------------------------------------------------------------------
def test_pruning_keeps_what_is_cheap_the_likely_half_and_a_sample_of_the_rest():
    batch = Batch.pack([Expr.parse(f"sin({k}.5*x0)" if k % 2 else f"x0 + {k}") for k in range(400)], ("x0",))
    cosine = np.where(batch.n_constants > 0, np.arange(400) / 400, np.nan)
    _, chosen = Pruning().choose(batch, cosine, np.random.default_rng(0))
    costly = np.isfinite(cosine)
    assert chosen[~costly].all() and chosen[costly & (np.arange(400) >= 200)].all()
    assert 2 <= chosen[costly & (np.arange(400) < 200)].sum() <= 30


@pytest.mark.parametrize(("good", "on"), [(lambda likely, rng: likely, True), (lambda likely, rng: rng.random(len(likely)) < 0.3, False)])
def test_pruning_goes_on_only_where_it_pays(good, on):
    state, rng, names = Pruning(), np.random.default_rng(0), tuple(f"x{k}" for k in range(200))
    batch = Batch.pack([Expr.parse(f"sin(1.5*{name})") for name in names], names)
    for turn in range(30):
        cosine = rng.random(200)
        state, chosen = state.choose(batch, cosine, rng)
        state = state.told(batch.take(chosen), good(cosine[chosen] >= np.median(cosine), rng), rows=200)
        assert state.on or turn >= 5  # never before the trial is over
    assert state.on is on


def test_operators_unknown_to_the_encoder_are_never_pruned(folder):
    bend = Op.from_function("guided_bend", lambda x: x / (1 + x * x), 1)
    task = problem()
    grammar = Grammar.parse("expr : expr + expr | expr * expr | guided_bend(expr) | sin(expr) | CONST | VAR")
    c = Context.of(task, compile_rules(grammar, task.names), CpuEvaluator(1), 30, Guide(folder))
    batch = Batch.pack([Expr.parse("guided_bend(1.5*x0)"), Expr.parse("sin(1.5*x0)")], task.names)
    assert np.isnan(c.guide.cosines(c, batch)).tolist() == [True, False] and bend.name in {op.name for op in grammar.operators}


# whole runs -------------------------------------------------------------------------------------------------------------
LIMITS = {"time_limit": None, "max_evaluations": 60_000, "max_complexity": 14}


def test_one_seed_gives_one_front(folder):
    task = problem(law=lambda X: np.sin(2.3 * X[:, 0]) / X[:, 1] + np.log(X[:, 0] + X[:, 1] ** 2))
    one, two = (discover(task, encoder=folder, seed=3, threads=t, **LIMITS) for t in (1, 2))
    assert [(c.expr, c.loss) for c in one.front] == [(c.expr, c.loss) for c in two.front]
    assert one.config["encoder"] and any(name.startswith("retrieval") for name in one.config["searches"])


def test_a_run_goes_on_with_its_encoder_and_with_no_other(folder, tmp_path):
    task = problem(law=lambda X: np.sin(2.3 * X[:, 0]) / X[:, 1] + np.log(X[:, 0] + X[:, 1] ** 2))
    whole = discover(task, encoder=folder, seed=3, threads=1, **LIMITS)
    discover(task, encoder=folder, seed=3, threads=1, run_dir=tmp_path / "run", **LIMITS | {"max_evaluations": 30_000})
    with pytest.raises(ValueError, match="its configuration was required: encoder"):
        discover(task, encoder=None, seed=3, threads=1, run_dir=tmp_path / "run", resume=True, **LIMITS)
    resumed = discover(task, encoder=folder, seed=3, threads=1, run_dir=tmp_path / "run", resume=True, **LIMITS)
    assert [(c.expr, c.loss) for c in resumed.front] == [(c.expr, c.loss) for c in whole.front]


def test_a_missing_or_damaged_encoder_is_refused_before_work(folder, tmp_path):
    with pytest.raises(ValueError, match="there is no file .*; train one"):
        discover(problem(), encoder=tmp_path / "none", seed=0, **LIMITS)
    content = bytearray((folder / ENCODER).read_bytes())
    content[-100] ^= 1
    (tmp_path / ENCODER).write_bytes(content)
    with pytest.raises(ValueError, match="is damaged: its digest"):
        SymbolicRegressor(encoder=tmp_path, **LIMITS).fit(np.random.default_rng(0).uniform(1, 2, (30, 2)), np.arange(30.0))
    (tmp_path / ENCODER).write_bytes((folder / ENCODER).read_bytes())
    with pytest.raises(ValueError, match="an index of skeletons was required beside .*symnum encode index"):
        discover(problem(), encoder=tmp_path, seed=0, **LIMITS)
    (tmp_path / ENCODER).write_bytes(b"no encoder")
    with pytest.raises(ValueError, match="damaged or no safetensors"):
        discover(problem(), encoder=tmp_path, seed=0, **LIMITS)


def test_few_rows_and_other_tasks_have_no_guide(folder):
    assert guide_of(folder, problem(rows=15)) is None and guide_of(None, problem()) is None
    assert guide_of(folder, object()) is None and isinstance(guide_of(folder, problem(rows=16)), Guide)


def test_islands_are_not_guided_before_the_look(folder):
    c = context(folder)
    island = Evolution(guided=True, prunes=True)
    state = island.start(c, np.random.default_rng(0))
    island.ask(c, state, 100, np.random.default_rng(0))
    assert c.guide._encoder is None  # nothing loaded


def test_torch_has_its_threads_back_after_a_run(folder):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    discover(problem(law=lambda X: np.sin(9 * X[:, 0]) / np.log(X[:, 1] + X[:, 0])), encoder=folder, seed=0, threads=1, **LIMITS)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_nothing_of_torch_without_an_encoder():
    code = """
import sys, numpy as np
from symnum.discovery import discover
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
X = np.random.default_rng(0).uniform(1, 2, (40, 2))
y = np.sin(9 * X[:, 0]) / np.log(X[:, 1] + X[:, 0])
discover(RegressionProblem.from_table(as_table(X, y)), encoder=None, time_limit=None, max_evaluations=20_000, seed=0)
assert "torch" not in sys.modules
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == ""


def test_constants_of_retrieved_skeletons_are_free(folder):
    c = context(folder)
    found, cosine = c.guide.encoder.index.nearest(c.guide.encoder, np.random.default_rng(0).uniform(1, 2, (30, 2)), np.arange(30.0), 5)
    assert (np.diff(cosine) <= 0).all() and (found.value[found.code == CONST] == 1).all()
