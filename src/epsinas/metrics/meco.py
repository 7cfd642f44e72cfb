"""How nearly the channels of each layer depend on each other linearly (MeCo)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from epsinas.engines.watching import watched_pass
from epsinas.metrics.activations import of_connected
from epsinas.metrics.base import RANDOM_WEIGHTS, Metric

if TYPE_CHECKING:
    import torch

    from epsinas.metrics.subject import Subject

SIDE = 64
"""Of the image, in pixels, as in the released code."""

LAYERS = ("conv", "batch_norm", "relu", "avg_pool", "max_pool")


def smallest_eigenvalue(maps: torch.Tensor) -> float:
    """Return the smallest eigenvalue of the correlation of the channels (C, H, W), Pearson's, over places.

    Correlations with a channel that does not vary are 0, its own too.

    Example:
        The eigenvalues for two channels are 1 + r and 1 - r.

        >>> import torch
        >>> round(smallest_eigenvalue(torch.tensor([[[0.0, 1.0, 2.0]], [[0.0, 2.0, 1.0]]])), 6)
        0.5
    """
    import torch

    # By torch, not NumPy: threads of two libraries in turn wait for each other, which takes longer than all else.
    deviations = maps.flatten(1).double()
    deviations = deviations - deviations.mean(dim=1, keepdim=True)
    lengths = torch.linalg.vector_norm(deviations, dim=1, keepdim=True)
    directions = torch.where(lengths > 0, deviations / lengths, 0.0)
    return float(torch.linalg.eigvalsh(directions @ directions.T)[0])


def meco_score(network: Any, image: torch.Tensor) -> float:
    """Return the sum over layers of `smallest_eigenvalue` for a single image (1, C, H, W).

    Layers are convolutions, batch normalisations, ReLUs and poolings, each time that one is applied: the leaves of the
    tree of modules over which the released code goes. It also goes over branches, and so counts the last leaf of
    each twice. A batch normalisation leaves correlations as they are, so with its convolution it counts twice here too.
    """
    import torch

    found: list[float] = []

    def watch(operation: str, arguments: tuple[Any, ...], output: Any) -> None:
        if operation in LAYERS:
            found.append(smallest_eigenvalue(output[0]))

    with torch.no_grad():
        watched_pass(network, image, watch)
    return sum(found)


def _score(subject: Subject) -> float:
    """Score on an image from N(0, 1)."""
    import torch

    image = torch.randn(1, subject.tensor.shape[1], SIDE, SIDE, generator=subject.generator("image"))
    return meco_score(subject.network, image.to(subject.tensor))


METRIC = Metric(
    name="meco",
    title="MeCo",
    reference="Jiang et al. (2023), NeurIPS 36",
    score=of_connected(_score),
    needs=(RANDOM_WEIGHTS,),
    families=("images",),
)
