"""The picture of the combined rule: where each system stands, and what the rule looks at."""

from typing import TYPE_CHECKING

import numpy as np

from fetal_iqa_training.experiments.tables.plots import nested
from fetal_iqa_training.experiments.threshold.rule_study import (
    BEST_F1,
    RECALL_KEPT,
    CombinedRuleStudy,
)
from napari_fetal_iqa import colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = {
    "SEG": colours.MODEL,
    "CLS": colours.OTHER,
    "SEG and CLS": colours.NONE,
    RECALL_KEPT: colours.ERROR,
    BEST_F1: colours.EXPERT,
}


def draw_combined_rule(study: CombinedRuleStudy) -> "Figure":
    """Draw precision over recall of each system, every run a dot, and the rule's weights."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), dpi=120, layout="constrained")
    systems, weights = figure.subplots(1, 2)

    # hollow, one in the other: systems that agree would hide each other
    sizes = nested(len(study.metrics))
    for (system, of_runs), marker, size in zip(study.metrics.items(), "sDo^v", sizes, strict=True):
        precision, recall = of_runs[:, 0], of_runs[:, 1]
        style = {"color": _COLOURS[system], "marker": marker, "fillstyle": "none", "linestyle": ""}
        if len(of_runs) > 1:
            systems.plot(recall, precision, alpha=0.6, markersize=2.5 * size, **style)
        systems.plot(
            recall.mean(),
            precision.mean(),
            markersize=5 * size,
            markeredgewidth=1.8,
            label=system,
            **style,
        )
    systems.set(xlabel="recall", ylabel="precision")
    systems.legend(frameon=False)

    names = study.rules[0].names
    of_runs = np.stack([rule.weights for rule in study.rules])
    mean = of_runs.mean(axis=0)
    order = np.argsort(np.abs(mean))
    rows = np.arange(len(names))
    weights.barh(rows, mean[order], color=colours.MODEL)
    for run in of_runs:
        weights.plot(run[order], rows, ".", color="black", markersize=3)
    weights.set_yticks(rows, [names[column].replace("_", " ") for column in order])
    weights.axvline(0, color=colours.NONE, linewidth=0.8)
    weights.set_xlabel("weight: change of the log odds by one standard deviation")
    for axes in (systems, weights):
        axes.spines[["top", "right"]].set_visible(False)
    return figure
