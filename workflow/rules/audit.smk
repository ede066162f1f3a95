"""The audit: what each correction of the strict protocol does alone to the published scores."""


def of_audited(shared, anew):
    """Return an input function: a file a method, in one folder or, fitted anew, in another."""
    return lambda w: [
        f"{anew if RUN.fits_anew(name) else shared}/{w.cell}/{name}.nc"
        for name in RUN.experiments["audit"].methods_on(w.cell)
    ]


rule audit:
    input:
        data=rules.simulate.output.data,
        fresh=rules.renew.output.data,
        models=of_audited(f"{RESULTS}/models", f"{RESULTS}/models"),
        codes=of_audited(f"{RESULTS}/codes", f"{RESULTS}/codes"),
        fresh_codes=of_audited(f"{SCORED}/codes", f"{SCORED}/crossed/by_paper_models"),
        strict_models=of_audited(f"{RESULTS}/models", f"{SCORED}/models"),
        strict_codes=of_audited(f"{RESULTS}/codes", f"{SCORED}/crossed/paper_samples"),
        fresh_strict_codes=of_audited(f"{SCORED}/codes", f"{SCORED}/codes"),
    output:
        metrics=ensure(f"{SCORED}/metrics/audit/{{cell}}.nc", non_empty=True),
    log:
        f"{SAMPLED_LOGS}/audit/{{cell}}.log",
    benchmark:
        f"{SAMPLED_BENCHMARKS}/audit/{{cell}}.tsv"
    threads: threads_of("audit")
    resources:
        **asks("audit"),
    params:
        code=step_digest("audit", *metrics.modules("paper"), *metrics.modules("strict")),
    shell:
        "python -m sae_surgery audit --data {input.data} --fresh {input.fresh}"
        " --models {input.models} --codes {input.codes} --fresh-codes {input.fresh_codes}"
        " --strict-models {input.strict_models} --strict-codes {input.strict_codes}"
        " --fresh-strict-codes {input.fresh_strict_codes} --output {output.metrics} 2> {log}"
