"""How far rounding carries, on which limits of the comparison rest."""

import pandas as pd
import pytest
from rounding import METHODS, differences

from sae_surgery.comparison.rounding import TABLE
from sae_surgery.problem import Cell


@pytest.mark.parametrize("method", METHODS)
def test_a_last_bit_moves_a_small_training_as_little_as_the_table_says(method, tmp_path):
    (found,) = differences(method, Cell(50, 10, 33, 5000), [0], tmp_path)
    table = pd.read_csv(TABLE)
    assert list(table.columns) == list(found)
    assert 0 < found["mcc_id"] < 1e-3
    assert 0 < found["mcc_ood"] < 1e-3
    told = table[(table["method"] == method) & (table["n_latents"] == 50)]
    assert told["mcc_id"].max() < 1e-3
