"""The published experiments as their authors coded them, told by the paper's protocol.

Own code: dense products with DᵀD, a singular value decomposition for the step size, one metric and
one feature at a time.
"""

import math

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor


def fista(
    observations: Tensor, dictionary: Tensor, lam: float, n_iter: int, start: Tensor | None = None
) -> Tensor:
    """Return non-negative codes (sample, atom) of (sample, obs) after `n_iter` iterations."""
    step = 1 / torch.linalg.matrix_norm(dictionary, ord=2) ** 2
    gram = dictionary.T @ dictionary
    target = observations @ dictionary
    codes = torch.zeros_like(target) if start is None else start.clone()
    point, t = codes.clone(), 1.0
    for _ in range(n_iter):
        moved = point - step * (point @ gram - target)
        shrunk = torch.sign(moved) * torch.clamp(moved.abs() - lam * step, min=0)
        new = torch.clamp(shrunk, min=0)
        t_new = (1 + math.sqrt(1 + 4 * t**2)) / 2
        point = new + (t - 1) / t_new * (new - codes)
        codes, t = new, t_new
    return codes


def learn_dictionary(
    observations: Tensor, ood: Tensor, dictionary: Tensor, lam: float, n_iter: int, n_rounds: int
) -> Tensor:
    """Return the dictionary (obs, atom) after rounds that carry the OOD codes along."""
    codes = codes_ood = None
    identity = torch.eye(dictionary.shape[1])
    for _ in range(n_rounds):
        codes = fista(observations, dictionary, lam, n_iter, codes)
        codes_ood = fista(ood, dictionary, lam, n_iter, codes_ood)
        gram = codes.T @ codes + 1e-6 * identity
        dictionary = torch.linalg.solve(gram, codes.T @ observations).T
        dictionary = dictionary / dictionary.norm(dim=0, keepdim=True).clamp(min=1e-8)
    return dictionary


def evaluate(
    true_id: np.ndarray,
    codes_id: np.ndarray,
    labels_id: np.ndarray,
    true_ood: np.ndarray,
    codes_ood: np.ndarray,
    labels_ood: np.ndarray,
) -> dict[str, float]:
    """Return MCC, accuracy and AUC, in and out of distribution."""
    true_id, true_ood = (true[:, true.var(axis=0) > 1e-8] for true in (true_id, true_ood))
    widest = np.argsort(-codes_ood.var(axis=0))[: true_ood.shape[1]]
    probe = LogisticRegression(C=np.inf, solver="lbfgs", max_iter=1000).fit(codes_id, labels_id)
    auc_id = [_auc(column, labels_id) for column in codes_id.T]
    best = int(np.argmax(auc_id))
    return {
        "mcc_id": _mcc(true_id, codes_id),
        "mcc_ood": _mcc(true_ood, codes_ood[:, widest]),
        "acc_id": probe.score(codes_id, labels_id),
        "acc_ood": probe.score(codes_ood, labels_ood),
        "auc_id": auc_id[best],
        "auc_ood": _auc(codes_ood[:, best], labels_ood),
    }


def _auc(column: np.ndarray, labels: np.ndarray) -> float:
    if column.std() < 1e-10:
        return 0.5
    auc = roc_auc_score(labels, column)
    return max(auc, 1 - auc)


def _mcc(true: np.ndarray, codes: np.ndarray) -> float:
    width = max(true.shape[1], codes.shape[1])
    left, right = _unit(_fill(true, width)), _unit(_fill(codes, width))
    similarity = np.abs(left.T @ right)
    return similarity[linear_sum_assignment(-similarity)].mean()


def _fill(columns: np.ndarray, width: int) -> np.ndarray:
    missing = width - columns.shape[1]
    noise = np.random.RandomState(42).normal(0, 1, (len(columns), missing))
    return np.concatenate([columns.astype(np.float64), noise], axis=1)


def _unit(columns: np.ndarray) -> np.ndarray:
    centred = columns - columns.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    return np.where(norms < 1e-8, 0, centred / np.maximum(norms, 1e-8))
