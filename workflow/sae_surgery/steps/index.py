"""Write the page that leads to all that a run has."""

from pathlib import Path

from sae_surgery.errors import SurgeryError
from sae_surgery.machine.atomic import write_text
from sae_surgery.pages.index.page import as_html


def index(run_folder: Path) -> None:
    """Write `index.html` to the folder of a run.

    Raises
    ------
    SurgeryError
        If there is no such folder.
    """
    if not run_folder.is_dir():
        raise SurgeryError(f"{run_folder}: there is no such folder")
    write_text(run_folder / "index.html", as_html(run_folder))
