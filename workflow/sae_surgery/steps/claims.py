"""Judge claims on the tables of a run."""

from collections.abc import Sequence
from pathlib import Path

from sae_surgery.files import store
from sae_surgery.machine.atomic import write_text
from sae_surgery.machine.divergence import told_by
from sae_surgery.pages.claims import load
from sae_surgery.pages.claims.judging import judge, judge_by_correction, without_models
from sae_surgery.pages.claims.pages import as_frame, as_markdown
from sae_surgery.pages.shared import as_page


def claims(list_path: Path, table_paths: Sequence[Path], output_dir: Path) -> None:
    """Write the page `claims.md` and `.html`, and the numbers that decide as `claims.csv`.

    Raises
    ------
    SurgeryError
        If the list or a table is not as it must be.
    """
    read = [without_models(store.read(path, "table")) for path in table_paths]
    tables, chosen = {table.attrs["experiment"]: table for table in read}, load(list_path)
    judgements = judge(chosen, tables)
    by_correction = judge_by_correction(chosen, tables["audit"]) if "audit" in tables else None
    write_text(output_dir / "claims.csv", as_frame(judgements).to_csv(index=False))
    text = as_markdown(judgements, by_correction, told_by(read))
    write_text(output_dir / "claims.md", text)
    title = "Claims: run {run}, protocol {protocol}".format_map(read[0].attrs)
    write_text(output_dir / "claims.html", as_page(text, title))
