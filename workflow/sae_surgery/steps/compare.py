"""Compare the numbers of a run with the published ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sae_surgery.errors import SurgeryError
from sae_surgery.files import store
from sae_surgery.machine.atomic import write_text
from sae_surgery.machine.divergence import told_by
from sae_surgery.pages import published
from sae_surgery.pages.comparison.criteria import Criteria
from sae_surgery.pages.comparison.findings import hold_against
from sae_surgery.pages.comparison.page import as_html, as_markdown
from sae_surgery.pages.comparison.released import read_released
from sae_surgery.pages.comparison.rows import compare as judge

PROTOCOL = "paper"
"""The way of measuring behind the published numbers."""


def compare(
    table_paths: Sequence[Path],
    output_dir: Path,
    settings: Mapping[str, Any],
    published_folder: Path | None = None,
) -> None:
    """Write the page `comparison.html`, in short as `comparison.md`, and all rows as `.csv`.

    Parameters
    ----------
    settings
        The key `comparison` of the configuration.
    published_folder
        The authors' `results`, for a comparison seed by seed.

    Raises
    ------
    SurgeryError
        If a table is missing, not as it must be, or of an experiment that nothing was published on;
        if a setting is not allowed; or if a released file is not laid out as the authors'.
    """
    criteria = Criteria.of(settings)
    released = read_released(published_folder) if published_folder else None
    tables = [store.read(path, "table") for path in table_paths]
    for path, table in zip(table_paths, tables, strict=True):
        name, protocol = table.attrs["experiment"], table.attrs["protocol"]
        if name not in published.available():
            known = ", ".join(published.available())
            raise SurgeryError(f"{path}: nothing was published on {name!r}, but on {known}")
        if protocol != PROTOCOL:
            raise SurgeryError(f"{path}: protocol {protocol!r}, but {PROTOCOL!r} was published")
    rows = judge(tables, criteria, released.numbers if released else None)
    findings = None
    if released:
        facts = published.facts_of(table.attrs["experiment"] for table in tables)
        findings = [*released.findings, *hold_against(facts, released.numbers)]
    title = "Published and reproduced: run {run}, protocol {protocol}".format_map(tables[0].attrs)
    told = told_by(tables)
    write_text(output_dir / "comparison.html", as_html(rows, criteria, title, findings, told))
    write_text(output_dir / "comparison.md", as_markdown(rows, title, told))
    write_text(output_dir / "comparison.csv", rows.to_csv(index=False, float_format="%.7g"))
