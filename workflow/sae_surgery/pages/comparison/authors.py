"""The words of the authors' result files, in those of this project."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sae_surgery.errors import SurgeryError

SEEDS = (0, 1, 2)
"""The seeds of all published experiments."""

METRICS = {
    **{
        f"{score}_{split}": f"{score}_{ours}"
        for score in ("acc", "auc", "mcc")
        for split, ours in (("iid", "id"), ("ood", "ood"))
    },
    **{
        f"{name}_{split}": f"support_{meaning}_{ours}"
        for name, meaning in (
            ("precision", "precision"),
            ("recall", "recall"),
            ("f1", "f1"),
            ("gt_l0", "l0_true"),
            ("pred_l0", "l0_matched"),
            ("pred_total_l0", "l0_total"),
        )
        for split, ours in (("iid", "id"), ("ood", "ood"))
    },
    "mean_cosine": "dictionary_mean_cosine",
    "mean_angular_error": "dictionary_mean_angular_error",
    "mean_norm_ratio": "dictionary_mean_norm_ratio",
    "frac_close": "dictionary_share_above_090",
    "mse_iid": "val_mse",
    "l0_iid": "val_l0",
}
"""Names of the variables in our tables, by the authors' names."""

_SAES = {"relu": "sae_relu", "topk": "sae_topk", "jumprelu": "sae_jumprelu", "MP": "sae_mp"}
_METHODS = {
    # Names of an older version of their code, in the files of the phase transition.
    "fista_sup": "fista_oracle",
    "fista_unsup": "dl_fista",
    "direct_unsup": "softplus_adam",
    **{
        name: name
        for name in (
            "fista_oracle",
            "dl_fista",
            "softplus_adam",
            "lista_oracle",
            "dl_lista",
            "linear_probe",
            "raw",
            "pca",
        )
    },
}
_STEPS = ("n_outer", "n_iter", "lam", "epoch", "round")
_OWN_CODES = -1
"""What stands for λ beside an SAE's own codes, which have none."""
_ORACLE_ITERATIONS = 500
"""Iterations of the oracle that they show beside dictionary learning."""


class Place(NamedTuple):
    """Where a number stands in our tables."""

    experiment: str
    method: str
    condition: str
    """Condition of a surgery; empty in a sweep."""
    n_latents: int
    k: int
    obs_dim: int
    n_samples: int
    step: float
    """Value of the surgery's own sweep variable; NaN where there is none."""


@dataclass(frozen=True)
class Source:
    """One experiment of theirs.

    Attributes
    ----------
    places
        Our experiment and condition, by what precedes the SAE's name in their method; the empty
        prefix is that of all other methods.
    files
        Paths in the folder of their results.
    n_samples
        In-distribution samples, where the rows do not say.
    """

    places: Mapping[str, tuple[str, str]]
    files: tuple[str, ...]
    n_samples: int | None = None


def _sweep(experiment: str, *files: str) -> Source:
    return Source({"sae_": (experiment, ""), "": (experiment, "")}, files)


def _sized(name: str) -> tuple[str, ...]:
    return tuple(f"exp_{name}_n{size}.json" for size in (50, 100, 500, 1000, 5000, 10000))


_PHASES = {"sae_": ("phase_transition", ""), "": ("phase_transition", "")}

