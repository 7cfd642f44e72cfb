"""Compute scores that the package still lacks, for so many minutes, as workflow/studies/metrics.yaml would.

For machines on which that study is more than one sitting: networks come in a random order, each as a file in the folder
of the study's results, so that nothing is lost when this is interrupted; `pack_scores.py` adds them to the package's.
Several processes may run at once, `--share 1/2` and `--share 2/2`, on as many machines. On one machine, a process of
several threads is faster than several processes, which take each other's cache.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
import yaml

from epsinas.engines.memory import keep_freed_memory, release_freed_memory
from epsinas.files.tables import write_scores
from epsinas.metrics.base import find_metric
from epsinas.scoring import score_networks
from epsinas.sources import packaged
from epsinas.stages import conditions_of
from epsinas.study.config import read_study
from epsinas.study.networks import describe, ordered, scored_as
from epsinas.study.plan import Plan

STUDY = Path(__file__).resolve().parents[1] / "workflow" / "studies" / "metrics.yaml"


def main() -> None:
    """Read the arguments, and score until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("space", choices=["nas-bench-201", "nas-bench-101"])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--threads", type=int, default=2, help="of this process (default: %(default)s)")
    parser.add_argument("--share", default="1/1", metavar="K/N", help="every N-th network from the K-th")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    plan = Plan(read_study(yaml.safe_load(STUDY.read_text())))
    (run,) = plan.comparison_runs(arguments.space)
    job = plan.job(run)
    asked = [(find_metric(name), settings) for name, settings in job["metrics"]]
    (conditions,) = conditions_of(run, job, None, labelled=True)
    folder = Path(plan.scores(run)).with_suffix("")

    networks = describe(conditions.space, packaged.architectures(arguments.space)).set_index("index", drop=False)
    kept = packaged.computed_scores(arguments.space)
    known = set(kept[kept["metric"].isin([metric.name for metric, _ in asked])]["index"])
    order = scored_as(ordered(networks, replace(run, networks="random"), plan.study.seed), asked[0][0]).unique()
    number, total = map(int, arguments.share.split("/"))
    end = time.monotonic() + 60 * arguments.minutes
    for index in [index for index in order if index not in known][number - 1 :: total]:
        path = folder / f"{index}-by-1.parquet"
        if time.monotonic() > end:
            break
        if not path.exists():
            one: pd.DataFrame = networks.loc[[index]].reset_index(drop=True)
            write_scores(score_networks(asked, [conditions], one), path)
            print(path, flush=True)
            release_freed_memory()


if __name__ == "__main__":
    main()
