"""Standard streams that are closed or full: `>&-` and its like, as some services and schedulers start programs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from epsinas.spaces import NasBench201

SMALL = "--images batch.npy --channels 1 --cells 1"


@pytest.fixture
def folder(tmp_path, batch):
    np.save(tmp_path / "batch.npy", batch)
    networks = NasBench201().sample(20, np.random.default_rng(0))
    (tmp_path / "networks.txt").write_text("\n".join(networks))
    return tmp_path


def run(folder: Path, words: str, streams: str) -> subprocess.CompletedProcess:
    command = f'"{sys.executable}" -m epsinas.cli score nas-bench-201 {SMALL} {words} {streams}'
    return subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("words", "streams", "message"),
    [
        ("--architectures networks.txt", ">&-", "standard output: found it closed, expected it to be open"),
        ("--architectures networks.txt", "> /dev/full", "output: No space left on device"),
        ("--architectures -", "<&-", "standard input: no architectures, expected one a line"),
        ("--architectures nowhere.txt", "2>&-", None),
        ("--architectures nowhere.txt", "2>/dev/full", None),
    ],
)
def test_a_stream_that_is_needed_is_one_line(folder, words, streams, message):
    done = run(folder, words, streams)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == ("" if message is None else f"epsinas: {message}\n")


@pytest.mark.parametrize("streams", ["2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_not_needed_may_be_closed(folder, streams):
    done = run(folder, "--architectures networks.txt --jobs 2 --output scores.csv", streams)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len((folder / "scores.csv").read_text().splitlines()) == 21


def test_what_is_printed_is_printed_where_standard_error_is_closed(folder):
    done = run(folder, "--architectures networks.txt", "2>&-")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 21)
