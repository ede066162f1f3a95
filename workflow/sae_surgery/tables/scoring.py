"""Codes of one cell, scored for every seed by the metrics of a protocol."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sae_surgery.files import store
from sae_surgery.files.codes import Codes
from sae_surgery.files.data import CellData
from sae_surgery.machine.progress import Tracker, silent
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


class Scored(NamedTuple):
    """Codes to score: those of a method, or of one outcome of a surgery."""

    codes: Codes
    dictionary: Callable[[int], np.ndarray] | None
    """Gives the dictionary (obs, atom) of a seed's codes, by index; None if there is none."""
    place: tuple[int, ...] = ()
    """The index before the seed's, if the codes have several outcomes."""
    lam: float | None = None
    """λ of the lasso that the codes are to solve, for protocols that measure whether they do."""


class Scorer:
    """Scores codes against the data of one cell.

    What is dense lies in memory for one seed at a time: the true codes, made once a seed, and the
    codes that are compared with them.
    """

    def __init__(self, data: CellData, protocol: str) -> None:
        self._data, self._protocol = data, PROTOCOLS[protocol]
        self._comparisons: dict[tuple[bytes, bytes, str], DictionaryMetrics] = {}

    @property
    def descriptions(self) -> Mapping[str, tuple[str, str]]:
        """Long name and units of every metric."""
        return self._protocol.descriptions

    def score(
        self, all_scored: Sequence[Scored], progress: Tracker = silent
    ) -> list[dict[str, np.ndarray]]:
        """Return each metric (seed,) of each of the codes; NaN for seeds without codes.

        `progress` wraps the loop over the codes of a seed.
        """
        seeds = range(len(self._data.seeds))
        found = [self._score_seed(all_scored, seed, progress) for seed in seeds]
        return [
            {name: np.array([scores[name] for scores in each]) for name in self.descriptions}
            for each in zip(*found, strict=True)
        ]

    def _score_seed(
        self, all_scored: Sequence[Scored], seed: int, progress: Tracker
    ) -> list[dict[str, float]]:
        """Return each metric of one seed of each of the codes."""
        target = self._target(seed)
        label = f"scoring {self._data.cell.name}, seed {self._data.seeds[seed]}"
        return [self._panel(scored, seed, target) for scored in progress(all_scored, label)]

    def _target(self, seed: int) -> dict[str, Any]:
        """Return what the codes of a seed are compared with, as arguments of the panel."""
        data, truth = self._data, self._data.dictionary(seed)
        target = {
            "true_id": data.true_codes("val", seed),
            "labels_id": data.labels("val", seed),
            "true_ood": data.true_codes("ood", seed),
            "labels_ood": data.labels("ood", seed),
            "truth": truth,
        }
        return target | self._protocol.prepare(**target)

    def _panel(self, scored: Scored, seed: int, target: Mapping[str, Any]) -> dict[str, float]:
        if scored.codes.lacks(*scored.place, seed):
            return dict.fromkeys(self.descriptions, np.nan)
        certified = {"lam": scored.lam} if "largest_gap" in self.descriptions else {}
        return self._protocol.panel(
            codes_id=scored.codes.dense("val", *scored.place, seed),
            codes_ood=scored.codes.dense("ood", *scored.place, seed),
            dictionary=None if scored.dictionary is None else scored.dictionary(seed),
            compare=self._compare,
            **target,
            **certified,
        )

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
    if "dictionary" not in model:
        return None
    return lambda seed: model["dictionary"][seed].values


def _digest(values: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(values)).digest()
