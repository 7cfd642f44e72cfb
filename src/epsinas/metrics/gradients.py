"""Passes that metrics of gradients share: functions of a subject for `Subject.once`.

All are of the one network with random weights, whose batch normalisations see the batch itself. Where a layer does not
reach the outputs, its gradient is 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from epsinas.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from epsinas.metrics.subject import Subject


class TrainingPass(NamedTuple):
    """What a forward pass keeps for backward ones.

    Attributes:
        images: (N, C, H, W), of which there are gradients.
        weights: of the convolutions and the classifier, in the order of the description.
        logits: (N, classes).
        layers: the weight and the output of each layer that is applied, (N, channels, H, W) and the logits.
    """

    images: Tensor
    weights: list[Tensor]
    logits: Tensor
    layers: list[tuple[Tensor, Tensor]]


class LossGradients(NamedTuple):
    """Gradients of the mean cross entropy of a batch, for the convolutions and the classifier in turn.

    Attributes:
        weights: the layers' weights.
        gradients: of the weights, in their shapes.
        channels: for each layer that is applied, how many weights a channel has, and (N, channels): for each image
            the sum over the pixels of a channel's output times its gradient.
    """

    weights: list[Tensor]
    gradients: list[Tensor]
    channels: list[tuple[int, Tensor]]


def checked_labels(subject: Subject, classes: int) -> np.ndarray:
    """Return the labels of the batch, int64 (N,).

    Raises:
        InputError: there are none, or some that a classifier of so many classes has no output for.
    """
    if (labels := subject.labels) is None:
        raise InputError("labels: found none, expected one for each image")
    if not 0 <= labels.min() <= labels.max() < classes:
        found = f"{labels.min()} to {labels.max()}"
        raise InputError(f"labels: found {found}, expected 0 to {classes - 1}, for {classes} classes")
    return labels.astype(np.int64)


def classes_of(logits: Tensor) -> int:
    """Return of how many classes there are logits.

    Raises:
        InputError: they are not (N, classes).
    """
    if logits.ndim != 2:
        raise InputError(f"outputs: found shape {tuple(logits.shape)}, expected one logit for each image and class")
    return logits.shape[1]


def check_several(metric: str, found: int) -> None:
    """Raise `InputError` where a metric that compares the images of a batch is given fewer than two."""
    if found < 2:
        raise InputError(f"batch: found {found}, expected two or more images or sequences, which {metric} compares")


def cross_entropy(subject: Subject, logits: Tensor, part: slice = slice(None)) -> Tensor:
    """Return the mean cross entropy of logits (n, classes) with the labels of a part of the batch."""
    import torch

    labels = torch.from_numpy(checked_labels(subject, classes_of(logits))[part]).to(logits.device)
    return torch.nn.functional.cross_entropy(logits, labels.to(logits.device))


def forward(subject: Subject) -> TrainingPass:
    """Run the network on the batch; its graph remains for backward passes, which must retain it."""
    from epsinas.engines.images.inside import layer_weights

    images = subject.tensor.detach()
    images.requires_grad_(images.is_floating_point())
    return TrainingPass(images, layer_weights(subject.network), *subject.logits_and_layers(subject.network, images))


def loss_gradients(subject: Subject) -> LossGradients:
    """Differentiate the loss by the weights and the layers' outputs."""
    import torch

    _, weights, logits, layers = subject.once(forward)
    loss = cross_entropy(subject, logits)
    parts = [*weights, *(output for _, output in layers)]
    found = torch.autograd.grad(loss, parts, retain_graph=True, materialize_grads=True)
    channels = [_channels(*layer, gradient) for layer, gradient in zip(layers, found[len(weights) :], strict=True)]
    return LossGradients([weight.detach() for weight in weights], list(found[: len(weights)]), channels)


def _channels(weight: Tensor, output: Tensor, gradient: Tensor) -> tuple[int, Tensor]:
    products = output.detach() * gradient
    if weight.ndim == 2:  # a linear layer, whose channels come last
        products = products.movedim(-1, 1)
    products = products.flatten(2).sum(dim=2) if products.ndim > 2 else products
    return weight.numel() // products.shape[1], products


def input_gradients(subject: Subject) -> np.ndarray:
    """Differentiate the sum of all logits of all images by the images: float64 (N, C * H * W).

    Batch normalisation mixes images, so that a row also has what its image does to the logits of the others.
    """
    import torch

    done = subject.once(forward)
    if not done.images.is_floating_point():
        raise InputError(f"batch: found {done.images.dtype}, of which there are no gradients, expected floating point")
    (found,) = torch.autograd.grad(done.logits.sum(), done.images, retain_graph=True, materialize_grads=True)
    return found.flatten(1).double().cpu().numpy()


def part_gradients(subject: Subject, part: slice) -> list[Tensor]:
    """Differentiate the mean loss of a part of the batch by the weights, the rest of the batch being absent."""
    import torch

    from epsinas.engines.images.inside import layer_weights

    network = subject.network
    loss = cross_entropy(subject, subject.logits(network, subject.tensor[part]), part)
    return list(torch.autograd.grad(loss, layer_weights(network), materialize_grads=True))


def image_gradients(subject: Subject) -> Iterator[list[Tensor]]:
    """Differentiate the loss of each image by the weights, every image being a batch by itself.

    Yields:
        Some images after others, for each layer (n, *shape of its weight).
    """
    import torch

    from epsinas.engines.images.inside import layer_weights

    network, images = subject.network, subject.tensor
    for start in range(0, len(images), subject.images_apart):
        part = slice(start, start + subject.images_apart)
        weights, logits = subject.apart(network, images[part])
        loss = len(logits) * cross_entropy(subject, logits, part)
        found = torch.autograd.grad(loss, weights, materialize_grads=True)
        yield [
            gradient.reshape(len(logits), *weight.shape)
            for gradient, weight in zip(found, layer_weights(network), strict=True)
        ]


def inner_products(first: Sequence[Tensor], second: Sequence[Tensor]) -> list[float]:
    """Return the inner product of each pair of tensors, added up in float64."""
    import torch

    return [float((a.detach() * b).sum(dtype=torch.float64)) for a, b in zip(first, second, strict=True)]
