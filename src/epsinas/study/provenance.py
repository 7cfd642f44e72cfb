"""What a run of the workflow used and what it cost."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

COMMAND = "EPSINAS_COMMAND"
"""Variable of the environment in which the workflow leaves its command for the jobs that it starts."""

PACKAGES = ("epsinas", "numpy", "numba", "torch", "scipy", "pandas", "pyarrow", "matplotlib", "snakemake")


def describe_run(results: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the provenance of a study's results.

    Args:
        results: the study's folder, with `provenance/*.json` of its input files and `times/**/*.tsv`.
        config: the study's configuration, all seeds included.

    Returns:
        `command`, `commit`, `date`, `config`, `inputs` (name, sha256, source ... of each file), `versions`, `machine`,
        and `seconds`: wall time of each stage, summed over its jobs, whenever they ran.
    """
    return {
        "command": os.environ.get(COMMAND, " ".join(sys.argv)),
        "commit": _commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "config": config,
        "inputs": [json.loads(path.read_text()) for path in sorted((results / "provenance").rglob("*.json"))],
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "seconds": stage_seconds(results / "times"),
    }


def stage_seconds(times: Path) -> dict[str, float]:
    """Sum the wall time of each stage, the first folder below `times`, in seconds."""
    seconds: dict[str, float] = {}
    for path in sorted(times.rglob("*.tsv")):
        stage = path.relative_to(times).parts[0]
        seconds[stage] = seconds.get(stage, 0.0) + float(pd.read_csv(path, sep="\t")["s"].sum())
    return {stage: round(total, 1) for stage, total in seconds.items()}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit that the working tree is at, with `+` where files differ from it; None without git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
