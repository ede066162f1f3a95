"""overcomplete: state dicts, with a `config.json` of the user's that says what they leave out.

Read from the code of the package overcomplete 0.3.0 (github.com/KempnerInstitute/overcomplete):
`sae/*.py`. The library has no format of its own: it is saved by PyTorch, whole, which nobody
should load, or as a state dict, which does not say of which class it is, nor its k.
"""

from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from sae_surgery.errors import SurgeryError
from sae_surgery.loaders import _files
from sae_surgery.loaders._coding import Coding
from sae_surgery.loaders.base import Loader, TrainedSae

CONFIGURATION = "config.json"
JUMP = ("JumpSAE", "RAJumpSAE")
TOP_K = ("TopKSAE", "RATopKSAE")
KNOWN = ("SAE", *TOP_K, "BatchTopKSAE", *JUMP, "MpSAE")
EXAMPLE = '{"class": "TopKSAE", "top_k": 16}'
TINY = 1e-8
"""What the library adds to norms before it divides by them."""
BATCH_NORM_EPSILON = 1e-5
STATISTICS = ("weight", "bias", "running_mean", "running_var")
"""Tensors of a batch norm that it encodes with."""
DRIFT = 0.1
"""How far a step of training may move norms from where the library puts them at the next look."""


class Overcomplete(Loader):
    """No bias of the decoder, nothing taken off the input; rows of the dictionary are atoms."""

    title: ClassVar[str] = "overcomplete"
    looks_like: ClassVar[str] = (
        f".pt with a state dict (dictionary._weights or dictionary.W), and beside it "
        f"{CONFIGURATION} such as {EXAMPLE}"
    )

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return the state dict, and the configuration beside it."""
        found = sorted((*path.glob("*.pt"), *path.glob("*.pth"))) if path.is_dir() else [path]
        own = [each for each in found if _is_own(each)]
        if len(own) != 1:
            return ()
        beside = own[0].parent / CONFIGURATION
        return (own[0], beside) if beside.is_file() else (own[0],)

    def read(self, path: Path) -> TrainedSae:
        """Read a state dict."""
        weights, *settings = self.files(path)
        config = _files.configuration(settings[0]) if settings else {}
        held = _files.tensors(weights)
        notes: list[str] = ["Nothing is taken off the input, and the decoder has no bias."]
        name = _class(weights, config, held)
        dictionary = _dictionary(weights, config, held, notes).T.contiguous()
        promised: dict[str, float] = {}
        if name in TOP_K:
            promised["k"] = float(_files.number(weights.parent / CONFIGURATION, config, "top_k"))
        if name == "MpSAE":
            coding = Coding(
                pursuit_iterations=_files.number(weights.parent / CONFIGURATION, config, "k"),
                keeps_negative=1,
            )
        else:
            weight, bias = _encoder(weights, held, dictionary)
            coding = Coding(weight, bias, **_rule(weights, name, config, held, len(weight)))
        return TrainedSae(
            format="overcomplete",
            architecture=name,
            source=str(weights),
            dictionary=dictionary,
            decoder_bias=dictionary.new_zeros(len(dictionary)),
            coding=coding,
            promised=promised,
            notes=tuple(notes),
        )


def _is_own(path: Path) -> bool:
    if path.suffix not in (".pt", ".pth"):
        return False
    names = set(_files.names(path))
    return bool({"dictionary._weights", "dictionary.W"} & names)


def _class(path: Path, config: dict[str, Any], held: dict[str, Tensor]) -> str:
    """Return the class, which only a JumpReLU's state dict tells by itself."""
    name = config.get("class", "JumpSAE" if "thresholds" in held else None)
    if name is None:
        raise SurgeryError(
            f"{path}: a state dict of overcomplete does not say of which class it is; write that "
            f"to {path.parent / CONFIGURATION}, such as {EXAMPLE}"
        )
    if name not in KNOWN:
        raise SurgeryError(f"{path}: its class {name!r} is unknown; known are {', '.join(KNOWN)}")
    if (name in JUMP) != ("thresholds" in held):
        raise SurgeryError(f"{path}: does not fit the class {name}: thresholds tell a JumpReLU")
    return name


def _dictionary(
    path: Path, config: dict[str, Any], held: dict[str, Tensor], notes: list[str]
) -> Tensor:
    """Return the dictionary (atom, obs), as the library makes it for evaluation."""
    factor = held.get("dictionary.multiplier", torch.tensor(0.0)).exp()
    if "dictionary.W" in held:
        return _archetypes(path, config, held, notes) * factor
    rows = held["dictionary._weights"]
    normalisation = config.get("normalization")
    norms = rows.norm(dim=1)
    if normalisation is None and bool(((norms - 1).abs() > DRIFT).any()):
        raise SurgeryError(
            f"{path}: norms of atoms are {float(norms.min()):.3g} to {float(norms.max()):.3g}, and "
            "the state dict does not say how the library normalises them; write that to "
            f'{path.parent / CONFIGURATION}, such as {{"normalization": "l2"}}, which is the '
            "default, max_l2, l1, max_l1 or identity"
        )
    notes.append(f"Atoms were normalised as for evaluation ({normalisation or 'l2'}).")
    return _normalised(path, rows, normalisation or "l2") * factor


