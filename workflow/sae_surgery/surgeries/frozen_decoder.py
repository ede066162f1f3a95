"""The patient's decoder as a fixed dictionary under FISTA."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from sae_surgery.inference.columns import column_norms, unit_columns
from sae_surgery.inference.solver import (
    GAP_DIAGNOSTICS,
    LassoSettings,
    gap_diagnostics,
    infer,
)
from sae_surgery.metrics.measures.dictionary import dictionary_metrics
from sae_surgery.surgeries.base import Outcome, Patient, Surgery


class FrozenDecoder(Surgery):
    """FISTA on the patient's decoder: as it is, with unit columns, and with the true norms.

    Conditions (protocol, section 3): `own`, the patient's codes; `frozen`, FISTA from zero;
    `renormed`, likewise with unit columns; `oracle_norms`, each column scaled to the norm of its
    partner in A if A is known, columns without one zero; `refined`, FISTA from the patient's codes.
    Codes are non-negative but where the problem is `signed`.
    """

    title = "Frozen decoder"
    question = "Is the decoder a bad dictionary, or is the encoder at fault?"
    conditions = ("own", "frozen", "renormed", "oracle_norms", "refined")
    outcomes = 5
    codes_held = 12
    sparse = True
    diagnostics: ClassVar[Mapping[str, str]] = GAP_DIAGNOSTICS
    Settings: ClassVar[type] = LassoSettings
    strict: ClassVar[Mapping[str, Any]] = {"solver": "exact"}

    def operate(self, patient: Patient) -> Iterator[Outcome]:
        """Yield the conditions in the order above."""
        dictionary = patient.dictionary
        yield Outcome("own", patient.codes)
        yield self._infer("frozen", patient, dictionary)
        exchanged = {"renormed": unit_columns(dictionary)}
        if patient.truth is not None:
            exchanged["oracle_norms"] = with_true_norms(dictionary, patient.truth)
        for condition, changed in exchanged.items():
            outcome = self._infer(condition, patient, changed)
            yield replace(outcome, dictionary=changed)
        # FISTA clamps the start's negative entries in its first iteration, not before.
        yield self._infer("refined", patient, dictionary, patient.codes)

    def _infer(
        self,
        condition: str,
        patient: Patient,
        dictionary: Tensor,
        start: Mapping[str, Tensor] | None = None,
    ) -> Outcome:
        inferred = {
            split: infer(
                values,
                dictionary,
                self.settings,
                start[split] if start else None,
                patient.non_negative,
            )
            for split, values in patient.centred().items()
        }
        codes = {split: part.codes for split, part in inferred.items()}
        diagnostics = gap_diagnostics(inferred, self.settings.tolerance)
        return Outcome(condition, codes, diagnostics=diagnostics)


def with_true_norms(dictionary: Tensor, truth: Tensor) -> Tensor:
    """Return D (seed, obs, atom) with each column as long as its partner in A (seed, obs, latent).

    Partners are matched one to one on |cosine|; columns that find none become zero.
    """
    scaled = torch.zeros_like(dictionary)
    directions, true_norms = unit_columns(dictionary), column_norms(truth)
    for seed, (atoms, latents) in enumerate(zip(dictionary, truth, strict=True)):
        matched = dictionary_metrics(atoms.cpu().numpy(), latents.cpu().numpy())
        columns = torch.as_tensor(matched.columns, device=dictionary.device)
        rows = torch.as_tensor(matched.rows, device=dictionary.device)
        scaled[seed][:, columns] = directions[seed][:, columns] * true_norms[seed][:, rows]
    return scaled
