"""Proofs by coboundary: found where they exist, checked by themselves, refused once anything in them is changed."""

import copy
import json

import pytest
from flint import ctx, fmpz_poly
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from symnum.numbers.coboundary import check_certificate, prove
from symnum.numbers.equivalence import family_key, high_first
from symnum.numbers.formula import ball
from symnum.numbers.gauge import Blocks, Gauge, determinant, gauge
from symnum.numbers.known import Anchor, anchors
from symnum.numbers.pcf import PCF, compose

PROVED = {  # fraction -> its value
    "inflated and shifted e": (PCF((-4, -20), (-16, 0)), "-2*e/(3 - e)"),
    "one step for a pair": (PCF((20, 86, 123, 59), (-64, -416, -1004, -1090, -504, -72, 0)), "64/pi + 24"),
    "of another family": (PCF((3, 8), (-2, -5, 3)), "-9*pi/(-32 + 9*pi)"),
    "Gauss": (PCF((2, 5), (1, 4, 0)), "8/(3*pi - 8)"),
}


@pytest.mark.parametrize("name", PROVED)
def test_a_value_is_proved_and_the_proof_checked(name):
    pcf, value = PROVED[name]
    certificate = prove(pcf)
    assert certificate is not None and check_certificate(certificate)
    assert check_certificate(json.loads(json.dumps(certificate)))
    with ctx.workdps(60):
        assert ball(certificate["formula"], 50).overlaps(ball(value, 50))
        assert ball(certificate["formula"], 50).overlaps(pcf.ball(20, depth=2048)) if pcf.proven_from else True


def test_a_pair_of_steps_may_stand_against_one():
    assert prove(PROVED["one step for a pair"][0])["folds"] == [1, 2]


def test_every_change_of_a_certificate_is_noticed():
    certificate = prove(PCF((3, 3), (-2, 1, 0)))
    assert certificate["kind"] == "coboundary" and check_certificate(certificate)
    changed = 0
    for path in leaves(certificate):
        for change in (1, -1, 2):
            bad = copy.deepcopy(certificate)
            *way, last = path
            place = bad
            for step in way:
                place = place[step]
            place[last] = place[last] + change if isinstance(place[last], int) else place[last] + "x" * change
            if path[0] == "from" and change > 0:
                continue  # the identity holds from there on too
            if place[last] == certificate.get(last):
                continue
            assert not check_certificate(bad), path
            changed += 1
    assert changed > 60


def leaves(x, path=()):
    if isinstance(x, dict | list):
        for key, inner in x.items() if isinstance(x, dict) else enumerate(x):
            yield from leaves(inner, (*path, key))
    elif not (isinstance(x, str) and x == ""):
        yield path


@pytest.mark.parametrize("garbage", [
    {}, {"kind": "equivalence"}, {"kind": "guess"}, {"fraction": None}, {"fraction": {"a": [], "b": [1]}},
    {"fraction": {"a": ["x"], "b": [1]}}, {"u": [[1], [0], [0], [1]]}, {"s": [0], "d": [0]}, {"folds": [3, 1]}])
def test_what_is_no_certificate_proves_nothing(garbage):
    full = prove(PCF((3, 3), (-2, 1, 0)))
    assert not check_certificate(garbage)
    assert not check_certificate(full | garbage) if garbage else True
    for key in full:
        assert not check_certificate({k: v for k, v in full.items() if k != key})
        if key != "formula":
            assert not check_certificate(full | {key: None})
    for key in ("from", "shifts"):
        assert not check_certificate(full | {key: 10**12 if key == "from" else [10**12, 0]})


def test_only_the_anchors_that_are_accepted_count():
    pcf = PCF((3, 3), (-2, 1, 0))
    certificate = prove(pcf)
    assert not check_certificate(certificate, known=[])
    lie = Anchor(PCF((3, 1), (-2, 1, 0)), "e", (1, 0, 0, 1), "a lie")
    with pytest.raises(AssertionError, match="differ"):  # the fraction's own ball says so
        prove(pcf, [lie])


