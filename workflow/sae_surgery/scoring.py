"""Codes of one cell, scored for every seed by the metrics of a protocol."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sae_surgery import store
from sae_surgery.codes import Codes
from sae_surgery.data import CellData
from sae_surgery.metrics import panel, strict
from sae_surgery.metrics.dictionary import DictionaryMetrics, dictionary_metrics


class Protocol(NamedTuple):
    """How one seed of one method is scored."""

    descriptions: Mapping[str, tuple[str, str]]
    """Long name and units of every metric."""
    panel: Callable[..., dict[str, float]]
    prepare: Callable[..., dict[str, Any]]
    """Returns further arguments of the panel, which depend on the truth alone."""


PROTOCOLS = {
    "paper": Protocol(panel.DESCRIPTIONS, panel.paper_panel, lambda **_: {}),
    "strict": Protocol(strict.DESCRIPTIONS, strict.strict_panel, strict.prepare),
}
MISSING = "method skipped or diverged, metric not defined for it, or nothing at this place"


class Scorer:
    """Scores codes against the data of one cell, which is read once."""

    def __init__(self, data: CellData, protocol: str) -> None:
        self._protocol = PROTOCOLS[protocol]
        self._truth = data.dictionary()
        self._comparisons: dict[tuple[bytes, bytes, str], DictionaryMetrics] = {}
        self._targets = [self._target(data, seed) for seed in range(len(data.seeds))]

    @property
    def descriptions(self) -> Mapping[str, tuple[str, str]]:
        """Long name and units of every metric."""
        return self._protocol.descriptions

    def _target(self, data: CellData, seed: int) -> dict[str, Any]:
        """Return what the codes of a seed are compared with, as arguments of the panel."""
        target = {
            "true_id": data.true_codes("val", seed),
            "labels_id": data.labels("val", seed),
            "true_ood": data.true_codes("ood", seed),
            "labels_ood": data.labels("ood", seed),
        }
        return target | self._protocol.prepare(**target, truth=self._truth[seed])

    def score(
        self,
        codes: Codes,
        dictionary: Callable[[int], np.ndarray] | None,
        *place: int,
        lam: float | None = None,
    ) -> dict[str, np.ndarray]:
        """Return each metric (seed,); NaN for seeds without codes.

        Parameters
        ----------
        codes
            The codes; at `place`, the index before the seed's, if they have several outcomes.
        dictionary
            Gives the dictionary (obs, atom) of a seed's codes, by index; None if there is none.
        lam
            λ of the lasso that the codes are to solve, for protocols that measure whether they do.
        """
        certified = {"lam": lam} if "largest_gap" in self.descriptions else {}
        nothing = dict.fromkeys(self.descriptions, np.nan)
        seeds = [
            nothing
            if codes.lacks(*place, seed)
            else self._protocol.panel(
                codes_id=codes.dense("val", *place, seed),
                codes_ood=codes.dense("ood", *place, seed),
                dictionary=None if dictionary is None else dictionary(seed),
                truth=self._truth[seed],
                compare=self._compare,
                **targets,
                **certified,
            )
            for seed, targets in enumerate(self._targets)
        ]
        return {name: np.array([scores[name] for scores in seeds]) for name in self.descriptions}

    def _compare(
        self, dictionary: np.ndarray, truth: np.ndarray, **signs: bool
    ) -> DictionaryMetrics:
        """Compare dictionaries, once for those that outcomes share."""
        key = _digest(dictionary), _digest(truth), repr(signs)
        if key not in self._comparisons:
            self._comparisons[key] = dictionary_metrics(dictionary, truth, **signs)
        return self._comparisons[key]


def read_dictionary(path: Path, codes: Codes, data: CellData) -> Callable[[int], np.ndarray] | None:
    """Return what gives the dictionary (obs, atom) of a seed in a model file, None if it has none.

    Raises
    ------
    SurgeryError
        If the file is damaged, its model was not fitted on `data`, or did not make the codes.
    """
    model = store.read(path, "model", {"data": data.root})
    codes.require_model(path, model.attrs["method"], model.attrs["digest"])
    return model["dictionary"].values.__getitem__ if "dictionary" in model else None


def _digest(values: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(values)).digest()
