"""Tables: the metrics of an experiment's cells in one file over method, sweep and seed."""


localrules:
    tables,
    tabulate,


rule tabulate:
    input:
        metrics=lambda w: expand(
            f"{SCORED}/metrics/{{cell}}.nc", cell=RUN.experiments[w.experiment].cells
        ),
    output:
        table=ensure(f"{SCORED}/tables/{{experiment}}.nc", non_empty=True),
    log:
        f"{LOGS}/{RUN.protocol}/tabulate/{{experiment}}.log",
    params:
        sweep=lambda w: as_parameter(RUN.sweep(w.experiment)),
        code=step_digest("tabulate"),
    shell:
        "python -m sae_surgery tabulate --sweep {params.sweep:q} --metrics {input.metrics}"
        " --output {output.table} 2> {log}"


rule tables:
    input:
        expand(rules.tabulate.output, experiment=RUN.experiments),
