"""Find the partial differential equations that measured fields obey.

    found = discover_pde(u, t, (x,), names=["u"])
    print(found)                        u_t = -0.5*(u^2)_x + 0.1*u_xx
    found.simulate(u0, times)
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as default
from pathlib import Path

import numpy as np

from symnum.dynamics.grid import Field, FieldError
from symnum.equations.pde_choice import Choice, candidate_widths, choose
from symnum.equations.pde_simulate import Law, simulate
from symnum.problem.pde import PdeProblem
from symnum.problem.pde_terms import Term, library

LARGEST = 10  # terms of one equation
SURE = 0.02  # share of the derivative in time that may stay unexplained where first order in time is enough
BETTER = 10.0  # times less unexplained: what second order in time must gain
HOLDOUT = 0.15  # of the time range, the last part, for the simulation to be judged on
WINDOWS = 600  # of each width
LARGE = 3_000_000  # points from which on windows have two widths only: every width is a pass over the field


@dataclass(frozen=True)
class FrontEntry:
    """The best equation of its size: text, number of terms, unexplained share of the left-hand side, description length in nats."""

    equation: str
    size: int
    unexplained: float
    nats: float


@dataclass(frozen=True)
class PdeVerdict:
    """What a simulation from the last sample fitted says of the time held out.

    Attributes:
        r2: of the held-out values, per field; None where nothing was simulated.
        message: in words.
    """

    r2: dict[str, float] | None
    message: str


@dataclass(frozen=True)
class PdeDiscovery:
    """Equations found.

    Attributes:
        terms: per field, (coefficient, term) of the right-hand side.
        time_order: 1 (u_t) or 2 (u_tt).
        front: per field, the best equation of every size.
        verdict: see `PdeVerdict`.
        status: what a reader should know: how the equations were found, doubts, what was not done.
        noise: per field, the estimated standard deviation of white noise.
        widths: per field, half widths of the windows in points, time first.
        field: the measurements.
    """

    terms: dict[str, tuple[tuple[float, Term], ...]]
    time_order: int
    front: dict[str, tuple[FrontEntry, ...]]
    verdict: PdeVerdict
    status: tuple[str, ...]
    noise: dict[str, float]
    widths: dict[str, tuple[int, ...]]
    field: Field = default(repr=False)
    covariance: dict[str, np.ndarray] = default(repr=False)

    def left(self, name: str) -> str:
        """The left-hand side, as u_t."""
        return f"{name}_{'t' * self.time_order}"

    @property
    def equations(self) -> dict[str, str]:
        """Right-hand sides as text, by field."""
        return {name: _text(terms) for name, terms in self.terms.items()}

    def __str__(self) -> str:
        return "\n".join(f"{self.left(name)} = {text}" for name, text in self.equations.items())

    def intervals(self, level: float = 0.95) -> dict[str, tuple[tuple[float, float], ...]]:
        """Confidence intervals of the coefficients, term by term; they hold the terms to be the right ones.

        Raises:
            ValueError: a level outside 0 to 1.
        """
        from scipy.stats import norm

        if not 0 < level < 1:
            raise ValueError(f"a level between 0 and 1 was required, got {level}")
        reach = float(norm.ppf((1 + level) / 2))
        out = {}
        for name, terms in self.terms.items():
            errors = np.sqrt(np.maximum(np.diag(self.covariance[name]), 0.0)) if terms else []
            out[name] = tuple((c - reach * float(e), c + reach * float(e)) for (c, _), e in zip(terms, errors, strict=True))
        return out

    def sympy(self, expand: bool = False) -> dict:
        """Per field a sympy equation; derivatives are written as found, or carried out (`expand`): (u²)_x becomes 2·u·u_x."""
        import sympy

        t = sympy.Symbol("t", real=True)
        symbols = (t, *(sympy.Symbol(label, real=True) for label in self.field.labels))
        out = {}
        for name, terms in self.terms.items():
            right = sum((sympy.Float(c) * term.sympy(self.field.names) for c, term in terms), sympy.Integer(0))
            right = sympy.expand(right.doit()) if expand else right
            out[name] = sympy.Eq(sympy.Derivative(sympy.Function(name)(*symbols), (t, self.time_order)), right)
        return out

    def latex(self) -> str:
        """The equations, a line each, with four digits."""
        import sympy

        def rounded(e):
            return e.xreplace({c: sympy.Float(c, 4) for c in e.atoms(sympy.Float)})

        lines = []
        for equation in self.sympy().values():
            short = {f: sympy.Symbol(f.func.__name__) for f in equation.atoms(sympy.core.function.AppliedUndef)}
            lines.append(_latex(rounded(equation.lhs), short) + " = " + _latex(rounded(equation.rhs), short))
        return "\n".join(lines)

    def simulate(self, u0, t, rate=None, seconds: float = 20.0) -> np.ndarray:
        """Solve on the grid of the data.

        Args:
            u0: (x, …) at t[0], or (fields, x, …).
            t: (times,) increasing.
            rate: of second order in time, u_t at t[0]; 0 by default.

        Returns:
            (time, x, …), or (fields, time, x, …) of several fields; NaN from where it could not be continued.

        Raises:
            FieldError: the wrong shape, or times that do not increase.
        """
        shape = tuple(map(len, self.field.axes))
        n = len(self.field.names)

        def whole(a, what):
            a = np.asarray(a, float)
            a = a[None] if n == 1 and a.ndim == len(shape) else a
            if a.shape != (n, *shape):
                raise FieldError(f"{what} of the shape {(n, *shape)} was required, fields first, got {a.shape}")
            return a

        t = np.asarray(t, float)
        if t.ndim != 1 or len(t) < 2 or not (np.diff(t) > 0).all():
            raise FieldError("at least two increasing times were required")
        found = simulate(Law(self.terms, self.time_order), self.field, whole(u0, "u0"), t, None if rate is None else whole(rate, "rate"),
                         seconds=seconds)
        return found.values[0] if n == 1 else found.values

    def to_dict(self) -> dict:
        """For JSON."""
        intervals = self.intervals()
        return {
            "equations": {self.left(name): text for name, text in self.equations.items()},
            "terms": {name: [{"term": str(term), "coefficient": c, "interval": list(i)} for (c, term), i in zip(
                terms, intervals[name], strict=True)] for name, terms in self.terms.items()},
            "noise": self.noise, "half_widths": self.widths, "periodic": dict(zip(self.field.labels, self.field.periodic, strict=True)),
            "verdict": {"message": self.verdict.message, "r2": self.verdict.r2}, "status": list(self.status),
            "front": {name: [vars(e) for e in entries] for name, entries in self.front.items()},
        }

    def save(self, folder: str | Path) -> Path:
        """Write result.json into a folder, whole or not at all."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / "result.json.part"
        part.write_text(json.dumps(self.to_dict(), indent=1))
        os.replace(part, folder / "result.json")
        return folder / "result.json"


