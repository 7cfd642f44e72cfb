"""The profile for a Slurm cluster: what it sends, and, where the environment says so, on a Slurm of one machine."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.conftest import PROJECT
from tests.workflow.running import copy_workflow, run, start

PROFILE = ["--profile", "profiles/slurm"]
CONFIGURATION = Path("/etc/slurm/slurm.conf")
SMOKE = yaml.safe_load((PROJECT / "workflow" / "studies" / "smoke.yaml").read_text())


def test_networks_are_computed_on_nodes_and_small_pages_are_made_where_snakemake_runs(checkout):
    official = yaml.safe_load((PROJECT / "workflow" / "studies" / "official.yaml").read_text())
    code, output = run(checkout, official, *PROFILE, "--dry-run")
    assert code == 0, output
    rules = dict.fromkeys(re.findall(r"^ *rule (\w+):", output, re.MULTILINE))
    files = (PROJECT / "workflow" / "rules").glob("*.smk")
    here = re.findall(
        r"\w+(?=,\n)", "".join(re.findall(r"localrules:\n(?: +\w+,\n)+", "".join(map(Path.read_text, files))))
    )
    assert set(rules) - set(here) == {
        "all",  # makes nothing
        "describe_networks",
        "choose_weights",
        "score_chunk",
        "score_comparison_chunk",
        "gather_scores_of_large_space",
        "make_large_table",
        "make_large_table_of_draws",
        "make_large_figure",
    }
    assert {"retrieve", "gather_scores", "make_table", "make_table_of_draws", "make_figure", "write_report"} <= set(
        here
    )
    # 423,624 networks on ten batches in jobs of 60,000, where the study's own jobs are of 10,000.
    chunks = re.findall(
        r"output: results/official/scores/nas-bench-101/\S+-10/epsilon-single-pair-all/\d+-of-(\d+)", output
    )
    assert chunks == ["71"] * 71
    assert "runtime=480" in output.split("rule make_large_table:")[1].split("resources: ")[1].split("\n")[0]
    asked = [job.split("\n\n")[0] for job in output.split("rule score_comparison_chunk:")[1:]]
    memory = {re.search(r"space=([\w-]+).*?mem_mb=(\d+)", job, re.DOTALL).groups() for job in asked}
    assert {("nas-bench-201", "3800"), ("nas-bench-101", "9400")} <= memory


def test_every_study_of_the_workflow_is_planned_with_the_profile(checkout):
    code, output = run(checkout, SMOKE, *PROFILE, "--dry-run")
    assert code == 0, output
    (training,) = re.findall(r"Group job training .*\n(?:.+\n|\n(?= ))+", output)
    assert training.count("rule train_chunk:") == 2
    assert training.count("mem_mb=1500") == 2


def why_no_slurm() -> str | None:
    """Say why no Slurm is started here, if none is."""
    if not os.environ.get("EPSINAS_CI"):
        return "a Slurm is started only on machines for tests: EPSINAS_CI is not set, which .ci/run does"
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if shutil.which(name) is None]
    if missing:
        return f"there is no {', '.join(missing)} here (Debian's packages are munge, slurmctld, slurmd, slurm-client)"
    if os.getuid() != 0:
        return "only root can start a Slurm"
    return f"this machine has a Slurm of its own ({CONFIGURATION})" if CONFIGURATION.exists() else None


def wait_for(what: Callable[[], object], seconds: float) -> object:
    """Wait until something is true, and return it."""
    ends = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < ends, f"{what} after {seconds} s: {found}"
        time.sleep(0.5)
    return found


def ask(*command: str) -> str:
    """What a command of Slurm prints."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def slurm(tmp_path) -> Iterator[None]:
    """Slurm on this machine alone, without accounting; its state is the test's, its configuration where Slurm looks."""
    if reason := why_no_slurm():
        pytest.skip(reason)
    folder, host, munge = tmp_path / "slurm", socket.gethostname(), Path("/run/munge")
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    made_munge = not munge.exists()
    munge.mkdir(exist_ok=True)
    shutil.chown(munge, "munge")
    daemons: list[subprocess.Popen] = []

    def serve(*command: str) -> None:
        with (folder / f"{len(daemons)}.log").open("w") as log:
            daemons.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))

    try:
        CONFIGURATION.write_text(
            f"ClusterName=epsinas\nSlurmctldHost={host}(127.0.0.1)\nSlurmUser=root\n"
            f"StateSaveLocation={folder}/state\nSlurmdSpoolDir={folder}/spool\n"
            f"SlurmctldPidFile={folder}/slurmctld.pid\nSlurmdPidFile={folder}/slurmd.pid\n"
            "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nMailProg=/bin/true\n"
            "SelectType=select/cons_tres\nSelectTypeParameters=CR_Core_Memory\nSlurmdParameters=config_overrides\n"
            f"NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000\n"
            f"PartitionName=all Nodes={host} Default=YES State=UP\n"
        )
        serve("setpriv", "--reuid=munge", "--regid=munge", "--clear-groups", shutil.which("munged"), "--foreground")
        wait_for((munge / "munge.socket.2").exists, 10)
        serve("slurmctld", "-D")
        serve("slurmd", "-D")
        wait_for(lambda: "idle" in ask("sinfo", "--noheader", "--format=%T"), 30)
        yield
    finally:
        if len(daemons) > 1:
            ask("scancel", "--state=PENDING,RUNNING", "--full", "--user=root")
            wait_for(lambda: not ask("squeue", "--noheader"), 40)
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(20)
        CONFIGURATION.unlink(missing_ok=True)
        if made_munge:
            shutil.rmtree(munge)


