"""The verdict on each trained SAE: which of its parts keeps it from the oracle, and by how much.

From an SAE's own codes to the oracle's the score (MCC) covers a distance. The surgeries exchange
one part at a time, each on top of those before, so that their gains add up to that distance:

    own codes → FISTA on the SAE's decoder → likewise with unit columns → FISTA on A (the oracle)
             encoder                      norms                      directions

The encoder's gain splits once more, at the best values on the support that it chose:

    own codes → NNLS on their support → FISTA on the SAE's decoder
           magnitudes                support
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from sae_surgery.errors import SurgeryError
from sae_surgery.machine.divergence import as_section, told_by
from sae_surgery.tables.answers import SMALLEST_GAP, decimals
from sae_surgery.tables.summary import pick, require

METRICS = {"mcc_ood": "MCC out of distribution", "mcc_id": "MCC in distribution"}

_SMALLEST_GAIN = 0.005  # what is below is written as 0.00


@dataclass(frozen=True)
class Part:
    """One part of the distance: what the score gains from one state to another."""

    before: str
    after: str
    of: str
    """What the part is a part of: `distance`, or the name of another part."""


PARTS = {
    "encoder": Part("own", "frozen", "distance"),
    "magnitudes": Part("own", "nnls", "encoder"),
    "support": Part("nnls", "frozen", "encoder"),
    "norms": Part("frozen", "renormed", "distance"),
    "directions": Part("renormed", "oracle", "distance"),
}

_FAULTS = {
    "encoder": "its encoder: FISTA reads the same dictionary better",
    "norms": "the norms of its atoms",
    "directions": "the directions of its atoms: they are not the true ones",
}

_SHORT_FAULTS = {
    "encoder": "its encoder",
    "norms": "the norms of its atoms",
    "directions": "the directions of its atoms",
}

_QUESTION = """\
What keeps each trained SAE from the oracle, FISTA with the true dictionary? The surgeries exchange
one of its parts at a time for a classical one, each on top of those before. What the score gains at
each exchange is that part's share of the distance, so that the shares add up to the whole.
"""

_EXPLANATION = """\
## How it is computed

| part | exchanged | gain |
|---|---|---|
| **encoder** | the SAE's own codes for FISTA on its decoder | frozen − own |
| of it, *magnitudes* | the values on the SAE's own support for the best, NNLS | nnls − own |
| of it, *support* | that support and those values for FISTA's | frozen − nnls |
| **norms** | the decoder's columns for columns of unit norm | renormed − frozen |
| **directions** | the decoder for the true dictionary A | oracle − renormed |

encoder = magnitudes + support, and encoder + norms + directions = oracle − own, for every seed.
Given is the mean over seeds ± their standard deviation, and in brackets the share of the distance:
mean gain over mean distance, of the same seeds, ± how much seeds depart from it, as a share of the
mean distance. A seed counts if it has every exchange of the decoder; those left out are named. A
negative gain says that the exchange made it worse: the SAE's part was the better one there, and the
others make up more than the whole. Chance is a random dictionary under FISTA.

How far this reaches:

- The order matters. An encoder is exchanged while the dictionary is still the SAE's; what only both
  exchanges together repair is counted under directions.
- A has unit columns, so with true norms (condition `oracle_norms`) the decoder is the renormed one
  but for atoms without a partner; norms have no further part.
- Support also holds what FISTA's penalty does to the values, which NNLS does not shrink. Where an
  SAE activates more atoms than there are observed dimensions, NNLS values are not determined by
  the support: magnitudes and support then say little each, their sum, the encoder, says the same.
