"""dictionary_learning: `ae.pt` and `config.json`.

Read from the code of the package dictionary-learning 0.1.0
(github.com/saprmarks/dictionary_learning): `dictionary.py`, `trainers/top_k.py`, `batch_top_k.py`,
`matryoshka_batch_top_k.py` for the encoders, `utils.load_dictionary` for how they are loaded.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from sae_surgery.errors import SurgeryError
from sae_surgery.loaders import _files
from sae_surgery.loaders._coding import Coding
from sae_surgery.loaders.base import Loader, TrainedSae

WEIGHTS, CONFIGURATION = "ae.pt", "config.json"
STEPS = "ae_*.pt"
"""Checkpoints, which lie in a folder of their own beside the configuration."""
COMPILED = "_orig_mod."

Parts = tuple[Tensor, Tensor, Coding]
"""Dictionary (obs, atom), decoder bias (obs,), and coding."""


class DictionaryLearning(Loader):
    """Folders that `trainSAE` writes."""

    title: ClassVar[str] = "dictionary_learning"
    looks_like: ClassVar[str] = f"a folder with {WEIGHTS} and {CONFIGURATION}"

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return weights and configuration; `path` is the folder, or a checkpoint."""
        if path.is_file() and path.match(STEPS):
            above = path.parent.parent / CONFIGURATION
            return (path, above) if above.is_file() else ()
        return _files.beside(path, WEIGHTS, CONFIGURATION)

    def read(self, path: Path) -> TrainedSae:
        """Read a folder or a checkpoint."""
        found = self.files(path)
        weights = found[0]
        settings = found[1] if len(found) > 1 else weights.parent / CONFIGURATION
        trainer = _files.configuration(settings).get("trainer")
        if not isinstance(trainer, dict) or "dict_class" not in trainer:
            raise SurgeryError(f"{settings}: trainer.dict_class, the class of the SAE, is missing")
        name = trainer["dict_class"]
        if name not in CLASSES:
            raise SurgeryError(
                f"{settings}: its class {name!r} is unknown; known are {', '.join(CLASSES)}"
            )
        held, notes = _state(weights, trainer)
        dictionary, decoder_bias, coding = CLASSES[name](weights, held, trainer, notes)
        subtracted = "not " if coding.input_bias is None else ""
        notes.insert(0, f"The decoder's bias is {subtracted}taken off the input.")
        return TrainedSae(
            format="dictionary_learning",
            architecture=name,
            source=str(weights),
            dictionary=dictionary,
            decoder_bias=decoder_bias,
            coding=coding,
            promised=_promised(name, trainer, held),
            notes=tuple(notes),
        )


def _state(path: Path, trainer: Mapping[str, Any]) -> tuple[dict[str, Tensor], list[str]]:
    """Return the tensors; a backup in the middle of training holds them under the key `ae`.

    Training on activations divided by a factor multiplies biases and thresholds with it where it
    saves an SAE, but not in a backup.
    """
    # What was compiled in training has names with a prefix.
    held = {name.replace(COMPILED, "", 1): tensor for name, tensor in _files.tensors(path).items()}
    inner = {name[3:]: tensor for name, tensor in held.items() if name.startswith("ae.")}
    if not inner:
        return held, []
    factor = trainer.get("norm_factor")
    if factor is None:
        raise SurgeryError(
            f"{path}: a backup from the middle of training, whose biases may still be in units of "
            "normalised activations; set trainer.norm_factor in its configuration, 1 if "
            "activations were not normalised"
        )
    return (
        {name: _rescaled(name, tensor, float(factor)) for name, tensor in inner.items()},
        [f"A backup from the middle of training: biases were multiplied with {factor:g}."],
    )


def _rescaled(name: str, tensor: Tensor, factor: float) -> Tensor:
    """Do what `scale_biases` does."""
    if name == "threshold":
        return torch.where(tensor >= 0, tensor * factor, tensor)
    return tensor * factor if "bias" in name or name in ("b_enc", "b_dec") else tensor


def _relu(path: Path, held: dict[str, Tensor], trainer: Any, notes: list[str]) -> Parts:
    """AutoEncoder: relu(E (x − b)); its loader makes atoms unit vectors and codes longer."""
    encoder, bias, decoder, decoder_bias = _files.require(
        path, held, "encoder.weight", "encoder.bias", "decoder.weight", "bias"
    )
    norms = decoder.norm(dim=0)
    if not torch.allclose(norms, torch.ones_like(norms)):
        notes.append("Norms of atoms were moved into the codes, as the library does on loading.")
        decoder, encoder, bias = decoder / norms, encoder * norms[:, None], bias * norms
    return decoder, decoder_bias, Coding(encoder, bias, decoder_bias)


