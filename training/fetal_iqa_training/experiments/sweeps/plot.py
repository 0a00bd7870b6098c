"""The pictures of the experiment with blind sweeps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_iqa_training.evaluation.bootstrap import Estimate
from fetal_iqa_training.experiments.sweeps.study import SweepStudy
from fetal_iqa_training.experiments.tables.plots import nested
from napari_fetal_iqa import colours
from napari_fetal_iqa.counted import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_success(study: SweepStudy) -> "Figure":
    """Draw the share of cases with a good frame over the sweeps done, one panel a goal."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), dpi=120, layout="constrained")
    panels = figure.subplots(1, len(study.success), sharey=True, squeeze=False)[0]
    lines = {
        "usual": ("chosen, usual order", colours.MODEL, "-"),
        "any_order": ("chosen, any order", colours.EXPERT, "-"),
        "there_usual": ("there, usual order", colours.MODEL, ":"),
        "there_any_order": ("there, any order", colours.EXPERT, ":"),
    }
    for axes, success in zip(panels, study.success, strict=True):
        for (name, (label, colour, style)), size in zip(lines.items(), nested(4), strict=True):
            curve = success.curves[name]
            done = range(1, len(curve) + 1)
            _draw_estimates(axes, done, curve, colour, style, label, size, band=style == "-")
        axes.set(
            xlabel="sweeps done",
            ylim=(0, 1.03),
            title=f"{success.goal} frame ({counted(success.cases, 'case')})",
        )
        axes.xaxis.get_major_locator().set_params(integer=True)
    panels[0].set_ylabel("share of cases")
    panels[0].legend(frameon=False, loc="lower right")
    return figure


def draw_smoothing(study: SweepStudy) -> "Figure":
    """Draw the error of the circumference and the hits of the chosen frame over the smoothing."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), dpi=120, layout="constrained")
    errors, hits = figure.subplots(1, 2)
    widths = [row.frames for row in study.smoothing]
    of_errors = (
        ("ac_error_median_mm", "median", colours.MODEL),
        ("ac_error_p90_mm", "90th percentile", colours.EXPERT),
    )
    of_hits = (
        ("within_0_frames", "annotated", colours.MODEL),
        ("within_5_frames", "within 5 frames of one", colours.EXPERT),
        ("optimal", "optimal", colours.OPTIMAL),
    )
    for axes, shown in ((errors, of_errors), (hits, of_hits)):
        for (name, label, colour), size in zip(shown, nested(len(shown)), strict=True):
            found = [row.estimates[name] for row in study.smoothing]
            _draw_estimates(axes, widths, found, colour, "o-", label, size)
    errors.set(ylabel="error of the abdominal circumference (mm)")
    errors.set_ylim(bottom=0)
    hits.set(ylabel="share of cases", ylim=(0, 1.03))
    for axes in (errors, hits):
        axes.set_xlabel("smoothing (frames)")
        if axes.lines:
            axes.legend(frameon=False)
    return figure


def _draw_estimates(
    axes: "Axes",
    at: Sequence[float],
    estimates: Sequence[Estimate],
    colour: str,
    style: str,
    label: str,
    size: float,
    band: bool = True,
) -> None:
    """Draw metrics as a line, with their intervals where they have some; nothing of nothing.

    ``size``, of :func:`~fetal_iqa_training.experiments.tables.plots.nested`, makes lines that
    agree show in each other.
    """
    axes.spines[["top", "right"]].set_visible(False)
    known = [
        (x, one.value, one.low, one.high)
        for x, one in zip(at, estimates, strict=True)
        if one.value is not None
    ]
    if not known:
        return
    where, value, low, high = np.array(known, float).T  # None becomes nan: no band
    width = 1.3 * size**1.4
    axes.plot(
        where, value, style, color=colour, label=label, linewidth=width, markersize=2.4 * width
    )
    if band and np.isfinite(low).all():
        axes.fill_between(where, low, high, color=colour, alpha=0.15, linewidth=0)
