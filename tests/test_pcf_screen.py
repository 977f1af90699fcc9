"""Screening kernels against exact convergents."""

import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from symnum.numbers.pcf import PCF
from symnum.numbers.pcf_domain import Domain, limits
from symnum.numbers.pcf_filter import PRIMES, exponent, exponents, nilpotent, nilpotent_pairs
from symnum.numbers.pcf_screen import LANES, Sieve, compress, rescale_every, screen, tables

coefficient = st.integers(-20, 20)


def screened(a, b, stages=(32, 64, 200)):
    found = screen(tables(np.array([a])), tables(np.array([b])), np.array([1]), Sieve.all(), np.array(stages))
    return found.values[0] if len(found.values) else None


@given(st.lists(coefficient, min_size=2, max_size=4), st.lists(coefficient, min_size=1, max_size=5))
def test_a_screened_value_is_the_convergent(a, b):
    if not any(a) or not any(b) or PCF(tuple(a), tuple(b)).last_term is not None:
        return
    value = screened(a, b, (32,))
    if value is None:
        return
    pcf = PCF(tuple(a), tuple(b))
    exact = float(arb(pcf.convergent(32)))
    # convergents of one value may pass through large cancellation, which shows in the one before
    before = float(arb(pcf.convergent(31)))
    assert abs(value - exact) <= 1e-9 * max(1, abs(exact)) + abs(exact - before)


def test_fast_and_slow_fractions_converge_at_their_stage():
    assert screened((34, 51, 27, 5), (-1, 0, 0, 0, 0, 0, 0)) == pytest.approx(4.991444235484244812, abs=1e-12)
    assert screened((1, 3), (-1, 0)) == pytest.approx(np.e, abs=1e-12)
    assert screened((2, 1), (9, 0, 0), (32,)) is None
    assert screened((2, 1), (9, 0, 0)) == pytest.approx(3 / np.arctan(3), abs=1e-11)
    assert screened((2, 3, 3, 1), (-1, 0, 0, 0, 0, 0, 0)) is None  # like n^-2
    assert screened((1, 0), (-5, 0, 0)) is None  # diverges


def test_the_wildest_coefficients_do_not_overflow():
    a, b = (1 << 39, 5, 0, 0, 0, 1), (1 << 39, *[0] * 9, 7)
    value = screened(a, b)
    assert value == pytest.approx(float(arb(PCF(a, b).convergent(40))), rel=1e-12)
    assert rescale_every(tables(np.array([a])), tables(np.array([b]))) in range(2, 33, 2)
    assert screened((1, 0, 0, 0), (1, 0)) is not None  # a(0) = 0


def test_lanes_and_tails_of_lanes_agree():
    """Every b by itself gives what it gives among others, whatever the lane; only the first ones asked for are run."""
    part, i, j = Domain.all(1, 2, -3, 3).block(0)
    a, b = part.a_side(i), part.b_side(j)
    strict, _ = limits(a, b)
    at, bt = tables(a.rows), tables(b.rows)
    assert bt.shape[1] % LANES == 0
    every = screen(at, bt, strict, Sieve.all())
    alone = {}
    for x in range(0, len(a.rows), 5):
        for y in range(0, strict[x], 7):
            one = screen(tables(a.rows[x:x + 1]), tables(b.rows[y:y + 1]), np.array([1]), Sieve.all())
            alone[x, y] = one.values[0] if len(one.values) else None
    together = dict(zip(zip(every.a.tolist(), every.b.tolist(), strict=True), every.values, strict=True))
    assert all(together.get(k) == pytest.approx(v, rel=1e-10, abs=1e-12) if v is not None else k not in together for k, v in alone.items())
    assert all(y < strict[x] for x, y in together)
    assert every.converged == len(every.values)


def test_more_hits_than_room_are_all_kept():
    part, i, j = Domain.all(1, 1, -16, 16).block(0)
    a, b = part.a_side(i), part.b_side(j)
    strict, _ = limits(a, b)
    assert strict.sum() > 1 << 16
    found = screen(tables(a.rows), tables(b.rows), strict, Sieve.all())
    assert len(found.values) == found.converged > 1 << 16


def test_the_sieve_lets_through_what_is_near():
    values = compress(np.array([0.0, 1.0, -2.5, 1e6, 1e-9]))
    sieve = Sieve.of(values, 1e-11)
    a = tables(np.array([[0, 1], [0, 7]]), 200)
    b = tables(np.array([[1, 0], [0, 0]]), 200)  # b = 0 in the second: the value is a(0)
    found = screen(a, b[:, 1:2].repeat(LANES, axis=1) * 0, np.array([1, 1]), sieve)
    assert found.converged == 2 and found.values.tolist() == [1.0]


