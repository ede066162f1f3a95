"""Draw a figure from its tables, with the numbers behind it."""

from collections.abc import Sequence
from pathlib import Path

from sae_surgery import figures
from sae_surgery.drawing import style
from sae_surgery.files import store
from sae_surgery.machine.atomic import write_text


def draw(name: str, table_paths: Sequence[Path], output_dir: Path) -> None:
    """Write `<stem>.pdf` and `.png` of each drawing, and `<name>.csv` of the numbers.

    Raises
    ------
    SurgeryError
        If the figure is unknown, or a table is missing or not as it must be.
    """
    figure = figures.load(name)
    tables = {}
    for path in table_paths:
        table = store.read(path, "table").set_coords(["title", "family"])
        tables[table.attrs["experiment"]] = table
    for stem, drawing in figure.draw(tables).items():
        style.save(drawing, [output_dir / f"{stem}.pdf", output_dir / f"{stem}.png"])
    write_text(output_dir / f"{name}.csv", figure.numbers(tables).to_csv(index=False))
