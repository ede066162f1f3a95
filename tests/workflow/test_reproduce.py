"""The page for reviewers: it has every figure, and what it tells them to type can be run."""

import re
import shutil

import pytest

from project import ROOT
from sae_surgery import figures

PAGE = (ROOT / "REPRODUCE.md").read_text(encoding="utf-8")


def test_every_figure_is_on_the_page():
    named = set(re.findall(r"\bfig_(\w+)", PAGE))
    assert named == set(figures.available())


@pytest.mark.parametrize("configuration", ["quick", "reference", "strict", "paper", "composed"])
def test_figures_are_targets_of_the_configuration_they_are_given_with(fresh, configuration):
    wanted = set()
    for targets, options in re.findall(r"snakemake ((?:(?:fig_\w+|verdict) ?)+)(.*)", PAGE):
        chosen = re.search(r"config/(\w+)\.yaml", options)
        if configuration == (chosen[1] if chosen else "quick"):
            wanted |= set(targets.split())
    assert wanted
    shutil.copy(ROOT / "config" / f"{configuration}.yaml", fresh.folder / "tiny.yaml")
    assert wanted <= set(fresh.succeed("--list-target-rules").split())
