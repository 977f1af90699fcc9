"""What the data leave open: rivals that explain them as well, and the experiment that would tell which is true.

An experiment is worth what it is expected to add to the odds between two systems: how far the predictions of one lie from those of the
other, in units of the noise, after the other's constants have moved as far as the present data let them
(Hunter & Reiner, Technometrics 1965; with the constants' uncertainty: Buzzi-Ferraris & Forzatti, Chemical Engineering Science 1983.)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from symnum.dynamics.integrate import Program
from symnum.dynamics.refine import STEP, pieces_of, refine
from symnum.dynamics.system import System
from symnum.equations.ode import OdeDiscovery, rounded
from symnum.equations.ode_choice import Model
from symnum.equations.repair import structure
from symnum.language.expr import Expr
from symnum.language.ops import OPS

CLEAR = 20.0  # odds to one that decide
MOST_RIVALS = 4  # for which an experiment is looked for until one is separable
SAME = 0.05  # nats: systems that no experiment separates by so much are one law written twice
BOX = 3.0  # ranges of the data around their middle within which an experiment may begin
STARTS = 32  # initial states that are tried, those of the data apart
CLOSER = 12  # starts and durations, those of the largest plain difference, that are looked at with adapting constants
DURATIONS = (1 / 3, 1.0, 3.0)  # of an experiment, in durations of the longest trajectory
SAMPLES = 60  # of an experiment, at most


@dataclass(frozen=True)
class Experiment:
    """An experiment between two systems.

    Attributes:
        rival: the system that describes the data nearly as well.
        odds: by how much the first is more probable than the rival.
        x0: (states,) where to begin.
        t_end: how long to measure.
        samples: how many samples, evenly spaced in time.
        separation: the root of the summed squares by which the predictions then differ, in standard deviations of the noise, the constants
            adapted; the expected gain in log odds is half its square.
    """

    rival: System
    odds: float
    x0: tuple[float, ...]
    t_end: float
    samples: int
    separation: float

    @property
    def decides(self) -> bool:
        """Whether the odds afterwards are expected to be clear."""
        return self.separation**2 / 2 > np.log(CLEAR)


def undecided(ode: OdeDiscovery) -> str | None:
    """What the data leave open, in words: rivals and the experiment against them, or an equilibrium that was never left."""
    said = [text for text in (_between_rivals(ode), near_equilibrium(ode)) if text]
    return "; ".join(said) or None


def rivals(ode: OdeDiscovery) -> list[tuple[float, Model]]:
    """(odds, model) of the systems of other structure that describe the data nearly as briefly as the best, the best of them first.

    Differences in description length are logarithms of odds. A system that only adds terms to the best is no rival: the data do not
    show the terms.
    """
    best = ode.models[0]
    if not best.refined.finite:
        return []
    finite = [m for m in ode.models if m.refined.finite]
    independent = ode.search.judge.independent(min(finite, key=lambda m: m.refined.misfit))
    least, ours = best.nats(independent), _structure(best.refined.system)
    seen, found = {ours}, []
    for model in finite[1:]:
        excess = model.nats(independent) - least
        if excess >= np.log(CLEAR):
            break
        theirs = _structure(model.refined.system)
        if theirs not in seen and not all(a <= b for a, b in zip(ours, theirs, strict=True)):
            found.append((float(np.exp(max(excess, 0.0))), model))
        seen.add(theirs)
    return found


def next_experiment(ode: OdeDiscovery) -> Experiment | None:
    """The experiment that best separates the discovered system from its nearest rival, or None where there is no rival.

    Initial states in a box three times the data's range and durations up to three times the data's are tried, where both systems stay
    finite. Rivals that no experiment separates at all are the same law in another form and are passed over.
    """
    for odds, model in rivals(ode)[:MOST_RIVALS]:
        found = _best(ode, odds, model)
        if found is not None and found.separation**2 / 2 > SAME:
            return found
    return None


def _structure(system: System) -> tuple:
    return tuple(structure(e) for e in system.equations)


def _between_rivals(ode: OdeDiscovery) -> str | None:
    found = next_experiment(ode)
    if found is None:
        return None
    ours, theirs = (_differing(a, b) for a, b in ((ode.models[0].refined.system, found.rival), (found.rival, ode.models[0].refined.system)))
    text = f"the data do not decide between {ours} and {theirs} (odds {found.odds:.2g}:1)"
    start = ", ".join(f"{n} = {v:.3g}" for n, v in zip(found.rival.states, found.x0, strict=True))
    if not found.decides:
        return (f"{text}, nor would {found.samples} samples from any start within {BOX:g} times the range of the data; less noise or more "
                "samples are needed")
    return (f"{text}; {found.samples} samples over a time of {found.t_end:.3g} from {start} would: predictions then differ by "
            f"{found.separation:.3g} standard deviations of the noise in all")


def _differing(system: System, other: System) -> str:
    """The equations of a system that another has not, for reading."""
    pairs = zip(system.states, system.equations, other.equations, strict=True)
    return " with ".join(f"{n}' = {rounded(e.simplify(), 3)}" for n, e, o in pairs if structure(e) != structure(o))


# the search for an experiment ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Predictor:
    """One system's predictions with their derivatives by constants and initial states, and what is known of these.

    Attributes:
        program, constants: the system.
        information: (C, C) Fisher information of the constants.
        sigma: (measured,) the noise's standard deviation, of a state of size 1 where it is multiplicative.
        multiplicative: (measured,) whether the noise is in proportion to the state.
        scale: (states,) the size of the states.
    """

    program: Program
    information: np.ndarray
    sigma: np.ndarray
    multiplicative: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, ode: OdeDiscovery, model: Model) -> "_Predictor":
        r, d = model.refined, len(ode.data.states)
        worth = float(np.clip(np.mean(r.independent[:d] / r.count[:d]), 0.0, 1.0))
        sigma = np.sqrt(np.maximum(r.rss[:d] / r.count[:d], r.floor[:d]))
        multiplicative = np.array([any(c.smooths[i].multiplicative for c in ode.search.curves) for i in range(d)])
        return cls(Program.of(r.system), r.information * worth, sigma, multiplicative, ode.search.scale)

    def noise(self, x: np.ndarray) -> np.ndarray:
        """(…, measured) the noise's standard deviation at states x."""
        d = len(self.sigma)
        return self.sigma * np.where(self.multiplicative, np.hypot(x[..., :d], 0.02 * self.scale[:d]), 1.0)

    def predict(self, x0: np.ndarray, t: np.ndarray, u: np.ndarray | None, derivatives: bool = True) -> np.ndarray:
        """(1 + C + states, times, measured) predictions, then their derivatives; NaN after an explosion."""
        theta, states = self.program.constants, len(self.scale)
        if not derivatives:
            return self.program.integrate(theta[None], x0[None], t, u, rtol=1e-5, scale=self.scale)[:, :, : len(self.sigma)]
        steps = np.concatenate([STEP * np.maximum(np.abs(theta), 1e-3), STEP * self.scale])
        copies = 1 + len(steps)
        constants, starts = np.tile(theta, (copies, 1)), np.tile(x0, (copies, 1))
        constants[1 + np.arange(len(theta)), np.arange(len(theta))] += steps[: len(theta)]
        starts[1 + len(theta) + np.arange(states), np.arange(states)] += steps[len(theta) :]
        x = self.program.integrate(constants, starts, t, u, rtol=1e-7, scale=self.scale)[:, :, : len(self.sigma)]
        return np.concatenate([x[:1], (x[1:] - x[:1]) / steps[:, None, None]])

    def known(self, x0: np.ndarray) -> np.ndarray:
        """(C + states, C + states) information of the constants and of an initial state that is measured once."""
        C, states, d = len(self.program.constants), len(self.scale), len(self.sigma)
        out = np.zeros((C + states, C + states))
        out[:C, :C] = self.information
        at = C + np.arange(d)
        out[at, at] = 1 / self.noise(x0) ** 2
        return out


