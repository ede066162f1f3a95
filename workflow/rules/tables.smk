"""Tables: the metrics of an experiment's cells in one file over method, sweep and seed."""


def metrics_of(wildcards):
    """Return the metrics of an experiment's cells: of all methods, or of a surgery's patients."""
    experiment = RUN.experiments[wildcards.experiment]
    return expand(f"{SCORED}/metrics/{experiment.folder}{{cell}}.nc", cell=experiment.cells)


localrules:
    tables,
    tabulate,


rule tabulate:
    input:
        metrics=metrics_of,
    output:
        table=ensure(f"{SCORED}/tables/{{experiment}}.nc", non_empty=True),
    log:
        f"{LOGS}/{RUN.protocol}/tabulate/{{experiment}}.log",
    resources:
        mem_mb=LOCAL.mem_mb,
    params:
        sweep=lambda w: as_parameter(RUN.sweep(w.experiment)),
        code=step_digest("tabulate"),
    shell:
        "python -m sae_surgery tabulate --sweep {params.sweep:q} --metrics {input.metrics}"
        " --output {output.table} 2> {log}"


rule tables:
    input:
        expand(rules.tabulate.output, experiment=RUN.experiments),
