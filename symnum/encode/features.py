"""Numbers as features that a small network can read and that lose no digit of a float32.

Two views of every number: where it stands in its column (robust affine z, so that columns of any unit look alike) and
what it is by itself (sign, exponent and the 24 bits of the mantissa). The second view is injective on float32, and each
of its features is a small integer over a power of two, which bfloat16 holds exactly (it keeps 8 significant bits): two
float32 values that differ give features that differ, in float32 and in bfloat16 arithmetic alike. A network with
16-bit inputs recovers markedly fewer laws than one with 32-bit inputs.

Feature order (F = 14): z, asinh z, sign, log10(|v| + 1e-30)/10, exponent/256, three 8-bit digits of the mantissa,
sin and cos of pi z / 4, pi z / 2, pi z (Tancik et al. 2020, arXiv:2006.10739).
"""

import torch
from torch import Tensor

FEATURES = 14
AFFINE_FEATURES = 4
FREQUENCIES = (0.25, 0.5, 1.0)
LARGEST_Z = 10.0  # beyond, asinh z and the digits tell how far
FARTHEST = 1e15  # keeps z and its functions finite in float32
LARGEST = torch.finfo(torch.float32).max


def robust_affine(values: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Median and interquartile range over the last axis.

    Args:
        values: (…, N) float64.
        present: (…, N) bool: the values that count; at least one.

    Returns:
        centre and scale (…, 1); the scale of a constant column is 1. Where more than half of a column is one value its
        quartiles may coincide: then the standard deviation is its scale.
    """
    ordered = torch.where(present, values, torch.inf).sort(dim=-1).values
    last = present.sum(-1, keepdim=True).clamp_min(1) - 1
    low, centre, high = (_quantile(ordered, last, q) for q in (0.25, 0.5, 0.75))
    centre = torch.where(present.any(-1, keepdim=True), centre, 0.0)
    inner = torch.where(present, values - centre, 0.0)
    spread = (inner.square().sum(-1, keepdim=True) / (last + 1)).sqrt()
    scale = torch.where(high > low, high - low, spread)
    return centre, torch.where((scale > 0) & torch.isfinite(scale), scale, 1.0)


def _quantile(ordered: Tensor, last: Tensor, q: float) -> Tensor:
    """The q-quantile of the first `last` + 1 entries, interpolated linearly."""
    at = last * q
    below = at.floor().long()
    a, b = ordered.gather(-1, below), ordered.gather(-1, (below + 1).minimum(last))
    return a + (b - a) * (at - below)


def number_features(values: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Features of the numbers of each column and of the column's affine map.

    Args:
        values: (…, N) float64, finite; what lies beyond the float32 range counts as its end.
        present: (…, N) bool.

    Returns:
        features (…, N, FEATURES) and affine (…, AFFINE_FEATURES), float32; features are 0 where nothing is present.

    >>> import torch
    >>> x = torch.tensor([[1.0, 2.0, 4.0]], dtype=torch.float64)
    >>> f, affine = number_features(x, torch.ones(1, 3, dtype=torch.bool))
    >>> f.shape, f[0, 1, :3].tolist()
    (torch.Size([1, 3, 14]), [0.0, 0.0, 1.0])
    """
    values = torch.where(present, values, 0.0).clamp(-LARGEST, LARGEST)
    centre, scale = robust_affine(values, present)
    z = ((values - centre) / scale).clamp(-FARTHEST, FARTHEST).float()
    near = z.clamp(-LARGEST_Z, LARGEST_Z)
    views = [near, z.asinh(), *_digits(values.float())]
    for frequency in FREQUENCIES:
        views += [(torch.pi * frequency * z).sin(), (torch.pi * frequency * z).cos()]
    return torch.where(present[..., None], torch.stack(views, -1), 0.0), _affine_features(centre, scale)


def _digits(values: Tensor) -> list[Tensor]:
    """sign, log10, exponent and the mantissa's three 8-bit digits: v = sign 2^exponent (d1/2^8 + d2/2^16 + d3/2^24)."""
    mantissa, exponent = torch.frexp(values.abs())
    bits = (mantissa * 2.0**24).to(torch.int32)  # exact: a float32 mantissa has 24 bits
    digits = [((bits >> shift) & 255).float() / 128 - 1 for shift in (16, 8, 0)]
    return [values.sign(), (values.abs() + 1e-30).log10() / 10, exponent.float() / 256, *digits]


def _affine_features(centre: Tensor, scale: Tensor) -> Tensor:
    """(…, 4): asinh of the centre, log10 of the scale, their quotient's asinh, and how many digits the centre takes away."""
    quotient = (centre / scale).clamp(-FARTHEST, FARTHEST)
    views = [centre.asinh() / 10, scale.log10() / 10, quotient.asinh() / 10, (1 + quotient.abs()).log10() / 10]
    return torch.cat(views, -1).float()
