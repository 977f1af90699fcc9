"""The law of a population and how much its coefficients differ between subjects.

The support is chosen by best subsets on the likelihood of whole trajectories, all subjects together; standard errors account for the
subjects' differences (Liang & Zeger 1986, doi:10.1093/biomet/73.1.13). Mean and covariance of the coefficients between subjects and both
noise levels are then those that make the data most likely: empirical Bayes (Laird & Ware 1982, doi:10.2307/2529876).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from symnum.dynamics.sparse import best_subsets
from symnum.equations.treatment_filter import Evidence, Linear, Noise, Panel
from symnum.equations.treatment_flow import Law

LARGEST = 6  # terms of one equation under one treatment
PASSES = 4  # over the choice of the support, each linearised at the law before
ROUNDS = 6  # of the estimate of the differences between subjects
SAMPLE = 100  # subjects from which the noise is estimated
LEAST_SHARE = 1e-9  # of information: directions with less are not determined
KINDS = ("none", "independent", "correlated")  # of differences between subjects
MIXED = 200  # steps of the estimate of the covariance at most
SMALL = 1e-3  # of a standard deviation: smaller moves of coefficients end a subject's fit
SETTLED = 0.02  # nats that a step must gain


@dataclass(frozen=True)
class Population:
    """What is estimated.

    Attributes:
        law: the terms.
        mean, covariance: (P,) and (P, P) of the coefficients between subjects.
        error: (P, P) covariance of the mean's estimate.
        noise: of both kinds.
        kind: of differences, see `KINDS`.
        evidence: what the subjects' samples say about their coefficients.
        path: (S, N, d) their most likely paths.
    """

    law: Law
    mean: np.ndarray
    covariance: np.ndarray
    error: np.ndarray
    noise: Noise
    kind: str
    evidence: Evidence
    path: np.ndarray


def estimate(panel: Panel, full: Law) -> Population:
    """The population's law and the differences between its subjects.

    Args:
        panel: the samples.
        full: the terms to choose from.
    """
    law, mean, noise, path = choose(panel, full)
    found = differences(law, mean, noise, panel, path)
    while len(kept := needed(found)) < len(found.law):
        found = differences(found.law.take(kept), found.mean[kept], found.noise, panel, found.path)
    return found


# the support ------------------------------------------------------------------------------------------------------------------
def choose(panel: Panel, full: Law) -> tuple[Law, np.ndarray, Noise, np.ndarray]:
    """The terms that the data require, with coefficients, noise and smoothed paths."""
    path, coefficients = panel.path, np.zeros(len(full))
    noise, terms = None, None
    for _ in range(PASSES):
        linear = Linear.of(full, panel, path, coefficients)
        noise = _noise(linear, _pooled_misfit, noise)
        chosen = _support(full, linear.evidence(noise))
        evidence = linear.evidence(noise).take(chosen)
        _, fitted = _pooled(evidence)
        coefficients = np.zeros(len(full))
        coefficients[chosen] = fitted
        path = linear.smooth(noise, np.tile(coefficients, (len(panel), 1)))
        if terms is not None and np.array_equal(terms, chosen):
            break
        terms = chosen
    return full.take(chosen), coefficients[chosen], noise, path


def _support(full: Law, evidence: Evidence) -> np.ndarray:
    """Numbers of the chosen terms."""
    info, g = evidence.information.sum(axis=0), evidence.gain.sum(axis=0)
    _, c = _pooled(evidence)
    score = evidence.gain - np.einsum("spq,q->sp", evidence.information, c)
    size = _scale(info)
    meat = (score * size).T @ (score * size)
    bread = _inverse(info * size * size[:, None])
    rows, chosen = float(evidence.used.sum()), []
    for a in range(len(full.treatments)):
        for i in range(len(full.states)):
            mine = np.flatnonzero((full.treatment == a) & (full.equation == i))
            mine = mine[np.diag(info)[mine] > 0]
            if not len(mine):
                continue
            inflation = max(1.0, float(np.trace(bread[np.ix_(mine, mine)] @ meat[np.ix_(mine, mine)])) / len(mine))
            rest = np.setdiff1d(np.flatnonzero((full.treatment == a) & np.isin(full.equation, np.arange(len(full.states)))), mine)
            block, b = _without(info, g, c, mine, rest)
            chosen += mine[list(_shortest(block, b, rows, inflation))].tolist()
    return np.array(sorted(chosen), int)


def _without(info: np.ndarray, g: np.ndarray, c: np.ndarray, mine: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Information and gain of some terms, those of `rest` fitted along, all others at their fitted values."""
    others = np.setdiff1d(np.arange(len(g)), np.concatenate([mine, rest]))
    block, b = info[np.ix_(mine, mine)], g[mine] - info[np.ix_(mine, others)] @ c[others]
    if len(rest):
        cross = info[np.ix_(mine, rest)] @ _inverse(info[np.ix_(rest, rest)])
        block = block - cross @ info[np.ix_(rest, mine)]
        b = b - cross @ (g[rest] - info[np.ix_(rest, others)] @ c[others])
    return block, b


