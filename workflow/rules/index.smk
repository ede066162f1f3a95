"""The index: one page that leads to all that a run has."""


localrules:
    lead,
    index,


rule lead:
    input:
        rules.verdict.input,
        rules.claims.input,
        rules.comparison.input,
        rules.figures.input,
    output:
        page=ensure(f"{RESULTS}/index.html", non_empty=True),
    log:
        f"{LOGS}/{RUN.protocol}/index.log",
    params:
        run=RESULTS,
        # With the figures, whose questions it shows.
        code=step_digest("index", *(f"sae_surgery.figures.{name}" for name in FIGURES)),
    shell:
        "python -m sae_surgery index {params.run} 2> {log}"


rule index:
    input:
        rules.lead.output,
