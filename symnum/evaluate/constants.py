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

from symnum.evaluate.cpu import CpuEvaluator, Rows, longest_of, machine_tables, tokens_of
from symnum.evaluate.machine import (
    INNER,
    MSE,
    OPTIONS,
    REDUCE,
    address,
    assemble,
    desk,
    fill_constants,
    load_blocks,
    loss_terms,
    mark_active,
    pull,
    run,
)
from symnum.language.batch import Batch
from symnum.language.batch_kernels import mix
from symnum.language.ops import CONST, OPS

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
    tables, longest = machine_tables("float64"), longest_of(batch)
    size = rows.X[0].size + 2 * (longest + 1) * rows.block
    evaluator.spread(len(batch), lambda a, b: _fit(
        tokens_of(batch), a, b, rows.X, rows.y, rows.weight, desk(longest, size, "float64"), solver_desk(longest), *tables,
        kind, parameter, iterations, starts, np.uint64(seed), value, loss, passes))
    return Fit(replace(batch, value=value), loss, passes)


def solver_desk(longest: int) -> tuple[np.ndarray, ...]:
    """The solver's working arrays: vectors theta, trial, best, g, trial_g; matrices H, trial_H, L; marks linear, affine."""
    return np.zeros((5, MOST)), np.zeros((3, MOST, MOST)), np.zeros(MOST, np.bool_), np.zeros(longest, np.bool_)


@njit(**OPTIONS)
def _fit(
    tokens, first, last, X, y, weight, desk, solver_desk, arity, named, kernels, kind, parameter, iterations, starts, seed, out, losses,
    passes,
):
    code, arg, value, offset = tokens
    w, ins, number, temporary, stack, const_slot, active = desk
    vectors, matrices, linear, affine = solver_desk
    theta, best = vectors[0], vectors[2]
    blocks, columns, block = X.shape
    if blocks == 1:
        load_blocks(w, X, blocks - 1, blocks)
    for p in range(first, last):
        t0, t1 = offset[p], offset[p + 1]
        n, held, root, count = assemble(
            code[t0:t1], arg[t0:t1], value[t0:t1], arity, named, columns, np.bool_(False), ins, number, temporary, stack, const_slot)
        K = count if count <= MOST else 0
        mark_active(ins, n, columns, const_slot, K, active)
        program = (ins, n, held, root, K, number, temporary, const_slot, active)
        data = (X, y, weight, kind, parameter, kernels)
        mark_linear(ins, n, columns, root, active, temporary, affine)
        for k in range(K):
            best[k] = number[const_slot[k] - columns]
        losses[p] = np.inf
        for start in range(starts if K else 1):
            for k in range(K):
                theta[k] = best[k] if start == 0 else random_constant(seed, p, start, k)
                linear[k] = affine[const_slot[k] - columns]
            loss, used = descend(w, program, data, vectors, matrices, linear, iterations)
            passes[p] += used
            if loss < losses[p]:
                losses[p] = loss
                for k in range(K):
                    best[k] = theta[k]
        k = 0
        for t in range(t0, t1):
            if code[t] == CONST and K:
                out[t] = best[k]
                k += 1


