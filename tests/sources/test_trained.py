import numpy as np
import pandas as pd

from epsinas.sources.trained import performance_table


def test_performance_table_shares_outcomes_and_keeps_failures():
    networks = pd.DataFrame({"index": [0, 1, 2], "trained": [0, 0, 2]})
    outcomes = pd.DataFrame(
        {
            "index": [0, 0, 2, 2],
            "seed": [0, 1, 0, 1],
            "valid": [50.0, 60.0, 70.0, np.nan],
            "test": [40.0, 44.0, 80.0, np.nan],
            "loss": [1.0, 1.0, 0.5, np.inf],
            "seconds": [2.0, 2.0, 3.0, 3.0],
            "status": ["ok", "ok", "ok", "non-finite"],
        }
    )
    table = performance_table(networks, outcomes, "toy", 4)
    assert len(table) == 3 * 2 * 3
    means = table[table["seed"].isna()].set_index(["index", "split"])
    assert means.loc[(1, "test"), "accuracy"] == 42
    assert means.loc[(1, "valid"), "accuracy"] == 55
    assert np.isnan(means.loc[(2, "test"), "accuracy"])
    assert means.loc[(2, "test"), "status"] == "non-finite"
    assert set(table["dataset"]) == {"toy"}
    assert set(table["epochs"]) == {4}
