"""The parts of the training loss.

Contrast with several positives: datasets and laws of one skeleton belong together, whatever their constants; they are
never each other's negatives. A law's one-edit neighbours are negatives of its own dataset only, as a neighbour may well be
another law of the batch. InfoNCE: van den Oord, Li & Vinyals (2018, arXiv:1807.03748); the positives' form: Khosla et al.
(2020, arXiv:2004.11362), without other positives in the denominator; the pairwise ranking term: Burges et al. (2005,
doi:10.1145/1102351.1102363).
"""

from dataclasses import asdict

import torch
from torch import Tensor
from torch.nn import functional as F

from symnum.encode.config import LossWeights

DISTINCT = 0.1  # decades by which two errors must differ to be put in order


def contrastive(data: Tensor, laws: Tensor, edits: Tensor, skeleton: Tensor, scale: Tensor) -> Tensor:
    """The mean over rows and columns of the loss of finding the partners.

    Args:
        data, laws: (D, k) unit vectors, row i of both belong together.
        edits: (D, E, k) unit vectors of the laws' neighbours.
        skeleton: (D,) integers, equal for equivalent laws.
        scale: one number, the inverse temperature.
    """
    same = skeleton[:, None] == skeleton[None]
    with torch.autocast(data.device.type, enabled=False):  # three digits of a logit would not do
        cosine = scale * data @ laws.T  # (D, D)
        hard = scale * (data[:, None] * edits).sum(-1)
    return (_against(cosine, same, hard) + _against(cosine.T, same, hard[:, :0])) / 2


def _against(logits: Tensor, same: Tensor, hard: Tensor) -> Tensor:
    """For each row the mean over its positives of -log(e^p / (e^p + sum of the negatives))."""
    negative = torch.cat([logits.masked_fill(same, -torch.inf), hard], 1)
    rest = torch.logsumexp(negative.clamp_min(-1e4), 1, keepdim=True)  # a row without negatives has no loss, and no NaN
    each = F.softplus(rest - logits) * same
    return (each.sum(1) / same.sum(1)).mean()


def ranking(data: Tensor, edits: Tensor, error: Tensor, scale: Tensor) -> Tensor:
    """Pairs of neighbours of one law: the one with the smaller error should have the larger cosine.

    Args:
        data: (D, k) unit vectors.
        edits: (D, E, k) unit vectors.
        error: (D, E) log10 of their relative errors, NaN where there is none: such a neighbour is in no pair.
        scale: one number.
    """
    cosine = (data[:, None] * edits).sum(-1)  # (D, E)
    better = error[:, :, None] + DISTINCT < error[:, None, :]  # (D, E, E); False where NaN
    each = F.softplus(scale.detach() * (cosine[:, None, :] - cosine[:, :, None]))
    return (each * better).sum() / better.sum().clamp_min(1)


def masked_bce(logits: Tensor, target: Tensor, present: Tensor) -> Tensor:
    """Binary cross-entropy over the entries that are present."""
    each = F.binary_cross_entropy_with_logits(logits, target.float(), reduction="none")
    return (each * present).sum() / present.sum().clamp_min(1)


def masked_mse(values: Tensor, target: Tensor) -> Tensor:
    """Mean squared error over the entries whose target is a number."""
    present = torch.isfinite(target)
    return ((values - torch.where(present, target, 0.0)).square() * present).sum() / present.sum().clamp_min(1)


def total(parts: dict[str, Tensor], weights: LossWeights) -> Tensor:
    """The weighted sum; every part must have a weight."""
    weight = asdict(weights)
    return torch.stack([weight[name] * value for name, value in parts.items()]).sum()
