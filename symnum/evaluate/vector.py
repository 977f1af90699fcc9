"""Owns the elementary functions that generated kernels call: branch-free, hence vectorisable.

Numba's `math.exp` in a loop is one libm call per element.  The functions here contain no branch
and no call (selects, fused multiply-adds and bit casts only), so LLVM turns
`for j in range(n): d[j] = exp(a[j])` into vector code.  They are scalar functions for use
inside `@njit` code, for float32 and float64; the result has the argument's type.

Method, everywhere: reduce the argument, evaluate a polynomial, rebuild.
  W. J. Cody & W. Waite, "Software Manual for the Elementary Functions", Prentice-Hall 1980
    (multi-part constants for the reductions; sinh, tan, asin, atan schemes).
  J.-M. Muller, "Elementary Functions", 3rd ed., Birkhaeuser 2016, doi:10.1007/978-1-4899-7983-4
    (fma reductions, minimax fits, double-word logarithm for pow).
  S. Moshier, "Methods and Programs for Mathematical Functions", Ellis Horwood 1989 (Cephes:
    tan(pi/8) reduction of atan, sqrt reduction of asin/acos).
  T. J. Dekker 1971, doi:10.1007/BF01397083 (error-free sums and products).
  ISO C Annex F / IEEE 754-2008 section 9.2 (special values of pow).
All coefficients are own relative-minimax fits (Remez exchange in 200-bit arithmetic on the
intervals named beside them), rounded to double; `err` is the relative error of the fit.

No fast-math flag is assumed, and none is inherited: the error-free sums would not survive
contraction of a product into them, so every function is compiled with fastmath=False and asks
for fma explicitly (on a processor without fma that is a slow, still correct, library call).
Errors stay below 2 ulp inside RANGE, but for float64 tan (3) and asin (2.1):
experiments/vector measures them.  A kernel that calls `bits.wide()` gets 512-bit code.

erf, gamma, lgamma call libm and do not vectorise.
"""

import math

import numpy as np
from numba import types
from numba.extending import overload

from . import coefs as K
from .bits import (
    MAGIC_EXP64,
    MAGIC_INT64,
    copysign,
    fabs,
    flip,
    floor,
    fma,
    poly,
    pow2_halves,
    rint,
    split,
    where,
)

# |x| up to which the three-part reduction by pi is good to the accuracy stated in
# experiments/vector: the multiple n of pi must be found to a few 1e-5 (so that the remainder
# stays inside the fitted interval) and n itself be exact in the low bits of MAGIC_INT64 + n.
# Outside, infinities included, the caller repairs elements with math.sin / cos / tan.
_TRIG = {"float32": 1e12, "float64": 1e12}
RANGE = {"sin": _TRIG | {"float32": 1e5}, "cos": _TRIG | {"float32": 1e5}, "tan": _TRIG}

_f32, _f64 = np.float32, np.float64
_INF32, _NAN32, _ONE32, _ZERO32 = _f32(np.inf), _f32(np.nan), _f32(1), _f32(0)
_INF, _NAN = math.inf, math.nan

def _exp32(x):
    c = where(x < _f32(-104.5), _f32(-104.5), x)  # selects this way round keep NaN
    c = where(c > _f32(89), _f32(89), c)
    t = fma(c, K.LOG2E32, K.MAGIC32)
    n = t - K.MAGIC32
    r = fma(-n, K.LN2_32LO, fma(-n, K.LN2_32, c))
    s1, s2 = pow2_halves(t)
    return poly(r, K.EXP32) * s1 * s2


def _exp64(x):
    c = where(x < -746.0, -746.0, x)
    c = where(c > 710.0, 710.0, c)
    t = fma(c, K.LOG2E, MAGIC_EXP64)
    n = t - MAGIC_EXP64
    r = fma(-n, K.LN2_LO, fma(-n, K.LN2, c))
    s1, s2 = pow2_halves(t)
    return poly(r, K.EXP64) * s1 * s2


def _log32(x):
    m, k = split(x, _f32(0.6666667))
    f = m - _ONE32
    z = f * f
    q = fma(_f32(-0.5), z, fma(f * z, poly(f, K.LOG32), k * K.LN2_32LO))
    y = fma(k, K.LN2_32, q + f)
    y = where(x < _INF32, y, x)
    return where(x > _ZERO32, y, where(x == _ZERO32, -_INF32, _NAN32))


