"""Gemma Scope: `params.npz` (1) and `params.safetensors` with `config.json` (2).

Written after the code published with Gemma Scope (arXiv:2408.05147 and its tutorial) and SAELens's
reader of both; the releases themselves are not at hand.
"""

import re
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from sae_surgery.errors import SurgeryError
from sae_surgery.loaders import _files
from sae_surgery.loaders._coding import Coding
from sae_surgery.loaders.base import Loader, TrainedSae

FIRST, SECOND = ".npz", ".safetensors"
CONFIGURATION = "config.json"
NAMES = {"w_enc", "w_dec", "b_enc", "b_dec", "threshold"}
SKIP = "affine_skip_connection"
TRANSCODERS = re.compile("gemma-scope.*transcoder")
"""Name of a repository of the first release, whose files say nothing of it."""


class GemmaScope(Loader):
    """JumpReLU: relu(p) where p = x W_enc + b_enc is above θ; b_dec is not taken off."""

    title: ClassVar[str] = "Gemma Scope"
    looks_like: ClassVar[str] = "params.npz, or params.safetensors and config.json"

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return the parameters, and the configuration of Gemma Scope 2."""
        candidates = [path]
        if path.is_dir():
            candidates = [path / f"params{suffix}" for suffix in (FIRST, SECOND)]
        for file in candidates:
            if file.suffix == FIRST and {_plain(name) for name in _files.names(file)} >= NAMES:
                return (file,)
            if file.suffix == SECOND and set(_files.names(file)) >= NAMES:
                beside = file.parent / CONFIGURATION
                return (file, beside) if beside.is_file() else (file,)
        return ()

    def read(self, path: Path) -> TrainedSae:
        """Read a file or its folder."""
        weights, *settings = self.files(path)
        config = _files.configuration(settings[0]) if settings else {}
        held = {_plain(name): tensor for name, tensor in _files.tensors(weights).items()}
        encoder, decoder, bias, decoder_bias, threshold = _files.require(
            weights, held, "w_enc", "w_dec", "b_enc", "b_dec", "threshold"
        )
        _refuse_transcoders(weights, config, held)
        factor = held.get("scaling_factor")
        if factor is not None and not bool((factor == 1).all()):
            raise SurgeryError(
                f"{weights}: its scaling_factor is not 1, and is not documented; divide it into "
                "the weights, and remove it"
            )
        notes = ["b_dec is not taken off the input; codes are relu(p) where p > threshold."]
        if "embedding" in weights.parts[-4:-1]:
            root = encoder.shape[0] ** 0.5
            encoder, decoder = encoder / root, decoder * root
            notes.append("An SAE of embeddings: read, as SAELens does, for embeddings times √d.")
        promised = {"l0": float(config["l0"])} if config.get("l0") else _l0_of(weights)
        return TrainedSae(
            format="gemma_scope",
            architecture="jumprelu",
            source=str(weights),
            dictionary=decoder.T.contiguous(),
            decoder_bias=decoder_bias,
            coding=Coding(encoder.T.contiguous(), bias, threshold=threshold),
            promised=promised,
            notes=tuple(notes),
        )


def _plain(name: str) -> str:
    """Return a name as Gemma Scope 2 spells it: some files of the first have capitals."""
    return name.lower() if name.lower() in NAMES else name


def _refuse_transcoders(path: Path, config: dict[str, Any], held: dict[str, Tensor]) -> None:
    before, after = config.get("hf_hook_point_in"), config.get("hf_hook_point_out")
    said = (after and after != before) or "transcoder" in str(config.get("type", ""))
    if said or SKIP in held or held["w_enc"].shape != held["w_dec"].T.shape:
        raise SurgeryError(
            f"{path}: a transcoder, whose output is another space than its input; give an SAE"
        )
    if folder := next(filter(TRANSCODERS.search, path.parts), None):
        raise SurgeryError(
            f"{path}: its folder {folder!r} says that it is a transcoder, which is no SAE; rename "
            "the folder if that is wrong"
        )
    architecture = config.get("architecture", "jump_relu")
    if architecture != "jump_relu":
        raise SurgeryError(
            f"{path}: its architecture {architecture!r} is unknown; known is jump_relu"
        )


def _l0_of(path: Path) -> dict[str, float]:
    """Return the mean L0 that the first release's folders are named after, `average_l0_71`."""
    label = path.parent.name.removeprefix("average_l0_")
    return {"l0": float(label)} if label.isdigit() else {}
