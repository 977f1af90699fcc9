"""The index of skeletons: each law once, no benchmark's formula, queries that know no names of columns, files that are checked.

Also the map of the space, and the bookkeeping of the gates (experiments/encoder_gates).
"""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from symnum.encode.checkpoint import ENCODER, Checkpoint, write
from symnum.encode.config import Config
from symnum.encode.corpus import held_out
from symnum.encode.files import INDEX
from symnum.encode.index import (
    SkeletonIndex,
    canonical,
    column_orders,
    draw_skeletons,
    in_order_of_appearance,
)
from symnum.encode.keys import skeleton_keys
from symnum.encode.latent_map import COLOURS, latent_map
from symnum.encode.model import JointModel, Vocabulary
from symnum.encode.public import Encoder
from symnum.encode.skeletons import Source, depends, renamed_keys, uses
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import CONST

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
CONFIG = Config.from_dict({"model": {
    "width": 16, "heads": 2, "hidden": 16, "inducing": 4, "induced_blocks": 1, "full_blocks": 1, "seeds": 1, "pair_width": 8,
    "symbol_width": 16, "symbol_hidden": 16, "joint": 32, "slots": 8}, "corpus": {"variables": 2}, "train": {"parts": 1}})


def checkpoint(seed):
    torch.manual_seed(seed)
    model = JointModel(CONFIG.model, Vocabulary.current())
    with torch.no_grad():  # slots that can be told apart, as after training
        for p in (model.numeric.column_slot.weight, model.symbolic.leaf.weight):
            p.mul_(5.0)
    return Checkpoint({f"average/{n}": t for n, t in model.state_dict().items()}, 0, CONFIG, model.vocabulary)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def encoder():
    return Encoder(checkpoint(0))


@pytest.fixture(scope="module")
def skeletons():
    return draw_skeletons(300)


@pytest.fixture(scope="module")
def index(encoder, skeletons):
    return SkeletonIndex.of(encoder, skeletons)


def pack(*texts, names=("x0", "x1", "x2")):
    return Batch.pack([Expr.parse(t) for t in texts], names)


def data(columns, rows=30, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.5, 3, (rows, columns))
    return X, np.exp(X[:, 0]) - X[:, -1] ** 2


def texts(batch):
    return [str(e) for e in batch.unpack()]


# what is in it --------------------------------------------------------------------------------------------------------------
def test_each_law_is_drawn_once_and_none_of_a_benchmark(skeletons):
    keys, renamed = skeleton_keys(skeletons), renamed_keys(skeletons)
    assert len(skeletons) == 300 == len(np.unique(renamed))
    assert not np.isin(renamed, held_out()).any()
    used = uses(skeletons)
    assert (np.sort(used, axis=1)[:, ::-1] == used).all() and used[:, 0].all()  # x0, or x0 and x1, or all three
    assert (depends(skeletons, keys) == used).all()
    assert (np.diff(skeletons.lengths) >= 0).all()
    assert (skeletons.value[skeletons.code == CONST] == 1).all()


def test_benchmarks_are_left_out_by_their_keys(monkeypatch, skeletons):
    import symnum.encode.index as module

    forbidden = np.sort(renamed_keys(skeletons.take(np.arange(50))))
    monkeypatch.setattr(module, "held_out", lambda: forbidden)
    assert not np.isin(renamed_keys(draw_skeletons(200)), forbidden).any()


def test_a_seed_gives_one_index(skeletons):
    assert texts(draw_skeletons(60, seed=3)) == texts(draw_skeletons(60, seed=3)) != texts(draw_skeletons(60, seed=4))
    assert draw_skeletons(20, columns=1).names == ("x0",)


@pytest.mark.parametrize("arguments", [{"size": 0}, {"size": 5, "columns": 0}])
def test_sizes_that_cannot_be(arguments):
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        draw_skeletons(**arguments)


def test_canonical_spellings():
    laws, keys = canonical(pack("x2*sin(x1)", "sin(x2)*x0", "x1", "1.5*x0 + 0*x1", "x0/(x1 - x1)", "x1 + x0 - x0", "(x0 + x1)*3.5"))
    assert texts(laws) == ["x0", "x0*sin(x1)", "(x0 + x1)*1.0"] and len(np.unique(keys)) == 3
    assert texts(canonical(pack("x0", "sin(x1)"), keys)[0]) == ["sin(x0)"]


@settings(max_examples=10)
@given(st.permutations(range(4)), st.integers(0, 2**32 - 1))
def test_a_renamed_law_is_the_same_law(order, seed):
    laws = Source(("x0", "x1", "x2", "x3")).draw(np.random.default_rng(seed), 5)
    other = Batch(laws.code, np.array(order, np.int32)[laws.arg] * (laws.code == 0), laws.value, laws.offset, laws.names)
    one, two = in_order_of_appearance(laws), in_order_of_appearance(other)
    assert texts(one) == texts(two)
    assert (renamed_keys(one) == renamed_keys(laws)).all()


