"""Judges of discovered ordinary differential equations: do they move like the system, and are they its law?

    motion      the discovered system, integrated from a true initial state by ODEFormer's integrator (LSODA, rtol 1e-5, atol 1e-7),
                against the clean trajectory: R², variance weighted over the states
    law         the discovered right-hand side is the true one up to the values of constants, in whatever form it is written:
                (1) some choice of the true form's constants gives the discovered function, (2) some choice of the discovered form's
                constants gives the true function, and (3) the discovered form has no more constants that count than the true one
    support     of polynomial laws: expanded, both have the same monomials

A system is {equations: [text over x0, x1, … and constants], constants: {name: value}, starts: [state, …], T, points}.
In a form every number but an integer exponent is a constant, and so is the factor 1 of a term: `a*x0 + b*x1` is the form of
`x0 - x1`. Forms are compared as functions on points of a box around the trajectories, so that sin(x0 - x1) and its expansion, a sum of
fractions and one fraction, and c/(d + x0) in any scaling are the same. Under noise the values of constants differ; no judge but
`coefficient_error` looks at them.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp

RTOL, ATOL, FIRST_STEP, MIN_STEP = 1e-5, 1e-7, 1e-6, 1e-10  # of ODEFormer's data
EXPLODED, EVALUATIONS = 1e4, 50_000  # times the largest true value; right-hand sides per integration
POINTS, MARGIN = 400, 0.1  # of the box; by which share of its width it is wider than the trajectories
EQUAL = 1e-8  # a function of a form and a given function: the largest difference, relative to the function's size
RANK, STARTS, MOST = 1e-9, 6, 60  # of singular values; of a fit; constants of a form that is judged at all
FAR = 6  # so many constants too many, and nobody asks whether anything is missing
HUGE = 1e100  # terms that are larger at some point cannot be fitted
NEGLIGIBLE = 1e-11  # share of a monomial in a polynomial on the box that is rounding


class Hopeless(Exception):
    """An integration that explodes or takes for ever."""


class Outside(Exception):
    """A right-hand side that is not defined where the integrator tries it."""


# systems and data --------------------------------------------------------------------------------------------------------------------
def states(dim: int) -> list[sp.Symbol]:
    """x0, x1, …"""
    return [sp.Symbol(f"x{i}", real=True) for i in range(dim)]


def read(text: str, dim: int, numbers: dict[str, sp.Float] | None = None) -> sp.Expr:
    """A right-hand side from text, with integer exponents as integers and π and e as numbers."""
    e = sp.sympify(text, locals={s.name: s for s in states(dim)} | (numbers or {}))
    e = e.xreplace({sp.pi: sp.pi.n(17), sp.E: sp.E.n(17)})
    return e.replace(
        lambda p: isinstance(p, sp.Pow) and isinstance(p.exp, sp.Float) and float(p.exp).is_integer(), lambda p: p.base ** int(p.exp)
    )


def undefined(e: sp.Expr) -> bool:
    """Whether a right-hand side has an infinite or imaginary number in it, as 1/0 and log(-1) have."""
    return e.has(sp.zoo, sp.oo, -sp.oo, sp.nan, sp.I)


def truth(system: dict) -> list[sp.Expr]:
    """The right-hand sides of a system, with its numbers."""
    dim = len(system["equations"])
    numbers = {name: sp.Float(value) for name, value in system["constants"].items()}
    return [read(text, dim, numbers) for text in system["equations"]]


def times(system: dict) -> np.ndarray:
    """The times at which a system is measured and judged."""
    return np.linspace(0, system["T"], system["points"])


def scalar(equations: Sequence[sp.Expr]) -> Callable:
    """A fast function of one state; NaN outside the domain."""
    function = sp.lambdify([states(len(equations))], list(equations), "math", cse=True)

    def rhs(t: float, x: np.ndarray) -> list[float]:
        try:
            return [float(v) for v in function(x.tolist())]
        except (OverflowError, ValueError, ZeroDivisionError, TypeError):  # TypeError: complex values
            return [np.nan] * len(equations)

    return rhs


def integrate(equations: Sequence[sp.Expr], start: Sequence[float], t: np.ndarray, size: float = np.inf) -> np.ndarray | None:
    """(times, states) the solution from `start`; None where it explodes beyond EXPLODED times `size`, ends, or takes for ever.

    LSODA; where that leaves the domain in a trial step, DOP853, which then takes a smaller one.
    """
    from scipy.integrate import solve_ivp

    if any(map(undefined, equations)):
        return None
    function, limit = scalar(equations), EXPLODED * size
    for method in ("LSODA", "DOP853"):
        count = 0

        def rhs(s, x, method=method):
            nonlocal count
            count += 1
            f = function(s, x)
            if count > EVALUATIONS or np.abs(x).max() > limit:
                raise Hopeless
            if method == "LSODA" and not np.isfinite(f).all():
                raise Outside
            return f

        options = {"min_step": MIN_STEP} if method == "LSODA" else {}
        try:
            with np.errstate(all="ignore"):
                found = solve_ivp(rhs, (t[0], t[-1]), start, method, t, rtol=RTOL, atol=ATOL, first_step=FIRST_STEP, **options)
        except Outside:
            continue
        except Hopeless:
            return None
        return found.y.T if found.success and np.isfinite(found.y).all() else None
    return None


def trajectory(system: dict, start: int) -> np.ndarray:
    """(times, states) the clean trajectory from one of the system's initial states."""
    return _trajectory(json.dumps(system), start)


