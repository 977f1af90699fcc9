"""How polynomial continued fractions converge: whether, how fast, and how well the limit is approximated by what is left after cancelling.

The metrics are those of M. Shalyt, U. Seligmann, I. Beit Halachmi, O. David, R. Elimelech and I. Kaminer, "Unsupervised Discovery of
Formulas for Mathematical Constants", NeurIPS 2024, arXiv:2412.16818. With the limit L, the convergents p_n/q_n, g = gcd(p_n, q_n):

    delta            −log|L − p_n/q_n| / log|q_n/g| − 1, a blind estimate of the irrationality measure less 1 (naive: with g = 1)
    leading_delta    the same for the fits below, at n = depth: without the terms in log n, which differ within a family
    c, d             log|q_n/g| = c n + d n log n fitted; |d| < 0.05 is a factorial reduction, for which c n alone is fitted
    log_ratio        |log|λ||, λ the ratio of the eigenvalues (A ± √|A² + 4B|)/2 of a step far out, A = a(n), B = b(n) at n = 10^9
    predicted_delta  n |log|λ|| / (c n + d n log n) − 1
    conv_b, _c, _d   log|L − p_n/q_n| = b log n + c n + d n log n fitted

The fits of log|q_n| and of the error carry a constant, that of log|q_n| a multiple of log n as well, which the paper leaves out: at a
few hundred terms those would show as errors of several hundredths in c and d, different from one fraction of a family to the next.

L is never approximated by a later convergent: |L − p_n/q_n| = |b(1)…b(n+1)| / |q_n (q_n t + b(n+1) q_{n−1})| with the tail
t = a(n+1) + b(n+2)/(a(n+2) + …), which has no cancellation, so that float64 gives its logarithm to ten digits at any depth. What
needs exact integers is g alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numba import njit

from symnum.numbers.convergents import log_gcd
from symnum.numbers.pcf import PCF

DEPTH = 500
FAR = 1e9  # where the eigenvalues are taken
REDUCED = 0.05  # |d| below which the growth counts as exponential
FIRST, SAMPLES = 16, 12  # the first depth of the fits, and how many they use


class Kind(IntEnum):
    """What becomes of a fraction: the error of the convergents falls by the type named."""

    RATIONAL = 0  # b(n) = 0 for a natural n: a finite fraction
    DIVERGENT = 1  # the eigenvalues of the steps stay complex (or b outgrows a²)
    POLYNOMIAL = 2
    SUBEXPONENTIAL = 3  # exp(−c √n)
    EXPONENTIAL = 4
    FACTORIAL = 5


@dataclass(frozen=True)
class Metrics:
    """One row per fraction; NaN where the fraction has no limit, or where the metric is not finite.

    Attributes:
        kind: (P,) of `Kind`.
        value: (P,) the limit, as far as float64 and 4 × depth terms tell it.
        delta, naive_delta, leading_delta, c, d, log_ratio, predicted_delta, conv_b, conv_c, conv_d: (P,) see the head of this module.
        reduced: (P,) whether a factorial reduction was seen, and c was fitted alone.
    """

    kind: np.ndarray
    value: np.ndarray
    delta: np.ndarray
    naive_delta: np.ndarray
    leading_delta: np.ndarray
    c: np.ndarray
    d: np.ndarray
    reduced: np.ndarray
    log_ratio: np.ndarray
    predicted_delta: np.ndarray
    conv_b: np.ndarray
    conv_c: np.ndarray
    conv_d: np.ndarray

    def __len__(self) -> int:
        return len(self.kind)

    def __getitem__(self, rows) -> "Metrics":
        return Metrics(*(getattr(self, f.name)[rows] for f in fields(self)))


NAMES = tuple(f.name for f in fields(Metrics))


def metrics(a: np.ndarray, b: np.ndarray, depth: int = DEPTH) -> Metrics:
    """The metrics of many fractions a(0) + b(1)/(a(1) + b(2)/(a(2) + …)).

    Args:
        a, b: (P, k) integer coefficients, from the highest power of n down.
        depth: n at which delta is taken; the fits use depths up to it.

    Raises:
        ValueError: arrays of other shapes, a or b zero, or a depth below 128.

    >>> e = metrics(np.array([[1, 3]]), np.array([[-1, 0]]))
    >>> Kind(e.kind[0]).name, e.value.round(6).tolist(), e.delta.round(2).tolist()
    ('FACTORIAL', [2.718282], [0.01])
    """
    a, b = _checked(a, b)
    if depth < 8 * FIRST:  # then the samples are distinct
        msg = f"a depth of at least {8 * FIRST} was required for the fits, got {depth}"
        raise ValueError(msg)
    kind = kinds(a, b)
    rows = np.flatnonzero(kind >= Kind.POLYNOMIAL)
    out = {name: np.full(len(a), np.nan) for name in NAMES}
    out |= {"kind": kind, "reduced": np.zeros(len(a), bool)}
    depths = np.geomspace(FIRST, depth, SAMPLES).astype(int)
    exact = (depth // 8, depth // 4, depth // 2, depth)
    with np.errstate(all="ignore"):
        value, log_q, log_error = _logs(a[rows].astype(float), b[rows].astype(float), depths)
        gcds = np.array(exact, float), log_gcd(a[rows], b[rows], exact)
        for name, column in _fitted(_log_ratio(a[rows], b[rows]), depths.astype(float), log_q, log_error, *gcds).items():
            out[name][rows] = column
    out["value"][rows] = np.where(np.isfinite(value), value, np.nan)
    return Metrics(**out)


def dynamics(fraction: PCF, depth: int = DEPTH) -> dict[str, float | bool | str]:
    """The metrics of one fraction by name.

    >>> golden = dynamics(PCF((1,), (1,)))
    >>> golden["kind"], round(golden["delta"], 2), round(golden["c"], 4)
    ('EXPONENTIAL', 1.0, 0.4812)
    """
    row = metrics(np.array([fraction.a]), np.array([fraction.b]), depth)
    return {name: getattr(row, name)[0].item() for name in NAMES} | {"kind": Kind(row.kind[0]).name}


def _checked(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b) or not {a.dtype.kind, b.dtype.kind} <= {"i", "u"}:
        given = f"{a.dtype}{a.shape} and {b.dtype}{b.shape}"
        msg = f"integer arrays (fractions, coefficients) of one length were required for a and b, got {given}"
        raise ValueError(msg)
    if not ((a != 0).any(axis=1).all() and (b != 0).any(axis=1).all()):
        msg = "a and b other than 0 were required: with b = 0 there is no fraction, with a = 0 no limit"
        raise ValueError(msg)
    return a.astype(np.int64), b.astype(np.int64)


# whether and how it converges -------------------------------------------------------------------------------------------
def kinds(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(P,) of `Kind`, from the coefficients alone; (P, k) integer coefficients from the highest power of n down.

    With s(n) = a(n) a(n−1) and D = s + 4b: where D > 0 from some n on, the fraction converges (the parabola theorem; with b growing
    no faster than n², by the Stern–Stolz series), and the degree of D beside that of s tells how fast. Where D < 0, it converges only
    if −D/s falls as κ/n² with κ ≤ 1/4 (L. Lorentzen, H. Waadeland, "Continued Fractions", vol. 1, 2008).

    >>> names = [Kind(k).name for k in kinds(np.array([[2, 1], [0, 1], [0, 1], [0, 2]]), np.array([[1, 1], [-1, 0], [0, 2], [1, -2]]))]
    >>> names
    ['FACTORIAL', 'DIVERGENT', 'EXPONENTIAL', 'RATIONAL']
    """
    a, b = np.asarray(a, np.int64), np.asarray(b, np.int64)
    up_a, up_b = a[:, ::-1], b[:, ::-1]  # from the constant up
    shifted = up_a @ _shift(a.shape[1])
    s = np.zeros((len(a), max(2 * a.shape[1] - 1, b.shape[1])), np.int64)
    for i in range(a.shape[1]):
        s[:, i:i + a.shape[1]] += up_a[:, i:i + 1] * shifted
    discriminant = s.copy()
    discriminant[:, :b.shape[1]] += 4 * up_b
    degree_s, lead_s = _leading(s)
    degree, lead = _leading(discriminant)
    step = degree - degree_s
    kind = np.select(
        [(lead > 0) & (step > 2), (lead < 0) & (step > -2), (lead < 0) & (step == -2) & (-4 * lead > lead_s), np.abs(step) > 1, step != 0,
         _leading(up_b)[0] == degree_s],
        [Kind.DIVERGENT, Kind.DIVERGENT, Kind.DIVERGENT, Kind.POLYNOMIAL, Kind.SUBEXPONENTIAL, Kind.EXPONENTIAL], Kind.FACTORIAL)
    return np.where(has_natural_root(b), Kind.RATIONAL, kind).astype(np.int8)