def _best(ode: OdeDiscovery, odds: float, model: Model) -> Experiment | None:
    """The experiment with the largest separation, or None where one of the systems always explodes."""
    first, second = (_Predictor.of(ode, m) for m in (ode.models[0], model))
    longest = max(ode.data, key=lambda item: item.t[-1] - item.t[0])
    span, samples = longest.t[-1] - longest.t[0], min(SAMPLES, max(len(longest), 8))
    durations = DURATIONS if not ode.data.inputs else (1.0,)
    plans = [np.linspace(0, share * span, samples) for share in durations]
    t = np.unique(np.concatenate(plans))
    rows = [np.searchsorted(t, plan) for plan in plans]
    u = np.column_stack([np.interp(longest.t[0] + t, longest.t, c) for c in longest.u.T]) if ode.data.inputs else None
    apart = []
    for x0 in _starts(ode):
        a, b = (p.predict(x0, longest.t[0] + t, u, derivatives=False) for p in (first, second))
        raw = (((a - b) / first.noise(a))[0] ** 2).sum(axis=1)
        apart += [(float(raw[at].sum()), x0, plan, at) for plan, at in zip(plans, rows, strict=True) if np.isfinite(raw[at]).all()]
    apart.sort(key=lambda trial: -trial[0])
    best = None
    for _, x0, plan, at in apart[:CLOSER]:
        a, b = (p.predict(x0, longest.t[0] + plan, None if u is None else u[at]) for p in (first, second))
        gain = _gain(first, second, a, b, x0, odds)
        if gain is not None and (best is None or gain > best.separation):
            best = Experiment(model.refined.system, odds, tuple(x0.tolist()), float(plan[-1]), samples, gain)
    return best


