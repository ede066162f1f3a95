"""Judge each patient from the tables of its surgeries."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import xarray as xr

from sae_surgery.files import store
from sae_surgery.files.store import Origin, Variable
from sae_surgery.machine.atomic import write_text
from sae_surgery.machine.provenance import source_digest
from sae_surgery.pages.shared import as_page
from sae_surgery.pages.verdict import as_frame, as_markdown, decompose

MISSING = "no result, or too small a distance to divide"


def verdict(table_paths: Sequence[Path], output_dir: Path) -> None:
    """Write the page `verdict.md` and `.html`, and its numbers as `verdict.csv` and `.nc`.

    Raises
    ------
    SurgeryError
        If a table is missing, not as it must be, or lacks a condition.
    """
    read = [store.read(path, "table") for path in table_paths]
    tables = {table.attrs["experiment"]: table for table in read}
    result = decompose(tables)
    origin = Origin(
        title="What keeps each trained SAE from the oracle",
        code=source_digest(__name__),
        inputs={name: table.attrs["digest"] for name, table in tables.items()},
    )
    diverged = {name: said for name, said in result.attrs.items() if said}
    store.write(output_dir / "verdict.nc", "verdict", _variables(result), origin, **diverged)
    write_text(output_dir / "verdict.csv", as_frame(result).to_csv(index=False))
    text = as_markdown(result)
    write_text(output_dir / "verdict.md", text)
    title = "Verdict: run {run}, protocol {protocol}".format_map(read[0].attrs)
    write_text(output_dir / "verdict.html", as_page(text, title))


def _variables(result: xr.Dataset) -> Iterator[tuple[str, Variable]]:
    for name, values in result.variables.items():
        is_number = values.dtype.kind in "fiu"
        units = values.attrs.get("units", "1") if is_number else None
        missing = MISSING if values.dtype.kind == "f" else None
        long_name = values.attrs["long_name"]
        yield str(name), Variable(values.dims, values.values, long_name, units, missing)
