"""sparsify: `cfg.json` and `sae.safetensors` in a folder for each hookpoint.

Read from the code of the package eai-sparsify 1.3.3 (github.com/EleutherAI/sparsify):
`sparse_coder.py`, `fused_encoder.py`, `config.py`.
"""

from pathlib import Path
from typing import Any, ClassVar

from sae_surgery.errors import SurgeryError
from sae_surgery.loaders import _files
from sae_surgery.loaders._coding import Coding
from sae_surgery.loaders.base import Loader, TrainedSae

WEIGHTS, CONFIGURATION = "sae.safetensors", "cfg.json"
RULES = {"topk": "k", "groupmax": "groups"}
"""Activation → name in `Coding` of the number k."""


class Sparsify(Loader):
    """Folders that `SparseCoder.save_to_disk` writes: relu(E (x − b_dec)), of which k are kept."""

    title: ClassVar[str] = "sparsify"
    looks_like: ClassVar[str] = f"a folder with {WEIGHTS} and {CONFIGURATION}"

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return weights and configuration."""
        return _files.beside(path, WEIGHTS, CONFIGURATION)

    def read(self, path: Path) -> TrainedSae:
        """Read a folder."""
        folder = path if path.is_dir() else path.parent
        weights, settings = folder / WEIGHTS, folder / CONFIGURATION
        config = _files.configuration(settings)
        held = _files.tensors(weights)
        if config.get("transcode") or config.get("skip_connection") or "W_skip" in held:
            raise SurgeryError(
                f"{settings}: a transcoder or an SAE with a skip connection, which is no "
                "dictionary of its input; give one with transcode and skip_connection false"
            )
        activation = config.get("activation", "topk")
        if activation not in RULES:
            raise SurgeryError(
                f"{settings}: its activation {activation!r} is unknown; known are "
                f"{', '.join(RULES)}"
            )
        encoder, bias, decoder, decoder_bias = _files.require(
            weights, held, "encoder.weight", "encoder.bias", "W_dec", "b_dec"
        )
        k = _files.number(settings, config, "k")
        rule: dict[str, Any] = {RULES[activation]: k}
        promised = {"k": float(k)}
        if config.get("normalize_decoder", True):
            promised["unit_norm"] = 1.0
        return TrainedSae(
            format="sparsify",
            architecture=activation,
            source=str(weights),
            dictionary=decoder.T.contiguous(),
            decoder_bias=decoder_bias,
            coding=Coding(encoder, bias, decoder_bias, **rule),
            promised=promised,
            notes=("b_dec is taken off the input; rows of W_dec are atoms, as sparsify saves it.",),
        )