def _starts(ode: OdeDiscovery) -> np.ndarray:
    """(starts, states) initial states: the data's, and some in a box around them; what was always positive stays so."""
    x = np.concatenate([c.x for c in ode.search.curves])
    low, high = x.min(axis=0), x.max(axis=0)
    middle, half = (low + high) / 2, BOX * (high - low) / 2
    floor = np.where(low > 0, low / BOX, np.where(low == 0, 0.0, -np.inf))
    ceiling = np.where(high < 0, high / BOX, np.where(high == 0, 0.0, np.inf))
    random = np.random.default_rng(6).uniform(-1, 1, (STARTS, len(low)))
    box = np.clip(middle + half * random, floor, ceiling)
    return np.concatenate([[c.x[0] for c in ode.search.curves[:4]], box])


def _gain(first: _Predictor, second: _Predictor, a: np.ndarray, b: np.ndarray, x0: np.ndarray, odds: float) -> float | None:
    """The expected separation: each system is true with its probability, and the other adapts to what it predicts."""
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    share = odds / (1 + odds)
    difference = a[0] - b[0]
    squares = share * _unexplained(second, b, difference, first.noise(a[0]), x0)
    squares += (1 - share) * _unexplained(first, a, difference, second.noise(b[0]), x0)
    return float(np.sqrt(squares))


def _unexplained(adapting: _Predictor, predicted: np.ndarray, difference: np.ndarray, noise: np.ndarray, x0: np.ndarray) -> float:
    """Sum of squares of what is left of a difference, in units of the noise, when a system's constants and start adapt to it."""
    r = (difference / noise).ravel()
    J = (predicted[1:] / noise).reshape(len(predicted) - 1, -1).T
    H, g = J.T @ J + adapting.known(x0), J.T @ r
    size = np.sqrt(np.maximum(np.diag(H), 1e-300))
    move = np.linalg.lstsq(H / size / size[:, None], g / size, rcond=1e-12)[0] / size
    return max(float(r @ r - g @ move), 0.0)


