"""Metrics: the codes of all methods on a cell, scored by code that knows nothing of the methods."""


localrules:
    metrics,


def of_all_methods(kind):
    """Return an input function: the files of a kind, models or codes, of all methods on a cell."""
    return lambda w: expand(
        f"{RESULTS}/{kind}/{w.cell}/{{method}}.nc", method=RUN.methods_on(w.cell)
    )


def evaluate_cost(wildcards):
    return costs.evaluate(CELLS[wildcards.cell], RUN)


rule evaluate:
    input:
        data=rules.simulate.output.data,
        codes=of_all_methods("codes"),
        models=of_all_methods("models"),
    output:
        metrics=ensure(f"{SCORED}/metrics/{{cell}}.nc", non_empty=True),
    log:
        f"{LOGS}/{RUN.protocol}/evaluate/{{cell}}.log",
    benchmark:
        f"{BENCHMARKS}/{RUN.protocol}/evaluate/{{cell}}.tsv"
    threads: lambda w: evaluate_cost(w).threads
    resources:
        mem_mb=lambda w, attempt: attempt * evaluate_cost(w).mem_mb,
        runtime=lambda w, attempt: attempt * evaluate_cost(w).runtime,
    params:
        protocol=RUN.protocol,
        code=step_digest("evaluate"),
    shell:
        "python -m sae_surgery evaluate --data {input.data} --codes {input.codes}"
        " --models {input.models} --protocol {params.protocol} --output {output.metrics} 2> {log}"


rule metrics:
    input:
        expand(rules.evaluate.output, cell=[cell for cell in CELLS if RUN.methods_on(cell)]),
