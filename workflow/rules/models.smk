"""Models, and the codes that they infer: one job fits one method on one cell, all seeds at once.

A model is of the paper's protocol, or lies in the folder of the strict one, if that fits the method
otherwise; so do codes of the strict protocol's samples. Named models are methods here.
"""


localrules:
    models,


def parent_model(wildcards):
    """Return the model that a method starts from, if it starts from one."""
    parent = RUN.parent_of(wildcards.method)
    if parent is None:
        return []
    of = "strict/" if wildcards.of and RUN.fits_anew(parent) else ""
    return [f"{RESULTS}/{of}models/{wildcards.cell}/{parent}.nc"]


def settings_of(wildcards):
    """Return the settings of a method under the protocol that its model is of."""
    return RUN.settings_of(wildcards.method, "strict" if wildcards.of else "paper")


rule fit:
    input:
        data=f"{RESULTS}/{{of}}data/{{cell}}.nc",
        parent=parent_model,
        files=lambda w: [str(path) for path in RUN.files_of(w.method)],
    output:
        model=ensure(f"{RESULTS}/{{of}}models/{{cell}}/{{method}}.nc", non_empty=True),
        codes=ensure(f"{RESULTS}/{{of}}codes/{{cell}}/{{method}}.nc", non_empty=True),
    log:
        f"{LOGS}/{{of}}fit/{{cell}}/{{method}}.log",
    benchmark:
        f"{BENCHMARKS}/{{of}}fit/{{cell}}/{{method}}.tsv"
    wildcard_constraints:
        of=f"|{below('strict/', ANEW)}",
    group:
        lambda w: bundle("fit", w.cell, w.method, w.method)
    threads: threads_of("fit")
    resources:
        **asks("fit", device=True),
    params:
        method=lambda w: RUN.method_of(w.method),
        name=lambda w: [f"--name {w.method}"] if w.method in RUN.models else [],
        settings=lambda w: as_parameter(settings_of(w)),
        parent=lambda w, input: [f"--parent {path}" for path in input.parent],
        code=lambda w: step_digest("fit", f"sae_surgery.methods.{RUN.method_of(w.method)}"),
    shell:
        "python -m sae_surgery fit --method {params.method} {params.name} --data {input.data}"
        " {params.parent} --settings {params.settings:q} --device {resources.device}"
        " --threads {threads} --model {output.model} --codes {output.codes} 2> {log}"


if STRICT:

    # Codes that no fit infers: of the strict protocol's samples by models that it shares with the
    # paper's; and, for the audit, of one protocol's samples by the other's models.
    PAPER_SAMPLES = "crossed/paper_samples/"

    def encoded(wildcards):
        """Return where the samples are from, and where the model."""
        return (RESULTS, SCORED) if wildcards.of == PAPER_SAMPLES else (SCORED, RESULTS)

    rule encode:
        input:
            data=lambda w: f"{encoded(w)[0]}/data/{w.cell}.nc",
            model=lambda w: f"{encoded(w)[1]}/models/{w.cell}/{w.method}.nc",
        output:
            codes=ensure(f"{SCORED}/{{of}}{{cell}}/{{method}}.nc", non_empty=True),
        log:
            f"{SAMPLED_LOGS}/encode/{{of}}{{cell}}/{{method}}.log",
        benchmark:
            f"{SAMPLED_BENCHMARKS}/encode/{{of}}{{cell}}/{{method}}.tsv"
        wildcard_constraints:
            of="|".join(
                [
                    below("codes/", SHARED),
                    below("crossed/by_paper_models/", ANEW),
                    below(PAPER_SAMPLES, ANEW),
                ]
            ),
        group:
            lambda w: bundle("fit", w.cell, w.method, w.method)
        threads: threads_of("encode")
        resources:
            **asks("encode", device=True),
        params:
            code=lambda w: step_digest("encode", f"sae_surgery.methods.{RUN.method_of(w.method)}"),
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
