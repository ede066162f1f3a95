"""Whether all text of a figure can be read where it stands."""

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text

from sae_surgery.drawing import style

SMALLEST = 6
"""Points at final size."""

_TOLERANCE = 0.7  # points, about as wide as the air around a letter


def faults(figure: Figure) -> Iterator[str]:
    """Yield a line for each text that is too small, cut by the canvas, or over another one.

    The figure is one that `style.settle` has laid out.
    """
    with style.applied():
        figure.draw_without_rendering()
        texts = [text for text in _all_texts(figure) if text.get_text().strip()]
        boxes = np.array([text.get_window_extent().extents for text in texts]).reshape(-1, 4)
    for text in texts:
        if text.get_fontsize() < SMALLEST - 0.01:
            yield f"{_said(text)} has {text.get_fontsize():.1f} points, fewer than {SMALLEST}"
    low, high = boxes[:, :2], boxes[:, 2:]
    tolerance = _TOLERANCE * figure.dpi / 72
    outside = (low < -tolerance) | (high > figure.bbox.size + tolerance)
    for place in np.flatnonzero(outside.any(axis=1)):
        yield f"{_said(texts[place])} is cut by the edge"
    room = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    for one, other in np.argwhere((room > tolerance).all(axis=2)):
        if one < other:
            yield f"{_said(texts[one])} overlaps {_said(texts[other])}"


def _all_texts(figure: Figure) -> Iterator[Text]:
    """Yield what is drawn; of ticks, the labels within the limits of their axis."""
    beyond = set()
    for axis in (each for axes in figure.axes for each in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                beyond |= {id(tick.label1), id(tick.label2)}
    for text in figure.findobj(Text):
        if id(text) not in beyond and _is_visible(text, figure):
            yield text


def _is_visible(text: Text, figure: Figure) -> bool:
    axes = text.axes
    return text.get_visible() and (axes is None or (axes.get_visible() and axes in figure.axes))


def _said(text: Text) -> str:
    shown = " ".join(text.get_text().split())
    return repr(shown if len(shown) < 40 else f"{shown[:40]}…")
