import bz2
import io
import os
import pickle
import tarfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from nas_201_api import ArchResults, NASBench201API, ResultsCount

from epsinas.files import tables as schemas
from epsinas.sources import nas_bench_201
from epsinas.sources.base import BenchmarkTables
from epsinas.sources.nas_bench_201 import read_nas_bench_201, read_nats_bench
from epsinas.sources.pickles import load
from tests.conftest import MIRROR
from tests.refusals import refusal
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
# As in the official file: 200 epochs were trained three times, twice or once, 12 epochs once, on `cifar10-valid` twice.
SEEDS = {0: [777, 888, 999], 1: [888]}
EPOCHS = {"less": 12, "full": 200}


def accuracy(index: int, epochs: int, dataset: str, set_name: str, seed: int) -> float:
    """A made-up accuracy that differs for every argument."""
    place = 10 * list(SETS).index(dataset) + ["x-valid", "ori-test", "x-test"].index(set_name)
    return 50 + 20 * index + epochs / 100 + place / 10 + seed / 1000


def seeds(key: str, index: int, dataset: str) -> list[int]:
    if key == "full":
        return SEEDS[index]
    return [111, 777] if dataset == "cifar10-valid" else [111]


def run(index: int, epochs: int, dataset: str, seed: int) -> ResultsCount:
    """One training run, filled by the benchmark package's own methods."""
    config = {"channel": 16, "num_cells": 5, "arch_str": NAMES[index], "class_num": 10}
    history = {epoch: 1.0 for epoch in range(epochs)}
    text = f"{seed:04d}"
    result = ResultsCount(dataset, None, history, history, np.float64(0.8), 113.9, config, text, epochs, None)
    for set_name in SETS[dataset]:
        # Curves of every epoch, of which the last is what is asked for.
        curve = {epoch: 90.0 for epoch in range(epochs)} if set_name == "x-valid" else {}
        last = {epochs - 1: accuracy(index, epochs, dataset, set_name, seed)}
        result.update_OLD_eval(set_name, curve | last, dict.fromkeys([*curve, *last], 0.5))
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


def record_pair(index: int) -> dict:
    return {key: record(index, key) for key in EPOCHS}


def nas_bench_201_contents() -> dict:
    """What the official file holds, for two networks."""
    return {
        "meta_archs": NAMES,
        "total_archs": 2,
        "basestr": "infer.tiny",
        "arch2infos": {index: record_pair(index) for index in range(2)},
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
        ("cifar10-valid", "test", "cifar10-valid", "ori-test"),
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
    # 12 epochs: 2 networks, 7 sets, a mean and a run, and a second run for the two sets of cifar10-valid
    # 200 epochs: 7 sets, a mean for 2 networks, and 3 runs and 1
    assert len(converted.performance) == (2 * 7 * 2 + 2 * 2) + 7 * (2 + 3 + 1)


def test_nas_bench_201_training_cost_is_the_mean_seconds_of_12_epochs(converted):
    expected = [12 * (index + (0.111 + 0.777) / 2) for index in range(2)]
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
            assert mean["cifar10-valid", "test", epochs, index] == info["test-accuracy"]


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


def test_a_custom_class_in_a_torch_file_is_named(tmp_path):
    torch.save({"meta_archs": Path("somewhere")}, tmp_path / "bad.pth")
    assert refusal(read_nas_bench_201, tmp_path / "bad.pth") == (
        "bad.pth: refused to load pathlib.PosixPath; "
        "expected nothing but lists, dictionaries, text, numbers and NumPy arrays"
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


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([3, 4], "arch2infos: found list, expected a dictionary of networks"),
        ({0: 3, 1: 4}, "network 0: its results are not in the benchmark's format: "),
        ({"0": {}, "1": {}}, "found a network of number '0', expected 0, 1, ..."),
        ({7: record_pair(0)}, "network 0: 0 is missing from its results"),
        ({-1: record_pair(0)}, "found a network of number -1, expected 0, 1, ..."),
        ({0: record_pair(0), 1: record_pair(1), 2: record_pair(1)}, "found 3 networks, expected 2"),
        ({}, "network 0: 0 is missing from its results"),
    ],
)
@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_results_of_another_shape_are_one_line(tmp_path, entries, message, kind):
    entries = kind(entries) if isinstance(entries, dict) else entries
    path = write_nas_bench_201(tmp_path / "odd.pth", nas_bench_201_contents() | {"arch2infos": entries})
    assert refusal(read_nas_bench_201, path).startswith(f"odd.pth: {message}")


def test_a_list_of_architectures_of_another_type_is_named(tmp_path):
    path = write_nas_bench_201(tmp_path / "odd.pth", nas_bench_201_contents() | {"meta_archs": 7})
    assert refusal(read_nas_bench_201, path) == "odd.pth: meta_archs: found int, expected a list of architectures"


