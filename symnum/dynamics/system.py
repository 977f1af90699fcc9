"""A system of ordinary differential equations x' = f(x, u, t) made of expressions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symnum.language.expr import Expr

MOST_CALLS = 40_000  # of the right-hand side by one method: more means that the solution cannot be followed
METHODS = ("DOP853", "LSODA", "Radau")  # tried in this order: the first that gets to the end


class _Endless(Exception):
    """A method takes too many steps."""


@dataclass(frozen=True)
class System:
    """x' = f(x, u, t).

    Attributes:
        states: the names of the states.
        equations: the right-hand sides, one per state.
        inputs: the names of the inputs.
        time: the name of the time, which right-hand sides may use.

    >>> spring = System.parse({"q": "p", "p": "-4.0*q"})
    >>> x = spring.simulate([1.0, 0.0], np.linspace(0, np.pi, 3))
    >>> np.abs(x[:, 0] - [1, -1, 1]).max() < 1e-6
    np.True_
    """

    states: tuple[str, ...]
    equations: tuple[Expr, ...]
    inputs: tuple[str, ...] = ()
    time: str = "t"

    @classmethod
    def parse(cls, equations: Mapping[str, str], inputs: Sequence[str] = (), time: str = "t") -> "System":
        """A system from texts, by state."""
        return cls(tuple(equations), tuple(Expr.parse(text) for text in equations.values()), tuple(inputs), time)

    def __str__(self) -> str:
        return "\n".join(f"{name}' = {f}" for name, f in zip(self.states, self.equations, strict=True))

    def __call__(self, x: np.ndarray, u: np.ndarray | None = None, t: np.ndarray | float = 0.0) -> np.ndarray:
        """(n, states) the right-hand sides at states x (n, states), inputs u (n, inputs) and times t (n,) or one."""
        x = np.atleast_2d(x)
        columns = {name: x[:, i] for i, name in enumerate(self.states)}
        columns |= {name: np.atleast_2d(u)[:, i] for i, name in enumerate(self.inputs)}
        columns[self.time] = np.broadcast_to(np.asarray(t, float), len(x))
        with np.errstate(all="ignore"):
            return np.column_stack([np.broadcast_to(f(columns), len(x)) for f in self.equations])

    def simulate(self, x0: Sequence[float], t: np.ndarray, u: np.ndarray | None = None, *, rtol: float = 1e-9,
                 atol: float = 1e-12) -> np.ndarray:
        """(times, states) the solution from x0 at t[0]; NaN from where it cannot be continued (it explodes, or leaves a domain).

        Args:
            x0: (states,) the state at t[0].
            t: (times,) increasing.
            u: (times, inputs) the inputs at these times; linear between them.

        Raises:
            ValueError: a state to start from or inputs of another shape.
        """
        from scipy.integrate import solve_ivp

        t, x0 = np.asarray(t, float), np.asarray(x0, float)
        if x0.shape != (len(self.states),) or (self.inputs and np.shape(u) != (len(t), len(self.inputs))):
            msg = (f"x0 of shape ({len(self.states)},) and u of shape ({len(t)}, {len(self.inputs)}) were required (states "
                   f"{', '.join(self.states)}; inputs {', '.join(self.inputs) or 'none'}), got {x0.shape} and {np.shape(u)}")
            raise ValueError(msg)
        out = np.full((len(t), len(self.states)), np.nan)
        first = None if u is None else np.asarray(u)[:1]
        moved = np.abs(self(x0[None], first, t[0])).max() * (t[-1] - t[0])  # what starts at 0 may be large later
        limit = 1e6 * (1 + np.abs(x0).max() + (moved if np.isfinite(moved) else 0.0))
        calls = 0

        def rhs(s, x):
            nonlocal calls
            calls += 1
            if calls > MOST_CALLS + 100 * len(t):
                raise _Endless
            v = None if u is None or not self.inputs else np.array([[np.interp(s, t, column) for column in np.asarray(u).T]])
            f = self(x[None], v, s)[0]
            return np.where(np.isfinite(f), f, 0.0) if (np.abs(x) > limit).any() else f

        def explodes(s, x):
            return limit - np.abs(x).max()

        explodes.terminal = True
        best = 0
        for method in METHODS:
            calls = 0
            try:
                with np.errstate(all="ignore"):
                    found = solve_ivp(rhs, (t[0], t[-1]), x0, method, t, rtol=rtol, atol=atol, events=explodes)
            except (ValueError, _Endless):  # ValueError: a derivative that is not finite, met by an implicit method's algebra
                continue
            good = np.isfinite(found.y).all(axis=0) if np.ndim(found.y) == 2 else np.zeros(0, bool)  # LSODA walks out of a domain
            reached = len(good) if good.all() else int(np.argmin(good))
            if reached > best:
                out[:reached], best = found.y.T[:reached], reached
            if found.status >= 0:
                break
        return out
