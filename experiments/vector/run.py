"""Accuracy and speed of the functions in symnum/evaluate/vector.py.

    PYTHONPATH=. python experiments/vector/run.py [--stride N] [--out FILE]

Accuracy, float32: every N-th of the 2^32 bit patterns (default N = 1: all), against numpy's
float64 function; the reference is off by about 2^-29 of a float32 ulp.  pow: a grid of special
and extreme bases and exponents, plus random pairs of bit patterns and of moderate values.
Accuracy, float64: samples over all exponents, the useful middle and the edges, against mpmath
with 40 digits.  An ulp is the spacing of the format at the rounded exact value; where the result
must be zero, infinite or NaN, anything else counts as an infinite error.  "range" is |x| <= RANGE
for sin and cos and every finite x elsewhere; "all" repairs elements outside RANGE with math.*,
as the kernels do.  Speed: nanoseconds per element on one core, 4096 elements (in cache), best of
several runs.  Prints a table and writes result.json beside this file.
"""

import argparse
import json
import math
import pathlib
import platform
import time

import mpmath
import numba
import numpy as np

from symnum.evaluate import vector
from symnum.evaluate.bits import wide

NAMES = ("exp", "log", "sin", "cos", "tanh", "pow")
JIT = {"error_model": "numpy", "fastmath": {"contract"}}
CHUNK = 1 << 16  # the float64 work arrays stay in the L2 cache


def loop(function, arity=1, widen=True):
    """A compiled elementwise loop over `function`, as a generated kernel has it."""
    if arity == 2:

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

    return run


def ulps(got, ref, low=0.0):
    """Elementwise error in ulp of got's type; ref (+ low) is the reference in float64."""
    with np.errstate(all="ignore"):
        rounded = ref.astype(got.dtype)
        if got.dtype == np.float32 and not np.any(low):
            close = np.abs(got - ref)  # float64; float32 spacing is 2^-23 below the exponent
            step = (np.abs(rounded).view(np.uint32) & 0x7F800000).view(np.float32)
            error = close / (np.maximum(step, np.float32(2.0**-126)).astype(np.float64) * 2.0**-23)
            odd = ~(error < 1e30)
            g, r = got[odd], rounded[odd]
            error[odd] = np.where((g == r) | (np.isnan(g) & np.isnan(r)), 0, np.inf)
            # where the result overflows, infinity is the only right answer, and nowhere else
            error[np.isinf(rounded) != np.isinf(got)] = np.inf
            return error
        same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
        finite = np.isfinite(rounded)
        step = np.spacing(np.abs(np.where(finite, rounded, 1))).astype(np.float64)
        error = np.abs((got.astype(np.float64) - ref) - low) / step
        return np.where(finite, np.where(np.isnan(error), np.inf, error), np.where(same, 0, np.inf))


def repaired(name, x, got, ref=None):
    """got with the elements outside RANGE replaced by libm's float64 value (ref where it is at
    hand: for float32 that is the same number and saves a second pass), and the mask inside."""
    limit = vector.RANGE.get(name, {}).get(x.dtype.name, math.inf)
    inside = np.abs(x) <= limit
    if name not in vector.RANGE:
        return got, np.isfinite(x)
    out = ~inside & np.isfinite(x)
    if out.any():
        got = got.copy()
        got[out] = ref[out] if ref is not None else [getattr(math, name)(v) for v in x[out]]
    return got, inside


def all_float32(name, kernel, stride):
    """(max ulp in range, where, max ulp everywhere) over every stride-th bit pattern."""
    worst, at, anywhere = 0.0, None, 0.0
    reference = getattr(np, name)
    for start in range(0, 1 << 32, CHUNK * stride):
        stop = min(start + CHUNK * stride, 1 << 32)
        x = np.arange(start, stop, stride, dtype=np.uint64).astype(np.uint32).view(np.float32)
        got = np.empty_like(x)
        kernel(x, got)
        with np.errstate(all="ignore"):
            ref = reference(x.astype(np.float64))
        got, inside = repaired(name, x, got, ref)
        error = ulps(got, ref)
        anywhere = max(anywhere, float(error.max()))
        error[~inside] = 0
        j = int(error.argmax())
        if error[j] > worst:
            worst, at = float(error[j]), float(x[j])
    return worst, at, anywhere


