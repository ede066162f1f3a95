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


def files_of(stem):
    """Return the files of a drawing, one a format; Snakemake's report shows the PNG."""
    shows = "all metrics" if stem.endswith("_all") else "main metrics"
    paths = {each: f"{SCORED}/figures/{stem}.{each}" for each in RUN.plotting.formats}
    return [
        shown(path, shows) if each == "png" else ensure(path, non_empty=True)
        for each, path in paths.items()
    ]


rule draw:
    input:
        tables=lambda w: expand(
            f"{SCORED}/tables/{{experiment}}.nc", experiment=figure_registry.inputs(w.figure)
        ),
    output:
        files_of("{figure}"),
        files_of("{figure}_all"),
        csv=ensure(f"{SCORED}/figures/{{figure}}.csv", non_empty=True),
    log:
        f"{LOGS}/{RUN.protocol}/draw/{{figure}}.log",
    params:
        code=lambda w: step_digest("draw", f"sae_surgery.figures.{w.figure}"),
        plotting=lambda w: as_parameter(RUN.plotting.of(w.figure)),
    shell:
        "python -m sae_surgery draw {wildcards.figure} --tables {input.tables}"
        " --output-dir $(dirname {output.csv}) --plotting {params.plotting:q} 2> {log}"


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