def discover_pde(
    u, t, axes, *, names: Sequence[str] | None = None, labels: Sequence[str] | None = None,
    periodic: bool | Sequence[bool] | None = None, time_order: int | str = "auto",
    degree: int = 3, order: int | None = None, functions: Sequence[str] = (), coordinates: Sequence[str] = (), products: bool = True,
    terms: Sequence[str] = (), library_only: Sequence[str] | None = None, most: int = LARGEST, holdout: float = HOLDOUT,
    targets: Sequence[str] | None = None, simulate_seconds: float = 20.0,
) -> PdeDiscovery:
    """The equations u_t = Σ c·term (or u_tt = …) that fields on a grid obey.

    Args:
        u: (time, x[, y[, z]]); a list of such arrays for several fields; complex: real and imaginary part become two fields. float32,
            float64 or memory-mapped; NaN = missing.
        t: (time,) increasing.
        axes: coordinates of the grid, one array per axis of space.
        names: of the fields.
        labels: of the coordinates; x, y, z by default.
        periodic: for all axes or per axis; None: seen in the data.
        time_order: 1 (u_t), 2 (u_tt) or "auto".
        degree, order, functions, coordinates, products: of the library, see `symnum.problem.pde_terms.library`.
        terms: further terms, as "u^1.5" or "(u^1.5)_xx".
        library_only: exactly these terms instead of a library.
        most: terms of one equation.
        holdout: the share of the time range, the last, on which a simulation of the equations is judged; 0: none.
        targets: the fields whose equations are wanted; all by default (others may be given as measured: a velocity).
        simulate_seconds: for that simulation.

    Raises:
        FieldError: data that cannot be used.
        ValueError: settings that cannot.

    >>> x, t = np.arange(64) / 64 * 6.0, np.linspace(0, 1, 60)
    >>> k = 2 * np.pi / 6
    >>> u = sum(np.exp(-0.1 * (j * k)**2 * t[:, None]) * np.cos(j * (k * (x - 0.8 * t[:, None]) + j)) for j in (1, 2, 3))
    >>> print(discover_pde(u, t, (x,), degree=1, order=3, products=False))
    u_t = -0.8*u_x + 0.1*u_xx
    """
    whole = Field.of(u, t, axes, names=names, labels=labels, periodic=periodic)
    if time_order not in (1, 2, "auto"):
        raise ValueError(f"a time_order of 1, 2 or 'auto' was required, got {time_order!r}")
    if not 0 <= holdout <= 0.5:
        raise ValueError(f"a holdout from 0 to 0.5 was required, got {holdout}")
    if most < 1:
        raise ValueError(f"at least one term was required, got most={most}")
    wanted = whole.names if targets is None else tuple(targets)
    for name in wanted:
        if name not in whole.names:
            raise ValueError(f"targets among the fields {', '.join(whole.names)} were required, got {name}")
    if library_only is None:
        terms_ = library(whole, degree=degree, order=order, functions=functions, coordinates=coordinates, products=products, extra=terms)
    else:
        from symnum.problem.pde_terms import parse_term

        terms_ = tuple(dict.fromkeys(parse_term(text, whole.names, whole.labels) for text in [*library_only, *terms]))
        if not terms_:
            raise ValueError("at least one term was required in library_only")
    first, rest = whole.until(1 - holdout) if holdout else (whole, None)
    problem = PdeProblem(first, terms_)
    widths = candidate_widths(first, max(8, max(max(term.orders) for term in terms_) + 4))
    if first.points > LARGE:
        widths = widths[1:3] or widths
    scales = [problem.scale(w, WINDOWS) for w in widths]
    most = min(most, len(terms_))
    index = [whole.names.index(name) for name in wanted]
    problem, choices = _ordered(problem, scales, widths, index, most, time_order)
    found = {name: tuple((float(c), problem.terms[j]) for j, c in zip(s.columns, s.coefficients, strict=True))
             for name, s in zip(wanted, (c.judged.subset for c in choices), strict=True)}
    law = Law(found, problem.time_order)
    verdict = _verdict(law, whole, first, rest, problem, wanted, simulate_seconds)
    left = {name: problem.target(name) for name in wanted}
    return PdeDiscovery(
        found, problem.time_order, {name: _front(problem, c) for name, c in zip(wanted, choices, strict=True)}, verdict,
        _status(problem, dict(zip(wanted, choices, strict=True)), left), {n: problem.sigma[n] for n in whole.names},
        {name: c.widths for name, c in zip(wanted, choices, strict=True)}, whole,
        {name: c.judged.covariance for name, c in zip(wanted, choices, strict=True)})