def _log64(x):
    m, k = split(x, 0.7071067811865476)
    f = m - 1.0
    s = f / (f + 2.0)
    z = s * s
    h = 0.5 * f * f  # 2s = f - s*f and s*f = f^2/2 - s*f^2/2: keeps f exact in the last sum
    y = fma(k, K.LN2, f - (h - fma(s, fma(z, poly(z, K.LOG64), h), k * K.LN2_LO)))
    y = where(x < _INF, y, x)
    return where(x > 0.0, y, where(x == 0.0, -_INF, _NAN))


# sin and cos reduce modulo pi, not pi/2: one longer polynomial costs less than two and a select.
# fma(-n, K.PI1, x) is exact, so the remainder keeps its relative accuracy next to the zeros.
def _sin32(x):
    t = fma(x, K.INV_PI32, K.MAGIC32)
    n = t - K.MAGIC32
    r = fma(-n, K.PI3_32, fma(-n, K.PI2_32, fma(-n, K.PI1_32, x)))
    z = r * r
    return flip(copysign(fma(r * z, poly(z, K.SIN32), r), r), t)


def _sin64(x):
    t = fma(x, K.INV_PI, MAGIC_INT64)
    n = t - MAGIC_INT64
    r = fma(-n, K.PI3, fma(-n, K.PI2, fma(-n, K.PI1, x)))
    z = r * r
    return flip(copysign(fma(r * z, poly(z, K.SIN64), r), r), t)


def _cos32(x):  # cos x = (-1)^j sin((j + 1/2) pi - x)
    t = fma(x, K.INV_PI32, _f32(-0.5)) + K.MAGIC32
    n = (t - K.MAGIC32) + _f32(0.5)
    r = fma(n, K.PI3_32, fma(n, K.PI2_32, fma(n, K.PI1_32, -x)))
    z = r * r
    return flip(fma(r * z, poly(z, K.SIN32), r), t)


def _cos64(x):
    t = fma(x, K.INV_PI, -0.5) + MAGIC_INT64
    n = (t - MAGIC_INT64) + 0.5
    r = fma(n, K.PI3, fma(n, K.PI2, fma(n, K.PI1, -x)))
    z = r * r
    return flip(fma(r * z, poly(z, K.SIN64), r), t)


def _tan64(x):  # n odd: -cos/sin of the remainder
    t = fma(x, K.TWO_PI, MAGIC_INT64)
    n = t - MAGIC_INT64
    r = fma(-n, K.H3, fma(-n, K.H2, fma(-n, K.H1, x)))
    z = r * r
    s = copysign(fma(r * z, poly(z, K.SINQ), r), r)
    c = fma(z * z, poly(z, K.COSQ), fma(-0.5, z, 1.0))
    odd = flip(1.0, t) < 0.0
    return where(odd, -c, s) / where(odd, s, c)


# tanh a = 1 - 2/(e^2a + 1), and an odd polynomial below 0.55, where that would cancel.
def _tanh32(x):
    a = fabs(x)
    u = where(a > _f32(10), _f32(20), a + a)
    t = fma(u, K.LOG2E32, K.MAGIC32)
    n = t - K.MAGIC32
    r = fma(-n, K.LN2_32LO, fma(-n, K.LN2_32, u))
    s1, s2 = pow2_halves(t)
    z = a * a
    y = where(
        a < _f32(0.55),
        fma(a * z, poly(z, K.TANH32), a),
        _ONE32 - _f32(2) / fma(s1 * s2, poly(r, K.EXP32), _ONE32),
    )
    return copysign(y, x)


def _tanh64(x):
    a = fabs(x)
    u = where(a > 20.0, 40.0, a + a)
    t = fma(u, K.LOG2E, MAGIC_EXP64)
    n = t - MAGIC_EXP64
    r = fma(-n, K.LN2_LO, fma(-n, K.LN2, u))
    s1, s2 = pow2_halves(t)
    z = a * a
    y = where(a < 0.55, fma(a * z, poly(z, K.TANH64), a), 1.0 - 2.0 / fma(s1 * s2, poly(r, K.EXP64), 1.0))
    return copysign(y, x)


# pow: x^y = exp(y log|x|).  The selects: log 0 = -inf, log inf = inf, NaN kept; exponent 0 for
# |x| = 1 or y = 0 (C: 1 even with NaN or infinite partner); sign and NaN of a negative base last.
def _pow32(x, y):
    a = fabs(x)
    m, k = split(a, _f32(0.6666667))
    f = _f64(m) - 1.0
    g = fma(f, poly(f, K.LOG2_32), _f64(k))
    g = where(a < _INF32, g, _f64(a))
    g = where(a == _ZERO32, -_INF, g)
    e = where((a == _ONE32) | (y == _ZERO32), 0.0, _f64(y) * g)
    e = where(e < -160.0, -160.0, e)
    e = where(e > 130.0, 130.0, e)
    n = rint(e)
    r = _f32(e - n)
    s1, s2 = pow2_halves(_f32(n) + K.MAGIC32)
    v = fma(r, poly(r, K.EXP2_32), _ONE32) * s1 * s2
    whole = rint(y) == y
    h = _f32(0.5) * y
    v = where(whole & (rint(h) != h), copysign(v, x), v)
    return where((x < _ZERO32) & (x > -_INF32) & (not whole), _NAN32, v)


