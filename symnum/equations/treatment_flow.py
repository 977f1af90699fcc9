"""Flows of laws that are sums of monomials, one law for each treatment, with their derivatives.

    x' = sum of c_p m_p(x, z)        m_p monomials of states and of what is constant between two samples (inputs, covariates)

All intervals between samples, of all subjects, are integrated in one call: Runge-Kutta of order four together with the equations of
variation for the state at the start and for the coefficients.
"""

from dataclasses import dataclass, replace
from functools import reduce
from operator import mul

import numpy as np
from numba import njit

from symnum.dynamics.system import System
from symnum.language.expr import Expr

PACE = 0.2  # the largest rate times a step of the integrator: its relative error is then below 1e-5
LAYOUT = ("C", "W")  # of arrays that compiled functions take: every other one would be compiled for anew
MOST_STEPS = 64  # of the integrator between two samples


@dataclass(frozen=True)
class Law:
    """Right-hand sides for every treatment; term p stands in the equation of one state under one treatment.

    Attributes:
        states: names of the states.
        others: names of inputs and covariates, which stand behind the states in a term's powers.
        inputs: how many of the others are inputs.
        treatments: names of the treatments.
        starts: (treatments + 1,) where each treatment's terms begin.
        equation: (P,) the state in whose equation each term stands.
        powers: (P, states + others) powers of the monomials.
    """

    states: tuple[str, ...]
    others: tuple[str, ...]
    inputs: int
    treatments: tuple[str, ...]
    starts: np.ndarray
    equation: np.ndarray
    powers: np.ndarray

    def __len__(self) -> int:
        return len(self.powers)

    @property
    def treatment(self) -> np.ndarray:
        """(P,) the treatment of each term."""
        return np.repeat(np.arange(len(self.treatments)), np.diff(self.starts))

    def take(self, terms: np.ndarray) -> "Law":
        """The law with some of the terms, given by number in increasing order."""
        starts = np.searchsorted(terms, self.starts)
        return replace(self, starts=starts, equation=self.equation[terms], powers=self.powers[terms])

    @classmethod
    def full(cls, states, others, inputs: int, treatments, degree: int) -> "Law":
        """Every monomial up to a degree, under every treatment, in every equation.

        >>> len(Law.full(("x",), ("age",), 0, ("none", "drug"), 2))
        12
        """
        powers = monomials(len(states) + len(others), degree)
        count, d, K = len(powers), len(states), len(treatments)
        return cls(tuple(states), tuple(others), inputs, tuple(treatments), np.arange(K + 1) * count * d,
                   np.tile(np.repeat(np.arange(d), count), K), np.tile(powers, (K * d, 1)))

    def term(self, p: int) -> Expr:
        """The monomial of a term."""
        names = (*self.states, *self.others)
        factors = [Expr.var(n) if e == 1 else Expr.var(n) ** int(e) for n, e in zip(names, self.powers[p], strict=True) if e]
        return reduce(mul, factors) if factors else Expr.const(1)

    def label(self, p: int) -> str:
        """What a coefficient is called: treatment, equation and monomial."""
        return f"{self.treatments[self.treatment[p]]}: {self.states[self.equation[p]]}' {self.term(p)}"

    def system(self, treatment: int, coefficients: np.ndarray, covariates: dict[str, float] | None = None) -> System:
        """The right-hand sides under one treatment; with covariates, their values are put in and equal monomials are summed."""
        known = np.array([n in (covariates or {}) for n in (*self.states, *self.others)])
        values = np.array([(covariates or {}).get(n, 1.0) for n in (*self.states, *self.others)])
        equations = []
        for i in range(len(self.states)):
            sums: dict[tuple, float] = {}
            names = {}
            for p in range(self.starts[treatment], self.starts[treatment + 1]):
                if self.equation[p] == i:
                    rest = np.where(known, 0, self.powers[p])
                    factor = float(np.prod(values[known] ** self.powers[p][known]))
                    sums[tuple(rest)] = sums.get(tuple(rest), 0.0) + factor * float(coefficients[p])
                    names[tuple(rest)] = replace(self, powers=rest[None]).term(0)
            parts = [Expr.const(c) if names[k].tokens == (1,) else Expr.const(c) * names[k] for k, c in sums.items()]
            equations.append(reduce(lambda a, b: a + b, parts) if parts else Expr.const(0))
        left = self.others[: self.inputs] if covariates is not None else self.others
        return System(self.states, tuple(equations), tuple(left))


def monomials(variables: int, degree: int) -> np.ndarray:
    """(L, variables) powers of all monomials up to a degree, by degree.

    >>> monomials(2, 2).tolist()
    [[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]
    """
    out = [np.zeros(variables, int)]
    level = [(np.zeros(variables, int), 0)]
    for _ in range(degree):
        grown = []
        for powers, first in level:
            for j in range(first, variables):
                more = powers.copy()
                more[j] += 1
                grown.append((more, j))
        out += [powers for powers, _ in grown]
        level = grown
    return np.array(out)


