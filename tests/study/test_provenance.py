import hashlib
import json

import pytest

from epsinas import InputError
from epsinas.cli import main
from epsinas.study.provenance import checksums_of, describe_run, stage_seconds, verify


def test_wall_time_is_summed_by_stage(tmp_path):
    for name, seconds in {"scores/a/1.tsv": 1.5, "scores/b.tsv": 2.5, "figures/f.tsv": 0.25}.items():
        path = tmp_path / "times" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\n{seconds}\t0:00:00\n")
    assert stage_seconds(tmp_path / "times") == {"figures": 0.2, "scores": 4.0}


def test_record_of_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv("EPSINAS_COMMAND", "snakemake --cores 2")
    folder = tmp_path / "provenance"
    folder.mkdir()
    (folder / "x.npz.json").write_text(json.dumps({"name": "x.npz", "sha256": "00"}))
    record = describe_run(tmp_path, {"seed": 3})
    assert record["inputs"] == [{"name": "x.npz", "sha256": "00"}]
    assert record["config"] == {"seed": 3}
    assert record["command"] == "snakemake --cores 2"
    assert record["versions"]["epsinas"]
    assert record["seconds"] == {}


def digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


@pytest.fixture
def results(tmp_path):
    """The folder of a study that is done: a file of data, scores, a table and a figure, each with its name in it."""
    results = tmp_path / "results" / "mine"
    names = ["data/x.npz", "scores/a/1-of-2.parquet", "tables/t.csv", "../../figures/mine/f.svg"]
    for name in [*names, "logs/a.log", "times/a/b.txt", "report.html", "closing-lines.txt", "scores/.t.tmp"]:
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text(name)
    (results / "provenance").mkdir()
    entry = {"name": "x.npz", "sha256": digest("data/x.npz")}
    (results / "provenance" / "x.npz.json").write_text(json.dumps(entry))
    (results / "provenance.json").write_text(json.dumps(describe_run(results, {})))
    return results


def test_everything_has_a_checksum_but_what_differs_from_run_to_run(results):
    names = ["../../figures/mine/f.svg", "data/x.npz", "scores/a/1-of-2.parquet", "tables/t.csv"]
    found = checksums_of(results)
    assert found.pop("provenance/x.npz.json")
    assert found == {name: digest(name) for name in names}


def test_what_is_as_it_was_made_is_verified(results, capsys):
    assert verify(results) == []
    assert main(["verify", str(results)]) == 0
    assert capsys.readouterr().out == f"epsinas: {results}: every file is as it was made\n"


def test_what_changed_since_is_named(results, capsys):
    """Once, a chunk that was damaged after the tables were made was noticed by nobody."""
    chunk, figure = results / "scores/a/1-of-2.parquet", results / "../../figures/mine/f.svg"
    chunk.write_text("damaged")
    figure.unlink()
    expected = {
        f"{chunk}: found sha256 {digest('damaged')}, expected {digest('scores/a/1-of-2.parquet')}",
        f"{figure}: is missing",
    }
    assert set(verify(results)) == expected
    assert main(["verify", str(results)]) == 2
    printed = capsys.readouterr()
    assert set(printed.out.splitlines()) == expected
    assert printed.err == f"epsinas: {results}: found 2 files that are not as they were made\n"


def test_a_file_that_changed_between_its_retrieval_and_the_end_is_named(results):
    entry = {"name": "x.npz", "sha256": digest("as it came")}
    (results / "provenance" / "x.npz.json").write_text(json.dumps(entry))
    (results / "provenance.json").write_text(json.dumps(describe_run(results, {})))
    found = digest("data/x.npz")
    assert verify(results) == [f"{results / 'data/x.npz'}: found sha256 {found}, expected {digest('as it came')}"]


SUM = 64 * "0"


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{}", '{"inputs": 3, "outputs": 4}', '{"inputs": [], "outputs": {}}', 1000 * "["),
        *(
            json.dumps({"inputs": [], "outputs": {name: value}})
            for name, value in [("a", 1), ("a", "text"), ("a", SUM.upper().replace("0", "A")), ("a", f"{SUM}\n")]
        ),
        *(
            json.dumps({"inputs": [], "outputs": {name: SUM}})
            for name in ("/etc/passwd", "../../data", "../../figures/../data", "a\n", "\x1b[2J", "\ud800", 5000 * "a")
        ),
    ],
)
def test_a_record_without_checksums_is_one_line(results, content):
    path = results / "provenance.json"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        verify(results)
    assert str(caught.value).startswith(f"{path}: not a record of a run with checksums of what it wrote: ")


def test_a_folder_without_provenance_is_named(tmp_path):
    with pytest.raises(InputError, match=r"provenance.json: found no such file, expected a file$"):
        verify(tmp_path)
