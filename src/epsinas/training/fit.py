"""Training networks of a search space on small labelled images: a benchmark of one's own."""

import itertools
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from epsinas.engines.images import initialisers, lumped
from epsinas.engines.images.counting import count
from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.errors import InputError
from epsinas.scoring import distinct
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


def train(space: NasBench201, architecture: str, data: Data, recipe: Recipe, seeds: Sequence[int]) -> list[Outcome]:
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
        [initialisers.random(recipe.initialisation, generator) for generator in generators],
    )
    losses = fit(network, images, labels, recipe, generators)
    accuracies = evaluate(network, data)
    seconds = (time.perf_counter() - start) / len(seeds)
    return [
        Outcome(valid, test, loss, seconds, "ok")
        if np.isfinite(loss)
        else Outcome(np.nan, np.nan, loss, seconds, "non-finite")
        for valid, test, loss in zip(accuracies["valid"], accuracies["test"], losses, strict=True)
    ]


def fit(
    network: FullWidthNetwork,
    images: torch.Tensor,
    labels: torch.Tensor,
    recipe: Recipe,
    generators: Sequence[torch.Generator],
) -> list[float]:
    """Train a network's replicas in place, each with images in the order of its own generator.

    Args:
        network: with as many replicas as there are generators.
        images: float32 (N, C, H, W).
        labels: int64 (N,).
        recipe: how to train.
        generators: shuffle the images.

    Returns:
        The mean loss of each replica's last epoch, in nats; not finite where the training failed.
    """
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
    losses = torch.zeros(steps, len(generators))
    for _ in range(recipe.epochs):
        orders = torch.stack([torch.randperm(len(images), generator=generator) for generator in generators], dim=1)
        for step in range(steps):
            chosen = orders[step * batch : (step + 1) * batch]
            optimiser.zero_grad()
            logits = network(images[chosen].flatten(1, 2)).unflatten(1, (len(generators), -1))
            loss = functional.cross_entropy(logits.transpose(1, 2), labels[chosen], reduction="none").mean(dim=0)
            loss.sum().backward()
            optimiser.step()
            schedule.step()
            losses[step] = loss.detach()
    return losses.double().mean(dim=0).tolist()


@torch.no_grad()
def evaluate(network: FullWidthNetwork, data: Data) -> dict[str, list[float]]:
    """Return each replica's accuracy in percent on the validation and the test images."""

    def repeated(images: torch.Tensor) -> torch.Tensor:
        return images.repeat(1, network.replicas, 1, 1)

    statistics = network.statistics(repeated(data.images["train"]))
    accuracies = {}
    for name in ("valid", "test"):
        logits = network(repeated(data.images[name]), statistics).unflatten(1, (network.replicas, -1))
        correct = logits.argmax(dim=2) == data.labels[name][:, None]
        accuracies[name] = (100.0 * correct.double().mean(dim=0)).tolist()
    return accuracies


def trained_by(space: NasBench201, architectures: Sequence[str]) -> np.ndarray:
    """Find, for each architecture, which of them is trained in its place.

    Networks share a training if they are the same function of the images *and of their weights*. That is a finer
    distinction than between constant-weight networks: a doubled convolution and the sum of two have equal scores,
    but train differently. A convolution that nothing reaches counts as `none`, as in the benchmark's own count of
    unique networks; in training it could at most learn a shift. Of the architectures that share one, the one with
    the fewest layers is trained (edges that reach nothing cost time), the first of them in case of a tie.

    Returns:
        int64 (architectures,), positions.

    Raises:
        InputError: an architecture is malformed; the message gives its position from 1.
    """
    _, members = distinct(space, architectures)
    crowded = np.bincount(members)[members] > 1
    groups: dict[tuple[int, bytes], list[int]] = {}
    for position, architecture in enumerate(architectures):
        # Only networks that are equal under constant weights can be equal at all.
        fine = weighted_identity(space, architecture) if crowded[position] else b""
        groups.setdefault((int(members[position]), fine), []).append(position)
    chosen = np.empty(len(architectures), dtype=np.int64)
    for group in groups.values():
        chosen[group] = min(group, key=lambda position: count(space, architectures[position]).layers)
    return chosen


_ORDINALS = {k: k for k in range(64)}
"""Every convolution called by its place in the description."""


