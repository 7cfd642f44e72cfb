"""Batch normalisation whose gradient can be differentiated fast: torch's own takes half of a second derivative's time.

With M places (images and pixels), x^ = (x - mean) / sigma the normalised map, <u> the mean of u over the places, and
P u = u - <u> - x^ <u x^>, the gradient of a channel is dx = scale / sigma P g, g being that of the output. For a
gradient v by dx, that by g is scale / sigma P v, since P is symmetric, and that by x is
- scale / sigma^2 (<g x^> P v + <v x^> P g + e x^), e = <v P g>, from the derivatives of P and 1 / sigma.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from epsinas.engines.images.full_width import FullWidth, FullWidthNetwork
from epsinas.spaces.operations import BATCH_NORM_EPSILON


class _Normalisation(torch.autograd.Function):
    """Scale and shift have no gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        output, mean, inverse = torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, BATCH_NORM_EPSILON)
        ctx.save_for_backward(x, weight, mean, inverse)
        return output

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        x, weight, mean, inverse = ctx.saved_tensors
        return _Gradient.apply(x, gradient, weight, mean, inverse), None, None


class _Gradient(torch.autograd.Function):
    """`_Normalisation`'s gradient, as a function of the map and of the gradient behind it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gradient: Tensor, weight: Tensor, mean: Tensor, inverse: Tensor) -> Tensor:
        normalised, g = (_by_channel(x) - mean).mul_(inverse), _by_channel(gradient)
        constant, slope = g.mean(dim=0), (g * normalised).mean(dim=0)
        ctx.save_for_backward(x, gradient, weight, mean, inverse, constant, slope)
        return _as_maps(torch.addcmul(g - constant, normalised, -slope).mul_(weight * inverse), x)

    @staticmethod
    def backward(ctx: Any, behind: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        x, gradient, weight, mean, inverse, g_constant, g_slope = ctx.saved_tensors
        normalised, g, v = (_by_channel(x) - mean).mul_(inverse), _by_channel(gradient), _by_channel(behind)
        v_constant, v_slope = v.mean(dim=0), (v * normalised).mean(dim=0)
        factor = weight * inverse
        by_x = by_g = None
        if ctx.needs_input_grad[0]:
            both = (v * g).mean(dim=0) - v_constant * g_constant - v_slope * g_slope
            sums = torch.addcmul(v * g_slope, g, v_slope).addcmul_(normalised, both - 2 * v_slope * g_slope)
            by_x = sums.sub_(g_slope * v_constant + v_slope * g_constant).mul_(-factor * inverse)
        if ctx.needs_input_grad[1]:
            by_g = torch.addcmul(v - v_constant, normalised, -v_slope).mul_(factor)
        found = [None if by is None else _as_maps(by, x) for by in (by_x, by_g)]
        return found[0], found[1], None, None, None


class _TwiceDifferentiable(FullWidth):
    """Has the batch normalisation of this module."""

    def batch_norm(self, x: Tensor) -> Tensor:
        return _Normalisation.apply(x, *next(self.parameters))


def logits(network: FullWidthNetwork, images: Tensor) -> Tensor:
    """Return the logits (N, classes), for second derivatives by the weights of convolutions and the classifier."""
    layers: Iterator = ((layer.weight, layer.bias) for layer in network.layers)
    return network.space.network(_TwiceDifferentiable(layers), network.architecture, images)


def _by_channel(maps: Tensor) -> Tensor:
    """Return maps (N, C, H, W) as (N * H * W, C)."""
    return maps.movedim(1, -1).reshape(-1, maps.shape[1])


def _as_maps(places: Tensor, like: Tensor) -> Tensor:
    images, channels, height, width = like.shape
    return places.view(images, height, width, channels).movedim(-1, 1)
