"""Surgeries: one job does one surgery on one fitted model, another scores it on all of a cell."""


localrules:
    surgeries,


def donor_model(wildcards):
    """Return the model that a surgery takes a part from, if it takes one."""
    donor = surgeries.trait(wildcards.surgery, "donor")
    return [model_of(wildcards.cell, donor)] if donor else []


rule operate:
    input:
        data=f"{SAMPLED}/data/{{cell}}.nc",
        model=lambda w: model_of(w.cell, w.method),
        codes=f"{SAMPLED}/codes/{{cell}}/{{method}}.nc",
        donor=donor_model,
    output:
        operation=ensure(f"{SAMPLED}/operations/{{surgery}}/{{cell}}/{{method}}.nc", non_empty=True),
    log:
        f"{SAMPLED_LOGS}/operate/{{surgery}}/{{cell}}/{{method}}.log",
    benchmark:
        f"{SAMPLED_BENCHMARKS}/operate/{{surgery}}/{{cell}}/{{method}}.tsv"
    group:
        lambda w: bundle("operate", w.cell, w.surgery, w.method)
    threads: threads_of("operate")
    resources:
        **asks("operate", device=True),
    params:
        settings=lambda w: as_parameter(RUN.settings_of(w.surgery)),
        donor=lambda w, input: [f"--donor {path}" for path in input.donor],
        code=lambda w: step_digest("operate", f"sae_surgery.surgeries.{w.surgery}"),
    shell:
        "python -m sae_surgery operate {wildcards.surgery} --data {input.data}"
        " --model {input.model} --codes {input.codes} {params.donor} --settings {params.settings:q}"
        " --device {resources.device} --threads {threads} --output {output.operation} 2> {log}"


rule assess:
    input:
        data=f"{SAMPLED}/data/{{cell}}.nc",
        operations=lambda w: expand(
            f"{SAMPLED}/operations/{w.surgery}/{w.cell}/{{method}}.nc",
            method=RUN.experiments[w.surgery].methods_on(w.cell),
        ),
    output:
        metrics=ensure(f"{SCORED}/metrics/{{surgery}}/{{cell}}.nc", non_empty=True),
    log:
        f"{LOGS}/{RUN.protocol}/assess/{{surgery}}/{{cell}}.log",
    benchmark:
        f"{BENCHMARKS}/{RUN.protocol}/assess/{{surgery}}/{{cell}}.tsv"
    group:
        lambda w: bundle("assess", w.cell, w.surgery)
    threads: threads_of("assess")
    resources:
        **asks("assess"),
    params:
        protocol=RUN.protocol,
        code=lambda w: step_digest(
            "assess", f"sae_surgery.surgeries.{w.surgery}", *metrics.modules(RUN.protocol)
        ),
    shell:
        "python -m sae_surgery assess --data {input.data} --operations {input.operations}"
        " --protocol {params.protocol} --output {output.metrics} 2> {log}"


rule surgeries:
    input:
        [
            expand(rules.operate.output, surgery=name, cell=cell, method=each.methods_on(cell))
            for name, each in RUN.surgeries.items()
            for cell in each.cells
        ],
