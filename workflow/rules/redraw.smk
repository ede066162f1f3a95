"""In the place of all that computes: what is kept are the tables, and from them all else is made."""


localrules:
    tables,


TABLES = expand(f"{SCORED}/tables/{{experiment}}.nc", experiment=RUN.experiments)
KINDS = [
    f"{folder}/{kind}"
    for folder in dict.fromkeys([RESULTS, SAMPLED])
    for kind in ("data", "models", "codes", "operations")
]


def refuse(asked):
    """Stop, and say what cannot be had without computing."""
    sys.exit(
        f"{asked}: this would have to be computed, but this configuration has `redraw: true` and "
        f"only makes what can be made from the tables in {SCORED}/tables. "
        "To compute it, end the same command with: --config redraw=false"
    )


rule compute:
    input:
        lambda w: refuse(w.result),
    output:
        "{result}",
    wildcard_constraints:
        result="|".join(
            [f"{folder}/.+" for folder in [*KINDS, f"{SCORED}/metrics"]]
            + [table for table in TABLES if not Path(table).exists()]
        ),


for target in ("data", "models", "surgeries", "metrics"):

    rule:
        name:
            target
        input:
            lambda w, target=target: refuse(target),
        localrule: True


rule tables:
    input:
        TABLES,
