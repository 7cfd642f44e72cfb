"""Full-width networks seen from inside: what each layer gives, and the network without its normalisation."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from epsinas.engines.images.full_width import FullWidth, FullWidthNetwork


class _Recording(FullWidth):
    """Keeps the outputs of the convolutions and of the classifier."""

    def __init__(self, parameters: Iterator[tuple[Tensor, Tensor | None]]):
        super().__init__(parameters)
        self.outputs: list[Tensor] = []

    def conv(self, x: Tensor, channels: int, kernel: int, stride: int = 1) -> Tensor:
        self.outputs.append(super().conv(x, channels, kernel, stride))
        return self.outputs[-1]

    def linear(self, x: Tensor, features: int) -> Tensor:
        self.outputs.append(super().linear(x, features))
        return self.outputs[-1]


class _Unnormalised(FullWidth):
    """Leaves batch normalisation out."""

    def batch_norm(self, x: Tensor) -> Tensor:
        next(self.parameters)
        return x


class _OneImage(FullWidth):
    """Replicas that see one image each."""

    def conv(self, x: Tensor, channels: int, kernel: int, stride: int = 1) -> Tensor:
        if x.stride(0) != x.numel():
            # The stride of the only image may be anything, and torch's convolution without oneDNN goes by it.
            x = x.clone(memory_format=torch.channels_last)
        return super().conv(x, channels, kernel, stride)


def layer_outputs(network: FullWidthNetwork, images: Tensor) -> list[Tensor]:
    """Return the outputs of the convolutions (N, C, H, W) and, last, the logits (N, classes).

    They are in the order of the description, which is that of `layer_weights`.
    """
    recording = _Recording(network.weights_and_biases())
    network.space.network(recording, network.architecture, images)
    return recording.outputs


def layer_weights(network: nn.Module) -> list[Tensor]:
    """Return the weights of the convolutions and of the classifier, in the order of the description.

    Of any module, they are the floating-point parameters of two or more dimensions.
    """
    return [parameter for parameter in network.parameters() if parameter.ndim > 1 and parameter.is_floating_point()]


def without_batch_norm(network: FullWidthNetwork, images: Tensor) -> Tensor:
    """Return the logits (N, classes) of a network whose batch normalisations pass on what they get."""
    return network.space.network(_Unnormalised(network.weights_and_biases()), network.architecture, images)


def apart(network: FullWidthNetwork, images: Tensor) -> tuple[list[Tensor], Tensor]:
    """Run each image through a copy of the network of its own, all side by side, as batches of one image.

    Returns:
        The weights of the convolutions and of the classifier, the copies one behind the other (N * outputs, ...), of
        which there are gradients; and the logits (N, classes).
    """
    copies = len(images)

    def repeated(parameter: Tensor) -> Tensor:
        copied = parameter.detach().repeat(copies, *[1] * (parameter.ndim - 1))
        if copied.ndim == 4:
            # The layout in memory that convolutions are fastest in; `repeat` does not keep it.
            copied = copied.contiguous(memory_format=torch.channels_last)
        return copied

    layers = [
        (repeated(weight), None if bias is None else repeated(bias)) for weight, bias in network.weights_and_biases()
    ]
    weights = [weight.requires_grad_() for weight, _ in layers if weight.ndim > 1]
    side_by_side = images.reshape(1, -1, *images.shape[2:]).contiguous(memory_format=torch.channels_last)
    logits = network.space.network(_OneImage(iter(layers), replicas=copies), network.architecture, side_by_side)
    return weights, logits.unflatten(1, (copies, -1)).squeeze(0)
