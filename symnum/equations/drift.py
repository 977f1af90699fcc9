"""Hidden drift: whether a discovered law changes slowly over the time of the record.

One coefficient at a time may be linear in time. Which one is proposed by the discovered equations themselves and by sparse regression in
the weak form over a library and the same library multiplied by the time; integration decides, as it does between constant laws.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from symnum.dynamics.refine import Piece, Refined, pieces_of, refine
from symnum.dynamics.sparse import best_subsets, shortest
from symnum.dynamics.system import System
from symnum.equations.experiment import CLEAR, frozen
from symnum.equations.ode import OdeDiscovery, OdeStatus, rounded
from symnum.equations.ode_choice import Model
from symnum.equations.repair import terms
from symnum.language.expr import Expr

STEPS = 12  # of a refinement with a drift
MOST_TERMS = 5  # of an equation that sparse regression proposes, the drifting term counted twice
PROPOSED = 6  # per equation


@dataclass(frozen=True)
class Drift:
    """A coefficient that changes over the record.

    Attributes:
        state: of whose equation.
        term: the term without its coefficient.
        first, last: the coefficient at the first and the last sample.
        odds: by how much the drifting law is more probable than the best constant one.
    """

    state: str
    term: Expr
    first: float
    last: float
    odds: float

    def __str__(self) -> str:
        what = f"the coefficient of {rounded(self.term, 4)}" if self.term.variables else "the constant term"
        sure = f"{self.odds:.2g}:1" if self.odds < 1e6 else "more than a million to one"
        change = f"goes from {self.first:.3g} to {self.last:.3g} over the record"
        return f"the law seems to drift: {what} in {self.state}' {change} (odds {sure})"


@dataclass(frozen=True)
class _Proposal:
    """A sum of terms for one equation, of which one drifts.

    Attributes:
        equation: its number.
        bodies: the terms.
        coefficients: one per term.
        drifting: the term whose coefficient is linear in time; it may be none of `bodies`.
    """

    equation: int
    bodies: tuple[Expr, ...]
    coefficients: tuple[float, ...]
    drifting: Expr


def drift(ode: OdeDiscovery) -> str | None:
    """Whether the law changes with time, in words; None where nothing points to it."""
    found = find_drift(ode)
    return None if found is None else str(found)


def find_drift(ode: OdeDiscovery) -> Drift | None:
    """The coefficient whose linear change over the record explains the trajectories best, or None where none is worth its constant.

    A drifting law must describe the data more briefly than the best constant one, by twenty to one; autocorrelated residuals count for
    as many as are independent. On a single trajectory that never comes back, time and state say the same and nothing is found.
    """
    best, time = ode.models[0], ode.system.time
    if ode.status is OdeStatus.EXACT or not best.refined.finite or any(time in e.variables for e in best.refined.system.equations):
        return None
    pieces = pieces_of(ode.search.curves, ode.statistics["pieces"])
    middle, half = _record(pieces)
    tau = frozen((Expr.var(time) - Expr.const(middle)) * Expr.const(1 / half))
    found: tuple[float, Drift] | None = None
    for proposal in (*_own(ode), *_sparse(ode, middle, half)):
        for base in _bases(ode, best):
            fitted = _fitted(ode, base, pieces, proposal, tau)
            gain = _gain(best, fitted) if fitted.finite else -np.inf
            if gain > np.log(CLEAR) and (found is None or gain > found[0]):
                found = gain, _read(ode, proposal, fitted, gain)
    return None if found is None else found[1]


def _bases(ode: OdeDiscovery, best: Model) -> list[System]:
    """Where the other equations are from: the best system; where it does not fit, the sparse regression of each equation as well."""
    search, system = ode.search, best.refined.system
    if ode.status is OdeStatus.NOISE or search.library is None:
        return [system]
    A = search.forms[0].project(search.library.columns(search.grid))
    equations = list(system.equations)
    for i in search.searched:
        subsets = best_subsets(A, search.forms[0].target[i], min(MOST_TERMS, search.forms[0].rows // 2))
        chosen = subsets[shortest(subsets, search.forms[0].rows, len(search.library))]
        equations[i] = search.library.combined(chosen.columns, chosen.coefficients)
    return [system, replace(system, equations=tuple(equations))]


def _record(pieces: Sequence[Piece]) -> tuple[float, float]:
    """The middle of the record and half its duration."""
    low, high = min(p.t[0] for p in pieces), max(p.t[-1] for p in pieces)
    return float((low + high) / 2), float((high - low) / 2)


def _own(ode: OdeDiscovery) -> Iterator[_Proposal]:
    """Every term of the discovered equations in turn."""
    for i in ode.search.searched:
        parts = terms(ode.models[0].refined.system.equations[i])
        for part in parts:
            yield _Proposal(i, tuple(p.body for p in parts), tuple(p.coefficient for p in parts), part.body)


def _sparse(ode: OdeDiscovery, middle: float, half: float) -> Iterator[_Proposal]:
    """The most promising supports, per equation, of the library and the library multiplied by the time that have one drifting term."""
    library, form = ode.search.library, ode.search.forms[0]
    if library is None:
        return
    values = library.columns(ode.search.grid)
    tau = (ode.search.grid[ode.system.time] - middle) / half
    A, L = form.project(np.column_stack([values, values * tau[:, None]])), len(library)
    for i in ode.search.searched:
        subsets = [
            s for s in best_subsets(A, form.target[i], min(MOST_TERMS, form.rows // 2), PROPOSED) if sum(j >= L for j in s.columns) == 1
        ]
        for s in sorted(subsets, key=lambda s: s.nats(form.rows, 2 * L))[:PROPOSED]:
            bodies, drifting = tuple(library.terms[j] for j in s.columns[:-1]), library.terms[s.columns[-1] - L]
            yield _Proposal(i, bodies, tuple(s.coefficients[:-1].tolist()), drifting)


def _fitted(ode: OdeDiscovery, base: System, pieces: Sequence[Piece], proposal: _Proposal, tau: Expr) -> Refined:
    """The system with the proposed equation; its last constant is the drift."""
    equation = Expr.const(0.0) * frozen(tau * proposal.drifting)
    for c, body in reversed(list(zip(proposal.coefficients, proposal.bodies, strict=True))):
        equation = Expr.const(c) * frozen(body) + equation
    equations = tuple(equation if j == proposal.equation else e for j, e in enumerate(base.equations))
    return refine(replace(base, equations=equations), pieces, ode.search.scale, starts=ode.models[0].refined.starts, steps=STEPS)


def _gain(best: Model, drifting: Refined) -> float:
    """Nats by which the drifting law describes the data more briefly than the best constant one.

    A constant costs what it does in the best law, on average, with the choice of its term.
    """
    measured = drifting.count > 0
    independent = np.maximum(drifting.independent, 10.0)[measured]
    closer = float((independent / 2 * (best.refined.logs - drifting.logs)[measured]).sum())
    before, after = (sum(len(e.constants) for e in s.equations) for s in (best.refined.system, drifting.system))
    return closer + (before - after) * best.structure / max(before, 1)


def _read(ode: OdeDiscovery, proposal: _Proposal, fitted: Refined, gain: float) -> Drift:
    constants = fitted.system.equations[proposal.equation].constants
    at = [c for c, body in zip(constants, proposal.bodies, strict=False) if body == proposal.drifting]
    middle, gamma = (at[0] if at else 0.0), constants[-1]
    odds = float(np.exp(min(gain, 700.0)))
    return Drift(ode.system.states[proposal.equation], proposal.drifting, middle - gamma, middle + gamma, odds)
