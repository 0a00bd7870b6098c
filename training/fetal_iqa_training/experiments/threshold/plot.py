"""The picture of the threshold experiment."""

from typing import TYPE_CHECKING

import numpy as np

from fetal_iqa_models.thresholds import AREA_THRESHOLD
from fetal_iqa_training.experiments.tables.plots import nested
from fetal_iqa_training.experiments.threshold.study import ThresholdStudy
from napari_fetal_iqa import colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = {"precision": colours.MODEL, "recall": colours.EXPERT, "f1": colours.OPTIMAL}
_THRESHOLDS = {"paper": "s", "best": "^", "chosen": "o"}
_MEANING = {"paper": "1 %, as the paper", "chosen": "by validation", "best": "best on test"}


def draw_threshold(study: ThresholdStudy) -> "Figure":
    """Draw precision, recall and F1 over the threshold, and precision over recall run by run."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), dpi=120, layout="constrained")
    over_share, over_recall = figure.subplots(1, 2)

    percent = 100 * study.shares
    for name, colour in _COLOURS.items():
        values = np.stack([getattr(run, name) for run in study.runs])
        mean = values.mean(axis=0)
        over_share.plot(percent, mean, color=colour, label="F1" if name == "f1" else name)
        if len(values) > 1:
            std = values.std(axis=0, ddof=1)
            over_share.fill_between(percent, mean - std, mean + std, color=colour, alpha=0.2)
    over_share.axvline(100 * AREA_THRESHOLD, color=colours.NONE, linestyle="--", linewidth=0.8)
    over_share.set(xlabel="share of the square (%)", ylim=(0, 1.02), xlim=(0, percent.max()))
    over_share.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1.01), ncols=3)

    for number, run in enumerate(study.runs):
        over_recall.plot(
            run.curve_recall, run.curve_precision, color=colours.MODEL, linewidth=1, alpha=0.7
        )
        # hollow, one in the other: thresholds that agree would hide each other
        for (name, marker), size in zip(_THRESHOLDS.items(), nested(3), strict=True):
            decision = run.decisions[name]
            over_recall.plot(
                decision.recall,
                decision.precision,
                marker,
                color=colours.ERROR if name == "chosen" else colours.NONE,
                fillstyle="full" if name == "chosen" else "none",
                markersize=4.5 * size,
                label=_MEANING[name] if number == 0 else None,
            )
    over_recall.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    # above the axes: every corner may hold a curve, which falls anywhere
    over_recall.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1.01), ncols=3)
    for axes in (over_share, over_recall):
        axes.spines[["top", "right"]].set_visible(False)
    return figure
