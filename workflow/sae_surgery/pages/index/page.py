"""The index of a run as a page, whose links are relative to it."""

from pathlib import Path

from sae_surgery.pages.index import contents
from sae_surgery.pages.shared import render, words

TEMPLATE = Path(__file__).parent / "page.html.jinja"


def as_html(run: Path) -> str:
    """Write the page, with links to what there is, and words on what there is not.

    Parameters
    ----------
    run
        Folder of the run, in which the page is to lie.
    """
    manifest, told = contents.record(run)
    picture, drawn = contents.timeline(run)
    return render(
        TEMPLATE,
        {"words": words},
        title=f"Run {run.resolve().name}",
        protocols=contents.protocols(run),
        missing=contents.missing(run),
        examination=contents.examination(run),
        manifest=manifest,
        told=told,
        timeline=picture,
        timeline_links=drawn,
    )
