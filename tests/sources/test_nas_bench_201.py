import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from nas_201_api import ArchResults, NASBench201API, ResultsCount

from epsinas.errors import InputError
from epsinas.files import tables as schemas
from epsinas.sources.base import BenchmarkTables
from epsinas.sources.nas_bench_201 import read_nas_bench_201
from tests.conftest import MIRROR
from tests.sources.test_pickles import Calls

NAMES = [
    "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
]
SETS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("ori-test", "x-valid", "x-test"),
    "ImageNet16-120": ("ori-test", "x-valid", "x-test"),
}
# As in the official file: the first network was trained three times, the second once; with 12 epochs each was
# trained once, and twice on `cifar10-valid`.
SEEDS = {("full", 0): [777, 888, 999], ("full", 1): [888], ("less", 0): [777], ("less", 1): [777]}
EPOCHS = {"less": 12, "full": 200}


def accuracy(index: int, epochs: int, dataset: str, set_name: str, seed: int) -> float:
    """A made-up accuracy that differs for every argument."""
    place = 10 * list(SETS).index(dataset) + ["x-valid", "ori-test", "x-test"].index(set_name)
    return 50 + 20 * index + epochs / 100 + place / 10 + seed / 1000


def seeds(key: str, index: int, dataset: str) -> list[int]:
    return [777, 888] if (key, dataset) == ("less", "cifar10-valid") else SEEDS[key, index]


def run(index: int, epochs: int, dataset: str, seed: int) -> ResultsCount:
    """One training run, filled by the benchmark package's own methods."""
    config = {"channel": 16, "num_cells": 5, "arch_str": NAMES[index], "class_num": 10}
    history = {epoch: 1.0 for epoch in range(epochs)}
    result = ResultsCount(dataset, None, history, history, np.float64(0.8), 113.9, config, seed, epochs, None)
    for set_name in SETS[dataset]:
        last = {epochs - 1: accuracy(index, epochs, dataset, set_name, seed)}
        result.update_OLD_eval(set_name, last, {epochs - 1: 0.5})
        result.reset_pseudo_eval_times(set_name, 2.0)
    result.reset_pseudo_train_times(index + seed / 1000)
    result.update_latency([0.01])
    return result


def record(index: int, key: str) -> dict:
    results = ArchResults(index, NAMES[index])
    for dataset in SETS:
        for seed in seeds(key, index, dataset):
            results.update(dataset, seed, run(index, EPOCHS[key], dataset, seed))
    return results.state_dict()


def nas_bench_201_contents() -> dict:
    """What the official file holds, for two networks."""
    return {
        "meta_archs": NAMES,
        "total_archs": 2,
        "basestr": "infer.tiny",
        "arch2infos": {index: {key: record(index, key) for key in EPOCHS} for index in range(2)},
        "evaluated_indexes": {0, 1},
    }


def write_nas_bench_201(path: Path, contents: object = None) -> Path:
    """Write a miniature of NAS-Bench-201's file as PyTorch and NumPy wrote it in 2020."""
    file = io.BytesIO()
    torch.save(contents or nas_bench_201_contents(), file, _use_new_zipfile_serialization=False)
    old = file.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    # dtype("f8", align, copy) with integers instead of booleans
    path.write_bytes(old.replace(b"\x89\x88\x87", b"K\x00K\x01\x87"))
    return path