# queries --------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_the_nearest_are_those_of_a_full_comparison(encoder, index, columns):
    X, y = data(columns)
    best = {}
    unit = index.vectors / np.linalg.norm(index.vectors.astype(float), axis=1, keepdims=True)
    for order in column_orders(np.zeros(columns)):
        cosine = unit @ encoder.embed_data(X[:, order], y)
        fits = np.flatnonzero(index.used <= columns)
        laws = index.skeletons.take(fits)
        arg = np.where(laws.code == 0, order[np.minimum(laws.arg, columns - 1)], 0).astype(np.int32)
        keys = skeleton_keys(Batch(laws.code, arg, laws.value, laws.offset, tuple(f"x{c}" for c in range(columns))))
        for key, c in zip(keys.tolist(), cosine[fits].tolist(), strict=True):
            best[key] = max(best.get(key, -2), c)
    laws, cosine = index.nearest(encoder, X, y, 25)
    keys = skeleton_keys(laws)
    assert len(np.unique(keys)) == 25 and (np.diff(cosine) <= 0).all()
    np.testing.assert_allclose(cosine, sorted(best.values(), reverse=True)[:25], atol=2e-6)
    np.testing.assert_allclose(cosine, [best[k] for k in keys.tolist()], atol=2e-6)


def test_columns_have_no_order(encoder, index):
    X, y = data(4)
    laws, cosine = index.nearest(encoder, X, y, 40, ["a", "b", "c", "d"])
    order = [2, 0, 3, 1]
    again, other = index.nearest(encoder, X[:, order], y, 40, [("a", "b", "c", "d")[i] for i in order])
    np.testing.assert_allclose(cosine, other, atol=2e-6)
    clear = np.flatnonzero(-np.diff(cosine, append=-1) > 1e-5)  # those behind which there is a gap: before it the same laws must stand
    names = ["a", "b", "c", "d"]
    keys = skeleton_keys(Batch.pack(laws.unpack(), names)), skeleton_keys(Batch.pack(again.unpack(), names))
    assert len(clear) > 10 and all(set(keys[0][: c + 1].tolist()) == set(keys[1][: c + 1].tolist()) for c in clear)


def test_all_laws_of_an_index_each_once(encoder):
    index = SkeletonIndex.of(encoder, pack("x0", "x0 + x1", "x0/x1", "x0*x1*x2", "x0*x1 + x2"))
    X, y = data(3)
    laws, _ = index.nearest(encoder, X, y, 1000)
    quotients = [f"x{i}/x{j}" for i in range(3) for j in range(3) if i != j]
    expected = [*quotients, "x0", "x1", "x2", "x0 + x1", "x0 + x2", "x1 + x2", "x0*x1*x2", "x0*x1 + x2", "x0*x2 + x1", "x1*x2 + x0"]
    assert sorted(skeleton_keys(laws).tolist()) == sorted(skeleton_keys(pack(*expected)).tolist())
    assert texts(index.nearest(encoder, X[:, :1], y, 9)[0]) == ["x0"]
    many, same = data(8)
    assert len(index.nearest(encoder, many, same, 1000)[0]) == 4 + 6 + 12 + 4 + 12


def test_of_many_columns_the_relevant_ones(encoder, index):
    X, y = data(7)
    relevant = np.argsort(-encoder.look(X, y).relevance)[:4]
    found = uses(index.nearest(encoder, X, y, 300)[0]).any(axis=0)
    assert found[relevant].all() and not np.delete(found, relevant).any()


def test_an_empty_index_finds_nothing(encoder):
    laws, cosine = SkeletonIndex.of(encoder, Batch.empty(["x0", "x1"])).nearest(encoder, *data(2))
    assert len(laws) == len(cosine) == 0


def test_names_of_any_kind(encoder, index):
    X, y = data(2)
    found = index.nearest(encoder, X, y, 20, ["Länge [m]", "λ"])[0]
    assert found.names == ("Länge [m]", "λ") and {v for e in found.unpack() for v in e.variables} == {"Länge [m]", "λ"}


@pytest.mark.parametrize(("change", "message"), [
    ({"k": 0}, "k must be at least 1, got 0"),
    ({"names": ["a"]}, "2 distinct names"),
    ({"names": ["a", "a"]}, "2 distinct names"),
    ({"X": np.zeros((30, 2)) + np.nan}, "finite values"),
    ({"X": np.zeros(30)}, r"X \(rows, columns\)"),
    ({"X": np.zeros((3, 2)), "y": np.zeros(3)}, "at least 16 rows"),
    ({"X": np.zeros((30, 20)), "names": None}, "1 to 8 columns"),
])
def test_queries_that_cannot_be(encoder, index, change, message):
    X, y = data(2)
    with pytest.raises(ValueError, match=message):
        index.nearest(encoder, **({"X": X, "y": y, "k": 5} | change))


