"""What random networks do inside, and what metrics of it share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from epsinas.engines.watching import watched_pass
from epsinas.metrics.base import Scored, scored

if TYPE_CHECKING:
    import torch

    from epsinas.metrics.subject import Subject


_PLACES = 8192
"""How many are gone through at once, so that what is made of them stays in the cache."""


def of_connected(score: Callable[[Subject], float]) -> Callable[[Subject, str], Scored]:
    """Make a formula of a subject into that of a metric: networks whose input does not reach the output have no score.

    Minus infinity is the logarithm of nothing, where what is measured does not vary: the reason is `constant`.
    """

    def of_setting(subject: Subject, setting: str) -> Scored:
        if not subject.connected:
            return Scored(math.nan, reason="disconnected")
        value = score(subject)
        return Scored(math.nan, reason="constant") if value == -math.inf else scored(value)

    return of_setting


class ForwardPass(NamedTuple):
    """What metrics ask of one pass of a network with torch's own random weights over the batch.

    Attributes:
        codes: of each ReLU that is applied, bool (N, units), where its input is positive.
        blocks: of each convolution, batch normalisation, ReLU and linear layer with outputs of C channels, (C, C): the
            channels at C places in a row, which are pixels of one image or of neighbours in the batch, or of as many
            as there are. Channels come second, but last behind a linear layer and behind a ReLU that follows one.
    """

    codes: list[torch.Tensor]
    blocks: list[torch.Tensor]


def forward_pass(subject: Subject) -> ForwardPass:
    """Return the pass that metrics share, which is made once."""
    return subject.once(_forward_pass)


def _forward_pass(subject: Subject) -> ForwardPass:
    import torch

    seen = ForwardPass([], [])
    generator = subject.generator("places")
    of_linear: Any = None  # the last output whose channels come last

    def watch(operation: str, arguments: tuple[Any, ...], output: Any) -> None:
        nonlocal of_linear
        if operation == "relu":
            seen.codes.append(code(arguments[0]))
        if operation in ("conv", "batch_norm", "relu", "linear"):
            last = operation == "linear" or (operation == "relu" and arguments[0] is of_linear)
            of_linear = output if last else None
            seen.blocks.append(_block(output.movedim(-1, 1) if last else output, generator))

    with torch.no_grad():
        subject.watched(subject.network, subject.tensor, watch)
    return seen


def code(x: torch.Tensor) -> torch.Tensor:
    """Return where the entries of (N, ...) are positive, bool (N, units)."""
    return (x > 0).flatten(1)


def relu_codes(network: Any, inputs: torch.Tensor) -> torch.Tensor:
    """Return where the inputs of all ReLUs of a network are positive, bool (N, units)."""
    import torch

    codes: list[torch.Tensor] = []
    with torch.no_grad():
        watched_pass(
            network,
            inputs,
            lambda operation, arguments, output: codes.append(code(arguments[0])) if operation == "relu" else None,
        )
    return torch.cat(codes, dim=1)


def by_channel(x: torch.Tensor) -> torch.Tensor:
    """Return the channels of maps (N, C, H, W) or of vectors (N, C) at every place, (places, C)."""
    return x.movedim(1, -1).reshape(-1, x.shape[1])


def channel_covariance(maps: torch.Tensor) -> torch.Tensor:
    """Return the covariance of the channels of maps (N, C, H, W) over images and places, float64 (C, C)."""
    import torch

    places = by_channel(maps)
    mean, total = places.mean(dim=0), torch.zeros(2 * places.shape[1:], dtype=torch.float64, device=maps.device)
    for part in places.split(_PLACES):
        deviations = part - mean
        total += deviations.T @ deviations
    return total / len(places)


def _block(output: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    import torch

    places = by_channel(output)
    last = max(len(places) - places.shape[1], 0)
    start = int(torch.randint(last + 1, (), generator=generator))
    return places[start : start + places.shape[1]].clone()
