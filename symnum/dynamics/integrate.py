"""Fast integration of a system for many values of its constants and initial states at once.

The embedded Runge-Kutta pair of Dormand and Prince (1980, doi:10.1016/0771-050X(80)90013-3) with one common step for all copies:
differences between copies are then as smooth as the solution itself, and give its derivatives with respect to constants
and initial states. `System.simulate` (scipy) is the independent check.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from symnum.dynamics.system import System
from symnum.evaluate.kernels_scalar import apply
from symnum.language.ops import BUILTIN, CONST, NUMBER, OPS, VAR, Op

MOST_STEPS, STEPS_PER_SAMPLE = 500, 10  # more means stiff or singular
FAR = 1e3  # times the size of the data: a solution that gets there has exploded


@dataclass(frozen=True)
class Program:
    """The right-hand sides of a system as tokens.

    Attributes:
        code, arg, value: the tokens of all equations, postfix; a CONST's arg is its number among the constants.
        ends: (states,) where each equation's tokens end.
        constants: (C,) the free constants.
        states, inputs: how many.
    """

    code: np.ndarray
    arg: np.ndarray
    value: np.ndarray
    ends: np.ndarray
    constants: np.ndarray
    states: int
    inputs: int

    @classmethod
    def of(cls, system: System) -> "Program":
        """Compile a system.

        Raises:
            ValueError: an operator that is not built in, or a variable that the system does not have.
        """
        names = {name: i for i, name in enumerate((*system.states, *system.inputs, system.time))}
        code, arg, value, ends, constants = [], [], [], [], []
        for equation in system.equations:
            for token in equation.tokens:
                c, a, v = _token(token, names, len(constants))
                if c == CONST:
                    constants.append(v)
                code.append(c)
                arg.append(a)
                value.append(v)
            ends.append(len(code))
        return cls(
            np.array(code), np.array(arg), np.array(value, float), np.array(ends), np.array(constants, float), len(system.states),
            len(system.inputs),
        )

    def integrate(
        self, constants: np.ndarray, x0: np.ndarray, t: np.ndarray, u: np.ndarray | None = None, *, rtol: float = 1e-8,
        scale: np.ndarray | None = None,
    ) -> np.ndarray:
        """(M, times, states) solutions of M copies; NaN from where the first copy explodes or its steps are used up.

        Args:
            constants: (M, C).
            x0: (M, states) at t[0].
            t: (times,) increasing.
            u: (times, inputs), linear between the times.
            rtol: the error of the first copy per step, relative to its state and `scale`.
            scale: (states,) the size of the states, by default the largest of x0, 1 where that is 0; a thousand times it is an explosion.

        Raises:
            ValueError: shapes that do not go together.

        >>> spring = Program.of(System.parse({"q": "p", "p": "-4.0*q"}))
        >>> x = spring.integrate(np.array([[-4.0]]), np.array([[1.0, 0.0]]), np.linspace(0, np.pi, 3))
        >>> bool(abs(x[0, :, 0] - [1, -1, 1]).max() < 1e-6)
        True
        """
        t, x0 = np.ascontiguousarray(t, float), np.ascontiguousarray(x0, float)
        u = np.zeros((len(t), 0)) if u is None else np.ascontiguousarray(u, float)
        if np.shape(constants) != (len(x0), len(self.constants)) or x0.shape[1:] != (self.states,) or u.shape != (len(t), self.inputs):
            msg = (f"constants (M, {len(self.constants)}), x0 (M, {self.states}) and u ({len(t)}, {self.inputs}) were required, "
                   f"got {np.shape(constants)}, {x0.shape} and {u.shape}")
            raise ValueError(msg)
        if scale is None:
            scale = np.full(self.states, np.abs(x0[0]).max() or 1.0)
        scale = np.asarray(scale, float)
        out = np.full((len(t), self.states, len(x0)), np.nan)
        _run(
            self.code, self.arg, self.value, self.ends, _ARITY, np.ascontiguousarray(np.transpose(constants), float),
            np.ascontiguousarray(x0.T), t, u, rtol, scale, FAR * scale, MOST_STEPS + STEPS_PER_SAMPLE * len(t), _A, _C, _E, out,
        )
        return out.transpose(2, 0, 1)


def compilable(system: System) -> bool:
    """Whether every operator of the system is built in, as `Program` requires."""
    return all(not isinstance(t, Op) or t in BUILTIN for e in system.equations for t in e.tokens)


def _token(token, names: dict[str, int], constant: int) -> tuple[int, int, float]:
    if isinstance(token, Op):
        if token not in BUILTIN:
            msg = f"built-in operators were required to integrate, got {token.name!r}; `System.simulate` takes every operator"
            raise ValueError(msg)
        return token.code, 0, 0.0
    if isinstance(token, str):
        if token not in names:
            msg = f"the variables {', '.join(names)} were required, got {token!r}"
            raise ValueError(msg)
        return VAR, names[token], 0.0
    return (CONST, constant, float(token)) if isinstance(token, float) else (NUMBER, 0, float(token))


ADD, MUL = OPS["add"].code, OPS["mul"].code
_ARITY = np.zeros(256, np.int64)
for _op in BUILTIN:
    _ARITY[_op.code] = _op.arity

_A = np.array([
    [0, 0, 0, 0, 0, 0],
    [1 / 5, 0, 0, 0, 0, 0],
    [3 / 40, 9 / 40, 0, 0, 0, 0],
    [44 / 45, -56 / 15, 32 / 9, 0, 0, 0],
    [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729, 0, 0],
    [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656, 0],
    [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
])
_C = np.array([0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1])
_E = np.array([71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40])


@njit(error_model="numpy", fastmath={"contract"}, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _rhs(code, arg, value, ends, arity, constants, x, at, stack, out):
    """out[i, m] = f_i of copy m; `at` holds the inputs and the time. Token by token for all copies, which LLVM vectorises."""
    d, M = x.shape
    start = 0
    for i in range(d):
        top = -1
        for k in range(start, ends[i]):
            op = code[k]
            if op <= NUMBER:
                top += 1
                if op == CONST:
                    for m in range(M):
                        stack[top, m] = constants[arg[k], m]
                elif op == VAR and arg[k] < d:
                    for m in range(M):
                        stack[top, m] = x[arg[k], m]
                else:
                    number = at[arg[k] - d] if op == VAR else value[k]
                    for m in range(M):
                        stack[top, m] = number
                continue
            top -= arity[op] - 1
            a, b = stack[top], stack[top + 1]
            if op == ADD:
                for m in range(M):
                    a[m] += b[m]
            elif op == MUL:
                for m in range(M):
                    a[m] *= b[m]
            else:
                for m in range(M):
                    a[m] = apply(op, a[m], b[m])
        for m in range(M):
            out[i, m] = stack[0, m]
        start = ends[i]


@njit(cache=True, error_model="numpy", fastmath={"contract"}, nogil=True)
def _run(code, arg, value, ends, arity, constants, x0, t, u, rtol, scale, far, most, A, C, E, out):
    """The solutions at the times t; see `Program.integrate`. Copies are the last axis: constants (C, M), x0 (d, M), out (times, d, M)."""
    d, M = x0.shape
    inputs = u.shape[1]
    x, stage = x0.copy(), x0.copy()
    slopes = np.zeros((7, d, M))
    at, stack = np.zeros(inputs + 1), np.zeros((len(code) + 2, M))
    out[0] = x
    at[:inputs] = u[0]
    at[inputs] = t[0]
    _rhs(code, arg, value, ends, arity, constants, x, at, stack, slopes[0])
    size = 0.0
    for i in range(d):
        size = max(size, abs(slopes[0, i, 0]) / (abs(x[i, 0]) + scale[i]))
    h = (t[-1] - t[0]) * 1e-2
    if size > 0:
        h = min(h, 0.01 / size)
    now, steps = t[0], 0
    for n in range(1, len(t)):
        gap = t[n] - t[n - 1]
        while now < t[n]:
            steps += 1
            if steps > most:
                return
            last = h >= t[n] - now
            step = t[n] - now if last else h
            for s in range(1, 7):
                for i in range(d):
                    for m in range(M):
                        stage[i, m] = x[i, m]
                    for j in range(s):
                        factor = step * A[s, j]
                        for m in range(M):
                            stage[i, m] += factor * slopes[j, i, m]
                moment = now + C[s] * step
                for j in range(inputs):
                    at[j] = u[n - 1, j] + (u[n, j] - u[n - 1, j]) * (moment - t[n - 1]) / gap
                at[inputs] = moment
                _rhs(code, arg, value, ends, arity, constants, stage, at, stack, slopes[s])
            error = 0.0
            for i in range(d):
                total = 0.0
                for j in range(7):
                    total += E[j] * slopes[j, i, 0]
                error = max(error, abs(step * total) / (rtol * (max(abs(x[i, 0]), abs(stage[i, 0])) + scale[i])))
            if not error < np.inf:  # outside a domain: try to come closer
                h = step / 4
                if h < 1e-12 * gap:
                    return
                continue
            factor = min(5.0, max(0.2, 0.9 * error ** -0.2)) if error > 0 else 5.0
            if error <= 1.0:
                x[:] = stage
                slopes[0] = slopes[6]
                now = t[n] if last else now + step
                for i in range(d):
                    if not abs(x[i, 0]) < far[i]:
                        return
                if not last or factor < 1:
                    h = step * factor
                else:
                    h = max(h, step * factor)
            else:
                h = step * factor
                if h < 1e-12 * gap:
                    return
        out[n] = x