@njit(**INNER)
def descend(w, program, data, vectors, matrices, linear, iterations):
    """Minimise from `theta`, in place. Returns (loss, passes)."""
    theta, trial, g, trial_g = vectors[0], vectors[1], vectors[3], vectors[4]
    H, trial_H, L = matrices[0], matrices[1], matrices[2]
    K = program[4]
    n_linear = 0
    for k in range(K):
        trial[k] = theta[k]
        n_linear += linear[k]
    steps = iterations + (n_linear > 0) if K else 0
    loss, mu, projecting = np.inf, 1e-2, np.bool_(False)
    for i in range(steps + 1):  # pass 0 evaluates the start
        new = normal_equations(w, program, data, trial, trial_g, trial_H, loss, i < steps)
        better = new < loss
        if better:
            gain = (loss - new) / loss
            loss = new
            for k in range(K):  # loops: numba compiles slice assignment to seconds of string code for its error messages
                theta[k], g[k] = trial[k], trial_g[k]
                for m in range(k + 1):
                    H[k, m] = trial_H[k, m]
            if i > 0 and not projecting:
                mu = max(mu * 0.2, 1e-10)
                if gain < 1e-9:
                    return loss, i + 1
        elif i == 0:
            return loss, 1
        elif not projecting:
            mu *= 8.0
        if n_linear == K and i > 1 and not better and new < loss * (1.0 + 1e-9):  # solved: the rest is rounding
            return loss, i + 1
        if i > 0 and (data[3] != MSE or not better and (projecting or n_linear == K)):  # only well-conditioned squares go undamped
            n_linear = 0
            for k in range(K):
                linear[k] = False
        projecting = (i == 0) & (n_linear > 0)  # the first step solves the linear constants alone
        while not solve(H, g, K, mu, linear, projecting, L, trial):
            mu = max(mu, 1e-6) * 10.0
            projecting = np.bool_(False)
            if mu > 1e8:
                return loss, i + 1
        if mu > 1e8:
            return loss, i + 1
        for k in range(K):
            trial[k] += theta[k]
    return loss, steps + 1


@njit(**INNER)
def normal_equations(w, program, data, theta, g, H, limit, derivatives):
    """Loss and, where wanted and the loss stays below `limit`, gradient and curvature at `theta`.

    The loss is Inf where a value is not finite, and any number from `limit` on where it is not below.
    """
    ins, n, held, root, K, number, temporary, const_slot, active = program
    X, y, weight, kind, parameter, kernels = data
    blocks, columns, block = X.shape
    size, registers = uint64(block), uint64(columns * block)
    adjoints = registers + uint64(len(number)) * size
    scratch = registers + uint64(2 * len(number)) * size  # two rows: w l' and w l''
    for k in range(K):
        number[const_slot[k] - columns] = theta[k]
        g[k] = 0.0
        for m in range(k + 1):
            H[k, m] = 0.0
    fill_constants(w, registers, size, number, temporary, held)
    total = 0.0
    for b in range(blocks):
        if blocks > 1:
            load_blocks(w, X, b, b + 1)
        run(w, ins, n, columns, uint64(0), registers, size, size, kernels)
        at = address(root, columns, uint64(0), registers, size)
        if kind == MSE:
            total += squares(w, at, y, weight, uint64(b * block), scratch, size)
        else:
            total += general_terms(kind, parameter, w, at, y, weight, uint64(b * block), scratch, size)
        if not total < limit:
            return total if np.isfinite(total) else np.inf
        if not derivatives:
            continue
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


@njit(**INNER)
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


@njit(**INNER)
def mark_linear(ins, n, columns, root, active, temporary, affine):
    """`affine[r]`: the value is jointly affine in all registers marked so.

    From the root down: sums pass the mark on; a product or quotient passes it to the side whose partner holds no
    constant (or, where both do, to a bare constant).
    """
    for r in range(len(affine)):
        affine[r] = False
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
            if a_holds and (not b_holds or not temporary[a]):
                affine[a] = True
            elif b_holds and (not a_holds or not temporary[b]):
                affine[b] = True
        elif c == DIV and a >= 0 and not (b >= 0 and active[b]):
            affine[a] = True


@njit(**INNER)
def solve(H, g, K, mu, linear, projecting, L, step):
    """Cholesky solve of the damped system; False where it is not positive definite or not finite."""
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


@njit(**INNER)
def random_constant(seed, p, start, k):
    """A start: log-uniform magnitude over e^±2.5, random sign; the same for the same (seed, position, start, constant)."""
    h = mix(seed ^ mix(uint64(p) ^ mix(uint64(start * 64 + k))))
    u = np.float64(h >> uint64(11)) / 9007199254740992.0
    return (1.0 if h & uint64(1) else -1.0) * np.exp(5.0 * (u - 0.5))
