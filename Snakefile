from snakemake.utils import min_version

min_version("9.0")

# A study given with --configfile stands alone: it is not merged into the paper's.
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
