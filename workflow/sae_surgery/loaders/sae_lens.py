"""SAELens: `cfg.json` and `sae_weights.safetensors`, of version 6 and of before.

Read from the code of 6.54.12 and 5.11.0 (github.com/decoderesearch/SAELens): `saes/*.py` for the
encoders, `loading/pretrained_sae_loaders.py` for what becomes of configurations of before version
6, `training/activation_scaler.py` for normalisations that are still to be folded in.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from sae_surgery.errors import SurgeryError
from sae_surgery.loaders import _files
from sae_surgery.loaders._coding import Coding, Inputs
from sae_surgery.loaders.base import Loader, TrainedSae

WEIGHTS, CONFIGURATION = "sae_weights.safetensors", "cfg.json"
SPARSITY, SCALER = "sparsity.safetensors", "activation_scaler.json"
WHITENING = "activation_whitening.safetensors"
LAYER_NORM_EPSILON = 1e-5
SMALLEST_FREQUENCY = 1e-10
"""Added to frequencies before their logarithm is saved."""
RENAMED = {"hook_point": "hook_name", "activation_fn_str": "activation_fn"}
IN_TRAINING = ("batchtopk", "matryoshka_batchtopk")
KNOWN = ("standard", "topk", "abstopk", "jumprelu", "gated", "matching_pursuit")


class SaeLens(Loader):
    """Folders that `SAE.save_model` and `TrainingSAE.save_inference_model` write."""

    title: ClassVar[str] = "SAELens"
    looks_like: ClassVar[str] = f"a folder with {WEIGHTS} and {CONFIGURATION}"

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return weights, configuration, and what else is there of sparsity and scales."""
        return _files.beside(path, WEIGHTS, CONFIGURATION, SPARSITY, SCALER, WHITENING)

    def read(self, path: Path) -> TrainedSae:
        """Read a folder."""
        folder = path if path.is_dir() else path.parent
        config, notes = _configuration(folder / CONFIGURATION)
        held = _files.tensors(folder / WEIGHTS)
        architecture = _architecture(folder / CONFIGURATION, config)
        dictionary, coding = _decoder_and_coding(folder, architecture, config, held)
        decoder_bias = held["b_dec"]
        if architecture == "matching_pursuit" and not config["apply_b_dec_to_input"]:
            decoder_bias = decoder_bias * 0
            notes.append("b_dec is not used, as it is not taken off the input.")
        dictionary = _scaled(folder, config, held, dictionary, notes)
        return TrainedSae(
            format="sae_lens",
            architecture=architecture,
            source=str(folder / WEIGHTS),
            dictionary=dictionary,
            decoder_bias=decoder_bias,
            coding=coding,
            inputs=_inputs(folder, config, notes),
            promised=_promised(folder, architecture, config),
            notes=tuple(notes),
        )


