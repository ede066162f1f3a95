"""Whether a trained SAE was read rightly: what it does on activations against what it promises."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sae_surgery.errors import SurgeryError
from sae_surgery.loaders._coding import Inputs
from sae_surgery.loaders.base import TrainedSae

CHECKED = 4096
"""Rows of activations that are enough to check an SAE on."""
ROWS_AT_ONCE = 2048
FACTOR = 2.0
"""How far from a recorded mean L0 the one found may be: data and their parts differ."""
DENSE = 0.5
"""Share of atoms active in the mean sample, from which on codes are not sparse."""
FOUND_PER_ATOM = 10
"""Active codes for each atom that must have been seen before dead ones say anything."""
MOSTLY_DEAD = 0.9
NORM_TOLERANCE = 0.01
LOW, GAIN = 0.5, 0.25
"""Below which explained variance other readings are tried, and what one must add to be named."""


@dataclass(frozen=True)
class Fault:
    """A sign that an SAE was misread, or given activations that are not its own."""

    name: str
    """By which a user overrules it: `l0`, `dense`, `explained_variance`, `dead`, `norms`."""
    text: str
    """What was found, and the likely cause."""


@dataclass(frozen=True)
class Reading:
    """What an SAE does on activations."""

    n_samples: int
    l0: float
    """Mean number of active atoms."""
    explained_variance: float
    """1 − Σ ‖x − x̂‖² / Σ ‖x − x̄‖², in units of the activations."""
    dead: float
    """Share of atoms that are active in none of the samples."""
    norms: tuple[float, float, float]
    """Smallest, median and largest norm of an atom."""
    promised: Mapping[str, float]
    """What the file says, see `TrainedSae.promised`."""
    faults: tuple[Fault, ...]

    def require(self, source: str, overruled: Collection[str] = ()) -> None:
        """Raise a SurgeryError with a line for each fault that is not overruled by its name."""
        lines = [
            f"{source}: {fault.text} (overruled by the name {fault.name})"
            for fault in self.faults
            if fault.name not in overruled
        ]
        if lines:
            raise SurgeryError("\n".join(lines))


def check(sae: TrainedSae, observations: Tensor) -> Reading:
    """Encode and reconstruct activations (sample, obs), and judge what comes out.

    Raises
    ------
    SurgeryError
        If activations are of another width, empty, or not finite.
    """
    l0, explained, dead = _measure(sae, observations)
    ordered = sae.dictionary.norm(dim=0).sort().values
    norms = (float(ordered[0]), float(ordered[len(ordered) // 2]), float(ordered[-1]))
    reading = Reading(len(observations), l0, explained, dead, norms, sae.promised, ())
    return replace(reading, faults=tuple(_faults(sae, observations, reading)))


def _measure(sae: TrainedSae, observations: Tensor) -> tuple[float, float, float]:
    """Return L0, explained variance, and the share of dead atoms."""
    mean = observations.double().mean(dim=0)
    seen = torch.zeros(sae.n_atoms, dtype=torch.int64, device=observations.device)
    error = power = 0.0
    for some in observations.split(ROWS_AT_ONCE):
        codes = sae.encode(some)
        seen += (codes != 0).sum(dim=0)
        error += float((sae.reconstruct(some, codes) - some).double().square().sum())
        power += float((some.double() - mean).square().sum())
    explained = 1 - error / power if power > 0 else float("nan")
    return float(seen.sum()) / len(observations), explained, float((seen == 0).double().mean())


def _faults(sae: TrainedSae, observations: Tensor, reading: Reading) -> Iterator[Fault]:
    yield from _faults_of_l0(sae, reading)
    enough = reading.n_samples * reading.l0 >= FOUND_PER_ATOM * sae.n_atoms
    if reading.l0 == 0:
        yield Fault("dead", "no atom is active in any sample: are these activations scaled?")
    elif reading.dead > MOSTLY_DEAD and enough:
        share = f"{100 * reading.dead:.0f} % of the atoms are active in no sample"
        yield Fault("dead", f"{share}: are these the activations that it was trained on?")
    smallest, _, largest = reading.norms
    off = max(largest - 1, 1 - smallest)
    if reading.promised.get("unit_norm") and off > NORM_TOLERANCE:
        found = f"norms of atoms are {smallest:.3g} to {largest:.3g} where the file says 1"
        yield Fault("norms", f"{found}: is the dictionary transposed?")
    if not reading.explained_variance >= LOW:
        yield from _faults_of_reconstruction(sae, observations, reading.explained_variance)


def _faults_of_l0(sae: TrainedSae, reading: Reading) -> Iterator[Fault]:
    l0, promised = reading.l0, reading.promised
    found = f"L0 is {l0:.4g} where the file says"
    if "k" in promised and l0 > promised["k"]:
        yield Fault("l0", f"{found} k = {promised['k']:g}: read as ReLU?")
    elif "k" in promised and l0 < promised["k"] / FACTOR:
        cause = "fewer are positive; are these activations normalised as in training?"
        yield Fault("l0", f"{found} k = {promised['k']:g}: {cause}")
    for name, said in (("mean_k", "k on average"), ("l0", "a mean of")):
        if name not in promised or promised[name] <= 0:
            continue
        said = f"{found} {said} {promised[name]:.4g}"
        if l0 > FACTOR * promised[name]:
            yield Fault("l0", f"{said}: read as ReLU, with thresholds dropped?")
        elif l0 < promised[name] / FACTOR and not reading.explained_variance >= LOW:
            # Where much is explained, what was recorded is an average over a short training.
            yield Fault("l0", f"{said}: are these activations scaled as in training?")
    if l0 > DENSE * sae.n_atoms and not {"k", "mean_k", "l0"} & set(promised):
        share = f"L0 is {l0:.4g} of {sae.n_atoms} atoms, which is not sparse"
        yield Fault("dense", f"{share}: is a threshold or a k missing?")


def _faults_of_reconstruction(
    sae: TrainedSae, observations: Tensor, explained: float
) -> Iterator[Fault]:
    """Try the readings that are commonly confused; one that explains far more is the cause."""
    # Spread over all, as neighbours are alike.
    some = observations[:: -(-len(observations) // ROWS_AT_ONCE)]
    tried = {cause: _measure(other, some)[1] for cause, other in _readings(sae, some)}
    cause = max(tried, key=lambda each: tried[each])
    found = f"explained variance is {explained:.3g}"
    if tried[cause] > max(explained, 0) + GAIN:
        yield Fault("explained_variance", f"{found}, and {tried[cause]:.3g} {cause}: misread?")
    elif not explained >= 0:
        doubt = "are these activations normalised, and of the layer that it was trained on?"
        yield Fault("explained_variance", f"{found}: {doubt}")


def _readings(sae: TrainedSae, observations: Tensor) -> Iterator[tuple[str, TrainedSae]]:
    """Yield SAEs that differ from this one in what is easily read wrongly, and in words how."""
    without = replace(sae.coding, input_bias=None)
    centred = replace(sae.coding, input_bias=sae.decoder_bias)
    yield "if b_dec is not taken off the input", replace(sae, coding=without)
    yield "if b_dec is taken off the input", replace(sae, coding=centred)
    yield "without its normalisation of inputs", replace(sae, inputs=Inputs())
    mean_norm = float(observations.float().norm(dim=1).mean())
    if mean_norm > 0:
        scaled = Inputs(input_scale=sae.obs_dim**0.5 / mean_norm)
        yield "with activations scaled to a mean norm of √d", replace(sae, inputs=scaled)
    normed = Inputs(layer_norm_epsilon=1e-5)
    yield "with activations normalised to mean 0 and deviation 1", replace(sae, inputs=normed)
