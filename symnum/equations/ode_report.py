"""A discovered system as lines for people and as a document for programs, and what a run's folder keeps of it."""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symnum.dynamics.refine import Piece, pieces_of
from symnum.dynamics.system import System
from symnum.equations.run_folder import SystemFolder
from symnum.problem.uncertainty import Interval

if TYPE_CHECKING:
    from symnum.equations.ode import OdeDiscovery
    from symnum.equations.ode_choice import Model

LEVEL = 0.95  # confidence of the intervals
SHOWN = 5  # models that the lines list


def judged_models(found: "OdeDiscovery") -> list[tuple[System, float, float]]:
    """The systems that were judged, best first, each with its nats above the best and its R²; Inf and -Inf where it explodes."""
    models = found.models
    finite = [m for m in models if m.refined.finite]
    if not finite:
        return [(m.refined.system, math.inf, -math.inf) for m in models]
    independent = found.search.judge.independent(min(finite, key=lambda m: m.refined.misfit))
    least = min(m.nats(independent) for m in finite)
    pieces = pieces_of(found.search.curves, found.statistics["pieces"])
    return [(m.refined.system, m.nats(independent) - least, r2_of(m, pieces)) for m in models]


def residuals(model: "Model", pieces: Sequence[Piece], states: Sequence[str]) -> dict[str, float]:
    """By state, the root mean square of what the system leaves, in the state's own units; Inf where it explodes."""
    if not model.refined.finite:
        return dict.fromkeys(states, math.inf)
    left = _misfit(model, pieces)
    return {name: float(np.sqrt(np.nanmean(column**2))) for name, column in zip(states, left.T, strict=False)}


def _misfit(model: "Model", pieces: Sequence[Piece]) -> np.ndarray:
    """(samples, states) simulated less measured values, NaN where missing: residuals are kept in units of the noise's size."""
    parts = zip(model.refined.residuals, pieces, strict=True)
    return np.concatenate([np.where(np.isnan(piece.x), np.nan, r * piece.size) for r, piece in parts])


def r2_of(model: "Model", pieces: Sequence[Piece]) -> float:
    """Of all stretches, each from its fitted initial state; the mean over the states that were measured."""
    if not model.refined.finite:
        return -math.inf
    x = np.concatenate([piece.x for piece in pieces])
    measured = ~np.isnan(x).all(axis=0)
    total = np.nansum((x[:, measured] - np.nanmean(x[:, measured], axis=0)) ** 2, axis=0)
    left = np.nansum(_misfit(model, pieces)[:, measured] ** 2, axis=0)
    return float(np.mean(1 - left[total > 0] / total[total > 0])) if (total > 0).any() else float(not left.any())


def lines(found: "OdeDiscovery", level: float = LEVEL) -> list[str]:
    """The system, the verdict, constants with intervals, noise, other systems that were judged, notes on the data."""
    data = found.data
    out = [str(_rounded(found.system, 6)), "", found.verdict.message, found.status.value]
    if found.undecided:
        out.append(found.undecided)
    for name, constants in found.intervals(level).items():
        if constants:
            out.append(f"constants of {name}' ({100 * level:g} %): " + ", ".join(map(_interval, constants)))
    if found.models[0].refined.finite:
        out.append("residuals (root mean square): " + ", ".join(f"{name} {size:.3g}" for name, size in found.noise.items()))
    if len(found.models) > 1:
        out += ["", "systems judged, best first:", f"  {'nats':>9}  {'R²':>8}"]
        for system, nats, r2 in judged_models(found)[:SHOWN]:
            figures = f"{nats:>+9.1f}  {r2:8.5f}" if math.isfinite(nats) else f"{'explodes':>19}"
            out.append(f"  {figures}  {str(_rounded(system, 4)).replace(chr(10), '; ')}")
        out.append("")
    out += [f"note: {note}" for note in data.notes]
    held = f" and {len(found.held_out)} held out" if len(found.held_out) else ""
    count = f"{len(data)} trajector{'y' if len(data) == 1 else 'ies'}{held}, {data.rows} samples"
    out.append(f"{count} · {found.statistics['seconds']:.1f} s · {found.statistics['systems']} systems judged")
    return out


def _rounded(system: System, digits: int) -> System:
    """The system as it is read: simplified, constants to so many digits."""
    short = (f.with_constants([float(f"{c:.{digits}g}") for c in f.constants]) for f in (f.simplify() for f in system.equations))
    return dataclasses.replace(system, equations=tuple(short))


def _interval(i: Interval) -> str:
    """
    >>> _interval(Interval(0, 2.50042, 2.49731, 2.50353, 0.00156, 0.95)), _interval(Interval(0, 1.5, -np.inf, np.inf, np.inf, 0.95))
    ('2.5004 [2.4973, 2.5035]', '1.5 [not determined]')
    """
    return f"{i.value:.5g} [{i.low:.5g}, {i.high:.5g}]" if math.isfinite(i.std) else f"{i.value:.5g} [not determined]"


def document(found: "OdeDiscovery", level: float = LEVEL) -> dict[str, Any]:
    """The result as values that JSON can hold, except numbers that are not finite."""
    from symnum.store import versions

    return {
        "equations": {name: str(f) for name, f in found.equations.items()},
        "states": list(found.system.states),
        "inputs": list(found.system.inputs),
        "time": found.system.time,
        "order": found.order,
        "verdict": {"message": found.verdict.message, "r2": found.verdict.r2, "holdout_r2": found.verdict.holdout_r2},
        "status": {"name": found.status.name, "message": found.status.value},
        "undecided": found.undecided,
        "residuals": found.noise,
        "noise": dict(found.noise),
        "intervals": {name: [dataclasses.asdict(i) for i in constants] for name, constants in found.intervals(level).items()},
        "inclusion": found.inclusion,
        "fronts": {name: [{"complexity": c.complexity, "loss": c.loss, "equation": str(c.expr)} for c in front]
                   for name, front in found.front.items()},
        "models": [{"system": str(system).split("\n"), "nats_above_best": nats, "r2": r2} for system, nats, r2 in judged_models(found)],
        "statistics": found.statistics,
        "notes": list(found.data.notes),
        "fingerprint": found.data.fingerprint,
        "versions": versions(),
    }


def keep(folder: SystemFolder, found: "OdeDiscovery") -> None:
    """Write a result into its run's folder."""
    folder.save_system(found.system)
    folder.save_fronts(found.front)
    folder.save_models(judged_models(found))
    folder.save_result(document(found))
