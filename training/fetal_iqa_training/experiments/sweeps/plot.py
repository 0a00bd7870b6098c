"""The pictures of the experiment with blind sweeps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_iqa_training.evaluation.bootstrap import Estimate
from fetal_iqa_training.experiments.sweeps.study import SweepStudy
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
        for name, (label, colour, style) in lines.items():
            curve = success.curves[name]
            done = range(1, len(curve) + 1)
            _draw_estimates(axes, done, curve, colour, style, label, band=style == "-")
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
    for name, label, colour in (
        ("ac_error_median_mm", "median", colours.MODEL),
        ("ac_error_p90_mm", "90th percentile", colours.EXPERT),
    ):
        found = [row.estimates[name] for row in study.smoothing]
        _draw_estimates(errors, widths, found, colour, "o-", label)
    for name, label, colour in (
        ("within_0_frames", "annotated", colours.MODEL),
        ("within_5_frames", "within 5 frames of one", colours.EXPERT),
        ("optimal", "optimal", colours.OPTIMAL),
    ):
        found = [row.estimates[name] for row in study.smoothing]
        _draw_estimates(hits, widths, found, colour, "o-", label)
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
    band: bool = True,
) -> None:
    """Draw metrics as a line, with their intervals where they have some; nothing of nothing."""
    axes.spines[["top", "right"]].set_visible(False)
    known = [
        (x, one.value, one.low, one.high)
        for x, one in zip(at, estimates, strict=True)
        if one.value is not None
    ]
    if not known:
        return
    where, value, low, high = np.array(known, float).T  # None becomes nan: no band
    axes.plot(where, value, style, color=colour, label=label)
    if band and np.isfinite(low).all():
        axes.fill_between(where, low, high, color=colour, alpha=0.15, linewidth=0)