@pytest.mark.parametrize("X", [np.ones((20, 2)), np.tile([1e300, 1e-300], (20, 1)) * np.linspace(1, 2, 20)[:, None]])
def test_constant_and_extreme_columns_have_an_answer(encoder, index, X):
    laws, cosine = index.nearest(encoder, X, np.linspace(0, 1, 20), 5)
    assert len(laws) == 5 and np.isfinite(cosine).all()


@pytest.mark.parametrize("orders", [[[0, 0]], [[0]], [0, 1], [[0, 1, 2]], [[1, 2]]])
def test_orders_that_are_none(encoder, orders):
    with pytest.raises(ValueError, match="each a permutation of the columns 0 … 1"):
        encoder.embed_data(*data(2), orders)


def test_a_look_for_each_order(encoder):
    X, y = data(3)
    orders = column_orders(np.zeros(3))
    np.testing.assert_allclose(encoder.embed_data(X, y, orders), [encoder.embed_data(X[:, o], y) for o in orders], atol=1e-5)
    assert encoder.embed_data(X, y).shape == (32,)


def test_eight_bits_keep_directions(encoder, index, skeletons):
    exact = encoder.embed_expressions(skeletons, generic=True)
    kept = index.vectors / np.linalg.norm(index.vectors.astype(float), axis=1, keepdims=True)
    assert index.vectors.dtype == np.int8 and (kept * exact).sum(axis=1).min() > 0.9998


# files ----------------------------------------------------------------------------------------------------------------------
def test_saved_and_read_it_answers_the_same(encoder, index, tmp_path):
    again = SkeletonIndex.load(index.save(tmp_path / INDEX), encoder)
    assert texts(again.skeletons) == texts(index.skeletons) and again.digest == index.digest
    X, y = data(3)
    for one, two in zip(index.nearest(encoder, X, y, 30), again.nearest(encoder, X, y, 30), strict=True):
        assert texts(one) == texts(two) if isinstance(one, Batch) else (one == two).all()


def test_another_encoder_is_refused(encoder, index, tmp_path):
    other = Encoder(checkpoint(1))
    assert other.digest != encoder.digest == Encoder(checkpoint(0)).digest
    with pytest.raises(ValueError, match="of another encoder.*symnum encode index"):
        SkeletonIndex.load(index.save(tmp_path / INDEX), other)


def _as_array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def _without(path, name):
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files if key != name}
    np.savez(path, **arrays)


def _with(path, **changed):
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files} | changed
    np.savez(path, **arrays)


@pytest.mark.parametrize("damage", [
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(b"no archive"),
    lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    lambda path: path.write_bytes(path.read_bytes()[:900] + b"\0" * 200 + path.read_bytes()[1100:]),
    _as_array,
    lambda path: _without(path, "length"),
    lambda path: _with(path, about=np.array("{}")),
    lambda path: _with(path, about=np.array("{")),
    lambda path: _with(path, vectors=np.zeros((3, 32), np.int8)),
    lambda path: _with(path, length=np.zeros(300, np.uint16)),
    lambda path: _with(path, code=np.array([{}], object)),
])
def test_damaged_files_say_what_to_do(encoder, index, tmp_path, damage):
    path = index.save(tmp_path / INDEX)
    damage(path)
    with pytest.raises(ValueError, match="symnum encode index"):
        SkeletonIndex.load(path, encoder)


def test_no_file(encoder, tmp_path):
    with pytest.raises(ValueError, match="there is no file .*symnum encode index"):
        SkeletonIndex.load(tmp_path / INDEX, encoder)


def test_the_encoder_takes_the_index_beside_it_or_makes_one(index, skeletons, tmp_path, monkeypatch):
    write(tmp_path / ENCODER, checkpoint(0))
    X, y = data(2)
    made = []

    def build(cls, encoder, size=30):
        made.append(size)
        return cls.of(encoder, skeletons.take(np.arange(size)))

    monkeypatch.setattr(SkeletonIndex, "build", classmethod(build))
    alone = Encoder.load(tmp_path)
    assert len(alone.nearest(X, y, 3)) == 3 == len(alone.nearest(X, y, 3)) and made == [30] and len(alone.index) == 30
    index.save(tmp_path / INDEX)
    beside = Encoder.load(tmp_path / ENCODER)
    laws, cosine = index.nearest(beside, X, y, 5, ["a", "b"])
    assert beside.nearest(X, y, 5, ["a", "b"]) == list(zip(laws.unpack(), cosine.tolist(), strict=True)) and made == [30]
    write(tmp_path / ENCODER, checkpoint(1))
    with pytest.raises(ValueError, match="of another encoder"):
        Encoder.load(tmp_path).nearest(X, y)


