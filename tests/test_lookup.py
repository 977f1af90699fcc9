"""Look-ups against brute force."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from symnum.search import lookup


def entries(seed, n=30, rows=40):
    return np.random.default_rng(seed).normal(size=(n, rows)) + 0.3


def residual(T, weight, columns):
    """Relative weighted residual of the best linear combination with intercept, the slow way."""
    w = np.sqrt(weight)
    A = np.column_stack([np.ones(len(T)), *columns]) * w[:, None]
    r = T * w - A @ np.linalg.lstsq(A, T * w, rcond=None)[0]
    return (r @ r) / np.sum((w * (T - T @ weight)) ** 2)


def weights(seed, rows=40):
    w = np.random.default_rng(seed + 1).uniform(0.2, 1, rows)
    return w / w.sum()


def best(hits):
    return min(hits, key=lambda h: h[0])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_add_finds_the_best_pair(seed):
    V, w = entries(seed), weights(seed)
    T = np.random.default_rng(seed + 2).normal(size=V.shape[1])
    Z, distinct = lookup.standardised(V, w)
    assert len(distinct) == len(V)
    hits, c = lookup.Hits(2), np.ones(len(V), np.int64)
    lookup.add(T, w, Z, Z, c, c, hits)
    loss, _, (i, j) = best(hits)
    slow = min((residual(T, w, V[[a, b]]), a, b) for a in range(len(V)) for b in range(a + 1, len(V)))
    assert abs(loss - slow[0]) < 1e-9
    assert (i, j) == slow[1:]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_scale_finds_the_best_product(seed):
    V, w = entries(seed, n=16), weights(seed)
    T = np.random.default_rng(seed + 2).normal(size=V.shape[1])
    hits, c = lookup.Hits(2), np.ones(len(V), np.int64)
    lookup.scale(T, w, V, V, c, c, hits)
    loss, _, (i, j) = best(hits)
    slow = min((residual(T, w, [V[a], V[a] * V[b]]), a, b) for a in range(len(V)) for b in range(len(V)))
    assert abs(loss - slow[0]) < 1e-8
    assert (i, j) == slow[1:]


def test_triples_find_the_best_three():
    V, w = entries(5, n=14), weights(5)
    T = 2.0 + V[3] - 0.5 * V[7] + 3 * V[11] + 1e-4 * V[0]
    Z, _ = lookup.standardised(V, w)
    hits = lookup.Hits(1, 3)
    lookup.triples(T, w, Z, np.ones(len(V), np.int64), hits)
    loss, complexity, index = best(hits)
    assert index == (3, 7, 11)
    assert complexity == 3
    assert abs(loss - residual(T, w, V[[3, 7, 11]])) < 1e-9


def test_affine_copies_are_one():
    V = entries(1, n=4)
    doubled = np.concatenate([V, 3 - 2 * V, V * 5, np.ones((1, V.shape[1]))])
    _, distinct = lookup.standardised(doubled, weights(1))
    assert distinct.tolist() == [0, 1, 2, 3]


def test_products_are_exact_and_nothing_else():
    V = np.abs(entries(2, n=200)) + 0.1
    assert lookup.products(3.7 * V[5] * V[120], V) == [(5, 120)]
    assert lookup.products(3.7 * V[5] * V[120] + 1e-4, V) == []
    assert lookup.products(np.zeros(V.shape[1]), V) == []


def test_hits_fall_with_complexity():
    hits = lookup.Hits(2)
    hits.loss[3, 0], hits.index[3, 0] = 0.5, (1, 2)
    hits.loss[4, 1], hits.index[4, 1] = 0.6, (3, 4)  # larger and worse: not told
    hits.loss[5, 0], hits.index[5, 0] = 0.1, (5, 6)
    assert [h[2] for h in hits] == [(1, 2), (5, 6)]


def test_span_finds_sparse_sums_in_correlated_columns():
    x = np.linspace(1, 2, 200)
    D = np.array([x**k for k in range(8)] + [np.sin(x), np.exp(-x), np.log(x), 1 / x])
    span = lookup.Span(D)
    T = 2 * x**3 - 0.5 * np.log(x) + 4
    assert span.residuals(T[None])[0] < 1e-22
    kept, c = span.terms(T, 1e-20)
    np.testing.assert_allclose(c @ D[kept], T, rtol=1e-9)
    assert len(kept) <= 4
    assert span.terms(np.tanh(5 * (x - 1.5)), 1e-20) is None