- NNLS codes are non-negative. For SAEs with signed codes, magnitudes hold the signs too.
"""


def decompose(tables: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Split the distance from each SAE to the oracle into its parts.

    Parameters
    ----------
    tables
        The tables `frozen_decoder` (conditions own, frozen, renormed) and `support_recovery`
        (condition nnls), each with `METRICS` over (method, condition, n_latents, seed) and with
        ``title`` and ``family`` over method. The oracle is the method of family `oracle`.

    Returns
    -------
    xarray.Dataset
        ``gain`` and ``share`` (in per cent) over (method, n_latents, metric, part, seed), the
        methods without oracle and chance; ``own``, ``oracle``, ``chance`` and ``distance`` over
        the same without part; the coordinate ``of`` says what each part is a part of, and the
        attribute ``diverged`` which seeds the tables lack because they diverged. NaN where a
        condition has no result; what `support_recovery` lacks costs magnitudes and support only.
        A share is NaN also where the distance of its seed is below `SMALLEST_GAP`: means over
        seeds are taken by `summarise`, of gains and distances.

    Raises
    ------
    SurgeryError
        If a table, a variable or a condition is missing.
    """
    scores = _scores(tables)
    distance = scores["oracle"] - scores["own"]
    gain = xr.concat(
        [scores[part.after] - scores[part.before] for part in PARTS.values()], "part"
    ).assign_coords(part=np.array(list(PARTS)))
    share = 100 * gain / distance.where(distance >= SMALLEST_GAP)
    ends = {name: scores[name] for name in ("own", "oracle", "chance")}
    result = xr.Dataset({"gain": gain, "share": share, "distance": distance, **ends})
    result.attrs["diverged"] = "; ".join(told_by(tables.values()))
    return _described(result.transpose("method", "n_latents", "metric", "part", "seed"))


def _scores(tables: Mapping[str, xr.Dataset]) -> dict[str, xr.DataArray]:
    """Return the scores (method, n_latents, metric, seed) of each state that a part names."""
    frozen, support = pick(tables, "frozen_decoder"), pick(tables, "support_recovery")
    for table in (frozen, support):
        require(table, "method", "condition", "n_latents", "seed", "title", "family", *METRICS)
    scores = {name: _select(frozen, name) for name in ("own", "frozen", "renormed")}
    own, family = scores["own"], scores["own"]["family"]
    patients = ~family.isin(["oracle", "chance"])
    references = {
        name: own.where(family == name).max("method").broadcast_like(own)[patients]
        for name in ("oracle", "chance")
    }
    scores = {name: values[patients] for name, values in scores.items()}
    nnls = _select(support, "nnls").drop_vars(["title", "family"]).reindex_like(scores["own"])
    return scores | references | {"nnls": nnls}


def _select(table: xr.Dataset, condition: str) -> xr.DataArray:
    if condition not in table["condition"]:
        raise SurgeryError(f"the table has no condition {condition!r}")
    chosen = table.set_coords(["title", "family"])[list(METRICS)]
    chosen = chosen.sel(condition=condition, drop=True).to_dataarray("metric")
    chosen = chosen.drop_vars(set(chosen.coords) - {*chosen.dims, "title", "family"})
    return chosen.assign_coords(metric=np.array(list(METRICS))).transpose("method", ...)


_LONG_NAMES = {
    "gain": ("gain in score from exchanging the part, on top of the parts before", "1"),
    "share": ("share of the distance to the oracle that the part's gain makes up", "percent"),
    "own": ("score of the method's own codes", "1"),
    "oracle": ("score of FISTA with the true dictionary", "1"),
    "chance": ("score of a random dictionary under FISTA", "1"),
    "distance": ("score of the oracle less that of the method's own codes", "1"),
    "part": ("part of the method that is exchanged", None),
    "of": ("what the part is a part of", None),
    "metric": ("score", None),
    "method": ("name of the method", None),
    "title": ("name in figures", None),
    "family": ("kind of method", None),
    "n_latents": ("number of latents n", "1"),
    "seed": ("seed of the random stream", "1"),
}


def _described(result: xr.Dataset) -> xr.Dataset:
    """Add what each part is a part of, and give every variable its long name and units."""
    result = result.assign_coords(of=("part", [part.of for part in PARTS.values()]))
    for name, (long_name, units) in _LONG_NAMES.items():
        result[name].attrs = {"long_name": long_name} | ({"units": units} if units else {})
    return result


