"""How the weights of a full-width recurrent network are filled."""

from collections.abc import Sequence

import torch
from torch import Tensor

from epsinas.engines.sequences.full_width import Initialiser


def constant(weight: float) -> Initialiser:
    """Set every weight and every bias to `weight`, as the released experiments do for recurrent networks."""
    value = torch.tensor(weight, dtype=torch.float64)

    def initialise(weights: Sequence[Tensor], bias: Tensor) -> None:
        for tensor in (*weights, bias):
            tensor.copy_(value)

    return initialise
