"""What the engines of every family of networks offer.

A family is the kind of networks that a search space has: convolutional ones over images, or recurrent ones over
sequences. Its rooms bear the same names: `batches`, `counting`, `full_width`, `lumped`, `kernels`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from epsinas.errors import InputError
from epsinas.registry import Registry
from epsinas.spaces.base import Space

if TYPE_CHECKING:
    import torch

ENGINES = ("lumped", "full-width")
PRECISIONS = {"single": np.float32, "double": np.float64, "extended": np.float64}
"""The dtype of values in each precision; `extended` has a power of two beside each map, or is of deviations."""


def dtype_of(precision: str) -> np.dtype[Any]:
    """Return the dtype of values in a precision; raises `InputError` where there is no such precision."""
    if precision not in PRECISIONS:
        raise InputError(f"precision: found {precision!r}, expected one of {', '.join(PRECISIONS)}")
    return np.dtype(PRECISIONS[precision])


class Deviations(NamedTuple):
    """Outputs up to a constant: what each time step adds, (time,), and each sequence to that, (time, batch).

    Each entry has all of its digits, but where states are `drifting`: what a time step adds is then known to a rounding
    of the largest of the time steps.
    """

    steps: np.ndarray
    sequences: np.ndarray
    drifting: bool = False

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        """What is added up."""
        return self.steps, self.sequences


class Reading(NamedTuple):
    """Where a map is given to an activation function or to a layer with weights.

    Attributes:
        copies: how many of the channels or units that are given there are equal to the map.
        inputs: how many are given there in all.
        outputs: how many come out.
        kernel: side of a convolution's windows, otherwise 1.
    """

    copies: int
    inputs: int
    outputs: int
    kernel: int


class Observed(NamedTuple):
    """What activation functions, or layers with weights, are given under a constant weight: of equal inputs, one.

    Attributes:
        function: its name, as the spaces call it: `relu`, `conv`, `linear`, `activation_tanh` ...
        inputs: (N, places), of images up to a power of two: a channel's pixels, or a unit's time steps.
        layers: where the network does so, in the order of the description.
    """

    function: str
    inputs: np.ndarray
    layers: tuple[Reading, ...]


class Engine(Protocol):
    """Something that gives what a network does with its batch under a constant weight."""

    def outputs(self, architecture: str, weight: float) -> np.ndarray | Deviations:
        """Return the outputs, up to a power of two."""

    def observe(self, architecture: str, weight: float, what: str = "activations") -> list[Observed]:
        """Return what `activations` or `layers` are given, those on which the output depends."""


Fill = Callable[[str, "torch.Tensor", "torch.Tensor | None"], None]
"""Fills a layer's weight and bias (None where it has none) in place, given its kind."""


