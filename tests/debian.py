"""Programs that tests need and that are no Python packages, from Debian's packages."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest


def missing(packages: Mapping[str, str]) -> list[str]:
    """Return the packages, given by the command that each brings, that are not installed."""
    return [package for command, package in packages.items() if shutil.which(command) is None]


def why_not(packages: Mapping[str, str]) -> str | None:
    """Return why missing packages cannot be installed, None if they can or none is missing."""
    lacking = missing(packages)
    if lacking and os.geteuid() != 0:
        return f"{', '.join(lacking)} are missing, and only root can install them"
    if lacking and shutil.which("apt-get") is None:
        return f"{', '.join(lacking)} are missing, and only apt-get is known to install them"
    return None


def install(packages: Mapping[str, str]) -> None:
    """Install packages that are missing, without starting their services, one call at a time."""
    # This file is what all processes of a test run have in common.
    with Path(__file__).open("rb") as common:
        fcntl.flock(common, fcntl.LOCK_EX)
        if lacking := missing(packages):
            _install(lacking)


def leave_out(what: str, reason: str) -> None:
    """Skip the tests of something that cannot be had here, but never in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"the tests {what} must run here, but {reason}")
    pytest.skip(f"the tests {what} are left out: {reason}")


def _install(lacking: list[str]) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # Debian asks this file whether a package may start its service.
    policy = Path("/usr/sbin/policy-rc.d")
    made = not policy.exists()
    if made:
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
        policy.chmod(0o755)
    try:
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *lacking]
        subprocess.run(command, check=True, env=environment)
    finally:
        if made:
            policy.unlink()
