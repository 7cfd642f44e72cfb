# What all rules share: the study, its plan, and where logs go.
import atexit
import os
import shlex
import sys
import time

from snakemake.exceptions import WorkflowError

import epsinas
from epsinas.errors import InputError
from epsinas.paper.presentation import heading
from epsinas.report.explorer import explored_request
from epsinas.spaces import SPACES
from epsinas.study.config import check_keys, read_study
from epsinas.study.data import describe_files, settle
from epsinas.study.page import PAGES
from epsinas.study.plan import TOGETHER, WILDCARDS, Plan, Run

try:
    if workflow.is_main_process:
        check_keys(workflow.configfiles)
    STUDY, NEWS = settle(read_study(config))
    # Said once, not by every job that reads this file again.
    NEWS = [*NEWS, *describe_files(STUDY)] if workflow.is_main_process else []
except InputError as error:
    raise WorkflowError(str(error))
config.update(STUDY.config)
for line in NEWS:
    print(f"epsinas: {line}", file=sys.stderr)

STARTED = time.time()
PLAN = Plan(STUDY)
RESULTS = PLAN.results
LOGS = f"{RESULTS}/logs"
TIMES = f"{RESULTS}/times"
# Snakemake takes braces in its path for wildcards, so that such a clone does without `--sdm conda`.
ENVIRONMENT = None if "{" in workflow.basedir else "../../envs/epsinas.yaml"
CLOSING_LINES = f"{RESULTS}/closing-lines.txt"
STAGE = "../scripts/stage.py"
# Snakemake writes this path into shell commands as it is; that of a clone may have spaces.
sys.executable = shlex.quote(sys.executable)
# Which command made the results, for the provenance; jobs in processes of their own find it here.
os.environ.setdefault("EPSINAS_COMMAND", " ".join(["snakemake", *sys.argv[1:]]))
# For envs/epsinas.post-deploy.sh: the folder of the clone that this workflow is in, if it is in one, and the release.
CLONE = os.path.abspath(os.path.join(str(workflow.current_basedir), "../.."))
os.environ.update(
    EPSINAS_CHECKOUT=CLONE if os.path.isdir(f"{CLONE}/src/epsinas") else "",
    EPSINAS_VERSION=epsinas.__version__,
)

# The pages that this study has, by what they consist of.
REQUESTS = {page.name: page.request(PLAN) for page in PAGES}
MADE = [page for page in PAGES if REQUESTS[page.name] is not None]
TABLES = [page for page in MADE if page.table]
FIGURES = [page for page in MADE if page.figure]
SMALL_TABLES = [page for page in TABLES if PLAN.is_small(REQUESTS[page.name].runs)]
LARGE_TABLES = [page for page in TABLES if page not in SMALL_TABLES]
# A figure of a table does not read scores.
SMALL_FIGURES = [
    page for page in FIGURES if page.table or PLAN.is_small(REQUESTS[page.name].runs)
]
LARGE_FIGURES = [page for page in FIGURES if page not in SMALL_FIGURES]
SMALL_SPACES = [
    space for space in STUDY.sections if PLAN.is_small(PLAN.runs(space)[:1])
]
LARGE_SPACES = [space for space in STUDY.sections if space not in SMALL_SPACES]


def reported(path, category):
    """Mark a page's file for Snakemake's own report."""
    return report(
        path,
        caption="../report/page.rst",
        category=category,
        labels=lambda wildcards: {"page": heading(PAGES[wildcards.page])},
    )


def print_closing_lines():
    """Print what the report of this run says in three lines; nothing where this run did not make it."""
    if os.path.exists(CLOSING_LINES) and os.path.getmtime(CLOSING_LINES) > STARTED:
        print(open(CLOSING_LINES).read(), end="")


def either(names):
    """A pattern of exactly these names, or of none."""
    return "|".join(names) or "^$"


wildcard_constraints:
    **WILDCARDS,
    space=either(STUDY.sections),
