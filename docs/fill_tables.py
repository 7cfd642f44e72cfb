"""Write the tables of the default study's committed results into the documents: `python docs/fill_tables.py`.

What stands between the marks `<!-- table: NAME -->` and `<!-- end -->` is replaced.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from epsinas.metrics.base import METRICS
from epsinas.report.headline import Headline, closing_lines

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "results" / "reference"
DOCUMENTS = ("README.md", "docs/findings.md", "docs/cost.md", "docs/tutorials/paper.md", "docs/statistics.md")

MEASURES = ["spearman_global", "spearman_top10", "kendall_global", "kendall_top10", "top10_top10", "top64_top5"]
TITLES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
PUBLISHED_NAMES = {"jacov": "jacob_cov"}
TABLES = {
    "1": "1 NAS-Bench-201",
    "2": "2 selection",
    "3": "3 NAS-Bench-101",
    "4": "4 NAS-Bench-NLP",
    "5": "5 weights, -101",
    "6": "6 weights, -201",
    "7": "7 weights, -NLP",
    "8": "8 chosen weights",
    "9": "9 initialisations",
    "10": "10 embeddings",
    "11": "11 inputs",
}


def epsilon() -> str:
    """Table 1's rows of epsilon, with the paper's between."""
    table = pd.read_csv(REFERENCE / "tables" / "table1.csv").query("metric == 'epsilon'")
    ledger = pd.read_csv(REFERENCE / "ledger.csv", dtype=str).query("table == '1' and row == 'epsilon'")
    printed = ledger.pivot(index="block", columns="column", values="published")
    rows = []
    for dataset, group in table.groupby("dataset", sort=False):
        title = TITLES.get(str(dataset), str(dataset))
        for number, row in enumerate(group.itertuples()):
            counts = f"{row.precision}, {row.networks:,} networks | {row.scored:,}"
            rows.append(f"| {title if number == 0 else ''} | {counts} | {_measures(row)} |")
            if number == 0:
                paper = " | ".join(f"*{printed.loc[title, measure]}*" for measure in MEASURES)
                rows.append(f"| | *paper, real images* | | {paper} |")
    head = "Spearman, global | top 10 % | Kendall, global | top 10 % | top-10 %/top-10 % | top-64/top-5 %"
    return _table(f"data set | networks tried | with a score | {head}", "--:::::::", rows)


def metrics() -> str:
    """Table 1's metrics on CIFAR-10, of several origins the scores of most networks, each beside epsilon."""
    table = pd.read_csv(REFERENCE / "tables" / "table1.csv").query("dataset == 'cifar10' and precision == 'single'")
    table[["name", "published"]] = [_origin(metric) for metric in table["metric"]]
    known = table[table["name"].isin(METRICS.names)].sort_values("scored", ascending=False, kind="stable")
    chosen = known.drop_duplicates("name").sort_values("spearman_global", ascending=False)
    chosen = chosen[~chosen["name"].isin(["flops", "skips", "plain"])]
    cost = pd.read_csv(REFERENCE / "tables" / "cost.csv").query("dataset == 'cifar10'").set_index("metric")
    differences = pd.read_csv(REFERENCE / "tables" / "differences.csv")
    differences = differences.query("space == 'nas-bench-201' and dataset == 'cifar10' and precision == 'single'")
    beside = differences.query("metric == 'epsilon'").set_index("other")
    rows = []
    for row in chosen.itertuples():
        title = METRICS[row.name].title + (" (published scores)" if row.published else "")
        time = _rounded(cost.milliseconds[row.name]) if row.name in cost.index else ""
        both = _beside(beside.loc[row.metric]) if row.metric in beside.index else " | | "
        rows.append(f"| {title} | {time} | {row.scored:,} | {row.spearman_global:.2f} | {both} |")
    head = "metric | ms a network | networks | rho | networks of both | rho there, and epsilon's | difference"
    return _table(head, "-::::::", rows)


