"""Owns the few machine-level operations that `vector.py` builds its functions from.

Numba has no typed bit cast, no fused multiply-add and no guaranteed select, and its integer
typing widens 32-bit integers (which would halve the number of float32 lanes).  Each operation
here is therefore one `@intrinsic` that emits the LLVM instructions directly, for float32 and
float64 alike.  None contains a branch, so a loop over any of them stays one basic block and
LLVM's loop vectoriser can take it.

Sources: IEEE 754-2008 (formats); W. J. Cody & W. Waite, "Software Manual for the Elementary
Functions", Prentice-Hall 1980 (splitting off and rebuilding exponents); J.-M. Muller et al.,
"Handbook of Floating-Point Arithmetic", 2nd ed. 2018, doi:10.1007/978-3-319-76526-6 (adding
1.5*2^p to round to an integer and to read that integer from the low bits).
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

# 1.5*2^p leaves the rounded integer in the low bits; 2*bias more makes that integer positive
# for every exponent the functions use, so that halving it needs only a logical shift.
MAGIC_EXP64 = 1.5 * 2.0**52 + 2046.0
MAGIC_EXP32 = 1.5 * 2.0**23 + 254.0
MAGIC_INT64 = 1.5 * 2.0**52


def _layout(ty):
    """(LLVM integer type, width, mantissa bits, tiny normal, subnormal rescue exponent)."""
    if ty == types.float32:
        return ir.IntType(32), 32, 23, 2.0**-126, 25
    return ir.IntType(64), 64, 52, 2.0**-1022, 54


def _is_float(*tys):
    return all(t in (types.float32, types.float64) for t in tys)


def _llvm_fma(builder, a, b, c):
    name = "llvm.fma.f32" if a.type == ir.FloatType() else "llvm.fma.f64"
    fnty = ir.FunctionType(a.type, (a.type,) * 3)
    return builder.call(cgutils.get_or_insert_function(builder.module, fnty, name), (a, b, c))


def _call_llvm(builder, name, args):
    ty = args[0].type
    full = f"llvm.{name}.f32" if ty == ir.FloatType() else f"llvm.{name}.f64"
    fn = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(ty, (ty,) * len(args)), full
    )
    return builder.call(fn, args)


@intrinsic
def fma(typingctx, a, b, c):
    """a*b + c with one rounding, whatever fast-math flags the caller has."""
    if not (_is_float(a) and a == b == c):
        return None
    return a(a, a, a), lambda ctx, bld, sig, args: _llvm_fma(bld, *args)


@intrinsic
def where(typingctx, cond, a, b):
    """`a if cond else b`, both evaluated: one select instruction."""
    if not (_is_float(a) and a == b and cond == types.boolean):
        return None

    def codegen(ctx, bld, sig, args):
        return bld.select(args[0], args[1], args[2])

    return a(cond, a, a), codegen


@intrinsic
def rint(typingctx, a):
    """Nearest integer, ties to even."""
    if not _is_float(a):
        return None
    return a(a), lambda ctx, bld, sig, args: _call_llvm(bld, "rint", args)


@intrinsic
def floor(typingctx, a):
    """Largest integer not above a, as a float."""
    if not _is_float(a):
        return None
    return a(a), lambda ctx, bld, sig, args: _call_llvm(bld, "floor", args)


@intrinsic
def fabs(typingctx, a):
    """Clear the sign bit."""
    if not _is_float(a):
        return None
    return a(a), lambda ctx, bld, sig, args: _call_llvm(bld, "fabs", args)


@intrinsic
def copysign(typingctx, a, b):
    """|a| with the sign bit of b."""
    if not (_is_float(a) and a == b):
        return None
    return a(a, a), lambda ctx, bld, sig, args: _call_llvm(bld, "copysign", args)


@intrinsic
def poly(typingctx, x, coefs):
    """c0 + x*(c1 + x*(...)) by Horner with fma; coefs: a global tuple of floats, rounded to x's
    type at compile time.  Loop throughput, not latency, decides here, so Horner is cheapest."""
    if not (_is_float(x) and isinstance(coefs, types.UniTuple)):
        return None

    def codegen(ctx, bld, sig, args):
        cs = cgutils.unpack_tuple(bld, args[1])
        if sig.args[0] == types.float32:
            cs = [bld.fptrunc(c, ir.FloatType()) for c in cs]
        acc = cs[-1]
        for c in cs[-2::-1]:
            acc = _llvm_fma(bld, acc, args[0], c)
        return acc

    return x(x, coefs), codegen


@intrinsic
def pow2_halves(typingctx, t):
    """For t = n + MAGIC_EXP: (2^n1, 2^n2) with n1 + n2 = n, as two floats.

    Two factors because 2^n alone leaves the normal range before exp does: y*2^n1 is exact and
    the second product rounds once, into a subnormal, infinity or zero as IEEE wants."""
    if not _is_float(t):
        return None

    def codegen(ctx, bld, sig, args):
        ity, width, mant, _, _ = _layout(t)
        fty = args[0].type
        b = bld.bitcast(args[0], ity)
        lower = bld.lshr(b, ity(1))
        upper = bld.sub(b, lower)
        halves = [bld.bitcast(bld.shl(h, ity(mant)), fty) for h in (lower, upper)]
        return ctx.make_tuple(bld, sig.return_type, halves)

    return types.UniTuple(t, 2)(t), codegen


@intrinsic
def split(typingctx, x, pivot):
    """(m, k) with x = m*2^k, m in [pivot, 2*pivot), k as a float; finite x > 0, subnormals too.

    pivot is a float of x's type in [0.5, 1].  Zero, infinity and NaN give a finite m and k of
    no meaning; the caller selects them away."""
    if not (_is_float(x) and x == pivot):
        return None

    def codegen(ctx, bld, sig, args):
        ity, width, mant, tiny, rescue = _layout(x)
        fty = args[0].type
        small = bld.fcmp_ordered("<", args[0], fty(tiny))
        xs = bld.select(small, bld.fmul(args[0], fty(2.0**rescue)), args[0])
        ix = bld.bitcast(xs, ity)
        k = bld.ashr(bld.sub(ix, bld.bitcast(args[1], ity)), ity(mant))
        m = bld.bitcast(bld.sub(ix, bld.shl(k, ity(mant))), fty)
        # through 32 bits: only AVX-512 converts 64-bit integers in vector registers
        k32 = bld.trunc(k, ir.IntType(32)) if width == 64 else k
        kf = bld.sitofp(k32, fty)
        kf = bld.fadd(kf, bld.select(small, fty(-float(rescue)), fty(0.0)))
        return ctx.make_tuple(bld, sig.return_type, (m, kf))

    return types.UniTuple(x, 2)(x, x), codegen


@intrinsic
def flip(typingctx, y, t):
    """y with its sign changed where the integer in the low bits of t = n + MAGIC_INT is odd."""
    if not (_is_float(y) and y == t):
        return None

    def codegen(ctx, bld, sig, args):
        ity, width, _, _, _ = _layout(y)
        odd = bld.shl(bld.bitcast(args[1], ity), ity(width - 1))
        return bld.bitcast(bld.xor(bld.bitcast(args[0], ity), odd), args[0].type)

    return y(y, t), codegen




@intrinsic
def wide(typingctx):
    """Called anywhere in a kernel: let LLVM use 512-bit registers in that function.

    LLVM stops at 256 bits on many AVX-512 processors; for these functions, which are bound by
    arithmetic and not by memory, the full width is measured 1.2 to 1.8 times faster.  It does
    nothing on processors without AVX-512."""

    def codegen(ctx, bld, sig, args):
        # llvmlite's attribute set knows no string attributes and would refuse this one in add()
        set.add(bld.function.attributes, '"prefer-vector-width"="512"')
        return ctx.get_dummy_value()

    return types.none(), codegen
