"""Which terms, and windows of which width: both chosen by the data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symnum.dynamics.grid import Field, Windows, corner
from symnum.dynamics.sparse import Subset
from symnum.problem.pde import RESOLUTION, Judged, PdeProblem, Scale, White

FACTORS = (0.7, 1.0, 1.4, 2.0, 2.8)  # of the half width at which a bump's spectrum ends where the field's does
SHORT = 12  # best supports of each width that are put to the vote
PER_SIZE = 3  # supports of each size and width that are tested
HALVED = 2.0  # what is unexplained, by terms with derivatives inside
ENOUGH = 60  # windows
HANDFUL = 6.0  # windows that count where something else than noise is left: its structure would pay for any number of terms
TELLING = np.log(2.0)  # widths that know the coefficients half as well as the best have a say


@dataclass(frozen=True)
class Choice:
    """One equation.

    Attributes:
        judged: terms, coefficients, and how they do on the windows that tell most.
        widths: half widths of these in points, time first.
        front: (support, nats, unexplained share) of every size.
        votes: (widths that chose this support alone, widths that had a say).
        rivals: what the others chose.
    """

    judged: Judged
    widths: tuple[int, ...]
    front: tuple[tuple[Subset, float, float], ...]
    votes: tuple[int, int]
    rivals: tuple[tuple[int, ...], ...]


def candidate_widths(field: Field, power: int) -> list[tuple[int, ...]]:
    """Half widths in points (time, x, …), from the corner of the spectrum.

    A bump (1 − s²)^p of half width a is nearly a Gaussian of deviation a/√(2p + 3); its spectrum reaches two deviations far to the corner
    (Messenger and Bortz 2021, doi:10.1016/j.jcp.2021.110525).
    """
    corners, powers = corner(field), [6] + [power] * len(field.axes)
    natural = [2 * np.sqrt(2 * p + 3) / k for p, k in zip(powers, corners, strict=True)]
    limits = [(n - 1) // 2 - 1 if wraps else (n - 1) // 3 for n, wraps in zip(field.shape, (False, *field.periodic), strict=True)]
    out = [tuple(int(np.clip(round(f * a), 4, m)) for a, m in zip(natural, limits, strict=True)) for f in FACTORS]
    out = [w for w in dict.fromkeys(out) if np.prod(Windows.spread(field, w).shape) >= ENOUGH]
    return out or [tuple(max(4, n // 8) for n in field.shape)]


def choose(problem: PdeProblem, scales: Sequence[Scale], widths: Sequence[tuple[int, ...]], target: int, most: int) -> Choice:
    """The terms of one equation: those that move to the windows whole, others only where these leave more than noise."""
    moved = [j for j, term in enumerate(problem.terms) if not term.local]
    if not moved:
        return _chosen(problem, scales, widths, target, most, range(len(problem.terms)))
    first = _chosen(problem, scales, widths, target, most, moved)
    if len(moved) == len(problem.terms) or not first.judged.significant:
        return first
    second = _chosen(problem, scales, widths, target, most, range(len(problem.terms)))
    return second if second.judged.unexplained * HALVED < first.judged.unexplained else first


def _chosen(problem, scales, widths, target: int, most: int, offered: Sequence[int]) -> Choice:
    """On windows of every width the best supports are found. Those widths that tell most about the coefficients then vote with their
    description lengths: what only one width wants is an accident of its errors.
    """
    found = [problem.path(scale, target, most, offered) for scale in scales]
    best = [white.best(subsets) for white, subsets in found]
    trusted = [i for i, (white, _) in enumerate(found) if white.sound(best[i][0].columns)] or list(range(len(found)))
    candidates = {s.columns for i in trusted for s in sorted(found[i][1], key=lambda s: found[i][0].nats(s, best[i][1]))[:SHORT]}
    levels = [level for _, level in best]
    reference = _vote(found, levels, trusted, candidates)
    strength = {i: found[i][0].strength(found[i][0].fit(reference)) for i in trusted}
    telling = [i for i in trusted if strength[i] >= max(strength.values()) - TELLING]
    voted = _vote(found, levels, telling, candidates)
    enough = _enough(problem, [scales[i] for i in telling], target, [found[i][1] for i in telling], len(voted))
    chosen = _sparing([found[i] for i in telling]) if enough is None else enough
    at = max(telling, key=lambda i: strength[i])
    rivals = tuple(dict.fromkeys(best[i][0].columns for i in telling if best[i][0].columns != chosen))
    votes = sum(best[i][0].columns == chosen for i in telling), len(telling)
    judged = problem.judge(scales[at], target, chosen, found[at][0].fit(chosen).coefficients)
    return Choice(judged, widths[at], _front(found[at], levels[at]), votes, rivals)


def _enough(problem: PdeProblem, scales: Sequence[Scale], target: int, found: Sequence[list[Subset]],
            largest: int) -> tuple[int, ...] | None:
    """The smallest support that leaves nothing but noise on windows of most widths; None where none of up to `largest` terms does."""
    for size in range(largest + 1):
        starts: dict[tuple[int, ...], Subset] = {}
        for subsets in found:
            for s in [s for s in subsets if len(s.columns) == size][:PER_SIZE]:
                starts.setdefault(s.columns, s)
        doubts = {}
        for columns, start in starts.items():
            each: list[float] = []
            for scale in scales:
                each.append(problem.doubt(scale, target, start))
                if 2 * sum(d > 1 for d in each) > len(scales):
                    break
            else:
                doubts[columns] = float(np.mean(np.minimum(each, 10.0)))
        if doubts:
            return min(doubts, key=lambda c: doubts[c])
    return None


def _vote(found: Sequence[tuple[White, list[Subset]]], levels: Sequence[float], voters: Sequence[int],
          candidates: set[tuple[int, ...]]) -> tuple[int, ...]:
    """The support with the least mean description length over some widths."""
    return min(sorted(candidates), key=lambda c: np.mean([found[i][0].nats(found[i][0].fit(c), levels[i]) for i in voters]))


def _sparing(found: Sequence[tuple[White, list[Subset]]]) -> tuple[int, ...]:
    """The support that describes a handful of windows most briefly, over some widths: a term must explain most of what others leave."""
    def nats(white: White, columns: tuple[int, ...]) -> float:
        share = white.misfit(columns, white.fit(columns).coefficients)[0] / max(float(white.b @ white.b), 1e-300)
        return HANDFUL / 2 * float(np.log(share + RESOLUTION**2)) + white.structure(len(columns))

    candidates = sorted({s.columns for _, subsets in found for s in subsets})
    return min(candidates, key=lambda c: np.mean([nats(white, c) for white, _ in found]))


def _front(found: tuple[White, list[Subset]], level: float) -> tuple[tuple[Subset, float, float], ...]:
    """(support, nats, unexplained share) of every size."""
    white, subsets = found
    out = []
    for size in sorted({len(s.columns) for s in subsets}):
        s = min((s for s in subsets if len(s.columns) == size), key=lambda s: white.nats(s, level))
        out.append((s, white.nats(s, level), white.misfit(s.columns, s.coefficients)[0] / max(float(white.b @ white.b), 1e-300)))
    return tuple(out)
