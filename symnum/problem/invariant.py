"""The task of conserved quantities: is a function constant along every trajectory, and different between trajectories?

Noise is taken seriously: to first order, noise of standard deviation s_i in state i makes a conserved H(x) vary by
sqrt(sum (s_i dH/dx_i)^2). Only variation beyond that counts against H. Where the field f is known, f · grad H is what must vanish.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from symnum.dynamics.nullspace import Pair
from symnum.dynamics.roughness import CORRELATED, noise_level
from symnum.dynamics.system import System
from symnum.dynamics.trajectory import Trajectories
from symnum.language.expr import Expr

RESOLUTION = 1e-7  # of a state's spread: digits that measured or simulated trajectories are trusted to
ROWS = 8_000  # samples that are looked at; more are thinned
STEEP = 0.01  # of the median variance: no sample counts more than this allows
PARALLEL = 10.0  # noise levels (relative to the spread): terms vary over a tenth of the spread at the shortest
LEAST_ANGLE = 1e-5
ERRORS = 3.0  # standard errors


@dataclass(frozen=True)
class Verdict:
    """What trajectories say about a function.

    Attributes:
        drift: its standard deviation along trajectories over its standard deviation in all.
        excess: its variance along trajectories over what the noise explains; 1 in the mean for a conserved quantity.
        error: the standard error of the excess where it is 1.
        between: its variance between trajectories over what its variance along them explains; 1 for a constant.
        conserved: whether all is within the noise, and it differs between trajectories.
    """

    drift: float
    excess: float
    error: float
    between: float
    conserved: bool


@dataclass(frozen=True)
class InvariantProblem:
    """Trajectories whose conserved quantities are sought.

    Attributes:
        data: the trajectories.
        system: the field, where it is known: then f · grad H = 0 at the samples is the test.
        noise: (states,) standard deviations, where they are known.

    >>> t = np.linspace(0, 6, 40)
    >>> data = Trajectories.of([np.column_stack([a * np.cos(t), -a * np.sin(t)]) for a in (1.0, 2.0, 3.0)], [t] * 3, names=["q", "p"])
    >>> problem = InvariantProblem(data)
    >>> problem.verify(Expr.parse("q^2 + p^2")).conserved, problem.verify(Expr.parse("q + p")).conserved
    (True, False)
    """

    data: Trajectories
    system: System | None = None
    noise: tuple[float, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The states."""
        return self.data.states

    @property
    def fingerprint(self) -> str:
        """Of the data."""
        return self.data.fingerprint

    @cached_property
    def _samples(self) -> tuple[np.ndarray, np.ndarray]:
        step = max(1, -(-self.data.rows // ROWS))
        parts = [(item.x[::step][np.isfinite(item.x[::step]).all(axis=1)], i) for i, item in enumerate(self.data)]
        parts = [(x, i) for x, i in parts if len(x) >= 2]
        if not parts:
            return np.zeros((0, len(self.names))), np.zeros(0, int)
        return np.concatenate([x for x, _ in parts]), np.concatenate([np.full(len(x), i) for x, i in parts])

    @property
    def x(self) -> np.ndarray:
        """(rows, states) complete samples."""
        return self._samples[0]

    @property
    def group(self) -> np.ndarray:
        """(rows,) the trajectory of each."""
        return self._samples[1]

    @cached_property
    def field(self) -> np.ndarray | None:
        """(rows, states) the field at the samples, where it is known."""
        return None if self.system is None else self.system(self.x)

    @cached_property
    def spread(self) -> np.ndarray:
        """(states,) standard deviations over all samples, 1 for a constant state."""
        size = self.x.std(axis=0) if len(self.x) else np.ones(len(self.names))
        return np.where(size > 0, size, 1.0)

    @cached_property
    def measured_noise(self) -> np.ndarray:
        """(states,) the noise: as given, else estimated from the finest differences."""
        return np.asarray(self.noise, float) if self.noise is not None else noise_level(self.data)

    @cached_property
    def sigma(self) -> np.ndarray:
        """(states,) the noise that is reckoned with: at least `RESOLUTION` of the spread."""
        level = self.measured_noise
        return np.maximum(np.where(np.isfinite(level), level, 0.0), RESOLUTION * self.spread)

    def columns(self, x: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """States by name."""
        x = self.x if x is None else x
        return {name: x[:, i] for i, name in enumerate(self.names)}

    def values(self, expr: Expr) -> tuple[np.ndarray, np.ndarray]:
        """(rows,) values and (rows, states) gradients of a function at the samples."""
        columns, n = self.columns(), len(self.x)
        with np.errstate(all="ignore"):
            value = np.broadcast_to(expr(columns), n)
            gradient = np.column_stack([
                np.broadcast_to(expr.derivative(name)(columns), n) if name in expr.variables else np.zeros(n) for name in self.names])
        return value, gradient

    # evidence ---------------------------------------------------------------------------------------------------------
    def pair(self, value: np.ndarray, gradient: np.ndarray, weight: np.ndarray, use: np.ndarray, most: int | None = None) -> Pair:
        """What should vanish and how far noise keeps it from vanishing, of columns.

        Args:
            value: (rows, L) values of the columns.
            gradient: (rows, states, L) their gradients.
            weight: (rows,) of the samples.
            use: (rows,) which samples are looked at.
            most: samples that the noise is reckoned from; by default all.
        """
        value, gradient, weight, group = value[use], gradient[use], weight[use], self.group[use]
        root = np.sqrt(weight)
        scale = value.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        n, states, L = gradient.shape
        some = slice(None, None, 1 if most is None else max(1, n // most))
        spread = (root[some, None, None] * gradient[some] * self.allowed[None, :, None]).reshape(-1, L)
        if self.field is None:
            D = root[:, None] * centred(value, group, weight)
            freedom = n - len(np.unique(group))
        else:
            D = root[:, None] * np.einsum("ns,nsl->nl", self.field[use], gradient)
            freedom = n
        return Pair.of(D / np.sqrt(max(freedom, 1)), spread / np.sqrt(len(spread) // states), scale)

    @cached_property
    def _speed(self) -> np.ndarray:
        """(states,) root mean square of the field's components, positive."""
        size = np.sqrt((self.field**2).mean(axis=0))
        return np.maximum(size, 1e-3 * size.max() + 1e-300)

    @property
    def allowed(self) -> np.ndarray:
        """(states,) what a gradient is multiplied by to give the noise of values, or of rates where the field is known."""
        return self.sigma if self.field is None else RESOLUTION * self._speed

    def variance(self, gradient: np.ndarray) -> np.ndarray:
        """(rows,) what noise adds to the variance of a function of the given gradient (rows, states) at each sample."""
        v = ((gradient * self.allowed) ** 2).sum(axis=1)
        return np.maximum(v, STEEP * np.median(v) + 1e-300)

    def variance_of(self, gradient: np.ndarray) -> np.ndarray:
        """(rows, L) the same of many functions, of gradients (rows, states, L)."""
        v = np.einsum("nsl,s->nl", gradient**2, self.allowed**2)
        return np.maximum(v, STEEP * np.median(v, axis=0) + 1e-300)

    def judge(self, value: np.ndarray, gradient: np.ndarray, use: np.ndarray | None = None) -> Verdict:
        """The verdict on a function with these values (rows,) and gradients (rows, states)."""
        with np.errstate(all="ignore"):  # what overflows is not conserved
            return self._judged(value, gradient, use)

    def _judged(self, value: np.ndarray, gradient: np.ndarray, use: np.ndarray | None) -> Verdict:
        fine = np.isfinite(value) & np.isfinite(gradient).all(axis=1)
        use = fine if use is None else fine & use
        value, gradient, group = value[use], gradient[use], self.group[use]
        count = len(np.unique(group))
        if len(value) < 3 or count < 1:
            return Verdict(np.inf, np.inf, np.inf, 0.0, False)
        v = self.variance(gradient)
        weight = 1 / v
        labels, index = np.unique(group, return_inverse=True)
        along = centred(value[:, None], group, weight)[:, 0]
        mean = value - along
        if self.field is None:
            squares = np.bincount(index, along**2 * weight)
            freedom = np.bincount(index) - 1.0
        else:
            rate = (self.field[use] * gradient).sum(axis=1)
            squares = np.bincount(index, rate**2 * weight)
            freedom = np.bincount(index).astype(float)
        excess = squares.sum() / max(freedom.sum(), 1.0)
        error = np.sqrt(2 / max(freedom.sum(), 1.0))
        total = float(np.sqrt(np.average((value - np.average(value, weights=weight)) ** 2, weights=weight)))
        drift = float(np.sqrt(np.average(along**2, weights=weight))) / total if total > 0 else np.inf
        between = _between(along, mean, weight, count)
        differs = between > 1 + ERRORS * np.sqrt(2 / max(count - 1, 1)) if count > 1 else self.field is not None
        return Verdict(drift, float(excess), float(error), float(between), bool(excess <= self.limit(error) and differs and total > 0))

    def limit(self, error: float) -> float:
        """The largest excess of a conserved quantity: its own error, and that of the noise's estimated variance."""
        return 1 + ERRORS * error + ERRORS * self.noise_error

    @property
    def noisy(self) -> bool:
        """Whether measured noise is beyond the digits that are trusted in any case."""
        return self.system is None and bool((self.measured_noise > RESOLUTION * self.spread).any())

    @property
    def parallel(self) -> float:
        """The sine of the angle to known gradients below which a gradient, as well as noise lets it be known, may lie in their span."""
        return max(PARALLEL * float(np.median(self.sigma / self.spread)), LEAST_ANGLE)

    @cached_property
    def noise_error(self) -> float:
        """The relative standard error of the noise's variance."""
        return 0.0 if self.noise is not None else float(np.sqrt(CORRELATED / max(len(self.x), 1)))

    def verify(self, expr: Expr, use: np.ndarray | None = None) -> Verdict:
        """The verdict on an expression."""
        return self.judge(*self.values(expr), use)


def centred(value: np.ndarray, group: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Columns (rows, L) less their weighted means over each group.

    >>> centred(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 1]), np.ones(3))[:, 0]
    array([-1.,  1.,  0.])
    """
    _, index = np.unique(group, return_inverse=True)
    count = index.max() + 1 if len(index) else 0
    total = np.bincount(index, weight, count)
    means = np.column_stack([np.bincount(index, weight * column, count) / total for column in value.T])
    return value - means[index]


def independence(gradients: Sequence[np.ndarray], new: np.ndarray) -> np.ndarray:
    """(P,) how far gradient fields leave the span of others: the median sine of their angles to it; 1 where there are none.

    Args:
        gradients: (rows, states) each, already independent.
        new: (P, rows, states).

    >>> x = np.ones((3, 2)); y = np.array([[1.0, 0.0]] * 3)
    >>> independence([x], np.stack([y, 2 * x])).round(3)
    array([0.707, 0.   ])
    """
    size = np.linalg.norm(new, axis=2, keepdims=True)
    left = new / np.where(size > 0, size, 1)
    basis: list[np.ndarray] = []
    for g in gradients:
        g = g / np.maximum(np.linalg.norm(g, axis=1), 1e-300)[:, None]
        g = _without(g[None], basis)[0]
        length = np.linalg.norm(g, axis=1)
        basis.append(np.where((length > 1e-9)[:, None], g / np.maximum(length, 1e-300)[:, None], 0.0))
    return np.median(np.linalg.norm(_without(left, basis), axis=2), axis=1)


def _without(fields: np.ndarray, basis: Sequence[np.ndarray]) -> np.ndarray:
    """Fields (P, rows, states) less their components along orthonormal ones; twice, against rounding."""
    for b in [*basis, *basis]:
        fields = fields - (fields * b).sum(axis=2, keepdims=True) * b
    return fields


def _between(along: np.ndarray, mean: np.ndarray, weight: np.ndarray, count: int) -> float:
    """The F ratio of one-way analysis of variance: between trajectories against along them."""
    if count < 2:
        return 0.0
    middle = np.average(mean, weights=weight)
    inner = (weight * along**2).sum() / max(len(along) - count, 1)
    return float((weight * (mean - middle) ** 2).sum() / (count - 1) / inner) if inner > 0 else np.inf
