"""Figures and pages of tables that lack what diverged say so; others are as they were."""

import numpy as np
import pytest

from figure_tables import SURGERIES, SWEEPS, make_table, words
from sae_surgery import figures
from sae_surgery.drawing.panels import losses
from sae_surgery.machine.divergence import LEFT_OUT, as_section, told_by

SAID = "sae_relu on n50_k10_m40_s1000: seed 0 at epoch 3, seed 1 at epoch 4"


def lost(experiment, said=SAID):
    table = make_table(experiment)
    for name, values in table.data_vars.items():
        if "seed" in values.dims and "method" in values.dims:
            table[name].loc[{"method": "sae_relu"}] = np.nan
    return table.assign_attrs(diverged=said) if said else table


DRAWN = [name for name in (*SWEEPS, *SURGERIES) if figures.inputs(name) == (name,)]


@pytest.mark.parametrize("name", DRAWN)
def test_every_figure_says_what_diverged(name):
    for figure in figures.load(name).draw({name: lost(name)}).values():
        assert f"{LEFT_OUT} {SAID}." in words(figure)
        assert "SAE (ReLU) (no result)" not in words(figure)
        has_legend = "FISTA (oracle)" in words(figure)
        assert ("SAE (ReLU) (diverged)" in words(figure)) == has_legend


def test_without_that_nothing_is_said():
    for figure in figures.load("latents").draw({"latents": lost("latents", None)}).values():
        assert "diverged" not in words(figure)
        assert "SAE (ReLU) (no result)" in words(figure)


def test_a_figure_names_some_and_counts_the_rest():
    told = [f"sae_relu on n{size}: seed 0 at epoch 3" for size in range(9)]
    shown = losses(told)
    assert told[5] in shown
    assert told[6] not in shown
    assert shown.endswith("; and 3 more, which the table names.")


def test_what_several_tables_tell_is_told_once():
    tables = [lost("latents"), lost("frozen_decoder", f"{SAID}; pca on n5: seed 2 in its codes")]
    assert told_by(tables) == [SAID, "pca on n5: seed 2 in its codes"]
    assert as_section(told_by(tables)).count("\n- ") == 2
    assert as_section([]) == ""