def _ordered(problem, scales, widths, index, most, time_order) -> tuple[PdeProblem, list[Choice]]:
    """First order in time where it explains what is not noise; else whichever order explains more."""
    def solved(order):
        problem.time_order = order
        return [choose(problem, scales, widths, i, most) for i in index]

    if time_order != "auto":
        return problem, solved(time_order)
    one = solved(1)
    left = max(c.judged.unexplained for c in one)
    if left < SURE or not any(c.judged.significant for c in one):
        return problem, one
    two = solved(2)
    if max(c.judged.unexplained for c in two) * BETTER < left:
        return problem, two
    problem.time_order = 1
    return problem, one


# words ----------------------------------------------------------------------------------------------------------------
def _text(terms: Sequence[tuple[float, Term]]) -> str:
    out = ""
    for c, term in terms:
        shown = f"{abs(c):.4g}" if str(term) == "1" else f"{abs(c):.4g}*{_bracketed(str(term))}"
        out += (" - " if c < 0 else " + ") + shown if out else ("-" if c < 0 else "") + shown
    return out or "0"


def _bracketed(text: str) -> str:
    depth = 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if depth == 0 and c in "+-" and i:
            return f"({text})"
    return text


def _latex(expression, short) -> str:
    import sympy

    for derivative in sorted(expression.atoms(sympy.Derivative), key=sympy.count_ops, reverse=True):
        index = "".join(str(v) * int(k) for v, k in derivative.variable_count)
        inner = derivative.expr.xreplace(short)
        shown = sympy.latex(inner) if inner.is_Symbol else rf"\left({sympy.latex(inner)}\right)"
        expression = expression.xreplace({derivative: sympy.Symbol(f"{{{shown}}}_{{{index}}}")})
    return sympy.latex(expression.xreplace(short))


