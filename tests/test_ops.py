"""The operator table: complete, and true."""

import pickle

import numpy as np
import pytest

from symnum.evaluate.reference import values_mpmath
from symnum.language.expr import Expr
from symnum.language.ops import ABSENT, ALIASES, BUILTIN, FIRST_OP, OPS, Op, by_code, compile_spelling, find
from symnum.language.user import samples
from symnum.testing import TOL, close

SPELLINGS = ("numpy", "mpmath", "numba", "torch", "sympy", "c", "latex")
OPERATORS = tuple(o for o in BUILTIN if o.arity)
NAMES = ("a", "b")
by_name = pytest.mark.parametrize("op", BUILTIN, ids=lambda o: o.name)
by_operator = pytest.mark.parametrize("op", OPERATORS, ids=lambda o: o.name)


def points(op: Op, n: int = 24) -> list[dict[str, float]]:
    """Points inside the domain of an operator."""
    rng = np.random.default_rng(op.code)
    columns = [samples(i, n, rng) for i in op.domain]
    return [dict(zip(NAMES, map(float, row), strict=False)) for row in zip(*columns, strict=True)]


def applied(op: Op, *arguments: str) -> Expr:
    return Expr.apply(op, *(Expr.parse(t) for t in (arguments or NAMES[: op.arity])))


@by_name
def test_every_spelling_is_there_or_listed_as_absent(op):
    fields = (*SPELLINGS, *(("derivative", "inverses") if op.arity else ()))
    missing = {f for f in fields if not getattr(op, f)}
    assert missing == {f for name, f in ABSENT if name == op.name}
    assert all(ABSENT[op.name, f] for f in missing)
    assert len(op.domain) == op.arity and len(op.derivative) in (0, op.arity) and len(op.inverses) in (0, op.arity)


def test_absences_are_of_the_table():
    assert all(name in OPS and f in Op.__dataclass_fields__ for name, f in ABSENT)


def test_codes_names_and_aliases():
    assert [o.code for o in BUILTIN] == list(range(FIRST_OP, FIRST_OP + len(BUILTIN)))
    assert all(by_code(o.code) is o and find(o.name) is o and pickle.loads(pickle.dumps(o)) is o for o in BUILTIN)
    assert all(find(alias) is OPS[name] for alias, name in ALIASES.items()) and not set(ALIASES) & set(OPS)
    with pytest.raises(KeyError, match="did you mean sin"):
        find("sni")


@by_name
@pytest.mark.parametrize("target", ["numpy", "mpmath", "torch", "sympy"])
def test_spellings_agree(op, target):
    pytest.importorskip(target)
    if not getattr(op, target):
        assert (op.name, target) in ABSENT
        return
    f, exact = compile_spelling(op, target), compile_spelling(op, "mpmath")
    for point in points(op) if op.arity else [{}]:
        arguments = list(point.values())
        if target == "torch":
            import torch

            arguments = [torch.tensor(v, dtype=torch.float64) for v in arguments]
        elif target == "mpmath":
            from mpmath import mpf

            arguments = [mpf(v) for v in arguments]
        assert close(float(f(*arguments)), float(exact(*map(_mpf, point.values()))), "mpmath"), (op, point)


def _mpf(x):
    from mpmath import mpf

    return mpf(x)


@by_operator
def test_image_and_domain(op):
    for point in points(op, 200):
        y = applied(op)(point)[0]
        assert np.isfinite(y) and y in op.image, (op, point, y)
    for i, interval in enumerate(op.domain):
        inside = points(op, 1)[0]
        outside = [interval.hole] if interval.hole is not None else []
        outside += [interval.low - 0.5] if interval.low > -np.inf and op.name not in ("gamma", "lgamma", "power") else []
        outside += [interval.high + 0.5] if interval.high < np.inf else []
        for x in outside:
            assert not np.isfinite(applied(op)(inside | {NAMES[i]: x})[0]), (op, x)


@by_operator
def test_derivatives_against_mpmath(op):
    from mpmath import mp, mpf

    if not op.derivative:
        assert (op.name, "derivative") in ABSENT
        return
    for i, name in enumerate(NAMES[: op.arity]):
        slope = applied(op).derivative(name)
        for point in points(op, 8):
            def value(t, point=point, name=name):
                return values_mpmath(applied(op), point | {name: t}, 200)  # mp.diff works with more digits than it is asked for

            with mp.workdps(40):
                exact = mp.diff(value, mpf(point[name]))
            assert close(slope(point)[0], float(exact), "derivative"), (op, i, point, str(slope))


@by_operator
def test_inverses_invert(op):
    for i, texts in enumerate(op.inverses):
        assert len(texts) >= 1
        for point in points(op):
            y = applied(op)(point)[0]
            known = {k: v for k, v in point.items() if k != NAMES[i]} | {"y": y}
            solutions = [Expr.parse(t)(known)[0] for t in texts]
            finite = [s for s in solutions if np.isfinite(s)]
            assert finite, (op, point)
            for s in finite:  # every branch gives the value back
                assert close(applied(op)(point | {NAMES[i]: s})[0], y, "mpmath"), (op, point, s)
            if "periodic" not in op.laws:  # and one of them is the argument
                assert any(abs(s - point[NAMES[i]]) <= 1e-6 * (1 + abs(s)) for s in finite), (op, point, solutions)


LAWS = {
    "commutative": ("f(a, b)", "f(b, a)"), "associative": ("f(f(a, b), 1.5)", "f(a, f(b, 1.5))"), "odd": ("f(-a)", "-f(a)"),
    "even": ("f(-a)", "f(a)"), "periodic": ("f(a + 2*pi)", "f(a)"), "involution": ("f(f(a))", "a"),
}


@by_operator
def test_laws_hold(op):
    assert op.laws <= {*LAWS, "idempotent", "increasing", "decreasing"}
    for law in op.laws & set(LAWS):
        left, right = (Expr.parse(t.replace("f(", f"{op.name}(")) for t in LAWS[law])
        for point in points(op):
            if all(-v in op.domain[0] for v in point.values()):
                assert close(left(point)[0], right(point)[0], "mpmath"), (op, law, point)
    if "idempotent" in op.laws:
        left, right = (("f(a, a)", "a") if op.arity == 2 else ("f(f(a))", "f(a)"))
        for point in points(op):
            assert close(*(Expr.parse(t.replace("f(", f"{op.name}("))(point)[0] for t in (left, right)))
    if op.laws & {"increasing", "decreasing"}:
        a = np.sort([p["a"] for p in points(op, 200)])
        steps = np.diff(applied(op)(a=a)) * (1 if "increasing" in op.laws else -1)
        assert (steps >= 0).all() and steps.max() > 0


@by_operator
def test_symmetry_laws_are_not_forgotten(op):
    """A unary operator whose values are odd or even, or which is monotonic, says so."""
    if op.arity == 1 and op.name not in ("gamma", "lgamma"):
        a = np.linspace(0.05, 0.95, 19)
        y, mirrored = applied(op)(a=a), applied(op)(a=-a)
        for law, other in (("odd", -y), ("even", y)):
            assert (law in op.laws) == bool(np.isfinite(mirrored).all() and np.allclose(mirrored, other, rtol=TOL["float64"]))
