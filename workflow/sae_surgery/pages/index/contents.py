"""What lies in the folder of a run, as its index shows it. What is not there is no error."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sae_surgery import figures
from sae_surgery.pages import verdict
from sae_surgery.pages.claims import pages as claims
from sae_surgery.pages.comparison import summary as comparison

PROTOCOLS = {
    "paper": "By the published protocol",
    "strict": "By corrected measurement, the strict protocol",
}
"""Folders of scores, with what the index calls them."""

SUFFIXES = ("html", "pdf", "png", "svg", "md", "csv", "nc", "json")
"""Kinds of files that are linked, in this order."""

PICTURES = ("png", "svg")
"""Kinds of files that browsers show, the first that there is."""


@dataclass(frozen=True)
class Link:
    """A file, by its path from the folder of the run."""

    path: str
    text: str
    place: str = ""
    """What follows the path in an address, such as `#part`."""


@dataclass(frozen=True)
class Page:
    """A page on the run's results."""

    title: str
    links: tuple[Link, ...]
    """Its files; empty if the run has none."""
    statement: str
    """What it says, in short."""
    made: str
    """How it is made, for a run that has none."""


@dataclass(frozen=True)
class Drawing:
    """A figure."""

    name: str
    question: str
    picture: str | None
    """Path of what browsers can show; None if there is no such file."""
    links: tuple[Link, ...]


@dataclass(frozen=True)
class Protocol:
    """What a run has by one protocol."""

    title: str
    pages: tuple[Page, ...]
    drawings: tuple[Drawing, ...]
    not_drawn: tuple[str, ...]
    """Names of the figures that it has not."""


@dataclass(frozen=True)
class Kind:
    """One of the pages that every protocol may have."""

    title: str
    columns: tuple[str, ...]
    """Columns of its numbers that `state` reads."""
    state: Callable[[pd.DataFrame], str]
    made: str
    chosen: tuple[str, str] | None = None
    """A part of it that is worth a link of its own: what it is called, and its place."""


KINDS = {
    "verdict": Kind(
        "Verdict",
        ("method", "n_latents", "metric", "part", "of", "gain"),
        verdict.statement,
        "`snakemake verdict` makes it where the run has the surgeries frozen_decoder and "
        "support_recovery.",
    ),
    "claims": Kind(
        "Claims",
        ("claim", "outcome", "close"),
        claims.statement,
        "`snakemake claims` makes them where the run has experiments that the paper speaks of.",
    ),
    "comparison": Kind(
        "Comparison with the published numbers",
        ("verdict", "within", "expected", "distance", "tolerance"),
        comparison.statement,
        "`snakemake comparison` makes it where the run has published experiments, by the published "
        "protocol.",
        ("those that differ", "#verdict=differs"),
    ),
}


def protocols(run: Path) -> list[Protocol]:
    """Return what a run has by each protocol that it has anything of."""
    return [
        Protocol(title, *_scored(run, name))
        for name, title in PROTOCOLS.items()
        if (run / name).is_dir()
    ]


def missing(run: Path) -> list[str]:
    """Return the names of the protocols that a run has nothing of."""
    return [name for name in PROTOCOLS if not (run / name).is_dir()]


def examination(run: Path) -> Page:
    """Return the page on trained SAEs."""
    made = "`sae-surgery examine` makes it of SAEs that were trained elsewhere."
    links = _links(run, "examine/page")
    return Page("Trained SAEs examined", links, "" if links else made, made)


def record(run: Path) -> tuple[Page, list[tuple[str, str]]]:
    """Return the manifest, and what it says in short: names and values."""
    made = "It is written, with the timeline, when Snakemake ends, unless all is only redrawn."
    links = _links(run, "manifest")
    told, statement = [], ""
    if links:
        try:
            told = list(_told(json.loads((run / "manifest.json").read_bytes())))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            statement = f"It is not one that this version reads ({error})."
    return Page("Manifest", links, statement, made), told


def timeline(run: Path) -> tuple[str | None, tuple[Link, ...]]:
    """Return the picture of the timeline, if there is one, and its files."""
    return _picture(run, "timeline"), _links(run, "timeline")


def _scored(run: Path, protocol: str) -> Iterator[Any]:
    """Yield what a `Protocol` has besides its title."""
    yield tuple(_page(run, protocol, name) for name in KINDS)
    drawings = {name: _drawing(run, protocol, name) for name in figures.available()}
    yield tuple(each for each in drawings.values() if each.links)
    yield tuple(name for name, each in drawings.items() if not each.links)


def _page(run: Path, protocol: str, name: str) -> Page:
    kind, numbers = KINDS[name], run / protocol / f"{name}.csv"
    links = _links(run, f"{protocol}/{name}")
    statement = _state(kind, numbers) if numbers.is_file() else ""
    if kind.chosen and links:
        links += (Link(links[0].path, *kind.chosen),)
    return Page(kind.title, links, statement, kind.made)


def _drawing(run: Path, protocol: str, name: str) -> Drawing:
    stem = f"{protocol}/figures/{name}"
    links = _links(run, stem)
    every = [Link(each.path, f"all metrics, {each.text}") for each in _links(run, f"{stem}_all")]
    question = figures.load(name).QUESTION.partition("?")[0] + "?"
    return Drawing(name, question, _picture(run, stem), (*links, *every))


def _picture(run: Path, stem: str) -> str | None:
    paths = (f"{stem}.{suffix}" for suffix in PICTURES)
    return next((path for path in paths if (run / path).is_file()), None)


def _links(run: Path, stem: str) -> tuple[Link, ...]:
    paths = {suffix: f"{stem}.{suffix}" for suffix in SUFFIXES}
    return tuple(Link(path, suffix) for suffix, path in paths.items() if (run / path).is_file())


def _state(kind: Kind, numbers: Path) -> str:
    """Return what a page says in short; of numbers of another version that they are."""
    try:
        return kind.state(pd.read_csv(numbers, usecols=list(kind.columns)))
    except (OSError, ValueError) as error:
        return f"Its numbers are not those that this version reads ({error})."


def _told(manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what a manifest says in short."""
    commit = manifest["commit"]
    changed = ", with local changes" if manifest["modified"] else ""
    yield "commit", f"{commit[:12]}{changed}" if commit else "none: no git checkout"
    hours = sum(manifest["seconds"].values()) / 3600
    yield "jobs", f"{len(manifest['jobs'])}, of {hours:.2g} hours in all"
    yield "hosts", ", ".join(manifest["hosts"])
    if manifest["gpus"]:
        yield "GPUs", ", ".join(manifest["gpus"])
    versions = manifest["versions"].items()
    yield "versions", ", ".join(f"{name} {version}" for name, version in versions)
