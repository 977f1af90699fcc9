"""Losses by name: how far a prediction p is from a target y, averaged with the rows' weights.

mse            (p - y)²                       mae       |p - y|
huber:d        r²/2 within d, else d(|r|-d/2) log-cosh  log cosh(p - y)
huber          the same with d chosen by the data: 1.345 of the noise, outliers aside (95 % as efficient as squares)
relative       ((p - y)/y)²                   gaussian:s  ((p - y)/s)²/2, s the known standard deviation
poisson        p - y + y log(y/p)             or a Python function (y, p) -> loss per row
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

from symnum.evaluate.machine import HUBER, LOGCOSH, MAE, MSE, POISSON

TUNING = 1.345  # huber's transition in standard deviations of the noise (Huber 1964: 95 % efficiency)
NAMES = ("mse", "mae", "huber", "log-cosh", "relative", "gaussian", "poisson")


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss.

    Attributes:
        name: as the user gave it.
        kind: the fused kernel that minimises it (`symnum.evaluate.machine`).
        parameter: the transition of huber, the standard deviation of gaussian.
        function: a user's loss (y, p) -> (rows,), which then ranks formulas whose constants were fitted by mse first.
    """

    name: str
    kind: int = MSE
    parameter: float = 1.0
    function: Callable | None = None

    @classmethod
    def of(cls, loss: "str | Callable | Loss") -> "Loss":
        """The loss that a name such as `huber:0.5`, or a function, stands for.

        Raises:
            ValueError: unknown name, a parameter that is not positive, or a function that fails its probe.

        >>> Loss.of("huber:0.5").parameter
        0.5
        """
        if isinstance(loss, Loss):
            return loss
        if callable(loss):
            return cls(getattr(loss, "__name__", "user"), function=_probed(loss))
        name, _, text = str(loss).partition(":")
        kinds = dict(zip(NAMES, (MSE, MAE, HUBER, LOGCOSH, MSE, MSE, POISSON), strict=True))
        if name not in kinds:
            msg = f"a loss among {', '.join(NAMES)} or a function (y, p) was required, got {loss!r}"
            raise ValueError(msg)
        try:
            parameter = float(text) if text else 1.0
        except ValueError:
            parameter = -1.0
        if not 0 < parameter < np.inf:
            msg = f"the parameter of {name} must be a positive number, got {text!r}; try {name}:0.1"
            raise ValueError(msg)
        return cls(str(loss), kinds[name], parameter)

    def row_weights(self, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Weights that turn `relative` and `gaussian` into weighted squares; refuses targets the loss is not made for."""
        base = self.name.partition(":")[0]
        if base == "relative":
            if (y == 0).any():
                msg = f"the relative loss needs targets other than 0, got 0 in row {int(np.argmax(y == 0)) + 1}; try loss='mse'"
                raise ValueError(msg)
            return weight / y**2
        if base == "gaussian":
            return weight / (2 * self.parameter**2)
        if base == "poisson" and (y < 0).any():
            msg = f"the poisson loss needs targets >= 0, got {y.min():g} in row {int(np.argmax(y < 0)) + 1}"
            raise ValueError(msg)
        return weight

    def rows(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The loss of every row (rows,), as the fused kernels compute it.

        >>> Loss.of("relative").rows(np.array([2.0, 4.0]), np.array([1.0, 4.0])).tolist()
        [0.25, 0.0]
        """
        if self.function is not None:
            return self.function(y, p)
        r, base, d = p - y, self.name.partition(":")[0], self.parameter
        if base == "mse":
            return r**2
        if base == "mae":
            return np.abs(r)
        if base == "huber":
            return np.where(np.abs(r) <= d, r**2 / 2, d * (np.abs(r) - d / 2))
        if base == "log-cosh":
            return np.logaddexp(r, -r) - np.log(2)
        if base == "poisson":
            return np.where(p > 0, p - y + xlogy(y, y) - xlogy(y, p), np.nan)
        return (r / y) ** 2 if base == "relative" else (r / d) ** 2 / 2

    @property
    def automatic(self) -> bool:
        """Whether the data are to choose the parameter."""
        return self.name == "huber"

    def derivatives(self, y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First derivative and curvature of every row's loss in the prediction, for losses by name other than squares.

        The curvature is the expected one where the loss has a kink (mae, of a Laplace distribution) or may bend the wrong
        way (poisson).

        >>> [d.tolist() for d in Loss.of("huber:1").derivatives(np.zeros(2), np.array([0.5, 3.0]))]
        [[0.5, 1.0], [1.0, 0.0]]
        """
        r, d = p - y, self.parameter
        if self.kind == MAE:
            return np.sign(r), np.full(len(r), 1 / max(float(np.mean(np.abs(r))), 1e-300))
        if self.kind == HUBER:
            return np.clip(r, -d, d), (np.abs(r) <= d).astype(float)
        if self.kind == LOGCOSH:
            return np.tanh(r), 1 - np.tanh(r) ** 2
        if self.kind == POISSON:
            return 1 - y / p, 1 / p
        msg = f"the derivatives of {self.name} are those of squares"
        raise ValueError(msg)

    def noise_std(self, sigma: float, p: np.ndarray) -> np.ndarray:
        """The standard deviation of a measurement around p: sigma, of a relative error its share of p, of a count its root."""
        if self.kind == POISSON:
            return np.sqrt(np.abs(p))
        return sigma * np.abs(p) if self.name == "relative" else np.full(len(p), sigma)

    def floor(self, y: np.ndarray, weight: np.ndarray) -> float:
        """The loss that rounding alone leaves: 1e-13 of the target's size."""
        if self.function is not None:
            return 0.0
        linear = self.kind == MAE
        size = np.average(np.abs(y) if linear or self.kind == POISSON else y**2, weights=weight)
        return float((1e-13 if linear else 1e-26) * max(size, 1e-290))


def _probed(function: Callable) -> Callable:
    """The user's loss, after a trial on three rows."""
    y = np.array([1.0, 2.0, 3.0])
    out = np.asarray(function(y, y + 0.5), float)
    if out.shape != y.shape or not np.isfinite(out).all() or (out < 0).any():
        msg = f"a loss function must map arrays y, p of shape (rows,) to finite losses >= 0 of shape (rows,), got {out} from 3 rows"
        raise ValueError(msg)
    return function
