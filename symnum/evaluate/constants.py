"""Fits the free constants of a batch: Levenberg-Marquardt, one expression at a time inside one compiled loop.

    minimise  sum_i w_i l(y_i, f_i(c)),   step: (H + D) d = -g,   H = J' diag(w l'') J,   g = J' (w l')

The jacobian J is reverse mode on the register machine. D is Marquardt's mu * diag(H) on constants that enter f
nonlinearly and zero on those that enter it jointly linearly. Undamped linear constants are variable projection with
Kaufman's jacobian (Golub & Pereyra 1973, doi:10.1137/0710036; Kaufman 1975, doi:10.1007/BF01932995): block elimination
of the joint step gives exactly the projected one. Other losses enter by their first and (Fisher or re-weighted) second
derivatives. Marquardt 1963, doi:10.1137/0111030.
"""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit, uint64

from symnum.evaluate.cpu import CpuEvaluator, Rows, machine_tables, tokens_of
from symnum.evaluate.machine import (
    MSE,
    OPTIONS,
    REDUCE,
    address,
    assemble,
    fill,
    load_block,
    loss_terms,
    mark_active,
    pull,
    run,
)
from symnum.language.batch import Batch
from symnum.language.batch_kernels import mix
from symnum.language.ops import OPS

MOST = 24  # free constants fitted at once; an expression with more keeps them and is only evaluated
ADD, SUB, MUL, DIV, NEG = (OPS[name].code for name in ("add", "sub", "mul", "div", "neg"))


@dataclass(frozen=True, slots=True)
class Fit:
    """Constants fitted to data.

    Attributes:
        batch: the skeletons with their best constants.
        loss: (P,) weighted mean loss; Inf where no start gave finite values.
        passes: (P,) evaluations spent on each expression (each with its jacobian).
    """

    batch: Batch
    loss: np.ndarray
    passes: np.ndarray


def fit_constants(
    batch: Batch, rows: Rows, evaluator: CpuEvaluator, *, kind: int = MSE, parameter: float = 1.0, iterations: int = 8, starts: int = 1,
    seed: int = 0,
) -> Fit:
    """Fit every free constant of every expression.

    Args:
        batch: expressions; their constants are the first start.
        rows: float64 data with targets.
        evaluator: gives the threads.
        kind, parameter: the loss (`symnum.evaluate.machine`).
        iterations: Levenberg-Marquardt steps per start.
        starts: starting points; all but the first are drawn from `seed` and the expression's position.

    >>> from symnum.language.expr import Expr
    >>> X = np.linspace(0, 1, 20)[:, None]
    >>> batch = Batch.pack([Expr.parse("1.0*exp(1.0*x0)")], ["x0"])
    >>> fit = fit_constants(batch, Rows.pack(X, ["x0"], 2 * np.exp(3 * X[:, 0])), CpuEvaluator(1), iterations=20)
    >>> fit.batch.constants.round(6).tolist()
    [2.0, 3.0]
    """
    value, loss, passes = batch.value.copy(), np.full(len(batch), np.inf), np.zeros(len(batch), np.int64)
    tables = machine_tables("float64")
    evaluator.spread(len(batch), lambda a, b: _fit(
        tokens_of(batch), a, b, rows.X, rows.y, rows.weight, *tables, kind, parameter, iterations, starts, np.uint64(seed), value, loss,
        passes))
    return Fit(replace(batch, value=value), loss, passes)


