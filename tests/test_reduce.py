"""Reduced tasks: what they find is composed back into the original columns, and their state survives as arrays."""

import numpy as np
import pytest

from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.rules import compile_rules
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.search.base import Context, measure
from symnum.search.checkpoint import from_arrays, to_arrays
from symnum.search.front import Front
from symnum.search.reduce import Parts, Structure
from symnum.search.run import Progress

RNG = np.random.default_rng(2)
X = RNG.uniform(1, 3, (300, 4))
NAMES = ("m", "v", "c", "t")
DATA = dict(zip(NAMES, X.T, strict=True))


def context(y, names=NAMES, grammar="elementary", **table):
    problem = RegressionProblem(as_table(X[:, : len(names)], y, names, **table))
    return Context.of(problem, compile_rules(Grammar.load(grammar), names), CpuEvaluator(1), 30)


def turns(c, n, search=None, state=None):
    """The front and the state after n turns, or an exact formula."""
    search = search or Structure()
    state = state or search.start(c, np.random.default_rng(0))
    front = Front(floor=c.problem.floor)
    for k in range(n):
        state, batch = search.ask(c, state, 1000, np.random.default_rng([1, k]))
        assert (c.admissible(batch) > 0).all()
        if len(batch):
            front = front.merged(measure(c, batch, front).candidates)
        if len(front) and front[-1].loss <= front.floor:
            break
    return front, state


@pytest.mark.parametrize("law", ["m*c^2/sqrt(1 + 2.3*v^2/c^2)", "m*t/(exp(0.4*v/c) - 1)"])
def test_the_law_is_found_in_fewer_columns(law):
    y = Expr.parse(law)(DATA)
    front, state = turns(context(y), 18)
    assert front[-1].loss <= front.floor, str(front[-1].expr)
    assert any(part.solved and len(part.path[-1].columns) < len(NAMES) for part in state.parts)


def test_units_reduce_without_looking_at_symmetries():
    y = DATA["m"] * DATA["c"] ** 2 * np.exp(-DATA["v"] / DATA["c"])
    c = context(y, NAMES[:3], units={"m": "kg", "v": "m/s", "c": "m/s", "E": "J"}, target="E")
    assert c.typing is not None
    _, state = turns(c, 3)
    reasons = [part.path[0].reason for part in state.parts if part.path]
    assert any("group" in reason or "unit" in reason for reason in reasons), reasons


def test_blocks_are_columns_of_reductions_in_the_original_names():
    c = context(DATA["m"] * np.log(1 + DATA["v"] / DATA["c"]))
    search = Structure()
    assert search.blocks(c, Parts()) is None
    _, state = turns(c, 5, search)
    blocks = search.blocks(c, state)
    assert set(blocks.names) == set(NAMES)
    assert any("v/c" in str(e) or "c/v" in str(e) for e in blocks.unpack())


def test_state_survives_as_arrays():
    c = context(DATA["m"] * np.log(1 + DATA["v"] / DATA["c"]) + 0.1 * RNG.normal(size=len(X)))
    _, state = turns(c, 6)
    progress = Progress(3, Front(floor=c.problem.floor), (state,))
    arrays = to_arrays(progress, c)
    assert all(a.dtype.kind in "iufUb" for a in arrays.values())  # no pickled object
    again = from_arrays(arrays, c, 1).states[0]
    second = to_arrays(Progress(3, Front(floor=c.problem.floor), (again,)), c)
    assert {k: v.tobytes() for k, v in arrays.items()} == {k: v.tobytes() for k, v in second.items()}
    one, batch = Structure().ask(c, state, 1000, np.random.default_rng(9))
    two, same = Structure().ask(c, again, 1000, np.random.default_rng(9))
    assert list(map(str, batch.unpack())) == list(map(str, same.unpack()))
    assert one.turn == two.turn


def test_noise_without_structure_and_columns_of_the_grammars_own():
    front, state = turns(context(RNG.normal(size=len(X))), 4)
    assert isinstance(state, Parts)
    grammar = Grammar.parse("e : e + e | m*e | m | v | CONST")
    problem = RegressionProblem(as_table(X, DATA["m"], NAMES))
    c = Context.of(problem, compile_rules(grammar, NAMES), CpuEvaluator(1), 20)
    assert turns(c, 4)[1].parts == ()  # a grammar that names its columns says where they may stand
