"""Gaussian process regression with gradients: squared exponential, one length scale per column, plus a linear part.

Rasmussen and Williams, Gaussian Processes for Machine Learning (MIT Press, 2006): prediction eq. 2.25, marginal likelihood and its
gradient eqs. 5.8 and 5.9, leave-one-out eq. 5.12, derivative observations sect. 9.4.
"""

import numpy as np
from scipy.linalg import cho_solve, lapack, solve_triangular
from scipy.optimize import minimize

Array = np.ndarray
LEAST_NOISE = 3e-6


class GaussianProcess:
    """A fitted process on standardised coordinates and target.

    k(u, v) = sum_g s_g^2 exp(-sum_{i in g} (u_i - v_i)^2 / 2 l_i^2) + b^2 (1 + u.v) + noise^2 [u is v]

    Attributes:
        parameters: log of (l_1 .. l_d, s_1 .. s_groups, b, noise).
        loo: leave-one-out predictions (n,).
        likelihood: the log marginal likelihood.

    >>> u = np.linspace(-1.7, 1.7, 40)[:, None]
    >>> gp = GaussianProcess.fit(u, np.sin(2 * u[:, 0]))
    >>> gp.gradient(np.array([[0.3]]))[0].round(3), gp.hessian(np.array([[0.3]])).round(2)
    (array([[1.651]]), array([[[-2.26]]]))
    """

    def __init__(self, U: Array, t: Array, groups: tuple[tuple[int, ...], ...] | None, parameters: Array):
        self.U, self.t, self.parameters = U, t, parameters
        self.groups = groups or (tuple(range(U.shape[1])),)
        d, k = U.shape[1], len(self.groups)
        self.length, self.scale = np.exp(parameters[:d]), np.exp(parameters[d : d + k])
        self.linear, self.noise = np.exp(parameters[d + k :])
        parts = self._parts(U, U)
        covariance = sum(parts) + self.linear**2 * (1.0 + U @ U.T)
        covariance[np.diag_indices(len(t))] += self.noise**2 + 4e-16 * np.trace(covariance)  # at least the rounding errors
        self._factor, info = lapack.dpotrf(covariance, lower=1, clean=1)
        if info:
            msg = "a positive definite covariance is required; try a larger noise"
            raise np.linalg.LinAlgError(msg)
        self._alpha = cho_solve((self._factor, True), t, check_finite=False)
        inverse = lapack.dpotri(self._factor, lower=1)[0]
        self._inverse = inverse + np.tril(inverse, -1).T
        self.likelihood = -0.5 * t @ self._alpha - np.log(np.diag(self._factor)).sum() - 0.5 * len(t) * np.log(2 * np.pi)
        self.loo = t - self._alpha / np.diag(self._inverse)
        self._parts_own = parts

    def _parts(self, A: Array, B: Array) -> list[Array]:
        out = []
        for s, g in zip(self.scale, self.groups, strict=True):
            a, b = A[:, g] / self.length[list(g)], B[:, g] / self.length[list(g)]
            square = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2.0 * a @ b.T
            out.append(s * s * np.exp(-0.5 * np.maximum(square, 0.0)))
        return out

    def slope(self) -> Array:
        """The gradient of the log marginal likelihood with respect to `parameters`."""
        d = self.U.shape[1]
        A = np.outer(self._alpha, self._alpha) - self._inverse
        out = np.zeros(len(self.parameters))
        for n, (g, part) in enumerate(zip(self.groups, self._parts_own, strict=True)):
            W, u = A * part, self.U[:, g]
            out[list(g)] = (W.sum(1) @ (u * u) - np.einsum("ni,ni->i", u, W @ u)) / self.length[list(g)] ** 2
            out[d + n] = W.sum()
        out[-2] = self.linear**2 * (A.sum() + np.einsum("ni,ni->", self.U, A @ self.U))
        out[-1] = self.noise**2 * np.trace(A)
        return out

    @classmethod
    def fit(cls, U: Array, t: Array, groups: tuple[tuple[int, ...], ...] | None = None, steps: int = 40,
            start: Array | None = None) -> "GaussianProcess":
        """The process whose parameters have the largest marginal likelihood, from one start (two where none is given)."""
        d, k = U.shape[1], len(groups) if groups else 1
        bounds = [(np.log(0.03), np.log(300.0))] * d + [(np.log(1e-3), np.log(1e3))] * k + [(np.log(1e-3), np.log(30.0)),
                                                                                          (np.log(LEAST_NOISE), 0.5)]

        def loss(parameters):
            try:
                gp = cls(U, t, groups, parameters)
            except np.linalg.LinAlgError:
                return 1e10, np.zeros(len(parameters))
            return -gp.likelihood, -gp.slope()

        starts = [start] if start is not None else [np.log([*[w] * d, *[1.0] * k, 0.5, noise]) for w, noise in ((2.0, 0.01), (1.0, 0.1))]
        found = [minimize(loss, s, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps, "maxfun": max(2 * steps, 1)})
                 for s in starts]
        best = min(found, key=lambda f: f.fun).x
        while True:  # ends: a noise of 1 is always enough
            try:
                return cls(U, t, groups, best)
            except np.linalg.LinAlgError:
                best = np.append(best[:-1], best[-1] + 1.0)

    def value(self, U: Array) -> Array:
        """The mean (m,)."""
        return (sum(self._parts(U, self.U)) + self.linear**2 * (1.0 + U @ self.U.T)) @ self._alpha

    def component(self, U: Array, g: int) -> Array:
        """What the columns of group g contribute to the mean, up to a constant (m,)."""
        i = list(self.groups[g])
        return (self._parts(U, self.U)[g] + self.linear**2 * U[:, i] @ self.U[:, i].T) @ self._alpha

    def gradient(self, U: Array) -> tuple[Array, Array]:
        """The gradient's mean and standard deviation, both (m, d)."""
        m, d = U.shape
        mean, cross, prior = np.empty((m, d)), np.empty((len(self.U), m, d)), np.empty(d)
        for g, s, part in zip(self.groups, self.scale, self._parts(U, self.U), strict=True):
            i = list(g)
            delta = (self.U[:, None, i] - U[:, i]) / self.length[i] ** 2
            cross[:, :, i] = part.T[:, :, None] * delta + self.linear**2 * self.U[:, None, i]
            prior[i] = s * s / self.length[i] ** 2 + self.linear**2
        mean = np.tensordot(self._alpha, cross, 1)
        half = solve_triangular(self._factor, cross.reshape(len(self.U), -1), lower=True, check_finite=False)
        variance = prior - (half * half).sum(0).reshape(m, d)
        return mean, np.sqrt(np.maximum(variance, 1e-12 * prior))

    def hessian(self, U: Array) -> Array:
        """The mean's second derivatives (m, d, d); zero between groups."""
        m, d = U.shape
        out = np.zeros((m, d, d))
        for g, part in zip(self.groups, self._parts(U, self.U), strict=True):
            i = list(g)
            W, u, v, l2 = part * self._alpha, self.U[:, i], U[:, i], self.length[i] ** 2
            first, total = W @ u, W.sum(1)
            second = (W @ (u[:, :, None] * u[:, None, :]).reshape(len(u), -1)).reshape(m, len(i), len(i))
            second -= first[:, :, None] * v[:, None, :] + v[:, :, None] * first[:, None, :]
            second += total[:, None, None] * v[:, :, None] * v[:, None, :]
            block = second / (l2[:, None] * l2) - np.eye(len(i)) * (total[:, None] / l2)[:, :, None]
            out[np.ix_(range(m), i, i)] = block
        return out