@dataclass(frozen=True)
class Flow:
    """Attributes: end (M, d) states at the end of each interval, by_state (M, d, d), by_coefficient (M, d, most terms of a treatment)."""

    end: np.ndarray
    by_state: np.ndarray
    by_coefficient: np.ndarray


def flow(law: Law, coefficients: np.ndarray, x: np.ndarray, z: np.ndarray, h: np.ndarray, treatment: np.ndarray,
         steps: int = 0) -> Flow:
    """Integrate all intervals.

    Args:
        law: the law.
        coefficients: (M, P) or (P,).
        x: (M, d) states at the start of each interval.
        z: (M, others) what is constant in it.
        h: (M,) lengths.
        treatment: (M,) numbers.
        steps: of the integrator for each interval; by default, as many as the fastest rate requires.

    States that cannot be continued are NaN.

    >>> law = Law.full(("x",), (), 0, ("none",), 1)
    >>> at = flow(law, np.array([0.0, -1.0]), np.array([[2.0]]), np.zeros((1, 0)), np.ones(1), np.zeros(1, int))
    >>> bool(abs(at.end[0, 0] - 2 * np.exp(-1)) < 1e-4)
    True
    """
    M, d = x.shape
    C = np.broadcast_to(coefficients, (M, len(law)))
    width = int(np.diff(law.starts).max(initial=0))
    out = Flow(np.empty((M, d)), np.empty((M, d, d)), np.zeros((M, d, width)))
    real = (np.require(a, float, LAYOUT) for a in (C, x, z, h))
    whole = (np.require(a, np.int64, LAYOUT) for a in (treatment, law.starts, law.equation, law.powers))
    _flow(*real, *whole, steps, PACE, MOST_STEPS, out.end, out.by_state, out.by_coefficient)
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def _slope(c, z, first, last, equation, powers, y, dy):
    """dy = (f, J T + [0, m]) at y = (x, T): the state in column 0, its derivatives by state and coefficients in the others."""
    d, columns = y.shape
    for i in range(d):
        for k in range(columns):
            dy[i, k] = 0.0
    for p in range(first, last):
        i = equation[p]
        constant = 1.0
        for j in range(len(z)):
            for _ in range(powers[p, d + j]):
                constant *= z[j]
        value = constant
        for j in range(d):
            for _ in range(powers[p, j]):
                value *= y[j, 0]
        dy[i, 0] += c[p] * value
        dy[i, 1 + d + p - first] += value
        for j in range(d):
            if powers[p, j] > 0:
                by = c[p] * constant * powers[p, j]
                for k in range(d):
                    for _ in range(powers[p, k] - (1 if k == j else 0)):
                        by *= y[k, 0]
                for k in range(1, columns):
                    dy[i, k] += by * y[j, k]


@njit(cache=True, error_model="numpy", nogil=True)
def _flow(C, X, Z, H, treatment, starts, equation, powers, steps, pace, most, end, by_state, by_coefficient):
    M, d = X.shape
    width = by_coefficient.shape[2]
    buffer, moved, slope, total = np.zeros((d, 1 + d + width)), np.zeros((d, 1 + d + width)), np.zeros((d, 1 + d + width)), \
        np.zeros((d, 1 + d + width))
    at, weight = np.array([0.0, 0.5, 0.5, 1.0]), np.array([1 / 6, 1 / 3, 1 / 3, 1 / 6])
    for m in range(M):
        first, last = starts[treatment[m]], starts[treatment[m] + 1]
        columns = 1 + d + last - first
        y, trial, dy, change = buffer[:, :columns], moved[:, :columns], slope[:, :columns], total[:, :columns]
        for i in range(d):
            for k in range(columns):
                y[i, k] = 1.0 if k == 1 + i else 0.0
            y[i, 0] = X[m, i]
        count = steps
        if count == 0:
            _slope(C[m], Z[m], first, last, equation, powers, y, dy)  # at the start J T is J
            rate = 0.0
            for i in range(d):
                for j in range(d):
                    rate = max(rate, abs(dy[i, 1 + j]))
            rate *= H[m] / pace
            count = 1 if not rate > 1 else (most if rate >= most else int(np.ceil(rate)))
        h = H[m] / count
        for _ in range(count):
            for i in range(d):
                for k in range(columns):
                    change[i, k] = 0.0
                    dy[i, k] = 0.0
            for stage in range(4):
                for i in range(d):
                    for k in range(columns):
                        trial[i, k] = y[i, k] + at[stage] * h * dy[i, k]
                _slope(C[m], Z[m], first, last, equation, powers, trial, dy)
                for i in range(d):
                    for k in range(columns):
                        change[i, k] += weight[stage] * h * dy[i, k]
            for i in range(d):
                for k in range(columns):
                    y[i, k] += change[i, k]
        good = True
        for i in range(d):
            for k in range(columns):
                good = good and np.isfinite(y[i, k])
        for i in range(d):
            end[m, i] = y[i, 0] if good else np.nan
            for k in range(d):
                by_state[m, i, k] = y[i, 1 + k] if good else 0.0
            for k in range(last - first):
                by_coefficient[m, i, k] = y[i, 1 + d + k] if good else 0.0
