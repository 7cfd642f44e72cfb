"""Training networks of a search space on small labelled images."""

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from epsinas.engines.images import initialisers
from epsinas.engines.images.batches import normalise_images
from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.errors import InputError
from epsinas.files.images import statistics_of
from epsinas.spaces.base import ImageSpace

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Schedule:
    """How a network is trained: SGD with Nesterov momentum, a cosine schedule to 0, cross entropy.

    Attributes:
        epochs: passes over the training images.
        batch_size: images in a step; the last, smaller batch of an epoch is left out.
        learning_rate: at the first step.
        momentum: of Nesterov's method.
        weight_decay: L2 penalty on all weights.
        initialisation: of the convolutions, one of `initialisers.RANDOM`.
    """

    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    initialisation: str = "kaiming_normal"


@dataclass(frozen=True)
class Data:
    """Normalised images float32 (N, C, H, W) and labels int64 (N,) of each of SPLITS."""

    images: dict[str, torch.Tensor]
    labels: dict[str, torch.Tensor]
    classes: int


@dataclass(frozen=True)
class Outcome:
    """What training one network gave: accuracies in percent, the last epoch's mean loss in nats, seconds.

    `status` is `ok`, or `non-finite` where the loss left the numbers; accuracies are then NaN.
    """

    valid: float
    test: float
    loss: float
    seconds: float
    status: str


