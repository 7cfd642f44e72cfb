"""The random weights that torch gives its layers, for the layers of every family."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from epsinas.engines.base import Fill

if TYPE_CHECKING:
    import torch


def default(generator: torch.Generator) -> Fill:
    """Initialise as `torch.nn.Conv2d`, `Linear` and `BatchNorm2d` do by default.

    Weights and biases of convolutions and linear layers are uniform on (-1, 1) / sqrt(fan in); batch normalisation has
    the scale 1 and the shift 0. (`torch.nn.init.kaiming_uniform_` with a = sqrt 5 is that distribution.)
    """

    def fill(kind: str, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        if kind == "batch_norm":
            weight.fill_(1.0)
            if bias is not None:
                bias.zero_()
            return
        bound = 1 / math.sqrt(math.prod(weight.shape[1:]))
        weight.uniform_(-bound, bound, generator=generator)
        if bias is not None:
            bias.uniform_(-bound, bound, generator=generator)

    return fill
