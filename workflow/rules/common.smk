import itertools
import math
import re

from snakemake.exceptions import WorkflowError

from epsinas.batches import DETERMINISTIC
from epsinas.errors import InputError
from epsinas.studies import read_study

try:
    config = read_study(config, workflow.source_path("../schemas/study.schema.yaml"))
except InputError as error:
    raise WorkflowError(str(error))

RESULTS = f"results/{config['study']}"
FIGURES = f"figures/{config['study']}"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
ENVIRONMENT = "../../envs/epsinas.yaml"

# Every rules file adds the tables and figures that it makes.
TARGETS = []


wildcard_constraints:
    space="[a-z0-9-]+",
    dataset="[A-Za-z0-9_-]+",
    inputs="[a-z_]+",
    size=r"\d+",
    draw=r"\d+",
    precision="single|double|extended",
    grid="pair|grid|wide",
    initialisation="[a-z_]+",
    networks=r"all|first-\d+",
    chunk=r"\d+",
    chunks=r"\d+",
