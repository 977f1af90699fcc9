"""Accuracy, special values and vectorisation of symnum/evaluate/vector.py.

Bounds are in ulp: the spacing of the format at the rounded exact value.  float32 is compared
with float64 references, float64 with mpmath.  experiments/vector measures the same exhaustively.
"""

import math
import platform
import re

import mpmath
import numba
import numpy as np
import pytest

from symnum.evaluate import vector
from symnum.evaluate.bits import wide

JIT = {"error_model": "numpy", "fastmath": {"contract"}}
TINY = {np.float32: 2.0**-149, np.float64: 2.0**-1074}
# float64 bounds where they are not 2: tanh below 0.55, tan by a quotient of two
# rounded sums, asin just above 1/2
BOUND = {"tanh": 2.5, "tan": 3.5, "asin": 2.2}
UNARY = ("exp", "log", "sin", "cos", "tan", "tanh", "sinh", "cosh", "asin", "acos", "atan", "cbrt")
_compiled = {}


def apply(name, *args):
    """The function over arrays, in a loop compiled as the generated kernels compile it."""
    function = getattr(vector, name)
    if name not in _compiled:
        if len(args) == 2:

            @numba.njit(**JIT)
            def run(a, b, d):
                for j in range(a.size):
                    d[j] = function(a[j], b[j])
        else:

            @numba.njit(**JIT)
            def run(a, d):
                for j in range(a.size):
                    d[j] = function(a[j])

        _compiled[name] = run
    out = np.empty_like(args[0])
    _compiled[name](*args, out)
    return out


def reference(name, x):
    """numpy in float64 (the spelling of the inverse functions differs)."""
    names = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
    with np.errstate(all="ignore"):
        return getattr(np, names.get(name, name))(x.astype(np.float64))


def worst_ulp32(got, ref):
    with np.errstate(all="ignore"):
        rounded = ref.astype(np.float32)
        finite = np.isfinite(rounded)
        np.testing.assert_array_equal(got[~finite], rounded[~finite])
        step = np.spacing(np.abs(rounded[finite])).astype(np.float64)
        error = np.abs(got[finite].astype(np.float64) - ref[finite]) / step
    assert not np.isnan(error).any()
    return error.max()


def exact(name, x):
    function = {
        "cbrt": lambda v: mpmath.sign(v) * mpmath.cbrt(abs(v)),
        "lgamma": lambda v: mpmath.log(abs(mpmath.gamma(v))),
    }.get(name, getattr(mpmath, name, None))
    return [function(mpmath.mpf(float(v))) for v in x]


def worst_ulp64(got, ref):
    worst = 0.0
    for g, r in zip(got, ref, strict=True):
        near = float(r)
        if math.isinf(near):
            assert g == near
            continue
        assert math.isfinite(g)
        worst = max(worst, float(abs(mpmath.mpf(float(g)) - r) / math.ulp(near)))
    return worst


