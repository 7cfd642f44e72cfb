"""Small models, each with something that is easily got wrong when weights are set, and their outputs by hand."""

import copy
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm

SAMPLES = torch.randn((6, 4), generator=torch.Generator().manual_seed(0))


def old_weight_norm(module: nn.Module, name: str = "weight") -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # deprecated, and still in many models
        return nn.utils.weight_norm(module, name)


class Squares(nn.Module):
    """A parametrisation of one's own, with a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def forward(self, original: Tensor) -> Tensor:
        return self.factor * original**2


def parametrised(module: nn.Module) -> nn.Module:
    parametrize.register_parametrization(module, "bias", Squares())
    return parametrize.register_parametrization(module, "weight", Squares())


def pruned_twice(module: nn.Module) -> nn.Module:
    prune.random_unstructured(module, "bias", 0.5)
    prune.random_unstructured(module, "weight", 0.5)
    return prune.ln_structured(module, "weight", 1, n=2, dim=0)


def pruned_within_weight_norm(module: nn.Module) -> nn.Module:
    return prune.random_unstructured(old_weight_norm(module), "weight_v", 1)


REPARAMETRISED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "two of them": lambda module: parametrizations.spectral_norm(parametrizations.weight_norm(module)),
    "one's own": parametrised,
    "old weight_norm": old_weight_norm,
    "old spectral_norm": spectral_norm,
    "old spectral_norm of a weight_norm": lambda module: spectral_norm(old_weight_norm(module), "weight_v"),
    "pruning": pruned_twice,
    "pruning of a weight_norm": pruned_within_weight_norm,
}


class OwnBuffers(nn.Module):
    """Batch normalisation whose parts are buffers, as in detection models."""

    def __init__(self, features: int):
        super().__init__()
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, torch.full((features,), 2.0))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.running_mean) * self.running_var.rsqrt() * self.weight + self.bias


class Lists(nn.Module):
    """Layers that are in a Python list and work all the same."""

    def __init__(self, layers: object):
        super().__init__()
        self.head = nn.Linear(4, 2)
        self.blocks = {"first": [layers]}

    def forward(self, x: Tensor) -> Tensor:
        (layers,) = self.blocks["first"]
        return self.head(layers(x))


class NamedParameters(nn.Module):
    """Parameters of one's own, under the names that people give them."""

    def __init__(self):
        super().__init__()
        for name in ("gamma", "beta", "debias_scale", "relative_position_bias_table", "b", "b1", "b_in", "B", "blocks"):
            setattr(self, name, nn.Parameter(torch.rand(2)))
        self.biases = nn.ParameterList([torch.rand(2), torch.rand(2)])
        self.weights = nn.ParameterList([torch.rand(2)])
        self.cell = nn.ParameterDict({"W": torch.rand(2), "b": torch.rand(2), "bias1": torch.rand(2)})
        self.bias = nn.Linear(2, 2)


BIASES = {
    *("beta", "relative_position_bias_table", "b", "b1", "b_in", "biases.0", "biases.1"),
    *("cell.b", "cell.bias1", "bias.bias"),
}
"""Those of them that are zero."""


class Stateful(nn.Module):
    """Everything that a call changes: buffers, input, attributes, normalisation, a count; and it may fail."""

    def __init__(self, fails: bool = False):
        super().__init__()
        self.norm, self.drop, self.linear = nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2)
        self.register_buffer("seen", torch.zeros(()))
        self.hidden, self.calls, self.fails, self.last = torch.zeros(2), [0], fails, None
        self.linear.register_forward_hook(self.count)

    def count(self, module: nn.Module, inputs: tuple[Tensor, ...], result: Tensor) -> Tensor:
        self.calls[0] += 1
        return result + 1

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        self.hidden = self.hidden + self.linear(self.drop(self.norm(x)))
        self.last = {"outputs": [self.hidden]}
        if self.fails:
            raise RuntimeError("on demand")
        return self.hidden


def by_hand(model: nn.Module, weight: float, batch: Tensor, roles: dict[str, str] | None = None) -> Tensor:
    """Outputs of a plain model, its weights filled in place: `roles` has what is not a weight."""
    model = copy.deepcopy(model).eval()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d | nn.InstanceNorm1d):
            part.train()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            role = (roles or {}).get(name, "zero" if name.endswith("bias") else "weight")
            if role != "kept":
                parameter.fill_(0.0 if role == "zero" else weight)
        return model(batch)