def split(labels: np.ndarray, valid: float, test: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Divide examples into SPLITS, stratified: each class gives the same fractions.

    Args:
        labels: (N,) integers.
        valid: fraction for validation.
        test: fraction for testing; the rest is for training.
        rng: shuffles within each class.

    Returns:
        Sorted positions of each split.

    Raises:
        InputError: a fraction is not positive or nothing is left for training, or a class is too small to be in
            every split.
    """
    if not (valid > 0 and test > 0 and valid + test < 1):
        raise InputError(f"split: found valid {valid} and test {test}, expected positive fractions with a sum below 1")
    parts: dict[str, list[np.ndarray]] = {name: [] for name in SPLITS}
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        ends = np.round(np.cumsum([1 - valid - test, valid]) * members.size).astype(int)
        for name, part in zip(SPLITS, np.split(members, ends), strict=True):
            if not part.size:
                raise InputError(f"label {label}: found {members.size} images, too few for a share in every split")
            parts[name].append(part)
    return {name: np.sort(np.concatenate(parts[name])) for name in SPLITS}


def prepare(images: np.ndarray, labels: np.ndarray, positions: dict[str, np.ndarray]) -> Data:
    """Normalise images uint8 (N, H, W, C) by the training split's mean and deviation per channel.

    Labels are renumbered 0, 1, ... in the order of their values.
    """
    values, numbered = np.unique(labels, return_inverse=True)
    statistics = statistics_of(images[positions["train"]])
    return Data(
        {name: torch.from_numpy(normalise_images(images[at], *statistics)) for name, at in positions.items()},
        {name: torch.from_numpy(numbered[at]) for name, at in positions.items()},
        len(values),
    )


def network_seed(architecture: str, seed: int) -> int:
    """Return the seed of one training: it depends on the architecture and the seed, never on the order of work."""
    return int(np.random.SeedSequence([seed, zlib.crc32(architecture.encode())]).generate_state(1)[0])


def train(space: ImageSpace, architecture: str, data: Data, schedule: Schedule, seeds: Sequence[int]) -> list[Outcome]:
    """Train one network with several seeds and evaluate it on the validation and test images.

    The replicas, one for each seed, run side by side in one grouped network, which costs little more than one of
    them: weights, order of the images and gradients are separate. Batch normalisation uses the batch's statistics
    in training and those of the whole training split in evaluation. Deterministic on one machine with one thread
    for given arguments (seconds apart).

    Returns:
        One outcome for each seed; `seconds` is each replica's share of the time.
    """
    start = time.perf_counter()
    generators = [torch.Generator().manual_seed(network_seed(architecture, seed)) for seed in seeds]
    images, labels = data.images["train"], data.labels["train"]
    network = FullWidthNetwork(
        space,
        architecture,
        tuple(images.shape[1:]),
        [initialisers.random(schedule.initialisation, generator) for generator in generators],
    )
    losses = fit(network, images, labels, schedule, generators)
    reached = accuracies(network, data)
    seconds = (time.perf_counter() - start) / len(seeds)
    return [
        Outcome(valid, test, loss, seconds, "ok")
        if np.isfinite(loss)
        else Outcome(np.nan, np.nan, loss, seconds, "non-finite")
        for valid, test, loss in zip(reached["valid"], reached["test"], losses, strict=True)
    ]


def fit(
    network: FullWidthNetwork,
    images: torch.Tensor,
    labels: torch.Tensor,
    schedule: Schedule,
    generators: Sequence[torch.Generator],
) -> list[float]:
    """Train a network's replicas in place, each with images in the order of its own generator.

    Args:
        network: with as many replicas as there are generators.
        images: float32 (N, C, H, W).
        labels: int64 (N,).
        schedule: how to train.
        generators: shuffle the images.

    Returns:
        The mean loss of each replica's last epoch, in nats; not finite where the training failed.
    """
    optimiser = torch.optim.SGD(
        network.parameters(),
        schedule.learning_rate,
        momentum=schedule.momentum,
        weight_decay=schedule.weight_decay,
        nesterov=True,
        foreach=True,
    )
    batch = min(schedule.batch_size, len(images))
    steps = len(images) // batch
    annealing = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, schedule.epochs * steps)
    losses = torch.zeros(steps, len(generators))
    for _ in range(schedule.epochs):
        orders = torch.stack([torch.randperm(len(images), generator=generator) for generator in generators], dim=1)
        for step in range(steps):
            chosen = orders[step * batch : (step + 1) * batch]
            optimiser.zero_grad()
            logits = network(images[chosen].flatten(1, 2)).unflatten(1, (len(generators), -1))
            loss = functional.cross_entropy(logits.transpose(1, 2), labels[chosen], reduction="none").mean(dim=0)
            loss.sum().backward()
            optimiser.step()
            annealing.step()
            losses[step] = loss.detach()
    return losses.double().mean(dim=0).tolist()


@torch.no_grad()
def accuracies(network: FullWidthNetwork, data: Data) -> dict[str, list[float]]:
    """Return each replica's accuracy in percent on the validation and the test images."""

    def repeated(images: torch.Tensor) -> torch.Tensor:
        return images.repeat(1, network.replicas, 1, 1)

    statistics = network.statistics(repeated(data.images["train"]))
    found = {}
    for name in ("valid", "test"):
        logits = network(repeated(data.images[name]), statistics).unflatten(1, (network.replicas, -1))
        correct = logits.argmax(dim=2) == data.labels[name][:, None]
        found[name] = (100.0 * correct.double().mean(dim=0)).tolist()
    return found


def train_networks(
    space: ImageSpace,
    networks: pd.DataFrame,
    data: Data,
    schedule: Schedule,
    seeds: Sequence[int],
    progress: Callable[[int], None] = lambda count: None,
) -> pd.DataFrame:
    """Train each network with each seed, on one thread.

    Args:
        space: the search space with the skeleton to train.
        networks: columns `index` and `architecture`.
        data: normalised images and labels.
        schedule: how to train.
        seeds: one training for each, side by side.
        progress: called with the number of trainings done since the last call.

    Returns:
        A row for each network and seed: `index`, `seed`, and the fields of `Outcome`.
    """
    torch.set_num_threads(1)
    rows = []
    for index, architecture in zip(networks["index"], networks["architecture"], strict=True):
        for seed, outcome in zip(seeds, train(space, architecture, data, schedule, seeds), strict=True):
            rows.append({"index": index, "seed": seed, **asdict(outcome)})
        progress(len(seeds))
    return pd.DataFrame(rows)
