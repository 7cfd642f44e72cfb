"""Say what each part of a study cost, from the times that its run has left: `python benchmarks/study.py results/paper`.

Prints a Markdown table of seconds, summed over jobs, of the largest job's memory, and of what to turn down in the study.
The sum, divided by the cores, is about the time of the run. CPU seconds lack those of jobs that end at once.
"""

import argparse
from pathlib import Path

import pandas as pd

from epsinas.spaces.base import SPACES
from epsinas.study.plan import TOGETHER, Run

STATISTICS = ("statistics", "partial", "differences", "noise", "combinations", "convergence", "top")
SPACE = {name: SPACES[name].title for name in SPACES.names}


def part(path: Path) -> tuple[str, str]:
    """Return the part of a study that a job belongs to, by the path of its times, and the keys that make it smaller."""
    stage, *rest = path.parts
    match stage:
        case "score_chunk":
            return _scores(Run.parse("/".join(rest[:-1])))
        case "describe_networks" | "sample_networks" | "choose_weights":
            name = rest[-1].removesuffix(".tsv") if len(rest) == 1 else rest[0]
            what = "choice of weights (Table 8)" if stage == "choose_weights" else "description"
            return f"{SPACE[name]}: {what}", "`datasets`" if stage == "choose_weights" else "`networks`"
        case "make_table" if path.stem in STATISTICS:
            return "statistics with intervals", "`statistics.resamples`"
        case "make_table":
            return "other tables", "`resamples`, `selection`, `search`"
        case "make_figure" | "report":
            return "figures and the report", ""
        case "train":
            return "training", "`train`"
    return "inputs, gathering", ""


def _scores(run: Run) -> tuple[str, str]:
    """Return it for the scores of a run; what is neither of all networks nor in the usual form is an ablation."""
    title = SPACE[run.space]
    if run.metric == TOGETHER:
        return f"{title}: metrics with random weights", "`comparison.networks`"
    if run.metric == "random_pair":
        return f"{title}: random initialisations (Table 9)", "`ablations.initialisation`"
    if run.precision != "single":
        return f"{title}: {run.precision} precision", "`precisions`, `further_networks`"
    if run.networks == "all" and run.settings in ("pair", "one"):
        return f"{title}: scores of all networks", "`networks`, `datasets`, `draws`"
    return f"{title}: ablations", "`ablations`, their `networks` and `draws`"


def costs(results: Path) -> pd.DataFrame:
    """Return a row for each part, the dearest first: `part`, `jobs`, `seconds`, `cpu`, `largest` (MB)."""
    times = results / "times"
    rows = []
    for path in sorted(times.rglob("*.tsv")):
        measured = pd.read_csv(path, sep="\t", na_values="-").iloc[0]
        name, key = part(path.relative_to(times))
        facts = {"seconds": measured["s"], "cpu": measured["cpu_time"], "largest": measured["max_rss"]}
        rows.append({"part": name, "turn_down": key} | facts)
    found = pd.DataFrame(rows).groupby(["part", "turn_down"], as_index=False)
    kinds = {"jobs": "size", "seconds": "sum", "cpu": "sum", "largest": "max"}
    table = found.agg(**{name: ("seconds" if name == "jobs" else name, kind) for name, kind in kinds.items()})
    return table.sort_values("seconds", ascending=False, ignore_index=True)


def print_costs(results: Path) -> None:
    """Print the table of a study."""
    table = costs(results)
    print("| part | jobs | seconds | CPU seconds | largest job, MB | turn down |\n|---|---:|---:|---:|---:|---|")
    for row in table.itertuples():
        figures = f"{row.jobs} | {row.seconds:.0f} | {row.cpu:.0f} | {row.largest:.0f}"
        print(f"| {row.part} | {figures} | {row.turn_down} |")
    total = table[["jobs", "seconds", "cpu"]].sum()
    print(f"| all | {total.jobs:.0f} | {total.seconds:.0f} | {total.cpu:.0f} | {table['largest'].max():.0f} | |")


def main() -> None:
    """Print the table of the study that is named."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="folder of the study, such as results/paper")
    print_costs(parser.parse_args().results)


if __name__ == "__main__":
    main()
