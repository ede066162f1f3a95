"""Models, and the codes that they infer: one job fits one method on one cell, all seeds at once."""


localrules:
    models,


def parent_model(wildcards):
    """Return the model that a method starts from, if it starts from one."""
    parent = methods.trait(wildcards.method, "parent")
    return [f"{RESULTS}/models/{wildcards.cell}/{parent}.nc"] if parent else []


def fit_cost(wildcards):
    return costs.fit(CELLS[wildcards.cell], wildcards.method, RUN)


rule fit:
    input:
        data=rules.simulate.output.data,
        parent=parent_model,
    output:
        model=ensure(f"{RESULTS}/models/{{cell}}/{{method}}.nc", non_empty=True),
        codes=ensure(f"{RESULTS}/codes/{{cell}}/{{method}}.nc", non_empty=True),
    log:
        f"{LOGS}/fit/{{cell}}/{{method}}.log",
    benchmark:
        f"{BENCHMARKS}/fit/{{cell}}/{{method}}.tsv"
    group:
        lambda w: bundle("fit", w.cell, w.method, w.method)
    threads: lambda w: fit_cost(w).threads
    resources:
        mem_mb=lambda w, attempt: attempt * fit_cost(w).mem_mb,
        runtime=lambda w, attempt: attempt * fit_cost(w).runtime,
        gpu=lambda w: fit_cost(w).gpu,
        # Not a parameter: a model is not fitted again because the next machine has no GPU.
        device=lambda w: fit_cost(w).device,
    params:
        settings=lambda w: as_parameter(RUN.settings.get(w.method, {})),
        parent=lambda w, input: [f"--parent {path}" for path in input.parent],
        code=lambda w: step_digest("fit", f"sae_surgery.methods.{w.method}"),
    shell:
        "python -m sae_surgery fit --method {wildcards.method} --data {input.data} {params.parent}"
        " --settings {params.settings:q} --device {resources.device} --threads {threads}"
        " --model {output.model} --codes {output.codes} 2> {log}"


rule models:
    input:
        [expand(rules.fit.output, cell=cell, method=RUN.fitted_on(cell)) for cell in CELLS],