def test_texts_that_are_no_architectures_are_named(tmp_path):
    path = write_nas_bench_201(tmp_path / "odd.pth", nas_bench_201_contents() | {"meta_archs": [NAMES[0], "a\x1b[2J"]})
    message = refusal(read_nas_bench_201, path)
    assert message.startswith(r"odd.pth: meta_archs: network 1: found 'a\x1b[2J': unknown operation ")


TRIAL = ["arch2infos", 0, "full", "all_results", ("cifar100", 888)]


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["epochs"], 1.5, "found 1.5 epochs, expected 200"),
        (["epochs"], float("inf"), "found inf epochs, expected 200"),
        (["epochs"], "200", "found '200' epochs, expected 200"),
        (["eval_acc1es", "x-test@199"], "93", "found accuracy of str, expected a number"),
        (["eval_acc1es", "x-test@199"], True, "found accuracy of bool, expected a number"),
        (["eval_acc1es", "x-test@199"], 10**400, "found accuracy of an integer of 1329 bits, expected 0 to 100"),
        (["eval_acc1es", "x-test@199"], float("nan"), "found accuracy of nan, expected 0 to 100"),
        (["eval_acc1es", "x-test@199"], -1.0, "found accuracy of -1.0, expected 0 to 100"),
        (["eval_acc1es"], [], "list indices must be integers or slices, not str"),
        (["get_eval"], 3, "'int' object is not callable"),
    ],
)
def test_values_are_checked_and_not_cast(tmp_path, keys, value, message):
    contents = nas_bench_201_contents()
    place = contents
    for key in [*TRIAL, *keys[:-1]]:
        place = place[key]
    place[keys[-1]] = value
    path = write_nas_bench_201(tmp_path / "odd.pth", contents)
    expected = f"odd.pth: network 0: its results are not in the benchmark's format: {message}"
    assert refusal(read_nas_bench_201, path) == expected


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["full", "dataset_seed", "cifar10"], [], "found 0 trainings on cifar10, expected 1 to 127"),
        (["less", "dataset_seed", "cifar10-valid"], [], "found 0 trainings on cifar10-valid, expected 1 to 127"),
        (["full", "query"], set, "found a set of another kind, expected one of text and numbers"),
        (["full", "query"], 3, "'int' object is not callable"),
    ],
)
def test_trainings_are_checked(tmp_path, keys, value, message):
    contents = nas_bench_201_contents()
    place = contents["arch2infos"][0]
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path = write_nas_bench_201(tmp_path / "odd.pth", contents)
    expected = f"odd.pth: network 0: its results are not in the benchmark's format: {message}"
    assert refusal(read_nas_bench_201, path) == expected


def test_more_trainings_than_the_schema_can_number_are_refused(tmp_path):
    contents = nas_bench_201_contents()
    results = contents["arch2infos"][1]["full"]
    results["dataset_seed"]["cifar10"] = list(range(128))
    trial = results["all_results"]["cifar10", 888]
    results["all_results"] |= {("cifar10", seed): trial for seed in range(128)}
    path = write_nas_bench_201(tmp_path / "odd.pth", contents)
    assert refusal(read_nas_bench_201, path).endswith("found 128 trainings on cifar10, expected 1 to 127")


@pytest.mark.parametrize("second", [NAMES[0], f"{NAMES[1]}\n"])
def test_an_architecture_comes_once_and_alone(tmp_path, second):
    path = write_nas_bench_201(tmp_path / "odd.pth", nas_bench_201_contents() | {"meta_archs": [NAMES[0], second]})
    message = refusal(read_nas_bench_201, path)
    assert message.startswith("odd.pth: meta_archs: network 1: found '|")
    assert message.endswith(": expected each architecture once, and nothing around it")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 not a zip"])
def test_a_file_that_is_not_torchs_is_named(tmp_path, content):
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    assert refusal(read_nas_bench_201, path).startswith("file.pth: ")
    torch.save([1, 2], path)
    expected = "file.pth: found list, expected a dictionary with the key meta_archs"
    assert refusal(read_nas_bench_201, path) == expected


# NATS-Bench's archive.


def write_nats_bench(path: Path, members: dict[str, object]) -> Path:
    """Write a miniature of NATS-Bench's `-simple` archive: a pickle of each network, compressed by itself."""
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            packed = content if isinstance(content, bytes) else bz2.compress(pickle.dumps(content, protocol=4))
            entry = tarfile.TarInfo(f"NATS-tss-v1_0-3ffb9-simple/{name}.pickle.pbz2")
            entry.size = len(packed)
            archive.addfile(entry, io.BytesIO(packed))
    return path


META = {"meta_archs": NAMES, "total_archs": 2, "arch2infos": None, "evaluated_indexes": set()}


def nats_record(index: int) -> OrderedDict:
    return OrderedDict({str(epochs): record(index, key) for key, epochs in EPOCHS.items()})


