"""How a torch model is called: what of a batch goes in, and what of its result is the output."""

import copy
import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence
from torch.utils.data import DataLoader, Dataset

from epsinas.errors import InputError
from epsinas.models.copying import DetachedCopies

_ROUNDINGS = 64
"""Roundings of the largest output by which equal outputs may differ: the same terms are summed in other orders."""


def arguments(batch: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call, positional and by keyword, for a batch.

    A tuple or list has positional arguments, a mapping has arguments by keyword, and a tensor or array is the one
    argument. Arrays become tensors, also inside. All tensors are copies, so that a model may write into its input.

    Raises:
        InputError: the batch is something else, such as a loader of batches, is empty, or is not finite.

    Example:
        >>> arguments({"tokens": np.array([[3, 1]])})
        ((), {'tokens': tensor([[3, 1]])})
    """
    if isinstance(batch, DataLoader | Dataset | Iterator):
        raise InputError(f"batch: found {type(batch).__name__}, expected one batch of it, such as next(iter(loader))")
    if isinstance(batch, Tensor | np.ndarray | PackedSequence):
        batch = (batch,)
    if not isinstance(batch, tuple | list | Mapping):
        kinds = "a tensor, a tuple of arguments, or a mapping of arguments by name"
        raise InputError(f"batch: found {type(batch).__name__}, expected {kinds}")
    if isinstance(batch, Mapping) and not all(isinstance(key, str) for key in batch):
        raise InputError("batch: found keys that are not text, expected names of arguments")
    with DetachedCopies() as copies:
        given = copy.deepcopy(_with_tensors(batch))
    if not any(tensor.numel() for tensor in copies.tensors):
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in copies.tensors)
        raise InputError(f"batch: found {f'shape {shapes}' if shapes else 'no tensor'}, expected one or more samples")
    if not all(map(_is_finite, copies.tensors)):
        raise InputError("batch: has entries that are not finite (NaN or infinite)")
    return ((), given) if isinstance(given, dict) else (tuple(given), {})


def _with_tensors(value: Any) -> Any:
    """Return tensors for arrays and for parameters, in whatever containers."""
    if isinstance(value, np.ndarray):
        try:
            return torch.from_numpy(value.copy())  # a view may be reversed or read-only
        except (TypeError, ValueError):
            raise InputError(f"batch: found an array of {value.dtype}, expected numbers that torch has") from None
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, Mapping):
        return {key: _with_tensors(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        items = [_with_tensors(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def _is_finite(tensor: Tensor) -> bool:
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    tensor = tensor.coalesce() if tensor.is_sparse else tensor
    values = tensor.values() if tensor.is_nested or tensor.layout is not torch.strided else tensor
    if values.is_complex() or not values.numel():
        return bool(torch.isfinite(values).all())
    # NaN is both the smallest and the largest; ten times faster than a look at every entry.
    low, high = torch.aminmax(values)
    return math.isfinite(low.item()) and math.isfinite(high.item())


def output(result: object) -> Tensor:
    """Return the output among what a model returned: a tensor, its entry `logits`, or else its first tensor.

    Args:
        result: a tensor, or a tuple, list, mapping or dataclass with one.

    Raises:
        InputError: there is no tensor, or it does not hold floating-point numbers.

    Example:
        >>> output({"loss": torch.tensor(0.5), "logits": torch.tensor([[1.0, 2.0]])})
        tensor([[1., 2.]])
    """
    found = _first(result)
    if found is None:
        raise InputError(f"model: found outputs of type {type(result).__name__}, expected a tensor")
    if not found.is_floating_point():
        raise InputError(f"model: found outputs of type {found.dtype}, expected floating-point numbers")
    if found.layout is not torch.strided or found.is_meta:
        raise InputError(f"model: found outputs of layout {found.layout} on {found.device}, expected a dense tensor")
    return found


def _first(result: object) -> Tensor | None:
    """Return the tensor `logits` or the first, in whatever order a container has its own."""
    if isinstance(result, Tensor):
        return result
    named = _by_name(result)
    if isinstance(named.get("logits"), Tensor):
        return named["logits"]
    items: Iterable[object] = named.values() or (result if isinstance(result, tuple | list) else ())
    return next((found for found in map(_first, items) if found is not None), None)


def _by_name(result: Any) -> Mapping[str, Any]:
    if isinstance(result, Mapping):
        return result
    if isinstance(result, tuple) and hasattr(result, "_asdict"):
        return result._asdict()
    if dataclasses.is_dataclass(result):
        return {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    return {"logits": result.logits} if hasattr(result, "logits") else {}


def distinct_outputs(values: Tensor | np.ndarray) -> np.ndarray:
    """Return outputs as float64, those of a sample that are equal by symmetry once.

    Under a constant weight, all outputs of a last layer are the same number for a sample, but sums in another order
    differ in the last digits. Where zeros are masked, equal outputs would then be masked in different places, and the
    score would depend on the number of classes.

    Args:
        values: floating-point (samples, ...).

    Returns:
        The first entry along each dimension after the first whose entries are equal to within 64 roundings of their
        dtype, of the largest output of all, or to within a 64th of it for short dtypes; else all of them. Outputs under
        two weights compare only if both are returned in the same shape.

    Example:
        >>> distinct_outputs(np.array([[1.0, 1.0 + 1e-15], [3.0, 3.0]]))
        array([1., 3.])
    """
    if isinstance(values, Tensor):
        precision = torch.finfo(values.dtype).eps
        numbers = values.detach().to("cpu", torch.float64).numpy()
    else:
        precision = float(np.finfo(values.dtype).eps)
        numbers = values.astype(np.float64)
    if not numbers.size or not np.isfinite(numbers).all():
        return numbers
    limit = min(_ROUNDINGS * precision, 1 / 64) * np.abs(numbers).max()
    for dim in reversed(range(1, numbers.ndim)):
        if (np.ptp(numbers, axis=dim) <= limit).all():
            numbers = numbers.take(0, axis=dim)
    return numbers
