"""How differently a network's ReLUs see the images of a batch, as the volume that their codes span."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from epsinas.errors import InputError
from epsinas.metrics.activations import forward_pass, of_connected
from epsinas.metrics.base import RANDOM_WEIGHTS, Metric

if TYPE_CHECKING:
    import torch

    from epsinas.metrics.subject import Subject


def code_volume(codes: Iterable[torch.Tensor]) -> float:
    """Return the logarithm of the determinant of the kernel of the images' codes.

    With c an image's code, 1 where the input of a ReLU is positive and 0 elsewhere, the kernel of two images is the
    number of units that agree, sum over ReLUs of c c' + (1 - c) (1 - c').

    Args:
        codes: bool (N, units), of each ReLU.

    Returns:
        log |K|, minus infinity where the kernel is singular, as it is where two images have one code.

    Example:
        Two images agree in one of three units: |K| = 3 * 3 - 1 * 1.

        >>> import math, torch
        >>> found = code_volume([torch.tensor([[True, False], [True, True]]), torch.tensor([[False], [True]])])
        >>> round(math.exp(found), 9)
        8.0
    """
    kernel = np.sum([_agreements(code) for code in codes], axis=0)
    if np.linalg.matrix_rank(kernel, hermitian=True) < len(kernel):
        return -math.inf
    return float(np.linalg.slogdet(kernel).logabsdet)


def _agreements(code: torch.Tensor) -> np.ndarray:
    """Count the units in which two images agree, float64 (N, N): (s s' + units) / 2 with s = 2 c - 1."""
    # Whole numbers, which float32 has exactly.
    signs = 2.0 * code.float() - 1
    return ((signs @ signs.T).double().cpu().numpy() + code.shape[1]) / 2


def _score(subject: Subject) -> float:
    """Score by the ReLUs of one pass; all count, also those that lead nowhere."""
    codes = forward_pass(subject).codes
    if not codes:
        raise InputError("metric naswot: found no ReLU in the network, expected one or more")
    images = len(subject.tensor)
    if (other := next((len(code) for code in codes if len(code) != images), images)) != images:
        raise InputError(f"metric naswot: found a ReLU of {other} rows, expected one for each of {images} images")
    return code_volume(codes)


METRIC = Metric(
    name="naswot",
    title="NASWOT",
    reference="Mellor et al. (2021), arXiv 2006.04647",
    score=of_connected(_score),
    needs=(RANDOM_WEIGHTS,),
    families=("images",),
    any_model=True,
)
