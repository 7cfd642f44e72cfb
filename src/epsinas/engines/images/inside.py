"""Full-width networks seen from inside: what each layer gives, and the network without its normalisation."""

from collections.abc import Iterator

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


def layer_outputs(network: FullWidthNetwork, images: Tensor) -> list[Tensor]:
    """Return the outputs of the convolutions (N, C, H, W) and, last, the logits (N, classes).

    They are in the order of the description, which is that of `layer_weights`.
    """
    recording = _Recording(_parameters(network))
    network.space.network(recording, network.architecture, images)
    return recording.outputs


def layer_weights(network: nn.Module) -> list[Tensor]:
    """Return the weights of the convolutions and of the classifier, in the order of the description.

    Of any module, they are the floating-point parameters of two or more dimensions.
    """
    return [parameter for parameter in network.parameters() if parameter.ndim > 1 and parameter.is_floating_point()]


def without_batch_norm(network: FullWidthNetwork, images: Tensor) -> Tensor:
    """Return the logits (N, classes) of a network whose batch normalisations pass on what they get."""
    return network.space.network(_Unnormalised(_parameters(network)), network.architecture, images)


def _parameters(network: FullWidthNetwork) -> Iterator[tuple[Tensor, Tensor | None]]:
    return ((layer.weight, layer.bias) for layer in network.layers)  # type: ignore[misc]  # modules of any kind to mypy
