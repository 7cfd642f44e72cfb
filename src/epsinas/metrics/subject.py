"""What a metric sees of one network."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from epsinas.engines.base import Deviations, Engine, Family, Fill, engine, family_of
from epsinas.spaces.base import Space
from epsinas.streams import torch_stream

if TYPE_CHECKING:
    import torch

    from epsinas.engines.images.full_width import FullWidthNetwork
    from epsinas.engines.watching import Watch
    from epsinas.spaces import ImageSpace

Result = TypeVar("Result")

_COPIED = 2**26
"""Weights that copies of a network have at most together; they and their gradients take 0.5 GB."""


@dataclass(frozen=True)
class Conditions:
    """All that scores depend on beside the network and the metric.

    Attributes:
        space: the search space.
        batch: what its family takes.
        precision: of constant-weight outputs: `single`, `double` or `extended`.
        engine_name: `lumped` or `full-width`, for constant-weight outputs.
        zeros: see `epsinas.epsilon`.
        labels: int64, one for each image, for metrics that need them.
        seed: of random weights.
        draw: number of the batch; random weights differ between draws.
        device: of networks with random weights, as torch calls it. Random numbers are drawn on the CPU everywhere.
    """

    space: Space
    batch: Any
    precision: str = "single"
    engine_name: str = "lumped"
    zeros: str = "masked"
    labels: np.ndarray | None = None
    seed: int = 0
    draw: int = 0
    device: str = "cpu"

    @property
    def family(self) -> Family:
        """The kind of the space's networks."""
        return family_of(self.space)

    @cached_property
    def engine(self) -> Engine:
        """What gives constant-weight outputs."""
        return engine(self.engine_name, self.space, self.batch, self.precision)

    @cached_property
    def tensor(self) -> torch.Tensor:
        """The batch as the full-width networks take it, float32."""
        return self.family.tensor(self.batch).to(self.device)

    @cached_property
    def _references(self) -> dict[str, Subject]:
        return {}

    def reference(self, architecture: str) -> Subject:
        """Return a network that others are compared with: one subject for all of them, whose passes are made once."""
        return self._references.setdefault(architecture, Subject(self, architecture))

    def check(self) -> None:
        """Check batch, engine and precision; raises `InputError`."""
        _ = self.engine

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is computed, for processes of their own."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


