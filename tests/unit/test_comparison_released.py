"""The authors' released files: read as they are, and what is wrong with them is named."""

import json

import pytest

from published_tables import released_rows
from sae_surgery.errors import SurgeryError
from sae_surgery.pages import published
from sae_surgery.pages.comparison.findings import hold_against
from sae_surgery.pages.comparison.released import read_released

FILE = "exp_vary_latents.json"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "phase_transition_parts").mkdir()
    return tmp_path


def write(folder, rows, name=FILE):
    (folder / name).write_text(json.dumps(rows), encoding="utf-8")


def told(folder, name=FILE):
    return [what for file, what in read_released(folder).findings if file == name]


def name_of(row):
    return f"{row['method']} at n{row['num_latents']}_k10_m{row['input_dim']}_s5000"


def test_numbers_come_back_in_our_words(folder):
    write(folder, released_rows())
    numbers = read_released(folder).numbers
    means = numbers.groupby(["method", "n_latents", "metric"])["value"].mean()
    facts = published.facts("latents").set_index(["method", "n_latents", "metric"])["mean"]
    assert (means - facts.reindex(means.index)).abs().max() < 1e-12
    assert len(numbers) == 2 * 8 * 6 * 3


def test_whole_files_that_agree_give_no_finding(folder):
    write(folder, released_rows())
    released = read_released(folder)
    assert told(folder) == []
    assert list(hold_against(published.facts("latents"), released.numbers)) == []


def test_files_that_are_not_there_are_named(folder):
    write(folder, released_rows())
    assert told(folder, "exp_vary_sparsity.json") == ["there is no such file"]


def test_a_doubled_row_is_named_and_not_used(folder):
    rows = released_rows()
    write(folder, [*rows, rows[4]])
    (finding,) = told(folder)
    assert finding.startswith(f"{name_of(rows[4])}, seed {rows[4]['seed']}: 2 rows instead of one")
    assert len(read_released(folder).numbers) == (len(rows) - 1) * 6


def test_a_row_that_two_files_have_is_doubled(folder):
    rows = released_rows()
    write(folder, rows)
    write(folder, rows[4:5], "exp_vary_latents_10k.json")
    found = read_released(folder).findings
    (finding,) = [what for file, what in found if file == f"{FILE} and exp_vary_latents_10k.json"]
    assert finding.startswith(name_of(rows[4]))


def test_a_missing_row_is_named(folder):
    rows = released_rows()
    gone = rows.pop(4)
    write(folder, rows)
    assert told(folder) == [f"{name_of(gone)}: seed {gone['seed']} is missing"]


def test_a_method_that_is_not_there_at_all_is_named(folder):
    write(folder, [row for row in released_rows() if row["method"] != "dl_fista"])
    found = hold_against(published.facts("latents"), read_released(folder).numbers)
    assert [what for _, what in found] == [
        "n100_k10_m47_s5000: 6 published numbers of dl_fista have no row",
        "n50_k10_m33_s5000: 6 published numbers of dl_fista have no row",
    ]


def test_another_mean_than_the_published_is_named(folder):
    rows = released_rows()
    rows[0]["mcc_ood"] += 0.01
    write(folder, rows)
    ((source, what),) = hold_against(published.facts("latents"), read_released(folder).numbers)
    assert source == "vary_latents"
    assert rows[0]["method"] in what
    assert "mcc_ood" in what


def test_missing_steps_of_a_seed_are_named(folder):
    rows = [
        {"mcc_iid": 0.5, "method": "warm_relu", "num_latents": 50, "k": 10, "input_dim": 33}
        | {"n_samples": 5000, "seed": seed, "n_iter": step}
        for seed in range(3)
        for step in (0, 1, 5)
        if (seed, step) != (2, 5)
    ]
    name = "exp_warmstart_encoder_n50.json"
    write(folder, rows, name)
    assert told(folder, name) == ["warm_relu at n50_k10_m33_s5000, step 5: seed 2 is missing"]


def phase_row(method, m, seed=0, **others):
    return {"mcc_iid": 0.5, "method": method, "n": 50, "k": 3, "m": m, "seed": seed, **others}


def test_spliced_grids_are_named(folder):
    old = [phase_row("fista_sup", m, seed) for m in (7, 13, 19) for seed in range(3)]
    new = [phase_row("linear_probe", m, seed) for m in (5, 9, 13) for seed in range(3)]
    write(folder, old + new, "exp_phase_transition.json")
    (finding,) = told(folder, "exp_phase_transition.json")
    assert "two grids are spliced" in finding
    # m = 13 is on both.
    assert "2 cells of fista_sup" in finding.partition("log2")[0]
    assert "linear_probe" in finding.partition("log2")[2]


def test_codes_wider_than_the_latents_are_named(folder):
    rows = [phase_row("sae_relu", 5, seed, best_dim=60 + seed) for seed in range(3)]
    name = "phase_transition_parts/phase_transition_0000.json"
    write(folder, rows, name)
    (finding,) = told(folder, name)
    assert "column 62" in finding
    assert "n = 50" in finding


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not readable as JSON"),
        ('{"a": 1}', "must be a list of objects"),
        ("[1]", "must be a list of objects"),
        ('[{"method": "raw"}]', "row 0 .*lacks any metric.*method"),
        ('[{"mcc_iid": 1, "method": "raw"}]', "row 0 .*lacks 'seed'"),
        ('[{"mcc_iid": 1, "seed": 0, "k": 1}]', "lacks 'sae_type' or 'method'"),
        ('[{"mcc_iid": 1, "seed": 0, "method": "sae_gated"}]', "'sae_gated' is unknown"),
        ('[{"mcc_iid": 1, "seed": 0, "method": "raw", "k": 1}]', "lacks 'num_latents' or 'n'"),
        ('[{"mcc_iid": 1, "seed": 0, "method": "raw", "n": "x", "k": 1}]', "row 0 .*'x'"),
    ],
)
def test_an_unknown_layout_is_an_error_that_says_where(folder, text, words):
    (folder / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(SurgeryError, match=words) as caught:
        read_released(folder)
    assert FILE in str(caught.value)


def test_a_folder_without_any_of_the_files_is_an_error(folder):
    with pytest.raises(SurgeryError, match=r"none of the released files.*exp_vary_latents\.json"):
        read_released(folder)
    with pytest.raises(SurgeryError, match="no such folder"):
        read_released(folder / "nowhere")