def summarise(dataset: xr.Dataset) -> xr.Dataset:
    """Take the means over the seeds that have all exchanges of the decoder.

    Gains, scores and distances are of the same seeds, so that gains add up to the distance and a
    share is the ratio of the means beside it, even where single seeds have no distance to divide.
    Magnitudes and support may have fewer seeds, and then divide the distance of these.

    Parameters
    ----------
    dataset
        What `decompose` returns.

    Returns
    -------
    xarray.Dataset
        ``gain``, ``share`` (in per cent) and their ``_sd`` over (method, n_latents, metric, part),
        with ``n_seeds``; ``own``, ``oracle``, ``chance``, ``distance`` and their ``_sd`` over the
        same without part. Standard deviations are those of the population; that of a share is of
        gain − share · distance, by the mean distance (the delta method for a ratio of means).
        A share is NaN where the mean distance is below `SMALLEST_GAP`.
    """
    counts = counted_seeds(dataset)
    # Where no seed counts, what there is is shown.
    kept = counts | ~counts.any("seed")
    gain = dataset["gain"].where(kept)
    distance = dataset["distance"].where(kept & gain.notnull())
    size = distance.mean("seed")
    size = size.where(size >= SMALLEST_GAP)
    share = gain.mean("seed") / size
    departures = (gain - share * distance) / size
    parts = {"gain": gain.mean("seed"), "gain_sd": _sd(gain)}
    parts |= {"share": 100 * share, "share_sd": 100 * _sd(departures)}
    parts["n_seeds"] = gain.notnull().sum("seed")
    ends = {name: dataset[name].where(kept) for name in ("own", "oracle", "chance", "distance")}
    means = {name: values.mean("seed") for name, values in ends.items()}
    spreads = {f"{name}_sd": _sd(values) for name, values in ends.items()}
    return xr.Dataset(parts | means | spreads)


def counted_seeds(dataset: xr.Dataset) -> xr.DataArray:
    """Return whether a seed has every part of the distance, over all but part."""
    whole = dataset["gain"].sel(part=_parts_of("distance"))
    return whole.notnull().all("part")


def as_frame(dataset: xr.Dataset) -> pd.DataFrame:
    """Give what `decompose` returns as a tidy frame, one row a method, size, metric and part.

    Columns method, title, n_latents, metric, part, of, gain, gain_sd, share, share_sd, n_seeds,
    own, oracle, chance, distance, as `summarise` computes them.
    """
    columns = ["gain", "gain_sd", "share", "share_sd", "n_seeds"]
    columns += ["own", "oracle", "chance", "distance"]
    statistics = summarise(dataset)[columns].drop_vars("family")
    dims = ["method", "n_latents", "metric", "part"]
    frame = statistics.to_dataframe(dim_order=dims).reset_index()
    first = ["method", "title", "n_latents", "metric", "part", "of"]
    return frame[[*first, *columns]]


def largest_parts(rows: pd.DataFrame) -> pd.Series:
    """Return the part of the distance with the largest gain, by method and n_latents.

    Parameters
    ----------
    rows
        Those of one metric, of what `as_frame` returns, or read from its file.
    """
    parts = rows[rows["of"] == "distance"]
    gains = parts.pivot(index=["method", "n_latents"], columns="part", values="gain").dropna()
    return gains.idxmax(axis="columns")


def statement(rows: pd.DataFrame) -> str:
    """Say in words how often each part is the largest, out of distribution.

    Parameters
    ----------
    rows
        What `as_frame` returns, or read from its file.
    """
    largest = largest_parts(rows[rows["metric"] == "mcc_ood"]).value_counts()
    if largest.empty:
        return "Of no SAE does the run have all exchanges: there is no verdict."
    first, *others = [f"{_SHORT_FAULTS[part]} for {count}" for part, count in largest.items()]
    counted = ", ".join([f"{first} of {largest.sum()} pairs of an SAE and a size", *others])
    return f"What keeps an SAE from the oracle (MCC out of distribution) is mostly {counted}."


def as_markdown(dataset: xr.Dataset) -> str:
    """Write what `decompose` returns as a page: in short, in words, a table a metric, and how."""
    summary = summarise(dataset)
    sentences = "\n".join(_sentences(summary.sel(metric="mcc_ood")))
    blocks = [f"# Verdict\n\n**{statement(as_frame(dataset))}**\n", _QUESTION]
    blocks.append(f"## In words\n\nOf the MCC out of distribution.\n\n{sentences}\n")
    for metric, name in METRICS.items():
        rows = "\n".join(_table(summary.sel(metric=metric)))
        blocks.append(f"## {name}\n\n{rows}\n")
        notes = list(_left_out(dataset.sel(metric=metric)))
        blocks += ["\n".join([*notes, ""])] if notes else []
    told = told_by([dataset])
    blocks += [as_section(told)] if told else []
    return "\n".join([*blocks, _EXPLANATION])


