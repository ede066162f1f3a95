"""Claims near their limit: marked where the seeds leave open which way they go."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from sae_surgery.pages.claims import Claim
from sae_surgery.pages.claims.judging import HOLDS, judge
from sae_surgery.pages.claims.pages import as_frame, as_markdown
from sae_surgery.pages.numbers import claim_rows, of_claims

ORACLE = 0.98
METHODS = {"sae_topk": "sae", "fista_oracle": "oracle"}
BELOW = {
    "experiment": "latents",
    "take": {"metric": "mcc_ood", "family": "sae"},
    "below": {"method": "fista_oracle"},
    "by": 0.1,
}


def table_of(scores, oracle=ORACLE):
    """Make a table whose SAE has these scores (seed,) at n = 100."""
    values = np.stack([np.array(scores, float), np.broadcast_to(oracle, len(scores))])[:, None]
    return xr.Dataset(
        {"mcc_ood": (("method", "n_latents", "seed"), values), "obs_dim": ("n_latents", [47])},
        {
            "method": list(METHODS),
            "n_latents": [100],
            "title": ("method", ["SAE (TopK)", "FISTA (oracle)"]),
            "family": ("method", list(METHODS.values())),
        },
    )


def judged(table, check=BELOW):
    (judgement,) = judge([Claim("planted", "A claim.", "nowhere", (check,))], {"latents": table})
    return judgement


def test_a_limit_within_the_interval_over_seeds_is_close():
    scores = [0.84, 0.90, 0.88]
    judgement = judged(table_of(scores))
    (row,) = judgement.comparisons.itertuples()
    interval = stats.t.interval(0.95, 2, loc=0, scale=stats.sem(scores))
    assert judgement.outcome == HOLDS
    assert row.slack == pytest.approx(ORACLE - np.mean(scores) - 0.1)
    assert row.uncertainty == pytest.approx(interval[1])
    assert row.close
    assert len(judgement.close) == 1


@pytest.mark.parametrize("scores", [[0.40, 0.46, 0.44], [0.87, 0.87, 0.87]])
def test_a_limit_outside_is_not(scores):
    judgement = judged(table_of(scores))
    assert judgement.outcome == HOLDS
    assert len(judgement.close) == 0


def test_a_failure_may_be_close_too():
    judgement = judged(table_of([0.84, 0.92, 0.91]))
    assert len(judgement.failures) == len(judgement.close) == 1
    assert judgement.comparisons["slack"].item() < 0


def test_seeds_are_paired():
    """What moves both sides alike leaves nothing open."""
    scores = np.array([0.5, 0.8, 0.6])
    assert judged(table_of(scores, scores + 0.101)).comparisons["uncertainty"].item() < 1e-12
    assert len(judged(table_of(scores, scores[::-1] + 0.101)).close) == 1


@pytest.mark.parametrize(
    ("relation", "limit", "is_close"),
    [("above", 0.59, True), ("above", 0.4, False), ("near", 0.58, True), ("near", 0.6, False)],
)
def test_every_relation_has_a_limit(relation, limit, is_close):
    check = {"experiment": "latents", "take": BELOW["take"], relation: limit}
    check |= {"by": 0.02} if relation == "near" else {}
    scores = [0.595, 0.6, 0.605]
    assert bool(judged(table_of(scores), check).comparisons["close"].item()) == is_close


def test_of_one_seed_nothing_is_said():
    judgement = judged(table_of([0.87]))
    assert np.isnan(judgement.comparisons["uncertainty"].item())
    assert len(judgement.close) == 0
    assert "| yes | 0.010 |  |" in as_markdown([judgement])


def test_page_and_manuscript_name_what_is_close():
    judgement = judged(table_of([0.84, 0.90, 0.88]))
    page = as_markdown([judgement])
    assert "| A claim. | holds | 1 of 1 | 1 |" in page
    assert "| yes | 0.007 ± 0.076 | close |" in page
    frame = as_frame([judgement])
    (row,) = claim_rows(frame)
    assert row["close"] == ["SAE (TopK), n_latents = 100 (0.007 ± 0.076)"]
    assert of_claims(frame, "claims.csv")["claims/planted/close"].text == "1"


@pytest.mark.parametrize("choice", ["last", "best"])
def test_the_step_that_is_taken_is_the_same_for_all_seeds(choice):
    steps = xr.concat([table_of(scores) for scores in ([0.1, 0.9, 0.2], [0.5, 0.6, 0.7])], "lam")
    steps = steps.assign_coords(lam=[1.0, 2.0])
    steps["obs_dim"] = steps["obs_dim"].isel(lam=0, drop=True)
    check = {"experiment": "latents", "take": BELOW["take"] | {"lam": choice}, "above": 0.0}
    (row,) = judged(steps, check).comparisons.itertuples()
    assert row.value == pytest.approx(0.6)
    assert row.uncertainty == pytest.approx(stats.t.ppf(0.975, 2) * stats.sem([0.5, 0.6, 0.7]))
