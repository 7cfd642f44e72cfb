"""The environment of the rules: what its script installs, from any folder."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from epsinas import __version__
from tests.conftest import PROJECT
from tests.workflow.running import run
from tests.workflow.test_slurm import SMOKE

SCRIPT = PROJECT / "envs" / "epsinas.post-deploy.sh"


def deploy(folder: Path, programs: Path, checkout: str | Path) -> str:
    """Run the script in a folder, with these programs before others; return what it prints."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "EPSINAS_CHECKOUT": str(checkout),
        "EPSINAS_VERSION": "1.2.3",
    }
    done = subprocess.run(["bash", SCRIPT], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def asked(tmp_path) -> Callable[..., list[str]]:
    """What pip is asked for by the script, of which only the requirements of torch are printed."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "pip").write_text('#!/bin/sh\necho "$@"\ncase "$*" in */dev/stdin) grep -i ^torch ;; esac\nexit 0\n')

    def ask(checkout: str | Path, torch: bool) -> list[str]:
        (programs / "python").write_text(f"#!/bin/sh\nexit {0 if torch else 1}\n")
        for program in programs.iterdir():
            program.chmod(0o755)
        return deploy(tmp_path, programs, checkout).splitlines()

    return ask


def test_a_clone_gives_its_own_code_and_versions_and_leaves_torch_as_it_is(asked):
    code = f"install --no-deps --no-build-isolation {PROJECT}"
    assert asked(PROJECT, torch=True) == ["install --requirement /dev/stdin", code]
    (torch,) = re.findall("^torch==.*", (PROJECT / "requirements.lock").read_text(), re.MULTILINE)
    assert asked(PROJECT, torch=False) == ["install --requirement /dev/stdin", torch, code]


def test_a_study_that_was_laid_out_gives_the_release(asked):
    assert asked("", torch=True) == ["install epsinas[workflow]==1.2.3"]


def test_torch_is_a_cpu_build(asked):
    assert "pytorch-cpu" in (PROJECT / "envs" / "epsinas.yaml").read_text()


@pytest.mark.parametrize("clone", [True, False])
def test_the_workflow_says_whether_it_is_in_a_clone(checkout, clone):
    if clone:
        (checkout / "src" / "epsinas").mkdir(parents=True)
    with (checkout / "workflow" / "rules" / "report.smk").open("a") as rules:
        rules.write('\nprint("deploys", os.environ["EPSINAS_CHECKOUT"], os.environ["EPSINAS_VERSION"])\n')
    code, output = run(checkout, SMOKE, "--dry-run")
    assert code == 0, output
    assert re.findall("^deploys (.*)$", output, re.MULTILINE) == [f"{checkout if clone else ''} {__version__}"]


@pytest.mark.skipif(
    not os.environ.get("EPSINAS_CI"), reason="takes a minute: EPSINAS_CI is not set, which .ci/run does"
)
def test_the_script_makes_a_fresh_environment_that_runs_the_workflow(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "fresh"], cwd=tmp_path, check=True)
    programs = tmp_path / "fresh" / "bin"
    deploy(tmp_path, programs, PROJECT)
    code = "import epsinas, torch; print(epsinas.__version__, epsinas.__file__)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [programs / "python", "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [
        __version__,
        str(next((tmp_path / "fresh").rglob("site-packages/epsinas/__init__.py"))),
    ]
    listed = subprocess.run([programs / "snakemake", "--version"], capture_output=True, text=True, check=True)
    assert f"snakemake=={listed.stdout.strip()}" in (PROJECT / "requirements.lock").read_text().splitlines()
