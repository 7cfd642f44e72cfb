"""What metrics see of a torch model of one's own, with the weights that it has."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from epsinas.engines.images.inside import layer_weights
from epsinas.engines.watching import Watch
from epsinas.errors import InputError, one_line
from epsinas.metrics.base import METRICS, RANDOM_WEIGHTS, Metric
from epsinas.metrics.gradients import inner_products
from epsinas.metrics.subject import Subject
from epsinas.models.calls import arguments, output
from epsinas.models.constants import present_copy
from epsinas.models.flow import model_flow
from epsinas.models.interception import check_visible, recording, watching, without_normalisation
from epsinas.models.running import check_engine, composed_attention, own_randomness
from epsinas.streams import torch_stream

_REASONS = {
    "overflow": "it leaves the range of the numbers",
    "constant": "what it measures does not vary over the batch",
    "failed": "it is not a number",
}


class ModelSubject(Subject):
    """A torch model, in the place of a network of a search space.

    Weights are the parameters of two or more dimensions; layers are the convolutions and linear layers that the model
    calls. The inputs are taken to reach the outputs.

    Args:
        model: it is copied, and not touched. Batch and instance normalisation use the statistics of the batch; anything
            else is in evaluation mode.
        batch: one tensor or array, (N, ...), alone or by the name of the argument that it is.
        labels: int64, one for each sample, for metrics that need them.
        seed: of what metrics draw.
        engine: of `mean_flow`.

    Raises:
        InputError: the model cannot be copied, or has parts that are scripted; or the batch is not as above.
    """

    connected = True

    def __init__(
        self, model: nn.Module, batch: Any, labels: np.ndarray | None = None, seed: int = 0, engine: str = "lumped"
    ):
        self._known: dict[tuple, Any] = {}
        self._module, self.notes = present_copy(model)
        check_visible(self._module)
        positional, named = arguments(batch)
        self._name, images = next(iter(named.items())) if named else ("", positional[0])
        if len(positional) + len(named) > 1 or not isinstance(images, Tensor):
            found = ", ".join(type(one).__name__ for one in (*positional, *named.values()))
            raise InputError(f"batch: found {found}, expected one tensor, which other metrics than epsilon take")
        self._images, self._labels, self._seed, self._engine = images, labels, seed, engine

    @property
    def labels(self) -> np.ndarray | None:
        """One for each sample, int64 (N,)."""
        return self._labels

    @property
    def tensor(self) -> Tensor:
        """The inputs."""
        return self._images

    @property
    def network(self) -> nn.Module:
        """A copy of the model, all of whose parameters have gradients."""
        return self._module

    @cached_property
    def counts(self) -> ModelCounts:
        """Parameters, FLOPs and layers."""
        return ModelCounts(self)

    def generator(self, purpose: str = "random weights") -> torch.Generator:
        """Return the generator of what is drawn for a purpose, at its beginning."""
        return torch_stream(self._seed, purpose)

    def logits(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return the output; see `epsinas.models.calls.output`."""
        images = images.clone()  # a model may write into its input
        return output(network(**{self._name: images}) if self._name else network(images))

    def logits_and_layers(self, network: nn.Module, images: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Return the output, and of each convolution and linear layer that is called its weight and its output."""
        layers: list[tuple[Tensor, Tensor]] = []
        with recording(layers):
            return self.logits(network, images), layers

    @property
    def images_apart(self) -> int:
        """How many images `apart` is given."""
        return 1

    def apart(self, network: nn.Module, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the weights and the output, of one image."""
        return layer_weights(network), self.logits(network, images)

    def curvature(self, loss: Callable[[Tensor], Tensor], directions: list[Tensor]) -> float:
        """Return w . (H d), H the Hessian of the loss of the output by the weights w, in the directions d."""
        weights = layer_weights(self.network)
        with sdpa_kernel(SDPBackend.MATH):  # attention of operations that have second derivatives
            value = loss(self.logits(self.network, self.tensor))
        gradients = torch.autograd.grad(value, weights, create_graph=True, materialize_grads=True)
        along = torch.stack([(one * d).sum() for one, d in zip(gradients, directions, strict=True)]).sum()
        products = torch.autograd.grad(along, weights, materialize_grads=True)
        return sum(inner_products(weights, products))

    def unnormalised(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return the output where normalisations pass on what they get."""
        self._check_inputs()
        with without_normalisation():
            return self.logits(network, images)

    def watched(self, network: nn.Module, inputs: Tensor, watch: Watch) -> Tensor:
        """Return the output, and tell `watch` of the layers."""
        with watching(watch):
            return self.logits(network, inputs)

    def mean_flow(self) -> tuple[float, int]:
        """Return SynFlow of the mean absolute weights, (mantissa, exponent) of two."""
        self._check_inputs()
        ones = torch.ones_like(self.tensor[:1], dtype=torch.float64)
        return model_flow(self.copy(), ones, self._name, self._engine)

    def _check_inputs(self) -> None:
        if not self.tensor.is_floating_point():
            raise InputError(f"batch: found {self.tensor.dtype}, expected floating point, in whose place are ones")


@dataclass(frozen=True)
class ModelCounts:
    """What a torch model is made of."""

    subject: ModelSubject

    @property
    def parameters(self) -> int:
        """Weights and biases, each once."""
        return sum(parameter.numel() for parameter in self.subject.network.parameters())

    @property
    def layers(self) -> int:
        """Modules that have parameters of their own."""
        parts = self.subject.network.modules()
        return sum(any(True for _ in part.parameters(recurse=False)) for part in parts)

    @property
    def flops(self) -> float:
        """Multiplications and additions of convolutions and products of matrices for one sample."""
        subject = self.subject
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            subject.logits(subject.network, subject.tensor)
        return counter.get_total_flops() / len(subject.tensor)


def score_model(
    metric: Metric, model: nn.Module, batch: Any, labels: Any = None, seed: int = 0, engine: str = "lumped"
) -> float:
    """Score a torch model by a metric other than epsilon; see `epsinas.score`.

    Raises:
        InputError: the metric is not for any model, or needs labels that are missing or not one for each sample.
    """
    if not metric.any_model:
        possible = ", ".join(one.name for one in METRICS if one.any_model)
        raise InputError(f"metric {metric.name}: found a torch model, expected a search space; for models: {possible}")
    check_engine(engine)
    labels = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else labels
    labels = None if labels is None else np.asarray(labels)
    # Whatever mode this is called in; and the copy is made in it, too.
    with torch.inference_mode(False), torch.enable_grad(), composed_attention(), own_randomness():
        subject = ModelSubject(model, batch, labels, seed, engine)
        if RANDOM_WEIGHTS in metric.needs and not layer_weights(subject.network):
            expected = f"one or more, which the metric {metric.name} needs"
            raise InputError(f"model: found no parameter of two or more dimensions, expected {expected}")
        metric.check_labels(subject.labels, len(subject.tensor) if subject.tensor.ndim else 0)
        try:
            found = metric.score(subject, "")
        except InputError:
            raise
        except Exception as error:  # the model's own, or that of a metric of one's own
            raise InputError(f"metric {metric.name} failed: {type(error).__name__}: {one_line(error)}") from error
    reason = [f"no score: {_REASONS.get(found.reason, found.reason)}"] if found.reason else []
    for note in (*subject.notes, *reason):
        warnings.warn(note, stacklevel=3)
    return found.score
