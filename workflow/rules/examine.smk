"""Trained SAEs on activations: rows drawn, the SAE read and checked, questions, and the page.

Digests are computed where a job asks for them: most runs examine nothing.
"""

import shlex

from sae_surgery import examination, loaders


localrules:
    present,
    examine,


EXAMINED = f"{RESULTS}/examine"
EXAMINATION = RUN.examination
# Each SAE has a folder of its name, with `reading.nc`, `learned/` and `answers/`.


wildcard_constraints:
    sae=one_of(map(re.escape, EXAMINATION.saes)),
    rows=one_of(map(re.escape, EXAMINATION.rows)),
    question=one_of(EXAMINATION.questions),
    learned=one_of(EXAMINATION.learned),


def examined(w):
    """Return the SAE that a job is about."""
    return EXAMINATION.saes[w.sae]


def files_of(path):
    """Return a file, or the files that are read of a folder."""
    return sorted(map(str, Path(path).iterdir())) if Path(path).is_dir() else [path]


def sae_files(w):
    """Return the files that an SAE is read from."""
    try:
        return list(map(str, loaders.files(Path(examined(w).path), examined(w).format)))
    except SurgeryError as error:
        raise WorkflowError(error) from None


def rows_of(w):
    """Return the file of rows that an SAE is examined on."""
    return f"{EXAMINED}/rows/{examined(w).rows.key}.nc"


def option(name, value):
    """Return an option with its value, shell-quoted; nothing if there is none."""
    values = value if isinstance(value, (list, tuple)) else [value] if value else []
    return f"{name} {shlex.join(map(str, values))}" if values else ""


def sizes(factor, base=BASE_MB):
    """Return the memory that a step of files of that size takes, more with each attempt."""

    def asked(w, input, attempt):
        return memory(base + int(factor * input.size_mb), attempt)

    return asked


