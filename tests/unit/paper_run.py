"""A made-up run of all experiments, on disk, as the manuscript's steps find one."""

import shutil

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from figure_tables import OTHERS, SURGERIES, SWEEPS, make_table
from sae_surgery.figures import available
from sae_surgery.files import store
from sae_surgery.files.store import Origin, Variable
from sae_surgery.pages.claims import PAPER
from sae_surgery.pages.numbers import swept
from sae_surgery.steps.claims import claims
from sae_surgery.steps.numbers import numbers
from sae_surgery.steps.verdict import verdict

COMPARISON = {
    "experiment": ["latents", "latents", "frozen_decoder", "latents"],
    "method": ["fista_oracle", "sae_topk", "sae_topk", "sae_topk"],
    "condition": [None, None, "frozen", None],
    "n_latents": [50, 50, 100, 5000],
    "k": 10,
    "n_samples": 5000,
    "step": [None, None, None, None],
    "metric": ["mcc_id", "mcc_ood", "acc_ood", "mcc_ood"],
    "published": [0.97, 0.5, 0.6, 0.3],
    "reproduced": [0.97, 0.75, 0.9, None],
    "difference": [0.0, 0.25, 0.3, None],
    "expected": ["exact", "statistical", "statistical", "statistical"],
    "limit": [1e-5, 0.05, 0.05, 0.05],
    "distance": [0.95e-5, 0.25, 0.3, None],
    "within": [True, False, False, False],
    "verdict": ["agrees", "differs", "differs", "missing"],
    "why": [None, "rounding", None, None],
}


def full_table(experiment, **made):
    """Make a table of `figure_tables` with the observation dimensions that every table has."""
    table = make_table(experiment, **made)
    over = [name for name in table.sizes if name in swept(table)]
    if "obs_dim" not in table:
        table["obs_dim"] = (over, np.full([table.sizes[name] for name in over], 20))
    return table


def write_table(folder, table, experiment, run="made_up"):
    """Write a table as the step `tabulate` writes one."""
    path = folder / "tables" / f"{experiment}.nc"
    variables = [
        (
            name,
            Variable(
                values.dims,
                values.values,
                name,
                None if values.dtype.kind in "UO" else "1",
                "nothing there" if values.dtype.kind == "f" else None,
            ),
        )
        for name, values in table.variables.items()
    ]
    names = {"experiment": experiment, "run": run, "protocol": "paper"}
    store.write(path, "table", variables, Origin("A made-up table"), **names)
    return path


def make_run(folder, experiments=(*SWEEPS, *SURGERIES, *OTHERS), compared=True, **made):
    """Write tables, figures, pages and numbers of a run to a folder, and return the numbers' file.

    What is `made` goes to `full_table`.
    """
    tables = [write_table(folder, full_table(name, **made), name) for name in experiments]
    draw_blank_figures(folder / "figures")
    claims(PAPER, tables, folder)
    pages = {"claims_path": folder / "claims.csv", "verdict_path": None, "comparison_path": None}
    if {"frozen_decoder", "support_recovery"} <= {*experiments}:
        verdict([folder / f"tables/{n}.nc" for n in ("frozen_decoder", "support_recovery")], folder)
        pages["verdict_path"] = folder / "verdict.csv"
    if compared:
        pages["comparison_path"] = folder / "comparison.csv"
        pd.DataFrame(COMPARISON).to_csv(pages["comparison_path"], index=False)
    numbers(tables, **pages, output=folder / "numbers.json")
    return folder / "numbers.json"


def draw_blank_figures(folder):
    folder.mkdir()
    Figure(figsize=(6.75, 2)).savefig(folder / "blank.pdf")
    for name in available():
        for stem in (name, f"{name}_all"):
            shutil.copy(folder / "blank.pdf", folder / f"{stem}.pdf")
