"""The register machine: postfix tokens become instructions on addressed operands; instructions run block by block.

    slot 0 … C-1 : the data columns          (leaves cost nothing)
    slot C …     : registers, one constant or intermediate value each

    x0*2.5 + exp(x1)   ->   r0 = 2.5 (filled once)     mul r1 x0 r0     exp r2 x1     add r3 r1 r2

The workspace is one flat array: the resident blocks of data, then the registers, then (for derivatives) one adjoint per
register. An instruction never writes to a slot it reads, so LLVM vectorises every loop. In a tree each value has one
consumer: reverse mode assigns adjoints and never has to add them up.
"""

import numpy as np
from numba import njit, uint64

from symnum.evaluate.blocks import call_block
from symnum.language.ops import CONST, NUMBER, VAR

# Kernels allocate nothing (no reference counts), and inner functions are called by kernels only (no wrappers): half the compile time
OPTIONS = dict(nogil=True, cache=True, _nrt=False, error_model="numpy", fastmath={"contract"})
INNER = dict(_nrt=False, error_model="numpy", fastmath={"contract"}, no_cpython_wrapper=True, no_cfunc_wrapper=True)
REDUCE = dict(INNER, fastmath={"contract", "reassoc"})

MSE, MAE, HUBER, LOGCOSH, POISSON = range(5)  # loss kinds of the fused kernels


def desk(longest: int, size: int, dtype) -> tuple[np.ndarray, ...]:
    """The working arrays of one thread, for expressions of at most `longest` tokens: kernels allocate nothing.

    Returns the workspace of `size` elements (on a cache line, else every vector would straddle two) and the arrays that
    `assemble` and `mark_active` fill: (w, ins, number, temporary, stack, const_slot, active).
    """
    line = 64 // np.dtype(dtype).itemsize
    w = np.empty(size + line, dtype)
    start = -w.ctypes.data % 64 // w.itemsize
    number, temporary, active = np.empty(longest), np.empty(longest, np.bool_), np.empty(longest, np.bool_)
    stack, const_slot = np.empty(longest, np.int32), np.empty(longest, np.int32)
    return w[start : start + size], np.empty((longest, 4), np.int32), number, temporary, stack, const_slot, active


@njit(**INNER)
def assemble(code, arg, value, arity, named, columns, reuse, ins, number, temporary, stack, const_slot):
    """Instructions of one expression.

    Fills `ins` (n, 4): opcode, destination, operands; `temporary`: whether a register holds an intermediate value or,
    else, the constant `number`; `const_slot`: the slot of each free constant. With `reuse`, registers of consumed
    values are freed; they wait at the far end of `stack`, which holds at most one entry per token seen.
    Returns (instructions, registers, root slot, free constants).
    """
    top = n = registers = n_const = 0
    free = len(stack)
    for t in range(len(code)):
        c = code[t]
        if c == VAR:
            stack[top] = arg[t]
            top += 1
        elif arity[c] == 0:
            number[registers] = value[t] if c <= NUMBER else named[c]
            temporary[registers] = False
            if c == CONST:
                const_slot[n_const] = columns + registers
                n_const += 1
            stack[top] = columns + registers
            registers += 1
            top += 1
        else:
            if free < len(stack):
                d = stack[free]
                free += 1
            else:
                d = registers
                registers += 1
                temporary[d] = True
            a = stack[top - arity[c]]
            b = stack[top - 1]
            ins[n, 0], ins[n, 1], ins[n, 2], ins[n, 3] = c, columns + d, a, b
            n += 1
            top -= arity[c]
            if reuse:
                if a >= columns and temporary[a - columns]:
                    free -= 1
                    stack[free] = a - columns
                if arity[c] == 2 and b >= columns and temporary[b - columns]:
                    free -= 1
                    stack[free] = b - columns
            stack[top] = columns + d
            top += 1
    return n, registers, stack[0], n_const


@njit(**INNER)
def fill(w, start, n, x):
    for j in range(n):
        w[start + j] = x


@njit(**INNER)
def address(slot, columns, data, registers, block):
    """Offset of a slot's block: a column of the current data block or a register."""
    if slot < columns:
        return data + uint64(slot) * block
    return registers + uint64(slot - columns) * block


@njit(**INNER)
def fill_constants(w, registers, block, number, temporary, n):
    """Write the constants among the `n` registers."""
    for r in range(n):
        if not temporary[r]:
            fill(w, registers + uint64(r) * block, block, w.dtype.type(number[r]))


