"""What agreement there can be between published and reproduced numbers, and why.

All of it is one table, whose first rule that fits a number says what to expect of it.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

import pandas as pd

EXACT = "exact"
"""No randomness enters: the same numbers."""
PER_SEED = "per seed"
"""The same random numbers in the same order: the same numbers up to rounding."""
STATISTICAL = "statistical"
"""Other random numbers, or rounding that grows: only means over seeds can agree."""
NONE = "none"
"""Another quantity was published, or one of rounding errors: there is nothing to agree."""
EXPECTATIONS = (EXACT, PER_SEED, STATISTICAL, NONE)

_GPU = "The published random numbers were drawn on a GPU"
_SAME = (
    "The same initial weights and batches as published, up to rounding. How far that carries was "
    "measured, by trainings anew on observations that differ in their last bit, and where that and "
    "what it predicts of further ones is more than the tolerance it is the limit"
)
_PHASES = "phase_transition_parts"


@dataclass(frozen=True)
class Rule:
    """What is expected of the numbers that fit all patterns (as of a shell, with `|` between)."""

    expected: str
    why: str
    source: str = "*"
    method: str = "*"
    condition: str = "*"
    metric: str = "*"
    after_step: float = float("-inf")
    """Only steps beyond this one."""
    above_obs_dim: int = 0
    """Only observations of more dimensions."""

    def fits(self, row: pd.Series) -> bool:
        """Whether the rule is about a number at this place."""
        fields = ("source", "method", "condition", "metric")
        named = all(_matches(row[name], getattr(self, name)) for name in fields)
        late = self.after_step == float("-inf") or row["step"] > self.after_step
        return named and late and row["obs_dim"] > self.above_obs_dim


RULES = (
    Rule(
        EXACT,
        "A property of the true codes, which are equal to the last bit.",
        metric="support_l0_true_*",
    ),
    Rule(
        NONE,
        "Published SAEs of the phase transition have 2 n atoms (their best columns are numbered "
        "beyond n), so that for MCC noise stands in for n further latents; ours have n.",
        source=_PHASES,
        method="sae_*",
    ),
    Rule(
        EXACT,
        "FISTA with the true dictionary, whose codes have the right sign.",
        source=_PHASES,
        method="fista_oracle",
        metric="auc_*",
    ),
    Rule(
        NONE,
        "Published AUC of the phase transition is that of the raw column, below 0.5 where it has "
        "the wrong sign; elsewhere, and here, it is turned.",
        source=_PHASES,
        metric="auc_*",
    ),
    Rule(
        NONE,
        "Least squares on supports larger than the observation: published codes are rounding "
        "errors amplified by normal equations that are singular.",
        source="support_recovery",
        method="sae_relu|sae_jumprelu",
        condition="lstsq",
    ),
    Rule(
        STATISTICAL,
        f"{_GPU}: the random dictionary that learning starts from.",
        source="warmstart_decoder",
        condition="cold",
        method="sae_*",
    ),
    Rule(
        STATISTICAL,
        "The same start as published, but dictionary learning amplifies rounding from round to "
        "round; after 10 rounds it shows.",
        source="warmstart_decoder",
        method="sae_relu|sae_jumprelu",
        after_step=10,
    ),
    Rule(
        STATISTICAL,
        "The error that is left, 1e-5, is that of the last steps of training, and jumps from epoch "
        "to epoch.",
        method="sae_jumprelu",
        metric="val_mse",
    ),
    Rule(
        STATISTICAL,
        f"{_GPU}. Each seed stops when it has converged: published rounds after that are means "
        "over the seeds that went on, ours keep the last record of those that stopped.",
        source="learning_dynamics",
        method="dl_fista",
    ),
    Rule(
        EXACT,
        "FISTA with the true dictionary. The published MCC was summed in single precision, and is "
        "the farther off the more samples there are; the same codes summed so give it.",
        method="fista_oracle",
        metric="mcc_*|auc_*",
    ),
    Rule(EXACT, "Ridge regression.", method="linear_probe", metric="mcc_*|auc_*"),
    Rule(
        STATISTICAL,
        "Of observations with more than a tenth as many dimensions as there are samples, published "
        "principal components are those of a randomised solver, as scikit-learn chooses it there.",
        source=_PHASES,
        method="pca",
        metric="mcc_*",
        above_obs_dim=100,
    ),
    Rule(
        EXACT,
        "The observation, or its principal components.",
        method="raw|pca",
        metric="mcc_*|auc_*",
    ),
    Rule(
        EXACT,
        "Codes are the same, but the probe has no penalty: where classes separate, it has no "
        "optimum, and where it stops depends on the library's version.",
        method="fista_oracle|linear_probe|raw|pca",
    ),
    Rule(
        PER_SEED,
        f"{_SAME}. AUC is that of one column, the best on val: where two are nearly tied, rounding "
        "decides, in the published numbers too.",
        method="sae_relu|sae_jumprelu",
        metric="auc_*",
    ),
    Rule(
        PER_SEED,
        f"{_SAME}. The columns of largest variance enter: where two are nearly tied, rounding "
        "decides.",
        method="sae_relu|sae_jumprelu",
        metric="mcc_ood",
    ),
    Rule(PER_SEED, f"{_SAME}.", method="sae_relu|sae_jumprelu"),
    Rule(
        STATISTICAL,
        "Rounding decides which of nearly tied codes are kept; the authors' own trainings of one "
        "seed (each of their experiments trains anew) differ by 0.03 in MCC.",
        method="sae_topk",
    ),
    Rule(
        STATISTICAL,
        "Greedy choices amplify rounding: the authors' own trainings of one seed (each of their "
        "experiments trains anew) differ by 0.04 to 0.07 in MCC.",
        method="sae_mp",
    ),
    Rule(
        STATISTICAL,
        f"{_GPU}, and the authors' code does not give the published numbers: the released schedule "
        "of its learning rate may not be the one behind them.",
        method="softplus_adam",
    ),
    Rule(STATISTICAL, f"{_GPU}, or training amplifies rounding."),
)
"""From the special to the general; every number fits the last one."""


def expected(facts: pd.DataFrame) -> pd.DataFrame:
    """Say what to expect of published numbers.

    Parameters
    ----------
    facts
        Columns source, method, condition, obs_dim, step and metric.

    Returns
    -------
    pandas.DataFrame
        Columns `expected`, one of `EXPECTATIONS`, and `why`, with the index of `facts`.
    """
    kinds = facts[["source", "method", "condition", "obs_dim", "step", "metric"]]
    distinct = kinds.drop_duplicates()
    rules = [next(rule for rule in RULES if rule.fits(row)) for _, row in distinct.iterrows()]
    distinct = distinct.assign(
        expected=[rule.expected for rule in rules], why=[rule.why for rule in rules]
    )
    return kinds.merge(distinct, how="left").set_index(facts.index)[["expected", "why"]]


def _matches(value: str, patterns: str) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns.split("|"))
