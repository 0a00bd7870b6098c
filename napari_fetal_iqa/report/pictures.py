"""The pictures of a report, as PNG: frames with their outline, growth chart, timeline.

All are told apart in black and white: by line styles and shapes, not by colours alone.
"""

import io
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from napari_fetal_iqa import colours
from napari_fetal_iqa.growth.charts import SHOWN_CENTILES
from napari_fetal_iqa.report.content import ReportContent
from napari_fetal_iqa.review.examination.examination import BestFrame, Examination

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200
_LEAST_GAP = 0.055
"""Between the names of two curves, as a share of the chart's height: that of their type."""


def frame_picture(best: BestFrame, examination: Examination, width_inches: float = 3.2) -> bytes:
    """Draw a frame with its ellipse, and its two diameters as dashed lines between crosses.

    The picture is cut to the field of view. A scale of 10 mm stands at its foot where the spacing
    is known.
    """
    number, _, frame = best.place
    sweep = examination.volumes[number].sweep
    row_mm, column_mm = sweep.spacing_mm or (1.0, 1.0)
    pixels = np.asarray(sweep.frames[frame])
    rows, columns = (np.flatnonzero(sweep.field_of_view.any(axis)) for axis in (1, 0))
    top, bottom = (rows[0], rows[-1] + 1) if len(rows) else (0, pixels.shape[0])
    left, right = (columns[0], columns[-1] + 1) if len(columns) else (0, pixels.shape[1])
    height = width_inches * (bottom - top) * row_mm / ((right - left) * column_mm)
    figure = _figure(width_inches, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    shape = pixels.shape
    extent = (0, shape[1] * column_mm, shape[0] * row_mm, 0)
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, extent=extent)
    if best.measurement is not None:
        ellipse = best.measurement.ellipse
        offset = np.array([row_mm, column_mm]) / 2  # of a pixel's centre
        outline = ellipse.outline_mm() + offset
        outline = np.vstack([outline, outline[:1]])
        colour = colours.EXPERT if best.by_expert else colours.MODEL
        axes.plot(outline[:, 1], outline[:, 0], color=colour, linewidth=1.4)
        ends = ellipse.handles_mm + offset
        for diameter in (ends[0:2], ends[2:4]):
            axes.plot(
                diameter[:, 1], diameter[:, 0], "--+", color="white", linewidth=0.6, markersize=6
            )
    axes.set_xlim(left * column_mm, right * column_mm)
    axes.set_ylim(bottom * row_mm, top * row_mm)
    if sweep.spacing_mm is not None:
        x, y = left * column_mm + 3, bottom * row_mm - 3
        axes.plot([x, x + 10], [y, y], color="white", linewidth=2)
        axes.text(x + 12, y, "10 mm", color="white", fontsize=6, va="center")
    axes.set_axis_off()
    return _png(figure)


def growth_picture(content: ReportContent) -> bytes:
    """Draw the chart's curve, the band from the 3rd to the 97th centile, and this case.

    Earlier measurements of the same subject are open diamonds.
    """
    growth = content.growth
    youngest, oldest = growth.chart.weeks
    weeks = np.linspace(youngest, oldest, 100)
    figure = _figure(3.6, 2.4)
    axes = figure.add_subplot()
    styles = {3: ":", 10: "--", 50: "-", 90: "--", 97: ":"}
    lines = {
        centile: [growth.chart.value_mm(centile, week) for week in weeks]
        for centile in SHOWN_CENTILES
    }
    axes.fill_between(weeks, lines[3], lines[97], color="0.92")
    for centile, values in lines.items():
        axes.plot(weeks, values, styles[centile], color="0.25", linewidth=0.8)
    ends = {centile: values[-1] for centile, values in lines.items()}
    for centile, height in _apart(ends, _LEAST_GAP * (lines[97][-1] - lines[3][0])).items():
        axes.text(oldest + 0.2, height, str(centile), fontsize=6, va="center")
    axes.plot(
        [one.weeks for one in content.charted],
        [one.circumference.circumference_mm for one in content.charted],
        "D",
        color="black",
        markerfacecolor="white",
        markersize=4,
        linewidth=1,
    )
    found = content.circumference
    if found is not None and growth.weeks is not None:
        low, high = found.interval_mm or (found.circumference_mm,) * 2
        value = found.circumference_mm
        axes.errorbar(
            growth.weeks,
            value,
            yerr=[[value - low], [high - value]],
            fmt="o",
            color="black",
            markersize=4,
            capsize=3,
            linewidth=1,
        )
    axes.set_xlim(youngest, oldest + 1.5)
    axes.set_xlabel("gestational age by dates (weeks)", fontsize=7)
    axes.set_ylabel("AC (mm)", fontsize=7)
    axes.set_title(f"{growth.chart.title}: 3rd to 97th centile", fontsize=7)
    if content.charted:
        key = "open diamonds: earlier"
        axes.text(0.98, 0.03, key, transform=axes.transAxes, fontsize=6, ha="right")
    axes.tick_params(labelsize=6)
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def _apart(heights: dict[int, float], gap: float) -> dict[int, float]:
    """Move the names of curves, the lowest first, apart around the middle one."""
    names = sorted(heights)
    placed = dict(heights)
    middle = len(names) // 2
    for lower, upper in pairwise(names[middle:]):
        placed[upper] = max(placed[upper], placed[lower] + gap)
    for upper, lower in pairwise(names[middle::-1]):
        placed[lower] = min(placed[lower], placed[upper] - gap)
    return placed


def timeline_picture(content: ReportContent) -> bytes:
    """Draw each volume's quality along its frames; what counts as dots, the best as a star."""
    volumes = content.examination.volumes
    figure = _figure(7.2, 1.1)
    axes = figure.add_subplot()
    first, names = 0, 0
    chosen = {best.place[::2] for best in content.best[:1]}
    for number, volume in enumerate(volumes):
        frames = np.arange(len(volume.sweep)) + first
        analysis = volume.analysis
        score = np.full(len(frames), np.nan) if analysis is None else analysis.score
        axes.plot(frames, score, color="0.35", linewidth=0.7)
        counts = [one.place[2] for one in content.examination.frames if one.place[0] == number]
        axes.plot(frames[counts], np.nan_to_num(score[counts]), "o", color="black", markersize=2)
        for place, frame in chosen:
            if place == number:
                height = np.nan_to_num(score[frame])
                axes.plot(first + frame, height, "*", color="black", markersize=9)
        for start, stop in volume.sweep.bounds:
            names += 1
            axes.axvline(first + stop - 0.5, color="0.7", linewidth=0.5)
            middle = first + (start + stop) / 2
            axes.text(middle, 1.08, f"sweep {names}", fontsize=6, ha="center")
        first += len(volume.sweep)
    axes.set_xlim(-0.5, first - 0.5)
    axes.set_ylim(-0.05, 1.05)
    axes.set_ylabel("score", fontsize=6)
    axes.set_xlabel("frame", fontsize=6)
    axes.tick_params(labelsize=6)
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure  # here: it is slow to import, and often not needed

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def _png(figure: "Figure") -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
