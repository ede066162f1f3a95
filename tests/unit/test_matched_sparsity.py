"""Scores at equal numbers of active atoms."""

import numpy as np
import pytest

from figure_tables import make_table, words
from sae_surgery import figures
from sae_surgery.errors import SurgeryError
from sae_surgery.figures import matched_sparsity
from sae_surgery.figures.matched_sparsity import SPARSITY, gain_at_equal_sparsity, numbers


def tables():
    """FISTA's score falls by 0.1 with each factor of ten in active atoms, from 1 at 10."""
    made = {name: make_table(name) for name in matched_sparsity.INPUTS}
    path = made["lambda_sensitivity"]
    atoms = 10.0 / path["lam"]
    for table, active, score in (
        (path, atoms, 1 - 0.1 * np.log10(atoms / 10)),
        (made["frozen_decoder"], np.sqrt(1000 * 100), 0.5),
    ):
        table[SPARSITY] = table[SPARSITY] * 0 + active
        table["mcc_ood"] = table["mcc_ood"] * 0 + score
    return made


def test_scores_are_compared_at_the_own_number_of_active_atoms():
    gains = gain_at_equal_sparsity(numbers(tables()), "mcc_ood")
    assert set(gains.index.get_level_values("n_latents")) == {50, 100}
    np.testing.assert_allclose(gains, 1 - 0.15 - 0.5)


def test_where_no_penalty_has_as_many_active_atoms_there_is_no_number():
    made = tables()
    made["frozen_decoder"][SPARSITY] *= 1000
    assert gain_at_equal_sparsity(numbers(made), "mcc_ood").isna().all()


def test_both_drawings_are_made_and_answer_the_question():
    drawings = figures.load("matched_sparsity").draw(tables())
    assert set(drawings) == {"matched_sparsity", "matched_sparsity_all"}
    assert "0.35" in words(drawings["matched_sparsity"])


def test_a_missing_table_is_named():
    with pytest.raises(SurgeryError, match="frozen_decoder"):
        numbers({"lambda_sensitivity": make_table("lambda_sensitivity")})
