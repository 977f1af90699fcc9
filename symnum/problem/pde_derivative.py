"""Derivatives of measured fields in space, for the few terms that cannot be moved to the windows, as u_x²."""

from collections.abc import Sequence

import numpy as np

from symnum.dynamics.grid import Field, corner

CLEAN = 1e-6  # noise below this share of a field needs no smoothing


def derivative(field: Field, name: str, orders: Sequence[int]) -> tuple[np.ndarray, float]:
    """A derivative of a smoothed field, and the standard deviation that noise has in it.

    Along periodic axes by Fourier series with Wiener's filter: every wave is kept as far as it exceeds the noise (N. Wiener 1949).
    Along others by local polynomials (A. Savitzky and M. Golay 1964, doi:10.1021/ac60214a047), as wide as the field's corner allows where
    there is noise. Noisy fields are smoothed along time as well.

    Args:
        orders: per axis of space.

    Returns:
        (time, x, …) values and the deviation.
    """
    from scipy.signal import savgol_coeffs, savgol_filter

    at = field.names.index(name)
    a, sigma = np.nan_to_num(np.asarray(field.values[at])), float(field.noise[at])
    noisy = sigma > CLEAN * field.scale[at]
    variance, corners = sigma**2, corner(field) if noisy else None
    for k, order in enumerate(orders):
        if not order:
            continue
        axis, n, step = k + 1, len(field.axes[k]), field.steps[k + 1]
        if field.periodic[k]:
            waves = np.fft.rfft(a, axis=axis)
            power = np.mean(np.abs(waves) ** 2, axis=tuple(i for i in range(a.ndim) if i != axis))
            gain = np.maximum(0.0, 1.0 - n * sigma**2 / np.maximum(power, 1e-300))
            gain[-1] = 0.0 if n % 2 == 0 else gain[-1]
            factor = gain * (2j * np.pi * np.fft.rfftfreq(n, step)) ** order
            shape = [-1 if i == axis else 1 for i in range(a.ndim)]
            a = np.fft.irfft(waves * factor.reshape(shape), n, axis=axis).astype(a.dtype)
            variance *= 2.0 * float(np.sum(np.abs(factor) ** 2)) / n
        else:
            width = max(9, int(2 * np.pi / corners[axis]) // 2 * 2 + 1) if noisy else 9
            width = min(width, n - 1 + n % 2)
            degree = min(order + 3 if noisy else 8, width - 1)
            a = savgol_filter(a, width, degree, order, step, axis)
            variance *= float(np.sum(savgol_coeffs(width, degree, deriv=order, delta=step) ** 2))
    if noisy:
        width = min(max(5, int(2 * np.pi / corners[0]) // 2 * 2 + 1), len(field.t) - 1 + len(field.t) % 2)
        degree = min(4, width - 1)
        a = savgol_filter(a, width, degree, axis=0)
        variance *= float(np.sum(savgol_coeffs(width, degree) ** 2))
    return a, float(np.sqrt(variance))


def smooth_space(field: Field, a: np.ndarray, sigma: float) -> np.ndarray:
    """One moment (x, …) without the waves that hold nothing but noise: those above the corner, or smaller than noise, on periodic axes.

    On others by local polynomials over a wave of the corner.
    """
    from scipy.signal import savgol_filter

    for axis, (k, wraps, n) in enumerate(zip(corner(field)[1:], field.periodic, a.shape, strict=True)):
        if wraps:
            waves = np.fft.rfft(a, axis=axis)
            shape = [-1 if i == axis else 1 for i in range(a.ndim)]
            low = (np.arange(waves.shape[axis]) * 2 * np.pi / n <= 1.5 * k).reshape(shape)
            a = np.fft.irfft(waves * (low | (np.abs(waves) > 4 * sigma * np.sqrt(n))), n, axis=axis)
        else:
            width = min(max(7, int(np.pi / k) // 2 * 2 + 1), n - 1 + n % 2)
            a = savgol_filter(a, width, min(4, width - 1), axis=axis)
    return a