def _shortest(information: np.ndarray, gain: np.ndarray, rows: float, inflation: float) -> tuple[int, ...]:
    """The support that describes the samples most briefly; the noise is known."""
    size = _scale(information)
    values, vectors = np.linalg.eigh(information * size * size[:, None])
    kept = values > LEAST_SHARE * values[-1]
    root = np.sqrt(values[kept])
    A = (vectors[:, kept] * root).T
    b = (vectors[:, kept].T @ (gain * size)) / root
    library = len(gain)

    def nats(subset) -> float:
        k = len(subset.columns)
        which = math.lgamma(library + 1) - math.lgamma(k + 1) - math.lgamma(library - k + 1) + math.log(library + 1)
        return subset.rss / (2 * inflation) + k / 2 * math.log(max(rows, 2.0)) + which

    return min(best_subsets(A, b, LARGEST), key=nats).columns


def _pooled(evidence: Evidence) -> tuple[float, np.ndarray]:
    """-2 log likelihood and the coefficients when they are the same for all subjects."""
    info, g = evidence.information.sum(axis=0), evidence.gain.sum(axis=0)
    size = _scale(info)
    c = size * (_inverse(info * size * size[:, None]) @ (g * size))
    return float(evidence.level.sum() - 2 * g @ c + c @ info @ c), c


def _pooled_misfit(evidence: Evidence) -> float:
    return _pooled(evidence)[0]


def _scale(info: np.ndarray) -> np.ndarray:
    return 1 / np.sqrt(np.maximum(np.diag(info), 1e-300)) * (np.diag(info) > 0)


def _inverse(info: np.ndarray) -> np.ndarray:
    return np.linalg.pinv(info, rcond=LEAST_SHARE, hermitian=True)


# the noise --------------------------------------------------------------------------------------------------------------------
def _noise(linear: Linear, misfit: Callable[[Evidence], float], before: Noise | None) -> Noise:
    """The noise that makes the samples most likely; the kind is chosen the first time.

    Args:
        linear: the linearised law.
        misfit: -2 log likelihood, of evidence.
        before: the noise that was found before.
    """
    from scipy.optimize import minimize

    rows = np.unique(np.linspace(0, len(linear.panel) - 1, SAMPLE).round().astype(int))
    part = linear.take(rows)
    d = len(linear.panel.scale)

    def nats(log: np.ndarray, relative: tuple[bool, bool]) -> float:
        log = np.clip(log, -16, 5)
        value = misfit(part.evidence(Noise(np.exp(log[:d]), np.exp(log[d:]), relative)))
        return value if math.isfinite(value) else 1e300

    kinds = [before.relative] if before else [(False, False), (True, False), (False, True), (True, True)]
    found = []
    for relative in kinds:
        start = np.log(np.maximum(np.concatenate([before.process, before.measurement]), 1e-7)) if before else np.full(2 * d, -4.0)
        best = minimize(nats, start, args=(relative,), method="Nelder-Mead",
                        options={"xatol": 0.05, "fatol": 0.2, "maxfev": 100 * d, "initial_simplex": _simplex(start)})
        found.append((float(best.fun), Noise(np.exp(np.clip(best.x[:d], -16, 5)), np.exp(np.clip(best.x[d:], -16, 5)), relative)))
    return min(found, key=lambda pair: pair[0])[1]


