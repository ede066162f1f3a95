# The experiments, from data to figures. `snakemake` runs config/quick.yaml, minutes on two cores;
# `snakemake --profile slurm all` the paper in full on a cluster, `snakemake --configfile
# config/paper.yaml` the same where it is called, `snakemake --configfile config/reference.yaml`
# redraws what a finished run has shown from its tables. Targets: all, data, models, surgeries,
# metrics, tables, figures, fig_<experiment> for one figure, verdict, comparison, claims, index and
# paper.
#
# Every step is a command of the package, `sae-surgery <step>`. What lies where:
#
#   results/<run>/data/<cell>.nc                                dictionary and codes, all seeds
#   results/<run>/models/<cell>/<method>.nc                     a fitted model, all seeds
#   results/<run>/codes/<cell>/<method>.nc                      its codes of val and ood samples
#   results/<run>/operations/<surgery>/<cell>/<method>.nc       what a surgery yields on a model
#   results/<run>/<protocol>/metrics/<cell>.nc                  scores of all methods
#   results/<run>/<protocol>/metrics/<surgery>/<cell>.nc        scores of a surgery on all patients
#   results/<run>/<protocol>/tables/<experiment>.nc             scores over method, sweep and seed
#   results/<run>/<protocol>/figures/<experiment>.{pdf,png,csv} main metrics, and the numbers drawn
#   results/<run>/<protocol>/figures/<experiment>_all.{pdf,png} all metrics
#   results/<run>/index.html                                    the way into all that follows
#   results/<run>/<protocol>/verdict.{html,md,csv,nc}           what keeps each SAE from the oracle
#   results/<run>/<protocol>/comparison.{html,md,csv}           published numbers beside the run's
#   results/<run>/<protocol>/claims.{html,md,csv}               which of the paper's claims hold
#   results/<run>/<protocol>/numbers.json                       every number that the manuscript may quote
#   results/<run>/examine/page.{html,md,csv}                    what is said of trained SAEs
#   paper/main.pdf                                              the manuscript, of the run made last
#   results/<run>/{logs,benchmarks}/<step>/...                  standard error; seconds and memory
#   results/<run>/manifest.json, timeline.{pdf,png}             how the run went, nobody's input
#
# Under `protocol: strict` some of it lies below results/<run>/strict/ instead, of the same names:
# data, with fresh samples to score; codes and operations on them; and models of those methods that
# are fitted otherwise. The others' models are those of the paper's protocol. Codes that only the
# audit needs, of one protocol's models on the other's samples, lie in strict/crossed/.
#
# A cell is named by its sizes, as in n100_k10_m47_s5000: latents, active, observed dimensions, samples.
# In the place of a method stands a model of the configuration's `models`, by its own name.

from snakemake.utils import min_version

min_version("9.27")


configfile: f"{workflow.basedir}/config/quick.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


if RUN.redraw:

    include: "workflow/rules/redraw.smk"

else:

    include: "workflow/rules/data.smk"
    include: "workflow/rules/models.smk"
    include: "workflow/rules/metrics.smk"
    include: "workflow/rules/surgeries.smk"
    include: "workflow/rules/tables.smk"
    include: "workflow/rules/manifest.smk"

    if STRICT:

        include: "workflow/rules/audit.smk"


include: "workflow/rules/figures.smk"
include: "workflow/rules/verdict.smk"
include: "workflow/rules/comparison.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/paper.smk"
include: "workflow/rules/examine.smk"
include: "workflow/rules/index.smk"


onstart:
    # So that the lines of progress can say how much time is left.
    report_expected_times()
    start_forks()


localrules:
    all,


rule all:
    default_target: True
    input:
        rules.tables.input,
        rules.figures.input,
        rules.verdict.input,
        rules.comparison.input,
        rules.claims.input,
        rules.index.input,
        # The manuscript quotes the published protocol, and takes figures in PDF.
        [] if STRICT or "pdf" not in RUN.plotting.formats else rules.paper.input,
