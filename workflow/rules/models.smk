"""Models, and the codes that they infer: one job fits one method on one cell, all seeds at once."""


localrules:
    models,


def parent_model(folder):
    """Return an input function: the model that a method starts from, if it starts from one."""

    def model(wildcards):
        parent = methods.trait(wildcards.method, "parent")
        return [f"{folder}/models/{wildcards.cell}/{parent}.nc"] if parent else []

    return model


def fit_cost(wildcards, data=""):
    """Return the cost of a model, and of its codes of the samples in a file."""
    fresh = STRICT and data.startswith(SCORED)
    return costs.fit(CELLS[wildcards.cell], wildcards.method, RUN, fresh)


rule fit:
    input:
        data=rules.simulate.output.data,
        parent=parent_model(RESULTS),
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
        mem_mb=lambda w, input, attempt: memory(fit_cost(w, input.data), attempt),
        runtime=lambda w, attempt: attempt * fit_cost(w).runtime,
        gpu=lambda w: fit_cost(w).gpu,
        # Not a parameter: a model is not fitted again because the next machine has no GPU.
        device=lambda w: fit_cost(w).device,
    params:
        settings=lambda w: as_parameter(RUN.settings_of(w.method, "paper")),
        parent=lambda w, input: [f"--parent {path}" for path in input.parent],
        code=lambda w: step_digest("fit", f"sae_surgery.methods.{w.method}"),
    shell:
        "python -m sae_surgery fit --method {wildcards.method} --data {input.data} {params.parent}"
        " --settings {params.settings:q} --device {resources.device} --threads {threads}"
        " --model {output.model} --codes {output.codes} 2> {log}"


if STRICT:

    use rule fit as fit_strict with:
        input:
            data=rules.renew.output.data,
            parent=parent_model(SCORED),
        output:
            model=ensure(f"{SCORED}/models/{{cell}}/{{method}}.nc", non_empty=True),
            codes=ensure(f"{SCORED}/codes/{{cell}}/{{method}}.nc", non_empty=True),
        log:
            f"{SAMPLED_LOGS}/fit/{{cell}}/{{method}}.log",
        benchmark:
            f"{SAMPLED_BENCHMARKS}/fit/{{cell}}/{{method}}.tsv"
        wildcard_constraints:
            method=one_of(ANEW),
        params:
            settings=lambda w: as_parameter(RUN.settings_of(w.method)),
            parent=lambda w, input: [f"--parent {path}" for path in input.parent],
            code=lambda w: step_digest("fit", f"sae_surgery.methods.{w.method}"),

    rule encode:
        input:
            data=rules.renew.output.data,
            model=rules.fit.output.model,
        output:
            codes=ensure(f"{SCORED}/codes/{{cell}}/{{method}}.nc", non_empty=True),
        log:
            f"{SAMPLED_LOGS}/encode/{{cell}}/{{method}}.log",
        benchmark:
            f"{SAMPLED_BENCHMARKS}/encode/{{cell}}/{{method}}.tsv"
        wildcard_constraints:
            method=one_of(SHARED),
        group:
            lambda w: bundle("fit", w.cell, w.method, w.method)
        threads: lambda w: fit_cost(w).threads
        resources:
            mem_mb=lambda w, input, attempt: memory(fit_cost(w, input.data), attempt),
            runtime=lambda w, attempt: attempt * fit_cost(w).runtime,
            gpu=lambda w: fit_cost(w).gpu,
            device=lambda w: fit_cost(w).device,
        params:
            code=lambda w: step_digest("encode", f"sae_surgery.methods.{w.method}"),
        shell:
            "python -m sae_surgery encode --data {input.data} --model {input.model}"
            " --device {resources.device} --threads {threads} --output {output.codes} 2> {log}"


def models_on(cell):
    """Return the models of a cell's methods, and their codes."""
    names = RUN.fitted_on(cell)
    codes = expand(f"{SAMPLED}/codes/{cell}/{{method}}.nc", method=names)
    return [model_of(cell, name) for name in names] + codes


rule models:
    input:
        [models_on(cell) for cell in CELLS],