def has_natural_root(b: np.ndarray) -> np.ndarray:
    """(P,) whether b(n) = 0 for some n = 1, 2, …; by Cauchy's bound no root exceeds 1 + the largest coefficient.

    >>> has_natural_root(np.array([[1, -3, 2], [1, 0, 1]])).tolist()
    [True, False]
    """
    found = np.zeros(len(b), bool)
    for n in range(1, 2 + int(np.abs(b).max(initial=0))):
        found |= np.asarray(b, np.int64) @ (n ** np.arange(b.shape[1] - 1, -1, -1)) == 0
    return found


def _leading(up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(P,) degrees (far below 0 for the zero polynomial) and leading coefficients."""
    degree = up.shape[1] - 1 - np.argmax(up[:, ::-1] != 0, axis=1)
    return np.where((up != 0).any(axis=1), degree, -1000), up[np.arange(len(up)), degree]


@lru_cache
def _shift(k: int) -> np.ndarray:
    """The (k, k) matrix that takes the coefficients of f(n), from the constant up, to those of f(n − 1)."""
    rows = [[1]]
    for _ in range(k - 1):
        rows.append([y - x for x, y in zip([*rows[-1], 0], [0, *rows[-1]], strict=True)])
    return np.array([row + [0] * (k - len(row)) for row in rows])


# the fits ---------------------------------------------------------------------------------------------------------------
def _fitted(ratio, n, log_q, log_error, n_gcd, log_g) -> dict[str, np.ndarray]:
    """Metrics from |log|λ|| (P,), from log|q_n| and log|L − p_n/q_n| (P, depths) and from log g (P, fewer depths)."""
    one, log_n, growth = np.ones(len(n)), np.log(n), np.column_stack([n, n * np.log(n)])
    growth_gcd = np.column_stack([n_gcd, n_gcd * np.log(n_gcd)])
    leading = _least_squares([*growth.T, log_n, one], log_q)[:2]
    left = (growth_gcd @ leading).T - log_g  # of the leading terms after cancelling
    c, d = _least_squares([*growth_gcd.T], left)
    reduced = np.abs(d) < REDUCED
    c = np.where(reduced, _least_squares([n_gcd], left)[0], c)
    conv = _least_squares([log_n, *growth.T, one], log_error)
    last, rate = log_q[:, -1], c + np.where(reduced, 0, d) * log_n[-1]
    columns = {
        "delta": -log_error[:, -1] / (last - log_g[:, -1]) - 1, "naive_delta": -log_error[:, -1] / last - 1,
        "leading_delta": -(conv[1] + conv[2] * log_n[-1]) / rate - 1, "c": c, "d": d, "log_ratio": ratio,
        "predicted_delta": ratio / rate - 1, "conv_b": conv[0], "conv_c": conv[1], "conv_d": conv[2],
    }
    return {name: np.where(np.isfinite(x), x, np.nan) for name, x in columns.items()} | {"reduced": reduced}


def _least_squares(basis: Sequence[np.ndarray], y: np.ndarray) -> np.ndarray:
    """(basis, P) coefficients; y (P, depths). A row that is not finite spoils itself only."""
    return np.linalg.pinv(np.column_stack(basis)) @ y.T


def _log_ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    x, y = (c.astype(float) @ FAR ** np.arange(c.shape[1] - 1, -1, -1) for c in (a, b))
    x, root = np.abs(x), np.sqrt(np.abs(x * x + 4 * y))
    smaller = np.where(x * x + 4 * y > 0, 4 * np.abs(y) / (x + root), np.abs(x - root))  # |x - root| without its cancellation
    return np.abs(np.log((x + root) / smaller))


@njit(cache=True, error_model="numpy")
def _logs(a, b, depths):
    """Limits (P,), log|q_n| and log|L − p_n/q_n| (P, depths), in float64 with rescaling.

    The tail starts at 4 × the last depth from the attracting fixed point of its step.
    """
    value, log_q, log_error = np.empty(len(a)), np.empty((len(a), len(depths))), np.empty((len(a), len(depths)))
    last = 4 * depths[-1]
    tail = np.empty(depths[-1] + 2)  # tail[k] = a(k) + b(k+1)/(a(k+1) + …)
    for i in range(len(a)):
        x, y = _at(a[i], last), _at(b[i], last + 1)
        t = (x + np.copysign(np.sqrt(max(x * x + 4 * y, 0.0)), x)) / 2
        for k in range(last - 1, -1, -1):
            t = _at(a[i], k) + _at(b[i], k + 1) / t
            if k < len(tail):
                tail[k] = t
        value[i] = tail[0]
        q, before, scale, product, log_product, following = 1.0, 0.0, 0.0, 1.0, 0.0, 0
        for n in range(1, depths[-1] + 1):
            y = _at(b[i], n)
            q, before = _at(a[i], n) * q + y * before, q
            product *= y
            if abs(product) > 1e250:
                log_product += np.log(abs(product))
                product = 1.0
            size = abs(q) + abs(before)
            if size > 1e150:
                q, before, scale = q / size, before / size, scale + np.log(size)
            if n == depths[following]:
                y = _at(b[i], n + 1)
                log_q[i, following] = np.log(abs(q)) + scale
                rest = np.log(abs(q * tail[n + 1] + y * before)) + scale
                log_error[i, following] = np.log(abs(y)) + np.log(abs(product)) + log_product - log_q[i, following] - rest
                following += 1
    return value, log_q, log_error


@njit(cache=True, error_model="numpy", inline="always")
def _at(c, n):
    value = 0.0
    for k in range(len(c)):
        value = value * n + c[k]
    return value
