"""The published protocol: every metric by name, and what is missing is said to be missing."""

import subprocess
import sys

import numpy as np
import pytest

from panels import seen
from sae_surgery import metrics
from sae_surgery.metrics.measures.auc import best_column_auc
from sae_surgery.metrics.measures.dictionary import dictionary_metrics
from sae_surgery.metrics.measures.mcc import mcc_id, mcc_ood
from sae_surgery.metrics.measures.probe import accuracy
from sae_surgery.metrics.measures.support import support_metrics

SIX = {"mcc_id", "mcc_ood", "acc_id", "acc_ood", "auc_id", "auc_ood"}
QUANTITIES = metrics.quantities("paper")
ORDER = np.array([1, 2, 3, 4, 5, 0])


@pytest.fixture
def splits() -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    parts = []
    for n_samples in (60, 50):
        true = rng.uniform(size=(n_samples, 6)) * (rng.uniform(size=(n_samples, 6)) < 0.6)
        codes = true[:, ORDER] + 0.3 * rng.normal(size=true.shape)
        codes *= rng.uniform(size=true.shape) < 0.7
        parts += [true, codes, true[:, 0] > 0.5]
    return tuple(parts)


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(4, 6))


def paper_panel(*splits, **further):
    return metrics.score("paper", seen(*splits, **further))


def test_without_a_dictionary_the_six_are_numbers_and_the_rest_is_missing(splits):
    panel = paper_panel(*splits)
    assert set(panel) == set(QUANTITIES)
    assert {name for name, value in panel.items() if np.isfinite(value)} == SIX | {"acc_n_iter"}


def test_each_of_the_six_is_what_its_own_module_says(splits):
    true_id, codes_id, labels_id, true_ood, codes_ood, labels_ood = splits
    true_ood[:, 3] = 0
    labelled = codes_id, labels_id, codes_ood, labels_ood
    panel = paper_panel(*splits)
    assert (panel["mcc_id"], panel["mcc_ood"]) == (
        mcc_id(true_id, codes_id),
        mcc_ood(true_ood, codes_ood),
    )
    assert (panel["acc_id"], panel["acc_ood"], panel["acc_n_iter"]) == accuracy(*labelled)
    assert (panel["auc_id"], panel["auc_ood"]) == best_column_auc(*labelled)
    assert len({panel[name] for name in SIX}) == 6


def test_with_a_dictionary_everything_is_a_plain_number(splits, truth):
    panel = paper_panel(*splits, dictionary=truth[:, ORDER], truth=truth)
    assert set(panel) == set(QUANTITIES)
    assert all(type(value) is float and np.isfinite(value) for value in panel.values())


def test_support_is_judged_under_the_dictionary_matching(splits, truth):
    dictionary = truth[:, ORDER]
    panel = paper_panel(*splits, dictionary=dictionary, truth=truth)
    closeness = dictionary_metrics(dictionary, truth)
    true_ood, codes_ood = splits[3:5]
    support = support_metrics(true_ood, codes_ood, closeness.rows, closeness.columns)
    assert panel["support_f1_ood"] == support.f1 != panel["support_f1_id"]
    assert panel["dictionary_mean_cosine"] == pytest.approx(1)


def test_every_description_has_a_text_of_its_own_and_units():
    texts = [quantity.long_name for quantity in QUANTITIES.values()]
    assert len(set(texts)) == len(texts)
    assert {quantity.units for quantity in QUANTITIES.values()} == {"1", "rad"}


def test_without_the_truth_all_that_compares_a_dictionary_with_it_is_missing(splits):
    panel = paper_panel(*splits, dictionary=np.eye(6)[:, ORDER])
    missing = {name for name, value in panel.items() if np.isnan(value)}
    assert missing == {name for name in panel if name.startswith(("dictionary_", "support_"))}


def test_a_dictionary_needs_the_width_of_the_codes(splits, truth):
    with pytest.raises(ValueError, match="each of the 6 code columns, got 5"):
        paper_panel(*splits, dictionary=truth[:, :5], truth=truth)


def test_importing_the_metrics_is_cheap():
    heavy = "{'torch', 'sklearn', 'scipy'}"
    load = "import sys; from sae_surgery import metrics; metrics.quantities('paper')"
    check = f"{load}; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_the_comparison_of_dictionaries_can_be_handed_in(splits, truth):
    dictionary, closeness = truth[:, ORDER], dictionary_metrics(truth, truth)
    panel = paper_panel(
        *splits, dictionary=dictionary, truth=truth, compare=lambda *pair: closeness
    )
    true_id, codes_id = splits[:2]
    support = support_metrics(true_id, codes_id, closeness.rows, closeness.columns)
    assert panel["support_f1_id"] == support.f1
    assert panel != paper_panel(*splits, dictionary=dictionary, truth=truth)
