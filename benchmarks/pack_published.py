"""Make the published accuracies inside the package from a folder in the pipeline's own schemas.

Writes the Parquet files that `src/epsinas/data/benchmarks.yaml` describes beside it: a row for each network, and a
column for each data set, split, number of epochs and training, or metric. An accuracy must be a number of right answers
out of as many as that file says, up to the rounding of single precision, or nothing is written.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from epsinas import InputError, NasBench201
from epsinas.files.tables import read_architectures, read_performance, read_published_scores, read_training_cost
from epsinas.files.whole import atomic

DATA = Path(__file__).resolve().parents[1] / "src" / "epsinas" / "data"
ROUNDING = 1e-3
"""How far a number of right answers may be from an integer."""


def architectures(space: str, mirror: Path) -> pd.DataFrame:
    """Return the networks, by `index`, in the parts that are kept of their strings."""
    networks = read_architectures(mirror / f"{space}.architectures.parquet").set_index("index")
    match space:
        case "nas-bench-201":
            networks["position"] = networks["architecture"].map(NasBench201().index).astype(np.uint16)
        case "nas-bench-101":
            networks[["matrix", "operations"]] = networks["architecture"].str.split(":", expand=True)
    return networks


def kept(values: pd.Series, facts: dict[str, Any]) -> pd.Series:
    """Return one column in the form in which it is kept: a count where it is one, otherwise float32."""
    if not {"answers", "unit"} & facts.keys():
        return values.astype(np.float32)
    counts = values * facts["answers"] / 100 if "answers" in facts else values * facts["unit"]
    if not ((counts - counts.round()).abs().dropna() < ROUNDING).all():
        raise InputError(f"{facts}: found values that are no such counts")
    return counts.round().astype("UInt32")


def columns(rows: pd.DataFrame, measure: str, described: dict[str, dict], labels: list[str]) -> pd.DataFrame:
    """Bring the rows into columns, one for each of `described`; every row belongs to one."""
    groups = {
        tuple(None if pd.isna(label) else label for label in key): group.set_index("index")[measure]
        for key, group in rows.groupby(labels, dropna=False, observed=True)
    }
    table = {name: kept(groups.pop(tuple(map(facts.get, labels))), facts) for name, facts in described.items()}
    if groups:
        raise InputError(f"found {', '.join(map(str, groups))}, which benchmarks.yaml does not describe")
    return pd.DataFrame(table)


def benchmark(space: str, kinds: dict[str, dict], mirror: Path) -> pd.DataFrame:
    """Return what the package keeps of one benchmark, a row for each network."""
    rows = read_performance(mirror / f"{space}.performance.parquet")
    measure = "loss" if "loss" in rows else "accuracy"
    table = architectures(space, mirror).join(
        columns(rows, measure, kinds["performance"], ["dataset", "split", "epochs", "seed"])
    )
    if "training-cost" in kinds:
        table = table.join(read_training_cost(mirror / f"{space}.training-cost.parquet").set_index("index"))
        table["seconds"] = table["seconds"].astype(np.float32)
    names = [
        name for kind, described in kinds.items() if not kind.endswith(("-scores", "networks")) for name in described
    ]
    return table.reset_index()[names]


def scores(space: str, described: dict[str, dict], mirror: Path) -> pd.DataFrame:
    """Return the scores that others published, a row for each network."""
    rows = read_published_scores(mirror / f"{space}.published-scores.parquet")
    return columns(rows, "score", described, ["dataset", "metric"]).rename_axis("index").reset_index()


def pack(mirror: Path, folder: Path) -> None:
    """Write all tables of the package from the files in `mirror` to `folder`."""
    for space, kinds in yaml.safe_load((DATA / "benchmarks.yaml").read_text())["benchmarks"].items():
        tables = {f"{space}.parquet": benchmark(space, kinds, mirror)}
        if "published-scores" in kinds:
            tables[f"{space}.published-scores.parquet"] = scores(space, kinds["published-scores"], mirror)
        for name, table in tables.items():
            # Without what pandas adds, which would make a column named `index` the data frame's own.
            content = pa.Table.from_pandas(table.astype({"index": np.int32}), preserve_index=False)
            with atomic(folder / name) as temporary:
                pq.write_table(
                    content.replace_schema_metadata(None), temporary, compression="zstd", compression_level=19
                )
            print(f"{folder / name}: {len(table)} networks, {(folder / name).stat().st_size} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mirror", type=Path, help="folder with the benchmarks' tables in the pipeline's schemas")
    parser.add_argument("--to", type=Path, default=DATA, metavar="FOLDER", help="by default the package's own data")
    arguments = parser.parse_args()
    pack(arguments.mirror, arguments.to)
