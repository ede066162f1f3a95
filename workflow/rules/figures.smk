"""Figures, drawn from tables alone: redrawing one takes seconds."""


localrules:
    figures,
    draw,


rule draw:
    input:
        tables=lambda w: expand(
            f"{SCORED}/tables/{{experiment}}.nc", experiment=figure_registry.inputs(w.figure)
        ),
    output:
        pdf=ensure(f"{SCORED}/figures/{{figure}}.pdf", non_empty=True),
        png=ensure(f"{SCORED}/figures/{{figure}}.png", non_empty=True),
        csv=ensure(f"{SCORED}/figures/{{figure}}.csv", non_empty=True),
        all_pdf=ensure(f"{SCORED}/figures/{{figure}}_all.pdf", non_empty=True),
        all_png=ensure(f"{SCORED}/figures/{{figure}}_all.png", non_empty=True),
    log:
        f"{LOGS}/{RUN.protocol}/draw/{{figure}}.log",
    params:
        code=lambda w: step_digest("draw", f"sae_surgery.figures.{w.figure}"),
    shell:
        "python -m sae_surgery draw {wildcards.figure} --tables {input.tables}"
        " --output-dir $(dirname {output.pdf}) 2> {log}"


rule figures:
    input:
        expand(rules.draw.output, figure=FIGURES),


for figure in FIGURES:

    rule:
        name:
            f"fig_{figure}"
        input:
            expand(rules.draw.output, figure=figure),
        localrule: True
