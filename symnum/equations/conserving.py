"""A system that conserves given quantities exactly: its field projected onto their level sets, its solutions put back onto them.

The field loses its components along the gradients, f - sum (f · n_k) n_k with the orthonormalised gradients n_k (Zhang et al. 2023,
arXiv:2302.05783); what rounding and the finite step leave is removed after every step by Newton's method (Hairer, Lubich and Wanner,
Geometric Numerical Integration, 2006, algorithm IV.4.2).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from symnum.dynamics.system import System
from symnum.language.expr import Expr

NEWTON = 8  # iterations of the projection
FLAT = 1e-12  # relative length below which a gradient has no direction
FAR = 1e6  # times the initial state: an explosion


def conserving(system: System, invariants: Iterable) -> "ConservingSystem":
    """The system with exactly conserved quantities.

    Args:
        system: the field.
        invariants: expressions, texts, or `Invariant`s, of the system's states.

    Raises:
        ValueError: none, a constant, or one of other variables.

    >>> rough = System.parse({"q": "p", "p": "-1.0*q + 0.05*p"})
    >>> kept = conserving(rough, ["q^2 + p^2"])
    >>> x = kept.simulate([1.0, 0.0], np.linspace(0, 5, 6))
    >>> bool(np.abs((x**2).sum(axis=1) - 1).max() < 1e-13)
    True
    """
    found = tuple(i if isinstance(i, Expr) else Expr.parse(i) if isinstance(i, str) else i.expr for i in invariants)
    if not found:
        raise ValueError("at least one conserved quantity was required, got none")
    for expr in found:
        strange = sorted(set(expr.variables) - set(system.states))
        if strange or not expr.variables:
            msg = f"conserved quantities of the states {list(system.states)} were required, got {expr}"
            raise ValueError(msg)
    return ConservingSystem(system, found)


@dataclass(frozen=True)
class ConservingSystem:
    """See `conserving`; called and simulated as a `System`.

    Attributes:
        system: the field before the projection.
        invariants: what is conserved.
    """

    system: System
    invariants: tuple[Expr, ...]

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the states."""
        return self.system.states

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return self.system.inputs

    @property
    def time(self) -> str:
        """The name of the time."""
        return self.system.time

    def __str__(self) -> str:
        return "\n".join([str(self.system), *(f"conserved: {expr}" for expr in self.invariants)])

    @cached_property
    def _derivatives(self) -> list[list[Expr]]:
        return [[expr.derivative(name) for name in self.states] for expr in self.invariants]

    def values(self, x: np.ndarray) -> np.ndarray:
        """(n, K) the conserved quantities at states x (n, states)."""
        return _evaluate([self.invariants], self.states, x)[:, 0]

    def gradients(self, x: np.ndarray) -> np.ndarray:
        """(n, K, states) their gradients."""
        return _evaluate(self._derivatives, self.states, x)

    def __call__(self, x: np.ndarray, u: np.ndarray | None = None, t: np.ndarray | float = 0.0) -> np.ndarray:
        """(n, states) the projected field at states x (n, states), inputs u (n, inputs) and times t."""
        x = np.atleast_2d(np.asarray(x, float))
        f, basis = self.system(x, u, t), []
        for g in np.moveaxis(self.gradients(x), 1, 0):
            size = np.linalg.norm(g, axis=1)
            for _ in range(2):
                for n in basis:
                    g = g - (g * n).sum(axis=1, keepdims=True) * n
            length = np.linalg.norm(g, axis=1)
            with np.errstate(all="ignore"):
                n = np.where((length > FLAT * size)[:, None], g / length[:, None], 0.0)
            basis.append(n)
        for n in [*basis, *basis]:
            f = f - (f * n).sum(axis=1, keepdims=True) * n
        return f

    def simulate(self, x0: Sequence[float], t: np.ndarray, u: np.ndarray | None = None, *, rtol: float = 1e-9,
                 atol: float = 1e-12) -> np.ndarray:
        """(times, states) the solution from x0 at t[0], on the level set of x0; NaN from where it cannot be continued.

        Args:
            x0: (states,) the state at t[0].
            t: (times,) increasing.
            u: (times, inputs) the inputs at these times; linear between them.
        """
        from scipy.integrate import DOP853

        t, x0 = np.asarray(t, float), np.asarray(x0, float)
        out = np.full((len(t), len(self.states)), np.nan)
        level, limit = self.values(x0[None])[0], FAR * (1 + np.abs(x0).max())
        if not np.isfinite(level).all():
            return out

        def rhs(s, x):
            v = None if u is None or not self.inputs else np.array([[np.interp(s, t, column) for column in np.asarray(u).T]])
            return self(x[None], v, s)[0]

        out[0], done = x0, 1
        if len(t) == 1:
            return out
        with np.errstate(all="ignore"):
            solver = DOP853(rhs, t[0], x0, t[-1], rtol=rtol, atol=atol)
            while solver.status == "running":
                solver.step()
                if solver.status == "failed" or not np.isfinite(solver.y).all() or np.abs(solver.y).max() > limit:
                    break
                dense = solver.dense_output()
                while done < len(t) and t[done] <= solver.t:
                    out[done] = self._put_back(dense(t[done]), level)
                    done += 1
                solver.y = self._put_back(solver.y, level)
                solver.f = rhs(solver.t, solver.y)
                if not np.isfinite(solver.f).all():
                    break
        return out

    def _put_back(self, x: np.ndarray, level: np.ndarray) -> np.ndarray:
        """The state on the level set next to x: Newton's method along the gradients at x, as long as it gets nearer."""
        best, miss = x, np.inf
        for _ in range(NEWTON):
            off = level - self.values(x[None])[0]
            size = float(np.abs(off).max())
            if not size < miss:
                break
            best, miss = x, size
            if size == 0:
                break
            x = x + np.linalg.lstsq(self.gradients(x[None])[0], off, rcond=None)[0]
        return best


def _evaluate(table: Sequence[Sequence[Expr]], states: tuple[str, ...], x: np.ndarray) -> np.ndarray:
    """(n, rows, columns) values of a table of expressions at states x (n, states)."""
    x = np.atleast_2d(np.asarray(x, float))
    columns = {name: x[:, i] for i, name in enumerate(states)}
    out = np.empty((len(x), len(table), len(table[0])))
    with np.errstate(all="ignore"):
        for i, row in enumerate(table):
            for j, expr in enumerate(row):
                out[:, i, j] = expr(columns)
    return out
