"""Convolutional networks over images, as a family."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from epsinas.datasets.base import DATASETS
from epsinas.engines.base import Engine, Fill, Observed
from epsinas.engines.images import batches, counting
from epsinas.engines.images.identity import trained_identity
from epsinas.errors import InputError
from epsinas.files.images import image_shape
from epsinas.spaces.base import ImageSpace, Space
from epsinas.streams import stream

if TYPE_CHECKING:
    import torch

    from epsinas.engines.images.full_width import FullWidthNetwork
    from epsinas.engines.images.lumped import Node

Shape = tuple[int, int, int]
"""Channels, height, width."""

_SECTION = {
    "datasets": {
        "description": "Names of the image sets; {dataset}.npz is retrieved for each.",
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,100}$"},
    },
    "batch_size": {"description": "Images in a batch.", "type": "integer", "minimum": 2, "default": 256},
    "inputs": {
        "description": "Real images, or the kind of synthetic ones.",
        "enum": ["real", *batches.SYNTHETIC],
        "default": "real",
    },
}


class LumpedEngine:
    """Outputs by the lumped interpreter; see `epsinas.engines.images.lumped`."""

    def __init__(self, space: ImageSpace, batch: np.ndarray, precision: str):
        from epsinas.engines.images import lumped

        self._space, self._image = space, batch.shape[1:]
        self._lumped = lumped.Lumped(batch, precision)

    def outputs(self, architecture: str, weight: float) -> np.ndarray:
        """Return one output for each image; all logits are equal."""
        return self._lumped.outputs(_graph(self._space, architecture, self._image), weight).values

    def observe(self, architecture: str, weight: float, what: str = "activations") -> list[Observed]:
        """Return the pixels of every map that is rectified or convolved."""
        from epsinas.engines.images.observing import observe_lumped

        return observe_lumped(self._lumped, self._space, architecture, weight, what)


@functools.lru_cache(maxsize=1)
def _graph(space: ImageSpace, architecture: str, image: Shape) -> Node:
    """Keep the last network's graph, for other weights and for other batches of the same shape."""
    from epsinas.engines.images import lumped

    return lumped.build(space, architecture, image)


class FullWidthEngine:
    """Outputs by the full-width interpreter, in float32 or float64.

    The classifier has a single output, as in the released notebooks: under constant weights all logits of an image
    are equal, but ten of them would differ in their last digits, and so would what `masked` leaves out.
    """

    def __init__(self, space: ImageSpace, batch: np.ndarray, precision: str):
        import torch

        fields = {field.name for field in dataclasses.fields(space)}
        self._space = dataclasses.replace(space, classes=1) if "classes" in fields else space
        self._dtype = torch.float32 if precision == "single" else torch.float64
        # A copy, because torch takes neither read-only arrays nor negative strides.
        self._batch = torch.from_numpy(np.array(batch, order="C")).to(self._dtype)

    def outputs(self, architecture: str, weight: float) -> np.ndarray:
        """Return one output for each image."""
        import torch

        with torch.no_grad():
            return self._network(architecture, weight)(self._batch).numpy().ravel()

    def observe(self, architecture: str, weight: float, what: str = "activations") -> list[Observed]:
        """Return the pixels of every map that is rectified or convolved."""
        import torch

        from epsinas.engines.images.observing import observe_full_width

        with torch.no_grad():
            return observe_full_width(self._network(architecture, weight), self._batch, what)

    def _network(self, architecture: str, weight: float) -> FullWidthNetwork:
        from epsinas.engines.images.full_width import FullWidthNetwork
        from epsinas.engines.images.initialisers import constant

        image = tuple(self._batch.shape[1:])
        return FullWidthNetwork(self._space, architecture, image, constant(weight), self._dtype)


