"""The verdict: what keeps each SAE from the oracle, part by part."""


localrules:
    judge,
    verdict,


rule judge:
    input:
        tables=expand(
            f"{SCORED}/tables/{{experiment}}.nc",
            experiment=["frozen_decoder", "support_recovery"],
        ),
    output:
        page=report(
            ensure(f"{SCORED}/verdict.md", non_empty=True),
            caption="../report/verdict.rst",
            category="Verdict",
            labels={"shows": "what keeps each SAE from the oracle"},
        ),
        html=ensure(f"{SCORED}/verdict.html", non_empty=True),
        numbers=ensure(f"{SCORED}/verdict.csv", non_empty=True),
        file=ensure(f"{SCORED}/verdict.nc", non_empty=True),
    log:
        f"{LOGS}/{RUN.protocol}/verdict.log",
    params:
        code=step_digest("verdict"),
    shell:
        "python -m sae_surgery verdict --tables {input.tables} --output-dir $(dirname {output.page})"
        " 2> {log}"


rule verdict:
    input:
        rules.judge.output if {"frozen_decoder", "support_recovery"} <= set(RUN.experiments) else [],
