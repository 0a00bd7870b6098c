"""The picture of an analysis: quality and mask area along the sweeps."""

from pathlib import Path

import numpy as np

from fetal_iqa_models.atomic_file import atomic_file
from napari_fetal_iqa import colours
from napari_fetal_iqa.analysis.result import Analysis


def draw_timeline(analysis: Analysis, path: Path) -> None:
    """Draw the scores and areas along the sweeps into a PNG file."""
    from matplotlib.figure import Figure  # here: it is slow to import, and often not needed

    figure = Figure(figsize=(12, 4.5), dpi=120, layout="constrained")
    quality, area = figure.subplots(2, 1, sharex=True)
    frames = np.arange(len(analysis.sweep))
    positive = analysis.labels() == 1
    best = analysis.best_frame()

    for axes, values, threshold, name in (
        (quality, analysis.quality, analysis.setup.thresholds.quality, "quality"),
        (area, analysis.area_fraction * 100, analysis.setup.thresholds.area * 100, "mask area (%)"),
    ):
        axes.plot(frames, values, color=colours.MODEL, linewidth=1.2)
        axes.axhline(threshold, color=colours.NONE, linewidth=0.8, linestyle="--")
        axes.plot(frames[positive], values[positive], ".", color=colours.OPTIMAL, markersize=4)
        if best >= 0 and np.isfinite(values[best]):
            axes.plot(best, values[best], "*", color=colours.EXPERT, markersize=13)
        for _, stop in analysis.sweep.bounds[:-1]:
            axes.axvline(stop - 0.5, color=colours.NONE, linewidth=0.6)
        axes.set_ylabel(name)
        axes.set_xlim(-0.5, len(frames) - 0.5)
        axes.spines[["top", "right"]].set_visible(False)
    quality.set_ylim(-0.03, 1.03)
    area.set_ylim(bottom=0)
    area.set_xlabel("frame")
    for number, (start, stop) in enumerate(analysis.sweep.bounds, start=1):
        quality.text((start + stop) / 2, 1.06, f"sweep {number}", ha="center", va="bottom")

    named = ", ".join(model.id for model in analysis.setup.models)
    warnings = ["demo models: not for clinical use"] if analysis.setup.demo else []
    warning = " ".join([*warnings, *analysis.setup.notices]) or "research software"
    best_text = f"best frame {best}" if best >= 0 else "no frame shows the abdomen"
    figure.suptitle(f"{best_text}   ({named}; {warning})", fontsize=10)

    with atomic_file(path) as new:
        figure.savefig(new, format="png")
