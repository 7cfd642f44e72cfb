"""Make the computed scores inside the package from the folder of a study such as workflow/studies/metrics.yaml.

Takes every finished part, also of a run that is not at its end, and keeps what the package has already, so that a long
run may be interrupted and packed as often as one likes. Scores are kept as float32, a row for each network that stands
for those that train alike and a column for each data set, metric and setting, in
`src/epsinas/data/{space}.computed-scores.parquet`; `benchmarks.yaml` beside it must name the columns.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from epsinas import InputError
from epsinas.files.tables import read_scores
from epsinas.files.whole import atomic, sha256

DATA = Path(__file__).resolve().parents[1] / "src" / "epsinas" / "data"


def finished(study: Path, space: str) -> pd.DataFrame:
    """Return the scores of all finished parts of a study's folder of results, with the data set."""
    parts = sorted((study / "scores" / space).glob("*/*/*/*.parquet"))
    if not parts:
        raise InputError(f"{study}: found no finished part of {space}")
    tables = [read_scores(path).assign(dataset=path.parents[2].name) for path in parts]
    return pd.concat(tables, ignore_index=True)


def packed(scores: pd.DataFrame, space: str) -> pd.DataFrame:
    """Return the table that is kept, of what the package has already and of new scores that benchmarks.yaml names."""
    described = yaml.safe_load((DATA / "benchmarks.yaml").read_text())["benchmarks"][space]["computed-scores"]
    columns = {(facts["dataset"], facts["metric"], facts.get("setting", "")): name for name, facts in described.items()}
    kept = [scores[scores["draw"] == 0]]
    path = DATA / f"{space}.computed-scores.parquet"
    if path.exists():
        before = pd.read_parquet(path).melt("index", var_name="column", value_name="score")
        named = {name: key for key, name in columns.items()}
        facts = pd.DataFrame([named[name] for name in before["column"]], columns=["dataset", "metric", "setting"])
        kept.insert(0, before[["index", "score"]].join(facts))
    # The newer one of a score that is there twice.
    rows = pd.concat(kept).drop_duplicates(["index", "dataset", "metric", "setting"], keep="last")
    names = [columns.get(key) for key in zip(rows["dataset"], rows["metric"], rows["setting"], strict=True)]
    table = rows.assign(column=names).dropna(subset="column").pivot(index="index", columns="column", values="score")
    if missing := set(columns.values()) - set(table):
        raise InputError(f"{space}: found no scores for {', '.join(sorted(missing))}, which benchmarks.yaml names")
    return table[list(columns.values())].astype(np.float32).sort_index().reset_index()


def main() -> None:
    """Read the arguments, write the table, and say what it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="folder of a study's results, such as results/metrics")
    parser.add_argument("space", help="search space, such as nas-bench-201")
    arguments = parser.parse_args()
    table = packed(finished(arguments.results, arguments.space), arguments.space)
    path = DATA / f"{arguments.space}.computed-scores.parquet"
    with atomic(path) as temporary:
        kept = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
        pq.write_table(
            kept, temporary, compression="zstd", compression_level=19, use_byte_stream_split=True, use_dictionary=False
        )
    print(f"{path.name}: {len(table)} networks, {path.stat().st_size} bytes, sha256 {sha256(path)}")


if __name__ == "__main__":
    main()
