"""Accuracy of logistic probes, on samples that they were not fitted on, with ceiling and base."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from sae_surgery.metrics.base import Metric, Quantity, Seen, Target, each_split
from sae_surgery.metrics.measures.bootstrap import groups, interval
from sae_surgery.metrics.measures.ends import ends_of, with_ends
from sae_surgery.metrics.measures.probe import fit_probe
from sae_surgery.metrics.measures.splits import first_half, second_half

LABELLED_LATENT = 0


class Probes(Metric):
    """Accuracy of probes fitted on the first half of the samples in distribution.

    Beside what the probe on all columns reaches stands the answer that is right most often.
    """

    protocols = ("strict",)
    needs = ("labels", "ood")
    gives: ClassVar = {
        **ends_of(
            each_split(
                {
                    "acc": Quantity(
                        "Accuracy",
                        "accuracy of a logistic probe on samples it was not fitted on",
                        "higher",
                        axis="chance",
                        quoted=True,
                    )
                }
            )
        ),
        **each_split(
            {
                "acc_base": Quantity(
                    "Accuracy of one answer",
                    "accuracy of always giving the answer that is most frequent on id",
                    axis="chance",
                )
            }
        ),
        "acc_n_iter": Quantity("Iterations of the probe", "iterations of the logistic probe's fit"),
    }

    def score(self, seen: Seen) -> dict[str, float]:
        """Fit on one half, judge on the other and out of distribution."""
        right, n_iter = probed(seen.codes, seen.target)
        found = {"acc_n_iter": float(n_iter), **seen.target.once(_base)}
        for split, each in right.items():
            if each is None:
                continue
            parts = [each[part] for part in groups(len(each))]
            sums = np.array([[part.sum(), len(part)] for part in parts], np.float64)
            ends = interval(sums, lambda resampled: resampled[:, 0] / resampled[:, 1])
            found |= with_ends(f"acc_{split}", float(each.mean()), ends)
        return found


def probed(
    codes: Mapping[str, np.ndarray], target: Target
) -> tuple[dict[str, np.ndarray | None], int]:
    """Return, by split, which samples a probe gets right, and the iterations of its fit.

    They are None if the labels that it is to be fitted on are all the same.
    """
    labels = target.labels
    predict, n_iter = fit_probe(first_half(codes["id"]), first_half(labels["id"]))
    if predict is None:
        return dict.fromkeys(labels), n_iter
    right = {
        "id": predict(second_half(codes["id"])) == second_half(labels["id"]),
        "ood": predict(codes["ood"]) == labels["ood"],
    }
    return right, n_iter


def mean_right(right: np.ndarray | None) -> float:
    """Return the share of samples (sample,) that are right; NaN without a probe."""
    return np.nan if right is None else float(right.mean())


def _base(target: Target) -> dict[str, float]:
    """Return the accuracy, by name, of the answer that is most frequent on the first half."""
    most = np.mean(first_half(target.labels["id"])) > 0.5
    return {
        "acc_base_id": float(np.mean(second_half(target.labels["id"]) == most)),
        "acc_base_ood": float(np.mean(target.labels["ood"] == most)),
    }