def test_an_empty_side_gives_nothing():
    none = tables(np.empty((0, 2), dtype=np.int64))
    assert len(screen(none, none, np.empty(0, np.int64), Sieve.all()).values) == 0
    assert len(screen(tables(np.array([[1, 1]])), none, np.array([0]), Sieve.all()).values) == 0


@given(st.lists(coefficient, min_size=1, max_size=4), st.lists(coefficient, min_size=1, max_size=5))
def test_the_period_product_is_nilpotent_as_exact_matrices_say(a, b):
    pcf = PCF(tuple(a), tuple(b) if any(b) else (1,))
    passed = 0
    for p in PRIMES.tolist():
        x, x0, y, y0 = 1, 0, 0, 1
        pa, pb = pcf.polynomials
        for n in range(p):
            s, t = int(pa(n)) % p, int(pb(n)) % p
            x, x0, y, y0 = (s * x + t * x0) % p, x, (s * y + t * y0) % p, y
        passed += (x + y0) % p == 0 and (x * y0 - x0 * y) % p == 0
    assert nilpotent(a, pcf.b) == (passed >= 7)


def test_periods_pass_the_filter_and_exponentials_do_not():
    periods = [((2, 1), (1, 0, 0)), ((6, 9, 5, 1), (-1, *[0] * 6)), ((3, 3, 1), (-2, 0, 0, 0, 0))]
    others = [((1, 3), (-1, 0)), ((4, 2), (1,)), ((2, 1), (-1,))]
    assert all(nilpotent(*x) for x in periods) and not any(nilpotent(*x) for x in others)
    a, b = np.array([[2, 1], [1, 3]]), np.array([[1, 0, 0], [0, -1, 0], [1, 0, 1]])
    i, j = nilpotent_pairs(a, b, np.array([0, 0]), np.array([3, 3]))
    assert (i.tolist(), j.tolist()) == ([0], [0])


@pytest.mark.parametrize(("a", "b", "theta"), [
    ((2, 3, 3, 1), (-1, *[0] * 6), 2), ((2, 3, 11, 5), (-1, *[0] * 6), 6), ((4, 6, 12, 5), (-4, *[0] * 6), 4),
    ((2, 5, 42, 58, 45, 13), (-1, *[0] * 10), 12), ((2, 1), (1, 0, 0), None), ((2, 0), (-1, 5, 0), None), ((2, 2), (-1, 0, -1), None),
    ((0, 2), (-1,), None), ((2,), (-1,), None), ((1, 3), (-1, 0), None)])
def test_exponents_of_slow_fractions(a, b, theta):
    assert exponent(a, b) == theta
    assert exponents(np.array([a]), np.array([b])).tolist() == [theta or 0]


@given(st.integers(1, 6), st.lists(coefficient, min_size=1, max_size=3), st.lists(coefficient, min_size=4, max_size=6))
def test_exponents_of_many_are_those_of_each(lead, a, b):
    a = [2 * lead, *a]
    d = len(a) - 1
    b = [-lead * lead, (d * a[0] ** 2 - 2 * a[0] * a[1]) // 4, *b, *[0] * 6][: 2 * d + 1]
    assert exponents(np.array([[0, *a]]), np.array([b])).tolist() == [float(exponent(a, b) or 0)]


def test_exponents_of_huge_coefficients():
    huge = 10**30
    assert exponent((2 * huge, huge), (-huge**2, 0, huge**2)) == 2 and exponent((huge, 1), (huge, 0, 0)) is None


def test_torch_gives_what_the_kernel_gives():
    torch = pytest.importorskip("torch")
    from symnum.numbers.pcf_torch import screen_all

    part, i, j = Domain.all(1, 2, -4, 4).block(0)
    a, b = part.a_side(i), part.b_side(j)
    at, bt = tables(a.rows), tables(b.rows)
    values, converged = screen_all(at, bt, 32)
    everything = np.full(len(a.rows), len(b.rows))
    found = screen(at, bt, everything, Sieve.all(), np.array([32]))
    mask = torch.zeros_like(converged)
    mask[found.a.astype(np.int64), found.b.astype(np.int64)] = True
    agree = (mask == converged)[: len(a.rows), : len(b.rows)]
    assert agree.double().mean() > 0.9999  # rounding may part them at the very tolerance
    both = (mask & converged).numpy()[found.a, found.b]
    assert np.allclose(values.numpy()[found.a, found.b][both], found.values[both], rtol=1e-9, atol=1e-11)
    with pytest.raises(ValueError, match="device"):
        screen_all(at, bt, 32, device="cuda:99")