@pytest.mark.parametrize("name", UNARY)
def test_float32_all_exponents(name):
    x = np.arange(0, 1 << 32, 100003 // 4, dtype=np.uint64).astype(np.uint32).view(np.float32)
    if name in vector.RANGE:
        x = x[~(np.abs(x) > vector.RANGE[name]["float32"])]
    got = apply(name, x)
    assert got.dtype == np.float32
    assert worst_ulp32(got, reference(name, x)) <= 2.05


def points64(name):
    rng = np.random.default_rng(7)
    scaled = rng.uniform(-1, 1, 400) * 10.0 ** rng.uniform(-3, 1, 400)
    bits = rng.integers(0, 1 << 64, 200, np.uint64).view(np.float64)
    if name == "exp":
        extra = rng.uniform(-745.2, 709.8, 300)
    elif name in ("sinh", "cosh"):
        extra = rng.uniform(-710.4, 710.4, 300)
    elif name in vector.RANGE:
        limit = vector.RANGE[name]["float64"]
        zeros = np.round(10.0 ** rng.uniform(0, 11.7, 200)) * (math.pi / 2)
        extra = np.concatenate([zeros, rng.uniform(-limit, limit, 100), [limit, -limit]])
        bits = bits[np.abs(bits) <= limit]
    elif name in ("asin", "acos"):
        extra = np.concatenate([rng.uniform(-1, 1, 300), 1 - 10.0 ** rng.uniform(-15, 0, 100)])
    else:
        subnormal = rng.integers(1, 1 << 40, 50) * 5e-324
        extra = np.concatenate([1 + rng.normal(0, 1e-5, 200), subnormal])
    x = np.concatenate([scaled, bits, extra])
    x = x[np.isfinite(x)]
    if name in ("asin", "acos"):
        x = x[np.abs(x) <= 1]
    return np.abs(x[x != 0]) if name == "log" else x


@pytest.mark.parametrize("name", UNARY)
def test_float64_against_mpmath(name):
    x = points64(name)
    with mpmath.workdps(50):
        if name in ("exp", "sinh", "cosh"):  # mpmath would build numbers of 10^300 digits
            x = x[np.abs(x) < 800]
        got = apply(name, x)
        assert worst_ulp64(got, exact(name, x)) <= BOUND.get(name, 2.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", UNARY)
def test_special_values(name, dtype):
    big, tiny, low = np.finfo(dtype).max, np.finfo(dtype).tiny, TINY[dtype]
    x = [0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, low, -low, tiny, -tiny]
    if name not in vector.RANGE:
        x += [big, -big, 1000.0, -1000.0]
    x = np.array(x, dtype)
    got = apply(name, x)
    with np.errstate(all="ignore"):
        ref = reference(name, x).astype(dtype)
    np.testing.assert_allclose(got, ref, rtol=4 * np.finfo(dtype).eps, atol=0)
    sure = ~np.isnan(ref) & (ref == 0)
    np.testing.assert_array_equal(np.signbit(got[sure]), np.signbit(ref[sure]))


def test_exp_edges():
    x = np.array([709.782712893384, 709.7827128933841, -708.4, -745.133219101941,
                  -745.1332191019412, -745.2, 1e308, -1e308])  # fmt: skip
    got = apply("exp", x)
    assert got[0] > 1.797e308 and got[1] == math.inf and got[6] == math.inf
    assert 0 < got[2] < 2.3e-308 and got[3] == 5e-324
    assert got[4] == 0 and got[5] == 0 and got[7] == 0
    y = np.array([88.72283, 88.72284, -103.97207, -103.97209], np.float32)
    got = apply("exp", y)
    assert np.isfinite(got[0]) and got[1] == math.inf and got[2] == TINY[np.float32] and got[3] == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pow_special_table(dtype):
    info = np.finfo(dtype)
    half = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 7.0, info.tiny, TINY[dtype], info.max, math.inf,
            2.0**info.nmant + 1, 2.0 ** (info.nmant + 1),
            1 + info.eps, 1 - info.epsneg]  # fmt: skip
    edge = np.array([*half, *(-v for v in half), math.nan], dtype)
    a, b = (np.ascontiguousarray(g.ravel()) for g in np.meshgrid(edge, edge))
    got = apply("pow", a, b)
    with np.errstate(all="ignore"):
        ref = np.power(a, b)
    np.testing.assert_allclose(got, ref, rtol=4 * info.eps, atol=2 * TINY[dtype])
    # a zero, an infinity or the 1 of a rule must come out exactly, with its sign
    fixed = np.isin(ref, [0, math.inf, -math.inf]) | (np.abs(a) == 1) | (b == 0)
    np.testing.assert_array_equal(got[fixed], ref[fixed])
    fixed &= ~np.isnan(ref)
    np.testing.assert_array_equal(np.signbit(got[fixed]), np.signbit(ref[fixed]))


def pow_pairs(n, dtype):
    rng = np.random.default_rng(11)
    info = np.finfo(dtype)
    base = np.exp(rng.uniform(-1, 1, n) * rng.choice([1e-4, 0.1, 1, 10, 80], n)).astype(dtype)
    span = rng.uniform(info.minexp - info.nmant - 2, info.maxexp + 1, n)
    with np.errstate(all="ignore"):
        y = (span / np.log2(base.astype(np.float64))).astype(dtype)
    whole = np.round(rng.uniform(-20, 20, n)).astype(dtype)
    pairs = [(base, y), ((-base).astype(dtype), whole)]
    return [np.concatenate(p)[np.isfinite(np.concatenate([base + y, base + whole]))]
            for p in zip(*pairs, strict=True)]  # fmt: skip


def test_pow_float32():
    a, b = pow_pairs(200_000, np.float32)
    with np.errstate(all="ignore"):
        ref = np.power(a.astype(np.float64), b.astype(np.float64))
    assert worst_ulp32(apply("pow", a, b), ref) <= 2.0


def test_pow_float64():
    a, b = pow_pairs(1500, np.float64)
    got = apply("pow", a, b)
    with mpmath.workdps(50):
        pairs = zip(map(mpmath.mpf, a.tolist()), map(mpmath.mpf, b.tolist()), strict=True)
        ref = [mpmath.power(x, y) for x, y in pairs]
        assert worst_ulp64(got, ref) <= 2.0


@pytest.mark.parametrize("name", ["erf", "gamma", "lgamma"])
def test_libm_functions(name):
    x = np.linspace(-5.3, 20.1, 400)
    with mpmath.workdps(50):
        ref = exact(name, x)
        got = apply(name, x)
        scale = [max(abs(float(r)), 1.0 if name == "lgamma" else 0.0) for r in ref]
        error = [abs(mpmath.mpf(float(g)) - r) / s for g, r, s in zip(got, ref, scale, strict=True)]
    assert max(error) < 10 * 2.0**-53
    x32 = x.astype(np.float32)
    want = np.array([float(v) for v in exact(name, x32)])
    np.testing.assert_allclose(apply(name, x32), want, rtol=3e-7, atol=1e-7)
    assert apply(name, x32).dtype == np.float32


def test_gamma_poles_and_overflow():
    x = np.array([0.0, -0.0, -1.0, -2.0, -170.0, -math.inf, math.nan, 172.0, math.inf])
    got = apply("gamma", x)
    assert np.isnan(got[:7]).all() and (got[7:] == math.inf).all()
    got = apply("lgamma", x)
    assert (got[:5] == math.inf).all() and np.isnan(got[6]) and got[8] == math.inf
    assert apply("lgamma", np.array([1e306]))[0] == math.inf
    assert np.isnan(apply("gamma", np.array([-3.0], np.float32)))[0]


def test_result_types():
    @numba.njit(**JIT)
    def run(a, n):
        return vector.pow(a, a), vector.tan(a), vector.pow(a, np.float64(2)), vector.exp(n)

    values = run(np.float32(1.5), 1)
    returned = run.overloads[run.signatures[0]].signature.return_type.types
    assert returned == (numba.float32, numba.float32, numba.float64, numba.float64)
    assert values[2] == 2.25 and abs(values[3] - math.e) < 1e-15


def assembly(name, dtype, widen):
    function = getattr(vector, name)

    if name == "pow":

        @numba.njit(**JIT)
        def run(a, b, d):
            if widen:
                wide()
            for j in range(a.size):
                d[j] = function(a[j], b[j])
    else:

        @numba.njit(**JIT)
        def run(a, d):
            if widen:
                wide()
            for j in range(a.size):
                d[j] = function(a[j])

    array = numba.types.Array(numba.from_dtype(np.dtype(dtype)), 1, "C")
    run.compile((array,) * (3 if name == "pow" else 2))
    return "".join(run.inspect_asm().values())


@pytest.mark.parametrize("name", ["exp", "log", "sin", "cos", "tan", "tanh", "pow", "atan", "cbrt"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loops_vectorise(name, dtype):
    if platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip("reads x86 assembly")
    text = assembly(name, dtype, False)
    if "vfmadd" not in text:
        pytest.skip("no fma on this processor")
    packed = re.findall(r"vfn?m(?:add|sub)\d+p[sd]\s.*[yz]mm", text)
    assert len(packed) >= 4


def test_wide_uses_512_bits():
    if platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip("reads x86 assembly")
    text = assembly("exp", np.float64, True)
    if not numba.core.cpu.ll.get_host_cpu_features().get("avx512f"):
        pytest.skip("no AVX-512")
    assert len(re.findall("zmm", text)) > 20
