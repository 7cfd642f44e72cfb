"""Over how many directions the outputs of a network's layers spread (NEAR)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsinas.metrics.activations import forward_pass, of_connected
from epsinas.metrics.base import RANDOM_WEIGHTS, Metric

if TYPE_CHECKING:
    import torch

    from epsinas.metrics.subject import Subject


def effective_rank(matrix: torch.Tensor) -> float:
    """Return exp(-sum p log p), p the singular values over their sum; 0 for a matrix of zeros.

    Example:
        >>> import torch
        >>> round(effective_rank(torch.diag(torch.tensor([2.0, 2.0, 0.0]))), 6)
        2.0
    """
    import torch

    values = torch.linalg.svdvals(matrix.double())
    total = values.sum()
    return float(torch.special.entr(values / total).sum().exp()) if total > 0 else 0.0


def _score(subject: Subject) -> float:
    """Score by the sum over layers, each time that one is applied, of the effective rank of a square block of outputs.

    Layers are convolutions, batch normalisations, ReLUs and linear layers; see `ForwardPass.blocks`.
    """
    return sum(map(effective_rank, forward_pass(subject).blocks))


METRIC = Metric(
    name="near",
    title="NEAR",
    reference="Husistein et al. (2025), arXiv 2408.08776",
    score=of_connected(_score),
    needs=(RANDOM_WEIGHTS,),
    families=("images",),
    any_model=True,
)