def _relu_new(path: Path, held: dict[str, Tensor], trainer: Any, notes: list[str]) -> Parts:
    """AutoEncoderNew: relu(E x)."""
    encoder, bias, decoder, decoder_bias = _files.require(
        path, held, "encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias"
    )
    return decoder, decoder_bias, Coding(encoder, bias)


def _gated(path: Path, held: dict[str, Tensor], trainer: Any, notes: list[str]) -> Parts:
    encoder, decoder, decoder_bias, gate, magnitude, scale = _files.require(
        path,
        held,
        "encoder.weight",
        "decoder.weight",
        "decoder_bias",
        "gate_bias",
        "mag_bias",
        "r_mag",
    )
    coding = Coding(encoder, gate, decoder_bias, magnitude_scale=scale, magnitude_bias=magnitude)
    return decoder, decoder_bias, coding


def _jump_relu(path: Path, held: dict[str, Tensor], trainer: Any, notes: list[str]) -> Parts:
    encoder, bias, decoder, decoder_bias, threshold = _files.require(
        path, held, "W_enc", "b_enc", "W_dec", "b_dec", "threshold"
    )
    return decoder.T, decoder_bias, Coding(encoder.T, bias, threshold=threshold)


def _top_k(path: Path, held: dict[str, Tensor], trainer: Any, notes: list[str]) -> Parts:
    """AutoEncoderTopK: the k largest; its threshold is used on demand only."""
    encoder, bias, decoder, decoder_bias = _files.require(
        path, held, "encoder.weight", "encoder.bias", "decoder.weight", "b_dec"
    )
    return decoder, decoder_bias, Coding(encoder, bias, decoder_bias, k=_k(path, held, trainer))


def _batch_top_k(path: Path, held: dict[str, Tensor], trainer: Any, notes: list[str]) -> Parts:
    encoder, bias, decoder, decoder_bias = _files.require(
        path, held, "encoder.weight", "encoder.bias", "decoder.weight", "b_dec"
    )
    threshold = _threshold(path, held, len(bias), notes)
    return decoder, decoder_bias, Coding(encoder, bias, decoder_bias, threshold=threshold)


def _matryoshka(path: Path, held: dict[str, Tensor], trainer: Any, notes: list[str]) -> Parts:
    encoder, bias, decoder, decoder_bias = _files.require(
        path, held, "W_enc", "b_enc", "W_dec", "b_dec"
    )
    threshold = _threshold(path, held, len(bias), notes)
    notes.append("All of its groups of atoms are active.")
    return decoder.T, decoder_bias, Coding(encoder.T, bias, decoder_bias, threshold=threshold)


CLASSES: Mapping[str, Callable[[Path, dict[str, Tensor], Any, list[str]], Parts]] = {
    "AutoEncoder": _relu,
    "AutoEncoderNew": _relu_new,
    "GatedAutoEncoder": _gated,
    "JumpReluAutoEncoder": _jump_relu,
    "AutoEncoderTopK": _top_k,
    "BatchTopKSAE": _batch_top_k,
    "MatryoshkaBatchTopKSAE": _matryoshka,
}


def _k(path: Path, held: Mapping[str, Tensor], trainer: Mapping[str, Any]) -> int:
    saved, configured = held.get("k"), trainer.get("k")
    if saved is None and configured is None:
        raise SurgeryError(f"{path}: k is neither in it nor in trainer.k of its configuration")
    if saved is not None and configured is not None and int(saved) != configured:
        raise SurgeryError(
            f"{path}: k is {int(saved)}, but {configured} in its configuration; one is of "
            "another SAE"
        )
    return int(configured if saved is None else saved)


def _threshold(path: Path, held: dict[str, Tensor], n_atoms: int, notes: list[str]) -> Tensor:
    (threshold,) = _files.require(path, held, "threshold")
    if threshold < 0:
        notes.append("Its threshold was never set (−1): it encodes as ReLU, as the library does.")
    return threshold.reshape(()).repeat(n_atoms)


def _promised(
    name: str, trainer: Mapping[str, Any], held: Mapping[str, Tensor]
) -> dict[str, float]:
    k = held.get("k", trainer.get("k"))
    if k is not None and name == "AutoEncoderTopK":
        return {"k": float(k)}
    if k is not None:
        return {"mean_k": float(k)}
    return {}
