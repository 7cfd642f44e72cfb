"""Random weights for the layers of every family: those that torch gives, and normal ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from epsinas.engines.base import Fill

if TYPE_CHECKING:
    import torch


def default(generator: torch.Generator) -> Fill:
    """Initialise as `torch.nn.Conv2d`, `Linear` and `BatchNorm2d` do by default.

    Weights and biases of convolutions and linear layers are uniform on (-1, 1) / sqrt(fan in); batch normalisation has
    the scale 1 and the shift 0. (`torch.nn.init.kaiming_uniform_` with a = sqrt 5 is that distribution.)
    """

    def draw(weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        bound = 1 / math.sqrt(_fan_in(weight))
        weight.uniform_(-bound, bound, generator=generator)
        if bias is not None:
            bias.uniform_(-bound, bound, generator=generator)

    return _filling(draw)


def standard_normal(generator: torch.Generator) -> Fill:
    """Draw the weights of convolutions and linear layers from N(0, 1); biases are 0, batch normalisation as above."""
    return _normal(generator, lambda weight: 1.0)


def kaiming_normal(generator: torch.Generator, *, backward: bool = False) -> Fill:
    """Draw the weights of convolutions and linear layers from N(0, 2 / fan in), the rest as `standard_normal`.

    With `backward`, fan out stands in the place of fan in, which keeps the size of gradients rather than of maps.
    """
    fan = _fan_out if backward else _fan_in
    return _normal(generator, lambda weight: math.sqrt(2 / fan(weight)))


def _normal(generator: torch.Generator, deviation: Callable[[torch.Tensor], float]) -> Fill:
    def draw(weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        weight.normal_(0.0, deviation(weight), generator=generator)
        if bias is not None:
            bias.zero_()

    return _filling(draw)


def _filling(draw: Callable[[torch.Tensor, torch.Tensor | None], None]) -> Fill:
    """Fill convolutions and linear layers by `draw`, and batch normalisation with the scale 1 and the shift 0."""

    def fill(kind: str, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        if kind != "batch_norm":
            draw(weight, bias)
            return
        weight.fill_(1.0)
        if bias is not None:
            bias.zero_()

    return fill


def _fan_in(weight: torch.Tensor) -> int:
    return math.prod(weight.shape[1:])


def _fan_out(weight: torch.Tensor) -> int:
    return weight.shape[0] * math.prod(weight.shape[2:])
