"""Examine trained SAEs: write the configuration of the workflow, and let Snakemake compute it."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from sae_surgery.errors import SurgeryError
from sae_surgery.machine.atomic import write_text
from sae_surgery.machine.provenance import ROOT
from sae_surgery.plan import configfile
from sae_surgery.plan.documents import Document

SNAKEFILE = ROOT.parents[1] / "Snakefile"
DEFAULT = SNAKEFILE.parent / configfile.DEFAULT
TAKEN = ("ae", "final", "params", "sae", "sae_weights", "model")
"""Names of files that say nothing: the folder's comes before them."""
SUFFIXES = (".npz", ".safetensors", ".pt", ".pth")
UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def examine(
    sae: Sequence[Path],
    activations: Sequence[Path],
    ood: Path | None,
    labels: Path | None,
    name: str | None,
    format: str | None,
    overrule: Sequence[str],
    samples: int | None,
    seeds: Sequence[int] | None,
    questions: Sequence[str] | None,
    no_rivals: bool,
    dry_run: bool,
    profile: str | None,
    snakemake: Sequence[str],
) -> None:
    """Write `results/<name>/examine.yaml`, print it, and run Snakemake on it.

    Raises
    ------
    SurgeryError
        If the configuration is not valid, a file is missing or unfit, an SAE looks misread, or
        Snakemake ends with an error.
    """
    if len(activations) not in (1, len(sae)):
        raise SurgeryError(
            f"--activations: one file for all SAEs is needed, or {len(sae)}, one for each; "
            f"got {len(activations)}"
        )
    if len(activations) > 1 and (ood or labels):
        raise SurgeryError(
            "--ood and --labels go with one file of activations; name them for each SAE in a "
            "configuration (config/examine.yaml)"
        )
    if not SNAKEFILE.is_file():
        raise SurgeryError(f"{SNAKEFILE}: there is no such file; install the project from a clone")
    names = _names(sae)
    section = _section(sae, activations, ood, labels, names, format, overrule)
    section |= {"samples": samples} if samples else {}
    section |= {"seeds": list(seeds)} if seeds else {}
    section |= {"questions": list(questions)} if questions else {}
    section |= {"rivals": False} if no_rivals else {}
    run = name or _joined(names)
    value = {"run": run, "examine": section}
    configfile.load(Document({**value, "sweeps": configfile.read([DEFAULT]).value["sweeps"]}))
    for path, given in zip(sae, section["saes"].values(), strict=True):
        rows = Path(given.get("activations") or section["activations"])
        _look(path, rows, format, overrule)
    text = f"# Written by `sae-surgery examine`.\n{yaml.safe_dump(value, sort_keys=False)}"
    path = Path("results", run, "examine.yaml")
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
    print(f"# {path}\n{text}", flush=True)
    command = [sys.executable, "-m", "snakemake", "examine", "--snakefile", str(SNAKEFILE)]
    command += ["--dry-run"] * dry_run + (["--profile", profile] if profile else [])
    done = subprocess.run([*command, *snakemake, "--configfile", str(path)], check=False)
    if done.returncode != 0:
        raise SurgeryError(
            "Snakemake ended with an error, which stands above; the same command goes on from there"
        )
    if not dry_run:
        print(f"results/{run}/examine/page.html")


def _section(
    sae: Sequence[Path],
    activations: Sequence[Path],
    ood: Path | None,
    labels: Path | None,
    names: Sequence[str],
    format: str | None,
    overrule: Sequence[str],
) -> dict[str, Any]:
    """Return the section `examine`, of what differs from its defaults."""
    own = {"format": format} if format else {}
    own |= {"overrule": list(overrule)} if overrule else {}
    saes = {name: {"path": str(path), **own} for name, path in zip(names, sae, strict=True)}
    section: dict[str, Any] = {"saes": saes}
    if len(activations) == 1:
        given = {"activations": activations[0], "ood": ood, "labels": labels}
        section |= {key: str(path) for key, path in given.items() if path}
    else:
        for each, path in zip(saes.values(), activations, strict=True):
            each["activations"] = str(path)
    return section


def _names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each SAE, after its file or folder, all different."""
    names = []
    for path in paths:
        parts = [part for part in path.absolute().parts if part != "/"]
        parts[-1] = parts[-1].removesuffix(path.suffix if path.suffix in SUFFIXES else "")
        name = _safe(parts[-1])
        if len(parts) > 1 and (parts[-1] in TAKEN or name in names):
            name = _safe(f"{parts[-2]}_{parts[-1]}")
        while name in names:
            name += "_again"
        names.append(name)
    return names


def _safe(name: str) -> str:
    return UNSAFE.sub("-", name).strip("-_") or "sae"


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]}_and_{len(names) - 1}_more"


def _look(sae: Path, activations: Path, format: str | None, overrule: Sequence[str]) -> None:
    """Raise SurgeryError, before anything runs, if files cannot be read or an SAE looks misread."""
    import numpy as np
    import torch

    from sae_surgery import loaders
    from sae_surgery.loaders.check import CHECKED, check
    from sae_surgery.problems._matrices import open_matrix

    trained, matrix = loaders.load(sae, format), open_matrix(activations)
    rows = np.linspace(0, matrix.n_rows - 1, min(CHECKED, matrix.n_rows)).astype(np.int64)
    check(trained, torch.from_numpy(matrix.take(rows))).require(str(sae), overrule)
