"""OpenAI's `sparse_autoencoder`: one `.pt` with the state of an `Autoencoder`.

Written after its published code (github.com/openai/sparse_autoencoder, `model.py`); the releases
themselves are not at hand.
"""

from pathlib import Path
from typing import Any, ClassVar

from sae_surgery.errors import SurgeryError
from sae_surgery.loaders import _files
from sae_surgery.loaders._coding import Coding, Inputs
from sae_surgery.loaders.base import Loader, TrainedSae

LAYER_NORM_EPSILON = 1e-5
AFTER = {"ReLU": None, "Identity": 1}
"""What follows top k, or stands alone: whether codes keep negative values."""


class OpenAi(Loader):
    """relu(E (x − pre_bias) + latent_bias), or its top k, for which inputs are normalised."""

    title: ClassVar[str] = "OpenAI"
    looks_like: ClassVar[str] = "one .pt with pre_bias, latent_bias and encoder.weight"

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return the file."""
        if path.suffix not in (".pt", ".pth"):
            return ()
        own = {"pre_bias", "latent_bias", "encoder.weight"} <= set(_files.names(path))
        return (path,) if own else ()

    def read(self, path: Path) -> TrainedSae:
        """Read a file."""
        state = _files.contents(path)
        held = _files.tensors(path)
        encoder, bias, pre_bias = _files.require(
            path, held, "encoder.weight", "latent_bias", "pre_bias"
        )
        tied = "decoder.weight" not in held
        if tied and "decoder.linear.weight" not in held:
            raise SurgeryError(f"{path}: decoder.weight is missing")
        dictionary = encoder.T.contiguous() if tied else held["decoder.weight"]
        activation = state.get("activation", "ReLU")
        rule, notes = _rule(path, activation, state)
        top_k = activation == "TopK"
        if top_k:
            notes.append("Activations are normalised to mean 0 and deviation 1, each sample.")
        return TrainedSae(
            format="openai",
            architecture=activation,
            source=str(path),
            dictionary=dictionary,
            decoder_bias=pre_bias,
            coding=Coding(encoder, bias, pre_bias, **rule),
            inputs=Inputs(layer_norm_epsilon=LAYER_NORM_EPSILON) if top_k else Inputs(),
            promised={"k": float(rule["k"])} if top_k else {},
            notes=tuple(notes),
        )


def _rule(path: Path, activation: str, state: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what `Coding` needs to know of the activation function."""
    last, rule = activation, {}
    if activation == "TopK":
        last = state.get("activation_state_dict.postact_fn", "ReLU")
        rule["k"] = _files.number(path, state, "activation_state_dict.k")
    if last not in AFTER:
        raise SurgeryError(
            f"{path}: its activation {activation!r} with {last!r} is unknown; known are ReLU, "
            "Identity, and TopK with either"
        )
    rule["keeps_negative"] = AFTER[last]
    return rule, ["pre_bias is taken off the input."]