def pow_pairs(dtype, n, rng):
    """Bases and exponents: the grid of special and extreme values, then random pairs."""
    info = np.finfo(dtype)
    edge = [0, 0.5, 1, 1.5, 2, 3, 10, 1 / 3, 127, 1e6, info.max, info.tiny, info.smallest_subnormal,
            1 + info.eps, 1 - info.epsneg, 2.0**info.nmant, 2.0**info.nmant + 1,
            2.0 ** (info.nmant + 1), math.inf]  # fmt: skip
    edge = np.array([*edge, *(-v for v in edge), math.nan], dtype)
    a, b = (g.ravel() for g in np.meshgrid(edge, edge))
    unsigned = {4: np.uint32, 8: np.uint64}[info.bits // 8]
    raw = rng.integers(0, 1 << info.bits, (2, n // 4), unsigned).view(dtype)
    base = np.exp(rng.uniform(-1, 1, n) * rng.choice([1e-4, 0.1, 1, 10, 80], n)).astype(dtype)
    # results spread over the whole range of the format, subnormals included
    span = rng.uniform(info.minexp - info.nmant - 2, info.maxexp + 1, n)
    with np.errstate(all="ignore"):
        power = (span / np.log2(base.astype(np.float64))).astype(dtype)
    whole = rng.integers(-40, 41, n // 4).astype(dtype)
    signed = rng.normal(0, 8, n // 4).astype(dtype)
    return np.concatenate([a, raw[0], base, signed]), np.concatenate([b, raw[1], power, whole])


def samples_float64(name, n, rng):
    """Arguments over all exponents, the middle, and next to the places where methods change."""
    raw = rng.integers(0, 1 << 64, n // 4, np.uint64).view(np.float64)
    middle = rng.normal(0, 3, n // 4)
    if name == "exp":
        special = rng.uniform(-746, 710.5, n // 2)
    elif name == "log":
        special = np.concatenate(
            [1 + rng.normal(0, 1, n // 4) * 10.0 ** rng.uniform(-16, 0, n // 4),
             rng.integers(1, 1 << 53, n // 4).astype(np.float64) * 5e-324]
        )  # fmt: skip
        middle = np.abs(middle)
    elif name in ("sin", "cos"):
        zeros = np.round(10.0 ** rng.uniform(0, 11.5, n // 4)) * (math.pi / 2)
        special = np.concatenate([zeros, rng.uniform(-1, 1, n // 4) * 10.0 ** rng.uniform(0, 12)])
    else:
        special = rng.uniform(-1, 1, n // 2) * rng.choice([0.1, 0.3, 1, 20], n // 2)
    edges = [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, -5e-324, 2.0**-1022, 1.0, -1.0,
             709.782712893384, 709.7827128933841, -745.1332191019411, -745.1332191019412, 1e12,
             1.7976931348623157e308, math.pi, math.pi / 2, 0.34657359027997264]  # fmt: skip
    return np.concatenate([raw, middle, special, np.array(edges)])


def exact(name, args):
    """(reference rounded to float64, remainder) by mpmath; special values by numpy."""
    with np.errstate(all="ignore"):
        ref = (np.power if name == "pow" else getattr(np, name))(*args)
    low = np.zeros_like(ref)
    function = getattr(mpmath, "power" if name == "pow" else name)
    for j in np.flatnonzero(np.isfinite(ref) & np.all(np.isfinite(args), axis=0)):
        values = [float(a[j]) for a in args]
        if name == "pow" and (ref[j] == 0 or values[0] == 0):
            continue
        value = mpmath.mpf(function(*map(mpmath.mpf, values)))
        ref[j] = float(value)  # mpmath rounds into subnormals too
        if np.isfinite(ref[j]):
            low[j] = float(value - mpmath.mpf(float(ref[j])))
    # low is "exact - ref": ulps() subtracts it
    return ref, low


def check_float64(name, kernel, n, rng):
    args = pow_pairs(np.float64, n // 2, rng) if name == "pow" else (samples_float64(name, n, rng),)
    got = np.empty_like(args[0])
    kernel(*args, got)
    got, inside = (got, np.all(np.isfinite(args), axis=0)) if name == "pow" else repaired(
        name, args[0], got
    )
    ref, low = exact(name, args)
    error = ulps(got, ref, low)
    anywhere = float(error.max())
    error[~inside] = 0
    j = int(error.argmax())
    return float(error[j]), [float(a[j]) for a in args], anywhere, int(got.size)


def check_pow32(kernel, n, rng):
    a, b = pow_pairs(np.float32, n, rng)
    got = np.empty_like(a)
    kernel(a, b, got)
    with np.errstate(all="ignore"):
        ref = np.power(a.astype(np.float64), b.astype(np.float64))
    error = ulps(got, ref)
    j = int(error.argmax())
    return float(error[j]), [float(a[j]), float(b[j])], float(error.max()), int(got.size)


def nanoseconds(call, n):
    call()
    best = math.inf
    for _ in range(9):
        start = time.perf_counter()
        for _ in range(100):
            call()
        best = min(best, time.perf_counter() - start)
    return best / 100 / n * 1e9


def speed(name, dtype, rng):
    """ns per element: vector (512-bit allowed), vector (LLVM's choice), math.* in numba, numpy."""
    n = 4096
    args = [rng.normal(0, 2, n).astype(dtype) for _ in range(2 if name == "pow" else 1)]
    if name in ("log", "pow"):
        args[0] = np.abs(args[0])
    out = np.empty_like(args[0])
    ours, scalar, arity = getattr(vector, name), getattr(math, name), len(args)
    result = {}
    for label, function, widen in (
        ("vector", ours, True),
        ("vector_default_width", ours, False),
        ("numba_math", scalar, False),
    ):
        run = loop(function, arity, widen)
        result[label] = nanoseconds(lambda run=run: run(*args, out), n)
    ufunc = getattr(np, "power" if name == "pow" else name)
    result["numpy"] = nanoseconds(lambda: ufunc(*args, out=out), n)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stride", type=int, default=1, help="take every N-th float32")
    parser.add_argument("--samples", type=int, default=120_000, help="float64 samples")
    parser.add_argument(
        "--out", type=pathlib.Path, default=pathlib.Path(__file__).with_name("result.json")
    )
    options = parser.parse_args()
    mpmath.mp.dps = 40
    rng = np.random.default_rng(2024)
    began = time.time()
    rows = {}
    print("function type     ulp range  ulp all | ns vector  default  math    numpy | worst at")
    for name in NAMES:
        kernel = loop(getattr(vector, name), 2 if name == "pow" else 1)
        for dtype in (np.float32, np.float64):
            if dtype is np.float64:
                ulp, at, everywhere, count = check_float64(name, kernel, options.samples, rng)
            elif name == "pow":
                ulp, at, everywhere, count = check_pow32(kernel, 8_000_000 // options.stride, rng)
            else:
                ulp, at, everywhere = all_float32(name, kernel, options.stride)
                count = (1 << 32) // options.stride
            ns = speed(name, dtype, rng)
            rows[f"{name} {dtype.__name__}"] = {
                "max_ulp_range": ulp, "worst_at": at, "max_ulp_all": everywhere,
                "samples": count, "ns": ns,
            }  # fmt: skip
            print(
                f"{name:8} {dtype.__name__:8} {ulp:8.3f} {everywhere:8.3f} | {ns['vector']:9.2f} "
                f"{ns['vector_default_width']:8.2f} {ns['numba_math']:6.2f} {ns['numpy']:6.2f} "
                f"| {at}",
                flush=True,
            )
    result = {
        "stride": options.stride, "seconds": round(time.time() - began, 1),
        "range": vector.RANGE, "rows": rows,
        "versions": {"python": platform.python_version(), "numba": numba.__version__,
                     "numpy": np.__version__, "mpmath": mpmath.__version__},
        "cpu": numba.core.cpu.ll.get_host_cpu_name(),
    }  # fmt: skip
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{result['seconds']} s")


if __name__ == "__main__":
    main()
