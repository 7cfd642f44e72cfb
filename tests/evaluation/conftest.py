from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def nas_bench_201(mirror: Path) -> dict[str, np.ndarray]:
    """Accuracies on CIFAR-10, naswot scores, training costs and operations of all 15,625 networks."""
    performance = pd.read_parquet(mirror / "nas-bench-201.performance.parquet")
    performance = performance[performance.seed.isna()].set_index("index")
    scores = pd.read_parquet(mirror / "nas-bench-201.published-scores.parquet")
    scores = scores.query("dataset == 'cifar10' and metric == 'naswot'").set_index("index").score
    cost = pd.read_parquet(mirror / "nas-bench-201.training-cost.parquet").set_index("index").seconds
    strings = pd.read_parquet(mirror / "nas-bench-201.architectures.parquet").set_index("index").architecture
    everything = range(15_625)

    def accuracy(split: str, epochs: int, dataset: str = "cifar10") -> np.ndarray:
        rows = performance.query("dataset == @dataset and split == @split and epochs == @epochs")
        return rows.accuracy.reindex(everything).to_numpy()

    operations = strings.reindex(everything).str.findall(r"\|(\w+)(?=~)|(?<=\|)(\w+)(?=~)")
    names = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
    return {
        # No source has the validation accuracy after 200 epochs: another accuracy guides the search.
        "guide": accuracy("test", 200, "cifar10-valid"),
        "valid_12": accuracy("valid", 12),
        "test": accuracy("test", 200),
        "scores": scores.reindex(everything).to_numpy(),
        "cost": cost.reindex(everything).to_numpy(),
        "operations": np.array([[names.index(a or b) for a, b in row] for row in operations]),
    }


@pytest.fixture
def performance() -> pd.DataFrame:
    """Two data sets of six networks: one with the mean over seeds and one seed, one with two seeds."""
    rows = [(i, "a", "test", 200, pd.NA, 50.0 + i) for i in range(6)]
    rows += [(i, "a", "test", 200, 1, 0.0) for i in range(6)]  # one seed of those that the mean is over
    rows += [(i, "b", "test", 200, seed, 10.0 * i + seed) for i in range(6) for seed in (0, 2)]
    table = pd.DataFrame(rows, columns=["index", "dataset", "split", "epochs", "seed", "accuracy"])
    return table.astype({"seed": "Int8"})