def _simplex(start: np.ndarray) -> np.ndarray:
    return np.concatenate([start[None], start + 1.5 * np.eye(len(start))])


# the differences ----------------------------------------------------------------------------------------------------------------
def differences(law: Law, mean: np.ndarray, noise: Noise, panel: Panel, path: np.ndarray) -> Population:
    """Mean and covariance of the coefficients, and the noise, by maximum likelihood."""
    coefficients, omega, kinds, last = np.tile(mean, (len(panel), 1)), None, KINDS, np.inf
    for _ in range(ROUNDS):
        linear = Linear.of(law, panel, path, coefficients)
        evidence = linear.evidence(noise)
        mean, omega, error, nats, kind = mixed(evidence, mean, omega, kinds)
        if last - nats < SETTLED * len(panel):
            break
        if kinds == KINDS and last < np.inf:  # the second round, linearised at the subjects' own coefficients, decides
            kinds = (kind,)
        last = nats
        noise = _noise(linear, partial(_twice, mean=mean, omega=omega), noise)
        coefficients, _ = posterior(linear.evidence(noise), mean, omega)
        path = linear.smooth(noise, coefficients)
    return Population(law, mean, omega, error, noise, kind, evidence, path)


def needed(found: Population) -> np.ndarray:
    """Numbers of the terms without which the data, differences between subjects allowed for, would be described at greater length."""
    rows, S = float(found.evidence.used.sum()), len(found.evidence.level)

    def nats(terms: np.ndarray) -> float:
        P = len(terms)
        part = found.covariance[np.ix_(terms, terms)]
        *_, misfit, _ = mixed(found.evidence.take(terms), found.mean[terms], part, (found.kind,))
        return misfit + P / 2 * math.log(max(rows, 2.0)) + numbers(P)[found.kind] / 2 * math.log(max(S, 2))

    kept = np.arange(len(found.law))
    doubt = found.mean**2 / np.maximum(np.diag(found.error), 1e-300)
    now = nats(kept) if len(kept) else 0.0
    for p in np.argsort(doubt):
        if doubt[p] > math.log(max(rows, 2.0)):
            break
        rest = kept[kept != p]
        without = nats(rest) if len(rest) else float(found.evidence.level.sum() / 2)
        if without <= now:
            kept, now = rest, without
    return kept


