"""Inequalities that are proposed, and the filters: all of it exact."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symnum.conjecture.objects.bounds import FEATURES, Inequality, directions, exact, features
from symnum.conjecture.objects.exact import exact_value, sign
from symnum.conjecture.objects.filters import best_on, candidates, dalmatian, ranked
from symnum.conjecture.objects.invariants import ObjectTable
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar

VAR = Expr.var


def _made(table, target, max_terms=2, max_height=8, grammar=None, kind="both", rows=None):
    rows = np.ones(len(table), bool) if rows is None else rows
    terms = features(table, target, list(table.invariants), grammar)
    found = (exact(table, d, rows) for d in directions(table, target, terms, rows, max_terms, max_height, kind))
    return list(dict.fromkeys(i for i in found if i is not None))


def _slack(inequality, row, target):
    """The distance from the target, by another way than the columns: the formula on one row."""
    turn = 1 if inequality.is_upper else -1
    value = exact_value((inequality.right - VAR(target)) * Expr.const(turn), row)
    return sign(value)


tables = st.integers(9, 24).flatmap(lambda n: st.tuples(*(
    st.lists(st.fractions(min_value=0, max_value=30, max_denominator=d), min_size=n, max_size=n) for d in (1, 1, 4)),
    st.lists(st.booleans(), min_size=n, max_size=n)))


@settings(max_examples=15, deadline=None)
@given(tables)
def test_every_inequality_holds_and_touches(columns):
    """Exactly, on every row; and some row is an equality, as the constant is the least."""
    table = ObjectTable.of(dict(zip(("y", "a", "b", "p"), columns, strict=True)))
    if "y" not in table.invariants:
        return
    for inequality in _made(table, "y"):
        signs = [_slack(inequality, table.row(i), "y") for i in range(len(table))]
        assert min(signs) == 0
        assert signs == inequality.slack(table).signs().tolist()
        assert all(isinstance(w, int) and w for w in inequality.weights)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=12, max_size=25, unique=True))
def test_compound_inequalities_hold(points):
    """Also with roots, logarithms, products and quotients."""
    table = ObjectTable.of({"y": [a for a, _ in points], "x": [b for _, b in points]})
    if len(table.invariants) < 2:
        return
    for inequality in _made(table, "y", grammar=Grammar.parse(FEATURES)):
        signs = [_slack(inequality, table.row(i), "y") for i in range(len(table))]
        assert min(signs) >= 0
        assert signs == inequality.slack(table).signs().tolist()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(-6, 6).filter(bool), st.integers(-6, 6).filter(bool), st.integers(-20, 20), st.booleans())
def test_a_planted_bound_is_recovered(d, p, q, r, upper):
    """y <= (p a + q b + r)/d with equality on the corners of the region and room inside."""
    rows = [(a, b) for a in range(0, 12, 2) for b in range(0, 12, 3)]
    turn = 1 if upper else -1
    y = [Fraction(p * a + q * b + r, d) - turn * (0 if (a + b) % 5 else Fraction(1 + a * b % 3)) for a, b in rows]
    table = ObjectTable.of({"y": y, "a": [a for a, _ in rows], "b": [b for _, b in rows]})
    expected = Expr.parse(f"({p}*a + {q}*b + {r})/{d}").canonical()
    found = [i for i in _made(table, "y") if i.is_upper == upper]
    values = [exact_value(expected, table.row(i)) for i in range(len(table))]
    assert any([exact_value(i.right, table.row(j)) for j in range(len(table))] == values for i in found)


@pytest.mark.parametrize("law", ["x*z", "x^2", "sqrt(x)", "x/z", "sqrt(x*z)", "log(x)"])
def test_a_planted_compound_bound_is_recovered(law):
    """The floor of a compound law of perfect cases is bounded by the law itself."""
    pairs = [(a * a, b * b) for a in range(1, 6) for b in range(1, 6)]
    rows = [{"x": a, "z": b} for a, b in pairs]
    exacts = [exact_value(Expr.parse(law), r) for r in rows]
    y = [max(k for k in range(-1, 700) if sign({**v, ("", 1): v.get(("", 1), Fraction(0)) - k}) >= 0) for v in exacts]
    table = ObjectTable.of({"x": [a for a, _ in pairs], "z": [b for _, b in pairs], "y": y})
    found = {str(i.right.canonical()) for i in _made(table, "y", max_terms=1, grammar=Grammar.parse(FEATURES), kind="upper")}
    assert str(Expr.parse(law).canonical()) in found


def test_three_terms_by_linear_programming():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 20, (60, 3))
    y = 2 * x[:, 0] - x[:, 1] + 3 * x[:, 2] + 5 - np.where(rng.random(60) < 0.5, 0, rng.integers(0, 9, 60))
    table = ObjectTable.of({"y": y, "a": x[:, 0], "b": x[:, 1], "c": x[:, 2]})
    assert "2*a + 3*c + 5 - b" in {str(i.right) for i in _made(table, "y", max_terms=3, kind="upper")}


def test_huge_numbers_are_exact():
    """Beyond what floats and 64-bit integers hold."""
    n = [10**30 + k * k for k in range(12)]
    table = ObjectTable.of({"n": n, "y": [v // 2 for v in n]})
    for inequality in _made(table, "y"):
        assert min(_slack(inequality, table.row(i), "y") for i in range(12)) == 0


def test_undefined_values_are_not_used():
    table = ObjectTable.of({"y": list(range(12)), "g": [None, *range(11)], "a": [k * k for k in range(12)]})
    assert not any("g" in str(i.right) for i in _made(table, "y"))
    rows = np.arange(12) > 0
    assert any("g" in str(i.right) for i in _made(table, "y", rows=rows))


@pytest.mark.parametrize(("weights", "constant", "text"), [
    ((-1, 1), 0, "n"), ((-2, 1), -3, "(n - 3)/2"), ((1, 1), 4, "-n - 4"), ((-1, -1), 7, "7 - n"), ((3, -2), 0, "2*n/3"),
    ((-1, -1), 0, "-n"),
])
def test_right_side(weights, constant, text):
    right = Inequality((VAR("y"), VAR("n")), weights, constant).right
    for n in range(-3, 4):
        assert exact_value(right, {"n": n}) == exact_value(Expr.parse(text), {"n": n})


# filters -----------------------------------------------------------------------------------------------------------------
def _float_gap(c, i):
    gap = c.slack.row(i)
    return gap.get(("", 1), Fraction(0)) / c.weight


@settings(max_examples=15, deadline=None)
@given(tables)
def test_filters(columns):
    """Touches are recounted; each kept bound is strictly best on some row among those before it; general hypotheses only."""
    table = ObjectTable.of(dict(zip(("y", "a", "b", "p"), columns, strict=True)))
    if "y" not in table.invariants:
        return
    hypotheses = [(), *((p,) for p in table.properties)]
    pool = [i for h in hypotheses if table.holds(h).any() for i in _made(table, "y", rows=table.holds(h))]
    found = ranked(candidates(table, pool, hypotheses))
    assert [c.touches for c in found] == sorted((c.touches for c in found), reverse=True)
    for c in found:
        signs = [_slack(c.inequality, table.row(i), "y") for i in range(len(table))]
        assert all(signs[i] >= 0 for i in np.flatnonzero(table.holds(c.hypothesis)))
        assert c.touches == sum(signs[i] == 0 for i in np.flatnonzero(table.holds(c.hypothesis)))
        if c.hypothesis:  # it fails without the property, or the weaker hypothesis would have been taken
            assert min(signs) < 0
    kept = dalmatian(found)
    for side in (True, False):
        before = []
        for c in [k for k in kept if k.inequality.is_upper == side]:
            best = [i for i in np.flatnonzero(c.rows)
                    if all(_float_gap(c, i) < _float_gap(k, i) for k in before if k.rows[i])]
            assert best
            before.append(c)
    dropped = [c for c in found if c not in kept]
    for c in dropped[:20]:
        others = [k for k in kept if k.inequality.is_upper == c.inequality.is_upper or k.is_equality]
        assert not best_on(c, others).any()


def test_dalmatian_with_roots():
    """Ties between irrational bounds are ties: the same bound twice is kept once, a better one is new."""
    table = ObjectTable.of({"y": [1, 1, 1, 2, 2, 2, 2, 2, 3], "n": list(range(1, 10))})
    root = Inequality((VAR("y"), Expr.parse("sqrt(n)")), (-1, 1), 0)
    same = Inequality((VAR("y"), Expr.parse("sqrt(4*n)")), (-2, 1), 0)
    line = Inequality((VAR("y"), VAR("n")), (-1, 1), 0)
    kept = dalmatian(ranked(candidates(table, [root, same, line], [()])))
    assert [str(c.inequality.right) for c in kept] == ["sqrt(n)"]
    assert kept[0].touches == 3


def test_nothing_gives_nothing():
    assert dalmatian([]) == []
    table = ObjectTable.of({"y": [1, 2], "a": [2, 1]})
    assert _made(table, "y") == []
