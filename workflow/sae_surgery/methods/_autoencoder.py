"""What the methods of the SAE family share: the model is the autoencoder's parameters."""

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from sae_surgery.learning.autoencoder import (
    Autoencoder,
    AutoencoderParameters,
    train_autoencoder,
)
from sae_surgery.methods._recording import Records, recorded_times
from sae_surgery.methods.base import Fitted, Lesson, Method, Model, Parameter
from sae_surgery.problems.base import Problem

PARAMETERS: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "encoder_weight": ("encoder_weight", ("atom", "obs"), "encoder W_e"),
    "encoder_bias": ("encoder_bias", ("atom",), "encoder bias b_e"),
    "decoder": ("dictionary", ("obs", "atom"), "decoder W_d, the learned dictionary"),
    "decoder_bias": ("decoder_bias", ("obs",), "decoder bias b_d"),
    "log_threshold": ("log_threshold", ("atom",), "logarithm of the threshold θ"),
}
"""Field of `AutoencoderParameters` → name, dimensions and long name in the model."""


class AutoencoderMethod(Method):
    """An autoencoder of width n, trained on train; a subclass says of which type.

    Codes have the signs of its activation, whatever those of the problem: with ReLU, TopK and
    JumpReLU they are non-negative, and where latents are `signed` it takes two atoms to stand for
    one. Matching pursuit has signed codes on every problem.
    """

    family = "sae"
    learns_from = ("train",)

    @abstractmethod
    def autoencoder(self, k: int) -> Autoencoder:
        """Return the autoencoder of this method's type and settings, for `k` active latents."""

    def fit(self, lesson: Lesson) -> Fitted:
        """Train all seeds' autoencoders in the same steps."""
        return Fitted(self._train(lesson))

    def with_dictionary(self, model: Model, dictionary: Tensor, lesson: Lesson) -> Model:
        """Train autoencoders whose decoder is the dictionary."""
        return self._train(lesson, dictionary)

    def _train(self, lesson: Lesson, decoder: Tensor | None = None) -> Model:
        """Train and record how, or train on a decoder that is given, which stays as it is."""
        cell = lesson.cell
        autoencoder = self.autoencoder(cell.k)
        times = recorded_times(cell, self.settings.epochs, self.settings.record_every)
        records = Records(len(times))

        def record(epoch: int, parameters: AutoencoderParameters) -> None:
            if epoch in times and decoder is None:
                at = torch.full((len(lesson.seeds),), epoch, device=lesson.device)
                learned = {
                    PARAMETERS[field][0]: getattr(parameters, field) for field in autoencoder.learns
                }
                records.write(times.index(epoch), at, learned)

        parameters, history = train_autoencoder(
            autoencoder,
            lesson.observations["train"],
            cell.n_latents,
            lesson.seeds,
            lesson.track,
            record,
            lesson.checkpoint.keeping(records),
            decoder,
            lesson.divergence,
        )
        model = Model()
        for field, (name, dims, long_name) in PARAMETERS.items():
            if (values := getattr(parameters, field)) is not None:
                model[name] = Parameter(values, dims, long_name)
        records.add_to(model)
        for field, values in history._asdict().items():
            model[f"train_{field}"] = Parameter(
                values, ("epoch",), f"{field} of training, by epoch"
            )
        return model

    def encode(self, model: Model, observations: Tensor, cell: Problem) -> Tensor:
        """Run the encoder."""
        parameters = AutoencoderParameters(
            **{
                field: model.tensor(name)
                for field, (name, _, _) in PARAMETERS.items()
                if name in model
            }
        )
        return self.autoencoder(cell.k).encode(parameters, observations)
