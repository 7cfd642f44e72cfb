"""Selection, ablations and the ledger, end to end on made-up data."""

import numpy as np
import pandas as pd
import pytest
from test_workflow import checkout, run  # noqa: F401

from epsinas import space
from epsinas.schemas import write_architectures, write_images, write_performance, write_published_scores

NETWORKS = 30


@pytest.fixture
def mirror(tmp_path):
    """Thirty networks with made-up accuracies and scores, and forty 8x8 images."""
    folder = tmp_path / "mirror"
    rng = np.random.default_rng(0)
    architectures = space("nas-bench-201").sample(NETWORKS, rng)
    networks = pd.DataFrame({"index": np.arange(NETWORKS), "architecture": architectures})
    write_architectures(networks, folder / "nas-bench-201.architectures.parquet")
    performance = networks[["index"]].assign(dataset="cifar10", split="test", epochs=200)
    performance["seed"] = pd.array([None] * NETWORKS, dtype="Int8")
    write_performance(
        performance.assign(accuracy=rng.uniform(10, 90, NETWORKS)), folder / "nas-bench-201.performance.parquet"
    )
    naswot = networks[["index"]].head(20).assign(dataset="cifar10", metric="naswot", score=rng.uniform(size=20))
    write_published_scores(naswot, folder / "nas-bench-201.published-scores.parquet")
    images = rng.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    write_images(images, rng.integers(0, 10, 40), "made up", folder / "cifar10.npz")
    return folder


def study(mirror):
    return {
        "study": "toy",
        "mirror": str(mirror),
        "ledger": True,
        "nas-bench-201": {
            "networks": NETWORKS,
            "skeleton": {"channels": 2, "cells": 1},
            "datasets": ["cifar10"],
            "performance": {"split": "test", "epochs": 200},
            "weights": [1e-3, 1.0],
            "batch_size": 16,
            "precisions": ["single"],
            "draws": 2,
            "selection": {"runs": 10, "pool_sizes": [10], "published_scores": ["naswot"]},
            "ablations": {
                "weights": {
                    "values": [1e-3, 0.1, 1.0],
                    "networks": 20,
                    "wide": {"values": [1e-3, 1.0, 100.0], "networks": 10},
                },
                "initialisation": {"names": ["normal", "orthogonal"], "networks": 10, "draws": 2},
                "inputs": {"kinds": ["real", "grey_scale"], "networks": 20},
                "batch_size": {"sizes": [8, 16], "networks": 20},
            },
        },
    }


def test_every_table_figure_and_the_ledger(checkout, mirror):  # noqa: F811
    code, output = run(checkout, study(mirror))
    assert code == 0, output
    tables = {path.stem: pd.read_csv(path) for path in (checkout / "results" / "toy" / "tables").glob("*.csv")}

    assert tables["table1"]["draws"].tolist() == [2]
    assert tables["table1"]["spearman_global_low"].notna().all()

    table_2 = tables["table2"].set_index(["block", "method"])
    epsilon = table_2.loc[("Trainless (N=10)", "epsilon")]
    assert epsilon["missing"] == "not in the data source: cifar10_valid"
    assert 10 <= epsilon["cifar10_test_mean"] <= 90
    assert epsilon["cost_hours"] > 0
    assert "20 of 30 networks scored" in table_2.loc[("Trainless (N=10)", "naswot"), "note"]
    assert table_2.loc[("State-of-the-art", "BOHB"), "origin"] == "quoted"

    assert tables["table6"][["weight_low", "weight_high"]].to_numpy().tolist() == [[1e-3, 0.1], [1e-3, 1], [0.1, 1]]
    assert (tables["table6"]["networks"] == 20).all()
    # The pair of Table 1 on the same networks: a part of that run in Table 11, a run of its own in Table 6.
    pair = tables["table6"].query("weight_low == 0.001 and weight_high == 1")
    real = tables["table11"].query("inputs == 'real'")
    assert pair["spearman_global"].item() == real["spearman_global"].item()
    assert tables["table11"]["draws"].tolist() == [2, 1]

    assert tables["table9"]["initialisation"].tolist() == ["normal", "orthogonal"]
    assert (tables["table9"]["networks"] == 10).all()
    assert tables["weights"]["precision"].unique().tolist() == ["extended"]
    assert tables["figure4.draws"].groupby("batch_size")["draw"].nunique().to_dict() == {8: 2, 16: 2}

    for figure in ("figure1", "figure4", "weights"):
        assert (checkout / "figures" / "toy" / f"{figure}.pdf").stat().st_size > 1000
    ledger = pd.read_csv(checkout / "results" / "toy" / "ledger.csv")
    assert len(ledger) == 860
    summary = pd.read_csv(checkout / "results" / "toy" / "ledger-summary.csv")
    assert summary["numbers"].iloc[-1] == 860
    assert "not run" in output
    assert " all " in output
