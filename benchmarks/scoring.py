"""Measure scoring: lumped against full-width on one sample, and how time grows with batch and networks.

Prints a Markdown table. Both engines use all cores. Seconds differ from machine to machine; the ratio of two
measurements of one run is what to compare.
"""

import argparse
import os
import time

import numpy as np
from tqdm import tqdm

from epsinas import score_architectures, space
from epsinas.batches import image_batch, read_batch

WEIGHTS = (1e-7, 1.0)


def seconds(architectures: list[str], batch: np.ndarray, **options: object) -> float:
    """Return the wall time of scoring, in seconds."""
    with tqdm(total=len(architectures), unit="network", desc=str(options.get("engine", "lumped")), leave=False) as bar:
        start = time.perf_counter()
        score_architectures(space("nas-bench-201"), architectures, batch, WEIGHTS, progress=bar.update, **options)
        return time.perf_counter() - start


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=100, help="size of the sample (default 100)")
    parser.add_argument(
        "--images", metavar="BATCH.npy", help="default: 256 random 32x32 images, normalised as CIFAR-10"
    )
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (1024, 32, 32, 3), dtype=np.uint8)
    batch = read_batch(options.images) if options.images else image_batch(pixels, "cifar10", 256, rng)
    architectures = space("nas-bench-201").sample(options.networks, rng)
    jobs = len(os.sched_getaffinity(0))
    seconds(architectures[:8], batch)  # compiles the kernels

    print(
        f"{options.networks} random networks of NAS-Bench-201, {len(batch)} images, weights {WEIGHTS}, {jobs} cores\n"
    )
    print("| engine | precision | cores | ms per network | full-width / this |")
    print("|---|---|---:|---:|---:|")
    full = seconds(architectures, batch, engine="full-width") / len(architectures)
    print(f"| full-width | single | {jobs} | {1e3 * full:.1f} | 1 |", flush=True)
    for precision in ("single", "double", "extended"):
        one = seconds(architectures, batch, precision=precision) / len(architectures)
        print(f"| lumped | {precision} | 1 | {1e3 * one:.2f} | {full / one:.0f} |", flush=True)

    # Starting worker processes costs a second or two, so several cores are measured on enough networks.
    many = space("nas-bench-201").sample(20 * options.networks, rng)
    wall = seconds(many, batch, jobs=jobs) / len(many)
    print(f"| lumped, {len(many)} networks | single | {jobs} | {1e3 * wall:.2f} | {full / wall:.0f} |")

    print("\n| images | ms per network | | networks | ms per network |\n|---:|---:|---|---:|---:|")
    sizes, counts = (16, 64, 256, 1024), (len(many) // 64, len(many) // 16, len(many) // 4, len(many))
    for size, count in zip(sizes, counts, strict=True):
        other = np.resize(batch, (size, *batch.shape[1:]))
        grown = seconds(architectures, other) / len(architectures)
        more = seconds(many[:count], batch, jobs=jobs) / count
        print(f"| {size} | {1e3 * grown:.2f} | | {count} | {1e3 * more:.2f} |", flush=True)


if __name__ == "__main__":
    main()
