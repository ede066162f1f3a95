"""Put the manifest of a run together, draw its timeline, and link both from its index."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sae_surgery.drawing import style
from sae_surgery.machine.atomic import write_text
from sae_surgery.record import timeline
from sae_surgery.record.manifest import manifest, read_jobs
from sae_surgery.steps.index import index


def report(run_folder: Path, config: Mapping[str, Any]) -> None:
    """Write `manifest.json`, `timeline.pdf` and `.png`, and `index.html` to the folder of a run.

    The index is written here, too, because only now is there a manifest for it to show.
    """
    jobs = read_jobs(run_folder / "logs")
    if not jobs:
        print(f"{run_folder}: no job has ended yet, there is nothing to report", file=sys.stderr)
        return
    write_text(
        run_folder / "manifest.json",
        json.dumps(manifest(run_folder, jobs, config), indent=1) + "\n",
    )
    style.save(timeline.draw(jobs), [run_folder / "timeline.pdf", run_folder / "timeline.png"])
    index(run_folder)
