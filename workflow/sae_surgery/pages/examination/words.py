"""Numbers as text, and the three sentences of a verdict, which are computed."""

import math

from sae_surgery.examination import HELD_OUT
from sae_surgery.examination.encoder import SOLVED
from sae_surgery.pages.examination.findings import Finding, Given, Number

SMALL = 0.005
"""Share of variance below which a difference is of no consequence."""
F1_APART = 0.03
"""Difference of F1 below which two ways count as equally good."""


def number(value: float) -> str:
    """Return three digits, more of large numbers."""
    if not math.isfinite(value):
        return ""
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "−")


def with_interval(given: Number) -> str:
    """Return a number and its interval."""
    ends = interval(given)
    return f"{number(given.value)} {ends}".strip()


def interval(given: Number) -> str:
    """Return an interval in brackets; nothing if there is none."""
    if not (math.isfinite(given.low) and math.isfinite(given.high)):
        return ""
    return f"[{number(given.low)}, {number(given.high)}]"


def percent(given: Number, digits: int = 1) -> str:
    """Return a share in per cent, with its interval."""
    value = f"{100 * given.value:.{digits}f}"
    ends = ""
    if math.isfinite(given.low):
        ends = f" [{100 * given.low:.{digits}f}, {100 * given.high:.{digits}f}]"
    return f"{value} %{ends}".replace("-", "−")


def verdict(finding: Finding) -> list[str]:
    """Return the sentences on one SAE: on its encoder, its decoder, and recombination."""
    each = {"encoder": _on_encoder, "decoder": _on_decoder, "planted": _on_planted}
    return [
        say(finding.answers[name])
        for name, say in each.items()
        if name in finding.answers and finding.answers[name].skipped is None
    ]


def _on_encoder(given: Given) -> str:
    own = given.number("encoder", "explained_variance", HELD_OUT)
    solved = {name: given.number(name, "explained_variance", HELD_OUT) for name in SOLVED}
    name = max((name for name in solved if solved[name].known), key=lambda each: solved[each].value)
    best = solved[name]
    how = given.question.conditions["omp" if name == "exchanged" else name]
    gap, removed = (given.number("gap", each, HELD_OUT) for each in ("gain", "removed"))
    l0 = given.number("encoder", "l0", HELD_OUT)
    begins = (
        f"With {number(l0.value)} active atoms a sample the encoder explains {percent(own)} of the "
        f"variance of held-out rows, and codes solved for on its own decoder, with as many, "
        f"{percent(best)} ({how})"
    )
    if not gap.known:
        return f"{begins}."
    if gap.high < SMALL:
        return f"{begins}: solving gains next to nothing, and the encoder is not at fault."
    if gap.low <= 0:
        return f"{begins}: no difference that these samples can show."
    parts = {each: given.number(each, "gain", HELD_OUT).value for each in ("magnitudes", "support")}
    share = parts["support"] / gap.value
    mostly = "its support" if share >= 0.5 else "its magnitudes"
    return (
        f"{begins}: {percent(removed, 0)} of what it leaves unexplained is the encoder's fault, "
        f"{100 * min(max(share, 1 - share), 1):.0f} % of that due to {mostly}."
    )


def _on_decoder(given: Given) -> str:
    k = given.number("decoder", "k").value
    own = given.at("decoder", "explained_variance", k)
    rivals = {
        "from scratch": ("scratch", given.number("scratch", "gain")),
        "from the decoder": ("started", given.number("started", "gain")),
    }
    known = {how: each for how, each in rivals.items() if each[1].known}
    if not known:
        floor = given.at("random", "explained_variance", k)
        return (
            f"No dictionary was learned beside it; under the same solver the decoder explains "
            f"{percent(own)} with {k:.0f} active atoms, random atoms with the data's covariance "
            f"{percent(floor)}."
        )
    how = max(known, key=lambda each: known[each][1].value)
    name, gain = known[how]
    best = given.at(name, "explained_variance", k)
    begins = (
        f"A dictionary of its size learned {how} on the same rows explains {percent(best)} with "
        f"{k:.0f} active atoms solved for, the decoder {percent(own)}"
    )
    if gain.low > SMALL:
        return f"{begins}: a better dictionary can be had, and the decoder is at fault as well."
    if gain.high < -SMALL:
        return f"{begins}: none of those that were learned is as good as the decoder."
    return f"{begins}: as far as these rows can show, the decoder is as good a dictionary."


def _on_planted(given: Given) -> str:
    def f1(condition: str, split: str) -> float:
        return given.at(condition, "f1", 1.0, split).value

    if given.rows.empty:
        return f"Nothing was planted: {' '.join(given.notes)}"
    names = given.question.conditions
    solved = [name for name in names if name != "encoder" and math.isfinite(f1(name, "own"))]
    best = max(solved, key=lambda name: f1(name, "own") + f1(name, "recombined"))
    own, apart = f1("encoder", "own"), f1("encoder", "recombined")
    begins = (
        f"Where codes are known, with noise like its residual, the encoder recovers supports to an "
        f"F1 of {own:.2f} as they occur and {apart:.2f} recombined from halves of different rows, "
        f"{names[best]} to {f1(best, 'own'):.2f} and {f1(best, 'recombined'):.2f}"
    )
    in_distribution = f1(best, "own") - own
    recombined = f1(best, "recombined") - apart
    if recombined > F1_APART and in_distribution >= -F1_APART:
        also = "in both" if in_distribution > F1_APART else "in recombination"
        return f"{begins}: what solving wins, it wins {also}."
    if recombined > F1_APART:
        return f"{begins}: solving wins in recombination, and loses where combinations are usual."
    if recombined < -F1_APART:
        return f"{begins}: the encoder is the better one even there."
    return f"{begins}: neither is much better out of distribution."
