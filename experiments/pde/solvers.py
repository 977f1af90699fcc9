"""Data of the benchmark's equations: Fourier series with a fourth-order exponential method, differences for fields with ends, walkers.

Independent of the solver in symnum that judges what is found. Every function returns (fields, t, axes).
"""

import numpy as np


def etdrk4(u0, linear, nonlinear, t, parts):
    """(fields, times, …) of v' = linear·v + nonlinear(v) in Fourier space (Kassam and Trefethen 2005, doi:10.1137/S1064827502410633)."""
    axes = tuple(range(1, u0.ndim))
    h = (t[1] - t[0]) / parts
    linear = linear.astype(complex)
    E, E2 = np.exp(h * linear), np.exp(h * linear / 2)
    Q, f1, f2, f3 = (np.zeros_like(linear) for _ in range(4))
    circle = np.exp(2j * np.pi * (np.arange(32) + 0.5) / 32)
    for z in circle:
        w = h * linear + z
        e = np.exp(w)
        Q += h / 32 * (np.exp(w / 2) - 1) / w
        f1 += h / 32 * (-4 - w + e * (4 - 3 * w + w**2)) / w**3
        f2 += h / 32 * (2 + w + e * (w - 2)) / w**3
        f3 += h / 32 * (-4 - 3 * w - w**2 + e * (4 - w)) / w**3
    v = np.fft.fftn(u0, axes=axes)
    out = [u0]
    for _ in range(len(t) - 1):
        for _ in range(parts):
            n0 = nonlinear(v)
            a = E2 * v + Q * n0
            n1 = nonlinear(a)
            b = E2 * v + Q * n1
            n2 = nonlinear(b)
            c = E2 * a + Q * (2 * n2 - n0)
            v = E * v + f1 * n0 + 2 * f2 * (n1 + n2) + f3 * nonlinear(c)
        u = np.fft.ifftn(v, axes=axes)
        out.append(u.real if not np.iscomplexobj(u0) else u)
    found = np.stack(out, axis=1)
    if not np.isfinite(found).all():
        raise ArithmeticError("the solution exploded: take more parts")
    return found


class Line:
    """Waves of a periodic line, and the two thirds of them that products keep."""

    def __init__(self, start, length, n):
        self.x = start + length * np.arange(n) / n
        self.k = 2 * np.pi * np.fft.fftfreq(n, length / n)
        self.kept = np.abs(self.k) < 2 / 3 * np.abs(self.k).max()

    def real(self, v):
        return np.fft.ifft(v).real

    def wave(self, u):
        return np.fft.fft(u) * self.kept


def periodic(start, length, n, t, u0, linear, nonlinear, parts, sample=1):
    """One real field: linear(k), nonlinear(line, u, k) in Fourier space."""
    line = Line(start, length, n)
    found = etdrk4(u0(line.x)[None], linear(line.k)[None],
                   lambda v: nonlinear(line, line.real(v[0]), line.k)[None] if nonlinear else 0 * v, t, parts)[0]
    return [found[:, ::sample]], t, (line.x[::sample],)


def waves(seed, length=2.0, largest=4, chosen=3):
    """PROSE's random initial condition: a few sines, scaled to 0 … 1."""
    rng = np.random.default_rng(seed)
    n, amplitude, phase = rng.integers(1, largest + 1, chosen), rng.uniform(0.3, 1, chosen), rng.uniform(0, 2 * np.pi, chosen)

    def u0(x):
        fine = np.arange(4096) * length / 4096
        values = [sum(a * np.sin(2 * np.pi * k * s / length + p) for k, a, p in zip(n, amplitude, phase, strict=True)) for s in (x, fine)]
        return (values[0] - values[1].min()) / np.ptp(values[1])

    return u0


def with_ends(x, t, u0, rhs, band=8):
    """Fourth-order differences with fixed values at both ends."""
    from scipy.integrate import solve_ivp

    def stencil(order):
        n, D = len(x), np.zeros((len(x), len(x)))
        for i in range(n):
            at = np.clip(i - 3, 0, n - 7) + np.arange(7)
            s = (x[at] - x[i]) / (x[1] - x[0])
            right = np.zeros(7)
            right[order] = float(np.prod(np.arange(1, order + 1))) / (x[1] - x[0]) ** order
            D[i, at] = np.linalg.solve(np.vander(s, increasing=True).T, right)
        return D

    D1, D2 = stencil(1), stencil(2)

    def f(_, u):
        out = rhs(u, D1 @ u, D2 @ u, D1, D2)
        out[[0, -1]] = 0.0
        return out

    found = solve_ivp(f, (t[0], t[-1]), u0, "LSODA", t, rtol=1e-9, atol=1e-11, lband=band, uband=band)
    if found.status != 0:
        raise ArithmeticError(found.message)
    return found.y.T


