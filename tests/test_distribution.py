"""What travels in the wheel and in the source distribution."""

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from epsinas.cli.init import TEMPLATE
from tests.conftest import PROJECT

NAME = f"epsinas-{tomllib.loads((PROJECT / 'pyproject.toml').read_text())['project']['version']}"


def build(tree: Path, folder: Path, target: str) -> Path:
    """Build a wheel or a source distribution of a tree, without fetching anything."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.iterdir()
    return built


def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build(PROJECT, tmp_path_factory.mktemp("wheel"), "wheel")


def test_the_wheel_has_the_package_the_data_and_the_workflow_and_nothing_else(wheel):
    package = {
        f"epsinas/{path.relative_to(PROJECT / 'src' / 'epsinas')}": path
        for path in (PROJECT / "src" / "epsinas").rglob("*")
    }
    workflow = {
        f"epsinas/template/{path.relative_to(PROJECT)}": path
        for name in TEMPLATE
        for path in [PROJECT / name, *(PROJECT / name).rglob("*")]
    }
    expected = {
        name: path.read_bytes()
        for name, path in (package | workflow).items()
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = content(wheel)
    # Licence, entry points and the like.
    assert {name.split("/")[0] for name in packed.keys() - expected.keys()} == {f"{NAME}.dist-info"}
    assert expected == {name: packed[name] for name in expected}
    assert "epsinas/data/nas-bench-201.parquet" in expected
    assert "epsinas/template/workflow/rules/common.smk" in expected


def test_its_description_and_requirements(wheel):
    metadata = Parser().parsestr(content(wheel)[f"{NAME}.dist-info/METADATA"].decode())
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (PROJECT / "README.md").read_text(encoding="utf-8")
    assert {"workflow", "test", "lint", "docs"} <= set(metadata.get_all("Provides-Extra", []))


def test_the_command_of_the_unpacked_wheel_lays_out_its_own_workflow(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    # So that the files are known for those of the wheel.
    (tmp_path / "site" / "epsinas" / "template" / "config.yaml").write_text("study: travelled\n")
    command = [sys.executable, "-m", "epsinas.cli", "init", "study"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "study" / "config.yaml").read_text() == "study: travelled\n"
    assert sorted(path.name for path in (tmp_path / "study").iterdir()) == sorted(TEMPLATE)


def test_the_source_distribution_builds_the_same_wheel(wheel, tmp_path):
    with tarfile.open(build(PROJECT, tmp_path / "sdist", "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    assert not (tmp_path / NAME / "tests").exists()
    again = build(tmp_path / NAME, tmp_path / "again", "wheel")
    assert content(again) == content(wheel)
