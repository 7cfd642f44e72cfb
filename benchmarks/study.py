"""Say what each part of a study cost, from the times that its run has left: `python benchmarks/study.py results/paper`.

Prints a Markdown table: seconds, summed over jobs, the memory of the largest job, and what to turn down in the study.
The sum, divided by the cores, is about the time of the run.
"""

import argparse
from pathlib import Path

import pandas as pd

from epsinas.study.plan import TOGETHER, Run

STATISTICS = ("statistics", "partial", "differences", "noise", "combinations", "convergence", "top", "every_network")

EXPLAINING = ("activity", "brightness", "dormancy", "layerwise", "reference_epsilon", "spectrum")
"""Metrics of the pages `why_epsilon` and `few_labels` alone."""

PAGES = "explanations and predictors", "`why_epsilon`, `few_labels`"


def part(path: Path) -> tuple[str, str]:
    """Return the part of a study that a job belongs to, by the path of its times, and the keys that make it smaller."""
    stage, *rest = path.parts
    match stage:
        case "score_chunk":
            return _scores(Run.parse("/".join(rest[:-1])))
        case "describe_networks" | "sample_networks":
            return "description of the networks", "`networks`"
        case "choose_weights":
            return "choice of weights (Table 8)", "`datasets`"
        case "make_table" if path.stem in STATISTICS:
            return "statistics with intervals", "`statistics.resamples`"
        case "make_table" if path.stem in ("why_epsilon", "few_labels"):
            return PAGES
        case "make_table":
            return "other tables", "`resamples`, `selection`, `search`"
        case "make_figure" | "report":
            return "figures and the report", ""
        case "train":
            return "training", "`train`"
    return "inputs, gathering", ""


def _scores(run: Run) -> tuple[str, str]:
    """Return it for the scores of a run; what is neither of all networks nor in the usual form is an ablation.

    Beside metrics with random weights and random initialisations, only two pages take random samples of the networks.
    """
    if run.metric == TOGETHER:
        return "metrics with random weights", "`comparison.networks`"
    if run.metric == "random_pair":
        return "random initialisations (Table 9)", "`ablations.initialisation`"
    if run.order == "random" or run.metric in EXPLAINING:
        return PAGES
    if run.precision != "single":
        return "double and extended precision", "`precisions`, `further_networks`"
    if run.networks == "all" and run.settings in ("pair", "one"):
        return "scores of all networks", "`networks`, `datasets`, `draws`"
    return "ablations of epsilon (Tables 5 to 7, 11, Figure 4)", "`ablations`"


def costs(results: Path) -> pd.DataFrame:
    """Return a row for each part, the dearest first: `part`, `turn_down`, `jobs`, `seconds`, `largest` (MB)."""
    times = results / "times"
    rows = []
    for path in sorted(times.rglob("*.tsv")):
        measured = pd.read_csv(path, sep="\t", na_values="-").iloc[0]
        name, key = part(path.relative_to(times))
        rows.append({"part": name, "turn_down": key, "seconds": measured["s"], "largest": measured["max_rss"]})
    found = pd.DataFrame(rows).groupby(["part", "turn_down"], as_index=False)
    table = found.agg(jobs=("seconds", "size"), seconds=("seconds", "sum"), largest=("largest", "max"))
    return table.sort_values("seconds", ascending=False, ignore_index=True)


def print_costs(results: Path) -> None:
    """Print the table of a study."""
    table = costs(results)
    print("| part | jobs | seconds | largest job, MB | turn down |\n|---|---:|---:|---:|---|")
    for row in table.itertuples():
        print(f"| {row.part} | {row.jobs} | {row.seconds:.0f} | {row.largest:.0f} | {row.turn_down} |")
    print(f"| all | {table['jobs'].sum()} | {table['seconds'].sum():.0f} | {table['largest'].max():.0f} | |")


def main() -> None:
    """Print the table of the study that is named."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="folder of the study, such as results/paper")
    print_costs(parser.parse_args().results)


if __name__ == "__main__":
    main()
