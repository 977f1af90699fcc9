"""The properties of laws against functions of which they are known."""

import numpy as np
import pytest

from symnum.encode.properties import PROPERTIES, curve_properties, law_properties, probe_points, probes, properties

X1 = np.random.default_rng(0).uniform(-3, 3, (100, 1))
X2 = np.random.default_rng(1).uniform(0.5, 3, (100, 2)) * np.random.default_rng(2).choice([-1, 1], (100, 2))
NAN = float("nan")


def of(law, X=X1, **options) -> dict[str, float]:
    return properties(law, X, **options)


@pytest.mark.parametrize(("law", "expected"), [
    (lambda Z: Z[:, 0] ** 2, {"non_convexity": 0, "even": 1, "odd": 0, "increasing": 0, "decreasing": 0, "periodic": 0}),
    (lambda Z: -(Z[:, 0] ** 2), {"non_convexity": 1, "even": 1}),
    (lambda Z: abs(Z[:, 0]), {"non_convexity": 0, "even": 1}),
    (lambda Z: np.exp(Z[:, 0]), {"non_convexity": 0, "even": 0, "odd": 0, "increasing": 1, "decreasing": 0, "oscillation": 0}),
    (lambda Z: -3 * Z[:, 0], {"non_convexity": 0, "odd": 1, "decreasing": 1, "increasing": 0, "upwardness": -1, "mean": 0.5}),
    (lambda Z: Z[:, 0] ** 3, {"odd": 1, "increasing": 1, "even": 0, "periodic": 0}),
    (lambda Z: np.sin(9 * Z[:, 0]), {"odd": 1, "even": 0, "periodic": 1, "increasing": 0}),
    (lambda Z: np.cos(9 * Z[:, 0]) + 1e6, {"even": 1, "periodic": 1}),
    (lambda Z: np.sin(9 * Z[:, 0]) + Z[:, 0] ** 2, {"odd": 0, "even": 0, "periodic": 0}),
    (lambda Z: np.sin(9 * Z[:, 0]) * np.exp(Z[:, 0]), {"periodic": 0}),
    (lambda Z: np.cos(2 * Z[:, 0]) * 1e150, {"even": 1}),
])
def test_curves(law, expected):
    found = of(law)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert np.isnan(found["additive"])
    assert np.isnan(found["symmetric"])


def test_numbers_of_a_curve():
    x = np.linspace(0, 1, 128)
    y = np.stack([np.sin(2 * np.pi * 3 * x), x, 1 - 2 * abs(x - 0.5)])
    found = curve_properties(y)
    assert found[0, 3] == pytest.approx(np.log(7))  # up, down, …: six turns
    assert found[1, :4] == pytest.approx([0, 1, 0.5, 0])
    assert found[2, 3] == pytest.approx(np.log(2))
    assert found[2, 1] == pytest.approx(0, abs=0.02)
    assert curve_properties(1e3 - y)[1:, 0].tolist() == [0, 0]  # convex, upside down


@pytest.mark.parametrize("y", [np.ones(64), np.full(64, 1e300), np.r_[np.nan, np.arange(63)], np.r_[np.inf, np.arange(63)], np.zeros(64)])
def test_no_shape_without_a_curve(y):
    assert np.isnan(curve_properties(y[None])).all()


def test_huge_and_tiny_curves_have_the_shape_of_others():
    x = np.linspace(-1, 1, 64)
    for scale in (1.7e308, 1e-300):
        assert curve_properties(scale * x[None]) == pytest.approx(curve_properties(x[None]))


@pytest.mark.parametrize("shape", [(64,), (2, 7), (2, 3, 4)])
def test_curves_of_other_shapes(shape):
    with pytest.raises(ValueError, match="curves of shape"):
        curve_properties(np.zeros(shape))


@pytest.mark.parametrize(("law", "expected"), [
    (lambda Z: Z[:, 0] * Z[:, 1], {"additive": 0, "multiplicative": 1, "symmetric": 1, "odd": 1, "even": 0, "increasing": 0}),
    (lambda Z: Z[:, 0] + Z[:, 1] ** 2, {"additive": 1, "multiplicative": 0, "symmetric": 0, "even": 0.5, "odd": 0, "increasing": 0.5}),
    (lambda Z: np.exp(Z[:, 0] + 2 * Z[:, 1]), {"additive": 0, "multiplicative": 1, "symmetric": 0, "increasing": 1}),
    (lambda Z: np.hypot(Z[:, 0], Z[:, 1]), {"even": 1, "symmetric": 1, "additive": 0, "multiplicative": 0}),
    (lambda Z: Z[:, 0] - Z[:, 1], {"additive": 1, "symmetric": 0, "increasing": 0.5, "decreasing": 0.5}),
    (lambda Z: Z[:, 0] / abs(Z[:, 1]), {"odd": 0.5, "even": 0.5, "multiplicative": 1}),
    (lambda Z: np.sin(Z[:, 0] * Z[:, 1]) + Z[:, 0], {"additive": 0, "multiplicative": 0, "symmetric": 0}),
])
def test_laws_of_two_columns(law, expected):
    found = of(law, X2)
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert np.isnan([found[name] for name in PROPERTIES[:5]]).all()


def test_irrelevant_columns_do_not_count():
    X = np.random.default_rng(0).normal(size=(80, 3))
    found = of(lambda Z: Z[:, 1] ** 2, X, relevant=[False, True, False])
    assert found["even"] == 1
    assert found["non_convexity"] == 0
    assert np.isnan(found["additive"])
    assert np.isnan(list(of(lambda Z: Z[:, 1], X, relevant=[False] * 3).values())).all()


def test_where_values_are_missing_nothing_is_known():
    found = of(lambda Z: np.log(Z[:, 0]), abs(X1) + 0.1)
    assert np.isnan(found["even"])  # log(-x)
    assert found["increasing"] == 1
    assert np.isnan(list(of(lambda Z: np.full(len(Z), NAN), X2).values())).all()


def test_many_columns_and_few_rows():
    X = np.random.default_rng(0).normal(size=(2, 10))
    found = of(lambda Z: Z.sum(axis=1), X)
    assert (found["additive"], found["symmetric"], found["increasing"]) == (1, 1, 1)
    with pytest.raises(ValueError, match="points of shape"):
        of(lambda Z: Z[:, 0], X[:1])


def test_a_batch_is_its_laws_one_by_one():
    X = np.random.default_rng(0).uniform(0.5, 2, (3, 30, 2))
    laws = (lambda Z: Z[:, 0] * Z[:, 1], lambda Z: Z[:, 0] ** 2, lambda Z: np.sin(Z[:, 1]))
    relevant = np.array([[True, True], [True, False], [False, True]])
    points = probe_points(probes(X, np.array([30, 20, 16])), relevant)
    values = np.stack([law(p) for law, p in zip(laws, points, strict=True)])
    found = law_properties(points, values, relevant)
    assert found.shape == (3, len(PROPERTIES))
    for d, law in enumerate(laws):
        alone = properties(law, X[d, : (30, 20, 16)[d]], relevant[d])
        assert found[d] == pytest.approx(list(alone.values()), nan_ok=True)