@pytest.mark.parametrize("order", [("meta", "000000", "000001"), ("000001", "meta", "000000")])
def test_nats_bench_gives_the_same_tables(tmp_path, converted, order):
    members = {"meta": META, "000000": nats_record(0), "000001": nats_record(1)}
    path = write_nats_bench(tmp_path / "nats.tar", {name: members[name] for name in order})
    tables = read_nats_bench(path)
    for found, expected in zip(tables, converted, strict=True):
        pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"000000": nats_record(0)}, "meta.pickle.pbz2 is missing, expected it among the networks"),
        ({"meta": META, "000000": nats_record(0)}, "network 1: 1 is missing from its results"),
        ({"meta": META, "000000": [1]}, "network 0: 'less' is missing from its results"),
        ({"meta": {"total_archs": 2}}, "/meta: key meta_archs is missing; found total_archs"),
        ({"meta": META, "000000": b"BZh9 damaged"}, "/000000: not readable by bzip2: "),
        ({"meta": META, "000000": bz2.compress(b"no pickle")}, "/000000: "),
        ({"meta": {"meta_archs": 7}}, "meta_archs: found int, expected a list of architectures"),
        ({"meta": Calls(os.system, "touch harmed")}, f"/meta: refused to load {os.name}.system; "),
    ],
)
def test_a_wrong_archive_is_explained(tmp_path, monkeypatch, members, message):
    monkeypatch.chdir(tmp_path)
    path = write_nats_bench(tmp_path / "nats.tar", members)
    assert refusal(read_nats_bench, path).removeprefix("nats.tar").removeprefix(": ").startswith(message)
    assert os.listdir(tmp_path) == ["nats.tar"]


def test_an_archive_that_is_cut_off_is_one_line(tmp_path):
    path = write_nats_bench(tmp_path / "nats.tar", {"meta": META, "000000": nats_record(0)})
    path.write_bytes(path.read_bytes()[:2000])
    assert refusal(read_nats_bench, path) == "nats.tar: not a readable tar archive: unexpected end of data"


def test_a_bomb_in_the_archive_is_read_no_further_than_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(nas_bench_201, "MEMBER_LIMIT", 10_000)
    path = write_nats_bench(tmp_path / "nats.tar", {"000000": bz2.compress(bytes(10_000_000))})
    assert refusal(read_nats_bench, path) == (
        "nats.tar/000000: found more than 10000 bytes, expected a network of fewer"
    )


REAL = {0: "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"}


@pytest.fixture(scope="module")
def real_networks() -> dict[int, object]:
    """Three networks of NATS-Bench, by their place in the benchmark."""
    folder = MIRROR / "nats-bench-simple"
    if not folder.is_dir():
        pytest.skip("no real records of NATS-Bench")
    paths = sorted(folder.glob("[0-9]*.pickle.pbz2"))
    return {int(path.name[:6]): load(bz2.open(path), name=path.name) for path in paths}


def as_tables(networks: dict[int, object], folder: Path) -> BenchmarkTables:
    """The tables of networks that are numbered anew from 0."""
    names = [network["12"]["arch_str"] for network in networks.values()]
    members = {f"{place:06d}": network for place, network in enumerate(networks.values())}
    return read_nats_bench(write_nats_bench(folder / "nats.tar", {"meta": {"meta_archs": names}, **members}))


def test_real_networks_have_the_accuracies_of_the_mirror(real_networks, tmp_path):
    """Both are means over the benchmark's seeds, which are more in NATS-Bench for some networks."""
    tables = as_tables(real_networks, tmp_path)
    assert tables.architectures["architecture"][0] == REAL[0]
    mirror = pd.read_parquet(MIRROR / "nas-bench-201.performance.parquet")
    keys = ["dataset", "split", "epochs", "index"]
    theirs = mirror[mirror["seed"].isna()].set_index(keys)["accuracy"]
    ours = tables.performance[tables.performance["seed"].isna()]
    ours = ours.assign(index=ours["index"].map(dict(enumerate(real_networks)))).set_index(keys)["accuracy"]
    both = ours.to_frame("ours").join(theirs, how="inner")
    assert len(both) >= 3 * 7
    short = both[both.index.get_level_values("epochs") == 12]
    np.testing.assert_allclose(short["ours"], short["accuracy"], atol=0.006)  # the mirror has two decimal places
    assert (both["ours"] - both["accuracy"]).abs().max() < 1.5


def test_real_networks_are_the_same_in_both_formats(real_networks, tmp_path):
    tables = as_tables(real_networks, tmp_path)
    names = tables.architectures["architecture"].tolist()
    entries = {
        place: {"less": network["12"], "full": network["200"]} for place, network in enumerate(real_networks.values())
    }
    path = write_nas_bench_201(tmp_path / "real.pth", {"meta_archs": names, "arch2infos": entries})
    for found, expected in zip(read_nas_bench_201(path), tables, strict=True):
        pd.testing.assert_frame_equal(found, expected)
