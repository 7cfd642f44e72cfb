"""Describe the networks inside the package: `src/epsinas/data/{space}.networks.parquet`.

What `epsinas.study.networks.describe` finds of each network at its space's default skeleton, for the shapes of the
benchmark's data sets; `benchmarks.yaml` beside the files must name the columns. Takes half a minute.
"""

import argparse
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from epsinas import space
from epsinas.engines.base import family_of
from epsinas.files.whole import atomic, sha256
from epsinas.sources.packaged import architectures
from epsinas.study.networks import describe

DATA = Path(__file__).resolve().parents[1] / "src" / "epsinas" / "data"
PREFIX = "flops_"


def described(name: str, columns: list[str], rows: slice = slice(None)) -> pd.DataFrame:
    """Return the given columns of some of a benchmark's networks, in the order of `architectures`."""
    known = space(name)
    datasets = [column.removeprefix(PREFIX) for column in columns if column.startswith(PREFIX)]
    shapes = {dataset: family_of(known).data_shape(dataset, None) for dataset in datasets}
    return describe(known, architectures(name).iloc[rows], shapes)[["index", "architecture", *columns]]


def kept(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as `epsinas.sources.packaged.networks` reads it.

    Rows are in the order of the architecture strings, where likeness is close together, so that they compress to a
    third; other networks are named by their row.
    """
    table = table.sort_values(["architecture", "index"], ignore_index=True)
    rows = pd.Series(table.index, table["index"])
    table = table.assign(**{name: rows[table[name]].to_numpy() for name in ("representative", "trained_as")})
    table = table.drop(columns=["index", "architecture"])
    return table.apply(lambda column: column if column.dtype == bool else pd.to_numeric(column, downcast="integer"))


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a table."""
    content = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    rows = ("representative", "trained_as")
    with atomic(path) as temporary:
        pq.write_table(
            content,
            temporary,
            compression="zstd",
            compression_level=19,
            use_dictionary=[name for name in table if name not in rows],
            column_encoding=dict.fromkeys(rows, "DELTA_BINARY_PACKED"),
        )
    print(f"{path.name}: {len(table)} networks, {path.stat().st_size} bytes, sha256 {sha256(path)}")


def main() -> None:
    """Read the arguments and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=DATA, metavar="FOLDER", help="by default the package's own data")
    arguments = parser.parse_args()
    for name, kinds in yaml.safe_load((DATA / "benchmarks.yaml").read_text())["benchmarks"].items():
        write(kept(described(name, list(kinds["networks"]))), arguments.to / f"{name}.networks.parquet")


if __name__ == "__main__":
    main()
