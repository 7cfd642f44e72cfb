import numpy as np
import pandas as pd
import pytest
import yaml

from epsinas import InputError
from epsinas.files.tables import write_architectures, write_performance
from epsinas.study.config import Study, read_study
from epsinas.study.data import describe_files, settle, wanted_files
from epsinas.study.plan import Plan
from tests.conftest import PROJECT


def study(section=None, **changes) -> Study:
    common = {"datasets": ["cifar10"], "performance": {"split": "test", "epochs": 200}}
    return read_study({"study": "s", "nas-bench-201": common | (section or {})} | changes)


@pytest.fixture
def mirror(tmp_path):
    """Ten networks with a validation accuracy each."""
    networks = pd.DataFrame({"index": np.arange(10), "architecture": "any"})
    write_architectures(networks, tmp_path / "nas-bench-201.architectures.parquet")
    performance = networks[["index"]].assign(dataset="cifar10", split="valid", epochs=200, accuracy=50.0)
    performance["seed"] = pd.array([None] * 10, dtype="Int8")
    write_performance(performance, tmp_path / "nas-bench-201.performance.parquet")
    return tmp_path


def test_what_the_mirror_lacks_is_said_and_what_there_is_is_taken(mirror):
    ablations = {"weights": {"values": [0.1, 1.0], "networks": 5000}, "batch_size": {"sizes": [8], "networks": 5}}
    wanted = study({"ablations": ablations}, mirror=str(mirror))
    settled, messages = settle(wanted)
    assert messages == [
        f"nas-bench-201: 10 networks in the mirror {mirror}, where the study names 15,625: these are taken",
        f"nas-bench-201: no test performance after 200 epochs on cifar10 in the mirror {mirror}: validation is taken",
    ]
    section = settled.sections["nas-bench-201"]
    assert section["networks"] == 10
    assert section["performance"] == {"split": "valid", "epochs": 200}
    assert section.ablation("weights")["networks"] == 10
    assert section.ablation("batch_size")["networks"] == 5
    assert wanted.config["nas-bench-201"]["networks"] == 15_625  # what was wanted is not changed
    assert settle(settled)[1] == []


def test_what_there_is_is_listed_where_nothing_will_do(mirror):
    message = (
        "config: nas-bench-201.performance: found no test performance after 12 epochs on cifar10 in the mirror "
        f"{mirror}, expected one of cifar10 valid 200"
    )
    with pytest.raises(InputError) as caught:
        settle(study({"performance": {"split": "test", "epochs": 12}}, mirror=str(mirror)))
    assert str(caught.value) == message
    # The other split would do for one of the two.
    with pytest.raises(InputError, match="on cifar10, cifar100 in the mirror"):
        settle(study({"datasets": ["cifar10", "cifar100"]}, mirror=str(mirror)))


def test_performances_of_other_networks_only_are_refused_before_anything_is_computed(mirror):
    path = mirror / "nas-bench-201.performance.parquet"
    table = pd.read_parquet(path)
    write_performance(table.assign(index=table["index"] + 100), path)
    with pytest.raises(InputError) as caught:
        settle(study(mirror=str(mirror)))
    assert str(caught.value) == (
        f"{path}: column index: found none of the 10 networks of nas-bench-201.architectures.parquet, "
        "expected their performances"
    )


def test_performances_without_a_value_are_not_there(mirror):
    """Once, a table's KeyError said so after everything was scored."""
    path = mirror / "nas-bench-201.performance.parquet"
    table = pd.read_parquet(path)
    write_performance(pd.concat([table, table.assign(split="test", accuracy=np.nan)]), path)
    settled, messages = settle(study(mirror=str(mirror)))
    assert settled.sections["nas-bench-201"]["performance"]["split"] == "valid"
    assert messages[1].startswith("nas-bench-201: no test performance after 200 epochs on cifar10")


OTHER_NUMBER = "nas-bench-101: 423,624 networks in the official files, where the study names 15,000: these are taken"
OTHER_SPLIT = "nas-bench-101: no test performance after 108 epochs on cifar10 in the package: validation is taken"


@pytest.mark.parametrize(
    ("mirror", "place", "message", "networks", "split"),
    [
        ("package", "the package", OTHER_SPLIT, 15_000, "valid"),
        (None, "the official files", OTHER_NUMBER, 423_624, "test"),
    ],
)
def test_the_package_and_the_official_files_are_known(mirror, place, message, networks, split):
    section = {"datasets": ["cifar10"], "networks": 15_000, "performance": {"split": "test", "epochs": 108}}
    config = {"study": "s", "mirror": mirror, "nas-bench-101": section}
    settled, messages = settle(read_study(config))
    assert messages == [message]
    found = settled.sections["nas-bench-101"]
    assert (found["networks"], found["performance"]["split"]) == (networks, split)
    section["performance"]["epochs"] = 7
    with pytest.raises(InputError, match=f"after 7 epochs on cifar10 in {place}, expected one of cifar10"):
        settle(read_study(config))