@njit(**OPTIONS)
def _fit(tokens, first, last, X, y, weight, arity, named, kernels, kind, parameter, iterations, starts, seed, out, losses, passes):
    code, arg, value, offset = tokens
    blocks, columns, block = X.shape
    longest = 1
    for p in range(first, last):
        longest = max(longest, offset[p + 1] - offset[p])
    w = np.empty(columns * block + 2 * (longest + 1) * block, X.dtype)
    ins, number, temporary = np.empty((longest, 4), np.int32), np.empty(longest), np.empty(longest, np.bool_)
    stack, const_slot, active = np.empty(longest, np.int32), np.empty(longest, np.int32), np.empty(longest, np.bool_)
    g, trial_g = np.zeros(MOST), np.zeros(MOST)
    H, trial_H = np.zeros((MOST, MOST)), np.zeros((MOST, MOST))
    theta, trial, best, linear = np.zeros(MOST), np.zeros(MOST), np.zeros(MOST), np.zeros(MOST, np.bool_)
    if blocks == 1:
        load_block(w, X, 0, 1, columns, block)
    for p in range(first, last):
        t0, t1 = offset[p], offset[p + 1]
        n, held, root, count = assemble(
            code[t0:t1], arg[t0:t1], value[t0:t1], arity, named, columns, False, ins, number, temporary, stack, const_slot)
        K = count if count <= MOST else 0
        mark_active(ins, n, columns, const_slot, K, active)
        program = (ins, n, held, root, K, number, temporary, const_slot, active)
        data = (X, y, weight, kind, parameter, kernels)
        mark_linear(ins, n, columns, root, active, const_slot, K, linear)
        losses[p] = np.inf
        for start in range(starts if K else 1):
            for k in range(K):
                theta[k] = number[const_slot[k] - columns] if start == 0 else random_constant(seed, p, start, k)
                if start == 0:
                    best[k] = theta[k]
            loss, used = descend(w, program, data, theta, trial, linear, g, trial_g, H, trial_H, iterations)
            passes[p] += used
            if loss < losses[p]:
                losses[p] = loss
                for k in range(K):
                    best[k] = theta[k]
            for k in range(K):  # the next start begins from the given constants again
                number[const_slot[k] - columns] = best[k]
        k = 0
        for t in range(t0, t1):
            if code[t] == 1 and K:
                out[t] = best[k]
                k += 1


@njit(**OPTIONS)
def descend(w, program, data, theta, trial, linear, g, trial_g, H, trial_H, iterations):
    """Minimise from `theta`, in place. Returns (loss, passes)."""
    K = program[4]
    loss = normal_equations(w, program, data, theta, g, H)
    used, n_linear = 1, 0
    for k in range(K):
        n_linear += linear[k]
    mu = 1e-2
    for i in range(iterations + (n_linear > 0) if K else 0):
        projecting = i == 0 and n_linear > 0  # the first step solves the linear constants alone
        if not solve(H, g, K, mu, linear, projecting, trial):
            mu = max(mu, 1e-6) * 10.0
            if mu > 1e8 or not np.isfinite(loss):
                break
            continue
        for k in range(K):
            trial[k] += theta[k]
        new = normal_equations(w, program, data, trial, trial_g, trial_H)
        used += 1
        if new < loss:
            gain = (loss - new) / loss
            loss = new
            for k in range(K):  # loops: numba compiles slice assignment to seconds of string code for its error messages
                theta[k], g[k] = trial[k], trial_g[k]
                for m in range(k + 1):
                    H[k, m] = trial_H[k, m]
            if not projecting:
                mu = max(mu * 0.2, 1e-10)
                if gain < 1e-9:
                    break
            if n_linear == K and i > 0:
                break
        elif projecting:
            continue
        else:
            mu *= 8.0
            if mu > 1e8 or n_linear == K:
                break
    return loss, used


@njit(**OPTIONS)
def normal_equations(w, program, data, theta, g, H):
    """Loss, gradient and curvature at `theta`; the loss is Inf where a value is not finite."""
    ins, n, held, root, K, number, temporary, const_slot, active = program
    X, y, weight, kind, parameter, kernels = data
    blocks, columns, block = X.shape
    size, registers = uint64(block), uint64(columns * block)
    adjoints = registers + uint64(len(number)) * size
    scratch = registers + uint64(2 * len(number)) * size  # two rows: w l' and w l''
    for k in range(K):
        number[const_slot[k] - columns] = theta[k]
        g[k] = 0.0
        for m in range(K):
            H[k, m] = 0.0
    for r in range(held):
        if not temporary[r]:
            fill(w, registers + uint64(r) * size, size, number[r])
    total = 0.0
    for b in range(blocks):
        if blocks > 1:
            load_block(w, X, b, 1, columns, block)
        run(w, ins, n, columns, uint64(0), registers, size, size, kernels)
        at = address(root, columns, uint64(0), registers, size)
        if kind == MSE:
            total += squares(w, at, y, weight, uint64(b * block), scratch, size)
        else:
            total += general_terms(kind, parameter, w, at, y, weight, uint64(b * block), scratch, size)
        if not np.isfinite(total):
            return np.inf
        pull(w, ins, n, root, active, columns, uint64(0), registers, adjoints, size, size, kernels)
        for k in range(K):
            at_k = adjoints + uint64(const_slot[k] - columns) * size
            g[k] += dot(w, scratch, at_k, size)
            for m in range(k + 1):
                H[k, m] += weighted_dot(w, scratch + size, at_k, adjoints + uint64(const_slot[m] - columns) * size, size)
    return total


