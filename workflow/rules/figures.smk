"""Figures, drawn from tables alone: redrawing one takes seconds."""


localrules:
    figures,
    draw,


def question(figure):
    """Return the question that a figure answers; only Snakemake's report asks for it."""
    return figure_registry.load(figure).QUESTION.partition("?")[0] + "?"


def shown(path, shows):
    """Return an output as Snakemake's report is to show it."""
    return report(
        ensure(path, non_empty=True),
        caption="../report/figure.rst",
        category="Figures",
        labels=lambda w: {"figure": w.figure, "shows": shows, "question": question(w.figure)},
    )


rule draw:
    input:
        tables=lambda w: expand(
            f"{SCORED}/tables/{{experiment}}.nc", experiment=figure_registry.inputs(w.figure)
        ),
    output:
        pdf=ensure(f"{SCORED}/figures/{{figure}}.pdf", non_empty=True),
        png=shown(f"{SCORED}/figures/{{figure}}.png", "main metrics"),
        csv=ensure(f"{SCORED}/figures/{{figure}}.csv", non_empty=True),
        all_pdf=ensure(f"{SCORED}/figures/{{figure}}_all.pdf", non_empty=True),
        all_png=shown(f"{SCORED}/figures/{{figure}}_all.png", "all metrics"),
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