@lru_cache(maxsize=256)
def _trajectory(text: str, start: int) -> np.ndarray:
    system = json.loads(text)
    x = integrate(truth(system), system["starts"][start], times(system))
    if x is None:
        msg = f"{system['name']} has no solution from {system['starts'][start]} up to {system['T']}"
        raise ValueError(msg)
    x.setflags(write=False)
    return x


def measured(system: dict, start: int, noise: float = 0.0, drop: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(t, x) what a discoverer sees: x (1 + noise N(0, 1)) at the times that are left when a share of them is dropped at random."""
    t, x = times(system), trajectory(system, start)
    rng = np.random.default_rng([seed, start, *map(ord, str(system["id"]))])
    kept = np.sort(rng.permutation(len(t))[: len(t) - int(round(drop * len(t)))])
    return t[kept], x[kept] * (1 + noise * rng.standard_normal(x[kept].shape))


# motion ------------------------------------------------------------------------------------------------------------------------------
def r2(x: np.ndarray, predicted: np.ndarray | None) -> float:
    """Variance weighted over the states: 1 - Σ squared errors / Σ squared deviations; -inf where there is no prediction."""
    if predicted is None or not np.isfinite(predicted).all():
        return -np.inf
    with np.errstate(over="ignore"):
        spread = np.sum((x - x.mean(0)) ** 2)
        error = np.sum((x - predicted) ** 2)
    return float(1 - error / spread) if spread > 0 else float(error == 0)


def motion(system: dict, equations: Sequence[sp.Expr], start: int) -> float:
    """R² of discovered equations integrated from one of the true initial states."""
    x = trajectory(system, start)
    return r2(x, integrate(equations, system["starts"][start], times(system), size=float(np.abs(x).max())))


# forms -------------------------------------------------------------------------------------------------------------------------------
class Constants:
    """New symbols for numbers that are free, and the numbers."""

    def __init__(self):
        self.symbols: list[sp.Symbol] = []
        self.values: list[float] = []

    def new(self, value: sp.Expr) -> sp.Symbol:
        """A symbol for a number."""
        self.symbols.append(sp.Symbol(f"k{len(self.symbols)}", real=True))
        self.values.append(float(value))
        return self.symbols[-1]


@dataclass(frozen=True)
class Form:
    """Σ factors · terms, the terms with constants inside, and the values of factors and constants that the form was read with."""

    terms: tuple[sp.Expr, ...]
    factors: np.ndarray
    constants: tuple[sp.Symbol, ...]
    values: np.ndarray


def form(e: sp.Expr) -> Form:
    """The form of an expression: every number is free but integer and half-integer exponents."""
    constants = Constants()
    parts = _terms(e, constants)
    return Form(tuple(t for _, t in parts), np.array([float(n) for n, _ in parts]), tuple(constants.symbols), np.array(constants.values))


def _terms(e: sp.Expr, constants: Constants) -> list[tuple[sp.Expr, sp.Expr]]:
    """(factor, term with the constants inside it free) of a sum."""
    found = []
    for term in sp.Add.make_args(sp.expand(e, power_exp=False, power_base=False, log=False)):
        number, rest = term.as_coeff_Mul()
        term = sp.Integer(1)
        for part in sp.Mul.make_args(rest):
            n, t = _factor(part, constants)
            number, term = number * n, term * t
        found.append((number, term))
    return found


def _sum(e: sp.Expr, constants: Constants) -> sp.Expr:
    return sp.Add(*(constants.new(number) * term for number, term in _terms(e, constants)))


def _factor(f: sp.Expr, constants: Constants) -> tuple[sp.Expr, sp.Expr]:
    """A factor of a term as a number times what has constants inside: a sum to an integer power has the factor 1 in one of its terms."""
    if f.is_number:
        return f, sp.Integer(1)
    if f.is_Symbol:
        return sp.Integer(1), f
    if f.is_Pow and f.exp.is_Integer and f.base.is_Add:
        (number, first), *others = sorted(_terms(f.base, constants), key=lambda part: part[1].is_number)
        base = sp.Add(first, *(constants.new(n / number) * t for n, t in others))
        return number**f.exp, base**f.exp
    if f.is_Pow and f.exp.is_Integer:
        number, base = _factor(f.base, constants)
        return number**f.exp, base**f.exp
    if f.is_Pow:
        base = f.base if f.base.is_Symbol else constants.new(f.base) if f.base.is_number else _sum(f.base, constants)
        exponent = _sum(f.exp, constants) if not f.exp.is_number else f.exp if (2 * f.exp).is_Integer else constants.new(f.exp)
        return sp.Integer(1), base**exponent
    return sp.Integer(1), f.func(*(_sum(a, constants) for a in f.args))


def _matrix(expressions: Sequence[sp.Expr], symbols: Sequence[sp.Symbol], dim: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function of points and constants whose columns are the expressions; NaN where one is not defined or complex."""
    function = sp.lambdify([*states(dim), *symbols], list(expressions), "numpy", cse=len(expressions) > 1)

    def values(X: np.ndarray, constants: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            columns = [np.broadcast_to(np.asarray(c), len(X)) for c in function(*X.T, *constants)]
        columns = [np.where(c.imag == 0, c.real, np.nan) if np.iscomplexobj(c) else c for c in columns]
        return np.column_stack(columns).astype(float) if columns else np.zeros((len(X), 0))

    return values


def _slopes(f: Form, dim: int) -> Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """A function of points, constants and factors: the terms, and the derivatives of the form by its constants."""
    names = [sp.Symbol(f"f{i}", real=True) for i in range(len(f.terms))]
    whole = sp.Add(*(n * t for n, t in zip(names, f.terms, strict=True)))
    every = _matrix([*f.terms, *(sp.diff(whole, k) for k in f.constants)], [*f.constants, *names], dim)

    def values(X: np.ndarray, constants: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        columns = every(X, np.concatenate([constants, factors]))
        return columns[:, : len(f.terms)], columns[:, len(f.terms) :]

    return values


def values(e: sp.Expr, X: np.ndarray) -> np.ndarray:
    """An expression at points."""
    return _matrix([e], [], X.shape[1])(X, np.zeros(0))[:, 0]


def counting(f: Form, X: np.ndarray) -> int:
    """How many constants of a form count: the rank of its derivatives by them."""
    return _rank(np.column_stack(_slopes(f, X.shape[1])(X, f.values, f.factors)))


def counting_written(e: sp.Expr, X: np.ndarray) -> int:
    """How many decimal numbers of an expression count; integers, and the exponent 0.5, are claims."""
    constants = Constants()

    def freed(e: sp.Expr) -> sp.Expr:
        if e.is_Float:
            return constants.new(e)
        if e.is_Pow and e.exp.is_Float and float(2 * e.exp).is_integer():
            return freed(e.base) ** e.exp
        return e.func(*map(freed, e.args)) if e.args else e

    whole = freed(e)
    return _rank(_matrix([sp.diff(whole, k) for k in constants.symbols], constants.symbols, X.shape[1])(X, np.array(constants.values)))


def _rank(J: np.ndarray) -> int:
    J = J[np.isfinite(J).all(1)]
    size = np.sqrt((J**2).sum(0))
    J = J[:, size > 0] / size[size > 0]
    return int(np.linalg.matrix_rank(J, tol=RANK)) if J.size else 0


def reached(f: Form, target: np.ndarray, X: np.ndarray) -> float:
    """The smallest error with which a form can be made equal to the target: its largest, relative to the target's size there.

    Variable projection (Golub and Pereyra 1973, doi:10.1137/0710036, with Kaufman's derivative): the factors of terms follow from the
    constants inside by linear least squares, and these are fitted by Levenberg and Marquardt's method from the form's own values and,
    where that is not enough, from random multiples of them.
    """
    from scipy.optimize import least_squares

    weight = 1 / (np.abs(target) + np.sqrt(np.mean(target**2)))
    size, slopes = np.where(f.values == 0, 1.0, f.values), _slopes(f, X.shape[1])

    def projected(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The residual with the best factors, and its derivatives."""
        A, _ = slopes(X, u * size, f.factors)
        A = A * weight[:, None]
        if not (np.abs(A) < HUGE).all():  # NaN as well
            return np.full(len(X), 1e3), np.zeros((len(X), len(u)))
        norm = np.sqrt((A**2).sum(0))
        norm[norm == 0] = 1
        Q, s, V = np.linalg.svd(A / norm, full_matrices=False)
        kept = s > 1e-13 * s[0]
        Q = Q[:, kept]
        y = Q.T @ (target * weight)
        factors = V[kept].T @ (y / s[kept]) / norm
        J = np.nan_to_num(slopes(X, u * size, factors)[1] * weight[:, None] * size, posinf=0.0, neginf=0.0)
        return A @ factors - target * weight, J - Q @ (Q.T @ J)

    if not len(size):
        return _largest(projected(size)[0])
    rng, best = np.random.default_rng(0), np.inf
    for k in range(STARTS):
        u = np.ones(len(size)) if k == 0 else np.exp(0.4 * rng.standard_normal(len(size)))
        for _ in range(2):  # a second time from where the first stopped: the damping starts anew
            u = least_squares(
                lambda u: projected(u)[0], u, lambda u: projected(u)[1], method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=300
            ).x
        best = min(best, _largest(projected(u)[0]))
        if best < EQUAL:
            break
    return best


def _largest(residual: np.ndarray) -> float:
    return float(np.abs(residual).max()) if np.isfinite(residual).all() else np.inf


# structure ---------------------------------------------------------------------------------------------------------------------------
def box(system: dict, points: int = POINTS) -> np.ndarray:
    """(points, states) where functions are compared: three quarters in a box around all trajectories, the rest on them.

    The box is wider than the trajectories by MARGIN, but a state that is positive (negative) on all of them stays so: laws of positive
    states have poles and logarithms at and below 0.
    """
    x = np.concatenate([trajectory(system, k) for k in range(len(system["starts"]))])
    rng = np.random.default_rng(12345)
    low, high = x.min(0), x.max(0)
    wide = MARGIN * np.where(high > low, high - low, np.maximum(1.0, np.abs(low)))
    bottom = np.where(low > 0, np.maximum(low - wide, low / 2), low - wide)
    top = np.where(high < 0, np.minimum(high + wide, high / 2), high + wide)
    inside = rng.uniform(bottom, top, (3 * points // 4, x.shape[1]))
    return np.vstack([inside, x[rng.integers(0, len(x), points - len(inside))]])


def is_law(true: sp.Expr, found: sp.Expr, X: np.ndarray) -> dict:
    """Whether one discovered right-hand side is the true one up to the values of constants.

    Args:
        true: with its numbers, over x0, x1, ….
        found: the same.
        X: (points, states) where they are compared; where the true one is not defined does not count.

    Returns:
        law: the answer.
        contains: some choice of the discovered form's constants is the truth (nothing is missing); not looked at where excess > FAR.
        excess: how many more constants count in the discovered form than in the true one.
        field: the root mean square of the difference over that of the truth, with the discovered numbers.
    """
    y = values(true, X)
    X, y = X[np.isfinite(y)], y[np.isfinite(y)]
    z = np.full(len(X), np.nan) if undefined(found) else values(found, X)
    defined = np.isfinite(z)
    answer = {"law": False, "contains": False, "excess": None, "field": None}
    if defined.mean() < 0.9:
        return answer
    X, y, z = X[defined], y[defined], z[defined]
    scale = np.sqrt(np.mean(y**2))
    answer["field"] = float(np.sqrt(np.mean((z - y) ** 2)) / scale) if scale > 0 else float(np.abs(z).max())
    if scale == 0 or not z.any():
        return answer | {"law": bool(scale == 0 and not z.any()), "contains": bool(scale == 0), "excess": 0}
    terms, others = monomials(true, X), monomials(found, X)
    if terms is not None and others is not None:  # of polynomials the forms are the monomials
        answer["excess"] = len(others) - len(terms)
        return answer | {"law": set(terms) == set(others), "contains": set(terms) <= set(others)}
    true_form, found_form = form(true), form(found)
    if len(found_form.constants) + len(found_form.terms) > MOST:
        return answer
    answer["excess"] = counting_written(found, X) - counting(true_form, X)
    if answer["excess"] > FAR:
        return answer
    answer["contains"] = reached(found_form, y, X) < EQUAL
    if answer["contains"] and answer["excess"] <= 0:
        answer["law"] = reached(true_form, z, X) < EQUAL
    return answer


def monomials(e: sp.Expr, X: np.ndarray) -> dict[tuple[int, ...], float] | None:
    """The coefficients of a polynomial by exponents, those that are rounding left out; None where it is not a polynomial."""
    variables = states(X.shape[1])
    try:
        terms = sp.Poly(sp.expand(e), *variables).terms() if e != 0 else []
    except sp.PolynomialError:
        return None
    if any(not c.is_number for _, c in terms):
        return None
    sizes = {powers: abs(float(c)) * float(np.sqrt(np.mean(np.prod(X ** np.array(powers), axis=1) ** 2))) for powers, c in terms}
    floor = NEGLIGIBLE * max(sizes.values(), default=0.0)
    return {powers: float(c) for powers, c in terms if sizes[powers] > floor}


def cubic(system: dict) -> bool:
    """Whether a library of the monomials up to the third degree contains the law."""
    X = np.ones((1, len(system["equations"])))
    terms = [monomials(e, X) for e in truth(system)]
    return all(m is not None and all(sum(powers) <= 3 for powers in m) for m in terms)


def coefficient_error(true: dict, found: dict) -> float | None:
    """The largest relative error of a coefficient; None where the monomials differ."""
    if set(true) != set(found):
        return None
    return max((abs(found[m] - true[m]) / abs(true[m]) for m in true), default=0.0)


def term_text(powers: Sequence[int]) -> str:
    """x0^2*x1 of (2, 1)."""
    return "*".join(f"x{i}" + (f"^{p}" if p > 1 else "") for i, p in enumerate(powers) if p) or "1"


def structure(system: dict, equations: Sequence[str]) -> dict:
    """The judgement of discovered right-hand sides, given as texts.

    Returns:
        law: whether all are the true ones up to the values of constants; laws, contains, excess, fields: of each, see `is_law`.
        support: whether all have the same monomials as the true ones; None where the law is not in a cubic library.
        coefficient_error: the largest relative error of a coefficient where the support is right, else None.
        difference: of polynomial right-hand sides, what is missing (-) and what is too much (+).
    """
    X, dim = box(system), len(system["equations"])
    true, found = truth(system), [read(text, dim) for text in equations]
    laws = [is_law(a, b, X) for a, b in zip(true, found, strict=True)]
    answer = {"law": all(v["law"] for v in laws), "laws": [v["law"] for v in laws], "contains": [v["contains"] for v in laws]}
    answer |= {"excess": [v["excess"] for v in laws], "fields": [v["field"] for v in laws], "support": None}
    pairs = [(monomials(a, X), monomials(b, X)) for a, b in zip(true, found, strict=True)]
    difference = []
    for i, (a, b) in enumerate(pairs):
        if a is not None and b is not None:
            difference += [f"x{i}': -{term_text(m)}" for m in a if m not in b] + [f"x{i}': +{term_text(m)}" for m in b if m not in a]
    answer["difference"] = difference
    errors = [None if a is None or b is None else coefficient_error(a, b) for a, b in pairs]
    if cubic(system):
        answer["support"] = all(e is not None for e in errors)
    answer["coefficient_error"] = None if any(e is None for e in errors) else max(errors)
    return answer


def judged(system: dict, start: int, equations: Sequence[str] | None) -> dict:
    """Every judgement of what was discovered from the trajectory of initial state `start`: rec, gen and those of `structure`.

    gen is the smallest R² from the other initial states, None where there is none.
    """
    others = [k for k in range(len(system["starts"])) if k != start]
    if not equations:
        lost = {"law": False, "support": False if cubic(system) else None}
        return {"rec": -np.inf, "gen": -np.inf if others else None} | lost
    found = [read(text, len(system["equations"])) for text in equations]
    moved = {k: motion(system, found, k) for k in (start, *others)}
    return {"rec": moved[start], "gen": min((moved[k] for k in others), default=None)} | structure(system, equations)