def refusal(function, *arguments) -> str:
    with pytest.raises(InputError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def converted(tmp_path_factory) -> BenchmarkTables:
    return read_nas_bench_201(write_nas_bench_201(tmp_path_factory.mktemp("raw") / "NAS-Bench-201.pth"))


def test_nas_bench_201_architectures_keep_the_official_order(converted):
    assert converted.architectures["index"].tolist() == [0, 1]
    assert converted.architectures["architecture"].tolist() == NAMES


@pytest.mark.parametrize(
    ("dataset", "split", "trained_on", "set_name"),
    [
        ("cifar10", "test", "cifar10", "ori-test"),
        ("cifar10", "valid", "cifar10-valid", "x-valid"),
        ("cifar100", "test", "cifar100", "x-test"),
        ("cifar100", "valid", "cifar100", "x-valid"),
        ("ImageNet16-120", "test", "ImageNet16-120", "x-test"),
        ("ImageNet16-120", "valid", "ImageNet16-120", "x-valid"),
    ],
)
@pytest.mark.parametrize("key", ["less", "full"])
@pytest.mark.parametrize("index", [0, 1])
def test_nas_bench_201_accuracies(converted, dataset, split, trained_on, set_name, key, index):
    table = converted.performance
    chosen = (table["dataset"] == dataset) & (table["split"] == split) & (table["index"] == index)
    found = table[chosen & (table["epochs"] == EPOCHS[key])]
    runs = [accuracy(index, EPOCHS[key], trained_on, set_name, seed) for seed in seeds(key, index, trained_on)]
    assert found["seed"].isna().tolist() == [True] + [False] * len(runs)
    assert found["seed"].dropna().tolist() == list(range(len(runs)))
    assert found["accuracy"].tolist() == pytest.approx([sum(runs) / len(runs), *runs], rel=1e-14)


def test_nas_bench_201_has_no_other_rows(converted):
    # 12 epochs: 2 networks, 6 sets, a mean and a run, and a second run for cifar10's validation set
    # 200 epochs: 6 sets, a mean for 2 networks, and 3 runs and 1
    assert len(converted.performance) == (2 * 6 * 2 + 2) + 6 * (2 + 3 + 1)


def test_nas_bench_201_training_cost_is_the_mean_seconds_of_12_epochs(converted):
    expected = [12 * (index + (0.777 + 0.888) / 2) for index in range(2)]
    assert converted.training_cost["seconds"].tolist() == pytest.approx(expected, rel=1e-14)


def test_nas_bench_201_agrees_with_the_packages_own_queries(converted):
    api = NASBench201API(nas_bench_201_contents(), verbose=False)
    mean = converted.performance[converted.performance["seed"].isna()]
    mean = mean.set_index(["dataset", "split", "epochs", "index"])["accuracy"]
    for index in range(2):
        for epochs in (12, 200):
            for dataset in ("cifar10", "cifar100", "ImageNet16-120"):
                info = api.get_more_info(index, dataset, hp=str(epochs), is_random=False)
                assert mean[dataset, "test", epochs, index] == info["test-accuracy"]
            info = api.get_more_info(index, "cifar10-valid", hp=str(epochs), is_random=False)
            assert mean["cifar10", "valid", epochs, index] == info["valid-accuracy"]


def test_nas_bench_201_tables_are_in_their_schemas(converted, tmp_path):
    path = tmp_path / "table"
    for table, kind in zip(converted, ("architectures", "performance", "training_cost"), strict=True):
        getattr(schemas, f"write_{kind}")(table, path)
        pd.testing.assert_frame_equal(getattr(schemas, f"read_{kind}")(path), table)


@pytest.mark.skipif(not MIRROR.is_dir(), reason=f"no mirror of real data in {MIRROR.name}")
def test_nas_bench_201_tables_are_like_the_mirrors(converted):
    real = pd.read_parquet(MIRROR / "nas-bench-201.performance.parquet")
    table = converted.performance
    pd.testing.assert_series_equal(table.dtypes, real.dtypes)
    kinds = ["dataset", "split", "epochs"]
    # The mirror also has the test accuracy of networks that were trained on half of CIFAR-10's training images.
    real = real[real["dataset"] != "cifar10-valid"]
    assert set(real[kinds].itertuples(index=False)) <= set(table[kinds].itertuples(index=False))
    order = table[[*kinds, "index", "seed"]]
    pd.testing.assert_frame_equal(order, order.sort_values(list(order), na_position="first"))


def test_nas_bench_201_is_read_from_the_zip_format_too(tmp_path, converted):
    torch.save(nas_bench_201_contents(), tmp_path / "new.pth")
    read = read_nas_bench_201(tmp_path / "new.pth")
    pd.testing.assert_frame_equal(read.performance, converted.performance)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_torch_file_is_refused_and_nothing_runs(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    contents = {"meta_archs": Calls(os.system, "touch harmed")}
    torch.save(contents, tmp_path / "bad.pth", _use_new_zipfile_serialization=zipped)
    message = refusal(read_nas_bench_201, tmp_path / "bad.pth")
    assert message.startswith("bad.pth: ")
    assert os.name in message
    assert os.listdir(tmp_path) == ["bad.pth"]


def test_what_is_admitted_for_one_file_is_not_admitted_afterwards(tmp_path):
    before = torch.serialization.get_safe_globals()
    read_nas_bench_201(write_nas_bench_201(tmp_path / "NAS-Bench-201.pth"))
    assert torch.serialization.get_safe_globals() == before


def test_a_custom_class_in_a_torch_file_is_named(tmp_path):
    torch.save({"meta_archs": Path("somewhere")}, tmp_path / "bad.pth")
    assert refusal(read_nas_bench_201, tmp_path / "bad.pth") == (
        "bad.pth: refused to load pathlib.PosixPath; "
        "expected nothing but dictionaries, lists, text, numbers and tensors"
    )


def without(contents: dict, *keys) -> dict:
    for key in keys[:-1]:
        contents = contents[key]
    del contents[keys[-1]]
    return contents


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            ["meta_archs"],
            "key meta_archs is missing; found total_archs, basestr, arch2infos, evaluated_indexes",
        ),
        (["arch2infos", 1], "network 1: 1 is missing from its results"),
        (["arch2infos", 1, "full"], "network 1: 'full' is missing from its results"),
        (
            ["arch2infos", 0, "full", "dataset_seed", "cifar100"],
            "network 0: 'cifar100' is missing from its results",
        ),
        (
            ["arch2infos", 0, "full", "all_results", ("cifar100", 888), "eval_acc1es", "x-test@199"],
            "network 0: 'x-test@199' is missing from its results",
        ),
    ],
)
def test_missing_results_are_named(tmp_path, keys, message):
    contents = nas_bench_201_contents()
    without(contents, *keys)
    path = write_nas_bench_201(tmp_path / "part.pth", contents)
    assert refusal(read_nas_bench_201, path) == f"part.pth: {message}"


def test_results_of_another_shape_are_one_line(tmp_path):
    contents = nas_bench_201_contents() | {"arch2infos": [3, 4]}
    path = write_nas_bench_201(tmp_path / "odd.pth", contents)
    expected = "odd.pth: network 0: its results are not in the benchmark's format: "
    assert refusal(read_nas_bench_201, path).startswith(expected)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 not a zip"])
def test_a_file_that_is_not_torchs_is_named(tmp_path, content):
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    assert refusal(read_nas_bench_201, path).startswith("file.pth: ")
    torch.save([1, 2], path)
    expected = "file.pth: found list, expected a dictionary with the key meta_archs"
    assert refusal(read_nas_bench_201, path) == expected