def _normalised(path: Path, rows: Tensor, normalisation: str) -> Tensor:
    if normalisation == "identity":
        return rows
    if normalisation not in ("l2", "max_l2", "l1", "max_l1"):
        raise SurgeryError(
            f"{path}: normalization {normalisation!r} is unknown; known are l2, max_l2, l1, "
            "max_l1, identity"
        )
    lengths = rows.norm(p=int(normalisation[-1]), dim=1, keepdim=True)
    if normalisation.startswith("max"):
        return rows / lengths.max()
    return rows / (lengths + TINY)


def _archetypes(
    path: Path, config: dict[str, Any], held: dict[str, Tensor], notes: list[str]
) -> Tensor:
    """Return W C + Λ (atom, obs): convex combinations of points, and at most δ off."""
    weights, points, deviations = _files.require(
        path, held, "dictionary.W", "dictionary.C", "dictionary.Relax"
    )
    weights = weights.relu()
    weights = weights / (weights.sum(dim=1, keepdim=True) + TINY)
    lengths = deviations.norm(dim=1, keepdim=True)
    delta = float(config.get("delta", 1.0))
    if "delta" not in config and float(lengths.max()) > delta + DRIFT:
        raise SurgeryError(
            f"{path}: deviations from archetypes are up to {float(lengths.max()):.3g} long, above "
            f"the default of δ; write δ to {path.parent / CONFIGURATION} as delta"
        )
    notes.append(f"Atoms are convex combinations of its points, and at most δ = {delta:g} off.")
    return weights @ points + deviations * (delta / lengths).clamp(max=1)


def _encoder(
    path: Path, held: dict[str, Tensor], dictionary: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Return weights (atom, obs) and bias (atom,) of an encoder that is one linear layer.

    Raises
    ------
    SurgeryError
        If it is a deeper network.
    """
    names = {name.removeprefix("encoder.") for name in held if name.startswith("encoder.")}
    tied = {name for name in names if name.startswith("tied_to.")}
    if names - tied <= {"weight", "bias"} and (tied or "weight" in names):
        weight = dictionary.T.contiguous() if tied else held["encoder.weight"]
        return weight, held.get("encoder.bias")
    linear = {"final_block.0.weight", "final_block.0.bias"}
    statistics = {f"final_block.1.{name}" for name in STATISTICS}
    if names == linear:
        return held["encoder.final_block.0.weight"], held["encoder.final_block.0.bias"]
    if names - {"final_block.1.num_batches_tracked"} == linear | statistics:
        return _folded({name: held[f"encoder.{name}"] for name in names})
    raise SurgeryError(
        f"{path}: its encoder is not one linear layer, with a batch norm or without; it holds "
        f"{', '.join(sorted(names)) or 'nothing'}. Its dictionary can be given in the plain format"
    )


def _folded(block: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Fold a batch norm, as in evaluation, into the linear layer before it."""
    scale, shift, mean, variance = (block[f"final_block.1.{name}"] for name in STATISTICS)
    factor = scale / (variance + BATCH_NORM_EPSILON).sqrt()
    weight, bias = block["final_block.0.weight"], block["final_block.0.bias"]
    return weight * factor[:, None], (bias - mean) * factor + shift


def _rule(
    path: Path, name: str, config: dict[str, Any], held: dict[str, Tensor], n_atoms: int
) -> dict[str, Any]:
    """Return what `Coding` needs to know of the class."""
    settings = path.parent / CONFIGURATION
    if name in TOP_K:
        return {"k": _files.number(settings, config, "top_k")}
    if name in JUMP:
        return {"threshold": _at_least(held["thresholds"].exp())}
    if name == "BatchTopKSAE":
        if "running_threshold" not in config:
            raise SurgeryError(
                f"{path}: a state dict of BatchTopKSAE lacks the threshold; write "
                f"sae.running_threshold to {settings} as running_threshold"
            )
        threshold = _files.number(settings, config, "running_threshold", float)
        return {"threshold": _at_least(torch.full((n_atoms,), threshold))}
    return {}


def _at_least(threshold: Tensor) -> Tensor:
    """Return the θ for which p > θ where the library says p ≥ θ: the next number below."""
    return torch.nextafter(threshold, threshold.new_tensor(-torch.inf))
