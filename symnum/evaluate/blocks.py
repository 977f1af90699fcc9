"""Block functions called by address: the operator kernels and user operators.

    void block(op, w, d, g, y, a, b, n, user)      offsets into the workspace w; g, y only where a derivative is pulled

A call by address keeps the big kernels out of the code that uses them: numba would otherwise optimise them again in every
caller (five times in the constant fitter), and the cache would depend on user operators. Derivatives of user operators are
central differences (step cbrt(eps), error O(eps^(2/3))): enough for Levenberg-Marquardt, which only needs a direction.
"""

from functools import cache

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, njit, types
from numba.extending import intrinsic

from symnum.language.ops import BUILTIN, Op, all_ops


def block_signature(dtype):
    """The C signature of a block function over a workspace of this numba type."""
    return types.void(types.int64, types.CPointer(dtype), *[types.uint64] * 6, types.CPointer(types.int64))


@intrinsic
def call_block(typing_context, address, op, w, d, g, y, a, b, n, user):
    """Call the block function at `address` on the workspace `w`; `user` is the flat address table."""
    signature = types.void(types.int64, types.int64, w, *[types.uint64] * 6, user)

    def codegen(context, builder, signature, arguments):
        address, op, w, *offsets, user = arguments
        data = context.make_array(signature.args[2])(context, builder, w).data
        table = context.make_array(signature.args[9])(context, builder, user).data
        word = ir.IntType(64)
        function = ir.FunctionType(ir.VoidType(), [word, data.type, *[word] * 6, table.type])
        builder.call(builder.inttoptr(address, function.as_pointer()), [op, data, *offsets, table])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def call_user(typing_context, table, form, op, w, d, g, y, a, b, n):
    """Call form 0 (value), 1 or 2 (derivative by a, b) of user operator `op`; `w` and `table` are C pointers."""
    signature = types.void(table, types.int64, types.int64, w, *[types.uint64] * 6)

    def codegen(context, builder, signature, arguments):
        table, form, op, w, *offsets = arguments
        word = ir.IntType(64)
        entry = builder.add(builder.mul(op, ir.Constant(word, 3)), form)
        address = builder.load(builder.gep(table, [entry]))
        function = ir.FunctionType(ir.VoidType(), [word, w.type, *[word] * 6, table.type])
        builder.call(builder.inttoptr(address, function.as_pointer()), [op, w, *offsets, table])
        return context.get_dummy_value()

    return signature, codegen


@cache
def user_addresses(dtype: str, n_ops: int) -> np.ndarray:
    """The flat table (256 * 3,) int64 of the first `n_ops` operators' block addresses; zero where built in."""
    table = np.zeros((256, 3), np.int64)
    for op in all_ops()[len(BUILTIN) : n_ops]:
        table[op.code] = [f.address for f in _block_functions(op, dtype)]
    return table.reshape(-1)


@cache
def _block_functions(op: Op, dtype: str) -> list:
    """Value and derivatives as block functions; cached, since the addresses must outlive every use."""
    scalar = njit(error_model="numpy")(op.function)
    unary = op.arity == 1
    step = float(np.cbrt(np.finfo(dtype).eps))

    @njit(error_model="numpy")
    def value(a, b):
        return scalar(a) if unary else scalar(a, b)

    @njit(error_model="numpy")
    def by_a(a, b):
        h = step * max(1.0, abs(a))
        return (value(a + h, b) - value(a - h, b)) / (2 * h)

    @njit(error_model="numpy")
    def by_b(a, b):
        h = step * max(1.0, abs(b))
        return (value(a, b + h) - value(a, b - h)) / (2 * h)

    return [_as_block(f, form, getattr(types, dtype)) for form, f in enumerate((value, by_a, by_b))]


def _as_block(f, form: int, dtype):
    pull = form > 0

    @cfunc(block_signature(dtype), error_model="numpy")
    def block(op, w, d, g, y, a, b, n, user):
        data = carray(w, ENDLESS)
        for j in range(n):
            value = f(data[a + j], data[b + j])
            data[d + j] = data[g + j] * value if pull else value

    return block


ENDLESS = 1 << 48  # length given to workspace pointers: offsets are trusted
