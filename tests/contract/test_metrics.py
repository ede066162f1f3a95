"""The contract of every metric, found by name: a new one is held to it by being there."""

from dataclasses import replace

import numpy as np
import pytest

from sae_surgery import metrics
from sae_surgery.metrics.base import NEEDS, Metric, Seen, Target
from sae_surgery.metrics.measures.quantity import Quantity

NAMES = sorted({name for protocol in metrics.PROTOCOLS for name in metrics.available(protocol)})
ALL = pytest.mark.parametrize("name", NAMES)
SIZES = {"id": 120, "ood": 80}
N_LATENTS, OBS_DIM = 9, 7


def everything() -> Seen:
    """Return imperfect codes of both splits, and all that a metric may need."""
    rng = np.random.default_rng(0)
    truth, other = rng.normal(size=(2, OBS_DIM, N_LATENTS))
    true, codes = {}, {}
    for split, size in SIZES.items():
        active = rng.uniform(size=(size, N_LATENTS)) < 0.4
        true[split] = rng.uniform(0.1, 1, active.shape) * active
        found = true[split][:, ::-1] + 0.2 * rng.normal(size=active.shape)
        codes[split] = np.maximum(found, 0)
    target = Target(
        observations={split: values @ truth.T for split, values in true.items()},
        codes=true,
        labels={split: values[:, 0] > 0 for split, values in true.items()},
        truth=truth,
    )
    nothing = np.zeros(OBS_DIM)
    return Seen(target, codes, truth[:, ::-1], nothing, other_atoms=other, lam=0.1)


def with_nothing_but(needs: tuple[str, ...], seen: Seen) -> Seen:
    """Take away all that is not needed."""
    target = seen.target
    splits = SIZES if "ood" in needs else ("id",)

    def of(parts):
        return {split: parts[split] for split in splits}

    bare = Target(
        observations=of(target.observations),
        codes=of(target.codes) if "codes" in needs else {},
        labels=of(target.labels) if "labels" in needs else {},
        truth=target.truth if "truth" in needs else None,
    )
    own = ("atoms", "bias", "other_atoms", "lam")
    taken = {name: None for name in own if name not in needs}
    return replace(seen, target=bare, codes=of(seen.codes), **taken)


@ALL
def test_traits_that_the_workflow_reads_are_literals_of_the_class(name):
    cls = type(metrics.load(name))
    for trait in ("needs", "protocols"):
        read, base = metrics._registry.trait(name, trait), getattr(Metric, trait)
        assert (base if read is None else read) == getattr(cls, trait)


@ALL
def test_description_is_complete(name):
    metric = metrics.load(name)
    assert type(metric).__doc__
    assert set(metric.needs) <= set(NEEDS)
    assert metric.protocols and set(metric.protocols) <= set(metrics.PROTOCOLS)
    assert metric.gives
    for quantity in metric.gives.values():
        assert isinstance(quantity, Quantity)
        assert quantity.title and quantity.long_name and quantity.units
        assert quantity.better in ("higher", "lower", "")


@pytest.mark.parametrize("protocol", metrics.PROTOCOLS)
def test_no_two_metrics_of_a_protocol_give_the_same(protocol):
    given = [name for each in metrics.available(protocol) for name in metrics.load(each).gives]
    assert len(given) == len(set(given))
    titles = [quantity.title for quantity in metrics.quantities(protocol).values()]
    assert len(titles) == len(set(titles))


@ALL
def test_it_gives_finite_numbers_under_the_names_that_it_declares(name):
    metric = metrics.load(name)
    found = metric.score(everything())
    assert set(found) == set(metric.gives)
    assert all(type(value) is float and np.isfinite(value) for value in found.values())


@ALL
def test_it_needs_no_more_than_it_declares(name):
    metric = metrics.load(name)
    found = metric.score(with_nothing_but(metric.needs, everything()))
    splits = {"ood"} & set(metric.needs)
    of_those_splits = with_nothing_but((*(set(NEEDS) - {"ood"}), *splits), everything())
    assert found == metric.score(of_those_splits) != {}


@ALL
def test_the_same_codes_get_the_same_scores_and_are_left_as_they_were(name):
    metric, seen, untouched = metrics.load(name), everything(), everything()
    assert metric.score(seen) == metric.score(untouched)
    for split in SIZES:
        np.testing.assert_array_equal(seen.codes[split], untouched.codes[split])
        np.testing.assert_array_equal(
            seen.target.observations[split], untouched.target.observations[split]
        )


@ALL
def test_without_what_it_needs_it_is_not_defined_and_the_reason_is_given(name):
    metric = metrics.load(name)
    (protocol, *_) = metric.protocols
    for need in metric.needs:
        rest = tuple(each for each in NEEDS if each != need)
        assert NEEDS[need] in metrics.why_not(name, rest)
        bare = with_nothing_but(rest, everything())
        scores = metrics.score(protocol, bare)
        assert all(np.isnan(scores[each]) for each in metric.gives)
