"""The screening of `symnum.numbers.pcf_screen` on torch devices: all pairs of two tables by broadcasting.

It gives the same values and the same verdicts on convergence; it is meant for a GPU, where the memory of the pairs, not the
arithmetic, sets the pace. On a CPU the compiled kernel is faster.
"""

from typing import TYPE_CHECKING

import numpy as np

from symnum.numbers.pcf_screen import DEPTHS, LARGEST, TOLERANCE

if TYPE_CHECKING:
    import torch


def screen_all(a: np.ndarray, b: np.ndarray, depth: int = DEPTHS[0], device: str = "cpu") -> "tuple[torch.Tensor, torch.Tensor]":
    """Values of all pairs at a depth, and whether the last two convergents agree.

    Args:
        a, b: (≥ depth + 1, k) and (≥ depth + 1, l) from `pcf_screen.tables`.
        depth: even.
        device: of torch: "cpu", "cuda".

    Returns:
        (k, l) values and (k, l) bool on the device.

    Raises:
        ValueError: the device is not there.
    """
    import torch

    try:
        x, y = (torch.from_numpy(np.ascontiguousarray(t[: depth + 1])).to(device) for t in (a, b))
    except (RuntimeError, AssertionError) as error:  # torch without CUDA raises an AssertionError
        msg = f"a device of this machine was required, got {device!r}: {str(error).splitlines()[0]}; cpu is always there"
        raise ValueError(msg) from None
    ones = torch.ones(x.shape[1], y.shape[1], dtype=torch.float64, device=device)
    p, p0, q, q0 = x[0][:, None] * ones, ones, ones.clone(), torch.zeros_like(ones)
    for n in range(1, depth + 1):
        p, p0 = torch.addcmul(x[n][:, None] * p, y[n], p0), p
        q, q0 = torch.addcmul(x[n][:, None] * q, y[n], q0), q
        if n % 8 == 0:
            scale = 1 / (p.abs() + p0.abs() + q.abs() + q0.abs())
            p, p0, q, q0 = p * scale, p0 * scale, q * scale, q0 * scale
    value = p / q
    size = value.abs()
    return value, ((value - p0 / q0).abs() <= TOLERANCE * size.clamp(min=1.0)) & (size < LARGEST)
