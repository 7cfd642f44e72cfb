"""Run the official study of NAS-Bench-101 on all 423,624 networks, with made-up accuracies, and say what it cost.

    python benchmarks/all_of_nas_bench_101.py FOLDER

A file in the official format is written into FOLDER and read into a mirror there. The study runs on it at one draw, in
single precision, on noise with the statistics of natural images: description, scores by epsilon and SynFlow in the
mean, Table 3 and Figure 2. Started again, it goes on where it stopped. Less than an hour of two cores.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import yaml
from official_files import NETWORKS, write_tfrecord
from study import print_costs

from epsinas.files.tables import write_architectures, write_performance
from epsinas.sources.nas_bench_101 import read_nas_bench_101

ROOT = Path(__file__).resolve().parents[1]
SPACE = "nas-bench-101"
NAME = "all-of-nas-bench-101"


def write_mirror(folder: Path, networks: int) -> Path:
    """Write a file in the official format, and what its reader makes of it, if they are not there."""
    mirror = folder / "mirror"
    file = folder / "nasbench_only108.tfrecord"
    if not mirror.is_dir():
        print(f"writing {networks:,} networks: a minute or two", flush=True)
        write_tfrecord(file, networks, None)
        tables = read_nas_bench_101(file)
        mirror.mkdir()
        write_architectures(tables.architectures, mirror / f"{SPACE}.architectures.parquet")
        write_performance(tables.performance, mirror / f"{SPACE}.performance.parquet")
    return mirror


def write_study(folder: Path, mirror: Path, networks: int) -> Path:
    """Write the official study's section of the space, at one draw, with metrics that are computed of every network."""
    official = yaml.safe_load((ROOT / "workflow" / "studies" / "official.yaml").read_text())
    kept = ("datasets", "performance", "weights", "batch_size", "resamples", "metrics")
    section = {key: official[SPACE][key] for key in kept}
    section |= {"inputs": "pink_noise", "precisions": ["single"], "draws": 1, "networks": networks}
    section |= {"comparison": {"metrics": ["parameters", "flops", "convolutions", "random"]}}
    study = {"study": NAME, "seed": 0, "mirror": str(mirror.resolve()), SPACE: section}
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return path


def main() -> None:
    """Write, run, and print the table of costs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where everything is written, about 1 GB")
    parser.add_argument("--cores", type=int, default=2, help="default 2")
    parser.add_argument("--networks", type=int, default=NETWORKS[SPACE], help="the first ones; all by default")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    study = write_study(options.folder, write_mirror(options.folder, options.networks), options.networks)
    start = time.perf_counter()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(options.folder), "--configfile", str(study), "--cores", str(options.cores)]
    command += ["--", f"results/{NAME}/tables/table3.csv", f"figures/{NAME}/figure2.svg"]
    subprocess.run(command, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = time.perf_counter() - start
    print(f"\n{seconds:.0f} seconds on {options.cores} cores, {used.ru_utime + used.ru_stime:.0f} of CPU\n")
    print_costs(options.folder / "results" / NAME)


if __name__ == "__main__":
    main()