def frozen(expr: Expr) -> Expr:
    """The formula with its free constants as exact numbers, which no fit changes (to ten digits)."""
    tokens = []
    for token in expr.tokens:
        if isinstance(token, float):
            places = 10 - math.frexp(token)[1] * 3 // 10
            p, q = (round(token * 10**places), 10**places) if places > 0 else (round(token), 1)
            tokens += [p, q, OPS["div"]]
        else:
            tokens.append(token)
    return Expr(tuple(tokens))


# equilibria ------------------------------------------------------------------------------------------------------------------------
def near_equilibrium(ode: OdeDiscovery) -> str | None:
    """Whether the trajectories stay so near an equilibrium that only the linearisation there is determined, in words.

    Linear equations with an equilibrium farther from zero than the data are from it: a law's quadratic terms are then as large as
    the linear ones at zero. It is said where terms of that size would go unnoticed (twice their standard error is larger).
    """
    system = ode.models[0].refined.system
    if not ode.models[0].refined.finite or ode.order != 1 or system.inputs or not _linear(system):
        return None
    zero = np.zeros((1, len(system.states)))
    offset = system(zero)[0]
    A = np.column_stack([system(row[None])[0] - offset for row in np.eye(len(offset))])
    if np.linalg.cond(A) > 1e8:
        return None
    rest = np.linalg.solve(A, -offset)
    x = np.concatenate([c.x for c in ode.search.curves])
    excursion = np.abs(x - rest).max(axis=0)
    if not (excursion < np.abs(rest)).all() or _quadratics_noticed(ode, system, A, rest):
        return None
    share = float((excursion / np.abs(rest)).max())
    where = ", ".join(f"{n} = {v:.3g}" for n, v in zip(system.states, rest, strict=True))
    return (f"the trajectories stay within {100 * share:.2g} % of the equilibrium {where}: only the linearisation there is determined; "
            "begin farther away")


def _linear(system: System) -> bool:
    """Whether every right-hand side is linear in the states, without the time."""
    return all(not e.derivative(n).simplify().variables for e in system.equations for n in (*system.states, system.time))


def _quadratics_noticed(ode: OdeDiscovery, system: System, A: np.ndarray, rest: np.ndarray) -> bool:
    """Whether a quadratic term that is as large as the linear ones at the distance of zero would show."""
    d, equations, sizes, kind = len(rest), [], [], []
    shifted = [Expr.var(n) - frozen(Expr.const(float(v))) for n, v in zip(system.states, rest, strict=True)]
    for i, e in enumerate(system.equations):
        kind += [False] * len(e.constants)
        for j in range(d):
            for k in range(j, d):
                e = e + Expr.const(0.0) * shifted[j] * shifted[k]
                kind.append(True)
                sizes.append(np.abs(A[i] * rest).max() / abs(rest[j] * rest[k]))
        equations.append(e)
    pieces = pieces_of(ode.search.curves, ode.statistics["pieces"])
    found = refine(replace(system, equations=tuple(equations)), pieces, ode.search.scale, starts=ode.models[0].refined.starts, steps=0)
    linear, quadratic = np.flatnonzero(~np.array(kind)), np.flatnonzero(kind)
    return any(_error(found.information, [*linear, q]) * 2 < size for q, size in zip(quadratic, sizes, strict=True))


def _error(information: np.ndarray, block: Sequence[int]) -> float:
    """The standard error of the last constant of a block, the others outside fixed at zero."""
    part = information[np.ix_(block, block)]
    left = part[-1, -1] - part[-1, :-1] @ np.linalg.pinv(part[:-1, :-1], rcond=1e-12, hermitian=True) @ part[:-1, -1]
    return float(1 / np.sqrt(left)) if left > 0 else np.inf