def finite_volume(u0, t, flux, speed, length=2.0, n=2048, cells=128):
    """u_t + flux(u)_x = 0 with shocks: MUSCL with Rusanov's flux and Heun's method on n cells; every so many of them kept."""
    x = np.arange(n) * length / n
    dx, u, out, now = length / n, u0(x), [], t[0]

    def rate(u):
        left, right = u - np.roll(u, 1), np.roll(u, -1) - u
        least = np.minimum(np.minimum(2 * np.abs(left), 2 * np.abs(right)), np.abs(left + right) / 2)
        slope = np.where(left * right > 0, np.sign(left) * least, 0)
        a, b = u + slope / 2, np.roll(u - slope / 2, -1)
        f = (flux(a) + flux(b)) / 2 - np.maximum(np.abs(speed(a)), np.abs(speed(b))) * (b - a) / 2
        return -(f - np.roll(f, 1)) / dx

    for stop in t:
        while now < stop - 1e-12:
            h = min(0.4 * dx / max(np.abs(speed(u)).max(), 1e-9), stop - now)
            half = u + h * rate(u)
            u = (u + half + h * rate(half)) / 2
            now += h
        out.append(u[:: n // cells])
    return [np.array(out)], t, (x[:: n // cells],)


# the benchmark ----------------------------------------------------------------------------------------------------------
def burgers(u0, t, n=256, nu=0.1):
    return periodic(-8, 16, n, t, u0, lambda k: -nu * k**2, lambda g, u, k: -0.5j * k * g.wave(u**2), 20)


def kdv_pdefind():
    t = np.linspace(0, 20, 201)

    def u0(x):
        return sum(c / 2 / np.cosh(np.sqrt(c) / 2 * (x - a)) ** 2 for c, a in ((2.5, -12.0), (1.0, -1.0)))

    return periodic(-30, 60, 512, t, u0, lambda k: 1j * k**3, lambda g, u, k: -3j * k * g.wave(u**2), 80)


def ks_pdefind():
    t = np.linspace(0, 100, 251)
    return periodic(0, 32 * np.pi, 1024, t, lambda x: np.cos(x / 16) * (1 + np.sin(x / 16)), lambda k: k**2 - k**4,
                    lambda g, u, k: -0.5j * k * g.wave(u**2), 20)


def schroedinger(start, length, n, t, u0, potential, cubic, parts):
    line = Line(start, length, n)
    V = potential(line.x)

    def rest(v):
        u = np.fft.ifft(v[0])
        return np.fft.fft(-1j * V * u + 1j * cubic * np.abs(u) ** 2 * u)[None]

    found = etdrk4(u0(line.x).astype(complex)[None], (-0.5j * line.k**2)[None], rest, t, parts)[0]
    return [found], t, (line.x,)


def lambda_omega(n=128, nt=201, end=10.0, d=0.1):
    t, x = np.linspace(0, end, nt), 20 * np.arange(n) / n - 10
    X, Y = np.meshgrid(x, x, indexing="ij")
    r, angle = np.sqrt(X**2 + Y**2), np.angle(X + 1j * Y)
    fade = 1 / (1 + np.exp(2 * (r - 8)))  # so that the spiral is periodic
    u0 = np.stack([np.tanh(r) * np.cos(angle - r), np.tanh(r) * np.sin(angle - r)]) * fade
    k = 2 * np.pi * np.fft.fftfreq(n, 20 / n)
    K = k[:, None] ** 2 + k[None] ** 2

    def rest(v):
        u, w = np.fft.ifft2(v).real
        A = u**2 + w**2
        return np.fft.fft2(np.stack([(1 - A) * u + A * w, -A * u + (1 - A) * w]))

    return list(etdrk4(u0, np.stack([-d * K, -d * K]), rest, t, 4)), t, (x, x)


def vorticity(n=128, nt=151, dt=0.05, nu=0.01):
    """Decaying turbulence in a periodic box: the same equation as the cylinder's wake. Fields w, u, v."""
    t, length = dt * np.arange(nt), 2 * np.pi
    x = length * np.arange(n) / n
    k = np.fft.fftfreq(n, 1 / n)
    kx, ky = np.meshgrid(k, k, indexing="ij")
    K = kx**2 + ky**2
    inverse = np.divide(1.0, K, out=np.zeros_like(K), where=K > 0)
    kept = (np.abs(kx) < n / 3) & (np.abs(ky) < n / 3)
    rng = np.random.default_rng(1)
    w0 = np.fft.ifft2(np.fft.fft2(rng.normal(size=(n, n))) * np.exp(-((np.sqrt(K) - 4) ** 2) / 4)).real
    w0 *= 4 / w0.std()

    def velocity(w):
        return np.fft.ifft2(1j * ky * inverse * w).real, np.fft.ifft2(-1j * kx * inverse * w).real

    def rest(v):
        a, b = velocity(v[0])
        return -1.0 * kept * np.fft.fft2(a * np.fft.ifft2(1j * kx * v[0]).real + b * np.fft.ifft2(1j * ky * v[0]).real)[None]

    w = etdrk4(w0[None], (-nu * K)[None], rest, t, 10)[0]
    both = [velocity(np.fft.fft2(s)) for s in w]
    return [w, np.array([a for a, _ in both]), np.array([b for _, b in both])], t, (x, x)


def walkers(drift, paths=2_000_000, steps=101, dt=0.02, seed=3):
    """Density of Brownian walkers, as histograms; diffusion 1/2."""
    rng = np.random.default_rng(seed)
    at = rng.normal(0, 0.7, paths)
    edges, out = np.linspace(-5, 7, 97), []
    for _ in range(steps):
        out.append(np.histogram(at, edges)[0] / paths / (edges[1] - edges[0]))
        at += drift * dt + np.sqrt(dt) * rng.normal(size=paths)
    return [np.array(out)], dt * np.arange(steps), ((edges[1:] + edges[:-1]) / 2,)


def second_order(linear, force, t, seed, parts=20):
    """u_tt = linear(k)·u + force(u), from rest."""
    line = Line(0, 2.0, 128)
    u0 = np.stack([waves(seed, chosen=3)(line.x), np.zeros(128)])

    def rest(v):
        f = np.fft.fft(force(line.real(v[0]))) if force else 0 * v[0]
        return np.stack([v[1], linear(line.k) * v[0] + f])

    return [etdrk4(u0, np.zeros((2, 128)), rest, t, parts)[0]], t, (line.x,)


def prose(seed, end, linear, nonlinear=None, parts=40, n=128, sample=1, u0=None):
    return periodic(0, 2.0, n, np.linspace(0, end, 64), u0 or waves(seed), linear, nonlinear, parts, sample)


def viscous(seed, flux, end=2.0):
    """Flux with the small viscosity 0.01/π on 1024 points, every eighth kept: fronts are narrower than the grid that is left."""
    return prose(seed, end, lambda k: -0.01 / np.pi * k**2, lambda g, u, k: -1j * k * g.wave(flux(u)), 100, 1024, 8)


def _porous(m):
    return prose(0, 0.1, lambda k: -2.0 * k**2, lambda g, u, k: -(k**2) * g.wave(u**m) + 2.0 * k**2 * np.fft.fft(u), 200,
                 u0=lambda x: (np.exp(-5 * (x - 1) ** 2) - np.exp(-5)) / (1 - np.exp(-5)))


def _chafee():
    x, t = np.linspace(0, 3, 301), np.linspace(0.1, 0.498, 200)
    u0 = 1.3 * np.sin(np.pi * x / 3) + 0.8 * np.sin(2 * np.pi * x / 3) - 0.5 * np.sin(np.pi * x)
    u = with_ends(x, np.r_[0, t], u0, lambda u, a, b, *_: b - u + u**3)[1:]
    return [u], t, (x,)


def _ended(n, span, end, nt, rhs, u0, start=0.0):
    x, t = np.linspace(*span, n), np.linspace(start, end, nt)
    return [with_ends(x, t, u0(x), rhs)], t, (x,)


def _compound():
    # -sin(pi x) on [1, 2] is ≥ 0, and zero at the ends where the diffusion degenerates
    return _ended(100, (1, 2), 0.5, 251, lambda u, a, b, D, _: D @ (u * a), lambda x: -np.sin(np.pi * x))


def _fisher(rhs):
    return _ended(201, (-1, 1), 1.0, 101, rhs, lambda x: 0.3 * np.exp(-20 * x**2) + 0.15 * np.exp(-30 * (x - 0.5) ** 2)
                  + 0.1 * (1 + np.cos(np.pi * x)) / 2)


DATA = {
    "burgers_pdefind": lambda: burgers(lambda x: np.exp(-((x + 2) ** 2)), np.linspace(0, 10, 101)),
    "kdv_pdefind": kdv_pdefind,
    "ks_pdefind": ks_pdefind,
    "nls_pdefind": lambda: schroedinger(-5, 10, 512, np.linspace(0, np.pi, 501), lambda x: 2 / np.cosh(x), lambda x: 0 * x, 1.0, 8),
    "qho_pdefind": lambda: schroedinger(-7.5, 15, 512, np.linspace(0, 10, 401), lambda x: np.exp(-((x - 1) ** 2)) + 0.5j * np.exp(
        -((x + 2) ** 2)), lambda x: x**2 / 2, 0.0, 20),
    "reaction_diffusion_lo": lambda_omega,
    "navier_stokes_vort": vorticity,
    "diffusion_random_walk": lambda: walkers(0.0),
    "advection_diffusion": lambda: walkers(1.0),
    "chafee_infante": _chafee,
    "kdv_discover": lambda: periodic(-1, 2, 512, np.linspace(0, 1, 201), lambda x: np.cos(np.pi * x), lambda k: 0.0025j * k**3,
                                     lambda g, u, k: -0.5j * k * g.wave(u**2), 40),
    "burgers_discover": lambda: burgers(lambda x: -np.sin(np.pi * x / 8), np.linspace(0, 10, 201)),
    "pde_divide": lambda: _ended(100, (1, 2), 1.0, 251, lambda u, a, b, *_: -a / np.linspace(1, 2, 100) + 0.25 * b,
                                 lambda x: -np.sin(np.pi * x)),
    "pde_compound": _compound,
    "fisher_linear": lambda: _fisher(lambda u, a, b, *_: 0.02 * b + 10 * u - 10 * u**2),
    "fisher_nonlinear": lambda: _fisher(lambda u, a, b, D, _: 0.02 * D @ (u * a) + 10 * u - 10 * u**2),
    "prose_heat": lambda: prose(11, 2, lambda k: -0.003 * k**2),
    "prose_porous": lambda: _porous(2),
    "prose_adv": lambda: prose(12, 2, lambda k: -0.5j * k),
    "prose_kdv": lambda: prose(13, 1, lambda k: 0.022**2 * 1j * k**3, lambda g, u, k: -0.5j * k * g.wave(u**2), 100),
    "prose_fp": lambda: periodic(0, 2, 128, np.linspace(0, 0.1, 64), waves(14), lambda k: -(k**2),
                                 lambda g, u, k: -1j * k * g.wave(12 * np.sin(3 * np.pi * g.x) * u), 40),
    "prose_logistic": lambda: prose(15, 2, lambda k: -0.003 * k**2 + 1, lambda g, u, k: -g.wave(u**2)),
    "prose_linear": lambda: prose(16, 2, lambda k: -0.003 * k**2 + 0.1),
    "prose_bistable": lambda: prose(17, 2, lambda k: -0.003 * k**2, lambda g, u, k: g.wave(u * (1 - u) * (u - 0.5))),
    "prose_sqlog": lambda: prose(18, 2, lambda k: -0.003 * k**2, lambda g, u, k: g.wave(u**2 * (1 - u) ** 2)),
    "prose_burgers": lambda: viscous(19, lambda u: u**2 / 2),
    "prose_invburgers": lambda: finite_volume(waves(20), np.linspace(0, 2, 64), lambda u: u**2 / 2, lambda u: u),
    "prose_lin": lambda: prose(21, 2, lambda k: -1j * k - 0.01 / np.pi * k**2),
    "prose_sin": lambda: viscous(22, np.sin),
    "prose_cubic": lambda: viscous(23, lambda u: u**3 / 3),
    "prose_ch": lambda: prose(24, 0.5, lambda k: k**2 - 0.01 * k**4, lambda g, u, k: -(k**2) * g.wave(u**3), 100,
                              u0=lambda x: 2 * waves(24)(x) - 1),
    "prose_wave": lambda: second_order(lambda k: -0.5 * k**2, None, np.linspace(0, 1, 64), 25),
    "prose_kg": lambda: second_order(lambda k: -(k**2) - 0.01, None, np.linspace(0, 1, 64), 26),
    "prose_sg": lambda: second_order(lambda k: -(k**2), lambda u: -np.sin(u), np.linspace(0, 1, 64), 27),
}


def noisy(fields, ratio, seed):
    """White noise of the deviation ratio·rms, for every field; of a complex one, in both parts."""
    rng = np.random.default_rng([seed, 17])
    out = []
    for a in fields:
        parts = [a.real, a.imag] if np.iscomplexobj(a) else [a]
        parts = [p + ratio * np.sqrt(np.mean(p**2)) * rng.normal(size=p.shape) for p in parts]
        out.append(parts[0] + 1j * parts[1] if np.iscomplexobj(a) else parts[0])
    return out
