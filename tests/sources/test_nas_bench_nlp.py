import json
import struct
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from epsinas.files import tables as schemas
from epsinas.sources import nas_bench_nlp as nlp_logs
from epsinas.sources.nas_bench_nlp import read_nas_bench_nlp
from tests.refusals import refusal
from tests.spaces.test_nas_bench_nlp import GRU, LSTM, RNN


def log(index: int, architecture: str = RNN, **changes) -> dict:
    """A log in the benchmark's format, of three epochs."""
    return {
        "data": "data/ptb",
        "recepie_id": index,
        "epochs": 3,
        "recepie": architecture,
        "experiment_id": 999_999_000 + index,
        "init_time": "2020-04-28_17-16-54",
        "num_params": 1000 + index,
        "wall_times": [1.0, 1.0, 1.0],
        "train_losses": [9.0, 8.0, 7.0],
        "val_losses": [7.0, 6.0, 5.0],
        "test_losses": [6.0, 5.0, 5.5],
        "status": "OK",
        **changes,
    }


def name(content: dict) -> str:
    return f"log_stats_model_{content['recepie_id']}_{content['init_time']}_{content['experiment_id']}.json"


def archive(path: Path, *logs: dict, folder: str = "", others: dict[str, str] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for other, text in (others or {}).items():
            file.writestr(other, text)
        for content in logs:
            file.writestr(folder + name(content), json.dumps(content))
    return path


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "logs.zip"


def refused(path: Path) -> str:
    before = sorted(path.parent.iterdir())
    message = refusal(read_nas_bench_nlp, [path])
    assert sorted(path.parent.iterdir()) == before
    return message


def test_losses_are_those_of_the_last_epoch(path):
    tables = read_nas_bench_nlp([archive(path, log(7), log(3, GRU))])
    assert tables.architectures.to_dict("list") == {
        "index": [3, 7],
        "architecture": [GRU, RNN],
        "parameters_ptb": [1003, 1007],
    }
    rows = tables.performance.set_index(["split", "index"])["loss"].to_dict()
    assert rows == {("test", 3): 5.5, ("test", 7): 5.5, ("valid", 3): 5.0, ("valid", 7): 5.0}
    assert set(tables.performance["epochs"]) == {3}
    assert set(tables.performance["seed"]) == {0}


@pytest.mark.parametrize("status", ["loss is nan!", "KeyboardInterrupt", "Exception: CUDA out of memory"])
def test_a_run_that_failed_is_kept_without_a_performance(path, status):
    failed = log(3, status=status, test_losses=[float("nan")], val_losses=[float("nan")])
    table = read_nas_bench_nlp([archive(path, failed, log(4))]).performance.query("split == 'test'")
    assert table["index"].tolist() == [3, 4]
    assert table["loss"].isna().tolist() == [True, False]
    assert table["epochs"].tolist() == [3, 3]


@pytest.mark.parametrize("last", [float("inf"), float("nan")])
def test_a_run_that_ended_in_an_infinite_loss_failed(path, last):
    """Once, one such log refused the whole archive: the benchmark's script marks NaN, but not infinity."""
    logs = log(3, test_losses=[6.0, 6.0, last]), log(4)
    table = read_nas_bench_nlp([archive(path, *logs)]).performance
    assert table.groupby("index")["loss"].count().to_dict() == {3: 0, 4: 2}


def test_runs_of_a_network_are_numbered_by_archive_and_start(tmp_path):
    single = archive(tmp_path / "single.zip", log(3, test_losses=[6.0, 6.0, 1.0]))
    times = {"2020-06-02_00-00-00": 3.0, "2020-06-01_00-00-00": 2.0}
    several = archive(
        tmp_path / "several.zip",
        *(log(3, init_time=time, test_losses=[6.0, 6.0, loss]) for time, loss in times.items()),
        log(3, test_losses=[6.0, 6.0, 1.0]),  # the single run once more
        log(4, LSTM),
        log(3, data="data/wikitext-2", num_params=2003, experiment_id=5),
    )
    tables = read_nas_bench_nlp([single, several])
    rows = tables.performance.query("split == 'test' and index == 3 and dataset == 'ptb'")
    assert dict(zip(rows["seed"], rows["loss"], strict=True)) == {0: 1.0, 1: 2.0, 2: 3.0}
    assert set(tables.performance["dataset"]) == {"ptb", "wikitext-2"}
    counts = tables.architectures.set_index("index")
    assert counts.loc[3].tolist() == [RNN, 1003, 2003]
    assert counts["parameters_wikitext2"].isna().tolist() == [False, True]


def test_tables_are_in_their_schemas(path, tmp_path):
    tables = read_nas_bench_nlp([archive(path, log(3), log(4, GRU, status="loss is nan!"))])
    schemas.write_architectures(tables.architectures, tmp_path / "a.parquet")
    schemas.write_performance(tables.performance, tmp_path / "p.parquet")
    pd.testing.assert_frame_equal(schemas.read_performance(tmp_path / "p.parquet"), tables.performance)
    assert schemas.read_architectures(tmp_path / "a.parquet")["architecture"].tolist() == [RNN, GRU]


def test_folders_and_other_members_are_passed_over(path):
    others = {"logs/": "", "logs/readme.txt": "no log", "__MACOSX/logs/._a.json": "\0"}
    tables = read_nas_bench_nlp([archive(path, log(3), folder="logs/", others=others)])
    assert tables.architectures["index"].tolist() == [3]


def test_the_mirrors_tables_are_those_of_its_logs(mirror):
    """The mirror keeps one run of each network; network 1002429 was trained twice."""
    tables = read_nas_bench_nlp([mirror / "nas-bench-nlp.wikitext-2-logs.zip"])
    expected = schemas.read_architectures(mirror / "nas-bench-nlp.architectures.parquet")
    pd.testing.assert_frame_equal(tables.architectures, expected, check_dtype=False)
    ours = tables.performance.query("split == 'test'")
    assert ours.query("seed == 1")["index"].tolist() == [1002429]
    theirs = schemas.read_performance(mirror / "nas-bench-nlp.performance.parquet").query("dataset == 'wikitext-2'")
    columns = ["index", "dataset", "split", "epochs", "seed", "loss"]
    pd.testing.assert_frame_equal(
        ours.query("seed == 0")[columns].reset_index(drop=True),
        theirs.sort_values("index")[columns].reset_index(drop=True),
    )
    assert theirs["loss"].isna().sum() == 4


# Mistakes and malice.


def test_a_key_that_comes_twice_is_refused(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name(log(3)), json.dumps(log(3))[:-1] + ', "status": "failed"}')
    assert refused(path) == f"logs.zip: {name(log(3))}: not a JSON file: a key comes twice"


def test_a_log_that_comes_twice_is_refused(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name(log(3)), json.dumps(log(3)))
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr(name(log(3)), json.dumps(log(3, test_losses=[1.0, 1.0, 1.0])))
    assert refused(path) == f"logs.zip: {name(log(3))}: found 2 members of this name, expected one"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recepie_id": "3"}, "recepie_id: found str, expected int"),
        ({"recepie_id": True}, "recepie_id: found bool, expected int"),
        ({"recepie_id": -1}, "recepie_id: found -1, expected 0 to 2147483647"),
        ({"epochs": 0}, "epochs: found 0, expected 1 to 32767"),
        ({"epochs": 4}, "val_losses: found 3 losses, expected 4, one for each epoch"),
        ({"num_params": -1}, "num_params: found -1, expected 0 to 9007199254740992"),
        ({"status": None}, "status: found NoneType, expected str"),
        ({"data": 1}, "data: found int, expected str"),
        ({"test_losses": [5.0, 5.0, -1.0]}, "test_losses: found -1.0 after the last epoch, expected a loss"),
        ({"test_losses": [5.0, 5.0, "5"]}, "test_losses: found '5' after the last epoch, expected a loss"),
        ({"test_losses": [5.0, 5.0, 10**400]}, "test_losses: found an integer of 1329 bits after the last epoch, exp"),
        ({"epochs": 3.0}, "epochs: found float, expected int"),
        ({"recepie_id": 10**400}, "recepie_id: found an integer of 1329 bits, expected 0 to 2147483647"),
        ({"test_losses": 5.0}, "test_losses: found float, expected list"),
        ({"recepie": "{}"}, "recipe: found an empty object, expected JSON like"),
        ({"recepie": {}}, "recepie: found dict, expected str"),
        ({"data": "data/.."}, "data: found '..', expected a folder with the name of a data set"),
        ({"data": "a\n\x1b[2J"}, r"data: found 'a\n\x1b[2J', expected a folder with the name of a data set"),
        ({"data": 100 * "x"}, f"data: found '{60 * 'x'}'..., expected a folder with the name of a data set"),
        ({"data": "\ud800"}, r"data: found '\ud800', expected a folder with the name of a data set"),
    ],
)
def test_a_log_that_is_not_as_described_is_refused(path, changes, message):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("log_stats_model_3_a.json", json.dumps(log(3) | changes))
    assert refused(path).startswith(f"logs.zip: log_stats_model_3_a.json: {message}")


