"""How the weights of a full-width network are filled."""

import torch
from torch import Tensor, nn

from epsinas.engines.images.full_width import Initialiser
from epsinas.errors import InputError

RANDOM = {
    "uniform": lambda weight, rng: nn.init.uniform_(weight, generator=rng),
    "normal": lambda weight, rng: nn.init.normal_(weight, generator=rng),
    "kaiming_uniform": lambda weight, rng: nn.init.kaiming_uniform_(weight, generator=rng),
    "kaiming_normal": lambda weight, rng: nn.init.kaiming_normal_(weight, mode="fan_out", generator=rng),
    "orthogonal": lambda weight, rng: nn.init.orthogonal_(weight, generator=rng),
}
"""The random initialisations of the paper's Table 9: what each does to a convolution's weight."""


def fill(tensor: Tensor, weight: float) -> Tensor:
    """Fill in place; a weight out of the range of the dtype becomes infinite, which `fill_` refuses."""
    return tensor.copy_(torch.tensor(weight, dtype=torch.float64))


def constant(weight: float) -> Initialiser:
    """Set every weight, batch normalisation's scale included, to `weight` and every bias to 0 (Algorithm 1)."""

    def initialise(kind: str, tensor: Tensor, bias: Tensor | None) -> None:
        fill(tensor, weight)
        if bias is not None:
            bias.zero_()

    return initialise


def random(name: str, generator: torch.Generator) -> Initialiser:
    """Initialise as in the paper's Section 3.2.

    Convolutions get the named initialisation (uniform is U(0, 1), normal N(0, 1), Kaiming normal is fan-out),
    batch normalisation scale 1 and shift 0, the classifier normal(0, 0.01) and bias 0. Two networks in turn
    continue the generator's stream, as in the released notebooks.

    Raises:
        InputError: there is no initialisation of that name.
    """
    if name not in RANDOM:
        raise InputError(f"unknown initialisation {name!r}: expected one of {', '.join(RANDOM)}")

    def initialise(kind: str, tensor: Tensor, bias: Tensor | None) -> None:
        if kind == "conv":
            RANDOM[name](tensor, generator)
        elif kind == "batch_norm":
            tensor.fill_(1.0)
        else:
            nn.init.normal_(tensor, 0.0, 0.01, generator=generator)
        if bias is not None:
            bias.zero_()

    return initialise
