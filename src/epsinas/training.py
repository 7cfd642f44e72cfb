"""Training networks of a search space on small labelled images: a benchmark of one's own."""

import time
import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from epsinas import initialisers
from epsinas.engines.full_width import FullWidthNetwork
from epsinas.errors import InputError
from epsinas.spaces import NasBench201

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Recipe:
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
    train = images[positions["train"]].astype(np.float64)
    mean, deviation = train.mean(axis=(0, 1, 2)), train.std(axis=(0, 1, 2))
    normalised = ((images - mean) / np.where(deviation > 0, deviation, 1.0)).astype(np.float32).transpose(0, 3, 1, 2)
    return Data(
        {name: torch.from_numpy(np.ascontiguousarray(normalised[at])) for name, at in positions.items()},
        {name: torch.from_numpy(numbered[at]) for name, at in positions.items()},
        len(values),
    )


def network_seed(architecture: str, seed: int) -> int:
    """Return the seed of one training: it depends on the architecture and the seed, never on the order of work."""
    return int(np.random.SeedSequence([seed, zlib.crc32(architecture.encode())]).generate_state(1)[0])


def train(space: NasBench201, architecture: str, data: Data, recipe: Recipe, seed: int) -> Outcome:
    """Train one network and evaluate it on the validation and test images.

    Batch normalisation uses the batch's statistics in training and those of the whole training split in
    evaluation. Deterministic on one machine with one thread for given arguments (seconds apart).
    """
    start = time.perf_counter()
    generator = torch.Generator().manual_seed(network_seed(architecture, seed))
    images, labels = data.images["train"], data.labels["train"]
    initialise = initialisers.random(recipe.initialisation, generator)
    network = FullWidthNetwork(space, architecture, tuple(images.shape[1:]), initialise)
    loss = fit(network, images, labels, recipe, generator)
    if not np.isfinite(loss):
        return Outcome(np.nan, np.nan, loss, time.perf_counter() - start, "non-finite")
    with torch.no_grad():
        statistics = network.statistics(images)
        valid, test = (
            _accuracy(network(data.images[name], statistics), data.labels[name]) for name in ("valid", "test")
        )
    return Outcome(valid, test, loss, time.perf_counter() - start, "ok")


def fit(
    network: torch.nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    recipe: Recipe,
    generator: torch.Generator,
) -> float:
    """Train a network in place and return the mean loss of its last epoch, in nats; stop at a non-finite loss."""
    optimiser = torch.optim.SGD(
        network.parameters(),
        recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=True,
        foreach=True,
    )
    batch = min(recipe.batch_size, len(images))
    steps = len(images) // batch
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.epochs * steps)
    mean = float("nan")
    for _ in range(recipe.epochs):
        total = 0.0
        order = torch.randperm(len(images), generator=generator)
        for step in range(steps):
            chosen = order[step * batch : (step + 1) * batch]
            optimiser.zero_grad()
            loss = functional.cross_entropy(network(images[chosen]), labels[chosen])
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        mean = total / steps
        if not np.isfinite(mean):
            break
    return mean


def _accuracy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the percentage of labels that the largest logit names."""
    return 100.0 * (logits.argmax(dim=1) == labels).double().mean().item()
