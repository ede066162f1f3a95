"""What no step may depend on: where it is started, and what the environment says of Python.

Every way to start one comes through here: `sae-surgery`, `python -m sae_surgery`, the profile that
Snakemake reads first and the rules that it reads then, on a cluster's nodes too. What is set here is
inherited by all that is started from here. Variables that say nothing of where modules are, such as
PYTHONHASHSEED or SAE_SURGERY_SCRATCH, are left as they are.
"""

import os
import sys
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

from sae_surgery.errors import SurgeryError
from sae_surgery.provenance import ROOT

SOURCES = ROOT.parent
"""The folder that modules of this project are imported from."""

CACHES = Path(".cache")
"""Of the working folder."""


def isolate(environment: MutableMapping[str, str] = os.environ) -> None:
    """Import from the interpreter's own environment and this project only, here and from here on.

    Not from the working folder, where any file may be called `random.py`, nor from PYTHONPATH, which
    modules of a cluster set for other versions of Python, nor from the user's own packages.
    """
    foreign = {*environment.get("PYTHONPATH", "").split(os.pathsep), os.getcwd()}
    foreign |= {os.path.abspath(path) for path in foreign}
    sys.path[:] = [path for path in sys.path if path not in foreign - {str(SOURCES)}]
    environment.pop("PYTHONHOME", None)
    environment |= {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")]),
        "PYTHONPATH": str(SOURCES),
        "PYTHONSAFEPATH": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
    }


def require_own(folder: Path) -> None:
    """Refuse to compute by this package in the folder of another clone of the project.

    Raises
    ------
    SurgeryError
        If `folder` is that of another clone, or lies in one.
    """
    for above in (folder, *folder.parents):
        own = above / SOURCES.name / ROOT.name
        if (own / "__init__.py").is_file() and not own.samefile(ROOT):
            raise SurgeryError(
                f"{above}: the active environment belongs to another clone, {SOURCES.parent}, whose "
                f"package would be used here; in {above}, call `make setup` if need be, and "
                "`source .venv/bin/activate`"
            )


def shelter_caches(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let caches of libraries go to the working folder where they cannot go to the home folder."""
    usual = environment.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    refused = _refuses(usual)
    if refused:
        environment["XDG_CACHE_HOME"] = str(CACHES.absolute())
        environment.setdefault("MPLCONFIGDIR", str(CACHES.absolute() / "matplotlib"))
        print(
            f"{usual} cannot be written to ({refused}): caches go to {CACHES.absolute()}",
            file=sys.stderr,
        )


def _refuses(folder: str) -> str | None:
    """Return why a folder, made if need be, cannot be written to."""
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"something")
    except OSError as error:
        return error.strerror
    return None
