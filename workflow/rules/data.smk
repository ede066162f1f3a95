"""Cells: dictionaries and sparse codes, drawn as the authors drew them."""

localrules:
    data,


rule data:
    input:
        expand(f"{RESULTS}/data/{{cell}}.nc", cell=CELLS),


rule simulate:
    output:
        data=ensure(f"{RESULTS}/data/{{cell}}.nc", non_empty=True),
    log:
        f"{LOGS}/simulate/{{cell}}.log",
    benchmark:
        f"{BENCHMARKS}/simulate/{{cell}}.tsv"
    params:
        seeds=as_parameter(RUN.seeds),
        code=step_digest("simulate"),
    threads: 1
    resources:
        mem_mb=lambda w, attempt: attempt * costs.simulate(CELLS[w.cell], RUN).mem_mb,
        runtime=lambda w, attempt: attempt * costs.simulate(CELLS[w.cell], RUN).runtime,
    shell:
        "python -m sae_surgery simulate --cell {wildcards.cell} --seeds {RUN.seeds}"
        " --output {output.data} 2> {log}"
