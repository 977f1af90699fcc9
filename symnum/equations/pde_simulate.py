"""Solve a discovered partial differential equation.

Periodic axes: Fourier series, the linear part exactly and the rest by a fourth-order exponential Runge-Kutta method (S. Cox and
P. Matthews 2002, doi:10.1006/jcph.2002.6995; A.-K. Kassam and L. Trefethen 2005, doi:10.1137/S1064827502410633), steps halved until
two solutions agree. A line that is not periodic: fourth-order differences with the measured values at its ends, by an implicit method.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symnum.dynamics.grid import Field
from symnum.problem.pde_terms import Term, split_name

AGREE = 1e-5  # of two solutions, relative to their size
HALVINGS = 14
SAME = 5  # halvings after which an explosion is the equation's and not the method's
CONTOUR = 32  # points of the circle that phi functions are means over
EXPLODED = 1e3  # times the size of what it begins with
SECONDS = 20.0


@dataclass(frozen=True)
class Simulation:
    """A solution.

    Attributes:
        values: (fields, time, x, …); NaN from where it could not be continued.
        message: empty, or why it could not.
    """

    values: np.ndarray
    message: str


@dataclass(frozen=True)
class Law:
    """Right-hand sides: per field, terms with coefficients; of second order in time with rates as further unknowns."""

    equations: Mapping[str, Sequence[tuple[float, Term]]]
    time_order: int


def simulate(law: Law, field: Field, u0: np.ndarray, t: np.ndarray, rate: np.ndarray | None = None,
             boundary: Sequence[np.ndarray] | None = None, seconds: float = SECONDS) -> Simulation:
    """Solve from u0 at t[0].

    Args:
        field: gives the grid.
        u0: (fields, x, …).
        t: (times,) increasing.
        rate: (fields, x, …) the first derivative in time at t[0], for second order; 0 by default.
        boundary: of a line that is not periodic, per field (times, x) values of which two points at either end are taken; by default
            those of u0.
    """
    u0 = np.asarray(u0, float)
    if law.time_order == 2:
        u0 = np.concatenate([u0, np.zeros_like(u0) if rate is None else np.asarray(rate, float)])
    n = len(field.names)
    if all(field.periodic):
        found = _periodic(law, field, u0, t, seconds)
    elif len(field.axes) == 1:
        found = _line(law, field, u0, t, boundary, seconds)
    else:
        return Simulation(np.full((n, len(t), *u0.shape[1:]), np.nan),
                          "not simulated: in the plane and in space only periodic fields are; the weak form alone was checked")
    return Simulation(found.values[:n], found.message)


# right-hand sides -----------------------------------------------------------------------------------------------------
def _columns(law, field: Field, state: np.ndarray, t: float, derive) -> dict[str, np.ndarray]:
    """Everything that terms stand on: fields, their derivatives, coordinates, time."""
    columns = dict(zip(field.names, state, strict=False))
    for k, label in enumerate(field.labels):
        columns[label] = np.broadcast_to(field.axes[k].reshape([-1 if i == k else 1 for i in range(len(field.axes))]), state.shape[1:])
    columns["t"] = np.full(state.shape[1:], t)
    for name in sorted({v for terms in law.equations.values() for _, term in terms for v in term.inner.variables} - set(columns)):
        base, orders = split_name(name, field.names, field.labels)
        columns[name] = derive(columns[base], orders)
    return columns


def _evaluate(expr, columns, shape) -> np.ndarray:
    flat = {name: columns[name].ravel() for name in expr.variables}
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(expr(flat), float), (int(np.prod(shape)),)).reshape(shape) if flat else np.full(
            shape, float(expr({"_": np.zeros(1)})[0] if np.ndim(expr({"_": np.zeros(1)})) else expr({"_": np.zeros(1)})))


def _rhs(terms, columns, shape, derive) -> np.ndarray:
    total = np.zeros(shape)
    for c, term in terms:
        value = _evaluate(term.inner, columns, shape)
        value = derive(value, term.orders) if any(term.orders) else value
        total += c * (value if term.factor is None else value * _evaluate(term.factor, columns, shape))
    return total


# periodic -------------------------------------------------------------------------------------------------------------
def _periodic(law: Law, field: Field, u0, t, seconds) -> Simulation:
    axes = tuple(range(1, u0.ndim))
    shape = u0.shape[1:]
    waves = np.meshgrid(*[2 * np.pi * np.fft.fftfreq(n, step) for n, step in zip(shape, field.steps[1:], strict=True)], indexing="ij")
    kept = np.ones(shape, bool)
    for k, n in zip(waves, shape, strict=True):  # two thirds of the waves: products of the others fall back on them
        kept &= np.abs(k) <= 2 / 3 * np.abs(k).max() * (1 + 1e-9) if n > 1 else True

    def symbol(orders):
        out = np.ones(shape, complex)
        for k, order in zip(waves, orders, strict=True):
            out *= (1j * k) ** order
        return out

    def derive(a, orders):
        return np.fft.ifftn(np.fft.fftn(a) * kept * symbol(orders)).real

    n = len(field.names)
    linear = np.zeros((len(u0), *shape), complex)
    rest = {name: [] for name in field.names}
    for i, name in enumerate(field.names):
        for c, term in law.equations[name]:
            own = law.time_order == 1 and term.factor is None and term.powers == {name: 1}
            if own:
                linear[i] += c * symbol(term.orders)
            else:
                rest[name].append((c, term))
    law = Law(rest, law.time_order)

    def nonlinear(v, at):
        state = np.fft.ifftn(v, axes=axes).real
        columns = _columns(law, field, state, at, derive)
        out = np.stack([_rhs(law.equations[name], columns, shape, derive) for name in field.names])
        if law.time_order == 2:
            out = np.concatenate([state[n:], out])
        return np.fft.fftn(out, axes=axes) * kept

    deadline, before, message = time.monotonic() + seconds, None, ""
    start = np.fft.fftn(u0, axes=axes)
    for halving in range(HALVINGS):
        now = _march(start, linear, nonlinear, t, 2**halving, axes, deadline)
        if now is None:
            message = "the simulation took too long" if before is None else ""
            break
        if before is not None and np.isfinite(now).all() and _close(before, now):
            return Simulation(now, "")
        if before is not None and halving >= SAME and not np.isfinite(before).all() and not np.isfinite(now).all():
            break  # no step makes it stable
        before = now
    if before is None:
        before = np.full((len(u0), len(t), *shape), np.nan)
    if not np.isfinite(before).all():
        at = int(np.argmax(~np.isfinite(before).all(axis=(0, *range(2, before.ndim)))))
        message = message or f"the simulation is unstable: it explodes at t = {t[max(0, at)]:.4g}"
    return Simulation(before, message)


def _close(one, other) -> bool:
    return np.isfinite(one).all() and np.abs(one - other).max() <= AGREE * np.abs(other).max()


def _march(v, linear, nonlinear, t, parts, axes, deadline):
    """(fields, times, x, …) with each interval of t in equal parts; NaN after an explosion, None after the deadline."""
    size = np.abs(np.fft.ifftn(v, axes=axes)).max()
    out = np.full((len(v), len(t), *v.shape[1:]), np.nan)
    out[:, 0] = np.fft.ifftn(v, axes=axes).real
    known: dict[float, tuple] = {}
    with np.errstate(all="ignore"):
        for j, (a, b) in enumerate(itertools.pairwise(t)):
            h = (b - a) / parts
            key = round(h, 14 - int(np.floor(np.log10(h))))
            if key not in known:
                known = {key: _phi(linear, h)}
            E, E2, Q, f1, f2, f3 = known[key]
            for i in range(parts):
                s = a + i * h
                nv = nonlinear(v, s)
                p = E2 * v + Q * nv
                np_ = nonlinear(p, s + h / 2)
                q = E2 * v + Q * np_
                nq = nonlinear(q, s + h / 2)
                r = E2 * p + Q * (2 * nq - nv)
                v = E * v + f1 * nv + 2 * f2 * (np_ + nq) + f3 * nonlinear(r, s + h)
                if time.monotonic() > deadline:
                    return None
                if not np.isfinite(v).all():
                    return out
            u = np.fft.ifftn(v, axes=axes).real
            if np.abs(u).max() > EXPLODED * max(size, 1e-300):
                return out
            out[:, j + 1] = u
    return out


def _phi(linear, h):
    """Coefficients of the method; means over a circle around every h·λ, where the formulas do not cancel."""
    E, E2 = np.exp(h * linear), np.exp(h * linear / 2)
    sums = [np.zeros(linear.shape, complex) for _ in range(4)]
    for z in np.exp(2j * np.pi * (np.arange(CONTOUR) + 0.5) / CONTOUR):
        w = h * linear + z
        e = np.exp(w)
        for total, value in zip(sums, ((np.exp(w / 2) - 1) / w, (-4 - w + e * (4 - 3 * w + w**2)) / w**3,
                                       (2 + w + e * (w - 2)) / w**3, (-4 - 3 * w - w**2 + e * (4 - w)) / w**3), strict=True):
            total += value
    return E, E2, *(h / CONTOUR * total for total in sums)


# a line with ends -----------------------------------------------------------------------------------------------------
def differences(x: np.ndarray, order: int, reach: int = 2) -> np.ndarray:
    """(n, n) matrix of a derivative by polynomials through neighbouring points (B. Fornberg 1988, doi:10.1090/S0025-5718-1988-0935077-0).

    >>> x = np.linspace(0, 1, 9) ** 2
    >>> bool(np.abs(differences(x, 1) @ x**2 - 2 * x).max() < 1e-12)
    True
    """
    n = len(x)
    width = min(n, 2 * (reach + (order - 1) // 2) + 1)
    out = np.zeros((n, n))
    for i in range(n):
        start = min(max(0, i - width // 2), n - width)
        s = x[start:start + width] - x[i]
        scale = np.abs(s).max()
        powers = np.vander(s / scale, increasing=True).T
        right = np.zeros(width)
        right[order] = float(np.prod(np.arange(1, order + 1))) / scale**order
        out[i, start:start + width] = np.linalg.solve(powers, right)
    return out


def _line(law: Law, field: Field, u0, t, boundary, seconds) -> Simulation:
    from scipy.integrate import solve_ivp
    from scipy.interpolate import interp1d

    x, n = field.axes[0], len(field.names)
    needed = {o for terms in law.equations.values() for _, term in terms for o in (
        term.orders[0], *(split_name(v, field.names, field.labels)[1][0] for v in term.inner.variables
                          if split_name(v, field.names, field.labels)[0]))}
    matrices = {o: differences(x, o) for o in needed if o}
    edge = [0, 1, -2, -1] if max(needed, default=0) > 2 else [0, -1]
    held = None if boundary is None else interp1d(t, np.stack(boundary)[:, :, edge], axis=1, fill_value="extrapolate")
    deadline, size = time.monotonic() + seconds, np.abs(u0).max()

    def derive(a, orders):
        return matrices[orders[0]] @ a if orders[0] else a

    def rhs(s, y):
        if time.monotonic() > deadline:
            raise TimeoutError
        state = y.reshape(u0.shape).copy()
        if held is not None:
            state[:n, edge] = held(s)
        columns = _columns(law, field, state, s, derive)
        out = np.stack([_rhs(law.equations[name], columns, x.shape, derive) for name in field.names])
        out[:, edge] = 0.0
        return np.nan_to_num(np.concatenate([state[n:], out]) if law.time_order == 2 else out).ravel()

    def explodes(s, y):
        return EXPLODED * size - np.abs(y).max()

    explodes.terminal = True
    values = np.full((len(u0), len(t), len(x)), np.nan)
    try:
        with np.errstate(all="ignore"):
            band = len(u0) * len(x) if len(u0) > 1 or law.time_order == 2 else max(4, 2 * max(needed, default=1) + 2)
            options = {} if band >= len(u0) * len(x) else {"lband": band, "uband": band}
            found = solve_ivp(rhs, (t[0], t[-1]), u0.ravel(), "LSODA", t, rtol=1e-6, atol=1e-8 * size, events=explodes, **options)
    except TimeoutError:
        return Simulation(values, "the simulation took too long")
    reached = found.y.shape[1]
    values[:, :reached] = np.moveaxis(found.y.reshape(*u0.shape, reached), -1, 1)
    if held is not None:
        values[:n, :reached][:, :, edge] = held(t[:reached])
    message = "" if reached == len(t) else f"the simulation is unstable: it ends at t = {t[max(0, reached - 1)]:.4g}"
    return Simulation(values, message)