def _pow64(x, y):
    a = fabs(x)
    m, k = split(a, 0.7071067811865476)
    # s + sl = (m-1)/(m+1) in double-word; m - 1 is exact, d + dl = m + 1 exactly
    f = m - 1.0
    d = m + 1.0
    dl = m - (d - 1.0)
    rd = 1.0 / d
    s = f * rd
    sl = fma(-s, dl, fma(-s, d, f)) * rd
    z = s * s
    zl = fma(s + s, sl, fma(s, s, -z))
    # log m = 2s + s*(2/3 z + z^2 P(z)); the z^2 term is below 2^-12 of the whole: plain double
    w = K.TWO3 * z
    wl = fma(z * z, poly(z, K.LOGDD), fma(K.TWO3, zl, fma(K.TWO3_LO, z, fma(K.TWO3, z, -w))))
    p = s * w
    pl = fma(s, wl, fma(sl, w, fma(s, w, -p)))
    s2 = s + s
    h = s2 + p
    lo = ((s2 - h) + p) + (fma(2.0, sl, pl))
    kh = k * K.LN2_42
    g = kh + h
    gl = ((kh - g) + h) + fma(k, K.LN2_42LO, lo)
    g = where(a < _INF, g, a)
    g = where(a == 0.0, -_INF, g)
    e = where((a == 1.0) | (y == 0.0), 0.0, y * g)
    el = fma(y, gl, fma(y, g, -e))
    el = where((fabs(e) < 800.0) & (e != 0.0), el, 0.0)
    e = where(e < -800.0, -800.0, e)
    e = where(e > 800.0, 800.0, e)
    t = fma(e + el, K.LOG2E, MAGIC_EXP64)
    n = t - MAGIC_EXP64
    r = fma(-n, K.LN2_42, e) + fma(-n, K.LN2_42LO, el)
    s1, s2 = pow2_halves(t)
    v = poly(r, K.EXP64) * s1 * s2
    whole = rint(y) == y
    h = 0.5 * y
    v = where(whole & (rint(h) != h), copysign(v, x), v)
    return where((x < 0.0) & (x > -_INF) & (not whole), _NAN, v)


# sinh and cosh overflow later than exp: h = e^a/2 is formed with the halving inside the scaling.
def _sinh64(x):
    a = fabs(x)
    c = where(a > 711.0, 711.0, a)
    t = fma(c, K.LOG2E, MAGIC_EXP64)
    n = t - MAGIC_EXP64
    r = fma(-n, K.LN2_LO, fma(-n, K.LN2, c))
    s1, s2 = pow2_halves(t)
    h = poly(r, K.EXP64) * (0.5 * s1) * s2
    z = a * a
    return copysign(where(a < 1.0, fma(a * z, poly(z, K.SINH), a), h - 0.25 / h), x)


def _cosh64(x):
    a = fabs(x)
    c = where(a > 711.0, 711.0, a)
    t = fma(c, K.LOG2E, MAGIC_EXP64)
    n = t - MAGIC_EXP64
    r = fma(-n, K.LN2_LO, fma(-n, K.LN2, c))
    s1, s2 = pow2_halves(t)
    h = poly(r, K.EXP64) * (0.5 * s1) * s2
    return h + 0.25 / h


def _asin64(x):
    a = fabs(x)
    big = a > 0.5  # asin a = pi/2 - 2 asin(sqrt((1-a)/2)); a > 1 gives the root of a negative
    z = where(big, 0.5 * (1.0 - a), a * a)
    w = where(big, math.sqrt(z), a)
    p = fma(w * z, poly(z, K.ASIN), w)
    return copysign(where(big, K.H1 - (2.0 * p - K.H2), p), x)


def _acos64(x):
    a = fabs(x)
    big = a > 0.5
    z = where(big, 0.5 * (1.0 - a), a * a)
    w = where(big, math.sqrt(z), x)
    p = fma(w * z, poly(z, K.ASIN), w)
    far = where(x > 0.0, 2.0 * p, K.PI1 - (2.0 * p - K.PI2))
    return where(big, far, K.H1 - (p - K.H2))