# the map --------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("colour", ["ncr", "length"])
def test_a_map(encoder, colour):
    found = latent_map(encoder, colour, laws=24)
    assert found.colour in COLOURS and 4 <= len(found.laws) == len(found.values) == len(found.points) <= 24
    assert np.isfinite(found.points).all() and np.isfinite(found.values).all()
    assert uses(found.laws).sum(axis=1).max() == (1 if colour == "ncr" else 3)
    if colour == "length":
        assert (found.values == found.laws.lengths).all()
        assert (latent_map(encoder, colour, laws=24).points == found.points).all()


def test_maps_that_cannot_be(encoder):
    with pytest.raises(ValueError, match="did you mean upwardness"):
        latent_map(encoder, "upwardnes")
    with pytest.raises(ValueError, match="at least 8 laws were required, got 2"):
        latent_map(encoder, laws=2)


# the gates ------------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def gates():
    """The modules heads and retrieval of experiments/encoder_gates."""
    before = list(sys.path)
    sys.path[:0] = [str(EXPERIMENTS / name) for name in ("encoder_gates", "suites", "encoder_corpus")]
    import heads
    import retrieval

    sys.path[:] = before
    return heads, retrieval


def test_every_law_is_found_where_the_index_is_small(encoder, gates, monkeypatch):
    """All laws of the index come back when 1000 are asked for, so a law that is not found has got lost on the way."""
    _, retrieval = gates
    X, y = data(2)
    wide, other = data(4)
    problems = [(X, y, pack("exp(x1) - x0*x0", "exp(x1) - 1.5*x0", names=("x0", "x1"))),
                (wide, other, pack("x0*x1 + x2*x3", names=("x0", "x1", "x2", "x3")))]
    monkeypatch.setattr(retrieval, "feynman", lambda: problems)
    monkeypatch.setattr(retrieval, "EDITS", 0)
    (level, found), (noisy_level, _) = retrieval.measure(encoder, {"queries": 8, "index": 60}, 5, (0.0, 0.1))
    assert (level, noisy_level) == (0.0, 0.1)
    assert {key.rpartition(".")[0]: value[0] for key, value in found.items() if key.endswith("@1000")} == {
        "retrieval": 1.0, "feynman": 1.0, "feynman.all.order_given": 1.0}
    shares = [found[f"retrieval.recall@{k}"][0] for k in (1, 10, 100, 1000)]
    assert shares == sorted(shares)


def test_shares_with_intervals(gates):
    _, retrieval = gates
    assert retrieval.wilson(0, 10)[:2] == pytest.approx([0, 0]) and retrieval.wilson(10, 10)[2] == pytest.approx(1)
    np.testing.assert_allclose(retrieval.wilson(50, 100), [0.5, 0.4038, 0.5962], atol=1e-4)  # Newcombe 1998, doi:10.1002/sim.4780170802


def test_gates_of_the_heads(encoder, gates, monkeypatch):
    heads, _ = gates
    monkeypatch.setattr(heads, "BOOTSTRAP", 2)
    monkeypatch.setattr(heads, "EDITS", 4)
    sizes = {"laws": 24, "queries": 4}
    (_, found), (_, at_ten) = heads.measure(encoder, sizes, 5, (0.0, 0.1))
    assert {"length.spearman", "remaining.spearman", "operators.auc", "relevance.auc", "neighbours.spearman"} <= found.keys()
    assert all(low <= high and np.isfinite(value) for value, low, high in found.values())
    assert {k for k in found if k not in at_ten} == {k for k in found if k.startswith("properties.symbols.")}
    assert found["operators.auc"] != at_ten["operators.auc"]


def test_noise_and_ranks(gates):
    heads, _ = gates
    y, rows = np.tile(np.linspace(0, 5, 4000), (2, 1)), np.arange(4000) < np.array([[4000], [2000]])
    y = np.where(rows, y, 0)
    added = heads.noisy(y, rows, 0.1, 0) - y
    assert not added[~rows].any() and (heads.noisy(y, rows, 0.0, 0) == y).all()
    np.testing.assert_allclose([added[i, rows[i]].std() / y[i, rows[i]].std() for i in range(2)], 0.1, rtol=0.05)
    a = np.array([3.0, 1, 2, 2])
    assert heads.spearman(a, a**3) == pytest.approx(1) and heads.spearman(a, -a) == pytest.approx(-1) and heads.spearman(a, 0 * a) == 0
