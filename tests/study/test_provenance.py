import json

from epsinas.study.provenance import describe_run, stage_seconds


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
