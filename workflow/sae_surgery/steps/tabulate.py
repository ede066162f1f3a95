"""Collect the metrics of an experiment's cells into its table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sae_surgery.errors import SurgeryError
from sae_surgery.files import store
from sae_surgery.files.store import Origin
from sae_surgery.machine.provenance import source_digest
from sae_surgery.tables.layout import tabulate as lay_out
from sae_surgery.tables.layout import tell_diverged


def tabulate(sweep: Mapping[str, Any], metrics_paths: Sequence[Path], output: Path) -> None:
    """Write the table of an experiment.

    Parameters
    ----------
    sweep
        `experiment`, `run`, `protocol`, and what `sae_surgery.tables.layout.tabulate` needs.

    Raises
    ------
    SurgeryError
        If a metrics file is not as it must be, of another protocol, or incomplete.
    """
    metrics = [store.read(path, "metrics") for path in metrics_paths]
    for path, file in zip(metrics_paths, metrics, strict=True):
        if file.attrs["protocol"] != sweep["protocol"]:
            found, wanted = file.attrs["protocol"], sweep["protocol"]
            raise SurgeryError(f"{path}: protocol {found!r}, but the table is of {wanted!r}")
    origin = Origin(
        title=f"Experiment {sweep['experiment']}, run {sweep['run']}, protocol {sweep['protocol']}",
        settings=sweep,
        code=source_digest(__name__),
        inputs={file.attrs["cell"]: file.attrs["digest"] for file in metrics},
    )
    names = {key: sweep[key] for key in ("experiment", "run", "protocol")}
    left_out = [f"{method} on {', '.join(cells)}" for method, cells in sweep["left_out"].items()]
    if left_out:
        names["left_out"] = f"by the configuration: {'; '.join(left_out)}"
    if diverged := list(tell_diverged(sweep, metrics)):
        names["diverged"] = "; ".join(diverged)
    store.write(output, "table", lay_out(sweep, metrics), origin, **names)
