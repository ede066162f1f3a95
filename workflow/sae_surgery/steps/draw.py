"""Draw a figure from its tables, with the numbers behind it."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from sae_surgery import figures
from sae_surgery.drawing import legible, style
from sae_surgery.errors import SurgeryError
from sae_surgery.files import store
from sae_surgery.machine.atomic import write_text
from sae_surgery.plan.plotting import Plotting


def draw(
    name: str,
    table_paths: Sequence[Path],
    output_dir: Path,
    given: Mapping[str, Any] | None = None,
) -> None:
    """Write `<stem>.<format>` of each drawing, and `<name>.csv` of the numbers.

    Parameters
    ----------
    given
        The key `plotting` of a configuration.

    Raises
    ------
    SurgeryError
        If the figure is unknown, or a table is missing or not as it must be, or what is chosen of
        it is not there.
    """
    figure = figures.load(name)
    plotting = Plotting.read(given or {})
    tables = {}
    for path in table_paths:
        table = store.read(path, "table").set_coords(["title", "family"])
        tables[table.attrs["experiment"]] = chosen(table, plotting)
    with style.configured(plotting):
        for stem, drawing in figure.draw(tables).items():
            paths = [output_dir / f"{stem}.{suffix}" for suffix in plotting.formats]
            style.save(drawing, paths)
            # By default there are none: tests see to that.
            for fault in legible.faults(drawing) if given else ():
                print(f"{stem}: {fault}", file=sys.stderr)
        write_text(output_dir / f"{name}.csv", figure.numbers(tables).to_csv(index=False))


def chosen(table: xr.Dataset, plotting: Plotting) -> xr.Dataset:
    """Return the methods and panels of a table that are to be drawn, all if none are named.

    Raises
    ------
    SurgeryError
        If none of them is in the table.
    """
    wanted = {name: [*values] for name, values in plotting.panels.items() if name in table.dims}
    if plotting.methods is not None:
        wanted["method"] = [*plotting.methods]
    for dimension, values in wanted.items():
        there = table[dimension].values.tolist()
        found = [value for value in there if value in values]
        if not found:
            key = "plotting.methods" if dimension == "method" else f"plotting.panels.{dimension}"
            experiment, known = table.attrs["experiment"], ", ".join(map(str, there))
            raise SurgeryError(f"{key}: none is in the table {experiment}, which has {known}")
        table = table.sel({dimension: found})
    return table
