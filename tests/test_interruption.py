import signal
import subprocess
import sys

from tests.conftest import PROJECT
from tests.signals import heeding_signals


def run(folder, program: str) -> tuple[int, str, str]:
    words = [sys.executable, "-c", program]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    done = subprocess.run(words, cwd=folder, timeout=60, check=False, preexec_fn=heeding_signals, **pipes)
    return done.returncode, done.stdout, done.stderr


UNFINISHED = """
import os, signal
from epsinas.files.whole import atomic
from epsinas.interruption import end_on_signals
end_on_signals()
with atomic("scores.csv") as temporary:
    temporary.touch()
    os.kill(os.getpid(), signal.SIGTERM)
"""


def test_unfinished_files_are_removed(tmp_path):
    assert run(tmp_path, UNFINISHED) == (128 + signal.SIGTERM, "", "epsinas: ended by SIGTERM\n")
    assert list(tmp_path.iterdir()) == []


IGNORED = """
import os, signal
from epsinas.interruption import end_on_signals
signal.signal(signal.SIGHUP, signal.SIG_IGN)
end_on_signals()
os.kill(os.getpid(), signal.SIGHUP)
print("on")
"""


def test_what_is_ignored_stays_ignored(tmp_path):
    """As `nohup` does with SIGHUP."""
    assert run(tmp_path, IGNORED) == (0, "on\n", "")


CAUGHT = """
import os, signal
from epsinas.interruption import end_on_signals
end_on_signals()
try:
    os.kill(os.getpid(), signal.SIGINT)
except BaseException:
    print("on")
"""


def test_no_code_can_catch_it(tmp_path):
    assert run(tmp_path, CAUGHT) == (130, "", "epsinas: interrupted\n")


STAGE = f"""
import os, runpy, signal
from types import SimpleNamespace
from epsinas import stages

def wait(job):
    print("begun")
    os.kill(os.getpid(), signal.SIGTERM)

stages.STAGES = {{"wait": wait}}
job = SimpleNamespace(log=["log.txt"], rule="wait", config={{}})
runpy.run_path({str(PROJECT / "workflow" / "scripts" / "stage.py")!r}, init_globals={{"snakemake": job}})
"""


def test_the_log_of_a_job_says_that_it_was_ended(tmp_path):
    """As a scheduler does with jobs that are cancelled or take too long."""
    assert run(tmp_path, STAGE) == (128 + signal.SIGTERM, "", "")
    assert (tmp_path / "log.txt").read_text() == "begun\nepsinas: ended by SIGTERM\n"