class _Weighted(lumped.Graph):
    """A graph in which the k-th convolution has weights of its own, called `names.get(k)`."""

    def __init__(self, names: dict[int, int]):
        super().__init__()
        self.names, self.convolutions = names, itertools.count()

    def conv(self, x: lumped.Runs, channels: int, kernel: int, stride: int = 1) -> lumped.Runs:
        name = self.names.get(next(self.convolutions))
        ((node, count),) = super().conv(x, channels, kernel, stride)
        return ((node if node.is_zero else self._node("weights", (name,), (node,), node.size), count),)


def weighted_identity(space: NasBench201, architecture: str) -> bytes:
    """Return a digest that two architectures share if and only if they are equal up to the names of weights.

    The digest is the smallest over all ways to name the convolutions that reach the cell's output.
    """
    output = lumped.cell(space, architecture, _Weighted(_ORDINALS))
    used = [node.attributes[0] for node in lumped.schedule(output)[0] if node.operation == "weights"]
    return min(
        lumped.cell(space, architecture, _Weighted(dict(zip(used, order, strict=True)))).digest
        for order in itertools.permutations(range(len(used)))
    )


def train_networks(
    space: NasBench201,
    networks: pd.DataFrame,
    data: Data,
    recipe: Recipe,
    seeds: Sequence[int],
    progress: Callable[[int], None] = lambda count: None,
) -> pd.DataFrame:
    """Train each network with each seed, on one thread.

    Args:
        space: the search space with the skeleton to train.
        networks: columns `index` and `architecture`.
        data: normalised images and labels.
        recipe: how to train.
        seeds: one training for each, side by side.
        progress: called with the number of trainings done since the last call.

    Returns:
        A row for each network and seed: `index`, `seed`, and the fields of `Outcome`.
    """
    torch.set_num_threads(1)
    rows = []
    for index, architecture in zip(networks["index"], networks["architecture"], strict=True):
        for seed, outcome in zip(seeds, train(space, architecture, data, recipe, seeds), strict=True):
            rows.append({"index": index, "seed": seed, **asdict(outcome)})
        progress(len(seeds))
    return pd.DataFrame(rows)


def choose(space: NasBench201, networks: int | None, seed: int) -> pd.DataFrame:
    """Choose the networks of a benchmark and say which of them are trained.

    Args:
        space: the search space.
        networks: how many to draw at random; None for the whole space, in random order.
        seed: of the draw.

    Returns:
        `index` from 0, `architecture`, and `trained`: the index of the network that is trained in its place (see
        `trained_by`).
    """
    size = len(list(space.architectures())) if networks is None else networks
    architectures = space.sample(size, np.random.default_rng(seed))
    return pd.DataFrame(
        {
            "index": np.arange(size, dtype=np.int32),
            "architecture": architectures,
            "trained": trained_by(space, architectures).astype(np.int32),
        }
    )


def performance_table(networks: pd.DataFrame, outcomes: pd.DataFrame, dataset: str, epochs: int) -> pd.DataFrame:
    """Give every network the outcome of the one that was trained in its place, in the schema of performances.

    Args:
        networks: what `choose` returns.
        outcomes: what `train_networks` returns for all trained networks.
        dataset: name of the images.
        epochs: of the training.

    Returns:
        Rows for `valid` and `test`, for each seed and (seed null) their mean; further columns `seconds` and
        `status` of the training. A network that failed has no accuracy; nor has the mean where a seed failed.
    """
    long = outcomes.melt(
        ["index", "seed", "seconds", "status"], ["valid", "test"], var_name="split", value_name="accuracy"
    ).astype({"seed": "Int8"})
    means = long.groupby(["index", "split"], as_index=False).agg(
        accuracy=("accuracy", lambda values: values.mean(skipna=False)),
        seconds=("seconds", "mean"),
        status=("status", lambda values: "ok" if (values == "ok").all() else "non-finite"),
    )
    rows = pd.concat([means.assign(seed=pd.array([pd.NA] * len(means), dtype="Int8")), long])
    table = networks[["index", "trained"]].merge(rows.rename(columns={"index": "trained"}), on="trained")
    table = table.assign(dataset=dataset, epochs=np.int16(epochs)).sort_values(
        ["index", "split", "seed"], ascending=[True, False, True], na_position="first"
    )
    columns = ["index", "dataset", "split", "epochs", "seed", "accuracy", "seconds", "status"]
    return table[columns].reset_index(drop=True)
