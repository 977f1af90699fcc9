"""Constraints: what can be said, on what evidence a formula is kept or refused, and that no front holds an offender."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symnum.discovery import discover
from symnum.evaluate.cpu import CpuEvaluator
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import Interval, Op
from symnum.problem.constraint import Constraint, Constraints, Status, parse
from symnum.problem.constraint_proof import parity, prove
from symnum.problem.regression import RegressionProblem
from symnum.problem.table import as_table
from symnum.testing import expressions, properties

NAMES = ["x0", "x1", "my col"]
RNG = np.random.default_rng(3)
X = RNG.uniform(0.5, 3, (120, 3))


def known(*texts, data=X, spread=1.0):
    return Constraints.of(texts, NAMES, data, spread)


def statuses(texts, formula):
    return [j.status for j in known(*texts).judge(Expr.parse(formula))]


# text -------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "printed"), [
    ("y>=0", "y >= 0"),
    ("1 >= y", "y <= 1"),
    ("10 > y >= 2", "2 <= y < 10"),
    ("y < pi/2", "y < 1.5707963267948966"),
    ("0 < y for x0 > 1, 2 <= x1 <= 3", "y > 0 for x0 > 1, 2 <= x1 <= 3"),
    ("y >= 0 for x0 >= 1, x0 < 4", "y >= 0 for 1 <= x0 < 4"),
    ("increasing(x0)", "increasing(x0)"),
    ("convex(`my col`) for `my col` <= 2", "convex(`my col`) for `my col` <= 2"),
    ("f(x0=0) = 1", "y = 1 for x0 = 0"),
    ("y(x0 = 0, x1 = -2) = 1 ± 0.5", "y = 1 ± 0.5 for x0 = 0, x1 = -2"),
    ("y = 3 +- 0.1", "y = 3 ± 0.1"),
    ("f(x0=0) >= sqrt(4)", "y >= 2 for x0 = 0"),
    ("odd(x1)", "odd(x1)"),
])
def test_texts(text, printed):
    constraint = parse(text, NAMES)
    assert constraint.text() == printed
    assert parse(printed, NAMES) == constraint  # and it is read back


@pytest.mark.parametrize(("text", "problem"), [
    ("", "nothing is said"),
    ("y", "comparison"),
    ("y >= x0", "one name between numbers"),
    ("x0 >= 0", "about the target"),
    ("0 <= y >= 1", "one way"),
    ("2 <= y <= 1", "2 is above 1"),
    ("y >= nan", "which is none"),
    ("y >= 0 for", "comparison"),
    ("y >= 0 for y <= 2", "a region is of columns"),
    ("y >= 0 for x0 >= 2, x0 <= 1", "empty"),
    ("y = 1 ± -1", "tolerance"),
    ("y >= 1 ± 1", "tolerance"),
    ("increasing(x0", "takes one column"),
    ("increasing(x0, x1)", "takes one column"),
    ("increase(x0) = 2", "comparison|about the target|one name"),
    ("y >= `x0", "backquote"),
    ("increasing(x00)", "did you mean x0"),
    ("y >= 0 for z >= 1", "names 'z'"),
    (7, "must be a text"),
])
def test_refusals(text, problem):
    with pytest.raises(ValueError, match=problem):
        parse(text, NAMES)


def test_a_column_called_y_is_not_the_target():
    assert parse("z >= 0 for y >= 1", ["y"], "z").region["y"].low == 1
    with pytest.raises(ValueError, match="about the target"):
        parse("y >= 0", ["y"], "z")


def test_objects():
    with pytest.raises(ValueError, match="kind"):
        Constraint("monotone", "x0")
    with pytest.raises(ValueError, match="variable"):
        Constraint("increasing")
    with pytest.raises(ValueError, match="low <= high"):
        Constraint("range", region={"x0": (2, 1)})
    assert parse(Constraint("odd", "x0", region={"x0": (0, 1)}), NAMES).region["x0"] == Interval(0.0, 1.0)


# judgement --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "formula", "status"), [
    ("y >= 0", "x0^2*exp(x1)", Status.PROVED),
    ("y >= 0", "x0^2 - 2*x0 + 1.01", Status.PROVED),  # by bisection
    ("y >= 0", "x0 - 2.9", Status.VIOLATED),
    ("y > 0", "x0 - x0", Status.VIOLATED),
    ("0 <= y <= 1", "exp(-x0)", Status.PROVED),
    ("y <= 1", "sin(x0) + 0.1", Status.VIOLATED),
    ("y >= 0", "sqrt(x0 - x1)", Status.HOLDS),  # not defined on the whole box
    ("increasing(x0)", "x0^3 + x1", Status.PROVED),
    ("increasing(x0)", "x1*7.5", Status.PROVED),
    ("increasing(x0)", "(x0 - 1)^2", Status.VIOLATED),
    ("increasing(x0)", "-1/(x0 - 1.7)", Status.VIOLATED),  # its slope is positive wherever it is defined
    ("decreasing(x1)", "x0/x1", Status.PROVED),
    ("decreasing(x1)", "-gamma(x1 + 2)", Status.HOLDS),  # no derivative in closed form
    ("increasing(x0)", "sign(x0 - 2)", Status.HOLDS),  # jumps: slopes prove nothing
    ("decreasing(x0)", "sign(x0 - 2)", Status.VIOLATED),
    ("convex(x0)", "exp(x0) - 3*x0", Status.PROVED),
    ("convex(x0)", "abs(x0 - 2)", Status.HOLDS),
    ("concave(x0)", "abs(x0 - 2)", Status.VIOLATED),
    ("concave(x0)", "sqrt(x0)*x1", Status.PROVED),
    ("concave(x0)", "x0^3", Status.VIOLATED),
    ("even(x0)", "cos(x0)*x1 + x0^4", Status.PROVED),
    ("even(x0)", "x0^3", Status.VIOLATED),
    ("even(x0)", "sqrt(x0)", Status.VIOLATED),
    ("odd(x0)", "sin(x0)*abs(x0)/x1", Status.PROVED),
    ("odd(x0)", "exp(x0) - exp(-x0)", Status.HOLDS),
    ("f(x0=0) = 1", "exp(-x0*x1)", Status.PROVED),
    ("f(x0=0) = 1", "exp(-x0*x1) + 0.001", Status.VIOLATED),
    ("f(x0=0) = 1 ± 0.01", "exp(-x0*x1) + 0.001", Status.PROVED),
    ("f(x0=0) = 1", "x1/(x1 + x0)", Status.HOLDS),
    ("y >= 0 for 0 <= x0 <= 3", "1/x0", Status.VIOLATED),  # undefined at 0, where the user wants it
    ("y >= 0 for 0 < x0 <= 3", "1/x0", Status.HOLDS),
    ("y > 0 for x0 > 0, x0 <= 9", "x0", Status.HOLDS),
    ("y >= 0 for 10 <= x0 <= 20", "x0 - 9.5", Status.PROVED),  # beyond the data
    ("y >= 0 for 10 <= x0 <= 20", "15 - x0", Status.VIOLATED),
    ("increasing(x0) for x0 >= 1", "(x0 - 1)^2", Status.PROVED),
    ("increasing(`my col`)", "`my col`*x0", Status.PROVED),
])
def test_judgements(text, formula, status):
    (judgement,) = known(text).judge(Expr.parse(formula))
    assert judgement.status is status, judgement.message
    assert judgement.message.startswith(parse(text, NAMES).text())
    assert {Status.PROVED: "proved", Status.HOLDS: "holds on", Status.VIOLATED: "violated"}[status] in judgement.message


def test_a_narrow_offence_between_the_points_is_refuted():
    dip = Expr.parse("1 - 1.02*exp(-40000*(x0 - 1.2345)^2)")
    assert known("y >= 0").judge(dip)[0].status is not Status.PROVED


def test_operators_about_which_nothing_is_known_are_never_proved():
    op = Op.from_function("wobble_constraint", lambda a: a + 0.0 * a, 1)
    (judgement,) = known("increasing(x0)").judge(Expr.apply(op, Expr.var("x0")))
    assert judgement.status is Status.HOLDS


@properties(150)
@given(expressions(names=("x0", "x1"), max_leaves=5),
       st.sampled_from(["y >= 0", "y <= 2", "increasing(x0)", "decreasing(x1)", "convex(x0)", "concave(x1)", "even(x0)", "odd(x1)"]))
def test_what_is_proved_holds_everywhere(expr, text):
    """A proof is checked on points that were not looked at."""
    (judgement,) = known(text).judge(expr)
    if judgement.status is not Status.PROVED:
        return
    rng = np.random.default_rng(11)
    box = known(text).box(judgement.constraint)
    low, high = np.array([box[n] for n in NAMES]).T
    points = low + (high - low) * rng.random((400, 3))
    columns = dict(zip(NAMES, points.T, strict=True))
    h = (high - low) / 50
    kind, j = judgement.constraint.kind, NAMES.index(judgement.constraint.variable or "x0")
    x = np.clip(points[:, j], low[j] + h[j], high[j] - h[j])
    values, mirrored = expr(columns), expr(columns | {NAMES[j]: -columns[NAMES[j]]})
    left, middle, right = (expr(columns | {NAMES[j]: x + d}) for d in (-h[j], 0.0, h[j]))
    with np.errstate(all="ignore"):
        slack = 1e-9 * (1 + np.abs(left) + np.abs(middle) + np.abs(right))
        bent, risen = left - 2 * middle + right, right - left
        target = judgement.constraint.target
        both = np.isfinite(values) & np.isfinite(mirrored)
        overflown = ~np.isfinite(bent)  # huge values: inf - inf
        holds = {
            "range": (values >= target.low - slack) & (values <= target.high + slack),
            "even": ~both | np.isclose(values, mirrored, rtol=1e-9),
            "odd": ~both | np.isclose(values, -mirrored, rtol=1e-9),
            "increasing": overflown | (risen >= -slack),
            "decreasing": overflown | (risen <= slack),
            "convex": overflown | (bent >= -slack),
            "concave": overflown | (bent <= slack),
        }[kind]
    assert holds.all()


def test_parity():
    for text, kind in (("0*x", "both"), ("x - x^3", "odd"), ("x*x", "even"), ("x^-3", "odd"), ("x^2.0", "even"), ("x^0.5", "none"),
                       ("x + 1", "none"), ("exp(x^2)", "even"), ("sin(x)/x", "even"), ("tanh(x)*z", "odd"), ("max(x, -x)", "none")):
        assert parity(Expr.parse(text), "x") == kind, text


def test_proofs_need_an_interval_per_variable():
    with pytest.raises(KeyError):
        prove(parse("y >= 0", NAMES), Interval(0.0, math.inf), Expr.parse("x0 + x1"), {"x0": (0, 1)})


def test_batches_and_formulas_are_judged_alike():
    texts = ["y >= 0", "increasing(x0)", "convex(x1) for 1 <= x1 <= 2", "f(x0=0) = 0", "odd(x0)"]
    constraints = known(*texts)
    formulas = [Expr.parse(t) for t in ("x0*x1", "x0^2", "-1.0*x0", "x0/x1", "sqrt(x0)", "x0*log(x1)", "1.5", "sin(x0)")]
    values = CpuEvaluator(1).values(Batch.pack(formulas, NAMES), _rows(constraints.many.X)).y
    together = constraints.comply(values, constraints.many)
    for i, formula in enumerate(formulas):
        single = [j.status is not Status.VIOLATED for j in constraints.judge(formula)]
        assert together[:, i].tolist() == single, str(formula)


def _rows(points):
    from symnum.evaluate.cpu import Rows

    return Rows.pack(points, NAMES)


# in a search ------------------------------------------------------------------------------------------------------------
def problem(y, *texts, data=X[:, :2]):
    return RegressionProblem.from_table(as_table(data, y), constraints=texts)


def test_losses_know_the_constraints():
    p = problem(X[:, 0] - 1.0, "y >= 0")
    batch = Batch.pack([Expr.parse("x0 - 1.0"), Expr.parse("exp(-1.0*x0)")], p.names)
    free = RegressionProblem.from_table(p.table).score(batch, CpuEvaluator(1))
    searched, full = p.score(batch, CpuEvaluator(1)), p.score(batch, CpuEvaluator(1), full=True)
    assert np.isfinite(searched.loss).all() and searched.loss[0] >= p._constant_loss  # behind every constant, yet in sight
    assert searched.loss[1] == free.loss[1]
    assert np.isinf(full.loss[0]) and np.isfinite(full.loss[1])


def test_a_front_holds_no_offender():
    y = X[:, 0] * np.exp(-0.7 * X[:, 1]) + 0.03 * RNG.normal(size=len(X))
    texts = ("y >= 0", "increasing(x0)", "decreasing(x1) for 0 <= x1 <= 6", "f(x0=0) = 0")
    p = problem(y, *texts)
    found = discover(p, "elementary", time_limit=None, max_evaluations=60_000, threads=1, seed=0)
    assert len(found.front) >= 3
    assert all(j.status is not Status.VIOLATED for c in found.front for e in (c.expr, c.best) for j in p.judgements(e))
    assert [j.constraint for j in found.judgements] == list(p.constraints)
    assert "constraint: y >= 0: " in str(found)
    assert found.config["constraints"] == [c.text() for c in p.constraints]


def test_extreme_magnitudes_are_judged_in_the_users_units():
    data = X[:, :1] * 1e40
    p = RegressionProblem.from_table(as_table(data, 2e35 * X[:, 0]), constraints=["increasing(x0)", "y >= 0", "y <= 1e36"])
    batch = Batch.pack([Expr.parse("1.0*x0"), Expr.parse("1.0/x0")], p.names)
    assert np.isfinite(p.score(batch, CpuEvaluator(1), full=True).loss).tolist() == [True, False]
    assert p.admits(p.unscale(p.score(batch, CpuEvaluator(1)).batch[0]))


def test_bad_constraints_are_refused_before_work():
    with pytest.raises(ValueError, match="cannot be read"):
        problem(X[:, 0], "rising")
    with pytest.raises(ValueError, match="names 'x9'"):
        problem(X[:, 0], "odd(x9)")


def test_nothing_complies():
    p = problem(X[:, 0], "y >= 5", "y <= 4")
    found = discover(p, "arithmetic", time_limit=None, max_evaluations=3_000, threads=1, seed=0)
    assert found.chosen is None and found.judgements == []
    with pytest.raises(LookupError, match="complied with every constraint"):
        _ = found.best
