"""Measure scoring: lumped against full-width in each search space, and how time grows with what is scored.

Prints Markdown tables, also of images, batches, networks and what a second core brings. The full-width engine uses all
cores. Seconds differ from machine to machine; the ratio of two measurements of one run is what to compare.
"""

import argparse
import time

import numpy as np
import pandas as pd
from tqdm import tqdm

from epsinas import score_architectures, space
from epsinas.cli.spaces import usable_cores
from epsinas.engines.images.batches import image_batch, read_batch
from epsinas.engines.sequences.batches import BATCH, STEPS, TokenBatch, embedding
from epsinas.metrics.epsilon import METRIC, pair_setting
from epsinas.metrics.subject import Conditions
from epsinas.scoring import score_networks


def seconds(name: str, architectures: list[str], batch: np.ndarray | TokenBatch, **options: object) -> float:
    """Return the wall time of scoring, in seconds for each network."""
    with tqdm(total=len(architectures), unit="network", desc=str(options.get("engine", name)), leave=False) as bar:
        start = time.perf_counter()
        score_architectures(space(name), architectures, batch, progress=bar.update, **options)
        return (time.perf_counter() - start) / len(architectures)


def compare(name: str, architectures: list[str], batch: np.ndarray | TokenBatch, referred: int, compared: int) -> None:
    """Print a table: full-width on the first `referred` networks, lumped on the first `compared`, and on all."""
    jobs = usable_cores()
    seconds(name, architectures[:8], batch)  # compiles the kernels
    print(f"\n{name}, weights {space(name).weights}:\n")
    print("| engine | precision | networks | cores | ms per network | full-width / this |")
    print("|---|---|---:|---:|---:|---:|")
    full = seconds(name, architectures[:referred], batch, engine="full-width")
    print(f"| full-width | single | {referred} | {jobs} | {1e3 * full:.1f} | 1 |", flush=True)
    for precision in ("single", "double", "extended"):
        one = seconds(name, architectures[:compared], batch, precision=precision)
        print(f"| lumped | {precision} | {compared} | 1 | {1e3 * one:.2f} | {full / one:.0f} |", flush=True)
    # Starting worker processes costs a second or two, so several cores are measured on enough networks.
    wall = seconds(name, architectures, batch, jobs=jobs)
    print(f"| lumped | single | {len(architectures)} | {jobs} | {1e3 * wall:.2f} | {full / wall:.0f} |", flush=True)


def grow(architectures: list[str], batch: np.ndarray) -> None:
    """Print how the time of NAS-Bench-201 grows with images, batches, networks and processes."""
    named, part, cores = space("nas-bench-201"), architectures[: max(len(architectures) // 20, 1)], usable_cores()
    print(f"\nnas-bench-201, single precision, 1 core, {len(part)} networks:\n")
    print("| images | ms per network | | draws of 256 | ms per network |\n|---:|---:|---|---:|---:|")
    for size, draws in zip((16, 64, 256, 1024), (1, 2, 4, 8), strict=True):
        grown = seconds(named.name, part, np.resize(batch, (size, *batch.shape[1:])))
        conditions = [Conditions(named, np.roll(batch, draw, axis=3), draw=draw) for draw in range(draws)]
        networks = pd.DataFrame({"index": range(len(part)), "architecture": part})
        start = time.perf_counter()
        score_networks([(METRIC, [pair_setting(named.weights)])], conditions, networks)
        drawn = (time.perf_counter() - start) / len(part)
        print(f"| {size} | {1e3 * grown:.2f} | | {draws} | {1e3 * drawn:.2f} |", flush=True)
    # Networks of one function are scored once, and more of them turn up among more networks.
    print("\n| networks | cores | seconds | ms per network | 1 core / this |\n|---:|---:|---:|---:|---:|")
    for share in (16, 4, 1):
        some = architectures[: max(len(architectures) // share, 1)]
        one = 0.0
        for jobs in sorted({1, min(2, cores), cores}):
            wall = seconds(named.name, some, batch, jobs=jobs)
            one = one or wall
            print(
                f"| {len(some)} | {jobs} | {wall * len(some):.1f} | {1e3 * wall:.2f} | {one / wall:.2f} |", flush=True
            )


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=2000, help="of NAS-Bench-201, in all (default 2000)")
    parser.add_argument(
        "--images", metavar="BATCH.npy", help="default: 256 random 32x32 images, normalised as CIFAR-10"
    )
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (1024, 32, 32, 3), dtype=np.uint8)
    images = read_batch(options.images) if options.images else image_batch(pixels, "cifar10", 256, rng)
    architectures = space("nas-bench-201").sample(options.networks, rng)
    words = 10_000
    text = TokenBatch(rng.integers(words, size=(STEPS, BATCH)), embedding("uniform_positive_1", words, rng))

    print(f"Random networks, {len(images)} images of 32x32, {BATCH} sequences of {STEPS} tokens.")
    part = max(options.networks // 20, 1)
    compare("nas-bench-201", architectures, images, part, part)
    compare("nas-bench-101", space("nas-bench-101").sample(4 * part, rng), images, 2, part)
    compare("nas-bench-nlp", space("nas-bench-nlp").sample(4 * part, rng), text, 3, part)
    grow(architectures, images)


if __name__ == "__main__":
    main()