class ImageFamily:
    """See `epsinas.engines.base.Family`; batches are arrays (N, C, H, W)."""

    name = "images"
    files: Mapping[str, tuple[str, str]] = {
        "images": (
            "FILE",
            "BATCH.npy, float32 (N, channels, H, W), already normalised, H and W multiples of 4; or IMAGES.npz, raw "
            "images uint8 (N, H, W, channels) and labels, of which 256 are chosen; without it, 1/f noise images",
        ),
        "dataset": (
            "NAME",
            "whose normalisation raw images get, such as cifar10 (default: their own mean and deviation)",
        ),
    }
    inputs_key = "inputs"
    deterministic = batches.DETERMINISTIC
    estimates_rounding = False
    section: Mapping[str, Any] = _SECTION
    required = ("datasets",)

    def check(self, space: Space, batch: Any) -> None:
        """Check the array; it may have any number of channels."""
        batches.check_batch(batch)

    def read(
        self, space: Space, seed: int, *, images: str | None = None, dataset: str | None = None
    ) -> tuple[np.ndarray, str]:
        """Read a batch (`.npy`), choose one of raw images (`.npz`), or make one of noise."""
        if dataset is not None and (images is None or not images.endswith(".npz")):
            raise InputError(f"dataset: found {dataset}, expected none, which is for raw images (.npz) only")
        rng = stream(seed, "batch", 0)
        if images is None:
            batch = batches.synthetic_batch("pink_noise", (batches.BATCH, 3, 32, 32), rng)
            return batch, f"no images given: 1/f noise, {batches.BATCH} images of 3x32x32, seed {seed}"
        if not images.endswith(".npz"):
            return batches.read_batch(images), ""
        batch = batches.raw_batch(images, dataset, rng)
        batches.check_batch(batch, images)
        return batch, ""

    def engine(self, name: str, space: Space, batch: np.ndarray, precision: str) -> Engine:
        """Return an engine, whose outputs are (N,)."""
        return (LumpedEngine if name == "lumped" else FullWidthEngine)(cast(ImageSpace, space), batch, precision)

    def identity(self, space: Space, architecture: str) -> bytes:
        """Digest the cell's graph."""
        from epsinas.engines.images import lumped

        return lumped.identity(cast(ImageSpace, space), architecture)

    def trained_identity(self, space: Space, architecture: str) -> bytes:
        """Digest the cell's graph, each convolution being one of its own."""
        return trained_identity(cast(ImageSpace, space), architecture)

    def connected(self, space: Space, architecture: str) -> bool:
        """Say whether the cell's graph is anything but zero: no skeleton here adds a path around its cells."""
        from epsinas.engines.images import lumped

        return lumped.reaches_output(cast(ImageSpace, space), architecture)

    def count(self, space: Space, architecture: str, shape: Shape | None = None) -> counting.Counts:
        """Count for one image of 3x32x32, or of a shape (channels, height, width)."""
        return counting.count(cast(ImageSpace, space), architecture, shape or (3, 32, 32))

    def module(self, space: Space, architecture: str, shape: Shape, fill: Fill) -> torch.nn.Module:
        """Return a `FullWidthNetwork`, laid out in memory as `tensor` is."""
        import torch

        from epsinas.engines.images.full_width import FullWidthNetwork

        network = FullWidthNetwork(cast(ImageSpace, space), architecture, shape, fill)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from torch's overloads

    def tensor(self, batch: np.ndarray) -> torch.Tensor:
        """Return the images with their channels side by side, which halves the time of convolutions on a CPU."""
        import torch

        # A copy, because torch takes neither read-only arrays nor negative strides.
        return torch.from_numpy(np.array(batch, np.float32, order="C")).to(memory_format=torch.channels_last)

    def shape(self, batch: np.ndarray) -> Shape:
        """Return channels, height and width."""
        _, channels, height, width = batch.shape
        return channels, height, width

    def datasets(self, section: Mapping[str, Any]) -> list[str]:
        """Return `datasets`."""
        return list(section["datasets"])

    def source(self, section: Mapping[str, Any], dataset: str, inputs: str) -> str | None:
        """Name the npz, which synthetic images of a known shape do without."""
        return f"{dataset}.npz" if inputs == "real" else self.shape_source(section, dataset)

    def inputs_of(self, section: Mapping[str, Any], dataset: str, inputs: str) -> Hashable:
        """Return the shape of synthetic images, where it is known, and otherwise the data set."""
        return _known_shape(dataset) if self.source(section, dataset, inputs) is None else dataset

    def stand_in(self, section: Mapping[str, Any], dataset: str, inputs: str) -> str:
        """Name the noise that looks like natural images to a network; the paper has the other kinds itself."""
        return "1/f noise images" if inputs == "pink_noise" else ""

    def shape_source(self, section: Mapping[str, Any], dataset: str) -> str | None:
        """Name the npz of images whose shape is not known."""
        return f"{dataset}.npz" if _known_shape(dataset) is None else None

    def data_shape(self, dataset: str, path: str | None) -> Shape:
        """Return channels, height and width of a set of images."""
        if (known := _known_shape(dataset)) is not None:
            return known
        if path is None:
            raise InputError(f"{dataset}: found no images, expected {dataset}.npz, since the shape is not known")
        height, width, channels = image_shape(path)
        return channels, height, width

    def draws(
        self,
        path: str | None,
        dataset: str,
        inputs: str,
        size: int,
        draws: Iterable[int],
        seed: int,
        section: Mapping[str, Any],
    ) -> list[np.ndarray]:
        """Choose real images, or make synthetic ones of the same shape."""
        if path is not None:
            return batches.read_draws(path, dataset, inputs, size, draws, seed)
        return batches.synthetic_draws(inputs, (size, *self.data_shape(dataset, None)), draws, seed)

    def labels(
        self, path: str | None, inputs: str, size: int, draws: Iterable[int], seed: int, classes: int
    ) -> list[np.ndarray]:
        """Take the labels of the real images that were chosen, or draw uniform ones."""
        if inputs != "real":
            return [stream(seed, "labels", draw).integers(classes, size=size) for draw in draws]
        if path is None:
            raise InputError("labels: found no file of images, expected one for real inputs")
        return batches.read_labels(path, size, draws, seed)


def _known_shape(dataset: str) -> Shape | None:
    return DATASETS[dataset].shape if dataset in DATASETS else None


FAMILY = ImageFamily()
