"""The comparison: every published number beside the run's own."""


localrules:
    compare,
    comparison,


rule compare:
    input:
        tables=expand(f"{SCORED}/tables/{{experiment}}.nc", experiment=PUBLISHED),
    output:
        page=ensure(f"{SCORED}/comparison.html", non_empty=True),
        summary=ensure(f"{SCORED}/comparison.md", non_empty=True),
        numbers=ensure(f"{SCORED}/comparison.csv", non_empty=True),
    log:
        f"{LOGS}/{RUN.protocol}/comparison.log",
    params:
        settings=as_parameter(RUN.comparison),
        code=step_digest("compare"),
    shell:
        "python -m sae_surgery compare --tables {input.tables} --settings {params.settings:q}"
        " --output-dir $(dirname {output.page}) 2> {log}"


rule comparison:
    input:
        rules.compare.output if PUBLISHED else [],
