"""Score the networks inside the package under constant weights: `data/{space}.constant-weight-scores.parquet`.

Epsilon in each precision that `benchmarks.yaml` names and expected SynFlow, on the default study's first batch: 256
images of 1/f noise, or 256 sequences of 70 Zipf tokens, seed 0. A row for each network that stands for those that train
alike, float32. Takes ten minutes of one core.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from epsinas import score_architectures, space
from epsinas.engines.base import family_of
from epsinas.files.whole import atomic, sha256
from epsinas.sources.packaged import networks
from epsinas.spaces.base import Space

DATA = Path(__file__).resolve().parents[1] / "src" / "epsinas" / "data"


def batch(known: Space, dataset: str) -> Any:
    """Return the batch that a data set's networks are scored on."""
    family = family_of(known)
    if known.family == "images":
        return next(iter(family.draws(None, dataset, "pink_noise", 256, [0], 0, {})))
    return family.read(known, 0)[0]


def constant_weight_scores(
    name: str, described: dict[str, dict[str, Any]], rows: slice = slice(None), jobs: int = 1
) -> pd.DataFrame:
    """Return `index` and the described columns of some of the networks that stand for those that train alike."""
    known, table = space(name), networks(name)
    chosen = table[table["index"] == table["trained_as"]].iloc[rows]
    scores = {"index": chosen["index"].to_numpy()}
    for column, facts in described.items():
        scored = score_architectures(
            known,
            chosen["architecture"],
            batch(known, facts["datasets"][0]),
            metric=facts["metric"],
            precision=facts["precision"],
            jobs=jobs,
        )
        scores[column] = scored.astype(np.float32)
        print(f"{name}, {column}: {np.isfinite(scored).sum()} of {len(scored)}", flush=True)
    return pd.DataFrame(scores)


def main() -> None:
    """Read the arguments and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=DATA, metavar="FOLDER", help="by default the package's own data")
    parser.add_argument("--jobs", type=int, default=1, help="processes to use")
    arguments = parser.parse_args()
    for name, kinds in yaml.safe_load((DATA / "benchmarks.yaml").read_text())["benchmarks"].items():
        table = constant_weight_scores(name, kinds["constant-weight-scores"], jobs=arguments.jobs)
        path = arguments.to / f"{name}.constant-weight-scores.parquet"
        content = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
        with atomic(path) as temporary:
            pq.write_table(
                content,
                temporary,
                compression="zstd",
                compression_level=19,
                use_dictionary=False,
                column_encoding={
                    column: "DELTA_BINARY_PACKED" if column == "index" else "BYTE_STREAM_SPLIT" for column in table
                },
            )
        print(f"{path.name}: {len(table)} networks, {path.stat().st_size} bytes, sha256 {sha256(path)}")


if __name__ == "__main__":
    main()