def _table(scores: xr.Dataset) -> Iterator[str]:
    header = ["n", "method", "chance", "own", *PARTS, "oracle"]
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for patient in _patients(scores):
        parts = [_number(of_part, "gain") + _bracketed(of_part) for of_part in _each_part(patient)]
        chance, own, oracle = (_number(patient, name) for name in ("chance", "own", "oracle"))
        cells = [patient.n_latents.item(), patient.title.item(), chance, own, *parts, oracle]
        yield f"| {' | '.join(map(str, cells))} |"


def _each_part(patient: xr.Dataset) -> Iterator[xr.Dataset]:
    return (patient.sel(part=part) for part in PARTS)


def _left_out(scores: xr.Dataset) -> Iterator[str]:
    """Name the seeds that do not count, and those that a part of the encoder lacks, and why."""
    counted = counted_seeds(scores)
    for patient in _patients(scores.assign(counted=counted)):
        kept = patient["counted"]
        if not kept.any():
            continue
        head = f"- n = {patient.n_latents.item()}, {patient.title.item()}:"
        if not kept.all():
            yield f"{head} without {_seeds(~kept)}, of which not every exchange has a result."
        inner = patient["gain"].sel(part=_parts_of("encoder")).notnull().all("part")
        if inner.any() and (kept & ~inner).any():
            yield f"{head} magnitudes and support without {_seeds(kept & ~inner)}: no NNLS."


def _seeds(chosen: xr.DataArray) -> str:
    numbers = [str(seed) for seed in chosen["seed"].values[chosen.values]]
    return f"seed{'s' * (len(numbers) > 1)} {', '.join(numbers)}"


def _sentences(summary: xr.Dataset) -> Iterator[str]:
    for patient in _patients(summary):
        head = f"- **n = {patient.n_latents.item()}, {patient.title.item()}**"
        yield f"{head}: {_judge(patient)}"


def _patients(scores: xr.Dataset) -> Iterator[xr.Dataset]:
    """Yield the scores of each method at each number of latents."""
    for size in range(scores.sizes["n_latents"]):
        for method in range(scores.sizes["method"]):
            yield scores.isel({"n_latents": size, "method": method})


def _judge(patient: xr.Dataset) -> str:
    """Say in words which part is at fault, and what exchanging the encoder does."""
    gains, shares = (patient[name].to_series() for name in ("gain", "share"))
    distance = _number(patient, "distance")
    if gains[_parts_of("distance")].isna().any():
        return "no result."
    if shares.isna().all():
        return f"less than {SMALLEST_GAP:g} below the oracle ({distance}): nothing to divide."
    worst = shares[_parts_of("distance")].idxmax()
    amount = f"{_percent(shares[worst])} of that is"
    if shares[worst] > 100:
        amount = f"All of that ({_percent(shares[worst])}) is"
    inner = shares[_parts_of(worst)].dropna()
    split = ", ".join(f"{name} {_percent(share)}" for name, share in inner.items())
    fault = _FAULTS[worst] + f" ({split})" * bool(split)
    effect = _effect(patient.sel(part="encoder"))
    return f"{distance} below the oracle. {amount} due to {fault}. {effect}"


def _parts_of(whole: str) -> list[str]:
    return [name for name, part in PARTS.items() if part.of == whole]


def _effect(encoder: xr.Dataset) -> str:
    """Say what exchanging the encoder does, if it is more than the seeds differ by."""
    mean, number = encoder["gain"].item(), _number(encoder, "gain")
    if abs(mean) <= max(encoder["gain_sd"].item(), _SMALLEST_GAIN):
        return f"Exchanging the encoder makes no difference beyond the seeds' ({number})."
    return f"Exchanging the encoder {'helps' if mean > 0 else 'harms'} ({number})."


def _sd(values: xr.DataArray) -> xr.DataArray:
    """Compute the population standard deviation over the seeds that have a value."""
    return values.std("seed")


def _number(summary: xr.Dataset, name: str) -> str:
    """Write mean ± standard deviation over seeds."""
    mean, spread = summary[name].item(), summary[f"{name}_sd"].item()
    return "no result" if np.isnan(mean) else f"{decimals(mean)} ± {decimals(spread)}"


def _bracketed(of_part: xr.Dataset) -> str:
    share, spread = of_part["share"].item(), of_part["share_sd"].item()
    return "" if np.isnan(share) else f" ({decimals(share, 0)} ± {_percent(spread)})"


def _percent(share: float) -> str:
    return f"{decimals(share, 0)} %"
