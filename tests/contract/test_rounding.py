"""How far rounding carries, on which limits of the comparison rest."""

import pandas as pd
import pytest
from rounding import METHODS, READINGS, RERUNS, differences

from sae_surgery.pages.comparison.rounding import OWN, TABLE
from sae_surgery.problems.paper import Cell


@pytest.mark.parametrize("method", METHODS)
def test_a_last_bit_moves_a_small_training_as_little_as_the_table_says(method, tmp_path):
    found = pd.DataFrame(differences(method, Cell(50, 10, 33, 5000), [0], 1, tmp_path))
    table = pd.read_csv(TABLE)
    assert sorted(table.columns) == sorted(found.columns)
    assert found["reading"].tolist() == list(READINGS)
    own = found.set_index("reading").loc[OWN]
    assert 0 < own["mcc_id"] < 1e-3
    assert 0 < own["mcc_ood"] < 1e-3
    told = table.query("method == @method and n_latents == 50 and reading == @OWN")
    assert told["mcc_id"].max() < 1e-3


def test_the_table_has_every_size_and_as_many_reruns_as_it_is_made_from():
    table = pd.read_csv(TABLE).query("reading == @OWN")
    size = ["method", "n_latents", "n_samples", "seed"]
    counted = table.groupby(size)["rerun"].nunique()
    for name, of_method in RERUNS.items():
        cell = Cell.parse(name)
        for method, reruns in of_method.items():
            found = counted.loc[method, cell.n_latents, cell.n_samples]
            assert found.tolist() == [reruns] * 3, (method, name)
