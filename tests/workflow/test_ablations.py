"""Selection, ablations and the ledger, end to end on made-up data."""

import re

import numpy as np
import pandas as pd
import pytest

from epsinas import evaluate, score_architectures, space
from epsinas.datasets.zipf import zipf_text
from epsinas.engines.images.batches import read_draws as image_draws
from epsinas.engines.images.batches import read_labels
from epsinas.engines.sequences.batches import read_draws
from epsinas.files.images import write_images
from epsinas.files.tables import read_scores, write_architectures, write_performance, write_published_scores
from epsinas.study.networks import sample_table
from tests.workflow.running import run

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
    mine = networks[["architecture"]].head(25).assign(score=rng.uniform(size=25))
    mine.to_csv(folder / "mine.csv", index=False)
    for name in ("nas-bench-101", "nas-bench-nlp"):
        networks = sample_table(space(name), NETWORKS, rng)
        write_architectures(networks, folder / f"{name}.architectures.parquet")
        performance = networks[["index"]].assign(split="test", epochs=50, seed=pd.array([0] * NETWORKS, dtype="Int8"))
        if name == "nas-bench-101":
            performance = performance.assign(dataset="cifar10", accuracy=rng.uniform(10, 90, NETWORKS))
        else:
            # Every third training failed.
            loss = np.where(np.arange(NETWORKS) % 3, rng.uniform(4, 6, NETWORKS), np.nan)
            performance = performance.assign(dataset="ptb", loss=loss)
        write_performance(performance, folder / f"{name}.performance.parquet")
    (folder / "ptb").mkdir()
    (folder / "ptb" / "train.txt").write_text(zipf_text(50, 40, 20))
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
            "selection": {"runs": 10, "pool_sizes": [10]},
            "few_labels": {"labels": [5, 10], "repeats": 2, "weights": [0.1, 1.0], "batch_size": 8},
            "why_epsilon": {"resamples": 10, "batch_size": 16},
            "comparison": {
                "metrics": ["synflow", "grad_norm", "naswot", "parameters", "flops", "skips", "random"],
                "batch_size": 8,
                "published": True,
                "scores": {"mine": str(mirror / "mine.csv")},
            },
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


def other_spaces():
    """Sections of the two other search spaces."""
    common = {"performance": {"split": "test", "epochs": 50}, "batch_size": 8, "networks": NETWORKS, "draws": 2}
    common |= {"resamples": 20}
    return {
        "nas-bench-101": common
        | {
            "skeleton": {"channels": 4, "cells": 1},
            "datasets": ["cifar10"],
            "weights": [1e-4, 10.0],
            "metrics": ["epsilon", "kernel_agreement"],
            "every_network": {"role": "verdict", "frozen": "kernel_agreement", "candidates": ["convolutions"]},
            "ablations": {"weights": {"values": [1e-2, 0.1, 1.0], "networks": 20}},
            "comparison": {"metrics": ["synflow", "snip", "convolutions"], "networks": 10, "batch_size": 8},
        },
        "nas-bench-nlp": common
        | {
            "skeleton": {"hidden_size": 20, "layers": 2},
            "corpora": {"ptb": "train"},
            "steps": 5,
            "weights": [1e-5, 1e-3],
            "few_labels": {"labels": [5], "repeats": 2, "weights": [0.1], "batch_size": 8},
            "ablations": {"weights": {"values": [1e-5, 1e-3, 0.1]}, "embeddings": {"kinds": ["random_1"]}},
            "comparison": {
                "metrics": ["hidden_covariance", "parameters"],
                "settings": {"hidden_covariance": "layers"},
                "batch_size": 8,
            },
        },
    }