@njit(**REDUCE)
def squares(w, at, y, weight, first, scratch, n):
    total = 0.0
    for j in range(n):
        r = w[at + j] - y[first + j]
        wr = weight[first + j] * r
        w[scratch + j] = wr
        w[scratch + n + j] = weight[first + j]
        total += wr * r
    return total


@njit(**OPTIONS)
def general_terms(kind, parameter, w, at, y, weight, first, scratch, n):
    total = 0.0
    for j in range(n):
        loss, slope, curvature = loss_terms(kind, parameter, y[first + j], w[at + j])
        total += weight[first + j] * loss
        w[scratch + j] = weight[first + j] * slope
        w[scratch + n + j] = weight[first + j] * curvature
    return total


@njit(**REDUCE)
def dot(w, a, b, n):
    total = 0.0
    for j in range(n):
        total += w[a + j] * w[b + j]
    return total


@njit(**REDUCE)
def weighted_dot(w, weight, a, b, n):
    total = 0.0
    for j in range(n):
        total += w[weight + j] * w[a + j] * w[b + j]
    return total


@njit(**OPTIONS)
def mark_linear(ins, n, columns, root, active, const_slot, K, linear):
    """`linear[k]`: the value is jointly affine in all constants marked so.

    From the root down: sums pass the mark on; a product or quotient passes it to the side whose partner holds no
    constant (or, where both do, to a bare constant).
    """
    affine = np.zeros(len(active), np.bool_)
    bare = np.zeros(len(active), np.bool_)
    for k in range(K):
        bare[const_slot[k] - columns] = True
        linear[k] = False
    if root >= columns:
        affine[root - columns] = True
    for i in range(n - 1, -1, -1):
        c, d, a, b = ins[i, 0], ins[i, 1] - columns, ins[i, 2] - columns, ins[i, 3] - columns
        if not affine[d]:
            continue
        if c == ADD or c == SUB or c == NEG:
            if a >= 0:
                affine[a] = True
            if b >= 0:
                affine[b] = True
        elif c == MUL:
            a_holds, b_holds = a >= 0 and active[a], b >= 0 and active[b]
            if a_holds and (not b_holds or bare[a]):
                affine[a] = True
            elif b_holds and (not a_holds or bare[b]):
                affine[b] = True
        elif c == DIV and a >= 0 and not (b >= 0 and active[b]):
            affine[a] = True
    for k in range(K):
        linear[k] = affine[const_slot[k] - columns]


@njit(**OPTIONS)
def solve(H, g, K, mu, linear, projecting, step):
    """Cholesky solve of the damped system; False where it is not positive definite or not finite."""
    L = np.zeros((K, K))
    for i in range(K):
        frozen = projecting and not linear[i]
        for j in range(i + 1):
            s = 0.0 if frozen or (projecting and not linear[j]) else H[i, j]
            if i == j:
                s = 1.0 if frozen else s * (1.0 + (1e-13 if linear[i] else mu)) + 1e-300
            for m in range(j):
                s -= L[i, m] * L[j, m]
            if i == j:
                if not s > 1e-14 * H[i, i] and not frozen:
                    s = 1e-14 * H[i, i] + 1e-300 if linear[i] else s
                if not s > 0.0 or not np.isfinite(s):
                    return False
                L[i, i] = np.sqrt(s)
            else:
                L[i, j] = s / L[j, j]
    for i in range(K):
        s = 0.0 if projecting and not linear[i] else -g[i]
        for m in range(i):
            s -= L[i, m] * step[m]
        step[i] = s / L[i, i]
    for i in range(K - 1, -1, -1):
        s = step[i]
        for m in range(i + 1, K):
            s -= L[m, i] * step[m]
        step[i] = s / L[i, i]
        if not np.isfinite(step[i]):
            return False
    return True


@njit(**OPTIONS)
def random_constant(seed, p, start, k):
    """A start: log-uniform magnitude over e^±2.5, random sign; the same for the same (seed, position, start, constant)."""
    h = mix(seed ^ mix(uint64(p) ^ mix(uint64(start * 64 + k))))
    u = np.float64(h >> uint64(11)) / 9007199254740992.0
    return (1.0 if h & uint64(1) else -1.0) * np.exp(5.0 * (u - 0.5))
