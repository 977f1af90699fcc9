"""The towers: features lose no digit, symmetries hold exactly or to rounding, the cache changes nothing, losses do what they say."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from symnum.encode import losses
from symnum.encode.checkpoint import Checkpoint, read, write
from symnum.encode.config import Config, LossWeights, ModelSettings
from symnum.encode.features import FEATURES, number_features, robust_affine
from symnum.encode.feed import exact_keys, make_feed, remaining
from symnum.encode.graph import CONSTANT_CLASSES, Graph, constant_classes
from symnum.encode.model import JointModel, Vocabulary
from symnum.encode.numeric import NumericTower
from symnum.encode.public import Encoder
from symnum.encode.symbolic import SubtreeCache, SymbolicTower
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import BUILTIN, Op

SMALL = ModelSettings(width=24, heads=2, hidden=32, inducing=4, induced_blocks=1, full_blocks=1, seeds=2, pair_width=12, symbol_width=24,
                      symbol_hidden=32, joint=16, slots=8)
SYMBOLS = tuple(op.name for op in BUILTIN)
WORDS = Vocabulary(SYMBOLS, ("add", "mul", "sin"), ("mean", "parity"))
NAMES = ["x0", "x1", "x2"]


def pack(*texts, names=NAMES):
    return Batch.pack([Expr.parse(t) for t in texts], names)


def graph(*texts, generic=False, slots=(0, 1, 2)):
    return Graph.of(pack(*texts), np.array(slots), SMALL.slots, SYMBOLS, generic)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def symbolic():
    torch.manual_seed(0)
    return SymbolicTower(SMALL, len(SYMBOLS)).eval()


@pytest.fixture(scope="module")
def numeric():
    torch.manual_seed(0)
    return NumericTower(SMALL).eval()


def dataset(seed=0, D=3, N=20, V=3):
    rng = np.random.default_rng(seed)
    X = torch.from_numpy(rng.normal(size=(D, N, V)) * 10.0 ** rng.integers(-3, 4, (D, 1, V)))
    y = torch.from_numpy(rng.normal(size=(D, N)))
    return X, y, torch.ones(D, V, dtype=torch.bool), torch.ones(D, N, dtype=torch.bool), torch.tensor([5, 0, 3])


# features ----------------------------------------------------------------------------------------------------------------
@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from([torch.float32, torch.bfloat16]))
def test_a_float32_and_its_successor_have_other_features(value, kind):
    with np.errstate(all="ignore"):
        after = float(np.nextafter(np.float32(value), np.float32(np.inf)))
    if not math.isfinite(after) or abs(value) < 1e-37:  # torch flushes denormals in some modes; zero has its own sign
        return
    column = torch.tensor([[value, after, 0.0, 1.0]], dtype=torch.float64)
    features, _ = number_features(column, torch.ones(1, 4, dtype=torch.bool))
    assert torch.isfinite(features).all()
    assert not torch.equal(features[0, 0].to(kind), features[0, 1].to(kind))


def test_features_are_invertible_on_float32():
    values = torch.tensor(np.random.default_rng(0).normal(size=200) * 10.0 ** np.arange(-30, 30, 0.3)[:200], dtype=torch.float32)
    f = number_features(values.double()[None], torch.ones(1, 200, dtype=torch.bool))[0][0].double()
    digits = (f[:, 5:8] + 1) * 128
    mantissa = (digits * torch.tensor([2.0**-8, 2.0**-16, 2.0**-24], dtype=torch.float64)).sum(1)
    assert torch.equal((f[:, 2] * mantissa * 2.0 ** (f[:, 4] * 256)).float(), values)


def test_affine_is_robust_and_a_constant_has_scale_one():
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0, 1e30], [7.0] * 5, [0.0, 0.0, 0.0, 0.0, 1.0]], dtype=torch.float64)
    centre, scale = robust_affine(x, torch.ones(3, 5, dtype=torch.bool))
    assert centre[:, 0].tolist() == [3.0, 7.0, 0.0] and scale[:2, 0].tolist() == [2.0, 1.0] and 0 < scale[2, 0] < 1
    assert np.allclose(scale[0, 0], np.subtract(*np.percentile(x[0], [75, 25])))


@pytest.mark.parametrize("values", [[0.0] * 4, [1e308, -1e308, 0.0, 1e-308], [5e-324] * 4, [1e38, 1e38, 1e38, 1e38 * (1 + 1e-15)]])
def test_features_of_extreme_columns_are_finite(values):
    f, affine = number_features(torch.tensor([values], dtype=torch.float64), torch.ones(1, 4, dtype=torch.bool))
    assert f.shape == (1, 4, FEATURES) and torch.isfinite(f).all() and torch.isfinite(affine).all()


def test_what_is_absent_has_no_say():
    x = torch.tensor([[1.0, 2.0, 3.0, 999.0]], dtype=torch.float64)
    there = torch.tensor([[True, True, True, False]])
    f, affine = number_features(x, there)
    g, same = number_features(x[:, :3], there[:, :3])
    assert torch.equal(f[:, :3], g) and torch.equal(affine, same) and not f[:, 3].any()


# numeric tower ------------------------------------------------------------------------------------------------------------
def test_rows_in_another_order_change_nothing(numeric):
    X, y, columns, rows, slots = dataset()
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        a, b = numeric(X, y, columns, rows, slots), numeric(X[:, order], y[:, order], columns, rows, slots)
    assert torch.allclose(a[0], b[0], atol=2e-5) and torch.allclose(a[1], b[1], atol=2e-5)


def test_columns_in_another_order_carry_their_slots_and_outputs(numeric):
    X, y, columns, rows, slots = dataset()
    order = torch.tensor([2, 0, 1])
    with torch.no_grad():
        a, b = numeric(X, y, columns, rows, slots), numeric(X[:, :, order], y, columns, rows, slots[order])
        c = numeric(X, y, columns, rows, slots[order])
    assert torch.allclose(a[0], b[0], atol=2e-5) and torch.allclose(a[1][:, order], b[1], atol=2e-5)
    assert not torch.allclose(a[0], c[0], atol=1e-3)  # the slot matters: else laws could not name columns


def test_absent_rows_and_columns_have_no_say(numeric):
    X, y, columns, rows, slots = dataset()
    rows[:, 15:], columns[:, 1] = False, False
    X2, y2 = X.clone(), y.clone()
    X2[:, 15:], y2[:, 15:], X2[:, :, 1] = 1e9, -1e9, 77.0
    kept = torch.tensor([0, 2])
    with torch.no_grad():
        a, b = numeric(X, y, columns, rows, slots), numeric(X2, y2, columns, rows, slots)
        c = numeric(X[:, :15, kept], y[:, :15], columns[:, kept], rows[:, :15], slots[kept])
    assert torch.equal(a[0], b[0]) and torch.allclose(a[0], c[0], atol=2e-5)
    assert torch.isfinite(a[1]).all()


@pytest.mark.parametrize(("N", "V"), [(1, 1), (512, 8), (16, 2)])
def test_sizes_from_one_row_to_many(numeric, N, V):
    X, y = torch.randn(2, N, V, dtype=torch.float64), torch.randn(2, N, dtype=torch.float64)
    pooled, of_columns = numeric(X, y, torch.ones(2, V, dtype=torch.bool), torch.ones(2, N, dtype=torch.bool), torch.arange(V))
    assert pooled.shape == (2, numeric.pooled) and of_columns.shape == (2, V, SMALL.width) and torch.isfinite(pooled).all()


# graph and symbolic tower -------------------------------------------------------------------------------------------------
def test_equal_subtrees_are_one_node():
    g = graph("x0*x1 + sin(x0*x1)", "x1*x0", "pi + x0")
    assert len(g.key) == 7 and len(np.unique(g.key)) == 7
    assert (g.left[: g.level[1]] == -1).all() and (g.left < np.arange(7)).all() and (g.right < np.arange(7)).all()


def test_constants_by_class_and_generic():
    assert len(set(graph("1.5*x0", "1.6*x0", "-1.5*x0", "150.0*x0").roots)) == 3
    assert len(set(graph("1.5*x0", "1.6*x0", "-1.5*x0", "150.0*x0", generic=True).roots)) == 1
    assert len(set(graph("x0^2", "x0^3", "x0^(-2)", generic=True).roots)) == 3  # these are part of the skeleton
    mixed = graph("1.5*x0", "-1.5*x0", generic=np.array([True, False]))
    assert mixed.roots[0] != mixed.roots[1]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.booleans())
def test_every_number_has_a_class(values, fixed):
    found = constant_classes(np.array(values), np.full(len(values), fixed))
    assert ((found > 0) & (found < CONSTANT_CLASSES)).all()


def test_unknown_operators_and_columns_are_refused():
    with pytest.raises(ValueError, match="operators the encoder was trained with were required, got sin"):
        Graph.of(pack("sin(x0)"), np.arange(3), 8, ("add", "sinh"))
    with pytest.raises(ValueError, match="columns up to number 1"):
        Graph.of(pack("x2"), np.arange(2), 8, SYMBOLS)
    Op.from_function("bent_for_encoder", lambda a: a / (1 + a * a), 1)
    with pytest.raises(ValueError, match="bent_for_encoder"):
        graph("bent_for_encoder(x0)")


def test_swapped_operands(symbolic):
    with torch.no_grad():
        out = symbolic(graph("sin(x0) + x1*x2", "x2*x1 + sin(x0)", "x0 - x1", "x1 - x0", "x0/x1", "x1/x0"))
        assert torch.equal(symbolic(graph("x1 + x0")), symbolic(graph("x0 + x1")))
    assert torch.equal(out[0], out[1])
    assert not torch.allclose(out[2], out[3], atol=1e-3) and not torch.allclose(out[4], out[5], atol=1e-3)


def test_symmetric_pooling_itself_is_exact(symbolic):
    """Without the shared node: operands swapped in the arrays."""
    g = graph("sin(x0) + x1*x2")
    two = g.right >= 0
    swapped = replace(g, left=np.where(two, g.right, g.left), right=np.where(two, g.left, -1))
    with torch.no_grad():
        assert torch.equal(symbolic(g), symbolic(swapped))


def test_a_law_does_not_depend_on_its_batch(symbolic):
    with torch.no_grad():
        alone = [symbolic(graph(t))[0] for t in ("x0", "sin(x0*1.5)/x1", "exp(x2 + x1*x0) - 3")]
        together = symbolic(graph("x0", "sin(x0*1.5)/x1", "exp(x2 + x1*x0) - 3"))
    assert torch.allclose(torch.stack(alone), together, atol=1e-6)


def test_cached_equals_uncached(symbolic):
    cache = SubtreeCache(SMALL.symbol_width)
    first, second = graph("sin(x0*x1) + x2", "x0"), graph("exp(sin(x0*x1))", "x2/sin(x1*x0) + x0", "cos(x0) + 2.5*x1")
    with torch.inference_mode():
        symbolic(first, cache)
        known = len(cache)
        assert torch.allclose(symbolic(second, cache), symbolic(second), atol=1e-6)
        missing = cache.find(second.key)[0]
    assert known == len(first.key) and not missing.any() and len(cache) < len(first.key) + len(second.key)


def test_a_full_cache_forgets_and_goes_on(symbolic):
    cache = SubtreeCache(SMALL.symbol_width, capacity=6)
    texts = ["x0 + x1", "sin(x0)*x2", "exp(x1) - x2", "x0*x1*x2 + sin(x0*x1*x2) + cos(x1)/x0"]
    with torch.inference_mode():
        for text in texts * 2:
            assert torch.allclose(symbolic(graph(text), cache), symbolic(graph(text)), atol=1e-6)
            assert len(cache) <= 6


def test_gradients_reach_every_weight(symbolic):
    symbolic.zero_grad()
    symbolic(graph("sin(x0*x1) - 2.5/x2")).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in symbolic.parameters() if p.ndim == 2)


# sub-expressions ------------------------------------------------------------------------------------------------------------
def test_what_remains_of_a_law():
    law = pack("sin(x0*x1) + x0*x1")
    keys, given_one = exact_keys(law), exact_keys(pack("x0*x1"))[-1]
    assert remaining(keys, law.sizes, 0, 8, set()) == 8
    assert remaining(keys, law.sizes, 0, 8, {given_one}) == 4  # both occurrences
    assert remaining(keys, law.sizes, 0, 8, {keys[-1]}) == 1
    assert exact_keys(pack("1.5*x0"))[-1] != exact_keys(pack("1.6*x0"))[-1]


# losses ---------------------------------------------------------------------------------------------------------------------
def unit(*rows):
    return torch.nn.functional.normalize(torch.tensor(rows, dtype=torch.float32), dim=-1)


def test_equivalent_laws_are_never_negatives():
    data, laws = unit([1, 0], [0, 1]), unit([1, 0], [1, 0])
    none, scale = torch.empty(2, 0, 2), torch.tensor(10.0)
    twins = losses.contrastive(data, laws, none, torch.tensor([3, 3]), scale)
    assert twins.item() == pytest.approx(0.0, abs=1e-6)  # all are positives, nothing to be far from
    others = losses.contrastive(data, laws, none, torch.tensor([3, 4]), scale)
    assert others.item() > 1


def test_contrast_is_info_nce_where_keys_differ():
    torch.manual_seed(0)
    data, laws = unit(*torch.randn(5, 4).tolist()), unit(*torch.randn(5, 4).tolist())
    logits, target = 10 * data @ laws.T, torch.arange(5)
    expected = (torch.nn.functional.cross_entropy(logits, target) + torch.nn.functional.cross_entropy(logits.T, target)) / 2
    got = losses.contrastive(data, laws, torch.empty(5, 0, 4), target, torch.tensor(10.0))
    assert got.item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_near_neighbour_costs_more_than_a_far_one():
    data = laws = unit([1, 0, 0], [0, 1, 0])
    key, scale = torch.tensor([0, 1]), torch.tensor(5.0)
    edits = unit([1, .1, 0], [.1, 1, 0]), unit([0, 0, 1], [0, 0, 1])
    near, far = (losses.contrastive(data, laws, e[:, None], key, scale) for e in edits)
    assert near > far


def test_ranking_wants_the_better_neighbour_nearer():
    data, edits = unit([1, 0]), unit([1, 0], [0, 1])[None]
    scale = torch.tensor(5.0)
    right, wrong = (losses.ranking(data, edits, torch.tensor([e]), scale) for e in ([-3.0, 0.0], [0.0, -3.0]))
    assert right < wrong
    assert losses.ranking(data, edits, torch.tensor([[math.nan, 0.0]]), scale) == 0
    assert losses.ranking(data, edits, torch.tensor([[0.05, 0.0]]), scale) == 0  # alike
    assert losses.ranking(data, edits[:, :0], torch.empty(1, 0), scale) == 0


def test_masked_parts():
    target = torch.tensor([[1.0, math.nan], [math.nan, 3.0]])
    assert losses.masked_mse(torch.zeros(2, 2), target).item() == 5.0
    assert losses.masked_mse(torch.zeros(2, 2), torch.full((2, 2), math.nan)).item() == 0.0
    there = torch.tensor([True, False])
    assert losses.masked_bce(torch.tensor([0.0, 50.0]), torch.tensor([True, False]), there).item() == pytest.approx(math.log(2))


# the whole ------------------------------------------------------------------------------------------------------------------
def small_minibatch(size=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(size, 20, 3))
    rows = np.ones((size, 20), bool)
    rows[0, 16:] = False
    laws = pack(*["1.5*x0*x1", "sin(x0) + x2", "x0 - 2.0*x1", "exp(x1)"] * (size // 4))
    edits = pack(*["1.5*x0/x1", "1.5*x0", "cos(x0) + x2", "sin(x0)", "x0 + 2.0*x1", "x0", "log(x1)", "x1"] * (size // 4))
    error = rng.normal(size=(size, 2))
    error[3] = np.nan
    values = np.stack([np.asarray(laws[i](x0=X[i, :, 0], x1=X[i, :, 1], x2=X[i, :, 2])) for i in range(size)])
    return SimpleNamespace(
        X=X, y=values, columns=np.ones((size, 3), bool), rows=rows, expressions=laws, edits=edits, edit_error=error,
        skeleton=np.tile(np.array([1, 2, 3, 2**64 - 1], np.uint64), size // 4), operators=rng.random((size, 3)) < 0.5,
        relevant=rng.random((size, 3)) < 0.5, length=laws.lengths.astype(float),
        properties=np.where(rng.random((size, 2)) < 0.3, np.nan, 1.0))


CONFIG = Config.from_dict({"train": {"parts": 3, "subexpressions": 1.0, "batch": 8}, "corpus": {"variables": 3, "rows": 20},
                           "model": {name: getattr(SMALL, name) for name in SMALL.__dataclass_fields__}})


def test_a_feed_depends_on_seed_and_index_alone():
    a, b, c = (make_feed(small_minibatch(), CONFIG, SYMBOLS, i) for i in (3, 3, 4))
    assert np.array_equal(a.slots, b.slots) and np.array_equal(a.parts.values, b.parts.values) and np.array_equal(a.graph.key, b.graph.key)
    assert not np.array_equal(a.parts.values, c.parts.values)
    assert len(set(a.slots.tolist())) == 6


def test_sub_expressions_shorten_the_law_when_they_are_its_own():
    m = small_minibatch()
    with np.errstate(all="ignore"):
        parts = [make_feed(m, CONFIG, SYMBOLS, i).parts for i in range(8)]
    left, full = np.concatenate([p.length for p in parts]), np.tile(m.expressions.lengths, 8)
    assert (left <= full).all() and (left >= 1).all() and (left < full).any()
    nothing = ~np.concatenate([p.columns for p in parts]).any(1)
    assert nothing.any() and (left == full)[nothing].all()
    assert all(np.isfinite(p.values).all() and not p.values[~np.broadcast_to(p.columns[:, None], p.values.shape)].any() for p in parts)


def test_the_loss_falls_on_one_batch_and_every_weight_learns():
    torch.manual_seed(0)
    model = JointModel(SMALL, WORDS)
    feed = make_feed(small_minibatch(), CONFIG, SYMBOLS, 0)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    seen = []
    for _ in range(40):
        loss, parts = model(feed, LossWeights())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seen.append(loss.item())
    assert seen[-1] < 0.5 * seen[0] and parts["accuracy"] == 1.0
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    assert 1 < model.scale < 100


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    torch.manual_seed(0)
    model = JointModel(SMALL, WORDS)
    tensors = {f"average/{name}": p for name, p in model.state_dict().items()}
    path = tmp_path_factory.mktemp("encoder") / "encoder.safetensors"
    write(path, Checkpoint(tensors, 5, CONFIG, WORDS))
    return Encoder.load(path.parent)


def test_the_encoder_gives_numbers(encoder):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 3)), rng.normal(size=300)
    laws = encoder.embed_expressions(["x0*x1", "sin(x0)", "x1*x0"])
    assert laws.shape == (3, 16) and laws.dtype == np.float32 and np.allclose(np.linalg.norm(laws, axis=1), 1, atol=1e-5)
    assert np.array_equal(laws[0], laws[2])
    data = encoder.embed_data(X, y)
    assert np.array_equal(data, encoder.embed_data(X, y)) and np.linalg.norm(data) == pytest.approx(1, abs=1e-5)
    assert np.allclose(encoder.rank(["x0*x1", "sin(x0)"], X, y), laws[:2] @ data, atol=1e-6)
    assert np.allclose(encoder.rank(["b*a"], X, y, ["a", "b", "c"]), laws[0] @ data, atol=1e-6)
    look = encoder.look(X, y)
    assert set(look.operators) == {"add", "mul", "sin"} and look.relevance.shape == (3,) and look.length > 0
    assert all(0 < p < 1 for p in look.operators.values())
    assert set(encoder.properties("x0 + 1")) == set(encoder.properties(X, y)) == {"mean", "parity"}
    assert encoder.embed_expressions([]).shape == (0, 16)
    assert np.array_equal(*(encoder.embed_expressions([t], generic=True) for t in ("1.5*x0", "-99.5*x0")))


def test_a_law_of_columns_that_the_data_lack_is_refused(encoder):
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(ValueError, match="columns up to number 1 were required, got column 2"):
        encoder.rank(pack("x0 + x2"), X, X[:, 0])
    with pytest.raises(ValueError, match="variables must be among the columns"):
        encoder.rank(["x0 + x2"], X, X[:, 0])


@pytest.mark.parametrize(("X", "y", "message"), [
    (np.zeros((300, 9)), np.zeros(300), "1 to 8 columns were required, got 9"),
    (np.zeros((300, 0)), np.zeros(300), "columns were required, got 0"),
    (np.zeros((5, 2)), np.zeros(5), "at least 16 rows were required, got 5"),
    (np.zeros((0, 2)), np.zeros(0), "at least 16 rows"),
    (np.zeros((20, 2)), np.zeros(19), "X .rows, columns. and y .rows,. were required"),
    (np.zeros(20), np.zeros(20), "were required"),
    (np.full((20, 2), np.nan), np.zeros(20), "got 20 rows with NaN or Inf"),
    (np.zeros((20, 2)), np.r_[np.inf, np.zeros(19)], "got 1 rows with NaN or Inf"),
])
def test_data_that_cannot_be_read(encoder, X, y, message):
    with pytest.raises(ValueError, match=message):
        encoder.embed_data(X, y)


@pytest.mark.parametrize("X", [np.zeros((16, 1)), np.full((20, 2), 1e300), np.geomspace(1e-300, 1e300, 40)[:, None]])
def test_extreme_data_have_an_embedding(encoder, X):
    assert np.isfinite(encoder.embed_data(X, X[:, 0])).all()


def test_a_missing_or_damaged_encoder_says_what_to_do(encoder, tmp_path):
    assert Encoder.load().step > 0  # the one that ships
    with pytest.raises(ValueError, match="there is no file.*symnum encode train"):
        Encoder.load(tmp_path)
    path = tmp_path / "encoder.safetensors"
    tensors = {f"average/{name}": p for name, p in encoder.model.state_dict().items()}
    write(path, Checkpoint(tensors, 5, CONFIG, WORDS))
    good = path.read_bytes()
    assert read(path).vocabulary == WORDS and read(path).config == CONFIG
    for bad in (good[:-100], good[:40], b"", b"no safetensors", good[:-7] + bytes([good[-7] ^ 1]) + good[-6:]):
        path.write_bytes(bad)
        with pytest.raises(ValueError, match="damaged.*train one"):
            Encoder.load(path)
    write(path, Checkpoint(dict(list(tensors.items())[1:]), 5, CONFIG, WORDS))
    with pytest.raises(ValueError, match="do not fit the settings"):
        Encoder.load(path)