@pytest.mark.parametrize("key", ["recepie", "recepie_id", "epochs", "status", "data", "init_time", "test_losses"])
def test_a_log_without_a_key_is_refused(path, key):
    content = log(3)
    del content[key]
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("log_stats_model_3_a.json", json.dumps(content))
    assert refused(path) == f"logs.zip: log_stats_model_3_a.json: key {key} is missing"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "not a JSON file: Expecting value"),
        ("[" * 100_000, "not a JSON file: "),
        ('{"epochs": ' + "9" * 5000 + "}", "not a JSON file: "),
        ("[]", "found list, expected an object"),
    ],
)
def test_a_log_that_is_no_object_is_refused(path, text, message):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("log_stats_model_3_a.json", text)
    assert refused(path).startswith(f"logs.zip: log_stats_model_3_a.json: {message}")


def test_a_number_stands_for_one_recipe(path):
    archive(path, log(3), log(3, GRU, experiment_id=1))
    assert refused(path) == "logs.zip: recipe 3 has another architecture than before"


def test_an_archive_without_logs_is_refused(path):
    archive(path, others={"readme.txt": "nothing"})
    assert refused(path) == "logs.zip: found no logs, expected members like log_stats_model_0_..._0.json"


@pytest.mark.parametrize("content", [b"", b"no zip archive", b"PK\x05\x06"])
def test_a_file_that_is_no_archive_is_refused(path, content):
    path.write_bytes(content)
    assert refused(path).startswith("logs.zip: not a readable zip archive: ")


