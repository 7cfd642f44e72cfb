"""Models and batches that a command names."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from epsinas.engines.images.batches import raw_batch
from epsinas.errors import InputError
from epsinas.files.arrays import read_array
from epsinas.registry import import_own
from epsinas.streams import stream


def find_model(name: str) -> Callable[[], nn.Module]:
    """Find a model of one's own by `package.module:function`, and return what makes it.

    The function takes no arguments and returns a `torch.nn.Module`; such a module itself will do, too.

    Raises:
        InputError: there is no such module, or nothing in it that makes a model; or, when it is called, it makes none.

    Example:
        >>> find_model("torch.nn:Identity")()
        Identity()
    """
    module, _, function = name.partition(":")
    if not module or not function:
        raise InputError(f"model: found {name!r}, expected PACKAGE.MODULE:FUNCTION")
    found = getattr(import_own(module), function, None)
    if isinstance(found, nn.Module):
        return lambda: found
    if not callable(found):
        kind = "nothing of that name" if found is None else type(found).__name__
        raise InputError(f"model: found {kind}, expected a function without arguments, or a torch.nn.Module")

    def make() -> nn.Module:
        model = found()
        if not isinstance(model, nn.Module):
            raise InputError(f"model: the function returned {type(model).__name__}, expected a torch.nn.Module")
        return model

    return make


def read_inputs(path: str | Path, dataset: str | None = None) -> np.ndarray:
    """Read what a model takes: any array (`.npy`), or raw images (`.npz`), of which 256 are chosen and normalised.

    Args:
        path: of the file.
        dataset: whose normalisation raw images get; by default that of their own mean and deviation.

    Raises:
        InputError: the file is not as described, or `dataset` is given with an array.
    """
    if Path(path).suffix == ".npz":
        return raw_batch(path, dataset, stream(0, "batch", 0))
    if dataset is not None:
        raise InputError(f"dataset: found {dataset}, expected none, which is for raw images (.npz) only")
    return read_array(path, "what the model takes")


def in_dtype_of(model: nn.Module, batch: np.ndarray) -> Tensor | np.ndarray:
    """Return a batch of floating-point numbers in the dtype of a model's first parameter of such; any other as it is.

    Example:
        >>> in_dtype_of(nn.Linear(2, 1), np.array([[0.5, 1.0]]))
        tensor([[0.5000, 1.0000]])
    """
    dtype = next((one.dtype for one in model.parameters() if one.is_floating_point()), None)
    if dtype is None or not np.issubdtype(batch.dtype, np.floating):
        return batch
    # By way of a dtype that torch has in this computer's order of bytes.
    return torch.from_numpy(batch.astype(np.float64)).to(dtype)