def test_a_certificate_holds_whole_numbers_only():
    proof = prove(PCF((3, 3), (-2, 1, 0)))
    for name in ("fraction", "anchor", "deflated"):
        assert not check_certificate(proof | {name: proof[name] | {"a": [c + 0.5 for c in proof[name]["a"]]}})
    assert not check_certificate(proof | {"s": [c + 0.5 for c in proof["s"]]})
    assert not check_certificate(proof | {"d": [str(c) for c in proof["d"]]})


def test_what_is_not_known_or_ends_is_not_proved():
    assert prove(PCF((5, 1, 1), (7, 0, 1))) is None
    assert prove(PCF((0,), (1, 0))) is None
    assert prove(PCF((1, 0), (1, -3))) is None  # ends after b(3) = 0
    assert prove(PCF((1, 1), (-5, 0, 0))) is None  # has no limit
    assert prove(PCF((3, 1), (-2, 1, 0)), []) is None


def test_an_anchor_proves_its_family_only():
    log2 = next(x for x in anchors() if x.constant == "log(2)")
    assert prove(PCF((12, 18), (-4, -8, -4)), [log2])["kind"] == "equivalence"
    assert prove(PCF((2, 1), (1, 0, 0)), [log2]) is None


coefficient = st.integers(-4, 4)


@given(st.sampled_from([PCF((3, 1), (-2, 1, 0)), PCF((1, 2), (-1, 0)), PCF((2, 1), (1, 0, 0)), PCF((11, 11, 3), (1, 0, 0, 0, 0))]),
       st.lists(coefficient, min_size=1, max_size=3), st.lists(coefficient, min_size=1, max_size=2))
@settings(max_examples=40, deadline=None)
def test_a_fraction_made_by_a_random_gauge_is_traced_back(pcf, x, y):
    """The recurrence of z_n = x(n) u_n + y(n) u_{n−1}, u any solution for `pcf`, is that of a fraction whose limit is a Möbius image."""
    x, y = fmpz_poly(x), fmpz_poly(y)
    made = combined(pcf, x, y)
    assume(made is not None and made.last_term is None and made.a != (0,))
    found = gauge(Blocks.of(made), Blocks.of(pcf))
    assert found is not None and found.holds(Blocks.of(made).matrix, Blocks.of(pcf).matrix)
    if found.u[1] == found.u[2] == 0:
        assert family_key(made) == family_key(pcf)


def combined(pcf, x, y):
    """z = (u_n, u_{n−1})·(x, y) at three successive n, in terms of (u_{n−1}, u_{n−2}), gives z_n = A z_{n−1} + B z_{n−2}."""
    a, b = pcf.polynomials
    back = fmpz_poly([-1, 1])

    def at(n, f):
        return f(fmpz_poly([n, 1]))

    two = at(-2, x), at(-2, y)  # of (u_{n−2}, u_{n−3})
    step = (at(-1, a), fmpz_poly([1]), at(-1, b), fmpz_poly([0]))
    one = step[0] * x(back) + step[1] * y(back), step[2] * x(back) + step[3] * y(back)
    m = compose(step, (a, fmpz_poly([1]), b, fmpz_poly([0])))
    now = m[0] * x + m[1] * y, m[2] * x + m[3] * y
    det = one[0] * two[1] - one[1] * two[0]
    if det == 0:
        return None
    A, B = now[0] * two[1] - now[1] * two[0], one[0] * now[1] - one[1] * now[0]  # det z_n = A z_{n−1} + B z_{n−2}
    ahead = fmpz_poly([1, 1])  # from n = 2 on in terms of u_0, u_−1
    return PCF(high_first(A(ahead)), high_first((B * det(back))(ahead))) if A != 0 and B != 0 else None


def test_a_gauge_that_is_not_one_does_not_hold():
    first, second = Blocks.of(PCF((3, 3), (-2, 1, 0))), Blocks.of(PCF((3, 1), (-2, 1, 0)))
    found = gauge(first, second)
    assert determinant(found.u) != 0
    zero = fmpz_poly([0])
    assert not Gauge((zero, zero, zero, zero), found.s, found.d).holds(first.matrix, second.matrix)
    assert not Gauge(found.u, zero, zero).holds(first.matrix, second.matrix)
    assert not found.holds(second.matrix, first.matrix)
    assert gauge(first, Blocks.of(PCF((2, 1), (1, 0, 0)))) is None
