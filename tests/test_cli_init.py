import shlex
from pathlib import Path

import epsinas
from epsinas.cli import init, main
from epsinas.cli.init import TEMPLATE, lay_out
from tests.conftest import PROJECT


def files(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(capsys, *arguments: str) -> str:
    assert main(["init", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("epsinas: ")
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("epsinas: ").rstrip("\n")


def test_a_study_is_laid_out_and_the_next_step_said(capsys, tmp_path):
    folder = tmp_path / "new" / "my study"
    assert main(["init", str(folder)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2
    assert said[1].strip() == f"cd {shlex.quote(str(folder))} && snakemake --cores 2"
    assert {Path(name).parts[0] for name in files(folder)} == set(TEMPLATE)
    assert all(content == (PROJECT / name).read_bytes() for name, content in files(folder).items())


def test_without_snakemake_it_says_how_to_install_it(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(init, "find_spec", lambda name: None)
    main(["init", str(tmp_path / "study")])
    assert f"&& pip install 'epsinas[workflow]=={epsinas.__version__}' && snakemake" in capsys.readouterr().out


def test_other_files_in_the_folder_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    lay_out(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "Snakefile").is_file()


def test_nothing_is_replaced(capsys, tmp_path):
    (tmp_path / "config.yaml").write_text("study: mine\n")
    (tmp_path / "envs").mkdir()
    assert refused(capsys, str(tmp_path)) == (
        f"{tmp_path}: found config.yaml, envs in it, expected a folder without them"
    )
    assert files(tmp_path) == {"config.yaml": b"study: mine\n"}


def test_a_file_is_no_folder(capsys, tmp_path):
    (tmp_path / "study").write_text("")
    assert refused(capsys, str(tmp_path / "study")) == (
        f"{tmp_path / 'study'}: found a file, expected a folder or nothing"
    )
    assert "cannot be written: Not a directory" in refused(capsys, str(tmp_path / "study" / "below"))


def test_what_python_leaves_is_not_laid_out(tmp_path, monkeypatch):
    source = tmp_path / "source"
    lay_out(source)
    (source / "workflow" / "scripts" / "__pycache__").mkdir()
    (source / "workflow" / "scripts" / "__pycache__" / "stage.pyc").write_bytes(b"")
    monkeypatch.setattr(init, "_source", lambda: source)
    lay_out(tmp_path / "study")
    assert not list((tmp_path / "study").rglob("__pycache__"))
