"""The audit: a correction changes what it is about, and nothing else."""

import numpy as np
import pytest

from figure_tables import make_table
from sae_surgery import figures, metrics
from sae_surgery.errors import SurgeryError
from sae_surgery.figures import audit
from sae_surgery.tables.corrections import CORRECTIONS, SCORES, corrected

SCORINGS = ("published", "remeasured", "resampled", "refitted", "strict")


def scorings():
    """Give each metric of each scoring a value of its own."""
    names = {**metrics.quantities("paper"), **metrics.quantities("strict")}
    return {
        scoring: {name: np.array([100.0 * which + place]) for place, name in enumerate(names)}
        for which, scoring in enumerate(SCORINGS)
    }


@pytest.mark.parametrize("name", CORRECTIONS)
def test_a_correction_changes_the_scores_it_names_and_no_others(name):
    found, given = corrected(scorings()), scorings()
    changed = {score for score in SCORES if found[name][score] != given["published"][score]}
    assert changed == (set() if name == "published" else set(CORRECTIONS[name].scores))


def test_corrections_are_read_off_metrics_that_there_are():
    protocols = {
        "published": "paper",
        "resampled": "paper",
        "refitted": "paper",
        "remeasured": "strict",
        "strict": "strict",
    }
    for correction in CORRECTIONS.values():
        there_are = metrics.quantities(protocols[correction.scoring])
        assert set(correction.scores.values()) <= set(there_are)
        assert set(correction.scores) <= set(SCORES) <= set(metrics.quantities("paper"))


def test_the_last_correction_is_all_of_them():
    assert list(CORRECTIONS)[-1] == "strict"
    found, given = corrected(scorings())["strict"], scorings()["strict"]
    assert found["mcc_ood"] == given["mcc_ood"]
    assert found["dictionary_mean_cosine"] == given["dictionary_mean_signed_cosine"]


def test_numbers_tell_the_change_of_what_is_touched():
    table = make_table("audit")
    rows = audit.numbers({"audit": table})
    place = {"method": "sae_relu", "n_latents": 100}
    values = table["mcc_id"].sel(place).mean("seed")
    chosen = rows[
        (rows[list(place)] == list(place.values())).all(axis=1) & (rows["metric"] == "mcc_id")
    ]
    changes = chosen.set_index("condition")["change"]
    assert set(changes.index) == {
        name for name, each in CORRECTIONS.items() if "mcc_id" in each.scores
    }
    expected = float(values.sel(condition="no_padding") - values.sel(condition="published"))
    assert changes["no_padding"] == pytest.approx(expected)
    assert changes["published"] == 0


def test_every_correction_has_a_name_in_the_figure():
    assert list(audit.LABELS) == list(CORRECTIONS)


def test_a_table_without_a_correction_is_refused():
    table = make_table("audit").drop_sel(condition="signs")
    with pytest.raises(SurgeryError, match="signs"):
        figures.load("audit").draw({"audit": table})
