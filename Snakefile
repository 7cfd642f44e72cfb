from snakemake.utils import min_version

min_version("9.0")

# A study given with --configfile stands alone: it is not merged into the paper's.
if "study" not in config:

    configfile: "config.yaml"


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