def _atan64(x):
    a = fabs(x)
    far = a > 2.414213562373095  # tan(3 pi/8): pi/2 + atan(-1/a)
    mid = a > 0.41421356237309503  # tan(pi/8): pi/4 + atan((a-1)/(a+1))
    num = where(far, -1.0, where(mid, a - 1.0, a))
    t = num / where(far, a, where(mid, a + 1.0, 1.0))
    z = t * t
    hi = where(far, K.H1, where(mid, 0.5 * K.H1, 0.0))
    lo = where(far, K.H2, where(mid, 0.5 * K.H2, 0.0))
    return copysign(hi + (fma(t * z, poly(z, K.ATAN), t) + lo), x)


def _cbrt64(x):
    a = fabs(x)
    m, k = split(a, 1.0)
    q = floor((k + 0.5) * 0.3333333333333333)
    j = k - 3.0 * q
    b = m * where(j > 1.5, 4.0, where(j > 0.5, 2.0, 1.0))
    w = poly(m, K.RCBRT) * where(
        j > 1.5, 0.6299605249474366, where(j > 0.5, 0.7937005259840998, 1.0)
    )
    h = fma(-(b * w), w * w, 1.0)  # third-order step to b^(-1/3), then one Newton step on y^3 = b
    w = fma(w * h, fma(h, 0.2222222222222222, 0.3333333333333333), w)
    y = b * (w * w)
    y2 = y * y
    res = fma(fma(y, y, -y2), y, fma(y2, y, -b))
    y = fma(-res, w * w * 0.3333333333333333, y)
    s1, s2 = pow2_halves(q + MAGIC_EXP64)
    return where((a > 0.0) & (a < _INF), copysign(y * s1 * s2, x), x)


def _erf64(x):
    return math.erf(x)


def _gamma64(x):
    return where((x <= 0.0) & (floor(x) == x), _NAN, math.gamma(x))


def _lgamma64(x):
    return math.lgamma(x)


# The error-free sums need fastmath off; forceinline because LLVM vectorises only loops without
# calls and the larger functions exceed its own inlining limit.
_JIT = {"fastmath": False, "error_model": "numpy", "forceinline": True}


def _define(name, doc, f64, f32=None):
    """The stub users import, with f64 (and f32, by default through float64) as its compiled body.

    Integers and booleans are taken as float64; float32 mixed with float64 as float64."""
    binary = name == "pow"

    if binary:

        def stub(x, y):
            raise TypeError("callable from compiled code only")

        def choose(x, y):
            if x == y == types.float32:
                return f32
            if x == y == types.float64:
                return f64
            if isinstance(x, types.Number) and isinstance(y, types.Number):
                return lambda x, y: stub(_f64(x), _f64(y))
            return None
    else:

        def stub(x):
            raise TypeError("callable from compiled code only")

        def choose(x):
            if x == types.float64:
                return f64
            if x == types.float32:
                return f32 or (lambda x: _f32(stub(_f64(x))))
            if isinstance(x, types.Integer | types.Boolean):
                return lambda x: stub(_f64(x))
            return None

    stub.__name__ = stub.__qualname__ = name
    stub.__doc__ = doc
    overload(stub, jit_options=_JIT)(choose)
    return stub


exp = _define("exp", "e^x; gradual underflow, inf above the range.", _exp64, _exp32)
log = _define("log", "Natural logarithm; log 0 = -inf, NaN below 0.", _log64, _log32)
sin = _define("sin", "Sine for |x| <= RANGE['sin'].", _sin64, _sin32)
cos = _define("cos", "Cosine for |x| <= RANGE['cos'].", _cos64, _cos32)
tan = _define("tan", "Tangent for |x| <= RANGE['tan'].", _tan64)
tanh = _define("tanh", "Hyperbolic tangent.", _tanh64, _tanh32)
pow = _define("pow", "a^b with the special values of C and numpy.power.", _pow64, _pow32)
sinh = _define("sinh", "Hyperbolic sine.", _sinh64)
cosh = _define("cosh", "Hyperbolic cosine.", _cosh64)
asin = _define("asin", "Arc sine; NaN outside [-1, 1].", _asin64)
acos = _define("acos", "Arc cosine; NaN outside [-1, 1].", _acos64)
atan = _define("atan", "Arc tangent.", _atan64)
cbrt = _define("cbrt", "Real cube root, of negative numbers too.", _cbrt64)
erf = _define("erf", "Error function (libm, not vectorised).", _erf64)
gamma = _define("gamma", "Gamma function (libm); NaN at 0, -1, -2, ..., inf above.", _gamma64)
lgamma = _define("lgamma", "log|gamma(x)| (libm); inf at the poles.", _lgamma64)