def jobs() -> dict[str, tuple[str, str, str]]:
    """State, rule and memory of every job that Slurm was given, in their order."""
    lines = ask("squeue", "--noheader", "--array", "--states=all", "--sort=i", "--format=%i %T %k %m").splitlines()
    return {job: (state, comment, memory) for job, state, comment, memory in map(str.split, lines)}


def training() -> list[str]:
    """The jobs that train, once they run."""
    return [job for job, (state, rule, _) in jobs().items() if state == "RUNNING" and rule.startswith("rule_training")]


def test_the_smoke_study_on_slurm_survives_a_cancelled_job_and_gives_the_tables_of_a_local_run(
    slurm, checkout, tmp_path
):
    # Chunks as small as the study's, four of which are scored, and no account of jobs.
    arguments = ["--config", "networks_per_job=12", "--slurm-status-command", "squeue", "--slurm-no-account"]
    arguments += ["--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "5"]
    process = start(checkout, SMOKE, *PROFILE, *arguments)
    try:
        (cancelled,) = wait_for(training, 60)
        ask("scancel", cancelled)
        local = copy_workflow(tmp_path / "local")
        code, output = run(local, SMOKE, "--until", "make_table", "make_table_of_draws")
        assert code == 0, output
        output, _ = process.communicate(timeout=300)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, output

    sent = jobs()
    states = sorted((re.sub("^rule_|_wildcards_.*", "", rule), state) for state, rule, _ in sent.values())
    assert states == [
        ("choose_weights", "COMPLETED"),
        ("describe_networks", "COMPLETED"),
        ("scoring_score_chunk", "COMPLETED"),
        ("training_train_chunk", "CANCELLED"),
        ("training_train_chunk", "COMPLETED"),
    ]
    assert sent[cancelled][0] == "CANCELLED"
    # What failed is tried again with more memory: of two jobs at a time, each of 1,500 MB at first.
    assert [given for _, rule, given in sent.values() if rule.startswith("rule_training")] == ["3000M", "6000M"]

    folder = Path("results", "smoke", "tables")
    names = {path.name for path in (local / folder).glob("*.csv")}
    assert names == {path.name for path in (checkout / folder).glob("*.csv")}
    for name in names:
        ours, theirs = (pd.read_csv(place / folder / name) for place in (checkout, local))
        measured = ["milliseconds", "seconds"]
        pd.testing.assert_frame_equal(*(table.drop(columns=measured, errors="ignore") for table in (ours, theirs)))
