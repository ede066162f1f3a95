"""Codes of one cell, scored for every seed by the metrics of a protocol."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sae_surgery import metrics
from sae_surgery.files import store
from sae_surgery.files.codes import Codes
from sae_surgery.files.data import CellData
from sae_surgery.machine.progress import Tracker, silent
from sae_surgery.metrics.base import Quantity, Seen, Target
from sae_surgery.metrics.measures.dictionary import DictionaryMetrics, dictionary_metrics

UNDEFINED = "not defined here:"
"""How a reason begins that holds for all values."""
SPLITS = {"id": "val", "ood": "ood"}
"""The splits that are scored, by what tables call them."""
MISSING = "method skipped or diverged, metric not defined for it, or nothing at this place"


class Scored(NamedTuple):
    """Codes to score: those of a method, or of one outcome of a surgery."""

    codes: Codes
    dictionary: Callable[[int], np.ndarray] | None
    """Gives the dictionary (obs, atom) of a seed's codes, by index; None if there is none."""
    bias: Callable[[int], np.ndarray] | None = None
    """Gives what decoding a seed's codes adds to D z (obs,), by index; None if it is not kept."""
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
        self._data, self._protocol = data, protocol
        self._comparisons: dict[tuple[bytes, bytes, str], DictionaryMetrics] = {}

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """All that is scored, by name."""
        return metrics.quantities(self._protocol)

    def why_missing(self, name: str) -> str:
        """Return why a value of a quantity may be missing, for what the problem does not define."""
        reason = self._undefined.get(name)
        return f"{UNDEFINED} it needs {reason}" if reason else MISSING

    @cached_property
    def _undefined(self) -> dict[str, str]:
        """What the problem does not define, whatever the method: by name, what would be needed."""
        known = {name for name in ("labels", "codes") if name in self._data.knows}
        known |= {"truth"} if "dictionary" in self._data.knows else set()
        known |= {"ood"} if self._data.cell.n_ood else set()
        return metrics.undefined(self._protocol, (*known, "atoms", "bias", "other_atoms", "lam"))

    def score(
        self, all_scored: Sequence[Scored], progress: Tracker = silent
    ) -> list[dict[str, np.ndarray]]:
        """Return each metric (seed,) of each of the codes; NaN for seeds without codes.

        `progress` wraps the loop over the codes of a seed.
        """
        seeds = range(len(self._data.seeds))
        found = [self._score_seed(all_scored, seed, progress) for seed in seeds]
        return [
            {name: np.array([scores[name] for scores in each]) for name in self.quantities}
            for each in zip(*found, strict=True)
        ]

    def _score_seed(
        self, all_scored: Sequence[Scored], seed: int, progress: Tracker
    ) -> list[dict[str, float]]:
        """Return each metric of one seed of each of the codes."""
        target = self._target(seed)
        label = f"scoring {self._data.cell.name}, seed {self._data.seeds[seed]}"
        return [self._score(scored, seed, target) for scored in progress(all_scored, label)]

    def _target(self, seed: int) -> Target:
        """Return what the codes of a seed are compared with."""
        data = self._data
        splits = {name: split for name, split in SPLITS.items() if split in data.scored}
        truth = data.dictionary(seed) if "dictionary" in data.knows else None
        codes = _each(splits, data.true_codes, seed) if "codes" in data.knows else {}
        labels = _each(splits, data.labels, seed) if "labels" in data.knows else {}
        if data.keeps_observations:
            observations = _each(splits, data.kept_observations, seed)
        else:
            # Not `observe`: scores have always been of a dense product, to the last bit.
            observations = {name: true @ truth.T for name, true in codes.items()}
        return Target(observations, codes, labels, truth, data.cell.signed)

    def _score(self, scored: Scored, seed: int, target: Target) -> dict[str, float]:
        place = (*scored.place, seed)
        if scored.codes.lacks(*place):
            return dict.fromkeys(self.quantities, np.nan)
        seen = Seen(
            target,
            {name: scored.codes.dense(SPLITS[name], *place) for name in target.observations},
            atoms=None if scored.dictionary is None else scored.dictionary(seed),
            bias=None if scored.bias is None else scored.bias(seed),
            other_atoms=self._other_atoms(scored, seed),
            lam=scored.lam,
            compare=self._compare,
        )
        return metrics.score(self._protocol, seen)

    def _other_atoms(self, scored: Scored, seed: int) -> np.ndarray | None:
        """Return the next seed's dictionary, where all seeds have the same atoms to find."""
        n_seeds = len(self._data.seeds)
        if scored.dictionary is None or n_seeds < 2 or "dictionary" in self._data.knows:
            return None
        return scored.dictionary((seed + 1) % n_seeds)

    def _compare(
        self, dictionary: np.ndarray, truth: np.ndarray, **signs: bool
    ) -> DictionaryMetrics:
        """Compare dictionaries, once for those that outcomes share."""
        key = _digest(dictionary), _digest(truth), repr(signs)
        if key not in self._comparisons:
            self._comparisons[key] = dictionary_metrics(dictionary, truth, **signs)
        return self._comparisons[key]


def _each(
    splits: Mapping[str, str], read: Callable[[str, int], np.ndarray], seed: int
) -> dict[str, np.ndarray]:
    """Read something of one seed in each of the splits."""
    return {name: read(split, seed) for name, split in splits.items()}


def read_decoder(path: Path, codes: Codes, data: CellData) -> dict[str, Callable]:
    """Return what gives the dictionary and the bias of a seed in a model file, by index.

    They are arguments of `Scored`; a model without a dictionary has neither.

    Raises
    ------
    SurgeryError
        If the file is damaged, its model was not fitted on `data`, or did not make the codes.
    """
    model = store.read(path, "model", {"data": data.root})
    codes.require_model(path, model.attrs["method"], model.attrs["digest"])
    if "dictionary" not in model:
        return {"dictionary": None}

    def bias(seed: int) -> np.ndarray:
        nothing = np.zeros(model["dictionary"].shape[1])
        return model["decoder_bias"][seed].values if "decoder_bias" in model else nothing

    return {"dictionary": lambda seed: model["dictionary"][seed].values, "bias": bias}


def _digest(values: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(values)).digest()