def test_the_official_study_wants_what_the_official_files_have():
    official = read_study(yaml.safe_load((PROJECT / "workflow" / "studies" / "official.yaml").read_text()))
    settled, messages = settle(official)
    assert messages == []
    assert settled.config == official.config


def test_what_a_study_makes_by_itself_is_left_alone(tmp_path, mirror):
    sampled = study({"sample": 20}, mirror=str(mirror))
    assert settle(sampled)[0].config == sampled.config
    train = {
        "dataset": "mine",
        "images": str(tmp_path / "mine.npz"),
        "split": {"valid": 0.2, "test": 0.2},
        "schedule": {"epochs": 2, "batch_size": 32, "learning_rate": 0.1},
        "seeds": [0],
    }
    trained = study({"datasets": ["mine"], "performance": {"split": "test", "epochs": 2}}, train=train)
    with pytest.raises(InputError, match=r"config: train\.images: found no file .*mine\.npz, expected an npz"):
        settle(trained)
    (tmp_path / "mine.npz").touch()
    assert settle(trained)[0].config == trained.config
    assert wanted_files(Plan(trained)) == []
    assert describe_files(trained) == []


def test_a_space_that_nothing_is_known_of_is_left_to_the_retrieval(tmp_path):
    for mirror in ("nowhere", str(tmp_path)):
        wanted = study(mirror=mirror)
        assert settle(wanted)[0].config == wanted.config


def test_a_table_of_the_mirror_that_cannot_be_read_is_named(mirror):
    (mirror / "nas-bench-201.performance.parquet").write_text("no table")
    with pytest.raises(InputError, match=r"nas-bench-201\.performance\.parquet: not a readable Parquet file"):
        settle(study(mirror=str(mirror)))


def test_scores_of_the_package_are_of_its_own_networks(mirror):
    comparison = {"comparison": {"metrics": ["naswot"], "shipped": True}}
    with pytest.raises(
        InputError, match=r"comparison\.shipped: found true, expected false: .* its own 15,625 networks"
    ):
        settle(study(comparison, mirror=str(mirror)))
    assert settle(study(comparison, mirror="package"))


def test_scores_of_one_s_own_must_be_there(mirror):
    comparison = {"comparison": {"metrics": ["naswot"], "scores": {"mine": "nowhere.csv"}}}
    with pytest.raises(InputError, match=r"comparison\.scores\.mine: found no file nowhere\.csv, expected a CSV"):
        settle(study(comparison, mirror=str(mirror)))


def test_which_files_a_study_wants():
    selection = {"trained": {"dataset": "cifar10", "epochs": 12, "budget_seconds": 1}}
    comparison = {"metrics": ["naswot"], "published": True}
    assert sorted(wanted_files(Plan(study({"selection": selection, "comparison": comparison})))) == [
        "cifar10.npz",
        "nas-bench-201.architectures.parquet",
        "nas-bench-201.performance.parquet",
        "nas-bench-201.published-scores.parquet",
        "nas-bench-201.training-cost.parquet",
    ]


def test_what_comes_from_elsewhere_is_said(tmp_path, monkeypatch, mirror):
    monkeypatch.chdir(tmp_path)
    wanted = study({"comparison": {"metrics": ["naswot"], "published": True}})
    lines = describe_files(wanted)
    assert lines[0] == "nas-bench-201.published-scores.parquet: not in the official files; it comes from the package"
    assert lines[1].startswith("2 official files will be downloaded into resources, 5.22 GB:")
    assert lines[2].startswith("  NAS-Bench-201-v1_1-096897.pth: 5.05 GB, MIT, https://drive.google.com/")
    # What was retrieved does not come again.
    (tmp_path / "results" / "s" / "data").mkdir(parents=True)
    for name in wanted_files(Plan(wanted)):
        (tmp_path / "results" / "s" / "data" / name).touch()
    assert describe_files(wanted) == []
    with pytest.raises(InputError, match=r"photographs\.npz: no official source to download"):
        describe_files(study({"datasets": ["photographs"]}))
    assert describe_files(study({"datasets": ["photographs"]}, mirror=str(mirror))) == [
        f"missing from the mirror {mirror}: photographs.npz; what needs them cannot be made"
    ]
