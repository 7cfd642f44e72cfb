from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.0")

# A study given with --configfile stands alone: it is not merged into the paper's, whose results it would write over.
if "study" not in config and workflow.overwrite_configfiles:
    raise WorkflowError(
        f"{', '.join(map(str, workflow.overwrite_configfiles))}: key study is missing, expected the name of the study"
    )
if "study" not in config:

    configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/retrieve.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/pages.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        PAGES_MADE,
        rules.write_report.output,


# The last lines that are printed: the first number, the verdicts, and where the report is. After Snakemake has said where
# its log is, and only where this run made the report.
onsuccess:
    atexit.register(print_closing_lines)
