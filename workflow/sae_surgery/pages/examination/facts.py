"""How an SAE was read, on what it was examined, and what that takes for granted."""

from collections.abc import Iterator

from sae_surgery.pages.examination.findings import Finding
from sae_surgery.pages.examination.words import number

ASSUMED = (
    "Everything is measured in the SAE's own units: after its normalisation of inputs, and with "
    "the bias of its decoder taken off.",
    "Explained variance is 1 − Σ ‖y − D z‖² / Σ ‖y − ȳ‖², the mean ȳ being that of the rows that "
    "rivals learn from.",
    "Matched sparsity means as many active atoms: the lasso's λ is set to the encoder's mean "
    "number, pursuits take each sample's own.",
    "The lasso's penalty is on z ‖d‖, so that norms of atoms do not matter to it.",
    "Brackets are 95 % intervals by the bootstrap over samples; they do not hold what another "
    "training, or another draw of rows to learn from, would change.",
    "Rivals learn from the rows that were drawn alone, most often far fewer than the SAE was "
    "trained on; with more of them they may be better.",
    "A planted truth takes for granted that activations are sparse combinations of these atoms; "
    "what it shows is of the encoder and the solvers, not of the data.",
    "Explained variance, stability and meaning of labels are three questions; none of them stands "
    "for another.",
)


def facts(finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield what is known of how an SAE was read, as names and texts."""
    read, sizes = finding.facts, finding.sizes
    yield "file", read["path"]
    yield "format", f"{read['format']}, {read['architecture']}"
    yield "size", f"{sizes['obs']} dimensions, {sizes['atoms']} atoms"
    for note in read["notes"]:
        yield "read", note
    for name, value in read["promised"].items():
        yield f"the file says: {name}", number(value)
    yield (
        f"found on {read['checked_rows']} rows",
        f"L0 {number(read['l0'])}, explained variance {number(read['explained_variance'])} in "
        f"units of the activations, {100 * read['dead']:.1f} % of the atoms not active",
    )
    yield (
        f"counted over {sizes['counted']} rows",
        f"L0 {number(read['counted_l0'])}, explained variance "
        f"{number(read['counted_explained_variance'])}",
    )
    low, middle, high = read["norms"]
    yield "norms of atoms", f"{number(low)} to {number(high)}, median {number(middle)}"
    ood = f", {sizes['ood']} out of distribution" if sizes["ood"] else ""
    yield (
        "rows",
        f"{sizes['learn']} to learn from, {sizes['held_out']} held out{ood}, drawn at random from "
        f"{sizes['rows']}",
    )
    yield (
        "repetitions",
        f"{sizes['repeated']} of the rows drawn equal one drawn before; {sizes['seen']} held-out "
        "rows equal one to learn from",
    )


def refused(finding: Finding) -> list[str]:
    """Return what was overruled and what was left out."""
    said = [f"Overruled: {text}" for text in finding.facts["overruled"]]
    for given in finding.answers.values():
        if given.skipped:
            said.append(f"{given.question.title}: left out, {given.skipped}.")
    return said