@njit(**INNER)
def run(w, ins, n, columns, data, registers, block, rows, kernels):
    """Run `n` instructions on one block."""
    step, _, _, user = kernels
    for i in range(n):
        d = address(ins[i, 1], columns, data, registers, block)
        a = address(ins[i, 2], columns, data, registers, block)
        b = address(ins[i, 3], columns, data, registers, block)
        call_block(step, ins[i, 0], w, d, d, d, a, b, rows, user)


@njit(**INNER)
def pull(w, ins, n, root, active, columns, data, registers, adjoints, block, rows, kernels):
    """Reverse mode on one block: afterwards the adjoint of register r lies at `adjoints + r * block`.

    `active[r]` marks registers below which a free constant lies; nothing else is computed.
    """
    _, pull_a, pull_b, user = kernels
    if root < columns:
        return
    fill(w, adjoints + uint64(root - columns) * block, rows, w.dtype.type(1))
    for i in range(n - 1, -1, -1):
        d, a, b = ins[i, 1] - columns, ins[i, 2], ins[i, 3]
        if not active[d]:
            continue
        g, y = adjoints + uint64(d) * block, registers + uint64(d) * block
        at_a, at_b = address(a, columns, data, registers, block), address(b, columns, data, registers, block)
        if a >= columns and active[a - columns]:
            call_block(pull_a, ins[i, 0], w, adjoints + uint64(a - columns) * block, g, y, at_a, at_b, rows, user)
        if b != a and b >= columns and active[b - columns]:
            call_block(pull_b, ins[i, 0], w, adjoints + uint64(b - columns) * block, g, y, at_a, at_b, rows, user)


@njit(**INNER)
def mark_active(ins, n, columns, const_slot, n_const, active):
    """`active[r]`: register r is a free constant or depends on one."""
    for r in range(len(active)):
        active[r] = False
    for k in range(n_const):
        active[const_slot[k] - columns] = True
    for i in range(n):
        a, b = ins[i, 2] - columns, ins[i, 3] - columns
        if (a >= 0 and active[a]) or (b >= 0 and active[b]):
            active[ins[i, 1] - columns] = True


@njit(**INNER)
def load_blocks(w, X, first, last):
    """Copy the data blocks first … last-1 to the head of the workspace; X is (blocks, columns, block)."""
    flat, size = X.reshape(-1), X.shape[1] * X.shape[2]
    start = first * size
    for j in range((last - first) * size):
        w[j] = flat[start + j]


@njit(**REDUCE)
def block_loss(kind, parameter, w, at, y, weight, first, rows):
    """Weighted sum of the loss over one block; NaN or Inf where a prediction is not finite."""
    T = w.dtype.type
    total = T(0)
    if kind == MSE:
        for j in range(rows):
            r = w[at + j] - y[first + j]
            total += weight[first + j] * r * r
    elif kind == MAE:
        for j in range(rows):
            total += weight[first + j] * abs(w[at + j] - y[first + j])
    else:
        for j in range(rows):
            value, _, _ = loss_terms(kind, parameter, np.float64(y[first + j]), np.float64(w[at + j]))
            total += weight[first + j] * T(value)
    return np.float64(total)


@njit(**INNER)
def loss_terms(kind, parameter, y, p):
    """Loss of one row with its first derivative and (non-negative) curvature in the prediction p.

    mse (p-y)²; mae |p-y| and huber by iteratively re-weighted squares (Huber 1964); log-cosh; Poisson deviance/2 with
    Fisher's scoring (McCullagh & Nelder 1989, §2.5).
    """
    r = p - y
    if kind == MSE:
        return r * r, 2.0 * r, 2.0
    if kind == MAE:
        return abs(r), np.sign(r), 1.0 / max(abs(r), 1e-6 * (1e-300 + abs(y)))
    if kind == HUBER:
        if abs(r) <= parameter:
            return 0.5 * r * r, r, 1.0
        return parameter * (abs(r) - 0.5 * parameter), parameter * np.sign(r), parameter / abs(r)
    if kind == LOGCOSH:
        return abs(r) + np.log1p(np.exp(-2.0 * abs(r))) - 0.6931471805599453, np.tanh(r), np.tanh(r) / r if r != 0 else 1.0
    if p <= 0.0:
        return np.nan, 0.0, 0.0
    deviance = p - y + (y * np.log(y / p) if y > 0 else 0.0)
    return deviance, 1.0 - y / p, max(y, p) / (p * p)