def _configuration(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the configuration as version 6 writes it, and notes."""
    config = _files.configuration(path)
    metadata = config.get("metadata") or {}
    version = str(config.get("sae_lens_version") or metadata.get("sae_lens_version") or "")
    notes = []
    if not version.partition(".")[0].isdigit() or int(version.partition(".")[0]) < 6:
        config = _modern(path, config)
        notes.append("Its flat configuration, of before version 6, was read as SAELens 6 does.")
    config.setdefault("apply_b_dec_to_input", True)
    subtracted = "" if config["apply_b_dec_to_input"] else "not "
    notes.append(f"b_dec is {subtracted}taken off the input (apply_b_dec_to_input).")
    if config.get("reshape_activations", "none") != "none":
        notes.append("Activations are those of all heads side by side (hook_z).")
    if config.get("dtype", "float32") not in ("float32", "torch.float32"):
        notes.append(f"Saved for {config['dtype']}, computed in float32.")
    return config, notes


def _modern(path: Path, flat: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a flat configuration of before version 6 into one of today."""
    config = {RENAMED.get(key, key): value for key, value in flat.items()}
    config.setdefault("architecture", "standard")
    if config["architecture"] is None:
        config["architecture"] = "standard"
    activation = config.get("activation_fn") or "relu"
    if activation == "topk":
        config["architecture"] = "topk"
        config["k"] = (config.get("activation_fn_kwargs") or {}).get("k", config.get("k"))
    elif activation != "relu":
        raise SurgeryError(
            f"{path}: its activation function {activation!r} is unknown; known are relu and topk"
        )
    if isinstance(config.get("normalize_activations"), bool):
        by_flag = {True: "expected_average_only_in", False: "none"}
        config["normalize_activations"] = by_flag[config["normalize_activations"]]
    if config.get("reshape_activations") is None:
        heads = "hook_z" in (config.get("hook_name") or "")
        config["reshape_activations"] = "hook_z" if heads else "none"
    return config


def _architecture(path: Path, config: Mapping[str, Any]) -> str:
    architecture = config.get("architecture")
    if "transcoder" in str(architecture):
        raise SurgeryError(
            f"{path}: a {architecture}, whose output is another space than its input; give an SAE"
        )
    if architecture in IN_TRAINING:
        raise SurgeryError(
            f"{path}: a checkpoint of a {architecture} in training; load it in SAELens and save it "
            "by save_inference_model, which writes thresholds"
        )
    if architecture not in KNOWN:
        raise SurgeryError(
            f"{path}: its architecture {architecture!r} is unknown; known are {', '.join(KNOWN)}"
        )
    return architecture


def _decoder_and_coding(
    folder: Path, architecture: str, config: Mapping[str, Any], held: dict[str, Tensor]
) -> tuple[Tensor, Coding]:
    """Return the dictionary (obs, atom), and how codes are made."""
    weights, settings = folder / WEIGHTS, folder / CONFIGURATION
    decoder, decoder_bias = _files.require(weights, held, "W_dec", "b_dec")
    dictionary = decoder.T.contiguous()
    input_bias = decoder_bias if config["apply_b_dec_to_input"] else None
    if architecture == "matching_pursuit":
        iterations = config.get("max_iterations")
        return dictionary, Coding(
            input_bias=input_bias,
            pursuit_iterations=decoder.shape[1] if iterations is None else iterations,
            pursuit_residual=config.get("residual_threshold", 1e-2),
            pursuit_stops_on_repetition=int(config.get("stop_on_duplicate_support", True)),
        )
    (encoder,) = _files.require(weights, held, "W_enc")
    encoder = encoder.T.contiguous()
    if architecture == "gated":
        gate, magnitude, scale = _files.require(weights, held, "b_gate", "b_mag", "r_mag")
        return dictionary, Coding(
            encoder_weight=encoder,
            encoder_bias=gate,
            input_bias=input_bias,
            magnitude_scale=scale,
            magnitude_bias=magnitude,
        )
    (encoder_bias,) = _files.require(weights, held, "b_enc")
    if config.get("rescale_acts_by_decoder_norm"):
        norms = decoder.norm(dim=1)
        encoder, encoder_bias = encoder * norms[:, None], encoder_bias * norms
        dictionary = dictionary / norms
    counts = {"topk": "k", "abstopk": "signed_k"}
    rule: dict[str, Any] = {}
    if architecture in counts:
        rule = {counts[architecture]: _files.number(settings, config, "k")}
    elif architecture == "jumprelu":
        rule = {"threshold": _files.require(weights, held, "threshold")[0]}
    return dictionary, Coding(encoder, encoder_bias, input_bias, **rule)


def _scaled(
    folder: Path,
    config: Mapping[str, Any],
    held: Mapping[str, Tensor],
    dictionary: Tensor,
    notes: list[str],
) -> Tensor:
    """Return the dictionary times the factors by which version 5 multiplies codes to decode."""
    factors = held.get("finetuning_scaling_factor", held.get("scaling_factor"))
    if factors is None or bool((factors == 1).all()):
        return dictionary
    if not config.get("finetuning_scaling_factor"):
        raise SurgeryError(
            f"{folder / WEIGHTS}: holds scaling factors that {CONFIGURATION} does not switch on; "
            "set finetuning_scaling_factor there to true, or remove them"
        )
    notes.append("Atoms are multiplied with the scaling factors of finetuning, as in decoding.")
    return dictionary * factors


def _inputs(folder: Path, config: Mapping[str, Any], notes: list[str]) -> Inputs:
    """Return the normalisation of activations."""
    normalisation = config.get("normalize_activations") or "none"
    if normalisation == "none":
        return Inputs()
    notes.append(f"Activations are normalised first: {normalisation}.")
    if normalisation == "layer_norm":
        return Inputs(layer_norm_epsilon=LAYER_NORM_EPSILON)
    if normalisation == "constant_norm_rescale":
        return Inputs(input_norm=_files.number(folder / CONFIGURATION, config, "d_in") ** 0.5)
    if normalisation == "expected_average_only_in":
        return Inputs(input_scale=_factor(folder))
    if normalisation == "covariance_whitening":
        path = folder / WHITENING
        if not path.is_file():
            raise SurgeryError(
                f"{folder / CONFIGURATION}: asks for covariance_whitening, and there is no {path}; "
                "copy it from the checkpoint, or save the SAE at the end of its training"
            )
        held = _files.tensors(path)
        mean, matrix, inverse = _files.require(path, held, "mean", "matrix", "inverse_matrix")
        return Inputs(input_mean=mean, whitening=matrix, unwhitening=inverse)
    raise SurgeryError(
        f"{folder / CONFIGURATION}: normalize_activations {normalisation!r} is unknown; known are "
        "none, layer_norm, constant_norm_rescale, expected_average_only_in, covariance_whitening"
    )


def _factor(folder: Path) -> float:
    """Return by what activations are multiplied; SAELens itself does nothing if it is named."""
    path = folder / SCALER
    factor = _files.configuration(path).get("scaling_factor") if path.is_file() else None
    if factor is None:
        raise SurgeryError(
            f"{folder / CONFIGURATION}: expected_average_only_in asks for a factor that is not "
            f'folded into the weights; write {{"scaling_factor": √d / mean norm of the activations '
            f"of training}} to {path}, or 1 for what SAELens does with it, which is nothing"
        )
    return float(factor)


def _promised(folder: Path, architecture: str, config: Mapping[str, Any]) -> dict[str, float]:
    """Return what the file says of its codes."""
    promised: dict[str, float] = {}
    metadata = config.get("metadata") or {}
    details = metadata.get("training_architecture_details") or {}
    if architecture in ("topk", "abstopk"):
        promised["k"] = float(config["k"])
    elif metadata.get("training_architecture") in IN_TRAINING and details.get("k"):
        promised["mean_k"] = float(details["k"])
    if metadata.get("l0"):
        promised["l0"] = float(metadata["l0"])
    elif (folder / SPARSITY).is_file():
        held = _files.tensors(folder / SPARSITY)
        (logarithms,) = _files.require(folder / SPARSITY, held, "sparsity")
        frequencies = 10 ** logarithms.double() - SMALLEST_FREQUENCY
        promised["l0"] = float(frequencies.clamp(min=0).sum())
    return promised
