"""The performances of a benchmark of one's own, made of what its training gave."""

import numpy as np
import pandas as pd


def performance_table(networks: pd.DataFrame, outcomes: pd.DataFrame, dataset: str, epochs: int) -> pd.DataFrame:
    """Give every network the outcome of the one that was trained in its place, in the schema of performances.

    Args:
        networks: what `epsinas.training.benchmark.choose` returns.
        outcomes: what `epsinas.training.fit.train_networks` returns for all trained networks.
        dataset: name of the images.
        epochs: of the training.

    Returns:
        Rows for `valid` and `test`, for each seed and (seed null) their mean; further columns `seconds` and
        `status` of the training. A network that failed has no accuracy; nor has the mean where a seed failed.
    """
    long = outcomes.melt(
        ["index", "seed", "seconds", "status"], ["valid", "test"], var_name="split", value_name="accuracy"
    ).astype({"seed": "Int8"})
    means = long.groupby(["index", "split"], as_index=False).agg(
        accuracy=("accuracy", lambda values: values.mean(skipna=False)),
        seconds=("seconds", "mean"),
        status=("status", lambda values: "ok" if (values == "ok").all() else "non-finite"),
    )
    rows = pd.concat([means.assign(seed=pd.array([pd.NA] * len(means), dtype="Int8")), long])
    table = networks[["index", "trained"]].merge(rows.rename(columns={"index": "trained"}), on="trained")
    table = table.assign(dataset=dataset, epochs=np.int16(epochs)).sort_values(
        ["index", "split", "seed"], ascending=[True, False, True], na_position="first"
    )
    columns = ["index", "dataset", "split", "epochs", "seed", "accuracy", "seconds", "status"]
    return table[columns].reset_index(drop=True)
