"""Metrics: the codes of all methods on a cell, scored by code that knows nothing of the methods."""


localrules:
    metrics,


rule evaluate:
    input:
        data=f"{SAMPLED}/data/{{cell}}.nc",
        codes=lambda w: expand(
            f"{SAMPLED}/codes/{w.cell}/{{method}}.nc", method=RUN.methods_on(w.cell)
        ),
        models=lambda w: [model_of(w.cell, name) for name in RUN.methods_on(w.cell)],
    output:
        metrics=ensure(f"{SCORED}/metrics/{{cell}}.nc", non_empty=True),
    log:
        f"{LOGS}/{RUN.protocol}/evaluate/{{cell}}.log",
    benchmark:
        f"{BENCHMARKS}/{RUN.protocol}/evaluate/{{cell}}.tsv"
    threads: threads_of("evaluate")
    resources:
        **asks("evaluate"),
    params:
        protocol=RUN.protocol,
        code=step_digest("evaluate", *metrics.modules(RUN.protocol)),
    shell:
        "python -m sae_surgery evaluate --data {input.data} --codes {input.codes}"
        " --models {input.models} --protocol {params.protocol} --output {output.metrics} 2> {log}"


rule metrics:
    input:
        expand(rules.evaluate.output, cell=[cell for cell in CELLS if RUN.methods_on(cell)]),
