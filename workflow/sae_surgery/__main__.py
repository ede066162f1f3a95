"""`python -m sae_surgery` is the command `sae-surgery`."""

import os
import sys
from pathlib import Path

from sae_surgery import launch
from sae_surgery.errors import SurgeryError


def main() -> None:
    """Run the command in surroundings that it does not depend on."""
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    launch.isolate()
    launch.shelter_caches()
    # Only now, for what it imports.
    from sae_surgery import cli

    try:
        # A rule, or whoever names the package, has chosen it.
        if str(launch.SOURCES) not in named:
            launch.require_own(Path.cwd())
    except SurgeryError as error:
        print(f"sae-surgery: {error}", file=sys.stderr)
        sys.exit(cli.EXIT_USER_ERROR)
    cli.main()


if __name__ == "__main__":
    main()
