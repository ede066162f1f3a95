"""`python -m sae_surgery` is the command `sae-surgery`."""

import os
import sys

from sae_surgery.errors import SurgeryError
from sae_surgery.machine import launch


def main() -> None:
    """Run the command in surroundings that it does not depend on."""
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    launch.isolate()
    # Not before: what they import is to be found in these surroundings.
    from sae_surgery.forks import client

    client.run_forked(sys.argv[1:])
    launch.shelter_caches()
    from sae_surgery import cli

    try:
        # A rule, or whoever else names the folder of the package, has chosen it.
        if launch.SOURCES not in named:
            launch.require_own(os.getcwd())
    except SurgeryError as error:
        print(f"sae-surgery: {error}", file=sys.stderr)
        sys.exit(cli.EXIT_USER_ERROR)
    cli.main()


if __name__ == "__main__":
    main()
