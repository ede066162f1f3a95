"""The plain format: one `.npz` or `.safetensors` with the names of docs/loading.md."""

from pathlib import Path
from typing import ClassVar

from sae_surgery.errors import SurgeryError, did_you_mean
from sae_surgery.loaders import _files
from sae_surgery.loaders._coding import Coding, Inputs
from sae_surgery.loaders.base import SHAPES, Loader, TrainedSae

DECODER = ("dictionary", "decoder_bias")
OWN = (*DECODER, *Coding.names(), *Inputs.names())
PROMISES = {"promised_l0": "l0", "k": "k", "signed_k": "k"}
KINDS = {
    "pursuit_iterations": "matching_pursuit",
    "magnitude_scale": "gated",
    "signed_k": "abstopk",
    "k": "topk",
    "groups": "groupmax",
    "threshold": "jumprelu",
}
"""Architecture by the name that decides it; without any of these, ReLU."""
NEEDS = {
    "magnitude_scale": ("magnitude_bias", "encoder_bias"),
    "magnitude_bias": ("magnitude_scale",),
    "whitening": ("unwhitening", "input_mean"),
}
"""What else must be given with a name."""


class Plain(Loader):
    """Parameters of `TrainedSae`, `Coding` and `Inputs` by their own names."""

    title: ClassVar[str] = "plain"
    looks_like: ClassVar[str] = "one .npz or .safetensors with the tensor dictionary"

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return the file itself."""
        plain = path.suffix in (".npz", ".safetensors") and "dictionary" in _files.names(path)
        return (path,) if plain else ()

    def read(self, path: Path) -> TrainedSae:
        """Read it; what decides the architecture is which names are there."""
        held = _files.tensors(path)
        for name in held:
            if name not in (*OWN, *PROMISES):
                hint = did_you_mean(name, OWN)
                raise SurgeryError(f"{path}: unknown name {name!r}; {hint}see docs/loading.md")
        for name in ("dictionary", *(each for key in NEEDS if key in held for each in NEEDS[key])):
            _files.require(path, held, name)
        kinds = [kind for name, kind in KINDS.items() if name in held]
        if len(kinds) > 1:
            raise SurgeryError(f"{path}: says to be {' and '.join(kinds)}; it can be only one")
        if "pursuit_iterations" not in held:
            _files.require(path, held, "encoder_weight")
        held |= {name: held[name].float() for name in SHAPES if name in held}
        dictionary = held["dictionary"]
        promised = {said: float(held[name]) for name, said in PROMISES.items() if name in held}
        return TrainedSae(
            format="plain",
            architecture=kinds[0] if kinds else "relu",
            source=str(path),
            dictionary=dictionary,
            decoder_bias=held.get("decoder_bias", dictionary.new_zeros(len(dictionary))),
            coding=Coding.of(held),
            inputs=Inputs.of(held),
            promised=promised,
            notes=("Read by the names of the plain format, as they stand.",),
        )
