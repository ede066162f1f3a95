"""docs/metrics.md: every quantity of each protocol stands in it, with what it needs."""

import re
from pathlib import Path

import pytest

from sae_surgery import metrics

PAGE = (Path(__file__).parents[2] / "docs/metrics.md").read_text(encoding="utf-8")
WORDS = {
    "truth": "true dictionary",
    "codes": "true codes",
    "labels": "labels",
    "ood": "ood samples",
    "atoms": "own dictionary",
    "bias": "bias",
    "other_atoms": "second seed",
    "lam": "a lasso",
}


def rows(protocol):
    """Yield each row of a protocol's table: names, ends, what is needed, which way is better."""
    section = PAGE.split(f"## `protocol: {protocol}`")[1].split("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            names, what, needs, better, elsewhere = cells
            assert what and elsewhere
            found = re.findall(r"`(\w+)`", names)
            values = [name for name in found if name not in ("_low", "_high")]
            ends = [f"{name}{end}" for name in values for end in ("_low", "_high")]
            yield values, ends if "`_low` and `_high`" in names else [], needs, better


@pytest.mark.parametrize("protocol", metrics.PROTOCOLS)
def test_every_quantity_stands_in_the_table_of_its_protocol_once(protocol):
    listed = [name for values, ends, *_ in rows(protocol) for name in [*values, *ends]]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(metrics.quantities(protocol))


@pytest.mark.parametrize("protocol", metrics.PROTOCOLS)
def test_rows_say_what_is_needed_and_which_way_is_better(protocol):
    metric_of = {
        name: metrics.load(each)
        for each in metrics.available(protocol)
        for name in metrics.load(each).gives
    }
    for values, ends, needs, better in rows(protocol):
        for name in [*values, *ends]:
            expected = ", ".join(WORDS[need] for need in metric_of[name].needs) or "–"
            assert needs == expected, name
        for name in values:
            assert better == (metric_of[name].gives[name].better or "–"), name
