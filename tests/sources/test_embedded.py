import json

import numpy as np
import pandas as pd
import pytest

from epsinas import NasBench201
from epsinas.datasets.digits import digits_images
from epsinas.files.images import read_images
from epsinas.files.tables import read_architectures, read_performance
from epsinas.sources import embedded
from epsinas.sources.retrieval import retrieve
from epsinas.training.benchmark import trained_by
from epsinas.training.fit import Schedule, prepare, split, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The embedded benchmark as a study retrieves it."""
    folder = tmp_path_factory.mktemp("embedded")
    for name in [*embedded.FILES, "digits.npz", "zipf/train.txt"]:
        provenance = retrieve(name, folder / name, "embedded", folder / "cache")
        assert provenance.via == ("embedded" if name in embedded.FILES else "package")
    return folder


def test_whole_space_once(folder):
    networks = read_architectures(folder / "nas-bench-201.architectures.parquet")
    assert networks["index"].tolist() == list(range(15625))
    assert set(networks["architecture"]) == set(NasBench201().architectures())


def test_a_training_is_shared_by_networks_that_train_alike():
    networks = embedded.networks().head(1500)
    local = pd.Series(trained_by(NasBench201(), networks["architecture"]))
    # Networks that share within the sample share in the whole space, and the other way round.
    whole = networks["trained"].reset_index(drop=True)
    assert whole.groupby(local).nunique().eq(1).all()
    assert local.groupby(whole).nunique().eq(1).all()


def test_performance_table(folder):
    table = read_performance(folder / "nas-bench-201.performance.parquet")
    record = embedded.record()
    assert len(table) == 15625 * 2 * (len(record["seeds"]) + 1)
    assert set(table["dataset"]) == {"digits"}
    assert set(table["split"]) == {"valid", "test"}
    assert set(table["epochs"]) == {record["recipe"]["epochs"]}
    assert table["accuracy"].between(0, 100).sum() + (table["status"] != "ok").sum() >= len(table)


def test_accuracies_spread_and_two_seeds_agree():
    networks, outcomes = embedded.networks(), embedded.outcomes()
    found = embedded.summary(networks, outcomes)
    assert found == embedded.record()["result"]
    assert found["spearman_between_seeds"] >= 0.8
    low, _, high = found["test_quartiles"]
    assert high - low > 10


def test_digits_have_one_channel(folder):
    images = read_images(folder / "digits.npz")
    assert images.images.shape == (1797, 8, 8, 1)
    assert images.images.max() == 16
    assert np.bincount(images.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_compact_form_keeps_everything(tmp_path):
    space = NasBench201()
    networks = pd.DataFrame({"index": range(4), "architecture": space.sample(4, np.random.default_rng(0))})
    networks["trained"] = [0, 1, 0, 3]
    outcomes = pd.DataFrame(
        {
            "index": np.repeat([0, 1, 3], 2),
            "seed": [0, 1] * 3,
            "valid": [50.0, 25.0, 75.0, 12.5, np.nan, 50.0],
            "test": [50.0, 25.0, 75.0, 12.5, np.nan, 50.0],
            "loss": [1.0, 0.5, 0.25, 2.0, np.inf, 1.5],
            "seconds": 0.5,
            "status": ["ok"] * 4 + ["non-finite", "ok"],
        }
    )
    train_section = {"skeleton": {}, "split": {}, "recipe": {"epochs": 1}, "seeds": [0, 1]}
    embedded.embed(tmp_path, networks, outcomes, train_section, {"command": "c"})
    table = pd.read_parquet(tmp_path / "digits.parquet").set_index("index")
    assert table.loc[2, "test_1"] == 25
    assert table.loc[3, "loss_0"] == np.inf
    assert [space.index(a) for a in networks["architecture"]] == table.loc[range(4), "code"].tolist()
    record = json.loads((tmp_path / "digits.json").read_text())
    assert record["result"]["failed"] == 1
    assert record["command"] == "c"


def test_committed_table_is_reproduced():
    """A random handful, trained again, within 3 points: equal on one machine, close on another."""
    record = embedded.record()
    images, labels = (getattr(digits_images(), name) for name in ("images", "labels"))
    data = prepare(images, labels, split(labels, **record["split"], rng=np.random.default_rng(0)))
    networks = embedded.networks().query("index == trained").sample(4, random_state=0)
    outcomes = embedded.outcomes().set_index(["index", "seed"])
    space = NasBench201(**record["skeleton"])
    for index, architecture in zip(networks["index"], networks["architecture"], strict=True):
        found = train(space, architecture, data, Schedule(**record["recipe"]), record["seeds"])
        for seed, outcome in zip(record["seeds"], found, strict=True):
            expected = outcomes.loc[(index, seed)]
            assert outcome.test == pytest.approx(expected["test"], abs=3), (index, seed)
            assert outcome.loss == pytest.approx(expected["loss"], rel=0.05), (index, seed)


def test_the_made_up_text_follows_zipfs_law(folder):
    lines = (folder / "zipf" / "train.txt").read_text().splitlines()
    assert len(lines) == 2000
    counts = pd.Series([word for line in lines for word in line.split()]).value_counts()
    assert counts.sum() == 40_000
    # The harmonic number of 1,000 is 7.485: word 1 has a share of 0.1336, word 2 half of that.
    assert counts[["w1", "w2", "w10"]].to_numpy() / 40_000 == pytest.approx([0.1336, 0.0668, 0.01336], rel=0.1)
