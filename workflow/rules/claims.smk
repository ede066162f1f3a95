"""Claims: what the paper says, judged on the run's tables."""

from sae_surgery.pages import claims as claims_list

OF_CLAIMS = {"audit", *claims_list.experiments(claims_list.load(claims_list.PAPER))}
CLAIMED = [
    name
    for name, experiment in RUN.experiments.items()
    if experiment.problem == "paper" and name in OF_CLAIMS
]


localrules:
    weigh,
    claims,


rule weigh:
    input:
        tables=expand(f"{SCORED}/tables/{{experiment}}.nc", experiment=CLAIMED),
    output:
        page=ensure(f"{SCORED}/claims.md", non_empty=True),
        html=ensure(f"{SCORED}/claims.html", non_empty=True),
        numbers=ensure(f"{SCORED}/claims.csv", non_empty=True),
    log:
        f"{LOGS}/{RUN.protocol}/claims.log",
    params:
        code=step_digest("claims"),
        claims=claims_list.digest(),
    shell:
        "python -m sae_surgery claims --tables {input.tables} --output-dir $(dirname {output.page})"
        " 2> {log}"


rule claims:
    input:
        rules.weigh.output if CLAIMED else [],