def numbers(terms: int) -> dict[str, int]:
    """Parameters of each kind of differences."""
    return {"none": 0, "independent": terms, "correlated": terms * (terms + 1) // 2}


def settled(law: Law, panel: Panel, found: Population, steps: int) -> tuple[np.ndarray, np.ndarray, Evidence]:
    """(S, P) most likely coefficients of subjects, (S, P, P) their covariance, and the evidence linearised there.

    Gauss and Newton's steps; one that makes a subject's samples less likely is halved.
    """
    width = np.sqrt(np.maximum(np.diag(found.covariance), 1e-300))
    tie = np.linalg.pinv(found.covariance, rcond=LEAST_SHARE, hermitian=True)
    values = best = np.tile(found.mean, (len(panel), 1))
    path, least = panel.path, np.full(len(panel), np.inf)
    for step in range(steps + 1):
        evidence = Linear.of(law, panel, path, values).evidence(found.noise)
        shift = values - found.mean
        misfit = evidence.level - 2 * (evidence.gain * values).sum(axis=1) + np.einsum("sp,spq,sq->s", values, evidence.information, values)
        misfit += np.einsum("sp,pq,sq->s", shift, tie, shift)
        better = misfit <= least + SETTLED
        wanted, _ = posterior(evidence, found.mean, found.covariance)
        moved = np.where(better[:, None], wanted, (best + values) / 2)
        best, least = np.where(better[:, None], values, best), np.where(better, misfit, least)
        if step == steps or (np.abs(moved - values) <= SMALL * width).all():
            break
        values = moved
        path = Linear.of(law, panel, path, values).smooth(found.noise, values)
    evidence = Linear.of(law, panel, path, best).evidence(found.noise)
    _, spread = posterior(evidence, found.mean, found.covariance)
    return best, spread, evidence


def posterior(evidence: Evidence, mean: np.ndarray, omega: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S, P) most likely coefficients of every subject and (S, P, P) their covariance."""
    P = len(mean)
    spread = np.linalg.solve(np.eye(P) + omega @ evidence.information, np.broadcast_to(omega, evidence.information.shape))
    spread = (spread + spread.transpose(0, 2, 1)) / 2
    left = evidence.gain - evidence.information @ mean
    return mean + np.einsum("spq,sq->sp", spread, left), spread


def _misfit(evidence: Evidence, mean: np.ndarray, omega: np.ndarray) -> float:
    """-log likelihood, coefficients integrated out."""
    _, spread = posterior(evidence, mean, omega)
    left = evidence.gain - evidence.information @ mean
    quadratic = evidence.level - 2 * evidence.gain @ mean + evidence.information @ mean @ mean
    quadratic -= np.einsum("sp,spq,sq->s", left, spread, left)
    log = np.linalg.slogdet(np.eye(len(mean)) + omega @ evidence.information)[1]
    return float((quadratic + log).sum() / 2)


def _twice(evidence: Evidence, mean: np.ndarray, omega: np.ndarray) -> float:
    """-2 log likelihood, coefficients integrated out."""
    return 2 * _misfit(evidence, mean, omega)


def mixed(evidence: Evidence, mean: np.ndarray, omega: np.ndarray | None, kinds: tuple[str, ...]):
    """Mean, covariance between subjects, covariance of the mean's estimate, -log likelihood, and which kind of differences this is.

    Of the kinds of differences between subjects, that which describes the data most briefly.
    """
    P, S = len(mean), len(evidence.level)
    size = _scale(evidence.information.sum(axis=0))
    size = np.where(size > 0, size, 1.0) * math.sqrt(S)
    scaled = replace(evidence, gain=evidence.gain * size, information=evidence.information * size * size[:, None])
    start = np.eye(P) if omega is None else omega / size / size[:, None] + 1e-6 * np.eye(P)
    found = []
    for kind in kinds:
        if kind == "none" or S > 1:
            m, W, nats = _em(scaled, mean / size, start, kind)
            found.append((nats + numbers(P)[kind] / 2 * math.log(max(S, 2)), m, W, nats, kind))
    _, m, W, nats, kind = min(found, key=lambda f: f[0])
    error = _inverse(_marginal(scaled, W).sum(axis=0))
    return m * size, W * size * size[:, None], error * size * size[:, None], nats, kind


def _marginal(evidence: Evidence, omega: np.ndarray) -> np.ndarray:
    """(S, P, P) information about the mean."""
    _, spread = posterior(evidence, np.zeros(len(omega)), omega)
    return evidence.information - evidence.information @ spread @ evidence.information


def _em(evidence: Evidence, mean: np.ndarray, omega: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Expectation and maximisation for the covariance, the mean by generalised least squares in each step."""
    omega = {"none": np.zeros_like(omega), "independent": np.diag(np.diag(omega)), "correlated": omega}[kind]
    last = np.inf
    for step in range(MIXED):
        _, spread = posterior(evidence, mean, omega)
        info = evidence.information
        known = info - info @ spread @ info
        mean = _inverse(known.sum(axis=0)) @ (evidence.gain - np.einsum("spq,sq->sp", info @ spread, evidence.gain)).sum(axis=0)
        if kind == "none":
            break
        shift = np.einsum("spq,sq->sp", spread, evidence.gain - info @ mean)
        moment = spread.mean(axis=0) + shift.T @ shift / len(shift)
        omega = np.diag(np.diag(moment)) if kind == "independent" else (moment + moment.T) / 2
        if step % 10 == 9:
            now = _misfit(evidence, mean, omega)
            if last - now < SETTLED:
                break
            last = now
    return mean, omega, _misfit(evidence, mean, omega)
