"""The verdict: its parts add up, and find the fault that was put in."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from sae_surgery.errors import SurgeryError
from sae_surgery.pages import verdict

SIZES = [50, 100]
METHODS = {"sae_topk": ("SAE (TopK)", "sae"), "sae_mp": ("SAE (MP)", "sae")}
REFERENCES = {
    "fista_oracle": ("FISTA (oracle)", "oracle"),
    "random_dictionary": ("Random dictionary", "chance"),
}
ORACLE, CHANCE = 0.98, 0.3


def make_tables(own, nnls, frozen, renormed, spread=0.0, methods=METHODS):
    """Make both tables: scores of all SAEs, that differ by `spread` from seed to seed."""
    return {
        "frozen_decoder": make_table(
            {"own": own, "frozen": frozen, "renormed": renormed, "refined": frozen},
            spread,
            methods,
        ),
        "support_recovery": make_table({"own": own, "nnls": nnls}, spread, methods),
    }


def make_table(scores, spread, methods):
    named = methods | REFERENCES
    dims = ("method", "condition", "n_latents", "seed")
    values = np.zeros((len(named), len(scores), len(SIZES), 3))
    values += np.reshape(list(scores.values()), (-1, 1, 1)) + spread * np.array([-1, 0, 1])
    values[-2], values[-1] = ORACLE, CHANCE
    return xr.Dataset(
        {"mcc_ood": (dims, values), "mcc_id": (dims, values / 2)},
        {
            "method": list(named),
            "condition": list(scores),
            "n_latents": SIZES,
            "seed": [0, 1, 2],
            "title": ("method", [title for title, _ in named.values()]),
            "family": ("method", [family for _, family in named.values()]),
        },
    )


def shares(tables):
    """Return the mean shares at n = 100 of the first SAE, out of distribution."""
    found = verdict.decompose(tables)["share"].sel(n_latents=100, metric="mcc_ood")
    return found.isel(method=0).mean("seed").to_series().round(6).to_dict()


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.floats(0, 0.1))
@settings(max_examples=30, deadline=None)
def test_the_parts_of_every_seed_add_up(scores, spread):
    found = verdict.decompose(make_tables(*scores, spread=spread))
    by_whole = found["gain"].groupby("of").sum()
    np.testing.assert_allclose(by_whole.sel(of="distance"), found["distance"], atol=1e-15)
    np.testing.assert_allclose(
        by_whole.sel(of="encoder"), found["gain"].sel(part="encoder", drop=True), atol=1e-15
    )
    np.testing.assert_allclose(found["distance"], found["oracle"] - found["own"])


@pytest.mark.parametrize(
    ("scores", "fault"),
    [
        # A perfect dictionary, an encoder that picks wrong atoms: no values on them help.
        ({"own": 0.4, "nnls": 0.4, "frozen": ORACLE, "renormed": ORACLE}, {"encoder", "support"}),
        # The right atoms with wrong values.
        (
            {"own": 0.4, "nnls": ORACLE, "frozen": ORACLE, "renormed": ORACLE},
            {"encoder", "magnitudes"},
        ),
        # A rotated dictionary that the encoder reads as well as FISTA does.
        ({"own": 0.4, "nnls": 0.4, "frozen": 0.4, "renormed": 0.4}, {"directions"}),
        # The right directions with wrong lengths.
        ({"own": 0.4, "nnls": 0.4, "frozen": 0.4, "renormed": ORACLE}, {"norms"}),
    ],
)
def test_a_planted_fault_gets_all_of_the_distance(scores, fault):
    assert shares(make_tables(**scores)) == {
        part: 100.0 if part in fault else 0.0 for part in verdict.PARTS
    }


def test_methods_are_the_patients_and_references_lie_beside_each():
    found = verdict.decompose(make_tables(0.4, 0.5, 0.6, 0.7))
    assert found["method"].values.tolist() == list(METHODS)
    assert found["gain"].dims == ("method", "n_latents", "metric", "part", "seed")
    assert (found["oracle"].sel(metric="mcc_ood") == ORACLE).all()
    assert (found["chance"].sel(metric="mcc_id") == CHANCE / 2).all()
    assert all("long_name" in found[name].attrs for name in found.variables)


def test_shares_are_of_each_seed():
    tables = make_tables(0.4, 0.5, 0.6, 0.7)
    tables["frozen_decoder"]["mcc_ood"].loc[
        {"method": "sae_topk", "condition": "own", "n_latents": 100}
    ] = [0.4, 0.0, 0.9]
    share = verdict.decompose(tables)["share"].sel(n_latents=100, metric="mcc_ood", part="encoder")
    expected = [100 * 0.2 / 0.58, 100 * 0.6 / 0.98, 100 * -0.3 / 0.08]
    np.testing.assert_allclose(share.isel(method=0), expected)


def test_without_a_distance_there_is_nothing_to_divide():
    found = verdict.decompose(make_tables(0.97, 0.97, 0.975, 0.975))
    assert found["share"].sel(metric="mcc_ood").isnull().all()
    assert found["gain"].notnull().all()
    page = verdict.as_markdown(found)
    assert (
        "- **n = 50, SAE (MP)**: less than 0.02 below the oracle (0.01 ± 0.00): nothing to divide."
        in page
    )


def test_a_method_beyond_the_oracle_has_no_shares():
    page = verdict.as_markdown(verdict.decompose(make_tables(1.0, 1.0, 1.0, 1.0)))
    assert "less than 0.02 below the oracle (−0.02 ± 0.00): nothing to divide." in page


@pytest.mark.filterwarnings("error")
def test_a_missing_cell_is_no_result_and_leaves_the_others():
    tables = make_tables(0.4, 0.5, 0.6, 0.7)
    tables["frozen_decoder"]["mcc_ood"].loc[{"method": "sae_mp", "n_latents": 50}] = np.nan
    found = verdict.decompose(tables)
    missing = found["gain"].sel({"method": "sae_mp", "n_latents": 50, "metric": "mcc_ood"})
    assert missing.isnull().all()
    assert int(found["gain"].isnull().sum()) == missing.size
    page = verdict.as_markdown(found)
    assert "- **n = 50, SAE (MP)**: no result." in page
    assert "| 50 | SAE (MP) | 0.30 ± 0.00 | no result | no result |" in page
    assert "nan" not in page
    frame = verdict.as_frame(found)
    assert (frame["n_seeds"] == 0).sum() == len(verdict.PARTS)


def test_what_was_not_refitted_costs_only_the_halves_of_the_encoder():
    tables = make_tables(0.4, 0.5, 0.6, 0.7)
    tables["support_recovery"] = tables["support_recovery"].isel({"method": [1, 2, 3]})
    found = verdict.decompose(tables)["gain"].sel({"method": "sae_topk"})
    assert found.sel(part=["magnitudes", "support"]).isnull().all()
    assert found.sel(part=["encoder", "norms", "directions"]).notnull().all()


def test_a_seed_that_failed_is_left_out_of_the_means():
    tables = make_tables(0.4, 0.5, 0.6, 0.7)
    tables["frozen_decoder"]["mcc_ood"].loc[{"condition": "frozen", "seed": 2}] = np.nan
    frame = verdict.as_frame(verdict.decompose(tables))
    encoder = frame.query("part == 'encoder' and metric == 'mcc_ood' and n_latents == 50")
    assert encoder["n_seeds"].tolist() == [2, 2]
    np.testing.assert_allclose(encoder["gain"], 0.2)


def with_own(tables, values, condition="own"):
    """Put scores of the seeds in place of those of TopK at n = 100, out of distribution."""
    place = {"method": "sae_topk", "condition": condition, "n_latents": 100}
    tables["frozen_decoder"]["mcc_ood"].loc[place] = values
    return tables


def row_of(tables, part="encoder"):
    """Return the row of TopK at n = 100, out of distribution."""
    frame = verdict.as_frame(verdict.decompose(tables))
    (row,) = frame[
        (frame["method"] == "sae_topk")
        & (frame["n_latents"] == 100)
        & (frame["metric"] == "mcc_ood")
        & (frame["part"] == part)
    ].itertuples()
    return row


@pytest.mark.parametrize(
    "own",
    [
        [0.5, 0.97, 0.98],  # two seeds too near to the oracle to divide
        [0.4, 0.6, 0.985],  # one beyond it
        [0.2, 1.0, 0.9],
    ],
)
def test_gain_and_share_are_of_the_same_seeds(own):
    tables = with_own(make_tables(0.4, 0.5, 0.6, 0.7), own)
    row = row_of(tables)
    assert row.n_seeds == 3
    assert row.gain == pytest.approx(0.6 - np.mean(own))
    assert row.distance == pytest.approx(ORACLE - np.mean(own))
    assert row.share == pytest.approx(100 * row.gain / row.distance)
    assert np.sign(row.share) == np.sign(row.gain)
    parts = [row_of(tables, part).share for part in ("encoder", "norms", "directions")]
    assert sum(parts) == pytest.approx(100)


def test_a_share_has_the_spread_of_a_ratio_of_means():
    own = np.array([0.5, 0.9, 0.97])
    row = row_of(with_own(make_tables(0.4, 0.5, 0.6, 0.7), own))
    gain, distance = 0.6 - own, ORACLE - own
    departures = gain - gain.mean() / distance.mean() * distance
    assert row.share_sd == pytest.approx(100 * departures.std() / distance.mean())
    assert row.share_sd > 50


def test_the_seeds_left_out_are_named_and_left_out_of_everything():
    tables = with_own(make_tables(0.4, 0.5, 0.6, 0.7, 0.1), np.nan, "renormed")
    tables = with_own(tables, [0.7, np.nan, 0.7], "renormed")
    for part in ("encoder", "norms", "directions"):
        row = row_of(tables, part)
        assert row.n_seeds == 2
        assert row.own == pytest.approx(0.4)
        assert row.distance == pytest.approx(row.oracle - row.own)
    gains = [row_of(tables, part).gain for part in ("encoder", "norms", "directions")]
    assert sum(gains) == pytest.approx(row.distance)
    page = verdict.as_markdown(verdict.decompose(tables))
    line = "- n = 100, SAE (TopK): without seed 1, of which not every exchange has a result."
    assert page.count(line) == 1
    whole = verdict.as_markdown(verdict.decompose(make_tables(0.4, 0.5, 0.6, 0.7)))
    assert "without seed" not in whole


def test_seeds_that_were_not_refitted_are_named():
    tables = make_tables(0.4, 0.5, 0.6, 0.7)
    place = {"method": "sae_topk", "condition": "nnls", "n_latents": 50, "seed": [0, 2]}
    tables["support_recovery"]["mcc_ood"].loc[place] = np.nan
    page = verdict.as_markdown(verdict.decompose(tables))
    assert "- n = 50, SAE (TopK): magnitudes and support without seeds 0, 2: no NNLS." in page


def test_the_sentence_names_the_fault_its_share_and_what_the_encoder_is_worth():
    page = verdict.as_markdown(verdict.decompose(make_tables(0.48, 0.58, 0.88, 0.88, 0.01)))
    assert (
        "- **n = 100, SAE (TopK)**: 0.50 ± 0.01 below the oracle. 80 % of that is due to its "
        "encoder: FISTA reads the same dictionary better (magnitudes 20 %, support 60 %). "
        "Exchanging the encoder helps (0.40 ± 0.00)." in page
    )


def test_a_share_above_the_whole_is_said_to_be_all():
    page = verdict.as_markdown(verdict.decompose(make_tables(0.5, 0.3, 0.4, 0.4)))
    assert "All of that (121 %) is due to the directions of its atoms" in page
    assert "Exchanging the encoder harms (−0.10 ± 0.00)." in page


def test_a_gain_within_the_seeds_spread_is_said_to_be_none():
    tables = make_tables(0.4, 0.4, 0.41, 0.41)
    tables["frozen_decoder"]["mcc_ood"].loc[{"condition": "frozen", "method": "sae_mp"}] = [
        0.3,
        0.42,
        0.5,
    ]
    page = verdict.as_markdown(verdict.decompose(tables))
    assert "no difference beyond the seeds' (0.01 ± 0.08)" in page


def test_the_page_has_a_row_for_each_method_and_size_and_a_table_for_each_metric():
    page = verdict.as_markdown(verdict.decompose(make_tables(0.4, 0.5, 0.6, 0.7, 0.02)))
    for name in verdict.METRICS.values():
        assert f"## {name}\n" in page
    rows = [line for line in page.splitlines() if line.startswith(("| 50 |", "| 100 |"))]
    assert len(rows) == len(METHODS) * len(SIZES) * len(verdict.METRICS)
    assert rows[0] == (
        "| 50 | SAE (TopK) | 0.30 ± 0.00 | 0.40 ± 0.02 | 0.20 ± 0.00 (34 ± 1 %) "
        "| 0.10 ± 0.00 (17 ± 0 %) | 0.10 ± 0.00 (17 ± 0 %) | 0.10 ± 0.00 (17 ± 0 %) "
        "| 0.28 ± 0.02 (48 ± 1 %) | 0.98 ± 0.00 |"
    )
    assert page.count("- **n = ") == len(METHODS) * len(SIZES)


def test_the_frame_is_tidy_and_survives_a_file(tmp_path):
    frame = verdict.as_frame(verdict.decompose(make_tables(0.4, 0.5, 0.6, 0.7)))
    key = ["method", "n_latents", "metric", "part"]
    assert len(frame) == len(frame[key].drop_duplicates()) == 2 * 2 * 2 * 5
    frame.to_csv(tmp_path / "verdict.csv", index=False)
    read = pd.read_csv(tmp_path / "verdict.csv")
    outer = read[(read["of"] == "distance") & (read["metric"] == "mcc_ood")]
    np.testing.assert_allclose(outer.groupby(["method", "n_latents"])["gain"].sum(), ORACLE - 0.4)


def test_families_may_be_plain_variables_as_in_a_file():
    tables = make_tables(0.4, 0.5, 0.6, 0.7)
    bare = {name: table.reset_coords(["title", "family"]) for name, table in tables.items()}
    xr.testing.assert_identical(verdict.decompose(bare), verdict.decompose(tables))


@pytest.mark.parametrize(
    ("table", "condition"), [("frozen_decoder", "renormed"), ("support_recovery", "nnls")]
)
def test_a_lacking_condition_is_named(table, condition):
    tables = make_tables(0.4, 0.5, 0.6, 0.7)
    tables[table] = tables[table].drop_sel(condition=condition)
    with pytest.raises(SurgeryError, match=f"no condition '{condition}'"):
        verdict.decompose(tables)


def test_a_lacking_table_or_variable_is_named():
    tables = make_tables(0.4, 0.5, 0.6, 0.7)
    with pytest.raises(SurgeryError, match="needs the table 'support_recovery'"):
        verdict.decompose({"frozen_decoder": tables["frozen_decoder"]})
    tables["frozen_decoder"] = tables["frozen_decoder"].drop_vars("mcc_id")
    with pytest.raises(SurgeryError, match="no variable mcc_id"):
        verdict.decompose(tables)
