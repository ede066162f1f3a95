"""Accuracy of a linear probe on the codes: whether the label can be read off, here and OOD."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

MAX_ITERATIONS = 1000


class Probe(NamedTuple):
    """How well a probe that was fitted in distribution does."""

    acc_id: float
    """Share of correct labels among the samples that it was fitted on."""
    acc_ood: float
    """Share of correct labels out of distribution."""
    n_iter: int
    """L-BFGS iterations taken; `MAX_ITERATIONS` means that it was stopped before convergence."""


def accuracy(
    codes_id: np.ndarray, labels_id: np.ndarray, codes_ood: np.ndarray, labels_ood: np.ndarray
) -> Probe:
    """Fit unpenalised logistic regression on the ID codes and score it on ID and on OOD.

    With a single class among the ID labels there is nothing to fit: accuracies are NaN then, after
    0 iterations.

    Parameters
    ----------
    codes_id, codes_ood
        Codes (sample, atom); computed in their own precision.
    labels_id, labels_ood
        Binary labels (sample,).

    Raises
    ------
    ValueError
        If codes are not finite, or codes and labels differ in length (from scikit-learn).
    """
    predict, n_iter = fit_probe(codes_id, labels_id)
    if predict is None:
        return Probe(np.nan, np.nan, n_iter)
    acc_id, acc_ood = (
        np.mean(predict(codes) == labels)
        for codes, labels in ((codes_id, labels_id), (codes_ood, labels_ood))
    )
    return Probe(float(acc_id), float(acc_ood), n_iter)


def fit_probe(
    codes: np.ndarray, labels: np.ndarray
) -> tuple[Callable[[np.ndarray], np.ndarray] | None, int]:
    """Fit unpenalised logistic regression on codes (sample, atom) and labels (sample,).

    Returns
    -------
    What predicts the labels of other codes, and the number of iterations taken; None and 0 if
    labels are not of two classes.

    Raises
    ------
    ValueError
        If codes are not finite, or codes and labels differ in length (from scikit-learn).
    """
    if len(np.unique(labels)) < 2:
        return None, 0

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    probe = LogisticRegression(C=np.inf, max_iter=MAX_ITERATIONS)
    with warnings.catch_warnings():
        # The protocol stops after so many iterations, converged or not; `n_iter` tells which.
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(codes, labels)
    return probe.predict, int(probe.n_iter_[0])