def memory_to_load(w, input, attempt):
    """Return the memory that reading an SAE takes; of activations only blocks are held."""
    size_mb = sum(Path(path).stat().st_size for path in input.sae) // 10**6
    return memory(2 * BASE_MB + 6 * size_mb + EXAMINATION.samples // 15, attempt)


def modules(package, names):
    """Return the modules of parts, which no step imports by name."""
    return [f"{package.__name__}.{name}" for name in names]


def sae_option(w):
    """Return the options that name an SAE, for the questions that need its encoder."""
    if "encode" not in (examination.trait(w.question, "needs") or ()):
        return ""
    sae = examined(w)
    return f"{option('--sae', sae.path)} {option('--format', sae.format)}"


rule sample:
    input:
        lambda w: [f for path in EXAMINATION.rows[w.rows].files for f in files_of(path)],
    output:
        rows=ensure(f"{EXAMINED}/rows/{{rows}}.nc", non_empty=True),
    log:
        f"{LOGS}/sample/{{rows}}.log",
    benchmark:
        f"{BENCHMARKS}/sample/{{rows}}.tsv"
    threads: threads_of("sample")
    resources:
        # Rows are few, and the file is mapped: what is asked for does not grow with it.
        mem_mb=lambda w, attempt: memory(2 * LIGHT_MB + EXAMINATION.samples // 10, attempt),
        runtime=lambda w, attempt: attempt * of_rule("sample", w, RUN).runtime,
    params:
        files=lambda w: " ".join(
            option(f"--{name}", getattr(EXAMINATION.rows[w.rows], name))
            for name in ("activations", "ood", "labels")
        ),
        samples=EXAMINATION.samples,
        held_out=EXAMINATION.held_out,
        seed=EXAMINATION.seeds[0],
        code=lambda w: step_digest("sample"),
    shell:
        "python -m sae_surgery sample {params.files} --samples {params.samples}"
        " --held-out {params.held_out} --seed {params.seed} --output {output.rows} 2> {log}"


rule load:
    input:
        sae=sae_files,
        rows=rows_of,
        activations=lambda w: files_of(examined(w).rows.activations),
    output:
        reading=ensure(f"{EXAMINED}/{{sae}}/reading.nc", non_empty=True),
    log:
        f"{LOGS}/load/{{sae}}.log",
    benchmark:
        f"{BENCHMARKS}/load/{{sae}}.tsv"
    threads: threads_of("load")
    resources:
        mem_mb=memory_to_load,
        runtime=lambda w, attempt: attempt * of_rule("load", w, RUN).runtime,
    params:
        sae=lambda w: option("--sae", examined(w).path),
        format=lambda w: option("--format", examined(w).format),
        overrule=lambda w: option("--overrule", examined(w).overrule),
        activations=lambda w: option("--activations", examined(w).rows.activations),
        counted=EXAMINATION.counted,
        seed=EXAMINATION.seeds[0],
        code=lambda w: step_digest("load", *modules(loaders, loaders.available())),
    shell:
        "python -m sae_surgery load {params.sae} {params.format} --rows {input.rows}"
        " {params.activations} --counted {params.counted} --seed {params.seed} {params.overrule}"
        " --threads {threads} --output {output.reading} 2> {log}"


rule learn:
    input:
        rows=rows_of,
        reading=rules.load.output.reading,
    output:
        learned=ensure(f"{EXAMINED}/{{sae}}/learned/{{learned}}.nc", non_empty=True),
    log:
        f"{LOGS}/learn/{{sae}}/{{learned}}.log",
    benchmark:
        f"{BENCHMARKS}/learn/{{sae}}/{{learned}}.tsv"
    threads: threads_of("learn")
    resources:
        mem_mb=sizes(12),
        runtime=lambda w, attempt: attempt * of_rule("learn", w, RUN).runtime,
    params:
        seed=lambda w: EXAMINATION.seeds[0] if w.learned == "started" else w.learned,
        started=lambda w: "--started" if w.learned == "started" else "",
        code=lambda w: step_digest("learn"),
    shell:
        "python -m sae_surgery learn --rows {input.rows} --reading {input.reading}"
        " --seed {params.seed} {params.started} --threads {threads}"
        " --output {output.learned} 2> {log}"


def learned_beside(w):
    """Return the learned dictionaries that a question compares with."""
    if "learned" not in (examination.trait(w.question, "needs") or ()):
        return []
    return [f"{EXAMINED}/{w.sae}/learned/{name}.nc" for name in EXAMINATION.learned]


def readings_beside(w):
    """Return the readings of other SAEs that a question compares with."""
    if "beside" not in (examination.trait(w.question, "needs") or ()):
        return []
    return [f"{EXAMINED}/{name}/reading.nc" for name in EXAMINATION.beside(w.sae)]


rule ask:
    input:
        rows=rows_of,
        reading=rules.load.output.reading,
        learned=learned_beside,
        beside=readings_beside,
    output:
        answer=ensure(f"{EXAMINED}/{{sae}}/answers/{{question}}.nc", non_empty=True),
    log:
        f"{LOGS}/ask/{{sae}}/{{question}}.log",
    benchmark:
        f"{BENCHMARKS}/ask/{{sae}}/{{question}}.tsv"
    threads: threads_of("ask")
    resources:
        mem_mb=sizes(12, 2 * BASE_MB),
        runtime=lambda w, attempt: attempt * of_rule("ask", w, RUN).runtime,
    params:
        learned=lambda w, input: option("--learned", list(input.learned)),
        beside=lambda w, input: option("--beside", list(input.beside)),
        sae=sae_option,
        seed=EXAMINATION.seeds[0],
        code=lambda w: step_digest("ask", *modules(examination, [w.question])),
    shell:
        "python -m sae_surgery ask {wildcards.question} --rows {input.rows}"
        " --reading {input.reading} {params.learned} {params.beside} {params.sae}"
        " --seed {params.seed} --threads {threads} --output {output.answer} 2> {log}"


rule present:
    input:
        rows=expand(f"{EXAMINED}/rows/{{rows}}.nc", rows=EXAMINATION.rows),
        readings=expand(rules.load.output.reading, sae=EXAMINATION.saes),
        answers=expand(
            rules.ask.output.answer, sae=EXAMINATION.saes, question=EXAMINATION.questions
        ),
    output:
        page=ensure(f"{EXAMINED}/page.html", non_empty=True),
        text=ensure(f"{EXAMINED}/page.md", non_empty=True),
        numbers=ensure(f"{EXAMINED}/page.csv", non_empty=True),
    log:
        f"{LOGS}/present.log",
    params:
        run=RUN.name,
        code=lambda w: step_digest("present", *modules(examination, EXAMINATION.questions)),
    shell:
        "python -m sae_surgery present --run {params.run} --rows {input.rows}"
        " --readings {input.readings} --answers {input.answers}"
        " --output-dir $(dirname {output.page}) 2> {log}"


rule examine:
    input:
        rules.present.output if EXAMINATION.saes else [],
