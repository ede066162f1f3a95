"""What no step may depend on: where it is started, and what the environment says of Python.

Every way to start one comes through here: `sae-surgery`, `python -m sae_surgery`, the profile that
Snakemake reads first and the rules that it reads then, on a cluster's nodes too. What is set here
is inherited by all that is started from here. Variables that say nothing of modules or texts, such
as PYTHONHASHSEED or SAE_SURGERY_SCRATCH, are left as they are.

Until `isolate` has run, any import may find a file of the user's: so there are hardly any here.
"""

import os
import sys
from collections.abc import MutableMapping

from sae_surgery.errors import SurgeryError

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCES = os.path.dirname(PACKAGE)
"""The folder that modules of this project are imported from."""

CACHES = ".cache"
"""Folder in the working folder."""


def isolate(environment: MutableMapping[str, str] = os.environ) -> None:
    """Import from the interpreter's environment and this project only, here and from here on.

    Not from the working folder, where any file may be called `random.py`, nor from PYTHONPATH,
    which modules of a cluster set for other versions of Python, nor from the user's own packages.
    """
    foreign = {*environment.get("PYTHONPATH", "").split(os.pathsep), os.getcwd(), ""}
    foreign |= {os.path.abspath(path) for path in foreign}
    sys.path[:] = [path for path in sys.path if path not in foreign - {SOURCES}]
    environment.pop("PYTHONHOME", None)
    programs = os.path.dirname(sys.executable)
    environment |= {
        "PATH": os.pathsep.join([programs, environment.get("PATH", os.defpath)]),
        "PYTHONPATH": SOURCES,
        "PYTHONSAFEPATH": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
    }


def require_own(folder: str) -> None:
    """Refuse to compute by this package in the folder of another clone of the project.

    Raises
    ------
    SurgeryError
        If `folder` is that of another clone, or lies in one.
    """
    above = os.path.abspath(folder)
    while above != os.path.dirname(above):
        own = os.path.join(above, *PACKAGE.split(os.sep)[-2:])
        if os.path.isfile(os.path.join(own, "__init__.py")) and not os.path.samefile(own, PACKAGE):
            raise SurgeryError(
                f"{above}: the active environment is that of {os.path.dirname(SOURCES)}, another "
                f"clone, whose package would be used here; in {above}, call `make setup` if need "
                "be, and `source .venv/bin/activate`"
            )
        above = os.path.dirname(above)


def shelter_caches(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let caches of libraries go to the working folder where they cannot go to the home folder."""
    usual = environment.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    refused = _refuses(usual)
    if refused:
        here = os.path.abspath(CACHES)
        environment["XDG_CACHE_HOME"] = here
        environment.setdefault("MPLCONFIGDIR", os.path.join(here, "matplotlib"))
        print(f"{usual} cannot be written to ({refused}): caches go to {here}", file=sys.stderr)


def _refuses(folder: str) -> str | None:
    """Return why a folder, made if need be, cannot be written to."""
    import tempfile

    if not os.path.isabs(folder):
        return "nobody's home"
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"something")
    except OSError as error:
        return error.strerror
    return None
