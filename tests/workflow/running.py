"""Runs of the workflow in a copy of its own."""

import subprocess
import sys
from pathlib import Path

import yaml

from epsinas.cli.init import lay_out


def copy_workflow(folder: Path) -> Path:
    """Copy the workflow, so that runs neither share nor leave anything."""
    lay_out(folder)
    return folder


def start(checkout: Path, config: dict, *arguments: str, python: str | Path = sys.executable) -> subprocess.Popen:
    """Start Snakemake on a study."""
    (checkout / "study.yaml").write_text(yaml.safe_dump(config))
    command = [str(python), "-m", "snakemake", "--cores", "2", *arguments, "--configfile", "study.yaml"]
    return subprocess.Popen(
        command, cwd=checkout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def run(checkout: Path, config: dict, *arguments: str, python: str | Path = sys.executable) -> tuple[int, str]:
    """Run Snakemake on a study; return its exit code and what it printed."""
    process = start(checkout, config, *arguments, python=python)
    output, _ = process.communicate(timeout=900)
    return process.returncode, output
