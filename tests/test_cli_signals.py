"""The program ends with one line, and its workers with it, whatever ends it and when."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from epsinas.spaces import NasBench201
from tests.signals import heeding_signals

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="needs /proc, to see what a process does"
)


@pytest.fixture
def folder(tmp_path, batch):
    np.save(tmp_path / "batch.npy", np.tile(batch, (16, 1, 4, 4)))
    networks = NasBench201().sample(800, np.random.default_rng(0))
    (tmp_path / "networks.txt").write_text("\n".join(networks))
    return tmp_path


@pytest.fixture
def start(folder):
    """Start the program as from a terminal, with processes of its own; nothing of it outlives the test."""
    begun = []

    def begin(*words: str) -> subprocess.Popen:
        images = ["--images", "batch.npy", "--architectures", "networks.txt", "--jobs", "2"]
        program = subprocess.Popen(
            [sys.executable, "-m", "epsinas.cli", "score", "nas-bench-201", *images, *words],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=heeding_signals,
        )
        begun.append(program)
        return program

    yield begin
    for program in begun:
        for one in members(program.pid):
            os.kill(one, signal.SIGKILL)
        program.communicate()


def status(process: int) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return {}
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def members(session: int) -> list[int]:
    """Return the processes of a session that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            # After the name in parentheses: state, parent, group, session.
            state, _, _, number = (path / "stat").read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(number) == session and state not in "ZX":
            found.append(int(path.name))
    return found


def workers(session: int) -> list[int]:
    def is_worker(process: int) -> bool:
        try:
            return b"LokyProcess" in Path(f"/proc/{process}/cmdline").read_bytes()
        except OSError:
            return False

    return [process for process in members(session) if is_worker(process)]


def wait_until(condition) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def listening(program: subprocess.Popen) -> None:
    """Wait until the program has said what signals do, before it imports what it needs."""
    wait_until(lambda: int(status(program.pid)["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1)


def importing(program: subprocess.Popen) -> None:
    listening(program)
    time.sleep(0.3)


def starting(program: subprocess.Popen) -> None:
    wait_until(lambda: workers(program.pid))


def working(program: subprocess.Popen) -> None:
    """Wait until the workers have threads of their own, and some more."""
    wait_until(lambda: [int(status(one).get("Threads", 1)) > 1 for one in workers(program.pid)] == [True, True])
    time.sleep(0.3)


@pytest.mark.parametrize("moment", [listening, importing, starting, working])
def test_an_interruption_is_one_line_at_any_moment(start, moment):
    program = start()
    moment(program)
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does, which tells the workers, too
    out, err = program.communicate(timeout=10)
    assert (program.returncode, out, err) == (130, "", "epsinas: interrupted\n")


@pytest.mark.parametrize(("moment", "name"), [(starting, "SIGTERM"), (working, "SIGTERM"), (working, "SIGKILL")])
def test_workers_end_with_the_program(start, folder, moment, name):
    before = sorted(folder.iterdir())
    program = start("--output", "scores.csv")
    moment(program)
    program.send_signal(getattr(signal, name))
    out, err = program.communicate(timeout=10)  # reads to the end, which workers would keep from coming
    number = getattr(signal, name)
    if name == "SIGKILL":
        assert (program.returncode, out, err) == (-number, "", "")
    else:
        assert (program.returncode, out, err) == (128 + number, "", f"epsinas: ended by {name}\n")
    wait_until(lambda: members(program.pid) == [])
    assert sorted(folder.iterdir()) == before


def test_a_terminal_that_is_closed_ends_the_program(start):
    program = start()
    importing(program)
    program.send_signal(signal.SIGHUP)
    out, err = program.communicate(timeout=10)
    assert (program.returncode, out, err) == (128 + signal.SIGHUP, "", "epsinas: ended by SIGHUP\n")


def test_a_worker_that_is_killed_is_one_line_of_the_program(start):
    program = start()
    working(program)
    os.kill(workers(program.pid)[0], signal.SIGKILL)  # as the kernel does where memory runs out
    out, err = program.communicate(timeout=30)
    message = "jobs: a worker process was killed, perhaps because memory ran out; found 2, expected fewer"
    assert (program.returncode, out, err) == (2, "", f"epsinas: {message}\n")


def test_the_program_listens_before_it_imports_anything_slow():
    program = "import sys, epsinas.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "epsinas.cli" in loaded
    assert {"argparse", "numpy", "pandas", "torch", "multiprocessing"}.isdisjoint(loaded)
