"""The Pareto front: what may stand on it, whatever comes in whatever order, and how one formula is chosen."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.language.expr import Expr
from symnum.search.front import MARGIN, SELECTIONS, Candidate, Front
from symnum.testing import TOL, properties

X = Expr.parse("x")
LOSSES = st.sampled_from([0.0, 1e-30, 1e-20, 1e-3, 0.1, 0.1 * (1 + 1e-9), 1.0, 7.5, math.inf, math.nan])
CANDIDATES = st.lists(st.builds(Candidate, st.just(X), st.integers(1, 12), LOSSES), max_size=20)
FLOORS = st.sampled_from([0.0, 1e-25, 1e-10])


def front_of(*measures: tuple[int, float], floor: float = 0.0, text: str = "x", resolution: float = 0.0) -> Front:
    return Front(tuple(Candidate(Expr.parse(text), c, loss) for c, loss in measures), floor, resolution)


def measures(front: Front) -> list[tuple[int, float]]:
    return [(c.complexity, c.loss) for c in front]


# what stands on it --------------------------------------------------------------------------------------------------------
@properties(300)
@given(CANDIDATES, FLOORS)
def test_nobody_on_the_front_is_beaten(candidates, floor):
    front = Front(floor=floor).merged(candidates)
    for a, b in zip(front, front.candidates[1:], strict=False):
        assert a.complexity < b.complexity
        assert max(b.loss, floor) < max(a.loss, floor)
    assert all(math.isfinite(c.loss) for c in front)
    assert sum(c.loss <= floor for c in front) <= 1


@properties(300)
@given(CANDIDATES, FLOORS)
def test_whatever_is_left_out_is_beaten(candidates, floor):
    front = Front(floor=floor).merged(candidates)
    for c in candidates:
        if math.isfinite(c.loss):
            assert max(c.loss, floor) >= front.bound(c.complexity) * (1 - 2 * MARGIN)


@properties(300)
@given(CANDIDATES, FLOORS, st.randoms(use_true_random=False), st.integers(0, 20))
def test_the_order_of_arrival_does_not_matter(candidates, floor, random, cut):
    shuffled = random.sample(candidates, len(candidates))
    at_once = Front(floor=floor).merged(candidates)
    in_parts = Front(floor=floor).merged(shuffled[:cut]).merged(shuffled[cut:])
    assert len(at_once) == len(in_parts)
    for a, b in zip(at_once, in_parts, strict=True):
        assert a.complexity == b.complexity
        assert max(b.loss, floor) == pytest.approx(max(a.loss, floor), rel=2 * MARGIN)  # gains within the margin are ties


@properties(200)
@given(CANDIDATES, FLOORS)
def test_merging_is_idempotent_and_immutable(candidates, floor):
    front = Front(floor=floor).merged(candidates)
    before = front.candidates
    assert front.merged(candidates) == front.merged([]) == front.merged(front) == front
    assert front.candidates is before


def test_ties_go_to_the_older():
    old, new = Candidate(Expr.parse("x"), 3, 0.5), Candidate(Expr.parse("z"), 3, 0.5 * (1 - MARGIN / 2))
    assert Front().merged([old]).merged([new])[0].expr == Expr.parse("x")
    assert Front().merged([old, Candidate(Expr.parse("z"), 3, 0.4)])[0].expr == Expr.parse("z")


def test_below_the_floor_the_simpler_stays():
    front = front_of((3, 1e-27), (9, 1e-31), floor=1e-26)
    assert measures(Front(floor=1e-26).merged(front)) == [(3, 1e-27)]
    assert measures(Front().merged(front)) == [(3, 1e-27), (9, 1e-31)]


def test_bound():
    front = front_of((2, 1.0), (5, 0.1), (7, 1e-30), floor=1e-26)
    assert [front.bound(k) for k in (1, 2, 4, 5, 7, 99)] == [math.inf, 1.0, 1.0, 0.1, 1e-26, 1e-26]


def test_it_reads_like_a_sequence():
    front = front_of((1, 1.0), (3, 0.1))
    assert len(front) == 2 and front[1].complexity == 3 and [c.complexity for c in front] == [1, 3] and front[-1] is front[1]


def test_the_best_form_of_a_candidate():
    assert Candidate(X, 1, 0.0).best == X
    assert Candidate(X, 1, 0.0, snapped=Expr.parse("2*x")).best == Expr.parse("2*x")


# scores and choice ----------------------------------------------------------------------------------------------------------
def test_scores():
    assert Front().scores == []
    assert front_of((2, 1.0), (4, math.exp(-6)), (5, math.exp(-7))).scores == pytest.approx([0, 3, 1], rel=TOL["float64"])
    assert front_of((1, 1.0), (2, 0.0), floor=math.exp(-50)).scores == pytest.approx([0, 50], rel=TOL["float64"])
    assert all(map(math.isfinite, front_of((1, 1.0), (2, 0.0)).scores))


@properties(200)
@given(CANDIDATES, FLOORS, st.sampled_from(SELECTIONS), st.integers(1, 10**6))
def test_every_selection_chooses_somebody(candidates, floor, selection, rows):
    front = Front(floor=floor).merged(candidates)
    if len(front):
        assert 0 <= front.choose(selection, rows) < len(front)
        assert front.choose("accuracy", rows) == len(front) - 1


def test_selections_by_example():
    texts = {"x": (1, 1.0), "x*y": (3, 1e-2), "sin(x*y)*y + x*y*(x + y) - x/y": (20, 0.9e-2)}
    front = Front(tuple(Candidate(Expr.parse(t), *m) for t, m in texts.items()))
    assert front.choose("accuracy") == 2
    assert front.choose("score") == 1
    assert front.choose("best", 50) == front.choose("mdl", 50) == 1


def test_bic_pays_for_constants_only():
    front = Front((Candidate(Expr.parse("x"), 1, 1.0), Candidate(Expr.parse("x*1.5 + 2.5"), 5, 0.95)))
    assert front.choose("bic", rows=10) == 0  # 10 log(1/0.95) = 0.5 < 2 log 10
    assert front.choose("bic", rows=1000) == 1  # 51 > 2 log 1000


def test_aic_pays_less_than_bic_and_more_among_few_rows():
    front = Front((Candidate(Expr.parse("x"), 1, 1.0), Candidate(Expr.parse("x*1.5 + 2.5"), 5, 0.95)))
    assert front.choose("aic", rows=40) == 0 and front.choose("aic", rows=120) == 1 and front.choose("bic", rows=120) == 0
    front = Front((Candidate(Expr.parse("x"), 1, 1.0), Candidate(Expr.parse("x*1.5 + 2.5"), 5, 0.1)))
    assert front.choose("aic", rows=6) == 0  # 6 log 10 = 13.8 < 18 - 3; without the correction it would be 4
    assert front.choose("aic", rows=3) == front.choose("aic", rows=1) == 0


def test_validation_takes_the_simplest_within_a_standard_error():
    judged = [(1.0, 0.2), (0.35, 0.05), (0.3, 0.06), (math.nan, math.nan)]
    front = Front(tuple(Candidate(X, i + 1, 1.0 / (i + 1), validation=v) for i, v in enumerate(judged)))
    assert front.choose("validation") == 1
    assert Front(front.candidates[:1]).choose("validation") == 0
    assert Front(tuple(Candidate(X, i, 1.0 / i, validation=(math.nan, math.nan)) for i in (1, 2))).choose("validation") == 0


def test_mdl_goes_by_the_description_where_there_is_one():
    given = [Candidate(Expr.parse(t), *m, description=d) for t, m, d in (("x", (1, 1.0), 3.0), ("x*y", (3, 1e-2), 5.0))]
    assert Front(tuple(given)).choose("mdl") == 0 and Front(tuple(given)).choose("best") == 1


def test_among_few_rows_the_score_decides_between_formulas_about_as_short():
    """Of two short descriptions the sharper drop in loss is taken where six rows cannot tell them apart, not where sixty can."""
    texts = {"x": (1, 1.0), "2.5*x": (3, 1e-4), "2.5*x + 0.1*exp(x)": (8, 5e-9)}
    front = Front(tuple(Candidate(Expr.parse(t), *m) for t, m in texts.items()))
    assert front.choose("mdl", 6) == front.choose("best", 60) == 2 and front.choose("best", 6) == 1


def test_more_rows_justify_more_symbols():
    front = Front((Candidate(Expr.parse("x"), 1, 1.0), Candidate(Expr.parse("sin(x*x + y)/z - x"), 11, 0.8)))
    chosen = [front.choose("mdl", rows) for rows in (5, 50, 500, 5000)]
    assert chosen == sorted(chosen) and chosen[0] == 0 and chosen[-1] == 1


def test_below_the_resolution_of_the_data_nothing_is_gained():
    """The digits that the target is written with cannot tell 1e-8 from 1e-12, so the shorter formula is chosen."""
    pair = (Candidate(Expr.parse("x"), 1, 1.0), Candidate(Expr.parse("x*y"), 3, 1e-8), Candidate(Expr.parse("x*y + x*x*x*y/z"), 13, 1e-12))
    assert Front(pair).choose("mdl", 100) == 2
    assert Front(pair, resolution=1e-8).choose("mdl", 100) == Front(pair, resolution=1e-8).choose("best", 100) == 1


def test_errors():
    with pytest.raises(ValueError, match="best, mdl, aic, bic, validation, accuracy, score was required, got 'beste'"):
        front_of((1, 1.0)).choose("beste")
    for selection in SELECTIONS:
        with pytest.raises(ValueError, match="the front is empty"):
            Front().choose(selection)


def test_known_likelihoods_replace_the_logarithm_of_the_loss():
    short, long = Candidate(Expr.parse("x"), 1, 1.0), Candidate(Expr.parse("x + 1.5*z"), 5, 0.99)
    told = [replace(short, nats=51.0), replace(long, nats=20.0)]
    for selection in ("aic", "bic", "best"):
        assert Front().merged([short, long]).choose(selection, rows=50) == 0
        assert Front().merged(told).choose(selection, rows=50) == 1
