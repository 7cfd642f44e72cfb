"""The workflow as a module of somebody else's, as the catalog of Snakemake workflows has it used."""

import subprocess
import sys

import yaml

from tests.conftest import PROJECT

SNAKEFILE = f"""\
configfile: "config/config.yaml"


module epsinas:
    snakefile:
        {str(PROJECT / "workflow" / "Snakefile")!r}
    config:
        config


use rule * from epsinas
"""


def test_it_plans_everything_from_a_configuration_of_ones_own(tmp_path):
    for folder in ("workflow", "config"):
        (tmp_path / folder).mkdir()
    (tmp_path / "workflow" / "Snakefile").write_text(SNAKEFILE)
    smoke = (PROJECT / "workflow" / "studies" / "smoke.yaml").read_text()
    (tmp_path / "config" / "config.yaml").write_text(smoke)
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "results/smoke/tables/table1.csv" in done.stdout + done.stderr


def test_the_catalog_finds_what_it_asks_of_a_workflow():
    usage = yaml.safe_load((PROJECT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["software-stack-deployment"]["conda"]
    assert (PROJECT / "config" / "README.md").is_file()
