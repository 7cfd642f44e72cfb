"""Second derivatives along two directions of the weights at once, by one forward pass.

With weights W (1 + a) + b G, every map is followed through its value and its derivatives by a, by b and by both, at
a = b = 0: four maps that lie one behind the other along the first axis, in this order. What is linear without weights
(pools, sums) treats them alike. That takes six convolutions' time and no graph, where differentiating twice backwards
takes nine and keeps all maps.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from epsinas.engines.images.full_width import FullWidth, FullWidthNetwork
from epsinas.spaces.operations import BATCH_NORM_EPSILON, padding


class _Mixed(FullWidth):
    """Operations on the four maps (4 * N, C, H, W); `directions` are G, of convolutions and the classifier in turn."""

    def __init__(self, parameters: Iterator[tuple[Tensor, Tensor | None]], directions: Iterator[Tensor]):
        super().__init__(parameters)
        self.directions = directions

    def conv(self, x: Tensor, channels: int, kernel: int, stride: int = 1) -> Tensor:
        weight, _ = next(self.parameters)
        direction = next(self.directions)

        def by(filters: Tensor, maps: Tensor) -> Tensor:
            return functional.conv2d(maps, filters, stride=stride, padding=padding(kernel))

        return _with_own(by(weight, x), by(direction, x[: len(x) // 2]))

    def linear(self, x: Tensor, features: int) -> Tensor:
        weight, bias = next(self.parameters)
        outputs = _with_own(x @ weight.T, x[: len(x) // 2] @ next(self.directions).T)
        if bias is not None:
            outputs[: len(x) // 4] += bias
        return outputs

    def batch_norm(self, x: Tensor) -> Tensor:
        """With c the map less its mean, v its variance and r = (v + 1e-5)^(-1/2), differentiate c r scale + shift."""
        scale, shift = next(self.parameters)
        places = x.movedim(1, -1).reshape(4, -1, x.shape[1])
        c, c_a, c_b, c_ab = places = places - places.mean(dim=1, keepdim=True)
        v, half_a, half_b, half_ab = (places * c).mean(dim=1)
        half_ab = half_ab + (c_a * c_b).mean(dim=0)
        r = (v + BATCH_NORM_EPSILON).rsqrt()
        r_a, r_b = -(r**3) * half_a, -(r**3) * half_b
        r_ab = 3 * r**5 * half_a * half_b - r**3 * half_ab
        r, r_a, r_b, r_ab = (factor * scale for factor in (r, r_a, r_b, r_ab))
        # In place, from the last to the first: each takes those before it as they were.
        c_ab.mul_(r).addcmul_(c_a, r_b).addcmul_(c_b, r_a).addcmul_(c, r_ab)
        c_b.mul_(r).addcmul_(c, r_b)
        c_a.mul_(r).addcmul_(c, r_a)
        c.mul_(r).add_(shift)
        return places.reshape(len(x), *x.shape[2:], -1).movedim(-1, 1)

    def relu(self, x: Tensor) -> Tensor:
        parts = x.unflatten(0, (4, -1))
        return (parts * (parts[0] > 0)).flatten(0, 1)

    def max_pool(self, x: Tensor, kernel: int, stride: int) -> Tensor:
        parts = x.unflatten(0, (4, -1))
        _, where = functional.max_pool2d(parts[0], kernel, stride, padding(kernel), return_indices=True)
        chosen = parts.flatten(3).gather(3, where.flatten(2).expand(4, -1, -1, -1))
        return chosen.flatten(0, 1).unflatten(2, where.shape[2:])


def _with_own(outputs: Tensor, own: Tensor) -> Tensor:
    """Add to W x = `outputs` of the four maps what the layer's own weights change; `own` is G x of the first two."""
    value, by_a, by_b, by_both = outputs.chunk(4)
    by_both.add_(by_b).add_(own[len(value) :])
    by_b.add_(own[: len(value)])
    by_a.add_(value)
    return outputs


def mixed_logits(network: FullWidthNetwork, images: Tensor, directions: Sequence[Tensor]) -> Tensor:
    """Return the logits under weights W (1 + a) + b G and their derivatives by a, by b and by both, (4, N, classes).

    Args:
        network: W are the weights of its convolutions and its classifier.
        images: (N, C, H, W).
        directions: G, in the order of `epsinas.engines.images.inside.layer_weights`.
    """
    with torch.no_grad():
        maps = torch.cat([images, images.new_zeros((3 * len(images), *images.shape[1:]))])
        maps = maps.contiguous(memory_format=torch.channels_last)
        operations = _Mixed(network.weights_and_biases(), iter(directions))
        logits = network.space.network(operations, network.architecture, maps)
    return logits.unflatten(0, (4, -1))


def curvature(
    network: FullWidthNetwork, images: Tensor, loss: Callable[[Tensor], Tensor], directions: Sequence[Tensor]
) -> float:
    """Return W . (H G), H the Hessian by W of the loss of the logits: its derivative by a and b.

    With z the logits that is L'(z) . z_ab + z_a . L''(z) z_b.
    """
    logits, by_a, by_b, by_both = mixed_logits(network, images, directions).double()
    (slope,) = torch.autograd.grad(loss(logits.requires_grad_()), logits, create_graph=True)
    (bent,) = torch.autograd.grad((slope * by_b).sum(), logits, materialize_grads=True)
    return float((slope.detach() * by_both).sum() + (bent * by_a).sum())
