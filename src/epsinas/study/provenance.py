"""What a run of the workflow used and what it cost."""

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from epsinas.errors import InputError, one_line
from epsinas.files.whole import existing, sha256

COMMAND = "EPSINAS_COMMAND"
"""Variable of the environment in which the workflow leaves its command for the jobs that it starts."""

_LEFT_OUT = ("logs", "times", "provenance.json", "report.html", "closing-lines.txt")
"""In the study's folder, what has no checksum in the provenance."""

PACKAGES = ("epsinas", "numpy", "numba", "torch", "scipy", "pandas", "pyarrow", "matplotlib", "snakemake")


def describe_run(results: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the provenance of a study's results.

    Args:
        results: the study's folder, with `provenance/*.json` of its input files and `times/**/*.tsv`.
        config: the study's configuration, all seeds included.

    Returns:
        `command`, `commit`, `date`, `config`, `inputs` (name, sha256, source ... of each file), `versions`, `machine`,
        `outputs` (SHA-256 of each file that is there, by its path from the study's folder; see `checksums_of`), and
        `seconds`: wall time of each stage, summed over its jobs, whenever they ran.
    """
    return {
        "command": os.environ.get(COMMAND, " ".join(sys.argv)),
        "commit": _commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "config": config,
        "inputs": [json.loads(path.read_text()) for path in sorted((results / "provenance").rglob("*.json"))],
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "outputs": checksums_of(results),
        "seconds": stage_seconds(results / "times"),
    }


def checksums_of(results: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a study, tables, scores, data and figures, by its path from its folder.

    Left out is what differs from run to run (logs, times), and what is made after the provenance, the report.

    Args:
        results: the study's folder, `results/{study}`; the figures are in `figures/{study}` beside `results`.
    """
    kept = [path for path in results.iterdir() if path.name not in _LEFT_OUT]
    folders = [*kept, results.parent.parent / "figures" / results.name]
    paths = [path for folder in folders for path in (folder, *folder.rglob("*")) if path.is_file()]
    names = {Path(os.path.relpath(path, results)).as_posix(): path for path in paths if path.name[0] != "."}
    return {name: sha256(path) for name, path in sorted(names.items())}


def verify(results: str | Path) -> list[str]:
    """Compare the files of a study with the checksums that its provenance recorded.

    Args:
        results: the study's folder, `results/{study}`.

    Returns:
        A line for each file that is missing or has another content; none where all are as they were.

    Raises:
        InputError: there is no provenance, or it has no checksums.
    """
    folder = Path(results)
    path = existing(folder / "provenance.json")
    try:
        record = json.loads(path.read_text())
        inputs = {f"data/{entry['name']}": entry["sha256"] for entry in record["inputs"]}
        recorded = [*inputs.items(), *((name, digest) for name, digest in record["outputs"].items())]
        if not record["outputs"] or not all(_is_record(name, digest) for name, digest in recorded):
            raise ValueError("found none, or one of no file of the study")
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: not a record of a run with checksums of what it wrote: {one_line(error)}") from error
    problems = {}
    for name, expected in recorded:
        found = sha256(folder / name) if (folder / name).is_file() else None
        if found != expected:
            what = "is missing" if found is None else f"found sha256 {found}, expected {expected}"
            problems[name] = f"{folder / name}: {what}"
    return list(problems.values())


def _is_record(name: str, digest: str) -> bool:
    """Say whether this is a path within a study's results or figures, in printable characters, and a SHA-256."""
    parts = PurePosixPath(name).parts
    inside = parts[3:] if parts[:3] == ("..", "..", "figures") else parts
    plain = name.isprintable() and len(name) < 1000 and not name.startswith("/") and ".." not in inside
    return plain and re.fullmatch(r"[0-9a-f]{64}", digest) is not None


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
