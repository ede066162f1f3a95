"""Data: problems, drawn; those of the paper as the authors drew them."""


localrules:
    data,


rule simulate:
    input:
        lambda w: [str(path) for path in CELLS[w.cell].files()],
    output:
        data=ensure(f"{RESULTS}/data/{{cell}}.nc", non_empty=True),
    log:
        f"{LOGS}/simulate/{{cell}}.log",
    benchmark:
        f"{BENCHMARKS}/simulate/{{cell}}.tsv"
    group:
        lambda w: bundle("simulate", w.cell)
    threads: 1
    resources:
        **asks("simulate"),
    params:
        problem=lambda w: CELLS[w.cell].kind(),
        settings=lambda w: CELLS[w.cell].settings_json,
        seeds=list(RUN.seeds),
        code=lambda w: step_digest("simulate", type(CELLS[w.cell]).__module__),
    shell:
        "python -m sae_surgery simulate --problem {params.problem} --settings {params.settings:q}"
        " --seeds {params.seeds} --output {output.data} 2> {log}"


if STRICT:

    rule renew:
        input:
            data=rules.simulate.output.data,
        output:
            data=ensure(f"{SAMPLED}/data/{{cell}}.nc", non_empty=True),
        log:
            f"{SAMPLED_LOGS}/renew/{{cell}}.log",
        benchmark:
            f"{SAMPLED_BENCHMARKS}/renew/{{cell}}.tsv"
        group:
            lambda w: bundle("simulate", w.cell)
        threads: 1
        resources:
            **asks("renew"),
        params:
            code=lambda w: step_digest("renew", type(CELLS[w.cell]).__module__),
        shell:
            "python -m sae_surgery renew --data {input.data} --output {output.data} 2> {log}"


rule data:
    input:
        expand(f"{SAMPLED}/data/{{cell}}.nc", cell=CELLS),
