"""Numbers that the manuscript may quote: what they are, and which file each is from."""

import hashlib
import json
import os

import numpy as np
import pytest

from figure_tables import LEVELS
from paper_run import full_table, make_run, write_table
from sae_surgery.errors import SurgeryError
from sae_surgery.steps.numbers import numbers

NO_PAGES = {"claims_path": None, "verdict_path": None, "comparison_path": None}
CONDITION = "frozen_decoder/mcc_ood/{}/frozen/n_latents=100"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return what the step writes for a made-up run of all experiments."""
    path = make_run(tmp_path_factory.mktemp("numbers") / "run")
    return path.parent, json.loads(path.read_bytes())


def test_a_number_is_the_mean_over_seeds(written):
    _, document = written
    table = full_table("frozen_decoder").sel(condition="frozen", n_latents=100)
    expected = float(table["mcc_ood"].sel({"method": "sae_topk"}).mean())
    number = document["numbers"][CONDITION.format("sae_topk")]
    assert number["value"] == pytest.approx(expected)
    assert number["text"] == f"{expected:.3f}"
    assert number["source"] == "tables/frozen_decoder.nc"


def test_groups_are_over_the_saes(written):
    _, document = written
    saes = [name for name, (_, family, _) in LEVELS.items() if family == "sae"]
    values = [document["numbers"][CONDITION.format(name)]["value"] for name in saes]
    found = {
        group: document["numbers"][CONDITION.format(f"sae:{group}")]["value"]
        for group in ("least", "median", "most")
    }
    expected = {"least": min(values), "median": np.median(values), "most": max(values)}
    assert found == pytest.approx(expected)


def test_steps_skip_what_is_not_known(tmp_path):
    table = full_table("warm_start_decoder")
    table["mcc_ood"].loc[{"condition": "cold", "n_rounds": 0}] = np.nan
    table["mcc_ood"].loc[{"condition": "cold", "n_rounds": 1}] = 0.25
    table["mcc_ood"].loc[{"condition": "cold", "n_rounds": 10}] = 0.875
    path = write_table(tmp_path, table, "warm_start_decoder")
    numbers([path], **NO_PAGES, output=tmp_path / "numbers.json")
    found = json.loads((tmp_path / "numbers.json").read_bytes())["numbers"]
    key = "warm_start_decoder/mcc_ood/sae_mp/cold/n_latents=50/n_rounds="
    assert found[f"{key}first"]["text"] == "0.250"
    assert found[f"{key}best"]["text"] == "0.875"


def test_what_has_no_result_says_so(tmp_path):
    table = full_table("latents")
    table["mcc_id"].loc[{"method": "pca", "n_latents": 50}] = np.nan
    path = write_table(tmp_path, table, "latents")
    numbers([path], **NO_PAGES, output=tmp_path / "numbers.json")
    number = json.loads((tmp_path / "numbers.json").read_bytes())["numbers"]
    assert number["latents/mcc_id/pca/n_latents=50"]["text"] == "no result"
    assert number["latents/mcc_id/pca/n_latents=50"]["value"] is None


def test_every_source_is_there_with_its_digest(written):
    folder, document = written
    assert {number["source"] for number in document["numbers"].values()} <= {*document["sources"]}
    for name, digest in document["sources"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_pages_are_counted(written):
    _, document = written
    texts = {key: number["text"] for key, number in document["numbers"].items()}
    assert texts["comparison/all/compared"] == "3"
    assert texts["comparison/all/missing"] == "1"
    assert texts["comparison/latents/differs"] == "1"
    assert texts["comparison/all/largest_mcc"] == "0.2500"
    outcomes = ("holds", "holds in part", "does not hold", "cannot be told")
    assert sum(int(texts[f"claims/{each}"]) for each in outcomes) == int(texts["claims/all"])
    parts = ("encoder", "norms", "directions")
    largest = [int(texts[f"verdict/mcc_ood/largest/{part}"]) for part in parts]
    assert sum(largest) == int(texts["verdict/mcc_ood/all"])


def test_what_differs_most_comes_first(written):
    _, document = written
    assert [row["reproduced"] for row in document["differing"]] == ["0.900", "0.750"]
    assert document["differing"][1]["place"] == "n_latents = 50, k = 10, n_samples = 5000"


def test_a_truncated_table_is_named(tmp_path):
    path = write_table(tmp_path, full_table("latents"), "latents")
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(SurgeryError, match=r"latents\.nc: not a readable result file, truncated"):
        numbers([path], **NO_PAGES, output=tmp_path / "numbers.json")
    assert not (tmp_path / "numbers.json").exists()


def test_a_page_without_a_column_is_named(tmp_path):
    path = write_table(tmp_path, full_table("latents"), "latents")
    (tmp_path / "claims.csv").write_text("claim,statement\nmine,Mine.\n", encoding="utf-8")
    pages = NO_PAGES | {"claims_path": tmp_path / "claims.csv"}
    with pytest.raises(SurgeryError, match=r"claims\.csv: lacks the column close, exp"):
        numbers([path], **pages, output=tmp_path / "numbers.json")


def test_tables_of_two_runs_are_refused(tmp_path):
    ours = write_table(tmp_path, full_table("latents"), "latents")
    theirs = write_table(tmp_path, full_table("samples"), "samples", run="other")
    with pytest.raises(SurgeryError, match="of several runs: made_up, other"):
        numbers([ours, theirs], **NO_PAGES, output=tmp_path / "numbers.json")


def test_a_file_elsewhere_is_refused(tmp_path):
    path = write_table(tmp_path / "elsewhere", full_table("latents"), "latents")
    (tmp_path / "here").mkdir()
    with pytest.raises(SurgeryError, match=r"latents\.nc: is not below .*here, the folder of"):
        numbers([path], **NO_PAGES, output=tmp_path / "here" / "numbers.json")
