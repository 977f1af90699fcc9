"""`Batch`: packing, slicing, splicing, hashing."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import BUILTIN, Op
from symnum.testing import expressions, properties, random_batch

NAMES = ("x", "y", "my column")
ARRAYS = ("code", "arg", "value", "offset")
expr_lists = st.lists(expressions(NAMES, BUILTIN), max_size=6)


def equal(a: Batch, b: Batch) -> bool:
    return a.names == b.names and all(
        np.array_equal(getattr(a, f), getattr(b, f)) and getattr(a, f).dtype == getattr(b, f).dtype for f in ARRAYS)


def subtree(expr: Expr, root: int) -> slice:
    """The tokens of the subtree rooted at `root`, by counting."""
    need, i = 1, root
    while need:
        need += (expr.tokens[i].arity if isinstance(expr.tokens[i], Op) else 0) - 1
        i -= 1
    return slice(i + 1, root + 1)


@properties(200)
@given(expr_lists)
def test_unpack_inverts_pack(exprs):
    batch = Batch.pack(exprs, NAMES)
    assert batch.unpack() == exprs and len(batch) == len(exprs)
    assert batch.lengths.tolist() == [len(e.tokens) for e in exprs]
    assert batch.complexity.tolist() == [e.complexity for e in exprs]
    assert batch.n_constants.tolist() == [len(e.constants) for e in exprs]
    assert batch.constants.tolist() == [c for e in exprs for c in e.constants]
    assert equal(pickle.loads(pickle.dumps(batch)), batch)


@properties(150)
@given(st.lists(st.tuples(expressions(NAMES), expressions(NAMES)), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_splice_against_python(pairs, random):
    hosts, donors = zip(*pairs, strict=True)
    at = [random.randrange(len(e.tokens)) for e in hosts]
    root = [random.randrange(len(e.tokens)) for e in donors]
    slow = []
    for host, donor, i, j in zip(hosts, donors, at, root, strict=True):
        cut = subtree(host, i)
        slow.append(Expr(host.tokens[: cut.start] + donor.tokens[subtree(donor, j)] + host.tokens[cut.stop :]))
    fast = Batch.pack(hosts, NAMES).splice(np.array(at), Batch.pack(donors, NAMES), np.array(root))
    assert equal(fast, Batch.pack(slow, NAMES))


@properties(100)
@given(expressions(NAMES))
def test_sizes(expr):
    batch = Batch.pack([Expr.var("y"), expr], NAMES)
    assert batch.sizes.tolist() == [1] + [len(expr.tokens[subtree(expr, i)]) for i in range(len(expr.tokens))]


def test_take_and_concatenate():
    batch = random_batch(np.random.default_rng(0), 50, NAMES, n_tokens=9)
    exprs = batch.unpack()
    index = np.array([3, 3, 0, 49])
    assert batch.take(index).unpack() == [exprs[i] for i in index]
    mask = np.arange(50) % 3 == 0
    assert batch.take(mask).unpack() == exprs[::3]
    assert equal(Batch.concatenate([batch.take(np.arange(20)), batch.take(np.arange(20, 50))]), batch)
    assert len(batch.take(np.zeros(0, int))) == len(Batch.empty(NAMES)) == 0


def test_with_constants():
    batch = random_batch(np.random.default_rng(1), 20, NAMES, n_tokens=7, constant=0.5)
    new = np.arange(len(batch.constants)) + 0.5
    changed = batch.with_constants(new)
    assert np.array_equal(changed.constants, new) and not np.array_equal(batch.constants, new)
    assert np.array_equal(changed.skeleton_hash(), batch.skeleton_hash())


@properties(150)
@given(st.lists(expressions(NAMES, ("add", "mul", "sub", "sin"), 3, (0.5, 1.5), (0, 2)), min_size=2, max_size=12))
def test_hashes_are_equal_exactly_for_equal_trees(exprs):
    def key(constants):
        def branch(op, a):
            return (op.name, *(sorted(a, key=repr) if "commutative" in op.laws else a))

        return [repr(e.fold(lambda t: ("c",) if isinstance(t, float) and not constants else (t,), branch)) for e in exprs]

    batch = Batch.pack(exprs, NAMES)
    for hashes, keys in ((batch.structural_hash(), key(True)), (batch.skeleton_hash(), key(False))):
        assert hashes.dtype == np.uint64
        assert [[a == b for b in keys] for a in keys] == (hashes[:, None] == hashes[None, :]).tolist()


def test_dedup_keeps_the_first():
    texts = ["x + y", "y + x", "x - y", "y - x", "2*x", "2.0*x", "x*2", "sin(x + y)", "sin(y + x)", "x + y"]
    kept = Batch.pack([Expr.parse(t) for t in texts], NAMES).dedup()
    assert [str(e) for e in kept.unpack()] == ["x + y", "x - y", "y - x", "2*x", "2.0*x", "sin(x + y)"]


def test_unknown_variables_are_named():
    with pytest.raises(ValueError, match=r"must be among the columns \['x'\], got \['q'\]"):
        Batch.pack([Expr.parse("x + q")], ["x"])


@pytest.mark.parametrize("n_tokens", [1, 2, 3, 10, 20, 41])
def test_random_batch_has_the_length(n_tokens):
    batch = random_batch(np.random.default_rng(n_tokens), 200, NAMES, n_tokens=n_tokens)
    assert set(batch.lengths.tolist()) == {n_tokens}
    assert all(len(e.tokens) == n_tokens for e in batch.unpack())  # Expr checks that the postfix is well-formed
    binary = random_batch(np.random.default_rng(0), 20, NAMES, ["add", "mul"], n_tokens)
    assert set(binary.lengths.tolist()) == {n_tokens if n_tokens % 2 else n_tokens - 1}
    assert equal(batch, random_batch(np.random.default_rng(n_tokens), 200, NAMES, n_tokens=n_tokens))
