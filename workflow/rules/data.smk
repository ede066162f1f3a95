"""Cells: dictionaries and sparse codes, drawn as the authors drew them."""


localrules:
    data,


rule simulate:
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
        mem_mb=lambda w, attempt: attempt * costs.simulate(CELLS[w.cell], RUN).mem_mb,
        runtime=lambda w, attempt: attempt * costs.simulate(CELLS[w.cell], RUN).runtime,
    params:
        seeds=list(RUN.seeds),
        code=step_digest("simulate"),
    shell:
        "python -m sae_surgery simulate --cell {wildcards.cell} --seeds {params.seeds}"
        " --output {output.data} 2> {log}"


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
            mem_mb=lambda w, attempt: attempt * costs.renew(CELLS[w.cell], RUN).mem_mb,
            runtime=lambda w, attempt: attempt * costs.renew(CELLS[w.cell], RUN).runtime,
        params:
            code=step_digest("renew"),
        shell:
            "python -m sae_surgery renew --data {input.data} --output {output.data} 2> {log}"


rule data:
    input:
        expand(f"{SAMPLED}/data/{{cell}}.nc", cell=CELLS),