def test_a_missing_archive_is_refused(path):
    assert refused(path).startswith("logs.zip: not a readable zip archive: ")


def test_a_damaged_archive_is_refused_wherever_it_is_cut_or_changed(path):
    whole = archive(path, *(log(index, experiment_id=index) for index in range(3))).read_bytes()
    for cut in range(10, len(whole), 97):
        path.write_bytes(whole[:cut])
        assert refused(path).startswith("logs.zip: ")
    path.write_bytes(whole)
    with zipfile.ZipFile(path) as file:
        first = file.infolist()[0]
    start = 30 + len(first.filename)
    for position in range(start, start + first.compress_size, 17):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        assert refused(path).startswith("logs.zip: ")


@pytest.mark.parametrize(
    "member",
    ["../log_stats_model_3_a.json", "/log_stats_model_3_a.json", "a/../../b.json", "..\\b.json", "C:\\b.json"],
)
def test_a_member_that_points_outside_is_refused(path, member):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name(log(4)), json.dumps(log(4)))
        file.writestr(member, json.dumps(log(3)))
    assert refused(path) == f"logs.zip: member {member!r} points outside the archive"


def test_a_bomb_is_read_no_further_than_the_limit(path, monkeypatch):
    monkeypatch.setattr(nlp_logs, "MEMBER_LIMIT", 10_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("log_stats_model_3_a.json", " " * 50_000_000)
    assert path.stat().st_size < 100_000
    message = "logs.zip: log_stats_model_3_a.json: found more than 10000 bytes, expected a log of fewer"
    assert refused(path) == message


def test_a_bomb_that_lies_about_its_size_is_refused(path, monkeypatch):
    """The size in the directory says 10 bytes; what follows is not read as part of the log."""
    monkeypatch.setattr(nlp_logs, "MEMBER_LIMIT", 10_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("log_stats_model_3_a.json", " " * 1_000_000)
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = struct.pack("<I", 10)
    path.write_bytes(content)
    assert refused(path).startswith("logs.zip: ")


def test_many_logs_that_are_large_together_are_refused(path, monkeypatch):
    monkeypatch.setattr(nlp_logs, "TOTAL_LIMIT", 1_000)
    archive(path, log(3), log(4), log(5))
    assert refused(path) == "logs.zip: found more than 1000 bytes of logs, expected fewer"


def test_too_many_members_are_refused(path, monkeypatch):
    monkeypatch.setattr(nlp_logs, "MEMBERS_LIMIT", 2)
    archive(path, log(3), log(4), log(5))
    assert refused(path) == "logs.zip: found 3 members, expected at most 2"


def test_more_runs_than_the_schema_can_number_are_refused(path):
    archive(path, *(log(3, experiment_id=run) for run in range(129)))
    assert refused(path) == "recipe 3: found more than 128 runs on ptb"