def _beside(row: pd.Series) -> str:
    """A metric against epsilon: on how many networks, both coefficients, and how much higher its own is."""
    # The table has epsilon's less the other's.
    difference, low, high = -row["difference"], -row["difference_high"], -row["difference_low"]
    both = f"{row['spearman_other']:.2f} : {row['spearman']:.2f}"
    return f"{row['archs']:,} | {both} | {difference:+.2f} [{low:+.2f}, {high:+.2f}]"


def coverages() -> str:
    """Epsilon's rank correlations on every coverage, in single precision."""
    table = pd.read_csv(REFERENCE / "tables" / "statistics.csv")
    own = table.query(
        "space == 'nas-bench-201' and metric == 'epsilon' and precision == 'single' and population == 'all'"
    )
    rows = [
        f"| {TITLES.get(row.dataset, row.dataset)} | {row.coverage} | {row.archs:,} "
        f"| {row.spearman:.3f} [{row.spearman_low:.3f}, {row.spearman_high:.3f}] "
        f"| {row.kendall:.3f} [{row.kendall_low:.3f}, {row.kendall_high:.3f}] |"
        for row in own.itertuples()
    ]
    return _table("data set | coverage | networks | rho | tau", "--:::", rows)


def verdicts() -> str:
    """The summary of the ledger."""
    table = pd.read_csv(REFERENCE / "ledger-summary.csv")
    rows = [f"| {TABLES.get(row[0], row[0])} | {' | '.join(map(str, row[1:]))} |" for row in table.values.tolist()]
    return _table(" | ".join(table.columns), "-" + ":" * (len(table.columns) - 1), rows)


def printed() -> str:
    """The same, as text."""
    return f"```text\n{pd.read_csv(REFERENCE / 'ledger-summary.csv').to_string(index=False)}\n```"


def agreement() -> str:
    """How many of the paper's numbers were met, in a sentence."""
    total = pd.read_csv(REFERENCE / "ledger-summary.csv").set_index("table").loc["all"]
    met = f"{total.reproduced + total.agrees} agree and {total.differs} differ in this run"
    return (
        f"Of the {total.numbers} numbers that the paper prints, {met}; the others are quoted, or need what stand-in\n"
        "images and a sample do not give. With real images 489 are reproduced."
    )


def closing() -> str:
    """What the run ends with."""
    first = pd.read_csv(REFERENCE / "tables" / "table1.csv").head(1).rename(columns={"spearman_global": "spearman"})
    verdicts = pd.read_csv(REFERENCE / "ledger-summary.csv")
    lines = closing_lines(Headline((), first, ()), verdicts, "results/paper/report.html")
    return "```text\n{}\n```".format("\n".join(lines))


def costs() -> str:
    """What the parts of the study cost; see `benchmarks/study.py`."""
    return (REFERENCE / "costs.md").read_text(encoding="utf-8").rstrip()


FILLED: dict[str, Callable[[], str]] = {
    "epsilon": epsilon,
    "metrics": metrics,
    "coverages": coverages,
    "verdicts": verdicts,
    "printed": printed,
    "agreement": agreement,
    "closing": closing,
    "costs": costs,
}


def filled(document: str) -> str:
    """Return a document with its tables as the committed results have them."""
    return re.sub(
        r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)",
        lambda mark: f"{mark[1]}{FILLED[mark[2]]()}\n{mark[3]}",
        document,
        flags=re.DOTALL,
    )


def _origin(metric: str) -> tuple[str, bool]:
    name, _, origin = metric.partition("@")
    return PUBLISHED_NAMES.get(name, name), origin == "published"


def _rounded(milliseconds: float) -> str:
    return "0" if milliseconds < 0.05 else f"{milliseconds:,.{0 if milliseconds >= 10 else 1}f}"


def _measures(row) -> str:
    shares = [f"{getattr(row, measure):.3f}" for measure in MEASURES[:4]]
    return " | ".join([*shares, f"{row.top10_top10:.1f}", f"{row.top64_top5:.0f}"])


def _table(head: str, alignment: str, rows: list[str]) -> str:
    marks = "|".join({"-": "---", ":": "---:"}[mark] for mark in alignment)
    return "\n".join([f"| {head} |", f"|{marks}|", *rows])


if __name__ == "__main__":
    for name in DOCUMENTS:
        path = ROOT / name
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
