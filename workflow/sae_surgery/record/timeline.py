"""The timeline of a run: one bar a job, and the chain of jobs that decided when it ended."""

import heapq
from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sae_surgery.drawing import style
from sae_surgery.record.manifest import Job, critical_path

INCHES_A_LANE = 0.05


def step_colours(jobs: Sequence[Job]) -> dict[str, tuple[float, ...]]:
    """Return a colour for each step, in the order in which steps began, all different up to 40."""
    palette = (*colormaps["tab20"].colors, *colormaps["tab20b"].colors)
    steps = dict.fromkeys(job.step for job in jobs)
    return {step: palette[index % len(palette)] for index, step in enumerate(steps)}


def lanes(jobs: Sequence[Job]) -> list[int]:
    """Return for each job, in the order of their beginning, the first lane that is free then."""
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    places = []
    for job in jobs:
        while busy and busy[0][0] <= job.began:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (job.ended, lane))
        places.append(lane)
    return places


def draw(jobs: Sequence[Job]) -> Figure:
    """Draw a run's jobs over time; those of the critical path are outlined."""
    critical = {job.name for job in critical_path(jobs)}
    begin = jobs[0].began
    places, colours = lanes(jobs), step_colours(jobs)
    with style.applied():
        height = 1.2 + INCHES_A_LANE * (max(places) + 1)
        figure = Figure(figsize=(style.TEXT_WIDTH, height), layout="constrained")
        axes = figure.add_subplot()
        for job, lane in zip(jobs, places, strict=True):
            axes.barh(
                lane + 1,
                (job.ended - job.began) / 60,
                left=(job.began - begin) / 60,
                height=0.9,
                color=colours[job.step],
                edgecolor="black" if job.name in critical else "none",
                linewidth=0.8,
            )
        axes.set_xlabel("minutes since the first job began")
        axes.set_ylabel("jobs at a time")
        handles = [Patch(color=colour, label=step) for step, colour in colours.items()]
        handles.append(Patch(facecolor="none", edgecolor="black", label="critical path"))
        figure.legend(handles=handles, loc="outside upper center", ncols=5, frameon=False)
    return figure
