"""Measure what metrics cost on NAS-Bench-201: each by itself, and together, when they share passes.

A batch of 64 images of CIFAR-10's shape, random labels. Prints a line for each metric that scores images in a single
setting, but those that only count and `cv`, which takes 100 initialisations, and the sums over those of the paper and
over all.
"""

import argparse
import time

import numpy as np
import torch

from epsinas import NasBench201
from epsinas.engines.images.batches import synthetic_batch
from epsinas.engines.memory import keep_freed_memory
from epsinas.metrics.base import METRICS, Metric
from epsinas.metrics.subject import Conditions, Subject

PAPER = (
    "grad_norm", "snip", "grasp", "fisher", "synflow", "jacob_cov", "naswot", "grad_sign", "tenas_ntk", "tenas_regions",
)  # fmt: skip
OTHERS = tuple(
    metric.name
    for metric in METRICS
    if metric.name not in PAPER
    and metric.suits("images")
    and "one" in metric.settings
    and metric.cost not in ("nothing", "minutes")
)


def seconds(metric: Metric, subject: Subject) -> float:
    """Measure one score by the usual settings."""
    (settings, *_) = metric.settings.values()
    start = time.perf_counter()
    for setting in settings({}):
        metric.score(subject, setting)
    return time.perf_counter() - start


def main() -> None:
    """Read the arguments, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    space, rng = NasBench201(), np.random.default_rng(0)
    batch = synthetic_batch("pink_noise", (64, 3, 32, 32), rng)
    conditions = Conditions(space, batch, labels=rng.integers(10, size=64))
    alone: dict[str, list[float]] = {name: [] for name in (*PAPER, *OTHERS)}
    shared: dict[str, list[float]] = {name: [] for name in (*PAPER, *OTHERS)}
    # The first network warms up.
    for number, architecture in enumerate(space.sample(arguments.networks + 1, rng)):
        together = Subject(conditions, architecture)
        for name in (*PAPER, *OTHERS):
            spent = seconds(METRICS[name], Subject(conditions, architecture)), seconds(METRICS[name], together)
            if number:
                alone[name].append(spent[0])
                shared[name].append(spent[1])
    print(f"{arguments.networks} networks, {arguments.threads} threads; milliseconds a network")
    print(f"{'metric':18s} {'alone':>9s} {'together':>9s}")
    for name in alone:
        print(f"{name:18s} {1e3 * np.mean(alone[name]):9.1f} {1e3 * np.mean(shared[name]):9.1f}")
    for title, names in (("of the paper", PAPER), ("all", (*PAPER, *OTHERS))):
        sums = [sum(np.mean(found[name]) for name in names) for found in (alone, shared)]
        print(f"{title:18s} {1e3 * sums[0]:9.1f} {1e3 * sums[1]:9.1f}  {sums[0] / sums[1]:.2f} times")


if __name__ == "__main__":
    main()