def _front(problem: PdeProblem, choice: Choice) -> tuple[FrontEntry, ...]:
    return tuple(FrontEntry(_text([(float(c), problem.terms[j]) for j, c in zip(s.columns, s.coefficients, strict=True)]),
                            len(s.columns), left, nats) for s, nats, left in choice.front)


def _status(problem: PdeProblem, choices: dict[str, Choice], left: dict[str, str]) -> tuple[str, ...]:
    field = problem.field
    out = [f"sparse regression on weak residuals over {len(problem.terms)} terms; the searches over trees were not run: a window is a "
           "sum over many points, and a term under its derivative costs a projection, not a row"]
    seen = [f"{label} {'periodic' if p else 'not periodic'}" for label, p in zip(field.labels, field.periodic, strict=True)]
    out.append(", ".join(seen))
    for name, choice in choices.items():
        if not choice.judged.subset.columns:
            out.append(f"{left[name]}: no term explains it beyond noise")
        elif choice.judged.unexplained > SURE and choice.judged.significant:
            out.append(f"{left[name]}: {100 * choice.judged.unexplained:.2g} % of it is explained neither by these terms nor by noise; "
                       "more terms (a higher degree or order, functions, coordinates) may be needed")
        agree, of = choice.votes
        if choice.rivals and 2 * agree < of:
            rival = " + ".join(str(problem.terms[j]) for j in choice.rivals[0]) or "0"
            out.append(f"{left[name]}: windows of other widths would rather have the terms {rival}")
    return tuple(out)


# held-out time --------------------------------------------------------------------------------------------------------
def _verdict(law: Law, whole: Field, first: Field, rest: Field | None, problem: PdeProblem, wanted, seconds) -> PdeVerdict:
    if rest is None:
        return PdeVerdict(None, "no time was held out")
    if set(wanted) != set(whole.names):
        return PdeVerdict(None, "not simulated: equations of some of the fields only")
    values = [np.asarray(a, float) for a in rest.values]
    if whole.points > 20_000_000 or not all(np.isfinite(a).all() for a in values):
        why = "the field is too large" if whole.points > 20_000_000 else "values are missing in the time held out"
        return PdeVerdict(None, f"not simulated: {why}")
    start, rate = _start(first, law.time_order)
    found = simulate(law, whole, start, rest.t, rate, values, seconds)
    if found.message and not np.isfinite(found.values).all():
        return PdeVerdict(None, found.message)
    r2 = {}
    for name, a, b in zip(whole.names, values, found.values, strict=True):
        r2[name] = 1.0 - float(np.mean((a[1:] - b[1:]) ** 2) / max(np.var(a[1:]), 1e-300))
    limit = {n: 1 - float(s) ** 2 / max(np.var(a), 1e-300) for n, s, a in zip(whole.names, whole.noise, values, strict=True)}
    said = ", ".join(f"{name} R² = {r2[name]:.4g}" + (f" (noise allows {limit[name]:.4g})" if limit[name] < 0.999 else "") for name in r2)
    return PdeVerdict(r2, f"simulated over the held-out time {rest.t[0]:.4g} to {rest.t[-1]:.4g}: {said}")


def _start(first: Field, time_order: int) -> tuple[np.ndarray, np.ndarray]:
    """The state, and its rate, at the end of the time fitted: smoothed where there is noise."""
    from scipy.signal import savgol_coeffs

    from symnum.dynamics.grid import corner
    from symnum.problem.pde_derivative import CLEAN, smooth_space

    k = corner(first)[0]
    states, rates = [], []
    for a, sigma, scale in zip(first.values, first.noise, first.scale, strict=True):
        noisy = sigma > CLEAN * scale
        width = min(len(first.t) - 1 + len(first.t) % 2, max(7, int(2 * np.pi / k) // 2 * 2 + 1) if noisy else 9)
        last = np.nan_to_num(np.asarray(a[-width:], float))
        degree = min(4 if noisy else 8, width - 1)
        if noisy:
            state = np.tensordot(savgol_coeffs(width, degree, pos=width - 1, use="dot"), last, 1)
        else:
            state = last[-1]
        rate = np.tensordot(savgol_coeffs(width, degree, deriv=1, delta=first.steps[0], pos=width - 1, use="dot"), last, 1)
        states.append(smooth_space(first, state, sigma) if noisy else state)
        rates.append(smooth_space(first, rate, 0.0) if noisy and time_order == 2 else rate)
    return np.stack(states), np.stack(rates)
