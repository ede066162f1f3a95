"""Codes of one cell, scored for every seed by the metrics of a protocol."""

import hashlib
from collections.abc import Callable

import numpy as np

from sae_surgery.codes import Codes
from sae_surgery.data import CellData
from sae_surgery.metrics.dictionary import DictionaryMetrics, dictionary_metrics
from sae_surgery.metrics.panel import DESCRIPTIONS, paper_panel

PROTOCOLS = {"paper": paper_panel}
MISSING = "method skipped, metric not defined for it, or nothing at this place"


class Scorer:
    """Scores codes against the data of one cell, which is read once."""

    def __init__(self, data: CellData, protocol: str) -> None:
        self._panel = PROTOCOLS[protocol]
        self._truth = data.dictionary()
        self._comparisons: dict[tuple[bytes, bytes], DictionaryMetrics] = {}
        self._targets = [
            {
                "true_id": data.true_codes("val", seed),
                "labels_id": data.labels("val", seed),
                "true_ood": data.true_codes("ood", seed),
                "labels_ood": data.labels("ood", seed),
            }
            for seed in range(len(data.seeds))
        ]

    def score(
        self,
        codes: Codes,
        dictionary: Callable[[int], np.ndarray] | None,
        *place: int,
    ) -> dict[str, np.ndarray]:
        """Return each metric (seed,).

        Parameters
        ----------
        codes
            The codes; at `place`, the index before the seed's, if they have several outcomes.
        dictionary
            Gives the dictionary (obs, atom) of a seed's codes, by index; None if there is none.
        """
        seeds = [
            self._panel(
                codes_id=codes.dense("val", *place, seed),
                codes_ood=codes.dense("ood", *place, seed),
                dictionary=None if dictionary is None else dictionary(seed),
                truth=self._truth[seed],
                compare=self._compare,
                **targets,
            )
            for seed, targets in enumerate(self._targets)
        ]
        return {name: np.array([scores[name] for scores in seeds]) for name in DESCRIPTIONS}

    def _compare(self, dictionary: np.ndarray, truth: np.ndarray) -> DictionaryMetrics:
        """Do what `dictionary_metrics` does, once for dictionaries that outcomes share."""
        key = _digest(dictionary), _digest(truth)
        if key not in self._comparisons:
            self._comparisons[key] = dictionary_metrics(dictionary, truth)
        return self._comparisons[key]


def _digest(values: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(values)).digest()