class Family(Protocol):
    """A kind of networks, and what the package can do with them.

    Attributes:
        name: as search spaces name it.
        files: by option of the command line, what a batch is made of: its placeholder, and what it holds.
        inputs_key: what a section of a study calls the kind of inputs that its networks are scored on.
        deterministic: kinds of inputs that are the same in every draw.
        estimates_rounding: whether `epsinas.metrics.rounding` can tell from the outputs how far rounding limits a
            score. It cannot for images: behind the last ReLU many outputs are 0 by right, and rounding happens in the
            layers before.
        section: what a section of a study has for spaces of this family, as the properties of a JSON schema.
        required: those of them that a study must give.
    """

    name: str
    files: Mapping[str, tuple[str, str]]
    inputs_key: str
    deterministic: tuple[str, ...]
    estimates_rounding: bool
    section: Mapping[str, Any]
    required: tuple[str, ...]

    def check(self, space: Space, batch: Any) -> None:
        """Check a batch for networks of a space; raises `InputError` where it is not what they take."""

    def read(self, space: Space, seed: int, **files: str | None) -> tuple[Any, str]:
        """Make a batch of what `files` names, None for what is not given, and check it.

        Returns:
            The batch, and a line that says what stands in the place of what is not given; empty where nothing does.

        Raises:
            InputError: a file is not as described, or one is missing that another needs.
        """

    def engine(self, name: str, space: Space, batch: Any, precision: str) -> Engine:
        """Return one of ENGINES on a batch that was checked."""

    def identity(self, space: Space, architecture: str) -> bytes:
        """Return a digest: networks of one space with equal digests are the same function of a constant weight."""

    def trained_identity(self, space: Space, architecture: str) -> bytes:
        """Return a digest: networks of one space with equal digests are the same function of any weights."""

    def connected(self, space: Space, architecture: str) -> bool:
        """Say whether a network's outputs depend on its inputs."""

    def count(self, space: Space, architecture: str, shape: Any = None) -> Any:
        """Count parameters, FLOPs and layers for inputs of a shape (see `shape`), or of the usual one."""

    def module(self, space: Space, architecture: str, shape: Any, fill: Fill) -> torch.nn.Module:
        """Return the full-width network, float32, its layers filled in the order of the description."""

    def tensor(self, batch: Any) -> torch.Tensor:
        """Return what `module` takes: the batch as float32."""

    def shape(self, batch: Any) -> Any:
        """Return what of a batch decides the shapes of a network's layers."""

    def datasets(self, section: Mapping[str, Any]) -> list[str]:
        """Return the data sets that a section of a study scores networks on."""

    def source(self, section: Mapping[str, Any], dataset: str, inputs: str) -> str | None:
        """Return the file, in a study's folder of data, that batches are drawn from; None where they need none."""

    def inputs_of(self, section: Mapping[str, Any], dataset: str, inputs: str) -> Hashable:
        """Return what two data sets share if and only if their batches are the same."""

    def stand_in(self, section: Mapping[str, Any], dataset: str, inputs: str) -> str:
        """Say what stands in the place of a data set's own inputs, which the paper takes; empty where nothing does."""

    def shape_source(self, section: Mapping[str, Any], dataset: str) -> str | None:
        """Return the file that `data_shape` needs, None where it needs none."""

    def data_shape(self, dataset: str, path: str | None) -> Any:
        """Return the shape of a data set's inputs, from its file where it is not known."""

    def draws(
        self,
        path: str | None,
        dataset: str,
        inputs: str,
        size: int,
        draws: Iterable[int],
        seed: int,
        section: Mapping[str, Any],
    ) -> list[Any]:
        """Make one batch for each draw.

        Args:
            path: the file that `source` names.
            dataset: its name.
            inputs: their kind; see `inputs_key`.
            size: of a batch.
            draws: numbers of the draws.
            seed: of the study.
            section: of the study, with what else decides batches.

        Raises:
            InputError: a file is not as described, the kind of inputs is unknown, or there is too little of it.
        """

    def labels(
        self, path: str | None, inputs: str, size: int, draws: Iterable[int], seed: int, classes: int
    ) -> list[np.ndarray]:
        """Return the labels of the batches that `draws` makes, int64 (size,): uniform ones for made-up inputs.

        Raises:
            InputError: such inputs have no labels.
        """


FAMILIES: Registry[Family] = Registry("family of networks", "epsinas.engines", "FAMILY")


def family_of(space: Space) -> Family:
    """Return the family of a search space's networks."""
    return FAMILIES[space.family]


def engine(name: str, space: Space, batch: Any, precision: str = "single") -> Engine:
    """Return an engine on one batch.

    Args:
        name: `lumped` or `full-width`.
        space: the search space.
        batch: images (N, C, H, W), float32 or float64, finite, H and W multiples of 4; for recurrent networks, tokens
            and their embedding.
        precision: `single`, `double`, or (lumped only) `extended`.

    Raises:
        InputError: unknown name or precision, or a batch that is not as above.
    """
    if name not in ENGINES:
        raise InputError(f"engine: found {name!r}, expected one of {', '.join(ENGINES)}")
    if name == "full-width" and precision not in ("single", "double"):
        raise InputError(f"precision: found {precision!r}, the full-width engine has single and double")
    dtype_of(precision)
    family = family_of(space)
    family.check(space, batch)
    return family.engine(name, space, batch, precision)