class Subject:
    """One network under some conditions: what metrics ask for, each computed when it is first asked for, and once.

    Metrics must not change what they are given; `copy` gives a network of one's own.

    Args:
        conditions: of all networks.
        architecture: of this one.
        index: its number in the benchmark.
    """

    def __init__(self, conditions: Conditions, architecture: str, index: int = 0):
        self.conditions, self.architecture, self.index = conditions, architecture, index
        self._known: dict[tuple, Any] = {}

    def once(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Return `function(subject, *arguments)`, which is computed once for these arguments.

        That is how metrics share a pass: a forward pass, gradients or activations are functions of a subject.
        """
        key = (function, *arguments)
        if key not in self._known:
            self._known[key] = function(self, *arguments)
        return self._known[key]

    @property
    def space(self) -> Space:
        """The search space."""
        return self.conditions.space

    @property
    def batch(self) -> Any:
        """The inputs, as the space's family has them."""
        return self.conditions.batch

    @property
    def labels(self) -> np.ndarray | None:
        """One for each image, int64 (N,)."""
        return self.conditions.labels

    @property
    def tensor(self) -> torch.Tensor:
        """The inputs as a tensor, float32, shared by all networks."""
        return self.conditions.tensor

    def outputs(self, weight: float) -> np.ndarray | Deviations:
        """Return the outputs under a constant weight, up to a power of two."""
        return self.once(_outputs, weight)

    @property
    def connected(self) -> bool:
        """Whether the outputs depend on the inputs."""
        return self.once(_connected)

    @property
    def counts(self) -> Any:
        """Parameters, FLOPs and layers for inputs of the batch's shape."""
        return self.once(_counts)

    def generator(self, purpose: str = "random weights") -> torch.Generator:
        """Return the generator of this network's random weights, or of what else is drawn for it, at its beginning.

        It depends on the seed, the draw and the network, never on the order of work.
        """
        return torch_stream(self.conditions.seed, purpose, self.conditions.draw, self.architecture)

    def module(self, fill: Fill) -> torch.nn.Module:
        """Return a new full-width network, float32, whose layers `fill` fills in the order of the description."""
        return self.module_of(self.space, self.conditions.family.shape(self.batch), fill)

    def module_of(self, space: Space, shape: Any, fill: Fill) -> torch.nn.Module:
        """Return the network in a space of another skeleton, for inputs of another shape."""
        module = self.conditions.family.module(space, self.architecture, shape, fill)
        return module.to(self.conditions.device)

    @property
    def network(self) -> torch.nn.Module:
        """The full-width network with random weights, initialised as torch does by default."""
        return self.once(_network)

    def copy(self) -> torch.nn.Module:
        """Return a copy of `network`."""
        return copy.deepcopy(self.network)

    # How metrics run such a network; a torch model of one's own (`epsinas.models.subject`) has other ways to do it.

    def logits(self, network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
        """Return the logits (N, classes)."""
        return network(images)

    def logits_and_layers(
        self, network: torch.nn.Module, images: torch.Tensor
    ) -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
        """Return the logits, and of each convolution and linear layer that is applied its weight and its output."""
        from epsinas.engines.images.inside import layer_outputs, layer_weights

        outputs = layer_outputs(cast("FullWidthNetwork", network), images)
        return outputs[-1], list(zip(layer_weights(network), outputs, strict=True))

    @property
    def images_apart(self) -> int:
        """How many images `apart` is best given: more are not faster, and take a copy of the weights each."""
        return min(max(_COPIED // sum(parameter.numel() for parameter in self.network.parameters()), 1), 16)

    def apart(self, network: torch.nn.Module, images: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Return weights, with copies for each image, and the logits of each image as a batch of its own."""
        from epsinas.engines.images.inside import apart

        return apart(cast("FullWidthNetwork", network), images)

    def curvature(self, loss: Callable[[torch.Tensor], torch.Tensor], directions: list[torch.Tensor]) -> float:
        """Return w . (H d), H the Hessian of the loss of the logits by the weights w, in the directions d."""
        from epsinas.engines.images.second_order import curvature

        return curvature(cast("FullWidthNetwork", self.network), self.tensor, loss, directions)

    def unnormalised(self, network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
        """Return the logits where normalisations pass on what they get."""
        from epsinas.engines.images.inside import without_batch_norm

        return without_batch_norm(cast("FullWidthNetwork", network), images)

    def watched(self, network: torch.nn.Module, inputs: torch.Tensor, watch: Watch) -> torch.Tensor:
        """Return the logits, and tell `watch` of the operations; see `epsinas.engines.watching.watched_pass`."""
        from epsinas.engines.watching import watched_pass

        return watched_pass(network, inputs, watch)

    def mean_flow(self) -> tuple[float, int]:
        """Return SynFlow of the network of mean absolute weights, (mantissa, exponent) of two."""
        from epsinas.engines.images.flow import mean_flow

        shape = self.conditions.family.shape(self.batch)
        return mean_flow(cast("ImageSpace", self.space), self.architecture, shape)


def _outputs(subject: Subject, weight: float) -> np.ndarray | Deviations:
    return subject.conditions.engine.outputs(subject.architecture, weight)


def _connected(subject: Subject) -> bool:
    return subject.conditions.family.connected(subject.space, subject.architecture)


def _counts(subject: Subject) -> Any:
    family = subject.conditions.family
    return family.count(subject.space, subject.architecture, family.shape(subject.batch))


def _network(subject: Subject) -> torch.nn.Module:
    from epsinas.engines.initialisation import default

    return subject.module(default(subject.generator()))