SOURCES = {
    "vary_latents": _sweep("latents", "exp_vary_latents.json", "exp_vary_latents_10k.json"),
    "vary_sparsity": _sweep("sparsity", "exp_vary_sparsity.json"),
    "vary_samples": _sweep("samples", "exp_vary_samples.json"),
    "vary_samples_10k": _sweep("samples_large", "exp_vary_samples_10k.json"),
    "phase_transition": Source(_PHASES, ("exp_phase_transition.json",), 2000),
    "phase_transition_parts": Source(
        _PHASES,
        tuple(f"phase_transition_parts/phase_transition_{part:04}.json" for part in range(77)),
        2000,
    ),
    "large_latents": Source(
        {
            "sae_": ("large_latents", ""),
            "fista+": ("large_latents", "frozen"),
            "refined_": ("large_latents", "refined"),
            "": ("large_latents", ""),
        },
        ("exp_large_latents.json",),
    ),
    "frozen_decoder": Source(
        {
            "sae_": ("frozen_decoder", "own"),
            "fista+": ("frozen_decoder", "frozen"),
            "refined_": ("frozen_decoder", "refined"),
            "": ("frozen_decoder", "own"),
        },
        ("exp_frozen_decoder.json", "exp_frozen_decoder_10k.json"),
    ),
    "dict_quality": Source(
        {
            "frozen_": ("frozen_decoder", "frozen"),
            "renormed_": ("frozen_decoder", "renormed"),
            "oracle_norms_": ("frozen_decoder", "oracle_norms"),
            "": ("frozen_decoder", "own"),
        },
        _sized("dict_quality"),
    ),
    "dict_quality_diagnostics": Source(
        {"sae_": ("frozen_decoder", "own")}, _sized("dict_quality_diagnostics")
    ),
    "support_recovery": Source(
        {
            "sae_": ("support_recovery", "own"),
            "support_lstsq_": ("support_recovery", "lstsq"),
            "fista+": ("frozen_decoder", "frozen"),
            "": ("support_recovery", "own"),
        },
        _sized("support_recovery"),
    ),
    "support_recovery_diagnostics": Source(
        {"sae_": ("support_recovery", "own")}, _sized("support_recovery_diagnostics")
    ),
    "warmstart_encoder": Source(
        {
            "warm_": ("warm_start_encoder", "warm"),
            "cold_": ("warm_start_encoder", "cold"),
            "": ("warm_start_encoder", "cold"),
        },
        _sized("warmstart_encoder"),
    ),
    "warmstart_decoder": Source(
        {
            "warm_dl_": ("warm_start_decoder", "warm"),
            "cold_dl_": ("warm_start_decoder", "cold"),
            # The oracle beside it is FISTA from zero, as in the other experiment.
            "": ("warm_start_encoder", "cold"),
        },
        _sized("warmstart_decoder"),
    ),
    "lambda_sensitivity": Source(
        {
            "frozen_": ("lambda_sensitivity", "frozen"),
            # Our table has no codes without λ.
            "sae_": ("frozen_decoder", "own"),
            "": ("lambda_sensitivity", "frozen"),
        },
        _sized("lambda_sensitivity"),
    ),
    "learning_dynamics": Source(
        {"sae_": ("learning_dynamics", "training"), "": ("learning_dynamics", "training")},
        _sized("learning_dynamics"),
    ),
}
"""Their experiments by name."""


def translate(source: str, row: Mapping[str, Any]) -> Place:
    """Say where a row of their files stands in our tables.

    Parameters
    ----------
    source
        A key of `SOURCES`.
    row
        Their row: `method` (or `sae_type` in files of diagnostics), the sizes `num_latents`, `k`
        and `input_dim` (`n` and `m` in older files), `n_samples`, and `n_outer`, `n_iter`, `lam`,
        `epoch` or `round` in surgeries.

    Raises
    ------
    SurgeryError
        If the row lacks one of them, or its method is unknown in that experiment.
    """
    theirs = SOURCES[source]
    name = _first(row, "method") if "method" in row else f"sae_{_first(row, 'sae_type', 'method')}"
    method, place = _method(source, name)
    step = next((float(row[key]) for key in _STEPS if key in row), float("nan"))
    if step == _OWN_CODES:
        step = float("nan")
    if (source, method) == ("warmstart_decoder", "fista_oracle"):
        step = _ORACLE_ITERATIONS
    return Place(
        *(place[0], method, place[1]),
        n_latents=int(_first(row, "num_latents", "n")),
        k=int(_first(row, "k")),
        obs_dim=int(_first(row, "input_dim", "m")),
        n_samples=int(theirs.n_samples or _first(row, "n_samples")),
        step=step,
    )


def _method(source: str, name: str) -> tuple[str, tuple[str, str]]:
    """Return our name of a method, and the experiment and condition of its numbers."""
    places = SOURCES[source].places
    for prefix, place in places.items():
        known = _SAES if prefix else _METHODS
        if name.startswith(prefix) and name.removeprefix(prefix) in known:
            return known[name.removeprefix(prefix)], place
    allowed = ", ".join(f"{prefix}<{'|'.join(_SAES)}>" for prefix in places if prefix)
    raise SurgeryError(
        f"method {name!r} is unknown in {source}; known are {allowed}, {', '.join(_METHODS)}"
    )


def _first(row: Mapping[str, Any], *keys: str) -> Any:
    for key in keys:
        if key in row:
            return row[key]
    raise SurgeryError(f"a row lacks {' or '.join(map(repr, keys))}; it has {', '.join(row)}")
