"""The benchmark inside the package: NAS-Bench-201's cells trained on scikit-learn's handwritten digits.

`data/digits.parquet` has a row for each of the 15,625 architectures: `index` (place in the benchmark's random
order), `code` (place in the space's own enumeration), `trained` (the index of the network that was trained in its
place), and what that training gave: `valid`, `test` (percent) and `loss` (nats) for each seed, `seconds` for each
training. `data/digits.json` says how it was made.
"""

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from epsinas.files.tables import write_architectures, write_performance
from epsinas.files.whole import atomic
from epsinas.sources.trained import performance_table
from epsinas.spaces import NasBench201

DATASET = "digits"
_TABLE = files("epsinas") / "data" / "digits.parquet"
_RECORD = files("epsinas") / "data" / "digits.json"


def record() -> dict[str, Any]:
    """Return how the benchmark was made: recipe, seeds, versions, command, wall time, and what came out."""
    return json.loads(_RECORD.read_text())


def compact(space: NasBench201, networks: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Bring a trained benchmark into the form in which the package keeps it.

    Args:
        space: the search space.
        networks: what `epsinas.training.benchmark.choose` returned.
        outcomes: what `epsinas.training.fit.train_networks` returned, for all trained networks.
    """
    wide = outcomes.pivot(index="index", columns="seed", values=["valid", "test", "loss"])
    wide.columns = ["_".join(map(str, column)) for column in wide.columns]
    wide["seconds"] = outcomes.groupby("index")["seconds"].mean()
    table = pd.DataFrame(
        {
            "index": networks["index"].astype(np.int16),
            "code": networks["architecture"].map(space.index).astype(np.int16),
            "trained": networks["trained"].astype(np.int16),
        }
    )
    # Rows of one training stand together, since repeated values then take no space in the file.
    table = table.join(wide.astype(np.float32), on="trained")
    return table.sort_values(["trained", "index"], ignore_index=True)


def _table() -> pd.DataFrame:
    with _TABLE.open("rb") as file:
        return pd.read_parquet(file)


def networks() -> pd.DataFrame:
    """Return the benchmark's networks: `index`, `architecture`, `trained`."""
    table = _table().sort_values("index", ignore_index=True)
    architectures = np.array(list(NasBench201().architectures()))
    return pd.DataFrame(
        {
            "index": table["index"].astype(np.int32),
            "architecture": architectures[table["code"]],
            "trained": table["trained"].astype(np.int32),
        }
    )


def outcomes() -> pd.DataFrame:
    """Return what training gave, a row for each trained network and seed; see `epsinas.training.fit.train_networks`."""
    table = _table().query("index == trained")
    seeds = record()["seeds"]
    rows = [
        pd.DataFrame(
            {
                "index": table["index"].astype(np.int32),
                "seed": np.int8(seed),
                **{name: table[f"{name}_{seed}"].astype(np.float64) for name in ("valid", "test", "loss")},
                "seconds": table["seconds"].astype(np.float64),
            }
        )
        for seed in seeds
    ]
    joined = pd.concat(rows, ignore_index=True)
    return joined.assign(status=np.where(np.isfinite(joined["loss"]), "ok", "non-finite"))


def _write_performance(path: Path) -> None:
    write_performance(performance_table(networks(), outcomes(), DATASET, record()["recipe"]["epochs"]), path)


FILES: dict[str, Callable[[Path], None]] = {
    "nas-bench-201.architectures.parquet": lambda path: write_architectures(networks(), path),
    "nas-bench-201.performance.parquet": _write_performance,
}
"""What writes each file of the embedded benchmark."""


def embed(
    folder: Path, networks: pd.DataFrame, outcomes: pd.DataFrame, train: dict[str, Any], run: dict[str, Any]
) -> None:
    """Write `digits.parquet` and `digits.json` from a training run.

    Args:
        folder: where to write them.
        networks: what `epsinas.training.benchmark.choose` returned.
        outcomes: what `epsinas.training.fit.train_networks` returned, for all trained networks.
        train: the study's `train` section.
        run: further facts for the record: command, versions, machine, wall time.
    """
    with atomic(folder / "digits.parquet") as temporary:
        compact(NasBench201(), networks, outcomes).to_parquet(temporary, index=False, compression="zstd")
    facts = {key: train[key] for key in ("skeleton", "split", "recipe", "seeds")}
    with atomic(folder / "digits.json") as temporary:
        temporary.write_text(json.dumps(facts | {"result": summary(networks, outcomes)} | run, indent=1) + "\n")


def summary(networks: pd.DataFrame, outcomes: pd.DataFrame) -> dict[str, Any]:
    """Summarise a training: spread of the test accuracy over all networks, and how well two seeds agree."""
    test = outcomes.pivot(index="index", columns="seed", values="test")
    everyone = test.loc[networks["trained"]]
    mean = everyone.mean(axis=1)
    return {
        "networks": len(networks),
        "trained": len(test),
        "failed": int((outcomes["status"] != "ok").sum()),
        "test_mean": round(float(mean.mean()), 2),
        "test_quartiles": [round(float(mean.quantile(share)), 2) for share in (0.25, 0.5, 0.75)],
        "spearman_between_seeds": round(float(everyone.corr("spearman").to_numpy()[0, 1]), 4),
        "spearman_between_seeds_trained_only": round(float(test.corr("spearman").to_numpy()[0, 1]), 4),
        "training_seconds": round(float(outcomes["seconds"].sum()), 0),
    }