def test_every_table_figure_and_the_ledger(checkout, mirror):
    code, output = run(checkout, study(mirror) | other_spaces())
    assert code == 0, output
    results = checkout / "results" / "toy"
    tables = {path.stem: pd.read_csv(path) for path in (results / "tables").glob("*.csv")}

    table_1 = tables["table1"].set_index("metric")
    own = ["epsilon", "synflow", "grad_norm", "naswot"]
    assert table_1.index.tolist() == [*own, "parameters", "flops", "skips", "random", "naswot@published", "mine@own"]
    assert table_1["origin"].tolist() == ["computed"] * 4 + ["counted"] * 4 + ["imported"] * 2
    assert table_1["draws"].tolist() == [2] + [1] * 9
    assert np.isfinite(table_1.loc["epsilon", "spearman_global_low"])
    assert table_1.loc[["naswot@published", "mine@own"], "scored"].tolist() == [20, 25]
    assert (table_1["common"] <= 20).all()
    assert table_1["common"].nunique() == 1
    # A score, computed directly: network, labels and batch are those of the seed.
    scored = read_scores(
        results / "scores" / "nas-bench-201" / "cifar10" / "real-8-1" / "random_weights-single-usual-all.parquet"
    )
    architectures = pd.read_parquet(mirror / "nas-bench-201.architectures.parquet")["architecture"]
    tiny = space("nas-bench-201", channels=2, cells=1)
    (batch,) = image_draws(mirror / "cifar10.npz", "cifar10", "real", 8, [0], 0)
    (labels,) = read_labels(mirror / "cifar10.npz", 8, [0], 0)
    found = score_architectures(tiny, architectures[:3], batch, metric="grad_norm", labels=labels)
    stored = scored.query("metric == 'grad_norm'").set_index("index")["score"].reindex(range(3))
    np.testing.assert_allclose(stored, found, rtol=1e-5)
    assert tables["cost"].query("together")["metric"].nunique() == 5
    assert tables["cost"]["milliseconds"].gt(0).all()

    table_2 = tables["table2"].set_index(["block", "method"])
    epsilon = table_2.loc[("Trainless (N=10)", "epsilon")]
    assert epsilon["missing"] == "not in the data source: cifar10_valid"
    assert 10 <= epsilon["cifar10_test_mean"] <= 90
    assert epsilon["cost_hours"] > 0
    assert "20 of 30 networks scored" in table_2.loc[("Trainless (N=10)", "naswot@published"), "note"]
    assert table_2.loc[("Trainless (N=10)", "synflow"), "scores"] == "computed"
    assert table_2.loc[("Trainless (N=10)", "synflow"), "cost_hours"] > 0
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

    epsilon = tables["table3"].query("metric == 'epsilon'")
    assert epsilon["precision"].tolist() == ["single", "extended"]
    assert (epsilon["networks"] == NETWORKS).all()
    assert epsilon["spearman_global_sample_low"].notna().all()
    assert tables["table3"].query("metric == 'snip'")["scored"].item() == 10
    assert tables["table3"].query("metric == 'convolutions'")["scored"].item() == NETWORKS
    assert len(tables["table5"]) == 3
    assert (tables["table5"]["networks"] == 20).all()
    epsilon = tables["table4"].query("metric == 'epsilon'")
    assert epsilon["precision"].tolist() == ["single", "double", "extended"]
    assert tables["table4"].query("metric == 'hidden_covariance'")["layer"].tolist() == [1, 2]
    assert (tables["table4"]["archs"] <= 20).all()  # the others have no loss
    assert tables["table4"]["scored"].max() > 20
    assert tables["table7"]["draws"].tolist() == [2, 2, 2]
    assert tables["table7"]["published_share"].tolist() == [3892 / 5000, 913 / 5000, 918 / 5000]
    assert tables["table10"]["inputs"].tolist() == ["random_1"]
    assert set(tables["table8"]["space"]) == {"nas-bench-201", "nas-bench-101", "nas-bench-nlp"}
    assert tables["coverage"].groupby("space").size().to_dict() == {
        "nas-bench-101": 4,
        "nas-bench-201": 1,
        "nas-bench-nlp": 3,
    }
    few = tables["few_labels"].groupby("space", sort=False)["features"].unique().map(list).to_dict()
    learned = ["layers", "outputs", "architecture", "outputs and architecture"]
    assert few == {
        "nas-bench-201": ["parameters", "expected_synflow", *learned],
        "nas-bench-nlp": ["parameters", "hidden_covariance", *learned],
    }
    assert tables["few_labels"]["spearman"].between(-1, 1).all()
    why = tables["why_epsilon"].set_index(["population", "what"])
    assert why.loc[("connected", "epsilon"), "archs"] > why.loc[("path", "epsilon"), "archs"] >= 10
    assert ("path", "reference_epsilon all_skips") in why.index
    assert ("path", "brightness 0.001") in why.index
    every = tables["every_network"].query("population == 'all'").drop_duplicates("metric").set_index("metric")
    assert set(every["space"]) == {"nas-bench-101"}
    assert set(every["role"]) == {"verdict"}
    kinds = {"kernel_agreement": "frozen", "convolutions": "candidate", "epsilon": "other", "snip": "other"}
    assert every["kind"][list(kinds)].to_dict() == kinds
    same = tables["statistics"].query("metric == 'kernel_agreement' and population == 'all' and coverage == 'own'")
    assert every["spearman"]["kernel_agreement"] == pytest.approx(same["spearman"].iloc[0])
    assert every["given_size"].drop("convolutions").notna().all()
    assert tables["rounding"]["precision"].tolist() == ["single", "double", "extended"]
    # A row of Table 4, computed directly.
    (batch,) = read_draws(mirror / "ptb" / "train.txt", "uniform_positive_1", 8, 5, [0], 0)
    recipes = pd.read_parquet(mirror / "nas-bench-nlp.architectures.parquet")["architecture"]
    loss = pd.read_parquet(mirror / "nas-bench-nlp.performance.parquet")["loss"]
    small = space("nas-bench-nlp", hidden_size=20, layers=2)
    scores = score_architectures(small, recipes, batch, (1e-5, 1e-3), precision="extended")
    expected = evaluate(scores, loss, higher_is_better=False)
    assert tables["table4"]["kendall_global"].iloc[2] == pytest.approx(expected.kendall_global)

    made = ("figure1", "figure2", "figure4", "weights", "distributions", "few_labels", "every_network", "why_epsilon")
    for figure in made:
        assert (checkout / "figures" / "toy" / f"{figure}.pdf").stat().st_size > 1000
    ledger = pd.read_csv(results / "ledger.csv")
    assert len(ledger) == 860
    summary = pd.read_csv(results / "ledger-summary.csv")
    assert summary["numbers"].iloc[-1] == 860
    number, verdicts, path = output.splitlines()[-3:]
    found = r"epsilon, NAS-Bench-101, CIFAR-10: Spearman's rho -?\d\.\d{3} over \d+ of \d+ networks"
    assert re.fullmatch(found, number)
    assert verdicts.startswith("860 numbers of the paper: ")
    assert f"{(ledger['verdict'] == 'not run').sum()} not run" in verdicts
    assert path == "results/toy/report.html"
    assert (checkout / path).stat().st_size > 1e6
