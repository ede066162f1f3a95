"""The manifest of a run and its timeline, written when it ends, good or bad."""

import shlex

REPORT = f"python -m sae_surgery report {RESULTS} --config {shlex.quote(as_parameter(config))}"


onsuccess:
    shell("{REPORT}")


onerror:
    shell("{REPORT}")
