"""Published MCC against reproduced MCC, one panel an experiment."""

import math

import pandas as pd
from matplotlib.figure import Figure

from sae_surgery.drawing import style
from sae_surgery.pages.comparison.judgement import AGREES, DIFFERS, UNDECIDED
from sae_surgery.pages.comparison.rows import INCOMPARABLE

LOOKS = {
    INCOMPARABLE: {"marker": ".", "color": "0.85"},
    AGREES: {"marker": "o", "color": "#1f78c8"},
    UNDECIDED: {"marker": "s", "color": "0.6"},
    DIFFERS: {"marker": "X", "color": "#b8470a"},
}
_COLUMNS = 4
_HEIGHT = 1.8  # inches of a panel


def scatter(rows: pd.DataFrame) -> Figure:
    """Draw every compared MCC, in and out of distribution; on the diagonal it is the same."""
    compared = rows[rows["metric"].str.startswith("mcc_") & rows["verdict"].isin(LOOKS)]
    experiments = compared["experiment"].unique()
    lines = max(1, math.ceil(len(experiments) / _COLUMNS))
    with style.applied():
        figure = Figure(figsize=(style.TEXT_WIDTH, 0.4 + lines * _HEIGHT), layout="constrained")
        grid = figure.subplots(lines, _COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
        for axes, experiment in zip(grid, experiments, strict=False):
            _panel(axes, experiment, compared[compared["experiment"] == experiment])
        for axes in grid[len(experiments) :]:
            axes.remove()
        figure.supxlabel("published MCC", fontsize=8)
        figure.supylabel("reproduced MCC", fontsize=8)
        if len(experiments):
            handles, labels = figure.axes[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside upper right", ncols=len(LOOKS), fontsize=7)
    return figure


def _panel(axes, experiment: str, rows: pd.DataFrame) -> None:
    axes.axline((0, 0), slope=1, color="0.8", linewidth=0.8)
    for verdict, look in LOOKS.items():
        some = rows[rows["verdict"] == verdict]
        points = some["published"], some["reproduced"]
        axes.scatter(*points, s=6, linewidths=0, alpha=0.7, label=verdict, **look)
    axes.set_title(experiment.replace("_", " "))
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
