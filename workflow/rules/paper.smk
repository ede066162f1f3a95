"""The paper: numbers from tables and pages, then the manuscript, which quotes nothing else."""

PAPER = "paper/main.pdf"


localrules:
    quote,
    typeset,
    paper,


rule quote:
    input:
        tables=rules.tables.input,
        claims=[path for path in rules.claims.input if path.endswith(".csv")],
        verdict=[path for path in rules.verdict.input if path.endswith(".csv")],
        comparison=[path for path in rules.comparison.input if path.endswith(".csv")],
    output:
        numbers=ensure(f"{SCORED}/numbers.json", non_empty=True),
    log:
        f"{LOGS}/{RUN.protocol}/numbers.log",
    params:
        # With the figures, whose captions are taken along.
        code=step_digest("numbers", *(f"sae_surgery.figures.{name}" for name in FIGURES)),
        claims=lambda w, input: [f"--claims {path}" for path in input.claims],
        verdict=lambda w, input: [f"--verdict {path}" for path in input.verdict],
        comparison=lambda w, input: [f"--comparison {path}" for path in input.comparison],
    shell:
        "python -m sae_surgery numbers --tables {input.tables} {params.claims} {params.verdict}"
        " {params.comparison} --output {output.numbers} 2> {log}"


# Of each figure both drawings, in the format that the manuscript reads.
STEMS = [stem for name in FIGURES for stem in (name, f"{name}_all")]


rule typeset:
    input:
        source=source("paper/main.typ"),
        template=source("paper/template.typ"),
        references=source("paper/references.bib"),
        numbers=rules.quote.output.numbers,
        figures=expand(f"{SCORED}/figures/{{stem}}.pdf", stem=STEMS),
    output:
        paper=ensure(PAPER, non_empty=True),
    log:
        f"{LOGS}/{RUN.protocol}/typeset.log",
    params:
        code=step_digest("typeset"),
    shell:
        "python -m sae_surgery typeset --source {input.source} --numbers {input.numbers}"
        " --output {output.paper} 2> {log}"


rule paper:
    input:
        PAPER,
